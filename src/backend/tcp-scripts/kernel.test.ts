/**
 * Every script on the kernel that it was recorded from; skipped, with a line that says why, where there is none. On the
 * Linux that one is on only if it is of the same line, and only what doesn't take long: there time is real.
 */
import { release } from 'node:os'
import { relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Backend } from '#article/runner'
import { createNetnsBackend } from '#backend/netns'
import { createQemuBackend } from '#backend/qemu'
import { type KernelRunner, openKernel } from './kernel.ts'
import { readScripts, SCRIPTS } from './scripts.ts'
import { differencesOf } from './transcript.ts'

const PATIENCE_NS = 3e9
const scripts = readScripts().map((script) => ({ name: relative(SCRIPTS, script.file), script }))
const short = scripts.filter(({ script }) => (script.steps.at(-1)?.atNs ?? 0) < PATIENCE_NS)
const otherKernel = release().startsWith('6.1.') ? undefined : `the scripts are of Linux 6.1, and this is ${release()}`

const kernels: [Backend, typeof scripts, why: string | undefined][] = [
  [createQemuBackend(), scripts, undefined],
  [createNetnsBackend(), short, otherKernel],
]

for (const [backend, played, unfit] of kernels) {
  const why = unfit ?? (await backend.unavailable())
  if (why !== undefined) console.log(`skipped: TCP scripts on ${backend.name}: ${why}`)

  describe.skipIf(why !== undefined)(backend.name, () => {
    let kernel: Promise<KernelRunner> | undefined

    afterAll(async () => {
      await (await kernel)?.close()
      await backend.close()
    })

    test.each(played)('$name', async ({ script }) => {
      kernel ??= openKernel(backend)
      let found = differencesOf(script, await (await kernel).run(script))
      // A round trip is measured there by programs that take time: what is of chance isn't so twice.
      if (found.length > 0) found = differencesOf(script, await (await kernel).run(script))
      expect(found, script.summary).toEqual([])
    })
  })
}

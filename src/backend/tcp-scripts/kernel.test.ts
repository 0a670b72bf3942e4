/** Every script on the kernel that it was recorded from; skipped, with a line that says why, where there is none. */
import { relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createQemuBackend } from '#backend/qemu'
import { type KernelRunner, openKernel } from './kernel.ts'
import { readScripts, SCRIPTS } from './scripts.ts'
import { differencesOf } from './transcript.ts'

const backend = createQemuBackend()
const why = await backend.unavailable()
if (why !== undefined) console.log(`skipped: TCP scripts on qemu: ${why}`)

describe.skipIf(why !== undefined)('qemu', () => {
  let kernel: Promise<KernelRunner> | undefined

  afterAll(async () => {
    await (await kernel)?.close()
    await backend.close()
  })

  test.each(readScripts().map((script) => ({ name: relative(SCRIPTS, script.file), script })))(
    '$name',
    async ({ script }) => {
      kernel ??= openKernel(backend)
      expect(differencesOf(script, await (await kernel).run(script)), script.summary).toEqual([])
    },
  )
})

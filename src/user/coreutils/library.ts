/**
 * Tools that a library has: jq and the checksums, by just-bash (docs/decisions/text-tools.md). It takes the whole input
 * and gives the whole output; it is loaded when first used, and the clock stands still meanwhile.
 */
import type { Body, Program, Sys } from '#kernel/core'
import { encodeText } from '#user/shell'
import { concatenate } from './dump.ts'

type Library = typeof import('just-bash/browser')

let library: Library | undefined

function* waitFor<T>(promise: Promise<T>): Body<T> {
  let result: { value: T } | undefined
  let error: { thrown: unknown } | undefined
  yield {
    queues: [],
    untilNs: Number.POSITIVE_INFINITY,
    promise: promise.then(
      (value) => (result = { value }),
      (thrown) => (error = { thrown }),
    ),
  }
  if (error) throw (error as { thrown: unknown }).thrown
  return result!.value
}

function* readEverything(sys: Sys, fd: number): Body<Uint8Array> {
  const chunks: Uint8Array[] = []
  for (;;) {
    const got = yield* sys.read(fd, 65536)
    if (!got.ok && got.errno === 'EINTR') continue
    if (!got.ok || got.value.length === 0) return concatenate(chunks)
    chunks.push(got.value)
  }
}

function borrowed(name: string, paths = [`/usr/bin/${name}`]): Program {
  return {
    name,
    paths,
    *main(sys, argv) {
      const args = argv.slice(1)
      const cwd = sys.getcwd()
      // The library's files are copies of those that the words name.
      const files: Record<string, Uint8Array> = {}
      for (const word of args) {
        const stat = sys.stat(word)
        if (!stat.ok || stat.value.type === 'directory') continue
        const opened = yield* sys.open(word)
        if (!opened.ok) continue
        files[word.startsWith('/') ? word : `${cwd === '/' ? '' : cwd}/${word}`] = yield* readEverything(
          sys,
          opened.value,
        )
        sys.close(opened.value)
      }
      const stdin =
        Object.keys(files).length > 0 && !args.includes('-') ? new Uint8Array(0) : yield* readEverything(sys, 0)
      library ??= yield* waitFor(import('just-bash/browser'))
      const bash = new library.Bash({ commands: [name as 'jq'], files, cwd })
      const latin = Array.from(stdin, (byte) => String.fromCharCode(byte)).join('')
      const done = yield* waitFor(
        bash.exec(name, { args, stdin: latin, stdinKind: 'bytes' } as Parameters<typeof bash.exec>[1]),
      )
      if (done.stdout !== '')
        yield* sys.write(
          1,
          done.stdoutKind === 'bytes'
            ? Uint8Array.from(done.stdout, (char) => char.charCodeAt(0))
            : encodeText(done.stdout),
        )
      if (done.stderr !== '') yield* sys.write(2, encodeText(done.stderr))
      return done.exitCode
    },
  }
}

export const jq = borrowed('jq')
export const md5sum = borrowed('md5sum')
export const sha1sum = borrowed('sha1sum')
export const sha256sum = borrowed('sha256sum')

/** Running other programs, as system(3), popen(3) and scripts do. */
import { decodeUtf8 } from '#base/bytes'
import { type Body, O_APPEND, O_CREAT, O_WRONLY, readAll, type Sys } from '#kernel/core'

export interface Spawn {
  /** Files that standard output and error are added to; undefined: inherited. */
  out?: string
  error?: string
  environment?: Record<string, string>
}

function* launch(sys: Sys, words: string[], { out, error, environment = {} }: Spawn): Body<number> {
  for (const [fd, path] of [
    [1, out],
    [2, error],
  ] as const) {
    if (path === undefined) continue
    const opened = yield* sys.open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    if (opened.ok) {
      sys.dup2(opened.value, fd)
      sys.close(opened.value)
    }
  }
  for (const [name, value] of Object.entries(environment)) sys.env.set(name, value)
  const done = yield* sys.exec(words[0]!, words)
  return done.ok ? done.value : 127
}

function* ended(sys: Sys, pid: number): Body<number> {
  for (;;) {
    const status = yield* sys.waitpid(pid)
    if (status.ok && status.value) return status.value.exit ?? 128
    if (!status.ok && status.errno !== 'EINTR') return 127
  }
}

/** Runs a program and waits for it: its exit status. */
export function* system(sys: Sys, words: string[], options: Spawn = {}): Body<number> {
  return yield* ended(
    sys,
    sys.fork((child) => launch(child, words, options)),
  )
}

/** Runs a program without waiting. */
export function background(sys: Sys, words: string[], options: Spawn = {}): number {
  return sys.fork((child) => launch(child, words, options))
}

/** Runs a program, and takes what it prints. */
export function* capture(sys: Sys, words: string[], options: Spawn = {}): Body<{ output: string; status: number }> {
  const pipe = sys.pipe()
  if (!pipe.ok) return { output: '', status: 127 }
  const { read, write } = pipe.value
  const pid = sys.fork(function* (child) {
    child.dup2(write, 1)
    child.close(read)
    child.close(write)
    return yield* launch(child, words, options)
  })
  sys.close(write)
  const got = yield* readAll(sys, read)
  sys.close(read)
  const status = yield* ended(sys, pid)
  return { output: got.ok ? decodeUtf8(got.value) : '', status }
}

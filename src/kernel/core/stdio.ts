/** Text in and out of files, for programs: what stdio is to those in C. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import type { SysResult } from './errno.ts'
import type { Sys } from './sys.ts'
import type { Body } from './wait.ts'

/** Writes text to a descriptor, all of it. A reader that has gone is the process's SIGPIPE, so the result seldom matters. */
export function* writeText(sys: Sys, fd: number, text: string): Body<SysResult<number>> {
  return yield* sys.write(fd, encodeUtf8(text))
}

/** Everything from a descriptor, until its end. */
export function* readAll(sys: Sys, fd: number): Body<SysResult<Uint8Array>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const got = yield* sys.read(fd, 65_536)
    if (!got.ok) return got
    if (got.value.length === 0) break
    chunks.push(got.value)
    length += got.value.length
  }
  if (chunks.length === 1) return { ok: true, value: chunks[0]! }
  const all = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return { ok: true, value: all }
}

/** A file's content as text. */
export function* readTextFile(sys: Sys, path: string): Body<SysResult<string>> {
  const opened = yield* sys.open(path)
  if (!opened.ok) return opened
  const got = yield* readAll(sys, opened.value)
  sys.close(opened.value)
  return got.ok ? { ok: true, value: decodeUtf8(got.value) } : got
}

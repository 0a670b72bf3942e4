/** Other programs, as Perl's system, exec and open run them. perlfunc(1): system; perl 5.36 doio.c: Perl_do_exec3() */
import { decodeUtf8 } from '#base/bytes'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'
import type { Output } from './output.ts'

/** What only a shell understands. */
const SHELL_SIGNS = /[$&*(){}[\]'";\\|?<>~`\n]/
const SYSTEM_LINE = 4764

/** How a program ended: its status in the second byte and the signal in the first, as $? has it; -1 if it couldn't run. */
export type ExitStatus = number

/** A command line's words, or a shell's. */
export function commandWords(command: string): string[] {
  if (SHELL_SIGNS.test(command)) return ['/bin/sh', '-c', command]
  return command.trim().split(/\s+/)
}

/** Replaces the process, looking for a name without a slash in PATH; what failed, if it did. */
export function* execute(sys: Sys, argv: string[]): Body<{ status: number } | { errno: Errno }> {
  const [name = ''] = argv
  const places = name.includes('/')
    ? [name]
    : (sys.env.get('PATH') ?? '/usr/bin:/bin').split(':').map((folder) => `${folder}/${name}`)
  let errno: Errno = 'ENOENT'
  for (const place of places) {
    const ran = yield* sys.exec(place, argv)
    if (ran.ok) return { status: ran.value }
    if (ran.errno !== 'ENOENT') errno = ran.errno
  }
  return { errno }
}

/** Waits for a child, through signals. */
export function* waitFor(sys: Sys, pid: number): Body<ExitStatus> {
  for (;;) {
    const ended = yield* sys.waitpid(pid)
    if (!ended.ok) {
      if (ended.errno === 'EINTR') continue
      return -1
    }
    return exitStatus(ended.value)
  }
}

/** The number of a signal that ends programs. */
const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
}

export function exitStatus(ended: { exit?: number; signal?: string } | undefined): ExitStatus {
  if (ended?.exit !== undefined) return ended.exit << 8
  return ended?.signal === undefined ? -1 : (SIGNALS[ended.signal] ?? 1)
}

/** Runs a command line to its end; what fails is logged. */
export function* runCommand(output: Output, command: string): Body<ExitStatus> {
  const { sys } = output
  if (output.debugging) yield* output.log(`Running system(${command})`)
  output.io.flush()
  yield* output.io.settle()
  const words = commandWords(command)
  let failed: Errno | undefined
  const pid = sys.fork(function* (child) {
    const ran = yield* execute(child, words)
    if ('status' in ran) return ran.status
    failed = ran.errno
    return 127
  })
  let status = yield* waitFor(sys, pid)
  if (failed !== undefined) {
    output.errno = strerror(failed)
    status = -1
    yield* output.warn(`Can't exec "${words[0]}": ${output.errno}`, SYSTEM_LINE)
  }
  if (status !== 0) yield* output.log(`system(${command}) failed: ${output.errno}`)
  return status
}

/** What a program prints, on both outputs, until it ends; undefined if there is no such program. */
export function* captureOutput(output: Output, words: string[]): Body<string | undefined> {
  const { sys } = output
  output.io.flush()
  yield* output.io.settle()
  const pipe = sys.pipe()
  if (!pipe.ok) return undefined
  const { read, write } = pipe.value
  let failed = false
  const pid = sys.fork(function* (child) {
    child.dup2(write, 1)
    child.dup2(1, 2)
    child.close(read)
    child.close(write)
    const ran = yield* execute(child, words)
    if ('status' in ran) return ran.status
    failed = true
    return 127
  })
  sys.close(write)
  const chunks: string[] = []
  for (;;) {
    const got = yield* sys.read(read, 65_536)
    if (!got.ok && got.errno === 'EINTR') continue
    if (!got.ok || got.value.length === 0) break
    chunks.push(decodeUtf8(got.value))
  }
  sys.close(read)
  yield* waitFor(sys, pid)
  return failed ? undefined : chunks.join('')
}

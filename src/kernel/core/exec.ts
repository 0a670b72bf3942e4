/**
 * execve(2): programs and scripts. A program's file is an ELF header and the program's name, so that a copy of it, a link
 * or a renamed one runs as the real one would. Linux 6.1 fs/exec.c, fs/binfmt_script.c.
 */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { Program } from './image.ts'
import { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { find } from './path.ts'
import type { Process } from './process.ts'
import type { Sys } from './sys.ts'
import type { Body } from './wait.ts'

/** How many interpreters may be interpreters' scripts. Linux 6.1 fs/exec.c: exec_binprm(). */
const DEPTH_MAX = 5
/** MAX_ARG_STRLEN, and about what a stack of 8 MB allows in all. */
const ARGUMENT_MAX = 131_072
const ARGUMENTS_MAX = 2_097_152
/** BINPRM_BUF_SIZE: what of a script's first line is looked at. */
const LINE_MAX = 256
const MARK = 'kaidoku\n'

const HEADER = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x3e, 0, 1, 0, 0, 0])

/** What a program's file has in it. */
export function programBytes(name: string): Uint8Array {
  const text = encodeUtf8(`${MARK}${name}\n`)
  const bytes = new Uint8Array(64 + text.length)
  bytes.set(HEADER)
  bytes.set(text, 64)
  return bytes
}

/** The program in a file, or undefined. */
function programIn(host: KernelHost, bytes: Uint8Array): Program | undefined {
  if (bytes.length < 64 || HEADER.some((byte, i) => bytes[i] !== byte)) return undefined
  const [mark, name] = decodeUtf8(bytes.subarray(64, 512)).split('\n')
  return `${mark}\n` === MARK && name !== undefined ? host.image.programs.get(name) : undefined
}

/** Finds what to run and runs it in place of what the process was. */
export function* execute(
  sys: Sys,
  process: Process,
  path: string,
  argv: string[],
): Body<SysResult<never> | { ok: true; value: number }> {
  const { host } = process.machine
  let size = 0
  for (const argument of argv) {
    if (argument.length >= ARGUMENT_MAX) return fail('E2BIG')
    size += argument.length + 9
  }
  for (const [name, value] of process.env) size += name.length + value.length + 10
  if (size > ARGUMENTS_MAX) return fail('E2BIG')
  const found = findProgram(host, process.cwd, path, argv, 0)
  if (!found.ok) return found
  const { program } = found.value
  // The point of no return.
  process.descriptors.forEach((descriptor, fd) => {
    if (descriptor?.closeOnExec) process.closeDescriptor(fd)
  })
  for (const [signal, action] of process.actions) if (action !== 'ignore') process.actions.delete(signal)
  process.name = (path.split('/').pop() ?? path).slice(0, 15)
  process.argv = found.value.argv
  process.exe = found.value.path
  return ok(yield* program.main(sys, found.value.argv))
}

function findProgram(
  host: KernelHost,
  cwd: string,
  path: string,
  argv: string[],
  depth: number,
): SysResult<{ program: Program; argv: string[]; path: string }> {
  if (depth > DEPTH_MAX) return fail('ELOOP')
  const place = find(host, cwd, path)
  if (!place.ok) return place
  const { node } = place.value
  if (!(node instanceof Inode) || node.type !== 'file') return fail('EACCES')
  const live = host.disk.live(node)
  if ((live.mode & 0o111) === 0) return fail('EACCES')
  const content = live.content(host)
  const program = programIn(host, content)
  if (program) return ok({ program, argv, path: place.value.path })
  if (content[0] !== 0x23 || content[1] !== 0x21) return fail('ENOEXEC')
  const head = decodeUtf8(content.subarray(2, LINE_MAX))
  const line = (head.split('\n')[0] ?? '').replace(/^[ \t]+|[ \t]+$/g, '')
  if (line === '') return fail('ENOEXEC')
  const blank = line.search(/[ \t]/)
  const interpreter = blank < 0 ? line : line.slice(0, blank)
  const argument = blank < 0 ? [] : [line.slice(blank).trimStart()]
  return findProgram(host, cwd, interpreter, [interpreter, ...argument, path, ...argv.slice(1)], depth + 1)
}

/** open(2). Linux 6.1 fs/namei.c: path_openat(), do_open(); fs/pipe.c: fifo_open(). */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile } from './file.ts'
import { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { walk } from './path.ts'
import { makeNode } from './path-calls.ts'
import type { Pipe } from './pipe.ts'
import type { Process } from './process.ts'
import { mayRead, mayWrite } from './regular.ts'
import { O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, type Sys } from './sys.ts'
import type { Body } from './wait.ts'

/** Opens what doesn't block; a FIFO is given back as what it is. */
export function openNow(
  host: KernelHost,
  cwd: string,
  path: string,
  flags: number,
  mode: number,
): SysResult<OpenFile | { fifo: Inode; path: string }> {
  const create = (flags & O_CREAT) !== 0
  const place = walk(host, cwd, path, !(create && (flags & O_EXCL) !== 0))
  if (!place.ok) return place
  const { node } = place.value
  if (!node) {
    if (!create) return fail('ENOENT')
    if (place.value.slash) return fail('EISDIR')
    const made = makeNode(host, '/', place.value.path, 'file', mode & 0o7777)
    return made.ok ? made.value.open(host, flags, place.value.path) : made
  }
  if (create && (flags & O_EXCL) !== 0) return fail('EEXIST')
  if (node.type === 'symlink') return fail('ELOOP')
  if (create && node.type === 'directory') return fail('EISDIR')
  if (node instanceof Inode && node.type === 'fifo') {
    return (flags & O_DIRECTORY) !== 0 ? fail('ENOTDIR') : ok({ fifo: node, path: place.value.path })
  }
  return node.open(host, flags, place.value.path)
}

/** Opens anything, waiting for a FIFO's other end. */
export function* openPath(
  sys: Sys,
  process: Process,
  path: string,
  flags: number,
  mode: number,
): Body<SysResult<OpenFile>> {
  const { host } = process.machine
  const opened = openNow(host, process.cwd, path, flags, mode)
  if (!opened.ok) return opened
  if (!('fifo' in opened.value)) return ok(opened.value)
  const { fifo } = opened.value
  const pipe = pipeOf(host, fifo)
  const nonBlocking = (flags & O_NONBLOCK) !== 0
  if (mayWrite(flags) && !mayRead(flags) && nonBlocking && pipe.readers === 0) return fail('ENXIO')
  const file = pipe.open(flags, opened.value.path, () => fifo.stat(host))
  if (nonBlocking || (mayRead(flags) && mayWrite(flags))) return ok(file)
  const readersBefore = pipe.readers > 0 ? -1 : pipe.readersEver
  const writersBefore = pipe.writers > 0 ? -1 : pipe.writersEver
  let opened2 = false
  try {
    while (mayRead(flags) ? pipe.writersEver === writersBefore : pipe.readersEver === readersBefore) {
      const woken = yield* sys.wait({ queues: [file.queue], untilNs: Number.POSITIVE_INFINITY })
      if (woken === 'signal' && process.interrupted === 'yes') return fail('EINTR')
    }
    opened2 = true
    return ok(file)
  } finally {
    if (!opened2) file.release()
  }
}

function pipeOf(host: KernelHost, fifo: Inode): Pipe {
  const { fifos } = host.machine
  let pipe = fifos.get(fifo)
  if (!pipe || (pipe.readers === 0 && pipe.writers === 0)) {
    pipe = host.machine.newPipe() // What nobody has open keeps nothing.
    fifos.set(fifo, pipe)
  }
  return pipe
}

/** Pipes and FIFOs. Linux 6.1 fs/pipe.c; pipe(7) for what is atomic. */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { FileType, OpenFile, Stat } from './file.ts'
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from './file.ts'
import { mayRead, mayWrite } from './regular.ts'
import { WaitQueue } from './wait.ts'

/** A pipe's capacity and the length up to which a write is atomic. Linux 6.1 include/uapi/linux/limits.h: PIPE_BUF. */
export const PIPE_SIZE = 65536
const PIPE_BUF = 4096
const NOTHING = new Uint8Array(0)

export class Pipe {
  readonly inode: number
  /** What was written and not read yet. */
  readonly chunks: Uint8Array[] = []
  length = 0
  readers = 0
  writers = 0
  /** How often a reader or a writer has come: a FIFO's opening waits for one to come, even if it left again. */
  readersEver = 0
  writersEver = 0
  readonly readable = new WaitQueue()
  readonly writable = new WaitQueue()

  constructor(inode: number) {
    this.inode = inode
  }

  /** Opens an end, or both. */
  open(flags: number, description: string, stat?: () => Stat): PipeEnd {
    return new PipeEnd(this, flags, description, stat)
  }

  read(length: number): Uint8Array {
    const take = Math.min(length, this.length)
    if (take === 0) return NOTHING
    const out = new Uint8Array(take)
    let at = 0
    while (at < take) {
      const chunk = this.chunks[0]!
      const part = Math.min(chunk.length, take - at)
      out.set(part === chunk.length ? chunk : chunk.subarray(0, part), at)
      at += part
      if (part === chunk.length) this.chunks.shift()
      else this.chunks[0] = chunk.subarray(part)
    }
    this.length -= take
    return out
  }

  write(bytes: Uint8Array): void {
    this.chunks.push(bytes)
    this.length += bytes.length
  }
}

export class PipeEnd implements OpenFile {
  flags: number
  references = 0
  readonly description: string
  readonly pipe: Pipe
  readonly queue: WaitQueue
  readonly #stat: (() => Stat) | undefined

  constructor(pipe: Pipe, flags: number, description: string, stat?: () => Stat) {
    this.pipe = pipe
    this.flags = flags
    this.description = description
    this.#stat = stat
    this.queue = mayRead(flags) ? pipe.readable : pipe.writable
    if (mayRead(flags)) {
      pipe.readers++
      pipe.readersEver++
      pipe.writable.wake()
    }
    if (mayWrite(flags)) {
      pipe.writers++
      pipe.writersEver++
      pipe.readable.wake()
    }
  }

  stat(): Stat {
    if (this.#stat) return this.#stat()
    const type: FileType = 'fifo'
    return { type, mode: 0o600, size: 0, inode: this.pipe.inode, links: 1, uid: 0, gid: 0, mtimeNs: 0 }
  }

  read(length: number): SysResult<Uint8Array> {
    if (!mayRead(this.flags)) return fail('EBADF')
    if (length === 0) return ok(NOTHING)
    if (this.pipe.length === 0) return this.pipe.writers === 0 ? ok(NOTHING) : fail('EAGAIN')
    const bytes = this.pipe.read(length)
    this.pipe.writable.wake()
    return ok(bytes)
  }

  write(bytes: Uint8Array): SysResult<number> {
    if (!mayWrite(this.flags)) return fail('EBADF')
    if (bytes.length === 0) return ok(0)
    if (this.pipe.readers === 0) return fail('EPIPE')
    const room = PIPE_SIZE - this.pipe.length
    if (room === 0 || (bytes.length <= PIPE_BUF && bytes.length > room)) return fail('EAGAIN')
    const taken = Math.min(room, bytes.length)
    this.pipe.write(bytes.slice(0, taken)) // A copy: the writer may use its buffer again.
    this.pipe.readable.wake()
    return ok(taken)
  }

  poll(): number {
    const { pipe } = this
    let events = 0
    if (mayRead(this.flags)) {
      if (pipe.length > 0) events |= POLLIN
      if (pipe.writers === 0 && pipe.writersEver > 0) events |= POLLHUP
    }
    if (mayWrite(this.flags)) {
      if (pipe.length <= PIPE_SIZE - PIPE_BUF) events |= POLLOUT
      if (pipe.readers === 0) events |= POLLERR
    }
    return events
  }

  release(): void {
    const { pipe } = this
    if (mayRead(this.flags)) {
      pipe.readers--
      pipe.writable.wake()
    }
    if (mayWrite(this.flags)) {
      pipe.writers--
      pipe.readable.wake()
    }
  }
}

/** An AF_UNIX socket as an open file, and what a buffer weighs. */
import { type OpenFile, ok, type Stat, type SysResult, type WaitQueue } from '#kernel/core'
import type { UnixSocket } from './socket.ts'

/** sizeof(struct sk_buff) and of skb_shared_info, as the allocator gives them out. */
const SKB = 256
const SHARED_INFO = 320
const PAGE = 4096
const HEAD_MAX = PAGE - SHARED_INFO

/** What a message of that length takes of a buffer: its head comes in sizes of kmalloc, the rest in pages. */
export function truesizeOf(length: number): number {
  const head = Math.min(length, HEAD_MAX)
  let size = 512
  while (size < ((head + 63) & ~63) + SHARED_INFO) size *= 2
  return SKB + size + Math.ceil(Math.max(0, length - HEAD_MAX) / PAGE) * PAGE
}

export class UnixFile implements OpenFile {
  flags = 2
  references = 0
  readonly socket: UnixSocket

  constructor(socket: UnixSocket) {
    this.socket = socket
    socket.file = this
  }

  get queue(): WaitQueue {
    return this.socket.queue
  }

  get description(): string {
    return `socket:[${this.socket.inode}]`
  }

  stat(): Stat {
    return { type: 'socket', mode: 0o777, size: 0, inode: this.socket.inode, links: 1, uid: 0, gid: 0, mtimeNs: 0 }
  }

  read(length: number): SysResult<Uint8Array> {
    const received = this.socket.receive(length, {})
    return received.ok ? ok(received.value.bytes) : received
  }

  write(bytes: Uint8Array): SysResult<number> {
    return this.socket.sendTo(bytes, undefined, {}, undefined)
  }

  poll(): number {
    return this.socket.poll()
  }

  ioctl(request: string): SysResult<unknown> {
    return this.socket.ioctl(request)
  }

  release(): void {
    this.socket.release()
  }
}

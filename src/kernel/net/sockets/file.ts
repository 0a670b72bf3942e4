/** A socket as an open file. Linux 6.1 net/socket.c: socket_file_ops. */
import {
  fail,
  type Host,
  type OpenFile,
  ok,
  POLLOUT,
  type Received,
  type Socket,
  type Stat,
  type SysResult,
  type WaitQueue,
} from '#kernel/core'

/** What a kind of socket gives besides what programs call. */
export interface KernelSocket extends Socket {
  readonly host: Host
  readonly inode: number
  readonly queue: WaitQueue
  poll(): number
  ioctl?(request: string, argument: unknown): SysResult<unknown>
  release(): void
}

export class SocketFile implements OpenFile {
  flags = 2
  references = 0
  readonly socket: KernelSocket

  constructor(socket: KernelSocket) {
    this.socket = socket
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
    return this.socket.sendTo(bytes, undefined, {})
  }

  poll(): number {
    return this.socket.poll() | POLLOUT
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    return this.socket.ioctl?.(request, argument) ?? fail('ENOTTY')
  }

  release(): void {
    this.socket.release()
  }
}

/** A queue of what was received, with the memory that it takes. */
export class ReceiveQueue<T> {
  #items: { item: T; size: number }[] = []
  #head = 0
  memory = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T, size: number): void {
    this.#items.push({ item, size })
    this.memory += size
  }

  peek(): T | undefined {
    return this.#items[this.#head]?.item
  }

  shift(): T | undefined {
    const first = this.#items[this.#head]
    if (!first) return undefined
    this.#head++
    this.memory -= first.size
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return first.item
  }

  clear(): void {
    this.#items = []
    this.#head = 0
    this.memory = 0
  }
}

/** What receive gives for bytes of which `length` may be taken. */
export function receivedOf(bytes: Uint8Array, length: number, rest: Omit<Received, 'bytes' | 'length'>): Received {
  return { bytes: bytes.length > length ? bytes.subarray(0, length) : bytes, length: bytes.length, ...rest }
}

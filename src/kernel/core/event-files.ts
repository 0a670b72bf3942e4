/** eventfd and timerfd. Linux 6.1 fs/eventfd.c, fs/timerfd.c. */
import { Timer } from '#base/sim'
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import { type OpenFile, POLLIN, POLLOUT, type Stat } from './file.ts'
import type { Host } from './host.ts'
import { wakeNs } from './timing.ts'
import { WaitQueue } from './wait.ts'

/** The counter's largest value, ULLONG_MAX - 1. */
const COUNT_MAX = 0xffff_ffff_ffff_fffen

function stat(inode: number): Stat {
  return { type: 'file', mode: 0o600, size: 0, inode, links: 1, uid: 0, gid: 0, mtimeNs: 0 }
}

function bytesOf(count: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, count, true)
  return bytes
}

export class EventFile implements OpenFile {
  flags = 2
  references = 0
  readonly description = 'anon_inode:[eventfd]'
  readonly queue = new WaitQueue()
  readonly #inode: number
  readonly #semaphore: boolean
  #count: bigint

  constructor(inode: number, value: number, semaphore: boolean) {
    this.#inode = inode
    this.#count = BigInt(value)
    this.#semaphore = semaphore
  }

  stat(): Stat {
    return stat(this.#inode)
  }

  read(length: number): SysResult<Uint8Array> {
    if (length < 8) return fail('EINVAL')
    if (this.#count === 0n) return fail('EAGAIN')
    const taken = this.#semaphore ? 1n : this.#count
    this.#count -= taken
    this.queue.wake()
    return ok(bytesOf(taken))
  }

  write(bytes: Uint8Array): SysResult<number> {
    if (bytes.length < 8) return fail('EINVAL')
    const more = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
    if (more > COUNT_MAX) return fail('EINVAL')
    if (more > COUNT_MAX - this.#count) return fail('EAGAIN')
    this.#count += more
    this.queue.wake()
    return ok(bytes.length) // All of what was given counts as taken: no second write of the rest.
  }

  poll(): number {
    return (this.#count > 0n ? POLLIN : 0) | (this.#count < COUNT_MAX ? POLLOUT : 0)
  }
}

export class TimerFile implements OpenFile {
  flags = 2
  references = 0
  readonly description = 'anon_inode:[timerfd]'
  readonly queue = new WaitQueue()
  readonly #inode: number
  readonly #host: Host
  readonly #timer: Timer
  #dueNs = 0
  #intervalNs = 0
  #ticks = 0n

  constructor(host: Host, inode: number) {
    this.#inode = inode
    this.#host = host
    this.#timer = new Timer(host.sim, `timerfd ${inode}`, () => {
      this.#ticks++
      if (this.#intervalNs > 0) this.#arm(this.#dueNs + this.#intervalNs)
      this.queue.wake()
    })
  }

  stat(): Stat {
    return stat(this.#inode)
  }

  set(valueNs: number, intervalNs: number): void {
    this.#ticks = 0n
    this.#intervalNs = intervalNs
    if (valueNs > 0) this.#arm(this.#host.sim.nowNs + valueNs)
    else this.#timer.cancel()
  }

  /** Counts from when it was due, not from when it fired: no interval is longer for a late one. */
  #arm(dueNs: number): void {
    this.#dueNs = dueNs
    this.#timer.armAt(Math.max(this.#host.sim.nowNs, wakeNs(this.#host, dueNs, 0)))
  }

  read(length: number): SysResult<Uint8Array> {
    if (length < 8) return fail('EINVAL')
    if (this.#ticks === 0n) return fail('EAGAIN')
    const ticks = this.#ticks
    this.#ticks = 0n
    return ok(bytesOf(ticks))
  }

  write(): SysResult<number> {
    return fail('EINVAL')
  }

  poll(): number {
    return this.#ticks > 0n ? POLLIN : 0
  }

  release(): void {
    this.#timer.cancel()
  }
}

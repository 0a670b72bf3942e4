/**
 * epoll. An item waits on its file's queue for as long as it is registered, and a wake-up puts it on the ready list; what
 * is ready is asked again at epoll_wait. A level-triggered item that still is goes back to the list's end.
 * Linux 6.1 fs/eventpoll.c: ep_insert(), ep_poll_callback(), ep_send_events().
 */
import type { SysResult } from './errno.ts'
import { fail, OK } from './errno.ts'
import { type OpenFile, POLLERR, POLLHUP, POLLIN, type Stat } from './file.ts'
import { type Waiter, WaitQueue } from './wait.ts'

export const EPOLLIN = 0x001
export const EPOLLOUT = 0x004
export const EPOLLRDHUP = 0x2000
export const EPOLLONESHOT = 1 << 30
export const EPOLLET = 2 ** 31
const ALWAYS = POLLERR | POLLHUP
/** EP_MAX_NESTS. */
const NESTS_MAX = 4

class Item implements Waiter {
  readonly epoll: EpollFile
  readonly file: OpenFile
  readonly fd: number
  data: unknown
  wanted = 0
  edge = false
  oneShot = false

  constructor(epoll: EpollFile, file: OpenFile, fd: number) {
    this.epoll = epoll
    this.file = file
    this.fd = fd
  }

  set(events: number, data: unknown): void {
    this.edge = events >= EPOLLET || events < 0
    this.oneShot = (events & EPOLLONESHOT) !== 0
    this.wanted = (events & 0xffff) | ALWAYS
    this.data = data
  }

  ready(): number {
    return this.file.poll() & this.wanted
  }

  wake(): void {
    // What was disarmed by EPOLLONESHOT has nothing but errors left, and not even these are told.
    if (this.wanted !== 0) this.epoll.put(this)
  }
}

export class EpollFile implements OpenFile {
  flags = 2
  references = 0
  readonly description = 'anon_inode:[eventpoll]'
  readonly queue = new WaitQueue()
  readonly #items = new Map<number, Item[]>()
  readonly #ready = new Set<Item>()
  readonly #inode: number

  constructor(inode: number) {
    this.#inode = inode
  }

  stat(): Stat {
    return { type: 'file', mode: 0o600, size: 0, inode: this.#inode, links: 1, uid: 0, gid: 0, mtimeNs: 0 }
  }

  read(): SysResult<Uint8Array> {
    return fail('EINVAL')
  }

  write(): SysResult<number> {
    return fail('EINVAL')
  }

  poll(): number {
    for (const item of this.#ready) {
      if (item.file.references > 0 && item.ready() !== 0) return POLLIN
    }
    return 0
  }

  put(item: Item): void {
    this.#ready.add(item)
    this.queue.wake()
  }

  control(op: 'ADD' | 'MOD' | 'DEL', fd: number, file: OpenFile, events: number, data: unknown): SysResult<void> {
    // epoll_ctl's own order: a file that can't be polled is EPERM, the set itself EINVAL.
    const { type } = file.stat()
    if (!(file instanceof EpollFile) && (type === 'file' || type === 'directory') && !isAnonymous(file))
      return fail('EPERM')
    if (file === this) return fail('EINVAL')
    this.#forget()
    const items = this.#items.get(fd) ?? []
    const item = items.find((one) => one.file === file)
    if (op === 'ADD') {
      if (item) return fail('EEXIST')
      if (file instanceof EpollFile && (file.#depth() >= NESTS_MAX || file.#holds(this))) return fail('ELOOP')
      const added = new Item(this, file, fd)
      added.set(events, data)
      this.#items.set(fd, [...items, added])
      file.queue.add(added)
      if (added.ready() !== 0) this.put(added)
      return OK
    }
    if (!item) return fail('ENOENT')
    if (op === 'DEL') {
      this.#drop(item)
      return OK
    }
    item.set(events, data)
    if (item.ready() !== 0) this.put(item)
    return OK
  }

  /** What is ready now, at most so many. */
  take(max: number): { data: unknown; events: number }[] {
    this.#forget()
    const taken: { data: unknown; events: number }[] = []
    for (const item of [...this.#ready]) {
      if (taken.length >= max) break
      this.#ready.delete(item)
      const events = item.ready()
      if (events === 0) continue
      taken.push({ data: item.data, events })
      if (item.oneShot) item.wanted = 0
      else if (!item.edge) this.#ready.add(item)
    }
    return taken
  }

  release(): void {
    for (const items of this.#items.values()) for (const item of items) item.file.queue.remove(item)
    this.#items.clear()
    this.#ready.clear()
  }

  /** Files whose last descriptor was closed are out. */
  #forget(): void {
    for (const items of this.#items.values()) {
      for (const item of items) if (item.file.references === 0) this.#drop(item)
    }
  }

  #drop(item: Item): void {
    item.file.queue.remove(item)
    this.#ready.delete(item)
    const rest = (this.#items.get(item.fd) ?? []).filter((one) => one !== item)
    if (rest.length > 0) this.#items.set(item.fd, rest)
    else this.#items.delete(item.fd)
  }

  *#nested(): Generator<EpollFile> {
    for (const items of this.#items.values()) {
      for (const { file } of items) if (file instanceof EpollFile) yield file
    }
  }

  #depth(): number {
    let deepest = 0
    for (const nested of this.#nested()) deepest = Math.max(deepest, nested.#depth())
    return deepest + 1
  }

  #holds(other: EpollFile): boolean {
    for (const nested of this.#nested()) if (nested === other || nested.#holds(other)) return true
    return false
  }
}

function isAnonymous(file: OpenFile): boolean {
  return file.description.startsWith('anon_inode:')
}

/** Open files of the disk: regular files, directories, and the way to devices and FIFOs. */
import { deviceFile } from './devices.ts'
import type { SysResult } from './errno.ts'
import { fail, OK, ok } from './errno.ts'
import type { OpenFile, Stat } from './file.ts'
import { POLLIN, POLLOUT } from './file.ts'
import type { Inode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import { O_ACCMODE, O_APPEND, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from './sys.ts'
import { NEVER_WOKEN } from './wait.ts'

const NOTHING = new Uint8Array(0)

/** Whether open(2)'s flags allow reading or writing. */
export function mayRead(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY
}

export function mayWrite(flags: number): boolean {
  return (flags & O_ACCMODE) === O_WRONLY || (flags & O_ACCMODE) === O_RDWR
}

/** Opens what an inode stands for, but for FIFOs, whose opening may block. */
export function openInode(host: KernelHost, inode: Inode, flags: number, path: string): SysResult<OpenFile> {
  switch (inode.type) {
    case 'directory':
      return (flags & O_ACCMODE) === O_RDONLY ? ok(new DirectoryFile(host, inode, flags, path)) : fail('EISDIR')
    case 'file': {
      if ((flags & O_DIRECTORY) !== 0) return fail('ENOTDIR')
      if ((flags & O_TRUNC) !== 0 && mayWrite(flags)) truncateInode(host, inode, 0)
      return ok(new RegularFile(host, inode, flags, path))
    }
    case 'char':
      if ((flags & O_DIRECTORY) !== 0) return fail('ENOTDIR')
      return deviceFile(host, inode, flags, path)
    default:
      return fail('ENXIO')
  }
}

/** Sets a file's length; what is added is zero. */
export function truncateInode(host: KernelHost, inode: Inode, length: number): SysResult<void> {
  if (!(length >= 0)) return fail('EINVAL')
  const disk = host.disk
  if (disk.live(inode).size === length && length === 0 && !disk.live(inode).generate) return OK
  const own = disk.own(inode)
  if (length > own.size) {
    const grown = disk.grow(own, length)
    if (!grown.ok) return grown
  } else disk.shrink(own, length)
  own.mtimeNs = host.sim.nowNs
  return OK
}

class RegularFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly inode: Inode
  readonly #host: KernelHost
  #offset = 0
  #counted = false

  constructor(host: KernelHost, inode: Inode, flags: number, path: string) {
    this.#host = host
    this.inode = inode
    this.flags = flags
    this.description = path
    this.#count()
  }

  stat(): Stat {
    return this.inode.stat(this.#host)
  }

  read(length: number): SysResult<Uint8Array> {
    if (!mayRead(this.flags)) return fail('EBADF')
    const content = this.#host.disk.live(this.inode).content(this.#host)
    if (this.#offset >= content.length) return ok(NOTHING)
    const bytes = content.slice(this.#offset, this.#offset + length)
    this.#offset += bytes.length
    return ok(bytes)
  }

  write(bytes: Uint8Array): SysResult<number> {
    if (!mayWrite(this.flags)) return fail('EBADF')
    if (bytes.length === 0) return ok(0)
    const own = this.#host.disk.own(this.inode)
    this.#count()
    if ((this.flags & O_APPEND) !== 0) this.#offset = own.size
    const end = this.#offset + bytes.length
    if (end > own.size || own.borrowed) {
      const grown = this.#host.disk.grow(own, Math.max(end, own.size))
      if (!grown.ok) return grown
    }
    own.data.set(bytes, this.#offset)
    own.mtimeNs = this.#host.sim.nowNs
    this.#offset = end
    return ok(bytes.length)
  }

  poll(): number {
    return POLLIN | POLLOUT
  }

  seek(offset: number, whence: 'SET' | 'CUR' | 'END'): SysResult<number> {
    const base = whence === 'SET' ? 0 : whence === 'CUR' ? this.#offset : this.stat().size
    if (!(base + offset >= 0 && base + offset <= Number.MAX_SAFE_INTEGER)) return fail('EINVAL')
    this.#offset = base + offset
    return ok(this.#offset)
  }

  truncate(length: number): SysResult<void> {
    return mayWrite(this.flags) ? truncateInode(this.#host, this.inode, length) : fail('EINVAL')
  }

  release(): void {
    if (!this.#counted) return
    const own = this.#host.disk.live(this.inode)
    own.opens--
    this.#host.disk.settle(own)
  }

  /** A shared inode isn't counted; once the host has its own, it is. */
  #count(): void {
    const live = this.#host.disk.live(this.inode)
    if (this.#counted || live.shared) return
    live.opens++
    this.#counted = true
  }
}

class DirectoryFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly inode: Inode
  readonly #host: KernelHost

  constructor(host: KernelHost, inode: Inode, flags: number, path: string) {
    this.#host = host
    this.inode = inode
    this.flags = flags
    this.description = path
  }

  stat(): Stat {
    return this.inode.stat(this.#host)
  }

  read(): SysResult<Uint8Array> {
    return fail('EISDIR')
  }

  write(): SysResult<number> {
    return fail('EBADF')
  }

  poll(): number {
    return POLLIN | POLLOUT
  }
}

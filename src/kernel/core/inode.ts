/**
 * The disk: inodes in memory. All hosts of an image share the tree that it begins with; an inode that a host changes is
 * copied into that host's `Disk`, under the shared one's identity, so that nothing above it needs copying.
 */
import { encodeUtf8 } from '#base/bytes'
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { FileType, OpenFile, Stat } from './file.ts'
import type { KernelHost } from './kernel.ts'
import { Node } from './node.ts'
import { openInode } from './regular.ts'

/** Which file system an inode is on: links and renames don't cross; all but the disk are forgotten at a power cut. */
export type Device = 'disk' | 'run' | 'dev'

const EMPTY = new Uint8Array(0)
/** Mode bits of a new one, before umask. */
const KIND_SIZE: Partial<Record<FileType, number>> = { directory: 4096 }

let sharedInodes = 2

export class Inode extends Node {
  readonly type: FileType
  readonly number: number
  readonly device: Device
  /** Whether all hosts of the image see it; then it is never changed in place. */
  readonly shared: boolean
  mode: number
  links = 1
  mtimeNs = 0
  /** How many open files refer to it; counted for a host's own only. */
  opens = 0
  /** A directory's entries. A node that isn't an inode is another file system's root. */
  entries: Map<string, Node> | undefined
  /** A symlink's target. */
  target = ''
  /** A regular file's bytes: `data` up to `size`. */
  data: Uint8Array = EMPTY
  size = 0
  /** Whether `data` belongs to another inode too, and must be copied before it is written. */
  borrowed = false
  /** A shared file whose content differs from host to host, until somebody writes it. */
  generate: ((host: KernelHost) => string) | undefined
  rdev: [number, number] | undefined

  constructor(type: FileType, mode: number, number: number, device: Device, shared: boolean) {
    super()
    this.type = type
    this.mode = mode
    this.number = number
    this.device = device
    this.shared = shared
    if (type === 'directory') this.entries = new Map()
  }

  override stat(host: KernelHost): Stat {
    const live = host.disk.live(this)
    let size = KIND_SIZE[this.type] ?? live.size
    if (this.type === 'symlink') size = live.target.length
    else if (live.generate) size = live.content(host).length
    let links = live.links
    if (live.entries) {
      links = 2
      for (const entry of live.entries.values()) if (entry.type === 'directory') links++
    }
    const stat: Stat = {
      type: this.type,
      mode: live.mode,
      size,
      inode: this.number,
      links,
      uid: 0,
      gid: 0,
      mtimeNs: live.mtimeNs,
    }
    if (live.rdev) stat.rdev = live.rdev
    return stat
  }

  override lookup(host: KernelHost, name: string): Node | undefined {
    return host.disk.live(this).entries?.get(name)
  }

  override list(host: KernelHost): string[] {
    const names = [...(host.disk.live(this).entries?.keys() ?? [])]
    // A tmpfs says the newest first. Linux 6.1 fs/libfs.c: dcache_readdir().
    return this.device === 'run' ? names.reverse() : names
  }

  override readlink(host: KernelHost): string {
    return host.disk.live(this).target
  }

  override open(host: KernelHost, flags: number, path: string): SysResult<OpenFile> {
    return openInode(host, this, flags, path)
  }

  /** The whole content, not to be changed. Call it on a live inode. */
  content(host: KernelHost): Uint8Array {
    if (this.generate) return encodeUtf8(this.generate(host))
    return this.data.subarray(0, this.size)
  }
}

/** Makes an inode that all hosts of an image share. */
export function sharedInode(type: FileType, mode: number, device: Device): Inode {
  return new Inode(type, mode, sharedInodes++, device, true)
}

/** A host's changes to the shared tree. */
export class Disk {
  readonly #host: KernelHost
  /** By the shared inode. Made when something is first written. */
  #changed: Map<Inode, Inode> | undefined
  #next = 2_000_000
  /** Bytes of files that are this host's own. */
  usedBytes = 0

  constructor(host: KernelHost) {
    this.#host = host
  }

  /** What stands for an inode on this host at this moment. */
  live(inode: Inode): Inode {
    return inode.shared ? (this.#changed?.get(inode) ?? inode) : inode
  }

  /** The same, to be changed: this host's own. */
  own(inode: Inode): Inode {
    if (!inode.shared) return inode
    const changed = this.#changed?.get(inode)
    if (changed) return changed
    const copy = new Inode(inode.type, inode.mode, inode.number, inode.device, false)
    copy.links = inode.links
    copy.mtimeNs = inode.mtimeNs
    copy.target = inode.target
    copy.rdev = inode.rdev
    if (inode.entries) copy.entries = new Map(inode.entries)
    if (inode.generate) {
      copy.data = inode.content(this.#host)
      copy.size = copy.data.length
    } else {
      copy.data = inode.data
      copy.size = inode.size
      copy.borrowed = true
    }
    this.#changed ??= new Map()
    this.#changed.set(inode, copy)
    return copy
  }

  create(type: FileType, mode: number, device: Device): Inode {
    const inode = new Inode(type, mode, this.#next++, device, false)
    inode.mtimeNs = this.#host.sim.nowNs
    return inode
  }

  /** Makes room for a file to become `length` bytes long; the bytes beyond its size are zero. */
  grow(inode: Inode, length: number): SysResult<void> {
    const more = length - (inode.borrowed ? 0 : inode.size)
    if (this.usedBytes + more > this.#host.image.diskBytes) return fail('ENOSPC')
    if (inode.borrowed || length > inode.data.length) {
      const data = new Uint8Array(inode.borrowed ? length : Math.max(length, inode.data.length * 2, 256))
      data.set(inode.data.subarray(0, Math.min(inode.size, length)))
      inode.data = data
      inode.borrowed = false
    }
    this.usedBytes += more
    inode.size = length
    return ok(undefined)
  }

  /** Cuts a file of this host's own. */
  shrink(inode: Inode, length: number): void {
    if (inode.borrowed) {
      if (length === 0) inode.data = EMPTY
      else {
        inode.data = inode.data.slice(0, length)
        this.usedBytes += length
      }
      inode.borrowed = false
    } else {
      inode.data.fill(0, length, inode.size)
      this.usedBytes -= inode.size - length
      if (length === 0) inode.data = EMPTY
    }
    inode.size = length
  }

  /** Gives its bytes back if neither a name nor an open file leads to it any more. */
  settle(inode: Inode): void {
    if (inode.shared || inode.links > 0 || inode.opens > 0 || inode.type !== 'file') return
    if (!inode.borrowed) this.usedBytes -= inode.size
    inode.data = EMPTY
    inode.size = 0
    inode.borrowed = false
  }

  /** Forgets what isn't on the disk: /run and /dev begin anew at the next boot. */
  powerCut(): void {
    if (!this.#changed) return
    for (const [inode, own] of this.#changed) {
      if (inode.device === 'disk') {
        own.opens = 0
        this.settle(own)
      } else {
        this.#free(own)
        this.#changed.delete(inode)
      }
    }
  }

  #free(inode: Inode): void {
    for (const entry of inode.entries?.values() ?? []) {
      if (entry instanceof Inode && !entry.shared) this.#free(entry)
    }
    inode.links = 0
    inode.opens = 0
    this.settle(inode)
  }
}

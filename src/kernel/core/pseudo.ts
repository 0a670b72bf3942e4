/** /proc and /sys: trees of generated files, shared by all hosts of an image; the host is a parameter of each look. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { FileType, OpenFile, Stat } from './file.ts'
import { POLLIN, POLLOUT } from './file.ts'
import type { PseudoDirectory, PseudoFile, PseudoNode } from './image.ts'
import type { KernelHost } from './kernel.ts'
import { mountsOf } from './mounts.ts'
import { inNetns } from './netns.ts'
import { Node } from './node.ts'
import { mayRead, mayWrite } from './regular.ts'
import { O_ACCMODE, O_DIRECTORY, O_RDONLY } from './sys.ts'
import { NEVER_WOKEN } from './wait.ts'

/** Inode numbers of generated files: by path, so that they stay the same. */
function inodeOf(path: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < path.length; i++) h = Math.imul(h ^ path.charCodeAt(i), 0x01000193)
  return 0xf000_0000 + ((h >>> 0) & 0xfff_ffff)
}

function pseudoStat(type: FileType, mode: number, path: string, host: KernelHost): Stat {
  const links = type === 'directory' ? 2 : 1
  const size = 0
  return { type, mode, size, inode: inodeOf(path), links, uid: 0, gid: 0, mtimeNs: host.sim.nowNs }
}

export class PseudoLeaf extends Node {
  readonly type = 'file'
  readonly file: PseudoFile
  readonly path: string

  constructor(file: PseudoFile, path: string) {
    super()
    this.file = file
    this.path = path
  }

  override stat(host: KernelHost): Stat {
    const mode = this.file.mode ?? (this.file.write ? (this.file.read ? 0o644 : 0o200) : 0o444)
    const stat = pseudoStat('file', mode, this.path, host)
    if (this.path.startsWith('/sys/')) stat.size = 4096
    return stat
  }

  override open(host: KernelHost, flags: number, path: string): SysResult<OpenFile> {
    if ((flags & O_DIRECTORY) !== 0) return fail('ENOTDIR')
    return ok(new PseudoOpen(host, this, flags, path))
  }
}

class PseudoOpen implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly #host: KernelHost
  readonly #leaf: PseudoLeaf
  #content: Uint8Array | undefined
  #offset = 0

  constructor(host: KernelHost, leaf: PseudoLeaf, flags: number, path: string) {
    this.#host = host
    this.#leaf = leaf
    this.flags = flags
    this.description = path
  }

  stat(): Stat {
    return this.#leaf.stat(this.#host)
  }

  read(length: number): SysResult<Uint8Array> {
    if (!mayRead(this.flags)) return fail('EBADF')
    const read = this.#leaf.file.read
    if (!read) return fail('EINVAL')
    // As a seq_file: made at the first read, and anew after going back to the beginning.
    if (!this.#content || this.#offset === 0) {
      this.#content = encodeUtf8(read.call(this.#leaf.file, this.#host))
    }
    const bytes: Uint8Array = this.#content.slice(this.#offset, this.#offset + length)
    this.#offset += bytes.length
    return ok(bytes)
  }

  write(bytes: Uint8Array): SysResult<number> {
    if (!mayWrite(this.flags)) return fail('EBADF')
    const write = this.#leaf.file.write
    if (!write) return fail('EIO')
    if (bytes.length === 0) return ok(0)
    const done = write.call(this.#leaf.file, this.#host, decodeUtf8(bytes))
    return done.ok ? ok(bytes.length) : done
  }

  poll(): number {
    return POLLIN | POLLOUT
  }

  seek(offset: number, whence: 'SET' | 'CUR' | 'END'): SysResult<number> {
    const to = whence === 'CUR' ? this.#offset + offset : offset
    if (whence === 'END' || to < 0) return fail('EINVAL')
    this.#offset = to
    return ok(to)
  }
}

/** A directory: fixed entries, and those that `dynamic` finds out. */
export class PseudoFolder extends Node {
  readonly type = 'directory'
  readonly path: string
  readonly entries = new Map<string, Node>()
  mode = 0o555
  dynamic: PseudoDirectory | undefined

  constructor(path: string, dynamic?: PseudoDirectory) {
    super()
    this.path = path
    this.dynamic = dynamic
  }

  override stat(host: KernelHost): Stat {
    return pseudoStat('directory', this.mode, this.path, host)
  }

  override lookup(host: KernelHost, name: string): Node | undefined {
    const fixed = this.entries.get(name)
    if (fixed) {
      // Devices as the namespace has them in which /sys was mounted.
      const netns = name === 'net' && this.path.startsWith('/sys/') ? mountsOf(host)?.sysNetns : undefined
      return netns ? inNetns(fixed, host, netns) : fixed
    }
    const found = this.dynamic?.lookup(host, name)
    return found && asNode(found, `${this.path}/${name}`)
  }

  override list(host: KernelHost): string[] {
    const names = [...this.entries.keys()]
    if (this.dynamic) {
      for (const name of this.dynamic.list(host)) if (!this.entries.has(name)) names.push(name)
    }
    return names
  }

  override open(host: KernelHost, flags: number, path: string): SysResult<OpenFile> {
    if ((flags & O_ACCMODE) !== O_RDONLY) return fail('EISDIR')
    return ok(new PseudoDirectoryFile(host, this, flags, path))
  }

  /** The folder at names below this one, made if it isn't there. */
  folder(names: string[]): PseudoFolder {
    let at: PseudoFolder = this
    for (const name of names) {
      let next = at.entries.get(name)
      if (!(next instanceof PseudoFolder)) {
        next = new PseudoFolder(`${at.path}/${name}`)
        at.entries.set(name, next)
      }
      at = next as PseudoFolder
    }
    return at
  }
}

class PseudoDirectoryFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly #host: KernelHost
  readonly #node: Node

  constructor(host: KernelHost, node: Node, flags: number, path: string) {
    this.#host = host
    this.#node = node
    this.flags = flags
    this.description = path
  }

  stat(): Stat {
    return this.#node.stat(this.#host)
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

export class PseudoLink extends Node {
  readonly type = 'symlink'
  mode = 0o777
  readonly target: string | ((host: KernelHost) => string)
  readonly path: string
  readonly to: ((host: KernelHost) => Node | undefined) | undefined

  constructor(
    target: string | ((host: KernelHost) => string),
    path: string,
    to?: (host: KernelHost) => Node | undefined,
  ) {
    super()
    this.target = target
    this.path = path
    this.to = to
  }

  override stat(host: KernelHost): Stat {
    return pseudoStat('symlink', this.mode, this.path, host)
  }

  override readlink(host: KernelHost): string {
    return typeof this.target === 'string' ? this.target : this.target(host)
  }

  override jump(host: KernelHost): Node | undefined {
    return this.to?.(host)
  }
}

function asNode(node: PseudoNode | Node, path: string): Node {
  if (node instanceof Node) return node
  if (node.kind === 'file') return new PseudoLeaf(node.file, path)
  if (node.kind === 'directory') return new PseudoFolder(path, node.directory)
  return new PseudoLink(node.target, path)
}

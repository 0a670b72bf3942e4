/** The image: the slots that rooms fill, and the tree that every host's disk begins with. */
import { encodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { baseTree } from './base-tree.ts'
import { programBytes } from './exec.ts'
import type { Host } from './host.ts'
import type {
  KernelImage,
  NetlinkHandler,
  Program,
  PseudoDirectory,
  PseudoFile,
  Room,
  SocketFamily,
  Sysctl,
} from './image.ts'
import { Inode, sharedInode } from './inode.ts'
import { installProc } from './proc.ts'
import { PseudoFolder, PseudoLeaf } from './pseudo.ts'
import { SysctlFolder } from './sysctl.ts'
import { installSysctls } from './sysctls.ts'

export interface ImageOptions {
  /** `6.1.0-56-amd64`, as `uname -r` prints it. */
  release: string
  /** As `uname -v` prints it. */
  version?: string
  /** `linux-6.1`. */
  profile: string
  /** What the files of one host may take. */
  diskBytes?: number
}

export class Image implements KernelImage {
  readonly release: string
  readonly version: string
  readonly profile: string
  readonly profiles = new Set<string>()
  readonly diskBytes: number
  readonly root: Inode
  readonly procRoot = new PseudoFolder('/proc')
  readonly sysRoot = new PseudoFolder('/sys')
  /** /proc/net leads through /proc/self/net to here. */
  readonly netRoot = new PseudoFolder('/proc/net')
  readonly sysctls = new SysctlFolder('/proc/sys')
  readonly programs = new Map<string, Program>()
  readonly families = new Map<string, SocketFamily>()
  readonly netlinkHandlers = new Map<string, NetlinkHandler>()
  readonly bootHooks: ((host: Host) => void)[] = []
  readonly powerOffHooks: ((host: Host) => void)[] = []
  readonly netnsHooks: ((netns: Host) => void)[] = []
  readonly netnsEndHooks: ((netns: Host) => void)[] = []
  readonly rooms = new Set<string>()
  readonly #slots = new Map<string, unknown>()

  constructor(options: ImageOptions) {
    this.release = options.release
    this.version = options.version ?? '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)'
    this.profile = options.profile
    this.diskBytes = options.diskBytes ?? 64 << 20
    this.root = baseTree(this.procRoot, this.sysRoot)
    this.procRoot.entries.set('sys', this.sysctls)
    installProc(this)
    installSysctls(this)
  }

  /** /proc/version, and dmesg's first line. */
  get banner(): string {
    const compiler = 'gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40'
    return `Linux version ${this.release} (debian-kernel@lists.debian.org) (${compiler}) ${this.version}`
  }

  get commandLine(): string {
    return `BOOT_IMAGE=/boot/vmlinuz-${this.release} root=/dev/vda1 ro quiet`
  }

  /** Installs a room, once. */
  install(room: Room): void {
    if (this.rooms.has(room.name)) return
    for (const need of room.needs) assert(this.rooms.has(need), `${room.name} needs ${need}, which isn't installed`)
    this.rooms.add(room.name)
    room.install(this)
  }

  program(program: Program): void {
    assert(!this.programs.has(program.name), `two programs are called ${program.name}`)
    this.programs.set(program.name, program)
    for (const path of program.paths) this.#put(path, programBytes(program.name), 0o755)
  }

  proc(path: string, file: PseudoFile): void {
    const { folder, name } = this.#pseudo(path)
    folder.entries.set(name, new PseudoLeaf(file, path))
  }

  procDirectory(path: string, directory: PseudoDirectory): void {
    const { folder, name } = this.#pseudo(path)
    folder.folder([name]).dynamic = directory
  }

  sysctl(sysctl: Sysctl): void {
    this.sysctls.add(sysctl)
  }

  socketFamily(domain: string, family: SocketFamily): void {
    this.families.set(domain, family)
  }

  netlink(type: string, handler: NetlinkHandler): void {
    this.netlinkHandlers.set(type, handler)
  }

  file(path: string, content: string, mode = 0o644): void {
    this.#put(path, encodeUtf8(content), mode)
  }

  onBoot(run: (host: Host) => void): void {
    this.bootHooks.push(run)
  }

  onNetns(run: (netns: Host) => void): void {
    this.netnsHooks.push(run)
  }

  onNetnsEnd(run: (netns: Host) => void): void {
    this.netnsEndHooks.push(run)
  }

  onPowerOff(run: (host: Host) => void): void {
    this.powerOffHooks.push(run)
  }

  slot<T>(name: string, create: () => T): T {
    let slot = this.#slots.get(name) as T | undefined
    if (slot === undefined) {
      slot = create()
      this.#slots.set(name, slot)
    }
    return slot
  }

  #put(path: string, content: Uint8Array, mode: number): void {
    const names = path.split('/').filter((name) => name !== '')
    const last = names.pop()
    assert(path.startsWith('/') && last, `${path} is no path of a file`)
    let at = this.root
    for (const name of names) at = directoryIn(this.root, at, name)
    const inode = sharedInode('file', mode, at.device)
    inode.mtimeNs = at.mtimeNs
    inode.data = content
    inode.size = content.length
    at.entries!.set(last, inode)
  }

  #pseudo(path: string): { folder: PseudoFolder; name: string } {
    const [top, ...names] = path.split('/').filter((name) => name !== '')
    const name = names.pop()
    assert((top === 'proc' || top === 'sys') && name, `${path} is not below /proc or /sys`)
    if (top === 'proc' && names[0] === 'net') return { folder: this.netRoot.folder(names.slice(1)), name }
    return { folder: (top === 'proc' ? this.procRoot : this.sysRoot).folder(names), name }
  }
}

/** The directory of that name, through a link of the top level (/bin), made if it isn't there. */
function directoryIn(root: Inode, at: Inode, name: string): Inode {
  let next = at.entries!.get(name)
  if (next instanceof Inode && next.type === 'symlink') {
    let to = next.target.startsWith('/') ? root : at
    for (const part of next.target.split('/').filter((one) => one !== '')) to = directoryIn(root, to, part)
    return to
  }
  if (!(next instanceof Inode) || next.type !== 'directory') {
    assert(next === undefined, `${name} is no directory`)
    next = sharedInode('directory', 0o755, at.device)
    ;(next as Inode).mtimeNs = at.mtimeNs
    at.entries!.set(name, next)
  }
  return next as Inode
}

/** An image without rooms: the kernel's core, and a disk without programs. */
export function createImage(options: ImageOptions): Image {
  return new Image(options)
}

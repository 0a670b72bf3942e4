/**
 * Network namespaces. One is a Host to everything in the kernel's network: what a room keeps with `defineState` it keeps once
 * for each, and the rest (clock, log, image, disk) is the machine's. It lives while it has a name, a process, a socket or an
 * open descriptor; then its devices go, and its states with it.
 *
 *     const blue = createNetns(host, 'blue')
 *     netState.of(blue) // a network of its own, with a loopback device that is down
 *
 * Linux 6.1 net/core/net_namespace.c: copy_net_ns(), cleanup_net(); fs/nsfs.c.
 */
import type { SysResult } from './errno.ts'
import { fail, ok } from './errno.ts'
import type { OpenFile, Stat } from './file.ts'
import { defineState, type Host } from './host.ts'
import type { KernelHost } from './kernel.ts'
import { Node } from './node.ts'
import { NEVER_WOKEN } from './wait.ts'

/** The inode numbers of what a machine boots with. Linux 6.1 include/linux/proc_ns.h, and the first of the dynamic ones. */
export const INITIAL_NAMESPACES: Readonly<Record<string, number>> = {
  cgroup: 4026531835,
  ipc: 4026531839,
  mnt: 4026531841,
  net: 4026531840,
  pid: 4026531836,
  pid_for_children: 4026531836,
  time: 4026531834,
  time_for_children: 4026531834,
  user: 4026531837,
  uts: 4026531838,
}

/** /proc's generated entries take numbers of the same sequence, a namespace's own ones too. */
const FIRST_INODE = 4026532208
const INODES_EACH = 68

class Namespaces {
  readonly live = new Set<Netns>()
  #next = FIRST_INODE
  made = 0

  newInode(): number {
    const inode = this.#next
    this.#next += INODES_EACH
    return inode
  }
}

const namespaces = defineState(() => new Namespaces(), { per: 'machine' })

/** The number of another namespace of a machine. */
export function newNamespaceInode(host: Host): number {
  return namespaces.of(host).newInode()
}

export class Netns implements Host {
  readonly base: KernelHost
  /** The machine's name and its own: `web1/blue`. */
  name: string
  /** As /proc/PID/ns/net shows it. */
  readonly inode: number
  states: unknown[] = []
  /** Names, processes, sockets and descriptors that keep it. */
  references = 0
  ended = false
  /** Whether its name was chosen, and isn't a number. */
  named: boolean

  constructor(base: KernelHost, name?: string) {
    const all = namespaces.of(base)
    this.base = base
    this.named = name !== undefined
    this.name = `${base.name}/${name ?? `netns${++all.made}`}`
    this.inode = all.newInode()
    all.live.add(this)
    for (const run of base.image.netnsHooks) run(this)
  }

  get number(): number {
    return this.base.number
  }

  get sim() {
    return this.base.sim
  }

  get image() {
    return this.base.image
  }

  get bootedNs(): number {
    return this.base.bootedNs
  }

  get startS(): number {
    return this.base.startS
  }

  get hardware() {
    return this.base.hardware
  }

  get profile(): string {
    return this.base.profile
  }

  get up(): boolean {
    return this.base.up && !this.ended
  }

  log(level: number, text: string): void {
    this.base.log(level, text)
  }

  /** A path was bound to it: the last part of the first one is its name from now on. */
  nameAfter(path: string): void {
    if (this.named) return
    this.named = true
    this.name = `${this.base.name}/${path.slice(path.lastIndexOf('/') + 1)}`
  }

  /** Its devices go where they belong, then everything of its own is forgotten. cleanup_net(). */
  end(): void {
    if (this.ended) return
    for (const run of this.image.netnsEndHooks) run(this)
    this.ended = true
    for (const run of this.image.powerOffHooks) run(this)
    this.states = []
    namespaces.of(this.base).live.delete(this)
  }

  /** The machine's power goes. */
  powerOff(): void {
    this.ended = true
    for (const run of this.image.powerOffHooks) run(this)
    this.states = []
  }
}

/** Makes a network namespace on a machine; `name` is for whoever looks at it, `ip netns` finds it by a file. */
export function createNetns(host: Host, name?: string): Netns {
  return new Netns((host.base ?? host) as KernelHost, name)
}

/** A machine's namespaces besides the initial one, the oldest first. */
export function netnsesOf(host: Host): Netns[] {
  return [...(namespaces.peek(host)?.live ?? [])]
}

/** Its inode number, as in `net:[4026531840]`. */
export function netnsInode(host: Host): number {
  return host instanceof Netns ? host.inode : INITIAL_NAMESPACES.net!
}

/** One more that keeps it. The initial one needs nobody. */
export function holdNetns(host: Host): void {
  if (host instanceof Netns) host.references++
}

/** One fewer; after the last it ends, once what runs at this moment has run. */
export function dropNetns(host: Host): void {
  if (!(host instanceof Netns) || --host.references > 0 || host.ended) return
  host.sim.at(host.sim.nowNs, `${host.name}: cleanup_net`, () => {
    if (host.references === 0) host.end()
  })
}

/** A socket keeps the namespace that it was made in. */
export function keepsNetns(file: OpenFile, netns: Host): void {
  if (!(netns instanceof Netns)) return
  file.netns = netns
  holdNetns(netns)
}

/** What /proc/PID/ns/net leads to, and what a name below /run/netns is bound to. */
export class NetnsNode extends Node {
  readonly type = 'file'
  readonly netns: Host

  constructor(netns: Host) {
    super()
    this.netns = netns
  }

  override stat(host: KernelHost): Stat {
    const inode = netnsInode(this.netns)
    return { type: 'file', mode: 0o444, size: 0, inode, links: 1, uid: 0, gid: 0, mtimeNs: host.sim.nowNs }
  }

  override open(_host: KernelHost, flags: number): SysResult<OpenFile> {
    return (flags & 3) === 0 ? ok(new NetnsFile(this.netns, flags)) : fail('EPERM')
  }
}

/** A descriptor of a namespace, for setns(2) and rtnetlink. */
export class NetnsFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly namespace: Host

  constructor(namespace: Host, flags: number) {
    this.namespace = namespace
    this.flags = flags
    this.description = `net:[${netnsInode(namespace)}]`
    holdNetns(namespace)
  }

  stat(): Stat {
    const inode = netnsInode(this.namespace)
    return { type: 'file', mode: 0o444, size: 0, inode, links: 1, uid: 0, gid: 0, mtimeNs: this.namespace.sim.nowNs }
  }

  read(): SysResult<Uint8Array> {
    return fail('EINVAL')
  }

  write(): SysResult<number> {
    return fail('EBADF')
  }

  poll(): number {
    return 5
  }

  release(): void {
    dropNetns(this.namespace)
  }
}

/**
 * The namespace that a request names by a descriptor of the calling process, or by a process.
 * Linux 6.1 net/core/net_namespace.c: get_net_ns_by_fd(), get_net_ns_by_pid().
 */
export function netnsByReference(host: Host, reference: { fd?: number; pid?: number }): SysResult<Host> {
  const machine = ((host.base ?? host) as KernelHost).runningMachine
  if (reference.fd !== undefined) {
    const file = machine?.current?.file(reference.fd)
    if (!file) return fail('EBADF')
    return file instanceof NetnsFile ? ok(file.namespace) : fail('EINVAL')
  }
  const process = machine?.processes.get(reference.pid ?? 0)
  return process && !process.ended ? ok(process.netns) : fail('ESRCH')
}

/** The calling process's namespace; the machine's initial one if nobody calls. */
export function callersNetns(host: KernelHost): Host {
  return host.runningMachine?.current?.netns ?? host
}

/** A tree of /proc or /sys as another namespace has it. */
export class NetnsView extends Node {
  readonly #node: Node
  readonly #netns: KernelHost

  constructor(node: Node, netns: Host) {
    super()
    this.#node = node
    // What is below looks at nothing but the network's states.
    this.#netns = netns as KernelHost
  }

  get type() {
    return this.#node.type
  }

  override stat(): Stat {
    return this.#node.stat(this.#netns)
  }

  override lookup(_host: KernelHost, name: string): Node | undefined {
    const found = this.#node.lookup(this.#netns, name)
    return found && new NetnsView(found, this.#netns)
  }

  override list(): string[] {
    return this.#node.list(this.#netns)
  }

  override readlink(): string {
    return this.#node.readlink(this.#netns)
  }

  override open(_host: KernelHost, flags: number, path: string): SysResult<OpenFile> {
    return this.#node.open(this.#netns, flags, path)
  }
}

/** A node as a namespace has it. */
export function inNetns(node: Node, host: KernelHost, netns: Host): Node {
  return netns === host ? node : new NetnsView(node, netns)
}

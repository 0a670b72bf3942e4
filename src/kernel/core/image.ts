/**
 * A kernel image and its userland: what all hosts that boot it share. A room installs itself once per image, into slots:
 * programs, /proc and /sys files, sysctls, socket families, netlink handlers. What is a host's own is its state, made
 * when first asked for; so that ten thousand idle hosts cost little.
 *
 *     export const arpTables = defineState((host) => new ArpTables(host))
 *     export const net: Room = {
 *       name: 'kernel/net',
 *       needs: [],
 *       install(image) {
 *         image.proc('/proc/net/arp', { read: (host) => printArp(arpTables.of(host)) })
 *         image.sysctl({ name: 'net.ipv4.ip_forward', ... })
 *         image.program({ name: 'arp', paths: ['/usr/sbin/arp'], main: arp })
 *       },
 *     }
 */
import type { Errno, SysResult } from './errno.ts'
import type { OpenFile } from './file.ts'
import type { Host } from './host.ts'
import type { Node } from './node.ts'
import type { Sys } from './sys.ts'
import type { Body } from './wait.ts'

/** A program on disk: `main` runs as a process; its value is the exit status. */
export interface Program {
  /** argv[0] by custom, and the process's comm. */
  name: string
  /** Where it is found: ['/usr/bin/ip', '/usr/sbin/ip']. /bin and /sbin are links to /usr/bin and /usr/sbin, as on Debian 12. */
  paths: string[]
  main(sys: Sys, argv: string[]): Body<number>
}

/** A generated file of /proc or /sys. */
export interface PseudoFile {
  /** The whole content at this moment. */
  read?(host: Host): string
  /** Takes what was written, whole. */
  write?(host: Host, text: string): SysResult<void>
  /** Permission bits; 0444, or 0644 with `write`, by default. */
  mode?: number
}

/** A directory of /proc or /sys whose entries are found out when asked, such as /sys/class/net. */
export interface PseudoDirectory {
  list(host: Host): string[]
  /** A file, a directory, a symlink, or undefined if there is none of that name. */
  lookup(host: Host, name: string): PseudoNode | undefined
}

export type PseudoNode =
  | Node
  | { kind: 'file'; file: PseudoFile }
  | { kind: 'directory'; directory: PseudoDirectory }
  | { kind: 'symlink'; target: string }

/**
 * A sysctl, or a family of them: a name segment may be `*` (net.ipv4.conf.*.arp_ignore), and `list` says which names
 * stand there on a host. Values are what /proc/sys shows, without the newline.
 */
export interface Sysctl {
  name: string
  /** The names that `*` stands for on a host, in the kernel's order. */
  list?(host: Host): string[]
  /** @param instance what `*` stands for, if the name has one */
  get(host: Host, instance: string): string
  /** Absent: read only. */
  set?(host: Host, instance: string, value: string): SysResult<void> | { ok: false; errno: Errno }
  mode?: number
}

/** socket(2) for one family. protocol is the number given. */
export type SocketFamily = (host: Host, type: string, protocol: number) => SysResult<OpenFile>

/** Answers one type of rtnetlink-like message; the messages' types are the room's that installs it. */
export type NetlinkHandler = (host: Host, message: unknown) => NetlinkAnswer

export type NetlinkAnswer =
  | { ok: true; messages: unknown[] }
  /** extack: the kernel's extended error text, as `ip` prints it after "Error: ". */
  | { ok: false; errno: Errno; extack?: string }

/** A room of kernel, user or cluster that a host can have. */
export interface Room {
  name: string
  /** Other optional rooms that it needs. */
  needs: string[]
  install(image: KernelImage): void
}

export interface KernelImage {
  /** `6.1.0-56-amd64`, as uname -r prints it. */
  readonly release: string
  /** `linux-6.1`: what a host boots that doesn't say. */
  readonly profile: string
  /** Other kernels whose ways some room models: that room says in its README how far. */
  readonly profiles: Set<string>
  /** Installs a room, once; what it needs must have been installed before. */
  install(room: Room): void
  program(program: Program): void
  /** Adds a file at a fixed path below /proc or /sys. */
  proc(path: string, file: PseudoFile): void
  /** Adds a directory whose entries are found out when asked. */
  procDirectory(path: string, directory: PseudoDirectory): void
  sysctl(sysctl: Sysctl): void
  socketFamily(domain: string, family: SocketFamily): void
  netlink(type: string, handler: NetlinkHandler): void
  /** Adds a file to the disk that every host begins with; shared until a host writes it. */
  file(path: string, content: string, mode?: number): void
  /** Something to do when a host boots, in the order of installing. */
  onBoot(run: (host: Host) => void): void
  /** Something to do in each new network namespace, in the order of installing. */
  onNetns(run: (netns: Host) => void): void
  /** Something to do when nobody needs a network namespace any more, before its states are forgotten. */
  onNetnsEnd(run: (netns: Host) => void): void
  /** Something to do when a host loses its power; and last of all when a network namespace ends, which is the host then. */
  onPowerOff(run: (host: Host) => void): void
  /** A table of a room's own that others add to (packet hooks, elevators, tool families); made by the first who asks. */
  slot<T>(name: string, create: () => T): T
}

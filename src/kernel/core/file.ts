/** Open files: what a file descriptor refers to. Linux 6.1 include/linux/fs.h: struct file, struct file_operations. */
import type { SysResult } from './errno.ts'
import type { Host } from './host.ts'
import type { WaitQueue } from './wait.ts'

export const POLLIN = 0x001
export const POLLPRI = 0x002
export const POLLOUT = 0x004
export const POLLERR = 0x008
export const POLLHUP = 0x010
export const POLLNVAL = 0x020
export const POLLRDHUP = 0x2000

/**
 * One open file description, shared by the descriptors that `dup` or `fork` made. read and write never block: they
 * answer EAGAIN, and `Sys` waits on `queue` (unless O_NONBLOCK) and tries again.
 */
export interface OpenFile {
  /** open(2)'s flags. */
  flags: number
  /** How many descriptors refer to it. */
  references: number
  /** What stat says of it. */
  stat(): Stat
  /** Up to length bytes; an empty array at the end of the file. */
  read(length: number): SysResult<Uint8Array>
  /** How many bytes were taken. */
  write(bytes: Uint8Array): SysResult<number>
  /** POLLIN and the like, as they stand. */
  poll(): number
  /** Woken when what poll says may have changed. */
  readonly queue: WaitQueue
  seek?(offset: number, whence: 'SET' | 'CUR' | 'END'): SysResult<number>
  truncate?(length: number): SysResult<void>
  ioctl?(request: string, argument: unknown): SysResult<unknown>
  /** Called when the last descriptor is closed. */
  release?(): void
  /** A name for /proc/PID/fd, such as `pipe:[1234]`, `/etc/hosts`, `socket:[77]`. */
  readonly description: string
  /** The network namespace that it keeps alive; absent if it is the initial one, or none. */
  netns?: Host
  /** Set if it is a socket. */
  readonly socket?: Socket
  /** SO_RCVTIMEO and SO_SNDTIMEO; `Sys` keeps and obeys them. */
  receiveTimeoutNs?: number
  sendTimeoutNs?: number
}

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'char' | 'block' | 'socket'

export interface Stat {
  type: FileType
  /** The permission bits. */
  mode: number
  size: number
  inode: number
  links: number
  uid: number
  gid: number
  /** Nanoseconds since the lab began; may be negative for what was there before. */
  mtimeNs: number
  /** major, minor of a device node. */
  rdev?: [number, number]
}

export type SockAddr =
  | { family: 'AF_UNSPEC' }
  /** address: 32 bits, host order, unsigned. */
  | { family: 'AF_INET'; address: number; port: number }
  | { family: 'AF_INET6'; address: Uint8Array; port: number; scopeId: number }
  | { family: 'AF_UNIX'; path: string }
  /** protocol: an EtherType (ETH_P_ALL is 3); packetType: PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. */
  | { family: 'AF_PACKET'; protocol: number; ifindex: number; hatype: number; packetType: number; address: Uint8Array }

export interface Received {
  bytes: Uint8Array
  /** The length before it was cut to the reader's buffer (MSG_TRUNC). */
  length: number
  from: SockAddr
  /** When the kernel took it in, ns since the lab began (SO_TIMESTAMPNS). */
  timeNs: number
  /** Control messages, by name: IP_TTL, IP_RECVERR (with its sock_extended_err), IP_PKTINFO, PACKET_AUXDATA ... */
  control: Record<string, unknown>
}

/** Who makes a call: what a family that knows files and credentials asks. */
export interface Caller {
  readonly pid: number
  readonly cwd: string
  readonly umask: number
  readonly machine: { readonly host: Host }
}

/** A socket as the kernel's families give it. Nothing here blocks: EAGAIN, and wait on the file's queue. */
export interface Socket {
  readonly domain: string
  readonly type: string
  bind(address: SockAddr, caller?: Caller): SysResult<void>
  /** EINPROGRESS if it will take time; EAGAIN if it is to be tried again when the file's queue wakes. */
  connect(address: SockAddr, caller?: Caller): SysResult<void>
  /** socketpair(2): joined with another one that is as new. */
  pair?(other: Socket, caller: Caller): SysResult<void>
  listen?(backlog: number, caller?: Caller): SysResult<void>
  accept?(): SysResult<{ file: OpenFile; from: SockAddr }>
  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags, caller?: Caller): SysResult<number>
  receive(length: number, flags: MessageFlags): SysResult<Received>
  shutdown?(how: 'RD' | 'WR' | 'RDWR'): SysResult<void>
  localName(): SysResult<SockAddr>
  peerName(): SysResult<SockAddr>
  /** Names are the C ones: 'SO_BROADCAST', 'IP_TTL', 'SO_BINDTODEVICE' ... */
  setOption(level: string, name: string, value: unknown): SysResult<void>
  /** SO_ERROR is given as an Errno, or undefined; reading it clears it. */
  getOption(level: string, name: string): SysResult<unknown>
}

export interface MessageFlags {
  dontWait?: boolean
  peek?: boolean
  errorQueue?: boolean
  /** MSG_OOB: urgent data. */
  oob?: boolean
  /** MSG_TRUNC: a TCP socket throws away what it would give. */
  trunc?: boolean
  /** MSG_MORE: more comes, don't send what isn't full. */
  more?: boolean
  dontRoute?: boolean
  confirm?: boolean
  /** MSG_NOSIGNAL. */
  noSignal?: boolean
  /** SCM_RIGHTS: descriptors to give along; `files` is what `Sys` makes of them. */
  rights?: number[]
  files?: OpenFile[]
}

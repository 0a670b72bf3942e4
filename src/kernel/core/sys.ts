/**
 * System calls, as a program sees them. What may block is a Body (`yield*` it); the rest answers at once. Time passes
 * only while blocked. Paths may be relative to the working directory.
 */
import type { SysResult } from './errno.ts'
import type { MessageFlags, OpenFile, Received, SockAddr, Stat } from './file.ts'
import type { NetlinkAnswer } from './image.ts'
import type { Signal } from './signal.ts'
import type { Body, Wait } from './wait.ts'

export type SpawnBody = (sys: Sys) => Body<number>

export interface PollEntry {
  fd: number
  /** POLLIN | POLLOUT. */
  events: number
}

export interface WaitStatus {
  pid: number
  /** Set if it exited. */
  exit?: number
  /** Set if a signal ended it. */
  signal?: Signal
  /** Set if it was stopped (WUNTRACED) or went on (WCONTINUED). */
  stopped?: Signal
  continued?: boolean
}

export interface TerminalSize {
  columns: number
  rows: number
}

export interface SigactionOptions {
  /** SA_RESTART: a call that blocked goes on after the handler instead of answering EINTR. */
  restart?: boolean
}

export interface Sys {
  readonly pid: number
  readonly ppid: number
  /** The process's own; a child begins with a copy. */
  readonly env: Map<string, string>
  readonly hostname: string

  // Time.
  /** CLOCK_MONOTONIC: ns since the host's boot. */
  monotonicNs(): number
  /** CLOCK_REALTIME, as seconds since the epoch and nanoseconds. */
  realtime(): { s: number; ns: number }
  /** Nanoseconds since the lab began, whatever has been rebooted since: what `Stat.mtimeNs` and `utimes` count. */
  labNs(): number
  clockSettime(s: number, ns: number): SysResult<void>
  /** adjtimex(2); the fields are `Timex` of #kernel/time. */
  adjtimex(timex: object): SysResult<{ state: number; timex: object }>
  sleep(ns: number): Body<SysResult<void>>
  /** Spends CPU time: virtual time passes, and the process is not idle. */
  compute(ns: number): Body<void>
  /** User and system CPU time of this process and of its children that were waited for, in ns. */
  times(): { user: number; system: number; childUser: number; childSystem: number }
  /** SIGALRM once (setitimer ITIMER_REAL), and every intervalNs after; 0 calls it off. */
  setitimer(valueNs: number, intervalNs: number): void

  // Files.
  open(path: string, flags?: number, mode?: number): Body<SysResult<number>>
  close(fd: number): SysResult<void>
  read(fd: number, length: number): Body<SysResult<Uint8Array>>
  /** Takes all of it, blocking as often as needed (unless O_NONBLOCK); EPIPE comes with SIGPIPE. */
  write(fd: number, bytes: Uint8Array): Body<SysResult<number>>
  seek(fd: number, offset: number, whence: 'SET' | 'CUR' | 'END'): SysResult<number>
  truncate(fd: number, length: number): SysResult<void>
  /**
   * The indexes of poll(2)'s ready entries with revents; empty on time-out. timeoutNs: Infinity to wait for ever.
   * slackNs: 0 for a program whose time-out is a timerfd among the entries; else what the kernel allows itself.
   */
  poll(entries: PollEntry[], timeoutNs: number, slackNs?: number): Body<SysResult<{ fd: number; revents: number }[]>>
  /** epoll(7). `events` also takes EPOLLET and EPOLLONESHOT; `data` is the program's own. */
  epollCreate(): SysResult<number>
  epollCtl(epfd: number, op: 'ADD' | 'MOD' | 'DEL', fd: number, events?: number, data?: unknown): SysResult<void>
  /** Up to `max` of what is ready; none on time-out. */
  epollWait(epfd: number, max: number, timeoutNs: number): Body<SysResult<{ data: unknown; events: number }[]>>
  /** eventfd(2): a counter; reads and writes are of 8 bytes. */
  eventfd(value: number, semaphore?: boolean): SysResult<number>
  /** timerfd_create(2), on the monotonic clock. */
  timerfdCreate(): SysResult<number>
  /** Counts from now; 0 disarms. */
  timerfdSettime(fd: number, valueNs: number, intervalNs: number): SysResult<void>
  dup(fd: number): SysResult<number>
  /** At or above `least`. */
  dupAbove(fd: number, least: number): SysResult<number>
  dup2(fd: number, onto: number): SysResult<number>
  setCloseOnExec(fd: number, on: boolean): SysResult<void>
  /** O_NONBLOCK on or off. */
  setNonBlocking(fd: number, on: boolean): SysResult<void>
  pipe(): SysResult<{ read: number; write: number }>
  fstat(fd: number): SysResult<Stat>
  stat(path: string): SysResult<Stat>
  lstat(path: string): SysResult<Stat>
  readdir(path: string): SysResult<string[]>
  readlink(path: string): SysResult<string>
  realpath(path: string): SysResult<string>
  access(path: string, mode: 'r' | 'w' | 'x' | 'exists'): SysResult<void>
  mkdir(path: string, mode?: number): SysResult<void>
  rmdir(path: string): SysResult<void>
  unlink(path: string): SysResult<void>
  rename(from: string, to: string): SysResult<void>
  link(from: string, to: string): SysResult<void>
  symlink(target: string, path: string): SysResult<void>
  mkfifo(path: string, mode?: number): SysResult<void>
  chmod(path: string, mode: number): SysResult<void>
  utimes(path: string, mtimeNs: number): SysResult<void>
  chdir(path: string): SysResult<void>
  getcwd(): string
  umask(mask?: number): number
  /**
   * mount(2): MS_BIND, or a fresh sysfs, which shows the devices of the caller's network namespace. Nothing is said of how
   * mounts are shared: a new mount namespace sees those of the one that it came from, and keeps its own to itself.
   */
  mount(source: string, target: string, type: 'bind' | 'sysfs'): SysResult<void>
  umount(target: string): SysResult<void>
  /** Leaves a namespace for a new one: the network's, or the mounts'. */
  unshare(...flags: ('CLONE_NEWNET' | 'CLONE_NEWNS')[]): SysResult<void>
  /** Enters the namespace that a descriptor of /proc/PID/ns/net or /run/netns/NAME stands for. */
  setns(fd: number): SysResult<void>
  isatty(fd: number): boolean
  /** Undefined unless a terminal. */
  terminalSize(fd: number): TerminalSize | undefined
  ioctl(fd: number, request: string, argument: unknown): SysResult<unknown>
  /** The open files, for /proc-like looks (lsof, ls /proc/self/fd). */
  descriptors(): { fd: number; file: OpenFile }[]

  // Processes.
  /** A child that runs `body` with copies of everything (fork(2), with the rest of the child given as a body). */
  fork(body: SpawnBody): number
  /** Finds the program (no PATH search) and runs it in place of this one: `return yield* sys.exec(...)`. */
  exec(path: string, argv: string[]): Body<SysResult<never> | { ok: true; value: number }>
  /** Ends the process here and now. */
  exit(status: number): never
  /** pid -1: any child; -pgid: of that group. Undefined with noHang if none has changed. */
  waitpid(
    pid: number,
    options?: { noHang?: boolean; untraced?: boolean; continued?: boolean },
  ): Body<SysResult<WaitStatus | undefined>>
  /** pid < 0: a process group. signal 0 only asks. */
  kill(pid: number, signal: Signal | 0): SysResult<void>
  /** A handler runs when the process next runs; a call that blocked answers EINTR. */
  sigaction(signal: Signal, action: 'default' | 'ignore' | (() => void), options?: SigactionOptions): SysResult<void>
  /** What is blocked stays pending. Returns what was blocked before. */
  sigprocmask(how: 'block' | 'unblock' | 'set', signals: Signal[]): Signal[]
  getpgid(): number
  getsid(): number
  setpgid(pid: number, pgid: number): SysResult<void>
  setsid(): SysResult<number>
  /** The foreground group of the controlling terminal. */
  tcsetpgrp(pgid: number): SysResult<void>
  tcgetpgrp(): number
  /** The name of the running program (comm), and what /proc/PID/cmdline says. */
  setName(name: string, argv: string[]): void

  // Sockets. domain: 'AF_INET' ...; type: 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW'.
  socket(domain: string, type: string, protocol: number): SysResult<number>
  socketpair(domain: string, type: string, protocol: number): SysResult<[number, number]>
  bind(fd: number, address: SockAddr): SysResult<void>
  connect(fd: number, address: SockAddr): Body<SysResult<void>>
  listen(fd: number, backlog: number): SysResult<void>
  accept(fd: number): Body<SysResult<{ fd: number; from: SockAddr }>>
  sendTo(fd: number, bytes: Uint8Array, to?: SockAddr, flags?: MessageFlags): Body<SysResult<number>>
  receive(fd: number, length: number, flags?: MessageFlags): Body<SysResult<Received>>
  shutdown(fd: number, how: 'RD' | 'WR' | 'RDWR'): SysResult<void>
  getsockname(fd: number): SysResult<SockAddr>
  getpeername(fd: number): SysResult<SockAddr>
  setsockopt(fd: number, level: string, name: string, value: unknown): SysResult<void>
  getsockopt(fd: number, level: string, name: string): SysResult<unknown>

  /** One rtnetlink-like request and its answers (#kernel/net has the messages' types). */
  netlink(message: { type: string }): NetlinkAnswer

  /** Blocks on anything; for rooms that build calls of their own. */
  wait(wait: Wait): Body<'woken' | 'timeout' | 'signal'>
  /** getrandom(2). */
  getrandom(length: number): Uint8Array
  uname(): { sysname: string; nodename: string; release: string; version: string; machine: string }
  sethostname(name: string): SysResult<void>
  /** The kernel's log, for dmesg. */
  klog(): { timeNs: number; level: number; text: string }[]
}

// open(2)'s flags on x86_64. Linux 6.1 include/uapi/asm-generic/fcntl.h.
export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_DIRECTORY = 0o200000
export const O_CLOEXEC = 0o2000000
export const O_ACCMODE = 3

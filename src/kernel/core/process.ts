/** A process: what it owns, how it blocks and wakes, and what signals do to it. Linux 6.1 kernel/signal.c, kernel/exit.c. */
import type { Target, Timer } from '#base/sim'
import type { OpenFile } from './file.ts'
import type { Host } from './host.ts'
import type { Machine } from './machine.ts'
import type { Mounts } from './mounts.ts'
import { dropNetns } from './netns.ts'
import { SIGNALS, type Signal } from './signal.ts'
import { type DefaultAction, defaultAction } from './signal-defaults.ts'
import type { WaitStatus } from './sys.ts'
import type { Terminal } from './terminal.ts'
import { type Body, type Wait, type Waiter, WaitQueue } from './wait.ts'

/** setsid(2)'s: the leader's pid, and the controlling terminal. */
export class Session {
  readonly id: number
  terminal: Terminal | undefined

  constructor(id: number) {
    this.id = id
  }
}

export interface Descriptor {
  file: OpenFile
  closeOnExec: boolean
}

export interface Handler {
  run(): void
  /** SA_RESTART. */
  restart: boolean
}

/** Ends a process from inside its body; finally blocks run, and nothing may catch it for good. */
export class ProcessEnd {
  readonly status: Omit<WaitStatus, 'pid'>

  constructor(status: Omit<WaitStatus, 'pid'>) {
    this.status = status
  }
}

/** Why a blocked process went on. */
export type Woken = 'woken' | 'timeout' | 'signal'

export class Process implements Waiter, Target {
  readonly machine: Machine
  readonly pid: number
  parent: Process | undefined
  pgid: number
  session: Session
  readonly children = new Set<Process>()
  readonly startNs: number

  name = ''
  argv: string[] = []
  /** The program's file, for /proc/PID/exe. */
  exe = ''
  env: Map<string, string>
  cwd = '/'
  /** Its network namespace; the machine itself is the initial one. */
  netns: Host
  /** What is mounted for it; undefined while nobody has mounted anything. */
  mounts: Mounts | undefined
  umask = 0o022
  /** By number; sparse. */
  readonly descriptors: (Descriptor | undefined)[] = []
  /** What isn't here has its default action. */
  readonly actions = new Map<Signal, 'ignore' | Handler>()
  readonly blocked = new Set<Signal>()
  /** Sent and not yet acted on, in the order of arrival; each at most once. */
  pending: Signal[] = []

  /** Undefined for init, which only reaps. */
  body: Body<number> | undefined
  /** In the run queue. */
  queued = false
  /** Runnable, but stopped by a signal. */
  held = false
  stopped: Signal | undefined
  /** Stopped or continued since its parent last looked. */
  news: 'stopped' | 'continued' | undefined
  /** What it waits for, if blocked. */
  waiting: Wait | undefined
  woken: Woken = 'woken'
  /** A handler has run since the last look: EINTR unless it restarts. */
  interrupted: 'no' | 'restart' | 'yes' = 'no'
  /** When the call that blocks gives up. */
  deadlineNs = Number.POSITIVE_INFINITY
  /** How it ended; then it is a zombie until its parent has waited for it. */
  ended: WaitStatus | undefined
  /** Woken when a child's state changes. */
  readonly childQueue = new WaitQueue()
  /** Called at its end, for whoever started it from outside. */
  onExit: ((status: WaitStatus) => void) | undefined

  /** CPU time used and not yet passed. */
  debtNs = 0
  /** Its body has ended; what is left is to take it down. */
  leaving = false
  userNs = 0
  systemNs = 0
  childUserNs = 0
  childSystemNs = 0
  switches = 0
  alarm: Timer | undefined
  alarmIntervalNs = 0
  /** When it was to fire. */
  alarmDueNs = 0
  slot = -1

  constructor(machine: Machine, pid: number, parent: Process | undefined, session: Session | undefined) {
    this.machine = machine
    this.pid = pid
    this.parent = parent
    this.startNs = machine.host.sim.nowNs
    this.session = session ?? new Session(pid)
    this.pgid = pid
    this.env = new Map()
    this.netns = machine.host
    this.mounts = parent?.mounts
  }

  /** R, S, T or Z, as ps says it. */
  get state(): 'R' | 'S' | 'T' | 'Z' {
    if (this.ended) return 'Z'
    if (this.stopped) return 'T'
    return this.queued || this.machine.current === this ? 'R' : 'S'
  }

  /** A queue that it waits on was woken. */
  wake(): void {
    this.unblock('woken')
  }

  /** The time that it waits until has come. */
  fire(): void {
    this.machine.observer?.timer()
    this.unblock('timeout')
  }

  unblock(why: Woken): void {
    const wait = this.waiting
    if (!wait) return
    this.waiting = undefined
    for (const queue of wait.queues) queue.remove(this)
    if (this.slot >= 0) this.machine.host.sim.disarm(this.slot)
    this.woken = why
    this.machine.makeRunnable(this)
  }

  // Signals.

  actionOf(signal: Signal): DefaultAction | Handler {
    const action = this.actions.get(signal)
    if (action === undefined || signal === 'SIGKILL' || signal === 'SIGSTOP') return defaultAction(signal)
    return action
  }

  /** Sends it a signal. @see Linux 6.1 kernel/signal.c: prepare_signal(), complete_signal() */
  send(signal: Signal): void {
    if (this.ended) return
    if (signal === 'SIGCONT') this.#continue()
    else if (isStop(signal)) this.pending = this.pending.filter((other) => other !== 'SIGCONT')
    if (signal === 'SIGKILL' && this.stopped) this.stopped = undefined
    const action = this.actionOf(signal)
    // Init is spared what it doesn't handle.
    if (this.pid === 1 && typeof action === 'string') return
    if (!this.blocked.has(signal) && (action === 'ignore' || action === 'continue')) return
    if (!this.pending.includes(signal)) this.pending.push(signal)
    if (this.blocked.has(signal) && signal !== 'SIGKILL' && signal !== 'SIGSTOP') return
    if (this.held) {
      if (signal === 'SIGKILL') this.#release()
      return
    }
    this.unblock('signal')
  }

  #continue(): void {
    this.pending = this.pending.filter((other) => !isStop(other))
    if (!this.stopped) return
    this.stopped = undefined
    this.news = 'continued'
    this.#tellParent()
    this.#release()
  }

  /** It was stopped and goes on. */
  #release(): void {
    if (!this.held) return
    this.held = false
    this.machine.makeRunnable(this)
  }

  /**
   * Acts on what is pending, just before it runs. Returns how it ended, if that ended it.
   * @see Linux 6.1 kernel/signal.c: get_signal()
   */
  takeSignals(): Omit<WaitStatus, 'pid'> | undefined {
    for (;;) {
      // The kernel takes the fatal ones first.
      const killed = this.pending.indexOf('SIGKILL')
      const at =
        killed >= 0 ? killed : this.pending.findIndex((signal) => !this.blocked.has(signal) || signal === 'SIGSTOP')
      if (at < 0) return undefined
      const signal = this.pending[at]!
      this.pending.splice(at, 1)
      const action = this.actionOf(signal)
      if (typeof action === 'object') {
        if (this.interrupted !== 'yes') this.interrupted = action.restart ? 'restart' : 'yes'
        action.run()
      } else if (action === 'terminate') return { signal }
      else if (action === 'stop') {
        // What the keyboard sends doesn't stop a group that nobody could continue.
        if (signal !== 'SIGSTOP' && this.machine.isOrphaned(this.pgid)) continue
        this.stopped = signal
        this.held = true
        this.news = 'stopped'
        this.#tellParent()
        return undefined
      }
    }
  }

  /** Whether something is pending that would be acted on. */
  get hasSignals(): boolean {
    return this.pending.some((signal) => !this.blocked.has(signal) || signal === 'SIGKILL' || signal === 'SIGSTOP')
  }

  #tellParent(): void {
    this.parent?.send('SIGCHLD')
    this.parent?.childQueue.wake()
  }

  /** user or system CPU time, to be paid by waiting. */
  charge(ns: number, user: boolean): void {
    this.debtNs += ns
    if (user) {
      this.userNs += ns
      this.machine.userNs += ns
    } else {
      this.systemNs += ns
      this.machine.systemNs += ns
    }
  }

  // Descriptors.

  file(fd: number): OpenFile | undefined {
    return this.descriptors[fd]?.file
  }

  /** The lowest free number at or above `least`; undefined if there is none. RLIMIT_NOFILE is 1024. */
  freeDescriptor(least = 0): number | undefined {
    for (let fd = least; fd < 1024; fd++) if (!this.descriptors[fd]) return fd
    return undefined
  }

  install(fd: number, file: OpenFile, closeOnExec = false): void {
    file.references++
    this.descriptors[fd] = { file, closeOnExec }
  }

  closeDescriptor(fd: number): boolean {
    const descriptor = this.descriptors[fd]
    if (!descriptor) return false
    this.descriptors[fd] = undefined
    dropReference(descriptor.file)
    return true
  }
}

/** One descriptor fewer; the last one closes the file. */
export function dropReference(file: OpenFile): void {
  if (--file.references !== 0) return
  file.release?.()
  if (file.netns) dropNetns(file.netns)
}

function isStop(signal: Signal): boolean {
  const number = SIGNALS[signal]
  return number >= SIGNALS.SIGSTOP && number <= SIGNALS.SIGTTOU
}

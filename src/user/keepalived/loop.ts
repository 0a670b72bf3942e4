/**
 * What a keepalived process waits for: times, descriptors, children, signals. Everything that happens is handled in turn, in one
 * thread. keepalived 2.2.7 lib/scheduler.c
 */
import { type Body, POLLIN, type Signal, type Sys, type WaitStatus } from '#kernel/core'
import type { Stdio, Task, TaskWait } from '#user/libc'

type Run = () => Body<void> | void

export interface LoopTimer {
  dueNs: number
  run: Run
}

/** Something with a deadline of its own, which may change at any time. */
export interface Deadline {
  dueNs(): number
  run: Run
}

interface Child {
  dueNs: number
  run: (ended: WaitStatus | 'timeout') => Body<void> | void
}

/** A task that waits for a descriptor or a time. */
interface Parked {
  task: Task<void>
  wait: TaskWait
}

export class Loop {
  readonly #sys: Sys
  readonly #io: Stdio
  #events: Run[] = []
  #timers: LoopTimer[] = []
  #deadlines: Deadline[] = []
  #reads = new Map<number, Run>()
  readonly children = new Map<number, Child>()
  #parked: Parked[] = []
  #signals: Signal[] = []
  readonly #handlers = new Map<Signal, Run>()
  #stopped: number | undefined

  constructor(sys: Sys, io: Stdio) {
    this.#sys = sys
    this.#io = io
    sys.sigaction('SIGCHLD', () => undefined)
  }

  /** Something that goes on over several waits. */
  spawn(task: Task<void>): void {
    this.#events.push(() => this.#step(task, 0))
  }

  *#step(task: Task<void>, events: number): Body<void> {
    let result = task.next(events)
    while (!result.done) {
      const wait = result.value
      if ('fd' in wait) {
        this.#parked.push({ task, wait })
        return
      }
      yield wait
      result = task.next()
    }
  }

  /** As soon as it is its turn. */
  soon(run: Run): void {
    this.#events.push(run)
  }

  after(us: number, run: Run): LoopTimer {
    const timer = { dueNs: this.#sys.monotonicNs() + us * 1000, run }
    this.#timers.push(timer)
    return timer
  }

  cancel(timer: LoopTimer | undefined): void {
    if (timer) this.#timers = this.#timers.filter((each) => each !== timer)
  }

  deadline(deadline: Deadline): void {
    this.#deadlines.push(deadline)
  }

  read(fd: number, run: Run): void {
    this.#reads.set(fd, run)
  }

  unread(fd: number): void {
    this.#reads.delete(fd)
  }

  signal(signal: Signal, run: Run): void {
    this.#handlers.set(signal, run)
    this.#sys.sigaction(signal, () => this.#signals.push(signal))
  }

  /** Told when a child has ended, or hasn't in time. */
  child(pid: number, us: number, run: Child['run']): void {
    this.children.set(pid, { dueNs: this.#sys.monotonicNs() + us * 1000, run })
  }

  /** Forgets everything that was waited for, but signals. */
  clear(): void {
    this.#events = []
    this.#timers = []
    this.#deadlines = []
    this.#reads.clear()
    for (const { task } of this.#parked.splice(0)) task.return(undefined)
  }

  stop(status: number): void {
    this.#stopped = status
  }

  /** Runs until it is stopped; the status. */
  *run(): Body<number> {
    while (this.#stopped === undefined) {
      yield* this.#pending()
      if (this.#stopped !== undefined) break
      yield* this.#io.settle()
      const now = this.#sys.monotonicNs()
      const wait = Math.max(0, this.#nextNs() - now)
      const entries: { fd: number; events: number }[] = [...this.#reads.keys()].map((fd) => ({ fd, events: POLLIN }))
      for (const { wait: parked } of this.#parked) if (parked.fd >= 0) entries.push(parked)
      const ready = yield* this.#sys.poll(entries, wait, 0) // Its time-out is a timerfd's.
      yield* this.#reap()
      yield* this.#times()
      for (const { fd, revents } of ready.ok ? ready.value : []) {
        yield* this.#call(this.#reads.get(fd))
        yield* this.#resume(({ wait: parked }) => parked.fd === fd, revents)
      }
      yield* this.#resume(({ wait: parked }) => parked.untilNs <= this.#sys.monotonicNs(), 0)
    }
    yield* this.#io.settle()
    return this.#stopped
  }

  *#resume(which: (parked: Parked) => boolean, events: number): Body<void> {
    const resumed = this.#parked.filter(which)
    for (const parked of resumed) {
      if (this.#stopped !== undefined || !this.#parked.includes(parked)) continue
      this.#parked = this.#parked.filter((each) => each !== parked)
      yield* this.#step(parked.task, events)
    }
  }

  *#call(run: Run | undefined): Body<void> {
    if (!run || this.#stopped !== undefined) return
    const body = run()
    if (body) yield* body
  }

  /** Signals and events, until there are no more. */
  *#pending(): Body<void> {
    for (;;) {
      const signal = this.#signals.shift()
      const run = signal === undefined ? this.#events.shift() : this.#handlers.get(signal)
      if (!run) {
        if (signal === undefined) return
        continue
      }
      yield* this.#call(run)
      if (this.#stopped !== undefined) return
    }
  }

  #nextNs(): number {
    if (this.#signals.length > 0 || this.#events.length > 0) return 0
    let next = Number.POSITIVE_INFINITY
    for (const { dueNs } of this.#timers) next = Math.min(next, dueNs)
    for (const { dueNs } of this.children.values()) next = Math.min(next, dueNs)
    for (const deadline of this.#deadlines) next = Math.min(next, deadline.dueNs())
    for (const { wait } of this.#parked) next = Math.min(next, wait.untilNs)
    return next
  }

  *#times(): Body<void> {
    const now = this.#sys.monotonicNs()
    const due = this.#timers.filter(({ dueNs }) => dueNs <= now).sort((a, b) => a.dueNs - b.dueNs)
    for (const timer of due) {
      if (!this.#timers.includes(timer)) continue
      this.cancel(timer)
      yield* this.#call(timer.run)
    }
    for (const deadline of [...this.#deadlines]) {
      if (deadline.dueNs() <= now && this.#deadlines.includes(deadline)) yield* this.#call(deadline.run)
    }
    for (const [pid, child] of [...this.children]) {
      if (child.dueNs > now || this.children.get(pid) !== child) continue
      child.dueNs = Number.POSITIVE_INFINITY
      yield* this.#call(() => child.run('timeout'))
    }
  }

  *#reap(): Body<void> {
    for (;;) {
      const ended = yield* this.#sys.waitpid(-1, { noHang: true })
      if (!ended.ok || !ended.value) return
      const status = ended.value
      const child = this.children.get(status.pid)
      this.children.delete(status.pid)
      if (child) yield* this.#call(() => child.run(status))
    }
  }
}

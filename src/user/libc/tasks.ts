/**
 * Several connections in one process, as a server with an event loop or a load generator has them. A task is a generator
 * that may block as any program does, or yield which descriptor it waits for; then the others go on. All that wait are
 * in one poll(2).
 */
import { type Body, type Errno, POLLIN, POLLOUT, type Sys, type Wait } from '#kernel/core'

/** What a task waits for: a descriptor's events, or a time. */
export interface TaskWait {
  /** -1: only the time. */
  fd: number
  events: number
  untilNs: number
}

// biome-ignore lint/suspicious/noExplicitAny: what comes back is a Wait's nothing or a TaskWait's events.
export type Task<T> = Generator<Wait | TaskWait, T, any>

interface Parked {
  task: Task<void>
  wait: TaskWait
}

export class Tasks {
  readonly #sys: Sys
  readonly #ready: { task: Task<void>; events: number }[] = []
  #parked: Parked[] = []

  constructor(sys: Sys) {
    this.#sys = sys
  }

  get count(): number {
    return this.#parked.length + this.#ready.length
  }

  spawn(task: Task<void>): void {
    this.#ready.push({ task, events: 0 })
  }

  /** Runs until there are no tasks, or it is to stop; whoever sets `stop` does so in a signal's handler. */
  *run(stop: () => boolean = () => false): Body<void> {
    while (!stop()) {
      for (let next = this.#ready.shift(); next; next = this.#ready.shift()) {
        yield* this.#step(next.task, next.events)
        if (stop()) return
      }
      if (this.#parked.length === 0) return
      const now = this.#sys.monotonicNs()
      const untilNs = Math.min(...this.#parked.map(({ wait }) => wait.untilNs))
      const entries = this.#parked.filter(({ wait }) => wait.fd >= 0).map(({ wait }) => wait)
      const polled = yield* this.#sys.poll(entries, Math.max(0, untilNs - now))
      const events = new Map<number, number>()
      for (const { fd, revents } of polled.ok ? polled.value : []) events.set(fd, (events.get(fd) ?? 0) | revents)
      const later = this.#sys.monotonicNs()
      const still: Parked[] = []
      for (const parked of this.#parked) {
        const got = events.get(parked.wait.fd) ?? 0
        if (got !== 0) this.#ready.push({ task: parked.task, events: got })
        else if (parked.wait.untilNs <= later) this.#ready.push({ task: parked.task, events: 0 })
        else still.push(parked)
      }
      this.#parked = still
    }
  }

  *#step(task: Task<void>, events: number): Body<void> {
    let result = task.next(events)
    while (!result.done) {
      const wait = result.value
      if ('queues' in wait) {
        yield wait
        result = task.next()
      } else {
        this.#parked.push({ task, wait })
        return
      }
    }
  }
}

/** Up to so many bytes; 'timeout' if none come in time. */
export function* receiveSome(
  sys: Sys,
  fd: number,
  length: number,
  untilNs = Number.POSITIVE_INFINITY,
): Task<Uint8Array | 'timeout' | { errno: Errno }> {
  for (;;) {
    const got = yield* sys.receive(fd, length, { dontWait: true })
    if (got.ok) return got.value.bytes
    if (got.errno === 'EINTR') continue
    if (got.errno !== 'EAGAIN') return { errno: got.errno }
    if (sys.monotonicNs() >= untilNs) return 'timeout'
    yield { fd, events: POLLIN, untilNs }
  }
}

/** All of it; what went wrong, or undefined. */
export function* sendWhole(
  sys: Sys,
  fd: number,
  bytes: Uint8Array,
  untilNs = Number.POSITIVE_INFINITY,
): Task<Errno | 'timeout' | undefined> {
  let sent = 0
  while (sent < bytes.length) {
    const done = yield* sys.sendTo(fd, sent === 0 ? bytes : bytes.subarray(sent), undefined, {
      dontWait: true,
      noSignal: true,
    })
    if (done.ok) sent += done.value
    else if (done.errno === 'EAGAIN') {
      if (sys.monotonicNs() >= untilNs) return 'timeout'
      yield { fd, events: POLLOUT, untilNs }
    } else if (done.errno !== 'EINTR') return done.errno
  }
  return undefined
}

/** The error of a connect(2) that wasn't at once; undefined if it succeeded. */
export function* connectWithin(
  sys: Sys,
  fd: number,
  to: Parameters<Sys['connect']>[1],
  untilNs: number,
): Task<Errno | 'timeout' | undefined> {
  sys.setNonBlocking(fd, true)
  const begun = yield* sys.connect(fd, to)
  if (begun.ok) return undefined
  if (begun.errno !== 'EINPROGRESS') return begun.errno
  const events: number = yield { fd, events: POLLOUT, untilNs }
  if (!events) return 'timeout'
  const error = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
  return error.ok ? (error.value as Errno | undefined) : error.errno
}

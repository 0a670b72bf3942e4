/**
 * Softirqs: what an interrupt leaves to be done right after it, kind by kind in their order; again while more is asked for, but
 * not for ever: then ksoftirqd does it, as a process among others. Tasklets are done by two of the kinds.
 *
 * A run is a generator: it yields the nanoseconds that pass, in which the next interrupt may come.
 *
 * Linux 6.1 kernel/softirq.c: handle_softirqs(), tasklet_action_common(), run_ksoftirqd().
 */

export const HI = 0
export const TIMER = 1
export const NET_TX = 2
export const NET_RX = 3
export const TASKLET = 6
export const SCHED = 7
export const HRTIMER = 8
export const RCU = 9

/** MAX_SOFTIRQ_TIME, two milliseconds as a difference of jiffies at HZ=250; MAX_SOFTIRQ_RESTART. */
const TIME_JIFFIES = 1
const RESTARTS = 10

/** Nanoseconds that pass. */
export type Work = Generator<number, void>

export interface Tasklet {
  name: string
  run(): void
  /** TASKLET_STATE_SCHED: it is on a list; how often it was disabled. */
  scheduled?: boolean
  disabled?: number
}

export interface SoftirqHost {
  jiffies(): number
  needResched(): boolean
  count(kind: number): void
  traced(event: 'raise' | 'entry' | 'exit', kind: number): void
  taskletTraced(event: 'entry' | 'exit', tasklet: Tasklet): void
  wakeKsoftirqd(): void
  act(kind: number): Work
}

export class Softirqs {
  /** A bit for each kind. */
  pending = 0
  /** It has more than may be done at once: it is ksoftirqd's. */
  byThread = false
  running = false
  readonly #host: SoftirqHost
  readonly #tasklets: Record<number, Tasklet[]> = { [HI]: [], [TASKLET]: [] }

  constructor(host: SoftirqHost) {
    this.#host = host
  }

  raise(kind: number): void {
    this.pending |= 1 << kind
    this.#host.traced('raise', kind)
  }

  /** tasklet_schedule(), tasklet_hi_schedule(): once, however often it is asked for before it runs. */
  schedule(tasklet: Tasklet, kind: typeof HI | typeof TASKLET = TASKLET): void {
    if (tasklet.scheduled) return
    tasklet.scheduled = true
    this.#tasklets[kind]!.push(tasklet)
    this.raise(kind)
  }

  /** __do_softirq(), or one round of ksoftirqd. */
  *run(): Work {
    const host = this.#host
    const end = host.jiffies() + TIME_JIFFIES
    let restarts = RESTARTS
    this.running = true
    this.byThread = false
    try {
      for (;;) {
        let { pending } = this
        this.pending = 0
        for (let kind = 0; pending !== 0; kind++, pending >>>= 1) {
          if (!(pending & 1)) continue
          host.count(kind)
          host.traced('entry', kind)
          yield* kind === HI || kind === TASKLET ? this.#runTasklets(kind) : host.act(kind)
          host.traced('exit', kind)
        }
        if (this.pending === 0) return
        if (host.jiffies() < end && !host.needResched() && --restarts > 0) continue
        this.byThread = true
        host.wakeKsoftirqd()
        return
      }
    } finally {
      this.running = false
    }
  }

  *#runTasklets(kind: number): Work {
    const list = this.#tasklets[kind]!.splice(0)
    for (const tasklet of list) {
      if ((tasklet.disabled ?? 0) > 0) {
        // It waits on the list until it is enabled.
        this.#tasklets[kind]!.push(tasklet)
        this.raise(kind)
        continue
      }
      tasklet.scheduled = false
      this.#host.taskletTraced('entry', tasklet)
      tasklet.run()
      this.#host.taskletTraced('exit', tasklet)
      yield TASKLET_NS
    }
  }
}

const TASKLET_NS = 500

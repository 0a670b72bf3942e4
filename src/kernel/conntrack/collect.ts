/**
 * The collector: it walks the whole table now and then, and throws away what has expired. How long it rests depends on
 * how soon the entries it saw will expire, from one second to a minute; a table of a few short-lived ones is walked about
 * once a minute, which is why `conntrack -C` may count what `conntrack -L` no longer lists.
 *
 * An empty table isn't walked here: the walk that Linux does then changes nothing but the time of the next one, which is
 * told without it.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_core.c: gc_worker().
 */
import { Timer } from '#base/sim'
import { HZ, JIFFY_NS, jiffiesOf, wheelNs } from '#kernel/net'
import { IPS_ASSURED, IPS_DYING } from './conn.ts'
import { canEarlyDrop } from './early-drop.ts'
import { type ConntrackState, expiresJiffies } from './state.ts'

const INTERVAL_MIN = HZ
const INTERVAL_MAX = 60 * HZ
const INTERVAL_CLAMP = 300 * HZ
/** So many imagined entries at the upper bound keep a few short ones from waking it often. GC_SCAN_INITIAL_COUNT. */
const INITIAL_COUNT = 100
/** A minute, less the jiffy that the walk takes, as the timer wheel rounds it: 30 buckets of 512 jiffies. */
const EMPTY_PERIOD_NS = 30 * 512 * JIFFY_NS

export class Collector {
  readonly #state: ConntrackState
  #timer: Timer | undefined = undefined
  /** When the next walk is due, while none is armed. */
  #dueNs = -1
  #earlyDrop = false

  constructor(state: ConntrackState) {
    this.#state = state
    const { host } = state
    this.#dueNs = wheelNs(host, jiffiesOf(host) + HZ)
  }

  /** A connection has come into the table. */
  entered(): void {
    if (this.#timer?.armed) return
    const { host } = this.#state
    this.#timer ??= new Timer(host.sim, `${host.name}/conntrack gc`, () => this.#walk())
    this.#timer.armAt(this.#nextDue())
  }

  /** The table is full: the next walk evicts what is about to end anyway. */
  wantRoom(): void {
    this.#earlyDrop = true
  }

  /** The walks over an empty table that would have been until now, one every EMPTY_PERIOD_NS. */
  #nextDue(): number {
    const late = this.#state.host.sim.nowNs - this.#dueNs
    if (late >= 0) this.#dueNs += (Math.floor(late / EMPTY_PERIOD_NS) + 1) * EMPTY_PERIOD_NS
    return this.#dueNs
  }

  /** The power is cut. */
  stop(): void {
    this.#timer?.destroy()
    this.#timer = undefined
  }

  #walk(): void {
    const state = this.#state
    const { limits, host } = state
    const max95 = this.#earlyDrop ? Math.floor(limits.max / 100) * 95 : 0
    const now = state.jiffies
    let next = INTERVAL_MAX
    let count = INITIAL_COUNT
    for (const conn of state.all()) {
      if (conn.timeout <= now) {
        state.kill(conn)
        continue
      }
      const expires = Math.min(Math.max(expiresJiffies(state, conn), INTERVAL_MIN), INTERVAL_CLAMP)
      // Both of its tuples are met.
      for (let i = 0; i < 2; i++) next += Math.trunc((expires - next) / ++count)
      if (max95 === 0 || state.count < max95 || conn.status & IPS_DYING) continue
      if (!(conn.status & IPS_ASSURED) || canEarlyDrop(conn)) state.kill(conn)
    }
    this.#earlyDrop = false
    next = Math.min(Math.max(next, INTERVAL_MIN), INTERVAL_MAX) - 1
    this.#dueNs = wheelNs(host, state.jiffies + Math.max(next, 1))
    if (state.count > 0) this.#timer!.armAt(this.#dueNs)
  }
}

/**
 * The event queue alone: Q events that put themselves back with random delays, EVENTS of them in all. Delays and chance
 * are those of the ns-3 program that it is measured beside, so that both queues see the same load.
 */
import { Simulator, type Target, Timer } from '#base/sim'

/** Marsaglia's xorshift, 32 bits. */
class XorShift {
  #state = 2463534242

  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x >>> 0
  }
}

class Run {
  readonly sim = new Simulator(1)
  readonly random = new XorShift()
  readonly net: boolean
  readonly cancel: boolean
  left: number

  constructor(events: number, net: boolean, cancel: boolean) {
    this.left = events
    this.net = net
    this.cancel = cancel
  }

  /** uniform: 1 to 2^20 ns. net: 3/4 a packet (1 to 16 us), 3/16 1 to 67 ms, 1/16 0.5 to 4.8 s (timers). */
  delay(): number {
    const r = this.random.next()
    if (!this.net) return 1 + (r & 0xfffff)
    const c = r >>> 28
    if (c < 12) return 1000 + (r & 0x3fff)
    if (c < 15) return 1_000_000 + (r & 0x3ffffff)
    return 500_000_000 + (r & 0xfffffff) * 16
  }
}

/** One event that comes back, and with `cancel` a retransmission timer that it puts back each time. */
class Source implements Target {
  readonly #run: Run
  readonly #slot: number
  readonly #timer: Timer | undefined

  constructor(run: Run) {
    this.#run = run
    this.#slot = run.sim.slot('bench/source', this)
    this.#timer = run.cancel ? new Timer(run.sim, 'bench/timer', timeout) : undefined
    run.sim.arm(this.#slot, run.delay())
  }

  fire(): void {
    const run = this.#run
    const { sim } = run
    if (--run.left === 0) {
      sim.stop()
      return
    }
    if (this.#timer) this.#timer.armAfter(200_000_000)
    sim.arm(this.#slot, sim.nowNs + run.delay())
  }
}

function timeout(): void {}

/** What the compiler sees before the measuring begins: an engine is measured, not a start. */
const WARM_UP_EVENTS = 300_000

/** Options: q, events, dist (uniform or net), cancel (0 or 1), warm (0: measure the compiler's warming up, too). */
export async function sched(options: Record<string, string>): Promise<Record<string, number | string>> {
  const q = Number(options.q ?? 1000)
  const events = Number(options.events ?? 2_000_000)
  const dist = options.dist ?? 'uniform'
  const cancel = Number(options.cancel ?? 0)
  const prepare = (count: number, sources: number): Run => {
    const run = new Run(count, dist === 'net', cancel === 1)
    for (let i = 0; i < sources; i++) new Source(run)
    return run
  }
  if (options.warm !== '0') prepare(WARM_UP_EVENTS, 100).sim.run()
  const run = prepare(events, q)
  const wall = performance.now()
  const before = process.cpuUsage()
  run.sim.run()
  const used = process.cpuUsage(before)
  const cpu = (used.user + used.system) / 1e6
  return {
    bench: 'sched',
    q,
    dist,
    cancel,
    events,
    wall_s: round((performance.now() - wall) / 1e3),
    cpu_s: round(cpu),
    events_per_s: Math.round(events / cpu),
    peak_kb: process.resourceUsage().maxRSS,
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 1e4) / 1e4
}

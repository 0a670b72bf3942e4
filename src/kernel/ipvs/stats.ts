/**
 * Counters and rates. Packets are counted at once; what is shown is what the estimator last read, every two seconds (which
 * the timer wheel makes 504 jiffies). Nothing runs for it: who counts or looks does the rounds that have passed.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_est.c: estimation_timer().
 */
import { HZ } from '#kernel/net'

/** struct ip_vs_kstats: counters since the last zeroing, and rates a second. */
export interface StatsMessage {
  conns: number
  inPkts: number
  outPkts: number
  inBytes: number
  outBytes: number
  cps: number
  inPps: number
  outPps: number
  inBps: number
  outBps: number
}

/** When the estimator comes round. */
export interface EstimatorClock {
  /** The rounds until now. */
  round(): number
  /** net.ipv4.vs.run_estimation. */
  readonly running: boolean
}

/** Two seconds armed again at each firing, as the wheel rounds them. */
export const ESTIMATION_PERIOD = Math.floor((2 * HZ) / 8 + 1) * 8

const COUNTERS = 5
/** By counter: what a rate is scaled by. Packets by 2^10, bytes by 2^5; a round has two seconds. */
const SCALES = [2 ** 9, 2 ** 9, 2 ** 9, 2 ** 4, 2 ** 4]

export class Stats {
  readonly #clock: EstimatorClock
  /** conns, inPkts, outPkts, inBytes, outBytes: now; as last read; when they were zeroed; at the round before. */
  readonly now = new Float64Array(COUNTERS)
  readonly #read = new Float64Array(COUNTERS)
  readonly #zero = new Float64Array(COUNTERS)
  readonly #last = new Float64Array(COUNTERS)
  readonly #rates = new Float64Array(COUNTERS)
  #round: number

  constructor(clock: EstimatorClock) {
    this.#clock = clock
    this.#round = clock.round()
  }

  /** Starts to be estimated (again): rounds that passed before don't count. ip_vs_start_estimator(). */
  start(): void {
    this.#round = this.#clock.round()
  }

  countIn(bytes: number): void {
    this.settle()
    this.now[1]!++
    this.now[3]! += bytes
  }

  countOut(bytes: number): void {
    this.settle()
    this.now[2]!++
    this.now[4]! += bytes
  }

  countConn(): void {
    this.settle()
    this.now[0]!++
  }

  /** Does the rounds that have passed. */
  settle(): void {
    const round = this.#clock.round()
    let left = round - this.#round
    if (left === 0) return
    this.#round = round
    if (!this.#clock.running) return
    while (left-- > 0) if (!this.#estimate()) break
  }

  /** One round; false if another would change nothing. */
  #estimate(): boolean {
    let changed = false
    for (let i = 0; i < COUNTERS; i++) {
      const count = this.now[i]!
      const rate = (count - this.#last[i]!) * SCALES[i]!
      if (count !== this.#last[i]) changed = true
      this.#read[i] = count
      this.#last[i] = count
      const step = Math.floor((rate - this.#rates[i]!) / 4)
      if (step !== 0) changed = true
      this.#rates[i]! += step
    }
    return changed
  }

  /** ip_vs_copy_stats(). */
  show(): StatsMessage {
    this.settle()
    const count = (i: number) => this.#read[i]! - this.#zero[i]!
    const packets = (i: number) => Math.floor((this.#rates[i]! + 0x1ff) / 1024)
    const bytes = (i: number) => Math.floor((this.#rates[i]! + 0xf) / 32)
    return {
      conns: count(0),
      inPkts: count(1),
      outPkts: count(2),
      inBytes: count(3),
      outBytes: count(4),
      cps: packets(0),
      inPps: packets(1),
      outPps: packets(2),
      inBps: bytes(3),
      outBps: bytes(4),
    }
  }

  /** From here on counters are shown from zero. ip_vs_zero_stats(). */
  zero(): void {
    this.settle()
    this.#zero.set(this.#read)
    this.#last.set(this.#read)
    this.#rates.fill(0)
  }
}

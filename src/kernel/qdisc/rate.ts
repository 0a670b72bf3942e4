/**
 * Rates as the kernel reckons them: how long so many bytes take, by a multiplication and a shift, and the ticks of 64 ns in
 * which user space gives times.
 *
 * Linux 6.1 net/sched/sch_generic.c: psched_ratecfg_precompute(); include/net/sch_generic.h: psched_l2t_ns();
 * include/net/pkt_sched.h: PSCHED_SHIFT.
 */

/** As given: bytes a second. */
export interface RateSpec {
  rate: number
  overhead?: number
  mpu?: number
}

export class Rate {
  readonly bytesPerS: number
  readonly overhead: number
  readonly mpu: number
  readonly #multiplier: number
  readonly #divisor: number

  constructor(spec: RateSpec) {
    this.bytesPerS = spec.rate
    this.overhead = spec.overhead ?? 0
    this.mpu = spec.mpu ?? 0
    let shift = 0
    let multiplier = 1n
    if (spec.rate > 0) {
      let factor = 1_000_000_000n
      for (;;) {
        multiplier = factor / BigInt(spec.rate)
        if ((multiplier & (1n << 31n)) !== 0n || (factor & (1n << 63n)) !== 0n) break
        factor <<= 1n
        shift++
      }
    }
    this.#multiplier = Number(multiplier)
    this.#divisor = 2 ** shift
  }

  /** How long so many bytes take, ns. */
  timeOf(length: number): number {
    return Math.floor(((length + this.overhead) * this.#multiplier) / this.#divisor)
  }

  /** How many bytes take so long. psched_ns_t2l(), which seeks the largest. */
  lengthIn(ns: number): number {
    const length = Math.floor((ns * this.bytesPerS) / 1e9) - this.overhead
    return Math.max(0, length)
  }
}

/** A tick: 64 ns. */
export const ticksToNs = (ticks: number) => ticks * 64
export const nsToTicks = (ns: number) => Math.floor(ns / 64)

/** Load averages: every five seconds the kernel looks how many are runnable. Linux 6.1 kernel/sched/loadavg.c: calc_load(). */

const FIXED_1 = 2048
/** e^(-5 s / 1, 5 and 15 min) in that fixed point. */
const DECAY = [1884, 2014, 2037]
const PERIOD_NS = 5_000_000_000

export class LoadAverage {
  #nextNs: number
  #active = 0
  /** The CPU was worked off then; until then one more was running. */
  #busyUntilNs = 0
  readonly #loads = [0, 0, 0]

  constructor(nowNs: number) {
    this.#nextNs = nowNs + PERIOD_NS
  }

  /** From now on so many wait for the CPU, which works until then. */
  note(nowNs: number, active: number, busyUntilNs: number): void {
    if (nowNs >= this.#nextNs) this.#advance(nowNs)
    this.#active = active
    this.#busyUntilNs = busyUntilNs
  }

  /** The three averages, in 1/2048. */
  at(nowNs: number): number[] {
    this.#advance(nowNs)
    return this.#loads
  }

  #advance(nowNs: number): void {
    while (this.#nextNs <= nowNs) {
      const active = (this.#active + (this.#busyUntilNs > this.#nextNs ? 1 : 0)) * FIXED_1
      if (active === 0 && this.#loads.every((load) => load === 0)) {
        // Nothing changes any more: skip what has gone by.
        this.#nextNs += Math.ceil((nowNs - this.#nextNs + 1) / PERIOD_NS) * PERIOD_NS
        return
      }
      DECAY.forEach((decay, i) => {
        const load = this.#loads[i]!
        const next = load * decay + active * (FIXED_1 - decay) + (active >= load ? FIXED_1 - 1 : 0)
        this.#loads[i] = Math.floor(next / FIXED_1)
      })
      this.#nextNs += PERIOD_NS
    }
  }
}

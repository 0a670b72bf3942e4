/** Delayed work and timers in jiffies, rounded as the kernel's wheel rounds them. Linux: struct delayed_work. */
import type { Host } from '#kernel/core'
import { jiffiesOf, wheelNs } from '#kernel/net'

/** A one-shot timer that keeps no slot of the queue until it is first used. */
export class Work {
  readonly #host: Host
  readonly #name: string
  readonly #run: () => void
  #slot = -1

  constructor(host: Host, name: string, run: () => void) {
    this.#host = host
    this.#name = name
    this.#run = run
  }

  /** So many jiffies from now; 0: at once, but not before what is being done is done. */
  after(jiffies: number): void {
    const { sim } = this.#host
    if (this.#slot < 0) this.#slot = sim.slot(this.#name, this)
    sim.arm(this.#slot, jiffies <= 0 ? sim.nowNs : wheelNs(this.#host, jiffiesOf(this.#host) + jiffies))
  }

  get pending(): boolean {
    return this.#slot >= 0 && this.#host.sim.due(this.#slot) !== Number.POSITIVE_INFINITY
  }

  stop(): void {
    if (this.#slot < 0) return
    this.#host.sim.release(this.#slot)
    this.#slot = -1
  }

  fire(): void {
    this.#run()
  }
}

/** A number of chance below another; 0 below 1. Linux: prandom_u32_max(). */
export function chance(host: Host, what: string, below: number): number {
  return below <= 1 ? 0 : host.sim.random(`${host.name}/${what}`).below(below)
}

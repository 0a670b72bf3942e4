/**
 * Many things that each wait for a moment of their own, mostly in the order in which they were put in: connections in
 * TIME-WAIT, requests without an answer. One slot of the event queue serves them all.
 */
import type { Simulator } from '#base/sim'

/** What waits; it is in one list at a time. */
export interface Waiting {
  deadlineNs: number
  earlier: Waiting | undefined
  later: Waiting | undefined
  waiting: boolean
}

export class Deadlines<T extends Waiting> {
  #first: Waiting | undefined = undefined
  #last: Waiting | undefined = undefined
  readonly #sim: Simulator
  readonly #slot: number
  readonly #expired: (one: T) => void
  size = 0

  constructor(sim: Simulator, name: string, expired: (one: T) => void) {
    this.#sim = sim
    this.#slot = sim.slot(name, this)
    this.#expired = expired
  }

  /** Puts it in, or elsewhere. */
  set(one: T, deadlineNs: number): void {
    if (one.waiting) this.remove(one)
    one.deadlineNs = deadlineNs
    let at = this.#last
    while (at !== undefined && at.deadlineNs > deadlineNs) at = at.earlier
    one.earlier = at
    one.later = at === undefined ? this.#first : at.later
    if (one.later) one.later.earlier = one
    else this.#last = one
    if (at) at.later = one
    else {
      this.#first = one
      this.#sim.arm(this.#slot, deadlineNs)
    }
    one.waiting = true
    this.size++
  }

  remove(one: T): void {
    if (!one.waiting) return
    if (one.earlier) one.earlier.later = one.later
    else this.#first = one.later
    if (one.later) one.later.earlier = one.earlier
    else this.#last = one.earlier
    one.earlier = undefined
    one.later = undefined
    one.waiting = false
    this.size--
  }

  /** The slot's event. */
  fire(): void {
    const now = this.#sim.nowNs
    while (this.#first !== undefined && this.#first.deadlineNs <= now) {
      const one = this.#first as T
      this.remove(one)
      this.#expired(one)
    }
    if (this.#first !== undefined) this.#sim.arm(this.#slot, this.#first.deadlineNs)
  }

  /** Nothing expires any more. */
  destroy(): void {
    this.#sim.release(this.#slot)
  }
}

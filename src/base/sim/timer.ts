/** One-shot timers, and repeating ones built of them by their owners. */
import type { Simulator, Target } from './simulator.ts'

/** A one-shot timer. Arming moves it; cancelled, it never fires. It keeps a slot of the queue until `destroy`. */
export class Timer {
  readonly #sim: Simulator
  readonly #slot: number

  /** @param onExpire an object with `fire`, or a function */
  constructor(sim: Simulator, name: string, onExpire: Target | (() => void)) {
    this.#sim = sim
    this.#slot = sim.slot(name, typeof onExpire === 'function' ? { fire: onExpire } : onExpire)
  }

  /** Whether it will fire. */
  get armed(): boolean {
    return this.#sim.due(this.#slot) !== Number.POSITIVE_INFINITY
  }

  /** When it will fire; Infinity if it won't. */
  get dueNs(): number {
    return this.#sim.due(this.#slot)
  }

  armAt(whenNs: number): void {
    this.#sim.arm(this.#slot, whenNs)
  }

  armAfter(delayNs: number): void {
    this.#sim.arm(this.#slot, this.#sim.nowNs + delayNs)
  }

  cancel(): void {
    this.#sim.disarm(this.#slot)
  }

  /** Gives the slot back. The timer must not be used afterwards. */
  destroy(): void {
    this.#sim.release(this.#slot)
  }
}

/** A timer of that name; see Timer. */
export function createTimer(sim: Simulator, name: string, onExpire: () => void): Timer {
  return new Timer(sim, name, onExpire)
}

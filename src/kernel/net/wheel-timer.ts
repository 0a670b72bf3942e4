/** A timer of the kernel's wheel, in jiffies. Linux 6.1 kernel/time/timer.c: mod_timer(), round_jiffies(). */
import { Timer } from '#base/sim'
import type { Host } from '#kernel/core'
import { HZ, jiffiesOf, wheelNs } from './jiffies.ts'

export class WheelTimer {
  readonly #host: Host
  readonly #timer: Timer
  /** Jiffies for which it was armed last; it may fire a little later. */
  expires = 0

  constructor(host: Host, name: string, fire: () => void) {
    this.#host = host
    this.#timer = new Timer(host.sim, name, fire)
  }

  get pending(): boolean {
    return this.#timer.armed
  }

  /** Arms it, or moves it. */
  at(expires: number): void {
    if (this.pending && this.expires === expires) return
    this.expires = expires
    this.#timer.armAt(wheelNs(this.#host, expires))
  }

  /** Arms it for so many jiffies from now. */
  after(jiffies: number): void {
    this.at(jiffiesOf(this.#host) + jiffies)
  }

  /** As `after`, on a whole second of jiffies if one is near enough. */
  afterRounded(jiffies: number): void {
    const now = jiffiesOf(this.#host)
    const exact = now + jiffies
    const rest = exact % HZ
    const rounded = rest < HZ / 4 ? exact - rest : exact - rest + HZ
    this.at(rounded > now ? rounded : exact)
  }

  cancel(): void {
    this.#timer.cancel()
  }

  /** For good. */
  destroy(): void {
    this.#timer.destroy()
  }

  /** Hundredths of a second that are left; 0 if it isn't armed. Linux 6.1 net/bridge/br_stp_timer.c: br_timer_value(). */
  get left(): number {
    return this.pending ? clockOf(Math.max(0, this.expires - jiffiesOf(this.#host))) : 0
  }
}

/** Jiffies as USER_HZ, and back. Linux 6.1 kernel/time/time.c: jiffies_to_clock_t(), clock_t_to_jiffies(). */
export function clockOf(jiffies: number): number {
  return Math.floor((jiffies * 100) / HZ)
}

export function jiffiesOfClock(clock: number): number {
  return Math.floor((clock * HZ) / 100)
}

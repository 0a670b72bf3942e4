/**
 * CLOCK_REALTIME as NTP steers it: each of its seconds lasts a little longer or shorter than one, and once in some years
 * one is there twice. Seconds that differ in nothing are passed over together.
 *
 * Linux 6.1 kernel/time/timekeeping.c: logarithmic_accumulation(), accumulate_nsecs_to_secs(), do_adjtimex().
 */
import type { Host, KernelHost, Timekeeper } from '#kernel/core'
import { ADJ_NANO, ADJ_SETOFFSET, Ntp, type Timex } from './ntp.ts'

const SECOND = 1_000_000_000

export class SteeredClock implements Timekeeper {
  readonly ntp: Ntp
  readonly #host: Host
  /** The running second, when it began in virtual time, and how long it lasts there. */
  #second: number
  #beganNs: number
  #lengthNs = SECOND

  constructor(host: Host) {
    this.#host = host
    this.ntp = new Ntp((text) => host.log(5, text))
    const { s, ns } = (host as KernelHost).realtime()
    this.#second = s
    this.#beganNs = host.sim.nowNs - ns
  }

  #settle(): void {
    const now = this.#host.sim.nowNs
    while (now >= this.#beganNs + this.#lengthNs) {
      if (this.ntp.quiet && this.#lengthNs === this.#plainLength()) {
        const seconds = Math.floor((now - this.#beganNs) / this.#lengthNs)
        this.#second += seconds
        this.#beganNs += seconds * this.#lengthNs
        this.ntp.errorGrows(seconds)
        continue
      }
      this.#beganNs += this.#lengthNs
      this.#second++
      const { leap, phaseNs } = this.ntp.secondOver(this.#second)
      this.#second += leap
      this.#lengthNs = this.#plainLength(phaseNs)
    }
  }

  /** What makes the clock faster makes its seconds shorter. */
  #plainLength(phaseNs = 0): number {
    return (SECOND * SECOND) / (SECOND + this.ntp.rateNs + phaseNs)
  }

  read(): { s: number; ns: number } {
    this.#settle()
    const ns = Math.floor(((this.#host.sim.nowNs - this.#beganNs) * SECOND) / this.#lengthNs)
    return { s: this.#second, ns: Math.min(ns, SECOND - 1) }
  }

  set(s: number, ns: number): void {
    this.#settle()
    this.#second = s
    this.#beganNs = this.#host.sim.nowNs - (ns * this.#lengthNs) / SECOND
  }

  adjust(given: object): { state: number; timex: object } | undefined {
    const timex = given as Partial<Timex> & { modes: number; sec?: number; usec?: number }
    const { s, ns } = this.read()
    if (timex.modes & ADJ_SETOFFSET && !(timex.modes & 0x8000)) {
      const more = (timex.usec ?? 0) * (timex.modes & ADJ_NANO ? 1 : 1000)
      if (more < 0 || more >= SECOND) return undefined
      const sum = ns + more
      this.set(s + (timex.sec ?? 0) + Math.floor(sum / SECOND), sum % SECOND)
    }
    const done = this.ntp.adjust(timex, s)
    if (!done) return undefined
    // A new rate holds from here on, not from the next second.
    const at = this.read()
    this.#lengthNs = this.#plainLength()
    this.set(at.s, at.ns)
    return done
  }
}

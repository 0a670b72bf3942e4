/**
 * The timer of a local APIC: counts down from what was written, at the bus clock over a divisor, once or again and again;
 * or interrupts when the TSC reaches a deadline.
 *
 * Intel 64 SDM volume 3, "APIC timer", figures "Divide configuration register" and "Local vector table".
 */
import { nsOfTicks, type TimeBase } from './time-base.ts'
import type { Tsc } from './tsc.ts'

// Registers, as offsets in the APIC's page.
export const LVT_TIMER = 0x320
export const INITIAL_COUNT = 0x380
export const CURRENT_COUNT = 0x390
export const DIVIDE_CONFIGURATION = 0x3e0

const MASKED = 1 << 16
const LVT_WRITABLE = 0x7_10ff

export type ApicTimerMode = 'one-shot' | 'periodic' | 'tsc-deadline'

export class ApicTimer {
  readonly busHz: number
  readonly #time: TimeBase
  readonly #tsc: Tsc | undefined
  #lvt = MASKED
  #initial = 0
  #divide = 0
  #startNs = 0
  #deadline = 0n
  /** Interrupts of the present count that have been told. */
  #told = 0

  /** @param tsc for TSC-deadline mode; absent: the CPU has none */
  constructor(time: TimeBase, busHz: number, tsc?: Tsc) {
    this.#time = time
    this.busHz = busHz
    this.#tsc = tsc
  }

  get mode(): ApicTimerMode {
    const bits = (this.#lvt >> 17) & 3
    return bits === 0 ? 'one-shot' : bits === 1 ? 'periodic' : 'tsc-deadline'
  }

  get vector(): number {
    return this.#lvt & 0xff
  }

  get masked(): boolean {
    return (this.#lvt & MASKED) !== 0
  }

  /** 1 to 128: bits 3, 1 and 0; 111 is by one. */
  get divisor(): number {
    const bits = ((this.#divide & 8) >> 1) | (this.#divide & 3)
    return bits === 7 ? 1 : 2 << bits
  }

  /** Counts since it began. */
  #counts(): number {
    const ns = this.#time.nowNs - this.#startNs
    const s = Math.floor(ns / 1e9)
    const hz = this.busHz / this.divisor
    return Math.floor(s * hz) + Math.floor(((ns - s * 1e9) * hz) / 1e9)
  }

  read(at: number): number {
    switch (at) {
      case LVT_TIMER:
        return this.#lvt
      case INITIAL_COUNT:
        return this.mode === 'tsc-deadline' ? 0 : this.#initial
      case CURRENT_COUNT:
        return this.current
      case DIVIDE_CONFIGURATION:
        return this.#divide
      default:
        return 0
    }
  }

  get current(): number {
    if (this.mode === 'tsc-deadline' || this.#initial === 0) return 0
    const counts = this.#counts()
    if (this.mode === 'one-shot') return Math.max(0, this.#initial - counts)
    return this.#initial - (counts % this.#initial)
  }

  write(at: number, value: number): void {
    if (at === LVT_TIMER) {
      const before = this.mode
      this.#lvt = value & LVT_WRITABLE
      // To and from TSC-deadline mode, what was armed is disarmed.
      if ((before === 'tsc-deadline') !== (this.mode === 'tsc-deadline')) {
        this.#initial = 0
        this.#deadline = 0n
      }
    } else if (at === INITIAL_COUNT) {
      if (this.mode === 'tsc-deadline') return
      this.#initial = value >>> 0
      this.#startNs = this.#time.nowNs
      this.#told = 0
    } else if (at === DIVIDE_CONFIGURATION) {
      const left = this.current
      this.#divide = value & 0xb
      if (this.#initial === 0) return
      // It goes on from where it is, at the new rate.
      this.#startNs = this.#time.nowNs - nsOfTicks(this.#initial - left, this.busHz / this.divisor)
    }
  }

  /** WRMSR to IA32_TSC_DEADLINE; 0 disarms. Ignored in another mode. */
  writeDeadline(value: bigint): void {
    if (this.mode === 'tsc-deadline' && this.#tsc) this.#deadline = value
  }

  /** It is 0 again when the interrupt has come. */
  readDeadline(): bigint {
    if (this.mode !== 'tsc-deadline') return 0n
    if (this.#deadline !== 0n && this.#tsc!.read() >= this.#deadline && this.#told > 0) return 0n
    return this.#deadline
  }

  /** When it interrupts next; Infinity if it won't. */
  nextInterruptNs(): number {
    if (this.masked) return Number.POSITIVE_INFINITY
    if (this.mode === 'tsc-deadline') {
      return this.#deadline === 0n ? Number.POSITIVE_INFINITY : this.#tsc!.nsOf(this.#deadline)
    }
    if (this.#initial === 0) return Number.POSITIVE_INFINITY
    if (this.mode === 'one-shot' && this.#told > 0) return Number.POSITIVE_INFINITY
    return this.#startNs + nsOfTicks((this.#told + 1) * this.#initial, this.busHz / this.divisor)
  }

  /** Whether an interrupt has come up to now that wasn't asked for yet: several count as one, as in the IRR. */
  takeInterrupt(): boolean {
    if (this.nextInterruptNs() > this.#time.nowNs) return false
    if (this.mode === 'tsc-deadline') {
      this.#deadline = 0n
    } else this.#told = this.mode === 'periodic' ? Math.floor(this.#counts() / this.#initial) : 1
    return true
  }
}

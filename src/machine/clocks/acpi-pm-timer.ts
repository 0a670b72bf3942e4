/**
 * The ACPI power management timer: a counter of 24 or 32 bits at 3.579545 MHz that is only read, and a status bit (with
 * an interrupt, the SCI) for each change of its highest bit.
 *
 * ACPI 6.4 section 4.8.3.3, "Power Management Timer"; 4.8.4.1 for PM1 status and enable.
 */
import { nsOfTicks, type TimeBase, ticksOf } from './time-base.ts'

export const PM_TIMER_HZ = 3_579_545
/** PM1 status and enable: TMR_STS, TMR_EN. */
const TMR = 1

export class AcpiPmTimer {
  readonly bits: 24 | 32
  readonly #time: TimeBase
  #enable = 0
  #other = 0
  /** The tick whose change of the highest bit sets the status next. */
  #overflowTick: number
  #half: number

  constructor(time: TimeBase, bits: 24 | 32 = 24) {
    this.#time = time
    this.bits = bits
    this.#half = 2 ** (bits - 1)
    this.#overflowTick = this.#half
  }

  #ticks(): number {
    return ticksOf(this.#time.nowNs, PM_TIMER_HZ)
  }

  /** PM_TMR. */
  read(): number {
    return this.#ticks() % 2 ** this.bits
  }

  /** PM1_STS. */
  readStatus(): number {
    return this.#ticks() >= this.#overflowTick ? TMR : 0
  }

  /** PM1_STS: bits are cleared by writing ones. */
  writeStatus(value: number): void {
    if ((value & this.readStatus() & TMR) === 0) return
    this.#overflowTick = (Math.floor(this.#ticks() / this.#half) + 1) * this.#half
  }

  /** PM1_EN. */
  readEnable(): number {
    return this.#enable | this.#other
  }

  writeEnable(value: number): void {
    this.#enable = value & TMR
    this.#other = value & 0xfffe
  }

  /** Whether the SCI is asked for. */
  get sci(): boolean {
    return (this.readStatus() & this.#enable & TMR) !== 0
  }

  /** When the SCI comes; Infinity while it isn't enabled. */
  nextSciNs(): number {
    return this.#enable === 0 ? Number.POSITIVE_INFINITY : nsOfTicks(this.#overflowTick, PM_TIMER_HZ)
  }
}

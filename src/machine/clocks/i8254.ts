/**
 * The programmable interval timer: three counters that count down at 1.193182 MHz, and port 61h beside them, through
 * which counter 2 is gated and heard. A counter isn't stepped: what it holds is computed from when it was loaded.
 *
 * Intel 8254 data sheet (231164), "Programming the 8254", "Mode definitions"; here a count that was written is taken at
 * once, not at the next pulse.
 */
import { nsOfTicks, type TimeBase, ticksOf } from './time-base.ts'

export const PIT_HZ = 1_193_182

/** Which bytes of a count are written and read: RW1 and RW0 of the control word. */
const LATCH = 0
const LOW = 1
const HIGH = 2
const BOTH = 3

/** One of the three. */
export class PitCounter {
  mode = 0
  bcd = false
  /** RW1, RW0. */
  access = BOTH
  gate: boolean
  readonly #time: TimeBase
  /** The count register: 1 to 65536, in BCD to 10000. */
  #count = 0x10000
  /** When what it counts began; undefined: it waits for a count, or for a trigger. */
  #startNs: number | undefined = undefined
  /** What had been counted when the gate went low. */
  #pausedNs: number | undefined = undefined
  /** What the counting element holds while it doesn't count. */
  #rest = 0
  #nullCount = true
  /** A count of modes 2 and 3 that is taken when the running period ends. */
  #next: number | undefined = undefined
  /** How many periods of the old count there are until then. */
  #nextAtPeriod = 0
  #latched: number | undefined = undefined
  #status: number | undefined = undefined
  #latchedHigh = false
  #highNext = false
  #writeLow: number | undefined = undefined

  constructor(time: TimeBase, gate: boolean) {
    this.#time = time
    this.gate = gate
  }

  get period(): number {
    return this.#count
  }

  control(value: number): void {
    this.access = (value >> 4) & 3
    const mode = (value >> 1) & 7
    this.#rest = this.value()
    this.mode = mode > 5 ? mode - 4 : mode // X10 and X11: the first bit doesn't count.
    this.bcd = (value & 1) !== 0
    this.#nullCount = true
    this.#startNs = undefined
    this.#pausedNs = undefined
    this.#next = undefined
    this.#latched = undefined
    this.#latchedHigh = false
    this.#status = undefined
    this.#highNext = false
    this.#writeLow = undefined
  }

  latch(): void {
    this.#latched ??= this.value()
  }

  latchStatus(): void {
    this.#status ??=
      (this.out() ? 0x80 : 0) |
      (this.#nullCount ? 0x40 : 0) |
      (this.access << 4) |
      (this.mode << 1) |
      (this.bcd ? 1 : 0)
  }

  read(): number {
    if (this.#status !== undefined) {
      const status = this.#status
      this.#status = undefined
      return status
    }
    if (this.#latched !== undefined) {
      // What is latched is read from its low byte on, wherever reading stood before.
      const whole = this.#latched
      const high = this.access === HIGH || this.#latchedHigh
      this.#latchedHigh = this.access === BOTH && !this.#latchedHigh
      if (!this.#latchedHigh) this.#latched = undefined
      return high ? whole >> 8 : whole & 0xff
    }
    const whole = this.value()
    const high = this.access === HIGH || (this.access === BOTH && this.#highNext)
    if (this.access === BOTH) this.#highNext = !this.#highNext
    return high ? whole >> 8 : whole & 0xff
  }

  write(value: number): void {
    if (this.access === LOW) this.#load(value)
    else if (this.access === HIGH) this.#load(value << 8)
    else if (this.#writeLow === undefined) {
      this.#writeLow = value
      // Mode 0 stops at the first byte.
      if (this.mode === 0) {
        this.#rest = this.value()
        this.#startNs = undefined
        this.#nullCount = true
      }
    } else {
      this.#load(this.#writeLow | (value << 8))
      this.#writeLow = undefined
    }
  }

  #load(written: number): void {
    const count = this.bcd ? fromBcd(written) || 10_000 : written || 0x10000
    this.#nullCount = false
    if ((this.mode === 2 || this.mode === 3) && this.#startNs !== undefined) {
      this.#nextAtPeriod = Math.floor(this.#pulses() / this.#count) + 1
      this.#next = count
      return
    }
    if ((this.mode === 1 || this.mode === 5) && this.#startNs !== undefined) {
      this.#next = count // The next trigger's.
      return
    }
    this.#count = count
    if (this.mode === 1 || this.mode === 5) return // Counts from a trigger on.
    this.#startNs = this.#time.nowNs
    this.#pausedNs = this.gate ? undefined : 0
  }

  setGate(high: boolean): void {
    if (high === this.gate) return
    this.#settle()
    const counted = this.#elapsedNs()
    this.gate = high
    const { nowNs } = this.#time
    if (this.mode === 1 || this.mode === 5) {
      if (!high || this.#nullCount) return
      this.#count = this.#next ?? this.#count
      this.#next = undefined
      this.#startNs = nowNs
    } else if (this.#startNs === undefined) return
    else if (!high) this.#pausedNs = counted
    else {
      // Modes 2 and 3 begin anew, 0 and 4 go on.
      const from = this.mode === 2 || this.mode === 3 ? 0 : (this.#pausedNs ?? 0)
      this.#pausedNs = undefined
      this.#startNs = nowNs - from
    }
  }

  #elapsedNs(): number {
    return this.#pausedNs ?? this.#time.nowNs - (this.#startNs ?? 0)
  }

  /** A count that waited for the end of a period, which is over. */
  #settle(): void {
    if (this.#next === undefined || this.#startNs === undefined || this.#pausedNs !== undefined) return
    if (this.mode !== 2 && this.mode !== 3) return
    const endNs = this.#startNs + nsOfTicks(this.#nextAtPeriod * this.#count, PIT_HZ)
    if (this.#time.nowNs < endNs) return
    this.#startNs = endNs
    this.#count = this.#next
    this.#next = undefined
  }

  /** Pulses since it began. */
  #pulses(): number {
    this.#settle()
    return ticksOf(this.#elapsedNs(), PIT_HZ)
  }

  /** What it would read at this moment, in binary or BCD. */
  value(): number {
    if (this.#startNs === undefined) return this.#rest
    const pulses = this.#pulses()
    const n = this.#count
    const around = this.bcd ? 10_000 : 0x10000
    let value: number
    if (this.mode === 2) value = n - (pulses % n)
    else if (this.mode === 3) {
      // By two; an odd count begins one lower, and its first half is one pulse longer.
      const even = n & ~1
      const at = pulses % n
      const first = (n + 1) >> 1
      value = even - 2 * (at < first ? at : at - first)
    } else value = (((n - pulses) % around) + around) % around
    value %= around
    return this.bcd ? toBcd(value) : value
  }

  /** Its output pin. */
  out(): boolean {
    if (this.#startNs === undefined) return this.mode !== 0
    const pulses = this.#pulses()
    const n = this.#count
    switch (this.mode) {
      case 0:
        return pulses >= n
      case 1:
        return pulses >= n
      case 2:
        return !this.gate || pulses % n !== n - 1
      case 3:
        return !this.gate || pulses % n < (n + 1) >> 1
      default:
        return pulses !== n
    }
  }

  /** When its output next rises, as IRQ 0 sees it; Infinity if never. */
  nextRiseNs(): number {
    if (this.#startNs === undefined || this.#pausedNs !== undefined) return Number.POSITIVE_INFINITY
    const pulses = this.#pulses()
    const n = this.#count
    const at = (ticks: number) => this.#startNs! + nsOfTicks(ticks, PIT_HZ)
    if (this.mode === 2 || this.mode === 3) return at((Math.floor(pulses / n) + 1) * n)
    const rise = this.mode === 4 || this.mode === 5 ? n + 1 : n
    return pulses < rise ? at(rise) : Number.POSITIVE_INFINITY
  }
}

export class I8254 {
  readonly counters: readonly [PitCounter, PitCounter, PitCounter]
  /** Port 61h bit 1: whether the speaker hears counter 2. */
  speaker = false
  readonly #time: TimeBase

  constructor(time: TimeBase) {
    this.#time = time
    this.counters = [new PitCounter(time, true), new PitCounter(time, true), new PitCounter(time, false)]
  }

  /** @param port 0 to 3, from 40h */
  read(port: number): number {
    return port === 3 ? 0 : this.counters[port as 0 | 1 | 2].read()
  }

  write(port: number, value: number): void {
    if (port !== 3) this.counters[port as 0 | 1 | 2].write(value & 0xff)
    else if (value >> 6 === 3) {
      // The read-back command: its bits are active when low.
      this.counters.forEach((counter, i) => {
        if ((value & (2 << i)) === 0) return
        if ((value & 0x20) === 0) counter.latch()
        if ((value & 0x10) === 0) counter.latchStatus()
      })
    } else {
      const counter = this.counters[((value >> 6) & 3) as 0 | 1 | 2]
      if (((value >> 4) & 3) === LATCH) counter.latch()
      else counter.control(value)
    }
  }

  /** NMI status and control: the gate, the speaker, the refresh toggle, the output of counter 2. */
  readPort61(): number {
    const refresh = Math.floor(this.#time.nowNs / 15_085) & 1 // Refresh requests every 15 us or so.
    const { gate } = this.counters[2]
    return (gate ? 1 : 0) | (this.speaker ? 2 : 0) | (refresh << 4) | (this.counters[2].out() ? 0x20 : 0)
  }

  writePort61(value: number): void {
    this.speaker = (value & 2) !== 0
    this.counters[2].setGate((value & 1) !== 0)
  }
}

export function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15)
}

export function toBcd(value: number): number {
  const digit = (n: number) => Math.floor(value / 10 ** n) % 10
  return (digit(3) << 12) | (digit(2) << 8) | (digit(1) << 4) | digit(0)
}

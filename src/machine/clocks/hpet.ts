/**
 * The High Precision Event Timer: a main counter that only goes up, and comparators that interrupt when it reaches them,
 * once or each time by an accumulator; in memory at FED00000h. What has happened is worked out at each access.
 *
 * IA-PC HPET specification 1.0a, sections 2.3 and 2.4.
 */
import type { TimeBase } from './time-base.ts'

// Registers; a comparator's block of 20h bytes begins at 100h.
export const HPET_ID = 0x00
export const HPET_PERIOD = 0x04
export const HPET_CONFIG = 0x10
export const HPET_STATUS = 0x20
export const HPET_COUNTER = 0xf0
export const HPET_TIMERS = 0x100

const ENABLE = 1n
const LEGACY = 2n

const LEVEL = 1n << 1n
const INTERRUPT = 1n << 2n
const PERIODIC = 1n << 3n
const PERIODIC_CAPABLE = 1n << 4n
const WIDE_CAPABLE = 1n << 5n
const SET_VALUE = 1n << 6n
const NARROW = 1n << 8n
const ROUTE = 0x1fn << 9n
const FSB = 1n << 14n
const FSB_CAPABLE = 1n << 15n
const WRITABLE = LEVEL | INTERRUPT | PERIODIC | SET_VALUE | NARROW | ROUTE | FSB

const LOW_HALF = 0xffff_ffffn
const ALL = 0xffff_ffff_ffff_ffffn

export interface HpetOptions {
  /** Of the main counter, fs; 10,000,000 is 100 MHz. */
  periodFs?: number
  comparators?: number
  vendor?: number
  /** Whether comparators can write a message instead of pulling a line. */
  fsb?: boolean
  /** The I/O APIC's inputs that a comparator may be routed to, as a mask. */
  routes?: number
  /** A main counter of 32 bits. */
  narrow?: boolean
}

interface Comparator {
  config: bigint
  value: bigint
  period: bigint
  fsb: bigint
  /** The main counter's value at which it is next reached; undefined: not armed. */
  due: bigint | undefined
}

/** What a comparator that was reached does. */
export interface HpetInterrupt {
  comparator: number
  /** A line of the I/O APIC (or IRQ 0 and 8 under legacy replacement), or a message. */
  to: { line: number } | { address: number; data: number }
}

export class Hpet {
  readonly comparators: Comparator[]
  readonly #time: TimeBase
  readonly #periodFs: bigint
  readonly #capabilities: bigint
  readonly #mask: bigint
  #config = 0n
  #status = 0n
  /** The counter where it stands still, or stood when it was enabled. */
  #counter = 0n
  #enabledNs = 0
  /** Told of what interrupts, as far as somebody asks. */
  readonly pending: HpetInterrupt[] = []

  constructor(time: TimeBase, options: HpetOptions = {}) {
    const { periodFs = 10_000_000, comparators = 3, vendor = 0x8086, fsb = false, routes = 4, narrow = false } = options
    this.#time = time
    this.#periodFs = BigInt(periodFs)
    const wide = narrow ? 0n : 1n << 13n
    this.#capabilities =
      (this.#periodFs << 32n) | (BigInt(vendor) << 16n) | (1n << 15n) | wide | BigInt((comparators - 1) << 8) | 1n
    this.#mask = narrow ? LOW_HALF : ALL
    const config = (BigInt(routes) << 32n) | PERIODIC_CAPABLE | (narrow ? 0n : WIDE_CAPABLE) | (fsb ? FSB_CAPABLE : 0n)
    this.comparators = Array.from({ length: comparators }, () => ({
      config,
      value: ALL,
      period: 0n,
      fsb: 0n,
      due: undefined,
    }))
  }

  get hz(): number {
    return Number(1_000_000_000_000_000n / this.#periodFs)
  }

  get enabled(): boolean {
    return (this.#config & ENABLE) !== 0n
  }

  /** Comparator 0 stands for the PIT (IRQ 0, input 2), comparator 1 for the RTC (IRQ 8). */
  get legacy(): boolean {
    return (this.#config & LEGACY) !== 0n
  }

  /** The main counter. */
  get counter(): bigint {
    if (!this.enabled) return this.#counter
    const passed = (BigInt(this.#time.nowNs - this.#enabledNs) * 1_000_000n) / this.#periodFs
    return (this.#counter + passed) & this.#mask
  }

  /** 32 bits at a multiple of 4. */
  read(at: number): number {
    this.catchUp()
    const whole = this.#whole(at & ~7)
    return Number((at & 4 ? whole >> 32n : whole) & LOW_HALF)
  }

  /** 64 bits at a multiple of 8. */
  read64(at: number): bigint {
    this.catchUp()
    return this.#whole(at)
  }

  #whole(at: number): bigint {
    if (at >= HPET_TIMERS) {
      const comparator = this.comparators[(at - HPET_TIMERS) >> 5]
      if (!comparator) return 0n
      const register = (at - HPET_TIMERS) & 0x1f
      return register === 0
        ? comparator.config
        : register === 8
          ? comparator.value
          : register === 16
            ? comparator.fsb
            : 0n
    }
    switch (at) {
      case HPET_ID:
        return this.#capabilities
      case HPET_CONFIG:
        return this.#config
      case HPET_STATUS:
        return this.#status
      case HPET_COUNTER:
        return this.counter
      default:
        return 0n
    }
  }

  write(at: number, value: number): void {
    this.catchUp()
    const data = BigInt(value >>> 0)
    const high = (at & 4) !== 0
    if (at >= HPET_TIMERS) {
      const index = (at - HPET_TIMERS) >> 5
      const comparator = this.comparators[index]
      if (comparator) this.#writeComparator(index, comparator, (at - HPET_TIMERS) & 0x18, high, data)
    } else if (at === HPET_CONFIG) this.#writeConfig(data & (ENABLE | LEGACY))
    else if (at === HPET_STATUS) this.#status &= ~data
    else if ((at & ~7) === HPET_COUNTER && !this.enabled) this.#counter = half(this.#counter, high, data) & this.#mask
  }

  #writeConfig(config: bigint): void {
    const was = this.enabled
    const counter = this.counter
    this.#config = config
    if (!was && this.enabled) {
      this.#enabledNs = this.#time.nowNs
      for (const comparator of this.comparators) if (comparator.value !== ALL) this.#arm(comparator)
    } else if (was && !this.enabled) {
      this.#counter = counter
      this.#status = 0n
      for (const comparator of this.comparators) comparator.due = undefined
    }
  }

  #writeComparator(index: number, comparator: Comparator, register: number, high: boolean, data: bigint): void {
    if (register === 0 && !high) {
      const old = comparator.config
      comparator.config = (old & ~WRITABLE) | (data & WRITABLE)
      if ((comparator.config & NARROW) !== 0n) {
        comparator.value &= LOW_HALF
        comparator.period &= LOW_HALF
      }
      const on = (comparator.config & INTERRUPT) !== 0n
      if (on && (old & INTERRUPT) === 0n) this.#arm(comparator)
      else if (!on && (old & INTERRUPT) !== 0n) {
        comparator.due = undefined
        this.#status &= ~(1n << BigInt(index))
      }
    } else if (register === 8) {
      const periodic = (comparator.config & PERIODIC) !== 0n
      const setsValue = !periodic || (comparator.config & SET_VALUE) !== 0n
      if (setsValue) comparator.value = half(comparator.value, high, data)
      // With SET_VALUE the first write is of the comparator, and of the period too when it is the low half.
      if (periodic && (!high || !setsValue))
        comparator.period = half(comparator.period, high, data & (high ? LOW_HALF >> 1n : LOW_HALF))
      if ((comparator.config & NARROW) !== 0n) {
        comparator.value &= LOW_HALF
        comparator.period &= LOW_HALF >> 1n
      }
      comparator.config &= ~SET_VALUE
      if (this.enabled) this.#arm(comparator)
    } else if (register === 16) comparator.fsb = half(comparator.fsb, high, data)
  }

  /** Finds the counter's value at which a comparator is next reached: one that has been passed is reached at once. */
  #arm(comparator: Comparator): void {
    if (!this.enabled) return
    const now = this.counter
    const width = this.#widthOf(comparator)
    const ahead = BigInt.asIntN(width, comparator.value - now)
    comparator.due = now + (ahead > 0n ? ahead : 1n)
  }

  #widthOf(comparator: Comparator): number {
    return (comparator.config & NARROW) !== 0n || this.#mask === LOW_HALF ? 32 : 64
  }

  /** Works out which comparators have been reached since the last time. */
  catchUp(): void {
    if (!this.enabled) return
    const now = this.counter
    this.comparators.forEach((comparator, index) => {
      const { due } = comparator
      if (due === undefined || due > now) return
      comparator.due = undefined
      if ((comparator.config & PERIODIC) !== 0n && comparator.period > 0n) {
        // The accumulator goes on in whole periods; it is moved in the tick after the one that it was reached in.
        const width = this.#widthOf(comparator)
        const behind = BigInt.asIntN(width, now - comparator.value)
        if (behind > 0n) {
          const periods = (behind + comparator.period - 1n) / comparator.period
          comparator.value = BigInt.asUintN(width, comparator.value + periods * comparator.period)
        }
        this.#arm(comparator)
      }
      this.#reached(index, comparator)
    })
  }

  #reached(index: number, comparator: Comparator): void {
    if ((comparator.config & INTERRUPT) === 0n) return
    if ((comparator.config & LEVEL) !== 0n && (comparator.config & FSB) === 0n) this.#status |= 1n << BigInt(index)
    const line = this.legacy && index < 2 ? (index === 0 ? 0 : 8) : Number((comparator.config & ROUTE) >> 9n)
    const message = { address: Number(comparator.fsb >> 32n), data: Number(comparator.fsb & LOW_HALF) }
    this.pending.push({ comparator: index, to: (comparator.config & FSB) !== 0n ? message : { line } })
    if (this.pending.length > 64) this.pending.shift()
  }

  /** When a comparator that interrupts is next reached; Infinity if none. */
  nextInterruptNs(): number {
    this.catchUp()
    let next = Number.POSITIVE_INFINITY
    for (const { due, config } of this.comparators) {
      if (due === undefined || (config & INTERRUPT) === 0n) continue
      const fs = (due - this.#counter) * this.#periodFs
      next = Math.min(next, this.#enabledNs + Number((fs + 999_999n) / 1_000_000n))
    }
    return next
  }
}

function half(whole: bigint, high: boolean, data: bigint): bigint {
  return high ? (whole & LOW_HALF) | (data << 32n) : (whole & (LOW_HALF << 32n)) | data
}

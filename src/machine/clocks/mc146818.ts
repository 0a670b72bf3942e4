/**
 * The real-time clock: a calendar in 128 bytes of CMOS memory behind ports 70h and 71h, with an alarm, an interrupt at
 * each second's update, and one at a power-of-two rate. Nothing runs: what has happened is worked out at each access.
 *
 * Motorola MC146818A data sheet, "Registers"; Dallas DS12887 for the date's century, as PCs have it at 32h.
 */
import { civilOfDays, daysOfCivil } from '#base/text'
import { drifted, type TimeBase } from './time-base.ts'

const SECONDS = 0
const SECONDS_ALARM = 1
const MINUTES = 2
const MINUTES_ALARM = 3
const HOURS = 4
const HOURS_ALARM = 5
const DAY_OF_WEEK = 6
const DAY = 7
const MONTH = 8
const YEAR = 9
const A = 10
const B = 11
const C = 12
const D = 13
const CENTURY = 0x32
/** Where PS/2 machines had the century. */
const CENTURY_PS2 = 0x37
const TIME_REGISTERS = new Set([SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY, MONTH, YEAR, CENTURY])

/** Register A. */
const UIP = 0x80
/** Register B. */
const SET = 0x80
const PIE = 0x40
const UIE = 0x10
const BINARY = 0x04
const HOURS_24 = 0x02
/** Register C, with the enabling bits of B in the same places. */
const IRQF = 0x80
const PF = 0x40
const AF = 0x20
const UF = 0x10
/** Register D: the battery is good. */
const VALID = 0x80

const SECOND = 1e9
/** An update is announced 244 us before it comes. */
const UIP_NS = Math.floor((8 * SECOND) / 32_768)
const CRYSTAL_HZ = 32_768
const DAY_S = 86_400

export interface Calendar {
  year: number
  /** 1 to 12. */
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

export class Mc146818 {
  readonly #time: TimeBase
  readonly #ram = new Uint8Array(128)
  readonly #ppm: number
  #index = 0
  /** What its calendar is ahead of virtual time; of its own seconds since 1970, ns. */
  #aheadS: number
  #aheadNs: number
  /** Until when all that happens by itself has been worked out. */
  #doneS: number
  /** Of the crystal, when the next periodic interrupt is due, and how long a period is; 0: none. */
  #nextTick = 0
  #period = 0

  /** @param epochS what its calendar shows at virtual time zero, seconds since 1970 */
  constructor(time: TimeBase, epochS: number, ppm = 0) {
    this.#time = time
    this.#ppm = ppm
    this.#aheadS = epochS
    this.#aheadNs = 0
    this.#ram[A] = 0x26
    this.#ram[B] = HOURS_24
    this.#ram[D] = VALID
    this.#writeCalendar(this.#now().s)
    this.#doneS = this.#now().s
  }

  readIndex(): number {
    return 0xff // Can't be read on a PC.
  }

  writeIndex(value: number): void {
    this.#index = value & 0x7f
  }

  readData(): number {
    return this.read(this.#index)
  }

  writeData(value: number): void {
    this.write(this.#index, value)
  }

  read(register: number): number {
    const at = register === CENTURY_PS2 ? CENTURY : register
    this.#catchUp()
    if (TIME_REGISTERS.has(at)) {
      if (this.running) this.#writeCalendar(this.#now().s)
    } else if (at === A) {
      return this.#ram[A]! | (this.running && this.#now().ns >= SECOND - UIP_NS ? UIP : 0)
    } else if (at === C) {
      const flags = this.#ram[C]!
      this.#ram[C] = 0
      return flags
    }
    return this.#ram[at]!
  }

  write(register: number, value: number): void {
    const at = register === CENTURY_PS2 ? CENTURY : register
    this.#catchUp()
    if (at === A) this.#writeA(value)
    else if (at === B) this.#writeB(value)
    else if (at === C || at === D) return
    else {
      const isTime = TIME_REGISTERS.has(at)
      if (isTime && this.running) this.#writeCalendar(this.#now().s)
      this.#ram[at] = value
      if (isTime && this.running) this.#takeCalendar(this.#now().ns)
    }
  }

  /** Whether the calendar moves: SET is clear, and the divider counts. */
  get running(): boolean {
    return (this.#ram[B]! & SET) === 0 && (this.#ram[A]! & 0x70) <= 0x20
  }

  /** Its interrupt line: IRQF. */
  get irq(): boolean {
    this.#catchUp()
    return (this.#ram[C]! & IRQF) !== 0
  }

  /** A register as it stands, without what a read does; for who looks in from outside. */
  peek(register: number): number {
    this.#catchUp()
    if (TIME_REGISTERS.has(register) && this.running) this.#writeCalendar(this.#now().s)
    return this.#ram[register]!
  }

  /** The time that it keeps. */
  calendar(): Calendar {
    if (this.running) this.#writeCalendar(this.#now().s)
    return this.#readCalendar()
  }

  /** Its clock: seconds since 1970, and the fraction. */
  #now(): { s: number; ns: number } {
    const ns = drifted(this.#time.nowNs, this.#ppm) + this.#aheadNs
    const s = Math.floor(ns / SECOND)
    return { s: this.#aheadS + s, ns: ns - s * SECOND }
  }

  #tick(): number {
    const ns = this.#time.nowNs
    const s = Math.floor(ns / SECOND)
    return s * CRYSTAL_HZ + Math.floor(((ns - s * SECOND) * CRYSTAL_HZ) / SECOND)
  }

  #writeA(value: number): void {
    const wasReset = (this.#ram[A]! & 0x60) === 0x60
    const isReset = (value & 0x60) === 0x60
    if (isReset && this.running) this.#writeCalendar(this.#now().s)
    const rate = (this.#ram[A]! ^ value) & 0x0f
    const before = this.#period
    this.#ram[A] = value & ~UIP
    // When the divider is let go, the first update is half a second away.
    if (wasReset && !isReset && this.running) this.#takeCalendar(SECOND / 2)
    if (wasReset !== isReset) this.#doneS = this.#now().s
    if (rate !== 0) this.#setPeriod(before)
  }

  #writeB(value: number): void {
    let data = value
    const old = this.#ram[B]!
    if (data & SET) {
      if (this.running) this.#writeCalendar(this.#now().s)
      data &= ~UIE
    }
    this.#ram[B] = data
    if ((old & SET) !== 0 && this.running) this.#takeCalendar(this.#now().ns)
    // What is pending interrupts as soon as it is enabled.
    if (data & this.#ram[C]! & (PF | AF | UF)) this.#ram[C]! |= IRQF
    else this.#ram[C]! &= ~IRQF
    if ((old ^ data) & PIE) this.#setPeriod(0)
  }

  /** The rate or its enabling changed; what has passed of the old period counts. */
  #setPeriod(before: number): void {
    const code = this.#ram[A]! & 0x0f
    const on = (this.#ram[B]! & PIE) !== 0 && code !== 0
    this.#period = on ? 1 << ((code <= 2 ? code + 7 : code) - 1) : 0
    if (!on) return
    const tick = this.#tick()
    const passed = before > 0 ? Math.min(tick - (this.#nextTick - before), this.#period) : 0
    this.#nextTick = tick + this.#period - passed
  }

  /** Works out what has happened since the last access. */
  #catchUp(): void {
    if (this.#period > 0) {
      const now = this.#time.nowNs
      if (now >= dueNs(this.#nextTick)) {
        this.#nextTick += Math.max(1, Math.floor((this.#tick() - this.#nextTick) / this.#period)) * this.#period
        while (dueNs(this.#nextTick) <= now) this.#nextTick += this.#period
        this.#ram[C]! |= PF | IRQF
      }
    }
    const { s } = this.#now()
    if (s === this.#doneS) return
    const from = Math.max(this.#doneS + 1, s - DAY_S + 1)
    const stopped = (this.#ram[A]! & 0x60) === 0x60
    this.#doneS = s
    if (stopped || s < from) return
    const flags = this.#alarmWithin(from, s) ? UF | AF : UF
    const fresh = flags & ~this.#ram[C]!
    this.#ram[C]! |= flags
    if (fresh & this.#ram[B]!) this.#ram[C]! |= IRQF
  }

  /** Whether the alarm's three bytes match at one of these seconds; 11xxxxxx matches all. */
  #alarmWithin(from: number, to: number): boolean {
    if ((this.#ram[C]! & AF) !== 0) return true
    const want = (at: number): number | undefined => {
      const raw = this.#ram[at]!
      return (raw & 0xc0) === 0xc0 ? undefined : at === HOURS_ALARM ? this.#hours(raw) : this.#number(raw)
    }
    const hour = want(HOURS_ALARM)
    const minute = want(MINUTES_ALARM)
    const second = want(SECONDS_ALARM)
    for (let s = from; s <= to; s++) {
      const day = ((s % DAY_S) + DAY_S) % DAY_S
      if (second !== undefined && day % 60 !== second) continue
      if (minute !== undefined && Math.floor(day / 60) % 60 !== minute) continue
      if (hour === undefined || Math.floor(day / 3600) === hour) return true
    }
    return false
  }

  #number(raw: number): number {
    return this.#ram[B]! & BINARY ? raw : (raw >> 4) * 10 + (raw & 15)
  }

  #raw(value: number): number {
    return this.#ram[B]! & BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10)
  }

  /** An hour as the register has it: 24 of them, or 12 with the afternoon in bit 7. */
  #hours(raw: number): number {
    if (this.#ram[B]! & HOURS_24) return this.#number(raw)
    return (this.#number(raw & 0x7f) % 12) + (raw & 0x80 ? 12 : 0)
  }

  #readCalendar(): Calendar {
    const number = (at: number) => this.#number(this.#ram[at]!)
    return {
      year: number(CENTURY) * 100 + number(YEAR),
      month: number(MONTH),
      day: number(DAY),
      hour: this.#hours(this.#ram[HOURS]!),
      minute: number(MINUTES),
      second: number(SECONDS),
    }
  }

  #writeCalendar(s: number): void {
    const days = Math.floor(s / DAY_S)
    const ofDay = s - days * DAY_S
    const { year, month, day } = civilOfDays(days)
    const hour = Math.floor(ofDay / 3600)
    const ram = this.#ram
    ram[SECONDS] = this.#raw(ofDay % 60)
    ram[MINUTES] = this.#raw(Math.floor(ofDay / 60) % 60)
    if (ram[B]! & HOURS_24) ram[HOURS] = this.#raw(hour)
    else ram[HOURS] = this.#raw(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0)
    ram[DAY_OF_WEEK] = this.#raw(((((days + 4) % 7) + 7) % 7) + 1)
    ram[DAY] = this.#raw(day)
    ram[MONTH] = this.#raw(month)
    ram[YEAR] = this.#raw(((year % 100) + 100) % 100)
    ram[CENTURY] = this.#raw(Math.floor(year / 100))
  }

  /** The registers are the time from now on, with that fraction of a second. */
  #takeCalendar(fractionNs: number): void {
    const { year, month, day, hour, minute, second } = this.#readCalendar()
    const s = daysOfCivil(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second
    const ns = drifted(this.#time.nowNs, this.#ppm)
    const whole = Math.floor(ns / SECOND)
    this.#aheadNs = fractionNs - (ns - whole * SECOND)
    this.#aheadS = s - whole
    this.#doneS = s
  }
}

/** A tick of the crystal counts in the nanosecond after it. */
function dueNs(tick: number): number {
  const s = Math.floor(tick / CRYSTAL_HZ)
  return s * SECOND + Math.floor(((tick - s * CRYSTAL_HZ) * SECOND) / CRYSTAL_HZ) + 1
}

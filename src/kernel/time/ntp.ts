/**
 * The kernel's part of NTP: a frequency and a phase that a daemon sets by adjtimex(2), worked off second by second, and
 * leap seconds. Numbers as the kernel keeps them: ns and millionths scaled by 2^32 and 2^16.
 *
 * Linux 6.1 kernel/time/ntp.c; include/uapi/linux/timex.h; RFC 5905 for the clock discipline.
 */

// Modes.
export const ADJ_OFFSET = 0x0001
export const ADJ_FREQUENCY = 0x0002
export const ADJ_MAXERROR = 0x0004
export const ADJ_ESTERROR = 0x0008
export const ADJ_STATUS = 0x0010
export const ADJ_TIMECONST = 0x0020
export const ADJ_TAI = 0x0080
export const ADJ_SETOFFSET = 0x0100
export const ADJ_MICRO = 0x1000
export const ADJ_NANO = 0x2000
export const ADJ_TICK = 0x4000
/** adjtime(3): a phase to work off at 500 us a second. */
export const ADJ_OFFSET_SINGLESHOT = 0x8001
export const ADJ_OFFSET_SS_READ = 0xa001

// Status.
export const STA_PLL = 0x0001
export const STA_FLL = 0x0008
export const STA_INS = 0x0010
export const STA_DEL = 0x0020
export const STA_UNSYNC = 0x0040
export const STA_FREQHOLD = 0x0080
export const STA_NANO = 0x2000
const STA_RONLY = 0xff00

// What adjtimex returns.
export const TIME_OK = 0
export const TIME_INS = 1
export const TIME_DEL = 2
export const TIME_OOP = 3
export const TIME_WAIT = 4
export const TIME_ERROR = 5

const MAXPHASE_NS = 500_000_000
const MAXFREQ_PPM = 500
const MAXTC = 10
const PHASE_LIMIT_US = 16_000_000
const SHIFT_PLL = 2
const SHIFT_FLL = 2
const MAXSEC = 2048
const MINSEC = 256
const MAX_TICKADJ_US = 500
const MAX_TAI = 100_000
const DAY_S = 86_400
const USER_TICK_US = 10_000

/** What adjtimex is given and gives back; what isn't given isn't changed. */
export interface Timex {
  modes: number
  offset: number
  /** Millionths, times 65536. */
  freq: number
  maxerror: number
  esterror: number
  status: number
  constant: number
  tick: number
  tai: number
}

export class Ntp {
  /** ns a second too few or too many, by frequency: what NTP has found the clock to be wrong by. */
  frequencyPpm = 0
  /** ns that are still to be worked off. */
  offsetNs = 0
  adjustUs = 0
  status = STA_UNSYNC
  maxerrorUs = PHASE_LIMIT_US
  esterrorUs = PHASE_LIMIT_US
  constant = 2
  tickUs = USER_TICK_US
  tai = 0
  state = TIME_OK
  #reference = 0
  #leapAt = Number.POSITIVE_INFINITY
  readonly #log: (text: string) => void

  constructor(log: (text: string) => void) {
    this.#log = log
  }

  /** Whether anything is to be done at a second's end. */
  get quiet(): boolean {
    return (
      this.offsetNs === 0 && this.adjustUs === 0 && this.state === TIME_OK && (this.status & (STA_INS | STA_DEL)) === 0
    )
  }

  /** By how many ns a second differs from one, apart from what is worked off. */
  get rateNs(): number {
    return this.frequencyPpm * 1000 + (this.tickUs - USER_TICK_US) * 100 * 1000
  }

  /** A second of the clock is over. @param second the one that begins. Returns the seconds to leap, and ns to work off in it */
  secondOver(second: number): { leap: number; phaseNs: number } {
    let leap = 0
    const remainder = ((second % DAY_S) + DAY_S) % DAY_S
    if (this.state === TIME_OK) {
      if (this.status & STA_INS) {
        this.state = TIME_INS
        this.#leapAt = second + DAY_S - remainder
      } else if (this.status & STA_DEL) {
        this.state = TIME_DEL
        this.#leapAt = second + DAY_S - ((second + 1) % DAY_S)
      }
    } else if (this.state === TIME_INS) {
      if ((this.status & STA_INS) === 0) this.#calm()
      else if (second === this.#leapAt) {
        leap = -1
        this.state = TIME_OOP
        this.#log('Clock: inserting leap second 23:59:60 UTC')
      }
    } else if (this.state === TIME_DEL) {
      if ((this.status & STA_DEL) === 0) this.#calm()
      else if (second === this.#leapAt) {
        leap = 1
        this.#leapAt = Number.POSITIVE_INFINITY
        this.state = TIME_WAIT
        this.#log('Clock: deleting leap second 23:59:59 UTC')
      }
    } else if (this.state === TIME_OOP) {
      this.#leapAt = Number.POSITIVE_INFINITY
      this.state = TIME_WAIT
    } else if ((this.status & (STA_INS | STA_DEL)) === 0) this.state = TIME_OK
    this.tai -= leap
    this.errorGrows(1)
    const chunk =
      this.status & STA_PLL ? this.offsetNs / 2 ** (SHIFT_PLL + this.constant) : this.offsetNs / 2 ** SHIFT_PLL
    const whole = Math.trunc(chunk)
    this.offsetNs -= whole
    let phaseNs = whole
    if (this.adjustUs !== 0) {
      const us = Math.max(-MAX_TICKADJ_US, Math.min(MAX_TICKADJ_US, this.adjustUs))
      this.adjustUs -= us
      phaseNs += us * 1000
    }
    if (whole === 0) this.offsetNs = 0
    return { leap, phaseNs }
  }

  /** Without news the error grows by 500 us a second; beyond 16 s the clock counts as unsynchronised. */
  errorGrows(seconds: number): void {
    this.maxerrorUs += 500 * seconds
    if (this.maxerrorUs <= PHASE_LIMIT_US) return
    this.maxerrorUs = PHASE_LIMIT_US
    this.status |= STA_UNSYNC
  }

  #calm(): void {
    this.#leapAt = Number.POSITIVE_INFINITY
    this.state = TIME_OK
  }

  /** adjtimex(2) but for the time: EINVAL is undefined. @param now the clock's second */
  adjust(timex: Partial<Timex> & { modes: number }, now: number): { state: number; timex: Timex } | undefined {
    const { modes } = timex
    if ((modes & 0x8000) !== 0) {
      if ((modes & ADJ_OFFSET) === 0) return undefined
      const before = this.adjustUs
      if (modes !== ADJ_OFFSET_SS_READ) this.adjustUs = timex.offset ?? 0
      return { state: this.#answer(), timex: { ...this.#read(modes), offset: before } }
    }
    if (modes & ADJ_TICK && !((timex.tick ?? 0) >= 9000 && (timex.tick ?? 0) <= 11_000)) return undefined
    if (modes & ADJ_STATUS) this.#setStatus(timex.status ?? 0, now)
    if (modes & ADJ_NANO) this.status |= STA_NANO
    if (modes & ADJ_MICRO) this.status &= ~STA_NANO
    if (modes & ADJ_FREQUENCY) this.frequencyPpm = clamp((timex.freq ?? 0) / 65_536, -MAXFREQ_PPM, MAXFREQ_PPM)
    if (modes & ADJ_MAXERROR) this.maxerrorUs = clamp(timex.maxerror ?? 0, 0, PHASE_LIMIT_US)
    if (modes & ADJ_ESTERROR) this.esterrorUs = clamp(timex.esterror ?? 0, 0, PHASE_LIMIT_US)
    if (modes & ADJ_TIMECONST) {
      const more = this.status & STA_NANO ? 0 : 4
      this.constant = clamp(clamp(timex.constant ?? 0, 0, MAXTC) + more, 0, MAXTC)
    }
    const tai = timex.constant ?? 0
    if (modes & ADJ_TAI && tai >= 0 && tai <= MAX_TAI) this.tai = tai
    if (modes & ADJ_OFFSET) this.#setOffset(timex.offset ?? 0, now)
    if (modes & ADJ_TICK) this.tickUs = timex.tick!
    return { state: this.#answer(), timex: this.#read(modes) }
  }

  #setStatus(status: number, now: number): void {
    if (this.status & STA_PLL && !(status & STA_PLL)) {
      this.state = TIME_OK
      this.status = STA_UNSYNC
      this.#leapAt = Number.POSITIVE_INFINITY
    }
    if (!(this.status & STA_PLL) && status & STA_PLL) this.#reference = now
    this.status = (this.status & STA_RONLY) | (status & ~STA_RONLY)
  }

  /** A measured offset: what it says of the frequency, and a phase to work off. */
  #setOffset(given: number, now: number): void {
    if (!(this.status & STA_PLL)) return
    const ns = clamp(this.status & STA_NANO ? given : clamp(given, -1e6, 1e6) * 1000, -MAXPHASE_NS, MAXPHASE_NS)
    let seconds = this.status & STA_FREQHOLD ? 0 : now - this.#reference
    this.#reference = now
    let ppb = 0
    if (seconds >= MINSEC && (this.status & STA_FLL || seconds > MAXSEC)) ppb += ns / 2 ** SHIFT_FLL / seconds
    seconds = Math.min(seconds, 1 << (SHIFT_PLL + 1 + this.constant))
    ppb += (ns * seconds) / 2 ** (2 * (SHIFT_PLL + 2 + this.constant))
    this.frequencyPpm = clamp(this.frequencyPpm + ppb / 1000, -MAXFREQ_PPM, MAXFREQ_PPM)
    this.offsetNs = ns
  }

  #answer(): number {
    return this.status & STA_UNSYNC ? TIME_ERROR : this.state
  }

  #read(modes: number): Timex {
    const offset = this.status & STA_NANO ? this.offsetNs : Math.trunc(this.offsetNs / 1000)
    return {
      modes,
      offset,
      freq: Math.round(this.frequencyPpm * 65_536),
      maxerror: this.maxerrorUs,
      esterror: this.esterrorUs,
      status: this.status,
      constant: this.constant,
      tick: this.tickUs,
      tai: this.tai,
    }
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value))
}

/**
 * The time stamp counter, one for each CPU, and what can be wrong with it: a rate that follows the CPU's frequency, a
 * stop in deep idle states, CPUs that began counting at other moments; and what a hypervisor does to it: an offset and
 * a scale.
 *
 * Intel 64 SDM volume 3, "Time-Stamp Counter" and "TSC scaling"; AMD APM volume 2, "TSC ratio MSR".
 */
import type { TimeBase } from './time-base.ts'

export interface TscOptions {
  /** What it nominally counts, kHz. */
  khz: number
  /** Goes on at one rate whatever the CPU's frequency (CPUID 80000007h bit 8 says this and `nonstop` together). */
  constant?: boolean
  /** Goes on while the CPU is in a deep idle state. */
  nonstop?: boolean
  /** Millionths that its crystal is too fast. */
  ppm?: number
  /** Where it stands at virtual time zero: other on a CPU that came late. */
  start?: bigint
}

/** Bits behind the point of a scale: Intel's. */
export const TSC_SCALE_BITS = 48n

export class Tsc {
  readonly constant: boolean
  readonly nonstop: boolean
  readonly #time: TimeBase
  readonly #hz: bigint
  /** Counted until `#sinceNs`; from then on at `#rate` parts in 2^32 of the nominal rate. */
  #counted: bigint
  #sinceNs: number
  #rate = 1n << 32n
  #stopped = false
  /** Of a guest. */
  #offset = 0n
  #scale = 1n << TSC_SCALE_BITS

  constructor(time: TimeBase, { khz, constant = true, nonstop = true, ppm = 0, start = 0n }: TscOptions) {
    this.#time = time
    this.constant = constant
    this.nonstop = nonstop
    this.#hz = BigInt(Math.round(khz * 1000 * (1 + ppm / 1e6)))
    this.#counted = start
    this.#sinceNs = time.nowNs
    if (time.nowNs > 0) this.#counted += (BigInt(time.nowNs) * this.#hz) / 1_000_000_000n
  }

  get khz(): number {
    return Number(this.#hz) / 1000
  }

  /** RDTSC. */
  read(): bigint {
    return BigInt.asUintN(64, this.#counted + this.#passed())
  }

  #passed(): bigint {
    if (this.#stopped) return 0n
    const ns = BigInt(this.#time.nowNs - this.#sinceNs)
    return (((ns * this.#hz) / 1_000_000_000n) * this.#rate) >> 32n
  }

  #settle(): void {
    this.#counted += this.#passed()
    this.#sinceNs = this.#time.nowNs
  }

  /** WRMSR to IA32_TIME_STAMP_COUNTER: what unsynchronises CPUs. */
  write(value: bigint): void {
    this.#counted = value
    this.#sinceNs = this.#time.nowNs
  }

  /** The CPU's frequency becomes that share of the nominal one; a constant TSC doesn't mind. */
  setFrequency(share: number): void {
    if (this.constant) return
    this.#settle()
    this.#rate = BigInt(Math.round(share * 2 ** 32))
  }

  /** The CPU enters or leaves a deep idle state; a nonstop TSC doesn't mind. */
  setDeepIdle(idle: boolean): void {
    if (this.nonstop || idle === this.#stopped) return
    this.#settle()
    this.#stopped = idle
  }

  /** What a guest reads: scaled, then offset. */
  setGuest(offset: bigint, scale: bigint = 1n << TSC_SCALE_BITS): void {
    this.#offset = offset
    this.#scale = scale
  }

  readGuest(): bigint {
    return BigInt.asUintN(64, ((this.read() * this.#scale) >> TSC_SCALE_BITS) + this.#offset)
  }

  /** When it will have reached a value, for a deadline; Infinity while it stands still. */
  nsOf(value: bigint): number {
    if (this.#stopped || this.#rate === 0n) return Number.POSITIVE_INFINITY
    const left = BigInt.asIntN(64, value - this.read())
    if (left <= 0n) return this.#time.nowNs
    const hz = (this.#hz * this.#rate) >> 32n
    return this.#time.nowNs + Number((left * 1_000_000_000n + hz - 1n) / hz)
  }
}

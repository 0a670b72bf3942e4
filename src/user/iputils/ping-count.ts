/** What ping counts and how it sums it up. iputils 20221126 ping/ping_common.c: gather_statistics(), finish(), status() */
import { formatG } from './numbers.ts'

/** A time as it stands behind `time=`: three digits and more, the unit a millisecond. */
export function formatTrip(us: number): string {
  const digits = (value: number, width: number) => String(value).padStart(width, '0')
  if (us >= 100000 - 50) return `${Math.trunc((us + 500) / 1000)}`
  if (us >= 10000 - 5) return `${Math.trunc((us + 50) / 1000)}.${Math.trunc(((us + 50) % 1000) / 100)}`
  if (us >= 1000) return `${Math.trunc((us + 5) / 1000)}.${digits(Math.trunc(((us + 5) % 1000) / 10), 2)}`
  return `0.${digits(us, 3)}`
}

function formatMs(us: number): string {
  return `${Math.trunc(us / 1000)}.${String(Math.trunc(us % 1000)).padStart(3, '0')}`
}

/** The integer square root, by Newton. */
function squareRoot(value: number): number {
  let before = Number.MAX_SAFE_INTEGER
  let x = value
  while (x > 0 && x < before) {
    before = x
    x = Math.floor((x + Math.floor(value / x)) / 2)
  }
  return Math.max(0, x)
}

/** Sequence numbers are 16 bits, and so is what remembers which were answered. */
export class Counts {
  transmitted = 0
  received = 0
  repeats = 0
  errors = 0
  minUs = Number.MAX_SAFE_INTEGER
  maxUs = 0
  sumUs = 0
  squaresUs = 0
  /** A running mean of the round trip, in eighths of a microsecond. */
  rtt = 0
  /** The highest number that was answered. */
  acked = 0
  /** The most that were on their way at a time. */
  pipe = -1
  readonly #answered = new Set<number>()

  sent(): void {
    this.transmitted++
    if (((this.transmitted - this.acked) & 0xffff) > 0x7fff) this.acked = (this.transmitted + 1) & 0xffff
  }

  /** Before a number is used again. */
  forget(sequence: number): void {
    this.#answered.delete(sequence & 0xffff)
  }

  answered(sequence: number): boolean {
    return this.#answered.has(sequence & 0xffff)
  }

  /** Takes an answer's number; false if it was there before. */
  take(sequence: number): boolean {
    if (this.#answered.has(sequence)) {
      this.repeats++
      this.received--
      return false
    }
    this.#answered.add(sequence)
    return true
  }

  acknowledge(sequence: number): void {
    const behind = (this.transmitted - sequence) & 0xffff
    if (behind > 0x7fff) return
    if (behind + 1 > this.pipe) this.pipe = behind + 1
    const ahead = ((sequence - this.acked) << 16) >> 16
    if (ahead > 0 || ((this.transmitted - this.acked) & 0xffff) > 0x7fff) this.acked = sequence
  }

  inFlight(): number {
    const behind = (this.transmitted - this.acked) & 0xffff
    return behind <= 0x7fff ? behind : this.transmitted - this.received - this.errors
  }

  time(us: number): void {
    this.sumUs += us
    this.squaresUs += us * us
    this.minUs = Math.min(this.minUs, us)
    this.maxUs = Math.max(this.maxUs, us)
    this.rtt = this.rtt === 0 ? us * 8 : this.rtt + us - Math.trunc(this.rtt / 8)
  }

  /**
   * The last lines.
   * @param lastedNs from the first to the last probe
   * @param timed whether probes carried their time
   * @param rate whether the gap between packets is of interest: flood, adaptive or no interval
   */
  summary(host: string, lastedNs: number, timed: boolean, rate: boolean): string {
    const { transmitted, received } = this
    let text = `\n--- ${host} ping statistics ---\n${transmitted} packets transmitted, ${received} received`
    if (this.repeats) text += `, +${this.repeats} duplicates`
    if (this.errors) text += `, +${this.errors} errors`
    if (transmitted) {
      const loss = Math.fround(((transmitted - received) * 100) / transmitted)
      const s = Math.floor(lastedNs / 1e9)
      text += `, ${formatG(loss)}% packet loss, time ${1000 * s + Math.trunc((lastedNs - s * 1e9 + 500000) / 1e6)}ms`
    }
    text += '\n'
    const figures: string[] = []
    if (received && timed) {
      const total = received + this.repeats
      const mean = Math.trunc(this.sumUs / total)
      const variance =
        this.sumUs < 2147483647
          ? (this.squaresUs - (this.sumUs * this.sumUs) / total) / total
          : this.squaresUs / total - mean * mean
      const deviation = squareRoot(Math.trunc(variance))
      const times = [this.minUs, mean, this.maxUs, deviation].map(formatMs).join('/')
      figures.push(`rtt min/avg/max/mdev = ${times} ms`)
    }
    if (this.pipe > 1) figures.push(`pipe ${this.pipe}`)
    if (received && rate && transmitted > 1) {
      const gap = Math.trunc(Math.trunc(lastedNs / 1000) / (transmitted - 1))
      figures.push(`ipg/ewma ${formatMs(gap)}/${formatMs(Math.trunc(this.rtt / 8))} ms`)
    }
    return `${text}${figures.join(', ')}\n`
  }

  /** The line that SIGQUIT asks for. */
  status(timed: boolean): string {
    const { transmitted, received } = this
    const loss = transmitted ? Math.trunc(((transmitted - received) * 100) / transmitted) : 0
    let text = `\r${received}/${transmitted} packets, ${loss}% loss`
    if (received && timed) {
      const mean = Math.trunc(this.sumUs / (received + this.repeats))
      const times = [this.minUs, mean, Math.trunc(this.rtt / 8), this.maxUs].map(formatMs).join('/')
      text += `, min/avg/ewma/max = ${times} ms`
    }
    return `${text}\n`
  }
}

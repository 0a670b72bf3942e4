/** Durations, rates and percentages, as lab files and `tc` write them. Undefined for what isn't one. */

const DURATION_NS = new Map(Object.entries({ ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 }))
// tc(8): bit suffixes are powers of 1000; `bps` is bytes.
const RATE_BPS = new Map(
  Object.entries({
    bit: 1,
    kbit: 1e3,
    mbit: 1e6,
    gbit: 1e9,
    tbit: 1e12,
    bps: 8,
    kbps: 8e3,
    mbps: 8e6,
    gbps: 8e9,
  }),
)

const DURATION_UNITS: [string, number][] = [
  ['s', 1e9],
  ['ms', 1e6],
  ['us', 1e3],
]
const RATE_UNITS: [string, number][] = [
  ['tbit', 1e12],
  ['gbit', 1e9],
  ['mbit', 1e6],
  ['kbit', 1e3],
]

/** '10ms' to nanoseconds, whole. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]+)$/i.exec(text.trim())
  const unit = match && DURATION_NS.get(match[2]!.toLowerCase())
  if (text.trim() === '0') return 0
  return unit ? Math.round(Number(match[1]) * unit) : undefined
}

/** '100mbit' to bits per second; above 0. */
export function parseRate(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]+)$/i.exec(text.trim())
  const unit = match && RATE_BPS.get(match[2]!.toLowerCase())
  const rate = unit ? Number(match[1]) * unit : 0
  return rate > 0 ? rate : undefined
}

/** '0.1%' to 0.001; 0 to 1. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,9})?)\s*%$/.exec(text.trim())
  const share = match ? Number(match[1]) / 100 : Number.NaN
  return share >= 0 && share <= 1 ? share : undefined
}

/** Nanoseconds as a reader would write them, and `parseDuration` reads them: '1.5s', '20ms', '300us'. */
export function formatDuration(ns: number): string {
  const [unit, size] = DURATION_UNITS.find(([, size]) => ns >= size) ?? ['ns', 1]
  const digits = Math.log10(size)
  const rest =
    digits === 0
      ? ''
      : String(ns % size)
          .padStart(digits, '0')
          .replace(/0+$/, '')
  return `${Math.floor(ns / size)}${rest === '' ? '' : `.${rest}`}${unit}`
}

/** Bits per second, as `parseRate` reads them: '100mbit', '1500kbit'. */
export function formatRate(bps: number): string {
  const [unit, size] = RATE_UNITS.find(([, size]) => bps >= size && bps % size === 0) ?? ['bit', 1]
  return `${bps / size}${unit}`
}

/** The candidate that is most like a word, if any is like it: for "did you mean". */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate, least)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}

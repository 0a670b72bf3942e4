/** How tc reads and prints rates, sizes, times and shares. iproute2 6.1 tc/tc_util.c, lib/utils_math.c */

/** printf's %.Ng. */
export function formatG(value: number, digits: number): string {
  if (value === 0) return '0'
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))))
  if (exponent < -4 || exponent >= digits) {
    const [mantissa, power] = value.toExponential(digits - 1).split('e') as [string, string]
    const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa
    const number = Number(power)
    return `${short}e${number < 0 ? '-' : '+'}${String(Math.abs(number)).padStart(2, '0')}`
  }
  const text = value.toFixed(Math.max(0, digits - 1 - exponent))
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

const UNITS = ['', 'K', 'M', 'G', 'T']

/** Bytes a second as `1Mbit`. */
export function formatRate(bytesPerS: number, iec = false): string {
  const kilo = iec ? 1024 : 1000
  let bits = bytesPerS * 8
  let unit = 0
  while (unit < UNITS.length - 1) {
    if (bits < kilo || (bits % kilo !== 0 && bits < 1000 * kilo)) break
    bits = Math.floor(bits / kilo)
    unit++
  }
  return `${bits}${UNITS[unit]}${iec && unit > 0 ? 'i' : ''}bit`
}

export function formatSize(bytes: number): string {
  const near = (unit: number, slack: number) => bytes >= unit && Math.abs(unit * rint(bytes / unit) - bytes) < slack
  if (near(1024 * 1024, 1024)) return `${rint(bytes / 1024 / 1024)}Mb`
  if (near(1024, 16)) return `${rint(bytes / 1024)}Kb`
  return `${bytes}b`
}

/** To the nearest, halves to the even. */
export function rint(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1
  return rest < 0.5 ? floor : floor + 1
}

/** Microseconds. */
export function formatTime(us: number): string {
  if (us >= 1e6) return `${formatG(us / 1e6, 3)}s`
  if (us >= 1000) return `${formatG(us / 1000, 3)}ms`
  return `${Math.floor(us)}us`
}

/** Nanoseconds. */
export function formatTime64(ns: number): string {
  if (ns >= 1e9) return `${formatG(ns / 1e9, 3)}s`
  if (ns >= 1e6) return `${formatG(ns / 1e6, 3)}ms`
  if (ns >= 1000) return `${formatG(ns / 1000, 3)}us`
  return `${ns}ns`
}

/** A share of 2^32 - 1. */
export function formatPercent(share: number): string {
  return `${formatG((100 * share) / 0xffffffff, 6)}%`
}

const number = (text: string) => /^([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(.*)$/.exec(text)

/** `5%`, or the same without the sign, as a share of 2^32 - 1. get_percent() */
export function parsePercent(text: string): number | undefined {
  const match = number(text)
  if (!match || (match[2] !== '' && match[2] !== '%')) return undefined
  const share = Number(match[1]) / 100
  return share > 1 ? undefined : rint(share * 0xffffffff)
}

const RATES: Readonly<Record<string, number>> = {
  '': 1,
  bit: 1,
  kibit: 1024,
  kbit: 1000,
  mibit: 1024 ** 2,
  mbit: 1e6,
  gibit: 1024 ** 3,
  gbit: 1e9,
  tibit: 1024 ** 4,
  tbit: 1e12,
  bps: 8,
  kibps: 8 * 1024,
  kbps: 8000,
  mibps: 8 * 1024 ** 2,
  mbps: 8e6,
  gibps: 8 * 1024 ** 3,
  gbps: 8e9,
  tibps: 8 * 1024 ** 4,
  tbps: 8e12,
}

/** Bytes a second. get_rate64() */
export function parseRate(text: string): number | undefined {
  const match = number(text)
  const unit = match && RATES[match[2]!.toLowerCase()]
  return unit ? Math.floor((Number(match![1]) * unit) / 8) : undefined
}

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  kbit: 1024 / 8,
  mbit: 1024 ** 2 / 8,
  gbit: 1024 ** 3 / 8,
}

/** Bytes. get_size() */
export function parseSize(text: string): number | undefined {
  const match = number(text)
  const unit = match && SIZES[match[2]!.toLowerCase()]
  return unit ? Math.floor(Number(match![1]) * unit) : undefined
}

/** Microseconds, not whole. get_time() */
export function parseTime(text: string): number | undefined {
  const match = number(text)
  if (!match) return undefined
  const unit = { '': 1, s: 1e6, sec: 1e6, secs: 1e6, ms: 1000, msec: 1000, msecs: 1000, us: 1, usec: 1, usecs: 1 }[
    match[2]!.toLowerCase()
  ]
  return unit === undefined ? undefined : Number(match[1]) * unit
}

/** A time in the kernel's ticks of 64 ns. get_ticks() */
export function parseTicks(text: string): number | undefined {
  const us = parseTime(text)
  return us === undefined ? undefined : Math.floor(Math.floor(us) * TICKS_PER_US)
}

export const TICKS_PER_US = 15.625

export const ticksToUs = (ticks: number) => ticks / TICKS_PER_US

/** How many ticks so many bytes take. tc_calc_xmittime() */
export function ticksOf(rate: number, bytes: number): number {
  return Math.floor(Math.floor((1e6 * bytes) / rate) * TICKS_PER_US)
}

/** How many bytes go in so many ticks. tc_calc_xmitsize() */
export function bytesOf(rate: number, ticks: number): number {
  return Math.floor((rate * Math.floor(ticksToUs(ticks))) / 1e6)
}

/** `1:10`, `root`, `none`; undefined if it is none. get_tc_classid() */
export function parseClassId(text: string): number | undefined {
  if (text === 'root') return 0xffffffff
  if (text === 'none') return 0
  const match = /^([0-9a-fA-F]*)(?::([0-9a-fA-F]*))?$/.exec(text)
  if (!match || text === '') return undefined
  if (match[2] === undefined) {
    const id = Number.parseInt(match[1]!, 16)
    return id <= 0xffffffff ? id : undefined
  }
  const [maj, min] = [match[1] || '0', match[2] || '0'].map((hex) => Number.parseInt(hex, 16)) as [number, number]
  return maj <= 0xffff && min <= 0xffff ? maj * 65536 + min : undefined
}

/** `1:`. get_qdisc_handle() */
export function parseHandle(text: string): number | undefined {
  if (text === 'none') return 0
  const match = /^([0-9a-fA-F]+):?$/.exec(text)
  if (!match) return undefined
  const maj = Number.parseInt(match[1]!, 16)
  return maj <= 0xffff ? maj * 65536 : undefined
}

/** print_tc_classid() */
export function formatClassId(id: number): string {
  if (id === 0xffffffff) return 'root'
  if (id === 0) return 'none'
  const maj = id >>> 16
  const min = id & 0xffff
  if (maj === 0) return `:${min.toString(16)}`
  return `${maj.toString(16)}:${min === 0 ? '' : min.toString(16)}`
}

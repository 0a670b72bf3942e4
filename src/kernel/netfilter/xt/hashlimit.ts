/** The match `hashlimit`: a bucket for each address, port or both. Linux 6.1 net/netfilter/xt_hashlimit.c, extensions/libxt_hashlimit.c. */
import { ipLength, maskOf, type Packet } from '#wire/inet'
import { XtError, type XtMatch } from './extension.ts'
import { numberOption } from './words.ts'

/** XT_HASHLIMIT_SCALE_v2. */
const SCALE = 1_000_000

interface HashlimitInfo {
  name: string
  invert: boolean
  bytes: boolean
  /** What a packet costs in millionths of a second; with bytes the rate in units of 16 bytes a second. */
  average: number
  burst: number
  modes: string[]
  size: number
  max: number
  gcIntervalMs: number
  expireMs: number
  srcMask: number
  dstMask: number
}

const UNITS: [string, number][] = [
  ['second', 1],
  ['minute', 60],
  ['hour', 3600],
  ['day', 86400],
]

function parseRate(text: string): number {
  const found = /^(\d+)(?:\/([a-zA-Z]+))?$/.exec(text)
  const unit = found && UNITS.find(([name]) => name.startsWith((found[2] ?? 'second').toLowerCase()))?.[1]
  if (!found || !unit || Number(found[1]) === 0) {
    throw new XtError(`hashlimit: bad value for option "--hashlimit-upto", or out of range.\n`)
  }
  return Math.floor((SCALE * unit) / Number(found[1]))
}

const MULTIPLES: Record<string, number> = { b: 1, kb: 1024, mb: 1024 * 1024 }

/** `10kb/s`; undefined if it isn't in bytes. */
function parseBytes(text: string): number | undefined {
  const found = /^(\d+)(b|kb|mb)(?:\/s)?$/.exec(text)
  return found ? Number(found[1]) * MULTIPLES[found[2]!]! : undefined
}

function bytesText(bytes: number, suffix: string): string {
  for (const [unit, factor] of [
    ['mb', 1024 * 1024],
    ['kb', 1024],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}${suffix}`
  }
  return `${bytes}b${suffix}`
}

function rateText(cost: number): string {
  const rates: [string, number][] = [
    ['day', SCALE * 86400],
    ['hour', SCALE * 3600],
    ['min', SCALE * 60],
    ['sec', SCALE],
  ]
  let at = 1
  for (; at < 4; at++) if (cost > rates[at]![1] || rates[at]![1] % cost > Math.floor(rates[at]![1] / cost)) break
  return `${Math.floor(rates[at - 1]![1] / cost)}/${rates[at - 1]![0]}`
}

export const hashlimit: XtMatch<HashlimitInfo> = {
  kind: 'match',
  name: 'hashlimit',
  revision: 3,
  help: `hashlimit match options:
  --hashlimit-upto <avg>           max average match rate
                                   [Packets per second unless followed by 
                                   /sec /minute /hour /day postfixes]
  --hashlimit-above <avg>          min average match rate
  --hashlimit-mode <mode>          mode is a comma-separated list of
                                   dstip,srcip,dstport,srcport (or none)
  --hashlimit-srcmask <length>     source address grouping prefix length
  --hashlimit-dstmask <length>     destination address grouping prefix length
  --hashlimit-name <name>          name for /proc/net/ipt_hashlimit
  --hashlimit-burst <num>	    number to match in a burst, default 5
  --hashlimit-htable-size <num>    number of hashtable buckets
  --hashlimit-htable-max <num>     number of hashtable entries
  --hashlimit-htable-gcinterval    interval between garbage collection runs
  --hashlimit-htable-expire        after which time are idle entries expired?
`,
  options: [
    { name: 'hashlimit-upto', value: 'required', invert: true, excludes: ['hashlimit-above', 'hashlimit'] },
    { name: 'hashlimit-above', value: 'required', invert: true, excludes: ['hashlimit-upto', 'hashlimit'] },
    { name: 'hashlimit', value: 'required', invert: true },
    { name: 'hashlimit-name', value: 'required', mandatory: true },
    ...['burst', 'mode', 'srcmask', 'dstmask', 'htable-size', 'htable-max', 'htable-gcinterval', 'htable-expire'].map(
      (name) => ({ name: `hashlimit-${name}`, value: 'required' as const }),
    ),
  ],
  init: () => ({
    name: '',
    invert: false,
    bytes: false,
    average: 0,
    burst: 5,
    modes: [],
    size: 0,
    max: 0,
    gcIntervalMs: 1000,
    expireMs: -1,
    srcMask: 32,
    dstMask: 32,
  }),
  parse(state, option, value, inverted) {
    const integer = (max = 0xffffffff) => numberOption('hashlimit', option, value, max)
    switch (option.slice(10)) {
      case 'upto':
      case 'above':
      case '': {
        state.invert = (option === 'hashlimit-above') !== inverted
        const bytes = parseBytes(value)
        if (bytes !== undefined) {
          state.bytes = true
          state.average = bytes
        } else state.average = parseRate(value)
        return
      }
      case 'name':
        state.name = value
        return
      case 'burst':
        state.burst = parseBytes(value) ?? integer()
        return
      case 'mode':
        for (const mode of value.split(',')) {
          if (!['dstip', 'srcip', 'srcport', 'dstport'].includes(mode)) {
            throw new XtError(`hashlimit: bad value for option "--hashlimit-mode", or out of range.\n`)
          }
          state.modes.push(mode)
        }
        return
      case 'srcmask':
        state.srcMask = integer(32)
        return
      case 'dstmask':
        state.dstMask = integer(32)
        return
      case 'htable-size':
        state.size = integer()
        return
      case 'htable-max':
        state.max = integer()
        return
      case 'htable-gcinterval':
        state.gcIntervalMs = integer()
        return
      case 'htable-expire':
        state.expireMs = integer()
    }
  },
  finish(state, seen) {
    if (!['hashlimit', 'hashlimit-upto', 'hashlimit-above'].some((name) => seen.has(name))) {
      throw new XtError('You have to specify --hashlimit')
    }
    if (state.expireMs < 0) {
      // As long as the unit of the rate.
      const unit = state.bytes
        ? 1
        : ([86400, 3600, 60, 1].find((one) => rateText(state.average).endsWith(UNIT_WORDS[one]!)) ?? 1)
      state.expireMs = unit * 1000
    }
    return state as unknown as Record<string, unknown>
  },
  print: (info) => ` limit: ${body(info as unknown as HashlimitInfo, false)}`,
  save: (info) => body(info as unknown as HashlimitInfo, true),
  translate(info) {
    const one = info as unknown as HashlimitInfo
    if (one.bytes || one.modes.length === 0) return undefined
    const keys = ['dstport', 'srcport', 'dstip', 'srcip']
      .filter((mode) => one.modes.includes(mode))
      .reverse()
      .sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))
      .map((mode) => {
        const mask = mode === 'srcip' ? one.srcMask : mode === 'dstip' ? one.dstMask : 32
        const dotted = mask === 32 ? '' : ` and ${maskBytes(mask)}`
        return { srcip: `ip saddr${dotted}`, dstip: `ip daddr${dotted}`, srcport: 'tcp sport', dstport: 'tcp dport' }[
          mode
        ]!
      })
    const unitMs = rateUnit(one.average) * 1000
    const timeout = one.expireMs === unitMs ? '' : ` timeout ${one.expireMs / 1000}s`
    const burst = one.burst === 5 ? '' : ` burst ${one.burst} packets`
    const rate = rateText(one.average).replace('min', 'minute').replace('sec', 'second')
    return `meter ${one.name} { ${keys.join(' . ')}${timeout} limit rate ${one.invert ? 'over ' : ''}${rate}${burst} }`
  },
  run(info, host) {
    const one = info as unknown as HashlimitInfo
    const buckets = new Map<string, { credit: number; last: number }>()
    const now = () => host.sim.nowNs / 1e9
    const cap = one.bytes ? Math.max(one.burst, one.average) : one.average * one.burst
    return ({ packet }) => {
      const key = keyOf(one, packet)
      const time = now()
      let bucket = buckets.get(key)
      if (!bucket || (time - bucket.last) * 1000 > one.expireMs) {
        bucket = { credit: cap, last: time }
        buckets.set(key, bucket)
      } else {
        const gained = (time - bucket.last) * (one.bytes ? one.average : SCALE)
        bucket.credit = Math.min(cap, bucket.credit + gained)
        bucket.last = time
      }
      const cost = one.bytes ? ipLength(packet) : one.average
      if (bucket.credit >= cost) {
        bucket.credit -= cost
        return !one.invert
      }
      return one.invert
    }
  },
}

const ORDER = ['dstport', 'srcport', 'dstip', 'srcip']
const UNIT_WORDS: Record<number, string> = { 86400: 'day', 3600: 'hour', 60: 'min', 1: 'sec' }

function rateUnit(cost: number): number {
  const text = rateText(cost)
  return Number(Object.entries(UNIT_WORDS).find(([, word]) => text.endsWith(word))![0])
}

function maskBytes(prefix: number): string {
  const mask = prefix === 0 ? 0 : maskOf(prefix)
  return [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255].join('.')
}

function keyOf(one: HashlimitInfo, packet: Packet): string {
  let key = ''
  for (const mode of one.modes) {
    if (mode === 'srcip') key += `s${packet.src & (one.srcMask === 0 ? 0 : maskOf(one.srcMask))}`
    else if (mode === 'dstip') key += `d${packet.dst & (one.dstMask === 0 ? 0 : maskOf(one.dstMask))}`
    else if (mode === 'srcport') key += `p${packet.srcPort}`
    else key += `q${packet.dstPort}`
  }
  return key
}

/** What -L and -S say alike, but for the dashes. */
function body(one: HashlimitInfo, save: boolean): string {
  const rate = one.bytes ? bytesText(one.average, '/s') : rateText(one.average)
  const burst = one.bytes ? (one.burst === 0 ? '' : bytesText(one.burst, '')) : String(one.burst)
  const option = (name: string, value: string | number) =>
    save ? ` --hashlimit-${name} ${value}` : ` ${name} ${value}`
  let text = save
    ? ` --hashlimit-${one.invert ? 'above' : 'upto'} ${rate}`
    : `${one.invert ? 'above' : 'up to'} ${rate}`
  if (burst !== '') text += option('burst', burst)
  if (one.modes.length > 0) {
    const words = ['srcip', 'srcport', 'dstip', 'dstport'].filter((mode) => one.modes.includes(mode))
    text += option('mode', words.join(save ? ',' : '-'))
  }
  if (save) text += option('name', one.name)
  if (one.size) text += option('htable-size', one.size)
  if (one.max) text += option('htable-max', one.max)
  if (one.gcIntervalMs !== 1000) text += option('htable-gcinterval', one.gcIntervalMs)
  const unit = one.bytes ? 1000 : rateUnit(one.average) * 1000
  if (one.expireMs !== unit) text += option('htable-expire', one.expireMs)
  if (one.srcMask !== 32) text += option('srcmask', one.srcMask)
  if (one.dstMask !== 32) text += option('dstmask', one.dstMask)
  return text
}

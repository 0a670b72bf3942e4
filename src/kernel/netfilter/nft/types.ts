/** nft's data types: how their values are written and read. nftables 1.0.6 src/datatype.c, proto.c, ct.c, meta.c, fib.c. */
import { formatIpv4, parseIpv4 } from '#wire/inet'
import type { Value } from '../expressions.ts'

/** What names depend on: the host's interfaces and services. */
export interface TypeSurroundings {
  interfaceName(index: number): string | undefined
  interfaceIndex(name: string): number | undefined
  service(name: string): number | undefined
  host(name: string): number | undefined
}

export interface DataType {
  name: string
  bits: number
  /** Names of values; the first of a value is printed. */
  symbols?: [name: string, value: number][]
  /** Values are sets of flags, printed with commas. */
  flags?: boolean
  /** How a number is printed without a symbol. */
  format?: 'decimal' | 'hex' | 'hex32' | 'ipv4' | 'mac' | 'string' | 'iface' | 'class' | 'ms' | 's' | 'ipv6'
  /** Said when a word is none of its values. */
  error?: string
}

const define = (type: DataType): [string, DataType] => [type.name, type]

export const PROTOCOLS: [string, number][] = [
  ['icmp', 1],
  ['igmp', 2],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6', 41],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
  ['comp', 108],
  ['sctp', 132],
  ['udplite', 136],
  ['ip', 0],
  ['ipencap', 4],
  ['ospf', 89],
  ['vrrp', 112],
]

const ICMP_TYPES: [string, number][] = [
  ['echo-reply', 0],
  ['destination-unreachable', 3],
  ['source-quench', 4],
  ['redirect', 5],
  ['echo-request', 8],
  ['router-advertisement', 9],
  ['router-solicitation', 10],
  ['time-exceeded', 11],
  ['parameter-problem', 12],
  ['timestamp-request', 13],
  ['timestamp-reply', 14],
  ['info-request', 15],
  ['info-reply', 16],
  ['address-mask-request', 17],
  ['address-mask-reply', 18],
]

export const ICMP_CODES: [string, number][] = [
  ['net-unreachable', 0],
  ['host-unreachable', 1],
  ['prot-unreachable', 2],
  ['port-unreachable', 3],
  ['frag-needed', 4],
  ['net-prohibited', 9],
  ['host-prohibited', 10],
  ['admin-prohibited', 13],
]

export const ICMPV6_CODES: [string, number][] = [
  ['no-route', 0],
  ['admin-prohibited', 1],
  ['addr-unreachable', 3],
  ['port-unreachable', 4],
  ['policy-fail', 5],
  ['reject-route', 6],
]

export const ICMPX_CODES: [string, number][] = [
  ['no-route', 0],
  ['port-unreachable', 1],
  ['host-unreachable', 2],
  ['admin-prohibited', 3],
]

const DSCP: [string, number][] = [
  ['cs0', 0],
  ['cs1', 8],
  ['cs2', 16],
  ['cs3', 24],
  ['cs4', 32],
  ['cs5', 40],
  ['cs6', 48],
  ['cs7', 56],
  ['df', 0],
  ['be', 0],
  ['lephb', 1],
  ['af11', 10],
  ['af12', 12],
  ['af13', 14],
  ['af21', 18],
  ['af22', 20],
  ['af23', 22],
  ['af31', 26],
  ['af32', 28],
  ['af33', 30],
  ['af41', 34],
  ['af42', 36],
  ['af43', 38],
  ['va', 44],
  ['ef', 46],
]

const ICMPV6_TYPES: [string, number][] = [
  ['destination-unreachable', 1],
  ['packet-too-big', 2],
  ['time-exceeded', 3],
  ['parameter-problem', 4],
  ['echo-request', 128],
  ['echo-reply', 129],
  ['mld-listener-query', 130],
  ['mld-listener-report', 131],
  ['mld-listener-done', 132],
  ['mld-listener-reduction', 132],
  ['nd-router-solicit', 133],
  ['nd-router-advert', 134],
  ['nd-neighbor-solicit', 135],
  ['nd-neighbor-advert', 136],
  ['nd-redirect', 137],
  ['router-renumbering', 138],
  ['ind-neighbor-solicit', 141],
  ['ind-neighbor-advert', 142],
  ['mld2-listener-report', 143],
]

export const TYPES = new Map<string, DataType>([
  define({ name: 'integer', bits: 32 }),
  define({ name: 'string', bits: 128, format: 'string' }),
  define({ name: 'ipv4_addr', bits: 32, format: 'ipv4' }),
  define({ name: 'ipv6_addr', bits: 128, format: 'ipv6' }),
  define({ name: 'ether_addr', bits: 48, format: 'mac' }),
  define({
    name: 'ether_type',
    bits: 16,
    format: 'hex',
    symbols: [
      ['ip', 0x800],
      ['arp', 0x806],
      ['ip6', 0x86dd],
      ['8021q', 0x8100],
      ['vlan', 0x8100],
    ],
  }),
  define({ name: 'inet_proto', bits: 8, symbols: PROTOCOLS, error: 'Could not resolve protocol name' }),
  define({
    name: 'inet_service',
    bits: 16,
    error: 'Could not resolve service: Servname not supported for ai_socktype',
  }),
  define({ name: 'mark', bits: 32, format: 'hex32' }),
  define({ name: 'ifname', bits: 128, format: 'string' }),
  define({ name: 'iface_index', bits: 32, format: 'iface', error: 'Interface does not exist' }),
  define({
    name: 'iface_type',
    bits: 16,
    symbols: [
      ['ether', 1],
      ['ppp', 512],
      ['ipip', 768],
      ['ipip6', 769],
      ['loopback', 772],
      ['sit', 776],
      ['ipgre', 778],
    ],
  }),
  define({ name: 'uid', bits: 32 }),
  define({ name: 'gid', bits: 32 }),
  define({ name: 'classid', bits: 32, format: 'class' }),
  define({ name: 'realm', bits: 32 }),
  define({ name: 'cgroupsv2', bits: 64 }),
  define({
    name: 'pkt_type',
    bits: 8,
    symbols: [
      ['host', 0],
      ['unicast', 0],
      ['broadcast', 1],
      ['multicast', 2],
      ['other', 3],
    ],
  }),
  define({
    name: 'nf_proto',
    bits: 8,
    symbols: [
      ['ipv4', 2],
      ['ipv6', 10],
    ],
  }),
  define({ name: 'icmp_type', bits: 8, symbols: ICMP_TYPES, error: 'Could not parse ICMP type' }),
  define({ name: 'icmpv6_type', bits: 8, symbols: ICMPV6_TYPES, error: 'Could not parse ICMPv6 type' }),
  define({ name: 'icmp_code', bits: 8, symbols: ICMP_CODES }),
  define({ name: 'icmpx_code', bits: 8, symbols: ICMPX_CODES }),
  define({
    name: 'igmp_type',
    bits: 8,
    symbols: [
      ['membership-query', 17],
      ['membership-report-v1', 18],
      ['membership-report-v2', 22],
      ['leave-group', 23],
      ['membership-report-v3', 34],
    ],
  }),
  define({
    name: 'tcp_flag',
    bits: 8,
    flags: true,
    format: 'hex',
    symbols: [
      ['fin', 1],
      ['syn', 2],
      ['rst', 4],
      ['psh', 8],
      ['ack', 16],
      ['urg', 32],
      ['ecn', 64],
      ['cwr', 128],
    ],
  }),
  define({
    name: 'ct_state',
    bits: 32,
    flags: true,
    format: 'hex',
    error: 'Could not parse conntrack state',
    symbols: [
      ['invalid', 1],
      ['established', 2],
      ['related', 4],
      ['new', 8],
      ['untracked', 64],
    ],
  }),
  define({
    name: 'ct_dir',
    bits: 8,
    symbols: [
      ['original', 0],
      ['reply', 1],
    ],
  }),
  define({
    name: 'ct_status',
    bits: 32,
    flags: true,
    format: 'hex',
    symbols: [
      ['expected', 1],
      ['seen-reply', 2],
      ['assured', 4],
      ['confirmed', 8],
      ['snat', 16],
      ['dnat', 32],
      ['dying', 512],
    ],
  }),
  define({
    name: 'fib_addrtype',
    bits: 32,
    symbols: [
      ['unspec', 0],
      ['unicast', 1],
      ['local', 2],
      ['broadcast', 3],
      ['anycast', 4],
      ['multicast', 5],
      ['blackhole', 6],
      ['unreachable', 7],
      ['prohibit', 8],
    ],
  }),
  define({ name: 'dscp', bits: 6, symbols: DSCP, format: 'hex' }),
  define({
    name: 'ecn',
    bits: 2,
    format: 'hex',
    symbols: [
      ['not-ect', 0],
      ['ect1', 1],
      ['ect0', 2],
      ['ce', 3],
    ],
  }),
  define({
    name: 'boolean',
    bits: 8,
    symbols: [
      ['exists', 1],
      ['missing', 0],
    ],
  }),
  define({ name: 'time', bits: 64, format: 'ms' }),
  define({
    name: 'arp_op',
    bits: 16,
    symbols: [
      ['request', 1],
      ['reply', 2],
      ['rrequest', 3],
      ['rreply', 4],
      ['inrequest', 8],
      ['inreply', 9],
      ['nak', 10],
    ],
  }),
  define({ name: 'verdict', bits: 32 }),
])

/** A type of integers of some bits. */
export function integerType(bits: number): DataType {
  return { name: 'integer', bits }
}

/** Bytes of a value as the kernel keeps it. */
export function bytesOf(type: DataType): number {
  return Math.ceil(type.bits / 8)
}

/** A value as nft prints it. */
export function formatValue(
  type: DataType,
  value: Value,
  numeric: boolean,
  around: TypeSurroundings,
  quoted = true,
): string {
  if (typeof value === 'string') {
    if (type.format === 'ipv6') return formatIpv6Hex(value)
    return quoted ? `"${value}"` : value
  }
  if (type.flags && !numeric) {
    const names: string[] = []
    let rest = value
    for (const [name, bit] of type.symbols!) {
      if (rest & bit) {
        names.push(name)
        rest &= ~bit
      }
    }
    if (names.length > 0 && rest === 0) return names.join(',')
  }
  if (type.flags && numeric && value !== 0) {
    const bits: string[] = []
    for (let bit = 1; bit <= value; bit *= 2) if (value & bit) bits.push(`0x${bit.toString(16)}`)
    return bits.join(',')
  }
  if (!numeric || type.format === 'hex') {
    const found = numeric ? undefined : type.symbols?.find(([, one]) => one === value)
    if (found) return found[0]
  }
  switch (type.format) {
    case 'ipv4':
      return formatIpv4(value)
    case 'mac':
      return value
        .toString(16)
        .padStart(12, '0')
        .replace(/..(?=.)/g, '$&:')
    case 'hex32':
      return `0x${value.toString(16).padStart(8, '0')}`
    case 'hex':
      if (type.name === 'dscp') return `0x${value.toString(16).padStart(2, '0')}`
      return `0x${value.toString(16)}`
    case 'class':
      if (value === 0) return 'none'
      if (value === 0xffffffff) return 'root'
      return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
    case 'iface': {
      const name = around.interfaceName(value)
      return name === undefined ? String(value) : `"${name}"`
    }
    case 'ms':
      return formatTime(value)
    case 's':
      return formatTime(value * 1000)
  }
  return String(value)
}

/** Milliseconds as `1d2h3m4s5ms`. time_print(). */
export function formatTime(ms: number): string {
  let rest = ms
  let text = ''
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}

/** The milliseconds of `1d2h3m4s`; undefined if it isn't one. */
export function parseTime(text: string): number | undefined {
  const found = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text)
  if (!found || text === '') return undefined
  const [, d = 0, h = 0, m = 0, s = 0, ms = 0] = found
  return Number(d) * 86_400_000 + Number(h) * 3_600_000 + Number(m) * 60_000 + Number(s) * 1000 + Number(ms)
}

function formatIpv6Hex(hex: string): string {
  const groups = hex.match(/.{4}/g)!.map((group) => Number.parseInt(group, 16))
  let best = [-1, 0] as [number, number]
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > 1 && length > best[1]) best = [i, length]
  }
  const text = (list: number[]) => list.map((group) => group.toString(16)).join(':')
  if (best[0] < 0) return text(groups)
  return `${text(groups.slice(0, best[0]))}::${text(groups.slice(best[0] + best[1]))}`
}

/** 32 hexadecimal digits; undefined if it isn't an address. */
export function parseIpv6Hex(text: string): string | undefined {
  if (!/^[0-9a-fA-F:]+$/.test(text) || !text.includes(':')) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string) => (half === '' ? [] : half.split(':'))
  const left = groups(halves[0]!)
  const right = halves.length === 2 ? groups(halves[1]!) : []
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...left, ...Array(halves.length === 2 ? missing : 0).fill('0'), ...right]
  if (all.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return all.map((group) => group.toLowerCase().padStart(4, '0')).join('')
}

/** A word as a value of a type, or what is wrong with it. */
export function parseValue(type: DataType, text: string, around: TypeSurroundings): Value | { error: string } {
  if (type.format === 'string')
    return text.length > 15 && type.name === 'ifname' ? { error: 'String exceeds maximum length of 16' } : text
  const symbol = type.symbols?.find(([name]) => name === text)
  if (symbol) return symbol[1]
  if (type.format === 'ipv4') {
    const address = parseIpv4(text) ?? around.host(text)
    return address ?? { error: 'Could not resolve hostname: Name or service not known' }
  }
  if (type.format === 'ipv6') {
    const family =
      parseIpv4(text) === undefined ? 'Name or service not known' : 'Address family for hostname not supported'
    return parseIpv6Hex(text) ?? { error: `Could not resolve hostname: ${family}` }
  }
  if (type.format === 'mac') {
    const parts = text.split(':')
    if (parts.length === 6) return parts.reduce((sum, part) => sum * 256 + Number.parseInt(part, 16), 0)
  }
  if (type.format === 'class') {
    const found = /^([0-9a-fA-F]*):([0-9a-fA-F]*)$/.exec(text)
    if (found) return Number.parseInt(found[1] || '0', 16) * 65536 + Number.parseInt(found[2] || '0', 16)
    if (text === 'root') return 0xffffffff
    if (text === 'none') return 0
  }
  if (type.format === 'ms') {
    const ms = parseTime(text)
    if (ms !== undefined) return ms
  }
  if (/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) {
    const value = Number(text)
    if (value >= 2 ** type.bits) {
      if (type.name === 'inet_service') return { error: 'Service out of range' }
      return { error: `Value ${value} exceeds valid range 0-${2 ** type.bits - 1}` }
    }
    return value
  }
  if (type.format === 'iface') return around.interfaceIndex(text) ?? { error: type.error! }
  if (type.name === 'inet_service') return around.service(text) ?? { error: type.error! }
  if ((type.name === 'uid' || type.name === 'gid') && text === 'root') return 0
  return { error: type.error ?? `Could not parse ${type.symbols ? 'symbolic ' : ''}${type.name} expression` }
}

/** Matches on what stands in the packet: addresses, lengths, TTL, TOS, MSS, bytes. Linux 6.1 net/netfilter/xt_*.c, iptables extensions/. */
import { decodeLatin1 } from '#base/bytes'
import { addressType } from '#kernel/net'
import {
  emitIp,
  formatIpv4,
  IP_OFFSET,
  IPPROTO_TCP,
  ipLength,
  type Packet,
  parseIpv4,
  RAW_NONE,
  tcpOptionBytes,
} from '#wire/inet'
import { packetType } from '../loads.ts'
import { XtError, type XtMatch, type XtOption } from './extension.ts'
import { hex, hexPadded, number, numberOption } from './words.ts'

const required = (...names: string[]): XtOption[] => names.map((name) => ({ name, value: 'required', invert: true }))
const record = (value: unknown) => value as Readonly<Record<string, unknown>>

/** RTN_* as addrtype names them. */
const TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
]

interface AddrtypeInfo {
  src: number
  dst: number
  srcInverted: boolean
  dstInverted: boolean
  limit: '' | 'in' | 'out'
}

function parseTypes(text: string): number {
  let mask = 0
  for (const word of text.split(',')) {
    const at = TYPES.indexOf(word.toUpperCase())
    if (at < 0) throw new XtError(`addrtype: bad type "${word}"`)
    mask |= 1 << at
  }
  return mask
}

function typesText(mask: number): string {
  return TYPES.filter((_name, i) => mask & (1 << i)).join(',')
}

export const addrtype: XtMatch<AddrtypeInfo> = {
  kind: 'match',
  name: 'addrtype',
  revision: 1,
  help: `Address type match options:
 [!] --src-type type[,...]      Match source address type
 [!] --dst-type type[,...]      Match destination address type
     --limit-iface-in           Match only on the packet's incoming device
     --limit-iface-out          Match only on the packet's outgoing device

Valid types:           
${TYPES.map((name) => `                                ${name}`).join('\n')}
`,
  options: [
    ...required('src-type', 'dst-type'),
    { name: 'limit-iface-in', value: 'none', excludes: ['limit-iface-out'] },
    { name: 'limit-iface-out', value: 'none', excludes: ['limit-iface-in'] },
  ],
  init: () => ({ src: 0, dst: 0, srcInverted: false, dstInverted: false, limit: '' }),
  parse(state, option, value, inverted) {
    if (option === 'src-type') [state.src, state.srcInverted] = [parseTypes(value), inverted]
    else if (option === 'dst-type') [state.dst, state.dstInverted] = [parseTypes(value), inverted]
    else state.limit = option === 'limit-iface-in' ? 'in' : 'out'
  },
  finish(state, seen) {
    if (!seen.has('src-type') && !seen.has('dst-type')) {
      throw new XtError('addrtype: you must specify --src-type or --dst-type')
    }
    return record(state)
  },
  print(info) {
    const one = info as unknown as AddrtypeInfo
    let text = ' ADDRTYPE match'
    if (one.src) text += ` src-type ${one.srcInverted ? '!' : ''}${typesText(one.src)}`
    if (one.dst) text += ` dst-type ${one.dstInverted ? '!' : ''}${typesText(one.dst)}`
    return text + (one.limit === '' ? '' : ` limit-${one.limit}`)
  },
  save(info) {
    const one = info as unknown as AddrtypeInfo
    let text = ''
    if (one.src) text += `${one.srcInverted ? ' !' : ''} --src-type ${typesText(one.src)}`
    if (one.dst) text += `${one.dstInverted ? ' !' : ''} --dst-type ${typesText(one.dst)}`
    return text + (one.limit === '' ? '' : ` --limit-iface-${one.limit}`)
  },
  translate(info) {
    const one = info as unknown as AddrtypeInfo
    const device = one.limit === 'in' ? '. iif ' : one.limit === 'out' ? '. oif ' : ''
    const list = (mask: number) => {
      const names = typesText(mask).toLowerCase().split(',')
      return names.length > 1 ? `{ ${names.join(', ')} }` : names[0]!
    }
    // The library stops behind the source's types.
    if (one.src) return `fib saddr ${device}type ${one.srcInverted || one.dstInverted ? '!= ' : ''}${list(one.src)}`
    return `fib daddr ${device}type ${one.dstInverted ? '!= ' : ''}${list(one.dst)}`
  },
  run(info, host) {
    const one = info as unknown as AddrtypeInfo
    return ({ packet, in: device, out }) => {
      const on = one.limit === 'in' ? device : one.limit === 'out' ? out : undefined
      const fits = (mask: number, address: number, inverted: boolean) =>
        !mask || ((mask & (1 << TYPES.indexOf(addressType(host, address, on).toUpperCase()))) !== 0) !== inverted
      return fits(one.src, packet.src, one.srcInverted) && fits(one.dst, packet.dst, one.dstInverted)
    }
  },
}

interface MacInfo {
  mac: number
  inverted: boolean
}

function macText(mac: number): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?=.)/g, '$&:')
    .toUpperCase()
}

export const mac: XtMatch<MacInfo> = {
  kind: 'match',
  name: 'mac',
  revision: 0,
  help: `mac match options:
[!] --mac-source XX:XX:XX:XX:XX:XX
				Match source MAC address
`,
  options: [{ name: 'mac-source', value: 'required', invert: true, mandatory: true }],
  init: () => ({ mac: 0, inverted: false }),
  parse(state, _option, value, inverted) {
    const parts = value.split(':')
    if (parts.length !== 6 || parts.some((part) => !/^[0-9a-fA-F]{1,2}$/.test(part))) {
      throw new XtError('Invalid MAC address specified.')
    }
    state.mac = parts.reduce((sum, part) => sum * 256 + Number.parseInt(part, 16), 0)
    state.inverted = inverted
  },
  finish: record,
  print: (info) => ` MAC${info['inverted'] ? ' !' : ''} ${macText(info['mac'] as number).toLowerCase()}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --mac-source ${macText(info['mac'] as number).toLowerCase()}`,
  translate: (info) => `ether saddr ${info['inverted'] ? '!= ' : ''}${macText(info['mac'] as number).toLowerCase()}`,
  check: (_info, { hooks }) =>
    hooks.every((hook) => hook === 'PRE_ROUTING' || hook === 'LOCAL_IN' || hook === 'FORWARD') ? undefined : 'EINVAL',
  run(info) {
    const one = info as unknown as MacInfo
    return ({ packet, in: device }) => {
      if (device?.looks.hardwareType !== 1) return false
      return (packet.macSrc === one.mac) !== one.inverted
    }
  },
}

interface RangeInfo {
  src?: [number, number]
  dst?: [number, number]
  srcInverted: boolean
  dstInverted: boolean
}

export const iprange: XtMatch<RangeInfo> = {
  kind: 'match',
  name: 'iprange',
  revision: 1,
  help: `iprange match options:
[!] --src-range ip[-ip]    Match source IP in the specified range
[!] --dst-range ip[-ip]    Match destination IP in the specified range
`,
  options: required('src-range', 'dst-range'),
  init: () => ({ srcInverted: false, dstInverted: false }),
  parse(state, option, value, inverted) {
    const [from = '', to = from] = value.split('-')
    const range = [parseIpv4(from), parseIpv4(to)]
    if (range[0] === undefined || range[1] === undefined) {
      throw new XtError(`iprange: Bad value for "--${option}" option: "${value}"`)
    }
    if (option === 'src-range') [state.src, state.srcInverted] = [range as [number, number], inverted]
    else [state.dst, state.dstInverted] = [range as [number, number], inverted]
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError("iprange match: You must specify `--src-range' or `--dst-range'")
    return record(state)
  },
  print(info) {
    const one = info as unknown as RangeInfo
    let text = ''
    if (one.src) text += ` source IP range ${one.srcInverted ? '! ' : ''}${one.src.map(formatIpv4).join('-')}`
    if (one.dst) text += ` destination IP range ${one.dstInverted ? '! ' : ''}${one.dst.map(formatIpv4).join('-')}`
    return text
  },
  save(info) {
    const one = info as unknown as RangeInfo
    let text = ''
    if (one.src) text += `${one.srcInverted ? ' !' : ''} --src-range ${one.src.map(formatIpv4).join('-')}`
    if (one.dst) text += `${one.dstInverted ? ' !' : ''} --dst-range ${one.dst.map(formatIpv4).join('-')}`
    return text
  },
  translate(info) {
    const one = info as unknown as RangeInfo
    const words: string[] = []
    if (one.src) words.push(`ip saddr ${one.srcInverted ? '!= ' : ''}${one.src.map(formatIpv4).join('-')}`)
    if (one.dst) words.push(`ip daddr ${one.dstInverted ? '!= ' : ''}${one.dst.map(formatIpv4).join('-')}`)
    return words.join(' ')
  },
  run(info) {
    const one = info as unknown as RangeInfo
    const within = (range: [number, number] | undefined, value: number, inverted: boolean) =>
      !range || (value >= range[0] && value <= range[1]) !== inverted
    return ({ packet }) => within(one.src, packet.src, one.srcInverted) && within(one.dst, packet.dst, one.dstInverted)
  },
}

/** `100`, `100:200`, `:200`, `100:`, of 16 bits. */
function range16(name: string, option: string, value: string): [number, number] {
  const [from = '', to] = value.split(':')
  const low = from === '' && to !== undefined ? 0 : numberOption(name, option, from, 65535)
  if (to === undefined) return [low, low]
  return [low, to === '' ? 65535 : numberOption(name, option, to, 65535)]
}

interface LengthInfo {
  range: [number, number]
  inverted: boolean
}

function rangeText([from, to]: [number, number], joint: string): string {
  return from === to ? String(from) : `${from}${joint}${to}`
}

function within(info: LengthInfo, value: number): boolean {
  return (value >= info.range[0] && value <= info.range[1]) !== info.inverted
}

export const length: XtMatch<LengthInfo> = {
  kind: 'match',
  name: 'length',
  revision: 0,
  help: `length match options:
[!] --length length[:length]    Match packet length against value or range
                                of values (inclusive)
`,
  options: [{ name: 'length', value: 'required', invert: true, mandatory: true }],
  init: () => ({ range: [0, 0], inverted: false }),
  parse(state, option, value, inverted) {
    state.range = range16('length', option, value)
    if (state.range[0] > state.range[1]) {
      throw new XtError(`length: invalid length-range ("${value}")`)
    }
    state.inverted = inverted
  },
  finish: record,
  print: (info) => ` length ${info['inverted'] ? '!' : ''}${rangeText(info['range'] as [number, number], ':')}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --length ${rangeText(info['range'] as [number, number], ':')}`,
  translate: (info) =>
    `meta length ${info['inverted'] ? '!= ' : ''}${rangeText(info['range'] as [number, number], '-')}`,
  run:
    (info) =>
    ({ packet }) =>
      within(info as unknown as LengthInfo, ipLength(packet)),
}

export const tcpmss: XtMatch<LengthInfo> = {
  kind: 'match',
  name: 'tcpmss',
  revision: 0,
  help: `tcpmss match options:
[!] --mss value[:value]	Match TCP MSS range.
				(only valid for TCP SYN or SYN/ACK packets)
`,
  options: [{ name: 'mss', value: 'required', invert: true, mandatory: true }],
  init: () => ({ range: [0, 0], inverted: false }),
  parse(state, option, value, inverted) {
    state.range = range16('tcpmss', option, value)
    state.inverted = inverted
  },
  finish: record,
  print: (info) => ` tcpmss match ${info['inverted'] ? '!' : ''}${rangeText(info['range'] as [number, number], ':')}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --mss ${rangeText(info['range'] as [number, number], ':')}`,
  translate: (info) =>
    `tcp option maxseg size ${info['inverted'] ? '!= ' : ''}${rangeText(info['range'] as [number, number], '-')}`,
  check: (_info, { basics }) => (basics.protocol === IPPROTO_TCP && !basics.protocolInverted ? undefined : 'EINVAL'),
  run:
    (info) =>
    ({ packet }) => {
      const one = info as unknown as LengthInfo
      if (packet.fragment & IP_OFFSET || packet.raw !== RAW_NONE) return false
      const bytes = tcpOptionBytes(packet)
      for (let at = 0; at < bytes.length; ) {
        if (bytes[at] === 2 && bytes[at + 1] === 4 && at + 4 <= bytes.length) {
          return within(one, bytes[at + 2]! * 256 + bytes[at + 3]!)
        }
        if (bytes[at]! < 2) at++
        else at += bytes[at + 1] || 1
      }
      return one.inverted
    },
}

interface TtlInfo {
  mode: 'eq' | 'ne' | 'lt' | 'gt'
  ttl: number
}

export const ttl: XtMatch<TtlInfo> = {
  kind: 'match',
  name: 'ttl',
  revision: 0,
  families: ['ip', 'inet'],
  help: `ttl match options:
[!] --ttl-eq value	Match time to live value
  --ttl-lt value	Match TTL < value
  --ttl-gt value	Match TTL > value
`,
  options: [
    { name: 'ttl-lt', value: 'required', excludes: ['ttl-gt', 'ttl-eq'] },
    { name: 'ttl-gt', value: 'required', excludes: ['ttl-lt', 'ttl-eq'] },
    { name: 'ttl-eq', value: 'required', invert: true, excludes: ['ttl-lt', 'ttl-gt'] },
    { name: 'ttl', value: 'required', invert: true },
  ],
  init: () => ({ mode: 'eq', ttl: 0 }),
  parse(state, option, value, inverted) {
    state.ttl = numberOption('ttl', option, value, 255)
    state.mode = option === 'ttl-lt' ? 'lt' : option === 'ttl-gt' ? 'gt' : inverted ? 'ne' : 'eq'
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt")
    return record(state)
  },
  print: (info) => ` TTL match TTL ${{ eq: '==', ne: '!=', lt: '<', gt: '>' }[info['mode'] as 'eq']} ${info['ttl']}`,
  save: (info) => (info['mode'] === 'ne' ? ` ! --ttl-eq ${info['ttl']}` : ` --ttl-${info['mode']} ${info['ttl']}`),
  translate: (info) => `ip ttl ${{ eq: '', ne: '!= ', lt: 'lt ', gt: 'gt ' }[info['mode'] as 'eq']}${info['ttl']}`,
  run(info) {
    const { mode, ttl: value } = info as unknown as TtlInfo
    return ({ packet }) => {
      const own = packet.ttl
      return mode === 'eq' ? own === value : mode === 'ne' ? own !== value : mode === 'lt' ? own < value : own > value
    }
  },
}

/** What values of TOS are called. extensions/tos_values.c. */
export const TOS_NAMES: [number, string][] = [
  [0x10, 'Minimize-Delay'],
  [0x08, 'Maximize-Throughput'],
  [0x04, 'Maximize-Reliability'],
  [0x02, 'Minimize-Cost'],
  [0x00, 'Normal-Service'],
]

/** A value and a mask, or a name that means all but ECN's bits. */
export function parseTos(extension: string, option: string, text: string): [number, number] {
  const digits = /^[0-9]/.test(text)
  if (digits) {
    const [value = '', mask] = text.split('/')
    const a = number(value, 255)
    const b = mask === undefined ? 0xff : number(mask, 255)
    if (a === undefined || b === undefined)
      throw new XtError(`${extension}: Bad value for "--${option}" option: "${text}"`)
    return [a, b]
  }
  const found = TOS_NAMES.filter(([, name]) => name.toLowerCase().startsWith(text.toLowerCase()))
  if (found.length > 1) throw new XtError(`Symbolic name "${text}" is ambiguous`)
  if (found.length === 0) throw new XtError(`${extension}: Bad value for "--${option}" option: "${text}"`)
  return [found[0]![0], 0x3f]
}

interface TosInfo {
  value: number
  mask: number
  inverted: boolean
}

export const tos: XtMatch<TosInfo> = {
  kind: 'match',
  name: 'tos',
  revision: 1,
  help: `tos match options:
[!] --tos value[/mask]    Match Type of Service/Priority field value
[!] --tos symbol          Match TOS field (IPv4 only) by symbol
                          Accepted symbolic names for value are:
${TOS_NAMES.map(([value, name]) => `                          (${hexPadded(value, 2)}) ${String(value).padStart(2)} ${name}`).join('\n')}
`,
  options: [{ name: 'tos', value: 'required', invert: true, mandatory: true }],
  init: () => ({ value: 0, mask: 0xff, inverted: false }),
  parse(state, option, value, inverted) {
    ;[state.value, state.mask] = parseTos('tos', option, value)
    state.inverted = inverted
  },
  finish: record,
  print(info, with_) {
    const one = info as unknown as TosInfo
    const name = one.mask === 0x3f && !with_.numeric ? TOS_NAMES.find(([value]) => value === one.value)?.[1] : undefined
    const lead = ` tos match${one.inverted ? '!' : ''}`
    return name === undefined ? `${lead}${hexPadded(one.value, 2)}/${hexPadded(one.mask, 2)}` : `${lead} ${name}`
  },
  save: (info) =>
    `${info['inverted'] ? ' !' : ''} --tos ${hexPadded(info['value'] as number, 2)}/${hexPadded(info['mask'] as number, 2)}`,
  run(info) {
    const one = info as unknown as TosInfo
    return ({ packet }) => ((packet.tos & one.mask) === one.value) !== one.inverted
  },
}

/** DSCP classes. extensions/dscp_helper.c. */
export const DSCP_CLASSES: Record<string, number> = {
  CS0: 0,
  CS1: 8,
  CS2: 16,
  CS3: 24,
  CS4: 32,
  CS5: 40,
  CS6: 48,
  CS7: 56,
  BE: 0,
  AF11: 10,
  AF12: 12,
  AF13: 14,
  AF21: 18,
  AF22: 20,
  AF23: 22,
  AF31: 26,
  AF32: 28,
  AF33: 30,
  AF41: 34,
  AF42: 36,
  AF43: 38,
  EF: 46,
}

export function parseDscp(extension: string, option: string, value: string): number {
  if (!option.endsWith('class')) return numberOption(extension, option, value, 63)
  const found = DSCP_CLASSES[value.toUpperCase()]
  if (found === undefined) throw new XtError(`Invalid DSCP value \`${value}'\n`)
  return found
}

export const dscp: XtMatch<{ dscp: number; inverted: boolean }> = {
  kind: 'match',
  name: 'dscp',
  revision: 0,
  help: `dscp match options
[!] --dscp value		Match DSCP codepoint with numerical value
  		                This value can be in decimal (ex: 32)
               		or in hex (ex: 0x20)
[!] --dscp-class name		Match the DiffServ class. This value may
				be any of the BE,EF, AFxx or CSx classes

				These two options are mutually exclusive !
`,
  options: required('dscp', 'dscp-class'),
  init: () => ({ dscp: 0, inverted: false }),
  parse(state, option, value, inverted) {
    state.dscp = parseDscp('dscp', option, value)
    state.inverted = inverted
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('DSCP match: Parameter --dscp is required')
    return state
  },
  print: (info) => ` DSCP match ${info['inverted'] ? '!' : ''}${hexPadded(info['dscp'] as number, 2)}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --dscp ${hexPadded(info['dscp'] as number, 2)}`,
  translate: (info) => `ip dscp ${info['inverted'] ? '!= ' : ''}${hexPadded(info['dscp'] as number, 2)}`,
  run:
    (info) =>
    ({ packet }) =>
      (packet.tos >>> 2 === info['dscp']) !== info['inverted'],
}

const PACKET_TYPES: [string, number][] = [
  ['unicast', 0],
  ['broadcast', 1],
  ['multicast', 2],
  ['bcast', 1],
  ['mcast', 2],
  ['host', 0],
]

export const pkttype: XtMatch<{ type: number; inverted: boolean }> = {
  kind: 'match',
  name: 'pkttype',
  revision: 0,
  help: `pkttype match options:
[!] --pkt-type packettype    match packet type

Valid packet types:
	unicast         	to us
	broadcast       	to all
	multicast       	to group
`,
  options: [{ name: 'pkt-type', value: 'required', invert: true, mandatory: true }],
  init: () => ({ type: 0, inverted: false }),
  parse(state, _option, value, inverted) {
    const found = PACKET_TYPES.find(([name]) => name === value.toLowerCase())
    if (!found) throw new XtError(`Bad packet type '${value}'`)
    state.type = found[1]
    state.inverted = inverted
  },
  finish: (state) => state,
  print: (info) => ` PKTTYPE ${info['inverted'] ? '!= ' : '= '}${typeName(info['type'])}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --pkt-type ${typeName(info['type'])}`,
  translate: (info) => `pkttype ${info['inverted'] ? '!= ' : ''}${typeName(info['type'])}`,
  run:
    (info) =>
    ({ packet, hook, in: device }) =>
      (packetType(packet, hook, device?.loops ?? false) === info['type']) !== info['inverted'],
}

function typeName(type: unknown): string {
  return PACKET_TYPES.find(([, one]) => one === type)?.[0] ?? String(type)
}

interface StringInfo {
  pattern: string
  algorithm: string
  from: number
  to: number
  inverted: boolean
  ignoreCase: boolean
}

/** `a|de ad|b`: text with bytes between bars. libxt_string.c: parse_hex_string(). */
function parseHex(text: string): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) out += text[++i]
    else if (text[i] === '|') {
      const end = text.indexOf('|', i + 1)
      if (end < 0) throw new XtError('string: Bad value for "--hex-string" option')
      const digits = text.slice(i + 1, end).replace(/\s/g, '')
      if (digits.length % 2 !== 0) throw new XtError('Odd number of hex digits')
      for (let d = 0; d < digits.length; d += 2) {
        const byte = digits.slice(d, d + 2)
        if (!/^[0-9a-fA-F]{2}$/.test(byte)) throw new XtError(`Invalid hex char '${byte[0]}'`)
        out += String.fromCharCode(Number.parseInt(byte, 16))
      }
      i = end
    } else out += text[i]
  }
  return out
}

function isPlain(text: string): boolean {
  return [...text].every((char) => char >= ' ' && char <= '~')
}

function patternText(text: string): string {
  if (isPlain(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`
  return `"|${[...text].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')}|"`
}

export const string: XtMatch<StringInfo> = {
  kind: 'match',
  name: 'string',
  revision: 1,
  help: `string match options:
--from                       Offset to start searching from
--to                         Offset to stop searching
--algo                       Algorithm
--icase                      Ignore case (default: 0)
[!] --string string          Match a string in a packet
[!] --hex-string string      Match a hex string in a packet
`,
  options: [
    { name: 'algo', value: 'required', mandatory: true },
    { name: 'from', value: 'required' },
    { name: 'to', value: 'required' },
    { name: 'string', value: 'required', invert: true, excludes: ['hex-string'] },
    { name: 'hex-string', value: 'required', invert: true, excludes: ['string'] },
    { name: 'icase', value: 'none' },
  ],
  init: () => ({ pattern: '', algorithm: '', from: 0, to: 65535, inverted: false, ignoreCase: false }),
  parse(state, option, value, inverted) {
    if (option === 'algo') state.algorithm = value
    else if (option === 'from') state.from = numberOption('string', option, value, 65535)
    else if (option === 'to') state.to = numberOption('string', option, value, 65535)
    else if (option === 'icase') state.ignoreCase = true
    else {
      state.pattern = option === 'string' ? value : parseHex(value)
      if (state.pattern.length > 128) throw new XtError(`STRING too long "${value}"`)
      state.inverted = inverted
    }
  },
  finish(state, seen) {
    if (!seen.has('string') && !seen.has('hex-string')) {
      throw new XtError("STRING match: You must specify `--string' or `--hex-string'")
    }
    return record(state)
  },
  print(info) {
    const one = info as unknown as StringInfo
    let text = ` STRING match ${one.inverted ? '!' : ''} ${patternText(one.pattern)} ALGO name ${one.algorithm}`
    if (one.from !== 0) text += ` FROM ${one.from}`
    if (one.to !== 0 && one.to !== 65535) text += ` TO ${one.to}`
    return one.ignoreCase ? `${text} ICASE` : text
  },
  save(info) {
    const one = info as unknown as StringInfo
    const option = isPlain(one.pattern) ? 'string' : 'hex-string'
    let text = `${one.inverted ? ' !' : ''} --${option} ${patternText(one.pattern)} --algo ${one.algorithm}`
    if (one.from !== 0) text += ` --from ${one.from}`
    if (one.to !== 0 && one.to !== 65535) text += ` --to ${one.to}`
    return one.ignoreCase ? `${text} --icase` : text
  },
  check: (info) => (['bm', 'kmp', 'fsm'].includes(info['algorithm'] as string) ? undefined : 'ENOENT'),
  run(info) {
    const one = info as unknown as StringInfo
    const pattern = one.ignoreCase ? one.pattern.toLowerCase() : one.pattern
    return ({ packet }) => {
      const text = decodeLatin1(emitIp(packet))
      const at = (one.ignoreCase ? text.toLowerCase() : text).indexOf(pattern, one.from)
      // What is found has to begin no later than at `to`.
      return (at >= 0 && at <= one.to) !== one.inverted
    }
  },
}

type U32Step = { op: '&' | '<<' | '>>' | '@'; value: number }
interface U32Test {
  offset: number
  steps: U32Step[]
  ranges: [number, number][]
}

/** `0>>22&0x3C@4&0xFF=1:5,7 && 12=10`. libxt_u32.c: u32_parse(). */
function parseU32(text: string): U32Test[] {
  const tests: U32Test[] = []
  for (const part of text.split('&&')) {
    const equals = part.indexOf('=')
    if (equals < 0) throw new XtError('u32: at char 1: input missing "="')
    const location = part.slice(0, equals).replace(/\s/g, '')
    const word = (one: string) => {
      const value = number(one)
      if (value === undefined) throw new XtError(`u32: at char 1: not a number: ${one}`)
      return value
    }
    const found = /^([0-9a-zA-Z]+)/.exec(location)
    if (!found) throw new XtError('u32: at char 1: operator expected')
    const test: U32Test = { offset: word(found[1]!), steps: [], ranges: [] }
    let rest = location.slice(found[1]!.length)
    while (rest !== '') {
      const step = /^(&|<<|>>|@)([0-9a-zA-Z]+)/.exec(rest)
      if (!step) throw new XtError(`u32: at char ${location.length - rest.length + 1}: operator expected`)
      test.steps.push({ op: step[1] as '&', value: word(step[2]!) })
      rest = rest.slice(step[0].length)
    }
    for (const range of part.slice(equals + 1).split(',')) {
      const [from = '', to = from] = range.trim().split(':')
      test.ranges.push([word(from.trim()), word(to.trim())])
    }
    if (test.steps.length > 10 || test.ranges.length > 10) throw new XtError('u32: too many operators')
    tests.push(test)
  }
  return tests
}

function u32Text(tests: U32Test[]): string {
  return tests
    .map(({ offset, steps, ranges }) => {
      const location = hex(offset) + steps.map(({ op, value }) => `${op}${hex(value)}`).join('')
      return `${location}=${ranges.map(([from, to]) => (from === to ? hex(from) : `${hex(from)}:${hex(to)}`)).join(',')}`
    })
    .join('&&')
}

/** u32_match_it(). */
function u32Fits(tests: U32Test[], bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const { offset, steps, ranges } of tests) {
    let at = 0
    if (offset + 4 > bytes.length) return false
    let value = view.getUint32(offset)
    for (const step of steps) {
      if (step.op === '&') value = (value & step.value) >>> 0
      else if (step.op === '<<') value = (value << step.value) >>> 0
      else if (step.op === '>>') value = value >>> step.value
      else {
        at += value
        if (at + step.value + 4 > bytes.length) return false
        value = view.getUint32(at + step.value)
      }
    }
    if (!ranges.some(([from, to]) => value >= from && value <= to)) return false
  }
  return true
}

export const u32: XtMatch<{ tests: U32Test[]; inverted: boolean }> = {
  kind: 'match',
  name: 'u32',
  revision: 0,
  help: `u32 match options:
[!] --u32 tests
		""tests" := location "=" value | tests "&&" location "=" value
`,
  options: [{ name: 'u32', value: 'required', invert: true, mandatory: true }],
  init: () => ({ tests: [], inverted: false }),
  parse(state, _option, value, inverted) {
    state.tests = parseU32(value)
    state.inverted = inverted
  },
  finish: (state) => state as unknown as Record<string, unknown>,
  print: (info) => ` u32${info['inverted'] ? ' !' : ''} "${u32Text(info['tests'] as U32Test[])}"`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --u32 "${u32Text(info['tests'] as U32Test[])}"`,
  run:
    (info) =>
    ({ packet }: { packet: Packet }) =>
      u32Fits(info['tests'] as U32Test[], emitIp(packet)) !== info['inverted'],
}

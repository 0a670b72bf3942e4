/** The matches `tcp` and `udp`: ports, flags, one option. Linux 6.1 net/netfilter/xt_tcpudp.c; iptables extensions/libxt_tcp.c. */
import type { HookContext } from '#kernel/net'
import { IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, type Packet, RAW_NONE, tcpOptionBytes } from '#wire/inet'
import type { Expression, Load } from '../expressions.ts'
import { transportBytes } from '../loads.ts'
import { XtError, type XtMatch, type XtOption, type XtParse, type XtPrint } from './extension.ts'
import { hexPadded, number, portRange, portText } from './words.ts'

export interface PortsInfo {
  sport: [number, number]
  dport: [number, number]
  sportInverted: boolean
  dportInverted: boolean
}

export interface TcpInfo extends PortsInfo {
  flagsMask: number
  flagsCompare: number
  flagsInverted: boolean
  option: number
  optionInverted: boolean
}

export const TCP_FLAG_NAMES: [string, number][] = [
  ['FIN', 0x01],
  ['SYN', 0x02],
  ['RST', 0x04],
  ['PSH', 0x08],
  ['ACK', 0x10],
  ['URG', 0x20],
]

/** The flags of a comma-separated list. */
function parseFlags(text: string): number {
  let bits = 0
  for (const word of text.split(',').filter((one) => one !== '')) {
    const name = word.toUpperCase()
    const flag = name === 'ALL' ? 0x3f : name === 'NONE' ? 0 : TCP_FLAG_NAMES.find(([one]) => one === name)?.[1]
    if (flag === undefined) throw new XtError(`Unknown TCP flag \`${word}'`)
    bits |= flag
  }
  return bits
}

export function flagsText(bits: number): string {
  return (
    TCP_FLAG_NAMES.filter(([, bit]) => bits & bit)
      .map(([name]) => name)
      .join(',') || 'NONE'
  )
}

export function noPorts(): PortsInfo {
  return { sport: [0, 65535], dport: [0, 65535], sportInverted: false, dportInverted: false }
}

export function noTcp(): TcpInfo {
  return { ...noPorts(), flagsMask: 0, flagsCompare: 0, flagsInverted: false, option: 0, optionInverted: false }
}

const PORT_OPTIONS: XtOption[] = [
  { name: 'source-port', value: 'required', invert: true },
  { name: 'sport', value: 'required', invert: true },
  { name: 'destination-port', value: 'required', invert: true },
  { name: 'dport', value: 'required', invert: true },
]

function parsePorts(
  state: PortsInfo,
  option: string,
  value: string,
  inverted: boolean,
  protocol: string,
  with_: XtParse,
): void {
  if (option === 'source-port' || option === 'sport') {
    state.sport = portRange(value, protocol, with_)
    state.sportInverted = inverted
  } else {
    state.dport = portRange(value, protocol, with_)
    state.dportInverted = inverted
  }
}

function isAny([from, to]: [number, number], inverted: boolean): boolean {
  return from === 0 && to === 65535 && !inverted
}

function printPorts(info: PortsInfo, protocol: string, with_: XtPrint): string {
  let text = ''
  const one = (name: string, [from, to]: [number, number], inverted: boolean) => {
    if (isAny([from, to], inverted)) return
    const not = inverted ? '!' : ''
    if (from === to) text += ` ${name}:${not}${portText(from, protocol, with_)}`
    else text += ` ${name}s:${not}${portText(from, protocol, with_)}:${portText(to, protocol, with_)}`
  }
  one('spt', info.sport, info.sportInverted)
  one('dpt', info.dport, info.dportInverted)
  return text
}

function savePorts(info: PortsInfo): string {
  let text = ''
  const one = (name: string, [from, to]: [number, number], inverted: boolean) => {
    if (isAny([from, to], inverted)) return
    text += `${inverted ? ' !' : ''} --${name} ${from === to ? from : `${from}:${to}`}`
  }
  one('sport', info.sport, info.sportInverted)
  one('dport', info.dport, info.dportInverted)
  return text
}

/** For nft: `tcp dport 80-90`. */
function translatePorts(info: PortsInfo, protocol: string): string {
  const words: string[] = []
  const one = (name: string, [from, to]: [number, number], inverted: boolean) => {
    if (isAny([from, to], inverted)) return
    words.push(`${protocol} ${name} ${inverted ? '!= ' : ''}${from === to ? from : `${from}-${to}`}`)
  }
  one('sport', info.sport, info.sportInverted)
  one('dport', info.dport, info.dportInverted)
  return words.join(' ')
}

/** What iptables-nft says natively: a port. */
function nativePorts(offset: number, [from, to]: [number, number], inverted: boolean): Expression[] {
  if (isAny([from, to], inverted)) return []
  const load: Load = { load: 'payload', base: 'th', offset, length: 2 }
  if (from === to) return [{ expr: 'cmp', load, op: inverted ? 'neq' : 'eq', value: from }]
  if (from === 0) return [{ expr: 'cmp', load, op: inverted ? 'gt' : 'lte', value: to }]
  return [{ expr: 'range', load, invert: inverted, from, to }]
}

function fits(value: number, [from, to]: [number, number], inverted: boolean): boolean {
  return (value >= from && value <= to) !== inverted
}

/** Whether the transport header can be looked at; fragments behind the first can't match, the second may be an attack. */
function header(packet: Packet): boolean | 'drop' {
  const offset = packet.fragment & IP_OFFSET
  if (offset !== 0) return offset === 1 && packet.protocol === IPPROTO_TCP ? 'drop' : false
  return packet.raw === RAW_NONE ? true : 'drop'
}

export const tcp: XtMatch<TcpInfo> = {
  kind: 'match',
  name: 'tcp',
  revision: 0,
  protocol: IPPROTO_TCP,
  help: `tcp match options:
[!] --tcp-flags mask comp	match when the flags of 'mask' are those of 'comp'
				(Flags: SYN ACK FIN RST URG PSH ALL NONE)
[!] --syn			match when only SYN of FIN, SYN, RST, ACK is set
[!] --source-port port[:port]
 --sport ...
				match source port(s)
[!] --destination-port port[:port]
 --dport ...
				match destination port(s)
[!] --tcp-option number		match if the TCP option is there
`,
  options: [
    ...PORT_OPTIONS,
    { name: 'syn', value: 'none', invert: true },
    { name: 'tcp-flags', value: 'required', invert: true },
    { name: 'tcp-option', value: 'required', invert: true },
  ],
  init: noTcp,
  parse(state, option, value, inverted, with_) {
    if (option === 'syn') {
      state.flagsMask = 0x17
      state.flagsCompare = 0x02
      state.flagsInverted = inverted
    } else if (option === 'tcp-flags') {
      // The second word comes behind a blank: the program joins them.
      const [mask = '', compare] = value.split(' ')
      if (compare === undefined) throw new XtError('--tcp-flags requires two args.')
      state.flagsMask = parseFlags(mask)
      state.flagsCompare = parseFlags(compare)
      state.flagsInverted = inverted
    } else if (option === 'tcp-option') {
      const wanted = number(value, 255, 1)
      if (wanted === undefined) throw new XtError(`Bad TCP option "${value}"`)
      state.option = wanted
      state.optionInverted = inverted
    } else parsePorts(state, option, value, inverted, 'tcp', with_)
  },
  finish: (state) => state as unknown as Record<string, unknown>,
  print(info, with_) {
    const one = info as unknown as TcpInfo
    let text = ` tcp${printPorts(one, 'tcp', with_)}`
    if (one.option || one.optionInverted) text += ` option=${one.optionInverted ? '!' : ''}${one.option}`
    if (one.flagsMask || one.flagsInverted) {
      const not = one.flagsInverted ? '!' : ''
      text += with_.numeric
        ? ` flags:${not}${hexPadded(one.flagsMask, 2).toUpperCase().replace('X', 'x')}/${hexPadded(one.flagsCompare, 2).toUpperCase().replace('X', 'x')}`
        : ` flags:${not}${flagsText(one.flagsMask)}/${flagsText(one.flagsCompare)}`
    }
    return text
  },
  save(info) {
    const one = info as unknown as TcpInfo
    let text = savePorts(one)
    if (one.option || one.optionInverted) text += `${one.optionInverted ? ' !' : ''} --tcp-option ${one.option}`
    if (one.flagsMask || one.flagsInverted) {
      text += `${one.flagsInverted ? ' !' : ''} --tcp-flags ${flagsText(one.flagsMask)} ${flagsText(one.flagsCompare)}`
    }
    return text
  },
  translate(info) {
    const one = info as unknown as TcpInfo
    const words = [translatePorts(one, 'tcp')].filter((word) => word !== '')
    if (one.option) words.push(`tcp option ${one.option} ${one.optionInverted ? 'missing' : 'exists'}`)
    if (one.flagsMask || one.flagsInverted) {
      const names = (bits: number) => flagsText(bits).toLowerCase().replace('none', '0x0')
      words.push(`tcp flags ${one.flagsInverted ? '!= ' : ''}${names(one.flagsCompare)} / ${names(one.flagsMask)}`)
    }
    return words.join(' ')
  },
  native(info) {
    const one = info as unknown as TcpInfo
    if (one.option || one.optionInverted) return undefined
    const all = [...nativePorts(0, one.sport, one.sportInverted), ...nativePorts(2, one.dport, one.dportInverted)]
    if (one.flagsMask || one.flagsInverted) {
      const of: Load = { load: 'payload', base: 'th', offset: 13, length: 1 }
      all.push({
        expr: 'cmp',
        load: { load: 'bitwise', of, mask: one.flagsMask, xor: 0 },
        op: one.flagsInverted ? 'neq' : 'eq',
        value: one.flagsCompare,
      })
    }
    return all.length > 0 ? all : undefined
  },
  run(info) {
    const one = info as unknown as TcpInfo
    return ({ packet }: HookContext) => {
      const there = header(packet)
      if (there !== true) return there
      if (!fits(packet.srcPort, one.sport, one.sportInverted)) return false
      if (!fits(packet.dstPort, one.dport, one.dportInverted)) return false
      if (((packet.tcpFlags & one.flagsMask) === one.flagsCompare) === one.flagsInverted) return false
      return !one.option || hasOption(packet, one.option) !== one.optionInverted
    }
  },
}

function hasOption(packet: Packet, wanted: number): boolean {
  const bytes = tcpOptionBytes(packet)
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === wanted) return true
    if (bytes[at]! < 2) at++
    else at += bytes[at + 1] || 1
  }
  return false
}

export const udp: XtMatch<PortsInfo> = {
  kind: 'match',
  name: 'udp',
  revision: 0,
  protocol: IPPROTO_UDP,
  help: `udp match options:
[!] --source-port port[:port]
 --sport ...
				match source port(s)
[!] --destination-port port[:port]
 --dport ...
				match destination port(s)
`,
  options: PORT_OPTIONS,
  init: noPorts,
  parse: (state, option, value, inverted, with_) => parsePorts(state, option, value, inverted, 'udp', with_),
  finish: (state) => state as unknown as Record<string, unknown>,
  print: (info, with_) => ` udp${printPorts(info as unknown as PortsInfo, 'udp', with_)}`,
  save: (info) => savePorts(info as unknown as PortsInfo),
  translate: (info) => translatePorts(info as unknown as PortsInfo, 'udp'),
  native(info) {
    const one = info as unknown as PortsInfo
    const all = [...nativePorts(0, one.sport, one.sportInverted), ...nativePorts(2, one.dport, one.dportInverted)]
    return all.length > 0 ? all : undefined
  },
  run(info) {
    const one = info as unknown as PortsInfo
    return ({ packet }) => {
      if (packet.fragment & IP_OFFSET) return false
      if (packet.raw !== RAW_NONE) return 'drop'
      return fits(packet.srcPort, one.sport, one.sportInverted) && fits(packet.dstPort, one.dport, one.dportInverted)
    }
  },
}

/** SCTP's ports stand where the others' do; its chunks aren't looked at. */
export const sctp: XtMatch<PortsInfo> = {
  ...udp,
  name: 'sctp',
  protocol: 132,
  help: udp.help.replaceAll('udp', 'sctp'),
  parse: (state, option, value, inverted, with_) => parsePorts(state, option, value, inverted, 'sctp', with_),
  print: (info, with_) => ` sctp${printPorts(info as unknown as PortsInfo, 'sctp', with_)}`,
  translate: (info) => translatePorts(info as unknown as PortsInfo, 'sctp'),
  native: () => undefined,
  run(info) {
    const one = info as unknown as PortsInfo
    return ({ packet }) => {
      const bytes = transportBytes(packet)
      if (!bytes || bytes.length < 4) return false
      const port = (at: number) => bytes[at]! * 256 + bytes[at + 1]!
      return fits(port(0), one.sport, one.sportInverted) && fits(port(2), one.dport, one.dportInverted)
    }
  },
}

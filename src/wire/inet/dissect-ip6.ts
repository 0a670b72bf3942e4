/** IPv6 taken apart: the header, extension headers as layers of their own, ICMPv6 with neighbour discovery and MLD. */
import { sumWords } from '#base/bytes'
import { type Carrier, dissectTransport, rightChecksum } from './dissect-transport.ts'
import { icmpv6Names, parseMldRecords, parseNdOptions } from './icmpv6.ts'
import { formatIpv6, readIpv6 } from './ipv6-address.ts'
import { dataLayer, type Field, type Layer, LayerBuilder } from './layer.ts'

const NEXT_HEADERS: Record<number, string> = {
  0: 'IPv6 Hop-by-Hop Option',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  43: 'Routing Header for IPv6',
  44: 'Fragment Header for IPv6',
  58: 'ICMPv6',
  59: 'IPv6 No Next Header',
  60: 'Destination Options for IPv6',
}
const EXTENSIONS: Record<number, { name: string; title: string }> = {
  0: { name: 'ipv6.hopopts', title: 'IPv6 Hop-by-Hop Option' },
  43: { name: 'ipv6.routing', title: 'Routing Header for IPv6' },
  44: { name: 'ipv6.fraghdr', title: 'Fragment Header for IPv6' },
  60: { name: 'ipv6.dstopts', title: 'Destination Options for IPv6' },
}

function nextHeader(type: number): string {
  return `${NEXT_HEADERS[type] ?? 'Unknown'} (${type})`
}

/** Adds the layers of the IPv6 packet that begins here; where it ends, or `at` if there isn't even a header. */
export function dissectIp6(layers: Layer[], bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 40 || bytes[at]! >>> 4 !== 6) return at
  const ip = new LayerBuilder(bytes, 'ipv6', at)
  const flow = ip.word32(at)
  ip.bits('ipv6.version', 'Version', at, 1, 0, 4, '6')
  ip.bits('ipv6.tclass', 'Traffic class', at, 2, 4, 8, `0x${((flow >>> 20) & 255).toString(16).padStart(2, '0')}`)
  ip.bits('ipv6.flow', 'Flow label', at, 4, 12, 20, `0x${(flow & 0xfffff).toString(16).padStart(5, '0')}`)
  const length = ip.number('ipv6.plen', 'Payload length', at + 4, 2)
  let type = bytes[at + 6]!
  ip.field('ipv6.nxt', 'Next header', at + 6, 1, nextHeader(type))
  ip.number('ipv6.hlim', 'Hop limit', at + 7, 1)
  const [src, dst] = [formatIpv6(readIpv6(bytes, at + 8)), formatIpv6(readIpv6(bytes, at + 24))]
  ip.field('ipv6.src', 'Source address', at + 8, 16, src)
  ip.field('ipv6.dst', 'Destination address', at + 24, 16, dst)
  layers.push(ip.layer(`Internet Protocol Version 6, Src: ${src}, Dst: ${dst}`, at + 40))
  const packetEnd = Math.min(end, at + 40 + length)
  let fragment = false
  let offset = 0
  let place = at + 40
  for (let known = EXTENSIONS[type]; known !== undefined && offset === 0; known = EXTENSIONS[type]) {
    if (packetEnd - place < 8 || (type === 0 && place !== at + 40)) break
    const size = type === 44 ? 8 : (bytes[place + 1]! + 1) * 8
    if (size > packetEnd - place) break
    const header = new LayerBuilder(bytes, known.name, place)
    header.field(`${known.name}.nxt`, 'Next header', place, 1, nextHeader(bytes[place]!))
    if (type === 44) {
      const word = header.word(place + 2)
      fragment = (word & 0xfff9) !== 0
      offset = word & 0xfff8
      header.bits('ipv6.fraghdr.offset', 'Offset', place + 2, 2, 0, 13, String(offset))
      header.bits('ipv6.fraghdr.more', 'More fragments', place + 3, 1, 7, 1, word & 1 ? 'Yes' : 'No')
      const id = header.word32(place + 4)
      header.field('ipv6.fraghdr.ident', 'Identification', place + 4, 4, `0x${id.toString(16).padStart(8, '0')}`)
    } else {
      header.field(`${known.name}.len`, 'Length', place + 1, 1, `${bytes[place + 1]} (${size} bytes)`)
      if (type === 43) {
        header.number('ipv6.routing.type', 'Type', place + 2, 1)
        header.number('ipv6.routing.segleft', 'Segments left', place + 3, 1)
      } else options(header, place + 2, place + size)
    }
    layers.push(header.layer(known.title, place + size))
    type = bytes[place]!
    place += size
  }
  const pseudo = sumWords(bytes, at + 8, 32, type + Math.max(0, at + 40 + length - place))
  const carrier = { fragment, offset, complete: at + 40 + length <= end, pseudo }
  if (type === 58 && offset === 0 && packetEnd - place >= 8) {
    const next = dissectIcmp6(layers, bytes, place, packetEnd, carrier)
    dataLayer(layers, bytes, next, packetEnd)
  } else if (type === 6 || type === 17) dissectTransport(layers, bytes, place, packetEnd, type, carrier)
  else if (type === 41 && offset === 0 && packetEnd - place >= 40) {
    const next = dissectIp6(layers, bytes, place, packetEnd)
    dataLayer(layers, bytes, next, packetEnd)
  } else dataLayer(layers, bytes, place, packetEnd)
  return packetEnd
}

const OPTION_NAMES: Record<number, string> = { 0: 'Pad1', 1: 'PadN', 5: 'Router Alert', 194: 'Jumbo Payload' }

function options(header: LayerBuilder, from: number, end: number): void {
  const { bytes } = header
  for (let at = from; at < end; ) {
    const type = bytes[at]!
    const size = type === 0 ? 1 : at + 1 < end ? bytes[at + 1]! + 2 : 2
    if (at + size > end) {
      header.field('ipv6.opt.type', 'Malformed option', at, end - at, `type ${type}`)
      return
    }
    const value = type === 5 && size === 4 ? String(header.word(at + 2)) : `${size} byte${size === 1 ? '' : 's'}`
    header.field('ipv6.opt.type', OPTION_NAMES[type] ?? `Option ${type}`, at, size, value)
    at += size
  }
}

function dissectIcmp6(layers: Layer[], bytes: Uint8Array, at: number, end: number, carrier: Carrier): number {
  const icmp = new LayerBuilder(bytes, 'icmpv6', at)
  const type = bytes[at]!
  const code = bytes[at + 1]!
  const names = icmpv6Names(type, code)
  icmp.field('icmpv6.type', 'Type', at, 1, `${names.type} (${type})`)
  icmp.field('icmpv6.code', 'Code', at + 1, 1, names.code === undefined ? String(code) : `${names.code} (${code})`)
  icmp.checksum('icmpv6', at + 2, rightChecksum(bytes, at, end, at + 2, carrier, carrier.pseudo))
  const address = (name: string, label: string, place: number) => {
    icmp.field(name, label, place, 16, formatIpv6(readIpv6(bytes, place)))
  }
  let next = at + 8
  let optionsAt: number | undefined
  if (type === 2) icmp.number('icmpv6.mtu', 'MTU', at + 4, 4)
  else if (type === 4) icmp.number('icmpv6.pointer', 'Pointer', at + 4, 4)
  else if (type === 128 || type === 129) {
    icmp.number('icmpv6.echo.identifier', 'Identifier', at + 4, 2)
    icmp.number('icmpv6.echo.sequence_number', 'Sequence', at + 6, 2)
  } else if (type >= 130 && type <= 132 && end - at >= 24) {
    icmp.number('icmpv6.mld.maximum_response_delay', 'Maximum response delay', at + 4, 2)
    address('icmpv6.mld.multicast_address', 'Multicast address', at + 8)
    next = at + 24
  } else if (type === 133) optionsAt = at + 8
  else if (type === 134 && end - at >= 16) {
    icmp.number('icmpv6.nd.ra.cur_hop_limit', 'Cur hop limit', at + 4, 1)
    const flags = bytes[at + 5]!
    const set = [flags & 128 ? 'managed' : '', flags & 64 ? 'other' : ''].filter((name) => name !== '')
    icmp.field('icmpv6.nd.ra.flag', 'Flags', at + 5, 1, set.join(', ') || 'none')
    icmp.number('icmpv6.nd.ra.router_lifetime', 'Router lifetime (s)', at + 6, 2)
    icmp.number('icmpv6.nd.ra.reachable_time', 'Reachable time (ms)', at + 8, 4)
    icmp.number('icmpv6.nd.ra.retrans_timer', 'Retrans timer (ms)', at + 12, 4)
    optionsAt = at + 16
  } else if (type === 135 && end - at >= 24) {
    address('icmpv6.nd.ns.target_address', 'Target address', at + 8)
    optionsAt = at + 24
  } else if (type === 136 && end - at >= 24) {
    const flags = bytes[at + 4]! >>> 5
    const set = ['Router', 'Solicited', 'Override'].filter((_, i) => flags & (4 >> i))
    icmp.bits('icmpv6.nd.na.flag', 'Flags', at + 4, 1, 0, 3, set.join(', ') || 'none')
    address('icmpv6.nd.na.target_address', 'Target address', at + 8)
    optionsAt = at + 24
  } else if (type === 137 && end - at >= 40) {
    address('icmpv6.rd.ta', 'Target address', at + 8)
    address('icmpv6.rd.da', 'Destination address', at + 24)
    optionsAt = at + 40
  } else if (type === 143) {
    const count = icmp.number('icmpv6.mldr.nb_mcast_records', 'Number of records', at + 6, 2)
    next = records(icmp, at + 8, end, count)
  } else icmp.hex('icmpv6.reserved', 'Reserved', at + 4, 4)
  if (optionsAt !== undefined) next = ndOptions(icmp, optionsAt, end)
  layers.push(icmp.layer(`Internet Control Message Protocol v6 (${names.type})`, next))
  return type < 128 ? dissectIp6(layers, bytes, next, end) : next
}

const RECORDS = ['', 'Is include', 'Is exclude', 'Change to include', 'Change to exclude', 'Allow new', 'Block old']

function records(icmp: LayerBuilder, from: number, end: number, count: number): number {
  let at = from
  for (const record of parseMldRecords(icmp.bytes, from, end, count)) {
    const size = 20 + record.sources.length * 16 + icmp.bytes[at + 1]! * 4
    if (at + size > end) break
    const sources = record.sources.length > 0 ? ` from ${record.sources.map(formatIpv6).join(', ')}` : ''
    const value = `${formatIpv6(record.group)}${sources}`
    icmp.field('icmpv6.mldr.mar', RECORDS[record.type] || `Record of type ${record.type}`, at, size, value)
    at += size
  }
  return at
}

const ND_OPTIONS: Record<number, string> = {
  1: 'Source link-layer address',
  2: 'Target link-layer address',
  3: 'Prefix information',
  4: 'Redirected header',
  5: 'MTU',
  14: 'Nonce',
  24: 'Route information',
  25: 'Recursive DNS server',
  31: 'DNS search list',
}

function ndOptions(icmp: LayerBuilder, from: number, end: number): number {
  const parsed = parseNdOptions(icmp.bytes, from, end)
  if (!parsed) return from
  for (const { type, at, length } of parsed) {
    const field = icmp.hex('icmpv6.opt', ND_OPTIONS[type] ?? `Option ${type}`, at, length)
    const value = ndValue(icmp, type, at, length)
    if (value !== undefined) field.value = value
    if (type === 3 && length === 32) field.children = lifetimes(icmp, at)
  }
  return end
}

function ndValue(icmp: LayerBuilder, type: number, at: number, length: number): string | undefined {
  const { bytes } = icmp
  if (type === 1 || type === 2)
    return Array.from(bytes.subarray(at + 2, at + length), (byte) => byte.toString(16).padStart(2, '0')).join(':')
  if (type === 3 && length === 32) return `${formatIpv6(readIpv6(bytes, at + 16))}/${bytes[at + 2]}`
  if (type === 5 && length === 8) return String(icmp.word32(at + 4))
  return undefined
}

function lifetimes(icmp: LayerBuilder, at: number): Field[] {
  const seconds = (place: number) => (icmp.word32(place) === 0xffffffff ? 'infinity' : `${icmp.word32(place)} s`)
  const flags = icmp.bytes[at + 3]!
  const set = [flags & 128 ? 'on-link' : '', flags & 64 ? 'autonomous' : ''].filter((name) => name !== '')
  return [
    { name: 'icmpv6.opt.prefix.flag', label: 'Flags', value: set.join(', ') || 'none', offset: at + 3, length: 1 },
    { name: 'icmpv6.opt.prefix.valid_lifetime', label: 'Valid', value: seconds(at + 4), offset: at + 4, length: 4 },
    {
      name: 'icmpv6.opt.prefix.preferred_lifetime',
      label: 'Preferred',
      value: seconds(at + 8),
      offset: at + 8,
      length: 4,
    },
  ]
}

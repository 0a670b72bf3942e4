/** ICMP, IGMP, UDP and TCP taken apart. */
import { foldSum, internetChecksum, sumWords } from '#base/bytes'
import { formatIpv4 } from './address.ts'
import { dissectIp } from './dissect-ip.ts'
import { icmpNames, isIcmpError } from './icmp.ts'
import { dataLayer, type Field, type Layer, LayerBuilder } from './layer.ts'
import { parseTcpOptions, type TcpOption } from './tcp.ts'

export interface Carrier {
  fragment: boolean
  /** The fragment's offset in bytes. */
  offset: number
  /** Whether the bytes reach to the packet's end. */
  complete: boolean
  /** The pseudo-header's sum. */
  pseudo: number
}

/** Adds the layers of what an IP packet carries from `at` to `end`. */
export function dissectTransport(
  layers: Layer[],
  bytes: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  carrier: Carrier,
): void {
  const length = end - at
  let next = at
  if (carrier.offset === 0) {
    if (protocol === 1 && length >= 8) next = dissectIcmp(layers, bytes, at, end, carrier)
    else if (protocol === 2 && length >= 8) next = dissectIgmp(layers, bytes, at, end, carrier)
    else if (protocol === 17 && length >= 8) next = dissectUdp(layers, bytes, at, end, carrier)
    else if (protocol === 6 && length >= 20) next = dissectTcp(layers, bytes, at, end, carrier)
  }
  dataLayer(layers, bytes, next, end)
}

/** The checksum that belongs to a piece whose own stands at `word`; undefined where the piece isn't all here. */
export function rightChecksum(
  bytes: Uint8Array,
  at: number,
  end: number,
  word: number,
  carrier: Carrier,
  sum: number,
): number | undefined {
  if (carrier.fragment || !carrier.complete) return undefined
  const found = (bytes[word]! << 8) | bytes[word + 1]!
  return ~foldSum(sumWords(bytes, at, end - at, sum) - found) & 0xffff
}

function dissectIcmp(layers: Layer[], bytes: Uint8Array, at: number, end: number, carrier: Carrier): number {
  const icmp = new LayerBuilder(bytes, 'icmp', at)
  const type = bytes[at]!
  const code = bytes[at + 1]!
  const names = icmpNames(type, code)
  icmp.field('icmp.type', 'Type', at, 1, `${type} (${names.type})`)
  icmp.field('icmp.code', 'Code', at + 1, 1, names.code === undefined ? String(code) : `${code} (${names.code})`)
  icmp.checksum(
    'icmp',
    at + 2,
    carrier.fragment || !carrier.complete ? undefined : internetChecksum(bytes, at, end - at, -icmp.word(at + 2)),
  )
  const query = type === 0 || type === 8 || (type >= 13 && type <= 18)
  if (query) {
    icmp.field(
      'icmp.ident',
      'Identifier',
      at + 4,
      2,
      `${icmp.word(at + 4)} (0x${icmp
        .word(at + 4)
        .toString(16)
        .padStart(4, '0')})`,
    )
    icmp.field(
      'icmp.seq',
      'Sequence number',
      at + 6,
      2,
      `${icmp.word(at + 6)} (0x${icmp
        .word(at + 6)
        .toString(16)
        .padStart(4, '0')})`,
    )
  } else if (type === 5) icmp.ipv4('icmp.redir_gw', 'Gateway address', at + 4)
  else if (type === 3 && code === 4) icmp.number('icmp.mtu', 'MTU of next hop', at + 6, 2)
  else if (type === 12) icmp.number('icmp.pointer', 'Pointer', at + 4, 1)
  else icmp.hex('icmp.unused', 'Unused', at + 4, 4)
  let next = at + 8
  if ((type === 17 || type === 18) && end - next >= 4) {
    icmp.field('icmp.addressmask', 'Address mask', next, 4, formatIpv4(icmp.word32(next)))
    next += 4
  } else if ((type === 13 || type === 14) && end - next >= 12) {
    icmp.number('icmp.originate_timestamp', 'Originate timestamp', next, 4)
    icmp.number('icmp.receive_timestamp', 'Receive timestamp', next + 4, 4)
    icmp.number('icmp.transmit_timestamp', 'Transmit timestamp', next + 8, 4)
    next += 12
  }
  layers.push(icmp.layer('Internet Control Message Protocol', next))
  return isIcmpError(type) ? dissectIp(layers, bytes, next, end) : next
}

const IGMP_TYPES: Record<number, string> = {
  17: 'Membership Query',
  18: 'Membership Report',
  22: 'Membership Report',
  23: 'Leave Group',
  34: 'Membership Report',
}
const IGMP_VERSIONS: Record<number, number> = { 18: 1, 22: 2, 23: 2, 34: 3 }

function dissectIgmp(layers: Layer[], bytes: Uint8Array, at: number, end: number, carrier: Carrier): number {
  const igmp = new LayerBuilder(bytes, 'igmp', at)
  const type = bytes[at]!
  igmp.field('igmp.type', 'Type', at, 1, `${IGMP_TYPES[type] ?? 'Unknown'} (0x${type.toString(16).padStart(2, '0')})`)
  igmp.number('igmp.max_resp', 'Max resp time', at + 1, 1)
  igmp.checksum('igmp', at + 2, rightChecksum(bytes, at, end, at + 2, carrier, 0))
  if (type === 0x22) igmp.number('igmp.num_grp_recs', 'Group records', at + 6, 2)
  else igmp.ipv4('igmp.maddr', 'Multicast address', at + 4)
  const version = IGMP_VERSIONS[type]
  layers.push(igmp.layer(`Internet Group Management Protocol${version === undefined ? '' : ` v${version}`}`, at + 8))
  return at + 8
}

function dissectUdp(layers: Layer[], bytes: Uint8Array, at: number, end: number, carrier: Carrier): number {
  const udp = new LayerBuilder(bytes, 'udp', at)
  const src = udp.number('udp.srcport', 'Source port', at, 2)
  const dst = udp.number('udp.dstport', 'Destination port', at + 2, 2)
  const length = udp.number('udp.length', 'Length', at + 4, 2)
  if (udp.word(at + 6) === 0) udp.checksum('udp', at + 6, undefined, 'not computed')
  else {
    const right = length === end - at ? rightChecksum(bytes, at, end, at + 6, carrier, carrier.pseudo) : undefined
    udp.checksum('udp', at + 6, right === 0 ? 0xffff : right)
  }
  layers.push(udp.layer(`User Datagram Protocol, Src Port: ${src}, Dst Port: ${dst}`, at + 8))
  return at + 8
}

const FLAGS = [
  'Accurate ECN',
  'Congestion window reduced',
  'ECN-Echo',
  'Urgent',
  'Acknowledgment',
  'Push',
  'Reset',
  'Syn',
  'Fin',
]
const FLAG_NAMES = ['ae', 'cwr', 'ece', 'urg', 'ack', 'push', 'reset', 'syn', 'fin']
const SHORT_FLAGS = ['AE', 'CWR', 'ECE', 'URG', 'ACK', 'PSH', 'RST', 'SYN', 'FIN']

function dissectTcp(layers: Layer[], bytes: Uint8Array, at: number, end: number, carrier: Carrier): number {
  const tcp = new LayerBuilder(bytes, 'tcp', at)
  const src = tcp.number('tcp.srcport', 'Source port', at, 2)
  const dst = tcp.number('tcp.dstport', 'Destination port', at + 2, 2)
  const seq = tcp.number('tcp.seq_raw', 'Sequence number', at + 4, 4)
  const ack = tcp.number('tcp.ack_raw', 'Acknowledgment number', at + 8, 4)
  const headerLength = (bytes[at + 12]! >>> 4) * 4
  tcp.bits('tcp.hdr_len', 'Header length', at + 12, 1, 0, 4, `${headerLength} bytes (${headerLength / 4})`)
  const flags = tcp.word(at + 12) & 0xfff
  const set = SHORT_FLAGS.filter((_, i) => flags & (0x100 >> i))
  tcp.bits(
    'tcp.flags',
    'Flags',
    at + 12,
    2,
    4,
    12,
    `0x${flags.toString(16).padStart(3, '0')} (${set.join(', ') || 'None'})`,
  ).children = FLAGS.map((label, i) => ({
    name: `tcp.flags.${FLAG_NAMES[i]}`,
    label,
    value: flags & (0x100 >> i) ? 'Set' : 'Not set',
    offset: at + 12,
    length: 2,
    bits: { offset: 7 + i, length: 1 },
  }))
  const window = tcp.number('tcp.window_size_value', 'Window', at + 14, 2)
  tcp.checksum('tcp', at + 16, rightChecksum(bytes, at, end, at + 16, carrier, carrier.pseudo))
  tcp.number('tcp.urgent_pointer', 'Urgent pointer', at + 18, 2)
  let next = at + 20
  if (headerLength > 20 && at + headerLength <= end) {
    next = at + headerLength
    const options = parseTcpOptions(bytes.subarray(at + 20, next))
    tcp.field('tcp.options', 'Options', at + 20, headerLength - 20, `${headerLength - 20} bytes`).children =
      options.map((option) => optionField(option, at + 20))
  }
  const ackText = flags & 0x10 ? `, Ack: ${ack}` : ''
  const title = `Transmission Control Protocol, Src Port: ${src}, Dst Port: ${dst} [${set.join(', ')}], Seq: ${seq}${ackText}, Win: ${window}, Len: ${end - next}`
  layers.push(tcp.layer(title, next))
  return next
}

function optionField(option: TcpOption, base: number): Field {
  const { kind } = option
  let value = ''
  if (kind === 'MSS') value = String(option.mss)
  else if (kind === 'WS') value = `${option.shift} (multiply by ${2 ** option.shift})`
  else if (kind === 'SACK') value = option.edges.join(' ')
  else if (kind === 'TS') value = `TSval ${option.value}, TSecr ${option.echo}`
  else if (kind === 'unknown' || kind === 'broken') value = `type ${option.type}, ${option.length} bytes`
  const label = kind === 'unknown' ? 'Option' : kind === 'broken' ? 'Malformed option' : kind
  return {
    name: `tcp.options.${kind.toLowerCase().replace('-', '_')}`,
    label,
    value,
    offset: base + option.at,
    length: option.length,
  }
}

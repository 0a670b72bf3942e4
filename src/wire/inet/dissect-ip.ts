/** IPv4 taken apart: the header, its options, and what it carries. */
import { foldSum, sumWords } from '#base/bytes'
import { formatIpv4 } from './address.ts'
import { dissectTransport } from './dissect-transport.ts'
import { type IpOption, parseIpOptions } from './ip-options.ts'
import { dataLayer, type Field, type Layer, LayerBuilder } from './layer.ts'

const PROTOCOLS: Record<number, string> = {
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  89: 'OSPF',
  112: 'VRRP',
  132: 'SCTP',
}

const DSCP: Record<number, string> = {
  0: 'CS0',
  8: 'CS1',
  10: 'AF11',
  12: 'AF12',
  14: 'AF13',
  16: 'CS2',
  18: 'AF21',
  20: 'AF22',
  22: 'AF23',
  24: 'CS3',
  26: 'AF31',
  28: 'AF32',
  30: 'AF33',
  32: 'CS4',
  34: 'AF41',
  36: 'AF42',
  38: 'AF43',
  40: 'CS5',
  46: 'EF',
  48: 'CS6',
  56: 'CS7',
}

const ECN = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE']

/**
 * Adds the layers of the IPv4 packet that begins here; where it ends, or `at` if there isn't even a header.
 * @param end where the bytes end, which may be before the packet does: a quotation in an ICMP error is cut short
 */
export function dissectIp(layers: Layer[], bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 20 || bytes[at]! >>> 4 !== 4) return at
  const headerLength = (bytes[at]! & 15) * 4
  const ip = new LayerBuilder(bytes, 'ip', at)
  ip.bits('ip.version', 'Version', at, 1, 0, 4, '4')
  const tooShort = headerLength < 20 ? ', bogus, must be at least 20' : ''
  ip.bits('ip.hdr_len', 'Header length', at, 1, 4, 4, `${headerLength} bytes (${headerLength / 4}${tooShort})`)
  const dscp = bytes[at + 1]! >>> 2
  const ecn = bytes[at + 1]! & 3
  const service = `0x${bytes[at + 1]!.toString(16).padStart(2, '0')} (DSCP: ${DSCP[dscp] ?? dscp}, ECN: ${ECN[ecn]})`
  ip.field('ip.dsfield', 'Differentiated services', at + 1, 1, service).children = [
    {
      name: 'ip.dsfield.dscp',
      label: 'DSCP',
      value: `${DSCP[dscp] ?? 'Unknown'} (${dscp})`,
      offset: at + 1,
      length: 1,
      bits: { offset: 0, length: 6 },
    },
    {
      name: 'ip.dsfield.ecn',
      label: 'ECN',
      value: `${ECN[ecn]} (${ecn})`,
      offset: at + 1,
      length: 1,
      bits: { offset: 6, length: 2 },
    },
  ]
  const total = ip.number('ip.len', 'Total length', at + 2, 2)
  const id = ip.word(at + 4)
  ip.field('ip.id', 'Identification', at + 4, 2, `0x${id.toString(16).padStart(4, '0')} (${id})`)
  const word = ip.word(at + 6)
  const flags = word >>> 13
  const names = [flags & 2 ? "Don't fragment" : '', flags & 1 ? 'More fragments' : ''].filter((name) => name !== '')
  ip.bits(
    'ip.flags',
    'Flags',
    at + 6,
    1,
    0,
    3,
    `0x${flags}${names.length > 0 ? `, ${names.join(', ')}` : ''}`,
  ).children = [
    flag('ip.flags.rb', 'Reserved bit', at + 6, 0, flags & 4),
    flag('ip.flags.df', "Don't fragment", at + 6, 1, flags & 2),
    flag('ip.flags.mf', 'More fragments', at + 6, 2, flags & 1),
  ]
  const offset = (word & 0x1fff) * 8
  ip.bits('ip.frag_offset', 'Fragment offset', at + 6, 2, 3, 13, String(offset))
  ip.number('ip.ttl', 'Time to live', at + 8, 1)
  const protocol = bytes[at + 9]!
  ip.field('ip.proto', 'Protocol', at + 9, 1, `${PROTOCOLS[protocol] ?? 'Unknown'} (${protocol})`)
  const whole = headerLength >= 20 && at + headerLength <= end
  ip.checksum(
    'ip',
    at + 10,
    whole ? ~foldSum(sumWords(bytes, at, headerLength) - ip.word(at + 10)) & 0xffff : undefined,
  )
  const src = ip.ipv4('ip.src', 'Source address', at + 12)
  const dst = ip.ipv4('ip.dst', 'Destination address', at + 16)
  const headerEnd = whole ? at + headerLength : headerLength < 20 ? at + 20 : end
  if (whole && headerLength > 20) {
    const options = parseIpOptions(bytes.subarray(at + 20, headerEnd))
    const field = ip.field('ip.options', 'Options', at + 20, headerLength - 20, `${headerLength - 20} bytes`)
    field.children = options.map((option) => optionField(option, at + 20))
  }
  layers.push(ip.layer(`Internet Protocol Version 4, Src: ${formatIpv4(src)}, Dst: ${formatIpv4(dst)}`, headerEnd))
  if (!whole || total < headerLength) {
    dataLayer(layers, bytes, headerEnd, end)
    return end
  }
  const packetEnd = Math.min(end, at + total)
  const complete = at + total <= end
  const pseudo = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + protocol + (total - headerLength)
  dissectTransport(layers, bytes, headerEnd, packetEnd, protocol, {
    fragment: (word & 0x3fff) !== 0,
    offset,
    complete,
    pseudo,
  })
  return packetEnd
}

function flag(name: string, label: string, at: number, bit: number, set: number): Field {
  return { name, label, value: set ? 'Set' : 'Not set', offset: at, length: 1, bits: { offset: bit, length: 1 } }
}

const LABELS = {
  EOL: 'End of options',
  NOP: 'No operation',
  RR: 'Record route',
  LSRR: 'Loose source route',
  SSRR: 'Strict source route',
  TS: 'Time stamp',
  RA: 'Router alert',
}

function optionField(option: IpOption, base: number): Field {
  const place = { offset: base + option.at, length: option.length }
  const { kind } = option
  if (kind === 'unknown' || kind === 'broken')
    return {
      name: 'ip.opt.type',
      label: kind === 'broken' ? 'Malformed option' : 'Option',
      value: `type ${option.type}, ${option.length} bytes`,
      ...place,
    }
  let value = ''
  if (kind === 'RR' || kind === 'LSRR' || kind === 'SSRR')
    value = `pointer ${option.pointer}: ${option.addresses.map(formatIpv4).join(', ')}`
  else if (kind === 'TS')
    value = `pointer ${option.pointer}, overflow ${option.overflow}, flag ${option.flag}: ${option.words.join(', ')}`
  else if (kind === 'RA') value = String(option.value)
  return { name: `ip.opt.${kind.toLowerCase()}`, label: LABELS[kind], value, ...place }
}

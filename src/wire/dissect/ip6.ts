/** IPv6: the header, its extensions, ICMPv6 with neighbour discovery and multicast listeners. */
import { foldSum, sumWords } from '#base/bytes'
import { formatIpv6, ICMPV6_CODE_NAMES, ICMPV6_TYPE_NAMES, readIpv6 } from '#wire/inet'
import { type Context, dissectData, protocol } from './dissector.ts'
import { checksumLine } from './icmp.ts'
import { dissectCarried } from './ip.ts'
import { DSCP_LONG, dscpShort, ECN_LONG, ECN_SHORT, IP_PROTOCOLS } from './names.ts'
import { type Branch, bitPicture, hex, type TreeNode, type Window } from './tree.ts'

const DEPTH_MAX = 12
const EXTENSIONS = new Set([0, 43, 44, 60])
const TITLES: Readonly<Record<number, [string, string]>> = {
  0: ['ipv6.hopopts', 'IPv6 Hop-by-Hop Option'],
  43: ['ipv6.routing', 'Routing Header for IPv6'],
  44: ['ipv6.fraghdr', 'Fragment Header for IPv6'],
  60: ['ipv6.dstopts', 'Destination Options for IPv6'],
}

/** Adds the IPv6 packet that begins here; where it ends. */
export function dissectIp6(context: Context, window: Window, into: TreeNode[] = context.nodes): number {
  const { bytes, at, end } = window
  if (end - at < 40 || bytes[at]! >>> 4 !== 6 || context.depth++ > DEPTH_MAX) {
    dissectData(context, window, at, end, into)
    return end
  }
  const [src, dst] = [formatIpv6(readIpv6(bytes, at + 8)), formatIpv6(readIpv6(bytes, at + 24))]
  const ip = protocol(context, window, 'ipv6', `Internet Protocol Version 6, Src: ${src}, Dst: ${dst}`, at, 40, into)
  ip.bits('ipv6.version', 'Version', at, 1, 0xf0)
  const word = ip.word32(at)
  const traffic = (word >>> 20) & 255
  const [dscp, ecn] = [traffic >>> 2, traffic & 3]
  const tree = ip.add(
    'ipv6.tclass',
    `${bitPicture(word, 0x0ff00000, 32)} = Traffic Class: ${hex(traffic, 2)} (DSCP: ${dscpShort(dscp)}, ECN: ${ECN_SHORT[ecn]})`,
    traffic,
    at,
    4,
  )
  tree.bits(
    'ipv6.tclass.dscp',
    'Differentiated Services Codepoint',
    at,
    4,
    0x0fc00000,
    (value) => `${DSCP_LONG[value] ?? 'Unknown'} (${value})`,
  )
  tree.bits(
    'ipv6.tclass.ecn',
    'Explicit Congestion Notification',
    at,
    4,
    0x00300000,
    (value) => `${ECN_LONG[value]} (${value})`,
  )
  ip.bits('ipv6.flow', 'Flow Label', at + 1, 3, 0x0fffff, (value) => hex(value, 5))
  const length = ip.number('ipv6.plen', 'Payload Length', at + 4, 2)
  const next = (place: number, branch: Branch, name: string) =>
    branch.number(name, 'Next Header', place, 1, (value) => `${IP_PROTOCOLS[value] ?? 'Unknown'} (${value})`)
  let type = next(at + 6, ip, 'ipv6.nxt')
  ip.number('ipv6.hlim', 'Hop Limit', at + 7, 1)
  ends(ip, at + 8, 'src', 'Source', src)
  ends(ip, at + 24, 'dst', 'Destination', dst)
  const packetEnd = Math.min(end, at + 40 + length)
  let place = at + 40
  let fragment = false
  let offset = 0
  while (EXTENSIONS.has(type) && packetEnd - place >= 8 && offset === 0) {
    const size = type === 44 ? 8 : (bytes[place + 1]! + 1) * 8
    if (place + size > packetEnd) break
    const [name, title] = TITLES[type]!
    const header = ip.add(name, title, undefined, place, size)
    context.protocols.push(name)
    const following = next(place, header, `${name}.nxt`)
    if (type === 44) {
      header.raw('ipv6.fraghdr.reserved_octet', 'Reserved octet', place + 1, 1)
      offset =
        header.bits('ipv6.fraghdr.offset', 'Offset', place + 2, 2, 0xfff8, (value) => `${value} (${value * 8} bytes)`) *
        8
      header.flag('ipv6.fraghdr.more', 'More Fragments', place + 2, 2, 0x0001, 'Yes', 'No')
      fragment = offset > 0 || (bytes[place + 3]! & 1) !== 0
      header.number('ipv6.fraghdr.ident', 'Identification', place + 4, 4, (value) => hex(value, 8))
    } else {
      header.number(`${name}.len`, 'Length', place + 1, 1)
      header.add(`${name}.len_oct`, `[Length: ${size} bytes]`, size, place + 1, 1)
      if (type === 43) {
        header.number('ipv6.routing.type', 'Type', place + 2, 1)
        header.number('ipv6.routing.segleft', 'Segments Left', place + 3, 1)
      } else options(header, place + 2, place + size)
    }
    ip.node.length = place + size - at
    type = following
    place += size
  }
  const [outerSrc, outerDst] = [context.src, context.dst]
  ;[context.src, context.dst] = [src, dst]
  const inner = { ...window, at: place, end: packetEnd }
  if (offset > 0) dissectData(context, window, place, packetEnd, into)
  else if (type === 58 && packetEnd - place >= 8) {
    const whole = !fragment && !context.quoted && at + 40 + length <= end
    const pseudo = whole ? sumWords(bytes, at + 8, 32, 58 + packetEnd - place) : undefined
    dissectIcmp6(context, inner, pseudo, into)
  } else dissectCarried(context, inner, type, into)
  ;[context.src, context.dst] = [outerSrc, outerDst]
  return packetEnd
}

function ends(ip: Branch, at: number, end: 'src' | 'dst', label: string, text: string): void {
  ip.ipv6(`ipv6.${end}`, `${label} Address`, at)
  const value = ip.bytes.slice(at, at + 16)
  ip.hide('ipv6.addr', value, at, 16)
  ip.hide(`ipv6.${end}_host`, text, at, 16)
  ip.hide('ipv6.host', text, at, 16)
}

const OPTIONS: Readonly<Record<number, string>> = { 0: 'Pad1', 1: 'PadN', 5: 'Router Alert', 194: 'Jumbo Payload' }

function options(header: Branch, from: number, end: number): void {
  const { bytes } = header
  for (let at = from; at < end; ) {
    const type = bytes[at]!
    const size = type === 0 ? 1 : at + 1 < end ? bytes[at + 1]! + 2 : end - at
    if (at + size > end) return
    const name = OPTIONS[type] ?? `Unknown IPv6 Option (${type})`
    const option = header.add('ipv6.opt', name, undefined, at, size)
    option.number('ipv6.opt.type', 'Type', at, 1, (value) => `${name} (${hex(value, 2)})`)
    const kind = option.child()
    kind.bits('ipv6.opt.type.action', 'Action', at, 1, 0xc0, (value) =>
      value === 0 ? 'Skip and continue (0)' : `Discard (${value})`,
    )
    kind.flag('ipv6.opt.type.change', 'May Change', at, 1, 0x20, 'Yes', 'No')
    kind.bits('ipv6.opt.type.rest', 'Low-Order Bits', at, 1, 0x1f, (value) => hex(value, 2))
    if (type !== 0) {
      option.number('ipv6.opt.length', 'Length', at + 1, 1)
      if (type === 5 && size === 4)
        option.number(
          'ipv6.opt.router_alert',
          'Router Alert',
          at + 2,
          2,
          (value) => `${value === 0 ? 'MLD' : 'Unknown'} (${value})`,
        )
      else if (type === 1)
        option.add(
          'ipv6.opt.padn',
          `PadN: ${size === 2 ? '<none>' : '0'.repeat((size - 2) * 2)}`,
          bytes.slice(at + 2, at + size),
          at + 2,
          size - 2,
        )
    }
    at += size
  }
}

const RECORDS = [
  '',
  'Include',
  'Exclude',
  'Changed to include',
  'Changed to exclude',
  'Allow new sources',
  'Block old sources',
]

function dissectIcmp6(context: Context, window: Window, pseudo: number | undefined, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const icmp = protocol(context, window, 'icmpv6', 'Internet Control Message Protocol v6', at, end - at, into)
  const type = icmp.number(
    'icmpv6.type',
    'Type',
    at,
    1,
    (value) => `${ICMPV6_TYPE_NAMES[value] ?? 'Unknown'} (${value})`,
  )
  icmp.number('icmpv6.code', 'Code', at + 1, 1, (value) => {
    const name = ICMPV6_CODE_NAMES[type]?.[value]
    return name === undefined ? String(value) : `${value} (${name})`
  })
  const right =
    pseudo === undefined ? undefined : ~foldSum(sumWords(bytes, at, end - at, pseudo) - icmp.word(at + 2)) & 0xffff
  checksumLine(icmp, 'icmpv6', at + 2, right, context.quoted ? ' [in ICMP error packet]' : '')
  const length = end - at
  const body = at + 8
  if (type === 128 || type === 129) {
    const ident = icmp.number('icmpv6.echo.identifier', 'Identifier', at + 4, 2, (value) => hex(value, 4))
    const seq = icmp.number('icmpv6.echo.sequence_number', 'Sequence', at + 6, 2)
    echo(context, icmp, type, `${ident} ${seq}`, at)
    dissectData(context, window, body, end, icmp.node.children)
  } else if (type === 133) {
    icmp.raw('icmpv6.reserved', 'Reserved', at + 4, 4)
    neighbourOptions(icmp, body, end)
  } else if (type === 134 && length >= 16) {
    icmp.number('icmpv6.nd.ra.cur_hop_limit', 'Cur hop limit', at + 4, 1)
    const flags = bytes[at + 5]!
    const set = [flags & 128 ? 'Managed address configuration' : '', flags & 64 ? 'Other configuration' : ''].filter(
      (name) => name !== '',
    )
    const tree = icmp.add(
      'icmpv6.nd.ra.flag',
      `Flags: ${hex(flags, 2)}${set.map((name) => `, ${name}`).join('')}, Prf (Default Router Preference): ${['Medium', 'High', 'Reserved', 'Low'][(flags >>> 3) & 3]}`,
      flags,
      at + 5,
      1,
    )
    tree.flag('icmpv6.nd.ra.flag.m', 'Managed address configuration', at + 5, 1, 0x80)
    tree.flag('icmpv6.nd.ra.flag.o', 'Other configuration', at + 5, 1, 0x40)
    icmp.number('icmpv6.nd.ra.router_lifetime', 'Router lifetime (s)', at + 6, 2)
    icmp.number('icmpv6.nd.ra.reachable_time', 'Reachable time (ms)', at + 8, 4)
    icmp.number('icmpv6.nd.ra.retrans_timer', 'Retrans timer (ms)', at + 12, 4)
    neighbourOptions(icmp, at + 16, end)
  } else if (type === 135 && length >= 24) {
    icmp.raw('icmpv6.reserved', 'Reserved', at + 4, 4)
    icmp.ipv6('icmpv6.nd.ns.target_address', 'Target Address', body)
    neighbourOptions(icmp, at + 24, end)
  } else if (type === 136 && length >= 24) {
    const word = icmp.word32(at + 4)
    const set = ['Router', 'Solicited', 'Override'].filter((_, i) => word & ((2 ** 31) >>> i))
    const tree = icmp.add('icmpv6.nd.na.flag', `Flags: ${[hex(word, 8), ...set].join(', ')}`, word, at + 4, 4)
    tree.flag('icmpv6.nd.na.flag.r', 'Router', at + 4, 4, 0x80000000)
    tree.flag('icmpv6.nd.na.flag.s', 'Solicited', at + 4, 4, 0x40000000)
    tree.flag('icmpv6.nd.na.flag.o', 'Override', at + 4, 4, 0x20000000)
    tree.bits('icmpv6.nd.na.flag.rsv', 'Reserved', at + 4, 4, 0x1fffffff)
    icmp.ipv6('icmpv6.nd.na.target_address', 'Target Address', body)
    neighbourOptions(icmp, at + 24, end)
  } else if (type === 137 && length >= 40) {
    icmp.raw('icmpv6.reserved', 'Reserved', at + 4, 4)
    icmp.ipv6('icmpv6.rd.ta', 'Target Address', body)
    icmp.ipv6('icmpv6.rd.da', 'Destination Address', at + 24)
    neighbourOptions(icmp, at + 40, end)
  } else if (type === 143) {
    icmp.raw('icmpv6.reserved', 'Reserved', at + 4, 2)
    const count = icmp.number('icmpv6.mldr.nb_mcast_records', 'Number of Multicast Address Records', at + 6, 2)
    records(icmp, body, end, count)
  } else if (type >= 130 && type <= 132 && length >= 24) {
    icmp.number('icmpv6.mld.maximum_response_delay', 'Maximum Response Delay [ms]', at + 4, 2)
    icmp.raw('icmpv6.reserved', 'Reserved', at + 6, 2)
    icmp.ipv6('icmpv6.mld.multicast_address', 'Multicast Address', body)
  } else if (type < 128) {
    if (type === 2) icmp.number('icmpv6.mtu', 'MTU', at + 4, 4)
    else if (type === 4) icmp.number('icmpv6.pointer', 'Pointer', at + 4, 4)
    else icmp.raw('icmpv6.reserved', 'Reserved', at + 4, 4)
    const outer = context.quoted
    context.quoted = true
    dissectIp6(context, { ...window, at: body }, icmp.node.children)
    context.quoted = outer
  } else dissectData(context, window, at + 4, end, icmp.node.children)
}

function echo(context: Context, icmp: Branch, type: number, key: string, at: number): void {
  if (context.quoted) return
  const { echoes } = context.state
  if (type === 128) {
    echoes.set(`6 ${context.src} ${context.dst} ${key}`, { frame: context.number, timeNs: context.timeNs })
    return
  }
  const asked = echoes.get(`6 ${context.dst} ${context.src} ${key}`)
  if (!asked) return
  const ms = (context.timeNs - asked.timeNs) / 1e6
  icmp.add('icmpv6.resp_to', `[Response To: ${asked.frame}]`, asked.frame, at, 0)
  icmp.add('icmpv6.resptime', `[Response Time: ${ms.toFixed(3)} ms]`, ms, at, 0)
}

function records(icmp: Branch, from: number, end: number, count: number): void {
  const { bytes } = icmp
  let at = from
  for (let i = 0; i < count && at + 20 <= end; i++) {
    const sources = icmp.word(at + 2)
    const size = 20 + sources * 16 + bytes[at + 1]! * 4
    if (at + size > end) return
    const name = RECORDS[bytes[at]!] || 'Unknown'
    const group = formatIpv6(readIpv6(bytes, at + 4))
    const record = icmp.add('icmpv6.mldr.mar', `Multicast Address Record ${name}: ${group}`, undefined, at, size)
    record.number('icmpv6.mldr.mar.record_type', 'Record Type', at, 1, (value) => `${name} (${value})`)
    record.number('icmpv6.mldr.mar.aux_data_len', 'Aux Data Len', at + 1, 1)
    record.number('icmpv6.mldr.mar.nb_sources', 'Number of Sources', at + 2, 2)
    record.ipv6('icmpv6.mldr.mar.multicast_address', 'Multicast Address', at + 4)
    for (let s = 0; s < sources; s++) record.ipv6('icmpv6.mldr.mar.source_address', 'Source Address', at + 20 + s * 16)
    at += size
  }
}

const ND_OPTIONS: Readonly<Record<number, string>> = {
  1: 'Source link-layer address',
  2: 'Target link-layer address',
  3: 'Prefix information',
  4: 'Redirected header',
  5: 'MTU',
  14: 'Nonce',
  24: 'Route Information',
  25: 'Recursive DNS Server',
  31: 'DNS Search List Option',
}

function neighbourOptions(icmp: Branch, from: number, end: number): void {
  const { bytes } = icmp
  for (let at = from; at + 8 <= end; ) {
    const type = bytes[at]!
    const size = bytes[at + 1]! * 8
    if (size === 0 || at + size > end) return
    const name = ND_OPTIONS[type] ?? 'Unknown'
    const option = icmp.add('icmpv6.opt', `ICMPv6 Option (${name})`, undefined, at, size)
    option.number('icmpv6.opt.type', 'Type', at, 1, (value) => `${name} (${value})`)
    option.number('icmpv6.opt.length', 'Length', at + 1, 1, (value) => `${value} (${size} bytes)`)
    if (type === 1 || type === 2) {
      const address = option.mac('icmpv6.opt.linkaddr', 'Link-layer address', at + 2)
      option.hide(type === 1 ? 'icmpv6.opt.src_linkaddr' : 'icmpv6.opt.target_linkaddr', address.node.value, at + 2, 6)
      option.node.text = `ICMPv6 Option (${name} : ${address.node.text.slice(-18, -1)})`
    } else if (type === 3 && size === 32) {
      const prefix = formatIpv6(readIpv6(bytes, at + 16))
      option.node.text = `ICMPv6 Option (${name} : ${prefix}/${bytes[at + 2]})`
      option.number('icmpv6.opt.prefix.length', 'Prefix Length', at + 2, 1)
      option.number('icmpv6.opt.prefix.flag', 'Flag', at + 3, 1, (value) => hex(value, 2))
      option.number('icmpv6.opt.prefix.valid_lifetime', 'Valid Lifetime', at + 4, 4)
      option.number('icmpv6.opt.prefix.preferred_lifetime', 'Preferred Lifetime', at + 8, 4)
      option.ipv6('icmpv6.opt.prefix', 'Prefix', at + 16)
    } else if (type === 5 && size === 8) {
      option.number('icmpv6.opt.mtu', 'MTU', at + 4, 4)
      option.node.text = `ICMPv6 Option (${name} : ${option.word32(at + 4)})`
    } else if (type === 14) option.raw('icmpv6.opt.nonce', 'Nonce', at + 2, size - 2)
    else option.raw('icmpv6.opt.data', 'Data', at + 2, size - 2)
    at += size
  }
}

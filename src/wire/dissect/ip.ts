/** IPv4, put together where it came in pieces, and what it carries that has no file of its own: IGMP, GRE, VRRP. */
import { internetChecksum } from '#base/bytes'
import { formatIpv4 } from '#wire/inet'
import { type Context, dissectData, protocol } from './dissector.ts'
import { checksumLine, dissectIcmp } from './icmp.ts'
import { dissectIp6 } from './ip6.ts'
import { dissectEthernet, dissectEtherType } from './link.ts'
import { DSCP_LONG, dscpShort, ECN_LONG, ECN_SHORT, ETHER_TYPES, IP_PROTOCOLS } from './names.ts'
import { dissectTcp } from './tcp.ts'
import { type Branch, hex, type TreeNode, type Window } from './tree.ts'
import { dissectUdp } from './udp.ts'

const DEPTH_MAX = 12
const REASSEMBLED_MAX = 65_535
const PIECES_MAX = 1000

/** Adds the IPv4 packet that begins here; where it ends. */
export function dissectIp(context: Context, window: Window, into: TreeNode[] = context.nodes): number {
  const { bytes, at, end } = window
  const headerLength = (bytes[at]! & 15) * 4
  if (
    end - at < 20 ||
    bytes[at]! >>> 4 !== 4 ||
    headerLength < 20 ||
    at + headerLength > end ||
    context.depth++ > DEPTH_MAX
  ) {
    dissectData(context, window, at, end, into)
    return end
  }
  const view = (place: number) =>
    formatIpv4(bytes[place]! * 2 ** 24 + ((bytes[place + 1]! << 16) | (bytes[place + 2]! << 8) | bytes[place + 3]!))
  const [src, dst] = [view(at + 12), view(at + 16)]
  const ip = protocol(
    context,
    window,
    'ip',
    `Internet Protocol Version 4, Src: ${src}, Dst: ${dst}`,
    at,
    headerLength,
    into,
  )
  ip.bits('ip.version', 'Version', at, 1, 0xf0)
  ip.add(
    'ip.hdr_len',
    `.... ${(headerLength / 4).toString(2).padStart(4, '0')} = Header Length: ${headerLength} bytes (${headerLength / 4})`,
    headerLength,
    at,
    1,
  )
  const service = bytes[at + 1]!
  const [dscp, ecn] = [service >>> 2, service & 3]
  const ds = ip.add(
    'ip.dsfield',
    `Differentiated Services Field: ${hex(service, 2)} (DSCP: ${dscpShort(dscp)}, ECN: ${ECN_SHORT[ecn]})`,
    service,
    at + 1,
    1,
  )
  ds.bits(
    'ip.dsfield.dscp',
    'Differentiated Services Codepoint',
    at + 1,
    1,
    0xfc,
    (value) => `${DSCP_LONG[value] ?? 'Unknown'} (${value})`,
  )
  ds.bits(
    'ip.dsfield.ecn',
    'Explicit Congestion Notification',
    at + 1,
    1,
    0x03,
    (value) => `${ECN_LONG[value]} (${value})`,
  )
  const total = ip.number('ip.len', 'Total Length', at + 2, 2)
  const id = ip.number('ip.id', 'Identification', at + 4, 2, (value) => `${hex(value, 4)} (${value})`)
  const word = ip.word(at + 6)
  const names = [
    word & 0x8000 ? 'Reserved bit' : '',
    word & 0x4000 ? "Don't fragment" : '',
    word & 0x2000 ? 'More fragments' : '',
  ]
  const said = names.filter((name) => name !== '')
  ip.bits(
    'ip.flags',
    'Flags',
    at + 6,
    1,
    0xe0,
    (value) => `${hex(value, 1)}${said.length > 0 ? `, ${said.join(', ')}` : ''}`,
  )
  const flags = ip.child()
  flags.flag('ip.flags.rb', 'Reserved bit', at + 6, 1, 0x80)
  flags.flag('ip.flags.df', "Don't fragment", at + 6, 1, 0x40)
  const more = flags.flag('ip.flags.mf', 'More fragments', at + 6, 1, 0x20)
  ip.bits('ip.frag_offset', 'Fragment Offset', at + 6, 2, 0x1fff, (value) => String(value * 8))
  const offset = (word & 0x1fff) * 8
  ip.node.children.at(-1)!.value = offset
  ip.number('ip.ttl', 'Time to Live', at + 8, 1)
  const carried = ip.number(
    'ip.proto',
    'Protocol',
    at + 9,
    1,
    (value) => `${IP_PROTOCOLS[value] ?? 'Unknown'} (${value})`,
  )
  ip.number('ip.checksum', 'Header Checksum', at + 10, 2, (value) => `${hex(value, 4)} [validation disabled]`)
  ip.add('ip.checksum.status', 'Header checksum status: Unverified', 2, at + 10, 0)
  ends(ip, at + 12, 'src', 'Source', src)
  ends(ip, at + 16, 'dst', 'Destination', dst)
  if (headerLength > 20) options(ip, at + 20, at + headerLength)
  const packetEnd = total < headerLength ? end : Math.min(end, at + total)
  const payload = { ...window, at: at + headerLength, end: packetEnd }
  const [outerSrc, outerDst] = [context.src, context.dst]
  ;[context.src, context.dst] = [src, dst]
  if (!more && offset === 0) dissectCarried(context, payload, carried, into)
  else {
    const whole = context.quoted
      ? undefined
      : reassemble(context, payload, `${src} ${dst} ${id} ${carried}`, offset, more, ip)
    if (whole) dissectCarried(context, whole, carried, into)
    else if (offset === 0 && context.quoted) dissectCarried(context, payload, carried, into)
    else dissectData(context, payload, payload.at, payload.end, into)
  }
  ;[context.src, context.dst] = [outerSrc, outerDst]
  return packetEnd
}

const OPTIONS: Readonly<Record<number, [string, string]>> = {
  0: ['eool', 'End of Options List (EOL)'],
  1: ['nop', 'No Operation (NOP)'],
  7: ['rr', 'Record Route'],
  68: ['time_stamp', 'Time Stamp'],
  131: ['lsr', 'Loose Source Route'],
  137: ['ssr', 'Strict Source Route'],
  148: ['routeralert', 'Router Alert'],
}

function options(ip: Branch, from: number, end: number): void {
  const { bytes } = ip
  const tree = ip.add('', '', undefined, from, end - from)
  const names: string[] = []
  for (let at = from; at < end; ) {
    const type = bytes[at]!
    const size = type < 2 ? 1 : at + 1 < end ? bytes[at + 1]! : 0
    if (size === 0 || (type > 1 && size < 2) || at + size > end) break
    const [key, name] = OPTIONS[type] ?? ['unknown', 'Unknown']
    names.push(name)
    const ra = type === 148 && size === 4
    const what = ra && tree.word(at + 2) === 0 ? 'Router shall examine packet (0)' : ''
    const more = type < 2 ? '' : ` (${size} bytes)${what === '' ? '' : `: ${what}`}`
    const option = tree.add(`ip.options.${key}`, `IP Option - ${name}${more}`, undefined, at, size)
    option.number('ip.opt.type', 'Type', at, 1)
    const kind = option.child()
    kind.flag('ip.opt.type.copy', 'Copy on fragmentation', at, 1, 0x80, 'Yes', 'No')
    kind.bits(
      'ip.opt.type.class',
      'Class',
      at,
      1,
      0x60,
      (value) =>
        `${['Control', 'Reserved for future use', 'Debugging and measurement'][value] ?? 'Reserved for future use'} (${value})`,
    )
    kind.bits('ip.opt.type.number', 'Number', at, 1, 0x1f, (value) => `${name} (${value})`)
    if (type > 1) option.number('ip.opt.len', 'Length', at + 1, 1)
    if (ra)
      option.number('ip.opt.ra', 'Router Alert', at + 2, 2, (value) =>
        value === 0 ? 'Router shall examine packet (0)' : String(value),
      )
    at += size
    if (type === 0) break
  }
  tree.node.text = `Options: (${end - from} bytes), ${names.join(', ')}`
}

function ends(ip: Branch, at: number, end: 'src' | 'dst', label: string, text: string): void {
  const value = ip.ipv4(`ip.${end}`, `${label} Address`, at)
  ip.hide('ip.addr', value, at, 4)
  ip.hide(`ip.${end}_host`, text, at, 4)
  ip.hide('ip.host', text, at, 4)
}

function reassemble(
  context: Context,
  window: Window,
  key: string,
  offset: number,
  more: boolean,
  ip: Branch,
): Window | undefined {
  const { fragments } = context.state
  const kept = fragments.get(key) ?? { pieces: [], end: undefined }
  fragments.set(key, kept)
  const bytes = window.bytes.slice(window.at, window.end)
  if (!more) kept.end = offset + bytes.length
  if (kept.pieces.length < PIECES_MAX && offset + bytes.length <= REASSEMBLED_MAX)
    kept.pieces.push({ frame: context.number, offset, bytes })
  if (kept.end === undefined) return undefined
  const pieces = [...kept.pieces].sort((a, b) => a.offset - b.offset)
  let reached = 0
  for (const piece of pieces) {
    if (piece.offset > reached) return undefined
    reached = Math.max(reached, piece.offset + piece.bytes.length)
  }
  if (reached < kept.end) return undefined
  fragments.delete(key)
  const whole = new Uint8Array(kept.end)
  for (const piece of pieces) whole.set(piece.bytes.subarray(0, kept.end - piece.offset), piece.offset)
  const source = context.sources.push({ name: 'Reassembled IPv4', bytes: whole }) - 1
  const list = pieces.map((piece) => `#${piece.frame}(${piece.bytes.length})`).join(', ')
  const tree = ip.add(
    'ip.fragments',
    `[${pieces.length} IPv4 Fragments (${whole.length} bytes): ${list}]`,
    whole,
    window.at,
    0,
  )
  for (const piece of pieces) {
    const { length } = piece.bytes
    tree.add(
      'ip.fragment',
      `[Frame: ${piece.frame}, payload: ${piece.offset}-${piece.offset + length - 1} (${length} bytes)]`,
      piece.frame,
      window.at,
      0,
    )
  }
  tree.add('ip.fragment.count', `[Fragment count: ${pieces.length}]`, pieces.length, window.at, 0)
  tree.add('ip.reassembled.length', `[Reassembled IPv4 length: ${whole.length}]`, whole.length, window.at, 0)
  return { bytes: whole, source, at: 0, end: whole.length }
}

/** What an IP protocol number announces. */
export function dissectCarried(
  context: Context,
  window: Window,
  carried: number,
  into: TreeNode[] = context.nodes,
): void {
  const { at, end } = window
  const length = end - at
  if (carried === 1 && length >= 8) dissectIcmp(context, window, into)
  else if (carried === 2 && length >= 8) dissectIgmp(context, window, into)
  else if (carried === 6 && length >= 20) dissectTcp(context, window, into)
  else if (carried === 17 && length >= 8) dissectUdp(context, window, into)
  else if (carried === 4 && length >= 20) dissectIp(context, window, into)
  else if (carried === 41 && length >= 40) dissectIp6(context, window, into)
  else if (carried === 47 && length >= 4) dissectGre(context, window, into)
  else if (carried === 112 && length >= 8) dissectVrrp(context, window, into)
  else dissectData(context, window, at, end, into)
}

const IGMP_TYPES: Readonly<Record<number, string>> = {
  17: 'Membership Query',
  18: 'Membership Report',
  22: 'Membership Report',
  23: 'Leave Group',
  34: 'Membership Report',
}
const IGMP_VERSIONS: Readonly<Record<number, number>> = { 18: 1, 22: 2, 23: 2, 34: 3 }
const RECORDS = [
  '',
  'Mode Is Include',
  'Mode Is Exclude',
  'Change To Include Mode',
  'Change To Exclude Mode',
  'Allow New Sources',
  'Block Old Sources',
]

function dissectIgmp(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const igmp = protocol(context, window, 'igmp', 'Internet Group Management Protocol', at, end - at, into)
  const type = bytes[at]!
  const version = IGMP_VERSIONS[type] ?? (end - at >= 12 ? 3 : 2)
  igmp.add('igmp.version', `[IGMP Version: ${version}]`, version, at, 0)
  igmp.number('igmp.type', 'Type', at, 1, (value) => `${IGMP_TYPES[value] ?? 'Unknown'} (${hex(value, 2)})`)
  if (type === 0x22) igmp.raw('igmp.reserved', 'Reserved', at + 1, 1)
  else igmp.number('igmp.max_resp', 'Max Resp Time', at + 1, 1, (value) => `${value / 10} sec (${hex(value, 2)})`)
  checksumLine(
    igmp,
    'igmp',
    at + 2,
    context.quoted ? undefined : internetChecksum(bytes, at, end - at, -igmp.word(at + 2)),
  )
  if (type === 0x22) igmp.raw('igmp.reserved', 'Reserved', at + 4, 2)
  if (type !== 0x22) {
    igmp.ipv4('igmp.maddr', 'Multicast Address', at + 4)
    return
  }
  const count = igmp.number('igmp.num_grp_recs', 'Num Group Records', at + 6, 2)
  let place = at + 8
  for (let i = 0; i < count && place + 8 <= end; i++) {
    const sources = bytes[place + 2]! * 256 + bytes[place + 3]!
    const size = Math.min(end - place, 8 + sources * 4 + bytes[place + 1]! * 4)
    const group = formatIpv4(igmp.word32(place + 4))
    const kind = RECORDS[bytes[place]!] || `Unknown (${bytes[place]})`
    const record = igmp.add('', `Group Record : ${group}  ${kind}`, undefined, place, size)
    record.number('igmp.record_type', 'Record Type', place, 1, (value) => `${RECORDS[value] || 'Unknown'} (${value})`)
    record.number('igmp.aux_data_len', 'Aux Data Len', place + 1, 1)
    record.number('igmp.num_src', 'Num Src', place + 2, 2)
    record.ipv4('igmp.maddr', 'Multicast Address', place + 4)
    for (let s = place + 8; s + 4 <= place + size - bytes[place + 1]! * 4; s += 4)
      record.ipv4('igmp.saddr', 'Source Address', s)
    place += size
  }
}

function dissectGre(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const flags = bytes[at]! * 256 + bytes[at + 1]!
  const type = bytes[at + 2]! * 256 + bytes[at + 3]!
  const optional = [0x8000, 0x2000, 0x1000].filter((bit) => flags & bit).length
  const length = 4 + optional * 4
  if (end - at < length) {
    dissectData(context, window, at, end, into)
    return
  }
  const name =
    type === 0x0800 ? 'IP' : type === 0x6558 ? 'Transparent Ethernet bridging' : (ETHER_TYPES[type] ?? hex(type, 4))
  const gre = protocol(context, window, 'gre', `Generic Routing Encapsulation (${name})`, at, length, into)
  const tree = gre.add('gre.flags_and_version', `Flags and Version: ${hex(flags, 4)}`, flags, at, 2)
  const bit = (key: string, label: string, mask: number) =>
    tree.flag(`gre.flags.${key}`, label, at, 2, mask, 'Yes', 'No')
  bit('checksum', 'Checksum Bit', 0x8000)
  bit('routing', 'Routing Bit', 0x4000)
  bit('key', 'Key Bit', 0x2000)
  bit('sequence_number', 'Sequence Number Bit', 0x1000)
  bit('strict_source_route', 'Strict Source Route Bit', 0x0800)
  tree.bits('gre.flags.recursion_control', 'Recursion control', at, 2, 0x0700)
  tree.bits('gre.flags.reserved', 'Flags (Reserved)', at, 2, 0x00f8)
  tree.bits('gre.flags.version', 'Version', at, 2, 0x0007, (value) => (value === 0 ? 'GRE (0)' : String(value)))
  gre.number('gre.proto', 'Protocol Type', at + 2, 2, (value) => `${name} (${hex(value, 4)})`)
  let place = at + 4
  if (flags & 0x8000) {
    gre.number('gre.checksum', 'Checksum', place, 2, (value) => hex(value, 4))
    place += 4
  }
  if (flags & 0x2000) {
    gre.number('gre.key', 'Key', place, 4, (value) => hex(value, 8))
    place += 4
  }
  if (flags & 0x1000) {
    gre.number('gre.sequence_number', 'Sequence Number', place, 4)
    place += 4
  }
  // What it carries stands where it stands: among what an error quotes, if it is quoted.
  const outer = context.nodes
  context.nodes = into
  if (type === 0x6558) dissectEthernet(context, { ...window, at: place })
  else dissectEtherType(context, { ...window, at: place }, type)
  context.nodes = outer
}

function dissectVrrp(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const vrrp = protocol(context, window, 'vrrp', 'Virtual Router Redundancy Protocol', at, end - at, into)
  const version = bytes[at]! >>> 4
  const kind = (bytes[at]! & 15) === 1 ? 'Advertisement' : 'Unknown'
  const head = vrrp.add(
    'vrrp.typever',
    `Version ${version}, Packet type ${bytes[at]! & 15} (${kind})`,
    bytes[at],
    at,
    1,
  )
  head.bits('vrrp.version', 'VRRP protocol version', at, 1, 0xf0)
  head.bits('vrrp.type', 'VRRP packet type', at, 1, 0x0f, (value) => `${kind} (${value})`)
  vrrp.number('vrrp.virt_rtr_id', 'Virtual Rtr ID', at + 1, 1)
  const why: Record<number, string> = {
    0: 'Current Master has stopped participating in VRRP',
    100: 'Default priority for a backup VRRP router',
    255: 'This VRRP router owns the virtual router IP address(es)',
  }
  vrrp.number(
    'vrrp.prio',
    'Priority',
    at + 2,
    1,
    (value) => `${value} (${why[value] ?? 'Non-default backup priority'})`,
  )
  const count = vrrp.number('vrrp.addr_count', 'Addr Count', at + 3, 1)
  if (version === 3) vrrp.bits('vrrp.short_adver_int', 'Adver Int', at + 4, 2, 0x0fff)
  else {
    vrrp.number(
      'vrrp.auth_type',
      'Auth Type',
      at + 4,
      1,
      (value) =>
        `${value === 0 ? 'No Authentication' : value === 1 ? 'Simple Text Authentication [RFC 2338] / Reserved [RFC 3768]' : 'Unknown'} (${value})`,
    )
    vrrp.number('vrrp.adver_int', 'Adver Int', at + 5, 1)
  }
  // Version 3 counts a pseudo-header in.
  const right = version === 2 && !context.quoted ? internetChecksum(bytes, at, end - at, -vrrp.word(at + 6)) : undefined
  checksumLine(vrrp, 'vrrp', at + 6, right)
  for (let i = 0; i < count && at + 12 + i * 4 <= end; i++) vrrp.ipv4('vrrp.ip_addr', 'IP Address', at + 8 + i * 4)
}

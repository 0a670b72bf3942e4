/**
 * Changing packets: addresses and ports, and those of the packet that an ICMP error quotes. A checksum that was right (-1)
 * stays right; one that was wrong is changed by as much as the header, and stays as wrong as it was. RFC 1624.
 *
 * Linux 6.1 net/netfilter/nf_nat_proto.c: nf_nat_manip_pkt(), nf_nat_icmp_reply_translation().
 */
import { NF_ACCEPT, NF_DROP } from '#kernel/net'
import {
  checksumGood,
  ICMP_REDIRECT,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Ipv6Address,
  type Packet,
  RAW_NONE,
  readIpv6,
  writeIpv6,
} from '#wire/inet'
import {
  type Conn,
  ctDirection,
  type InetAddr,
  IP_CT_DIR_REPLY,
  IPS_DST_NAT,
  IPS_NAT_DONE_MASK,
  IPS_NAT_MASK,
  IPS_SRC_NAT,
} from './conn.ts'
import type { Manip } from './nat.ts'
import { hasPorts, IPPROTO_ICMPV6, skipExtensions } from './tuple.ts'

/** A checksum after a word that it covers has changed. RFC 1624 equation 3. */
function adjust(checksum: number, from: number, to: number): number {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + to
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function adjust32(checksum: number, from: number, to: number): number {
  return adjust(adjust(checksum, from >>> 16, to >>> 16), from & 0xffff, to & 0xffff)
}

/** Whether a type carries an identifier. */
function hasIdentifier(type: number): boolean {
  return type === 0 || type === 8 || (type >= 13 && type <= 18)
}

/** Whether a connection's packets change on this side, in this direction. */
export function isMangled(conn: Conn, manip: Manip, ctInfo: number): boolean {
  let bit = manip === 'SRC' ? IPS_SRC_NAT : IPS_DST_NAT
  if (ctDirection(ctInfo) === IP_CT_DIR_REPLY) bit ^= IPS_NAT_MASK
  return (conn.status & bit) !== 0
}

/** Does to a packet what was decided for its connection. nf_nat_packet(). */
export function natPacket(conn: Conn, packet: Packet, manip: Manip): number {
  if (!isMangled(conn, manip, packet.ctInfo)) return NF_ACCEPT
  const target = conn.tuple(ctDirection(packet.ctInfo) === IP_CT_DIR_REPLY ? 0 : 1)
  // The target's inverse: what it sends from is where this packet goes to.
  if (manip === 'SRC') changeSource(packet, target.dst, replyPort(packet, target.srcPort, target.dstPort))
  else changeDestination(packet, target.src, target.srcPort)
  return NF_ACCEPT
}

/** An echo's identifier stands in the same place in both directions. */
function replyPort(packet: Packet, srcPort: number, dstPort: number): number {
  return packet.protocol === IPPROTO_ICMP || packet.protocol === IPPROTO_ICMPV6 ? srcPort : dstPort
}

function changeSource(packet: Packet, address: InetAddr, port: number): void {
  if (packet.raw !== RAW_NONE || packet.checksum > 0) changeSlowly(packet, 'SRC', address, port)
  else if (packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP) packet.srcPort = port
  else changeIdentifier(packet, port)
  if (typeof address === 'number') packet.src = address
  else packet.src6 = address
}

function changeDestination(packet: Packet, address: InetAddr, port: number): void {
  if (packet.raw !== RAW_NONE || packet.checksum > 0) changeSlowly(packet, 'DST', address, port)
  else if (packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP) packet.dstPort = port
  else changeIdentifier(packet, port)
  if (typeof address === 'number') packet.dst = address
  else packet.dst6 = address
}

function changeIdentifier(packet: Packet, identifier: number): void {
  const echo =
    (packet.protocol === IPPROTO_ICMP && hasIdentifier(packet.icmpType)) ||
    (packet.protocol === IPPROTO_ICMPV6 && (packet.icmpType === 128 || packet.icmpType === 129))
  if (echo) packet.icmpRest = ((identifier << 16) | (packet.icmpRest & 0xffff)) >>> 0
}

/** What isn't in fields, or has a wrong checksum: as the kernel, byte by byte. */
function changeSlowly(packet: Packet, manip: Manip, address: InetAddr, port: number): void {
  const from = manip === 'SRC' ? packet.src : packet.dst
  const to = typeof address === 'number' ? address : from
  if (packet.raw === RAW_NONE) {
    const icmp = packet.protocol === IPPROTO_ICMP
    let sum = packet.checksum
    const old = icmp ? packet.icmpRest >>> 16 : manip === 'SRC' ? packet.srcPort : packet.dstPort
    if (icmp) changeIdentifier(packet, port)
    else if (manip === 'SRC') packet.srcPort = port
    else packet.dstPort = port
    if (!icmp) sum = adjust32(sum, from, to)
    sum = adjust(sum, old, icmp ? packet.icmpRest >>> 16 : port)
    packet.checksum = sum === 0 && packet.protocol === IPPROTO_UDP ? 0xffff : sum
    return
  }
  const bytes = packet.buffer.slice(packet.offset, packet.offset + packet.length)
  packet.buffer = bytes
  packet.offset = 0
  changeTransport(bytes, 0, bytes.length, packet.protocol, manip, port, from, to)
}

/** Writes a port into a transport header, and corrects its checksum; what is cut off is left. */
function changeTransport(
  bytes: Uint8Array,
  at: number,
  length: number,
  protocol: number,
  manip: Manip,
  port: number,
  from: number,
  to: number,
): void {
  if (protocol === IPPROTO_ICMP) {
    if (length < 8 || !hasIdentifier(bytes[at]!)) return
    write16(bytes, at + 2, adjust(read16(bytes, at + 2), read16(bytes, at + 4), port))
    write16(bytes, at + 4, port)
    return
  }
  if (!hasPorts(protocol) || length < 8) return
  const place = manip === 'SRC' ? at : at + 2
  const old = read16(bytes, place)
  write16(bytes, place, port)
  const sumAt = protocol === IPPROTO_TCP ? 16 : protocol === IPPROTO_UDP ? 6 : -1
  if (sumAt < 0 || (protocol === IPPROTO_TCP && length < 20)) return
  const sum = read16(bytes, at + sumAt)
  if (protocol === IPPROTO_UDP && sum === 0) return
  const next = adjust(adjust32(sum, from, to), old, port)
  write16(bytes, at + sumAt, next === 0 && protocol === IPPROTO_UDP ? 0xffff : next)
}

/**
 * An ICMP error of a connection with NAT: the quoted packet is changed back to what its sender sent, and the error's own
 * address with it. NF_DROP if it can't be. nf_nat_icmp_reply_translation().
 */
export function natIcmpError(conn: Conn, packet: Packet, manip: Manip): number {
  if (packet.raw !== RAW_NONE || (packet.checksum >= 0 && !checksumGood(packet))) return NF_DROP
  if (packet.length < 20) return NF_DROP
  if (packet.src6 === undefined && packet.icmpType === ICMP_REDIRECT) {
    // A redirect would be wrong once addresses have changed.
    if ((conn.status & IPS_NAT_DONE_MASK) !== IPS_NAT_DONE_MASK || conn.status & IPS_NAT_MASK) return NF_DROP
  }
  if (!isMangled(conn, manip, packet.ctInfo)) return NF_ACCEPT
  const other = conn.tuple(ctDirection(packet.ctInfo) === IP_CT_DIR_REPLY ? 0 : 1)
  const bytes = packet.buffer.slice(packet.offset, packet.offset + packet.length)
  // Inside, source and destination are the other way round.
  const inside = manip === 'SRC' ? 'DST' : 'SRC'
  if (packet.src6 === undefined) changeInner(bytes, inside, other)
  else changeInner6(bytes, inside, other)
  packet.buffer = bytes
  packet.offset = 0
  packet.checksum = -1
  const outer = manip === 'SRC' ? other.dst : other.src
  if (typeof outer !== 'number') packet[manip === 'SRC' ? 'src6' : 'dst6'] = outer
  else packet[manip === 'SRC' ? 'src' : 'dst'] = outer
  return NF_ACCEPT
}

interface InnerTarget {
  readonly src: InetAddr
  readonly dst: InetAddr
  readonly srcPort: number
  readonly dstPort: number
}

/** Changes the IPv4 packet that bytes begin with. */
function changeInner(bytes: Uint8Array, manip: Manip, target: InnerTarget): void {
  const headerLength = (bytes[0]! & 15) * 4
  const protocol = bytes[9]!
  const place = manip === 'SRC' ? 12 : 16
  const from = read32(bytes, place)
  const to = (manip === 'SRC' ? target.src : target.dst) as number
  const icmp = protocol === IPPROTO_ICMP
  const port = icmp || manip === 'SRC' ? target.srcPort : target.dstPort
  changeTransport(bytes, headerLength, bytes.length - headerLength, protocol, manip, port, from, to)
  write16(bytes, 10, adjust32(read16(bytes, 10), from, to))
  write16(bytes, place, to >>> 16)
  write16(bytes, place + 2, to & 0xffff)
}

/** Changes the IPv6 packet that bytes begin with. */
function changeInner6(bytes: Uint8Array, manip: Manip, target: InnerTarget): void {
  const place = manip === 'SRC' ? 8 : 24
  const to = manip === 'SRC' ? target.src : target.dst
  if (typeof to === 'number') return
  const found = skipExtensions(bytes, 0, bytes.length)
  if (found !== undefined) {
    const icmp = found.protocol === IPPROTO_ICMPV6
    const port = icmp || manip === 'SRC' ? target.srcPort : target.dstPort
    changeTransport6(bytes, found.at, found.protocol, manip, port, readIpv6(bytes, place), to)
  }
  writeIpv6(bytes, place, to)
}

function changeTransport6(
  bytes: Uint8Array,
  at: number,
  protocol: number,
  manip: Manip,
  port: number,
  from: Ipv6Address,
  to: Ipv6Address,
): void {
  const length = bytes.length - at
  const sumAt = protocol === IPPROTO_TCP ? 16 : protocol === IPPROTO_UDP ? 6 : protocol === IPPROTO_ICMPV6 ? 2 : -1
  const echo = protocol === IPPROTO_ICMPV6 && (bytes[at] === 128 || bytes[at] === 129)
  const place = protocol === IPPROTO_ICMPV6 ? (echo ? at + 4 : -1) : manip === 'SRC' ? at : at + 2
  if (length < 8 || (protocol !== IPPROTO_ICMPV6 && !hasPorts(protocol))) return
  const old = place < 0 ? 0 : read16(bytes, place)
  if (place >= 0) write16(bytes, place, port)
  if (sumAt < 0 || sumAt + 2 > length) return
  let sum = read16(bytes, at + sumAt)
  if (place >= 0) sum = adjust(sum, old, port)
  sum = adjust32(adjust32(sum, from.w0, to.w0), from.w1, to.w1)
  sum = adjust32(adjust32(sum, from.w2, to.w2), from.w3, to.w3)
  write16(bytes, at + sumAt, sum === 0 && protocol === IPPROTO_UDP ? 0xffff : sum)
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function write16(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 8
  bytes[at + 1] = word & 255
}

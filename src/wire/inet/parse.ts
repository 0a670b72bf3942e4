/**
 * From bytes to the packet. What the fields can't carry so that the same bytes come out again (a broken header, a
 * fragment's transport, an unknown EtherType) stays raw from that layer on: `emitFrame(parseFrame(x))` is x for all x.
 * The packet keeps the given array; who writes into it afterwards gives a copy.
 */
import { foldSum, internetChecksum, sumWords } from '#base/bytes'
import { ETH_HLEN, readMac, VLAN_HLEN } from '#wire/link'
import { emitIp } from './frame.ts'
import { addressSum, chainEnd } from './ipv6.ts'
import { readIpv6 } from './ipv6-address.ts'
import {
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  IP_MF,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Packet,
  RAW_ETHERNET_PAYLOAD,
  RAW_FRAME,
  RAW_IP_PAYLOAD,
} from './packet.ts'

/** A frame's packet; never throws. */
export function parseFrame(bytes: Uint8Array): Packet {
  const packet = new Packet()
  packet.buffer = bytes
  packet.length = bytes.length
  if (bytes.length < ETH_HLEN) {
    packet.raw = RAW_FRAME
    return packet
  }
  packet.macDst = readMac(bytes, 0)
  packet.macSrc = readMac(bytes, 6)
  let etherType = read16(bytes, 12)
  let at = ETH_HLEN
  if (etherType === ETH_P_8021Q && bytes.length >= ETH_HLEN + VLAN_HLEN) {
    packet.vlanTci = read16(bytes, 14)
    etherType = read16(bytes, 16)
    at += VLAN_HLEN
  }
  packet.etherType = etherType
  if (etherType === ETH_P_IP) parseIpInto(packet, bytes, at)
  else if (etherType === ETH_P_IPV6) parseIpv6Into(packet, bytes, at)
  else if (etherType !== ETH_P_ARP || !parseArpInto(packet, bytes, at)) rest(packet, bytes, at)
  return packet
}

/** The packet of bytes that begin with an IPv4 header, MAC addresses 0; never throws. */
export function parseIp(bytes: Uint8Array): Packet {
  const packet = new Packet()
  packet.buffer = bytes
  packet.etherType = ETH_P_IP
  parseIpInto(packet, bytes, 0)
  return packet
}

/** The packet of bytes that begin with an IPv6 header, MAC addresses 0; never throws. */
export function parseIpv6Packet(bytes: Uint8Array): Packet {
  const packet = new Packet()
  packet.buffer = bytes
  packet.etherType = ETH_P_IPV6
  parseIpv6Into(packet, bytes, 0)
  return packet
}

function rest(packet: Packet, bytes: Uint8Array, at: number): void {
  packet.raw = RAW_ETHERNET_PAYLOAD
  packet.offset = at
  packet.length = bytes.length - at
}

function trail(packet: Packet, bytes: Uint8Array, at: number): void {
  if (at < bytes.length) packet.trailer = bytes.subarray(at)
}

function parseArpInto(packet: Packet, bytes: Uint8Array, at: number): boolean {
  if (bytes.length < at + 28 || read32(bytes, at) !== 0x00010800 || read16(bytes, at + 4) !== 0x0604) return false
  packet.arpOp = read16(bytes, at + 6)
  packet.arpSha = readMac(bytes, at + 8)
  packet.arpSpa = read32(bytes, at + 14)
  packet.arpTha = readMac(bytes, at + 18)
  packet.arpTpa = read32(bytes, at + 24)
  packet.offset = at + 28
  packet.length = 0
  trail(packet, bytes, at + 28)
  return true
}

function parseIpInto(packet: Packet, bytes: Uint8Array, at: number): void {
  const available = bytes.length - at
  const headerLength = available < 20 ? 0 : (bytes[at]! & 15) * 4
  if (headerLength < 20 || bytes[at]! >>> 4 !== 4 || headerLength > available) {
    rest(packet, bytes, at)
    return
  }
  const total = read16(bytes, at + 2)
  if (total < headerLength || total > available) {
    rest(packet, bytes, at)
    return
  }
  const checksum = read16(bytes, at + 10)
  const sum = sumWords(bytes, at, headerLength) - checksum
  if ((~foldSum(sum) & 0xffff) !== checksum) {
    rest(packet, bytes, at)
    return
  }
  packet.tos = bytes[at + 1]!
  packet.ipId = read16(bytes, at + 4)
  packet.fragment = read16(bytes, at + 6)
  packet.ttl = bytes[at + 8]!
  packet.protocol = bytes[at + 9]!
  packet.src = read32(bytes, at + 12)
  packet.dst = read32(bytes, at + 16)
  if (headerLength > 20) packet.ipOptions = bytes.slice(at + 20, at + headerLength)
  trail(packet, bytes, at + total)
  at += headerLength
  packet.offset = at
  packet.length = total - headerLength
  // A fragment's transport header, if it is there at all, can't be judged before the whole is put together.
  if ((packet.fragment & (IP_MF | IP_OFFSET)) !== 0 || !parseTransportInto(packet, bytes, at))
    packet.raw = RAW_IP_PAYLOAD
}

/** RFC 8200 section 3. */
function parseIpv6Into(packet: Packet, bytes: Uint8Array, at: number): void {
  const available = bytes.length - at
  if (available < 40 || bytes[at]! >>> 4 !== 6) {
    rest(packet, bytes, at)
    return
  }
  const length = read16(bytes, at + 4)
  if (length > available - 40) {
    rest(packet, bytes, at)
    return
  }
  const first = read32(bytes, at)
  packet.tos = (first >>> 20) & 0xff
  packet.flowLabel = first & 0xfffff
  packet.protocol = bytes[at + 6]!
  packet.ttl = bytes[at + 7]!
  packet.src6 = readIpv6(bytes, at + 8)
  packet.dst6 = readIpv6(bytes, at + 24)
  const end = at + 40 + length
  trail(packet, bytes, end)
  at += 40
  const behind = chainEnd(packet, bytes, at, end)
  if (behind > at) packet.ipOptions = bytes.slice(at, behind)
  packet.offset = behind
  packet.length = end - behind
  if ((packet.fragment & (IP_MF | IP_OFFSET)) !== 0 || !parseTransportInto(packet, bytes, behind))
    packet.raw = RAW_IP_PAYLOAD
}

/** The pseudo-header's sum. RFC 768; RFC 8200 section 8.1. */
function pseudoSum(packet: Packet): number {
  const { src, dst, src6, dst6 } = packet
  if (src6 !== undefined) return addressSum(src6) + addressSum(dst6!) + packet.protocol + packet.length
  return (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + packet.protocol + packet.length
}

function parseTransportInto(packet: Packet, bytes: Uint8Array, at: number): boolean {
  const { length, protocol } = packet
  if (protocol === IPPROTO_UDP) {
    if (length < 8 || read16(bytes, at + 4) !== length) return false
    const word = read16(bytes, at + 6)
    const right = ~foldSum(sumWords(bytes, at, length, pseudoSum(packet)) - word) & 0xffff
    packet.checksum = word === (right === 0 ? 0xffff : right) ? -1 : word
    packet.srcPort = read16(bytes, at)
    packet.dstPort = read16(bytes, at + 2)
    packet.offset = at + 8
    packet.length = length - 8
    return true
  }
  const v6 = packet.src6 !== undefined
  if (protocol === (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
    if (length < 8) return false
    const word = read16(bytes, at + 2)
    const right = internetChecksum(bytes, at, length, (v6 ? pseudoSum(packet) : 0) - word)
    packet.checksum = word === right ? -1 : word
    packet.icmpType = bytes[at]!
    packet.icmpCode = bytes[at + 1]!
    packet.icmpRest = read32(bytes, at + 4)
    packet.offset = at + 8
    packet.length = length - 8
    return true
  }
  if (protocol === IPPROTO_TCP) {
    if (length < 20) return false
    const headerLength = (bytes[at + 12]! >>> 4) * 4
    if (headerLength < 20 || headerLength > length) return false
    const word = read16(bytes, at + 16)
    const right = ~foldSum(sumWords(bytes, at, length, pseudoSum(packet)) - word) & 0xffff
    packet.checksum = word === right ? -1 : word
    packet.srcPort = read16(bytes, at)
    packet.dstPort = read16(bytes, at + 2)
    packet.seq = read32(bytes, at + 4)
    packet.ack = read32(bytes, at + 8)
    packet.tcpFlags = read16(bytes, at + 12) & 0xfff
    packet.window = read16(bytes, at + 14)
    packet.urgent = read16(bytes, at + 18)
    let options = at + 20
    if (headerLength >= 32 && read32(bytes, options) === 0x0101080a) {
      packet.tcpTimestamps = true
      packet.tsVal = read32(bytes, options + 4)
      packet.tsEcr = read32(bytes, options + 8)
      options += 12
    }
    if (options < at + headerLength) packet.tcpOptions = bytes.slice(options, at + headerLength)
    packet.offset = at + headerLength
    packet.length = length - headerLength
    return true
  }
  return false
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** Whether a receiver takes the transport's checksum: right, the other zero of ones' complement, or UDP without one. */
export function checksumGood(packet: Packet): boolean {
  const word = packet.checksum
  if (word < 0) return true
  if (word === 0) return (packet.protocol === IPPROTO_UDP && packet.src6 === undefined) || sumsToZero(packet)
  return word === 0xffff && sumsToZero(packet)
}

/** Whether all words but the checksum fold to one of the two zeros, so that both zeros are right. */
function sumsToZero(packet: Packet): boolean {
  const computed = packet.clone()
  computed.checksum = -1
  const bytes = emitIp(computed)
  const at = (packet.src6 === undefined ? 20 : 40) + (packet.ipOptions?.length ?? 0)
  const word = packet.protocol === IPPROTO_UDP ? 6 : packet.protocol === IPPROTO_TCP ? 16 : 2
  const made = read16(bytes, at + word)
  return made === 0 || made === 0xffff
}

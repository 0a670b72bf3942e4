/**
 * From the packet to its exact bytes. `writeFrame` is what a capture calls for every frame on every link: it allocates
 * nothing, and sums header fields as numbers rather than reading them back.
 */
import { foldSum, sumWords } from '#base/bytes'
import { ETH_HLEN, VLAN_HLEN, writeMac } from '#wire/link'
import {
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  RAW_ETHERNET_PAYLOAD,
  RAW_FRAME,
  RAW_NONE,
} from './packet.ts'

const ARP_LENGTH = 28
const IP_HLEN = 20
const ICMP_HLEN = 8
const UDP_HLEN = 8
const TCP_HLEN = 20

/** The length of the transport header that is in fields. */
function transportLength(packet: Packet): number {
  if (packet.raw !== RAW_NONE) return 0
  if (packet.protocol === IPPROTO_UDP) return UDP_HLEN
  if (packet.protocol === IPPROTO_ICMP) return ICMP_HLEN
  if (packet.protocol === IPPROTO_TCP)
    return TCP_HLEN + (packet.tcpOptions === undefined ? 0 : packet.tcpOptions.length)
  return 0
}

/** The IPv4 packet's total length. */
export function ipLength(packet: Packet): number {
  if (packet.raw === RAW_ETHERNET_PAYLOAD || packet.raw === RAW_FRAME) return packet.length
  const options = packet.ipOptions === undefined ? 0 : packet.ipOptions.length
  return IP_HLEN + options + transportLength(packet) + packet.length
}

/** The frame's length, the check sequence not counted. */
export function frameLength(packet: Packet): number {
  if (packet.raw === RAW_FRAME) return packet.length
  const trailer = packet.trailer === undefined ? 0 : packet.trailer.length
  const header = packet.vlanTci < 0 ? ETH_HLEN : ETH_HLEN + VLAN_HLEN
  if (packet.raw === RAW_ETHERNET_PAYLOAD) return header + packet.length + trailer
  if (packet.etherType === ETH_P_IP) return header + ipLength(packet) + trailer
  if (packet.etherType === ETH_P_ARP) return header + ARP_LENGTH + trailer
  return header + packet.length + trailer
}

/** The frame's bytes. With a scratch buffer that is long enough, they are a view of it, good until it is written again. */
export function emitFrame(packet: Packet, scratch?: Uint8Array): Uint8Array {
  const length = frameLength(packet)
  const bytes = scratch === undefined || scratch.length < length ? new Uint8Array(length) : scratch.subarray(0, length)
  writeFrame(packet, bytes, 0)
  return bytes
}

/** The bytes from the IPv4 header on, without what trails the IP packet. */
export function emitIp(packet: Packet, scratch?: Uint8Array): Uint8Array {
  const length = ipLength(packet)
  const bytes = scratch === undefined || scratch.length < length ? new Uint8Array(length) : scratch.subarray(0, length)
  writeIp(packet, bytes, 0)
  return bytes
}

/** Writes the frame at a place that has `frameLength` bytes of room; returns where it ends. */
export function writeFrame(packet: Packet, target: Uint8Array, at: number): number {
  if (packet.raw === RAW_FRAME) return writePayload(packet, target, at)
  writeMac(target, at, packet.macDst)
  writeMac(target, at + 6, packet.macSrc)
  at += 12
  if (packet.vlanTci >= 0) {
    at = write16(target, at, ETH_P_8021Q)
    at = write16(target, at, packet.vlanTci)
  }
  at = write16(target, at, packet.etherType)
  if (packet.raw === RAW_ETHERNET_PAYLOAD) at = writePayload(packet, target, at)
  else if (packet.etherType === ETH_P_IP) at = writeIp(packet, target, at)
  else if (packet.etherType === ETH_P_ARP) at = writeArp(packet, target, at)
  else at = writePayload(packet, target, at)
  if (packet.trailer !== undefined) {
    target.set(packet.trailer, at)
    at += packet.trailer.length
  }
  return at
}

/** Writes the packet from its IPv4 header on, at a place that has `ipLength` bytes of room; returns where it ends. */
export function writeIp(packet: Packet, target: Uint8Array, at: number): number {
  if (packet.raw === RAW_ETHERNET_PAYLOAD || packet.raw === RAW_FRAME) return writePayload(packet, target, at)
  const options = packet.ipOptions
  const headerLength = options === undefined ? IP_HLEN : IP_HLEN + options.length
  const transport = transportLength(packet)
  const total = headerLength + transport + packet.length
  const { src, dst } = packet
  const addresses = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff)
  const first = ((0x40 | (headerLength >>> 2)) << 8) | packet.tos
  const life = (packet.ttl << 8) | packet.protocol
  let sum = first + total + packet.ipId + packet.fragment + life + addresses
  write16(target, at, first)
  write16(target, at + 2, total)
  write16(target, at + 4, packet.ipId)
  write16(target, at + 6, packet.fragment)
  write16(target, at + 8, life)
  write32(target, at + 12, src)
  write32(target, at + 16, dst)
  if (options !== undefined) {
    target.set(options, at + IP_HLEN)
    sum = sumWords(options, 0, options.length, sum)
  }
  write16(target, at + 10, ~foldSum(sum))
  at += headerLength
  const end = writePayload(packet, target, at + transport)
  if (transport === 0) return end
  if (packet.protocol === IPPROTO_UDP) writeUdp(packet, target, at, addresses)
  else if (packet.protocol === IPPROTO_ICMP) writeIcmp(packet, target, at)
  else writeTcp(packet, target, at, addresses)
  return end
}

function writeArp(packet: Packet, target: Uint8Array, at: number): number {
  write32(target, at, 0x00010800) // Ethernet, IPv4,
  write32(target, at + 4, 0x06040000 | packet.arpOp) // and the lengths of their addresses.
  writeMac(target, at + 8, packet.arpSha)
  write32(target, at + 14, packet.arpSpa)
  writeMac(target, at + 18, packet.arpTha)
  write32(target, at + 24, packet.arpTpa)
  return at + ARP_LENGTH
}

function writeUdp(packet: Packet, target: Uint8Array, at: number, addresses: number): void {
  const length = UDP_HLEN + packet.length
  write16(target, at, packet.srcPort)
  write16(target, at + 2, packet.dstPort)
  write16(target, at + 4, length)
  let checksum = packet.checksum
  if (checksum < 0) {
    const header = addresses + IPPROTO_UDP + 2 * length + packet.srcPort + packet.dstPort
    checksum = ~foldSum(sumWords(packet.buffer, packet.offset, packet.length, header)) & 0xffff
    if (checksum === 0) checksum = 0xffff // 0 means not computed. RFC 768.
  }
  write16(target, at + 6, checksum)
}

function writeIcmp(packet: Packet, target: Uint8Array, at: number): void {
  const first = (packet.icmpType << 8) | packet.icmpCode
  const rest = packet.icmpRest
  write16(target, at, first)
  write32(target, at + 4, rest)
  let checksum = packet.checksum
  if (checksum < 0) {
    const header = first + (rest >>> 16) + (rest & 0xffff)
    checksum = ~foldSum(sumWords(packet.buffer, packet.offset, packet.length, header))
  }
  write16(target, at + 2, checksum)
}

function writeTcp(packet: Packet, target: Uint8Array, at: number, addresses: number): void {
  const options = packet.tcpOptions
  const headerLength = options === undefined ? TCP_HLEN : TCP_HLEN + options.length
  const { seq, ack } = packet
  const flags = ((headerLength >>> 2) << 12) | packet.tcpFlags
  write16(target, at, packet.srcPort)
  write16(target, at + 2, packet.dstPort)
  write32(target, at + 4, seq)
  write32(target, at + 8, ack)
  write16(target, at + 12, flags)
  write16(target, at + 14, packet.window)
  write16(target, at + 18, packet.urgent)
  if (options !== undefined) target.set(options, at + TCP_HLEN)
  let checksum = packet.checksum
  if (checksum < 0) {
    let sum = addresses + IPPROTO_TCP + headerLength + packet.length + packet.srcPort + packet.dstPort
    sum += (seq >>> 16) + (seq & 0xffff) + (ack >>> 16) + (ack & 0xffff) + flags + packet.window + packet.urgent
    if (options !== undefined) sum = sumWords(options, 0, options.length, sum)
    checksum = ~foldSum(sumWords(packet.buffer, packet.offset, packet.length, sum))
  }
  write16(target, at + 16, checksum)
}

/** From here on a view for `set` costs less than a loop. */
const LONG = 96

function writePayload(packet: Packet, target: Uint8Array, at: number): number {
  const { buffer, offset, length } = packet
  if (length < LONG) for (let i = 0; i < length; i++) target[at + i] = buffer[offset + i]!
  else target.set(length === buffer.length ? buffer : buffer.subarray(offset, offset + length), at)
  return at + length
}

function write16(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 8
  target[at + 1] = value
  return at + 2
}

function write32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

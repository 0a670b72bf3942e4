/**
 * From the packet to its exact bytes. `writeFrame` is what a capture calls for every frame on every link: it allocates
 * nothing, and sums header fields as numbers rather than reading them back.
 */
import { foldSum, sumView, sumWords } from '#base/bytes'
import { ETH_HLEN, VLAN_HLEN } from '#wire/link'
import { addressSum } from './ipv6.ts'
import type { Ipv6Address } from './ipv6-address.ts'
import {
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  RAW_ETHERNET_PAYLOAD,
  RAW_FRAME,
  RAW_NONE,
} from './packet.ts'

const ARP_LENGTH = 28
const IP_HLEN = 20
const IPV6_HLEN = 40
const ICMP_HLEN = 8
const UDP_HLEN = 8
const TCP_HLEN = 20

/** The length of the transport header that is in fields. */
function transportLength(packet: Packet): number {
  if (packet.raw !== RAW_NONE) return 0
  if (packet.protocol === IPPROTO_UDP) return UDP_HLEN
  if (packet.protocol === IPPROTO_ICMP || packet.protocol === IPPROTO_ICMPV6) return ICMP_HLEN
  if (packet.protocol === IPPROTO_TCP) return tcpHeaderLength(packet)
  return 0
}

/** What the options that stand in fields take: NOP, NOP, timestamps. */
const TIMESTAMPS_LENGTH = 12
const TIMESTAMPS_HEAD = 0x0101080a

/** The length of a TCP header with its options. */
export function tcpHeaderLength(packet: Packet): number {
  const length = packet.tcpTimestamps ? TCP_HLEN + TIMESTAMPS_LENGTH : TCP_HLEN
  return packet.tcpOptions === undefined ? length : length + packet.tcpOptions.length
}

/** The IP packet's total length, its headers counted. */
export function ipLength(packet: Packet): number {
  if (packet.raw === RAW_ETHERNET_PAYLOAD || packet.raw === RAW_FRAME) return packet.length
  const options = packet.ipOptions === undefined ? 0 : packet.ipOptions.length
  const header = packet.src6 === undefined ? IP_HLEN : IPV6_HLEN
  return header + options + transportLength(packet) + packet.length
}

/** The frame's length, the check sequence not counted. */
export function frameLength(packet: Packet): number {
  const { raw, etherType, length } = packet
  if (raw === RAW_FRAME) return length
  const trailer = packet.trailer === undefined ? 0 : packet.trailer.length
  const header = packet.vlanTci < 0 ? ETH_HLEN : ETH_HLEN + VLAN_HLEN
  // One way through it, whatever comes: a rare ARP packet in between has nothing compiled anew.
  const isIp = etherType === ETH_P_IP
  const isIpv6 = etherType === ETH_P_IPV6
  const isArp = etherType === ETH_P_ARP
  let body = length
  if (raw !== RAW_ETHERNET_PAYLOAD) body = isIp || isIpv6 ? ipLength(packet) : isArp ? ARP_LENGTH : length
  return header + body + trailer
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

// Writers fill the same array over and over; a DataView on it writes words at once, and is made once.
let lastTarget: Uint8Array = new Uint8Array(0)
let lastView = new DataView(lastTarget.buffer, 0)

function viewOn(target: Uint8Array): DataView {
  if (target !== lastTarget) {
    lastView = new DataView(target.buffer as ArrayBuffer, target.byteOffset, target.byteLength)
    lastTarget = target
  }
  return lastView
}

/**
 * Writes the frame at a place that has `frameLength` bytes of room; returns where it ends.
 *
 * @param known a view of the whole target, if the caller has one: many captures that take turns need none made
 */
export function writeFrame(packet: Packet, target: Uint8Array, at: number, known?: DataView): number {
  if (packet.raw === RAW_FRAME) return writePayload(packet, target, at)
  if (known !== undefined) {
    lastTarget = target
    lastView = known
  }
  const view = viewOn(target)
  const { macDst, macSrc } = packet
  const dstLow = macDst >>> 0
  const srcLow = macSrc >>> 0
  view.setUint16(at, (macDst - dstLow) / 0x1_0000_0000)
  view.setUint32(at + 2, dstLow)
  view.setUint16(at + 6, (macSrc - srcLow) / 0x1_0000_0000)
  view.setUint32(at + 8, srcLow)
  at += 12
  if (packet.vlanTci >= 0) {
    view.setUint32(at, ETH_P_8021Q * 65536 + packet.vlanTci)
    at += 4
  }
  view.setUint16(at, packet.etherType)
  at += 2
  if (packet.raw === RAW_ETHERNET_PAYLOAD) at = writePayload(packet, target, at)
  else if (packet.etherType === ETH_P_IP || packet.etherType === ETH_P_IPV6) at = writeIp(packet, target, at)
  else if (packet.etherType === ETH_P_ARP) at = writeArp(packet, view, at)
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
  if (packet.src6 !== undefined) return writeIpv6Packet(packet, target, at)
  const view = viewOn(target)
  const options = packet.ipOptions
  const headerLength = options === undefined ? IP_HLEN : IP_HLEN + options.length
  const transport = transportLength(packet)
  const total = headerLength + transport + packet.length
  const { src, dst, ipId, fragment } = packet
  const addresses = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff)
  const first = ((0x40 | (headerLength >>> 2)) << 8) | packet.tos
  const life = (packet.ttl << 8) | packet.protocol
  let sum = first + total + ipId + fragment + life + addresses
  view.setUint32(at, (first << 16) | total)
  view.setUint32(at + 4, (ipId << 16) | fragment)
  view.setUint32(at + 12, src)
  view.setUint32(at + 16, dst)
  if (options !== undefined) {
    target.set(options, at + IP_HLEN)
    sum = sumWords(options, 0, options.length, sum)
  }
  view.setUint32(at + 8, (life << 16) | (~foldSum(sum) & 0xffff))
  at += headerLength
  if (transport === UDP_HLEN && packet.length <= SHORT && packet.protocol === IPPROTO_UDP) {
    const payload = copyAndSum(packet, view, at + UDP_HLEN)
    writeUdpHeader(packet, view, at, addresses, payload)
    return at + UDP_HLEN + packet.length
  }
  const end = writePayload(packet, target, at + transport)
  if (transport === 0) return end
  if (packet.protocol === IPPROTO_UDP) writeUdp(packet, view, at, addresses)
  else if (packet.protocol === IPPROTO_ICMP) writeIcmp(packet, view, at, 0)
  else writeTcp(packet, target, view, at, addresses)
  return end
}

function writeIpv6Packet(packet: Packet, target: Uint8Array, at: number): number {
  const view = viewOn(target)
  const chain = packet.ipOptions
  const src = packet.src6!
  const dst = packet.dst6!
  const chainLength = chain === undefined ? 0 : chain.length
  const transport = transportLength(packet)
  const next = chain === undefined ? packet.protocol : packet.ipId
  view.setUint32(at, (0x60000000 | (packet.tos << 20) | packet.flowLabel) >>> 0)
  view.setUint32(at + 4, ((chainLength + transport + packet.length) * 65536 + ((next << 8) | packet.ttl)) >>> 0)
  writeAddress(view, at + 8, src)
  writeAddress(view, at + 24, dst)
  at += IPV6_HLEN
  if (chain !== undefined) target.set(chain, at)
  at += chainLength
  const end = writePayload(packet, target, at + transport)
  if (transport === 0) return end
  const addresses = addressSum(src) + addressSum(dst)
  if (packet.protocol === IPPROTO_UDP) writeUdp(packet, view, at, addresses)
  else if (packet.protocol === IPPROTO_ICMPV6)
    writeIcmp(packet, view, at, addresses + IPPROTO_ICMPV6 + ICMP_HLEN + packet.length)
  else writeTcp(packet, target, view, at, addresses)
  return end
}

function writeAddress(view: DataView, at: number, address: Ipv6Address): void {
  view.setUint32(at, address.w0)
  view.setUint32(at + 4, address.w1)
  view.setUint32(at + 8, address.w2)
  view.setUint32(at + 12, address.w3)
}

function writeArp(packet: Packet, view: DataView, at: number): number {
  const { arpSha, arpTha } = packet
  const shaLow = arpSha >>> 0
  const thaLow = arpTha >>> 0
  view.setUint32(at, 0x00010800) // Ethernet, IPv4,
  view.setUint32(at + 4, 0x06040000 | packet.arpOp) // and the lengths of their addresses.
  view.setUint16(at + 8, (arpSha - shaLow) / 0x1_0000_0000)
  view.setUint32(at + 10, shaLow)
  view.setUint32(at + 14, packet.arpSpa)
  view.setUint16(at + 18, (arpTha - thaLow) / 0x1_0000_0000)
  view.setUint32(at + 20, thaLow)
  view.setUint32(at + 24, packet.arpTpa)
  return at + ARP_LENGTH
}

/** Adds the words of what was just written. It is read from there, where the view is at hand. */
function sumWritten(view: DataView, at: number, length: number, sum: number): number {
  const end = at + length
  sum = sumView(view, at, length & ~3, sum)
  at += length & ~3
  if (at + 1 < end) {
    sum += view.getUint16(at)
    at += 2
  }
  return at < end ? sum + view.getUint8(at) * 256 : sum
}

function writeUdp(packet: Packet, view: DataView, at: number, addresses: number): void {
  const payload = packet.checksum < 0 ? sumWritten(view, at + UDP_HLEN, packet.length, 0) : 0
  writeUdpHeader(packet, view, at, addresses, payload)
}

/** @param payload the payload's sum, if the checksum is to be computed */
function writeUdpHeader(packet: Packet, view: DataView, at: number, addresses: number, payload: number): void {
  const length = UDP_HLEN + packet.length
  let { checksum } = packet
  if (checksum < 0) {
    const header = addresses + IPPROTO_UDP + 2 * length + packet.srcPort + packet.dstPort
    checksum = ~foldSum(header + payload) & 0xffff
    if (checksum === 0) checksum = 0xffff // 0 means not computed. RFC 768.
  }
  view.setUint32(at, (packet.srcPort << 16) | packet.dstPort)
  view.setUint32(at + 4, (length << 16) | checksum)
}

/** Up to here a payload is copied and summed in one go. */
const SHORT = 256

// Senders send from the same buffer over and over.
let lastSource: Uint8Array = lastTarget
let lastSourceView = lastView

/** Copies the payload by words, and adds them up as `sumWritten` does. */
function copyAndSum(packet: Packet, view: DataView, at: number): number {
  const { buffer, offset, length } = packet
  if (buffer !== lastSource) {
    lastSourceView = new DataView(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength)
    lastSource = buffer
  }
  const source = lastSourceView
  const end = offset + length
  let from = offset
  let sum = 0
  while (from + 3 < end) {
    const word = source.getUint32(from)
    view.setUint32(at, word)
    sum += word
    from += 4
    at += 4
  }
  if (from + 1 < end) {
    const word = source.getUint16(from)
    view.setUint16(at, word)
    sum += word
    from += 2
    at += 2
  }
  if (from < end) {
    const byte = source.getUint8(from)
    view.setUint8(at, byte)
    sum += byte * 256
  }
  return sum
}

function writeIcmp(packet: Packet, view: DataView, at: number, pseudo: number): void {
  const first = (packet.icmpType << 8) | packet.icmpCode
  const rest = packet.icmpRest
  let { checksum } = packet
  if (checksum < 0) {
    const header = pseudo + first + (rest >>> 16) + (rest & 0xffff)
    checksum = ~foldSum(sumWritten(view, at + ICMP_HLEN, packet.length, header)) & 0xffff
  }
  view.setUint32(at, (first << 16) | checksum)
  view.setUint32(at + 4, rest)
}

function writeTcp(packet: Packet, target: Uint8Array, view: DataView, at: number, addresses: number): void {
  const options = packet.tcpOptions
  const headerLength = tcpHeaderLength(packet)
  view.setUint32(at, (packet.srcPort << 16) | packet.dstPort)
  view.setUint32(at + 4, packet.seq)
  view.setUint32(at + 8, packet.ack)
  view.setUint32(at + 12, ((((headerLength >>> 2) << 12) | packet.tcpFlags) << 16) | packet.window)
  view.setUint32(at + 16, packet.urgent)
  let end = at + TCP_HLEN
  if (packet.tcpTimestamps) {
    view.setUint32(end, TIMESTAMPS_HEAD)
    view.setUint32(end + 4, packet.tsVal)
    view.setUint32(end + 8, packet.tsEcr)
    end += TIMESTAMPS_LENGTH
  }
  if (options !== undefined) target.set(options, end)
  let { checksum } = packet
  if (checksum < 0) {
    const length = headerLength + packet.length
    checksum = ~foldSum(sumWritten(view, at, length, addresses + IPPROTO_TCP + length)) & 0xffff
  }
  view.setUint16(at + 16, checksum)
}

/** From here on a view for `set` costs less than a loop. */
const LONG = 64

function writePayload(packet: Packet, target: Uint8Array, at: number): number {
  const { buffer, offset, length } = packet
  if (length === buffer.length) target.set(buffer, at)
  else if (length < LONG) for (let i = 0; i < length; i++) target[at + i] = buffer[offset + i]!
  else target.set(buffer.subarray(offset, offset + length), at)
  return at + length
}

/**
 * What a packet's tuple is, and what the opposite of one is.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_core.c: nf_ct_get_tuple(), nf_ct_invert_tuple(); nf_conntrack_proto_icmp.c.
 */
import {
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  RAW_IP_PAYLOAD,
  RAW_NONE,
  readIpv6,
} from '#wire/inet'
import { addressKey, type InetAddr, kindOf } from './conn.ts'

export const IPPROTO_GRE = 47
export const IPPROTO_ICMPV6 = 58
export const IPPROTO_DCCP = 33
export const IPPROTO_SCTP = 132
export const IPPROTO_UDPLITE = 136

/** A tuple that was just read; one for all, since a packet is looked at once. */
export class Flow {
  src: InetAddr = 0
  dst: InetAddr = 0
  srcPort = 0
  dstPort = 0
  protocol = 0
  srcKey = 0
  dstKey = 0
  ports = 0
  kind = 0

  /** Makes the keys of the fields. */
  rekey(zone: number): void {
    const { src } = this
    this.srcKey = typeof src === 'number' ? src | 0 : src.id
    this.dstKey = addressKey(this.dst)
    this.ports = (this.srcPort << 16) | this.dstPort
    this.kind = kindOf(this.protocol, typeof src !== 'number', zone)
  }
}

/** The type that answers an ICMP type; undefined if none does. invmap[]. */
export function invertIcmpType(type: number): number | undefined {
  return INVERSE[type]
}

const INVERSE: Record<number, number> = { 8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 }
const INVERSE6: Record<number, number> = { 128: 129, 129: 128, 139: 140, 140: 139 }

/** Whether connections of a protocol are told apart by ports. */
export function hasPorts(protocol: number): boolean {
  return (
    protocol === IPPROTO_TCP ||
    protocol === IPPROTO_UDP ||
    protocol === IPPROTO_UDPLITE ||
    protocol === IPPROTO_SCTP ||
    protocol === IPPROTO_DCCP
  )
}

/** Reads a packet's tuple; false if it has none. */
export function readTuple(packet: Packet, flow: Flow, zone: number): boolean {
  const { protocol } = packet
  flow.protocol = protocol
  if (packet.src6 !== undefined) {
    flow.src = packet.src6
    flow.dst = packet.dst6!
  } else {
    flow.src = packet.src
    flow.dst = packet.dst
  }
  if (packet.raw === RAW_NONE) {
    if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
      flow.srcPort = packet.srcPort
      flow.dstPort = packet.dstPort
    } else if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
      flow.srcPort = packet.icmpRest >>> 16
      flow.dstPort = (packet.icmpType << 8) | packet.icmpCode
    } else {
      const ports = hasPorts(protocol)
      if (ports && packet.length < 4) return false
      flow.srcPort = ports ? read16(packet.buffer, packet.offset) : 0
      flow.dstPort = ports ? read16(packet.buffer, packet.offset + 2) : 0
    }
  } else if (packet.raw === RAW_IP_PAYLOAD) {
    if (!readBytes(packet.buffer, packet.offset, packet.length, protocol, flow)) return false
  } else return false
  flow.rekey(zone)
  return true
}

/** Reads what stands for ports from a transport header. */
function readBytes(bytes: Uint8Array, at: number, length: number, protocol: number, flow: Flow): boolean {
  flow.srcPort = 0
  flow.dstPort = 0
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
    if (length < 8) return false
    flow.srcPort = read16(bytes, at + 4)
    flow.dstPort = read16(bytes, at)
  } else if (hasPorts(protocol)) {
    if (length < 4) return false
    flow.srcPort = read16(bytes, at)
    flow.dstPort = read16(bytes, at + 2)
  }
  return true
}

/** Reads the tuple of an IPv4 packet that an ICMP error quotes. nf_ct_get_tuplepr(). */
export function readInner(bytes: Uint8Array, at: number, length: number, flow: Flow, zone: number): boolean {
  if (length < 20) return false
  const headerLength = (bytes[at]! & 15) * 4
  if (read16(bytes, at + 6) & IP_OFFSET || headerLength > length) return false
  flow.protocol = bytes[at + 9]!
  flow.src = read32(bytes, at + 12)
  flow.dst = read32(bytes, at + 16)
  if (!readBytes(bytes, at + headerLength, length - headerLength, flow.protocol, flow)) return false
  flow.rekey(zone)
  return true
}

/** Turns a tuple round; false if nothing answers it. */
export function invert(flow: Flow, zone: number): boolean {
  const { src, srcPort, protocol } = flow
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
    const type = (protocol === IPPROTO_ICMP ? INVERSE : INVERSE6)[flow.dstPort >>> 8]
    if (type === undefined) return false
    flow.dstPort = (type << 8) | (flow.dstPort & 255)
  } else {
    flow.srcPort = flow.dstPort
    flow.dstPort = srcPort
  }
  flow.src = flow.dst
  flow.dst = src
  flow.rekey(zone)
  return true
}

/** Extension headers that may stand before the transport, with their lengths in the usual way. */
const EXTENSIONS = new Set([0, 43, 60])
const FRAGMENT = 44

/** Where the transport header of an IPv6 packet begins, and which it is; undefined if there is none to be read. ipv6_skip_exthdr(). */
export function skipExtensions(
  bytes: Uint8Array,
  at: number,
  length: number,
): { protocol: number; at: number } | undefined {
  if (length < 40) return undefined
  const end = at + length
  let protocol = bytes[at + 6]!
  at += 40
  for (;;) {
    if (protocol === FRAGMENT) {
      if (at + 8 > end || read16(bytes, at + 2) & 0xfff8) return undefined
      protocol = bytes[at]!
      at += 8
    } else if (EXTENSIONS.has(protocol)) {
      if (at + 2 > end) return undefined
      protocol = bytes[at]!
      at += (bytes[at + 1]! + 1) * 8
    } else return at > end ? undefined : { protocol, at }
  }
}

/** Reads the tuple of an IPv6 packet that an ICMPv6 error quotes. */
export function readInner6(bytes: Uint8Array, at: number, length: number, flow: Flow, zone: number): boolean {
  const found = skipExtensions(bytes, at, length)
  if (found === undefined) return false
  flow.protocol = found.protocol
  flow.src = readIpv6(bytes, at + 8)
  flow.dst = readIpv6(bytes, at + 24)
  if (!readBytes(bytes, found.at, at + length - found.at, flow.protocol, flow)) return false
  flow.rekey(zone)
  return true
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/**
 * A packet in flight, flat: one class of one shape, changed in place, its payload a piece of a buffer. Its exact bytes
 * can be had at any moment (`emitFrame`) and are made only when somebody looks: a capture, a raw socket, a match.
 *
 * What doesn't fit the fields (another EtherType, a broken header) carries its bytes in `raw` from the layer on where the
 * fields end, and is never guessed at.
 *
 * Addresses: a MAC is a number of 48 bits, an IPv4 address an unsigned number of 32 bits.
 */

/** What `raw` holds. 0: nothing, all layers are in fields. */
export const RAW_NONE = 0
/** Everything behind the Ethernet (and VLAN) header. */
export const RAW_ETHERNET_PAYLOAD = 2
/** Everything behind the IPv4 header and its options, or behind IPv6's and its extension headers. */
export const RAW_IP_PAYLOAD = 3
/** The whole frame, shorter than an Ethernet header. */
export const RAW_FRAME = 1

import type { Ipv6Address } from './ipv6-address.ts'

export { ETH_P_8021Q, ETH_P_ALL, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, MAC_BROADCAST } from '#wire/link'

export const IPPROTO_ICMP = 1
export const IPPROTO_IGMP = 2
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_ICMPV6 = 58

/** IPv4's flags, as they stand in the flags-and-offset word. RFC 791 section 3.1. */
export const IP_RF = 0x8000
export const IP_DF = 0x4000
export const IP_MF = 0x2000
export const IP_OFFSET = 0x1fff

const NO_BYTES = new Uint8Array(0)

export class Packet {
  // Ethernet. RFC 894, IEEE 802.1Q.
  macDst = 0
  macSrc = 0
  /** The EtherType behind the VLAN tag, if there is one; below 1536 it is an IEEE 802.3 length. */
  etherType = 0
  /** The tag's 16 bits (PCP, DEI, VID), or -1. */
  vlanTci = -1

  // ARP, if etherType is ETH_P_ARP and raw is RAW_NONE. RFC 826.
  arpOp = 0
  arpSha = 0
  arpSpa = 0
  arpTha = 0
  arpTpa = 0

  // IPv4, if etherType is ETH_P_IP and raw isn't RAW_ETHERNET_PAYLOAD. RFC 791.
  tos = 0
  ipId = 0
  /** The flags-and-offset word: IP_DF, IP_MF, and the offset in units of 8 bytes. */
  fragment = 0
  ttl = 0
  protocol = 0
  src = 0
  dst = 0
  /** The options, padded to a multiple of 4; undefined if there are none. */
  ipOptions: Uint8Array | undefined = undefined

  // IPv6, if etherType is ETH_P_IPV6 and raw isn't RAW_ETHERNET_PAYLOAD; tos is the traffic class, ttl the hop limit,
  // protocol the last next header, ipOptions the extension headers between, and then ipId is the first next header (see
  // ipv6.ts). `fragment` has a fragment header's offset and more-flag where IPv4 has them. RFC 8200.
  src6: Ipv6Address | undefined = undefined
  dst6: Ipv6Address | undefined = undefined
  flowLabel = 0

  // Transport, if it is in fields (not a fragment, known protocol, long enough): if raw is RAW_NONE.
  // ICMP: type, code, and the second word of its header. RFC 792. UDP and TCP: the ports. RFC 768, RFC 9293.
  icmpType = 0
  icmpCode = 0
  /** Echo: identifier * 65536 + sequence. Redirect: the gateway. Fragmentation needed: the MTU. Unsigned. */
  icmpRest = 0
  srcPort = 0
  dstPort = 0
  seq = 0
  ack = 0
  /** The low 12 bits of the offset-and-flags word, without the offset. */
  tcpFlags = 0
  window = 0
  urgent = 0
  tcpOptions: Uint8Array | undefined = undefined
  /** TCP options that begin with NOP, NOP, timestamps, as nearly every segment's do, have these in fields; the rest is `tcpOptions`. */
  tcpTimestamps = false
  tsVal = 0
  tsEcr = 0
  /**
   * The transport's checksum: -1 for the one that `emitFrame` computes, else the word on the wire, which is wrong, or 0
   * for a UDP checksum that wasn't computed. (Whether a receiver would take it: `checksumGood`.)
   */
  checksum = -1

  // The payload behind the last header that is in fields.
  buffer: Uint8Array = NO_BYTES
  offset = 0
  length = 0
  /** Bytes behind the IP packet's end: Ethernet padding as it came. 0: none (short frames are not padded by the model). */
  trailer: Uint8Array | undefined = undefined

  raw = RAW_NONE

  // What a kernel knows of it; not on the wire. Linux 6.1 include/linux/skbuff.h: struct sk_buff.
  /** PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2, PACKET_OTHERHOST 3, PACKET_OUTGOING 4. */
  packetType = 0
  /** The ifindex that it came in by; 0 if made here. */
  iif = 0
  mark = 0
  priority = 0
  /** Numbers the frames that reached a switch, while somebody watches; the copies of a flood share one. 0: not yet. */
  frame = 0
  /** Set while it is more than one segment (skb_shinfo->gso_size): the length of each one's payload. */
  gsoSize = 0
  /** The connection that it belongs to, and how (nf_conn, ip_conntrack_info); dropped by `clone`. */
  ct: unknown = undefined
  ctInfo = 0
  /** The socket that sent it (skb->sk), for owner matches and early demultiplexing; dropped by `clone`. */
  socket: unknown = undefined
  /** Rooms hang what else they need on it here (bridge ports, IPVS property); dropped by `clone`. */
  extra: unknown = undefined
  /** The route that the kernel gave it (skb_dst): what loops back by lo keeps it. Dropped by `clone`. */
  route: unknown = undefined

  /** A copy that shares the payload's buffer (payloads are never written in place). */
  clone(): Packet {
    const p = new Packet()
    p.macDst = this.macDst
    p.macSrc = this.macSrc
    p.etherType = this.etherType
    p.vlanTci = this.vlanTci
    p.arpOp = this.arpOp
    p.arpSha = this.arpSha
    p.arpSpa = this.arpSpa
    p.arpTha = this.arpTha
    p.arpTpa = this.arpTpa
    p.tos = this.tos
    p.ipId = this.ipId
    p.fragment = this.fragment
    p.ttl = this.ttl
    p.protocol = this.protocol
    p.src = this.src
    p.dst = this.dst
    p.ipOptions = this.ipOptions
    p.icmpType = this.icmpType
    p.icmpCode = this.icmpCode
    p.icmpRest = this.icmpRest
    p.srcPort = this.srcPort
    p.dstPort = this.dstPort
    p.seq = this.seq
    p.ack = this.ack
    p.tcpFlags = this.tcpFlags
    p.window = this.window
    p.urgent = this.urgent
    p.tcpOptions = this.tcpOptions
    p.tcpTimestamps = this.tcpTimestamps
    p.tsVal = this.tsVal
    p.tsEcr = this.tsEcr
    p.gsoSize = this.gsoSize
    p.src6 = this.src6
    p.dst6 = this.dst6
    p.flowLabel = this.flowLabel
    p.checksum = this.checksum
    p.buffer = this.buffer
    p.offset = this.offset
    p.length = this.length
    p.trailer = this.trailer
    p.raw = this.raw
    p.packetType = this.packetType
    p.iif = this.iif
    p.mark = this.mark
    p.priority = this.priority
    p.frame = this.frame
    return p
  }
}

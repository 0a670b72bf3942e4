/**
 * Packets of several segments, cut where a device can't send them whole: what netfilter sees once is several frames on the
 * wire. Linux 6.1 net/core/dev.c: validate_xmit_skb(); net/ipv4/tcp_offload.c: tcp_gso_segment(); af_inet.c: inet_gso_segment().
 */
import { ipLength, type Packet, TCP_CWR, TCP_FIN, TCP_PSH } from '#wire/inet'

/** The length on the wire of the largest segment, from the IP header on. skb_gso_network_seglen(). */
export function gsoNetworkLength(packet: Packet): number {
  return ipLength(packet) - packet.length + packet.gsoSize
}

/** How many segments it is. */
export function gsoSegmentCount(packet: Packet): number {
  return packet.gsoSize === 0 ? 1 : (((packet.length - 1) / packet.gsoSize) | 0) + 1
}

/** Cuts the first segment off a packet of several; what is left stays in the packet, whose last segment it is in the end. */
export function cutSegment(packet: Packet): Packet {
  const size = packet.gsoSize
  const segment = packet.clone()
  segment.ct = packet.ct
  segment.ctInfo = packet.ctInfo
  segment.socket = packet.socket
  segment.route = packet.route
  segment.extra = packet.extra
  segment.gsoSize = 0
  segment.length = size
  // FIN and PSH are the last one's, CWR the first one's.
  segment.tcpFlags &= ~(TCP_FIN | TCP_PSH)
  packet.tcpFlags &= ~TCP_CWR
  packet.offset += size
  packet.length -= size
  packet.seq = (packet.seq + size) >>> 0
  packet.ipId = (packet.ipId + 1) & 0xffff
  if (packet.length <= size) packet.gsoSize = 0
  return segment
}

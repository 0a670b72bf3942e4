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
  return packet.gsoSize === 0 ? 1 : Math.ceil(packet.length / packet.gsoSize)
}

/** Hands the segments on, one after the other; the packet itself becomes the first. */
export function forEachSegment(packet: Packet, send: (segment: Packet) => void): void {
  const { gsoSize: size, length, tcpFlags: flags, ct, ctInfo, socket, route, extra } = packet
  packet.gsoSize = 0
  if (length <= size) {
    send(packet)
    return
  }
  // FIN and PSH are the last one's, CWR the first one's.
  const middle = flags & ~(TCP_FIN | TCP_PSH)
  const segments: Packet[] = [packet]
  let number = 0
  for (let at = size; at < length; at += size) {
    const segment = packet.clone()
    segment.ct = ct
    segment.ctInfo = ctInfo
    segment.socket = socket
    segment.route = route
    segment.extra = extra
    segment.offset = packet.offset + at
    segment.length = Math.min(size, length - at)
    segment.seq = (packet.seq + at) >>> 0
    segment.ipId = (packet.ipId + ++number) & 0xffff
    segment.tcpFlags = (at + size < length ? middle : flags) & ~TCP_CWR
    segments.push(segment)
  }
  packet.length = size
  packet.tcpFlags = middle
  for (const segment of segments) send(segment)
}

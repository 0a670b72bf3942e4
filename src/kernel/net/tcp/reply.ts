/** Answers that no socket sends: resets, and acknowledgements for TIME-WAIT and requests. Linux 6.1 net/ipv4/tcp_ipv4.c: tcp_v4_send_reset(), tcp_v4_send_ack(). RFC 9293 section 3.5.2. */
import type { Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import type { AddressFamily } from './address-family.ts'
import { ACK, FIN, RST, SYN } from './constants.ts'
import type { TcpHost } from './host.ts'
import type { TcpSock } from './sock.ts'
import type { TimeWait } from './timewait.ts'

/** A reset for a segment that belongs to no connection, or to one that can't take it. */
export function replyReset(
  tcp: TcpHost,
  af: AddressFamily,
  packet: Packet,
  device: NetDevice,
  socket?: TcpSock | TimeWait,
): void {
  const flags = packet.tcpFlags
  if (flags & RST) return
  const segment = af.newPacket(af.destination(packet), af.source(packet))
  segment.srcPort = packet.dstPort
  segment.dstPort = packet.srcPort
  if (flags & ACK) {
    segment.seq = packet.ack
    segment.tcpFlags = RST
  } else {
    const length = packet.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
    segment.ack = (packet.seq + length) >>> 0
    segment.tcpFlags = RST | ACK
  }
  const sent = af.reply(tcp, {
    to: packet,
    device,
    segment,
    tos: packet.tos & ~3,
    mark: socket?.mark ?? 0,
    boundDevice: socket?.boundDevice ?? 0,
    reset: socket === undefined,
  })
  if (!sent) return
  tcp.counters.OutSegs++
  tcp.counters.OutRsts++
}

/** What an acknowledgement without a socket says. */
export interface AckReply {
  seq: number
  ack: number
  window: number
  timestamps: boolean
  tsVal: number
  tsEcr: number
  tos: number
  mark: number
  boundDevice: number
}

/** An acknowledgement for a connection that isn't a socket any more, or not yet. */
export function replyAck(tcp: TcpHost, af: AddressFamily, packet: Packet, device: NetDevice, says: AckReply): void {
  const segment = af.newPacket(af.destination(packet), af.source(packet))
  segment.srcPort = packet.dstPort
  segment.dstPort = packet.srcPort
  segment.seq = says.seq >>> 0
  segment.ack = says.ack >>> 0
  segment.tcpFlags = ACK
  segment.window = says.window
  if (says.timestamps) {
    segment.tcpTimestamps = true
    segment.tsVal = says.tsVal >>> 0
    segment.tsEcr = says.tsEcr >>> 0
  }
  const { tos, mark, boundDevice } = says
  if (af.reply(tcp, { to: packet, device, segment, tos, mark, boundDevice, reset: false })) tcp.counters.OutSegs++
}

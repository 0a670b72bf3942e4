/** Explicit congestion notification: tcp_ecn is 2, so it is agreed to when asked for. RFC 3168. Linux 6.1 net/ipv4/tcp_output.c: tcp_ecn_send(). */
import type { Packet } from '#wire/inet'
import { CWR, ECE, F_ECE, SYN } from './constants.ts'
import type { Segment } from './segment.ts'
import { before } from './sequence.ts'
import type { TcpSock } from './sock.ts'

const ECT_0 = 2
const CE = 3

/** Marks a segment that goes out. */
export function tryEcnSend(socket: TcpSock, packet: Packet, segment: Segment | undefined): void {
  if (segment !== undefined && segment.length !== 0 && !before(segment.seq, socket.sndNxt)) {
    socket.tos |= ECT_0
    if (socket.ecnQueueCwr) {
      socket.ecnQueueCwr = false
      packet.tcpFlags |= CWR
    }
  } else socket.tos &= ~3 // A retransmission isn't marked, nor a pure acknowledgement.
  if (socket.ecnDemandCwr) packet.tcpFlags |= ECE
}

/** A segment came in: was it marked on its way? tcp_ecn_check_ce(). */
export function ecnReceived(socket: TcpSock, packet: Packet, quickAck: () => void): void {
  if (!socket.ecnOk) return
  const codepoint = packet.tos & 3
  if (codepoint === CE) {
    if (!socket.ecnDemandCwr) {
      quickAck()
      socket.ecnDemandCwr = true
    }
    socket.ecnSeen = true
  } else if (codepoint === 0) {
    if (socket.ecnSeen) quickAck()
  } else socket.ecnSeen = true
}

/** The peer has slowed down. tcp_ecn_accept_cwr(). */
export function ecnAcceptCwr(socket: TcpSock, packet: Packet): void {
  if (packet.tcpFlags & CWR) socket.ecnDemandCwr = false
}

/** tcp_ecn_rcv_ecn_echo(). */
export function ecnEcho(socket: TcpSock, packet: Packet): number {
  return socket.ecnOk && packet.tcpFlags & ECE && !(packet.tcpFlags & SYN) ? F_ECE : 0
}

/** Challenge acknowledgements, within limits. RFC 5961. Linux 6.1 net/ipv4/tcp_input.c: tcp_send_challenge_ack(). */

import type { TcpHost } from './host.ts'
import { sendAck } from './output.ts'
import { rateLimited } from './paws.ts'
import type { TcpSock } from './sock.ts'

/** The host's limit a second: by default there is none. tcp_challenge_ack_allowed(). */
function allowed(tcp: TcpHost): boolean {
  const limit = tcp.sysctls.challengeAckLimit
  if (limit === 2147483647) return true
  const second = Math.floor(tcp.jiffies / 250)
  if (second !== tcp.challengeStamp) {
    const half = (limit + 1) >> 1
    tcp.challengeStamp = second
    tcp.challengeCount = half + tcp.host.sim.random(`${tcp.host.name}/tcp challenge`).below(Math.max(limit, 1))
  }
  if (tcp.challengeCount <= 0) return false
  tcp.challengeCount--
  return true
}

/** Asks whoever sent that to prove that it is the peer. */
export function sendChallengeAck(socket: TcpSock): void {
  if (rateLimited(socket, 'TCPACKSkippedChallenge', socket.tcp)) return
  if (!allowed(socket.tcp)) return
  socket.tcp.counters.TCPChallengeACK++
  sendAck(socket)
}

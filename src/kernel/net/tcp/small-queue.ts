/**
 * TCP small queues: a connection keeps no more than a millisecond's worth in the queues of its own host, so that a slow
 * link's queueing discipline neither fills nor drops, and what is sent goes in large stretches.
 * Linux 6.1 net/ipv4/tcp_output.c: tcp_small_queue_check(), tcp_tsq_write().
 */
import { states, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_LAST_ACK } from './constants.ts'
import { currentMss } from './mss.ts'
import { writeXmit } from './output.ts'
import { retransmitQueue } from './retransmit.ts'
import type { TcpSock } from './sock.ts'

const MAY_SEND = states(TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_CLOSING, TCP_CLOSE_WAIT, TCP_LAST_ACK)

/** What waited for the queue goes on. */
export function sendThrottled(socket: TcpSock): void {
  socket.tasklet = false
  if (!(MAY_SEND & (1 << socket.state))) return
  if (socket.lostOut > socket.retransOut && socket.sndCwnd > socket.packetsInFlight) {
    socket.refresh()
    retransmitQueue(socket)
  }
  writeXmit(socket, currentMss(socket), socket.nonagle, 0)
}

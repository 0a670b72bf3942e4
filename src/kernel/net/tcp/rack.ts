/** Loss detection by time: RFC 8985. Linux 6.1 net/ipv4/tcp_recovery.c. */
import {
  CA_RECOVERY,
  LOST,
  RETRANS,
  SACKED_ACKED,
  SACKED_RETRANS,
  TIMEOUT_MIN_US,
  TIMER_REO,
  TIMER_RETRANS,
} from './constants.ts'
import { fragment } from './output.ts'
import { type RateSample, sentAfter } from './rate.ts'
import { cwndReduction, enterRecovery } from './recovery.ts'
import { retransmitQueue } from './retransmit.ts'
import { usecsToJiffies } from './rtt.ts'
import type { Segment } from './segment.ts'
import { before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { rearmRto, resetXmitTimer } from './timers.ts'

const RACK_NO_DUPTHRESH = 4
const RACK_STATIC_REO_WND = 2
/** Rounds for which a wider window stays: TCP_RACK_RECOVERY_THRESH. */
export const RACK_RECOVERY_THRESH = 16

/** tcp_mark_skb_lost(). */
export function markLost(socket: TcpSock, segment: Segment): void {
  const { sacked } = segment
  if (sacked & SACKED_ACKED) return
  const hint = socket.retransmitHint
  if ((!hint && socket.retransOut >= socket.lostOut) || (hint && before(segment.seq, hint.seq))) {
    socket.retransmitHint = segment
  }
  if (sacked & LOST) {
    if (sacked & SACKED_RETRANS) {
      segment.sacked &= ~SACKED_RETRANS
      socket.retransOut -= segment.segments
      socket.tcp.counters.TCPLostRetransmit += segment.segments
      socket.lost += segment.segments
    }
  } else {
    socket.lostOut += segment.segments
    segment.sacked |= LOST
    socket.lost += segment.segments
  }
}

/** How much later than its successors a segment may come before it counts as lost. */
function reorderingWindow(socket: TcpSock): number {
  if (socket.reordSeen === 0) {
    if (socket.caState >= CA_RECOVERY) return 0
    if (socket.sackedOut >= socket.reordering && !(socket.sysctls.recovery & RACK_NO_DUPTHRESH)) return 0
  }
  return Math.min((socket.rtt0.v >> 2) * socket.rackReoWndSteps, socket.srttUs >> 3)
}

/** How long a segment may still take, in microseconds. tcp_rack_skb_timeout(). */
export function rackTimeout(socket: TcpSock, segment: Segment, window: number): number {
  return socket.rackRttUs + window - (socket.mstampUs - segment.sentUs)
}

/** Marks what is lost; returns after what time to look again, or 0. */
function detectLoss(socket: TcpSock): number {
  const window = reorderingWindow(socket)
  let timeout = 0
  let next: Segment | undefined
  for (let segment = socket.sentOrder.first; segment !== undefined; segment = next) {
    next = segment.laterSent
    if (segment.sacked & LOST && !(segment.sacked & SACKED_RETRANS)) continue
    if (!sentAfter(socket.rackUs, segment.sentUs, socket.rackEndSeq, segment.endSeq)) break
    const remaining = rackTimeout(socket, segment, window)
    if (remaining <= 0) {
      markLost(socket, segment)
      socket.sentOrder.remove(segment)
    } else timeout = Math.max(timeout, remaining)
  }
  return timeout
}

/** Whether the timer was set to look again. tcp_rack_mark_lost(). */
export function rackMarkLost(socket: TcpSock): boolean {
  if (!socket.rackAdvanced) return false
  socket.rackAdvanced = false
  const timeout = detectLoss(socket)
  if (timeout !== 0) resetXmitTimer(socket, TIMER_REO, usecsToJiffies(timeout + TIMEOUT_MIN_US), socket.rto)
  return timeout !== 0
}

/** A segment sent at `sentUs` has arrived. */
export function rackAdvance(socket: TcpSock, sacked: number, endSeq: number, sentUs: number): void {
  const rtt = socket.mstampUs - sentUs
  // It may be the original that arrived, not what was sent again.
  if (rtt < socket.rtt0.v && sacked & RETRANS) return
  socket.rackAdvanced = true
  socket.rackRttUs = rtt
  if (sentAfter(sentUs, socket.rackUs, endSeq, socket.rackEndSeq)) {
    socket.rackUs = sentUs
    socket.rackEndSeq = endSeq
  }
}

/** tcp_rack_reo_timeout(). */
export function reorderingTimeout(socket: TcpSock): void {
  const { lost, packetsInFlight } = socket
  detectLoss(socket)
  if (packetsInFlight !== socket.packetsInFlight) {
    if (socket.caState !== CA_RECOVERY) {
      enterRecovery(socket, false)
      cwndReduction(socket, 1, socket.lost - lost, 0)
    }
    retransmitQueue(socket)
  }
  if (socket.pending !== TIMER_RETRANS) rearmRto(socket)
}

/** DSACKs show that the window was too narrow. */
export function updateReorderingWindow(socket: TcpSock, rate: RateSample): void {
  if (socket.sysctls.recovery & RACK_STATIC_REO_WND || rate.priorDelivered === 0) return
  if (rate.priorDelivered < socket.rackLastDelivered) socket.rackDsackSeen = false
  if (socket.rackDsackSeen) {
    socket.rackReoWndSteps = Math.min(255, socket.rackReoWndSteps + 1)
    socket.rackDsackSeen = false
    socket.rackLastDelivered = socket.delivered
    socket.rackReoWndPersist = RACK_RECOVERY_THRESH
  } else if (socket.rackReoWndPersist === 0) socket.rackReoWndSteps = 1
}

/** Without SACK: three duplicates, or a partial acknowledgement in recovery. RFC 6582. tcp_newreno_mark_lost(). */
export function newRenoMarkLost(socket: TcpSock, advanced: boolean): void {
  const { caState } = socket
  const head = socket.sent.head
  if (!head) return
  if ((caState < CA_RECOVERY && socket.sackedOut >= socket.reordering) || (caState === CA_RECOVERY && advanced)) {
    if (head.sacked & LOST) return
    if (head.segments > 1 && head.length > head.gsoSize) fragment(socket, head, head.gsoSize, head.gsoSize, true)
    markLost(socket, head)
  }
}

/** How fast data are delivered, which `ss -i` tells. Linux 6.1 net/ipv4/tcp_rate.c. */

import { congestionEvent } from './congestion.ts'
import { RETRANS, SACKED_ACKED } from './constants.ts'
import type { Segment } from './segment.ts'
import { after } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** What one acknowledgement shows. struct rate_sample; one serves all. */
export class RateSample {
  priorMstamp = 0
  priorDelivered = 0
  lastEndSeq = 0
  intervalUs = 0
  rttUs = -1
  losses = 0
  isRetrans = false
  isAppLimited = false
  isAckDelayed = false
  priorInFlight = 0

  reset(): void {
    this.priorMstamp = 0
    this.priorDelivered = 0
    this.lastEndSeq = 0
    this.intervalUs = 0
    this.rttUs = -1
    this.losses = 0
    this.isRetrans = false
    this.isAppLimited = false
    this.isAckDelayed = false
  }
}

/** A segment with data goes out. tcp_event_data_sent(). */
export function dataSent(socket: TcpSock): void {
  if (socket.packetsInFlight === 0) congestionEvent(socket)
  const now = socket.jiffies
  socket.lsndtime = now
  if (now - socket.lrcvtime < socket.ackAto && socket.ackPingpong < 255) socket.ackPingpong = 3
}

/** tcp_rate_skb_sent(). */
export function rateSent(socket: TcpSock, segment: Segment): void {
  if (socket.packetsOut === 0) {
    socket.firstTxUs = segment.sentUs
    socket.deliveredUs = segment.sentUs
  }
  segment.firstSentUs = socket.firstTxUs
  segment.deliveredUs = socket.deliveredUs
  segment.delivered = socket.delivered
  segment.appLimited = socket.appLimitedUntil !== 0
}

/** Whether one was sent after the other; equal times by their numbers. tcp_skb_sent_after(). */
export function sentAfter(us1: number, us2: number, end1: number, end2: number): boolean {
  return us1 > us2 || (us1 === us2 && after(end1, end2))
}

/** tcp_rate_skb_delivered(). */
export function rateDelivered(socket: TcpSock, segment: Segment, rate: RateSample): void {
  if (segment.deliveredUs < 0) return
  const sent = segment.sentUs
  if (rate.priorDelivered === 0 || sentAfter(sent, socket.firstTxUs, segment.endSeq, rate.lastEndSeq)) {
    rate.priorDelivered = segment.delivered
    rate.priorMstamp = segment.deliveredUs
    rate.isAppLimited = segment.appLimited
    rate.isRetrans = (segment.sacked & RETRANS) !== 0
    rate.lastEndSeq = segment.endSeq
    socket.firstTxUs = sent
    rate.intervalUs = sent - segment.firstSentUs
  }
  if (segment.sacked & SACKED_ACKED) segment.deliveredUs = -1
}

/** tcp_rate_gen(). */
export function rateGenerate(socket: TcpSock, delivered: number, lost: number, reneg: boolean, rate: RateSample): void {
  if (socket.appLimitedUntil !== 0 && socket.delivered > socket.appLimitedUntil) socket.appLimitedUntil = 0
  if (delivered !== 0) socket.deliveredUs = socket.mstampUs
  rate.losses = lost
  if (rate.priorMstamp === 0 || reneg) return
  const count = socket.delivered - rate.priorDelivered
  const interval = Math.max(rate.intervalUs, socket.mstampUs - rate.priorMstamp)
  if (interval < socket.rtt0.v) return
  if (!rate.isAppLimited || count * socket.rateIntervalUs >= socket.rateDelivered * interval) {
    socket.rateDelivered = count
    socket.rateIntervalUs = interval
    socket.rateAppLimited = rate.isAppLimited
  }
}

/** Whether the program sends less than the network would take. tcp_rate_check_app_limited(). */
export function checkAppLimited(socket: TcpSock): void {
  if (
    ((socket.writeSeq - socket.sndNxt) | 0) < socket.mssCache &&
    socket.packetsInFlight < socket.sndCwnd &&
    socket.lostOut <= socket.retransOut
  ) {
    socket.appLimitedUntil = socket.delivered + socket.packetsInFlight || 1
  }
}

/**
 * What an acknowledgement does: the window, the retransmission queue, the congestion window.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_ack(), tcp_clean_rtx_queue().
 */
import type { Packet } from '#wire/inet'
import { sendChallengeAck } from './challenge.ts'
import {
  CA_OPEN,
  F_ACK_MAYBE_DELAYED,
  F_ACKED,
  F_CA_ALERT,
  F_DATA,
  F_DATA_ACKED,
  F_DSACKING_ACK,
  F_ECE,
  F_FORWARD_PROGRESS,
  F_NO_CHALLENGE_ACK,
  F_NOT_DUP,
  F_ORIG_SACK_ACKED,
  F_RETRANS_DATA_ACKED,
  F_SACK_RENEGING,
  F_SET_XMIT_TIMER,
  F_SLOWPATH,
  F_SND_UNA_ADVANCED,
  F_SYN_ACKED,
  F_UPDATE_TS_RECENT,
  F_WIN_UPDATE,
  LOST,
  NAGLE_OFF,
  RETRANS,
  RTO_MAX,
  SACKED_ACKED,
  SACKED_RETRANS,
  SYN,
  TCP_SYN_SENT,
  TIMER_NONE,
  TIMER_PROBE0,
} from './constants.ts'
import { slowStartAfterIdle } from './cwnd.ts'
import { ecnAcceptCwr, ecnEcho } from './ecn.ts'
import { currentMss, syncMss } from './mss.ts'
import { sackBlocks } from './options.ts'
import { pushPending } from './output.ts'
import { pawsCheck, seconds } from './paws.ts'
import { rackAdvance, updateReorderingWindow } from './rack.ts'
import { RateSample, rateDelivered, rateGenerate } from './rate.ts'
import { alert, cwndReduction, fastRetransAlert, inCwndReduction, REXMIT_NEW, REXMIT_NONE } from './recovery.ts'
import { removeRenoSacks } from './reno-sack.ts'
import { retransmitQueue, trimHead, unlinkSent } from './retransmit.ts'
import { updatePacingRate, updateRtt } from './rtt.ts'
import { checkSackReordering, highestSackSeq, tags, tagWriteQueue } from './sack.ts'
import type { Segment } from './segment.ts'
import { after, before, between } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { processTlpAck, scheduleLossProbe } from './tail-loss.ts'
import { probe0When, rearmRto, resetXmitTimer } from './timers.ts'
import { echoBefore } from './undo.ts'
import { fastPathCheck } from './window.ts'

const rate = new RateSample()

/** The peer's timestamp is the newest. tcp_store_ts_recent(). */
export function storeTsRecent(socket: TcpSock): void {
  socket.tsRecent = socket.rcvTsval
  socket.tsRecentStamp = seconds(socket.host)
}

/** tcp_replace_ts_recent(). */
export function replaceTsRecent(socket: TcpSock, seq: number): void {
  if (socket.sawTstamp && !after(seq, socket.rcvWup) && pawsCheck(socket, 0, socket.host)) storeTsRecent(socket)
}

/** tcp_snd_una_update(). */
function advanceUna(socket: TcpSock, ack: number): void {
  socket.bytesAcked += (ack - socket.sndUna) | 0
  if (between(socket.sendUrgent, socket.sndUna, ack)) socket.sendUrgent = ack
  socket.sndUna = ack
}

/** tcp_ack_update_window(). */
function updateWindow(socket: TcpSock, packet: Packet, ack: number, seq: number): number {
  let flag = 0
  const window = packet.tcpFlags & SYN ? packet.window : packet.window << socket.sndWscale
  if (after(ack, socket.sndUna) || after(seq, socket.sndWl1) || (seq === socket.sndWl1 && window > socket.sndWnd)) {
    flag = F_WIN_UPDATE
    socket.sndWl1 = seq
    if (socket.sndWnd !== window) {
      socket.sndWnd = window
      socket.fastPath = false
      fastPathCheck(socket)
      if (socket.unsent.head !== undefined) slowStartAfterIdle(socket)
      if (window > socket.maxWindow) {
        socket.maxWindow = window
        syncMss(socket, socket.pmtuCookie)
      }
    }
  }
  advanceUna(socket, ack)
  return flag
}

/** The window opened, or not yet: the probe's timer. tcp_ack_probe(). */
function ackProbe(socket: TcpSock): void {
  const head = socket.unsent.head
  if (!head) return
  if (!after(head.endSeq, socket.wndEnd)) {
    socket.backoff = 0
    socket.probesTstamp = 0
    if (socket.pending === TIMER_PROBE0) socket.pending = TIMER_NONE
  } else resetXmitTimer(socket, TIMER_PROBE0, probe0When(socket), RTO_MAX)
}

/** Takes acknowledged segments out of the retransmission queue; returns flags. */
function cleanQueue(socket: TcpSock, priorFack: number, priorUna: number): number {
  const priorSacked = socket.sackedOut
  let reord = socket.sndNxt
  let fullyAcked = true
  let firstUs = -1
  let lastUs = -1
  let acked = 0
  let flag = 0
  const una = socket.sndUna
  let segment: Segment | undefined = socket.sent.head
  while (segment !== undefined) {
    const { sacked, seq } = segment
    let count: number
    if (after(segment.endSeq, una)) {
      if (segment.segments === 1 || !after(una, seq)) break
      count = trimHead(socket, segment, (una - seq) | 0)
      if (count === 0) break
      fullyAcked = false
    } else count = segment.segments
    if (sacked & RETRANS) {
      if (sacked & SACKED_RETRANS) socket.retransOut -= count
      flag |= F_RETRANS_DATA_ACKED
    } else if (!(sacked & SACKED_ACKED)) {
      lastUs = segment.sentUs
      if (firstUs < 0) firstUs = lastUs
      if (before(seq, reord)) reord = seq
      if (!after(segment.endSeq, socket.highSeq)) flag |= F_ORIG_SACK_ACKED
    }
    if (sacked & SACKED_ACKED) socket.sackedOut -= count
    else if (socket.sackOk) {
      socket.delivered += count
      const spurious = sacked & RETRANS && echoBefore(socket, Math.floor(segment.sentUs / 1000) | 0)
      if (!spurious) rackAdvance(socket, sacked, segment.endSeq, segment.sentUs)
    }
    if (sacked & LOST) socket.lostOut -= count
    socket.packetsOut -= count
    acked += count
    rateDelivered(socket, segment, rate)
    if (segment.flags & SYN && seq === segment.seq) {
      flag |= F_SYN_ACKED
      socket.retransStamp = 0
    } else flag |= F_DATA_ACKED
    if (!fullyAcked) break
    const next: Segment | undefined = segment.next
    if (segment === socket.retransmitHint) socket.retransmitHint = undefined
    if (segment === socket.lostHint) socket.lostHint = undefined
    if (segment === socket.highestSack) socket.highestSack = next
    unlinkSent(socket, segment)
    segment = next
  }
  if (segment !== undefined && segment.sacked & SACKED_ACKED) flag |= F_SACK_RENEGING
  let seqUs = -1
  let sackUs = -1
  let congestionUs = -1
  const now = socket.mstampUs
  if (firstUs >= 0 && !(flag & F_RETRANS_DATA_ACKED)) {
    seqUs = now - firstUs
    congestionUs = now - lastUs
    if (
      acked === 1 &&
      fullyAcked &&
      priorSacked === 0 &&
      ((una - priorUna) | 0) < socket.mssCache &&
      rate.priorDelivered + 1 === socket.delivered &&
      !(flag & (F_CA_ALERT | F_SYN_ACKED))
    ) {
      flag |= F_ACK_MAYBE_DELAYED
    }
  }
  if (tags.firstUs !== 0) {
    sackUs = now - tags.firstUs
    congestionUs = now - tags.lastUs
  }
  const measured = updateRtt(socket, flag, seqUs, sackUs, congestionUs, rate)
  if (flag & F_ACKED) {
    flag |= F_SET_XMIT_TIMER
    if (!socket.sackOk) {
      removeRenoSacks(socket, acked)
      if (flag & F_RETRANS_DATA_ACKED) flag &= ~F_ORIG_SACK_ACKED
    } else {
      if (before(reord, priorFack)) checkSackReordering(socket, reord, false)
      socket.lostCntHint -= Math.min(socket.lostCntHint, priorSacked - socket.sackedOut)
    }
  } else if (segment !== undefined && measured && sackUs >= 0 && sackUs > now - segment.sentUs) {
    flag |= F_SET_XMIT_TIMER
  }
  socket.congestion.acked?.(socket, rate.rttUs)
  return flag
}

/** tcp_cong_control(). */
function control(socket: TcpSock, delivered: number, lost: number, flag: number): void {
  if (inCwndReduction(socket)) cwndReduction(socket, delivered, lost, flag)
  else {
    // Where much overtakes, any delivery counts; else only what comes in order.
    const raises = socket.reordering > socket.sysctls.reordering ? flag & F_FORWARD_PROGRESS : flag & F_DATA_ACKED
    if (raises) {
      socket.congestion.avoid(socket, delivered)
      socket.sndCwndStamp = socket.jiffies
    }
  }
  updatePacingRate(socket)
}

/** tcp_xmit_recovery(). */
function transmitRecovery(socket: TcpSock, rexmit: number): void {
  if (rexmit === REXMIT_NONE || socket.state === TCP_SYN_SENT) return
  if (rexmit === REXMIT_NEW) {
    pushPending(socket, currentMss(socket), NAGLE_OFF)
    if (after(socket.sndNxt, socket.highSeq)) return
    socket.frto = false
  }
  retransmitQueue(socket)
}

function deliveredSince(socket: TcpSock, before: number, flag: number): number {
  const delivered = socket.delivered - before
  socket.tcp.counters.TCPDelivered += delivered
  if (flag & F_ECE) socket.tcp.counters.TCPDeliveredCE += delivered
  return delivered
}

/** An acknowledgement was taken; it was old; it is for what was never sent, or too old to be believed. */
export type AckResult = 1 | 0 | -1

/** Takes a segment's acknowledgement. `seq`, `endSeq`: what the segment takes; its options have been read. */
export function receiveAck(socket: TcpSock, packet: Packet, seq: number, endSeq: number, flags: number): AckResult {
  const ack = packet.ack | 0
  const priorUna = socket.sndUna
  const { counters } = socket.tcp
  let flag = flags
  const reneg = socket.isSackReneg
  const priorPackets = socket.packetsOut
  const priorDelivered = socket.delivered
  const priorLost = socket.lost
  rate.reset()
  tags.firstUs = 0
  tags.delivered = 0
  alert.rexmit = REXMIT_NONE
  if (before(ack, priorUna)) {
    const most = Math.min(socket.maxWindow, socket.bytesAcked)
    if (before(ack, (priorUna - most) | 0)) {
      if (!(flag & F_NO_CHALLENGE_ACK)) sendChallengeAck(socket)
      return -1
    }
    if (flag & F_UPDATE_TS_RECENT) replaceTsRecent(socket, seq)
    if (sackBlocks.count !== 0 && socket.sackOk) {
      flag |= tagWriteQueue(socket, packet, ack, priorUna, rate)
      alert.flag = flag
      fastRetransAlert(socket, priorUna, 0)
      deliveredSince(socket, priorDelivered, alert.flag)
      transmitRecovery(socket, alert.rexmit)
    }
    return 0
  }
  if (after(ack, socket.sndNxt)) return -1
  if (after(ack, priorUna)) {
    flag |= F_SND_UNA_ADVANCED
    socket.retransmits = 0
  }
  const priorFack = socket.sackOk ? highestSackSeq(socket) : socket.sndUna
  if (flag & F_UPDATE_TS_RECENT) replaceTsRecent(socket, seq)
  if ((flag & (F_SLOWPATH | F_SND_UNA_ADVANCED)) === F_SND_UNA_ADVANCED) {
    socket.sndWl1 = seq
    advanceUna(socket, ack)
    flag |= F_WIN_UPDATE
    counters.TCPHPAcks++
  } else {
    if (seq !== endSeq) flag |= F_DATA
    else counters.TCPPureAcks++
    flag |= updateWindow(socket, packet, ack, seq)
    if (sackBlocks.count !== 0 && socket.sackOk) flag |= tagWriteQueue(socket, packet, ack, priorUna, rate)
    flag |= ecnEcho(socket, packet)
    if (tags.delivered !== 0) socket.delivered += tags.delivered
  }
  ecnAcceptCwr(socket, packet)
  socket.softError = undefined
  socket.probesOut = 0
  socket.rcvTstamp = socket.jiffies
  if (priorPackets === 0) {
    if (flag & F_DSACKING_ACK) {
      alert.flag = flag
      fastRetransAlert(socket, priorUna, 0)
      deliveredSince(socket, priorDelivered, alert.flag)
    }
    ackProbe(socket)
    if (socket.tlpPending) processTlpAck(socket, ack, flag)
    return 1
  }
  flag |= cleanQueue(socket, priorFack, priorUna)
  updateReorderingWindow(socket, rate)
  if (socket.tlpPending) processTlpAck(socket, ack, flag)
  if (!(flag & F_NOT_DUP) || flag & F_CA_ALERT || socket.caState !== CA_OPEN) {
    const duplicates = flag & (F_SND_UNA_ADVANCED | F_NOT_DUP | F_DSACKING_ACK) ? 0 : 1
    alert.flag = flag
    fastRetransAlert(socket, priorUna, duplicates)
    flag = alert.flag
  }
  const { rexmit } = alert
  if (flag & F_SET_XMIT_TIMER && !scheduleLossProbe(socket, true)) rearmRto(socket)
  if (flag & F_FORWARD_PROGRESS || !(flag & F_NOT_DUP)) socket.confirmPending = true
  const delivered = deliveredSince(socket, priorDelivered, flag)
  const lost = socket.lost - priorLost
  rateGenerate(socket, delivered, lost, reneg, rate)
  control(socket, delivered, lost, flag)
  transmitRecovery(socket, rexmit)
  return 1
}

/**
 * Segments on their way out: what may be sent now, with which header, and in pieces of what size.
 * Linux 6.1 net/ipv4/tcp_output.c: tcp_write_xmit(), __tcp_transmit_skb().
 */
import type { Errno } from '#kernel/core'
import {
  ACK,
  ACK_SCHED,
  ATO_MIN,
  CA_RECOVERY,
  FIN,
  GSO_MAX_SEGS,
  GSO_MAX_SIZE,
  NAGLE_CORK,
  NAGLE_OFF,
  NAGLE_PUSH,
  PSH,
  RST,
  RTO_MAX,
  RTO_MIN,
  SYN,
  TCP_CLOSE,
  TIMER_LOSS_PROBE,
  TIMER_NONE,
  TIMER_PROBE0,
  TX_SKB,
} from './constants.ts'
import { cwndValidate } from './cwnd.ts'
import { tryEcnSend } from './ecn.ts'
import { checkSpace } from './input.ts'
import { currentMss } from './mss.ts'
import { emitSack, emitSynOptions, sackRoom } from './options.ts'
import { dataSent, rateSent } from './rate.ts'
import { enterCwr, inCwndReduction } from './recovery.ts'
import { flatten, Segment } from './segment.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { scheduleLossProbe } from './tail-loss.ts'
import { rearmRto, resetXmitTimer } from './timers.ts'
import { markUrgent, urgentMode } from './urgent.ts'
import { selectWindow } from './window.ts'

/** How many segments on the wire a stretch is. tcp_set_skb_tso_segs(). */
export function setSegments(segment: Segment, mss: number): void {
  if (segment.length <= mss) {
    segment.segments = 1
    segment.gsoSize = 0
  } else {
    segment.segments = (((segment.length - 1) / mss) | 0) + 1
    segment.gsoSize = mss
  }
}

/** tcp_init_tso_segs(). */
function initSegments(segment: Segment, mss: number): number {
  if (segment.segments === 0 || (segment.segments > 1 && segment.gsoSize !== mss)) setSegments(segment, mss)
  return segment.segments
}

/** Sends a segment of the queues, as it is. undefined: sent. */
export function transmitSegment(socket: TcpSock, segment: Segment): Errno | undefined {
  // What is several segments on the wire ends with PSH there, but isn't marked itself.
  const flags = segment.segments > 1 && !(segment.flags & SYN) ? segment.flags | PSH : segment.flags
  const wstamp = socket.wstampNs
  socket.wstampNs = Math.max(wstamp, socket.clockNs)
  segment.sentUs = socket.mstampUs
  const failed = send(socket, segment.seq, segment.endSeq, flags, segment)
  if (failed === undefined) {
    socket.sentOrder.moveToEnd(segment)
    rateSent(socket, segment)
  }
  return failed
}

/** Sends a segment without data that is in no queue: an acknowledgement, a probe, a reset. */
export function transmitControl(socket: TcpSock, seq: number, flags: number): Errno | undefined {
  socket.wstampNs = Math.max(socket.wstampNs, socket.clockNs)
  return send(socket, seq, seq, flags, undefined)
}

function send(
  socket: TcpSock,
  seq: number,
  endSeq: number,
  flags: number,
  segment: Segment | undefined,
): Errno | undefined {
  const packet = socket.af.newPacket(socket.local, socket.remote)
  packet.srcPort = socket.localPort
  packet.dstPort = socket.remotePort
  packet.seq = seq >>> 0
  packet.ack = flags & ACK ? socket.rcvNxt >>> 0 : 0
  packet.tcpFlags = flags
  const { counters } = socket.tcp
  if (flags & SYN) {
    const { timestamps, windowScaling, sack } = socket.sysctls
    packet.tcpOptions = emitSynOptions({
      mss: advertiseMss(socket),
      wscale: windowScaling !== 0 && (!(flags & ACK) || socket.wscaleOk) ? socket.rcvWscale : -1,
      sack: sack !== 0 && (!(flags & ACK) || socket.sackOk),
      timestamps: timestamps !== 0 && (!(flags & ACK) || socket.tstampOk),
      tsVal: (socket.timeStamp + socket.tsOffset) | 0,
      tsEcr: socket.tsRecent,
    })
    packet.window = Math.min(socket.rcvWnd, 65535)
  } else {
    if (socket.tstampOk) {
      packet.tcpTimestamps = true
      packet.tsVal = (socket.timeStamp + socket.tsOffset) >>> 0
      packet.tsEcr = socket.tsRecent >>> 0
    }
    if (socket.sacks.length !== 0 || socket.dsack) packet.tcpOptions = sackOption(socket)
    packet.window = selectWindow(socket)
    if (socket.ecnOk) tryEcnSend(socket, packet, segment)
    if (urgentMode(socket)) markUrgent(socket, packet)
  }
  let count = 1
  let length = 0
  if (segment !== undefined) {
    count = segment.segments || 1
    length = segment.length
    flatten(segment)
    packet.buffer = segment.buffer
    packet.offset = segment.offset
    packet.length = length
    if (count > 1) packet.gsoSize = segment.gsoSize
  }
  if (flags & ACK) ackSent(socket)
  if (length !== 0) {
    dataSent(socket)
    socket.dataSegsOut += count
    socket.bytesSent += length
  }
  if (after(endSeq, socket.sndNxt) || seq === endSeq) counters.OutSegs += count
  socket.segsOut += count
  if (socket.confirmPending) {
    socket.confirmPending = false
    const path = socket.af.path(socket)
    if (path) socket.af.confirm(path, socket.remote)
  }
  const failed = socket.af.transmit(socket, packet)
  // A queue of this host that drops says as much as the network that marks.
  if (failed === 'ENOBUFS') enterCwr(socket)
  return failed
}

function sackOption(socket: TcpSock): Uint8Array | undefined {
  const edges = socket.dsack ? [socket.dsackStart, socket.dsackEnd, ...socket.sacks] : socket.sacks
  const count = Math.min(edges.length >> 1, sackRoom(socket.tstampOk))
  socket.dsack = false
  return emitSack(edges, count)
}

/** tcp_advertise_mss(). */
export function advertiseMss(socket: TcpSock): number {
  if (socket.path) {
    const metric = socket.af.advmss(socket.path)
    if (metric < socket.advmss) socket.advmss = metric
  }
  return socket.advmss
}

/** An acknowledgement went out with whatever it was. tcp_event_ack_sent(). */
function ackSent(socket: TcpSock): void {
  if (socket.compressedAck !== 0) {
    socket.tcp.counters.TCPAckCompressed += socket.compressedAck
    socket.compressedAck = 0
    socket.compressedNs = Number.POSITIVE_INFINITY
  }
  if (socket.ackQuick !== 0 && socket.ackPending & ACK_SCHED) {
    socket.ackQuick--
    if (socket.ackQuick === 0) socket.ackAto = ATO_MIN // Leaving quickack mode deflates it.
  }
  socket.ackPending = 0
  socket.ackRetry = 0
  socket.delackAt = -1
}

/** A number that the peer will take: within its window. tcp_acceptable_seq(). */
export function acceptableSeq(socket: TcpSock): number {
  if (!before(socket.wndEnd, socket.sndNxt)) return socket.sndNxt
  if (socket.wscaleOk && ((socket.sndNxt - socket.wndEnd) | 0) < 1 << socket.rcvWscale) return socket.sndNxt
  return socket.wndEnd
}

/** An acknowledgement, now. */
export function sendAck(socket: TcpSock): void {
  if (socket.state === TCP_CLOSE) return
  transmitControl(socket, acceptableSeq(socket), ACK)
}

/** A reset of a connection that ends here. tcp_send_active_reset(). */
export function sendActiveReset(socket: TcpSock): void {
  socket.tcp.counters.OutRsts++
  socket.refresh()
  transmitControl(socket, acceptableSeq(socket), ACK | RST)
}

// What may be sent.

/** tcp_cwnd_test(): how many segments. */
function cwndQuota(socket: TcpSock, segment: Segment): number {
  if (segment.flags & FIN && segment.segments === 1) return 1
  const inFlight = socket.packetsInFlight
  if (inFlight >= socket.sndCwnd) return 0
  return Math.min(Math.max(socket.sndCwnd >> 1, 1), socket.sndCwnd - inFlight)
}

/** Whether at least one segment of it lies in the peer's window. tcp_snd_wnd_test(). */
export function inSendWindow(socket: TcpSock, segment: Segment, mss: number): boolean {
  const end = segment.length > mss ? (segment.seq + mss) | 0 : segment.endSeq
  return !after(end, socket.wndEnd)
}

/** Whether Nagle's algorithm holds a partial segment back. tcp_nagle_check(). */
function nagleHolds(partial: boolean, socket: TcpSock, nonagle: number): boolean {
  if (!partial) return false
  if (nonagle & NAGLE_CORK) return true
  if (nonagle !== 0 || socket.packetsOut === 0) return false
  return after(socket.sndSml, socket.sndUna) && !after(socket.sndSml, socket.sndNxt)
}

/** How many segments one stretch may have: what a millisecond of the connection's rate carries. tcp_tso_segs(). */
export function gsoSegments(socket: TcpSock, mss: number): number {
  const { minTsoSegs, tsoRttLog } = socket.sysctls
  let bytes = Math.floor(socket.pacingRate / 1024)
  const shift = tsoRttLog < 32 ? socket.rtt0.v >>> tsoRttLog : 0
  if (shift < 32) bytes += GSO_MAX_SIZE >> shift
  bytes = Math.min(bytes, GSO_MAX_SIZE)
  return Math.min(Math.max(Math.floor(bytes / mss), minTsoSegs), GSO_MAX_SEGS)
}

/** tcp_mss_split_point(). */
function splitPoint(socket: TcpSock, segment: Segment, mss: number, maxSegments: number, nonagle: number): number {
  const window = (socket.wndEnd - segment.seq) | 0
  const most = mss * maxSegments
  if (most <= window && segment !== socket.unsent.tail) return most
  const needed = Math.min(segment.length, window)
  if (most <= needed) return most
  const partial = needed % mss
  return nagleHolds(partial !== 0, socket, nonagle) ? needed - partial : needed
}

/** Whether enough of it waits in this host's queues: sending goes on when some has left. tcp_small_queue_check(). */
export function queueIsFull(socket: TcpSock, segment: Segment, factor: number): boolean {
  if (socket.inQueue === 0) return false
  const rate = Math.max(2 * segment.truesize, Math.floor(socket.pacingRate / 1024))
  if (socket.inQueue < Math.min(rate, socket.sysctls.limitOutputBytes) << factor) return false
  // With nothing else on the way it is sent in any case.
  if (socket.sent.head === socket.sent.tail) return false
  socket.throttled = true
  return true
}

const limited = { cwnd: false, window: false }

/** Whether it is better to wait until more fits into one stretch. tcp_tso_should_defer(). */
function shouldDefer(socket: TcpSock, segment: Segment, maxSegments: number): boolean {
  if (socket.caState >= CA_RECOVERY) return false
  if (socket.clockNs - socket.wstampNs - 1_000_000 > 0) return false
  const inFlight = socket.packetsInFlight
  const sendWindow = (socket.wndEnd - segment.seq) | 0
  const congestionWindow = (socket.sndCwnd - inFlight) * socket.mssCache
  const limit = Math.min(sendWindow, congestionWindow)
  if (limit >= maxSegments * socket.mssCache) return false
  if (segment !== socket.unsent.tail && limit >= segment.length) return false
  const divisor = socket.sysctls.tsoWinDivisor
  if (divisor !== 0) {
    const chunk = Math.floor(Math.min(socket.sndWnd, socket.sndCwnd * socket.mssCache) / divisor)
    if (limit >= chunk) return false
  } else if (limit > 3 * socket.mssCache) return false
  const head = socket.sent.head
  if (!head) return false
  const srttNs = (1000 / 8) * socket.srttUs
  const far = (head.sentUs + socket.srttUs / 8) * 1000 - socket.clockNs
  if (far - Math.min(srttNs / 2, 1_000_000) > 0) return false
  if (congestionWindow < sendWindow) {
    if (congestionWindow <= segment.length) {
      limited.cwnd = true
      return true
    }
  } else if (sendWindow <= segment.length) {
    limited.window = true
    return true
  }
  return !(segment.flags & FIN || segment.eor)
}

/** The segment was sent for the first time. tcp_event_new_data_sent(). */
export function newDataSent(socket: TcpSock, segment: Segment): void {
  const prior = socket.packetsOut
  socket.sndNxt = segment.endSeq
  socket.unsent.remove(segment)
  socket.sent.push(segment)
  if (socket.highestSack === undefined) socket.highestSack = segment
  socket.packetsOut += segment.segments
  if (prior === 0 || socket.pending === TIMER_LOSS_PROBE) rearmRto(socket)
  socket.tcp.counters.TCPOrigDataSent += segment.segments
  if (socket.noSpace) checkSpace(socket)
}

/**
 * Sends what may be sent. `pushOne` 1: one stretch; 2: a probe, whatever the window of congestion says. True: there is
 * something to send, nothing on the way, and nothing could be sent.
 */
export function writeXmit(socket: TcpSock, mss: number, nonagle: number, pushOne: 0 | 1 | 2): boolean {
  socket.refresh()
  const maxSegments = gsoSegments(socket, mss)
  let sentPackets = 0
  limited.cwnd = false
  limited.window = false
  let windowLimited = false
  for (;;) {
    const segment = socket.unsent.head
    if (segment === undefined) break
    const count = initSegments(segment, mss)
    let quota = cwndQuota(socket, segment)
    if (quota === 0) {
      if (pushOne !== 2) break
      quota = 1
    }
    if (!inSendWindow(socket, segment, mss)) {
      windowLimited = true
      break
    }
    if (count === 1) {
      const own = segment === socket.unsent.tail ? nonagle : NAGLE_PUSH
      if (!(own & NAGLE_PUSH) && !(segment.flags & FIN) && !urgentMode(socket)) {
        if (nagleHolds(segment.length < mss, socket, own)) break
      }
    } else if (pushOne === 0 && shouldDefer(socket, segment, maxSegments)) break
    let limit = mss
    if (count > 1 && !urgentMode(socket)) {
      limit = splitPoint(socket, segment, mss, Math.min(quota, maxSegments), nonagle)
    }
    if (segment.length > limit) fragment(socket, segment, limit, mss, false)
    if (queueIsFull(socket, segment, 0)) break
    if (segment.endSeq === segment.seq) break
    if (transmitSegment(socket, segment) !== undefined) break
    newDataSent(socket, segment)
    if (segment.length < segment.segments * mss) socket.sndSml = segment.endSeq
    sentPackets += segment.segments
    if (pushOne !== 0) break
  }
  socket.rwndLimited = windowLimited || limited.window
  const isLimited = limited.cwnd || socket.packetsInFlight >= socket.sndCwnd
  if (sentPackets !== 0 || isLimited) cwndValidate(socket, isLimited)
  if (sentPackets !== 0) {
    if (inCwndReduction(socket)) socket.prrOut += sentPackets
    if (pushOne !== 2) scheduleLossProbe(socket, false)
    return false
  }
  return socket.packetsOut === 0 && socket.unsent.head !== undefined
}

/** Sends what is pending; if nothing can be, the peer's window is probed in time. */
export function pushPending(socket: TcpSock, mss: number, nonagle: number): void {
  if (socket.state === TCP_CLOSE) return
  if (writeXmit(socket, mss, nonagle, 0)) checkProbeTimer(socket)
}

/** tcp_push_pending_frames(). */
export function pushPendingFrames(socket: TcpSock): void {
  if (socket.unsent.head !== undefined) pushPending(socket, currentMss(socket), socket.nonagle)
}

/** tcp_push_one(). */
export function pushOne(socket: TcpSock, mss: number): void {
  writeXmit(socket, mss, NAGLE_PUSH, 1)
}

/** tcp_check_probe_timer(). */
export function checkProbeTimer(socket: TcpSock): void {
  if (socket.packetsOut === 0 && socket.pending === TIMER_NONE) {
    resetXmitTimer(socket, TIMER_PROBE0, Math.max(socket.rto, RTO_MIN), RTO_MAX)
  }
}

/** Cuts a segment in two; the second part follows the first in its queue. tcp_fragment(). */
export function fragment(socket: TcpSock, segment: Segment, length: number, mss: number, isSent: boolean): Segment {
  flatten(segment)
  const rest = new Segment((segment.seq + length) | 0, segment.endSeq, segment.flags)
  segment.endSeq = rest.seq
  segment.flags &= ~(FIN | PSH)
  rest.sacked = segment.sacked
  rest.eor = segment.eor
  segment.eor = false
  rest.buffer = segment.buffer
  rest.offset = segment.offset + length
  rest.length = segment.length - length
  rest.room = segment.room
  segment.length = length
  segment.room = 0
  rest.truesize = TX_SKB + rest.length
  segment.truesize = Math.max(segment.truesize - rest.length, 0)
  socket.wmemQueued += TX_SKB
  rest.sentUs = segment.sentUs
  rest.delivered = segment.delivered
  rest.deliveredUs = segment.deliveredUs
  rest.firstSentUs = segment.firstSentUs
  rest.appLimited = segment.appLimited
  rest.inFlight = segment.inFlight
  const before = segment.segments
  setSegments(segment, mss)
  setSegments(rest, mss)
  if (isSent) {
    adjustCounts(socket, segment, before - segment.segments - rest.segments)
    socket.sent.insertAfter(segment, rest)
    socket.sentOrder.insertAfter(segment, rest)
  } else socket.unsent.insertAfter(segment, rest)
  return rest
}

/** So many segments fewer than were counted. tcp_adjust_pcount(). */
export function adjustCounts(socket: TcpSock, segment: Segment, fewer: number): void {
  if (fewer === 0) return
  socket.packetsOut -= fewer
  if (segment.sacked & 1) socket.sackedOut -= fewer
  if (segment.sacked & 2) socket.retransOut -= fewer
  if (segment.sacked & 4) socket.lostOut -= fewer
  if (!socket.sackOk && fewer > 0) socket.sackedOut -= Math.min(socket.sackedOut, fewer)
}

/** Queues a SYN or a FIN, or anything without data; it takes a number. */
export function queueControl(socket: TcpSock, flags: number): Segment {
  const segment = new Segment(socket.writeSeq, (socket.writeSeq + 1) | 0, flags)
  segment.segments = 1
  segment.truesize = TX_SKB
  socket.writeSeq = segment.endSeq
  socket.wmemQueued += segment.truesize
  return segment
}

/** The end of the stream. tcp_send_fin(). */
export function sendFin(socket: TcpSock): void {
  const tail = socket.unsent.tail
  if (tail) {
    tail.flags |= FIN
    tail.endSeq = (tail.endSeq + 1) | 0
    socket.writeSeq = (socket.writeSeq + 1) | 0
  } else socket.unsent.push(queueControl(socket, ACK | FIN))
  pushPending(socket, currentMss(socket), NAGLE_OFF)
}

/** Sending again. Linux 6.1 net/ipv4/tcp_output.c: tcp_retransmit_skb(), tcp_xmit_retransmit_queue(). */
import {
  CA_LOSS,
  CWR,
  ECE,
  EVER_RETRANS,
  LOST,
  RETRANS,
  RTO_MAX,
  SACKED_ACKED,
  SACKED_RETRANS,
  SYN,
  TIMER_REO,
  TIMER_RETRANS,
} from './constants.ts'
import { currentMss } from './mss.ts'
import { adjustCounts, fragment, gsoSegments, queueIsFull, setSegments, transmitSegment } from './output.ts'
import { inCwndReduction } from './recovery.ts'
import { flatten, type Segment } from './segment.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { resetXmitTimer } from './timers.ts'

/** Takes what was acknowledged off a segment's head. tcp_trim_head(). Returns how many segments on the wire it lost. */
export function trimHead(socket: TcpSock, segment: Segment, length: number): number {
  const was = segment.segments
  flatten(segment)
  segment.offset += length
  segment.length -= length
  segment.seq = (segment.seq + length) | 0
  segment.truesize -= length
  socket.wmemQueued -= length
  if (segment.segments > 1) setSegments(segment, segment.gsoSize)
  return was - segment.segments
}

/** Joins the segment behind to one that has room for it, when both are to be sent again. tcp_retrans_try_collapse(). */
function tryCollapse(socket: TcpSock, segment: Segment, space: number): void {
  if (socket.sysctls.retransCollapse === 0 || segment.flags & SYN) return
  let first = true
  let room = space
  for (let next = segment.next; next !== undefined; next = segment.next) {
    if (next.segments > 1 || segment.segments > 1 || next.sacked & SACKED_ACKED || segment.eor) return
    room -= next.length
    if (first) {
      first = false
      room -= segment.length
    }
    if (room < 0 || after(next.endSeq, socket.wndEnd)) return
    const joined = new Uint8Array(segment.length + next.length)
    joined.set(segment.buffer.subarray(segment.offset, segment.offset + segment.length))
    joined.set(next.buffer.subarray(next.offset, next.offset + next.length), segment.length)
    segment.buffer = joined
    segment.offset = 0
    segment.length = joined.length
    segment.room = 0
    segment.endSeq = next.endSeq
    segment.flags |= next.flags
    segment.sacked |= next.sacked & EVER_RETRANS
    segment.eor = next.eor
    segment.truesize += next.length
    socket.wmemQueued += next.length
    // The joined one is one segment on the wire; the other's counts go.
    adjustCounts(socket, next, next.segments)
    if (socket.retransmitHint === next) socket.retransmitHint = segment
    if (socket.highestSack === next) socket.highestSack = next.next ?? undefined
    if (socket.lostHint === next) socket.lostHint = segment
    unlinkSent(socket, next)
  }
}

/** Takes a segment out of the retransmission queue for good. */
export function unlinkSent(socket: TcpSock, segment: Segment): void {
  socket.sentOrder.remove(segment)
  socket.sent.remove(segment)
  socket.wmemQueued -= segment.truesize
  if (socket.wmemQueued < 0) socket.wmemQueued = 0
}

/** __tcp_retransmit_skb(): false if it couldn't be sent, or needn't be now. */
export function retransmitRaw(socket: TcpSock, segment: Segment, count: number): boolean {
  if (before(segment.seq, socket.sndUna)) {
    if (segment.flags & SYN) {
      segment.flags &= ~SYN
      segment.seq = (segment.seq + 1) | 0
    }
    if (before(segment.seq, socket.sndUna)) trimHead(socket, segment, (socket.sndUna - segment.seq) | 0)
  }
  if (socket.af.path(socket) === undefined) return false
  const mss = currentMss(socket)
  let window = (socket.wndEnd - segment.seq) | 0
  if (window <= 0) {
    if (segment.seq !== socket.sndUna) return false
    window = mss
  }
  let length = mss * count
  if (length > window) length = window - (window % mss) || window
  if (segment.length > length) fragment(socket, segment, length, mss, true)
  else {
    const was = segment.segments
    setSegments(segment, mss)
    adjustCounts(socket, segment, was - segment.segments)
    const room = Math.min(window, mss)
    if (segment.length < room) tryCollapse(socket, segment, room)
  }
  // A SYN that asks for ECN and isn't answered is repeated without asking. RFC 3168 section 6.1.1.1.
  const asks = SYN | ECE | CWR
  if ((segment.flags & asks) === asks && socket.sysctls.ecnFallback !== 0) segment.flags &= ~(ECE | CWR)
  const { counters } = socket.tcp
  counters.RetransSegs += segment.segments
  if (segment.flags & SYN) counters.TCPSynRetrans++
  socket.totalRetrans += segment.segments
  socket.bytesRetrans += segment.length
  const failed = transmitSegment(socket, segment)
  segment.sacked |= EVER_RETRANS
  if (failed !== undefined) counters.TCPRetransFail += segment.segments
  return failed === undefined
}

/** tcp_retransmit_skb(). */
export function retransmit(socket: TcpSock, segment: Segment, count: number): boolean {
  const sent = retransmitRaw(socket, segment, count)
  if (sent) {
    segment.sacked |= RETRANS
    socket.retransOut += segment.segments
  }
  if (socket.retransStamp === 0) socket.retransStamp = Math.floor(segment.sentUs / 1000) | 0
  if (socket.undoRetrans < 0) socket.undoRetrans = 0
  socket.undoRetrans += segment.segments
  return sent
}

/** Sends again what is lost, as far as the window of congestion allows. */
export function retransmitQueue(socket: TcpSock): void {
  if (socket.packetsOut === 0) return
  const head = socket.sent.head
  const maxSegments = gsoSegments(socket, currentMss(socket))
  const counters = socket.tcp.counters
  let hole: Segment | undefined
  let rearm = false
  for (let segment = socket.retransmitHint ?? head; segment !== undefined; segment = segment.next) {
    if (hole === undefined) socket.retransmitHint = segment
    const room = socket.sndCwnd - socket.packetsInFlight
    if (room <= 0) break
    const { sacked } = segment
    if (socket.retransOut >= socket.lostOut) break
    if (!(sacked & LOST)) {
      if (hole === undefined && !(sacked & (SACKED_RETRANS | SACKED_ACKED))) hole = segment
      continue
    }
    if (sacked & (SACKED_ACKED | SACKED_RETRANS)) continue
    if (queueIsFull(socket, segment, 1)) break
    if (!retransmit(socket, segment, Math.min(room, maxSegments))) break
    if (socket.caState === CA_LOSS) counters.TCPSlowStartRetrans += segment.segments
    else counters.TCPFastRetrans += segment.segments
    if (inCwndReduction(socket)) socket.prrOut += segment.segments
    if (segment === head && socket.pending !== TIMER_REO) rearm = true
  }
  if (rearm) resetXmitTimer(socket, TIMER_RETRANS, socket.rto, RTO_MAX)
}

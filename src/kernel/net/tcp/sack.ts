/**
 * The sender's scoreboard: what the peer says it has, and what that means. RFC 2018, RFC 2883 (DSACK), RFC 6675.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_sacktag_write_queue(), tcp_sacktag_one(), tcp_check_dsack().
 */
import type { Packet } from '#wire/inet'
import {
  CA_LOSS,
  EVER_RETRANS,
  F_DATA_SACKED,
  F_DSACK_TLP,
  F_DSACKING_ACK,
  F_ORIG_SACK_ACKED,
  LOST,
  RETRANS,
  SACKED_ACKED,
  SACKED_RETRANS,
  TAGBITS,
} from './constants.ts'
import { read32, sackBlocks } from './options.ts'
import { fragment } from './output.ts'
import { rackAdvance } from './rack.ts'
import { type RateSample, rateDelivered } from './rate.ts'
import { unlinkSent } from './retransmit.ts'
import { appendPart, flatten, type Segment } from './segment.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** What one acknowledgement's blocks have shown. struct tcp_sacktag_state; one serves all. */
export const tags = { flag: 0, firstUs: 0, lastUs: 0, reord: 0, delivered: 0 }

/** Where what was sacked highest ends. tcp_highest_sack_seq(). */
export function highestSackSeq(socket: TcpSock): number {
  if (socket.sackedOut === 0) return socket.sndUna
  return socket.highestSack === undefined ? socket.sndNxt : socket.highestSack.seq
}

/** Something below what was sacked came later: how far do segments overtake one another? tcp_check_sack_reordering(). */
export function checkSackReordering(socket: TcpSock, lowSeq: number, byTimestamp: boolean): void {
  const highest = highestSackSeq(socket)
  if (!before(lowSeq, highest)) return
  const metric = (highest - lowSeq) | 0
  const mss = socket.mssCache
  if (metric > socket.reordering * mss && mss !== 0) {
    socket.reordering = Math.min(Math.ceil(metric / mss), socket.sysctls.maxReordering)
  }
  socket.reordSeen++
  if (byTimestamp) socket.tcp.counters.TCPTSReorder++
  else socket.tcp.counters.TCPSACKReorder++
}

/** tcp_is_sackblock_valid(). */
function isValid(socket: TcpSock, duplicate: boolean, start: number, end: number): boolean {
  if (after(end, socket.sndNxt) || !before(start, end)) return false
  if (!before(start, socket.sndNxt)) return false
  if (after(start, socket.sndUna)) return true
  if (!duplicate || socket.undoMarker === 0) return false
  if (after(end, socket.sndUna)) return false
  if (!before(start, socket.undoMarker)) return true
  if (!after(end, socket.undoMarker)) return false
  return !before(start, (end - socket.maxWindow) | 0)
}

/** tcp_dsack_seen(): how many segments were received twice. */
function dsackSeen(socket: TcpSock, start: number, end: number): number {
  if (!before(start, end)) return 0
  const length = (end - start) | 0
  let count = 1
  if (length > socket.maxWindow) return 0
  if (length > socket.mssCache) count = Math.ceil(length / socket.mssCache)
  else if (socket.tlpPending && socket.tlpHighSeq === end) tags.flag |= F_DSACK_TLP
  socket.dsackDups += count
  if (socket.dsackDups > socket.totalRetrans) return 0
  if (socket.reordSeen !== 0 && !(tags.flag & F_DSACK_TLP)) socket.rackDsackSeen = true
  tags.flag |= F_DSACKING_ACK
  tags.delivered += count
  return count
}

/** Whether the first block tells of something received twice. tcp_check_dsack(). */
function checkDsack(socket: TcpSock, bytes: Uint8Array, at: number, count: number, ack: number, una: number): boolean {
  const start = read32(bytes, at)
  const end = read32(bytes, at + 4)
  const { counters } = socket.tcp
  if (before(start, ack)) counters.TCPDSACKRecv++
  else if (count > 1) {
    if (after(end, read32(bytes, at + 12)) || before(start, read32(bytes, at + 8))) return false
    counters.TCPDSACKOfoRecv++
  } else return false
  const segments = dsackSeen(socket, start, end)
  if (segments === 0) {
    counters.TCPDSACKIgnoredDubious++
    return false
  }
  counters.TCPDSACKRecvSegs += segments
  if (socket.undoMarker !== 0 && socket.undoRetrans > 0 && !after(end, una) && after(end, socket.undoMarker)) {
    socket.undoRetrans = Math.max(0, socket.undoRetrans - segments)
  }
  return true
}

/** Tags a stretch of a segment, and counts; returns the segment's tags as they are then. tcp_sacktag_one(). */
function tagRange(socket: TcpSock, segment: Segment, endSeq: number, count: number, duplicate: boolean): number {
  const { seq } = segment
  let { sacked } = segment
  if (duplicate && sacked & RETRANS) {
    if (socket.undoMarker !== 0 && socket.undoRetrans > 0 && after(endSeq, socket.undoMarker)) {
      socket.undoRetrans = Math.max(0, socket.undoRetrans - count)
    }
    if (sacked & SACKED_ACKED && before(seq, tags.reord)) tags.reord = seq
  }
  if (!after(endSeq, socket.sndUna)) return sacked
  if (!(sacked & SACKED_ACKED)) {
    rackAdvance(socket, sacked, endSeq, segment.sentUs)
    if (sacked & SACKED_RETRANS) {
      if (sacked & LOST) {
        sacked &= ~(LOST | SACKED_RETRANS)
        socket.lostOut -= count
        socket.retransOut -= count
      }
    } else {
      if (!(sacked & RETRANS)) {
        if (before(seq, highestSackSeq(socket)) && before(seq, tags.reord)) tags.reord = seq
        if (!after(endSeq, socket.highSeq)) tags.flag |= F_ORIG_SACK_ACKED
        if (tags.firstUs === 0) tags.firstUs = segment.sentUs
        tags.lastUs = segment.sentUs
      }
      if (sacked & LOST) {
        sacked &= ~LOST
        socket.lostOut -= count
      }
    }
    sacked |= SACKED_ACKED
    tags.flag |= F_DATA_SACKED
    socket.sackedOut += count
    tags.delivered += count
    if (socket.lostHint && before(seq, socket.lostHint.seq)) socket.lostCntHint += count
  }
  if (duplicate && sacked & SACKED_RETRANS) {
    sacked &= ~SACKED_RETRANS
    socket.retransOut -= count
  }
  return sacked
}

/** What each segment on the wire carries. tcp_skb_seglen(). */
function segmentLength(segment: Segment): number {
  return segment.segments === 1 ? segment.length : segment.gsoSize
}

/**
 * What is newly sacked becomes part of the sacked segment before it, so that a long run of them is one: their heads' memory
 * is free for the writer. The segment to go on behind; undefined: it has to be tagged by itself. tcp_shift_skb_data().
 */
function shift(
  socket: TcpSock,
  segment: Segment,
  start: number,
  end: number,
  duplicate: boolean,
  rate: RateSample,
): Segment | undefined {
  const { previous } = segment
  if (
    (!duplicate && (segment.sacked & (LOST | SACKED_RETRANS)) === SACKED_RETRANS) ||
    segment.length === 0 ||
    !after(segment.endSeq, socket.sndUna) ||
    previous === undefined ||
    (previous.sacked & TAGBITS) !== SACKED_ACKED ||
    previous.eor
  ) {
    socket.tcp.counters.TCPSackShiftFallback++
    return undefined
  }
  const mss = segmentLength(segment)
  let { length } = segment
  let count = segment.segments
  if (!after(start, segment.seq) && !before(end, segment.endSeq)) {
    if (mss !== segmentLength(previous)) length = 0
  } else {
    if (!after(segment.endSeq, start) || segment.segments <= 1) return segment
    length = after(start, segment.seq) || mss !== segmentLength(previous) ? 0 : (end - segment.seq) | 0
    if (length !== 0) {
      if (length < mss) return segment
      count = Math.floor(length / mss)
      length = count * mss
    }
  }
  if (length === 0 || !after((segment.seq + length) | 0, socket.sndUna)) {
    socket.tcp.counters.TCPSackShiftFallback++
    return undefined
  }
  if (!shifted(socket, previous, segment, count, length, mss, duplicate, rate)) return previous
  // A hole is filled: what is sacked behind it can be joined, too.
  const next = previous.next
  if (
    next !== undefined &&
    next.length > 0 &&
    (next.sacked & TAGBITS) === SACKED_ACKED &&
    segmentLength(next) === mss &&
    !previous.eor
  ) {
    shifted(socket, previous, next, next.segments, next.length, mss, false, rate)
  }
  return previous
}

/** Moves a segment's beginning to the end of the one before; whether nothing is left of it. tcp_shifted_skb(). */
function shifted(
  socket: TcpSock,
  previous: Segment,
  segment: Segment,
  count: number,
  length: number,
  mss: number,
  duplicate: boolean,
  rate: RateSample,
): boolean {
  tagRange(socket, segment, (segment.seq + length) | 0, count, duplicate)
  rateDelivered(socket, segment, rate)
  if (segment === socket.lostHint) socket.lostCntHint += count
  flatten(segment)
  appendPart(previous, segment.buffer, segment.offset, length)
  previous.endSeq = (previous.endSeq + length) | 0
  previous.segments += count
  previous.truesize += length
  if (previous.gsoSize === 0) previous.gsoSize = mss
  previous.sacked |= segment.sacked & EVER_RETRANS
  segment.seq = (segment.seq + length) | 0
  segment.offset += length
  segment.length -= length
  segment.segments -= count
  segment.truesize -= length
  if (segment.segments <= 1) segment.gsoSize = 0
  if (segment.length > 0) {
    socket.tcp.counters.TCPSackShifted++
    return false
  }
  if (socket.retransmitHint === segment) socket.retransmitHint = previous
  if (socket.lostHint === segment) {
    socket.lostHint = previous
    socket.lostCntHint -= previous.segments
  }
  previous.flags |= segment.flags
  previous.eor = segment.eor
  previous.endSeq = segment.endSeq
  if (socket.highestSack === segment) socket.highestSack = segment.next
  previous.deliveredUs = -1
  unlinkSent(socket, segment)
  socket.tcp.counters.TCPSackMerged++
  return true
}

/** Cuts a segment so that what a block covers stands alone; whether the block covers what is left. tcp_match_skb_to_sack(). */
function matches(socket: TcpSock, segment: Segment, start: number, end: number): boolean {
  const whole = !after(start, segment.seq) && !before(end, segment.endSeq)
  if (whole || segment.segments <= 1 || !after(segment.endSeq, start)) return whole
  const mss = segment.gsoSize
  const inside = !after(start, segment.seq)
  let length: number
  if (!inside) {
    length = (start - segment.seq) | 0
    if (length < mss) length = mss
  } else {
    length = (end - segment.seq) | 0
    if (length < mss) return false
  }
  if (length > mss) {
    const rounded = Math.floor(length / mss) * mss
    if (rounded < length && !inside) length = rounded + mss
    else length = rounded
  }
  if (length >= segment.length && !inside) return false
  if (length >= segment.length) return whole
  fragment(socket, segment, length, mss, true)
  return inside
}

interface Block {
  start: number
  end: number
}

/** Tags what lies in a block, from a segment on; returns where it stopped. tcp_sacktag_walk(). */
function walk(
  socket: TcpSock,
  from: Segment | undefined,
  nextDuplicate: Block | undefined,
  start: number,
  end: number,
  isDuplicate: boolean,
  rate: RateSample,
): Segment | undefined {
  let segment = from
  for (; segment !== undefined; segment = segment.next) {
    if (!before(segment.seq, end)) break
    let duplicate = isDuplicate
    let inside = false
    if (nextDuplicate && before(segment.seq, nextDuplicate.end)) {
      inside = matches(socket, segment, nextDuplicate.start, nextDuplicate.end)
      if (inside) duplicate = true
    }
    if (!inside) {
      const joined = shift(socket, segment, start, end, duplicate, rate)
      if (joined !== undefined) {
        segment = joined
        continue
      }
      if (!matches(socket, segment, start, end)) continue
    }
    segment.sacked = tagRange(socket, segment, segment.endSeq, segment.segments, duplicate)
    rateDelivered(socket, segment, rate)
    if (segment.sacked & SACKED_ACKED) socket.sentOrder.remove(segment)
    if (!before(segment.seq, highestSackSeq(socket))) socket.highestSack = segment.next
  }
  return segment
}

/** The segment that holds a number, or where one stands if that is beyond it. tcp_sacktag_skip(). */
function skipTo(socket: TcpSock, segment: Segment | undefined, seq: number): Segment | undefined {
  if (segment !== undefined && after(segment.seq, seq)) return segment
  let found = segment ?? socket.sent.head
  while (found !== undefined && !after(found.endSeq, seq)) found = found.next
  return found !== undefined && after(found.seq, seq) ? undefined : found
}

const blocks: Block[] = Array.from({ length: 4 }, () => ({ start: 0, end: 0 }))

/** Takes the blocks of an acknowledgement; returns flags. */
export function tagWriteQueue(socket: TcpSock, packet: Packet, ack: number, una: number, rate: RateSample): number {
  tags.flag = 0
  tags.reord = socket.sndNxt
  const bytes = packet.tcpOptions!
  const { at } = sackBlocks
  const count = Math.min(sackBlocks.count, 4)
  if (socket.sackedOut === 0) socket.highestSack = socket.sent.head
  const duplicate = checkDsack(socket, bytes, at, count, ack, una)
  if (before(ack, (una - socket.maxWindow) | 0)) return 0
  if (socket.packetsOut === 0) return tags.flag
  let used = 0
  let first = -1
  for (let i = 0; i < count; i++) {
    const isDuplicate = i === 0 && duplicate
    const start = read32(bytes, at + 8 * i)
    const end = read32(bytes, at + 8 * i + 4)
    if (!isValid(socket, isDuplicate, start, end)) {
      const { counters } = socket.tcp
      if (isDuplicate) {
        if (socket.undoMarker === 0) counters.TCPDSACKIgnoredNoUndo++
        else counters.TCPDSACKIgnoredOld++
      } else if (ack === socket.sndUna || after(end, socket.sndUna)) counters.TCPSACKDiscard++
      continue
    }
    if (!after(end, una)) continue
    // In order of their beginnings.
    let place = used++
    while (place > 0 && after(blocks[place - 1]!.start, start)) {
      blocks[place]!.start = blocks[place - 1]!.start
      blocks[place]!.end = blocks[place - 1]!.end
      if (first === place - 1) first = place
      place--
    }
    blocks[place]!.start = start
    blocks[place]!.end = end
    if (isDuplicate) first = place
  }
  walkBlocks(socket, used, duplicate ? first : -1, rate)
  if (socket.caState !== CA_LOSS || socket.undoMarker !== 0) checkSackReordering(socket, tags.reord, false)
  return tags.flag
}

/** Goes through the blocks, but for what the last acknowledgement's told already. tp->recv_sack_cache. */
function walkBlocks(socket: TcpSock, used: number, duplicate: number, rate: RateSample): void {
  const known = socket.sackCache
  let cached = socket.sackedOut === 0 ? known.length : 0
  let segment = socket.sent.head
  for (let i = 0; i < used; ) {
    const { start, end } = blocks[i]!
    const isDuplicate = i === duplicate
    const next = duplicate >= 0 && i + 1 === duplicate ? blocks[i + 1] : undefined
    while (cached < known.length && !before(start, known[cached]!.end)) cached++
    const cache = known[cached]
    let found = false
    if (cache && !isDuplicate && after(end, cache.start)) {
      if (before(start, cache.start)) {
        segment = skipTo(socket, segment, start)
        segment = walk(socket, segment, next, start, cache.start, isDuplicate, rate)
      }
      if (!after(end, cache.end)) {
        i++
        continue
      }
      // A duplicate's block that lies in what is left out.
      if (next && before(next.start, cache.end)) {
        segment = skipTo(socket, segment, next.start)
        segment = walk(socket, segment, undefined, next.start, next.end, true, rate)
      }
      cached++
      if (highestSackSeq(socket) !== cache.end) {
        segment = skipTo(socket, segment, cache.end)
        continue
      }
      segment = socket.highestSack
      if (segment === undefined) break
      found = true
    }
    if (!found) {
      if (!before(start, highestSackSeq(socket))) {
        segment = socket.highestSack
        if (segment === undefined) break
      }
      segment = skipTo(socket, segment, start)
    }
    segment = walk(socket, segment, next, start, end, isDuplicate, rate)
    i++
  }
  known.length = 0
  for (let i = 0; i < used; i++) known.push({ start: blocks[i]!.start, end: blocks[i]!.end })
}

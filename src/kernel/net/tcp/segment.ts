/**
 * What a socket has sent and may have to send again, or will send: a stretch of the stream, as an sk_buff of the write
 * queue is. It may be several segments on the wire: the network cuts it (see ../gso.ts).
 *
 * Linux 6.1 include/net/tcp.h: struct tcp_skb_cb; include/linux/skbuff.h.
 */
const NO_BYTES = new Uint8Array(0)

export class Segment {
  /** Where it begins and ends; SYN and FIN take a number each. */
  seq: number
  endSeq: number
  /** The TCP header's flags. */
  flags: number
  /** SACKED_ACKED and the like. */
  sacked = 0
  buffer: Uint8Array = NO_BYTES
  offset = 0
  length = 0
  /** How many bytes of `buffer` may be written behind what it holds, if the buffer is its own. */
  room = 0
  /** How many segments on the wire it is, and of what payload each; 0: not yet known. */
  segments = 0
  gsoSize = 0
  truesize = 0
  /** When it was last sent, in microseconds of the socket's clock. */
  sentUs = 0
  // What tcp_rate_skb_sent() notes.
  delivered = 0
  deliveredUs = 0
  firstSentUs = 0
  appLimited = false
  inFlight = 0
  /** What was merged into it since it was sent and lies elsewhere; `flatten` brings it together. */
  parts: { buffer: Uint8Array; offset: number; length: number }[] | undefined = undefined
  /** MSG_EOR: nothing is appended. */
  eor = false
  /** Neighbours in its queue. */
  next: Segment | undefined = undefined
  previous: Segment | undefined = undefined
  /** Neighbours in order of sending, while it is in the retransmission queue; RACK goes by it. */
  laterSent: Segment | undefined = undefined
  earlierSent: Segment | undefined = undefined
  inSentOrder = false

  constructor(seq: number, endSeq: number, flags: number) {
    this.seq = seq
    this.endSeq = endSeq
    this.flags = flags
  }
}

/** Puts data behind a segment's that follow it in the stream, without a copy. */
export function appendPart(segment: Segment, buffer: Uint8Array, offset: number, length: number): void {
  const { parts } = segment
  const last = parts?.at(-1)
  if (last) {
    if (last.buffer === buffer && last.offset + last.length === offset) last.length += length
    else parts!.push({ buffer, offset, length })
  } else if (segment.buffer !== buffer || segment.offset + segment.length !== offset) {
    segment.parts = [
      { buffer: segment.buffer, offset: segment.offset, length: segment.length },
      { buffer, offset, length },
    ]
  }
  segment.room = 0
  segment.length += length
}

/** Makes one array of a segment's parts, before they are sent again or cut. */
export function flatten(segment: Segment): void {
  const { parts } = segment
  if (!parts) return
  const joined = new Uint8Array(segment.length)
  let at = 0
  for (const { buffer, offset, length } of parts) {
    joined.set(buffer.subarray(offset, offset + length), at)
    at += length
  }
  segment.buffer = joined
  segment.offset = 0
  segment.room = 0
  segment.parts = undefined
}

/** A queue of segments in order of their numbers. */
export class SegmentQueue {
  head: Segment | undefined = undefined
  tail: Segment | undefined = undefined

  push(segment: Segment): void {
    segment.next = undefined
    segment.previous = this.tail
    if (this.tail) this.tail.next = segment
    else this.head = segment
    this.tail = segment
  }

  insertAfter(at: Segment, segment: Segment): void {
    segment.previous = at
    segment.next = at.next
    if (at.next) at.next.previous = segment
    else this.tail = segment
    at.next = segment
  }

  remove(segment: Segment): void {
    if (segment.previous) segment.previous.next = segment.next
    else this.head = segment.next
    if (segment.next) segment.next.previous = segment.previous
    else this.tail = segment.previous
    segment.next = undefined
    segment.previous = undefined
  }

  clear(): void {
    this.head = undefined
    this.tail = undefined
  }
}

/** Segments in the order in which they were last sent. Linux 6.1: tp->tsorted_sent_queue. */
export class SentOrder {
  first: Segment | undefined = undefined
  last: Segment | undefined = undefined

  /** It has been sent just now. */
  moveToEnd(segment: Segment): void {
    if (this.last === segment) return
    if (segment.inSentOrder) this.remove(segment)
    segment.inSentOrder = true
    segment.laterSent = undefined
    segment.earlierSent = this.last
    if (this.last) this.last.laterSent = segment
    else this.first = segment
    this.last = segment
  }

  insertAfter(at: Segment, segment: Segment): void {
    if (!at.inSentOrder) return
    segment.inSentOrder = true
    segment.earlierSent = at
    segment.laterSent = at.laterSent
    if (at.laterSent) at.laterSent.earlierSent = segment
    else this.last = segment
    at.laterSent = segment
  }

  remove(segment: Segment): void {
    if (!segment.inSentOrder) return
    segment.inSentOrder = false
    if (segment.earlierSent) segment.earlierSent.laterSent = segment.laterSent
    else this.first = segment.laterSent
    if (segment.laterSent) segment.laterSent.earlierSent = segment.earlierSent
    else this.last = segment.earlierSent
    segment.laterSent = undefined
    segment.earlierSent = undefined
  }

  clear(): void {
    this.first = undefined
    this.last = undefined
  }
}

/**
 * Whether a TCP segment lies within the windows that the packets so far allow: the tracker sees both sides and knows what
 * each may send and acknowledge.
 *
 * Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2000); Linux 6.1
 * net/netfilter/nf_conntrack_proto_tcp.c: tcp_in_window(), tcp_options(), tcp_sack().
 */
import { type Packet, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '#wire/inet'
import { type Conn, type Direction, IP_CT_DIR_REPLY, type SequenceShift } from './conn.ts'
import {
  BE_LIBERAL,
  DATA_UNACKNOWLEDGED,
  MAXACK_SET,
  SACK_PERM,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  type TcpSide,
  WINDOW_SCALE,
} from './tcp-state.ts'

/** Acknowledgements may be that far behind. MAXACKWINCONST. */
const MAX_ACK_WINDOW = 66000
const MAX_SCALE = 14
/** TCP_ACK_SET of enum tcp_bit_set. */
const ACK_SET = 3

export type WindowVerdict = 'accept' | 'ignore' | 'invalid'

/** What is said of the last segment that didn't fit; for the log. */
export const windowLog = { text: '' }

/** Sequence space: whether a comes before b. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

export function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0
}

/** The sequence number behind a segment's last. */
export function segmentEnd(packet: Packet): number {
  const flags = packet.tcpFlags
  return (packet.seq + packet.length + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0)) >>> 0
}

/** Reads a SYN's options into a side. */
export function readSynOptions(packet: Packet, side: TcpSide): void {
  const options = packet.tcpOptions
  if (options === undefined && !packet.tcpTimestamps) return
  side.scale = 0
  side.flags &= BE_LIBERAL
  if (options === undefined) return
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!
    if (kind === 0) return
    if (kind === 1) {
      at++
      continue
    }
    const size = options[at + 1] ?? 0
    if (size < 2 || at + size > options.length) return
    if (kind === 4 && size === 2) side.flags |= SACK_PERM
    else if (kind === 3 && size === 3) {
      side.scale = Math.min(options[at + 2]!, MAX_SCALE)
      side.flags |= WINDOW_SCALE
    }
    at += size
  }
}

/** The highest right edge of the first SACK option's blocks, or `ack` if none is beyond it. */
function highestSack(packet: Packet, ack: number): number {
  const options = packet.tcpOptions
  if (options === undefined) return ack
  let highest = ack
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!
    if (kind === 0) return highest
    if (kind === 1) {
      at++
      continue
    }
    const size = options[at + 1] ?? 0
    if (size < 2 || at + size > options.length) return highest
    if (kind === 5 && size >= 10 && (size - 2) % 8 === 0) {
      for (let i = at + 6; i < at + size; i += 8) {
        const edge = ((options[i]! << 24) | (options[i + 1]! << 16) | (options[i + 2]! << 8) | options[i + 3]!) >>> 0
        if (after(edge, highest)) highest = edge
      }
      return highest
    }
    at += size
  }
  return highest
}

/** A side begins, by its SYN or SYN-ACK. */
function beginSide(
  sender: TcpSide,
  receiver: TcpSide,
  packet: Packet,
  end: number,
  window: number,
  direction: Direction,
): void {
  sender.end = end
  sender.maxEnd = end
  sender.maxWindow = window === 0 ? 1 : window
  readSynOptions(packet, sender)
  // Windows are scaled only if both say so. RFC 7323 section 2.2.
  if (direction === IP_CT_DIR_REPLY && !(sender.flags & receiver.flags & WINDOW_SCALE)) {
    sender.scale = 0
    receiver.scale = 0
  }
}

/** How far a helper has moved what this side sends, at a sequence number. nf_ct_seq_offset(). */
export function sequenceOffset(shift: SequenceShift | undefined, seq: number): number {
  if (shift === undefined) return 0
  return after(seq, shift.position) ? shift.after : shift.before
}

function maxAckWindow(side: TcpSide): number {
  return Math.max(side.maxWindow, MAX_ACK_WINDOW)
}

/** nf_tcp_store_invalid(). */
function refuse(sender: TcpSide, liberal: boolean, verdict: WindowVerdict, text: string): WindowVerdict {
  if (liberal || sender.flags & BE_LIBERAL) return 'accept'
  windowLog.text = text
  return verdict
}

/** Judges a segment and, if it fits, takes over what it tells. tcp_in_window(). */
export function inWindow(
  conn: Conn,
  direction: Direction,
  index: number,
  packet: Packet,
  liberal: boolean,
): WindowVerdict {
  const track = conn.tcp!
  const sender = track.sides[direction]
  const receiver = track.sides[direction === 0 ? 1 : 0]
  const flags = packet.tcpFlags
  const rawWindow = packet.window
  let window = rawWindow
  let seq = packet.seq
  let end = segmentEnd(packet)
  let ack = packet.ack
  let sack = ack
  if (receiver.flags & SACK_PERM) sack = highestSack(packet, ack)
  if (conn.sequence !== undefined) {
    const offset = sequenceOffset(conn.sequence[direction === 0 ? 1 : 0], (ack - 1) >>> 0)
    ack = (ack - offset) >>> 0
    sack = (sack - offset) >>> 0
  }

  if (sender.maxWindow === 0) {
    if (flags & TCP_SYN) {
      beginSide(sender, receiver, packet, end, window, direction)
      if (!(flags & TCP_ACK)) return 'accept' // Simultaneous open.
    } else {
      // In the middle of a connection whose history isn't known: this segment must do.
      sender.end = end
      const scaled = window << sender.scale
      sender.maxWindow = scaled === 0 ? 1 : scaled
      sender.maxEnd = (end + sender.maxWindow) >>> 0
      if (receiver.maxWindow === 0) {
        receiver.end = sack
        receiver.maxEnd = sack
      } else if (sack === (receiver.end + 1) >>> 0) receiver.end = sack // Likely a keepalive's answer.
    }
  } else if (
    flags & TCP_SYN &&
    after(end, sender.end) &&
    (track.state === TCP_SYN_SENT || track.state === TCP_SYN_RECV)
  ) {
    // Begun anew, with larger sequence numbers. RFC 9293 section 3.4.3.
    beginSide(sender, receiver, packet, end, window, direction)
    if (direction === IP_CT_DIR_REPLY && !(flags & TCP_ACK)) return 'accept'
  }

  if (!(flags & TCP_ACK) || (flags & TCP_RST && ack === 0)) {
    // Without an acknowledgement, or a reset with one that is broken: taken for right.
    ack = receiver.end
    sack = ack
  }
  if (flags & TCP_RST && seq === 0 && track.state === TCP_SYN_SENT) {
    seq = sender.end // The answer to a SYN.
    end = seq
  }

  const lowest = (sender.end - receiver.maxWindow - 1) >>> 0
  const lowestAck = (receiver.end - maxAckWindow(sender) - 1) >>> 0
  if (!before(seq, (sender.maxEnd + 1) >>> 0)) {
    const overshot = (end - sender.maxEnd + 1) >>> 0
    if (
      receiver.maxWindow !== 0 &&
      after(end, lowest) &&
      after(sack, lowestAck) &&
      overshot <= receiver.maxWindow &&
      before(sack, (receiver.end + 1) >>> 0)
    ) {
      // More than the window, but not by much: its acknowledgement must find it known.
      sender.end = end
      sender.flags |= DATA_UNACKNOWLEDGED
      return refuse(sender, liberal, 'ignore', `${overshot} bytes more than expected`)
    }
    return refuse(
      sender,
      liberal,
      'invalid',
      `SEQ is over upper bound ${(sender.maxEnd + 1) >>> 0} (over the window of the receiver)`,
    )
  }
  if (!before(sack, (receiver.end + 1) >>> 0)) {
    return refuse(
      sender,
      liberal,
      'invalid',
      `ACK is over upper bound ${(receiver.end + 1) >>> 0} (ACKed data not seen yet)`,
    )
  }
  if (receiver.maxWindow !== 0 && !after(end, lowest)) {
    return refuse(sender, liberal, 'ignore', `SEQ is under lower bound ${lowest} (already ACKed data retransmitted)`)
  }
  if (!after(sack, lowestAck)) {
    return refuse(sender, liberal, 'ignore', `ignored ACK under lower bound ${lowestAck} (possible overly delayed)`)
  }

  if (!(flags & TCP_SYN)) window = (window << sender.scale) >>> 0
  const reach = (window + (sack - ack)) >>> 0
  if (sender.maxWindow < reach) sender.maxWindow = reach
  if (after(end, sender.end)) {
    sender.end = end
    sender.flags |= DATA_UNACKNOWLEDGED
  }
  if (flags & TCP_ACK) {
    if (!(sender.flags & MAXACK_SET)) {
      sender.maxAck = ack
      sender.flags |= MAXACK_SET
    } else if (after(ack, sender.maxAck)) sender.maxAck = ack
  }
  if (receiver.maxWindow !== 0 && after(end, sender.maxEnd)) {
    receiver.maxWindow = (receiver.maxWindow + ((end - sender.maxEnd) >>> 0)) >>> 0
  }
  const edge = (sack + window) >>> 0
  if (after(edge, (receiver.maxEnd - 1) >>> 0)) receiver.maxEnd = window === 0 ? (edge + 1) >>> 0 : edge
  if (ack === receiver.end) receiver.flags &= ~DATA_UNACKNOWLEDGED

  if (index === ACK_SET) {
    if (
      track.lastDirection === direction &&
      track.lastSeq === seq &&
      track.lastAck === ack &&
      track.lastEnd === end &&
      track.lastWindow === rawWindow
    ) {
      track.retransmissions++
    } else {
      track.lastDirection = direction
      track.lastSeq = seq
      track.lastAck = ack
      track.lastEnd = end
      track.lastWindow = rawWindow
      track.retransmissions = 0
    }
  }
  return 'accept'
}

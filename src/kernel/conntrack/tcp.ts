/**
 * TCP's tracker: a machine of ten states, fed by the flags that pass in either direction.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_proto_tcp.c: nf_conntrack_tcp_packet(), tcp_conntracks[], tcp_new().
 */
import type { HookContext } from '#kernel/net'
import { NF_ACCEPT } from '#kernel/net'
import { checksumGood, type Packet, RAW_NONE, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TCP_URG } from '#wire/inet'
import {
  type Conn,
  ctDirection,
  type Direction,
  IP_CT_DIR_ORIGINAL,
  IP_CT_DIR_REPLY,
  IPCT_ASSURED,
  IPCT_PROTOINFO,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_FIXED_TIMEOUT,
  IPS_SEEN_REPLY,
} from './conn.ts'
import { canEarlyDrop } from './early-drop.ts'
import { logInvalid } from './log-invalid.ts'
import { account, INVALID, REPEAT, refresh } from './refresh.ts'
import { TCP_TIMEOUT_RETRANS, TCP_TIMEOUT_UNACK } from './settings.ts'
import { type ConntrackState, expiresJiffies } from './state.ts'
import {
  BE_LIBERAL,
  CHALLENGE_ACK,
  CLOSE_INIT,
  DATA_UNACKNOWLEDGED,
  MAXACK_SET,
  SACK_PERM,
  SIMULTANEOUS_OPEN,
  TCP_CLOSE,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT,
  TCP_IGNORE,
  TCP_INVALID,
  TCP_LAST_ACK,
  TCP_NONE,
  TCP_STATES,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_SYN_SENT2,
  TCP_TIME_WAIT,
  TcpSide,
  TcpTrack,
  WINDOW_SCALE,
} from './tcp-state.ts'
import { before, inWindow, readSynOptions, segmentEnd, windowLog } from './tcp-window.ts'

// What the flags amount to. enum tcp_bit_set.
const SYN_SET = 0
const SYNACK_SET = 1
const FIN_SET = 2
const ACK_SET = 3
const RST_SET = 4
const NONE_SET = 5

const NAMES = {
  NO: TCP_NONE,
  SS: TCP_SYN_SENT,
  SR: TCP_SYN_RECV,
  ES: TCP_ESTABLISHED,
  FW: TCP_FIN_WAIT,
  CW: TCP_FIN_WAIT + 1,
  LA: TCP_LAST_ACK,
  TW: TCP_TIME_WAIT,
  CL: TCP_CLOSE,
  S2: TCP_SYN_SENT2,
  IV: TCP_INVALID,
  IG: TCP_IGNORE,
}

function row(text: string): number[] {
  return text.split(' ').map((name) => NAMES[name as keyof typeof NAMES])
}

/**
 * The next state, by direction, flags and state: NO SS SR ES FW CW LA TW CL S2.
 * IG: let through, but not believed (an answer may put things right). IV: not part of the connection.
 */
const NEXT: Record<Direction, number[][]> = {
  [IP_CT_DIR_ORIGINAL]: [
    row('SS SS IG IG IG IG IG SS SS S2'), // SYN: a new or reopened connection.
    row('IV IV SR IV IV IV IV IV IV SR'), // SYN ACK: only in a simultaneous open.
    row('IV IV FW FW LA LA LA TW CL IV'), // FIN: the close begins, or the other side's.
    row('ES IV ES ES CW CW TW TW CL IV'), // ACK. Without a beginning: taken up in the middle.
    row('IV CL CL CL CL CL CL CL CL CL'), // RST
    row('IV IV IV IV IV IV IV IV IV IV'), // none of them
  ],
  [IP_CT_DIR_REPLY]: [
    row('IV S2 IV IV IV IV IV SS IV S2'), // SYN: simultaneous open, or reopened from the other side.
    row('IV SR IG IG IG IG IG IG IG SR'), // SYN ACK: retransmitted ones, or the answer to an ignored SYN.
    row('IV IV FW FW LA LA LA TW CL IV'),
    row('IV IG SR ES CW CW TW TW CL IG'), // ACK to a SYN: the other side has a half-open connection.
    row('IV CL CL CL CL CL CL CL CL CL'),
    row('IV IV IV IV IV IV IV IV IV IV'),
  ],
}

/** The combinations of FIN, SYN, RST, ACK and URG that make sense; PSH, ECE and CWR always do. tcp_valid_flags[]. */
const VALID_FLAGS = new Set([
  TCP_SYN,
  TCP_SYN | TCP_URG,
  TCP_SYN | TCP_ACK,
  TCP_RST,
  TCP_RST | TCP_ACK,
  TCP_FIN | TCP_ACK,
  TCP_FIN | TCP_ACK | TCP_URG,
  TCP_ACK,
  TCP_ACK | TCP_URG,
])
const VALID = Array.from({ length: 64 }, (_, flags) => VALID_FLAGS.has(flags))
const CHECKED_FLAGS = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG

/** get_conntrack_index(). */
function indexOf(flags: number): number {
  if (flags & TCP_RST) return RST_SET
  if (flags & TCP_SYN) return flags & TCP_ACK ? SYNACK_SET : SYN_SET
  if (flags & TCP_FIN) return FIN_SET
  return flags & TCP_ACK ? ACK_SET : NONE_SET
}

/** What is wrong with a segment by itself. tcp_error(). */
function fault(state: ConntrackState, context: HookContext): string | undefined {
  const { packet } = context
  if (packet.raw !== RAW_NONE) return 'truncated packet'
  if (
    packet.checksum >= 0 &&
    context.hook === 'PRE_ROUTING' &&
    state.settings.checksum !== 0 &&
    !checksumGood(packet)
  ) {
    return 'bad checksum'
  }
  return VALID[packet.tcpFlags & CHECKED_FLAGS] ? undefined : 'invalid tcp flag combination'
}

/** The first segment of a connection; false if none may begin by it. tcp_new(). */
function begin(state: ConntrackState, conn: Conn, packet: Packet): boolean {
  const first = NEXT[IP_CT_DIR_ORIGINAL][indexOf(packet.tcpFlags)]![TCP_NONE]!
  if (first >= TCP_INVALID) return false
  const opening = first === TCP_SYN_SENT
  if (!opening && state.settings.tcpLoose === 0) return false
  const track = new TcpTrack()
  const side = track.sides[0]
  side.end = segmentEnd(packet)
  side.maxWindow = packet.window === 0 ? 1 : packet.window
  side.maxEnd = side.end
  if (opening) readSynOptions(packet, side)
  else {
    // Its history isn't known: SACK and any window scale may have been agreed.
    side.maxEnd = (side.end + side.maxWindow) >>> 0
    side.flags = SACK_PERM | BE_LIBERAL
    track.sides[1].flags = SACK_PERM | BE_LIBERAL
  }
  track.lastIndex = NONE_SET
  conn.tcp = track
  return true
}

/** Both sides have agreed. nf_conntrack_tcp_established(). */
function established(conn: Conn): boolean {
  return conn.tcp!.state === TCP_ESTABLISHED && (conn.status & IPS_ASSURED) !== 0
}

/** Remembers a SYN that was let through without being believed. */
function noteSyn(conn: Conn, packet: Packet, old: number): void {
  const track = conn.tcp!
  const seen = new TcpSide()
  readSynOptions(packet, seen)
  track.lastFlags = seen.flags & (WINDOW_SCALE | SACK_PERM)
  track.lastScale = seen.flags & WINDOW_SCALE ? seen.scale : 0
  // It may be answered by a challenge, which must not pass for the last ACK. RFC 5961 section 4.
  if (old === TCP_LAST_ACK) track.lastFlags |= CHALLENGE_ACK
}

/** A packet that is let through but changes nothing. */
function ignore(
  state: ConntrackState,
  conn: Conn,
  context: HookContext,
  index: number,
  direction: Direction,
  old: number,
): number {
  const { packet } = context
  const track = conn.tcp!
  track.lastIndex = index
  track.lastDirection = direction
  track.lastSeq = packet.seq
  track.lastEnd = segmentEnd(packet)
  track.lastWindow = packet.window
  if (index === SYN_SET && direction === IP_CT_DIR_ORIGINAL) noteSyn(conn, packet, old)
  if (old === TCP_SYN_SENT && index === ACK_SET && direction === IP_CT_DIR_REPLY) track.lastAck = packet.ack
  logInvalid(state, context, 6, `packet (index ${index}) in dir ${direction} ignored, state ${TCP_STATES[old]}`)
  return NF_ACCEPT
}

/** A SYN-ACK for a SYN that wasn't believed: both sides are right, and the tracker takes over what it noted. */
function resynchronise(conn: Conn, direction: Direction): void {
  const track = conn.tcp!
  const asked = track.sides[track.lastDirection]!
  asked.end = track.lastEnd
  asked.maxEnd = track.lastEnd
  asked.maxWindow = track.lastWindow === 0 ? 1 : track.lastWindow
  asked.scale = track.lastScale
  track.lastFlags &= ~CHALLENGE_ACK
  asked.flags = track.lastFlags
  const answers = track.sides[direction]
  answers.end = 0
  answers.maxEnd = 0
  answers.maxWindow = 0
  answers.maxAck = 0
  answers.scale = 0
  answers.flags &= BE_LIBERAL
}

/** What a reset means: the next state, 'invalid' if nobody in the connection sent it, 'unchecked' if windows don't matter. */
function judgeReset(
  state: ConntrackState,
  conn: Conn,
  packet: Packet,
  direction: Direction,
  old: number,
): number | 'invalid' | 'unchecked' {
  if (canEarlyDrop(conn)) return 'unchecked'
  const track = conn.tcp!
  const other = track.sides[direction === 0 ? 1 : 0]
  const { seq } = packet
  let next = TCP_CLOSE
  if (other.flags & MAXACK_SET && track.lastIndex !== SYN_SET) {
    if (seq === 0 && !established(conn)) return next
    if (before(seq, other.maxAck) && state.settings.tcpIgnoreInvalidRst === 0) return 'invalid'
    if (!established(conn) || seq === other.maxAck) return next
    const follows = track.lastIndex === ACK_SET && track.lastDirection === direction && seq === track.lastEnd
    if (follows) return next
    next = old // Not exact: a challenge may follow, and the connection go on. RFC 5961 section 3.
  }
  const answersSyn =
    (conn.status & IPS_SEEN_REPLY) !== 0 && track.lastIndex === SYN_SET && track.lastDirection !== direction
  const answersAck = !(conn.status & IPS_ASSURED) && track.lastIndex === ACK_SET
  if ((answersSyn || answersAck) && packet.ack === track.lastEnd) return 'unchecked'
  if (
    old === TCP_SYN_SENT &&
    track.lastIndex === ACK_SET &&
    track.lastDirection === IP_CT_DIR_REPLY &&
    seq === track.lastAck
  ) {
    return 'unchecked'
  }
  return next
}

/** The end of a connection that lost its way shall come sooner. nf_tcp_handle_invalid(). */
function lowerTimeout(state: ConntrackState, conn: Conn, direction: Direction, index: number): boolean {
  if (!(conn.status & IPS_ASSURED) || conn.status & IPS_FIXED_TIMEOUT) return false
  if (index !== RST_SET && index !== FIN_SET) return false
  const track = conn.tcp!
  const closing = track.lastIndex === FIN_SET || track.lastIndex === RST_SET
  if (track.lastDirection === direction || !closing) {
    track.lastIndex = index
    track.lastDirection = direction
    return false
  }
  const expires = expiresJiffies(state, conn)
  const timeout = state.settings.tcp[TCP_TIMEOUT_UNACK]!
  if (expires < 120 * 250 || expires <= timeout) return false
  conn.timeout = state.jiffies + timeout
  return true
}

/** A TCP segment of a connection: NF_ACCEPT, or what else `trackIn` knows. */
export function tcpPacket(state: ConntrackState, conn: Conn, context: HookContext): number {
  const { packet } = context
  const wrong = fault(state, context)
  if (wrong !== undefined) {
    logInvalid(state, context, 6, wrong)
    return INVALID
  }
  if (!(conn.status & IPS_CONFIRMED) && !begin(state, conn, packet)) return INVALID
  const track = conn.tcp!
  const old = track.state
  const direction = ctDirection(packet.ctInfo)
  const index = indexOf(packet.tcpFlags)
  let next = NEXT[direction][index]![old]!
  let from = old
  let checked = true
  if (next === TCP_SYN_SENT && old >= TCP_TIME_WAIT) {
    const closed = ((track.sides[0].flags | track.sides[1].flags) & CLOSE_INIT) !== 0
    const aborted = track.lastDirection === direction && track.lastIndex === RST_SET
    if (closed || aborted) {
      // Reopened: the old connection goes, and the packet begins a new one.
      return state.kill(conn) ? REPEAT : 0
    }
    next = TCP_IGNORE
  }
  if (next === TCP_IGNORE) {
    const answers =
      index === SYNACK_SET &&
      track.lastIndex === SYN_SET &&
      track.lastDirection !== direction &&
      packet.ack === track.lastEnd
    if (!answers) return ignore(state, conn, context, index, direction, old)
    resynchronise(conn, direction)
    from = TCP_SYN_SENT
    next = TCP_SYN_RECV
  } else if (next === TCP_INVALID) {
    logInvalid(state, context, 6, `packet (index ${index}) in dir ${direction} invalid, state ${TCP_STATES[old]}`)
    return INVALID
  } else if (next === TCP_TIME_WAIT) {
    const challenge =
      old === TCP_LAST_ACK &&
      index === ACK_SET &&
      track.lastDirection !== direction &&
      track.lastIndex === SYN_SET &&
      (track.lastFlags & CHALLENGE_ACK) !== 0
    if (challenge) {
      track.lastFlags &= ~CHALLENGE_ACK
      logInvalid(state, context, 6, 'challenge-ack ignored')
      return NF_ACCEPT
    }
  } else if (next === TCP_SYN_SENT2) track.lastFlags |= SIMULTANEOUS_OPEN
  else if (next === TCP_SYN_RECV) {
    if (direction === IP_CT_DIR_REPLY && index === ACK_SET && track.lastFlags & SIMULTANEOUS_OPEN) {
      next = TCP_ESTABLISHED
    }
  } else if (next === TCP_CLOSE && index === RST_SET) {
    const judged = judgeReset(state, conn, packet, direction, old)
    if (judged === 'invalid') {
      logInvalid(state, context, 6, 'invalid rst')
      return INVALID
    }
    if (judged === 'unchecked') checked = false
    else next = judged
  }
  if (checked) {
    const verdict = inWindow(conn, direction, index, packet, state.settings.tcpBeLiberal !== 0)
    if (verdict === 'ignore') {
      logInvalid(state, context, 6, windowLog.text)
      return NF_ACCEPT
    }
    if (verdict === 'invalid') {
      const lowered = lowerTimeout(state, conn, direction, index)
      logInvalid(state, context, 6, windowLog.text)
      if (lowered) logInvalid(state, context, 6, 'lowered timeout to UNACK')
      return INVALID
    }
  }
  track.lastIndex = index
  track.lastDirection = direction
  track.state = next
  if (from !== next && next === TCP_FIN_WAIT) track.sides[direction].flags |= CLOSE_INIT
  return settle(state, conn, packet, index, from, next)
}

/** The timeout that a connection gets now. */
function timeoutOf(state: ConntrackState, track: TcpTrack, index: number, next: number): number {
  const { settings } = state
  const own = settings.tcp[next]!
  const retrans = settings.tcp[TCP_TIMEOUT_RETRANS]!
  if (track.retransmissions >= settings.tcpMaxRetrans && own > retrans) return retrans
  if (index === RST_SET) return settings.tcp[TCP_CLOSE]!
  const unack = settings.tcp[TCP_TIMEOUT_UNACK]!
  if ((track.sides[0].flags | track.sides[1].flags) & DATA_UNACKNOWLEDGED && own > unack) return unack
  if (track.lastWindow === 0 && own > retrans) return retrans
  return own
}

/** After a segment was believed. */
function settle(state: ConntrackState, conn: Conn, packet: Packet, index: number, from: number, next: number): number {
  let timeout = timeoutOf(state, conn.tcp!, index, next)
  if (next !== from) state.cache(conn, IPCT_PROTOINFO)
  if (!(conn.status & IPS_SEEN_REPLY)) {
    if (packet.tcpFlags & TCP_RST) {
      account(conn, packet)
      state.kill(conn) // Nobody was there.
      return NF_ACCEPT
    }
    // A client that goes on asking doesn't keep the entry alive.
    if (index === SYN_SET && from === TCP_SYN_SENT) return NF_ACCEPT
    const unack = state.settings.tcp[TCP_TIMEOUT_UNACK]!
    if (next === TCP_ESTABLISHED && timeout > unack) timeout = unack
  } else if (
    !(conn.status & IPS_ASSURED) &&
    (from === TCP_SYN_RECV || from === TCP_ESTABLISHED) &&
    next === TCP_ESTABLISHED
  ) {
    conn.status |= IPS_ASSURED
    state.cache(conn, IPCT_ASSURED)
  }
  refresh(state, conn, packet, timeout)
  return NF_ACCEPT
}

/** A rule has reset the connection: it ends soon. nf_conntrack_tcp_set_closing(). */
export function setClosing(state: ConntrackState, conn: Conn): void {
  const track = conn.tcp
  if (!track || !(conn.status & IPS_CONFIRMED)) return
  const old = track.state
  track.state = TCP_CLOSE
  if (old === TCP_CLOSE || conn.status & IPS_FIXED_TIMEOUT) return
  conn.timeout = state.jiffies + state.settings.tcp[TCP_CLOSE]!
  state.cache(conn, IPCT_PROTOINFO)
}

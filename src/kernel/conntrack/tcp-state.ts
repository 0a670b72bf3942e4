/** What is remembered of a TCP connection. Linux 6.1 include/linux/netfilter/nf_conntrack_tcp.h: struct ip_ct_tcp. */

// enum tcp_conntrack.
export const TCP_NONE = 0
export const TCP_SYN_SENT = 1
export const TCP_SYN_RECV = 2
export const TCP_ESTABLISHED = 3
export const TCP_FIN_WAIT = 4
export const TCP_CLOSE_WAIT = 5
export const TCP_LAST_ACK = 6
export const TCP_TIME_WAIT = 7
export const TCP_CLOSE = 8
export const TCP_SYN_SENT2 = 9
/** Not states: the packet is not valid, or nobody's business. */
export const TCP_INVALID = 10
export const TCP_IGNORE = 11

/** As `conntrack -L` and the kernel's log call them. */
export const TCP_STATES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const

// IP_CT_TCP_FLAG_*.
export const WINDOW_SCALE = 1
export const SACK_PERM = 2
export const CLOSE_INIT = 4
export const BE_LIBERAL = 8
export const DATA_UNACKNOWLEDGED = 0x10
export const MAXACK_SET = 0x20
export const CHALLENGE_ACK = 0x40
export const SIMULTANEOUS_OPEN = 0x80

/** One side. struct ip_ct_tcp_state. */
export class TcpSide {
  end = 0
  maxEnd = 0
  maxWindow = 0
  maxAck = 0
  scale = 0
  flags = 0
}

export class TcpTrack {
  readonly sides: [TcpSide, TcpSide] = [new TcpSide(), new TcpSide()]
  state = TCP_NONE
  lastDirection = 0
  retransmissions = 0
  lastIndex = 0
  lastSeq = 0
  lastAck = 0
  lastEnd = 0
  lastWindow = 0
  lastScale = 0
  lastFlags = 0
}

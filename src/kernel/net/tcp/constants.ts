/** Numbers of Linux's TCP. Linux 6.1 include/net/tcp.h, include/net/tcp_states.h, include/net/inet_connection_sock.h. */
import { HZ } from '../jiffies.ts'

export const TCP_ESTABLISHED = 1
export const TCP_SYN_SENT = 2
export const TCP_SYN_RECV = 3
export const TCP_FIN_WAIT1 = 4
export const TCP_FIN_WAIT2 = 5
export const TCP_TIME_WAIT = 6
export const TCP_CLOSE = 7
export const TCP_CLOSE_WAIT = 8
export const TCP_LAST_ACK = 9
export const TCP_LISTEN = 10
export const TCP_CLOSING = 11
export const TCP_NEW_SYN_RECV = 12

/** As `ss` writes them. */
export const STATE_NAMES = [
  '',
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'UNCONN',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
  'SYN-RECV',
] as const

/** A set of states, as a bit for each. */
export function states(...list: number[]): number {
  return list.reduce((set, state) => set | (1 << state), 0)
}

export const RCV_SHUTDOWN = 1
export const SEND_SHUTDOWN = 2
export const SHUTDOWN_MASK = 3

export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const PSH = 0x08
export const ACK = 0x10
export const URG = 0x20
export const ECE = 0x40
export const CWR = 0x80

/** What was done with a segment of the retransmission queue. TCPCB_*. */
export const SACKED_ACKED = 1
export const SACKED_RETRANS = 2
export const LOST = 4
export const TAGBITS = 7
export const EVER_RETRANS = 0x80
export const RETRANS = SACKED_RETRANS | EVER_RETRANS

export const MAX_OPTIONS = 40
export const TIMESTAMPS_ALIGNED = 12
export const MSS_DEFAULT = 536
export const MIN_MSS = 88
export const MAX_WSCALE = 14
export const INIT_CWND = 10
export const INFINITE_SSTHRESH = 0x7fffffff
export const FASTRETRANS_THRESH = 3
export const MAX_QUICKACKS = 16
export const MAX_TCP_WINDOW = 32767

// In jiffies.
export const RTO_MAX = 120 * HZ
export const RTO_MIN = HZ / 5
export const TIMEOUT_INIT = HZ
export const TIMEOUT_MIN = 2
/** TCP_TIMEOUT_MIN_US: two milliseconds. */
export const TIMEOUT_MIN_US = 2000
export const DELACK_MAX = HZ / 5
export const DELACK_MIN = HZ / 25
export const ATO_MIN = HZ / 25
export const TIMEWAIT_LEN = 60 * HZ
export const RESOURCE_PROBE_INTERVAL = HZ / 2

// icsk_pending.
export const TIMER_NONE = 0
export const TIMER_RETRANS = 1
export const TIMER_PROBE0 = 3
export const TIMER_LOSS_PROBE = 5
export const TIMER_REO = 6

// icsk_ack.pending.
export const ACK_SCHED = 1
export const ACK_TIMER = 2
export const ACK_PUSHED = 4
export const ACK_PUSHED2 = 8
export const ACK_NOW = 16

// Congestion states. enum tcp_ca_state.
export const CA_OPEN = 0
export const CA_DISORDER = 1
export const CA_CWR = 2
export const CA_RECOVERY = 3
export const CA_LOSS = 4

// Nagle. TCP_NAGLE_*.
export const NAGLE_OFF = 1
export const NAGLE_CORK = 2
export const NAGLE_PUSH = 4

// Flags of the processing of an acknowledgement. FLAG_*.
export const F_DATA = 0x01
export const F_WIN_UPDATE = 0x02
export const F_DATA_ACKED = 0x04
export const F_RETRANS_DATA_ACKED = 0x08
export const F_SYN_ACKED = 0x10
export const F_DATA_SACKED = 0x20
export const F_ECE = 0x40
export const F_LOST_RETRANS = 0x80
export const F_SLOWPATH = 0x100
export const F_ORIG_SACK_ACKED = 0x200
export const F_SND_UNA_ADVANCED = 0x400
export const F_DSACKING_ACK = 0x800
export const F_SET_XMIT_TIMER = 0x1000
export const F_SACK_RENEGING = 0x2000
export const F_UPDATE_TS_RECENT = 0x4000
export const F_NO_CHALLENGE_ACK = 0x8000
export const F_ACK_MAYBE_DELAYED = 0x10000
export const F_DSACK_TLP = 0x20000
export const F_ACKED = F_DATA_ACKED | F_SYN_ACKED
export const F_NOT_DUP = F_DATA | F_WIN_UPDATE | F_ACKED
export const F_CA_ALERT = F_DATA_SACKED | F_ECE | F_DSACKING_ACK
export const F_FORWARD_PROGRESS = F_ACKED | F_DATA_SACKED

// What a packet takes in memory besides its bytes, on x86_64. Linux 6.1 include/linux/skbuff.h.
/** sizeof(struct sk_buff), aligned. */
export const SKB_HEAD = 256
/** sizeof(struct skb_shared_info), aligned. */
export const SKB_SHARED = 320
/** MAX_TCP_HEADER, with which a segment's head is allocated; its truesize then is TX_SKB. */
export const MAX_TCP_HEADER = 320
export const TX_SKB = 1280
/** sk_gso_max_size: a device's 64 kB less room for headers. */
export const GSO_MAX_SIZE = 65536 - 1 - MAX_TCP_HEADER
export const GSO_MAX_SEGS = 65535

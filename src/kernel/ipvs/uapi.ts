/** Names and numbers that programs and the other end of a synchronisation see. Linux 6.1 include/uapi/linux/ip_vs.h, include/net/ip_vs.h. */
import type { Ipv6Address } from '#wire/inet'

/** An address of either family. */
export type InetAddr = number | Ipv6Address

export const AF_INET = 2
export const AF_INET6 = 10
export type Family = typeof AF_INET | typeof AF_INET6

export const IPPROTO_IP = 0
export const IPPROTO_IPIP = 4
export const IPPROTO_IPV6 = 41
export const IPPROTO_GRE = 47
export const IPPROTO_ESP = 50
export const IPPROTO_AH = 51
export const IPPROTO_SCTP = 132

export const FTPPORT = 21
export const FTPDATA = 20

/** 1.2.1: as /proc/net/ip_vs and `ipvsadm` tell it. */
export const IP_VS_VERSION_CODE = 0x010201

// Flags of a virtual service.
export const IP_VS_SVC_F_PERSISTENT = 0x0001
export const IP_VS_SVC_F_HASHED = 0x0002
/** One-packet scheduling. */
export const IP_VS_SVC_F_ONEPACKET = 0x0004
export const IP_VS_SVC_F_SCHED1 = 0x0008
export const IP_VS_SVC_F_SCHED2 = 0x0010
export const IP_VS_SVC_F_SCHED3 = 0x0020
export const IP_VS_SVC_F_SCHED_SH_FALLBACK = IP_VS_SVC_F_SCHED1
export const IP_VS_SVC_F_SCHED_SH_PORT = IP_VS_SVC_F_SCHED2
export const IP_VS_SVC_F_SCHED_MH_FALLBACK = IP_VS_SVC_F_SCHED1
export const IP_VS_SVC_F_SCHED_MH_PORT = IP_VS_SVC_F_SCHED2

// States of the synchronisation daemons.
export const IP_VS_STATE_NONE = 0
export const IP_VS_STATE_MASTER = 1
export const IP_VS_STATE_BACKUP = 2

// Flags of a connection; the low 16 are sent to a backup.
export const IP_VS_CONN_F_FWD_MASK = 0x0007
export const IP_VS_CONN_F_MASQ = 0x0000
export const IP_VS_CONN_F_LOCALNODE = 0x0001
export const IP_VS_CONN_F_TUNNEL = 0x0002
export const IP_VS_CONN_F_DROUTE = 0x0003
export const IP_VS_CONN_F_BYPASS = 0x0004
export const IP_VS_CONN_F_SYNC = 0x0020
export const IP_VS_CONN_F_HASHED = 0x0040
export const IP_VS_CONN_F_NOOUTPUT = 0x0080
export const IP_VS_CONN_F_INACTIVE = 0x0100
export const IP_VS_CONN_F_OUT_SEQ = 0x0200
export const IP_VS_CONN_F_IN_SEQ = 0x0400
export const IP_VS_CONN_F_SEQ_MASK = 0x0600
export const IP_VS_CONN_F_NO_CPORT = 0x0800
export const IP_VS_CONN_F_TEMPLATE = 0x1000
export const IP_VS_CONN_F_ONE_PACKET = 0x2000
export const IP_VS_CONN_F_NFCT = 0x10000
export const IP_VS_CONN_F_BACKUP_MASK =
  IP_VS_CONN_F_FWD_MASK |
  IP_VS_CONN_F_NOOUTPUT |
  IP_VS_CONN_F_INACTIVE |
  IP_VS_CONN_F_SEQ_MASK |
  IP_VS_CONN_F_NO_CPORT |
  IP_VS_CONN_F_TEMPLATE
export const IP_VS_CONN_F_BACKUP_UPD_MASK = IP_VS_CONN_F_INACTIVE | IP_VS_CONN_F_SEQ_MASK
export const IP_VS_CONN_F_DEST_MASK = IP_VS_CONN_F_FWD_MASK | IP_VS_CONN_F_ONE_PACKET | IP_VS_CONN_F_NFCT

// How a tunnelled packet is wrapped.
export const IP_VS_CONN_F_TUNNEL_TYPE_IPIP = 0
export const IP_VS_CONN_F_TUNNEL_TYPE_GUE = 1
export const IP_VS_CONN_F_TUNNEL_TYPE_GRE = 2
export const IP_VS_TUNNEL_ENCAP_FLAG_CSUM = 1
export const IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM = 2

// A destination's flags and configuration flags.
export const IP_VS_DEST_F_OVERLOAD = 2
export const IP_VS_DEST_CF_AVAILABLE = 1

/** The states of a TCP connection, and of SCTP's and UDP's. */
export const IP_VS_TCP_S_NONE = 0
export const IP_VS_TCP_S_ESTABLISHED = 1
export const IP_VS_TCP_S_SYN_SENT = 2
export const IP_VS_TCP_S_SYN_RECV = 3
export const IP_VS_TCP_S_FIN_WAIT = 4
export const IP_VS_TCP_S_TIME_WAIT = 5
export const IP_VS_TCP_S_CLOSE = 6
export const IP_VS_TCP_S_CLOSE_WAIT = 7
export const IP_VS_TCP_S_LAST_ACK = 8
export const IP_VS_TCP_S_LISTEN = 9
export const IP_VS_TCP_S_SYNACK = 10
export const IP_VS_TCP_S_LAST = 11

export const IP_VS_UDP_S_NORMAL = 0
export const IP_VS_UDP_S_LAST = 1

export const IP_VS_SCTP_S_NONE = 0
export const IP_VS_SCTP_S_INIT1 = 1
export const IP_VS_SCTP_S_INIT = 2
export const IP_VS_SCTP_S_COOKIE_SENT = 3
export const IP_VS_SCTP_S_COOKIE_REPLIED = 4
export const IP_VS_SCTP_S_COOKIE_WAIT = 5
export const IP_VS_SCTP_S_COOKIE = 6
export const IP_VS_SCTP_S_COOKIE_ECHOED = 7
export const IP_VS_SCTP_S_ESTABLISHED = 8
export const IP_VS_SCTP_S_SHUTDOWN_SENT = 9
export const IP_VS_SCTP_S_SHUTDOWN_RECEIVED = 10
export const IP_VS_SCTP_S_SHUTDOWN_ACK_SENT = 11
export const IP_VS_SCTP_S_REJECTED = 12
export const IP_VS_SCTP_S_CLOSED = 13
export const IP_VS_SCTP_S_LAST = 14

/** The states of a template. */
export const IP_VS_CTPL_S_NONE = 0
export const IP_VS_CTPL_S_ASSURED = 1

/** Whose packet: the client's, the server's, or the client's where the server's are never seen. */
export const IP_VS_DIR_INPUT = 0
export const IP_VS_DIR_OUTPUT = 1
export const IP_VS_DIR_INPUT_ONLY = 2

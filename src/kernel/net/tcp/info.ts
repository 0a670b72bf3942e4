/** What `ss -tieom` and TCP_INFO tell of a socket. Linux 6.1 net/ipv4/tcp.c: tcp_get_info(); include/uapi/linux/tcp.h: struct tcp_info. */
import { HZ } from '../jiffies.ts'
import { TCP_LISTEN } from './constants.ts'
import type { TcpSock } from './sock.ts'

/** struct tcp_info, times in microseconds unless their names say ms. */
export interface TcpInfo {
  state: number
  caState: number
  retransmits: number
  probes: number
  backoff: number
  timestamps: boolean
  sack: boolean
  ecn: boolean
  ecnSeen: boolean
  wscale: boolean
  sndWscale: number
  rcvWscale: number
  rateAppLimited: boolean
  rto: number
  ato: number
  sndMss: number
  rcvMss: number
  unacked: number
  sacked: number
  lost: number
  retrans: number
  lastDataSentMs: number
  lastDataRecvMs: number
  lastAckRecvMs: number
  pmtu: number
  rcvSsthresh: number
  rtt: number
  rttvar: number
  sndSsthresh: number
  sndCwnd: number
  advmss: number
  reordering: number
  rcvRtt: number
  rcvSpace: number
  totalRetrans: number
  /** Bytes a second; undefined: as fast as can be. */
  pacingRate: number | undefined
  bytesAcked: number
  bytesReceived: number
  segsOut: number
  segsIn: number
  notsentBytes: number
  minRtt: number
  dataSegsIn: number
  dataSegsOut: number
  deliveryRate: number
  delivered: number
  bytesSent: number
  bytesRetrans: number
  dsackDups: number
  reordSeen: number
  rcvOooPack: number
  sndWnd: number
  rcvWnd: number
  /** How long there was something to send. */
  busyTime: number
  congestion: string
}

const JIFFY_US = 1e6 / HZ

export function tcpInfo(socket: TcpSock): TcpInfo {
  const now = socket.jiffies
  const listening = socket.state === TCP_LISTEN
  const ms = (jiffies: number) => (jiffies * 1000) / HZ
  const interval = socket.rateIntervalUs
  return {
    state: socket.state,
    caState: socket.caState,
    retransmits: socket.retransmits,
    probes: socket.probesOut,
    backoff: socket.backoff,
    timestamps: socket.tstampOk,
    sack: socket.sackOk,
    ecn: socket.ecnOk,
    ecnSeen: socket.ecnSeen,
    wscale: socket.wscaleOk,
    sndWscale: socket.sndWscale,
    rcvWscale: socket.rcvWscale,
    rateAppLimited: socket.rateAppLimited,
    rto: socket.rto * JIFFY_US,
    ato: socket.ackAto * JIFFY_US,
    sndMss: socket.mssCache,
    rcvMss: socket.rcvMss,
    unacked: listening ? (socket.accepts?.length ?? 0) : socket.packetsOut,
    sacked: listening ? (socket.accepts?.backlog ?? 0) : socket.sackedOut,
    lost: socket.lostOut,
    retrans: socket.retransOut,
    lastDataSentMs: ms(now - socket.lsndtime),
    lastDataRecvMs: ms(now - socket.lrcvtime),
    lastAckRecvMs: ms(now - socket.rcvTstamp),
    pmtu: socket.pmtuCookie,
    rcvSsthresh: socket.rcvSsthresh,
    rtt: socket.srttUs >> 3,
    rttvar: socket.mdevUs >> 2,
    sndSsthresh: socket.sndSsthresh,
    sndCwnd: socket.sndCwnd,
    advmss: socket.advmss,
    reordering: socket.reordering,
    rcvRtt: Math.floor(socket.rcvRttUs / 8),
    rcvSpace: socket.rcvqSpace,
    totalRetrans: socket.totalRetrans,
    pacingRate: Number.isFinite(socket.pacingRate) ? socket.pacingRate : undefined,
    bytesAcked: socket.bytesAcked,
    bytesReceived: socket.bytesReceived,
    segsOut: socket.segsOut,
    segsIn: socket.segsIn,
    notsentBytes: Math.max(0, (socket.writeSeq - socket.sndNxt) | 0),
    minRtt: socket.rtt0.v,
    dataSegsIn: socket.dataSegsIn,
    dataSegsOut: socket.dataSegsOut,
    deliveryRate: interval > 0 ? Math.floor((socket.rateDelivered * socket.mssCache * 1e6) / interval) : 0,
    delivered: socket.delivered,
    bytesSent: socket.bytesSent,
    bytesRetrans: socket.bytesRetrans,
    dsackDups: socket.dsackDups,
    reordSeen: socket.reordSeen,
    rcvOooPack: socket.rcvOooPack,
    sndWnd: socket.sndWnd,
    rcvWnd: socket.rcvWnd,
    busyTime: (socket.busyJiffies + (socket.busySince >= 0 ? now - socket.busySince : 0)) * JIFFY_US,
    congestion: socket.congestion.name,
  }
}

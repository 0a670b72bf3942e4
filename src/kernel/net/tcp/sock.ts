/**
 * A TCP socket as the kernel keeps it: one flat object, which outlives the program's descriptor while it closes, and is
 * there before the descriptor while it waits to be accepted. What is done with it is in the files beside this one.
 *
 * Names are those of struct tcp_sock and inet_connection_sock in our spelling. Linux 6.1 include/linux/tcp.h,
 * include/net/inet_connection_sock.h.
 */
import { type Errno, type Host, WaitQueue } from '#kernel/core'
import type { Ipv6Address, Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import type { AcceptQueue } from './accept-queue.ts'
import type { AddressFamily, Path } from './address-family.ts'
import type { CongestionControl } from './congestion.ts'
import {
  CA_OPEN,
  INFINITE_SSTHRESH,
  INIT_CWND,
  MIN_MSS,
  RTO_MIN,
  TCP_CLOSE,
  TIMEOUT_INIT,
  TIMER_NONE,
} from './constants.ts'
import { CubicState } from './cubic.ts'
import { Endpoint } from './endpoint.ts'
import type { TcpHost } from './host.ts'
import type { Bind } from './ports.ts'
import { leave } from './receive.ts'
import { Received } from './received.ts'
import { SegmentQueue, SentOrder } from './segment.ts'
import type { TcpSysctls } from './sysctls.ts'
import { fireTimers } from './timers.ts'
import type { TimeWait } from './timewait.ts'

export type Address = number | Ipv6Address

const NEVER = Number.POSITIVE_INFINITY
/** Before any time; not a whole number, so that the engine keeps such a field as a double from the first on. */
const BOOT_NS = -0.5

/** The newest of the smallest round trip times of a window. Linux 6.1 lib/win_minmax.c. */
export interface MinSample {
  t: number
  v: number
}

/** Packets that came out of sequence and follow one another, joined as far as their memory can be: an sk_buff of its queue. */
export interface Stretch {
  seq: number
  end: number
  packets: Packet[]
  /** What they take in memory. */
  size: number
  frags: number
  /** How many bytes could be copied behind them. */
  room: number
}

export class TcpSock extends Endpoint {
  readonly host: Host
  readonly tcp: TcpHost
  af: AddressFamily
  /** What socket(2) was asked for; an AF_INET6 socket may speak IPv4. */
  domain: 'AF_INET' | 'AF_INET6' = 'AF_INET'
  inode = 0
  readonly queue = new WaitQueue()

  // The socket's own.
  /** What bind(2) said; `local` is what packets have to be for, this what they are sent from. inet_saddr. */
  sourceAddress: Address
  /** SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK. */
  addressLocked = false
  portLocked = false
  bind: Bind | undefined = undefined
  bindNext: TcpSock | TimeWait | undefined = undefined
  bindPrevious: TcpSock | TimeWait | undefined = undefined
  /** The way to the peer, while it is valid. sk_dst_cache. */
  path: Path | undefined = undefined
  error: Errno | undefined = undefined
  softError: Errno | undefined = undefined
  shutdown = 0
  /** Nobody has a descriptor any more. SOCK_DEAD. */
  orphan = false
  /** Whether a program has a descriptor (a socket in the accept queue has none). */
  attached = false
  orphanCounted = false
  destroyed = false
  /** The FIN or the reset has been seen. SOCK_DONE. */
  done = false
  /** A call or a timer is at work on it: segments wait in `backlog`. */
  busy = false
  backlog: { packet: Packet; device: NetDevice }[] | undefined = undefined
  /** A program waits to write while the connection is being made. */
  writePending = false
  /** An AF_INET6 socket that takes IPv4 too. */
  dualStack = false
  /** A writer waits for room. SOCK_NOSPACE. */
  noSpace = false
  ipId = 0
  drops = 0

  // Options.
  reuseAddress = false
  reusePort = false
  keepAlive = false
  /** SO_LINGER; -1: off. In seconds. */
  linger = -1
  oobInline = false
  mark = 0
  priority = 0
  tos = 0
  ttl = -1
  minTtl = 0
  pmtuDiscover = 1
  freebind = false
  receiveErrors = false
  dontRoute = false
  timestamp = false
  receiveLowat = 1
  ipOptions: { bytes: Uint8Array; first: number; at: unknown } | undefined = undefined
  /** Where an IPv6 socket keeps what is its family's. */
  family: unknown = undefined
  sendBuffer: number
  receiveBuffer: number
  sendBufferLocked = false
  receiveBufferLocked = false
  nonagle = 0
  /** TCP_KEEPIDLE, TCP_KEEPINTVL in jiffies and TCP_KEEPCNT; 0: the host's. */
  keepaliveTime = 0
  keepaliveIntvl = 0
  keepaliveProbes = 0
  synRetries = 0
  /** TCP_LINGER2 in jiffies; 0: the host's. */
  linger2 = 0
  /** TCP_DEFER_ACCEPT, in retransmissions. */
  deferAccept = 0
  windowClamp = 0
  userTimeout = 0
  userMss = 0
  notsentLowat = 0
  thinLinear = false
  maxPacingRate = NEVER

  // Listening.
  accepts: AcceptQueue | undefined = undefined
  /** Whose accept queue it waits in. */
  parent: TcpSock | undefined = undefined

  // Sequence numbers; signed 32 bits.
  writeSeq = 0
  pushedSeq = 0
  sndUna = 0
  sndNxt = 0
  sndSml = 0
  sndWnd = 0
  sndWl1 = 0
  maxWindow = 0
  rcvNxt = 0
  copiedSeq = 0
  rcvWup = 0
  rcvWnd = 0
  rcvSsthresh = 0
  /** What the last round of sending was held back by: the peer's window. */
  rwndLimited = false
  /** The peer has shown that it is there: its neighbour entry is confirmed with the next segment. */
  confirmPending = false

  // Options of the connection.
  mssCache = 536
  mssClamp = 536
  advmss = 536
  pmtuCookie = 0
  extHeaderLength = 0
  headerLength = 20
  tstampOk = false
  wscaleOk = false
  sackOk = false
  sndWscale = 0
  rcvWscale = 0
  tsOffset = 0
  tsRecent = 0
  tsRecentStamp = 0
  sawTstamp = false
  rcvTsval = 0
  rcvTsecr = 0
  ecnOk = false
  ecnDemandCwr = false
  ecnQueueCwr = false
  ecnSeen = false

  // Sending.
  readonly unsent = new SegmentQueue()
  readonly sent = new SegmentQueue()
  readonly sentOrder = new SentOrder()
  wmemQueued = 0
  packetsOut = 0
  sackedOut = 0
  lostOut = 0
  retransOut = 0
  /** Time now, in microseconds since boot, as of the last look. tcp_mstamp. */
  mstampUs = 0
  /** When the last segment was sent, in ns since boot. tcp_wstamp_ns. */
  wstampNs = BOOT_NS
  clockNs = BOOT_NS
  pacingRate = NEVER
  lsndtime = 0

  // Round trips, in microseconds; srtt and mdev scaled as Linux has them.
  srttUs = 0
  mdevUs = 1_000_000
  mdevMaxUs = 0
  rttvarUs = 0
  rttSeq = 0
  rtt0: MinSample = { t: 0, v: 0xffffffff }
  rtt1: MinSample = { t: 0, v: 0xffffffff }
  rtt2: MinSample = { t: 0, v: 0xffffffff }

  // Timers; `rto` and `pendingAt` in jiffies.
  rto = TIMEOUT_INIT
  rtoMin = RTO_MIN
  pending = TIMER_NONE
  pendingAt = 0
  retransmits = 0
  backoff = 0
  probesOut = 0
  probesTstamp = 0
  retransStamp = 0
  totalRetrans = 0
  #slot = -1
  #armedNs = NEVER
  /** When each is due, in ticks, and when it was set: the wheel's bucket depends on both. -1: it isn't set. */
  retransAt = -1
  retransFrom = 0
  delackAt = -1
  delackFrom = 0
  keepaliveAt = -1
  keepaliveFrom = 0
  compressedNs = NEVER

  // Congestion.
  congestion: CongestionControl
  readonly cubic = new CubicState()
  caState = CA_OPEN
  sndCwnd = INIT_CWND
  sndCwndCnt = 0
  sndCwndClamp = 0x7fffffff
  sndCwndUsed = 0
  sndCwndStamp = 0
  sndSsthresh = INFINITE_SSTHRESH
  priorCwnd = 0
  priorSsthresh = 0
  prrDelivered = 0
  prrOut = 0
  isCwndLimited = false
  maxPacketsOut = 0
  cwndUsageSeq = 0
  highSeq = 0
  undoMarker = 0
  undoRetrans = 0
  frto = false
  isSackReneg = false
  reordering = 3
  reordSeen = 0
  tlpHighSeq = 0
  /** Whether a probe is out; its end is tlpHighSeq. */
  tlpPending = false
  tlpRetrans = false
  /** The end of what was sacked last; -1 without: tcp_highest_sack. */
  highestSack: import('./segment.ts').Segment | undefined = undefined
  retransmitHint: import('./segment.ts').Segment | undefined = undefined
  lostHint: import('./segment.ts').Segment | undefined = undefined
  lostCntHint = 0
  lost = 0
  // RACK.
  rackUs = 0
  rackEndSeq = 0
  rackRttUs = 0
  rackAdvanced = false
  rackReoWndSteps = 1
  rackReoWndPersist = 0
  rackDsackSeen = false
  rackLastDelivered = 0
  /** Since when there is something to send or unacknowledged (-1: there isn't), and for how long there was before. In jiffies. */
  busySince = -1
  busyJiffies = 0
  // Delivery rate.
  delivered = 0
  deliveredCe = 0
  deliveredUs = 0
  firstTxUs = 0
  appLimitedUntil = 1
  rateDelivered = 0
  rateIntervalUs = 0
  rateAppLimited = true

  /** TCP small queues: how much waits in this host's queues, whether sending waits for it, and is about to go on. */
  inQueue = 0
  throttled = false
  tasklet = false

  // Receiving.
  readonly received = new Received()
  outOfOrder: Stretch[] = []
  /** The urgent byte and what is known of it (tp->urg_data), and its number. See urgent.ts. */
  urgentData = 0
  urgentSeq = 0
  /** Where urgent data that were sent end: tp->snd_up. */
  sendUrgent = 0
  /** The peer's last SACK blocks, in order of their numbers. */
  sackCache: { start: number; end: number }[] = []
  /** Pairs of edges: what was received out of order, the newest first. */
  sacks: number[] = []
  dsackStart = 0
  dsackEnd = 0
  dsack = false
  rmemAlloc = 0
  /** Memory that is this socket's and not used: sk_forward_alloc, as far as receiving goes. */
  forwardAlloc = 0
  /** Whether incoming segments may take the fast way. pred_flags. */
  fastPath = false
  rcvOooPack = 0
  compressedAck = 0
  compressedAckRcvNxt = 0
  dupAckCounter = 0
  // Delayed acknowledgements.
  ackPending = 0
  ackQuick = 0
  ackPingpong = 0
  ackRetry = 0
  ackAto = 0
  ackTimeout = 0
  lrcvtime = 0
  lastSegSize = 0
  rcvMss = MIN_MSS
  /** When a segment was last received, in jiffies; for keepalive. rcv_tstamp. */
  rcvTstamp = 0
  lastOowAck = 0
  // Buffer tuning.
  rcvRttUs = 0
  rcvRttSeq = 0
  rcvRttTime = 0
  rcvRttLastTsecr = 0
  rcvqSpace = 0
  rcvqSeq = 0
  rcvqTime = 0

  // What `ss -i` tells.
  segsIn = 0
  segsOut = 0
  dataSegsIn = 0
  dataSegsOut = 0
  bytesSent = 0
  bytesAcked = 0
  bytesReceived = 0
  bytesRetrans = 0
  dsackDups = 0
  // Path MTU probing.
  mtuProbing = false
  searchHigh = 0
  searchLow = 0

  constructor(tcp: TcpHost, af: AddressFamily) {
    super(TCP_CLOSE, af.any, 0, af.any, 0, 0)
    this.host = tcp.host
    this.tcp = tcp
    this.af = af
    this.sourceAddress = af.any
    this.sendBuffer = tcp.sysctls.wmem1
    this.receiveBuffer = tcp.sysctls.rmem1
    this.congestion = tcp.congestion
    this.reordering = tcp.sysctls.reordering
  }

  get sysctls(): Readonly<TcpSysctls> {
    return this.tcp.sysctls
  }

  /** tcp_jiffies32. */
  get jiffies(): number {
    return this.tcp.jiffies
  }

  /** Milliseconds, as timestamps count them; `tsOffset` isn't in it. tcp_time_stamp(). */
  get timeStamp(): number {
    return Math.floor(this.mstampUs / 1000) | 0
  }

  /** tcp_mstamp_refresh(). */
  refresh(): void {
    const ns = this.host.sim.nowNs - this.host.bootedNs
    this.clockNs = ns
    this.mstampUs = Math.floor(ns / 1000)
  }

  // The three timers of a socket share a slot of the queue: it is armed for the earliest, and a deadline that moves away
  // only writes a number.
  setRetransTimer(jiffies: number): void {
    this.retransAt = jiffies
    this.retransFrom = this.tcp.jiffies
    this.#arm(this.tcp.tickNs(Math.max(jiffies, this.tcp.jiffies) + 1))
  }

  setDelackTimer(jiffies: number): void {
    this.delackAt = jiffies
    this.delackFrom = this.tcp.jiffies
    this.#arm(this.tcp.tickNs(Math.max(jiffies, this.tcp.jiffies) + 1))
  }

  setKeepaliveTimer(jiffies: number): void {
    this.keepaliveAt = jiffies
    this.keepaliveFrom = this.tcp.jiffies
    this.#arm(this.tcp.tickNs(Math.max(jiffies, this.tcp.jiffies) + 1))
  }

  setCompressedTimer(ns: number): void {
    this.compressedNs = ns
    this.#arm(ns)
  }

  #arm(ns: number): void {
    if (ns >= this.#armedNs) return
    const { sim } = this.host
    if (this.#slot < 0) this.#slot = sim.slot('tcp', this)
    this.#armedNs = ns
    sim.arm(this.#slot, ns)
  }

  /** A packet of it waits in a queue of this host. */
  queued(bytes: number): void {
    this.inQueue += bytes
  }

  /** It has left, or was dropped: whoever waited for that sends on, in a tasklet. tcp_wfree(). */
  unqueued(bytes: number): void {
    this.inQueue -= bytes
    if (!this.throttled || this.destroyed) return
    this.throttled = false
    this.tasklet = true
    this.#arm(this.host.sim.nowNs)
  }

  /** The slot's event. */
  fire(): void {
    this.#armedNs = NEVER
    this.busy = true
    fireTimers(this, this.host.sim.nowNs)
    leave(this)
    if (this.#slot < 0) return
    const { tcp } = this
    let next = this.compressedNs
    if (this.retransAt >= 0) next = Math.min(next, tcp.wheelNs(this.retransFrom, this.retransAt))
    if (this.delackAt >= 0) next = Math.min(next, tcp.wheelNs(this.delackFrom, this.delackAt))
    if (this.keepaliveAt >= 0) next = Math.min(next, tcp.wheelNs(this.keepaliveFrom, this.keepaliveAt))
    if (next !== NEVER) this.#arm(next)
  }

  /** No timer of it fires any more. */
  dropTimers(): void {
    this.pending = TIMER_NONE
    this.retransAt = -1
    this.delackAt = -1
    this.keepaliveAt = -1
    this.compressedNs = NEVER
    if (this.#slot >= 0) this.host.sim.release(this.#slot)
    this.#slot = -1
    this.#armedNs = NEVER
  }

  get packetsInFlight(): number {
    return this.packetsOut - this.sackedOut - this.lostOut + this.retransOut
  }

  /** The end of what the peer's window allows. tcp_wnd_end(). */
  get wndEnd(): number {
    return (this.sndUna + this.sndWnd) | 0
  }

  /** What is left of the window that was offered. tcp_receive_window(). */
  get receiveWindow(): number {
    const left = (this.rcvWup + this.rcvWnd - this.rcvNxt) | 0
    return Math.max(left, 0)
  }

  /** tcp_win_from_space(). */
  windowFrom(space: number): number {
    const scale = this.tcp.sysctls.advWinScale
    return scale <= 0 ? space >> -scale : space - (space >> scale)
  }

  /** Makes sure that so much can be charged, in whole pages. sk_rmem_schedule(). */
  scheduleMemory(size: number): void {
    const lacking = size - this.forwardAlloc
    if (lacking > 0) this.forwardAlloc += (lacking + 4095) & ~4095
  }

  chargeMemory(size: number): void {
    this.rmemAlloc += size
    this.forwardAlloc -= size
  }

  /** What is free goes back by whole pages. sk_mem_uncharge(). */
  unchargeMemory(size: number): void {
    this.rmemAlloc -= size
    this.forwardAlloc += size
    if (this.forwardAlloc >= 4096) this.forwardAlloc &= 4095
  }

  /** tcp_space(). */
  get space(): number {
    return this.windowFrom(this.receiveBuffer - this.rmemAlloc)
  }

  get fullSpace(): number {
    return this.windowFrom(this.receiveBuffer)
  }

  get pingpong(): boolean {
    return this.ackPingpong >= 3
  }

  /** Whether something is received in sequence that nobody has read. */
  get unread(): number {
    return (this.rcvNxt - this.copiedSeq) | 0
  }
}

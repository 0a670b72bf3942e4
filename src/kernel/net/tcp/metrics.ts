/**
 * What was learned of a peer, for the next connection to it: its round trip time and how much it reorders.
 * Linux 6.1 net/ipv4/tcp_metrics.c.
 */
import { HZ } from '../jiffies.ts'
import { inInitialSlowStart, inSlowStart } from './congestion.ts'
import { CA_OPEN, INFINITE_SSTHRESH } from './constants.ts'
import { rtoMin } from './rtt.ts'
import type { Address, TcpSock } from './sock.ts'

/** TCP_METRICS_RECLAIM_DEPTH and the size of the table bound it. */
const ENTRIES_MAX = 8192

export interface PeerMetrics {
  local: Address
  remote: Address
  /** Scaled by 8, in microseconds; 0: unknown. */
  rttUs: number
  rttvarUs: number
  ssthresh: number
  cwnd: number
  reordering: number
  /** In jiffies. */
  stamp: number
}

export class MetricsCache {
  readonly entries = new Map<Address, Map<Address, PeerMetrics>>()
  #size = 0

  find(local: Address, remote: Address): PeerMetrics | undefined {
    return this.entries.get(remote)?.get(local)
  }

  make(local: Address, remote: Address): PeerMetrics {
    let inner = this.entries.get(remote)
    if (!inner) {
      if (this.#size >= ENTRIES_MAX) this.clear()
      inner = new Map()
      this.entries.set(remote, inner)
    }
    let found = inner.get(local)
    if (!found) {
      found = { local, remote, rttUs: 0, rttvarUs: 0, ssthresh: 0, cwnd: 0, reordering: 0, stamp: 0 }
      inner.set(local, found)
      this.#size++
    }
    return found
  }

  clear(): void {
    this.entries.clear()
    this.#size = 0
  }
}

/** A connection ends: what it knows is kept. tcp_update_metrics(). */
export function saveMetrics(socket: TcpSock): void {
  const { metrics, sysctls } = socket.tcp
  socket.confirmPending = true
  if (sysctls.noMetricsSave !== 0 || !socket.path) return
  if (socket.backoff !== 0 || socket.srttUs === 0) {
    const known = metrics.find(socket.local, socket.remote)
    if (known) known.rttUs = 0
    return
  }
  const known = metrics.make(socket.local, socket.remote)
  let m = known.rttUs - socket.srttUs
  known.rttUs = m <= 0 ? socket.srttUs : known.rttUs - (m >> 3)
  m = Math.max(Math.abs(m) >> 1, socket.mdevUs)
  known.rttvarUs = m >= known.rttvarUs ? m : known.rttvarUs - ((known.rttvarUs - m) >> 2)
  if (inInitialSlowStart(socket)) {
    if (socket.sndCwnd > known.cwnd) known.cwnd = socket.sndCwnd
  } else if (!inSlowStart(socket) && socket.caState === CA_OPEN) {
    if (sysctls.noSsthreshMetricsSave === 0) known.ssthresh = Math.max(socket.sndCwnd >> 1, socket.sndSsthresh)
    known.cwnd = (known.cwnd + socket.sndCwnd) >> 1
  } else {
    known.cwnd = (known.cwnd + socket.sndSsthresh) >> 1
    if (known.reordering < socket.reordering && socket.reordering !== sysctls.reordering) {
      known.reordering = socket.reordering
    }
  }
  known.stamp = socket.jiffies
}

/** A connection begins with what is known. tcp_init_metrics(). */
export function initMetrics(socket: TcpSock): void {
  socket.confirmPending = true
  socket.sndSsthresh = INFINITE_SSTHRESH
  const known = socket.path ? socket.tcp.metrics.find(socket.local, socket.remote) : undefined
  let rttUs = 0
  if (known) {
    if (socket.sysctls.noSsthreshMetricsSave === 0 && known.ssthresh !== 0) {
      socket.sndSsthresh = Math.min(known.ssthresh, socket.sndCwndClamp)
    }
    if (known.reordering !== 0) socket.reordering = known.reordering
    rttUs = known.rttUs
  }
  if (rttUs > socket.srttUs) {
    const jiffies = Math.floor(rttUs / 8 / 4000)
    socket.rto = jiffies + Math.max(2 * jiffies, rtoMin(socket))
  } else if (socket.srttUs === 0) {
    // No sample of the handshake: three seconds. RFC 6298 section 5.7.
    socket.rttvarUs = 3_000_000
    socket.mdevUs = 3_000_000
    socket.mdevMaxUs = 3_000_000
    socket.rto = 3 * HZ
  }
}

/** Whether the peer has been heard of before. tcp_peer_is_proven(). */
export function isProven(metrics: MetricsCache, local: Address, remote: Address): boolean {
  return (metrics.find(local, remote)?.rttUs ?? 0) !== 0
}

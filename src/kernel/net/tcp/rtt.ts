/**
 * Round trip times, the retransmission timeout, the rate that follows. Linux 6.1 net/ipv4/tcp_input.c:
 * tcp_rtt_estimator(), tcp_ack_update_rtt(), tcp_update_pacing_rate(); lib/win_minmax.c. RFC 6298.
 */
import { HZ, JIFFY_NS } from '../jiffies.ts'
import { F_ACK_MAYBE_DELAYED, F_ACKED, RTO_MAX } from './constants.ts'
import { after } from './sequence.ts'
import type { MinSample, TcpSock } from './sock.ts'

const JIFFY_US = JIFFY_NS / 1000

/** Rounded up. */
export function usecsToJiffies(us: number): number {
  return Math.ceil(us / JIFFY_US)
}

export function jiffiesToUsecs(jiffies: number): number {
  return jiffies * JIFFY_US
}

/** The least variation that counts, in microseconds. tcp_rto_min_us(). */
export function rtoMinUs(socket: TcpSock): number {
  return jiffiesToUsecs(rtoMin(socket))
}

/** tcp_rto_min(), in jiffies. */
export function rtoMin(socket: TcpSock): number {
  const metric = socket.path ? socket.af.metric(socket.path, 'rto_min') : 0
  // The metric is in milliseconds, and counts only if it is locked, which `ip route` does with it.
  return metric !== 0 ? Math.ceil((metric * HZ) / 1000) : socket.rtoMin
}

function estimate(socket: TcpSock, measuredUs: number): void {
  let m = measuredUs
  let srtt = socket.srttUs
  if (srtt !== 0) {
    m -= srtt >> 3
    srtt += m
    if (m < 0) {
      m = -m - (socket.mdevUs >> 2)
      if (m > 0) m >>= 3
    } else m -= socket.mdevUs >> 2
    socket.mdevUs += m
    if (socket.mdevUs > socket.mdevMaxUs) {
      socket.mdevMaxUs = socket.mdevUs
      if (socket.mdevMaxUs > socket.rttvarUs) socket.rttvarUs = socket.mdevMaxUs
    }
    if (after(socket.sndUna, socket.rttSeq)) {
      if (socket.mdevMaxUs < socket.rttvarUs) socket.rttvarUs -= (socket.rttvarUs - socket.mdevMaxUs) >> 2
      socket.rttSeq = socket.sndNxt
      socket.mdevMaxUs = rtoMinUs(socket)
    }
  } else {
    srtt = m << 3
    socket.mdevUs = m << 1
    socket.rttvarUs = Math.max(socket.mdevUs, rtoMinUs(socket))
    socket.mdevMaxUs = socket.rttvarUs
    socket.rttSeq = socket.sndNxt
  }
  socket.srttUs = Math.max(1, srtt)
}

/** The timeout that the estimate asks for, in jiffies. __tcp_set_rto(). */
export function estimatedRto(socket: TcpSock): number {
  return usecsToJiffies((socket.srttUs >> 3) + socket.rttvarUs)
}

function put(into: MinSample, t: number, v: number): void {
  into.t = t
  into.v = v
}

/** Puts a new minimum into the window of so many ticks. minmax_running_min(). */
function runningMin(socket: TcpSock, window: number, t: number, v: number): void {
  const { rtt0, rtt1, rtt2 } = socket
  if (v <= rtt0.v || t - rtt2.t > window) {
    resetMin(socket, t, v)
    return
  }
  if (v <= rtt1.v) {
    put(rtt1, t, v)
    put(rtt2, t, v)
  } else if (v <= rtt2.v) put(rtt2, t, v)
  const age = t - rtt0.t
  if (age > window) {
    // The best is too old: the second takes its place, and so on.
    for (let round = 0; round < 2 && t - rtt0.t > window; round++) {
      put(rtt0, rtt1.t, rtt1.v)
      put(rtt1, rtt2.t, rtt2.v)
      put(rtt2, t, v)
    }
  } else if (rtt1.t === rtt0.t && age > window / 4) {
    put(rtt1, t, v)
    put(rtt2, t, v)
  } else if (rtt2.t === rtt1.t && age > window / 2) put(rtt2, t, v)
}

/** Forgets the smallest round trip times but one. */
export function resetMin(socket: TcpSock, t: number, v: number): void {
  put(socket.rtt0, t, v)
  put(socket.rtt1, t, v)
  put(socket.rtt2, t, v)
}

/**
 * Takes what an acknowledgement says of the round trip: of a segment that it acknowledges, of one that it sacks; -1: nothing.
 * Whether there was anything. `into` is told the last segment's.
 */
export function updateRtt(
  socket: TcpSock,
  flag: number,
  seqUs: number,
  sackUs: number,
  congestionUs: number,
  into: { rttUs: number },
): boolean {
  if (seqUs < 0) seqUs = sackUs
  if (seqUs < 0 && socket.sawTstamp && socket.rcvTsecr !== 0 && flag & F_ACKED) {
    const delta = (socket.timeStamp - socket.rcvTsecr) >>> 0
    if (delta < 2147483) {
      seqUs = Math.max(delta, 1) * 1000
      congestionUs = seqUs
    }
  }
  into.rttUs = congestionUs
  if (seqUs < 0) return false
  if (!(flag & F_ACK_MAYBE_DELAYED && congestionUs > socket.rtt0.v)) {
    runningMin(socket, socket.sysctls.minRttWlen * HZ, socket.jiffies, congestionUs || JIFFY_US)
  }
  estimate(socket, seqUs)
  socket.rto = Math.min(estimatedRto(socket), RTO_MAX)
  socket.backoff = 0
  return true
}

/** Twice the current rate in slow start, else 1.2 times: it says how much is sent at once, though nothing is paced. */
export function updatePacingRate(socket: TcpSock): void {
  const { pacingSsRatio, pacingCaRatio } = socket.sysctls
  let rate = socket.mssCache * 80_000
  rate *= socket.sndCwnd < socket.sndSsthresh / 2 ? pacingSsRatio : pacingCaRatio
  rate *= Math.max(socket.sndCwnd, socket.packetsOut)
  if (socket.srttUs !== 0) rate = Math.floor(rate / socket.srttUs)
  socket.pacingRate = Math.min(rate, socket.maxPacingRate)
}

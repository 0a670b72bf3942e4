/**
 * CUBIC with HyStart. Linux 6.1 net/ipv4/tcp_cubic.c; RFC 9438; Ha and Rhee, "Taming the elephants" (HyStart).
 */
import { HZ } from '../jiffies.ts'
import { additiveIncrease, type CongestionControl, inSlowStart, slowStart } from './congestion.ts'
import { CA_LOSS, GSO_MAX_SIZE } from './constants.ts'
import { isCwndLimited } from './cwnd.ts'
import { usecsToJiffies } from './rtt.ts'
import { after } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** 717/1024: what is left of the window after a loss. */
const BETA = 717
const BETA_SCALE = 1024
/** How a window of Reno's would grow: 8 * (1024 + beta) / 3 / (1024 - beta). */
const FRIENDLY = 15
/** C / RTT in the kernel's units, and its inverse: 2^40 / 410. */
const CUBE_RTT = 410
const CUBE_FACTOR = Math.floor(2 ** 40 / CUBE_RTT)
const HYSTART_LOW_WINDOW = 16
const HYSTART_SAMPLES = 8
const HYSTART_ACK_DELTA_US = 2000

/** struct bictcp. */
export class CubicState {
  cnt = 0
  lastMaxCwnd = 0
  lastCwnd = 0
  lastTime = 0
  origin = 0
  k = 0
  delayMinUs = 0
  /** In jiffies; 0: an epoch begins with the next acknowledgement. */
  epochStart = 0
  ackCnt = 0
  tcpCwnd = 0
  // HyStart.
  found = false
  sampleCnt = 0
  roundStartUs = 0
  endSeq = 0
  lastAckUs = 0
  currRttUs = 0
}

function reset(ca: CubicState): void {
  ca.cnt = 0
  ca.lastMaxCwnd = 0
  ca.lastCwnd = 0
  ca.lastTime = 0
  ca.origin = 0
  ca.k = 0
  ca.delayMinUs = 0
  ca.epochStart = 0
  ca.ackCnt = 0
  ca.tcpCwnd = 0
  ca.found = false
}

function hystartReset(socket: TcpSock): void {
  const ca = socket.cubic
  ca.roundStartUs = socket.mstampUs
  ca.lastAckUs = socket.mstampUs
  ca.endSeq = socket.sndNxt
  ca.currRttUs = 0x7fffffff
  ca.sampleCnt = 0
}

/** bictcp_update(): after how many acknowledgements the window grows by one. */
function update(socket: TcpSock, cwnd: number, acked: number): void {
  const ca = socket.cubic
  const now = socket.jiffies
  ca.ackCnt += acked
  if (ca.lastCwnd === cwnd && now - ca.lastTime <= Math.floor(HZ / 32)) return
  if (ca.epochStart === 0 || now !== ca.lastTime) {
    ca.lastCwnd = cwnd
    ca.lastTime = now
    if (ca.epochStart === 0) {
      ca.epochStart = now
      ca.ackCnt = acked
      ca.tcpCwnd = cwnd
      if (ca.lastMaxCwnd <= cwnd) {
        ca.k = 0
        ca.origin = cwnd
      } else {
        ca.k = Math.floor(Math.cbrt(CUBE_FACTOR * (ca.lastMaxCwnd - cwnd)))
        ca.origin = ca.lastMaxCwnd
      }
    }
    const t = Math.floor(((now - ca.epochStart + usecsToJiffies(ca.delayMinUs)) * 1024) / HZ)
    const offset = Math.abs(t - ca.k)
    const delta = Math.floor((CUBE_RTT * offset * offset * offset) / 2 ** 40)
    const target = t < ca.k ? ca.origin - delta : ca.origin + delta
    ca.cnt = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd
    if (ca.lastMaxCwnd === 0 && ca.cnt > 20) ca.cnt = 20
  }
  const step = (cwnd * FRIENDLY) >> 3
  if (step > 0 && ca.ackCnt > step) {
    const rounds = Math.ceil(ca.ackCnt / step) - 1
    ca.ackCnt -= rounds * step
    ca.tcpCwnd += rounds
  }
  if (ca.tcpCwnd > cwnd) ca.cnt = Math.min(ca.cnt, Math.floor(cwnd / (ca.tcpCwnd - cwnd)))
  ca.cnt = Math.max(ca.cnt, 2)
}

/** hystart_update(): whether slow start should end before losses end it. */
function hystart(socket: TcpSock, delayUs: number): void {
  const ca = socket.cubic
  const { counters } = socket.tcp
  if (after(socket.sndUna, ca.endSeq)) hystartReset(socket)
  if (socket.sndCwnd < HYSTART_LOW_WINDOW) return
  const now = socket.mstampUs
  if (now - ca.lastAckUs <= HYSTART_ACK_DELTA_US) {
    ca.lastAckUs = now
    const rate = socket.pacingRate
    const ackDelay = rate === 0 ? 0 : Math.min(1000, Math.floor((GSO_MAX_SIZE * 4_000_000) / rate))
    const threshold = (ca.delayMinUs + ackDelay) >> 1 // Nothing is paced here.
    if (now - ca.roundStartUs > threshold) {
      ca.found = true
      counters.TCPHystartTrainDetect++
      counters.TCPHystartTrainCwnd += socket.sndCwnd
      socket.sndSsthresh = socket.sndCwnd
    }
  }
  if (ca.currRttUs > delayUs) ca.currRttUs = delayUs
  if (ca.sampleCnt < HYSTART_SAMPLES) ca.sampleCnt++
  else if (ca.currRttUs > ca.delayMinUs + Math.min(Math.max(ca.delayMinUs >> 3, 4000), 16000)) {
    ca.found = true
    counters.TCPHystartDelayDetect++
    counters.TCPHystartDelayCwnd += socket.sndCwnd
    socket.sndSsthresh = socket.sndCwnd
  }
}

export const cubic: CongestionControl = {
  name: 'cubic',

  init(socket) {
    reset(socket.cubic)
    hystartReset(socket)
  },

  ssthresh(socket) {
    const ca = socket.cubic
    const cwnd = socket.sndCwnd
    ca.epochStart = 0
    ca.lastMaxCwnd = cwnd < ca.lastMaxCwnd ? Math.floor((cwnd * (BETA_SCALE + BETA)) / (2 * BETA_SCALE)) : cwnd
    return Math.max(Math.floor((cwnd * BETA) / BETA_SCALE), 2)
  },

  avoid(socket, acked) {
    if (!isCwndLimited(socket)) return
    let left = acked
    if (inSlowStart(socket)) {
      left = slowStart(socket, left)
      if (left === 0) return
    }
    update(socket, socket.sndCwnd, left)
    additiveIncrease(socket, socket.cubic.cnt, left)
  },

  state(socket, state) {
    if (state !== CA_LOSS) return
    reset(socket.cubic)
    hystartReset(socket)
  },

  started(socket) {
    const ca = socket.cubic
    const now = socket.jiffies
    const delta = now - socket.lsndtime
    // Idle time doesn't count: the curve goes on where it was.
    if (ca.epochStart !== 0 && delta > 0) ca.epochStart = Math.min(ca.epochStart + delta, now)
  },

  acked(socket, rttUs) {
    if (rttUs < 0) return
    const ca = socket.cubic
    if (ca.epochStart !== 0 && socket.jiffies - ca.epochStart < HZ) return
    const delay = rttUs === 0 ? 1 : rttUs
    if (ca.delayMinUs === 0 || ca.delayMinUs > delay) ca.delayMinUs = delay
    if (!ca.found && inSlowStart(socket)) hystart(socket, delay)
  },
}

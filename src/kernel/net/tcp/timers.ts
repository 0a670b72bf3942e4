/**
 * A socket's timers: retransmission (and what shares its timer), delayed acknowledgement, keepalive.
 * Linux 6.1 net/ipv4/tcp_timer.c; net/ipv4/tcp_output.c: tcp_send_probe0(), tcp_write_wakeup().
 */
import { HZ } from '../jiffies.ts'
import { inInitialSlowStart } from './congestion.ts'
import {
  ACK,
  ACK_SCHED,
  ACK_TIMER,
  ATO_MIN,
  CA_DISORDER,
  CA_LOSS,
  CA_RECOVERY,
  PSH,
  RTO_MAX,
  RTO_MIN,
  states,
  TCP_CLOSE,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT2,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TIMEOUT_INIT,
  TIMER_LOSS_PROBE,
  TIMER_NONE,
  TIMER_PROBE0,
  TIMER_REO,
  TIMER_RETRANS,
  TIMEWAIT_LEN,
} from './constants.ts'
import { done, doneWithError } from './done.ts'
import { currentMss, mssToMtu, mtuToMss, syncMss } from './mss.ts'
import {
  fragment,
  newDataSent,
  sendAck,
  sendActiveReset,
  setSegments,
  transmitControl,
  transmitSegment,
} from './output.ts'
import { reorderingTimeout } from './rack.ts'
import { enterLoss } from './recovery.ts'
import { retransmit } from './retransmit.ts'
import { estimatedRto, jiffiesToUsecs, rtoMin, usecsToJiffies } from './rtt.ts'
import { before, between } from './sequence.ts'
import { sendThrottled } from './small-queue.ts'
import type { TcpSock } from './sock.ts'
import { sendLossProbe } from './tail-loss.ts'
import { enterTimeWait } from './timewait.ts'

const NEVER = Number.POSITIVE_INFINITY
const HANDSHAKE = states(TCP_SYN_SENT, TCP_SYN_RECV)

export function msecsToJiffies(ms: number): number {
  return Math.ceil((ms * HZ) / 1000)
}

/** The retransmission timer, or what shares it: `what` in so many jiffies. */
export function resetXmitTimer(socket: TcpSock, what: number, when: number, most: number): void {
  const now = socket.jiffies
  socket.pending = what
  socket.pendingAt = now + Math.min(when, most)
  socket.setRetransTimer(socket.pendingAt)
}

/** In how many microseconds the first unacknowledged segment would be sent again. tcp_rto_delta_us(). */
export function rtoDeltaUs(socket: TcpSock): number {
  const head = socket.sent.head
  const rto = jiffiesToUsecs(socket.rto)
  return head ? head.sentUs + rto - socket.mstampUs : rto
}

/** tcp_rearm_rto(). */
export function rearmRto(socket: TcpSock): void {
  if (socket.packetsOut === 0) {
    // tcp_chrono_stop().
    if (socket.busySince >= 0 && socket.unsent.head === undefined) {
      socket.busyJiffies += socket.jiffies - socket.busySince
      socket.busySince = -1
    }
    socket.pending = TIMER_NONE
    return
  }
  let { rto } = socket
  if (socket.pending === TIMER_REO || socket.pending === TIMER_LOSS_PROBE) {
    rto = usecsToJiffies(Math.max(rtoDeltaUs(socket), 1))
  }
  resetXmitTimer(socket, TIMER_RETRANS, rto, RTO_MAX)
}

/** When the next window probe is due. tcp_probe0_when(). */
export function probe0When(socket: TcpSock): number {
  const base = Math.max(socket.rto, RTO_MIN)
  const backoff = Math.min(Math.floor(Math.log2(RTO_MAX / RTO_MIN)) + 1, socket.backoff)
  return Math.min(base * 2 ** backoff, RTO_MAX)
}

/** The slot's event: whichever is due. */
export function fireTimers(socket: TcpSock, nowNs: number): void {
  const { tcp } = socket
  if (socket.tasklet) sendThrottled(socket)
  if (socket.retransAt >= 0 && tcp.wheelNs(socket.retransFrom, socket.retransAt) <= nowNs) {
    socket.retransAt = -1
    writeTimer(socket)
  }
  if (socket.delackAt >= 0 && tcp.wheelNs(socket.delackFrom, socket.delackAt) <= nowNs) {
    socket.delackAt = -1
    delackTimer(socket)
  }
  if (socket.compressedNs <= nowNs) {
    socket.compressedNs = NEVER
    if (socket.compressedAck !== 0) {
      socket.compressedAck--
      socket.refresh()
      sendAck(socket)
    }
  }
  if (socket.keepaliveAt >= 0 && tcp.wheelNs(socket.keepaliveFrom, socket.keepaliveAt) <= nowNs) {
    socket.keepaliveAt = -1
    keepaliveTimer(socket)
  }
}

function writeTimer(socket: TcpSock): void {
  if (socket.state === TCP_CLOSE || socket.state === TCP_LISTEN || socket.pending === TIMER_NONE) return
  if (socket.pendingAt > socket.jiffies) {
    socket.setRetransTimer(socket.pendingAt)
    return
  }
  socket.refresh()
  const what = socket.pending
  if (what === TIMER_REO) reorderingTimeout(socket)
  else if (what === TIMER_LOSS_PROBE) sendLossProbe(socket)
  else {
    socket.pending = TIMER_NONE
    if (what === TIMER_RETRANS) retransmitTimer(socket)
    else if (what === TIMER_PROBE0) probeTimer(socket)
  }
}

/** tcp_write_err(). */
function writeError(socket: TcpSock): void {
  socket.tcp.counters.TCPAbortOnTimeout++
  doneWithError(socket, socket.softError ?? 'ETIMEDOUT')
}

/** Whether it has been tried for as long as so many retransmissions would take. `timeoutMs` 0: computed. */
function timedOut(socket: TcpSock, boundary: number, timeoutMs: number): boolean {
  if (socket.retransmits === 0) return false
  let limit = timeoutMs
  if (limit === 0) {
    const base = (1 << socket.state) & HANDSHAKE ? TIMEOUT_INIT : RTO_MIN
    const linear = Math.floor(Math.log2(RTO_MAX / base))
    const jiffies =
      boundary <= linear
        ? (2 ** (boundary + 1) - 1) * base
        : (2 ** (linear + 1) - 1) * base + (boundary - linear) * RTO_MAX
    limit = jiffies * (1000 / HZ)
  }
  return ((socket.timeStamp - socket.retransStamp - limit) | 0) >= 0
}

function orphanRetries(socket: TcpSock, alive: boolean): number {
  let retries = socket.sysctls.orphanRetries
  if (socket.softError !== undefined && !alive) retries = 0
  if (retries === 0 && alive) retries = 8
  return retries
}

/** Too many orphans. tcp_out_of_resources(). */
function outOfResources(socket: TcpSock, reset: boolean): boolean {
  let shift = 0
  if (socket.jiffies - socket.lsndtime > 2 * RTO_MAX || !reset) shift++
  if (socket.softError !== undefined) shift++
  if (socket.tcp.orphans << shift <= socket.sysctls.maxOrphans) return false
  const recent = socket.jiffies - socket.lsndtime <= TIMEWAIT_LEN || (socket.sndWnd === 0 && socket.packetsOut === 0)
  if (reset || recent) sendActiveReset(socket)
  done(socket)
  socket.tcp.counters.TCPAbortOnMemory++
  return true
}

/** Black hole detection. tcp_mtu_probing(). */
function mtuProbing(socket: TcpSock): void {
  const { mtuProbing: on, baseMss, mtuProbeFloor, minSndMss } = socket.sysctls
  if (on === 0) return
  if (!socket.mtuProbing) socket.mtuProbing = true
  else {
    let mss = mtuToMss(socket, socket.searchLow) >> 1
    mss = Math.max(Math.min(baseMss, mss), mtuProbeFloor, minSndMss)
    socket.searchLow = mssToMtu(socket, mss)
  }
  syncMss(socket, socket.pmtuCookie)
}

/** Whether the connection has been given up. tcp_write_timeout(). */
function writeTimeout(socket: TcpSock): boolean {
  const { synRetries, retries1, retries2 } = socket.sysctls
  let until: number
  let expired = false
  if ((1 << socket.state) & HANDSHAKE) {
    if (socket.retransmits !== 0) socket.path = undefined
    until = socket.synRetries || synRetries
    expired = socket.retransmits >= until
  } else {
    if (timedOut(socket, retries1, 0)) {
      mtuProbing(socket)
      socket.path = undefined
    }
    until = retries2
    if (socket.orphan) {
      const alive = socket.rto < RTO_MAX
      until = orphanRetries(socket, alive)
      if (outOfResources(socket, alive || !timedOut(socket, until, 0))) return true
    }
  }
  if (!expired) expired = timedOut(socket, until, socket.userTimeout)
  if (!expired) {
    socket.tcp.counters.TcpTimeoutRehash++
    return false
  }
  writeError(socket)
  return true
}

/** Nothing was acknowledged in time. tcp_retransmit_timer(). */
export function retransmitTimer(socket: TcpSock): void {
  if (socket.packetsOut === 0) return
  const head = socket.sent.head!
  const { counters } = socket.tcp
  const handshake = ((1 << socket.state) & HANDSHAKE) !== 0
  if (socket.sndWnd === 0 && !socket.orphan && !handshake) {
    // The peer took its window back: retransmissions are probes now.
    if (probe0TimedOut(socket, head.sentUs)) {
      writeError(socket)
      return
    }
    enterLoss(socket)
    retransmit(socket, head, 1)
    socket.path = undefined
  } else {
    counters.TCPTimeouts++
    if (writeTimeout(socket)) return
    if (socket.retransmits === 0) countFailure(socket)
    enterLoss(socket)
    socket.retransmits++
    retransmit(socket, socket.sent.head!, 1)
    socket.backoff++
  }
  const thin = socket.thinLinear || socket.sysctls.thinLinearTimeouts !== 0
  if (
    socket.state === TCP_ESTABLISHED &&
    thin &&
    socket.packetsOut < 4 &&
    !inInitialSlowStart(socket) &&
    socket.retransmits <= 6
  ) {
    socket.backoff = 0
    socket.rto = Math.min(Math.max(estimatedRto(socket), rtoMin(socket)), RTO_MAX)
  } else socket.rto = Math.min(socket.rto * 2, RTO_MAX)
  let { rto } = socket
  if (socket.userTimeout !== 0) {
    const left = socket.userTimeout - ((socket.timeStamp - socket.retransStamp) | 0)
    rto = left <= 0 ? 1 : Math.min(rto, msecsToJiffies(left))
  }
  resetXmitTimer(socket, TIMER_RETRANS, rto, RTO_MAX)
  if (timedOut(socket, socket.sysctls.retries1 + 1, 0)) socket.path = undefined
}

/** tcp_rtx_probe0_timed_out(). */
function probe0TimedOut(socket: TcpSock, sentUs: number): boolean {
  const since = (socket.timeStamp - (socket.retransStamp || Math.floor(sentUs / 1000))) | 0
  const timeout = (socket.userTimeout || (RTO_MAX * 2 * 1000) / HZ) | 0
  const rcvDelta = socket.jiffies - socket.rcvTstamp
  return rcvDelta > RTO_MAX * 2 && since > timeout
}

function countFailure(socket: TcpSock): void {
  const { counters } = socket.tcp
  const sack = socket.sackOk
  if (socket.caState === CA_RECOVERY) {
    if (sack) counters.TCPSackRecoveryFail++
    else counters.TCPRenoRecoveryFail++
  } else if (socket.caState === CA_LOSS) counters.TCPLossFailures++
  else if (socket.caState === CA_DISORDER || socket.sackedOut !== 0) {
    if (sack) counters.TCPSackFailures++
    else counters.TCPRenoFailures++
  }
}

function delackTimer(socket: TcpSock): void {
  if (socket.state === TCP_CLOSE || socket.state === TCP_LISTEN || !(socket.ackPending & ACK_TIMER)) return
  if (socket.ackTimeout > socket.jiffies) {
    socket.setDelackTimer(socket.ackTimeout)
    return
  }
  socket.ackPending &= ~ACK_TIMER
  if (!(socket.ackPending & ACK_SCHED)) return
  if (!socket.pingpong) socket.ackAto = Math.min(socket.ackAto * 2, socket.rto)
  else {
    socket.ackPingpong = 0
    socket.ackAto = ATO_MIN
  }
  socket.refresh()
  sendAck(socket)
  socket.tcp.counters.DelayedACKs++
}

function probeTimer(socket: TcpSock): void {
  if (socket.packetsOut !== 0 || socket.unsent.head === undefined) {
    socket.probesOut = 0
    socket.probesTstamp = 0
    return
  }
  const now = socket.jiffies
  if (socket.probesTstamp === 0) socket.probesTstamp = now
  else if (socket.userTimeout !== 0 && now - socket.probesTstamp >= msecsToJiffies(socket.userTimeout)) {
    writeError(socket)
    return
  }
  let most = socket.sysctls.retries2
  if (socket.orphan) {
    const alive = socket.rto * 2 ** socket.backoff < RTO_MAX
    most = orphanRetries(socket, alive)
    if (!alive && socket.backoff >= most) {
      writeError(socket)
      return
    }
    if (outOfResources(socket, true)) return
  }
  if (socket.probesOut >= most) writeError(socket)
  else sendProbe0(socket)
}

/** tcp_send_probe0(). */
function sendProbe0(socket: TcpSock): void {
  writeWakeup(socket, 'TCPWinProbe')
  if (socket.packetsOut !== 0 || socket.unsent.head === undefined) {
    socket.probesOut = 0
    socket.backoff = 0
    socket.probesTstamp = 0
    return
  }
  socket.probesOut++
  if (socket.backoff < socket.sysctls.retries2) socket.backoff++
  resetXmitTimer(socket, TIMER_PROBE0, clampToUserTimeout(socket, probe0When(socket)), RTO_MAX)
}

/** tcp_clamp_probe0_to_user_timeout(). */
function clampToUserTimeout(socket: TcpSock, when: number): number {
  if (socket.userTimeout === 0 || socket.probesTstamp === 0) return when
  const elapsed = Math.max(socket.jiffies - socket.probesTstamp, 0)
  return Math.min(Math.max(msecsToJiffies(socket.userTimeout) - elapsed, 2), when)
}

/** Something to make the peer answer: what fits into its window, or a number that it has had. tcp_write_wakeup(). */
export function writeWakeup(socket: TcpSock, counter: 'TCPWinProbe' | 'TCPKeepAlive'): void {
  if (socket.state === TCP_CLOSE) return
  const segment = socket.unsent.head
  if (segment && before(segment.seq, socket.wndEnd)) {
    const mss = currentMss(socket)
    let size = (socket.wndEnd - segment.seq) | 0
    if (before(socket.pushedSeq, segment.endSeq)) socket.pushedSeq = segment.endSeq
    if (size < ((segment.endSeq - segment.seq) | 0) || segment.length > mss) {
      size = Math.min(size, mss)
      segment.flags |= PSH
      fragment(socket, segment, size, mss, false)
    } else if (segment.segments === 0) setSegments(segment, mss)
    segment.flags |= PSH
    if (transmitSegment(socket, segment) === undefined) newDataSent(socket, segment)
    return
  }
  // Urgent data are told of by a probe that has a number of its own.
  const urgent = between(socket.sendUrgent, (socket.sndUna + 1) | 0, (socket.sndUna + 0xffff) | 0)
  if (urgent) {
    socket.tcp.counters[counter]++
    transmitControl(socket, socket.sndUna, ACK)
  }
  socket.tcp.counters[counter]++
  transmitControl(socket, (socket.sndUna - 1) | 0, ACK)
}

/** keepalive_time_when() and the like. */
export function keepaliveTime(socket: TcpSock): number {
  return socket.keepaliveTime || socket.sysctls.keepaliveTime
}

/** tcp_fin_time(): how long an orphan waits in FIN-WAIT-2. */
export function finTime(socket: TcpSock): number {
  const wait = socket.linger2 || socket.sysctls.finTimeout
  return Math.max(wait, socket.rto * 4 - (socket.rto >> 1))
}

function keepaliveTimer(socket: TcpSock): void {
  if (socket.state === TCP_LISTEN) return
  socket.refresh()
  if (socket.state === TCP_FIN_WAIT2 && socket.orphan) {
    if (socket.linger2 >= 0) {
      const left = finTime(socket) - TIMEWAIT_LEN
      if (left > 0) {
        enterTimeWait(socket, TCP_FIN_WAIT2, left)
        return
      }
    }
    sendActiveReset(socket)
    done(socket)
    return
  }
  if (!socket.keepAlive || socket.state === TCP_CLOSE || socket.state === TCP_SYN_SENT) return
  const after = keepaliveTime(socket)
  let next = after
  if (socket.packetsOut === 0 && socket.unsent.head === undefined) {
    const now = socket.jiffies
    const elapsed = Math.min(now - socket.lrcvtime, now - socket.rcvTstamp)
    if (elapsed >= after) {
      const { userTimeout } = socket
      const probes = socket.keepaliveProbes || socket.sysctls.keepaliveProbes
      const over =
        userTimeout !== 0 ? elapsed >= msecsToJiffies(userTimeout) && socket.probesOut > 0 : socket.probesOut >= probes
      if (over) {
        sendActiveReset(socket)
        writeError(socket)
        return
      }
      writeWakeup(socket, 'TCPKeepAlive')
      socket.probesOut++
      next = socket.keepaliveIntvl || socket.sysctls.keepaliveIntvl
    } else next = after - elapsed
  }
  socket.setKeepaliveTimer(socket.jiffies + next)
}

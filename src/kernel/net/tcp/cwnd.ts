/** Whether the window of congestion is used, and what becomes of it when it isn't. Linux 6.1 net/ipv4/tcp_output.c. RFC 2861, RFC 7661. */
import { inSlowStart } from './congestion.ts'
import { CA_CWR, CA_OPEN, CA_RECOVERY, INIT_CWND } from './constants.ts'
import { before } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** tcp_is_cwnd_limited(). */
export function isCwndLimited(socket: TcpSock): boolean {
  if (socket.isCwndLimited) return true
  return inSlowStart(socket) && socket.sndCwnd < 2 * socket.maxPacketsOut
}

/** tcp_current_ssthresh(). */
export function currentSsthresh(socket: TcpSock): number {
  if (socket.caState === CA_CWR || socket.caState === CA_RECOVERY) return socket.sndSsthresh
  return Math.max(socket.sndSsthresh, (socket.sndCwnd >> 1) + (socket.sndCwnd >> 2))
}

/** tcp_init_cwnd(). */
export function initialCwnd(socket: TcpSock): number {
  const metric = socket.path ? socket.af.metric(socket.path, 'initcwnd') : 0
  return Math.min(metric || INIT_CWND, socket.sndCwndClamp)
}

/** tcp_cwnd_validate(). */
export function cwndValidate(socket: TcpSock, limited: boolean): void {
  if (
    !before(socket.sndUna, socket.cwndUsageSeq) ||
    limited ||
    (!socket.isCwndLimited && socket.packetsOut > socket.maxPacketsOut)
  ) {
    socket.isCwndLimited = limited
    socket.maxPacketsOut = socket.packetsOut
    socket.cwndUsageSeq = socket.sndNxt
  }
  if (isCwndLimited(socket)) {
    socket.sndCwndUsed = 0
    socket.sndCwndStamp = socket.jiffies
    return
  }
  if (socket.packetsOut > socket.sndCwndUsed) socket.sndCwndUsed = socket.packetsOut
  if (socket.sysctls.slowStartAfterIdle !== 0 && socket.jiffies - socket.sndCwndStamp >= socket.rto) {
    applicationLimited(socket)
  }
}

/** tcp_cwnd_application_limited(). */
function applicationLimited(socket: TcpSock): void {
  if (socket.caState === CA_OPEN && socket.attached && !socket.noSpace) {
    const used = Math.max(socket.sndCwndUsed, initialCwnd(socket))
    if (used < socket.sndCwnd) {
      socket.sndSsthresh = currentSsthresh(socket)
      socket.sndCwnd = (socket.sndCwnd + used) >> 1
    }
    socket.sndCwndUsed = 0
  }
  socket.sndCwndStamp = socket.jiffies
}

/** After a rest the window begins small again. tcp_slow_start_after_idle_check(). */
export function slowStartAfterIdle(socket: TcpSock): void {
  if (socket.sysctls.slowStartAfterIdle === 0 || socket.packetsOut !== 0) return
  let delta = socket.jiffies - socket.lsndtime
  if (delta <= socket.rto) return
  let cwnd = socket.sndCwnd
  socket.sndSsthresh = currentSsthresh(socket)
  const restart = Math.min(initialCwnd(socket), cwnd)
  for (;;) {
    delta -= socket.rto
    if (delta <= 0 || cwnd <= restart) break
    cwnd >>= 1
  }
  socket.sndCwnd = Math.max(cwnd, restart)
  socket.sndCwndStamp = socket.jiffies
  socket.sndCwndUsed = 0
}

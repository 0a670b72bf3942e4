/** Probes for what was lost at the end. RFC 8985 section 7. Linux 6.1 net/ipv4/tcp_output.c: tcp_schedule_loss_probe(), tcp_send_loss_probe(). */

import { setCaState } from './congestion.ts'
import {
  CA_CWR,
  CA_OPEN,
  F_DATA_SACKED,
  F_DSACK_TLP,
  F_NOT_DUP,
  F_SND_UNA_ADVANCED,
  NAGLE_OFF,
  RTO_MAX,
  TIMEOUT_INIT,
  TIMEOUT_MIN_US,
  TIMER_LOSS_PROBE,
  TIMER_NONE,
} from './constants.ts'
import { currentMss } from './mss.ts'
import { fragment, inSendWindow, writeXmit } from './output.ts'
import { endCwndReduction, initCwndReduction, tryKeepOpen } from './recovery.ts'
import { retransmitRaw } from './retransmit.ts'
import { jiffiesToUsecs, rtoMinUs, usecsToJiffies } from './rtt.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { rearmRto, resetXmitTimer, rtoDeltaUs } from './timers.ts'

/** Whether a probe is scheduled, instead of the retransmission timer. */
export function scheduleLossProbe(socket: TcpSock, advancing: boolean): boolean {
  const early = socket.sysctls.earlyRetrans
  if ((early !== 3 && early !== 4) || socket.packetsOut === 0 || !socket.sackOk) return false
  if (socket.caState !== CA_OPEN && socket.caState !== CA_CWR) return false
  let timeout: number
  if (socket.srttUs !== 0) {
    let us = socket.srttUs >> 2
    us += socket.packetsOut === 1 ? rtoMinUs(socket) : TIMEOUT_MIN_US
    timeout = usecsToJiffies(us)
  } else timeout = TIMEOUT_INIT
  const left = advancing ? jiffiesToUsecs(socket.rto) : rtoDeltaUs(socket)
  if (left > 0) timeout = Math.min(timeout, usecsToJiffies(left))
  resetXmitTimer(socket, TIMER_LOSS_PROBE, timeout, RTO_MAX)
  return true
}

/** The probe: something new if there is anything, else the last segment again. */
export function sendLossProbe(socket: TcpSock): void {
  if (probe(socket)) {
    socket.tlpHighSeq = socket.sndNxt
    socket.tlpPending = true
    socket.tcp.counters.TCPLossProbes++
    socket.pending = TIMER_NONE
  }
  rearmRto(socket)
}

function probe(socket: TcpSock): boolean {
  const mss = currentMss(socket)
  if (socket.tlpPending) return false
  socket.tlpRetrans = false
  const first = socket.unsent.head
  if (first && inSendWindow(socket, first, mss)) {
    const out = socket.packetsOut
    writeXmit(socket, mss, NAGLE_OFF, 2)
    return socket.packetsOut > out
  }
  let last = socket.sent.tail
  if (!last) {
    socket.pending = TIMER_NONE
    return false
  }
  const count = last.segments
  if (count > 1 && last.length > (count - 1) * mss) last = fragment(socket, last, (count - 1) * mss, mss, true)
  if (!retransmitRaw(socket, last, 1)) return false
  socket.tlpRetrans = true
  return true
}

/** What an acknowledgement says of the probe. tcp_process_tlp_ack(). */
export function processTlpAck(socket: TcpSock, ack: number, flag: number): void {
  if (before(ack, socket.tlpHighSeq)) return
  if (!socket.tlpRetrans || flag & F_DSACK_TLP) socket.tlpPending = false
  else if (after(ack, socket.tlpHighSeq)) {
    // Something was lost at the end: the window shrinks as if it had been found out earlier.
    initCwndReduction(socket)
    setCaState(socket, CA_CWR)
    endCwndReduction(socket)
    tryKeepOpen(socket)
    socket.tcp.counters.TCPLossProbeRecovery++
  } else if (!(flag & (F_SND_UNA_ADVANCED | F_NOT_DUP | F_DATA_SACKED))) socket.tlpPending = false
}

/**
 * What an acknowledgement that isn't as expected leads to: duplicates, SACKs, losses, recovery and its end.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_fastretrans_alert(), tcp_cwnd_reduction() (PRR, RFC 6937), tcp_enter_loss(),
 * tcp_process_loss() (F-RTO, RFC 5682).
 */
import { setCaState } from './congestion.ts'
import {
  CA_CWR,
  CA_DISORDER,
  CA_LOSS,
  CA_OPEN,
  CA_RECOVERY,
  F_DATA_SACKED,
  F_ECE,
  F_LOST_RETRANS,
  F_ORIG_SACK_ACKED,
  F_SACK_RENEGING,
  F_SET_XMIT_TIMER,
  F_SND_UNA_ADVANCED,
  INFINITE_SSTHRESH,
  RTO_MAX,
  SACKED_ACKED,
  TIMER_RETRANS,
} from './constants.ts'
import { currentSsthresh } from './cwnd.ts'
import { currentMss } from './mss.ts'
import { markLost, newRenoMarkLost, rackMarkLost, rackTimeout } from './rack.ts'
import { addRenoSack, resetRenoSack } from './reno-sack.ts'
import { retransmitQueue } from './retransmit.ts'
import { usecsToJiffies } from './rtt.ts'
import { highestSackSeq } from './sack.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { resetXmitTimer } from './timers.ts'
import { anyRetransDone, initUndo, tryUndoDsack, tryUndoLoss, tryUndoPartial, tryUndoRecovery } from './undo.ts'

/** What is sent after an acknowledgement: nothing more, what was lost, or something new. */
export const REXMIT_NONE = 0
export const REXMIT_LOST = 1
export const REXMIT_NEW = 2

/** What tcp_fastretrans_alert() gives back besides. */
export const alert = { flag: 0, rexmit: REXMIT_NONE }

export function inCwndReduction(socket: TcpSock): boolean {
  return socket.caState === CA_CWR || socket.caState === CA_RECOVERY
}

export function usesRack(socket: TcpSock): boolean {
  return (socket.sysctls.recovery & 1) !== 0
}

/** The reduction begins. tcp_init_cwnd_reduction(). */
export function initCwndReduction(socket: TcpSock): void {
  socket.highSeq = socket.sndNxt
  socket.tlpPending = false
  socket.sndCwndCnt = 0
  socket.priorCwnd = socket.sndCwnd
  socket.prrDelivered = 0
  socket.prrOut = 0
  socket.sndSsthresh = socket.congestion.ssthresh(socket)
  if (socket.ecnOk) socket.ecnQueueCwr = true
}

/** Proportional rate reduction: as much is sent as is delivered, towards the threshold. */
export function cwndReduction(socket: TcpSock, acked: number, lost: number, flag: number): void {
  if (acked <= 0 || socket.priorCwnd === 0) return
  const inFlight = socket.packetsInFlight
  const delta = socket.sndSsthresh - inFlight
  socket.prrDelivered += acked
  let send: number
  if (delta < 0) {
    const dividend = socket.sndSsthresh * socket.prrDelivered + socket.priorCwnd - 1
    send = Math.floor(dividend / socket.priorCwnd) - socket.prrOut
  } else {
    send = Math.max(socket.prrDelivered - socket.prrOut, acked)
    if (flag & F_SND_UNA_ADVANCED && lost === 0) send++
    send = Math.min(delta, send)
  }
  socket.sndCwnd = inFlight + Math.max(send, socket.prrOut !== 0 ? 0 : 1)
}

/** tcp_end_cwnd_reduction(). */
export function endCwndReduction(socket: TcpSock): void {
  if (socket.sndSsthresh < INFINITE_SSTHRESH && (socket.caState === CA_CWR || socket.undoMarker !== 0)) {
    socket.sndCwnd = socket.sndSsthresh
    socket.sndCwndStamp = socket.jiffies
  }
}

/** The network asks to slow down. tcp_enter_cwr(). */
export function enterCwr(socket: TcpSock): void {
  socket.priorSsthresh = 0
  if (socket.caState >= CA_CWR) return
  socket.undoMarker = 0
  initCwndReduction(socket)
  setCaState(socket, CA_CWR)
}

/** tcp_try_keep_open(). */
export function tryKeepOpen(socket: TcpSock): void {
  const disordered = socket.sackedOut + socket.lostOut !== 0 || anyRetransDone(socket)
  const state = disordered ? CA_DISORDER : CA_OPEN
  if (socket.caState === state) return
  setCaState(socket, state)
  socket.highSeq = socket.sndNxt
}

/** tcp_try_to_open(). */
function tryToOpen(socket: TcpSock, flag: number): void {
  if (!anyRetransDone(socket)) socket.retransStamp = 0
  if (flag & F_ECE) enterCwr(socket)
  if (socket.caState !== CA_CWR) tryKeepOpen(socket)
}

/** tcp_enter_recovery(). */
export function enterRecovery(socket: TcpSock, ece: boolean): void {
  if (!anyRetransDone(socket)) socket.retransStamp = 0
  if (socket.sackOk) socket.tcp.counters.TCPSackRecovery++
  else socket.tcp.counters.TCPRenoRecovery++
  socket.priorSsthresh = 0
  initUndo(socket)
  if (!inCwndReduction(socket)) {
    if (!ece) socket.priorSsthresh = currentSsthresh(socket)
    initCwndReduction(socket)
  }
  setCaState(socket, CA_RECOVERY)
}

/** The retransmission timer has fired: what is to be sent again, and with what window. */
export function enterLoss(socket: TcpSock): void {
  const fresh = socket.caState < CA_RECOVERY
  timeoutMarkLost(socket)
  if (
    socket.caState <= CA_DISORDER ||
    !after(socket.highSeq, socket.sndUna) ||
    (socket.caState === CA_LOSS && socket.retransmits === 0)
  ) {
    socket.priorSsthresh = currentSsthresh(socket)
    socket.priorCwnd = socket.sndCwnd
    socket.sndSsthresh = socket.congestion.ssthresh(socket)
    initUndo(socket)
  }
  socket.sndCwnd = socket.packetsInFlight + 1
  socket.sndCwndCnt = 0
  socket.sndCwndStamp = socket.jiffies
  const { reordering, frto } = socket.sysctls
  if (socket.caState <= CA_DISORDER && socket.sackedOut >= reordering) {
    socket.reordering = Math.min(socket.reordering, reordering)
  }
  setCaState(socket, CA_LOSS)
  socket.highSeq = socket.sndNxt
  socket.tlpPending = false
  if (socket.ecnOk) socket.ecnQueueCwr = true
  socket.frto = frto !== 0 && (fresh || socket.retransmits !== 0)
}

function timeoutMarkLost(socket: TcpSock): void {
  const head = socket.sent.head
  const reneged = head !== undefined && (head.sacked & SACKED_ACKED) !== 0
  if (reneged) {
    socket.tcp.counters.TCPSACKReneging++
    socket.sackedOut = 0
    socket.isSackReneg = true
  } else if (!socket.sackOk) resetRenoSack(socket)
  for (let segment = head; segment !== undefined; segment = segment.next) {
    if (reneged) segment.sacked &= ~SACKED_ACKED
    else if (usesRack(socket) && segment !== head && rackTimeout(socket, segment, 0) > 0) continue
    markLost(socket, segment)
  }
  clearRetransHints(socket)
}

/** tcp_clear_all_retrans_hints(). */
export function clearRetransHints(socket: TcpSock): void {
  socket.lostHint = undefined
  socket.retransmitHint = undefined
}

/** Segments are too large for the path: those that are go again, the window stays. tcp_simple_retransmit(). */
export function simpleRetransmit(socket: TcpSock): void {
  const mss = currentMss(socket)
  for (let segment = socket.sent.head; segment !== undefined; segment = segment.next) {
    const length = segment.segments > 1 ? segment.gsoSize : segment.length
    if (length > mss) markLost(socket, segment)
  }
  socket.lostHint = undefined
  if (socket.lostOut === 0) return
  if (socket.caState !== CA_LOSS) {
    socket.highSeq = socket.sndNxt
    socket.sndSsthresh = currentSsthresh(socket)
    socket.priorSsthresh = 0
    socket.undoMarker = 0
    setCaState(socket, CA_LOSS)
  }
  retransmitQueue(socket)
}

/** tcp_process_loss(). */
function processLoss(socket: TcpSock, flag: number, duplicates: number): void {
  const recovered = !before(socket.sndUna, socket.highSeq)
  if (flag & F_SND_UNA_ADVANCED && tryUndoLoss(socket, false)) return
  if (socket.frto) {
    if (flag & F_ORIG_SACK_ACKED && tryUndoLoss(socket, true)) return
    if (after(socket.sndNxt, socket.highSeq)) {
      if (flag & F_DATA_SACKED || duplicates !== 0) socket.frto = false
    } else if (flag & F_SND_UNA_ADVANCED && !recovered) {
      socket.highSeq = socket.sndNxt
      if (socket.unsent.head !== undefined && after(socket.wndEnd, socket.sndNxt)) {
        alert.rexmit = REXMIT_NEW
        return
      }
      socket.frto = false
    }
  }
  if (recovered) {
    tryUndoRecovery(socket)
    return
  }
  if (!socket.sackOk) {
    if (after(socket.sndNxt, socket.highSeq) && duplicates !== 0) addRenoSack(socket, duplicates)
    else if (flag & F_SND_UNA_ADVANCED) resetRenoSack(socket)
  }
  alert.rexmit = REXMIT_LOST
}

function identifyLoss(socket: TcpSock): void {
  if (socket.sent.head === undefined) return
  if (!socket.sackOk) newRenoMarkLost(socket, (alert.flag & F_SND_UNA_ADVANCED) !== 0)
  else if (usesRack(socket)) {
    const retransOut = socket.retransOut
    if (rackMarkLost(socket)) alert.flag &= ~F_SET_XMIT_TIMER
    if (retransOut > socket.retransOut) alert.flag |= F_LOST_RETRANS
  }
}

/** tcp_force_fast_retransmit(). */
export function forceFastRetransmit(socket: TcpSock): boolean {
  return after(highestSackSeq(socket), (socket.sndUna + socket.reordering * socket.mssCache) | 0)
}

/** tcp_time_to_recover(). */
function timeToRecover(socket: TcpSock): boolean {
  if (socket.lostOut !== 0) return true
  return !usesRack(socket) && socket.sackedOut + 1 > socket.reordering
}

/** The peer has forgotten what it sacked. tcp_check_sack_reneging(). */
function reneging(socket: TcpSock): boolean {
  if (!(alert.flag & F_SACK_RENEGING && alert.flag & F_SND_UNA_ADVANCED)) return false
  resetXmitTimer(socket, TIMER_RETRANS, Math.max(usecsToJiffies(socket.srttUs >> 4), 3), RTO_MAX)
  alert.flag &= ~F_SET_XMIT_TIMER
  return true
}

/** Takes and gives `alert.flag`; sets `alert.rexmit`. */
export function fastRetransAlert(socket: TcpSock, priorUna: number, duplicates: number): void {
  const { flag } = alert
  const ece = (flag & F_ECE) !== 0
  let doLost = duplicates !== 0 || ((flag & F_DATA_SACKED) !== 0 && forceFastRetransmit(socket))
  let fastRexmit = false
  if (socket.packetsOut === 0 && socket.sackedOut !== 0) socket.sackedOut = 0
  if (ece) socket.priorSsthresh = 0
  if (reneging(socket)) return
  if (socket.caState === CA_OPEN) socket.retransStamp = 0
  else if (!before(socket.sndUna, socket.highSeq)) {
    if (socket.caState === CA_CWR) {
      if (socket.sndUna !== socket.highSeq) {
        endCwndReduction(socket)
        setCaState(socket, CA_OPEN)
      }
    } else if (socket.caState === CA_RECOVERY) {
      if (!socket.sackOk) resetRenoSack(socket)
      if (tryUndoRecovery(socket)) return
      endCwndReduction(socket)
    }
  }
  if (socket.caState === CA_RECOVERY) {
    if (!(flag & F_SND_UNA_ADVANCED)) {
      if (!socket.sackOk) addRenoSack(socket, duplicates)
    } else {
      const partial = tryUndoPartial(socket, priorUna)
      if (partial === 'wait') return
      if (partial === 'lost') doLost = forceFastRetransmit(socket)
    }
    if (tryUndoDsack(socket)) tryToOpen(socket, flag)
    identifyLoss(socket)
    if ((socket.caState as number) !== CA_RECOVERY) {
      if (!timeToRecover(socket)) return
      enterRecovery(socket, ece)
    }
  } else {
    if (socket.caState === CA_LOSS) {
      processLoss(socket, flag, duplicates)
      identifyLoss(socket)
      if ((socket.caState as number) !== CA_OPEN && !(alert.flag & F_LOST_RETRANS)) return
    }
    if (!socket.sackOk) {
      if (flag & F_SND_UNA_ADVANCED) resetRenoSack(socket)
      addRenoSack(socket, duplicates)
    }
    if (socket.caState <= CA_DISORDER) tryUndoDsack(socket)
    identifyLoss(socket)
    if (!timeToRecover(socket)) {
      tryToOpen(socket, flag)
      return
    }
    enterRecovery(socket, ece)
    fastRexmit = true
  }
  if (!usesRack(socket) && doLost) updateScoreboard(socket, fastRexmit)
  alert.rexmit = REXMIT_LOST
}

/** Without RACK: what lies so many sacked segments below is lost. tcp_update_scoreboard(), tcp_mark_head_lost(). */
function updateScoreboard(socket: TcpSock, fastRexmit: boolean): void {
  if (!socket.sackOk) return
  const upto = socket.sackedOut - socket.reordering
  if (upto >= 0) markHeadLost(socket, upto, false)
  else if (fastRexmit) markHeadLost(socket, 1, true)
}

function markHeadLost(socket: TcpSock, packets: number, headOnly: boolean): void {
  const hint = socket.lostHint
  if (hint && headOnly && after(hint.seq, socket.sndUna)) return
  let count = hint ? socket.lostCntHint : 0
  for (let segment = hint ?? socket.sent.head; segment !== undefined; segment = segment.next) {
    socket.lostHint = segment
    socket.lostCntHint = count
    if (after(segment.endSeq, socket.sndNxt)) break
    if (segment.sacked & SACKED_ACKED) count += segment.segments
    if (count > packets) break
    markLost(socket, segment)
    if (headOnly) break
  }
}

/**
 * Taking a reduction back when it turns out that nothing was lost: by timestamps (Eifel, RFC 3522), by DSACK, by F-RTO.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_try_undo_recovery(), tcp_try_undo_partial(), tcp_try_undo_dsack(), tcp_try_undo_loss().
 */
import { setCaState } from './congestion.ts'
import { CA_LOSS, CA_OPEN, EVER_RETRANS, LOST, TCP_SYN_SENT } from './constants.ts'
import { RACK_RECOVERY_THRESH } from './rack.ts'
import { clearRetransHints, tryKeepOpen } from './recovery.ts'
import { checkSackReordering } from './sack.ts'
import { before } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** From here on what is sent again may be for nothing. tcp_init_undo(). */
export function initUndo(socket: TcpSock): void {
  socket.undoMarker = socket.sndUna || 1
  socket.undoRetrans = socket.retransOut + (socket.tlpPending && socket.tlpRetrans ? 1 : 0) || -1
}

/** tcp_any_retrans_done(). */
export function anyRetransDone(socket: TcpSock): boolean {
  return socket.retransOut !== 0 || ((socket.sent.head?.sacked ?? 0) & EVER_RETRANS) !== 0
}

/** The acknowledgement is for what was sent before `when`, in ms. tcp_tsopt_ecr_before(). */
export function echoBefore(socket: TcpSock, when: number): boolean {
  return socket.sawTstamp && socket.rcvTsecr !== 0 && before(socket.rcvTsecr, when)
}

/** It was only late. tcp_packet_delayed(). */
function packetDelayed(socket: TcpSock): boolean {
  if (socket.retransStamp !== 0) return echoBefore(socket, socket.retransStamp)
  if (!socket.sackOk && !before(socket.sndUna, socket.highSeq)) return false
  return socket.state !== TCP_SYN_SENT
}

function mayUndo(socket: TcpSock): boolean {
  return socket.undoMarker !== 0 && (socket.undoRetrans === 0 || packetDelayed(socket))
}

/** tcp_undo_cwnd_reduction(). */
function undoReduction(socket: TcpSock, unmark: boolean): void {
  if (unmark) {
    for (let segment = socket.sent.head; segment !== undefined; segment = segment.next) segment.sacked &= ~LOST
    socket.lostOut = 0
    clearRetransHints(socket)
  }
  if (socket.priorSsthresh !== 0) {
    socket.sndCwnd = Math.max(socket.sndCwnd, socket.priorCwnd)
    if (socket.priorSsthresh > socket.sndSsthresh) {
      socket.sndSsthresh = socket.priorSsthresh
      socket.ecnQueueCwr = false
    }
  }
  socket.sndCwndStamp = socket.jiffies
  socket.undoMarker = 0
  socket.rackAdvanced = true
}

/** Without SACK, duplicates of what was sent again must not start another recovery. tcp_is_non_sack_preventing_reopen(). */
function preventsReopen(socket: TcpSock): boolean {
  if (socket.sndUna !== socket.highSeq || socket.sackOk) return false
  if (!anyRetransDone(socket)) socket.retransStamp = 0
  return true
}

/** Whether the state stays as it is. */
export function tryUndoRecovery(socket: TcpSock): boolean {
  if (mayUndo(socket)) {
    undoReduction(socket, false)
    if (socket.caState === CA_LOSS) socket.tcp.counters.TCPLossUndo++
    else socket.tcp.counters.TCPFullUndo++
  } else if (socket.rackReoWndPersist !== 0) socket.rackReoWndPersist--
  if (preventsReopen(socket)) return true
  setCaState(socket, CA_OPEN)
  socket.isSackReneg = false
  return false
}

export function tryUndoDsack(socket: TcpSock): boolean {
  if (socket.undoMarker === 0 || socket.undoRetrans !== 0) return false
  socket.rackReoWndPersist = Math.min(RACK_RECOVERY_THRESH, socket.rackReoWndPersist + 1)
  undoReduction(socket, false)
  socket.tcp.counters.TCPDSACKUndo++
  return true
}

export function tryUndoLoss(socket: TcpSock, frto: boolean): boolean {
  if (!frto && !mayUndo(socket)) return false
  undoReduction(socket, true)
  socket.tcp.counters.TCPLossUndo++
  if (frto) socket.tcp.counters.TCPSpuriousRTOs++
  socket.retransmits = 0
  if (preventsReopen(socket)) return true
  if (frto || socket.sackOk) {
    setCaState(socket, CA_OPEN)
    socket.isSackReneg = false
  }
  return true
}

/** 'wait': nothing more is marked or sent; 'lost': a hole is still there; 'open': undone. */
export function tryUndoPartial(socket: TcpSock, priorUna: number): 'wait' | 'lost' | 'open' {
  if (socket.undoMarker === 0 || !packetDelayed(socket)) return 'lost'
  checkSackReordering(socket, priorUna, true)
  if (socket.retransOut !== 0) return 'wait'
  if (!anyRetransDone(socket)) socket.retransStamp = 0
  undoReduction(socket, true)
  socket.tcp.counters.TCPPartialUndo++
  tryKeepOpen(socket)
  return 'open'
}

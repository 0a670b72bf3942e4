/**
 * Congestion control: NewReno, and what CUBIC shares with it. Linux 6.1 net/ipv4/tcp_cong.c. RFC 5681.
 */
import { INFINITE_SSTHRESH } from './constants.ts'
import { isCwndLimited } from './cwnd.ts'
import type { TcpSock } from './sock.ts'

/** How a window grows and shrinks. struct tcp_congestion_ops. */
export interface CongestionControl {
  readonly name: string
  init?(socket: TcpSock): void
  /** The threshold after a loss. */
  ssthresh(socket: TcpSock): number
  /** So many segments were acknowledged outside recovery. */
  avoid(socket: TcpSock, acked: number): void
  state?(socket: TcpSock, state: number): void
  /** Something is sent after nothing was on the way. */
  started?(socket: TcpSock): void
  /** An acknowledgement took so long; -1: unknown. */
  acked?(socket: TcpSock, rttUs: number): void
}

export function inSlowStart(socket: TcpSock): boolean {
  return socket.sndCwnd < socket.sndSsthresh
}

/** The first slow start, before any loss. */
export function inInitialSlowStart(socket: TcpSock): boolean {
  return socket.sndSsthresh >= INFINITE_SSTHRESH
}

/** Grows up to the threshold; returns what is left over. */
export function slowStart(socket: TcpSock, acked: number): number {
  const cwnd = Math.min(socket.sndCwnd + acked, socket.sndSsthresh)
  const left = acked - (cwnd - socket.sndCwnd)
  socket.sndCwnd = Math.min(cwnd, socket.sndCwndClamp)
  return left
}

/** One more for each `w` acknowledged. tcp_cong_avoid_ai(). */
export function additiveIncrease(socket: TcpSock, w: number, acked: number): void {
  if (socket.sndCwndCnt >= w) {
    socket.sndCwndCnt = 0
    socket.sndCwnd++
  }
  socket.sndCwndCnt += acked
  if (socket.sndCwndCnt >= w) {
    const delta = Math.floor(socket.sndCwndCnt / w)
    socket.sndCwndCnt -= delta * w
    socket.sndCwnd += delta
  }
  socket.sndCwnd = Math.min(socket.sndCwnd, socket.sndCwndClamp)
}

export const reno: CongestionControl = {
  name: 'reno',
  ssthresh: (socket) => Math.max(socket.sndCwnd >> 1, 2),
  avoid(socket, acked) {
    if (!isCwndLimited(socket)) return
    let left = acked
    if (inSlowStart(socket)) {
      left = slowStart(socket, left)
      if (left === 0) return
    }
    additiveIncrease(socket, socket.sndCwnd, left)
  },
}

/** CA_EVENT_TX_START. */
export function congestionEvent(socket: TcpSock): void {
  socket.congestion.started?.(socket)
}

/** tcp_set_ca_state(). */
export function setCaState(socket: TcpSock, state: number): void {
  socket.congestion.state?.(socket, state)
  socket.caState = state
}

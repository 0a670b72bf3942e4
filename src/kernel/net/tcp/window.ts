/**
 * The receiver's window and what steers it: how fast the program reads, how large segments are, what memory they take.
 * Linux 6.1 net/ipv4/tcp_output.c: __tcp_select_window(); net/ipv4/tcp_input.c: tcp_grow_window(), tcp_rcv_space_adjust().
 */
import type { Packet } from '#wire/inet'
import {
  ACK_PUSHED,
  ACK_PUSHED2,
  INIT_CWND,
  MAX_TCP_HEADER,
  MAX_TCP_WINDOW,
  MAX_WSCALE,
  MIN_MSS,
  MSS_DEFAULT,
  PSH,
  SKB_HEAD,
  SKB_SHARED,
} from './constants.ts'
import { before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import type { TcpSysctls } from './sysctls.ts'

/** Up to a multiple of a power of two. */
function align(value: number, to: number): number {
  return (value + to - 1) & -to
}

/** The window that could be offered now. __tcp_select_window(). */
export function offerableWindow(socket: TcpSock): number {
  let mss = socket.rcvMss
  let free = socket.space
  const allowed = socket.fullSpace
  const full = Math.min(socket.windowClamp, allowed)
  if (mss > full) {
    mss = full
    if (mss <= 0) return 0
  }
  const unit = 1 << socket.rcvWscale
  const shrinks = socket.sysctls.shrinkWindow !== 0 && socket.rcvWscale !== 0
  if (shrinks) free -= free % unit
  if (free < full >> 1) {
    socket.ackQuick = 0
    free = Math.max(free - (free % unit), 0)
    if (free < allowed >> 4 || free < mss || (shrinks && free < unit)) return 0
  }
  if (shrinks) return free > socket.rcvSsthresh ? align(socket.rcvSsthresh, unit) : free
  if (free > socket.rcvSsthresh) free = socket.rcvSsthresh
  if (socket.rcvWscale !== 0) return align(free, unit)
  const window = socket.rcvWnd
  if (window <= free - mss || window > free) return free - (free % mss)
  if (mss === full && free > window + (full >> 1)) return free
  return window
}

/** The header's window field for a segment that goes out now. tcp_select_window(). */
export function selectWindow(socket: TcpSock): number {
  const old = socket.rcvWnd
  const current = socket.receiveWindow
  let window = offerableWindow(socket)
  const { counters } = socket.tcp
  const { rcvWscale } = socket
  if (window < current && (socket.sysctls.shrinkWindow === 0 || rcvWscale === 0)) {
    // What was offered is never taken back.
    if (window === 0) counters.TCPWantZeroWindowAdv++
    window = align(current, 1 << rcvWscale)
  }
  socket.rcvWnd = window
  socket.rcvWup = socket.rcvNxt
  if (rcvWscale === 0 && socket.sysctls.workaroundSignedWindows !== 0) window = Math.min(window, MAX_TCP_WINDOW)
  else window = Math.min(window, 65535 << rcvWscale)
  window >>= rcvWscale
  if (window === 0) {
    socket.fastPath = false
    if (old !== 0) counters.TCPToZeroWindowAdv++
  } else if (old === 0) counters.TCPFromZeroWindowAdv++
  return window
}

/** tcp_select_initial_window(). */
export function initialWindow(
  space: number,
  mss: number,
  clamp: number,
  wscaleOk: boolean,
  most: number,
  sysctls: Readonly<TcpSysctls>,
  rmemMax: number,
): { window: number; clamp: number; wscale: number } {
  if (clamp === 0) clamp = 65535 * 2 ** MAX_WSCALE
  space = Math.min(clamp, Math.max(space, 0))
  if (space > mss) space -= space % mss
  let window = Math.min(space, sysctls.workaroundSignedWindows !== 0 ? MAX_TCP_WINDOW : 65535)
  if (most !== 0) window = Math.min(window, most * mss)
  let wscale = 0
  if (wscaleOk) {
    const largest = Math.min(Math.max(space, sysctls.rmem2, rmemMax), clamp)
    wscale = Math.min(Math.max(Math.floor(Math.log2(largest)) - 15, 0), MAX_WSCALE)
  }
  return { window, clamp: Math.min(65535 * 2 ** wscale, clamp), wscale }
}

/** tcp_initialize_rcv_mss(). */
export function initRcvMss(socket: TcpSock): void {
  const hint = Math.min(socket.advmss, socket.mssCache, socket.rcvWnd >> 1, MSS_DEFAULT)
  socket.rcvMss = Math.max(hint, MIN_MSS)
}

/** tcp_sndbuf_expand(): room for twice the congestion window. */
export function expandSendBuffer(socket: TcpSock): void {
  let perMss = Math.max(socket.mssClamp, socket.mssCache) + MAX_TCP_HEADER + SKB_SHARED
  perMss = (1 << (32 - Math.clz32(perMss - 1))) + SKB_HEAD
  const segments = Math.max(INIT_CWND, socket.sndCwnd, socket.reordering + 1)
  const memory = 2 * segments * perMss
  if (socket.sendBuffer < memory) socket.sendBuffer = Math.min(memory, socket.sysctls.wmem2)
}

/** tcp_init_buffer_space(). */
export function initBufferSpace(socket: TcpSock): void {
  const { appWin } = socket.sysctls
  if (!socket.sendBufferLocked) expandSendBuffer(socket)
  socket.refresh()
  socket.rcvqTime = socket.mstampUs
  socket.rcvqSeq = socket.copiedSeq
  const most = socket.fullSpace
  const { advmss } = socket
  if (socket.windowClamp >= most) {
    socket.windowClamp = most
    if (appWin !== 0 && most > 4 * advmss) {
      socket.windowClamp = Math.max(most - Math.floor(most / 2 ** appWin), 4 * advmss)
    }
  }
  if (appWin !== 0 && socket.windowClamp > 2 * advmss && socket.windowClamp + advmss > most) {
    socket.windowClamp = Math.max(2 * advmss, most - advmss)
  }
  socket.rcvSsthresh = Math.min(socket.rcvSsthresh, socket.windowClamp)
  socket.sndCwndStamp = socket.jiffies
  socket.rcvqSpace = Math.min(socket.rcvSsthresh, socket.rcvWnd, INIT_CWND * advmss)
}

/** tcp_grow_window(): a segment whose memory is well used lets the window grow. */
export function growWindow(socket: TcpSock, length: number, truesize: number): void {
  const room = Math.min(socket.windowClamp, socket.space) - socket.rcvSsthresh
  if (room <= 0) return
  let more = 0
  if (socket.windowFrom(truesize) <= length) more = 2 * socket.advmss
  else {
    let size = socket.windowFrom(truesize) >> 1
    let window = socket.windowFrom(socket.sysctls.rmem2) >> 1
    while (socket.rcvSsthresh <= window) {
      if (size <= length) {
        more = 2 * socket.rcvMss
        break
      }
      size >>= 1
      window >>= 1
    }
  }
  if (more === 0) return
  socket.rcvSsthresh += Math.min(room, Math.max(more, 2 * length))
  socket.ackQuick |= 1
}

/** tcp_clamp_window(): memory is short. */
export function clampWindow(socket: TcpSock): void {
  socket.ackQuick = 0
  const most = socket.sysctls.rmem2
  if (socket.receiveBuffer < most && !socket.receiveBufferLocked) {
    socket.receiveBuffer = Math.max(socket.receiveBuffer, Math.min(socket.rmemAlloc, most))
  }
  if (socket.rmemAlloc > socket.receiveBuffer) {
    socket.rcvSsthresh = Math.min(socket.windowClamp, 2 * socket.advmss)
  }
}

/** tcp_rcv_rtt_update(). `windowed`: measured by a window, which is an upper bound only. */
function updateRcvRtt(socket: TcpSock, sampleUs: number, windowed: boolean): void {
  const m = sampleUs * 8
  const old = socket.rcvRttUs
  if (old === 0 || m < old) socket.rcvRttUs = m
  else if (!windowed) socket.rcvRttUs = old - Math.floor(old / 8) + sampleUs
}

/** By how long a window of data took. tcp_rcv_rtt_measure(). */
export function measureRcvRtt(socket: TcpSock): void {
  if (socket.rcvRttTime !== 0) {
    if (before(socket.rcvNxt, socket.rcvRttSeq)) return
    updateRcvRtt(socket, Math.max(socket.mstampUs - socket.rcvRttTime, 1), true)
  }
  socket.rcvRttSeq = (socket.rcvNxt + socket.rcvWnd) | 0
  socket.rcvRttTime = socket.mstampUs
}

/** By what the peer echoes. tcp_rcv_rtt_measure_ts(). */
export function measureRcvRttByEcho(socket: TcpSock, length: number): void {
  if (socket.rcvTsecr === socket.rcvRttLastTsecr) return
  socket.rcvRttLastTsecr = socket.rcvTsecr
  if (length < socket.rcvMss) return
  const delta = (socket.timeStamp - socket.rcvTsecr) >>> 0
  if (delta < 2147483) updateRcvRtt(socket, Math.max(delta, 1) * 1000, false)
}

/** The program has read: twice what it read in a round trip should fit. tcp_rcv_space_adjust(). */
export function adjustReceiveSpace(socket: TcpSock): void {
  socket.refresh()
  const time = socket.mstampUs - socket.rcvqTime
  if (socket.rcvRttUs === 0 || time < Math.floor(socket.rcvRttUs / 8)) return
  const copied = (socket.copiedSeq - socket.rcvqSeq) | 0
  if (copied > socket.rcvqSpace) {
    const { advmss } = socket
    if (socket.sysctls.moderateRcvbuf !== 0 && !socket.receiveBufferLocked) {
      let window = copied * 2 + 16 * advmss
      window += 2 * Math.floor((window * (copied - socket.rcvqSpace)) / socket.rcvqSpace)
      let memory = advmss + MAX_TCP_HEADER + SKB_HEAD + SKB_SHARED
      while (socket.windowFrom(memory) < advmss) memory += 128
      const buffer = Math.min(Math.floor(window / advmss) * memory, socket.sysctls.rmem2)
      if (buffer > socket.receiveBuffer) {
        socket.receiveBuffer = buffer
        socket.windowClamp = socket.windowFrom(buffer)
      }
    }
    socket.rcvqSpace = copied
  }
  socket.rcvqSeq = socket.copiedSeq
  socket.rcvqTime = socket.mstampUs
}

/** FIN, SYN, PSH and URG: a segment with one of them need not be full. TCP_REMNANT. */
const NOT_FULL = 0x2b

/** How large the peer's segments are, and whether this one ended a write. tcp_measure_rcv_mss(). */
export function measureRcvMss(socket: TcpSock, packet: Packet): void {
  const last = socket.lastSegSize
  socket.lastSegSize = 0
  let length = packet.gsoSize !== 0 ? packet.gsoSize : packet.length
  if (length >= socket.rcvMss) {
    socket.rcvMss = Math.min(length, socket.advmss)
    if (packet.tcpFlags & PSH) socket.ackPending |= ACK_PUSHED
    return
  }
  const options = (packet.tcpTimestamps ? 12 : 0) + (packet.tcpOptions?.length ?? 0)
  length += 20 + options
  // Without PSH a segment is full, unless the peer is odd.
  if (length >= MSS_DEFAULT + 20 || (length >= MIN_MSS + 20 && !(packet.tcpFlags & NOT_FULL))) {
    length -= socket.headerLength
    socket.lastSegSize = length
    if (length === last) {
      socket.rcvMss = length
      return
    }
  }
  if (socket.ackPending & ACK_PUSHED) socket.ackPending |= ACK_PUSHED2
  socket.ackPending |= ACK_PUSHED
}

/** Whether segments may take the fast way again. tcp_fast_path_check(). */
export function fastPathCheck(socket: TcpSock): void {
  if (socket.outOfOrder.length === 0 && socket.rcvWnd !== 0 && socket.rmemAlloc < socket.receiveBuffer) {
    socket.fastPath = true
  }
}

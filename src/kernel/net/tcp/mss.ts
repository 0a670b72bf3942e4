/** How much a segment carries. Linux 6.1 net/ipv4/tcp_output.c: tcp_sync_mss(), tcp_current_mss(), tcp_mtu_to_mss(). */
import { GSO_MAX_SIZE } from './constants.ts'
import { sackRoom } from './options.ts'
import type { TcpSock } from './sock.ts'

/** The payload that an MTU leaves room for, timestamps counted. */
export function mtuToMss(socket: TcpSock, mtu: number): number {
  let mss = mtu - socket.af.headerLength - 20
  mss = Math.min(mss, socket.mssClamp)
  mss = Math.max(mss - socket.extHeaderLength, socket.sysctls.minSndMss)
  return mss - (socket.headerLength - 20)
}

/** tcp_mss_to_mtu(). */
export function mssToMtu(socket: TcpSock, mss: number): number {
  return mss + socket.headerLength + socket.extHeaderLength + socket.af.headerLength
}

/** The path's MTU is known anew. */
export function syncMss(socket: TcpSock, mtu: number): number {
  if (socket.searchHigh > mtu) socket.searchHigh = mtu
  let mss = boundToHalfWindow(socket, mtuToMss(socket, mtu))
  socket.pmtuCookie = mtu
  if (socket.mtuProbing) mss = Math.min(mss, mtuToMss(socket, socket.searchLow))
  socket.mssCache = mss
  return mss
}

/** Not more than half of the largest window that the peer has had. tcp_bound_to_half_wnd(). */
export function boundToHalfWindow(socket: TcpSock, size: number): number {
  const cutoff = socket.maxWindow > 536 ? socket.maxWindow >> 1 : socket.maxWindow
  return cutoff !== 0 && size > cutoff ? Math.max(cutoff, 68 - socket.headerLength) : size
}

/** The payload of the next segment, its options as they stand now. */
export function currentMss(socket: TcpSock): number {
  let mss = socket.mssCache
  const { path } = socket
  if (path !== undefined) {
    const mtu = socket.af.mtu(path)
    if (mtu !== socket.pmtuCookie) mss = syncMss(socket, mtu)
  }
  const blocks = (socket.sacks.length >> 1) + (socket.dsack ? 1 : 0)
  let header = socket.tstampOk ? 32 : 20
  if (blocks !== 0) header += 4 + 8 * Math.min(blocks, sackRoom(socket.tstampOk))
  return mss - (header - socket.headerLength)
}

/** How many bytes a stretch of the write queue should have. tcp_xmit_size_goal(). */
export function sizeGoal(socket: TcpSock, mss: number): number {
  const most = boundToHalfWindow(socket, GSO_MAX_SIZE)
  return Math.max(Math.floor(most / mss) * mss, mss)
}

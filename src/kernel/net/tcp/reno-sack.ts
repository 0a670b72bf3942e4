/** Without SACK each duplicate stands for a segment that has left the network. Linux 6.1 net/ipv4/tcp_input.c: tcp_add_reno_sack(). */
import type { TcpSock } from './sock.ts'

/** Not more than can be out besides the hole. Whether there were more. tcp_limit_reno_sacked(). */
function limit(socket: TcpSock): boolean {
  const holes = Math.min(Math.max(socket.lostOut, 1), socket.packetsOut)
  if (socket.sackedOut + holes <= socket.packetsOut) return false
  socket.sackedOut = socket.packetsOut - holes
  return true
}

function checkReordering(socket: TcpSock, more: number): void {
  if (!limit(socket)) return
  socket.reordering = Math.min(socket.packetsOut + more, socket.sysctls.maxReordering)
  socket.reordSeen++
  socket.tcp.counters.TCPRenoReorder++
}

export function addRenoSack(socket: TcpSock, duplicates: number): void {
  if (duplicates === 0) return
  const prior = socket.sackedOut
  socket.sackedOut += duplicates
  checkReordering(socket, 0)
  const delivered = socket.sackedOut - prior
  if (delivered > 0) socket.delivered += delivered
}

/** So many segments were acknowledged: one is the hole, the others were duplicates before. tcp_remove_reno_sacks(). */
export function removeRenoSacks(socket: TcpSock, acked: number): void {
  if (acked > 0) {
    socket.delivered += Math.max(acked - socket.sackedOut, 1)
    socket.sackedOut = acked - 1 >= socket.sackedOut ? 0 : socket.sackedOut - (acked - 1)
  }
  checkReordering(socket, acked)
}

export function resetRenoSack(socket: TcpSock): void {
  socket.sackedOut = 0
}

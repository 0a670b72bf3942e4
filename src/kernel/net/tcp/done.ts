/** A socket's states, and its end. Linux 6.1 net/ipv4/tcp.c: tcp_set_state(), tcp_done(); inet_csk_destroy_sock(). */
import type { Errno } from '#kernel/core'
import {
  SHUTDOWN_MASK,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from './constants.ts'
import type { TcpSock } from './sock.ts'

/** Moves a socket to another state. */
export function setState(socket: TcpSock, state: number): void {
  const old = socket.state
  const { counters } = socket.tcp
  if (state === TCP_ESTABLISHED) {
    if (old !== TCP_ESTABLISHED) counters.CurrEstab++
  } else {
    if (state === TCP_CLOSE) {
      if (old === TCP_CLOSE_WAIT || old === TCP_ESTABLISHED) counters.EstabResets++
      if (old === TCP_LISTEN) unlisten(socket)
      else socket.tcp.connections.remove(socket)
      if (socket.bind && !socket.portLocked) socket.tcp.ports.release(socket)
    }
    if (old === TCP_ESTABLISHED) counters.CurrEstab--
  }
  socket.state = state
}

function unlisten(socket: TcpSock): void {
  const list = socket.tcp.listeners.get(socket.localPort)
  const at = list?.indexOf(socket) ?? -1
  if (at >= 0) list!.splice(at, 1)
  if (list?.length === 0) socket.tcp.listeners.delete(socket.localPort)
}

/** Forgets all that was to be sent. tcp_write_queue_purge(). */
export function purgeWriteQueue(socket: TcpSock): void {
  socket.unsent.clear()
  socket.sent.clear()
  socket.sentOrder.clear()
  socket.wmemQueued = 0
  socket.packetsOut = 0
  socket.sackedOut = 0
  socket.lostOut = 0
  socket.retransOut = 0
  socket.backoff = 0
  socket.highestSack = undefined
  socket.retransmitHint = undefined
  socket.lostHint = undefined
}

/** The connection is over. tcp_done(). */
export function done(socket: TcpSock): void {
  if (socket.state === TCP_SYN_SENT || socket.state === TCP_SYN_RECV) socket.tcp.counters.AttemptFails++
  setState(socket, TCP_CLOSE)
  socket.dropTimers()
  socket.shutdown = SHUTDOWN_MASK
  if (socket.orphan) destroy(socket)
  else socket.queue.wake()
}

/** The connection ends with an error, which whoever has the descriptor is told. tcp_done_with_error(). */
export function doneWithError(socket: TcpSock, error: Errno): void {
  socket.error = error
  purgeWriteQueue(socket)
  done(socket)
  if (!socket.orphan) socket.queue.wake()
}

/** Nobody has a descriptor and there is no connection: it goes. */
export function destroy(socket: TcpSock): void {
  socket.dropTimers()
  purgeWriteQueue(socket)
  socket.received.clear()
  socket.outOfOrder = []
  socket.rmemAlloc = 0
  socket.path = undefined
  socket.portLocked = false
  socket.tcp.connections.remove(socket)
  socket.tcp.ports.release(socket)
  if (socket.orphanCounted) {
    socket.orphanCounted = false
    socket.tcp.orphans--
  }
  if (!socket.destroyed) {
    socket.destroyed = true
    socket.tcp.allocated--
  }
}

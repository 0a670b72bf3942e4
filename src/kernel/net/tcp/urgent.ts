/**
 * Urgent data: a pointer to a byte of the stream, which is taken out of it unless SO_OOBINLINE leaves it there. RFC 6093.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_urg(), tcp_check_urg(); net/ipv4/tcp.c: tcp_recv_urg(); tcp_output.c: tcp_urg_mode().
 */
import { type Errno, fail, ok, type SysResult } from '#kernel/core'
import type { Packet } from '#wire/inet'
import { RCV_SHUTDOWN, TCP_CLOSE, URG } from './constants.ts'
import { after, before } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { fastPathCheck } from './window.ts'

// tp->urg_data besides the byte: it hasn't come yet, it is there, it was read. 0: no urgent data.
const VALID = 0x100
const NOT_YET = 0x200
const READ = 0x400

/** A segment that was accepted may point to an urgent byte, or bring it. */
export function takeUrgent(socket: TcpSock, packet: Packet): void {
  if (packet.tcpFlags & URG) checkPointer(socket, packet)
  if (socket.urgentData !== NOT_YET) return
  const at = (socket.urgentSeq - (packet.seq | 0)) | 0
  if (at < 0 || at >= packet.length) return
  socket.urgentData = VALID | packet.buffer[packet.offset + at]!
  if (!socket.orphan) socket.queue.wake()
}

function checkPointer(socket: TcpSock, packet: Packet): void {
  let pointer = packet.urgent
  // RFC 1122 would have it point to the urgent byte; everybody points behind it.
  if (pointer !== 0 && socket.sysctls.stdurg === 0) pointer--
  pointer = (pointer + packet.seq) | 0
  if (after(socket.copiedSeq, pointer) || before(pointer, socket.rcvNxt)) return
  if (socket.urgentData !== 0 && !after(pointer, socket.urgentSeq)) return
  if (
    socket.urgentSeq === socket.copiedSeq &&
    socket.urgentData !== 0 &&
    !socket.oobInline &&
    socket.copiedSeq !== socket.rcvNxt
  ) {
    // The last one was read and still lies first in the queue: nobody reads it twice.
    socket.copiedSeq = (socket.copiedSeq + 1) | 0
  }
  socket.urgentData = NOT_YET
  socket.urgentSeq = pointer
  socket.fastPath = false
}

/** Whether a reader stands before an urgent byte. */
export function atUrgent(socket: TcpSock): boolean {
  return socket.urgentData !== 0 && socket.urgentSeq === socket.copiedSeq
}

/** How many bytes come before the urgent one; undefined if there is none ahead. */
export function bytesAheadOfUrgent(socket: TcpSock): number | undefined {
  if (socket.urgentData === 0) return undefined
  if (before(socket.urgentSeq, socket.copiedSeq) || !before(socket.urgentSeq, socket.rcvNxt)) return undefined
  return (socket.urgentSeq - socket.copiedSeq) | 0
}

/** The reader has passed the urgent byte: it is nothing special any more. */
export function passUrgent(socket: TcpSock): void {
  if (socket.urgentData === 0 || !after(socket.copiedSeq, socket.urgentSeq)) return
  socket.urgentData = 0
  fastPathCheck(socket)
}

/** Whether POLLPRI is to be told. */
export function hasUrgent(socket: TcpSock): boolean {
  return (socket.urgentData & VALID) !== 0
}

/** recv(2) with MSG_OOB. */
export function receiveUrgent(socket: TcpSock, length: number, peek: boolean): SysResult<Uint8Array> {
  if (socket.oobInline || socket.urgentData === 0 || socket.urgentData === READ) return fail('EINVAL' satisfies Errno)
  if (socket.state === TCP_CLOSE && !socket.done) return fail('ENOTCONN')
  if (socket.urgentData & VALID) {
    const byte = socket.urgentData & 0xff
    if (!peek) socket.urgentData = READ
    return ok(length > 0 ? Uint8Array.of(byte) : new Uint8Array(0))
  }
  if (socket.state === TCP_CLOSE || socket.shutdown & RCV_SHUTDOWN) return ok(new Uint8Array(0))
  return fail('EAGAIN')
}

/** Whether urgent data wait for their acknowledgement. */
export function urgentMode(socket: TcpSock): boolean {
  return socket.sendUrgent !== socket.sndUna
}

/** Says in a segment that goes out where urgent data end. */
export function markUrgent(socket: TcpSock, packet: Packet): void {
  const seq = packet.seq | 0
  if (!urgentMode(socket) || !before(seq, socket.sendUrgent)) return
  if (before(socket.sendUrgent, (seq + 0x10000) | 0)) packet.urgent = (socket.sendUrgent - seq) | 0
  else if (after((seq + 0xffff) | 0, socket.sndNxt)) packet.urgent = 0xffff
  else return
  packet.tcpFlags |= URG
}

/** What a program writes, into the queue of what is to be sent. Linux 6.1 net/ipv4/tcp.c: tcp_sendmsg_locked(), tcp_push(). */
import { ACK, NAGLE_CORK, NAGLE_PUSH, PSH, TX_SKB } from './constants.ts'
import { slowStartAfterIdle } from './cwnd.ts'
import { belowLowat } from './input.ts'
import { currentMss, sizeGoal } from './mss.ts'
import { pushOne, pushPending } from './output.ts'
import { checkAppLimited } from './rate.ts'
import { Segment } from './segment.ts'
import { after } from './sequence.ts'
import type { TcpSock } from './sock.ts'

/** More than half of the largest window was written since the last push. forced_push(). */
function forcedPush(socket: TcpSock): boolean {
  return after(socket.writeSeq, (socket.pushedSeq + (socket.maxWindow >> 1)) | 0)
}

function markPush(socket: TcpSock, segment: Segment): void {
  segment.flags |= PSH
  socket.pushedSeq = socket.writeSeq
}

/** Puts bytes behind what a segment of the queue holds: the first write's array is kept, what follows is copied together. */
function append(segment: Segment, bytes: Uint8Array, at: number, length: number, goal: number): void {
  if (segment.length === 0) {
    segment.buffer = bytes
    segment.offset = at
    segment.length = length
    segment.room = 0
    return
  }
  // What goes on in the same array needs no copy.
  if (segment.buffer === bytes && segment.offset + segment.length === at && segment.room === 0) {
    segment.length += length
    return
  }
  if (segment.room < length) {
    const size = segment.length + length
    const buffer = new Uint8Array(Math.min(goal, Math.max(2 * size, 256)))
    buffer.set(segment.buffer.subarray(segment.offset, segment.offset + segment.length))
    segment.buffer = buffer
    segment.offset = 0
    segment.room = buffer.length - segment.length
  }
  const from = at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length)
  segment.buffer.set(from, segment.offset + segment.length)
  segment.length += length
  segment.room -= length
}

/** Takes as much as there is room for; returns how much. The bytes are the socket's from here on. */
export function sendBytes(socket: TcpSock, bytes: Uint8Array, more: boolean, urgent = false): number {
  checkAppLimited(socket)
  let mss = currentMss(socket)
  let goal = sizeGoal(socket, mss)
  let copied = 0
  while (copied < bytes.length) {
    let segment = socket.unsent.tail
    if (segment === undefined || segment.length >= goal || segment.eor || segment.flags & 1) {
      if (socket.wmemQueued >= socket.sendBuffer || !belowLowat(socket)) break
      segment = new Segment(socket.writeSeq, socket.writeSeq, ACK)
      segment.truesize = TX_SKB
      socket.wmemQueued += TX_SKB
      slowStartAfterIdle(socket)
      if (socket.nonagle & NAGLE_PUSH) socket.nonagle &= ~NAGLE_PUSH
      if (socket.busySince < 0) socket.busySince = socket.jiffies
      socket.unsent.push(segment)
    }
    const length = Math.min(goal - segment.length, bytes.length - copied)
    append(segment, bytes, copied, length, goal)
    if (copied === 0) segment.flags &= ~PSH
    segment.endSeq = (segment.endSeq + length) | 0
    segment.segments = 0
    segment.truesize += length
    socket.wmemQueued += length
    socket.writeSeq = (socket.writeSeq + length) | 0
    copied += length
    if (copied === bytes.length || segment.length < goal) continue
    if (forcedPush(socket)) {
      markPush(socket, segment)
      socket.refresh()
      pushPending(socket, mss, NAGLE_PUSH)
    } else if (segment === socket.unsent.head) pushOne(socket, mss)
    mss = currentMss(socket)
    goal = sizeGoal(socket, mss)
  }
  const whole = copied === bytes.length
  if (!whole) socket.noSpace = true
  if (copied !== 0) push(socket, whole && more, mss, whole ? socket.nonagle : NAGLE_PUSH, whole && urgent)
  return copied
}

/** tcp_push(). */
function push(socket: TcpSock, more: boolean, mss: number, nonagle: number, urgent: boolean): void {
  const tail = socket.unsent.tail
  if (tail === undefined) return
  if (!more || forcedPush(socket)) markPush(socket, tail)
  if (urgent) socket.sendUrgent = socket.writeSeq
  pushPending(socket, mss, more ? NAGLE_CORK : nonagle)
}

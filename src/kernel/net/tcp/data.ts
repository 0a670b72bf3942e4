/**
 * Data that came in: in sequence to whoever reads, out of sequence to a queue of their own, and the SACKs that tell of it.
 * Linux 6.1 net/ipv4/tcp_input.c: tcp_data_queue(), tcp_data_queue_ofo(), tcp_ofo_queue(), tcp_fin().
 */
import { frameLength, type Packet } from '#wire/inet'
import { gsoSegmentCount } from '../gso.ts'
import {
  ACK_NOW,
  ACK_SCHED,
  ATO_MIN,
  FIN,
  MAX_QUICKACKS,
  RCV_SHUTDOWN,
  SKB_HEAD,
  SKB_SHARED,
  SYN,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_SYN_RECV,
  TCP_TIME_WAIT,
  TX_SKB,
} from './constants.ts'
import { setState } from './done.ts'
import { ecnReceived } from './ecn.ts'
import { sendAck } from './output.ts'
import { after, before } from './sequence.ts'
import type { Stretch, TcpSock } from './sock.ts'
import { enterTimeWait } from './timewait.ts'
import { clampWindow, fastPathCheck, growWindow, measureRcvMss, measureRcvRtt } from './window.ts'

/** A frame's memory before the data: NET_SKB_PAD of a tap device. */
const HEADROOM = 64
/** How many pieces are joined to one head: MAX_SKB_FRAGS. */
const FRAGS_MAX = 17
const PAGE = 4096

/** What a received packet takes in memory, as a tap device allocates it. Linux 6.1 drivers/net/tun.c: tun_build_skb(). */
export function receivedTruesize(packet: Packet): number {
  if (packet.socket !== undefined || packet.gsoSize !== 0) return TX_SKB + packet.length
  const length = frameLength(packet) + HEADROOM
  const data = ((length + 63) & ~63) + SKB_SHARED
  // What doesn't fit into a page is allocated by powers of two.
  return (data <= PAGE ? data : 2 ** Math.ceil(Math.log2(length + SKB_SHARED))) + SKB_HEAD
}

/** A segment has come. tcp_segs_in(). */
export function countSegments(socket: TcpSock, packet: Packet): void {
  const count = gsoSegmentCount(packet)
  socket.segsIn += count
  if (packet.length !== 0) socket.dataSegsIn += count
}

/** Where a segment's data end, FIN and SYN counted. */
export function endOf(packet: Packet): number {
  const flags = packet.tcpFlags
  return (packet.seq + packet.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)) | 0
}

/** An acknowledgement is due. inet_csk_schedule_ack(). */
export function scheduleAck(socket: TcpSock): void {
  socket.ackPending |= ACK_SCHED
}

/** tcp_incr_quickack(). */
export function increaseQuickAck(socket: TcpSock, most: number): void {
  const count = Math.floor(socket.rcvWnd / (2 * socket.rcvMss)) || 2
  socket.ackQuick = Math.max(socket.ackQuick, Math.min(count, most))
}

/** tcp_enter_quickack_mode(). */
export function enterQuickAck(socket: TcpSock, most = MAX_QUICKACKS): void {
  increaseQuickAck(socket, most)
  socket.ackPingpong = 0
  socket.ackAto = ATO_MIN
}

/** Data have come: the delayed acknowledgement learns of it. tcp_event_data_recv(). */
export function dataReceived(socket: TcpSock, packet: Packet, truesize: number): void {
  socket.ackPending |= ACK_SCHED
  measureRcvMss(socket, packet)
  measureRcvRtt(socket)
  const now = socket.jiffies
  if (socket.ackAto === 0) {
    increaseQuickAck(socket, MAX_QUICKACKS)
    socket.ackAto = ATO_MIN
  } else {
    const m = now - socket.lrcvtime
    if (m <= ATO_MIN / 2) socket.ackAto = (socket.ackAto >> 1) + ATO_MIN / 2
    else if (m < socket.ackAto) socket.ackAto = Math.min((socket.ackAto >> 1) + m, socket.rto)
    else if (m > socket.rto) increaseQuickAck(socket, MAX_QUICKACKS)
  }
  socket.lrcvtime = now
  if (socket.ecnOk) ecnReceived(socket, packet, () => enterQuickAck(socket, 2))
  if (packet.length >= 128) growWindow(socket, packet.length, truesize)
}

/** A packet that came by lo or a veth pair, from a sender's own memory. */
function isLocal(packet: Packet): boolean {
  return packet.socket !== undefined || packet.gsoSize !== 0
}

/** How many bytes could be copied behind a packet's data. skb_tailroom(). */
function tailRoom(packet: Packet): number {
  const used = frameLength(packet) + HEADROOM
  return isLocal(packet) ? 0 : ((used + 63) & ~63) - used
}

/** What a packet saves when it is joined to another: its head. */
function headOf(packet: Packet): number {
  return isLocal(packet) ? TX_SKB : SKB_HEAD
}

/**
 * Accounts for what comes to the end of what is received in sequence: joined to what is there, by a copy or by reference,
 * or by itself. What is freed when it has been read. tcp_try_coalesce().
 */
function place(socket: TcpSock, first: Packet, length: number, truesize: number, frags: number, room: number): number {
  const { received } = socket
  const last = received.length - 1
  let size = truesize
  let joined = 0
  const follows = last >= 0 && (first.seq | 0) === socket.rcvNxt
  if (follows && (length <= received.room || received.frags + frags <= FRAGS_MAX + 1)) {
    if (length <= received.room) {
      size = 0
      received.room -= length
    } else {
      size -= headOf(first)
      received.frags += frags
      received.room = 0
    }
    // All is freed when the last of them has been read.
    joined = received.sizeAt(last)
    received.setSize(last, 0)
    socket.tcp.counters.TCPRcvCoalesce++
  } else {
    received.frags = frags
    received.room = room
  }
  socket.chargeMemory(size)
  return joined + size
}

/** A packet whose data go on from what was received: to the reader. tcp_queue_rcv(). Its truesize is counted. */
export function queueReceived(socket: TcpSock, packet: Packet, truesize: number): void {
  socket.scheduleMemory(truesize)
  const size = place(socket, packet, packet.length, truesize, 1, tailRoom(packet))
  const end = endOf(packet)
  socket.bytesReceived += (end - socket.rcvNxt) | 0
  socket.rcvNxt = end
  socket.received.push(packet, size)
}

/** Who waits for data is woken. tcp_data_ready(). */
export function dataReady(socket: TcpSock): void {
  if (socket.done || socket.unread >= socket.receiveLowat || socket.rmemAlloc > socket.receiveBuffer) {
    socket.queue.wake()
  }
}

// SACKs of what was received.

function setDsack(socket: TcpSock, start: number, end: number): void {
  if (!socket.sackOk || socket.sysctls.dsack === 0) return
  if (before(start, socket.rcvNxt)) socket.tcp.counters.TCPDSACKOldSent++
  else socket.tcp.counters.TCPDSACKOfoSent++
  socket.dsack = true
  socket.dsackStart = start
  socket.dsackEnd = end
}

function extendDsack(socket: TcpSock, start: number, end: number): void {
  if (!socket.dsack) {
    setDsack(socket, start, end)
    return
  }
  if (after(start, socket.dsackEnd) || after(socket.dsackStart, end)) return
  if (before(start, socket.dsackStart)) socket.dsackStart = start
  if (after(end, socket.dsackEnd)) socket.dsackEnd = end
}

/** What was compressed is sent. tcp_sack_compress_send_ack(). */
function sendCompressed(socket: TcpSock): void {
  if (socket.compressedAck === 0) return
  socket.compressedAck--
  socket.compressedNs = Number.POSITIVE_INFINITY
  sendAck(socket)
}

/** Blocks beyond so many aren't expected to fit: a compressed acknowledgement goes out first. TCP_SACK_BLOCKS_EXPECTED. */
const BLOCKS_EXPECTED = 2

/** tcp_sack_new_ofo_skb(): the block that it belongs to comes first. */
function addSack(socket: TcpSock, start: number, end: number): void {
  const { sacks } = socket
  for (let i = 0; i < sacks.length; i += 2) {
    if (after(start, sacks[i + 1]!) || after(sacks[i]!, end)) continue
    const low = before(start, sacks[i]!) ? start : sacks[i]!
    const high = after(end, sacks[i + 1]!) ? end : sacks[i + 1]!
    if (i / 2 >= BLOCKS_EXPECTED) sendCompressed(socket)
    sacks.splice(i, 2)
    sacks.unshift(low, high)
    coalesceSacks(sacks)
    return
  }
  if (sacks.length / 2 >= BLOCKS_EXPECTED) sendCompressed(socket)
  if (sacks.length >= 8) sacks.length = 6
  sacks.unshift(start, end)
}

/** Blocks that the first one touches become part of it. tcp_sack_maybe_coalesce(). */
function coalesceSacks(sacks: number[]): void {
  for (let i = 2; i < sacks.length; ) {
    if (after(sacks[0]!, sacks[i + 1]!) || after(sacks[i]!, sacks[1]!)) {
      i += 2
      continue
    }
    if (before(sacks[i]!, sacks[0]!)) sacks[0] = sacks[i]!
    if (after(sacks[i + 1]!, sacks[1]!)) sacks[1] = sacks[i + 1]!
    sacks.splice(i, 2)
  }
}

/** Blocks that have become part of the sequence go. tcp_sack_remove(). */
function removeSacks(socket: TcpSock): void {
  const { sacks, rcvNxt } = socket
  if (socket.outOfOrder.length === 0) {
    sacks.length = 0
    return
  }
  for (let i = 0; i < sacks.length; ) {
    if (!before(rcvNxt, sacks[i]!)) sacks.splice(i, 2)
    else i += 2
  }
}

// Memory.

/** Whether there is room for another packet; makes some if it can. tcp_try_rmem_schedule(). */
function hasRoom(socket: TcpSock): boolean {
  if (socket.rmemAlloc <= socket.receiveBuffer) return true
  const { counters } = socket.tcp
  counters.PruneCalled++
  if (socket.rmemAlloc >= socket.receiveBuffer) clampWindow(socket)
  if (socket.rmemAlloc <= socket.receiveBuffer) return true
  collapse(socket)
  if (socket.rmemAlloc <= socket.receiveBuffer) return true
  pruneOutOfOrder(socket)
  if (socket.rmemAlloc <= socket.receiveBuffer) return true
  counters.RcvPruned++
  socket.fastPath = false
  return false
}

/** Small packets are copied together: their data take no more memory than themselves and a head for each page. tcp_collapse(). */
function collapse(socket: TcpSock): void {
  let saved = 0
  const { received } = socket
  for (let i = 0; i < received.length; i++) {
    const tight = received.at(i).length + 64
    const size = received.sizeAt(i)
    if (size <= tight * 2) continue
    saved += size - tight
    received.setSize(i, tight)
    socket.tcp.counters.TCPRcvCollapsed++
  }
  socket.unchargeMemory(saved)
}

function pruneOutOfOrder(socket: TcpSock): void {
  if (socket.outOfOrder.length === 0) return
  socket.tcp.counters.OfoPruned++
  while (socket.outOfOrder.length > 0 && socket.rmemAlloc > socket.receiveBuffer) {
    socket.unchargeMemory(socket.outOfOrder.pop()!.size)
  }
  socket.sacks.length = 0
  socket.dsack = false
}

// The two queues.

/** A segment with data or a FIN, checked. */
export function queueData(socket: TcpSock, packet: Packet): void {
  const seq = packet.seq | 0
  const end = endOf(packet)
  if (seq === end) return
  const { counters } = socket.tcp
  socket.dsack = false
  if (seq === socket.rcvNxt) {
    if (socket.receiveWindow === 0) {
      counters.TCPZeroWindowDrop++
      outOfWindow(socket)
      return
    }
    queueInSequence(socket, packet)
    return
  }
  if (!after(end, socket.rcvNxt)) {
    counters.DelayedACKLost++
    setDsack(socket, seq, end)
    outOfWindow(socket)
    return
  }
  if (!before(seq, (socket.rcvNxt + socket.receiveWindow) | 0)) {
    outOfWindow(socket)
    return
  }
  if (before(seq, socket.rcvNxt)) {
    setDsack(socket, seq, socket.rcvNxt)
    if (socket.receiveWindow === 0) {
      counters.TCPZeroWindowDrop++
      outOfWindow(socket)
      return
    }
    queueInSequence(socket, packet)
    return
  }
  queueOutOfOrder(socket, packet, seq, end)
}

function outOfWindow(socket: TcpSock): void {
  enterQuickAck(socket)
  socket.ackPending |= ACK_SCHED
}

function queueInSequence(socket: TcpSock, packet: Packet): void {
  if (socket.received.length > 0 && !hasRoom(socket)) {
    socket.tcp.counters.TCPRcvQDrop++
    socket.queue.wake()
    return
  }
  const truesize = receivedTruesize(packet)
  queueReceived(socket, packet, truesize)
  if (packet.length !== 0) dataReceived(socket, packet, truesize)
  if (packet.tcpFlags & FIN) receiveFin(socket)
  if (socket.outOfOrder.length !== 0) {
    takeOutOfOrder(socket)
    if (socket.outOfOrder.length === 0) socket.ackPending |= ACK_NOW
  }
  if (socket.sacks.length !== 0) removeSacks(socket)
  fastPathCheck(socket)
  if (!socket.orphan) dataReady(socket)
}

/** What was out of order and now follows. tcp_ofo_queue(). */
function takeOutOfOrder(socket: TcpSock): void {
  const high = socket.rcvNxt
  const queue = socket.outOfOrder
  let taken = 0
  while (taken < queue.length) {
    const { seq, end, packets, size, frags, room } = queue[taken]!
    if (after(seq, socket.rcvNxt)) break
    if (before(seq, high)) extendDsack(socket, seq, before(end, high) ? end : high)
    taken++
    if (!after(end, socket.rcvNxt)) {
      socket.unchargeMemory(size)
      continue
    }
    const length = packets.reduce((sum, packet) => sum + packet.length, 0)
    const freed = place(socket, packets[0]!, length, size, frags, room)
    socket.unchargeMemory(size)
    socket.bytesReceived += (end - socket.rcvNxt) | 0
    socket.rcvNxt = end
    const last = packets.length - 1
    packets.forEach((packet, i) => {
      socket.received.push(packet, i === last ? freed : 0)
    })
    if (packets[last]!.tcpFlags & FIN) {
      queue.splice(0, taken)
      receiveFin(socket)
      return
    }
  }
  if (taken !== 0) queue.splice(0, taken)
}

/** Joins a packet to a stretch that it follows; whether it could. tcp_ooo_try_coalesce(). */
function joins(socket: TcpSock, stretch: Stretch, packet: Packet, truesize: number): boolean {
  if (stretch.end !== (packet.seq | 0)) return false
  let size = truesize
  if (packet.length <= stretch.room) {
    size = 0
    stretch.room -= packet.length
  } else if (stretch.frags <= FRAGS_MAX) {
    size -= headOf(packet)
    stretch.frags++
    stretch.room = 0
  } else return false
  stretch.packets.push(packet)
  stretch.end = endOf(packet)
  stretch.size += size
  socket.chargeMemory(size)
  socket.tcp.counters.TCPRcvCoalesce++
  return true
}

/** tcp_data_queue_ofo(): in order of numbers, what overlaps told of by a DSACK. */
function queueOutOfOrder(socket: TcpSock, packet: Packet, seq: number, end: number): void {
  const { counters } = socket.tcp
  if (socket.ecnOk) ecnReceived(socket, packet, () => enterQuickAck(socket, 2))
  if (!hasRoom(socket)) {
    counters.TCPOFODrop++
    socket.queue.wake()
    return
  }
  socket.fastPath = false
  socket.ackPending |= ACK_SCHED
  socket.rcvOooPack += packet.gsoSize === 0 ? 1 : Math.ceil(packet.length / packet.gsoSize)
  counters.TCPOFOQueue++
  const queue = socket.outOfOrder
  const truesize = receivedTruesize(packet)
  socket.scheduleMemory(truesize)
  const first = queue.length === 0
  if (insert(socket, packet, seq, end, truesize) && socket.sackOk) {
    if (first) {
      socket.sacks.length = 0
      socket.sacks.push(seq, end)
    } else addSack(socket, seq, end)
    growWindow(socket, packet.length, truesize)
  }
}

/** Puts a packet into the queue of what is out of order; false if all of it was there. */
function insert(socket: TcpSock, packet: Packet, seq: number, end: number, truesize: number): boolean {
  const { counters } = socket.tcp
  const queue = socket.outOfOrder
  let at = queue.length
  let covered = 0
  // Most come behind all others; else a binary search finds the last that doesn't begin later.
  if (at > 0 && joins(socket, queue[at - 1]!, packet, truesize)) return true
  if (at > 0 && before(seq, queue[at - 1]!.end)) {
    let low = 0
    while (low < at) {
      const middle = (low + at) >> 1
      if (after(queue[middle]!.seq, seq)) at = middle
      else low = middle + 1
    }
    const previous = at > 0 ? queue[at - 1] : undefined
    // Where stretches overlap, one that ends here is met before the one that begins last.
    if (at > 1 && joins(socket, queue[at - 2]!, packet, truesize)) return true
    if (previous && before(seq, previous.end)) {
      if (!after(end, previous.end)) {
        counters.TCPOFOMerge++
        setDsack(socket, seq, end)
        if (socket.sackOk) addSack(socket, seq, end)
        return false
      }
      if (after(seq, previous.seq)) setDsack(socket, seq, previous.end)
      else {
        extendDsack(socket, previous.seq, previous.end)
        counters.TCPOFOMerge++
        socket.unchargeMemory(previous.size)
        queue.splice(--at, 1)
      }
    } else if (previous && joins(socket, previous, packet, truesize)) return true
    for (; at + covered < queue.length; covered++) {
      const next = queue[at + covered]!
      if (!after(end, next.seq)) break
      if (before(end, next.end)) {
        extendDsack(socket, next.seq, end)
        break
      }
      extendDsack(socket, next.seq, next.end)
      counters.TCPOFOMerge++
      socket.unchargeMemory(next.size)
    }
  }
  queue.splice(at, covered, { seq, end, packets: [packet], size: truesize, frags: 1, room: tailRoom(packet) })
  socket.chargeMemory(truesize)
  return true
}

/** The peer has no more to send. tcp_fin(). */
export function receiveFin(socket: TcpSock): void {
  socket.ackPending |= ACK_SCHED
  socket.shutdown |= RCV_SHUTDOWN
  socket.done = true
  switch (socket.state) {
    case TCP_SYN_RECV:
    case TCP_ESTABLISHED:
      setState(socket, TCP_CLOSE_WAIT)
      socket.ackPingpong = 3
      break
    case TCP_FIN_WAIT1:
      sendAck(socket)
      setState(socket, TCP_CLOSING)
      break
    case TCP_FIN_WAIT2:
      sendAck(socket)
      enterTimeWait(socket, TCP_TIME_WAIT, 0)
      break
    default:
      break
  }
  for (const { size } of socket.outOfOrder) socket.unchargeMemory(size)
  socket.outOfOrder.length = 0
  socket.sacks.length = 0
  socket.dsack = false
  if (!socket.orphan) socket.queue.wake()
}

/** A segment that lies outside the window is answered with what is expected. tcp_send_dupack(). */
export function sendDuplicateAck(socket: TcpSock, seq: number, end: number): void {
  if (end !== seq && before(seq, socket.rcvNxt)) {
    socket.tcp.counters.DelayedACKLost++
    enterQuickAck(socket)
    if (socket.sackOk && socket.sysctls.dsack !== 0) {
      setDsack(socket, seq, after(end, socket.rcvNxt) ? socket.rcvNxt : end)
    }
  }
  sendAck(socket)
}

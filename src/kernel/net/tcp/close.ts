/** Ends: shutdown(2), close(2), disconnecting, and what is left behind. Linux 6.1 net/ipv4/tcp.c: __tcp_close(), tcp_shutdown(), tcp_disconnect(). */
import {
  CA_OPEN,
  INFINITE_SSTHRESH,
  INIT_CWND,
  MIN_MSS,
  SHUTDOWN_MASK,
  states,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TIMEOUT_INIT,
  TIMEWAIT_LEN,
} from './constants.ts'
import { destroy, purgeWriteQueue, setState } from './done.ts'
import { stopListening } from './listen.ts'
import { sendActiveReset, sendFin } from './output.ts'
import { after } from './sequence.ts'
import type { TcpSock } from './sock.ts'
import { finTime } from './timers.ts'
import { enterTimeWait } from './timewait.ts'

const MAY_SHUT = states(TCP_ESTABLISHED, TCP_SYN_SENT, TCP_CLOSE_WAIT)
const NEEDS_RESET = states(TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_SYN_RECV)

/** The state after a FIN of ours; whether one is to be sent. tcp_close_state(). */
function closeState(socket: TcpSock): boolean {
  switch (socket.state) {
    case TCP_ESTABLISHED:
    case TCP_SYN_RECV:
      setState(socket, TCP_FIN_WAIT1)
      return true
    case TCP_CLOSE_WAIT:
      setState(socket, TCP_LAST_ACK)
      return true
    case TCP_SYN_SENT:
      setState(socket, TCP_CLOSE)
      return false
    default:
      return false
  }
}

/** Nothing more will be sent. */
export function shutdownSend(socket: TcpSock): void {
  if ((1 << socket.state) & MAY_SHUT && closeState(socket)) sendFin(socket)
}

/** What was received and not read is thrown away; whether there was any. */
function flushReceived(socket: TcpSock): boolean {
  let unread = false
  for (let i = 0; i < socket.received.length; i++) {
    const packet = socket.received.at(i)
    if (after(((packet.seq | 0) + packet.length) | 0, socket.copiedSeq)) unread = true
  }
  socket.received.clear()
  socket.rmemAlloc = 0
  return unread
}

/** The last descriptor is closed. */
export function closeSocket(socket: TcpSock): void {
  const { counters } = socket.tcp
  socket.shutdown = SHUTDOWN_MASK
  if (socket.state === TCP_LISTEN) {
    setState(socket, TCP_CLOSE)
    stopListening(socket)
  } else {
    const unread = flushReceived(socket)
    if (socket.state !== TCP_CLOSE) {
      if (unread) {
        counters.TCPAbortOnClose++
        setState(socket, TCP_CLOSE)
        sendReset(socket)
      } else if (socket.linger === 0) {
        disconnect(socket)
        counters.TCPAbortOnData++
      } else if (closeState(socket)) sendFin(socket)
    }
  }
  abandon(socket)
}

/** A socket in CLOSE may still say goodbye: its numbers are those it had. */
function sendReset(socket: TcpSock): void {
  sendActiveReset(socket)
}

/** Nobody has it any more. */
export function abandon(socket: TcpSock): void {
  const { tcp } = socket
  socket.orphan = true
  socket.attached = false
  if (!socket.orphanCounted && !socket.destroyed) {
    socket.orphanCounted = true
    tcp.orphans++
  }
  if (socket.state === TCP_FIN_WAIT2) {
    if (socket.linger2 < 0) {
      setState(socket, TCP_CLOSE)
      sendReset(socket)
      tcp.counters.TCPAbortOnLinger++
    } else {
      const wait = finTime(socket)
      if (wait > TIMEWAIT_LEN) socket.setKeepaliveTimer(socket.jiffies + wait - TIMEWAIT_LEN)
      else {
        enterTimeWait(socket, TCP_FIN_WAIT2, wait)
        return
      }
    }
  }
  if (socket.state !== TCP_CLOSE && tcp.orphans > tcp.sysctls.maxOrphans) {
    setState(socket, TCP_CLOSE)
    sendReset(socket)
    tcp.counters.TCPAbortOnMemory++
  }
  if (socket.state === TCP_CLOSE) destroy(socket)
}

/** A connection that nobody will ever accept is cut off. inet_child_forget(). */
export function forgetChild(socket: TcpSock): void {
  socket.parent = undefined
  disconnect(socket)
  socket.orphan = true
  destroy(socket)
}

/** Back to a socket that isn't connected. tcp_disconnect(). */
export function disconnect(socket: TcpSock): void {
  const old = socket.state
  if (old !== TCP_CLOSE) setState(socket, TCP_CLOSE)
  if (old === TCP_LISTEN) stopListening(socket)
  else if (
    (1 << old) & NEEDS_RESET ||
    (socket.sndNxt !== socket.writeSeq && (old === TCP_CLOSING || old === TCP_LAST_ACK))
  ) {
    sendReset(socket)
    socket.error = 'ECONNRESET'
  } else if (old === TCP_SYN_SENT) socket.error = 'ECONNRESET'
  socket.dropTimers()
  flushReceived(socket)
  socket.copiedSeq = socket.rcvNxt
  purgeWriteQueue(socket)
  socket.outOfOrder = []
  socket.remotePort = 0
  socket.remote = socket.af.any
  if (!socket.addressLocked) {
    socket.local = socket.af.any
    socket.sourceAddress = socket.af.any
  }
  socket.shutdown = 0
  socket.done = false
  socket.srttUs = 0
  socket.mdevUs = 1_000_000
  socket.rcvRttLastTsecr = 0
  socket.writeSeq = (socket.writeSeq + socket.maxWindow + 2) | 0 || 1
  socket.probesOut = 0
  socket.probesTstamp = 0
  socket.rto = TIMEOUT_INIT
  socket.sndSsthresh = INFINITE_SSTHRESH
  socket.sndCwnd = INIT_CWND
  socket.sndCwndCnt = 0
  socket.isCwndLimited = false
  socket.maxPacketsOut = 0
  socket.windowClamp = 0
  socket.delivered = 0
  socket.caState = CA_OPEN
  socket.undoMarker = 0
  socket.undoRetrans = -1
  socket.totalRetrans = 0
  socket.retransStamp = 0
  socket.ackPending = 0
  socket.ackQuick = 0
  socket.ackPingpong = 0
  socket.ackAto = 0
  socket.rcvMss = MIN_MSS
  socket.tstampOk = false
  socket.sackOk = false
  socket.wscaleOk = false
  socket.tsRecent = 0
  socket.tsRecentStamp = 0
  socket.sacks = []
  socket.dsack = false
  socket.path = undefined
  socket.bytesSent = 0
  socket.bytesAcked = 0
  socket.bytesReceived = 0
  socket.bytesRetrans = 0
  socket.segsIn = 0
  socket.segsOut = 0
  socket.dataSegsIn = 0
  socket.dataSegsOut = 0
  socket.dsackDups = 0
  socket.reordSeen = 0
  socket.tlpPending = false
  socket.lastOowAck = 0
  socket.rackUs = 0
  socket.rackAdvanced = false
  socket.rackReoWndSteps = 1
  socket.queue.wake()
}

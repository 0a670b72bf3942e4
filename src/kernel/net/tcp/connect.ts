/** Asking for a connection. Linux 6.1 net/ipv4/tcp_ipv4.c: tcp_v4_connect(); net/ipv4/tcp_output.c: tcp_connect(). */
import type { Errno } from '#kernel/core'
import {
  CWR,
  ECE,
  MSS_DEFAULT,
  RTO_MAX,
  SYN,
  TCP_CLOSE,
  TCP_SYN_SENT,
  TIMEOUT_INIT,
  TIMER_RETRANS,
} from './constants.ts'
import { purgeWriteQueue, setState } from './done.ts'
import { initMtuProbing } from './input.ts'
import { syncMss } from './mss.ts'
import { queueControl, transmitSegment } from './output.ts'
import type { Address, TcpSock } from './sock.ts'
import { resetXmitTimer } from './timers.ts'
import { initialWindow, initRcvMss } from './window.ts'

/** Sends a SYN; undefined: it is on its way. */
export function connect(socket: TcpSock, address: Address, port: number): Errno | undefined {
  const { tcp, af } = socket
  const failed = af.connectPath(socket, address, port)
  if (failed !== undefined) return failed
  socket.remotePort = port
  socket.mssClamp = MSS_DEFAULT
  setState(socket, TCP_SYN_SENT)
  if (!tcp.ports.connect(socket)) {
    setState(socket, TCP_CLOSE)
    socket.remotePort = 0
    socket.path = undefined
    return 'EADDRNOTAVAIL'
  }
  if (socket.writeSeq === 0) {
    socket.writeSeq = tcp.initialSequence(socket.local, socket.localPort, socket.remote, port)
  }
  socket.tsOffset = tcp.timestampOffset(socket.local, socket.remote)
  socket.ipId = tcp.ipIds.below(65536)
  init(socket)
  const syn = queueControl(socket, SYN)
  socket.refresh()
  socket.retransStamp = socket.timeStamp
  if (tcp.sysctls.ecn === 1) {
    syn.flags |= ECE | CWR
    socket.ecnOk = true
  }
  socket.sent.push(syn)
  socket.packetsOut = 1
  transmitSegment(socket, syn)
  socket.sndNxt = socket.writeSeq
  socket.pushedSeq = socket.writeSeq
  tcp.counters.ActiveOpens++
  resetXmitTimer(socket, TIMER_RETRANS, socket.rto, RTO_MAX)
  return undefined
}

/** tcp_connect_init(). */
function init(socket: TcpSock): void {
  const { tcp, af, sysctls } = socket
  const path = socket.path!
  socket.headerLength = sysctls.timestamps !== 0 ? 32 : 20
  if (socket.userMss !== 0) socket.mssClamp = socket.userMss
  socket.maxWindow = 0
  initMtuProbing(socket)
  syncMss(socket, af.mtu(path))
  if (socket.windowClamp === 0) socket.windowClamp = af.metric(path, 'window')
  const advmss = af.advmss(path)
  socket.advmss = socket.userMss !== 0 && socket.userMss < advmss ? socket.userMss : advmss
  initRcvMss(socket)
  const full = socket.fullSpace
  if (socket.receiveBufferLocked && (socket.windowClamp > full || socket.windowClamp === 0)) socket.windowClamp = full
  const opened = initialWindow(
    full,
    socket.advmss - (socket.tsRecentStamp !== 0 ? socket.headerLength - 20 : 0),
    socket.windowClamp,
    sysctls.windowScaling !== 0,
    af.metric(path, 'initrwnd'),
    sysctls,
    tcp.inet.sysctls.rmemMax,
  )
  socket.rcvWnd = opened.window
  socket.windowClamp = opened.clamp
  socket.rcvWscale = opened.wscale
  socket.rcvSsthresh = socket.rcvWnd
  socket.error = undefined
  socket.done = false
  socket.sndWnd = 0
  socket.sndWl1 = 0
  purgeWriteQueue(socket)
  socket.sndUna = socket.writeSeq
  socket.sendUrgent = socket.writeSeq
  socket.sndSml = socket.writeSeq
  socket.sndNxt = socket.writeSeq
  socket.rcvNxt = 0
  socket.rcvWup = 0
  socket.copiedSeq = 0
  socket.rto = TIMEOUT_INIT
  socket.retransmits = 0
  socket.undoMarker = 0
  socket.undoRetrans = -1
}

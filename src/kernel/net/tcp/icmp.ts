/** ICMP errors about TCP's segments. Linux 6.1 net/ipv4/tcp_ipv4.c: tcp_v4_err(), tcp_v4_mtu_reduced(), tcp_ld_RTO_revert(). RFC 5927. */
import type { Errno } from '#kernel/core'
import { flowOf } from '../fib.ts'
import { type IcmpErrorInfo, learnFrom } from '../icmp-receive.ts'
import type { InetState } from '../ip-state.ts'
import { errorOf, IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE } from '../sockets/inet.ts'
import {
  RTO_MAX,
  TCP_CLOSE,
  TCP_LISTEN,
  TCP_NEW_SYN_RECV,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
  TIMEOUT_INIT,
  TIMER_RETRANS,
} from './constants.ts'
import { doneWithError } from './done.ts'
import { type TcpHost, tcpState } from './host.ts'
import { dropRequest } from './listen.ts'
import { syncMss } from './mss.ts'
import { read32 } from './options.ts'
import { leave } from './receive.ts'
import { simpleRetransmit } from './recovery.ts'
import type { Request } from './request.ts'
import { estimatedRto, usecsToJiffies } from './rtt.ts'
import { between } from './sequence.ts'
import type { Address, TcpSock } from './sock.ts'
import { resetXmitTimer, retransmitTimer } from './timers.ts'

const UNREACHABLE = 3
const REDIRECT = 5
const PARAMETER_PROBLEM = 12

/** An ICMP error by IPv4 that quotes a TCP segment. */
export function tcpError(state: InetState, error: IcmpErrorInfo): void {
  const tcp = tcpState.of(state.host)
  const { bytes, payload, src, dst } = error.quoted
  const localPort = bytes[payload]! * 256 + bytes[payload + 1]!
  const remotePort = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  const seq = read32(bytes, payload + 4)
  const found = tcp.connections.find(src, localPort, dst, remotePort, error.device.ifindex)
  if (found === undefined) {
    state.count().icmpInErrors++
    return
  }
  if (found.state === TCP_TIME_WAIT) return
  const { type, code } = error
  const hostGone = type === UNREACHABLE && code <= 1
  if (found.state === TCP_NEW_SYN_RECV) {
    const request = found as Request
    if (seq !== request.sntIsn) tcp.counters.OutOfWindowIcmps++
    else if (type === PARAMETER_PROBLEM || hostGone) {
      dropRequest(request)
      tcp.counters.ListenDrops++
    }
    return
  }
  const socket = found as TcpSock
  if (socket.state === TCP_CLOSE) return
  if (!between(seq, socket.sndUna, socket.sndNxt)) {
    tcp.counters.OutOfWindowIcmps++
    return
  }
  if (type === REDIRECT) {
    learnFrom(state, error, socketFlow(socket))
    return
  }
  const busy = socket.busy
  socket.busy = true
  if (type === UNREACHABLE && code === 4) {
    if (socket.pmtuDiscover < IP_PMTUDISC_INTERFACE) learnFrom(state, error, socketFlow(socket))
    mtuReduced(socket, error.info)
  } else {
    const answer = errorOf(type, code, socket.pmtuDiscover)
    if (answer) {
      if (hostGone) revertBackoff(socket, seq)
      report(socket, answer[0])
    }
  }
  socket.busy = busy
  if (!busy) leave(socket)
}

/** An ICMP error of another network's protocol, as far as TCP goes by it. */
export interface QuotedSegment {
  local: Address
  remote: Address
  /** The quotation, and where the segment begins in it. */
  bytes: Uint8Array
  payload: number
  ifindex: number
  /** The path takes no more than this. */
  mtu: number | undefined
  errno: Errno | undefined
  /** RFC 6069's: the network had no way there. */
  hostGone: boolean
}

/** Tells whoever sent a segment of an error about it; whether there is such a one. tcp_v6_err(). */
export function tcpErrorTo(tcp: TcpHost, error: QuotedSegment): boolean {
  const { bytes, payload } = error
  const localPort = bytes[payload]! * 256 + bytes[payload + 1]!
  const remotePort = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  const seq = read32(bytes, payload + 4)
  const found = tcp.connections.find(error.local, localPort, error.remote, remotePort, error.ifindex)
  if (found === undefined) return false
  if (found.state === TCP_TIME_WAIT) return true
  if (found.state === TCP_NEW_SYN_RECV) {
    const request = found as Request
    if (seq !== request.sntIsn) tcp.counters.OutOfWindowIcmps++
    else if (error.errno !== undefined) {
      dropRequest(request)
      tcp.counters.ListenDrops++
    }
    return true
  }
  const socket = found as TcpSock
  if (socket.state === TCP_CLOSE) return true
  if (!between(seq, socket.sndUna, socket.sndNxt)) {
    tcp.counters.OutOfWindowIcmps++
    return true
  }
  const busy = socket.busy
  socket.busy = true
  if (error.mtu !== undefined) mtuReduced(socket, error.mtu)
  else if (error.errno !== undefined) {
    if (error.hostGone) revertBackoff(socket, seq)
    report(socket, error.errno)
  }
  socket.busy = busy
  if (!busy) leave(socket)
  return true
}

function socketFlow(socket: TcpSock) {
  return flowOf({
    oif: socket.boundDevice,
    mark: socket.mark,
    tos: socket.tos,
    protocol: 6,
    srcPort: socket.localPort,
    dstPort: socket.remotePort,
    anySrc: socket.freebind,
  })
}

/** What a program is told: at once while connecting or if it asked for it, else only if nothing else comes. */
export function report(socket: TcpSock, errno: Errno): void {
  if (socket.state === TCP_SYN_SENT || socket.state === TCP_SYN_RECV) doneWithError(socket, errno)
  else if (socket.receiveErrors) {
    socket.error = errno
    socket.queue.wake()
  } else socket.softError = errno
}

/** The path takes only smaller packets. tcp_v4_mtu_reduced(). */
export function mtuReduced(socket: TcpSock, told: number): void {
  if (socket.state === TCP_LISTEN || socket.state === TCP_CLOSE) return
  const path = socket.af.path(socket)
  if (!path) return
  const mtu = socket.af.mtu(path)
  if (told < mtu && socket.pmtuDiscover !== IP_PMTUDISC_DONT) socket.softError = 'EMSGSIZE'
  if (
    socket.pmtuDiscover === IP_PMTUDISC_DONT ||
    socket.pmtuDiscover >= IP_PMTUDISC_INTERFACE ||
    socket.pmtuCookie <= mtu
  ) {
    return
  }
  syncMss(socket, mtu)
  socket.refresh()
  simpleRetransmit(socket)
}

/** The network says that it was its fault: the timer hasn't backed off. RFC 6069. */
export function revertBackoff(socket: TcpSock, seq: number): void {
  if (seq !== socket.sndUna || socket.retransmits === 0 || socket.backoff === 0) return
  const head = socket.sent.head
  if (!head) return
  socket.backoff--
  const base = socket.srttUs !== 0 ? estimatedRto(socket) : TIMEOUT_INIT
  socket.rto = Math.min(base * 2 ** socket.backoff, RTO_MAX)
  socket.refresh()
  const left = socket.rto - usecsToJiffies(socket.mstampUs - head.sentUs)
  if (left > 0) resetXmitTimer(socket, TIMER_RETRANS, left, RTO_MAX)
  else retransmitTimer(socket)
}

/**
 * A segment that came in: whose is it? Linux 6.1 net/ipv4/tcp_ipv4.c: tcp_v4_rcv(), tcp_v4_do_rcv();
 * net/ipv4/inet_hashtables.c: __inet_lookup_listener().
 */
import { checksumGood, type Packet, RAW_NONE } from '#wire/inet'
import { type NetDevice, PACKET_HOST } from '../device.ts'
import type { InetState } from '../ip-state.ts'
import { drop } from '../ip-trace.ts'
import { ifindexOf } from '../sockets/raw.ts'
import type { AddressFamily } from './address-family.ts'
import { ACK, FIN, RST, SYN, TCP_ESTABLISHED, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from './constants.ts'
import { countSegments, endOf } from './data.ts'
import { type TcpHost, tcpState } from './host.ts'
import { receiveEstablished, stateProcess } from './input.ts'
import { ipv4 } from './ipv4.ts'
import { checkRequest, connectionRequest, cookieCheck, dropRequest, processChild } from './listen.ts'
import { replyAck, replyReset } from './reply.ts'
import type { Request } from './request.ts'
import type { Address, TcpSock } from './sock.ts'
import { type TimeWait, timeWaitReceive } from './timewait.ts'

/** Takes a TCP segment for this host, by IPv4. */
export function tcpReceive(state: InetState, packet: Packet, device: NetDevice): void {
  receiveSegment(tcpState.of(state.host), ipv4, packet, device)
}

/** Takes a TCP segment, by either protocol. */
export function receiveSegment(tcp: TcpHost, af: AddressFamily, packet: Packet, device: NetDevice): void {
  const { counters, inet } = tcp
  if (packet.packetType !== PACKET_HOST) {
    drop(inet, packet, 'NOT_SPECIFIED')
    return
  }
  counters.InSegs++
  if (packet.raw !== RAW_NONE) {
    counters.InErrs++
    drop(inet, packet, 'PKT_TOO_SMALL')
    return
  }
  if (packet.checksum >= 0 && !checksumGood(packet)) {
    counters.InCsumErrors++
    counters.InErrs++
    drop(inet, packet, 'TCP_CSUM')
    return
  }
  dispatch(tcp, af, packet, device)
}

function dispatch(tcp: TcpHost, af: AddressFamily, packet: Packet, device: NetDevice): void {
  const local = af.destination(packet)
  const remote = af.source(packet)
  const ifindex = ifindexOf(packet, device)
  let found = tcp.connections.find(local, packet.dstPort, remote, packet.srcPort, ifindex)
  if (found !== undefined) {
    if (found.state === TCP_TIME_WAIT) {
      timeWait(tcp, af, found as TimeWait, packet, device)
      return
    }
    if (found.state !== TCP_NEW_SYN_RECV) {
      toSocket(found as TcpSock, packet, device)
      return
    }
    const request = found as Request
    const { listener } = request
    if (listener.state === TCP_LISTEN) {
      const child = checkRequest(listener, request, packet, device)
      if (child === undefined) return
      if (child !== listener) {
        child.busy = true
        if (processChild(listener, child, packet)) replyReset(tcp, af, packet, device, child)
        leave(child)
        return
      }
      found = listener
    } else {
      dropRequest(request)
      found = undefined
    }
  }
  const listener = (found as TcpSock | undefined) ?? findListener(tcp, af, local, remote, packet, ifindex)
  if (listener === undefined) {
    replyReset(tcp, af, packet, device)
    drop(tcp.inet, packet, 'NO_SOCKET')
    return
  }
  toListener(tcp, af, listener, packet, device)
}

/** To a socket, or to its backlog while something is at work on it. */
function toSocket(socket: TcpSock, packet: Packet, device: NetDevice): void {
  if (socket.minTtl > packet.ttl) {
    drop(socket.tcp.inet, packet, 'NOT_SPECIFIED')
    return
  }
  if (socket.busy) {
    socket.backlog ??= []
    socket.backlog.push({ packet, device })
    return
  }
  socket.busy = true
  countSegments(socket, packet)
  if (socket.state === TCP_ESTABLISHED) receiveEstablished(socket, packet)
  else if (stateProcess(socket, packet)) replyReset(socket.tcp, socket.af, packet, device, socket)
  socket.busy = false
  if (socket.backlog !== undefined) leave(socket)
}

/** Nothing is at work on a socket any more: what waited is taken. release_sock(). */
export function leave(socket: TcpSock): void {
  socket.busy = false
  while (socket.backlog !== undefined) {
    const waiting = socket.backlog
    socket.backlog = undefined
    for (const { packet, device } of waiting) dispatch(socket.tcp, socket.af, packet, device)
  }
}

/** How well a listening socket fits: its own address before any, its own device before any; -1: not at all. */
function score(socket: TcpSock, any: Address, local: Address, ifindex: number): number {
  let points = 0
  if (socket.local === local) points = 4
  else if (socket.local !== any && !socket.dualStack) return -1
  if (socket.dualStack && socket.addressLocked && socket.local !== local) return -1
  if (socket.boundDevice !== 0) {
    if (socket.boundDevice !== ifindex) return -1
    points += 2
  }
  if (!socket.dualStack) points++
  return points
}

/** The listening socket for a segment. */
export function findListener(
  tcp: TcpHost,
  af: AddressFamily,
  local: Address,
  remote: Address,
  packet: Packet,
  ifindex: number,
): TcpSock | undefined {
  const list = tcp.listeners.get(packet.dstPort)
  if (list === undefined) return undefined
  let best: TcpSock | undefined
  let bestScore = -1
  for (const one of list) {
    const points = score(one, af.any, local, ifindex)
    if (points <= bestScore) continue
    best = one
    bestScore = points
  }
  if (best?.reusePort) {
    // Connections are spread over those that share the port.
    const group = list.filter((one) => one.reusePort && score(one, af.any, local, ifindex) === bestScore)
    if (group.length > 1) {
      const hash = tcp.hash(remote, local, (packet.srcPort << 16) | packet.dstPort, 5) >>> 0
      return group[group.length - 1 - Math.floor((hash / 2 ** 32) * group.length)]
    }
  }
  return best
}

/** tcp_v4_do_rcv() for TCP_LISTEN. */
function toListener(
  tcp: TcpHost,
  af: AddressFamily,
  listener: TcpSock,
  packet: Packet,
  device: NetDevice,
  isn = 0,
): void {
  const flags = packet.tcpFlags
  if (listener.minTtl > packet.ttl) return
  const child = cookieCheck(listener, af, packet)
  if (child === undefined) return
  if (child !== 'not') {
    child.busy = true
    if (processChild(listener, child, packet)) replyReset(tcp, af, packet, device, child)
    leave(child)
    return
  }
  if (flags & ACK) replyReset(tcp, af, packet, device, listener)
  else if (flags & SYN && !(flags & (RST | FIN))) {
    if (af.forUnicast(packet)) connectionRequest(listener, af, packet, device, isn)
    else tcp.counters.ListenDrops++
  }
}

function timeWait(tcp: TcpHost, af: AddressFamily, one: TimeWait, packet: Packet, device: NetDevice): void {
  const verdict = timeWaitReceive(one, packet, packet.seq | 0, endOf(packet))
  if (verdict === 'nothing') return
  if (verdict === 'reset') {
    replyReset(tcp, af, packet, device, one)
    one.kill()
    return
  }
  if (verdict === 'syn') {
    const listener = findListener(tcp, af, one.local, one.remote, packet, ifindexOf(packet, device))
    if (listener) {
      one.kill()
      toListener(tcp, af, listener, packet, device, (one.sndNxt + 65535 + 2) | 0 || 1)
      return
    }
  }
  const nowMs = Math.floor((tcp.host.sim.nowNs - tcp.host.bootedNs) / 1e6)
  replyAck(tcp, af, packet, device, {
    seq: one.sndNxt,
    ack: one.rcvNxt,
    window: one.rcvWnd >> one.rcvWscale,
    timestamps: one.tsRecentStamp !== 0,
    tsVal: (nowMs + one.tsOffset) | 0,
    tsEcr: one.tsRecent,
    tos: one.tos,
    mark: one.mark,
    boundDevice: one.boundDevice,
  })
}

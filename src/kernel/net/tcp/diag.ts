/** TCP's part of SOCK_DIAG, for `ss`. Linux 6.1 net/ipv4/inet_diag.c: inet_sk_diag_fill(), inet_twsk_diag_fill(), inet_req_diag_fill(). */
import type { Host } from '#kernel/core'
import { deviceByIndex } from '../devices.ts'
import type { SocketMessage } from '../netlink.ts'
import { STATE_NAMES, TCP_LISTEN, TIMER_LOSS_PROBE, TIMER_PROBE0, TIMER_REO, TIMER_RETRANS } from './constants.ts'
import type { Endpoint } from './endpoint.ts'
import { type TcpHost, tcpState } from './host.ts'
import { tcpInfo } from './info.ts'
import { Request } from './request.ts'
import { TcpSock } from './sock.ts'
import { TimeWait } from './timewait.ts'

type Timer = NonNullable<SocketMessage['timer']>

function common(tcp: TcpHost, one: TcpSock | TimeWait | Request): SocketMessage {
  const domain = one instanceof Request ? one.listener.domain : one.domain
  const device = one.boundDevice === 0 ? undefined : deviceByIndex(tcp.host, one.boundDevice)
  // An AF_INET6 socket that is bound to no address takes both protocols.
  const both = one instanceof TcpSock && one.dualStack && one.local === one.af.any && domain === 'AF_INET6'
  return {
    type: 'INET_DIAG',
    family: domain,
    netid: 'tcp',
    state: STATE_NAMES[one.state]!,
    receiveQueue: 0,
    sendQueue: 0,
    local: (both ? '*' : one.af.format(one.local)) + (device ? `%${device.name}` : ''),
    localPort: String(one.localPort),
    peer: both ? '*' : one.af.format(one.remote),
    peerPort: one.remotePort === 0 ? '*' : String(one.remotePort),
    inode: 0,
    ifindex: one.boundDevice,
    uid: 0,
  }
}

function msUntil(tcp: TcpHost, ns: number): number {
  return Math.max(0, Math.floor((ns - tcp.host.sim.nowNs) / 1e6))
}

/** What is pending first: idiag_timer, idiag_retrans, idiag_expires. */
function timerOf(socket: TcpSock): Timer | undefined {
  const { tcp, pending } = socket
  const when = () => msUntil(tcp, tcp.tickNs(socket.pendingAt))
  if (pending === TIMER_RETRANS || pending === TIMER_REO || pending === TIMER_LOSS_PROBE) {
    return { kind: 'on', expiresMs: when(), retransmits: socket.retransmits }
  }
  if (pending === TIMER_PROBE0) return { kind: 'persist', expiresMs: when(), retransmits: socket.probesOut }
  if (socket.keepaliveAt < 0) return undefined
  return {
    kind: 'keepalive',
    expiresMs: msUntil(tcp, tcp.tickNs(socket.keepaliveAt)),
    retransmits: socket.probesOut,
  }
}

function socketMessage(socket: TcpSock): SocketMessage {
  const message = common(socket.tcp, socket)
  const listening = socket.state === TCP_LISTEN
  message.receiveQueue = listening ? (socket.accepts?.length ?? 0) : Math.max(0, socket.unread)
  message.sendQueue = listening ? (socket.accepts?.backlog ?? 0) : (socket.writeSeq - socket.sndUna) | 0
  message.inode = socket.attached ? socket.inode : 0
  const held = socket.rmemAlloc + socket.wmemQueued
  message.memory = {
    r: socket.rmemAlloc,
    rb: socket.receiveBuffer,
    t: 0,
    tb: socket.sendBuffer,
    f: Math.ceil(held / 4096) * 4096 - held,
    w: socket.wmemQueued,
    o: 0,
    bl: 0,
    d: socket.drops,
  }
  const timer = timerOf(socket)
  if (timer) message.timer = timer
  message.info = { ...tcpInfo(socket) }
  return message
}

function message(tcp: TcpHost, one: Endpoint): SocketMessage {
  if (one instanceof TcpSock) return socketMessage(one)
  if (one instanceof TimeWait) {
    const said = common(tcp, one)
    said.state = STATE_NAMES[one.substate]!
    said.timer = { kind: 'timewait', expiresMs: msUntil(tcp, tcp.tickNs(one.expires)), retransmits: 0 }
    return said
  }
  const request = one as Request
  const said = common(tcp, request)
  said.timer = { kind: 'on', expiresMs: msUntil(tcp, tcp.tickNs(request.expires)), retransmits: request.retransmitted }
  return said
}

/** All of a host's: those that listen, then the connections. */
export function dumpTcp(host: Host): SocketMessage[] {
  const tcp = tcpState.peek(host)
  if (!tcp) return []
  const messages: SocketMessage[] = []
  for (const list of tcp.listeners.values()) for (const socket of list) messages.push(socketMessage(socket))
  for (const one of tcp.connections) messages.push(message(tcp, one))
  return messages
}

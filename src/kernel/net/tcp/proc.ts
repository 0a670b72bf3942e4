/**
 * /proc/net/{tcp,tcp6}, and TCP's line of /proc/net/sockstat. Linux 6.1 net/ipv4/tcp_ipv4.c: tcp4_seq_show();
 * net/ipv6/tcp_ipv6.c: tcp6_seq_show(); net/ipv4/proc.c.
 */
import type { Host } from '#kernel/core'
import { type Ipv6Address, mappedIpv4 } from '#wire/inet'
import { TCP_LISTEN, TCP_TIME_WAIT, TIMER_LOSS_PROBE, TIMER_PROBE0, TIMER_REO, TIMER_RETRANS } from './constants.ts'
import type { Endpoint } from './endpoint.ts'
import { type TcpHost, tcpState } from './host.ts'
import { Request } from './request.ts'
import { TcpSock } from './sock.ts'
import { TimeWait } from './timewait.ts'

const LINE = 149

function hex(value: number, width: number): string {
  return (value >>> 0).toString(16).padStart(width, '0').toUpperCase()
}

/** An address as it lies in the memory of a little-endian machine. */
function swapped(address: number): string {
  return hex(((address & 255) << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24), 8)
}

function names(one: Endpoint, six: boolean): string {
  const text = (address: number | Ipv6Address) => (six ? swapped6(address) : swapped(address as number))
  return `${text(one.local)}:${hex(one.localPort, 4)} ${text(one.remote)}:${hex(one.remotePort, 4)}`
}

function swapped6(address: number | Ipv6Address): string {
  const { w0, w1, w2, w3 } = typeof address === 'number' ? mappedIpv4(address) : address
  return [w0, w1, w2, w3].map(swapped).join('')
}

/** What a program asked for: a socket of AF_INET6 that speaks IPv4 is among IPv6's. */
function isSix(one: Endpoint): boolean {
  return one instanceof TcpSock ? one.domain === 'AF_INET6' : typeof one.local !== 'number'
}

/** Clock ticks (1/100 s) until a jiffy. jiffies_delta_to_clock_t(). */
function ticksUntil(tcp: TcpHost, ns: number): number {
  return Math.max(0, Math.floor((ns - tcp.host.sim.nowNs) / 1e7))
}

/** Pointers are hidden from user space; who hashes them prints noise, and so does this not. */
const POINTER = '0000000000000000'

function socketLine(socket: TcpSock, six: boolean): string {
  const { tcp } = socket
  const listening = socket.state === TCP_LISTEN
  let timer = 0
  let when = 0
  if ([TIMER_RETRANS, TIMER_REO, TIMER_LOSS_PROBE].includes(socket.pending)) {
    timer = 1
    when = ticksUntil(tcp, tcp.tickNs(socket.pendingAt))
  } else if (socket.pending === TIMER_PROBE0) {
    timer = 4
    when = ticksUntil(tcp, tcp.tickNs(socket.pendingAt))
  } else if (socket.keepaliveAt >= 0) {
    timer = 2
    when = ticksUntil(tcp, tcp.tickNs(socket.keepaliveAt))
  }
  const received = listening ? (socket.accepts?.length ?? 0) : Math.max(0, socket.unread)
  const toSend = listening ? 0 : (socket.writeSeq - socket.sndUna) | 0
  const uid = '0'.padStart(5)
  const references = socket.retransAt >= 0 || timer !== 0 ? 2 : 1
  let line = `${names(socket, six)} ${hex(socket.state, 2)} ${hex(toSend, 8)}:${hex(received, 8)} ${hex(timer, 2)}:${hex(when, 8)} ${hex(socket.retransmits, 8)} ${uid} ${String(socket.probesOut).padStart(8)} ${socket.attached ? socket.inode : 0} ${references} ${POINTER}`
  // In clock ticks: the RTO, the ATO.
  const rto = Math.floor((socket.rto * 100) / 250)
  const ato = Math.floor((socket.ackAto * 100) / 250)
  const quick = (socket.ackQuick << 1) | (socket.pingpong ? 1 : 0)
  const ssthresh = listening ? 0 : socket.sndSsthresh >= 0x7fffffff ? -1 : socket.sndSsthresh
  line += ` ${rto} ${ato} ${quick} ${socket.sndCwnd} ${ssthresh}`
  return line
}

function line(tcp: TcpHost, one: Endpoint, six: boolean): string {
  if (one instanceof TcpSock) return socketLine(one, six)
  if (one instanceof TimeWait) {
    return `${names(one, six)} ${hex(one.substate, 2)} 00000000:00000000 03:${hex(ticksUntil(tcp, tcp.tickNs(one.expires)), 8)} 00000000     0        0 0 3 ${POINTER}`
  }
  const request = one as Request
  return `${names(one, six)} 03 00000000:00000000 01:${hex(ticksUntil(tcp, tcp.tickNs(request.expires)), 8)} ${hex(request.timeouts, 8)}     0        0 0 0 ${POINTER}`
}

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'

const HEAD6 =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'

/** Listening sockets by port, then connections. */
function lines(host: Host, six: boolean): string[] {
  const tcp = tcpState.peek(host)
  const found: Endpoint[] = []
  if (tcp) {
    for (const port of [...tcp.listeners.keys()].sort((a, b) => a - b)) found.push(...tcp.listeners.get(port)!)
    found.push(...tcp.connections)
  }
  return found.filter((one) => isSix(one) === six).map((one, i) => `${String(i).padStart(4)}: ${line(tcp!, one, six)}`)
}

export function formatProcTcp(host: Host): string {
  return [HEAD, ...lines(host, false)].map((text) => `${text.padEnd(LINE)}\n`).join('')
}

export function formatProcTcp6(host: Host): string {
  return [HEAD6, ...lines(host, true)].map((text) => `${text}\n`).join('')
}

/** Sockets that programs have or that are still closing. */
export function tcpSocketCount(host: Host): number {
  const tcp = tcpState.peek(host)
  return tcp ? tcp.allocated - tcp.orphans : 0
}

export function formatTcpSockstat(host: Host): string {
  const tcp = tcpState.peek(host)
  let used = 0
  let timeWaits = 0
  if (tcp) {
    for (const list of tcp.listeners.values()) used += list.length
    for (const one of tcp.connections) {
      if (one.state === TCP_TIME_WAIT) timeWaits++
      else if (!(one instanceof Request)) used++
    }
  }
  return `TCP: inuse ${used} orphan ${tcp?.orphans ?? 0} tw ${timeWaits} alloc ${tcp?.allocated ?? 0} mem 0`
}

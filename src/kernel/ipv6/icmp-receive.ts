/**
 * ICMPv6 messages that come in. Linux 6.1 net/ipv6/icmp.c: icmpv6_rcv(), icmpv6_notify(), icmpv6_err_convert();
 * net/ipv6/route.c: ip6_update_pmtu().
 */
import type { Errno } from '#kernel/core'
import type { NetDevice } from '#kernel/net'
import {
  checksumGood,
  ICMPV6_DEST_UNREACH,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_MGM_QUERY,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
  type Ipv6Address,
  type Packet,
  RAW_NONE,
  readIpv6,
} from '#wire/inet'
import { errorHandlers6 } from './error-handlers.ts'
import { echoReply } from './icmp.ts'
import { link6 } from './inet6dev.ts'
import { receiveQuery } from './mld.ts'
import { ndiscReceive } from './ndisc.ts'
import { flow6, routeOutput6 } from './route.ts'
import { ping6Error, ping6Receive } from './sockets/ping.ts'
import { rawErrors6 } from './sockets/raw.ts'
import { udp6Error } from './sockets/udp.ts'
import type { State6 } from './state.ts'
import { tcp6Error } from './tcp.ts'
import { drop6 } from './trace.ts'

/** The packet that an ICMPv6 error quotes, as far as it does. */
export interface Quoted6 {
  bytes: Uint8Array
  start: number
  payload: number
  end: number
  protocol: number
  src: Ipv6Address
  dst: Ipv6Address
}

/** An ICMPv6 error, for sockets. */
export interface Icmp6ErrorInfo {
  packet: Packet
  device: NetDevice
  type: number
  code: number
  /** The MTU, or the pointer. */
  info: number
  quoted: Quoted6
}

/** ip6's tab_unreach[]. */
const UNREACHABLE: readonly [Errno, boolean][] = [
  ['ENETUNREACH', false],
  ['EACCES', true],
  ['EHOSTUNREACH', false],
  ['EHOSTUNREACH', false],
  ['ECONNREFUSED', true],
  ['EACCES', true],
  ['EACCES', true],
]

/** What an error means to a socket, and whether it is fatal. icmpv6_err_convert(). */
export function errorOf6(type: number, code: number): [Errno, boolean] {
  if (type === ICMPV6_DEST_UNREACH) return UNREACHABLE[code] ?? ['EPROTO', true]
  if (type === ICMPV6_PKT_TOOBIG) return ['EMSGSIZE', false]
  if (type === ICMPV6_PARAMPROB) return ['EPROTO', true]
  if (type === ICMPV6_TIME_EXCEED) return ['EHOSTUNREACH', false]
  return ['EPROTO', false]
}

/** Takes an ICMPv6 packet for this host. */
export function icmp6Receive(state: State6, packet: Packet, device: NetDevice): void {
  const { counters } = state
  counters.countIcmp('InMsgs')
  if (packet.raw !== RAW_NONE) {
    counters.countIcmp('InErrors')
    drop6(state, packet, 'PKT_TOO_SMALL')
    return
  }
  if (!checksumGood(packet)) {
    counters.countIcmp('InCsumErrors')
    counters.countIcmp('InErrors')
    drop6(state, packet, 'ICMP_CSUM')
    return
  }
  const type = packet.icmpType
  counters.messageIn(type)
  if (type === ICMPV6_ECHO_REQUEST) echoReply(state, packet, device)
  else if (type === ICMPV6_ECHO_REPLY) ping6Receive(state, packet, device)
  else if (type >= 133 && type <= 137) {
    ndiscReceive(state, packet, device)
    if (type === 137) notify(state, packet, device)
  } else if (type === ICMPV6_MGM_QUERY) {
    const link = link6(device)
    if (link) receiveQuery(link, packet)
  } else if (type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB) notify(state, packet, device)
  else if (type < 128) notify(state, packet, device)
}

/** The packet that an error quotes. */
export function quotedIn(packet: Packet, at: number): Quoted6 | undefined {
  const { buffer: bytes, offset, length } = packet
  const start = offset + at
  const end = offset + length
  if (end - start < 40 || bytes[start]! >>> 4 !== 6) return undefined
  let protocol = bytes[start + 6]!
  let payload = start + 40
  while ([0, 43, 44, 60].includes(protocol)) {
    if (end - payload < 8) return undefined
    if (protocol === 44 && (((bytes[payload + 2]! << 8) | bytes[payload + 3]!) & 0xfff8) !== 0) return undefined
    const more = protocol === 44 ? 8 : (bytes[payload + 1]! + 1) * 8
    protocol = bytes[payload]!
    payload += more
  }
  return { bytes, start, payload, end, protocol, src: readIpv6(bytes, start + 8), dst: readIpv6(bytes, start + 24) }
}

/** Tells whoever sent what is quoted. icmpv6_notify(). */
function notify(state: State6, packet: Packet, device: NetDevice): void {
  const quoted = packet.icmpType === 137 ? undefined : quotedIn(packet, 0)
  if (quoted === undefined || quoted.payload + 8 > quoted.end) {
    if (packet.icmpType !== 137) state.counters.countIcmp('InErrors')
    return
  }
  const info = packet.icmpRest
  const error: Icmp6ErrorInfo = { packet, device, type: packet.icmpType, code: packet.icmpCode, info, quoted }
  if (packet.icmpType === ICMPV6_PKT_TOOBIG) updatePmtu6(state, quoted.dst, info, device)
  if (quoted.protocol === 17) udp6Error(state, error)
  else if (quoted.protocol === 58) ping6Error(state, error)
  else if (quoted.protocol === 6) tcp6Error(state, error)
  else errorHandlers6[quoted.protocol]?.(state, error)
  rawErrors6(state, error)
}

/** A path's MTU is smaller than was thought. RFC 8201: never below 1280. */
export function updatePmtu6(state: State6, dst: Ipv6Address, mtu: number, device?: NetDevice): void {
  const oif = device !== undefined && dst.w0 >>> 22 === 0x3fa ? device.ifindex : 0
  const route = routeOutput6(state, flow6({ dst, oif }))
  if (typeof route === 'string' || route.fib === undefined || route.local) return
  const least = Math.max(mtu, 1280)
  if (least >= route.mtu) return
  const exceptions = (route.fib.exceptions ??= new Map())
  if (exceptions.size >= 4096 && !exceptions.has(dst.id)) exceptions.delete(exceptions.keys().next().value as number)
  exceptions.set(dst.id, {
    dst,
    mtu: least,
    gateway: exceptions.get(dst.id)?.gateway,
    expiresNs: state.host.sim.nowNs + state.sysctls.mtuExpires * 1e9,
  })
  state.routesChanged()
}

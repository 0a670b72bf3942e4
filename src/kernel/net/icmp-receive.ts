/**
 * ICMP messages that come in: echo requests are answered, errors told to the sockets whose packets they quote.
 * Linux 6.1 net/ipv4/icmp.c: icmp_rcv(), icmp_unreach(), icmp_redirect(), icmp_echo(), icmp_timestamp().
 */
import { checksumGood, formatIpv4, type Packet, RAW_NONE } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { flowOf } from './fib.ts'
import { addressType } from './fib-lookup.ts'
import { icmpReply } from './icmp.ts'
import { countIcmp } from './ip-counters.ts'
import { logLimited } from './ip-log.ts'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { type Route, RTCF_BROADCAST, RTCF_MULTICAST, routeFlow } from './route.ts'
import { acceptRedirect, updatePmtu } from './route-exceptions.ts'
import { pingError, pingReceive } from './sockets/ping.ts'
import { rawErrors } from './sockets/raw.ts'
import { udpError } from './sockets/udp.ts'
import { tcpError } from './tcp/index.ts'

const ICMP_ECHOREPLY = 0
const ICMP_DEST_UNREACH = 3
const ICMP_SOURCE_QUENCH = 4
const ICMP_REDIRECT = 5
const ICMP_ECHO = 8
const ICMP_TIME_EXCEEDED = 11
const ICMP_PARAMETERPROB = 12
const ICMP_TIMESTAMP = 13
const ICMP_TIMESTAMPREPLY = 14
const ICMP_ADDRESS = 17
const ICMP_ADDRESSREPLY = 18
const ICMP_EXT_ECHOREPLY = 43
const ICMP_FRAG_NEEDED = 4
const NR_ICMP_UNREACH = 15

/** The packet that an ICMP error quotes, as far as it does. */
export interface Quoted {
  bytes: Uint8Array
  /** Where the IP header begins, where it ends, and where the quotation does. */
  start: number
  payload: number
  end: number
  protocol: number
  tos: number
  src: number
  dst: number
}

/** An ICMP error, for sockets. */
export interface IcmpErrorInfo {
  packet: Packet
  device: NetDevice
  type: number
  code: number
  /** The MTU, the gateway, or the pointer. */
  info: number
  quoted: Quoted
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function quotedIn(packet: Packet): Quoted | undefined {
  const { buffer: bytes, offset: start, length } = packet
  if (length < 20) return undefined
  const headerLength = (bytes[start]! & 15) * 4
  if (headerLength < 20) return undefined
  return {
    bytes,
    start,
    payload: start + headerLength,
    end: start + length,
    protocol: bytes[start + 9]!,
    tos: bytes[start + 1]!,
    src: read32(bytes, start + 12),
    dst: read32(bytes, start + 16),
  }
}

/** Takes an ICMP packet for this host. */
export function icmpReceive(state: InetState, packet: Packet, device: NetDevice): void {
  const counters = state.count()
  counters.icmpInMsgs++
  if (packet.raw !== RAW_NONE) {
    counters.icmpInErrors++
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  if (!checksumGood(packet)) {
    counters.icmpInCsumErrors++
    counters.icmpInErrors++
    drop(state, packet, 'ICMP_CSUM')
    return
  }
  const type = packet.icmpType
  countIcmp(counters.icmpIn, type)
  if (type === 42) return // Extended echo: icmp_echo_enable_probe is 0.
  if (type === ICMP_EXT_ECHOREPLY) {
    pingReceive(state, packet, device)
    return
  }
  if (type > 18) {
    counters.icmpInErrors++
    drop(state, packet, 'UNHANDLED_PROTO')
    return
  }
  const route = packet.route as Route
  if (route.flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
    const asks = type === ICMP_ECHO || type === ICMP_TIMESTAMP
    const known = asks || type === ICMP_ADDRESS || type === ICMP_ADDRESSREPLY
    if (!known || (asks && state.sysctls.echoIgnoreBroadcasts !== 0)) {
      counters.icmpInErrors++
      drop(state, packet, 'INVALID_PROTO')
      return
    }
  }
  if (type === ICMP_ECHO) echo(state, packet, device)
  else if (type === ICMP_ECHOREPLY) pingReceive(state, packet, device)
  else if (type === ICMP_TIMESTAMP) timestamp(state, packet, device)
  else if (type === ICMP_REDIRECT) redirect(state, packet, device)
  else if (
    type === ICMP_DEST_UNREACH ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETERPROB
  ) {
    unreach(state, packet, device)
  }
}

function echo(state: InetState, packet: Packet, device: NetDevice): void {
  if (state.sysctls.echoIgnoreAll !== 0) return
  const { buffer, offset, length } = packet
  icmpReply(packet, device, ICMP_ECHOREPLY, packet.icmpCode, packet.icmpRest, buffer, offset, length)
}

/** Milliseconds since midnight UT. Linux 6.1 net/ipv4/af_inet.c: inet_current_timestamp(). */
export function millisecondsOfDay(state: InetState): number {
  const { startS, sim } = state.host
  const seconds = Math.floor(sim.nowNs / 1e9)
  const dayS = (((Math.floor(startS) + seconds) % 86_400) + 86_400) % 86_400
  return (dayS * 1000 + Math.floor((sim.nowNs - seconds * 1e9) / 1e6)) % 86_400_000
}

function timestamp(state: InetState, packet: Packet, device: NetDevice): void {
  if (packet.length < 4) {
    state.count().icmpInErrors++
    drop(state, packet, 'PKT_TOO_SMALL')
    return
  }
  const bytes = new Uint8Array(12)
  bytes.set(packet.buffer.subarray(packet.offset, packet.offset + 4))
  const now = millisecondsOfDay(state)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, now)
  view.setUint32(8, now)
  icmpReply(packet, device, ICMP_TIMESTAMPREPLY, 0, packet.icmpRest, bytes, 0, 12)
}

function redirect(state: InetState, packet: Packet, device: NetDevice): void {
  const quoted = packet.length < 20 ? undefined : quotedIn(packet)
  if (!quoted) {
    state.count().icmpInErrors++
    return
  }
  deliverError(state, packet, device, quoted, packet.icmpRest)
}

/** Destination unreachable, source quench, time exceeded, parameter problem. */
function unreach(state: InetState, packet: Packet, device: NetDevice): void {
  const quoted = quotedIn(packet)
  const { icmpType: type, icmpCode: code } = packet
  if (!quoted) {
    state.count().icmpInErrors++
    drop(state, packet, packet.length < 20 ? 'NOT_SPECIFIED' : 'IP_INHDR')
    return
  }
  let info = 0
  if (type === ICMP_DEST_UNREACH) {
    if ((code & 15) === ICMP_FRAG_NEEDED) {
      const mode = state.sysctls.noPmtuDisc
      // Mode 3 believes only protocols that check the quotation; none of those here does.
      if (mode === 2 || mode === 3) return
      if (mode === 0) info = packet.icmpRest & 0xffff
    }
    if (code > NR_ICMP_UNREACH) return
  } else if (type === ICMP_PARAMETERPROB) info = packet.icmpRest >>> 24
  else if (type === ICMP_TIME_EXCEEDED && code === 1) return
  if (state.sysctls.ignoreBogusErrors === 0 && addressType(state.host, quoted.dst) === 'broadcast') {
    logLimited(
      state.host,
      4,
      [
        `${formatIpv4(packet.src)} sent an invalid ICMP type ${type}, code ${code} error to a broadcast: ${formatIpv4(quoted.dst)} on ${device.name}`,
      ],
      'icmp: ',
    )
    return
  }
  deliverError(state, packet, device, quoted, info)
}

/** To the sockets that sent what is quoted. icmp_socket_deliver(). */
function deliverError(state: InetState, packet: Packet, device: NetDevice, quoted: Quoted, info: number): void {
  if (quoted.payload + 8 > quoted.end || quoted.protocol === 255) {
    state.count().icmpInErrors++
    return
  }
  const error: IcmpErrorInfo = { packet, device, type: packet.icmpType, code: packet.icmpCode, info, quoted }
  rawErrors(state, error)
  if (quoted.protocol === 1) {
    // An error about a reply that the kernel sent is the kernel's own business; else a ping socket's.
    if (quoted.bytes[quoted.payload] === ICMP_ECHOREPLY) learnFrom(state, error, flowOf({ protocol: 1 }))
    else pingError(state, error)
  } else if (quoted.protocol === 17) {
    // udp_err(): the host learns of the way whether a socket sent it or not.
    learnFrom(state, error, flowOf({ protocol: 17 }))
    udpError(state, error)
  } else if (quoted.protocol === 6) tcpError(state, error)
  else state.protocols?.get(quoted.protocol)?.error?.(state, error)
}

/**
 * What an error teaches about the way to the quoted destination. `base`: what a socket adds to the flow (device, mark,
 * TOS, protocol). ipv4_update_pmtu(), ipv4_redirect().
 */
export function learnFrom(state: InetState, error: IcmpErrorInfo, base: ReturnType<typeof flowOf>): void {
  const { quoted, packet } = error
  const flow = { ...base, dst: quoted.dst, src: quoted.src, tos: base.tos || quoted.tos }
  const route = routeFlow(state.host, flow)
  if (typeof route === 'string') return
  if (error.type === ICMP_REDIRECT) {
    acceptRedirect(error.device, route, flow, packet.src, packet.icmpRest, error.code, quoted)
  } else if (error.type === ICMP_DEST_UNREACH && error.code === ICMP_FRAG_NEEDED) {
    updatePmtu(state.host, route, flow, error.info)
  }
}

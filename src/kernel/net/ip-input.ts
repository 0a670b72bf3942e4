/**
 * What becomes of an IPv4 packet that came in: checked, routed, forwarded or delivered.
 * Linux 6.1 net/ipv4/ip_input.c, net/ipv4/ip_forward.c.
 */
import type { Errno, Host } from '#kernel/core'
import { formatIpv4, IP_DF, IP_MF, IP_OFFSET, ipLength, type Packet, RAW_ETHERNET_PAYLOAD } from '#wire/inet'
import {
  type NetDevice,
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_LOOPBACK,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
} from './device.ts'
import { defragment, fragMaxSize } from './fragments.ts'
import { gsoNetworkLength } from './gso.ts'
import { NF_ACCEPT, runHooks } from './hooks.ts'
import { icmpError } from './icmp.ts'
import { rateLimitedError, sendRedirect } from './icmp-limit.ts'
import { headerFault } from './ip-header.ts'
import { logLimited } from './ip-log.ts'
import { compileOptions, forwardOptions, optionsOf, receiveSourceRoute } from './ip-options.ts'
import { ipOutput, OUT_FORWARDED } from './ip-output.ts'
import { type InetState, inetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { protocolHandlers } from './protocols.ts'
import { type Route, routePacket } from './route.ts'
import { rawDeliver } from './sockets/raw.ts'

const ICMP_DEST_UNREACH = 3
const ICMP_FRAG_NEEDED = 4
const ICMP_PROT_UNREACH = 2
const ICMP_SR_FAILED = 5
const ICMP_TIME_EXCEEDED = 11

/** rt_tos2priority(). net/ipv4/route.c: ip_tos2prio[]. */
const PRIORITIES = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4]

/** A packet of a device's, its MAC header taken off. ip_rcv(). */
export function ipReceive(packet: Packet, device: NetDevice): void {
  const host = device.host
  const state = inetState.of(host)
  if (packet.packetType === PACKET_OTHERHOST) {
    drop(state, packet, 'OTHERHOST')
    return
  }
  const counters = state.counters ?? state.count()
  counters.inReceives++
  counters.inOctets += ipLength(packet)
  if (packet.trailer !== undefined) counters.inOctets += packet.trailer.length
  if (packet.raw === RAW_ETHERNET_PAYLOAD) {
    headerFault(state, packet)
    return
  }
  const ecn = packet.tos & 3
  if (ecn === 0) counters.inNoEctPkts++
  else if (ecn === 1) counters.inEct1Pkts++
  else if (ecn === 2) counters.inEct0Pkts++
  else counters.inCePkts++
  packet.trailer = undefined
  const { hooks } = state
  state.tell?.({ kind: 'receive', packet, device })
  // What lo or a multicast loops back has been routed.
  const looped = device.kind === 'loopback' || packet.packetType === PACKET_LOOPBACK
  if (!looped) {
    packet.route = undefined
    packet.ct = undefined
    packet.ctInfo = 0
  }
  if (
    hooks.preRouting.length !== 0 &&
    runHooks(host, hooks.preRouting, 'PRE_ROUTING', packet, device, undefined, state.tell) !== NF_ACCEPT
  ) {
    return
  }
  ipReceiveFinish(state, packet, device)
}

/** After PRE_ROUTING; hooks that took a packet go on here. ip_rcv_finish(). */
export function ipReceiveFinish(state: InetState, packet: Packet, device: NetDevice): void {
  let route = packet.route as Route | undefined
  if (route === undefined) {
    const found = routePacket(device, packet)
    if (typeof found === 'string') {
      inputRefused(state, packet, found)
      return
    }
    route = found
    packet.route = route
  }
  if (packet.ipOptions !== undefined) {
    if (!receiveOptions(state, packet, device, route)) return
    route = packet.route as Route
  }
  state.tell?.({ kind: 'route', packet, route })
  if (route.type === 'multicast' || route.type === 'broadcast') countGroup(state, packet, route.type)
  else if (
    packet.packetType !== PACKET_HOST &&
    (packet.packetType === PACKET_BROADCAST || packet.packetType === PACKET_MULTICAST) &&
    device.inet.dropUnicastInL2Multicast
  ) {
    drop(state, packet, 'UNICAST_IN_L2_MULTICAST')
    return
  }
  if (route.error !== undefined) rateLimitedError(state, packet, device, route)
  else if (route.flags & 1) ipLocalDeliver(state, packet, device)
  else ipForward(state, packet, device, route)
}

function countGroup(state: InetState, packet: Packet, type: 'multicast' | 'broadcast'): void {
  const counters = state.count()
  if (type === 'multicast') {
    counters.inMcastPkts++
    counters.inMcastOctets += ipLength(packet)
  } else {
    counters.inBcastPkts++
    counters.inBcastOctets += ipLength(packet)
  }
}

function inputRefused(state: InetState, packet: Packet, why: Errno): void {
  if (why === 'EXDEV') {
    state.count().ipReversePathFilter++
    drop(state, packet, 'IP_RPFILTER')
  } else drop(state, packet, 'NOT_SPECIFIED')
}

/** Reads the options, and follows a source route. Whether the packet goes on. ip_rcv_options(). */
function receiveOptions(state: InetState, packet: Packet, device: NetDevice, route: Route): boolean {
  packet.ipOptions = packet.ipOptions!.slice()
  const fault = compileOptions(packet, route, device)
  if (fault !== undefined) {
    icmpError(packet, device, 12, 0, fault * 2 ** 24)
    state.count().inHdrErrors++
    drop(state, packet, 'NOT_SPECIFIED')
    return false
  }
  if (optionsOf(packet)!.srr === 0) return true
  if (!device.inet.acceptSourceRoute) {
    if (device.inet.logMartians) {
      logLimited(state.host, 6, [`source route option ${formatIpv4(packet.src)} -> ${formatIpv4(packet.dst)}`])
    }
  } else if (receiveSourceRoute(packet, device)) return true
  drop(state, packet, 'NOT_SPECIFIED')
  return false
}

/** ip_forward(). */
function ipForward(state: InetState, packet: Packet, device: NetDevice, route: Route): void {
  if (packet.packetType !== PACKET_HOST) {
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  if (packet.ttl <= 1) {
    state.count().inHdrErrors++
    icmpError(packet, device, ICMP_TIME_EXCEEDED, 0, 0)
    drop(state, packet, 'IP_INHDR')
    return
  }
  const options = packet.ipOptions === undefined ? undefined : optionsOf(packet)
  if (options?.strict && route.gateway !== 0) {
    icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0)
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  let length = ipLength(packet)
  if (
    (packet.fragment & IP_DF) !== 0 &&
    length > route.forwardMtu &&
    (fragMaxSize(packet) === 0 || fragMaxSize(packet) > route.forwardMtu) &&
    !(packet.gsoSize !== 0 && gsoNetworkLength(packet) <= route.forwardMtu)
  ) {
    state.count().fragFails++
    icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, route.forwardMtu)
    drop(state, packet, 'PKT_TOO_BIG')
    return
  }
  packet.ttl--
  if (route.doRedirect && !options?.srr) sendRedirect(state, packet, device, route)
  if (state.sysctls.forwardUpdatePriority !== 0) packet.priority = PRIORITIES[(packet.tos & 0x1e) >> 1]!
  const { hooks } = state
  state.tell?.({ kind: 'forward', packet, route })
  if (
    hooks.forward.length !== 0 &&
    runHooks(state.host, hooks.forward, 'FORWARD', packet, device, route.device, state.tell) !== NF_ACCEPT
  ) {
    return
  }
  if (hooks.forward.length !== 0) {
    // A hook may have changed it, and given it another route.
    length = ipLength(packet)
    route = packet.route as Route
  }
  const counters = state.counters!
  counters.forwDatagrams++
  counters.outOctets += length
  if (options) forwardOptions(packet, options, route, device)
  ipOutput(state, packet, route, device, OUT_FORWARDED, length)
}

/** For this host. ip_local_deliver(). */
export function ipLocalDeliver(state: InetState, packet: Packet, device: NetDevice): void {
  let whole: Packet | undefined = packet
  if ((packet.fragment & (IP_MF | IP_OFFSET)) !== 0) {
    whole = defragment(state, packet, device, 'deliver')
    if (!whole) return
  }
  const { hooks } = state
  if (
    hooks.localIn.length !== 0 &&
    runHooks(state.host, hooks.localIn, 'LOCAL_IN', whole, device, undefined, state.tell) !== NF_ACCEPT
  ) {
    return
  }
  state.tell?.({ kind: 'deliver', packet: whole })
  ipDeliver(state, whole, device)
}

/** To raw sockets, then to the protocol. ip_protocol_deliver_rcu(). */
function ipDeliver(state: InetState, packet: Packet, device: NetDevice): void {
  const sockets = state.sockets
  const raw = sockets !== undefined && sockets.raw.length !== 0 && rawDeliver(sockets, packet, device)
  const counters = state.counters ?? state.count()
  const handler = protocolHandlers[packet.protocol] ?? state.protocols?.get(packet.protocol)?.receive
  if (handler !== undefined) {
    handler(state, packet, device)
    counters.inDelivers++
  } else if (raw) counters.inDelivers++
  else {
    counters.inUnknownProtos++
    icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0)
    drop(state, packet, 'IP_NOPROTO')
  }
}

/** Whether a host routes for others at all. */
export function forwards(host: Host): boolean {
  return inetState.of(host).net.confAll.forwarding !== 0
}

/**
 * Which way a packet goes: routes of what comes in, with the checks that decide whether it may, and of what goes out.
 *
 *     const answer = routeOutput(host, { dst: parseIpv4('10.0.0.1')! })
 *     if (typeof answer === 'string') return fail(answer) // 'ENETUNREACH' ...
 *
 * Linux 6.1 net/ipv4/route.c: ip_route_input_slow(), __mkroute_input(), ip_route_output_key_hash_rcu().
 */
import type { Errno, Host } from '#kernel/core'
import { emitFrame, formatIpv4, type Packet } from '#wire/inet'
import { selectAddress } from './addresses.ts'
import type { NetDevice } from './device.ts'
import { deviceByIndex } from './devices.ts'
import { type FibInfo, type FibNextHop, type FibResult, type Flow, flowOf } from './fib.ts'
import { sourceOf } from './fib-info.ts'
import {
  addressType,
  addTransport,
  deviceOfAddress,
  emptyResult,
  fibLookup,
  INADDR_BROADCAST,
  inetOnLink,
  isLocalMulticast,
  isLoopback,
  isMulticast,
  isZeronet,
  validateSource,
} from './fib-lookup.ts'
import { selectPath } from './fib-select.ts'
import { inGroup } from './igmp.ts'
import { RT_SCOPE_HOST, RT_SCOPE_LINK } from './inetdev.ts'
import { logLimited } from './ip-log.ts'
import { inetState } from './ip-state.ts'
import type { RouteType } from './netlink.ts'
import { RouteCache } from './route-cache.ts'
import { findException } from './route-exceptions.ts'

export { addressType } from './fib-lookup.ts'

/** RTCF_*, as far as they are used. */
export const RTCF_LOCAL = 1
export const RTCF_BROADCAST = 2
export const RTCF_MULTICAST = 4
export const RTCF_REDIRECTED = 8

const IFF_UP = 1
const IPPROTO_IGMP = 2
const IP_MAX_MTU = 0xffff
/** 1 << RTAX_MTU. */
const MTU_LOCK = 4
/** Linux 6.1 include/uapi/linux/in_route.h, net/route.h: IPTOS_RT_MASK. */
export const TOS_MASK = 0x1c

/** Where a packet goes. struct rtable. */
export class Route {
  readonly type: RouteType | 'unreachable'
  /** RTCF_*. */
  flags: number
  /** The device out; lo for what is delivered here. */
  readonly device: NetDevice
  /** Whether it is for a packet that came in. */
  readonly input: boolean
  /** The device that an input route's packets came in by; for an output route, the one that was asked for. */
  iif = 0
  /** 0: the destination itself is on the link. */
  gateway = 0
  /** What an unreachable destination is answered with. */
  error: Errno | undefined = undefined
  /** Learned by "fragmentation needed"; 0: nothing learned. */
  pmtu = 0
  mtuLocked = false
  /** When what was learned is forgotten; 0: nothing was learned. */
  expiresNs = 0
  info: FibInfo | undefined = undefined
  nextHop: FibNextHop | undefined = undefined
  /** The sender would do better to send to the gateway itself. */
  doRedirect = false
  /** The MTU for what is forwarded by it. */
  forwardMtu = 0
  generation = 0
  /** When it has to be found out again at the latest. */
  untilNs = Number.POSITIVE_INFINITY
  // What it was looked up with, for the cache.
  keyDst = 0
  keySrc = 0
  keyTos = 0
  keyMark = 0

  constructor(type: RouteType | 'unreachable', flags: number, device: NetDevice, input: boolean) {
    this.type = type
    this.flags = flags
    this.device = device
    this.input = input
  }

  /** The gateway, or who it is for if there is none. rt_nexthop(). */
  nextHopFor(dst: number): number {
    return this.gateway === 0 ? dst : this.gateway
  }

  /** Whether its MTU is fixed, so that larger packets are fragmented and not sent with DF. ip_mtu_locked(). */
  get locked(): boolean {
    return this.mtuLocked || ((this.info?.metrics?.['lock'] ?? 0) & MTU_LOCK) !== 0
  }

  /** The largest packet that may take this route. ip_dst_mtu_maybe_forward(). */
  mtu(forwarding: boolean): number {
    const host = this.device.host
    const { locked } = this
    if (this.pmtu !== 0 && (!forwarding || locked || inetState.of(host).sysctls.forwardUsePmtu !== 0)) {
      if (host.sim.nowNs < this.expiresNs) return Math.min(this.pmtu, IP_MAX_MTU)
    }
    const metric = this.info?.metrics?.['mtu'] ?? 0
    if (metric !== 0) return Math.min(metric, IP_MAX_MTU)
    const mtu = this.device.mtu
    return Math.min(locked && this.gateway !== 0 && mtu > 576 ? 576 : mtu, IP_MAX_MTU)
  }
}

/** Takes over what the next hop says, and what was learned about the destination behind it. rt_set_nexthop(). */
function setNextHop(host: Host, route: Route, dst: number, info: FibInfo, nextHop: FibNextHop): void {
  route.info = info
  route.nextHop = nextHop
  if (nextHop.gateway !== 0 && nextHop.scope === RT_SCOPE_LINK) route.gateway = nextHop.gateway
  const learned = findException(host, nextHop, dst)
  if (!learned) return
  route.pmtu = learned.pmtu
  route.mtuLocked = learned.mtuLocked
  route.expiresNs = learned.expiresNs
  if (learned.expiresNs !== 0) route.untilNs = learned.expiresNs
  if (learned.gateway !== 0) {
    route.flags |= RTCF_REDIRECTED
    route.gateway = learned.gateway
  }
}

function loopbackOf(host: Host): NetDevice {
  return deviceByIndex(host, 1)!
}

/** ip_handle_martian_source(). */
function martianSource(device: NetDevice, dst: number, src: number, packet: Packet | undefined): void {
  if (!device.inet.logMartians) return
  const lines = [`martian source ${formatIpv4(dst)} from ${formatIpv4(src)}, on dev ${device.name}`]
  if (device.kind === 'ether' && packet) {
    const header = emitFrame(packet).subarray(0, 14)
    const hex = Array.from(header, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    lines.push(`ll header: 00000000: ${hex}`)
  }
  logLimited(device.host, 4, lines)
}

function martianDestination(device: NetDevice, dst: number, src: number): Errno {
  if (device.inet.logMartians) {
    logLimited(device.host, 4, [`martian destination ${formatIpv4(dst)} from ${formatIpv4(src)}, dev ${device.name}`])
  }
  return 'EINVAL'
}

function localRoute(device: NetDevice, type: RouteType | 'unreachable', flags: number, result: FibResult): Route {
  const route = new Route(type, flags, loopbackOf(device.host), true)
  route.iif = device.ifindex
  route.info = result.info
  route.nextHop = result.nextHop
  return route
}

/** For a packet to a broadcast address; `result` may be of a route to it. */
function broadcastInput(
  device: NetDevice,
  src: number,
  dst: number,
  tos: number,
  mark: number,
  packet: Packet | undefined,
  forArp: boolean,
  result: FibResult,
): Route | Errno {
  if (forArp) return 'EINVAL'
  if (!isZeronet(src)) {
    const valid = validateSource(device.host, packet, src, 0, tos, 0, device, mark)
    if (typeof valid === 'string') {
      martianSource(device, dst, src, packet)
      return valid
    }
  }
  return localRoute(device, 'broadcast', RTCF_LOCAL | RTCF_BROADCAST, result)
}

/** __mkroute_input(). */
function forwardRoute(
  device: NetDevice,
  dst: number,
  src: number,
  tos: number,
  mark: number,
  packet: Packet | undefined,
  forArp: boolean,
  result: FibResult,
): Route | Errno {
  const host = device.host
  const info = result.info!
  if (info.nextHops.length > 1) selectPath(host, result, flowOf({ dst, src, tos, mark }))
  const nextHop = result.nextHop!
  const out = nextHop.device
  if (!out) return 'EINVAL'
  const onLink = validateSource(host, packet, src, dst, tos, nextHop.oif, device, mark)
  if (typeof onLink === 'string') {
    martianSource(device, dst, src, packet)
    return onLink
  }
  if (forArp && out === device && !device.inet.proxyArpPvlan) return 'EINVAL'
  const route = new Route(result.type, 0, out, true)
  route.iif = device.ifindex
  if (out === device && onLink && out.inet.sendRedirects && !forArp) {
    route.doRedirect = out.inet.sharedMedia || inetOnLink(out, src, nextHop.gateway)
  }
  setNextHop(host, route, dst, info, nextHop)
  route.forwardMtu = route.mtu(true)
  return route
}

/** ip_route_input_mc(). */
function multicastInput(
  device: NetDevice,
  dst: number,
  src: number,
  tos: number,
  mark: number,
  packet: Packet | undefined,
  forArp: boolean,
): Route | Errno {
  if (!inGroup(device, dst)) return 'EINVAL'
  if (isMulticast(src) || src === INADDR_BROADCAST || forArp) return 'EINVAL'
  if (isLoopback(src) && !device.inet.routeLocalnet) return 'EINVAL'
  if (isZeronet(src)) {
    if (!isLocalMulticast(dst) && packet?.protocol !== IPPROTO_IGMP) return 'EINVAL'
  } else {
    const valid = validateSource(device.host, packet, src, 0, tos, 0, device, mark)
    if (typeof valid === 'string') return valid
  }
  return localRoute(device, 'multicast', RTCF_LOCAL | RTCF_MULTICAST, emptyResult())
}

function inputSlow(
  device: NetDevice,
  dst: number,
  src: number,
  tos: number,
  mark: number,
  packet: Packet | undefined,
  forArp: boolean,
  result: FibResult,
): Route | Errno {
  const host = device.host
  const inet = device.inet
  const martian = (): Errno => {
    martianSource(device, dst, src, packet)
    return 'EINVAL'
  }
  if (isMulticast(dst)) return multicastInput(device, dst, src, tos, mark, packet, forArp)
  if (isMulticast(src) || src === INADDR_BROADCAST) return martian()
  if (dst === INADDR_BROADCAST || (src === 0 && dst === 0)) {
    return broadcastInput(device, src, dst, tos, mark, packet, forArp, result)
  }
  if (isZeronet(src)) return martian()
  if (isZeronet(dst)) return martianDestination(device, dst, src)
  if (isLoopback(dst)) {
    if (!inet.routeLocalnet) return martianDestination(device, dst, src)
  } else if (isLoopback(src) && !inet.routeLocalnet) return martian()
  const flow = flowOf({ dst, src, tos, mark, iif: device.ifindex })
  addTransport(host, flow, packet)
  const error = fibLookup(host, flow, result)
  if (error !== undefined || (result.type !== 'broadcast' && result.type !== 'local' && !inet.forwarding)) {
    const route = localRoute(device, 'unreachable', 0, emptyResult())
    route.error = inet.forwarding && error !== undefined ? error : 'EHOSTUNREACH'
    return route
  }
  if (result.type === 'broadcast') {
    if (!inet.bcForwarding) return broadcastInput(device, src, dst, tos, mark, packet, forArp, result)
  } else if (result.type === 'local') {
    const valid = validateSource(host, packet, src, dst, tos, 0, device, mark)
    if (typeof valid === 'string') {
      martianSource(device, dst, src, packet)
      return valid
    }
    return localRoute(device, 'local', RTCF_LOCAL, result)
  } else if (result.type !== 'unicast') return martianDestination(device, dst, src)
  return forwardRoute(device, dst, src, tos, mark, packet, forArp, result)
}

/**
 * The route of a packet that came in by a device, or why it is dropped: 'EINVAL' for a martian, 'EXDEV' for the reverse
 * path filter. A destination that can't be reached has a route with an `error`. ip_route_input_noref().
 *
 * @param packet for its ports, where rules ask for them, and its header, where martians are logged
 * @param forArp asked by ARP for its proxies, not for a packet of IP
 */
export function routeInput(
  device: NetDevice,
  dst: number,
  src: number,
  tos: number,
  mark: number,
  packet?: Packet,
  forArp = false,
  result: FibResult = emptyResult(),
): Route | Errno {
  return inputSlow(device, dst, src, tos & TOS_MASK, mark, packet, forArp, result)
}

/** routeInput with the cache in front of it; for each packet. */
export function routePacket(device: NetDevice, packet: Packet): Route | Errno {
  const state = inetState.of(device.host)
  const tos = packet.tos & TOS_MASK
  const { dst, src, mark } = packet
  const generation = device.net.generation
  state.cache ??= new RouteCache()
  const nowNs = device.host.sim.nowNs
  const cached = state.cache.find(dst, src, device.ifindex, tos, mark, generation, nowNs)
  if (cached !== undefined) return cached
  const result = emptyResult()
  const route = inputSlow(device, dst, src, tos, mark, packet, false, result)
  if (typeof route === 'string') return route
  const ways = route.info === undefined ? 0 : route.info.nextHops.length
  const usesPorts = state.rules?.some((rule) => rule.ipProtocol || rule.sourcePorts || rule.destinationPorts)
  const several = ways > 1 && state.sysctls.multipathUseNeighbour !== 0
  if (usesPorts || several || (result.prefix === 0 && (result.table?.defaults ?? 0) > 1)) return route
  route.keyDst = dst
  route.keySrc = src
  route.keyTos = tos
  route.keyMark = mark
  route.generation = generation
  state.cache.add(route)
  return route
}

/** __mkroute_output(). */
function outputRoute(
  host: Host,
  flow: Flow,
  askedOif: number,
  out: NetDevice,
  flags: number,
  result: FibResult,
): Route | Errno {
  if (!out.inet.routeLocalnet && isLoopback(flow.src) && out.kind !== 'loopback') return 'EINVAL'
  let type: RouteType = result.type
  let info = result.info
  if (flow.dst === INADDR_BROADCAST) {
    type = 'broadcast'
    info = undefined
  } else if (isMulticast(flow.dst)) type = 'multicast'
  else if (isZeronet(flow.dst)) return 'EINVAL'
  if (out.kind === 'loopback') flags |= RTCF_LOCAL
  if (type === 'broadcast') flags |= RTCF_BROADCAST | RTCF_LOCAL
  else if (type === 'multicast') {
    flags |= RTCF_MULTICAST | RTCF_LOCAL
    if (!inGroup(out, flow.dst)) flags &= ~RTCF_LOCAL
    if (info && result.prefix < 4) info = undefined
  }
  const route = new Route(type, flags, out, false)
  route.iif = askedOif
  if (info) setNextHop(host, route, flow.dst, info, result.nextHop!)
  route.generation = out.net.generation
  return route
}

/**
 * The route of a packet that is made here, or why there is none. Fills in the flow's source, and its destination where
 * that was left open. ip_route_output_key_hash_rcu().
 */
export function routeFlow(host: Host, flow: Flow, result: FibResult = emptyResult()): Route | Errno {
  const askedOif = flow.oif
  flow.iif = 1
  flow.tos &= TOS_MASK
  let out: NetDevice | undefined
  if (flow.src !== 0) {
    if (isMulticast(flow.src) || flow.src === INADDR_BROADCAST || isZeronet(flow.src)) return 'EINVAL'
    if (flow.oif === 0 && (isMulticast(flow.dst) || flow.dst === INADDR_BROADCAST)) {
      out = deviceOfAddress(host, flow.src)
      if (!out) return 'ENETUNREACH'
      flow.oif = out.ifindex
      return outputRoute(host, flow, askedOif, out, 0, result)
    }
    if (!flow.anySrc && !deviceOfAddress(host, flow.src)) return 'ENETUNREACH'
  }
  if (flow.oif !== 0) {
    out = deviceByIndex(host, flow.oif)
    if (!out) return 'ENODEV'
    if (!(out.flags & IFF_UP)) return 'ENETUNREACH'
    if (isLocalMulticast(flow.dst) || flow.dst === INADDR_BROADCAST || flow.protocol === IPPROTO_IGMP) {
      if (flow.src === 0) flow.src = selectAddress(out, 0, RT_SCOPE_LINK)
      return outputRoute(host, flow, askedOif, out, 0, result)
    }
    if (flow.src === 0) {
      if (isMulticast(flow.dst)) flow.src = selectAddress(out, 0, flow.scope)
      else if (flow.dst === 0) flow.src = selectAddress(out, 0, RT_SCOPE_HOST)
    }
  }
  if (flow.dst === 0) {
    if (flow.src === 0) flow.src = 0x7f000001
    flow.dst = flow.src
    out = loopbackOf(host)
    flow.oif = out.ifindex
    result.type = 'local'
    return outputRoute(host, flow, askedOif, out, RTCF_LOCAL, result)
  }
  const error = fibLookup(host, flow, result)
  if (error !== undefined) {
    result.info = undefined
    result.table = undefined
    if (!out) return error
    // A device was named: where the tables say nothing, the destination is taken to be on its link.
    if (flow.src === 0) flow.src = selectAddress(out, 0, RT_SCOPE_LINK)
    result.type = 'unicast'
    return outputRoute(host, flow, askedOif, out, 0, result)
  }
  if (result.type === 'local') {
    if (flow.src === 0) flow.src = result.info!.prefSrc || flow.dst
    const oif = result.nextHop!.oif
    out = loopbackOf(host)
    flow.oif = out.ifindex
    return outputRoute(host, flow, oif, out, RTCF_LOCAL, result)
  }
  if (flow.oif === 0) selectPath(host, result, flow)
  if (flow.src === 0) flow.src = sourceOf(host, result.info!, result.nextHop!)
  return outputRoute(host, flow, askedOif, result.nextHop!.device!, 0, result)
}

/** The route of a packet made here, and its source address; or why there is none. */
export function routeOutput(host: Host, asked: Partial<Flow>): { route: Route; src: number } | Errno {
  const flow = flowOf(asked)
  const route = routeFlow(host, flow)
  return typeof route === 'string' ? route : { route, src: flow.src }
}

/** The route that a packet to `dst` would take, for ARP's proxies; undefined if it would be dropped. */
export function routeForArp(
  _host: Host,
  packet: Packet,
  dst: number,
  src: number,
  device: NetDevice,
): Route | undefined {
  const route = routeInput(device, dst, src, 0, 0, packet, true)
  return typeof route === 'string' || route.error !== undefined ? undefined : route
}

/** Whether a route that was kept may still be used. dst_check(). */
export function routeIsValid(route: Route): boolean {
  const device = route.device
  return route.generation === device.net.generation && device.host.sim.nowNs < route.untilNs
}

/** The address that an answer to a packet has as its source. fib_compute_spec_dst(). */
export function specificDestination(packet: Packet, route: Route, device: NetDevice): number {
  if ((route.flags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL)) === RTCF_LOCAL) return packet.dst
  const host = device.host
  if (isZeronet(packet.src)) return selectAddress(device, packet.src, RT_SCOPE_LINK)
  const flow = flowOf({
    dst: packet.src,
    tos: packet.tos & TOS_MASK,
    iif: 1,
    mark: device.inet.srcValidMark ? packet.mark : 0,
  })
  const result = emptyResult()
  if (fibLookup(host, flow, result) === undefined) return sourceOf(host, result.info!, result.nextHop!)
  return selectAddress(device, packet.src, 0)
}

/** The address of the way out, for options that record it. ip_rt_get_source(). */
export function recordedSource(packet: Packet, route: Route, device: NetDevice | undefined): number {
  if (!route.input) return packet.src
  const host = route.device.host
  const flow = flowOf({
    dst: packet.dst,
    src: packet.src,
    tos: packet.tos & TOS_MASK,
    oif: route.device.ifindex,
    iif: device?.ifindex ?? 0,
    mark: packet.mark,
  })
  const result = emptyResult()
  if (fibLookup(host, flow, result) === undefined) return sourceOf(host, result.info!, result.nextHop!)
  return selectAddress(route.device, route.nextHopFor(packet.dst), 0)
}

/** Whether an address is one of this host's own. */
export function isLocalAddress(host: Host, address: number): boolean {
  return addressType(host, address) === 'local'
}

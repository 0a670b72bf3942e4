/**
 * Which way an IPv6 packet goes: the lookup in rules and tables, and the route that a packet then has.
 *
 * Linux 6.1 net/ipv6/route.c: ip6_pol_route(), fib6_table_lookup(), find_rr_leaf(), rt6_score_route(),
 * ip6_route_output_flags(), ip6_route_input(); net/ipv6/ip6_output.c: ip6_dst_lookup_tail().
 */
import type { Errno } from '#kernel/core'
import { type NetDevice, NUD_FAILED, NUD_VALID } from '#kernel/net'
import { IN6_ANY, IN6_LOOPBACK, type Ipv6Address, isLinkLocalIpv6, isMulticastIpv6 } from '#wire/inet'
import { selectSource } from './address-select.ts'
import {
  type Exception6,
  type Fib6Route,
  type Fib6Table,
  type FibNextHop6,
  ROUTE6_ERRORS,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
} from './fib.ts'
import { link6 } from './inet6dev.ts'
import { applyRules } from './rules.ts'
import type { State6 } from './state.ts'

/** A packet's way (dst_entry, rt6_info). */
export class Route6 {
  readonly type: Fib6Route['type'] | 'none'
  /** Where it leaves; for what is this host's own, lo. */
  readonly device: NetDevice
  /** Undefined: the destination is on the link. */
  readonly gateway: Ipv6Address | undefined
  readonly input: boolean
  fib: Fib6Route | undefined = undefined
  hop: FibNextHop6 | undefined = undefined
  exception: Exception6 | undefined = undefined
  error: Errno | undefined = undefined
  generation = -1
  untilNs = Number.POSITIVE_INFINITY

  constructor(type: Fib6Route['type'] | 'none', device: NetDevice, gateway: Ipv6Address | undefined, input: boolean) {
    this.type = type
    this.device = device
    this.gateway = gateway
    this.input = input
  }

  /** The device whose route it is: for what loops back by lo, the one that has the address. */
  get iif(): number {
    return (this.hop?.device ?? this.device).ifindex
  }

  /** For this host itself. */
  get local(): boolean {
    return this.type === 'local' || this.type === 'anycast'
  }

  /** ip6_mtu(), dst_mtu(). */
  get mtu(): number {
    const { exception } = this
    if (exception && exception.mtu > 0 && exception.expiresNs > this.device.host.sim.nowNs) return exception.mtu
    const metric = this.fib?.metrics?.['mtu']
    if (metric) return metric
    return link6(this.device)?.mtu6 ?? this.device.mtu
  }

  /** The hop limit of what is sent by it. ip6_dst_hoplimit(). */
  get hopLimit(): number {
    return this.fib?.metrics?.['hoplimit'] || (link6(this.device)?.conf.hopLimit ?? 64)
  }

  nextHopFor(dst: Ipv6Address): Ipv6Address {
    return this.gateway ?? dst
  }
}

/** What is looked up. struct flowi6. */
export interface Flow6 {
  dst: Ipv6Address
  src: Ipv6Address | undefined
  oif: number
  iif: number
  mark: number
  protocol: number
  srcPort: number
  dstPort: number
  tos: number
  flowLabel: number
  uid: number
}

export function flow6(changes: Partial<Flow6> & { dst: Ipv6Address }): Flow6 {
  return {
    src: undefined,
    oif: 0,
    iif: 0,
    mark: 0,
    protocol: 0,
    srcPort: 0,
    dstPort: 0,
    tos: 0,
    flowLabel: 0,
    uid: 0,
    ...changes,
  }
}

/** Whether only the very device counts: for what doesn't leave the link. rt6_need_strict(). */
export function needsDevice(address: Ipv6Address): boolean {
  return (
    isMulticastIpv6(address) ||
    isLinkLocalIpv6(address) ||
    (address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1)
  )
}

export interface Found6 {
  route: Fib6Route
  hop: FibNextHop6 | undefined
}

const HARD = -3

/** How well a way out fits; below 0: it can't be taken. rt6_score_route(). */
function score(
  state: State6,
  route: Fib6Route,
  hop: FibNextHop6,
  oif: number,
  strict: boolean,
  reachable: boolean,
): number {
  if (hop.flags & RTNH_F_DEAD) return HARD
  if (hop.flags & RTNH_F_LINKDOWN && ignoresLinkdown(state, hop.device)) return HARD
  let points = oif === 0 || hop.device.ifindex === oif ? 2 : 0
  if (points === 0 && strict) return HARD
  points |= (route.preference === 1 ? 3 : route.preference === 3 ? 1 : 2) << 2
  if (reachable && hop.gateway !== undefined) {
    const neighbour = state.nd.find(hop.device, hop.gateway.id)
    if (neighbour !== undefined && !(neighbour.state & NUD_VALID) && neighbour.state & NUD_FAILED) return -1
  }
  return points
}

function ignoresLinkdown(state: State6, device: NetDevice): boolean {
  return (state.confAll.ignoreRoutesWithLinkdown | (link6(device)?.conf.ignoreRoutesWithLinkdown ?? 0)) !== 0
}

/** A table's answer. fib6_table_lookup(). */
export function lookupTable(state: State6, table: Fib6Table, flow: Flow6, strict: boolean): Found6 | undefined {
  const preferReachable = state.confAll.forwarding === 0
  const oif = flow.oif
  return (
    (preferReachable ? select(state, table, flow, oif, strict, true) : undefined) ??
    select(state, table, flow, oif, strict, false)
  )
}

function select(
  state: State6,
  table: Fib6Table,
  flow: Flow6,
  oif: number,
  strict: boolean,
  reachable: boolean,
): Found6 | undefined {
  const { nowNs } = state.host.sim
  let best: Found6 | undefined
  let bestScore = -1
  let metric = -1
  let prefix = -1
  for (const route of table.matching(flow.dst, flow.src)) {
    // Of one prefix all routes of the least metric compete.
    if (best !== undefined && (route.prefix !== prefix || route.metric !== metric)) break
    if (route.expiresNs <= nowNs) continue
    if (route.nextHops.length === 0) {
      return { route, hop: undefined }
    }
    const hop = chooseHop(state, route, flow, oif, strict, reachable)
    if (hop === undefined) continue
    const points = score(state, route, hop, oif, strict, reachable)
    if (points > bestScore) {
      best = { route, hop }
      bestScore = points
      metric = route.metric
      prefix = route.prefix
    }
  }
  return best
}

/** One of several next hops by the flow's hash, another if that can't be taken. fib6_select_path(). */
function chooseHop(
  state: State6,
  route: Fib6Route,
  flow: Flow6,
  oif: number,
  strict: boolean,
  reachable: boolean,
): FibNextHop6 | undefined {
  const usable = route.nextHops.filter((hop) => score(state, route, hop, oif, strict, reachable) >= 0)
  if (usable.length <= 1) return usable[0]
  const hash = multipathHash(state, flow)
  const total = usable.reduce((sum, hop) => sum + hop.weight, 0)
  let upTo = 0
  for (const hop of usable) {
    upTo += hop.weight
    if (hash < (upTo / total) * 2 ** 31) return hop
  }
  return usable[usable.length - 1]
}

/** A number of 32 bits of a flow, the same for the same flow while the host is up. */
export function flowHash(state: State6, parts: number[]): number {
  state.secret ??= state.host.sim.random(`${state.host.name}/ipv6 secret`).below(2 ** 32)
  let hash = state.secret
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

function multipathHash(state: State6, flow: Flow6): number {
  const src = flow.src ?? IN6_ANY
  const words = [src.w0, src.w1, src.w2, src.w3, flow.dst.w0, flow.dst.w1, flow.dst.w2, flow.dst.w3]
  words.push(flow.protocol)
  if (state.sysctls.fibMultipathHashPolicy === 1) words.push(flow.srcPort, flow.dstPort)
  else words.push(flow.flowLabel)
  return flowHash(state, words) >>> 1
}

/** Looks a flow up in tables, by rules. */
function lookup(state: State6, flow: Flow6, strict: boolean): Found6 | Errno {
  if (state.rules === undefined) {
    const found = lookupTable(state, state.local, flow, strict) ?? lookupTable(state, state.main, flow, strict)
    return found ?? 'ENETUNREACH'
  }
  return applyRules(state, flow, (table) => lookupTable(state, table, flow, strict))
}

/** Makes the route of what was found. */
function routeOf(state: State6, found: Found6, flow: Flow6, input: boolean): Route6 {
  const { route: fib, hop } = found
  const local = fib.type === 'local' || fib.type === 'anycast'
  const lo = state.net.devices[0]!
  const exception = fib.exceptions?.get(flow.dst.id)
  const valid = exception !== undefined && exception.expiresNs > state.host.sim.nowNs
  const device = local || hop === undefined ? lo : hop.device
  const gateway = (valid ? exception.gateway : undefined) ?? hop?.gateway
  const made = new Route6(fib.type, device, local ? undefined : gateway, input)
  made.fib = fib
  made.hop = hop
  if (valid) made.exception = exception
  made.error = ROUTE6_ERRORS[fib.type]
  made.generation = state.generation
  made.untilNs = Math.min(fib.expiresNs, valid ? exception.expiresNs : Number.POSITIVE_INFINITY)
  return made
}

/** The way of a packet that is made here; an error stands in `error` where a route says so. ip6_route_output_flags(). */
export function routeOutput6(state: State6, flow: Flow6): Route6 | Errno {
  const anySource = flow.src === undefined || flow.src === IN6_ANY
  const strict = needsDevice(flow.dst) || (flow.oif !== 0 && anySource)
  const found = lookup(state, flow, strict)
  if (typeof found === 'string') return found
  return routeOf(state, found, flow, false)
}

const CACHE_MAX = 4096

/** The way and the source of a flow; `flow.src` is filled in. ip6_dst_lookup_flow(). */
export function routeFlow6(state: State6, flow: Flow6): Route6 | Errno {
  if (flow.dst === IN6_ANY) flow.dst = IN6_LOOPBACK
  const anySource = flow.src === undefined || flow.src === IN6_ANY
  const route = routeOutput6(state, flow)
  if (typeof route === 'string') {
    // Who has no address at all misses that first.
    return anySource && selectSource(state, undefined, flow.dst) === undefined ? 'EADDRNOTAVAIL' : route
  }
  if (route.error !== undefined) return route.error
  if (flow.src === undefined || flow.src === IN6_ANY) {
    const source = sourceFor(state, route, flow.dst)
    if (source === undefined) return 'EADDRNOTAVAIL'
    flow.src = source
  }
  return route
}

/** The source that a route prefers, or the best one. ip6_route_get_saddr(). */
export function sourceFor(state: State6, route: Route6, dst: Ipv6Address): Ipv6Address | undefined {
  const prefer = route.fib?.prefSrc
  if (prefer !== undefined) return prefer
  const device = route.local ? (route.hop?.device ?? route.device) : route.device
  return selectSource(state, device, dst)
}

/** The way of a packet that came in. ip6_route_input(). */
export function routeInput6(state: State6, device: NetDevice, flow: Flow6): Route6 | Errno {
  const plain = state.rules === undefined && flow.mark === 0
  const key = flow.dst.id
  if (plain) {
    if (state.cacheGeneration !== state.generation) {
      state.routeCache.clear()
      state.cacheGeneration = state.generation
    }
    const cached = state.routeCache.get(key)
    if (cached !== undefined && cached.untilNs > state.host.sim.nowNs) return cached
  }
  const strict = needsDevice(flow.dst)
  if (strict) flow.oif = device.ifindex
  const found = lookup(state, flow, strict)
  if (typeof found === 'string') return found
  const route = routeOf(state, found, flow, true)
  const simple = found.route.nextHops.length === 1 && !strict && found.route.gateway === undefined
  if (plain && simple && found.route.srcPrefix === 0) {
    if (state.routeCache.size >= CACHE_MAX) state.routeCache.clear()
    state.routeCache.set(key, route)
  }
  return route
}

export function routeIsValid6(state: State6, route: Route6): boolean {
  return route.generation === state.generation && route.untilNs > state.host.sim.nowNs
}

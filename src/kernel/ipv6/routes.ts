/**
 * Routes as they are added and removed by hand. Linux 6.1 net/ipv6/route.c: ip6_route_info_create(), ip6_route_add(),
 * ip6_route_del(), ip6_route_multipath_add(); net/ipv6/ip6_fib.c: fib6_add_rt2node().
 */
import type { Errno } from '#kernel/core'
import { deviceByIndex, type NetDevice, type NewFlags, type Route6Fields } from '#kernel/net'
import { type Ipv6Address, isLinkLocalIpv6, isMulticastIpv6, prefixIpv6 } from '#wire/inet'
import {
  Fib6Route,
  type Fib6Table,
  type FibNextHop6,
  nextHop6,
  RT6_TABLE_LOCAL,
  RT6_TABLE_MAIN,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
} from './fib.ts'
import { link6 } from './inet6dev.ts'
import { flow6, lookupTable, routeOutput6 } from './route.ts'
import type { State6 } from './state.ts'

export interface Refusal6 {
  ok: false
  errno: Errno
  extack?: string
}

function refuse(errno: Errno, extack?: string): Refusal6 {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

const METRIC_USER = 1024

/** One way out of a route that is asked for, or why not. fib6_nh_init(), ip6_validate_gw(). */
function hopOf(
  state: State6,
  fields: Route6Fields,
  given: { ifindex?: number; gateway?: Ipv6Address; weight?: number; flags?: number },
): FibNextHop6 | Refusal6 {
  let device: NetDevice | undefined
  if (given.ifindex) {
    device = deviceByIndex(state.host, given.ifindex)
    if (device === undefined) return refuse('ENODEV')
    if (link6(device) === undefined) return refuse('ENODEV')
  }
  const flags = given.flags ?? 0
  if (flags & RTNH_F_ONLINK) {
    if (device === undefined) return refuse('ENODEV', 'Nexthop device required for onlink')
    if (!device.up) return refuse('ENETDOWN', 'Nexthop device is not up')
  }
  const { gateway } = given
  if (gateway !== undefined) {
    if (isMulticastIpv6(gateway)) return refuse('EINVAL', 'Invalid gateway address')
    const own = state.owner(gateway, isLinkLocalIpv6(gateway) ? device : undefined)
    if (own !== undefined && own.route !== undefined) return refuse('EINVAL', 'Gateway can not be a local address')
    if (!isLinkLocalIpv6(gateway)) {
      const found = reachable(state, fields, gateway, device, flags)
      if (!('device' in found)) return found
      device ??= found.device
    } else if (device === undefined) return refuse('EINVAL', 'Egress device not specified')
    if (device.loops) return refuse('EINVAL', 'Egress device can not be loopback device for this route')
  }
  if (device === undefined) return refuse('ENODEV')
  if (link6(device)?.conf.disableIpv6) return refuse('EACCES', 'IPv6 is disabled on nexthop device')
  if (!device.up) return refuse('ENETDOWN', 'Nexthop device is not up')
  const down = !device.carrier && !device.loops ? RTNH_F_LINKDOWN : 0
  return nextHop6(device, gateway, given.weight ?? 1, (flags & RTNH_F_ONLINK) | down)
}

/** Whether a gateway is on a link. ip6_route_check_nh(). */
function reachable(
  state: State6,
  fields: Route6Fields,
  gateway: Ipv6Address,
  device: NetDevice | undefined,
  flags: number,
): { device: NetDevice } | Refusal6 {
  if (flags & RTNH_F_ONLINK) return { device: device! }
  const flow = flow6({ dst: gateway, oif: device?.ifindex ?? 0 })
  const table = fields.table && fields.table !== RT6_TABLE_MAIN ? state.table(fields.table) : undefined
  const own = table && lookupTable(state, table, flow, false)
  if (own?.hop && own.hop.gateway === undefined && (device === undefined || own.hop.device === device)) {
    return { device: own.hop.device }
  }
  const route = routeOutput6(state, flow)
  if (typeof route === 'string' || route.error !== undefined || route.gateway !== undefined || route.hop === undefined)
    return refuse('EHOSTUNREACH')
  if (route.fib?.prefix === 0) return refuse('EHOSTUNREACH')
  if (device !== undefined && route.device !== device) {
    return refuse('EHOSTUNREACH')
  }
  return { device: route.device }
}

function sameHop(a: FibNextHop6, b: FibNextHop6): boolean {
  return a.device === b.device && a.gateway === b.gateway
}

/** ip6_route_add(), ip6_route_multipath_add(). Undefined: done. */
export function addRoute6(state: State6, fields: Route6Fields & NewFlags): Refusal6 | undefined {
  if (fields.prefix > 128) return refuse('EINVAL', 'Invalid prefix length')
  if (prefixIpv6(fields.dst, fields.prefix) !== fields.dst && fields.routeType !== 'anycast') {
    // The bits beyond the prefix are cut off, silently. ip6_route_info_create().
    fields = { ...fields, dst: prefixIpv6(fields.dst, fields.prefix) }
  }
  const type = fields.routeType ?? 'unicast'
  const lo = state.net.devices[0]!
  const hops: FibNextHop6[] = []
  if (type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw') {
    hops.push(nextHop6(lo))
  } else {
    for (const given of fields.nextHops?.length ? fields.nextHops : [{}]) {
      const hop = hopOf(state, fields, given)
      if ('errno' in hop) return hop
      hops.push(hop)
    }
  }
  if (fields.prefSrc !== undefined) {
    const device = isLinkLocalIpv6(fields.prefSrc) ? hops[0]!.device : undefined
    if (state.owner(fields.prefSrc, device) === undefined) return refuse('EINVAL', 'Invalid source address')
  }
  const table = state.table(fields.table || (type === 'local' ? RT6_TABLE_LOCAL : RT6_TABLE_MAIN), true)!
  const metric = fields.metric || METRIC_USER
  const peers = table
    .of(fields.dst, fields.prefix)
    .filter((route) => route.metric === metric && route.srcPrefix === (fields.srcPrefix ?? 0))
  const same = peers.find((route) => route.nextHops.some((hop) => hops.some((wanted) => sameHop(hop, wanted))))
  if (fields.exclusive && peers.length > 0) return refuse('EEXIST')
  if (fields.replace) {
    if (peers.length === 0 && !fields.create) return refuse('ENOENT')
    for (const route of peers.slice(0, 1)) table.remove(route)
  } else if (fields.create === false && peers.length === 0) return refuse('ENOENT')
  else if (same !== undefined) return refuse('EEXIST')
  else if (fields.append && peers[0]?.gateway !== undefined && hops.every((hop) => hop.gateway !== undefined)) {
    peers[0].nextHops = [...peers[0].nextHops, ...hops]
    state.routesChanged()
    return undefined
  }
  const route = new Fib6Route({
    table: table.id,
    dst: fields.dst,
    prefix: fields.prefix,
    src: fields.src,
    srcPrefix: fields.srcPrefix ?? 0,
    type,
    protocol: fields.protocol ?? 3,
    metric,
    nextHops: hops,
  })
  route.prefSrc = fields.prefSrc
  if (fields.metrics) route.metrics = { ...fields.metrics }
  if (fields.preference !== undefined) route.preference = fields.preference
  if (fields.expiresS) route.expiresNs = state.host.sim.nowNs + fields.expiresS * 1e9
  table.insert(route)
  state.routesChanged()
  return undefined
}

/** ip6_route_del(). */
export function deleteRoute6(state: State6, fields: Route6Fields): Refusal6 | undefined {
  const table: Fib6Table | undefined = state.table(
    fields.table || (fields.routeType === 'local' ? RT6_TABLE_LOCAL : RT6_TABLE_MAIN),
  )
  if (!table) return refuse('ESRCH', 'FIB table does not exist')
  const wanted = fields.nextHops ?? []
  for (const route of table.of(fields.dst, fields.prefix)) {
    if (fields.metric && route.metric !== fields.metric) continue
    if (fields.protocol && route.protocol !== fields.protocol) continue
    if (fields.routeType && fields.routeType !== 'unicast' && route.type !== fields.routeType) continue
    const fits = wanted.every((given) =>
      route.nextHops.some(
        (hop) =>
          (!given.ifindex || hop.device.ifindex === given.ifindex) &&
          (given.gateway === undefined || hop.gateway === given.gateway),
      ),
    )
    if (!fits) continue
    if (wanted.length === 1 && wanted[0]!.gateway !== undefined && route.nextHops.length > 1) {
      const gone = route.nextHops.findIndex((hop) => hop.gateway === wanted[0]!.gateway)
      route.nextHops = route.nextHops.filter((_, i) => i !== gone)
    } else table.remove(route)
    state.routesChanged()
    return undefined
  }
  return refuse('ESRCH')
}

/** A device's routes go with it. rt6_disable_ip(). */
export function removeRoutesOf(state: State6, device: NetDevice, _unregister: boolean): void {
  for (const table of [state.main, state.local, ...state.tables.values()]) {
    for (const route of [...table.routes]) {
      if (!route.nextHops.some((hop) => hop.device === device)) continue
      if (route.type !== 'unicast' && route.type !== 'local' && route.type !== 'anycast' && route.type !== 'multicast')
        continue
      const left = route.nextHops.filter((hop) => hop.device !== device)
      if (left.length === 0) table.remove(route)
      else route.nextHops = left
    }
  }
  state.routesChanged()
}

/** How a route looks. iproute2 6.1 ip/iproute.c: print_route() */
import type { Route6Message, RouteMessage } from '#kernel/net'
import { formatIpv4, formatIpv6, IN6_ANY } from '#wire/inet'
import type { IpAddress } from './prefix.ts'
import type { RouteFilter } from './route-filter.ts'
import type { Session } from './session.ts'

const RT_TABLE_MAIN = 254
const RTPROT_BOOT = 3
const RT_SCOPE_UNIVERSE = 0

/** RTNH_F_*. Linux 6.1 include/uapi/linux/rtnetlink.h */
const NEXT_HOP_FLAGS: [number, string][] = [
  [1, 'dead'],
  [4, 'onlink'],
  [2, 'pervasive'],
  [8, 'offload'],
  [64, 'trap'],
  [16, 'linkdown'],
  [32, 'unresolved'],
]

/** RTAX_* in their numbers' order, which is that of printing. */
export const METRICS = [
  'mtu',
  'window',
  'rtt',
  'rttvar',
  'ssthresh',
  'cwnd',
  'advmss',
  'reordering',
  'hoplimit',
  'initcwnd',
  'features',
  'rto_min',
  'initrwnd',
  'quickack',
  'congctl',
  'fastopen_no_cookie',
]

/** A route of either family. */
export type AnyRoute = RouteMessage | Route6Message

/** A destination: `default`, an address alone, or with its length. */
function formatDestination(session: Session, address: IpAddress, length: number): string {
  if (typeof address !== 'number') {
    if (length === 0 && address === IN6_ANY) return 'default'
    return length === 128 ? session.host(address) : `${formatIpv6(address)}/${length}`
  }
  if (length === 32) return session.host(address)
  if (length === 0 && address === 0) return 'default'
  return `${formatIpv4(address)}/${length}`
}

/** One route; what the filter has made certain isn't said again. */
export function showRoute(session: Session, route: AnyRoute, filter: RouteFilter): void {
  const { out, names, options } = session
  const details = options.details > 0
  out.openObject()
  if (route.routeType !== 'unicast' || details) out.field('type', route.routeType, `${route.routeType} `)
  const destination = formatDestination(session, route.dst, route.prefix)
  out.field('dst', destination, `${destination} `)
  const inet6 = route.family === 'AF_INET6'
  if (route.src !== undefined) {
    const from = inet6 ? formatDestination(session, route.src, route.srcPrefix ?? 128) : session.host(route.src)
    out.field('from', from, `from ${from} `)
  }
  if (!inet6 && route.tos && filter.tos === undefined)
    out.field('tos', names.dsfield(route.tos), `tos ${names.dsfield(route.tos)} `)
  const single = route.nextHops.length === 1 ? route.nextHops[0] : undefined
  if (single?.gateway !== undefined && filter.via?.length !== (inet6 ? 128 : 32)) {
    out.field('gateway', session.host(single.gateway), `via ${session.host(single.gateway)} `)
  }
  if (single?.ifindex && filter.oif === undefined) {
    out.field('dev', session.deviceName(single.ifindex), `dev ${session.deviceName(single.ifindex)} `)
  }
  if (route.table && (route.table !== RT_TABLE_MAIN || details) && !filter.table) {
    out.field('table', names.table(route.table), `table ${names.table(route.table)} `)
  }
  const cached = inet6 ? route.cached : route.cache !== undefined
  if (!cached || inet6) {
    if ((route.protocol !== RTPROT_BOOT || details) && filter.protocol === undefined) {
      out.field('protocol', names.protocol(route.protocol), `proto ${names.protocol(route.protocol)} `)
    }
    if ((route.scope !== RT_SCOPE_UNIVERSE || details) && filter.scope === undefined) {
      out.field('scope', names.scope(route.scope), `scope ${names.scope(route.scope)} `)
    }
  }
  if (route.prefSrc !== undefined && filter.prefSrc?.length !== (inet6 ? 128 : 32)) {
    const source = typeof route.prefSrc === 'number' ? formatIpv4(route.prefSrc) : formatIpv6(route.prefSrc)
    out.field('prefsrc', source, `src ${source} `)
  }
  // A metric of 0 is said of IPv6's routes.
  if ((route.metric || inet6) && filter.metric === undefined)
    out.field('metric', route.metric, `metric ${route.metric} `)
  showFlags(session, single?.flags ?? 0, !inet6 && route.cache?.flags.includes('mc'))
  if (route.mark) {
    out.field('mark', route.mark, `mark ${route.mark >= 16 ? `0x${route.mark.toString(16)}` : route.mark} `)
  }
  if (route.uid !== undefined) out.field('uid', route.uid, `uid ${route.uid} `)
  if (inet6) showCacheInfo(session, route)
  else if (route.cache) showCache(session, route.cache)
  showMetrics(session, route)
  if (route.iif !== undefined && filter.iif === undefined) {
    out.field('iif', session.deviceName(route.iif), `iif ${session.deviceName(route.iif)} `)
  }
  if (inet6) {
    const preference = PREFERENCES[route.preference] ?? 'medium'
    out.field('pref', preference, `pref ${preference} `)
  }
  if (route.nextHops.length > 1) showNextHops(session, route)
  out.text('\n')
  out.close()
}

/** ICMPV6_ROUTER_PREF_*. */
const PREFERENCES: Record<number, string> = { 0: 'medium', 1: 'high', 3: 'low' }

/** How long it lives, and what who takes it is told. */
function showCacheInfo({ out }: Session, route: Route6Message): void {
  if (route.expiresS) out.field('expires', route.expiresS, `expires ${route.expiresS}sec `)
  if (route.error && route.error !== 0) out.field('error', route.error, `error ${route.error} `)
}

/** @param multicast the cache's flag, whose bit iproute2 6.1 takes for RTM_F_OFFLOAD_FAILED */
function showFlags({ out }: Session, flags: number, multicast = false): void {
  out.openArray('flags')
  for (const [bit, name] of NEXT_HOP_FLAGS) if (flags & bit) out.field(undefined, name, `${name} `)
  if (multicast) out.field(undefined, 'rt_offload_failed', 'rt_offload_failed ')
  out.close()
}

function showCache(session: Session, cache: NonNullable<RouteMessage['cache']>): void {
  const { out } = session
  out.text(`${session.newline}    cache ${cache.flags.length > 0 ? `<${cache.flags.join(',')}> ` : ''}`)
  out.openArray('cache')
  for (const flag of cache.flags) out.json(undefined, flag)
  out.close()
  if (cache.expiresS) out.field('expires', cache.expiresS, `expires ${cache.expiresS}sec `)
  if (cache.error) out.field('error', cache.error, `error ${cache.error} `)
}

function showMetrics({ out }: Session, route: AnyRoute): void {
  const { metrics = {}, lockedMetrics = [] } = route
  if (Object.keys(metrics).length === 0 && lockedMetrics.length === 0) return
  out.openArray('metrics')
  out.openObject()
  for (const name of METRICS) {
    const locked = lockedMetrics.includes(name)
    const raw = metrics[name]
    if (raw === undefined && !locked) continue
    out.text(`${name} ${locked ? 'lock ' : ''}`)
    const value = raw ?? 0
    if (name === 'features') {
      if (value & 1) out.field('ecn', null, 'ecn ')
      if (value & ~1) out.field('features', `0x${value.toString(16)}`, `0x${value.toString(16)} `)
    } else if (name === 'rtt' || name === 'rttvar' || name === 'rto_min') {
      const ms = Math.floor(value / (name === 'rtt' ? 8 : name === 'rttvar' ? 4 : 1))
      out.field(name, ms, ms >= 1000 ? `${Number((ms / 1000).toPrecision(6))}s ` : `${ms}ms `)
    } else out.field(name, value, `${value} `)
  }
  out.close()
  out.close()
}

function showNextHops(session: Session, route: AnyRoute): void {
  const { out } = session
  out.openArray('nexthops')
  for (const hop of route.nextHops) {
    out.openObject()
    out.text(`${session.newline}\tnexthop `)
    if (hop.gateway !== undefined) out.field('gateway', session.host(hop.gateway), `via ${session.host(hop.gateway)} `)
    out.field('dev', session.deviceName(hop.ifindex), `dev ${session.deviceName(hop.ifindex)} `)
    out.field('weight', hop.weight, `weight ${hop.weight} `)
    showFlags(session, hop.flags)
    out.close()
  }
  out.close()
}

/**
 * IPv6's routing tables. A table is a list of routes in the order in which the kernel's tree is walked: what lies within a
 * prefix stands before it, smaller bits before greater ones, and within a prefix the smaller metric first. So the first
 * route that fits a destination is the longest, and who wants another goes on from there.
 *
 * Linux 6.1 net/ipv6/ip6_fib.c: fib6_add_1(), fib6_add_rt2node(), fib6_node_lookup(), fib6_backtrack().
 */
import type { Errno } from '#kernel/core'
import type { NetDevice, RouteType } from '#kernel/net'
import { commonBits, compareIpv6, type Ipv6Address, inPrefixIpv6 } from '#wire/inet'

export const RT6_TABLE_MAIN = 254
export const RT6_TABLE_LOCAL = 255

export const RTPROT_REDIRECT = 1
export const RTPROT_KERNEL = 2
export const RTPROT_BOOT = 3
export const RTPROT_RA = 9

export const RTNH_F_DEAD = 1
export const RTNH_F_ONLINK = 4
export const RTNH_F_LINKDOWN = 16

/** ICMPV6_ROUTER_PREF_*. RFC 4191 section 2.1. */
export const PREF_MEDIUM = 0
export const PREF_HIGH = 1
export const PREF_LOW = 3

export type RouteType6 = RouteType | 'anycast'

/** What a lookup of such a route answers. Linux: fib6_prop[]. */
export const ROUTE6_ERRORS: Partial<Record<RouteType6, Errno>> = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  throw: 'EAGAIN',
}

/** One way out. */
export interface FibNextHop6 {
  device: NetDevice
  gateway: Ipv6Address | undefined
  weight: number
  flags: number
  /** Multipath: takes hashes up to this. */
  upperBound: number
}

/** What was learned about one destination: a path's MTU, or a better first hop. Linux: struct rt6_exception. */
export interface Exception6 {
  readonly dst: Ipv6Address
  mtu: number
  gateway: Ipv6Address | undefined
  expiresNs: number
}

export class Fib6Route {
  readonly table: number
  readonly dst: Ipv6Address
  readonly prefix: number
  readonly src: Ipv6Address | undefined
  readonly srcPrefix: number
  readonly type: RouteType6
  readonly protocol: number
  metric: number
  nextHops: FibNextHop6[]
  prefSrc: Ipv6Address | undefined = undefined
  metrics: Record<string, number> | undefined = undefined
  preference = PREF_MEDIUM
  /** Infinity: for ever. */
  expiresNs = Number.POSITIVE_INFINITY
  /** Made from a router's advertisement. RTF_ADDRCONF, and RTF_DEFAULT for routers. */
  fromRa = false
  defaultRouter = false
  exceptions: Map<number, Exception6> | undefined = undefined

  constructor(fields: {
    table: number
    dst: Ipv6Address
    prefix: number
    src?: Ipv6Address | undefined
    srcPrefix?: number
    type: RouteType6
    protocol: number
    metric: number
    nextHops: FibNextHop6[]
  }) {
    this.table = fields.table
    this.dst = fields.dst
    this.prefix = fields.prefix
    this.src = fields.src
    this.srcPrefix = fields.srcPrefix ?? 0
    this.type = fields.type
    this.protocol = fields.protocol
    this.metric = fields.metric
    this.nextHops = fields.nextHops
  }

  /** The device of a route that has one next hop; the first one's of others. */
  get device(): NetDevice | undefined {
    return this.nextHops[0]?.device
  }

  get gateway(): Ipv6Address | undefined {
    return this.nextHops[0]?.gateway
  }
}

export function nextHop6(device: NetDevice, gateway?: Ipv6Address, weight = 1, flags = 0): FibNextHop6 {
  return { device, gateway, weight, flags, upperBound: 0 }
}

/** The order of the tree's walk. */
function order(a: Fib6Route, b: Fib6Route): number {
  const common = commonBits(a.dst, b.dst)
  if (common >= Math.min(a.prefix, b.prefix)) {
    if (a.prefix !== b.prefix) return b.prefix - a.prefix
    if (a.srcPrefix !== b.srcPrefix) return b.srcPrefix - a.srcPrefix
    return a.metric - b.metric
  }
  return compareIpv6(a.dst, b.dst)
}

export class Fib6Table {
  readonly id: number
  routes: Fib6Route[] = []

  constructor(id: number) {
    this.id = id
  }

  /** Behind those that it is equal to. */
  insert(route: Fib6Route): void {
    let low = 0
    let high = this.routes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (order(this.routes[middle]!, route) <= 0) low = middle + 1
      else high = middle
    }
    this.routes.splice(low, 0, route)
  }

  /** False if it wasn't there. */
  remove(route: Fib6Route): boolean {
    const at = this.routes.indexOf(route)
    if (at < 0) return false
    this.routes.splice(at, 1)
    return true
  }

  /** Those of exactly this prefix. */
  of(dst: Ipv6Address, prefix: number): Fib6Route[] {
    return this.routes.filter((route) => route.prefix === prefix && route.dst === dst)
  }

  /** The routes that a packet between these may take, the best first. */
  *matching(dst: Ipv6Address, src: Ipv6Address | undefined): Generator<Fib6Route> {
    for (const route of this.routes) {
      if (!inPrefixIpv6(dst, route.dst, route.prefix)) continue
      if (route.srcPrefix > 0 && (src === undefined || !inPrefixIpv6(src, route.src!, route.srcPrefix))) continue
      yield route
    }
  }
}

/**
 * rtnetlink's messages of AF_INET6: as AF_INET's, with IPv6 addresses, and what only IPv6 has.
 *
 * Linux 6.1 include/uapi/linux/rtnetlink.h, if_addr.h, neighbour.h; net/ipv6/addrconf.c, route.c.
 */
import type { Ipv6Address } from '#wire/inet'
import type { NeighbourMessage, NewFlags, RouteType, RuleFields } from './netlink.ts'

/** Replaces what depends on the family. */
type Six<T, Keys extends keyof T> = Omit<T, 'family' | Keys> & { family: 'AF_INET6' }

export interface Address6Message {
  type: 'RTM_NEWADDR'
  family: 'AF_INET6'
  ifindex: number
  /** IFA_LOCAL, and IFA_ADDRESS if that is another's. */
  local: Ipv6Address
  address: Ipv6Address
  prefix: number
  /** RT_SCOPE_*: 0 global, 200 site, 253 link, 254 host. */
  scope: number
  /** IFA_F_*. */
  flags: number
  validS: number
  preferredS: number
  metric?: number
  /** IFA_PROTO, since Linux 5.18: 1 kernel_lo, 2 kernel_ra, 3 kernel_ll. */
  protocol?: number
}

export type Address6Request =
  | ({
      type: 'RTM_NEWADDR'
      family: 'AF_INET6'
      ifindex: number
      local: Ipv6Address
      address?: Ipv6Address
      prefix: number
      scope?: number
      flags?: number
      validS?: number
      preferredS?: number
      metric?: number
    } & NewFlags)
  | {
      type: 'RTM_DELADDR'
      family: 'AF_INET6'
      ifindex: number
      local: Ipv6Address
      address?: Ipv6Address
      prefix?: number
    }

export interface NextHop6 {
  ifindex: number
  gateway?: Ipv6Address
  weight: number
  /** RTNH_F_*. */
  flags: number
}

export interface Route6Message {
  type: 'RTM_NEWROUTE'
  family: 'AF_INET6'
  dst: Ipv6Address
  prefix: number
  /** A route for packets from there alone. */
  src?: Ipv6Address
  srcPrefix?: number
  table: number
  protocol: number
  scope: number
  /** 'anycast' too. */
  routeType: RouteType | 'anycast'
  metric: number
  prefSrc?: Ipv6Address
  nextHops: NextHop6[]
  metrics?: Record<string, number>
  lockedMetrics?: string[]
  /** ICMPV6_ROUTER_PREF: 0 medium, 1 high, 3 low. */
  preference: number
  /** RTA_CACHEINFO: what is left of it, in seconds; 0 never ends. */
  expiresS?: number
  /** rta_error: what who asks gets told. */
  error?: number
  /** RTM_F_CLONED: an answer to `ip route get`, or a learned exception. */
  cached?: boolean
  iif?: number
  mark?: number
  uid?: number
}

export interface Route6Fields {
  family: 'AF_INET6'
  dst: Ipv6Address
  prefix: number
  src?: Ipv6Address
  srcPrefix?: number
  table?: number
  protocol?: number
  scope?: number
  routeType?: RouteType | 'anycast'
  metric?: number
  prefSrc?: Ipv6Address
  nextHops?: { ifindex?: number; gateway?: Ipv6Address; weight?: number; flags?: number }[]
  metrics?: Record<string, number>
  lockedMetrics?: string[]
  preference?: number
  expiresS?: number
}

export type Route6Request =
  | { type: 'RTM_GETROUTE'; family: 'AF_INET6'; table?: number; cached?: boolean }
  | {
      type: 'RTM_GETROUTE'
      family: 'AF_INET6'
      get: true
      dst: Ipv6Address
      src?: Ipv6Address
      iif?: number
      oif?: number
      mark?: number
      fibMatch?: boolean
      uid?: number
    }
  | ({ type: 'RTM_NEWROUTE' } & Route6Fields & NewFlags)
  | ({ type: 'RTM_DELROUTE' } & Route6Fields)

export type Neighbour6Message = Six<NeighbourMessage, 'dst'> & { dst: Ipv6Address }

export type Neighbour6Request =
  | { type: 'RTM_GETNEIGH'; family: 'AF_INET6'; ifindex?: number; proxy?: boolean; dst?: Ipv6Address; get?: boolean }
  | ({
      type: 'RTM_NEWNEIGH'
      family: 'AF_INET6'
      ifindex: number
      dst: Ipv6Address
      lladdr?: number
      lladdrBytes?: number[]
      state: NeighbourMessage['state']
      flags?: number
      protocol?: number
    } & NewFlags)
  | { type: 'RTM_DELNEIGH'; family: 'AF_INET6'; ifindex: number; dst: Ipv6Address; flags?: number }

export type Rule6Fields = Six<RuleFields, 'src' | 'dst'> & { src?: Ipv6Address; dst?: Ipv6Address }

export type Rule6Request =
  | { type: 'RTM_GETRULE'; family: 'AF_INET6' }
  | ({ type: 'RTM_NEWRULE' } & Rule6Fields & NewFlags)
  | ({ type: 'RTM_DELRULE' } & Rule6Fields)

/** A multicast group that a device listens to. RTM_GETMULTICAST; /proc/net/igmp6. */
export interface Multicast6Message {
  type: 'RTM_GETMULTICAST'
  family: 'AF_INET6'
  ifindex: number
  group: Ipv6Address
  users: number
}

export type Net6Request = Address6Request | Route6Request | Neighbour6Request | Rule6Request

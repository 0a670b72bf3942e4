/**
 * Making a route's FibInfo: what the kernel checks about next hops, in its order and with its words, and the sharing of
 * equal ones. Linux 6.1 net/ipv4/fib_semantics.c: fib_create_info(), fib_check_nh(), fib_find_info(), fib_rebalance().
 */
import type { Errno, Host } from '#kernel/core'
import { selectAddress } from './addresses.ts'
import { deviceByIndex } from './devices.ts'
import {
  FibInfo,
  FibNextHop,
  flowOf,
  ROUTE_TYPES,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNH_COMPARE_MASK,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
  RTNH_F_PERVASIVE,
} from './fib.ts'
import { addressType, emptyResult, fibLookup, tableLookup, tableOf } from './fib-lookup.ts'
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE } from './inetdev.ts'
import { type InetState, inetState } from './ip-state.ts'
import type { RouteType } from './netlink.ts'

/** A route as it is asked for, complete. struct fib_config. */
export interface FibConfig {
  dst: number
  prefix: number
  table: number
  protocol: number
  scope: number
  type: RouteType
  tos: number
  metric: number
  prefSrc: number
  /** The first next hop's; 0: none. */
  oif: number
  gateway: number
  flags: number
  /** More than one way. */
  multipath?: { ifindex?: number; gateway?: number; weight?: number; flags?: number }[]
  metrics?: Record<string, number>
}

export interface FibFailure {
  ok: false
  errno: Errno
  extack?: string
}

function failure(errno: Errno, extack?: string): FibFailure {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

const IFF_UP = 1

/** A gateway has to be reached through something of narrower scope. fib_check_nh_v4_gw(). */
function checkGateway(host: Host, nextHop: FibNextHop, table: number, scope: number): FibFailure | undefined {
  if (nextHop.flags & RTNH_F_ONLINK) {
    if (scope >= RT_SCOPE_LINK) return failure('EINVAL', 'Nexthop has invalid scope')
    const device = deviceByIndex(host, nextHop.oif)
    if (!device) return failure('ENODEV', 'Nexthop device required for onlink')
    if (!(device.flags & IFF_UP)) return failure('ENETDOWN', 'Nexthop device is not up')
    if (addressType(host, nextHop.gateway) !== 'unicast') return failure('EINVAL', 'Nexthop has invalid gateway')
    if (!device.carrier) nextHop.flags |= RTNH_F_LINKDOWN
    nextHop.device = device
    nextHop.scope = RT_SCOPE_LINK
    return undefined
  }
  const state = inetState.of(host)
  const flow = flowOf({ dst: nextHop.gateway, scope: Math.max(scope + 1, RT_SCOPE_LINK), oif: nextHop.oif, iif: 1 })
  const result = emptyResult()
  let error: Errno | undefined = 'EAGAIN'
  const own = table !== 0 && table !== RT_TABLE_MAIN ? tableOf(state, table) : undefined
  if (own) error = tableLookup(own, flow, result, true)
  if (error !== undefined) error = fibLookup(host, flow, result, true)
  if (error !== undefined) return failure(error, 'Nexthop has invalid gateway')
  if (result.type !== 'unicast' && result.type !== 'local') return failure('EINVAL', 'Nexthop has invalid gateway')
  const found = result.nextHop!
  nextHop.scope = result.scope
  nextHop.oif = found.oif
  nextHop.device = found.device
  if (!found.device) return failure('EINVAL', 'No egress device for nexthop gateway')
  if (!found.device.carrier) nextHop.flags |= RTNH_F_LINKDOWN
  return found.device.flags & IFF_UP ? undefined : failure('ENETDOWN')
}

/** fib_check_nh_nongw(). */
function checkOnLink(host: Host, nextHop: FibNextHop): FibFailure | undefined {
  if (nextHop.flags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK)) {
    return failure('EINVAL', 'Invalid flags for nexthop - PERVASIVE and ONLINK can not be set')
  }
  const device = deviceByIndex(host, nextHop.oif)
  if (!device) return failure('ENODEV')
  if (!(device.flags & IFF_UP)) return failure('ENETDOWN', 'Device for nexthop is not up')
  nextHop.device = device
  nextHop.scope = RT_SCOPE_HOST
  if (!device.carrier) nextHop.flags |= RTNH_F_LINKDOWN
  return undefined
}

function nextHopsOf(config: FibConfig): FibNextHop[] | FibFailure {
  if (!config.multipath) return [new FibNextHop(config.oif, config.gateway, config.flags, 1)]
  const nextHops: FibNextHop[] = []
  for (const way of config.multipath) {
    const flags = way.flags ?? 0
    if (flags & RTNH_COMPARE_MASK) {
      return failure('EINVAL', 'Invalid flags for nexthop - can not contain DEAD or LINKDOWN')
    }
    nextHops.push(
      new FibNextHop(way.ifindex ?? 0, way.gateway ?? 0, (config.flags & ~0xff) | (flags & 0xff), way.weight ?? 1),
    )
  }
  if (config.oif && nextHops[0]!.oif !== config.oif) {
    return failure('EINVAL', 'Nexthop device index does not match RTA_OIF')
  }
  if (config.gateway && nextHops[0]!.gateway !== config.gateway) {
    return failure('EINVAL', 'Nexthop gateway does not match RTA_GATEWAY or RTA_VIA')
  }
  return nextHops
}

function validPrefSrc(host: Host, config: FibConfig): boolean {
  if (config.type === 'local' && config.dst && config.prefSrc === config.dst) return true
  const table = config.table === RT_TABLE_MAIN ? RT_TABLE_LOCAL : config.table
  if (addressType(host, config.prefSrc, undefined, table) === 'local') return true
  return table !== RT_TABLE_LOCAL && addressType(host, config.prefSrc) === 'local'
}

function sameMetrics(a: Record<string, number> | undefined, b: Record<string, number> | undefined): boolean {
  if (a === b) return true
  for (const name in a) if (a[name] && b?.[name] !== a[name]) return false
  for (const name in b) if (b[name] && a?.[name] !== b[name]) return false
  return true
}

function sameNextHops(a: FibNextHop[], b: FibNextHop[]): boolean {
  return a.every((one, i) => {
    const other = b[i]!
    return (
      one.oif === other.oif &&
      one.gateway === other.gateway &&
      one.scope === other.scope &&
      one.weight === other.weight &&
      ((one.flags ^ other.flags) & ~RTNH_COMPARE_MASK) === 0
    )
  })
}

/** The one in use that is equal, if there is one. fib_find_info(). */
function findInfo(state: InetState, info: FibInfo): FibInfo | undefined {
  for (const other of state.infos) {
    if (
      other.metric === info.metric &&
      other.prefSrc === info.prefSrc &&
      other.protocol === info.protocol &&
      other.scope === info.scope &&
      other.type === info.type &&
      other.table === info.table &&
      other.nextHops.length === info.nextHops.length &&
      ((other.flags ^ info.flags) & ~RTNH_COMPARE_MASK) === 0 &&
      sameMetrics(other.metrics, info.metrics) &&
      sameNextHops(other.nextHops, info.nextHops)
    ) {
      return other
    }
  }
  return undefined
}

/** Shares the hash space out among the ways that are alive, by weight. fib_rebalance(). */
export function rebalance(info: FibInfo): void {
  if (info.nextHops.length < 2) return
  const alive = (nextHop: FibNextHop) =>
    !(nextHop.flags & RTNH_F_DEAD) &&
    !(nextHop.flags & RTNH_F_LINKDOWN && nextHop.device?.inet.ignoreRoutesWithLinkdown)
  let total = 0
  for (const nextHop of info.nextHops) if (alive(nextHop)) total += nextHop.weight
  let weight = 0
  for (const nextHop of info.nextHops) {
    if (total === 0 || !alive(nextHop)) nextHop.upperBound = -1
    else {
      weight += nextHop.weight
      nextHop.upperBound = Math.floor((weight * 2 ** 31 + Math.floor(total / 2)) / total) - 1
    }
  }
}

/** The address that a packet by this way has as its source. fib_info_update_nhc_saddr(), fib_result_prefsrc(). */
export function sourceOf(host: Host, info: FibInfo, nextHop: FibNextHop): number {
  if (info.prefSrc) return info.prefSrc
  const generation = inetState.of(host).addressGeneration
  if (nextHop.sourceGeneration !== generation) {
    nextHop.source = selectAddress(nextHop.device!, nextHop.gateway, info.scope)
    nextHop.sourceGeneration = generation
  }
  return nextHop.source
}

/** A FibInfo for a route, or why there can't be one. It is counted as used once. */
export function createInfo(host: Host, config: FibConfig): FibInfo | FibFailure {
  const type = ROUTE_TYPES[config.type]
  if (type.scope > config.scope) return failure('EINVAL', 'Invalid scope')
  if (config.flags & RTNH_COMPARE_MASK) {
    return failure('EINVAL', 'Invalid rtm_flags - can not contain DEAD or LINKDOWN')
  }
  const nextHops = nextHopsOf(config)
  if ('ok' in nextHops) return nextHops
  let flags = config.flags
  if (type.error !== undefined) {
    if (config.gateway || config.oif || config.multipath) {
      return failure('EINVAL', 'Gateway, device and multipath can not be specified for this route type')
    }
  } else {
    if (config.scope > RT_SCOPE_HOST) return failure('EINVAL', 'Invalid scope')
    if (config.scope === RT_SCOPE_HOST) {
      const nextHop = nextHops[0]!
      if (nextHops.length !== 1) return failure('EINVAL', 'Route with host scope can not have multiple nexthops')
      if (nextHop.gateway) return failure('EINVAL', 'Route with host scope can not have a gateway')
      nextHop.scope = RT_SCOPE_NOWHERE
      nextHop.device = deviceByIndex(host, nextHop.oif)
      if (!nextHop.device) return failure('ENODEV')
    } else {
      let down = 0
      for (const nextHop of nextHops) {
        const wrong = nextHop.gateway
          ? checkGateway(host, nextHop, config.table, config.scope)
          : checkOnLink(host, nextHop)
        if (wrong) return wrong
        if (nextHop.flags & RTNH_F_LINKDOWN) down++
      }
      if (down === nextHops.length) flags |= RTNH_F_LINKDOWN
    }
    if (config.prefSrc && !validPrefSrc(host, config)) return failure('EINVAL', 'Invalid prefsrc address')
  }
  const info = new FibInfo(
    config.type,
    config.table,
    config.protocol,
    config.scope,
    flags,
    config.metric,
    config.prefSrc,
    config.metrics,
    nextHops,
  )
  rebalance(info)
  const state = inetState.of(host)
  const shared = findInfo(state, info) ?? info
  if (shared === info) state.infos.push(info)
  shared.references++
  return shared
}

/** Gives a FibInfo back. */
export function releaseInfo(state: InetState, info: FibInfo): void {
  if (--info.references > 0) return
  const at = state.infos.indexOf(info)
  if (at >= 0) state.infos.splice(at, 1)
}

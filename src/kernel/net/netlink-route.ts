/**
 * RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE: `ip route`. Linux 6.1 net/ipv4/fib_frontend.c: rtm_to_fib_config(),
 * inet_dump_fib(); net/ipv4/route.c: inet_rtm_getroute(), rt_fill_info().
 */
import type { Errno, Host, KernelImage, NetlinkAnswer, NetlinkHandler } from '#kernel/core'
import { IPPROTO_UDP, Packet } from '#wire/inet'
import { deviceByIndex, devices } from './devices.ts'
import { byFamily } from './families.ts'
import {
  type FibInfo,
  type FibNextHop,
  type FibTable,
  flowOf,
  ROUTE_TYPES,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
  signedMask,
} from './fib.ts'
import type { FibConfig, FibFailure } from './fib-info.ts'
import { emptyResult, tableOf } from './fib-lookup.ts'
import { allTables, deleteRoute, insertRoute, newTable } from './fib-table.ts'
import { inetState } from './ip-state.ts'
import type { RouteFields, RouteMessage, RouteRequest } from './netlink.ts'
import {
  type Route,
  RTCF_BROADCAST,
  RTCF_LOCAL,
  RTCF_MULTICAST,
  RTCF_REDIRECTED,
  routeFlow,
  routeInput,
  TOS_MASK,
} from './route.ts'

const SECOND = 1_000_000_000

function failure(errno: Errno, extack?: string): FibFailure {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

/** RTAX_* in order of number, from 1. Linux 6.1 include/uapi/linux/rtnetlink.h. */
const METRICS =
  'lock mtu window rtt rttvar ssthresh cwnd advmss reordering hoplimit initcwnd features rto_min initrwnd quickack'.split(
    ' ',
  )

/** Metrics with those that path MTU discovery and the like must not change, as a bit each in `lock`. RTAX_LOCK. */
function withLocks(metrics: Record<string, number> | undefined, locked: string[] | undefined) {
  if (!locked || locked.length === 0) return metrics
  const lock = locked.reduce((bits, name) => bits | (1 << (METRICS.indexOf(name) + 1)), 0)
  return { ...metrics, lock }
}

/** The other way round, into a message. */
function putMetrics(message: RouteMessage, metrics: Record<string, number>): void {
  const { lock = 0, ...others } = metrics
  if (Object.keys(others).length > 0) message.metrics = others
  const locked = METRICS.filter((_, i) => lock & (1 << (i + 1)))
  if (locked.length > 0) message.lockedMetrics = locked
}

/** rtm_to_fib_config(). */
function configOf(fields: RouteFields): FibConfig | FibFailure {
  const tos = fields.tos ?? 0
  if (tos & 3) return failure('EINVAL', 'Invalid dsfield (tos): ECN bits must be 0')
  const { prefix, dst } = fields
  if (prefix > 32) return failure('EINVAL', 'Invalid prefix length')
  if ((dst & ~signedMask(prefix)) !== 0) return failure('EINVAL', 'Invalid prefix for given prefix length')
  const ways = fields.nextHops ?? []
  const only = ways.length === 1 ? ways[0] : undefined
  const config: FibConfig = {
    dst,
    prefix,
    table: fields.table || RT_TABLE_MAIN,
    protocol: fields.protocol ?? 0,
    scope: fields.scope ?? 0,
    type: fields.routeType ?? 'unicast',
    tos,
    metric: fields.metric ?? 0,
    prefSrc: fields.prefSrc ?? 0,
    oif: only?.ifindex ?? 0,
    gateway: only?.gateway ?? 0,
    flags: only?.flags ?? 0,
  }
  if (ways.length > 1) config.multipath = ways
  const metrics = withLocks(fields.metrics, fields.lockedMetrics)
  if (metrics) config.metrics = metrics
  return config
}

function addRoute(host: Host, request: RouteRequest & { type: 'RTM_NEWROUTE' }): NetlinkAnswer {
  const config = configOf(request)
  if ('ok' in config) return config
  const state = inetState.of(host)
  const failed = insertRoute(host, newTable(state, config.table), config, request)
  if (failed) return failed
  // inet_rtm_newroute(): local routes of one's own make the quick check of sources too optimistic.
  if (config.type === 'local') state.customLocalRoutes = true
  return { ok: true, messages: [] }
}

function removeRoute(host: Host, request: RouteRequest & { type: 'RTM_DELROUTE' }): NetlinkAnswer {
  const config = configOf(request)
  if ('ok' in config) return config
  const table = tableOf(inetState.of(host), config.table)
  if (!table) return failure('ESRCH', 'FIB table does not exist')
  const failed = deleteRoute(host, table, { ...config, type: request.routeType })
  return failed ?? { ok: true, messages: [] }
}

/** RTNH_F_* of a next hop, as user space sees them. fib_nexthop_info(). */
function shownFlags(nextHop: FibNextHop): number {
  let flags = nextHop.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_ONLINK)
  if (flags & RTNH_F_LINKDOWN && nextHop.device?.inet.ignoreRoutesWithLinkdown) flags |= RTNH_F_DEAD
  return flags
}

/** A route of a table, as a message. fib_dump_info(). */
function routeMessage(
  dst: number,
  prefix: number,
  table: number,
  tos: number,
  type: RouteMessage['routeType'],
  info: FibInfo,
): RouteMessage {
  const message: RouteMessage = {
    type: 'RTM_NEWROUTE',
    family: 'AF_INET',
    dst,
    prefix,
    table,
    protocol: info.protocol,
    scope: info.scope,
    routeType: type,
    tos,
    metric: info.metric,
    nextHops: [],
  }
  for (const nextHop of info.nextHops) {
    if (info.nextHops.length === 1 && !nextHop.device && nextHop.gateway === 0) continue
    const way: RouteMessage['nextHops'][number] = {
      ifindex: nextHop.device?.ifindex ?? 0,
      weight: nextHop.weight,
      flags: shownFlags(nextHop),
    }
    if (nextHop.gateway) way.gateway = nextHop.gateway
    message.nextHops.push(way)
  }
  if (info.prefSrc) message.prefSrc = info.prefSrc
  if (info.metrics) putMetrics(message, info.metrics)
  return message
}

/**
 * The table that a lookup names: until a host has had a rule of its own, the local table lives in the main one.
 * Linux 6.1 net/ipv4/fib_trie.c: fib_trie_unmerge(); fib_rules.c: net->ipv4.fib_has_custom_rules.
 */
function foundIn(host: Host, result: { table?: { id: number } | undefined }): number | undefined {
  const merged = result.table?.id === RT_TABLE_LOCAL && !inetState.of(host).customRules
  return merged ? RT_TABLE_MAIN : result.table?.id
}

/** All routes, table after table in the order of the kernel's hash. inet_dump_fib(). */
/** A table's routes, or those of all tables. */
export function dumpRoutes(host: Host, tableId: number | undefined): NetlinkAnswer {
  const state = inetState.of(host)
  if (tableId) {
    const table = tableOf(state, tableId)
    // Local and main exist from boot on.
    const builtIn = tableId === RT_TABLE_MAIN || tableId === RT_TABLE_LOCAL
    if (!table && !builtIn) return failure('ENOENT', 'ipv4: FIB table does not exist')
    return { ok: true, messages: table ? messagesOf(table) : [] }
  }
  return { ok: true, messages: allTables(state).flatMap(messagesOf) }
}

function messagesOf(table: FibTable): RouteMessage[] {
  return table.aliases.map((alias) =>
    routeMessage(alias.key, alias.prefix, table.id, alias.tos, alias.type, alias.info),
  )
}

/** What a route learned, and what kind it is, as `ip route get` prints it behind "cache". */
function cacheOf(host: Host, route: Route): NonNullable<RouteMessage['cache']> {
  const flags: string[] = []
  if (route.flags & RTCF_LOCAL) flags.push('local')
  if (route.flags & RTCF_MULTICAST) flags.push('mc')
  if (route.flags & RTCF_BROADCAST) flags.push('brd')
  if (route.flags & RTCF_REDIRECTED) flags.push('redirected')
  if (route.doRedirect) flags.push('redirect')
  const cache: NonNullable<RouteMessage['cache']> = { flags }
  if (route.expiresNs > host.sim.nowNs) cache.expiresS = Math.floor((route.expiresNs - host.sim.nowNs) / SECOND)
  return cache
}

/** What was learned about single destinations: `ip route show cache`. */
function dumpExceptions(host: Host): NetlinkAnswer {
  const state = inetState.of(host)
  const messages: RouteMessage[] = []
  for (const table of allTables(state)) {
    for (const { info } of table.aliases) {
      for (const nextHop of info.nextHops) {
        for (const [dst, exception] of nextHop.exceptions ?? []) {
          if (exception.generation !== state.exceptionGeneration || exception.expiresNs < host.sim.nowNs) continue
          if (!nextHop.device || nextHop.flags & RTNH_F_DEAD) continue
          const way: RouteMessage['nextHops'][number] = { ifindex: nextHop.device.ifindex, weight: 1, flags: 0 }
          const gateway = exception.gateway || nextHop.gateway
          if (gateway) way.gateway = gateway
          const message: RouteMessage = {
            type: 'RTM_NEWROUTE',
            family: 'AF_INET',
            dst,
            prefix: 32,
            table: table.id,
            protocol: 0,
            scope: 0,
            routeType: 'unicast',
            tos: 0,
            metric: 0,
            nextHops: [way],
            cache: {
              flags: exception.gateway ? ['redirected'] : [],
              expiresS: Math.floor((exception.expiresNs - host.sim.nowNs) / SECOND),
            },
          }
          if (exception.pmtu) message.metrics = { mtu: exception.pmtu }
          messages.push(message)
        }
      }
    }
  }
  return { ok: true, messages }
}

/** inet_rtm_getroute(). */
function getRoute(host: Host, request: Extract<RouteRequest, { get: true }>): NetlinkAnswer {
  const result = emptyResult()
  const tos = (request.tos ?? 0) & TOS_MASK
  const flow = flowOf({
    dst: request.dst,
    src: request.src ?? 0,
    oif: request.oif ?? 0,
    mark: request.mark ?? 0,
    tos,
    protocol: IPPROTO_UDP,
  })
  let route: Route | Errno
  if (request.iif) {
    const device = deviceByIndex(host, request.iif)
    if (!device) return failure('ENODEV')
    const packet = new Packet()
    packet.src = flow.src
    packet.dst = flow.dst
    packet.protocol = IPPROTO_UDP
    route = routeInput(device, flow.dst, flow.src, tos, flow.mark, packet, false, result)
    if (typeof route !== 'string' && route.error !== undefined) route = route.error
  } else route = routeFlow(host, flow, result)
  if (typeof route === 'string') return failure(route)
  if (request.fibMatch) {
    if (!result.info) return failure(ROUTE_TYPES[result.type].error ?? 'EHOSTUNREACH')
    const table = foundIn(host, result) ?? RT_TABLE_MAIN
    return {
      ok: true,
      messages: [routeMessage(result.key, result.prefix, table, result.tos, result.type, result.info)],
    }
  }
  const way: RouteMessage['nextHops'][number] = { ifindex: route.device.ifindex, weight: 1, flags: 0 }
  if (route.gateway) way.gateway = route.gateway
  const message: RouteMessage = {
    type: 'RTM_NEWROUTE',
    family: 'AF_INET',
    dst: request.dst,
    prefix: 32,
    table: foundIn(host, result) ?? (result.info ? RT_TABLE_MAIN : 0),
    protocol: 0,
    scope: 0,
    routeType: route.type,
    tos: result.tos,
    metric: 0,
    nextHops: [way],
    cache: cacheOf(host, route),
  }
  if (request.src) message.src = request.src
  if (!route.input && flow.src !== (request.src ?? 0)) message.prefSrc = flow.src
  if (request.iif) message.iif = request.iif
  if (flow.mark) message.mark = flow.mark
  if (!request.iif) message.uid = 0
  const metrics: Record<string, number> = { ...route.info?.metrics }
  if (route.pmtu && route.expiresNs > host.sim.nowNs) metrics['mtu'] = route.pmtu
  if (route.mtuLocked && route.expiresNs > host.sim.nowNs) metrics['lock'] = (metrics['lock'] ?? 0) | 4
  putMetrics(message, metrics)
  return { ok: true, messages: [message] }
}

/** Installs the answers to `ip route`. */
export function installRoutes(image: KernelImage): void {
  const route = (type: string, handler: NetlinkHandler) => image.netlink(type, byFamily(image, type, handler))
  route('RTM_NEWROUTE', (host, message) => addRoute(host, message as RouteRequest & { type: 'RTM_NEWROUTE' }))
  route('RTM_DELROUTE', (host, message) => removeRoute(host, message as RouteRequest & { type: 'RTM_DELROUTE' }))
  route('RTM_GETROUTE', (host, message) => {
    devices(host) // lo, and with it what it needs, exists from boot on.
    const request = message as RouteRequest & { type: 'RTM_GETROUTE' }
    if ('get' in request) return getRoute(host, request)
    return request.cached ? dumpExceptions(host) : dumpRoutes(host, request.table)
  })
}

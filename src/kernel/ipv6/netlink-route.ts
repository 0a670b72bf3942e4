/** RTM_*ROUTE and RTM_*RULE of AF_INET6. Linux 6.1 net/ipv6/route.c: rt6_fill_node(), inet6_rtm_getroute(). */
import type { Host, NetlinkAnswer } from '#kernel/core'
import {
  deviceByIndex,
  type NextHop6,
  type Route6Message,
  type Route6Request,
  type Rule6Request,
  refuse,
} from '#kernel/net'
import { IN6_ANY } from '#wire/inet'
import { type Fib6Route, RT6_TABLE_MAIN, RTNH_F_DEAD, RTNH_F_LINKDOWN } from './fib.ts'
import { link6 } from './inet6dev.ts'
import { flow6, type Route6, routeInput6, routeOutput6, sourceFor } from './route.ts'
import { addRoute6, deleteRoute6 } from './routes.ts'
import { defaultRules, type Rule6, rulesOf } from './rules.ts'
import { type State6, state6 } from './state.ts'

const SECOND_NS = 1_000_000_000
const DONE: NetlinkAnswer = { ok: true, messages: [] }
const METRICS =
  'lock mtu window rtt rttvar ssthresh cwnd advmss reordering hoplimit initcwnd features rto_min initrwnd quickack'.split(
    ' ',
  )

function putMetrics(message: Route6Message, metrics: Record<string, number> | undefined): void {
  if (metrics === undefined) return
  const { lock = 0, ...others } = metrics
  if (Object.keys(others).length > 0) message.metrics = others
  const locked = METRICS.filter((_, i) => lock & (1 << (i + 1)))
  if (locked.length > 0) message.lockedMetrics = locked
}

function hopsOf(state: State6, route: Fib6Route): NextHop6[] {
  return route.nextHops.map((hop) => {
    let { flags } = hop
    const ignores = state.confAll.ignoreRoutesWithLinkdown || link6(hop.device)?.conf.ignoreRoutesWithLinkdown
    if (flags & RTNH_F_LINKDOWN && ignores) flags |= RTNH_F_DEAD
    const shown: NextHop6 = { ifindex: hop.device.ifindex, weight: hop.weight, flags }
    if (hop.gateway !== undefined) shown.gateway = hop.gateway
    return shown
  })
}

/** A route of a table, as a message. */
function messageOf(state: State6, route: Fib6Route): Route6Message {
  const message: Route6Message = {
    type: 'RTM_NEWROUTE',
    family: 'AF_INET6',
    dst: route.dst,
    prefix: route.prefix,
    table: route.table,
    protocol: route.protocol,
    scope: 0,
    routeType: route.type,
    metric: route.metric,
    nextHops: hopsOf(state, route),
    preference: route.preference,
  }
  if (route.src !== undefined && route.srcPrefix > 0) {
    message.src = route.src
    message.srcPrefix = route.srcPrefix
  }
  if (route.prefSrc !== undefined) message.prefSrc = route.prefSrc
  putMetrics(message, route.metrics)
  if (route.expiresNs !== Number.POSITIVE_INFINITY) {
    message.expiresS = Math.trunc((route.expiresNs - state.host.sim.nowNs) / SECOND_NS)
  }
  return message
}

function exceptionMessages(state: State6, route: Fib6Route): Route6Message[] {
  const messages: Route6Message[] = []
  for (const exception of route.exceptions?.values() ?? []) {
    const { dst } = exception
    if (exception.expiresNs <= state.host.sim.nowNs) continue
    const hop = hopsOf(state, route)[0]!
    const gateway = exception.gateway ?? hop.gateway
    const way: NextHop6 = { ifindex: hop.ifindex, weight: 1, flags: 0 }
    if (gateway !== undefined && gateway !== dst) way.gateway = gateway
    const message: Route6Message = {
      ...messageOf(state, route),
      dst,
      prefix: 128,
      nextHops: [way],
      cached: true,
      protocol: exception.gateway === undefined ? route.protocol : 1,
    }
    if (exception.mtu) message.metrics = { ...message.metrics, mtu: exception.mtu }
    if (exception.expiresNs !== Number.POSITIVE_INFINITY) {
      message.expiresS = Math.floor((exception.expiresNs - state.host.sim.nowNs) / SECOND_NS)
    }
    messages.push(message)
  }
  return messages
}

/** inet6_dump_fib(). */
function dump(host: Host, table: number | undefined, cached: boolean): NetlinkAnswer {
  const state = state6.peek(host)
  if (state === undefined) return DONE
  if (table) {
    const found = state.table(table)
    if (!found) return refuse('ENOENT', 'FIB table does not exist')
  }
  const tables = table ? [state.table(table)!] : state.allTables()
  const messages = tables.flatMap((each) =>
    each.routes.flatMap((route) => (cached ? exceptionMessages(state, route) : [messageOf(state, route)])),
  )
  return { ok: true, messages }
}

type GetRoute = Extract<Route6Request, { get: true }>

/** inet6_rtm_getroute(). */
function get(host: Host, request: GetRoute): NetlinkAnswer {
  const state = state6.of(host)
  const flow = flow6({ dst: request.dst, src: request.src, oif: request.oif ?? 0, mark: request.mark ?? 0 })
  let route: Route6 | string
  if (request.iif) {
    const device = deviceByIndex(host, request.iif)
    if (!device) return refuse('ENODEV')
    flow.iif = request.iif
    route = routeInput6(state, device, flow)
  } else route = routeOutput6(state, flow)
  if (typeof route === 'string') return refuse(route as 'ENETUNREACH')
  if (route.error !== undefined) return refuse(route.error)
  if (request.fibMatch && route.fib) return { ok: true, messages: [messageOf(state, route.fib)] }
  const { fib } = route
  const way: NextHop6 = {
    ifindex: route.device.ifindex,
    weight: 1,
    flags: 0,
  }
  if (route.gateway !== undefined) way.gateway = route.gateway
  const message: Route6Message = {
    type: 'RTM_NEWROUTE',
    family: 'AF_INET6',
    dst: request.dst,
    prefix: 128,
    table: fib?.table ?? RT6_TABLE_MAIN,
    protocol: fib?.protocol ?? 2,
    scope: 0,
    routeType: route.type === 'none' ? 'unicast' : route.type,
    metric: fib?.metric ?? 0,
    nextHops: [way],
    preference: fib?.preference ?? 0,
    cached: true,
  }
  if (request.src !== undefined || !request.iif) message.src = request.src ?? IN6_ANY
  const source = request.iif ? undefined : sourceFor(state, route, request.dst)
  if (source !== undefined && source !== IN6_ANY) message.prefSrc = source
  putMetrics(message, fib?.metrics)
  if (route.exception?.mtu) message.metrics = { ...message.metrics, mtu: route.exception.mtu }
  const until = route.exception?.expiresNs ?? fib?.expiresNs ?? Number.POSITIVE_INFINITY
  if (until !== Number.POSITIVE_INFINITY) message.expiresS = Math.floor((until - host.sim.nowNs) / SECOND_NS)
  if (request.iif) message.iif = request.iif
  if (request.mark) message.mark = request.mark
  return { ok: true, messages: [message] }
}

export function getRoutes6(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Route6Request & { type: 'RTM_GETROUTE' }
  return 'get' in request ? get(host, request) : dump(host, request.table, request.cached ?? false)
}

export function newRoute6(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Route6Request & { type: 'RTM_NEWROUTE' }
  return addRoute6(state6.of(host), request) ?? DONE
}

export function removeRoute6(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Route6Request & { type: 'RTM_DELROUTE' }
  return deleteRoute6(state6.of(host), request) ?? DONE
}

// Rules.

export function getRules6(host: Host): NetlinkAnswer {
  const state = state6.peek(host)
  const rules = state === undefined ? defaultRules() : rulesOf(state)
  return { ok: true, messages: rules.map((rule) => ({ type: 'RTM_NEWRULE', action: 'table', ...rule })) }
}

const COMPARED = [
  'src',
  'srcPrefix',
  'dst',
  'dstPrefix',
  'tos',
  'iif',
  'oif',
  'fwmark',
  'fwmask',
  'table',
  'action',
  'goto',
  'suppressPrefixLength',
  'ipProtocol',
] as const

export function newRule6(host: Host, message: unknown): NetlinkAnswer {
  const {
    type: _type,
    create: _create,
    exclusive,
    replace: _replace,
    append: _append,
    ...fields
  } = message as Rule6Request & {
    type: 'RTM_NEWRULE'
  }
  const state = state6.of(host)
  const rules = rulesOf(state)
  const rule: Rule6 = { ...fields, priority: fields.priority ?? 0, protocol: fields.protocol ?? 0 }
  if (fields.priority === undefined) {
    // One less than the second rule's. fib_default_rule_pref().
    rule.priority = rules.length > 1 && rules[1]!.priority > 0 ? rules[1]!.priority - 1 : 0
  }
  if ((rule.action ?? 'table') === 'table' && !rule.table) rule.table = RT6_TABLE_MAIN
  const same = (other: Rule6) =>
    (fields.priority === undefined || other.priority === rule.priority) &&
    COMPARED.every((name) => (rule[name] ?? undefined) === (other[name] ?? undefined))
  if (exclusive && rules.some(same)) return refuse('EEXIST')
  let at = rules.length
  while (at > 0 && rules[at - 1]!.priority > rule.priority) at--
  state.rules = rules.toSpliced(at, 0, rule)
  if (rule.table) state.table(rule.table, true)
  state.routesChanged()
  return DONE
}

export function deleteRule6(host: Host, message: unknown): NetlinkAnswer {
  const { type: _type, ...fields } = message as Rule6Request & { type: 'RTM_DELRULE' }
  const state = state6.of(host)
  const rules = rulesOf(state)
  const found = rules.find(
    (rule) =>
      (fields.priority === undefined || rule.priority === fields.priority) &&
      COMPARED.every((name) => fields[name] === undefined || fields[name] === rule[name]),
  )
  if (!found) return refuse('ENOENT')
  state.rules = rules.filter((rule) => rule !== found)
  state.routesChanged()
  return DONE
}

/** `ip route show` and `flush`: which routes. iproute2 6.1 ip/iproute.c: iproute_list_flush_or_save() */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import { O_WRONLY } from '#kernel/core'
import type { Route6Request, RouteRequest, RouteType } from '#kernel/net'
import { IN6_ANY } from '#wire/inet'
import { routeHelp } from './help.ts'
import { covers, type IpAddress, type Prefix, prefix } from './prefix.ts'
import { type AnyRoute, showRoute } from './route-show.ts'
import type { Session } from './session.ts'
import { abbreviates, EXIT_USAGE, Refusal, unsigned, type Words, wrongArgument } from './words.ts'

const RT_TABLE_MAIN = 254

export const ROUTE_TYPES: RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
]

/** RTN_*, by name or number; 'anycast', 'nat' and 'xresolve' have no model. iproute2 6.1 ip/rtm_map.c */
export function parseRouteType(word: string): RouteType | undefined {
  if (ROUTE_TYPES.includes(word as RouteType)) return word as RouteType
  if (['brd', 'anycast', 'nat', 'xresolve', 'prohibit'].includes(word)) {
    if (word === 'brd') return 'broadcast'
    throw new NotModelled(`routes of type ${word}`)
  }
  return undefined
}

export interface RouteFilter {
  /** 0: all. */
  table: number
  cached: boolean
  tos?: number
  protocol?: number
  scope?: number
  routeType?: RouteType
  oif?: number
  iif?: number
  mark?: number
  metric?: number
  via?: Prefix
  prefSrc?: Prefix
  /** At least this long, and inside (root); at most this long, and around (match). */
  root?: Prefix
  match?: Prefix
  fromRoot?: Prefix
  fromMatch?: Prefix
}

/** A filter that says nothing, as `ip route get` prints. */
export const ANY_ROUTE: RouteFilter = { table: 0, cached: false }

function parseRouteFilter(session: Session, words: Words): RouteFilter {
  const { names, options } = session
  const filter: RouteFilter = { table: RT_TABLE_MAIN, cached: false }
  let iif: string | undefined
  let oif: string | undefined
  const range = (from: boolean) => {
    const which = abbreviates(words.current, 'root') ? 'root' : abbreviates(words.current, 'match') ? 'match' : 'exact'
    if (which !== 'exact' || abbreviates(words.current, 'exact')) words.value()
    const value = prefix(words.current, options.family)
    if (which !== 'match') filter[from ? 'fromRoot' : 'root'] = value
    if (which !== 'root') filter[from ? 'fromMatch' : 'match'] = value
  }
  for (; words.more; words.advance()) {
    const word = words.current
    if (abbreviates(word, 'table')) {
      const name = words.value()
      const table = names.parseTable(name)
      if (table !== undefined) filter.table = table
      else if (name === 'all') filter.table = 0
      else if (name === 'cache') filter.cached = true
      else if (name === 'help') throw new Refusal(routeHelp, EXIT_USAGE)
      else throw wrongArgument(name, 'table id value is invalid\n')
    } else if (abbreviates(word, 'vrf')) throw wrongArgument(words.value(), 'Invalid VRF\n')
    else if (abbreviates(word, 'cached') || abbreviates(word, 'cloned')) filter.cached = true
    else if (word === 'tos' || abbreviates(word, 'dsfield')) {
      filter.tos = names.parseDsfield(words.value())
      if (filter.tos === undefined) throw wrongArgument(words.current, 'TOS value is invalid\n')
    } else if (abbreviates(word, 'protocol')) {
      filter.protocol = names.parseProtocol(words.value())
      if (filter.protocol === undefined && words.current !== 'all')
        throw wrongArgument(words.current, 'invalid "protocol"\n')
    } else if (abbreviates(word, 'scope')) {
      filter.scope = names.parseScope(words.value())
      if (filter.scope === undefined && words.current !== 'all') throw wrongArgument(words.current, 'invalid "scope"\n')
    } else if (abbreviates(word, 'type')) {
      filter.routeType = parseRouteType(words.value())
      if (!filter.routeType) throw wrongArgument(words.current, 'node type value is invalid\n')
    } else if (word === 'dev' || word === 'oif') oif = words.value()
    else if (word === 'iif') iif = words.value()
    else if (word === 'mark') filter.mark = unsigned(words.value(), 'invalid mark value')
    else if (abbreviates(word, 'metric') || abbreviates(word, 'priority') || word === 'preference') {
      filter.metric = unsigned(words.value(), '"metric" value is invalid\n')
    } else if (word === 'via') {
      if (words.value() === 'inet') words.value()
      filter.via = prefix(words.current, options.family)
    } else if (word === 'src') filter.prefSrc = prefix(words.value(), options.family)
    else if (abbreviates(word, 'realms')) throw new NotModelled('realms')
    else if (abbreviates(word, 'from')) {
      words.value()
      range(true)
    } else {
      if (abbreviates(word, 'to')) words.value()
      range(false)
    }
  }
  if (iif !== undefined) filter.iif = session.device(iif)
  if (oif !== undefined) filter.oif = session.device(oif)
  return filter
}

/** Whether the first nothing else than `default` was said: a prefix without an address. */
function inside(address: IpAddress, length: number, root: Prefix | undefined): boolean {
  if (!root) return true
  if (!root.hasAddress && !root.lengthGiven) return true
  return length >= root.length && covers(root, address)
}

function around(address: IpAddress, length: number, match: Prefix | undefined): boolean {
  if (!match) return true
  if (!match.hasAddress && !match.lengthGiven) return true
  return length <= match.length && covers(match, address, length)
}

function routeMatches(filter: RouteFilter, route: AnyRoute): boolean {
  const inet6 = route.family === 'AF_INET6'
  const none: IpAddress = inet6 ? IN6_ANY : 0
  const single = route.nextHops.length === 1 ? route.nextHops[0] : undefined
  if (filter.table && filter.table !== route.table) return false
  if (filter.protocol !== undefined && filter.protocol !== route.protocol) return false
  if (filter.scope !== undefined && filter.scope !== route.scope) return false
  if (filter.routeType !== undefined && filter.routeType !== route.routeType) return false
  if (filter.tos !== undefined && filter.tos !== (inet6 ? 0 : route.tos)) return false
  if (!inside(route.dst, route.prefix, filter.root) || !around(route.dst, route.prefix, filter.match)) return false
  // IPv4 has no routes by source: their prefix is always 0/0.
  const from: IpAddress = inet6 ? (route.src ?? IN6_ANY) : 0
  const fromLength = inet6 ? (route.srcPrefix ?? 0) : 0
  if (!inside(from, fromLength, filter.fromRoot) || !around(from, fromLength, filter.fromMatch)) return false
  if (filter.via && !covers(filter.via, single?.gateway ?? none)) return false
  if (filter.prefSrc && !covers(filter.prefSrc, route.prefSrc ?? none)) return false
  if (filter.iif !== undefined && filter.iif !== (route.iif ?? 0)) return false
  if (filter.oif !== undefined && filter.oif !== (single?.ifindex ?? 0)) return false
  if (filter.mark !== undefined && filter.mark !== (route.mark ?? 0)) return false
  return filter.metric === undefined || filter.metric === route.metric
}

function dump(session: Session, filter: RouteFilter, what: 'Dump' | 'Flush'): AnyRoute[] {
  const given = [filter.root, filter.match, filter.via, filter.prefSrc].find((each) => each?.hasAddress)
  const family = given?.family ?? session.options.family
  // Linux has had no cache of IPv4 routes since 3.6: its dump is empty but for exceptions.
  if (filter.cached && family !== 'inet6') throw new NotModelled('the exceptions of routes (ip route show cache)')
  if (family === 'link' || family === 'mpls' || family === 'bridge') return []
  const request: (RouteRequest | Route6Request) & { table?: number } =
    family === 'inet6' ? { type: 'RTM_GETROUTE', family: 'AF_INET6', cached: filter.cached } : { type: 'RTM_GETROUTE' }
  if (filter.table) request.table = filter.table
  const answer = session.sys.netlink(request)
  // A table that doesn't exist is an error to a strict kernel, and to the tool too.
  if (!answer.ok) {
    const text = answer.extack ? `Error: ${answer.extack}${answer.extack.endsWith('.') ? '' : '.'}\n` : ''
    throw new Refusal(`${text}${what} terminated\n`, 2)
  }
  return (answer.messages as AnyRoute[]).filter((route) => routeMatches(filter, route))
}

/** `ip route show`. */
export function showRoutes(session: Session, words: Words): number {
  const filter = parseRouteFilter(session, words)
  const routes = dump(session, filter, 'Dump')
  session.out.begin(session.options.json)
  for (const route of routes) showRoute(session, route, filter)
  session.out.end()
  return 0
}

/** `ip route flush`. */
export function* flushRoutes(session: Session, sys: Sys, words: Words): Body<number> {
  const { options, out } = session
  if (!words.more) throw new Refusal('"ip route flush" requires arguments.\n', 1)
  const filter = parseRouteFilter(session, words)
  if (filter.cached) {
    if (options.family !== 'inet6') yield* flushCache(sys, out.error.bind(out))
    if (options.stats) out.raw('*** IPv4 routing cache is flushed.\n')
    return 0
  }
  for (let round = 0; ; ) {
    const routes = dump(session, filter, 'Flush')
    if (options.stats > 1) for (const route of routes) showRoute(session, route, filter)
    if (routes.length === 0) {
      if (options.stats) {
        out.raw(
          round === 0
            ? 'Nothing to flush.\n'
            : `*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`,
        )
      }
      return 0
    }
    round++
    for (const route of routes) session.ask(deletionOf(route))
    if (options.stats) out.raw(`\n*** Round ${round}, deleting ${routes.length} entries ***\n`)
  }
}

function deletionOf(route: AnyRoute): RouteRequest | Route6Request {
  if (route.family === 'AF_INET6') {
    const { family, dst, prefix: length, table, protocol, routeType, metric, nextHops } = route
    return { type: 'RTM_DELROUTE', family, dst, prefix: length, table, protocol, routeType, metric, nextHops }
  }
  const { dst, prefix: length, table, protocol, scope, routeType, tos, metric, prefSrc, nextHops, metrics } = route
  const request: RouteRequest = {
    type: 'RTM_DELROUTE',
    family: 'AF_INET',
    dst,
    prefix: length,
    table,
    protocol,
    scope,
    routeType,
    tos,
    nextHops,
  }
  if (metric) request.metric = metric
  if (prefSrc !== undefined) request.prefSrc = prefSrc
  if (metrics) request.metrics = metrics
  return request
}

function* flushCache(sys: Sys, error: (text: string) => void): Body<void> {
  const path = '/proc/sys/net/ipv4/route/flush'
  const opened = yield* sys.open(path, O_WRONLY)
  if (!opened.ok) {
    error(`Cannot open "${path}": No such file or directory\n`)
    return
  }
  yield* sys.write(opened.value, encodeUtf8('-1'))
  sys.close(opened.value)
}

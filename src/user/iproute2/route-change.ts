/** `ip route add`, `change`, `replace`, `append`, `del` and `get`. iproute2 6.1 ip/iproute.c: iproute_modify(), iproute_get() */
import { NotModelled } from '#base/check'
import type { NewFlags, Route6Fields, Route6Request, RouteFields, RouteRequest, RouteType } from '#kernel/net'
import { IN6_ANY } from '#wire/inet'
import { routeHelp } from './help.ts'
import { address, addressOf, type Family, type IpAddress, type Prefix, prefix } from './prefix.ts'
import { ANY_ROUTE, parseRouteType } from './route-filter.ts'
import { type AnyRoute, showRoute } from './route-show.ts'
import type { Session } from './session.ts'
import {
  abbreviates,
  duplicateOrGarbage,
  EXIT_USAGE,
  parseUnsigned,
  Refusal,
  unsigned,
  type Words,
  wrongArgument,
} from './words.ts'

const RT_TABLE_MAIN = 254
const RT_TABLE_LOCAL = 255
const RTPROT_BOOT = 3
const RT_SCOPE_UNIVERSE = 0
const RT_SCOPE_LINK = 253
const RT_SCOPE_HOST = 254
const RT_SCOPE_NOWHERE = 255
const RTNH_F_ONLINK = 4

/** Metrics that take a number, perhaps after `lock`; those that may be abbreviated, and what an error calls them. */
const METRICS: { name: string; exact: boolean; lockable: boolean; max?: number; called?: string }[] = [
  { name: 'mtu', exact: true, lockable: true },
  { name: 'hoplimit', exact: true, lockable: true, max: 255 },
  { name: 'advmss', exact: true, lockable: true, called: 'mss' },
  { name: 'reordering', exact: false, lockable: true },
  { name: 'rtt', exact: true, lockable: true },
  { name: 'rto_min', exact: true, lockable: false },
  { name: 'window', exact: false, lockable: true },
  { name: 'cwnd', exact: false, lockable: true },
  { name: 'initcwnd', exact: false, lockable: true },
  { name: 'initrwnd', exact: false, lockable: true },
  { name: 'features', exact: false, lockable: false },
  { name: 'quickack', exact: false, lockable: false, max: 1 },
  { name: 'rttvar', exact: false, lockable: true },
  { name: 'ssthresh', exact: false, lockable: true },
]

/** A route's fields, while the family isn't settled. */
type AnyFields = Omit<RouteFields, 'family' | 'dst' | 'prefSrc' | 'nextHops'> & {
  dst: IpAddress
  src?: IpAddress
  srcPrefix?: number
  prefSrc?: IpAddress
  nextHops?: { ifindex?: number; gateway?: IpAddress; weight?: number; flags?: number }[]
  expiresS?: number
  preference?: number
}

/** flags undefined: delete. */
export function changeRoute(session: Session, words: Words, flags: NewFlags | undefined): number {
  const { names } = session
  // The first address that is written settles the family for the others.
  let { family } = session.options
  const deleting = flags === undefined
  const fields: AnyFields = { dst: 0, prefix: 0 }
  const metrics: Record<string, number> = {}
  const locked: string[] = []
  let device: string | undefined
  let gateway: IpAddress | undefined
  let onlink = false
  let destination = false
  let hops: AnyFields['nextHops'] | undefined
  for (; words.more; words.advance()) {
    const word = words.current
    const metric = METRICS.find(({ name, exact }) => (exact ? word === name : abbreviates(word, name)))
    if (word === 'src') {
      const source = address(words.value(), family)
      fields.prefSrc = addressOf(source)
      family = source.family
    } else if (word === 'from') {
      const from: Prefix = prefix(words.value(), family === 'any' ? 'inet6' : family)
      fields.src = addressOf(from)
      fields.srcPrefix = from.length
    } else if (word === 'as') throw new NotModelled(`ip route: ${word}`)
    else if (word === 'via') {
      if (gateway !== undefined) throw wrongArgument(word, 'use nexthop syntax to specify multiple via\n')
      gateway = parseGateway(family, words)
      family = typeof gateway === 'number' ? 'inet' : 'inet6'
    } else if (word === 'tos' || abbreviates(word, 'dsfield')) {
      fields.tos = names.parseDsfield(words.value())
      if (fields.tos === undefined) throw wrongArgument(words.current, '"tos" value is invalid\n')
    } else if (word === 'expires') {
      fields.expiresS = unsigned(words.value(), '"expires" value is invalid\n')
    } else if (abbreviates(word, 'metric') || abbreviates(word, 'priority') || word === 'preference') {
      fields.metric = unsigned(words.value(), '"metric" value is invalid\n')
    } else if (word === 'scope') {
      fields.scope = names.parseScope(words.value())
      if (fields.scope === undefined) throw wrongArgument(words.current, 'invalid "scope" value\n')
    } else if (metric) parseMetric(words, metric, metrics, locked)
    else if (abbreviates(word, 'congctl') || abbreviates(word, 'realms')) throw new NotModelled(`ip route: ${word}`)
    else if (word === 'onlink') onlink = true
    else if (word === 'nexthop') {
      hops = parseNextHops(session, family, words)
      break
    } else if (word === 'nhid') throw new NotModelled('next hop objects')
    else if (abbreviates(word, 'protocol')) {
      fields.protocol = names.parseProtocol(words.value())
      if (fields.protocol === undefined) throw wrongArgument(words.current, '"protocol" value is invalid\n')
    } else if (abbreviates(word, 'table')) {
      fields.table = names.parseTable(words.value())
      if (fields.table === undefined) throw wrongArgument(words.current, '"table" value is invalid\n')
    } else if (abbreviates(word, 'vrf')) throw wrongArgument(words.value(), 'Invalid VRF\n')
    else if (word === 'dev' || word === 'oif') device = words.value()
    else if (abbreviates(word, 'pref')) {
      const preference = { low: 3, medium: 0, high: 1 }[words.value()] ?? parseUnsigned(words.current, 255)
      if (preference === undefined) throw wrongArgument(words.current, '"pref" value is invalid\n')
      fields.preference = preference
    } else if (word === 'encap' || word === 'ttl-propagate') throw new NotModelled(`ip route: ${word}`)
    else {
      if (word === 'to') words.value()
      const type = /^[0-9]/.test(words.current) ? undefined : parseRouteType(words.current)
      if (type) {
        words.value()
        fields.routeType = type
      }
      if (abbreviates(words.current, 'help')) throw new Refusal(routeHelp, EXIT_USAGE)
      if (destination) throw duplicateOrGarbage('to', words.current)
      const to = prefix(words.current, family)
      family = to.family
      fields.dst = addressOf(to)
      fields.prefix = to.length
      destination = true
    }
  }
  if (!destination) throw new Refusal(routeHelp, EXIT_USAGE)
  const hop = hops
    ? hops
    : device !== undefined || gateway !== undefined || onlink
      ? [
          {
            ...(device !== undefined && { ifindex: session.device(device) }),
            ...(gateway !== undefined && { gateway }),
            ...(onlink && { flags: RTNH_F_ONLINK }),
          },
        ]
      : undefined
  if (hop) fields.nextHops = hop
  if (Object.keys(metrics).length > 0) {
    fields.metrics = metrics
    if (locked.length > 0) fields.lockedMetrics = locked
  }
  fill(fields, deleting, gateway !== undefined || hops !== undefined)
  const inet6 = family === 'inet6'
  if (inet6 && typeof fields.dst === 'number') fields.dst = IN6_ANY // `default`, before the family was known.
  const whole = { family: inet6 ? 'AF_INET6' : 'AF_INET', ...fields } as RouteFields | Route6Fields
  const request = deleting ? { type: 'RTM_DELROUTE', ...whole } : { type: 'RTM_NEWROUTE', ...whole, ...flags }
  session.ask(request as RouteRequest | Route6Request)
  return 0
}

/** Table, scope, protocol and type where nothing was said: they follow from one another. */
function fill(fields: AnyFields, deleting: boolean, throughOthers: boolean): void {
  const type: RouteType | undefined = fields.routeType
  const isLocal = type === 'local' || type === 'broadcast'
  fields.table ??= isLocal ? RT_TABLE_LOCAL : RT_TABLE_MAIN
  if (fields.scope === undefined) {
    if (type === 'local') fields.scope = RT_SCOPE_HOST
    else if (type === 'broadcast' || type === 'multicast') fields.scope = RT_SCOPE_LINK
    else if (type === undefined || type === 'unicast') {
      fields.scope = deleting ? RT_SCOPE_NOWHERE : throughOthers ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK
    } else fields.scope = deleting ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE
  }
  if (deleting) return
  fields.protocol ??= RTPROT_BOOT
  fields.routeType ??= 'unicast'
}

/** `via ADDRESS` or `via inet ADDRESS`. */
function parseGateway(family: Family, words: Words): IpAddress {
  const word = words.value()
  if (word === 'inet6' && family === 'inet') throw new NotModelled('IPv6 gateways of IPv4 routes')
  if (word !== 'inet' && word !== 'inet6') return addressOf(address(word, family))
  return addressOf(address(words.value(), word))
}

function parseMetric(
  words: Words,
  metric: (typeof METRICS)[number],
  metrics: Record<string, number>,
  locked: string[],
): void {
  const { name } = metric
  words.value()
  if (name === 'rto_min') locked.push(name)
  if (metric.lockable && words.current === 'lock') {
    locked.push(name)
    words.value()
  }
  const word = words.current
  let value: number | undefined
  if (name === 'features') {
    if (word !== 'ecn') throw wrongArgument(word, '"features" value not valid\n')
    value = 1
  } else if (name === 'rtt' || name === 'rttvar' || name === 'rto_min') {
    const time = parseTime(word)
    value = time && Math.trunc(time.raw ? time.value : time.value * (name === 'rtt' ? 8 : name === 'rttvar' ? 4 : 1))
  } else value = parseUnsigned(word)
  if (name === 'quickack' && value !== undefined && value > 1)
    throw wrongArgument(word, '"quickack" value should be 0 or 1\n')
  if (value === undefined || value > (metric.max ?? 0xffffffff)) {
    throw wrongArgument(word, `"${metric.called ?? name}" value is invalid\n`)
  }
  metrics[name] = value
}

/** `100ms`, `0.1s`; without a unit the kernel's raw number. iproute2 6.1 lib/utils.c: get_time_rtt() */
function parseTime(word: string): { value: number; raw: boolean } | undefined {
  const match = /^(\d+(?:\.\d*)?|\.\d+)(s|sec|secs|ms|msec|msecs)?$/i.exec(word)
  if (!match) return undefined
  const unit = match[2]?.toLowerCase()
  const value = Number(match[1])
  if (unit === undefined) return { value, raw: true }
  return { value: Math.ceil(unit.startsWith('s') ? value * 1000 : value), raw: false }
}

/** `nexthop via A dev B weight N nexthop ...`, to the end of the line. */
function parseNextHops(session: Session, family: Family, words: Words): NonNullable<AnyFields['nextHops']> {
  const hops: NonNullable<AnyFields['nextHops']> = []
  while (words.more) {
    const lead = words.current
    if (lead !== 'nexthop') {
      throw new Refusal(`Error: "nexthop" or end of line is expected instead of "${lead}"\n`, EXIT_USAGE)
    }
    if (words.left <= 1) throw new Refusal('Error: unexpected end of line after "nexthop"\n', EXIT_USAGE)
    const hop: (typeof hops)[number] = {}
    for (words.advance(); words.more; words.advance()) {
      const word = words.current
      if (word === 'via') hop.gateway = parseGateway(family, words)
      else if (word === 'dev') {
        const device = session.findDevice(words.value())
        if (device === undefined) {
          throw new Refusal(`Cannot find device "${words.current}"\nError: cannot parse nexthop\n`, EXIT_USAGE)
        }
        hop.ifindex = device
      } else if (word === 'weight') {
        hop.weight = parseUnsigned(words.value(), 256)
        if (!hop.weight) throw wrongArgument(words.current, '"weight" is invalid\n')
      } else if (word === 'onlink') hop.flags = RTNH_F_ONLINK
      else if (abbreviates(word, 'realms') || word === 'encap' || word === 'as')
        throw new NotModelled(`ip route: ${word}`)
      else break
    }
    hops.push(hop)
  }
  return hops
}

/** `ip route get`. */
export function getRoute(session: Session, words: Words): number {
  const { options, names, out } = session
  let { family } = options
  const request: Omit<Extract<RouteRequest, { get: true }>, 'dst' | 'src'> & { dst: IpAddress; src?: IpAddress } = {
    type: 'RTM_GETROUTE',
    get: true,
    dst: 0,
  }
  let found = false
  let connected = false
  let iif: string | undefined
  let oif: string | undefined
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'tos' || abbreviates(word, 'dsfield')) {
      request.tos = names.parseDsfield(words.value())
      if (request.tos === undefined) throw wrongArgument(words.current, 'TOS value is invalid\n')
    } else if (abbreviates(word, 'from')) {
      if (abbreviates(words.value(), 'help')) throw new Refusal(routeHelp, EXIT_USAGE)
      const from = prefix(words.current, family)
      family = from.family
      if (from.hasAddress) request.src = addressOf(from)
    } else if (abbreviates(word, 'iif')) iif = words.value()
    else if (abbreviates(word, 'mark')) request.mark = unsigned(words.value(), 'invalid mark value')
    else if (abbreviates(word, 'oif') || word === 'dev') oif = words.value()
    else if (abbreviates(word, 'notify')) continue
    else if (abbreviates(word, 'connected')) connected = true
    else if (abbreviates(word, 'vrf')) throw wrongArgument(words.value(), 'Invalid VRF\n')
    else if (abbreviates(word, 'uid')) request.uid = unsigned(words.value(), 'invalid UID\n')
    else if (abbreviates(word, 'fibmatch')) request.fibMatch = true
    else if (word === 'as') throw new NotModelled('ip route get: as')
    else if (abbreviates(word, 'sport')) request.sourcePort = unsigned(words.value(), 'invalid sport\n', 65535)
    else if (abbreviates(word, 'dport')) request.destinationPort = unsigned(words.value(), 'invalid dport\n', 65535)
    else if (abbreviates(word, 'ipproto')) request.ipProtocol = parseIpProtocol(words.value())
    else {
      if (word === 'to') words.value()
      if (abbreviates(words.current, 'help')) throw new Refusal(routeHelp, EXIT_USAGE)
      const to = prefix(words.current, family)
      family = to.family
      request.dst = addressOf(to)
      const most = to.six ? 128 : 32
      if (to.hasAddress && to.length !== most) {
        out.error(`Warning: /${to.length} as prefix is invalid, only /${most} (or none) is supported.\n`)
      }
      found = true
    }
  }
  if (!found) throw new Refusal('need at least a destination address\n', 1)
  if (iif !== undefined) request.iif = session.device(iif)
  if (oif !== undefined) request.oif = session.device(oif)
  if (family === 'inet6' && typeof request.dst === 'number') request.dst = IN6_ANY
  const asked = { ...request, ...(family === 'inet6' && { family: 'AF_INET6' }) } as RouteRequest
  let [route] = session.ask<AnyRoute>(asked)
  if (connected && request.src === undefined && route) {
    out.begin(options.json)
    showRoute(session, route, ANY_ROUTE)
    out.end()
    if (route.prefSrc === undefined) throw new Refusal('Failed to connect the route\n', 1)
    ;[route] = session.ask<AnyRoute>({ ...asked, src: route.prefSrc } as RouteRequest)
  }
  out.begin(options.json)
  if (route) showRoute(session, route, ANY_ROUTE)
  out.end()
  return 0
}

const IP_PROTOCOLS: Record<string, number> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  sctp: 132,
  ah: 51,
  esp: 50,
  comp: 108,
}

/** A protocol above IP by name or number. iproute2 6.1 lib/inet_proto.c: inet_proto_a2n() */
export function parseIpProtocol(word: string): number {
  const number = IP_PROTOCOLS[word] ?? parseUnsigned(word, 255)
  if (number === undefined) throw wrongArgument(word, 'Invalid "ipproto" value\n')
  return number
}

export function ipProtocolName(number: number): string {
  return Object.entries(IP_PROTOCOLS).find(([, value]) => value === number)?.[0] ?? String(number)
}

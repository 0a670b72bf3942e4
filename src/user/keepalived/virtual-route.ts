/** virtual_routes and static_routes, IPv4: the plain forms. keepalived 2.2.7 vrrp/vrrp_iproute.c: alloc_route(), netlink_route() */
import { NotModelled } from '#base/check'
import type { Errno, Sys } from '#kernel/core'
import { parseIpv4 } from '#wire/inet'
import type { Configuration } from './configuration.ts'
import type { Words } from './keywords.ts'
import type { Log } from './log.ts'
import type { VirtualRoute } from './model.ts'
import { networkOf, parseScope, tellNetlinkError } from './virtual-address.ts'

/** The protocol that ip route shows as `keepalived`. */
const RTPROT_KEEPALIVED = 18
const TABLES: Record<string, number> = { default: 253, main: 254, local: 255 }

export function parseRoute(config: Configuration, words: Words): VirtualRoute | undefined {
  const made: VirtualRoute = {
    dst: 0,
    prefix: 0,
    gateway: undefined,
    source: undefined,
    nic: undefined,
    metric: undefined,
    table: undefined,
    scope: undefined,
    dontTrack: false,
    set: false,
    text: words.all.join(' '),
  }
  let named = false
  let shown = 'default'
  const address = (text: string, what: string): number | undefined => {
    if (text.includes(':')) throw new NotModelled('keepalived: virtual routes of IPv6')
    const read = parseIpv4(text)
    if (read !== undefined) return read
    config.wrong(`VRRP parsed invalid IP ${text}. skipping IP...`)
    config.wrong(`invalid route ${what} address ${text}`)
    return undefined
  }
  for (let i = 0; i < words.count; i++) {
    const word = words.at(i)
    switch (word) {
      case 'inet':
        break
      case 'via':
      case 'gw': {
        if (word === 'gw') config.wrong('"gw" for routes is deprecated. Please use "via"')
        made.gateway = address(words.at(++i), 'via')
        if (made.gateway === undefined) return undefined
        break
      }
      case 'src':
        made.source = address(words.at(++i), 'src')
        if (made.source === undefined) return undefined
        break
      case 'dev':
      case 'oif': {
        made.nic = config.nic(words.at(++i))
        if (made.nic) break
        config.wrong(`WARNING - interface ${words.at(i)} for route doesn't exist`)
        return undefined
      }
      case 'metric':
      case 'priority':
      case 'preference':
        made.metric = config.unsigned(words, ++i, 0, 0xffff_ffff, true)
        break
      case 'table': {
        const text = words.at(++i)
        made.table = TABLES[text] ?? (/^\d+$/.test(text) ? Number(text) : undefined)
        if (made.table !== undefined) break
        config.wrong(`Routing table ${text} not found for route`)
        return undefined
      }
      case 'scope':
        made.scope = parseScope(words.at(++i))
        break
      case 'no_track':
        made.dontTrack = true
        break
      case 'default':
        named = true
        break
      case 'to':
        break
      default: {
        const found = /^(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?$/.exec(word)
        const dst = found ? parseIpv4(found[1]!) : undefined
        if (dst === undefined || named) throw new NotModelled(`keepalived: a route with ${word}`)
        named = true
        made.prefix = found![2] === undefined ? 32 : Number(found![2])
        if (made.prefix > 32) throw new NotModelled(`keepalived: a route with ${word}`)
        made.dst = networkOf(dst, made.prefix)
        shown = word
      }
    }
  }
  if (!made.dontTrack && !made.nic) {
    config.wrong(`Warning - cannot track route ${shown} with no interface specified, not tracking`)
    made.dontTrack = true
  }
  return made
}

function change(sys: Sys, route: VirtualRoute, adds: boolean): Errno | undefined {
  const hop = {
    ...(route.nic && { ifindex: route.nic.ifindex }),
    ...(route.gateway !== undefined && { gateway: route.gateway }),
  }
  const answer = sys.netlink({
    type: adds ? 'RTM_NEWROUTE' : 'RTM_DELROUTE',
    family: 'AF_INET',
    dst: route.dst,
    prefix: route.prefix,
    table: route.table ?? 254,
    protocol: RTPROT_KEEPALIVED,
    scope: route.scope ?? (route.gateway === undefined ? 253 : 0),
    routeType: 'unicast',
    ...(route.metric !== undefined && { metric: route.metric }),
    ...(route.source !== undefined && { prefSrc: route.source }),
    nextHops: [hop],
    ...(adds && { create: true, replace: true }),
  } as { type: string })
  return answer.ok ? undefined : answer.errno
}

/** Adds or removes a list of routes. */
export function changeRoutes(sys: Sys, log: Log, list: readonly VirtualRoute[], adds: boolean, force = false): void {
  for (const route of list) {
    if (route.set === adds && !force) continue
    const failed = change(sys, route, adds)
    if (failed === undefined) route.set = adds
    else {
      if (!adds) route.set = false
      const gone = !adds && (failed === 'ESRCH' || failed === 'ENODEV')
      if (!gone) tellNetlinkError(sys, log, failed, adds ? 'RTM_NEWROUTE' : 'RTM_DELROUTE')
    }
  }
}

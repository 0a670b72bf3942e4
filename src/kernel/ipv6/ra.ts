/**
 * Routers' advertisements: default routes, prefixes, addresses that a host makes of them, and what else they say.
 * RFC 4861 section 6.3, RFC 4862 section 5.5, RFC 4191. Linux 6.1 net/ipv6/ndisc.c: ndisc_router_discovery();
 * net/ipv6/addrconf.c: addrconf_prefix_rcv(), addrconf_prefix_rcv_add_addr(); net/ipv6/route.c: rt6_add_dflt_router(),
 * rt6_route_rcv().
 */
import {
  HZ,
  NTF_ROUTER,
  NUD_STALE,
  UPDATE_ISROUTER,
  UPDATE_OVERRIDE,
  UPDATE_OVERRIDE_ISROUTER,
  UPDATE_WEAK_OVERRIDE,
} from '#kernel/net'
import {
  IN6_ANY,
  type Ipv6Address,
  ipv6,
  isLinkLocalIpv6,
  isMulticastIpv6,
  ND_OPT_MTU,
  ND_OPT_PREFIX_INFO,
  ND_OPT_ROUTE_INFO,
  ND_OPT_SOURCE_LL_ADDR,
  type NdOption,
  type Packet,
  prefixIpv6,
  readIpv6,
} from '#wire/inet'
import { addAddress6, addRouteFor, METRIC_ADDRCONF, prefixRouteOf } from './addresses.ts'
import { acceptsRa } from './dad.ts'
import { Fib6Route, nextHop6, PREF_HIGH, PREF_LOW, PREF_MEDIUM, RT6_TABLE_MAIN, RTPROT_RA } from './fib.ts'
import {
  type Address6,
  IFA_F_DEPRECATED,
  IFA_F_MANAGETEMPADDR,
  IFA_F_OPTIMISTIC,
  INFINITE_S,
  type Link6,
} from './inet6dev.ts'
import { checkLifetimes } from './lifetimes.ts'
import { interfaceIdentifier } from './links.ts'
import { linkAddress, optionsOf } from './ndisc.ts'
import { neighbour6 } from './output.ts'

const SECOND_NS = 1_000_000_000
/** No advertisement makes an address live shorter than this at once. RFC 4862 section 5.5.3 (e). */
const MIN_VALID_LIFETIME = 2 * 3600

function view(packet: Packet): DataView {
  return new DataView(packet.buffer.buffer, packet.buffer.byteOffset, packet.buffer.length)
}

/** A router's preference: 10 counts as medium. RFC 4191 section 2.2. */
function preferenceOf(bits: number, heeded: number): number {
  const pref = (bits >>> 3) & 3
  if (!heeded || pref === 2) return PREF_MEDIUM
  return pref === 1 ? PREF_HIGH : pref === 3 ? PREF_LOW : PREF_MEDIUM
}

export function receiveAdvertisement(link: Link6, packet: Packet): void {
  const { state, device } = link
  const router = packet.src6!
  if (!isLinkLocalIpv6(router) || packet.length < 8) return
  const options = optionsOf(packet, 8)
  if (options === undefined) return
  const accepts = acceptsRa(link)
  const local = state.owner(router, device) !== undefined && !link.conf.acceptRaFromLocal
  const bytes = view(packet)
  if (accepts) {
    if (link.rsSent) link.raReceived = true
    const flags = (packet.icmpRest >>> 16) & 0xff
    link.raManaged = (flags & 0x80) !== 0
    link.raOther = (flags & 0x40) !== 0
    const lifetimeS = packet.icmpRest & 0xffff
    const short = lifetimeS !== 0 && lifetimeS < link.conf.acceptRaMinLft
    if (link.conf.acceptRaDefrtr && !short && !local) {
      defaultRouter(link, router, lifetimeS, preferenceOf(flags, link.conf.acceptRaRtrPref), packet.icmpRest >>> 24)
    }
    neighbourTimes(link, bytes.getUint32(packet.offset), bytes.getUint32(packet.offset + 4))
  }
  const mac = linkAddress(packet, options, ND_OPT_SOURCE_LL_ADDR)
  if (mac === 'broken') return
  const neighbour = neighbour6(state, device, router)
  neighbour?.update(mac, NUD_STALE, UPDATE_WEAK_OVERRIDE | UPDATE_OVERRIDE | UPDATE_OVERRIDE_ISROUTER | UPDATE_ISROUTER)
  if (!accepts) return
  if (!local && link.conf.acceptRaRtrPref) {
    for (const option of options) if (option.type === ND_OPT_ROUTE_INFO) routeInformation(link, packet, option, router)
  }
  if (link.conf.acceptRaPinfo) {
    for (const option of options) {
      if (option.type === ND_OPT_PREFIX_INFO) prefixInformation(link, packet, option, mac !== undefined)
    }
  }
  const mtuOption = options.find((option) => option.type === ND_OPT_MTU)
  if (mtuOption && mtuOption.length === 8 && link.conf.acceptRaMtu) {
    const mtu = bytes.getUint32(mtuOption.at + 4)
    link.raMtu = mtu
    if (mtu >= 1280 && mtu <= device.mtu && mtu !== link.mtu6) {
      link.mtu6 = mtu
      const route = state.main.routes.find(
        (each) => each.defaultRouter && each.device === device && each.gateway === router,
      )
      if (route) route.metrics = { ...route.metrics, mtu }
      state.routesChanged()
    }
  }
}

/** A default route by this router appears, is told to live on, or goes. */
function defaultRouter(link: Link6, router: Ipv6Address, lifetimeS: number, pref: number, hopLimit: number): void {
  const { state, device, conf } = link
  let route = state.main.routes.find((each) => each.defaultRouter && each.device === device && each.gateway === router)
  if (route && (lifetimeS === 0 || route.metric !== conf.raDefrtrMetric)) {
    state.main.remove(route)
    state.routesChanged()
    route = undefined
  }
  if (!route && lifetimeS > 0) {
    route = new Fib6Route({
      table: RT6_TABLE_MAIN,
      dst: IN6_ANY,
      prefix: 0,
      type: 'unicast',
      protocol: RTPROT_RA,
      metric: conf.raDefrtrMetric,
      nextHops: [nextHop6(device, router)],
    })
    route.fromRa = true
    route.defaultRouter = true
    state.main.insert(route)
    const neighbour = neighbour6(state, device, router)
    if (neighbour) neighbour.flags |= NTF_ROUTER
  }
  if (route) {
    route.preference = pref
    route.expiresNs = state.host.sim.nowNs + lifetimeS * SECOND_NS
  }
  if (hopLimit !== 0 && conf.acceptRaMinHopLimit < 256 && conf.acceptRaMinHopLimit <= hopLimit) {
    if (conf.hopLimit !== hopLimit) link.conf = link.conf.with('hopLimit', hopLimit)
    if (route) route.metrics = { ...route.metrics, hoplimit: hopLimit }
  }
  state.routesChanged()
  checkLifetimes(state)
}

/** Reachable and retransmission times, in milliseconds; 0: the router doesn't say. */
function neighbourTimes(link: Link6, reachableMs: number, retransMs: number): void {
  if (retransMs !== 0 && retransMs / 1000 < 2 ** 31 / HZ) {
    const jiffies = Math.max(Math.floor((retransMs * HZ) / 1000), Math.floor(HZ / 100))
    link.parms = link.parms.with('retransTime', jiffies, true)
  }
  if (reachableMs !== 0 && reachableMs / 1000 < 2 ** 31 / (3 * HZ)) {
    const jiffies = Math.max(Math.floor((reachableMs * HZ) / 1000), Math.floor(HZ / 10))
    if (jiffies === link.parms.baseReachable) return
    link.parms = link.parms.with('baseReachable', jiffies, true).with('gcStale', 3 * jiffies, true)
    link.reachableDraw = -1
  }
}

/** A route to a prefix by this router. rt6_route_rcv(). */
function routeInformation(link: Link6, packet: Packet, option: NdOption, router: Ipv6Address): void {
  const { state, device, conf } = link
  const { buffer } = packet
  const prefix = buffer[option.at + 2]!
  const needed = prefix > 64 ? 24 : prefix > 0 ? 16 : 8
  if (prefix > 128 || option.length < needed || option.length > 24) return
  if (prefix === 0 && !conf.acceptRaDefrtr) return
  if (prefix < conf.acceptRaRtInfoMinPlen || prefix > conf.acceptRaRtInfoMaxPlen) return
  const bits = buffer[option.at + 3]!
  if (((bits >>> 3) & 3) === 2) return
  const lifetimeS = view(packet).getUint32(option.at + 4)
  if (lifetimeS !== 0 && lifetimeS < conf.acceptRaMinLft) return
  const padded = new Uint8Array(16)
  padded.set(buffer.subarray(option.at + 8, option.at + option.length))
  const dst = prefixIpv6(readIpv6(padded, 0), prefix)
  let route = state.main
    .of(dst, prefix)
    .find((each) => each.fromRa && each.device === device && each.gateway === router)
  if (route && lifetimeS === 0) {
    state.main.remove(route)
    route = undefined
  } else if (!route && lifetimeS !== 0) {
    route = new Fib6Route({
      table: RT6_TABLE_MAIN,
      dst,
      prefix,
      type: 'unicast',
      protocol: RTPROT_RA,
      metric: conf.raDefrtrMetric,
      nextHops: [nextHop6(device, router)],
    })
    route.fromRa = true
    route.defaultRouter = prefix === 0
    state.main.insert(route)
  }
  if (route) {
    route.preference = preferenceOf(bits, 1)
    route.expiresNs = lifetimeS === INFINITE_S ? Number.POSITIVE_INFINITY : state.host.sim.nowNs + lifetimeS * SECOND_NS
  }
  state.routesChanged()
  checkLifetimes(state)
}

/** What is on the link, and what addresses may be made of. addrconf_prefix_rcv(). */
function prefixInformation(link: Link6, packet: Packet, option: NdOption, withMac: boolean): void {
  if (option.length < 32) return
  const { state, device } = link
  const bytes = view(packet)
  const length = packet.buffer[option.at + 2]!
  const flags = packet.buffer[option.at + 3]!
  const validS = bytes.getUint32(option.at + 4)
  const preferredS = bytes.getUint32(option.at + 8)
  const given = readIpv6(packet.buffer, option.at + 16)
  if (isMulticastIpv6(given) || isLinkLocalIpv6(given) || preferredS > validS || length > 128) return
  if (flags & 0x80) onLink(link, prefixIpv6(given, length), length, validS)
  if (!(flags & 0x40) || !link.conf.autoconf || length !== 64) return
  const id = link.token === undefined ? identifierFor(link, given) : { w2: link.token.w2, w3: link.token.w3 }
  if (id === undefined) return
  const address = ipv6(given.w0, given.w1, id.w2, id.w3)
  autoconfigure(link, address, length, validS, preferredS, withMac)
  void device
  void state
}

function identifierFor(link: Link6, prefix: Ipv6Address): { w2: number; w3: number } | undefined {
  if (link.conf.addrGenMode < 2) return interfaceIdentifier(link.device)
  const { host, name } = link.device
  const random = host.sim.random(`${host.name}/${name}/stable address ${prefix.w0} ${prefix.w1}`)
  return { w2: random.below(2 ** 32), w3: random.below(2 ** 32) }
}

function onLink(link: Link6, dst: Ipv6Address, length: number, validS: number): void {
  const { state, device } = link
  const expiresNs = validS === INFINITE_S ? Number.POSITIVE_INFINITY : state.host.sim.nowNs + validS * SECOND_NS
  const route = prefixRouteOf(state, device, dst, length)
  if (route?.fromRa || (route && route.expiresNs !== Number.POSITIVE_INFINITY)) {
    if (validS === 0) {
      state.main.remove(route)
      state.routesChanged()
    } else route.expiresNs = expiresNs
  } else if (!route && validS > 0) addRouteFor(state, device, dst, length, METRIC_ADDRCONF, expiresNs, true)
  checkLifetimes(state)
}

function autoconfigure(
  link: Link6,
  address: Ipv6Address,
  length: number,
  validS: number,
  preferredS: number,
  withMac: boolean,
): void {
  const { state, device, conf } = link
  const { nowNs } = state.host.sim
  let own: Address6 | undefined = state.owner(address, device)
  if (own === undefined) {
    if (validS === 0) return
    if (conf.maxAddresses !== 0 && link.addresses.length >= conf.maxAddresses) return
    const optimistic = (state.confAll.optimisticDad || conf.optimisticDad) && !state.confAll.forwarding && withMac
    const made = addAddress6(link, {
      address,
      prefix: length,
      flags: optimistic ? IFA_F_OPTIMISTIC : 0,
      validS,
      preferredS,
      protocol: 2,
    })
    if (typeof made === 'string') return
    own = made
    own.flags |= IFA_F_MANAGETEMPADDR
    state.dad.start(own)
  } else {
    const leftS =
      own.validS === INFINITE_S ? INFINITE_S : Math.max(0, own.validS - Math.floor((nowNs - own.stampNs) / SECOND_NS))
    if (leftS > 0) {
      own.validS = Math.max(validS, Math.min(leftS, MIN_VALID_LIFETIME))
      own.preferredS = preferredS
      own.stampNs = nowNs
      own.flags &= ~IFA_F_DEPRECATED
    }
  }
  checkLifetimes(state)
}

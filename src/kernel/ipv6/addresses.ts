/**
 * IPv6 addresses of devices: their order, their routes, and their coming and going.
 *
 * Linux 6.1 net/ipv6/addrconf.c: ipv6_add_addr(), ipv6_del_addr(), ipv6_link_dev_addr(), addrconf_prefix_route(),
 * check_cleanup_prefix_route(), __ipv6_ifa_notify().
 */
import type { NetDevice } from '#kernel/net'
import { IN6_ANY, type Ipv6Address, isLinkLocalIpv6, isMulticastIpv6, prefixIpv6, solicitedNode } from '#wire/inet'
import { sourceScope } from './address-select.ts'
import { Fib6Route, nextHop6, RT6_TABLE_LOCAL, RT6_TABLE_MAIN, RTPROT_KERNEL } from './fib.ts'
import { Address6, IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT, IFA_F_TENTATIVE, INFINITE_S, type Link6 } from './inet6dev.ts'
import { joinGroup, leaveGroup } from './mld.ts'

const SECOND_NS = 1_000_000_000
export const METRIC_ADDRCONF = 256

/** RT_SCOPE_* of an address. Linux: rt_scope(), ipv6_addr_scope(). */
export function routeScope(address: Ipv6Address): number {
  const { w0, w1, w2, w3 } = address
  if (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1) return 254
  if (isLinkLocalIpv6(address)) return 253
  return w0 >>> 22 === 0x3fb ? 200 : 0
}

export interface NewAddress6 {
  address: Ipv6Address
  peer?: Ipv6Address | undefined
  prefix: number
  flags?: number
  validS?: number
  preferredS?: number
  metric?: number
  protocol?: number
}

export type AddressRefusal = 'EADDRNOTAVAIL' | 'EEXIST' | 'EACCES' | 'ENODEV'

/** Puts an address on a device; it is tentative until somebody sees to its detection. ipv6_add_addr(). */
export function addAddress6(link: Link6, fields: NewAddress6): Address6 | AddressRefusal {
  const { address } = fields
  const { state, device } = link
  if (address === IN6_ANY || (isMulticastIpv6(address) && !((fields.flags ?? 0) & 0x400))) return 'EADDRNOTAVAIL'
  if (address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1 && !device.loops)
    return 'EADDRNOTAVAIL'
  if (link.conf.disableIpv6) return 'EACCES'
  if (state.owner(address, device) !== undefined) return 'EEXIST'
  const own = new Address6(link, address, fields.prefix, routeScope(address), (fields.flags ?? 0) | IFA_F_TENTATIVE)
  if (fields.peer !== undefined && fields.peer !== address) own.peer = fields.peer
  own.validS = fields.validS ?? INFINITE_S
  own.preferredS = fields.preferredS ?? INFINITE_S
  own.metric = fields.metric ?? 0
  own.protocol = fields.protocol ?? 0
  const all = state.owners.get(address.id)
  if (all) all.unshift(own)
  else state.owners.set(address.id, [own])
  const scope = sourceScope(address)
  let at = 0
  while (at < link.addresses.length && sourceScope(link.addresses[at]!.address) > scope) at++
  link.addresses = link.addresses.toSpliced(at, 0, own)
  return own
}

/** The prefix that an address's own route is for. */
function prefixOf(own: Address6): { dst: Ipv6Address; prefix: number } {
  return { dst: prefixIpv6(own.peer ?? own.address, own.prefix), prefix: own.prefix }
}

/** The route to an address's neighbours. addrconf_prefix_route(). */
export function addPrefixRoute(own: Address6, expiresNs = Number.POSITIVE_INFINITY, fromRa = false): Fib6Route {
  const { device, state } = own.link
  const { dst, prefix } = prefixOf(own)
  return addRouteFor(state, device, dst, prefix, own.metric || METRIC_ADDRCONF, expiresNs, fromRa)
}

/** A route of the kernel's own in the main table; one that is there is taken. */
export function addRouteFor(
  state: Link6['state'],
  device: NetDevice,
  dst: Ipv6Address,
  prefix: number,
  metric: number,
  expiresNs: number,
  fromRa: boolean,
): Fib6Route {
  const found = prefixRouteOf(state, device, dst, prefix)
  if (found !== undefined && found.metric === metric) {
    found.expiresNs = expiresNs
    return found
  }
  const route = new Fib6Route({
    table: RT6_TABLE_MAIN,
    dst,
    prefix,
    type: 'unicast',
    protocol: RTPROT_KERNEL,
    metric,
    nextHops: [nextHop6(device)],
  })
  route.expiresNs = expiresNs
  route.fromRa = fromRa
  state.main.insert(route)
  state.routesChanged()
  return route
}

/** The kernel's route to a prefix on a device. addrconf_get_prefix_route(). */
export function prefixRouteOf(
  state: Link6['state'],
  device: NetDevice,
  dst: Ipv6Address,
  prefix: number,
): Fib6Route | undefined {
  return state.main
    .of(dst, prefix)
    .find((route) => route.protocol === RTPROT_KERNEL && route.device === device && route.gateway === undefined)
}

/** A route to a host's own address or group. addrconf_f6i_alloc(). */
export function addLocalRoute(
  link: Link6,
  dst: Ipv6Address,
  prefix: number,
  type: 'local' | 'anycast' | 'multicast',
  metric: number,
): Fib6Route {
  const route = new Fib6Route({
    table: RT6_TABLE_LOCAL,
    dst,
    prefix,
    type,
    protocol: RTPROT_KERNEL,
    metric,
    nextHops: [nextHop6(link.device)],
  })
  link.state.local.insert(route)
  link.state.routesChanged()
  return route
}

export function removeLocalRoute(link: Link6, route: Fib6Route | undefined): void {
  if (route && link.state.local.remove(route)) link.state.routesChanged()
}

/** It may be used from now on: its route appears. __ipv6_ifa_notify(RTM_NEWADDR). */
export function addressReady(own: Address6): void {
  if (own.route === undefined) own.route = addLocalRoute(own.link, own.address, 128, 'local', 0)
  const { link } = own
  if (link.conf.forwarding) joinAnycast(own)
  if (own.peer !== undefined) {
    const { dst } = prefixOf({ ...own, prefix: 128 } as Address6)
    addRouteFor(link.state, link.device, dst, 128, own.metric || METRIC_ADDRCONF, Number.POSITIVE_INFINITY, false)
  }
  link.state.routesChanged()
}

/** A router answers to its prefixes' first addresses. addrconf_join_anycast(). RFC 4291 section 2.6.1. */
export function joinAnycast(own: Address6): void {
  if (own.prefix >= 127) return
  const { link } = own
  const address = prefixIpv6(own.address, own.prefix)
  if (address === IN6_ANY) return
  const found = link.anycasts.find((each) => each.address === address)
  if (found) {
    found.users++
    return
  }
  const route = addLocalRoute(link, address, 128, 'anycast', 0)
  link.anycasts.unshift({ address, users: 1, route })
  joinGroup(link, solicitedNode(address))
}

export function leaveAnycast(own: Address6): void {
  if (own.prefix >= 127) return
  const { link } = own
  const address = prefixIpv6(own.address, own.prefix)
  const found = link.anycasts.find((each) => each.address === address)
  if (!found || --found.users > 0) return
  link.anycasts = link.anycasts.filter((each) => each !== found)
  removeLocalRoute(link, found.route)
  leaveGroup(link, solicitedNode(address))
}

/** Takes an address away, with its routes and its group. ipv6_del_addr(). */
export function deleteAddress6(own: Address6): void {
  const { link } = own
  const { state } = link
  own.dadState = 'DEAD'
  state.dad.stopWork(own)
  link.addresses = link.addresses.filter((other) => other !== own)
  const others = state.owners.get(own.address.id)?.filter((other) => other !== own) ?? []
  if (others.length > 0) state.owners.set(own.address.id, others)
  else state.owners.delete(own.address.id)
  if (own.route !== undefined && link.conf.forwarding) leaveAnycast(own)
  leaveGroup(link, solicitedNode(own.address))
  if (own.flags & IFA_F_PERMANENT && !(own.flags & IFA_F_NOPREFIXROUTE)) cleanPrefixRoute(own)
  if (own.peer !== undefined) {
    const route = prefixRouteOf(state, link.device, own.peer, 128)
    if (route) state.main.remove(route)
  }
  removeLocalRoute(link, own.route)
  own.route = undefined
  state.routesChanged()
}

/** The route goes with the last permanent address of its prefix; others only set its end. check_cleanup_prefix_route(). */
function cleanPrefixRoute(own: Address6): void {
  const { link } = own
  const { dst, prefix } = prefixOf(own)
  let expiresNs = link.device.host.sim.nowNs
  let others = false
  for (const other of link.addresses) {
    if (other.prefix !== own.prefix || prefixOf(other).dst !== dst) continue
    if (other.flags & (IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE)) return
    others = true
    expiresNs = Math.max(
      expiresNs,
      other.validS === INFINITE_S ? Number.POSITIVE_INFINITY : other.stampNs + other.validS * SECOND_NS,
    )
  }
  const route = prefixRouteOf(link.state, link.device, dst, prefix)
  if (!route) return
  if (!others) {
    link.state.main.remove(route)
    link.state.routesChanged()
  } else if (!route.fromRa) route.expiresNs = expiresNs
}

/**
 * What IPv6 does when a device comes, goes or changes.
 *
 * Linux 6.1 net/ipv6/addrconf.c: addrconf_notify(), addrconf_dev_config(), init_loopback(), addrconf_ifdown(),
 * ipv6_add_dev(); net/ipv6/route.c: rt6_sync_up(), rt6_sync_down_dev(), rt6_disable_ip(), rt6_mtu_change().
 */
import {
  IFF_LOOPBACK,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_POINTOPOINT,
  IFF_SLAVE,
  type NetDevice,
  type NetdevEvent,
} from '#kernel/net'
import { eui64, IN6_ALL_NODES, IN6_ALL_ROUTERS, IN6_LOOPBACK, type Ipv6Address, ipv6, solicitedNode } from '#wire/inet'
import {
  addAddress6,
  addLocalRoute,
  addPrefixRoute,
  addRouteFor,
  deleteAddress6,
  joinAnycast,
  leaveAnycast,
} from './addresses.ts'
import { RTNH_F_DEAD, RTNH_F_LINKDOWN } from './fib.ts'
import {
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  Link6,
  link6,
} from './inet6dev.ts'
import { groupsDown, groupsUp, joinGroup, leaveGroup } from './mld.ts'
import { removeRoutesOf } from './routes.ts'
import { type State6, state6 } from './state.ts'

/** Below it, IPv6 is off. RFC 8200 section 5. */
export const IPV6_MIN_MTU = 1280

const INTERFACE_ALL_NODES = ipv6(0xff010000, 0, 0, 1)
const INTERFACE_ALL_ROUTERS = ipv6(0xff010000, 0, 0, 2)
const SITE_ALL_ROUTERS = ipv6(0xff050000, 0, 0, 2)
const LINK_PREFIX = ipv6(0xfe800000, 0, 0, 0)
const MULTICAST_PREFIX = ipv6(0xff000000, 0, 0, 0)

/** IPv6 begins to know a device. ipv6_add_dev(). */
export function addLink(state: State6, device: NetDevice): Link6 | undefined {
  if (device.mtu < IPV6_MIN_MTU) return undefined
  const link = new Link6(device, state)
  device.inet6 = link
  if (device.flags & (IFF_NOARP | IFF_LOOPBACK)) link.conf = link.conf.with('acceptDad', -1)
  if (device.flags & IFF_LOOPBACK || device.looks.linkType !== 'ether') link.conf = link.conf.with('useTempaddr', -1)
  link.ready = isReady(device)
  joinGroup(link, INTERFACE_ALL_NODES)
  joinGroup(link, IN6_ALL_NODES)
  if (link.conf.forwarding && device.flags & IFF_MULTICAST) joinGroup(link, IN6_ALL_ROUTERS)
  return link
}

/** The device's, made if there is none. ipv6_find_idev(). */
export function findLink(state: State6, device: NetDevice): Link6 | undefined {
  const link = link6(device) ?? addLink(state, device)
  if (link !== undefined && device.up) groupsUp(link)
  return link
}

/** Groups' packets leave by the device. addrconf_add_mroute(). */
export function addMulticastRoute(link: Link6): void {
  const exists = link.state.local
    .of(MULTICAST_PREFIX, 8)
    .some((route) => route.device === link.device && route.type === 'multicast')
  if (!exists) addLocalRoute(link, MULTICAST_PREFIX, 8, 'multicast', 256)
}

/** addrconf_link_ready(). */
function isReady(device: NetDevice): boolean {
  return device.up && device.active && (device.operstate === 'UP' || device.operstate === 'UNKNOWN')
}

/** Told of every device's events. */
export function netdevEvent(event: NetdevEvent, device: NetDevice): void {
  // A host on which IPv6 was never switched on has nothing to do, and stays as small as it was.
  if (device.inet6 === undefined && state6.peek(device.host) === undefined && !mayMatter(device)) return
  const state = state6.of(device.host)
  const link = link6(device)
  switch (event) {
    case 'REGISTER':
      if (link === undefined) addLink(state, device)
      break
    case 'CHANGEMTU':
      mtuChanged(state, device)
      break
    case 'UP':
    case 'CHANGE':
      changed(state, device, event)
      break
    case 'DOWN':
    case 'UNREGISTER':
      if (link === undefined) disableRoutes(state, device, event === 'UNREGISTER')
      else linkDown(link, event === 'UNREGISTER')
      break
    case 'CHANGEADDR':
      state.nd.flushEntries(device, false)
      state.routesChanged()
      break
    default:
      break
  }
}

/** Namespaces have IPv6 from the first; lab hosts when a sysctl has switched it on. */
function mayMatter(device: NetDevice): boolean {
  return (device.host as { base?: unknown }).base !== undefined
}

function mtuChanged(state: State6, device: NetDevice): void {
  const link = link6(device)
  if (device.mtu < IPV6_MIN_MTU) {
    if (link) linkDown(link, !device.loops)
    return
  }
  if (link) {
    link.mtu6 = device.mtu
    state.routesChanged()
    return
  }
  const made = addLink(state, device)
  if (made?.ready) configure(made, true)
}

function changed(state: State6, device: NetDevice, event: 'UP' | 'CHANGE'): void {
  let link = link6(device)
  if (link?.conf.disableIpv6) return
  if (device.flags & IFF_SLAVE) {
    if (event === 'UP' && link && device.up && device.flags & IFF_MULTICAST) groupsUp(link)
    return
  }
  if (event === 'UP') {
    if (link) restorePermanent(link)
    if (!isReady(device)) return
    link ??= addLink(state, device)
    if (link) link.ready = true
  } else {
    if (!isReady(device)) {
      carrierLost(state, device)
      return
    }
    if (link) {
      if (link.ready) {
        groupsUp(link)
        syncUp(state, device, RTNH_F_LINKDOWN)
        return
      }
      link.ready = true
    }
    if (!state.dad.settled()) {
      device.host.log(6, `IPv6: ADDRCONF(NETDEV_CHANGE): ${device.name}: link becomes ready`)
    }
  }
  if (link) configure(link, true)
}

/** Addresses that were given by hand get their routes back. addrconf_permanent_addr(). */
function restorePermanent(link: Link6): void {
  for (const own of link.addresses) {
    if (!(own.flags & IFA_F_PERMANENT)) continue
    if (own.route === undefined) own.route = addLocalRoute(link, own.address, 128, 'local', 0)
    if (!(own.flags & IFA_F_NOPREFIXROUTE)) addPrefixRoute(own)
    if (own.dadState === 'PREDAD') link.state.dad.start(own)
  }
}

function configure(link: Link6, runPending: boolean): void {
  const { device, state } = link
  if (device.loops) loopback(link)
  else if (device.looks.linkType === 'ether') {
    groupsUp(link)
    addMulticastRoute(link)
    generateAddress(link)
  } else if (device.looks.linkType === 'sit' || device.looks.linkType === 'gre' || device.looks.linkType === 'ipip') {
    groupsUp(link)
    addMulticastRoute(link)
    tunnelAddresses(link)
  } else if (device.flags & IFF_POINTOPOINT || device.looks.linkType === 'none') {
    groupsUp(link)
    if (device.flags & IFF_MULTICAST) addMulticastRoute(link)
    generateAddress(link)
  }
  if (runPending) state.dad.run(link, false)
  syncUp(state, device, RTNH_F_DEAD)
  link.mtu6 = device.mtu
}

/** ::1, each time that the loopback device is set up. init_loopback(). */
function loopback(link: Link6): void {
  const own = addAddress6(link, { address: IN6_LOOPBACK, prefix: 128, flags: IFA_F_PERMANENT, protocol: 1 })
  if (typeof own === 'string') return
  own.flags &= ~IFA_F_TENTATIVE
  own.dadState = 'POSTDAD'
  own.route = addLocalRoute(link, IN6_LOOPBACK, 128, 'local', 0)
}

/** The low half of an address that a device makes of its own. ipv6_generate_eui64(). */
export function interfaceIdentifier(device: NetDevice): { w2: number; w3: number } | undefined {
  if (device.looks.linkType !== 'ether' || device.addressLength !== 6) return undefined
  return eui64(device.address)
}

/** The link-local address. addrconf_addr_gen(). */
export function generateAddress(link: Link6): void {
  const { device, state, conf } = link
  if (device.master !== undefined && device.flags & IFF_SLAVE) return
  if (conf.addrGenMode === 1) return
  let id: { w2: number; w3: number } | undefined
  if (conf.addrGenMode === 0) id = interfaceIdentifier(device)
  else {
    const random = device.host.sim.random(`${device.host.name}/${device.name}/stable address`)
    id = { w2: random.below(2 ** 32), w3: random.below(2 ** 32) }
  }
  if (id === undefined) {
    if (conf.addrGenMode === 0) addRouteFor(state, device, LINK_PREFIX, 64, 256, Number.POSITIVE_INFINITY, false)
    return
  }
  addLinkLocal(link, ipv6(0xfe800000, 0, id.w2, id.w3))
}

function addLinkLocal(link: Link6, address: Ipv6Address): void {
  const { state } = link
  let flags = IFA_F_PERMANENT
  if ((state.confAll.optimisticDad || link.conf.optimisticDad) && !state.confAll.forwarding) flags |= IFA_F_OPTIMISTIC
  const own = addAddress6(link, { address, prefix: 64, flags, protocol: 3 })
  if (typeof own === 'string') return
  addPrefixRoute(own)
  state.dad.start(own)
}

/** A tunnel's link-local address is made of its local IPv4 address. addrconf_sit_config(), addrconf_gre_config(). */
function tunnelAddresses(link: Link6): void {
  const { device } = link
  if (device.addressLength === 4 && device.address !== 0 && device.looks.linkType === 'sit') {
    addLinkLocal(link, ipv6(0xfe800000, 0, 0, device.address >>> 0))
  } else if (device.addressLength === 4 && device.address !== 0) {
    addLinkLocal(link, ipv6(0xfe800000, 0, 0x02005efe, device.address >>> 0))
  }
}

/** The carrier went: routes stay, and are seen to lead nowhere. rt6_sync_down_dev(). */
function carrierLost(state: State6, device: NetDevice): void {
  const evict = link6(device)?.conf.ndiscEvictNocarrier && state.confAll.ndiscEvictNocarrier
  if (evict && !device.carrier) state.nd.flush(device, true)
  setFlags(state, device, RTNH_F_LINKDOWN, true)
}

function syncUp(state: State6, device: NetDevice, flag: number): void {
  setFlags(state, device, flag === RTNH_F_DEAD ? RTNH_F_DEAD | RTNH_F_LINKDOWN : flag, false)
}

function setFlags(state: State6, device: NetDevice, flags: number, on: boolean): void {
  for (const table of [state.main, state.local, ...state.tables.values()]) {
    for (const route of table.routes) {
      if (!on && route.nextHops.every((hop) => hop.device !== device)) continue
      for (const hop of route.nextHops) {
        if (hop.device !== device) continue
        if (on && table === state.local && route.type === 'local') continue
        hop.flags = on ? hop.flags | flags : hop.flags & ~flags
      }
    }
  }
  state.routesChanged()
}

function disableRoutes(state: State6, device: NetDevice, unregister: boolean): void {
  removeRoutesOf(state, device, unregister)
  state.nd.flush(device, false)
}

/** The device is down, or IPv6 is switched off on it, or it goes. addrconf_ifdown(). */
export function linkDown(link: Link6, unregister: boolean): void {
  const { device, state } = link
  disableRoutes(state, device, unregister)
  const keep = !unregister && !link.conf.disableIpv6 && (state.confAll.keepAddrOnDown || link.conf.keepAddrOnDown) > 0
  link.rsTimer.stop()
  const wasReady = link.ready
  if (!unregister) {
    link.rsSent = false
    link.raReceived = false
    link.ready = false
  }
  for (const own of [...link.addresses]) {
    own.work.stop()
    const stays = keep && own.flags & IFA_F_PERMANENT && own.scope !== 253 && own.scope !== 254
    if (!stays) {
      own.flags |= IFA_F_NOPREFIXROUTE // Its routes are gone already.
      deleteAddress6(own)
      continue
    }
    own.dadState = 'PREDAD'
    if (!(own.flags & IFA_F_NODAD)) own.flags |= IFA_F_TENTATIVE
    if (link.conf.forwarding) leaveAnycast(own)
    leaveGroup(link, solicitedNode(own.address))
    own.route = undefined
  }
  link.anycasts = []
  if (unregister || wasReady) groupsDown(link)
  link.raMtu = 0
  if (unregister) device.inet6 = undefined
  state.routesChanged()
}

/** A device begins or ceases to route. dev_forward_change(). */
export function forwardingChanged(link: Link6): void {
  const { device } = link
  const on = link.conf.forwarding !== 0
  if (device.flags & IFF_MULTICAST) {
    for (const group of [IN6_ALL_ROUTERS, INTERFACE_ALL_ROUTERS, SITE_ALL_ROUTERS]) {
      if (on) joinGroup(link, group)
      else leaveGroup(link, group)
    }
  }
  for (const own of link.addresses) {
    if (own.tentative) continue
    if (on) joinAnycast(own)
    else leaveAnycast(own)
  }
}

/** disable_ipv6 was written. dev_disable_change(). */
export function disableChanged(device: NetDevice): void {
  const link = link6(device)
  if (!link || !device.up) return
  if (link.conf.disableIpv6) linkDown(link, false)
  else changed(link.state, device, 'UP')
}

/**
 * Neighbour discovery: what is asked, what is answered, and what is learned. RFC 4861.
 * Linux 6.1 net/ipv6/ndisc.c: ndisc_constructor(), ndisc_solicit(), ndisc_recv_ns(), ndisc_recv_na(), ndisc_recv_rs(),
 * ndisc_send_redirect(), ndisc_redirect_rcv(); net/ipv6/route.c: rt6_do_redirect().
 */
import {
  HZ,
  IFF_LOOPBACK,
  IFF_NOARP,
  IFF_POINTOPOINT,
  jiffiesOf,
  type Neighbour,
  NeighbourParms,
  type NeighbourProtocol,
  type NetDevice,
  NTF_ROUTER,
  NUD_FAILED,
  NUD_NOARP,
  NUD_REACHABLE,
  NUD_STALE,
  NUD_VALID,
  PACKET_HOST,
  UPDATE_ISROUTER,
  UPDATE_OVERRIDE,
  UPDATE_OVERRIDE_ISROUTER,
  UPDATE_WEAK_OVERRIDE,
} from '#kernel/net'
import {
  emitIp,
  IN6_ALL_NODES,
  IN6_ANY,
  type Ipv6Address,
  isLinkLocalIpv6,
  isMulticastIpv6,
  ND_OPT_NONCE,
  ND_OPT_REDIRECT_HDR,
  ND_OPT_SOURCE_LL_ADDR,
  ND_OPT_TARGET_LL_ADDR,
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_REDIRECT,
  NDISC_ROUTER_ADVERTISEMENT,
  NDISC_ROUTER_SOLICITATION,
  type NdOption,
  type Packet,
  parseNdOptions,
  readIpv6,
  solicitedNode,
  writeIpv6,
} from '#wire/inet'
import { formatMac, readMac, writeMac } from '#wire/link'
import { linkLocalOf } from './address-select.ts'
import { IFA_F_OPTIMISTIC, IFA_F_TENTATIVE, type Link6, link6 } from './inet6dev.ts'
import { ip6LinkFailure } from './input.ts'
import { joinGroup, leaveGroup } from './mld.ts'
import { newIcmp6, sendAdvertisement, sendOnLink, sendSolicitation } from './ndisc-send.ts'
import { neighbour6 } from './output.ts'
import { receiveAdvertisement } from './ra.ts'
import { flow6, type Route6, routeOutput6 } from './route.ts'
import { type State6, state6 } from './state.ts'

/** As ARP's, but nothing locks an entry. Linux: nd_tbl. */
export const ND_PARMS = new NeighbourParms().with('locktime', 0, false)

/** The Ethernet address of a group: 33:33 and its last 32 bits. RFC 2464 section 7. */
export function multicastMac6(group: Ipv6Address): number {
  return 0x333300000000 + group.w3
}

export const ndProtocol: NeighbourProtocol = {
  linkOf: (device) => link6(device),

  construct(neighbour: Neighbour) {
    const { device } = neighbour
    const address = neighbour.address6!
    const multicast = isMulticastIpv6(address)
    neighbour.type = multicast ? 'multicast' : 'unicast'
    if (device.looks.linkType !== 'ether' && !device.loops) {
      neighbour.state = NUD_NOARP
      return
    }
    if (multicast) {
      neighbour.state = NUD_NOARP
      neighbour.address = device.loops ? device.broadcast : multicastMac6(address)
    } else if (device.flags & (IFF_NOARP | IFF_LOOPBACK)) {
      neighbour.state = NUD_NOARP
      neighbour.address = device.address
    } else if (device.flags & IFF_POINTOPOINT) {
      neighbour.state = NUD_NOARP
      neighbour.address = device.broadcast
    }
  },

  solicit(neighbour, packet) {
    const link = neighbour.link as Link6
    const target = neighbour.address6!
    // The packet's own source, if it is one of this device's that may be used.
    const own = packet?.src6 && link.state.owner(packet.src6, neighbour.device)
    const from = own && !(own.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) ? own.address : undefined
    const probes = neighbour.probes - link.parms.ucastProbes
    if (probes < 0) sendSolicitation(link, target, target, from)
    else if (probes >= link.parms.appProbes) sendSolicitation(link, target, solicitedNode(target), from)
  },

  errorReport(neighbour, packet) {
    ip6LinkFailure(packet, neighbour.device)
  },

  isMulticast: () => false,

  proxyChanged({ address6, device }, added) {
    const link = device && link6(device)
    if (!link || !address6) return
    if (added) joinGroup(link, solicitedNode(address6))
    else leaveGroup(link, solicitedNode(address6))
  },

  proxyRedo(packet, device) {
    ndiscReceive(state6.of(device.host), packet, device, true)
  },
}

/** Whether a packet for somebody that this router answers for asks for him. ip6_forward_proxy_check(). */
export function solicitsProxied(packet: Packet): boolean {
  return packet.protocol === 58 && packet.raw === 0 && packet.icmpType >= 133 && packet.icmpType <= 137
}

/** A message of neighbour discovery; its checksum is right. ndisc_rcv(). */
export function ndiscReceive(state: State6, packet: Packet, device: NetDevice, waited = false): void {
  const link = link6(device)
  // Whoever isn't on the link can't send with a hop limit of 255.
  if (link === undefined || packet.ttl !== 255 || packet.icmpCode !== 0) return
  if (packet.ipOptions !== undefined && packet.ipId === 44 && link.conf.suppressFragNdisc) return
  const type = packet.icmpType
  if (type === NDISC_NEIGHBOUR_SOLICITATION) receiveSolicitation(state, link, packet, waited)
  else if (type === NDISC_NEIGHBOUR_ADVERTISEMENT) receiveNeighbourAdvertisement(state, link, packet)
  else if (type === NDISC_ROUTER_SOLICITATION) receiveRouterSolicitation(link, packet)
  else if (type === NDISC_ROUTER_ADVERTISEMENT) receiveAdvertisement(link, packet)
  else if (type === NDISC_REDIRECT) receiveRedirect(state, link, packet)
}

/** The options behind so many bytes; undefined if they can't be read. */
export function optionsOf(packet: Packet, behind: number): NdOption[] | undefined {
  const { buffer, offset, length } = packet
  return length < behind ? undefined : parseNdOptions(buffer, offset + behind, offset + length)
}

/** The link address that an option carries. */
export function linkAddress(packet: Packet, options: NdOption[], type: number): number | undefined | 'broken' {
  const option = options.find((each) => each.type === type)
  if (option === undefined) return undefined
  return option.length === 8 ? readMac(packet.buffer, option.at + 2) : 'broken'
}

function receiveSolicitation(state: State6, link: Link6, packet: Packet, waited: boolean): void {
  const { device } = link
  const options = optionsOf(packet, 16)
  if (options === undefined) return
  const target = readIpv6(packet.buffer, packet.offset)
  const src = packet.src6!
  const dst = packet.dst6!
  if (isMulticastIpv6(target)) return
  const probing = src === IN6_ANY
  if (probing && !(dst.w0 === 0xff020000 && dst.w1 === 0 && dst.w2 === 1 && dst.w3 >>> 24 === 0xff)) return
  const mac = linkAddress(packet, options, ND_OPT_SOURCE_LL_ADDR)
  if (mac === 'broken' || (probing && mac !== undefined)) return
  const multicast = isMulticastIpv6(dst)
  const own = state.owner(target, device)
  let router = link.conf.forwarding !== 0
  if (own !== undefined) {
    if (own.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) {
      if (probing) {
        const option = options.find((each) => each.type === ND_OPT_NONCE && each.length === 8)
        const nonce = option && readMac(packet.buffer, option.at + 2)
        // One's own, looped back by the link.
        if (nonce !== undefined && nonce === own.dadNonce) return
        state.dad.failure(own, formatMac(packet.macSrc))
        return
      }
      if (!(own.flags & IFA_F_OPTIMISTIC)) return
    }
  } else {
    const proxied = proxyOf(state, link, target)
    if (!link.anycasts.some((each) => each.address === target) && proxied === undefined) return
    if (proxied !== undefined) router = (proxied & NTF_ROUTER) !== 0
    if (!waited && packet.packetType !== PACKET_HOST && multicast && link.parms.proxyDelay !== 0) {
      state.nd.proxies.enqueue(packet.clone(), device)
      return
    }
  }
  if (probing) {
    sendAdvertisement(link, IN6_ALL_NODES, target, router, false, own !== undefined, true)
    return
  }
  const makes = !multicast || mac !== undefined || device.addressLength === 0
  const neighbour = makes ? neighbour6(state, device, src) : state.nd.find(device, src.id)
  if (neighbour === undefined) return
  neighbour.update(mac, NUD_STALE, UPDATE_WEAK_OVERRIDE | UPDATE_OVERRIDE)
  sendAdvertisement(link, src, target, router, true, own !== undefined && multicast, multicast)
}

/** The flags of an address that this router answers for. pndisc_is_router(). */
function proxyOf(state: State6, link: Link6, target: Ipv6Address): number | undefined {
  if (!link.conf.forwarding || !(state.confAll.proxyNdp || link.conf.proxyNdp)) return undefined
  return state.nd.peekProxies?.lookup(target.id, link.device)?.flags
}

function receiveNeighbourAdvertisement(state: State6, link: Link6, packet: Packet): void {
  const { device } = link
  const options = optionsOf(packet, 16)
  if (options === undefined) return
  const target = readIpv6(packet.buffer, packet.offset)
  const flags = packet.icmpRest
  const router = (flags & 0x80000000) !== 0
  const solicited = (flags & 0x40000000) !== 0
  const override = (flags & 0x20000000) !== 0
  if (isMulticastIpv6(target) || (isMulticastIpv6(packet.dst6!) && solicited)) return
  if (link.conf.dropUnsolicitedNa && !solicited) return
  const mac = linkAddress(packet, options, ND_OPT_TARGET_LL_ADDR)
  if (mac === 'broken') return
  const own = state.owner(target, device)
  if (own !== undefined) {
    if (packet.packetType === 5) return
    if (own.flags & IFA_F_TENTATIVE) state.dad.failure(own, formatMac(packet.macSrc))
    return
  }
  let neighbour = state.nd.find(device, target.id)
  if (neighbour === undefined && link.conf.acceptUntrackedNa && mac !== undefined && link.conf.forwarding) {
    if (link.conf.acceptUntrackedNa === 1 || state.owner(packet.src6!, device))
      neighbour = neighbour6(state, device, target)
  }
  if (neighbour === undefined) return
  if (neighbour.state & NUD_FAILED) return
  // A router that answers for others must not be told of by those.
  if (
    mac === device.address &&
    link.conf.forwarding &&
    state.confAll.proxyNdp &&
    state.nd.peekProxies?.lookup(target.id, device)
  ) {
    return
  }
  const was = neighbour.flags
  neighbour.update(
    mac,
    solicited ? NUD_REACHABLE : NUD_STALE,
    UPDATE_WEAK_OVERRIDE | (override ? UPDATE_OVERRIDE : 0) | UPDATE_OVERRIDE_ISROUTER | (router ? UPDATE_ISROUTER : 0),
  )
  // It was a router, and is one no longer: nothing goes by it. RFC 4861 section 7.3.3.
  if (was & NTF_ROUTER && !(neighbour.flags & NTF_ROUTER)) {
    const routers = state.main.routes.filter((route) => route.defaultRouter && route.gateway === target)
    for (const route of routers) if (route.device === device) state.main.remove(route)
    if (routers.length > 0) state.routesChanged()
  }
}

/** Only routers listen; a daemon answers. */
function receiveRouterSolicitation(link: Link6, packet: Packet): void {
  if (!link.conf.forwarding || packet.src6 === IN6_ANY) return
  const options = optionsOf(packet, 0)
  if (options === undefined) return
  const mac = linkAddress(packet, options, ND_OPT_SOURCE_LL_ADDR)
  if (mac === 'broken') return
  const neighbour = neighbour6(link.state, link.device, packet.src6!)
  neighbour?.update(mac, NUD_STALE, UPDATE_WEAK_OVERRIDE | UPDATE_OVERRIDE | UPDATE_OVERRIDE_ISROUTER)
}

/** Tells a sender that a better first hop is on its link. RFC 4861 section 8.2. */
export function sendRedirect(state: State6, packet: Packet, device: NetDevice, route: Route6): void {
  const link = link6(device)
  const source = linkLocalOf(device)
  if (link === undefined || source === undefined) return
  const src = packet.src6!
  const dst = packet.dst6!
  const target = route.gateway ?? dst
  if (target !== dst && !isLinkLocalIpv6(target)) return
  const back = routeOutput6(state, flow6({ dst: src, src: source, oif: device.ifindex, protocol: 58 }))
  if (typeof back === 'string' || back.gateway !== undefined) return
  if (!redirectAllowed(state, packet.src6!)) return
  const neighbour = neighbour6(state, device, target)
  const option: number[] = []
  if (neighbour !== undefined && neighbour.state & NUD_VALID) {
    const mac = new Uint8Array(6)
    writeMac(mac, 0, neighbour.address)
    option.push(ND_OPT_TARGET_LL_ADDR, 1, ...mac)
  }
  const bytes = emitIp(packet)
  const quoted = Math.min(1280 - 40 - 40 - option.length, bytes.length + 8) & ~7
  const payload = new Uint8Array(32 + option.length + quoted)
  writeIpv6(payload, 0, target)
  writeIpv6(payload, 16, dst)
  payload.set(option, 32)
  const at = 32 + option.length
  payload[at] = ND_OPT_REDIRECT_HDR
  payload[at + 1] = quoted >>> 3
  payload.set(bytes.subarray(0, quoted - 8), at + 8)
  const redirect = newIcmp6(source, src, NDISC_REDIRECT, 0, payload)
  redirect.priority = 7
  sendOnLink(link, redirect)
}

function redirectAllowed(state: State6, address: Ipv6Address): boolean {
  const now = jiffiesOf(state.host)
  state.peers ??= new Map()
  let peer = state.peers.get(address.id)
  if (peer === undefined) {
    peer = { tokens: 0, last: now - 60 * HZ }
    state.peers.set(address.id, peer)
  }
  peer.tokens = Math.min(peer.tokens + now - peer.last, 6 * HZ)
  peer.last = now
  if (peer.tokens < HZ) return false
  peer.tokens -= HZ
  return true
}

function receiveRedirect(state: State6, link: Link6, packet: Packet): void {
  const { device } = link
  if (!isLinkLocalIpv6(packet.src6!)) return
  const options = optionsOf(packet, 32)
  if (options === undefined) return
  const target = readIpv6(packet.buffer, packet.offset)
  const dst = readIpv6(packet.buffer, packet.offset + 16)
  if (isMulticastIpv6(dst)) return
  const onLink = target === dst
  if (!onLink && !isLinkLocalIpv6(target)) return
  if (link.conf.forwarding || !link.conf.acceptRedirects) return
  const mac = linkAddress(packet, options, ND_OPT_TARGET_LL_ADDR)
  if (mac === 'broken') return
  const route = routeOutput6(state, flow6({ dst, oif: device.ifindex }))
  if (typeof route === 'string' || route.fib === undefined || route.gateway !== packet.src6) return
  state.nd.find(device, packet.src6!.id)?.confirm()
  const neighbour = neighbour6(state, device, target)
  if (neighbour === undefined) return
  const more = onLink ? 0 : UPDATE_OVERRIDE_ISROUTER | UPDATE_ISROUTER
  neighbour.update(mac, NUD_STALE, UPDATE_WEAK_OVERRIDE | UPDATE_OVERRIDE | more)
  const exceptions = (route.fib.exceptions ??= new Map())
  exceptions.set(dst.id, {
    dst,
    mtu: exceptions.get(dst.id)?.mtu ?? 0,
    gateway: target,
    expiresNs: Number.POSITIVE_INFINITY,
  })
  state.routesChanged()
}

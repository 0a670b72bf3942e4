/**
 * What becomes of an IPv6 packet that came in: checked, routed, forwarded or delivered.
 * Linux 6.1 net/ipv6/ip6_input.c; net/ipv6/ip6_output.c: ip6_forward().
 */
import {
  fragMaxSize,
  type NetDevice,
  NF_ACCEPT,
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  runHooks,
} from '#kernel/net'
import {
  fragmentOf,
  ICMPV6_ADDR_UNREACH,
  ICMPV6_ADM_PROHIBITED,
  ICMPV6_DEST_UNREACH,
  ICMPV6_EXC_HOPLIMIT,
  ICMPV6_NOROUTE,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
  ICMPV6_UNK_NEXTHDR,
  IN6_ANY,
  IPPROTO_NONE,
  ipLength,
  isLinkLocalIpv6,
  isMulticastIpv6,
  type Packet,
  RAW_ETHERNET_PAYLOAD,
} from '#wire/inet'
import { destinationHeadersPass, hopByHopPass } from './exthdrs.ts'
import { defragment6 } from './fragments.ts'
import { icmp6Error } from './icmp.ts'
import { link6 } from './inet6dev.ts'
import { sendRedirect, solicitsProxied } from './ndisc.ts'
import { ip6Output, LOOPED, OUT6_FORWARDED } from './output.ts'
import { protocolHandlers6 } from './protocols.ts'
import { flow6, type Route6, routeInput6 } from './route.ts'
import { rawDeliver6 } from './sockets/raw.ts'
import { type State6, state6 } from './state.ts'
import { drop6 } from './trace.ts'

const ECN_NAMES = ['InNoECTPkts', 'InECT1Pkts', 'InECT0Pkts', 'InCEPkts']

/** A packet of a device's, its MAC header taken off. ipv6_rcv(), ip6_rcv_core(). */
export function ip6Receive(packet: Packet, device: NetDevice): void {
  const { host } = device
  // Where IPv6 was never switched on nothing is counted, and nothing made.
  const state = state6.peek(host)
  if (state === undefined) return
  if (packet.packetType === PACKET_OTHERHOST) {
    drop6(state, packet, 'OTHERHOST')
    return
  }
  const { counters } = state
  counters.countIp('InReceives')
  const looped = packet.extra === LOOPED || device.loops
  if (looped) packet.extra = undefined
  const link = link6(device)
  if (link === undefined || link.conf.disableIpv6) {
    counters.countIp('InDiscards')
    drop6(state, packet, 'NOT_SPECIFIED')
    return
  }
  if (packet.raw === RAW_ETHERNET_PAYLOAD) {
    const whole = packet.length >= 40 && packet.buffer[packet.offset]! >>> 4 === 6
    counters.countIp(whole ? 'InTruncatedPkts' : 'InHdrErrors')
    drop6(state, packet, whole ? 'PKT_TOO_SMALL' : 'IP_INHDR')
    return
  }
  counters.countIp(ECN_NAMES[packet.tos & 3]!)
  counters.countIp('InOctets', ipLength(packet))
  if (!looped) {
    packet.route = undefined
    packet.ct = undefined
    packet.ctInfo = 0
  }
  packet.trailer = undefined
  if (!addressesPass(packet, device, looped)) {
    counters.countIp('InHdrErrors')
    drop6(state, packet, 'IP_INHDR')
    return
  }
  if (packet.ipOptions !== undefined && !hopByHopPass(state, packet, device)) return
  const { trace, hooks } = state
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'receive', packet, device })
  if (
    hooks.preRouting.length !== 0 &&
    runHooks(host, hooks.preRouting, 'PRE_ROUTING', packet, device, undefined, undefined) !== NF_ACCEPT
  ) {
    return
  }
  ip6ReceiveFinish(state, packet, device)
}

/** Addresses that nobody may send from, or to. RFC 4291 section 2.5.3, 2.7. */
function addressesPass(packet: Packet, device: NetDevice, looped: boolean): boolean {
  const src = packet.src6!
  const dst = packet.dst6!
  const loopback = (address: typeof src) => address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1
  if ((loopback(src) || loopback(dst)) && !device.loops) return false
  if (isMulticastIpv6(src)) return false
  if (!isMulticastIpv6(dst)) {
    const group = packet.packetType === PACKET_BROADCAST || packet.packetType === PACKET_MULTICAST
    return !(group && link6(device)?.conf.dropUnicastInL2Multicast)
  }
  const scope = (dst.w0 >>> 16) & 15
  return scope !== 0 && (scope !== 1 || device.loops || looped)
}

/** After PRE_ROUTING. ip6_rcv_finish(). */
export function ip6ReceiveFinish(state: State6, packet: Packet, device: NetDevice): void {
  let route = packet.route as Route6 | undefined
  if (route === undefined) {
    const found = routeInput6(
      state,
      device,
      flow6({
        dst: packet.dst6!,
        src: packet.src6,
        iif: device.ifindex,
        mark: packet.mark,
        protocol: packet.protocol,
        tos: packet.tos,
        flowLabel: packet.flowLabel,
        srcPort: packet.srcPort,
        dstPort: packet.dstPort,
      }),
    )
    if (typeof found === 'string') {
      unreachable(state, packet, device, found)
      return
    }
    route = found
    packet.route = route
  }
  const { trace } = state
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'route', packet, route })
  if (isMulticastIpv6(packet.dst6!)) multicastInput(state, packet, device)
  else if (route.local) ip6LocalDeliver(state, packet, device)
  else if (route.error !== undefined) unreachable(state, packet, device, route.error)
  else ip6Forward(state, packet, device, route)
}

/** ip6_pkt_discard(), ip6_pkt_prohibit(). */
function unreachable(state: State6, packet: Packet, device: NetDevice, error: string): void {
  state.counters.countIp(packet.dst6 === IN6_ANY ? 'InAddrErrors' : 'InNoRoutes')
  const code = error === 'EACCES' ? ICMPV6_ADM_PROHIBITED : error === 'EINVAL' ? undefined : ICMPV6_NOROUTE
  if (code !== undefined) icmp6Error(packet, device, ICMPV6_DEST_UNREACH, code, 0)
  drop6(state, packet, 'IP_INNOROUTES')
}

/** ip6_mc_input(). */
function multicastInput(state: State6, packet: Packet, device: NetDevice): void {
  state.counters.countIp('InMcastPkts')
  state.counters.countIp('InMcastOctets', ipLength(packet))
  const member = link6(device)?.groups.some((group) => group.address === packet.dst6)
  if (member || device.loops) ip6LocalDeliver(state, packet, device)
  else drop6(state, packet, 'NOT_SPECIFIED')
}

/** ip6_forward(). */
function ip6Forward(state: State6, packet: Packet, device: NetDevice, route: Route6): void {
  const { counters } = state
  if (state.confAll.forwarding === 0 || packet.packetType !== PACKET_HOST) {
    drop6(state, packet, 'NOT_SPECIFIED')
    if (packet.packetType === PACKET_HOST) counters.countIp('InAddrErrors')
    return
  }
  if (packet.ttl <= 1) {
    icmp6Error(packet, device, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0)
    counters.countIp('InHdrErrors')
    drop6(state, packet, 'IP_INHDR')
    return
  }
  if (state.confAll.proxyNdp && state.nd.peekProxies?.lookup(packet.dst6!.id, device) !== undefined) {
    if (solicitsProxied(packet)) {
      ip6LocalDeliver(state, packet, device)
      return
    }
  }
  const src = packet.src6!
  if (device === route.device) {
    if (packet.ipOptions === undefined) sendRedirect(state, packet, device, route)
  } else if (src === IN6_ANY || isMulticastIpv6(src)) {
    counters.countIp('InAddrErrors')
    drop6(state, packet, 'IP_INADDRERRORS')
    return
  } else if (isLinkLocalIpv6(src)) {
    icmp6Error(packet, device, ICMPV6_DEST_UNREACH, 2, 0) // It would be nobody's there. ICMPV6_NOT_NEIGHBOUR.
    counters.countIp('InAddrErrors')
    drop6(state, packet, 'IP_INADDRERRORS')
    return
  }
  const mtu = Math.max(route.mtu, 1280)
  const most = fragMaxSize(packet) // Of what was put together on the way, the pieces count.
  if ((most === 0 ? ipLength(packet) : most) > mtu && packet.gsoSize === 0) {
    icmp6Error(packet, device, ICMPV6_PKT_TOOBIG, 0, mtu)
    counters.countIp('InTooBigErrors')
    counters.countIp('FragFails')
    drop6(state, packet, 'PKT_TOO_BIG')
    return
  }
  packet.ttl--
  const { trace, hooks } = state
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'forward', packet, route })
  if (
    hooks.forward.length !== 0 &&
    runHooks(state.host, hooks.forward, 'FORWARD', packet, device, route.device, undefined) !== NF_ACCEPT
  ) {
    return
  }
  counters.countIp('OutForwDatagrams')
  ip6Output(state, packet, packet.route as Route6, device, OUT6_FORWARDED) // A hook may have given it another.
}

/** For this host. ip6_input(). */
export function ip6LocalDeliver(state: State6, packet: Packet, device: NetDevice): void {
  const { trace, hooks } = state
  if (
    hooks.localIn.length !== 0 &&
    runHooks(state.host, hooks.localIn, 'LOCAL_IN', packet, device, undefined, undefined) !== NF_ACCEPT
  ) {
    return
  }
  let whole: Packet | undefined = packet
  if (packet.ipOptions !== undefined) {
    while (whole !== undefined && fragmentOf(whole) !== undefined) whole = defragment6(state, whole, device)
    if (whole === undefined || !destinationHeadersPass(state, whole, device)) return
  }
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'deliver', packet: whole })
  deliver(state, whole, device)
}

/** To raw sockets, then to the protocol. ip6_protocol_deliver_rcu(). */
function deliver(state: State6, packet: Packet, device: NetDevice): void {
  const raw = rawDeliver6(state, packet, device)
  const handler = protocolHandlers6[packet.protocol]
  const { counters } = state
  if (handler !== undefined) {
    handler(state, packet, device)
    counters.countIp('InDelivers')
  } else if (raw || packet.protocol === IPPROTO_NONE) counters.countIp('InDelivers')
  else {
    counters.countIp('InUnknownProtos')
    icmp6Error(packet, device, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, nextHeaderAt(packet))
    drop6(state, packet, 'IP_NOPROTO')
  }
}

/** Where the type of the payload stands: in the header, or in the last extension header. */
function nextHeaderAt(packet: Packet): number {
  const chain = packet.ipOptions
  if (chain === undefined) return 6
  let at = 0
  for (let type = packet.ipId; ; ) {
    const length = type === 44 ? 8 : (chain[at + 1]! + 1) * 8
    if (at + length >= chain.length) return 40 + at
    type = chain[at]!
    at += length
  }
}

/** The next hop of a packet that was on its way out doesn't answer. ip6_link_failure(). */
export function ip6LinkFailure(packet: Packet, device: NetDevice): void {
  icmp6Error(packet, device, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0)
}

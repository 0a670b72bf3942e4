/**
 * IPv6's way out: flow labels, hooks, fragments, and the neighbour at the end.
 *
 * Linux 6.1 net/ipv6/ip6_output.c: ip6_output(), ip6_finish_output2(), ip6_fragment(); include/net/ipv6.h:
 * ip6_make_flowlabel(); net/ipv6/output_core.c: __ip6_local_out(), ipv6_select_ident().
 */
import type { Errno } from '#kernel/core'
import {
  fragMaxSize,
  type Neighbour,
  type NetDevice,
  NF_ACCEPT,
  NF_DROP,
  PACKET_MULTICAST,
  runHooks,
} from '#kernel/net'
import {
  ETH_P_IPV6,
  emitIp,
  extensionHeaders,
  ICMPV6_PKT_TOOBIG,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_ICMPV6,
  IPPROTO_ROUTING,
  type Ipv6Address,
  ipLength,
  isMulticastIpv6,
  type Packet,
  RAW_IP_PAYLOAD,
} from '#wire/inet'
import { icmp6Error } from './icmp.ts'
import { link6 } from './inet6dev.ts'
import { flowHash, type Route6 } from './route.ts'
import type { State6 } from './state.ts'
import { drop6 } from './trace.ts'

/** A multicast that its sender doesn't want to hear. */
export const OUT6_NO_LOOP = 1
/** It may be cut into fragments although it came from elsewhere or its socket doesn't want it. skb->ignore_df. */
export const OUT6_IGNORE_DF = 2
/** It came in by another device. */
export const OUT6_FORWARDED = 4
/** Its socket doesn't want to know of path MTUs, and goes by the device's. */
export const OUT6_DEVICE_MTU = 8

/** A label that is the same for all packets of a flow. ip6_make_flowlabel(). */
export function makeFlowLabel(state: State6, packet: Packet): number {
  if (state.sysctls.autoFlowlabels === 0) return 0
  const src = packet.src6!
  const dst = packet.dst6!
  const words = [src.w0, src.w1, src.w2, src.w3, dst.w0, dst.w1, dst.w2, dst.w3, packet.protocol]
  // ICMPv6's type and code stand where others have ports.
  const icmp = packet.protocol === IPPROTO_ICMPV6
  const [from, to] = icmp ? [packet.icmpType, packet.icmpCode] : [packet.srcPort, packet.dstPort]
  return flowHash(state, [...words, from, to]) & 0xfffff
}

/** A packet made here, complete: to LOCAL_OUT and out. undefined: sent. ip6_local_out(). */
export function ip6LocalOut(state: State6, packet: Packet, route: Route6, flags: number): Errno | undefined {
  packet.etherType = ETH_P_IPV6
  packet.route = route
  const { hooks } = state
  state.counters.countIp('OutRequests')
  if (hooks.localOut.length !== 0) {
    const out = route.device
    const verdict = runHooks(state.host, hooks.localOut, 'LOCAL_OUT', packet, undefined, out, undefined)
    if (verdict !== NF_ACCEPT) return verdict === NF_DROP ? 'EPERM' : undefined
    route = packet.route as Route6
  }
  return ip6Output(state, packet, route, undefined, flags)
}

/** ip6_output(). */
export function ip6Output(
  state: State6,
  packet: Packet,
  route: Route6,
  inDevice: NetDevice | undefined,
  flags: number,
): Errno | undefined {
  const { device } = route
  const { trace, hooks } = state
  if (trace !== undefined && trace.listeners !== 0) trace.emit({ kind: 'output', packet, route })
  if (link6(device)?.conf.disableIpv6) {
    state.counters.countIp('OutDiscards')
    drop6(state, packet, 'NOT_SPECIFIED')
    return undefined
  }
  if (hooks.postRouting.length !== 0) {
    const verdict = runHooks(state.host, hooks.postRouting, 'POST_ROUTING', packet, inDevice, device, undefined)
    if (verdict !== NF_ACCEPT) return verdict === NF_DROP ? 'EPERM' : undefined
  }
  const mtu = flags & OUT6_DEVICE_MTU ? (link6(device)?.mtu6 ?? device.mtu) : route.mtu
  const most = fragMaxSize(packet)
  if (most !== 0 && most <= mtu && ipLength(packet) > most) {
    // What was put together on the way goes on in pieces no larger than those that came.
    return fragment(state, packet, route, Math.max(most, 1280), flags | OUT6_IGNORE_DF)
  }
  if (ipLength(packet) <= mtu || packet.gsoSize !== 0) return finish(state, packet, route, flags)
  return fragment(state, packet, route, mtu, flags)
}

/** ip6_finish_output2(). */
function finish(state: State6, packet: Packet, route: Route6, flags: number): Errno | undefined {
  const { device } = route
  const dst = packet.dst6!
  const { counters } = state
  if (isMulticastIpv6(dst)) {
    if (!device.loops && !(flags & OUT6_NO_LOOP) && link6(device)?.groups.some((group) => group.address === dst)) {
      loopBack(state, packet, route, device)
      if (packet.ttl === 0) {
        counters.countIp('OutDiscards')
        return undefined
      }
    }
    counters.countIp('OutMcastPkts')
    counters.countIp('OutMcastOctets', ipLength(packet))
    if (((dst.w0 >>> 16) & 15) <= 1 && !device.loops) return undefined // Not beyond the host.
  }
  counters.countIp('OutOctets', ipLength(packet))
  const neighbour = neighbour6(state, device, route.nextHopFor(dst))
  if (neighbour === undefined) {
    counters.countIp('OutNoRoutes')
    return 'EINVAL'
  }
  neighbour.output(packet)
  return undefined
}

/** A copy comes back by the same device. dev_loopback_xmit(). */
function loopBack(state: State6, packet: Packet, route: Route6, device: NetDevice): void {
  const copy = packet.clone()
  copy.route = route
  copy.packetType = PACKET_MULTICAST
  copy.extra = LOOPED
  device.net.backlogReceive(device, copy)
  void state
}

/** Marks what a host hears of itself. */
export const LOOPED = { looped: true }

/** An entry of the neighbour table, made if there was none; undefined if it is full or IPv6 isn't there. */
export function neighbour6(state: State6, device: NetDevice, address: Ipv6Address): Neighbour | undefined {
  const link = link6(device)
  if (link === undefined) return undefined
  const last = link.lastNeighbour
  if (last !== undefined && last.key === address.id) return last
  const found = link.neighbours?.get(address.id) ?? state.nd.create(device, address.id, false, address)
  if (found !== undefined) link.lastNeighbour = found
  return found
}

/** How much of the chain of extension headers every fragment repeats. ip6_find_1stfragopt(). */
function unfragmentable(packet: Packet): number {
  const headers = extensionHeaders(packet)
  let end = 0
  for (let i = 0; i < headers.length; i++) {
    const { type, at, length } = headers[i]!
    const beforeRouting = headers.slice(i + 1).some((later) => later.type === IPPROTO_ROUTING)
    if (type === IPPROTO_HOPOPTS || type === IPPROTO_ROUTING || (type === IPPROTO_DSTOPTS && beforeRouting)) {
      end = at + length
    } else break
  }
  return end
}

/** An identification that nobody can guess. ipv6_select_ident(). */
function selectIdent(state: State6): number {
  state.fragmentId = state.host.sim.random(`${state.host.name}/ipv6 id`).below(2 ** 32 - 1) + 1
  return state.fragmentId
}

/** Cuts a packet into pieces that fit. ip6_fragment(). */
function fragment(state: State6, packet: Packet, route: Route6, mtu: number, flags: number): Errno | undefined {
  const { counters } = state
  if (!(flags & OUT6_IGNORE_DF)) {
    // A router never cuts; what the host itself made too large learns of it too.
    icmp6Error(packet, packet.iif === 0 ? undefined : deviceOf(state, packet.iif), ICMPV6_PKT_TOOBIG, 0, mtu)
    counters.countIp('FragFails')
    drop6(state, packet, 'PKT_TOO_BIG')
    return 'EMSGSIZE'
  }
  const bytes = emitIp(packet)
  const kept = unfragmentable(packet)
  const headers = packet.ipOptions
  const room = mtu - 40 - kept - 8
  if (room < 8) {
    counters.countIp('FragFails')
    drop6(state, packet, 'PKT_TOO_BIG')
    return 'EMSGSIZE'
  }
  const body = bytes.subarray(40 + kept)
  const ident = selectIdent(state)
  const chainHeaders = extensionHeaders(packet).filter(({ at }) => at < kept)
  const last = chainHeaders[chainHeaders.length - 1]
  const nextType = last ? last.next : headers === undefined ? packet.protocol : packet.ipId
  for (let at = 0; at < body.length; ) {
    const length = body.length - at > room ? room & ~7 : body.length - at
    const more = at + length < body.length
    const piece = packet.clone()
    piece.route = route
    piece.raw = RAW_IP_PAYLOAD
    piece.buffer = body
    piece.offset = at
    piece.length = length
    const chain = new Uint8Array(kept + 8)
    if (headers !== undefined) chain.set(headers.subarray(0, kept))
    if (last) chain[last.at] = IPPROTO_FRAGMENT
    const word = at | (more ? 1 : 0)
    chain.set(
      [nextType, 0, word >>> 8, word & 255, ident >>> 24, (ident >>> 16) & 255, (ident >>> 8) & 255, ident & 255],
      kept,
    )
    piece.ipOptions = chain
    piece.ipId = kept > 0 ? packet.ipId : IPPROTO_FRAGMENT
    piece.protocol = nextType
    piece.fragment = (at >>> 3) | (more ? 0x2000 : 0)
    const failed = finish(state, piece, route, flags)
    if (failed !== undefined) {
      counters.countIp('FragFails')
      return failed
    }
    counters.countIp('FragCreates')
    at += length
  }
  counters.countIp('FragOKs')
  return undefined
}

export function deviceOf(state: State6, ifindex: number): NetDevice | undefined {
  return state.net.devices.find((device) => device.ifindex === ifindex)
}

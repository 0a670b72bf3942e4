/**
 * Sending ICMPv6: errors about packets, and replies. RFC 4443.
 * Linux 6.1 net/ipv6/icmp.c: icmp6_send(), icmpv6_echo_reply(), icmpv6_global_allow(), icmpv6_xrlim_allow().
 */
import { HZ, jiffiesOf, type NetDevice, PACKET_HOST } from '#kernel/net'
import {
  emitIp,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_UNK_OPTION,
  IN6_ANY,
  IPPROTO_ICMPV6,
  type Ipv6Address,
  isLinkLocalIpv6,
  isMulticastIpv6,
  NDISC_REDIRECT,
  type Packet,
  RAW_NONE,
} from '#wire/inet'
import { newIcmp6 } from './ndisc-send.ts'
import { ip6LocalOut, makeFlowLabel, OUT6_IGNORE_DF } from './output.ts'
import { flow6, type Route6, routeFlow6 } from './route.ts'
import { type State6, state6 } from './state.ts'

/** What an error may be as a whole. RFC 4443 section 2.4 (c). */
const ERROR_MAX = 1280
const BURST_FACTOR = 6
const PEERS_MAX = 65_664

/** Whether a packet must not be answered with an error: it is one itself, or a redirect. is_ineligible(). */
function isError(packet: Packet): boolean {
  if (packet.protocol !== IPPROTO_ICMPV6) return false
  const type = packet.raw === RAW_NONE ? packet.icmpType : packet.length > 0 ? packet.buffer[packet.offset]! : undefined
  return type === undefined || type < 128 || type === NDISC_REDIRECT
}

/** A mask as net.ipv6.icmp.ratemask writes it. */
function limited(mask: string, type: number): boolean {
  return mask.split(',').some((range) => {
    const [low, high = low] = range.split('-').map(Number)
    return low !== undefined && type >= low && type <= high!
  })
}

/** Whether a host may be told one more. inet_peer_xrlim_allow(). */
function peerAllows(state: State6, route: Route6, dst: Ipv6Address): boolean {
  if (route.device.loops) return true
  const prefix = route.fib?.prefix ?? 128
  let cost = Math.floor((state.sysctls.ratelimit * HZ) / 1000)
  if (prefix < 128) cost >>= (128 - prefix) >> 5
  const now = jiffiesOf(state.host)
  state.peers ??= new Map()
  let peer = state.peers.get(dst.id)
  if (peer === undefined) {
    if (state.peers.size >= PEERS_MAX) state.peers.delete(state.peers.keys().next().value as number)
    peer = { tokens: 0, last: now - 60 * HZ }
    state.peers.set(dst.id, peer)
  }
  peer.tokens = Math.min(peer.tokens + now - peer.last, BURST_FACTOR * cost)
  peer.last = now
  if (peer.tokens < cost) {
    state.counters.countIcmp('OutRateLimitHost')
    return false
  }
  peer.tokens -= cost
  return true
}

/**
 * Tells a packet's sender of an error; the packet stays as it is.
 *
 * @param device the one that the packet is at, if it came in by one
 * @param info the MTU, or the pointer
 */
export function icmp6Error(
  packet: Packet,
  device: NetDevice | undefined,
  type: number,
  code: number,
  info: number,
): void {
  const route = packet.route as Route6 | undefined
  const host = device?.host ?? route?.device.host
  if (host === undefined) return
  const state = state6.of(host)
  const src = packet.src6!
  const dst = packet.dst6!
  let from: Ipv6Address | undefined
  if (state.usable(dst)) from = dst
  if (isMulticastIpv6(dst) || packet.packetType !== PACKET_HOST) {
    const allowed = type === ICMPV6_PKT_TOOBIG || (type === ICMPV6_PARAMPROB && code === ICMPV6_UNK_OPTION)
    if (!allowed) return
    from = undefined
  }
  if (src === IN6_ANY || isMulticastIpv6(src) || isError(packet)) return
  const oif = isLinkLocalIpv6(src) && device !== undefined ? device.ifindex : 0
  const mark = state.sysctls.fwmarkReflect ? packet.mark : 0
  const flow = flow6({ dst: src, src: from, oif, mark, protocol: IPPROTO_ICMPV6 })
  const out = routeFlow6(state, flow)
  if (typeof out === 'string') return
  if (limited(state.sysctls.ratemask, type) && device?.loops !== true && !peerAllows(state, out, src)) return
  const bytes = emitIp(packet)
  const room = Math.min(ERROR_MAX, out.mtu) - 48
  const error = newIcmp6(flow.src!, src, type, info, bytes)
  error.icmpCode = code
  error.length = Math.min(bytes.length, room)
  error.ttl = out.hopLimit
  error.mark = mark
  error.flowLabel = makeFlowLabel(state, error)
  state.counters.messageOut(type)
  ip6LocalOut(state, error, out, OUT6_IGNORE_DF)
}

/** Answers an echo request. icmpv6_echo_reply(). */
export function echoReply(state: State6, request: Packet, device: NetDevice): void {
  const route = request.route as Route6
  const multicast = isMulticastIpv6(request.dst6!)
  const { sysctls } = state
  if (sysctls.echoIgnoreAll || (multicast && sysctls.echoIgnoreMulticast)) return
  if (route.type === 'anycast' && sysctls.echoIgnoreAnycast) return
  let from: Ipv6Address | undefined = request.dst6
  if (multicast || (route.type === 'anycast' && !sysctls.anycastSrcEchoReply)) from = undefined
  const oif = isLinkLocalIpv6(request.src6!) ? incoming(request, device).ifindex : 0
  const mark = sysctls.fwmarkReflect ? request.mark : 0
  const flow = flow6({ dst: request.src6!, src: from, oif, mark, protocol: IPPROTO_ICMPV6 })
  const out = routeFlow6(state, flow)
  if (typeof out === 'string') return
  if (limited(sysctls.ratemask, 129) && !peerAllows(state, out, request.src6!)) return
  const reply = newIcmp6(flow.src!, request.src6!, 129, request.icmpRest, request.buffer)
  reply.icmpCode = 0
  reply.offset = request.offset
  reply.length = request.length
  reply.ttl = out.hopLimit
  reply.tos = request.tos
  reply.mark = mark
  reply.flowLabel = makeFlowLabel(state, reply)
  state.counters.messageOut(129)
  ip6LocalOut(state, reply, out, OUT6_IGNORE_DF)
}

/** The device that a packet counts as come in by: for what looped back by lo, the one whose address it is for. icmp6_iif(). */
export function incoming(packet: Packet, device: NetDevice): NetDevice {
  const route = packet.route as Route6 | undefined
  if (device.loops && route?.hop !== undefined) return route.hop.device
  return device
}

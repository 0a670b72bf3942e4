/**
 * Sending ICMP: errors about packets, and replies. Linux 6.1 net/ipv4/icmp.c: __icmp_send(), icmp_reply(), icmp_push_reply().
 */
import { emitIp, IP_OFFSET, IPPROTO_ICMP, isIcmpError, type Packet, RAW_NONE } from '#wire/inet'
import { selectAddress } from './addresses.ts'
import { type NetDevice, PACKET_HOST } from './device.ts'
import { flowOf } from './fib.ts'
import { globalAllows, peerAllowsError } from './icmp-limit.ts'
import { RT_SCOPE_LINK } from './inetdev.ts'
import { countIcmp } from './ip-counters.ts'
import { compileOptions, echoOptions, type IpOptions, optionsOf } from './ip-options.ts'
import { hopLimit, ipLocalOut, newIpPacket, OUT_IGNORE_DF, selectIdent } from './ip-output.ts'
import { type InetState, inetState } from './ip-state.ts'
import { type Route, RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, routeFlow, specificDestination } from './route.ts'

const ICMP_DEST_UNREACH = 3
const ICMP_HOST_UNREACH = 1
/** What an error quotes at most, headers of its own included. RFC 1812 section 4.3.2.3. */
const ERROR_MAX = 576
/** RFC 7600's dummy address, for a host without any. */
const INADDR_DUMMY = 0xc0000008
const PRECEDENCE_INTERNETCONTROL = 0xc0

/** The types that are errors in the kernel's eyes: those without a meaning are taken for errors too. icmp_pointers[]. */
function countsAsError(type: number): boolean {
  return (
    isIcmpError(type) || type > 18 || type === 1 || type === 2 || type === 6 || type === 7 || type === 9 || type === 10
  )
}

/** The type of an ICMP message that a packet carries; undefined if it is too short to say. */
function innerType(packet: Packet): number | undefined {
  if (packet.raw === RAW_NONE) return packet.icmpType
  return packet.length > 0 ? packet.buffer[packet.offset] : undefined
}

/** Whether an error may be sent about a packet at all. RFC 1122 section 3.2.2. */
function mayBeToldOf(packet: Packet, route: Route, type: number): boolean {
  if (packet.packetType !== PACKET_HOST) return false
  if (route.flags & (RTCF_BROADCAST | RTCF_MULTICAST)) return false
  if (packet.fragment & IP_OFFSET) return false
  if (!countsAsError(type) || packet.protocol !== IPPROTO_ICMP) return true
  const inner = innerType(packet)
  return inner !== undefined && !countsAsError(inner)
}

/**
 * Sends an ICMP error about a packet (which stays as it is) to its sender.
 *
 * @param device the one that the packet is at: it came in by it, or was on its way out
 * @param info the second word of the ICMP header: the MTU, the gateway, the pointer
 */
export function icmpError(
  packet: Packet,
  device: NetDevice | undefined,
  type: number,
  code: number,
  info: number,
): void {
  const route = packet.route as Route | undefined
  if (!route) return
  sendError(packet, device, route, type, code, info, packet.ipOptions ? optionsOf(packet) : undefined)
}

function sendError(
  packet: Packet,
  device: NetDevice | undefined,
  route: Route,
  type: number,
  code: number,
  info: number,
  options: IpOptions | undefined,
): void {
  const host = route.device.host
  const state = inetState.of(host)
  if (!mayBeToldOf(packet, route, type)) return
  const limited = device?.kind === 'loopback' ? 'free' : globalAllows(state, type, code)
  if (limited === 'no') return
  let src = packet.dst
  if (!(route.flags & RTCF_LOCAL)) {
    const inbound = route.input && state.sysctls.errorsUseInboundAddress !== 0 ? device : undefined
    src = inbound ? selectAddress(inbound, packet.src, RT_SCOPE_LINK) : 0
  }
  const tos = countsAsError(type) ? (packet.tos & 0x1e) | PRECEDENCE_INTERNETCONTROL : packet.tos
  const echoed = options && packet.ipOptions ? echoOptions(packet, options) : undefined
  if (echoed === 'broken') return
  const mark = state.sysctls.fwmarkReflect ? packet.mark : 0
  const flow = flowOf({ dst: echoed?.first || packet.src, src, tos, mark, protocol: IPPROTO_ICMP })
  const out = routeFlow(host, flow)
  if (typeof out === 'string') return
  if (limited === 'limited' && !peerAllowsError(state, out, flow.dst)) return
  const room = Math.min(out.mtu(false), ERROR_MAX) - 20 - (echoed?.bytes.length ?? 0) - 8
  if (room <= 20) return
  const bytes = emitIp(packet)
  const error = newIpPacket(flow.src || INADDR_DUMMY, packet.src, IPPROTO_ICMP, tos, 0)
  error.icmpType = type
  error.icmpCode = code
  error.icmpRest = info
  error.buffer = bytes
  error.length = Math.min(bytes.length, room)
  error.mark = mark
  if (packet.ct !== undefined && countsAsError(type)) {
    // It belongs to the packet's connection, the other way: nf_ct_attach(). IP_CT_RELATED_REPLY, IP_CT_RELATED.
    error.ct = packet.ct
    error.ctInfo = packet.ctInfo < 3 ? 4 : 1
  }
  pushReply(state, error, out, echoed)
}

/** What options an answer carries: as bytes, and the first hop of the source route, if there is one. */
export interface EchoedOptions {
  bytes: Uint8Array
  first: number
  /** Fills in what is recorded on the way out. */
  build(packet: Packet, route: Route): void
}

/** icmp_push_reply(): what an ICMP socket of the kernel sends may be fragmented, and never says DF. */
function pushReply(state: InetState, packet: Packet, route: Route, options: EchoedOptions | undefined): void {
  packet.ttl = hopLimit(state, route)
  if (options && options.bytes.length > 0) {
    if (options.first) packet.dst = options.first
    packet.ipOptions = options.bytes
    options.build(packet, route)
  }
  packet.ipId = selectIdent(state, packet)
  countIcmp(state.count().icmpOut, packet.icmpType)
  state.count().icmpOutMsgs++
  const failed = ipLocalOut(state, packet, route, OUT_IGNORE_DF)
  if (failed !== undefined) state.count().outDiscards++
}

/**
 * Answers a packet with an ICMP message that has this payload. icmp_reply().
 */
export function icmpReply(
  request: Packet,
  device: NetDevice,
  type: number,
  code: number,
  rest: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
): void {
  const host = device.host
  const state = inetState.of(host)
  const route = request.route as Route
  const options = request.ipOptions ? optionsOf(request) : undefined
  const echoed = options ? echoOptions(request, options) : undefined
  if (echoed === 'broken') return
  const limited = globalAllows(state, type, code)
  if (limited === 'no') return
  const mark = state.sysctls.fwmarkReflect ? request.mark : 0
  const src = specificDestination(request, route, device)
  const flow = flowOf({ dst: echoed?.first || request.src, src, mark, tos: request.tos & 0x1e, protocol: IPPROTO_ICMP })
  const out = routeFlow(host, flow)
  if (typeof out === 'string') return
  if (limited === 'limited' && !peerAllowsError(state, out, flow.dst)) return
  const reply = newIpPacket(flow.src, request.src, IPPROTO_ICMP, request.tos, 0)
  reply.icmpType = type
  reply.icmpCode = code
  reply.icmpRest = rest
  reply.buffer = buffer
  reply.offset = offset
  reply.length = length
  reply.mark = mark
  pushReply(state, reply, out, echoed)
}

/** The neighbour of a packet that was on its way out by a device can't be found. ipv4_link_failure(). */
export function ipLinkFailure(packet: Packet, device: NetDevice): void {
  const route = packet.route as Route | undefined
  if (!route) return
  let options: IpOptions | undefined
  if (packet.ipOptions) {
    packet.ipOptions = packet.ipOptions.slice()
    if (compileOptions(packet, route, device) !== undefined) return
    options = optionsOf(packet)
  }
  sendError(packet, device, route, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, options)
}

/**
 * IPv4's way out: headers for what is made here, identifications, fragments, and the neighbour at the end.
 * Linux 6.1 net/ipv4/ip_output.c; net/ipv4/route.c: __ip_select_ident().
 */
import type { Errno } from '#kernel/core'
import { ETH_P_IP, emitIp, IP_DF, IP_MF, IP_OFFSET, ipLength, Packet, RAW_IP_PAYLOAD } from '#wire/inet'
import { type NetDevice, PACKET_LOOPBACK } from './device.ts'
import { fragMaxSize } from './fragments.ts'
import { cutSegment, gsoNetworkLength } from './gso.ts'
import { NF_ACCEPT, NF_DROP, runHooks } from './hooks.ts'
import { icmpError } from './icmp.ts'
import { fragmentOptions } from './ip-options.ts'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { jiffiesOf } from './jiffies.ts'
import { neighbourOutput } from './neighbour.ts'
import { Route, RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './route.ts'

/** The packet came in by another device. IPSKB_FORWARDED. */
export const OUT_FORWARDED = 1
/** It may be fragmented although it says DF: its socket doesn't insist. skb->ignore_df. */
export const OUT_IGNORE_DF = 2
/** Its socket doesn't want to know of path MTUs, and goes by the device's. */
export const OUT_DEVICE_MTU = 4
/** A multicast that its sender doesn't want to hear. */
export const OUT_NO_LOOP = 8

const ICMP_DEST_UNREACH = 3
const ICMP_FRAG_NEEDED = 4

/** The TTL of what is sent by a route, unless the sender says one. ip4_dst_hoplimit(). */
export function hopLimit(state: InetState, route: Route): number {
  const metric = route.info?.metrics?.['hoplimit'] ?? 0
  return metric === 0 ? state.sysctls.defaultTtl : metric
}

/**
 * An identification from the counter that packets between two addresses by a protocol share. A counter that rested has
 * jumped by up to as many as jiffies passed. __ip_select_ident(), ip_idents_reserve().
 */
export function selectIdent(state: InetState, packet: Packet): number {
  const host = state.host
  const key = `${packet.src}/${packet.dst}/${packet.protocol}`
  const now = jiffiesOf(host)
  state.idents ??= new Map()
  let counter = state.idents.get(key)
  const random = host.sim.random(`${host.name}/ip id`)
  if (!counter) {
    counter = { id: random.below(65536), jiffies: now }
    state.idents.set(key, counter)
  } else if (counter.jiffies !== now) {
    counter.id += random.below(Math.min(now - counter.jiffies, 2 ** 32))
    counter.jiffies = now
  }
  const id = counter.id & 0xffff
  counter.id = (counter.id + 1) & 0xffff
  return id
}

/** A packet made here, complete: to LOCAL_OUT and out. undefined: sent. ip_local_out(). */
export function ipLocalOut(state: InetState, packet: Packet, route: Route, flags: number): Errno | undefined {
  packet.etherType = ETH_P_IP
  packet.route = route
  const hooks = state.hooks
  if (hooks.localOut.length !== 0) {
    const out = route.device
    const verdict = runHooks(state.host, hooks.localOut, 'LOCAL_OUT', packet, undefined, out, state.tell)
    if (verdict !== NF_ACCEPT) return verdict === NF_DROP ? 'EPERM' : undefined
    route = packet.route as Route // A hook may have given it another.
  }
  return dstOutput(state, packet, route, flags)
}

/** dst_output(): most go by ip_output(), what others here should hear too by ip_mc_output(). */
export function dstOutput(state: InetState, packet: Packet, route: Route, flags: number): Errno | undefined {
  const group = route.flags & (RTCF_BROADCAST | RTCF_MULTICAST)
  if (group !== 0 && !route.input && (route.flags & RTCF_LOCAL) !== 0 && route.device.kind !== 'loopback') {
    return groupOutput(state, packet, route, flags)
  }
  return ipOutput(state, packet, route, undefined, flags, ipLength(packet))
}

/** ip_output(). */
export function ipOutput(
  state: InetState,
  packet: Packet,
  route: Route,
  inDevice: NetDevice | undefined,
  flags: number,
  length: number,
): Errno | undefined {
  const counters = state.counters ?? state.count()
  counters.outRequests++
  counters.outOctets += length
  const { hooks } = state
  state.tell?.({ kind: 'output', packet, route })
  if (hooks.postRouting.length !== 0) {
    const out = route.device
    const verdict = runHooks(state.host, hooks.postRouting, 'POST_ROUTING', packet, inDevice, out, state.tell)
    if (verdict !== NF_ACCEPT) return verdict === NF_DROP ? 'EPERM' : undefined
    length = ipLength(packet)
  }
  return finishOutput(state, packet, route, flags, length)
}

/** ip_mc_output(): a copy comes back by the same device, as if it had been received. */
function groupOutput(state: InetState, packet: Packet, route: Route, flags: number): Errno | undefined {
  const counters = state.count()
  counters.outRequests++
  counters.outOctets += ipLength(packet)
  const device = route.device
  const postRouting = state.hooks.postRouting
  const goesOn = (one: Packet) =>
    postRouting.length === 0 ||
    runHooks(state.host, postRouting, 'POST_ROUTING', one, undefined, device, state.tell) === NF_ACCEPT
  if (route.flags & RTCF_BROADCAST || !(flags & OUT_NO_LOOP)) {
    const copy = packet.clone()
    if (goesOn(copy)) {
      const looped = new Route(route.type, route.flags, device.net.devices[0]!, false)
      looped.info = route.info
      looped.generation = route.generation
      copy.route = looped
      copy.packetType = PACKET_LOOPBACK
      device.net.backlogReceive(device, copy)
    }
  }
  if (route.flags & RTCF_MULTICAST && packet.ttl === 0) return undefined // Not beyond the host.
  return goesOn(packet) ? finishOutput(state, packet, route, flags, ipLength(packet)) : 'EPERM'
}

/** ip_finish_output(): in one piece or in several. */
function finishOutput(
  state: InetState,
  packet: Packet,
  route: Route,
  flags: number,
  length: number,
): Errno | undefined {
  const mtu = outputMtu(route, flags)
  const most = fragMaxSize(packet)
  if (most !== 0) return finishPieces(state, packet, route, mtu, most)
  if (length <= mtu) return sendToNeighbour(state, packet, route)
  if (packet.gsoSize !== 0) return finishSegments(state, packet, route, flags, mtu)
  if ((packet.fragment & IP_DF) !== 0 && !(flags & OUT_IGNORE_DF)) {
    state.count().fragFails++
    icmpError(packet, deviceOf(state, packet), ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
    drop(state, packet, 'NOT_SPECIFIED')
    return 'EMSGSIZE'
  }
  return fragment(state, packet, route, mtu)
}

/** What was put together on the way is cut again as it was, if that fits. ip_fragment(). */
function finishPieces(state: InetState, packet: Packet, route: Route, mtu: number, most: number): Errno | undefined {
  if ((packet.fragment & IP_DF) !== 0 && most > mtu) {
    state.count().fragFails++
    icmpError(packet, deviceOf(state, packet), ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
    drop(state, packet, 'NOT_SPECIFIED')
    return 'EMSGSIZE'
  }
  return fragment(state, packet, route, Math.min(mtu, most), packet.fragment & IP_DF)
}

/** A packet of several segments goes on whole if each of them fits. ip_finish_output_gso(). */
function finishSegments(state: InetState, packet: Packet, route: Route, flags: number, mtu: number): Errno | undefined {
  if (gsoNetworkLength(packet) <= mtu) return sendToNeighbour(state, packet, route)
  let failed: Errno | undefined
  while (packet.gsoSize !== 0) {
    const segment = cutSegment(packet)
    failed = finishOutput(state, segment, route, flags, ipLength(segment)) ?? failed
  }
  failed = finishOutput(state, packet, route, flags, ipLength(packet)) ?? failed
  return failed
}

/** ip_skb_dst_mtu(). */
export function outputMtu(route: Route, flags: number): number {
  if (flags & OUT_FORWARDED) return route.input ? route.forwardMtu : route.mtu(true)
  if (flags & OUT_DEVICE_MTU) return Math.min(route.device.mtu, 0xffff)
  return route.mtu(false)
}

function deviceOf(state: InetState, packet: Packet): NetDevice | undefined {
  return packet.iif === 0 ? undefined : state.net.devices.find((device) => device.ifindex === packet.iif)
}

/** ip_finish_output2(). */
function sendToNeighbour(state: InetState, packet: Packet, route: Route): Errno | undefined {
  if (route.type === 'multicast') {
    const counters = state.count()
    counters.outMcastPkts++
    counters.outMcastOctets += ipLength(packet)
  } else if (route.type === 'broadcast') {
    const counters = state.count()
    counters.outBcastPkts++
    counters.outBcastOctets += ipLength(packet)
  }
  const { net } = route.device
  net.refused = false
  if (!neighbourOutput(route.device, route.gateway === 0 ? packet.dst : route.gateway, packet)) return 'ENOBUFS'
  return net.refused ? 'ENOBUFS' : undefined
}

/** Cuts a packet into pieces that fit. ip_do_fragment(). */
function fragment(state: InetState, packet: Packet, route: Route, mtu: number, df = 0): Errno | undefined {
  const counters = state.count()
  const headerLength = 20 + (packet.ipOptions?.length ?? 0)
  if (mtu < headerLength + 8) {
    counters.fragFails++
    drop(state, packet, 'NOT_SPECIFIED')
    return 'EMSGSIZE'
  }
  const room = mtu - headerLength
  const bytes = emitIp(packet)
  const total = bytes.length - headerLength
  const first = packet.fragment & IP_OFFSET
  const more = packet.fragment & IP_MF
  const laterOptions = packet.ipOptions && first === 0 ? fragmentOptions(packet.ipOptions) : packet.ipOptions
  for (let at = 0; at < total; ) {
    const length = total - at > room ? room & ~7 : total - at
    const piece = packet.clone()
    piece.route = route
    piece.raw = RAW_IP_PAYLOAD
    piece.buffer = bytes
    piece.offset = headerLength + at
    piece.length = length
    if (at > 0) piece.ipOptions = laterOptions
    piece.fragment = df | (first + at / 8) | (at + length < total ? IP_MF : more)
    const failed = sendToNeighbour(state, piece, route)
    if (failed !== undefined) {
      counters.fragFails++
      return failed
    }
    counters.fragCreates++
    at += length
  }
  counters.fragOks++
  return undefined
}

/** A new packet with an IPv4 header but for its identification. */
export function newIpPacket(src: number, dst: number, protocol: number, tos: number, ttl: number): Packet {
  const packet = new Packet()
  packet.etherType = ETH_P_IP
  packet.src = src
  packet.dst = dst
  packet.protocol = protocol
  packet.tos = tos
  packet.ttl = ttl
  return packet
}

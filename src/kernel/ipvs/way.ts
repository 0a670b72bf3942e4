/**
 * The way to a real server: its route, kept while it is valid; the TTL; whether the packet is too large for it.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_xmit.c: __ip_vs_get_out_rt().
 */
import {
  deviceByIndex,
  flowOf,
  icmpError,
  inetState,
  type NetDevice,
  type Route,
  RTCF_LOCAL,
  routeFlow,
} from '#kernel/net'
import {
  ICMP_DEST_UNREACH,
  ICMP_EXC_TTL,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_TIME_EXCEEDED,
  IP_DF,
  ipLength,
  type Packet,
} from '#wire/inet'
import type { Dest } from './dest.ts'
import type { IpHeader } from './header.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_CONN_F_TUNNEL_TYPE_GRE, IP_VS_CONN_F_TUNNEL_TYPE_GUE, IP_VS_TUNNEL_ENCAP_FLAG_CSUM } from './uapi.ts'
import { isLocal6, tellTooBig6, tellTtl6, tellUnreachable6 } from './way6.ts'

// What a way may be. IP_VS_RT_MODE_*.
/** To this host itself. */
export const MODE_LOCAL = 1
/** To another. */
export const MODE_NON_LOCAL = 2
/** To this host itself although the packet was for another. */
export const MODE_RDR = 4
/** The packet keeps its destination, and is handed to the server all the same. */
export const MODE_KNOWN_NH = 16
export const MODE_TUNNEL = 32

/** A route that was found, and the source address that goes with it. struct ip_vs_dest_dst. */
interface KnownRoute {
  route: Route
  src: number
}

export interface Way {
  local: boolean
  /** The source that a tunnel's outer header gets. */
  src: number
}

const IFF_UP = 1
const MTU_MIN = 68

/** The device that a packet came in by; undefined: it was made here. */
export function deviceOf(ipvs: Ipvs, packet: Packet): NetDevice | undefined {
  return packet.iif === 0 ? undefined : deviceByIndex(ipvs.host, packet.iif)
}

function isLoopback(address: number): boolean {
  return address >>> 24 === 127
}

/** What a tunnel adds inside the outer IP header. */
export function tunnelHeader(dest: Dest): number {
  if (dest.tunType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) return 8 + 4
  if (dest.tunType === IP_VS_CONN_F_TUNNEL_TYPE_GRE) return dest.tunFlags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM ? 8 : 4
  return 0
}

function findRoute(ipvs: Ipvs, daddr: number, mode: number): KnownRoute | undefined {
  const flow = flowOf({ dst: daddr })
  const route = routeFlow(ipvs.host, flow)
  if (typeof route === 'string') return undefined
  // The packet is for the service's address, and goes to the server's.
  if (mode & MODE_KNOWN_NH && route.gateway === 0) route.gateway = daddr
  return { route, src: flow.src }
}

function stillValid({ route }: KnownRoute): boolean {
  const { device } = route
  return route.generation === device.net.generation && device.host.sim.nowNs < route.untilNs
}

/** The kept route of a server, or a new one. */
function routeTo(ipvs: Ipvs, dest: Dest | undefined, daddr: number, mode: number): KnownRoute | undefined {
  if (dest === undefined) return findRoute(ipvs, daddr, mode)
  const kept = dest.route as KnownRoute | undefined
  if (kept !== undefined && stillValid(kept)) return kept
  const found = findRoute(ipvs, daddr, mode)
  dest.route = found && found.route.device.flags & IFF_UP ? found : undefined
  return found
}

/** Whether a packet would get from here elsewhere, or from elsewhere here, in a way that it must not. crosses_local_route_boundary(). */
export function crossesBoundary(packet: Packet, mode: number, local: boolean): boolean {
  if (!local) {
    if (!(mode & MODE_NON_LOCAL)) return true
    if (packet.src6 === undefined) return isLoopback(packet.src)
    const { w0, w1, w2, w3 } = packet.src6
    return w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1 && (packet.iif === 0 || packet.iif === 1)
  }
  if (!(mode & MODE_LOCAL)) return true
  const wasLocal =
    packet.src6 === undefined ? ((packet.route as Route).flags & RTCF_LOCAL) !== 0 : isLocal6(packet.route)
  return !(mode & MODE_RDR) && !wasLocal
}

/** One hop less; false if that was its last, and its sender was told. decrement_ttl(). */
export function decrementTtl(ipvs: Ipvs, packet: Packet): boolean {
  if (packet.ttl > 1) {
    packet.ttl--
    return true
  }
  if (packet.src6 !== undefined) tellTtl6(ipvs, packet)
  else {
    inetState.of(ipvs.host).count().inHdrErrors++
    icmpError(packet, deviceOf(ipvs, packet), ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0)
  }
  return false
}

/** Whether a packet fits; if not, its sender is told how much would. ensure_mtu_is_adequate(). */
export function fitsMtu(ipvs: Ipvs, packet: Packet, iph: IpHeader, mtu: number, mode: number): boolean {
  if (packet.src6 !== undefined) return tellTooBig6(ipvs, packet, iph, mtu)
  if (mode & MODE_TUNNEL && ipvs.settings.pmtuDisc === 0) return true
  if (!(packet.fragment & IP_DF) || iph.icmp || !exceeds(packet, mtu)) return true
  icmpError(packet, deviceOf(ipvs, packet), ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
  return false
}

/** Whether it, or each segment of it, is longer. ip_vs_exceeds_mtu(). */
export function exceeds(packet: Packet, mtu: number): boolean {
  const length = ipLength(packet)
  if (length <= mtu) return false
  return packet.gsoSize === 0 || length - packet.length + packet.gsoSize > mtu
}

/**
 * Finds the way of a packet and puts it on it (`packet.route`), unless it is to this host itself. undefined: there is none, or
 * the packet doesn't fit; whoever sent it has been told.
 */
export function findWay(
  ipvs: Ipvs,
  packet: Packet,
  dest: Dest | undefined,
  daddr: number,
  mode: number,
  iph: IpHeader,
): Way | undefined {
  const found = routeTo(ipvs, dest, daddr, mode)
  if (found === undefined) {
    if (packet.src6 !== undefined) tellUnreachable6(ipvs, packet)
    else icmpError(packet, deviceOf(ipvs, packet), ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0)
    return undefined
  }
  const { route, src } = found
  const local = (route.flags & RTCF_LOCAL) !== 0
  if (crossesBoundary(packet, mode, local)) return undefined
  if (local) return { local, src }
  if (!decrementTtl(ipvs, packet)) return undefined
  let mtu = route.mtu(false)
  if (mode & MODE_TUNNEL) {
    if (dest === undefined) return undefined
    mtu -= 20 + tunnelHeader(dest)
    if (mtu < MTU_MIN) return undefined
  }
  if (!fitsMtu(ipvs, packet, iph, mtu, mode)) return undefined
  packet.route = route
  return { local, src }
}

/** The same over IPv6. Linux 6.1 net/netfilter/ipvs/ip_vs_xmit.c: __ip_vs_get_out_rt_v6(). */
import { flow6, icmp6Error, Route6, routeFlow6, state6 } from '#kernel/ipv6'
import { fragMaxSize } from '#kernel/net'
import { ICMPV6_DEST_UNREACH, ICMPV6_PKT_TOOBIG, ICMPV6_TIME_EXCEED, type Ipv6Address, type Packet } from '#wire/inet'
import type { Dest } from './dest.ts'
import type { IpHeader } from './header.ts'
import type { Ipvs } from './state.ts'
import {
  crossesBoundary,
  decrementTtl,
  deviceOf,
  exceeds,
  fitsMtu,
  MODE_KNOWN_NH,
  MODE_TUNNEL,
  tunnelHeader,
} from './way.ts'

const ICMPV6_ADDR_UNREACH = 3
const IFF_UP = 1
const MTU_MIN = 1280

interface KnownRoute6 {
  route: Route6
  src: Ipv6Address
}

export interface Way6 {
  local: boolean
  src: Ipv6Address
}

/** Whether a packet's route is to this host itself. */
export function isLocal6(route: unknown): boolean {
  return (route as Route6 | undefined)?.device.loops === true
}

export function tellTtl6(ipvs: Ipvs, packet: Packet): void {
  state6.of(ipvs.host).counters.countIp('InHdrErrors')
  icmp6Error(packet, deviceOf(ipvs, packet), ICMPV6_TIME_EXCEED, 0, 0)
}

/** Whether it fits; a first fragment's sender is told if not. */
export function tellTooBig6(ipvs: Ipvs, packet: Packet, iph: IpHeader, mtu: number): boolean {
  const most = fragMaxSize(packet)
  if (most !== 0 ? most <= mtu : !exceeds(packet, mtu)) return true
  if (iph.fragoffs === 0 && !iph.icmp) icmp6Error(packet, deviceOf(ipvs, packet), ICMPV6_PKT_TOOBIG, 0, mtu)
  return false
}

export function tellUnreachable6(ipvs: Ipvs, packet: Packet): void {
  icmp6Error(packet, deviceOf(ipvs, packet), ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0)
}

function findRoute(ipvs: Ipvs, daddr: Ipv6Address, mode: number): KnownRoute6 | undefined {
  const flow = flow6({ dst: daddr })
  const found = routeFlow6(state6.of(ipvs.host), flow)
  if (typeof found === 'string') return undefined
  const route = new Route6(found.type, found.device, found.gateway ?? (mode & MODE_KNOWN_NH ? daddr : undefined), false)
  route.fib = found.fib
  route.hop = found.hop
  route.exception = found.exception
  route.generation = found.generation
  route.untilNs = found.untilNs
  return { route, src: flow.src! }
}

function routeTo(ipvs: Ipvs, dest: Dest | undefined, daddr: Ipv6Address, mode: number): KnownRoute6 | undefined {
  if (dest === undefined) return findRoute(ipvs, daddr, mode)
  const kept = dest.route as KnownRoute6 | undefined
  const state = state6.of(ipvs.host)
  if (kept && kept.route.generation === state.generation && kept.route.untilNs > ipvs.host.sim.nowNs) return kept
  const found = findRoute(ipvs, daddr, mode)
  dest.route = found && found.route.device.flags & IFF_UP ? found : undefined
  return found
}

/** As `findWay`. */
export function findWay6(
  ipvs: Ipvs,
  packet: Packet,
  dest: Dest | undefined,
  daddr: Ipv6Address,
  mode: number,
  iph: IpHeader,
): Way6 | undefined {
  const found = routeTo(ipvs, dest, daddr, mode)
  if (found === undefined) {
    if (packet.src6 !== undefined) tellUnreachable6(ipvs, packet)
    return undefined
  }
  const { route, src } = found
  const local = route.device.loops
  if (crossesBoundary(packet, mode, local)) return undefined
  if (local) return { local, src }
  if (!decrementTtl(ipvs, packet)) return undefined
  let { mtu } = route
  if (mode & MODE_TUNNEL) {
    if (dest === undefined) return undefined
    mtu -= 40 + tunnelHeader(dest)
    if (mtu < MTU_MIN) return undefined
  }
  if (!fitsMtu(ipvs, packet, iph, mtu, mode)) return undefined
  packet.route = route
  return { local, src }
}

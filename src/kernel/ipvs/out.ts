/**
 * Servers' packets, at FORWARD, LOCAL_IN and LOCAL_OUT: they get the service's address.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_out_hook(), handle_response().
 */
import { icmp6Error } from '#kernel/ipv6'
import {
  defragment,
  type HookContext,
  icmpError,
  inetState,
  NF_ACCEPT,
  NF_DROP,
  NF_STOLEN,
  type Route,
  RTCF_LOCAL,
  routeMeHarder,
} from '#kernel/net'
import {
  ICMP_DEST_UNREACH,
  ICMP_PORT_UNREACH,
  ICMPV6_DEST_UNREACH,
  IP_MF,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
} from '#wire/inet'
import type { Conn } from './conn.ts'
import { countOut } from './count.ts'
import { tellAnswered } from './explain.ts'
import { hasPorts, headerOf, type IpHeader } from './header.ts'
import { outIcmp } from './icmp-out.ts'
import { updateConntrack } from './nfct.ts'
import { hasProperty, setProperty } from './property.ts'
import type { ProtocolData } from './proto.ts'
import { beginFromServer } from './schedule.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_CONN_F_MASQ, IP_VS_DIR_OUTPUT, IPPROTO_SCTP } from './uapi.ts'

const ICMPV6_PORT_UNREACH = 4

/** What comes in pieces is put together: false if pieces are missing still, and this one was taken. ip_vs_gather_frags(). */
export function gather(ipvs: Ipvs, context: HookContext): boolean {
  const { packet } = context
  if (packet.src6 !== undefined || (packet.fragment & (IP_MF | IP_OFFSET)) === 0) return true
  const { hook } = context
  const user = hook === 'LOCAL_IN' ? 'ipvs in' : hook === 'FORWARD' ? 'ipvs forward' : 'ipvs out'
  const whole = defragment(inetState.of(ipvs.host), packet, context.in ?? context.out!, user)
  if (whole === undefined) return false
  const { socket, extra, ct, ctInfo } = packet
  Object.assign(packet, whole, { socket, ct, ctInfo })
  packet.extra = Object.assign({}, extra, whole.extra)
  return true
}

/** The packet leaves as if this host had sent it: perhaps another way. False if there is none. ip_vs_route_me_harder(). */
export function rerouted(ipvs: Ipvs, packet: Packet, context: HookContext): boolean {
  if (ipvs.settings.snatReroute === 0 || context.hook === 'LOCAL_IN') return true
  if (packet.src6 === undefined) {
    if ((packet.route as Route).flags & RTCF_LOCAL) return true
    return routeMeHarder(packet, 'local') === undefined
  }
  return (packet.route as { device: { loops: boolean } }).device.loops || routeMeHarder(packet) === undefined
}

/** handle_response(). */
function answer(ipvs: Ipvs, context: HookContext, cp: Conn, data: ProtocolData, iph: IpHeader): number {
  const { packet } = context
  if (cp.method === IP_VS_CONN_F_MASQ) {
    const { snat } = data.protocol
    if (snat !== undefined && iph.fragoffs === 0) {
      if (!snat(packet, cp, iph)) {
        cp.put()
        return NF_STOLEN
      }
    } else if (typeof cp.vaddr === 'number') packet.src = cp.vaddr
    else packet.src6 = cp.vaddr
    if (!rerouted(ipvs, packet, context)) {
      cp.put()
      return NF_STOLEN
    }
  }
  countOut(cp, packet)
  data.protocol.transition?.(cp, IP_VS_DIR_OUTPUT, packet, data)
  setProperty(packet)
  updateConntrack(packet, cp, false)
  tellAnswered(cp, packet)
  cp.put()
  return NF_ACCEPT
}

/** A real server sends what no connection knows: it is told that nobody wants it. net.ipv4.vs.nat_icmp_send. */
function refuses(ipvs: Ipvs, context: HookContext, data: ProtocolData, iph: IpHeader): boolean {
  const { packet } = context
  const { protocol } = iph
  if (!hasPorts(protocol) || iph.sport < 0) return false
  if (ipvs.realServers.find(iph.af, protocol, iph.saddr, iph.sport) === undefined) return false
  if ((protocol === IPPROTO_TCP || protocol === IPPROTO_SCTP) && data.protocol.isReset(packet)) return false
  if (packet.src6 === undefined) icmpError(packet, context.in, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
  else icmp6Error(packet, context.in, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0)
  return true
}

/** ip_vs_out_hook(). */
export function outHook(ipvs: Ipvs, context: HookContext): number {
  const { packet } = context
  if (hasProperty(packet) || packet.route === undefined || !ipvs.enabled) return NF_ACCEPT
  const { protocol } = packet
  if (protocol === (packet.src6 === undefined ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
    const verdict = outIcmp(ipvs, context)
    if (verdict !== undefined) return verdict
  }
  const data = ipvs.protocol(protocol)
  if (data === undefined) return NF_ACCEPT
  if (!data.protocol.dontDefrag && !gather(ipvs, context)) return NF_STOLEN
  const iph = headerOf(packet)
  const cp = data.protocol.outGet(ipvs, iph)
  if (cp !== undefined) return answer(ipvs, context, cp, data, iph)
  if (ipvs.services.engines > 0 && protocol === IPPROTO_UDP && context.hook !== 'LOCAL_IN' && iph.sport >= 0) {
    const dest = ipvs.realServers.find(iph.af, protocol, iph.saddr, iph.sport)
    const made = dest?.svc.engine && beginFromServer(dest, packet, iph)
    if (made) return answer(ipvs, context, made, data, iph)
  }
  if (ipvs.settings.natIcmpSend !== 0 && refuses(ipvs, context, data, iph)) return NF_DROP
  return NF_ACCEPT
}

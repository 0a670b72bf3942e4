/**
 * ICMP errors from the clients' side, about what servers answered; and errors about the tunnels to the servers, which are told
 * to the clients.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_in_icmp(), ip_vs_in_icmp_v6(); ip_vs_xmit.c: ip_vs_icmp_xmit().
 */
import {
  flowOf,
  type HookContext,
  icmpError,
  NF_ACCEPT,
  NF_DROP,
  NF_STOLEN,
  type Route,
  RTCF_LOCAL,
  routeFlow,
  updatePmtu,
} from '#kernel/net'
import {
  checksumGood,
  ETH_P_IP,
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  IPPROTO_UDP,
  Packet,
  RAW_ETHERNET_PAYLOAD,
  RAW_NONE,
} from '#wire/inet'
import type { Conn } from './conn.ts'
import { countIn, countOut } from './count.ts'
import { tellText } from './explain.ts'
import { isError } from './icmp-out.ts'
import { gather } from './out.ts'
import { changeIcmp, type Quoted, quotedAt, quotedAt6 } from './quoted.ts'
import { tryToSchedule } from './schedule.ts'
import { sendOrContinue, stopsSynced } from './send.ts'
import type { Ipvs } from './state.ts'
import {
  AF_INET,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
  IPPROTO_GRE,
  IPPROTO_IPIP,
} from './uapi.ts'
import { MODE_LOCAL, MODE_NON_LOCAL, MODE_RDR } from './way.ts'
import { fromOutsideToLoopback, wayTo } from './xmit.ts'

const UDP_HEADER = 8
const GUE_HEADER = 4
const GRE_CSUM = 0x8000

/** On to the server. ip_vs_icmp_xmit(). */
function forward(packet: Packet, cp: Conn, quoted: Quoted, fromForward: boolean): number {
  if (cp.method !== IP_VS_CONN_F_MASQ) {
    const verdict = cp.packetXmit === undefined ? NF_ACCEPT : cp.packetXmit(packet, cp, quoted.iph)
    cp.inPkts++
    return verdict
  }
  const wasInput = (packet.route as Route).input
  const mode = fromForward ? MODE_NON_LOCAL : MODE_LOCAL | MODE_NON_LOCAL | MODE_RDR
  const way = wayTo(packet, cp, cp.daddr, mode, quoted.iph)
  if (way === undefined) return NF_STOLEN
  if (stopsSynced(packet, cp, way.local) || fromOutsideToLoopback(packet, cp, way.local, wasInput)) return NF_STOLEN
  changeIcmp(packet, cp, false, quoted)
  return sendOrContinue(packet, cp, way.local)
}

/** How long the headers between the outer and the inner IP header are, if the quoted packet is one of a tunnel's; -1: it is none. */
function tunnelled(ipvs: Ipvs, packet: Packet, outer: Quoted): number {
  const { iph, end } = outer
  const bytes = packet.buffer
  const at = packet.offset + end
  const room = packet.length - end
  if (iph.protocol === IPPROTO_IPIP) {
    const dest = ipvs.realServers.findTunnel(AF_INET, iph.daddr, 0)
    return dest?.tunType === IP_VS_CONN_F_TUNNEL_TYPE_IPIP ? 0 : -1
  }
  if (iph.protocol === IPPROTO_UDP) {
    const dest = room < UDP_HEADER ? undefined : ipvs.realServers.findTunnel(AF_INET, iph.daddr, iph.dport)
    if (dest?.tunType !== IP_VS_CONN_F_TUNNEL_TYPE_GUE || room < UDP_HEADER + GUE_HEADER) return -1
    const first = bytes[at + UDP_HEADER]!
    if (first >>> 5 !== 0 || bytes[at + UDP_HEADER + 1] !== IPPROTO_IPIP) return -1
    return UDP_HEADER + GUE_HEADER + (first & 31) * 4
  }
  const dest = room < 4 ? undefined : ipvs.realServers.findTunnel(AF_INET, iph.daddr, 0)
  if (dest?.tunType !== IP_VS_CONN_F_TUNNEL_TYPE_GRE) return -1
  const flags = (bytes[at]! << 8) | bytes[at + 1]!
  const type = (bytes[at + 2]! << 8) | bytes[at + 3]!
  if ((flags & ~GRE_CSUM) !== 0 || type !== ETH_P_IP) return -1
  return flags & GRE_CSUM ? 8 : 4
}

/** The client whose packet was in a tunnel is told what became of it. */
function tellClient(ipvs: Ipvs, packet: Packet, cp: Conn, outer: Quoted, inner: Quoted): void {
  let info = packet.icmpRest
  if (packet.icmpType === ICMP_DEST_UNREACH && packet.icmpCode === ICMP_FRAG_NEEDED) {
    let mtu = info & 0xffff
    const flow = flowOf({
      dst: outer.iph.daddr as number,
      src: outer.iph.saddr as number,
      protocol: outer.iph.protocol,
    })
    const route = routeFlow(ipvs.host, flow)
    if (typeof route !== 'string') updatePmtu(ipvs.host, route, flow, mtu)
    if (!inner.df) return
    const known = cp.dest?.route as { route: Route } | undefined
    // The route that is kept doesn't know yet of what was just learned: the client will be told again.
    if (known) mtu = known.route.mtu(false)
    const headers = inner.at - outer.at
    if (mtu > 68 + headers) mtu -= headers
    info = mtu
  }
  const told = new Packet()
  told.etherType = ETH_P_IP
  told.raw = RAW_ETHERNET_PAYLOAD
  told.buffer = packet.buffer
  told.offset = packet.offset + inner.at
  told.length = packet.length - inner.at
  told.src = inner.iph.saddr as number
  told.dst = inner.iph.daddr as number
  told.tos = told.buffer[told.offset + 1]!
  told.protocol = inner.iph.protocol
  told.route = packet.route
  told.iif = packet.iif
  told.mark = packet.mark
  icmpError(told, undefined, packet.icmpType, packet.icmpCode, info)
  countOut(cp, told)
}

/** A verdict; undefined: it is no error, and may be anything else. */
export function inIcmp(ipvs: Ipvs, context: HookContext): number | undefined {
  const { packet } = context
  if (!gather(ipvs, context)) return NF_STOLEN
  if (packet.raw !== RAW_NONE) return NF_DROP
  if (!isError(packet)) return undefined
  const isIp4 = packet.src6 === undefined
  const outer = isIp4 ? quotedAt(packet, 0, true) : quotedAt6(packet, 0, true)
  if (outer === undefined) return NF_ACCEPT
  let quoted: Quoted | undefined = outer
  let tunnel = false
  if (isIp4) {
    const { protocol } = outer.iph
    const forUs = ((packet.route as Route).flags & RTCF_LOCAL) !== 0
    if (protocol === IPPROTO_IPIP && (!forUs || outer.iph.fragoffs !== 0)) return NF_ACCEPT
    if (forUs && (protocol === IPPROTO_IPIP || protocol === IPPROTO_UDP || protocol === IPPROTO_GRE)) {
      if (outer.iph.fragoffs !== 0) return NF_ACCEPT
      const between = tunnelled(ipvs, packet, outer)
      if (between >= 0) {
        tunnel = true
        quoted = quotedAt(packet, outer.end + between, false)
      } else if (protocol === IPPROTO_IPIP) return NF_ACCEPT
    }
  }
  if (quoted === undefined) return NF_ACCEPT
  const data = ipvs.protocol(quoted.iph.protocol)
  if (data === undefined || (quoted.iph.fragoffs !== 0 && !data.protocol.dontDefrag)) return NF_ACCEPT
  let cp = data.protocol.inGet(ipvs, quoted.iph)
  let made = false
  if (cp === undefined) {
    if (tunnel || ipvs.settings.scheduleIcmp === 0) return NF_ACCEPT
    const scheduled = tryToSchedule(ipvs, packet, quoted.iph, data, context.in)
    if (typeof scheduled === 'number') return scheduled
    cp = scheduled
    made = true
  }
  const verdict = related(ipvs, context, cp, outer, quoted, tunnel)
  if (made) cp.put()
  return verdict
}

function related(ipvs: Ipvs, context: HookContext, cp: Conn, outer: Quoted, quoted: Quoted, tunnel: boolean): number {
  const { packet } = context
  if ((cp.method === IP_VS_CONN_F_MASQ || tunnel) && !checksumGood(packet)) return NF_DROP
  if (tunnel) {
    tellClient(ipvs, packet, cp, outer, quoted)
    return NF_STOLEN
  }
  countIn(cp, packet)
  tellText(ipvs, packet, 'an ICMP error about an answer of a connection, on its way to the server')
  return forward(packet, cp, quoted, context.hook === 'FORWARD')
}

/** Errors about services of a mark are for addresses that this host hasn't. ip_vs_forward_icmp(). */
export function forwardedIcmp(ipvs: Ipvs, context: HookContext): number {
  return inIcmp(ipvs, context) ?? NF_ACCEPT
}

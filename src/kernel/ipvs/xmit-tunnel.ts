/**
 * A client's packet goes to its server inside another: IP in IP, in GUE over UDP, or in GRE.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_xmit.c: ip_vs_tunnel_xmit(), ipvs_gue_encap(), ipvs_gre_encap().
 */
import { internetChecksum } from '#base/bytes'
import { addressKey, confirmPacket } from '#kernel/conntrack'
import { ip6LocalOut, OUT6_IGNORE_DF, type Route6, state6 } from '#kernel/ipv6'
import {
  cutSegment,
  inetState,
  ipLocalOut,
  NF_ACCEPT,
  NF_STOLEN,
  newIpPacket,
  OUT_IGNORE_DF,
  type Route,
  selectIdent,
} from '#kernel/net'
import { ETH_P_IP, ETH_P_IPV6, emitIp, IP_DF, IPPROTO_UDP, type Ipv6Address, Packet, RAW_IP_PAYLOAD } from '#wire/inet'
import type { Conn, PacketXmit } from './conn.ts'
import type { Dest } from './dest.ts'
import { setProperty } from './property.ts'
import { sendOrContinue } from './send.ts'
import {
  IP_VS_CONN_F_NFCT,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  IPPROTO_GRE,
  IPPROTO_IPIP,
  IPPROTO_IPV6,
} from './uapi.ts'
import { findWay, MODE_LOCAL, MODE_NON_LOCAL, MODE_TUNNEL } from './way.ts'
import { findWay6 } from './way6.ts'

/** What stands behind the outer IP header. */
interface Wrapped {
  protocol: number
  bytes: Uint8Array
  /** UDP's ports, if it is UDP; then `bytes` is its payload. */
  srcPort: number
  dstPort: number
  /** Whether UDP has a checksum. */
  checksum: boolean
}

/** INET_ECN_encapsulate(), of a packet into one of the same class. */
function outerTos(tos: number): number {
  return (tos & 3) === 3 ? (tos & ~3) | 2 : tos
}

/** A port above the privileged ones that is the same for all packets of a flow. udp_flow_src_port(). */
function flowPort(cp: Conn): number {
  const { host } = cp.ipvs
  const { portLow, portHigh } = inetState.of(host).sysctls
  let hash = cp.ipvs.flowSecret
  for (const word of [addressKey(cp.caddr), addressKey(cp.vaddr), cp.cport, cp.vport, cp.protocol]) {
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return Math.floor(((hash >>> 0) * (portHigh - portLow)) / 2 ** 32) + portLow
}

function greHeader(inner: Uint8Array, isIp6: boolean, checksum: boolean): Uint8Array {
  const length = checksum ? 8 : 4
  const bytes = new Uint8Array(length + inner.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, checksum ? 0x8000 : 0)
  view.setUint16(2, isIp6 ? ETH_P_IPV6 : ETH_P_IP)
  bytes.set(inner, length)
  if (checksum) view.setUint16(4, internetChecksum(bytes))
  return bytes
}

function wrap(packet: Packet, cp: Conn, dest: Dest): Wrapped {
  const isIp6 = packet.src6 !== undefined
  const inner = emitIp(packet)
  const protocol = isIp6 ? IPPROTO_IPV6 : IPPROTO_IPIP
  const { tunType, tunFlags } = dest
  const plain = { srcPort: 0, dstPort: 0, checksum: false }
  if (tunType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) {
    const bytes = new Uint8Array(4 + inner.length)
    bytes[1] = protocol
    bytes.set(inner, 4)
    const checksum = (tunFlags & (IP_VS_TUNNEL_ENCAP_FLAG_CSUM | IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM)) !== 0
    return { protocol: IPPROTO_UDP, bytes, srcPort: flowPort(cp), dstPort: dest.tunPort, checksum }
  }
  if (tunType === IP_VS_CONN_F_TUNNEL_TYPE_GRE) {
    const bytes = greHeader(inner, isIp6, (tunFlags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM) !== 0)
    return { protocol: IPPROTO_GRE, bytes, ...plain }
  }
  return { protocol, bytes: inner, ...plain }
}

function fill(outer: Packet, { bytes, srcPort, dstPort, checksum, protocol }: Wrapped, packet: Packet): void {
  outer.buffer = bytes
  outer.length = bytes.length
  if (protocol === IPPROTO_UDP) {
    outer.srcPort = srcPort
    outer.dstPort = dstPort
    outer.checksum = checksum ? -1 : 0
  } else outer.raw = RAW_IP_PAYLOAD
  outer.mark = packet.mark
  outer.priority = packet.priority
  outer.iif = packet.iif
  // What came in pieces leaves in pieces no larger, wrapped as it is.
  if (outer.src6 === undefined && packet.src6 === undefined) outer.extra = packet.extra
  setProperty(outer)
}

/** Its tracked connection is confirmed here, as it goes no further by itself. ip_vs_tunnel_xmit_prepare(). */
function mayLeave(packet: Packet, cp: Conn): boolean {
  return !(cp.flags & IP_VS_CONN_F_NFCT) || confirmPacket(cp.ipvs.host, packet) === NF_ACCEPT
}

/** A packet of several segments is wrapped segment by segment. */
function* segmentsOf(packet: Packet): Generator<Packet> {
  while (packet.gsoSize !== 0) yield cutSegment(packet)
  yield packet
}

/** ip_vs_tunnel_xmit(). */
export const tunnelXmit: PacketXmit = (packet, cp, iph) => {
  const { ipvs, dest } = cp
  const way = findWay(ipvs, packet, dest, cp.daddr as number, MODE_LOCAL | MODE_NON_LOCAL | MODE_TUNNEL, iph)
  if (way === undefined) return NF_STOLEN
  if (way.local) return sendOrContinue(packet, cp, true)
  if (!mayLeave(packet, cp)) return NF_STOLEN
  const route = packet.route as Route
  const state = inetState.of(ipvs.host)
  const df = packet.src6 === undefined && ipvs.settings.pmtuDisc !== 0 ? packet.fragment & IP_DF : 0
  for (const one of segmentsOf(packet)) {
    const wrapped = wrap(one, cp, dest!)
    const outer = newIpPacket(way.src, cp.daddr as number, wrapped.protocol, outerTos(one.tos), one.ttl)
    outer.fragment = df
    fill(outer, wrapped, one)
    outer.ipId = selectIdent(state, outer)
    ipLocalOut(state, outer, route, OUT_IGNORE_DF)
  }
  return NF_STOLEN
}

/** ip_vs_tunnel_xmit_v6(). */
export const tunnelXmit6: PacketXmit = (packet, cp, iph) => {
  const { ipvs, dest } = cp
  const way = findWay6(ipvs, packet, dest, cp.daddr as Ipv6Address, MODE_LOCAL | MODE_NON_LOCAL | MODE_TUNNEL, iph)
  if (way === undefined) return NF_STOLEN
  if (way.local) return sendOrContinue(packet, cp, true)
  if (!mayLeave(packet, cp)) return NF_STOLEN
  const route = packet.route as Route6
  for (const one of segmentsOf(packet)) {
    const outer = new Packet()
    outer.etherType = ETH_P_IPV6
    outer.src6 = way.src
    outer.dst6 = cp.daddr as Ipv6Address
    const wrapped = wrap(one, cp, dest!)
    outer.protocol = wrapped.protocol
    outer.tos = outerTos(one.tos)
    outer.ttl = one.ttl
    fill(outer, wrapped, one)
    ip6LocalOut(state6.of(ipvs.host), outer, route, OUT6_IGNORE_DF)
  }
  return NF_STOLEN
}

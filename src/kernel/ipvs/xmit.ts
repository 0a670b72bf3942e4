/**
 * How a client's packet gets to its server: with a new destination (NAT), as it is (direct routing), to this host, or past
 * all servers. Tunnels: xmit-tunnel.ts.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_xmit.c.
 */
import { NF_ACCEPT, NF_STOLEN, type Route } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { Conn, PacketXmit } from './conn.ts'
import type { IpHeader } from './header.ts'
import { updateConntrack } from './nfct.ts'
import { setProperty } from './property.ts'
import { sendOrContinue, stopsSynced } from './send.ts'
import { type InetAddr, IP_VS_CONN_F_NFCT, IP_VS_CONN_F_NO_CPORT } from './uapi.ts'
import { deviceOf, findWay, MODE_KNOWN_NH, MODE_LOCAL, MODE_NON_LOCAL, MODE_RDR } from './way.ts'
import { findWay6 } from './way6.ts'

/** The way of a packet to an address, whatever its family. */
export function wayTo(
  packet: Packet,
  cp: Conn,
  daddr: InetAddr,
  mode: number,
  iph: IpHeader,
): { local: boolean } | undefined {
  return typeof daddr === 'number'
    ? findWay(cp.ipvs, packet, cp.dest, daddr, mode, iph)
    : findWay6(cp.ipvs, packet, cp.dest, daddr, mode, iph)
}

/** A packet from elsewhere must not get to a loopback address. */
export function fromOutsideToLoopback(packet: Packet, cp: Conn, local: boolean, wasInput: boolean): boolean {
  if (!local) return false
  const { daddr } = cp
  if (typeof daddr === 'number') return daddr >>> 24 === 127 && wasInput
  const device = deviceOf(cp.ipvs, packet)
  const loopback = daddr.w0 === 0 && daddr.w1 === 0 && daddr.w2 === 0 && daddr.w3 === 1
  return loopback && device !== undefined && !device.loops
}

/** ip_vs_nat_xmit(). */
export const natXmit: PacketXmit = (packet, cp, iph) => {
  if (cp.flags & IP_VS_CONN_F_NO_CPORT && iph.fragoffs === 0) {
    if (iph.sport < 0) return NF_STOLEN
    cp.fillCport(iph.sport)
  }
  const wasInput = (packet.route as Route).input
  const way = wayTo(packet, cp, cp.daddr, MODE_LOCAL | MODE_NON_LOCAL | MODE_RDR, iph)
  if (way === undefined) return NF_STOLEN
  if (stopsSynced(packet, cp, way.local) || fromOutsideToLoopback(packet, cp, way.local, wasInput)) return NF_STOLEN
  const protocol = cp.ipvs.protocol(iph.protocol)?.protocol
  if (protocol?.dnat !== undefined && iph.fragoffs === 0) {
    if (!protocol.dnat(packet, cp, iph)) return NF_STOLEN
  } else if (typeof cp.daddr === 'number') packet.dst = cp.daddr
  else packet.dst6 = cp.daddr
  return sendOrContinue(packet, cp, way.local)
}

/** The server answers the service's address as its own. ip_vs_dr_xmit(). */
export const directXmit: PacketXmit = (packet, cp, iph) => {
  const way = wayTo(packet, cp, cp.daddr, MODE_LOCAL | MODE_NON_LOCAL | MODE_KNOWN_NH, iph)
  return way === undefined ? NF_STOLEN : sendOrContinue(packet, cp, way.local)
}

/** The server is this host. ip_vs_null_xmit(). */
export const nullXmit: PacketXmit = (packet, cp) => {
  setProperty(packet)
  if (!(cp.flags & IP_VS_CONN_F_NFCT)) updateConntrack(packet, cp, true)
  return NF_ACCEPT
}

/** No server: to where the packet was going. ip_vs_bypass_xmit(). */
export const bypassXmit: PacketXmit = (packet, cp, iph) => {
  const way = wayTo(packet, cp, packet.dst6 ?? packet.dst, MODE_NON_LOCAL, iph)
  return way === undefined ? NF_STOLEN : sendOrContinue(packet, cp, false)
}

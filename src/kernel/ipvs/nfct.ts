/** IPVS and connection tracking. Linux 6.1 net/netfilter/ipvs/ip_vs_nfct.c. */
import {
  addressKey,
  type Conn as CtConn,
  conntrackState,
  ctDirection,
  IP_CT_DIR_ORIGINAL,
  IP_CT_UNTRACKED,
  IPS_CONFIRMED,
  IPS_DYING,
  kindOf,
} from '#kernel/conntrack'
import { IPPROTO_ICMP, IPPROTO_ICMPV6, type Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import { IP_VS_CONN_F_MASQ, IP_VS_CONN_F_NFCT, IP_VS_CONN_F_ONE_PACKET } from './uapi.ts'

/** A packet that netfilter's NAT must not follow: it has no connection any more. ip_vs_notrack(). */
function notrack(packet: Packet): void {
  if (packet.ct === undefined) return
  packet.ct = undefined
  packet.ctInfo = IP_CT_UNTRACKED
}

/**
 * What becomes of a packet's tracked connection when IPVS has sent it on: none, or one whose reply is expected from the real
 * server. ip_vs_update_conntrack(), ip_vs_notrack().
 *
 * @param outIn a client's packet; else a server's
 */
export function updateConntrack(packet: Packet, cp: Conn, outIn: boolean): void {
  if (!(cp.flags & IP_VS_CONN_F_NFCT)) {
    notrack(packet)
    return
  }
  const ct = packet.ct as CtConn | undefined
  if (ct === undefined || ct.status & (IPS_CONFIRMED | IPS_DYING)) return
  if (cp.method !== IP_VS_CONN_F_MASQ || cp.flags & IP_VS_CONN_F_ONE_PACKET) return
  if (ctDirection(packet.ctInfo) !== IP_CT_DIR_ORIGINAL) return
  const { reply, protocol } = ct
  const ports = protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6
  if (outIn) {
    reply.src = cp.daddr
    if (ports) reply.srcPort = cp.dport
  } else {
    reply.dst = cp.vaddr
    if (ports) reply.dstPort = cp.vport
  }
  reply.rekey()
}

/** Its tracked connection ends with it. ip_vs_conn_drop_conntrack(). */
export function dropConntrack(cp: Conn): void {
  const state = conntrackState.peek(cp.ipvs.host)
  if (state === undefined || cp.cport === 0) return
  const kind = kindOf(cp.protocol, typeof cp.caddr !== 'number', 0)
  const found = state.find(addressKey(cp.caddr), addressKey(cp.vaddr), (cp.cport << 16) | cp.vport, kind)
  if (found) state.kill(found.conn)
}

/** Whether a packet that begins anew belongs to a connection that is tracked already. ip_vs_conn_uses_old_conntrack(). */
export function usesOldConntrack(packet: Packet): boolean {
  const ct = packet.ct as CtConn | undefined
  return ct !== undefined && (ct.status & IPS_CONFIRMED) !== 0
}

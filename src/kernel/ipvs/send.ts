/**
 * A packet goes on, through LOCAL_OUT as if this host had made it. Linux 6.1 net/netfilter/ipvs/ip_vs_xmit.c:
 * ip_vs_nat_send_or_cont(), ip_vs_send_or_cont().
 */
import { ip6Output, OUT6_IGNORE_DF, type Route6, state6 } from '#kernel/ipv6'
import { inetState, ipLocalOut, NF_ACCEPT, NF_STOLEN, OUT_IGNORE_DF, type Route, runHooks } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import { updateConntrack } from './nfct.ts'
import { setProperty } from './property.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_CONN_F_MASQ, IP_VS_CONN_F_NFCT, IP_VS_CONN_F_SYNC } from './uapi.ts'

/** Out by its route; too long ones are cut, whatever they say. */
export function output(ipvs: Ipvs, packet: Packet): void {
  const { host } = ipvs
  if (packet.src6 === undefined) {
    ipLocalOut(inetState.of(host), packet, packet.route as Route, OUT_IGNORE_DF)
    return
  }
  const state = state6.of(host)
  const { localOut } = state.hooks
  const out = (packet.route as Route6).device
  if (localOut.length !== 0) {
    if (runHooks(host, localOut, 'LOCAL_OUT', packet, undefined, out, undefined) !== NF_ACCEPT) return
  }
  ip6Output(state, packet, packet.route as Route6, undefined, OUT6_IGNORE_DF)
}

/** What came from elsewhere has no socket here, unless it stays for the very address and port that it was for. */
function forgetSocket(packet: Packet, cp: Conn, local: boolean): void {
  if (packet.iif === 0) return
  if (!local || cp.vport !== cp.dport || cp.vaddr !== cp.daddr) packet.socket = undefined
}

/** Sent on: NF_STOLEN; or goes on here: NF_ACCEPT. */
export function sendOrContinue(packet: Packet, cp: Conn, local: boolean): number {
  setProperty(packet)
  const masq = cp.method === IP_VS_CONN_F_MASQ
  if (masq || !(cp.flags & IP_VS_CONN_F_NFCT)) updateConntrack(packet, cp, true)
  if (masq || !local) forgetSocket(packet, cp, local)
  if (local) return NF_ACCEPT
  output(cp.ipvs, packet)
  return NF_STOLEN
}

/** A connection from a synchronisation must not end here if it is tracked: its answers would be taken for another's. */
export function stopsSynced(packet: Packet, cp: Conn, local: boolean): boolean {
  return local && (cp.flags & IP_VS_CONN_F_SYNC) !== 0 && packet.ct !== undefined
}

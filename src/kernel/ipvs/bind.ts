/** Connections and the real servers that they count for. Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c: ip_vs_bind_dest(), ip_vs_unbind_dest(). */
import { IPPROTO_UDP } from '#wire/inet'
import { bindApp } from './apps.ts'
import type { Conn } from './conn.ts'
import type { Dest } from './dest.ts'
import {
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_INACTIVE,
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_CONN_F_ONE_PACKET,
  IP_VS_CONN_F_SYNC,
  IP_VS_CONN_F_TEMPLATE,
} from './uapi.ts'
import { bindXmit } from './xmit-bind.ts'

/** A connection is its server's from now on, and is counted there. */
export function bindDest(cp: Conn, dest: Dest | undefined): void {
  if (dest === undefined) return
  dest.refs++
  let { connFlags } = dest
  let { flags } = cp
  if (cp.protocol !== IPPROTO_UDP || flags & IP_VS_CONN_F_TEMPLATE) connFlags &= ~IP_VS_CONN_F_ONE_PACKET
  if (flags & IP_VS_CONN_F_SYNC) {
    connFlags &= ~IP_VS_CONN_F_ONE_PACKET
    // Whether it is active is known from the master; how packets go on is this director's affair.
    if (!(flags & IP_VS_CONN_F_TEMPLATE)) connFlags &= ~IP_VS_CONN_F_INACTIVE
    flags &= ~(IP_VS_CONN_F_FWD_MASK | IP_VS_CONN_F_NOOUTPUT)
  }
  flags |= connFlags
  cp.flags = flags
  cp.dest = dest
  if (flags & IP_VS_CONN_F_TEMPLATE) {
    dest.persistConns++
    return
  }
  if (!(flags & IP_VS_CONN_F_INACTIVE)) dest.activeConns++
  dest.totalConns++
  if (dest.totalConns === dest.uThreshold) dest.updateOverload(1)
}

/** The connection has ended. */
export function unbindDest(cp: Conn): void {
  const { dest } = cp
  if (dest === undefined) return
  if (cp.flags & IP_VS_CONN_F_TEMPLATE) dest.persistConns--
  else {
    if (!(cp.flags & IP_VS_CONN_F_INACTIVE)) dest.activeConns--
    const before = dest.totalConns--
    if (before === dest.lThresholdVal) dest.updateOverload(-1)
  }
  dest.refs--
}

/** A server came that a connection from a synchronisation was waiting for. ip_vs_try_bind_dest(). */
export function tryBindDest(cp: Conn): void {
  const { ipvs } = cp
  if (cp.dest !== undefined) return
  const dest = ipvs.findDest(cp.af, cp.af, cp.daddr, cp.dport, cp.vaddr, cp.vport, cp.protocol, cp.fwmark, cp.flags)
  if (dest === undefined) return
  cp.app?.unbind(cp)
  bindDest(cp, dest)
  bindXmit(cp)
  bindApp(cp)
}

/** A connection goes from one count to the other. */
export function setActive(cp: Conn, active: boolean): void {
  const { dest } = cp
  if (dest === undefined) return
  const inactive = (cp.flags & IP_VS_CONN_F_INACTIVE) !== 0
  if (!inactive && !active) {
    dest.activeConns--
    cp.flags |= IP_VS_CONN_F_INACTIVE
  } else if (inactive && active) {
    dest.activeConns++
    cp.flags &= ~IP_VS_CONN_F_INACTIVE
  }
}

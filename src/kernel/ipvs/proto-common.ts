/** What protocols with ports have in common. Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c: ip_vs_conn_in_get_proto(), ip_vs_conn_out_get_proto(). */
import type { Conn } from './conn.ts'
import type { IpHeader } from './header.ts'
import type { Ipvs } from './state.ts'

/** The connection that a client's packet belongs to. */
export function inGetByPorts(ipvs: Ipvs, iph: IpHeader): Conn | undefined {
  if (iph.sport < 0) return undefined
  const { conns } = ipvs
  if (iph.inverse) return conns.inGet(iph.af, iph.protocol, iph.daddr, iph.dport, iph.saddr, iph.sport)
  return conns.inGet(iph.af, iph.protocol, iph.saddr, iph.sport, iph.daddr, iph.dport)
}

/** The connection that a server's packet belongs to. */
export function outGetByPorts(ipvs: Ipvs, iph: IpHeader): Conn | undefined {
  if (iph.sport < 0) return undefined
  const { conns } = ipvs
  if (iph.inverse) return conns.outGet(iph.af, iph.protocol, iph.daddr, iph.dport, iph.saddr, iph.sport)
  return conns.outGet(iph.af, iph.protocol, iph.saddr, iph.sport, iph.daddr, iph.dport)
}

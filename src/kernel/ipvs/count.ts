/** What a packet or a connection adds to the counters. Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_in_stats(), ip_vs_out_stats(), ip_vs_conn_stats(). */
import { ipLength, type Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import type { Service } from './service.ts'

/** A client's packet. */
export function countIn(cp: Conn, packet: Packet): void {
  const { dest } = cp
  if (!dest?.available) return
  const length = ipLength(packet)
  dest.stats.countIn(length)
  dest.svc.stats.countIn(length)
  cp.ipvs.totStats.countIn(length)
}

/** A server's. */
export function countOut(cp: Conn, packet: Packet): void {
  const { dest } = cp
  if (!dest?.available) return
  const length = ipLength(packet)
  dest.stats.countOut(length)
  dest.svc.stats.countOut(length)
  cp.ipvs.totStats.countOut(length)
}

export function countConn(cp: Conn, svc: Service): void {
  cp.dest!.stats.countConn()
  svc.stats.countConn()
  cp.ipvs.totStats.countConn()
}

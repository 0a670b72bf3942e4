/** Helpers that read and change what a connection says. Linux 6.1 net/netfilter/ipvs/ip_vs_app.c. */
import type { Packet } from '#wire/inet'
import type { Conn } from './conn.ts'
import type { IpHeader } from './header.ts'

export interface App {
  readonly name: string
  readonly protocol: number
  readonly port: number
  /** A connection is its own from now on. */
  bind(cp: Conn): void
  unbind(cp: Conn): void
  /** A server's packet, before its addresses change: false if it is to be dropped. */
  packetOut(cp: Conn, packet: Packet, iph: IpHeader): boolean
  /** A client's. */
  packetIn(cp: Conn, packet: Packet, iph: IpHeader): boolean
}

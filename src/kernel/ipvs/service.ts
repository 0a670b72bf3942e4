/** A virtual service. Linux 6.1 include/net/ip_vs.h: struct ip_vs_service. */
import type { Dest } from './dest.ts'
import type { Engine } from './engine.ts'
import type { Scheduler } from './scheduler.ts'
import type { Ipvs } from './state.ts'
import { Stats } from './stats.ts'
import { type Family, type InetAddr, IP_VS_SVC_F_ONEPACKET, IP_VS_SVC_F_PERSISTENT } from './uapi.ts'

export class Service {
  readonly ipvs: Ipvs
  readonly af: Family
  /** IPPROTO_TCP for a service of a firewall mark, whatever its packets are. */
  readonly protocol: number
  readonly addr: InetAddr
  readonly port: number
  /** 0: found by address and port. */
  readonly fwmark: number
  /** IP_VS_SVC_F_*. */
  flags = 0
  /** Of templates, in jiffies. */
  timeout = 0
  /** What of a client's address counts for its template: a mask, or for IPv6 a prefix's length. */
  netmask = 0xffffffff
  /** Its real servers as the kernel lists them: the newest first. */
  readonly destinations: Dest[] = []
  readonly stats: Stats
  /** undefined: "none", and no connection is made. */
  scheduler: Scheduler | undefined = undefined
  /** The scheduler's own. */
  schedData: unknown = undefined
  /** What templates go by besides the client; undefined: nothing. */
  engine: Engine | undefined = undefined
  /** Whether connection tracking is needed because of it. */
  conntracked = false

  constructor(ipvs: Ipvs, af: Family, protocol: number, addr: InetAddr, port: number, fwmark: number) {
    this.ipvs = ipvs
    this.af = af
    this.protocol = protocol
    this.addr = addr
    this.port = port
    this.fwmark = fwmark
    this.stats = new Stats(ipvs)
  }

  get persistent(): boolean {
    return (this.flags & IP_VS_SVC_F_PERSISTENT) !== 0
  }

  get onePacket(): boolean {
    return (this.flags & IP_VS_SVC_F_ONEPACKET) !== 0
  }

  /** ip_vs_lookup_dest(). */
  findDest(af: Family, addr: InetAddr, port: number): Dest | undefined {
    return this.destinations.find((dest) => dest.af === af && dest.addr === addr && dest.port === port)
  }
}

/** A real server of a virtual service. Linux 6.1 include/net/ip_vs.h: struct ip_vs_dest; net/netfilter/ipvs/ip_vs_ctl.c. */
import type { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import { Stats } from './stats.ts'
import {
  type Family,
  type InetAddr,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_DEST_CF_AVAILABLE,
  IP_VS_DEST_F_OVERLOAD,
} from './uapi.ts'

export class Dest {
  readonly af: Family
  readonly addr: InetAddr
  readonly port: number
  /** The virtual service's, by which it is found again when it comes back. */
  readonly protocol: number
  readonly vaddr: InetAddr
  readonly vport: number
  readonly vfwmark: number
  svc: Service
  /** IP_VS_DEST_F_OVERLOAD. */
  flags = 0
  /** IP_VS_CONN_F_*: what its connections get. */
  connFlags = 0
  weight = 0
  /** The latest weight that wasn't 0. */
  lastWeight = 0
  /** IP_VS_DEST_CF_AVAILABLE. */
  cflags = 0
  tunType = 0
  tunPort = 0
  tunFlags = 0
  readonly stats: Stats
  activeConns = 0
  totalConns = 0
  persistConns = 0
  uThreshold = 0
  lThreshold = 0
  /** The lower threshold that counts: three quarters of the upper one if none is set. */
  lThresholdVal = 0
  /** Connections that name it. */
  refs = 0
  /** Jiffies since when it lies unused among the removed ones; 0: not yet seen so. */
  idleStart = 0
  /** A place among the real servers by address and port (rs_table). */
  inRsTable = false
  /** A scheduler's own. */
  schedData: unknown = undefined
  /** The route to it, as long as it may be used. */
  route: unknown = undefined

  constructor(ipvs: Ipvs, svc: Service, af: Family, addr: InetAddr, port: number) {
    this.af = af
    this.addr = addr
    this.port = port
    this.svc = svc
    this.protocol = svc.protocol
    this.vaddr = svc.addr
    this.vport = svc.port
    this.vfwmark = svc.fwmark
    this.stats = new Stats(ipvs)
  }

  /** IP_VS_CONN_F_MASQ, _TUNNEL ... IP_VS_DFWD_METHOD(). */
  get method(): number {
    return this.connFlags & IP_VS_CONN_F_FWD_MASK
  }

  get inactConns(): number {
    return this.totalConns - this.activeConns
  }

  get overloaded(): boolean {
    return (this.flags & IP_VS_DEST_F_OVERLOAD) !== 0
  }

  /** In a service, not removed. */
  get available(): boolean {
    return (this.cflags & IP_VS_DEST_CF_AVAILABLE) !== 0
  }

  /**
   * A server that reached its upper threshold gets no more until it falls below the lower one.
   *
   * @param mode 1: a connection came; -1: one went; 0: the thresholds changed. ip_vs_dest_update_overload().
   */
  updateOverload(mode: 1 | 0 | -1): void {
    const upper = this.uThreshold
    const lower = this.lThresholdVal
    if (upper !== 0) {
      if (this.totalConns >= (mode > 0 ? lower : upper)) {
        this.flags |= IP_VS_DEST_F_OVERLOAD
        return
      }
      if (this.totalConns >= (mode < 0 ? upper : lower)) return
    }
    this.flags &= ~IP_VS_DEST_F_OVERLOAD
  }
}

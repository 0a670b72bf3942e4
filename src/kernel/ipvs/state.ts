/**
 * What IPVS keeps for a host (a network namespace): services, real servers, connections, settings, counters.
 * Linux 6.1 include/net/ip_vs.h: struct netns_ipvs.
 */
import { defineState, type Host } from '#kernel/core'
import { HZ, jiffiesOf } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import { ftp } from './app-ftp.ts'
import { ConnTable } from './conn-table.ts'
import { Defence } from './defence.ts'
import type { Dest } from './dest.ts'
import { zeroService } from './edit-service.ts'
import { hasFtp } from './module.ts'
import { createProtocols, type ProtocolData } from './proto.ts'
import { RealServers } from './real-servers.ts'
import { ServiceTable } from './service-table.ts'
import { IpvsSettings } from './settings.ts'
import { ESTIMATION_PERIOD, type EstimatorClock, Stats } from './stats.ts'
import { Trash } from './trash.ts'
import { type Family, type InetAddr, IP_VS_CONN_F_FWD_MASK, IP_VS_CONN_F_MASQ, IP_VS_STATE_MASTER } from './uapi.ts'

export class Ipvs implements EstimatorClock {
  readonly host: Host
  readonly settings = new IpvsSettings()
  readonly services = new ServiceTable()
  readonly conns = new ConnTable()
  readonly protocols: Map<number, ProtocolData> = createProtocols()
  readonly realServers = new RealServers()
  readonly trash: Trash
  readonly defence: Defence
  readonly totStats: Stats
  /** Once there was a service. */
  enabled = false
  /** IP_VS_STATE_*: which daemons run. */
  syncState = 0
  /** Of another family than their service. */
  mixedAddressFamilyDests = 0
  /** Mixed into what is chosen by a flow's hash. */
  readonly flowSecret: number
  /** What the synchronisation keeps. */
  sync: unknown = undefined
  /** Jiffies at which the estimator came round first. */
  readonly #firstRound: number
  /** Those that it reads. */
  readonly #estimated = new Set<Stats>()

  constructor(host: Host) {
    this.host = host
    this.#firstRound = Math.floor((jiffiesOf(host) + 2 * HZ) / 8 + 1) * 8
    this.flowSecret = host.sim.random('flow hash of ipvs').uint32()
    if (hasFtp(host)) this.protocols.get(IPPROTO_TCP)!.apps.push(ftp)
    this.totStats = new Stats(this)
    this.#estimated.add(this.totStats)
    this.defence = new Defence(this)
    this.trash = new Trash(this)
  }

  get jiffies(): number {
    return jiffiesOf(this.host)
  }

  get isMaster(): boolean {
    return (this.syncState & IP_VS_STATE_MASTER) !== 0
  }

  get running(): boolean {
    return this.settings.runEstimation !== 0
  }

  round(): number {
    const passed = this.jiffies - this.#firstRound
    return passed < 0 ? 0 : Math.floor(passed / ESTIMATION_PERIOD) + 1
  }

  /** ip_vs_start_estimator(). */
  startStats(stats: Stats): void {
    stats.start()
    this.#estimated.add(stats)
  }

  /** ip_vs_stop_estimator(). */
  stopStats(stats: Stats): void {
    stats.settle()
    this.#estimated.delete(stats)
  }

  /** Before run_estimation changes: what has passed, passed under the old value. */
  settleStats(): void {
    for (const stats of this.#estimated) stats.settle()
  }

  /** ip_vs_zero_all(). */
  zeroAll(): void {
    for (const svc of this.services.list()) zeroService(svc)
    this.totStats.zero()
  }

  protocol(protocol: number): ProtocolData | undefined {
    return this.protocols.get(protocol)
  }

  /**
   * The server that a connection from a synchronisation belongs to. ip_vs_find_dest().
   *
   * @param flags of the connection: where addresses don't change, a service of a mark has servers without ports
   */
  findDest(
    svcAf: Family,
    destAf: Family,
    daddr: InetAddr,
    dport: number,
    vaddr: InetAddr,
    vport: number,
    protocol: number,
    fwmark: number,
    flags: number,
  ): Dest | undefined {
    const svc = this.services.find(svcAf, fwmark, protocol, vaddr, vport)
    if (!svc) return undefined
    const port = fwmark !== 0 && (flags & IP_VS_CONN_F_FWD_MASK) !== IP_VS_CONN_F_MASQ ? 0 : dport
    return svc.findDest(destAf, daddr, port) ?? svc.findDest(destAf, daddr, port ^ dport)
  }

  /** A device went down: no route by it may be kept. ip_vs_dst_event(). */
  forgetRoutes(): void {
    for (const svc of this.services.list()) for (const dest of svc.destinations) dest.route = undefined
    for (const dest of this.trash.dests) dest.route = undefined
  }

  /** The host loses its power, or the namespace ends. */
  end(): void {
    this.enabled = false
    this.trash.end()
    this.defence.end()
    for (const cp of this.conns.list()) cp.timer.destroy()
  }
}

export const ipvsState = defineState((host) => new Ipvs(host))

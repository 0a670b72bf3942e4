/**
 * What IPVS keeps for a host (a network namespace): services, real servers, connections, settings, counters; and what
 * changes the first two.
 *
 * Linux 6.1 include/net/ip_vs.h: struct netns_ipvs; net/netfilter/ipvs/ip_vs_ctl.c.
 */
import { conntrackNeed } from '#kernel/conntrack'
import { defineState, type Errno, type Host } from '#kernel/core'
import { addressType, HZ, jiffiesOf, WheelTimer } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import { ftp } from './app-ftp.ts'
import { bindApp } from './apps.ts'
import type { Conn } from './conn.ts'
import { ConnTable } from './conn-table.ts'
import type { DestFields, ServiceFields, ServiceKey } from './control.ts'
import { Defence } from './defence.ts'
import { Dest } from './dest.ts'
import type { Engine } from './engine.ts'
import { registerHooks, unregisterHooks } from './hooks.ts'
import { isUsableIpv6 } from './ipv6.ts'
import { hasFtp, loadEngine, loadScheduler } from './module.ts'
import { createProtocols, type ProtocolData } from './proto.ts'
import { RealServers } from './real-servers.ts'
import type { Scheduler } from './scheduler.ts'
import { Service } from './service.ts'
import { ServiceTable } from './service-table.ts'
import { IpvsSettings } from './settings.ts'
import { ESTIMATION_PERIOD, type EstimatorClock, Stats } from './stats.ts'
import {
  AF_INET,
  AF_INET6,
  type Family,
  FTPPORT,
  type InetAddr,
  IP_VS_CONN_F_DEST_MASK,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_INACTIVE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_DEST_CF_AVAILABLE,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_HASHED,
} from './uapi.ts'
import { bindXmit } from './xmit-bind.ts'

/** How long a removed server is remembered, in jiffies. IP_VS_DEST_TRASH_PERIOD. */
const TRASH_PERIOD = 120 * HZ
const INT_MAX = 2 ** 31 - 1

export class Ipvs implements EstimatorClock {
  readonly host: Host
  readonly settings = new IpvsSettings()
  readonly services = new ServiceTable()
  readonly conns = new ConnTable()
  readonly protocols: Map<number, ProtocolData> = createProtocols()
  readonly realServers = new RealServers()
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
  /** Servers that were removed, the latest first; their connections may still name them. */
  readonly destTrash: Dest[] = []
  readonly #trashTimer: WheelTimer
  readonly #nodestTimer: WheelTimer
  /** Jiffies at which the estimator came round first. */
  readonly #firstRound: number
  #allStats: Stats[] = []

  constructor(host: Host) {
    this.host = host
    const now = jiffiesOf(host)
    this.#firstRound = Math.floor((now + 2 * HZ) / 8 + 1) * 8
    this.flowSecret = host.sim.random('flow hash of ipvs').uint32()
    if (hasFtp(host)) this.protocols.get(IPPROTO_TCP)!.apps.push(ftp)
    this.totStats = new Stats(this)
    this.#allStats.push(this.totStats)
    this.defence = new Defence(this)
    this.#trashTimer = new WheelTimer(host, 'ipvs/trash', () => this.#expireTrash())
    this.#nodestTimer = new WheelTimer(host, 'ipvs/nodest', () => this.#flushNodest())
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

  /** Before run_estimation changes: what has passed, passed under the old value. */
  settleStats(): void {
    for (const stats of this.#allStats) stats.settle()
  }

  protocol(protocol: number): ProtocolData | undefined {
    return this.protocols.get(protocol)
  }

  familyValid(af: Family): boolean {
    return af === AF_INET || af === AF_INET6
  }

  bindXmit(cp: Conn): void {
    bindXmit(cp)
  }

  bindApp(cp: Conn): void {
    bindApp(cp)
  }

  #scheduler(name: string): { scheduler: Scheduler | undefined } | Errno {
    if (name === 'none') return { scheduler: undefined }
    const scheduler = loadScheduler(this.host, name)
    if (scheduler) return { scheduler }
    this.host.log(6, `IPVS: Scheduler module ip_vs_${name} not found`)
    return 'ENOENT'
  }

  #engine(name: string | undefined): { engine: Engine | undefined } | Errno {
    if (name === undefined || name === '') return { engine: undefined }
    const engine = loadEngine(this.host, name)
    if (engine) return { engine }
    this.host.log(6, `IPVS: persistence engine module ip_vs_pe_${name} not found`)
    return 'ENOENT'
  }

  #prefixWrong(af: Family, netmask: number): boolean {
    return af === AF_INET6 && (netmask < 1 || netmask > 128)
  }

  /** ip_vs_add_service(). */
  addService(key: ServiceKey, fields: ServiceFields): Errno | undefined {
    const { af } = key
    const found = this.#scheduler(fields.schedName)
    if (typeof found === 'string') return found
    const known = this.#engine(fields.peName)
    if (typeof known === 'string') return known
    if (this.#prefixWrong(af, fields.netmask)) return 'EINVAL'
    const fwmark = key.fwmark ?? 0
    const svc =
      fwmark !== 0
        ? new Service(this, af, IPPROTO_TCP, af === AF_INET ? 0 : 0, 0, fwmark)
        : new Service(this, af, key.protocol ?? IPPROTO_TCP, key.addr ?? 0, key.port ?? 0, 0)
    svc.flags = fields.flags & fields.flagsMask & ~IP_VS_SVC_F_HASHED
    svc.timeout = fields.timeout * HZ
    svc.netmask = fields.netmask
    const failed = found.scheduler?.init?.(svc)
    if (failed) return failed
    svc.scheduler = found.scheduler
    const { services } = this
    if (af === AF_INET ? services.count4 === 0 : services.count6 === 0) registerHooks(this, af)
    if (svc.port === FTPPORT) services.ftp++
    else if (svc.port === 0) services.anyPort++
    svc.engine = known.engine
    if (svc.engine) services.engines++
    this.#allStats.push(svc.stats)
    if (af === AF_INET) services.count4++
    else services.count6++
    svc.flags |= IP_VS_SVC_F_HASHED
    services.add(svc)
    this.enabled = true
    return undefined
  }

  /** ip_vs_edit_service(). */
  editService(svc: Service, fields: ServiceFields): Errno | undefined {
    const found = this.#scheduler(fields.schedName)
    if (typeof found === 'string') return found
    const known = this.#engine(fields.peName)
    if (typeof known === 'string') return known
    if (this.#prefixWrong(svc.af, fields.netmask)) return 'EINVAL'
    const { scheduler } = found
    const old = svc.scheduler
    if (scheduler !== old) {
      svc.scheduler = undefined
      old?.done?.(svc)
      const failed = scheduler?.init?.(svc)
      if (failed) {
        if (old?.init?.(svc) === undefined) svc.scheduler = old
        return failed
      }
      svc.scheduler = scheduler
    }
    svc.flags = (svc.flags & ~fields.flagsMask) | (fields.flags & fields.flagsMask) | IP_VS_SVC_F_HASHED
    svc.timeout = fields.timeout * HZ
    svc.netmask = fields.netmask
    this.services.engines += (known.engine ? 1 : 0) - (svc.engine ? 1 : 0)
    svc.engine = known.engine
    return undefined
  }

  /** ip_vs_unlink_service(), __ip_vs_del_service(). */
  delService(svc: Service): void {
    const { services } = this
    services.remove(svc)
    svc.flags &= ~IP_VS_SVC_F_HASHED
    if (svc.af === AF_INET) {
      if (--services.count4 === 0) unregisterHooks(this, AF_INET)
    } else if (--services.count6 === 0) unregisterHooks(this, AF_INET6)
    this.#stopStats(svc.stats)
    const { scheduler } = svc
    svc.scheduler = undefined
    scheduler?.done?.(svc)
    for (const dest of svc.destinations.slice()) {
      this.#unlinkDest(svc, dest, false)
      this.#toTrash(dest)
    }
    if (svc.port === FTPPORT) services.ftp--
    else if (svc.port === 0) services.anyPort--
    if (svc.engine) services.engines--
  }

  flush(): void {
    for (const svc of this.services.list()) this.delService(svc)
  }

  zeroService(svc: Service): void {
    for (const dest of svc.destinations) dest.stats.zero()
    svc.stats.zero()
  }

  zeroAll(): void {
    for (const svc of this.services.list()) this.zeroService(svc)
    this.totStats.zero()
  }

  #stopStats(stats: Stats): void {
    stats.settle()
    this.#allStats = this.#allStats.filter((one) => one !== stats)
  }

  /** What neither adding nor editing takes. */
  #fieldsWrong(fields: DestFields, caller: string): Errno | undefined {
    const say = (text: string) => this.host.log(3, `IPVS: ${caller}(): ${text}`)
    if (fields.weight < 0) {
      say('server weight less than zero')
      return 'ERANGE'
    }
    if (fields.lThresh > fields.uThresh) {
      say('lower threshold is higher than upper threshold')
      return 'ERANGE'
    }
    if (fields.uThresh > INT_MAX) return 'EINVAL'
    if (fields.tunType === IP_VS_CONN_F_TUNNEL_TYPE_GUE && !fields.tunPort) {
      say('tunnel port is zero')
      return 'EINVAL'
    }
    return undefined
  }

  /** ip_vs_add_dest(). */
  addDest(svc: Service, af: Family, addr: InetAddr, port: number, fields: DestFields): Errno | undefined {
    const wrong = this.#fieldsWrong(fields, 'ip_vs_add_dest')
    if (wrong) return wrong
    if (svc.findDest(af, addr, port)) return 'EEXIST'
    const known = this.destTrash.find(
      (dest) =>
        dest.af === af &&
        dest.addr === addr &&
        dest.port === port &&
        dest.vfwmark === svc.fwmark &&
        dest.protocol === svc.protocol &&
        (svc.fwmark !== 0 || (dest.vaddr === svc.addr && dest.vport === svc.port)),
    )
    if (known) {
      this.destTrash.splice(this.destTrash.indexOf(known), 1)
      this.#updateDest(svc, known, fields, true)
      return undefined
    }
    if (typeof addr === 'number') {
      const type = addressType(this.host, addr)
      if (type !== 'local' && type !== 'unicast') return 'EINVAL'
    } else if (!isUsableIpv6(this.host, addr)) return 'EINVAL'
    this.#updateDest(svc, new Dest(this, svc, af, addr, port), fields, true)
    return undefined
  }

  /** ip_vs_edit_dest(). */
  editDest(svc: Service, af: Family, addr: InetAddr, port: number, fields: DestFields): Errno | undefined {
    const wrong = this.#fieldsWrong(fields, 'ip_vs_edit_dest')
    if (wrong) return wrong
    const dest = svc.findDest(af, addr, port)
    if (!dest) return 'ENOENT'
    this.#updateDest(svc, dest, fields, false)
    return undefined
  }

  /** __ip_vs_update_dest(). */
  #updateDest(svc: Service, dest: Dest, fields: DestFields, add: boolean): void {
    if (add && dest.af !== svc.af) this.mixedAddressFamilyDests++
    if (add || fields.weight !== 0) dest.lastWeight = fields.weight
    dest.weight = fields.weight
    let flags = (fields.fwdMethod & IP_VS_CONN_F_DEST_MASK) | IP_VS_CONN_F_INACTIVE
    this.realServers.remove(dest)
    dest.tunType = fields.tunType ?? 0
    dest.tunPort = fields.tunPort ?? 0
    dest.tunFlags = fields.tunFlags ?? 0
    if ((flags & IP_VS_CONN_F_FWD_MASK) !== IP_VS_CONN_F_MASQ) flags |= IP_VS_CONN_F_NOOUTPUT
    else if (svc.port === FTPPORT) this.#trackFor(svc)
    dest.connFlags = flags
    this.realServers.add(dest)
    if (dest.svc !== svc) {
      dest.stats.zero()
      dest.svc = svc
    }
    dest.cflags |= IP_VS_DEST_CF_AVAILABLE
    if (dest.uThreshold !== fields.uThresh || dest.lThreshold !== fields.lThresh) {
      dest.uThreshold = fields.uThresh
      dest.lThreshold = fields.lThresh
      dest.lThresholdVal = fields.lThresh || fields.uThresh - (fields.uThresh >> 2)
      dest.updateOverload(0)
    }
    dest.route = undefined
    if (!add) {
      svc.scheduler?.updDest?.(svc, dest)
      return
    }
    dest.stats.start()
    this.#allStats.push(dest.stats)
    svc.destinations.unshift(dest)
    svc.scheduler?.addDest?.(svc, dest)
  }

  /** FTP's helper changes what is said, which connection tracking must know of. ip_vs_register_conntrack(). */
  #trackFor(svc: Service): void {
    if (svc.conntracked) return
    svc.conntracked = true
    conntrackNeed(this.host, svc.af === AF_INET ? 'ip' : 'ip6')
  }

  /** ip_vs_del_dest(). */
  delDest(svc: Service, af: Family, addr: InetAddr, port: number): Errno | undefined {
    const dest = svc.findDest(af, addr, port)
    if (!dest) return 'ENOENT'
    this.#unlinkDest(svc, dest, true)
    this.#toTrash(dest)
    return undefined
  }

  #unlinkDest(svc: Service, dest: Dest, tell: boolean): void {
    dest.cflags &= ~IP_VS_DEST_CF_AVAILABLE
    const index = svc.destinations.indexOf(dest)
    svc.destinations.splice(index, 1)
    if (dest.af !== svc.af) this.mixedAddressFamilyDests--
    if (tell) svc.scheduler?.delDest?.(svc, dest, index)
  }

  /** __ip_vs_del_dest(). */
  #toTrash(dest: Dest): void {
    this.#stopStats(dest.stats)
    this.realServers.remove(dest)
    if (this.destTrash.length === 0) this.#trashTimer.after(TRASH_PERIOD / 2)
    this.destTrash.unshift(dest)
    dest.idleStart = 0
    if (this.settings.expireNodestConn !== 0 && !this.#nodestTimer.pending) this.#nodestTimer.after(1)
  }

  /** ip_vs_dest_trash_expire(). */
  #expireTrash(): void {
    const now = this.jiffies
    for (const dest of this.destTrash.slice()) {
      if (dest.refs > 0) continue
      if (dest.idleStart === 0) dest.idleStart = now
      else if (now >= dest.idleStart + TRASH_PERIOD) this.destTrash.splice(this.destTrash.indexOf(dest), 1)
    }
    if (this.destTrash.length > 0) this.#trashTimer.after(TRASH_PERIOD / 2)
  }

  /** Ends the connections of servers that are gone. ip_vs_expire_nodest_conn_flush(). */
  #flushNodest(): void {
    for (const cp of this.conns.list()) {
      if (cp.dest === undefined || cp.dest.available || cp.nControl > 0 || !cp.timer.pending) continue
      const { control } = cp
      cp.del()
      if (control && control.nControl === 0) control.del()
    }
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
    for (const dest of this.destTrash) dest.route = undefined
  }

  /** The host loses its power, or the namespace ends. */
  end(): void {
    this.enabled = false
    this.#trashTimer.destroy()
    this.#nodestTimer.destroy()
    this.defence.end()
    for (const cp of this.conns.list()) cp.timer.destroy()
  }
}

export const ipvsState = defineState((host) => new Ipvs(host))

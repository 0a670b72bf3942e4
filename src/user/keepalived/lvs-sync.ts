/**
 * IPVS's synchronisation daemon: a master where the router is, a backup elsewhere; both if no router is named. keepalived 2.2.7
 * check/ipvswrapper.c: ipvs_syncd_cmd(); vrrp/vrrp.c: vrrp_complete_init()
 */
import type { Sys } from '#kernel/core'
import type { Configuration } from './configuration.ts'
import { IpvsControl } from './ipvs.ts'
import type { Log } from './log.ts'
import type { LvsSync, VirtualRouter } from './model.ts'

/** IP_VS_STATE_*. */
const MASTER = 1
const BACKUP = 2

export class SyncDaemon {
  readonly router: VirtualRouter | undefined
  readonly #ipvs: IpvsControl
  readonly #config: LvsSync

  constructor(sys: Sys, log: Log, config: LvsSync, router: VirtualRouter | undefined) {
    this.#ipvs = new IpvsControl(sys, log)
    this.#config = config
    this.router = router
  }

  begin(master: boolean): void {
    this.#start(master ? MASTER : BACKUP)
  }

  become(master: boolean): void {
    this.#end(master ? BACKUP : MASTER, false)
    this.#start(master ? MASTER : BACKUP)
  }

  /** Also what somebody else has left. */
  startBoth(): void {
    this.stopBoth()
    this.#start(MASTER)
    this.#start(BACKUP)
  }

  #start(state: number): void {
    const { interface: mcastIfn, id, maxLength, port, ttl, group } = this.#config
    const daemon = {
      state,
      mcastIfn,
      syncId: id ?? this.router?.vrid ?? 0,
      ...(maxLength === undefined ? {} : { syncMaxlen: maxLength }),
      ...(port === undefined ? {} : { mcastPort: port }),
      ...(ttl === undefined ? {} : { mcastTtl: ttl }),
      ...(group === undefined ? {} : { mcastGroup: group }),
    }
    this.#ipvs.ask('STARTDAEMON', { type: 'IPVS_CMD_NEW_DAEMON', daemon }, () => '')
  }

  /** What it is. */
  end(): void {
    this.#end(this.router?.state === 'MASTER' ? MASTER : BACKUP, false)
  }

  stopBoth(): void {
    this.#end(MASTER, true)
    this.#end(BACKUP, true)
  }

  #end(state: number, quiet: boolean): void {
    this.#ipvs.ask('STOPDAEMON', { type: 'IPVS_CMD_DEL_DAEMON', state }, () => '', quiet)
  }
}

/** The one of a router, which begins as a backup. */
export function syncDaemonOf(sys: Sys, config: Configuration): SyncDaemon | undefined {
  const { lvsSync } = config.global
  if (lvsSync?.instance === undefined) return undefined
  const router = config.vrrp.routers.find(({ name }) => name === lvsSync.instance)
  if (!router) {
    config.wrong(`Unable to find vrrp instance ${lvsSync.instance} for lvs_syncd - clearing lvs_syncd config`)
    return undefined
  }
  return new SyncDaemon(sys, config.log, lvsSync, router)
}

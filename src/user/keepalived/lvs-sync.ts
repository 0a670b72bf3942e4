/** IPVS's synchronisation daemon, master where the router is. keepalived 2.2.7 check/ipvswrapper.c: ipvs_syncd_cmd() */
import { NotModelled } from '#base/check'
import type { Sys } from '#kernel/core'
import type { Configuration } from './configuration.ts'
import type { VirtualRouter } from './model.ts'

export interface SyncDaemon {
  router: VirtualRouter | undefined
  become(master: boolean): void
  stop(): void
}

export function syncDaemonOf(_sys: Sys, config: Configuration): SyncDaemon | undefined {
  if (config.global.lvsSync?.instance === undefined) return undefined
  throw new NotModelled('keepalived: lvs_sync_daemon')
}

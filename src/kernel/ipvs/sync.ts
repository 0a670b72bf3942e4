/** The synchronisation of connections between directors. Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c. */
import { NotModelled } from '#base/check'
import type { Errno } from '#kernel/core'
import type { Conn } from './conn.ts'
import type { DaemonMessage } from './control.ts'
import type { Ipvs } from './state.ts'
import { IP_VS_STATE_MASTER } from './uapi.ts'

/** A connection has had so many packets, or has changed: whether a backup is told of it is decided here. ip_vs_sync_conn(). */
export function syncConn(_ipvs: Ipvs, _cp: Conn, _pkts: number): void {}

/** Starts a daemon; `state` is IP_VS_STATE_MASTER or _BACKUP. start_sync_thread(). */
export function startSyncThread(_ipvs: Ipvs, _daemon: DaemonMessage): Errno | undefined {
  throw new NotModelled('IPVS synchronisation daemons')
}

/** Stops one: ESRCH if none runs. stop_sync_thread(). */
export function stopSyncThread(_ipvs: Ipvs, _state: number): Errno | undefined {
  return 'ESRCH'
}

/** Those that run: the master first. */
export function syncDaemons(ipvs: Ipvs): DaemonMessage[] {
  return ipvs.syncState & IP_VS_STATE_MASTER ? [] : []
}

/** The host loses its power, or the namespace ends. */
export function endSync(_ipvs: Ipvs): void {}

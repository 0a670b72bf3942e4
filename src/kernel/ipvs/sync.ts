/**
 * The synchronisation of connections between directors: the daemons of a host, and which connections are told.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c.
 */
import type { Errno, KernelHost } from '#kernel/core'
import { deviceByName, logLimited, type NetDevice } from '#kernel/net'
import type { Conn } from './conn.ts'
import type { DaemonMessage } from './control.ts'
import type { Ipvs } from './state.ts'
import { SyncBackup } from './sync-backup.ts'
import { SyncMaster } from './sync-master.ts'
import { syncNeeded } from './sync-needed.ts'
import { openReceiver, openSender, type SyncConfig, type SyncSocket } from './sync-socket.ts'
import { AF_INET6, IP_VS_STATE_BACKUP, IP_VS_STATE_MASTER } from './uapi.ts'

/** 224.0.0.81 */
const GROUP = 0xe0000051
const PORT = 8848
const PORTS_MAX = 64
const UDP_HEADERS = { v4: 20 + 8, v6: 40 + 8 }
const ETHERNET_MTU = 1500
/** The least that a backup's buffer has. */
const BACKUP_LEAST = 1024

interface Daemon<Thread> {
  config: SyncConfig
  threads: Thread[]
}

/** What the daemons keep. */
interface SyncState {
  /** Threads of each daemon, as long as one runs. */
  count: number
  master: Daemon<SyncMaster> | undefined
  backup: Daemon<SyncBackup> | undefined
}

function stateOf(ipvs: Ipvs): SyncState {
  ipvs.sync ??= { count: 1, master: undefined, backup: undefined } satisfies SyncState
  return ipvs.sync as SyncState
}

/** A connection has had so many packets, or has changed: whether a backup is told of it is decided here. ip_vs_sync_conn(). */
export function syncConn(ipvs: Ipvs, cp: Conn, pkts: number): void {
  const threads = stateOf(ipvs).master?.threads
  let one: Conn | undefined = cp
  let count = pkts
  while (one) {
    const v0 = ipvs.settings.syncVersion === 0
    if (v0 && one.af === AF_INET6) return
    const needed = !one.isOnePacket && syncNeeded(one, count)
    // The old version stops where nothing is told; the new one goes on to what controls the connection.
    if (!needed && v0) return
    if (needed) {
      // A template of an engine is of no use without its server.
      if (one.peData && !one.dest && !v0) {
        logLimited(ipvs.host, 3, ['SYNC, connection pe_data invalid'], 'IPVS: ')
        return
      }
      if (!threads || !ipvs.isMaster) return
      threads[one.hash % threads.length]!.add(one)
    }
    one = one.control
    if (one) count = one.isTemplate ? ++one.inPkts : ipvs.settings.syncThreshold[0]
  }
}

/** Starts a daemon; `state` is IP_VS_STATE_MASTER or _BACKUP. start_sync_thread(). */
export function startSyncThread(ipvs: Ipvs, daemon: DaemonMessage): Errno | undefined {
  const sync = stateOf(ipvs)
  if (ipvs.syncState === 0) sync.count = Math.min(Math.max(ipvs.settings.syncPorts, 1), PORTS_MAX)
  const device = deviceByName(ipvs.host, daemon.mcastIfn)
  if (!device) {
    ipvs.host.log(3, `IPVS: Unknown mcast interface: ${daemon.mcastIfn}`)
    return 'ENODEV'
  }
  const config = configOf(daemon, device)
  if (daemon.state === IP_VS_STATE_MASTER) {
    if (sync.master) return 'EEXIST'
    const started = start(ipvs, sync.count, 'MASTER', config, openSender, device, SyncMaster)
    if (typeof started === 'string') return started
    sync.master = started
  } else if (daemon.state === IP_VS_STATE_BACKUP) {
    if (sync.backup) return 'EEXIST'
    const started = start(ipvs, sync.count, 'BACKUP', config, openReceiver, device, SyncBackup)
    if (typeof started === 'string') return started
    sync.backup = started
  } else return 'EINVAL'
  ipvs.syncState |= daemon.state
  return undefined
}

/** What wasn't said gets its default; a backup's buffer is as long as the longest that may come. */
function configOf(daemon: DaemonMessage, device: NetDevice): SyncConfig {
  const isBackup = daemon.state === IP_VS_STATE_BACKUP
  const mcastGroup = daemon.mcastGroup ?? GROUP
  const headers = typeof mcastGroup === 'number' ? UDP_HEADERS.v4 : UDP_HEADERS.v6
  const mtu = isBackup ? Math.min(Math.max(device.mtu, ETHERNET_MTU), 65_535) : ETHERNET_MTU
  const least = isBackup ? BACKUP_LEAST : 1
  return {
    mcastIfn: daemon.mcastIfn,
    syncId: daemon.syncId,
    syncMaxlen: daemon.syncMaxlen ? Math.min(Math.max(daemon.syncMaxlen, least), 65_535 - headers) : mtu - headers,
    mcastGroup,
    mcastPort: daemon.mcastPort || PORT,
    mcastTtl: daemon.mcastTtl || 1,
  }
}

/** All threads of a daemon, or none of them. */
function start<Thread extends { socket: SyncSocket; end(): void }>(
  ipvs: Ipvs,
  count: number,
  name: string,
  config: SyncConfig,
  open: typeof openSender,
  device: NetDevice,
  create: new (ipvs: Ipvs, config: SyncConfig, socket: SyncSocket, pid: number) => Thread,
): Daemon<Thread> | Errno {
  const threads: Thread[] = []
  for (let id = 0; id < count; id++) {
    const opened = open(ipvs, config, device, id)
    if (!opened.ok) {
      for (const thread of threads) endThread(thread)
      return opened.errno
    }
    threads.push(new create(ipvs, config, opened.socket, newPid(ipvs)))
    ipvs.host.log(
      6,
      `IPVS: sync thread started: state = ${name}, mcast_ifn = ${config.mcastIfn}, syncid = ${config.syncId}, id = ${id}`,
    )
  }
  return { config, threads }
}

/** A kernel thread has a process id like everybody. */
function newPid({ host }: Ipvs): number {
  return ++((host.base ?? host) as KernelHost).machine.lastPid
}

function endThread(thread: { socket: SyncSocket; end(): void }): void {
  thread.end()
  thread.socket.release()
}

/** Stops one: ESRCH if none runs. stop_sync_thread(). */
export function stopSyncThread(ipvs: Ipvs, state: number): Errno | undefined {
  const sync = stateOf(ipvs)
  if (state !== IP_VS_STATE_MASTER && state !== IP_VS_STATE_BACKUP) return 'EINVAL'
  const kind = state === IP_VS_STATE_MASTER ? 'master' : 'backup'
  const daemon = sync[kind]
  if (!daemon) return 'ESRCH'
  ipvs.syncState &= ~state
  sync[kind] = undefined
  for (const thread of daemon.threads.toReversed()) {
    ipvs.host.log(6, `IPVS: stopping ${kind} sync thread ${thread.pid} ...`)
    thread.end()
  }
  for (const thread of daemon.threads.toReversed()) thread.socket.release()
  return undefined
}

/** Those that run: the master first. */
export function syncDaemons(ipvs: Ipvs): DaemonMessage[] {
  const { master, backup } = stateOf(ipvs)
  const daemons: DaemonMessage[] = []
  if (master) daemons.push({ type: 'IPVS_CMD_NEW_DAEMON', state: IP_VS_STATE_MASTER, ...master.config })
  if (backup) daemons.push({ type: 'IPVS_CMD_NEW_DAEMON', state: IP_VS_STATE_BACKUP, ...backup.config })
  return daemons
}

/** The host loses its power, or the namespace ends. */
export function endSync(ipvs: Ipvs): void {
  if (ipvs.host.base?.up) {
    // A namespace ends where the machine goes on: its daemons are stopped as by a command.
    stopSyncThread(ipvs, IP_VS_STATE_MASTER)
    stopSyncThread(ipvs, IP_VS_STATE_BACKUP)
    return
  }
  const { master, backup } = stateOf(ipvs)
  for (const thread of [...(master?.threads ?? []), ...(backup?.threads ?? [])]) thread.end()
  ipvs.sync = undefined
  ipvs.syncState = 0
}

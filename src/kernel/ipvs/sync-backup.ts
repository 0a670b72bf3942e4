/**
 * What a backup makes of what it hears: connections, in the state in which the master has them, with the master's timeouts,
 * whether or not their real server is known here.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c: ip_vs_process_message(), ip_vs_proc_conn().
 */
import { HZ, logLimited } from '#kernel/net'
import { IPPROTO_TCP, IPPROTO_UDP } from '#wire/inet'
import { setActive, tryBindDest } from './bind.ts'
import { type Conn, newConn } from './conn.ts'
import type { Engine } from './engine.ts'
import { loadedEngine } from './module.ts'
import type { Ipvs } from './state.ts'
import { parseSyncMessage, type SyncConn } from './sync-message.ts'
import type { SyncConfig, SyncSocket } from './sync-socket.ts'
import {
  IP_VS_CONN_F_BACKUP_MASK,
  IP_VS_CONN_F_BACKUP_UPD_MASK,
  IP_VS_CONN_F_INACTIVE,
  IP_VS_CONN_F_SYNC,
  IP_VS_CONN_F_TEMPLATE,
  IP_VS_CTPL_S_ASSURED,
  IP_VS_SCTP_S_LAST,
  IP_VS_TCP_S_LAST,
  IP_VS_UDP_S_LAST,
  IPPROTO_SCTP,
} from './uapi.ts'

/** What a template lives whose timeout wasn't told. */
const TEMPLATE_TIMEOUT = 3 * 60 * HZ
/** The longest that a timer waits, whatever it was told. Linux 6.1 kernel/time/timer.c: WHEEL_TIMEOUT_CUTOFF. */
const LONGEST = 63 * 2 ** 24

/** How many states a protocol has. */
const STATES: Record<number, number> = {
  [IPPROTO_TCP]: IP_VS_TCP_S_LAST,
  [IPPROTO_UDP]: IP_VS_UDP_S_LAST,
  [IPPROTO_SCTP]: IP_VS_SCTP_S_LAST,
}

/** One thread and its socket. */
export class SyncBackup {
  readonly #ipvs: Ipvs
  readonly #config: SyncConfig
  readonly socket: SyncSocket
  readonly pid: number

  constructor(ipvs: Ipvs, config: SyncConfig, socket: SyncSocket, pid: number) {
    this.#ipvs = ipvs
    this.#config = config
    this.socket = socket
    this.pid = pid
    socket.queue.add(this)
  }

  /** Something has come. */
  wake(): void {
    for (;;) {
      const received = this.socket.receive(this.#config.syncMaxlen, { dontWait: true })
      if (!received.ok) {
        if (received.errno !== 'EAGAIN') this.#ipvs.host.log(3, 'IPVS: receiving message error')
        return
      }
      processMessage(this.#ipvs, this.#config.syncId, received.value.bytes)
    }
  }

  end(): void {
    this.socket.queue.remove(this)
  }
}

/** Takes a datagram. With the id 0 everybody's are taken. */
export function processMessage(ipvs: Ipvs, syncId: number, bytes: Uint8Array): void {
  const message = parseSyncMessage(bytes)
  if (!message || (syncId !== 0 && message.syncId !== syncId)) return
  for (const conn of message.conns) processConn(ipvs, conn)
  if (message.dropped !== undefined) logLimited(ipvs.host, 3, [message.dropped], 'IPVS: ')
}

function processConn(ipvs: Ipvs, told: SyncConn): void {
  const { state } = told
  const flags = (told.flags & IP_VS_CONN_F_BACKUP_MASK) | IP_VS_CONN_F_SYNC
  const isTemplate = (flags & IP_VS_CONN_F_TEMPLATE) !== 0
  const data = ipvs.protocol(told.protocol)
  if (isTemplate ? state > IP_VS_CTPL_S_ASSURED : !data || state >= (STATES[told.protocol] ?? 1)) return
  const engine = told.pe && loadedEngine(ipvs.host, told.pe.name)
  if (told.pe && !engine) return
  const found = isTemplate ? findTemplate(ipvs, told, engine) : findConn(ipvs, told, flags)
  if (found === 'ignore') return
  if (found) update(found, flags)
  const cp = found ?? create(ipvs, told, flags, engine)
  if (told.seqs) {
    Object.assign(cp.inSeq, told.seqs.in)
    Object.assign(cp.outSeq, told.seqs.out)
  }
  cp.inPkts = ipvs.settings.syncThreshold[0]
  cp.state = state
  cp.oldState = state
  if (told.timeout !== 0) cp.timeout = Math.min(told.timeout * HZ, LONGEST)
  else cp.timeout = (isTemplate ? undefined : data?.timeouts[state]) ?? TEMPLATE_TIMEOUT
  cp.put()
}

function findTemplate(ipvs: Ipvs, told: SyncConn, engine: Engine | undefined): Conn | undefined {
  const { af, protocol, caddr, cport, vaddr, vport } = told
  if (engine) return ipvs.conns.templateByData(af, protocol, caddr, vaddr, vport, engine, told.pe!.data)
  return ipvs.conns.templateGet(af, protocol, caddr, cport, vaddr, vport)
}

/** 'ignore': the end of a connection in whose place there is a new one already. */
function findConn(ipvs: Ipvs, told: SyncConn, flags: number): Conn | 'ignore' | undefined {
  const { af, protocol, caddr, cport, vaddr, vport, daddr, dport } = told
  const cp = ipvs.conns.inGet(af, protocol, caddr, cport, vaddr, vport)
  if (!cp || (cp.dport === dport && cp.daddr === daddr)) return cp
  if (flags & IP_VS_CONN_F_INACTIVE) return 'ignore'
  cp.expireNow()
  return undefined
}

function update(cp: Conn, flags: number): void {
  if (!cp.isTemplate) setActive(cp, (flags & IP_VS_CONN_F_INACTIVE) === 0)
  cp.flags = (flags & IP_VS_CONN_F_BACKUP_UPD_MASK) | (cp.flags & ~IP_VS_CONN_F_BACKUP_UPD_MASK)
  if (!cp.dest) tryBindDest(cp)
}

function create(ipvs: Ipvs, told: SyncConn, flags: number, engine: Engine | undefined): Conn {
  const { af, protocol, caddr, cport, vaddr, vport, daddr, dport, fwmark } = told
  const dest = ipvs.findDest(af, af, daddr, dport, vaddr, vport, protocol, fwmark, flags)
  return newConn(
    ipvs,
    af,
    protocol,
    caddr,
    cport,
    vaddr,
    vport,
    af,
    daddr,
    dport,
    flags,
    dest,
    fwmark,
    engine,
    told.pe?.data,
  )
}

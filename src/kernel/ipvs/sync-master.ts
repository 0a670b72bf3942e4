/**
 * A master's threads. Connections gather in a buffer of the size of a datagram; a full one is queued and sent within a
 * fiftieth of a second, one that isn't full when it is two seconds old. A thread looks every second, and is woken when eight
 * buffers wait.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sync.c: sync_thread_master(), sb_queue_tail(), ip_vs_sync_conn().
 */
import { Timer } from '#base/sim'
import { ERRNO } from '#kernel/core'
import { HZ, WheelTimer } from '#kernel/net'
import type { Conn } from './conn.ts'
import type { Ipvs } from './state.ts'
import { emitConn, emitHeader, HEADER_V0, HEADER_V1, lengthOf, type SyncConn } from './sync-message.ts'
import type { SyncConfig, SyncSocket } from './sync-socket.ts'
import { IP_VS_CONN_F_HASHED, IP_VS_CONN_F_SEQ_MASK } from './uapi.ts'

const WAKEUP_RATE = 8
const SEND_DELAY = HZ / 50
const CHECK_PERIOD = HZ
const FLUSH_TIME = 2 * HZ

interface Buffer {
  bytes: Uint8Array
  /** How much is written; there is room up to the end of `bytes`. */
  length: number
  version: number
  firstUse: number
}

/** One thread, its socket and its buffers. */
export class SyncMaster {
  readonly #ipvs: Ipvs
  readonly #config: SyncConfig
  readonly socket: SyncSocket
  readonly pid: number
  #current: Buffer | undefined = undefined
  #queue: Buffer[] = []
  /** Buffers queued since the thread was last about to be woken. sync_queue_delay. */
  #delay = 0
  /** schedule_timeout() of the thread. */
  readonly #sleep: WheelTimer
  /** wake_up_process() of the thread. */
  readonly #awake: Timer
  /** The work that wakes it for less than eight buffers. */
  readonly #work: WheelTimer

  constructor(ipvs: Ipvs, config: SyncConfig, socket: SyncSocket, pid: number) {
    this.#ipvs = ipvs
    this.#config = config
    this.socket = socket
    this.pid = pid
    this.#sleep = new WheelTimer(ipvs.host, 'ipvs/sync', () => this.#run())
    this.#awake = new Timer(ipvs.host.sim, 'ipvs/sync-awake', () => this.#run())
    this.#work = new WheelTimer(ipvs.host, 'ipvs/sync-wakeup', () => this.#wakeUp())
    this.#sleep.after(CHECK_PERIOD)
  }

  /** Adds what a connection is now. */
  add(cp: Conn): void {
    const version = this.#ipvs.settings.syncVersion
    const conn = told(cp)
    const length = lengthOf(conn, version)
    let buffer = this.#current
    if (buffer) {
      const pad = version === 0 ? 0 : (4 - buffer.length) & 3
      const full = buffer.length + pad + length > buffer.bytes.length
      // Which version a buffer is of shows in its first byte, as it does to who receives it.
      const other = version === 0 ? buffer.bytes[0] === 0 : buffer.bytes[0] !== 0
      if (full || other) {
        this.#enqueue(buffer)
        buffer = undefined
      }
    }
    buffer ??= this.#create(version, length)
    this.#current = buffer
    buffer.length = emitConn(buffer.bytes, buffer.length, conn, version)
  }

  #create(version: number, length: number): Buffer {
    const header = version === 0 ? HEADER_V0 : HEADER_V1
    const bytes = new Uint8Array(Math.max(length + header, this.#config.syncMaxlen))
    emitHeader(bytes, version, this.#config.syncId)
    return { bytes, length: header, version, firstUse: this.#ipvs.jiffies }
  }

  /** sb_queue_tail(). */
  #enqueue(buffer: Buffer): void {
    if (this.#queue.length >= this.#ipvs.settings.syncQlenMax) return
    if (this.#queue.length === 0 && !this.#work.pending) this.#work.after(Math.max(SEND_DELAY, 1))
    this.#queue.push(buffer)
    if (++this.#delay === WAKEUP_RATE) this.#awake.armAfter(0)
  }

  /** master_wakeup_work_handler(). */
  #wakeUp(): void {
    if (this.#queue.length === 0 || this.#delay >= WAKEUP_RATE) return
    this.#delay = WAKEUP_RATE
    this.#run()
  }

  /** Sends all that waits, and goes to sleep. */
  #run(): void {
    for (let buffer = this.#next(); buffer; buffer = this.#next()) {
      const sent = this.socket.sendTo(buffer.bytes.slice(0, buffer.length), undefined, { dontWait: true })
      if (!sent.ok) this.#ipvs.host.log(3, `IPVS: ip_vs_send_async error ${-ERRNO[sent.errno][0]}`)
    }
    this.#sleep.after(CHECK_PERIOD)
  }

  /** next_sync_buff(). */
  #next(): Buffer | undefined {
    const queued = this.#queue.shift()
    if (queued) {
      if (this.#queue.length === 0) this.#delay = 0
      return queued
    }
    const current = this.#current
    if (!current || this.#ipvs.jiffies - current.firstUse < FLUSH_TIME) return undefined
    this.#current = undefined
    return current
  }

  /** What wasn't sent is lost. */
  end(): void {
    this.#sleep.destroy()
    this.#work.destroy()
    this.#awake.destroy()
    this.#queue = []
    this.#current = undefined
  }
}

function told(cp: Conn): SyncConn {
  const { af, protocol, state, caddr, cport, vaddr, vport, daddr, dport, fwmark } = cp
  return {
    af,
    protocol,
    flags: cp.flags & ~IP_VS_CONN_F_HASHED,
    state,
    caddr,
    cport,
    vaddr,
    vport,
    daddr,
    dport,
    fwmark,
    timeout: Math.floor(cp.timeout / HZ),
    ...(cp.flags & IP_VS_CONN_F_SEQ_MASK ? { seqs: { in: cp.inSeq, out: cp.outSeq } } : {}),
    ...(cp.pe && cp.peData ? { pe: { name: cp.pe.name, data: cp.peData } } : {}),
  }
}

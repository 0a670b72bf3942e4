/**
 * What connection tracking keeps for a host (a network namespace): the table, its settings, its counters, who listens.
 *
 * Times are jiffies that are compared when an entry is met, as Linux does: no connection has a timer of its own. What has
 * expired goes when a look-up or a listing meets it, or when the collector comes round.
 *
 * Linux 6.1 net/netfilter/nf_conntrack_core.c.
 */
import { defineState, type Host } from '#kernel/core'
import { type InetState, inetState, jiffiesOf, logLimited } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { Collector } from './collect.ts'
import {
  Conn,
  type Direction,
  hashTuple,
  type InetAddr,
  IP_CT_DIR_REPLY,
  IPCT_DESTROY,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_DYING,
  IPS_SRC_NAT_DONE,
  type Tuple,
} from './conn.ts'
import type { Expectation } from './expect.ts'
import { ConntrackLimits, ConntrackSettings } from './settings.ts'

/** An event as it goes to listeners. */
export interface ConntrackEvent {
  /** IPCT_*. */
  events: number
  conn: Conn
  /** The port id of the program that caused it; 0: a packet or the clock did. */
  portId: number
}

/** The columns of /proc/net/stat/nf_conntrack that are counted. struct ip_conntrack_stat. */
export class ConntrackCounters {
  found = 0
  invalid = 0
  insert = 0
  insertFailed = 0
  clashResolve = 0
  drop = 0
  earlyDrop = 0
  error = 0
  expectNew = 0
  expectCreate = 0
  expectDelete = 0
  searchRestart = 0
  chainTooLong = 0
}

/** How many buckets are looked at for somebody to evict. NF_CT_EVICTION_RANGE. */
const EVICTION_RANGE = 8
const FIRST_BITS = 6
const FIRST_SIZE = 2 ** FIRST_BITS

export const conntrackLimits = defineState(() => new ConntrackLimits(), { per: 'machine' })

export class ConntrackState {
  readonly host: Host
  readonly inet: InetState
  readonly settings = new ConntrackSettings()
  readonly limits: ConntrackLimits
  readonly counters = new ConntrackCounters()
  /** Confirmed connections. (Linux counts those of packets in flight too; here a packet passes the hooks in no time.) */
  count = 0
  readonly expectations: Expectation[] = []
  /** Told of every event; few or none. */
  listeners: ((event: ConntrackEvent) => void)[] = []
  /** Told of expectations that come and go. */
  expectListeners: ((kind: 'NEW' | 'DESTROY', expectation: Expectation) => void)[] = []
  readonly collector: Collector
  /** NAT: connections by their source, so that one source keeps its mapping. */
  bySource: Map<number, Conn[]> | undefined = undefined
  #buckets: (Tuple | undefined)[] = new Array(FIRST_SIZE).fill(undefined)
  /** A tuple's place is the upper bits of its hash, so that neighbouring buckets are a range of hashes. */
  #shift = 32 - FIRST_BITS
  #numbers = 0
  #idSeed: number | undefined = undefined

  constructor(host: Host) {
    this.host = host
    this.inet = inetState.of(host)
    this.limits = conntrackLimits.of(host)
    this.collector = new Collector(this)
  }

  get jiffies(): number {
    return jiffiesOf(this.host)
  }

  /** The confirmed entry that has these keys; what has expired on the way is thrown away. ____nf_conntrack_find(). */
  find(srcKey: number, dstKey: number, ports: number, kind: number): Tuple | undefined {
    const hash = hashTuple(srcKey, dstKey, ports, kind)
    let tuple = this.#buckets[hash >>> this.#shift]
    if (tuple === undefined) return undefined
    const now = this.jiffies
    while (tuple !== undefined) {
      const { conn } = tuple
      if (conn.timeout <= now) {
        const { next } = tuple as Tuple
        this.kill(conn)
        tuple = next
        continue
      }
      if (
        tuple.hash === hash &&
        tuple.srcKey === srcKey &&
        tuple.dstKey === dstKey &&
        tuple.ports === ports &&
        tuple.kind === kind
      ) {
        return tuple
      }
      tuple = tuple.next
    }
    return undefined
  }

  /** Whether a reply with these keys would be taken for another connection's. nf_conntrack_tuple_taken(). */
  taken(srcKey: number, dstKey: number, ports: number, kind: number, except: Conn): boolean {
    const found = this.find(srcKey, dstKey, ports, kind)
    if (found === undefined || found.conn === except) return false
    if (sameTuple(found.conn.original, except.original)) return false // The same flow; `confirm` settles that.
    this.counters.found++
    return true
  }

  /** A new connection; undefined if the table is full and nobody could be evicted. __nf_conntrack_alloc(). */
  create(
    src: InetAddr,
    dst: InetAddr,
    srcPort: number,
    dstPort: number,
    replySrcPort: number,
    replyDstPort: number,
    protocol: number,
    zone: number,
  ): Conn | undefined {
    const conn = new Conn(
      ++this.#numbers,
      src,
      dst,
      srcPort,
      dstPort,
      replySrcPort,
      replyDstPort,
      protocol,
      zone,
      false,
    )
    const { max } = this.limits
    if (max !== 0 && this.count + 1 > max && !this.#earlyDrop(conn.original.hash)) {
      this.collector.wantRoom()
      logLimited(this.host, 4, ['nf_conntrack: table full, dropping packet'], '')
      return undefined
    }
    return conn
  }

  /**
   * Makes room near a hash: those that aren't assured go, of the first bucket that has any. The kernel's buckets are meant,
   * of which there are as many as the sysctl says, however few there are here yet. early_drop().
   */
  #earlyDrop(hash: number): boolean {
    const { buckets } = this.limits
    const first = Math.floor(((hash >>> 0) * buckets) / 2 ** 32)
    for (let i = 0; i < EVICTION_RANGE; i++) {
      const drops = this.#evict((first + i) % buckets, buckets)
      if (drops > 0) {
        this.counters.earlyDrop += drops
        return true
      }
    }
    return false
  }

  /** early_drop_list(). */
  #evict(bucket: number, buckets: number): number {
    const now = this.jiffies
    const low = Math.ceil((bucket * 2 ** 32) / buckets)
    const high = Math.ceil(((bucket + 1) * 2 ** 32) / buckets)
    let drops = 0
    for (let at = low >>> this.#shift; at <= (high - 1) >>> this.#shift; at++) {
      let tuple = this.#buckets[at]
      while (tuple !== undefined) {
        const { conn, hash, next }: Tuple = tuple
        tuple = next
        if (hash >>> 0 < low || hash >>> 0 >= high) continue
        if (conn.timeout <= now) this.kill(conn)
        else if (!(conn.status & IPS_ASSURED) && this.kill(conn)) drops++
      }
    }
    return drops
  }

  /** Puts both tuples into the table. */
  insert(conn: Conn): void {
    this.count++
    const size = this.#buckets.length
    if (this.count * 2 > size && size < this.limits.buckets) this.#grow()
    this.#put(conn.original)
    this.#put(conn.reply)
    conn.status |= IPS_CONFIRMED
    if (conn.status & IPS_SRC_NAT_DONE) this.#rememberSource(conn)
    if (conn.master) conn.master.children++
    this.collector.entered()
  }

  #put(tuple: Tuple): void {
    const at = tuple.hash >>> this.#shift
    tuple.next = this.#buckets[at]
    this.#buckets[at] = tuple
  }

  #grow(): void {
    const old = this.#buckets
    this.#shift--
    this.#buckets = new Array(old.length * 2).fill(undefined)
    // From the end of each chain on, so that the order stays.
    for (const head of old) {
      const chain: Tuple[] = []
      for (let tuple = head; tuple !== undefined; tuple = tuple.next) chain.push(tuple)
      for (let i = chain.length - 1; i >= 0; i--) this.#put(chain[i]!)
    }
  }

  #unlink(tuple: Tuple): void {
    const at = tuple.hash >>> this.#shift
    let one = this.#buckets[at]
    if (one === tuple) {
      this.#buckets[at] = tuple.next
      return
    }
    while (one !== undefined && one.next !== tuple) one = one.next
    if (one !== undefined) one.next = tuple.next
  }

  /** Ends a connection; false if it was ending already. nf_ct_delete(). */
  kill(conn: Conn, portId = 0): boolean {
    if (conn.status & IPS_DYING) return false
    conn.status |= IPS_DYING
    if (conn.startNs >= 0) {
      const late = this.jiffies - conn.timeout
      conn.stopNs = this.host.sim.nowNs - (late > 0 ? late * 4_000_000 : 0)
    }
    if (conn.eventMask !== 0) this.report(conn, IPCT_DESTROY, portId)
    this.#forgetExpectations(conn)
    if (conn.status & IPS_CONFIRMED) {
      this.#unlink(conn.original)
      this.#unlink(conn.reply)
      this.count--
      if (conn.status & IPS_SRC_NAT_DONE) this.#forgetSource(conn)
      if (conn.master) conn.master.children--
    }
    return true
  }

  #forgetExpectations(conn: Conn): void {
    if (this.expectations.length === 0) return
    for (const expectation of this.expectations.filter((one) => one.master === conn)) expectation.remove(this)
  }

  #rememberSource(conn: Conn): void {
    const { srcKey, srcPort, kind } = conn.original
    const key = sourceHash(srcKey, srcPort, kind)
    this.bySource ??= new Map()
    const list = this.bySource.get(key)
    if (list) list.unshift(conn)
    else this.bySource.set(key, [conn])
  }

  /** nf_nat_cleanup_conntrack(). */
  #forgetSource(conn: Conn): void {
    const { srcKey, srcPort, kind } = conn.original
    const key = sourceHash(srcKey, srcPort, kind)
    const list = this.bySource?.get(key)
    if (!list) return
    const rest = list.filter((one) => one !== conn)
    if (rest.length === 0) this.bySource!.delete(key)
    else this.bySource!.set(key, rest)
  }

  /** Tells listeners at once. nf_conntrack_eventmask_report(). */
  report(conn: Conn, events: number, portId: number): void {
    if (!(conn.status & IPS_CONFIRMED) || (events & conn.eventMask) === 0) return
    for (const listener of this.listeners) listener({ events, conn, portId })
  }

  /** Notes an event for when the packet passes the last hook. nf_conntrack_event_cache(). */
  cache(conn: Conn, event: number): void {
    if (conn.eventMask !== 0) conn.events |= event
  }

  /** nf_ct_deliver_cached_events(). */
  deliver(conn: Conn): void {
    const { events } = conn
    if (events === 0 || conn.status & IPS_DYING) return
    conn.events = 0
    this.report(conn, events, 0)
  }

  /** All confirmed connections in order of creation; what has expired is thrown away. */
  list(): Conn[] {
    const now = this.jiffies
    const conns: Conn[] = []
    const expired: Conn[] = []
    for (const tuple of this.#tuples()) {
      if (tuple.direction === IP_CT_DIR_REPLY) continue
      if (tuple.conn.timeout <= now) expired.push(tuple.conn)
      else conns.push(tuple.conn)
    }
    for (const conn of expired) this.kill(conn)
    return conns.sort((a, b) => a.number - b.number)
  }

  /** The tuples of the table as it stands, expired ones too. */
  *#tuples(): Generator<Tuple> {
    for (const head of this.#buckets) for (let tuple = head; tuple !== undefined; tuple = tuple.next) yield tuple
  }

  /** What the collector walks over. */
  all(): Conn[] {
    const conns: Conn[] = []
    for (const tuple of this.#tuples()) if (tuple.direction !== IP_CT_DIR_REPLY) conns.push(tuple.conn)
    return conns.sort((a, b) => a.number - b.number)
  }

  /** Ends what a condition holds for. nf_ct_iterate_cleanup_net(). */
  cleanup(condition: (conn: Conn) => boolean, portId = 0): void {
    for (const conn of this.all()) if (condition(conn)) this.kill(conn, portId)
  }

  /** The id that netlink shows; the same as long as the connection lives. nf_ct_get_id(). */
  idOf(conn: Conn): number {
    this.#idSeed ??= this.host.sim.random(`${this.host.name}/conntrack id`).uint32()
    const { srcKey, dstKey, ports, kind } = conn.original
    return hashTuple(srcKey ^ this.#idSeed, dstKey, ports ^ Math.imul(conn.number, 0x9e3779b9), kind) >>> 0
  }

  /** Tells the trace, if somebody listens. */
  tell(packet: Packet, what: string, text: string): void {
    this.inet.tell?.({ kind: 'conntrack', packet, what, text })
  }

  /** Whether anybody follows packets here. */
  get watched(): boolean {
    return this.inet.tell !== undefined
  }
}

/** Whether two tuples are alike. */
export function sameTuple(a: Tuple, b: Tuple): boolean {
  return a.srcKey === b.srcKey && a.dstKey === b.dstKey && a.ports === b.ports && a.kind === b.kind
}

/** The key of NAT's index by source. */
export function sourceHash(srcKey: number, srcPort: number, kind: number): number {
  return hashTuple(srcKey, 0, srcPort, kind)
}

export const conntrackState = defineState((host) => new ConntrackState(host))

/** Seconds until a connection ends, as listings show them. nf_ct_expires() / HZ. */
export function expiresJiffies(state: ConntrackState, conn: Conn): number {
  const left = (conn.status & IPS_CONFIRMED) !== 0 ? conn.timeout - state.jiffies : conn.timeout
  return Math.max(left, 0)
}

/** The other direction. */
export function otherDirection(direction: Direction): Direction {
  return direction === 0 ? 1 : 0
}

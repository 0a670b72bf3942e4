/**
 * The table that a host's neighbours of one protocol are in: making entries, making room for them, forgetting them.
 *
 * Linux 6.1 net/core/neighbour.c: ___neigh_create(), neigh_alloc(), neigh_flush_dev(); include/net/neighbour.h.
 */
import { assert } from '#base/check'
import type { Ipv6Address, Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import type { NetState } from './devices.ts'
import { logLimited } from './ip-log.ts'
import { HZ, jiffiesOf } from './jiffies.ts'
import { Neighbour, neighbourTrace } from './neighbour.ts'
import { forcedCollection, NeighbourGc } from './neighbour-gc.ts'
import { type NeighbourLink, type NeighbourParms, PARMS_DEFAULT } from './neighbour-parms.ts'
import { ProxyTable } from './neighbour-proxy.ts'
import { NUD_PERMANENT, stateName } from './neighbour-states.ts'

/** What a protocol (ARP) does for its neighbours. Linux 6.1 include/net/neighbour.h: struct neigh_ops, struct neigh_table. */
export interface NeighbourProtocol {
  /** Where a device's neighbours and settings are; undefined if the protocol isn't there. */
  linkOf(device: NetDevice): NeighbourLink | undefined
  /** Sets the state and address of an entry that needs no resolution; returns its type. */
  construct(neighbour: Neighbour): void
  solicit(neighbour: Neighbour, packet: Packet | undefined): void
  /** A packet that waited will never leave. */
  errorReport(neighbour: Neighbour, packet: Packet): void
  isMulticast(key: number): boolean
  /** This host begins, or ceases, to answer for somebody. pneigh's constructor and destructor. */
  proxyChanged?(entry: ProxyNeighbour, added: boolean): void
  /** A request that waited in the proxy queue. */
  proxyRedo(packet: Packet, device: NetDevice): void
}

/** An address that this host answers for, in another's stead. Linux: struct pneigh_entry. */
export interface ProxyNeighbour {
  readonly key: number
  readonly device: NetDevice | undefined
  readonly address6: Ipv6Address | undefined
  flags: number
  protocol: number
  permanent: boolean
}

/** Counters of /proc/net/stat/arp_cache. Linux 6.1 include/net/neighbour.h: struct neigh_statistics. */
export class NeighbourStats {
  allocs = 0
  destroys = 0
  hashGrows = 0
  resFailed = 0
  lookups = 0
  hits = 0
  periodicGcRuns = 0
  forcedGcRuns = 0
  unresDiscards = 0
  tableFulls = 0
}

export class NeighbourTable {
  readonly net: NetState
  readonly protocol: NeighbourProtocol
  /** As the log and /proc/net/stat name it. */
  readonly id: string
  /** What its streams of chance are called after. */
  readonly chance: string
  /** What a new device's settings begin as: net.ipv4.neigh.default. */
  parms: NeighbourParms
  gcInterval = 30 * HZ
  gcThresh1 = 128
  gcThresh2 = 512
  gcThresh3 = 1024
  /** Entries in all, and those that may be collected. */
  entries = 0
  gcEntries = 0
  /** Those that may be collected, the oldest first. Made with the first entry. */
  gcList: Set<Neighbour> | undefined = undefined
  #stats: NeighbourStats | undefined
  #gc: NeighbourGc | undefined
  /** Buckets are doubled when there are more entries than buckets; only the counter of that is seen. */
  hashShift = 3
  /** What this host answers for; undefined while nobody has asked for any. */
  peekProxies: ProxyTable | undefined = undefined

  constructor(
    net: NetState,
    protocol: NeighbourProtocol,
    id = 'arp_cache',
    chance = 'neighbour',
    parms = PARMS_DEFAULT,
  ) {
    this.net = net
    this.protocol = protocol
    this.id = id
    this.chance = chance
    this.parms = parms
  }

  /** What the protocol keeps for a device that has it. */
  link(device: NetDevice): NeighbourLink {
    const link = this.protocol.linkOf(device)
    assert(link, `${device.name} has no ${this.id}`)
    return link
  }

  get stats(): NeighbourStats {
    this.#stats ??= new NeighbourStats()
    return this.#stats
  }

  get gc(): NeighbourGc {
    this.#gc ??= new NeighbourGc(this)
    return this.#gc
  }

  get proxies(): ProxyTable {
    this.peekProxies ??= new ProxyTable(this)
    return this.peekProxies
  }

  get jiffies(): number {
    return jiffiesOf(this.net.host)
  }

  /** An entry by its key, or undefined. */
  find(device: NetDevice, key: number): Neighbour | undefined {
    return this.protocol.linkOf(device)?.neighbours?.get(key)
  }

  /** Counts a lookup that the kernel counts: neigh_lookup(). */
  countLookup(found: Neighbour | undefined): void {
    this.stats.lookups++
    if (found !== undefined) this.stats.hits++
  }

  /** The entry, made if there is room; undefined if there is none. Linux: __neigh_create(). */
  create(device: NetDevice, key: number, exempt = false, address6?: Ipv6Address): Neighbour | undefined {
    if (!exempt && !this.#makeRoom()) return undefined
    const link = this.link(device)
    const neighbour = new Neighbour(this, device, link, key, address6)
    this.stats.allocs++
    this.entries++
    this.protocol.construct(neighbour)
    neighbour.confirmed = this.jiffies - 2 * link.parms.baseReachable
    if (this.entries > 2 ** this.hashShift) {
      this.hashShift++
      this.stats.hashGrows++
    }
    if (!exempt) {
      this.gcEntries++
      this.gcList ??= new Set()
      this.gcList.add(neighbour)
    }
    const map = (link.neighbours ??= new Map())
    assert(!map.has(neighbour.key), 'a neighbour is made only once')
    map.set(neighbour.key, neighbour)
    this.gc.entriesChanged()
    return neighbour
  }

  /** neigh_alloc()'s question: may there be one more? */
  #makeRoom(): boolean {
    const entries = this.gcEntries
    const crowded = entries >= this.gcThresh2 && this.jiffies > this.gc.lastFlush + 5 * HZ
    if (entries < this.gcThresh3 && !crowded) return true
    // The new entry is counted already while the others are looked through.
    this.gcEntries++
    const shrunk = forcedCollection(this)
    this.gcEntries--
    if (shrunk > 0 || entries < this.gcThresh3) return true
    logLimited(this.net.host, 6, [`${this.id}: neighbor table overflow!`], 'neighbour: ')
    this.stats.tableFulls++
    return false
  }

  /** All entries, device by device. */
  *all(device?: NetDevice): Generator<Neighbour> {
    for (const each of this.net.devices) {
      if (device !== undefined && each !== device) continue
      const neighbours = this.protocol.linkOf(each)?.neighbours
      if (neighbours !== undefined) yield* neighbours.values()
    }
  }

  /** Takes an entry out of the table, unless its timer holds it. Linux: neigh_remove_one(). */
  removeOne(neighbour: Neighbour): boolean {
    if (neighbour.timerPending || neighbour.dead) return false
    this.release(neighbour)
    return true
  }

  /** Takes an entry out of the table for good. */
  release(neighbour: Neighbour): void {
    neighbour.markDead()
    neighbour.link.neighbours!.delete(neighbour.key)
    if (neighbour.link.lastNeighbour === neighbour) neighbour.link.lastNeighbour = undefined
    neighbour.destroy()
    this.stats.destroys++
    this.entries--
    if (neighbourTrace.listeners !== 0) {
      const state = stateName(neighbour.state)
      neighbourTrace.emit({ neighbour, from: state, to: state, gone: true })
    }
  }

  /** No timer of the table's or of an entry fires any more. */
  powerOff(): void {
    for (const neighbour of this.all()) {
      neighbour.markDead()
      neighbour.destroy()
    }
    this.#gc?.stop()
    this.peekProxies?.stop()
  }

  /** Forgets a device's entries, all or those that aren't permanent, and what it answers for. Linux: __neigh_ifdown(). */
  flush(device: NetDevice, skipPermanent: boolean): void {
    this.flushEntries(device, skipPermanent)
    this.peekProxies?.flush(device, skipPermanent)
  }

  /** Forgets a device's entries alone. Linux: neigh_flush_dev(). */
  flushEntries(device: NetDevice, skipPermanent: boolean): void {
    for (const neighbour of [...(this.protocol.linkOf(device)?.neighbours?.values() ?? [])]) {
      if (skipPermanent && neighbour.state & NUD_PERMANENT) continue
      neighbour.stopTimer()
      this.release(neighbour)
    }
  }
}

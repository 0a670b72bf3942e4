/**
 * The neighbour table: which hardware address an IP address has on a link, and how sure one is of it.
 *
 * An entry is a state machine. What drives it: packets that want to leave (`send`), what ARP hears (`update`), and one
 * timer. States are bits, as the kernel's masks ask for them; jiffies are counted as the kernel does.
 *
 * @see RFC 4861 section 7.3, which Linux applies to ARP too.
 * @see Linux 6.1 net/core/neighbour.c
 */

import { assert } from '#base/check'
import { Trace } from '#base/sim'
import { ipLength, type Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import type { NetState } from './devices.ts'
import { jiffiesOf, wheelNs } from './jiffies.ts'
import { forcedCollection, NeighbourGc } from './neighbour-gc.ts'
import { type NeighbourParms, PARMS_DEFAULT, reachableJiffies } from './neighbour-parms.ts'
import { ProxyTable } from './neighbour-proxy.ts'
import type { NeighbourState, RouteType } from './netlink.ts'

export { NeighbourParms, type ParmName } from './neighbour-parms.ts'

// NUD_*. Linux 6.1 include/uapi/linux/neighbour.h, include/net/neighbour.h.
export const NUD_NONE = 0
export const NUD_INCOMPLETE = 0x01
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
export const NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE
export const NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE
export const NUD_VALID = NUD_CONNECTED | NUD_STALE | NUD_DELAY | NUD_PROBE

// NEIGH_UPDATE_F_*: what an update may do.
export const UPDATE_OVERRIDE = 0x1
export const UPDATE_WEAK_OVERRIDE = 0x2
export const UPDATE_OVERRIDE_ISROUTER = 0x4
export const UPDATE_USE = 0x10
export const UPDATE_EXT_LEARNED = 0x20
export const UPDATE_ISROUTER = 0x40
export const UPDATE_ADMIN = 0x80

// NTF_*.
export const NTF_USE = 0x01
export const NTF_PROXY = 0x08
export const NTF_EXT_LEARNED = 0x10
export const NTF_ROUTER = 0x80

/** HZ / 100: no timer of an entry is shorter. */
const LEAST_TIMER = 2
/** Bytes that an sk_buff and its shared info take beside the data; the data lies in a power of two. */
const SKB_OVERHEAD = 256
const SKB_SHARED_INFO = 320
const LINK_RESERVE = 31

const STATE_NAMES: Record<number, NeighbourState> = {
  [NUD_NONE]: 'NONE',
  [NUD_INCOMPLETE]: 'INCOMPLETE',
  [NUD_REACHABLE]: 'REACHABLE',
  [NUD_STALE]: 'STALE',
  [NUD_DELAY]: 'DELAY',
  [NUD_PROBE]: 'PROBE',
  [NUD_FAILED]: 'FAILED',
  [NUD_NOARP]: 'NOARP',
  [NUD_PERMANENT]: 'PERMANENT',
}

const STATE_BITS = new Map(Object.entries(STATE_NAMES).map(([bits, name]) => [name, Number(bits)]))

export function stateName(bits: number): NeighbourState {
  return STATE_NAMES[bits] ?? 'NONE'
}

export function stateBits(name: NeighbourState): number {
  return STATE_BITS.get(name)!
}

/** A neighbour has changed: what `ip monitor neigh` would show. */
export interface NeighbourEvent {
  neighbour: Neighbour
  from: NeighbourState
  to: NeighbourState
  /** It has left the table. */
  gone: boolean
}

/** Changes of neighbours' states, of all hosts. */
export const neighbourTrace = new Trace<NeighbourEvent>()

/** What a protocol (ARP) does for its neighbours. Linux 6.1 include/net/neighbour.h: struct neigh_ops, struct neigh_table. */
export interface NeighbourProtocol {
  /** Sets the state and address of an entry that needs no resolution; returns its type. */
  construct(neighbour: Neighbour): void
  solicit(neighbour: Neighbour, packet: Packet | undefined): void
  /** A packet that waited will never leave. */
  errorReport(neighbour: Neighbour, packet: Packet): void
  isMulticast(key: number): boolean
  /** A request that waited in the proxy queue. */
  proxyRedo(packet: Packet, device: NetDevice): void
}

/** An address that this host answers for, in another's stead. Linux: struct pneigh_entry. */
export interface ProxyNeighbour {
  readonly key: number
  readonly device: NetDevice | undefined
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
  readonly id = 'arp_cache'
  /** What a new device's settings begin as: net.ipv4.neigh.default. */
  parms: NeighbourParms = PARMS_DEFAULT
  gcInterval = 30 * 250
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

  constructor(net: NetState, protocol: NeighbourProtocol) {
    this.net = net
    this.protocol = protocol
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

  /** Counts a lookup that the kernel counts: neigh_lookup(). */
  countLookup(found: Neighbour | undefined): void {
    this.stats.lookups++
    if (found !== undefined) this.stats.hits++
  }

  /** The entry, made if there is room; undefined if there is none. Linux: __neigh_create(). */
  create(device: NetDevice, key: number, exempt = false): Neighbour | undefined {
    if (!exempt && !this.#makeRoom()) return undefined
    const neighbour = new Neighbour(this, device, key)
    this.stats.allocs++
    this.entries++
    this.protocol.construct(neighbour)
    neighbour.confirmed = this.jiffies - 2 * device.inet.parms.baseReachable
    if (this.entries > 2 ** this.hashShift) {
      this.hashShift++
      this.stats.hashGrows++
    }
    if (!exempt) {
      this.gcEntries++
      this.gcList ??= new Set()
      this.gcList.add(neighbour)
    }
    const map = (device.inet.neighbours ??= new Map())
    assert(!map.has(neighbour.key), 'a neighbour is made only once')
    map.set(neighbour.key, neighbour)
    this.gc.entriesChanged()
    return neighbour
  }

  /** neigh_alloc()'s question: may there be one more? */
  #makeRoom(): boolean {
    const entries = this.gcEntries
    const crowded = entries >= this.gcThresh2 && this.jiffies > this.gc.lastFlush + 5 * 250
    if (entries < this.gcThresh3 && !crowded) return true
    // The new entry is counted already while the others are looked through.
    this.gcEntries++
    const shrunk = forcedCollection(this)
    this.gcEntries--
    if (shrunk > 0 || entries < this.gcThresh3) return true
    this.net.host.log(6, `neighbour: ${this.id}: neighbor table overflow!`)
    this.stats.tableFulls++
    return false
  }

  /** All entries, device by device. */
  *all(device?: NetDevice): Generator<Neighbour> {
    for (const each of this.net.devices) {
      if (device !== undefined && each !== device) continue
      if (each.inet.neighbours !== undefined) yield* each.inet.neighbours.values()
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
    neighbour.device.inet.neighbours!.delete(neighbour.key)
    if (neighbour.device.inet.lastNeighbour === neighbour) neighbour.device.inet.lastNeighbour = undefined
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
    for (const neighbour of [...(device.inet.neighbours?.values() ?? [])]) {
      if (skipPermanent && neighbour.state & NUD_PERMANENT) continue
      neighbour.stopTimer()
      this.release(neighbour)
    }
  }
}

export class Neighbour {
  readonly table: NeighbourTable
  readonly device: NetDevice
  /** The IP address; 0 for all of a loopback device's. The table's key. */
  key: number
  type: RouteType = 'unicast'
  /** NUD_*. */
  state = NUD_NONE
  /** The hardware address, if one is known. */
  address = 0
  /** NTF_*. */
  flags = 0
  /** RTPROT_* of who made it. */
  protocol = 0
  // Jiffies: when it was last confirmed, used by a packet that asked, changed.
  confirmed = 0
  used: number
  updated: number
  probes = 0
  dead = false
  /** Whether a header was made from it once; then packets don't ask any more while it is connected. Linux: hh.hh_len. */
  headerCached = false
  queue: Packet[] | undefined = undefined
  queueBytes = 0
  #slot = -1

  constructor(table: NeighbourTable, device: NetDevice, key: number) {
    this.table = table
    this.device = device
    this.key = key
    this.used = this.updated = table.jiffies
  }

  // The timer.

  get timerPending(): boolean {
    return this.#slot >= 0 && this.table.net.host.sim.due(this.#slot) !== Number.POSITIVE_INFINITY
  }

  #modTimer(expires: number): void {
    const { host } = this.table.net
    if (this.#slot < 0) this.#slot = host.sim.slot('neighbour', this)
    host.sim.arm(this.#slot, wheelNs(host, expires))
  }

  /** neigh_add_timer(): starts it, and puts times right that lie in the future. */
  #addTimer(expires: number): void {
    const now = this.table.jiffies
    if (this.confirmed > now) this.confirmed = now
    if (this.used < this.confirmed) this.used = this.confirmed
    this.#modTimer(expires)
  }

  stopTimer(): void {
    if (this.#slot >= 0) this.table.net.host.sim.disarm(this.#slot)
  }

  destroy(): void {
    if (this.#slot >= 0) {
      this.table.net.host.sim.release(this.#slot)
      this.#slot = -1
    }
    this.queue = undefined
    this.queueBytes = 0
  }

  markDead(): void {
    this.dead = true
    this.leaveGcList()
  }

  leaveGcList(): void {
    if (this.table.gcList?.delete(this)) this.table.gcEntries--
  }

  #setState(state: number): void {
    if (state === this.state) return
    const from = this.state
    this.state = state
    if (neighbourTrace.listeners !== 0) {
      neighbourTrace.emit({ neighbour: this, from: stateName(from), to: stateName(state), gone: false })
    }
  }

  get #retransmit(): number {
    return Math.max(this.device.inet.parms.retransTime, LEAST_TIMER)
  }

  get #probesMax(): number {
    const parms = this.device.inet.parms
    return parms.ucastProbes + parms.appProbes + (this.state & NUD_PROBE ? parms.mcastReprobes : parms.mcastProbes)
  }

  /** The timer has fired. Linux: neigh_timer_handler(). */
  fire(): void {
    const now = this.table.jiffies
    const parms = this.device.inet.parms
    let next = now + 250
    if (this.state & NUD_REACHABLE) {
      const reachableUntil = this.confirmed + reachableJiffies(this.device.inet)
      if (now <= reachableUntil) next = reachableUntil
      else if (now <= this.used + parms.delayProbe) {
        this.updated = now
        this.#setState(NUD_DELAY)
        next = now + parms.delayProbe
      } else {
        this.updated = now
        this.#setState(NUD_STALE)
      }
    } else if (this.state & NUD_DELAY) {
      this.updated = now
      if (now <= this.confirmed + parms.delayProbe) {
        this.#setState(NUD_REACHABLE)
        next = this.confirmed + reachableJiffies(this.device.inet)
      } else {
        this.probes = 0
        this.#setState(NUD_PROBE)
        next = now + this.#retransmit
      }
    } else next = now + this.#retransmit // PROBE or INCOMPLETE: ask again, or give up.

    if (this.state & (NUD_INCOMPLETE | NUD_PROBE) && this.probes >= this.#probesMax) {
      this.#setState(NUD_FAILED)
      this.#invalidate()
      return
    }
    if (this.state & NUD_IN_TIMER) this.#modTimer(Math.max(next, now + LEAST_TIMER))
    if (this.state & (NUD_INCOMPLETE | NUD_PROBE)) this.#probe()
  }

  /** Reports what waited as unreachable. Linux: neigh_invalidate(). */
  #invalidate(): void {
    this.table.stats.resFailed++
    this.updated = this.table.jiffies
    // A report may hit this very entry, and change it.
    while (this.state === NUD_FAILED) {
      const packet = this.queue?.shift()
      if (packet === undefined) break
      this.table.protocol.errorReport(this, packet)
    }
    this.queue = undefined
    this.queueBytes = 0
  }

  #probe(): void {
    const last = this.queue?.[this.queue.length - 1]
    this.table.protocol.solicit(this, last)
    this.probes++
  }

  /**
   * Something wants to be sent. Whether it may go now; if not, it waits here, or was dropped.
   * Linux: neigh_event_send(), __neigh_event_send().
   */
  mayTransmit(packet: Packet | undefined): boolean {
    const now = this.table.jiffies
    this.used = now
    if (this.state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) return true
    if (this.dead) return (this.state & NUD_STALE) !== 0
    const parms = this.device.inet.parms
    let probe = false
    if (this.state & NUD_STALE) {
      this.stopTimer()
      this.updated = now
      this.#setState(NUD_DELAY)
      this.#addTimer(now + parms.delayProbe)
    } else if (!(this.state & NUD_INCOMPLETE)) {
      this.updated = now
      if (parms.mcastProbes + parms.appProbes === 0) {
        this.#setState(NUD_FAILED)
        return false
      }
      this.probes = parms.ucastProbes
      this.stopTimer()
      this.#setState(NUD_INCOMPLETE)
      this.#addTimer(now + this.#retransmit)
      probe = true
    }
    if (this.state !== NUD_INCOMPLETE) return true
    if (packet !== undefined) this.#enqueue(packet, parms.queueLenBytes)
    if (probe) this.#probe()
    return false
  }

  /** Waits; the oldest go if there are too many bytes. */
  #enqueue(packet: Packet, limit: number): void {
    const queue = (this.queue ??= [])
    const bytes = truesize(packet)
    while (this.queueBytes + bytes > limit) {
      const oldest = queue.shift()
      if (oldest === undefined) break
      this.queueBytes -= truesize(oldest)
      this.table.stats.unresDiscards++
    }
    queue.push(packet)
    this.queueBytes += bytes
  }

  /** Sends an IP packet to this neighbour, now or when its address is known. Linux: neigh_output(). */
  output(packet: Packet): void {
    if ((this.state & NUD_CONNECTED) === 0 || !this.headerCached) {
      if (!this.mayTransmit(packet)) return
      this.headerCached = true
    }
    packet.macDst = this.address
    packet.macSrc = this.device.address
    packet.vlanTci = -1
    this.device.transmit(packet)
  }

  /** Fails it, whatever it is, and takes it out. Linux: arp_invalidate(). */
  invalidate(): 'ENXIO' | 'EPERM' | undefined {
    let error: 'ENXIO' | 'EPERM' | undefined = 'ENXIO'
    // An entry in no state at all, or one that needs no ARP, has nothing to fail.
    if (this.state & ~NUD_NOARP) {
      error = this.update(undefined, NUD_FAILED, UPDATE_OVERRIDE | UPDATE_ADMIN).errno as 'EPERM' | undefined
    }
    this.table.removeOne(this)
    return error
  }

  /** A protocol above has heard from it. Linux: neigh_confirm(). */
  confirm(): void {
    this.confirmed = this.table.jiffies
  }

  /**
   * What was heard or said of it: an address, or none; a state; and what the update may do.
   * Linux: __neigh_update().
   */
  update(address: number | undefined, state: number, flags: number): UpdateAnswer {
    const now = this.table.jiffies
    const old = this.state
    if (this.dead) return { errno: 'EPERM', extack: 'Neighbor entry is now dead' }
    if (!(flags & UPDATE_ADMIN) && old & (NUD_NOARP | NUD_PERMANENT)) return { errno: 'EPERM' }
    if (flags & UPDATE_ADMIN) this.#learnedFlag((flags & UPDATE_EXT_LEARNED) !== 0)
    if (flags & UPDATE_USE) {
      this.#setState(old & ~NUD_PERMANENT)
      this.#gcListAfter(old)
      return DONE
    }
    if (!(state & NUD_VALID)) {
      this.stopTimer()
      this.#setState(state)
      if (old & (NUD_INCOMPLETE | NUD_PROBE) && state & NUD_FAILED) this.#invalidate()
      this.#gcListAfter(old)
      return DONE
    }
    if (address === undefined) {
      if (!(old & NUD_VALID)) return { errno: 'EINVAL', extack: 'No link layer address given' }
      address = this.address
    }
    // Something that was never known differs from all, and from what is cached only if it does.
    let changed = !(old & NUD_VALID) || address !== this.address
    if (state & NUD_CONNECTED) this.confirmed = now
    let router = flags & UPDATE_OVERRIDE_ISROUTER
    if (old & NUD_VALID) {
      if (changed && !(flags & UPDATE_OVERRIDE)) {
        router = 0
        if (!(flags & UPDATE_WEAK_OVERRIDE && old & NUD_CONNECTED)) return DONE
        changed = false
        state = NUD_STALE
      } else if (!changed && state === NUD_STALE && !(flags & UPDATE_ADMIN)) state = old
    }
    if (state !== old || changed) this.updated = now
    if (state !== old) {
      this.stopTimer()
      if (state & NUD_PROBE) this.probes = 0
      if (state & NUD_IN_TIMER) {
        this.#addTimer(now + (state & NUD_REACHABLE ? reachableJiffies(this.device.inet) : 0))
      }
    }
    if (changed) {
      this.address = address
      if (!(state & NUD_CONNECTED)) this.confirmed = now - 2 * this.device.inet.parms.baseReachable
    }
    this.#setState(state)
    if (state !== old && !(old & NUD_VALID)) this.#sendQueue()
    if (router) this.flags = flags & UPDATE_ISROUTER ? this.flags | NTF_ROUTER : this.flags & ~NTF_ROUTER
    this.#gcListAfter(old)
    return DONE
  }

  #sendQueue(): void {
    while (this.state & NUD_VALID) {
      const packet = this.queue?.shift()
      if (packet === undefined) break
      this.output(packet)
    }
    this.queue = undefined
    this.queueBytes = 0
  }

  #learnedFlag(on: boolean): void {
    const flags = on ? this.flags | NTF_EXT_LEARNED : this.flags & ~NTF_EXT_LEARNED
    if (flags === this.flags) return
    this.flags = flags
    this.#updateGcList()
  }

  #gcListAfter(old: number): void {
    if ((old ^ this.state) & NUD_PERMANENT) this.#updateGcList()
  }

  /** What is permanent or learned elsewhere isn't collected. Linux: neigh_update_gc_list(). */
  #updateGcList(): void {
    if (this.dead) return
    if (this.state & NUD_PERMANENT || this.flags & NTF_EXT_LEARNED) this.leaveGcList()
    else {
      const list = (this.table.gcList ??= new Set())
      if (list.has(this)) return
      list.add(this)
      this.table.gcEntries++
    }
  }
}

export interface UpdateAnswer {
  errno?: 'EPERM' | 'EINVAL'
  extack?: string
}

const DONE: UpdateAnswer = {}

/** What a packet weighs in a queue: struct sk_buff and its data, which lie in a power of two. Linux: SKB_TRUESIZE(). */
export function truesize(packet: Packet): number {
  const need = ipLength(packet) + LINK_RESERVE + SKB_SHARED_INFO
  let data = 512
  while (data < need) data *= 2
  return data + SKB_OVERHEAD
}

/** An entry by address, or undefined. */
export function neighbourLookup(device: NetDevice, ip: number): Neighbour | undefined {
  const inet = device.inet
  if (device.kind === 'loopback') ip = 0
  const last = inet.lastNeighbour
  if (last !== undefined && last.key === ip) return last
  const found = inet.neighbours?.get(ip)
  if (found !== undefined) inet.lastNeighbour = found
  return found
}

/** An entry by address, made if there was none; undefined if the table is full. */
export function neighbourFor(device: NetDevice, ip: number): Neighbour | undefined {
  return neighbourLookup(device, ip) ?? device.net.neighbours.create(device, device.kind === 'loopback' ? 0 : ip)
}

/** Sends an IP packet to a next hop on a device; false if the neighbour table is full. Linux: ip_finish_output2(). */
export function neighbourOutput(device: NetDevice, nextHop: number, packet: Packet): boolean {
  const neighbour = neighbourFor(device, nextHop)
  if (neighbour === undefined) return false
  neighbour.output(packet)
  return true
}

/** Whether a neighbour's address is known; if not, it is asked for. Linux 6.1 net/ipv4/route.c: __ip_do_redirect(). */
export function neighbourUse(device: NetDevice, ip: number): boolean {
  const neighbour = neighbourFor(device, ip)
  if (neighbour === undefined) return false
  if (neighbour.state & NUD_VALID) return true
  neighbour.mayTransmit(undefined)
  return false
}

/** MSG_CONFIRM, or a reply that proves the way forward. */
export function neighbourConfirm(device: NetDevice, ip: number): void {
  neighbourLookup(device, ip)?.confirm()
}

/**
 * The neighbour table: which hardware address an IP address has on a link, and how sure one is of it.
 *
 * An entry is a state machine. What drives it: packets that want to leave (`send`), what ARP hears (`update`), and one
 * timer. States are bits, as the kernel's masks ask for them; jiffies are counted as the kernel does.
 *
 * @see RFC 4861 section 7.3, which Linux applies to ARP too.
 * @see Linux 6.1 net/core/neighbour.c
 */

import { Trace } from '#base/sim'
import { type Ipv6Address, ipLength, type Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { HZ, wheelNs } from './jiffies.ts'
import { type NeighbourLink, reachableJiffies } from './neighbour-parms.ts'
import {
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NUD_CONNECTED,
  NUD_DELAY,
  NUD_FAILED,
  NUD_IN_TIMER,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  NUD_VALID,
  stateName,
  UPDATE_ADMIN,
  UPDATE_EXT_LEARNED,
  UPDATE_ISROUTER,
  UPDATE_OVERRIDE,
  UPDATE_OVERRIDE_ISROUTER,
  UPDATE_USE,
  UPDATE_WEAK_OVERRIDE,
} from './neighbour-states.ts'
import type { NeighbourTable } from './neighbour-table.ts'
import type { NeighbourState, RouteType } from './netlink.ts'

export { type NeighbourLink, NeighbourParms, type ParmName } from './neighbour-parms.ts'
export * from './neighbour-states.ts'
export { type NeighbourProtocol, NeighbourStats, NeighbourTable, type ProxyNeighbour } from './neighbour-table.ts'

/** HZ / 100: no timer of an entry is shorter. */
const LEAST_TIMER = 2
/** Bytes that an sk_buff and its shared info take beside the data; the data lies in a power of two. */
const SKB_OVERHEAD = 256
const SKB_SHARED_INFO = 320
const LINK_RESERVE = 31

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

export class Neighbour {
  readonly table: NeighbourTable
  readonly device: NetDevice
  /** What the table's protocol keeps for the device. */
  readonly link: NeighbourLink
  /** The IP address; 0 for all of a loopback device's. The table's key: IPv6's is the address's `id`. */
  key: number
  /** The address, if it is one of IPv6. */
  readonly address6: Ipv6Address | undefined
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

  constructor(
    table: NeighbourTable,
    device: NetDevice,
    link: NeighbourLink,
    key: number,
    address6: Ipv6Address | undefined,
  ) {
    this.table = table
    this.device = device
    this.link = link
    this.key = key
    this.address6 = address6
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
    return Math.max(this.link.parms.retransTime, LEAST_TIMER)
  }

  get #probesMax(): number {
    const parms = this.link.parms
    return parms.ucastProbes + parms.appProbes + (this.state & NUD_PROBE ? parms.mcastReprobes : parms.mcastProbes)
  }

  /** The timer has fired. Linux: neigh_timer_handler(). */
  fire(): void {
    const now = this.table.jiffies
    const parms = this.link.parms
    let next = now + HZ
    if (this.state & NUD_REACHABLE) {
      const reachableUntil = this.confirmed + reachableJiffies(this.link, this.table)
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
        next = this.confirmed + reachableJiffies(this.link, this.table)
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
    const parms = this.link.parms
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
        this.#addTimer(now + (state & NUD_REACHABLE ? reachableJiffies(this.link, this.table) : 0))
      }
    }
    if (changed) {
      this.address = address
      if (!(state & NUD_CONNECTED)) this.confirmed = now - 2 * this.link.parms.baseReachable
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
  if (device.loops) ip = 0
  const last = inet.lastNeighbour
  if (last !== undefined && last.key === ip) return last
  const found = inet.neighbours?.get(ip)
  if (found !== undefined) inet.lastNeighbour = found
  return found
}

/** An entry by address, made if there was none; undefined if the table is full. */
export function neighbourFor(device: NetDevice, ip: number): Neighbour | undefined {
  return neighbourLookup(device, ip) ?? device.net.neighbours.create(device, device.loops ? 0 : ip)
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

/**
 * A queueing discipline, and what all of them have: counters, a place in a tree, a clock.
 *
 * Linux 6.1 include/net/sch_generic.h: struct Qdisc; net/sched/sch_api.c: qdisc_tree_reduce_backlog(), qdisc_watchdog.
 */
import { Timer } from '#base/sim'
import type { NetDevice, Refusal } from '#kernel/net'
import { frameLength, ipLength, type Packet } from '#wire/inet'
import type { DeviceQdiscs } from './device-qdiscs.ts'

// What enqueue() answers. Linux 6.1 include/linux/netdevice.h.
export const NET_XMIT_SUCCESS = 0
export const NET_XMIT_DROP = 1
export const NET_XMIT_CN = 2
/** Taken by an action; and: not counted as dropped by the parents. */
export const NET_XMIT_STOLEN = 0x10000
export const NET_XMIT_BYPASS = 0x20000

export const TC_H_ROOT = 0xffffffff
export const TC_H_INGRESS = 0xfffffff1
export const TC_H_CLSACT = 0xfffffff1
export const TC_H_MIN_INGRESS = 0xfff2
export const TC_H_MIN_EGRESS = 0xfff3

export const major = (handle: number) => (handle & 0xffff0000) >>> 0
export const minor = (handle: number) => handle & 0xffff
export const makeHandle = (maj: number, min: number) => ((maj & 0xffff0000) | (min & 0xffff)) >>> 0

/** A packet in a queue. */
export interface Item {
  packet: Packet
  /** With its link's header, and with the headers of all its segments. qdisc_pkt_len(). */
  length: number
  segments: number
  /** A queue's own: when it was put in, or is to leave. */
  timeNs: number
}

export interface Counters {
  bytes: number
  packets: number
}

export const newCounters = (): Counters => ({ bytes: 0, packets: 0 })

export function count(counters: Counters, item: Item): void {
  counters.bytes += item.length
  counters.packets += item.segments
}

/** Options and statistics of a kind, as the tool's words name them. */
export type Data = Record<string, unknown>

/** A class as rtnetlink tells of it. */
export interface ClassMessage {
  classid: number
  parent: number
  leaf: number
  options?: Data
  counters?: Counters
  queue?: { qlen: number; backlog: number; drops: number; overlimits: number; requeues: number }
  xstats?: Data
}

/** What a classful discipline can do. Linux: struct Qdisc_class_ops. */
export interface Classes {
  find(classid: number): unknown
  /** The discipline below a class. */
  leaf(cl: unknown): Sch | undefined
  /** Puts another there; undefined: the default one. What was there is given back. */
  graft(cl: unknown, sch: Sch | undefined): Sch | undefined
  list(): ClassMessage[]
  change?(classid: number, parent: number, cl: unknown, options: Data): Refusal | undefined
  remove?(cl: unknown): Refusal | undefined
  /** The class whose filters these are; 0: the discipline's own. Undefined: it takes none. */
  filters?(cl: unknown): object | undefined
  bind?(cl: unknown, by: 1 | -1): void
  /** A leaf has nothing left. qlen_notify. */
  emptied?(cl: unknown): void
}

export abstract class Sch {
  abstract readonly kind: string
  readonly tree: DeviceQdiscs
  handle = 0
  parent = 0
  /** Not shown: it came with its parent. */
  hidden = false
  readonly counters = newCounters()
  drops = 0
  overlimits = 0
  requeues = 0
  qlen = 0
  backlog = 0
  classes: Classes | undefined = undefined
  /** May be passed by while it is empty. TCQ_F_CAN_BYPASS. */
  canBypass = false
  #peeked: Item | undefined = undefined
  #watchdog: Timer | undefined = undefined

  constructor(tree: DeviceQdiscs) {
    this.tree = tree
  }

  get device(): NetDevice {
    return this.tree.device
  }

  get nowNs(): number {
    return this.tree.device.host.sim.nowNs
  }

  abstract enqueue(item: Item): number
  protected abstract take(): Item | undefined
  /** Sets options: when made (`fresh`), and later. */
  abstract change(options: Data, fresh: boolean): Refusal | undefined
  abstract options(): Data
  xstats(): Data | undefined {
    return undefined
  }
  /** Everything in it is thrown away. */
  reset(): void {
    this.#peeked = undefined
    this.#watchdog?.cancel()
    this.qlen = 0
    this.backlog = 0
  }
  destroy(): void {
    this.reset()
    this.#watchdog?.destroy()
    this.#watchdog = undefined
  }

  /** The next packet, taken out. */
  dequeue(): Item | undefined {
    const peeked = this.#peeked
    if (peeked === undefined) return this.take()
    this.#peeked = undefined
    this.qlen--
    this.backlog -= peeked.length
    return peeked
  }

  /** The next packet, which stays. qdisc_peek_dequeued(). */
  peek(): Item | undefined {
    if (this.#peeked === undefined) {
      this.#peeked = this.take()
      if (this.#peeked !== undefined) {
        this.qlen++
        this.backlog += this.#peeked.length
      }
    }
    return this.#peeked
  }

  protected drop(): number {
    this.drops++
    return NET_XMIT_DROP
  }

  /** The device is to try again at that time. qdisc_watchdog_schedule_ns(). */
  protected watch(whenNs: number): void {
    this.#watchdog ??= new Timer(
      this.device.host.sim,
      `${this.device.host.name}/${this.device.name}: ${this.kind}`,
      () => this.tree.run(),
    )
    this.#watchdog.armAt(Math.max(whenNs, this.nowNs))
  }

  /** Its parents have more in them than they will count. */
  protected addToParents(packets: number, bytes: number): void {
    let parentId = this.parent
    while (parentId !== 0 && parentId !== TC_H_ROOT) {
      const above = this.tree.lookup(major(parentId))
      if (above === undefined) return
      above.qlen += packets
      above.backlog += bytes
      parentId = above.parent
    }
  }

  /** Its parents have fewer packets in them than they think. qdisc_tree_reduce_backlog(). */
  reduceBacklog(packets: number, bytes: number): void {
    if (packets === 0 && bytes === 0) return
    let parentId = this.parent
    let empty = this.qlen === 0
    while (parentId !== 0 && parentId !== TC_H_ROOT) {
      const above = this.tree.lookup(major(parentId))
      if (above === undefined) return
      const cl = above.classes?.find(parentId)
      if (empty && cl !== undefined) above.classes?.emptied?.(cl)
      above.qlen -= packets
      above.backlog -= bytes
      above.drops += packets
      empty = above.qlen === 0
      parentId = above.parent
    }
  }
}

/** A packet, ready to be queued on a device. qdisc_pkt_len_init(). */
export function itemOf(device: NetDevice, packet: Packet): Item {
  const bare = device.looks.linkType !== 'ether' && device.looks.linkType !== 'loopback'
  let length = bare ? ipLength(packet) : frameLength(packet)
  let segments = 1
  if (packet.gsoSize > 0 && packet.length > packet.gsoSize) {
    segments = Math.ceil(packet.length / packet.gsoSize)
    length += (segments - 1) * (length - packet.length)
  }
  return { packet, length, segments, timeNs: 0 }
}

/** Linux: net_xmit_drop_count(). */
export function isDrop(code: number): boolean {
  return (code & NET_XMIT_STOLEN) === 0
}

/**
 * The disciplines of one device: the root, the tree below it, and what is done with packets that come in. A device that has
 * only what the kernel gave it keeps nothing here: its queue never fills, as no card of a lab is ever busy, so that packets
 * pass by it.
 *
 * Linux 6.1 net/sched/sch_generic.c: __qdisc_run(), sch_direct_xmit(), attach_default_qdiscs(); net/core/dev.c: __dev_xmit_skb().
 */
import type { NetDevice, Qdisc, QueueOwner } from '#kernel/net'
import { IPPROTO_TCP, type Packet } from '#wire/inet'
import { count, itemOf, NET_XMIT_CN, NET_XMIT_SUCCESS, type Sch } from './sch.ts'

/** What an sk_buff of a TCP socket takes besides its data. */
const TX_SKB = 1280

interface Charge {
  owner: QueueOwner
  bytes: number
}

/** How many packets one device sends in a row before others have their turn. net.core.dev_weight. */
const QUOTA = 64

export class DeviceQdiscs implements Qdisc {
  readonly device: NetDevice
  /** Undefined: the kernel's own, which are passed by. */
  root: Sch | undefined = undefined
  /** `ingress` or `clsact`. */
  ingress: Sch | undefined = undefined
  /** Every visible one but the root, the youngest first. */
  readonly below = new Set<Sch>()
  /** What the device had sent when the default discipline was put in. */
  readonly before = { bytes: 0, packets: 0 }
  #running = false
  /** What waits of sockets that want to know: they send on when it has left. The oldest first. */
  readonly #charged = new Map<Packet, Charge>()

  constructor(device: NetDevice) {
    this.device = device
  }

  get kind(): string {
    return this.root?.kind ?? this.device.looks.qdisc
  }

  /** One by its handle. qdisc_lookup(). */
  lookup(handle: number): Sch | undefined {
    if (handle === 0) return undefined
    if (this.root?.handle === handle) return this.root
    for (const sch of this.below) if (sch.handle === handle) return sch
    return this.ingress?.handle === handle ? this.ingress : undefined
  }

  /** Every one that has a place in the tree. */
  *all(): Generator<Sch> {
    if (this.root !== undefined) yield this.root
    yield* this.below
    if (this.ingress !== undefined) yield this.ingress
  }

  /** Puts a discipline at the root; undefined: the kernel's own. */
  setRoot(sch: Sch | undefined): void {
    const old = this.root
    this.root = sch
    if (old !== undefined && old !== sch) this.forget(old)
    this.#dischargeLost(0)
    const { stats } = this.device
    this.before.bytes = stats.txBytes
    this.before.packets = stats.txPackets
    this.device.qdisc = sch === undefined ? undefined : this
  }

  /** It and all that is below it. */
  forget(sch: Sch): void {
    this.below.delete(sch)
    for (const { leaf } of sch.classes?.list() ?? []) {
      const child = leaf === 0 ? undefined : this.lookup(leaf)
      if (child !== undefined && child !== sch) this.forget(child)
    }
    sch.destroy()
  }

  enqueue(packet: Packet): number {
    const root = this.root!
    const item = itemOf(this.device, packet)
    if (root.canBypass && root.qlen === 0 && !this.#running) {
      count(root.counters, item)
      this.#send(packet)
      return NET_XMIT_SUCCESS
    }
    this.#charge(packet)
    const code = root.enqueue(item)
    if (code !== NET_XMIT_SUCCESS && code !== NET_XMIT_CN) this.#discharge(packet)
    this.run()
    return code & 0xff
  }

  /** A segment of a local socket is going to wait. netem takes it for one that is on its way: skb_orphan_partial(). */
  #charge(packet: Packet): void {
    if (packet.socket === undefined || packet.protocol !== IPPROTO_TCP || packet.length === 0) return
    if (!('unqueued' in (packet.socket as object)) || this.root?.kind === 'netem') return
    for (const sch of this.below) if (sch.kind === 'netem') return
    const owner = packet.socket as QueueOwner
    const bytes = packet.length + TX_SKB
    this.#charged.set(packet, { owner, bytes })
    owner.queued(bytes)
  }

  #discharge(packet: Packet): void {
    const charge = this.#charged.get(packet)
    if (charge === undefined) return
    this.#charged.delete(packet)
    charge.owner.unqueued(charge.bytes)
  }

  /** Those that were dropped while they waited: no more are charged for than `left`. */
  #dischargeLost(left: number): void {
    for (const packet of this.#charged.keys()) {
      if (this.#charged.size <= left) return
      this.#discharge(packet)
    }
  }

  /** Sends what may be sent now. */
  run(): void {
    if (this.#running || this.root === undefined) return
    this.#running = true
    try {
      for (let quota = QUOTA; quota > 0 && this.device.active; quota--) {
        const { root } = this
        if (root === undefined) return
        if (this.#charged.size > root.qlen) this.#dischargeLost(root.qlen)
        const item = root.dequeue()
        if (item === undefined) return
        this.#send(item.packet)
      }
      const { sim } = this.device.host
      if (this.root !== undefined && this.root.qlen > 0)
        sim.at(sim.nowNs, `${this.device.name}: net_tx_action`, () => this.run())
    } finally {
      this.#running = false
    }
  }

  #send(packet: Packet): void {
    if (this.device.active) this.device.hardTransmit(packet)
    this.#discharge(packet)
  }
}

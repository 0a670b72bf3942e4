/**
 * Addresses that this host answers for in another's stead (`ip neigh add proxy`, `arp -Ds ... pub`), and the queue in which
 * requests for them wait a random while, so that the owner may answer first.
 *
 * Linux 6.1 net/core/neighbour.c: pneigh_lookup(), pneigh_enqueue(), neigh_proxy_process().
 */
import type { Ipv6Address, Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { jiffiesOf, wheelNs } from './jiffies.ts'
import type { NeighbourTable, ProxyNeighbour } from './neighbour-table.ts'

/** The bucket of a key, as the kernel on a little-endian machine has it: dumps go by it. Linux: pneigh_hash(). */
function bucketOf(key: number): number {
  let hash = ((key >>> 24) | ((key >>> 8) & 0xff00) | ((key << 8) & 0xff0000) | (key << 24)) >>> 0
  hash ^= hash >>> 16
  hash ^= hash >>> 8
  hash ^= hash >>> 4
  return hash & 15
}

interface Waiting {
  packet: Packet
  device: NetDevice
  /** Jiffies. */
  due: number
}

export class ProxyTable {
  readonly #table: NeighbourTable
  readonly #buckets: ProxyNeighbour[][] = Array.from({ length: 16 }, () => [])
  #queue: Waiting[] = []
  #slot = -1
  #expires = Number.POSITIVE_INFINITY

  constructor(table: NeighbourTable) {
    this.#table = table
  }

  /** For a device, or published for all. */
  lookup(key: number, device: NetDevice | undefined): ProxyNeighbour | undefined {
    return this.#buckets[bucketOf(key)]!.find(
      (entry) => entry.key === key && (entry.device === device || entry.device === undefined),
    )
  }

  /** The entry, made if there is none. */
  create(key: number, device: NetDevice | undefined, address6?: Ipv6Address): ProxyNeighbour {
    const found = this.lookup(key, device)
    if (found !== undefined) return found
    const entry: ProxyNeighbour = { key, device, address6, flags: 0, protocol: 0, permanent: false }
    this.#buckets[bucketOf(key)]!.unshift(entry)
    this.#table.protocol.proxyChanged?.(entry, true)
    return entry
  }

  /** False if there is none of exactly this device. */
  delete(key: number, device: NetDevice | undefined): boolean {
    const bucket = this.#buckets[bucketOf(key)]!
    const at = bucket.findIndex((entry) => entry.key === key && entry.device === device)
    if (at < 0) return false
    const [gone] = bucket.splice(at, 1)
    this.#table.protocol.proxyChanged?.(gone!, false)
    return true
  }

  *all(): Generator<ProxyNeighbour> {
    for (const bucket of this.#buckets) yield* bucket
  }

  /** A device went down, or only its carrier: its entries go, and whatever waits. */
  flush(device: NetDevice, skipPermanent: boolean): void {
    for (let i = 0; i < 16; i++) {
      this.#buckets[i] = this.#buckets[i]!.filter(
        (entry) => (skipPermanent && entry.permanent) || entry.device !== device,
      )
    }
    for (const waiting of this.#queue) this.#table.link(waiting.device).proxyQueued--
    this.#queue = []
    this.stop()
  }

  /** Lets a request wait, or drops it if too many do. */
  enqueue(packet: Packet, device: NetDevice): void {
    const inet = this.#table.link(device)
    const { host } = this.#table.net
    const delay = inet.parms.proxyDelay
    const random = host.sim
      .random(`${host.name}/${this.#table.chance === 'neighbour' ? 'proxy-delay' : 'nd-proxy-delay'}`)
      .below(Math.max(delay, 1))
    if (inet.proxyQueued > inet.parms.proxyQlen) return
    const due = jiffiesOf(host) + random
    this.#queue.push({ packet, device, due })
    inet.proxyQueued++
    this.#start(Math.min(due, this.#expires))
  }

  #start(expires: number): void {
    const { host } = this.#table.net
    if (this.#slot < 0) this.#slot = host.sim.slot('proxy queue', this)
    this.#expires = expires
    host.sim.arm(this.#slot, wheelNs(host, expires))
  }

  /** Nothing that waits is answered any more. */
  stop(): void {
    this.#expires = Number.POSITIVE_INFINITY
    if (this.#slot >= 0) this.#table.net.host.sim.disarm(this.#slot)
  }

  fire(): void {
    const now = jiffiesOf(this.#table.net.host)
    this.#expires = Number.POSITIVE_INFINITY
    const ripe = this.#queue.filter((waiting) => waiting.due <= now)
    this.#queue = this.#queue.filter((waiting) => waiting.due > now)
    for (const { packet, device } of ripe) {
      this.#table.link(device).proxyQueued--
      if (device.up) this.#table.protocol.proxyRedo(packet, device)
    }
    if (this.#queue.length > 0) this.#start(Math.min(...this.#queue.map((waiting) => waiting.due)))
  }
}

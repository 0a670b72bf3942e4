/** pfifo, bfifo and pfifo_fast: first come, first served. Linux 6.1 net/sched/sch_fifo.c, sch_generic.c: pfifo_fast_ops. */
import { type Refusal, refuse } from '#kernel/net'
import type { DeviceQdiscs } from './device-qdiscs.ts'
import { count, type Data, type Item, NET_XMIT_SUCCESS, Sch } from './sch.ts'

/** Packets in a row, taken from the front without moving the rest. */
export class Row {
  #items: (Item | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  unshift(item: Item): void {
    if (this.#head > 0) this.#items[--this.#head] = item
    else this.#items.unshift(item)
  }

  first(): Item | undefined {
    return this.#items[this.#head]
  }

  last(): Item | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1]
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }
}

export class Fifo extends Sch {
  readonly kind: 'pfifo' | 'bfifo'
  limit: number
  readonly #row = new Row()

  constructor(tree: DeviceQdiscs, kind: 'pfifo' | 'bfifo', limit?: number) {
    super(tree)
    this.kind = kind
    const { txqlen } = tree.device
    this.limit = limit ?? (kind === 'pfifo' ? txqlen : txqlen * (tree.device.mtu + hardHeader(tree)))
    this.canBypass = true
  }

  enqueue(item: Item): number {
    const full = this.kind === 'pfifo' ? this.qlen >= this.limit : this.backlog + item.length > this.limit
    if (full) return this.drop()
    this.#row.push(item)
    this.qlen++
    this.backlog += item.length
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    const item = this.#row.shift()
    if (item === undefined) return undefined
    this.qlen--
    this.backlog -= item.length
    count(this.counters, item)
    return item
  }

  override peek(): Item | undefined {
    return this.#row.first()
  }

  override reset(): void {
    super.reset()
    this.#row.clear()
  }

  change(options: Data): Refusal | undefined {
    if (options['limit'] !== undefined) this.limit = options['limit'] as number
    return undefined
  }

  options(): Data {
    return { limit: this.limit }
  }
}

function hardHeader(tree: DeviceQdiscs): number {
  return tree.device.looks.linkType === 'ether' || tree.device.looks.linkType === 'loopback' ? 14 : 0
}

/** Which band a priority belongs to. Linux: sch_default_prio2band. */
export const PRIOMAP: readonly number[] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]

export class PfifoFast extends Sch {
  readonly kind = 'pfifo_fast'
  readonly #bands = [new Row(), new Row(), new Row()]
  readonly #limit: number

  constructor(tree: DeviceQdiscs) {
    super(tree)
    this.#limit = tree.device.txqlen
    this.canBypass = true
  }

  enqueue(item: Item): number {
    const band = this.#bands[PRIOMAP[item.packet.priority & 15]!]!
    if (band.length >= this.#limit) return this.drop()
    band.push(item)
    this.qlen++
    this.backlog += item.length
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    for (const band of this.#bands) {
      const item = band.shift()
      if (item === undefined) continue
      this.qlen--
      this.backlog -= item.length
      count(this.counters, item)
      return item
    }
    return undefined
  }

  override reset(): void {
    super.reset()
    for (const band of this.#bands) band.clear()
  }

  change(_options: Data, fresh: boolean): Refusal | undefined {
    return fresh ? undefined : refuse('EOPNOTSUPP')
  }

  options(): Data {
    return { bands: 3, priomap: PRIOMAP }
  }
}

/** Nothing is queued, nor counted. Linux 6.1 net/sched/sch_generic.c: noqueue_qdisc_ops. */
export class NoQueue extends Sch {
  readonly kind = 'noqueue'

  enqueue(item: Item): number {
    this.device.hardTransmit(item.packet)
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    return undefined
  }

  change(_options: Data, fresh: boolean): Refusal | undefined {
    return fresh ? undefined : refuse('EOPNOTSUPP')
  }

  options(): Data {
    return {}
  }
}

/**
 * Stochastic fairness queueing: flows by a hash, each with its turn. Linux 6.1 net/sched/sch_sfq.c, without RED.
 */
import { Timer } from '#base/sim'
import { type Refusal, refuse } from '#kernel/net'
import { Row } from './fifo.ts'
import { flowHash } from './flows.ts'
import { count, type Data, type Item, NET_XMIT_CN, NET_XMIT_SUCCESS, Sch } from './sch.ts'

interface Slot {
  readonly row: Row
  backlog: number
  allot: number
}

const MAX_DEPTH = 127
const MAX_FLOWS = 128

export class Sfq extends Sch {
  readonly kind = 'sfq'
  #limit = MAX_DEPTH
  #quantum: number
  #perturbS = 0
  #depth = MAX_DEPTH
  #flows = MAX_FLOWS
  #divisor = 1024
  readonly #slots = new Map<number, Slot>()
  /** Whose turn it is comes first. */
  #ring: { hash: number; slot: Slot }[] = []
  #seed: number | undefined
  #perturber: Timer | undefined

  constructor(tree: ConstructorParameters<typeof Sch>[0]) {
    super(tree)
    const ether = tree.device.looks.linkType === 'ether' || tree.device.looks.linkType === 'loopback'
    this.#quantum = tree.device.mtu + (ether ? 14 : 0)
    this.canBypass = true
  }

  /** quantum, perturb (seconds), limit, depth, flows, divisor. sfq_change(). */
  change(options: Data, fresh: boolean): Refusal | undefined {
    const number = (name: string) => options[name] as number | undefined
    const divisor = number('divisor')
    if (divisor && ((divisor & (divisor - 1)) !== 0 || divisor > 65536)) return refuse('EINVAL')
    if (number('limit') === 1) return refuse('EINVAL', 'invalid limit')
    if (number('quantum')) this.#quantum = number('quantum')!
    this.#perturbS = number('perturb') ?? 0
    if (number('flows')) this.#flows = Math.min(number('flows')!, 65535)
    if (divisor) {
      this.#divisor = divisor
      this.#flows = Math.min(this.#flows, divisor)
    }
    if (number('depth')) this.#depth = Math.min(number('depth')!, MAX_DEPTH)
    if (number('limit')) {
      this.#limit = Math.min(number('limit')!, this.#depth * this.#flows)
      this.#flows = Math.min(this.#flows, this.#limit)
    }
    if (fresh) this.canBypass = this.#limit >= 1
    this.#perturber?.cancel()
    if (this.#perturbS > 0) this.#armPerturber()
    return undefined
  }

  #armPerturber(): void {
    const { host, name } = this.device
    this.#perturber ??= new Timer(host.sim, `${host.name}/${name}: sfq`, () => {
      // A new secret while nobody waits; what waits keeps its place otherwise.
      if (this.qlen === 0) this.#seed = undefined
      this.#perturber!.armAfter(this.#perturbS * 1e9)
    })
    this.#perturber.armAfter(this.#perturbS * 1e9)
  }

  options(): Data {
    return {
      limit: this.#limit,
      quantum: this.#quantum,
      depth: this.#depth,
      flows: this.#flows,
      divisor: this.#divisor,
      perturb: this.#perturbS,
    }
  }

  enqueue(item: Item): number {
    const { host, name } = this.device
    this.#seed ??= host.sim.random(`${host.name}/${name}/sfq`).uint32()
    const hash = flowHash(item.packet, this.#seed) & (this.#divisor - 1)
    let slot = this.#slots.get(hash)
    if (slot === undefined) {
      if (this.#slots.size >= this.#flows) return this.drop()
      slot = { row: new Row(), backlog: 0, allot: this.#quantum }
      this.#slots.set(hash, slot)
      this.#ring.push({ hash, slot })
    }
    if (slot.row.length >= this.#depth) return this.drop()
    slot.row.push(item)
    slot.backlog += item.length
    this.backlog += item.length
    if (++this.qlen <= this.#limit) return NET_XMIT_SUCCESS
    return this.#dropLongest(slot)
  }

  /** A packet of the flow that has most of them. sfq_drop(). */
  #dropLongest(own: Slot): number {
    let longest = own
    for (const { slot } of this.#ring) if (slot.row.length > longest.row.length) longest = slot
    // From the front: who waits longest.
    const item = longest.row.shift()!
    longest.backlog -= item.length
    this.backlog -= item.length
    this.qlen--
    this.drops++
    if (longest === own) return NET_XMIT_CN
    this.reduceBacklog(1, item.length)
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    for (;;) {
      const turn = this.#ring[0]
      if (turn === undefined) return undefined
      const { slot } = turn
      if (slot.allot <= 0) {
        this.#ring.shift()
        this.#ring.push(turn)
        slot.allot += this.#quantum
        continue
      }
      const item = slot.row.shift()
      if (item === undefined) {
        this.#ring.shift()
        this.#slots.delete(turn.hash)
        continue
      }
      count(this.counters, item)
      this.qlen--
      this.backlog -= item.length
      slot.backlog -= item.length
      slot.allot -= item.length
      if (slot.row.length === 0) {
        this.#ring.shift()
        this.#slots.delete(turn.hash)
      }
      return item
    }
  }

  override reset(): void {
    super.reset()
    this.#slots.clear()
    this.#ring = []
  }

  override destroy(): void {
    super.destroy()
    this.#perturber?.destroy()
    this.#perturber = undefined
  }
}

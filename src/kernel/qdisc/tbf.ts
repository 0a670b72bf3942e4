/** Token bucket filter: no faster than a rate, but for a burst. Linux 6.1 net/sched/sch_tbf.c. */
import { cutSegment, type Refusal, refuse } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { Fifo } from './fifo.ts'
import { Rate, type RateSpec } from './rate.ts'
import {
  Sch as Base,
  type Classes,
  count,
  type Data,
  type Item,
  isDrop,
  itemOf,
  NET_XMIT_DROP,
  NET_XMIT_SUCCESS,
  type Sch,
} from './sch.ts'

function segmentsOf(packet: Packet): Packet[] {
  const segments: Packet[] = []
  while (packet.gsoSize > 0 && packet.length > packet.gsoSize) segments.push(cutSegment(packet))
  segments.push(packet)
  return segments
}

export class Tbf extends Base {
  readonly kind = 'tbf'
  #rate = new Rate({ rate: 0 })
  #peak: Rate | undefined
  #limit = 0
  #bufferNs = 0
  #mtuNs = 0
  #maxSize = 0
  #tokens = 0
  #peakTokens = 0
  #checkedNs = 0
  #child: Sch
  #given: Data = {}
  override classes: Classes = {
    find: (classid) => ((classid & 0xffff) === 1 || (classid & 0xffff) === 0 ? 1 : undefined),
    leaf: () => this.#child,
    graft: (_cl, sch) => {
      const old = this.#child
      this.#child = sch ?? this.#defaultChild()
      old.reset()
      return old
    },
    list: () => [
      { classid: (this.handle | 1) >>> 0, parent: 0xffffffff, leaf: this.#child.hidden ? 0 : this.#child.handle },
    ],
    emptied: () => {},
  }

  constructor(tree: ConstructorParameters<typeof Base>[0]) {
    super(tree)
    this.#child = this.#defaultChild()
  }

  #defaultChild(): Sch {
    const child = new Fifo(this.tree, 'bfifo', this.#limit)
    child.hidden = true
    return child
  }

  /** burst and peakBurst: bytes; limit: bytes; rate and peakRate. tbf_change(). */
  change(options: Data, fresh: boolean): Refusal | undefined {
    const { limit, rate, burst, peakRate, peakBurst } = options as {
      limit: number
      rate: RateSpec
      burst: number
      peakRate?: RateSpec
      peakBurst?: number
    }
    const newRate = new Rate(rate)
    let maxSize = burst
    let peak: Rate | undefined
    if (peakRate !== undefined && peakRate.rate > 0) {
      peak = new Rate(peakRate)
      if (peak.bytesPerS <= newRate.bytesPerS) return refuse('EINVAL')
      maxSize = Math.min(maxSize, peakBurst ?? maxSize)
    }
    if (!(maxSize > 0)) return refuse('EINVAL')
    const needed = this.device.mtu + 14
    if (maxSize < needed) {
      this.device.host.log(4, `sch_tbf: burst ${maxSize} is lower than device ${this.device.name} mtu (${needed}) !`)
    }
    if (this.#child.hidden) (this.#child as Fifo).limit = limit
    this.#given = options
    this.#limit = limit
    this.#rate = newRate
    this.#peak = peak
    this.#bufferNs = newRate.timeOf(burst)
    this.#mtuNs = peak === undefined ? 0 : peak.timeOf(peakBurst ?? 0)
    this.#maxSize = maxSize
    if (fresh) this.#checkedNs = this.nowNs
    this.#tokens = this.#bufferNs
    this.#peakTokens = this.#mtuNs
    return undefined
  }

  options(): Data {
    return { ...this.#given, limit: this.#limit }
  }

  enqueue(item: Item): number {
    if (item.length > this.#maxSize) {
      const { packet } = item
      const largest = item.length / item.segments
      return packet.gsoSize > 0 && largest <= this.#maxSize ? this.#enqueueCut(item) : this.drop()
    }
    const code = this.#child.enqueue(item)
    if (code !== NET_XMIT_SUCCESS) {
      if (isDrop(code)) this.drops++
      return code
    }
    this.backlog += item.length
    this.qlen++
    return NET_XMIT_SUCCESS
  }

  /** Several segments that fit one by one. tbf_segment(). */
  #enqueueCut(item: Item): number {
    let taken = 0
    let bytes = 0
    for (const packet of segmentsOf(item.packet)) {
      const piece = itemOf(this.device, packet)
      const code = this.#child.enqueue(piece)
      if (code === NET_XMIT_SUCCESS) {
        taken++
        bytes += piece.length
      } else if (isDrop(code)) this.drops++
    }
    this.qlen += taken
    this.backlog += bytes
    // The parents will count one packet of the old length.
    if (taken > 0) this.addToParents(taken - 1, bytes - item.length)
    return taken > 0 ? NET_XMIT_SUCCESS : NET_XMIT_DROP
  }

  protected take(): Item | undefined {
    const next = this.#child.peek()
    if (next === undefined) return undefined
    const now = this.nowNs
    let tokens = Math.min(now - this.#checkedNs, this.#bufferNs)
    let peakTokens = 0
    if (this.#peak !== undefined) {
      peakTokens = Math.min(tokens + this.#peakTokens, this.#mtuNs) - this.#peak.timeOf(next.length)
    }
    tokens = Math.min(tokens + this.#tokens, this.#bufferNs) - this.#rate.timeOf(next.length)
    if (tokens < 0 || peakTokens < 0) {
      this.watch(now + Math.max(-tokens, -peakTokens))
      this.overlimits++
      return undefined
    }
    const item = this.#child.dequeue()!
    this.#checkedNs = now
    this.#tokens = tokens
    this.#peakTokens = peakTokens
    this.backlog -= item.length
    this.qlen--
    count(this.counters, item)
    return item
  }

  override reset(): void {
    super.reset()
    this.#child.reset()
    this.#checkedNs = this.nowNs
    this.#tokens = this.#bufferNs
    this.#peakTokens = this.#mtuNs
  }
}

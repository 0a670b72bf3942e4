/**
 * netem: delay, loss, duplication, corruption, reordering and a rate, by chance. Its chance is the lab's, so that its packets
 * fare otherwise than a kernel's would; the laws are the same.
 *
 * Linux 6.1 net/sched/sch_netem.c: netem_enqueue(), netem_dequeue(), get_crandom(), tabledist(), loss_4state(), loss_gilb_ell().
 */
import { NotModelled } from '#base/check'
import type { RandomStream } from '#base/sim'
import { type Refusal, refuse } from '#kernel/net'
import { emitFrame, parseFrame } from '#wire/inet'
import { DIST_SCALE, distributionTable } from './distributions.ts'
import { Row } from './fifo.ts'
import { mark } from './fq-codel.ts'
import {
  type Classes,
  count,
  type Data,
  type Item,
  isDrop,
  NET_XMIT_BYPASS,
  NET_XMIT_DROP,
  NET_XMIT_SUCCESS,
  Sch,
} from './sch.ts'

/** Numbers that resemble the one before as far as rho says, of 2^32. */
class Correlated {
  rho = 0
  #last = 0

  next(random: RandomStream): number {
    const value = random.uint32()
    if (this.rho === 0) return value
    const rho = this.rho + 1
    // In pieces that a double holds exactly enough: the sum is below 2^64.
    this.#last = Math.floor(value * (1 - rho / 2 ** 32) + this.#last * (rho / 2 ** 32))
    return this.#last
  }
}

/** What `loss state` and `loss gemodel` say: probabilities of 2^32. */
export type LossModel =
  | { model: 'state'; p13: number; p31: number; p32: number; p23: number; p14: number }
  | { model: 'gemodel'; p: number; r: number; h: number; k1: number }

export interface NetemRate {
  /** Bytes a second. */
  rate: number
  packetOverhead: number
  cellSize: number
  cellOverhead: number
}

export interface NetemSlot {
  minNs: number
  maxNs: number
  packets: number
  bytes: number
}

/** What a request may say. Absent: as before. */
export interface NetemOptions {
  latencyNs: number
  jitterNs: number
  limit: number
  gap: number
  /** Probabilities: of 2^32 - 1. */
  loss: number
  duplicate: number
  correlations?: { delay: number; loss: number; duplicate: number }
  distribution?: string
  reorder?: { probability: number; correlation: number }
  corrupt?: { probability: number; correlation: number }
  rate?: NetemRate
  lossModel?: LossModel
  ecn?: boolean
  slot?: NetemSlot
}

type FourState = 'gap' | 'burst' | 'lost in burst' | 'lost in gap'

export class Netem extends Sch {
  readonly kind = 'netem'
  #given: NetemOptions = { latencyNs: 0, jitterNs: 0, limit: 1000, gap: 0, loss: 0, duplicate: 0 }
  readonly #delay = new Correlated()
  readonly #lossDraw = new Correlated()
  readonly #duplicateDraw = new Correlated()
  readonly #reorderDraw = new Correlated()
  readonly #corruptDraw = new Correlated()
  #table: Int32Array | undefined
  #state: FourState = 'gap'
  #bad = false
  #counter = 0
  /** What overtakes: put at the front. */
  readonly #front = new Row()
  /** By time to send, those of one time in order. */
  #timed: Item[] = []
  #head = 0
  #child: Sch | undefined
  #slotNextNs = 0
  #slotPackets = 0
  #slotBytes = 0
  #random: RandomStream | undefined
  override classes: Classes = {
    find: (classid) => ((classid & 0xffff) <= 1 ? 1 : undefined),
    leaf: () => this.#child,
    graft: (_cl, sch) => {
      const old = this.#child
      this.#child = sch
      old?.reset()
      return old
    },
    list: () =>
      this.#child === undefined
        ? []
        : [{ classid: (this.handle | 1) >>> 0, parent: 0xffffffff, leaf: this.#child.handle }],
  }

  get duplicates(): boolean {
    return this.#given.duplicate > 0
  }

  get #chance(): RandomStream {
    const { host, name } = this.device
    this.#random ??= host.sim.random(`${host.name}/${name}/netem`)
    return this.#random
  }

  change(options: Data, fresh: boolean): Refusal | undefined {
    const next = options as unknown as NetemOptions
    for (const other of this.tree.all()) {
      if (other === this || !(other instanceof Netem)) continue
      if (next.duplicate > 0 || other.duplicates) {
        return refuse('EINVAL', 'netem: cannot mix duplicating netems with other netems in tree')
      }
    }
    if (next.distribution !== undefined) {
      const table = distributionTable(next.distribution)
      if (table === undefined) throw new NotModelled(`netem's distribution ${next.distribution}`)
      this.#table = table
    }
    const given = { ...this.#given, ...next }
    // A loss that is drawn by itself ends a model; what a change leaves out otherwise stays.
    if (next.lossModel === undefined) delete given.lossModel
    this.#given = given
    // In older days a gap alone meant all.
    if (given.gap > 0 && !next.reorder) given.reorder = { probability: 0xffffffff, correlation: 0 }
    this.#delay.rho = given.correlations?.delay ?? 0
    this.#lossDraw.rho = given.correlations?.loss ?? 0
    this.#duplicateDraw.rho = given.correlations?.duplicate ?? 0
    this.#reorderDraw.rho = given.reorder?.correlation ?? 0
    this.#corruptDraw.rho = given.corrupt?.correlation ?? 0
    if (next.slot) {
      if (next.slot.maxNs === 0 && next.slot.minNs === 0) delete this.#given.slot
      else {
        if (this.#given.slot!.maxNs < this.#given.slot!.minNs) this.#given.slot!.maxNs = this.#given.slot!.minNs
        this.#slotNextNs = this.nowNs
        this.#refillSlot()
      }
    }
    if (fresh || next.lossModel) {
      this.#state = 'gap'
      this.#bad = false
    }
    return undefined
  }

  options(): Data {
    return { ...this.#given }
  }

  // Chance.

  #lost(): boolean {
    const { lossModel, loss } = this.#given
    const random = this.#chance
    if (lossModel === undefined) return loss > 0 && loss >= this.#lossDraw.next(random)
    return lossModel.model === 'state' ? this.#fourStates(lossModel) : this.#gilbertElliott(lossModel)
  }

  #fourStates({ p13, p31, p32, p23, p14 }: Extract<LossModel, { model: 'state' }>): boolean {
    const draw = this.#chance.uint32()
    switch (this.#state) {
      case 'gap':
        if (draw < p14) {
          this.#state = 'lost in gap'
          return true
        }
        if (p14 < draw && draw < p13 + p14) {
          this.#state = 'lost in burst'
          return true
        }
        return false
      case 'burst':
        if (draw >= p23) return false
        this.#state = 'lost in burst'
        return true
      case 'lost in burst':
        if (draw < p32) {
          this.#state = 'burst'
          return false
        }
        if (p32 < draw && draw < p31 + p32) {
          this.#state = 'gap'
          return false
        }
        return p31 + p32 < draw
      case 'lost in gap':
        this.#state = 'gap'
        return false
    }
  }

  #gilbertElliott({ p, r, h, k1 }: Extract<LossModel, { model: 'gemodel' }>): boolean {
    const random = this.#chance
    if (!this.#bad) {
      if (random.uint32() < p) this.#bad = true
      return random.uint32() < k1
    }
    if (random.uint32() < r) this.#bad = false
    return random.uint32() > h
  }

  /** About mu, by sigma. */
  #drawDelay(): number {
    const { latencyNs: mu, jitterNs: sigma } = this.#given
    if (sigma === 0) return mu
    const draw = this.#delay.next(this.#chance)
    const table = this.#table
    if (table === undefined) return (draw % ((2 * sigma) % 2 ** 32 || 1)) + mu - sigma
    const t = table[draw % table.length]!
    let x = (sigma % DIST_SCALE) * t
    x += x >= 0 ? DIST_SCALE / 2 : -DIST_SCALE / 2
    return Math.trunc(x / DIST_SCALE) + Math.floor(sigma / DIST_SCALE) * t + mu
  }

  /** How long a packet takes at the rate. packet_time_ns(). */
  #sendingTime(length: number): number {
    const { rate, packetOverhead, cellSize, cellOverhead } = this.#given.rate!
    let bytes = length + packetOverhead
    if (cellSize > 0) {
      let cells = Math.floor(bytes / cellSize)
      if (bytes > cells * cellSize) cells++
      bytes = cells * (cellSize + cellOverhead)
    }
    return Math.floor((bytes * 1e9) / rate)
  }

  // The queue.

  enqueue(item: Item): number {
    const given = this.#given
    let copies = 1
    if (given.duplicate > 0 && given.duplicate >= this.#duplicateDraw.next(this.#chance)) copies++
    if (this.#lost()) {
      if (given.ecn && mark(item)) this.drops++
      else copies--
    }
    if (copies === 0) {
      this.drops++
      return NET_XMIT_SUCCESS | NET_XMIT_BYPASS
    }
    if (copies > 1) {
      // Once more from the root; there it isn't doubled again.
      const { duplicate } = given
      given.duplicate = 0
      this.tree.root!.enqueue({ ...item, packet: copyOf(item) })
      given.duplicate = duplicate
    }
    if (given.corrupt && given.corrupt.probability > 0) {
      if (given.corrupt.probability >= this.#corruptDraw.next(this.#chance)) corrupt(item, this.#chance)
    }
    if (this.qlen >= given.limit) {
      this.drops++
      return NET_XMIT_DROP
    }
    this.backlog += item.length
    this.qlen++
    const probability = given.reorder?.probability ?? 0
    const overtakes =
      given.gap !== 0 && this.#counter >= given.gap - 1 && probability >= this.#reorderDraw.next(this.#chance)
    if (overtakes) {
      item.timeNs = this.nowNs
      this.#counter = 0
      this.#front.unshift(item)
      this.requeues++
      return NET_XMIT_SUCCESS
    }
    let now = this.nowNs
    let delay = this.#drawDelay()
    if (given.rate && given.rate.rate > 0) {
      const last = this.#lastTime()
      if (last !== undefined) {
        delay = Math.max(0, delay - (last - now))
        now = last
      }
      delay += this.#sendingTime(item.length)
    }
    item.timeNs = Math.max(0, now + delay)
    this.#counter++
    this.#insert(item)
    return NET_XMIT_SUCCESS
  }

  /** When the last packet of all leaves. */
  #lastTime(): number | undefined {
    let last = this.#front.last()?.timeNs
    const timed = this.#timed[this.#timed.length - 1]
    if (this.#head < this.#timed.length && timed && (last === undefined || timed.timeNs > last)) last = timed.timeNs
    return last
  }

  #insert(item: Item): void {
    const timed = this.#timed
    let at = timed.length
    if (at > this.#head && timed[at - 1]!.timeNs > item.timeNs) {
      let low = this.#head
      while (low < at) {
        const middle = (low + at) >> 1
        if (timed[middle]!.timeNs <= item.timeNs) low = middle + 1
        else at = middle
      }
      timed.splice(at, 0, item)
    } else timed.push(item)
  }

  protected take(): Item | undefined {
    for (;;) {
      const overtaking = this.#front.shift()
      if (overtaking) return this.#deliver(overtaking, true)
      const next = this.#timed[this.#head]
      if (next === undefined) break
      const now = this.nowNs
      const { slot } = this.#given
      if (slot && this.#slotNextNs !== 0 && this.#slotNextNs < next.timeNs) this.#nextSlot(now)
      if (next.timeNs <= now && (!slot || this.#slotNextNs <= now)) {
        this.#head++
        if (this.#head > 64 && this.#head * 2 > this.#timed.length) {
          this.#timed = this.#timed.slice(this.#head)
          this.#head = 0
        }
        if (slot) {
          this.#slotPackets--
          this.#slotBytes -= next.length
          if (this.#slotPackets <= 0 || this.#slotBytes <= 0) this.#nextSlot(now)
        }
        if (this.#child === undefined) return this.#deliver(next, true)
        const code = this.#child.enqueue(next)
        if (code !== NET_XMIT_SUCCESS) {
          if (isDrop(code)) this.drops++
          this.qlen--
          this.backlog -= next.length
          this.reduceBacklog(1, next.length)
        }
        continue
      }
      const waiting = this.#child?.dequeue()
      if (waiting) return this.#deliver(waiting, true)
      this.watch(slot ? Math.max(next.timeNs, this.#slotNextNs) : next.timeNs)
      return undefined
    }
    const waiting = this.#child?.dequeue()
    return waiting && this.#deliver(waiting, true)
  }

  #deliver(item: Item, counted: boolean): Item {
    if (counted) {
      this.qlen--
      this.backlog -= item.length
    }
    count(this.counters, item)
    return item
  }

  #nextSlot(now: number): void {
    const { minNs, maxNs } = this.#given.slot!
    const spread = maxNs - minNs
    this.#slotNextNs = now + minNs + (spread > 0 ? Math.floor((spread * this.#chance.uint32()) / 2 ** 32) : 0)
    this.#refillSlot()
  }

  #refillSlot(): void {
    const slot = this.#given.slot!
    this.#slotPackets = slot.packets === 0 ? Number.POSITIVE_INFINITY : slot.packets
    this.#slotBytes = slot.bytes === 0 ? Number.POSITIVE_INFINITY : slot.bytes
  }

  override reset(): void {
    super.reset()
    this.#front.clear()
    this.#timed = []
    this.#head = 0
    this.#child?.reset()
  }
}

function copyOf({ packet }: Item) {
  const copy = packet.clone()
  copy.route = packet.route
  copy.socket = packet.socket
  return copy
}

/** One bit is the other way. The checksums were right before. */
function corrupt(item: Item, random: RandomStream): void {
  const bytes = emitFrame(item.packet)
  const at = random.below(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << random.below(8))
  const { mark, priority } = item.packet
  item.packet = parseFrame(bytes)
  item.packet.mark = mark
  item.packet.priority = priority
}

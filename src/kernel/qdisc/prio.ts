/** prio: bands, of which the first that has a packet sends it. Linux 6.1 net/sched/sch_prio.c. */
import { type Refusal, refuse } from '#kernel/net'
import { TC_ACT_SHOT, TC_ACT_STOLEN } from './actions.ts'
import { FilterList } from './classifier.ts'
import { Fifo, PRIOMAP } from './fifo.ts'
import {
  type Classes,
  count,
  type Data,
  type Item,
  isDrop,
  major,
  NET_XMIT_BYPASS,
  NET_XMIT_STOLEN,
  NET_XMIT_SUCCESS,
  Sch,
} from './sch.ts'

const BANDS_MAX = 16

export class Prio extends Sch {
  readonly kind = 'prio'
  #bands: Sch[] = []
  #map: readonly number[] = PRIOMAP
  readonly filters = new FilterList()

  override classes: Classes = {
    find: (classid) => {
      const band = classid & 0xffff
      return band >= 1 && band <= this.#bands.length ? band : undefined
    },
    leaf: (cl) => this.#bands[(cl as number) - 1],
    graft: (cl, sch) => {
      const at = (cl as number) - 1
      const old = this.#bands[at]!
      this.#bands[at] = sch ?? this.#defaultBand(at)
      if (old.qlen > 0) old.reduceBacklog(old.qlen, old.backlog)
      old.reset()
      return old
    },
    list: () =>
      this.#bands.map((band, i) => ({
        classid: (this.handle | (i + 1)) >>> 0,
        parent: this.handle,
        leaf: band.hidden ? 0 : band.handle,
        counters: band.counters,
        queue: {
          qlen: band.qlen,
          backlog: band.backlog,
          drops: band.drops,
          overlimits: band.overlimits,
          requeues: band.requeues,
        },
      })),
    filters: () => this.filters,
  }

  #defaultBand(at: number): Sch {
    const band = new Fifo(this.tree, 'pfifo')
    band.hidden = true
    band.parent = (this.handle | (at + 1)) >>> 0
    return band
  }

  /** bands and priomap. prio_tune(). */
  change(options: Data): Refusal | undefined {
    const bands = (options['bands'] as number | undefined) ?? 3
    const map = (options['priomap'] as number[] | undefined) ?? PRIOMAP
    if (bands > BANDS_MAX || bands < 2) return refuse('EINVAL')
    if (map.some((band) => band >= bands)) return refuse('EINVAL')
    for (const gone of this.#bands.slice(bands)) this.tree.forget(gone)
    this.#bands = Array.from({ length: bands }, (_, i) => this.#bands[i] ?? this.#defaultBand(i))
    this.#map = map
    return undefined
  }

  options(): Data {
    return { bands: this.#bands.length, priomap: this.#map }
  }

  #classify(item: Item): Sch | number {
    let band = item.packet.priority
    if (major(item.packet.priority) !== this.handle) {
      item.timeNs = this.nowNs
      const found = this.filters.classify(item, this.handle)
      if (found?.verdict === TC_ACT_STOLEN) return NET_XMIT_SUCCESS | NET_XMIT_STOLEN
      if (found?.verdict === TC_ACT_SHOT) return NET_XMIT_SUCCESS | NET_XMIT_BYPASS
      if (found === undefined) {
        if (band > 0xffff) band = 0
        return this.#bands[this.#map[band & 15]!]!
      }
      band = found.classid
    }
    const at = (band & 0xffff) - 1
    return this.#bands[at] ?? this.#bands[this.#map[0]!]!
  }

  enqueue(item: Item): number {
    const band = this.#classify(item)
    if (typeof band === 'number') {
      if (band & NET_XMIT_BYPASS) this.drops++
      return band
    }
    const code = band.enqueue(item)
    if (code === NET_XMIT_SUCCESS) {
      this.backlog += item.length
      this.qlen++
    } else if (isDrop(code)) this.drops++
    return code
  }

  protected take(): Item | undefined {
    for (const band of this.#bands) {
      const item = band.dequeue()
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
    for (const band of this.#bands) band.reset()
  }
}

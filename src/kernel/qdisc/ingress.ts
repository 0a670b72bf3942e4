/**
 * ingress and clsact: no queues, only a place for filters of what comes in, and with clsact of what goes out.
 * Linux 6.1 net/sched/sch_ingress.c; net/core/dev.c: sch_handle_ingress(), sch_handle_egress().
 */
import { inetState, type Refusal } from '#kernel/net'
import type { Packet } from '#wire/inet'
import { TC_ACT_SHOT, TC_ACT_STOLEN } from './actions.ts'
import { FilterList } from './classifier.ts'
import { count, type Data, type Item, itemOf, NET_XMIT_SUCCESS, Sch, TC_H_MIN_EGRESS } from './sch.ts'

/** What comes in has lost its link's header by then. */
const LINK_HEADER = 14

export class Ingress extends Sch {
  readonly kind: 'ingress' | 'clsact'
  readonly incoming = new FilterList()
  readonly outgoing = new FilterList()
  override classes = {
    find: (classid: number) => (classid & 0xffff) + 1,
    leaf: () => undefined,
    graft: () => undefined,
    list: () => [],
    filters: (cl: unknown) => {
      const place = (cl as number | undefined) === undefined ? 0 : (cl as number) - 1
      return this.kind === 'clsact' && place === TC_H_MIN_EGRESS ? this.outgoing : this.incoming
    },
  }

  constructor(tree: ConstructorParameters<typeof Sch>[0], kind: 'ingress' | 'clsact') {
    super(tree)
    this.kind = kind
    tree.device.ingress = (packet) => this.#sees(packet, this.incoming, LINK_HEADER)
    if (kind === 'clsact') tree.device.egress = (packet) => this.#sees(packet, this.outgoing, 0)
  }

  /** Whether a packet goes on. */
  #sees(packet: Packet, filters: FilterList, withoutBytes: number): boolean {
    if (filters.protos.length === 0) return true
    const item = itemOf(this.device, packet)
    item.timeNs = this.nowNs
    item.length -= withoutBytes
    count(this.counters, item)
    const found = filters.classify(item, this.handle)
    if (found?.verdict === TC_ACT_SHOT) {
      this.drops++
      const reason = filters === this.outgoing ? 'TC_EGRESS' : 'TC_INGRESS'
      inetState.of(this.device.host).tell?.({ kind: 'drop', packet, reason })
    }
    return found?.verdict !== TC_ACT_SHOT && found?.verdict !== TC_ACT_STOLEN
  }

  enqueue(): number {
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    return undefined
  }

  change(): Refusal | undefined {
    return undefined
  }

  options(): Data {
    return {}
  }

  override destroy(): void {
    super.destroy()
    this.device.ingress = undefined
    this.device.egress = undefined
  }
}

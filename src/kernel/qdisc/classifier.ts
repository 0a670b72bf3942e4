/**
 * Filters: what decides which class a packet belongs to, by preference, protocol and kind. Linux 6.1 net/sched/cls_api.c:
 * tcf_classify(), tc_new_tfilter(), tcf_auto_prio().
 */
import { type Refusal, refuse } from '#kernel/net'
import { type Action, runActions, TC_ACT_OK, TC_ACT_PIPE, TC_ACT_RECLASSIFY } from './actions.ts'
import type { Data, Item } from './sch.ts'

export const ETH_P_ALL = 3

/** What a filter found: a verdict of its actions, and the class. */
export interface Found {
  verdict: number
  classid: number
}

/** One filter of a kind. */
export interface Filter {
  handle: number
  classid: number
  actions: Action[]
  /** Whether the packet is meant. Counts what it looked at. */
  matches(item: Item): boolean
  options(): Data
}

/** The kind of all filters of one preference. Linux: struct tcf_proto. */
export interface Classifier {
  readonly kind: string
  readonly filters: Filter[]
  /** Makes a filter, or changes the one of that handle. */
  change(handle: number, options: Data, create: boolean): Refusal | Filter
  /** What stands before the filters themselves in a dump: u32's tables. */
  preamble?(): { handle: number; options: Data }[]
  /** fw without options: the mark is the class. */
  classify?(item: Item, baseHandle: number): Found | undefined
}

/** Filters of one preference and protocol. */
export interface Proto {
  preference: number
  /** An EtherType, or ETH_P_ALL. */
  protocol: number
  classifier: Classifier
}

/** What hangs on a discipline, or on a class: the filters in order of preference. */
export class FilterList {
  protos: Proto[] = []

  /** The first that has an opinion. undefined: none. */
  classify(item: Item, baseHandle: number): Found | undefined {
    for (let round = 0; round < 4; round++) {
      const found = this.#once(item, baseHandle)
      if (found === undefined || found.verdict !== TC_ACT_RECLASSIFY) return found
    }
    return { verdict: 2, classid: 0 }
  }

  #once(item: Item, baseHandle: number): Found | undefined {
    for (const { protocol, classifier } of this.protos) {
      if (protocol !== ETH_P_ALL && protocol !== item.packet.etherType) continue
      const own = classifier.classify?.(item, baseHandle)
      if (own) return own
      for (const filter of classifier.filters) {
        if (!filter.matches(item)) continue
        const verdict = filter.actions.length === 0 ? TC_ACT_OK : runActions(filter.actions, item)
        // "Pipe" at the end of the actions, or "continue": the next filter is asked.
        if (verdict === -1) continue
        return { verdict: verdict === TC_ACT_PIPE ? TC_ACT_OK : verdict, classid: filter.classid }
      }
    }
    return undefined
  }

  find(preference: number): Proto | undefined {
    return this.protos.find((proto) => proto.preference === preference)
  }

  /** One below the first, or 0xc000 in front of none. tcf_auto_prio(). */
  autoPreference(): number {
    const first = this.protos[0]
    return first === undefined ? 0xc000 : first.preference - 1
  }

  insert(proto: Proto): Refusal | undefined {
    if (this.find(proto.preference)) return refuse('EINVAL', 'Filter with specified priority/protocol not found')
    this.protos.push(proto)
    this.protos.sort((a, b) => a.preference - b.preference)
    return undefined
  }

  get filterCount(): number {
    return this.protos.reduce((sum, { classifier }) => sum + classifier.filters.length, 0)
  }
}

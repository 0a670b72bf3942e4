/**
 * What a filter does besides naming a class: gact (drop, pass ...) and police.
 *
 * Linux 6.1 net/sched/act_api.c: tcf_action_exec(); act_gact.c; act_police.c: tcf_police_act().
 */
import { Rate, type RateSpec } from './rate.ts'
import type { Item } from './sch.ts'

export const TC_ACT_UNSPEC = -1
export const TC_ACT_OK = 0
export const TC_ACT_RECLASSIFY = 1
export const TC_ACT_SHOT = 2
export const TC_ACT_PIPE = 3
export const TC_ACT_STOLEN = 4

export interface Action {
  readonly kind: 'gact' | 'police'
  readonly index: number
  readonly installedNs: number
  /** -1: never. */
  usedNs: number
  firstUsedNs: number
  bytes: number
  packets: number
  drops: number
  overlimits: number
  run(item: Item, nowNs: number): number
  options(): Record<string, unknown>
}

export interface ActionData {
  kind: 'gact' | 'police'
  /** gact: what becomes of it. */
  verdict?: number
  /** police. */
  rate?: RateSpec
  burst?: number
  mtu?: number
  conform?: number
  exceed?: number
}

/** Makes one; `index` is the smallest that its kind has free on the machine. */
export function createAction(data: ActionData, index: number, nowNs: () => number): Action {
  const action: Action = {
    kind: data.kind,
    index,
    installedNs: nowNs(),
    usedNs: -1,
    firstUsedNs: -1,
    bytes: 0,
    packets: 0,
    drops: 0,
    overlimits: 0,
    run(item, now) {
      action.bytes += item.length
      action.packets += item.segments
      action.usedNs = now
      if (action.firstUsedNs < 0) action.firstUsedNs = now
      const verdict = decide(item, now)
      if (verdict === TC_ACT_SHOT) action.drops += item.segments
      return verdict
    },
    options: () => ({ ...data }),
  }
  const decide = data.kind === 'gact' ? () => data.verdict ?? TC_ACT_OK : policer(data, action, nowNs())
  return action
}

function policer(data: ActionData, action: Action, madeNs: number): (item: Item, now: number) => number {
  const rate = new Rate(data.rate!)
  const burstNs = rate.timeOf(data.burst!)
  const mtu = data.mtu ?? 0
  const mtuBytes = mtu === 0 ? Number.POSITIVE_INFINITY : mtu
  let tokens = burstNs
  let checkedNs = madeNs
  return (item, now) => {
    if (item.length <= mtuBytes) {
      const sum = Math.min(now - checkedNs, burstNs) + tokens
      const left = Math.min(sum, burstNs) - rate.timeOf(item.length)
      if (left >= 0) {
        checkedNs = now
        tokens = left
        return data.conform ?? TC_ACT_OK
      }
    }
    action.overlimits++
    return data.exceed ?? TC_ACT_SHOT
  }
}

/** One after the other, as long as they say "pipe". */
export function runActions(actions: readonly Action[], item: Item): number {
  let verdict = TC_ACT_OK
  for (const action of actions) {
    verdict = action.run(item, item.timeNs)
    if (verdict !== TC_ACT_PIPE) return verdict
  }
  return verdict
}

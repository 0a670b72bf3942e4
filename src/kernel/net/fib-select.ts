/**
 * Choosing among several ways: the next hops of a multipath route by a hash of the addresses, and several default routes
 * by what the neighbour table knows of their gateways.
 *
 * Linux 6.1 net/ipv4/fib_semantics.c: fib_select_path(), fib_select_multipath(), fib_select_default(), fib_detect_death().
 */
import { NotModelled } from '#base/check'
import type { Host } from '#kernel/core'
import type { FibAlias, FibInfo, FibResult, Flow } from './fib.ts'
import { RTNH_F_DEAD } from './fib.ts'
import { RT_SCOPE_LINK } from './inetdev.ts'
import { inetState } from './ip-state.ts'
import { NUD_INCOMPLETE, NUD_REACHABLE, NUD_VALID, neighbourLookup } from './neighbour.ts'

/** 31 bits of the addresses, keyed by the boot's own secret. fib_multipath_hash() with policy 0. */
function pathHash(host: Host, flow: Flow): number {
  const policy = inetState.of(host).sysctls.multipathHashPolicy
  if (policy !== 0) throw new NotModelled(`net.ipv4.fib_multipath_hash_policy = ${policy}`)
  const state = inetState.of(host)
  state.pathSecret ??= host.sim.random(`${host.name}/fib multipath`).uint32()
  // Either order gives the same hash: the kernel sorts the addresses first.
  let h = Math.imul(Math.min(flow.src, flow.dst), 0x9e3779b1) ^ state.pathSecret
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ Math.max(flow.src, flow.dst)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 1
}

function stateOf(info: FibInfo): number | undefined {
  const nextHop = info.nextHops[0]!
  return neighbourLookup(nextHop.device!, nextHop.gateway)?.state
}

function selectMultipath(host: Host, result: FibResult, flow: Flow): void {
  const hash = pathHash(host, flow)
  const useNeighbour = inetState.of(host).sysctls.multipathUseNeighbour !== 0
  let first = true
  for (const nextHop of result.info!.nextHops) {
    if (useNeighbour) {
      const state =
        nextHop.scope === RT_SCOPE_LINK ? neighbourLookup(nextHop.device!, nextHop.gateway)?.state : undefined
      if (state !== undefined && !(state & NUD_VALID)) continue
      if (first) result.nextHop = nextHop
      first = false
    }
    if (hash > nextHop.upperBound) continue
    result.nextHop = nextHop
    return
  }
}

interface Choice {
  lastResort: FibInfo | undefined
  lastIndex: number
}

/** Whether a gateway seems dead. fib_detect_death(). */
function seemsDead(info: FibInfo, order: number, choice: Choice, dflt: number): boolean {
  const state = stateOf(info)
  if (state === undefined || state === NUD_REACHABLE) return false
  const valid = (state & NUD_VALID) !== 0
  if (valid && order !== dflt) return false
  if (valid || (choice.lastIndex < 0 && order > dflt && state !== NUD_INCOMPLETE)) {
    choice.lastResort = info
    choice.lastIndex = order
  }
  return true
}

function assign(result: FibResult, info: FibInfo): void {
  result.info = info
  result.nextHop = info.nextHops[0]
}

/** fib_select_default(). */
function selectDefault(flow: Flow, result: FibResult): void {
  const choice: Choice = { lastResort: undefined, lastIndex: -1 }
  let info: FibInfo | undefined
  let first: FibAlias | undefined
  let order = -1
  let lastMetric = result.info!.metric
  let lastTos = 0
  for (const alias of result.table!.aliases) {
    if (alias.key !== 0 || alias.prefix !== 0) continue
    if (alias.tos !== 0 && alias.tos !== flow.tos) continue
    const next = alias.info
    if (next.metric > lastMetric && alias.tos === lastTos) {
      if (lastTos) continue
      break
    }
    if (next.flags & RTNH_F_DEAD) continue
    lastTos = alias.tos
    lastMetric = next.metric
    if (next.scope !== result.scope || alias.type !== 'unicast') continue
    const nextHop = next.nextHops[0]!
    if (nextHop.gateway === 0 || nextHop.scope !== RT_SCOPE_LINK) continue
    if (!info) {
      if (next !== result.info) break
      first = alias
    } else if (!seemsDead(info, order, choice, first!.lastDefault)) {
      assign(result, info)
      first!.lastDefault = order
      return
    }
    info = next
    order++
  }
  if (order <= 0 || !info) {
    if (first) first.lastDefault = -1
    return
  }
  if (!seemsDead(info, order, choice, first!.lastDefault)) {
    assign(result, info)
    first!.lastDefault = order
    return
  }
  if (choice.lastIndex >= 0) assign(result, choice.lastResort!)
  first!.lastDefault = choice.lastIndex
}

/** Settles which way of those that a lookup found. */
export function selectPath(host: Host, result: FibResult, flow: Flow): void {
  if (result.info!.nextHops.length > 1) selectMultipath(host, result, flow)
  else if (result.prefix === 0 && result.type === 'unicast' && result.table!.defaults > 1) selectDefault(flow, result)
}

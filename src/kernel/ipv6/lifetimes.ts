/**
 * Addresses that live for a while: deprecated, then gone; and routes that end.
 * Linux 6.1 net/ipv6/addrconf.c: addrconf_verify_rtnl(); net/ipv6/ip6_fib.c: fib6_run_gc().
 */
import { HZ, jiffiesOf, wheelNs } from '#kernel/net'
import { deleteAddress6 } from './addresses.ts'
import { IFA_F_DEPRECATED, IFA_F_PERMANENT, INFINITE_S, link6 } from './inet6dev.ts'
import type { State6 } from './state.ts'

const SECOND_NS = 1_000_000_000
/** Lifetimes are looked at every two minutes at the least. ADDR_CHECK_FREQUENCY. */
const CHECK_NS = 120 * SECOND_NS

class Verifier {
  readonly #state: State6

  constructor(state: State6) {
    this.#state = state
  }

  fire(): void {
    checkLifetimes(this.#state)
  }
}

/** Looks at what has ended, and sees to it that the next end is seen. */
export function checkLifetimes(state: State6): void {
  const { sim } = state.host
  const now = sim.nowNs
  let next = Number.POSITIVE_INFINITY
  for (const device of state.net.devices) {
    for (const own of link6(device)?.addresses ?? []) {
      if (own.flags & IFA_F_PERMANENT && own.preferredS === INFINITE_S) continue
      const ageS = Math.floor((now - own.stampNs + SECOND_NS / 50) / SECOND_NS)
      if (own.validS !== INFINITE_S && ageS >= own.validS) {
        deleteAddress6(own)
        continue
      }
      if (own.preferredS !== INFINITE_S && !(own.flags & IFA_F_DEPRECATED)) {
        if (ageS >= own.preferredS) own.flags |= IFA_F_DEPRECATED
        else next = Math.min(next, own.stampNs + own.preferredS * SECOND_NS)
      }
      if (own.validS !== INFINITE_S) next = Math.min(next, own.stampNs + own.validS * SECOND_NS)
    }
  }
  collectLater(state)
  if (next === Number.POSITIVE_INFINITY) {
    if (state.verifySlot >= 0) sim.disarm(state.verifySlot)
    return
  }
  if (state.verifySlot < 0) state.verifySlot = sim.slot('ipv6 lifetimes', new Verifier(state))
  const delay = Math.min(Math.max(next - now, SECOND_NS), CHECK_NS)
  sim.arm(state.verifySlot, wheelNs(state.host, jiffiesOf(state.host) + Math.ceil((delay * HZ) / 1e9)))
}

class Collector {
  readonly #state: State6

  constructor(state: State6) {
    this.#state = state
  }

  /** Routes that have ended go. fib6_run_gc(). */
  fire(): void {
    const state = this.#state
    const { nowNs } = state.host.sim
    for (const table of [state.main, ...state.tables.values()]) {
      const ended = table.routes.filter((route) => route.expiresNs <= nowNs)
      for (const route of ended) table.remove(route)
      if (ended.length > 0) state.routesChanged()
    }
    collectLater(state)
  }
}

/** Ended routes are collected every half minute, as long as there are any that end; nobody takes them meanwhile. */
export function collectLater(state: State6): void {
  const { sim } = state.host
  const tables = [state.main, ...state.tables.values()]
  if (!tables.some((table) => table.routes.some((route) => route.expiresNs !== Number.POSITIVE_INFINITY))) return
  if (state.collectSlot < 0) state.collectSlot = sim.slot('ipv6 route collection', new Collector(state))
  if (sim.due(state.collectSlot) !== Number.POSITIVE_INFINITY) return
  sim.arm(state.collectSlot, wheelNs(state.host, jiffiesOf(state.host) + state.sysctls.gcInterval * HZ))
}

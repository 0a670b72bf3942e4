/**
 * Putting routes into tables and taking them out. Linux 6.1 net/ipv4/fib_trie.c: fib_table_insert(), fib_table_delete(),
 * fib_table_flush().
 */
import type { Host } from '#kernel/core'
import {
  type FibAlias,
  type FibInfo,
  FibTable,
  ROUTE_TYPES,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNH_F_DEAD,
} from './fib.ts'
import { createInfo, type FibConfig, type FibFailure, releaseInfo } from './fib-info.ts'
import { tableOf } from './fib-lookup.ts'
import { RT_SCOPE_NOWHERE } from './inetdev.ts'
import { type InetState, inetState } from './ip-state.ts'
import type { NewFlags } from './netlink.ts'

/** The table of that id, made if there is none. fib_new_table(). */
export function newTable(state: InetState, id: number): FibTable {
  const existing = tableOf(state, id)
  if (existing) return existing
  const table = new FibTable(id || RT_TABLE_MAIN)
  if (table.id === RT_TABLE_MAIN) state.main = table
  else if (table.id === RT_TABLE_LOCAL) state.local = table
  else {
    state.tables ??= new Map()
    state.tables.set(id, table)
  }
  return table
}

/** All tables, local and main among them, by their place in the kernel's hash of 256 buckets. */
export function allTables(state: InetState): FibTable[] {
  const tables = [...(state.tables?.values() ?? [])]
  if (state.main) tables.push(state.main)
  if (state.local) tables.push(state.local)
  // Within a bucket, the younger table is first.
  return tables
    .map((table, i) => ({ table, i }))
    .sort((a, b) => (a.table.id & 255) - (b.table.id & 255) || b.i - a.i)
    .map((entry) => entry.table)
}

/** Where an alias with these keys stands or would stand among those of its prefix; -1: behind all. fib_find_alias(). */
function findAlias(table: FibTable, key: number, prefix: number, tos: number, metric: number): number {
  const aliases = table.aliases
  for (let at = table.find(key, prefix); at < aliases.length; at++) {
    const alias = aliases[at]!
    if (alias.key !== key || alias.prefix !== prefix) return -1
    if (alias.tos > tos) continue
    if (alias.info.metric >= metric || alias.tos < tos) return at
  }
  return -1
}

/** Adds or replaces a route. undefined: done. */
export function insertRoute(host: Host, table: FibTable, config: FibConfig, flags: NewFlags): FibFailure | undefined {
  const state = inetState.of(host)
  const info = createInfo(host, config)
  if ('ok' in info) return info
  const failed = (errno: FibFailure['errno']): FibFailure => {
    releaseInfo(state, info)
    return { ok: false, errno }
  }
  const { dst: key, prefix, tos } = config
  const aliases = table.aliases
  let at = findAlias(table, key, prefix, tos, info.metric)
  const found = at >= 0 ? aliases[at]! : undefined
  if (found && found.tos === tos && found.info.metric === info.metric) {
    if (flags.exclusive) return failed('EEXIST')
    const first = at
    let match: FibAlias | undefined
    for (; at < aliases.length; at++) {
      const alias = aliases[at]!
      if (alias.key !== key || alias.prefix !== prefix || alias.tos !== tos || alias.info.metric !== info.metric) break
      if (alias.type === config.type && alias.info === info) {
        match = alias
        break
      }
    }
    if (flags.replace) {
      if (match) {
        // The very same route, and it is the first: nothing to do, and no error.
        if (aliases[first] === match) {
          releaseInfo(state, info)
          return undefined
        }
        return failed('EEXIST')
      }
      const old = aliases[first]!
      aliases[first] = { key, prefix, tos, type: config.type, info, lastDefault: -1 }
      releaseInfo(state, old.info)
      state.net.generation++
      return undefined
    }
    if (match) return failed('EEXIST')
    if (!flags.append) at = first
  }
  if (!flags.create) return failed('ENOENT')
  if (at < 0) {
    at = table.find(key, prefix)
    while (at < aliases.length && aliases[at]!.key === key && aliases[at]!.prefix === prefix) at++
  }
  table.insert(at, { key, prefix, tos, type: config.type, info, lastDefault: -1 })
  state.net.generation++
  return undefined
}

/** Whether a route's ways are those that a request names. fib_nh_match(). */
function nextHopsMatch(config: FibConfig, info: FibInfo): boolean {
  if (config.metric && config.metric !== info.metric) return false
  if (config.oif || config.gateway) {
    const first = info.nextHops[0]!
    if (config.oif && config.oif !== first.oif) return false
    return !config.gateway || config.gateway === first.gateway
  }
  if (!config.multipath) return true
  for (let i = 0; i < info.nextHops.length; i++) {
    const asked = config.multipath[i]
    const nextHop = info.nextHops[i]!
    if (!asked) return false
    if (asked.ifindex && asked.ifindex !== nextHop.oif) return false
    if (asked.gateway && asked.gateway !== nextHop.gateway) return false
  }
  return true
}

function metricsMatch(config: FibConfig, info: FibInfo): boolean {
  for (const name in config.metrics) if ((info.metrics?.[name] ?? 0) !== config.metrics[name]) return false
  return true
}

/** Removes the first route that a request describes; what it leaves out counts as any. `type` undefined: any. */
export function deleteRoute(
  host: Host,
  table: FibTable,
  config: Omit<FibConfig, 'type'> & { type: FibConfig['type'] | undefined },
): FibFailure | undefined {
  const state = inetState.of(host)
  const { dst: key, prefix, tos } = config
  const aliases = table.aliases
  let at = findAlias(table, key, prefix, tos, 0)
  if (at < 0) return { ok: false, errno: 'ESRCH' }
  for (; at < aliases.length; at++) {
    const alias = aliases[at]!
    if (alias.key !== key || alias.prefix !== prefix || alias.tos !== tos) break
    const info = alias.info
    if (
      (config.type === undefined || alias.type === config.type) &&
      (config.scope === RT_SCOPE_NOWHERE || info.scope === config.scope) &&
      (!config.prefSrc || info.prefSrc === config.prefSrc) &&
      (!config.protocol || info.protocol === config.protocol) &&
      nextHopsMatch(config as FibConfig, info) &&
      metricsMatch(config as FibConfig, info)
    ) {
      table.remove(alias)
      releaseInfo(state, info)
      state.net.generation++
      return undefined
    }
  }
  return { ok: false, errno: 'ESRCH' }
}

/** Takes out what is dead. Routes that only refuse stay, unless their source address went. fib_flush(). */
export function flushDead(host: Host): void {
  const state = inetState.of(host)
  for (const table of allTables(state)) {
    for (const alias of [...table.aliases].reverse()) {
      if (!(alias.info.flags & RTNH_F_DEAD)) continue
      table.remove(alias)
      releaseInfo(state, alias.info)
    }
  }
  state.net.generation++
}

/** Whether a type of route refuses. */
export function refuses(alias: FibAlias): boolean {
  return ROUTE_TYPES[alias.type].error !== undefined
}

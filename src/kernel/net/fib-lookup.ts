/**
 * Looking up a route: in one table, through the rules, and what kind of address an address is.
 *
 * Linux 6.1 net/ipv4/fib_trie.c: fib_table_lookup(); include/net/ip_fib.h: fib_lookup();
 * net/ipv4/fib_frontend.c: __inet_dev_addr_type(), fib_validate_source().
 */
import type { Errno, Host } from '#kernel/core'
import type { Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { devices } from './devices.ts'
import {
  type FibAlias,
  type FibInfo,
  type FibNextHop,
  type FibResult,
  type FibTable,
  type Flow,
  flowOf,
  ROUTE_TYPES,
  RT_TABLE_DEFAULT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  signedMask,
} from './fib.ts'
import { RT_SCOPE_HOST } from './inetdev.ts'
import { type InetState, inetState } from './ip-state.ts'
import type { RouteType } from './netlink.ts'
import { rulesLookup } from './rules.ts'

/** The table of that id, if it exists. */
export function tableOf(state: InetState, id: number): FibTable | undefined {
  if (id === RT_TABLE_MAIN || id === 0) return state.main
  if (id === RT_TABLE_LOCAL) return state.local
  return state.tables?.get(id)
}

/** An empty result, to be filled by a lookup. */
export function emptyResult(): FibResult {
  return {
    type: 'unicast',
    prefix: 0,
    key: 0,
    scope: 0,
    tos: 0,
    table: undefined,
    alias: undefined,
    info: undefined,
    nextHop: undefined,
  }
}

function nextHopIsGood(nextHop: FibNextHop, flow: Flow, ignoreLinkState: boolean): boolean {
  if (nextHop.flags & RTNH_F_DEAD) return false
  if (nextHop.flags & RTNH_F_LINKDOWN && !ignoreLinkState && nextHop.device?.inet.ignoreRoutesWithLinkdown) return false
  return flow.oif === 0 || flow.oif === nextHop.oif
}

/** undefined: found; 'EAGAIN': nothing here, ask the next rule. */
function tryAlias(
  table: FibTable,
  alias: FibAlias,
  flow: Flow,
  result: FibResult,
  ignoreLinkState: boolean,
): Errno | undefined | 'next' {
  const info = alias.info
  if (alias.tos !== 0 && alias.tos !== flow.tos) return 'next'
  if (info.scope < flow.scope) return 'next'
  const error = ROUTE_TYPES[alias.type].error
  if (error !== undefined) {
    result.type = alias.type
    return error
  }
  if (info.flags & RTNH_F_DEAD) return 'next'
  for (const nextHop of info.nextHops) {
    if (!nextHopIsGood(nextHop, flow, ignoreLinkState)) continue
    result.type = alias.type
    result.prefix = alias.prefix
    result.key = alias.key
    result.scope = info.scope
    result.tos = alias.tos
    result.table = table
    result.alias = alias
    result.info = info
    result.nextHop = nextHop
    return undefined
  }
  return 'next'
}

function lookIn(
  table: FibTable,
  prefix: number,
  key: number,
  flow: Flow,
  result: FibResult,
  ignoreLinkState: boolean,
): Errno | undefined | 'next' {
  if (!table.hasLength(prefix)) return 'next'
  const aliases = table.aliases
  for (let at = table.find(key, prefix); at < aliases.length; at++) {
    const alias = aliases[at]!
    if (alias.key !== key || alias.prefix !== prefix) break
    const answer = tryAlias(table, alias, flow, result, ignoreLinkState)
    if (answer !== 'next') return answer
  }
  return 'next'
}

/**
 * Looks a flow up in a table, or in two at once: `over` is the local table while it is still merged with main.
 * undefined: found.
 */
export function tableLookup(
  table: FibTable,
  flow: Flow,
  result: FibResult,
  ignoreLinkState = false,
  over?: FibTable,
): Errno | undefined {
  for (let prefix = 32; prefix >= 0; prefix--) {
    const key = (flow.dst & signedMask(prefix)) >>> 0
    if (over) {
      const answer = lookIn(over, prefix, key, flow, result, ignoreLinkState)
      if (answer !== 'next') return answer
    }
    const answer = lookIn(table, prefix, key, flow, result, ignoreLinkState)
    if (answer !== 'next') return answer
  }
  return 'EAGAIN'
}

/** Looks a flow up as the rules say. undefined: found. fib_lookup(). */
export function fibLookup(host: Host, flow: Flow, result: FibResult, ignoreLinkState = false): Errno | undefined {
  const state = inetState.of(host)
  if (state.customRules) return rulesLookup(host, flow, result, ignoreLinkState)
  let error: Errno | undefined = 'EAGAIN'
  if (state.main) error = tableLookup(state.main, flow, result, ignoreLinkState, state.local)
  else if (state.local) error = tableLookup(state.local, flow, result, ignoreLinkState)
  if (error !== undefined) {
    const fallback = state.tables?.get(RT_TABLE_DEFAULT)
    if (fallback) error = tableLookup(fallback, flow, result, ignoreLinkState)
  }
  return error === 'EAGAIN' ? 'ENETUNREACH' : error
}

/** 0.0.0.0/8. */
export function isZeronet(address: number): boolean {
  return address >>> 24 === 0
}

export function isLoopback(address: number): boolean {
  return address >>> 24 === 127
}

export function isMulticast(address: number): boolean {
  return address >>> 28 === 14
}

/** 224.0.0.0/24. */
export function isLocalMulticast(address: number): boolean {
  return address >>> 8 === 0xe00000
}

export const INADDR_BROADCAST = 0xffffffff

/**
 * What kind of address it is for this host: 'local', 'broadcast', 'multicast', or 'unicast' for another's. With a device:
 * as if only that one were there. inet_addr_type(), inet_dev_addr_type().
 */
export function addressType(host: Host, address: number, device?: NetDevice, tableId = RT_TABLE_LOCAL): RouteType {
  if (isZeronet(address) || address === INADDR_BROADCAST) return 'broadcast'
  if (isMulticast(address)) return 'multicast'
  const state = inetState.of(host)
  const table = tableOf(state, tableId)
  if (!table) return 'broadcast'
  const result = emptyResult()
  const flow = flowOf({ dst: address })
  // While merged, local and main share one trie, whichever is asked.
  const error =
    tableId === RT_TABLE_LOCAL && !state.customRules && state.main
      ? tableLookup(state.main, flow, result, false, table)
      : tableLookup(table, flow, result)
  if (error === undefined && (device === undefined || result.info!.nextHops[0]!.device === device)) return result.type
  return 'unicast'
}

/** The device that has an address, if any. __ip_dev_find(). */
export function deviceOfAddress(host: Host, address: number): NetDevice | undefined {
  for (const device of devices(host)) {
    for (const own of device.inet.addresses) if (own.local === address) return device
  }
  // Routes of type local cover whole prefixes (127.0.0.0/8).
  const state = inetState.of(host)
  if (!state.local) return undefined
  const result = emptyResult()
  if (tableLookup(state.local, flowOf({ dst: address }), result) === undefined && result.type === 'local') {
    return result.nextHop?.device
  }
  return undefined
}

/** Whether an address is one of this host's interfaces'. inet_lookup_ifaddr_rcu(). */
export function hasInterfaceAddress(host: Host, address: number): boolean {
  for (const device of devices(host)) {
    for (const own of device.inet.addresses) if (own.local === address) return true
  }
  return false
}

/** Whether `a` and `b` (if not 0) are both on the link of one of a device's addresses. inet_addr_onlink(). */
export function inetOnLink(device: NetDevice, a: number, b: number): boolean {
  for (const own of device.inet.addresses) {
    if (((a ^ own.address) & own.mask) === 0 && (b === 0 || ((b ^ own.address) & own.mask) === 0)) return true
  }
  return false
}

/** Whether a packet of this kind needs ports for the rules: fib4_rules_early_flow_dissect(). */
export function addTransport(host: Host, flow: Flow, packet: Packet | undefined, swap = false): void {
  const rules = inetState.of(host).rules
  if (!packet || !rules?.some((rule) => rule.ipProtocol || rule.sourcePorts || rule.destinationPorts)) return
  flow.protocol = packet.protocol
  flow.srcPort = swap ? packet.dstPort : packet.srcPort
  flow.dstPort = swap ? packet.srcPort : packet.dstPort
}

/**
 * Whether a packet may have come from `src` by this device: 'EINVAL' for a martian, 'EXDEV' if the reverse path filter
 * says no, else true if the source is on this link ("may be redirected") or false. fib_validate_source().
 */
export function validateSource(
  host: Host,
  packet: Packet | undefined,
  src: number,
  dst: number,
  tos: number,
  oif: number,
  device: NetDevice,
  mark: number,
): 'EINVAL' | 'EXDEV' | boolean {
  const inet = device.inet
  const rpFilter = inet.rpFilter
  const state = inetState.of(host)
  if (rpFilter === 0 && (device.ifindex !== oif || !inet.sendRedirects)) {
    if (inet.acceptLocal) return false
    if (!state.customLocalRoutes && !state.customRules) return hasInterfaceAddress(host, src) ? 'EINVAL' : false
  }
  const flow = flowOf({ dst: src, src: dst, tos, iif: oif || 1, mark: inet.srcValidMark ? mark : 0 })
  addTransport(host, flow, packet, true)
  const result = emptyResult()
  const lastResort = rpFilter ? 'EXDEV' : false
  if (fibLookup(host, flow, result) !== undefined) return lastResort
  if (result.type !== 'unicast' && (result.type !== 'local' || !inet.acceptLocal)) return 'EINVAL'
  if (usesDevice(result.info!, device) || (result.type === 'local' && device.kind === 'loopback')) {
    return result.nextHop!.scope >= RT_SCOPE_HOST
  }
  if (inet.addresses.length === 0) return lastResort
  if (rpFilter === 1) return 'EXDEV'
  flow.oif = device.ifindex
  if (fibLookup(host, flow, result, true) === undefined && result.type === 'unicast') {
    return result.nextHop!.scope >= RT_SCOPE_HOST
  }
  return false
}

/** Whether any of a route's next hops is this device. fib_info_nh_uses_dev(). */
export function usesDevice(info: FibInfo, device: NetDevice): boolean {
  for (const nextHop of info.nextHops) if (nextHop.device === device) return true
  return false
}

/**
 * IPv6's routing rules: which table a packet is looked up in. Linux 6.1 net/ipv6/fib6_rules.c; net/core/fib_rules.c.
 */
import type { Errno } from '#kernel/core'
import { deviceByName, type Rule6Fields } from '#kernel/net'
import { inPrefixIpv6 } from '#wire/inet'
import { type Fib6Table, RT6_TABLE_LOCAL, RT6_TABLE_MAIN } from './fib.ts'
import type { Flow6, Found6 } from './route.ts'
import type { State6 } from './state.ts'

export type Rule6 = Rule6Fields & { priority: number; protocol: number }

/** What every host has. fib6_rules_net_init(). */
export function defaultRules(): Rule6[] {
  const rule = (priority: number, table: number): Rule6 => ({
    family: 'AF_INET6',
    priority,
    table,
    action: 'table',
    protocol: 2,
  })
  return [rule(0, RT6_TABLE_LOCAL), rule(32766, RT6_TABLE_MAIN)]
}

export function rulesOf(state: State6): Rule6[] {
  return state.rules ?? defaultRules()
}

/** fib_rule_match(), fib6_rule_match(). */
function matches(state: State6, rule: Rule6, flow: Flow6): boolean {
  const within = (range: [number, number] | undefined, port: number) => !range || (port >= range[0] && port <= range[1])
  const device = (name: string | undefined, index: number) =>
    name === undefined || deviceByName(state.host, name)?.ifindex === index
  const src = flow.src
  const fits =
    device(rule.iif, flow.iif || 1) &&
    device(rule.oif, flow.oif) &&
    (rule.fwmark === undefined || ((rule.fwmark ^ flow.mark) & (rule.fwmask ?? 0xffffffff)) === 0) &&
    (rule.dst === undefined || inPrefixIpv6(flow.dst, rule.dst, rule.dstPrefix ?? 0)) &&
    (rule.src === undefined || (src !== undefined && inPrefixIpv6(src, rule.src, rule.srcPrefix ?? 0))) &&
    (!rule.tos || rule.tos === flow.tos) &&
    (!rule.ipProtocol || rule.ipProtocol === flow.protocol) &&
    within(rule.sourcePorts, flow.srcPort) &&
    within(rule.destinationPorts, flow.dstPort) &&
    (!rule.uidRange || (flow.uid >= rule.uidRange[0] && flow.uid <= rule.uidRange[1]))
  return fits !== (rule.invert ?? false)
}

/** The first rule that fits and finds something. fib_rules_lookup(). */
export function applyRules(
  state: State6,
  flow: Flow6,
  lookup: (table: Fib6Table) => Found6 | undefined,
): Found6 | Errno {
  const rules = rulesOf(state)
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!
    if (!matches(state, rule, flow)) continue
    const action = rule.action ?? 'table'
    if (action === 'blackhole') return 'EINVAL'
    if (action === 'unreachable') return 'ENETUNREACH'
    if (action === 'prohibit') return 'EACCES'
    if (action === 'nop') continue
    if (action === 'goto') {
      const to = rules.findIndex((other) => other.priority >= (rule.goto ?? 0))
      if (to <= i) continue
      i = to - 1
      continue
    }
    const table = state.table(rule.table ?? RT6_TABLE_MAIN)
    const found = table && lookup(table)
    if (found === undefined || found.route.type === 'throw') continue
    if (rule.suppressPrefixLength !== undefined && found.route.prefix <= rule.suppressPrefixLength) continue
    return found
  }
  return 'ENETUNREACH'
}

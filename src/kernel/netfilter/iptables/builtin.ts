/** The tables and chains that iptables takes for granted. iptables 1.8.9 iptables/nft.c: xtables_ipv4[]. */
import type { HookName } from '#kernel/net'

export interface BuiltinChain {
  name: string
  type: 'filter' | 'nat' | 'route'
  hook: HookName
  priority: number
}

const chains = (priority: number, ...names: string[]): BuiltinChain[] =>
  names.map((name) => ({ name, type: 'filter', hook: HOOKS[name]!, priority }))

export const HOOKS: Record<string, HookName> = {
  PREROUTING: 'PRE_ROUTING',
  INPUT: 'LOCAL_IN',
  FORWARD: 'FORWARD',
  OUTPUT: 'LOCAL_OUT',
  POSTROUTING: 'POST_ROUTING',
}

const mangle = chains(-150, 'PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING')
mangle[3]!.type = 'route'

/** In the order in which iptables-save goes through them. */
export const TABLES = new Map<string, BuiltinChain[]>([
  ['mangle', mangle],
  ['security', chains(50, 'INPUT', 'FORWARD', 'OUTPUT')],
  ['raw', chains(-300, 'PREROUTING', 'OUTPUT')],
  ['filter', chains(0, 'INPUT', 'FORWARD', 'OUTPUT')],
  [
    'nat',
    [
      { name: 'PREROUTING', type: 'nat', hook: 'PRE_ROUTING', priority: -100 },
      { name: 'INPUT', type: 'nat', hook: 'LOCAL_IN', priority: 100 },
      { name: 'OUTPUT', type: 'nat', hook: 'LOCAL_OUT', priority: -100 },
      { name: 'POSTROUTING', type: 'nat', hook: 'POST_ROUTING', priority: 100 },
    ],
  ],
])

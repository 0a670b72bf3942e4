/**
 * Whether what hooks can reach makes sense: no loops, no calls too deep, and each expression where it may stand.
 * Linux 6.1 net/netfilter/nf_tables_api.c: nft_chain_validate(), nf_tables_check_loops(); nft_compat.c: nft_target_validate().
 */
import type { Errno, Host } from '#kernel/core'
import type { HookName } from '#kernel/net'
import { basicsOf } from './basics.ts'
import type { Expression } from './expressions.ts'
import type { Chain, Rule, Table } from './objects.ts'
import { JUMPS_MAX } from './run.ts'
import { xtTable } from './xt/extension.ts'

export interface Fault {
  errno: Errno
  rule?: Rule
}

/** The chains that a rule leads to. */
function targets(rule: Rule): Chain[] {
  const { table } = rule.chain
  const chains: Chain[] = []
  for (const expression of rule.expressions) {
    if (expression.expr === 'verdict' && expression.verdict.chain !== undefined) {
      chains.push(table.chains.get(expression.verdict.chain)!)
    } else if (expression.expr === 'vmap') {
      for (const element of table.sets.get(expression.set)!.elements.list())
        if (element.target) chains.push(element.target)
    }
  }
  return chains
}

export function validateTable(table: Table, host: Host): Fault | undefined {
  for (const chain of table.chains.values()) {
    for (const rule of chain.rules) {
      if (rule.compiled) continue // It was checked when it came.
      for (const expression of rule.expressions) {
        const errno = checkExtension(expression, rule, host)
        if (errno) return { errno, rule }
      }
    }
  }
  for (const chain of table.chains.values()) {
    if (!chain.base) continue
    const fault = validateFrom(chain, chain, 0, new Map())
    if (fault) return fault
  }
  return undefined
}

function checkExtension(expression: Expression, rule: Rule, host: Host): Errno | undefined {
  if (expression.expr !== 'match' && expression.expr !== 'target') return undefined
  const { name, info } = expression
  const all = xtTable(host.image)
  const extension = expression.expr === 'match' ? all.matches.get(name) : all.targets.get(name)
  if (!extension) return 'ENOENT'
  const { base, table } = rule.chain
  return extension.check?.(info, {
    host,
    family: table.family,
    table: table.name,
    hooks: base ? [base.hook] : [],
    basics: basicsOf(rule.expressions, table.family),
    log: (text) => host.log(6, text),
  })
}

/** From a base chain down: what its type and hook allow, and no deeper than the stack of calls. */
function validateFrom(base: Chain, chain: Chain, depth: number, seen: Map<Chain, number>): Fault | undefined {
  if (depth === JUMPS_MAX) return { errno: 'EMLINK' }
  // Met at this depth or deeper, it has been looked through.
  if ((seen.get(chain) ?? -1) >= depth) return undefined
  seen.set(chain, depth)
  for (const rule of chain.rules) {
    for (const expression of rule.expressions) {
      const errno = allowed(expression, base)
      if (errno) return { errno, rule }
    }
    for (const target of targets(rule)) {
      const fault = validateFrom(base, target, depth + 1, seen)
      if (fault) return fault.errno === 'EMLINK' || !fault.rule ? { ...fault, rule } : fault
    }
  }
  return undefined
}

const REJECT_HOOKS: readonly HookName[] = ['LOCAL_IN', 'FORWARD', 'LOCAL_OUT', 'PRE_ROUTING']

/** xt targets that belong to nat chains and the hooks that they may be met at. */
export const XT_PLACES: Record<string, { nat?: boolean; hooks?: readonly HookName[] }> = {
  MASQUERADE: { nat: true, hooks: ['POST_ROUTING'] },
  SNAT: { nat: true, hooks: ['POST_ROUTING', 'LOCAL_IN'] },
  DNAT: { nat: true, hooks: ['PRE_ROUTING', 'LOCAL_OUT'] },
  REDIRECT: { nat: true, hooks: ['PRE_ROUTING', 'LOCAL_OUT'] },
  NETMAP: { nat: true, hooks: ['PRE_ROUTING', 'LOCAL_OUT', 'POST_ROUTING', 'LOCAL_IN'] },
  REJECT: { hooks: ['LOCAL_IN', 'FORWARD', 'LOCAL_OUT'] },
  CLASSIFY: { hooks: ['LOCAL_OUT', 'FORWARD', 'POST_ROUTING'] },
}

function allowed(expression: Expression, { base }: Chain): Errno | undefined {
  const { type, hook } = base!
  if (expression.expr === 'reject') return REJECT_HOOKS.includes(hook) ? undefined : 'EOPNOTSUPP'
  if (expression.expr === 'tcpopt set' && expression.from.load === 'rt') {
    return hook === 'FORWARD' || hook === 'LOCAL_OUT' || hook === 'POST_ROUTING' ? undefined : 'EOPNOTSUPP'
  }
  if (expression.expr === 'nat') {
    if (type !== 'nat') return 'EOPNOTSUPP'
    const hooks: readonly HookName[] =
      expression.type === 'masquerade'
        ? ['POST_ROUTING']
        : expression.type === 'snat'
          ? ['POST_ROUTING', 'LOCAL_IN']
          : ['PRE_ROUTING', 'LOCAL_OUT']
    return hooks.includes(hook) ? undefined : 'EOPNOTSUPP'
  }
  if (expression.expr === 'target') {
    const place = XT_PLACES[expression.name]
    if (place?.nat && type !== 'nat') return 'EINVAL'
    if (place?.hooks && !place.hooks.includes(hook)) return 'EINVAL'
  }
  return undefined
}

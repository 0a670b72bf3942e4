/** Everything there is, as messages. */
import type { Expression, Family } from './expressions.ts'
import type { ElementMessage, RuleMessage, TableMessage } from './messages.ts'
import type { ExpressionState, NfTables, Rule, SetElement } from './objects.ts'

function filled(
  expressions: readonly Expression[],
  states: readonly (ExpressionState | undefined)[] | undefined,
): Expression[] {
  return expressions.map((one, i) => {
    const state = states?.[i]
    return state ? ({ ...one, ...state.dump() } as Expression) : one
  })
}

/** A rule with what its counters say now. */
export function ruleMessage(rule: Rule): RuleMessage {
  return {
    handle: rule.handle,
    expressions: filled(rule.expressions, rule.states),
    ...(rule.comment !== undefined && { comment: rule.comment }),
  }
}

function elementMessage(element: SetElement, nowNs: number): ElementMessage {
  const { states, target, expiresNs, exprs, ...rest } = element
  return {
    ...rest,
    ...(exprs && { exprs: filled(exprs, states) }),
    ...(expiresNs !== undefined && { expiresMs: Math.floor((expiresNs - nowNs) / 1e6) }),
  }
}

export function dumpTables(state: NfTables, family: Family | undefined): TableMessage[] {
  const nowNs = state.host.sim.nowNs
  return state.tables
    .filter((table) => family === undefined || table.family === family)
    .map((table) => ({
      family: table.family,
      name: table.name,
      handle: table.handle,
      flags: table.flags,
      ...(table.comment !== undefined && { comment: table.comment }),
      chains: [...table.chains.values()].map((chain) => ({
        name: chain.name,
        handle: chain.handle,
        uses: chain.uses,
        ...(chain.base && {
          base: {
            type: chain.base.type,
            hook: chain.base.hook,
            priority: chain.base.priority,
            policy: chain.base.policy,
            ...(chain.base.counters && { counters: { ...chain.base.counters } }),
          },
        }),
        ...(chain.comment !== undefined && { comment: chain.comment }),
        rules: chain.rules.map(ruleMessage),
      })),
      sets: [...table.sets.values()].map((set) => ({
        spec: set.spec,
        handle: set.handle,
        elements: set.elements.list().map((element) => elementMessage(element, nowNs)),
      })),
      objects: [...table.objects.values()].map((object) => ({
        type: object.type,
        name: object.name,
        handle: object.handle,
        ...(object.comment !== undefined && { comment: object.comment }),
        spec: object.state ? { ...object.spec, ...object.state.dump() } : object.spec,
      })),
    }))
}

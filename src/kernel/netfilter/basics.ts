/** What a rule says before its matches, read back from its expressions: its protocol. */
import type { Expression, Family } from './expressions.ts'
import type { RuleBasics } from './xt/extension.ts'

/** The protocol that a rule is limited to. */
export function basicsOf(expressions: readonly Expression[], family: Family): RuleBasics {
  const basics: RuleBasics = { family, protocol: 0, protocolInverted: false }
  for (const one of expressions) {
    if (one.expr === 'cmp' && typeof one.value === 'number') {
      const { load } = one
      const protocol =
        (load.load === 'meta' && load.key === 'l4proto') ||
        (load.load === 'payload' && load.base === 'nh' && load.offset === 9 && load.length === 1)
      if (protocol) {
        basics.protocol = one.value
        basics.protocolInverted = one.op === 'neq'
      }
    }
  }
  return basics
}

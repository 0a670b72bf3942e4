/** A rule as one line, for who is told of it. */
import type { Rule } from './objects.ts'

/** How to print a rule; the nft tool's printer is put here by the room. */
export const printers: { rule: (rule: Rule) => string } = { rule: (rule) => `# handle ${rule.handle}` }

export function describeRule(rule: Rule): string {
  return printers.rule(rule)
}

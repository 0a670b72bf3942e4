/**
 * Labs as data: the lab file's language, parsed with located errors.
 *
 *     const { plan, mistakes } = parseLab('networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 } }', 'x.lab.yaml')
 */
import { type ArticleError, Mistakes } from './mistakes.ts'
import { planLab, readYaml } from './parse.ts'
import type { LabPlan } from './plan.ts'

export { ArticleError, Mistakes, type SourcePosition } from './mistakes.ts'
export { entriesOf, planLab, readYaml, textOf, type YamlSource } from './parse.ts'
export type { AddressPlan, HostPlan, InterfacePlan, LabPlan, NetworkPlan } from './plan.ts'

/** Parses a lab file of its own. The plan is whole only if there are no mistakes. */
export function parseLab(text: string, file: string): { plan: LabPlan; mistakes: ArticleError[] } {
  const mistakes = new Mistakes()
  const source = readYaml({ text, file, linesBefore: 0 }, mistakes)
  const plan: LabPlan = mistakes.list.length === 0 ? planLab(source, source.root) : { networks: [], hosts: [] }
  return { plan, mistakes: mistakes.list }
}

/** The rules of a host with what their counters say; for pages. */
import { type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import { describeRule } from './describe.ts'
import { nfTables } from './objects.ts'
import { Counter } from './states.ts'

/** Adds the view of rules and counters. */
export function installInside(image: KernelImage): void {
  insideViews(image).set('rules', {
    columns: ['packets', 'bytes', 'chain', 'rule'],
    look(host) {
      const rows: InsideRow[] = []
      for (const table of nfTables.peek(host)?.tables ?? []) {
        for (const chain of table.chains.values()) {
          const name = `${table.family} ${table.name} ${chain.name}`
          const { base } = chain
          if (base) {
            const { packets = '', bytes = '' } = base.counters ?? {}
            rows.push({ key: name, cells: [String(packets), String(bytes), name, `policy ${base.policy}`] })
          }
          for (const rule of chain.rules) {
            const counter = rule.states?.find((state) => state instanceof Counter)
            const counts = [counter?.packets ?? '', counter?.bytes ?? ''].map(String)
            const key = `${name} ${rule.handle}`
            rows.push({ key, cells: [...counts, name, describeRule(rule, host)], under: name })
          }
        }
      }
      return rows.length > 0 ? rows : undefined
    },
  })
}

/** The simulated data centre as a backend. */
import type { Backend } from '#article/runner'
import type { Budgets } from '#base/sim'
import { SimLab } from './lab.ts'

export interface SimBackendOptions {
  /** What each run may use, asked when it begins; put over the defaults. */
  budgets?: () => Budgets
}

/** Same article, same seed: same bytes. */
export function createSimBackend({ budgets }: SimBackendOptions = {}): Backend {
  return {
    name: 'sim',
    async unavailable() {
      return undefined
    },
    async open(plan, options) {
      const lab = new SimLab(plan, { ...options, budgets: budgets?.() })
      return {
        kernel: lab.kernel,
        command: (host, command, settings) => lab.command(host, command, settings),
        verb: (verb) => lab.verb(verb),
        async writeFile(host, path, content) {
          lab.writeFile(host, path, content)
        },
        finish: () => lab.finish(),
        async close() {},
      }
    },
    async close() {},
  }
}

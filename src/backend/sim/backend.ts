/** The simulated data centre as a backend. */
import type { Backend } from '#article/runner'
import type { Budgets } from '#base/sim'
import { SimLab } from './lab.ts'

export interface SimBackendOptions {
  /** What each run may use, asked when it begins; put over the defaults. */
  budgets?: () => Budgets
  /** Called with each lab before its first command, for who listens to more than a run gives. */
  onLab?: (lab: SimLab) => void
}

/** Same article, same seed: same bytes. */
export function createSimBackend({ budgets, onLab }: SimBackendOptions = {}): Backend {
  return {
    name: 'sim',
    async unavailable() {
      return undefined
    },
    async open(plan, options) {
      const lab = new SimLab(plan, { ...options, budgets: budgets?.() })
      onLab?.(lab)
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

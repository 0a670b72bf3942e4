/** The simulated data centre as a backend. */
import type { Backend } from '#article/runner'
import { SimLab } from './lab.ts'

/** Same article, same seed: same bytes. */
export function createSimBackend(): Backend {
  return {
    name: 'sim',
    async unavailable() {
      return undefined
    },
    async open(plan, options) {
      const lab = new SimLab(plan, options)
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

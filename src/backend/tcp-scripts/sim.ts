import type { Outcome } from './program.ts'
import type { Script } from './script.ts'
export async function runSimulated(_script: Script): Promise<Outcome> {
  throw new Error('not yet')
}

/**
 * Properties over seeds. A failure names its seed; `KAIDOKU_SEED=17` runs that one alone, `KAIDOKU_FUZZ=100000` as many
 * as that.
 */
import { RandomStream } from '#base/sim'
import { environment } from './host.ts'

/** Runs a property for the seeds 1 to n, or as many as KAIDOKU_FUZZ says; a failure's message begins with its seed. */
export function forSeeds(n: number, property: (random: RandomStream, seed: number) => void): void {
  const only = environment('KAIDOKU_SEED')
  const first = only === undefined ? 1 : Number(only)
  const last = only === undefined ? Number(environment('KAIDOKU_FUZZ') ?? n) : first
  for (let seed = first; seed <= last; seed++) {
    try {
      property(new RandomStream(seed, 'test'), seed)
    } catch (error) {
      if (!(error instanceof Error)) throw new Error(`seed ${seed}: ${String(error)}`)
      error.message = `seed ${seed}: ${error.message}`
      throw error
    }
  }
}

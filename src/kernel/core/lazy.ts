/** Programs that are loaded when first run: a cold start pays for none that nobody calls. Virtual time stands still meanwhile. */
import type { Program } from './image.ts'
import type { Body } from './wait.ts'

/** A program's `main` that is in a module of its own: `lazyMain(() => import('./dig.ts').then(({ dig }) => dig))`. */
export function lazyMain(load: () => Promise<Program['main']>): Program['main'] {
  let main: Program['main'] | undefined
  return function* (sys, argv): Body<number> {
    if (!main) {
      let failed: { thrown: unknown } | undefined
      const promise = load().then(
        (loaded) => {
          main = loaded
        },
        (thrown) => {
          failed = { thrown }
        },
      )
      yield { queues: [], untilNs: Number.POSITIVE_INFINITY, promise }
      if (failed) throw (failed as { thrown: unknown }).thrown
    }
    return yield* main!(sys, argv)
  }
}

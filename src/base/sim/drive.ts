/** Runs a simulator whose programs may await promises: the clock stands still meanwhile, so that a run stays repeatable. */
import type { Simulator } from './simulator.ts'

/**
 * Runs events up to and including untilNs, and sets the clock to it if finite; or up to the event after which `done` is
 * true, where the clock stays. Returns whether `done` became true.
 */
export async function drive(
  sim: Simulator,
  untilNs = Number.POSITIVE_INFINITY,
  done?: () => boolean,
): Promise<boolean> {
  await sim.settle()
  if (done?.()) return true
  for (;;) {
    sim.run(untilNs, done)
    if (done?.()) return true
    if (!sim.held) return false
    await sim.settle()
  }
}

/** The ways of the lab's packets, as the page is told them: frames by the ids that it knows. */
import { type Journey, Journeys } from '#backend/sim'
import type { World } from '#lab/world'
import type { Kin, Way } from './protocol.ts'

/** Steps that are kept, the newest: some 50 MB at worst, and more than anybody looks back on. */
const STEPS_KEPT = 400_000
/** A packet that brought about more than this is a flood's. */
const KIN_MAX = 50
/** Steps shown of a packet that has no page of its own. */
const KIN_STEPS_MAX = 50

export class Ways {
  readonly #journeys: Journeys

  constructor(world: World, steps = STEPS_KEPT) {
    this.#journeys = new Journeys(world, { newest: steps })
  }

  of(frame: number): Way | undefined {
    const journey = this.#journeys.of(idToNumber(frame))
    if (!journey) return undefined
    const { cause } = journey
    return {
      frames: journey.frames.map(numberToId),
      steps: journey.steps.map((step) =>
        step.kind === 'switch' ? { ...step, number: numberToId(step.number) } : step,
      ),
      cause: cause && cause !== journey && !cause.forgotten ? kin(cause) : undefined,
      results: journey.results
        .filter((one) => one !== journey && !one.forgotten)
        .slice(0, KIN_MAX)
        .map(kin),
    }
  }
}

function kin({ frames, steps }: Journey): Kin {
  const first = frames[0]
  return first === undefined ? { frame: first, steps: steps.slice(0, KIN_STEPS_MAX) } : { frame: numberToId(first) }
}

// The world counts frames from 1, the page from 0.
const idToNumber = (id: number) => id + 1
const numberToId = (number: number) => number - 1

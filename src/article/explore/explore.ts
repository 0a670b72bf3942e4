/** Exploring an article: seed after seed, and what was found made small. */
import type { Article, Invariant } from '#article/format'
import { RandomStream } from '#base/sim'
import type { OpenLab } from './lab.ts'
import { type Failure, replayArticle } from './replay.ts'
import { type Outcome, runSchedule, type StartingPoint, startingPoint, TENTH_NS } from './run.ts'
import {
  type Choice,
  commonScope,
  drawSchedule,
  type FaultKind,
  placesOf,
  requestHosts,
  type Schedule,
} from './schedule.ts'
import { shrinkSchedule } from './shrink.ts'

export interface ExploreOptions {
  kinds: readonly FaultKind[]
  /** How long is explored after the lab was set up, in tenths of a second. */
  time: number
  /** Overrides what invariants say. */
  atOnce?: number
  /** The line where exploring begins, Infinity for the article's end; by default at the first invariant. */
  untilLine?: number
}

/** Seeds with which a failure is told more simply, if it has nothing to do with its own. */
const PLAIN_SEEDS = [1, 2, 3]

/** An article's invariants, explored together. */
export class Exploration {
  readonly article: Article
  readonly invariants: readonly Invariant[]
  readonly from: StartingPoint
  readonly #open: OpenLab
  readonly #options: ExploreOptions
  readonly #choice: Choice

  constructor(open: OpenLab, article: Article, invariants: readonly Invariant[], options: ExploreOptions) {
    this.article = article
    this.invariants = invariants
    this.from = startingPoint(article, invariants, options.untilLine)
    this.#open = open
    this.#options = options
    const scope = commonScope(invariants)
    if (options.atOnce !== undefined) scope.atOnce = options.atOnce
    const { kinds, time } = options
    this.#choice = { plan: article.lab!, kinds, scope, spared: requestHosts(invariants), time }
  }

  /** How many places faults can befall. */
  get places(): number {
    return placesOf(this.#choice).length
  }

  /** What befalls the lab with a seed. */
  scheduleOf(seed: number): Schedule {
    return drawSchedule(new RandomStream(seed, 'explore/schedule'), this.#choice)
  }

  /** One run; all chance comes from the seed. */
  async run(seed: number, schedule: Schedule, invariants = this.invariants): Promise<Outcome> {
    return runSchedule(this.#open, this.article, invariants, seed, schedule, {
      time: this.#options.time,
      from: this.from,
    })
  }

  /** What a seed breaks: undefined, or the failure as it was drawn. */
  async explore(seed: number): Promise<Failure | undefined> {
    const schedule = this.scheduleOf(seed)
    return this.#failureOf(seed, schedule, await this.run(seed, schedule), this.invariants)
  }

  /** The same failure with the fewest faults, and with a plain seed if it doesn't need its own. */
  async shrink(failure: Failure, onRun?: () => void): Promise<Failure> {
    let best = failure
    let together: readonly Invariant[] = [failure.invariant]
    const fails = async (seed: number, schedule: Schedule): Promise<boolean> => {
      onRun?.()
      const found = this.#failureOf(seed, schedule, await this.run(seed, schedule, together), together)
      if (found?.invariant !== failure.invariant) return false
      best = found
      return true
    }
    // Alone, if that shows it: but what other invariants request may be what it takes.
    if (!(await fails(failure.seed, failure.schedule))) {
      together = this.invariants
      if (!(await fails(failure.seed, failure.schedule))) return failure
    }
    await shrinkSchedule(best.schedule, (schedule) => fails(failure.seed, schedule))
    // What comes after it was seen to be broken has nothing to do with that.
    if (failure.invariant.rule.kind !== 'afterwards') {
      const { schedule, violation, beganNs } = best
      const before = schedule.filter(({ at }) => beganNs + at * TENTH_NS < violation.atNs)
      if (before.length < schedule.length) await fails(best.seed, before)
    }
    for (const seed of PLAIN_SEEDS) if (seed !== best.seed && (await fails(seed, best.schedule))) break
    return best
  }

  /** A failure as an article that replays it. */
  replay(failure: Failure): string {
    return replayArticle(this.article, this.from, failure)
  }

  #failureOf(
    seed: number,
    schedule: Schedule,
    { beganNs, violations }: Outcome,
    together: readonly Invariant[],
  ): Failure | undefined {
    const [violation] = violations
    if (!violation) return undefined
    const invariant = this.invariants.find((each) => each.name === violation.invariant)!
    return { invariant, together, seed, schedule, violation, beganNs }
  }
}

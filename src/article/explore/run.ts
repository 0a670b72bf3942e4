/**
 * One run: an article's lab is set up by the blocks above its invariants, then watched while a schedule befalls it; or
 * the article's own blocks below are what befalls.
 */
import type { Article, Invariant } from '#article/format'
import { RunStopped, stepsOf } from '#article/runner'
import { assert } from '#base/check'
import { applyVerb, type LabVerb } from '#lab/faults'
import type { ExploredLab, OpenLab, Violation } from './lab.ts'
import type { Schedule } from './schedule.ts'
import { Watch } from './watch.ts'

/** A tenth of a second, the unit of schedules. */
export const TENTH_NS = 1e8

/** How long an article's own run is watched after its last block. */
const AFTER_NS = 1e9

export interface Outcome {
  /** When the lab was set up, and when the run ended. */
  beganNs: number
  endedNs: number
  /** In order of time. */
  violations: Violation[]
}

/** Where exploring begins: what stands above sets the lab up. */
export interface StartingPoint {
  /** How many of the article's blocks stand above. */
  blocks: number
  /** The end of the text above. */
  offset: number
}

/** Where exploring begins: at the first of the invariants; or at a line of the article, or its end (Infinity). */
export function startingPoint(article: Article, invariants: readonly Invariant[], line?: number): StartingPoint {
  const starts = (range: [number, number]) => article.text.lastIndexOf('\n', range[0] - 1) + 1
  if (line === undefined) {
    const first = invariants.reduce((a, b) => (b.range[0] < a.range[0] ? b : a))
    return { blocks: first.blocksBefore, offset: starts(first.range) }
  }
  const below = article.blocks.findIndex((block) => block.at.line >= line)
  if (below < 0) return { blocks: article.blocks.length, offset: article.text.length }
  return { blocks: below, offset: starts(article.blocks[below]!.range) }
}

/** Sets up the lab and lets a schedule befall it, for so many tenths of a second. Ends at once at the first violation. */
export async function runSchedule(
  open: OpenLab,
  article: Article,
  invariants: readonly Invariant[],
  seed: number,
  schedule: Schedule,
  { time, from }: { time: number; from: StartingPoint },
): Promise<Outcome> {
  const lab = openFor(open, article, seed)
  await runBlocks(lab, article, 0, from.blocks)
  const beganNs = lab.nowNs
  const watch = new Watch(lab, invariants, () => lab.world.sim.stop())
  const advance = async (untilNs: number) => {
    await lab.advance(untilNs)
    const why = lab.world.notModelled.shift()
    if (why) throw why
  }
  for (const { at, verb } of schedule) {
    await advance(beganNs + at * TENTH_NS)
    if (watch.violations.length > 0) break
    // What `lab.verb` does, without the rhythm of an article.
    befall(lab, watch, verb)
  }
  if (watch.violations.length === 0) await advance(beganNs + time * TENTH_NS)
  if (watch.violations.length === 0) watch.end()
  watch.stop()
  return { beganNs, endedNs: lab.nowNs, violations: watch.violations }
}

/** Runs an article's own blocks, and watches each invariant from its place on. */
export async function checkInvariants(open: OpenLab, article: Article, seed: number): Promise<Outcome> {
  const { invariants, blocks } = article
  const lab = openFor(open, article, seed)
  const watches: Watch[] = []
  const beganNs: number[] = []
  for (let at = 0; at <= blocks.length; at++) {
    const here = invariants.filter((each) => each.blocksBefore === at)
    if (here.length > 0) {
      watches.push(new Watch(lab, here))
      beganNs.push(lab.nowNs)
    }
    if (at < blocks.length) await runBlocks(lab, article, at, at + 1, watches)
  }
  // A second more, as captures have; and as long as it takes until what must come has come.
  const delays = invariants.map(({ rule }) => (rule.kind === 'afterwards' ? rule.delayNs : 0))
  if (watches.length > 0) await lab.advance(lab.nowNs + AFTER_NS + Math.max(...delays))
  for (const watch of watches) {
    watch.end()
    watch.stop()
  }
  const violations = watches.flatMap((watch) => watch.violations).sort((a, b) => a.atNs - b.atNs)
  return { beganNs: beganNs[0] ?? lab.nowNs, endedNs: lab.nowNs, violations }
}

function openFor(open: OpenLab, article: Article, seed: number): ExploredLab {
  assert(article.lab, `${article.file}: invariants have a lab`)
  return open(article.lab, seed)
}

function befall(lab: ExploredLab, watch: Watch, verb: LabVerb): void {
  applyVerb(lab.world, verb)
  watch.fault()
}

/** Runs some of an article's blocks; what they print isn't compared. Throws RunStopped. */
async function runBlocks(
  lab: ExploredLab,
  article: Article,
  from: number,
  to: number,
  watches: readonly Watch[] = [],
): Promise<void> {
  const part = { ...article, blocks: article.blocks.slice(from, to) }
  for (const { step, source } of stepsOf(part, article.lab!, 'sim').steps) {
    try {
      if (step.kind === 'file') lab.writeFile(step.host, step.path, step.content)
      else if (step.kind === 'command') await lab.command(step.host, step.command, { limitS: step.limitS })
      else {
        if (step.verb.verb !== 'wait') for (const watch of watches) watch.fault()
        await lab.verb(step.verb)
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      const run = { article, backend: 'sim', kernel: '', seed: 0, start: 0, commands: [], skipped: 0, captures: [] }
      throw new RunStopped(run, source, error)
    }
  }
}

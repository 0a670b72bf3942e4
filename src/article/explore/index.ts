/**
 * Explores an article: its lab under many seeds and fault schedules, held to the invariants that it states; what breaks
 * one is shrunk to the fewest faults and written as an article that replays it.
 *
 *     const exploration = new Exploration(openLab, article, article.invariants, { kinds: ['poweroff'], time: 300 })
 *     const failure = await exploration.explore(17)
 *     if (failure) exploration.replay(await exploration.shrink(failure))
 */
export { Exploration, type ExploreOptions } from './explore.ts'
export { type ExploredLab, formatTime, type OpenLab, type Violation } from './lab.ts'
export type { Failure } from './replay.ts'
export { checkInvariants, type Outcome, TENTH_NS } from './run.ts'
export { FAULT_KINDS, type FaultKind, type Schedule } from './schedule.ts'

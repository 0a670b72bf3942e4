/**
 * The simulated data centre.
 *
 *     const run = await runArticle(createSimBackend(), article, { seed: 1 })
 *
 *     const lab = new SimLab(plan, { seed: 1, start: DEFAULT_START, capture: false })
 *     lab.world.frames.listen(show)
 *     await lab.command('client', 'ping -c 1 web1', { onOutput: print })
 */
export { createSimBackend, type SimBackendOptions } from './backend.ts'
export { type Completion, completeWord } from './complete.ts'
export {
  describeStep,
  formatJourney,
  type Journey,
  type JourneyFrame,
  type JourneyStep,
  Journeys,
  type JourneysOptions,
  type StepKind,
  summaryOf,
} from './journeys.ts'
export { DEFAULT_BUDGETS, SimLab, type SimLabOptions } from './lab.ts'

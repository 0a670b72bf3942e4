/**
 * Virtual time: the event queue, timers, named random streams, traces, budgets.
 *
 *     const sim = new Simulator(1)
 *     const timer = createTimer(sim, 'neigh/probe', () => probe())
 *     timer.armAfter(1 * SECOND)
 *     sim.run(10 * SECOND)
 */
export { drive } from './drive.ts'
export { RandomStream } from './random.ts'
export { type Budgets, type Scheduled, Simulator, type Target, TIME_MAX_NS } from './simulator.ts'
export { createTimer, Timer } from './timer.ts'
export { Trace } from './trace.ts'

export const MICROSECOND = 1_000
export const MILLISECOND = 1_000_000
export const SECOND = 1_000_000_000

/** Simulated labs for exploring, each with budgets of its own. */
import type { OpenLab } from '#article/explore'
import { DEFAULT_START } from '#article/runner'
import { SimLab } from '#backend/sim'
import { budgetsOf } from './budgets.ts'

/** @param budget seconds of real time that one run may take */
export function openLab(budget?: number): OpenLab {
  return (plan, seed) => new SimLab(plan, { seed, start: DEFAULT_START, capture: false, budgets: budgetsOf(budget) })
}

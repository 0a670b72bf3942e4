/** What a simulated run may use of this machine: seconds, and the memory that Node has. The simulator counts the rest. */
import { getHeapStatistics } from 'node:v8'
import { BudgetExceeded } from '#base/check'
import type { Budgets } from '#base/sim'

/** Long enough for the longest article, short enough for a build that waits. */
export const REAL_TIME_S = 600
/** Node ends itself at the limit, without a word of ours. */
const HEAP_SHARE = 0.9
const HEAP_EVERY_MS = 500

/** Budgets for one run, counted from now. */
export function budgetsOf(seconds = REAL_TIME_S): Budgets {
  const began = performance.now()
  let lookAt = began + HEAP_EVERY_MS
  return {
    check() {
      const now = performance.now()
      if (now - began > seconds * 1000) {
        throw new BudgetExceeded('real time', `the run used its ${seconds} s of real time; --budget allows more`)
      }
      if (now < lookAt) return
      lookAt = now + HEAP_EVERY_MS
      const { used_heap_size: used, heap_size_limit: limit, external_memory: external } = getHeapStatistics()
      if (used + external < limit * HEAP_SHARE) return
      const megabytes = Math.round((limit * HEAP_SHARE) / 2 ** 20)
      throw new BudgetExceeded(
        'memory',
        `the run used its ${megabytes} MB of memory; NODE_OPTIONS=--max-old-space-size=MEGABYTES allows more`,
      )
    },
  }
}

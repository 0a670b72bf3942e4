/** All invariants of a run, watched from now on. */
import type { Invariant } from '#article/format'
import { watchConnections } from './connections.ts'
import type { ExploredLab, OnViolation, Violation, Watcher } from './lab.ts'
import { watchOwners } from './owners.ts'
import { watchAfterwards, watchRequests } from './requests.ts'

export class Watch {
  /** At most one for each invariant: its first. */
  readonly violations: Violation[] = []
  readonly #watchers: Watcher[] = []

  /** @param onViolation called at once, at the moment of it */
  constructor(lab: ExploredLab, invariants: readonly Invariant[], onViolation?: (violation: Violation) => void) {
    for (const { name, rule } of invariants) {
      const told: OnViolation = ({ what, evidence, atNs }) => {
        if (this.violations.some((each) => each.invariant === name)) return
        const violation = { invariant: name, atNs: atNs ?? lab.nowNs, what, evidence: [...evidence] }
        this.violations.push(violation)
        onViolation?.(violation)
      }
      this.#watchers.push(watcherOf(lab, name, rule, told))
    }
  }

  /** Something befell the lab, or ended. */
  fault(): void {
    for (const watcher of this.#watchers) watcher.fault?.()
  }

  /** The run is over: judges what could only be judged now. */
  end(): void {
    for (const watcher of this.#watchers) watcher.end?.()
  }

  /** Watches no more. */
  stop(): void {
    for (const watcher of this.#watchers) watcher.stop()
  }
}

function watcherOf(lab: ExploredLab, name: string, rule: Invariant['rule'], told: OnViolation): Watcher {
  switch (rule.kind) {
    case 'requests':
      return watchRequests(lab, name, rule, told)
    case 'afterwards':
      return watchAfterwards(lab, name, rule, told)
    case 'owners':
      return watchOwners(lab, rule, told)
    case 'connections':
      return watchConnections(lab, rule, told)
  }
}

/**
 * Assertions, and the errors that are kept apart: an author's mistake, what isn't modelled, our own bug, a budget met.
 *
 *     assert(length >= 0, 'a length is never negative')
 *     throw new NotModelled('IPv6 forwarding')
 */

/** Linux does this and the model does not. Stop and say so: never print a guess. */
export class NotModelled extends Error {
  override readonly name = 'NotModelled'
}

/** Our own bug. Where a simulation runs, the simulator adds the seed and the virtual time. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed'
}

/** A run met one of its budgets: which, and where it stood. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded'
  readonly budget: 'events' | 'memory' | 'virtual time' | 'real time'
  constructor(budget: BudgetExceeded['budget'], what: string) {
    super(what)
    this.budget = budget
  }
}

/** Throws AssertionFailed unless the condition holds. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionFailed(what)
}

/** For the branch that no value reaches: the type checker proves it, and so does a run. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable: ${String(value)}`)
}

/** A subject's functions as methods: each takes the database first, and its users needn't know of it. */
import type { Database } from './database.ts'

// biome-ignore lint/suspicious/noExplicitAny: any function that takes the database first.
type Functions = Record<string, (db: Database, ...rest: any[]) => unknown>

/** The functions without their first parameter. */
export type Bound<F extends Functions> = {
  [Name in keyof F]: F[Name] extends (db: Database, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never
}

/** Gives each function the database. */
export function bind<F extends Functions>(db: Database, functions: F): Bound<F> {
  const bound = Object.entries(functions).map(([name, run]) => [name, (...rest: unknown[]) => run(db, ...rest)])
  return Object.fromEntries(bound) as Bound<F>
}

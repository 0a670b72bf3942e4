/** Transactions that are tried again where two of them met: PostgreSQL ends one of those that wait for each other. */
import type { Database } from './database.ts'

const ATTEMPTS = 5
// serialization_failure, deadlock_detected; what was inserted by somebody else in between.
const AGAIN = new Set(['40001', '40P01'])

/** Runs `work` in a transaction; again, from its beginning, if the database gave it up for another's sake. */
export async function inTransaction<T>(db: Database, work: (tx: Database) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction(work)
    } catch (error) {
      if (attempt >= ATTEMPTS || !AGAIN.has(codeOf(error))) throw error
    }
  }
}

function codeOf(error: unknown): string {
  // Drizzle wraps what the driver threw.
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    const code = (each as { code?: unknown }).code
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/u.test(code)) return code
  }
  return ''
}

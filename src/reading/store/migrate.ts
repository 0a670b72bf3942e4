/**
 * Brings a database to the newest form. The migrations are modules, not files of SQL, so that they travel with whatever
 * bundle the store is built into. One that has been released is never edited: a later one corrects it.
 */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import * as entries from './migrations/0001-entries.ts'
import * as people from './migrations/0003-people.ts'
import * as bookmarks from './migrations/0004-bookmarks.ts'
import * as counts from './migrations/0005-counts.ts'
import * as reading from './migrations/0006-reading.ts'
import * as collecting from './migrations/0007-collecting.ts'
import * as search from './migrations/0008-search.ts'
import * as shares from './migrations/0020-shares.ts'

export const MIGRATIONS: readonly { name: string; statements: string[] }[] = [
  entries,
  people,
  bookmarks,
  counts,
  reading,
  collecting,
  search,
  shares,
]

/** Runs, in order and each wholly or not at all, the migrations that the database hasn't had. */
export async function migrate(db: Database): Promise<string[]> {
  await db.execute(
    sql`create table if not exists migrations (name text primary key, ran_at timestamptz not null default now())`,
  )
  return db.transaction(async (tx) => {
    await tx.execute(sql`lock table migrations in exclusive mode`) // Two servers may start at once.
    const { rows } = await tx.execute<{ name: string }>(sql`select name from migrations`)
    const had = new Set(rows.map((row) => row.name))
    const unknown = [...had].filter((name) => !MIGRATIONS.some((migration) => migration.name === name))
    if (unknown.length > 0)
      throw new Error(`this database is newer than this Kaidoku: it has had ${unknown.join(', ')}`)
    const ran = MIGRATIONS.filter((migration) => !had.has(migration.name))
    for (const migration of ran) {
      for (const statement of migration.statements) await tx.execute(sql.raw(statement))
      await tx.execute(sql`insert into migrations (name) values (${migration.name})`)
    }
    return ran.map((migration) => migration.name)
  })
}

/** Somebody who goes, with all that is theirs: also what hangs on it, that no foreign key knows of. */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { array } from './sql.ts'
import { reindexSaidMany } from './words.ts'

const CHUNK = 500

/** Within a transaction; false if there is nobody of this number. */
export async function forget(tx: Database, id: number): Promise<boolean> {
  const ids = (rows: { id: number }[]) => rows.map((row) => Number(row.id))
  const { rows: had } = await tx.execute<{ id: number }>(
    sql`select entry_id as id from bookmarks where user_id = ${id} order by entry_id`,
  )
  // A shared session is its maker's words; a report stays with the moderators, without its name.
  await tx.execute(sql`delete from shares where user_id = ${id}`)
  await tx.execute(sql`delete from follows where kind = 'user' and target_id = ${id}`)
  await tx.execute(sql`delete from hides where kind = 'user' and target_id = ${id}`)
  await tx.execute(sql`delete from verifications where identifier like 'sign-in-link:%' and value = ${String(id)}`)
  const { rows: gone } = await tx.execute(sql`delete from users where id = ${id} returning id`)
  if (gone.length === 0) return false
  // Pages that nobody else has go with their versions; of the others, what was said is no longer found.
  const { rows: alone } = await tx.execute<{ id: number }>(sql`
    delete from entries e where e.id = any (${array(ids(had), 'bigint')}) and e.kind = 'bookmark' and not e.unowned
      and not exists (select from bookmarks b where b.entry_id = e.id) returning e.id`)
  const dropped = new Set(ids(alone))
  const left = ids(had).filter((entry) => !dropped.has(entry))
  for (let at = 0; at < left.length; at += CHUNK) await reindexSaidMany(tx, left.slice(at, at + CHUNK))
  await tx.execute(sql`delete from images i where not exists (select from page_images p where p.hash = i.hash)
    and not exists (select from entries e where e.picture = i.hash)`)
  await tx.execute(sql`delete from feeds f where not exists (select from feed_subscriptions s where s.feed_id = f.id)`)
  return true
}

/** How much of somebody there is. */
export async function kept(db: Database, id: number): Promise<Record<string, number>> {
  const counted = [
    'bookmarks',
    'stars',
    'highlights',
    'follows',
    'hides',
    'feed_subscriptions',
    'imports',
    'shares',
    'api_tokens',
    'webhooks',
    'sessions',
  ]
  const { rows } = await db.execute<Record<string, number>>(sql`
    select ${sql.join(
      counted.map((table) =>
        sql.raw(`(select count(*)::int from ${table} where user_id = ${Math.trunc(id)}) as ${table}`),
      ),
      sql`, `,
    )}`)
  return rows[0]!
}

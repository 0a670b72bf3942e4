/** Keeping order: readers report, moderators hide (an entry, a comment, all of a user's) and show again. */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { requireModerator } from './keywords.ts'
import { ms, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'
import { reindexSaid } from './words.ts'

export type ModerationTarget = { entryId: number } | { bookmarkId: number }

/** Tells the moderators of something that anybody can see. */
export async function report(db: Database, by: number, target: ModerationTarget, reason: string): Promise<number> {
  const words = plain(reason).trim().slice(0, 1000)
  if (words === '') throw new Refusal('invalid', 'say what is wrong with it')
  const { rows } = await db.execute<{ id: number }>(
    'entryId' in target
      ? sql`insert into reports (user_id, entry_id, reason)
          select ${by}, id, ${words} from entries where id = ${target.entryId} and listed returning id`
      : sql`insert into reports (user_id, entry_id, bookmark_id, reason)
          select ${by}, entry_id, id, ${words} from bookmarks where id = ${target.bookmarkId} and shown returning id`,
  )
  if (!rows[0]) throw new Refusal('not-found', 'there is nothing to report')
  return Number(rows[0].id)
}

export interface Report {
  id: number
  reporter: string | undefined
  reason: string
  createdAtMs: number
  entryId: number | undefined
  key: string | undefined
  title: string | undefined
  bookmarkId: number | undefined
  comment: string | undefined
  commenter: string | undefined
  resolution: string | undefined
}

/** Open reports, the oldest first; or those that were closed last. */
export async function listReports(db: Database, by: number, open = true, limit = 100): Promise<Report[]> {
  await requireModerator(db, by)
  const { rows } = await db.execute<
    Record<'reporter' | 'reason' | 'key' | 'title' | 'comment' | 'commenter' | 'resolution', string | null> &
      Record<'id' | 'created_ms' | 'entry_id' | 'bookmark_id', number | null>
  >(sql`
    select r.id, u.username as reporter, r.reason, ${ms(sql`r.created_at`)} as created_ms, r.entry_id, e.key, e.title,
      r.bookmark_id, case when b.private then null else b.comment end as comment, c.username as commenter, r.resolution
    from reports r left join users u on u.id = r.user_id left join entries e on e.id = r.entry_id
      left join bookmarks b on b.id = r.bookmark_id left join users c on c.id = b.user_id
    where r.resolved_at is ${open ? sql`null` : sql`not null`}
    order by ${open ? sql`r.created_at` : sql`r.resolved_at desc`}, r.id limit ${limit}`)
  return rows.map((row) => ({
    id: Number(row.id),
    reporter: row.reporter ?? undefined,
    reason: row.reason ?? '',
    createdAtMs: Math.round(row.created_ms ?? 0),
    entryId: row.entry_id === null ? undefined : Number(row.entry_id),
    key: row.key ?? undefined,
    title: row.title ?? undefined,
    bookmarkId: row.bookmark_id === null ? undefined : Number(row.bookmark_id),
    comment: row.comment ?? undefined,
    commenter: row.commenter ?? undefined,
    resolution: row.resolution ?? undefined,
  }))
}

/** Closes a report, saying what was done. */
export async function resolveReport(db: Database, by: number, id: number, resolution: string): Promise<void> {
  await requireModerator(db, by)
  await db.execute(sql`
    update reports set resolved_at = now(), resolved_by = ${by}, resolution = ${plain(resolution).slice(0, 1000)}
    where id = ${id} and resolved_at is null`)
}

/** Hides an entry or a comment from everybody (a comment's owner still sees it), or shows it again. */
export async function setHidden(db: Database, by: number, target: ModerationTarget, hidden: boolean): Promise<void> {
  await inTransaction(db, async (tx) => {
    await requireModerator(tx, by)
    const value = hidden ? sql`now()` : sql`null`
    if ('entryId' in target) await tx.execute(sql`update entries set hidden_at = ${value} where id = ${target.entryId}`)
    else {
      const { rows } = await tx.execute<{ entry_id: number }>(sql`
        update bookmarks set hidden_at = ${value} where id = ${target.bookmarkId} returning entry_id`)
      for (const row of rows) await reindexSaid(tx, Number(row.entry_id))
    }
  })
}

/** Hides all that a user said and saved, or shows it again: with closing their account, or without. */
export async function setUserHidden(db: Database, by: number, userId: number, hidden: boolean): Promise<void> {
  await inTransaction(db, async (tx) => {
    await requireModerator(tx, by)
    const { rows } = await tx.execute<{ entry_id: number }>(sql`
      update bookmarks set hidden_at = ${hidden ? sql`now()` : sql`null`}
      where user_id = ${userId} and hidden_at is ${hidden ? sql`null` : sql`not null`} returning entry_id`)
    for (const row of rows) await reindexSaid(tx, Number(row.entry_id))
  })
}

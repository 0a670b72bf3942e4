/** What is said of an entry, and the stars that readers give it. */
import { sql } from 'drizzle-orm'
import { type Cursor, formatCursor, parseCursor, type SavedBookmark } from '#reading/library'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import { type SavedRow, savedColumns, toSaved } from './rows.ts'
import { moment, ms, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

export interface CommentsQuery {
  entryId: number
  viewer?: number
  /** `all`: everybody who has it publicly; `commented`: who said something. */
  which?: 'all' | 'commented'
  order?: 'new' | 'stars'
  cursor?: string
  limit: number
}

export interface CommentsPage {
  comments: SavedBookmark[]
  newer: string | undefined
  older: string | undefined
}

/** Public bookmarks of an entry, with what was said; the viewer's own among them, also if it is private. */
export async function listComments(db: Database, query: CommentsQuery): Promise<CommentsPage> {
  const cursor = parseCursor(query.cursor)
  const newer = cursor?.side === 'newer'
  const limit = Math.max(1, Math.min(200, Math.floor(query.limit)))
  const stars = query.order === 'stars'
  const column = stars ? sql`b.stars` : sql`b.created_at`
  const conditions = [sql`b.entry_id = ${query.entryId}`, sql`e.hidden_at is null`]
  conditions.push(query.viewer === undefined ? sql`b.shown` : sql`(b.shown or b.user_id = ${query.viewer}::bigint)`)
  if (query.which !== 'all') conditions.push(sql`b.comment <> ''`)
  if (query.viewer !== undefined) {
    conditions.push(sql`not (b.user_id = any (array(
      select target_id from hides where user_id = ${query.viewer}::bigint and kind = 'user')))`)
  }
  if (cursor) {
    const place = stars ? sql`${Math.trunc(cursor.at) % 2 ** 31}::int` : moment(cursor.at)
    conditions.push(sql`(${column}, b.id) ${newer ? sql`>` : sql`<`} (${place}, ${cursor.id}::bigint)`)
  }
  const { rows } = await db.execute<{ saved: SavedRow; place: number; id: number }>(sql`
    select b.id, ${stars ? column : ms(column)} as place ${savedColumns(query.viewer)}
    from bookmarks b join users u on u.id = b.user_id join entries e on e.id = b.entry_id
    where ${sql.join(conditions, sql` and `)}
    order by ${newer ? sql`${column}, b.id` : sql`${column} desc, b.id desc`} limit ${limit + 1}`)
  const more = rows.length > limit
  const kept = rows.slice(0, limit)
  if (newer) kept.reverse()
  const at = (row: (typeof rows)[number] | undefined, side: Cursor['side']) =>
    row && formatCursor({ side, at: Number(row.place), id: Number(row.id) })
  return {
    comments: kept.map((row) => toSaved(row.saved)),
    newer: (newer ? more : cursor) ? at(kept[0], 'newer') : undefined,
    older: newer || more ? at(kept.at(-1), 'older') : undefined,
  }
}

/** Gives a comment a star, or takes it back; how many it has then. */
export async function starComment(db: Database, by: number, bookmarkId: number, starred: boolean): Promise<number> {
  return inTransaction(db, async (tx) => {
    await requireWriter(tx, by)
    const { rows } = await tx.execute<{ user_id: number; comment: string }>(sql`
      select b.user_id, b.comment from bookmarks b join entries e on e.id = b.entry_id
      where b.id = ${bookmarkId} and b.shown and e.hidden_at is null for update of b`)
    const comment = rows[0]
    if (!comment) throw new Refusal('not-found', 'there is no such comment')
    if (starred && Number(comment.user_id) === by) throw new Refusal('invalid', 'a star is for what others say')
    if (starred && comment.comment === '') throw new Refusal('invalid', 'there is no comment to give a star to')
    if (starred) {
      const { rows: blocked } = await tx.execute(sql`
        select user_id from hides where user_id = ${comment.user_id} and kind = 'user' and target_id = ${by}`)
      if (blocked.length > 0) throw new Refusal('forbidden', 'they have blocked you')
      await tx.execute(
        sql`insert into stars (bookmark_id, user_id) values (${bookmarkId}, ${by}) on conflict do nothing`,
      )
    } else await tx.execute(sql`delete from stars where bookmark_id = ${bookmarkId} and user_id = ${by}`)
    const after = await tx.execute<{ stars: number }>(sql`select stars from bookmarks where id = ${bookmarkId}`)
    return after.rows[0]!.stars
  })
}

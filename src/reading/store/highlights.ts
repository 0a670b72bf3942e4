/** Highlights: passages that somebody marked, in a text or on lines of a transcript, with a note or without. */
import { sql } from 'drizzle-orm'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import { json, moment, ms, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

export const HIGHLIGHT_COLORS = ['yellow', 'green', 'blue', 'pink'] as const

/** Found again by its words and those around it, wherever the page has moved them; `position` is only a hint. */
export interface HighlightText {
  medium: 'text' | 'transcript'
  quote: string
  prefix?: string
  suffix?: string
  position?: Record<string, number | string>
  color?: (typeof HIGHLIGHT_COLORS)[number]
  note?: string
  private?: boolean
}

export interface Highlight extends Required<HighlightText> {
  id: number
  entryId: number
  username: string
  mine: boolean
  createdAtMs: number
}

const QUOTE_MAX = 10_000

/** Adds a highlight to an entry that one may see; its number. */
export async function addHighlight(
  db: Database,
  by: number,
  entryId: number,
  text: HighlightText,
  nowMs = Date.now(),
): Promise<number> {
  if (text.quote.trim() === '' || text.quote.length > QUOTE_MAX) {
    throw new Refusal('invalid', `a highlight has 1 to ${QUOTE_MAX} characters`)
  }
  return inTransaction(db, async (tx) => {
    await requireWriter(tx, by)
    const { rows } = await tx.execute<{ id: number }>(sql`
      insert into highlights (user_id, entry_id, private, medium, quote, prefix, suffix, position, color, note, created_at)
      select ${by}, e.id, ${text.private ?? true}, ${text.medium}, ${plain(text.quote)}, ${plain((text.prefix ?? '').slice(-200))},
        ${plain((text.suffix ?? '').slice(0, 200))}, ${json(text.position ?? {})}, ${text.color ?? 'yellow'},
        ${plain((text.note ?? '').slice(0, QUOTE_MAX))}, ${moment(nowMs)}
      from entries e where e.id = ${entryId}
        and (e.listed or exists (select from bookmarks b where b.entry_id = e.id and b.user_id = ${by}))
      returning id`)
    if (!rows[0]) throw new Refusal('not-found', 'there is no such entry')
    return Number(rows[0].id)
  })
}

/** Changes one's own. */
export async function changeHighlight(
  db: Database,
  by: number,
  id: number,
  change: Pick<HighlightText, 'note' | 'color' | 'private'>,
): Promise<void> {
  const { rows } = await db.execute(sql`
    update highlights set note = coalesce(${change.note === undefined ? null : plain(change.note.slice(0, QUOTE_MAX))}::text, note),
      color = coalesce(${change.color ?? null}::text, color), private = coalesce(${change.private ?? null}::boolean, private),
      updated_at = now()
    where id = ${id} and user_id = ${by} returning id`)
  if (rows.length === 0) throw new Refusal('not-found', 'there is no such highlight')
}

/** Removes one's own. */
export async function removeHighlight(db: Database, by: number, id: number): Promise<void> {
  await db.execute(sql`delete from highlights where id = ${id} and user_id = ${by}`)
}

interface Row {
  id: number
  entry_id: number
  username: string
  user_id: number
  private: boolean
  medium: Highlight['medium']
  quote: string
  prefix: string
  suffix: string
  position: Highlight['position']
  color: NonNullable<HighlightText['color']>
  note: string
  created_ms: number
}

/** Of an entry: one's own and what others show; or all of one's own, newest first. */
export async function listHighlights(
  db: Database,
  query: { entryId?: number; viewer?: number; limit?: number },
): Promise<Highlight[]> {
  const viewer = query.viewer ?? null
  const { rows } = await db.execute<Row>(sql`
    select h.*, u.username, ${ms(sql`h.created_at`)} as created_ms
    from highlights h join users u on u.id = h.user_id join entries e on e.id = h.entry_id
    where ${query.entryId === undefined ? sql`h.user_id = ${viewer}::bigint` : sql`h.entry_id = ${query.entryId}`}
      and (h.user_id = ${viewer}::bigint or (not h.private and e.listed and not u.banned))
      and not exists (select from hides x where x.user_id = ${viewer}::bigint and x.kind = 'user' and x.target_id = h.user_id)
    order by h.created_at desc, h.id desc limit ${Math.min(query.limit ?? 1000, 5000)}`)
  return rows.map((row) => ({
    id: Number(row.id),
    entryId: Number(row.entry_id),
    username: row.username,
    mine: Number(row.user_id) === query.viewer,
    private: row.private,
    medium: row.medium,
    quote: row.quote,
    prefix: row.prefix,
    suffix: row.suffix,
    position: row.position,
    color: row.color,
    note: row.note,
    createdAtMs: Math.round(row.created_ms),
  }))
}

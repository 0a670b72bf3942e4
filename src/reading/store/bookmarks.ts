/** Bookmarks: saved, changed and removed by their owners alone; what is private is in nothing that others see. */
import { type SQL, sql } from 'drizzle-orm'
import {
  COMMENT_MAX,
  commentLength,
  foldKeyword,
  languageOf,
  NOTE_MAX,
  type OwnBookmark,
  parseAddress,
  parseComment,
  tidyKeyword,
  uniqueTags,
} from '#reading/library'
import type { Database } from './database.ts'
import { keywordIds } from './keywords.ts'
import { type MineRow, toMine } from './rows.ts'
import { array, line, moment, ms, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'
import { bookmarkWords, reindexEntry, reindexSaid } from './words.ts'

/** What somebody says of a page when they save it. What isn't given stays as it was, or begins empty. */
export interface BookmarkChange {
  private?: boolean
  /** One's own title for it: shown to others only if nobody knows the page's. */
  title?: string
  /** At most 100 characters; `[tag]` at its start are tags, beside `tags`. */
  comment?: string
  note?: string
  tags?: readonly string[]
  readLater?: boolean
  archived?: boolean
  favourite?: boolean
  createdAtMs?: number
}

export interface SavedResult {
  bookmark: OwnBookmark
  entryId: number
  /** The bookmark is new; so is the entry. */
  added: boolean
  entryAdded: boolean
}

/** What is saved: an address, an article's name, or an entry that is known. */
export type SaveTarget = { url: string } | { article: string } | { entryId: number }

/** Saves a page for somebody, or changes what they saved: one bookmark for each user and entry. */
export async function saveBookmark(
  db: Database,
  by: number,
  target: SaveTarget,
  change: BookmarkChange,
  nowMs = Date.now(),
): Promise<SavedResult> {
  const tidy = tidyChange(change)
  return inTransaction(db, async (tx) => {
    await requireWriter(tx, by)
    const { entryId, entryAdded } = await targetEntry(tx, by, target, nowMs)
    const before = await ownBookmark(tx, by, entryId, true)
    const merged = { ...(before ?? EMPTY), ...tidy }
    const createdAt = moment(tidy.createdAtMs ?? before?.createdAtMs ?? nowMs)
    const words = bookmarkWords({ userId: by, ...merged })
    const { rows } = await tx.execute<{ id: number }>(sql`
      insert into bookmarks (user_id, entry_id, private, title, comment, note, tags, read_later, archived, favourite,
        created_at, updated_at, words)
      values (${by}, ${entryId}, ${merged.private}, ${merged.title}, ${merged.comment}, ${merged.note},
        ${array(merged.tags, 'text')}, ${merged.readLater}, ${merged.archived}, ${merged.favourite},
        ${createdAt}, ${moment(nowMs)}, ${words})
      on conflict (user_id, entry_id) do update set private = excluded.private, title = excluded.title,
        comment = excluded.comment, note = excluded.note, tags = excluded.tags, read_later = excluded.read_later,
        archived = excluded.archived, favourite = excluded.favourite, created_at = excluded.created_at,
        updated_at = excluded.updated_at, words = excluded.words
      returning id`)
    const id = Number(rows[0]!.id)
    if (!before || !sameTags(before.tags, merged.tags)) await writeTags(tx, id, merged.tags)
    // What is said publicly may name a page that nobody has fetched yet.
    if (!merged.private && merged.title !== '') {
      const { rows: named } = await tx.execute(sql`update entries set title = ${merged.title},
          lang = case when lang = '' then ${languageOf(merged.title)} else lang end
        where id = ${entryId} and title = '' and kind = 'bookmark' returning id`)
      if (named.length > 0) await reindexEntry(tx, entryId)
    }
    await reindexSaid(tx, entryId)
    const bookmark = (await ownBookmark(tx, by, entryId))!
    return { bookmark, entryId, added: before === undefined, entryAdded }
  })
}

const EMPTY = {
  private: false,
  title: '',
  comment: '',
  note: '',
  tags: [] as string[],
  readLater: false,
  archived: false,
  favourite: false,
}

function tidyChange(change: BookmarkChange): Partial<typeof EMPTY> & { createdAtMs?: number } {
  const tidy: Partial<typeof EMPTY> & { createdAtMs?: number } = {}
  if (change.comment !== undefined) {
    const { tags, comment } = parseComment(plain(change.comment))
    if (commentLength(comment) > COMMENT_MAX) {
      throw new Refusal(
        'invalid',
        `a comment has at most ${COMMENT_MAX} characters; this one ${commentLength(comment)}: make it a note`,
      )
    }
    tidy.comment = comment
    if (tags.length > 0 || change.tags) tidy.tags = uniqueTags([...tags, ...(change.tags ?? []).map(plain)])
  } else if (change.tags) tidy.tags = uniqueTags(change.tags.map(plain))
  if (change.note !== undefined) {
    if (change.note.length > NOTE_MAX) throw new Refusal('invalid', `a note has at most ${NOTE_MAX} characters`)
    tidy.note = plain(change.note)
  }
  if (change.title !== undefined) tidy.title = line(change.title, 500)
  if (change.private !== undefined) tidy.private = change.private
  if (change.readLater !== undefined) tidy.readLater = change.readLater
  if (change.archived !== undefined) tidy.archived = change.archived
  if (change.favourite !== undefined) tidy.favourite = change.favourite
  if (change.createdAtMs !== undefined) tidy.createdAtMs = change.createdAtMs
  return tidy
}

const sameTags = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((tag, i) => tag === b[i])

/** The tags of a bookmark, as rows that lists walk; the trigger counts them. */
async function writeTags(tx: Database, bookmarkId: number, tags: readonly string[]): Promise<void> {
  const ids = await keywordIds(tx, tags)
  const wanted = [...new Set(tags.flatMap((tag) => ids.get(foldKeyword(tidyKeyword(tag))) ?? []))]
  await tx.execute(sql`delete from bookmark_tags where bookmark_id = ${bookmarkId}
    and not (keyword_id = any (${array(wanted, 'bigint')}))`)
  if (wanted.length === 0) return
  await tx.execute(sql`
    insert into bookmark_tags (bookmark_id, keyword_id, place, user_id, entry_id, created_at, shown)
    select b.id, w.keyword_id, w.place, b.user_id, b.entry_id, b.created_at, b.shown
    from bookmarks b, unnest(${array(wanted, 'bigint')}) with ordinality as w (keyword_id, place) where b.id = ${bookmarkId}
    on conflict (bookmark_id, keyword_id) do nothing`)
}

/** Who may write at all: readers and the banned may not. */
export async function requireWriter(tx: Database, by: number): Promise<void> {
  const { rows } = await tx.execute<{ role: string; banned: boolean }>(
    sql`select role, banned from users where id = ${by}`,
  )
  const user = rows[0]
  if (!user) throw new Refusal('forbidden', 'there is no such user')
  if (user.banned) throw new Refusal('forbidden', 'this account is closed')
  if (user.role === 'reader') throw new Refusal('forbidden', 'this account may read only')
}

async function targetEntry(
  tx: Database,
  by: number,
  target: SaveTarget,
  nowMs: number,
): Promise<{ entryId: number; entryAdded: boolean }> {
  if ('url' in target) return ensureEntry(tx, target.url, nowMs)
  const { rows } = await tx.execute<{ id: number }>(
    'article' in target
      ? sql`select id from entries where kind = 'article' and md5(key) = md5(${plain(target.article)}) and listed`
      : sql`select id from entries e where id = ${target.entryId}
          and (listed or exists (select from bookmarks b where b.entry_id = e.id and b.user_id = ${by}))`,
  )
  if (!rows[0]) throw new Refusal('not-found', 'there is no such entry')
  return { entryId: Number(rows[0].id), entryAdded: false }
}

/** The entry of an address; made, unlisted and without words, if nobody saved it before. */
export async function ensureEntry(
  tx: Database,
  url: string,
  nowMs: number,
): Promise<{ entryId: number; entryAdded: boolean; url: string }> {
  const address = parseAddress(url)
  if (typeof address === 'string') throw new Refusal('invalid', address)
  const find = () =>
    tx.execute<{ id: number }>(sql`select id from entries where kind = 'bookmark' and md5(key) = md5(${address.url})`)
  const known = await find()
  if (known.rows[0]) return { entryId: Number(known.rows[0].id), entryAdded: false, url: address.url }
  await tx.execute(sql`insert into sites (host) select ${address.site}
    where not exists (select from sites where host = ${address.site}) on conflict (host) do nothing`)
  const made = await tx.execute<{ id: number }>(sql`
    insert into entries (kind, key, site_id, site, added_at)
    select 'bookmark', ${address.url}, id, host, ${moment(nowMs)} from sites where host = ${address.site}
    on conflict (kind, md5(key)) do nothing returning id`)
  if (made.rows[0]) return { entryId: Number(made.rows[0].id), entryAdded: true, url: address.url }
  return { entryId: Number((await find()).rows[0]!.id), entryAdded: false, url: address.url }
}

const mineColumns =
  (): SQL => sql`b.id, b.private, b.title, b.comment, b.note, b.tags, b.read_later, b.archived, b.favourite,
  ${ms(sql`b.created_at`)} as created_ms, ${ms(sql`b.updated_at`)} as updated_ms`

/** One's own bookmark of an entry. */
export async function ownBookmark(
  tx: Database,
  by: number,
  entryId: number,
  lock = false,
): Promise<OwnBookmark | undefined> {
  const { rows } = await tx.execute<MineRow>(sql`
    select ${mineColumns()} from bookmarks b where b.user_id = ${by} and b.entry_id = ${entryId} ${lock ? sql`for update` : sql``}`)
  return rows[0] && toMine(rows[0])
}

export type Flag = 'readLater' | 'archived' | 'favourite' | 'private'
const FLAGS: Record<Flag, SQL> = {
  readLater: sql.raw('read_later'),
  archived: sql.raw('archived'),
  favourite: sql.raw('favourite'),
  private: sql.raw('private'),
}

/** Sets a mark on several of one's own bookmarks at once; how many changed. */
export async function markBookmarks(
  db: Database,
  by: number,
  ids: readonly number[],
  flag: Flag,
  value: boolean,
): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows } = await tx.execute<{ entry_id: number }>(sql`
      update bookmarks set ${FLAGS[flag]} = ${value}, updated_at = now()
      where user_id = ${by} and id = any (${array(ids, 'bigint')}) and ${FLAGS[flag]} <> ${value} returning entry_id`)
    if (flag === 'private') for (const row of rows) await reindexSaid(tx, Number(row.entry_id))
    return rows.length
  })
}

/** Removes one's own bookmarks; how many there were. */
export async function removeBookmarks(db: Database, by: number, ids: readonly number[]): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows } = await tx.execute<{ entry_id: number }>(sql`
      delete from bookmarks where user_id = ${by} and id = any (${array(ids, 'bigint')}) returning entry_id`)
    for (const row of rows) await reindexSaid(tx, Number(row.entry_id))
    return rows.length
  })
}

export interface TagCount {
  name: string
  count: number
}

/** The tags of a user, as the viewer may see them: the most used first. */
export async function userTags(
  db: Database,
  username: string,
  viewer: number | undefined,
  limit = 200,
): Promise<TagCount[]> {
  const { rows } = await db.execute<TagCount>(sql`
    select k.name, t.count from (
      select keyword_id, count(*)::int as count from bookmark_tags t join users u on u.id = t.user_id
      where u.username = ${plain(username).toLowerCase()} and (t.shown or t.user_id = ${viewer ?? null}::bigint)
      group by keyword_id order by 2 desc, 1 limit ${limit}) t
    join keywords k on k.id = t.keyword_id order by t.count desc, k.name`)
  return rows
}

/**
 * The list: one query for a page of entries, one for what it can be filtered by; however many there are. Each kind of list
 * has an index in its own order, so that a page reads as many rows as it shows, and hardly more.
 */
import { type SQL, sql } from 'drizzle-orm'
import {
  type Cursor,
  type Facets,
  foldKeyword,
  formatCursor,
  type ListedEntry,
  type ListPage,
  type ListQuery,
  parseCursor,
} from '#reading/library'
import type { Database } from './database.ts'
import { type EntryRow, entryColumns, mineJoin, savedColumns, toEntry } from './rows.ts'
import { ms, plain } from './sql.ts'

const FACETS_MAX = 60

interface ListRow extends EntryRow {
  place: number
  place_id: number
}

/** Where a list's rows come from, and what they are ordered by. */
interface Source {
  from: SQL
  conditions: SQL[]
  /** The order's column: as it is compared, as a cursor says it, and as a cursor's number becomes it again. */
  column: SQL
  shown: SQL
  read(at: number): SQL
  id: SQL
  saved: boolean
}

/** A page of the list. */
export async function listEntries(db: Database, query: ListQuery): Promise<ListPage> {
  const cursor = parseCursor(query.cursor)
  const newer = cursor?.side === 'newer'
  const limit = Math.max(1, Math.min(200, Math.floor(query.limit)))
  const source = sourceOf(query)
  const conditions = [...source.conditions, ...hidden(query.viewer)]
  if (query.kind) conditions.push(sql`e.kind = ${query.kind}`)
  if (query.medium) conditions.push(sql`e.medium = ${query.medium}`)
  if (cursor) {
    const place = sql`(${source.read(cursor.at)}, ${cursor.id}::bigint)`
    conditions.push(sql`(${source.column}, ${source.id}) ${newer ? sql`>` : sql`<`} ${place}`)
  }
  const order = newer ? sql`${source.column}, ${source.id}` : sql`${source.column} desc, ${source.id} desc`
  const { rows } = await db.execute<ListRow>(sql`
    select ${entryColumns}, ${source.shown} as place, ${source.id} as place_id
      ${query.viewer === undefined ? sql`` : sql`, to_jsonb(mine) as mine`}
      ${source.saved ? savedColumns(query.viewer) : sql``}
    from ${source.from} ${mineJoin(query.viewer)}
    where ${sql.join(conditions, sql` and `)}
    order by ${order}
    limit ${limit + 1}`)
  return pageOf(rows, limit, cursor, (row) => toEntry(row, query.lang))
}

/** A page of rows: one more was asked for than is shown, to know whether there is more. */
export function pageOf<Row extends { place: number; place_id: number }>(
  found: Row[],
  limit: number,
  cursor: Cursor | undefined,
  read: (row: Row) => ListedEntry,
): ListPage {
  const newer = cursor?.side === 'newer'
  const more = found.length > limit
  const rows = found.slice(0, limit)
  if (newer) rows.reverse()
  const at = (row: Row, side: Cursor['side']) => formatCursor({ side, at: Number(row.place), id: Number(row.place_id) })
  const first = rows[0]
  const last = rows.at(-1)
  return {
    entries: rows.map(read),
    newer: first && (newer ? more : cursor) ? at(first, 'newer') : undefined,
    older: last && (newer || more) ? at(last, 'older') : undefined,
  }
}

const fromMs = (at: number) => sql`to_timestamp(${at}::float8 / 1000)`
const fromNumber = (at: number) => sql`${Math.max(-2147483648, Math.min(2147483647, Math.trunc(at)))}::int`
const fromDouble = (at: number) => sql`${at}::float8`

function sourceOf(query: ListQuery): Source {
  if (query.user !== undefined) return userSource(query, query.user)
  const words = keywordsOf(query)
  const conditions: SQL[] = []
  if (query.sinceMs !== undefined) conditions.push(sql`e.listed_at >= ${fromMs(query.sinceMs)}`)
  if (query.following) conditions.push(followed(query.viewer))
  if (query.site) conditions.push(sql`e.site_id = (select id from sites where host = ${plain(query.site)})`)
  const order = query.order ?? 'new'
  const [first, ...others] = words
  if (first === undefined) {
    conditions.push(sql`e.listed`)
    const base = { from: sql`entries e`, conditions, id: sql`e.id`, saved: false }
    if (order === 'popular') return { ...base, column: sql`e.users`, shown: sql`e.users`, read: fromNumber }
    if (order === 'hot') return { ...base, column: sql`e.hot`, shown: sql`e.hot`, read: fromDouble }
    return { ...base, column: sql`e.listed_at`, shown: ms(sql`e.listed_at`), read: fromMs }
  }
  // The first is walked in order, the others are looked up for each.
  conditions.push(sql`k.listed`, sql`k.keyword_id = ${keywordId(first.name)}`)
  if (first.tag) conditions.push(sql`k.taggers > 0`)
  for (const other of others) {
    conditions.push(sql`exists (select from entry_keywords o where o.entry_id = k.entry_id
      and o.keyword_id = ${keywordId(other.name)} ${other.tag ? sql`and o.taggers > 0` : sql``})`)
  }
  if (query.medium) conditions.push(sql`k.medium = ${query.medium}`)
  const base = {
    from: sql`entry_keywords k join entries e on e.id = k.entry_id`,
    conditions,
    id: sql`k.entry_id`,
    saved: false,
  }
  if (order === 'popular') return { ...base, column: sql`k.users`, shown: sql`k.users`, read: fromNumber }
  if (order === 'hot') return { ...base, column: sql`e.hot`, shown: sql`e.hot`, read: fromDouble }
  return { ...base, column: sql`k.listed_at`, shown: ms(sql`k.listed_at`), read: fromMs }
}

/** Known to the planner as one value: it is looked up before anything is walked. */
const keywordId = (name: string) => sql`(select id from keywords where folded = ${foldKeyword(plain(name))})`

function keywordsOf(query: ListQuery): { name: string; tag: boolean }[] {
  const keywords = typeof query.keyword === 'string' ? [query.keyword] : (query.keyword ?? [])
  const words = keywords.slice(0, 10).map((name) => ({ name, tag: false }))
  return query.tag === undefined ? words : [{ name: query.tag, tag: true }, ...words]
}

const STATES: Record<NonNullable<ListQuery['state']>, SQL> = {
  later: sql`b.read_later`,
  unread: sql`b.read_later and not b.archived`,
  archived: sql`b.archived`,
  favourite: sql`b.favourite`,
  private: sql`b.private`,
  public: sql`b.shown`,
}

/** A user's bookmarks: all of them for that user, those that are shown for all others. */
function userSource(query: ListQuery, user: string): Source {
  const owner = sql`(select id from users where username = ${plain(user).toLowerCase()})`
  const own = sql`b.user_id = ${query.viewer ?? null}::bigint`
  const conditions = [sql`b.user_id = ${owner}`]
  // What isn't shown, and marks of one's own, are the owner's alone: nobody else learns even that there are any.
  const privy = query.state !== undefined && query.state !== 'public'
  conditions.push(privy ? own : sql`(b.shown and e.hidden_at is null or ${own})`)
  if (query.state) conditions.push(STATES[query.state])
  if (query.site) conditions.push(sql`e.site_id = (select id from sites where host = ${plain(query.site)})`)
  if (query.sinceMs !== undefined) conditions.push(sql`b.created_at >= ${fromMs(query.sinceMs)}`)
  for (const { name } of keywordsOf({ ...query, tag: undefined })) {
    conditions.push(sql`(exists (select from entry_keywords o where o.entry_id = b.entry_id and o.keyword_id = ${keywordId(name)})
      or exists (select from bookmark_tags o where o.bookmark_id = b.id and o.keyword_id = ${keywordId(name)}))`)
  }
  if (query.tag !== undefined) {
    conditions.push(sql`t.user_id = ${owner}`, sql`t.keyword_id = ${keywordId(query.tag)}`)
    return {
      from: sql`bookmark_tags t join bookmarks b on b.id = t.bookmark_id
        join users u on u.id = b.user_id join entries e on e.id = b.entry_id`,
      conditions,
      column: sql`t.created_at`,
      shown: ms(sql`t.created_at`),
      read: fromMs,
      id: sql`t.bookmark_id`,
      saved: true,
    }
  }
  return {
    from: sql`bookmarks b join users u on u.id = b.user_id join entries e on e.id = b.entry_id`,
    conditions,
    column: sql`b.created_at`,
    shown: ms(sql`b.created_at`),
    read: fromMs,
    id: sql`b.id`,
    saved: true,
  }
}

function followed(viewer: number | undefined): SQL {
  const targets = (kind: string) =>
    sql`(select target_id from follows where user_id = ${viewer ?? null}::bigint and kind = ${kind})`
  return sql`(e.site_id = any (array${targets('site')})
    or exists (select from entry_keywords fk where fk.entry_id = e.id and fk.keyword_id = any (array${targets('keyword')}))
    or exists (select from bookmarks fb where fb.entry_id = e.id and fb.shown and fb.user_id = any (array${targets('user')})))`
}

/** What the viewer doesn't want to see. The sets are read once a query. */
export function hidden(viewer: number | undefined): SQL[] {
  if (viewer === undefined) return []
  const targets = (kind: string) =>
    sql`array(select target_id from hides where user_id = ${viewer}::bigint and kind = ${kind})`
  return [
    sql`not (e.id = any (${targets('entry')}))`,
    sql`(e.site_id is null or not (e.site_id = any (${targets('site')})))`,
    sql`(not exists (select from hides where user_id = ${viewer}::bigint and kind = 'keyword') or not exists (
      select from entry_keywords hk where hk.entry_id = e.id and hk.keyword_id = any (${targets('keyword')})))`,
    // An entry that only blocked users have bookmarked.
    sql`(not exists (select from hides where user_id = ${viewer}::bigint and kind = 'user') or e.kind = 'article' or e.unowned
      or exists (select from bookmarks hb where hb.entry_id = e.id
        and (hb.shown and not (hb.user_id = any (${targets('user')})) or hb.user_id = ${viewer}::bigint)))`,
  ]
}

/** What the list can be filtered by, the most frequent first. */
export async function listFacets(db: Database, _lang: string): Promise<Facets> {
  const { rows } = await db.execute<{ facet: keyof Facets; name: string; count: number }>(sql`
    (select 'kinds' as facet, kind as name, count(*)::int as count from entries where listed group by kind)
    union all
    (select 'sites', host, entries from sites where entries > 0 order by entries desc, host limit ${FACETS_MAX})
    union all
    (select 'keywords', k.name, sum(c.entries)::int as count
      from keyword_counts c join keywords k on k.id = c.keyword_id
      group by k.id having sum(c.entries) > 0 order by 3 desc, 2 limit ${FACETS_MAX})`)
  const facets: Facets = { kinds: [], sites: [], keywords: [] }
  for (const { facet, name, count } of rows) facets[facet].push({ name, count })
  return facets
}

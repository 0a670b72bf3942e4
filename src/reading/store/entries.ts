/** One entry: its page, its site's, how many have it; and what was found out of it by fetching. */
import { sql } from 'drizzle-orm'
import { excerptOf, type ListedEntry, languageOf, type Medium, parseAddress, readingMinutes } from '#reading/library'
import { ensureEntry } from './bookmarks.ts'
import type { Database } from './database.ts'
import { setKeywords } from './keywords.ts'
import { type EntryRow, entryColumns, mineJoin, toEntry } from './rows.ts'
import { array, line, moment, plain } from './sql.ts'
import { inTransaction } from './transaction.ts'
import { reindexEntry } from './words.ts'

export type EntryTarget = { url: string } | { article: string } | { id: number }

/** The entry, if it is listed or the viewer has it; somebody's private bookmark alone doesn't show it. */
export async function findEntry(
  db: Database,
  target: EntryTarget,
  lang: string,
  viewer: number | undefined,
): Promise<ListedEntry | undefined> {
  const address = 'url' in target ? parseAddress(target.url) : undefined
  if (typeof address === 'string') return undefined
  const found =
    'id' in target
      ? sql`e.id = ${target.id}`
      : address
        ? sql`e.kind = 'bookmark' and md5(e.key) = md5(${address.url})`
        : sql`e.kind = 'article' and md5(e.key) = md5(${plain((target as { article: string }).article)})`
  const { rows } = await db.execute<EntryRow>(sql`
    select ${entryColumns} ${viewer === undefined ? sql`` : sql`, to_jsonb(mine) as mine`}
    from entries e ${mineJoin(viewer)}
    where ${found} and (e.listed ${viewer === undefined ? sql`` : sql`or mine.id is not null`}) limit 1`)
  return rows[0] && toEntry(rows[0], lang)
}

/** How many users have each address, in the order given; 0 for what nobody has, or can have. */
export async function countUsers(db: Database, urls: readonly string[]): Promise<number[]> {
  const addresses = urls.map((url) => parseAddress(url))
  const keys = addresses.map((address) => (typeof address === 'string' ? '' : address.url))
  const { rows } = await db.execute<{ key: string; users: number }>(sql`
    select key, users from entries where kind = 'bookmark' and listed
      and md5(key) = any (array(select md5(u) from unnest(${array([...new Set(keys)], 'text')}) u))`)
  const counts = new Map(rows.map((row) => [row.key, row.users]))
  return keys.map((key) => counts.get(key) ?? 0)
}

export interface SiteView {
  host: string
  /** Listed entries. */
  entries: number
  followed: boolean
  hidden: boolean
}

/** What a site's page says above its list; undefined if nothing of it is listed. */
export async function findSite(db: Database, host: string, viewer: number | undefined): Promise<SiteView | undefined> {
  const id = viewer ?? null
  const { rows } = await db.execute<SiteView>(sql`
    select host, entries,
      exists (select from follows where user_id = ${id}::bigint and kind = 'site' and target_id = s.id) as followed,
      exists (select from hides where user_id = ${id}::bigint and kind = 'site' and target_id = s.id) as hidden
    from sites s where host = ${plain(host)} and entries > 0`)
  return rows[0]
}

/** What fetching a page told of it. */
export interface PageFacts {
  title?: string
  author?: string
  lang?: string
  publishedAtMs?: number
  medium?: Medium
  keywords?: readonly string[]
  /** Its readable text: the excerpt and the search are made of it. */
  text?: string
  excerpt?: string
  picture?: string
  status?: number
}

/** Keeps what was found out. The excerpt of the first saving stays; what users called it gives way to its own title. */
export async function describeEntry(
  db: Database,
  entryId: number,
  facts: PageFacts,
  nowMs = Date.now(),
): Promise<void> {
  const text = facts.text === undefined ? undefined : plain(facts.text)
  const excerpt = plain(facts.excerpt ?? '') || (text ? excerptOf(text) : '')
  const lang = facts.lang || (text ? languageOf(text) : '')
  await inTransaction(db, async (tx) => {
    await tx.execute(sql`
      update entries set
        title = coalesce(nullif(${line(facts.title ?? '', 500)}, ''), title),
        author = coalesce(nullif(${line(facts.author ?? '', 200)}, ''), author),
        lang = coalesce(nullif(${plain(lang)}, ''), lang),
        published_at = coalesce(${facts.publishedAtMs === undefined ? null : new Date(facts.publishedAtMs).toISOString()}::timestamptz, published_at),
        medium = coalesce(${facts.medium ?? null}::text, medium),
        excerpt = case when excerpt = '' then ${excerpt} else excerpt end,
        reading_minutes = coalesce(${text ? readingMinutes(text) : null}::int, reading_minutes),
        picture = coalesce(${facts.picture ?? null}::text, picture),
        http_status = coalesce(${facts.status ?? null}::int, http_status),
        fetched_at = ${moment(nowMs)}, checked_at = ${moment(nowMs)}, dead_at = null
      where id = ${entryId} and kind = 'bookmark'`)
    if (facts.keywords) await setKeywords(tx, entryId, facts.keywords.slice(0, 20))
    await reindexEntry(tx, entryId)
  })
}

/** What a look at an address found, without its page: alive or dead. */
export async function checkedEntry(
  db: Database,
  entryId: number,
  status: number | undefined,
  dead: boolean,
  nowMs = Date.now(),
): Promise<void> {
  await db.execute(sql`
    update entries set checked_at = ${moment(nowMs)}, http_status = ${status ?? null}::int,
      dead_at = case when ${dead}::boolean then coalesce(dead_at, ${moment(nowMs)}) end
    where id = ${entryId}`)
}

/** Addresses that nobody has looked at since then, the longest first. */
export async function entriesToCheck(
  db: Database,
  beforeMs: number,
  limit: number,
): Promise<{ id: number; url: string }[]> {
  const { rows } = await db.execute<{ id: number; url: string }>(sql`
    select id, key as url from entries where kind = 'bookmark' and coalesce(checked_at, 'epoch') < ${moment(beforeMs)}
    order by coalesce(checked_at, 'epoch'), id limit ${limit}`)
  return rows.map((row) => ({ id: Number(row.id), url: row.url }))
}

/** An entry for an address that is fetched before it is saved; unlisted until somebody bookmarks it. */
export function ensureAddress(
  db: Database,
  url: string,
  nowMs = Date.now(),
): Promise<{ entryId: number; entryAdded: boolean; url: string }> {
  return inTransaction(db, (tx) => ensureEntry(tx, url, nowMs))
}

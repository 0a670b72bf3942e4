/** Feeds that users subscribe to, and what they brought. A feed is fetched once, however many read it. */
import { sql } from 'drizzle-orm'
import { parseAddress } from '#reading/library'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import { json, moment, ms, optionalMs, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

export interface Feed {
  id: number
  url: string
  title: string
  home: string
  etag: string | undefined
  lastModified: string | undefined
  fetchedAtMs: number | undefined
  failures: number
  error: string | undefined
}

export interface Subscription extends Feed {
  folder: string
  unread: number
}

export interface FeedItem {
  id: number
  feedId: number
  feedTitle: string
  url: string
  title: string
  author: string
  excerpt: string
  publishedAtMs: number
  unread: boolean
}

export type NewFeedItem = Pick<FeedItem, 'url' | 'title' | 'author' | 'excerpt' | 'publishedAtMs'> & { guid: string }

interface Row {
  id: number
  url: string
  title: string
  home: string
  etag: string | null
  last_modified: string | null
  fetched_ms: number | null
  failures: number
  error: string | null
}

const columns = sql`f.id, f.url, f.title, f.home, f.etag, f.last_modified, ${ms(sql`f.fetched_at`)} as fetched_ms, f.failures, f.error`

const toFeed = (row: Row): Feed => ({
  id: Number(row.id),
  url: row.url,
  title: row.title,
  home: row.home,
  etag: row.etag ?? undefined,
  lastModified: row.last_modified ?? undefined,
  fetchedAtMs: optionalMs(row.fetched_ms),
  failures: row.failures,
  error: row.error ?? undefined,
})

/** Subscribes; the number of the feed. */
export async function subscribe(
  db: Database,
  by: number,
  url: string,
  about: { title?: string; folder?: string } = {},
): Promise<number> {
  const address = parseAddress(url)
  if (typeof address === 'string') throw new Refusal('invalid', address)
  return inTransaction(db, async (tx) => {
    await requireWriter(tx, by)
    const { rows } = await tx.execute<{ id: number }>(sql`
      insert into feeds (url) values (${address.url}) on conflict (url) do update set url = excluded.url returning id`)
    const id = Number(rows[0]!.id)
    await tx.execute(sql`
      insert into feed_subscriptions (user_id, feed_id, title, folder)
      values (${by}, ${id}, ${plain(about.title ?? '').slice(0, 300)}, ${plain(about.folder ?? '').slice(0, 100)})
      on conflict (user_id, feed_id) do update set folder = excluded.folder`)
    return id
  })
}

/** Subscribes no more; a feed that nobody reads is dropped. */
export async function unsubscribe(db: Database, by: number, feedId: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.execute(sql`delete from feed_subscriptions where user_id = ${by} and feed_id = ${feedId}`)
    await tx.execute(sql`delete from feeds f where id = ${feedId}
      and not exists (select from feed_subscriptions s where s.feed_id = f.id)`)
  })
}

/** One's subscriptions. */
export async function listSubscriptions(db: Database, by: number): Promise<Subscription[]> {
  const { rows } = await db.execute<Row & { folder: string; unread: number; own: string }>(sql`
    select ${columns}, s.folder, s.title as own, (select count(*)::int from feed_items i
      where i.feed_id = f.id and i.published_at > coalesce(s.read_until, '-infinity')) as unread
    from feed_subscriptions s join feeds f on f.id = s.feed_id where s.user_id = ${by} order by s.folder, f.title, f.url`)
  return rows.map((row) => ({
    ...toFeed(row),
    title: row.own || row.title || row.url,
    folder: row.folder,
    unread: row.unread,
  }))
}

/** What one's feeds brought, newest first. */
export async function listFeedItems(
  db: Database,
  by: number,
  query: { feedId?: number; beforeMs?: number; limit: number },
): Promise<FeedItem[]> {
  const { rows } = await db.execute<
    Record<'id' | 'feed_id' | 'published_ms', number> &
      Record<'feed_title' | 'url' | 'title' | 'author' | 'excerpt', string> & { unread: boolean }
  >(sql`
    select i.id, i.feed_id, coalesce(nullif(s.title, ''), f.title) as feed_title, i.url, i.title, i.author, i.excerpt,
      ${ms(sql`i.published_at`)} as published_ms, i.published_at > coalesce(s.read_until, '-infinity') as unread
    from feed_subscriptions s join feeds f on f.id = s.feed_id join feed_items i on i.feed_id = f.id
    where s.user_id = ${by} ${query.feedId === undefined ? sql`` : sql`and f.id = ${query.feedId}`}
      ${query.beforeMs === undefined ? sql`` : sql`and i.published_at < ${moment(query.beforeMs)}`}
    order by i.published_at desc, i.id desc limit ${Math.min(query.limit, 200)}`)
  return rows.map((row) => ({
    id: Number(row.id),
    feedId: Number(row.feed_id),
    feedTitle: row.feed_title,
    url: row.url,
    title: row.title,
    author: row.author,
    excerpt: row.excerpt,
    publishedAtMs: Math.round(row.published_ms),
    unread: row.unread,
  }))
}

/** All up to then are read. */
export async function markFeedRead(db: Database, by: number, feedId: number, untilMs: number): Promise<void> {
  await db.execute(sql`update feed_subscriptions set read_until = greatest(read_until, ${moment(untilMs)})
    where user_id = ${by} and feed_id = ${feedId}`)
}

/** Feeds whose time has come: for the job. */
export async function feedsToFetch(db: Database, nowMs: number, limit: number): Promise<Feed[]> {
  const { rows } = await db.execute<Row>(sql`
    select ${columns} from feeds f where f.next_at <= ${moment(nowMs)} order by f.next_at, f.id limit ${limit}`)
  return rows.map(toFeed)
}

/** A feed by its number: for the job. */
export async function findFeed(db: Database, id: number): Promise<Feed | undefined> {
  const { rows } = await db.execute<Row>(sql`select ${columns} from feeds f where f.id = ${id}`)
  return rows[0] && toFeed(rows[0])
}

/** Keeps what a fetch brought; how many items are new. */
export async function fetchedFeed(
  db: Database,
  id: number,
  result: {
    title?: string
    home?: string
    etag?: string
    lastModified?: string
    items?: readonly NewFeedItem[]
    error?: string
    nextAtMs: number
  },
  nowMs = Date.now(),
): Promise<number> {
  return inTransaction(db, async (tx) => {
    await tx.execute(sql`
      update feeds set title = coalesce(nullif(${plain(result.title ?? '')}, ''), title), home = coalesce(nullif(${plain(result.home ?? '')}, ''), home),
        etag = ${result.etag ?? null}::text, last_modified = ${result.lastModified ?? null}::text, fetched_at = ${moment(nowMs)},
        next_at = ${moment(result.nextAtMs)}, error = ${result.error ?? null}::text,
        failures = ${result.error === undefined ? sql`0` : sql`failures + 1`} where id = ${id}`)
    if (!result.items || result.items.length === 0) return 0
    const items = result.items.map((item) => ({ ...item, at: new Date(item.publishedAtMs).toISOString() }))
    const { rows } = await tx.execute<{ added: boolean }>(sql`
      insert into feed_items (feed_id, guid, url, title, author, excerpt, published_at)
      select distinct on (md5(r.guid)) ${id}, r.guid, r.url, r.title, r.author, r.excerpt, r.at
      from jsonb_to_recordset(${json(items)}) as r (guid text, url text, title text, author text, excerpt text, at timestamptz)
      where exists (select from feeds where id = ${id})
      on conflict (feed_id, md5(guid)) do update set title = excluded.title, excerpt = excluded.excerpt returning xmax = 0 as added`)
    return rows.filter((row) => row.added).length
  })
}

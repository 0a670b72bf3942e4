/** Keywords: the dictionary that tags and pages share, the index of groups, and what many turn to at the moment. */
import { sql } from 'drizzle-orm'
import { foldKeyword, MEDIA, type Medium, tidyKeyword } from '#reading/library'
import type { Database } from './database.ts'
import { array, json, moment, plain, Refusal } from './sql.ts'

/** The numbers of keywords, by their folded form; those that nobody wrote before are added. */
export async function keywordIds(tx: Database, names: readonly string[]): Promise<Map<string, number>> {
  const words = new Map<string, string>()
  for (const name of names) {
    const tidied = tidyKeyword(plain(name))
    const folded = foldKeyword(tidied)
    if (folded !== '' && !words.has(folded)) words.set(folded, tidied)
  }
  if (words.size === 0) return new Map()
  // In one order, always: two who add the same words don't wait for each other.
  const wanted = json(
    [...words].map(([folded, name]) => ({ folded, name })).sort((a, b) => (a.folded < b.folded ? -1 : 1)),
  )
  await tx.execute(sql`
    insert into keywords (folded, name) select w.folded, w.name from jsonb_to_recordset(${wanted}) as w (folded text, name text)
    where not exists (select from keywords k where k.folded = w.folded) order by w.folded
    on conflict (folded) do nothing`)
  const { rows } = await tx.execute<{ id: number; folded: string }>(sql`
    select k.id, k.folded from keywords k where k.folded = any (${array([...words.keys()], 'text')})`)
  return new Map(rows.map((row) => [row.folded, Number(row.id)]))
}

/** What the page itself says it is about, in place of what it said before. What users tagged it with stays. */
export async function setKeywords(tx: Database, entryId: number, names: readonly string[]): Promise<void> {
  const ids = [...new Set((await keywordIds(tx, names)).values())]
  await tx.execute(sql`
    insert into entry_keywords (entry_id, keyword_id, own, place, listed, listed_at, users, medium)
    select e.id, w.keyword_id, true, w.place, e.listed, e.listed_at, e.users, e.medium
    from entries e, unnest(${array(ids, 'bigint')}) with ordinality as w (keyword_id, place) where e.id = ${entryId}
    on conflict (entry_id, keyword_id) do update set own = true, place = excluded.place
      where not entry_keywords.own or entry_keywords.place <> excluded.place`)
  await tx.execute(sql`
    delete from entry_keywords where entry_id = ${entryId} and own and taggers = 0
      and not (keyword_id = any (${array(ids, 'bigint')}))`)
  await tx.execute(sql`
    update entry_keywords set own = false where entry_id = ${entryId} and own and taggers > 0
      and not (keyword_id = any (${array(ids, 'bigint')}))`)
}

export interface KeywordCount {
  name: string
  counts: Record<Medium, number>
  total: number
}

export interface KeywordGroup {
  id: number
  /** By language; `en` is there at the least. */
  names: Record<string, string>
  keywords: KeywordCount[]
}

export interface EditedGroup {
  names: Record<string, string>
  keywords: string[]
}

interface CountRow {
  name: string
  counts: Partial<Record<Medium, number>> | null
}

const toCount = ({ name, counts }: CountRow): KeywordCount => {
  const all = Object.fromEntries(MEDIA.map((medium) => [medium, counts?.[medium] ?? 0])) as Record<Medium, number>
  return { name, counts: all, total: MEDIA.reduce((sum, medium) => sum + all[medium], 0) }
}

/** The index: groups, their keywords, and how many entries of each kind have them; zeros too. */
export async function keywordIndex(db: Database): Promise<KeywordGroup[]> {
  const { rows } = await db.execute<{
    id: number
    names: Record<string, string>
    name: string | null
    counts: CountRow['counts']
  }>(sql`
    select g.id, g.names, k.name,
      (select jsonb_object_agg(c.medium, c.entries) from keyword_counts c where c.keyword_id = k.id) as counts
    from keyword_groups g
      left join keyword_group_items i on i.group_id = g.id left join keywords k on k.id = i.keyword_id
    order by g.place, g.id, i.place, k.name`)
  const groups = new Map<number, KeywordGroup>()
  for (const row of rows) {
    const group = groups.get(Number(row.id)) ?? { id: Number(row.id), names: row.names, keywords: [] }
    groups.set(group.id, group)
    if (row.name !== null) group.keywords.push(toCount({ name: row.name, counts: row.counts }))
  }
  return [...groups.values()]
}

/** All keywords that listed entries have, the most frequent first; those that begin so, for a form that completes. */
export async function keywordsStarting(db: Database, prefix: string, limit: number): Promise<KeywordCount[]> {
  const like = `${foldKeyword(plain(prefix)).replace(/[\\%_]/gu, '\\$&')}%`
  const { rows } = await db.execute<CountRow>(sql`
    select k.name, jsonb_object_agg(c.medium, c.entries) as counts
    from keywords k join keyword_counts c on c.keyword_id = k.id where k.folded like ${like}
    group by k.id having sum(c.entries) > 0 order by sum(c.entries) desc, k.name limit ${Math.min(limit, 500)}`)
  return rows.map(toCount)
}

/** What a keyword's page says above its list; undefined if nobody ever wrote it publicly. */
export async function keywordCount(db: Database, name: string): Promise<KeywordCount | undefined> {
  const { rows } = await db.execute<CountRow>(sql`
    select k.name, (select jsonb_object_agg(c.medium, c.entries) from keyword_counts c where c.keyword_id = k.id) as counts
    from keywords k where k.folded = ${foldKeyword(plain(name))}
      and (exists (select from keyword_counts c where c.keyword_id = k.id and c.entries > 0)
        or exists (select from keyword_group_items i where i.keyword_id = k.id))`)
  return rows[0] && toCount(rows[0])
}

/** Makes the groups what is given, in this order. By a moderator. */
export async function editKeywordGroups(db: Database, by: number, groups: readonly EditedGroup[]): Promise<void> {
  if (groups.length > 200) throw new Refusal('invalid', 'more than 200 groups')
  await db.transaction(async (tx) => {
    await requireModerator(tx, by)
    const ids = await keywordIds(
      tx,
      groups.flatMap((group) => group.keywords),
    )
    await tx.execute(sql`delete from keyword_groups`)
    for (const [place, group] of groups.entries()) {
      const { rows } = await tx.execute<{ id: number }>(sql`
        insert into keyword_groups (place, names) values (${place}, ${json(group.names)}) returning id`)
      const items = group.keywords.flatMap((name) => ids.get(foldKeyword(tidyKeyword(plain(name)))) ?? [])
      await tx.execute(sql`
        insert into keyword_group_items (group_id, keyword_id, place)
        select ${rows[0]!.id}, keyword_id, min(place)
        from unnest(${array(items, 'bigint')}) with ordinality as i (keyword_id, place) group by keyword_id`)
    }
  })
}

/** Whoever keeps order in the room. */
export async function requireModerator(tx: Database, by: number): Promise<void> {
  const { rows } = await tx.execute(sql`
    select id from users where id = ${by} and role in ('owner', 'moderator') and not banned`)
  if (rows.length === 0) throw new Refusal('forbidden', 'only a moderator may do this')
}

/** Refuses whoever isn't an owner of the room. */
export async function requireOwner(tx: Database, by: number): Promise<void> {
  const { rows } = await tx.execute(sql`select id from users where id = ${by} and role = 'owner' and not banned`)
  if (rows.length === 0) throw new Refusal('forbidden', 'only an owner may do this')
}

export interface TrendingKeyword {
  name: string
  /** Users who bookmarked something of it publicly in these days. */
  users: number
}

const TREND_DAYS = 3
const BOOKMARKS_LOOKED_AT = 4000

/** What was computed last, for each database: a header is on every page, and what trends doesn't change by the second. */
const trending = new WeakMap<Database, { atMs: number; keywords: Promise<TrendingKeyword[]> }>()
const TREND_KEPT_MS = 60_000

/** As computeTrending, at most once a minute. */
export async function trendingKeywords(db: Database, limit = 1, nowMs = Date.now()): Promise<TrendingKeyword[]> {
  let last = trending.get(db)
  if (!last || Math.abs(nowMs - last.atMs) > TREND_KEPT_MS) {
    last = { atMs: nowMs, keywords: computeTrending(db, 20, nowMs) }
    trending.set(db, last)
    last.keywords.catch(() => trending.delete(db))
  }
  return (await last.keywords).slice(0, limit)
}

/**
 * Keywords that more people turn to than usual. Looked at are the public bookmarks of three days (the last 4,000, however many
 * there are); a keyword's users among them are compared with the share of it among all entries: `(users - expected) /
 * sqrt(expected + 1)`, how many standard deviations of chance it is above the usual. At least two users; in a room of
 * one, that one's.
 */
export async function computeTrending(db: Database, limit: number, nowMs: number): Promise<TrendingKeyword[]> {
  const { rows } = await db.execute<TrendingKeyword>(sql`
    with recent as (
      select entry_id, user_id from bookmarks
      where shown and created_at > ${moment(nowMs - TREND_DAYS * 86_400_000)} and created_at <= ${moment(nowMs)}
      order by created_at desc, id desc limit ${BOOKMARKS_LOOKED_AT}),
    marks as (
      select ek.keyword_id, count(distinct r.user_id)::int as users, count(*)::int as bookmarks
      from recent r join entry_keywords ek on ek.entry_id = r.entry_id and ek.listed group by 1),
    scale as (select count(*)::float8 as bookmarks, least(2, count(distinct user_id)) as least from recent),
    shelf as (select greatest(1, sum(entries))::float8 as entries from sites)
    select k.name, m.users from marks m join keywords k on k.id = m.keyword_id, scale, shelf,
      lateral (select coalesce(sum(c.entries), 0) / shelf.entries * scale.bookmarks as expected
        from keyword_counts c where c.keyword_id = m.keyword_id) usual
    where m.users >= scale.least
    order by (m.users - least(usual.expected, m.bookmarks)) / sqrt(least(usual.expected, m.bookmarks) + 1) desc, m.users desc, k.name
    limit ${limit}`)
  return rows
}

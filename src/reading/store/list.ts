/** The list: one query for a page of entries, one for what it can be filtered by; however many there are. */
import { type SQL, sql } from 'drizzle-orm'
import {
  type Facets,
  foldKeyword,
  formatCursor,
  type ListedEntry,
  type ListPage,
  type ListQuery,
  parseCursor,
} from '#reading/library'
import type { Database } from './database.ts'

interface EntryRow {
  id: string | number
  kind: ListedEntry['kind']
  key: string
  site: string | null
  added_at_ms: number
  lang: string | null
  title: string | null
  summary: string | null
  languages: string[] | null
  keywords: string[] | null
}

const FACETS_MAX = 60

/** The entry's text in the reader's language, else its original. */
const chosenText = (lang: string) => sql`
  left join lateral (
    select t.lang, t.title, t.summary from entry_texts t where t.entry_id = e.id
    order by (t.lang = ${lang}) desc, t.place limit 1
  ) chosen on true`

/** A page of the list, newest first. */
export async function listEntries(db: Database, query: ListQuery): Promise<ListPage> {
  const cursor = parseCursor(query.cursor)
  const newer = cursor?.side === 'newer'
  const limit = Math.max(1, Math.min(200, Math.floor(query.limit)))
  const conditions: SQL[] = [sql`e.gone_at is null`]
  if (query.kind) conditions.push(sql`e.kind = ${query.kind}`)
  if (query.site) conditions.push(sql`s.host = ${plain(query.site)}`)
  if (query.keyword) {
    conditions.push(sql`exists (
      select from entry_keywords ek join keywords k on k.id = ek.keyword_id
      where ek.entry_id = e.id and k.folded = ${foldKeyword(plain(query.keyword))})`)
  }
  if (cursor) {
    const place = sql`(to_timestamp(${cursor.addedAtMs}::float8 / 1000), ${cursor.id}::bigint)`
    conditions.push(newer ? sql`(e.added_at, e.id) > ${place}` : sql`(e.added_at, e.id) < ${place}`)
  }
  const { rows } = await db.execute<EntryRow>(sql`
    select e.id, e.kind, e.key, s.host as site, (extract(epoch from e.added_at) * 1000)::float8 as added_at_ms,
      chosen.lang, chosen.title, chosen.summary,
      (select json_agg(t.lang order by t.place) from entry_texts t where t.entry_id = e.id) as languages,
      (select json_agg(k.name order by ek.place, k.name) from entry_keywords ek join keywords k on k.id = ek.keyword_id
        where ek.entry_id = e.id and ek.lang = chosen.lang) as keywords
    from entries e left join sites s on s.id = e.site_id ${chosenText(query.lang)}
    where ${sql.join(conditions, sql` and `)}
    order by ${newer ? sql`e.added_at, e.id` : sql`e.added_at desc, e.id desc`}
    limit ${limit + 1}`)
  const more = rows.length > limit
  const entries = rows.slice(0, limit).map(toEntry)
  if (newer) entries.reverse()
  const first = entries[0]
  const last = entries.at(-1)
  return {
    entries,
    newer: first && (newer ? more : cursor) ? formatCursor({ side: 'newer', ...first }) : undefined,
    older: last && (newer || more) ? formatCursor({ side: 'older', ...last }) : undefined,
  }
}

// PostgreSQL's text has no NUL; an address may.
const plain = (text: string) => text.replaceAll('\0', '')

function toEntry(row: EntryRow): ListedEntry {
  return {
    id: Number(row.id),
    kind: row.kind,
    key: row.key,
    site: row.site ?? undefined,
    lang: row.lang ?? '',
    title: row.title || row.key,
    summary: row.summary ?? '',
    keywords: row.keywords ?? [],
    languages: (row.languages ?? []).filter((lang) => lang !== ''),
    addedAtMs: Math.round(row.added_at_ms),
  }
}

/** What the list can be filtered by, the most frequent first. */
export async function listFacets(db: Database, lang: string): Promise<Facets> {
  const { rows } = await db.execute<{ facet: keyof Facets; name: string; count: number }>(sql`
    (select 'kinds' as facet, kind as name, count(*)::int as count from entries where gone_at is null group by kind)
    union all
    (select 'sites', s.host, count(*)::int from entries e join sites s on s.id = e.site_id
      where e.gone_at is null group by s.host order by 3 desc, 2 limit ${FACETS_MAX})
    union all
    (select 'keywords', k.name, count(distinct e.id)::int
      from entries e ${chosenText(lang)}
      join entry_keywords ek on ek.entry_id = e.id and ek.lang = chosen.lang
      join keywords k on k.id = ek.keyword_id
      where e.gone_at is null group by k.name order by 3 desc, 2 limit ${FACETS_MAX})`)
  const facets: Facets = { kinds: [], sites: [], keywords: [] }
  for (const { facet, name, count } of rows) facets[facet].push({ name, count })
  return facets
}

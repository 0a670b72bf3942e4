/** Takes a bookmarks file in: all of it that can be kept, in one transaction, and a report of what became of each. */
import { sql } from 'drizzle-orm'
import {
  type Bookmark,
  foldKeyword,
  type LocatedError,
  parseNetscapeBookmarks,
  siteOf,
  tidyKeyword,
} from '#reading/library'
import type { Database } from './database.ts'

export interface Refused extends LocatedError {
  href: string
}

/** What became of a file's bookmarks: added + merged + refused is what it had. */
export interface ImportReport {
  /** New entries. */
  added: number
  /** Those that were there already, or twice in the file: their keywords and descriptions were joined. */
  merged: number
  /** Those that can't be kept, each with its line and reason. */
  refused: Refused[]
  /** What else is wrong with the file. */
  notes: LocatedError[]
}

const CHUNK = 500
// Before 1990 there was no Web; a stamp from then, or from days to come, is somebody's wrong clock.
const EARLIEST_MS = Date.UTC(1990, 0)

interface Row {
  key: string
  host: string
  addedAtMs: number
  title: string
  summary: string
  keywords: string[]
}

/** Imports a bookmarks file as browsers and bookmark services export it. */
export async function importNetscape(db: Database, text: string, nowMs = Date.now()): Promise<ImportReport> {
  const { bookmarks, errors } = parseNetscapeBookmarks(text)
  const report: ImportReport = { added: 0, merged: 0, refused: [], notes: errors }
  const rows = new Map<string, Row>()
  for (const bookmark of bookmarks) {
    const row = toRow(bookmark, nowMs)
    if (typeof row === 'string') {
      report.refused.push({ line: bookmark.line, href: bookmark.href, what: row })
      continue
    }
    const same = rows.get(row.key)
    if (same) {
      join(same, row)
      report.merged++
    } else rows.set(row.key, row)
  }
  const all = [...rows.values()]
  await db.transaction(async (tx) => {
    for (let at = 0; at < all.length; at += CHUNK) {
      const chunk = all.slice(at, at + CHUNK)
      const added = await writeChunk(tx, chunk)
      report.added += added
      report.merged += chunk.length - added
    }
  })
  return report
}

function toRow(bookmark: Bookmark, nowMs: number): Row | string {
  if (/[\u0000-\u001f\u007f]/u.test(bookmark.href)) return 'a control character in its address'
  if (!URL.canParse(bookmark.href)) return 'not an address'
  const url = new URL(bookmark.href)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `${url.protocol.slice(0, 20)} is not a page of the Web`
  if (url.username !== '' || url.password !== '') return 'a user name or password in its address'
  if (url.hash === '#') url.hash = ''
  const addedAtMs = (bookmark.addedAtS ?? Number.NaN) * 1000
  return {
    key: url.href,
    host: siteOf(url.hostname),
    addedAtMs: addedAtMs >= EARLIEST_MS && addedAtMs <= nowMs ? addedAtMs : nowMs,
    title: bookmark.title,
    summary: bookmark.description,
    keywords: [...new Set([...bookmark.keywords, ...bookmark.folders.map(tidyKeyword)])].filter((word) => word !== ''),
  }
}

function join(into: Row, from: Row): void {
  into.addedAtMs = Math.min(into.addedAtMs, from.addedAtMs)
  if (into.title === '') into.title = from.title
  if (into.summary === '') into.summary = from.summary
  into.keywords = [...new Set([...into.keywords, ...from.keywords])]
}

/** A handful of statements, however many rows. What the library already says wins over what a file says. */
async function writeChunk(tx: Database, rows: Row[]): Promise<number> {
  const input = JSON.stringify(rows.map((row) => ({ ...row, addedAt: new Date(row.addedAtMs).toISOString() })))
  const words = rows.flatMap((row) =>
    row.keywords.map((name, place) => ({ key: row.key, folded: foldKeyword(name), name, place })),
  )
  await tx.execute(sql`
    insert into sites (host) select distinct host from jsonb_to_recordset(${input}::jsonb) as r (host text)
    on conflict (host) do nothing`)
  const { rows: written } = await tx.execute<{ added: boolean }>(sql`
    insert into entries (kind, key, site_id, added_at)
    select 'bookmark', r.key, sites.id, r."addedAt"
    from jsonb_to_recordset(${input}::jsonb) as r (key text, host text, "addedAt" timestamptz)
    join sites on sites.host = r.host
    order by r."addedAt"
    on conflict (kind, md5(key)) do update set added_at = least(entries.added_at, excluded.added_at)
    returning xmax = 0 as added`)
  await tx.execute(sql`
    insert into entry_texts (entry_id, lang, place, title, summary)
    select e.id, '', 0, r.title, r.summary
    from jsonb_to_recordset(${input}::jsonb) as r (key text, title text, summary text)
    join entries e on e.kind = 'bookmark' and md5(e.key) = md5(r.key)
    on conflict (entry_id, lang) do update set
      title = case when entry_texts.title = '' then excluded.title else entry_texts.title end,
      summary = case when entry_texts.summary = '' then excluded.summary else entry_texts.summary end`)
  if (words.length > 0) await writeKeywords(tx, 'bookmark', '', words)
  return written.filter((row) => row.added).length
}

/** Gives entries keywords; those that they have stay. */
export async function writeKeywords(
  tx: Database,
  kind: 'article' | 'bookmark',
  lang: string,
  words: { key: string; folded: string; name: string; place: number }[],
): Promise<void> {
  const input = JSON.stringify(words)
  await tx.execute(sql`
    insert into keywords (folded, name)
    select distinct on (folded) folded, name
    from jsonb_to_recordset(${input}::jsonb) as r (folded text, name text)
    where folded <> ''
    on conflict (folded) do nothing`)
  await tx.execute(sql`
    insert into entry_keywords (entry_id, lang, keyword_id, place)
    select e.id, ${lang}, k.id, min(r.place)
    from jsonb_to_recordset(${input}::jsonb) as r (key text, folded text, place integer)
    join entries e on e.kind = ${kind} and md5(e.key) = md5(r.key)
    join keywords k on k.folded = r.folded
    group by e.id, k.id
    on conflict do nothing`)
}

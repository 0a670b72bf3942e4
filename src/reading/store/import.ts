/**
 * Takes many bookmarks in: a chunk is one transaction of a handful of statements, however many rows it has, and the place
 * that an import has reached is written within the same transaction. So whoever dies half way goes on where they stopped.
 */
import { sql } from 'drizzle-orm'
import {
  COMMENT_MAX,
  commentLength,
  EXCERPT_MAX,
  excerptOf,
  foldKeyword,
  type LocatedError,
  languageOf,
  mediumOf,
  NOTE_MAX,
  parseAddress,
  parseComment,
  parseNetscapeBookmarks,
  tidyKeyword,
  uniqueTags,
} from '#reading/library'
import { tokensOf } from '#reading/search'
import { ownBookmark, requireWriter, saveBookmark } from './bookmarks.ts'
import type { Database } from './database.ts'
import { keywordIds } from './keywords.ts'
import { array, json, line, moment, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'
import { reindexSaidMany, SCOPE, writeManyWords } from './words.ts'

/** A bookmark to take in, as files of other services have it. */
export interface NewBookmark {
  url: string
  /** An article of this library in place of the address. */
  article?: string
  title?: string
  comment?: string
  note?: string
  /** What the page says of itself: kept if nobody has fetched it yet. */
  excerpt?: string
  author?: string
  tags?: readonly string[]
  private?: boolean
  readLater?: boolean
  archived?: boolean
  favourite?: boolean
  createdAtMs?: number
}

export interface SaveManyOptions {
  /** What becomes of those that don't say. */
  private?: boolean
  /** The import (one's own) that has come so far with this chunk: counts and place are kept with the rows or not at all. */
  import?: { id: number; done: number; refused?: readonly ImportRefusal[] }
}

export interface ImportRefusal {
  place: string
  url: string
  what: string
}

export interface SavedMany {
  /** For each bookmark given: the entry; whether the bookmark is new; or why it can't be kept. */
  results: ({ entryId: number; added: boolean } | { refused: string })[]
  added: number
  merged: number
  refused: number
  /** Entries that are new, to be fetched. */
  newEntries: { entryId: number; url: string }[]
}

// Before 1990 there was no Web; a stamp from then, or from days to come, is somebody's wrong clock.
const EARLIEST_MS = Date.UTC(1990, 0)

interface Row {
  key: string
  article: string | undefined
  site: string
  title: string
  comment: string
  note: string
  excerpt: string
  author: string
  tags: string[]
  private: boolean
  later: boolean
  archived: boolean
  favourite: boolean
  at: string
  known: boolean
}

function toRow(bookmark: NewBookmark, options: SaveManyOptions, nowMs: number): Row | string {
  const { article } = bookmark
  const address = article === undefined ? parseAddress(plain(bookmark.url)) : { url: `article ${article}`, site: '' }
  if (typeof address === 'string') return address
  const { tags, comment } = parseComment(plain(bookmark.comment ?? ''))
  // A longer comment is a note, as a service without our limit meant it.
  const long = commentLength(comment) > COMMENT_MAX
  const note = [plain(bookmark.note ?? ''), long ? comment : ''].filter((text) => text !== '').join('\n\n')
  const at = bookmark.createdAtMs ?? Number.NaN
  const known = at >= EARLIEST_MS && at <= nowMs
  return {
    key: address.url,
    article,
    site: address.site,
    title: line(bookmark.title ?? '', 500),
    comment: long ? '' : comment,
    note: plain(note.slice(0, NOTE_MAX)),
    excerpt: bookmark.excerpt ? excerptOf(plain(bookmark.excerpt), EXCERPT_MAX) : '',
    author: line(bookmark.author ?? '', 200),
    tags: uniqueTags([...tags, ...(bookmark.tags ?? []).map(plain)]),
    private: bookmark.private ?? options.private ?? false,
    later: bookmark.readLater ?? false,
    archived: bookmark.archived ?? false,
    favourite: bookmark.favourite ?? false,
    at: new Date(known ? at : nowMs).toISOString(),
    known,
  }
}

/** What a second bookmark of the same address adds to the first; private wins, for it can't be taken back. */
function join(into: Row, from: Row): void {
  if (from.known && (!into.known || from.at < into.at)) {
    into.at = from.at
    into.known = true
  }
  for (const field of ['title', 'comment', 'note', 'excerpt', 'author'] as const)
    if (into[field] === '') into[field] = from[field]
  into.tags = uniqueTags([...into.tags, ...from.tags])
  into.private ||= from.private
  into.later ||= from.later
  into.archived ||= from.archived
  into.favourite ||= from.favourite
}

/**
 * Saves many for one user, at most a few hundred at a time. What they have already is joined with what comes: words that are
 * there stay, tags and marks are added, the earlier date counts. Done twice, it changes nothing the second time.
 */
export async function saveMany(
  db: Database,
  by: number,
  bookmarks: readonly NewBookmark[],
  options: SaveManyOptions,
  nowMs = Date.now(),
): Promise<SavedMany> {
  const outcome = bookmarks.map((bookmark) => toRow(bookmark, options, nowMs))
  const byKey = new Map<string, Row>()
  for (const row of outcome) {
    if (typeof row === 'string') continue
    const same = byKey.get(row.key)
    if (same) join(same, row)
    else byKey.set(row.key, { ...row })
  }
  return inTransaction(db, async (tx) => {
    await requireWriter(tx, by)
    const articles = [...byKey.values()].filter((row) => row.article !== undefined)
    const rows = [...byKey.values()].filter((row) => row.article === undefined).sort((a, b) => (a.key < b.key ? -1 : 1)) // One order, so that two don't lock each other out.
    const written = rows.length > 0 ? await writeRows(tx, by, rows, nowMs) : new Map<string, Written>()
    for (const row of articles) written.set(row.key, await writeArticle(tx, by, row, nowMs))
    const result: SavedMany = { results: [], added: 0, merged: 0, refused: 0, newEntries: [] }
    const seen = new Set<string>()
    for (const row of outcome) {
      if (typeof row === 'string') {
        result.refused++
        result.results.push({ refused: row })
        continue
      }
      const { entryId, added, entryAdded } = written.get(row.key)!
      const first = added && !seen.has(row.key)
      if (first) result.added++
      else result.merged++
      if (entryAdded && !seen.has(row.key)) result.newEntries.push({ entryId, url: row.key })
      result.results.push({ entryId, added: first })
      seen.add(row.key)
    }
    if (options.import) {
      const { id, done, refused = [] } = options.import
      await tx.execute(sql`
        update imports set done = ${done}, added = added + ${result.added}, merged = merged + ${result.merged},
          refused = refused + ${result.refused + refused.length}, updated_at = now(), state = 'running',
          report = case when jsonb_array_length(report) < 5000 then report || ${json(refused)} else report end
        where id = ${id} and user_id = ${by}`)
    }
    return result
  })
}

interface Written {
  entryId: number
  added: boolean
  entryAdded: boolean
}

/** An article's bookmark, joined with what was there; the entry is the library's. */
async function writeArticle(tx: Database, by: number, row: Row, nowMs: number): Promise<Written> {
  const { rows } = await tx.execute<{ id: number }>(
    sql`select id from entries where kind = 'article' and key = ${plain(row.article ?? '')}`,
  )
  if (!rows[0]) throw new Refusal('not-found', `there is no article ${row.article}`)
  const entryId = Number(rows[0].id)
  const before = await ownBookmark(tx, by, entryId, true)
  const at = Date.parse(row.at)
  const { added } = await saveBookmark(
    tx,
    by,
    { entryId },
    {
      title: before?.title || row.title,
      comment: before?.comment || row.comment,
      note: before?.note || row.note,
      tags: uniqueTags([...(before?.tags ?? []), ...row.tags]),
      private: before?.private ?? row.private,
      readLater: (before?.readLater ?? false) || row.later,
      archived: (before?.archived ?? false) || row.archived,
      favourite: (before?.favourite ?? false) || row.favourite,
      createdAtMs: before ? Math.min(before.createdAtMs, at) : at,
    },
    nowMs,
  )
  return { entryId, added, entryAdded: false }
}

async function writeRows(tx: Database, by: number, rows: Row[], nowMs: number): Promise<Map<string, Written>> {
  const sites = array([...new Set(rows.map((row) => row.site))].sort(), 'text')
  await tx.execute(sql`
    insert into sites (host) select h from unnest(${sites}) h
    where not exists (select from sites s where s.host = h) on conflict (host) do nothing`)
  const made = await tx.execute<{ id: number; key: string }>(sql`
    insert into entries (kind, key, site_id, site, added_at, medium)
    select 'bookmark', r.key, s.id, s.host, ${moment(nowMs)}, r.medium
    from jsonb_to_recordset(${json(rows.map((row) => ({ key: row.key, site: row.site, medium: mediumOf({ url: row.key, title: row.title }) })))})
      as r (key text, site text, medium text) join sites s on s.host = r.site
    where not exists (select from entries e where e.kind = 'bookmark' and md5(e.key) = md5(r.key))
    order by r.key on conflict (kind, md5(key)) do nothing returning id, key`)
  const fresh = new Set(made.rows.map((row) => row.key))
  const { rows: known } = await tx.execute<{
    id: number
    key: string
    titled: boolean
    bookmark: number | null
    tags: string[] | null
    title: string | null
    comment: string | null
    note: string | null
  }>(sql`
    select e.id, e.key, e.title <> '' as titled, b.id as bookmark, b.tags, b.title, b.comment, b.note
    from entries e left join bookmarks b on b.entry_id = e.id and b.user_id = ${by}
    where e.kind = 'bookmark' and md5(e.key) = any (array(select md5(k) from unnest(${array(
      rows.map((row) => row.key),
      'text',
    )}) k))`)
  const byKey = new Map(known.map((row) => [row.key, row]))
  // What users call a page is shown until somebody fetches it: from public bookmarks alone.
  const titled = rows.filter((row) => !row.private && (row.title !== '' || row.excerpt !== ''))
  if (titled.length > 0) {
    await tx.execute(sql`
      update entries e set title = case when e.title = '' then r.title else e.title end,
        excerpt = case when e.excerpt = '' then r.excerpt else e.excerpt end,
        author = case when e.author = '' then r.author else e.author end,
        lang = case when e.lang = '' then r.lang else e.lang end
      from jsonb_to_recordset(${json(titled.map((row) => ({ ...row, id: byKey.get(row.key)!.id, lang: languageOf(`${row.title}\n${row.excerpt}`) })))})
        as r (id bigint, title text, excerpt text, author text, lang text)
      where e.id = r.id and (e.title = '' and r.title <> '' or e.excerpt = '' and r.excerpt <> '')`)
  }
  const merged = rows.map((row) => {
    const before = byKey.get(row.key)!
    const tags = uniqueTags([...(before.tags ?? []), ...row.tags])
    const title = before.title || row.title
    const comment = before.comment || row.comment
    const note = before.note || row.note
    const tokens = [...tokensOf([title, comment, note, ...tags].join('\n'))]
    const words = tokens.length === 0 ? null : [...tokens, SCOPE.owner + by]
    return { ...row, id: before.id, tags, title, comment, note, words }
  })
  const ids = await keywordIds(
    tx,
    merged.flatMap((row) => row.tags),
  )
  const { rows: saved } = await tx.execute<{ id: number; entry_id: number; added: boolean }>(sql`
    insert into bookmarks (user_id, entry_id, private, title, comment, note, tags, read_later, archived, favourite,
      created_at, updated_at, words)
    select ${by}, r.id, r.private, r.title, r.comment, r.note, array(select jsonb_array_elements_text(r.tags)), r.later, r.archived,
      r.favourite, r.at, ${moment(nowMs)},
      case when jsonb_typeof(r.words) = 'array' then array_to_tsvector(array(select jsonb_array_elements_text(r.words))) end
    from jsonb_to_recordset(${json(merged)}) as r (id bigint, private boolean, title text, comment text, note text, tags jsonb,
      later boolean, archived boolean, favourite boolean, at timestamptz, words jsonb)
    order by r.id
    on conflict (user_id, entry_id) do update set title = excluded.title, comment = excluded.comment, note = excluded.note,
      tags = excluded.tags, read_later = bookmarks.read_later or excluded.read_later,
      archived = bookmarks.archived or excluded.archived, favourite = bookmarks.favourite or excluded.favourite,
      created_at = least(bookmarks.created_at, excluded.created_at), words = excluded.words
    returning id, entry_id, xmax = 0 as added`)
  const savedBy = new Map(saved.map((row) => [Number(row.entry_id), row]))
  const tags = merged.flatMap((row) =>
    row.tags.flatMap((tag, place) => {
      const keyword = ids.get(foldKeyword(tidyKeyword(tag)))
      return keyword === undefined
        ? []
        : [{ bookmark: Number(savedBy.get(Number(row.id))!.id), keyword, place: place + 1 }]
    }),
  )
  if (tags.length > 0) {
    await tx.execute(sql`
      insert into bookmark_tags (bookmark_id, keyword_id, place, user_id, entry_id, created_at, shown)
      select b.id, r.keyword, r.place, b.user_id, b.entry_id, b.created_at, b.shown
      from jsonb_to_recordset(${json(tags)}) as r (bookmark bigint, keyword bigint, place int) join bookmarks b on b.id = r.bookmark
      on conflict (bookmark_id, keyword_id) do nothing`)
  }
  const entries = rows.map((row) => ({ row, id: Number(byKey.get(row.key)!.id), fresh: fresh.has(row.key) }))
  await writeManyWords(
    tx,
    entries
      .filter((entry) => entry.fresh)
      .map(({ row, id }) => ({
        id,
        titles: row.private ? [] : [row.title],
        keywords: [],
        body: row.private ? '' : row.excerpt,
        commands: [],
        outputs: [],
        site: row.site,
        author: row.private ? '' : row.author,
        key: row.key,
        said: row.private ? '' : [row.comment, ...row.tags].join('\n'),
        owners: row.private ? [by] : [],
      })),
  )
  await reindexSaidMany(
    tx,
    entries.filter((entry) => !entry.fresh).map((entry) => entry.id),
  )
  return new Map(
    entries.map(({ row, id, fresh: entryAdded }) => [
      row.key,
      { entryId: id, added: savedBy.get(id)!.added, entryAdded },
    ]),
  )
}

export interface Refused extends LocatedError {
  href: string
}

/** What became of a file's bookmarks: added + merged + refused is what it had. */
export interface ImportReport {
  /** New bookmarks. */
  added: number
  /** Those that were there already, or twice in the file: their tags and words were joined. */
  merged: number
  /** Those that can't be kept, each with its line and reason. */
  refused: Refused[]
  /** What else is wrong with the file. */
  notes: LocatedError[]
}

const CHUNK = 500

/** Imports a bookmarks file as browsers and bookmark services export it, for the user, or for the room's first. */
export async function importNetscape(
  db: Database,
  text: string,
  by?: number,
  nowMs = Date.now(),
): Promise<ImportReport> {
  const { bookmarks, errors } = parseNetscapeBookmarks(text)
  const report: ImportReport = { added: 0, merged: 0, refused: [], notes: errors }
  const owner = by ?? (await firstUser(db))
  for (let at = 0; at < bookmarks.length; at += CHUNK) {
    const chunk = bookmarks.slice(at, at + CHUNK)
    const items = chunk.map((bookmark) => ({
      url: bookmark.href,
      title: bookmark.title,
      excerpt: bookmark.description,
      tags: [...bookmark.keywords, ...bookmark.folders.map(tidyKeyword)],
      ...(bookmark.addedAtS === undefined ? {} : { createdAtMs: bookmark.addedAtS * 1000 }),
    }))
    const saved = await saveMany(db, owner, items, {}, nowMs)
    report.added += saved.added
    report.merged += saved.merged
    for (const [i, result] of saved.results.entries()) {
      if ('refused' in result) report.refused.push({ line: chunk[i]!.line, href: chunk[i]!.href, what: result.refused })
    }
  }
  return report
}

/** Whose the room is: its first user, made if there is none, as a first start does. */
async function firstUser(db: Database): Promise<number> {
  const find = () => db.execute<{ id: number }>(sql`select id from users where role = 'owner' order by id limit 1`)
  const known = (await find()).rows[0]
  if (known) return Number(known.id)
  await db.execute(sql`
    insert into users (name, email, username, display_username, role)
    values ('Owner', 'owner@localhost', 'owner', 'owner', 'owner') on conflict do nothing`)
  return Number((await find()).rows[0]!.id)
}

/** What hangs on one's bookmarks, to take away and to bring back: highlights, stars given, pages preserved. */
import { createHash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import { starComment } from './comments.ts'
import type { Database } from './database.ts'
import type { Highlight } from './highlights.ts'
import {
  addImagesOf,
  type NewVersion,
  type PageVersion,
  type StoredImage,
  toVersion,
  type VersionRow,
} from './pages.ts'
import { json, moment, ms, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

/** An entry by what stays the same in another library: its address, or an article's name. */
export type EntryKey = { kind: 'article' | 'bookmark'; key: string }

export type OwnedHighlight = Omit<Highlight, 'username' | 'mine'>

/** All of one's own, by the entry, in the order in which they were made. */
export async function ownHighlights(db: Database, by: number): Promise<Map<number, OwnedHighlight[]>> {
  const found = new Map<number, OwnedHighlight[]>()
  for (let after = 0; ; ) {
    const { rows } = await db.execute<
      Omit<OwnedHighlight, 'createdAtMs' | 'entryId'> & { entry_id: number; created_ms: number }
    >(sql`
      select id, entry_id, medium, quote, prefix, suffix, position, color, note, private, ${ms(sql`created_at`)} as created_ms
      from highlights where user_id = ${by} and id > ${after} order by id limit 2000`)
    for (const { entry_id, created_ms, ...row } of rows) {
      const entryId = Number(entry_id)
      const mark = { ...row, id: Number(row.id), entryId, createdAtMs: Math.round(created_ms) }
      const marks = found.get(entryId)
      if (marks) marks.push(mark)
      else found.set(entryId, [mark])
      after = mark.id
    }
    if (rows.length < 2000) return found
  }
}

/** The stars that somebody gave, in the order of giving. */
export async function ownStars(
  db: Database,
  by: number,
): Promise<(EntryKey & { user: string; createdAtMs: number })[]> {
  const { rows } = await db.execute<EntryKey & { user: string; created_ms: number }>(sql`
    select e.kind, e.key, u.username as user, ${ms(sql`s.created_at`)} as created_ms
    from stars s join bookmarks b on b.id = s.bookmark_id join users u on u.id = b.user_id join entries e on e.id = b.entry_id
    where s.user_id = ${by} order by s.created_at, b.id`)
  return rows.map(({ kind, key, user, created_ms }) => ({ kind, key, user, createdAtMs: Math.round(created_ms) }))
}

/** Gives a star to what a user said of an entry; false if there is no such comment, or it may not be. */
export async function starAgain(db: Database, by: number, entry: EntryKey, user: string): Promise<boolean> {
  const { rows } = await db.execute<{ id: number }>(sql`
    select b.id from bookmarks b join users u on u.id = b.user_id join entries e on e.id = b.entry_id
    where ${isEntry(entry)} and u.username = ${plain(user).toLowerCase()}`)
  if (!rows[0]) return false
  try {
    await starComment(db, by, Number(rows[0].id), true)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

const isEntry = ({ kind, key }: EntryKey): SQL => sql`e.kind = ${kind} and md5(e.key) = md5(${plain(key)})`

export type OwnedPage = PageVersion & EntryKey & { images: StoredImage[] }

/** A version of a page that one bookmarked, with its images: the first behind that number. */
export async function nextOwnPage(db: Database, by: number, after = 0): Promise<OwnedPage | undefined> {
  const { rows } = await db.execute<VersionRow & EntryKey>(sql`
    select p.*, e.kind, e.key, ${ms(sql`p.fetched_at`)} as fetched_ms
    from page_versions p join entries e on e.id = p.entry_id
      join bookmarks b on b.entry_id = e.id and b.user_id = ${by}
    where p.id > ${after} order by p.id limit 1`)
  const row = rows[0]
  if (!row) return undefined
  const { rows: images } = await db.execute<{
    hash: string
    url: string
    content_type: string
    width: number | null
    height: number | null
    bytes: Uint8Array
  }>(sql`
    select i.hash, p.url, i.content_type, i.width, i.height, i.bytes
    from page_images p join images i on i.hash = p.hash where p.version_id = ${row.id} order by i.hash, p.url`)
  return {
    ...toVersion(row),
    kind: row.kind,
    key: row.key,
    images: images.map((image) => ({
      hash: image.hash,
      url: image.url,
      contentType: image.content_type,
      ...(image.width === null || image.height === null ? {} : { width: image.width, height: image.height }),
      bytes: image.bytes,
    })),
  }
}

/**
 * Brings a version back, as it was fetched then; false if it is there already. What others read as well isn't taken from
 * somebody's file: then only an owner's or a moderator's is. The page must be sanitised; an image's name must be its hash.
 */
export async function bringPage(
  db: Database,
  by: number,
  entry: EntryKey,
  version: NewVersion,
  fetchedAtMs: number,
): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const { rows: found } = await tx.execute<{ id: number; shared: boolean; trusted: boolean }>(sql`
      select e.id, exists (select from bookmarks o where o.entry_id = e.id and o.user_id <> ${by}) as shared,
        exists (select from users where id = ${by} and role in ('owner', 'moderator')) as trusted
      from entries e join bookmarks b on b.entry_id = e.id and b.user_id = ${by} where ${isEntry(entry)}`)
    const there = found[0]
    if (!there) throw new Refusal('not-found', 'a page without its bookmark')
    if (there.shared && !there.trusted) throw new Refusal('forbidden', 'others keep this page too: theirs stays')
    const { rows } = await tx.execute<{ id: number }>(sql`
      insert into page_versions (entry_id, fetched_at, url, status, content_type, hash, bytes, title, author, lang, html, text, about)
      select ${there.id}, ${moment(fetchedAtMs)}, ${plain(version.url)}, ${version.status}, ${plain(version.contentType)},
        ${plain(version.hash)}, ${version.bytes}, ${plain(version.title)}, ${plain(version.author)}, ${plain(version.lang)},
        ${plain(version.html)}, ${plain(version.text)}, ${json(version.about ?? {})}
      where not exists (select from page_versions where entry_id = ${there.id} and hash = ${plain(version.hash)}
        and abs(extract(epoch from fetched_at - ${moment(fetchedAtMs)})) < 1)
      returning id`)
    if (!rows[0]) return false
    for (const { bytes, hash } of version.images ?? [])
      if (createHash('sha256').update(bytes).digest('hex') !== hash)
        throw new Refusal('invalid', 'an image that isn’t what its name says')
    await addImagesOf(tx, Number(rows[0].id), version.images ?? [])
    return true
  })
}

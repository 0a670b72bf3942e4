/** Pages as they were when somebody looked: versions of their readable text, and the images in them. */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { json, moment, ms, plain } from './sql.ts'
import { inTransaction } from './transaction.ts'

export interface NewVersion {
  url: string
  status: number
  contentType: string
  /** Of what was fetched: the same again makes no second version. */
  hash: string
  bytes: number
  title: string
  author: string
  lang: string
  /** Sanitised. */
  html: string
  text: string
  about?: Record<string, unknown>
  images?: readonly StoredImage[]
}

export interface StoredImage {
  hash: string
  /** Its address in the page. */
  url: string
  contentType: string
  width?: number
  height?: number
  bytes: Uint8Array
}

export interface PageVersion extends Omit<NewVersion, 'images' | 'about'> {
  id: number
  entryId: number
  fetchedAtMs: number
  about: Record<string, unknown>
}

/** Keeps a version with its images, unless the last one is the same; its number, and whether it is new. */
export async function addVersion(
  db: Database,
  entryId: number,
  version: NewVersion,
  nowMs = Date.now(),
): Promise<{ id: number; added: boolean }> {
  return inTransaction(db, async (tx) => {
    const { rows: last } = await tx.execute<{ id: number; hash: string }>(sql`
      select id, hash from page_versions where entry_id = ${entryId} order by fetched_at desc, id desc limit 1`)
    if (last[0]?.hash === version.hash) return { id: Number(last[0].id), added: false }
    const { rows } = await tx.execute<{ id: number }>(sql`
      insert into page_versions (entry_id, fetched_at, url, status, content_type, hash, bytes, title, author, lang, html, text, about)
      values (${entryId}, ${moment(nowMs)}, ${plain(version.url)}, ${version.status}, ${plain(version.contentType)}, ${version.hash},
        ${version.bytes}, ${plain(version.title)}, ${plain(version.author)}, ${plain(version.lang)}, ${plain(version.html)},
        ${plain(version.text)}, ${json(version.about ?? {})}) returning id`)
    const id = Number(rows[0]!.id)
    await addImagesOf(tx, id, version.images ?? [])
    return { id, added: true }
  })
}

/** A version as it is read. */
export interface VersionRow {
  id: number
  entry_id: number
  fetched_ms: number
  url: string
  status: number
  content_type: string
  hash: string
  bytes: number
  title: string
  author: string
  lang: string
  html: string
  text: string
  about: Record<string, unknown>
}

export const toVersion = (row: VersionRow): PageVersion => ({
  id: Number(row.id),
  entryId: Number(row.entry_id),
  fetchedAtMs: Math.round(row.fetched_ms),
  url: row.url,
  status: row.status,
  contentType: row.content_type,
  hash: row.hash,
  bytes: row.bytes,
  title: row.title,
  author: row.author,
  lang: row.lang,
  html: row.html,
  text: row.text,
  about: row.about,
})

const visible = (viewer: number | undefined) =>
  sql`(e.listed or exists (select from bookmarks b where b.entry_id = e.id and b.user_id = ${viewer ?? null}::bigint))`

/** The latest version, or the one of that number; if the viewer may see its entry. */
export async function findVersion(
  db: Database,
  entryId: number,
  viewer: number | undefined,
  id?: number,
): Promise<PageVersion | undefined> {
  const { rows } = await db.execute<VersionRow>(sql`
    select p.*, ${ms(sql`p.fetched_at`)} as fetched_ms from page_versions p join entries e on e.id = p.entry_id
    where p.entry_id = ${entryId} and ${visible(viewer)} ${id === undefined ? sql`` : sql`and p.id = ${id}`}
    order by p.fetched_at desc, p.id desc limit 1`)
  return rows[0] && toVersion(rows[0])
}

/** All versions, newest first, without their texts. */
export async function listVersions(
  db: Database,
  entryId: number,
  viewer: number | undefined,
): Promise<{ id: number; fetchedAtMs: number; title: string; bytes: number; status: number }[]> {
  const { rows } = await db.execute<VersionRow>(sql`
    select p.id, p.title, p.bytes, p.status, ${ms(sql`p.fetched_at`)} as fetched_ms
    from page_versions p join entries e on e.id = p.entry_id
    where p.entry_id = ${entryId} and ${visible(viewer)} order by p.fetched_at desc, p.id desc limit 500`)
  return rows.map((row) => ({
    id: Number(row.id),
    fetchedAtMs: Math.round(row.fetched_ms),
    title: row.title,
    bytes: row.bytes,
    status: row.status,
  }))
}

/** A stored image; its name is the hash of its bytes, so whoever knows it has had the page. */
export async function findImage(
  db: Database,
  hash: string,
): Promise<{ contentType: string; bytes: Uint8Array } | undefined> {
  const { rows } = await db.execute<{ content_type: string; bytes: Uint8Array }>(sql`
    select content_type, bytes from images where hash = ${plain(hash)}`)
  return rows[0] && { contentType: rows[0].content_type, bytes: rows[0].bytes }
}

/** Keeps the images of a version. */
export async function addImagesOf(tx: Database, versionId: number, images: readonly StoredImage[]): Promise<void> {
  for (const image of images) {
    await addImage(tx, image)
    await tx.execute(sql`
      insert into page_images (version_id, hash, url) values (${versionId}, ${image.hash}, ${plain(image.url)})
      on conflict do nothing`)
  }
}

/** Keeps an image that stands alone: an entry's picture. */
export async function addImage(db: Database, image: Omit<StoredImage, 'url'>): Promise<void> {
  await db.execute(sql`
    insert into images (hash, content_type, width, height, bytes)
    values (${image.hash}, ${plain(image.contentType)}, ${image.width ?? null}, ${image.height ?? null}, ${Buffer.from(image.bytes)})
    on conflict (hash) do nothing`)
}

/** All that is somebody's own, to take away: read in pages, so that however much there is, little of it is in memory. */
import { sql } from 'drizzle-orm'
import type { OwnBookmark } from '#reading/library'
import type { Database } from './database.ts'
import { type MineRow, toMine } from './rows.ts'
import { ms } from './sql.ts'

export interface OwnedBookmark extends OwnBookmark {
  entryId: number
  kind: 'article' | 'bookmark'
  /** Address, or an article's name. */
  key: string
  pageTitle: string
  excerpt: string
  author: string
  lang: string
}

/** One's bookmarks in the order in which they were made, a page at a time: `after` is the last one's number. */
export async function ownBookmarks(db: Database, by: number, after = 0, limit = 500): Promise<OwnedBookmark[]> {
  const { rows } = await db.execute<
    MineRow & {
      entry_id: number
      kind: OwnedBookmark['kind']
      key: string
      page_title: string
      excerpt: string
      author: string
      lang: string
    }
  >(sql`
    select b.id, b.private, b.title, b.comment, b.note, b.tags, b.read_later, b.archived, b.favourite,
      ${ms(sql`b.created_at`)} as created_ms, ${ms(sql`b.updated_at`)} as updated_ms,
      e.id as entry_id, e.kind, e.key, e.title as page_title, e.excerpt, e.author, e.lang
    from bookmarks b join entries e on e.id = b.entry_id where b.user_id = ${by} and b.id > ${after} order by b.id limit ${limit}`)
  return rows.map((row) => ({
    ...toMine(row),
    entryId: Number(row.entry_id),
    kind: row.kind,
    key: row.key,
    pageTitle: row.page_title,
    excerpt: row.excerpt,
    author: row.author,
    lang: row.lang,
  }))
}

export interface Profile {
  id: number
  username: string
  name: string
  image: string | undefined
  createdAtMs: number
  /** As the viewer may see them. */
  bookmarks: number
  following: boolean
  blocked: boolean
}

/** What a user's page says above their list. */
export async function findProfile(
  db: Database,
  username: string,
  viewer: number | undefined,
): Promise<Profile | undefined> {
  const by = sql`${viewer ?? null}::bigint`
  const { rows } = await db.execute<{
    id: number
    username: string
    name: string
    image: string | null
    created: number
    bookmarks: number
    following: boolean
    blocked: boolean
  }>(sql`
    select u.id, coalesce(u.display_username, u.username) as username, u.name, u.image, ${ms(sql`u.created_at`)} as created,
      (select count(*)::int from bookmarks b where b.user_id = u.id and (b.shown or b.user_id = ${by})) as bookmarks,
      exists (select from follows where user_id = ${by} and kind = 'user' and target_id = u.id) as following,
      exists (select from hides where user_id = ${by} and kind = 'user' and target_id = u.id) as blocked
    from users u where u.username = ${username.replaceAll('\0', '').toLowerCase()}`)
  const row = rows[0]
  return (
    row && {
      id: Number(row.id),
      username: row.username,
      name: row.name,
      image: row.image ?? undefined,
      createdAtMs: Math.round(row.created),
      bookmarks: row.bookmarks,
      following: row.following,
      blocked: row.blocked,
    }
  )
}

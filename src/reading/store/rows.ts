/** An entry's row, as lists and pages read it. */
import { type SQL, sql } from 'drizzle-orm'
import type { ListedEntry, Medium, OwnBookmark, SavedBookmark } from '#reading/library'
import { ms, optionalMs } from './sql.ts'

export interface EntryRow {
  id: number
  kind: ListedEntry['kind']
  key: string
  site: string | null
  lang: string
  title: string
  excerpt: string
  author: string
  keywords: string[]
  texts: { lang: string; title: string; summary: string; keywords: string[] }[]
  medium: Medium
  picture: string | null
  reading_minutes: number | null
  published_ms: number | null
  listed_ms: number | null
  dead: boolean
  preserved: boolean
  users: number
  comments: number
  stars: number
  mine?: MineRow | null
  saved?: SavedRow | null
}

export interface MineRow {
  id: number
  private: boolean
  title: string
  comment: string
  note: string
  tags: string[]
  read_later: boolean
  archived: boolean
  favourite: boolean
  created_ms: number
  updated_ms: number
}

export interface SavedRow {
  id: number
  user_id: number
  username: string
  display: string | null
  name: string
  image: string | null
  private: boolean
  comment: string
  tags: string[]
  stars: number
  starred: boolean
  created_ms: number
}

export const entryColumns = sql`e.id, e.kind, e.key, e.site, e.lang, e.title, e.excerpt, e.author, e.keywords, e.texts,
  e.medium, e.picture, e.reading_minutes, ${ms(sql`e.published_at`)} as published_ms,
  ${ms(sql`coalesce(e.listed_at, e.added_at)`)} as listed_ms, e.dead_at is not null as dead,
  exists (select from page_versions pv where pv.entry_id = e.id) as preserved, e.users, e.comments, e.stars`

const mineColumns = sql`m.id, m.private, m.title, m.comment, m.note, m.tags, m.read_later, m.archived, m.favourite,
  ${ms(sql`m.created_at`)} as created_ms, ${ms(sql`m.updated_at`)} as updated_ms`

/** The viewer's own bookmark beside each entry. */
export const mineJoin = (viewer: number | undefined): SQL =>
  viewer === undefined
    ? sql``
    : sql`left join lateral (select ${mineColumns} from bookmarks m
        where m.user_id = ${viewer}::bigint and m.entry_id = e.id) mine on true`

/** The bookmark (b) of a user (u) by which the entry is in the list. */
export const savedColumns = (viewer: number | undefined): SQL => sql`, json_build_object('id', b.id, 'user_id', u.id,
  'username', u.username, 'display', u.display_username, 'name', u.name, 'image', u.image, 'private', b.private,
  'comment', b.comment, 'tags', b.tags, 'stars', b.stars, 'created_ms', ${ms(sql`b.created_at`)}, 'starred',
  ${viewer === undefined ? sql`false` : sql`exists (select from stars st where st.bookmark_id = b.id and st.user_id = ${viewer}::bigint)`}) as saved`

export function toEntry(row: EntryRow, lang: string): ListedEntry {
  const text = row.texts.find((each) => each.lang === lang) ?? row.texts[0]
  const saved = row.saved ? toSaved(row.saved) : undefined
  return {
    id: Number(row.id),
    kind: row.kind,
    key: row.key,
    site: row.site ?? undefined,
    lang: text?.lang ?? row.lang,
    title: (text?.title ?? row.title) || row.mine?.title || row.key,
    summary: text?.summary ?? row.excerpt,
    keywords: text?.keywords ?? row.keywords,
    languages: row.texts.length > 0 ? row.texts.map((each) => each.lang) : row.lang === '' ? [] : [row.lang],
    addedAtMs: saved?.createdAtMs ?? Math.round(row.listed_ms ?? 0),
    author: row.author,
    publishedAtMs: optionalMs(row.published_ms),
    readingMinutes: row.reading_minutes ?? undefined,
    medium: row.medium,
    picture: row.picture ?? undefined,
    dead: row.dead,
    preserved: row.preserved,
    users: row.users,
    comments: row.comments,
    stars: row.stars,
    mine: row.mine ? toMine(row.mine) : undefined,
    saved,
  }
}

export function toMine(row: MineRow): OwnBookmark {
  return {
    id: Number(row.id),
    private: row.private,
    title: row.title,
    comment: row.comment,
    note: row.note,
    tags: row.tags,
    readLater: row.read_later,
    archived: row.archived,
    favourite: row.favourite,
    createdAtMs: Math.round(row.created_ms),
    updatedAtMs: Math.round(row.updated_ms),
  }
}

export function toSaved(row: SavedRow): SavedBookmark {
  return {
    id: Number(row.id),
    user: {
      id: Number(row.user_id),
      username: row.display ?? row.username,
      name: row.name,
      image: row.image ?? undefined,
    },
    private: row.private,
    comment: row.comment,
    tags: row.tags,
    stars: row.stars,
    starred: row.starred,
    createdAtMs: Math.round(row.created_ms),
  }
}

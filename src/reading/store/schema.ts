/** The tables, in PostgreSQL's dialect. What `migrations/` makes must be what stands here: a test compares them. */
import { sql } from 'drizzle-orm'
import { bigint, index, integer, pgTable, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'

export { accounts, secrets, sessions, users, verifications } from './schema-people.ts'

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

export const sites = pgTable('sites', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  /** A host name without `www.`. */
  host: text('host').notNull().unique(),
})

export const entries = pgTable(
  'entries',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    kind: text('kind', { enum: ['article', 'bookmark'] }).notNull(),
    /** An article's name, or a bookmark's address. */
    key: text('key').notNull(),
    siteId: bigint('site_id', { mode: 'number' }).references(() => sites.id),
    addedAt: moment('added_at').notNull(),
    /** Of an article's files, so that a start reads only what changed. */
    contentHash: text('content_hash'),
    /** When an article's file was found to be gone. Its entry stays: what was said of it isn't lost. */
    goneAt: moment('gone_at'),
  },
  (table) => [
    uniqueIndex('entries_kind_key').on(table.kind, sql`md5(${table.key})`),
    index('entries_newest').on(table.addedAt.desc(), table.id.desc()),
    index('entries_site').on(table.siteId, table.addedAt.desc(), table.id.desc()),
  ],
)

/** An entry's words, one row a language; `place` 0 is the original. */
export const entryTexts = pgTable(
  'entry_texts',
  {
    entryId: bigint('entry_id', { mode: 'number' })
      .notNull()
      .references(() => entries.id, { onDelete: 'cascade' }),
    /** BCP 47; empty if nobody said. */
    lang: text('lang').notNull(),
    place: integer('place').notNull(),
    title: text('title').notNull(),
    summary: text('summary').notNull(),
  },
  (table) => [primaryKey({ columns: [table.entryId, table.lang] })],
)

export const keywords = pgTable('keywords', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  /** By which keywords are one; see foldKeyword. */
  folded: text('folded').notNull().unique(),
  /** As the first one wrote it. */
  name: text('name').notNull(),
})

/** A keyword of an entry, in the language of one of its texts. */
export const entryKeywords = pgTable(
  'entry_keywords',
  {
    entryId: bigint('entry_id', { mode: 'number' })
      .notNull()
      .references(() => entries.id, { onDelete: 'cascade' }),
    lang: text('lang').notNull(),
    keywordId: bigint('keyword_id', { mode: 'number' })
      .notNull()
      .references(() => keywords.id),
    place: integer('place').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.entryId, table.lang, table.keywordId] }),
    index('entry_keywords_keyword').on(table.keywordId, table.entryId),
  ],
)

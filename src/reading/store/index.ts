/**
 * The reading room's database (Node): PGlite in a folder, or PostgreSQL by address.
 *
 *     const store = await openStore({ folder: 'data' })
 *     const { entryId } = await store.bookmarks.save(user, { url: 'https://lwn.net/' }, { comment: '[news] weekly' })
 *     const page = await store.list({ lang: 'ja', viewer: user, order: 'popular', limit: 50 })
 *     await store.close()
 */
import type { Facets, ListPage, ListQuery } from '#reading/library'
import { type SyncReport, syncArticles } from './articles.ts'
import { type Bound, bind } from './bind.ts'
import { type Database, type DatabaseOptions, openDatabase } from './database.ts'
import { type ImportReport, importNetscape } from './import.ts'
import { listEntries, listFacets } from './list.ts'
import { migrate } from './migrate.ts'
import { createPeople, type People } from './people.ts'
import { recount } from './recount.ts'
import { type SearchPage, type SearchQuery, searchEntries } from './search.ts'
import { SUBJECTS } from './subjects.ts'

export { ARTICLE_BYTES_MAX, beside, type SyncReport } from './articles.ts'
export type { BookmarkChange, Flag, SavedResult, SaveTarget, TagCount } from './bookmarks.ts'
export type { EntryKey, OwnedHighlight, OwnedPage } from './carried.ts'
export type { CommentsPage, CommentsQuery } from './comments.ts'
export { type Database, DatabaseBusy, type DatabaseOptions } from './database.ts'
export { type ApiToken, type Invitation, SCOPES, type Scope, type Webhook } from './doors.ts'
export type { EntryTarget, PageFacts, SiteView } from './entries.ts'
export type { Feed, FeedItem, NewFeedItem, Subscription } from './feeds.ts'
export type { Followed, FollowTarget, HideTarget } from './follows.ts'
export { HIGHLIGHT_COLORS, type Highlight, type HighlightText } from './highlights.ts'
export type { ImportRefusal, ImportReport, NewBookmark, Refused, SavedMany, SaveManyOptions } from './import.ts'
export type { ImportState, ImportView } from './imports.ts'
export type { Job } from './jobs.ts'
export type { EditedGroup, KeywordCount, KeywordGroup, TrendingKeyword } from './keywords.ts'
export type { ModerationTarget, Report } from './moderation.ts'
export type { OwnedBookmark, Profile } from './own-data.ts'
export type { NewVersion, PageVersion, StoredImage } from './pages.ts'
export { type Account, type People, PeopleError, ROLES, type Role, type SignedIn } from './people.ts'
export { hasPostgres, startPostgres, type TemporaryServer } from './postgres.ts'
export type { SearchPage, SearchQuery, SearchResult } from './search.ts'
export { Refusal } from './sql.ts'
export { type EntryWords, writeManyWords } from './words.ts'

type Subjects = { readonly [Name in keyof typeof SUBJECTS]: Bound<(typeof SUBJECTS)[Name]> }

/** The library, kept; its methods by subject, see subjects.ts. */
export interface Store extends Subjects {
  /** For what works with tables itself: better-auth, and jobs. */
  readonly db: Database
  readonly engine: 'pglite' | 'postgresql'
  readonly people: People
  list(query: ListQuery): Promise<ListPage>
  facets(lang: string): Promise<Facets>
  search(query: SearchQuery): Promise<SearchPage>
  /** For the user given, else for the room's owner. */
  importNetscape(text: string, by?: number): Promise<ImportReport>
  syncArticles(folder: string): Promise<SyncReport>
  /** Counts all anew, after rows were written by other ways than these. */
  recount(): Promise<void>
  close(): Promise<void>
}

/** Where the environment says the data are: DATABASE_URL, else the folder KAIDOKU_DATA, else `data` here. */
export function databaseFromEnvironment(env: Record<string, string | undefined>): DatabaseOptions {
  return env['DATABASE_URL'] ? { url: env['DATABASE_URL'] } : { folder: env['KAIDOKU_DATA'] || 'data' }
}

/** Opens the library and brings its tables to the newest form. Without folder and url it is in memory. */
export async function openStore(options: DatabaseOptions): Promise<Store> {
  const { db, close } = await openDatabase(options)
  try {
    await migrate(db)
  } catch (error) {
    await close()
    throw error
  }
  const subjects = Object.fromEntries(
    Object.entries(SUBJECTS).map(([name, functions]) => [name, bind(db, functions)]),
  ) as unknown as Subjects
  return {
    ...subjects,
    db,
    engine: options.url === undefined ? 'pglite' : 'postgresql',
    people: createPeople(db),
    list: (query) => listEntries(db, query),
    facets: (lang) => listFacets(db, lang),
    search: (query) => searchEntries(db, query),
    importNetscape: (text, by) => importNetscape(db, text, by),
    syncArticles: (folder) => syncArticles(db, folder),
    recount: () => recount(db),
    close,
  }
}

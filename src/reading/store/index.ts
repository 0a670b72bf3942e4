/**
 * The reading room's database (Node): PGlite in a folder, or PostgreSQL by address.
 *
 *     const store = await openStore({ folder: 'data' })
 *     const report = await store.importNetscape(readFileSync('bookmarks.html', 'utf8'))
 *     const page = await store.list({ lang: 'ja', limit: 50 })
 *     await store.close()
 */
import type { Facets, ListPage, ListQuery } from '#reading/library'
import { type SyncReport, syncArticles } from './articles.ts'
import { type Database, type DatabaseOptions, openDatabase } from './database.ts'
import { type ImportReport, importNetscape } from './import.ts'
import { listEntries, listFacets } from './list.ts'
import { migrate } from './migrate.ts'
import { createPeople, type People } from './people.ts'

export { ARTICLE_BYTES_MAX, beside, type SyncReport } from './articles.ts'
export { type Database, DatabaseBusy, type DatabaseOptions } from './database.ts'
export type { ImportReport, Refused } from './import.ts'
export { type Account, type People, PeopleError, ROLES, type Role, type SignedIn } from './people.ts'

/** The library, kept. */
export interface Store {
  /** For what works with tables itself: better-auth, and jobs. */
  readonly db: Database
  readonly people: People
  list(query: ListQuery): Promise<ListPage>
  facets(lang: string): Promise<Facets>
  importNetscape(text: string): Promise<ImportReport>
  syncArticles(folder: string): Promise<SyncReport>
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
  return {
    db,
    people: createPeople(db),
    list: (query) => listEntries(db, query),
    facets: (lang) => listFacets(db, lang),
    importNetscape: (text) => importNetscape(db, text),
    syncArticles: (folder) => syncArticles(db, folder),
    close,
  }
}

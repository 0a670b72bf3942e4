/** The store of this process, opened once, and kept in step with the folder of articles. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseFromEnvironment, openStore, type Store } from '#reading/store'
import { env } from '$env/dynamic/private'
import { jobsOf, stopJobs } from './jobs.ts'

export const articlesFolder = () => env['KAIDOKU_ARTICLES'] || 'articles'

let opening: Promise<Store> | undefined
let opened: Store | undefined
let queries = 0

/** Queries since the process began; a test reads it. */
export const queriesSoFar = () => queries

/** Opens the database, or gives the one that is open. A failure is told, and tried again at the next request. */
export function openRoom(): Promise<Store> {
  opening ??= open().catch((error: unknown) => {
    opening = undefined
    console.error(`the library can't be opened: ${error instanceof Error ? error.message : error}`)
    throw error
  })
  opening.catch(() => {}) // Whoever waits for it gets it too; whoever only began it doesn't.
  return opening
}

async function open(): Promise<Store> {
  const store = await openStore({ ...databaseFromEnvironment(env), onQuery: () => queries++ })
  // adapter-node says it when the last request is answered. What is lost without it, the next start recovers.
  process.once('sveltekit:shutdown', () => {
    stopJobs()
      .then(() => store.close())
      .catch(() => {})
  })
  opened = store
  // What was cut off is gone on with, whether somebody asks for a page or not.
  jobsOf(store).catch((error: unknown) => console.error(`jobs: ${error instanceof Error ? error.message : error}`))
  return store
}

/** The store, if it is open: what can be shown without it needn't wait. */
export const roomIfOpen = () => opened

let seen = ''
let syncing: Promise<void> | undefined

/** The store, its articles as they are in the folder now: whoever writes one sees it in the list at once. */
export async function currentStore(): Promise<Store> {
  const store = await openRoom()
  await (syncing ??= sync(store).finally(() => {
    syncing = undefined
  }))
  return store
}

async function sync(store: Store): Promise<void> {
  const folder = articlesFolder()
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.md'))
    const stats = await Promise.all(names.map((name) => stat(join(folder, name))))
    const state = JSON.stringify(names.map((name, i) => [name, stats[i]!.mtimeMs, stats[i]!.size]))
    if (state === seen) return
    const report = await store.syncArticles(folder)
    for (const error of report.errors) console.error(error)
    seen = state
  } catch (error) {
    console.error(`the articles in ${folder} can't be read: ${error instanceof Error ? error.message : error}`)
  }
}

/** The store of this process, opened once, and kept in step with the folder of articles. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseFromEnvironment, openStore, type Store } from '#reading/store'
import { env } from '$env/dynamic/private'
import { jobsOf, stopJobs } from './jobs.ts'

export const articlesFolder = () => env['KAIDOKU_ARTICLES'] || 'articles'

let opening: Promise<Store> | undefined
let opened: Store | undefined
const counting = new AsyncLocalStorage<{ queries: number }>()

/** Runs what answers a request; `asked.queries` counts what it asks the database, and nothing that others ask. */
export const countQueries = <T>(asked: { queries: number }, answer: () => T) => counting.run(asked, answer)

/** Runs what no request waits for: its queries are nobody's. */
export const uncounted = <T>(work: () => T) => counting.exit(work)

function count() {
  const asked = counting.getStore()
  if (asked) asked.queries++
}

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
  const store = await openStore({ ...databaseFromEnvironment(env), onQuery: count })
  // adapter-node says it when the last request is answered. What is lost without it, the next start recovers.
  process.once('sveltekit:shutdown', () => {
    stopJobs()
      .then(() => store.close())
      .catch(() => {})
  })
  opened = store
  // What was cut off is gone on with, whether somebody asks for a page or not.
  uncounted(() => jobsOf(store)).catch((error: unknown) =>
    console.error(`jobs: ${error instanceof Error ? error.message : error}`),
  )
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

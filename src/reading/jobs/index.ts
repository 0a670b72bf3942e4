/**
 * Work in the background (Node): pages fetched, feeds polled, links checked, files taken in, webhooks told.
 *
 *     const jobs = await startJobs(store, { allowPrivate: false })
 *     await jobs.queue.add('fetch', { entryId, url })
 *     const id = await beginImport(store, jobs.queue, user, { name: 'bookmarks.html', bytes, private: true })
 *     await store.imports.find(user, id) // { state: 'running', done: 500, total: 100000, added: ..., report: [...] }
 *     await jobs.stop()
 */
import { sql } from 'drizzle-orm'
import { createRobots } from '#reading/collect'
import type { Store } from '#reading/store'
import { importHandler, resumeImports } from './import.ts'
import { addDue, feedHandler, fetchHandler, linkHandler, type WebOptions } from './pages.ts'
import { createBossQueue, createTableQueue, type Handler, type Queue } from './queue.ts'
import { webhookHandler } from './webhooks.ts'

export {
  beginImport,
  IMPORT_BYTES_MAX,
  IMPORT_CHUNK,
  importHandler,
  placeText,
  toNewBookmark,
} from './import.ts'
export { feedHandler, savePage, type WebOptions } from './pages.ts'
export { createBossQueue, createTableQueue, type Handler, type Outcome, type Queue, type QueuedJob } from './queue.ts'
export { announce, refusedAddress, signature } from './webhooks.ts'

export interface JobsOptions extends Partial<WebOptions> {
  /** The address of the PostgreSQL server, if the store is on one. */
  url?: string
  /** False: nothing comes due on its own; a test's. */
  periodic?: boolean
  /** Whether pages of imported bookmarks are fetched. */
  fetchPages?: boolean
  workers?: number
}

export interface Jobs {
  queue: Queue
  /** Looks for what has come due, now. */
  tick(): Promise<void>
  stop(): Promise<void>
}

const TICK_MS = 60_000

/** Only adds jobs; whoever runs the room works on them. For commands beside a running server on PostgreSQL, and tests. */
export function createQueue(store: Store, options: Pick<JobsOptions, 'url' | 'workers' | 'now'> = {}): Queue {
  if (store.engine === 'postgresql' && options.url) return createBossQueue(options.url)
  return createTableQueue(store, options)
}

/** Begins to work, and goes on with what was cut off. */
export async function startJobs(store: Store, options: JobsOptions = {}): Promise<Jobs> {
  const now = options.now ?? Date.now
  const web: WebOptions = {
    robots: options.robots ?? createRobots(),
    now,
    ...(options.allowPrivate === undefined ? {} : { allowPrivate: options.allowPrivate }),
    ...(options.resolve ? { resolve: options.resolve } : {}),
  }
  const queue = createQueue(store, options)
  // Nobody else can have PGlite open: whatever was in hand belonged to a process that is no more.
  if (store.engine === 'pglite')
    await store.db.execute(sql`update jobs set taken_until = null where taken_until is not null`)
  const { robots: _, now: __, ...fetching } = web
  const handlers: Record<string, Handler> = {
    fetch: fetchHandler(store, web),
    feed: feedHandler(store, web),
    link: linkHandler(store, web),
    webhook: webhookHandler(store, fetching),
    import: importHandler(store, queue, { fetchPages: options.fetchPages ?? true }),
  }
  const tick = () => addDue(store, queue, now())
  await resumeImports(store, queue)
  await queue.start(handlers)
  let timer: NodeJS.Timeout | undefined
  if (options.periodic !== false) {
    timer = setInterval(() => tick().catch((error: Error) => console.error(`jobs: ${error.message}`)), TICK_MS)
    timer.unref()
  }
  return {
    queue,
    tick,
    async stop() {
      clearInterval(timer)
      await queue.stop()
    },
  }
}

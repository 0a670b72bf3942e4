/**
 * Imports that run in this process: a file was kept before anything else, its bookmarks go in by chunks, and each chunk says
 * how far it came. So an import whose process dies goes on at the next start, where it stopped.
 */
import { type ExchangeRecord, ExchangeError, parseExchangeFile, type Place } from '#reading/exchange'
import type { ImportRefusal, NewBookmark, Store } from '#reading/store'

const CHUNK = 500
const REFUSALS_MAX = 1000

let running: Promise<void> | undefined
let again = false

/** Works on what is to be taken in; returns at once. */
export function importSoon(store: Store): void {
  if (running) {
    again = true
    return
  }
  running = importAll(store)
    .catch((error: unknown) => console.error(`an import stopped: ${error instanceof Error ? error.message : error}`))
    .finally(() => {
      running = undefined
      if (again) {
        again = false
        importSoon(store)
      }
    })
}

async function importAll(store: Store): Promise<void> {
  for (const id of await store.imports.unfinished()) {
    try {
      await importOne(store, id)
    } catch (error) {
      // The file itself can't be read: its reader is told. Anything else is our fault, and tried again at the next start.
      if (!(error instanceof ExchangeError)) throw error
      await store.imports.end(id, error.message)
    }
  }
}

async function importOne(store: Store, id: number): Promise<void> {
  const one = await store.imports.open(id)
  if (!one) return
  const { records, feeds, refused } = parseExchangeFile(one.content)
  const total = records.length + feeds.length
  await store.imports.setTotal(id, total)
  let unsaid: ImportRefusal[] = refused
    .slice(0, REFUSALS_MAX)
    .map(({ place, url, why }) => ({ place: placeText(place), url, what: why }))
  // What was refused by the parser is told with the first chunk, once.
  if (one.done > 0) unsaid = []
  for (let done = one.done; done < records.length || unsaid.length > 0; done += CHUNK) {
    const chunk = records.slice(done, done + CHUNK)
    await store.bookmarks.saveMany(
      one.userId,
      chunk.map((record) => toBookmark(record)),
      { private: one.private, import: { id, done: Math.min(done + chunk.length, records.length), refused: unsaid } },
      Date.now(),
    )
    unsaid = []
    // Pages are answered meanwhile.
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const feed of feeds) {
    await store.feeds.subscribe(one.userId, feed.url, { title: feed.title, folder: feed.folders.join('/') }).catch(() => {})
  }
  await store.imports.end(id)
}

const placeText = ({ item, line, file }: Place) =>
  [file, line === undefined ? `#${item}` : `${line}`].filter(Boolean).join(':')

/** Folders are keywords here. */
function toBookmark(record: ExchangeRecord): NewBookmark {
  return {
    url: record.url,
    title: record.title,
    comment: record.comment,
    note: record.note,
    excerpt: record.excerpt,
    author: record.author,
    tags: [...record.tags, ...record.folders],
    ...(record.private === undefined ? {} : { private: record.private }),
    readLater: record.readLater,
    archived: record.archived,
    favourite: record.favourite,
    ...(record.createdAtS === undefined ? {} : { createdAtMs: record.createdAtS * 1000 }),
  }
}

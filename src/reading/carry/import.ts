/** Imports: the file is kept until it is done, and how far it is stands in the same transaction as what was taken in. */
import { type ExchangeRecord, type Place, parseExchangeFile } from '#reading/exchange'
import type { ImportView, NewBookmark, Store } from '#reading/store'

const CHUNK = 500

/** Takes in the rest of an import; the same file gives the same records, so that its count is its place. */
export async function runImport(
  store: Store,
  id: number,
  onProgress?: (done: number, total: number) => void,
  decode?: (bytes: Uint8Array) => string,
): Promise<void> {
  const begun = await store.imports.open(id)
  if (!begun) return
  let parsed: ReturnType<typeof parseExchangeFile>
  try {
    parsed = parseExchangeFile(begun.content, decode)
  } catch (error) {
    await store.imports.end(id, error instanceof Error ? error.message : String(error))
    return
  }
  const { records, refused, feeds } = parsed
  await store.imports.setTotal(id, records.length)
  for (let at = begun.done; at < records.length; at += CHUNK) {
    const chunk = records.slice(at, at + CHUNK)
    const done = at + chunk.length
    const first = at === 0 ? refused.map(({ place, url, why }) => ({ place: placeOf(place), url, what: why })) : []
    await store.bookmarks.saveMany(begun.userId, chunk.map(toNew), {
      private: begun.private,
      import: { id, done, refused: first },
    })
    await addHighlights(store, begun, chunk)
    onProgress?.(done, records.length)
  }
  if (records.length === 0 && refused.length > 0)
    await store.bookmarks.saveMany(begun.userId, [], {
      import: {
        id,
        done: 0,
        refused: refused.map(({ place, url, why }) => ({ place: placeOf(place), url, what: why })),
      },
    })
  for (const feed of feeds)
    await store.feeds.subscribe(begun.userId, feed.url, { title: feed.title, folder: feed.folders.join('/') })
  await store.imports.end(id)
}

/** Those that a kill left half way, the oldest first. */
export async function runUnfinishedImports(store: Store): Promise<number> {
  const ids = await store.imports.unfinished()
  for (const id of ids) await runImport(store, id)
  return ids.length
}

/** Those that are new, of the chunk: an import that is taken up again meets its own. */
async function addHighlights(store: Store, begun: ImportView, chunk: ExchangeRecord[]) {
  for (const record of chunk.filter(({ highlights }) => highlights.length > 0)) {
    const entry = await store.entries.find({ url: record.url }, 'en', begun.userId)
    if (!entry) continue
    const there = await store.highlights.list({ entryId: entry.id, viewer: begun.userId })
    for (const { quote, note, prefix, suffix, position } of record.highlights) {
      if (there.some((mark) => mark.mine && mark.quote === quote && mark.prefix === (prefix ?? ''))) continue
      await store.highlights
        .add(begun.userId, entry.id, {
          medium: 'text',
          quote,
          note,
          ...(prefix === undefined ? {} : { prefix }),
          ...(suffix === undefined ? {} : { suffix }),
          ...(position === undefined ? {} : { position: { start: position } }),
        })
        .catch(() => {}) // Too long for us; the bookmark is kept.
    }
  }
}

const placeOf = ({ item, line, file }: Place) =>
  [file, line === undefined ? `item ${item}` : `line ${line}`].filter(Boolean).join(', ')

function toNew(record: ExchangeRecord): NewBookmark {
  return {
    url: record.url,
    title: record.title,
    comment: record.comment,
    note: record.note,
    excerpt: record.excerpt,
    author: record.author,
    tags: [...record.tags, ...record.folders],
    readLater: record.readLater,
    archived: record.archived,
    favourite: record.favourite,
    ...(record.private === undefined ? {} : { private: record.private }),
    ...(record.createdAtS === undefined ? {} : { createdAtMs: record.createdAtS * 1000 }),
  }
}

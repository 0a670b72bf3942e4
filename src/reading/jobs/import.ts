/**
 * Files of other services taken in, a chunk at a time: the rows of a chunk and how far the import is are written in one
 * transaction, so that one that died goes on behind the last chunk that is there.
 */
import { decodeText } from '#reading/collect'
import { ExchangeError, type ExchangeRecord, type ParsedFile, type Place, parseExchangeFile } from '#reading/exchange'
import { type NewBookmark, Refusal, type Store } from '#reading/store'
import { takeRest } from './everything.ts'
import type { Handler, Queue } from './queue.ts'
import { announce } from './webhooks.ts'

export const IMPORT_CHUNK = 500
// More new pages than that aren't fetched on their own: a site would be asked for thousands at once.
const FETCHED_MAX = 1000
export const IMPORT_BYTES_MAX = 128 * 1024 * 1024

/** Keeps a file and has it taken in; the import's number, to look at its progress by (`store.imports.find`). */
export async function beginImport(
  store: Store,
  queue: Queue,
  by: number,
  file: { name: string; bytes: Uint8Array; private: boolean },
): Promise<number> {
  if (file.bytes.length === 0) throw new Refusal('invalid', 'the file is empty')
  if (file.bytes.length > IMPORT_BYTES_MAX)
    throw new Refusal('invalid', `the file is larger than ${IMPORT_BYTES_MAX / 1024 / 1024} MB; split it`)
  const id = await store.imports.begin(by, {
    format: 'auto',
    fileName: file.name,
    content: file.bytes,
    private: file.private,
  })
  await queue.add('import', { importId: id }, { key: String(id) })
  return id
}

/** Begins again what was cut off: called when the room opens. */
export async function resumeImports(store: Store, queue: Queue): Promise<void> {
  for (const id of await store.imports.unfinished()) await queue.add('import', { importId: id }, { key: String(id) })
}

/** The place in words, as a report shows it. */
export function placeText({ file, line, item }: Place): string {
  const within = line === undefined ? `item ${item}` : `line ${line}`
  return file === undefined ? within : `${file}, ${within}`
}

/** A file's record as the store takes it. */
export function toNewBookmark(record: ExchangeRecord): NewBookmark {
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

export interface ImportOptions {
  /** Whether the pages of new bookmarks are fetched, if there aren't too many. */
  fetchPages?: boolean
}

/** The job: goes on where the import is. */
export function importHandler(store: Store, queue: Queue, options: ImportOptions = {}): Handler {
  return async ({ payload }, signal) => {
    const id = Number(payload['importId'])
    const open = await store.imports.open(id)
    if (!open || open.state === 'done' || open.state === 'failed') return undefined
    let file: ParsedFile
    try {
      file = parseExchangeFile(open.content, (bytes) => decodeText(bytes).text)
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      await store.imports.end(id, error.message)
      await announce(store, queue, open.userId, 'import.done', { id })
      return undefined
    }
    const { records, refused, feeds } = file
    await store.imports.setTotal(id, records.length + refused.length)
    const by = open.userId
    // What was cut off may have written a chunk's rows, but not all of what hangs on them: once more, twice is the same.
    const from = Math.min(open.done, records.length)
    if (from > 0) await addHighlights(store, by, records.slice(Math.max(0, from - IMPORT_CHUNK), from))
    for (let at = from; at < records.length; at += IMPORT_CHUNK) {
      if (signal.aborted) throw new Error('given up')
      const chunk = records.slice(at, at + IMPORT_CHUNK)
      await takeChunk(store, by, id, open.private, chunk, at + chunk.length, (entries) =>
        options.fetchPages && records.length <= FETCHED_MAX
          ? Promise.all(
              entries.map(({ entryId, url }) => queue.add('fetch', { entryId, url }, { key: String(entryId) })),
            )
          : Promise.resolve(),
      )
    }
    if (open.done < records.length + refused.length) {
      const listed = refused.map(({ place, url, why }) => ({ place: placeText(place), url, what: why }))
      await store.bookmarks.saveMany(by, [], { import: { id, done: records.length + refused.length, refused: listed } })
    }
    for (const feed of feeds) {
      try {
        const feedId = await store.feeds.subscribe(by, feed.url, {
          title: feed.title,
          folder: feed.folders.at(-1) ?? '',
        })
        await queue.add('feed', { feedId }, { key: String(feedId) })
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
      }
    }
    if (file.format === 'kaidoku') await takeRest(store, by, id, open.content)
    await store.imports.end(id)
    await announce(store, queue, by, 'import.done', { id })
    return undefined
  }
}

async function takeChunk(
  store: Store,
  by: number,
  id: number,
  isPrivate: boolean,
  chunk: ExchangeRecord[],
  done: number,
  fetch: (entries: { entryId: number; url: string }[]) => Promise<unknown>,
): Promise<void> {
  const bookmarks = await Promise.all(chunk.map((record) => withArticle(store, by, record)))
  const saved = await store.bookmarks.saveMany(by, bookmarks, { private: isPrivate, import: { id, done } })
  await fetch(saved.newEntries)
  const late = saved.results.flatMap((result, i) =>
    'refused' in result ? [{ place: placeText(chunk[i]!.place), url: chunk[i]!.url, what: result.refused }] : [],
  )
  // The store has counted them; here they are listed. Twice listed after a kill is better than never.
  await store.imports.refuse(id, late)
  await addHighlights(store, by, chunk)
}

/** An article of this library, if the record is one and the library has it; else it is a page like others. */
async function withArticle(store: Store, by: number, record: ExchangeRecord): Promise<NewBookmark> {
  const bookmark = toNewBookmark(record)
  const { article } = record
  return article !== undefined && (await store.entries.find({ article }, 'en', by))
    ? { ...bookmark, article }
    : bookmark
}

async function addHighlights(store: Store, by: number, records: readonly ExchangeRecord[]): Promise<void> {
  for (const record of records) {
    if (record.highlights.length === 0) continue
    const { article } = record
    const own = article === undefined ? undefined : await store.entries.find({ article }, 'en', by)
    const entryId = own?.id ?? (await store.entries.ensure(record.url)).entryId
    const known = new Set(
      (await store.highlights.list({ entryId, viewer: by })).filter(({ mine }) => mine).map(({ quote }) => quote),
    )
    for (const { quote, note, prefix, suffix, position, createdAtS, ...more } of record.highlights) {
      if (known.has(quote)) continue
      known.add(quote)
      const text = {
        medium: 'text' as const,
        ...more,
        quote,
        note,
        ...(prefix === undefined ? {} : { prefix }),
        ...(suffix === undefined ? {} : { suffix }),
        ...(position === undefined ? {} : { position: { start: position } }),
      }
      const at = createdAtS === undefined ? undefined : createdAtS * 1000
      await store.highlights.add(by, entryId, text, at)
    }
  }
}

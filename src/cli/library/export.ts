/** `kaidoku export FORMAT`: what is one's own, as a file. */
import { createWriteStream, existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { BOOKMARK_STATES, type BookmarkState } from '#reading/library'
import { UsageError } from '../command.ts'
import { printError } from '../terminal.ts'
import { OWN_EXPORTS, type OwnExport } from './formats.ts'
import { addressOf, LibraryError } from './index.ts'
import { type Local, targetOf, withStore } from './local.ts'

const CHAPTERS_MAX = 1000

export async function exportOwnFile(
  format: OwnExport,
  words: string[],
  options: { out?: string; yes?: boolean; data?: string; as?: string; state?: string; tag?: string },
): Promise<number> {
  if (format !== 'epub' && words.length > 0)
    throw new UsageError(`kaidoku export ${format}: what is '${words[0]}' for?`)
  const out = options.out ?? OWN_EXPORTS[format]
  if (out !== '-' && existsSync(out) && !options.yes)
    throw new UsageError(`kaidoku: ${out} is there already; --yes writes over it`)
  return withStore(options, async (local) => {
    const { exportOwn } = await import('#reading/carry')
    const { store, by } = local
    if (format === 'epub') {
      const { bytes, chapters } = await book(local, words, options)
      if (out === '-') process.stdout.write(bytes)
      else await writeFile(out, bytes)
      if (out !== '-') printError(`kaidoku: ${chapters} chapters in ${out}`)
      return 0
    }
    const pieces = Readable.from(exportOwn(store, by, format === 'everything' ? 'kaidoku' : format))
    const packed = format === 'everything' && out.endsWith('.gz') ? [createGzip()] : []
    if (out === '-') {
      for await (const piece of pieces) process.stdout.write(piece as string)
      return 0
    }
    // It appears when it is whole.
    const partial = `${out}.partial`
    try {
      await pipeline([pieces, ...packed, createWriteStream(partial, { mode: 0o600 })])
      await rename(partial, out)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
    printError(`kaidoku: ${out}`)
    return 0
  })
}

/** Pages that are preserved, as a book: those named, those of a tag, or those to be read later. */
async function book({ store, by, account }: Local, words: string[], options: { state?: string; tag?: string }) {
  const { createEpub } = await import('#reading/exchange')
  const ids: number[] = []
  for (const word of words) {
    const found = await store.entries.find(targetOf(addressOf('export epub', [word])), 'en', by)
    if (!found) throw new LibraryError(`${word}: nobody has bookmarked this yet`)
    ids.push(found.id)
  }
  const state = options.state ?? (options.tag === undefined ? 'later' : undefined)
  if (state !== undefined && !BOOKMARK_STATES.includes(state as BookmarkState))
    throw new UsageError(`kaidoku export: --state: '${state}' is not one of ${BOOKMARK_STATES.join(', ')}`)
  for (let cursor: string | undefined; words.length === 0 && ids.length < CHAPTERS_MAX; ) {
    const page = await store.list({
      lang: 'en',
      viewer: by,
      user: account.handle,
      limit: 200,
      ...(state === undefined ? {} : { state: state as BookmarkState }),
      ...(options.tag === undefined ? {} : { tag: options.tag }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    ids.push(...page.entries.map(({ id }) => id))
    if ((cursor = page.older) === undefined) break
  }
  const chapters = []
  const images = new Map<string, { src: string; type: 'image/png'; bytes: Uint8Array }>()
  for (const id of ids.slice(0, CHAPTERS_MAX)) {
    const page = await store.pages.find(id, by)
    if (!page?.html) continue
    for (const [, src = '', hash = ''] of page.html.matchAll(/src="(\/[^"]*?([0-9a-f]{64})[^"]*)"/gu)) {
      const image = images.has(src) ? undefined : await store.pages.image(hash)
      if (image) images.set(src, { src, type: image.contentType as 'image/png', bytes: image.bytes })
    }
    chapters.push({ title: page.title, html: page.html, author: page.author, url: page.url, lang: page.lang })
  }
  if (chapters.length === 0) throw new LibraryError('none of these pages is preserved; kaidoku fetch preserves them')
  const bytes = createEpub({
    identifier: `urn:kaidoku:${account.handle}:${words.join(' ') || options.tag || state}`,
    title:
      chapters.length === 1 ? chapters[0]!.title : `Kaidoku: ${options.tag ?? state ?? `${chapters.length} pages`}`,
    author: account.name,
    lang: chapters[0]!.lang || 'en',
    modifiedAtS: Math.floor(Date.now() / 1000),
    chapters,
    images: [...images.values()],
  })
  return { bytes, chapters: chapters.length }
}

/** All that is one's own, to take home: written piece by piece, however much there is. */
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { error } from '@sveltejs/kit'
import {
  createEpub,
  type Everything,
  type EverythingBookmark,
  type ExportedBookmark,
  formatEverything,
  formatNetscape,
  formatOpml,
} from '#reading/exchange'
import type { OwnedBookmark, Store } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import { mustUser, storeFor } from '$lib/server/desk.ts'
import type { RequestHandler } from './$types'

const CHAPTERS_MAX = 100
const PAGE = 500

export const GET: RequestHandler = async (event) => {
  const user = mustUser(event)
  const store = await storeFor(event)
  const name = event.params.file
  const origin = event.url.origin
  if (name === 'bookmarks.html') {
    const rows: ExportedBookmark[] = []
    for await (const each of allOf(store, user.id)) rows.push(recordOf(each, origin))
    return download(name, 'text/html; charset=utf-8', [...formatNetscape(`Kaidoku: ${user.name}`, rows)].join(''))
  }
  if (name === 'feeds.opml') {
    const feeds = await store.feeds.list(user.id)
    const text = formatOpml(
      `Kaidoku: ${user.name}`,
      feeds.map(({ url, title, home, folder }) => ({ url, title, siteUrl: home, folder })),
    )
    return download(name, 'text/x-opml; charset=utf-8', text)
  }
  if (name === 'later.epub') return download(name, 'application/epub+zip', await book(store, user, event.locals.locale))
  if (name === 'kaidoku.json.gz') {
    const all = await everything(store, user, origin)
    const pieces = Readable.from(formatEverything(all, new Date().toISOString()))
    return download(name, 'application/gzip', Readable.toWeb(pieces.pipe(createGzip())) as ReadableStream)
  }
  error(404, m.not_found())
}

const download = (name: string, type: string, body: BodyInit) =>
  new Response(body, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="${name}"`,
      'cache-control': 'private, no-store',
    },
  })

async function* allOf(store: Store, userId: number): AsyncGenerator<OwnedBookmark> {
  let after = 0
  for (;;) {
    const page = await store.bookmarks.page(userId, after, PAGE)
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)!.id
  }
}

const addressOf = (one: OwnedBookmark, origin: string) =>
  one.kind === 'article' ? `${origin}/articles/${encodeURIComponent(one.key)}` : one.key

const seconds = (ms: number) => Math.round(ms / 1000)

function recordOf(one: OwnedBookmark, origin: string): EverythingBookmark {
  return {
    url: addressOf(one, origin),
    title: one.title || one.pageTitle,
    tags: one.tags,
    folders: [],
    comment: one.comment,
    note: one.note,
    excerpt: one.excerpt,
    author: one.author,
    lang: one.lang,
    private: one.private,
    readLater: one.readLater,
    archived: one.archived,
    favourite: one.favourite,
    createdAtS: seconds(one.createdAtMs),
    updatedAtS: seconds(one.updatedAtMs),
    highlights: [],
  }
}

async function everything(store: Store, user: App.User, origin: string): Promise<Everything> {
  const [follows, groups, feeds, highlights, settings] = await Promise.all([
    store.follows.list(user.id),
    store.keywords.index(),
    store.feeds.list(user.id),
    store.highlights.list({ viewer: user.id, limit: 5000 }),
    store.settings.read(user.id),
  ])
  const marked = Map.groupBy(highlights.filter(({ mine }) => mine), ({ entryId }) => entryId)
  async function* bookmarks(): AsyncGenerator<EverythingBookmark> {
    for await (const one of allOf(store, user.id)) {
      yield {
        ...recordOf(one, origin),
        highlights: (marked.get(one.entryId) ?? []).map(({ quote, note, prefix, suffix, createdAtMs }) => ({
          quote,
          note,
          prefix,
          suffix,
          createdAtS: seconds(createdAtMs),
        })),
      }
    }
  }
  async function* pages() {
    for await (const one of allOf(store, user.id)) {
      if (one.kind === 'article') continue
      const page = await store.pages.find(one.entryId, user.id)
      if (!page) continue
      yield {
        url: one.key,
        hash: page.hash,
        title: page.title,
        html: page.html,
        text: page.text,
        fetchedAtS: seconds(page.fetchedAtMs),
      }
    }
  }
  return {
    user: { name: user.handle, displayName: user.name },
    settings: { ...settings },
    follows: [
      ...follows.users.map((name) => ({ kind: 'user' as const, name })),
      ...follows.sites.map((name) => ({ kind: 'site' as const, name })),
      ...follows.keywords.map((name) => ({ kind: 'keyword' as const, name })),
    ],
    keywordGroups: groups.map(({ names, keywords }) => ({
      name: names['en'] ?? Object.values(names)[0] ?? '',
      keywords: keywords.map(({ name }) => name),
    })),
    feeds: feeds.map(({ url, title, home, folder }) => ({ url, title, siteUrl: home, folder })),
    stars: [],
    bookmarks: bookmarks(),
    pages: pages(),
  }
}

/** What is to be read later and is preserved, as a book. */
async function book(store: Store, user: App.User, lang: string): Promise<BodyInit> {
  const { entries } = await store.list({ lang, viewer: user.id, user: user.handle, state: 'later', limit: CHAPTERS_MAX })
  const chapters = []
  for (const entry of entries) {
    if (entry.kind === 'article') continue
    const page = await store.pages.find(entry.id, user.id)
    const html = page?.html || `<p>${entry.summary.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</p>`
    chapters.push({
      title: page?.title || entry.title,
      html,
      url: entry.key,
      ...(entry.author ? { author: entry.author } : {}),
      ...(page?.lang || entry.lang ? { lang: page?.lang || entry.lang } : {}),
    })
  }
  const now = Math.floor(Date.now() / 1000)
  return Buffer.from(
    createEpub({
      identifier: `urn:kaidoku:later:${user.handle}`,
      title: `${m.later()} · Kaidoku`,
      author: user.name,
      lang,
      modifiedAtS: now,
      chapters,
    }),
  )
}

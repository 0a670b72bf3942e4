/** All that is one's own, to take home: written piece by piece, however much there is. */
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { error } from '@sveltejs/kit'
import { exportOwn } from '#reading/carry'
import { createEpub, formatOpml } from '#reading/exchange'
import type { Store } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import { mustUser, storeFor } from '$lib/server/desk.ts'
import type { RequestHandler } from './$types'

const CHAPTERS_MAX = 100

export const GET: RequestHandler = async (event) => {
  const user = mustUser(event)
  const store = await storeFor(event)
  const name = event.params.file
  if (name === 'bookmarks.html') {
    const pieces = Readable.from(exportOwn(store, user.id, 'netscape', event.url.origin))
    return download(name, 'text/html; charset=utf-8', Readable.toWeb(pieces) as ReadableStream)
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
    const pieces = Readable.from(exportOwn(store, user.id, 'kaidoku', event.url.origin))
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

/** What is to be read later and is preserved, as a book. */
async function book(store: Store, user: App.User, lang: string): Promise<BodyInit> {
  const { entries } = await store.list({
    lang,
    viewer: user.id,
    user: user.handle,
    state: 'later',
    limit: CHAPTERS_MAX,
  })
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

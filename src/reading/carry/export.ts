/** All of one's own, in pieces: however much there is, a page of it at a time is in memory. */
import {
  type EverythingPage,
  type ExchangeHighlight,
  formatEverything,
  formatNetscape,
  formatOpml,
} from '#reading/exchange'
import type { EntryKey, OwnedBookmark, OwnedHighlight, Store } from '#reading/store'

/** What an export may be written as: its media type and the end of its file's name. */
export const EXPORTS = {
  kaidoku: { type: 'application/json; charset=utf-8', extension: 'kaidoku.json' },
  netscape: { type: 'text/html; charset=utf-8', extension: 'html' },
  csv: { type: 'text/csv; charset=utf-8', extension: 'csv' },
  opml: { type: 'text/x-opml; charset=utf-8', extension: 'opml' },
} as const
export type ExportFormat = keyof typeof EXPORTS

const seconds = (ms: number) => Math.round(ms / 1000)

/** One's own data in a format; `origin` makes addresses of articles. */
export async function* exportOwn(
  store: Store,
  by: number,
  format: ExportFormat,
  origin = 'http://localhost:3000',
  nowMs = Date.now(),
): AsyncGenerator<string> {
  const records = bookmarksOf(store, by, origin)
  if (format === 'netscape') yield* netscape(records)
  else if (format === 'csv') yield* csv(records)
  else if (format === 'opml') yield opml(await store.feeds.list(by))
  else yield* everything(store, by, records, origin, nowMs)
}

async function* netscape(records: AsyncIterable<OwnedRecord>) {
  let begun = false
  // The format's frame stands once, around all pages of it.
  const frame = [...formatNetscape('Kaidoku', [])].join('')
  const [head, tail] = [frame.slice(0, frame.lastIndexOf('</DL>')), frame.slice(frame.lastIndexOf('</DL>'))]
  for await (const record of records) {
    if (!begun) yield head
    begun = true
    yield [...formatNetscape('Kaidoku', [record])].join('').slice(head.length, -tail.length)
  }
  yield begun ? tail : frame
}

// A spreadsheet would run what begins so.
const cell = (value: string) => `"${(/^[=+\-@\t\r]/u.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`

async function* csv(records: AsyncIterable<OwnedRecord>) {
  yield 'url,title,tags,comment,note,private,readLater,archived,favourite,created\r\n'
  for await (const record of records) {
    const created = record.createdAtS === undefined ? '' : new Date(record.createdAtS * 1000).toISOString()
    const texts = [record.url, record.title, record.tags.join(', '), record.comment, record.note]
    const flags = [record.private, record.readLater, record.archived, record.favourite].map(String)
    yield `${[...texts.map(cell), ...flags, created].join(',')}\r\n`
  }
}

const opml = (feeds: Awaited<ReturnType<Store['feeds']['list']>>) =>
  formatOpml(
    'Kaidoku',
    feeds.map((feed) => ({ url: feed.url, title: feed.title, siteUrl: feed.home, folder: feed.folder })),
  )

async function* everything(
  store: Store,
  by: number,
  bookmarks: AsyncIterable<OwnedRecord>,
  origin: string,
  nowMs: number,
) {
  const [account, settings, follows, groups, feeds, stars] = await Promise.all([
    store.people.find({ id: by }),
    store.settings.read(by),
    store.follows.list(by),
    store.keywords.index(),
    store.feeds.list(by),
    store.comments.starred(by),
  ])
  const named = (kind: 'user' | 'site' | 'keyword', all: readonly string[]) => all.map((name) => ({ kind, name }))
  yield* formatEverything(
    {
      user: { name: account?.handle ?? '', displayName: account?.name ?? '' },
      settings,
      follows: [
        ...named('user', follows.users),
        ...named('site', follows.sites),
        ...named('keyword', follows.keywords),
      ],
      keywordGroups: groups.map(({ names: { en = '', ...names }, keywords }) => ({
        name: en,
        names,
        keywords: keywords.map((keyword) => keyword.name),
      })),
      feeds: feeds.map(({ url, title, home, folder }) => ({
        url,
        title: title === url ? '' : title,
        siteUrl: home,
        folder,
      })),
      stars: stars.map((star) => ({
        ...addressOf(star, origin),
        user: star.user,
        createdAtS: seconds(star.createdAtMs),
      })),
      bookmarks,
      pages: pagesOf(store, by, origin),
    },
    new Date(nowMs).toISOString(),
  )
}

/** An article's address is of this server; its name is the same in every library. */
const addressOf = ({ kind, key }: EntryKey, origin: string) =>
  kind === 'article' ? { url: `${origin}/articles/${encodeURIComponent(key)}`, article: key } : { url: key }

async function* pagesOf(store: Store, by: number, origin: string): AsyncGenerator<EverythingPage> {
  for (let after = 0; ; ) {
    const page = await store.pages.nextOwn(by, after)
    if (!page) return
    yield {
      ...addressOf(page, origin),
      finalUrl: page.url,
      status: page.status,
      contentType: page.contentType,
      hash: page.hash,
      title: page.title,
      author: page.author,
      lang: page.lang,
      html: page.html,
      text: page.text,
      about: page.about,
      images: page.images.map(({ url, bytes }) => ({ url, base64: Buffer.from(bytes).toString('base64') })),
      fetchedAtS: seconds(page.fetchedAtMs),
    }
    after = page.id
  }
}

async function* bookmarksOf(store: Store, by: number, origin: string) {
  const highlights = await store.highlights.own(by)
  for (let after = 0; ; ) {
    const page = await store.bookmarks.page(by, after)
    for (const owned of page) yield toRecord(owned, highlights.get(owned.entryId) ?? [], origin)
    if (page.length === 0) return
    after = page.at(-1)!.id
  }
}

type OwnedRecord = ReturnType<typeof toRecord>

function toRecord(owned: OwnedBookmark, highlights: readonly OwnedHighlight[], origin: string) {
  return {
    ...addressOf(owned, origin),
    title: owned.title || owned.pageTitle,
    tags: owned.tags,
    folders: [] as string[],
    comment: owned.comment,
    note: owned.note,
    excerpt: owned.excerpt,
    author: owned.author,
    lang: owned.lang,
    private: owned.private,
    readLater: owned.readLater,
    archived: owned.archived,
    favourite: owned.favourite,
    createdAtS: seconds(owned.createdAtMs),
    updatedAtS: seconds(owned.updatedAtMs),
    highlights: highlights.map(toExchange),
  }
}

function toExchange(mark: OwnedHighlight): ExchangeHighlight {
  const position = mark.position['start']
  return {
    quote: mark.quote,
    note: mark.note,
    createdAtS: seconds(mark.createdAtMs),
    prefix: mark.prefix,
    suffix: mark.suffix,
    color: mark.color,
    private: mark.private,
    ...(mark.medium === 'transcript' ? { medium: mark.medium } : {}),
    ...(typeof position === 'number' ? { position } : {}),
  }
}

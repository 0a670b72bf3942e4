/** All that is somebody's own, as a file in pieces: read a page at a time, so that little of it is in memory. */
import {
  type EverythingBookmark,
  type EverythingFollow,
  formatEverything,
  formatIso,
  formatNetscape,
} from '#reading/exchange'
import type { OwnedBookmark, Store } from '#reading/store'

async function* bookmarksOf(store: Store, by: number, highlights: boolean): AsyncGenerator<EverythingBookmark> {
  let after = 0
  for (;;) {
    const page = await store.bookmarks.page(by, after, 500)
    for (const bookmark of page) if (bookmark.kind === 'bookmark') yield await toRecord(store, by, bookmark, highlights)
    if (page.length < 500) return
    after = page.at(-1)!.id
  }
}

async function toRecord(
  store: Store,
  by: number,
  bookmark: OwnedBookmark,
  highlights: boolean,
): Promise<EverythingBookmark> {
  const own = highlights
    ? (await store.highlights.list({ entryId: bookmark.entryId, viewer: by })).filter(({ mine }) => mine)
    : []
  return {
    url: bookmark.key,
    title: bookmark.title || bookmark.pageTitle,
    tags: bookmark.tags,
    folders: [],
    comment: bookmark.comment,
    note: bookmark.note,
    excerpt: bookmark.excerpt,
    author: bookmark.author,
    lang: bookmark.lang,
    private: bookmark.private,
    readLater: bookmark.readLater,
    archived: bookmark.archived,
    favourite: bookmark.favourite,
    createdAtS: Math.floor(bookmark.createdAtMs / 1000),
    updatedAtS: Math.floor(bookmark.updatedAtMs / 1000),
    highlights: own.map(({ quote, note, prefix, suffix, position, createdAtMs }) => ({
      quote,
      note,
      createdAtS: Math.floor(createdAtMs / 1000),
      prefix,
      suffix,
      ...(typeof position['start'] === 'number' ? { position: position['start'] } : {}),
    })),
  }
}

/** Everything of a user in one file: JSON of a version; taken in again, it is the same state. */
export async function* exportEverything(
  store: Store,
  by: number,
  user: { name: string; displayName: string },
  nowMs = Date.now(),
): AsyncGenerator<string> {
  const feeds = (await store.feeds.list(by)).map(({ url, title, home, folder }) => ({
    url,
    title: title === url ? '' : title,
    siteUrl: home,
    folder,
  }))
  const { users, sites, keywords } = await store.follows.list(by)
  const named = (kind: EverythingFollow['kind'], all: readonly string[]) => all.map((name) => ({ kind, name }))
  const follows = [...named('user', users), ...named('site', sites), ...named('keyword', keywords)]
  yield* formatEverything(
    {
      user,
      settings: await store.settings.read(by),
      follows,
      keywordGroups: [],
      feeds,
      stars: [],
      bookmarks: bookmarksOf(store, by, true),
      pages: [],
    },
    formatIso(nowMs / 1000),
  )
}

/** One's bookmarks as every browser reads them. */
export async function* exportNetscape(store: Store, by: number, title: string): AsyncGenerator<string> {
  const [head, tail] = [...formatNetscape(title, [])].reduce<[string, string]>(
    ([first, last], piece, i, all) => (i === all.length - 1 ? [first, piece] : [first + piece, last]),
    ['', ''],
  )
  yield head
  for await (const record of bookmarksOf(store, by, false)) {
    // The format's own lines of one bookmark: what stands between its head and its end.
    const pieces = [...formatNetscape(title, [record])]
    yield pieces.slice(2, -1).join('')
  }
  yield tail
}

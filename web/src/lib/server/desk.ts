/** Where the pages ask: what the store keeps, as they show it. */
import { error } from '@sveltejs/kit'
import { foldKeyword, type ListedEntry, type ListQuery, parseAddress, type SavedBookmark } from '#reading/library'
import type { Store } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import type { CommentView, EntryView } from '$lib/views.ts'
import { jobsOf } from './jobs.ts'
import { currentStore, uncounted } from './room.ts'

export const PAGE = 40

/** What a page's load is asked with, as far as the desk looks. */
export interface Asked {
  url: URL
  locals: App.Locals
  setHeaders?: (headers: Record<string, string>) => void
}

/** A word of the address, within bounds. */
export const word = (url: URL, name: string) => url.searchParams.get(name)?.slice(0, 300) || undefined

/** The store for a page; what it says about itself if it can't be had. */
export async function storeFor(asked: Asked): Promise<Store> {
  try {
    asked.setHeaders?.({ 'cache-control': 'private, no-cache' })
  } catch {
    // A page asks for several things; the first has said it.
  }
  try {
    return await currentStore()
  } catch (cause) {
    error(503, m.library_closed({ message: cause instanceof Error ? cause.message : String(cause) }))
  }
}

/** A page of entries. */
export async function listFor(asked: Asked, query: Partial<ListQuery>) {
  const store = await storeFor(asked)
  return pageOf(await store.list(queryOf(asked, query)))
}

/** What a list is asked for, by whom, in which language, from where. */
export function queryOf({ url, locals }: Asked, query: Partial<ListQuery>): ListQuery {
  const cursor = word(url, 'at')
  return {
    lang: locals.locale,
    limit: PAGE,
    ...(locals.user ? { viewer: locals.user.id } : {}),
    ...(cursor ? { cursor } : {}),
    ...query,
  }
}

export function pageOf(page: { entries: ListedEntry[]; newer: string | undefined; older: string | undefined }) {
  return { entries: page.entries.map(viewOf), newer: page.newer, older: page.older }
}

/** An entry as a list shows it. */
export function viewOf(entry: ListedEntry): EntryView {
  const { mine } = entry
  return {
    id: entry.id,
    kind: entry.kind,
    url: entry.kind === 'article' ? `articles/${entry.key}` : entry.key,
    site: entry.site,
    lang: entry.lang,
    title: entry.title,
    excerpt: entry.summary,
    keywords: entry.keywords,
    languages: entry.languages,
    addedAtMs: entry.addedAtMs,
    publishedAtMs: entry.publishedAtMs,
    author: entry.author || undefined,
    minutes: entry.readingMinutes || undefined,
    medium: entry.medium,
    users: entry.users,
    comments: entry.comments,
    stars: entry.stars,
    preserved: entry.preserved,
    dead: entry.dead,
    said: entry.saved
      ? { comment: entry.saved.comment, tags: entry.saved.tags }
      : mine && { comment: mine.comment, tags: mine.tags },
    mine: mine && {
      bookmarkId: mine.id,
      public: !mine.private,
      comment: mine.comment,
      note: mine.note,
      tags: mine.tags,
      readLater: mine.readLater,
      archived: mine.archived,
      favourite: mine.favourite,
    },
  }
}

/** The one who asks, who must be signed in. */
export function mustUser({ locals }: { locals: App.Locals }): App.User {
  if (!locals.user) error(401, m.sign_in_first())
  return locals.user
}

const TRENDING_MS = 60_000
const trends: { untilMs: number; words: string[] } = { untilMs: 0, words: [] }

/**
 * Words read much of late; none while the room is closed. Asked for once a minute, and no page waits for it: it shows
 * what was known.
 */
export function trending(): string[] {
  const now = Date.now()
  if (trends.untilMs <= now) {
    trends.untilMs = now + TRENDING_MS
    uncounted(async () => {
      const store = await currentStore()
      trends.words = (await store.keywords.trending(8, now)).map(({ name }) => name)
    }).catch(() => {
      trends.untilMs = 0
    })
  }
  return trends.words
}

/** Whether one follows a site, a keyword or a person. */
export async function followsOf(asked: Asked, kind: 'user' | 'site' | 'keyword', target: string): Promise<boolean> {
  const { user } = asked.locals
  if (!user) return false
  const all = await (await storeFor(asked)).follows.list(user.id)
  const names = kind === 'user' ? all.users : kind === 'site' ? all.sites : all.keywords
  return names.some((name) => foldKeyword(name) === foldKeyword(target))
}

/** What is saved by what was written: an address, or an article of the room. */
export function targetOf(text: string): { url: string } | { article: string } | undefined {
  const article = /^\/?articles\/([^/?#]+)$/u.exec(text)?.[1]
  if (article !== undefined) return { article: decode(article) }
  const url = /^[a-z][a-z0-9+.-]*:/iu.test(text)
    ? text
    : /^[^\s/]+\.[^\s/]+/u.test(text)
      ? `https://${text}`
      : undefined
  return url !== undefined && URL.canParse(url) ? { url } : undefined
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The entry of an address, as the one who asks may see it. */
export async function entryOf(asked: Asked, text: string): Promise<EntryView | undefined> {
  const target = targetOf(text)
  if (!target) return undefined
  const store = await storeFor(asked)
  const found = await store.entries.find(target, asked.locals.locale, asked.locals.user?.id)
  return found && viewOf(found)
}

/** All that the page of an address shows. */
export async function entryPageOf(asked: Asked, text: string) {
  const target = targetOf(text)
  if (!target) error(404, m.not_found())
  const store = await storeFor(asked)
  const viewer = asked.locals.user?.id
  const lang = asked.locals.locale
  const found = await store.entries.find(target, lang, viewer)
  const nothing = { comments: [], silent: [], versions: [], highlights: [], sameSite: [] }
  if (!found) {
    if ('article' in target) error(404, m.not_found())
    const address = parseAddress(target.url)
    if (typeof address === 'string') error(404, m.not_found())
    return { url: address.url, entry: undefined, ...nothing }
  }
  const entry = viewOf(found)
  const [said, all, versions, highlights, site] = await Promise.all([
    store.comments.list({ entryId: entry.id, limit: 200, ...(viewer === undefined ? {} : { viewer }) }),
    store.comments.list({ entryId: entry.id, which: 'all', limit: 200, ...(viewer === undefined ? {} : { viewer }) }),
    store.pages.list(entry.id, viewer),
    store.highlights.list({ entryId: entry.id, ...(viewer === undefined ? {} : { viewer }) }),
    entry.site === undefined
      ? undefined
      : store.list({ lang, limit: 9, site: entry.site, ...(viewer === undefined ? {} : { viewer }) }),
  ])
  return {
    url: entry.url,
    entry: { ...entry, preserved: versions.length > 0 },
    comments: said.comments.map((each) => commentOf(each, asked.locals.user, entry.mine)),
    silent: all.comments
      .filter((each) => each.comment === '')
      .map(({ user }) => ({ handle: user.username, name: user.name })),
    versions: versions.slice(0, 30).map(({ id, fetchedAtMs }) => ({ id, fetchedAtMs })),
    highlights: highlights.slice(0, 30).map(({ id, quote, note }) => ({ id, quote, note })),
    sameSite: (site?.entries ?? [])
      .filter(({ id }) => id !== entry.id)
      .slice(0, 8)
      .map((each) => viewOf(each)),
  }
}

function commentOf(said: SavedBookmark, user: App.User | undefined, mine: EntryView['mine']): CommentView {
  const isMine = said.user.id === user?.id
  return {
    bookmarkId: said.id,
    person: { handle: said.user.username, name: said.user.name },
    text: said.comment,
    note: isMine ? (mine?.note ?? '') : '',
    tags: said.tags,
    stars: said.stars,
    starred: said.starred,
    createdAtMs: said.createdAtMs,
    isMine,
    isPublic: !said.private,
  }
}

/** Runs it; what the store refuses is said to the reader, who can do something about it. */
export async function refusing(work: () => Promise<unknown>): Promise<{ message: string } | undefined> {
  try {
    await work()
    return undefined
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'Refusal') return { message: cause.message }
    throw cause
  }
}

/** Has a page fetched when there is time; if that can't be, the bookmark stands all the same. */
export async function preserveSoon(asked: Asked, entryId: number): Promise<void> {
  const store = await storeFor(asked)
  const entry = await store.entries.find({ id: entryId }, asked.locals.locale, asked.locals.user?.id)
  if (entry?.kind !== 'bookmark') return
  const { queue } = await jobsOf(store)
  await queue.add('fetch', { entryId, url: entry.key }, { key: String(entryId) })
}

/** A page of what a query finds, and what in it wasn't understood. */
export async function searchFor(asked: Asked, q: string) {
  const store = await storeFor(asked)
  const found = await store.search({ ...queryOf(asked, {}), text: q })
  return {
    entries: found.entries.map((each) => ({ ...viewOf(each), titleLit: each.litTitle, lit: each.litExcerpt })),
    newer: undefined,
    older: found.older,
    total: found.older === undefined && !word(asked.url, 'at') ? found.entries.length : undefined,
    hints: found.notes.map((note) => note.what),
  }
}

/** Where the pages ask: what the store keeps, as they show it. */
import { error } from '@sveltejs/kit'
import type { ListedEntry, ListQuery } from '#reading/library'
import type { Store } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import type { EntryView } from '$lib/views.ts'
import { currentStore } from './room.ts'

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
  asked.setHeaders?.({ 'cache-control': 'private, no-cache' })
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
    preserved: (entry as { preserved?: boolean }).preserved ?? false,
    dead: entry.dead,
    said: entry.saved ? { comment: entry.saved.comment, tags: entry.saved.tags } : mine && { comment: mine.comment, tags: mine.tags },
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

/** Words read much of late; none while the room is closed. */
export async function trending(_lang: string): Promise<string[]> {
  return []
}

export async function unseenOf(_user: number | undefined): Promise<number> {
  return 0
}

export async function followsOf(_asked: Asked, _kind: 'user' | 'site' | 'keyword', _target: string): Promise<boolean> {
  return false
}

/** The library in its own place. PGlite's folder is one process's: while a server has it open, the server is asked. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ListedEntry, ListPage, OwnBookmark, SavedBookmark } from '#reading/library'
import { type Account, databaseFromEnvironment, openStore, type Store } from '#reading/store'
import type { BookmarkJson, CommentJson, EntryJson, Library, PageJson, WhereOptions } from './index.ts'
import { LibraryError } from './index.ts'

/** The store, and who acts. */
export interface Local {
  store: Store
  by: number
  account: Account
  /** Of a PostgreSQL. */
  url: string | undefined
  close(): Promise<void>
}

export const whereOf = (options: WhereOptions) =>
  options.data === undefined ? databaseFromEnvironment(process.env) : { folder: options.data }

/** How it is opened: a test puts one in memory in its place. */
export const opening = { open: openStore }

/** Opens the database, and nobody's account. */
export function openRaw(options: WhereOptions): Promise<Store> {
  const where = whereOf(options)
  return opening.open(where).catch((error: Error) => {
    if (error.name === 'DatabaseBusy')
      throw new LibraryError(
        `${error.message}. A library that is being served can be asked through its server: --server=http://localhost:3000 --token=TOKEN (the page Settings, Tokens makes one)`,
      )
    if (where.url !== undefined && UNREACHABLE.test(causes(error)))
      throw new LibraryError(`DATABASE_URL: ${causes(error)}`)
    throw error
  })
}

// What a server that isn't there, or isn't ours, says.
const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|password|does not exist|Invalid URL/u

/** As openRaw; the owner's account is made if there is nobody, as a first start does. */
export async function openStoreFor(options: WhereOptions, make: boolean): Promise<Local> {
  const where = whereOf(options)
  if (!make && where.folder !== undefined && !existsSync(join(where.folder, 'postgres')))
    throw new LibraryError(`${where.folder}: there is no library; kaidoku serve, add or import makes one`)
  const store = await openRaw(options)
  try {
    const account = await whoActs(store, options.as)
    return { store, by: account.id, account, url: where.url, close: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}

const causes = (error: unknown): string => {
  const { message, cause, errors } = error as { message: string; cause?: unknown; errors?: Error[] }
  return cause ? causes(cause) : message || (errors ?? []).map((each) => each.message).join('; ')
}

async function whoActs(store: Store, name: string | undefined): Promise<Account> {
  if (name !== undefined) {
    const account = await store.people.find({ handle: name })
    if (account) return account
    throw new LibraryError(`--as: there is nobody called '${name}'; kaidoku users lists them`)
  }
  await store.people.createOwner('owner', 'Owner')
  const owner = (await store.people.list()).find((account) => account.role === 'owner')
  if (owner) return owner
  throw new LibraryError('there is no owner; --as=NAME says who acts')
}

/** Opens it, works, and closes it whatever came of that. */
export async function withStore<T>(
  options: WhereOptions,
  work: (local: Local) => Promise<T>,
  make = false,
): Promise<T> {
  const local = await openStoreFor(options, make)
  try {
    return await work(local)
  } finally {
    await local.close()
  }
}

const ORIGIN = process.env['ORIGIN'] || 'http://localhost:3000'
const iso = (ms: number) => new Date(ms).toISOString()
const isoOrNull = (ms: number | undefined) => (ms === undefined ? null : iso(ms))

export const targetOf = (address: string): { url: string } | { article: string } => {
  const article = address.startsWith(`${ORIGIN}/articles/`) ? address.slice(ORIGIN.length + 1) : address
  return article.startsWith('articles/')
    ? { article: decodeURIComponent(article.slice('articles/'.length).replace(/(\.[a-z]{2})?\.md$/u, '')) }
    : { url: address }
}

const toBookmark = ({ createdAtMs, updatedAtMs, ...rest }: OwnBookmark): BookmarkJson => ({
  ...rest,
  createdAt: iso(createdAtMs),
  updatedAt: iso(updatedAtMs),
})
const toComment = ({ user, createdAtMs, ...rest }: SavedBookmark): CommentJson => ({
  ...rest,
  user: { handle: user.username, name: user.name },
  createdAt: iso(createdAtMs),
})
export const toEntryJson = (entry: ListedEntry): EntryJson => ({
  id: entry.id,
  kind: entry.kind,
  url: entry.kind === 'article' ? `${ORIGIN}/articles/${encodeURIComponent(entry.key)}` : entry.key,
  title: entry.title,
  excerpt: entry.summary,
  site: entry.site ?? null,
  author: entry.author,
  lang: entry.lang,
  medium: entry.medium,
  keywords: entry.keywords,
  publishedAt: isoOrNull(entry.publishedAtMs),
  addedAt: iso(entry.addedAtMs),
  readingMinutes: entry.readingMinutes ?? null,
  dead: entry.dead,
  users: entry.users,
  comments: entry.comments,
  stars: entry.stars,
  bookmark: entry.mine ? toBookmark(entry.mine) : null,
  saved: entry.saved ? toComment(entry.saved) : null,
})
const toPage = ({ entries, newer, older }: ListPage): PageJson<EntryJson> => ({
  items: entries.map(toEntryJson),
  next: older ?? null,
  previous: newer ?? null,
})
const given = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
const followTarget = (kind: 'user' | 'site' | 'keyword', name: string) =>
  kind === 'user' ? { user: name } : kind === 'site' ? { site: name } : { keyword: name }

export async function openLocal(options: WhereOptions, make: boolean): Promise<Library> {
  const { store, by, account, url: address, close } = await openStoreFor(options, make)
  const lang = (process.env['LC_ALL'] || process.env['LANG'] || '').startsWith('ja') ? 'ja' : 'en'
  return {
    where: address === undefined ? (whereOf(options).folder ?? '') : 'DATABASE_URL',
    close,
    async save(url, change) {
      const { entryId, added, bookmark } = await store.bookmarks.save(by, targetOf(url), given(change))
      return { entryId, added, bookmark: toBookmark(bookmark) }
    },
    async lookup(url) {
      const found = await store.entries.find(targetOf(url), lang, by)
      return found && toEntryJson(found)
    },
    async list({ all, keyword, ...words }) {
      const { user, state, site, tag, cursor, limit, kind, medium, order } = words
      const query = {
        ...given({ user, state, site, tag, cursor, kind, medium, order }),
        ...(keyword === undefined ? {} : { keyword: keyword.split(',') }),
        ...(all || user !== undefined ? {} : { user: account.handle }),
      } as Partial<Parameters<Store['list']>[0]>
      return toPage(await store.list({ ...query, limit, lang, viewer: by }))
    },
    async search(text, limit, cursor) {
      const { entries, older } = await store.search({ ...given({ cursor }), text, limit, lang, viewer: by })
      return toPage({ entries, older, newer: undefined })
    },
    async comments(entryId) {
      const { comments, newer, older } = await store.comments.list({ entryId, viewer: by, limit: 200 })
      return { items: comments.map(toComment), next: older ?? null, previous: newer ?? null }
    },
    async remove(entryId) {
      const own = await store.bookmarks.own(by, entryId)
      if (own) await store.bookmarks.remove(by, [own.id])
    },
    tags: () => store.bookmarks.tags(account.handle, by, 100_000),
    async star(commentId, starred) {
      return { stars: await store.comments.star(by, commentId, starred) }
    },
    async follows() {
      const { users, sites, keywords } = await store.follows.list(by)
      return { users, sites, keywords }
    },
    follow: (kind, name, on) => store.follows.set(by, followTarget(kind, name), on),
    async highlights(entryId) {
      const marks = await store.highlights.list({ viewer: by, limit: 5000, ...given({ entryId }) })
      return marks.map(({ username, createdAtMs, position: _, mine: __, ...mark }) => ({
        ...mark,
        user: username,
        createdAt: iso(createdAtMs),
      }))
    },
    async highlight(entryId, quote, note) {
      return { id: await store.highlights.add(by, entryId, { medium: 'text', quote, note }) }
    },
    removeHighlight: (id) => store.highlights.remove(by, id),
    keywords: () => store.keywords.index(),
    async feeds() {
      return (await store.feeds.list(by)).map(({ id, url, title, home, folder, unread, error }) => ({
        id,
        url,
        title,
        home,
        folder,
        unread,
        error: error ?? null,
      }))
    },
    async subscribe(url, about) {
      return { id: await store.feeds.subscribe(by, url, about) }
    },
    unsubscribe: (id) => store.feeds.unsubscribe(by, id),
    async tokens() {
      return (await store.tokens.list(by)).map(({ createdAtMs, lastUsedAtMs, expiresAtMs, ...token }) => ({
        ...token,
        createdAt: iso(createdAtMs),
        lastUsedAt: isoOrNull(lastUsedAtMs),
        expiresAt: isoOrNull(expiresAtMs),
      }))
    },
    createToken: (name, scopes, days) =>
      store.tokens.create(by, {
        name,
        scopes,
        ...(days === undefined ? {} : { expiresAtMs: Date.now() + days * 86_400_000 }),
      }),
    removeToken: (id) => store.tokens.remove(by, id),
    async webhooks() {
      return (await store.webhooks.list(by)).map(({ lastAtMs, lastStatus, ...hook }) => ({
        ...hook,
        lastAt: isoOrNull(lastAtMs),
        lastStatus: lastStatus ?? null,
      }))
    },
    createWebhook: (url, events) => store.webhooks.create(by, { url, events }),
    removeWebhook: (id) => store.webhooks.remove(by, id),
  }
}

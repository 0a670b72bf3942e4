/**
 * The library as commands see it: in the folder or database that the environment names, or behind a server's API. Both answer
 * with the same plain data, those of /api/v1, so that `--json` prints the same whichever it was.
 */
import type { BookmarkState } from '#reading/library'
import { type OptionType, text, UsageError } from '../command.ts'
import { openLocal } from './local.ts'
import { openRemote } from './remote.ts'

export interface BookmarkJson {
  id: number
  private: boolean
  title: string
  comment: string
  note: string
  tags: string[]
  readLater: boolean
  archived: boolean
  favourite: boolean
  createdAt: string
  updatedAt: string
}
export interface CommentJson {
  id: number
  user: { handle: string; name: string }
  private: boolean
  comment: string
  tags: string[]
  stars: number
  starred: boolean
  createdAt: string
}
export interface EntryJson {
  id: number
  kind: string
  url: string
  title: string
  excerpt: string
  site: string | null
  author: string
  lang: string
  medium: string
  keywords: string[]
  publishedAt: string | null
  addedAt: string
  readingMinutes: number | null
  dead: boolean
  users: number
  comments: number
  stars: number
  bookmark: BookmarkJson | null
  saved: CommentJson | null
}
export interface PageJson<T> {
  items: T[]
  next: string | null
  previous: string | null
}
export interface HighlightJson {
  id: number
  entryId: number
  user: string
  medium: string
  quote: string
  note: string
  color: string
  private: boolean
  createdAt: string
}
export interface GroupJson {
  id: number
  names: Record<string, string>
  keywords: { name: string; total: number; counts: Record<string, number> }[]
}
export interface FeedJson {
  id: number
  url: string
  title: string
  home: string
  folder: string
  unread: number
  error: string | null
}
export interface TokenJson {
  id: number
  name: string
  scopes: string[]
  createdAt: string
  lastUsedAt: string | null
  expiresAt: string | null
}
export interface WebhookJson {
  id: number
  url: string
  events: string[]
  active: boolean
  lastAt: string | null
  lastStatus: number | null
  failures: number
}
export interface FollowsJson {
  users: string[]
  sites: string[]
  keywords: string[]
}
export type FollowKind = 'user' | 'site' | 'keyword'

/** What a bookmark becomes; what isn't given stays. */
export interface ChangeJson {
  title?: string
  comment?: string
  note?: string
  tags?: string[]
  private?: boolean
  readLater?: boolean
  archived?: boolean
  favourite?: boolean
}

export interface ListWords {
  /** One's own bookmarks, or everything that is listed. */
  all?: boolean
  state?: BookmarkState
  site?: string
  keyword?: string
  tag?: string
  user?: string
  kind?: string
  medium?: string
  order?: string
  cursor?: string
  limit: number
}

/** What both can do: the methods of /api/v1. */
export interface Library {
  /** Where it is, in words. */
  readonly where: string
  save(url: string, change: ChangeJson): Promise<{ entryId: number; added: boolean; bookmark: BookmarkJson }>
  lookup(url: string): Promise<EntryJson | undefined>
  list(words: ListWords): Promise<PageJson<EntryJson>>
  search(query: string, limit: number, cursor?: string): Promise<PageJson<EntryJson>>
  comments(entryId: number): Promise<PageJson<CommentJson>>
  remove(entryId: number): Promise<void>
  tags(): Promise<{ name: string; count: number }[]>
  star(commentId: number, starred: boolean): Promise<{ stars: number }>
  follows(): Promise<FollowsJson>
  follow(kind: FollowKind, name: string, on: boolean): Promise<void>
  highlights(entryId?: number): Promise<HighlightJson[]>
  highlight(entryId: number, quote: string, note: string): Promise<{ id: number }>
  removeHighlight(id: number): Promise<void>
  keywords(): Promise<GroupJson[]>
  feeds(): Promise<FeedJson[]>
  subscribe(url: string, about: { title?: string; folder?: string }): Promise<{ id: number }>
  unsubscribe(id: number): Promise<void>
  tokens(): Promise<TokenJson[]>
  createToken(name: string, scopes: ('read' | 'write')[], days?: number): Promise<{ id: number; token: string }>
  removeToken(id: number): Promise<void>
  webhooks(): Promise<WebhookJson[]>
  createWebhook(url: string, events: string[]): Promise<{ id: number; secret: string }>
  removeWebhook(id: number): Promise<void>
  close(): Promise<void>
}

/** It can't be done, and why; nobody's bug. */
export class LibraryError extends Error {
  override readonly name = 'LibraryError'
}

/** Options of all commands that act on the library in its own place. */
export const LOCAL = { data: text, as: text } satisfies Record<string, OptionType<unknown>>
/** Of those that may ask a server as well. */
export const ANYWHERE = { ...LOCAL, server: text, token: text } satisfies Record<string, OptionType<unknown>>

export const LOCAL_HELP = `  -d, --data=DIR      the library's folder (default data/, or KAIDOKU_DATA)
      --as=NAME       act as this user (default the owner)`
export const ANYWHERE_HELP = `${LOCAL_HELP}
      --server=URL    ask this server in place of the folder (or KAIDOKU_SERVER)
      --token=TOKEN   a token for it (or KAIDOKU_TOKEN, which others can't see); kaidoku token makes one`
export const WHERE_HELP = 'DATABASE_URL names a PostgreSQL to use in place of the folder.'

export interface WhereOptions {
  data?: string
  as?: string
  server?: string
  token?: string
}

/** Opens the library that options and environment name; `make`: an empty one, if there is none. */
export function openLibrary(options: WhereOptions, make = false): Promise<Library> {
  const server = options.server ?? (options.data === undefined ? process.env['KAIDOKU_SERVER'] || undefined : undefined)
  if (server === undefined) return openLocal(options, make)
  if (options.data !== undefined) throw new UsageError('kaidoku: --data or --server, not both')
  if (options.as !== undefined) throw new UsageError('kaidoku: --as: with --server, the token says who one is')
  const token = options.token ?? process.env['KAIDOKU_TOKEN']
  if (!token) throw new UsageError(`kaidoku: --server: a token is needed: --token=TOKEN or KAIDOKU_TOKEN`)
  return Promise.resolve(openRemote(server, token))
}

/** Opens it, works, and closes it whatever came of that. */
export async function withLibrary<T>(
  options: WhereOptions,
  work: (library: Library) => Promise<T>,
  make = false,
): Promise<T> {
  const library = await openLibrary(options, make)
  try {
    return await work(library)
  } finally {
    await library.close()
  }
}

/** An address as one types it: without its scheme it is https. Articles are `articles/NAME`. */
export function addressOf(command: string, words: string[]): string {
  const [address] = words
  if (address === undefined || words.length > 1) throw new UsageError(`kaidoku ${command}: name one address`)
  if (/^articles\/[^/]+$/u.test(address) || /^https?:\/\//iu.test(address)) return address
  if (/^[^\s/:]+\.[^\s/]+/u.test(address)) return `https://${address}`
  throw new UsageError(`kaidoku ${command}: '${address}' is not an address; https://... or articles/NAME`)
}

/** A number from a list that another command prints. */
export function numberOf(command: string, word: string | undefined, what: string): number {
  if (word === undefined || !/^\d{1,15}$/.test(word))
    throw new UsageError(`kaidoku ${command}: '${word ?? ''}' is not a number of ${what}`)
  return Number(word)
}

/** Sub-commands: the first operand says which; the others are its own. */
export function wordOf<const T extends string>(
  command: string,
  operands: string[],
  words: readonly T[],
  preset?: T,
): [T, string[]] {
  const [word = preset, ...rest] = operands
  if (!words.includes(word as T))
    throw new UsageError(
      `kaidoku ${command}: ${word === undefined ? 'what?' : `'${word}'?`} One of ${words.join(', ')}`,
    )
  return [word as T, rest]
}

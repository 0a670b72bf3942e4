/** What programs send and get: one schema each, by which a request is judged and of which the document is made. */
import * as v from 'valibot'
import { EXPORTS } from '#reading/carry'
import {
  BOOKMARK_STATES,
  ENTRY_KINDS,
  LIST_ORDERS,
  type ListedEntry,
  MEDIA,
  type OwnBookmark,
  parseCursor,
  type SavedBookmark,
} from '#reading/library'
import { HIGHLIGHT_COLORS } from '#reading/store'

const text = (max: number) => v.pipe(v.string(), v.maxLength(max))
const words = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max))
const instant = v.pipe(v.string(), v.isoTimestamp())
const number = v.pipe(v.number(), v.integer(), v.minValue(1))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const maybe = <T extends v.GenericSchema>(schema: T) => v.nullable(schema)

export const Address = v.pipe(v.string(), v.maxLength(8192), v.url())

/** One's own bookmark. */
export const Bookmark = v.object({
  id: number,
  private: v.boolean(),
  title: v.string(),
  comment: v.string(),
  note: v.string(),
  tags: v.array(v.string()),
  readLater: v.boolean(),
  archived: v.boolean(),
  favourite: v.boolean(),
  createdAt: instant,
  updatedAt: instant,
})

/** What somebody said, as others see it. */
export const Comment = v.object({
  id: number,
  user: v.object({ handle: v.string(), name: v.string() }),
  private: v.boolean(),
  comment: v.string(),
  tags: v.array(v.string()),
  stars: count,
  starred: v.boolean(),
  createdAt: instant,
})

export const Entry = v.object({
  id: number,
  kind: v.picklist(ENTRY_KINDS),
  url: v.string(),
  title: v.string(),
  excerpt: v.string(),
  site: maybe(v.string()),
  author: v.string(),
  lang: v.string(),
  medium: v.picklist(MEDIA),
  keywords: v.array(v.string()),
  publishedAt: maybe(instant),
  addedAt: instant,
  readingMinutes: maybe(count),
  dead: v.boolean(),
  users: count,
  comments: count,
  stars: count,
  bookmark: maybe(Bookmark),
  saved: maybe(Comment),
})

/** A page of a list; `next` is the cursor of what is older. */
export const pageOf = <T extends v.GenericSchema>(item: T) =>
  v.object({ items: v.array(item), next: maybe(v.string()), previous: maybe(v.string()) })

export const SaveBody = v.object({
  url: Address,
  title: v.optional(text(500)),
  comment: v.optional(text(1000)),
  note: v.optional(text(100_000)),
  tags: v.optional(v.pipe(v.array(words(64)), v.maxLength(64))),
  private: v.optional(v.boolean()),
  readLater: v.optional(v.boolean()),
  archived: v.optional(v.boolean()),
  favourite: v.optional(v.boolean()),
})
export const ChangeBody = v.omit(SaveBody, ['url'])

export const User = v.object({
  id: number,
  handle: v.string(),
  name: v.string(),
  role: v.picklist(['owner', 'moderator', 'member', 'reader']),
})
export const Profile = v.object({ handle: v.string(), name: v.string(), bookmarks: count, createdAt: instant })
export const Named = v.object({ name: v.string(), count })
export const Keyword = v.object({ name: v.string(), total: count, counts: v.record(v.string(), count) })
export const KeywordGroup = v.object({
  id: number,
  names: v.record(v.string(), v.string()),
  keywords: v.array(Keyword),
})

export const Follows = v.object({
  users: v.array(v.string()),
  sites: v.array(v.string()),
  keywords: v.array(v.string()),
})
export const FollowBody = v.object({ kind: v.picklist(['user', 'site', 'keyword']), name: words(300) })

export const Highlight = v.object({
  id: number,
  entryId: number,
  user: v.string(),
  medium: v.picklist(['text', 'transcript']),
  quote: v.string(),
  prefix: v.string(),
  suffix: v.string(),
  note: v.string(),
  color: v.string(),
  private: v.boolean(),
  createdAt: instant,
})
export const HighlightBody = v.object({
  medium: v.optional(v.picklist(['text', 'transcript']), 'text'),
  quote: words(10_000),
  prefix: v.optional(text(1000)),
  suffix: v.optional(text(1000)),
  note: v.optional(text(10_000)),
  color: v.optional(v.picklist(HIGHLIGHT_COLORS)),
  private: v.optional(v.boolean()),
})

export const Feed = v.object({
  id: number,
  url: v.string(),
  title: v.string(),
  home: v.string(),
  folder: v.string(),
  unread: count,
  error: maybe(v.string()),
})
export const FeedBody = v.object({ url: Address, title: v.optional(text(500)), folder: v.optional(text(200)) })
export const FeedItem = v.object({
  id: number,
  feedId: number,
  feed: v.string(),
  url: v.string(),
  title: v.string(),
  author: v.string(),
  excerpt: v.string(),
  publishedAt: instant,
  unread: v.boolean(),
})

export const Import = v.object({
  id: number,
  format: v.string(),
  fileName: v.string(),
  state: v.picklist(['waiting', 'running', 'done', 'failed']),
  total: maybe(count),
  done: count,
  added: count,
  merged: count,
  refused: count,
  report: v.array(v.object({ place: v.string(), url: v.string(), what: v.string() })),
  error: maybe(v.string()),
  createdAt: instant,
})

export const Token = v.object({
  id: number,
  name: v.string(),
  scopes: v.array(v.string()),
  createdAt: instant,
  lastUsedAt: maybe(instant),
  expiresAt: maybe(instant),
})
export const TokenBody = v.object({
  name: words(100),
  scopes: v.pipe(v.array(v.picklist(['read', 'write'])), v.minLength(1)),
  days: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3650))),
})
export const NewToken = v.object({ id: number, token: v.string() })

export const EVENTS = ['bookmark.saved', 'bookmark.removed', 'comment.starred', 'import.done'] as const
export const Webhook = v.object({
  id: number,
  url: v.string(),
  events: v.array(v.string()),
  active: v.boolean(),
  lastAt: maybe(instant),
  lastStatus: maybe(v.number()),
  failures: count,
})
export const WebhookBody = v.object({ url: Address, events: v.pipe(v.array(v.picklist(EVENTS)), v.minLength(1)) })
export const NewWebhook = v.object({ id: number, secret: v.string() })

export const Stars = v.object({ stars: count })
export const StarBody = v.object({ starred: v.boolean() })

const limit = v.optional(
  v.pipe(v.string(), v.regex(/^\d{1,3}$/u), v.transform(Number), v.minValue(1), v.maxValue(200)),
  '40',
)
// Taken for none, a broken one would begin a program's walk anew, for ever.
const cursor = v.optional(
  v.pipe(
    text(200),
    v.check((value) => parseCursor(value) !== undefined, 'not a cursor of ours'),
  ),
)
/** The cursor is a time, in milliseconds. */
export const PageQuery = v.object({ cursor: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/u))), limit })
export const ListParameters = v.object({
  cursor,
  limit,
  lang: v.optional(text(20)),
  order: v.optional(v.picklist(LIST_ORDERS)),
  kind: v.optional(v.picklist(ENTRY_KINDS)),
  medium: v.optional(v.picklist(MEDIA)),
  site: v.optional(text(300)),
  keyword: v.optional(text(300)),
  tag: v.optional(text(300)),
  user: v.optional(text(60)),
})
export const MineParameters = v.object({
  cursor,
  limit,
  state: v.optional(v.picklist(BOOKMARK_STATES)),
  tag: v.optional(text(300)),
})
export const SearchParameters = v.object({ q: words(1000), cursor, limit, lang: v.optional(text(20)) })
export const UrlParameter = v.object({ url: Address, lang: v.optional(text(20)) })
export const CommentParameters = v.object({ cursor, limit, order: v.optional(v.picklist(['new', 'stars'])) })
export const ImportParameters = v.object({
  name: v.optional(text(300), ''),
  private: v.optional(v.picklist(['true', 'false']), 'false'),
})
export const ExportParameters = v.object({
  format: v.optional(v.picklist(Object.keys(EXPORTS) as (keyof typeof EXPORTS)[]), 'kaidoku'),
})
export const Id = v.pipe(v.string(), v.regex(/^\d{1,15}$/u), v.transform(Number), v.minValue(1))

export const iso = (ms: number) => new Date(ms).toISOString()
export const isoOrNull = (ms: number | undefined) => (ms === undefined ? null : iso(ms))

export const toBookmark = (own: OwnBookmark): v.InferOutput<typeof Bookmark> => {
  const { createdAtMs, updatedAtMs, ...rest } = own
  return { ...rest, createdAt: iso(createdAtMs), updatedAt: iso(updatedAtMs) }
}

export const toComment = ({
  id,
  user,
  private: hidden,
  comment,
  tags,
  stars,
  starred,
  createdAtMs,
}: SavedBookmark) => ({
  id,
  user: { handle: user.username, name: user.name },
  private: hidden,
  comment,
  tags,
  stars,
  starred,
  createdAt: iso(createdAtMs),
})

export const toEntry = (entry: ListedEntry, origin: string): v.InferOutput<typeof Entry> => ({
  id: entry.id,
  kind: entry.kind,
  url: addressOf(entry, origin),
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

/** Where an entry is: a page's address, or an article's here. */
export const addressOf = (entry: Pick<ListedEntry, 'kind' | 'key'>, origin: string) =>
  entry.kind === 'article' ? `${origin}/articles/${encodeURIComponent(entry.key)}` : entry.key

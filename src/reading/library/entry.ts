/** What the reading room keeps: one entry for each article and each address, and what a list shows of it. */

export const ENTRY_KINDS = ['article', 'bookmark'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

/** What a page is, by the evidence that mediumOf looks at. */
export const MEDIA = ['article', 'presentation', 'research', 'other'] as const
export type Medium = (typeof MEDIA)[number]

/** An entry as a list shows it, in the language asked for where it has that language. */
export interface ListedEntry {
  id: number
  kind: EntryKind
  /** An article's name (`arp` for articles/arp.md), or a bookmark's address. */
  key: string
  /** The host name of a bookmark, without `www.`; none for an article. */
  site: string | undefined
  /** Of the title shown; empty if nobody said (a bookmark). */
  lang: string
  title: string
  /** An article's summary, a page's excerpt: of the first saving. */
  summary: string
  keywords: string[]
  /** All languages that it has, the original first. */
  languages: string[]
  /** Milliseconds since the epoch: when the first one bookmarked it publicly; in somebody's list, when they did. */
  addedAtMs: number
  author: string
  publishedAtMs: number | undefined
  readingMinutes: number | undefined
  medium: Medium
  /** A hash of a stored image, if it has one. */
  picture: string | undefined
  /** It was gone when somebody last looked. */
  dead: boolean
  /** A version of the page is kept. */
  preserved: boolean
  /** Those who bookmarked it publicly; their comments; the stars on these. */
  users: number
  comments: number
  stars: number
  /** The viewer's own bookmark of it. */
  mine: OwnBookmark | undefined
  /** In a user's list: that user's bookmark, as the viewer may see it. */
  saved: SavedBookmark | undefined
}

/** What a user kept of an entry, as others see it where it is public. */
export interface SavedBookmark {
  id: number
  user: UserName
  private: boolean
  comment: string
  tags: string[]
  stars: number
  /** Whether the viewer has given it a star. */
  starred: boolean
  createdAtMs: number
}

/** One's own bookmark, with all that is nobody else's business. */
export interface OwnBookmark {
  id: number
  private: boolean
  title: string
  comment: string
  note: string
  tags: string[]
  readLater: boolean
  archived: boolean
  favourite: boolean
  createdAtMs: number
  updatedAtMs: number
}

/** How somebody is called in addresses and on pages. */
export interface UserName {
  id: number
  username: string
  name: string
  image: string | undefined
}

export const LIST_ORDERS = ['new', 'popular', 'hot'] as const
/** `new`: latest first; `popular`: by users; `hot`: by users and age. */
export type ListOrder = (typeof LIST_ORDERS)[number]

export const BOOKMARK_STATES = ['later', 'unread', 'archived', 'favourite', 'private', 'public'] as const
/** `later`: to be read; `unread`: to be read and not archived. */
export type BookmarkState = (typeof BOOKMARK_STATES)[number]

/** What a list is asked for. */
export interface ListQuery {
  /** The reader's language. */
  lang: string
  /** Who asks: their own marks are in the list, what they hide isn't. */
  viewer?: number
  order?: ListOrder
  kind?: EntryKind
  medium?: Medium
  site?: string
  /** One, or several that all must be there. */
  keyword?: string | readonly string[]
  /** What users tagged it with (publicly, or in `user`'s list as the viewer may see it). */
  tag?: string
  /** The bookmarks of this user (by user name), as the viewer may see them. */
  user?: string
  /** With `user`: in this state. */
  state?: BookmarkState
  /** What the viewer follows: users, sites, keywords. */
  following?: boolean
  /** Only what was added since then, in milliseconds since the epoch. */
  sinceMs?: number
  /** From the page before or after this one; an unreadable cursor is the first page. */
  cursor?: string
  /** Entries on a page. */
  limit: number
}

export interface ListPage {
  entries: ListedEntry[]
  /** Cursors of the pages with newer and with older entries, if there are any. */
  newer: string | undefined
  older: string | undefined
}

/** How many entries have a site, a keyword or a kind. */
export interface Facet {
  name: string
  count: number
}

export interface Facets {
  kinds: Facet[]
  sites: Facet[]
  keywords: Facet[]
}

/** Keywords are one if they differ in case, width or blanks only: `ARP`, `arp`, `ＡＲＰ`. */
export function foldKeyword(keyword: string): string {
  return keyword.normalize('NFKC').trim().replace(/\s+/gu, ' ').toLowerCase()
}

/** As a keyword is written: blanks tidied, at most 64 characters; empty if nothing is left. */
export function tidyKeyword(keyword: string): string {
  return [
    ...keyword
      .normalize('NFC')
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim(),
  ]
    .slice(0, 64)
    .join('')
    .trim()
}

/** The site a list is filtered by: the host name without `www.`. */
export function siteOf(hostName: string): string {
  return hostName.toLowerCase().replace(/^www\.(?=[^.]+\.)/u, '')
}

/** What the pages show, as they get it from the server. */

export interface Person {
  handle: string
  name: string
}

/** One's own bookmark of an entry. */
export interface Mine {
  bookmarkId: number
  public: boolean
  comment: string
  note: string
  tags: string[]
  readLater: boolean
  archived: boolean
  favourite: boolean
}

export interface EntryView {
  id: number
  kind: 'article' | 'bookmark'
  /** By which its page is found: an address, or `articles/NAME`. */
  url: string
  site: string | undefined
  lang: string
  title: string
  excerpt: string
  /** Pieces of the excerpt, found words apart; of a search only. */
  lit?: { text: string; lit: boolean }[]
  titleLit?: { text: string; lit: boolean }[]
  keywords: string[]
  languages: string[]
  addedAtMs: number
  publishedAtMs?: number | undefined
  author?: string | undefined
  minutes?: number | undefined
  medium?: string | undefined
  users: number
  comments: number
  stars: number
  preserved: boolean
  dead: boolean
  /** What whose list it is says of it, else one's own words. */
  said: { comment: string; tags: string[] } | undefined
  mine: Mine | undefined
}

export interface CommentView {
  bookmarkId: number
  person: Person
  text: string
  note: string
  tags: string[]
  stars: number
  starred: boolean
  createdAtMs: number
  isMine: boolean
  isPublic: boolean
}

export interface PageOf<T> {
  items: T[]
  newer: string | undefined
  older: string | undefined
}

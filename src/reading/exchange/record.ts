/**
 * What every service's file comes down to: one record for each bookmark, and a refusal, with its place and its reason,
 * for each that can't be kept. Nothing here trusts the file: sizes are bounded, and no text has control characters.
 */
import { tidyKeyword } from '#reading/library'

export const FORMATS = [
  'netscape',
  'hatena-atom',
  'hatena-data',
  'pocket-csv',
  'pinboard-json',
  'raindrop-csv',
  'omnivore',
  'wallabag-json',
  'karakeep-json',
  'linkwarden-json',
  'linkding-json',
  'opml',
  'kaidoku',
  'kaidoku-csv',
] as const
export type FormatName = (typeof FORMATS)[number]

/** Where in the file: a reader of the report finds it again. */
export interface Place {
  /** From 1, among all that the file lists. */
  item: number
  /** From 1, in formats that have lines. */
  line?: number
  /** Within an archive. */
  file?: string
}

export interface ExchangeHighlight {
  quote: string
  note: string
  createdAtS: number | undefined
  /** Text before and after the quote, if the file says so: it finds the quote again in a page that changed. */
  prefix?: string
  suffix?: string
  /** UTF-16 units from the text's beginning, if the file says so. */
  position?: number
  /** On a transcript's line; otherwise on the text. */
  medium?: 'transcript'
  color?: ExchangeColor
  private?: boolean
}

export const HIGHLIGHT_COLORS = ['yellow', 'green', 'blue', 'pink'] as const
export type ExchangeColor = (typeof HIGHLIGHT_COLORS)[number]

export interface ExchangeRecord {
  place: Place
  url: string
  /** The name of an article of the library, if it is one: the address is only of the server that wrote the file. */
  article?: string
  title: string
  tags: string[]
  /** Folders or collections that it is in, outermost first. */
  folders: string[]
  /** Said in public, as the service has it (`[tag]` prefixes taken off: they are in tags). */
  comment: string
  /** For oneself, of any length. */
  note: string
  /** The page's own words, from the service: a description. */
  excerpt: string
  author: string
  /** BCP 47; empty if nobody said. */
  lang: string
  /** Undefined if the file doesn't say: whoever imports decides. */
  private: boolean | undefined
  readLater: boolean
  archived: boolean
  favourite: boolean
  /** Seconds since the epoch. */
  createdAtS: number | undefined
  updatedAtS: number | undefined
  highlights: ExchangeHighlight[]
}

/** A feed to subscribe to: OPML has them. */
export interface ExchangeFeed {
  place: Place
  url: string
  title: string
  siteUrl: string
  folders: string[]
}

export interface Refusal {
  place: Place
  /** What it would have been, shortened; empty if the file doesn't say. */
  url: string
  why: string
}

export interface ParsedFile {
  format: FormatName
  records: ExchangeRecord[]
  feeds: ExchangeFeed[]
  /** Bookmarks that can't be kept. */
  refused: Refusal[]
  /** What else is wrong with the file: nothing is lost by it. */
  notes: Refusal[]
}

/** The file as a whole can't be read; the message says why, and what to do. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
}

export const EXCHANGE_LIMITS = {
  /** Of a file as it comes, and of what it unpacks to. */
  bytes: 256 * 1024 * 1024,
  characters: 128 * 1024 * 1024,
  records: 200_000,
  refusals: 10_000,
  depth: 64,
  url: 8192,
  title: 1000,
  comment: 10_000,
  note: 100_000,
  tags: 64,
  highlights: 1000,
  zipEntries: 20_000,
  /** How many times its size a packed file may become. JSON and HTML seldom pass 20. */
  zipRatio: 200,
}

/** Everything that a parser may know of a bookmark; what it leaves out is unknown. */
export type Draft = { place: Place; url: string } & Partial<Omit<ExchangeRecord, 'place' | 'url'>>

/** Gathers what a parser finds, within the limits; records that can't be kept become refusals by themselves. */
export class Gathering {
  readonly file: ParsedFile
  #unreported = 0

  constructor(format: FormatName) {
    this.file = { format, records: [], feeds: [], refused: [], notes: [] }
  }

  /** False once nothing more can be taken. */
  add(draft: Draft): boolean {
    const url = draft.url.trim()
    const why = whyNotAddress(url)
    if (why) {
      this.refuse(draft.place, url, why)
      return true
    }
    if (this.file.records.length >= EXCHANGE_LIMITS.records) {
      this.refuse(draft.place, url, `the file has more than ${EXCHANGE_LIMITS.records} bookmarks; split it`)
      return false
    }
    this.file.records.push(toRecord(draft, url))
    return true
  }

  addFeed(feed: ExchangeFeed): void {
    const why = whyNotAddress(feed.url)
    if (why) this.refuse(feed.place, feed.url, why)
    else if (this.file.feeds.length < 10_000)
      this.file.feeds.push({ ...feed, title: line(feed.title, EXCHANGE_LIMITS.title) })
    else this.refuse(feed.place, feed.url, 'more than 10000 feeds')
  }

  refuse(place: Place, url: string, why: string): void {
    if (this.file.refused.length < EXCHANGE_LIMITS.refusals) this.file.refused.push({ place, url: line(url, 500), why })
    else this.#unreported++
  }

  note(place: Place, why: string): void {
    if (this.file.notes.length < 1000) this.file.notes.push({ place, url: '', why })
  }

  end(): ParsedFile {
    if (this.#unreported > 0)
      this.file.notes.push({
        place: { item: 0 },
        url: '',
        why: `${this.#unreported} more were refused than are listed`,
      })
    return this.file
  }
}

function toRecord(draft: Draft, url: string): ExchangeRecord {
  const highlights = (draft.highlights ?? [])
    .map((highlight) => ({
      ...highlight,
      quote: text(highlight.quote, EXCHANGE_LIMITS.comment),
      note: text(highlight.note, EXCHANGE_LIMITS.note),
    }))
    .filter((highlight) => highlight.quote !== '')
  return {
    place: draft.place,
    url,
    ...(draft.article === undefined ? {} : { article: line(draft.article, 200) }),
    title: line(draft.title ?? '', EXCHANGE_LIMITS.title),
    tags: tidyTags(draft.tags ?? []),
    folders: tidyTags(draft.folders ?? []),
    comment: line(draft.comment ?? '', EXCHANGE_LIMITS.comment),
    note: text(draft.note ?? '', EXCHANGE_LIMITS.note),
    excerpt: text(draft.excerpt ?? '', EXCHANGE_LIMITS.comment),
    author: line(draft.author ?? '', 300),
    lang: /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/iu.test(draft.lang ?? '') ? draft.lang! : '',
    private: draft.private,
    readLater: draft.readLater ?? false,
    archived: draft.archived ?? false,
    favourite: draft.favourite ?? false,
    createdAtS: draft.createdAtS,
    updatedAtS: draft.updatedAtS,
    highlights: highlights.slice(0, EXCHANGE_LIMITS.highlights),
  }
}

/** Why an address can't be a bookmark's; undefined if it can. */
export function whyNotAddress(url: string): string | undefined {
  if (url === '') return 'no address'
  if (url.length > EXCHANGE_LIMITS.url) return `an address of ${url.length} characters`
  if (/[\u0000-\u0020\u007f]/u.test(url)) return 'a blank or a control character in its address'
  const scheme = /^([a-z][a-z0-9+.-]*):/iu.exec(url)?.[1]?.toLowerCase()
  if (!scheme) return 'not a whole address'
  if (scheme !== 'http' && scheme !== 'https') return `${scheme.slice(0, 20)}: is not a page of the Web`
  const authority = /^https?:\/\/([^/?#]*)/iu.exec(url)?.[1]
  if (!authority) return 'no host in its address'
  if (authority.includes('@')) return 'a user name or password in its address'
  return undefined
}

function tidyTags(tags: readonly string[]): string[] {
  const tidied = tags.map((tag) => tidyKeyword(clean(tag))).filter((tag) => tag !== '')
  return [...new Set(tidied)].slice(0, EXCHANGE_LIMITS.tags)
}

/** Lone surrogates are no text: each becomes the replacement character. */
export function wellFormed(value: string): string {
  return value.replace(/\p{Surrogate}/gu, '\ufffd')
}

// A lone surrogate is no text at all, and PostgreSQL refuses NUL.
const clean = (value: string) => wellFormed(value).replace(/[\u0000-\u001f\u007f-\u009f]+/gu, ' ')

/** One line, at most so long; never cut within a character. */
export function line(value: string, limit: number): string {
  const whole = clean(value.length > limit * 4 ? value.slice(0, limit * 4) : value)
    .replace(/[\s\u00a0]+/gu, ' ')
    .trim()
  return cut(whole, limit)
}

/** Several lines, at most so long. */
export function text(value: string, limit: number): string {
  const whole = wellFormed(value.length > limit * 2 ? value.slice(0, limit * 2) : value)
    .replace(/\r\n?/gu, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]+/gu, ' ')
    .trim()
  return cut(whole, limit)
}

function cut(value: string, limit: number): string {
  if (value.length <= limit) return value
  return `${value.slice(0, limit - 1).replace(/[\ud800-\udbff]$/u, '')}…`
}

/** `[tag1][tag2]words`, as Hatena writes tags in a comment. */
export function splitTaggedComment(comment: string): { tags: string[]; comment: string } {
  const tags: string[] = []
  let rest = comment.trim()
  for (;;) {
    const match = /^\[([^[\]]{1,64})\]/u.exec(rest)
    if (!match || tags.length >= EXCHANGE_LIMITS.tags) return { tags, comment: rest.trim() }
    tags.push(match[1]!)
    rest = rest.slice(match[0].length)
  }
}

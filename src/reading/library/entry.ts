/** What the reading room keeps: one entry for each article and each bookmark. */

export const ENTRY_KINDS = ['article', 'bookmark'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

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
  summary: string
  keywords: string[]
  /** All languages that it has, the original first. */
  languages: string[]
  /** Milliseconds since the epoch. */
  addedAtMs: number
}

/** What a list is asked for. */
export interface ListQuery {
  /** The reader's language. */
  lang: string
  kind?: EntryKind
  site?: string
  keyword?: string
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
  return [...keyword.normalize('NFC').trim().replace(/\s+/gu, ' ')].slice(0, 64).join('')
}

/** The site a list is filtered by: the host name without `www.`. */
export function siteOf(hostName: string): string {
  return hostName.toLowerCase().replace(/^www\.(?=[^.]+\.)/u, '')
}

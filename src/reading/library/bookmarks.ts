/**
 * The bookmarks file that every browser and bookmark service exports ("Netscape bookmarks"): HTML of 1996 that nobody
 * closes properly. It is read as a run of tags, in one pass and bounded: what can't be kept is named with its line, and
 * the rest is kept. @see https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582(v=vs.85)
 */
import { tidyKeyword } from './entry.ts'

export interface Bookmark {
  /** Where the file says it, from 1. */
  line: number
  href: string
  title: string
  description: string
  keywords: string[]
  /** The folders that it is in, outermost first. */
  folders: string[]
  /** Seconds since the epoch, if the file says so. */
  addedAtS: number | undefined
  modifiedAtS: number | undefined
  /** What services add to the link (`private`, `toread`), by lower-case name; icons are left out. */
  attributes: ReadonlyMap<string, string>
}

export interface LocatedError {
  line: number
  what: string
}

export interface BookmarksFile {
  bookmarks: Bookmark[]
  errors: LocatedError[]
}

export const BOOKMARK_LIMITS = {
  characters: 64 * 1024 * 1024,
  bookmarks: 200_000,
  errors: 1000,
  depth: 32,
  href: 8192,
  title: 1000,
  description: 10_000,
  tag: 1024 * 1024, // A tag of Firefox carries its page's icon as a data URL.
  keywords: 32,
}

// Names of the format's own tags; all others (META, P, HR, B) say nothing.
const KNOWN = new Set(['dl', '/dl', 'h3', '/h3', 'a', '/a', 'dt', 'dd', 'title', '/title', 'h1', '/h1'])

const ROOTS = ['personal_toolbar_folder', 'unfiled_bookmarks_folder', 'mobile_bookmarks_folder']

/** Reads a bookmarks file; never throws, whatever the text is. */
export function parseNetscapeBookmarks(text: string): BookmarksFile {
  const bookmarks: Bookmark[] = []
  const errors: LocatedError[] = []
  const fail = (line: number, what: string) => {
    if (errors.length < BOOKMARK_LIMITS.errors) errors.push({ line, what })
  }
  if (text.length > BOOKMARK_LIMITS.characters) {
    fail(1, `the file is larger than ${BOOKMARK_LIMITS.characters / 1024 / 1024} MB; split it`)
    return { bookmarks, errors }
  }
  const reader = createTagReader(text, fail)
  const folders: string[] = []
  let depth = 0
  let folder: string | undefined // A heading whose list hasn't begun.
  let open: Bookmark | undefined // Between <A> and </A>.
  let described: Bookmark | undefined // The last one: <DD> speaks of it.
  let sink: 'none' | 'folder' | 'title' | 'description' = 'none'
  let seen = false
  let gathered = ''
  const settle = () => {
    if (sink === 'folder') folder = tidy(gathered, BOOKMARK_LIMITS.title)
    if (sink === 'title' && open) open.title = tidy(gathered, BOOKMARK_LIMITS.title)
    if (sink === 'description' && described)
      described.description = gathered.includes('[linkding-notes]')
        ? tidyLines(gathered, BOOKMARK_LIMITS.description) // linkding's notes have lines; a description has not.
        : tidy(gathered, BOOKMARK_LIMITS.description)
    gathered = ''
    sink = 'none'
  }
  const finishBookmark = (closed: boolean) => {
    if (!open) return
    settle()
    if (!closed) fail(open.line, 'the link is not closed by </A>; it was kept')
    bookmarks.push(open)
    described = open
    open = undefined
  }
  for (let tag = reader.next(); tag; tag = reader.next()) {
    if (sink !== 'none' && gathered.length < BOOKMARK_LIMITS.description * 2) gathered += tag.textBefore
    if (!KNOWN.has(tag.name)) continue
    if (tag.name !== '/a') finishBookmark(false)
    switch (tag.name) {
      case 'dl':
        seen = true
        settle()
        depth++
        if (depth <= BOOKMARK_LIMITS.depth) folders.push(folder ?? '')
        else if (depth === BOOKMARK_LIMITS.depth + 1) fail(tag.line, `folders more than ${BOOKMARK_LIMITS.depth} deep`)
        folder = undefined
        described = undefined
        break
      case '/dl':
        settle()
        if (depth > 0 && depth <= BOOKMARK_LIMITS.depth) folders.pop()
        if (depth === 0) fail(tag.line, '</DL> without <DL>')
        else depth--
        described = undefined
        break
      case 'h3':
        settle()
        described = undefined
        // The roots that every browser has (its toolbar, its menu) say nothing of what is in them.
        sink = ROOTS.some((name) => tag.attributes.get(name) === 'true') ? 'none' : 'folder'
        break
      case 'a': {
        seen = true
        settle()
        const href = tag.attributes.get('href')?.trim() ?? ''
        if (bookmarks.length >= BOOKMARK_LIMITS.bookmarks) {
          fail(tag.line, `more than ${BOOKMARK_LIMITS.bookmarks} bookmarks; the rest was left out`)
          return { bookmarks, errors }
        }
        if (href === '') fail(tag.line, 'a link without HREF')
        else if (href.length > BOOKMARK_LIMITS.href) fail(tag.line, `an address of ${href.length} characters`)
        else open = createBookmark(tag, href, folders)
        sink = open ? 'title' : 'none'
        break
      }
      case '/a':
        finishBookmark(true)
        break
      case 'dd':
        settle()
        sink = described ? 'description' : 'none'
        break
      default:
        settle()
    }
  }
  gathered += reader.rest()
  finishBookmark(false)
  settle()
  if (!seen) fail(1, 'this is not a bookmarks file: it has no <DL> and no links')
  else if (depth > 0) fail(reader.line(), `${depth} <DL> not closed; all before was kept`)
  return { bookmarks, errors }
}

function createBookmark(tag: Tag, href: string, folders: readonly string[]): Bookmark {
  const keywords = (tag.attributes.get('tags') ?? '').split(',').map(tidyKeyword)
  return {
    line: tag.line,
    href,
    title: '',
    description: '',
    keywords: [...new Set(keywords.filter((keyword) => keyword !== ''))].slice(0, BOOKMARK_LIMITS.keywords),
    folders: folders.filter((name) => name !== ''),
    addedAtS: parseStamp(tag.attributes.get('add_date') ?? tag.attributes.get('time_added')),
    modifiedAtS: parseStamp(tag.attributes.get('last_modified')),
    attributes: new Map([...tag.attributes].filter(([name, value]) => value.length <= 16 && !STATED.has(name))),
  }
}

const STATED = new Set(['href', 'tags', 'add_date', 'last_modified', 'time_added'])

/** Seconds; but some services write milliseconds or microseconds. */
function parseStamp(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,17}$/u.test(text)) return undefined
  const number = Number(text)
  const seconds = number >= 1e14 ? number / 1e6 : number >= 1e11 ? number / 1e3 : number
  return seconds > 0 ? Math.floor(seconds) : undefined
}

interface Tag {
  /** Lower case; `/a` for an end. */
  name: string
  attributes: Map<string, string>
  textBefore: string
  line: number
}

/** Tags one after the other. Each character is looked at a bounded number of times, so no file makes it slow. */
function createTagReader(text: string, fail: (line: number, what: string) => void) {
  let at = 0
  let line = 1
  let newline = text.indexOf('\n') // The next one: kept, so that a file of one long line is searched once.
  const advance = (to: number) => {
    while (newline >= 0 && newline < to) {
      line++
      newline = text.indexOf('\n', newline + 1)
    }
    at = to
  }
  return {
    line: () => line,
    rest() {
      const rest = text.slice(at)
      advance(text.length)
      return decodeEntities(rest)
    },
    next(): Tag | undefined {
      let textBefore = ''
      for (;;) {
        const open = text.indexOf('<', at)
        if (open < 0) return undefined
        if (text.startsWith('<!--', open)) {
          const end = text.indexOf('-->', open)
          textBefore += text.slice(at, open)
          advance(end < 0 ? text.length : end + 3)
          continue
        }
        if (!/[a-z/!]/iu.test(text[open + 1] ?? '')) {
          textBefore += text.slice(at, open + 1) // A less-than sign that somebody didn't escape.
          advance(open + 1)
          continue
        }
        textBefore += text.slice(at, open)
        advance(open)
        const started = line
        const end = findTagEnd(text, open)
        if (end < 0) {
          fail(started, 'a tag that does not end')
          // Go on behind the bracket: what looks like a tag may be text.
          textBefore += '<'
          advance(open + 1)
          continue
        }
        const inside = text.slice(open + 1, end)
        advance(end + 1)
        const name = /^\/?[a-z][a-z0-9]*/iu.exec(inside)?.[0].toLowerCase() ?? ''
        const attributes = name === 'a' || name === 'h3' ? parseAttributes(inside) : new Map<string, string>()
        return { name, attributes, textBefore: decodeEntities(textBefore), line: started }
      }
    },
  }
}

/** The `>` that ends a tag: not one within quotes. A tag is at most so long, so that an open quote costs little. */
function findTagEnd(text: string, open: number): number {
  const limit = Math.min(text.length, open + BOOKMARK_LIMITS.tag)
  let quote = ''
  for (let i = open + 1; i < limit; i++) {
    const character = text[i]!
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '>') return i
    else if (character === '<') return -1
    else if ((character === '"' || character === "'") && text[i - 1] === '=') quote = character
  }
  return -1
}

function parseAttributes(text: string): Map<string, string> {
  const attributes = new Map<string, string>()
  // One alternative for each way to write a value; none of them can match the same text in two ways.
  for (const match of text.matchAll(/([a-z_][a-z0-9_-]*)=(?:"([^"]*)"|'([^']*)'|([^\s"'>]*))/giu)) {
    const name = match[1]!.toLowerCase()
    if (!attributes.has(name)) attributes.set(name, decodeEntities(match[2] ?? match[3] ?? match[4] ?? ''))
  }
  return attributes
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/giu, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[(name as string).toLowerCase()] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex as string, 16)
    const valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    return valid ? String.fromCodePoint(code) : '\ufffd'
  })
}

// Control characters have no business in a title; a NUL isn't even allowed in PostgreSQL's text.
function tidyLines(text: string, limit: number): string {
  const lines = text.slice(0, limit * 2).split(/\r\n|\n|\r/u, 1000)
  return cut(
    lines
      .map((line) => tidy(line, limit))
      .join('\n')
      .trim(),
    limit,
  )
}

function tidy(text: string, limit: number): string {
  const clean = text.replace(/[\u0000-\u0020\u007f-\u009f\u00a0]+/gu, ' ').trim()
  return cut(clean, limit)
}

function cut(clean: string, limit: number): string {
  return clean.length <= limit ? clean : [...clean.slice(0, limit)].slice(0, -1).join('') + '…'
}

/**
 * Everything of one user in one file: JSON of version 1, one bookmark a line, so that it is written piece by piece and two
 * of them can be compared. What it says comes back to the same state.
 */
import {
  EXCHANGE_LIMITS,
  type ExchangeColor,
  ExchangeError,
  type ExchangeHighlight,
  type ExchangeRecord,
  Gathering,
  HIGHLIGHT_COLORS,
  type ParsedFile,
} from './record.ts'
import { isObject, type JsonObject, list, str } from './services/json.ts'

export const EVERYTHING_VERSION = 1

export type EverythingBookmark = Omit<ExchangeRecord, 'place'>

export interface EverythingFollow {
  kind: 'user' | 'site' | 'keyword'
  name: string
}
export interface EverythingFeed {
  url: string
  title: string
  siteUrl: string
  folder: string
}
export interface EverythingGroup {
  /** In English. */
  name: string
  /** In other languages. */
  names?: Record<string, string>
  keywords: string[]
}
/** A star that the user gave to somebody's comment. */
export interface EverythingStar {
  url: string
  /** The article's name, if it is one of the library's. */
  article?: string
  user: string
  createdAtS: number | undefined
}
/** A version of a preserved page, with the images that are in it. */
export interface EverythingPage {
  /** The bookmark's address. */
  url: string
  article?: string
  /** Where it was in the end. */
  finalUrl: string
  status: number
  contentType: string
  hash: string
  title: string
  author: string
  lang: string
  html: string
  text: string
  about: Record<string, unknown>
  images: { url: string; base64: string }[]
  fetchedAtS: number | undefined
}

export interface Everything {
  user: { name: string; displayName: string }
  settings: { readonly [name: string]: unknown }
  follows: readonly EverythingFollow[]
  keywordGroups: readonly EverythingGroup[]
  feeds: readonly EverythingFeed[]
  stars: readonly EverythingStar[]
  bookmarks: Iterable<EverythingBookmark> | AsyncIterable<EverythingBookmark>
  pages: Iterable<EverythingPage> | AsyncIterable<EverythingPage>
}

/** The file, in pieces; bookmarks and pages are asked for one at a time. */
export async function* formatEverything(all: Everything, madeAt: string): AsyncGenerator<string> {
  const head = { kaidoku: EVERYTHING_VERSION, madeAt, user: all.user, settings: all.settings, follows: all.follows }
  const more = { keywordGroups: all.keywordGroups, feeds: all.feeds, stars: all.stars }
  yield `${JSON.stringify({ ...head, ...more }).slice(0, -1)},\n"bookmarks":[`
  yield* lines(all.bookmarks)
  yield '],\n"pages":['
  yield* lines(all.pages)
  yield ']}\n'
}

async function* lines(items: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<string> {
  let first = true
  for await (const item of items) {
    yield `${first ? '\n' : ',\n'}${JSON.stringify(item)}`
    first = false
  }
}

export const isEverything = (value: unknown): boolean => isObject(value) && typeof value['kaidoku'] === 'number'

export interface ParsedEverything extends Omit<Everything, 'bookmarks' | 'pages'> {
  /** The bookmarks and feeds, as of every other service. */
  file: ParsedFile
  pages: EverythingPage[]
}

/** Reads what formatEverything wrote (parsed JSON); throws ExchangeError if it is of another version. */
export function parseEverything(value: unknown): ParsedEverything {
  if (!isObject(value) || !isEverything(value)) throw new ExchangeError('not a file of this reading room')
  if (value['kaidoku'] !== EVERYTHING_VERSION)
    throw new ExchangeError(
      `the file is of version ${str(value['kaidoku'])}; this reading room knows ${EVERYTHING_VERSION}: update it first`,
    )
  const found = new Gathering('kaidoku')
  let item = 0
  for (const bookmark of list(value['bookmarks'])) {
    const place = { item: ++item, line: item + 1 }
    if (!isObject(bookmark)) found.refuse(place, '', 'not an object')
    else if (!found.add({ place, ...bookmarkOf(bookmark) })) break
  }
  const feeds = objects(value['feeds']).map((feed) => ({
    url: str(feed['url']),
    title: str(feed['title']),
    siteUrl: str(feed['siteUrl']),
    folder: str(feed['folder']),
  }))
  for (const [i, feed] of feeds.entries())
    found.addFeed({ place: { item: i + 1 }, ...feed, folders: feed.folder === '' ? [] : [feed.folder] })
  const user = isObject(value['user']) ? value['user'] : {}
  return {
    file: found.end(),
    user: { name: str(user['name']), displayName: str(user['displayName']) },
    settings: isObject(value['settings']) ? value['settings'] : {},
    follows: objects(value['follows']).flatMap((follow) => {
      const kind = follow['kind']
      if (kind !== 'user' && kind !== 'site' && kind !== 'keyword') return []
      return [{ kind, name: str(follow['name']) } satisfies EverythingFollow]
    }),
    keywordGroups: objects(value['keywordGroups']).map((group) => ({
      name: str(group['name']),
      names: Object.fromEntries(
        Object.entries(isObject(group['names']) ? group['names'] : {}).flatMap(([lang, name]) =>
          /^[a-z]{2,3}(-[A-Za-z]{2,8})?$/u.test(lang) && typeof name === 'string' ? [[lang, name.slice(0, 200)]] : [],
        ),
      ),
      keywords: list(group['keywords']).map(str).filter(Boolean),
    })),
    feeds,
    stars: objects(value['stars']).map((star) => ({
      url: str(star['url']),
      ...articleOf(star),
      user: str(star['user']),
      createdAtS: seconds(star['createdAtS']),
    })),
    pages: objects(value['pages']).map(pageOf),
  }
}

const articleOf = (value: JsonObject) => (typeof value['article'] === 'string' ? { article: value['article'] } : {})

function pageOf(page: JsonObject): EverythingPage {
  const status = seconds(page['status'])
  return {
    url: str(page['url']),
    ...articleOf(page),
    finalUrl: str(page['finalUrl']),
    status: status !== undefined && status >= 100 && status < 600 ? Math.trunc(status) : 200,
    contentType: /^[\w.+-]+\/[\w.+-]+$/u.test(str(page['contentType'])) ? str(page['contentType']) : 'text/html',
    hash: str(page['hash']).slice(0, 128),
    title: str(page['title']),
    author: str(page['author']),
    lang: str(page['lang']),
    html: str(page['html']),
    text: str(page['text']),
    about: isObject(page['about']) ? page['about'] : {},
    images: objects(page['images']).map((image) => ({ url: str(image['url']), base64: str(image['base64']) })),
    fetchedAtS: seconds(page['fetchedAtS']),
  }
}

const objects = (value: unknown): JsonObject[] => list(value).slice(0, EXCHANGE_LIMITS.records).filter(isObject)
const seconds = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)
const strings = (value: unknown) => list(value).map(str)

function bookmarkOf(value: JsonObject): EverythingBookmark {
  return {
    url: str(value['url']),
    ...articleOf(value),
    title: str(value['title']),
    tags: strings(value['tags']),
    folders: strings(value['folders']),
    comment: str(value['comment']),
    note: str(value['note']),
    excerpt: str(value['excerpt']),
    author: str(value['author']),
    lang: str(value['lang']),
    private: typeof value['private'] === 'boolean' ? value['private'] : undefined,
    readLater: value['readLater'] === true,
    archived: value['archived'] === true,
    favourite: value['favourite'] === true,
    createdAtS: seconds(value['createdAtS']),
    updatedAtS: seconds(value['updatedAtS']),
    highlights: objects(value['highlights']).map(highlightOf),
  }
}

function highlightOf(value: JsonObject): ExchangeHighlight {
  const position = seconds(value['position'])
  return {
    quote: str(value['quote']),
    note: str(value['note']),
    createdAtS: seconds(value['createdAtS']),
    ...(typeof value['prefix'] === 'string' ? { prefix: value['prefix'] } : {}),
    ...(typeof value['suffix'] === 'string' ? { suffix: value['suffix'] } : {}),
    ...(position === undefined ? {} : { position }),
    ...(value['medium'] === 'transcript' ? { medium: 'transcript' as const } : {}),
    ...(HIGHLIGHT_COLORS.includes(value['color'] as never) ? { color: value['color'] as ExchangeColor } : {}),
    ...(typeof value['private'] === 'boolean' ? { private: value['private'] } : {}),
  }
}

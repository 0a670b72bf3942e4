/** Feeds as they come: RSS 0.9 to 2.0, RDF, Atom, JSON Feed, brought to one shape. */
import { parseFeed as parseAnyFeed } from 'feedsmith'
import { ExchangeError, line, text } from './record.ts'
import { isObject, list, str } from './services/json.ts'
import { parseTime } from './time.ts'
import { decodeXml } from './xml.ts'

export interface FeedItem {
  /** The feed's own name for it; its address if it gives none. */
  id: string
  url: string
  title: string
  author: string
  /** Plain text. */
  summary: string
  publishedAtS: number | undefined
}

export interface Feed {
  format: 'rss' | 'rdf' | 'atom' | 'json'
  title: string
  siteUrl: string
  items: FeedItem[]
}

export const FEED_LIMITS = { characters: 8 * 1024 * 1024, items: 1000 }

/** Reads a feed. `resolve` makes a whole address of a relative one, or nothing of what is none. */
export function parseFeed(source: string, resolve: (link: string) => string | undefined): Feed {
  if (source.length > FEED_LIMITS.characters) throw new ExchangeError('the feed is larger than 8 million characters')
  if (/<!DOCTYPE[^>]*\[|<!ENTITY/iu.test(source))
    throw new ExchangeError('the feed declares entities of its own; such feeds are not read')
  if (depthOf(source) > 256) throw new ExchangeError('the feed’s elements are too deep')
  let parsed: { format: string; feed: unknown }
  try {
    parsed = parseAnyFeed(source)
  } catch (error) {
    throw new ExchangeError(`this is not a feed: ${line((error as Error).message, 120)}`)
  }
  const feed = isObject(parsed.feed) ? parsed.feed : {}
  const format = parsed.format as Feed['format']
  const items = list(feed['items'] ?? feed['entries']).slice(0, FEED_LIMITS.items)
  return {
    format,
    title: line(plainText(textOf(feed['title'])), 300),
    siteUrl: resolve(linkOf(feed)) ?? '',
    items: items.filter(isObject).flatMap((item) => {
      const url = resolve(linkOf(item))
      if (!url || !/^https?:/iu.test(url)) return []
      const dc = isObject(item['dc']) ? item['dc'] : {}
      const times = [
        item['pubDate'],
        item['published'],
        item['date_published'],
        list(dc['dates'])[0],
        item['updated'],
        item['date_modified'],
      ]
      return [
        {
          id: line(textOf(item['guid']) || textOf(item['id']) || url, 1000),
          url,
          title: line(plainText(textOf(item['title'])), 1000),
          author: line(authorOf(item) || str(list(dc['creators'])[0]), 300),
          summary: text(plainText(summaryOf(item)), 4000),
          publishedAtS: times.map((time) => parseTime(time)).find((time) => time !== undefined),
        },
      ]
    }),
  }
}

/** How deep elements may be, at most: closing tags that lack make it more, never less. A recursive reader dies of depth. */
function depthOf(source: string): number {
  let depth = 0
  let deepest = 0
  for (let at = source.indexOf('<'); at >= 0; at = source.indexOf('<', at + 1)) {
    const next = source[at + 1]
    if (next === '/') depth = Math.max(0, depth - 1)
    else if (next === '!' && source.startsWith('<![CDATA[', at)) {
      const end = source.indexOf(']]>', at)
      if (end < 0) break
      at = end
    } else if (next !== '!' && next !== '?') {
      const end = source.indexOf('>', at)
      if (end < 0) break
      if (source[end - 1] !== '/') deepest = Math.max(deepest, ++depth)
    }
  }
  return deepest
}

const textOf = (value: unknown): string => (isObject(value) ? str(value['value']) : str(value))

function linkOf(item: { readonly [name: string]: unknown }): string {
  const plain = str(item['link']) || str(item['url']) || str(item['external_url']) || str(item['home_page_url'])
  if (plain) return plain
  const links = list(item['links']).filter(isObject)
  const link = links.find((one) => str(one['rel']) === '' || one['rel'] === 'alternate') ?? links[0]
  if (link) return str(link['href'])
  const guid = item['guid']
  return isObject(guid) && guid['isPermaLink'] !== false ? str(guid['value']) : ''
}

function authorOf(item: { readonly [name: string]: unknown }): string {
  return list(item['authors'])
    .map((author) => (isObject(author) ? str(author['name']) : str(author)))
    .filter(Boolean)
    .join(', ')
}

function summaryOf(item: { readonly [name: string]: unknown }): string {
  const content = isObject(item['content']) ? item['content'] : undefined
  return (
    textOf(item['summary']) ||
    str(item['description']) ||
    str(content?.['value']) ||
    str(content?.['encoded']) ||
    str(item['content_text']) ||
    str(item['content_html'])
  )
}

// HTML's own names: `<module>` in a title is a word that somebody didn't escape.
const MARKUP =
  /<!--[\s\S]*?-->|<\/?(a|abbr|b|bdi|bdo|big|blockquote|body|center|cite|code|dd|del|details|dfn|dl|dt|em|figcaption|figure|font|footer|head|header|hr|html|i|iframe|img|ins|kbd|main|mark|nav|object|ol|pre|q|rp|rt|ruby|s|samp|script|section|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|time|tt|u|ul|var|video)(\s[^<>]*|\/)?>/giu

/** The words of a bit of HTML. Not for showing as HTML: it is text, and stays so. */
export function plainText(html: string): string {
  const bounded = html.slice(0, 200_000)
  if (!/[<&]/u.test(bounded)) return bounded
  const words = bounded
    .replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1\s*>/giu, ' ')
    .replace(/<(br|\/?p|\/?div|\/?li|\/?h[1-6]|\/?tr)\b[^<>]*>/giu, '\n')
    .replace(MARKUP, '')
  return decodeXml(words)
    .replace(/[ \t]*\n\s*/gu, '\n')
    .trim()
}

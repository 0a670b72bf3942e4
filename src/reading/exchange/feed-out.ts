/** A list as a feed, in the three forms that readers know. RSS 2.0; RFC 4287; JSON Feed 1.1. */
import { formatIso, formatMail } from './time.ts'
import { escapeXml } from './xml.ts'

export interface OutgoingFeed {
  title: string
  description: string
  /** Of the page with the list. */
  siteUrl: string
  /** Of the feed itself. */
  feedUrl: string
  lang: string
  updatedAtS: number
  items: readonly OutgoingItem[]
}

export interface OutgoingItem {
  /** Stays the same for ever; an address, mostly. */
  id: string
  url: string
  title: string
  summary: string
  /** Sanitised HTML, if the whole is given. */
  html?: string
  author: string
  tags: readonly string[]
  publishedAtS: number
  updatedAtS: number
  /** The page where it is discussed. */
  commentsUrl?: string
}

export const FEED_TYPES = {
  rss: 'application/rss+xml; charset=utf-8',
  atom: 'application/atom+xml; charset=utf-8',
  json: 'application/feed+json; charset=utf-8',
} as const

export function formatRss(feed: OutgoingFeed): string {
  const e = escapeXml
  const items = feed.items.map(
    (item) =>
      `<item><title>${e(item.title)}</title><link>${e(item.url)}</link><guid isPermaLink="false">${e(item.id)}</guid>` +
      `<pubDate>${formatMail(item.publishedAtS)}</pubDate><description>${e(item.summary)}</description>` +
      (item.html === undefined ? '' : `<content:encoded>${e(item.html)}</content:encoded>`) +
      (item.author === '' ? '' : `<dc:creator>${e(item.author)}</dc:creator>`) +
      (item.commentsUrl === undefined ? '' : `<comments>${e(item.commentsUrl)}</comments>`) +
      `${item.tags.map((tag) => `<category>${e(tag)}</category>`).join('')}</item>\n`,
  )
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"' +
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">\n' +
    `<channel><title>${e(feed.title)}</title><link>${e(feed.siteUrl)}</link><description>${e(feed.description)}</description>` +
    `<language>${e(feed.lang)}</language><lastBuildDate>${formatMail(feed.updatedAtS)}</lastBuildDate>` +
    `<atom:link href="${e(feed.feedUrl)}" rel="self" type="application/rss+xml"/>\n${items.join('')}</channel></rss>\n`
  )
}

export function formatAtom(feed: OutgoingFeed): string {
  const e = escapeXml
  const entries = feed.items.map(
    (item) =>
      `<entry><id>${e(item.id)}</id><title>${e(item.title)}</title><link rel="alternate" href="${e(item.url)}"/>` +
      (item.commentsUrl === undefined ? '' : `<link rel="replies" type="text/html" href="${e(item.commentsUrl)}"/>`) +
      `<published>${formatIso(item.publishedAtS)}</published><updated>${formatIso(item.updatedAtS)}</updated>` +
      // An entry without an author takes the feed's.
      (item.author === '' ? '' : `<author><name>${e(item.author)}</name></author>`) +
      `<summary>${e(item.summary)}</summary>` +
      (item.html === undefined ? '' : `<content type="html">${e(item.html)}</content>`) +
      `${item.tags.map((tag) => `<category term="${e(tag)}"/>`).join('')}</entry>\n`,
  )
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="${e(feed.lang)}">\n` +
    `<id>${e(feed.feedUrl)}</id><title>${e(feed.title)}</title><subtitle>${e(feed.description)}</subtitle>` +
    `<link rel="self" type="application/atom+xml" href="${e(feed.feedUrl)}"/><link rel="alternate" type="text/html" href="${e(feed.siteUrl)}"/>` +
    `<updated>${formatIso(feed.updatedAtS)}</updated><author><name>${e(feed.title)}</name></author>\n${entries.join('')}</feed>\n`
  )
}

export function formatJsonFeed(feed: OutgoingFeed): string {
  return `${JSON.stringify({
    version: 'https://jsonfeed.org/version/1.1',
    title: feed.title,
    description: feed.description,
    home_page_url: feed.siteUrl,
    feed_url: feed.feedUrl,
    language: feed.lang,
    items: feed.items.map((item) => ({
      id: item.id,
      url: item.url,
      title: item.title,
      ...(item.html === undefined
        ? { content_text: item.summary }
        : { content_html: item.html, summary: item.summary }),
      date_published: formatIso(item.publishedAtS),
      date_modified: formatIso(item.updatedAtS),
      ...(item.author === '' ? {} : { authors: [{ name: item.author }] }),
      ...(item.tags.length === 0 ? {} : { tags: item.tags }),
    })),
  })}\n`
}

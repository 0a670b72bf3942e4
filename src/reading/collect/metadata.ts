/** What a page says of itself: in its head, in Open Graph's words, in JSON-LD, in Dublin Core. */
import type { Root } from 'hast'
import { parseTime } from '#reading/exchange'
import { attr, elements, textOf } from './tree.ts'

export interface Metadata {
  title: string
  author: string
  siteName: string
  description: string
  /** Seconds since the epoch. */
  publishedAtS: number | undefined
  /** BCP 47; empty if the page doesn't say. */
  lang: string
  /** The address that the page calls its own, if it is of the same site. */
  canonical: string | undefined
  image: string | undefined
}

/** Reads a page's head. `base` is where it was fetched. */
export function readMetadata(tree: Root, base: string, contentLanguage = ''): Metadata {
  const metas = new Map<string, string>()
  for (const meta of elements(tree, 'meta')) {
    const name = (
      attr(meta, 'property') ||
      attr(meta, 'name') ||
      attr(meta, 'itemProp') ||
      (attr(meta, 'httpEquiv') && `http-${attr(meta, 'httpEquiv')}`)
    ).toLowerCase()
    const content = attr(meta, 'content').trim()
    if (name !== '' && content !== '' && !metas.has(name)) metas.set(name, content.slice(0, 2000))
  }
  const first = (...names: string[]) => names.map((name) => metas.get(name)).find((value) => value) ?? ''
  const linked = linkedData(tree)
  const html = [...elements(tree, 'html')][0]
  const title = [...elements(tree, 'title')][0]
  const heading = [...elements(tree, 'h1')][0]
  const links = [...elements(tree, 'link')]
  const canonical = links.find((link) => attr(link, 'rel') === 'canonical')
  const time = [...elements(tree, 'time')].find((one) => attr(one, 'dateTime') !== '')
  const published = [
    first('article:published_time', 'og:article:published_time', 'datepublished'),
    linked.published,
    first('date', 'dc.date', 'dcterms.date', 'dc.date.issued', 'citation_publication_date', 'pubdate', 'last-modified'),
    time ? attr(time, 'dateTime') : '',
  ]
  const lang =
    (html && (attr(html, 'lang') || attr(html, 'xmlLang'))) ||
    linked.lang ||
    first('http-content-language', 'og:locale', 'dc.language') ||
    contentLanguage
  const own =
    first('og:title', 'twitter:title') ||
    tidy(title ? textOf(title) : '') ||
    linked.title ||
    tidy(heading ? textOf(heading) : '')
  return {
    title: withoutSite(tidy(own), tidy(heading ? textOf(heading) : '')).slice(0, 500),
    author: tidy(
      first('author', 'article:author_name', 'dc.creator', 'citation_author', 'parsely-author') || linked.author,
    )
      .replace(/^https?:\S+$/u, '')
      .slice(0, 300),
    siteName: tidy(first('og:site_name', 'application-name') || linked.site).slice(0, 200),
    description: tidy(first('og:description', 'description', 'twitter:description', 'dc.description')).slice(0, 1000),
    publishedAtS: published.map((value) => parseTime(value.replace(/\//gu, '-'))).find((value) => value !== undefined),
    lang: /^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/iu.test(lang.trim()) ? lang.trim().replaceAll('_', '-') : '',
    canonical: canonical ? sameSite(attr(canonical, 'href'), base) : undefined,
    image: whole(first('og:image', 'twitter:image'), base),
  }
}

const tidy = (text: string) => text.replace(/[\s\u0000-\u001f\u007f]+/gu, ' ').trim()

/** "How packets travel - Some site" beside a heading "How packets travel" is the heading. */
function withoutSite(title: string, heading: string): string {
  if (
    heading.length >= 4 &&
    title !== heading &&
    title.startsWith(heading) &&
    /^\s*[-–—|:：·«»]/u.test(title.slice(heading.length))
  )
    return heading
  return title
}

function whole(link: string, base: string): string | undefined {
  if (link === '' || !URL.canParse(link, base)) return undefined
  const url = new URL(link, base)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined
}

/** A page may say that it is another of its own site, not that it is somebody else's. */
function sameSite(link: string, base: string): string | undefined {
  const url = whole(link, base)
  const bare = (address: string) => new URL(address).hostname.replace(/^(www|m|amp)\./u, '')
  return url && bare(url) === bare(base) ? url : undefined
}

function linkedData(tree: Root) {
  const found = { title: '', author: '', site: '', published: '', lang: '' }
  for (const script of elements(tree, 'script')) {
    if (attr(script, 'type') !== 'application/ld+json') continue
    let value: unknown
    try {
      value = JSON.parse(textOf(script).slice(0, 500_000))
    } catch {
      continue
    }
    for (const item of flatten(value)) {
      const type = String(item['@type'] ?? '')
      if (!/Article|Posting|WebPage|TechArticle|Report|Book/u.test(type)) continue
      found.title ||= words(item['headline']) || words(item['name'])
      found.author ||= names(item['author'])
      found.site ||= names(item['publisher'])
      found.published ||= words(item['datePublished'])
      found.lang ||= words(item['inLanguage'])
    }
  }
  return found
}

type Item = { readonly [name: string]: unknown }
const words = (value: unknown): string => (typeof value === 'string' ? value : '')
const isItem = (value: unknown): value is Item => typeof value === 'object' && value !== null && !Array.isArray(value)

function flatten(value: unknown): Item[] {
  if (Array.isArray(value)) return value.slice(0, 100).filter(isItem)
  if (!isItem(value)) return []
  return Array.isArray(value['@graph']) ? value['@graph'].slice(0, 100).filter(isItem) : [value]
}

function names(value: unknown): string {
  const all = Array.isArray(value) ? value.slice(0, 20) : [value]
  return all
    .map((one) => (isItem(one) ? words(one['name']) : words(one)))
    .filter(Boolean)
    .join(', ')
}

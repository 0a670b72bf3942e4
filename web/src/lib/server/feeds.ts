/** Every list as a feed: its page's address with `.rss`, `.atom` or `.json` behind it; the first page's is /index.rss. */
import type { RequestEvent } from '@sveltejs/kit'
import { FEED_TYPES, formatAtom, formatJsonFeed, formatRss } from '#reading/exchange'
import { LIST_ORDERS, type ListQuery, MEDIA } from '#reading/library'
import { addressOf } from './api/schemas.ts'
import { currentStore } from './room.ts'

const FORMS = { rss: formatRss, atom: formatAtom, json: formatJsonFeed }
const ITEMS = 40

/** What of a list's path the store is asked for, and how the feed is called; undefined if it is no list. */
function listOf(path: string, parameters: URLSearchParams): { title: string; query: Partial<ListQuery> } | undefined {
  const [first = '', ...after] = path.split('/')
  // A tag may have a slash in it.
  const parts = after.length > 0 ? [first, after.join('/')] : [first]
  const order = LIST_ORDERS.find((each) => each === (parameters.get('order') ?? parameters.get('sort')))
  const medium = MEDIA.find((each) => each === parameters.get('medium'))
  const more = { ...(order ? { order } : {}), ...(medium ? { medium } : {}) }
  const [kind, name] = parts
  if (kind === '' || (kind === 'index' && name === undefined)) {
    const site = parameters.get('site')
    const keyword = parameters.get('keyword')
    const words = [site, keyword].filter((word) => word !== null)
    return {
      title: ['Kaidoku', ...words].join(': '),
      query: { ...more, ...(site ? { site } : {}), ...(keyword ? { keyword } : {}) },
    }
  }
  if (name === undefined) return undefined
  const found = { site: { site: name }, user: { user: name }, tag: { tag: name }, keyword: { keyword: name } }[
    kind ?? ''
  ]
  return found && { title: `Kaidoku: ${name}`, query: { ...more, ...found } }
}

/** The feed of a list, or 404. What is private is in none. */
async function listFeed(event: RequestEvent, path: string, form: keyof typeof FORMS): Promise<Response> {
  const { url, locals } = event
  const list = listOf(path, url.searchParams)
  if (!list)
    return new Response('there is no list here\n', {
      status: 404,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    })
  const store = await currentStore()
  const { entries } = await store.list({ ...list.query, lang: locals.locale, limit: ITEMS })
  const seconds = (ms: number) => Math.round(ms / 1000)
  const site = new URL(url)
  site.pathname = path === 'index' ? '/' : `/${path}`
  const text = FORMS[form]({
    title: list.title,
    description: locals.locale === 'ja' ? '動く読書室' : 'An executable reading room',
    siteUrl: site.href,
    feedUrl: url.href,
    lang: locals.locale,
    updatedAtS: seconds(entries[0]?.addedAtMs ?? 0),
    items: entries.map((entry) => ({
      id: addressOf(entry, url.origin),
      url: addressOf(entry, url.origin),
      title: entry.title,
      summary: entry.summary,
      author: entry.author,
      tags: entry.keywords,
      publishedAtS: seconds(entry.addedAtMs),
      updatedAtS: seconds(entry.addedAtMs),
      commentsUrl: `${url.origin}/entry/${entry.kind === 'article' ? `articles/${entry.key}` : encodeURI(entry.key).replaceAll('?', '%3F').replaceAll('#', '%23')}`,
    })),
  })
  return new Response(text, { headers: { 'content-type': FEED_TYPES[form], 'cache-control': 'public, max-age=300' } })
}

/** Serves a list as a feed, if that is what an address asks for: by its end, or by `?format=`. */
export function serveFeed(event: RequestEvent): Promise<Response> | undefined {
  const { pathname, searchParams } = event.url
  if (event.request.method !== 'GET' || event.isDataRequest) return undefined
  const path = pathname.replace(/^\/(?:en|ja)(?=\/|$)/u, '')
  const named = /^\/((?:(?:site|user|tag|keyword)\/[^/]+)|index|feed)\.(rss|atom|json)$/u.exec(path)
  const asked = Object.keys(FORMS).find((form) => form === searchParams.get('format'))
  const list = /^\/(?:(?:site|user|tag|keyword)\/[^/]+)?$/u.test(path)
  const form = (named?.[2] ?? (list ? asked : undefined)) as keyof typeof FORMS | undefined
  if (!form) return undefined
  try {
    const whole = decodeURIComponent(named?.[1] ?? (path.slice(1) || 'index'))
    return listFeed(event, whole === 'feed' ? 'index' : whole, form)
  } catch {
    return undefined // A broken % in the address: the page says so.
  }
}

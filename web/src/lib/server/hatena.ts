/** Read interfaces in the shape of Hatena Bookmark's, so that what was written for it can ask here. */
import type { RequestEvent } from '@sveltejs/kit'
import { targetOf } from './api/routes.ts'
import { addressOf } from './api/schemas.ts'
import { currentStore } from './room.ts'

/** They are read from other sites' pages, by whoever: without cookies, and with nothing but what is public. */
const OPEN = {
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'cache-control': 'public, max-age=60',
}

const json = (value: unknown, callback: string | null) => {
  const text = JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  if (callback !== null && /^[\w.$[\]]{1,100}$/u.test(callback))
    return new Response(`/**/${callback}(${text});`, {
      headers: { ...OPEN, 'content-type': 'text/javascript; charset=utf-8' },
    })
  return new Response(text, { headers: { ...OPEN, 'content-type': 'application/json; charset=utf-8' } })
}

// 2026/11/23 21:18, on the clock of Japan, as there.
const stamp = (ms: number) =>
  new Date(ms + 9 * 3_600_000).toISOString().slice(0, 16).replaceAll('-', '/').replace('T', ' ')

/** `/entry/json/?url=` and `/entry/jsonlite/?url=`: an entry and its public bookmarks; null if nobody has it. */
export async function entryJson(event: RequestEvent, related: boolean): Promise<Response> {
  const { searchParams, origin } = event.url
  const url = searchParams.get('url')?.slice(0, 8192) ?? ''
  const store = await currentStore()
  const entry = await store.entries.find(targetOf(url, origin), event.locals.locale, undefined)
  if (!entry) return json(null, searchParams.get('callback'))
  const { comments } = await store.comments.list({ entryId: entry.id, which: 'all', limit: 200 })
  const nearby =
    related && entry.site
      ? await store.list({ lang: event.locals.locale, site: entry.site, order: 'popular', limit: 6 })
      : undefined
  const page = (key: string) => `${origin}/entry/${key}`
  const answer = {
    eid: String(entry.id),
    title: entry.title,
    count: entry.users,
    url: addressOf(entry, origin),
    entry_url: page(entry.kind === 'article' ? `articles/${entry.key}` : entry.key),
    screenshot: entry.picture ? `${origin}/images/${entry.picture}` : '',
    bookmarks: comments.map((each) => ({
      user: each.user.username,
      comment: each.comment,
      tags: each.tags,
      timestamp: stamp(each.createdAtMs),
    })),
    ...(nearby
      ? {
          related: nearby.entries
            .filter((each) => each.id !== entry.id)
            .slice(0, 5)
            .map((each) => ({
              eid: String(each.id),
              title: each.title,
              count: each.users,
              url: addressOf(each, origin),
              entry_url: page(each.kind === 'article' ? `articles/${each.key}` : each.key),
            })),
        }
      : {}),
  }
  return json(answer, searchParams.get('callback'))
}

const ADDRESSES_MAX = 50

/** `/count/entries?url=…&url=…`: how many users each address has. */
export async function countEntries(event: RequestEvent): Promise<Response> {
  const urls = event.url.searchParams.getAll('url')
  if (urls.length > ADDRESSES_MAX)
    return new Response(`at most ${ADDRESSES_MAX} addresses at a time\n`, {
      status: 414,
      headers: { ...OPEN, 'content-type': 'text/plain; charset=utf-8' },
    })
  const counts = await (await currentStore()).entries.countUsers(urls)
  return json(Object.fromEntries(urls.map((url, i) => [url, counts[i]])), event.url.searchParams.get('callback'))
}

/** `/count/entry?url=`: the number alone; nothing at all if nobody has it. */
export async function countEntry(event: RequestEvent): Promise<Response> {
  const url = event.url.searchParams.get('url') ?? ''
  const [count = 0] = await (await currentStore()).entries.countUsers([url])
  return new Response(count === 0 ? '' : String(count), {
    headers: { ...OPEN, 'content-type': 'text/plain; charset=utf-8' },
  })
}

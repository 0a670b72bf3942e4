/** The library behind a server: /api/v1 with a token. */
import { UsageError } from '../command.ts'
import { type EntryJson, type Library, LibraryError, type PageJson } from './index.ts'

type Words = Record<string, string | number | boolean | undefined>

export function openRemote(server: string, token: string): Library {
  if (!/^https?:\/\//iu.test(server) || !URL.canParse(server))
    throw new UsageError(`kaidoku: --server: '${server}' is not an address such as http://localhost:3000`)
  const base = `${server.replace(/\/+$/u, '')}/api/v1`

  async function call<T>(method: string, path: string, words: Words = {}, body?: unknown): Promise<T | undefined> {
    const url = new URL(base + path)
    for (const [name, value] of Object.entries(words))
      if (value !== undefined) url.searchParams.set(name, String(value))
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new LibraryError(
        `${server} doesn't answer: ${(error.cause as Error | undefined)?.message || error.message}`,
      )
    })
    const text = await answer.text()
    if (answer.status === 404 && method === 'GET') return undefined
    const json = /\bjson\b/u.test(answer.headers.get('content-type') ?? '')
    if (!answer.ok) {
      const problem = json ? (JSON.parse(text) as { title?: string; detail?: string }) : {}
      throw new LibraryError(`${server}: ${problem.detail || problem.title || `${answer.status} ${answer.statusText}`}`)
    }
    if (text !== '' && !json) throw new LibraryError(`${base} is not a reading room's API`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  const get = async <T>(path: string, words?: Words): Promise<T> => {
    const found = await call<T>('GET', path, words)
    if (found === undefined) throw new LibraryError(`${base}${path}: there is nothing here; is it a reading room?`)
    return found
  }
  const send = async <T>(method: string, path: string, body?: unknown, words?: Words): Promise<T> =>
    (await call<T>(method, path, words, body)) as T
  const addressed = (url: string) => (url.startsWith('articles/') ? `${server.replace(/\/+$/u, '')}/${url}` : url)

  return {
    where: server,
    close: async () => {},
    save: (url, change) => send('POST', '/bookmarks', { url: addressed(url), ...change }),
    lookup: (url) => call<EntryJson>('GET', '/entries/lookup', { url: addressed(url) }),
    async list({ all, state, user, ...words }) {
      if (!all && user === undefined) {
        const { site, keyword, kind, medium, order, ...rest } = words
        if (site ?? keyword ?? kind ?? medium ?? order) {
          const me = await get<{ handle: string }>('/users/me')
          if (state === undefined) return get('/entries', { ...words, user: me.handle })
          throw new UsageError('kaidoku list: with --server, a state (--unread ...) goes with --tag alone')
        }
        return get('/bookmarks', { ...rest, state })
      }
      return get<PageJson<EntryJson>>('/entries', { ...words, user })
    },
    search: (q, limit, cursor) => get('/search', { q, limit, cursor }),
    comments: (entryId) => get(`/entries/${entryId}/comments`, { limit: 200 }),
    remove: (entryId) => send('DELETE', `/bookmarks/${entryId}`),
    tags: () => get('/tags'),
    star: (commentId, starred) => send('PUT', `/comments/${commentId}/star`, { starred }),
    follows: () => get('/follows'),
    follow: (kind, name, on) =>
      on ? send('POST', '/follows', { kind, name }) : send('DELETE', '/follows', undefined, { kind, name }),
    highlights: (entryId) => get(entryId === undefined ? '/highlights' : `/entries/${entryId}/highlights`),
    highlight: (entryId, quote, note) => send('POST', `/entries/${entryId}/highlights`, { quote, note }),
    removeHighlight: (id) => send('DELETE', `/highlights/${id}`),
    keywords: () => get('/keywords'),
    feeds: () => get('/feeds'),
    subscribe: (url, about) => send('POST', '/feeds', { url, ...about }),
    unsubscribe: (id) => send('DELETE', `/feeds/${id}`),
    tokens: () => get('/tokens'),
    createToken: (name, scopes, days) =>
      send('POST', '/tokens', { name, scopes, ...(days === undefined ? {} : { days }) }),
    removeToken: (id) => send('DELETE', `/tokens/${id}`),
    webhooks: () => get('/webhooks'),
    createWebhook: (url, events) => send('POST', '/webhooks', { url, events }),
    removeWebhook: (id) => send('DELETE', `/webhooks/${id}`),
  }
}

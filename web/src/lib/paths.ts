/** Where the pages are. Each path is without the language's prefix; `within` of locale.ts puts that before it. */

/** The page of an address or an article: `/entry/https://lwn.net/`, readable, and what would end a path escaped. */
export const entryPath = (url: string) => `/entry/${escaped(url)}`

/** Its preserved page in the reader. */
export const readPath = (url: string) => `/read/${escaped(url)}`

// A dot segment would be walked by the browser; a backslash would become a slash.
const escaped = (url: string) =>
  url
    .replace(/[%?#\\\s]|[^\x21-\x7e]/gu, (character) => encodeURIComponent(character))
    .replace(/(?<=\/)\.{1,2}(?=\/|$)/gu, (dots) => dots.replaceAll('.', '%2E'))

/** The address in a path's rest: browsers and proxies make `https:/x` of `https://x`, and a query may hang on unescaped. */
export function urlOfPath(rest: string, search: string): string {
  const whole = rest.replace(/^(https?:)\/+/iu, '$1//')
  const query = new URLSearchParams(search)
  for (const name of OURS) query.delete(name)
  // Only what was written unescaped is of the address; `?at=...` is ours.
  return query.size > 0 && !whole.includes('?') ? `${whole}?${query}` : whole
}

/** The parameters of our own pages. */
const OURS = ['at', 'sort', 'version', 'done', 'x-sveltekit-invalidated', '/comment', '/note']

export const sitePath = (host: string) => `/site/${encodeURIComponent(host)}`
export const userPath = (handle: string) => `/user/${encodeURIComponent(handle)}`
export const tagPath = (tag: string) => `/tag/${encodeURIComponent(tag)}`
export const keywordPath = (word: string) => `/keyword/${encodeURIComponent(word)}`

/** What may be gone back to after a form: a path of this room and nothing else. */
export function safeBack(path: FormDataEntryValue | string | null | undefined): string {
  return typeof path === 'string' && /^\/(?![/\\])[^\s\\]*$/u.test(path) ? path : '/'
}

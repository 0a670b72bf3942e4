/** URLs as curl takes them, and the patterns in them. curl 7.88.1 lib/urlapi.c, src/tool_urlglob.c */

export interface Url {
  scheme: string
  user: string | undefined
  password: string | undefined
  host: string
  /** As given; undefined: the scheme's. */
  port: number | undefined
  path: string
  query: string | undefined
}

/** Why a URL is none: the error's number. */
export type UrlResult = { ok: true; url: Url } | { ok: false; code: number; message: string }

const BAD = { ok: false, code: 3, message: 'URL using bad/illegal format or missing URL' } as const

export function defaultPort(scheme: string): number {
  return scheme === 'https' ? 443 : 80
}

export function parseUrl(text: string, asIs = false): UrlResult {
  if (/[\x00-\x1f\x7f ]/.test(text) || text.length > 8_000_000) return BAD
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/s.exec(text)
  if (!match) return BAD
  const scheme = (match[1] ?? 'http').toLowerCase()
  let authority = match[2]!
  let [user, password]: (string | undefined)[] = []
  const at = authority.lastIndexOf('@')
  if (at >= 0) {
    ;[user, password] = [authority.slice(0, at).split(':')[0], authority.slice(0, at).split(':').slice(1).join(':')]
    authority = authority.slice(at + 1)
  }
  const parts = /^(\[[\da-fA-F:.%]+\]|[^:[\]]*)(?::(\d*))?$/.exec(authority)
  if (!parts || parts[1] === '') return BAD
  const port = parts[2] === undefined || parts[2] === '' ? undefined : Number(parts[2])
  if (port !== undefined && port > 65535) return BAD
  if (scheme !== 'http' && scheme !== 'https') {
    return { ok: false, code: 1, message: `Protocol "${scheme}" not supported or disabled in libcurl` }
  }
  const path = match[3] === '' ? '/' : match[3]!
  return {
    ok: true,
    url: {
      scheme,
      user,
      password,
      host: parts[1]!.replace(/^\[|\]$/g, ''),
      port,
      path: asIs ? path : removeDots(path),
      query: match[4],
    },
  }
}

/** RFC 3986 section 5.2.4. */
function removeDots(path: string): string {
  const out: string[] = []
  const parts = path.split('/')
  parts.forEach((part, i) => {
    const last = i === parts.length - 1
    if (part === '.') {
      if (last) out.push('')
    } else if (part === '..') {
      if (out.length > 1) out.pop()
      if (last) out.push('')
    } else out.push(part)
  })
  const joined = out.join('/')
  return joined.startsWith('/') ? joined : `/${joined}`
}

/** The URL as text; `explicit` keeps a port that was given. */
export function formatUrl(url: Url): string {
  const port = url.port === undefined ? '' : `:${url.port}`
  const host = url.host.includes(':') ? `[${url.host}]` : url.host
  return `${url.scheme}://${host}${port}${url.path}${url.query === undefined ? '' : `?${url.query}`}`
}

/** A reference beside the URL that it was found at. RFC 3986 section 5.2 */
export function resolveUrl(base: Url, reference: string): UrlResult {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(reference)) return parseUrl(reference)
  const host = base.host.includes(':') ? `[${base.host}]` : base.host
  const origin = `${base.scheme}://${host}${base.port === undefined ? '' : `:${base.port}`}`
  if (reference.startsWith('//')) return parseUrl(`${base.scheme}:${reference}`)
  if (reference.startsWith('/')) return parseUrl(origin + reference)
  if (reference.startsWith('?')) return parseUrl(origin + base.path + reference)
  return parseUrl(`${origin}${base.path.replace(/[^/]*$/, '')}${reference}`)
}

const EXPANSIONS_MAX = 100_000

/** What {a,b} and [1-3] stand for, and the words for #1 in a file's name; an error's text if it is no pattern. */
export function expandGlob(text: string): { url: string; words: string[] }[] | { error: string } {
  let results: { url: string; words: string[] }[] = [{ url: '', words: [] }]
  let at = 0
  const column = () => at + 1
  while (at < text.length) {
    const char = text[at]!
    if (char === '\\' && /[{}[\]]/.test(text[at + 1] ?? '')) {
      results = results.map((one) => ({ ...one, url: one.url + text[at + 1]! }))
      at += 2
      continue
    }
    if (char !== '{' && char !== '[') {
      if (char === '}' || char === ']') return { error: `unmatched close brace/bracket in URL position ${column()}:` }
      results = results.map((one) => ({ ...one, url: one.url + char }))
      at++
      continue
    }
    // An IPv6 address is no range.
    const literal = char === '[' ? /^\[[\da-fA-F:.]*:[\da-fA-F:.%]*\]/.exec(text.slice(at)) : undefined
    if (literal) {
      results = results.map((one) => ({ ...one, url: one.url + literal[0] }))
      at += literal[0].length
      continue
    }
    const end = text.indexOf(char === '{' ? '}' : ']', at)
    if (end < 0)
      return {
        error:
          char === '{' ? `unmatched brace in URL position ${column()}:` : `bad range in URL position ${column() + 1}:`,
      }
    const inner = text.slice(at + 1, end)
    const words = char === '{' ? inner.split(',') : rangeOf(inner)
    if (!words || words.length === 0) return { error: `bad range in URL position ${column() + 1}:` }
    if (results.length * words.length > EXPANSIONS_MAX) return { error: 'range overflow' }
    results = results.flatMap((one) => words.map((word) => ({ url: one.url + word, words: [...one.words, word] })))
    at = end + 1
  }
  return results
}

function rangeOf(text: string): string[] | undefined {
  const match = /^(?:(\d+)-(\d+)|([a-zA-Z])-([a-zA-Z]))(?::(\d+))?$/.exec(text)
  if (!match) return undefined
  const step = Number(match[5] ?? 1)
  if (step < 1) return undefined
  const words: string[] = []
  if (match[1] !== undefined) {
    const width = match[1].startsWith('0') ? match[1].length : 0
    const [low, high] = [Number(match[1]), Number(match[2])]
    if (high < low || (high - low) / step > EXPANSIONS_MAX) return undefined
    for (let value = low; value <= high; value += step) words.push(String(value).padStart(width, '0'))
    return words
  }
  const [low, high] = [match[3]!.charCodeAt(0), match[4]!.charCodeAt(0)]
  for (let code = low; code <= high; code += step) words.push(String.fromCharCode(code))
  return words
}

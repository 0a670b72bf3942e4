/**
 * Who may ask at all. A page elsewhere can make a reader's browser send requests here, and can give its own name our
 * address (DNS rebinding); what tells them apart is in the headers that a browser won't let a page forge.
 */

const LOOPBACK_NAME = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u

/** The host of a Host header, in lower case and without its port. */
export function hostName(host: string | null): string {
  return (host ?? '').toLowerCase().replace(/:\d{1,5}$/u, '')
}

/** Whether a Host header names this machine to itself. */
export const isLoopbackHost = (host: string | null) => LOOPBACK_NAME.test(hostName(host))

/** Whether a peer's address is this machine's own; IPv4 may come within IPv6. */
export const isLoopbackAddress = (address: string) =>
  /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/iu.test(address) || address === '::1'

export interface Listening {
  /** Where the server listens: HOST. */
  host: string | undefined
  /** ORIGIN, if the server is known by one. */
  origin: string | undefined
  /** KAIDOKU_HOSTS: other names that it is known by, comma between. */
  names: string | undefined
}

/** Whether a request is for us: for a name that leads elsewhere no page is shown, or rebinding would read it. */
export function servesHost(host: string | null, { host: listening, origin, names }: Listening): boolean {
  const name = hostName(host)
  if (isLoopbackHost(host)) return true
  const known = (names ?? '').split(',').map((each) => each.trim().toLowerCase())
  if (origin !== undefined && URL.canParse(origin)) known.push(new URL(origin).hostname)
  if (known.includes(name)) return true
  // Told to listen to everybody, and not by what name: any will do, and only what is public is at stake.
  const open = listening !== undefined && !isLoopbackAddress(listening) && listening !== 'localhost'
  return open && origin === undefined && (names ?? '') === ''
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Why a request that changes something is refused; undefined if it comes from a page of ours, or carries a token. */
export function crossSite(request: Request, origin: string | undefined): string | undefined {
  if (SAFE.has(request.method)) return undefined
  // No browser adds this header by itself, and a page elsewhere would have to ask first (CORS), in vain.
  if (request.headers.has('authorization') && !request.headers.has('cookie')) return undefined
  const from = request.headers.get('origin')
  if (from !== null) {
    const expected = origin !== undefined && URL.canParse(origin) ? new URL(origin).host : request.headers.get('host')
    if (URL.canParse(from) && new URL(from).host === expected?.toLowerCase()) return undefined
    return `a form of ${from.slice(0, 200)} can't be sent here`
  }
  if (request.headers.get('sec-fetch-site') === 'same-origin') return undefined
  return 'a request without Origin changes nothing; send one, or a token (Authorization: Bearer)'
}

const FORM_MAX = 4 << 20
// These take files, and count what they read.
const TAKES_FILES = /^\/(?:(?:en|ja)\/)?(?:import\/?$|api\/v1\/)/u

/** Why a body isn't even read: its status and reason; undefined if it may be. */
export function refusedBody(request: Request, path: string): [status: number, why: string] | undefined {
  if (SAFE.has(request.method) || TAKES_FILES.test(path)) return undefined
  const length = request.headers.get('content-length')
  // A browser tells how long a form is. Who doesn't could send without end.
  if (length === null && request.headers.has('transfer-encoding')) return [411, 'say how long it is: Content-Length']
  return Number(length) > FORM_MAX ? [413, `at most ${FORM_MAX} bytes`] : undefined
}

// Whatever a proxy may have added: its loopback address isn't the reader's.
const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
  'cf-connecting-ip',
]

/** Whether a browser on this very machine asks for a page of ours by a name of this machine. */
export function isLocalVisit(request: Request, peer: string, httpVersion?: string, asked = false): boolean {
  const { headers } = request
  return (
    isLoopbackAddress(peer) &&
    isLoopbackHost(headers.get('host')) &&
    httpVersion !== '1.0' && // No browser speaks it; a proxy does, by nginx's default without a header of its own.
    !FORWARDED.some((name) => headers.has(name)) &&
    // A form of ours may ask for it, too; that it is ours has been seen to.
    (asked || (request.method === 'GET' && (headers.get('accept') ?? '').includes('text/html'))) &&
    headers.get('sec-fetch-site') !== 'cross-site'
  )
}

/** So many tries in so much time for each key; the oldest keys are forgotten when there are too many. */
export class Limiter {
  readonly #limit: number
  readonly #windowMs: number
  readonly #keys = new Map<string, { count: number; untilMs: number }>()

  constructor(limit: number, windowMs: number) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  /** Seconds to wait; 0 if this one is allowed, and counted. */
  take(key: string, nowMs = Date.now()): number {
    let entry = this.#keys.get(key)
    if (!entry || entry.untilMs <= nowMs) {
      this.#keys.delete(key)
      entry = { count: 0, untilMs: nowMs + this.#windowMs }
      this.#keys.set(key, entry)
      if (this.#keys.size > 50_000) this.#keys.delete(this.#keys.keys().next().value!)
    }
    if (entry.count >= this.#limit) return Math.max(1, Math.ceil((entry.untilMs - nowMs) / 1000))
    entry.count++
    return 0
  }

  /** Whoever got it right isn't held back by what went before. */
  forget(key: string): void {
    this.#keys.delete(key)
  }
}

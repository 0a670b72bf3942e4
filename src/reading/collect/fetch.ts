/**
 * One page fetched, with care: a name is resolved once, and the connection goes to an address that was checked, so that a
 * name that changes its mind (DNS rebinding) gains nothing; each redirect is checked anew; time, redirects, bytes on the
 * wire and bytes after unpacking are bounded, whatever the headers promise.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { whyNotPublic } from './address.ts'

export const USER_AGENT = 'Kaidoku/0.1 (a reading room that saves a page its reader asked for)'

export interface FetchOptions {
  /** Also hosts of one's own network: off unless the owner of the room says so. */
  allowPrivate?: boolean
  method?: 'GET' | 'HEAD' | 'POST'
  headers?: Record<string, string>
  /** For POST. */
  body?: string
  /** For all of it, redirects included. */
  timeoutMs?: number
  /** After unpacking. */
  maxBytes?: number
  maxRedirects?: number
  /** Media types that are wanted; all if left out. The body of another isn't read. */
  accept?: RegExp
  /** In place of the system's resolver; a test's. */
  resolve?: (host: string) => Promise<LookupAddress[]>
  signal?: AbortSignal
}

export interface Fetched {
  /** After all redirects. */
  url: string
  status: number
  headers: Record<string, string>
  /** Lower case, without parameters. */
  contentType: string
  body: Uint8Array
  redirects: string[]
}

export type FetchFailure =
  | 'address'
  | 'private'
  | 'dns'
  | 'connection'
  | 'timeout'
  | 'size'
  | 'redirects'
  | 'type'
  | 'robots'
  | 'broken'

/** A page couldn't be had; the message is for its reader. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly kind: FetchFailure
  constructor(kind: FetchFailure, message: string) {
    super(message)
    this.kind = kind
  }
}

const DEFAULTS = { timeoutMs: 20_000, maxBytes: 10 * 1024 * 1024, maxRedirects: 5 }

/** Fetches an address within the limits; throws FetchError. A status of 404 is an answer, not an error. */
export async function fetchPage(address: string, options: FetchOptions = {}): Promise<Fetched> {
  const limits = { ...DEFAULTS, ...options }
  const deadline = performance.now() + limits.timeoutMs
  const redirects: string[] = []
  let url = parseAddress(address)
  let method = options.method ?? 'GET'
  for (;;) {
    const left = deadline - performance.now()
    if (left <= 0) throw new FetchError('timeout', `no answer within ${limits.timeoutMs / 1000} seconds`)
    const answer = await fetchOnce(url, { ...limits, method, timeoutMs: left })
    const location = answer.headers['location']
    if (![301, 302, 303, 307, 308].includes(answer.status) || !location || method === 'POST')
      return { ...answer, url: url.href, redirects }
    if (redirects.length >= limits.maxRedirects)
      throw new FetchError('redirects', `more than ${limits.maxRedirects} redirects`)
    let next: URL
    try {
      next = parseAddress(new URL(location, url).href)
    } catch (error) {
      throw error instanceof FetchError ? error : new FetchError('redirects', 'a redirect to what is no address')
    }
    if (next.href === url.href) throw new FetchError('redirects', 'the page redirects to itself')
    redirects.push(next.href)
    url = next
    if (method !== 'HEAD') method = 'GET'
  }
}

function parseAddress(address: string): URL {
  if (!URL.canParse(address)) throw new FetchError('address', 'not an address')
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new FetchError('address', `${url.protocol} is not fetched`)
  if (url.username !== '' || url.password !== '')
    throw new FetchError('address', 'a user name or password in the address')
  url.hash = ''
  return url
}

type Limits = FetchOptions & { timeoutMs: number; maxBytes: number; method: string }

async function fetchOnce(url: URL, limits: Limits): Promise<Omit<Fetched, 'url' | 'redirects'>> {
  const host = url.hostname.replace(/^\[|\]$/gu, '')
  const refuse = (address: string) => {
    const why = limits.allowPrivate ? undefined : whyNotPublic(address)
    return why
      ? new FetchError('private', `${url.hostname} is at ${address} (${why}): not of the public Internet`)
      : undefined
  }
  const refused = isIP(host) ? refuse(host) : undefined
  if (refused) throw refused
  // Called once by the connection about to be made; what it answers is what is connected to.
  const lookup: LookupFunction = (name, wanted, callback) => {
    resolveAll(name, limits).then(
      (found) => {
        const good = found.filter(({ address }) => refuse(address) === undefined)
        if (good.length < found.length) callback(refuse(found.find(({ address }) => refuse(address))!.address)!, '', 0)
        else if (good.length === 0) callback(new FetchError('dns', `${name} has no address`), '', 0)
        else if (wanted.all) (callback as unknown as (error: null, all: LookupAddress[]) => void)(null, good)
        else callback(null, good[0]!.address, good[0]!.family)
      },
      () => callback(new FetchError('dns', `${name} is not known`), '', 0),
    )
  }
  return await new Promise((resolve, reject) => {
    let request: ClientRequest | undefined
    const fail = (error: Error) => {
      clearTimeout(timer)
      request?.destroy()
      reject(error instanceof FetchError ? error : new FetchError('connection', `no connection: ${error.message}`))
    }
    const timer = setTimeout(() => fail(new FetchError('timeout', 'the answer takes too long')), limits.timeoutMs)
    limits.signal?.addEventListener('abort', () => fail(new FetchError('timeout', 'given up')), { once: true })
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    try {
      request = send(url, {
        method: limits.method,
        agent: false, // A connection that is kept was checked for another name.
        lookup,
        maxHeaderSize: 64 * 1024,
        headers: {
          'user-agent': USER_AGENT,
          accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,application/pdf;q=0.8,*/*;q=0.5',
          'accept-encoding': 'gzip, deflate, br',
          'accept-language': 'ja,en;q=0.8',
          ...(limits.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(limits.body)) }),
          ...limits.headers,
        },
      })
    } catch (error) {
      fail(error as Error)
      return
    }
    request.on('error', fail)
    request.on('response', (response) => {
      // The socket says where it is, whatever the resolver said.
      const remote = response.socket.remoteAddress
      const late = remote === undefined ? undefined : refuse(remote)
      if (late) return fail(late)
      const contentType = (response.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(response.headers))
        headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '')
      const status = response.statusCode ?? 0
      const settle = (body: Uint8Array) => {
        clearTimeout(timer)
        request?.destroy()
        resolve({ status, headers, contentType, body })
      }
      const redirect = status >= 300 && status < 400
      if (limits.method === 'HEAD' || redirect || status === 204 || status === 304) return settle(new Uint8Array())
      if (limits.accept && status < 300 && contentType !== '' && !limits.accept.test(contentType))
        return fail(new FetchError('type', `${contentType} is not a kind that is read`))
      readBody(response, limits.maxBytes).then(settle, fail)
    })
    request.end(limits.body)
  })
}

function resolveAll(name: string, limits: FetchOptions): Promise<LookupAddress[]> {
  if (limits.resolve) return limits.resolve(name)
  return new Promise((resolve, reject) => {
    dnsLookup(name, { all: true }, (error, found) => (error ? reject(error) : resolve(found)))
  })
}

function unpackerOf(encoding: string | undefined) {
  switch ((encoding ?? '').trim().toLowerCase()) {
    case '':
    case 'identity':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      throw new FetchError('broken', `packed in a way (${encoding?.slice(0, 20)}) that nobody asked for`)
  }
}

function readBody(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new FetchError('size', `the page is larger than ${Math.round(maxBytes / 1024 / 1024)} MB`)
  return new Promise((resolve, reject) => {
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) return reject(tooLarge())
    let unpacker: ReturnType<typeof unpackerOf>
    try {
      unpacker = unpackerOf(response.headers['content-encoding'])
    } catch (error) {
      return reject(error)
    }
    const chunks: Buffer[] = []
    let total = 0
    const fail = (error: Error) => {
      reject(error) // First: what is torn down complains, too.
      response.destroy()
      unpacker?.destroy()
    }
    const source = unpacker ? response.pipe(unpacker) : response
    response.on('error', fail)
    response.on('aborted', () => fail(new FetchError('broken', 'the answer was cut off')))
    unpacker?.on('error', () => fail(new FetchError('broken', 'the answer is packed wrongly')))
    source.on('data', (chunk: Buffer) => {
      total += chunk.length
      if (total > maxBytes) fail(tooLarge())
      else chunks.push(chunk)
    })
    source.on('end', () => resolve(new Uint8Array(Buffer.concat(chunks))))
  })
}

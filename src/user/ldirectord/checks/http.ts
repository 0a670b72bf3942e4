/**
 * A page by HTTP, whose status must be one of success and whose text must have the pattern in it. libwww-perl 6.68:
 * LWP::UserAgent, LWP::Protocol::http; Net::HTTP 6.22
 */
import { decodeLatin1, encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, strerror } from '#kernel/core'
import { connectUntil, receiveUntil, sendUntil } from '../connecting.ts'
import { compilePattern, httpDate } from '../perl.ts'
import type { Checking } from './check.ts'

const REDIRECTS_MAX = 7
const HEAD_MAX = 65_536
const BODY_MAX = 8 << 20

interface Answer {
  /** `200 OK`. */
  status: string
  headers: [name: string, value: string][]
  content: string
}

interface Url {
  host: string
  port: number
  path: string
}

export function* checkHttp(check: Checking): Body<boolean> {
  const { virtual, real } = check
  if (virtual.service === 'https') throw new NotModelled('ldirectord: a check by HTTPS')
  const host = virtual.virtualhost ?? real.server
  yield* check.debug(2, `check_http: url="${real.url}" virtualhost="${host}"`)
  yield* check.debug(2, 'Starting Check')
  yield* check.debug(2, 'Starting HTTP/HTTPS')
  const answer = yield* follow(check, real.url, virtual.service === 'http_proxy' ? undefined : host)
  yield* check.debug(2, 'Finished HTTP/HTTPS')
  yield* check.debug(2, `Return status: ${answer.status}`)
  const success = answer.status.startsWith('2')
  const receive = real.receive!
  if (success && (receive === '' || compilePattern(receive).test(answer.content))) {
    yield* check.set('up', answer.status)
    yield* check.debug(2, `check_http: ${real.url} is up\n`)
    return true
  }
  yield* check.set('down', success ? answer.content : answer.status)
  yield* check.debug(3, `Headers ${answer.headers.map(([name, value]) => `${name}: ${value}\n`).join('')}`)
  yield* check.debug(2, `check_http: ${real.url} is down\n`)
  return false
}

/** The answer, or that of the place to which it refers. One limit holds for all. */
function* follow(check: Checking, first: string, hostHeader: string | undefined): Body<Answer> {
  const untilNs = check.untilNs(check.virtual.negotiatetimeout)
  let address = first
  let host = hostHeader
  for (let count = 0; ; count++) {
    const url = parseUrl(address)
    if (!url) return internal(check, `501 Protocol scheme '${/^(\w*)/.exec(address)![1]}' is not supported`)
    const answer = yield* request(check, url, address, host ?? defaultHost(url), untilNs)
    const location = answer.headers.find(([name]) => name.toLowerCase() === 'location')?.[1]
    if (!/^30[12378] /.test(answer.status) || location === undefined || count >= REDIRECTS_MAX) return answer
    const next = resolveUrl(url, location)
    if (/^https:/.test(next)) throw new NotModelled('ldirectord: a check by HTTPS, to which it was referred')
    address = next
    host = undefined
  }
}

const defaultHost = ({ host, port }: Url) => (port === 80 ? host : `${host}:${port}`)

function parseUrl(text: string): Url | undefined {
  const match = /^http:\/\/(?:[^@/]*@)?(\[[0-9A-Fa-f:.]+\]|[^:/?#]*)(?::(\d*))?([/?][^#]*)?/.exec(text)
  if (!match) return undefined
  const path = match[3] ?? '/'
  return {
    host: match[1]!,
    port: match[2] ? Number(match[2]) : 80,
    path: (path.startsWith('/') ? path : `/${path}`).replaceAll(' ', '%20'),
  }
}

/** RFC 3986, section 5.2, for what servers send. */
function resolveUrl(base: Url, location: string): string {
  if (/^\w+:/.test(location)) return location
  const origin = `http://${defaultHost(base)}`
  if (location.startsWith('//')) return `http:${location}`
  if (location.startsWith('/')) return origin + location
  const path = base.path.replace(/\?.*/, '')
  return location.startsWith('?') ? origin + path + location : origin + path.replace(/[^/]*$/, '') + location
}

/** What the client itself says of what went wrong. */
function internal(check: Checking, status: string): Answer {
  const headers: [string, string][] = [
    ['Content-Type', 'text/plain'],
    ['Client-Date', httpDate(check.sys.realtime().s)],
    ['Client-Warning', 'Internal response'],
  ]
  return { status, headers, content: '' }
}

const timeout = (check: Checking) => internal(check, '500 Timeout Alarm')

function* request(check: Checking, url: Url, address: string, host: string, untilNs: number): Body<Answer> {
  const { virtual, real, sys, port } = check
  const proxy = virtual.service === 'http_proxy'
  const place = proxy ? { host: real.server, port } : url
  const opened = yield* connectUntil(sys, place.host, place.port, 'SOCK_STREAM', untilNs)
  if ('failed' in opened) {
    if (opened.failed === 'timeout') return timeout(check)
    const why = opened.failed === 'unknown' ? 'Name or service not known' : strerror(opened.failed)
    return internal(check, `500 Can't connect to ${place.host}:${place.port} (${why})`)
  }
  const { fd } = opened
  try {
    const head = [
      `${virtual.httpmethod} ${proxy ? address : url.path} HTTP/1.1`,
      'TE: deflate,gzip;q=0.3',
      'Connection: TE, close',
      `Host: ${host}`,
      'User-Agent: libwww-perl/6.68',
      '\r\n',
    ]
    yield* sendUntil(sys, fd, encodeUtf8(head.join('\r\n')), untilNs)
    return yield* new Response(check, fd, untilNs).read(virtual.httpmethod === 'HEAD')
  } finally {
    sys.close(fd)
  }
}

/** What comes back, as it comes. */
class Response {
  readonly #check: Checking
  readonly #fd: number
  readonly #untilNs: number
  #held = ''
  #ended = false
  #late = false

  constructor(check: Checking, fd: number, untilNs: number) {
    this.#check = check
    this.#fd = fd
    this.#untilNs = untilNs
  }

  /** False at the end, or when time is up. */
  *#more(): Body<boolean> {
    if (this.#ended || this.#late) return false
    const got = yield* receiveUntil(this.#check.sys, this.#fd, 8192, this.#untilNs)
    if ('failed' in got) {
      this.#late = got.failed === 'timeout'
      this.#ended = true
      return false
    }
    if (got.bytes.length === 0) this.#ended = true
    this.#held += decodeLatin1(got.bytes)
    return !this.#ended
  }

  *#line(): Body<string | undefined> {
    for (;;) {
      const end = this.#held.indexOf('\n')
      if (end >= 0) {
        const line = this.#held.slice(0, end).replace(/\r$/, '')
        this.#held = this.#held.slice(end + 1)
        return line
      }
      if (this.#held.length > HEAD_MAX || !(yield* this.#more())) return undefined
    }
  }

  *#bytes(length: number): Body<string> {
    const wanted = Math.min(length, BODY_MAX)
    while (this.#held.length < wanted && (yield* this.#more()));
    const bytes = this.#held.slice(0, wanted)
    this.#held = this.#held.slice(wanted)
    return bytes
  }

  *read(headOnly: boolean): Body<Answer> {
    const check = this.#check
    for (;;) {
      const first = yield* this.#line()
      if (first === undefined && this.#late) return timeout(check)
      if (first === undefined && this.#held === '') {
        return internal(check, '500 Server closed connection without sending any data back')
      }
      const status = /^HTTP\/\d+\.\d+\s+(\d{3})(?:\s+(.*?)\s*)?$/.exec(first ?? '')
      if (!status) {
        // Before HTTP/1.0 there were no status lines.
        const rest = yield* this.#bytes(BODY_MAX)
        if (this.#late) return timeout(check)
        return { status: '200 Assumed OK', headers: [], content: (first === undefined ? '' : `${first}\n`) + rest }
      }
      const headers = yield* this.#headers()
      if (this.#late) return timeout(check)
      const [, code = '', words = ''] = status
      if (code.startsWith('1')) continue
      const content = headOnly || code === '204' || code === '304' ? '' : yield* this.#content(headers)
      if (this.#late) return timeout(check)
      return { status: `${code} ${words || 'Unknown code'}`, headers, content }
    }
  }

  *#headers(): Body<[string, string][]> {
    const headers: [string, string][] = []
    for (let length = 0; length < HEAD_MAX; ) {
      const line = yield* this.#line()
      if (line === undefined || line === '') break
      length += line.length + 1
      const field = /^([^\s:]+)\s*:\s*(.*)$/.exec(line)
      if (field) headers.push([field[1]!, field[2]!])
    }
    return headers
  }

  *#content(headers: [string, string][]): Body<string> {
    const field = (wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
    if (/chunked/i.test(field('transfer-encoding') ?? '')) return yield* this.#chunks()
    const length = field('content-length')
    return yield* this.#bytes(length !== undefined && /^\d+$/.test(length) ? Number(length) : BODY_MAX)
  }

  /** RFC 9112, section 7.1. */
  *#chunks(): Body<string> {
    let content = ''
    while (content.length < BODY_MAX) {
      const size = Number.parseInt((yield* this.#line()) ?? '0', 16)
      if (!(size > 0)) break
      content += yield* this.#bytes(size)
      yield* this.#line()
    }
    return content
  }
}

/** HTTP/1: messages in a stream of bytes, their first line, headers and body. RFC 9112. */
import { type Context, dissectData, protocol, shownText } from './dissector.ts'
import type { HttpState } from './state.ts'
import { type Branch, secondsText, type TreeNode, type Window } from './tree.ts'

const REQUEST = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) \S+ HTTP\/1\.[01]\r?\n/u
const RESPONSE = /^HTTP\/1\.[01] \d{3}/u
const HEAD_MAX = 65_536
const REQUESTS_MAX = 1000
const LINES_MAX = 200

const latin = (bytes: Uint8Array, from = 0, to = bytes.length) => {
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

export function looksLikeHttp(bytes: Uint8Array): boolean {
  const head = latin(bytes, 0, Math.min(bytes.length, 2048))
  return REQUEST.test(head) || RESPONSE.test(head)
}

interface Head {
  lines: { text: string; at: number; length: number }[]
  length: number
  request: boolean
  header(name: string): string | undefined
}

function parseHead(bytes: Uint8Array): Head | undefined {
  const text = latin(bytes, 0, Math.min(bytes.length, HEAD_MAX))
  const end = /\r?\n\r?\n/u.exec(text)
  if (!end) return undefined
  const length = end.index + end[0].length
  const lines: Head['lines'] = []
  for (let at = 0; at < end.index + 1; ) {
    const stop = text.indexOf('\n', at)
    if (stop < 0) break
    lines.push({ text: text.slice(at, stop).replace(/\r$/u, ''), at, length: stop + 1 - at })
    at = stop + 1
  }
  const header = (name: string) =>
    lines
      .slice(1)
      .find((line) => line.text.toLowerCase().startsWith(`${name}:`))
      ?.text.slice(name.length + 1)
      .trim()
  return { lines, length, request: !RESPONSE.test(text), header }
}

/** How long the message is that begins here; undefined as long as that isn't known. */
export function messageLength(bytes: Uint8Array, state: HttpState, fin: boolean): number | undefined {
  const head = parseHead(bytes)
  if (!head) return undefined
  const { length } = head
  if (/\bchunked\b/iu.test(head.header('transfer-encoding') ?? '')) return chunkedLength(bytes, length)
  const declared = head.header('content-length')
  const status = /^HTTP\/1\.[01] (\d{3})/u.exec(head.lines[0]!.text)?.[1]
  const none =
    status !== undefined &&
    (status.startsWith('1') ||
      status === '204' ||
      status === '304' ||
      state.requests[state.answered]?.method === 'HEAD')
  if (none) return length
  if (declared !== undefined && /^\d{1,15}$/u.test(declared)) return length + Number(declared)
  if (head.request || fin) return head.request ? length : bytes.length
  return undefined
}

function chunkedLength(bytes: Uint8Array, from: number): number | undefined {
  for (let at = from; at < bytes.length; ) {
    const line = /^([0-9a-f]{1,7})[^\r\n]*\r\n/iu.exec(latin(bytes, at, Math.min(bytes.length, at + 80)))
    if (!line) return undefined
    const size = Number.parseInt(line[1]!, 16)
    at += line[0].length + size + 2
    if (size === 0) return at <= bytes.length ? at : undefined
  }
  return undefined
}

const HEADERS: Readonly<Record<string, string>> = {
  host: 'host', 'user-agent': 'user_agent', accept: 'accept', 'accept-language': 'accept_language',
  'accept-encoding': 'accept_encoding', server: 'server', date: 'date', 'content-type': 'content_type',
  'content-length': 'content_length_header', 'content-encoding': 'content_encoding', 'last-modified': 'last_modified',
  connection: 'connection', location: 'location', cookie: 'cookie', 'set-cookie': 'set_cookie', referer: 'referer',
  authorization: 'authorization', 'cache-control': 'cache_control', 'transfer-encoding': 'transfer_encoding',
  'x-forwarded-for': 'x_forwarded_for', 'www-authenticate': 'www_authenticate', upgrade: 'upgrade',
} // biome-ignore format: a table

export function dissectHttp(context: Context, window: Window, state: HttpState, into: TreeNode[]): void {
  const { bytes, at, end, source } = window
  const head = parseHead(bytes.subarray(at, end))
  if (!head) {
    dissectData(context, window, at, end, into)
    return
  }
  const bodyAt = at + head.length
  const http = protocol(context, window, 'http', 'Hypertext Transfer Protocol', at, head.length, into)
  const [first, ...rest] = head.lines
  const shown = (line: { at: number; length: number }) =>
    shownText(bytes.subarray(at + line.at, at + line.at + line.length))
  const start = http.add('', shown(first!), undefined, at, first!.length)
  const words = /^(\S+) (\S+)(?: (.*))?$/u.exec(first!.text)
  const part = (branch: Branch, name: string, label: string, value: string, from: number) =>
    branch.add(name, `${label}: ${value}`, value, at + from, value.length)
  if (words && head.request) {
    part(start, 'http.request.method', 'Request Method', words[1]!, 0)
    part(start, 'http.request.uri', 'Request URI', words[2]!, words[1]!.length + 1)
    part(start, 'http.request.version', 'Request Version', words[3] ?? '', first!.text.lastIndexOf(' ') + 1)
  } else if (words) {
    part(start, 'http.response.version', 'Response Version', words[1]!, 0)
    start.add(
      'http.response.code',
      `Status Code: ${words[2]}`,
      Number(words[2]),
      at + words[1]!.length + 1,
      words[2]!.length,
    )
    start.add(
      'http.response.code.desc',
      `[Status Code Description: ${PHRASES[words[2]!] ?? words[3] ?? ''}]`,
      PHRASES[words[2]!] ?? words[3] ?? '',
      at + words[1]!.length + 1,
      words[2]!.length,
    )
    part(start, 'http.response.phrase', 'Response Phrase', words[3] ?? '', first!.text.length - (words[3] ?? '').length)
  }
  for (const line of rest) {
    if (line.text === '') continue
    const colon = line.text.indexOf(':')
    const name = line.text.slice(0, Math.max(0, colon)).toLowerCase()
    const value = line.text.slice(colon + 1).trim()
    const field = HEADERS[name] ?? 'unknown_header'
    const branch = http.add(
      `http.${field}`,
      shown(line),
      field === 'unknown_header' ? line.text : value,
      at + line.at,
      line.length,
    )
    if (name === 'content-length' && /^\d{1,15}$/u.test(value))
      branch.add('http.content_length', `[Content length: ${value}]`, Number(value), at + line.at, line.length)
    http.hide(head.request ? 'http.request.line' : 'http.response.line', `${line.text}\r\n`, at + line.at, line.length)
  }
  http.add('', '\\r\\n', undefined, bodyAt - 2, 2)
  conversation(context, http, head, words, state, at)
  if (bodyAt >= end) return
  const body = bytes.subarray(bodyAt, end)
  http.add('http.file_data', `File Data: ${body.length} bytes`, latin(body), bodyAt, body.length)
  const type = head.header('content-type')?.replace(/;.*$/u, '').trim().toLowerCase()
  if (type?.startsWith('text/')) textLines(context, { bytes, source }, type, bodyAt, end, into)
  else if (type !== undefined && type !== '') {
    const media = protocol(context, window, 'media', 'Media Type', bodyAt, body.length, into)
    media.add('media.type', `Media type: ${type} (${body.length} bytes)`, body.slice(), bodyAt, body.length)
  } else dissectData(context, window, bodyAt, end, into)
}

function conversation(
  context: Context,
  http: Branch,
  head: Head,
  words: RegExpExecArray | null,
  state: HttpState,
  at: number,
): void {
  if (head.request) {
    const host = head.header('host')
    const uri = words?.[2] ?? ''
    const full = host === undefined || /^https?:/u.test(uri) ? uri : `http://${host}${uri}`
    http.add('http.request.full_uri', `[Full request URI: ${full}]`, full, at, 0)
    http.hide('http.request', 1, at, 0)
    if (state.requests.length < REQUESTS_MAX)
      state.requests.push({ frame: context.number, timeNs: context.timeNs, uri: full, method: words?.[1] ?? '' })
    const number = state.requests.length
    http.add('http.request_number', `[HTTP request ${number}/${number}]`, number, at, 0)
    return
  }
  http.hide('http.response', 1, at, 0)
  const asked = state.requests[state.answered]
  if (!asked) return
  state.answered++
  http.add('http.response_number', `[HTTP response ${state.answered}/${state.requests.length}]`, state.answered, at, 0)
  const passed = context.timeNs - asked.timeNs
  http.add('http.time', `[Time since request: ${secondsText(passed)} seconds]`, passed / 1e9, at, 0)
  http.add('http.request_in', `[Request in frame: ${asked.frame}]`, asked.frame, at, 0)
  http.add('http.response_for.uri', `[Request URI: ${asked.uri}]`, asked.uri, at, 0)
}

function textLines(
  context: Context,
  window: { bytes: Uint8Array; source: number },
  type: string,
  at: number,
  end: number,
  into: TreeNode[],
): void {
  const { bytes } = window
  const lines: [number, number][] = []
  for (let from = at; from < end; ) {
    const stop = bytes.indexOf(10, from)
    const to = stop < 0 || stop >= end ? end : stop + 1
    lines.push([from, to])
    from = to
  }
  const text = protocol(
    context,
    window,
    'data-text-lines',
    `Line-based text data: ${type} (${lines.length} lines)`,
    at,
    end - at,
    into,
  )
  for (const [from, to] of lines.slice(0, LINES_MAX))
    text.add('', shownText(bytes.subarray(from, Math.min(to, from + 1000))), undefined, from, to - from)
}

/** IANA's names of status codes. */
const PHRASES: Readonly<Record<string, string>> = {
  100: 'Continue', 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 206: 'Partial Content',
  301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect',
  308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found',
  405: 'Method Not Allowed', 408: 'Request Time-out', 413: 'Request Entity Too Large', 414: 'Request-URI Too Long',
  416: 'Request Range Not Satisfiable', 429: 'Too Many Requests', 500: 'Internal Server Error',
  501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Time-out',
} // biome-ignore format: a table

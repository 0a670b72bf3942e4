/** One request and its answer over a connection. curl 7.88.1 lib/http.c, lib/transfer.c */
import { encodeLatin1 } from '#base/bytes'
import { type Body, type Errno, POLLIN, POLLOUT, type Sys, strerror } from '#kernel/core'
import type { Stdio } from '#user/libc'
import { type Connection, CurlError } from './connection.ts'
import type { RequestBody } from './curl-body.ts'
import type { CurlOptions } from './curl-options.ts'
import { ChunkDecoder, type Field, fieldOf, headEnd } from './message.ts'
import { defaultPort, type Url } from './url.ts'

const BUFFER = 102_400
const HEAD_MAX = 300 * 1024
const EXPECT_NS = 1e9

export interface Meter {
  received: number
  receiveTotal: number
  sent: number
  sendTotal: number
  startNs: number
  samples: { atNs: number; bytes: number }[]
  second?: number
}

/** What a transfer asks of the program that it belongs to. */
export interface TransferHost {
  readonly sys: Sys
  readonly io: Stdio
  readonly o: CurlOptions
  readonly meter: Meter
  say(text: string): void
  sayData(direction: '{' | '}', length: number): void
  writeBody(bytes: Uint8Array): Body<void>
  writeHead(line: string, url: Url): Body<void>
  tick(): Body<void>
  finishMeter(): void
}

export interface Request {
  url: Url
  method: string
  body: RequestBody | undefined
  resume: number
  user: string | undefined
  referer: string | undefined
  cookies: string | undefined
  deadlineNs: number
  startNs: number
  onFirstByte(): void
}

export interface Answer {
  status: number
  version: string
  fields: Field[]
  headBytes: number
  requestBytes: number
  /** Whether the connection can't be used again. */
  close: boolean
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function base64(text: string): string {
  const bytes = encodeLatin1(text)
  let out = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    out += BASE64[word >> 18]! + BASE64[(word >> 12) & 63]!
    out += i + 1 < bytes.length ? BASE64[(word >> 6) & 63]! : '='
    out += i + 2 < bytes.length ? BASE64[word & 63]! : '='
  }
  return out
}

/** The head of a request, in curl's order of fields. */
function requestHead(host: TransferHost, request: Request): string {
  const { o } = host
  const { url, method, body } = request
  const own = new Map<string, string | undefined>()
  for (const header of o.headers) {
    const match = /^([^:;]+)(?::\s*(.*)|;)$/s.exec(header)
    if (!match) continue
    own.set(match[1]!.trim().toLowerCase(), header.includes(':') ? match[2] : '')
  }
  let text = ''
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && !own.has(name.toLowerCase())) text += `${name}: ${value}\r\n`
  }
  const port = url.port === undefined || url.port === defaultPort(url.scheme) ? '' : `:${url.port}`
  const name = url.host.includes(':') ? `[${url.host}]` : url.host
  const wanted = own.get('host')
  if (wanted === undefined && !own.has('host')) text += `Host: ${name}${port}\r\n`
  else if (wanted) text += `Host: ${wanted}\r\n`
  if (request.user !== undefined) {
    const user = request.user.includes(':') ? request.user : `${request.user}:`
    add('Authorization', `Basic ${base64(user)}`)
  }
  const range = o.values.get('range')
  if (range !== undefined) add('Range', `bytes=${range}`)
  else if (request.resume > 0 && method === 'GET') add('Range', `bytes=${request.resume}-`)
  const agent = o.values.get('user-agent') ?? 'curl/7.88.1'
  if (agent !== '') add('User-Agent', agent)
  add('Accept', body?.accept ?? '*/*')
  if (o.flags.has('compressed')) add('Accept-Encoding', 'deflate, gzip, br, zstd')
  if (request.referer) add('Referer', request.referer)
  if (request.cookies !== undefined) add('Cookie', request.cookies)
  const condition = o.values.get('time-cond')
  if (condition !== undefined) {
    add(condition.startsWith('-') ? 'If-Unmodified-Since' : 'If-Modified-Since', condition.replace(/^[-=+]/, ''))
  }
  for (const header of o.headers) {
    const match = /^([^:;]+):\s*(.*)$/s.exec(header)
    if (match && match[1]!.trim().toLowerCase() === 'host') continue
    if (match && match[2] !== '') text += `${header}\r\n`
    else if (!match && header.endsWith(';')) text += `${header.slice(0, -1)}:\r\n`
  }
  if (body && body.query === undefined) {
    if (own.get('transfer-encoding')?.toLowerCase() !== 'chunked') add('Content-Length', String(body.bytes.length))
    add('Content-Type', body.type)
    if (body.expect && !o.flags.has('http1.0')) add('Expect', '100-continue')
  }
  const target = o.values.get('request-target') ?? `${url.path}${url.query === undefined ? '' : `?${url.query}`}`
  return `${method} ${target} HTTP/${o.flags.has('http1.0') ? '1.0' : '1.1'}\r\n${text}\r\n`
}

/** A connection as bytes in and out, with the limits of -m, -y and --limit-rate. */
class Wire {
  readonly #host: TransferHost
  readonly #connection: Connection
  readonly #request: Request
  readonly #rate: number

  constructor(host: TransferHost, connection: Connection, request: Request) {
    this.#host = host
    this.#connection = connection
    this.#request = request
    const limit = /^(\d+(?:\.\d+)?)([kKmMgGbB]?)$/.exec(host.o.values.get('limit-rate') ?? '')
    const unit = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(limit?.[2] ?? '').toLowerCase() as 'k' | 'm' | 'g'] ?? 1
    this.#rate = limit ? Number(limit[1]) * unit : 0
  }

  #tooLong(): CurlError {
    const { meter, sys } = this.#host
    const ms = Math.floor((sys.monotonicNs() - this.#request.startNs) / 1e6)
    const out = meter.receiveTotal >= 0 ? `${meter.received} out of ${meter.receiveTotal}` : String(meter.received)
    const text = `Operation timed out after ${ms} milliseconds with ${out} bytes received`
    this.#host.say(`* ${text}\n`)
    return new CurlError(28, text)
  }

  *#wait(events: number, untilNs: number): Body<boolean> {
    const { sys } = this.#host
    const { fd } = this.#connection
    for (;;) {
      const limit = Math.min(untilNs, this.#request.deadlineNs)
      // Once a second the meter is looked at.
      const step = Math.min(limit - sys.monotonicNs(), 1e9)
      const ready = yield* sys.poll([{ fd, events }], Math.max(0, step))
      yield* this.#host.tick()
      if (ready.ok && ready.value.length > 0) return true
      if (sys.monotonicNs() >= this.#request.deadlineNs) throw this.#tooLong()
      if (sys.monotonicNs() >= untilNs) return false
    }
  }

  /** Sends all, or stops when an answer comes first. */
  *send(bytes: Uint8Array): Body<void> {
    const { sys } = this.#host
    let sent = 0
    while (sent < bytes.length) {
      const done = yield* sys.sendTo(this.#connection.fd, bytes.subarray(sent, sent + 65_536), undefined, {
        dontWait: true,
        noSignal: true,
      })
      if (done.ok) sent += done.value
      else if (done.errno === 'EAGAIN') yield* this.#wait(POLLOUT, Number.POSITIVE_INFINITY)
      else if (done.errno !== 'EINTR') {
        const text = `Send failure: ${strerror(done.errno)}`
        this.#host.say(`* ${text}\n`)
        throw new CurlError(55, text)
      }
    }
  }

  /** What comes next; empty at the end, undefined if nothing came in time. */
  *receive(untilNs = Number.POSITIVE_INFINITY): Body<Uint8Array | undefined> {
    const { sys, meter } = this.#host
    for (;;) {
      const got = yield* sys.receive(this.#connection.fd, BUFFER, { dontWait: true })
      if (got.ok) return got.value.bytes
      if (got.errno === 'EAGAIN') {
        // A limit holds between the times that there is nothing to read: what has come already is taken.
        const dueNs = this.#rate > 0 ? meter.startNs + (meter.received / this.#rate) * 1e9 : 0
        if (dueNs > sys.monotonicNs()) {
          yield* sys.sleep(Math.min(dueNs, this.#request.deadlineNs) - sys.monotonicNs())
          yield* this.#host.tick()
          if (sys.monotonicNs() >= this.#request.deadlineNs) throw this.#tooLong()
          continue
        }
        if (!(yield* this.#wait(POLLIN, untilNs))) return undefined
      } else if (got.errno !== 'EINTR') throw this.broken(got.errno)
    }
  }

  broken(errno: Errno): CurlError {
    const text = `Recv failure: ${strerror(errno)}`
    this.#host.say(`* ${text}\n`)
    return new CurlError(56, text)
  }
}

export function* transfer(host: TransferHost, connection: Connection, request: Request): Body<Answer> {
  try {
    return yield* exchange(host, connection, request)
  } catch (error) {
    if (error instanceof CurlError) {
      host.say(`* Closing connection ${connection.number}\n`)
      host.sys.close(connection.fd)
    }
    throw error
  }
}

function* exchange(host: TransferHost, connection: Connection, request: Request): Body<Answer> {
  const { meter, sys, o } = host
  const wire = new Wire(host, connection, request)
  const given = request.body && request.body.query === undefined ? request.body : undefined
  const inChunks = o.headers.some((header) => /^transfer-encoding:\s*chunked\s*$/i.test(header))
  const body = given && inChunks ? { ...given, bytes: asChunks(given.bytes) } : given
  const head = requestHead(host, request)
  if (request.user !== undefined) host.say(`* Server auth using Basic with user '${request.user.split(':')[0]}'\n`)
  meter.sendTotal = body ? body.bytes.length : 0
  const headBytes = encodeLatin1(head)
  let waiting = body?.expect && /^Expect: 100-continue\r$/im.test(head.replaceAll('\n', '\n'))
  const together = body?.together && !waiting
  if (together) {
    const whole = new Uint8Array(headBytes.length + body.bytes.length)
    whole.set(headBytes)
    whole.set(body.bytes, headBytes.length)
    yield* wire.send(whole)
  } else yield* wire.send(headBytes)
  for (const line of head.split('\r\n').slice(0, -2)) host.say(`> ${line}\r\n`)
  host.say('> \r\n')
  const sendBody = function* (): Body<void> {
    host.sayData('}', Math.min(body!.bytes.length, 65_536))
    yield* wire.send(body!.bytes)
    meter.sent = body!.bytes.length
    if (!body!.together) host.say('* We are completely uploaded and fine\n')
  }
  if (together) {
    host.sayData('}', body.bytes.length)
    meter.sent = body.bytes.length
  } else if (body && !waiting) yield* sendBody()
  yield* host.io.settle()

  // The head of the answer; those of 1xx go before it.
  let buffer: Uint8Array = new Uint8Array(0)
  let first = true
  let answerBytes = 0
  let pending = false
  for (;;) {
    let end = headEnd(buffer)
    while (end < 0) {
      const untilNs = waiting ? sys.monotonicNs() + EXPECT_NS : Number.POSITIVE_INFINITY
      const more = yield* wire.receive(untilNs)
      if (more === undefined) {
        host.say('* Done waiting for 100-continue\n')
        waiting = false
        yield* sendBody()
        continue
      }
      if (more.length === 0) {
        if (buffer.length > 0 && !looksLikeHttp(buffer)) throw new CurlError(1, 'Received HTTP/0.9 when not allowed')
        host.say('* Empty reply from server\n')
        throw new CurlError(52, 'Empty reply from server')
      }
      if (first) request.onFirstByte()
      first = false
      const joined = new Uint8Array(buffer.length + more.length)
      joined.set(buffer)
      joined.set(more, buffer.length)
      buffer = joined
      if (!looksLikeHttp(buffer)) {
        host.say('* Received HTTP/0.9 when not allowed\n')
        throw new CurlError(1, 'Received HTTP/0.9 when not allowed')
      }
      if (buffer.length > HEAD_MAX && headEnd(buffer) < 0)
        throw new CurlError(56, `Too large response headers: ${buffer.length} > ${HEAD_MAX}`)
      end = headEnd(buffer)
    }
    const text = latin(buffer.subarray(0, end))
    buffer = buffer.subarray(end)
    answerBytes += end
    const lines = text.split('\n').slice(0, -1)
    const status = /^HTTP\/(\d)\.(\d) +(\d{3})/.exec(lines[0] ?? '') ?? /^HTTP\/(\d)() +(\d{3})/.exec(lines[0] ?? '')
    if (!status) throw new CurlError(1, 'Unsupported HTTP version in response')
    const version = `${status[1]}.${status[2] || '0'}`
    const code = Number(status[3])
    const fields: Field[] = []
    for (const line of lines.slice(1)) {
      const match = /^([^:]+):[ \t]*(.*?)[ \t]*\r?$/s.exec(line)
      if (match) fields.push({ name: match[1]!, value: match[2]! })
    }
    if (version === '1.0') host.say('* HTTP 1.0, assume close after body\n')
    for (const line of lines) {
      host.say(`< ${line}\n`)
      yield* host.writeHead(`${line}\n`, request.url)
    }
    yield* host.io.settle()
    if (code >= 100 && code < 200) {
      if (code === 101) throw new CurlError(22, 'not modelled: HTTP 101')
      if (waiting) {
        waiting = false
        // What has come with it is read first.
        if (headEnd(buffer) >= 0) pending = true
        else yield* sendBody()
      }
      continue
    }
    const answer: Answer = {
      status: code,
      version: version === '1.0' ? '1' : version === '2.0' ? '2' : '1.1',
      fields,
      headBytes: answerBytes,
      requestBytes: headBytes.length,
      close: false,
    }
    const connectionField = (fieldOf(fields, 'connection') ?? '').toLowerCase()
    answer.close = connectionField.includes('close') || (version === '1.0' && !connectionField.includes('keep-alive'))
    if (o.flags.has('http1.0')) answer.close = true
    if (o.flags.has('fail') && code >= 400) {
      host.say(`* The requested URL returned error: ${code}\n`)
      throw new CurlError(22, `The requested URL returned error: ${code}`)
    }
    if (waiting) {
      waiting = false
      if (code < 400) yield* sendBody()
      else answer.close = true
    }
    if (request.resume > 0 && code === 200 && request.method === 'GET') {
      throw new CurlError(33, "HTTP server doesn't seem to support byte ranges. Cannot resume.")
    }
    yield* receiveBody(host, wire, request, answer, buffer)
    if (pending) yield* sendBody()
    return answer
  }
}

/** A body as one chunk and its end. */
function asChunks(bytes: Uint8Array): Uint8Array {
  const head = encodeLatin1(bytes.length > 0 ? `${bytes.length.toString(16)}\r\n` : '')
  const tail = encodeLatin1(bytes.length > 0 ? '\r\n0\r\n\r\n' : '0\r\n\r\n')
  const whole = new Uint8Array(head.length + bytes.length + tail.length)
  whole.set(head)
  whole.set(bytes, head.length)
  whole.set(tail, head.length + bytes.length)
  return whole
}

function looksLikeHttp(bytes: Uint8Array): boolean {
  const start = latin(bytes.subarray(0, 5))
  return 'HTTP/'.startsWith(start)
}

function latin(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

function* receiveBody(host: TransferHost, wire: Wire, request: Request, answer: Answer, early: Uint8Array): Body<void> {
  const { meter, o } = host
  const { fields, status } = answer
  if (request.method === 'HEAD' || o.flags.has('head') || status === 204 || status === 304) {
    host.finishMeter()
    return
  }
  const chunked = (fieldOf(fields, 'transfer-encoding') ?? '').toLowerCase().includes('chunked')
  const lengthText = fieldOf(fields, 'content-length')
  if (lengthText !== undefined && !chunked && !/^\d{1,15}$/.test(lengthText)) {
    throw new CurlError(8, 'Invalid Content-Length: value')
  }
  const length = chunked || lengthText === undefined ? -1 : Number(lengthText)
  const most = o.values.get('max-filesize')
  if (most !== undefined && length > Number(most)) throw new CurlError(63, 'Maximum file size exceeded')
  const location = fieldOf(fields, 'location')
  const followed = location !== undefined && status >= 300 && status < 400 && o.flags.has('location')
  meter.received = 0
  meter.receiveTotal = length
  const decoder = chunked && !o.flags.has('raw') ? new ChunkDecoder() : undefined
  if (!chunked && length < 0) answer.close = true
  let bytes: Uint8Array | undefined = early
  let ignoring = false
  for (;;) {
    if (bytes && bytes.length > 0) {
      if (followed && !ignoring) {
        if (answer.close) return
        ignoring = true
        host.say('* Ignoring the response-body\n')
      }
      const left = length >= 0 ? length - meter.received : Number.POSITIVE_INFINITY
      const own: Uint8Array = bytes.length > left ? bytes.subarray(0, left) : bytes
      host.sayData('{', own.length)
      if (decoder) {
        const data = decoder.push(own)
        for (const part of data ?? []) {
          meter.received += part.length
          if (!ignoring) yield* host.writeBody(part)
        }
        if (decoder.error) {
          host.say(`* ${decoder.error}\n`)
          throw new CurlError(56, decoder.error)
        }
      } else {
        meter.received += own.length
        if (!ignoring) yield* host.writeBody(own)
      }
      yield* host.tick()
    }
    if (length >= 0 && meter.received >= length) break
    if (decoder?.done) break
    bytes = yield* wire.receive()
    if (bytes && bytes.length === 0) {
      if (length >= 0) {
        const text = `transfer closed with ${length - meter.received} bytes remaining to read`
        host.say(`* ${text}\n`)
        throw new CurlError(18, text)
      }
      if (decoder) {
        host.say('* transfer closed with outstanding read data remaining\n')
        throw new CurlError(18, 'transfer closed with outstanding read data remaining')
      }
      break
    }
  }
  if (ignoring) {
    meter.received = 0
    meter.receiveTotal = -1
    return
  }
  host.finishMeter()
}

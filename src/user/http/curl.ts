/** `curl` 7.88.1, for HTTP/1. src/tool_operate.c: single_transfer(), post_per_transfer() */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, readAll, type Sys, strerror } from '#kernel/core'
import { type NetAddress, parseAddress, Stdio } from '#user/libc'
import { type Connection, CurlError, connect, isAlive } from './connection.ts'
import { CookieJar } from './cookies.ts'
import { type RequestBody, requestBody } from './curl-body.ts'
import { CURL_HELP, type CurlOptions, parseCurl } from './curl-options.ts'
import { METER_HEADING, meterLine, type Progress } from './curl-progress.ts'
import { type Answer, type Meter, type TransferHost, transfer } from './curl-transfer.ts'
import { writeOut } from './curl-writeout.ts'
import { parseHttpDate } from './message.ts'
import { defaultPort, expandGlob, formatUrl, parseUrl, resolveUrl, type Url } from './url.ts'

const LIBRARIES =
  'libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13 brotli/1.0.9 zstd/1.5.4 libidn2/2.3.3 libpsl/0.21.2 (+libidn2/2.3.3) libssh2/1.10.0 nghttp2/1.52.0 librtmp/2.3 OpenLDAP/2.5.13'
const VERSION = `curl 7.88.1 (x86_64-pc-linux-gnu) ${LIBRARIES}
Release-Date: 2023-02-20, security patched: 7.88.1-10+deb12u15
Protocols: dict file ftp ftps gopher gophers http https imap imaps ldap ldaps mqtt pop3 pop3s rtmp rtsp scp sftp smb smbs smtp smtps telnet tftp
Features: alt-svc AsynchDNS brotli GSS-API HSTS HTTP2 HTTPS-proxy IDN IPv6 Kerberos Largefile libz NTLM NTLM_WB PSL SPNEGO SSL threadsafe TLS-SRP UnixSockets zstd
`
const REDIRECTS_MAX = 50
/** A limit is over when more than it has passed, counted in milliseconds. */
const TOO_LATE_NS = 1e6

export function curl(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'curl')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const hint = "curl: try 'curl --help' or 'curl --manual' for more information\n"
  const parsed = parseCurl(argv)
  if (!parsed.ok) {
    io.error(`curl: ${parsed.message}\n${hint}`)
    return 2
  }
  const { options } = parsed
  if (options.flags.has('help')) {
    io.print(CURL_HELP)
    return 0
  }
  if (options.flags.has('version')) {
    io.print(VERSION)
    return 0
  }
  if (options.urls.length === 0) {
    io.error(argv.length === 1 ? hint : 'curl: no URL specified!\n' + hint)
    return 2
  }
  sys.sigaction('SIGPIPE', 'ignore')
  return yield* new Curl(sys, io, options).run()
}

/** Where a body goes. */
interface Sink {
  fd: number
  /** The file's name; undefined: standard output. */
  path: string | undefined
  opened: boolean
  written: number
}

class Curl implements TransferHost {
  readonly sys: Sys
  readonly io: Stdio
  readonly o: CurlOptions
  readonly #jar = new CookieJar()
  #kept: Connection | undefined
  #connections = 0
  #headingShown = false
  #urlNumber = 0
  readonly #verbose: boolean
  /** Whether the last debug line was about data: a run of those is told once. */
  #dataTold = false
  #needNewline = false
  readonly #known = new Map<string, NetAddress[]>()
  #sink!: Sink
  #meter: Meter | undefined

  constructor(sys: Sys, io: Stdio, o: CurlOptions) {
    this.sys = sys
    this.io = io
    this.o = o
    this.#verbose = o.flags.has('verbose')
  }

  get silent(): boolean {
    return this.o.flags.has('silent')
  }

  say(text: string): void {
    if (!this.#verbose) return
    this.#dataTold = false
    this.io.error(text)
  }

  /** `{ [6 bytes data]`, unless the data can be seen. */
  sayData(direction: '{' | '}', length: number): void {
    if (!this.#verbose || this.#dataTold || length === 0) return
    if (this.#sink.path === undefined && this.sys.isatty(1)) return
    this.io.error(`${direction} [${length} bytes data]\n`)
    this.#dataTold = true
  }

  *run(): Body<number> {
    const { o, sys } = this
    const nowS = sys.realtime().s
    for (const text of o.cookies) {
      if (text.includes('=')) continue
      const opened = text === '' ? undefined : yield* sys.open(text)
      if (!opened?.ok) continue
      const got = yield* readAll(sys, opened.value)
      sys.close(opened.value)
      if (got.ok) this.#jar.load(new TextLatin(got.value).text, nowS)
    }
    for (const entry of o.resolve) {
      const [, host, port, list] = /^\+?([^:]+):(\d+):(.+)$/.exec(entry) ?? []
      const addresses = (list ?? '').split(',').map((text) => parseAddress(text.replace(/^\[|\]$/g, '')))
      if (host === undefined || addresses.some((address) => !address)) {
        this.io.error(`curl: (49) Couldn't parse CURLOPT_RESOLVE entry '${entry}'\n`)
        return 49
      }
      this.#known.set(`${host.toLowerCase()}:${port}`, addresses as NetAddress[])
    }
    for (const entry of o.resolve) {
      const [, host, port, list] = /^\+?([^:]+):(\d+):(.+)$/.exec(entry)!
      this.say(`* Added ${host}:${port}:${list} to DNS cache\n`)
    }
    let status = 0
    let failed = false
    for (const [i, given] of o.urls.entries()) {
      const expanded = o.flags.has('globoff') ? [{ url: given, words: [] as string[] }] : expandGlob(given)
      if ('error' in expanded) {
        if (!this.silent || o.flags.has('show-error')) {
          const column = Number(/position (\d+)/.exec(expanded.error)?.[1] ?? 0)
          this.io.error(`curl: (3) ${expanded.error}\n${given}\n${' '.repeat(Math.max(0, column - 1))}^\n`)
        }
        return 3
      }
      for (const one of expanded) {
        const tries = Number(o.values.get('retry') ?? 0)
        for (let round = 0; ; round++) {
          status = yield* this.#one(one.url, one.words, i)
          if (round >= tries || !this.#worthRetrying(status)) break
          const seconds = Number(o.values.get('retry-delay') ?? 0) || Math.min(600, 2 ** round)
          if (!this.silent) {
            const why = status === 0 ? `HTTP error` : status === 28 ? 'timeout' : 'connection refused'
            this.io.error(
              `Warning: Problem: ${why}. Will retry in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}. ${tries - round} ${tries - round === 1 ? 'retry' : 'retries'} \nWarning: left.\n`,
            )
          }
          yield* this.io.settle()
          yield* sys.sleep(seconds * 1e9)
        }
        if (status !== 0) failed = true
        if (failed && o.flags.has('fail-early')) return status
      }
    }
    if (o.values.has('cookie-jar')) {
      const path = o.values.get('cookie-jar')!
      const text = this.#jar.save()
      if (path === '-') this.io.print(text)
      else {
        const opened = yield* sys.open(path, 0o1101, 0o600)
        if (opened.ok) yield* sys.write(opened.value, encodeUtf8(text))
      }
    }
    return status
  }

  /** The last answer's code, for --retry. */
  #lastCode = 0

  #worthRetrying(status: number): boolean {
    if (status === 0 || status === 22) return [408, 429, 500, 502, 503, 504].includes(this.#lastCode)
    if (status === 28) return true
    if (status === 7) return this.o.flags.has('retry-connrefused') || this.o.flags.has('retry-all-errors')
    return this.o.flags.has('retry-all-errors')
  }

  /** One URL, its redirects followed; the exit status. */
  *#one(text: string, words: string[], index: number): Body<number> {
    const { o, sys, io } = this
    const startNs = sys.monotonicNs()
    const facts: Record<string, string | number | null> = emptyFacts(text, this.#urlNumber++)
    let code = 0
    let message = ''
    let answer: Answer | undefined
    const output = o.outputs[index]
    this.#sink = { fd: 1, path: undefined, opened: false, written: 0 }
    const meter: Meter = { received: 0, receiveTotal: -1, sent: 0, sendTotal: 0, startNs, samples: [] }
    this.#meter = meter
    try {
      const first = parseUrl(text, o.flags.has('path-as-is'))
      if (!first.ok) throw new CurlError(first.code, first.message)
      let url = first.url
      if (output === 'remote') {
        const name = url.path.split('/').pop() ?? ''
        if (name === '') {
          io.error('curl: Remote file name has no length!\n')
          throw new CurlError(23, 'Failed writing received data to disk/application')
        }
        this.#sink.path = name
      } else if (output && output.file !== '-') {
        this.#sink.path = output.file.replace(/#(\d)/g, (whole, digit: string) => words[Number(digit) - 1] ?? whole)
      }
      const folder = o.values.get('output-dir')
      if (folder !== undefined && this.#sink.path !== undefined) this.#sink.path = `${folder}/${this.#sink.path}`
      let resume = 0
      if (o.values.has('continue-at')) {
        const at = o.values.get('continue-at')!
        if (at === '-') {
          const stat = this.#sink.path === undefined ? undefined : sys.stat(this.#sink.path)
          resume = stat?.ok ? stat.value.size : 0
        } else resume = Number(at)
      }
      const body = yield* requestBody(sys, o, index)
      if (body?.query !== undefined)
        url = { ...url, query: url.query === undefined ? body.query : `${url.query}&${body.query}` }
      if (o.uploads[index] !== undefined && url.path.endsWith('/')) {
        url = { ...url, path: url.path + (o.uploads[index]!.split('/').pop() ?? '') }
      }
      const deadlineNs = o.values.has('max-time')
        ? startNs + Number(o.values.get('max-time')) * 1e9 + TOO_LATE_NS
        : Number.POSITIVE_INFINITY
      // The meter's line appears as soon as there is something to wait for.
      this.#showMeter()
      answer = yield* this.#follow(url, body, resume, deadlineNs, facts, startNs)
      if (o.flags.has('fail') && answer.status >= 400) {
        throw new CurlError(22, `The requested URL returned error: ${answer.status}`)
      }
    } catch (error) {
      if (!(error instanceof CurlError)) throw error
      code = error.code
      message = error.message
      this.#dropConnection()
    }
    if (answer) this.#lastCode = answer.status
    else if (code !== 22) this.#lastCode = 0
    if (this.#sink.opened) {
      if (this.#sink.path !== undefined) {
        sys.close(this.#sink.fd)
        if (o.flags.has('remote-time')) {
          const date = parseHttpDate(
            answer?.fields.find(({ name }) => name.toLowerCase() === 'last-modified')?.value ?? '',
          )
          if (date !== undefined) sys.utimes(this.#sink.path, (date - sys.realtime().s) * 1e9 + sys.labNs())
        }
      }
    } else if (this.#sink.path !== undefined && code === 0) {
      const made = yield* sys.open(this.#sink.path, 0o1101, 0o644)
      if (made.ok) sys.close(made.value)
    }
    this.#endMeter()
    if (code !== 0 && (!this.silent || o.flags.has('show-error'))) io.error(`curl: (${code}) ${message}\n`)
    facts['exitcode'] = code
    facts['errormsg'] = code === 0 ? null : message
    facts['filename_effective'] = this.#sink.path ?? null
    const totalS = (sys.monotonicNs() - startNs) / 1e9
    facts['time_total'] = totalS
    facts['speed_download'] = totalS > 0 ? Math.floor(meter.received / totalS) : 0
    facts['speed_upload'] = totalS > 0 ? Math.floor(meter.sent / totalS) : 0
    facts['size_download'] = meter.received
    facts['size_upload'] = meter.sent
    io.flush() // A stream that is no file is flushed after each.
    const format = o.values.get('write-out')
    if (format !== undefined) {
      const wrote = writeOut(yield* this.#format(format), facts, answer?.fields ?? [])
      io.print(wrote.out)
      io.error(wrote.err)
    }
    yield* io.settle()
    return code
  }

  *#format(format: string): Body<string> {
    if (!format.startsWith('@')) return format
    if (format === '@-') {
      const got = yield* readAll(this.sys, 0)
      return got.ok ? new TextLatin(got.value).text : ''
    }
    const opened = yield* this.sys.open(format.slice(1))
    if (!opened.ok) return ''
    const got = yield* readAll(this.sys, opened.value)
    this.sys.close(opened.value)
    return got.ok ? new TextLatin(got.value).text : ''
  }

  *#follow(
    first: Url,
    firstBody: RequestBody | undefined,
    resume: number,
    deadlineNs: number,
    facts: Record<string, string | number | null>,
    startNs: number,
  ): Body<Answer> {
    const { o, sys } = this
    let url = first
    let body = firstBody
    let method = o.values.get('request') ?? (o.flags.has('head') ? 'HEAD' : (body?.method ?? 'GET'))
    const limit = Number(o.values.get('max-redirs') ?? REDIRECTS_MAX)
    let redirectS = 0
    let referer = o.values.get('referer')
    for (let redirects = 0; ; redirects++) {
      const roundNs = sys.monotonicNs()
      const connection = yield* this.#connection(url, deadlineNs, startNs, facts)
      const since = () => (sys.monotonicNs() - roundNs) / 1e9
      facts['time_connect'] = redirectS + since()
      facts['time_pretransfer'] = redirectS + since()
      const user = o.values.get('user') ?? (url.user !== undefined ? `${url.user}:${url.password ?? ''}` : undefined)
      const sameHost = url.host === first.host || o.flags.has('location-trusted')
      const answer = yield* transfer(this, connection, {
        url,
        method,
        body,
        resume,
        user: sameHost ? user : undefined,
        referer: referer?.replace(/;auto$/, '') || undefined,
        cookies: this.#cookieHeader(url),
        deadlineNs,
        startNs,
        onFirstByte: () => {
          facts['time_starttransfer'] = redirectS + since()
        },
      })
      for (const { name, value } of answer.fields) {
        if (name.toLowerCase() === 'set-cookie' && (o.cookies.length > 0 || o.values.has('cookie-jar'))) {
          const cookie = this.#jar.take(value, url.host, url.path, sys.realtime().s)
          void cookie
        }
      }
      facts['http_code'] = answer.status
      facts['response_code'] = answer.status
      facts['http_version'] = answer.version
      facts['content_type'] = answer.fields.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? null
      facts['num_headers'] = answer.fields.length
      facts['size_header'] = (facts['size_header'] as number) + answer.headBytes
      facts['size_request'] = (facts['size_request'] as number) + answer.requestBytes
      facts['method'] = method
      facts['url_effective'] = formatUrl(url)
      facts['num_redirects'] = redirects
      if (answer.close) {
        this.say(`* Closing connection ${connection.number}\n`)
        sys.close(connection.fd)
        this.#kept = undefined
      } else {
        this.say(`* Connection #${connection.number} to host ${connection.host} left intact\n`)
        this.#kept = connection
      }
      const location = answer.fields.find(({ name }) => name.toLowerCase() === 'location')?.value
      const redirected = location !== undefined && answer.status >= 300 && answer.status < 400
      if (redirected) {
        const next = resolveUrl(url, location)
        facts['redirect_url'] = next.ok ? formatUrl(next.url) : location
        if (o.flags.has('location') || o.flags.has('location-trusted')) {
          if (limit >= 0 && redirects >= limit) throw new CurlError(47, `Maximum (${limit}) redirects followed`)
          if (!next.ok) throw new CurlError(next.code, next.message)
          facts['redirect_url'] = null
          this.say(`* Issue another request to this URL: '${formatUrl(next.url)}'\n`)
          if (referer?.endsWith(';auto')) referer = `${formatUrl(url)};auto`
          // A form that was answered with a redirect is looked at, not sent again.
          const drops = (answer.status === 301 || answer.status === 302) && method === 'POST'
          if ((drops && !o.flags.has(`post${answer.status}`)) || (answer.status === 303 && method !== 'HEAD')) {
            if (!o.values.has('request')) method = o.flags.has('head') ? 'HEAD' : 'GET'
            if (body && !o.values.has('request')) this.say('* Switch from POST to GET\n')
            body = undefined
          }
          url = next.url
          redirectS += since()
          facts['time_redirect'] = redirectS
          continue
        }
      }
      return answer
    }
  }

  *#connection(
    url: Url,
    deadlineNs: number,
    startNs: number,
    facts: Record<string, string | number | null>,
  ): Body<Connection> {
    const { o, sys } = this
    let host = url.host
    let port = url.port ?? defaultPort(url.scheme)
    for (const entry of o.connectTo) {
      const [, fromHost, fromPort, toHost, toPort] = /^([^:]*):(\d*):([^:]*):(\d*)$/.exec(entry) ?? []
      if ((fromHost === '' || fromHost === host) && (fromPort === '' || Number(fromPort) === port)) {
        if (toHost) host = toHost
        if (toPort) port = Number(toPort)
        this.say(`* Connecting to hostname: ${host}\n* Connecting to port: ${port}\n`)
        break
      }
    }
    const kept = this.#kept
    if (kept) {
      this.#kept = undefined
      if (kept.host === host && kept.port === port) {
        const alive = yield* isAlive(sys, kept)
        const pointer = Array.from(sys.getrandom(5), (byte: number) => byte.toString(16).padStart(2, '0')).join('')
        if (alive) {
          this.say(`* Found bundle for host: 0x55${pointer} [serially]\n* Can not multiplex, even if we wanted to\n`)
          this.say(`* Re-using existing connection #${kept.number} with host ${host}\n`)
          facts['num_connects'] = facts['num_connects'] ?? 0
          this.#local(kept, facts)
          return kept
        }
        this.say(`* Connection ${kept.number} seems to be dead\n* Closing connection ${kept.number}\n`)
      }
      sys.close(kept.fd)
    }
    const number = this.#connections++
    const known = this.#known.get(`${host.toLowerCase()}:${port}`)
    if (known) this.say(`* Hostname ${host} was found in DNS cache\n`)
    const limit = o.values.get('connect-timeout')
    try {
      const connection = yield* connect(sys, number, {
        host,
        port,
        family: o.flags.has('ipv4') ? 'AF_INET' : o.flags.has('ipv6') ? 'AF_INET6' : 'AF_UNSPEC',
        known,
        unixPath:
          o.values.get('unix-socket') ??
          (o.values.has('abstract-unix-socket') ? `\0${o.values.get('abstract-unix-socket')}` : undefined),
        interface: o.values.get('interface'),
        localPort: o.values.get('local-port'),
        deadlineNs,
        connectLimitNs: limit === undefined || Number(limit) === 0 ? 300e9 : Number(limit) * 1e9,
        startNs: sys.monotonicNs(),
        say: (text) => this.say(text),
        settle: () => this.io.settle(),
        resolved: () => {
          facts['time_namelookup'] = (sys.monotonicNs() - startNs) / 1e9
        },
      })
      if (url.scheme === 'https') throw new NotModelled('curl with https: TLS')
      facts['num_connects'] = ((facts['num_connects'] as number) ?? 0) + 1
      this.#local(connection, facts)
      return connection
    } catch (error) {
      if (error instanceof CurlError) this.say(`* Closing connection ${number}\n`)
      throw error
    }
  }

  #local(connection: Connection, facts: Record<string, string | number | null>): void {
    const { address } = connection
    facts['remote_ip'] = address?.family === 'AF_INET' ? ipv4(address.address) : ''
    facts['remote_port'] = connection.port
    facts['local_ip'] = connection.localIp
    facts['local_port'] = connection.localPort
  }

  #cookieHeader(url: Url): string | undefined {
    const given = this.o.cookies.filter((text) => text.includes('='))
    const stored = this.#jar.header(url.host, url.path, this.sys.realtime().s)
    const all = [...(stored === undefined ? [] : [stored]), ...given]
    return all.length === 0 ? undefined : all.join('; ')
  }

  #dropConnection(): void {
    if (this.#kept) this.sys.close(this.#kept.fd)
    this.#kept = undefined
  }

  // Where the body goes.

  *writeBody(bytes: Uint8Array): Body<void> {
    const sink = this.#sink
    if (!sink.opened) {
      sink.opened = true
      if (sink.path === undefined) {
        if (this.sys.isatty(1) && bytes.includes(0) && this.o.outputs.length === 0) {
          this.io.error(
            'Warning: Binary output can mess up your terminal. Use "--output -" to tell \nWarning: curl to output it to your terminal anyway, or consider "--output \nWarning: <FILE>" to save to a file.\n',
          )
          throw new CurlError(23, 'Failure writing output to destination')
        }
      } else {
        const append = this.o.values.has('continue-at')
        if (this.o.flags.has('create-dirs')) yield* this.#makeFolders(sink.path)
        const opened = yield* this.sys.open(sink.path, append ? 0o2101 : 0o1101, 0o644)
        if (!opened.ok) {
          this.io.error(`Warning: Failed to open the file ${sink.path}: ${strerror(opened.errno)}\n`)
          throw new CurlError(23, 'Failure writing output to destination')
        }
        sink.fd = opened.value
      }
    }
    sink.written += bytes.length
    if (sink.path === undefined) {
      this.io.write(bytes.slice())
      if (this.o.flags.has('no-buffer')) this.io.flush()
      yield* this.io.settle()
      if (this.io.broken) throw new CurlError(23, 'Failure writing output to destination')
      return
    }
    const wrote = yield* this.sys.write(sink.fd, bytes)
    if (!wrote.ok || wrote.value < bytes.length) throw new CurlError(23, 'Failure writing output to destination')
  }

  *#makeFolders(path: string): Body<void> {
    const parts = path.split('/').slice(0, -1)
    for (let i = 1; i <= parts.length; i++) {
      const folder = parts.slice(0, i).join('/')
      if (folder !== '') this.sys.mkdir(folder)
    }
  }

  /** A line of an answer's head, where -i, -I or -D ask for it. */
  *writeHead(line: string, url: Url): Body<void> {
    const { o } = this
    const dump = o.values.get('dump-header')
    if (dump !== undefined) {
      if (dump === '-') yield* this.writeBody(Uint8Array.from(line, (char) => char.charCodeAt(0)))
      else {
        const opened = yield* this.sys.open(dump, this.#dumped ? 0o2101 : 0o1101, 0o644)
        this.#dumped = true
        if (opened.ok) {
          yield* this.sys.write(
            opened.value,
            Uint8Array.from(line, (char) => char.charCodeAt(0)),
          )
          this.sys.close(opened.value)
        }
      }
    }
    if (!o.flags.has('include') && !o.flags.has('head')) return
    let text = line
    const colon = line.indexOf(':')
    if (this.#sink.path === undefined && this.sys.isatty(1) && !o.flags.has('no-styled-output') && colon > 0) {
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1)]
      text = `\x1b[1m${name}\x1b[0m:`
      const target = name.toLowerCase() === 'location' ? resolveUrl(url, value.trim()) : undefined
      if (target?.ok) text += `\x1b]8;;${formatUrl(target.url)}\x1b\\${value}\x1b]8;;\x1b\\`
      else text += value
    }
    yield* this.writeBody(Uint8Array.from(text, (char) => char.charCodeAt(0)))
  }

  #dumped = false

  // The meter.

  get meter(): Meter {
    return this.#meter!
  }

  #metered(): boolean {
    if (this.silent || this.o.flags.has('no-progress-meter')) return false
    return this.#sink.path !== undefined || !this.sys.isatty(1)
  }

  #showMeter(): void {
    if (!this.#metered()) return
    if (!this.#headingShown) this.io.error(METER_HEADING)
    this.#headingShown = true
    this.#needNewline = true
    this.io.error(meterLine(this.#progress()))
  }

  #progress(): Progress {
    const { received, receiveTotal, sent, sendTotal, startNs, samples } = this.meter
    const now = this.sys.monotonicNs()
    const [first] = samples
    const span = first ? (now - first.atNs) / 1e9 : (now - startNs) / 1e9
    const before = first?.bytes ?? 0
    const speed = span > 0 ? (received + sent - before) / span : 0
    return { received, receiveTotal, sent, sendTotal, elapsedNs: now - startNs, currentSpeed: speed }
  }

  /** Called while bytes come and go: once a second there is a new line. */
  *tick(): Body<void> {
    const { meter } = this
    const second = Math.floor((this.sys.monotonicNs() - meter.startNs) / 1e9)
    if (second === meter.second) return
    meter.second = second
    if (second === 0 || !this.#metered()) return
    this.#showMeter()
    meter.samples.push({ atNs: this.sys.monotonicNs(), bytes: meter.received + meter.sent })
    if (meter.samples.length > 5) meter.samples.shift()
    yield* this.io.settle()
  }

  /** When all has come: the last line. */
  finishMeter(): void {
    if (this.#metered()) this.#showMeter()
    this.#endMeter()
  }

  #endMeter(): void {
    if (this.#needNewline) this.io.error('\n')
    this.#needNewline = false
  }
}

/** Bytes one character each. */
class TextLatin {
  readonly text: string
  constructor(bytes: Uint8Array) {
    this.text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  }
}

function ipv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

function emptyFacts(url: string, number: number): Record<string, string | number | null> {
  return {
    certs: '',
    content_type: null,
    errormsg: null,
    exitcode: 0,
    filename_effective: null,
    ftp_entry_path: null,
    http_code: 0,
    http_connect: 0,
    http_version: '0',
    local_ip: '',
    local_port: 0,
    method: 'GET',
    num_certs: 0,
    num_connects: 0,
    num_headers: 0,
    num_redirects: 0,
    proxy_ssl_verify_result: 0,
    redirect_url: null,
    referer: null,
    remote_ip: '',
    remote_port: 0,
    response_code: 0,
    scheme: 'HTTP',
    size_download: 0,
    size_header: 0,
    size_request: 0,
    size_upload: 0,
    speed_download: 0,
    speed_upload: 0,
    ssl_verify_result: 0,
    time_appconnect: 0,
    time_connect: 0,
    time_namelookup: 0,
    time_pretransfer: 0,
    time_redirect: 0,
    time_starttransfer: 0,
    time_total: 0,
    url,
    url_effective: url,
    urlnum: number,
    curl_version: LIBRARIES,
  }
}

/** `nginx` 1.22 for simple sites: files, fixed answers, a proxy with round robin. src/http/ngx_http_request.c and its modules */
import { encodeLatin1, encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, ERRNO, type Errno, POLLIN, readTextFile, type Sys, strerror } from '#kernel/core'
import { fileTime } from '#user/coreutils'
import {
  addressOf,
  connectWithin,
  formatAddress,
  joined,
  lookupHost,
  receiveSome,
  Stdio,
  sendWhole,
  type Task,
  Tasks,
  withPort,
} from '#user/libc'
import { formatTime } from '#user/shell'
import {
  ChunkDecoder,
  escapeHtml,
  type Field,
  fieldOf,
  headEnd,
  httpDate,
  parseHttpDate,
  percentDecode,
  percentEncode,
  reasonOf,
} from './message.ts'
import {
  type Listen,
  type Location,
  type NginxConfig,
  NginxError,
  readNginxConfig,
  type ServerBlock,
  type Upstream,
} from './nginx-config.ts'

const VERSION = 'nginx/1.22.1'
const HEAD_MAX = 32 * 1024
const LINE_MAX = 8 * 1024
const HEADER_NS = 60e9
const PROXY_NS = 60e9
const KEEPALIVE_REQUESTS = 1000
const UPSTREAM_HEAD_MAX = 32 * 1024
const UPSTREAM_FAIL_NS = 10e9
const REDIRECTS_MAX = 10
/** Statuses that add_header goes with; a range that can't be is found out only after it. */
const ADDED = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 416]
const LIMIT_BODY = 64 * 1024 * 1024

export function nginx(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'nginx', 'none')
  return io.run(main(sys, io, argv))
}

const HELP = `nginx version: ${VERSION}
Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: /usr/share/nginx/)
  -e filename   : set error log file (default: stderr)
  -c filename   : set configuration file (default: /etc/nginx/nginx.conf)
  -g directives : set global directives out of configuration file

`

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  let path = '/etc/nginx/nginx.conf'
  let test = false
  let quiet = false
  let signal: string | undefined
  let globals = ''
  const parsed = getopt(argv, '?hvVtTqs:p:e:c:g:')
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`nginx: invalid option: "${argv.find((word) => word.startsWith('-'))?.slice(1)}"\n`)
      return 1
    }
    if (option === 'h' || option === '?') {
      io.error(HELP)
      return 0
    }
    if (option === 'v') {
      io.error(`nginx version: ${VERSION}\n`)
      return 0
    }
    if (option === 't') test = true
    else if (option === 'q') quiet = true
    else if (option === 'c') path = value.startsWith('/') ? value : `${sys.getcwd()}/${value}`
    else if (option === 's') signal = value
    else if (option === 'g') globals = value
    else throw new NotModelled(`nginx -${option}`)
  }
  const stamp = () => formatTime('%Y/%m/%d %H:%M:%S', sys.realtime().s)
  const say = (level: string, text: string) => io.error(`${stamp()} [${level}] ${sys.pid}#${sys.pid}: ${text}\n`)
  let config: NginxConfig
  try {
    config = yield* readNginxConfig(sys, path)
  } catch (error) {
    if (!(error instanceof NginxError)) throw error
    say('emerg', error.message)
    if (test) io.error(`nginx: configuration file ${path} test failed\n`)
    return 1
  }
  if (/daemon\s+off/.test(globals)) config.daemon = false
  if (test) {
    // It makes sure that it could write its pid, and leaves the file.
    const pid = yield* sys.open(config.pid, 0o101, 0o644)
    if (pid.ok) sys.close(pid.value)
    if (!quiet) {
      io.error(
        `nginx: the configuration file ${path} syntax is ok\nnginx: configuration file ${path} test is successful\n`,
      )
    }
    return 0
  }
  if (signal !== undefined) return yield* sendSignal(sys, io, config, signal, say)
  const server = new Nginx(config, path)
  const failed = yield* server.listen(sys, (text) => say('emerg', text))
  if (failed) return 1
  if (!config.daemon) return yield* server.master(sys)
  sys.fork(function* (child) {
    child.setsid()
    return yield* server.master(child)
  })
  return 0
}

function* sendSignal(
  sys: Sys,
  io: Stdio,
  config: NginxConfig,
  signal: string,
  say: (level: string, text: string) => void,
): Body<number> {
  const signals = { stop: 'SIGTERM', quit: 'SIGQUIT', reload: 'SIGHUP', reopen: 'SIGUSR1' } as const
  if (!Object.hasOwn(signals, signal)) {
    io.error(`nginx: invalid option: "-s ${signal}"\n`)
    return 1
  }
  say('notice', 'signal process started')
  const file = yield* readTextFile(sys, config.pid)
  if (!file.ok) {
    say('error', `open() "${config.pid}" failed (${ERRNO[file.errno][0]}: ${strerror(file.errno)})`)
    return 1
  }
  const pid = Number(file.value.trim())
  if (!(pid > 0)) {
    say('error', `invalid PID number "${file.value.trim()}" in "${config.pid}"`)
    return 1
  }
  const sent = sys.kill(pid, signals[signal as keyof typeof signals])
  if (sent.ok) return 0
  say('alert', `kill(${pid}, ${{ stop: 15, quit: 3, reload: 1, reopen: 10 }[signal]}) failed (3: No such process)`)
  return 1
}

/** The sockets that are listened on, and the processes behind. */
class Nginx {
  #config: NginxConfig
  readonly #path: string
  readonly #listeners: { fd: number; listen: Listen }[] = []
  #errorFd = 2

  constructor(config: NginxConfig, path: string) {
    this.#config = config
    this.#path = path
  }

  *master(sys: Sys): Body<number> {
    const opened = yield* sys.open(
      this.#config.errorLog === 'stderr' ? '/dev/stderr' : this.#config.errorLog,
      0o2101,
      0o644,
    )
    if (opened.ok) this.#errorFd = opened.value
    const pid = yield* sys.open(this.#config.pid, 0o1101, 0o644)
    if (pid.ok) {
      yield* sys.write(pid.value, encodeUtf8(`${sys.pid}\n`))
      sys.close(pid.value)
    }
    let action: 'stop' | 'quit' | 'reload' | undefined
    for (const signal of ['SIGTERM', 'SIGINT'] as const) sys.sigaction(signal, () => (action = 'stop'))
    sys.sigaction('SIGQUIT', () => (action = 'quit'))
    sys.sigaction('SIGHUP', () => (action = 'reload'))
    sys.sigaction('SIGUSR1', () => {})
    let worker = this.#spawn(sys)
    for (;;) {
      const ended = yield* sys.waitpid(-1)
      if (ended.ok && ended.value && ended.value.pid === worker && action === undefined) worker = this.#spawn(sys)
      if (action === undefined) continue
      if (action === 'reload') {
        action = undefined
        try {
          this.#config = yield* readNginxConfig(sys, this.#path)
        } catch (error) {
          if (!(error instanceof NginxError)) throw error
          yield* this.#log(sys, 'emerg', error.message)
          continue
        }
        const old = worker
        yield* this.listen(sys, () => {})
        worker = this.#spawn(sys)
        sys.kill(old, 'SIGQUIT')
        continue
      }
      sys.kill(worker, action === 'quit' ? 'SIGQUIT' : 'SIGTERM')
      for (const { fd } of this.#listeners) sys.close(fd)
      for (;;) {
        const gone = yield* sys.waitpid(worker)
        if (gone.ok || gone.errno === 'ECHILD') break
      }
      sys.unlink(this.#config.pid)
      return 0
    }
  }

  *#log(sys: Sys, level: string, text: string): Body<void> {
    const stamp = formatTime('%Y/%m/%d %H:%M:%S', sys.realtime().s)
    yield* sys.write(this.#errorFd, encodeUtf8(`${stamp} [${level}] ${sys.pid}#${sys.pid}: ${text}\n`))
  }

  /** Listens where it doesn't yet; true if it can't, after five tries. */
  *listen(sys: Sys, say: (text: string) => void): Body<boolean> {
    for (const listen of this.#config.servers.flatMap(({ listens }) => listens)) {
      const same = ({ address, port }: Listen) =>
        port === listen.port && formatAddress(address) === formatAddress(listen.address)
      if (this.#listeners.some((one) => same(one.listen))) continue
      const made = sys.socket(listen.address.family, 'SOCK_STREAM', 0)
      if (!made.ok) continue
      sys.setsockopt(made.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
      const at = `${formatAddress(listen.address)}:${listen.port}`
      for (let tries = 1; ; tries++) {
        const bound = sys.bind(made.value, withPort(listen.address, listen.port))
        if (bound.ok) break
        say(`bind() to ${at} failed (${ERRNO[bound.errno][0]}: ${strerror(bound.errno)})`)
        if (bound.errno !== 'EADDRINUSE' || tries === 5) {
          if (bound.errno === 'EADDRINUSE') say('still could not bind()')
          return true
        }
        yield* sys.sleep(5e8)
      }
      sys.listen(made.value, 511)
      sys.setNonBlocking(made.value, true)
      this.#listeners.push({ fd: made.value, listen })
    }
    return false
  }

  #spawn(sys: Sys): number {
    const config = this.#config
    const listeners = [...this.#listeners]
    return sys.fork((child) => new Worker(child, config, listeners, this.#errorFd).run())
  }
}

interface Request {
  line: string
  method: string
  target: string
  /** Decoded and without dots. */
  path: string
  args: string | undefined
  version: string
  fields: Field[]
  body: Uint8Array
  client: string
  clientPort: number
  connection: number
  server: ServerBlock
  location: Location
  keep: boolean
  atS: number
}

interface Response {
  status: number
  fields: [string, string][]
  body: Uint8Array
  /** Its length if the body isn't sent. */
  length: number | undefined
  statusLine?: string
  /** Date and Server are there already. */
  separate?: boolean
}

/** One process that serves. */
class Worker {
  readonly #sys: Sys
  readonly #config: NginxConfig
  readonly #listeners: { fd: number; listen: Listen }[]
  readonly #errorFd: number
  readonly #tasks: Tasks
  readonly #logs = new Map<string, number>()
  readonly #failed = new Map<object, number>()
  #stop = false
  #quit = false
  #connections = 0
  #upstreamText = ''
  #boundaries = 0
  #open = 0

  constructor(sys: Sys, config: NginxConfig, listeners: { fd: number; listen: Listen }[], errorFd: number) {
    this.#sys = sys
    this.#config = config
    this.#listeners = listeners
    this.#errorFd = errorFd
    this.#tasks = new Tasks(sys)
  }

  *run(): Body<number> {
    const sys = this.#sys
    sys.setName('nginx', ['nginx: worker process'])
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      sys.sigaction(signal, () => {
        this.#stop = true
      })
    }
    sys.sigaction('SIGQUIT', () => {
      this.#quit = true
    })
    sys.sigaction('SIGHUP', 'ignore')
    sys.sigaction('SIGPIPE', 'ignore')
    for (const { fd, listen } of this.#listeners) this.#tasks.spawn(this.#accept(fd, listen))
    yield* this.#tasks.run(() => this.#stop || (this.#quit && this.#open === 0))
    return 0
  }

  *#accept(fd: number, listen: Listen): Task<void> {
    for (;;) {
      const accepted = yield* this.#sys.accept(fd)
      if (accepted.ok) {
        this.#open++
        this.#tasks.spawn(this.#serve(accepted.value.fd, accepted.value.from, listen))
      } else yield { fd, events: POLLIN, untilNs: Number.POSITIVE_INFINITY }
    }
  }

  *#error(level: string, text: string, connection?: number, request?: Request): Task<void> {
    const stamp = formatTime('%Y/%m/%d %H:%M:%S', this.#sys.realtime().s)
    let line = `${stamp} [${level}] ${this.#sys.pid}#${this.#sys.pid}: ${connection === undefined ? '' : `*${connection} `}${text}`
    if (request) {
      const host = fieldOf(request.fields, 'host')
      line += `, client: ${request.client}, server: ${request.server.names[0] ?? ''}, request: "${request.line}"`
      if (text.includes('upstream')) line += `, upstream: "${this.#upstreamText}"`
      if (host !== undefined) line += `, host: "${host}"`
    }
    yield* this.#sys.write(this.#errorFd, encodeUtf8(`${line}\n`))
  }

  /** A connection, request after request. */
  *#serve(fd: number, from: Parameters<typeof addressOf>[0], listen: Listen): Task<void> {
    const sys = this.#sys
    const connection = ++this.#connections
    const client = addressOf(from)
    sys.setNonBlocking(fd, true)
    sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
    let buffer: Uint8Array = new Uint8Array(0)
    let keepS = 0
    try {
      for (let count = 1; ; count++) {
        const limit = sys.monotonicNs() + (count === 1 ? HEADER_NS : keepS * 1e9)
        let end = requestEnd(buffer)
        while (end < 0) {
          if (buffer.length > HEAD_MAX || (buffer.indexOf(10) < 0 && buffer.length > LINE_MAX)) break
          const got = yield* receiveSome(sys, fd, 16_384, limit)
          if (!(got instanceof Uint8Array) || got.length === 0) return
          const joined = new Uint8Array(buffer.length + got.length)
          joined.set(buffer)
          joined.set(got, buffer.length)
          buffer = joined
          end = requestEnd(buffer)
        }
        const head = end < 0 ? buffer : buffer.subarray(0, end)
        buffer = end < 0 ? new Uint8Array(0) : buffer.subarray(end)
        const parsed = this.#parse(
          head,
          end < 0,
          listen,
          client ? formatAddress(client.address) : '',
          client?.port ?? 0,
          connection,
        )
        const { request } = parsed
        let response: Response | undefined
        let missing = 0
        if (parsed.status !== undefined) {
          request.keep = false
          response = this.#page(request, parsed.status)
        } else {
          // Only who passes a body on waits for it; else the answer goes out first, and the body is dropped as it comes.
          const taken = yield* this.#body(fd, request, buffer, request.location.proxy === undefined)
          if (taken === undefined) return
          buffer = taken.rest
          missing = taken.missing
          response = taken.status === undefined ? yield* this.#respond(request, 0) : this.#page(request, taken.status)
        }
        if (count >= KEEPALIVE_REQUESTS || this.#quit) request.keep = false
        if (request.location.keepaliveS === 0) request.keep = false
        const sent = yield* this.#send(fd, request, response)
        yield* this.#access(request, response, sent)
        while (missing > 0) {
          const got = yield* receiveSome(sys, fd, Math.min(65_536, missing), sys.monotonicNs() + 5e9)
          if (!(got instanceof Uint8Array) || got.length === 0) return
          missing -= got.length
        }
        if (!request.keep) return
        keepS = request.location.keepaliveS
      }
    } finally {
      this.#open--
      sys.close(fd)
    }
  }

  #parse(
    head: Uint8Array,
    tooLong: boolean,
    listen: Listen,
    client: string,
    clientPort: number,
    connection: number,
  ): { request: Request; status?: number } {
    const lines = Array.from(head, (byte) => String.fromCharCode(byte))
      .join('')
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
    const first = lines.shift() ?? ''
    const server = this.#serverFor(listen, undefined)
    const request: Request = {
      line: first,
      method: '',
      target: '',
      path: '/',
      args: undefined,
      version: '0.9',
      fields: [],
      body: new Uint8Array(0),
      client,
      clientPort,
      connection,
      server,
      location: server.base,
      keep: false,
      atS: this.#sys.realtime().s,
    }
    if (tooLong) return { request, status: lines.length > 0 ? 400 : 414 }
    const match = /^([A-Z_-]+) (\S+)(?: HTTP\/(\d)\.(\d+))?$/.exec(first)
    if (!match) {
      request.version = '1.0' // A head goes out all the same.
      return { request, status: 400 }
    }
    const [, method, target, major, minor] = match
    request.method = method!
    request.target = target!
    if (major === undefined) {
      if (method !== 'GET') return { request, status: 400 }
    } else {
      request.version = `${major}.${minor}`
      if (Number(major) > 1) return { request, status: 505 }
      if (Number(major) < 1) return { request, status: 400 }
    }
    let where = target!
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/s.exec(where)
    if (absolute) where = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`
    if (!where.startsWith('/')) return { request, status: 400 }
    for (const line of lines) {
      if (line === '') continue
      const field = /^([!#$%&'*+.^`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
      if (field) request.fields.push({ name: field[1]!, value: field[2]! })
      else if (!line.includes(':')) return { request, status: 400 }
    }
    const hosts = request.fields.filter(({ name }) => name.toLowerCase() === 'host')
    if (request.version === '1.1' && hosts.length === 0) return { request, status: 400 }
    if (hosts.length > 1) return { request, status: 400 }
    const host = (absolute?.[1] ?? hosts[0]?.value ?? '').toLowerCase().replace(/:\d+$/, '')
    request.server = this.#serverFor(listen, host)
    request.location = request.server.base
    const [path = '', ...args] = where.split('#')[0]!.split('?')
    request.args = args.length > 0 ? args.join('?') : undefined
    const decoded = normalize(percentDecode(path))
    if (decoded === undefined) return { request, status: 400 }
    request.path = decoded
    request.location = locate(request.server, decoded)
    const wish = (fieldOf(request.fields, 'connection') ?? '').toLowerCase()
    request.keep = request.version === '1.1' ? wish !== 'close' : wish === 'keep-alive'
    if (request.version === '0.9') request.keep = false
    return { request }
  }

  #serverFor(listen: Listen, host: string | undefined): ServerBlock {
    const same = (one: Listen) =>
      one.port === listen.port && formatAddress(one.address) === formatAddress(listen.address)
    const here = this.#config.servers.filter(({ listens }) => listens.some(same))
    const exact = here.find(({ names }) => host !== undefined && names.includes(host))
    if (exact) return exact
    const wild = here.find(({ names }) =>
      names.some(
        (name) =>
          host !== undefined &&
          ((name.startsWith('*.') && host.endsWith(name.slice(1))) ||
            (name.startsWith('.') && (host === name.slice(1) || host.endsWith(name)))),
      ),
    )
    return wild ?? here.find(({ listens }) => listens.some((one) => same(one) && one.isDefault)) ?? here[0]!
  }

  /** The request's body; what came after it stays. Undefined if it never came. */
  *#body(
    fd: number,
    request: Request,
    early: Uint8Array,
    dropped: boolean,
  ): Task<{ rest: Uint8Array; missing: number; status?: number } | undefined> {
    const coding = fieldOf(request.fields, 'transfer-encoding')
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked') return { rest: early, missing: 0, status: 501 }
      const decoder = new ChunkDecoder()
      const pieces = decoder.push(early) ?? []
      let size = 0
      request.keep = false // What comes behind the last chunk isn't told apart from it.
      while (!decoder.done) {
        const got = yield* receiveSome(this.#sys, fd, 65_536, this.#sys.monotonicNs() + HEADER_NS)
        if (!(got instanceof Uint8Array) || got.length === 0) return undefined
        size += got.length
        const { bodyMax } = request.location
        if ((bodyMax > 0 && size > bodyMax) || size > LIMIT_BODY) return { rest: early, missing: 0, status: 413 }
        pieces.push(...(decoder.push(got) ?? []))
      }
      if (decoder.error) return { rest: early, missing: 0, status: 400 }
      request.body = pieces.length === 0 ? new Uint8Array(0) : joined(pieces)
      return { rest: new Uint8Array(0), missing: 0 }
    }
    const text = fieldOf(request.fields, 'content-length')
    if (text === undefined) return { rest: early, missing: 0 }
    if (!/^\d{1,15}$/.test(text)) return { rest: early, missing: 0, status: 400 }
    const length = Number(text)
    const { bodyMax } = request.location
    if ((bodyMax > 0 && length > bodyMax) || length > LIMIT_BODY) {
      request.keep = false
      return { rest: early, missing: 0, status: 413 }
    }
    if (
      (fieldOf(request.fields, 'expect') ?? '').toLowerCase() === '100-continue' &&
      request.version === '1.1' &&
      early.length < length
    ) {
      yield* sendWhole(this.#sys, fd, encodeLatin1('HTTP/1.1 100 Continue\r\n\r\n'))
    }
    if (dropped) {
      const have = Math.min(length, early.length)
      return { rest: early.subarray(have), missing: length - have }
    }
    const body = new Uint8Array(length)
    let have = Math.min(length, early.length)
    body.set(early.subarray(0, have))
    const rest = early.subarray(have)
    while (have < length) {
      const got = yield* receiveSome(
        this.#sys,
        fd,
        Math.min(65_536, length - have),
        this.#sys.monotonicNs() + HEADER_NS,
      )
      if (!(got instanceof Uint8Array) || got.length === 0) return undefined
      body.set(got, have)
      have += got.length
    }
    request.body = body
    return { rest, missing: 0 }
  }

  *#respond(request: Request, depth: number): Task<Response> {
    const { location } = request
    if (request.server.base.returned) return this.#returned(request, request.server.base.returned)
    if (location.returned) return this.#returned(request, location.returned)
    if (!allowed(location, request.client)) {
      yield* this.#error('error', 'access forbidden by rule', request.connection, request)
      return yield* this.#failure(request, 403, depth)
    }
    if (location.tryFiles) {
      const next = yield* this.#tryFiles(request, location.tryFiles, depth)
      if (next) return next
    }
    if (location.proxy) return yield* this.#proxy(request, location.proxy, depth)
    return yield* this.#static(request, depth)
  }

  #returned(request: Request, { status, text }: { status: number; text: string | undefined }): Response {
    const filled = text === undefined ? undefined : this.#fill(text, request, undefined)
    if (filled !== undefined && [301, 302, 303, 307, 308].includes(status)) {
      const page = this.#page(request, status)
      page.fields.push(['Location', this.#absolute(request, filled)])
      return page
    }
    if (filled === undefined)
      return status < 300 && status !== 204
        ? { status, fields: [['Content-Type', this.#typeOf(request)]], body: new Uint8Array(0), length: undefined }
        : this.#page(request, status)
    return { status, fields: [['Content-Type', this.#typeOf(request)]], body: encodeUtf8(filled), length: undefined }
  }

  #absolute(request: Request, to: string): string {
    if (!to.startsWith('/')) return to
    const host = fieldOf(request.fields, 'host')?.replace(/:\d+$/, '') ?? request.server.names[0] ?? 'localhost'
    const { port } = request.server.listens[0]!
    return `http://${host}${port === 80 ? '' : `:${port}`}${to}`
  }

  #typeOf(request: Request, path = request.path): string {
    const suffix = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase()
    const { types, defaultType } = request.location
    return (suffix !== undefined && types.get(suffix)) || defaultType
  }

  /** An error as the configuration wants it shown. */
  *#failure(request: Request, status: number, depth: number): Task<Response> {
    const rule = request.location.errorPages.find(({ codes }) => codes.includes(status))
    if (!rule || depth >= REDIRECTS_MAX) return this.#page(request, status)
    if (/^https?:/.test(rule.to)) {
      const page = this.#page(request, 302)
      page.fields.push(['Location', rule.to])
      return page
    }
    const inner: Request = { ...request, method: request.method === 'HEAD' ? 'HEAD' : 'GET', path: rule.to }
    inner.location = rule.to.startsWith('@')
      ? (request.server.locations.find(({ pattern }) => pattern === rule.to) ?? request.server.base)
      : locate(request.server, rule.to)
    if (rule.to.startsWith('@')) inner.path = request.path
    const response = yield* this.#respond(inner, depth + 1)
    if (rule.status === undefined || rule.status !== 0)
      response.status = rule.status ?? (response.status === 200 ? status : response.status)
    return response
  }

  /** nginx's own page for a status. */
  #page(request: Request, status: number): Response {
    const reason = reasonOf(status)
    const title = reason === undefined ? String(status) : `${status} ${reason}`
    if (status === 304 || status === 204 || status < 200)
      return { status, fields: [], body: new Uint8Array(0), length: undefined }
    const server = request.location.tokens ? VERSION : 'nginx'
    const shown = status === 302 ? '302 Found' : title
    const body = `<html>\r\n<head><title>${shown}</title></head>\r\n<body>\r\n<center><h1>${shown}</h1></center>\r\n<hr><center>${server}</center>\r\n</body>\r\n</html>\r\n`
    return { status, fields: [['Content-Type', 'text/html']], body: encodeUtf8(body), length: undefined }
  }

  /** The file that a path means there. */
  #file(request: Request, path: string): string {
    const { location } = request
    if (location.alias !== undefined) {
      const rest = location.kind === 'regex' ? '' : path.slice(location.pattern.length)
      return location.alias + rest
    }
    return location.root + path
  }

  *#tryFiles(request: Request, candidates: string[], depth: number): Task<Response | undefined> {
    for (const [i, candidate] of candidates.entries()) {
      const text = this.#fill(candidate, request, undefined)
      if (i === candidates.length - 1) {
        if (/^=\d{3}$/.test(text)) return yield* this.#failure(request, Number(text.slice(1)), depth)
        if (depth >= REDIRECTS_MAX) return this.#page(request, 500)
        const [path = '', ...args] = text.split('?')
        const inner: Request = { ...request, path: text.startsWith('@') ? request.path : path }
        if (args.length > 0) inner.args = args.join('?')
        inner.location = text.startsWith('@')
          ? (request.server.locations.find(({ pattern }) => pattern === text) ?? request.server.base)
          : locate(request.server, path)
        return yield* this.#respond(inner, depth + 1)
      }
      const stat = this.#sys.stat(this.#file(request, text).replace(/(.)\/$/, '$1'))
      const folder = text.endsWith('/')
      if (stat.ok && (stat.value.type === 'directory') === folder) {
        request.path = text
        return undefined
      }
    }
    return undefined
  }

  *#static(request: Request, depth: number): Task<Response> {
    const sys = this.#sys
    if (request.method !== 'GET' && request.method !== 'HEAD') return yield* this.#failure(request, 405, depth)
    let path = request.path
    let file = this.#file(request, path)
    if (path.endsWith('/')) {
      let index: string | undefined
      for (const name of request.location.index) {
        const stat = index === undefined ? sys.stat(file + name) : undefined
        if (stat?.ok && stat.value.type !== 'directory') index = name
      }
      if (index === undefined) {
        const folder = sys.stat(file)
        if (!folder.ok || folder.value.type !== 'directory') {
          yield* this.#error(
            'error',
            `"${file}${request.location.index.at(-1)}" is not found (2: No such file or directory)`,
            request.connection,
            request,
          )
          return yield* this.#failure(request, 404, depth)
        }
        if (request.location.autoindex) return this.#list(request, file)
        yield* this.#error('error', `directory index of "${file}" is forbidden`, request.connection, request)
        return yield* this.#failure(request, 403, depth)
      }
      path += index
      file += index
      const inner = locate(request.server, path)
      if (inner !== request.location && depth < REDIRECTS_MAX) {
        return yield* this.#respond({ ...request, path, location: inner }, depth + 1)
      }
    }
    const stat = sys.stat(file)
    if (!stat.ok) {
      const { errno } = stat
      yield* this.#error(
        'error',
        `open() "${file}" failed (${ERRNO[errno][0]}: ${strerror(errno)})`,
        request.connection,
        request,
      )
      return yield* this.#failure(request, errno === 'EACCES' ? 403 : 404, depth)
    }
    if (stat.value.type === 'directory') {
      const page = this.#page(request, 301)
      const args = request.args === undefined ? '' : `?${request.args}`
      page.fields.push([
        'Location',
        this.#absolute(request, `${percentEncode(encodeLatin1(path), "/-._~!$&'()*+,;=:@")}/${args}`),
      ])
      return page
    }
    const modified = fileTime(sys, stat.value.mtimeNs).s
    const tag = `"${modified.toString(16)}-${stat.value.size.toString(16)}"`
    const known = fieldOf(request.fields, 'if-none-match')
    const since = fieldOf(request.fields, 'if-modified-since')
    const base: [string, string][] = [
      ['Last-Modified', httpDate(modified)],
      ['ETag', tag],
    ]
    const unchanged =
      known !== undefined
        ? known === '*' || known.split(/\s*,\s*/).some((one) => one.replace(/^W\//, '') === tag)
        : since !== undefined && parseHttpDate(since) === modified
    if (unchanged) return { status: 304, fields: base, body: new Uint8Array(0), length: undefined }
    const opened = yield* sys.open(file)
    if (!opened.ok) return yield* this.#failure(request, 403, depth)
    const pieces: Uint8Array[] = []
    if (request.method === 'GET') {
      for (;;) {
        const got = yield* sys.read(opened.value, 1 << 20)
        if (!got.ok || got.value.length === 0) break
        pieces.push(got.value)
      }
    }
    sys.close(opened.value)
    const body = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const piece of pieces) {
      body.set(piece, at)
      at += piece.length
    }
    const response: Response = {
      status: 200,
      fields: [['Content-Type', this.#typeOf(request, path)], ...base],
      body,
      length: stat.value.size,
      separate: request.location.sendfile && !request.location.nopush,
    }
    return this.#ranged(request, response, stat.value.size)
  }

  #ranged(request: Request, response: Response, size: number): Response {
    const range = fieldOf(request.fields, 'range')
    if (range === undefined || request.method !== 'GET') {
      response.fields.push(['Accept-Ranges', 'bytes'])
      return response
    }
    const list = /^bytes=(.+)$/i.exec(range)?.[1]?.split(',')
    const spans: [number, number][] = []
    for (const text of list ?? []) {
      const match = /^\s*(\d*)-(\d*)\s*$/.exec(text)
      if (!match || (match[1] === '' && match[2] === '')) {
        spans.length = 0
        break
      }
      const from = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1])
      const to = match[1] === '' || match[2] === '' ? size - 1 : Math.min(size - 1, Number(match[2]))
      if (from < size && from <= to) spans.push([from, to])
    }
    if (list === undefined) {
      response.fields.push(['Accept-Ranges', 'bytes'])
      return response
    }
    if (spans.length === 0) {
      const page = this.#page(request, 416)
      page.fields.push(['Content-Range', `bytes */${size}`])
      return page
    }
    if (spans.length > 1) return this.#multipart(response, spans, size)
    const [from, to] = spans[0]!
    response.status = 206
    response.fields.push(['Content-Range', `bytes ${from}-${to}/${size}`])
    response.body = response.body.subarray(from, to + 1)
    response.length = undefined
    return response
  }

  /** multipart/byteranges. RFC 9110 section 14.6 */
  #multipart(response: Response, spans: [number, number][], size: number): Response {
    const boundary = String(++this.#boundaries).padStart(20, '0')
    const type = response.fields.find(([name]) => name === 'Content-Type')!
    const pieces: Uint8Array[] = []
    for (const [from, to] of spans) {
      const head = `\r\n--${boundary}\r\nContent-Type: ${type[1]}\r\nContent-Range: bytes ${from}-${to}/${size}\r\n\r\n`
      pieces.push(encodeLatin1(head), response.body.subarray(from, to + 1))
    }
    pieces.push(encodeLatin1(`\r\n--${boundary}--\r\n`))
    type[1] = `multipart/byteranges; boundary=${boundary}`
    response.status = 206
    response.body = joined(pieces)
    response.length = undefined
    return response
  }

  #list(request: Request, folder: string): Response {
    const sys = this.#sys
    const listed = sys.readdir(folder)
    const entries = (listed.ok ? listed.value : [])
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => {
        const stat = sys.stat(folder + name)
        return stat.ok
          ? [
              {
                name,
                folder: stat.value.type === 'directory',
                size: stat.value.size,
                atS: fileTime(sys, stat.value.mtimeNs).s,
              },
            ]
          : []
      })
      .sort((a, b) => (a.folder !== b.folder ? (a.folder ? -1 : 1) : a.name < b.name ? -1 : 1))
    const title = `Index of ${escapeHtml(request.path, false)}`
    let body = `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<h1>${title}</h1><hr><pre><a href="../">../</a>\r\n`
    for (const entry of entries) {
      const slash = entry.folder ? '/' : ''
      const shown =
        entry.name.length + slash.length > 50
          ? `${entry.name.slice(0, 47)}..&gt;`
          : `${escapeHtml(entry.name, false)}${slash}`
      const width = Math.min(50, entry.name.length + slash.length)
      const href = percentEncode(encodeUtf8(entry.name), "-._~!$'()*+,;=:@")
      body += `<a href="${href}${slash}">${shown}</a>${' '.repeat(51 - width)}${formatTime('%d-%b-%Y %H:%M', entry.atS)} `
      body += `${(entry.folder ? '-' : String(entry.size)).padStart(19)}\r\n`
    }
    body += '</pre><hr></body>\r\n</html>\r\n'
    return {
      status: 200,
      fields: [['Content-Type', 'text/html']],
      body: encodeUtf8(body),
      length: undefined,
      statusLine: 'chunked',
    }
  }

  // The proxy.

  #next(upstream: Upstream, tried: Set<object>): Upstream['servers'][number] | undefined {
    const now = this.#sys.monotonicNs()
    const alive = (one: Upstream['servers'][number]) =>
      !one.down && !tried.has(one) && (this.#failed.get(one) ?? 0) <= now
    let usable = upstream.servers.filter((one) => !one.backup && alive(one))
    if (usable.length === 0) usable = upstream.servers.filter((one) => one.backup && alive(one))
    if (usable.length === 0 && upstream.servers.length === 1 && tried.size === 0) usable = upstream.servers
    // Smooth weighted round robin.
    let best: Upstream['servers'][number] | undefined
    let total = 0
    for (const one of usable) {
      one.current += one.weight
      total += one.weight
      if (!best || one.current > best.current) best = one
    }
    if (best) best.current -= total
    return best
  }

  *#proxy(request: Request, proxy: NonNullable<Location['proxy']>, depth: number): Task<Response> {
    const sys = this.#sys
    const named = this.#config.upstreams.get(proxy.upstream)
    const upstream = named ?? (yield* this.#plainUpstream(proxy.upstream))
    if (!upstream) return yield* this.#failure(request, 502, depth)
    const args = request.args === undefined ? '' : `?${request.args}`
    const rest = percentEncode(encodeLatin1(request.path.slice(request.location.pattern.length)), "/-._~!$&'()*+,;=:@")
    const uri = proxy.uri === undefined ? request.target : `${this.#fill(proxy.uri, request, undefined)}${rest}${args}`
    const own = new Map(
      request.location.proxyHeaders.map(
        ([name, value]) => [name.toLowerCase(), [name, this.#fill(value, request, proxy.upstream)]] as const,
      ),
    )
    let head = `${request.method} ${uri} HTTP/${request.location.proxyHttp11 ? '1.1' : '1.0'}\r\n`
    for (const [name, value] of own.values()) if (value !== '') head += `${name}: ${value}\r\n`
    if (!own.has('host')) head = head.replace('\r\n', `\r\nHost: ${proxy.upstream}\r\n`)
    if (!own.has('connection')) head += 'Connection: close\r\n'
    if (request.body.length > 0 || fieldOf(request.fields, 'content-length') !== undefined)
      head += `Content-Length: ${request.body.length}\r\n`
    for (const { name, value } of request.fields) {
      const key = name.toLowerCase()
      if (
        own.has(key) ||
        ['host', 'connection', 'keep-alive', 'content-length', 'te', 'transfer-encoding', 'upgrade', 'expect'].includes(
          key,
        )
      )
        continue
      head += `${name}: ${value}\r\n`
    }
    head += '\r\n'
    const tried = new Set<object>()
    for (;;) {
      const server = this.#next(upstream, tried)
      if (!server) {
        if (tried.size === 0)
          yield* this.#error('error', 'no live upstreams while connecting to upstream', request.connection, request)
        return yield* this.#failure(request, 502, depth)
      }
      tried.add(server)
      this.#upstreamText = `http://${formatAddress(server.address)}:${server.port}${uri}`
      const made = sys.socket(server.address.family, 'SOCK_STREAM', 0)
      if (!made.ok) return yield* this.#failure(request, 500, depth)
      const fd = made.value
      try {
        this.#connections++ // They are counted with the clients'.
        const untilNs = sys.monotonicNs() + PROXY_NS
        const failed = yield* connectWithin(sys, fd, withPort(server.address, server.port), untilNs)
        if (failed !== undefined) {
          this.#failed.set(server, sys.monotonicNs() + UPSTREAM_FAIL_NS)
          const why =
            failed === 'timeout'
              ? 'upstream timed out (110: Connection timed out)'
              : `connect() failed (${ERRNO[failed][0]}: ${strerror(failed)})`
          yield* this.#error('error', `${why} while connecting to upstream`, request.connection, request)
          if (tried.size < upstream.servers.length) continue
          return yield* this.#failure(request, failed === 'timeout' ? 504 : 502, depth)
        }
        const whole = new Uint8Array(head.length + request.body.length)
        whole.set(encodeLatin1(head))
        whole.set(request.body, head.length)
        const broken = yield* sendWhole(sys, fd, whole, untilNs)
        const answer = broken === undefined ? yield* this.#upstreamAnswer(fd, request) : broken
        if (typeof answer === 'object') return answer
        if (answer === 'timeout') {
          yield* this.#error(
            'error',
            'upstream timed out (110: Connection timed out) while reading response header from upstream',
            request.connection,
            request,
          )
          if (tried.size < upstream.servers.length) continue
          return yield* this.#failure(request, 504, depth)
        }
        const why =
          answer === 'closed'
            ? 'upstream prematurely closed connection'
            : `recv() failed (${ERRNO[answer as Errno]?.[0]}: ${strerror(answer as Errno)})`
        yield* this.#error('error', `${why} while reading response header from upstream`, request.connection, request)
        if (tried.size < upstream.servers.length) continue
        return yield* this.#failure(request, 502, depth)
      } finally {
        sys.close(fd)
      }
    }
  }

  *#plainUpstream(text: string): Task<Upstream | undefined> {
    const [, host = '', port] = /^([^:]+)(?::(\d+))?$/.exec(text) ?? []
    const found = yield* lookupHost(this.#sys, host)
    if (!found.ok) return undefined
    const address = found.value.addresses[0]!
    const upstream: Upstream = {
      name: text,
      servers: [{ address, port: Number(port ?? 80), weight: 1, current: 0, down: false, backup: false }],
    }
    this.#config.upstreams.set(text, upstream)
    return upstream
  }

  *#upstreamAnswer(fd: number, request: Request): Task<Response | 'timeout' | 'closed' | Errno> {
    const sys = this.#sys
    let bytes: Uint8Array = new Uint8Array(0)
    let end = -1
    const more = function* (): Task<'timeout' | 'closed' | Errno | undefined> {
      const got = yield* receiveSome(sys, fd, 65_536, sys.monotonicNs() + PROXY_NS)
      if (got === 'timeout') return 'timeout'
      if (!(got instanceof Uint8Array)) return got.errno
      if (got.length === 0) return 'closed'
      const joined = new Uint8Array(bytes.length + got.length)
      joined.set(bytes)
      joined.set(got, bytes.length)
      bytes = joined
      return undefined
    }
    while (end < 0) {
      const failed = yield* more()
      if (failed !== undefined) return failed
      end = headEnd(bytes)
      if (end < 0 && bytes.length > UPSTREAM_HEAD_MAX) return 'closed'
    }
    const lines = Array.from(bytes.subarray(0, end), (byte) => String.fromCharCode(byte))
      .join('')
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
    const status = /^HTTP\/1\.\d (\d{3}) ?(.*)$/.exec(lines[0] ?? '')
    if (!status) return 'closed'
    const fields: [string, string][] = []
    let length: number | undefined
    let chunked = false
    for (const line of lines.slice(1)) {
      const match = /^([^:]+):\s*(.*)$/.exec(line)
      if (!match) continue
      const key = match[1]!.toLowerCase()
      if (key === 'content-length') length = /^\d{1,15}$/.test(match[2]!) ? Number(match[2]) : undefined
      else if (key === 'transfer-encoding') chunked = /chunked/i.test(match[2]!)
      else if (!['connection', 'date', 'server', 'keep-alive', 'x-accel-expires', 'status'].includes(key))
        fields.push([match[1]!, match[2]!])
    }
    const code = Number(status[1])
    const bodyless = request.method === 'HEAD' || code === 204 || code === 304
    if (chunked && !bodyless) {
      const decoder = new ChunkDecoder()
      const pieces = decoder.push(bytes.subarray(end)) ?? []
      let size = 0
      while (!decoder.done && size <= LIMIT_BODY) {
        const got = yield* receiveSome(sys, fd, 65_536, sys.monotonicNs() + PROXY_NS)
        if (!(got instanceof Uint8Array) || got.length === 0) break
        size += got.length
        pieces.push(...(decoder.push(got) ?? []))
      }
      const body = pieces.length === 0 ? new Uint8Array(0) : joined(pieces)
      return { status: code, fields, body, length: body.length, statusLine: `${code} ${status[2]}` }
    }
    while (!bodyless && (length === undefined || bytes.length - end < length) && bytes.length - end <= LIMIT_BODY) {
      const failed = yield* more()
      if (failed !== undefined) break
    }
    const body = bytes.subarray(end, length === undefined ? undefined : end + length)
    return {
      status: code,
      fields,
      body: bodyless ? new Uint8Array(0) : body,
      length: length ?? body.length,
      statusLine: `${code} ${status[2]}`,
    }
  }

  // What goes out.

  *#send(fd: number, request: Request, response: Response): Task<number> {
    const { body, status } = response
    if (request.version === '0.9') {
      yield* sendWhole(this.#sys, fd, body)
      return body.length
    }
    const chunked = response.statusLine === 'chunked' && request.version === '1.1'
    const line =
      response.statusLine !== undefined && response.statusLine !== 'chunked' ? response.statusLine : statusLine(status)
    let head = `HTTP/1.1 ${line}\r\nServer: ${request.location.tokens ? VERSION : 'nginx'}\r\nDate: ${httpDate(this.#sys.realtime().s)}\r\n`
    const fields = [...response.fields]
    const take = (name: string) => {
      const at = fields.findIndex(([own]) => own.toLowerCase() === name)
      return at < 0 ? undefined : fields.splice(at, 1)[0]
    }
    const type = take('content-type')
    if (type) head += `Content-Type: ${type[1]}\r\n`
    const bodyless = status === 304 || status === 204
    if (chunked) head += 'Transfer-Encoding: chunked\r\n'
    else if (!bodyless && response.statusLine !== 'chunked')
      head += `Content-Length: ${response.length ?? body.length}\r\n`
    const proxied = response.statusLine !== undefined && response.statusLine !== 'chunked'
    const modified = proxied ? undefined : take('last-modified')
    if (modified) head += `Last-Modified: ${modified[1]}\r\n`
    if (response.statusLine === 'chunked' && !chunked) request.keep = false
    head += `Connection: ${request.keep ? 'keep-alive' : 'close'}\r\n`
    const tag = proxied ? undefined : take('etag')
    if (tag) head += `ETag: ${tag[1]}\r\n`
    const location = proxied ? undefined : take('location')
    if (location) head += `Location: ${location[1]}\r\n`
    const tail = fields.filter(([name]) => /^(accept-ranges|content-range)$/i.test(name))
    for (const [name, value] of fields) if (!tail.some(([own]) => own === name)) head += `${name}: ${value}\r\n`
    for (const { name, value, always } of request.location.headers) {
      if (always || ADDED.includes(status)) head += `${name}: ${this.#fill(value, request, undefined)}\r\n`
    }
    for (const [name, value] of tail) head += `${name}: ${value}\r\n`
    head += '\r\n'
    let payload = request.method === 'HEAD' || bodyless ? new Uint8Array(0) : body
    const shown = payload.length
    if (chunked && payload.length > 0) {
      const size = encodeLatin1(`${payload.length.toString(16)}\r\n`)
      const ending = encodeLatin1('\r\n0\r\n\r\n')
      const whole = new Uint8Array(size.length + payload.length + ending.length)
      whole.set(size)
      whole.set(payload, size.length)
      whole.set(ending, size.length + payload.length)
      payload = whole
    }
    const headBytes = encodeLatin1(head)
    if (response.separate) {
      yield* sendWhole(this.#sys, fd, headBytes)
      yield* sendWhole(this.#sys, fd, payload)
    } else {
      const whole = new Uint8Array(headBytes.length + payload.length)
      whole.set(headBytes)
      whole.set(payload, headBytes.length)
      yield* sendWhole(this.#sys, fd, whole)
    }
    return chunked ? payload.length : shown
  }

  *#access(request: Request, response: Response, sent: number): Task<void> {
    const { accessLog } = request.location
    if (accessLog === undefined) return
    const [path = '', name = 'combined'] = accessLog.split(' ')
    const format = this.#config.formats.get(name)
    if (format === undefined) return
    let fd = this.#logs.get(path)
    if (fd === undefined) {
      const opened = yield* this.#sys.open(path, 0o2101, 0o644)
      if (!opened.ok) return
      fd = opened.value
      this.#logs.set(path, fd)
    }
    const line = this.#fill(format, request, undefined, { response, sent }, true)
    yield* this.#sys.write(fd, encodeUtf8(`${line}\n`))
  }

  /** Variables in a text. */
  #fill(
    text: string,
    request: Request,
    proxyHost: string | undefined,
    done?: { response: Response; sent: number },
    log = false,
  ): string {
    const field = (name: string) => fieldOf(request.fields, name.replaceAll('_', '-'))
    return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced: string | undefined, plain: string | undefined) => {
      const name = (braced ?? plain)!
      const value = this.#variable(name, request, proxyHost, field, done)
      if (value === null) throw new NotModelled(`nginx: ${whole}`)
      if (!log) return value ?? ''
      if (value === undefined) return '-'
      return value.replace(
        /["\\\x00-\x1f\x7f-\xff]/g,
        (char) => `\\x${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
      )
    })
  }

  #variable(
    name: string,
    request: Request,
    proxyHost: string | undefined,
    field: (name: string) => string | undefined,
    done: { response: Response; sent: number } | undefined,
  ): string | undefined | null {
    const host = field('host')?.replace(/:\d+$/, '').toLowerCase() ?? request.server.names[0] ?? ''
    const { s, ns } = this.#sys.realtime()
    switch (name) {
      case 'remote_addr':
        return request.client
      case 'remote_port':
        return String(request.clientPort)
      case 'remote_user':
        return undefined
      case 'time_local':
        return formatTime('%d/%b/%Y:%H:%M:%S +0000', s)
      case 'time_iso8601':
        return formatTime('%Y-%m-%dT%H:%M:%S+00:00', s)
      case 'msec':
        return `${s}.${String(Math.floor(ns / 1e6)).padStart(3, '0')}`
      case 'request':
        return request.line
      case 'request_method':
        return request.method
      case 'request_uri':
        return request.target
      case 'uri':
      case 'document_uri':
        return request.path
      case 'args':
      case 'query_string':
        return request.args ?? ''
      case 'is_args':
        return request.args === undefined ? '' : '?'
      case 'host':
        return host
      case 'hostname':
        return this.#sys.hostname
      case 'scheme':
        return 'http'
      case 'server_name':
        return request.server.names[0] ?? ''
      case 'server_port':
        return String(request.server.listens[0]!.port)
      case 'server_protocol':
        return `HTTP/${request.version}`
      case 'nginx_version':
        return '1.22.1'
      case 'document_root':
        return request.location.root
      case 'content_type':
        return field('content-type') ?? ''
      case 'content_length':
        return field('content-length') ?? ''
      case 'proxy_host':
        return proxyHost ?? ''
      case 'proxy_add_x_forwarded_for': {
        const before = field('x-forwarded-for')
        return before === undefined ? request.client : `${before}, ${request.client}`
      }
      case 'connection':
        return String(request.connection)
      case 'status':
        return done ? String(done.response.status).padStart(3, '0') : ''
      case 'body_bytes_sent':
        return done ? String(done.sent) : '0'
      case 'bytes_sent':
      case 'request_time':
      case 'upstream_addr':
      case 'upstream_response_time':
        return null
      default: {
        const header = /^http_(\w+)$/.exec(name)
        if (header) return field(header[1]!)
        const argument = /^arg_(\w+)$/.exec(name)
        if (argument)
          return new Map(
            (request.args ?? '').split('&').map((pair) => [pair.split('=')[0]!, pair.split('=').slice(1).join('=')]),
          ).get(argument[1]!)
        return null
      }
    }
  }
}

/** A head ends at its empty line; one of HTTP/0.9 with its first. */
function requestEnd(bytes: Uint8Array): number {
  const newline = bytes.indexOf(10)
  if (newline < 0) return -1
  const first = Array.from(bytes.subarray(0, newline), (byte) => String.fromCharCode(byte)).join('')
  // What isn't a request with a version is answered without waiting for more.
  if (!/ HTTP\/\d/.test(first)) return newline + 1
  return headEnd(bytes)
}

function statusLine(status: number): string {
  const reason = reasonOf(status)
  if (status === 302) return '302 Moved Temporarily'
  return reason === undefined ? String(status) : `${status} ${reason}`
}

/** Without dots and doubled slashes; undefined if it leads out. */
function normalize(path: string): string | undefined {
  const names: string[] = []
  const parts = path.split('/')
  let slash = path.endsWith('/')
  for (const part of parts) {
    if (part === '..') {
      if (names.length === 0) return undefined
      names.pop()
    } else if (part !== '' && part !== '.') names.push(part)
  }
  const last = parts.at(-1)
  if (last === '.' || last === '..') slash = true
  return `/${names.join('/')}${slash && names.length > 0 ? '/' : ''}`
}

/** Which location is a path's: exact, then the longest prefix unless a regular expression fits. */
function locate(server: ServerBlock, path: string): Location {
  const exact = server.locations.find(({ kind, pattern }) => kind === 'exact' && pattern === path)
  if (exact) return exact
  let best: Location | undefined
  for (const one of server.locations) {
    if (
      (one.kind === 'prefix' || one.kind === 'first') &&
      path.startsWith(one.pattern) &&
      one.pattern.length > (best?.pattern.length ?? -1)
    )
      best = one
  }
  if (best?.kind === 'first') return best
  const regex = server.locations.find(({ kind, regex: own }) => kind === 'regex' && own!.test(path))
  return regex ?? best ?? server.base
}

function allowed(location: Location, client: string): boolean {
  for (const { allow, from } of location.access) {
    if (from === 'all' || from === client) return allow
    const [net, bits] = from.split('/')
    if (bits === undefined) continue
    const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    const size = 2 ** (32 - Number(bits))
    if (Math.floor(number(net!) / size) === Math.floor(number(client) / size)) return allow
  }
  return true
}

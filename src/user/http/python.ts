/** `python3 -m http.server`, and nothing else of Python. CPython 3.11 Lib/http/server.py, Lib/socketserver.py */
import { decodeUtf8, encodeLatin1, encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, O_RDONLY, POLLIN, type Stat, type Sys, strerror } from '#kernel/core'
import { fileTime } from '#user/coreutils'
import {
  addressOf,
  formatAddress,
  gaiStrerror,
  lookupHost,
  receiveSome,
  Stdio,
  sendWhole,
  type Task,
  Tasks,
  withPort,
} from '#user/libc'
import { formatTime } from '#user/shell'
import { escapeHtml, type Field, fieldOf, httpDate, parseHttpDate, percentDecode, percentEncode } from './message.ts'

const SERVER = 'SimpleHTTP/0.6 Python/3.11.2'
/** rfile's buffer, and the longest line. */
const READ_SIZE = 8192
const LINE_MAX = 65_536
const HEADERS_MAX = 100
const COPY_SIZE = 65_536
/** An interpreter takes its time: between a head and its body, and until a connection's thread is done. Seen on Debian's kernel. */
const STEP_NS = 300_000
const CLOSE_NS = 3_000_000

const USAGE = `usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]
`
const HELP = `${USAGE}
positional arguments:
  port                  bind to this port (default: 8000)

options:
  -h, --help            show this help message and exit
  --cgi                 run as CGI server
  -b ADDRESS, --bind ADDRESS
                        bind to this address (default: all interfaces)
  -d DIRECTORY, --directory DIRECTORY
                        serve this directory (default: current directory)
  -p VERSION, --protocol VERSION
                        conform to this HTTP version (default: HTTP/1.0)
`

const STATUS: Record<number, [string, string]> = {
  200: ['OK', 'Request fulfilled, document follows'],
  301: ['Moved Permanently', 'Object moved permanently -- see URI list'],
  304: ['Not Modified', 'Document has not changed since given time'],
  400: ['Bad Request', 'Bad request syntax or unsupported method'],
  404: ['Not Found', 'Nothing matches the given URI'],
  408: ['Request Timeout', 'Request timed out; try again later.'],
  414: ['Request-URI Too Long', 'URI is too long'],
  417: ['Expectation Failed', 'Expect condition could not be satisfied'],
  431: [
    'Request Header Fields Too Large',
    'The server is unwilling to process the request because its header fields are too large',
  ],
  501: ['Not Implemented', 'Server does not support this operation'],
  505: ['HTTP Version Not Supported', 'Cannot fulfill request'],
}

/** mimetypes.guess_type, for what people serve; by the last suffix. */
const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.gif': 'image/gif',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.ico': 'image/vnd.microsoft.icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.py': 'text/x-python',
  '.sh': 'application/x-sh',
  '.svg': 'image/svg+xml',
  '.tar': 'application/x-tar',
  '.txt': 'text/plain',
  '.wasm': 'application/wasm',
  '.xml': 'text/xml',
  '.zip': 'application/zip',
  '.gz': 'application/gzip',
  '.Z': 'application/octet-stream',
  '.bz2': 'application/x-bzip2',
  '.xz': 'application/x-xz',
  '.c': 'text/plain',
  '.h': 'text/plain',
  '.bat': 'text/plain',
  '.ksh': 'text/plain',
  '.pl': 'text/plain',
}

export function python3(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'python3')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const words = argv.slice(1)
  while (words[0] === '-u') words.shift()
  if (words[0] === '--version' || words[0] === '-V') {
    io.print('Python 3.11.2\n')
    return 0
  }
  if (words[0] !== '-m' || words[1] !== 'http.server') throw new NotModelled('python3 other than -m http.server')
  let port = 8000
  let bind: string | undefined
  let directory = sys.getcwd()
  let protocol = 'HTTP/1.0'
  const usage = (text: string) => {
    io.error(`${USAGE}server.py: error: ${text}\n`)
    return 2
  }
  const rest = words.slice(2)
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!
    const [, long, value] = /^(--\w+)=(.*)$/s.exec(word) ?? []
    const option = long ?? word
    const argument = () => value ?? rest[++i]
    if (option === '-h' || option === '--help') {
      io.print(HELP)
      return 0
    }
    if (option === '--cgi') throw new NotModelled('python3 -m http.server --cgi')
    if (['-b', '--bind', '-d', '--directory', '-p', '--protocol'].includes(option)) {
      const got = argument()
      if (got === undefined) return usage(`argument ${option}: expected one argument`)
      if (option === '-b' || option === '--bind') bind = got
      else if (option === '-d' || option === '--directory') directory = got
      else protocol = got
    } else if (/^\d+$/.test(word)) port = Number(word)
    else if (word.startsWith('-')) return usage(`unrecognized arguments: ${word}`)
    else return usage(`argument port: invalid int value: '${word}'`)
  }
  if (!directory.startsWith('/')) directory = `${sys.getcwd().replace(/\/$/, '')}/${directory}`
  const found = yield* lookupHost(sys, bind ?? '0.0.0.0')
  if (!found.ok) {
    io.error(`Traceback (most recent call last):\nsocket.gaierror: [Errno -2] ${gaiStrerror(found.error)}\n`)
    return 1
  }
  const address = found.value.addresses[0]!
  const made = sys.socket(address.family, 'SOCK_STREAM', 0)
  if (!made.ok) throw new NotModelled(`python3 without sockets: ${made.errno}`)
  const fd = made.value
  sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
  const bound = sys.bind(fd, withPort(address, port))
  const listening = bound.ok ? sys.listen(fd, 5) : bound
  if (!listening.ok) {
    // The last line of the traceback; those before it name Python's own files.
    io.error(
      `OSError: [Errno 98] ${strerror(listening.errno)}\n`.replace(
        '98',
        listening.errno === 'EADDRINUSE' ? '98' : '99',
      ),
    )
    return 1
  }
  const own = sys.getsockname(fd)
  const name = own.ok ? addressOf(own.value)! : { address, port }
  const text = formatAddress(name.address)
  const inUrl = name.address.family === 'AF_INET6' ? `[${text}]` : text
  io.print(`Serving HTTP on ${text} port ${name.port} (http://${inUrl}:${name.port}/) ...\n`)
  yield* io.settle()
  sys.sigaction('SIGPIPE', 'ignore')
  let interrupted = false
  sys.sigaction('SIGINT', () => {
    interrupted = true
  })
  const tasks = new Tasks(sys)
  sys.setNonBlocking(fd, true)
  tasks.spawn(
    (function* (): Task<void> {
      for (;;) {
        const accepted = yield* sys.accept(fd)
        if (accepted.ok)
          tasks.spawn(new Handler(sys, io, accepted.value.fd, directory, protocol, accepted.value.from).run())
        else yield { fd, events: POLLIN, untilNs: Number.POSITIVE_INFINITY }
      }
    })(),
  )
  yield* tasks.run(() => interrupted)
  io.print('\nKeyboard interrupt received, exiting.\n')
  return 0
}

/** One connection. */
class Handler {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #fd: number
  readonly #directory: string
  readonly #protocol: string
  readonly #client: string
  #buffer: Uint8Array = new Uint8Array(0)
  #requestLine = ''
  #command = ''
  #path = ''
  #version = 'HTTP/0.9'
  #fields: Field[] = []
  #close = true
  #head = ''

  constructor(
    sys: Sys,
    io: Stdio,
    fd: number,
    directory: string,
    protocol: string,
    from: Parameters<typeof addressOf>[0],
  ) {
    this.#sys = sys
    this.#io = io
    this.#fd = fd
    this.#directory = directory.replace(/(.)\/+$/, '$1')
    this.#protocol = protocol
    const client = addressOf(from)
    this.#client = client ? formatAddress(client.address) : ''
  }

  *run(): Task<void> {
    do {
      this.#close = true
      yield* this.#one()
    } while (!this.#close)
    yield* this.#sys.compute(CLOSE_NS)
    this.#sys.shutdown(this.#fd, 'WR')
    this.#sys.close(this.#fd)
  }

  /** readline(limit + 1) of a buffered reader; undefined at the end. */
  *#line(): Task<string | undefined> {
    for (;;) {
      const at = this.#buffer.indexOf(10)
      if (at >= 0 || this.#buffer.length > LINE_MAX) {
        const end = at >= 0 ? at + 1 : LINE_MAX + 1
        const line = this.#buffer.subarray(0, end)
        this.#buffer = this.#buffer.subarray(end)
        return Array.from(line, (byte) => String.fromCharCode(byte)).join('')
      }
      const got = yield* receiveSome(this.#sys, this.#fd, READ_SIZE)
      if (!(got instanceof Uint8Array) || got.length === 0) {
        if (this.#buffer.length === 0) return undefined
        const rest = this.#buffer
        this.#buffer = new Uint8Array(0)
        return Array.from(rest, (byte) => String.fromCharCode(byte)).join('')
      }
      const joined = new Uint8Array(this.#buffer.length + got.length)
      joined.set(this.#buffer)
      joined.set(got, this.#buffer.length)
      this.#buffer = joined
    }
  }

  *#one(): Task<void> {
    const line = yield* this.#line()
    if (line === undefined) return
    this.#version = 'HTTP/0.9'
    this.#command = ''
    this.#requestLine = ''
    if (line.length > LINE_MAX) return yield* this.#error(414)
    this.#requestLine = line.replace(/[\r\n]+$/, '')
    if (!(yield* this.#parse())) return
    if (this.#command === 'GET' || this.#command === 'HEAD') yield* this.#serve()
    else yield* this.#error(501, `Unsupported method ('${this.#command}')`)
  }

  *#parse(): Task<boolean> {
    const words = this.#requestLine.split(/\s+/).filter((word) => word !== '')
    if (words.length === 0) return false
    if (words.length >= 3) {
      const version = words.at(-1)!
      const match = /^HTTP\/(\d{1,10})\.(\d{1,10})$/.exec(version)
      if (!match) {
        yield* this.#error(400, `Bad request version ('${version}')`)
        return false
      }
      const [major, minor] = [Number(match[1]), Number(match[2])]
      if ((major > 1 || (major === 1 && minor >= 1)) && this.#protocol >= 'HTTP/1.1') this.#close = false
      if (major >= 2) {
        yield* this.#error(505, `Invalid HTTP version (${version.slice(5)})`)
        return false
      }
      this.#version = version
    }
    if (words.length < 2 || words.length > 3) {
      yield* this.#error(400, `Bad request syntax ('${this.#requestLine}')`)
      return false
    }
    this.#command = words[0]!
    this.#path = words[1]!
    if (words.length === 2) {
      this.#close = true
      if (this.#command !== 'GET') {
        yield* this.#error(400, `Bad HTTP/0.9 request type ('${this.#command}')`)
        return false
      }
    }
    if (this.#path.startsWith('//')) this.#path = `/${this.#path.replace(/^\/+/, '')}`
    this.#fields = []
    for (;;) {
      const line = yield* this.#line()
      if (line === undefined || /^\r?\n?$/.test(line)) break
      if (line.length > LINE_MAX) {
        yield* this.#error(431, 'Line too long')
        return false
      }
      if (this.#fields.length >= HEADERS_MAX) {
        yield* this.#error(431, 'Too many headers')
        return false
      }
      const match = /^([^:]+):\s*(.*?)\s*$/s.exec(line)
      if (match) this.#fields.push({ name: match[1]!, value: match[2]! })
    }
    const connection = (fieldOf(this.#fields, 'connection') ?? '').toLowerCase()
    if (connection === 'close') this.#close = true
    else if (connection === 'keep-alive' && this.#protocol >= 'HTTP/1.1') this.#close = false
    const expect = (fieldOf(this.#fields, 'expect') ?? '').toLowerCase()
    if (expect === '100-continue' && this.#protocol >= 'HTTP/1.1' && this.#version >= 'HTTP/1.1') {
      yield* sendWhole(this.#sys, this.#fd, encodeLatin1(`${this.#protocol} 100 Continue\r\n\r\n`))
    }
    return true
  }

  *#log(text: string): Task<void> {
    const stamp = formatTime('%d/%b/%Y %H:%M:%S', this.#sys.realtime().s)
    const shown = text.replace(
      /[\x00-\x1f\x7f-\x9f]/g,
      (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    this.#io.error(`${this.#client} - - [${stamp}] ${shown}\n`)
    yield* this.#io.settle()
  }

  /** send_response() up to the date. */
  *#respond(status: number, reason = STATUS[status]![0]): Task<void> {
    yield* this.#log(`"${this.#requestLine}" ${status} -`)
    this.#head = ''
    if (this.#version === 'HTTP/0.9') return
    this.#head = `${this.#protocol} ${status} ${reason}\r\nServer: ${SERVER}\r\nDate: ${httpDate(this.#sys.realtime().s)}\r\n`
  }

  #field(name: string, value: string): void {
    if (this.#version !== 'HTTP/0.9') this.#head += `${name}: ${value}\r\n`
    if (name.toLowerCase() === 'connection') this.#close = value.toLowerCase() === 'close'
  }

  *#endHead(): Task<void> {
    if (this.#version === 'HTTP/0.9') return
    yield* sendWhole(this.#sys, this.#fd, encodeLatin1(`${this.#head}\r\n`))
    yield* this.#sys.compute(STEP_NS)
  }

  *#error(status: number, message?: string): Task<void> {
    const [short, long] = STATUS[status]!
    const text = message ?? short
    yield* this.#log(`code ${status}, message ${text}`)
    yield* this.#respond(status, text)
    this.#field('Connection', 'close')
    let body = new Uint8Array(0)
    if (status >= 200 && status !== 204 && status !== 205 && status !== 304) {
      body = encodeUtf8(`<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: ${status}</p>
        <p>Message: ${escapeHtml(text, false)}.</p>
        <p>Error code explanation: ${status} - ${escapeHtml(long, false)}.</p>
    </body>
</html>
`) as Uint8Array<ArrayBuffer>
      this.#field('Content-Type', 'text/html;charset=utf-8')
      this.#field('Content-Length', String(body.length))
    }
    yield* this.#endHead()
    if (this.#command !== 'HEAD' && body.length > 0) yield* sendWhole(this.#sys, this.#fd, body)
  }

  /** translate_path() */
  #place(): string {
    const path = this.#path.split('?')[0]!.split('#')[0]!
    const slash = path.trimEnd().endsWith('/')
    const names: string[] = []
    for (const name of percentDecode(path).split('/')) {
      if (name === '..') names.pop()
      else if (name !== '' && name !== '.') names.push(name)
    }
    const decoded = names.map((name) => decodeUtf8(encodeLatin1(name)))
    return `${[this.#directory === '/' ? '' : this.#directory, ...decoded].join('/')}${slash ? '/' : ''}` || '/'
  }

  *#serve(): Task<void> {
    const { sys } = { sys: this.#sys }
    let path = this.#place()
    let stat = sys.stat(path)
    if (stat.ok && stat.value.type === 'directory') {
      const [where, query] = [this.#path.split('?')[0]!, this.#path.split('?').slice(1).join('?')]
      if (!where.endsWith('/')) {
        yield* this.#respond(301)
        this.#field('Location', `${where}/${query === '' ? '' : `?${query}`}`)
        this.#field('Content-Length', '0')
        return yield* this.#endHead()
      }
      let index: string | undefined
      for (const name of ['index.html', 'index.htm']) {
        const candidate = `${path}${name}`
        if (index === undefined && sys.stat(candidate).ok) index = candidate
      }
      if (index === undefined) return yield* this.#list(path)
      path = index
      stat = sys.stat(path)
    }
    const opened = path.endsWith('/') ? ({ ok: false } as const) : yield* sys.open(path, O_RDONLY)
    if (!stat.ok || !opened.ok) return yield* this.#error(404, 'File not found')
    yield* this.#file(path, stat.value, opened.value)
    sys.close(opened.value)
  }

  *#file(path: string, stat: Stat, fd: number): Task<void> {
    const modified = fileTime(this.#sys, stat.mtimeNs).s
    const since = fieldOf(this.#fields, 'if-modified-since')
    if (since !== undefined && fieldOf(this.#fields, 'if-none-match') === undefined) {
      const date = parseHttpDate(since)
      if (date !== undefined && modified <= date) {
        yield* this.#respond(304)
        return yield* this.#endHead()
      }
    }
    yield* this.#respond(200)
    const suffix = /\.[^./]+$/.exec(path)?.[0] ?? ''
    this.#field('Content-type', TYPES[suffix] ?? TYPES[suffix.toLowerCase()] ?? 'application/octet-stream')
    this.#field('Content-Length', String(stat.size))
    this.#field('Last-Modified', httpDate(modified))
    yield* this.#endHead()
    if (this.#command === 'HEAD') return
    for (;;) {
      const got = yield* this.#sys.read(fd, COPY_SIZE)
      if (!got.ok || got.value.length === 0) return
      if ((yield* sendWhole(this.#sys, this.#fd, got.value)) !== undefined) return
    }
  }

  *#list(path: string): Task<void> {
    const listed = this.#sys.readdir(path)
    if (!listed.ok) return yield* this.#error(404, 'No permission to list directory')
    const names = [...listed.value].sort((a, b) => {
      const [x, y] = [a.toLowerCase(), b.toLowerCase()]
      return x < y ? -1 : x > y ? 1 : 0
    })
    const shown = decodeUtf8(encodeLatin1(percentDecode(this.#path.split('?')[0]!.split('#')[0]!)))
    const title = `Directory listing for ${escapeHtml(shown, false)}`
    const lines = ['<!DOCTYPE HTML>', '<html lang="en">', '<head>', '<meta charset="utf-8">', `<title>${title}</title>`]
    lines.push('</head>', `<body>\n<h1>${title}</h1>`, '<hr>\n<ul>')
    for (const name of names) {
      const link = this.#sys.lstat(`${path}${name}`)
      const target = this.#sys.stat(`${path}${name}`)
      let [label, href] = [name, name]
      if (target.ok && target.value.type === 'directory') {
        label = `${name}/`
        href = `${name}/`
      }
      if (link.ok && link.value.type === 'symlink') label = `${name}@`
      lines.push(`<li><a href="${percentEncode(encodeUtf8(href), '/_.-~')}">${escapeHtml(label, false)}</a></li>`)
    }
    lines.push('</ul>\n<hr>\n</body>\n</html>\n')
    const body = encodeUtf8(lines.join('\n'))
    yield* this.#respond(200)
    this.#field('Content-type', 'text/html; charset=utf-8')
    this.#field('Content-Length', String(body.length))
    yield* this.#endHead()
    if (this.#command !== 'HEAD') yield* sendWhole(this.#sys, this.#fd, body)
  }
}

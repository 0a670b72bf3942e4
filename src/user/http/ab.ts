/** `ab`, ApacheBench 2.3: so many requests, so many at once, and how long they took. httpd support/ab.c */
import { encodeLatin1 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, ERRNO, type Errno, type Sys, strerror } from '#kernel/core'
import {
  connectWithin,
  Exit,
  gaiStrerror,
  lookupHost,
  receiveSome,
  Stdio,
  sendWhole,
  type Task,
  Tasks,
  withPort,
} from '#user/libc'
import { type Field, fieldOf, headEnd } from './message.ts'

const USAGE = `Usage: ab [options] [http[s]://]hostname[:port]/path
Options are:
    -n requests     Number of requests to perform
    -c concurrency  Number of multiple requests to make at a time
    -t timelimit    Seconds to max. to spend on benchmarking
                    This implies -n 50000
    -s timeout      Seconds to max. wait for each response
                    Default is 30 seconds
    -b windowsize   Size of TCP send/receive buffer, in bytes
    -B address      Address to bind to when making outgoing connections
    -p postfile     File containing data to POST. Remember also to set -T
    -u putfile      File containing data to PUT. Remember also to set -T
    -T content-type Content-type header to use for POST/PUT data, eg.
                    'application/x-www-form-urlencoded'
                    Default is 'text/plain'
    -v verbosity    How much troubleshooting info to print
    -w              Print out results in HTML tables
    -i              Use HEAD instead of GET
    -x attributes   String to insert as table attributes
    -y attributes   String to insert as tr attributes
    -z attributes   String to insert as td or th attributes
    -C attribute    Add cookie, eg. 'Apache=1234'. (repeatable)
    -H attribute    Add Arbitrary header line, eg. 'Accept-Encoding: gzip'
                    Inserted after all normal header lines. (repeatable)
    -A attribute    Add Basic WWW Authentication, the attributes
                    are a colon separated username and password.
    -P attribute    Add Basic Proxy Authentication, the attributes
                    are a colon separated username and password.
    -X proxy:port   Proxyserver and port number to use
    -V              Print version number and exit
    -k              Use HTTP KeepAlive feature
    -d              Do not show percentiles served table.
    -S              Do not show confidence estimators and warnings.
    -q              Do not show progress when doing more than 150 requests
    -l              Accept variable document length (use this for dynamic pages)
    -g filename     Output collected data to gnuplot format file.
    -e filename     Output CSV file with percentages served
    -r              Don't exit on socket receive errors.
    -m method       Method name
    -h              Display usage information (this message)
    -I              Disable TLS Server Name Indication (SNI) extension
    -Z ciphersuite  Specify SSL/TLS cipher suite (See openssl ciphers)
    -f protocol     Specify SSL/TLS protocol
                    (SSL2, TLS1, TLS1.1, TLS1.2, TLS1.3 or ALL)
    -E certfile     Specify optional client certificate chain and private key
`

const BANNER = `This is ApacheBench, Version 2.3 <$Revision$>
Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/
Licensed to The Apache Software Foundation, http://www.apache.org/

`
const BUFFER = 8192
const REQUESTS_MAX = 10_000_000
const BODY_MAX = 2 ** 31

interface AbOptions {
  requests: number
  concurrency: number
  limitS: number
  timeoutS: number
  keepAlive: boolean
  method: string
  body: Uint8Array | undefined
  type: string
  headers: string[]
  cookies: string[]
  auth: string | undefined
  quiet: boolean
  percentiles: boolean
  confidence: boolean
  variable: boolean
  keepGoing: boolean
  source: string | undefined
  verbosity: number
}

/** One request's times, ns. */
interface Sample {
  connect: number
  wait: number
  total: number
}

export function ab(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'ab')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const o: AbOptions = {
    requests: 1,
    concurrency: 1,
    limitS: 0,
    timeoutS: 30,
    keepAlive: false,
    method: 'GET',
    body: undefined,
    type: 'text/plain',
    headers: [],
    cookies: [],
    auth: undefined,
    quiet: false,
    percentiles: true,
    confidence: true,
    variable: false,
    keepGoing: false,
    source: undefined,
    verbosity: 0,
  }
  const usage = (text?: string): never => {
    if (text !== undefined) io.error(`ab: ${text}\n`)
    io.error(USAGE)
    throw new Exit(22)
  }
  const parsed = getopt(argv, 'n:c:t:s:b:T:p:u:v:lrkVhwiIx:y:z:C:H:P:A:g:X:de:SqB:m:Z:f:E:')
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`${message}\n`)
      usage()
    }
    switch (option) {
      case 'n':
        o.requests = Number(value)
        if (!(o.requests > 0)) usage('Invalid number of requests')
        break
      case 'c':
        o.concurrency = Number(value)
        break
      case 't':
        o.limitS = Number(value)
        o.requests = 50_000
        break
      case 's':
        o.timeoutS = Number(value)
        break
      case 'k':
        o.keepAlive = true
        break
      case 'i':
        o.method = 'HEAD'
        break
      case 'm':
        o.method = value
        break
      case 'p':
      case 'u': {
        const opened = yield* sys.open(value)
        if (!opened.ok) {
          io.error(`ab: Could not open POST data file (${value}): ${strerror(opened.errno)}\n`)
          return ERRNO[opened.errno][0]
        }
        const got = yield* sys.read(opened.value, 1 << 24)
        o.body = got.ok ? got.value : new Uint8Array(0)
        o.method = option === 'p' ? 'POST' : 'PUT'
        break
      }
      case 'T':
        o.type = value
        break
      case 'H':
        o.headers.push(value)
        break
      case 'C':
        o.cookies.push(value)
        break
      case 'A':
        o.auth = value
        break
      case 'q':
        o.quiet = true
        break
      case 'd':
        o.percentiles = false
        break
      case 'S':
        o.confidence = false
        break
      case 'l':
        o.variable = true
        break
      case 'r':
        o.keepGoing = true
        break
      case 'B':
        o.source = value
        break
      case 'v':
        o.verbosity = Number(value)
        if (o.verbosity > 0) throw new NotModelled('ab -v')
        break
      case 'V':
        io.print(BANNER.trimEnd() + '\n')
        return 0
      case 'h':
        usage()
        break
      default:
        throw new NotModelled(`ab -${option}`)
    }
  }
  if (parsed.operands.length !== 1) usage('wrong number of arguments')
  const match = /^(?:(https?):\/\/)?([^/:]+|\[[\da-fA-F:]+\])(?::(\d+))?(\/.*)$/.exec(parsed.operands[0]!)
  if (!match) usage('invalid URL')
  if (match![1] === 'https') throw new NotModelled('ab with https: TLS')
  if (o.concurrency < 1 || o.concurrency > 20_000) usage(`Invalid Concurrency [Range 0..20000]`)
  if (o.concurrency > o.requests) usage('Cannot use concurrency level greater than total number of requests')
  if (o.requests > REQUESTS_MAX) usage('Invalid number of requests')
  io.print(BANNER)
  const bench = new Bench(sys, io, o, match![2]!, Number(match![3] ?? 80), match![4]!)
  return yield* bench.run()
}

class Bench {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #o: AbOptions
  readonly #host: string
  readonly #port: number
  readonly #path: string
  readonly #samples: Sample[] = []
  #started = 0
  #done = 0
  #bad = 0
  #badLength = 0
  #badReceive = 0
  #badConnect = 0
  #badException = 0
  #non2xx = 0
  #keptAlive = 0
  #total = 0
  #html = 0
  #sentBytes = 0
  #documentLength = -1
  #server = ''
  #failure: Errno | 'timeout' | undefined
  #interrupted = false

  constructor(sys: Sys, io: Stdio, o: AbOptions, host: string, port: number, path: string) {
    this.#sys = sys
    this.#io = io
    this.#o = o
    this.#host = host
    this.#port = port
    this.#path = path
  }

  *run(): Body<number> {
    const [sys, io, o] = [this.#sys, this.#io, this.#o]
    io.print(`Benchmarking ${this.#host} (be patient)${o.requests > 150 && !o.quiet ? '\n' : '...'}`)
    io.flush()
    yield* io.settle()
    const found = yield* lookupHost(sys, this.#host)
    if (!found.ok) {
      io.error(
        `ab: Could not resolve host ${this.#host}: ${gaiStrerror(found.error)} (670${found.error === 'EAI_AGAIN' ? '003' : '002'})\n`.replace(
          'ab: Could not resolve host',
          'apr_sockaddr_info_get() for',
        ),
      )
      return 1
    }
    sys.sigaction('SIGINT', () => {
      this.#interrupted = true
    })
    sys.sigaction('SIGPIPE', 'ignore')
    const startNs = sys.monotonicNs()
    const endNs = o.limitS > 0 ? startNs + o.limitS * 1e9 : Number.POSITIVE_INFINITY
    const tasks = new Tasks(sys)
    const to = withPort(found.value.addresses[0]!, this.#port)
    for (let i = 0; i < o.concurrency; i++) tasks.spawn(this.#client(to, endNs))
    yield* tasks.run(() => this.#failure !== undefined || this.#interrupted || sys.monotonicNs() >= endNs)
    if (this.#failure !== undefined) {
      io.flush()
      const number = this.#failure === 'timeout' ? 70_007 : ERRNO[this.#failure][0]
      const text = this.#failure === 'timeout' ? 'The timeout specified has expired' : strerror(this.#failure)
      io.error(`${this.#failure === 'timeout' ? 'apr_pollset_poll' : 'apr_socket_recv'}: ${text} (${number})\n`)
      if (this.#done > 0) io.print(`Total of ${this.#done} requests completed\n`)
      return number > 255 ? number & 255 : number
    }
    const tookS = (sys.monotonicNs() - startNs) / 1e9
    if (o.requests > 150 && !o.quiet) io.error(`Finished ${this.#done} requests\n`)
    else io.print('..done\n')
    this.#report(tookS)
    return 0
  }

  #request(): Uint8Array {
    const o = this.#o
    const port = this.#port === 80 ? '' : `:${this.#port}`
    const own = (name: string) => o.headers.some((header) => header.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    let text = `${o.method} ${this.#path} HTTP/1.0\r\n`
    if (o.keepAlive) text += 'Connection: Keep-Alive\r\n'
    if (o.body) text += `Content-length: ${o.body.length}\r\nContent-type: ${o.type}\r\n`
    if (!own('Host')) text += `Host: ${this.#host}${port}\r\n`
    if (!own('User-Agent')) text += 'User-Agent: ApacheBench/2.3\r\n'
    if (!own('Accept')) text += 'Accept: */*\r\n'
    if (o.cookies.length > 0) text += `Cookie: ${o.cookies.join('; ')}\r\n`
    if (o.auth !== undefined) throw new NotModelled('ab -A')
    for (const header of o.headers) text += `${header}\r\n`
    const head = encodeLatin1(`${text}\r\n`)
    if (!o.body) return head
    const whole = new Uint8Array(head.length + o.body.length)
    whole.set(head)
    whole.set(o.body, head.length)
    return whole
  }

  /** One of those at once: request after request. */
  *#client(to: Parameters<Sys['connect']>[1], endNs: number): Task<void> {
    const [sys, o] = [this.#sys, this.#o]
    const request = this.#request()
    let fd = -1
    let connectedNs = 0
    try {
      while (this.#started < o.requests && sys.monotonicNs() < endNs) {
        this.#started++
        let startNs = sys.monotonicNs()
        if (fd < 0) {
          const made = sys.socket(to.family, 'SOCK_STREAM', 0)
          if (!made.ok) {
            this.#failure = made.errno
            return
          }
          fd = made.value
          sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
          const failed = yield* connectWithin(sys, fd, to, startNs + o.timeoutS * 1e9)
          if (failed !== undefined) {
            // The error shows when the connection is read.
            if (!o.keepGoing) {
              this.#failure = failed
              return
            }
            this.#badConnect++
            this.#bad++
            sys.close(fd)
            fd = -1
            continue
          }
          connectedNs = sys.monotonicNs()
        } else {
          startNs = sys.monotonicNs()
          connectedNs = startNs
        }
        const wrong = yield* sendWhole(sys, fd, request, startNs + o.timeoutS * 1e9)
        if (wrong !== undefined && !o.keepGoing) {
          this.#failure = wrong
          return
        }
        this.#sentBytes += request.length
        const kept = yield* this.#answer(fd, startNs, connectedNs)
        if (this.#failure !== undefined) return
        if (!kept) {
          sys.close(fd)
          fd = -1
        }
        const step = Math.max(100, Math.floor(o.requests / 10))
        if (o.requests > 150 && !o.quiet && this.#done % step === 0 && this.#done > 0) {
          this.#io.flush()
          this.#io.error(`Completed ${this.#done} requests\n`)
          yield* this.#io.settle()
        }
      }
    } finally {
      if (fd >= 0) sys.close(fd)
    }
  }

  /** Reads an answer; whether the connection stays. */
  *#answer(fd: number, startNs: number, connectedNs: number): Task<boolean> {
    const [sys, o] = [this.#sys, this.#o]
    let head: Uint8Array = new Uint8Array(0)
    let end = -1
    let waitNs = 0
    let read = 0
    let bodyRead = 0
    let fields: Field[] = []
    let length = -1
    let keep = false
    for (;;) {
      const got = yield* receiveSome(sys, fd, BUFFER, startNs + o.timeoutS * 1e9)
      if (!(got instanceof Uint8Array)) {
        this.#badReceive++
        this.#bad++
        if (!o.keepGoing) this.#failure = got === 'timeout' ? 'timeout' : got.errno
        return false
      }
      if (got.length === 0) {
        if (end < 0) {
          this.#badException++
          this.#bad++
        }
        break
      }
      if (read === 0) waitNs = sys.monotonicNs() - startNs
      read += got.length
      this.#total += got.length
      if (end < 0) {
        const joined = new Uint8Array(head.length + got.length)
        joined.set(head)
        joined.set(got, head.length)
        head = joined
        end = headEnd(head)
        if (end < 0) {
          if (head.length > 65_536) {
            this.#failure = 'EBADMSG'
            return false
          }
          continue
        }
        const lines = Array.from(head.subarray(0, end), (byte) => String.fromCharCode(byte))
          .join('')
          .split('\r\n')
        fields = lines.slice(1).flatMap((line) => {
          const field = /^([^:]+):\s*(.*)$/.exec(line)
          return field ? [{ name: field[1]!, value: field[2]! }] : []
        })
        const status = Number(/^HTTP\/\d\.\d (\d{3})/.exec(lines[0] ?? '')?.[1] ?? 500)
        if (status < 200 || status >= 300) this.#non2xx++
        if (this.#server === '') this.#server = (fieldOf(fields, 'server') ?? '').replace(/[\r\n ].*/s, '')
        const text = fieldOf(fields, 'content-length')
        keep = o.keepAlive && (fieldOf(fields, 'connection') ?? '').toLowerCase().includes('keep-alive')
        length = text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), BODY_MAX) : -1
        if (o.method === 'HEAD') length = 0
        bodyRead = head.length - end
      } else bodyRead += got.length
      if (keep && length >= 0 && bodyRead >= length) break
    }
    if (end < 0) return false
    this.#html += bodyRead
    if (keep) this.#keptAlive++
    if (this.#documentLength < 0) this.#documentLength = bodyRead
    else if (bodyRead !== this.#documentLength && !o.variable) {
      this.#badLength++
      this.#bad++
    }
    this.#done++
    this.#samples.push({
      connect: connectedNs - startNs,
      wait: waitNs - (connectedNs - startNs),
      total: sys.monotonicNs() - startNs,
    })
    return keep
  }

  #report(tookS: number): void {
    const [io, o] = [this.#io, this.#o]
    const row = (name: string, value: string) => io.print(`${`${name}:`.padEnd(24)}${value}\n`)
    io.print('\n\n')
    row('Server Software', this.#server)
    row('Server Hostname', this.#host)
    row('Server Port', String(this.#port))
    io.print('\n')
    row('Document Path', this.#path)
    row('Document Length', o.variable ? 'Variable' : `${Math.max(0, this.#documentLength)} bytes`)
    io.print('\n')
    row('Concurrency Level', String(o.concurrency))
    row('Time taken for tests', `${tookS.toFixed(3)} seconds`)
    row('Complete requests', String(this.#done))
    row('Failed requests', String(this.#bad))
    if (this.#bad > 0) {
      io.print(
        `   (Connect: ${this.#badConnect}, Receive: ${this.#badReceive}, Length: ${this.#badLength}, Exceptions: ${this.#badException})\n`,
      )
    }
    if (this.#non2xx > 0) row('Non-2xx responses', String(this.#non2xx))
    if (o.keepAlive) row('Keep-Alive requests', String(this.#keptAlive))
    row('Total transferred', `${this.#total} bytes`)
    if (o.body) row(o.method === 'POST' ? 'Total body sent' : 'Total body sent', String(this.#sentBytes))
    row('HTML transferred', `${this.#html} bytes`)
    if (this.#done > 0 && tookS > 0) {
      row('Requests per second', `${(this.#done / tookS).toFixed(2)} [#/sec] (mean)`)
      row('Time per request', `${((o.concurrency * tookS * 1000) / this.#done).toFixed(3)} [ms] (mean)`)
      row('Time per request', `${((tookS * 1000) / this.#done).toFixed(3)} [ms] (mean, across all concurrent requests)`)
      row('Transfer rate', `${(this.#total / 1024 / tookS).toFixed(2)} [Kbytes/sec] received`)
      if (o.body) {
        io.print(`                        ${(this.#sentBytes / 1024 / tookS).toFixed(2)} kb/s sent\n`)
        io.print(`                        ${((this.#total + this.#sentBytes) / 1024 / tookS).toFixed(2)} kb/s total\n`)
      }
    }
    if (this.#samples.length > 0) this.#times()
  }

  #times(): void {
    const [io, o] = [this.#io, this.#o]
    const columns: [string, number[]][] = [
      ['Connect', this.#samples.map(({ connect }) => connect)],
      ['Processing', this.#samples.map(({ connect, total }) => total - connect)],
      ['Waiting', this.#samples.map(({ wait }) => Math.max(0, wait))],
      ['Total', this.#samples.map(({ total }) => total)],
    ]
    // The tool counts in microseconds and shows milliseconds, rounded to the nearest.
    const ms = (ns: number) => Math.floor((Math.floor(ns / 1000) + 500) / 1000)
    io.print('\nConnection Times (ms)\n')
    io.print(o.confidence ? '              min  mean[+/-sd] median   max\n' : '              min   avg   max\n')
    for (const [name, values] of columns) {
      const sorted = [...values].sort((a, b) => a - b)
      const mean = values.reduce((sum, value) => sum + Math.floor(value / 1000), 0) / values.length
      const squares = values.reduce((sum, value) => sum + (Math.floor(value / 1000) - mean) ** 2, 0)
      const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) / 1000 : 0
      const half = Math.floor(values.length / 2)
      const median =
        values.length > 1 && values.length % 2 === 0 ? (sorted[half]! + sorted[half - 1]!) / 2 : sorted[half]!
      const whole = (ns: number) => String(ms(ns))
      if (!o.confidence) {
        io.print(
          `${`${name}:`.padEnd(11)} ${whole(sorted[0]!).padStart(5)} ${whole(mean * 1000).padStart(5)} ${whole(sorted.at(-1)!).padStart(5)}\n`,
        )
        continue
      }
      io.print(
        `${`${name}:`.padEnd(11)} ${whole(sorted[0]!).padStart(5)} ${whole(mean * 1000).padStart(4)} ${deviation.toFixed(1).padStart(5)} ` +
          `${whole(median).padStart(6)} ${whole(sorted.at(-1)!).padStart(7)}\n`,
      )
    }
    if (!o.percentiles || this.#samples.length < 2) return
    const totals = this.#samples.map(({ total }) => total).sort((a, b) => a - b)
    io.print('\nPercentage of the requests served within a certain time (ms)\n')
    for (const percent of [50, 66, 75, 80, 90, 95, 98, 99, 100]) {
      const at = percent === 100 ? totals.length - 1 : Math.floor((totals.length * percent) / 100)
      const text = String(ms(totals[Math.min(at, totals.length - 1)]!)).padStart(5)
      io.print(percent === 100 ? ` 100%  ${text} (longest request)\n` : `  ${percent}%  ${text}\n`)
    }
  }
}

/** `wrk` 4.1: as many requests as go in a time, over connections that stay. wrk.c, stats.c, units.c */
import { encodeLatin1 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'
import {
  connectWithin,
  gaiStrerror,
  lookupHost,
  receiveSome,
  Stdio,
  sendWhole,
  type Task,
  Tasks,
  withPort,
} from '#user/libc'
import { ChunkDecoder, type Field, fieldOf, headEnd } from './message.ts'

const USAGE = `Usage: wrk <options> <url>                            
  Options:                                            
    -c, --connections <N>  Connections to keep open   
    -d, --duration    <T>  Duration of test           
    -t, --threads     <N>  Number of threads to use   
                                                      
    -s, --script      <S>  Load Lua script file       
    -H, --header      <H>  Add header to request      
        --latency          Print latency statistics   
        --timeout     <T>  Socket/request timeout     
    -v, --version          Print version details      
                                                      
  Numeric arguments may include a SI unit (1k, 1M, 1G)
  Time arguments may include a time unit (2s, 2m, 2h)
`
const SAMPLE_NS = 100e6

export function wrk(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'wrk')
  return io.run(main(sys, io, argv))
}

function units(text: string, scale: Record<string, number>): number | undefined {
  const match = /^(\d+)([a-zA-Z]?)$/.exec(text)
  if (!match) return undefined
  const factor = scale[match[2]!.toLowerCase()]
  return factor === undefined ? undefined : Number(match[1]) * factor
}

const SI = { '': 1, k: 1e3, m: 1e6, g: 1e9 }
const TIME = { '': 1, s: 1, m: 60, h: 3600 }

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  let [connections, durationS, threads, latency, timeoutS] = [10, 10, 2, false, 2]
  const headers: string[] = []
  const usage = () => {
    io.print(USAGE)
    return 1
  }
  const parsed = getopt(argv, 't:c:d:s:H:T:Lrv?', [
    { name: 'connections', argument: 'required' },
    { name: 'duration', argument: 'required' },
    { name: 'threads', argument: 'required' },
    { name: 'script', argument: 'required' },
    { name: 'header', argument: 'required' },
    { name: 'latency', argument: 'none' },
    { name: 'timeout', argument: 'required' },
    { name: 'help', argument: 'none' },
    { name: 'version', argument: 'none' },
  ])
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`${message}\n`)
      return usage()
    }
    const name = option.replace(/^--/, '')
    const count = units(value, SI)
    const time = units(value, TIME)
    if (name === 'c' || name === 'connections') {
      if (count === undefined) return usage()
      connections = count
    } else if (name === 't' || name === 'threads') {
      if (count === undefined) return usage()
      threads = count
    } else if (name === 'd' || name === 'duration') {
      if (time === undefined) return usage()
      durationS = time
    } else if (name === 'T' || name === 'timeout') {
      if (time === undefined) return usage()
      timeoutS = time
    } else if (name === 'H' || name === 'header') headers.push(value)
    else if (name === 'L' || name === 'latency') latency = true
    else if (name === 'v' || name === 'version') {
      io.print('wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\n')
      return usage()
    } else if (name === 's' || name === 'script') throw new NotModelled('wrk -s: Lua')
    else return usage()
  }
  const [url] = parsed.operands
  if (url === undefined || threads < 1 || durationS < 1) return usage()
  const match = /^(https?):\/\/([^/:]+)(?::(\d+))?(\/.*)?$/.exec(url)
  if (!match) {
    io.error(`invalid URL: ${url}\n`)
    return usage()
  }
  if (match[1] === 'https') throw new NotModelled('wrk with https: TLS')
  if (connections < threads) {
    io.error('number of connections must be >= threads\n')
    return usage()
  }
  const port = Number(match[3] ?? 80)
  const host = match[2]!
  const found = yield* lookupHost(sys, host)
  if (!found.ok) {
    io.error(`unable to resolve ${host}:${match[3] ?? 'http'} ${gaiStrerror(found.error)}\n`)
    return 1
  }
  const to = withPort(found.value.addresses[0]!, port)
  const probe = sys.socket(to.family, 'SOCK_STREAM', 0)
  const tried = probe.ok ? yield* sys.connect(probe.value, to) : probe
  if (probe.ok) sys.close(probe.value)
  if (!tried.ok) {
    io.error(`unable to connect to ${host}:${match[3] ?? 'http'} ${strerror(tried.errno)}\n`)
    return 1
  }
  io.print(`Running ${timeText(durationS)} test @ ${url}\n  ${threads} threads and ${connections} connections\n`)
  io.flush()
  yield* io.settle()
  const load = new Load(sys, to, timeoutS)
  const hostField = headers.some((header) => /^host:/i.test(header))
    ? ''
    : `Host: ${host}${match[3] === undefined ? '' : `:${port}`}\r\n`
  const own = headers.map((header) => `${header.replace(/:\s*/, ': ')}\r\n`).join('')
  const request = encodeLatin1(`GET ${match[4] ?? '/'} HTTP/1.1\r\n${hostField}${own}\r\n`)
  const perThread = Math.floor(connections / threads)
  yield* load.run(request, threads, perThread, durationS)
  report(io, load, latency)
  return 0
}

class Load {
  readonly #sys: Sys
  readonly #to: Parameters<Sys['connect']>[1]
  readonly #timeoutS: number
  readonly latencies: number[] = []
  readonly rates: number[] = []
  requests = 0
  bytes = 0
  tookS = 0
  errors = { connect: 0, read: 0, write: 0, timeout: 0, status: 0 }

  constructor(sys: Sys, to: Parameters<Sys['connect']>[1], timeoutS: number) {
    this.#sys = sys
    this.#to = to
    this.#timeoutS = timeoutS
  }

  *run(request: Uint8Array, threads: number, each: number, durationS: number): Body<void> {
    const sys = this.#sys
    const startNs = sys.monotonicNs()
    const endNs = startNs + durationS * 1e9
    let interrupted = false
    sys.sigaction('SIGINT', () => {
      interrupted = true
    })
    sys.sigaction('SIGPIPE', 'ignore')
    const tasks = new Tasks(sys)
    const done = () => interrupted || sys.monotonicNs() >= endNs
    for (let i = 0; i < threads; i++) {
      const counter = { done: 0 }
      for (let j = 0; j < each; j++) tasks.spawn(this.#client(request, endNs, counter))
      tasks.spawn(this.#sampler(counter, endNs))
    }
    yield* tasks.run(done)
    this.tookS = (sys.monotonicNs() - startNs) / 1e9
  }

  /** How many a tenth of a second brings, for the rate's spread. */
  *#sampler(counter: { done: number }, endNs: number): Task<void> {
    let lastNs = this.#sys.monotonicNs()
    let last = 0
    while (lastNs < endNs) {
      yield { fd: -1, events: 0, untilNs: Math.min(endNs, lastNs + SAMPLE_NS) }
      const now = this.#sys.monotonicNs()
      if (now - lastNs >= SAMPLE_NS) this.rates.push(((counter.done - last) * 1e9) / (now - lastNs))
      last = counter.done
      lastNs = now
    }
  }

  *#client(request: Uint8Array, endNs: number, counter: { done: number }): Task<void> {
    const sys = this.#sys
    while (sys.monotonicNs() < endNs) {
      const made = sys.socket(this.#to.family, 'SOCK_STREAM', 0)
      if (!made.ok) return
      const fd = made.value
      sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
      try {
        const failed = yield* connectWithin(sys, fd, this.#to, endNs)
        if (failed !== undefined) {
          this.errors.connect++
          yield { fd: -1, events: 0, untilNs: sys.monotonicNs() + 1e6 }
          continue
        }
        let rest: Uint8Array = new Uint8Array(0)
        for (;;) {
          const startNs = sys.monotonicNs()
          if ((yield* sendWhole(sys, fd, request, endNs)) !== undefined) {
            this.errors.write++
            break
          }
          const answer = yield* this.#answer(fd, rest, endNs)
          if (typeof answer === 'string') {
            if (answer !== 'timeout') this.errors.read++
            break
          }
          rest = answer.rest
          const tookNs = sys.monotonicNs() - startNs
          if (tookNs > this.#timeoutS * 1e9) this.errors.timeout++
          this.latencies.push(tookNs)
          this.requests++
          counter.done++
          if (answer.status > 399) this.errors.status++
          if (!answer.keep) break
        }
      } finally {
        sys.close(fd)
      }
    }
  }

  *#answer(
    fd: number,
    early: Uint8Array,
    endNs: number,
  ): Task<{ rest: Uint8Array; keep: boolean; status: number } | 'timeout' | 'closed' | Errno> {
    let bytes = early
    let end = -1
    const more = () => receiveSome(this.#sys, fd, 8192, endNs)
    while (end < 0) {
      const got = yield* more()
      if (got === 'timeout') return got
      if (!(got instanceof Uint8Array)) return got.errno
      if (got.length === 0 || bytes.length > 65_536) return 'closed'
      this.bytes += got.length
      const joined = new Uint8Array(bytes.length + got.length)
      joined.set(bytes)
      joined.set(got, bytes.length)
      bytes = joined
      end = headEnd(bytes)
    }
    const lines = Array.from(bytes.subarray(0, end), (byte) => String.fromCharCode(byte))
      .join('')
      .split('\r\n')
    const status = /^HTTP\/1\.(\d) (\d{3})/.exec(lines[0] ?? '')
    if (!status) return 'closed'
    const fields: Field[] = lines.slice(1).flatMap((line) => {
      const field = /^([^:]+):\s*(.*)$/.exec(line)
      return field ? [{ name: field[1]!, value: field[2]! }] : []
    })
    const wish = (fieldOf(fields, 'connection') ?? '').toLowerCase()
    const keep = status[1] === '1' ? wish !== 'close' : wish === 'keep-alive'
    const text = fieldOf(fields, 'content-length')
    const chunks =
      (fieldOf(fields, 'transfer-encoding') ?? '').toLowerCase() === 'chunked' ? new ChunkDecoder() : undefined
    let body = bytes.subarray(end)
    let left = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
    for (;;) {
      if (chunks) chunks.push(body)
      else {
        const own = Math.min(left, body.length)
        left -= own
        if (left === 0) return { rest: body.slice(own), keep, status: Number(status[2]) }
      }
      if (chunks?.done) return { rest: new Uint8Array(0), keep, status: Number(status[2]) }
      const got = yield* more()
      if (got === 'timeout') return got
      if (!(got instanceof Uint8Array)) return got.errno
      if (got.length === 0)
        return left === Number.POSITIVE_INFINITY && !chunks
          ? { rest: got, keep: false, status: Number(status[2]) }
          : 'closed'
      this.bytes += got.length
      body = got
    }
  }
}

// How wrk writes numbers.

function scaled(value: number, steps: [number, string][], base: string, precision = 2): string {
  let [amount, unit] = [value, base]
  for (const [size, name] of steps) {
    if (value >= size * 0.85) [amount, unit] = [value / size, name]
  }
  return amount.toFixed(precision) + unit
}

const metric = (value: number) =>
  scaled(
    value,
    [
      [1e3, 'k'],
      [1e6, 'M'],
      [1e9, 'G'],
    ],
    '',
  )
const binary = (value: number) =>
  scaled(
    value,
    [
      [1024, 'KB'],
      [1024 ** 2, 'MB'],
      [1024 ** 3, 'GB'],
    ],
    'B',
  )

function microText(us: number): string {
  if (us >= 1e6 * 0.85) return secondsText(us / 1e6)
  return us >= 850 ? `${(us / 1e3).toFixed(2)}ms` : `${us.toFixed(2)}us`
}

function secondsText(s: number): string {
  if (s >= 3600 * 0.85) return `${(s / 3600).toFixed(2)}h`
  return s >= 51 ? `${(s / 60).toFixed(2)}m` : `${s.toFixed(2)}s`
}

function timeText(s: number): string {
  if (s >= 3600 * 0.85) return `${(s / 3600).toFixed(0)}h`
  return s >= 51 ? `${(s / 60).toFixed(0)}m` : `${s.toFixed(0)}s`
}

function spread(values: readonly number[]): { mean: number; deviation: number; max: number; within: number } {
  if (values.length === 0) return { mean: 0, deviation: 0, max: 0, within: 0 }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0
  const within = values.filter((value) => Math.abs(value - mean) <= deviation).length
  return {
    mean,
    deviation,
    max: values.reduce((most, value) => Math.max(most, value), 0),
    within: (within / values.length) * 100,
  }
}

function report(io: Stdio, load: Load, latency: boolean): void {
  const us = load.latencies.map((ns) => Math.floor(ns / 1000))
  io.print('  Thread Stats   Avg      Stdev     Max   +/- Stdev\n')
  const line = (name: string, values: readonly number[], format: (value: number) => string) => {
    const { mean, deviation, max, within } = spread(values)
    // A unit of one letter leaves a blank behind it.
    const pad = (text: string, width: number) =>
      /[a-zA-Z]{2}$/.test(text)
        ? text.padStart(width)
        : `${text.replace(/[a-zA-Z]$/, '').padStart(width - 2)}${(/[a-zA-Z]$/.exec(text)?.[0] ?? '').padEnd(2)}`
    io.print(
      `    ${name.padEnd(10)}${pad(format(mean), 8)}${pad(format(deviation), 10)}${pad(format(max), 9)}${`${within.toFixed(2)}%`.padStart(8)}\n`,
    )
  }
  line('Latency', us, microText)
  line('Req/Sec', load.rates, metric)
  if (latency) {
    const sorted = [...us].sort((a, b) => a - b)
    io.print('  Latency Distribution\n')
    for (const percent of [50, 75, 90, 99]) {
      const at = Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)
      const text = microText(sorted[at] ?? 0)
      io.print(`${String(percent).padStart(7)}%${(/[a-z]{2}$/.test(text) ? text : `${text} `).padStart(10)}\n`)
    }
  }
  io.print(`  ${load.requests} requests in ${secondsText(load.tookS)}, ${binary(load.bytes)} read\n`)
  const { connect, read, write, timeout, status } = load.errors
  if (connect + read + write + timeout > 0)
    io.print(`  Socket errors: connect ${connect}, read ${read}, write ${write}, timeout ${timeout}\n`)
  if (status > 0) io.print(`  Non-2xx or 3xx responses: ${status}\n`)
  const second = (value: number) => (load.tookS > 0 ? value / load.tookS : 0)
  io.print(
    `Requests/sec: ${second(load.requests).toFixed(2).padStart(9)}\nTransfer/sec: ${binary(second(load.bytes)).padStart(11)}\n`,
  )
}

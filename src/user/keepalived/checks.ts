/**
 * Running the checks, each at its own time: TCP connections, HTTP requests, programs, pings. keepalived 2.2.7 check/check_tcp.c,
 * check/check_http.c, check/check_misc.c, check/check_ping.c
 */
import { md5 } from '@noble/hashes/legacy.js'
import { decodeLatin1, encodeUtf8, formatHex } from '#base/bytes'
import { type Body, type Errno, POLLIN, POLLOUT, SIGNALS, type Sys, type WaitStatus } from '#kernel/core'
import { receiveSome, type Task } from '#user/libc'
import { ipv6Bytes } from '#wire/inet'
import {
  type Checker,
  type Endpoint,
  type HttpUrl,
  type Kind,
  requestText,
  showReal,
  showServer,
} from './check-model.ts'
import type { Pool } from './check-pool.ts'
import type { Log } from './log.ts'
import type { Loop } from './loop.ts'
import { type GlobalConfig, isIpv6 } from './model.ts'
import { SECOND_US } from './numbers.ts'
import { runScript } from './scripts.ts'

/** So that everything runs when the first is due. */
const BOOTSTRAP_US = SECOND_US
/** How much of a page is read at once. */
const BUFFER_LENGTH = 4096
const PING_LENGTH = 128
const FILLER = 'keepalived check - '

/** How a connection went: 'error' is no fault of the server's. */
type Connected = { fd: number } | 'fail' | 'timeout' | 'error' | 'no socket'

type Http = Extract<Kind, { type: 'HTTP' }>
type Misc = Extract<Kind, { type: 'MISC' }>

const FAILURES: Errno[] = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'ENETDOWN',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
]

export class Checks {
  readonly #sys: Sys
  readonly #log: Log
  readonly #loop: Loop
  readonly #pool: Pool
  readonly #console: boolean
  global: GlobalConfig
  #pings = 0

  constructor(parts: { sys: Sys; log: Log; loop: Loop; pool: Pool; console: boolean; global: GlobalConfig }) {
    this.#sys = parts.sys
    this.#log = parts.log
    this.#loop = parts.loop
    this.#pool = parts.pool
    this.#console = parts.console
    this.global = parts.global
  }

  begin(checkers: readonly Checker[]): void {
    if (checkers.some(({ kind }) => kind.type === 'PING')) this.#loop.soon(() => this.#allowPings())
    for (const checker of checkers) {
      const { real, server } = checker
      this.#log.info(`Activating healthchecker for service ${showReal(real, server)} for VS ${showServer(server)}`)
      // Not all at once.
      const warmup = checker.warmupUs! === 0 ? 0 : Math.floor(checker.warmupUs! * this.#random())
      const dueNs = this.#sys.monotonicNs() + (BOOTSTRAP_US + warmup) * 1000
      this.#loop.spawn(this.#runs(checker, dueNs))
    }
    this.#log.info('Activating BFD healthchecker')
  }

  #random(): number {
    const bytes = this.#sys.getrandom(4)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32
  }

  *#runs(checker: Checker, firstNs: number): Task<void> {
    let dueNs = firstNs
    const { kind } = checker
    const state: HttpState = { at: 0, failed: undefined }
    for (;;) {
      yield { fd: -1, events: 0, untilNs: dueNs }
      let delayUs: number
      if (kind.type === 'TCP') delayUs = yield* this.#tcp(checker)
      else if (kind.type === 'HTTP') delayUs = yield* this.#http(checker, kind, state)
      else if (kind.type === 'PING') delayUs = yield* this.#ping(checker)
      else {
        this.#misc(checker, kind)
        return
      }
      dueNs = this.#sys.monotonicNs() + delayUs * 1000
    }
  }

  #wantsAll(checker: Checker): boolean {
    return checker.up && (this.global.checkerLogAllFailures || checker.logAll)
  }

  // Connections.

  *#connect(checker: Checker): Task<Connected> {
    const sys = this.#sys
    const { to, from, device, mark, timeoutUs } = checker.connect!
    const six = isIpv6(to.address)
    const opened = sys.socket(six ? 'AF_INET6' : 'AF_INET', 'SOCK_STREAM', 0)
    if (!opened.ok) return 'no socket'
    const fd = opened.value
    let result: Connected = 'error'
    try {
      sys.setNonBlocking(fd, true)
      if (mark !== 0) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_MARK', mark)
      if (device !== undefined && !sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', device).ok) return 'error'
      if (from) {
        const bound = sys.bind(fd, socketAddress(from))
        if (!bound.ok) {
          this.#log.info(`Checker bind failed: ${bound.errno}`)
          return 'error'
        }
      }
      const begun = yield* sys.connect(fd, socketAddress(to))
      if (!begun.ok && begun.errno !== 'EINPROGRESS') {
        result = FAILURES.includes(begun.errno) ? 'fail' : 'error'
        return result
      }
      const untilNs = sys.monotonicNs() + timeoutUs! * 1000
      const events: number = yield { fd, events: POLLOUT, untilNs }
      if (!events) {
        result = 'timeout'
        return result
      }
      const error = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
      if (error.ok && !error.value) result = { fd }
      else result = error.ok && error.value === 'ETIMEDOUT' ? 'timeout' : 'fail'
      return result
    } finally {
      if (typeof result === 'string') sys.close(fd)
    }
  }

  *#tcp(checker: Checker): Task<number> {
    const connected = yield* this.#connect(checker)
    const shown = shownTarget(checker)
    if (connected === 'error' || connected === 'no socket') {
      const why = connected === 'error' ? 'socket bind failed' : 'connect fail to create socket'
      this.#log.info(`TCP ${why}. Rescheduling.`)
      return checker.delayUs!
    }
    if (typeof connected !== 'string') this.#sys.close(connected.fd)
    else if (this.#wantsAll(checker)) {
      this.#log.info(`TCP connection to ${shown} ${connected === 'timeout' ? 'timeout' : 'failed'}.`)
    }
    const good = typeof connected !== 'string'
    if (!good && checker.tries < checker.retry!) {
      checker.tries++
      checker.hasRun = true
      return checker.retryDelayUs!
    }
    checker.tries = 0
    yield* this.#tell(checker, good, `TCP connection to ${shown} success.`, `TCP_CHECK on service ${shown} failed`)
    checker.hasRun = true
    return checker.delayUs!
  }

  /** If it says anything new. */
  *#tell(checker: Checker, good: boolean, success: string, failure: string): Body<void> {
    if (good ? checker.up && checker.hasRun : !checker.up && checker.hasRun) return
    if (good) this.#log.info(success)
    else {
      const after = checker.retry && checker.hasRun ? ` after ${checker.retry} retries` : ''
      this.#log.info(`${failure}${after}.`)
    }
    yield* this.#pool.checked(checker, good)
  }

  // HTTP.

  *#http(checker: Checker, kind: Http, state: HttpState): Task<number> {
    const shown = shownTarget(checker)
    const url = kind.urls[state.at]!
    const connected = yield* this.#connect(checker)
    if (connected === 'error' || connected === 'no socket') {
      const why =
        connected === 'error' ? 'socket bind failed. Rescheduling' : 'connection fail to create socket. Rescheduling.'
      this.#log.info(`WEB ${why}`)
      return checker.delayUs!
    }
    if (typeof connected === 'string') {
      const why = connected === 'timeout' ? 'Timeout connecting' : 'Connection failed'
      return yield* this.#httpFailed(checker, kind, state, why)
    }
    let failure: string | undefined
    try {
      failure = yield* this.#get(checker, kind, url, connected.fd)
    } finally {
      this.#sys.close(connected.fd)
    }
    if (failure !== undefined) return yield* this.#httpFailed(checker, kind, state, failure)
    if (!checker.up) {
      const what = url.digest === undefined ? 'HTTP status code' : 'MD5 digest'
      this.#log.info(`${what} success to ${shown} url(${url.path})`)
    }
    return yield* this.#httpGood(checker, kind, state)
  }

  /** Asks for the page; why it isn't as it should be. */
  *#get(checker: Checker, kind: Http, url: HttpUrl, fd: number): Task<string | undefined> {
    const sys = this.#sys
    const timeoutNs = checker.connect!.timeoutUs! * 1000
    const sent = yield* sys.sendTo(fd, encodeUtf8(requestOf(checker, kind, url)), undefined, {
      dontWait: true,
      noSignal: true,
    })
    if (!sent.ok) return 'Cannot send get request to'
    const reading: number = yield { fd, events: POLLIN, untilNs: sys.monotonicNs() + timeoutNs }
    if (!reading) return 'Timeout WEB read'
    const parts: Uint8Array[] = []
    for (;;) {
      const got = yield* receiveSome(sys, fd, BUFFER_LENGTH - 1, sys.monotonicNs() + timeoutNs)
      if (got === 'timeout') return 'Timeout HTTP read'
      if ('errno' in got) return 'Read error with'
      if (got.length === 0) break
      parts.push(got)
    }
    const page = readPage(parts)
    if (!page) return 'Read, no data received from '
    if (!url.status.has(page.status)) return 'HTTP status code error to'
    const { length, body } = page
    if (length !== undefined && length !== body.length) {
      if (url.mismatch !== length - body.length) {
        const { real, server } = checker
        this.#log.info(
          `http_check for RS ${showReal(real, server)} VS ${showServer(server)} url ${url.virtualHost ?? ''}${url.path}: content_length (${length}) does not match received bytes (${body.length})`,
        )
        url.mismatch = length - body.length
      }
    } else url.mismatch = 0
    if (url.digest === undefined || formatHex(md5(body.subarray(0, length))) === url.digest) return undefined
    return 'MD5 digest error to'
  }

  *#httpFailed(checker: Checker, kind: Http, state: HttpState, why: string): Body<number> {
    if (checker.up || !checker.hasRun) {
      const shown = shownTarget(checker)
      if (this.global.checkerLogAllFailures || checker.logAll) this.#log.info(`${why} server ${shown}.`)
      checker.hasRun = true
      checker.tries++
      if (checker.tries > checker.retry!) {
        if (checker.up) {
          const after = checker.retry ? ` after ${checker.tries - 1} retries` : ''
          this.#log.info(`HTTP_CHECK on service ${shown} failed${after}.`)
          yield* this.#pool.checked(checker, false)
        }
        state.failed = state.at
      }
    }
    if (kind.fast && !checker.up && state.failed === undefined) return 0
    return state.failed === undefined ? checker.retryDelayUs! : Math.max(checker.retryDelayUs!, checker.delayUs!)
  }

  *#httpGood(checker: Checker, kind: Http, state: HttpState): Body<number> {
    checker.tries = 0
    state.at++
    if (state.failed !== undefined) {
      // The one that failed is well again: all have to be.
      state.failed = undefined
      state.at = 0
    } else if (state.at >= kind.urls.length) {
      if (!checker.up || !checker.hasRun) {
        this.#log.info(`Remote Web server ${shownTarget(checker)} succeed on service.`)
        yield* this.#pool.checked(checker, true)
        checker.hasRun = true
      }
      state.at = 0
    }
    if (!checker.hasRun) checker.tries = checker.retry!
    if (kind.fast && (!checker.hasRun || !checker.up)) return 0
    return checker.delayUs!
  }

  // Programs.

  #misc(checker: Checker, kind: Misc): void {
    const startedNs = this.#sys.monotonicNs()
    const pid = runScript(this.#sys, kind.script!, [], this.#console)
    let state: 'RUNNING' | 'TERM' | 'KILL' = 'RUNNING'
    const ended = function* (this: Checks, status: WaitStatus | 'timeout'): Body<void> {
      if (status === 'timeout') {
        state = state === 'RUNNING' ? 'TERM' : 'KILL'
        this.#sys.kill(-pid, state === 'TERM' ? 'SIGTERM' : 'SIGKILL')
        this.#loop.child(pid, 2 * SECOND_US, ended)
        return
      }
      if (state === 'TERM' && status.signal === 'SIGTERM') this.#sys.kill(-pid, 'SIGKILL')
      yield* this.#miscEnded(checker, kind, status, state !== 'RUNNING')
      const delayUs = checker.tries > 0 ? checker.retryDelayUs! : checker.delayUs!
      const dueNs = Math.max(startedNs + delayUs * 1000, this.#sys.monotonicNs() + 1000)
      this.#loop.spawn(this.#runs(checker, dueNs))
    }.bind(this)
    this.#loop.child(pid, kind.timeoutUs || checker.server.delayUs, ended)
  }

  *#miscEnded(checker: Checker, kind: Misc, status: WaitStatus, killed: boolean): Body<void> {
    const { real, server } = checker
    const exit = status.exit
    if (exit !== undefined && (exit === 0 || (kind.dynamic && exit >= 2))) {
      if (exit !== kind.lastExit) {
        const others = real.effectiveWeight - checker.weight
        checker.weight = exit ? exit - 2 - real.weight! : 0
        yield* this.#pool.changeWeight(others + checker.weight, server, real, true)
        kind.lastExit = exit
      }
      const news = !checker.up || !checker.hasRun
      checker.tries = 0
      if (news) {
        this.#log.info(`${miscLine(checker, kind)} succeeded.`)
        yield* this.#pool.checked(checker, true)
      }
    } else if (checker.up || !checker.hasRun) {
      const timedOut = status.signal !== undefined && killed && /^SIG(TERM|KILL)$/.test(status.signal)
      let last = true
      if (checker.tries < checker.retry!) {
        checker.tries++
        last = false
      } else {
        checker.tries = 0
        if (exit !== undefined) {
          real.effectiveWeight -= checker.weight
          checker.weight = 0
          kind.lastExit = exit
        }
      }
      if (last || this.global.checkerLogAllFailures || checker.logAll) {
        let why = ''
        if (exit !== undefined) why = ` (exited with status ${exit})`
        else if (!timedOut) why = ` (due to signal ${SIGNALS[status.signal!]})`
        this.#log.info(`${miscLine(checker, kind)} ${timedOut ? 'timed out' : 'failed'}${triesText(checker)}${why}.`)
      }
      if (last) {
        yield* this.#pool.checked(checker, false)
        checker.weight = 0
      }
    }
    checker.hasRun = true
  }

  // Pings.

  *#allowPings(): Body<void> {
    const opened = yield* this.#sys.open('/proc/sys/net/ipv4/ping_group_range', 2)
    if (!opened.ok) return
    const read = yield* this.#sys.read(opened.value, 64)
    const [low, high] = read.ok ? decodeLatin1(read.value).trim().split(/\s+/) : []
    if (low !== '0' && high !== undefined) {
      this.#sys.seek(opened.value, 0, 'SET')
      yield* this.#sys.write(opened.value, encodeUtf8(`0\t${high}\t\n`))
    }
    this.#sys.close(opened.value)
  }

  *#ping(checker: Checker): Task<number> {
    const sys = this.#sys
    const { to, timeoutUs } = checker.connect!
    const six = isIpv6(to.address)
    const opened = sys.socket(six ? 'AF_INET6' : 'AF_INET', 'SOCK_DGRAM', six ? 58 : 1)
    if (!opened.ok) {
      this.#log.info(`ICMP${six ? 'v6' : ''} connect fail to create socket. Rescheduling.`)
      return checker.delayUs!
    }
    const fd = opened.value
    let good = false
    try {
      sys.setNonBlocking(fd, true)
      const filler = encodeUtf8(FILLER.repeat(Math.ceil(PING_LENGTH / FILLER.length)).slice(0, PING_LENGTH))
      const echo = new Uint8Array(8 + filler.length)
      echo[0] = six ? 128 : 8
      // Its order of bytes is the host's.
      echo[6] = this.#pings & 0xff
      echo[7] = (this.#pings++ >> 8) & 0xff
      echo.set(filler, 8)
      const sent = yield* sys.sendTo(fd, echo, socketAddress({ address: to.address, port: 0 }))
      if (!sent.ok) this.#log.info(six ? 'send ICMPv6 packet fail - errno 0' : 'send ICMP packet fail')
      else good = yield* this.#pong(checker, fd, six, sys.monotonicNs() + timeoutUs! * 1000)
    } finally {
      sys.close(fd)
    }
    const shown = shownTarget(checker)
    if (!good && !((checker.up || !checker.hasRun) && checker.tries >= checker.retry!)) {
      checker.hasRun = true
      if (!checker.up) return checker.delayUs!
      checker.tries++
      return checker.retryDelayUs!
    }
    checker.tries = 0
    const failure = checker.retry && checker.hasRun ? `${shown} of ${showServer(checker.server)}` : shown
    yield* this.#tell(checker, good, `ICMP connection to ${shown} success.`, `ICMP CHECK on service ${failure} failed`)
    checker.hasRun = true
    return checker.delayUs!
  }

  *#pong(checker: Checker, fd: number, six: boolean, untilNs: number): Task<boolean> {
    const events: number = yield { fd, events: POLLIN, untilNs }
    if (!events) {
      if (this.#wantsAll(checker)) this.#log.info(`ICMP connection to address ${shownTarget(checker)} timeout.`)
      return false
    }
    const got = yield* this.#sys.receive(fd, 8 + PING_LENGTH, { dontWait: true })
    const label = six ? 'ICMPv6' : 'ICMP'
    if (!got.ok) this.#log.info(`recv ${label} packet error`)
    else if (got.value.bytes.length < 8) {
      this.#log.info(`Error, got short ${label} packet, ${got.value.bytes.length} bytes`)
    } else if (got.value.bytes[0] === (six ? 129 : 0)) return true
    else this.#log.info(`Got ${label} packet with type 0x${got.value.bytes[0]!.toString(16)}`)
    if (this.#wantsAll(checker)) {
      this.#log.info(`ICMP connection to ${shownTarget(checker)} of ${showServer(checker.server)} failed.`)
    }
    return false
  }
}

interface HttpState {
  /** Which page is next. */
  at: number
  /** Which one failed. */
  failed: number | undefined
}

/** What a check looks at, as lines have it. */
function shownTarget({ real, server }: Checker): string {
  return showReal(real, server)
}

function socketAddress({ address, port }: Endpoint) {
  if (isIpv6(address)) return { family: 'AF_INET6', address: ipv6Bytes(address), port, scopeId: 0 } as const
  return { family: 'AF_INET', address, port } as const
}

function requestOf(checker: Checker, kind: Http, url: HttpUrl): string {
  const { real, server, connect } = checker
  const named = url.virtualHost ?? kind.virtualHost ?? real.virtualHost ?? server.virtualHost
  return requestText(url.path!, kind.version, named, connect!.to)
}

/** A page in the parts that it came in; undefined: there is no end to its headers. */
export function readPage(
  parts: readonly Uint8Array[],
): { status: number; length: number | undefined; body: Uint8Array } | undefined {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  const text = decodeLatin1(whole)
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const status = /^[^ \r]* (\d{3}) /.exec(text)
  const length = /Content-Length:[ \t]*(\d+)[\r\n]/.exec(text.slice(0, end + 4))
  return {
    status: status ? Number(status[1]) : 0,
    length: length ? Number(length[1]) : undefined,
    body: whole.subarray(end + 4),
  }
}

function miscLine(checker: Checker, kind: Misc): string {
  const { real, server } = checker
  return `Misc check for [${showReal(real, server)} VS ${showServer(server)}] by [${kind.script!.args[0]}]`
}

/** Which try it was. */
function triesText({ retry, tries }: Checker): string {
  const word = retry === 1 ? 'retry' : 'retries'
  if (!retry) return ' with retry disabled'
  if (tries === 1) return `, will do ${retry} ${word}`
  return tries > 1 ? ` on retry ${tries - 1}/${retry}` : ` after ${retry} ${word}`
}

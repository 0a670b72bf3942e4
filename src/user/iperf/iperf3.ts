/** `iperf3` 3.12: its options, its tables, and both ends of its control connection. src/iperf_api.c, iperf_client_api.c, iperf_server_api.c */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, type Errno, POLLIN, type SockAddr, type Sys, strerror } from '#kernel/core'
import {
  addressOf,
  connectWithin,
  Exit,
  formatAddress,
  gaiStrerror,
  lookupHost,
  type NetAddress,
  receiveSome,
  Stdio,
  sendWhole,
  type Task,
  Tasks,
  withPort,
} from '#user/libc'
import { formatTime } from '#user/shell'
import { byteText, formatJson, idText, intervalText, parseAmount, percentText } from './format.ts'
import { HELP } from './help.ts'
import { drainStream, type Interval, receiveStream, type SendPlan, Stream, sendStream } from './stream.ts'

// enum of iperf_api.h
const TEST_START = 1
const TEST_RUNNING = 2
const TEST_END = 4
const PARAM_EXCHANGE = 9
const CREATE_STREAMS = 10
const SERVER_TERMINATE = 11
const CLIENT_TERMINATE = 12
const EXCHANGE_RESULTS = 13
const DISPLAY_RESULTS = 14
const IPERF_DONE = 16
const ACCESS_DENIED = 255
const COOKIE_BYTES = 37
const JSON_MAX = 1 << 20
const STREAMS_MAX = 128
const UDP_CONNECT = Uint8Array.of(0x39, 0x38, 0x37, 0x36)
const UDP_REPLY = Uint8Array.of(0x36, 0x37, 0x38, 0x39)
const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -\n'
const LINE = '-----------------------------------------------------------\n'

interface Options {
  server: boolean
  host: string | undefined
  port: number
  format: string
  intervalS: number
  udp: boolean
  rate: number
  seconds: number
  bytes: number
  blocks: number
  blockBytes: number
  parallel: number
  reverse: boolean
  window: number
  json: boolean
  oneOff: boolean
  daemon: boolean
  noDelay: boolean
  mss: number
  tos: number
  congestion: string | undefined
  bind: string | undefined
  cport: number
  title: string | undefined
  pacingUs: number
  family: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
  connectMs: number
}

/** `iperf3: error - ...` */
class IperfError extends Error {
  override readonly name = 'IperfError'
}

export function iperf3(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'iperf3')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const o = parse(io, argv)
  sys.sigaction('SIGPIPE', 'ignore')
  if (!o.server) return yield* new Client(sys, io, o).run()
  const server = new Server(sys, io, o)
  if (!o.daemon) return yield* server.run()
  sys.fork(function* (child) {
    child.setsid()
    const quiet = yield* child.open('/dev/null', 2)
    if (quiet.ok) for (const fd of [0, 1, 2]) child.dup2(quiet.value, fd)
    const own = new Stdio(child, 'iperf3')
    return yield* own.run(new Server(child, own, o).run())
  })
  return 0
}

function parse(io: Stdio, argv: string[]): Options {
  const o: Options = {
    server: false,
    host: undefined,
    port: 5201,
    format: 'a',
    intervalS: 1,
    udp: false,
    rate: -1,
    seconds: 10,
    bytes: 0,
    blocks: 0,
    blockBytes: 0,
    parallel: 1,
    reverse: false,
    window: 0,
    json: false,
    oneOff: false,
    daemon: false,
    noDelay: false,
    mss: 0,
    tos: 0,
    congestion: undefined,
    bind: undefined,
    cport: 0,
    title: undefined,
    pacingUs: 1000,
    family: 'AF_UNSPEC',
    connectMs: -1,
  }
  const wrong = (text: string): never => {
    io.error(`iperf3: parameter error - ${text}\n\n${HELP}`)
    throw new Exit(1)
  }
  const amount = (text: string, base: number): number => parseAmount(text, base) ?? wrong(`invalid number ${text}`)
  let timed = false
  const long = (name: string, as: string, argument: 'none' | 'required' = 'none') => ({ name, as, argument })
  const parsed = getopt(argv, 'p:f:i:DVJvsc:ub:t:n:k:l:P:Rw:B:M:N46S:L:ZO:F:A:T:C:dI:hX:1', [
    long('port', 'p', 'required'),
    long('format', 'f', 'required'),
    long('interval', 'i', 'required'),
    long('daemon', 'D'),
    long('verbose', 'V'),
    long('json', 'J'),
    long('version', 'v'),
    long('server', 's'),
    long('client', 'c', 'required'),
    long('udp', 'u'),
    long('bitrate', 'b', 'required'),
    long('bandwidth', 'b', 'required'),
    long('time', 't', 'required'),
    long('bytes', 'n', 'required'),
    long('blockcount', 'k', 'required'),
    long('length', 'l', 'required'),
    long('parallel', 'P', 'required'),
    long('reverse', 'R'),
    long('bidir', 'bidir'),
    long('window', 'w', 'required'),
    long('bind', 'B', 'required'),
    long('cport', 'cport', 'required'),
    long('set-mss', 'M', 'required'),
    long('no-delay', 'N'),
    long('version4', '4'),
    long('version6', '6'),
    long('tos', 'S', 'required'),
    long('title', 'T', 'required'),
    long('congestion', 'C', 'required'),
    long('one-off', '1'),
    long('help', 'h'),
    long('omit', 'O', 'required'),
    long('logfile', 'logfile', 'required'),
    long('forceflush', 'forceflush'),
    long('get-server-output', 'get-server-output'),
    long('connect-timeout', 'connect-timeout', 'required'),
    long('pacing-timer', 'pacing-timer', 'required'),
    long('zerocopy', 'Z'),
  ])
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`${message}\n${HELP}`)
      throw new Exit(1)
    }
    switch (option) {
      case 'p':
        o.port = Number(value)
        if (!(o.port >= 1 && o.port <= 65535)) wrong('port number out of range')
        break
      case 'f':
        if (!/^[kmgtKMGT]$/.test(value)) wrong('bad format specifier (valid formats are in the set [kmgtKMGT])')
        o.format = value
        break
      case 'i':
        o.intervalS = Number(value)
        if (o.intervalS !== 0 && !(o.intervalS >= 0.1 && o.intervalS <= 60)) {
          wrong('invalid report interval (min = 0.1, max = 60 seconds)')
        }
        break
      case 'D':
        o.daemon = true
        break
      case 'J':
        o.json = true
        break
      case 'v':
        io.print('iperf 3.12 (cJSON 1.7.15)\n')
        throw new Exit(0)
      case 's':
        o.server = true
        break
      case 'c':
        o.host = value
        break
      case 'u':
        o.udp = true
        break
      case 'b':
        if (value.includes('/')) throw new NotModelled('iperf3 -b with a burst')
        o.rate = amount(value, 1000)
        break
      case 't':
        o.seconds = Number(value)
        timed = true
        if (!(o.seconds >= 0 && o.seconds <= 86400)) wrong('test duration too long (maximum = 86400 seconds)')
        break
      case 'n':
        o.bytes = amount(value, 1024)
        break
      case 'k':
        o.blocks = amount(value, 1024)
        break
      case 'l':
        o.blockBytes = amount(value, 1024)
        break
      case 'P':
        o.parallel = Number(value)
        if (!(o.parallel <= STREAMS_MAX)) wrong(`number of parallel streams too large (maximum = ${STREAMS_MAX})`)
        break
      case 'R':
        o.reverse = true
        break
      case 'w':
        o.window = amount(value, 1024)
        break
      case 'B':
        o.bind = value
        break
      case 'cport':
        o.cport = Number(value)
        break
      case 'M':
        o.mss = Number(value)
        break
      case 'N':
        o.noDelay = true
        break
      case '4':
        o.family = 'AF_INET'
        break
      case '6':
        o.family = 'AF_INET6'
        break
      case 'S':
        o.tos = Number(value)
        break
      case 'T':
        o.title = value
        break
      case 'C':
        o.congestion = value
        break
      case '1':
        o.oneOff = true
        break
      case 'connect-timeout':
        o.connectMs = Number(value)
        break
      case 'pacing-timer':
        o.pacingUs = amount(value, 1000)
        break
      case 'h':
        io.print(HELP)
        throw new Exit(0)
      case 'forceflush':
      case 'Z':
        break
      default:
        throw new NotModelled(`iperf3 -${option.length > 1 ? '-' : ''}${option}`)
    }
  }
  if (o.server && o.host !== undefined) wrong('cannot be both server and client')
  if (!o.server && o.host === undefined) wrong('must either be a client (-c) or server (-s)')
  if (o.rate < 0) o.rate = o.udp ? 1024 * 1024 : 0
  if ((o.bytes > 0 || o.blocks > 0) && timed) wrong('only one test end condition (-t, -n, -k) may be specified')
  if (o.blockBytes > (o.udp ? 65_507 : 1024 * 1024))
    wrong(`block size too large (maximum = ${o.udp ? 65507 : 1048576} bytes)`)
  return o
}

/** What both ends share: the control connection, the streams, the tables. */
abstract class Test {
  readonly sys: Sys
  readonly io: Stdio
  readonly o: Options
  control = -1
  streams: Stream[] = []
  startNs = 0
  protected endedS = 0
  over = false
  interrupted = false
  #reportedS = 0
  #headed = false

  constructor(sys: Sys, io: Stdio, o: Options) {
    this.sys = sys
    this.io = io
    this.o = o
  }

  /** The side whose data it is. */
  abstract readonly sending: boolean

  protected print(text: string): void {
    if (this.o.json && !this.o.server) return
    const { title } = this.o
    this.io.print(title === undefined ? text : text.replace(/^(?=.)/gm, `${title}:  `))
  }

  protected *state(value: number): Task<void> {
    const failed = yield* sendWhole(this.sys, this.control, Uint8Array.of(value))
    if (failed !== undefined)
      throw new IperfError('unable to send control message: ' + (failed === 'timeout' ? 'timed out' : strerror(failed)))
  }

  protected *bytes(length: number): Task<Uint8Array | undefined> {
    const out = new Uint8Array(length)
    let have = 0
    while (have < length) {
      const got = yield* receiveSome(this.sys, this.control, length - have, this.sys.monotonicNs() + 120e9)
      if (!(got instanceof Uint8Array) || got.length === 0) return undefined
      out.set(got, have)
      have += got.length
    }
    return out
  }

  protected *sendJson(value: unknown): Task<void> {
    const text = encodeUtf8(JSON.stringify(value))
    const head = new Uint8Array(4)
    new DataView(head.buffer).setUint32(0, text.length)
    yield* sendWhole(this.sys, this.control, head)
    yield* sendWhole(this.sys, this.control, text)
  }

  protected *receiveJson(): Task<Record<string, unknown>> {
    const head = yield* this.bytes(4)
    const length = head ? new DataView(head.buffer).getUint32(0) : 0
    if (length === 0 || length > JSON_MAX) throw new IperfError('unable to receive parameters from client: ')
    const text = yield* this.bytes(length)
    try {
      const value: unknown = JSON.parse(decodeUtf8(text ?? new Uint8Array(0)))
      if (value !== null && typeof value === 'object') return value as Record<string, unknown>
    } catch {
      // Said below.
    }
    throw new IperfError('unable to receive parameters from client: ')
  }

  protected socketOptions(fd: number): void {
    const { o, sys } = this
    if (o.noDelay) sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
    if (o.mss > 0) sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_MAXSEG', o.mss)
    if (o.tos > 0) sys.setsockopt(fd, 'IPPROTO_IP', 'IP_TOS', o.tos)
    if (o.window > 0) {
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF', o.window)
      sys.setsockopt(fd, 'SOL_SOCKET', 'SO_SNDBUF', o.window)
    }
    if (o.congestion !== undefined && !o.udp) {
      const done = sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_CONGESTION', o.congestion)
      if (!done.ok)
        throw new IperfError(
          'unable to set TCP_CONGESTION: Supplied congestion control algorithm not supported on this host',
        )
    }
  }

  protected connectedLine(stream: Stream): void {
    const own = this.sys.getsockname(stream.fd)
    const peer = this.sys.getpeername(stream.fd)
    const one = own.ok ? addressOf(own.value) : undefined
    const other = peer.ok ? addressOf(peer.value) : undefined
    if (!one || !other) return
    this.print(
      `${idText(stream.id)} local ${formatAddress(one.address)} port ${one.port} connected to ${formatAddress(other.address)} port ${other.port}\n`,
    )
  }

  // Tables.

  protected heading(final = false): void {
    const head = '[ ID] Interval           Transfer     Bitrate'
    if (this.o.udp)
      this.print(`${head}         ${this.sending && !final ? 'Total Datagrams' : 'Jitter    Lost/Total Datagrams'}\n`)
    else if (this.sending || (final && !this.o.server)) this.print(`${head}         Retr${final ? '' : '  Cwnd'}\n`)
    else this.print(`${head}\n`)
  }

  #line(id: number | 'SUM', one: Interval): string {
    const start = intervalText(idText(id), one.fromS, one.toS, one.bytes, this.o.format)
    if (this.o.udp) {
      if (this.sending) return `${start}  ${one.packets}  \n`
      const percent = one.packets > 0 ? percentText((100 * one.lost) / one.packets) : '0'
      return `${start}  ${one.jitterMs.toFixed(3).padStart(5)} ms  ${one.lost}/${one.packets} (${percent}%)  \n`
    }
    if (!this.sending) return `${start}                  \n`
    const retransmits = String(one.retransmits).padStart(3)
    if (id === 'SUM' || !one.info) return `${start}  ${retransmits}             \n`
    return `${start}  ${retransmits}   ${byteText(one.info.sndCwnd * one.info.sndMss)}s       \n`
  }

  /** Once an interval, while it runs. */
  *reporter(untilNs: () => number): Task<void> {
    const { sys, o } = this
    if (o.intervalS === 0) return
    for (let count = 1; !this.over; count++) {
      const at = this.startNs + count * o.intervalS * 1e9
      // The last one is made when the test ends.
      if (at >= untilNs()) return
      yield { fd: -1, events: 0, untilNs: at }
      if (this.over) return
      this.report((sys.monotonicNs() - this.startNs) / 1e9)
      this.io.flush()
      yield* this.io.settle()
    }
  }

  protected restart(): void {
    this.#reportedS = 0
    this.#headed = false
  }

  protected report(nowS: number): void {
    const { streams } = this
    const marks = streams.map((stream) => stream.mark(this.sys, this.#reportedS, nowS))
    const from = this.#reportedS
    this.#reportedS = nowS
    if (this.#headed && streams.length > 1) this.print(RULE)
    if (!this.#headed) this.heading()
    this.#headed = true
    marks.forEach((one, i) => {
      this.print(this.#line(streams[i]!.id, one))
    })
    if (streams.length > 1) this.print(this.#line('SUM', total(marks, from, nowS)))
  }

  /** What is left since the last whole interval. */
  protected lastReport(nowS: number): void {
    const left = nowS - this.#reportedS
    const bytes = this.streams.some(
      (stream) => stream.bytes > stream.intervals.reduce((sum, one) => sum + one.bytes, 0),
    )
    if (!this.#headed || left >= this.o.intervalS * 0.1 || bytes) this.report(nowS)
  }

  protected finalLine(
    id: number | 'SUM',
    seconds: number,
    bytes: number,
    role: 'sender' | 'receiver',
    more: { retransmits?: number; jitterMs?: number; lost?: number; packets?: number },
  ): void {
    const start = intervalText(idText(id), 0, seconds, bytes, this.o.format)
    if (this.o.udp) {
      const { jitterMs = 0, lost = 0, packets = 0 } = more
      const percent = packets > 0 ? percentText((100 * lost) / packets) : '0'
      this.print(`${start}  ${jitterMs.toFixed(3).padStart(5)} ms  ${lost}/${packets} (${percent}%)  ${role}\n`)
    } else if (more.retransmits !== undefined)
      this.print(`${start}  ${String(more.retransmits).padStart(3)}             ${role}\n`)
    else this.print(`${start}                  ${role}\n`)
  }

  protected results(): Record<string, unknown> {
    const { user, system } = this.sys.times()
    const wall = Math.max(1, this.sys.monotonicNs() - this.startNs)
    const percent = (ns: number) => (100 * ns) / wall
    return {
      cpu_util_total: percent(user + system),
      cpu_util_user: percent(user),
      cpu_util_system: percent(system),
      sender_has_retransmits: this.sending && !this.o.udp ? 1 : this.sending ? 0 : -1,
      congestion_used: this.congestion(),
      streams: this.streams.map((stream, i) => ({
        id: i === 0 ? 1 : i + 2,
        bytes: stream.bytes,
        retransmits: this.sending && !this.o.udp ? stream.retransmits : -1,
        jitter: stream.jitter,
        errors: stream.lost,
        packets: stream.packets,
        start_time: 0,
        end_time: this.endedS,
      })),
    }
  }

  protected congestion(): string | undefined {
    const [stream] = this.streams
    if (!stream || this.o.udp) return undefined
    const got = this.sys.getsockopt(stream.fd, 'IPPROTO_TCP', 'TCP_CONGESTION')
    return got.ok ? String(got.value) : undefined
  }

  /** The tasks of the data itself. */
  protected flow(tasks: Tasks, done: () => boolean, finished: () => void): void {
    const { o, sys } = this
    for (const stream of this.streams) {
      if (!this.sending) {
        tasks.spawn(receiveStream(sys, stream, () => this.over))
        continue
      }
      const plan: SendPlan = {
        blockBytes: o.blockBytes,
        rate: o.rate,
        pacingNs: o.pacingUs * 1000,
        startNs: this.startNs,
        done,
      }
      tasks.spawn(
        (function* (): Task<void> {
          yield* sendStream(sys, stream, plan)
          finished()
        })(),
      )
    }
  }

  /** Whether so much is sent as was asked for. */
  protected enough(): boolean {
    const { o } = this
    if (o.bytes > 0) return this.streams.reduce((sum, { bytes }) => sum + bytes, 0) >= o.bytes
    if (o.blocks > 0) return this.streams.reduce((sum, { packets }) => sum + packets, 0) >= o.blocks
    return this.sys.monotonicNs() >= this.startNs + o.seconds * 1e9
  }

  protected closeAll(): void {
    for (const { fd } of this.streams) this.sys.close(fd)
    this.streams = []
    if (this.control >= 0) this.sys.close(this.control)
    this.control = -1
  }
}

function total(marks: readonly Interval[], fromS: number, toS: number): Interval {
  const sum = (of: (one: Interval) => number) => marks.reduce((all, one) => all + of(one), 0)
  return {
    fromS,
    toS,
    bytes: sum(({ bytes }) => bytes),
    retransmits: sum(({ retransmits }) => retransmits),
    info: undefined,
    packets: sum(({ packets }) => packets),
    lost: sum(({ lost }) => lost),
    jitterMs: sum(({ jitterMs }) => jitterMs) / Math.max(1, marks.length),
  }
}

/** The other side's word on its streams; numbers only where there are numbers. */
function theirs(
  results: Record<string, unknown>,
): { bytes: number; retransmits: number; jitterMs: number; lost: number; packets: number; seconds: number }[] {
  const list = Array.isArray(results['streams']) ? results['streams'] : []
  return list.slice(0, STREAMS_MAX).map((one: Record<string, unknown> | null) => {
    const number = (name: string) =>
      typeof one?.[name] === 'number' && Number.isFinite(one[name]) ? (one[name] as number) : 0
    return {
      bytes: number('bytes'),
      retransmits: number('retransmits'),
      jitterMs: number('jitter') * 1000,
      lost: number('errors'),
      packets: number('packets'),
      seconds: number('end_time'),
    }
  })
}

class Client extends Test {
  #cookie = ''
  #address!: NetAddress
  #failed: Error | undefined
  #remote: Record<string, unknown> = {}
  #mss = 0
  #finalStreams: Stream[] = []
  readonly #connected: unknown[] = []
  #congestion: string | undefined = undefined

  get sending(): boolean {
    return !this.o.reverse
  }

  *run(): Body<number> {
    const { sys, io, o } = this
    const letters = 'abcdefghijklmnopqrstuvwxyz234567'
    this.#cookie = Array.from(sys.getrandom(COOKIE_BYTES - 1), (byte: number) => letters[byte % 32]).join('')
    sys.sigaction('SIGINT', () => {
      this.interrupted = true
    })
    const tasks = new Tasks(sys)
    const self = this
    tasks.spawn(
      (function* (): Task<void> {
        try {
          yield* self.#test(tasks)
        } catch (error) {
          self.#failed = error as Error
          self.over = true
        }
      })(),
    )
    let told = false
    yield* tasks.run(() => this.#failed !== undefined || this.over || this.interrupted)
    if (this.interrupted && !this.over) {
      told = true
      const nowS = (sys.monotonicNs() - this.startNs) / 1e9
      if (this.streams.length > 0) {
        this.lastReport(nowS)
        this.print(RULE)
        this.heading(true)
        for (const stream of this.streams) {
          if (this.sending)
            this.finalLine(
              stream.id,
              nowS,
              stream.bytes,
              'sender',
              o.udp ? { packets: stream.packets } : { retransmits: stream.retransmits },
            )
          this.finalLine(stream.id, nowS, this.sending ? 0 : stream.bytes, 'receiver', {})
        }
      }
      yield* sys.sendTo(this.control, Uint8Array.of(CLIENT_TERMINATE), undefined, { noSignal: true })
      io.flush()
      io.error('iperf3: interrupt - the client has terminated\n')
    }
    this.closeAll()
    if (this.#failed instanceof IperfError) {
      io.flush()
      if (o.json)
        io.print(
          `${formatJson({ start: { connected: [], version: 'iperf 3.12' }, intervals: [], end: {}, error: this.#failed.message })}\n`,
        )
      else io.error(`iperf3: error - ${this.#failed.message}\n`)
      return 1
    }
    if (this.#failed) throw this.#failed
    if (told) return 1
    if (o.json) io.print(`${formatJson(this.#json())}\n`)
    else io.print('\niperf Done.\n')
    return 0
  }

  *#socket(type: string, port: number): Task<number> {
    const { sys, o } = this
    const made = sys.socket(this.#address.family, type, 0)
    if (!made.ok) throw new IperfError(`unable to connect to server: ${strerror(made.errno)}`)
    if (o.bind !== undefined || (o.cport > 0 && port === 0)) {
      let source: NetAddress = { family: 'AF_INET', address: 0 }
      if (o.bind !== undefined) {
        const found = yield* lookupHost(sys, o.bind)
        if (found.ok) source = found.value.addresses[0]!
      }
      const bound = sys.bind(made.value, withPort(source, port === 0 ? o.cport : 0))
      if (!bound.ok) throw new IperfError(`unable to connect to server: ${strerror(bound.errno)}`)
    }
    return made.value
  }

  *#test(tasks: Tasks): Task<void> {
    const { sys, o } = this
    const found = yield* lookupHost(sys, o.host!, { family: o.family })
    if (!found.ok) {
      // It says what errno was, which the resolver left there.
      const why = found.error === 'EAI_AGAIN' ? strerror('EAGAIN') : gaiStrerror(found.error)
      throw new IperfError(`unable to connect to server: ${why}`)
    }
    this.#address = found.value.addresses[0]!
    const to = withPort(this.#address, o.port)
    this.control = yield* this.#socket('SOCK_STREAM', -1)
    const limit = o.connectMs > 0 ? sys.monotonicNs() + o.connectMs * 1e6 : Number.POSITIVE_INFINITY
    const failed = yield* connectWithin(sys, this.control, to, limit)
    if (failed !== undefined) {
      throw new IperfError(`unable to connect to server: ${strerror(failed === 'timeout' ? 'EINPROGRESS' : failed)}`)
    }
    const mss = sys.getsockopt(this.control, 'IPPROTO_TCP', 'TCP_MAXSEG')
    this.#mss = mss.ok ? Number(mss.value) : 1460
    sys.setsockopt(this.control, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
    if (o.blockBytes === 0) o.blockBytes = o.udp ? this.#mss : 131_072
    yield* sendWhole(sys, this.control, encodeUtf8(`${this.#cookie}\0`))
    for (;;) {
      const got = yield* this.bytes(1)
      if (!got) throw new IperfError('control socket has closed unexpectedly')
      switch (got[0]) {
        case PARAM_EXCHANGE:
          yield* this.sendJson(this.#parameters())
          break
        case CREATE_STREAMS:
          this.print(`Connecting to host ${o.host}, port ${o.port}\n`)
          if (o.reverse) this.print(`Reverse mode, remote host ${o.host} is sending\n`)
          yield* this.#createStreams(to)
          break
        case TEST_START:
          for (const stream of this.streams) this.connectedLine(stream)
          break
        case TEST_RUNNING:
          this.#begin(tasks)
          break
        case EXCHANGE_RESULTS:
          yield* this.sendJson(this.results())
          this.#remote = yield* this.receiveJson()
          break
        case DISPLAY_RESULTS:
          this.#final()
          yield* this.state(IPERF_DONE)
          this.over = true
          return
        case ACCESS_DENIED:
          throw new IperfError('the server is busy running a test. try again later')
        case SERVER_TERMINATE:
          throw new IperfError('the server has terminated')
        case TEST_END:
          break
        default:
          throw new IperfError('received an unknown control message')
      }
    }
  }

  #parameters(): Record<string, unknown> {
    const { o } = this
    const parameters: Record<string, unknown> = o.udp ? { udp: true } : { tcp: true }
    parameters['omit'] = 0
    parameters['time'] = o.bytes > 0 || o.blocks > 0 ? 0 : o.seconds
    parameters['num'] = o.bytes
    parameters['blockcount'] = o.blocks
    if (o.mss > 0) parameters['MSS'] = o.mss
    if (o.noDelay) parameters['nodelay'] = true
    parameters['parallel'] = o.parallel
    if (o.reverse) parameters['reverse'] = true
    if (o.window > 0) parameters['window'] = o.window
    parameters['len'] = o.blockBytes
    if (o.rate > 0) parameters['bandwidth'] = o.rate
    parameters['pacing_timer'] = o.pacingUs
    if (o.tos > 0) parameters['TOS'] = o.tos
    if (o.congestion !== undefined) parameters['congestion'] = o.congestion
    parameters['client_version'] = '3.12'
    return parameters
  }

  *#createStreams(to: SockAddr): Task<void> {
    const { sys, o } = this
    for (let i = 0; i < o.parallel; i++) {
      const fd = yield* this.#socket(o.udp ? 'SOCK_DGRAM' : 'SOCK_STREAM', i === 0 ? 0 : -1)
      this.socketOptions(fd)
      const failed = yield* connectWithin(sys, fd, to, Number.POSITIVE_INFINITY)
      if (failed !== undefined) throw new IperfError(`unable to connect stream: ${strerror(failed as Errno)}`)
      if (o.udp) {
        yield* sendWhole(sys, fd, UDP_CONNECT)
        const reply = yield* receiveSome(sys, fd, 4, sys.monotonicNs() + 30e9)
        if (!(reply instanceof Uint8Array))
          throw new IperfError(
            `unable to read from stream socket: ${strerror(reply === 'timeout' ? 'EAGAIN' : reply.errno)}`,
          )
      } else yield* sendWhole(sys, fd, encodeUtf8(`${this.#cookie}\0`))
      this.streams.push(new Stream(fd, 5 + 2 * i, this.sending, o.udp))
    }
  }

  #begin(tasks: Tasks): void {
    const { sys, o } = this
    this.startNs = sys.monotonicNs()
    const timed = o.bytes === 0 && o.blocks === 0
    const endNs = timed ? this.startNs + o.seconds * 1e9 : Number.POSITIVE_INFINITY
    let ended = false
    const end = () => {
      if (ended) return
      ended = true
      this.over = false
      this.endedS = (sys.monotonicNs() - this.startNs) / 1e9
      this.lastReport(this.endedS)
      const self = this
      tasks.spawn(
        (function* (): Task<void> {
          self.io.flush()
          yield* self.io.settle()
          yield* self.state(TEST_END)
        })(),
      )
    }
    let running = this.streams.length
    this.flow(
      tasks,
      () => ended || this.enough(),
      () => {
        if (--running === 0) end()
      },
    )
    if (!this.sending) {
      tasks.spawn(
        (function* (): Task<void> {
          yield { fd: -1, events: 0, untilNs: timed ? endNs : Number.MAX_SAFE_INTEGER }
          end()
        })(),
      )
      if (!timed) tasks.spawn(this.#watch(end))
    }
    tasks.spawn(this.#reportUntil(endNs, () => ended))
  }

  /** A receiver that counts bytes looks ten times a second whether there are enough. */
  *#watch(end: () => void): Task<void> {
    while (!this.enough()) yield { fd: -1, events: 0, untilNs: this.sys.monotonicNs() + 1e8 }
    end()
  }

  *#reportUntil(endNs: number, ended: () => boolean): Task<void> {
    const { sys, o } = this
    if (o.intervalS === 0) return
    for (let count = 1; ; count++) {
      const at = this.startNs + count * o.intervalS * 1e9
      if (at >= endNs) return
      yield { fd: -1, events: 0, untilNs: at }
      if (ended()) return
      this.report((sys.monotonicNs() - this.startNs) / 1e9)
      this.io.flush()
      yield* this.io.settle()
    }
  }

  #final(): void {
    const { o } = this
    const remote = theirs(this.#remote)
    this.print(RULE)
    this.heading(true)
    const sums = { sent: 0, received: 0, retransmits: 0, lost: 0, packets: 0, jitterMs: 0 }
    let [sentS, receivedS] = [this.endedS, this.endedS]
    this.streams.forEach((stream, i) => {
      const other = remote[i] ?? { bytes: 0, retransmits: 0, jitterMs: 0, lost: 0, packets: 0, seconds: this.endedS }
      const sender = this.sending
        ? { bytes: stream.bytes, retransmits: stream.retransmits, packets: stream.packets }
        : other
      const receiver = this.sending
        ? other
        : { bytes: stream.bytes, jitterMs: stream.jitter * 1000, lost: stream.lost, packets: stream.packets }
      sentS = this.sending ? this.endedS : other.seconds || this.endedS
      receivedS = this.sending ? other.seconds || this.endedS : this.endedS
      sums.sent += sender.bytes
      sums.received += receiver.bytes
      sums.retransmits += sender.retransmits
      sums.lost += receiver.lost
      sums.packets += sender.packets
      sums.jitterMs += receiver.jitterMs / this.streams.length
      this.finalLine(
        stream.id,
        sentS,
        sender.bytes,
        'sender',
        o.udp ? { packets: sender.packets } : { retransmits: sender.retransmits },
      )
      this.finalLine(
        stream.id,
        receivedS,
        receiver.bytes,
        'receiver',
        o.udp ? { jitterMs: receiver.jitterMs, lost: receiver.lost, packets: receiver.packets } : {},
      )
    })
    if (this.streams.length > 1) {
      this.finalLine(
        'SUM',
        sentS,
        sums.sent,
        'sender',
        o.udp ? { packets: sums.packets } : { retransmits: sums.retransmits },
      )
      this.finalLine(
        'SUM',
        receivedS,
        sums.received,
        'receiver',
        o.udp ? { jitterMs: sums.jitterMs, lost: sums.lost, packets: sums.packets } : {},
      )
    }
    this.#finalStreams = this.streams.map((stream) => stream)
  }

  #json(): unknown {
    const { o, sys } = this
    const { sysname, nodename, release, version, machine } = sys.uname()
    const { s } = sys.realtime()
    const startS = s - Math.floor((sys.monotonicNs() - this.startNs) / 1e9)
    const streams = this.#finalStreams
    const remote = theirs(this.#remote)
    const rate = (bytes: number, seconds: number) => (seconds > 0 ? (bytes * 8) / seconds : 0)
    const interval = (one: Interval) => ({
      start: one.fromS,
      end: one.toS,
      seconds: one.toS - one.fromS,
      bytes: one.bytes,
      bits_per_second: rate(one.bytes, one.toS - one.fromS),
    })
    const detail = (one: Interval) =>
      o.udp
        ? this.sending
          ? { packets: one.packets }
          : {
              jitter_ms: one.jitterMs,
              lost_packets: one.lost,
              packets: one.packets,
              lost_percent: one.packets > 0 ? (100 * one.lost) / one.packets : 0,
            }
        : one.info
          ? {
              retransmits: one.retransmits,
              snd_cwnd: one.info.sndCwnd * one.info.sndMss,
              snd_wnd: one.info.sndWnd,
              rtt: one.info.rtt,
              rttvar: one.info.rttvar,
              pmtu: one.info.pmtu,
            }
          : {}
    const count = Math.max(0, ...streams.map(({ intervals }) => intervals.length))
    const intervals = Array.from({ length: count }, (_, i) => {
      const marks = streams.map((stream) => stream.intervals[i]!).filter((one) => one !== undefined)
      const sum = total(marks, marks[0]!.fromS, marks[0]!.toS)
      return {
        streams: marks.map((one, j) => ({
          socket: streams[j]!.id,
          ...interval(one),
          ...detail(one),
          omitted: false,
          sender: this.sending,
        })),
        sum: {
          ...interval(sum),
          ...(o.udp
            ? this.sending
              ? { packets: sum.packets }
              : {}
            : this.sending
              ? { retransmits: sum.retransmits }
              : {}),
          omitted: false,
          sender: this.sending,
        },
      }
    })
    const sums = { sent: 0, received: 0, retransmits: 0 }
    const end = streams.map((stream, i) => {
      const other = remote[i] ?? { bytes: 0, retransmits: 0, seconds: this.endedS }
      const [sent, received] = this.sending ? [stream.bytes, other.bytes] : [other.bytes, stream.bytes]
      const retransmits = this.sending ? stream.retransmits : other.retransmits
      sums.sent += sent
      sums.received += received
      sums.retransmits += retransmits
      const mean =
        stream.rtts.length > 0 ? Math.floor(stream.rtts.reduce((all, rtt) => all + rtt, 0) / stream.rtts.length) : 0
      const side = (bytes: number) => ({
        socket: stream.id,
        start: 0,
        end: this.endedS,
        seconds: this.endedS,
        bytes,
        bits_per_second: rate(bytes, this.endedS),
      })
      return {
        sender: {
          ...side(sent),
          retransmits,
          ...(this.sending
            ? {
                max_snd_cwnd: stream.maxCwnd,
                max_snd_wnd: stream.maxWnd,
                max_rtt: Math.max(0, ...stream.rtts),
                min_rtt: Math.min(...stream.rtts, Number.MAX_SAFE_INTEGER),
                mean_rtt: mean,
              }
            : {}),
          sender: this.sending,
        },
        receiver: { ...side(received), sender: this.sending },
      }
    })
    const mine = this.results()
    const sum = (bytes: number) => ({
      start: 0,
      end: this.endedS,
      seconds: this.endedS,
      bytes,
      bits_per_second: rate(bytes, this.endedS),
    })
    return {
      start: {
        connected: this.#connected,
        version: 'iperf 3.12',
        system_info: `${sysname} ${nodename} ${release} ${version} ${machine}`,
        timestamp: { time: formatTime('%a, %d %b %Y %H:%M:%S GMT', startS), timesecs: startS },
        connecting_to: { host: o.host, port: o.port },
        cookie: this.#cookie,
        ...(o.udp ? {} : { tcp_mss_default: this.#mss }),
        target_bitrate: o.rate,
        sock_bufsize: o.window,
        test_start: {
          protocol: o.udp ? 'UDP' : 'TCP',
          num_streams: o.parallel,
          blksize: o.blockBytes,
          omit: 0,
          duration: o.bytes > 0 || o.blocks > 0 ? 0 : o.seconds,
          bytes: o.bytes,
          blocks: o.blocks,
          reverse: o.reverse ? 1 : 0,
          tos: o.tos,
          target_bitrate: o.rate,
        },
      },
      intervals,
      end: {
        streams: end,
        sum_sent: { ...sum(sums.sent), retransmits: sums.retransmits, sender: this.sending },
        sum_received: { ...sum(sums.received), sender: this.sending },
        cpu_utilization_percent: {
          host_total: mine['cpu_util_total'],
          host_user: mine['cpu_util_user'],
          host_system: mine['cpu_util_system'],
          remote_total: this.#remote['cpu_util_total'] ?? 0,
          remote_user: this.#remote['cpu_util_user'] ?? 0,
          remote_system: this.#remote['cpu_util_system'] ?? 0,
        },
        ...(o.udp
          ? {}
          : {
              sender_tcp_congestion: this.#congestion,
              receiver_tcp_congestion: this.#remote['congestion_used'] ?? '',
            }),
      },
    }
  }

  protected override connectedLine(stream: Stream): void {
    super.connectedLine(stream)
    this.#congestion = this.congestion()
    const own = this.sys.getsockname(stream.fd)
    const peer = this.sys.getpeername(stream.fd)
    const [one, other] = [own, peer].map((name) => (name.ok ? addressOf(name.value) : undefined))
    if (!one || !other) return
    this.#connected.push({
      socket: stream.id,
      local_host: formatAddress(one.address),
      local_port: one.port,
      remote_host: formatAddress(other.address),
      remote_port: other.port,
    })
  }
}

class Server extends Test {
  #reverse = false
  #count = 0
  #udpListener = -1

  get sending(): boolean {
    return this.#reverse
  }

  *run(): Body<number> {
    const { sys, io, o } = this
    if (o.json) throw new NotModelled('iperf3 -s -J')
    let stop = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      sys.sigaction(signal, () => {
        stop = true
      })
    }
    let address: NetAddress = { family: 'AF_INET', address: 0 }
    if (o.bind !== undefined) {
      const found = yield* lookupHost(sys, o.bind)
      if (!found.ok) {
        io.error(
          'iperf3: error - unable to start listener for connections: Cannot assign requested address\niperf3: exiting\n',
        )
        return 1
      }
      address = found.value.addresses[0]!
    }
    const made = sys.socket(address.family, 'SOCK_STREAM', 0)
    if (!made.ok) return 1
    const listener = made.value
    sys.setsockopt(listener, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    const bound = sys.bind(listener, withPort(address, o.port))
    if (!bound.ok) {
      io.error(`iperf3: error - unable to start listener for connections: ${strerror(bound.errno)}\niperf3: exiting\n`)
      return 1
    }
    sys.listen(listener, 2147483647)
    sys.setNonBlocking(listener, true)
    while (!stop) {
      this.#count++
      io.print(`${LINE}Server listening on ${o.port} (test #${this.#count})\n${LINE}`)
      io.flush()
      yield* io.settle()
      const tasks = new Tasks(sys)
      let done = false
      const self = this
      tasks.spawn(
        (function* (): Task<void> {
          try {
            yield* self.#serve(tasks, listener, address)
          } catch (error) {
            if (!(error instanceof IperfError)) throw error
            io.flush()
            io.error(`iperf3: error - ${error.message}\n`)
          }
          done = true
          self.over = true
        })(),
      )
      yield* tasks.run(() => stop || done)
      io.flush()
      yield* io.settle()
      if (stop) break
      this.closeAll()
      if (o.oneOff) return 0
    }
    if (this.control >= 0)
      yield* sys.sendTo(this.control, Uint8Array.of(SERVER_TERMINATE), undefined, { noSignal: true, dontWait: true })
    io.flush()
    io.error('iperf3: interrupt - the server has terminated\n')
    return 1
  }

  *#accept(listener: number): Task<{ fd: number; from: SockAddr }> {
    for (;;) {
      const got = yield* this.sys.accept(listener)
      if (got.ok) return got.value
      yield { fd: listener, events: POLLIN, untilNs: Number.POSITIVE_INFINITY }
    }
  }

  *#serve(tasks: Tasks, listener: number, address: NetAddress): Task<void> {
    const { sys, o, io } = this
    this.over = false
    this.restart()
    const { fd, from } = yield* this.#accept(listener)
    this.control = fd
    sys.setNonBlocking(fd, true)
    sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_NODELAY', 1)
    const cookie = yield* this.bytes(COOKIE_BYTES)
    if (!cookie) throw new IperfError('unable to receive cookie at server: ')
    const client = addressOf(from)
    this.print(`Accepted connection from ${client ? formatAddress(client.address) : ''}, port ${client?.port ?? 0}\n`)
    yield* this.state(PARAM_EXCHANGE)
    this.#take(yield* this.receiveJson())
    // Who comes while a test runs is sent away.
    let busy = false
    const self = this
    const udpListener = o.udp ? yield* this.#udp(address) : -1
    yield* this.state(CREATE_STREAMS)
    for (let i = 0; i < o.parallel; i++) {
      const id = i === 0 ? 5 : 6 + 2 * i
      if (o.udp) {
        const stream = yield* this.#udpStream(udpListener, address, i === o.parallel - 1, id)
        this.streams.push(stream)
        continue
      }
      const accepted = yield* this.#accept(listener)
      sys.setNonBlocking(accepted.fd, true)
      const control = this.control
      this.control = accepted.fd
      const its = yield* this.bytes(COOKIE_BYTES)
      this.control = control
      if (!its || its.some((byte, at) => byte !== cookie[at])) {
        yield* sendWhole(sys, accepted.fd, Uint8Array.of(ACCESS_DENIED))
        sys.close(accepted.fd)
        i--
        continue
      }
      this.socketOptions(accepted.fd)
      this.streams.push(new Stream(accepted.fd, id, this.sending, o.udp))
    }
    busy = true
    tasks.spawn(
      (function* (): Task<void> {
        while (busy && !self.over) {
          const other = yield* self.#accept(listener)
          yield* sendWhole(sys, other.fd, Uint8Array.of(ACCESS_DENIED))
          sys.close(other.fd)
        }
      })(),
    )
    yield* this.state(TEST_START)
    for (const stream of this.streams) this.connectedLine(stream)
    io.flush()
    yield* io.settle()
    this.startNs = sys.monotonicNs()
    yield* this.state(TEST_RUNNING)
    let ended = false
    this.flow(
      tasks,
      () => ended,
      () => {},
    )
    tasks.spawn(this.reporter(() => Number.POSITIVE_INFINITY))
    for (;;) {
      const got = yield* this.bytes(1)
      if (!got) throw new IperfError('the client has unexpectedly closed the connection')
      if (got[0] === TEST_END) break
      if (got[0] === CLIENT_TERMINATE) throw new IperfError('the client has terminated')
      if (got[0] !== TEST_RUNNING) throw new IperfError('received an unknown control message')
    }
    // What came before the word that it is over counts, though it is read after it.
    for (const stream of this.streams) if (!this.sending) yield* drainStream(sys, stream)
    ended = true
    this.over = true
    busy = false
    this.endedS = (sys.monotonicNs() - this.startNs) / 1e9
    this.lastReport(this.endedS)
    yield* this.state(EXCHANGE_RESULTS)
    yield* this.receiveJson()
    yield* this.sendJson(this.results())
    yield* this.state(DISPLAY_RESULTS)
    this.#final()
    io.flush()
    yield* io.settle()
    yield* this.bytes(1)
  }

  /** What the client wants, as far as it is in bounds. */
  #take(parameters: Record<string, unknown>): void {
    const { o } = this
    const number = (name: string, most: number) => {
      const value = parameters[name]
      return typeof value === 'number' && value >= 0 ? Math.min(value, most) : 0
    }
    o.udp = parameters['udp'] === true
    this.#reverse = parameters['reverse'] === true
    if (parameters['bidirectional']) throw new NotModelled('iperf3 --bidir')
    o.parallel = Math.max(1, Math.min(STREAMS_MAX, Math.floor(number('parallel', STREAMS_MAX))))
    o.blockBytes = Math.floor(number('len', 1024 * 1024)) || (o.udp ? 1448 : 131_072)
    o.rate = number('bandwidth', 1e15)
    o.seconds = number('time', 86400)
    o.bytes = number('num', Number.MAX_SAFE_INTEGER)
    o.blocks = number('blockcount', Number.MAX_SAFE_INTEGER)
    o.pacingUs = number('pacing_timer', 1e6) || 1000
    o.window = number('window', 512 << 20)
    o.mss = number('MSS', 9216)
    o.tos = number('TOS', 255)
    o.noDelay = parameters['nodelay'] === true
    o.congestion = typeof parameters['congestion'] === 'string' ? parameters['congestion'] : undefined
  }

  *#udp(address: NetAddress): Task<number> {
    const made = this.sys.socket(address.family, 'SOCK_DGRAM', 0)
    if (!made.ok) throw new IperfError(`unable to create a new stream: ${strerror(made.errno)}`)
    this.sys.setsockopt(made.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    const bound = this.sys.bind(made.value, withPort(address, this.o.port))
    if (!bound.ok) throw new IperfError(`unable to create a new stream: ${strerror(bound.errno)}`)
    this.sys.setNonBlocking(made.value, true)
    return made.value
  }

  /** The listening socket becomes the stream's, and another one takes its place. */
  *#udpStream(first: number, address: NetAddress, last: boolean, id: number): Task<Stream> {
    const { sys } = this
    const fd = this.#udpListener >= 0 ? this.#udpListener : first
    this.#udpListener = -1
    let from: SockAddr | undefined
    while (!from) {
      const got = yield* sys.receive(fd, 65_536, { dontWait: true })
      if (got.ok) from = got.value.from
      else yield { fd, events: POLLIN, untilNs: Number.POSITIVE_INFINITY }
    }
    yield* sys.connect(fd, from)
    if (!last) this.#udpListener = yield* this.#udp(address)
    yield* sendWhole(sys, fd, UDP_REPLY)
    return new Stream(fd, id, this.sending, true)
  }

  #final(): void {
    const { o } = this
    this.print(RULE)
    this.heading(true)
    const role = this.sending ? 'sender' : 'receiver'
    let [bytes, retransmits, lost, packets, jitterMs] = [0, 0, 0, 0, 0]
    for (const stream of this.streams) {
      bytes += stream.bytes
      retransmits += stream.retransmits
      lost += stream.lost
      packets += stream.packets
      jitterMs += (stream.jitter * 1000) / this.streams.length
      const more = o.udp
        ? { jitterMs: stream.jitter * 1000, lost: stream.lost, packets: stream.packets }
        : this.sending
          ? { retransmits: stream.retransmits }
          : {}
      this.finalLine(stream.id, this.endedS, stream.bytes, role, more)
    }
    if (this.streams.length > 1) {
      this.finalLine(
        'SUM',
        this.endedS,
        bytes,
        role,
        o.udp ? { jitterMs, lost, packets } : this.sending ? { retransmits } : {},
      )
    }
  }
}

/** ping while it runs: requests at their times, answers and errors as they come. iputils 20221126 ping/ping_common.c */
import { internetChecksum } from '#base/bytes'
import { type Body, type Errno, POLLERR, POLLIN, type Received, type SockAddr, type Sys } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import type { IcmpSocket, Target } from './ping.ts'
import { Counts, formatTrip } from './ping-count.ts'
import type { PingOptions } from './ping-options.ts'
import { describeHeader, describeIcmp, describeIcmp6, OptionsPrinter } from './ping-text.ts'
import type { Hosts } from './resolve.ts'
import type { Stdio } from './stdio.ts'

const MIN_INTERVAL_MS = 10
const TIMEVAL_BYTES = 16
const ICMP_ECHOREPLY = 0
const ICMP_DEST_UNREACH = 3
const ICMP_SOURCE_QUENCH = 4
const ICMP_REDIRECT = 5
const ICMP_ECHO = 8
const ICMP_TIME_EXCEEDED = 11
const ICMP_PARAMETERPROB = 12
const ICMPV6_ECHO_REQUEST = 128
const ICMPV6_ECHO_REPLY = 129
/** After the first error that came by the error queue, the socket needn't take errors itself. */
const ICMP_FILTER_AFTER_ERROR = ~((1 << ICMP_SOURCE_QUENCH) | (1 << ICMP_REDIRECT) | (1 << ICMP_ECHOREPLY))

export interface PingSetup {
  sys: Sys
  io: Stdio
  options: PingOptions
  socket: IcmpSocket
  hosts: Hosts
  target: Target
  /** The target, where IPv6 is spoken. */
  six?: Six | undefined
  /** What follows the ICMP header in a request. */
  data: Uint8Array
  /** -1: the kernel's. */
  identifier: number
  multicast: boolean
  /** Whether requests carry the time at which they left. */
  timed: boolean
}

/** An IPv6 target: who it is, and how an answer's sender is called. */
export interface Six {
  address: Uint8Array
  scopeId: number
  nameOf(address: Uint8Array, scopeId: number): string
}

/** struct sock_extended_err, and who sent the ICMP message. */
interface ExtendedError {
  errno: Errno
  origin: 'LOCAL' | 'ICMP' | 'ICMP6'
  type: number
  code: number
  info: number
  offender: number | Uint8Array | undefined
  scopeId?: number
}

export class PingSession {
  readonly #setup: PingSetup
  readonly #counts = new Counts()
  readonly #printer: OptionsPrinter
  /** -A moves it. */
  #intervalMs: number
  #startNs = 0
  /** When the last probe was due, by CLOCK_MONOTONIC_RAW; undefined before the first. */
  #currentNs: number | undefined
  #tokens = 0
  #outOfMemory = 0
  #rttAddend = 0
  #leave = false
  #statusAsked = false
  #lingerUs = 0
  #latency: boolean

  constructor(setup: PingSetup) {
    this.#setup = setup
    this.#intervalMs = setup.options.intervalMs
    this.#latency = setup.options.latency
    this.#printer = new OptionsPrinter((address) => this.#nameOf(address), setup.options.flood)
  }

  *run(): Body<number> {
    const { sys, io, options, socket, target, timed } = this.#setup
    const counts = this.#counts
    const leave = () => {
      this.#leave = true
    }
    sys.sigaction('SIGINT', leave)
    sys.sigaction('SIGALRM', leave)
    sys.sigaction('SIGQUIT', () => {
      this.#statusAsked = true
    })
    this.#startNs = sys.monotonicNs()
    if (options.deadlineS) sys.setitimer(options.deadlineS * 1e9, 0)

    while (!this.#leave) {
      if (options.count && counts.received + counts.errors >= options.count) break
      if (options.deadlineS && counts.errors) break
      if (this.#statusAsked) {
        this.#statusAsked = false
        io.stderr(counts.status(timed))
      }
      let nextMs: number
      do {
        nextMs = yield* this.#pinger()
        if (options.count && counts.transmitted >= options.count && !options.deadlineS) nextMs = this.#linger(nextMs)
      } while (nextMs <= 0)
      yield* io.settle()

      // The real one sleeps in recvmsg() where it can, and turns round and round where the time is too short to sleep.
      // All of it comes to this: until the next probe is due, or something has come.
      let waitMs = nextMs
      const bySocket = !options.adaptive && nextMs >= Math.max(this.#intervalMs, MIN_INTERVAL_MS)
      if (bySocket) waitMs = Math.max(this.#intervalMs, MIN_INTERVAL_MS)
      else if (nextMs <= MIN_INTERVAL_MS && counts.inFlight() > 0) waitMs = MIN_INTERVAL_MS
      const ready = yield* sys.poll([{ fd: socket.fd, events: POLLIN }], waitMs * 1e6)
      const revents = ready.ok ? (ready.value[0]?.revents ?? 0) : 0
      if (!(revents & (POLLIN | POLLERR))) continue
      yield* this.#receiveAll((revents & POLLERR) !== 0)
    }
    const lastedNs = (this.#currentNs ?? this.#startNs) - this.#startNs
    const rate = this.#intervalMs === 0 || options.flood || options.adaptive
    io.print(counts.summary(target.shown, lastedNs, timed, rate))
    return counts.received === 0 || (options.deadlineS && counts.received < options.count) ? 1 : 0
  }

  /** Sends a probe if one is due; in how many milliseconds the next one is. */
  *#pinger(): Body<number> {
    const { sys, io, options } = this.#setup
    const counts = this.#counts
    const { preload } = options
    if (this.#leave || (options.count && counts.transmitted >= options.count && !options.deadlineS)) return 1000
    const nowNs = sys.monotonicNs()
    if (this.#currentNs === undefined) {
      this.#currentNs = nowNs
      this.#tokens = this.#intervalMs * (preload - 1)
    } else {
      let tokens = elapsedMs(this.#currentNs, nowNs)
      // A flood without answers is held to a hundred packets a second.
      if (this.#intervalMs === 0 && tokens < MIN_INTERVAL_MS && counts.inFlight() >= preload) {
        return MIN_INTERVAL_MS - tokens
      }
      tokens = Math.min(tokens + this.#tokens, this.#intervalMs * preload)
      if (tokens < this.#intervalMs) return this.#intervalMs - tokens
      this.#currentNs = nowNs
      this.#tokens = tokens - this.#intervalMs
    }
    if (options.outstanding && counts.transmitted > 0 && !counts.answered(counts.transmitted)) {
      this.#printTime()
      io.print(`no answer yet for icmp_seq=${counts.transmitted % 0x10000}\n`)
      io.flush()
    }
    for (;;) {
      const errno = yield* this.#sendProbe()
      if (errno === undefined) {
        this.#outOfMemory = 0
        counts.sent()
        if (!options.quiet && options.flood) this.#dot()
        return this.#intervalMs - this.#tokens
      }
      let printed = 0
      if (errno === 'ENOBUFS' || errno === 'ENOMEM') {
        this.#tokens = 0
        this.#rttAddend += counts.rtt < 8 * 50000 ? Math.trunc(counts.rtt / 8) : 50000
        if (options.adaptive) this.#updateInterval()
        const pauseMs = Math.min(500, Math.max(MIN_INTERVAL_MS, Math.trunc(this.#intervalMs / 2)))
        this.#outOfMemory++
        if (this.#outOfMemory * pauseMs < options.lingerMs) return pauseMs
      } else if (errno === 'EAGAIN') {
        this.#tokens += this.#intervalMs
        return MIN_INTERVAL_MS
      } else {
        const seen = yield* this.#receiveError()
        if (seen === 'stranger') continue // Not about this ping: as if it hadn't happened.
        printed = seen === 'network' || seen === 'failed' ? 0 : -1
      }
      counts.sent()
      if (printed === 0 && !options.quiet) {
        if (options.flood) io.print('E')
        else io.warn('sendmsg', errno)
      }
      this.#tokens = 0
      return Math.max(this.#intervalMs, MIN_INTERVAL_MS)
    }
  }

  /** After the last probe: how long to wait for what is still out. */
  #linger(nextMs: number): number {
    if (this.#lingerUs) return nextMs
    const { sys, options } = this.#setup
    const { received, maxUs } = this.#counts
    this.#lingerUs = received ? Math.max(2 * maxUs, 1000 * this.#intervalMs) : options.lingerMs * 1000
    sys.setitimer(this.#lingerUs * 1000, 0)
    return Math.max(nextMs, Math.trunc(this.#lingerUs / 1000))
  }

  #updateInterval(): void {
    const { rtt } = this.#counts
    const estimate = rtt ? Math.trunc(rtt / 8) : this.#intervalMs * 1000
    this.#intervalMs = Math.trunc((estimate + this.#rttAddend + 500) / 1000)
  }

  /** A dot for a probe of a flood, unless the line is full of them. */
  #dot(): void {
    const { sys, io, options } = this.#setup
    const width = sys.terminalSize(1)?.columns ?? Number.POSITIVE_INFINITY
    const counts = this.#counts
    if ((options.preload < width && counts.pipe < width) || counts.inFlight() < width) io.print('.')
  }

  *#sendProbe(): Body<Errno | undefined> {
    const { sys, socket, target, data, identifier, timed, six } = this.#setup
    const sequence = (this.#counts.transmitted + 1) & 0xffff
    this.#counts.forget(sequence)
    const request = new Uint8Array(8 + data.length)
    request.set(data, 8)
    const view = new DataView(request.buffer)
    request[0] = six ? ICMPV6_ECHO_REQUEST : ICMP_ECHO
    view.setUint16(4, identifier & 0xffff)
    view.setUint16(6, sequence)
    if (timed) {
      const { s, ns } = sys.realtime()
      writeTimeval(view, 8, s, Math.trunc(ns / 1000))
    }
    // IPv6's checksum covers addresses, which are the kernel's to choose.
    if (!six) view.setUint16(2, internetChecksum(request))
    const to: SockAddr = six
      ? { family: 'AF_INET6', address: six.address, port: 0, scopeId: six.scopeId }
      : { family: 'AF_INET', address: target.address, port: 0 }
    const sent = yield* sys.sendTo(socket.fd, request, to, {})
    return sent.ok ? undefined : sent.errno
  }

  /** Takes all that has come, until nothing is out any more. */
  *#receiveAll(hasError: boolean): Body<void> {
    const { sys, io, options, socket } = this.#setup
    let errorPending = hasError
    for (;;) {
      const got = yield* sys.receive(socket.fd, options.size + 60 + 76, { dontWait: true })
      if (!got.ok) {
        if ((got.errno === 'EAGAIN' && !errorPending) || got.errno === 'EINTR') return
        errorPending = false
        const seen = yield* this.#receiveError()
        if (seen === 'failed') {
          io.warn('recvmsg', got.errno)
          return
        }
      } else this.#takeReply(got.value)
      if (this.#counts.inFlight() === 0) return
    }
  }

  /** Reads the error queue. 'network': an ICMP error about a probe; 'local': this host refused; 'none': it is empty. */
  *#receiveError(): Body<'network' | 'local' | 'stranger' | 'none' | 'failed'> {
    const { sys, io, options, socket, target, six } = this.#setup
    const got = yield* sys.receive(socket.fd, 8, { errorQueue: true, dontWait: true })
    if (!got.ok) return got.errno === 'EAGAIN' || got.errno === 'EINTR' ? 'none' : 'failed'
    const error = got.value.control[six ? 'IPV6_RECVERR' : 'IP_RECVERR'] as ExtendedError
    if (error.origin === 'LOCAL') {
      if (options.quiet) return 'local'
      if (options.flood) io.print('E')
      else if (error.errno !== 'EMSGSIZE') io.warn('local error', error.errno)
      else io.warn(`local error: message too long, mtu${six ? ': ' : '='}${error.info}`)
      this.#counts.errors++
      return 'local'
    }
    const { bytes, from } = got.value
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const ours =
      bytes.length >= 8 &&
      (six
        ? from.family === 'AF_INET6' && sameBytes(from.address, six.address) && bytes[0] === ICMPV6_ECHO_REQUEST
        : from.family === 'AF_INET' && from.address === target.address && bytes[0] === ICMP_ECHO) &&
      this.#isOurs(view.getUint16(4))
    if (!ours) return 'stranger'
    const sequence = view.getUint16(6)
    if (!six) this.#counts.acknowledge(sequence)
    if (socket.raw && !six) {
      const filtered = sys.setsockopt(socket.fd, 'SOL_RAW', 'ICMP_FILTER', ICMP_FILTER_AFTER_ERROR >>> 0)
      if (!filtered.ok) io.die(2, 'setsockopt(ICMP_FILTER)', filtered.errno)
    }
    this.#counts.errors++
    if (options.quiet) return 'network'
    if (options.flood) io.print('\bE')
    else {
      this.#printTime()
      if (six) {
        const offender = six.nameOf(error.offender as Uint8Array, error.scopeId ?? 0)
        io.print(`From ${offender} icmp_seq=${sequence} ${describeIcmp6(error.type, error.code, error.info)}\n`)
        io.flush()
        return 'network'
      }
      const rest = error.type === ICMP_PARAMETERPROB ? error.info << 24 : error.info
      const what = describeIcmp(error.type, error.code, rest >>> 0, (address) => this.#nameOf(address))
      io.print(`From ${this.#nameOf(Number(error.offender ?? 0))} icmp_seq=${sequence} ${what}`)
      io.flush()
    }
    return 'network'
  }

  #isOurs(identifier: number): boolean {
    return !this.#setup.socket.raw || identifier === this.#setup.identifier
  }

  /** A message that came: an answer to a probe, an error that a raw socket sees itself, or nothing of interest. */
  #takeReply(got: Received): void {
    const { io, options, socket, target } = this.#setup
    const { bytes } = got
    const { six } = this.#setup
    if (six) {
      this.#takeReply6(got, six)
      return
    }
    const from = got.from.family === 'AF_INET' ? got.from.address : 0
    let headerBytes = 0
    let ttl = 0
    let ipOptions = new Uint8Array(0)
    if (socket.raw) {
      headerBytes = (bytes[0]! & 0xf) * 4
      if (bytes.length < headerBytes + 8 || headerBytes < 20) {
        if (options.verbose) io.warn(`packet too short (${bytes.length} bytes) from ${this.#nameOf(from)}`)
        return
      }
      ttl = bytes[8]!
      ipOptions = bytes.slice(20, headerBytes)
    } else {
      ttl = Number(got.control['IP_TTL'] ?? 0)
      const given = got.control['IP_RECVOPTS']
      if (given instanceof Uint8Array) ipOptions = given.slice()
    }
    const icmp = bytes.subarray(headerBytes)
    const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.length)
    if (icmp[0] === ICMP_ECHOREPLY) {
      if (!this.#isOurs(view.getUint16(4))) return
      const same = from === target.address
      if (this.#count(icmp, view.getUint16(6), ttl, this.#nameOf(from), same, got)) return
      if (options.audible) io.print('\u0007')
      if (!options.flood) {
        io.print(`${this.#printer.describe(ipOptions)}\n`)
        io.flush()
      }
      return
    }
    this.#takeError(icmp, view, from, target.address)
  }

  /** As IPv4's, without a header in front: the kernel keeps it. */
  #takeReply6(got: Received, six: Six): void {
    const { io, options } = this.#setup
    const icmp = got.bytes
    if (got.from.family !== 'AF_INET6' || icmp.length < 8 || icmp[0] !== ICMPV6_ECHO_REPLY) return
    const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.length)
    if (!this.#isOurs(view.getUint16(4))) return
    const { address, scopeId } = got.from
    const name = six.nameOf(address, scopeId)
    const same = sameBytes(address, six.address)
    if (this.#count(icmp, view.getUint16(6), Number(got.control['IPV6_HOPLIMIT'] ?? 0), name, same, got)) return
    if (options.audible) io.print('\u0007')
    if (!options.flood) {
      io.print('\n')
      io.flush()
    }
  }

  #takeError(icmp: Uint8Array, view: DataView, from: number, target: number): void {
    const { io, options } = this.#setup
    const type = icmp[0]!
    const nameOf = (address: number) => this.#nameOf(address)
    const describe = () => {
      const text = describeIcmp(type, icmp[1]!, view.getUint32(4), nameOf)
      const carries = [ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_REDIRECT, ICMP_TIME_EXCEEDED].includes(type)
      return options.verbose && carries && icmp.length >= 28 ? text + describeHeader(icmp.subarray(8), nameOf) : text
    }
    if (type === ICMP_ECHO) return
    if ([3, 4, 5, 11, 12].includes(type)) {
      const inner = icmp.length >= 36 ? 8 + (icmp[8]! & 0xf) * 4 : icmp.length
      if (icmp.length < inner + 8 || icmp[inner] !== ICMP_ECHO || view.getUint32(24) !== target) return
      if (!this.#isOurs(view.getUint16(inner + 4))) return
      const sequence = view.getUint16(inner + 6)
      // The error queue tells of these, and better; only redirects and quenches are told from here.
      if (type !== ICMP_REDIRECT && type !== ICMP_SOURCE_QUENCH) {
        this.#counts.acknowledge(sequence)
        return
      }
      if (options.quiet || options.flood) return
      this.#printTime()
      io.print(`From ${this.#nameOf(from)}: icmp_seq=${sequence} ${describe()}`)
      return
    }
    if (options.flood && !options.verbose && !options.quiet) io.print('!E')
    else if (options.verbose) {
      this.#printTime()
      io.print(`From ${this.#nameOf(from)}: ${describe()}`)
    }
  }

  /** Counts and prints an answer; whether nothing more is to be printed of it. */
  #count(icmp: Uint8Array, sequence: number, ttl: number, name: string, same: boolean, got: Received): boolean {
    const { io, options, data, multicast, timed, identifier } = this.#setup
    const counts = this.#counts
    counts.received++
    counts.acknowledge(sequence)
    let tripUs = 0
    if (timed && icmp.length >= 8 + TIMEVAL_BYTES) {
      tripUs = this.#tripUs(icmp, got)
      counts.time(tripUs)
      if (options.adaptive) this.#updateInterval()
    }
    const duplicate = !counts.take(sequence)
    if (options.quiet) return true
    if (options.flood) {
      io.print('\b \b')
      return false
    }
    this.#printTime()
    let line = `${icmp.length} bytes from ${name}: icmp_seq=${sequence}`
    if (options.verbose && identifier !== -1) line += ` ident=${identifier}`
    line += ` ttl=${ttl}`
    if (icmp.length < data.length + 8) {
      io.print(`${line} (truncated)\n`)
      io.flush()
      return true
    }
    if (timed) line += ` time=${formatTrip(tripUs)} ms`
    if (duplicate && (!multicast || options.verbose)) line += ' (DUP!)'
    if (!multicast && !same) line += ' (DIFFERENT ADDRESS!)'
    io.print(line + this.#compare(icmp.subarray(8)))
    return false
  }

  /** Microseconds between the time in the answer and that of its coming. */
  #tripUs(icmp: Uint8Array, got: Received): number {
    const { sys, io } = this.#setup
    const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.length)
    const sentS = view.getUint32(8, true) + view.getInt32(12, true) * 2 ** 32
    const sentUs = view.getUint32(16, true)
    const stamp = this.#latency ? undefined : (got.control['SO_TIMESTAMP'] as { s: number; ns: number } | undefined)
    const { s, ns } = stamp ?? sys.realtime()
    const tripUs = (s - sentS) * 1e6 + Math.trunc(ns / 1000) - sentUs
    if (tripUs >= 0) return tripUs
    io.warn(`Warning: time of day goes back (${tripUs}us), taking countermeasures`)
    if (this.#latency) return 0
    this.#latency = true
    return this.#tripUs(icmp, got)
  }

  /** What an answer's data says that the request's didn't. */
  #compare(payload: Uint8Array): string {
    const { data } = this.#setup
    for (let i = TIMEVAL_BYTES; i < data.length; i++) {
      if (payload[i] === data[i]) continue
      let text = `\nwrong data byte #${i} should be 0x${data[i]!.toString(16)} but was 0x${payload[i]!.toString(16)}`
      for (let j = TIMEVAL_BYTES; j < data.length; j++) {
        if (j % 32 === TIMEVAL_BYTES) text += `\n#${j}\t`
        text += `${payload[j]!.toString(16)} `
      }
      return text
    }
    return ''
  }

  #printTime(): void {
    const { sys, io, options } = this.#setup
    if (!options.printTime) return
    const { s, ns } = sys.realtime()
    io.print(`[${s}.${String(Math.trunc(ns / 1000)).padStart(6, '0')}] `)
  }

  /** With its name in front, unless numbers are wanted. */
  #nameOf(address: number): string {
    const { options, hosts } = this.#setup
    const number = formatIpv4(address)
    return options.numeric || this.#leave ? number : `${hosts.nameOf(address)} (${number})`
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

/** Milliseconds between two times of seconds and nanoseconds, each part cut off on its own as C does. */
function elapsedMs(fromNs: number, toNs: number): number {
  const seconds = Math.floor(toNs / 1e9) - Math.floor(fromNs / 1e9)
  return seconds * 1000 + Math.trunc(((toNs % 1e9) - (fromNs % 1e9)) / 1e6)
}

/** struct timeval on x86_64: two words of 64 bits, the low byte first. */
function writeTimeval(view: DataView, at: number, s: number, us: number): void {
  view.setUint32(at, s >>> 0, true)
  view.setUint32(at + 4, Math.floor(s / 2 ** 32), true)
  view.setUint32(at + 8, us, true)
  view.setUint32(at + 12, 0, true)
}

/** hping3: makes packets by hand, sends them, and shows what comes back. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { type Body, readAll, type Sys, strerror } from '#kernel/core'
import { GlibcRandom, lookupAddress, Stdio } from '#user/libc'
import { formatIpv4 } from '#wire/inet'
import { HELP } from './help.ts'
import { type HpingOptions, parseHpingOptions } from './options.ts'
import { buildPackets, type Draft, headersOf, knownIcmpType } from './packet.ts'

import { dumpLines, errorName, flagText, parseReply, type Reply, routeLines } from './replies.ts'
import { scan } from './scan.ts'
import { findInterface, type Outgoing, resolve, sourceTowards } from './target.ts'
import { Wire } from './wire.ts'

/** How long it waits for answers after the last packet. */
const LAST_WAIT_NS = 1e9
/** Sent packets whose time is remembered. */
const REMEMBERED = 400

export function hping3(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'hping3')
  return io.run(main(sys, io, argv.slice(1)))
}

function* main(sys: Sys, io: Stdio, words: string[]): Body<number> {
  if (words.length === 0) return 0 // Its shell of Tcl, whose input ends at once.
  const parsed = parseHpingOptions(words)
  if (!parsed.ok) {
    const text = HELP[parsed.text] ?? parsed.text
    if (parsed.to === 'out') io.print(text)
    else io.error(text)
    return parsed.status
  }
  const { options } = parsed
  const destination = options.mode === 'listen' || options.randomDestination ? 0 : yield* resolve(sys, options.host!)
  if (destination === undefined) {
    io.error(`Unable to resolve '${options.host}'\n`)
    return 1
  }
  const towards = options.interface === undefined && destination !== 0 ? yield* sourceTowards(sys, destination) : 0
  const out = findInterface(sys, options.interface, towards)
  if (!out) {
    io.error('[main] no such device\n')
    return 1
  }
  if (options.mode === 'listen' && options.interface === undefined) {
    io.error('Warning: Unable to guess the output interface\n')
  }
  let source = out.name === 'lo' && towards !== 0 ? towards : out.address
  if (options.spoof !== undefined) {
    const spoofed = yield* resolve(sys, options.spoof)
    if (spoofed === undefined) {
      io.error(`Unable to resolve '${options.spoof}'\n`)
      return 1
    }
    source = spoofed
  }
  // What the interface can't carry whole is cut as the kernel would cut it.
  if (!options.fragment && headersOf(options) + options.dataSize > out.mtu) {
    options.fragment = true
    options.virtualMtu = (out.mtu - 20) & ~7
  }
  if (options.debug || options.verbose) {
    if (options.mode === 'scan') io.flush()
    else io.print(usingLine(out))
  }
  const session = new Session(sys, io, options, out, destination, source)
  const failed = session.wire.open(out)
  if (failed !== undefined) {
    io.error(failed)
    return 1
  }
  if (options.mode === 'listen') return yield* session.listen()
  if (options.mode === 'scan') return yield* scan(session, usingLine(out))
  return yield* session.run()
}

function usingLine(out: Outgoing): string {
  return `using ${out.name}, addr: ${formatIpv4(out.address)}, MTU: ${out.mtu}\n`
}

/** A packet that was sent, for the time that its answer takes. */
interface Sent {
  number: number
  sourcePort: number
  atNs: number
  answered: boolean
}

export class Session {
  readonly sys: Sys
  readonly io: Stdio
  readonly options: HpingOptions
  readonly out: Outgoing
  readonly destination: number
  readonly source: number
  readonly wire: Wire
  readonly basePort: number
  ttl: number
  port: number
  sentCount = 0
  received = 0
  lastFlags = 0
  stopped = false
  readonly #random: GlibcRandom
  #times: Sent[] = []
  #rttMin = Number.POSITIVE_INFINITY
  #rttMax = 0
  #rttSum = 0
  #rttCount = 0
  #lastId: { id: number; number: number } | undefined
  #lastSequence: number | undefined
  #lastStamp: { value: number; atNs: number } | undefined
  #file: Uint8Array | undefined
  #fileAt = 0

  constructor(sys: Sys, io: Stdio, options: HpingOptions, out: Outgoing, destination: number, source: number) {
    this.sys = sys
    this.io = io
    this.options = options
    this.out = out
    this.destination = destination
    this.source = source
    this.wire = new Wire(sys)
    this.#random = new GlibcRandom(sys.realtime().s | 0)
    this.basePort = options.sourcePort ?? 1024 + (this.random() % 2000)
    this.ttl = options.ttl
    this.port = options.destinationPort
  }

  random(): number {
    return this.#random.next()
  }

  /** Its statistics are told first. */
  stopOn(...signals: ('SIGINT' | 'SIGTERM')[]): void {
    for (const signal of signals) {
      this.sys.sigaction(signal, () => {
        this.stopped = true
      })
    }
  }

  *run(): Body<number> {
    const { sys, io, options } = this
    const shown = options.randomDestination ? options.host! : formatIpv4(this.destination)
    io.print(
      `HPING ${options.host} (${this.out.name} ${shown}): ${this.#modeText()}, ${headersOf(options)} headers + ${
        options.dataSize
      } data bytes\n`,
    )
    if (options.signature !== undefined || options.file !== undefined) this.#complainOfMemory()
    yield* this.#openFile()
    this.stopOn('SIGINT', 'SIGTERM')
    if (options.flood) io.error('hping in flood mode, no replies will be shown\n')
    let nextNs = sys.monotonicNs()
    while (!this.stopped) {
      const now = sys.monotonicNs()
      if (now >= nextNs) {
        if (options.count >= 0 && this.sentCount >= options.count) break
        if (!(yield* this.sendOne())) return 1
        const last = options.count >= 0 && this.sentCount >= options.count
        if (options.flood) {
          yield* sys.compute(1000)
          continue
        }
        // An interval of nothing switches its timer off: after the first packet it only listens.
        const pause = last ? LAST_WAIT_NS : options.intervalNs
        nextNs = pause > 0 ? now + pause : Number.POSITIVE_INFINITY
        yield* io.settle()
        continue
      }
      for (const { bytes, atNs } of yield* this.wire.receive(nextNs)) {
        const reply = parseReply(bytes)
        if (reply) yield* this.#take(reply, atNs)
        if (this.stopped) break
      }
      yield* io.settle()
    }
    io.flush()
    this.statistics()
    if (options.exitCode) return this.lastFlags
    return this.received > 0 ? 0 : 1
  }

  #modeText(): string {
    const { options } = this
    if (options.mode === 'icmp') return 'icmp mode set'
    if (options.mode === 'udp') return 'udp mode set'
    if (options.mode === 'raw') return 'raw IP mode set'
    return options.flags === 0 ? 'NO FLAGS are set' : `${flagText(options.flags)} set`
  }

  /** mlockall(2) answers, and it takes the answer for an error: what errno holds is what was looked for in vain before. */
  #complainOfMemory(): void {
    this.io.error("[main] memlockall(): No such file or directory\nWarning: can't disable memory paging!\n")
  }

  *#openFile(): Body<void> {
    const { sys, io, options } = this
    if (options.file === undefined) return
    const opened = yield* sys.open(options.file)
    if (!opened.ok) {
      io.error(`[datafiller] open(): ${strerror(opened.errno)}\n`)
      return
    }
    const read = yield* readAll(sys, opened.value)
    sys.close(opened.value)
    if (read.ok) this.#file = read.value
  }

  /** The bytes of a packet: the signature, then the file's or a row of X. */
  #data(): Uint8Array {
    const { options } = this
    const data = new Uint8Array(options.dataSize).fill(0x58)
    let at = 0
    if (options.signature !== undefined && options.mode !== 'listen') {
      const bytes = encodeUtf8(options.signature).subarray(0, data.length)
      data.set(bytes)
      at = bytes.length
    }
    if (this.#file !== undefined) {
      data.fill(0, at)
      while (at < data.length && this.#file.length > 0) {
        const piece = this.#file.subarray(this.#fileAt, this.#fileAt + data.length - at)
        data.set(piece, at)
        at += piece.length
        this.#fileAt += piece.length
        if (this.#fileAt < this.#file.length) continue
        if (options.tellEnd) {
          this.io.error('EOF reached, wait some second than press ctrl+c\n')
          break
        }
        this.#fileAt = 0
      }
    }
    return data
  }

  /** False if it can't be sent at all. */
  *sendOne(port = this.port): Body<boolean> {
    const { sys, io, options } = this
    if (options.mode === 'icmp' && !options.forceIcmp && !knownIcmpType(options.icmpType)) {
      io.print('[send_icmp] Unsupported icmp type!\n')
      return false
    }
    const sourcePort = options.keepPort ? this.basePort : (this.basePort + this.sentCount) & 0xffff
    const destination = options.randomDestination ? this.#randomAddress() : this.destination
    const source = options.randomSource ? this.#randomSource() : this.source
    // In this order, and each only if it is needed and wasn't given.
    const isTcp = options.mode === 'tcp' || options.mode === 'scan'
    const sequence = options.sequence ?? (isTcp ? this.random() : 0)
    const acknowledgement = options.acknowledgement ?? (isTcp ? this.random() : 0)
    const clock = options.timestamp ? (this.random() ^ (this.random() << 1)) >>> 0 : 0
    const draft: Draft = {
      source,
      destination,
      sourcePort,
      destinationPort: port,
      ttl: this.ttl,
      id: options.id ?? this.random() & 0xffff,
      number: this.sentCount,
      pid: sys.pid,
      sequence,
      acknowledgement,
      midnightMs: this.#midnightMs(),
      clock,
      data: this.#data(),
    }
    const atNs = sys.monotonicNs()
    for (const packet of buildPackets(options, draft)) {
      const failed = yield* this.wire.send(destination, packet)
      if (failed !== undefined) {
        io.error(`[send_ip] sendto: ${failed}\n`)
        return false
      }
    }
    this.#times.push({ number: this.sentCount, sourcePort, atNs, answered: false })
    if (this.#times.length > REMEMBERED) this.#times.shift()
    this.sentCount++
    if (options.portStep === 'sent') this.port = (this.port + 1) & 0xffff
    return true
  }

  #midnightMs(): number {
    const { s, ns } = this.sys.realtime()
    return (s % 86_400) * 1000 + Math.floor(ns / 1e6)
  }

  #randomSource(): number {
    let address = 0
    for (let i = 0; i < 4; i++) address = address * 256 + (this.random() & 255)
    return address
  }

  #randomAddress(): number {
    const parts = this.options.host!.split('.').map((part) => (part === 'x' ? this.random() & 255 : Number(part) & 255))
    return parts.reduce((sum, part) => sum * 256 + part, 0) >>> 0
  }

  *#take(reply: Reply, atNs: number): Body<void> {
    const { options } = this
    if (reply.destination !== this.source) return
    if (reply.protocol === 1) yield* this.#takeIcmp(reply, atNs)
    else if (!options.randomDestination && reply.source !== this.destination) return
    else if (reply.protocol === 6 && options.mode === 'tcp') this.#takeTcp(reply, atNs)
    else if (reply.protocol === 17 && options.mode === 'udp') this.#takeUdp(reply, atNs)
  }

  /** The packet that a reply's port tells of. */
  #sentBy(port: number): Sent | undefined {
    return this.#times.find(({ sourcePort }) => sourcePort === port)
  }

  /** The milliseconds that an answer took, which count. */
  #rtt(sent: Sent | undefined, atNs: number): { ms: number; again: boolean } {
    if (!sent) return { ms: 0, again: false }
    const ms = (atNs - sent.atNs) / 1e6
    this.#rttCount++
    this.#rttSum += ms
    this.#rttMin = Math.min(this.#rttMin, ms)
    this.#rttMax = Math.max(this.#rttMax, ms)
    const again = sent.answered
    sent.answered = true
    return { ms, again }
  }

  #head(reply: Reply, number: number): string {
    const { options } = this
    const { source, ttl, dontFragment, bytes } = reply
    const id = options.windowsId ? ((reply.id & 255) << 8) | (reply.id >> 8) : reply.id
    let shownId = String(id)
    if (options.relativeId) {
      const last = this.#lastId
      if (last !== undefined && number > last.number) {
        // What was lost between is thought to have taken as much.
        const step = Math.floor(((id - last.id) & 0xffff) / (number - last.number))
        shownId = `+${step}`
      }
      this.#lastId = { id, number }
    }
    const line = `len=${bytes.length} ip=${formatIpv4(source)} ttl=${ttl} ${dontFragment ? 'DF ' : ''}id=${shownId}`
    const verbose = ` tos=${bytes[1]!.toString(16)} iplen=${reply.view.getUint16(2)}\n`
    return line + (options.verbose ? verbose : ' ')
  }

  #finish(reply: Reply, text: string): void {
    const { options, io } = this
    if (!options.quiet) {
      io.print(text)
      if (options.beep) io.print('\x07')
      if (options.recordRoute) io.print(routeLines(reply))
      io.print(dumpLines(options, reply.bytes))
    }
    this.#counted()
  }

  #counted(): void {
    const { options } = this
    this.received++
    if (options.portStep === 'received') this.port = (this.port + 1) & 0xffff
    if (options.count >= 0 && this.received >= options.count) this.stopped = true
  }

  #takeTcp(reply: Reply, atNs: number): void {
    const { options, io } = this
    const { view, headerLength, bytes } = reply
    if (bytes.length < headerLength + 20) return
    const sent = this.#sentBy(view.getUint16(headerLength + 2))
    if (!sent) return
    const sport = view.getUint16(headerLength)
    const expected = options.portStep === 'sent' ? (options.destinationPort + sent.number) & 0xffff : undefined
    if (expected !== undefined && sport !== expected) return
    const flags = bytes[headerLength + 13]!
    const sequence = view.getUint32(headerLength + 4)
    this.lastFlags = flags
    const { ms, again } = this.#rtt(sent, atNs)
    if (options.sequenceOnly) {
      const last = this.#lastSequence
      this.#lastSequence = sequence
      const step = last === undefined ? sequence : (sequence - last) >>> 0
      io.print(`${String(sequence).padStart(10)} +${step}\n`)
      this.#counted()
      return
    }
    const window = view.getUint16(headerLength + 14)
    let text = (again && !options.quiet ? 'DUP! ' : '') + this.#head(reply, sent.number)
    text += `sport=${sport} flags=${flagText(flags)} seq=${sent.number} win=${window} rtt=${ms.toFixed(1)} ms\n`
    if (options.verbose) {
      const ack = view.getUint32(headerLength + 8)
      const sum = view.getUint16(headerLength + 16).toString(16)
      text += `seq=${sequence} ack=${ack} sum=${sum} urp=${view.getUint16(headerLength + 18)}\n\n`
    }
    if (options.timestamp) text += this.#stampLines(reply, atNs)
    if (options.traceStop) this.stopped = true
    this.#finish(reply, text)
  }

  /** The peer's clock, and from two looks at it how fast it ticks and for how long it has. */
  #stampLines(reply: Reply, atNs: number): string {
    const { view, headerLength, bytes } = reply
    const end = Math.min(bytes.length, headerLength + (bytes[headerLength + 12]! >> 4) * 4)
    let at = headerLength + 20
    while (at < end) {
      const kind = bytes[at]!
      if (kind === 0) break
      if (kind === 1) {
        at++
        continue
      }
      const length = bytes[at + 1] ?? 0
      if (length < 2) break
      if (kind === 8 && length === 10 && at + 10 <= end) {
        const value = view.getUint32(at + 2)
        let text = `  TCP timestamp: tcpts=${value}\n`
        const last = this.#lastStamp
        this.#lastStamp = { value, atNs }
        if (last) {
          const rate = ((value - last.value) >>> 0) / Math.max(1e-6, (atNs - last.atNs) / 1e9)
          const hz = [2, 10, 100, 1000].reduce((best, one) =>
            Math.abs(one - rate) < Math.abs(best - rate) ? one : best,
          )
          const seconds = Math.floor(value / hz)
          const minutes = Math.floor(seconds / 60)
          const hours = Math.floor(minutes / 60)
          text += `  HZ seems hz=${hz}\n  System uptime seems: ${Math.floor(hours / 24)} days, ${hours % 24} hours, `
          text += `${minutes % 60} minutes, ${seconds % 60} seconds\n`
        }
        return `${text}\n`
      }
      at += length
    }
    return ''
  }

  #takeUdp(reply: Reply, atNs: number): void {
    const { headerLength, view, bytes } = reply
    if (bytes.length < headerLength + 8) return
    const sent = this.#sentBy(view.getUint16(headerLength + 2))
    if (!sent) return
    const { ms, again } = this.#rtt(sent, atNs)
    const dup = again && !this.options.quiet ? 'DUP! ' : ''
    if (this.options.traceStop) this.stopped = true
    this.#finish(reply, `${dup}${this.#head(reply, sent.number)}seq=${sent.number} rtt=${ms.toFixed(1)} ms\n`)
  }

  *#takeIcmp(reply: Reply, atNs: number): Body<void> {
    const { view, headerLength, bytes } = reply
    if (bytes.length < headerLength + 8) return
    const type = bytes[headerLength]!
    const code = bytes[headerLength + 1]!
    if (type === 0 || type === 14 || type === 18) {
      if (this.options.mode === 'icmp' && (this.options.randomDestination || reply.source === this.destination)) {
        this.#takeEcho(reply, type, atNs)
      }
      return
    }
    const name = errorName(type, code)
    const quoted = headerLength + 8
    if (name === undefined || bytes.length < quoted + 20) return
    // Only what was said of our own packets.
    if (!this.options.randomDestination && view.getUint32(quoted + 16) !== this.destination) return
    // The codes from "network unknown" to "host unreachable for TOS" it doesn't know.
    if (type === 3 && code >= 6 && code <= 12) return
    yield* this.#error(reply, name, type, code, quoted, atNs)
  }

  #takeEcho(reply: Reply, type: number, atNs: number): void {
    const { view, headerLength, bytes } = reply
    if (view.getUint16(headerLength + 4, true) !== (this.sys.pid & 0xffff)) return
    const number = view.getUint16(headerLength + 6, true)
    const sent = this.#times.find((one) => (one.number & 0xffff) === number)
    const { ms, again } = this.#rtt(sent, atNs)
    const dup = again && !this.options.quiet ? 'DUP! ' : ''
    let text = `${dup}${this.#head(reply, number)}icmp_seq=${number} rtt=${ms.toFixed(1)} ms\n`
    if (type === 14 && bytes.length >= headerLength + 20) {
      const [originate, receive, transmit] = [8, 12, 16].map((at) => view.getUint32(headerLength + at))
      text += `ICMP timestamp: Originate=${originate} Receive=${receive} Transmit=${transmit}\n`
      text += `ICMP timestamp RTT tsrtt=${Math.max(0, this.#midnightMs() - originate!)}\n\n`
    } else if (type === 18 && bytes.length >= headerLength + 12) {
      text += `ICMP address mask: icmpam=${formatIpv4(view.getUint32(headerLength + 8))}\n\n`
    }
    if (this.options.traceStop) this.stopped = true
    this.#finish(reply, text)
  }

  *#error(reply: Reply, name: string, type: number, code: number, quoted: number, atNs: number): Body<void> {
    const { io, options, sys } = this
    const { view, bytes } = reply
    const hop = options.traceroute && type === 11 && code === 0
    // Quiet or not, it tells of a packet that ran out of hops.
    if (!options.quiet || type === 11) {
      io.print(`${hop ? `hop=${this.ttl} ` : ''}${name} from ip=${formatIpv4(reply.source)}`)
      if (!options.numeric) {
        const wait = ' get hostname...'
        const back = '\b'.repeat(15)
        io.print(wait)
        const found = yield* lookupAddress(sys, { family: 'AF_INET', address: reply.source })
        io.print(`${back}${' '.repeat(15)}${back}name=${found.ok ? found.name : 'UNKNOWN'}`)
      }
      io.print('\n')
      if (type === 5) io.print(`New gateway: ${formatIpv4(view.getUint32(quoted - 4))}\n`)
    }
    const inner = quoted + (bytes[quoted]! & 15) * 4
    const port = inner + 4 <= bytes.length ? view.getUint16(inner) : 0
    if (type === 3 && options.mode === 'udp') {
      const sent = this.#sentBy(port)
      const { again } = this.#rtt(sent, atNs)
      io.print(`status=${again ? 1 : 0} port=${port} seq=${sent?.number ?? 0}\n`)
    }
    if (hop) {
      const sent = options.mode === 'icmp' ? this.#quotedEcho(reply, inner) : this.#sentBy(port)
      if (!options.traceNoRtt) {
        const { ms } = this.#rtt(sent, atNs)
        if (!options.quiet) io.print(`hop=${this.ttl} hoprtt=${ms.toFixed(1)} ms\n`)
      }
      if (!options.traceKeepTtl) this.ttl = (this.ttl + 1) & 255
    }
    this.#counted()
  }

  #quotedEcho(reply: Reply, inner: number): Sent | undefined {
    if (reply.bytes.length < inner + 8) return undefined
    const number = reply.view.getUint16(inner + 6, true)
    return this.#times.find((one) => (one.number & 0xffff) === number)
  }

  /** The last lines. */
  statistics(): void {
    const { sentCount, received } = this
    const lost = sentCount === 0 ? 0 : 100 - Math.floor((Math.min(received, sentCount) * 100) / sentCount)
    const shown = (ms: number) => ms.toFixed(1)
    const [min, average] = this.#rttCount === 0 ? [0, 0] : [this.#rttMin, this.#rttSum / this.#rttCount]
    this.io.error(
      `\n--- ${this.options.host ?? ''} hping statistic ---\n` +
        `${sentCount} packets transmitted, ${received} packets received, ${lost}% packet loss\n` +
        `round-trip min/avg/max = ${shown(min)}/${shown(average)}/${shown(this.#rttMax)} ms\n`,
    )
  }

  /** `--listen`: what stands behind the signature in any packet. */
  *listen(): Body<number> {
    const { io, options } = this
    io.error('hping3 listen mode\n')
    this.#complainOfMemory()
    this.stopOn('SIGINT', 'SIGTERM')
    const signature = options.signature ?? ''
    while (!this.stopped) {
      for (const { bytes } of yield* this.wire.receive(Number.POSITIVE_INFINITY, true)) {
        const at = indexOf(bytes, encodeUtf8(signature))
        if (at >= 0) io.print(decodeUtf8(bytes.subarray(at)))
      }
      yield* io.settle()
    }
    io.flush()
    this.statistics()
    return 1
  }
}

/** Where the bytes behind the first occurrence begin; -1 if there is none. */
function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  if (wanted.length === 0) return -1
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    let i = 0
    while (i < wanted.length && bytes[at + i] === wanted[i]) i++
    if (i === wanted.length) return at + wanted.length
  }
  return -1
}

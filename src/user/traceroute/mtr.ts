/** `mtr` 0.95 without its screen: rounds of probes to every hop, then a report. */

import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt, type LongOption } from '#base/text'
import { type Body, POLLIN, type Sys, strerror } from '#kernel/core'
import { Exit, formatAddress, gaiStrerror, lookupAddress, lookupHost, type NetAddress, Stdio } from '#user/libc'
import { MTR_HELP } from './help.ts'
import {
  csvReport,
  DEFAULT_FIELDS,
  FIELDS,
  Hop,
  jsonReport,
  type Report,
  tableReport,
  xmlReport,
} from './mtr-report.ts'

const SHORT = 'hv46F:rwxtlCjpnbo:y:zi:c:s:B:Q:eI:a:f:m:U:uTP:L:Z:G:M:'
const NAMES = `help=h version=v inet=4 inet6=6 filename:F report=r report-wide=w xml=x curses=t raw=l csv=C json=j
  displaymode:displaymode split=p no-dns=n show-ips=b order:o ipinfo:y aslookup=z interval:i report-cycles:c psize:s
  bitpattern:B tos:Q mpls=e interface:I address:a first-ttl:f max-ttl:m max-unknown:U udp=u tcp=T port:P localport:L
  timeout:Z gracetime:G mark:M`
const LONG: LongOption[] = NAMES.split(/\s+/).map((entry) => {
  const [, name = '', kind, as = ''] = /^(.+)([=:])(.+)$/.exec(entry) ?? []
  return { name, argument: kind === ':' ? 'required' : 'none', as }
})

const FIRST_SEQUENCE = 33_000
const SEQUENCES = 65_536
const HOSTS_MAX = 256
const IP_HEADER = 20
const HEADER = 8
const FIRST_HOSTS = 10
const IPPROTO_ICMP = 1
const IPPROTO_UDP = 17
const IPPROTO_RAW = 255

interface Options {
  display: 'screen' | 'report' | 'json' | 'csv' | 'xml'
  wide: boolean
  cycles: number
  size: number
  dns: boolean
  both: boolean
  intervalS: number
  graceS: number
  first: number
  last: number
  unknown: number
  fields: string
  pattern: number
  tos: number
  udp: boolean
  port: number
  localPort: number
  source: number | undefined
  device: string | undefined
  targets: string[]
}

export function mtr(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'mtr')
  return io.run(main(sys, io, argv))
}

function die(io: Stdio, text: string): never {
  io.flush()
  io.error(`mtr: ${text}\n`)
  throw new Exit(1)
}

export function parseMtr(io: Stdio, argv: string[]): Options {
  const out: Options = {
    display: 'screen',
    wide: false,
    cycles: 10,
    size: 64,
    dns: true,
    both: false,
    intervalS: 1,
    graceS: 5,
    first: 1,
    last: 30,
    unknown: 12,
    fields: DEFAULT_FIELDS,
    pattern: 0,
    tos: 0,
    udp: false,
    port: 0,
    localPort: 0,
    source: undefined,
    device: undefined,
    targets: [],
  }
  const whole = (value: string): number =>
    /^\s*[+-]?\d+$/.test(value) ? Number(value) : die(io, `invalid argument: '${value}'`)
  const seconds = (value: string): number => {
    const parsed = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
      ? Number(value)
      : die(io, `invalid argument: '${value}'`)
    return parsed > 0 ? parsed : die(io, 'wait time must be positive')
  }
  const parsed = getopt(argv, SHORT, LONG)
  for (const { option, value = '', message } of parsed.options) {
    switch (option) {
      case 'v':
        io.print('mtr 0.95\n')
        throw new Exit(0)
      case 'h':
        io.print(MTR_HELP)
        throw new Exit(0)
      case 'r':
        out.display = 'report'
        break
      case 'w':
        out.display = 'report'
        out.wide = true
        break
      case 'x':
        out.display = 'xml'
        break
      case 'C':
        out.display = 'csv'
        break
      case 'j':
        out.display = 'json'
        break
      case 't':
        out.display = 'screen'
        break
      case 'c':
        out.cycles = whole(value)
        break
      case 's':
        out.size = whole(value)
        if (out.size < 0) throw new NotModelled('mtr: packets of a random size')
        break
      case 'n':
        out.dns = false
        break
      case 'b':
        out.both = true
        break
      case 'i':
        out.intervalS = seconds(value)
        break
      case 'G':
        out.graceS = seconds(value)
        break
      case 'f':
        out.first = Math.max(1, Math.min(whole(value), out.last))
        break
      case 'm':
        out.last = Math.max(1, Math.min(whole(value), HOSTS_MAX - 1))
        out.first = Math.min(out.first, out.last)
        break
      case 'U':
        out.unknown = Math.max(1, whole(value))
        break
      case 'o': {
        for (const letter of value) {
          if (!/[ LDRSNBAWVGJMXI_]/.test(letter)) die(io, `Unknown field identifier: ${letter}`)
          if (letter !== '_' && !FIELDS[letter]) throw new NotModelled(`mtr -o ${letter}`)
        }
        out.fields = value.replaceAll('_', '')
        break
      }
      case 'B':
        out.pattern = whole(value)
        if (out.pattern < 0 || out.pattern > 255) throw new NotModelled('mtr: a random bit pattern')
        break
      case 'Q':
        out.tos = whole(value)
        if (out.tos < 0 || out.tos > 255) out.tos = 0
        break
      case 'u':
        out.udp = true
        break
      case 'P':
        out.port = whole(value)
        if (out.port < 1 || out.port > 65_535) die(io, `Illegal port number: ${out.port}`)
        break
      case 'L':
        out.localPort = whole(value)
        if (out.localPort < 1024 || out.localPort > 65_535) die(io, `Illegal port number: ${out.localPort}`)
        break
      case 'Z':
        whole(value)
        break
      case '4':
      case 'e':
        break
      case '?':
      case ':':
        if (message) io.error(`${message}\n`)
        io.error(MTR_HELP)
        throw new Exit(1)
      default:
        throw new NotModelled(`mtr -${option}`)
    }
  }
  out.targets = parsed.operands.length > 0 ? parsed.operands : ['localhost']
  return out
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parseMtr(io, argv)
  if (options.display === 'screen') throw new NotModelled('mtr without a report mode (-r, -w, -j, -C, -x)')
  for (const target of options.targets) {
    const found = yield* lookupHost(sys, target)
    if (!found.ok) {
      io.flush()
      io.error(`mtr: Failed to resolve host: ${target}: ${gaiStrerror(found.error)}\n`)
      continue
    }
    const address = found.value.addresses.find((one) => one.family === 'AF_INET')
    if (address?.family !== 'AF_INET') throw new NotModelled('mtr to an IPv6 address')
    const startS = sys.realtime().s
    if (options.display === 'report') io.print(`Start: ${isoTime(startS)}\n`)
    const rounds = new Rounds(sys, io, options, address.address)
    yield* rounds.run()
    const report: Report = {
      local: sys.hostname,
      target,
      tos: options.tos,
      size: options.size,
      pattern: options.pattern,
      cycles: options.cycles,
      fields: options.fields,
      rows: [],
    }
    for (let at = options.first - 1; at < rounds.length; at++) {
      const hop = rounds.hops[at]!
      const others: string[] = []
      for (const other of hop.addresses)
        if (!sameAs(other, hop.address)) others.push(yield* shownName(sys, options, other))
      report.rows.push({ ttl: at + 1, hop, name: yield* shownName(sys, options, hop.address), others })
    }
    if (options.display === 'report') io.print(tableReport(report, options.wide))
    else if (options.display === 'csv') io.print(csvReport(report, startS))
    else if (options.display === 'xml') io.print(xmlReport(report))
    else io.print(jsonReport(report))
  }
  return 0
}

function sameAs(one: NetAddress | undefined, other: NetAddress | undefined): boolean {
  return one?.family === 'AF_INET' && other?.family === 'AF_INET' && one.address === other.address
}

function* shownName(sys: Sys, options: Options, address: NetAddress | undefined): Body<string> {
  if (!address) return '???'
  const shown = formatAddress(address)
  const found = options.dns ? yield* lookupAddress(sys, address) : undefined
  if (!found?.ok) return shown
  return options.both ? `${found.name} (${shown})` : found.name
}

/** strftime's %Y-%m-%dT%H:%M:%S%z, in UTC. */
export function isoTime(seconds: number): string {
  let days = Math.floor(seconds / 86_400)
  const rest = seconds - days * 86_400
  let year = 1970
  const leap = (y: number) => (y % 4 === 0 && y % 100 !== 0) || y % 400 === 0
  for (; days >= (leap(year) ? 366 : 365); year++) days -= leap(year) ? 366 : 365
  let month = 0
  const length = (m: number) => (m === 1 ? (leap(year) ? 29 : 28) : [3, 5, 8, 10].includes(m) ? 30 : 31)
  for (; days >= length(month); month++) days -= length(month)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = [rest / 3600, (rest / 60) % 60, rest % 60].map((value) => two(Math.floor(value))).join(':')
  return `${year}-${two(month + 1)}-${two(days + 1)}T${clock}+0000`
}

/** The probes' rounds: one to every hop, evenly over the interval. */
class Rounds {
  readonly hops = Array.from({ length: HOSTS_MAX }, () => new Hop())
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #options: Options
  readonly #target: number
  readonly #identifier: number
  readonly #onWay = new Map<number, { index: number; sentNs: number }>()
  #source = 0
  #out = -1
  #in = -1
  #sequence = FIRST_SEQUENCE
  #batch: number
  /** By how many probes the interval is shared. */
  #share = FIRST_HOSTS

  constructor(sys: Sys, io: Stdio, options: Options, target: number) {
    this.#sys = sys
    this.#io = io
    this.#options = options
    this.#target = target
    this.#identifier = sys.pid & 0xffff
    this.#batch = options.first - 1
  }

  /** How many hops are shown. */
  get length(): number {
    let most = 0
    for (let at = 0; at < this.#options.last; at++) {
      const hop = this.hops[at]!
      if (this.#isTarget(at) || hop.failed) return at + 1
      if (hop.address) most = at + 2
    }
    return Math.min(most, this.#options.last)
  }

  *run(): Body<void> {
    const sys = this.#sys
    yield* this.#open()
    let lastNs = sys.monotonicNs()
    let rounds = 0
    let graceNs: number | undefined
    for (;;) {
      yield* this.#io.settle()
      const nowNs = sys.monotonicNs()
      const stepNs = (this.#options.intervalS / this.#share) * 1e9
      if (nowNs >= lastNs + stepNs) {
        lastNs = nowNs
        if (graceNs === undefined) {
          if (rounds >= this.#options.cycles) graceNs = nowNs
          else if (yield* this.#send()) rounds++
        }
      }
      if (graceNs !== undefined && nowNs - graceNs > this.#options.graceS * 1e9) break
      yield* sys.poll([{ fd: this.#in, events: POLLIN }], Math.max(1000, lastNs + stepNs - nowNs))
      yield* this.#receive()
    }
    for (const hop of this.hops) hop.transit = false
    sys.close(this.#in)
    sys.close(this.#out)
  }

  *#open(): Body<void> {
    const sys = this.#sys
    const out = sys.socket('AF_INET', 'SOCK_RAW', IPPROTO_RAW)
    const back = sys.socket('AF_INET', 'SOCK_RAW', IPPROTO_ICMP)
    if (!out.ok || !back.ok) die(this.#io, 'Failure to open IPv4 sockets: Permission denied')
    this.#out = out.value
    this.#in = back.value
    sys.setsockopt(this.#out, 'SOL_IP', 'IP_HDRINCL', 1)
    const probe = sys.socket('AF_INET', 'SOCK_DGRAM', IPPROTO_UDP)
    if (!probe.ok) die(this.#io, `udp socket creation failed: ${strerror(probe.errno)}`)
    const done = yield* sys.connect(probe.value, { family: 'AF_INET', address: this.#target, port: 1 })
    if (!done.ok) die(this.#io, `udp socket connect failed: ${strerror(done.errno)}`)
    const own = sys.getsockname(probe.value)
    if (own.ok && own.value.family === 'AF_INET') this.#source = own.value.address
    sys.close(probe.value)
  }

  #isTarget(at: number): boolean {
    const { address } = this.hops[at]!
    return address?.family === 'AF_INET' && address.address === this.#target
  }

  /** A probe to the next hop; whether that was a round's last. */
  *#send(): Body<boolean> {
    const { first, unknown, last } = this.#options
    const at = this.#batch
    const sequence = this.#sequence
    this.#sequence = sequence + 1 >= SEQUENCES ? FIRST_SEQUENCE : sequence + 1
    const hop = this.hops[at]!
    hop.sent++
    hop.transit = true
    this.#onWay.set(sequence, { index: at, sentNs: this.#sys.monotonicNs() })
    const packet = this.#packet(at + 1, sequence)
    yield* this.#sys.sendTo(this.#out, packet, { family: 'AF_INET', address: this.#target, port: 0 })
    let silent = 0
    let over = false
    for (let i = first - 1; i < at; i++) {
      if (!this.hops[i]!.address) silent++
      if (this.#isTarget(i)) {
        over = true
        this.#share = i + 1
        break
      }
    }
    if (this.#isTarget(at) || silent > unknown || at >= last - 1) {
      over = true
      this.#share = at + 1
    }
    this.#batch = over ? first - 1 : at + 1
    return over
  }

  /** A whole IP packet; the kernel fills in its identification and checksum. */
  #packet(ttl: number, sequence: number): Uint8Array {
    const { size, tos, pattern, udp, port, localPort } = this.#options
    const length = Math.max(size, IP_HEADER + HEADER)
    const packet = new Uint8Array(length).fill(pattern)
    packet.fill(0, 0, IP_HEADER + HEADER)
    const view = new DataView(packet.buffer)
    view.setUint16(0, 0x4500 | tos)
    view.setUint16(2, length)
    view.setUint8(8, ttl)
    view.setUint8(9, udp ? IPPROTO_UDP : IPPROTO_ICMP)
    view.setUint32(12, this.#source)
    view.setUint32(16, this.#target)
    const body = packet.subarray(IP_HEADER)
    if (udp) {
      // The sequence is in the port that isn't given.
      view.setUint16(IP_HEADER, port ? sequence : localPort || this.#identifier)
      view.setUint16(IP_HEADER + 2, port || sequence)
      view.setUint16(IP_HEADER + 4, body.length)
      view.setUint16(IP_HEADER + 6, this.#udpChecksum(body))
    } else {
      view.setUint8(IP_HEADER, 8)
      view.setUint16(IP_HEADER + 4, this.#identifier)
      view.setUint16(IP_HEADER + 6, sequence)
      view.setUint16(IP_HEADER + 2, internetChecksum(body))
    }
    return packet
  }

  #udpChecksum(body: Uint8Array): number {
    const whole = new Uint8Array(12 + body.length)
    const view = new DataView(whole.buffer)
    view.setUint32(0, this.#source)
    view.setUint32(4, this.#target)
    view.setUint16(8, IPPROTO_UDP)
    view.setUint16(10, body.length)
    whole.set(body, 12)
    return internetChecksum(whole) || 0xffff
  }

  *#receive(): Body<void> {
    for (;;) {
      const got = yield* this.#sys.receive(this.#in, 9000, { dontWait: true })
      if (!got.ok) return
      const { bytes, from } = got.value
      if (from.family !== 'AF_INET') continue
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      const at = ((bytes[0] ?? 0) & 15) * 4
      if (bytes.length < at + HEADER) continue
      const type = view.getUint8(at)
      if (type === 0) {
        if (!this.#options.udp && view.getUint16(at + 4) === this.#identifier)
          this.#answer(view.getUint16(at + 6), from.address, false)
      } else if (type === 11 || type === 3) {
        const sequence = this.#quoted(view, at + HEADER)
        if (sequence !== undefined) this.#answer(sequence, from.address, type === 3 && view.getUint8(at + 1) !== 3)
      }
    }
  }

  /** The sequence number of the probe that an error quotes. */
  #quoted(view: DataView, at: number): number | undefined {
    if (view.byteLength < at + IP_HEADER) return undefined
    const inner = at + (view.getUint8(at) & 15) * 4
    if (view.byteLength < inner + HEADER || view.getUint32(at + 16) !== this.#target) return undefined
    const protocol = view.getUint8(at + 9)
    if (this.#options.udp)
      return protocol === IPPROTO_UDP ? view.getUint16(inner + (this.#options.port ? 0 : 2)) : undefined
    if (protocol !== IPPROTO_ICMP || view.getUint16(inner + 4) !== this.#identifier) return undefined
    return view.getUint16(inner + 6)
  }

  #answer(sequence: number, address: number, failed: boolean): void {
    const probe = this.#onWay.get(sequence)
    if (!probe) return
    this.#onWay.delete(sequence)
    const hop = this.hops[probe.index]!
    hop.failed = failed
    hop.address = { family: 'AF_INET', address }
    if (!hop.addresses.some((one) => sameAs(one, hop.address))) hop.addresses.push(hop.address)
    hop.answer(Math.floor((this.#sys.monotonicNs() - probe.sentNs) / 1000))
  }
}

/** What traceroute's probes are made of: UDP, ICMP echo requests, TCP SYNs. */
import { internetChecksum } from '#base/bytes'
import { type Body, type Errno, readTextFile, type SockAddr, type Sys } from '#kernel/core'
import type { TraceOptions } from './options.ts'
import type { Probe } from './probe.ts'

/** What a method sees of the session. */
export interface Tracer {
  readonly sys: Sys
  readonly options: TraceOptions
  readonly target: number
  readonly probes: Probe[]
  dataLength: number
  now(): number
  fail(what: string, errno: Errno): never
  tune(fd: number): void
  bind(fd: number): void
  /** False: no room, later. */
  transmit(fd: number, bytes: Uint8Array): Body<boolean>
}

export interface ProbeMethod {
  /** Bytes of its header that a socket adds; 0: it sends all behind the IP header itself. */
  readonly headerLength: number
  open(): Body<void>
  /** Leaves `sentAt` 0 if it couldn't. */
  send(probe: Probe, ttl: number): Body<void>
  fds(): number[]
  /** The probe that an answer, or an error's quotation, is about. */
  match(fd: number, failed: boolean, from: SockAddr, bytes: Uint8Array): Probe | undefined
}

const UDP_HEADER = 8
const FIRST_PORT = 33_434
const DNS_PORT = 53
const HTTP_PORT = 80
const IPPROTO_ICMP = 1
const IPPROTO_TCP = 6
const IPPROTO_UDP = 17

export function createMethod(tracer: Tracer): ProbeMethod {
  if (tracer.options.method === 'icmp') return new IcmpMethod(tracer)
  if (tracer.options.method === 'tcp') return new TcpMethod(tracer)
  return new UdpMethod(tracer, tracer.options.method === 'default')
}

/** "@ABC...", as all methods fill their packets. */
function filling(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 0x40 + (i & 0x3f))
}

function openSocket(tracer: Tracer, type: string, protocol: number): number {
  const socket = tracer.sys.socket('AF_INET', type, protocol)
  return socket.ok ? socket.value : tracer.fail('socket', socket.errno)
}

function setTtl(tracer: Tracer, fd: number, ttl: number): void {
  const done = tracer.sys.setsockopt(fd, 'SOL_IP', 'IP_TTL', ttl)
  if (!done.ok) tracer.fail('setsockopt IP_TTL', done.errno)
}

function wantErrors(tracer: Tracer, fd: number): void {
  const done = tracer.sys.setsockopt(fd, 'SOL_IP', 'IP_RECVERR', 1)
  if (!done.ok) tracer.fail('setsockopt IP_RECVERR', done.errno)
}

/** A socket for each probe; its port grows from probe to probe, or stays. */
class UdpMethod implements ProbeMethod {
  readonly headerLength = UDP_HEADER
  readonly #tracer: Tracer
  readonly #grows: boolean
  #port: number

  constructor(tracer: Tracer, grows: boolean) {
    this.#tracer = tracer
    this.#grows = grows
    this.#port = tracer.options.port || (grows ? FIRST_PORT : DNS_PORT)
  }

  *open(): Body<void> {}

  *send(probe: Probe, ttl: number): Body<void> {
    const tracer = this.#tracer
    const fd = openSocket(tracer, 'SOCK_DGRAM', IPPROTO_UDP)
    tracer.tune(fd)
    setTtl(tracer, fd, ttl)
    const to = { family: 'AF_INET', address: tracer.target, port: this.#port } as const
    const connected = yield* tracer.sys.connect(fd, to)
    if (!connected.ok) tracer.fail('connect', connected.errno)
    wantErrors(tracer, fd)
    probe.sentAt = tracer.now()
    if (!(yield* tracer.transmit(fd, filling(tracer.dataLength)))) {
      tracer.sys.close(fd)
      probe.sentAt = 0
      return
    }
    probe.fd = fd
    probe.sequence = this.#port
    if (this.#grows) this.#port = (this.#port + 1) & 0xffff
  }

  fds(): number[] {
    return this.#tracer.probes.filter(({ fd }) => fd >= 0).map(({ fd }) => fd)
  }

  match(fd: number, _failed: boolean, from: SockAddr): Probe | undefined {
    const probe = this.#tracer.probes.find((one) => one.fd === fd)
    return from.family === 'AF_INET' && probe?.sequence === from.port ? probe : undefined
  }
}

const ICMP_ECHO = 8
const ICMP_ECHOREPLY = 0
const ICMP_HEADER = 8

/** One raw socket; an answer is known by its sequence number. */
class IcmpMethod implements ProbeMethod {
  readonly headerLength = 0
  readonly #tracer: Tracer
  readonly #identifier: number
  #fd = -1
  #sequence: number
  #ttl = 0

  constructor(tracer: Tracer) {
    this.#tracer = tracer
    this.#identifier = tracer.sys.pid & 0xffff
    this.#sequence = tracer.options.port || 1
  }

  *open(): Body<void> {
    const tracer = this.#tracer
    tracer.dataLength = Math.max(tracer.dataLength, ICMP_HEADER)
    this.#fd = openSocket(tracer, 'SOCK_RAW', IPPROTO_ICMP)
    tracer.tune(this.#fd)
    const connected = yield* tracer.sys.connect(this.#fd, { family: 'AF_INET', address: tracer.target, port: 0 })
    if (!connected.ok) tracer.fail('connect', connected.errno)
    wantErrors(tracer, this.#fd)
  }

  *send(probe: Probe, ttl: number): Body<void> {
    const tracer = this.#tracer
    if (ttl !== this.#ttl) setTtl(tracer, this.#fd, ttl)
    this.#ttl = ttl
    const packet = filling(tracer.dataLength)
    const view = new DataView(packet.buffer)
    view.setUint32(0, ICMP_ECHO * 2 ** 24)
    view.setUint16(4, this.#identifier)
    view.setUint16(6, this.#sequence)
    view.setUint16(2, internetChecksum(packet))
    probe.sentAt = tracer.now()
    if (!(yield* tracer.transmit(this.#fd, packet))) {
      probe.sentAt = 0
      return
    }
    probe.sequence = this.#sequence
    this.#sequence = (this.#sequence + 1) & 0xffff
  }

  fds(): number[] {
    return [this.#fd]
  }

  match(_fd: number, failed: boolean, _from: SockAddr, bytes: Uint8Array): Probe | undefined {
    if (bytes.length < ICMP_HEADER) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (view.getUint16(4) !== this.#identifier) return undefined
    if (!failed && view.getUint8(0) !== ICMP_ECHOREPLY) return undefined
    const sequence = view.getUint16(6)
    return sequence === 0 ? undefined : this.#tracer.probes.find((probe) => probe.sequence === sequence)
  }
}

const TCP_HEADER = 20
const TH_SYN = 0x02
const TH_ECN = 0xc0

/** A raw socket for SYNs; each has a port that a socket of its own holds, so that the kernel resets what comes back. */
class TcpMethod implements ProbeMethod {
  readonly headerLength = 0
  readonly #tracer: Tracer
  readonly #port: number
  #fd = -1
  #ttl = 0
  #template = new Uint8Array(0)
  #source = 0

  constructor(tracer: Tracer) {
    this.#tracer = tracer
    this.#port = tracer.options.port || HTTP_PORT
  }

  *open(): Body<void> {
    const tracer = this.#tracer
    const { sys } = tracer
    this.#fd = openSocket(tracer, 'SOCK_RAW', IPPROTO_TCP)
    tracer.tune(this.#fd)
    const connected = yield* sys.connect(this.#fd, { family: 'AF_INET', address: tracer.target, port: 0 })
    if (!connected.ok) tracer.fail('connect', connected.errno)
    const own = sys.getsockname(this.#fd)
    if (own.ok && own.value.family === 'AF_INET') this.#source = own.value.address
    const asked = sys.getsockopt(this.#fd, 'SOL_IP', 'IP_MTU')
    const mss = Math.max(576, asked.ok ? Number(asked.value) : 0) - 20 - TCP_HEADER
    wantErrors(tracer, this.#fd)
    yield* this.#build(mss)
    tracer.dataLength = this.#template.length
  }

  /** The options that this host's own TCP would offer. */
  *#build(mss: number): Body<void> {
    const on: Record<string, boolean> = {}
    for (const name of ['ecn', 'sack', 'timestamps', 'window_scaling']) {
      const file = yield* readTextFile(this.#tracer.sys, `/proc/sys/net/ipv4/tcp_${name}`)
      on[name] = file.ok && file.value.startsWith('1')
    }
    const options = [2, 4, mss >> 8, mss & 255]
    if (on['timestamps']) {
      options.push(...(on['sack'] ? [4, 2] : [1, 1]), 8, 10, ...this.#tracer.sys.getrandom(4), 0, 0, 0, 0)
    } else if (on['sack']) options.push(1, 1, 4, 2)
    if (on['window_scaling']) options.push(1, 3, 3, 2)
    const bytes = new Uint8Array(TCP_HEADER + options.length)
    const view = new DataView(bytes.buffer)
    view.setUint16(2, this.#port)
    view.setUint8(12, (bytes.length >> 2) << 4)
    view.setUint8(13, TH_SYN | (on['ecn'] ? TH_ECN : 0))
    view.setUint16(14, (4 * mss) & 0xffff)
    bytes.set(options, TCP_HEADER)
    this.#template = bytes
  }

  *send(probe: Probe, ttl: number): Body<void> {
    const tracer = this.#tracer
    const { sys } = tracer
    const holder = openSocket(tracer, 'SOCK_STREAM', 0)
    tracer.bind(holder)
    const name = sys.getsockname(holder)
    const port = name.ok && name.value.family === 'AF_INET' ? name.value.port : 0
    const packet = Uint8Array.from(this.#template)
    const view = new DataView(packet.buffer)
    view.setUint16(0, port)
    packet.set(sys.getrandom(4), 4)
    view.setUint16(16, this.#checksum(packet))
    if (ttl !== this.#ttl) setTtl(tracer, this.#fd, ttl)
    this.#ttl = ttl
    probe.sentAt = tracer.now()
    if (!(yield* tracer.transmit(this.#fd, packet))) {
      sys.close(holder)
      probe.sentAt = 0
      return
    }
    probe.sequence = port
    probe.fd = holder
  }

  #checksum(packet: Uint8Array): number {
    const whole = new Uint8Array(12 + packet.length)
    const view = new DataView(whole.buffer)
    view.setUint32(0, this.#source)
    view.setUint32(4, this.#tracer.target)
    view.setUint16(8, IPPROTO_TCP)
    view.setUint16(10, packet.length)
    whole.set(packet, 12)
    return internetChecksum(whole)
  }

  fds(): number[] {
    return [this.#fd]
  }

  match(_fd: number, failed: boolean, from: SockAddr, bytes: Uint8Array): Probe | undefined {
    if (bytes.length < 8 || from.family !== 'AF_INET' || from.address !== this.#tracer.target) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const [ours, theirs] = failed ? [0, 2] : [2, 0]
    if (view.getUint16(theirs) !== this.#port) return undefined
    const port = view.getUint16(ours)
    return this.#tracer.probes.find((probe) => probe.fd >= 0 && probe.sequence === port)
  }
}

/** One query to one server, as BIND's tools send it: a socket for each try, without DF. BIND 9.18 bin/dig/dighost.c. */
import { type Body, type Errno, POLLIN, POLLOUT, type SockAddr, type Sys } from '#kernel/core'
import { exactly, formatAddress, type NetAddress, withPort } from '#user/libc'
import { canonicalName, type DnsMessage, emitDns, parseDns } from '#wire/dns'

const IP_PMTUDISC_OMIT = 5
const UDP_MAX = 65_535
const MAXSEG = 1280 - 20 - 40

export interface Server {
  address: NetAddress
  port: number
  /** As it was named. */
  name: string
}

export type Exchanged =
  | { kind: 'answer'; message: DnsMessage; size: number; tookNs: number; tcp: boolean }
  | { kind: 'malformed' }
  | { kind: 'timeout' | 'refused' | 'unavailable' | 'eof'; errno?: Errno }

export interface ExchangeOptions {
  tcp: boolean
  timeoutNs: number
  /** -b. */
  source?: { address: NetAddress; port: number }
}

/** `10.0.0.2#53`. */
export function serverText(server: Server): string {
  return `${formatAddress(server.address)}#${server.port}`
}

export function* exchange(sys: Sys, server: Server, query: DnsMessage, o: ExchangeOptions): Body<Exchanged> {
  const to = withPort(server.address, server.port)
  const made = sys.socket(to.family, o.tcp ? 'SOCK_STREAM' : 'SOCK_DGRAM', 0)
  if (!made.ok) return { kind: 'unavailable', errno: made.errno }
  const fd = made.value
  try {
    if (!o.tcp) sys.setsockopt(fd, 'IPPROTO_IP', 'IP_MTU_DISCOVER', IP_PMTUDISC_OMIT)
    // As many as fit any path: BIND's NM_MAXSEG.
    if (o.tcp) sys.setsockopt(fd, 'IPPROTO_TCP', 'TCP_MAXSEG', MAXSEG)
    if (o.source) {
      const bound = sys.bind(fd, withPort(o.source.address, o.source.port))
      if (!bound.ok) return { kind: 'unavailable', errno: bound.errno }
    }
    const startNs = sys.monotonicNs()
    const untilNs = startNs + o.timeoutNs
    const answer = yield* o.tcp ? overTcp(sys, fd, to, query, untilNs) : overUdp(sys, fd, to, query, untilNs)
    if (!(answer instanceof Uint8Array)) return answer
    const message = parseDns(answer)
    if (!message) return { kind: 'malformed' }
    return { kind: 'answer', message, size: answer.length, tookNs: sys.monotonicNs() - startNs, tcp: o.tcp }
  } finally {
    sys.close(fd)
  }
}

function failure(errno: Errno): Exchanged {
  if (errno === 'ECONNREFUSED') return { kind: 'refused' }
  return errno === 'ETIMEDOUT' ? { kind: 'timeout' } : { kind: 'unavailable', errno }
}

function* overUdp(
  sys: Sys,
  fd: number,
  to: SockAddr,
  query: DnsMessage,
  untilNs: number,
): Body<Uint8Array | Exchanged> {
  const connected = yield* sys.connect(fd, to)
  if (!connected.ok) return failure(connected.errno)
  const sent = yield* sys.sendTo(fd, emitDns(query))
  if (!sent.ok) return failure(sent.errno)
  for (;;) {
    const ready = yield* sys.poll([{ fd, events: POLLIN }], Math.max(0, untilNs - sys.monotonicNs()))
    if (ready.ok && ready.value.length === 0) return { kind: 'timeout' }
    const got = yield* sys.receive(fd, UDP_MAX, { dontWait: true })
    if (!got.ok) {
      if (got.errno === 'EAGAIN' || got.errno === 'EINTR') continue
      return failure(got.errno)
    }
    const { bytes } = got.value
    if (bytes.length < 12 || ((bytes[0]! << 8) | bytes[1]!) !== query.id) {
      if (sys.monotonicNs() >= untilNs) return { kind: 'timeout' }
      continue // Somebody else's.
    }
    return bytes
  }
}

function* overTcp(
  sys: Sys,
  fd: number,
  to: SockAddr,
  query: DnsMessage,
  untilNs: number,
): Body<Uint8Array | Exchanged> {
  sys.setNonBlocking(fd, true)
  const begun = yield* sys.connect(fd, to)
  if (!begun.ok) {
    if (begun.errno !== 'EINPROGRESS') return failure(begun.errno)
    const ready = yield* sys.poll([{ fd, events: POLLOUT }], Math.max(0, untilNs - sys.monotonicNs()))
    if (ready.ok && ready.value.length === 0) return { kind: 'timeout' }
    const error = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')
    if (error.ok && error.value) return failure(error.value as Errno)
  }
  sys.setNonBlocking(fd, false)
  sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', Math.max(1, untilNs - sys.monotonicNs()))
  const bytes = emitDns(query)
  const framed = new Uint8Array(bytes.length + 2)
  framed.set([bytes.length >> 8, bytes.length & 255])
  framed.set(bytes, 2)
  yield* sys.sendTo(fd, framed, undefined, { noSignal: true })
  const head = yield* exactly(sys, fd, 2)
  const body = head && (yield* exactly(sys, fd, (head[0]! << 8) | head[1]!))
  if (!body) return sys.monotonicNs() >= untilNs ? { kind: 'timeout' } : { kind: 'eof' }
  return body
}

/** Whether an answer is to the question that was asked. */
export function isAnswerTo(query: DnsMessage, answer: DnsMessage): boolean {
  const [asked] = query.questions
  const [told] = answer.questions
  if (!told) return true
  return canonicalName(asked!.name) === canonicalName(told.name) && asked!.type === told.type
}

export { UDP_MAX }

/**
 * Queries to the name servers of resolv.conf, and their answers. Each server is asked in turn, the whole round as often as
 * `attempts` says, five seconds each; A and AAAA go out together. glibc 2.36 resolv/res_send.c: __res_context_send(), send_dg().
 */
import { type Body, POLLIN, type SockAddr, type Sys } from '#kernel/core'
import { canonicalName, type DnsMessage, dnsQuery, emitDns, parseDns } from '#wire/dns'
import { withPort } from './address.ts'
import type { ResolverConfig } from './resolv-conf.ts'
import { joined } from './stdio.ts'

/** What came of a round of queries: an answer each, or why there is none. */
export type SendResult = { answers: (DnsMessage | undefined)[] } | { error: 'refused' | 'timeout' | 'failed' }

const SERVFAIL = 2
const NOTIMP = 4
const REFUSED = 5
const UDP_MAX = 65_536

interface Asked {
  message: DnsMessage
  answer: DnsMessage | undefined
  /** It was answered, with what may only be a server's own trouble. */
  bad: boolean
}

/** Sends queries for one name, and waits. */
export function* resSend(
  sys: Sys,
  config: ResolverConfig,
  random: () => number,
  name: string,
  types: number[],
): Body<SendResult> {
  const asked: Asked[] = types.map((type) => ({
    message: dnsQuery(random(), name, type),
    answer: undefined,
    bad: false,
  }))
  // A server's socket is kept for the next round, unless there was trouble on it.
  const sockets = new Map<number, number>()
  try {
    return yield* rounds(sys, config, asked, sockets)
  } finally {
    for (const fd of sockets.values()) sys.close(fd)
  }
}

function* rounds(sys: Sys, config: ResolverConfig, asked: Asked[], sockets: Map<number, number>): Body<SendResult> {
  let heard = false
  for (let round = 0; round < config.attempts; round++) {
    for (const [i, server] of config.servers.entries()) {
      let timeoutS = config.timeoutS << i
      if (i > 0) timeoutS = Math.floor(timeoutS / config.servers.length)
      const outcome = config.useVc
        ? yield* byTcp(sys, asked, withPort(server, 53))
        : yield* byUdp(sys, asked, withPort(server, 53), Math.max(1, timeoutS), sockets, i)
      if (outcome !== 'refused') heard = true
      if (outcome === 'answered') return { answers: asked.map(({ answer }) => answer) }
    }
  }
  return { error: heard ? 'timeout' : 'refused' }
}

type Outcome = 'answered' | 'refused' | 'timeout' | 'bad'

function* byUdp(
  sys: Sys,
  asked: Asked[],
  to: SockAddr,
  timeoutS: number,
  sockets: Map<number, number>,
  server: number,
): Body<Outcome> {
  const outcome = yield* askUdp(sys, asked, to, timeoutS, sockets, server)
  const fd = sockets.get(server)
  if (fd !== undefined && (outcome === 'refused' || (outcome === 'bad' && asked.length === 1))) {
    sys.close(fd)
    sockets.delete(server)
  }
  return outcome
}

function* askUdp(
  sys: Sys,
  asked: Asked[],
  to: SockAddr,
  timeoutS: number,
  sockets: Map<number, number>,
  server: number,
): Body<Outcome> {
  let fd = sockets.get(server)
  if (fd === undefined) {
    const made = sys.socket(to.family, 'SOCK_DGRAM', 0)
    if (!made.ok) return 'refused'
    fd = made.value
    sockets.set(server, fd)
    sys.setNonBlocking(fd, true)
    const connected = yield* sys.connect(fd, to)
    if (!connected.ok) return 'refused'
  }
  for (const one of asked) {
    one.bad = false
    const sent = yield* sys.sendTo(fd, emitDns(one.message))
    if (!sent.ok) return 'refused'
  }
  const untilNs = sys.monotonicNs() + timeoutS * 1e9
  for (;;) {
    const ready = yield* sys.poll([{ fd, events: POLLIN }], Math.max(0, untilNs - sys.monotonicNs()))
    if (!ready.ok) {
      if (ready.errno === 'EINTR') continue
      return 'refused'
    }
    if (ready.value.length === 0) return 'timeout'
    const got = yield* sys.receive(fd, UDP_MAX, { dontWait: true })
    if (!got.ok) {
      if (got.errno === 'EAGAIN' || got.errno === 'EINTR') continue
      return 'refused'
    }
    const answer = parseDns(got.value.bytes)
    const one = answer && asked.find((each) => !each.answer && !each.bad && answers(each.message, answer))
    if (!one) {
      if (sys.monotonicNs() >= untilNs) return 'timeout'
      continue // Not for us: the wait goes on.
    }
    if (answer.truncated) return yield* byTcp(sys, asked, to)
    if (isTrouble(answer.rcode)) {
      one.bad = true
      // Another that was answered well is enough; else there is the next server.
      if (asked.some((each) => each !== one && each.answer)) return 'answered'
    } else one.answer = answer
    if (asked.every((each) => each.answer || each.bad)) {
      return asked.some((each) => each.answer) ? 'answered' : 'bad'
    }
  }
}

function isTrouble(rcode: number): boolean {
  return rcode === SERVFAIL || rcode === NOTIMP || rcode === REFUSED
}

/** Whether a message answers a query: its number, and its question. */
function answers(query: DnsMessage, answer: DnsMessage): boolean {
  const [question] = query.questions
  const [back] = answer.questions
  if (!answer.response || answer.id !== query.id) return false
  if (!back) return isTrouble(answer.rcode)
  return (
    canonicalName(back.name) === canonicalName(question!.name) &&
    back.type === question!.type &&
    back.class === question!.class
  )
}

function* byTcp(sys: Sys, asked: Asked[], to: SockAddr): Body<Outcome> {
  const made = sys.socket(to.family, 'SOCK_STREAM', 0)
  if (!made.ok) return 'refused'
  const fd = made.value
  try {
    const connected = yield* sys.connect(fd, to)
    if (!connected.ok) return 'refused'
    for (const one of asked) one.answer = undefined
    for (const one of asked) {
      const got = yield* exchangeTcp(sys, fd, emitDns(one.message))
      const answer = got && parseDns(got)
      if (!answer || !answers(one.message, answer) || isTrouble(answer.rcode)) return 'bad'
      one.answer = answer
    }
    return 'answered'
  } finally {
    sys.close(fd)
  }
}

/** One query and its answer over a connection: each has its length in front. Undefined if it broke off. */
export function* exchangeTcp(sys: Sys, fd: number, query: Uint8Array): Body<Uint8Array | undefined> {
  const framed = new Uint8Array(query.length + 2)
  framed[0] = query.length >> 8
  framed[1] = query.length & 255
  framed.set(query, 2)
  const sent = yield* sys.sendTo(fd, framed, undefined, { noSignal: true })
  if (!sent.ok) return undefined
  const head = yield* exactly(sys, fd, 2)
  return head && (yield* exactly(sys, fd, (head[0]! << 8) | head[1]!))
}

/** So many bytes; undefined at an early end. */
export function* exactly(sys: Sys, fd: number, length: number): Body<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  for (let left = length; left > 0; ) {
    const got = yield* sys.read(fd, left)
    if (!got.ok && got.errno === 'EINTR') continue
    if (!got.ok || got.value.length === 0) return undefined
    pieces.push(got.value)
    left -= got.value.length
  }
  return joined(pieces)
}

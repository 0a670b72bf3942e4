/** An address's name, or a name's address. Net::DNS 1.36: Net::DNS::Resolver::Base: search(), _send_udp(), _send_tcp() */
import { type Body, POLLIN, type Sys } from '#kernel/core'
import { exactly, parseAddress, readResolvConf } from '#user/libc'
import { DNS_TYPES, type DnsMessage, dnsQuery, emitDns, parseDns, reverseName } from '#wire/dns'
import { formatIpv4 } from '#wire/inet'
import { connectUntil, ready, sendUntil, socketAddress } from '../connecting.ts'
import { compilePattern } from '../perl.ts'
import type { Checking } from './check.ts'

/** Seconds to wait for an answer, for each time that a question is sent. */
const WAITS_S = [5, 10, 20, 40]
const UDP_MAX = 65_535
const { A, PTR } = DNS_TYPES as Record<string, number>

export function* checkDns(check: Checking): Body<boolean> {
  const { real, virtual, sys } = check
  const request = real.request!.replace(/^\//, '')
  const receive = real.receive!
  yield* check.debug(2, `Checking DNS: request="${request}" receive="${receive}"\n`)
  const untilNs = check.untilNs(virtual.negotiatetimeout)
  let answer: DnsMessage | undefined
  for (const name of yield* candidates(sys, request === '' || request === '0' ? '.' : request)) {
    answer = yield* ask(check, name, untilNs)
    if (answer && answer.answers.length > 0) break
    answer = undefined
    if (sys.monotonicNs() >= untilNs) break
  }
  if (!answer) return yield* check.set('down', 'Connection timed out')
  const pattern = receive === '' ? undefined : compilePattern(receive)
  const up = answer.answers.some(({ type, data }) => {
    if (!pattern) return false
    if (type === A && data.kind === 'a') return pattern.test(formatIpv4(data.address))
    return type === PTR && data.kind === 'name' && pattern.test(data.name.replace(/\.$/, ''))
  })
  return yield* check.set(up ? 'up' : 'down', up ? 'Success' : 'Response mismatch')
}

/** A name without dots is looked for only below the domains of the search list. */
function* candidates(sys: Sys, name: string): Body<string[]> {
  if (name.includes('.') || name.includes(':')) return [name]
  const { search, ndots } = yield* readResolvConf(sys)
  const domains = ndots > 0 ? search.filter((domain) => domain !== '') : []
  return domains.length > 0 ? domains.map((domain) => `${name}.${domain}`) : [name]
}

function question(sys: Sys, name: string): DnsMessage {
  const [high = 0, low = 0] = sys.getrandom(2)
  const address = parseAddress(name)
  const isAddress = address !== undefined && (address.family === 'AF_INET6' || /^\d+\.\d+\.\d+\.\d+$/.test(name))
  const asked = isAddress ? reverseName(address.address) : `${name.replace(/\.$/, '')}.`
  return dnsQuery((high << 8) | low, asked, isAddress ? PTR! : A!)
}

function* ask(check: Checking, name: string, untilNs: number): Body<DnsMessage | undefined> {
  const query = question(check.sys, name)
  if (check.virtual.protocol === 'tcp') return yield* overTcp(check, query, untilNs)
  const answer = yield* overUdp(check, query, untilNs)
  return answer?.truncated ? yield* overTcp(check, query, untilNs) : answer
}

const isAnswer = (message: DnsMessage | undefined, query: DnsMessage) =>
  message?.response === true && message.id === query.id

function* overUdp(check: Checking, query: DnsMessage, untilNs: number): Body<DnsMessage | undefined> {
  const { sys, real, port } = check
  const to = yield* socketAddress(sys, real.server, port)
  const made = to && sys.socket(to.family, 'SOCK_DGRAM', 0)
  if (!made?.ok) return undefined
  const fd = made.value
  try {
    for (const waitS of WAITS_S) {
      yield* sys.sendTo(fd, emitDns(query), to)
      const roundNs = Math.min(untilNs, check.untilNs(waitS))
      while (yield* ready(sys, fd, POLLIN, roundNs)) {
        const got = yield* sys.receive(fd, UDP_MAX, { dontWait: true })
        const message = got.ok ? parseDns(got.value.bytes) : undefined
        if (isAnswer(message, query)) return message
        if (sys.monotonicNs() >= roundNs) break
      }
      if (sys.monotonicNs() >= untilNs) return undefined
    }
    return undefined
  } finally {
    sys.close(fd)
  }
}

function* overTcp(check: Checking, query: DnsMessage, untilNs: number): Body<DnsMessage | undefined> {
  const { sys, real, port } = check
  const opened = yield* connectUntil(sys, real.server, port, 'SOCK_STREAM', untilNs)
  if ('failed' in opened) return undefined
  const { fd } = opened
  try {
    const bytes = emitDns(query)
    const framed = new Uint8Array(bytes.length + 2)
    framed.set([bytes.length >> 8, bytes.length & 255])
    framed.set(bytes, 2)
    if (!(yield* sendUntil(sys, fd, framed, untilNs))) return undefined
    sys.setNonBlocking(fd, false)
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', Math.max(1, untilNs - sys.monotonicNs()))
    const head = yield* exactly(sys, fd, 2)
    const body = head && (yield* exactly(sys, fd, (head[0]! << 8) | head[1]!))
    const message = body && parseDns(body)
    return isAnswer(message, query) ? message : undefined
  } finally {
    sys.close(fd)
  }
}

/** `dig` of BIND 9.18. */
import type { Body, Sys } from '#kernel/core'
import { Exit, formatAddress, gaiStrerror, lookupHost, type ResolverConfig, readResolvConf, Stdio } from '#user/libc'
import { formatTime } from '#user/shell'
import { type DnsMessage, dnsQuery, formatDnsData, labelsOf } from '#wire/dns'
import { type Lookup, parseDig, VERSION } from './dig-options.ts'
import { type Exchanged, exchange, isAnswerTo, type Server, serverText } from './exchange.ts'
import { iscResult } from './isc-result.ts'
import { formatEdns, formatHeader, formatQuestions, formatRecord } from './print.ts'

const COOKIE = 10
const STATUS_NO_REPLY = 9

export function dig(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'dig')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const { lookups, global } = parseDig(io, argv)
  const config = yield* readResolvConf(sys)
  const heading = { argv, printed: false }
  let status = 0
  // The first query's +cmd decides for all.
  if (!global.cmd) heading.printed = true
  for (const lookup of lookups) {
    if (labelsOf(lookup.name) === undefined) {
      const why = lookup.name.includes('..') ? 'empty label' : 'label too long'
      io.error(`dig: '${lookup.name}' is not a legal name (${why})\n`)
      return 10
    }
    const servers = yield* serversFor(sys, io, lookup, config)
    const one = yield* run(sys, io, lookup, servers, config, heading)
    if (one !== 0) status = one
    yield* io.settle()
  }
  return status
}

interface Heading {
  argv: string[]
  printed: boolean
}

function* serversFor(sys: Sys, io: Stdio, lookup: Lookup, config: ResolverConfig): Body<Server[]> {
  if (lookup.server === undefined) {
    return config.servers.map((address) => ({ address, port: lookup.port, name: formatAddress(address) }))
  }
  const found = yield* lookupHost(sys, lookup.server, { family: lookup.family })
  if (!found.ok) {
    const why =
      found.error === 'EAI_NONAME' ? 'not found' : found.error === 'EAI_AGAIN' ? 'failure' : gaiStrerror(found.error)
    io.error(`dig: couldn't get address for '${lookup.server}': ${why}\n`)
    throw new Exit(10)
  }
  return found.value.addresses.map((address) => ({ address, port: lookup.port, name: lookup.server! }))
}

function heading(io: Stdio, lookup: Lookup, servers: Server[], head: Heading): void {
  if (head.printed || !lookup.cmd) return
  head.printed = true
  io.print(`\n; <<>> DiG ${VERSION} <<>> ${head.argv.slice(1).join(' ')}\n`)
  if (lookup.server !== undefined) io.print(`; (${servers.length} server${servers.length > 1 ? 's' : ''} found)\n`)
  io.print(';; global options: +cmd\n')
}

function makeQuery(sys: Sys, lookup: Lookup, name: string): DnsMessage {
  const random = sys.getrandom(10)
  const query = dnsQuery((random[0]! << 8) | random[1]!, name.endsWith('.') ? name : `${name}.`, lookup.type)
  query.questions[0]!.class = lookup.class
  query.recursionDesired = lookup.recurse
  query.authenticData = lookup.adflag
  query.authoritative = lookup.aaflag
  query.checkingDisabled = lookup.cdflag
  if (lookup.edns) {
    query.edns = {
      udpSize: lookup.bufsize,
      extendedRcode: 0,
      version: 0,
      dnssecOk: lookup.dnssec,
      options: lookup.cookie ? [{ code: COOKIE, data: random.slice(2) }] : [],
    }
  }
  return query
}

function* run(
  sys: Sys,
  io: Stdio,
  lookup: Lookup,
  servers: Server[],
  config: ResolverConfig,
  head: Heading,
): Body<number> {
  const names = [lookup.name]
  if (lookup.search && !lookup.name.endsWith('.')) {
    const domains = lookup.domain !== undefined ? [lookup.domain] : config.search
    const searched = domains.map((domain) => `${lookup.name}.${domain}`)
    if (lookup.name.split('.').length - 1 >= config.ndots) names.push(...searched)
    else names.unshift(...searched)
  }
  for (const [i, name] of names.entries()) {
    const query = makeQuery(sys, lookup, name)
    const answer = yield* ask(sys, io, lookup, servers, query, head)
    if (typeof answer === 'number') return answer
    if (answer.message.rcode === 3 && i + 1 < names.length) continue
    show(sys, io, lookup, answer.server, query, answer, head, servers)
    return 0
  }
  return 0
}

type Answer = Extract<Exchanged, { kind: 'answer' }> & { server: Server }

/** Tries, on each server in turn. */
function* ask(
  sys: Sys,
  io: Stdio,
  lookup: Lookup,
  servers: Server[],
  query: DnsMessage,
  head: Heading,
): Body<Answer | number> {
  let tcp = lookup.tcp
  for (let round = 0; round < lookup.tries; round++) {
    for (const server of servers) {
      const at = serverText(server)
      if (lookup.qr) showQuery(io, lookup, query, servers, head)
      const options = { tcp, timeoutNs: lookup.timeS * 1e9, ...(lookup.source ? { source: lookup.source } : {}) }
      let got = yield* exchange(sys, server, query, options)
      if (got.kind === 'answer' && got.message.truncated && !tcp && !lookup.ignore) {
        if (lookup.comments) io.print(';; Truncated, retrying in TCP mode.\n')
        tcp = true
        got = yield* exchange(sys, server, query, { ...options, tcp })
      }
      if (got.kind === 'answer') {
        const [told] = got.message.questions
        if (isAnswerTo(query, got.message)) return { ...got, server }
        io.print(`;; Question section mismatch: got ${told?.name}\n`)
        continue
      }
      if (got.kind === 'malformed') {
        io.print(';; Warning: Message parser reports malformed message packet.\n')
        return 0
      }
      const [asked] = query.questions
      const where = `${at}(${server.name}) for ${asked!.name.replace(/(.)\.$/, '$1')} failed`
      if (got.kind === 'unavailable') {
        const what = iscResult(got.errno!)
        io.print(`;; ${tcp ? 'Connection to' : 'UDP setup with'} ${where}: ${what}.\n`)
      } else if (tcp && got.kind === 'refused') {
        io.print(`;; Connection to ${where}: connection refused.\n;; no servers could be reached\n`)
      } else if (tcp && got.kind === 'timeout') {
        io.print(`;; Connection to ${where}: timed out.\n;; no servers could be reached\n`)
      } else {
        const what = { timeout: 'timed out', refused: 'connection refused', eof: 'end of file' }[got.kind]
        io.print(`;; communications error to ${at}: ${what}\n`)
      }
      yield* io.settle()
    }
  }
  if (!tcp) {
    heading(io, lookup, servers, head)
    io.print(';; no servers could be reached\n')
  }
  return STATUS_NO_REPLY
}

function showQuery(io: Stdio, lookup: Lookup, query: DnsMessage, servers: Server[], head: Heading): void {
  heading(io, lookup, servers, head)
  io.print(`;; Sending:\n${formatHeader(query)}${formatEdns(query)};; QUESTION SECTION:\n${formatQuestions(query)}\n`)
  const size = 12 + query.questions[0]!.name.length + 1 + 4 + (query.edns ? 11 + query.edns.options.length * 12 : 0)
  io.print(`;; QUERY SIZE: ${size}\n\n`)
}

function show(
  sys: Sys,
  io: Stdio,
  o: Lookup,
  server: Server,
  query: DnsMessage,
  answer: Answer,
  head: Heading,
  servers: Server[],
): void {
  const { message } = answer
  heading(io, o, servers, head)
  if (o.short) {
    for (const record of message.answers) io.print(`${formatDnsData(record.data)}\n`)
    return
  }
  if (o.comments) {
    io.print(`;; Got answer:\n${formatHeader(message)}`)
    if (query.recursionDesired && !message.recursionAvailable) {
      io.print(';; WARNING: recursion requested but not available\n')
    }
    io.print(message.edns ? formatEdns(message) : '\n')
  }
  const section = (on: boolean, title: string, text: string) => {
    if (!on || text === '') return
    if (o.comments) io.print(`;; ${title} SECTION:\n${text}\n`)
    else io.print(text)
  }
  const form = { ttl: o.ttlid, class: o.class_ }
  const records = (list: DnsMessage['answers']) => list.map((record) => formatRecord(record, form)).join('')
  section(o.question, 'QUESTION', formatQuestions(message))
  section(o.answer, 'ANSWER', records(message.answers))
  section(o.authority, 'AUTHORITY', records(message.authorities))
  section(o.additional, 'ADDITIONAL', records(message.additionals))
  if (o.stats) {
    io.print(`;; Query time: ${Math.floor(answer.tookNs / 1e6)} msec\n`)
    io.print(`;; SERVER: ${serverText(server)}(${server.name}) (${answer.tcp ? 'TCP' : 'UDP'})\n`)
    io.print(
      `;; WHEN: ${formatTime('%a %b %d %H:%M:%S UTC %Y', sys.realtime().s)}\n;; MSG SIZE  rcvd: ${answer.size}\n\n`,
    )
  }
}

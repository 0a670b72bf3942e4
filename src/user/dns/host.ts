/** `host` of BIND 9.18. bin/dig/host.c */
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import type { Body, Sys } from '#kernel/core'
import { Exit, formatAddress, lookupHost, parseAddress, type ResolverConfig, readResolvConf, Stdio } from '#user/libc'
import {
  DNS_TYPES,
  type DnsMessage,
  type DnsRecord,
  dnsClassNumber,
  dnsQuery,
  dnsRcodeName,
  dnsTypeName,
  dnsTypeNumber,
  formatDnsData,
  labelsOf,
  reverseName,
} from '#wire/dns'
import { VERSION } from './dig-options.ts'
import { type Exchanged, exchange, type Server, serverText } from './exchange.ts'
import { iscResult } from './isc-result.ts'
import { formatHeader, formatQuestions, formatRecord } from './print.ts'

const USAGE = `Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-m flag] [-p port] hostname [server]
       -a is equivalent to -v -t ANY
       -A is like -a but omits RRSIG, NSEC, NSEC3
       -c specifies query class for non-IN data
       -C compares SOA records on authoritative nameservers
       -d is equivalent to -v
       -l lists all hosts in a domain, using AXFR
       -m set memory debugging flag (trace|record|usage)
       -N changes the number of dots allowed before root lookup is done
       -p specifies the port on the server to query
       -r disables recursive processing
       -R specifies number of retries for UDP packets
       -s a SERVFAIL response should stop query
       -t specifies the query type
       -T enables TCP/IP mode
       -U enables UDP mode
       -v enables verbose output
       -V print version number and exit
       -w specifies to wait forever for a reply
       -W specifies how long to wait for a reply
       -4 use IPv4 query transport only
       -6 use IPv6 query transport only
`

/** What stands between a name and its data; types without a phrase are written as records. */
const PHRASES: Record<string, string> = {
  A: 'has address',
  NS: 'name server',
  CNAME: 'is an alias for',
  PTR: 'domain name pointer',
  HINFO: 'host information',
  MX: 'mail is handled by',
  TXT: 'descriptive text',
  AAAA: 'has IPv6 address',
  SOA: 'has SOA record',
  SRV: 'has SRV record',
}

interface HostOptions {
  type: number | undefined
  class: number
  verbose: boolean
  tcp: boolean
  recurse: boolean
  port: number
  timeS: number
  tries: number
  ndots: number | undefined
}

export function host(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'host')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const o: HostOptions = {
    type: undefined,
    class: 1,
    verbose: false,
    tcp: false,
    recurse: true,
    port: 53,
    timeS: 5,
    tries: 2,
    ndots: undefined,
  }
  const parsed = getopt(argv, 'aAc:dilnm:p:rst:vVwCDN:R:TUW:46')
  const usage = (): never => {
    io.error(USAGE)
    throw new Exit(1)
  }
  for (const { option, value = '', message } of parsed.options) {
    if (message) {
      io.error(`${message}\n`)
      usage()
    }
    if (option === 'a') {
      o.verbose = true
      o.type = 255
    } else if (option === 'c') {
      const number = dnsClassNumber(value)
      if (number === undefined) {
        io.error(`host: invalid class: ${value}\n\n`)
        return 2
      }
      o.class = number
    } else if (option === 'd' || option === 'v') o.verbose = true
    else if (option === 'N') o.ndots = Number(value)
    else if (option === 'p') o.port = Number(value)
    else if (option === 'r') o.recurse = false
    else if (option === 'R') o.tries = Math.max(1, Number(value) + 1)
    else if (option === 't') {
      const number = dnsTypeNumber(value)
      if (number === undefined) {
        io.error(`host: invalid type: ${value}\n\n`)
        return 2
      }
      o.type = number
    } else if (option === 'T') o.tcp = true
    else if (option === 'V') {
      io.error(`host ${VERSION}\n`)
      return 0
    } else if (option === 'w') o.timeS = 2 ** 31
    else if (option === 'W') o.timeS = Math.max(1, Number(value))
    else if (option === 'U' || option === '4' || option === 's') continue
    else throw new NotModelled(`host -${option}`)
  }
  const [name, serverName] = parsed.operands
  if (name === undefined || parsed.operands.length > 2) usage()
  if (labelsOf(name!) === undefined) {
    io.error(`host: '${name}' is not a legal name (empty label)\n`)
    return 1
  }
  const config = yield* readResolvConf(sys)
  let servers: Server[] = config.servers.map((address) => ({ address, port: o.port, name: formatAddress(address) }))
  if (serverName !== undefined) {
    const found = yield* lookupHost(sys, serverName)
    if (!found.ok) {
      io.error(`host: couldn't get address for '${serverName}': not found\n`)
      return 1
    }
    servers = found.value.addresses.map((address) => ({ address, port: o.port, name: serverName }))
  }
  return yield* new Asker(sys, io, o, config, servers, serverName !== undefined).run(name!)
}

class Asker {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #o: HostOptions
  readonly #config: ResolverConfig
  readonly #servers: Server[]
  #banner: boolean

  constructor(sys: Sys, io: Stdio, o: HostOptions, config: ResolverConfig, servers: Server[], named: boolean) {
    this.#sys = sys
    this.#io = io
    this.#o = o
    this.#config = config
    this.#servers = servers
    this.#banner = named
  }

  *run(name: string): Body<number> {
    const number = parseAddress(name)
    const dotted = number && (number.family === 'AF_INET6' || /^\d+\.\d+\.\d+\.\d+$/.test(name))
    if (number && dotted && this.#o.type === undefined) {
      return yield* this.#query([reverseName(number.address)], DNS_TYPES['PTR']!, name)
    }
    const dots = name.replace(/\.$/, '').split('.').length - 1
    const searched = this.#config.search.map((domain) => `${name}.${domain}.`)
    const asIs = name.endsWith('.') ? name : `${name}.`
    let names = dots >= (this.#o.ndots ?? this.#config.ndots) ? [asIs, ...searched] : [...searched, asIs]
    if (name.endsWith('.')) names = [asIs]
    if (this.#o.type !== undefined) return yield* this.#query(names, this.#o.type, name)
    const status = yield* this.#query(names, DNS_TYPES['A']!, name, true)
    if (status !== 0 || this.#found === undefined) return status
    // The other two are asked of what the first led to.
    const end = this.#found
    yield* this.#query([end], DNS_TYPES['AAAA']!, name, true)
    yield* this.#query([end], DNS_TYPES['MX']!, name, true)
    return 0
  }

  /** The name that the answer is about, aliases followed. */
  #found: string | undefined;

  *#query(names: string[], type: number, shown: string, quietly = false): Body<number> {
    let status = 0
    for (const [i, name] of names.entries()) {
      if (this.#o.verbose) this.#io.print(`Trying "${name.replace(/(.)\.$/, '$1')}"\n`)
      const random = this.#sys.getrandom(2)
      const query = dnsQuery((random[0]! << 8) | random[1]!, name, type)
      query.questions[0]!.class = this.#o.class
      query.recursionDesired = this.#o.recurse
      const got = yield* this.#ask(query)
      if (!got) return 1
      const { message } = got
      if (message.rcode === 3 && i + 1 < names.length) continue
      this.#printBanner(got.server)
      status = this.#show(got, name, type, shown, quietly)
      return status
    }
    return status
  }

  #printBanner(server: Server): void {
    if (!this.#banner) return
    this.#banner = false
    this.#io.print(`Using domain server:\nName: ${server.name}\nAddress: ${serverText(server)}\nAliases: \n\n`)
  }

  *#ask(query: DnsMessage): Body<(Extract<Exchanged, { kind: 'answer' }> & { server: Server }) | undefined> {
    let tcp = this.#o.tcp
    for (let round = 0; round < this.#o.tries; round++) {
      for (const server of this.#servers) {
        let got = yield* exchange(this.#sys, server, query, { tcp, timeoutNs: this.#o.timeS * 1e9 })
        if (got.kind === 'answer' && got.message.truncated && !tcp) {
          this.#io.print(';; Truncated, retrying in TCP mode.\n')
          tcp = true
          got = yield* exchange(this.#sys, server, query, { tcp, timeoutNs: this.#o.timeS * 1e9 })
        }
        if (got.kind === 'answer') return { ...got, server }
        yield* complain(this.#io, server, query, got, tcp)
      }
    }
    this.#io.print(';; no servers could be reached\n')
    return undefined
  }

  #show(
    got: Extract<Exchanged, { kind: 'answer' }> & { server: Server },
    name: string,
    type: number,
    _shown: string,
    quietly: boolean,
  ): number {
    const io = this.#io
    const { message } = got
    const plain = name.replace(/(.)\.$/, '$1')
    if (message.rcode !== 0) {
      io.print(`Host ${plain} not found: ${message.rcode}(${dnsRcodeName(message.rcode)})\n`)
      if (this.#o.verbose) io.print(`Received ${got.size} bytes from ${serverText(got.server)} in ${ms(got)} ms\n`)
      return 1
    }
    this.#found = name
    for (const record of message.answers)
      if (record.data.kind === 'name' && record.type === 5) this.#found = record.data.name
    if (this.#o.verbose) {
      io.print(`${formatHeader(message)}\n;; QUESTION SECTION:\n${formatQuestions(message)}\n`)
      const sections = [
        ['ANSWER', message.answers],
        ['AUTHORITY', message.authorities],
        ['ADDITIONAL', message.additionals],
      ] as const
      for (const [title, records] of sections) {
        if (records.length > 0)
          io.print(`;; ${title} SECTION:\n${records.map((record) => formatRecord(record)).join('')}\n`)
      }
      io.print(`Received ${got.size} bytes from ${serverText(got.server)} in ${ms(got)} ms\n`)
      return 0
    }
    if (message.answers.length === 0) {
      if (!quietly) io.print(`${plain} has no ${dnsTypeName(type)} record\n`)
      return 0
    }
    // Aliases were told when the address was asked for.
    for (const record of message.answers) {
      if (quietly && type !== DNS_TYPES['A'] && record.type === 5) continue
      io.print(sentence(record))
    }
    return 0
  }
}

function ms(got: { tookNs: number }): number {
  return Math.floor(got.tookNs / 1e6)
}

function sentence(record: DnsRecord): string {
  const owner = record.name.replace(/(.)\.$/, '$1')
  const type = dnsTypeName(record.type)
  const phrase = PHRASES[type]
  return phrase === undefined
    ? `${owner} has ${type} record ${formatDnsData(record.data)}\n`
    : `${owner} ${phrase} ${formatDnsData(record.data)}\n`
}

/** What BIND's tools say of a try that came to nothing. */
export function* complain(io: Stdio, server: Server, query: DnsMessage, got: Exchanged, tcp: boolean): Body<void> {
  const at = serverText(server)
  const name = query.questions[0]!.name.replace(/(.)\.$/, '$1')
  if (got.kind === 'unavailable') {
    const what = iscResult(got.errno!)
    io.print(`;; ${tcp ? 'Connection to' : 'UDP setup with'} ${at}(${server.name}) for ${name} failed: ${what}.\n`)
  } else if (got.kind === 'malformed') io.print(';; Warning: Message parser reports malformed message packet.\n')
  else if (got.kind !== 'answer') {
    const what = { timeout: 'timed out', refused: 'connection refused', eof: 'end of file' }[got.kind]
    if (tcp) io.print(`;; Connection to ${at}(${server.name}) for ${name} failed: ${what}.\n`)
    else io.print(`;; communications error to ${at}: ${what}\n`)
  }
  yield* io.settle()
}

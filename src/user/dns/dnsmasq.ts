/** `dnsmasq` 2.90, as far as it is a DNS server: its own names, other servers' answers, and a cache. src/dnsmasq.c, rfc1035.c, forward.c */
import { type Body, type Errno, POLLIN, readTextFile, type SockAddr, type Sys, strerror, writeText } from '#kernel/core'
import { addressOf, exactly, formatAddress, type NetAddress, parseAddress, Stdio, withPort } from '#user/libc'
import {
  canonicalName,
  DNS_TYPES,
  type DnsMessage,
  type DnsRecord,
  dnsTypeName,
  emitDns,
  formatDnsData,
  labelsOf,
  parseDns,
  reverseName,
} from '#wire/dns'
import { ConfigError, type DnsmasqConfig, readConfig, type Upstream } from './dnsmasq-config.ts'

const COMPILED =
  'IPv6 GNU-getopt DBus no-UBus i18n IDN2 DHCP DHCPv6 no-Lua TFTP conntrack ipset nftset auth cryptohash DNSSEC loop-detect inotify dumpfile'
const UDP_SIZE = 1232
const NXDOMAIN = 3
const REFUSED = 5
const FORWARDS_MAX = 150
const FORWARD_NS = 10e9
const CHAIN_MAX = 10
const TCP_AT_ONCE = 20
const CACHE_TTL_MAX = 2 ** 31
const { A, AAAA, CNAME, PTR, MX, TXT, SRV, ANY } = DNS_TYPES as Record<string, number>

export function dnsmasq(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'dnsmasq', 'none')
  return io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  try {
    const { config, mode } = yield* readConfig(sys, argv)
    if (mode === 'version') {
      io.print(`Dnsmasq version 2.90  Copyright (c) 2000-2024 Simon Kelley\nCompile time options: ${COMPILED}\n\n`)
      io.print(
        'This software comes with ABSOLUTELY NO WARRANTY.\nDnsmasq is free software, and you are welcome to redistribute it\n',
      )
      io.print('under the terms of the GNU General Public License, version 2 or 3.\n')
      return 0
    }
    if (mode === 'test') {
      io.error('dnsmasq: syntax check OK.\n')
      return 0
    }
    const server = new DnsServer(sys, config)
    yield* server.open()
    if (!config.daemon) return yield* server.run()
    sys.fork(function* (child) {
      child.setsid()
      for (const fd of [0, 1, 2]) child.close(fd)
      server.sys = child
      return yield* server.run()
    })
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    io.error(`\ndnsmasq: ${error.message}\n`)
    return error.status
  }
}

interface Cached {
  records: DnsRecord[]
  /** Of each record, when it is no longer true. */
  untilNs: number
  rcode: number
}

interface Forwarded {
  client: SockAddr
  id: number
  upstreamId: number
  query: DnsMessage
  fd: number
  sentNs: number
}

/** An answer's sections, and how it is told in the log. */
interface Local {
  answers: DnsRecord[]
  additionals: DnsRecord[]
  rcode: number
  authoritative: boolean
  log: string[]
}

class DnsServer {
  sys: Sys
  readonly #config: DnsmasqConfig
  #udp: number[] = []
  #tcp: number[] = []
  #log = ''
  #logFd = 2
  /** By name: what /etc/hosts and host-record say, in order. */
  #hosts = new Map<string, { address: NetAddress; ttl: number; source: string; name: string }[]>()
  #reverse = new Map<string, { name: string; source: string }>()
  readonly #cache = new Map<string, Cached>()
  #forwards: Forwarded[] = []
  /** Which socket a forwarded query came in by. */
  readonly #listenerOf = new Map<number, number>()
  readonly #turns = new Map<string, number>()
  #stop = false
  #children = 0
  #hup = false
  #servers: Upstream[] = []

  constructor(sys: Sys, config: DnsmasqConfig) {
    this.sys = sys
    this.#config = config
  }

  *open(): Body<void> {
    const { port } = this.#config
    if (port === 0) return
    const listen: NetAddress[] =
      this.#config.bindInterfaces && this.#config.listen.length > 0
        ? this.#config.listen
        : [{ family: 'AF_INET', address: 0 }]
    for (const address of listen) {
      for (const type of ['SOCK_DGRAM', 'SOCK_STREAM']) {
        const made = this.sys.socket(address.family, type, 0)
        if (!made.ok) continue
        this.sys.setsockopt(made.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
        const bound = this.sys.bind(made.value, withPort(address, port))
        const listening = bound.ok && type === 'SOCK_STREAM' ? this.sys.listen(made.value, 5) : bound
        if (!listening.ok) {
          const what = address.family === 'AF_INET' && address.address === 0 ? `port ${port}` : formatAddress(address)
          throw new ConfigError(`failed to create listening socket for ${what}: ${strerror(listening.errno)}`, 2)
        }
        this.sys.setNonBlocking(made.value, true)
        if (type === 'SOCK_DGRAM') this.#udp.push(made.value)
        else this.#tcp.push(made.value)
      }
    }
  }

  *run(): Body<number> {
    const { sys } = this
    const config = this.#config
    sys.sigaction('SIGTERM', () => {
      this.#stop = true
    })
    if (!config.keepForeground && !config.daemon) {
      sys.sigaction('SIGINT', () => {
        this.#stop = true
      })
    }
    sys.sigaction('SIGHUP', () => {
      this.#hup = true
    })
    sys.sigaction('SIGPIPE', 'ignore')
    if (config.logFile !== undefined && config.logFile !== '-') {
      const opened = yield* sys.open(config.logFile, 0o2101, 0o640)
      if (opened.ok) this.#logFd = opened.value
    } else if (config.daemon) this.#logFd = -1
    const size = config.cacheSize === 0 ? 'cache disabled' : `cachesize ${config.cacheSize}`
    this.#say(`started, version 2.90 ${size}`)
    this.#say(`compile time options: ${COMPILED}`)
    yield* this.#readServers()
    yield* this.#readHosts()
    for (;;) {
      yield* this.#flush()
      if (this.#stop) break
      if (this.#hup) {
        this.#hup = false
        this.#cache.clear()
        yield* this.#readHosts()
        continue
      }
      yield* this.#step()
    }
    this.#say('exiting on receipt of SIGTERM')
    yield* this.#flush()
    return 0
  }

  *#readServers(): Body<void> {
    const config = this.#config
    this.#servers = [...config.servers]
    if (!config.noResolv) {
      const file = yield* readTextFile(this.sys, config.resolvFile)
      if (!file.ok) this.#say(`failed to access ${config.resolvFile}: ${strerror(file.errno)}`)
      else {
        this.#say(`reading ${config.resolvFile}`)
        const found: Upstream[] = []
        for (const match of file.value.matchAll(/^\s*nameserver\s+(\S+)/gm)) {
          const address = parseAddress(match[1]!)
          if (!address) continue
          if (address.family === 'AF_INET' && address.address >>> 24 === 127) {
            this.#say(`ignoring nameserver ${match[1]} - local interface`)
          } else found.unshift({ address, port: 53, domain: undefined })
        }
        this.#servers.push(...found)
      }
    }
    if (this.#servers.every(({ domain }) => domain !== undefined) && config.noResolv && this.#servers.length === 0) {
      this.#say('warning: no upstream servers configured')
    }
    for (const { address, port, domain } of this.#servers) {
      const only = domain === undefined ? '' : ` for domain ${domain.replace(/\.$/, '')} `
      this.#say(`using nameserver ${formatAddress(address)}#${port}${only.trimEnd()}`)
    }
    const known = [...config.local, ...config.addresses.filter(({ none }) => none).map(({ domain }) => domain)]
    for (const domain of known) this.#say(`using only locally-known addresses for ${domain.replace(/\.$/, '')}`)
  }

  *#readHosts(): Body<void> {
    const config = this.#config
    this.#hosts = new Map()
    this.#reverse = new Map()
    const add = (name: string, address: NetAddress, ttl: number, source: string, reverse: boolean) => {
      const key = canonicalName(name)
      const list = this.#hosts.get(key) ?? []
      list.push({ address, ttl, source, name: key })
      this.#hosts.set(key, list)
      const back = reverseName(address.address)
      if (reverse && !this.#reverse.has(back)) this.#reverse.set(back, { name: key, source })
    }
    for (const record of config.hostRecords) {
      for (const address of record.addresses) {
        for (const [i, name] of record.names.entries()) {
          add(name, address, record.ttl ?? config.localTtl, 'config', i === 0)
        }
      }
    }
    const files = [...(config.noHosts ? [] : ['/etc/hosts']), ...config.addedHosts]
    if (files.length === 0) this.#say('cleared cache')
    for (const path of files) {
      const file = yield* readTextFile(this.sys, path)
      if (!file.ok) {
        this.#say(`failed to load names from ${path}: ${strerror(file.errno)}`)
        continue
      }
      let count = 0
      for (const line of file.value.split('\n')) {
        const [text = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
        const address = parseAddress(text)
        if (!address || names.length === 0) continue
        for (const name of names) {
          const expanded = config.expandHosts && config.domain !== undefined && !name.includes('.')
          // The longer name is the one that its address leads back to.
          if (expanded) {
            add(`${name}.${config.domain}`, address, config.localTtl, path, true)
            count++
          }
          add(name, address, config.localTtl, path, true)
          count++
        }
      }
      this.#say(`read ${path} - ${count} names`)
    }
  }

  #say(text: string): void {
    this.#log += `dnsmasq: ${text}\n`
  }

  *#flush(): Body<void> {
    const text = this.#log
    this.#log = ''
    if (text !== '' && this.#logFd >= 0) yield* writeText(this.sys, this.#logFd, text)
  }

  *#step(): Body<void> {
    const { sys } = this
    const now = sys.monotonicNs()
    for (const old of this.#forwards.filter(({ sentNs }) => now - sentNs > FORWARD_NS)) sys.close(old.fd)
    this.#forwards = this.#forwards.filter(({ sentNs }) => now - sentNs <= FORWARD_NS)
    const entries = [...this.#udp, ...this.#tcp, ...this.#forwards.map(({ fd }) => fd)].map((fd) => ({
      fd,
      events: POLLIN,
    }))
    const timeout = this.#forwards.length > 0 ? FORWARD_NS : Number.POSITIVE_INFINITY
    const ready = yield* sys.poll(entries, timeout)
    if (!ready.ok) return
    for (const { fd } of ready.value) {
      const forward = this.#forwards.find((one) => one.fd === fd)
      if (forward) yield* this.#replied(forward)
      else if (this.#udp.includes(fd)) yield* this.#datagram(fd)
      else yield* this.#connection(fd)
    }
  }

  *#datagram(fd: number): Body<void> {
    const got = yield* this.sys.receive(fd, 65_535, { dontWait: true })
    if (!got.ok) return
    const query = parseDns(got.value.bytes)
    if (!query || query.response || query.opcode !== 0) return
    const reply = yield* this.#answer(query, got.value.from, fd)
    if (reply) yield* this.sys.sendTo(fd, this.#cut(reply, query), got.value.from)
  }

  /** A child for each connection, as the original has it. */
  *#connection(fd: number): Body<void> {
    const { sys } = this
    for (;;) {
      const ended = yield* sys.waitpid(-1, { noHang: true })
      if (!ended.ok || ended.value === undefined) break
      this.#children--
    }
    const accepted = yield* sys.accept(fd)
    if (!accepted.ok) return
    if (this.#children >= TCP_AT_ONCE) {
      sys.close(accepted.value.fd)
      return
    }
    this.#children++
    sys.fork((child) => this.#serveTcp(child, accepted.value.fd, accepted.value.from))
    sys.close(accepted.value.fd)
  }

  *#serveTcp(child: Sys, fd: number, from: SockAddr): Body<number> {
    child.setNonBlocking(fd, false)
    child.setsockopt(fd, 'SOL_SOCKET', 'SO_RCVTIMEO', 15e9)
    for (let count = 0; count < 100; count++) {
      const head = yield* exactly(child, fd, 2)
      const body = head && (yield* exactly(child, fd, (head[0]! << 8) | head[1]!))
      const query = body && parseDns(body)
      if (!query || query.response) break
      const answered = this.#local(query, from)
      const reply = answered ?? (yield* this.#forwardTcp(child, query))
      const text = this.#log
      this.#log = ''
      if (text !== '' && this.#logFd >= 0) yield* writeText(child, this.#logFd, text)
      const bytes = emitDns(reply)
      const framed = new Uint8Array(bytes.length + 2)
      framed.set([bytes.length >> 8, bytes.length & 255])
      framed.set(bytes, 2)
      const sent = yield* child.sendTo(fd, framed, undefined, { noSignal: true })
      if (!sent.ok) break
    }
    return 0
  }

  *#forwardTcp(child: Sys, query: DnsMessage): Body<DnsMessage> {
    const [question] = query.questions
    for (const upstream of this.#upstreams(question!.name)) {
      this.#logQuery(`forwarded ${plain(question!.name)} to ${formatAddress(upstream.address)}`)
      const made = child.socket(upstream.address.family, 'SOCK_STREAM', 0)
      if (!made.ok) continue
      const connected = yield* child.connect(made.value, withPort(upstream.address, upstream.port))
      if (connected.ok) {
        const bytes = emitDns(query)
        const framed = new Uint8Array(bytes.length + 2)
        framed.set([bytes.length >> 8, bytes.length & 255])
        framed.set(bytes, 2)
        yield* child.sendTo(made.value, framed, undefined, { noSignal: true })
        const head = yield* exactly(child, made.value, 2)
        const body = head && (yield* exactly(child, made.value, (head[0]! << 8) | head[1]!))
        const reply = body && parseDns(body)
        child.close(made.value)
        if (reply) {
          this.#learn(reply)
          return reply
        }
      } else child.close(made.value)
    }
    return this.#refusal(query)
  }

  /** A reply as bytes, cut to what the client takes. */
  #cut(reply: DnsMessage, query: DnsMessage): Uint8Array {
    const most = Math.max(512, Math.min(query.edns?.udpSize ?? 512, UDP_SIZE))
    const bytes = emitDns(reply)
    if (bytes.length <= most) return bytes
    return emitDns({ ...reply, truncated: true, answers: [], authorities: [], additionals: [] })
  }

  #logQuery(text: string): void {
    if (this.#config.logQueries) this.#say(text)
  }

  *#answer(query: DnsMessage, from: SockAddr, fd: number): Body<DnsMessage | undefined> {
    const local = this.#local(query, from)
    if (local) return local
    return yield* this.#forward(query, from, fd)
  }

  #reply(query: DnsMessage, local: Local): DnsMessage {
    const reply: DnsMessage = {
      ...query,
      response: true,
      authoritative: local.authoritative,
      recursionAvailable: true,
      authenticData: false,
      checkingDisabled: false,
      rcode: local.rcode,
      answers: local.answers,
      authorities: [],
      additionals: local.additionals,
    }
    delete reply.edns
    if (query.edns)
      reply.edns = { udpSize: UDP_SIZE, extendedRcode: 0, version: 0, dnssecOk: query.edns.dnssecOk, options: [] }
    return reply
  }

  #refusal(query: DnsMessage): DnsMessage {
    this.#logQuery('config error is REFUSED (EDE: not ready)')
    const reply = this.#reply(query, { answers: [], additionals: [], rcode: REFUSED, authoritative: false, log: [] })
    if (reply.edns) reply.edns.options = [{ code: 15, data: Uint8Array.of(0, 14) }]
    return reply
  }

  /** What it knows itself; undefined if others must be asked. */
  #local(query: DnsMessage, from: SockAddr): DnsMessage | undefined {
    const [question] = query.questions
    if (query.questions.length !== 1 || !question) {
      return this.#reply(query, { answers: [], additionals: [], rcode: 1, authoritative: false, log: [] })
    }
    const client = addressOf(from)
    const type = dnsTypeName(question.type)
    const shown = type.startsWith('TYPE') ? `type=${question.type}` : type
    this.#logQuery(`query[${shown}] ${plain(question.name)} from ${client ? formatAddress(client.address) : '?'}`)
    const local = question.class === 3 ? this.#chaos(question.name) : this.#find(question.name, question.type, 0)
    if (!local) return undefined
    for (const line of local.log) this.#logQuery(line)
    return this.#reply(query, local)
  }

  #chaos(name: string): Local | undefined {
    if (canonicalName(name) !== 'version.bind.') return undefined
    const text = 'dnsmasq-2.90'
    const record: DnsRecord = { name, type: TXT!, class: 3, ttl: 0, data: { kind: 'txt', texts: [latin(text)] } }
    return found([record], `config ${plain(name)} is <TXT>`)
  }

  #find(name: string, type: number, depth: number): Local | undefined {
    const key = canonicalName(name)
    const config = this.#config
    const ttl = config.localTtl
    const make = (of: number, data: DnsRecord['data'], its = ttl): DnsRecord => ({
      name,
      type: of,
      class: 1,
      ttl: its,
      data,
    })
    const alias = config.cnames.find((one) => one.name === key)
    if (alias && depth < CHAIN_MAX) {
      const own = make(CNAME!, { kind: 'name', name: alias.target }, alias.ttl ?? ttl)
      const rest = type === CNAME ? undefined : this.#find(alias.target, type, depth + 1)
      const log = [`config ${plain(name)} is <CNAME>`]
      const more = rest && rest.answers.length > 0 ? rest : undefined
      return {
        answers: [own, ...(more?.answers ?? [])],
        additionals: [],
        rcode: 0,
        authoritative: true,
        log: [...log, ...(more?.log ?? [])],
      }
    }
    if (type === PTR || type === ANY) {
      const own = config.ptr.find((one) => one.name === key)
      if (own) return found([make(PTR!, { kind: 'name', name: own.target })], `config ${plain(name)} is <PTR>`)
      const back = this.#reverse.get(key)
      if (back) {
        const record = make(PTR!, { kind: 'name', name: back.name })
        return found([record], `${back.source} ${addressOfReverse(key)} is ${plain(back.name)}`)
      }
    }
    if (type === TXT || type === ANY) {
      const own = config.txt.filter((one) => one.name === key)
      if (own.length > 0) {
        const records = own.map((one) => make(TXT!, { kind: 'txt', texts: one.texts.map(latin) }))
        return found(records, `config ${plain(name)} is <TXT>`)
      }
    }
    if (type === A || type === AAAA || type === ANY) {
      const records = this.#addresses(name, key, type)
      if (records) return records
    }
    if (type === MX || type === ANY) {
      const own = config.mx.filter((one) => one.name === key)
      if (own.length > 0) {
        const records = own.map((one) => make(MX!, { kind: 'mx', preference: one.preference, exchange: one.target }))
        return this.#withTargets(found(records, `config ${plain(name)} is <MX>`), own)
      }
    }
    if (type === SRV || type === ANY) {
      const own = config.srv.filter((one) => one.name === key)
      if (own.length > 0) {
        const records = own.map(({ priority, weight, port, target }) =>
          make(SRV!, { kind: 'srv', priority, weight, port, target }),
        )
        return this.#withTargets(found(records, `config ${plain(name)} is <SRV>`), own)
      }
    }
    return this.#cached(name, key, type) ?? this.#nothing(name, key, type)
  }

  #addresses(name: string, key: string, type: number): Local | undefined {
    const entries = (this.#hosts.get(key) ?? []).filter(
      ({ address }) => type === ANY || (address.family === 'AF_INET') === (type === A),
    )
    if (entries.length > 0) {
      // Several take turns at being the first.
      const turn = this.#turns.get(`${key}${type}`) ?? 0
      this.#turns.set(`${key}${type}`, turn + 1)
      const turned = entries.map((_, i) => entries[(i + turn) % entries.length]!)
      const records = turned.map(({ address, ttl }) => addressRecord(name, address, ttl))
      return found(records, ...turned.map((one) => `${one.source} ${plain(name)} is ${formatAddress(one.address)}`))
    }
    const best = this.#addressRule(key)
    if (!best || best.none) return undefined
    const ttl = this.#config.localTtl
    if (type !== AAAA && best.v4 !== undefined) {
      const record = addressRecord(name, { family: 'AF_INET', address: best.v4 }, ttl)
      return found([record], `config ${plain(name)} is ${formatDnsData(record.data)}`)
    }
    if (type !== A && best.v6) {
      const record = addressRecord(name, { family: 'AF_INET6', address: best.v6, scopeId: 0 }, ttl)
      return found([record], `config ${plain(name)} is ${formatDnsData(record.data)}`)
    }
    return undefined
  }

  /** address=: the longest domain counts. */
  #addressRule(key: string): DnsmasqConfig['addresses'][number] | undefined {
    const hits = this.#config.addresses.filter(({ domain }) => below(key, domain))
    return hits.sort((a, b) => b.domain.length - a.domain.length)[0]
  }

  #withTargets(local: Local, own: { target: string }[]): Local {
    for (const { target } of own) {
      for (const { address, ttl } of this.#hosts.get(target) ?? []) {
        local.additionals.push(addressRecord(target, address, ttl))
      }
    }
    return local
  }

  #cached(name: string, key: string, type: number): Local | undefined {
    const now = this.sys.monotonicNs()
    const answers: DnsRecord[] = []
    const log: string[] = []
    let at = key
    let shown = name
    for (let hops = 0; hops < CHAIN_MAX; hops++) {
      const entry = this.#cache.get(`${at} ${type}`)
      if (entry && entry.untilNs > now) {
        if (entry.rcode === NXDOMAIN || entry.records.length === 0) {
          log.push(`cached ${plain(shown)} is ${entry.rcode === NXDOMAIN ? 'NXDOMAIN' : nodata(type)}`)
          return { answers, additionals: [], rcode: entry.rcode, authoritative: false, log }
        }
        for (const record of entry.records) {
          answers.push({ ...record, name: shown, ttl: Math.ceil((entry.untilNs - now) / 1e9) })
          log.push(`cached ${plain(shown)} is ${logData(record)}`)
        }
        return { answers, additionals: [], rcode: 0, authoritative: false, log }
      }
      const alias = this.#cache.get(`${at} ${CNAME}`)
      if (!alias || alias.untilNs <= now || alias.records[0]?.data.kind !== 'name') return undefined
      answers.push({ ...alias.records[0], name: shown, ttl: Math.ceil((alias.untilNs - now) / 1e9) })
      log.push(`cached ${plain(shown)} is <CNAME>`)
      shown = alias.records[0].data.name
      at = canonicalName(shown)
    }
    return undefined
  }

  /** Where it is certain that there is nothing. */
  #nothing(name: string, key: string, type: number): Local | undefined {
    const config = this.#config
    const rule = this.#addressRule(key)
    const exists = this.#exists(key)
    const domains = [...config.local, ...(rule?.none ? [rule.domain] : [])]
    const upstream = config.servers.filter(({ domain }) => domain !== undefined && below(key, domain))
    const longest = Math.max(-1, ...domains.filter((domain) => below(key, domain)).map(({ length }) => length))
    const own = longest >= 0 && !upstream.some(({ domain }) => domain!.length > longest)
    const needed = config.domainNeeded && (labelsOf(key)?.length ?? 0) === 1 && (type === A || type === AAAA)
    const bogus =
      config.bogusPriv && type === PTR && /\.(10|168\.192|(1[6-9]|2\d|3[01])\.172)\.in-addr\.arpa\.$/.test(key)
    if (!own && !needed && !bogus && !(rule && (rule.v4 === 0 || rule.domain === '.'))) return undefined
    const missing = !exists && !(rule && !rule.none)
    const what = missing ? 'NXDOMAIN' : nodata(type)
    return {
      answers: [],
      additionals: [],
      rcode: missing ? NXDOMAIN : 0,
      authoritative: false,
      log: [`config ${plain(name)} is ${what}`],
    }
  }

  /** Whether a name, or one below it, is among its own. */
  #exists(key: string): boolean {
    const { cnames, mx, txt, srv, ptr } = this.#config
    const names = [
      ...this.#hosts.keys(),
      ...[cnames, mx, txt, srv, ptr].flatMap((list) => list.map(({ name }) => name)),
    ]
    return names.some((name) => below(name, key))
  }

  #upstreams(name: string): Upstream[] {
    const key = canonicalName(name)
    const special = this.#servers.filter(({ domain }) => domain !== undefined && below(key, domain))
    if (special.length > 0) {
      const longest = Math.max(...special.map(({ domain }) => domain!.length))
      return special.filter(({ domain }) => domain!.length === longest)
    }
    return this.#servers.filter(({ domain }) => domain === undefined)
  }

  *#forward(query: DnsMessage, from: SockAddr, fd: number): Body<DnsMessage | undefined> {
    const { sys } = this
    const [question] = query.questions
    const upstreams = this.#upstreams(question!.name)
    if (upstreams.length === 0 || this.#forwards.length >= FORWARDS_MAX) return this.#refusal(query)
    // A client that asks again has another server tried.
    const same = this.#forwards.filter(
      (one) => one.id === query.id && one.query.questions[0]!.name === question!.name && sameClient(one.client, from),
    )
    const upstream = upstreams[same.length % upstreams.length]!
    const made = sys.socket(upstream.address.family, 'SOCK_DGRAM', 0)
    if (!made.ok) return this.#refusal(query)
    const random = sys.getrandom(2)
    const upstreamId = (random[0]! << 8) | random[1]!
    yield* sys.connect(made.value, withPort(upstream.address, upstream.port))
    sys.setNonBlocking(made.value, true)
    this.#logQuery(`forwarded ${plain(question!.name)} to ${formatAddress(upstream.address)}`)
    const onward: DnsMessage = { ...query, id: upstreamId }
    if (query.edns) onward.edns = { ...query.edns, udpSize: UDP_SIZE }
    const sent = yield* sys.sendTo(made.value, emitDns(onward))
    if (!sent.ok) {
      sys.close(made.value)
      return this.#refusal(query)
    }
    this.#forwards.push({ client: from, id: query.id, upstreamId, query, fd: made.value, sentNs: sys.monotonicNs() })
    this.#listenerOf.set(made.value, fd)
    return undefined
  }

  *#replied(forward: Forwarded): Body<void> {
    const { sys } = this
    const got = yield* sys.receive(forward.fd, 65_535, { dontWait: true })
    if (!got.ok && (got.errno as Errno) === 'EAGAIN') return
    const reply = got.ok ? parseDns(got.value.bytes) : undefined
    if (got.ok && (!reply?.response || reply.id !== forward.upstreamId)) return
    this.#forwards = this.#forwards.filter((one) => one !== forward)
    sys.close(forward.fd)
    if (!reply) return // Refused by its host: the client will ask again.
    const listener = this.#listenerOf.get(forward.fd)!
    this.#learn(reply)
    const answer: DnsMessage = {
      ...reply,
      id: forward.id,
      recursionAvailable: true,
      questions: forward.query.questions,
    }
    delete answer.edns
    if (forward.query.edns) {
      answer.edns = {
        udpSize: UDP_SIZE,
        extendedRcode: reply.edns?.extendedRcode ?? 0,
        version: 0,
        dnssecOk: forward.query.edns.dnssecOk,
        options: reply.edns?.options ?? [],
      }
    }
    yield* sys.sendTo(listener, this.#cut(answer, forward.query), forward.client)
  }

  /** Keeps what a server said, and tells it. */
  #learn(reply: DnsMessage): void {
    const [question] = reply.questions
    if (!question) return
    if (reply.rcode !== 0 && reply.rcode !== NXDOMAIN) {
      this.#logQuery(
        `reply error is ${reply.rcode === REFUSED ? 'REFUSED' : reply.rcode === 2 ? 'SERVFAIL' : 'UNKNOWN'}`,
      )
      return
    }
    const now = this.sys.monotonicNs()
    if (reply.answers.length === 0) {
      const what = reply.rcode === NXDOMAIN ? 'NXDOMAIN' : nodata(question.type)
      this.#logQuery(`reply ${plain(question.name)} is ${what}`)
      const soa = reply.authorities.find((record) => record.data.kind === 'soa')
      const ttl = soa?.data.kind === 'soa' ? Math.min(soa.ttl, soa.data.minimum) : this.#config.negativeTtl
      if (ttl > 0 && !this.#config.noNegativeCache) {
        const untilNs = now + ttl * 1e9
        this.#keep(`${canonicalName(question.name)} ${question.type}`, { records: [], untilNs, rcode: reply.rcode })
      }
      return
    }
    const sets = new Map<string, DnsRecord[]>()
    for (const record of reply.answers) {
      const multi =
        record.data.kind === 'txt' ? record.data.texts.map((text) => String.fromCharCode(...text)) : undefined
      for (const text of multi ?? [logData(record)]) this.#logQuery(`reply ${plain(record.name)} is ${text}`)
      const key = `${canonicalName(record.name)} ${record.type}`
      sets.set(key, [...(sets.get(key) ?? []), record])
    }
    for (const [key, records] of sets) {
      const type = records[0]!.type
      if (type !== A && type !== AAAA && type !== CNAME && type !== PTR && type !== SRV) continue
      const ttl = Math.min(CACHE_TTL_MAX, ...records.map((record) => record.ttl))
      if (ttl > 0) this.#keep(key, { records, untilNs: now + ttl * 1e9, rcode: 0 })
    }
  }

  #keep(key: string, entry: Cached): void {
    this.#cache.delete(key)
    if (this.#config.cacheSize === 0) return
    this.#cache.set(key, entry)
    // The oldest goes when there are too many.
    if (this.#cache.size > this.#config.cacheSize) this.#cache.delete(this.#cache.keys().next().value!)
  }
}

function found(answers: DnsRecord[], ...log: string[]): Local {
  return { answers, additionals: [], rcode: 0, authoritative: true, log }
}

function addressRecord(name: string, address: NetAddress, ttl: number): DnsRecord {
  return address.family === 'AF_INET'
    ? { name, type: A!, class: 1, ttl, data: { kind: 'a', address: address.address } }
    : { name, type: AAAA!, class: 1, ttl, data: { kind: 'aaaa', address: address.address } }
}

function plain(name: string): string {
  return name.replace(/(.)\.$/, '$1')
}

/** Whether a name is a domain or below it. */
function below(name: string, domain: string): boolean {
  return domain === '.' || name === domain || name.endsWith(`.${domain}`)
}

function nodata(type: number): string {
  return type === A ? 'NODATA-IPv4' : type === AAAA ? 'NODATA-IPv6' : 'NODATA'
}

function logData(record: DnsRecord): string {
  if (record.data.kind === 'a' || record.data.kind === 'aaaa') return formatDnsData(record.data)
  if (record.type === PTR && record.data.kind === 'name') return plain(record.data.name)
  return `<${dnsTypeName(record.type)}>`
}

function latin(text: string): Uint8Array {
  return Uint8Array.from(text.slice(0, 255), (char) => char.charCodeAt(0))
}

function addressOfReverse(key: string): string {
  const match = /^([\d.]+)\.in-addr\.arpa\.$/.exec(key)
  return match ? match[1]!.split('.').reverse().join('.') : plain(key)
}

function sameClient(one: SockAddr, other: SockAddr): boolean {
  const [a, b] = [addressOf(one), addressOf(other)]
  return (
    a !== undefined && b !== undefined && a.port === b.port && formatAddress(a.address) === formatAddress(b.address)
  )
}

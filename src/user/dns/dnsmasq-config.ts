/** dnsmasq's options: the same words on the command line and, without dashes, in its files. dnsmasq 2.90 src/option.c */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys, strerror } from '#kernel/core'
import { type NetAddress, parseAddress } from '#user/libc'
import { canonicalName } from '#wire/dns'

export interface Upstream {
  address: NetAddress
  port: number
  /** Only names below it; undefined: all. */
  domain: string | undefined
}

export interface HostRecord {
  names: string[]
  addresses: NetAddress[]
  ttl: number | undefined
}

export interface DnsmasqConfig {
  daemon: boolean
  keepForeground: boolean
  port: number
  listen: NetAddress[]
  interfaces: string[]
  bindInterfaces: boolean
  noResolv: boolean
  resolvFile: string
  noHosts: boolean
  addedHosts: string[]
  expandHosts: boolean
  domain: string | undefined
  domainNeeded: boolean
  bogusPriv: boolean
  logQueries: boolean
  logFile: string | undefined
  cacheSize: number
  localTtl: number
  noNegativeCache: boolean
  negativeTtl: number
  servers: Upstream[]
  /** Domains that are nobody else's. */
  local: string[]
  /** By domain; an empty list: none. */
  addresses: { domain: string; v4: number | undefined; v6: Uint8Array | undefined; none: boolean }[]
  hostRecords: HostRecord[]
  cnames: { name: string; target: string; ttl: number | undefined }[]
  mx: { name: string; target: string; preference: number }[]
  txt: { name: string; texts: string[] }[]
  srv: { name: string; target: string; port: number; priority: number; weight: number }[]
  ptr: { name: string; target: string }[]
}

/** Why it doesn't start: the message after `dnsmasq: `, and the exit status. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly status: number
  constructor(message: string, status = 1) {
    super(message)
    this.status = status
  }
}

const SHORT: Record<string, string> = {
  a: 'listen-address',
  A: 'address',
  b: 'bogus-priv',
  c: 'cache-size',
  C: 'conf-file',
  d: 'no-daemon',
  D: 'domain-needed',
  E: 'expand-hosts',
  h: 'no-hosts',
  H: 'addn-hosts',
  i: 'interface',
  k: 'keep-in-foreground',
  m: 'mx-host',
  n: 'no-poll',
  N: 'no-negcache',
  o: 'strict-order',
  p: 'port',
  q: 'log-queries',
  r: 'resolv-file',
  R: 'no-resolv',
  s: 'domain',
  S: 'server',
  T: 'local-ttl',
  u: 'user',
  v: 'version',
  W: 'srv-host',
  x: 'pid-file',
  Y: 'txt-record',
  z: 'bind-interfaces',
  '8': 'log-facility',
}
const WITH_VALUE =
  'listen-address address cache-size conf-file addn-hosts interface mx-host port resolv-file domain server local local-ttl user group pid-file srv-host txt-record log-facility host-record cname ptr-record neg-ttl max-cache-ttl min-cache-ttl auth-ttl max-ttl edns-packet-max'.split(
    ' ',
  )
const WITHOUT =
  'bogus-priv no-daemon domain-needed expand-hosts no-hosts keep-in-foreground no-poll no-negcache strict-order log-queries no-resolv bind-interfaces bind-dynamic localise-queries filterwin2k stop-dns-rebind all-servers test version log-async local-service selfmx localmx'.split(
    ' ',
  )
/** Known to the original, and not here. */
const OTHERS =
  /^(dhcp|tftp|pxe|enable-|ra-param|auth-|dnssec|trust-anchor|conntrack|ipset|nftset|ubus|dumpfile|dumpmask|proxy-dnssec|alias|bogus-nxdomain|ignore-address|synth-domain|naptr|caa-record|dns-rr|interface-name|except-interface|no-dhcp|rebind|rev-server|servers-file|conf-dir|conf-script|hostsdir|add-|strip-|umbrella|query-port|min-port|max-port|fast-dns|read-ethers|quiet|leasefile|script|connmark|no-ident|cache-rr|filter|stale|use-stale|port-limit|no-0x20|no-round-robin|do-0x20|hosts-dir|mx-target|dynamic-host|resolv|local-)/

export function defaultConfig(): DnsmasqConfig {
  return {
    daemon: true,
    keepForeground: false,
    port: 53,
    listen: [],
    interfaces: [],
    bindInterfaces: false,
    noResolv: false,
    resolvFile: '/etc/resolv.conf',
    noHosts: false,
    addedHosts: [],
    expandHosts: false,
    domain: undefined,
    domainNeeded: false,
    bogusPriv: false,
    logQueries: false,
    logFile: undefined,
    cacheSize: 150,
    localTtl: 0,
    noNegativeCache: false,
    negativeTtl: 0,
    servers: [],
    local: [],
    addresses: [],
    hostRecords: [],
    cnames: [],
    mx: [],
    txt: [],
    srv: [],
    ptr: [],
  }
}

export type Started = { config: DnsmasqConfig; mode: 'run' | 'test' | 'version' }

export function* readConfig(sys: Sys, argv: readonly string[]): Body<Started> {
  const config = defaultConfig()
  const settings: [name: string, value: string | undefined][] = []
  let mode: Started['mode'] = 'run'
  const usage = (): never => {
    throw new ConfigError('bad command line options: try --help')
  }
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!
    const long = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (long) {
      const known = [...WITH_VALUE, ...WITHOUT, 'conf-file']
      const name = known.includes(long[1]!) ? long[1]! : (known.find((each) => each.startsWith(long[1]!)) ?? long[1]!)
      if (OTHERS.test(name) && !known.includes(name)) throw new NotModelled(`dnsmasq --${name}`)
      if (!known.includes(name)) usage()
      const takes = WITH_VALUE.includes(name)
      settings.push([name, long[2] ?? (takes ? argv[++i] : undefined)])
      continue
    }
    if (!/^-./.test(word)) throw new ConfigError('junk found in command line')
    for (let at = 1; at < word.length; at++) {
      const name = SHORT[word[at]!]
      if (name === undefined) return usage()
      if (!WITH_VALUE.includes(name)) {
        settings.push([name, undefined])
        continue
      }
      settings.push([name, at + 1 < word.length ? word.slice(at + 1) : argv[++i]])
      break
    }
  }
  let file: string | undefined
  for (const [name, value] of settings) {
    if (name === 'conf-file') file = value
    else if (name === 'version') return { config, mode: 'version' }
    else if (name === 'test') mode = 'test'
    else {
      const wrong = apply(config, name, value)
      if (wrong) throw new ConfigError('bad command line options: try --help')
    }
  }
  yield* readFile(sys, config, file ?? '/etc/dnsmasq.conf', file !== undefined, 0)
  return { config, mode }
}

function* readFile(sys: Sys, config: DnsmasqConfig, path: string, must: boolean, depth: number): Body<void> {
  const file = yield* readTextFile(sys, path)
  if (!file.ok) {
    if (!must) return
    throw new ConfigError(`cannot read ${path}: ${strerror(file.errno)}`, 3)
  }
  for (const [i, raw] of file.value.split('\n').entries()) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim()
    if (line === '') continue
    const [, name = '', value] = /^([^=\s]+)\s*(?:=\s*(.*))?$/s.exec(line) ?? []
    const at = `at line ${i + 1} of ${path}`
    if (!WITH_VALUE.includes(name) && !WITHOUT.includes(name)) {
      if (OTHERS.test(name)) throw new NotModelled(`dnsmasq ${name}`)
      throw new ConfigError(`bad option ${at}`)
    }
    if (WITH_VALUE.includes(name) && value === undefined && name !== 'log-queries') {
      throw new ConfigError(`missing parameter ${at}`)
    }
    if (name === 'conf-file') {
      if (depth > 5) throw new ConfigError(`bad option ${at}`)
      yield* readFile(sys, config, value!, true, depth + 1)
      continue
    }
    const wrong = apply(config, name, value)
    if (wrong) throw new ConfigError(`${wrong} ${at}`)
  }
}

/** `/a.lab/b.lab/REST` */
function domainsOf(value: string): { domains: string[]; rest: string } {
  if (!value.startsWith('/')) return { domains: [], rest: value }
  const parts = value.slice(1).split('/')
  const rest = parts.pop() ?? ''
  return { domains: parts.map((part) => (part === '#' ? '.' : canonicalName(part.replace(/^\*?\./, '')))), rest }
}

/** What is wrong with it, or undefined. */
function apply(config: DnsmasqConfig, name: string, value = ''): string | undefined {
  const number = (): number | undefined => (/^\d+$/.test(value) ? Number(value) : undefined)
  const words = value.split(',').map((word) => word.trim().replace(/^"(.*)"$/, '$1'))
  const [first = '', ...rest] = words
  switch (name) {
    case 'no-daemon':
      config.daemon = false
      return undefined
    case 'keep-in-foreground':
      config.daemon = false
      config.keepForeground = true
      return undefined
    case 'port': {
      const port = number()
      if (port === undefined || port > 65535) return 'error'
      config.port = port
      return undefined
    }
    case 'listen-address':
      for (const word of words) {
        const address = parseAddress(word)
        if (!address) return 'error'
        config.listen.push(address)
      }
      return undefined
    case 'interface':
      config.interfaces.push(...words)
      return undefined
    case 'bind-interfaces':
    case 'bind-dynamic':
      config.bindInterfaces = true
      return undefined
    case 'no-resolv':
      config.noResolv = true
      return undefined
    case 'resolv-file':
      config.resolvFile = value
      return undefined
    case 'no-hosts':
      config.noHosts = true
      return undefined
    case 'addn-hosts':
      config.addedHosts.push(value)
      return undefined
    case 'expand-hosts':
      config.expandHosts = true
      return undefined
    case 'domain':
      config.domain = canonicalName(first)
      return undefined
    case 'domain-needed':
      config.domainNeeded = true
      return undefined
    case 'bogus-priv':
      config.bogusPriv = true
      return undefined
    case 'log-queries':
      if (value !== '' && value !== 'proto') throw new NotModelled(`dnsmasq log-queries=${value}`)
      config.logQueries = true
      return undefined
    case 'log-facility':
      config.logFile = value.includes('/') || value === '-' ? value : undefined
      return undefined
    case 'cache-size':
    case 'local-ttl':
    case 'neg-ttl': {
      const size = number()
      if (size === undefined) return 'error'
      if (name === 'cache-size') config.cacheSize = size
      else if (name === 'local-ttl') config.localTtl = size
      else config.negativeTtl = size
      return undefined
    }
    case 'no-negcache':
      config.noNegativeCache = true
      return undefined
    case 'server':
    case 'local': {
      const { domains, rest: server } = domainsOf(value)
      if (server === '') {
        config.local.push(...domains)
        return domains.length > 0 ? undefined : 'error'
      }
      const [text, port] = server.replace(/@.*/, '').split('#')
      const address = parseAddress(text!)
      if (!address || (port !== undefined && !/^\d+$/.test(port))) return 'bad address'
      for (const domain of domains.length > 0 ? domains : [undefined]) {
        config.servers.push({ address, port: Number(port ?? 53), domain })
      }
      return undefined
    }
    case 'address': {
      const { domains, rest: text } = domainsOf(value)
      if (domains.length === 0) return 'error'
      const address = text === '#' ? undefined : parseAddress(text)
      if (text !== '' && text !== '#' && !address) return 'bad address'
      for (const domain of domains) {
        config.addresses.push({
          domain,
          none: text === '',
          v4: text === '#' ? 0 : address?.family === 'AF_INET' ? address.address : undefined,
          v6: text === '#' ? new Uint8Array(16) : address?.family === 'AF_INET6' ? address.address : undefined,
        })
      }
      return undefined
    }
    case 'host-record': {
      const record: HostRecord = { names: [], addresses: [], ttl: undefined }
      for (const word of words) {
        const address = /[.:]/.test(word) ? parseAddress(word) : undefined
        if (address && /^[\d.]+$|:/.test(word)) record.addresses.push(address)
        else if (/^\d+$/.test(word)) record.ttl = Number(word)
        else record.names.push(canonicalName(word))
      }
      if (record.names.length === 0) return 'error'
      config.hostRecords.push(record)
      return undefined
    }
    case 'cname': {
      const ttl = /^\d+$/.test(words.at(-1) ?? '') && words.length > 2 ? Number(words.pop()) : undefined
      const target = words.pop()
      if (target === undefined || words.length === 0) return 'bad CNAME'
      for (const word of words) config.cnames.push({ name: canonicalName(word), target: canonicalName(target), ttl })
      return undefined
    }
    case 'mx-host':
      config.mx.push({
        name: canonicalName(first),
        target: canonicalName(rest[0] || first),
        preference: Number(rest[1] ?? 1),
      })
      return undefined
    case 'txt-record':
      config.txt.push({ name: canonicalName(first), texts: rest.length > 0 ? rest : [''] })
      return undefined
    case 'srv-host':
      config.srv.push({
        name: canonicalName(first),
        target: canonicalName(rest[0] ?? '.'),
        port: Number(rest[1] ?? 1),
        priority: Number(rest[2] ?? 0),
        weight: Number(rest[3] ?? 0),
      })
      return undefined
    case 'ptr-record':
      config.ptr.push({ name: canonicalName(first), target: canonicalName(rest[0] ?? '.') })
      return undefined
    default:
      return undefined // Users, files for a pid, polling: nothing that shows here.
  }
}

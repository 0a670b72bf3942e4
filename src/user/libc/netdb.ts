/**
 * getaddrinfo(3) and getnameinfo(3): /etc/hosts and the DNS, in the order of /etc/nsswitch.conf. glibc 2.36
 * sysdeps/posix/getaddrinfo.c, nss/nss_files, resolv/nss_dns/dns-host.c.
 */
import { type Body, type Errno, readTextFile, type Sys } from '#kernel/core'
import { canonicalName, DNS_TYPES, type DnsMessage, type DnsRecord, labelsOf, reverseName } from '#wire/dns'
import { formatAddress, type NetAddress, parseAddress, sameAddress } from './address.ts'
import { resSend } from './res-send.ts'
import { readResolvConf } from './resolv-conf.ts'
import { sortAddresses } from './sort-addresses.ts'

export type GaiError =
  | 'EAI_NONAME'
  | 'EAI_AGAIN'
  | 'EAI_FAIL'
  | 'EAI_NODATA'
  | 'EAI_SERVICE'
  | 'EAI_FAMILY'
  | 'EAI_ADDRFAMILY'

const GAI_TEXT: Record<GaiError, string> = {
  EAI_NONAME: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_FAIL: 'Non-recoverable failure in name resolution',
  EAI_NODATA: 'No address associated with hostname',
  EAI_SERVICE: 'Servname not supported for ai_socktype',
  EAI_FAMILY: 'ai_family not supported',
  EAI_ADDRFAMILY: 'Address family for hostname not supported',
}

export function gaiStrerror(error: GaiError): string {
  return GAI_TEXT[error]
}

export interface Found {
  addresses: NetAddress[]
  /** ai_canonname. */
  canonical: string
  aliases: string[]
}

export type LookupResult = { ok: true; value: Found } | { ok: false; error: GaiError; errno?: Errno }

export interface LookupHints {
  family?: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
  /** AI_NUMERICHOST. */
  numeric?: boolean
  /** AI_ADDRCONFIG: no family that no interface has an address of. */
  addrConfig?: boolean
  /** getent hosts and gethostbyname(3): one family, each try with a socket of its own. */
  single?: boolean
}

const CNAMES_MAX = 16

interface HostsLine {
  address: NetAddress
  names: string[]
}

/** What /etc/hosts says, line by line. */
export function* readHostsFile(sys: Sys): Body<HostsLine[]> {
  const file = yield* readTextFile(sys, '/etc/hosts')
  const lines: HostsLine[] = []
  for (const line of (file.ok ? file.value : '').split('\n')) {
    const [text = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const address = parseAddress(text)
    if (address && names.length > 0) lines.push({ address, names })
  }
  return lines
}

/** The order of sources for hosts. */
function* hostSources(sys: Sys): Body<string[]> {
  const file = yield* readTextFile(sys, '/etc/nsswitch.conf')
  const line = /^\s*hosts:(.*)$/m.exec(file.ok ? file.value : '')?.[1] ?? ' files dns'
  return line
    .replace(/#.*/, '')
    .replace(/\[.*?\]/g, ' ')
    .trim()
    .split(/\s+/)
}

/** Names and numbers to addresses. */
export function* lookupHost(sys: Sys, name: string, hints: LookupHints = {}): Body<LookupResult> {
  const family = hints.family ?? 'AF_UNSPEC'
  const number = parseAddress(name)
  if (number) {
    if (family !== 'AF_UNSPEC' && number.family !== family) return { ok: false, error: 'EAI_ADDRFAMILY' }
    const scope = number.family === 'AF_INET6' ? /%(.*)/.exec(name)?.[1] : undefined
    if (scope !== undefined && number.family === 'AF_INET6') {
      const index = scopeIndex(sys, scope)
      if (index === undefined) return { ok: false, error: 'EAI_NONAME' }
      number.scopeId = index
    }
    return { ok: true, value: { addresses: [number], canonical: name, aliases: [] } }
  }
  if (hints.numeric || name === '' || !isHostname(name)) return { ok: false, error: 'EAI_NONAME' }
  let error: GaiError = 'EAI_NONAME'
  for (const source of yield* hostSources(sys)) {
    if (source === 'files') {
      const found = inHosts(yield* readHostsFile(sys), name, family)
      if (found) return { ok: true, value: yield* inOrder(sys, found, hints) }
    } else if (source === 'dns') {
      const found = yield* byDns(sys, name, family, hints)
      if (found.ok) return { ok: true, value: yield* inOrder(sys, found.value, hints) }
      error = found.error
      if (error === 'EAI_AGAIN') break
    }
  }
  return { ok: false, error }
}

function* inOrder(sys: Sys, found: Found, hints: LookupHints): Body<Found> {
  return hints.single ? found : { ...found, addresses: yield* sortAddresses(sys, found.addresses) }
}

/** Of `%eth0` or `%2`. */
function scopeIndex(sys: Sys, text: string): number | undefined {
  const answer = sys.netlink({ type: 'RTM_GETLINK' })
  const links = answer.ok ? (answer.messages as { name: string; ifindex: number }[]) : []
  const link = links.find(({ name }) => name === text)
  if (link) return link.ifindex
  return /^\d+$/.test(text) ? Number(text) : undefined
}

/** What __libc_res_hnok and the like let pass. */
function isHostname(name: string): boolean {
  return /^[\w.-]+$/.test(name) && !name.startsWith('-') && labelsOf(name) !== undefined
}

function inHosts(lines: HostsLine[], name: string, family: string): Found | undefined {
  const wanted = name.toLowerCase().replace(/\.$/, '')
  const hits = lines.filter(
    ({ address, names }) =>
      (family === 'AF_UNSPEC' || address.family === family) && names.some((one) => one.toLowerCase() === wanted),
  )
  if (hits.length === 0) return undefined
  const addresses: NetAddress[] = []
  for (const { address } of hits) if (!addresses.some((one) => sameAddress(one, address))) addresses.push(address)
  const [canonical, ...aliases] = hits[0]!.names
  return { addresses, canonical: canonical!, aliases }
}

/** IPv6 addresses that interfaces have, but for loopback's and none at all: what AI_ADDRCONFIG asks. */
function hasIpv6(sys: Sys): boolean {
  const answer = sys.netlink({ type: 'RTM_GETADDR' })
  if (!answer.ok) return false
  return (answer.messages as { family?: string; local?: unknown }[]).some((message) => message.family === 'AF_INET6')
}

function* byDns(sys: Sys, name: string, family: string, hints: LookupHints): Body<LookupResult> {
  const config = yield* readResolvConf(sys)
  const types: number[] = []
  if (family !== 'AF_INET6') types.push(DNS_TYPES['A']!)
  if (family === 'AF_INET6' || (family === 'AF_UNSPEC' && !(hints.addrConfig && !hasIpv6(sys))))
    types.push(DNS_TYPES['AAAA']!)
  const absolute = name.endsWith('.')
  const dots = name.replace(/\.$/, '').split('.').length - 1
  const asIs = `${name.replace(/\.$/, '')}.`
  const searched = absolute ? [] : config.search.map((domain) => (domain === '' ? asIs : `${asIs}${domain}.`))
  const candidates = absolute || dots >= config.ndots ? [asIs, ...searched] : [...searched, asIs]
  let error: GaiError = 'EAI_NONAME'
  let trouble = false
  let nodata = false
  for (const candidate of candidates) {
    if (labelsOf(candidate) === undefined) continue
    const sent = yield* resSend(sys, config, () => randomId(sys), candidate, types)
    if ('error' in sent) {
      trouble = true
      if (sent.error === 'refused') break
      continue
    }
    const found = collect(candidate, sent.answers)
    if (found.addresses.length > 0) return { ok: true, value: found }
    // An alias that leads nowhere is an answer: nothing else is looked for.
    if (sent.answers.some((answer) => answer?.rcode === 0 && answer.answers.length > 0))
      return { ok: false, error: 'EAI_NODATA' }
    if (sent.answers.some((answer) => answer?.rcode === 0)) nodata = true
  }
  if (trouble) error = 'EAI_AGAIN'
  else if (nodata) error = 'EAI_NODATA'
  return { ok: false, error }
}

/** A query's number. glibc has its random bits of the kernel. */
function randomId(sys: Sys): number {
  return sys.getrandom(2).reduce((value: number, byte: number) => value * 256 + byte, 0)
}

/** Follows aliases through answers, and takes the addresses at their end. */
function collect(name: string, answers: (DnsMessage | undefined)[]): Found {
  const found: Found = { addresses: [], canonical: name.replace(/\.$/, ''), aliases: [] }
  for (const answer of answers) {
    if (!answer) continue
    let owner = canonicalName(name)
    const aliases: string[] = []
    let shown = name
    for (let hops = 0; hops < CNAMES_MAX; hops++) {
      const alias = answer.answers.find(
        (record) => record.type === DNS_TYPES['CNAME'] && canonicalName(record.name) === owner,
      )
      if (alias?.data.kind !== 'name') break
      aliases.push(shown.replace(/\.$/, ''))
      shown = alias.data.name
      owner = canonicalName(shown)
    }
    const addresses = answer.answers.flatMap((record) => addressIn(record, owner))
    if (addresses.length === 0) continue
    if (found.addresses.length === 0) {
      found.canonical = shown.replace(/\.$/, '')
      found.aliases = aliases
    }
    found.addresses.push(...addresses)
  }
  return found
}

function addressIn(record: DnsRecord, owner: string): NetAddress[] {
  if (canonicalName(record.name) !== owner) return []
  if (record.data.kind === 'a') return [{ family: 'AF_INET', address: record.data.address }]
  if (record.data.kind === 'aaaa') return [{ family: 'AF_INET6', address: record.data.address, scopeId: 0 }]
  return []
}

/** gethostbyaddr(3): an address's names; EAI_AGAIN if that couldn't be found out. */
export function* lookupAddress(
  sys: Sys,
  address: NetAddress,
): Body<{ ok: true; name: string; aliases: string[] } | { ok: false; error: GaiError }> {
  for (const source of yield* hostSources(sys)) {
    if (source === 'files') {
      const line = (yield* readHostsFile(sys)).find((one) => sameAddress(one.address, address))
      if (line) return { ok: true, name: line.names[0]!, aliases: line.names.slice(1) }
    } else if (source === 'dns') {
      const config = yield* readResolvConf(sys)
      const name = reverseName(address.address)
      const sent = yield* resSend(sys, config, () => randomId(sys), name, [DNS_TYPES['PTR']!])
      if ('error' in sent) return { ok: false, error: 'EAI_AGAIN' }
      const record = sent.answers[0]?.answers.find((one) => one.type === DNS_TYPES['PTR'])
      if (record?.data.kind === 'name') return { ok: true, name: record.data.name.replace(/\.$/, ''), aliases: [] }
    }
  }
  return { ok: false, error: 'EAI_NONAME' }
}

/** getnameinfo(3): the name, or the number where there is no name; an error only if that couldn't be found out. */
export function* nameInfo(
  sys: Sys,
  address: NetAddress,
  numeric = false,
): Body<{ ok: true; name: string } | { ok: false; error: GaiError }> {
  if (numeric) return { ok: true, name: formatAddress(address) }
  const found = yield* lookupAddress(sys, address)
  if (found.ok) return { ok: true, name: found.name }
  return found.error === 'EAI_NONAME' ? { ok: true, name: formatAddress(address) } : found
}

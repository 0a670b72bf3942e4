/** `nslookup` of BIND 9.18, given a name; it has no conversation here. bin/dig/nslookup.c */
import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import { formatAddress, lookupHost, parseAddress, readResolvConf, Stdio } from '#user/libc'
import {
  DNS_TYPES,
  type DnsMessage,
  type DnsRecord,
  dnsQuery,
  dnsRcodeName,
  dnsTypeNumber,
  formatDnsData,
  reverseName,
} from '#wire/dns'
import { exchange, type Server, serverText } from './exchange.ts'
import { complain } from './host.ts'

export function nslookup(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'nslookup')
  return io.run(main(sys, io, argv))
}

const TRIES = 3

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  let type: number | undefined
  let timeS = 5
  let port = 53
  let tcp = false
  let search = true
  let tries = TRIES
  const words: string[] = []
  for (const word of argv.slice(1)) {
    if (!word.startsWith('-') || word === '-') {
      words.push(word)
      continue
    }
    const [, name = '', value] = /^-([^=]+)(?:=(.*))?$/.exec(word) ?? []
    if (/^(type|ty|querytype|query|qu|q)$/.test(name)) {
      type = dnsTypeNumber(value ?? '')
      if (type === undefined) {
        io.print(`unknown query type: ${value}\n`)
        type = DNS_TYPES['A']
      }
    } else if (/^(timeout|ti)$/.test(name)) timeS = Math.max(1, Number(value))
    else if (/^(port|po)$/.test(name)) port = Number(value)
    else if (/^(retry|ret)$/.test(name)) tries = Number(value) + 1
    else if (name === 'vc') tcp = true
    else if (name === 'novc') tcp = false
    else if (/^(search|sea)$/.test(name)) search = true
    else if (/^(nosearch|nosea)$/.test(name)) search = false
    else if (name === 'version' || name === 'v') {
      io.print('nslookup 9.18.49-1~deb12u3-Debian\n')
      return 0
    } else if (name !== 'nofail' && name !== 'fail') throw new NotModelled(`nslookup ${word}`)
  }
  const [name, serverName] = words
  if (name === undefined || name === '-') throw new NotModelled('nslookup without a name')
  const config = yield* readResolvConf(sys)
  let servers: Server[] = config.servers.map((address) => ({ address, port, name: formatAddress(address) }))
  if (serverName !== undefined) {
    const found = yield* lookupHost(sys, serverName)
    if (!found.ok) {
      io.error(`nslookup: couldn't get address for '${serverName}': not found\n`)
      return 1
    }
    servers = found.value.addresses.map((address) => ({ address, port, name: serverName }))
  }
  const number = parseAddress(name)
  const reverse = number !== undefined && /^[\d.]+$|:/.test(name)
  const asIs = name.endsWith('.') ? name : `${name}.`
  const searched = search && !name.endsWith('.') ? config.search.map((domain) => `${asIs}${domain}.`) : []
  let names = name.includes('.') ? [asIs, ...searched] : [...searched, asIs]
  let types = type === undefined ? [DNS_TYPES['A']!, DNS_TYPES['AAAA']!] : [type]
  if (reverse && number && type === undefined) {
    names = [reverseName(number.address)]
    types = [DNS_TYPES['PTR']!]
  }
  let banner = !reverse
  let failed = false
  for (const [round, each] of types.entries()) {
    for (const [i, candidate] of names.entries()) {
      const random = sys.getrandom(2)
      const query = dnsQuery((random[0]! << 8) | random[1]!, candidate, each)
      const got = yield* ask(sys, io, servers, query, tcp, timeS, tries)
      if (!got) {
        io.print('\n')
        return 1
      }
      const { message, server } = got
      if (message.rcode === 3 && i + 1 < names.length) continue
      if (banner) io.print(`Server:\t\t${server.name}\nAddress:\t${serverText(server)}\n\n`)
      banner = false
      if (message.rcode !== 0) {
        io.print(`** server can't find ${candidate.replace(/(.)\.$/, '$1')}: ${dnsRcodeName(message.rcode)}\n`)
        failed = true
      } else {
        show(io, message, candidate, each, reverse, round)
        names = [endOf(message, candidate)]
      }
      break
    }
    if (failed) break
  }
  io.print('\n')
  return failed ? 1 : 0
}

/** Where a name's aliases lead. */
function endOf(message: DnsMessage, name: string): string {
  let end = name
  for (const record of message.answers)
    if (record.type === DNS_TYPES['CNAME'] && record.data.kind === 'name') end = record.data.name
  return end
}

function show(io: Stdio, message: DnsMessage, name: string, type: number, reverse: boolean, round: number): void {
  const plain = name.replace(/(.)\.$/, '$1')
  if (round > 0 && message.answers.length === 0) return
  if (!message.authoritative && !reverse && round === 0) io.print('Non-authoritative answer:\n')
  if (message.answers.length === 0) {
    io.print(`*** Can't find ${plain}: No answer\n`)
  } else for (const record of message.answers) io.print(line(record))
  if (!message.authoritative && type !== DNS_TYPES['A'] && type !== DNS_TYPES['AAAA']) {
    io.print('\nAuthoritative answers can be found from:\n')
    for (const record of [...message.authorities, ...message.additionals]) io.print(line(record))
  }
}

function line(record: DnsRecord): string {
  const owner = record.name.replace(/(.)\.$/, '$1')
  const text = formatDnsData(record.data)
  switch (record.data.kind) {
    case 'a':
    case 'aaaa':
      return `Name:\t${owner}\nAddress: ${text}\n`
    case 'soa': {
      const { primary, mailbox, serial, refresh, retry, expire, minimum } = record.data
      return (
        `${owner}\n\torigin = ${primary.replace(/(.)\.$/, '$1')}\n\tmail addr = ${mailbox.replace(/(.)\.$/, '$1')}\n` +
        `\tserial = ${serial}\n\trefresh = ${refresh}\n\tretry = ${retry}\n\texpire = ${expire}\n\tminimum = ${minimum}\n`
      )
    }
    case 'mx':
      return `${owner}\tmail exchanger = ${text}\n`
    case 'txt':
      return `${owner}\ttext = ${text}\n`
    case 'srv':
      return `${owner}\tservice = ${text}\n`
    case 'name':
      if (record.type === DNS_TYPES['CNAME']) return `${owner}\tcanonical name = ${text}\n`
      if (record.type === DNS_TYPES['NS']) return `${owner}\tnameserver = ${text}\n`
      return `${owner}\tname = ${text}\n`
    default:
      return `${owner}\trdata_${record.type} = ${text}\n`
  }
}

function* ask(
  sys: Sys,
  io: Stdio,
  servers: Server[],
  query: DnsMessage,
  tcp: boolean,
  timeS: number,
  tries: number,
): Body<{ message: DnsMessage; server: Server } | undefined> {
  for (let round = 0; round < tries; round++) {
    for (const server of servers) {
      let got = yield* exchange(sys, server, query, { tcp, timeoutNs: timeS * 1e9 })
      if (got.kind === 'answer' && got.message.truncated && !tcp) {
        io.print(';; Truncated, retrying in TCP mode.\n')
        got = yield* exchange(sys, server, query, { tcp: true, timeoutNs: timeS * 1e9 })
      }
      if (got.kind === 'answer') return { message: got.message, server }
      yield* complain(io, server, query, got, tcp)
    }
  }
  io.print(';; no servers could be reached\n')
  return undefined
}

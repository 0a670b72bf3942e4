/** dig's command line. BIND 9.18 bin/dig/dig.c: parse_args(), plus_option(). */
import { NotModelled } from '#base/check'
import { Exit, type NetAddress, parseAddress, type Stdio } from '#user/libc'
import { DNS_TYPES, dnsClassNumber, dnsTypeNumber, reverseName } from '#wire/dns'

export const VERSION = '9.18.49-1~deb12u3-Debian'

const USAGE = `Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options
`

const HELP = `Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]
Where:  domain	  is in the Domain Name System
        q-class  is one of (in,hs,ch,...) [default: in]
        q-type   is one of (a,any,mx,ns,soa,hinfo,axfr,txt,...) [default:a]
        q-opt    is one of:
                 -4                  (use IPv4 query transport only)
                 -6                  (use IPv6 query transport only)
                 -b address[#port]   (bind to source address/port)
                 -c class            (specify query class)
                 -p port             (specify port number)
                 -q name             (specify query name)
                 -r                  (do not read ~/.digrc)
                 -t type             (specify query type)
                 -v                  (print version and exit)
                 -x dot-notation     (shortcut for reverse lookups)
        d-opt    is of the form +keyword[=value], where keyword is:
                 +[no]aaflag +[no]adflag +[no]additional +[no]all +[no]answer +[no]authority +[no]bufsize[=###]
                 +[no]cdflag +[no]class +[no]cmd +[no]comments +[no]cookie +[no]dnssec +domain=### +[no]edns
                 +[no]ignore +[no]qr +[no]question +[no]recurse +retry=### +[no]search +[no]short +[no]stats
                 +[no]tcp +time=### +tries=### +[no]ttlid
        global d-opts and servers (before host name) affect all queries.
        local d-opts and servers (after host name) affect only that lookup.
        -h                           (print help and exit)
        -v                           (print version and exit)
`

export interface Lookup {
  name: string
  type: number
  class: number
  server: string | undefined
  port: number
  source: { address: NetAddress; port: number } | undefined
  family: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
  cmd: boolean
  comments: boolean
  question: boolean
  answer: boolean
  authority: boolean
  additional: boolean
  stats: boolean
  short: boolean
  tcp: boolean
  tcpGiven: boolean
  recurse: boolean
  adflag: boolean
  aaflag: boolean
  cdflag: boolean
  edns: boolean
  dnssec: boolean
  cookie: boolean
  bufsize: number
  ignore: boolean
  search: boolean
  domain: string | undefined
  qr: boolean
  timeS: number
  tries: number
  ttlid: boolean
  class_: boolean
}

function defaults(): Lookup {
  return {
    name: '.',
    type: DNS_TYPES['A']!,
    class: 1,
    server: undefined,
    port: 53,
    source: undefined,
    family: 'AF_UNSPEC',
    cmd: true,
    comments: true,
    question: true,
    answer: true,
    authority: true,
    additional: true,
    stats: true,
    short: false,
    tcp: false,
    tcpGiven: false,
    recurse: true,
    adflag: true,
    aaflag: false,
    cdflag: false,
    edns: true,
    dnssec: false,
    cookie: true,
    bufsize: 1232,
    ignore: false,
    search: false,
    domain: undefined,
    qr: false,
    timeS: 5,
    tries: 3,
    ttlid: true,
    class_: true,
  }
}

/** The queries that a command line asks for. */
export function parseDig(io: Stdio, argv: readonly string[]): { lookups: Lookup[]; global: Lookup } {
  const base = defaults()
  const lookups: Lookup[] = []
  let current: Lookup | undefined
  const invalid = (option: string): never => {
    io.error(`Invalid option: ${option}\n${USAGE}`)
    throw new Exit(1)
  }
  const fatal = (text: string, status: number): never => {
    io.error(`dig: ${text}\n`)
    throw new Exit(status)
  }
  const target = () => current ?? base
  const begin = (name: string) => {
    current = { ...base, name }
    lookups.push(current)
  }
  const words = argv.slice(1)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word.startsWith('@')) target().server = word.slice(1)
    else if (word.startsWith('+')) plusOption(target(), word, invalid, fatal)
    else if (word.startsWith('-') && word.length > 1) {
      const letter = word[1]!
      if ('46rimuv'.includes(letter) || letter === 'h') {
        for (const each of word.slice(1)) {
          if (each === '4') target().family = 'AF_INET'
          else if (each === '6') target().family = 'AF_INET6'
          else if (each === 'v') {
            io.error(`DiG ${VERSION}\n`)
            throw new Exit(0)
          } else if (each === 'h') {
            io.print(HELP)
            throw new Exit(0)
          } else if (each !== 'r') throw new NotModelled(`dig -${each}`)
        }
        continue
      }
      if (!'bcfkpqtxy'.includes(letter)) invalid(word)
      const value = word.length > 2 ? word.slice(2) : words[++i]
      if (value === undefined) return invalid(word)
      switch (letter) {
        case 'b': {
          const [text, port] = value.split('#')
          const address = parseAddress(text!)
          if (!address) return fatal(`invalid address ${text}`, 10)
          target().source = { address, port: Number(port ?? 0) }
          break
        }
        case 'c': {
          const number = dnsClassNumber(value)
          if (number === undefined) io.error(`;; Warning, ignoring invalid class ${value}\n`)
          else target().class = number
          break
        }
        case 'p':
          if (!/^\d+$/.test(value) || Number(value) > 65535) fatal(`Couldn't parse port number ${value}`, 10)
          target().port = Number(value)
          break
        case 'q':
          begin(value)
          break
        case 't': {
          const number = dnsTypeNumber(value)
          if (number === undefined) io.error(`;; Warning, ignoring invalid type ${value}\n`)
          else setType(target(), number)
          break
        }
        case 'x': {
          const address = parseAddress(value)
          begin(address ? reverseName(address.address) : `${value.split('.').reverse().join('.')}.in-addr.arpa.`)
          current!.type = DNS_TYPES['PTR']!
          break
        }
        default:
          throw new NotModelled(`dig -${letter}`)
      }
    } else {
      const type = dnsTypeNumber(word)
      const cls = dnsClassNumber(word)
      if (type !== undefined && word.toUpperCase() !== 'ANY') setType(target(), type)
      else if (word.toUpperCase() === 'ANY') setType(target(), 255)
      else if (cls !== undefined) target().class = cls
      else begin(word)
    }
  }
  if (lookups.length === 0) {
    base.name = '.'
    if (base.type === DNS_TYPES['A']) base.type = DNS_TYPES['NS']!
    lookups.push({ ...base })
  }
  return { lookups, global: base }
}

/** ANY goes by TCP unless something else was asked for. */
function setType(lookup: Lookup, type: number): void {
  if (type === DNS_TYPES['AXFR'] || type === DNS_TYPES['IXFR']) throw new NotModelled('dig axfr')
  lookup.type = type
  if (type === 255 && !lookup.tcpGiven) lookup.tcp = true
}

type Flag = { [K in keyof Lookup]: Lookup[K] extends boolean ? K : never }[keyof Lookup]

const FLAGS: Record<string, Flag> = {
  aaflag: 'aaflag',
  aaonly: 'aaflag',
  adflag: 'adflag',
  additional: 'additional',
  answer: 'answer',
  authority: 'authority',
  cdflag: 'cdflag',
  class: 'class_',
  cmd: 'cmd',
  comments: 'comments',
  cookie: 'cookie',
  dnssec: 'dnssec',
  do: 'dnssec',
  edns: 'edns',
  ignore: 'ignore',
  qr: 'qr',
  question: 'question',
  rdflag: 'recurse',
  recurse: 'recurse',
  search: 'search',
  defname: 'search',
  short: 'short',
  stats: 'stats',
  tcp: 'tcp',
  vc: 'tcp',
  ttlid: 'ttlid',
}
/** What dig knows and this doesn't. */
const OTHERS =
  'badcookie besteffort crypto dns64prefix dscp ednsflags ednsnegotiation ednsopt expandaaaa expire fail header-only https https-get https-post identify idnin idnout keepalive keepopen mapped multiline ndots nsid nssearch onesoa opcode padding qid raflag rrcomments showsearch sigchase split subnet tcflag tls trace ttlunits unknownformat yaml zflag zoneversion proxy'.split(
    ' ',
  )

function plusOption(
  lookup: Lookup,
  word: string,
  invalid: (option: string) => never,
  fatal: (text: string, status: number) => never,
): void {
  const [, negative, given = '', value] = /^\+(no)?([^=]*)(?:=(.*))?$/.exec(word) ?? []
  const on = negative === undefined
  const number = (most: number): number => {
    if (value === undefined || !/^\d+$/.test(value) || Number(value) > most) {
      return fatal(`invalid value for +${given}`, 10)
    }
    return Number(value)
  }
  const names = [...Object.keys(FLAGS), 'all', 'bufsize', 'domain', 'retry', 'time', 'timeout', 'tries', ...OTHERS]
  // Abbreviations are taken where they mean one option.
  const hits = names.includes(given) ? [given] : names.filter((name) => given !== '' && name.startsWith(given))
  const meant = new Set(hits.map((name) => FLAGS[name] ?? name))
  if (meant.size === 0 || (meant.size > 1 && !names.includes(given))) invalid(word)
  const name = hits[0]!
  if (name === 'all') {
    for (const flag of ['question', 'authority', 'answer', 'additional', 'comments', 'stats', 'cmd'] as const) {
      lookup[flag] = on
    }
    return
  }
  if (name === 'time' || name === 'timeout') {
    lookup.timeS = Math.max(1, number(2 ** 31))
    return
  }
  if (name === 'tries') {
    lookup.tries = Math.max(1, number(1000))
    return
  }
  if (name === 'retry') {
    lookup.tries = number(1000) + 1
    return
  }
  if (name === 'bufsize') {
    lookup.bufsize = value === undefined ? 1232 : number(65535)
    return
  }
  if (name === 'domain') {
    lookup.domain = value
    lookup.search = true
    return
  }
  const flag = FLAGS[name]
  if (!flag) {
    if (!on) return // What isn't done needs no undoing.
    throw new NotModelled(`dig +${name}`)
  }
  lookup[flag] = on
  if (flag === 'tcp') lookup.tcpGiven = true
  if (flag === 'dnssec' && on) lookup.edns = true
  if (flag === 'short' && on) {
    lookup.question = false
    lookup.authority = false
    lookup.additional = false
    lookup.comments = false
    lookup.stats = false
    lookup.cmd = false
  }
}

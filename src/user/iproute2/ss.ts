/** `ss`: the sockets of a host, by sock_diag. iproute2 6.1 misc/ss.c */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import { type Body, readTextFile, type Sys } from '#kernel/core'
import type { SocketMessage, TcpInfo } from '#kernel/net'
import { readServices, socketHolders } from '#user/libc'
import { parseIpv4 } from '#wire/inet'
import { ipProtocolName } from './route-change.ts'
import { parseSocketFilter, type Services } from './ss-filter.ts'
import { NETID, SocketTable, STATE } from './ss-table.ts'
import { infoText, timerText } from './ss-tcp.ts'
import { EXIT_USAGE, Refusal } from './words.ts'

const USAGE = `Usage: ss [ OPTIONS ]
       ss [ OPTIONS ] [ FILTER ]
   -h, --help          this message
   -V, --version       the version
   -n, --numeric       numbers instead of services' names
   -r, --resolve       names instead of addresses
   -a, --all           listening sockets too
   -l, --listening     only listening sockets
   -o, --options       timers, and what the two sides agreed on
   -i, --info          what TCP has measured and counted
   -m, --memory        how much memory it takes
   -e, --extended      details of the socket
   -p, --processes     the processes that have it open
   -s, --summary       how many there are
   -4, --ipv4          only IPv4 sockets
   -0, --packet        packet sockets
   -t, --tcp           TCP sockets
   -u, --udp           UDP sockets
   -w, --raw           raw sockets
   -x, --unix          Unix domain sockets
   -f, --family=FAMILY sockets of a family: inet, link, unix, netlink
   -A, --query=QUERY   tables: all,inet,tcp,udp,raw,unix,packet,netlink
   -H, --no-header     no header line
   -O, --oneline       a socket a line
       FILTER := [ state STATE ] [ EXPRESSION ]
       STATE := { all | connected | synchronized | bucket | big | a TCP state }
`

const ALL_STATES = [
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'UNCONN',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
]
const without = (...states: string[]) => ALL_STATES.filter((state) => !states.includes(state))
const CONNECTED = without('LISTEN', 'UNCONN', 'TIME-WAIT', 'SYN-RECV')

/** States by the words behind `state`. */
const STATE_WORDS: Record<string, string[]> = {
  all: ALL_STATES,
  close: ['UNCONN'],
  closed: ['UNCONN'],
  unconnected: ['UNCONN'],
  'syn-rcv': ['SYN-RECV'],
  established: ['ESTAB'],
  listening: ['LISTEN'],
  connected: without('UNCONN', 'LISTEN'),
  synchronized: without('UNCONN', 'LISTEN', 'SYN-SENT'),
  bucket: ['SYN-RECV', 'TIME-WAIT'],
  big: without('SYN-RECV', 'TIME-WAIT'),
  'syn-sent': ['SYN-SENT'],
  'syn-recv': ['SYN-RECV'],
  'fin-wait-1': ['FIN-WAIT-1'],
  'fin-wait-2': ['FIN-WAIT-2'],
  'time-wait': ['TIME-WAIT'],
  'close-wait': ['CLOSE-WAIT'],
  'last-ack': ['LAST-ACK'],
  closing: ['CLOSING'],
}

/** Tables of sockets, in the order in which they are listed; what they show if no state is asked for. */
const TABLES: Record<string, { family: string; states: string[]; netids: string[] }> = {
  netlink: { family: 'AF_NETLINK', states: ['UNCONN'], netids: ['nl'] },
  packet_dgram: { family: 'AF_PACKET', states: ['UNCONN'], netids: ['p_dgr'] },
  packet_raw: { family: 'AF_PACKET', states: ['UNCONN'], netids: ['p_raw'] },
  unix_dgram: { family: 'AF_UNIX', states: CONNECTED, netids: ['u_dgr'] },
  unix_stream: { family: 'AF_UNIX', states: CONNECTED, netids: ['u_str'] },
  unix_seqpacket: { family: 'AF_UNIX', states: CONNECTED, netids: ['u_seq'] },
  raw: { family: 'AF_INET', states: ['ESTAB'], netids: ['raw'] },
  udp: { family: 'AF_INET', states: ['ESTAB'], netids: ['udp', 'icmp'] },
  tcp: { family: 'AF_INET', states: CONNECTED, netids: ['tcp'] },
}
const FAMILY_STATES: Record<string, string[]> = {
  AF_INET: CONNECTED,
  AF_PACKET: ['UNCONN'],
  AF_NETLINK: ['UNCONN'],
  AF_UNIX: CONNECTED,
}
/** Names for -A, beside the tables' own. */
const GROUPS: Record<string, string[]> = {
  all: Object.keys(TABLES),
  inet: ['tcp', 'udp', 'raw'],
  unix: ['unix_dgram', 'unix_stream', 'unix_seqpacket'],
  u_dgr: ['unix_dgram'],
  u_str: ['unix_stream'],
  u_seq: ['unix_seqpacket'],
  packet: ['packet_dgram', 'packet_raw'],
  p_raw: ['packet_raw'],
  p_dgr: ['packet_dgram'],
}

interface SsOptions {
  numeric: boolean
  resolve: boolean
  extended: boolean
  options: boolean
  info: boolean
  memory: boolean
  processes: boolean
  summary: boolean
  header: boolean
  oneline: boolean
  tables: Set<string>
  families: Set<string>
  /** Of the tables and families that were named. */
  defaults: Set<string>
  states: string[] | undefined
  version: boolean
  words: string[]
}

const LONG = [
  ['numeric', 'n'],
  ['resolve', 'r'],
  ['options', 'o'],
  ['extended', 'e'],
  ['memory', 'm'],
  ['info', 'i'],
  ['processes', 'p'],
  ['tcp', 't'],
  ['udp', 'u'],
  ['raw', 'w'],
  ['unix', 'x'],
  ['all', 'a'],
  ['listening', 'l'],
  ['ipv4', '4'],
  ['ipv6', '6'],
  ['packet', '0'],
  ['summary', 's'],
  ['version', 'V'],
  ['help', 'h'],
  ['no-header', 'H'],
  ['oneline', 'O'],
  ['kill', 'K'],
  ['events', 'E'],
].map(([name, as]) => ({ name: name!, as: as! }))
const LONG_WITH_VALUE = [
  ['family', 'f'],
  ['socket', 'A'],
  ['query', 'A'],
  ['filter', 'F'],
  ['diag', 'D'],
  ['net', 'N'],
].map(([name, as]) => ({ name: name!, as: as!, argument: 'required' as const }))

const FAMILIES: Record<string, string> = {
  inet: 'AF_INET',
  inet6: 'AF_INET6',
  link: 'AF_PACKET',
  unix: 'AF_UNIX',
  netlink: 'AF_NETLINK',
}
const FAMILY_LETTERS: Record<string, string> = { '4': 'AF_INET', '6': 'AF_INET6', '0': 'AF_PACKET', x: 'AF_UNIX' }
const TABLE_LETTERS: Record<string, string> = { t: 'tcp', u: 'udp', w: 'raw' }

function parseOptions(argv: string[]): SsOptions {
  const o: SsOptions = {
    numeric: false,
    resolve: false,
    extended: false,
    options: false,
    info: false,
    memory: false,
    processes: false,
    summary: false,
    header: true,
    oneline: false,
    tables: new Set(),
    families: new Set(),
    defaults: new Set(),
    states: undefined,
    version: false,
    words: [],
  }
  const addFamily = (family: string) => {
    o.families.add(family)
    for (const state of FAMILY_STATES[family] ?? []) o.defaults.add(state)
  }
  const addTable = (table: string) => {
    o.tables.add(table)
    for (const state of TABLES[table]!.states) o.defaults.add(state)
  }
  const parsed = getopt(argv, 'dhaletuwxnro460spTbEf:mMiA:D:F:vVzZN:KHSO', [...LONG, ...LONG_WITH_VALUE])
  for (const { option, value = '', message } of parsed.options) {
    if (message) throw new Refusal(`${message}\n${USAGE}`, EXIT_USAGE)
    if (option in TABLE_LETTERS) addTable(TABLE_LETTERS[option]!)
    else if (option in FAMILY_LETTERS) addFamily(FAMILY_LETTERS[option]!)
    else if (option === 'f') {
      if (!FAMILIES[value]) throw new Refusal(`ss: "${value}" is invalid family\n${USAGE}`, EXIT_USAGE)
      addFamily(FAMILIES[value])
    } else if (option === 'A') {
      for (const name of value.split(',')) {
        const tables = GROUPS[name] ?? (TABLES[name] ? [name] : undefined)
        if (!tables) throw new Refusal(`ss: "${name}" is illegal socket table id\n${USAGE}`, EXIT_USAGE)
        tables.forEach(addTable)
      }
      o.states ??= CONNECTED
    } else if (option === 'a') o.states = ALL_STATES
    else if (option === 'l') o.states = ['LISTEN', 'UNCONN']
    else if (option === 'n') o.numeric = true
    else if (option === 'r') o.resolve = true
    else if (option === 'e') o.extended = true
    else if (option === 'm') o.memory = true
    else if (option === 'p') o.processes = true
    else if (option === 's') o.summary = true
    else if (option === 'H') o.header = false
    else if (option === 'O') o.oneline = true
    else if (option === 'o') o.options = true
    else if (option === 'i') o.info = true
    else if (option === 'b')
      continue // The filters of sockets: none has one.
    else if (option === 'v' || option === 'V') {
      o.version = true
      return o
    } else if (option === 'z' || option === 'Z') throw new Refusal('ss: SELinux is not enabled.\n', 1)
    else if (option === 'h') throw new HelpWanted()
    else throw new NotModelled(`ss -${option}`)
  }
  o.words = parsed.operands
  return o
}

/** --help goes to standard output, unlike a mistake's. */
class HelpWanted extends Error {
  override readonly name = 'HelpWanted'
}

/** The states behind `state` and `exclude`; the rest of the words is a filter. */
function takeStates(o: SsOptions): void {
  let seen = false
  while (o.words[0] === 'state' || o.words[0] === 'exclude' || o.words[0] === 'excl') {
    const excluding = o.words[0] !== 'state'
    const name = o.words[1]
    if (name === undefined) throw new Refusal('Command line is not complete. Try option "help"\n', EXIT_USAGE)
    const meant = STATE_WORDS[name.toLowerCase()]
    if (!meant) throw new Refusal(`ss: wrong state name: ${name}\n`, EXIT_USAGE)
    const before = seen ? (o.states ?? []) : excluding ? ALL_STATES : []
    o.states = excluding ? before.filter((state) => !meant.includes(state)) : [...before, ...meant]
    seen = true
    o.words = o.words.slice(2)
  }
}

export function* ss(sys: Sys, argv: string[]): Body<number> {
  try {
    const text = yield* main(sys, parseOptions(argv))
    yield* sys.write(1, encodeUtf8(text))
    return 0
  } catch (error) {
    if (error instanceof HelpWanted) {
      yield* sys.write(1, encodeUtf8(USAGE))
      return 0
    }
    if (!(error instanceof Refusal)) throw error
    yield* sys.write(2, encodeUtf8(error.message))
    return error.status
  }
}

function* main(sys: Sys, o: SsOptions): Body<string> {
  if (o.version) return 'ss utility, iproute2-6.1.0\n'
  const named = o.tables.size > 0 || o.families.size > 0
  let text = ''
  if (o.summary) {
    text += yield* summarize(sys)
    if (!named && o.words.length === 0) return text
  }
  takeStates(o)
  const states = new Set(o.states ?? (named ? o.defaults : CONNECTED))
  const tables = chooseTables(o)
  const services = yield* serviceNames(sys)
  const filter = parseSocketFilter(o.words, services.byName, USAGE)

  const table = new SocketTable()
  if (tables.length === 1) table.disable(NETID)
  if (states.size === 1) table.disable(STATE)
  if (o.header) table.addHeader()
  const answer = sys.netlink({ type: 'SOCK_DIAG' })
  if (!answer.ok) throw new Refusal('RTNETLINK answers: Operation not supported\n', 1)
  // IPv6 has tables of the same names, with nothing in them here.
  const onlyIpv6 = o.families.has('AF_INET6') && !o.families.has('AF_INET')
  const sockets = (answer.messages as SocketMessage[]).filter(
    (socket) =>
      states.has(socket.state) &&
      !(onlyIpv6 && socket.family === 'AF_INET') &&
      (filter === undefined || filter(socket)),
  )
  const users = o.processes ? yield* findUsers(sys) : undefined
  const hosts = o.resolve ? yield* readHostNames(sys) : undefined
  // Both kinds of packet sockets come from one dump, as do both of UDP.
  const groups = [['nl'], ['p_raw', 'p_dgr'], ['u_str', 'u_dgr', 'u_seq'], ['raw'], ['udp', 'icmp'], ['tcp']]
  const wanted = new Set(tables.flatMap((name) => TABLES[name]!.netids))
  for (const group of groups) {
    for (const socket of sockets) {
      if (!group.includes(socket.netid) || !wanted.has(socket.netid)) continue
      table.add(rowOf(socket, o, services, users, hosts))
    }
  }
  return text + table.render(sys.isatty(1) ? sys.terminalSize(1)?.columns : undefined)
}

/** The tables that are meant: those named, or all of the families named; a table brings its family along. */
function chooseTables(o: SsOptions): string[] {
  const names = Object.keys(TABLES)
  if (o.tables.size === 0 && o.families.size === 0) return names
  if (o.tables.size === 0) return names.filter((name) => o.families.has(TABLES[name]!.family))
  const named = names.filter((name) => o.tables.has(name))
  // A family adds its tables if none of them was named.
  for (const family of o.families) {
    if (!named.some((name) => TABLES[name]!.family === family) && family !== 'AF_INET6') {
      named.push(...names.filter((name) => TABLES[name]!.family === family))
    }
  }
  return named
}

const ETHERTYPES: Record<string, string> = { '2048': 'ip', '2054': 'arp', '34525': 'ipv6' }

function rowOf(
  socket: SocketMessage,
  o: SsOptions,
  services: ServiceNames,
  users: ReadonlyMap<number, string[]> | undefined,
  hosts: ReadonlyMap<number, string> | undefined,
): string[] {
  const head = [socket.netid, socket.state, String(socket.receiveQueue).padEnd(6), String(socket.sendQueue).padEnd(6)]
  const addresses: string[] = []
  if (socket.family === 'AF_PACKET') {
    const named = o.numeric ? undefined : ETHERTYPES[socket.local]
    const protocol = socket.local === '*' ? '*' : (named ?? `[${socket.local}]`)
    addresses.push(`${protocol}:`, socket.localPort, '*', '')
  } else if (socket.family === 'AF_UNIX') {
    addresses.push(`${socket.local} `, socket.localPort, `${socket.peer} `, socket.peerPort)
  } else {
    const host = (text: string) => {
      const number = hosts && parseIpv4(text)
      return (number === undefined ? undefined : hosts?.get(number)) ?? text
    }
    addresses.push(`${host(socket.local)}:`, portName(socket, socket.localPort, o, services))
    addresses.push(`${host(socket.peer)}:`, portName(socket, socket.peerPort, o, services))
  }
  let details = ''
  const holders = users?.get(socket.inode)
  if (holders) details += ` users:(${holders.join(',')})`
  if (o.options) details += timerText(socket)
  if (o.extended) {
    if (socket.uid) details += ` uid:${socket.uid}`
    details += ` ino:${socket.inode}`
    if (socket.cookie !== undefined) details += ` sk:${socket.cookie.toString(16)}`
    if (socket.netid === 'udp' || socket.netid === 'tcp') details += ' <->'
  }
  const tcp = socket.netid === 'tcp'
  const inet = socket.family === 'AF_INET' || socket.family === 'AF_INET6'
  if (o.memory || (o.info && inet && socket.netid !== 'udp')) details += o.oneline ? '' : '\n\t'
  if (o.memory && socket.memory) {
    const { r, rb, t, tb, f, w, o: optional, bl, d } = socket.memory
    details += ` skmem:(r${r},rb${rb},t${t},tb${tb},f${f},w${w},o${optional},bl${bl},d${d})`
  }
  if (o.info && tcp && socket.info) details += infoText(socket.info as unknown as TcpInfo, socket.state, o.options)
  return [...head, ...addresses, details, '']
}

interface ServiceNames {
  /** By `port/protocol`. */
  byPort: ReadonlyMap<string, string>
  byName: Services
}

function portName(socket: SocketMessage, port: string, o: SsOptions, services: ServiceNames): string {
  if (port === '0' || port === '*') return '*'
  if (o.numeric) return port
  if (socket.netid === 'raw') return ipProtocolName(Number(port))
  return services.byPort.get(`${port}/${socket.netid}`) ?? port
}

function* serviceNames(sys: Sys): Body<ServiceNames> {
  const byPort = new Map<string, string>()
  const byName = new Map<string, number>()
  for (const { name, port, protocol } of yield* readServices(sys)) {
    const key = `${port}/${protocol}`
    if (!byPort.has(key)) byPort.set(key, name)
    if (!byName.has(name)) byName.set(name, port)
  }
  return { byPort, byName }
}

function* readHostNames(sys: Sys): Body<Map<number, string>> {
  const names = new Map<number, string>()
  const file = yield* readTextFile(sys, '/etc/hosts')
  for (const line of (file.ok ? file.value : '').split('\n')) {
    const [text = '', name] = line.replace(/#.*/, '').trim().split(/\s+/)
    const number = parseIpv4(text)
    if (number !== undefined && name && !names.has(number)) names.set(number, name)
  }
  return names
}

/** Who has a socket open, by its inode; the last found comes first. */
function* findUsers(sys: Sys): Body<Map<number, string[]>> {
  const users = new Map<number, string[]>()
  const names = new Map<string, string>()
  for (const [inode, holders] of socketHolders(sys)) {
    const said: string[] = []
    for (const { pid, fd } of holders) {
      let name = names.get(pid)
      if (name === undefined) {
        const comm = yield* readTextFile(sys, `/proc/${pid}/comm`)
        name = comm.ok ? comm.value.trimEnd() : ''
        names.set(pid, name)
      }
      said.unshift(`("${name}",pid=${pid},fd=${fd})`)
    }
    users.set(inode, said)
  }
  return users
}

/** `ss -s`, from /proc/net/sockstat. */
function* summarize(sys: Sys): Body<string> {
  const file = yield* readTextFile(sys, '/proc/net/sockstat')
  const snmp = yield* readTextFile(sys, '/proc/net/snmp')
  if (!file.ok) throw new NotModelled('ss -s without /proc/net/sockstat')
  const value = (line: string, key: string) =>
    Number(new RegExp(`^${line}:.*\\b${key} (\\d+)`, 'm').exec(file.value)?.[1] ?? 0)
  const tcp = value('TCP', 'inuse')
  const timeWait = value('TCP', 'tw')
  const columns = /^Tcp: (.*)\nTcp: (.*)/m.exec(snmp.ok ? snmp.value : '')
  const at = columns?.[1]?.split(' ').indexOf('CurrEstab') ?? -1
  const established = at < 0 ? 0 : Number(columns![2]!.split(' ')[at])
  const closed = value('TCP', 'alloc') - (tcp - timeWait)
  const row = (name: string, count: number) => `${name}\t  ${pad(count)} ${pad(count)} ${pad(0)}\n`
  const pad = (count: number) => String(count).padEnd(9)
  const [raw, udp, fragments] = [value('RAW', 'inuse'), value('UDP', 'inuse'), value('FRAG', 'inuse')]
  return `Total: ${value('sockets', 'used')}
TCP:   ${value('TCP', 'alloc') + timeWait} (estab ${established}, closed ${closed}, orphaned ${value('TCP', 'orphan')}, timewait ${timeWait})

Transport Total     IP        IPv6
${row('RAW', raw)}${row('UDP', udp)}${row('TCP', tcp)}${row('INET', raw + udp + tcp)}${row('FRAG', fragments)}
`
}

/** Tab's words. */
export function completeSs(words: readonly string[]): string[] {
  const last = words.at(-1) ?? ''
  if (words.at(-2) === 'state' || words.at(-2) === 'exclude') {
    return Object.keys(STATE_WORDS).filter((state) => state.startsWith(last))
  }
  if (last.startsWith('-')) {
    return ['-a', '-e', '-i', '-l', '-m', '-n', '-o', '-p', '-r', '-s', '-t', '-u', '-w', '-4', '-0', '-H'].filter(
      (o) => o.startsWith(last),
    )
  }
  return ['state', 'exclude', 'dst', 'src', 'dport', 'sport'].filter((word) => word.startsWith(last))
}

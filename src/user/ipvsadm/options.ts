/**
 * A command line, read as ipvsadm 1.31 reads it: the command comes first, what follows is taken in order (so that -6 and
 * -M mean something only behind the address that they are about), and the first mistake ends it.
 */
import type { Body, Sys } from '#kernel/core'
import { IPPROTO_TCP, IPPROTO_UDP, parseIpv4, parseIpv6 } from '#wire/inet'
import { FAILED, Fail } from './fail.ts'
import { helpText, TRY_HELP, VERSION } from './help.ts'
import { Popt } from './popt.ts'
import {
  AF_INET,
  AF_INET6,
  emptyRequest,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  type Request,
} from './request.ts'
import { COMMAND_TAGS, checkOptions, checkTunnel, type OptionName, TABLE, TUNNELS } from './rules.ts'
import {
  IPPROTO_SCTP,
  parseFwmark,
  parseNetmask,
  parseNumber,
  parseSchedFlags,
  parseServiceAddress,
  parseTimeout,
} from './values.ts'

const DEFAULT_SCHEDULER = 'wlc'
const DEFAULT_INTERFACE = 'eth0'
const INT_MAX = 0x7fffffff
const NAME_MAX = 15
const PE_NAME_MAX = 16
const SCHED_FLAGS_MAX = 127
/** What a datagram's payload may have: 65535 less the headers of IPv4 and UDP. */
const MAXLEN = 65_535 - 20 - 8

/** What is asked for, or what to print and end with. */
export type Parsed = { request: Request } | { print: string } | { error: string; status: number }

/** Throws a Fail for a mistake that ends the program, even within a file of rules. */
export function* parseCommandLine(sys: Sys, program: string, words: readonly string[]): Body<Parsed> {
  const popt = new Popt(TABLE, words)
  const first = popt.next()
  const tag = first.kind === 'option' ? first.tag : ''
  if (tag === 'h') return { print: helpText(program) }
  if (tag === 'v') return { print: VERSION }
  const command = Object.hasOwn(COMMAND_TAGS, tag) ? COMMAND_TAGS[tag] : undefined
  if (first.kind !== 'option' || !command) throw new Fail(TRY_HELP(program), FAILED)
  const request = emptyRequest(command)
  const { daemon } = request
  if (command === 'start-daemon') daemon.state = daemonState(first.value!, 'illegal start-daemon parameter specified')
  if (command === 'stop-daemon') daemon.state = daemonState(first.value!, 'illegal start_daemon specified')

  const reader = new Reader(sys, request)
  for (let option = popt.next(); option.kind !== 'end'; option = popt.next()) {
    if (option.kind === 'error') return { error: option.message, status: FAILED }
    if (!(yield* reader.take(option.tag, option.value))) throw new Fail(`invalid option \`${popt.badOption}'`)
  }
  const { operands } = popt
  if (command === 'set') {
    const values = operands.splice(0, 3)
    if (values.length < 3) throw new Fail('--set option requires 3 timeout values')
    request.timeouts = [parseTimeout(values[0], 0), parseTimeout(values[1], 0), parseTimeout(values[2], 0)]
  }
  if (operands.length > 0) throw new Fail(`unexpected argument ${operands[0]}`)
  if (reader.schedFlags !== '') {
    const scheduler = request.svc.schedName || DEFAULT_SCHEDULER
    request.svc.flags |= parseSchedFlags(scheduler, reader.schedFlags)
  }
  check(request)
  return { request }
}

function daemonState(word: string, mistake: string): number {
  if (word === 'master') return IP_VS_STATE_MASTER
  if (word === 'backup') return IP_VS_STATE_BACKUP
  throw new Fail(mistake)
}

/** Takes options one after the other into a request. */
class Reader {
  readonly sys: Sys
  readonly request: Request
  schedFlags = ''

  constructor(sys: Sys, request: Request) {
    this.sys = sys
    this.request = request
  }

  give(name: OptionName): void {
    const { given } = this.request
    if (given.has(name)) throw new Fail(`multiple '${name}' options specified`)
    given.add(name)
  }

  /** A number within limits. */
  number(name: OptionName, text: string, least: number, most: number, what: string = name): number {
    this.give(name)
    const number = parseNumber(text, least, most)
    if (number === undefined) throw new Fail(`illegal ${what} specified`)
    return number
  }

  /** false: a command, which may only come first. */
  *take(tag: string, value: string | undefined): Body<boolean> {
    const taken = Object.hasOwn(TAKE, tag) ? TAKE[tag] : undefined
    if (!taken) return false
    const lookups = taken(this, value!)
    if (lookups) yield* lookups
    return true
  }

  *service(text: string, protocol: number): Body<void> {
    const { svc } = this.request
    this.give('service-address')
    svc.protocol = protocol
    const address = yield* parseServiceAddress(this.sys, text, protocol)
    if (!address) throw new Fail('illegal virtual server address[:port] specified')
    svc.af = address.af
    svc.addr = address.addr
    if (address.port !== undefined) svc.port = address.port
    if (address.af === AF_INET6) svc.netmask = 128
  }

  *server(text: string): Body<void> {
    const { svc, dest } = this.request
    this.give('real-server')
    const address = yield* parseServiceAddress(this.sys, text, svc.protocol)
    if (!address) throw new Fail('illegal real server address[:port] specified')
    dest.af = address.af
    dest.addr = address.addr
    // Where none is said, it is the service's, if that was said before.
    dest.port = address.port ?? svc.port
  }

  *netmask(text: string): Body<void> {
    const { svc } = this.request
    this.give('netmask')
    if (svc.af !== AF_INET6) {
      const mask = yield* parseNetmask(this.sys, text)
      if (mask === undefined) throw new Fail('illegal virtual server persistent mask specified')
      svc.netmask = mask
      return
    }
    svc.netmask = Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0)
    if (svc.netmask < 1 || svc.netmask > 128) throw new Fail('illegal ipv6 netmask specified')
  }

  forward(method: number): void {
    this.give('forwarding-method')
    this.request.dest.connFlags = method
  }

  mcastGroup(text: string): void {
    const { daemon } = this.request
    this.give('mcast-group')
    const v6 = text.includes(':')
    const address = v6 ? parseIpv6(text) : parseIpv4(text)
    const multicast = typeof address === 'number' ? address >>> 28 === 0xe : (address?.w0 ?? 0) >>> 24 === 0xff
    if (address === undefined || !multicast) throw new Fail(`invalid IPv${v6 ? 6 : 4} mcast-group \`${text}'`)
    daemon.mcastAf = v6 ? AF_INET6 : AF_INET
    daemon.mcastGroup = address
  }

  tunFlag(name: OptionName, flag: number): void {
    this.give(name)
    this.request.dest.tunFlags |= flag
  }
}

/** What each option does. */
const TAKE: Record<string, (reader: Reader, value: string) => Body<void> | void> = {
  t: (reader, value) => reader.service(value, IPPROTO_TCP),
  u: (reader, value) => reader.service(value, IPPROTO_UDP),
  'sctp-service': (reader, value) => reader.service(value, IPPROTO_SCTP),
  f(reader, value) {
    const { svc } = reader.request
    reader.give('service-address')
    svc.af = AF_INET
    svc.protocol = IPPROTO_TCP
    svc.fwmark = parseFwmark(value)
  },
  6(reader) {
    const { svc } = reader.request
    if (svc.fwmark === 0) throw new Fail('-6 used before -f\n')
    svc.af = AF_INET6
    svc.netmask = 128
  },
  s(reader, value) {
    reader.give('scheduler')
    reader.request.svc.schedName = value.slice(0, NAME_MAX)
  },
  p(reader, value: string | undefined) {
    const { svc } = reader.request
    reader.give('persistent')
    svc.flags |= IP_VS_SVC_F_PERSISTENT
    svc.timeout = parseTimeout(value, 1)
  },
  M: (reader, value) => reader.netmask(value),
  o(reader) {
    reader.give('ops')
    reader.request.svc.flags |= IP_VS_SVC_F_ONEPACKET
  },
  pe(reader, value) {
    reader.give('pe')
    reader.request.svc.peName = value.slice(0, PE_NAME_MAX)
  },
  b(reader, value) {
    reader.give('sched-flags')
    reader.schedFlags = value.slice(0, SCHED_FLAGS_MAX)
  },
  r: (reader, value) => reader.server(value),
  i: (reader) => reader.forward(IP_VS_CONN_F_TUNNEL),
  g: (reader) => reader.forward(IP_VS_CONN_F_DROUTE),
  m: (reader) => reader.forward(IP_VS_CONN_F_MASQ),
  w(reader, value) {
    reader.request.dest.weight = reader.number('weight', value, 0, INT_MAX)
  },
  x(reader, value) {
    reader.request.dest.uThreshold = reader.number('u-threshold', value, 0, INT_MAX, 'u_threshold')
  },
  y(reader, value) {
    reader.request.dest.lThreshold = reader.number('l-threshold', value, 0, INT_MAX, 'l_threshold')
  },
  'tun-type'(reader, value) {
    reader.give('tun-type')
    const type = (TUNNELS as readonly string[]).indexOf(value)
    if (type < 0) throw new Fail('illegal tunnel type specified')
    reader.request.dest.tunType = type
  },
  'tun-port'(reader, value) {
    reader.request.dest.tunPort = reader.number('tun-port', value, 1, 65_535, 'tunnel port')
  },
  'tun-nocsum': (reader) => reader.tunFlag('tun-nocsum', 0),
  'tun-csum': (reader) => reader.tunFlag('tun-csum', 1),
  'tun-remcsum': (reader) => reader.tunFlag('tun-remcsum', 2),
  'mcast-interface'(reader, value) {
    reader.give('mcast-interface')
    reader.request.daemon.mcastIfn = value.slice(0, NAME_MAX)
  },
  syncid(reader, value) {
    reader.request.daemon.syncid = reader.number('syncid', value, 0, 255)
  },
  'mcast-group': (reader, value) => reader.mcastGroup(value),
  'mcast-port'(reader, value) {
    reader.request.daemon.mcastPort = reader.number('mcast-port', value, 1, 65_535)
  },
  'mcast-ttl'(reader, value) {
    reader.request.daemon.mcastTtl = reader.number('mcast-ttl', value, 1, 255)
  },
  'sync-maxlen'(reader, value) {
    reader.request.daemon.syncMaxlen = reader.number('sync-maxlen', value, 1, MAXLEN)
  },
  n: (reader) => reader.give('numeric'),
  c: (reader) => reader.give('connection'),
  X: (reader) => reader.give('exact'),
  timeout: (reader) => reader.give('timeout'),
  daemon: (reader) => reader.give('daemon'),
  stats: (reader) => reader.give('stats'),
  rate: (reader) => reader.give('rate'),
  thresholds: (reader) => reader.give('thresholds'),
  'persistent-conn': (reader) => reader.give('persistent-conn'),
  nosort: (reader) => reader.give('nosort'),
  // Sorting is usual: the option is there for old scripts.
  sort: () => undefined,
  'tun-info': (reader) => reader.give('tun-info'),
}

/** What only shows when all options are known. */
function check(request: Request): void {
  const { command, given, svc, dest, daemon } = request
  const mistake = checkOptions(command, given)
  if (mistake !== undefined) throw new Fail(mistake)
  if (command === 'add-service' || command === 'edit-service') {
    if (svc.fwmark === 0 && svc.port === 0 && !(svc.flags & IP_VS_SVC_F_PERSISTENT))
      throw new Fail('Zero port specified for non-persistent service')
    if (svc.flags & IP_VS_SVC_F_ONEPACKET && svc.fwmark === 0 && svc.protocol !== IPPROTO_UDP)
      throw new Fail('One-Packet Scheduling is only for UDP virtual services')
    svc.schedName ||= DEFAULT_SCHEDULER
  }
  if (command === 'start-daemon') daemon.mcastIfn ||= DEFAULT_INTERFACE
  if (command === 'add-server' || command === 'edit-server') {
    const tunnel = dest.connFlags === IP_VS_CONN_F_TUNNEL
    // Only address translation changes a port.
    if (svc.fwmark === 0 && dest.connFlags !== IP_VS_CONN_F_MASQ) dest.port = svc.port
    if (dest.af !== svc.af && !tunnel) throw new Fail('Different address family is allowed only for tunneling servers')
    if (!tunnel && [...given].some((name) => name !== 'tun-info' && name.startsWith('tun-')))
      throw new Fail('Tunnel options conflict with forward method')
    const wrong = checkTunnel(dest.tunType, given)
    if (wrong !== undefined) throw new Fail(wrong)
  }
  if (command === 'list') {
    const any = (...names: OptionName[]) => names.some((name) => given.has(name))
    if (
      (any('connection', 'timeout', 'daemon') && any('stats', 'rate', 'thresholds')) ||
      (any('timeout', 'daemon') && any('persistent-conn'))
    )
      throw new Fail('options conflicts in the list command')
  }
}

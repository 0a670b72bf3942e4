/** Which options there are, and which of them go with which command and which tunnel. ipvsadm(8). */
import type { PoptOption } from './popt.ts'

export type Command =
  | 'add-service'
  | 'edit-service'
  | 'delete-service'
  | 'flush'
  | 'list'
  | 'add-server'
  | 'delete-server'
  | 'edit-server'
  | 'set'
  | 'start-daemon'
  | 'stop-daemon'
  | 'restore'
  | 'save'
  | 'zero'

/** Options by the names that messages have for them, in the order in which they are checked. */
export const OPTIONS = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
] as const

export type OptionName = (typeof OPTIONS)[number]

interface Rules {
  needed?: OptionName[]
  allowed?: OptionName[]
  /** At most one of them. */
  oneOf?: OptionName[]
}

const SERVICE_OPTIONS: Rules = {
  needed: ['service-address'],
  allowed: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags'],
}
const SERVER_OPTIONS: Rules = {
  needed: ['service-address', 'real-server'],
  allowed: [
    'forwarding-method',
    'weight',
    'u-threshold',
    'l-threshold',
    'tun-type',
    'tun-port',
    'tun-nocsum',
    'tun-csum',
    'tun-remcsum',
  ],
}

const COMMANDS: Record<Command, Rules> = {
  'add-service': SERVICE_OPTIONS,
  'edit-service': SERVICE_OPTIONS,
  'delete-service': { needed: ['service-address'] },
  flush: {},
  list: {
    allowed: ['numeric', 'stats', 'rate', 'thresholds', 'persistent-conn', 'nosort', 'syncid', 'exact', 'tun-info'],
    oneOf: ['connection', 'service-address', 'timeout', 'daemon'],
  },
  'add-server': SERVER_OPTIONS,
  'delete-server': { needed: ['service-address', 'real-server'] },
  'edit-server': SERVER_OPTIONS,
  set: {},
  'start-daemon': { allowed: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'] },
  'stop-daemon': { allowed: ['syncid'] },
  restore: {},
  save: { allowed: ['numeric'] },
  zero: { allowed: ['service-address'] },
}

/** The kinds of tunnels, by their numbers. Linux 6.1 include/uapi/linux/ip_vs.h: IP_VS_CONN_F_TUNNEL_TYPE_*. */
export const TUNNELS = ['ipip', 'gue', 'gre'] as const
const TUNNEL_OPTIONS: OptionName[] = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum']
const TUNNEL_RULES: Record<(typeof TUNNELS)[number], Rules> = {
  ipip: {},
  gue: { needed: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { oneOf: ['tun-nocsum', 'tun-csum'] },
}

/** What is wrong with a command's options, in the tool's words. */
export function checkOptions(command: Command, given: ReadonlySet<OptionName>): string | undefined {
  return check(OPTIONS, COMMANDS[command], given, `'${command}' command`)
}

/** What is wrong with a tunnel's options. */
export function checkTunnel(type: number, given: ReadonlySet<OptionName>): string | undefined {
  const name = TUNNELS[type]!
  return check(TUNNEL_OPTIONS, TUNNEL_RULES[name], given, `'${name}' tunnel type`)
}

function check(
  order: readonly OptionName[],
  rules: Rules,
  given: ReadonlySet<OptionName>,
  what: string,
): string | undefined {
  let taken: OptionName | undefined
  for (const name of order) {
    if (!given.has(name)) {
      if (rules.needed?.includes(name)) return `You need to supply the '${name}' option for the ${what}`
    } else if (rules.oneOf?.includes(name)) {
      if (taken !== undefined) return `The option '${name}' conflicts with the '${taken}' option in the ${what}`
      taken = name
    } else if (!rules.needed?.includes(name) && !rules.allowed?.includes(name)) {
      return `Illegal '${name}' option with the ${what}`
    }
  }
  return undefined
}

const flag = (tag: string, long: string, short?: string): PoptOption => ({
  tag,
  long,
  ...(short === undefined ? {} : { short }),
})
const valued = (tag: string, long: string, short?: string): PoptOption => ({
  ...flag(tag, long, short),
  argument: 'required',
})

/** Commands come first on a command line, and are named by what they do. */
export const COMMAND_TAGS: Record<string, Command> = {
  A: 'add-service',
  E: 'edit-service',
  D: 'delete-service',
  C: 'flush',
  L: 'list',
  Z: 'zero',
  a: 'add-server',
  e: 'edit-server',
  d: 'delete-server',
  set: 'set',
  R: 'restore',
  S: 'save',
  'start-daemon': 'start-daemon',
  'stop-daemon': 'stop-daemon',
}

/** All that a command line may have. */
export const TABLE: readonly PoptOption[] = [
  flag('A', 'add-service', 'A'),
  flag('E', 'edit-service', 'E'),
  flag('D', 'delete-service', 'D'),
  flag('C', 'clear', 'C'),
  flag('L', 'list', 'L'),
  flag('L', 'list', 'l'),
  flag('Z', 'zero', 'Z'),
  flag('a', 'add-server', 'a'),
  flag('e', 'edit-server', 'e'),
  flag('d', 'delete-server', 'd'),
  flag('set', 'set'),
  flag('h', 'help', 'h'),
  flag('v', 'version', 'v'),
  flag('R', 'restore', 'R'),
  flag('S', 'save', 'S'),
  valued('start-daemon', 'start-daemon'),
  valued('stop-daemon', 'stop-daemon'),
  valued('t', 'tcp-service', 't'),
  valued('u', 'udp-service', 'u'),
  valued('sctp-service', 'sctp-service'),
  valued('f', 'fwmark-service', 'f'),
  valued('s', 'scheduler', 's'),
  { ...flag('p', 'persistent', 'p'), argument: 'optional' },
  valued('M', 'netmask', 'M'),
  valued('r', 'real-server', 'r'),
  flag('m', 'masquerading', 'm'),
  flag('i', 'ipip', 'i'),
  flag('g', 'gatewaying', 'g'),
  valued('w', 'weight', 'w'),
  valued('x', 'u-threshold', 'x'),
  valued('y', 'l-threshold', 'y'),
  flag('n', 'numeric', 'n'),
  flag('c', 'connection', 'c'),
  valued('mcast-interface', 'mcast-interface'),
  valued('syncid', 'syncid'),
  flag('timeout', 'timeout'),
  flag('daemon', 'daemon'),
  flag('stats', 'stats'),
  flag('rate', 'rate'),
  flag('thresholds', 'thresholds'),
  flag('persistent-conn', 'persistent-conn'),
  flag('nosort', 'nosort'),
  flag('sort', 'sort'),
  flag('X', 'exact', 'X'),
  flag('6', 'ipv6', '6'),
  flag('o', 'ops', 'o'),
  valued('pe', 'pe'),
  valued('b', 'sched-flags', 'b'),
  valued('mcast-group', 'mcast-group'),
  valued('mcast-port', 'mcast-port'),
  valued('mcast-ttl', 'mcast-ttl'),
  valued('sync-maxlen', 'sync-maxlen'),
  flag('tun-info', 'tun-info'),
  valued('tun-type', 'tun-type'),
  valued('tun-port', 'tun-port'),
  flag('tun-nocsum', 'tun-nocsum'),
  flag('tun-csum', 'tun-csum'),
  flag('tun-remcsum', 'tun-remcsum'),
]

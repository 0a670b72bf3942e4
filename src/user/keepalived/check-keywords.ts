/** virtual_server, virtual_server_group, and the real servers in them. keepalived 2.2.7 check/check_parser.c, check/check_data.c */
import { NotModelled } from '#base/check'
import { parseIpv4 } from '#wire/inet'
import {
  type CheckConfig,
  type Endpoint,
  familyOf,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Method,
  PERSISTENCE_DEFAULT_S,
  RealServer,
  type ServerGroup,
  type Tunnel,
  VirtualServer,
  WEIGHT_MOST,
} from './check-model.ts'
import { checkerKeywords } from './checker-keywords.ts'
import { type Configuration, notModelled, unseen } from './configuration.ts'
import { type Handler, type Keyword, Words } from './keywords.ts'
import { type Address, isIpv6, parseAddressOf, showAddress } from './model.ts'
import { UINT_MAX } from './numbers.ts'
import { notifyScript, type Script } from './scripts.ts'

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'sh', 'mh', 'dh', 'fo', 'ovf', 'lblcr', 'sed', 'nq', 'twos']
const METHODS: Record<string, Method> = { NAT: 0, TUN: 2, DR: 3 }
const TUNNELS: Record<string, number> = { ipip: 0, gue: 1, gre: 2 }
const TUNNEL_FLAGS: Record<string, number> = { nocsum: 0, csum: 1, remcsum: 2 }
const TIMEOUT_MOST_S = 86_400 * 31
/** Include/uapi/linux/ip_vs.h: IP_VS_SVC_F_ONEPACKET, _SCHED1 to _SCHED3. */
const F_ONE_PACKET = 4
const F_SCHED = { 'flag-1': 8, 'flag-2': 16, 'flag-3': 32 }

/** An address, without what a range has behind it, and a port. Undefined: one of them is none. lib/utils.c: inet_stosockaddr() */
export function readEndpoint(config: Configuration, address: string, port: string | undefined): Endpoint | undefined {
  // No port and port 0 are the same.
  let number: number | undefined = 0
  if (port !== undefined && !/^0*$/.test(port)) {
    number = config.readUnsigned(port, 1, 65_535, true)
    if (number === undefined) return undefined
  }
  const parsed = parseAddressOf(address.replace(/[-/].*$/, ''))
  return parsed === undefined ? undefined : { address: parsed, port: number }
}

/** @param check absent: the process that reads has nothing to do with it, and passes over */
export function checkKeywords(config: Configuration, check: CheckConfig | undefined): Keyword[] {
  const noticed = () => {
    config.global.haveChecker = true
  }
  const into = check ?? { groups: [], servers: [], checkers: [] }
  const roots: [Keyword, () => void][] = [
    [{ ...notModelled('SSL'), sub: [] }, () => undefined],
    [{ name: 'virtual_server_group', run: serverGroup(config, into) }, () => undefined],
    [
      {
        name: 'virtual_server',
        run: (words) => {
          noticed()
          startServer(config, into, words)
        },
        sub: serverKeywords(config, into),
        end: () => endServer(config, into),
      },
      noticed,
    ],
  ]
  return roots.map(([root, skipped]) => (check ? root : { ...root, skipped }))
}

function serverGroup(config: Configuration, check: CheckConfig): Handler {
  return function* (words) {
    const group: ServerGroup = { name: words.at(1), entries: [] }
    check.groups.push(group)
    // The name isn't part of the block.
    const rest = new Words(config.reader, [words.all[0]!, ...words.all.slice(2)], words.line)
    yield* config.keywords.block(rest, (line) => groupEntry(config, group, line))
    const families = new Set(group.entries.map((entry) => ('from' in entry ? familyOf(entry.from) : entry.family)))
    let why: string | undefined
    if (group.entries.length === 0) why = 'has no entries'
    else if (families.size === 3) why = 'cannot have IPv4, IPv6 and fwmark without family'
    if (why === undefined) return
    config.wrong(`virtual server group ${group.name} ${why} - removing`)
    check.groups.pop()
  }
}

function groupEntry(config: Configuration, group: ServerGroup, words: Words): void {
  const text = words.at(0)
  if (text === 'fwmark') {
    const mark = config.unsigned(words, 1, 0, UINT_MAX, true)
    if (mark === undefined) {
      config.wrong(`(${group.name}): fwmark '${words.at(1)}' must be in [0, ${UINT_MAX}] - ignoring`)
      return
    }
    const family = words.all[2]
    if (family !== undefined && family !== 'inet' && family !== 'inet6') {
      config.wrong(`(${group.name}): fwmark '${mark}' family ${family} unknown - ignoring`)
      return
    }
    group.entries.push({ mark, family: family === undefined ? undefined : family === 'inet' ? 4 : 6 })
    return
  }
  const port = words.all[1]
  const begin = readEndpoint(config, text, port)
  if (!begin) {
    const shown = port === undefined || /^0*$/.test(port) ? ' ' : `/port /${port}`
    config.wrong(`Invalid virtual server group IP address ${text} ${shown.trim()} - skipping`)
    return
  }
  const to = rangeEnd(config, text, begin.address)
  if (to !== undefined) group.entries.push({ from: begin.address, to, port: begin.port })
}

function rangeEnd(config: Configuration, text: string, from: Address): Address | undefined {
  const found = /[-/](.*)$/.exec(text)
  if (!found) return from
  if (isIpv6(from)) throw new NotModelled('keepalived: ranges of IPv6 addresses')
  if (text.includes('/')) {
    const bits = Number(found[1])
    if (!/^\d+$/.test(found[1]!) || bits === 0 || bits > 32) {
      config.wrong(`Invalid netmask - ${text} - skipping`)
      return undefined
    }
    const rest = 2 ** (32 - bits) - 1
    if ((from & rest) !== 0) {
      config.wrong(`Address mask bits not empty - ${text} - skipping`)
      return undefined
    }
    return (from | rest) >>> 0
  }
  if (found[1]!.includes('.')) {
    const to = parseIpv4(found[1]!)
    if (to === undefined) config.wrong(`Invalid range end ${text} - skipping`)
    else if (from > to) {
      config.wrong(`Address range end is less than address range start - ${text} - skipping`)
      return undefined
    }
    return to
  }
  const last = Number(found[1])
  if (!/^\d+$/.test(found[1]!) || last > 255) return undefined
  if ((from & 0xff) >= last) {
    config.wrong(`Address range end is not greater than address range start - ${text} - skipping`)
    return undefined
  }
  return ((from & 0xffff_ff00) | last) >>> 0
}

function startServer(config: Configuration, check: CheckConfig, words: Words): void {
  const server = new VirtualServer()
  const first = words.at(1)
  const second = words.all[2]
  if (first === 'group') server.groupName = words.at(2)
  else if (first === 'fwmark') {
    server.mark = config.unsigned(words, 2, 0, UINT_MAX, true)
    if (server.mark === undefined) {
      config.wrong(`virtual server fwmark '${second}' must be in [0, ${UINT_MAX}] - ignoring`)
      config.skipBlock()
      return
    }
  } else {
    server.endpoint = readEndpoint(config, first, second)
    if (!server.endpoint) {
      const port = second === undefined || /^0*$/.test(second) ? '' : second
      const slash = port === '' ? '' : '/'
      config.wrong(`Invalid virtual server IP address${port === '' ? '' : '/port'} ${first}${slash}${port} - skipping`)
      config.skipBlock()
      return
    }
    server.family = familyOf(server.endpoint.address)
  }
  check.servers.push(server)
}

function endServer(config: Configuration, check: CheckConfig): void {
  const server = check.servers.at(-1)
  if (!server) return
  const { sorry } = server
  if (sorry && sorry.method !== 2) {
    const family = familyOf(sorry.endpoint.address)
    server.family ??= family
    if (server.family !== family) {
      const shown = showAddress(sorry.endpoint.address)
      config.wrong(`Address family of virtual server and sorry server ${shown} don't match - skipping sorry server.`)
      server.sorry = undefined
    }
  }
  if (server.family !== undefined || server.groupName !== undefined) return
  const families = new Set(
    [...(sorry ? [sorry] : []), ...server.servers].map((each) => familyOf(each.endpoint.address)),
  )
  server.family = families.size === 1 ? [...families][0] : 4
}

/** lb_kind, lvs_method, sorry_server_lvs_method. */
function forwarding(
  config: Configuration,
  kind: string,
  target: () => { method: Method; tunnel: Tunnel } | undefined,
): Handler {
  return (words) => {
    const into = target()
    if (!into) {
      config.wrong('sorry_server forwarding used without sorry_server')
      return
    }
    const text = words.at(1)
    const method = METHODS[text]
    if (method === undefined) {
      config.wrong(`PARSER : unknown [${text}] routing method for ${kind} server.`)
      return
    }
    into.method = method
    const tunnel = { type: 0, port: 0, flags: 0 }
    for (let i = 2; i < words.count; i++) {
      const option = words.at(i)
      const value = words.all[i + 1]
      if (option === 'type' || option === 'port') {
        if (value === undefined) {
          const missing = option === 'type' ? 'Missing tunnel type' : 'Missing port'
          config.wrong(`${missing} for ${kind} server${option === 'type' ? '' : ' gue tunnel'}.`)
          return
        }
        i++
        if (option === 'type') {
          const type = TUNNELS[value]
          if (type === undefined) {
            config.wrong(`Unknown tunnel type ${value} for ${kind} server.`)
            return
          }
          tunnel.type = type
        } else {
          const port = config.unsigned(words, i, 1, 65_535, false)
          if (port === undefined) {
            config.wrong(`Invalid gue tunnel port ${value} for ${kind} server.`)
            return
          }
          tunnel.port = port
        }
      } else if (option in TUNNEL_FLAGS) tunnel.flags = TUNNEL_FLAGS[option]!
      else {
        config.wrong(`Invalid tunnel option ${option} for ${kind} server.`)
        return
      }
    }
    let why: string | undefined
    if ((tunnel.type === 1) !== (tunnel.port !== 0)) why = 'gue tunnels require port, otherwise cannot have port.'
    else if (tunnel.type === 0 && tunnel.flags !== 0) why = 'ipip tunnels do not support checksum option.'
    else if (tunnel.type === 2 && tunnel.flags === 2) why = 'gre tunnels do not support remote checksum option.'
    if (why !== undefined) config.wrong(why)
    else into.tunnel = tunnel
  }
}

/** A time, in microseconds. */
export function time(
  config: Configuration,
  name: string,
  least: number,
  most: number,
  complaint: (value: string) => string,
  set: (us: number) => void,
): Keyword {
  return {
    name,
    run: (words) => {
      const read = config.seconds(words, 1, least, most, true)
      if (read === undefined) config.wrong(complaint(words.at(1)))
      else set(read)
    },
  }
}

export const TIMER_MOST = Number.MAX_SAFE_INTEGER

type Timed = Pick<VirtualServer, 'warmupUs' | 'retry' | 'retryDelayUs'> & { connectUs: unknown; delayUs: unknown }

function times(config: Configuration, kind: string, target: () => Timed): Keyword[] {
  const quoted = kind === 'virtual' ? 'delay loop' : 'delay_loop'
  const before = kind === 'virtual' ? 'delay before retry' : 'delay_before_retry'
  return [
    {
      name: 'retry',
      run: config.number(
        1,
        UINT_MAX,
        false,
        (value) => `retry value invalid - ${value}`,
        (value) => {
          target().retry = value
        },
      ),
    },
    time(
      config,
      'delay_before_retry',
      0,
      TIMER_MOST,
      (v) => `${kind} server ${before} '${v}' invalid - ignoring`,
      (us) => {
        target().retryDelayUs = us
      },
    ),
    time(
      config,
      'warmup',
      0,
      TIMER_MOST,
      (v) => `${kind} server warmup '${v}' invalid - ignoring`,
      (us) => {
        target().warmupUs = us
      },
    ),
    time(
      config,
      'connect_timeout',
      1,
      UINT_MAX,
      (v) => `${kind} server connect_timeout ${v} invalid - ignoring`,
      (us) => {
        target().connectUs = us
      },
    ),
    time(
      config,
      'delay_loop',
      1,
      TIMER_MOST,
      (v) => `${kind} server ${quoted} '${v}' invalid - ignoring`,
      (us) => {
        target().delayUs = us
      },
    ),
  ]
}

function serverKeywords(config: Configuration, check: CheckConfig): Keyword[] {
  const current = () => check.servers.at(-1)!
  const notify = (name: 'quorum_up' | 'quorum_down', field: 'notifyQuorumUp' | 'notifyQuorumDown'): Keyword => ({
    name,
    run: (words) =>
      setScript(config, current(), name, 'quorum', current()[field], words, (script) => {
        current()[field] = script
      }),
  })
  const scheduler: Handler = (words) => {
    const text = words.at(1)
    if (SCHEDULERS.includes(text)) current().scheduler = text
    else config.wrong(`Invalid lvs_scheduler '${text}' - ignoring`)
  }
  const flags: Handler = (words) => setFlag(config, current(), words.at(0))
  return [
    { name: 'ip_family', run: (words) => setFamily(config, current(), words.at(1)) },
    ...times(config, 'virtual', current),
    {
      name: 'inhibit_on_failure',
      run: () => {
        current().inhibit = true
      },
    },
    { name: 'lb_algo', run: scheduler },
    { name: 'lvs_sched', run: scheduler },
    ...['hashed', 'ops', 'flag-1', 'flag-2', 'flag-3', 'sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'].map(
      (name) => ({ name, run: flags }),
    ),
    { name: 'lb_kind', run: forwarding(config, 'virtual', current) },
    { name: 'lvs_method', run: forwarding(config, 'virtual', current) },
    {
      name: 'persistence_engine',
      run: (words) => {
        const name = words.at(1)
        if (name.length > 15) config.wrong(`persistence_name too long, truncating - ${name}`)
        current().engine = name.slice(0, 15)
      },
    },
    {
      name: 'persistence_timeout',
      run: (words) => {
        const read = words.count < 2 ? PERSISTENCE_DEFAULT_S : config.unsigned(words, 1, 1, TIMEOUT_MOST_S, false)
        if (read === undefined) config.wrong('persistence_timeout invalid')
        else current().persistenceS = read
      },
    },
    { name: 'persistence_granularity', run: (words) => setGranularity(config, current(), words) },
    {
      name: 'protocol',
      run: (words) => {
        const text = words.at(1)
        const known = { TCP: IPPROTO_TCP, UDP: IPPROTO_UDP, SCTP: IPPROTO_SCTP }[text.toUpperCase()]
        if (known === undefined) config.wrong(`Unknown protocol ${text} - ignoring`)
        else current().protocol = known
      },
    },
    notModelled('ha_suspend'),
    {
      name: 'smtp_alert',
      run: (words) => {
        const read = config.flag(words, (value) => `Invalid virtual_server smtp_alert parameter ${value}`)
        if (read !== undefined) current().smtpAlert = read
      },
    },
    {
      name: 'virtualhost',
      run: (words) => {
        if (words.count < 2) config.wrong('virtual server virtualhost missing')
        else current().virtualHost = words.at(1)
      },
    },
    unseen('snmp_name'),
    {
      name: 'alpha',
      run: () => {
        current().alpha = true
      },
    },
    {
      name: 'omega',
      run: () => {
        current().omega = true
      },
    },
    notify('quorum_up', 'notifyQuorumUp'),
    notify('quorum_down', 'notifyQuorumDown'),
    {
      name: 'quorum',
      run: (words) => {
        const read = config.unsigned(words, 1, 1, UINT_MAX, true)
        if (read === undefined) config.wrong(`Quorum ${words.at(1)} must be in [1, ${UINT_MAX}]. Setting to 1.`)
        current().quorum = read ?? 1
      },
    },
    {
      name: 'hysteresis',
      run: config.number(
        0,
        UINT_MAX,
        true,
        (value) => `Hysteresis ${value} must be in [0, ${UINT_MAX}] - ignoring`,
        (value) => {
          current().hysteresis = value
        },
      ),
    },
    {
      name: 'weight',
      run: config.number(
        1,
        WEIGHT_MOST,
        true,
        (value) => `Virtual server weight ${value} is outside range 1-${WEIGHT_MOST}`,
        (value) => {
          current().weight = value
        },
      ),
    },
    {
      name: 'sorry_server',
      run: (words) => {
        const at = readEndpoint(config, words.at(1), words.all[2])
        if (at) current().sorry = new RealServer(at, current().method, current().tunnel)
        else config.wrong(`Invalid sorry server IP address ${words.at(1)} - skipping`)
      },
    },
    {
      name: 'sorry_server_inhibit',
      run: () => {
        const { sorry } = current()
        if (sorry) sorry.inhibit = true
        else config.wrong('Ignoring sorry_server inhibit used before or without sorry_server')
      },
    },
    { name: 'sorry_server_lvs_method', run: forwarding(config, 'sorry', () => current().sorry) },
    {
      name: 'real_server',
      run: (words) => {
        const at = readEndpoint(config, words.at(1), words.all[2])
        if (at) current().servers.push(new RealServer(at, current().method, current().tunnel))
        else {
          config.wrong(`Invalid real server ip address/port ${words.at(1)}/${words.all[2] ?? '(null)'} - skipping`)
          config.skipBlock()
        }
      },
      sub: realKeywords(config, check),
      end: () => endReal(config, check),
    },
  ]
}

function setScript(
  config: Configuration,
  server: VirtualServer,
  name: string,
  kind: string,
  before: Script | undefined,
  words: Words,
  set: (script: Script | undefined) => void,
): void {
  if (before) {
    const owner = server.groupName ?? '(null)'
    config.wrong(`(${owner}) ${name} script already specified - ignoring ${words.at(1)}`)
  } else set(notifyScript(config, words.line, kind))
}

function setFamily(config: Configuration, server: VirtualServer, text: string): void {
  const family = text === 'inet' ? 4 : text === 'inet6' ? 6 : undefined
  if (family === undefined) config.wrong(`unknown address family ${text}`)
  else if (server.family !== undefined && server.family !== family) {
    config.wrong(`Virtual server specified family ${text} conflicts with server family`)
  } else server.family = family
}

function setFlag(config: Configuration, server: VirtualServer, name: string): void {
  if (name === 'ops') server.flags |= F_ONE_PACKET
  else if (name in F_SCHED) server.flags |= F_SCHED[name as keyof typeof F_SCHED]
  else if (server.scheduler === 'sh' || server.scheduler === 'mh') {
    if (name === `${server.scheduler}-port`) server.flags |= F_SCHED['flag-2']
    if (name === `${server.scheduler}-fallback`) server.flags |= F_SCHED['flag-1']
  } else config.wrong(`${name} only applies to sh scheduler - ignoring`)
}

function setGranularity(config: Configuration, server: VirtualServer, words: Words): void {
  const text = words.at(1)
  const family = server.family ?? (text.includes('.') ? 4 : 6)
  const read = family === 6 ? config.unsigned(words, 1, 1, 128, false) : parseIpv4(text)
  if (read === undefined) {
    config.wrong(`Invalid IPv${family} persistence_granularity specified - ${text}`)
    return
  }
  server.granularity = read
  server.family ??= family
  server.persistenceS ||= PERSISTENCE_DEFAULT_S
}

function realKeywords(config: Configuration, check: CheckConfig): Keyword[] {
  const server = () => check.servers.at(-1)!
  const current = () => server().servers.at(-1)!
  const flag = (name: string, complaint: (value: string) => string, set: (on: boolean) => void): Keyword => ({
    name,
    run: (words) => {
      const read = config.flag(words, complaint)
      if (read !== undefined) set(read)
    },
  })
  const threshold = (name: 'uthreshold' | 'lthreshold', field: 'upper' | 'lower'): Keyword => ({
    name,
    run: config.number(
      0,
      UINT_MAX,
      true,
      (value) => `Invalid real_server ${name} '${value}' - ignoring`,
      (value) => {
        current()[field] = value
      },
    ),
  })
  const notify = (name: string, field: 'notifyUp' | 'notifyDown'): Keyword => ({
    name,
    run: (words) =>
      setScript(config, server(), name, 'notify', current()[field], words, (script) => {
        current()[field] = script
      }),
  })
  return [
    {
      name: 'weight',
      run: config.number(
        0,
        WEIGHT_MOST,
        true,
        (value) => `Real server weight ${value} is outside range 0-${WEIGHT_MOST}`,
        (value) => {
          current().weight = value
        },
      ),
    },
    { name: 'lvs_method', run: forwarding(config, 'real', current) },
    threshold('uthreshold', 'upper'),
    threshold('lthreshold', 'lower'),
    flag(
      'inhibit_on_failure',
      (value) => `Invalid inhibit_on_failure parameter ${value}`,
      (on) => {
        current().inhibit = on
      },
    ),
    notify('notify_up', 'notifyUp'),
    notify('notify_down', 'notifyDown'),
    flag(
      'alpha',
      (value) => `Invalid alpha parameter ${value}`,
      (on) => {
        current().alpha = on
      },
    ),
    ...times(config, 'real', current),
    flag(
      'smtp_alert',
      (value) => `Invalid real_server smtp_alert parameter ${value}`,
      (on) => {
        current().smtpAlert = on
      },
    ),
    {
      name: 'virtualhost',
      run: (words) => {
        if (words.count < 2) config.wrong('real server virtualhost missing')
        else current().virtualHost = words.at(1)
      },
    },
    unseen('snmp_name'),
    ...checkerKeywords(config, check),
  ]
}

function endReal(config: Configuration, check: CheckConfig): void {
  const server = check.servers.at(-1)
  const real = server?.servers.at(-1)
  if (!server || !real || real.method === 2) return
  const family = familyOf(real.endpoint.address)
  server.family ??= family
  if (server.family === family) return
  const shown = showAddress(real.endpoint.address)
  config.wrong(`Address family of virtual server and real server ${shown} don't match - skipping real server.`)
  server.servers.pop()
  check.checkers = check.checkers.filter((checker) => checker.real !== real)
}

/** /etc/ha.d/ha.cf: directives, line by line, with the real one's complaints. heartbeat 3.0.6 heartbeat/config.c, lib/plugins/HBcomm */
import { NotModelled } from '#base/check'
import { parseIpv4 } from '#wire/inet'
import type { Level } from './log.ts'

export const HA_CF = '/etc/ha.d//ha.cf'

/** One way by which heartbeats go. */
export interface Medium {
  type: 'bcast' | 'mcast' | 'ucast' | 'ping' | 'ping_group'
  /** How links and processes call it: the interface, or the pinged node. */
  name: string
  /** Where it sends. */
  addresses: number[]
  port: number
  ttl: number
  loop: boolean
}

export interface ClientChild {
  user: string
  command: string
  path: string
}

export interface HaConfig {
  keepaliveMs: number
  deadtimeMs: number
  warntimeMs: number
  initdeadMs: number
  deadpingMs: number
  hopfudge: number
  logfile: string
  debugfile: string
  facility: string
  useLogd: boolean | undefined
  /** auto_failback is on or off, not `legacy`. */
  niceFailback: boolean
  autoFailback: boolean
  netstring: boolean
  timeGeneration: boolean
  uuidFromName: boolean
  debug: number
  maxRexmitDelayMs: number
  syslogFormat: boolean
  quietBadPackets: boolean
  nodes: { name: string; ping: boolean }[]
  media: Medium[]
  clients: ClientChild[]
  /** What `cl_status hbparameter` tells, and as it was written. */
  parameters: Map<string, string>
}

/** What the parser asks the host. Undefined: there is no such thing. */
export interface ConfigurationHost {
  node: string
  broadcastOf(device: string): { ok: true; address: number } | { ok: false; error: string }
  addressOf(device: string): { ok: true } | { ok: false; error: string }
  lookup(name: string): number | undefined
  serviceOf(port: number): string | undefined
  executable(path: string): boolean
  userExists(name: string): boolean
  say(level: Level, text: string): void
  raw(text: string): void
  /** `logfile` and `debugfile` count as soon as they are read. */
  setLog(config: HaConfig): void
}

const MEDIA_MAX = 64
const NODES_MAX = 100
const LINE_MAX = 5 * 1024

/** Directives that keep a value, with the default that is recorded when the file doesn't say. In the order of the original's table. */
const DEFAULTS: [string, string | undefined][] = [
  ['cluster', 'linux-ha'],
  ['hopfudge', '1'],
  ['keepalive', '1000ms'],
  ['deadtime', '30000ms'],
  ['baud', '19200'],
  ['auto_failback', 'legacy'],
  ['hbgenmethod', 'file'],
  ['realtime', 'true'],
  ['msgfmt', 'classic'],
  ['conn_logd_time', '60'],
  ['log_badpack', 'true'],
  ['syslogmsgfmt', 'true'],
  ['coredumps', 'true'],
  ['pacemaker', 'false'],
  ['autojoin', 'none'],
  ['uuidfrom', 'file'],
  ['compression', 'zlib'],
  ['compression_threshold', '2'],
  ['traditional_compression', 'no'],
  ['max_rexmit_delay', '250'],
  ['record_config_changes', 'on'],
  ['record_pengine_inputs', 'on'],
  ['enable_config_writes', 'on'],
  ['memreserve', '6500'],
]

/** Directives whose values aren't kept for cl_status. */
const UNRECORDED = new Set(['node', 'nice_failback', 'use_apphbd', 'crm', 'env'])

const NOT_MODELLED = new Set(['stonith', 'stonith_host', 'watchdog', 'serial', 'mcast6', 'ucast6', 'ping6', 'failfast'])

/** `10`, `1500ms`, `250us`: milliseconds, or -1. */
export function parseMs(text: string): number {
  const match = /^[\t ]*([0-9.]+)[\t ]*(.*)$/s.exec(text)
  if (!match) return -1
  const unit = match[2]!.toLowerCase()
  const number = Number.parseFloat(match[1]!) || 0
  if (unit.startsWith('ms')) return Math.floor(number + 0.5)
  if (unit.startsWith('us')) return Math.floor(number / 1000 + 0.5)
  return unit === '' || unit.startsWith('\n') ? Math.floor(number * 1000 + 0.5) : -1
}

/** true on yes y 1, false off no n 0. */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase()
  if (['true', 'on', 'yes', 'y', '1'].includes(word)) return true
  return ['false', 'off', 'no', 'n', '0'].includes(word) ? false : undefined
}

const integer = (text: string) => Number.parseInt(/^[\t ]*[+-]?\d+/.exec(text)?.[0] ?? '0', 10)

const FACILITIES = new Set(
  'none auth authpriv cron daemon kern lpr mail news security syslog user uucp local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  ),
)

/** Reads a configuration; `ok` says whether it may be used. */
export class HaCfParser {
  readonly config: HaConfig = {
    keepaliveMs: 1000,
    deadtimeMs: 30_000,
    warntimeMs: 0,
    initdeadMs: -1,
    deadpingMs: -1,
    hopfudge: 1,
    logfile: '',
    debugfile: '',
    facility: '',
    useLogd: undefined,
    niceFailback: false,
    autoFailback: false,
    netstring: false,
    timeGeneration: false,
    uuidFromName: false,
    debug: 0,
    maxRexmitDelayMs: 250,
    syslogFormat: true,
    quietBadPackets: false,
    nodes: [],
    media: [],
    clients: [],
    parameters: new Map(),
  }
  readonly #host: ConfigurationHost
  readonly #apis = new Set<string>()
  #port = 0
  #pacemakerSeen = false

  constructor(host: ConfigurationHost) {
    this.#host = host
  }

  /** The file's lines. */
  parse(text: string): boolean {
    let errors = 0
    for (const whole of text.split('\n')) {
      const line = whole
        .slice(0, LINE_MAX)
        .replace(/^[\t ]+/, '')
        .replace(/[#\r].*$/s, '')
      if (line === '') continue
      const directive = /^[^\t ]*/.exec(line)![0]
      if (!this.#line(directive === 'udp' ? this.#udp() : directive, line.slice(directive.length))) errors++
    }
    return errors === 0
  }

  #udp(): string {
    this.#host.say('WARN', "WARNING: directive 'udp' replaced by 'bcast'")
    return 'bcast'
  }

  #line(directive: string, rest: string): boolean {
    if (NOT_MODELLED.has(directive)) throw new NotModelled(`heartbeat: the directive ${directive} in ha.cf`)
    const value = rest.replace(/^[\t ,;]+/, '')
    if (directive === 'mcast') return this.#mcast(value)
    if (directive === 'ucast') return this.#ucast(value)
    if (directive === 'ping_group') return this.#pingGroup(value)
    if (directive === 'apiauth') return this.#apiauth(value)
    if (directive === 'respawn') return this.#respawn(value)
    if (directive !== 'bcast' && directive !== 'ping' && !(directive in SETTERS)) {
      this.#host.say('ERROR', `Illegal directive [${directive}] in ${HA_CF}`)
      return false
    }
    let good = true
    for (const option of value.split(/[\t ,;]+/)) if (option !== '' && !this.option(directive, option)) good = false
    return good
  }

  /** One value of a directive. */
  option(directive: string, value: string): boolean {
    if (directive === 'bcast') return this.#bcast(value)
    if (directive === 'ping') return this.#ping(value)
    const good = SETTERS[directive]!(this, this.config, value, this.#host)
    if (good && !UNRECORDED.has(directive)) this.config.parameters.set(directive, value)
    return good
  }

  addNode(name: string, ping: boolean): boolean {
    if (this.config.nodes.length >= NODES_MAX) return false
    this.config.nodes.push({ name: name.toLowerCase(), ping })
    return true
  }

  pacemaker(value: string): boolean {
    if (this.#pacemakerSeen) {
      this.#host.say('ERROR', 'pacemaker/crm directive used multiple times!')
      return false
    }
    this.#pacemakerSeen = true
    this.#host.say('info', `Pacemaker support: ${value}`)
    const on = parseBoolean(value)
    if (on === false) return true
    if (on === undefined && !['minimal', 'manual', 'respawn', 'ccm-only', 'valgrind'].includes(value.toLowerCase()))
      return false
    throw new NotModelled('heartbeat: pacemaker as the resource manager')
  }

  /** The port is taken when the first medium is made, and stays. */
  #udpPort(): number {
    this.#port ||= integer(this.config.parameters.get('udpport') ?? '694')
    return this.#port
  }

  #add(medium: Medium): boolean {
    if (this.config.media.length >= MEDIA_MAX) {
      this.#host.say('ERROR', `Too many media specified (> ${MEDIA_MAX})`)
      this.#host.say('info', `Offending command: ${medium.type} ${medium.name}`)
      return false
    }
    this.config.media.push(medium)
    return true
  }

  #bcast(device: string): boolean {
    const found = this.#host.broadcastOf(device)
    if (!found.ok) {
      this.#host.say('ERROR', `glib: Get broadcast for interface ${device} failed: ${found.error}`)
      this.#host.say('ERROR', `glib: IP interface [${device}] does not exist`)
      this.#host.say('ERROR', `Illegal bcast [UDP/IP broadcast] in config file [${device}]`)
      return false
    }
    return this.#add({
      type: 'bcast',
      name: device,
      addresses: [found.address],
      port: this.#udpPort(),
      ttl: 0,
      loop: false,
    })
  }

  #mcast(value: string): boolean {
    const [device = '', group = '', port = '', ttl = '', loop = ''] = value.trim().split(/[\t ]+/)
    if (device === '') return true
    const bad = (text: string) => {
      this.#host.say('ERROR', `glib: ${text}`)
      return false
    }
    const own = this.#host.addressOf(device)
    if (!own.ok) {
      bad(`Unable to retrieve local interface address for interface [${device}] using ioctl(SIOCGIFADDR): ${own.error}`)
      return bad(`mcast device [${device}] is invalid or not set up properly`)
    }
    if (group === '') return bad(`mcast [${device}] missing mcast address`)
    const address = parseIpv4(group)
    if (address === undefined || address >>> 28 !== 14) return bad(`mcast [${device}] bad addr [${group}]`)
    if (port === '') return bad(`mcast [${device}] missing port`)
    const portNumber = integer(port) & 0xffff
    if (portNumber === 0) return bad(` mcast [${device}] bad port [${portNumber}]`)
    if (ttl === '') return bad(`mcast [${device}] missing ttl`)
    const ttlNumber = integer(ttl) & 0xff
    if (ttlNumber > 4) return bad(` mcast [${device}] bad ttl [${ttlNumber}]`)
    if (loop === '') return bad(`mcast [${device}] missing loop`)
    const loopNumber = integer(loop) & 0xff
    if (loopNumber > 1) return bad(` mcast [${device}] bad loop [${loopNumber}]`)
    return this.#add({
      type: 'mcast',
      name: device,
      addresses: [address],
      port: portNumber,
      ttl: ttlNumber,
      loop: loopNumber === 1,
    })
  }

  #ucast(value: string): boolean {
    const [device = '', peer = ''] = value.trim().split(/[\t ]+/)
    if (device === '') return true
    if (peer === '') {
      this.#host.say('ERROR', `glib: ucast: [${device}] missing target IP address/hostname`)
      return false
    }
    const address = parseIpv4(peer) ?? this.#host.lookup(peer)
    if (address === undefined) {
      this.#host.say('ERROR', 'glib: ucast: cannot resolve hostname')
      this.#host.say('ERROR', `glib: ucast: interface [${device}] does not exist`)
      return false
    }
    return this.#add({ type: 'ucast', name: device, addresses: [address], port: this.#udpPort(), ttl: 0, loop: false })
  }

  #ping(name: string): boolean {
    const address = parseIpv4(name) ?? this.#host.lookup(name)
    if (address === undefined) {
      this.#host.say('ERROR', `glib: unknown host: ${name}: No such file or directory`)
      this.#host.say('ERROR', `Illegal ping [ping membership] in config file [${name}]`)
      return false
    }
    this.addNode(name, true)
    return this.#add({ type: 'ping', name, addresses: [address], port: 0, ttl: 0, loop: false })
  }

  #pingGroup(value: string): boolean {
    const [name = '', ...members] = value.trim().split(/[\t ]+/)
    if (name === '') return true
    const addresses: number[] = []
    for (const member of members) {
      const address = parseIpv4(member) ?? this.#host.lookup(member)
      if (address === undefined) {
        this.#host.say('ERROR', `glib: unknown host: ${member}: No such file or directory`)
        return false
      }
      addresses.push(address)
    }
    if (addresses.length === 0) {
      this.#host.say('ERROR', `glib: ping group [${name}] has no members`)
      return false
    }
    this.addNode(name, true)
    return this.#add({ type: 'ping_group', name, addresses, port: 0, ttl: 0, loop: false })
  }

  /** `apiauth CLIENT uid=... gid=...`: kept only so far as its form is looked at, since everybody is root. */
  #apiauth(value: string): boolean {
    const [client = '', ...lists] = value.trim().split(/[\t ]+/)
    const bad = (text?: string) => {
      if (text !== undefined) this.#host.say('ERROR', text)
      this.#host.say('ERROR', `Invalid apiauth directive [${value}]`)
      this.#host.say('info', 'Syntax: apiauth client [uid=uidlist] [gid=gidlist]')
      this.#host.say('info', 'Where uidlist is a comma-separated list of uids,')
      this.#host.say('info', 'and gidlist is a comma-separated list of gids')
      this.#host.say('info', 'One or the other must be specified.')
      return false
    }
    const seen = new Set<string>()
    for (const list of lists) {
      const kind = list.slice(0, 3)
      if (!/^[ug]id=/.test(list)) return bad('Missing uid or gid in apiauth')
      if (seen.has(kind)) return bad(`Duplicate ${kind} list in apiauth`)
      seen.add(kind)
    }
    if (client === '' || seen.size === 0) return bad()
    if (this.#apis.has(client)) return bad(`Duplicate apiauth directive for API client ${client}: [${value}]`)
    this.#apis.add(client)
    return true
  }

  #respawn(value: string): boolean {
    const match = /^[\t ]*([^\t ]*)[\t ]*(.*)$/s.exec(value)!
    const [user, command] = [match[1]!, match[2]!]
    const path = /^[^\t ]*/.exec(command)![0]
    const bad = (text: string) => {
      this.#host.say('ERROR', text)
      return false
    }
    if (!this.#host.userExists(user)) return bad(`Invalid uid [${user}] specified for client child`)
    if (!command.startsWith('/')) return bad(`Client child command [${command}] is not full pathname`)
    if (!this.#host.executable(path)) return bad(`Client child command [${path}] is not executable`)
    this.config.clients.push({ user, command, path })
    return true
  }

  /** What holds for all directives together; the media's and nodes' errors were told already. */
  finish(authenticated: boolean): boolean {
    const { config } = this
    const host = this.#host
    let errors = 0
    for (const [directive, value] of DEFAULTS) {
      if (value !== undefined && !config.parameters.has(directive)) this.option(directive, value)
    }
    if (!config.parameters.has('debug')) config.parameters.set('debug', String(config.debug))
    const fail = (text: string) => {
      host.say('ERROR', text)
      errors++
    }
    if (config.media.length < 1) fail('No heartbeat media defined')
    if (config.warntimeMs <= 0) {
      config.warntimeMs = Math.floor(config.deadtimeMs / 2)
      config.parameters.set('warntime', `${config.warntimeMs}ms`)
    }
    if (config.nodes.length < 1) fail('no nodes defined')
    if (!authenticated) fail('No authentication specified.')
    if (!config.nodes.some(({ name }) => name === host.node)) {
      fail(`Current node [${host.node}] not in configuration!`)
      host.say(
        'info',
        "By default, cluster nodes are named by `uname -n` and must be declared with a 'node' directive in the ha.cf file.",
      )
      host.say('info', 'See also: http://linux-ha.org/wiki/Ha.cf#node_directive')
    }
    if (config.deadtimeMs <= 2 * config.keepaliveMs) {
      fail(`Dead time [${config.deadtimeMs}] is too small compared to keeplive [${config.keepaliveMs}]`)
    }
    if (config.initdeadMs < 0) {
      const dead = config.deadtimeMs
      config.initdeadMs = dead > 10_000 ? dead : dead < 6000 ? 12_000 : 2 * dead
      config.parameters.set('initdead', `${config.initdeadMs}ms`)
    }
    if (config.initdeadMs < config.deadtimeMs) {
      fail(`Initial dead time [${config.initdeadMs}] is smaller than deadtime [${config.deadtimeMs}]`)
    } else if (config.initdeadMs < 10_000) {
      host.say('WARN', `Initial dead time [${config.initdeadMs} ms] may be too small!`)
      host.say('info', 'Initial dead time accounts for slow network startup time')
      host.say('info', 'It should be >= deadtime and >= 10 seconds')
    }
    if (config.deadpingMs < 0) {
      config.deadpingMs = config.deadtimeMs
      config.parameters.set('deadping', `${config.deadpingMs}ms`)
    } else if (config.deadpingMs <= 2 * config.keepaliveMs) {
      fail(`Ping dead time [${config.deadpingMs}] is too small compared to keeplive [${config.keepaliveMs}]`)
    }
    if (!config.parameters.has('udpport')) config.parameters.set('udpport', '694')
    if (!config.niceFailback) {
      host.say('WARN', "Deprecated 'legacy' auto_failback option selected.")
      host.say('WARN', "Please convert to 'auto_failback on'.")
      host.say('WARN', 'See documentation for conversion details.')
    }
    if (!this.#logd()) errors++
    return errors === 0
  }

  #logd(): boolean {
    const { config } = this
    const host = this.#host
    if (config.logfile === '' && config.debugfile === '' && (config.facility === '' || config.facility === 'none')) {
      if (config.useLogd === undefined) {
        host.say('info', 'No log entry found in ha.cf -- use logd')
        config.parameters.set('use_logd', 'yes')
        config.useLogd = true
      } else if (!config.useLogd) {
        host.say('ERROR', 'No log entry found in ha.cf and use_logd is set to off')
        return false
      }
    } else if (!config.useLogd) {
      host.say('WARN', 'Logging daemon is disabled --enabling logging daemon is recommended')
    } else {
      const facility = config.facility !== '' && config.facility !== 'none'
      host.say(
        'WARN',
        `logd is enabled but logfile/debugfile${facility ? '/logfacility' : ''} is still configured in ha.cf`,
      )
    }
    return true
  }
}

type Setter = (parser: HaCfParser, config: HaConfig, value: string, host: ConfigurationHost) => boolean

const duration =
  (key: 'keepaliveMs' | 'deadtimeMs' | 'deadpingMs' | 'initdeadMs', least: number): Setter =>
  (_, config, value) => {
    config[key] = parseMs(value)
    return config[key] >= least
  }

const accepted: Setter = () => true
const boolean: Setter = (_, __, value) => parseBoolean(value) !== undefined

const SETTERS: Record<string, Setter> = {
  cluster: accepted,
  quorum_server: accepted,
  node: (parser, _, value) => parser.addNode(value, false),
  hopfudge: (_, config, value) => {
    config.hopfudge = integer(value)
    return config.hopfudge >= 0 && config.hopfudge < 256
  },
  keepalive: duration('keepaliveMs', 1),
  deadtime: duration('deadtimeMs', 0),
  deadping: duration('deadpingMs', 0),
  initdead: duration('initdeadMs', 0),
  warntime: (_, config, value, host) => {
    const ms = parseMs(value)
    if (ms <= 0) host.raw(`Warn time [${value}] is invalid.\n`)
    else config.warntimeMs = ms
    return ms > 0
  },
  baud: (_, __, value) => [9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800].includes(integer(value)),
  udpport: (_, __, value, host) => {
    const port = integer(value)
    if (port <= 0) {
      host.raw(`heartbeat: invalid port [${value}] specified.\n`)
      return false
    }
    const service = host.serviceOf(port)
    if (service !== undefined && service !== 'ha-cluster')
      host.say('WARN', `heartbeat: udp port ${value} reserved for service "${service}".`)
    // Whether a medium came before isn't looked at.
    host.raw('heartbeat: udpport setting must precede media statements')
    return true
  },
  logfacility: (_, config, value, host) => {
    if (FACILITIES.has(value)) config.facility = value
    else host.say('ERROR', `Log facility(${value}) not valid`)
    return FACILITIES.has(value)
  },
  logfile: (_, config, value, host) => {
    config.logfile = value
    host.setLog(config)
    return true
  },
  debugfile: (_, config, value, host) => {
    config.debugfile = value
    host.setLog(config)
    return true
  },
  nice_failback: () => {
    throw new NotModelled('heartbeat: nice_failback, which auto_failback has replaced')
  },
  auto_failback: (_, config, value) => {
    const on = parseBoolean(value)
    config.niceFailback = on !== undefined
    config.autoFailback = on === true
    return on !== undefined || value.toLowerCase() === 'legacy'
  },
  rtprio: (_, __, value) => integer(value) >= 1 && integer(value) <= 99,
  hbgenmethod: (_, config, value, host) => {
    if (value !== 'file' && value !== 'time') host.say('ERROR', `Illegal hb generation method [${value}]`)
    config.timeGeneration = value === 'time'
    return value === 'file' || value === 'time'
  },
  realtime: boolean,
  debug: (_, config, value) => {
    config.debug = integer(value)
    if (config.debug > 0) throw new NotModelled('heartbeat: debug messages')
    return config.debug >= 0
  },
  msgfmt: (_, config, value) => {
    config.netstring = value === 'netstring'
    return value === 'classic' || value === 'netstring'
  },
  use_logd: (_, config, value, host) => {
    const on = parseBoolean(value)
    config.useLogd = on
    if (on) {
      host.say('info', 'Enabling logging daemon ')
      host.say('info', 'logfile and debug file are those specified in logd config file (default /etc/logd.cf)')
    } else host.say('WARN', 'Logging daemon is disabled --enabling logging daemon is recommended')
    return on !== undefined
  },
  conn_logd_time: (_, __, value) => parseMs(value) > 0,
  use_apphbd: (_, __, value) => {
    if (parseBoolean(value)) throw new NotModelled('heartbeat: use_apphbd')
    return parseBoolean(value) !== undefined
  },
  log_badpack: (_, config, value) => {
    config.quietBadPackets = parseBoolean(value) === false
    return parseBoolean(value) !== undefined
  },
  syslogmsgfmt: (_, config, value, host) => {
    config.syslogFormat = parseBoolean(value) ?? config.syslogFormat
    host.setLog(config)
    return parseBoolean(value) !== undefined
  },
  coredumps: (_, __, value, host) => {
    const on = parseBoolean(value)
    if (on) {
      // The kernel's default pattern is `core`, without the process's number.
      host.say('WARN', 'Core dumps could be lost if multiple dumps occur.')
      const consider = 'Consider setting'
      const gain = '(or equivalent)'
      host.say(
        'WARN',
        `${consider} non-default value in /proc/sys/kernel/core_pattern ${gain} for maximum supportability`,
      )
      host.say('WARN', `${consider} /proc/sys/kernel/core_uses_pid ${gain} to 1 for maximum supportability`)
    }
    return on !== undefined
  },
  coreroot: accepted,
  crm_daemon_dir: accepted,
  crmd_spawns_pengine: boolean,
  crm: (parser, _, value) => parser.option('pacemaker', value),
  pacemaker: (parser, _, value) => parser.pacemaker(value),
  autojoin: (_, __, value, host) => {
    const word = value.toLowerCase()
    if (word === 'other' || word === 'any') throw new NotModelled('heartbeat: autojoin')
    if (word !== 'none') host.say('ERROR', `Invalid autojoin directive [${value}]`)
    return word === 'none'
  },
  uuidfrom: (_, config, value, host) => {
    if (value === 'nodename') throw new NotModelled('heartbeat: uuidfrom nodename')
    if (value !== 'file') host.say('ERROR', `Invalid uuidfrom directive [${value}]`)
    config.uuidFromName = false
    return value === 'file'
  },
  compression: (_, __, value) => value === 'zlib' || value === 'bz2',
  compression_threshold: (_, __, value) => integer(value) > 0,
  traditional_compression: boolean,
  env: (_, __, value) => value.indexOf('=') > 0,
  max_rexmit_delay: (_, config, value, host) => {
    const ms = integer(value)
    if (ms <= 0) host.say('ERROR', `Invalid max_rexmit_delay time(${value})`)
    else config.maxRexmitDelayMs = ms
    return ms > 0
  },
  record_config_changes: boolean,
  record_pengine_inputs: boolean,
  enable_config_writes: boolean,
  memreserve: (_, __, value) => integer(value) > 0,
}

/** `heartbeat`: its options, its configuration, and how it becomes a daemon. heartbeat 3.0.6 heartbeat/heartbeat.c: main() */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, readTextFile, type Sys } from '#kernel/core'
import { GlibcRandom, lookupHost, readServices, Stdio } from '#user/libc'
import { AUTHKEYS, AuthKeys } from './authkeys.ts'
import { HB_VERSION } from './cl-status.ts'
import { type ConfigurationHost, HA_CF, HaCfParser, type HaConfig } from './configuration.ts'
import { HaLog } from './log.ts'
import { Master } from './master.ts'
import { FIFO } from './media.ts'
import { createNodes } from './nodes.ts'
import { HARESOURCES, parseHaresources } from './resource-manager.ts'
import { system } from './running.ts'

const PID_FILE = '/run/heartbeat.pid'
const GENERATION_FILE = '/var/lib/heartbeat/hb_generation'
const UUID_FILE = '/var/lib/heartbeat/hb_uuid'
const TEMPORARY = '/run/heartbeat/rsctmp'
const NOT_CONFIGURED = 6
const STOPPED = 3
/** It isn't there, but its pid file is: also after an orderly end. */
const DEAD = 1
const OPTIONS = 'dDkMrRsvWlC:Vf'

export function heartbeat(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'heartbeat')
  return io.run(main(sys, io, argv))
}

function usage(io: Stdio, bad: string | undefined): number {
  if (bad !== undefined) io.error(bad)
  io.error('\nUsage: heartbeat [-dDkMrRsvWlVf] [-C Current-resource-state]\n')
  io.error('\t-C only valid with -R\n\t-r is mutually exclusive with -R\n')
  return 2
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const flags = new Set<string>()
  const words = argv.slice(1)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-') || word === '-') continue
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const known = OPTIONS.indexOf(letter)
      if (known < 0 || letter === ':') return usage(io, `${argv[0]}: invalid option -- '${letter}'\n`)
      flags.add(letter)
      if (OPTIONS[known + 1] !== ':') continue
      if (at + 1 === word.length && words[++i] === undefined) {
        return usage(io, `${argv[0]}: option requires an argument -- '${letter}'\n`)
      }
      break
    }
  }
  if (flags.has('C') && !flags.has('R')) return usage(io, undefined)
  if (flags.has('V')) {
    io.print(`${HB_VERSION.replace(' (', ' (')}\n`)
    return 0
  }
  for (const flag of 'dDMrRvW') if (flags.has(flag)) throw new NotModelled(`heartbeat -${flag}`)
  const running = yield* runningPid(sys)
  const node = sys.uname().nodename.toLowerCase()
  if (flags.has('k')) return yield* kill(sys, io, running)
  if (flags.has('s')) {
    if (running === undefined) {
      io.print('heartbeat is stopped. No process\n')
      return sys.stat(PID_FILE).ok ? DEAD : STOPPED
    }
    io.print(`heartbeat OK [pid ${running} et al] is running on ${node} [${node}]...\n`)
    return 0
  }
  return yield* start(sys, node, running, flags.has('f'))
}

/** Of the pid file, if such a process lives. */
function* runningPid(sys: Sys): Body<number | undefined> {
  const file = yield* readTextFile(sys, PID_FILE)
  const pid = file.ok ? Number.parseInt(file.value, 10) : 0
  return pid > 0 && sys.kill(pid, 0).ok ? pid : undefined
}

function* kill(sys: Sys, io: Stdio, pid: number | undefined): Body<number> {
  if (pid === undefined) {
    io.error('INFO: Heartbeat already stopped.\n')
    return 0
  }
  if (!sys.kill(pid, 'SIGTERM').ok) return 1
  do yield* sys.sleep(1e9)
  while (sys.kill(pid, 0).ok)
  return 0
}

function* start(sys: Sys, node: string, running: number | undefined, foreground: boolean): Body<number> {
  const log = new HaLog(sys, node)
  const random = new GlibcRandom(sys.realtime().s | 0)
  const read = yield* configure(sys, log, node)
  yield* log.flush()
  if (!read) {
    log.say('ERROR', 'Configuration error, heartbeat not started.')
    yield* log.flush()
    return NOT_CONFIGURED
  }
  if (running !== undefined && running !== sys.pid) {
    log.say('info', `heartbeat: already running [pid ${running}].`)
    yield* log.flush()
    return 0
  }
  const { config, auth } = read
  // What is drawn is drawn while the nodes are added, before it becomes a daemon.
  const nodes = createNodes(config, random, 0)
  const daemon = function* (own: Sys): Body<number> {
    return yield* serve(own, log, config, auth, nodes, random)
  }
  if (foreground) return yield* daemon(sys)
  sys.fork(daemon)
  return 0
}

/** The three files; undefined if one of them won't do. */
function* configure(sys: Sys, log: HaLog, node: string): Body<{ config: HaConfig; auth: AuthKeys } | undefined> {
  const text = yield* readTextFile(sys, HA_CF)
  const sample = (path: string) => {
    log.say('info', `An annotated sample ${path} file is provided in the documentation.`)
    log.say('info', `Please copy it to ${path}, read it, customize it, and try again.`)
  }
  if (!text.ok) {
    log.say('ERROR', `Cannot open config file [${HA_CF}]`)
    sample(HA_CF)
    log.say('ERROR', 'Heartbeat not started: configuration error.')
    return undefined
  }
  const parser = new HaCfParser(yield* hostOf(sys, log, node, text.value))
  if (!parser.parse(text.value)) {
    log.say('ERROR', 'Heartbeat not started: configuration error.')
    return undefined
  }
  const auth = yield* readAuthKeys(sys, log)
  if (!auth) {
    log.say('ERROR', 'Authentication configuration error.')
    return undefined
  }
  const { config } = parser
  if (!parser.finish(true)) return undefined
  log.say('info', '**************************')
  log.say('info', 'Configuration validated. Starting heartbeat 3.0.6')
  const resources = yield* readTextFile(sys, HARESOURCES)
  if (!resources.ok) {
    log.say('ERROR', `Cannot open resources file [${HARESOURCES}]`)
    sample(HARESOURCES)
    return undefined
  }
  for (const [name] of parseHaresources(resources.value)) {
    if (config.nodes.some((each) => each.name === name)) continue
    log.say('ERROR', `Bad nodename in ${HARESOURCES} [${name}]`)
    return undefined
  }
  return { config, auth }
}

function* readAuthKeys(sys: Sys, log: HaLog): Body<AuthKeys | undefined> {
  const file = yield* readTextFile(sys, AUTHKEYS)
  if (!file.ok) {
    log.say('ERROR', `Cannot open keyfile [${AUTHKEYS}].  Stop.`)
    return undefined
  }
  const stat = sys.stat(AUTHKEYS)
  if (!stat.ok || stat.value.mode & 0o044) {
    log.say('ERROR', `Bad permissions on keyfile [${AUTHKEYS}], 600 recommended.`)
    return undefined
  }
  const auth = new AuthKeys()
  return auth.parse(file.value, (level, text) => log.say(level, text)) ? auth : undefined
}

/** What the parser asks; names are looked up before, since that may block. */
function* hostOf(sys: Sys, log: HaLog, node: string, text: string): Body<ConfigurationHost> {
  const names = new Map<string, number>()
  for (const match of text.matchAll(/^[\t ]*(?:ping|ping_group|ucast)[\t ]+(.*)/gm)) {
    for (const word of match[1]!.split(/[\t ,;]+/)) {
      if (word === '' || /^[\d.]+$/.test(word)) continue
      const found = yield* lookupHost(sys, word)
      const address = found.ok ? found.value.addresses.find(({ family }) => family === 'AF_INET') : undefined
      if (address?.family === 'AF_INET') names.set(word, address.address)
    }
  }
  const services = yield* readServices(sys)
  const ask = (request: string, device: string) => {
    const made = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
    if (!made.ok) return { ok: false as const, error: 'No such device' }
    const got = sys.ioctl(made.value, request, { name: device })
    sys.close(made.value)
    if (got.ok) return { ok: true as const, address: got.value as number }
    return { ok: false as const, error: got.errno === 'ENODEV' ? 'No such device' : 'Cannot assign requested address' }
  }
  return {
    node,
    broadcastOf: (device) => ask('SIOCGIFBRDADDR', device),
    addressOf: (device) => ask('SIOCGIFADDR', device),
    lookup: (name) => names.get(name),
    serviceOf: (port) => services.find((one) => one.port === port && one.protocol === 'udp')?.name,
    executable: (path) => sys.access(path, 'x').ok,
    userExists: (name) => ['root', 'hacluster', 'nobody', 'daemon'].includes(name),
    say: (level, line) => log.say(level, line),
    raw: (line) => log.raw(line),
    setLog: (config) => {
      log.logFile = config.logfile
      log.debugFile = config.debugfile
      log.syslogFormat = config.syslogFormat
    },
  }
}

function* serve(
  sys: Sys,
  log: HaLog,
  config: HaConfig,
  auth: AuthKeys,
  nodes: ReturnType<typeof createNodes>,
  random: GlibcRandom,
): Body<number> {
  log.sys = sys
  log.stderr = false
  yield* writeFile(sys, PID_FILE, encodeUtf8(`${String(sys.pid).padStart(10)}\n`))
  sys.umask(0o022)
  for (const fd of [0, 1, 2]) sys.close(fd)
  yield* sys.open('/dev/null', 0)
  yield* sys.open('/dev/null', 1)
  yield* sys.open('/dev/null', 1)
  sys.chdir('/var/lib/heartbeat/cores/root')
  sys.setsid()
  const environment = {
    HA_DIR: '/etc/ha.d/',
    HA_DATEFMT: '%Y/%m/%d_%T ',
    HA_FUNCS: '/etc/ha.d//shellfuncs',
    OCF_ROOT: '/usr/lib/ocf',
    HA_CURHOST: log.node,
    HA_LOGFILE: config.logfile,
    HA_DEBUGLOG: config.debugfile,
    HA_debug: '0',
  }
  for (const [name, value] of Object.entries(environment)) sys.env.set(name, value)
  if (config.facility !== '') sys.env.set('HA_LOGFACILITY', config.facility)
  log.say('info', 'heartbeat: version 3.0.6')
  const generation = yield* nextGeneration(sys, log, config)
  log.say('info', `Heartbeat generation: ${generation}`)
  const uuid = yield* ownUuid(sys, log)
  const fifo = sys.stat(FIFO)
  if (!fifo.ok || fifo.value.type !== 'fifo') {
    log.say('info', `Creating FIFO ${FIFO}.`)
    sys.unlink(FIFO)
    sys.mkfifo(FIFO, 0o600)
  }
  yield* log.flush()
  yield* system(sys, ['/bin/sh', '-c', `rm -fr ${TEMPORARY}`])
  sys.mkdir(TEMPORARY, 0o1755)
  const master = new Master(sys, { log, config, auth, nodes, random, generation, uuid })
  return yield* master.serve()
}

function* writeFile(sys: Sys, path: string, bytes: Uint8Array): Body<void> {
  const opened = yield* sys.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  if (!opened.ok) return
  yield* sys.write(opened.value, bytes)
  sys.close(opened.value)
}

/** Counts the starts, so that what was recorded before can't be played back; from the clock if nothing is remembered. */
function* nextGeneration(sys: Sys, log: HaLog, config: HaConfig): Body<number> {
  const now = sys.realtime().s
  if (config.timeGeneration) return now
  const file = yield* readTextFile(sys, GENERATION_FILE)
  let last = file.ok && file.value !== '' ? Number.parseInt(file.value.slice(0, 16), 10) : now
  if (!file.ok || file.value === '') log.say('WARN', `No Previous generation - starting at ${now + 1}`)
  else if (Number.isNaN(last)) {
    log.say('WARN', `BROKEN previous generation - starting at ${now + 1}`)
    last = 0
  }
  yield* writeFile(sys, GENERATION_FILE, encodeUtf8(`${String(last + 1).padStart(15)}\n`))
  return last + 1
}

function* ownUuid(sys: Sys, log: HaLog): Body<Uint8Array> {
  const opened = yield* sys.open(UUID_FILE)
  if (opened.ok) {
    const got = yield* sys.read(opened.value, 16)
    sys.close(opened.value)
    if (got.ok && got.value.length === 16) return got.value
  }
  log.say('info', 'No uuid found for current node - generating a new uuid.')
  const uuid = sys.getrandom(16)
  // RFC 4122: random, version 4.
  uuid[6] = (uuid[6]! & 0x0f) | 0x40
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  yield* writeFile(sys, UUID_FILE, uuid)
  return uuid
}

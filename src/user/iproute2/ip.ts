/** `ip`: options, then an object, then what to do with it. iproute2 6.1 ip/ip.c */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys, strerror } from '#kernel/core'
import { parseIpv4 } from '#wire/inet'
import { changeAddress, flushAddresses } from './address-change.ts'
import { showAddresses } from './address-show.ts'
import { addressHelp, ipHelp, linkHelp, maddressHelp, neighbourHelp, routeHelp, ruleHelp } from './help.ts'
import { addLink, deleteLink, setLink, showLinkHelp } from './link-change.ts'
import { changeMulticast, showMulticast } from './maddress.ts'
import { readNames } from './names.ts'
import { changeNeighbour, flushNeighbours, getNeighbour, showNeighbours } from './neighbour.ts'
import {
  addNetns,
  attachNetns,
  deleteNetns,
  execNetns,
  identifyNetns,
  listNetns,
  listNetnsIds,
  monitorNetns,
  netnsHelp,
  netnsPids,
  readNetnsNames,
  setNetns,
  switchNetns,
} from './netns.ts'
import type { Family } from './prefix.ts'
import { changeRoute, getRoute } from './route-change.ts'
import { flushRoutes, showRoutes } from './route-filter.ts'
import { changeRule, listRules } from './rule.ts'
import { DEFAULT_OPTIONS, type Options, Session } from './session.ts'
import { addTunnel, changeTunnel, deleteTunnel, showTunnels, tunnelHelp } from './tunnel.ts'
import { addTuntap, deleteTuntap, showTuntap, tuntapHelp } from './tuntap.ts'
import { abbreviates, EXIT_USAGE, parseUnsigned, Refusal, Words, wrongArgument } from './words.ts'

type Action = (session: Session, words: Words, sys: Sys) => number | Body<number>

interface IpObject {
  /** In the tool's order: the first that a word abbreviates is meant. `=chg` must be written out. */
  commands: [names: string, action: Action][]
  /** Without a command. */
  fallback: Action
  help: string
  /** As `try "ip NAME help"` calls it. */
  name: string
}

const help = (text: string): Action => {
  return () => {
    throw new Refusal(text, EXIT_USAGE)
  }
}

const notModelled = (what: string): Action => {
  return () => {
    throw new NotModelled(what)
  }
}

/** Links whose other ends are in namespaces that have names are shown with those. */
function show(isLink: boolean): Action {
  return function* (session, words, sys) {
    yield* readNetnsNames(session, sys)
    return showAddresses(session, words, isLink)
  }
}

const address: IpObject = {
  name: 'address',
  help: addressHelp,
  fallback: show(false),
  commands: [
    ['add', (session, words) => changeAddress(session, words, { create: true, exclusive: true })],
    ['change =chg', (session, words) => changeAddress(session, words, { replace: true })],
    ['replace', (session, words) => changeAddress(session, words, { create: true, replace: true })],
    ['delete', (session, words) => changeAddress(session, words, undefined)],
    ['list show lst', show(false)],
    ['flush', flushAddresses],
    ['save showdump restore', notModelled('ip address save, showdump and restore')],
    ['help', help(addressHelp)],
  ],
}

const link: IpObject = {
  name: 'link',
  help: linkHelp,
  fallback: show(true),
  commands: [
    ['add', (session, words, sys) => addLink(session, words, { create: true, exclusive: true }, sys)],
    ['set change', setLink],
    ['replace', (session, words, sys) => addLink(session, words, { create: true, replace: true }, sys)],
    ['delete', deleteLink],
    ['show lst list', show(true)],
    ['xstats afstats property', notModelled('ip link xstats, afstats and property')],
    ['help', showLinkHelp],
  ],
}

const route: IpObject = {
  name: 'route',
  help: routeHelp,
  fallback: showRoutes,
  commands: [
    ['add', (session, words) => changeRoute(session, words, { create: true, exclusive: true })],
    ['change =chg', (session, words) => changeRoute(session, words, { replace: true })],
    ['replace', (session, words) => changeRoute(session, words, { create: true, replace: true })],
    ['prepend', (session, words) => changeRoute(session, words, { create: true })],
    ['append', (session, words) => changeRoute(session, words, { create: true, append: true })],
    ['test', (session, words) => changeRoute(session, words, { exclusive: true })],
    ['delete', (session, words) => changeRoute(session, words, undefined)],
    ['list show lst', showRoutes],
    ['get', getRoute],
    ['flush', (session, words, sys) => flushRoutes(session, sys, words)],
    ['save restore showdump', notModelled('ip route save, restore and showdump')],
    ['help', help(routeHelp)],
  ],
}

const rule: IpObject = {
  name: 'rule',
  help: ruleHelp,
  fallback: (session, words) => listRules(session, words, false),
  commands: [
    ['list lst show', (session, words) => listRules(session, words, false)],
    ['save restore', notModelled('ip rule save and restore')],
    ['add', (session, words) => changeRule(session, words, true)],
    ['delete', (session, words) => changeRule(session, words, false)],
    ['flush', (session, words) => listRules(session, words, true)],
    ['help', help(ruleHelp)],
  ],
}

const neighbour: IpObject = {
  name: 'neigh',
  help: neighbourHelp,
  fallback: showNeighbours,
  commands: [
    ['add', (session, words) => changeNeighbour(session, words, { create: true, exclusive: true })],
    ['change =chg', (session, words) => changeNeighbour(session, words, { replace: true })],
    ['replace', (session, words) => changeNeighbour(session, words, { create: true, replace: true })],
    ['delete', (session, words) => changeNeighbour(session, words, undefined)],
    ['get', getNeighbour],
    ['show lst list', showNeighbours],
    ['flush', flushNeighbours],
    ['help', help(neighbourHelp)],
  ],
}

const maddress: IpObject = {
  name: 'maddr',
  help: maddressHelp,
  fallback: showMulticast,
  commands: [
    ['add', (_session, words, sys) => changeMulticast(words, sys, 'SIOCADDMULTI')],
    ['delete', (_session, words, sys) => changeMulticast(words, sys, 'SIOCDELMULTI')],
    ['list show lst', showMulticast],
    ['help', help(maddressHelp)],
  ],
}

const tunnel: IpObject = {
  name: 'tunnel',
  help: tunnelHelp,
  fallback: showTunnels,
  commands: [
    ['add', addTunnel],
    ['change', changeTunnel],
    ['delete', deleteTunnel],
    ['show lst list', showTunnels],
    ['prl 6rd', notModelled('ip tunnel prl and 6rd')],
    ['help', help(tunnelHelp)],
  ],
}

const tuntap: IpObject = {
  name: 'tuntap',
  help: tuntapHelp,
  fallback: showTuntap,
  commands: [
    ['add', addTuntap],
    ['delete', deleteTuntap],
    ['show lst list', showTuntap],
    ['help', help(tuntapHelp)],
  ],
}

const netns: IpObject = {
  name: 'netns',
  help: netnsHelp,
  fallback: listNetns,
  commands: [
    ['list show lst', listNetns],
    ['list-id', listNetnsIds],
    ['help', help(netnsHelp)],
    ['add', addNetns],
    ['set', setNetns],
    ['delete', deleteNetns],
    ['identify', identifyNetns],
    ['pids', netnsPids],
    ['exec', execNetns],
    ['monitor', monitorNetns],
    ['attach', attachNetns],
  ],
}

/** In the tool's order; a string: no model. */
const OBJECTS: [name: string, object: IpObject | undefined][] = [
  ['address', address],
  ['addrlabel', undefined],
  ['maddress', maddress],
  ['route', route],
  ['rule', rule],
  ['neighbor', neighbour],
  ['neighbour', neighbour],
  ['ntable', undefined],
  ['ntbl', undefined],
  ['link', link],
  ['l2tp', undefined],
  ['fou', undefined],
  ['ila', undefined],
  ['macsec', undefined],
  ['tunnel', tunnel],
  ['tunl', tunnel],
  ['tuntap', tuntap],
  ['tap', tuntap],
  ['token', undefined],
  ['tcpmetrics', undefined],
  ['tcp_metrics', undefined],
  ['monitor', undefined],
  ['xfrm', undefined],
  ['mroute', undefined],
  ['mrule', undefined],
  ['netns', netns],
  ['netconf', undefined],
  ['vrf', undefined],
  ['sr', undefined],
  ['nexthop', undefined],
  ['mptcp', undefined],
  ['ioam', undefined],
  ['help', undefined],
  ['stats', undefined],
]

/** The command that a word means, among names of which `=name` has to be written out. */
function findCommand(object: IpObject, word: string): Action | undefined {
  return object.commands.find(([names]) =>
    names.split(' ').some((name) => (name.startsWith('=') ? word === name.slice(1) : abbreviates(word, name))),
  )?.[1]
}

function* runObject(session: Session, sys: Sys, words: Words): Body<number> {
  const word = words.current
  const found = OBJECTS.find(([name]) => abbreviates(word, name))
  if (!found) throw new Refusal(`Object "${word}" is unknown, try "ip help".\n`, 1)
  const [name, object] = found
  if (name === 'help') throw new Refusal(ipHelp, EXIT_USAGE)
  if (!object) throw new NotModelled(`ip ${name}`)
  words.advance()
  let action = object.fallback
  if (words.more) {
    const command = findCommand(object, words.current)
    if (!command) {
      // `ip tunnel` says it without a full stop.
      const stop = object === tunnel ? '' : '.'
      throw new Refusal(`Command "${words.current}" is unknown, try "ip ${object.name} help"${stop}\n`, EXIT_USAGE)
    }
    action = command
    words.advance()
  }
  const result = action(session, words.rest(), sys)
  return typeof result === 'number' ? result : yield* result
}

interface CommandLine {
  options: Options
  batch: string | undefined
  /** The namespace to be entered first. */
  netns: string | undefined
  version: boolean
  words: Words
}

const FAMILIES = ['inet', 'inet6', 'link', 'mpls', 'bridge']

/** The options in front. iproute2 6.1 ip/ip.c: main() */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const words = new Words(argv.slice(1))
  const options: Options = { ...DEFAULT_OPTIONS }
  const line: CommandLine = { options, batch: undefined, netns: undefined, version: false, words }
  const value = () => {
    words.advance()
    if (!words.more) throw new Refusal(ipHelp, EXIT_USAGE)
    return words.current
  }
  for (; words.more; words.advance()) {
    if (words.current === '--') {
      words.advance()
      break
    }
    if (!words.current.startsWith('-')) break
    const option = words.current.startsWith('--') ? words.current.slice(1) : words.current
    const is = (full: string) => abbreviates(option, full)
    if (is('-loops')) options.loops = Number.parseInt(value(), 10) || 0
    else if (is('-family')) {
      const family = value()
      if (family === 'help') throw new Refusal(ipHelp, EXIT_USAGE)
      if (!FAMILIES.includes(family)) throw wrongArgument(family, 'invalid protocol family')
      options.family = family as Family
    } else if (option === '-4') options.family = 'inet'
    else if (option === '-6') options.family = 'inet6'
    else if (option === '-0') options.family = 'link'
    else if (option === '-M') options.family = 'mpls'
    else if (option === '-B') options.family = 'bridge'
    else if (is('-human') || is('-human-readable')) options.human = true
    else if (is('-iec')) options.iec = true
    else if (is('-stats') || is('-statistics')) options.stats++
    else if (is('-details')) options.details++
    else if (is('-resolve')) options.resolve = true
    else if (is('-oneline')) options.oneline = true
    else if (is('-timestamp') || is('-tshort')) continue
    else if (is('-Version')) {
      line.version = true
      break
    } else if (is('-force')) options.force = true
    else if (is('-batch')) line.batch = value()
    else if (is('-brief')) options.brief = true
    else if (is('-json')) options.json = true
    else if (is('-pretty')) options.pretty = true
    else if (is('-rcvbuf')) {
      const size = value()
      if (parseUnsigned(size) === undefined) throw new Refusal(`Invalid rcvbuf size '${size}'\n`, EXIT_USAGE)
    } else if (/^-(c|co|col|colo|color)(=(always|auto|never))?$/.test(option)) continue
    else if (is('-help')) throw new Refusal(ipHelp, EXIT_USAGE)
    else if (is('-netns')) line.netns = value()
    else if (is('-Numeric')) options.numeric = true
    else if (is('-all')) options.all = true
    else if (option === '-echo') throw new NotModelled('ip -echo')
    else throw new Refusal(`Option "${option}" is unknown, try "ip -help".\n`, EXIT_USAGE)
  }
  line.words = words.rest()
  return line
}

/** Reads /etc/hosts, the other way round. */
function* readHosts(sys: Sys): Body<Map<number, string>> {
  const hosts = new Map<number, string>()
  const read = yield* readTextFile(sys, '/etc/hosts')
  for (const line of (read.ok ? read.value : '').split('\n')) {
    const [text = '', name] = line.replace(/#.*/, '').trim().split(/\s+/)
    const number = parseIpv4(text)
    if (number !== undefined && name && !hosts.has(number)) hosts.set(number, name)
  }
  return hosts
}

/** The program. */
export function* ip(sys: Sys, argv: string[]): Body<number> {
  let line: CommandLine
  try {
    line = parseCommandLine(argv)
  } catch (error) {
    return yield* refuse(sys, error)
  }
  if (line.version) {
    yield* sys.write(1, encodeUtf8('ip utility, iproute2-6.1.0, libbpf 1.1.2\n'))
    return 0
  }
  if (line.netns !== undefined) {
    const why = yield* switchNetns(sys, line.netns)
    if (why !== undefined) return yield* refuse(sys, new Refusal(why, EXIT_USAGE))
  }
  const names = yield* readNames(sys, line.options.numeric)
  const hosts = line.options.resolve ? yield* readHosts(sys) : undefined
  if (line.batch !== undefined) return yield* runBatch(sys, line, names, hosts)
  if (!line.words.more) return yield* refuse(sys, new Refusal(ipHelp, EXIT_USAGE))
  return (yield* runLine(sys, new Session(sys, line.options, names, hosts), line.words)).status
}

/** Runs one command and prints what it left, in order. `fatal`: the real tool would have left by exit(3). */
function* runLine(sys: Sys, session: Session, words: Words): Body<{ status: number; fatal: boolean }> {
  let result = { status: 0, fatal: false }
  try {
    result.status = yield* runObject(session, sys, words)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    session.out.end() // What was shown so far stays.
    session.out.error(error.message)
    result = { status: error.status, fatal: error.status === EXIT_USAGE }
  }
  for (const { fd, text } of session.out.chunks) yield* sys.write(fd, encodeUtf8(text))
  return result
}

function* refuse(sys: Sys, error: unknown): Body<number> {
  if (!(error instanceof Refusal)) throw error
  yield* sys.write(2, encodeUtf8(error.message))
  return error.status
}

/** `ip -batch FILE`: one command a line, `-` is standard input. iproute2 6.1 lib/utils.c: do_batch() */
function* runBatch(
  sys: Sys,
  line: CommandLine,
  names: Session['names'],
  hosts: Map<number, string> | undefined,
): Body<number> {
  const path = line.batch!
  const read = yield* readTextFile(sys, path === '-' ? '/dev/stdin' : path)
  if (!read.ok) {
    return yield* refuse(sys, new Refusal(`Cannot open file "${path}" for reading: ${strerror(read.errno)}\n`, 1))
  }
  let status = 0
  const lines = read.value.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const number = i + 1
    let command = lines[i]!
    while (command.endsWith('\\') && i + 1 < lines.length) command = command.slice(0, -1) + lines[++i]!
    const words = splitLine(command)
    if (words.length === 0) continue
    const { status: one, fatal } = yield* runLine(sys, new Session(sys, line.options, names, hosts), new Words(words))
    if (one === 0) continue
    if (fatal) return one
    yield* sys.write(2, encodeUtf8(`Command failed ${path}:${number}\n`))
    status = 1
    if (!line.options.force) break
  }
  return status
}

/** Words of a batch's line: blanks part, quotes hold together, # begins a comment. */
function splitLine(text: string): string[] {
  const words: string[] = []
  for (const match of text.replace(/#.*/, '').matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
    words.push(match[1] ?? match[2] ?? match[3]!)
  }
  return words
}

/** What may stand at the end of a command line: objects, their commands, options. */
export function completeIp(words: readonly string[]): string[] {
  const before = words.slice(1, -1).filter((word) => !word.startsWith('-'))
  const last = words.at(-1) ?? ''
  if (before.length === 0) {
    if (last.startsWith('-')) return OPTIONS.filter((option) => option.startsWith(last))
    return OBJECTS.filter(([name, object]) => object && name.startsWith(last)).map(([name]) => name)
  }
  const object = OBJECTS.find(([name]) => abbreviates(before[0]!, name))?.[1]
  if (!object || before.length > 1) return []
  return object.commands
    .flatMap(([names]) => names.split(' '))
    .filter((name) => !name.startsWith('=') && name !== 'lst' && name.startsWith(last))
}

const OPTIONS = [
  '-4',
  '-6',
  '-brief',
  '-details',
  '-family',
  '-human-readable',
  '-json',
  '-oneline',
  '-pretty',
  '-resolve',
  '-statistics',
  '-Version',
]

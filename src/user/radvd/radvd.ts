/**
 * The daemon: an advertisement when it begins, three soon after one another, then at times of chance; one for who asks; and
 * a last one when it ends. radvd 2.19 radvd.c: main_loop(), timer_handler(); send.c; process.c: process_rs()
 */
import { encodeUtf8 } from '#base/bytes'
import { type Body, POLLIN, readTextFile, type Sys } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { Stdio } from '#user/libc'
import { ipv6Bytes, isLinkLocalIpv6, parseIpv6, readIpv6 } from '#wire/inet'
import { buildAdvertisement } from './advertisement.ts'
import { ConfigurationError, type InterfaceSettings, parseConfiguration } from './configuration.ts'

const VERSION = '2.19'
const ALL_NODES = ipv6Bytes(parseIpv6('ff02::1')!)
const ALL_ROUTERS = ipv6Bytes(parseIpv6('ff02::2')!)
const IPPROTO_ICMPV6 = 58
/** RFC 4861 section 10. */
const MAX_INITIAL_S = 16
const INITIAL_ADVERTISEMENTS = 3
const SECOND_NS = 1e9

interface Options {
  config: string
  pidFile: string
  stay: boolean
  test: boolean
}

interface Active {
  settings: InterfaceSettings
  ifindex: number
  mac: number
  dueNs: number
  sent: number
}

export function* radvd(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'radvd')
  return yield* io.run(main(sys, io, argv))
}

function parseOptions(io: Stdio, argv: string[]): Options | number {
  const options: Options = { config: '/etc/radvd.conf', pidFile: '/run/radvd.pid', stay: false, test: false }
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!
    const value = () => argv[++i] ?? ''
    if (word === '-C' || word === '--config') options.config = value()
    else if (word === '-p' || word === '--pidfile') options.pidFile = value()
    else if (word === '-n' || word === '--nodaemon') options.stay = true
    else if (word === '-c' || word === '--configtest') options.test = true
    else if (['-d', '-m', '-l', '-u', '-t', '-f', '--debug', '--logmethod', '--logfile', '--username'].includes(word))
      value()
    else if (word === '-v' || word === '--version') {
      io.print(`Version: ${VERSION}\n`)
      return 0
    } else {
      io.error(
        `usage: radvd [-hsvcn] [-d level] [-C config_path] [-m log_method] [-l log_file]\n\t[-f facility] [-p pid_file] [-u username] [-t chrootdir]\n`,
      )
      return 1
    }
  }
  return options
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parseOptions(io, argv)
  if (typeof options === 'number') return options
  const read = yield* readTextFile(sys, options.config)
  if (!read.ok) {
    io.error(`radvd: can't open ${options.config}: No such file or directory\n`)
    return 1
  }
  let interfaces: InterfaceSettings[]
  try {
    interfaces = parseConfiguration(read.value)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    io.error(`radvd: ${error.message} in ${options.config}, line ${error.line}\n`)
    return 1
  }
  if (options.test) return 0
  if (options.stay) return yield* serve(sys, options, interfaces)
  sys.fork(function* (child) {
    child.setsid()
    return yield* serve(child, options, interfaces)
  })
  return 0
}

function* serve(sys: Sys, options: Options, interfaces: InterfaceSettings[]): Body<number> {
  const opened = sys.socket('AF_INET6', 'SOCK_RAW', IPPROTO_ICMPV6)
  if (!opened.ok) return 1
  const fd = opened.value
  const filter = new Uint8Array(32).fill(0xff)
  for (const type of [133, 134]) filter[type >>> 3]! &= ~(1 << (type & 7))
  sys.setsockopt(fd, 'SOL_IPV6', 'IPV6_RECVPKTINFO', 1)
  sys.setsockopt(fd, 'SOL_IPV6', 'IPV6_UNICAST_HOPS', 255)
  sys.setsockopt(fd, 'SOL_IPV6', 'IPV6_MULTICAST_HOPS', 255)
  sys.setsockopt(fd, 'SOL_IPV6', 'IPV6_RECVHOPLIMIT', 1)
  sys.setsockopt(fd, 'SOL_ICMPV6', 'ICMPV6_FILTER', filter)
  yield* writePid(sys, options.pidFile)
  const active = activate(sys, fd, interfaces)
  for (const { settings } of active) yield* tellKernel(sys, settings)
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    sys.sigaction(signal, () => {
      stopping = true
    })
  }
  while (!stopping) {
    const due = Math.min(Number.POSITIVE_INFINITY, ...active.map((each) => each.dueNs))
    const wait = due === Number.POSITIVE_INFINITY ? due : Math.max(0, due - sys.monotonicNs())
    const ready = yield* sys.poll([{ fd, events: POLLIN }], wait)
    if (stopping) break
    if (ready.ok && (ready.value[0]?.revents ?? 0) & POLLIN) {
      yield* answer(sys, fd, active)
      continue
    }
    for (const each of active) {
      if (each.dueNs > sys.monotonicNs()) continue
      if (!each.settings.unicastOnly) yield* send(sys, fd, each, ALL_NODES, false)
      each.sent++
      each.dueNs = sys.monotonicNs() + nextNs(sys, each)
    }
  }
  for (const each of active) yield* send(sys, fd, each, ALL_NODES, true)
  sys.unlink(options.pidFile)
  return 0
}

/** The interfaces that are there, and are to be told of. */
function activate(sys: Sys, fd: number, interfaces: InterfaceSettings[]): Active[] {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  const all = links.ok ? (links.messages as LinkMessage[]) : []
  const active: Active[] = []
  for (const settings of interfaces) {
    const link = all.find((each) => each.name === settings.name)
    if (!link || !settings.sendAdvert) continue
    sys.setsockopt(fd, 'SOL_IPV6', 'IPV6_JOIN_GROUP', { group: ALL_ROUTERS, ifindex: link.ifindex })
    active.push({ settings, ifindex: link.ifindex, mac: link.address, dueNs: sys.monotonicNs(), sent: 0 })
  }
  return active
}

/** What it tells others goes for this host too. radvd 2.19 device-linux.c: set_interface_curhlim() and others */
function* tellKernel(sys: Sys, settings: InterfaceSettings): Body<void> {
  const { name } = settings
  yield* writeSetting(sys, `conf/${name}/hop_limit`, settings.hopLimit)
  if (settings.linkMtu !== 0) yield* writeSetting(sys, `conf/${name}/mtu`, settings.linkMtu)
  if (settings.reachableMs !== 0) {
    yield* writeSetting(sys, `neigh/${name}/base_reachable_time_ms`, settings.reachableMs)
  }
  if (settings.retransMs !== 0) yield* writeSetting(sys, `neigh/${name}/retrans_time_ms`, settings.retransMs)
}

function* writeSetting(sys: Sys, path: string, value: number): Body<void> {
  const file = yield* sys.open(`/proc/sys/net/ipv6/${path}`, 1)
  if (!file.ok) return
  yield* sys.write(file.value, encodeUtf8(`${value}\n`))
  sys.close(file.value)
}

/** Between the least and the most; not beyond sixteen seconds for the first few. */
function nextNs(sys: Sys, { settings, sent }: Active): number {
  const most = settings.maxS
  if (sent < INITIAL_ADVERTISEMENTS) return Math.min(MAX_INITIAL_S, most) * SECOND_NS
  const least = settings.minS ?? (most >= 9 ? 0.33 * most : most)
  const random = sys.getrandom(4).reduce((value: number, byte: number) => value * 256 + byte, 0) / 2 ** 32
  return (least + (most - least) * random) * SECOND_NS
}

function* send(sys: Sys, fd: number, { settings, ifindex, mac }: Active, to: Uint8Array, last: boolean): Body<void> {
  const bytes = buildAdvertisement(settings, mac, last)
  yield* sys.sendTo(fd, bytes, { family: 'AF_INET6', address: to, port: 0, scopeId: ifindex }, {})
}

/** Somebody has asked: he is told, and nobody else. */
function* answer(sys: Sys, fd: number, active: Active[]): Body<void> {
  const got = yield* sys.receive(fd, 1500, { dontWait: true })
  if (!got.ok || got.value.from.family !== 'AF_INET6') return
  const { bytes, from, control } = got.value
  const { ifindex } = (control['IPV6_PKTINFO'] as { ifindex: number } | undefined) ?? { ifindex: from.scopeId }
  const asked = active.find((each) => each.ifindex === ifindex)
  if (bytes[0] !== 133 || control['IPV6_HOPLIMIT'] !== 255 || !asked) return
  if (isLinkLocalIpv6(readIpv6(from.address, 0)) && asked.settings.solicitedUnicast) {
    yield* send(sys, fd, asked, from.address, false)
  } else if (!asked.settings.unicastOnly) yield* send(sys, fd, asked, ALL_NODES, false)
}

function* writePid(sys: Sys, path: string): Body<void> {
  const file = yield* sys.open(path, 0o1101, 0o644)
  if (!file.ok) return
  yield* sys.write(file.value, encodeUtf8(`${sys.pid}\n`))
  sys.close(file.value)
}

/** `ping` of iputils 20221126: what is settled before the first request leaves. ping/ping.c: main(), ping4_run() */
import type { Body, Errno, Sys } from '#kernel/core'
import type { AddressMessage, LinkMessage } from '#kernel/net'
import { formatIpv4, isMulticastIpv4, parseIpv4Loose } from '#wire/inet'
import { type PingOptions, parsePingOptions, usage } from './ping-options.ts'
import { PingSession } from './ping-session.ts'
import { resolve6, runPing6 } from './ping6.ts'
import { type Hosts, readHosts } from './resolve.ts'
import { Exit, Stdio } from './stdio.ts'

const IPPROTO_ICMP = 1
const IPPROTO_ICMPV6 = 58
const IP_PMTUDISC_DO = 2
/** The bytes of a timestamp in a request: a struct timeval. */
const TIMEVAL_BYTES = 16
/** ICMP types that the socket takes: replies, and what goes wrong. A set bit keeps out. */
const ICMP_FILTER = ~((1 << 4) | (1 << 3) | (1 << 11) | (1 << 12) | (1 << 5) | (1 << 0))

export function ping(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'ping')
  return io.run(main(sys, io, argv))
}

export interface IcmpSocket {
  fd: number
  raw: boolean
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const options = parsePingOptions(io, argv)
  if (options.operands.length === 0) io.die(1, 'usage error', 'EDESTADDRREQ')
  const pattern = options.pattern === undefined ? undefined : parsePattern(io, options.pattern)
  const data = fillData(options.size, pattern)
  if (pattern && !options.quiet) {
    const shown = pattern.map((byte) => byte.toString(16).padStart(2, '0')).join('')
    io.print(`PATTERN: 0x${shown}\n`)
  }
  if (options.identifier === 0 && options.verbose) io.warn('WARNING: ident 0 => forcing raw socket')
  const { four: socket, six } = openSockets(sys, io, options)
  if (options.tos && socket.fd >= 0)
    setOption(sys, socket.fd, 'SOL_IP', 'IP_TOS', options.tos, (errno) => io.die(2, 'setsockopt', errno))

  const hosts = yield* readHosts(sys)
  for (const operand of options.operands) yield* hosts.ask(sys, operand, options.numeric)
  const name = options.operands.at(-1)!
  const target6 = yield* resolve6(sys, io, hosts, name, options.family)
  if (target6 && six) return yield* runPing6(sys, io, options, six, hosts, target6, data)
  const found = hosts.resolve(name)
  if (typeof found === 'string') io.die(2, `${name}: ${found}`)
  if (options.verbose) io.print(`ai->ai_family: AF_INET, ai->ai_canonname: '${found.canonical}'\n`)
  if (options.family === 'inet6') io.die(2, `${name}: Address family for hostname not supported`)
  const literal = parseIpv4Loose(name) !== undefined
  // A number isn't looked up, nor are the addresses of those who answer.
  if (literal && options.operands.length === 1) options.numeric = true
  return yield* run(
    sys,
    io,
    options,
    socket,
    hosts,
    { address: found.address, shown: literal ? name : found.canonical },
    data,
  )
}

/** The sockets: datagrams of ICMP where the kernel lets this group have them, else a raw one. */
function openSockets(sys: Sys, io: Stdio, options: PingOptions): { four: IcmpSocket; six: IcmpSocket | undefined } {
  const wantsRaw = options.identifier === 0
  const four = options.family === 'inet6' ? undefined : openSocket(sys, 'AF_INET', IPPROTO_ICMP, wantsRaw)
  const complain = (type: string, errno: Errno) => {
    io.warn(`socktype: ${type}`)
    io.warn('socket', errno)
  }
  if (four && 'errno' in four && (options.verbose || options.family === 'inet')) {
    complain(four.type, four.errno)
    if (options.family === 'inet') io.die(2, '=> missing cap_net_raw+p capability or setuid?')
  }
  const fourOpen = four && 'fd' in four ? four : undefined
  let six: ReturnType<typeof openSocket> | undefined
  if (options.family !== 'inet') {
    six = openSocket(sys, 'AF_INET6', IPPROTO_ICMPV6, wantsRaw)
    if ('errno' in six) {
      if (!fourOpen || options.verbose) complain(six.type, six.errno)
      if (!fourOpen) throw new Exit(2)
    }
  }
  if (options.verbose) {
    const shown = (one: ReturnType<typeof openSocket> | undefined) =>
      one ? `${'fd' in one ? one.fd : -1} (socktype: ${one.type})` : '-1 (socktype: 0)'
    const both = fourOpen && six && 'fd' in six
    const family = options.family === 'inet6' ? 'AF_INET6' : both ? 'AF_UNSPEC' : fourOpen ? 'AF_INET' : 'AF_INET6'
    io.warn(`sock4.fd: ${shown(four)}, sock6.fd: ${shown(six)}, hints.ai_family: ${family}\n`)
  }
  return {
    four: { fd: fourOpen?.fd ?? -1, raw: fourOpen?.type === 'SOCK_RAW' },
    six: six && 'fd' in six ? { fd: six.fd, raw: six.type === 'SOCK_RAW' } : undefined,
  }
}

type Opened = { fd: number; type: string } | { errno: Errno; type: string }

function openSocket(sys: Sys, domain: string, protocol: number, wantsRaw: boolean): Opened {
  let type = 'SOCK_DGRAM'
  let result = wantsRaw ? undefined : sys.socket(domain, type, protocol)
  // Not for this group, or no such sockets at all.
  const fallBack =
    !result ||
    (!result.ok &&
      (result.errno === 'EACCES' ||
        result.errno === 'EPROTONOSUPPORT' ||
        (result.errno === 'EAFNOSUPPORT' && domain === 'AF_INET')))
  if (fallBack) {
    type = 'SOCK_RAW'
    result = sys.socket(domain, type, protocol)
  }
  return result!.ok ? { fd: result!.value, type } : { errno: result!.errno, type }
}

function parsePattern(io: Stdio, text: string): number[] {
  const bad = /[^0-9a-fA-F]/.exec(text)
  if (bad) io.die(2, `patterns must be specified as hex digits: ${text.slice(bad.index)}`)
  return (text.match(/..?/g) ?? []).slice(0, 16).map((pair) => Number.parseInt(pair, 16))
}

/** The data of a request: the pattern again and again, or the bytes' own numbers. */
function fillData(size: number, pattern: number[] | undefined): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (pattern?.length ? pattern[i % pattern.length]! : i & 0xff))
}

export function setOption(
  sys: Sys,
  fd: number,
  level: string,
  name: string,
  value: unknown,
  failed: (errno: Errno) => void = () => {},
): void {
  const result = sys.setsockopt(fd, level, name, value)
  if (!result.ok) failed(result.errno)
}

export interface Target {
  address: number
  /** As the header has it. */
  shown: string
}

function* run(
  sys: Sys,
  io: Stdio,
  options: PingOptions,
  socket: IcmpSocket,
  hosts: Hosts,
  target: Target,
  data: Uint8Array,
): Body<number> {
  const { fd } = socket
  const hops = resolveHops(io, options, hosts)
  let source = options.source
  if (source === 0) source = yield* probeSource(sys, io, options, fd, hops[0] ?? target.address, target.address)
  else if (options.device !== undefined) bindToDevice(sys, io, fd, options.device, target.address)
  if (target.address === 0) target.address = source

  const multicast = options.broadcast || isMulticastIpv4(target.address)
  const pathMtu = options.pathMtu ?? (multicast ? IP_PMTUDISC_DO : undefined)
  const die = (what: string) => (errno: Errno) => io.die(2, what, errno)
  if (pathMtu !== undefined) setOption(sys, fd, 'SOL_IP', 'IP_MTU_DISCOVER', pathMtu, die('IP_MTU_DISCOVER'))
  const port = options.identifier > 0 && !socket.raw ? options.identifier : 0
  if (options.strictSource || port !== 0) {
    const bound = sys.bind(fd, { family: 'AF_INET', address: source, port })
    if (!bound.ok) io.die(2, 'bind', bound.errno)
  }
  if (socket.raw) {
    setOption(sys, fd, 'SOL_RAW', 'ICMP_FILTER', ICMP_FILTER >>> 0, (errno) =>
      io.warn('WARNING: setsockopt(ICMP_FILTER)', errno),
    )
  }
  setOption(sys, fd, 'SOL_IP', 'IP_RECVERR', 1, () => io.warn('WARNING: your kernel is veeery old. No problems.'))
  if (!socket.raw) {
    setOption(sys, fd, 'SOL_IP', 'IP_RECVTTL', 1, (errno) => io.warn('WARNING: setsockopt(IP_RECVTTL)', errno))
    setOption(sys, fd, 'SOL_IP', 'IP_RETOPTS', 1, (errno) => io.warn('WARNING: setsockopt(IP_RETOPTS)', errno))
  }
  const ipOptions = buildOptions(options, hops)
  if (ipOptions) {
    const what = options.timestamp === undefined ? 'record route' : 'ts option'
    setOption(sys, fd, 'SOL_IP', 'IP_OPTIONS', ipOptions, die(what))
  }
  const optionBytes = ipOptions ? 40 : 0
  setBuffers(sys, io, options, fd, optionBytes)
  if (options.broadcast) setOption(sys, fd, 'SOL_SOCKET', 'SO_BROADCAST', 1, die('cannot set broadcasting'))
  if (options.noLoop) setOption(sys, fd, 'SOL_IP', 'IP_MULTICAST_LOOP', 0, die('cannot disable multicast loopback'))
  if (options.ttl !== undefined) {
    setOption(sys, fd, 'SOL_IP', 'IP_MULTICAST_TTL', options.ttl, die('cannot set multicast time-to-live'))
    setOption(sys, fd, 'SOL_IP', 'IP_TTL', options.ttl, die('cannot set unicast time-to-live'))
  }
  let header = `PING ${target.shown} (${formatIpv4(target.address)}) `
  if (options.device !== undefined || options.strictSource) {
    header += `from ${formatIpv4(source)} ${options.device ?? ''}: `
  }
  io.print(`${header}${options.size}(${options.size + 8 + optionBytes + 20}) bytes of data.\n`)

  if (options.flood && !options.intervalGiven) options.intervalMs = 0
  if (options.intervalMs >= 2147483647 / options.preload) {
    io.die(2, `illegal preload and/or interval: ${options.intervalMs}`)
  }
  if (options.debug) setOption(sys, fd, 'SOL_SOCKET', 'SO_DEBUG', 1)
  if (options.dontRoute) setOption(sys, fd, 'SOL_SOCKET', 'SO_DONTROUTE', 1)
  if (!options.latency) setOption(sys, fd, 'SOL_SOCKET', 'SO_TIMESTAMP', 1)
  if (options.mark !== undefined) setMark(sys, io, fd, options.mark)
  const identifier = options.identifier >= 0 || !socket.raw ? options.identifier : yield* randomWord(sys)
  if (options.connect) {
    const connected = yield* sys.connect(fd, { family: 'AF_INET', address: target.address, port: 1025 })
    if (!connected.ok) io.die(2, 'connect failed', connected.errno)
  }
  const session = new PingSession({
    sys,
    io,
    options,
    socket,
    hosts,
    target,
    data,
    identifier,
    multicast,
    timed: options.size >= TIMEVAL_BYTES,
  })
  return yield* session.run()
}

/** Several operands: those in front are hops of a source route, or of a timestamp option. */
function resolveHops(io: Stdio, options: PingOptions, hosts: Hosts): number[] {
  const names = options.operands.slice(0, -1)
  if (names.length > 0) {
    if (options.recordRoute) usage(io)
    if (options.timestamp !== undefined && (options.timestamp !== 3 || names.length > 4)) usage(io)
    if (names.length > 9) usage(io)
  }
  // The destination itself is the last entry of the option.
  return names.length === 0
    ? []
    : options.operands.map((name) => {
        const found = hosts.resolve(name)
        if (typeof found === 'string') io.die(2, `${name}: ${found}`)
        return found.address
      })
}

/** What address a socket towards there would have: as much to learn it as to fail early. */
function* probeSource(
  sys: Sys,
  io: Stdio,
  options: PingOptions,
  fd: number,
  address: number,
  target: number,
): Body<number> {
  const opened = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!opened.ok) io.die(2, 'socket', opened.errno)
  const probe = opened.value
  if (options.device !== undefined) {
    bindToDevice(sys, io, probe, options.device, target)
    bindToDevice(sys, io, fd, options.device, target)
  }
  if (options.tos) {
    setOption(sys, probe, 'SOL_IP', 'IP_TOS', options.tos, (errno) => io.warn('warning: QOS sockopts', errno))
  }
  if (options.mark !== undefined) setMark(sys, io, probe, options.mark)
  const to = { family: 'AF_INET', address, port: 1025 } as const
  let connected = yield* sys.connect(probe, to)
  if (!connected.ok && connected.errno === 'EACCES') {
    if (!options.broadcast) {
      io.die(2, 'Do you want to ping broadcast? Then -b. If not, check your local firewall rules')
    }
    io.stderr('WARNING: pinging broadcast address\n')
    setOption(sys, probe, 'SOL_SOCKET', 'SO_BROADCAST', 1, (errno) => io.die(2, 'cannot set broadcasting', errno))
    connected = yield* sys.connect(probe, to)
  }
  if (!connected.ok) io.die(2, 'connect', connected.errno)
  const local = sys.getsockname(probe)
  if (!local.ok) io.die(2, 'getsockname', local.errno)
  const source = local.value.family === 'AF_INET' ? local.value.address : 0
  sys.close(probe)
  if (options.device !== undefined && !hasAddress(sys, options.device, source)) {
    io.warn(`Warning: source address might be selected on device other than: ${options.device}`)
  }
  return source
}

function hasAddress(sys: Sys, device: string, address: number): boolean {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  const addresses = sys.netlink({ type: 'RTM_GETADDR' })
  if (!links.ok || !addresses.ok) return false
  const link = (links.messages as LinkMessage[]).find((one) => one.name === device)
  return (addresses.messages as AddressMessage[]).some((one) => one.ifindex === link?.ifindex && one.local === address)
}

function bindToDevice(sys: Sys, io: Stdio, fd: number, device: string, target: number): void {
  const tied = sys.setsockopt(fd, 'SOL_SOCKET', 'SO_BINDTODEVICE', device)
  if (tied.ok) return
  if (!isMulticastIpv4(target)) io.die(2, `SO_BINDTODEVICE ${device}`, tied.errno)
  io.die(2, `unknown iface: ${device}`)
}

export function setMark(sys: Sys, io: Stdio, fd: number, mark: number): void {
  setOption(sys, fd, 'SOL_SOCKET', 'SO_MARK', mark, (errno) => io.warn(`WARNING: failed to set mark: ${mark}`, errno))
}

/** The IP options that were asked for. RFC 791 section 3.1. */
function buildOptions(options: PingOptions, hops: number[]): Uint8Array | undefined {
  const words = (list: number[], gap: number) =>
    list.flatMap((word) => [
      word >>> 24,
      (word >>> 16) & 255,
      (word >>> 8) & 255,
      word & 255,
      ...new Array(gap).fill(0),
    ])
  if (options.recordRoute) return Uint8Array.from([1, 7, 39, 4, ...new Array(36).fill(0)])
  if (options.timestamp !== undefined) {
    const listed = options.timestamp === 3 ? words(hops, 4) : undefined
    const length = listed ? 4 + listed.length : options.timestamp === 0 ? 40 : 36
    return Uint8Array.from([68, length, 5, options.timestamp, ...(listed ?? new Array(length - 4).fill(0))])
  }
  if (hops.length > 0) {
    return Uint8Array.from([1, options.dontRoute ? 137 : 131, 3 + hops.length * 4, 4, ...words(hops, 0)])
  }
  return undefined
}

/** An estimate of what one packet takes in the kernel, and from it the buffers. */
function setBuffers(sys: Sys, io: Stdio, options: PingOptions, fd: number, optionBytes: number): void {
  let packet = options.size + 8
  packet += Math.trunc((packet + 511) / 512) * (optionBytes + 20 + 16 + 64 + 160)
  setOption(sys, fd, 'SOL_SOCKET', 'SO_SNDBUF', options.sendBuffer || packet)
  const wanted = packet * options.preload
  setOption(sys, fd, 'SOL_SOCKET', 'SO_RCVBUF', Math.max(wanted, 65536))
  const got = sys.getsockopt(fd, 'SOL_SOCKET', 'SO_RCVBUF')
  if (got.ok && Number(got.value) < wanted) io.warn('WARNING: probably, rcvbuf is not enough to hold preload')
}

/** 16 random bits, of the kernel's. */
export function* randomWord(sys: Sys): Body<number> {
  const opened = yield* sys.open('/dev/urandom')
  if (!opened.ok) return sys.pid & 0xffff
  const read = yield* sys.read(opened.value, 2)
  sys.close(opened.value)
  return read.ok ? ((read.value[0] ?? 0) << 8) | (read.value[1] ?? 0) : sys.pid & 0xffff
}

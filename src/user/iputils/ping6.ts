/** `ping` over IPv6. iputils 20221126 ping/ping6_common.c: ping6_run() */
import type { Body, Sys } from '#kernel/core'
import type { Address6Message, LinkMessage } from '#kernel/net'
import {
  formatIpv6,
  IN6_ANY,
  type Ipv6Address,
  ipv6Bytes,
  isLinkLocalIpv6,
  isMulticastIpv6,
  parseIpv6,
  readIpv6,
} from '#wire/inet'
import { type IcmpSocket, randomWord, setMark, setOption } from './ping.ts'
import type { PingOptions } from './ping-options.ts'
import { PingSession } from './ping-session.ts'
import type { Hosts } from './resolve.ts'
import type { Stdio } from './stdio.ts'

const IPV6_PMTUDISC_DO = 2
const TIMEVAL_BYTES = 16
/** Errors, and replies. */
const TAKEN = [1, 2, 3, 4, 129]

export interface Target6 {
  address: Ipv6Address
  scopeId: number
  /** As the header has it. */
  shown: string
  literal: boolean
}

/** What a name means where IPv6 may be spoken; undefined: it is for IPv4. */
export function* resolve6(
  sys: Sys,
  io: Stdio,
  hosts: Hosts,
  name: string,
  family: PingOptions['family'],
): Body<Target6 | undefined> {
  if (family === 'inet') return undefined
  const percent = name.indexOf('%')
  const literal = parseIpv6(percent < 0 ? name : name.slice(0, percent))
  if (literal !== undefined) {
    const scopeId = percent < 0 ? 0 : interfaceIndex(sys, name.slice(percent + 1))
    if (scopeId === undefined) io.die(2, `${name}: Name or service not known`)
    return { address: literal, scopeId, shown: name, literal: true }
  }
  const found = hosts.resolve6(name)
  if (found === undefined) return undefined
  // Of several addresses the first is one that can be reached. RFC 6724 section 6, rule 1.
  if (family === 'any' && typeof hosts.resolve(name) !== 'string') {
    const probe = sys.socket('AF_INET6', 'SOCK_DGRAM', 0)
    if (!probe.ok) return undefined
    const to = { family: 'AF_INET6', address: ipv6Bytes(found.address), port: 1025, scopeId: 0 } as const
    const connected = yield* sys.connect(probe.value, to)
    sys.close(probe.value)
    if (!connected.ok) return undefined
  }
  return { address: found.address, scopeId: 0, shown: found.canonical, literal: false }
}

/** if_nametoindex(3), or a number. */
function interfaceIndex(sys: Sys, name: string): number | undefined {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  const found = links.ok ? (links.messages as LinkMessage[]).find((link) => link.name === name) : undefined
  if (found) return found.ifindex
  return /^\d+$/.test(name) ? Number(name) : undefined
}

function interfaceName(sys: Sys, ifindex: number): string {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  const found = links.ok ? (links.messages as LinkMessage[]).find((link) => link.ifindex === ifindex) : undefined
  return found?.name ?? String(ifindex)
}

export function* runPing6(
  sys: Sys,
  io: Stdio,
  options: PingOptions,
  socket: IcmpSocket,
  hosts: Hosts,
  target: Target6,
  data: Uint8Array,
): Body<number> {
  if (options.verbose) io.print(`ai->ai_family: AF_INET6, ai->ai_canonname: '${target.shown}'\n`)
  if (target.literal) options.numeric = true
  const { fd } = socket
  const die = (what: string) => (errno: Parameters<Stdio['die']>[2]) => io.die(2, what, errno)
  const { device } = options
  const address = ipv6Bytes(target.address)
  let source = IN6_ANY
  if (options.source6 !== undefined) {
    source = parseIpv6(options.source6.replace(/%.*/, '')) ?? io.die(2, `unknown iface: ${options.source6}`)
  } else source = yield* probeSource(sys, io, options, fd, address, target)
  const multicast = isMulticastIpv6(target.address)
  const pathMtu = options.pathMtu ?? (multicast ? IPV6_PMTUDISC_DO : undefined)
  if (pathMtu !== undefined) setOption(sys, fd, 'SOL_IPV6', 'IPV6_MTU_DISCOVER', pathMtu, die('IPV6_MTU_DISCOVER'))
  const port = options.identifier > 0 && !socket.raw ? options.identifier : 0
  const strict = options.strictSource || options.source6 !== undefined
  if (strict || port !== 0) {
    const scopeId = isLinkLocalIpv6(source) ? target.scopeId : 0
    const bound = sys.bind(fd, { family: 'AF_INET6', address: ipv6Bytes(strict ? source : IN6_ANY), port, scopeId })
    if (!bound.ok) io.die(2, 'bind icmp socket', bound.errno)
  }
  setOption(sys, fd, 'SOL_IPV6', 'IPV6_RECVERR', 1, () => io.warn('WARNING: your kernel is veeery old. No problems.'))
  if (socket.raw) {
    const filter = new Uint8Array(32).fill(0xff)
    for (const type of TAKEN) filter[type >>> 3]! &= ~(1 << (type & 7))
    setOption(sys, fd, 'SOL_ICMPV6', 'ICMPV6_FILTER', filter, die('setsockopt(ICMP6_FILTER)'))
  }
  if (options.noLoop) setOption(sys, fd, 'SOL_IPV6', 'IPV6_MULTICAST_LOOP', 0, die("can't disable multicast loopback"))
  if (options.ttl !== undefined) {
    setOption(sys, fd, 'SOL_IPV6', 'IPV6_MULTICAST_HOPS', options.ttl, die("can't set multicast hop limit"))
    setOption(sys, fd, 'SOL_IPV6', 'IPV6_UNICAST_HOPS', options.ttl, die("can't set unicast hop limit"))
  }
  setOption(sys, fd, 'SOL_IPV6', 'IPV6_RECVHOPLIMIT', 1, die("can't receive hop limit"))
  if (options.tos) setOption(sys, fd, 'SOL_IPV6', 'IPV6_TCLASS', options.tos, die("can't set traffic class"))

  const nameOf = (bytes: Uint8Array, scopeId: number): string => {
    const one = readIpv6(bytes, 0)
    const number = formatIpv6(one) + (scopeId !== 0 ? `%${interfaceName(sys, scopeId)}` : '')
    if (options.numeric) return number
    return `${hosts.nameOf6(one) ?? number} (${number})`
  }
  let header = `PING ${target.shown}(${nameOf(address, target.scopeId)}) `
  if (device !== undefined || strict)
    header += `from ${formatIpv6(source)}${scopeSuffix(sys, source, target)} ${device ?? ''}: `
  io.print(`${header}${options.size} data bytes\n`)

  if (options.flood && !options.intervalGiven) options.intervalMs = 0
  setOption(sys, fd, 'SOL_SOCKET', 'SO_RCVBUF', 65536)
  if (!options.latency) setOption(sys, fd, 'SOL_SOCKET', 'SO_TIMESTAMP', 1)
  if (options.mark !== undefined) setMark(sys, io, fd, options.mark)
  const identifier = options.identifier >= 0 || !socket.raw ? options.identifier : yield* randomWord(sys)
  const session = new PingSession({
    sys,
    io,
    options,
    socket,
    hosts,
    target: { address: 0, shown: target.shown },
    six: { address, scopeId: target.scopeId, nameOf },
    data,
    identifier,
    multicast,
    timed: options.size >= TIMEVAL_BYTES,
  })
  return yield* session.run()
}

function scopeSuffix(sys: Sys, source: Ipv6Address, target: Target6): string {
  return isLinkLocalIpv6(source) && target.scopeId !== 0 ? `%${interfaceName(sys, target.scopeId)}` : ''
}

/** What address a socket towards there would have: as much to learn it as to fail early. */
function* probeSource(
  sys: Sys,
  io: Stdio,
  options: PingOptions,
  fd: number,
  address: Uint8Array,
  target: Target6,
): Body<Ipv6Address> {
  const opened = sys.socket('AF_INET6', 'SOCK_DGRAM', 0)
  if (!opened.ok) io.die(2, 'socket', opened.errno)
  const probe = opened.value
  const { device } = options
  if (device !== undefined) {
    for (const one of [probe, fd]) {
      const tied = sys.setsockopt(one, 'SOL_SOCKET', 'SO_BINDTODEVICE', device)
      if (!tied.ok) io.die(2, `SO_BINDTODEVICE ${device}`, tied.errno)
    }
  }
  const to = { family: 'AF_INET6', address, port: 1025, scopeId: target.scopeId } as const
  // What doesn't leave the link isn't tried.
  if (!isLinkLocalIpv6(target.address) && !isLinkGroup(target.address)) {
    const connected = yield* sys.connect(probe, to)
    if (!connected.ok) io.die(2, 'connect', connected.errno)
  }
  const local = sys.getsockname(probe)
  if (!local.ok || local.value.family !== 'AF_INET6') io.die(2, 'getsockname')
  const source = readIpv6(local.value.address, 0)
  sys.close(probe)
  if (device !== undefined && !hasAddress(sys, device, source)) {
    io.warn(`Warning: source address might be selected on device other than: ${device}`)
  }
  return source
}

/** A group of the link's. */
function isLinkGroup(address: Ipv6Address): boolean {
  return isMulticastIpv6(address) && ((address.w0 >>> 16) & 15) === 2
}

function hasAddress(sys: Sys, device: string, address: Ipv6Address): boolean {
  const index = interfaceIndex(sys, device)
  const addresses = sys.netlink({ type: 'RTM_GETADDR', family: 'AF_INET6' } as { type: string })
  if (!addresses.ok) return false
  return (addresses.messages as Address6Message[]).some((one) => one.ifindex === index && one.local === address)
}

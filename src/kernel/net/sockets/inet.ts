/**
 * What raw, ping and UDP sockets have in common: addresses, options, the queues of what was received and of errors, and
 * making a datagram's route. Linux 6.1 net/ipv4/af_inet.c, ip_sockglue.c, datagram.c.
 */
import { NotModelled } from '#base/check'
import {
  ERRNO,
  type Errno,
  fail,
  type Host,
  type MessageFlags,
  OK,
  ok,
  POLLERR,
  POLLIN,
  type Received,
  type SockAddr,
  type SysResult,
  WaitQueue,
} from '#kernel/core'
import type { Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import { deviceByIndex, deviceByName } from '../devices.ts'
import { type Flow, flowOf } from '../fib.ts'
import { addressType, deviceOfAddress, INADDR_BROADCAST, isMulticast } from '../fib-lookup.ts'
import { type IcmpErrorInfo, learnFrom } from '../icmp-receive.ts'
import { RT_SCOPE_LINK } from '../inetdev.ts'
import { deviceIoctl } from '../ioctl.ts'
import { buildOptions, type OptionPlaces, socketOptions } from '../ip-options.ts'
import { hopLimit, ipLocalOut, OUT_DEVICE_MTU, OUT_IGNORE_DF, OUT_NO_LOOP, selectIdent } from '../ip-output.ts'
import { type InetState, inetState } from '../ip-state.ts'
import { truesize } from '../neighbour.ts'
import { type Route, RTCF_BROADCAST, routeFlow, specificDestination } from '../route.ts'
import { type KernelSocket, ReceiveQueue } from './file.ts'
import { type GroupRequest, joinGroup, leaveAll, leaveGroup, type Membership } from './memberships.ts'
import { type SocketTables, socketTables } from './tables.ts'

export const IP_PMTUDISC_DONT = 0
export const IP_PMTUDISC_WANT = 1
export const IP_PMTUDISC_DO = 2
export const IP_PMTUDISC_PROBE = 3
export const IP_PMTUDISC_INTERFACE = 4
export const IP_PMTUDISC_OMIT = 5

/** An entry of the error queue, as IP_RECVERR's control message gives it. struct sock_extended_err. */
export interface ExtendedError {
  errno: Errno
  origin: 'LOCAL' | 'ICMP'
  type: number
  code: number
  /** The MTU of "fragmentation needed", the gateway of a redirect. */
  info: number
  data: number
  /** Who sent the ICMP message; undefined if the error is this host's own. */
  offender: number | undefined
}

interface QueuedError {
  error: ExtendedError
  bytes: Uint8Array
  from: SockAddr
  timeNs: number
  packet: Packet | undefined
}

/** What was received, until a program reads it. */
export interface Queued {
  packet: Packet
  device: NetDevice
  timeNs: number
}

/** icmp_err_convert[]: what a code of "destination unreachable" means to a socket, and whether it is fatal. */
const UNREACHABLE: readonly [Errno, boolean][] = [
  ['ENETUNREACH', false],
  ['EHOSTUNREACH', false],
  ['ENOPROTOOPT', true],
  ['ECONNREFUSED', true],
  ['EMSGSIZE', false],
  ['EOPNOTSUPP', false],
  ['ENETUNREACH', true],
  ['EHOSTDOWN', true],
  ['ENONET', true],
  ['ENETUNREACH', true],
  ['EHOSTUNREACH', true],
  ['ENETUNREACH', false],
  ['EHOSTUNREACH', false],
  ['EHOSTUNREACH', true],
  ['EHOSTUNREACH', true],
  ['EHOSTUNREACH', true],
]

/** What a socket makes of an ICMP error; undefined: nothing. */
export function errorOf(type: number, code: number, pmtuDiscover: number): [Errno, boolean] | undefined {
  if (type === 4) return undefined
  if (type === 12) return ['EPROTO', true]
  if (type !== 3) return ['EHOSTUNREACH', false]
  if (code === 4) return pmtuDiscover === IP_PMTUDISC_DONT ? undefined : ['EMSGSIZE', true]
  return UNREACHABLE[code] ?? ['EHOSTUNREACH', false]
}

/** Options that are numbers, and where they are kept. */
const NUMBER_OPTIONS = {
  IP_TOS: 'tos',
  IP_TTL: 'ttl',
  IP_MULTICAST_TTL: 'multicastTtl',
  IP_MTU_DISCOVER: 'pmtuDiscover',
  SO_MARK: 'mark',
  SO_PRIORITY: 'priority',
} as const
const FLAG_OPTIONS = {
  IP_HDRINCL: 'headerIncluded',
  IP_RECVERR: 'receiveErrors',
  IP_RECVTTL: 'receiveTtl',
  IP_RECVTOS: 'receiveTos',
  IP_PKTINFO: 'packetInfo',
  IP_RECVOPTS: 'receiveOptions',
  IP_RETOPTS: 'receiveOptions',
  IP_MULTICAST_LOOP: 'multicastLoop',
  IP_MULTICAST_ALL: 'multicastAll',
  IP_FREEBIND: 'freebind',
  IP_TRANSPARENT: 'freebind',
  SO_BROADCAST: 'broadcast',
  SO_DONTROUTE: 'dontRoute',
  SO_REUSEADDR: 'reuseAddress',
  SO_REUSEPORT: 'reusePort',
  SO_TIMESTAMP: 'timestamp',
  SO_TIMESTAMPNS: 'timestamp',
  SO_NO_CHECK: 'noChecksum',
} as const

export abstract class InetSocket implements KernelSocket {
  readonly domain = 'AF_INET'
  abstract readonly type: string
  readonly host: Host
  readonly state: InetState
  readonly tables: SocketTables
  readonly inode: number
  readonly protocol: number
  readonly queue = new WaitQueue()
  readonly received: ReceiveQueue<Queued>
  readonly #errors: QueuedError[] = []
  /** What the next call answers. sk_err. */
  error: Errno | undefined = undefined
  /** Local port, identifier, or a raw socket's protocol. inet_num. */
  number = 0
  /** What packets have to be for, and what they are sent from. inet_rcv_saddr, inet_saddr. */
  receiveAddress = 0
  sourceAddress = 0
  peerAddress = 0
  peerPort = 0
  connected = false
  boundDevice = 0
  /** The AF_INET6 socket that speaks IPv4 through this one: only that is shown. */
  insideOf: unknown = undefined
  drops = 0
  /** Identifications of a connected socket's packets. inet_id. */
  ipId = 0
  /** A connected socket's route, while it is valid. */
  route: Route | undefined = undefined

  mark = 0
  priority = 0
  tos = 0
  /** -1: the host's default. */
  ttl = -1
  multicastTtl = 1
  multicastDevice = 0
  multicastAddress = 0
  pmtuDiscover: number
  headerIncluded = false
  receiveErrors = false
  receiveTtl = false
  receiveTos = false
  packetInfo = false
  receiveOptions = false
  multicastLoop = true
  /** Takes what comes for groups that only others here have joined. mc_all. */
  multicastAll = true
  /** The groups that it has joined; undefined: never any. */
  memberships: Membership[] | undefined = undefined
  freebind = false
  broadcast = false
  dontRoute = false
  reuseAddress = false
  reusePort = false
  timestamp = false
  noChecksum = false
  receiveBuffer: number
  sendBuffer: number
  options: { bytes: Uint8Array; first: number; at: OptionPlaces } | undefined = undefined

  constructor(host: Host, protocol: number) {
    this.host = host
    this.state = inetState.of(host)
    this.tables = socketTables(this.state)
    this.inode = this.tables.nextInode++
    this.protocol = protocol
    this.received = new ReceiveQueue()
    this.pmtuDiscover = this.state.sysctls.noPmtuDisc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT
    this.receiveBuffer = this.state.sysctls.rmemDefault
    this.sendBuffer = this.state.sysctls.wmemDefault
  }

  abstract bind(address: SockAddr): SysResult<void>
  abstract sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number>
  abstract release(): void
  /** The bytes that a program gets of a packet, and who it is from. */
  protected abstract content(packet: Packet): { bytes: Uint8Array; from: SockAddr }

  /** Gives the pending error up. sock_error(). */
  takeError(): Errno | undefined {
    const error = this.error
    this.error = undefined
    return error
  }

  poll(): number {
    let events = 0
    if (this.received.length > 0) events |= POLLIN
    if (this.error !== undefined || this.#errors.length > 0) events |= POLLERR
    return events
  }

  /** Queues a packet; false if there is no room. */
  enqueue(packet: Packet, device: NetDevice): boolean {
    const size = truesize(packet)
    if (this.received.memory > this.receiveBuffer) {
      this.drops++
      return false
    }
    this.received.push({ packet, device, timeNs: this.host.sim.nowNs }, size)
    this.queue.wake()
    return true
  }

  /** Whether it may be bound to an address. inet_addr_valid_or_nonlocal(). */
  protected mayBindTo(address: number): boolean {
    if (address === 0 || this.freebind || this.state.sysctls.nonlocalBind !== 0) return true
    const type = addressType(this.host, address)
    return type === 'local' || type === 'multicast' || type === 'broadcast'
  }

  /** __ip4_datagram_connect(). */
  connect(address: SockAddr): SysResult<void> {
    if (address.family === 'AF_UNSPEC') {
      this.disconnect()
      return OK
    }
    if (address.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    const bound = this.autobind()
    if (!bound.ok) return bound
    this.route = undefined
    const flow = this.flow(address.address, address.port, {})
    const route = routeFlow(this.host, flow)
    if (typeof route === 'string') {
      if (route === 'ENETUNREACH') this.state.count().outNoRoutes++
      return fail(route)
    }
    if (route.flags & RTCF_BROADCAST && !this.broadcast) return fail('EACCES')
    if (this.sourceAddress === 0) this.sourceAddress = flow.src
    if (this.receiveAddress === 0) this.receiveAddress = flow.src
    this.peerAddress = flow.dst
    this.peerPort = address.port
    this.connected = true
    this.ipId = this.host.sim.random(`${this.host.name}/ip id`).below(65536)
    this.route = route
    return OK
  }

  protected autobind(): SysResult<void> {
    return OK
  }

  protected disconnect(): void {
    this.connected = false
    this.peerAddress = 0
    this.peerPort = 0
    this.route = undefined
    if (!this.bound) {
      this.receiveAddress = 0
      this.sourceAddress = 0
    }
  }
  /** bind named an address. SOCK_BINDADDR_LOCK. */
  protected bound = false

  /** The flow of a datagram to an address. */
  protected flow(dst: number, port: number, flags: MessageFlags): Flow {
    let oif = this.boundDevice
    let src = this.sourceAddress
    if (isMulticast(dst)) {
      if (oif === 0) oif = this.multicastDevice
      if (src === 0) src = this.multicastAddress
    }
    const flow = flowOf({
      dst: this.options?.first || dst,
      src,
      oif,
      tos: this.tos,
      mark: this.mark,
      protocol: this.headerIncluded ? 255 : this.protocol,
      srcPort: this.type === 'SOCK_RAW' ? 0 : this.number,
      dstPort: port,
      anySrc: this.freebind || this.headerIncluded,
    })
    if (flags.dontRoute || this.dontRoute) flow.scope = RT_SCOPE_LINK
    return flow
  }

  /** Whether what it sends says DF, and what that means on the way out. */
  protected outFlags(): number {
    let flags = 0
    if (this.pmtuDiscover < IP_PMTUDISC_DO || this.pmtuDiscover === IP_PMTUDISC_OMIT) flags |= OUT_IGNORE_DF
    if (this.pmtuDiscover >= IP_PMTUDISC_PROBE) flags |= OUT_DEVICE_MTU
    if (!this.multicastLoop) flags |= OUT_NO_LOOP
    return flags
  }

  /** Fills in the header that is the socket's to choose, and sends. __ip_make_skb(). */
  protected send(packet: Packet, length: number, route: Route, to: number): SysResult<number> {
    const ignoresDf = this.pmtuDiscover < IP_PMTUDISC_DO || this.pmtuDiscover === IP_PMTUDISC_OMIT
    const mtu = this.pmtuDiscover >= IP_PMTUDISC_PROBE ? route.device.mtu : route.mtu(false)
    if (mtu < 68) return fail('ENETUNREACH')
    const optionsLength = this.options?.bytes.length ?? 0
    const total = length + 20 + optionsLength
    if (total > (ignoresDf ? 65535 : mtu)) {
      this.localError('EMSGSIZE', packet.dst, this.peerPort, mtu - optionsLength)
      return fail('EMSGSIZE')
    }
    const insists = this.pmtuDiscover === IP_PMTUDISC_DO || this.pmtuDiscover === IP_PMTUDISC_PROBE
    const wants = this.pmtuDiscover === IP_PMTUDISC_WANT && !route.locked
    if (insists || (wants && total <= route.mtu(false))) packet.fragment = 0x4000
    packet.tos = this.tos
    packet.ttl = route.type === 'multicast' ? this.multicastTtl : this.ttl < 0 ? hopLimit(this.state, route) : this.ttl
    packet.mark = this.mark
    packet.priority = this.priority
    if (this.options) {
      packet.ipOptions = this.options.bytes.slice()
      if (this.options.first) packet.dst = this.options.first
      buildOptions(packet, packet.ipOptions, this.options.at, to, route)
    }
    if (this.peerAddress !== 0) {
      this.ipId = (this.ipId + 1) & 0xffff
      packet.ipId = this.ipId
    } else if (packet.fragment === 0 || ignoresDf) packet.ipId = selectIdent(this.state, packet)
    const failed = ipLocalOut(this.state, packet, route, this.outFlags())
    if (failed !== undefined) {
      this.state.count().outDiscards++
      if (failed === 'ENOBUFS' && !this.receiveErrors) return ok(length)
      return fail(failed)
    }
    return ok(length)
  }

  /** An error of this host's own, for the error queue. ip_local_error(). */
  protected localError(errno: Errno, dst: number, port: number, info: number): void {
    if (!this.receiveErrors) return
    this.#errors.push({
      error: { errno, origin: 'LOCAL', type: 0, code: 0, info, data: 0, offender: undefined },
      bytes: new Uint8Array(0),
      from: { family: 'AF_INET', address: dst, port },
      timeNs: this.host.sim.nowNs,
      packet: undefined,
    })
    this.queue.wake()
  }

  /** An ICMP error about a packet of this socket's, for the error queue. ip_icmp_error(). */
  protected queueError(error: IcmpErrorInfo, errno: Errno, port: number, payload: number): void {
    const { quoted, packet } = error
    this.#errors.push({
      error: {
        errno,
        origin: 'ICMP',
        type: error.type,
        code: error.code,
        info: error.info,
        data: 0,
        offender: packet.src,
      },
      bytes: quoted.bytes.slice(Math.min(payload, quoted.end), quoted.end),
      from: { family: 'AF_INET', address: quoted.dst, port },
      timeNs: this.host.sim.nowNs,
      packet,
    })
  }

  /** sk_err is set, and who waits is woken. */
  protected report(errno: Errno): void {
    this.error = errno
    this.queue.wake()
  }

  /** What an error says about the way there. ipv4_sk_update_pmtu(), ipv4_sk_redirect(). */
  protected learn(error: IcmpErrorInfo): void {
    if (error.type === 3 && error.code === 4 && this.pmtuDiscover >= IP_PMTUDISC_INTERFACE) return
    learnFrom(
      this.state,
      error,
      flowOf({
        oif: this.boundDevice,
        mark: this.mark,
        tos: this.tos,
        protocol: this.headerIncluded ? 255 : this.protocol,
        anySrc: this.freebind,
        scope: this.dontRoute ? RT_SCOPE_LINK : 0,
      }),
    )
  }

  receive(length: number, flags: MessageFlags): SysResult<Received> {
    if (flags.errorQueue) return this.#receiveError(length)
    const error = this.takeError()
    if (error !== undefined) return fail(error)
    const first = flags.peek ? this.received.peek() : this.received.shift()
    if (!first) return fail('EAGAIN')
    const { bytes, from } = this.content(first.packet)
    return ok({
      bytes: bytes.length > length ? bytes.subarray(0, length) : bytes,
      length: bytes.length,
      from,
      timeNs: first.timeNs,
      control: this.#control(first.packet, first.device, first.timeNs),
    })
  }

  #receiveError(length: number): SysResult<Received> {
    const first = this.#errors.shift()
    if (!first) return fail('EAGAIN')
    const next = this.#errors[0]
    if (first.error.origin === 'ICMP') this.error = next?.error.origin === 'ICMP' ? next.error.errno : undefined
    const control = first.packet ? this.#control(first.packet, undefined) : {}
    return ok({
      bytes: first.bytes.subarray(0, length),
      length: first.bytes.length,
      from: first.from,
      timeNs: first.timeNs,
      control: { ...control, IP_RECVERR: first.error },
    })
  }

  /** ip_cmsg_recv(). */
  #control(packet: Packet, device: NetDevice | undefined, timeNs?: number): Record<string, unknown> {
    const control: Record<string, unknown> = {}
    if (this.timestamp && timeNs !== undefined) control['SO_TIMESTAMP'] = wallClock(this.host, timeNs)
    if (this.packetInfo && device) {
      const route = packet.route as Route | undefined
      control['IP_PKTINFO'] = {
        ifindex: route && !route.input ? route.iif || device.ifindex : packet.iif,
        specificDestination: route ? specificDestination(packet, route, device) : packet.dst,
        destination: packet.dst,
      }
    }
    if (this.receiveTtl) control['IP_TTL'] = packet.ttl
    if (this.receiveTos) control['IP_TOS'] = packet.tos
    if (this.receiveOptions && packet.ipOptions) control['IP_RECVOPTS'] = packet.ipOptions
    return control
  }

  shutdown(_how: 'RD' | 'WR' | 'RDWR'): SysResult<void> {
    return this.connected ? OK : fail('ENOTCONN')
  }

  localName(): SysResult<SockAddr> {
    return ok({ family: 'AF_INET', address: this.receiveAddress || this.sourceAddress, port: this.number })
  }

  peerName(): SysResult<SockAddr> {
    if (!this.connected) return fail('ENOTCONN')
    return ok({ family: 'AF_INET', address: this.peerAddress, port: this.peerPort })
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    return deviceIoctl(this.host, request, argument)
  }

  setOption(level: string, name: string, value: unknown): SysResult<void> {
    const number = Number(value)
    const field = NUMBER_OPTIONS[name as keyof typeof NUMBER_OPTIONS]
    if (field) {
      if (!inRange(name, number)) return fail('EINVAL')
      if (name === 'IP_TOS') this.priority = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4][(number & 0x1e) >> 1]!
      this[field] = name === 'SO_MARK' ? number >>> 0 : number
      this.route = undefined
      return OK
    }
    const flag = FLAG_OPTIONS[name as keyof typeof FLAG_OPTIONS]
    if (flag) {
      this[flag] = Boolean(value)
      if (name === 'IP_RECVERR' && !value) this.#errors.length = 0
      return OK
    }
    if (name === 'SO_BINDTODEVICE') return this.#bindToDevice(String(value ?? '').replace(/\0.*$/s, ''))
    if (name === 'SO_RCVBUF' || name === 'SO_RCVBUFFORCE') {
      const most = name === 'SO_RCVBUF' ? this.state.sysctls.rmemMax : 2 ** 30
      this.receiveBuffer = Math.max(2 * Math.min(number, most), 2304)
      return OK
    }
    if (name === 'SO_SNDBUF' || name === 'SO_SNDBUFFORCE') {
      const most = name === 'SO_SNDBUF' ? this.state.sysctls.wmemMax : 2 ** 30
      this.sendBuffer = Math.max(2 * Math.min(number, most), 4608)
      return OK
    }
    if (name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO') {
      this.timeouts.set(name, value)
      return OK
    }
    if (name === 'IP_MULTICAST_IF') return this.#multicastBy(value)
    if (name === 'IP_ADD_MEMBERSHIP' || name === 'IP_DROP_MEMBERSHIP') {
      this.memberships ??= []
      const change = name === 'IP_ADD_MEMBERSHIP' ? joinGroup : leaveGroup
      const failed = change(this.host, this.memberships, value as GroupRequest)
      return failed === undefined ? OK : fail(failed)
    }
    if (name === 'IP_OPTIONS') {
      const bytes = value as Uint8Array
      if (bytes.length > 40) return fail('EINVAL')
      const options = bytes.length === 0 ? undefined : socketOptions(bytes)
      if (bytes.length > 0 && !options) return fail('EINVAL')
      this.options = options
      return OK
    }
    if (name in ERRNO) return fail('ENOPROTOOPT')
    return this.setOwnOption(level, name, value)
  }
  readonly timeouts = new Map<string, unknown>()

  /** Options of one kind of socket. */
  protected setOwnOption(level: string, name: string, _value: unknown): SysResult<void> {
    throw new NotModelled(`setsockopt(${level}, ${name}) of an AF_INET ${this.type} socket`)
  }

  /** A device by its name or index; or, as struct ip_mreqn has it, by an address of its own, nothing meaning any. */
  #multicastBy(value: unknown): SysResult<void> {
    if (typeof value === 'object' && value !== null)
      return this.#multicastByRequest(value as Omit<GroupRequest, 'group'>)
    const device = typeof value === 'string' ? deviceByName(this.host, value) : deviceByIndex(this.host, Number(value))
    if (!device) return fail('ENODEV')
    this.multicastDevice = device.ifindex
    this.multicastAddress = device.inet.addresses[0]?.local ?? 0
    return OK
  }

  #multicastByRequest({ address = 0, ifindex = 0 }: Omit<GroupRequest, 'group'>): SysResult<void> {
    const named = ifindex !== 0 || address !== 0
    const device = ifindex !== 0 ? deviceByIndex(this.host, ifindex) : deviceOfAddress(this.host, address)
    if (named && !device) return fail('EADDRNOTAVAIL')
    if (named && this.boundDevice !== 0 && this.boundDevice !== device!.ifindex) return fail('EINVAL')
    this.multicastDevice = named ? device!.ifindex : 0
    this.multicastAddress = address
    return OK
  }

  /** It is closed: its groups are left. ip_mc_drop_socket(). */
  protected leaveGroups(): void {
    if (this.memberships !== undefined) leaveAll(this.host, this.memberships)
  }

  #bindToDevice(name: string): SysResult<void> {
    const device = name === '' ? undefined : deviceByName(this.host, name)
    if (name !== '' && !device) return fail('ENODEV')
    this.boundDevice = device?.ifindex ?? 0
    this.route = undefined
    return OK
  }

  getOption(level: string, name: string): SysResult<unknown> {
    const field = NUMBER_OPTIONS[name as keyof typeof NUMBER_OPTIONS]
    if (name === 'IP_TTL' && this.ttl < 0) return ok(this.state.sysctls.defaultTtl)
    if (field) return ok(this[field])
    const flag = FLAG_OPTIONS[name as keyof typeof FLAG_OPTIONS]
    if (flag) return ok(this[flag] ? 1 : 0)
    if (name === 'SO_ERROR') {
      const error = this.takeError()
      return ok(error === undefined ? 0 : ERRNO[error][0])
    }
    if (name === 'SO_RCVBUF') return ok(this.receiveBuffer)
    if (name === 'SO_SNDBUF') return ok(this.sendBuffer)
    if (name === 'SO_TYPE') return ok(this.type)
    if (name === 'SO_PROTOCOL') return ok(this.protocol)
    if (name === 'SO_DOMAIN') return ok(this.domain)
    if (name === 'SO_BINDTODEVICE') return ok(deviceByIndex(this.host, this.boundDevice)?.name ?? '')
    if (name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO') return ok(this.timeouts.get(name) ?? 0)
    if (name === 'IP_MTU') {
      if (!this.connected) return fail('ENOTCONN')
      const route = routeFlow(this.host, this.flow(this.peerAddress, this.peerPort, {}))
      return typeof route === 'string' ? fail('ENOTCONN') : ok(route.mtu(false))
    }
    if (name === 'IP_MULTICAST_IF') return ok(this.multicastAddress)
    if (name === 'IP_OPTIONS') return ok(this.options?.bytes ?? new Uint8Array(0))
    return this.getOwnOption(level, name)
  }

  protected getOwnOption(level: string, name: string): SysResult<unknown> {
    throw new NotModelled(`getsockopt(${level}, ${name}) of an AF_INET ${this.type} socket`)
  }
}

function inRange(name: string, value: number): boolean {
  if (!Number.isInteger(value)) return false
  if (name === 'IP_TTL') return value === -1 || (value >= 1 && value <= 255)
  if (name === 'IP_MULTICAST_TTL') return value >= -1 && value <= 255
  if (name === 'IP_TOS') return value >= 0 && value <= 255
  if (name === 'IP_MTU_DISCOVER') return value >= 0 && value <= 5
  return true
}

/** CLOCK_REALTIME as it was at a moment of the lab's. */
function wallClock(host: Host & { realtime?(): { s: number; ns: number } }, timeNs: number): { s: number; ns: number } {
  const now = host.realtime?.() ?? { s: host.startS, ns: host.sim.nowNs }
  const ns = now.ns - (host.sim.nowNs - timeNs)
  const carry = Math.floor(ns / 1e9)
  return { s: now.s + carry, ns: ns - carry * 1e9 }
}

/** Whether an address is one that only who asked for SO_BROADCAST may send to. */
export function isLimitedBroadcast(address: number): boolean {
  return address === INADDR_BROADCAST
}

/**
 * What raw, ping and UDP sockets of AF_INET6 have in common. Linux 6.1 net/ipv6/af_inet6.c, ipv6_sockglue.c, datagram.c.
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
import {
  deviceByIndex,
  deviceByName,
  deviceIoctl,
  type KernelSocket,
  type NetDevice,
  ReceiveQueue,
  truesize,
} from '#kernel/net'
import {
  IN6_ANY,
  type Ipv6Address,
  ipv6Bytes,
  isLinkLocalIpv6,
  isMulticastIpv6,
  type Packet,
  readIpv6,
} from '#wire/inet'
import { incoming } from '../icmp.ts'
import type { Icmp6ErrorInfo } from '../icmp-receive.ts'
import { link6 } from '../inet6dev.ts'
import { joinGroup, leaveGroup } from '../mld.ts'
import { ip6LocalOut, makeFlowLabel, OUT6_DEVICE_MTU, OUT6_IGNORE_DF, OUT6_NO_LOOP } from '../output.ts'
import { type Flow6, flow6, type Route6, routeFlow6 } from '../route.ts'
import { type State6, state6 } from '../state.ts'
import { inodeOf, type SocketTables6, socketTables6 } from './tables.ts'

export const IPV6_PMTUDISC_DONT = 0
export const IPV6_PMTUDISC_WANT = 1
export const IPV6_PMTUDISC_DO = 2
export const IPV6_PMTUDISC_PROBE = 3

/** An entry of the error queue, as IPV6_RECVERR's control message gives it. */
export interface ExtendedError6 {
  errno: Errno
  origin: 'LOCAL' | 'ICMP6'
  type: number
  code: number
  info: number
  data: number
  /** Who sent the ICMPv6 message, and by which device it came if that is needed to name him. */
  offender: Uint8Array | undefined
  scopeId: number
}

interface QueuedError {
  error: ExtendedError6
  bytes: Uint8Array
  from: SockAddr
  timeNs: number
  packet: Packet | undefined
}

const NUMBER_OPTIONS = {
  IPV6_UNICAST_HOPS: 'hops',
  IPV6_MULTICAST_HOPS: 'multicastHops',
  IPV6_MTU_DISCOVER: 'pmtuDiscover',
  IPV6_TCLASS: 'trafficClass',
  SO_MARK: 'mark',
  SO_PRIORITY: 'priority',
  IPV6_CHECKSUM: 'checksumAt',
} as const
const FLAG_OPTIONS = {
  IPV6_V6ONLY: 'onlyIpv6',
  IPV6_RECVERR: 'receiveErrors',
  IPV6_RECVHOPLIMIT: 'receiveHops',
  IPV6_HOPLIMIT: 'receiveHops',
  IPV6_RECVTCLASS: 'receiveClass',
  IPV6_RECVPKTINFO: 'packetInfo',
  IPV6_MULTICAST_LOOP: 'multicastLoop',
  IPV6_DONTFRAG: 'dontFragment',
  IPV6_FREEBIND: 'freebind',
  IPV6_TRANSPARENT: 'freebind',
  IPV6_AUTOFLOWLABEL: 'autoLabel',
  IPV6_HDRINCL: 'headerIncluded',
  SO_BROADCAST: 'broadcast',
  SO_DONTROUTE: 'dontRoute',
  SO_REUSEADDR: 'reuseAddress',
  SO_REUSEPORT: 'reusePort',
  SO_TIMESTAMP: 'timestamp',
  SO_TIMESTAMPNS: 'timestamp',
  SO_NO_CHECK: 'noChecksum',
} as const

export abstract class Inet6Socket implements KernelSocket {
  readonly domain = 'AF_INET6'
  abstract readonly type: string
  readonly host: Host
  readonly state: State6
  readonly tables: SocketTables6
  readonly inode: number
  readonly protocol: number
  readonly queue = new WaitQueue()
  readonly received: ReceiveQueue<{ packet: Packet; device: NetDevice; timeNs: number }>
  readonly #errors: QueuedError[] = []
  error: Errno | undefined = undefined
  /** Local port, identifier, or a raw socket's protocol. */
  number = 0
  receiveAddress = IN6_ANY
  sourceAddress = IN6_ANY
  peerAddress = IN6_ANY
  peerPort = 0
  connected = false
  bound = false
  boundDevice = 0
  drops = 0

  mark = 0
  priority = 0
  trafficClass = 0
  /** -1: the route's. */
  hops = -1
  multicastHops = 1
  multicastDevice = 0
  pmtuDiscover = IPV6_PMTUDISC_WANT
  checksumAt = -1
  onlyIpv6: boolean
  receiveErrors = false
  receiveHops = false
  receiveClass = false
  packetInfo = false
  multicastLoop = true
  dontFragment = false
  freebind = false
  autoLabel = true
  headerIncluded = false
  broadcast = false
  dontRoute = false
  reuseAddress = false
  reusePort = false
  timestamp = false
  noChecksum = false
  receiveBuffer: number
  sendBuffer: number
  readonly #memberships: { ifindex: number; group: Ipv6Address }[] = []
  readonly #timeouts = new Map<string, unknown>()

  constructor(host: Host, protocol: number) {
    this.host = host
    this.state = state6.of(host)
    this.tables = socketTables6(this.state)
    this.inode = inodeOf(this.state)
    this.protocol = protocol
    this.received = new ReceiveQueue()
    this.onlyIpv6 = this.state.sysctls.bindv6only !== 0
    this.receiveBuffer = 212_992
    this.sendBuffer = 212_992
  }

  abstract bind(address: SockAddr): SysResult<void>
  abstract sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number>
  protected abstract content(packet: Packet): { bytes: Uint8Array; port: number }

  release(): void {
    for (const { ifindex, group } of this.#memberships) this.#leave(ifindex, group)
    this.#memberships.length = 0
    this.received.clear()
  }

  takeError(): Errno | undefined {
    const { error } = this
    this.error = undefined
    return error
  }

  poll(): number {
    return (this.received.length > 0 ? POLLIN : 0) | (this.error !== undefined || this.#errors.length > 0 ? POLLERR : 0)
  }

  enqueue(packet: Packet, device: NetDevice): boolean {
    if (this.received.memory > this.receiveBuffer) {
      this.drops++
      return false
    }
    this.received.push({ packet, device, timeNs: this.host.sim.nowNs }, truesize(packet))
    this.queue.wake()
    return true
  }

  /** The address of a program's, and the device that its scope names. */
  protected take(address: SockAddr): SysResult<{ address: Ipv6Address; port: number; scope: number }> {
    if (address.family !== 'AF_INET6') return fail('EAFNOSUPPORT')
    return ok({ address: readIpv6(address.address, 0), port: address.port, scope: address.scopeId })
  }

  /** inet6_bind(): whether it is an address of this host, and whose link it is on. */
  protected bindAddress(wanted: { address: Ipv6Address; scope: number }): Errno | undefined {
    const { address, scope } = wanted
    if (address === IN6_ANY || isMulticastIpv6(address)) {
      if (isMulticastIpv6(address) && isLinkLocalGroup(address) && scope !== 0) this.boundDevice = scope
      return undefined
    }
    if (isLinkLocalIpv6(address)) {
      if (scope !== 0) this.boundDevice = scope
      if (this.boundDevice === 0) return 'EINVAL'
    }
    const device = this.boundDevice !== 0 ? deviceByIndex(this.host, this.boundDevice) : undefined
    if (this.boundDevice !== 0 && !device) return 'ENODEV'
    if (this.freebind || this.state.sysctls.ipNonlocalBind !== 0) return undefined
    const own = this.state.owner(address, isLinkLocalIpv6(address) ? device : undefined)
    const usable = own !== undefined && !own.tentative
    return usable ? undefined : 'EADDRNOTAVAIL'
  }

  protected autobind(): SysResult<void> {
    return OK
  }

  /** __ip6_datagram_connect(). */
  connect(address: SockAddr): SysResult<void> {
    if (address.family === 'AF_UNSPEC') {
      this.disconnect()
      return OK
    }
    const taken = this.take(address)
    if (!taken.ok) return taken
    let { address: dst } = taken.value
    const { port, scope } = taken.value
    if (dst === IN6_ANY) dst = readIpv6(ipv6Bytes(IN6_ANY).fill(1, 15), 0)
    if (needsScope(dst)) {
      if (scope !== 0) {
        if (this.boundDevice !== 0 && this.boundDevice !== scope) return fail('EINVAL')
        this.boundDevice = scope
      }
      if (this.boundDevice === 0 && isMulticastIpv6(dst)) this.boundDevice = this.multicastDevice
      if (this.boundDevice === 0) return fail('EINVAL')
    }
    const autobound = this.autobind()
    if (!autobound.ok) return autobound
    const flow = this.flow(dst, port, 0)
    const route = routeFlow6(this.state, flow)
    if (typeof route === 'string') return fail(route)
    if (this.sourceAddress === IN6_ANY) this.sourceAddress = flow.src!
    if (this.receiveAddress === IN6_ANY) this.receiveAddress = flow.src!
    this.peerAddress = dst
    this.peerPort = port
    this.connected = true
    return OK
  }

  protected disconnect(): void {
    this.connected = false
    this.peerAddress = IN6_ANY
    this.peerPort = 0
    if (!this.bound) {
      this.receiveAddress = IN6_ANY
      this.sourceAddress = IN6_ANY
    }
  }

  protected flow(dst: Ipv6Address, port: number, scope: number): Flow6 {
    let oif = this.boundDevice
    if (oif === 0 && scope !== 0 && needsScope(dst)) oif = scope
    if (oif === 0 && isMulticastIpv6(dst)) oif = this.multicastDevice
    return flow6({
      dst,
      src: this.sourceAddress === IN6_ANY || isMulticastIpv6(this.sourceAddress) ? undefined : this.sourceAddress,
      oif,
      mark: this.mark,
      protocol: this.protocol,
      srcPort: this.type === 'SOCK_RAW' ? 0 : this.number,
      dstPort: port,
      tos: this.trafficClass,
    })
  }

  /** Fills in the header that is the socket's to choose, and sends. __ip6_make_skb(). */
  protected send(packet: Packet, length: number, route: Route6): SysResult<number> {
    const mtu = this.pmtuDiscover >= IPV6_PMTUDISC_PROBE ? (link6(route.device)?.mtu6 ?? route.device.mtu) : route.mtu
    const insists = this.pmtuDiscover >= IPV6_PMTUDISC_DO || this.dontFragment
    if (length + 40 > (insists ? mtu : 65_575)) {
      this.localError('EMSGSIZE', packet.dst6!, this.peerPort, mtu)
      return fail('EMSGSIZE')
    }
    packet.tos = this.trafficClass
    packet.ttl = isMulticastIpv6(packet.dst6!)
      ? this.multicastHops < 0
        ? 1
        : this.multicastHops
      : this.hops < 0
        ? route.hopLimit
        : this.hops
    packet.mark = this.mark
    packet.priority = this.priority
    packet.socket = this
    if (this.autoLabel) packet.flowLabel = makeFlowLabel(this.state, packet)
    let flags = insists ? 0 : OUT6_IGNORE_DF
    if (this.pmtuDiscover >= IPV6_PMTUDISC_PROBE) flags |= OUT6_DEVICE_MTU
    if (!this.multicastLoop) flags |= OUT6_NO_LOOP
    const failed = ip6LocalOut(this.state, packet, route, flags)
    if (failed !== undefined) {
      this.state.counters.countIp('OutDiscards')
      if (failed === 'ENOBUFS' && !this.receiveErrors) return ok(length)
      return fail(failed)
    }
    return ok(length)
  }

  protected toSockAddr(address: Ipv6Address, port: number, device: NetDevice | undefined): SockAddr {
    const scopeId = needsScope(address) && device ? device.ifindex : 0
    return { family: 'AF_INET6', address: ipv6Bytes(address), port, scopeId }
  }

  protected localError(errno: Errno, dst: Ipv6Address, port: number, info: number): void {
    if (!this.receiveErrors) return
    this.#errors.push({
      error: { errno, origin: 'LOCAL', type: 0, code: 0, info, data: 0, offender: undefined, scopeId: 0 },
      bytes: new Uint8Array(0),
      from: this.toSockAddr(dst, port, undefined),
      timeNs: this.host.sim.nowNs,
      packet: undefined,
    })
    this.queue.wake()
  }

  /** ipv6_icmp_error(). */
  protected queueError(error: Icmp6ErrorInfo, errno: Errno, port: number, payload: number): void {
    const { quoted, packet } = error
    const device = incoming(packet, error.device)
    this.#errors.push({
      error: {
        errno,
        origin: 'ICMP6',
        type: error.type,
        code: error.code,
        info: error.info,
        data: 0,
        offender: ipv6Bytes(packet.src6!),
        scopeId: needsScope(packet.src6!) ? device.ifindex : 0,
      },
      bytes: quoted.bytes.slice(Math.min(payload, quoted.end), quoted.end),
      from: this.toSockAddr(quoted.dst, port, device),
      timeNs: this.host.sim.nowNs,
      packet,
    })
  }

  protected report(errno: Errno): void {
    this.error = errno
    this.queue.wake()
  }

  receive(length: number, flags: MessageFlags): SysResult<Received> {
    if (flags.errorQueue) return this.#receiveError(length)
    const error = this.takeError()
    if (error !== undefined) return fail(error)
    const first = flags.peek ? this.received.peek() : this.received.shift()
    if (!first) return fail('EAGAIN')
    const { bytes, port } = this.content(first.packet)
    return ok({
      bytes: bytes.length > length ? bytes.subarray(0, length) : bytes,
      length: bytes.length,
      from: this.toSockAddr(first.packet.src6!, port, incoming(first.packet, first.device)),
      timeNs: first.timeNs,
      control: this.#control(first.packet, first.device, first.timeNs),
    })
  }

  #receiveError(length: number): SysResult<Received> {
    const first = this.#errors.shift()
    if (!first) return fail('EAGAIN')
    const next = this.#errors[0]
    if (first.error.origin === 'ICMP6') this.error = next?.error.origin === 'ICMP6' ? next.error.errno : undefined
    return ok({
      bytes: first.bytes.subarray(0, length),
      length: first.bytes.length,
      from: first.from,
      timeNs: first.timeNs,
      control: { IPV6_RECVERR: first.error },
    })
  }

  #control(packet: Packet, device: NetDevice, timeNs: number): Record<string, unknown> {
    const control: Record<string, unknown> = {}
    if (this.timestamp) control['SO_TIMESTAMP'] = wallClock(this.host, timeNs)
    if (this.packetInfo) {
      control['IPV6_PKTINFO'] = { ifindex: incoming(packet, device).ifindex, address: ipv6Bytes(packet.dst6!) }
    }
    if (this.receiveHops) control['IPV6_HOPLIMIT'] = packet.ttl
    if (this.receiveClass) control['IPV6_TCLASS'] = packet.tos
    return control
  }

  shutdown(_how: 'RD' | 'WR' | 'RDWR'): SysResult<void> {
    return this.connected ? OK : fail('ENOTCONN')
  }

  localName(): SysResult<SockAddr> {
    const address = this.receiveAddress === IN6_ANY ? this.sourceAddress : this.receiveAddress
    return ok(this.toSockAddr(address, this.number, deviceByIndex(this.host, this.boundDevice)))
  }

  peerName(): SysResult<SockAddr> {
    if (!this.connected) return fail('ENOTCONN')
    return ok(this.toSockAddr(this.peerAddress, this.peerPort, deviceByIndex(this.host, this.boundDevice)))
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    return deviceIoctl(this.host, request, argument)
  }

  setOption(level: string, name: string, value: unknown): SysResult<void> {
    const number = Number(value)
    const field = NUMBER_OPTIONS[name as keyof typeof NUMBER_OPTIONS]
    if (field) {
      const least = name === 'IPV6_MTU_DISCOVER' || name.startsWith('SO_') ? 0 : -1
      const most =
        name === 'IPV6_MTU_DISCOVER' ? 5 : name.startsWith('SO_') || name === 'IPV6_CHECKSUM' ? 2 ** 31 - 1 : 255
      if (!Number.isInteger(number) || number < least || number > most) return fail('EINVAL')
      this[field] = name === 'IPV6_TCLASS' ? Math.max(0, number) : name === 'SO_MARK' ? number >>> 0 : number
      return OK
    }
    const flag = FLAG_OPTIONS[name as keyof typeof FLAG_OPTIONS]
    if (flag) {
      if (name === 'IPV6_V6ONLY' && this.number !== 0 && this.type !== 'SOCK_RAW') return fail('EINVAL')
      this[flag] = Boolean(value)
      if (name === 'IPV6_RECVERR' && !value) this.#errors.length = 0
      return OK
    }
    if (name === 'SO_BINDTODEVICE') return this.#bindToDevice(String(value ?? '').replace(/\0.*$/s, ''))
    if (name === 'SO_RCVBUF' || name === 'SO_RCVBUFFORCE') {
      this.receiveBuffer = Math.max(2 * Math.min(number, name === 'SO_RCVBUF' ? 212_992 : 2 ** 30), 2304)
      return OK
    }
    if (name === 'SO_SNDBUF' || name === 'SO_SNDBUFFORCE') {
      this.sendBuffer = Math.max(2 * Math.min(number, name === 'SO_SNDBUF' ? 212_992 : 2 ** 30), 4608)
      return OK
    }
    if (name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO') {
      this.#timeouts.set(name, value)
      return OK
    }
    if (name === 'IPV6_MULTICAST_IF') {
      const device = typeof value === 'string' ? deviceByName(this.host, value) : deviceByIndex(this.host, number)
      if (!device && number !== 0) return fail('ENODEV')
      this.multicastDevice = device?.ifindex ?? 0
      return OK
    }
    if (name === 'IPV6_JOIN_GROUP' || name === 'IPV6_ADD_MEMBERSHIP') {
      return this.#join(value as { group: Uint8Array; ifindex: number })
    }
    if (name === 'IPV6_LEAVE_GROUP' || name === 'IPV6_DROP_MEMBERSHIP') {
      const { group, ifindex } = value as { group: Uint8Array; ifindex: number }
      const address = readIpv6(group, 0)
      const at = this.#memberships.findIndex(
        (own) => own.group === address && (ifindex === 0 || own.ifindex === ifindex),
      )
      if (at < 0) return fail('EADDRNOTAVAIL')
      const [own] = this.#memberships.splice(at, 1)
      this.#leave(own!.ifindex, own!.group)
      return OK
    }
    return this.setOwnOption(level, name, value)
  }

  /** ipv6_sock_mc_join(). */
  #join({ group, ifindex }: { group: Uint8Array; ifindex: number }): SysResult<void> {
    const address = readIpv6(group, 0)
    if (!isMulticastIpv6(address)) return fail('EINVAL')
    const device = ifindex !== 0 ? deviceByIndex(this.host, ifindex) : this.#groupDevice(address)
    const link = device && link6(device)
    if (!device || !link) return fail('ENODEV')
    if (this.#memberships.some((own) => own.group === address && own.ifindex === device.ifindex))
      return fail('EADDRINUSE')
    this.#memberships.push({ ifindex: device.ifindex, group: address })
    joinGroup(link, address)
    return OK
  }

  #groupDevice(address: Ipv6Address): NetDevice | undefined {
    const route = routeFlow6(this.state, flow6({ dst: address, src: IN6_ANY }))
    return typeof route === 'string' ? undefined : route.device
  }

  #leave(ifindex: number, group: Ipv6Address): void {
    const device = deviceByIndex(this.host, ifindex)
    const link = device && link6(device)
    if (link) leaveGroup(link, group)
  }

  protected setOwnOption(level: string, name: string, _value: unknown): SysResult<void> {
    if (level === 'SOL_IP' || name in ERRNO) return fail('ENOPROTOOPT')
    throw new NotModelled(`setsockopt(${level}, ${name}) of an AF_INET6 ${this.type} socket`)
  }

  #bindToDevice(name: string): SysResult<void> {
    const device = name === '' ? undefined : deviceByName(this.host, name)
    if (name !== '' && !device) return fail('ENODEV')
    this.boundDevice = device?.ifindex ?? 0
    return OK
  }

  getOption(level: string, name: string): SysResult<unknown> {
    if (name === 'IPV6_UNICAST_HOPS' && this.hops < 0) return ok(this.state.confAll.hopLimit)
    const field = NUMBER_OPTIONS[name as keyof typeof NUMBER_OPTIONS]
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
    if (name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO') return ok(this.#timeouts.get(name) ?? 0)
    if (name === 'IPV6_MTU') {
      if (!this.connected) return fail('ENOTCONN')
      const route = routeFlow6(this.state, this.flow(this.peerAddress, this.peerPort, 0))
      return typeof route === 'string' ? fail('ENOTCONN') : ok(route.mtu)
    }
    throw new NotModelled(`getsockopt(${level}, ${name}) of an AF_INET6 ${this.type} socket`)
  }
}

/** Groups that don't leave the link or the host. */
function isLinkLocalGroup(address: Ipv6Address): boolean {
  const scope = (address.w0 >>> 16) & 15
  return scope === 1 || scope === 2
}

/** Whether an address says nothing without the link that it is on. __ipv6_addr_needs_scope_id(). */
export function needsScope(address: Ipv6Address): boolean {
  return isLinkLocalIpv6(address) || (isMulticastIpv6(address) && isLinkLocalGroup(address))
}

/** CLOCK_REALTIME as it was at a moment of the lab's. */
function wallClock(host: Host & { realtime?(): { s: number; ns: number } }, timeNs: number): { s: number; ns: number } {
  const now = host.realtime?.() ?? { s: host.startS, ns: host.sim.nowNs }
  const ns = now.ns - (host.sim.nowNs - timeNs)
  const carry = Math.floor(ns / 1e9)
  return { s: now.s + carry, ns: ns - carry * 1e9 }
}

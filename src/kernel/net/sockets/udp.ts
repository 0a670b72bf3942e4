/** UDP sockets. Linux 6.1 net/ipv4/udp.c: udp_sendmsg(), __udp4_lib_rcv(), __udp4_lib_err(), udp_lib_get_port(). */
import { type Errno, fail, type MessageFlags, OK, type SockAddr, type SysResult } from '#kernel/core'
import { checksumGood, IPPROTO_UDP, type Packet, RAW_NONE, trimDatagram } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import { addressType, isMulticast } from '../fib-lookup.ts'
import { icmpError } from '../icmp.ts'
import type { IcmpErrorInfo } from '../icmp-receive.ts'
import { newIpPacket } from '../ip-output.ts'
import type { InetState } from '../ip-state.ts'
import { drop } from '../ip-trace.ts'
import { neighbourConfirm } from '../neighbour.ts'
import { type Route, RTCF_BROADCAST, RTCF_MULTICAST, routeFlow, routeIsValid } from '../route.ts'
import { errorOf, InetSocket } from './inet.ts'
import { wantsGroup } from './memberships.ts'
import { ifindexOf } from './raw.ts'

const ICMP_DEST_UNREACH = 3
const ICMP_PORT_UNREACH = 3

export class UdpSocket extends InetSocket {
  readonly type = 'SOCK_DGRAM'
  /** A tunnel's: takes what comes in, or leaves it to the queue (false). Linux: udp_sock.encap_rcv. */
  encapsulated: ((packet: Packet, device: NetDevice) => boolean) | undefined = undefined
  #hashed = false
  /** An explicit port was asked for: disconnecting keeps it. SOCK_BINDPORT_LOCK. */
  #portLocked = false

  release(): void {
    this.leaveGroups()
    this.#unhash()
    this.received.clear()
  }

  #unhash(): void {
    if (!this.#hashed) return
    this.#hashed = false
    const list = this.tables.udp.get(this.number)
    const at = list?.indexOf(this) ?? -1
    if (at >= 0) list!.splice(at, 1)
    if (list?.length === 0) this.tables.udp.delete(this.number)
  }

  #hash(port: number): void {
    this.number = port
    const list = this.tables.udp.get(port)
    if (list) list.unshift(this)
    else this.tables.udp.set(port, [this])
    this.#hashed = true
  }

  /** Whether another socket's port stands in this one's way. udp_lib_lport_inuse(), inet_rcv_saddr_equal(). */
  #conflicts(other: UdpSocket): boolean {
    if (this.reuseAddress && other.reuseAddress) return false
    if (this.boundDevice !== 0 && other.boundDevice !== 0 && this.boundDevice !== other.boundDevice) return false
    const same = this.receiveAddress === 0 || other.receiveAddress === 0 || this.receiveAddress === other.receiveAddress
    return same && !(this.reusePort && other.reusePort)
  }

  #takePort(port: number): boolean {
    const { udp } = this.tables
    if (port !== 0) {
      if (udp.get(port)?.some((other) => this.#conflicts(other))) return false
      this.#hash(port)
      return true
    }
    const { portLow, portHigh, reservedPorts } = this.state.sysctls
    const count = portHigh - portLow + 1
    const first = this.host.sim.random(`${this.host.name}/udp port`).below(count)
    for (let i = 0; i < count; i++) {
      const candidate = portLow + ((first + i) % count)
      if (isReserved(reservedPorts, candidate)) continue
      if (udp.get(candidate)?.some((other) => this.#conflicts(other))) continue
      this.#hash(candidate)
      return true
    }
    return false
  }

  bind(address: SockAddr): SysResult<void> {
    if (address.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    if (!this.mayBindTo(address.address)) return fail('EADDRNOTAVAIL')
    if (this.connected || this.#hashed) return fail('EINVAL')
    const type = addressType(this.host, address.address)
    this.receiveAddress = this.sourceAddress = address.address
    if (type === 'multicast' || type === 'broadcast') this.sourceAddress = 0
    if (!this.#takePort(address.port)) {
      this.receiveAddress = this.sourceAddress = 0
      return fail('EADDRINUSE')
    }
    this.bound = address.address !== 0
    this.#portLocked = address.port !== 0
    this.route = undefined
    return OK
  }

  protected override autobind(): SysResult<void> {
    return this.#hashed || this.#takePort(0) ? OK : fail('EAGAIN')
  }

  protected override disconnect(): void {
    super.disconnect()
    if (this.#portLocked) return
    this.#unhash()
    this.number = 0
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    if (to === undefined && this.route !== undefined && this.error === undefined && routeIsValid(this.route)) {
      return this.#sendData(bytes, this.route, this.sourceAddress, this.peerAddress, this.peerPort)
    }
    return this.#sendSlow(bytes, to, flags)
  }

  #sendSlow(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    const bound = this.autobind()
    if (!bound.ok) return bound
    if (bytes.length > 0xffff) return fail('EMSGSIZE')
    if (to !== undefined && to.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    if (to !== undefined && to.port === 0) return fail('EINVAL')
    if (to === undefined && !this.connected) return fail('EDESTADDRREQ')
    const dst = to === undefined ? this.peerAddress : to.address
    const port = to === undefined ? this.peerPort : to.port
    const flow = this.flow(dst, port, flags)
    const route = routeFlow(this.host, flow)
    if (typeof route === 'string') {
      if (route === 'ENETUNREACH') this.state.count().outNoRoutes++
      return fail(route)
    }
    if (route.flags & RTCF_BROADCAST && !this.broadcast) return fail('EACCES')
    const keeps = to === undefined && !flags.dontRoute && !this.dontRoute && !this.options && !isMulticast(dst)
    if (keeps) this.route = route
    if (flags.confirm) neighbourConfirm(route.device, route.nextHopFor(flow.dst))
    const pending = this.takeError()
    if (pending !== undefined) return fail(pending)
    return this.#sendData(bytes, route, flow.src, flow.dst, port)
  }

  /** The bytes are the socket's from here on. */
  #sendData(bytes: Uint8Array, route: Route, src: number, dst: number, port: number): SysResult<number> {
    const packet = newIpPacket(src, dst, IPPROTO_UDP, 0, 0)
    packet.socket = this
    packet.srcPort = this.number
    packet.dstPort = port
    packet.buffer = bytes
    packet.length = bytes.length
    if (this.noChecksum) packet.checksum = 0
    const sent = this.send(packet, bytes.length + 8, route, dst)
    if (!sent.ok) return sent
    this.state.count().udpOutDatagrams++
    return { ok: true, value: bytes.length }
  }

  protected content(packet: Packet): { bytes: Uint8Array; from: SockAddr } {
    const { buffer, offset, length } = packet
    const whole = offset === 0 && length === buffer.length
    return {
      bytes: whole ? buffer.slice() : buffer.slice(offset, offset + length),
      from: { family: 'AF_INET', address: packet.src, port: packet.srcPort },
    }
  }

  /** How well a datagram between these fits; -1: not at all. compute_score(). */
  score(remote: number, remotePort: number, local: number, ifindex: number): number {
    let score = 2
    if (this.receiveAddress !== 0 && this.receiveAddress !== local) return -1
    // An exact address is looked for before the wildcard.
    if (this.receiveAddress !== 0) score += 100
    if (this.peerAddress !== 0) {
      if (this.peerAddress !== remote) return -1
      score += 4
    }
    if (this.connected && this.peerPort !== 0) {
      if (this.peerPort !== remotePort) return -1
      score += 4
    }
    if (this.boundDevice !== 0) {
      if (this.boundDevice !== ifindex) return -1
      score += 4
    }
    return score
  }

  /** __udp4_lib_err(). */
  icmpError(error: IcmpErrorInfo, port: number): void {
    const { type, code } = error
    if (type === 5) {
      this.learn(error)
      return
    }
    if (type === 3 && code === 4) this.learn(error)
    const answer: [Errno, boolean] | undefined = errorOf(type, code, this.pmtuDiscover)
    if (!answer) return
    const [errno, hard] = answer
    if (this.receiveErrors) this.queueError(error, errno, port, error.quoted.payload + 8)
    else if (!hard || !this.connected) return
    this.report(errno)
  }

  protected override setOwnOption(level: string, name: string, value: unknown): SysResult<void> {
    return super.setOwnOption(level, name, value)
  }
}

/** Whether a port is in a list such as `8080,9148-9150`. */
function isReserved(list: string, port: number): boolean {
  if (list === '') return false
  return list.split(',').some((range) => {
    const [low, high = low] = range.split('-').map(Number)
    return port >= low! && port <= high!
  })
}

/** The socket for a datagram. __udp4_lib_lookup(). */
function lookup(
  state: InetState,
  remote: number,
  remotePort: number,
  local: number,
  localPort: number,
  ifindex: number,
): UdpSocket | undefined {
  const list = state.sockets?.udp.get(localPort)
  if (!list) return undefined
  let best: UdpSocket | undefined
  let bestScore = -1
  for (const socket of list) {
    const score = socket.score(remote, remotePort, local, ifindex)
    if (score > bestScore) {
      best = socket
      bestScore = score
    }
  }
  return best
}

/** Takes a UDP packet for this host. */
export function udpReceive(state: InetState, packet: Packet, device: NetDevice): void {
  const counters = state.counters ?? state.count()
  if (packet.raw !== RAW_NONE) {
    const whole = trimDatagram(packet)
    if (whole) udpReceive(state, whole, device)
    else {
      counters.udpInErrors++
      drop(state, packet, 'PKT_TOO_SMALL')
    }
    return
  }
  const route = packet.route as Route
  const ifindex = ifindexOf(packet, device)
  if (packet.checksum !== -1 && !checksumGood(packet)) {
    counters.udpInCsumErrors++
    counters.udpInErrors++
    drop(state, packet, 'UDP_CSUM')
    return
  }
  if (route.flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
    deliverToAll(state, packet, device, ifindex)
    return
  }
  const socket = lookup(state, packet.src, packet.srcPort, packet.dst, packet.dstPort, ifindex)
  if (socket) {
    queue(state, socket, packet, device)
    return
  }
  counters.udpNoPorts++
  icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
  drop(state, packet, 'NO_SOCKET')
}

function queue(state: InetState, socket: UdpSocket, packet: Packet, device: NetDevice): void {
  const counters = state.count()
  if (socket.encapsulated?.(packet, device)) {
    counters.udpInDatagrams++
    return
  }
  if (socket.enqueue(packet, device)) counters.udpInDatagrams++
  else {
    counters.udpRcvbufErrors++
    counters.udpInErrors++
    drop(state, packet, 'SOCKET_RCVBUFF')
  }
}

/** Broadcasts and multicasts go to every socket that wants them. __udp4_lib_mcast_deliver(). */
function deliverToAll(state: InetState, packet: Packet, device: NetDevice, ifindex: number): void {
  let any = false
  for (const socket of [...(state.sockets?.udp.get(packet.dstPort) ?? [])]) {
    if (socket.score(packet.src, packet.srcPort, packet.dst, ifindex) < 0) continue
    if (!wantsGroup(socket, packet.dst, ifindex)) continue
    any = true
    const copy = packet.clone()
    copy.route = packet.route
    queue(state, socket, copy, device)
  }
  if (!any) state.count().udpIgnoredMulti++
}

/** An ICMP error about a datagram. */
export function udpError(state: InetState, error: IcmpErrorInfo): void {
  const { bytes, payload, src, dst } = error.quoted
  const from = bytes[payload]! * 256 + bytes[payload + 1]!
  const to = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  const socket = lookup(state, dst, to, src, from, error.device.ifindex)
  if (socket) socket.icmpError(error, to)
  else state.count().icmpInErrors++
}

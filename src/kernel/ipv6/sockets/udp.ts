/**
 * UDP over IPv6. A socket that isn't for IPv6 alone has one of AF_INET inside, which speaks with mapped addresses in its stead.
 * Linux 6.1 net/ipv6/udp.c: udpv6_sendmsg(), __udp6_lib_rcv(), __udp6_lib_err(), compute_score().
 */
import { type Errno, fail, type MessageFlags, OK, type Received, type SockAddr, type SysResult } from '#kernel/core'
import { inetState, type NetDevice, UdpSocket } from '#kernel/net'
import {
  checksumGood,
  ETH_P_IPV6,
  ICMPV6_DEST_UNREACH,
  ICMPV6_PORT_UNREACH,
  IN6_ANY,
  IPPROTO_UDP,
  type Ipv6Address,
  ipv6Bytes,
  isMappedIpv4,
  isMulticastIpv6,
  mappedIpv4,
  Packet,
  RAW_NONE,
  readIpv6,
  trimDatagram,
} from '#wire/inet'
import { icmp6Error, incoming } from '../icmp.ts'
import { errorOf6, type Icmp6ErrorInfo } from '../icmp-receive.ts'
import { routeFlow6 } from '../route.ts'
import type { State6 } from '../state.ts'
import { drop6 } from '../trace.ts'
import { Inet6Socket } from './inet6.ts'

export class Udp6Socket extends Inet6Socket {
  readonly type = 'SOCK_DGRAM'
  #hashed = false
  #portLocked = false
  /** Speaks IPv4 for this one. */
  #four: UdpSocket | undefined = undefined
  /** Connected to a mapped address. */
  #mapped = false

  override release(): void {
    super.release()
    this.#unhash()
    this.#four?.release()
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

  #conflicts(other: Udp6Socket): boolean {
    if (this.reuseAddress && other.reuseAddress) return false
    if (this.boundDevice !== 0 && other.boundDevice !== 0 && this.boundDevice !== other.boundDevice) return false
    const same =
      this.receiveAddress === IN6_ANY ||
      other.receiveAddress === IN6_ANY ||
      this.receiveAddress === other.receiveAddress
    return same && !(this.reusePort && other.reusePort)
  }

  /** Takes a port in both families, where the socket is for both. */
  #takePort(port: number): boolean {
    const { udp } = this.tables
    const both = this.receiveAddress === IN6_ANY && !this.onlyIpv6
    const fits = (candidate: number) =>
      !udp.get(candidate)?.some((other) => this.#conflicts(other)) && (!both || this.#takeFour(candidate))
    if (port !== 0) {
      if (!fits(port)) return false
      this.#hash(port)
      return true
    }
    const { portLow, portHigh } = inetState.of(this.host).sysctls
    const count = portHigh - portLow + 1
    const first = this.host.sim.random(`${this.host.name}/udp port`).below(count)
    for (let i = 0; i < count; i++) {
      const candidate = portLow + ((first + i) % count)
      if (!fits(candidate)) continue
      this.#hash(candidate)
      return true
    }
    return false
  }

  #takeFour(port: number): boolean {
    this.#four?.release()
    const four = new UdpSocket(this.host, IPPROTO_UDP)
    // What comes for it wakes who waits for this one; and ss shows only this one.
    ;(four as { queue: unknown }).queue = this.queue
    four.insideOf = this
    four.reuseAddress = this.reuseAddress
    four.reusePort = this.reusePort
    four.boundDevice = this.boundDevice
    if (!four.bind({ family: 'AF_INET', address: 0, port }).ok) return false
    this.#four = four
    return true
  }

  bind(address: SockAddr): SysResult<void> {
    const taken = this.take(address)
    if (!taken.ok) return taken
    if (this.connected || this.#hashed) return fail('EINVAL')
    const { address: wanted, port } = taken.value
    if (isMappedIpv4(wanted)) {
      if (this.onlyIpv6) return fail('EINVAL')
      const four = new UdpSocket(this.host, IPPROTO_UDP)
      ;(four as { queue: unknown }).queue = this.queue
      four.insideOf = this
      const bound = four.bind({ family: 'AF_INET', address: wanted.w3, port })
      if (!bound.ok) return bound
      this.#four = four
      this.receiveAddress = this.sourceAddress = wanted
      this.#mapped = true
      this.#hash(four.number)
      return OK
    }
    const refused = this.bindAddress(taken.value)
    if (refused) return fail(refused)
    this.receiveAddress = this.sourceAddress = wanted
    if (isMulticastIpv6(wanted)) this.sourceAddress = IN6_ANY
    if (!this.#takePort(port)) {
      this.receiveAddress = this.sourceAddress = IN6_ANY
      return fail('EADDRINUSE')
    }
    this.bound = wanted !== IN6_ANY
    // Nothing of IPv4 can come to an address of IPv6. Linux 6.1 net/ipv6/af_inet6.c: __inet6_bind()
    if (this.bound) this.onlyIpv6 = true
    this.#portLocked = port !== 0
    return OK
  }

  protected override autobind(): SysResult<void> {
    return this.#hashed || this.#takePort(0) ? OK : fail('EAGAIN')
  }

  override connect(address: SockAddr): SysResult<void> {
    if (address.family === 'AF_INET6') {
      const dst = readIpv6(address.address, 0)
      if (isMappedIpv4(dst)) {
        if (this.onlyIpv6) return fail('ENETUNREACH')
        const bound = this.autobind()
        if (!bound.ok) return bound
        if (!this.#four) return fail('ENETUNREACH')
        const connected = this.#four.connect({ family: 'AF_INET', address: dst.w3, port: address.port })
        if (!connected.ok) return connected
        this.#mapped = true
        this.connected = true
        this.peerAddress = dst
        this.peerPort = address.port
        this.receiveAddress = this.sourceAddress = mappedIpv4(this.#four.receiveAddress)
        return OK
      }
    }
    const connected = super.connect(address)
    // From now on only the peer's datagrams are for it, and he speaks IPv6.
    if (connected.ok && address.family === 'AF_INET6') {
      this.#four?.release()
      this.#four = undefined
    }
    return connected
  }

  protected override disconnect(): void {
    super.disconnect()
    if (this.#portLocked) return
    this.#unhash()
    this.#four?.release()
    this.#four = undefined
    this.number = 0
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    if (to?.family === 'AF_INET')
      to = { family: 'AF_INET6', address: ipv6Bytes(mappedIpv4(to.address)), port: to.port, scopeId: 0 }
    const bound = this.autobind()
    if (!bound.ok) return bound
    if (bytes.length > 0xffff) return fail('EMSGSIZE')
    let dst = this.peerAddress
    let port = this.peerPort
    let scope = 0
    if (to !== undefined) {
      const taken = this.take(to)
      if (!taken.ok) return taken
      dst = taken.value.address
      port = taken.value.port
      scope = taken.value.scope
      if (port === 0) return fail('EINVAL')
    } else if (!this.connected) return fail('EDESTADDRREQ')
    if (isMappedIpv4(dst)) {
      if (this.onlyIpv6 || !this.#four) return fail('ENETUNREACH')
      return this.#four.sendTo(
        bytes,
        to === undefined ? undefined : { family: 'AF_INET', address: dst.w3, port },
        flags,
      )
    }
    if (this.#mapped) return fail('ENETUNREACH')
    if (dst === IN6_ANY) dst = readIpv6(ipv6Bytes(IN6_ANY).fill(1, 15), 0)
    const flow = this.flow(dst, port, scope)
    const route = routeFlow6(this.state, flow)
    if (typeof route === 'string') return fail(route)
    if (flags.confirm) this.state.nd.find(route.device, route.nextHopFor(flow.dst).id)?.confirm()
    const pending = this.takeError()
    if (pending !== undefined) return fail(pending)
    const packet = new Packet()
    packet.etherType = ETH_P_IPV6
    packet.src6 = flow.src
    packet.dst6 = flow.dst
    packet.protocol = IPPROTO_UDP
    packet.srcPort = this.number
    packet.dstPort = port
    packet.buffer = bytes
    packet.length = bytes.length
    const sent = this.send(packet, bytes.length + 8, route)
    if (!sent.ok) return sent
    this.state.counters.countUdp('OutDatagrams')
    return { ok: true, value: bytes.length }
  }

  override receive(length: number, flags: MessageFlags): SysResult<Received> {
    const own = super.receive(length, flags)
    if (own.ok || own.errno !== 'EAGAIN' || !this.#four) return own
    const got = this.#four.receive(length, flags)
    if (!got.ok) return got
    const { from } = got.value
    if (from.family !== 'AF_INET') return got
    const address = ipv6Bytes(mappedIpv4(from.address))
    return { ok: true, value: { ...got.value, from: { family: 'AF_INET6', address, port: from.port, scopeId: 0 } } }
  }

  override poll(): number {
    return super.poll() | (this.#four?.poll() ?? 0)
  }

  protected content(packet: Packet): { bytes: Uint8Array; port: number } {
    const { buffer, offset, length } = packet
    return { bytes: buffer.slice(offset, offset + length), port: packet.srcPort }
  }

  /** How well a datagram between these fits; -1: not at all. */
  score(remote: Ipv6Address, remotePort: number, local: Ipv6Address, ifindex: number): number {
    if (this.#mapped) return -1
    let score = 0
    if (this.receiveAddress !== IN6_ANY) {
      if (this.receiveAddress !== local) return -1
      score += 100
    }
    if (this.connected && this.peerPort !== 0) {
      if (this.peerPort !== remotePort) return -1
      score++
    }
    if (this.peerAddress !== IN6_ANY) {
      if (this.peerAddress !== remote) return -1
      score++
    }
    if (this.boundDevice !== 0) {
      if (this.boundDevice !== ifindex) return -1
      score++
    }
    return score
  }

  icmpError(error: Icmp6ErrorInfo, port: number): void {
    const answer: [Errno, boolean] = errorOf6(error.type, error.code)
    const [errno] = answer
    let hard = answer[1]
    if (error.type === 2) {
      if (this.pmtuDiscover === 0) return
      hard = this.pmtuDiscover === 2
    }
    if (this.receiveErrors) this.queueError(error, errno, port, error.quoted.payload + 8)
    else if (!hard || !this.connected) return
    this.report(errno)
  }
}

function lookup(
  state: State6,
  remote: Ipv6Address,
  remotePort: number,
  local: Ipv6Address,
  localPort: number,
  ifindex: number,
): Udp6Socket | undefined {
  let best: Udp6Socket | undefined
  let bestScore = -1
  for (const socket of state.sockets?.udp.get(localPort) ?? []) {
    const score = socket.score(remote, remotePort, local, ifindex)
    if (score > bestScore) {
      best = socket
      bestScore = score
    }
  }
  return best
}

/** Takes a UDP packet for this host. __udp6_lib_rcv(). */
export function udp6Receive(state: State6, packet: Packet, device: NetDevice): void {
  const { counters } = state
  if (packet.raw !== RAW_NONE) {
    const whole = trimDatagram(packet)
    if (whole) udp6Receive(state, whole, device)
    else {
      counters.countUdp('InErrors')
      drop6(state, packet, 'PKT_TOO_SMALL')
    }
    return
  }
  // No datagram of IPv6 goes without a checksum. RFC 8200 section 8.1.
  if (packet.checksum === 0 || !checksumGood(packet)) {
    counters.countUdp('InCsumErrors')
    counters.countUdp('InErrors')
    drop6(state, packet, 'UDP_CSUM')
    return
  }
  const ifindex = incoming(packet, device).ifindex
  if (isMulticastIpv6(packet.dst6!)) {
    deliverToAll(state, packet, device, ifindex)
    return
  }
  const socket = lookup(state, packet.src6!, packet.srcPort, packet.dst6!, packet.dstPort, ifindex)
  if (socket) {
    queue(state, socket, packet, device)
    return
  }
  counters.countUdp('NoPorts')
  icmp6Error(packet, device, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0)
  drop6(state, packet, 'NO_SOCKET')
}

function queue(state: State6, socket: Udp6Socket, packet: Packet, device: NetDevice): void {
  if (socket.enqueue(packet, device)) state.counters.countUdp('InDatagrams')
  else {
    state.counters.countUdp('RcvbufErrors')
    state.counters.countUdp('InErrors')
    drop6(state, packet, 'SOCKET_RCVBUFF')
  }
}

function deliverToAll(state: State6, packet: Packet, device: NetDevice, ifindex: number): void {
  let any = false
  for (const socket of [...(state.sockets?.udp.get(packet.dstPort) ?? [])]) {
    if (socket.score(packet.src6!, packet.srcPort, packet.dst6!, ifindex) < 0) continue
    any = true
    const copy = packet.clone()
    copy.route = packet.route
    queue(state, socket, copy, device)
  }
  if (!any) state.counters.countUdp('IgnoredMulti')
}

/** An ICMPv6 error about a datagram. */
export function udp6Error(state: State6, error: Icmp6ErrorInfo): void {
  const { bytes, payload, src, dst } = error.quoted
  const from = bytes[payload]! * 256 + bytes[payload + 1]!
  const to = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  const socket = lookup(state, dst, to, src, from, incoming(error.packet, error.device).ifindex)
  if (socket) socket.icmpError(error, to)
  else state.counters.countIcmp('InErrors')
}

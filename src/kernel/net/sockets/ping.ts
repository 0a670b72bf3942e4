/** Ping sockets: SOCK_DGRAM of IPPROTO_ICMP, which send echo requests and get their replies. Linux 6.1 net/ipv4/ping.c. */
import { type Errno, fail, type MessageFlags, OK, type SockAddr, type SysResult } from '#kernel/core'
import { emitIp, type Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import { addressType } from '../fib-lookup.ts'
import type { IcmpErrorInfo } from '../icmp-receive.ts'
import { countIcmp } from '../ip-counters.ts'
import { newIpPacket } from '../ip-output.ts'
import type { InetState } from '../ip-state.ts'
import { drop } from '../ip-trace.ts'
import { neighbourConfirm } from '../neighbour.ts'
import { RTCF_BROADCAST, routeFlow } from '../route.ts'
import { errorOf, InetSocket } from './inet.ts'
import { ifindexOf } from './raw.ts'

const ICMP_ECHO = 8

export class PingSocket extends InetSocket {
  readonly type = 'SOCK_DGRAM'

  release(): void {
    this.#unhash()
  }

  #unhash(): void {
    const list = this.tables.ping.get(this.number)
    const at = list?.indexOf(this) ?? -1
    if (at >= 0) list!.splice(at, 1)
    if (list?.length === 0) this.tables.ping.delete(this.number)
    this.number = 0
  }

  /** ping_get_port(). */
  #take(identifier: number): boolean {
    const { ping } = this.tables
    if (identifier === 0) {
      for (let i = 1; i <= 65536; i++) {
        const next = ((this.tables.pingRover + i - 1) % 65535) + 1
        if (ping.has(next)) continue
        this.tables.pingRover = identifier = next
        break
      }
      if (identifier === 0) return false
    } else if (ping.get(identifier)?.some((other) => !other.reuseAddress || !this.reuseAddress)) return false
    this.number = identifier
    const list = ping.get(identifier) ?? []
    list.unshift(this)
    ping.set(identifier, list)
    return true
  }

  bind(address: SockAddr): SysResult<void> {
    if (address.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    if (address.address !== 0) {
      const type = addressType(this.host, address.address)
      const nonlocal = this.freebind || this.state.sysctls.nonlocalBind !== 0
      if (type === 'multicast' || type === 'broadcast' || (type !== 'local' && !nonlocal)) return fail('EADDRNOTAVAIL')
    }
    if (this.number !== 0) return fail('EINVAL')
    if (!this.#take(address.port)) return fail('EADDRINUSE')
    this.receiveAddress = this.sourceAddress = address.address
    this.bound = address.address !== 0
    this.route = undefined
    return OK
  }

  protected override autobind(): SysResult<void> {
    return this.number !== 0 || this.#take(0) ? OK : fail('EAGAIN')
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    const bound = this.autobind()
    if (!bound.ok) return bound
    if (bytes.length > 0xffff) return fail('EMSGSIZE')
    if (bytes.length < 8 || bytes[0] !== ICMP_ECHO || bytes[1] !== 0) return fail('EINVAL')
    if (to !== undefined && to.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    if (to === undefined && !this.connected) return fail('EDESTADDRREQ')
    const dst = to === undefined ? this.peerAddress : to.address
    const flow = this.flow(dst, 0, flags)
    flow.srcPort = 0
    const route = routeFlow(this.host, flow)
    if (typeof route === 'string') {
      if (route === 'ENETUNREACH') this.state.count().outNoRoutes++
      return fail(route)
    }
    if (route.flags & RTCF_BROADCAST && !this.broadcast) return fail('EACCES')
    if (flags.confirm) neighbourConfirm(route.device, route.nextHopFor(flow.dst))
    const pending = this.takeError()
    if (pending !== undefined) return fail(pending)
    const packet = newIpPacket(flow.src, flow.dst, 1, 0, 0)
    packet.socket = this
    packet.icmpType = ICMP_ECHO
    packet.icmpRest = this.number * 65536 + bytes[6]! * 256 + bytes[7]!
    packet.buffer = bytes
    packet.offset = 8
    packet.length = bytes.length - 8
    const counters = this.state.count()
    counters.icmpOutMsgs++
    countIcmp(counters.icmpOut, ICMP_ECHO)
    return this.send(packet, bytes.length, route, dst)
  }

  protected content(packet: Packet): { bytes: Uint8Array; from: SockAddr } {
    const headerLength = 20 + (packet.ipOptions?.length ?? 0)
    return {
      bytes: emitIp(packet).subarray(headerLength),
      from: { family: 'AF_INET', address: packet.src, port: 0 },
    }
  }

  /** ping_err(). */
  icmpError(error: IcmpErrorInfo): void {
    const { type, code } = error
    let answer: [Errno, boolean] | undefined
    if (type === 5) {
      this.learn(error)
      answer = ['EREMOTEIO', false]
    } else if (type === 4) answer = ['EREMOTEIO', false]
    else {
      if (type === 3 && code === 4) this.learn(error)
      answer = errorOf(type, code, this.pmtuDiscover)
    }
    if (!answer) return
    const [errno, hard] = answer
    if (this.receiveErrors) this.queueError(error, errno, 0, error.quoted.payload)
    else if (!hard || !this.connected) return
    this.report(errno)
  }
}

/** The socket of an identifier between these addresses. ping_lookup(). */
function lookup(state: InetState, identifier: number, local: number, ifindex: number): PingSocket | undefined {
  return state.sockets?.ping
    .get(identifier)
    ?.find(
      (socket) =>
        (socket.receiveAddress === 0 || socket.receiveAddress === local) &&
        (socket.boundDevice === 0 || socket.boundDevice === ifindex),
    )
}

/** An echo reply. ping_rcv(). */
export function pingReceive(state: InetState, packet: Packet, device: NetDevice): void {
  const identifier = Math.floor(packet.icmpRest / 65536)
  const socket = lookup(state, identifier, packet.dst, ifindexOf(packet, device))
  if (!socket) {
    drop(state, packet, 'NO_SOCKET')
    return
  }
  const copy = packet.clone()
  copy.route = packet.route
  if (!socket.enqueue(copy, device)) drop(state, packet, 'SOCKET_RCVBUFF')
}

/** An error about an echo request. */
export function pingError(state: InetState, error: IcmpErrorInfo): void {
  const { quoted, device } = error
  const { bytes, payload } = quoted
  if (bytes[payload] !== ICMP_ECHO || bytes[payload + 1] !== 0) return
  const identifier = bytes[payload + 4]! * 256 + bytes[payload + 5]!
  // ping_lookup() goes by the ICMP packet's own addresses: it is for who sent the request.
  lookup(state, identifier, error.packet.dst, device.ifindex)?.icmpError(error)
}

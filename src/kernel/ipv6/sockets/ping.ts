/** Ping sockets of AF_INET6: SOCK_DGRAM of IPPROTO_ICMPV6. Linux 6.1 net/ipv6/ping.c, net/ipv4/ping.c. */
import { fail, type MessageFlags, OK, type SockAddr, type SysResult } from '#kernel/core'
import type { NetDevice } from '#kernel/net'
import { ETH_P_IPV6, emitIp, IN6_ANY, Packet } from '#wire/inet'
import { incoming } from '../icmp.ts'
import { errorOf6, type Icmp6ErrorInfo } from '../icmp-receive.ts'
import { routeFlow6 } from '../route.ts'
import type { State6 } from '../state.ts'
import { Inet6Socket } from './inet6.ts'

const ICMPV6_ECHO_REQUEST = 128

export class Ping6Socket extends Inet6Socket {
  readonly type = 'SOCK_DGRAM'

  override release(): void {
    super.release()
    const list = this.tables.ping.get(this.number)
    const at = list?.indexOf(this) ?? -1
    if (at >= 0) list!.splice(at, 1)
    if (list?.length === 0) this.tables.ping.delete(this.number)
    this.number = 0
  }

  #take(identifier: number): boolean {
    const { ping } = this.tables
    if (identifier === 0) {
      for (let i = 1; i <= 65536 && identifier === 0; i++) {
        const next = ((this.tables.pingRover + i - 1) % 65535) + 1
        if (!ping.has(next)) this.tables.pingRover = identifier = next
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
    const taken = this.take(address)
    if (!taken.ok) return taken
    const refused = this.bindAddress(taken.value)
    if (refused) return fail(refused)
    if (this.number !== 0) return fail('EINVAL')
    if (!this.#take(taken.value.port)) return fail('EADDRINUSE')
    this.receiveAddress = this.sourceAddress = taken.value.address
    this.bound = taken.value.address !== IN6_ANY
    return OK
  }

  protected override autobind(): SysResult<void> {
    return this.number !== 0 || this.#take(0) ? OK : fail('EAGAIN')
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    const bound = this.autobind()
    if (!bound.ok) return bound
    if (bytes.length > 0xffff) return fail('EMSGSIZE')
    if (bytes.length < 8 || bytes[0] !== ICMPV6_ECHO_REQUEST || bytes[1] !== 0) return fail('EINVAL')
    let dst = this.peerAddress
    let scope = 0
    if (to !== undefined) {
      const taken = this.take(to)
      if (!taken.ok) return taken
      dst = taken.value.address
      scope = taken.value.scope
    } else if (!this.connected) return fail('EDESTADDRREQ')
    const flow = this.flow(dst, 0, scope)
    flow.srcPort = 0
    const route = routeFlow6(this.state, flow)
    if (typeof route === 'string') return fail(route)
    if (flags.confirm) this.state.nd.find(route.device, route.nextHopFor(flow.dst).id)?.confirm()
    const packet = new Packet()
    packet.etherType = ETH_P_IPV6
    packet.src6 = flow.src
    packet.dst6 = flow.dst
    packet.protocol = 58
    packet.icmpType = ICMPV6_ECHO_REQUEST
    packet.icmpRest = this.number * 65536 + bytes[6]! * 256 + bytes[7]!
    packet.buffer = bytes
    packet.offset = 8
    packet.length = bytes.length - 8
    this.state.counters.messageOut(ICMPV6_ECHO_REQUEST)
    return this.send(packet, bytes.length, route)
  }

  protected content(packet: Packet): { bytes: Uint8Array; port: number } {
    return { bytes: emitIp(packet).slice(40 + (packet.ipOptions?.length ?? 0)), port: 0 }
  }

  icmpError(error: Icmp6ErrorInfo): void {
    const [errno, hard] = errorOf6(error.type, error.code)
    if (this.receiveErrors) this.queueError(error, errno, 0, error.quoted.payload)
    else if (!hard || !this.connected) return
    this.report(errno)
  }

  wants(local: Packet['dst6'], ifindex: number): boolean {
    return (
      (this.receiveAddress === IN6_ANY || this.receiveAddress === local) &&
      (this.boundDevice === 0 || this.boundDevice === ifindex)
    )
  }
}

/** An echo reply, for the socket whose identifier it has. */
export function ping6Receive(state: State6, packet: Packet, device: NetDevice): void {
  const ifindex = incoming(packet, device).ifindex
  for (const socket of state.sockets?.ping.get(packet.icmpRest >>> 16) ?? []) {
    if (!socket.wants(packet.dst6, ifindex)) continue
    const copy = packet.clone()
    copy.route = packet.route
    socket.enqueue(copy, device)
    return
  }
}

export function ping6Error(state: State6, error: Icmp6ErrorInfo): void {
  const { bytes, payload, src } = error.quoted
  if (bytes[payload] !== ICMPV6_ECHO_REQUEST) return
  const identifier = bytes[payload + 4]! * 256 + bytes[payload + 5]!
  const ifindex = incoming(error.packet, error.device).ifindex
  state.sockets?.ping
    .get(identifier)
    ?.find((socket) => socket.wants(src, ifindex))
    ?.icmpError(error)
}

/** Raw sockets of AF_INET6. Linux 6.1 net/ipv6/raw.c: rawv6_sendmsg(), ipv6_raw_deliver(), rawv6_err(). */
import { fail, type Host, type MessageFlags, OK, ok, type SockAddr, type SysResult } from '#kernel/core'
import type { NetDevice } from '#kernel/net'
import {
  ETH_P_IPV6,
  emitIp,
  fillTransport,
  IN6_ANY,
  IPPROTO_ICMPV6,
  type Ipv6Address,
  ipv6Bytes,
  isMulticastIpv6,
  Packet,
  parseIpv6Packet,
  RAW_NONE,
} from '#wire/inet'
import { incoming } from '../icmp.ts'
import { errorOf6, type Icmp6ErrorInfo } from '../icmp-receive.ts'
import { ip6LocalOut } from '../output.ts'
import { routeFlow6 } from '../route.ts'
import type { State6 } from '../state.ts'
import { Inet6Socket } from './inet6.ts'

export class Raw6Socket extends Inet6Socket {
  readonly type = 'SOCK_RAW'
  /** The ICMPv6 types that are kept out: 256 bits. */
  filter = new Uint8Array(32)

  constructor(host: Host, protocol: number) {
    super(host, protocol)
    this.number = protocol
    this.headerIncluded = protocol === 255
    if (protocol === IPPROTO_ICMPV6) this.checksumAt = 2
    this.onlyIpv6 = true
    this.tables.raw.unshift(this)
  }

  override release(): void {
    super.release()
    const at = this.tables.raw.indexOf(this)
    if (at >= 0) this.tables.raw.splice(at, 1)
  }

  bind(address: SockAddr): SysResult<void> {
    const taken = this.take(address)
    if (!taken.ok) return taken
    const refused = this.bindAddress(taken.value)
    if (refused) return fail(refused)
    this.receiveAddress = taken.value.address
    this.sourceAddress = isMulticastIpv6(taken.value.address) ? IN6_ANY : taken.value.address
    this.bound = taken.value.address !== IN6_ANY
    return OK
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    if (bytes.length > 0x7fff_ffff) return fail('EMSGSIZE')
    let dst = this.peerAddress
    let scope = 0
    if (to !== undefined) {
      const taken = this.take(to)
      if (!taken.ok) return taken
      dst = taken.value.address
      scope = taken.value.scope
    } else if (!this.connected) return fail('EDESTADDRREQ')
    const flow = this.flow(dst, 0, scope)
    const route = routeFlow6(this.state, flow)
    if (typeof route === 'string') return fail(route)
    if (flags.confirm) this.state.nd.find(route.device, route.nextHopFor(flow.dst).id)?.confirm()
    if (this.headerIncluded) {
      if (bytes.length < 40) return fail('EINVAL')
      if (bytes.length > route.mtu) return fail('EMSGSIZE')
      const whole = parseIpv6Packet(bytes.slice())
      if (whole.src6 === undefined) return fail('EINVAL')
      const failed = ip6LocalOut(this.state, whole, route, 0)
      return failed === undefined ? ok(bytes.length) : fail(failed)
    }
    const packet = new Packet()
    packet.etherType = ETH_P_IPV6
    packet.src6 = flow.src
    packet.dst6 = flow.dst
    packet.protocol = this.protocol
    let payload = bytes
    if (this.checksumAt >= 0 && this.protocol !== IPPROTO_ICMPV6) {
      if (bytes.length < this.checksumAt + 2) return fail('EINVAL')
      payload = withChecksum(bytes, this.checksumAt, flow.src ?? IN6_ANY, flow.dst, this.protocol)
    }
    fillTransport(packet, payload)
    if (this.checksumAt >= 0 && packet.raw === RAW_NONE) packet.checksum = -1
    if (this.protocol === IPPROTO_ICMPV6 && bytes.length > 0) this.state.counters.messageOut(bytes[0]!)
    return this.send(packet, bytes.length, route)
  }

  protected content(packet: Packet): { bytes: Uint8Array; port: number } {
    return { bytes: emitIp(packet).slice(40 + (packet.ipOptions?.length ?? 0)), port: 0 }
  }

  protected override setOwnOption(level: string, name: string, value: unknown): SysResult<void> {
    if (name !== 'ICMPV6_FILTER' && name !== 'ICMP6_FILTER') return super.setOwnOption(level, name, value)
    if (this.protocol !== IPPROTO_ICMPV6) return fail('ENOPROTOOPT')
    this.filter = (value as Uint8Array).slice(0, 32)
    return OK
  }

  matches(protocol: number, remote: Ipv6Address, local: Ipv6Address, ifindex: number): boolean {
    return (
      this.protocol === protocol &&
      (this.peerAddress === IN6_ANY || this.peerAddress === remote) &&
      (this.receiveAddress === IN6_ANY || this.receiveAddress === local || isMulticastIpv6(local)) &&
      (this.boundDevice === 0 || this.boundDevice === ifindex)
    )
  }

  /** IPV6_CHECKSUM: what is wrong isn't for this socket. rawv6_rcv_skb() */
  checksumRight(packet: Packet): boolean {
    if (this.checksumAt < 0 || this.protocol === IPPROTO_ICMPV6) return true
    const { bytes } = this.content(packet)
    return sumOver(bytes, packet.src6!, packet.dst6!, packet.protocol) === 0xffff
  }

  icmpError(error: Icmp6ErrorInfo): void {
    if (!this.receiveErrors && !this.connected) return
    let [errno, hard] = errorOf6(error.type, error.code)
    if (error.type === 2) hard = this.pmtuDiscover === 2
    if (error.type === 137) return
    if (this.receiveErrors) this.queueError(error, errno, 0, error.quoted.payload)
    if (this.receiveErrors || hard) this.report(errno)
  }
}

/** The folded sum of a payload and its pseudo-header. RFC 8200 section 8.1 */
function sumOver(bytes: Uint8Array, src: Ipv6Address, dst: Ipv6Address, protocol: number): number {
  let sum = protocol + bytes.length
  for (const part of [ipv6Bytes(src), ipv6Bytes(dst), bytes]) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  return sum
}

function withChecksum(bytes: Uint8Array, at: number, src: Ipv6Address, dst: Ipv6Address, protocol: number): Uint8Array {
  const whole = bytes.slice()
  whole[at] = whole[at + 1] = 0
  const sum = ~sumOver(whole, src, dst, protocol) & 0xffff
  whole[at] = sum >> 8
  whole[at + 1] = sum & 0xff
  return whole
}

/** Gives a packet to every raw socket that wants it; whether there was one. */
export function rawDeliver6(state: State6, packet: Packet, device: NetDevice): boolean {
  const list = state.sockets?.raw
  if (list === undefined || list.length === 0) return false
  const ifindex = incoming(packet, device).ifindex
  let delivered = false
  for (const socket of list) {
    if (!socket.matches(packet.protocol, packet.src6!, packet.dst6!, ifindex)) continue
    delivered = true
    if (packet.protocol === IPPROTO_ICMPV6) {
      const type = packet.raw === RAW_NONE ? packet.icmpType : (packet.buffer[packet.offset] ?? 0)
      if (socket.filter[type >>> 3]! & (1 << (type & 7))) continue
    }
    if (!socket.checksumRight(packet)) continue
    const copy = packet.clone()
    copy.route = packet.route
    socket.enqueue(copy, device)
  }
  return delivered
}

/** Tells raw sockets of an error. raw6_icmp_error(). */
export function rawErrors6(state: State6, error: Icmp6ErrorInfo): void {
  const { quoted, device } = error
  for (const socket of [...(state.sockets?.raw ?? [])]) {
    if (socket.matches(quoted.protocol, quoted.dst, quoted.src, incoming(error.packet, device).ifindex))
      socket.icmpError(error)
  }
}

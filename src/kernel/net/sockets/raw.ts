/** Raw sockets of AF_INET: whole IP packets in, payloads (or, with IP_HDRINCL, packets) out. Linux 6.1 net/ipv4/raw.c. */
import { fail, type MessageFlags, OK, ok, type SockAddr, type SysResult } from '#kernel/core'
import { emitIp, fillTransport, IP_DF, IPPROTO_ICMP, type Packet, parseIp, RAW_NONE } from '#wire/inet'
import { type NetDevice, PACKET_HOST } from '../device.ts'
import { isMulticast } from '../fib-lookup.ts'
import type { IcmpErrorInfo } from '../icmp-receive.ts'
import { countIcmp } from '../ip-counters.ts'
import { ipLocalOut, newIpPacket, OUT_NO_LOOP, selectIdent } from '../ip-output.ts'
import { neighbourConfirm } from '../neighbour.ts'
import { type Route, RTCF_BROADCAST, routeFlow } from '../route.ts'
import { errorOf, InetSocket, IP_PMTUDISC_DONT } from './inet.ts'
import { wantsGroup } from './memberships.ts'
import type { SocketTables } from './tables.ts'

const IPPROTO_RAW = 255
const NR_ICMP_UNREACH = 15

export class RawSocket extends InetSocket {
  readonly type = 'SOCK_RAW'
  /** Bits of ICMP types that aren't wanted. ICMP_FILTER. */
  icmpFilter = 0

  constructor(...args: ConstructorParameters<typeof InetSocket>) {
    super(...args)
    this.number = this.protocol
    if (this.protocol === IPPROTO_RAW) this.headerIncluded = true
    this.tables.raw.push(this)
  }

  release(): void {
    this.leaveGroups()
    const at = this.tables.raw.indexOf(this)
    if (at >= 0) this.tables.raw.splice(at, 1)
  }

  bind(address: SockAddr): SysResult<void> {
    if (address.family !== 'AF_INET' || this.connected) return fail('EINVAL')
    if (!this.mayBindTo(address.address)) return fail('EADDRNOTAVAIL')
    this.receiveAddress = this.sourceAddress = address.address
    this.bound = address.address !== 0
    if (isMulticast(address.address) || address.address === 0xffffffff) this.sourceAddress = 0
    this.route = undefined
    return OK
  }

  sendTo(bytes: Uint8Array, to: SockAddr | undefined, flags: MessageFlags): SysResult<number> {
    if (bytes.length > 0xffff) return fail('EMSGSIZE')
    if (to !== undefined && to.family !== 'AF_INET') return fail('EAFNOSUPPORT')
    if (to === undefined && !this.connected) return fail('EDESTADDRREQ')
    const dst = to === undefined ? this.peerAddress : to.address
    const flow = this.flow(dst, 0, flags)
    const route = routeFlow(this.host, flow)
    if (typeof route === 'string') return fail(route)
    if (route.flags & RTCF_BROADCAST && !this.broadcast) return fail('EACCES')
    if (flags.confirm) neighbourConfirm(route.device, route.nextHopFor(flow.dst))
    if (this.headerIncluded) return this.#sendWhole(bytes, route, flow.src, flow.dst)
    const packet = newIpPacket(flow.src, flow.dst, this.protocol, 0, 0)
    packet.socket = this
    fillTransport(packet, bytes)
    if (this.protocol === IPPROTO_ICMP) {
      const counters = this.state.count()
      counters.icmpOutMsgs++
      countIcmp(counters.icmpOut, bytes[0] ?? 0)
    }
    return this.send(packet, bytes.length, route, dst)
  }

  /** The program wrote the header. raw_send_hdrinc(). */
  #sendWhole(given: Uint8Array, route: Route, src: number, dst: number): SysResult<number> {
    if (given.length > route.device.mtu) {
      this.localError('EMSGSIZE', dst, 0, route.device.mtu)
      return fail('EMSGSIZE')
    }
    if (given.length < 20) return fail('EINVAL')
    const pending = this.takeError()
    if (pending !== undefined) return fail(pending)
    const headerLength = (given[0]! & 15) * 4
    if (headerLength > given.length || headerLength < 20) return fail('EINVAL')
    // The kernel fills in the length, the checksum, and the source and identification if they are 0.
    const bytes = given.slice()
    const view = new DataView(bytes.buffer)
    bytes[0] = 0x40 | (bytes[0]! & 15)
    view.setUint16(2, bytes.length)
    if (view.getUint32(12) === 0) view.setUint32(12, src)
    const noIdent = view.getUint16(4) === 0
    view.setUint16(10, 0)
    view.setUint16(10, checksumOf(view, headerLength))
    const packet = parseIp(bytes)
    packet.socket = this
    // A flow identification is chosen where DF doesn't make one needless.
    if (noIdent && !(packet.fragment & IP_DF)) packet.ipId = selectIdent(this.state, packet)
    packet.mark = this.mark
    packet.priority = this.priority
    packet.packetType = PACKET_HOST
    if (packet.protocol === IPPROTO_ICMP && given.length >= headerLength + 8) {
      const counters = this.state.count()
      counters.icmpOutMsgs++
      countIcmp(counters.icmpOut, bytes[headerLength]!)
    }
    const failed = ipLocalOut(this.state, packet, route, this.multicastLoop ? 0 : OUT_NO_LOOP)
    if (failed === undefined) return ok(given.length)
    this.state.count().outDiscards++
    return failed === 'ENOBUFS' && !this.receiveErrors ? ok(given.length) : fail(failed)
  }

  protected content(packet: Packet): { bytes: Uint8Array; from: SockAddr } {
    return { bytes: emitIp(packet), from: { family: 'AF_INET', address: packet.src, port: 0 } }
  }

  protected override setOwnOption(level: string, name: string, value: unknown): SysResult<void> {
    if (name !== 'ICMP_FILTER') return super.setOwnOption(level, name, value)
    if (this.protocol !== IPPROTO_ICMP) return fail('EOPNOTSUPP')
    this.icmpFilter = Number(value) >>> 0
    return OK
  }

  protected override getOwnOption(level: string, name: string): SysResult<unknown> {
    return name === 'ICMP_FILTER' ? ok(this.icmpFilter) : super.getOwnOption(level, name)
  }

  /** Whether a packet between these is for this socket. raw_v4_match(). */
  matches(protocol: number, remote: number, local: number, ifindex: number): boolean {
    return (
      this.protocol === protocol &&
      (this.peerAddress === 0 || this.peerAddress === remote) &&
      (this.receiveAddress === 0 || this.receiveAddress === local) &&
      (this.boundDevice === 0 || this.boundDevice === ifindex)
    )
  }

  /** raw_err(). */
  icmpError(error: IcmpErrorInfo): void {
    const { type, code } = error
    if (type === 5) {
      this.learn(error)
      return
    }
    if (type === 3 && code === 4) this.learn(error)
    if ((!this.receiveErrors && !this.connected) || type === 4) return
    let [errno, hard] = errorOf(type, code, this.pmtuDiscover) ?? (['EMSGSIZE', false] as const)
    if (type === 3 && code > NR_ICMP_UNREACH) [errno, hard] = ['EHOSTUNREACH', false]
    if (type === 3 && code === 4) hard = this.pmtuDiscover !== IP_PMTUDISC_DONT
    if (this.receiveErrors) {
      this.queueError(error, errno, 0, this.headerIncluded ? error.quoted.start : error.quoted.payload)
    }
    if (this.receiveErrors || hard) this.report(errno)
  }
}

function checksumOf(view: DataView, length: number): number {
  let sum = 0
  for (let at = 0; at < length; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Gives a packet to every raw socket that wants it; whether there was one. raw_v4_input(). */
export function rawDeliver(tables: SocketTables, packet: Packet, device: NetDevice): boolean {
  let delivered = false
  const ifindex = ifindexOf(packet, device)
  for (const socket of tables.raw) {
    if (!socket.matches(packet.protocol, packet.src, packet.dst, ifindex)) continue
    if (!wantsGroup(socket, packet.dst, ifindex)) continue
    delivered = true
    if (packet.protocol === IPPROTO_ICMP && filtered(socket, packet)) continue
    const copy = packet.clone()
    copy.route = packet.route
    socket.enqueue(copy, device)
  }
  return delivered
}

/** The device that a packet counts as come in by: for what loops back, the one it was sent to. inet_iif(). */
export function ifindexOf(packet: Packet, device: NetDevice): number {
  const route = packet.route as Route | undefined
  return route && !route.input && route.iif !== 0 ? route.iif : device.ifindex
}

function filtered(socket: RawSocket, packet: Packet): boolean {
  if (packet.raw !== RAW_NONE) return true
  return packet.icmpType < 32 && (socket.icmpFilter & (1 << packet.icmpType)) !== 0
}

/** Tells raw sockets of an ICMP error. raw_icmp_error(). */
export function rawErrors(state: { sockets: SocketTables | undefined }, error: IcmpErrorInfo): void {
  const { quoted, device } = error
  for (const socket of [...(state.sockets?.raw ?? [])]) {
    if (socket.matches(quoted.protocol, quoted.dst, quoted.src, device.ifindex)) socket.icmpError(error)
  }
}

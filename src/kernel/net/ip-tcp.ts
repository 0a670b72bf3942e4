/**
 * TCP on a host without TCP sockets: every segment is for nobody, and is answered as Linux answers it, with a reset.
 * Linux 6.1 net/ipv4/tcp_ipv4.c: tcp_v4_rcv(), tcp_v4_send_reset(). RFC 9293 section 3.5.2.
 */
import { checksumGood, IP_DF, IPPROTO_TCP, type Packet, RAW_NONE } from '#wire/inet'
import { type NetDevice, PACKET_HOST } from './device.ts'
import { flowOf } from './fib.ts'
import { echoOptions, optionsOf } from './ip-options.ts'
import { hopLimit, ipLocalOut, newIpPacket } from './ip-output.ts'
import type { InetState } from './ip-state.ts'
import { drop } from './ip-trace.ts'
import { type Route, routeFlow } from './route.ts'

const FIN = 1
const SYN = 2
const RST = 4
const ACK = 16

/** Takes a TCP segment for this host. */
export function tcpReceive(state: InetState, packet: Packet, _device: NetDevice): void {
  if (packet.packetType !== PACKET_HOST) {
    drop(state, packet, 'NOT_SPECIFIED')
    return
  }
  const counters = state.count()
  counters.tcpInSegs++
  if (packet.raw !== RAW_NONE) {
    counters.tcpInErrs++
    drop(state, packet, 'PKT_TOO_SMALL')
    return
  }
  if (!checksumGood(packet)) {
    counters.tcpInCsumErrors++
    counters.tcpInErrs++
    drop(state, packet, 'TCP_CSUM')
    return
  }
  sendReset(state, packet)
  drop(state, packet, 'NO_SOCKET')
}

function sendReset(state: InetState, packet: Packet): void {
  const { tcpFlags: flags } = packet
  if (flags & RST || (packet.route as Route).type !== 'local') return
  const options = packet.ipOptions ? optionsOf(packet) : undefined
  const echoed = options ? echoOptions(packet, options) : undefined
  if (echoed === 'broken') return
  const flow = flowOf({
    dst: echoed?.first || packet.src,
    src: packet.dst,
    tos: packet.tos & 0x1e,
    protocol: IPPROTO_TCP,
    srcPort: packet.dstPort,
    dstPort: packet.srcPort,
    mark: state.sysctls.fwmarkReflect ? packet.mark : 0,
  })
  const route = routeFlow(state.host, flow)
  if (typeof route === 'string') return
  const reset = newIpPacket(packet.dst, packet.src, IPPROTO_TCP, packet.tos & ~3, hopLimit(state, route))
  reset.srcPort = packet.dstPort
  reset.dstPort = packet.srcPort
  if (flags & ACK) {
    reset.seq = packet.ack
    reset.tcpFlags = RST
  } else {
    const length = packet.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
    reset.ack = (packet.seq + length) >>> 0
    reset.tcpFlags = RST | ACK
  }
  // The kernel's own TCP socket insists on DF, so that its packets have no identification.
  reset.fragment = IP_DF
  reset.mark = flow.mark
  if (echoed && echoed.bytes.length > 0) {
    if (echoed.first) reset.dst = echoed.first
    reset.ipOptions = echoed.bytes
    echoed.build(reset, route)
  }
  const counters = state.count()
  ipLocalOut(state, reset, route, 0)
  counters.tcpOutSegs++
  counters.tcpOutRsts++
}

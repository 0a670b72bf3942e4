/**
 * A packet comes out of a tunnel; and what ICMP says about those that went in.
 *
 * Linux 6.1 net/ipv4/ip_tunnel.c: ip_tunnel_rcv(); ipip.c: ipip_rcv(), ipip_err(); ip_gre.c: gre_rcv(), gre_err(); tunnel4.c.
 */
import {
  flowOf,
  type IcmpErrorInfo,
  type InetState,
  icmpError,
  inetState,
  learnFrom,
  logLimited,
  type NetDevice,
  PACKET_HOST,
  scrubPacket,
} from '#kernel/net'
import { ETH_P_IP, ETH_P_IPV6, emitIp, formatIpv4, type Packet, parseFrame, parseIp, parseIpv6Packet } from '#wire/inet'
import { parseGre } from './gre-header.ts'
import { type Family, IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6, lookupTunnel, type Tunnel } from './tunnel.ts'

const ETH_P_TEB = 0x6558
const ICMP_DEST_UNREACH = 3
const ICMP_PORT_UNREACH = 3
const ICMP_TIME_EXCEEDED = 11
const ERROR_NS = 30e9

/** Behind the IP header. */
function payloadOf(packet: Packet): Uint8Array {
  return emitIp(packet).subarray(20 + (packet.ipOptions?.length ?? 0))
}

/** IPv4 in IPv4, for ipip and sit: the first that has a tunnel for it takes it. */
export function receiveIpip(families: readonly Family[], state: InetState, packet: Packet, device: NetDevice): void {
  for (const family of families) {
    const tunnel = lookupTunnel(state.host, family, device.ifindex, packet.src, packet.dst, undefined)
    if (!tunnel) continue
    const { protocol } = tunnel.params
    if (protocol === 0 || protocol === IPPROTO_IPIP) deliver(tunnel, packet, parseIp(payloadOf(packet)))
    return
  }
  icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
}

/** IPv6 in IPv4. */
export function receiveSit(state: InetState, packet: Packet, device: NetDevice): void {
  const tunnel = lookupTunnel(state.host, 'sit', device.ifindex, packet.src, packet.dst, undefined)
  if (tunnel) {
    const { protocol } = tunnel.params
    const bytes = payloadOf(packet)
    if (protocol === 0 || protocol === IPPROTO_IPV6) deliver(tunnel, packet, parseIpv6Packet(bytes), bytes.length)
    return
  }
  icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
}

export function receiveGre(state: InetState, packet: Packet, device: NetDevice): void {
  const bytes = payloadOf(packet)
  const header = parseGre(bytes)
  if (header === undefined) return
  const family: Family = header.protocol === ETH_P_TEB ? 'gretap' : 'gre'
  const tunnel = lookupTunnel(state.host, family, device.ifindex, packet.src, packet.dst, header.key)
  if (tunnel === undefined) {
    icmpError(packet, device, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
    return
  }
  const { stats } = tunnel.device
  const { iFlags } = tunnel.params
  if (header.csum !== iFlags.csum) {
    stats.rxCrc = (stats.rxCrc ?? 0) + 1
    stats.rxErrors++
    return
  }
  if (iFlags.seq) {
    if (header.seq === undefined || (tunnel.iSeq !== 0 && ((header.seq - tunnel.iSeq) | 0) < 0)) {
      stats.rxFifo = (stats.rxFifo ?? 0) + 1
      stats.rxErrors++
      return
    }
    tunnel.iSeq = (header.seq + 1) >>> 0
  }
  const inner = bytes.subarray(header.length)
  if (family === 'gretap') {
    if (inner.length < 14) {
      stats.rxLength = (stats.rxLength ?? 0) + 1
      stats.rxErrors++
    } else deliver(tunnel, packet, parseFrame(inner.slice()), inner.length)
  } else if (header.protocol === ETH_P_IP) deliver(tunnel, packet, parseIp(inner.slice()), inner.length)
  else if (header.protocol === ETH_P_IPV6) deliver(tunnel, packet, parseIpv6Packet(inner.slice()), inner.length)
  else {
    tunnel.device.countRx(inner.length)
    stats.rxDropped++
  }
}

/** What was inside is the tunnel's device's now. */
function deliver(tunnel: Tunnel, outer: Packet, inner: Packet, length = payloadOf(outer).length): void {
  const { device } = tunnel
  const { stats } = device
  if (outer.dst >>> 28 === 0xe) stats.multicast++
  if (!tunnel.ethernet && inner.etherType !== ETH_P_IPV6) inner.etherType = ETH_P_IP
  if (!ecnIn(outer, inner, device)) {
    stats.rxFrame = (stats.rxFrame ?? 0) + 1
    stats.rxErrors++
    return
  }
  device.countRx(length)
  inetState.of(tunnel.home).tell?.({ kind: 'tunnel', packet: outer, text: `unwrapped, for ${device.name}` })
  inner.mark = outer.mark
  scrubPacket(inner, tunnel.home !== device.host)
  if (tunnel.ethernet) device.setPacketType(inner)
  else inner.packetType = PACKET_HOST
  device.net.softnet.enqueue(device, inner)
}

/** Congestion that was met on the way is told on; where the inner packet can't say it, it is lost. IP_ECN_decapsulate(). */
export function ecnIn(outer: Packet, inner: Packet, device: NetDevice): boolean {
  const isIp = inner.etherType === ETH_P_IP || inner.etherType === ETH_P_IPV6
  if (!isIp) return true
  const outside = outer.tos & 3
  if ((inner.tos & 3) === 0 && outside !== 0) {
    logLimited(device.host, 6, [`non-ECT from ${formatIpv4(outer.src)} with TOS=0x${outer.tos.toString(16)}`])
    return outside !== 3
  }
  if (outside === 3) inner.tos |= 3
  return true
}

/** An ICMP error about a packet of a tunnel's: PMTUs and redirects are learned, the rest is remembered for a while. */
export function tunnelError(family: Family, state: InetState, error: IcmpErrorInfo): void {
  const { quoted, type, code } = error
  let key: number | undefined
  let found: Family = family
  if (family === 'gre') {
    const view = new DataView(quoted.bytes.buffer, quoted.bytes.byteOffset, quoted.bytes.byteLength)
    const flags = view.getUint16(quoted.payload)
    if (view.getUint16(quoted.payload + 2) === ETH_P_TEB) found = 'gretap'
    const at = quoted.payload + ((flags & 0x8000) !== 0 ? 8 : 4)
    if ((flags & 0x2000) !== 0 && at + 4 <= quoted.end) key = view.getUint32(at)
  }
  const tunnel = lookupTunnel(state.host, found, error.device.ifindex, quoted.dst, quoted.src, key)
  if (tunnel === undefined) return
  // A source route that failed can't be; nor, of GRE's, can a port.
  if (type === ICMP_DEST_UNREACH && (code === 5 || (code === 3 && family === 'gre'))) return
  if (type === ICMP_TIME_EXCEEDED && code !== 0) return
  if ((type === ICMP_DEST_UNREACH && code === 4) || type === 5) {
    const protocol = family === 'gre' ? IPPROTO_GRE : family === 'sit' ? IPPROTO_IPV6 : IPPROTO_IPIP
    learnFrom(state, error, flowOf({ protocol, oif: tunnel.params.link }))
    return
  }
  if (type !== ICMP_DEST_UNREACH && type !== ICMP_TIME_EXCEEDED) return
  if (tunnel.params.remote === 0 || (tunnel.params.ttl === 0 && type === ICMP_TIME_EXCEEDED)) return
  const { nowNs } = state.host.sim
  tunnel.errors = nowNs < tunnel.errorNs + ERROR_NS && tunnel.errorNs !== 0 ? tunnel.errors + 1 : 1
  tunnel.errorNs = nowNs
}

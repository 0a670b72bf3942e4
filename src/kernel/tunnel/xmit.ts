/**
 * A packet goes into a tunnel: it gets another IP header and goes out once more.
 *
 * Linux 6.1 net/ipv4/ip_tunnel.c: ip_tunnel_xmit(), tnl_update_pmtu(); ip_tunnel_core.c: iptunnel_xmit(); ip_gre.c.
 */
import {
  hopLimit,
  icmpError,
  inetState,
  ipLocalOut,
  type NetDevice,
  newIpPacket,
  type Route,
  routeFlow,
  scrubPacket,
  selectIdent,
} from '#kernel/net'
import { ETH_P_IP, ETH_P_IPV6, emitFrame, emitIp, formatIpv4, IP_DF, type Packet, RAW_IP_PAYLOAD } from '#wire/inet'
import { emitGre } from './gre-header.ts'
import { IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6, type Tunnel, tunnelFlow } from './tunnel.ts'

const ETH_P_TEB = 0x6558
/** IPTUNNEL_ERR_TIMEO. */
const ERROR_NS = 30e9
/** XMIT_RECURSION_LIMIT: devices that send by devices that send by devices. */
const DEPTH_MAX = 8

let depth = 0

/** Runs `send` unless it has come back to itself too often. Linux 6.1 net/core/dev.c: __dev_queue_xmit(). */
export function withinLimit(device: NetDevice, send: () => void): void {
  if (depth >= DEPTH_MAX) {
    device.host.log(2, `Dead loop on virtual device ${device.name}, fix it urgently!`)
    device.stats.txDropped++
    return
  }
  depth++
  try {
    send()
  } finally {
    depth--
  }
}

/** INET_ECN_encapsulate(). */
export function ecnOut(tos: number, inner: number): number {
  return (tos & ~3) | ((inner & 3) === 3 ? 2 : inner & 3)
}

export function tunnelXmit(packet: Packet, tunnel: Tunnel): void {
  withinLimit(tunnel.device, () => xmit(packet, tunnel))
}

function xmit(packet: Packet, tunnel: Tunnel): void {
  const { device, params } = tunnel
  const { stats } = device
  const isIp = packet.etherType === ETH_P_IP
  const isIp6 = packet.etherType === ETH_P_IPV6
  const failed = () => {
    stats.txErrors++
  }
  if (!accepts(tunnel, packet)) {
    failed()
    return
  }
  const inner = tunnel.ethernet ? emitFrame(packet) : emitIp(packet)
  let remote = params.remote
  // GRE for many knows its neighbours by their outer addresses; one that nobody gave any has the device's own.
  if (remote === 0 && tunnel.family === 'gre') remote = packet.macDst
  if (remote === 0) {
    // Whoever the route goes to; of a device for many, only IPv4 says.
    const route = packet.route as Route | undefined
    if (route === undefined || !isIp) {
      stats.txFifo = (stats.txFifo ?? 0) + (route === undefined ? 1 : 0)
      failed()
      return
    }
    remote = route.nextHopFor(packet.dst)
  }
  const innerTos = isIp || isIp6 ? packet.tos : 0
  let tos = params.tos
  if (tos & 1) tos = isIp || isIp6 ? innerTos : tos & ~1
  const flow = tunnelFlow(tunnel, remote, tos)
  const route = routeFlow(tunnel.home, flow)
  if (typeof route === 'string') {
    stats.txCarrier++
    failed()
    return
  }
  if (route.device === device) {
    stats.collisions++
    failed()
    return
  }
  let df = params.pmtudisc
  if (isIp && !params.ignoreDf) df ||= (packet.fragment & IP_DF) !== 0
  if (tooBig(packet, tunnel, route, df, inner.length)) {
    failed()
    return
  }
  linkErrors(packet, tunnel)
  const state = inetState.of(tunnel.home)
  let ttl = params.ttl
  if (ttl === 0) ttl = isIp || isIp6 ? packet.ttl : hopLimit(state, route)
  const bytes = wrap(tunnel, packet, inner)
  const outer = newIpPacket(flow.src, flow.dst, protocolOf(tunnel, packet), ecnOut(tos, innerTos), ttl)
  outer.raw = RAW_IP_PAYLOAD
  outer.buffer = bytes
  outer.offset = 0
  outer.length = bytes.length
  outer.mark = packet.mark
  outer.priority = packet.priority
  outer.fragment = df && !route.locked ? IP_DF : 0
  outer.ipId = selectIdent(state, outer)
  inetState.of(device.host).tell?.({
    kind: 'tunnel',
    packet,
    text: `${device.name}: wrapped, ${formatIpv4(outer.src)} to ${formatIpv4(outer.dst)}`,
  })
  scrubPacket(outer, tunnel.home !== device.host)
  const error = ipLocalOut(state, outer, route, 0)
  // Of a frame inside, only what is behind its header is counted.
  if (error === undefined) device.countTx(inner.length - (tunnel.ethernet ? 14 : 0))
  else stats.txDropped++
}

/** Whether a tunnel takes such packets. */
function accepts({ family, params }: Tunnel, { etherType }: Packet): boolean {
  if (family === 'erspan') return false
  if (family === 'ipip') return etherType === ETH_P_IP && (params.protocol === 0 || params.protocol === IPPROTO_IPIP)
  if (family !== 'sit') return true
  if (etherType === ETH_P_IP) return params.protocol === 0 || params.protocol === IPPROTO_IPIP
  return etherType === ETH_P_IPV6 && (params.protocol === 0 || params.protocol === IPPROTO_IPV6)
}

function protocolOf({ family }: Tunnel, { etherType }: Packet): number {
  if (family === 'ipip' || family === 'sit') return etherType === ETH_P_IPV6 ? IPPROTO_IPV6 : IPPROTO_IPIP
  return IPPROTO_GRE
}

function wrap(tunnel: Tunnel, packet: Packet, inner: Uint8Array): Uint8Array {
  const { family, params } = tunnel
  if (family === 'ipip' || family === 'sit') return inner
  const { oFlags, oKey } = params
  const header = {
    protocol: tunnel.ethernet ? ETH_P_TEB : packet.etherType,
    csum: oFlags.csum,
    key: oFlags.key ? oKey : undefined,
    seq: oFlags.seq ? tunnel.oSeq++ : undefined,
  }
  return emitGre(header, inner)
}

/** Too big to say DF: whoever sent it is told. */
function tooBig(packet: Packet, tunnel: Tunnel, route: Route, df: boolean, length: number): boolean {
  const { device } = tunnel
  const frame = tunnel.ethernet ? 14 : 0
  const own = packet.route as Route | undefined
  const mtu = df ? route.mtu(false) - 20 - tunnel.headerLength - frame : (own?.mtu(false) ?? device.mtu)
  if (packet.etherType !== ETH_P_IP || (packet.fragment & IP_DF) === 0 || packet.gsoSize > 0) return false
  if (mtu >= length - frame) return false
  icmpError(packet, packetDevice(packet, device), 3, 4, mtu)
  return true
}

/** The device that it came in by, for what is forwarded. */
function packetDevice(packet: Packet, device: NetDevice): NetDevice | undefined {
  return packet.iif === 0 ? undefined : device.net.devices.find((each) => each.ifindex === packet.iif)
}

/** Errors came back from the way: the senders of the next packets are told that their link has failed. */
function linkErrors(packet: Packet, tunnel: Tunnel): void {
  if (tunnel.errors === 0) return
  const { sim } = tunnel.device.host
  if (sim.nowNs >= tunnel.errorNs + ERROR_NS) {
    tunnel.errors = 0
    return
  }
  tunnel.errors--
  const copy = packet.clone()
  copy.route = packet.route
  tunnel.device.net.packetTypes.linkFailure(copy, tunnel.device)
}

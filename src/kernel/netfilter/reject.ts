/** Refusing a packet with a word to its sender. Linux 6.1 net/ipv4/netfilter/nf_reject_ipv4.c, net/netfilter/nft_reject_inet.c. */

import { NotModelled } from '#base/check'
import { type Conn, conntrackState, setClosing } from '#kernel/conntrack'
import type { Host } from '#kernel/core'
import {
  type HookContext,
  hopLimit,
  icmpError,
  inetState,
  ipLocalOut,
  ipv6ForNat,
  NF_DROP,
  newIpPacket,
  type Route,
  RTCF_BROADCAST,
  RTCF_MULTICAST,
  routeMeHarder,
  routeOutput,
} from '#kernel/net'
import {
  checksumGood,
  ETH_P_IPV6,
  ICMP_DEST_UNREACH,
  IP_DF,
  IP_OFFSET,
  IPPROTO_TCP,
  IPPROTO_UDP,
  ipLength,
  type Packet,
  RAW_NONE,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
} from '#wire/inet'
import { attachCt } from './ct.ts'
import type { Operation } from './run.ts'

/** NFT_REJECT_ICMPX_*: no route, port, host, prohibited, as ICMP codes. nft_reject.c: icmp_code_v4[]. */
const ICMPX_CODES = [0, 3, 1, 13]
/** The same as ICMPv6 codes. icmp_code_v6[]. */
const ICMPX_CODES6 = [0, 4, 3, 1]
const ICMPV6_DEST_UNREACH = 1

/** A packet that PRE_ROUTING refuses has no route yet: one to its sender is taken. nf_reject_fill_skb_dst(). */
function ensureRoute(packet: Packet, host: Host): Route | undefined {
  if (packet.route === undefined) {
    const found = routeOutput(host, { dst: packet.src })
    if (typeof found === 'string') return undefined
    packet.route = found.route
  }
  return packet.route as Route
}

/** nf_send_unreach(). */
export function sendUnreachable({ packet, host, in: device, out }: HookContext, code: number): void {
  if (packet.etherType === ETH_P_IPV6) {
    // What isn't sent by this host has come by a device.
    ipv6ForNat(host.image).error?.(packet, device ?? out, ICMPV6_DEST_UNREACH, code, 0)
    return
  }
  if (packet.fragment & IP_OFFSET || !ensureRoute(packet, host)) return
  const checked = packet.protocol === IPPROTO_TCP || packet.protocol === IPPROTO_UDP
  if (checked && packet.raw === RAW_NONE && !checksumGood(packet)) return
  icmpError(packet, device ?? out, ICMP_DEST_UNREACH, code, 0)
}

/** nf_send_reset(). */
export function sendReset({ packet, host }: HookContext): void {
  if (packet.etherType === ETH_P_IPV6) throw new NotModelled('nf_tables: a TCP reset of IPv6')
  if (packet.fragment & IP_OFFSET || packet.protocol !== IPPROTO_TCP || packet.raw !== RAW_NONE) return
  if (packet.tcpFlags & TCP_RST || !checksumGood(packet)) return
  const route = ensureRoute(packet, host)
  if (!route || route.flags & (RTCF_BROADCAST | RTCF_MULTICAST)) return
  const state = inetState.of(host)
  const reset = newIpPacket(packet.dst, packet.src, IPPROTO_TCP, 0, hopLimit(state, route))
  reset.fragment = IP_DF
  reset.srcPort = packet.dstPort
  reset.dstPort = packet.srcPort
  if (packet.tcpFlags & TCP_ACK) {
    reset.seq = packet.ack
    reset.tcpFlags = TCP_RST
  } else {
    const taken = (packet.tcpFlags & TCP_SYN ? 1 : 0) + (packet.tcpFlags & TCP_FIN ? 1 : 0)
    reset.ack = (packet.seq + taken + packet.length) >>> 0
    reset.tcpFlags = TCP_RST | TCP_ACK
  }
  reset.mark = state.sysctls.fwmarkReflect ? packet.mark : 0
  reset.route = route
  if (routeMeHarder(reset) !== undefined) return
  const way = reset.route as Route
  if (ipLength(reset) > way.mtu(false)) return
  attachCt(reset, packet)
  const conntrack = conntrackState.peek(host)
  if (conntrack && packet.ct) setClosing(conntrack, packet.ct as Conn)
  ipLocalOut(state, reset, way, 0)
}

/** The `reject` expression. */
export function compileReject(type: 'icmp' | 'tcp reset' | 'icmpx', code: number, _host: Host): Operation {
  if (type === 'tcp reset') {
    return (context) => {
      sendReset(context)
      return NF_DROP
    }
  }
  const number = type === 'icmpx' ? ICMPX_CODES[code]! : code
  const number6 = type === 'icmpx' ? ICMPX_CODES6[code]! : code
  return (context) => {
    sendUnreachable(context, context.packet.etherType === ETH_P_IPV6 ? number6 : number)
    return NF_DROP
  }
}

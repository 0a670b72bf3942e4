/** What things are called in /proc and in the log. */
import { formatAddr } from '#kernel/conntrack'
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '#wire/inet'
import type { Service } from './service.ts'
import {
  type InetAddr,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_TUNNEL,
  IPPROTO_IP,
  IPPROTO_SCTP,
} from './uapi.ts'

const PROTOCOLS: Record<number, string> = {
  [IPPROTO_IP]: 'IP',
  [IPPROTO_UDP]: 'UDP',
  [IPPROTO_TCP]: 'TCP',
  [IPPROTO_SCTP]: 'SCTP',
  [IPPROTO_ICMP]: 'ICMP',
  [IPPROTO_ICMPV6]: 'ICMPv6',
}

/** ip_vs_proto_name(). */
export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? `IP_${protocol}`
}

/** ip_vs_fwd_name(). */
export function forwardName(flags: number): string {
  switch (flags & IP_VS_CONN_F_FWD_MASK) {
    case IP_VS_CONN_F_LOCALNODE:
      return 'Local'
    case IP_VS_CONN_F_TUNNEL:
      return 'Tunnel'
    case IP_VS_CONN_F_DROUTE:
      return 'Route'
    default:
      return 'Masq'
  }
}

/** An address and its port. */
export function endText(addr: InetAddr, port: number): string {
  const text = formatAddr(addr)
  return typeof addr === 'number' ? `${text}:${port}` : `[${text}]:${port}`
}

/** A service as `ipvsadm` names it. */
export function serviceText({ fwmark, protocol, addr, port }: Service): string {
  return fwmark !== 0 ? `FWM ${fwmark}` : `${protocolName(protocol)} ${endText(addr, port)}`
}

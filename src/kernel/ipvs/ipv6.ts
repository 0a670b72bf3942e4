/** What IPVS asks of IPv6's addresses. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_new_dest(). */

import type { Host } from '#kernel/core'
import { flow6, routeFlow6, state6 } from '#kernel/ipv6'
import { type Ipv6Address, isLinkLocalIpv6, isMulticastIpv6 } from '#wire/inet'

/** IPV6_ADDR_UNICAST, as ipv6_addr_type() has it: not ::, not ::1, no group. */
export function isUnicast6(address: Ipv6Address): boolean {
  const { w0, w1, w2, w3 } = address
  const special = w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0
  return !isMulticastIpv6(address) && !special
}

/** Whether a real server may have an address: a unicast one that isn't bound to a link, or one of this host's. */
export function isUsableIpv6(host: Host, address: Ipv6Address): boolean {
  if (isUnicast6(address) && !isLinkLocalIpv6(address)) return true
  const route = routeFlow6(state6.of(host), flow6({ dst: address }))
  return typeof route !== 'string' && route.device.loops
}

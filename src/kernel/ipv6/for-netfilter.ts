/** What NAT asks of IPv6, if it is there. Linux 6.1 net/ipv6/netfilter.c: ip6_route_me_harder(); nf_nat_masquerade.c, nf_nat_redirect.c. */
import type { Errno } from '#kernel/core'
import type { NetDevice } from '#kernel/net'
import { fragmentOf, IN6_LOOPBACK, type Ipv6Address, type Packet } from '#wire/inet'
import { selectSource } from './address-select.ts'
import { defragment6 } from './fragments.ts'
import { link6 } from './inet6dev.ts'
import { flow6, type Route6, routeOutput6 } from './route.ts'
import { state6 } from './state.ts'

/** Routes a packet of this host's again, after its addresses have changed. */
export function reroute6(packet: Packet): Errno | undefined {
  const old = packet.route as Route6
  const state = state6.of(old.device.host)
  const flow = flow6({ dst: packet.dst6!, src: packet.src6!, mark: packet.mark, protocol: packet.protocol })
  const route = routeOutput6(state, flow)
  if (typeof route === 'string') return route
  if (route.error !== undefined) return route.error
  packet.route = route
  return undefined
}

/** The address that what leaves by a device for a destination is masqueraded behind. */
export function masqueradeSource6(device: NetDevice, dst: Ipv6Address): Ipv6Address | undefined {
  return selectSource(state6.of(device.host), device, dst)
}

/** The address that what is redirected to this host gets: of the device that it came by; undefined: of none. */
export function redirectTo6(device: NetDevice | undefined): Ipv6Address | undefined {
  if (device === undefined) return IN6_LOOPBACK
  return link6(device)?.addresses.find((own) => !own.tentative)?.address
}

/** A fragment for what looks at whole packets: itself if it is none, the whole one if it was the last missing, else undefined. nf_ct_frag6_gather(). */
export function gather6(packet: Packet, device: NetDevice): Packet | undefined {
  const state = state6.of(device.host)
  let whole: Packet | undefined = packet
  while (whole !== undefined && whole.ipOptions !== undefined && fragmentOf(whole) !== undefined) {
    whole = defragment6(state, whole, device)
  }
  return whole
}

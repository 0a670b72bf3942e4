/**
 * A packet's route out, found again after a hook has changed its addresses, mark or TOS.
 * Linux 6.1 net/ipv4/netfilter.c: ip_route_me_harder().
 */
import type { Errno, KernelImage } from '#kernel/core'
import type { Ipv6Address, Packet } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { flowOf } from './fib.ts'
import { addressType, addTransport } from './fib-lookup.ts'
import type { RouteType } from './netlink.ts'
import { type Route, routeFlow } from './route.ts'

/** What NAT asks of IPv6; kernel/ipv6 puts its functions in, if it is installed. */
export interface Ipv6ForNat {
  reroute?(packet: Packet): Errno | undefined
  masqueradeSource?(device: NetDevice, dst: Ipv6Address): Ipv6Address | undefined
  /** @param device the one that the packet came by; undefined if it was made here */
  redirectTo?(device: NetDevice | undefined): Ipv6Address | undefined
  /** A packet that is whole, itself or the one that its last fragment makes; undefined: it waits for others. */
  gather?(packet: Packet, device: NetDevice): Packet | undefined
  /** Tells a packet's sender by ICMPv6. */
  error?(packet: Packet, device: NetDevice | undefined, type: number, code: number, info: number): void
}

/** An image's. */
export function ipv6ForNat(image: KernelImage): Ipv6ForNat {
  return image.slot<Ipv6ForNat>('kernel/net IPv6 for NAT', () => ({}))
}

/**
 * Routes a packet of this host's again; its `route` is another then.
 *
 * @param as what its source counts as; unsaid: what it is
 * @param oif the device that its socket is bound to, or 0
 */
export function routeMeHarder(packet: Packet, as?: RouteType, oif = 0): Errno | undefined {
  const old = packet.route as Route
  const { host } = old.device
  if (packet.src6 !== undefined) return ipv6ForNat(host.image).reroute?.(packet)
  const type = as ?? addressType(host, packet.src, old.device)
  const known = type === 'local' || type === 'unicast'
  const flow = flowOf({
    dst: packet.dst,
    src: known ? packet.src : 0,
    tos: packet.tos & 0x1e,
    oif,
    mark: packet.mark,
    anySrc: known,
  })
  addTransport(host, flow, packet)
  const route = routeFlow(host, flow)
  if (typeof route === 'string') return route
  packet.route = route
  return route.error
}

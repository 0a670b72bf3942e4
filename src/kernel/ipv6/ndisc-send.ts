/**
 * Neighbour discovery's messages, as they are sent. RFC 4861 section 4.
 * Linux 6.1 net/ipv6/ndisc.c: ndisc_send_ns(), ndisc_send_na(), ndisc_send_rs(), ndisc_send_skb().
 */
import {
  ETH_P_IPV6,
  IN6_ANY,
  IPPROTO_ICMPV6,
  type Ipv6Address,
  isMulticastIpv6,
  ND_OPT_NONCE,
  ND_OPT_SOURCE_LL_ADDR,
  ND_OPT_TARGET_LL_ADDR,
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_ROUTER_SOLICITATION,
  Packet,
  writeIpv6,
} from '#wire/inet'
import { writeMac } from '#wire/link'
import { linkLocalOf, selectSource } from './address-select.ts'
import { IFA_F_OPTIMISTIC, IFA_F_TENTATIVE, type Link6 } from './inet6dev.ts'
import { ip6LocalOut, OUT6_NO_LOOP } from './output.ts'
import { Route6 } from './route.ts'

/** An ICMPv6 message with a header but for its flow label. */
export function newIcmp6(src: Ipv6Address, dst: Ipv6Address, type: number, rest: number, payload: Uint8Array): Packet {
  const packet = new Packet()
  packet.etherType = ETH_P_IPV6
  packet.src6 = src
  packet.dst6 = dst
  packet.protocol = IPPROTO_ICMPV6
  packet.ttl = 255
  packet.icmpType = type
  packet.icmpRest = rest
  packet.buffer = payload
  packet.length = payload.length
  return packet
}

/** Sends a message that doesn't leave the link; no route is asked for. */
export function sendOnLink(link: Link6, packet: Packet): void {
  const { state, device } = link
  const route = new Route6(isMulticastIpv6(packet.dst6!) ? 'multicast' : 'unicast', device, undefined, false)
  state.counters.messageOut(packet.icmpType)
  ip6LocalOut(state, packet, route, OUT6_NO_LOOP)
}

/** An option that carries the link's address. */
function linkAddressOption(link: Link6, type: number): number[] {
  const mac = new Uint8Array(6)
  writeMac(mac, 0, link.device.address)
  return [type, 1, ...mac]
}

/** Asks for a neighbour's link address, or whether an address is anybody's. */
export function sendSolicitation(
  link: Link6,
  target: Ipv6Address,
  to: Ipv6Address,
  from: Ipv6Address | undefined,
  nonce?: number,
): void {
  const source = from ?? linkLocalOf(link.device, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)
  if (source === undefined) return
  const options: number[] = []
  if (link.device.addressLength === 6 && source !== IN6_ANY)
    options.push(...linkAddressOption(link, ND_OPT_SOURCE_LL_ADDR))
  if (nonce !== undefined) {
    const bytes = new Uint8Array(6)
    writeMac(bytes, 0, nonce)
    options.push(ND_OPT_NONCE, 1, ...bytes)
  }
  const payload = new Uint8Array(16 + options.length)
  writeIpv6(payload, 0, target)
  payload.set(options, 16)
  const packet = newIcmp6(source, to, NDISC_NEIGHBOUR_SOLICITATION, 0, payload)
  packet.tos = link.conf.ndiscTclass
  packet.priority = 7
  sendOnLink(link, packet)
}

/** Says that an address is here. */
export function sendAdvertisement(
  link: Link6,
  to: Ipv6Address,
  target: Ipv6Address,
  router: boolean,
  solicited: boolean,
  override: boolean,
  withAddress: boolean,
): void {
  const own = link.state.owner(target, link.device)
  let source: Ipv6Address | undefined = target
  if (own !== undefined) {
    if (own.flags & IFA_F_OPTIMISTIC) override = false
  } else source = selectSource(link.state, link.device, to)
  if (source === undefined) return
  const include = withAddress || link.conf.forceTllao !== 0
  const options = include && link.device.addressLength === 6 ? linkAddressOption(link, ND_OPT_TARGET_LL_ADDR) : []
  const payload = new Uint8Array(16 + options.length)
  writeIpv6(payload, 0, target)
  payload.set(options, 16)
  const flags = ((router ? 0x80000000 : 0) | (solicited ? 0x40000000 : 0) | (override ? 0x20000000 : 0)) >>> 0
  const packet = newIcmp6(source, to, NDISC_NEIGHBOUR_ADVERTISEMENT, flags, payload)
  packet.tos = link.conf.ndiscTclass
  packet.priority = 7
  sendOnLink(link, packet)
}

/** Asks routers to say that they are there. */
export function sendRouterSolicitation(link: Link6, from: Ipv6Address, to: Ipv6Address): void {
  const own = link.state.owner(from, link.device)
  const options =
    link.device.addressLength === 6 && !(own && own.flags & IFA_F_OPTIMISTIC)
      ? linkAddressOption(link, ND_OPT_SOURCE_LL_ADDR)
      : []
  const packet = newIcmp6(from, to, NDISC_ROUTER_SOLICITATION, 0, Uint8Array.from(options))
  packet.tos = link.conf.ndiscTclass
  packet.priority = 7
  sendOnLink(link, packet)
}

/**
 * The netlink socket by which programs hear of links and IPv4 addresses: AF_NETLINK, protocol NETLINK_ROUTE, the groups `link` and
 * `ipv4-ifaddr`. A received message stands in `control.message`, as an object; its bytes aren't made.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnetlink_event(), rtmsg_ifinfo(); net/ipv4/devinet.c: rtmsg_ifa()
 */
import { defineState, type Host, installNetlinkEvents, type KernelImage, NetlinkEventSocket } from '#kernel/core'
import { addressNotifiers } from './address-notifiers.ts'
import type { NetDevice } from './device.ts'
import type { AddressMessage, LinkMessage } from './netlink.ts'
import { addressMessage } from './netlink-addr.ts'
import { linkMessage } from './netlink-link.ts'
import { type NetdevEvent, netdevNotifiers } from './notifiers.ts'

export const NETLINK_ROUTE = 0
export interface LinkEvent {
  event: 'NEWLINK' | 'DELLINK'
  link: LinkMessage
}

export interface AddressEvent {
  event: 'NEWADDR' | 'DELADDR'
  address: AddressMessage
}

export type RouteEvent = LinkEvent | AddressEvent

const LINK_EVENTS = new Set<NetdevEvent>(['REGISTER', 'UP', 'DOWN', 'CHANGE', 'CHANGEADDR', 'CHANGEMTU', 'CHANGENAME'])

/** A namespace's listeners. */
const listeners = defineState<Set<RouteSocket>>(() => new Set())

class RouteSocket extends NetlinkEventSocket<RouteEvent> {
  readonly groups = new Set<string>()

  protected override join(group: string): () => void {
    this.groups.add(group)
    listeners.of(this.host).add(this)
    return () => listeners.peek(this.host)?.delete(this)
  }
}

function tell(host: Host, group: string, message: () => RouteEvent): void {
  const all = listeners.peek(host)
  if (all === undefined || all.size === 0) return
  for (const socket of all) if (socket.groups.has(group)) socket.push(message())
}

function deviceEvent(event: NetdevEvent, device: NetDevice): void {
  if (event === 'UNREGISTER') tell(device.host, 'link', () => ({ event: 'DELLINK', link: linkMessage(device) }))
  else if (LINK_EVENTS.has(event)) tell(device.host, 'link', () => ({ event: 'NEWLINK', link: linkMessage(device) }))
}

/** Installs NETLINK_ROUTE. */
export function installRouteEvents(image: KernelImage): void {
  installNetlinkEvents(image, NETLINK_ROUTE, (host) => new RouteSocket(host))
  netdevNotifiers(image).push(deviceEvent)
  addressNotifiers(image).push((event, address, device) => {
    const kind = event === 'UP' ? 'NEWADDR' : 'DELADDR'
    tell(device.host, 'ipv4-ifaddr', () => ({ event: kind, address: addressMessage(address) }))
  })
}

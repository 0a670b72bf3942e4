/** The room `kernel/ipv6`: what it installs in an image. */
import type { Host, KernelImage, Room } from '#kernel/core'
import {
  deleteNeighbour,
  getNeighbours,
  inet6Handlers,
  ipv6ForNat,
  type NeighbourFamily,
  netdevNotifiers,
  newNeighbour,
  packetTypes,
} from '#kernel/net'
import type { Ipv6Address } from '#wire/inet'
import { gather6, masqueradeSource6, redirectTo6, reroute6 } from './for-netfilter.ts'
import { icmp6Error } from './icmp.ts'
import { link6 } from './inet6dev.ts'
import { ip6Receive } from './input.ts'
import { netdevEvent } from './links.ts'
import { deleteAddressRequest6, getAddresses6, newAddress6 } from './netlink-addr.ts'
import { deleteRule6, getRoutes6, getRules6, newRoute6, newRule6, removeRoute6 } from './netlink-route.ts'
import { installProc6 } from './proc.ts'
import { createInet6Socket } from './sockets/families.ts'
import { state6 } from './state.ts'
import { installSysctls6 } from './sysctl.ts'

const ND: NeighbourFamily = {
  table: (host) => state6.of(host).nd,
  key: (dst) => (dst as Ipv6Address).id,
}

function install(image: KernelImage): void {
  packetTypes(image).ip6 = ip6Receive
  netdevNotifiers(image).push(netdevEvent)
  image.socketFamily('AF_INET6', createInet6Socket)
  const handlers = inet6Handlers(image)
  handlers.set('RTM_GETADDR', getAddresses6)
  handlers.set('RTM_NEWADDR', newAddress6)
  handlers.set('RTM_DELADDR', deleteAddressRequest6)
  handlers.set('RTM_GETROUTE', getRoutes6)
  handlers.set('RTM_NEWROUTE', newRoute6)
  handlers.set('RTM_DELROUTE', removeRoute6)
  handlers.set('RTM_GETRULE', getRules6)
  handlers.set('RTM_NEWRULE', newRule6)
  handlers.set('RTM_DELRULE', deleteRule6)
  handlers.set('RTM_GETNEIGH', (host, message) =>
    state6.peek(host) === undefined ? { ok: true, messages: [] } : getNeighbours(host, message, ND),
  )
  handlers.set('RTM_NEWNEIGH', (host, message) => newNeighbour(host, message, ND))
  handlers.set('RTM_DELNEIGH', (host, message) => deleteNeighbour(host, message, ND))
  Object.assign(ipv6ForNat(image), {
    reroute: reroute6,
    masqueradeSource: masqueradeSource6,
    redirectTo: redirectTo6,
    gather: gather6,
    error: icmp6Error,
  })
  installSysctls6(image)
  installProc6(image)
  image.onPowerOff(powerOff)
}

/** No timer of this host's fires any more. */
function powerOff(host: Host): void {
  const state = state6.peek(host)
  if (state === undefined) return
  state.nd.powerOff()
  if (state.verifySlot >= 0) host.sim.release(state.verifySlot)
  if (state.collectSlot >= 0) host.sim.release(state.collectSlot)
  for (const device of state.net.devices) {
    const link = link6(device)
    if (link === undefined) continue
    for (const own of link.addresses) own.work.stop()
    for (const work of [link.rsTimer, link.mldChange, link.mldInitialWork, link.mldAnswer]) work.stop()
  }
  for (const queue of state.fragments?.queues.values() ?? []) queue.timer?.destroy()
}

export const ipv6: Room = { name: 'kernel/ipv6', needs: [], install }

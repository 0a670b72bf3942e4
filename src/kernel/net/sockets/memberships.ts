/**
 * The groups that a socket has joined, or whoever else keeps a list of them: tunnels, addresses that join their group.
 * Linux 6.1 net/ipv4/igmp.c: ip_mc_join_group(), ip_mc_leave_group(), ip_mc_sf_allow(), ip_mc_drop_socket().
 */
import type { Errno, Host } from '#kernel/core'
import type { NetDevice } from '../device.ts'
import { deviceByIndex } from '../devices.ts'
import { deviceOfAddress, isMulticast } from '../fib-lookup.ts'
import { igmpLink } from '../igmp.ts'
import { inetState } from '../ip-state.ts'
import { routeOutput } from '../route.ts'

/** What IP_ADD_MEMBERSHIP takes: the group, and by which device: its index, one of its addresses, or none. struct ip_mreqn. */
export interface GroupRequest {
  group: number
  address?: number
  ifindex?: number
}

/** A group that was joined. */
export interface Membership {
  group: number
  address: number
  ifindex: number
}

/** ip_mc_find_dev(). */
function deviceFor(host: Host, request: GroupRequest): NetDevice | undefined {
  if (request.ifindex) return deviceByIndex(host, request.ifindex)
  if (request.address) return deviceOfAddress(host, request.address)
  const found = routeOutput(host, { dst: request.group })
  return typeof found === 'string' ? undefined : found.route.device
}

/** Adds a group to a list, and joins it on its device. Undefined: done. */
export function joinGroup(host: Host, list: Membership[], request: GroupRequest): Errno | undefined {
  const { group } = request
  if (!isMulticast(group)) return 'EINVAL'
  const device = deviceFor(host, request)
  if (!device) return 'ENODEV'
  const { ifindex } = device
  if (list.some((each) => each.group === group && each.ifindex === ifindex)) return 'EADDRINUSE'
  if (list.length >= inetState.of(host).sysctls.igmpMaxMemberships) return 'ENOBUFS'
  list.unshift({ group, address: request.address ?? 0, ifindex })
  igmpLink(device).join(group)
  return undefined
}

/** Takes a group from a list, and leaves it. Undefined: done. */
export function leaveGroup(host: Host, list: Membership[], request: GroupRequest): Errno | undefined {
  const { group, address = 0, ifindex = 0 } = request
  const device = deviceFor(host, request)
  if (!ifindex && !address && !device) return 'ENODEV'
  const wanted = device?.ifindex ?? ifindex
  const at = list.findIndex((each) => {
    if (each.group !== group) return false
    return wanted ? each.ifindex === wanted : address === 0 || each.address === address
  })
  if (at < 0) return 'EADDRNOTAVAIL'
  list.splice(at, 1)
  device?.inet.igmp?.leave(group)
  return undefined
}

/** Leaves all groups of a list. */
export function leaveAll(host: Host, list: Membership[]): void {
  for (const { group, ifindex } of list.splice(0)) deviceByIndex(host, ifindex)?.inet.igmp?.leave(group)
}

/** Whether what came for a group by a device is for a socket: it joined that, or takes what others have joined. */
export function wantsGroup(
  socket: { memberships: readonly Membership[] | undefined; multicastAll: boolean },
  group: number,
  ifindex: number,
): boolean {
  if (socket.multicastAll || !isMulticast(group)) return true
  return socket.memberships?.some((each) => each.group === group && each.ifindex === ifindex) ?? false
}

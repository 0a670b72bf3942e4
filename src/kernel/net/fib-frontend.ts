/**
 * The routes that come and go with addresses and devices. Linux 6.1 net/ipv4/fib_frontend.c: fib_add_ifaddr(),
 * fib_del_ifaddr(), fib_netdev_event(); net/ipv4/fib_semantics.c: fib_sync_down_dev(), fib_sync_up().
 */
import type { Host } from '#kernel/core'
import type { NetDevice } from './device.ts'
import { RT_TABLE_LOCAL, RT_TABLE_MAIN, RTNH_F_DEAD, RTNH_F_LINKDOWN, RTPROT_KERNEL } from './fib.ts'
import { type FibConfig, rebalance } from './fib-info.ts'
import { addressType, isZeronet } from './fib-lookup.ts'
import { deleteRoute, flushDead, insertRoute, newTable } from './fib-table.ts'
import {
  IFA_F_NOPREFIXROUTE,
  IFA_F_SECONDARY,
  type InetAddress,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
} from './inetdev.ts'
import { type InetState, inetState } from './ip-state.ts'
import type { RouteType } from './netlink.ts'

const IFF_UP = 1
const IFF_LOOPBACK = 8
/** IFF_RUNNING | IFF_LOWER_UP: either makes a link alive to routes. */
const IFF_SEEN = 0x10040
const INADDR_BROADCAST = 0xffffffff

const CREATE_APPEND = { create: true, append: true }

function magicConfig(type: RouteType, dst: number, prefix: number, address: InetAddress, metric: number): FibConfig {
  return {
    dst,
    prefix,
    table: type === 'unicast' ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
    protocol: RTPROT_KERNEL,
    scope: type === 'local' ? RT_SCOPE_HOST : RT_SCOPE_LINK,
    type,
    tos: 0,
    metric,
    prefSrc: address.local,
    oif: address.device.ifindex,
    gateway: 0,
    flags: 0,
  }
}

/** A route that the kernel makes by itself. fib_magic(). */
function add(type: RouteType, dst: number, prefix: number, address: InetAddress, metric = 0): void {
  const host = address.device.host
  const config = magicConfig(type, dst, prefix, address, metric)
  insertRoute(host, newTable(inetState.of(host), config.table), config, CREATE_APPEND)
}

function remove(type: RouteType, dst: number, prefix: number, address: InetAddress, metric = 0): void {
  const host = address.device.host
  const config = magicConfig(type, dst, prefix, address, metric)
  deleteRoute(host, newTable(inetState.of(host), config.table), config)
}

function prefixOf(address: InetAddress): number {
  return (address.address & address.mask) >>> 0
}

function directedBroadcast(address: InetAddress): number {
  return (address.address | ~address.mask) >>> 0
}

/** The primary address of a prefix. inet_ifa_byprefix(). */
function primaryOf(device: NetDevice, prefix: number, mask: number): InetAddress | undefined {
  return device.inet.addresses.find((one) => one.mask === mask && ((prefix ^ one.address) & mask) === 0)
}

function prefixRouteType(device: NetDevice): RouteType {
  return device.flags & IFF_LOOPBACK ? 'local' : 'unicast'
}

export function addAddress(address: InetAddress): void {
  const device = address.device
  const prefix = prefixOf(address)
  let primary = address
  if (address.flags & IFA_F_SECONDARY) {
    const found = primaryOf(device, prefix, address.mask)
    if (!found) return
    primary = found
  }
  add('local', address.local, 32, primary)
  if (!(device.flags & IFF_UP)) return
  if (address.broadcast !== 0 && address.broadcast !== INADDR_BROADCAST)
    add('broadcast', address.broadcast, 32, primary)
  if (isZeronet(prefix) || address.flags & IFA_F_SECONDARY || (prefix === address.local && address.prefix === 32))
    return
  if (!(address.flags & IFA_F_NOPREFIXROUTE)) {
    add(prefixRouteType(device), prefix, address.prefix, primary, address.metric)
  }
  if (address.prefix < 31) add('broadcast', directedBroadcast(address), 32, primary)
}

/** What another address still needs of those that a removed one had. */
interface StillUsed {
  local: boolean
  broadcast: boolean
  zeros: boolean
  ones: boolean
  /** The address itself is not in the list any more. */
  gone: boolean
}

function stillUsed(address: InetAddress, primary: InetAddress, formerPrimary: InetAddress | undefined): StillUsed {
  const used: StillUsed = { local: false, broadcast: false, zeros: false, ones: false, gone: true }
  const device = address.device
  const ones = directedBroadcast(address)
  const zeros = prefixOf(address)
  let owner: InetAddress | undefined
  let samePrefSrc = false
  for (const other of device.inet.addresses) {
    if (other === address) {
      used.gone = false
      continue
    }
    if (
      formerPrimary &&
      other.mask === formerPrimary.mask &&
      ((other.address ^ formerPrimary.address) & formerPrimary.mask) === 0
    ) {
      continue
    }
    if (other.flags & IFA_F_SECONDARY) {
      if (other.mask === primary.mask && ((other.address ^ primary.address) & primary.mask) === 0) owner = primary
      else {
        if (!samePrefSrc) continue
        if (!owner || other.mask !== owner.mask || ((other.address ^ owner.address) & owner.mask) !== 0) {
          owner = primaryOf(device, other.address, other.mask)
        }
        if (!owner || owner.local !== primary.local) continue
      }
    } else {
      if (primary.local !== other.local) continue
      owner = other
      if (primary !== owner) samePrefSrc = true
    }
    if (address.local === other.local) used.local = true
    if (address.broadcast === other.broadcast) used.broadcast = true
    if (ones === other.broadcast) used.ones = true
    if (zeros === other.broadcast) used.zeros = true
    if (owner === other && other.prefix < 31) {
      const otherOnes = directedBroadcast(other)
      const otherZeros = prefixOf(other)
      if (!isZeronet(otherZeros)) {
        if (address.broadcast === otherOnes || address.broadcast === otherZeros) used.broadcast = true
        if (ones === otherOnes || ones === otherZeros) used.ones = true
        if (zeros === otherOnes || zeros === otherZeros) used.zeros = true
      }
    }
  }
  return used
}

/**
 * Removes an address's routes. `formerPrimary`: the primary whose secondaries are being promoted; they count as removed
 * even where they are in the list. fib_del_ifaddr().
 */
export function removeAddress(address: InetAddress, formerPrimary?: InetAddress): void {
  const device = address.device
  settle(device)
  const zeros = prefixOf(address)
  let primary = address
  let subnet = false
  if (address.flags & IFA_F_SECONDARY) {
    const found = primaryOf(device, zeros, address.mask)
    if (!found || (formerPrimary && formerPrimary !== found)) return
    primary = found
  } else if (!isZeronet(zeros) && (zeros !== address.local || address.prefix < 32)) {
    if (!(address.flags & IFA_F_NOPREFIXROUTE)) remove(prefixRouteType(device), zeros, address.prefix, primary)
    subnet = true
  }
  const used = stillUsed(address, primary, formerPrimary)
  if (!used.broadcast) remove('broadcast', address.broadcast, 32, primary)
  if (subnet && address.prefix < 31) {
    if (!used.ones) remove('broadcast', directedBroadcast(address), 32, primary)
    if (!used.zeros) remove('broadcast', zeros, 32, primary)
  }
  if (used.local) return
  remove('local', address.local, 32, primary)
  const host = device.host
  if (used.gone && addressType(host, address.local) !== 'local' && sourceRemoved(host, address.local)) flushDead(host)
}

/** Routes whose source address went are dead. fib_sync_down_addr(). */
function sourceRemoved(host: Host, local: number): boolean {
  let any = false
  if (local === 0) return any
  for (const info of inetState.of(host).infos) {
    if (info.prefSrc !== local || info.table !== RT_TABLE_MAIN) continue
    info.flags |= RTNH_F_DEAD
    info.prefSrcRemoved = true
    any = true
  }
  return any
}

/** Marks next hops by a device as down (or dead, if `dead`). Whether a route died by it. fib_sync_down_dev(). */
function syncDown(device: NetDevice, dead: boolean, force: boolean): boolean {
  let any = false
  const mark = dead ? RTNH_F_DEAD | RTNH_F_LINKDOWN : RTNH_F_LINKDOWN
  for (const info of inetState.of(device.host).infos) {
    if (!info.nextHops.some((nextHop) => nextHop.device === device)) continue
    let down = 0
    for (const nextHop of info.nextHops) {
      if (nextHop.flags & RTNH_F_DEAD) down++
      else if (nextHop.device === device && (force || nextHop.scope !== RT_SCOPE_NOWHERE)) {
        nextHop.flags |= mark
        down++
      }
    }
    if (down === info.nextHops.length) {
      info.flags |= mark
      any = true
    }
    rebalance(info)
  }
  return any
}

/** Next hops by a device live again. fib_sync_up(). */
function syncUp(device: NetDevice, flags: number, running = (device.shownFlags & IFF_SEEN) !== 0): void {
  if (!(device.flags & IFF_UP)) return
  if (flags & RTNH_F_DEAD && running) flags |= RTNH_F_LINKDOWN
  for (const info of inetState.of(device.host).infos) {
    if (!info.nextHops.some((nextHop) => nextHop.device === device)) continue
    let alive = 0
    for (const nextHop of info.nextHops) {
      if (!(nextHop.flags & flags)) alive++
      else if (nextHop.device === device) {
        alive++
        nextHop.flags &= ~flags
      }
    }
    if (alive > 0) info.flags &= ~flags
    rebalance(info)
  }
}

function disable(device: NetDevice, force: boolean): void {
  if (syncDown(device, true, force)) flushDead(device.host)
  device.net.generation++
}

// What can happen before the first look at a route, and be put off until then.
const ADDED = 0
const UP = 1
const CARRIER_ON = 2
const CARRIER_OFF = 3

/** Remembers an event for the first look, if there was none yet. Whether it was put off. */
function putOff(device: NetDevice, subject: InetAddress | NetDevice, event: number): boolean {
  const state = inetState.of(device.host)
  if (state.pending === undefined) return false
  // With it goes how the device stood then.
  const stood = (device.flags & IFF_UP) | (device.carrier ? 2 : 0) | (device.shownFlags & IFF_SEEN ? 4 : 0)
  state.pending = state.pending.concat(subject, event * 8 + stood) // Of exactly that length: there are many hosts.
  return true
}

/** Builds the tables from what has happened so far. */
export function replayFib(state: InetState): void {
  const events = state.pending!
  state.pending = undefined
  const seen = new Set<InetAddress>()
  for (let i = 0; i < events.length; i += 2) {
    const subject = events[i] as InetAddress | NetDevice
    const event = events[i + 1] as number
    const device = 'device' in subject ? subject.device : subject
    const now = { flags: device.flags, carrier: device.carrier }
    device.flags = (device.flags & ~IFF_UP) | (event & 1)
    device.carrier = (event & 2) !== 0
    const running = (event & 4) !== 0
    if ('device' in subject) {
      seen.add(subject)
      addAddress(subject)
      syncUp(device, RTNH_F_DEAD, running)
    } else if (event >> 3 === UP) {
      for (const address of device.inet.addresses) if (seen.has(address)) addAddress(address)
      syncUp(device, RTNH_F_DEAD, running)
    } else if (event >> 3 === CARRIER_ON) syncUp(device, RTNH_F_LINKDOWN, running)
    else syncDown(device, false, false)
    device.flags = now.flags
    device.carrier = now.carrier
  }
}

/** An address was added to a device's list. fib_inetaddr_event(): NETDEV_UP. */
export function fibAddressAdded(device: NetDevice, address: InetAddress): void {
  if (!putOff(device, address, ADDED)) {
    addAddress(address)
    syncUp(device, RTNH_F_DEAD)
  }
  inetState.of(device.host).addressGeneration++
  device.net.generation++
}

/** Everything that was put off happens, before something that can't be. */
function settle(device: NetDevice): void {
  const state = inetState.of(device.host)
  if (state.pending !== undefined) replayFib(state)
}

/** An address was removed from a device's list. fib_inetaddr_event(): NETDEV_DOWN. */
export function fibAddressRemoved(device: NetDevice, address: InetAddress, formerPrimary?: InetAddress): void {
  settle(device)
  removeAddress(address, formerPrimary)
  inetState.of(device.host).addressGeneration++
  if (device.inet.addresses.length === 0) disable(device, true)
  else device.net.generation++
}

/** The metric of an address's prefix route changes. fib_modify_prefix_metric(). */
export function fibMetricChanged(address: InetAddress, metric: number): void {
  const device = address.device
  settle(device)
  const prefix = prefixOf(address)
  if (
    !(device.flags & IFF_UP) ||
    address.flags & (IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE) ||
    isZeronet(prefix) ||
    (prefix === address.local && address.prefix === 32)
  ) {
    return
  }
  add(prefixRouteType(device), prefix, address.prefix, address, metric)
  remove(prefixRouteType(device), prefix, address.prefix, address, address.metric)
}

/** A device was set up: its addresses' routes come (again). */
export function fibDeviceUp(device: NetDevice): void {
  if (!putOff(device, device, UP)) {
    for (const address of device.inet.addresses) addAddress(address)
    syncUp(device, RTNH_F_DEAD)
  }
  inetState.of(device.host).addressGeneration++
  device.net.generation++
}

/** A device was set down (or, with `force`, is being removed): routes by it are flushed. */
export function fibDeviceDown(device: NetDevice, force: boolean): void {
  settle(device)
  disable(device, force)
}

/** The carrier came or went, as user space is told of it. */
export function fibCarrier(device: NetDevice, on: boolean): void {
  if (!putOff(device, device, on ? CARRIER_ON : CARRIER_OFF)) {
    if (on) syncUp(device, RTNH_F_LINKDOWN)
    else syncDown(device, false, false)
  }
  device.net.generation++
}

/** The MTU changed: what was learned about paths is adapted. fib_sync_mtu(), fnhe_update_pmtu(). */
export function fibMtuChanged(device: NetDevice, former: number): void {
  if (inetState.of(device.host).pending !== undefined) return // Nothing was learned yet.
  for (const info of inetState.of(device.host).infos) {
    for (const nextHop of info.nextHops) {
      if (nextHop.device !== device || !nextHop.exceptions) continue
      for (const exception of nextHop.exceptions.values()) {
        if (exception.mtuLocked) {
          if (device.mtu > exception.pmtu) continue
          exception.pmtu = device.mtu
          exception.mtuLocked = false
        } else if (device.mtu < exception.pmtu || former === exception.pmtu) exception.pmtu = device.mtu
      }
    }
  }
  device.net.generation++
}

/**
 * A device's IPv4 addresses: their order, which are secondary, what happens when one goes, and which one is chosen as a
 * source.
 *
 * Linux 6.1 net/ipv4/devinet.c: __inet_insert_ifa(), __inet_del_ifa(), inet_select_addr(), inet_confirm_addr().
 */
import type { Host } from '#kernel/core'
import { notifyAddress } from './address-notifiers.ts'
import { announce } from './arp.ts'
import type { NetDevice } from './device.ts'
import { devices } from './devices.ts'
import { fibAddressAdded, fibAddressRemoved } from './fib.ts'
import { addAddress, removeAddress } from './fib-frontend.ts'
import {
  IFA_F_PERMANENT,
  IFA_F_SECONDARY,
  INFINITE_S,
  type InetAddress,
  type InetDevice,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
} from './inetdev.ts'

/** IPv6's alone: NODAD, OPTIMISTIC, DADFAILED, HOMEADDRESS, TENTATIVE, MANAGETEMPADDR, STABLE_PRIVACY. */
const IPV6_ONLY_FLAGS = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x100 | 0x800

/** A prefix's mask, unsigned. */
export function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
}

/** Whether an address lies in the prefix of one of a device's. inet_ifa_match(). */
export function inPrefix(address: number, own: InetAddress): boolean {
  return ((address ^ own.address) & own.mask) === 0
}

export interface NewAddress {
  local: number
  /** The peer, on a point-to-point link. */
  address?: number
  prefix: number
  broadcast?: number
  label?: string
  scope?: number
  flags?: number
  metric?: number
}

/** An address as the kernel keeps it, for ever valid. */
export function makeAddress(device: NetDevice, fields: NewAddress): InetAddress {
  const { nowNs } = device.host.sim
  return {
    device,
    local: fields.local,
    address: fields.address ?? fields.local,
    prefix: fields.prefix,
    mask: maskOf(fields.prefix),
    broadcast: fields.broadcast ?? 0,
    label: fields.label ?? device.name,
    scope: fields.scope ?? 0,
    flags: (fields.flags ?? 0) | IFA_F_PERMANENT,
    validS: INFINITE_S,
    preferredS: INFINITE_S,
    metric: fields.metric ?? 0,
    stampNs: nowNs,
    createdNs: nowNs,
  }
}

/** Puts an address into its place: primaries by scope, secondaries last. Undefined if it was done. */
export function insertAddress(address: InetAddress): 'EEXIST' | 'EINVAL' | undefined {
  if (address.local === 0) return undefined // Nothing happens, and nobody is told.
  const { device } = address
  const { inet } = device
  inet.settled = true
  address.flags &= ~(IFA_F_SECONDARY | IPV6_ONLY_FLAGS)
  let place = 0
  for (let i = 0; i < inet.addresses.length; i++) {
    const other = inet.addresses[i]!
    if (!(other.flags & IFA_F_SECONDARY) && address.scope <= other.scope) place = i + 1
    if (other.mask === address.mask && inPrefix(other.address, address)) {
      if (other.local === address.local) return 'EEXIST'
      if (other.scope !== address.scope) return 'EINVAL'
      address.flags |= IFA_F_SECONDARY
    }
  }
  if (address.flags & IFA_F_SECONDARY) place = inet.addresses.length
  inet.addresses = inet.addresses.toSpliced(place, 0, address)
  fibAddressAdded(device, address)
  notifyAddress('UP', address, device)
  return undefined
}

/**
 * Takes an address away, and with a primary all its secondaries; unless promote_secondaries lets the first of them take
 * its place.
 */
export function deleteAddress(address: InetAddress): void {
  const { device } = address
  const { inet } = device
  const promote = address.flags & IFA_F_SECONDARY ? undefined : dropSecondaries(address)
  const sameSubnet = (other: InetAddress) => other.mask === address.mask && inPrefix(address.address, other)
  if (promote !== undefined) {
    // Their routes name the address that goes as their source: away with them first, silently.
    for (const other of after(inet, promote, true)) if (sameSubnet(other)) removeAddress(other, address)
  }
  const at = inet.addresses.indexOf(address)
  const lastPrimary = lastPrimaryPlace(inet, at, promote)
  inet.addresses = inet.addresses.filter((other) => other !== address)
  removed(device, address)
  if (promote === undefined) return
  const others = after(inet, promote, false)
  movePromoted(inet, promote, lastPrimary)
  promote.flags &= ~IFA_F_SECONDARY
  fibAddressAdded(device, promote)
  for (const other of others) if (sameSubnet(other)) addAddress(other)
}

/** Removes a primary's secondaries; or finds the one to be promoted, and removes none. */
function dropSecondaries(primary: InetAddress): InetAddress | undefined {
  const { inet } = primary.device
  for (const other of after(inet, primary, false)) {
    if (!(other.flags & IFA_F_SECONDARY) || other.mask !== primary.mask || !inPrefix(primary.address, other)) continue
    if (inet.promoteSecondaries) return other
    inet.addresses = inet.addresses.filter((each) => each !== other)
    removed(primary.device, other)
  }
  return undefined
}

function after(inet: InetDevice, address: InetAddress, itself: boolean): InetAddress[] {
  return inet.addresses.slice(inet.addresses.indexOf(address) + (itself ? 0 : 1))
}

/** Behind which address the promoted one is put: the last primary between it and the old one, of the same or a narrower scope. */
function lastPrimaryPlace(inet: InetDevice, at: number, promote: InetAddress | undefined): InetAddress | undefined {
  const gone = inet.addresses[at]!
  let last: InetAddress | undefined = inet.addresses[at - 1]
  for (const other of inet.addresses.slice(at + 1)) {
    if (other === promote) break
    if (other.flags & IFA_F_SECONDARY) continue
    if (gone.scope <= other.scope) last = other
  }
  return last
}

function movePromoted(inet: InetDevice, promoted: InetAddress, behind: InetAddress | undefined): void {
  const rest = inet.addresses.filter((other) => other !== promoted)
  const place = behind === undefined ? 0 : rest.indexOf(behind) + 1
  inet.addresses = [...rest.slice(0, place), promoted, ...rest.slice(place)]
}

function removed(device: NetDevice, address: InetAddress): void {
  fibAddressRemoved(device, address)
  // Without any address IPv4 is off here, and neighbours are no longer known. Linux: fib_disable_ip().
  if (device.inet.addresses.length === 0) device.net.neighbours.flush(device, false)
  notifyAddress('DOWN', address, device)
}

/** 127.0.0.1/8, which the loopback device gets each time it is set up. */
export function loopbackAddress(device: NetDevice): void {
  insertAddress(makeAddress(device, { local: 0x7f000001, prefix: 8, scope: RT_SCOPE_HOST }))
}

/** Tells everybody on the link what addresses this device has. Linux: inetdev_send_gratuitous_arp(). */
export function announceAddresses(device: NetDevice): void {
  for (const own of device.inet.addresses) announce(device, own.local)
}

/** Whether two addresses lie in the same prefix of a device's; b may be 0 for any. Linux: inet_addr_onlink(). */
export function isOnLink(inet: InetDevice, a: number, b: number): boolean {
  return inet.addresses.some((own) => inPrefix(a, own) && (b === 0 || inPrefix(b, own)))
}

/** isOnLink, by device. */
export function inetOnLink(device: NetDevice, a: number, b: number): boolean {
  return isOnLink(device.inet, a, b)
}

/** The source address for a destination by a device, of at most that scope; 0 if there is none. inet_select_addr(). */
export function selectAddress(device: NetDevice, dst: number, scope: number): number {
  const { inet } = device
  const narrowest = inet.routeLocalnet ? RT_SCOPE_LINK : RT_SCOPE_HOST
  let first = 0
  for (const own of inet.addresses) {
    if (own.flags & IFA_F_SECONDARY || Math.min(own.scope, narrowest) > scope) continue
    if (dst === 0 || inPrefix(dst, own)) return own.local
    if (first === 0) first = own.local
  }
  if (first !== 0) return first
  for (const other of devices(device.host)) {
    for (const own of other.inet.addresses) {
      if (!(own.flags & IFA_F_SECONDARY) && own.scope !== RT_SCOPE_LINK && own.scope <= scope) return own.local
    }
  }
  return 0
}

/**
 * An own address, with wildcards: on a device or (undefined) any; in one prefix with dst unless that is 0; this one, or
 * any if local is 0; of at most that scope. 0 if there is none. Linux: inet_confirm_addr().
 */
export function confirmAddress(
  host: Host,
  inet: InetDevice | undefined,
  dst: number,
  local: number,
  scope: number,
): number {
  if (inet !== undefined) return confirmOn(inet, dst, local, scope)
  for (const device of devices(host)) {
    const found = confirmOn(device.inet, dst, local, scope)
    if (found !== 0) return found
  }
  return 0
}

/** Linux: confirm_addr_indev(). */
function confirmOn(inet: InetDevice, dst: number, local: number, scope: number): number {
  const narrowest = inet.routeLocalnet ? RT_SCOPE_LINK : RT_SCOPE_HOST
  let found = 0
  let same = false
  for (const own of inet.addresses) {
    const fits = Math.min(own.scope, narrowest) <= scope
    if (found === 0 && fits && (local === 0 || local === own.local)) {
      found = own.local
      if (same) break
    }
    if (same) continue
    same = (local === 0 || inPrefix(local, own)) && (dst === 0 || inPrefix(dst, own))
    if (!same || found === 0) continue
    if (local !== 0 || dst === 0 || inPrefix(found, own)) break
    // The one that was found lies in another prefix than dst; this one may do.
    if (fits) {
      found = own.local
      break
    }
    same = false
  }
  return same ? found : 0
}

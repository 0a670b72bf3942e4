/**
 * SIOCGARP, SIOCSARP and SIOCDARP: the ARP table as arp(8) changes it.
 *
 * Linux 6.1 net/ipv4/arp.c: arp_ioctl().
 */
import { type Errno, fail, type Host, ok, type SysResult } from '#kernel/core'
import { arpInvalidate } from './arp.ts'
import { setConf } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import { deviceByName, devices, netState } from './devices.ts'
import { flowOf } from './fib.ts'
import { RT_SCOPE_LINK } from './inetdev.ts'
import {
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_STALE,
  neighbourFor,
  neighbourLookup,
  UPDATE_ADMIN,
  UPDATE_OVERRIDE,
} from './neighbour.ts'
import { ATF_COM, ATF_PERM, ATF_PUBL, arpFlags } from './proc-dev.ts'
import { routeOutput } from './route.ts'

/** struct arpreq. */
export interface ArpRequest {
  /** arp_pa: an IPv4 address. */
  address: number
  /** arp_ha, and its ARPHRD_*. */
  hardware?: number
  hardwareType?: number
  /** ATF_*. */
  flags: number
  /** arp_netmask; counts with ATF_NETMASK. */
  netmask?: number
  /** arp_dev; empty or absent for none. */
  device?: string
}

const ATF_NETMASK = 0x20
const ATF_DONTPUB = 0x40
const ALL_ONES = 0xffffffff

function done(errno: Errno | undefined): SysResult<unknown> {
  return errno === undefined ? ok(undefined) : fail(errno)
}

/** One of the three; SIOCGARP's value is the entry. */
export function arpIoctl(
  host: Host,
  request: 'SIOCGARP' | 'SIOCSARP' | 'SIOCDARP',
  given: ArpRequest,
): SysResult<unknown> {
  const asked = { ...given }
  if (!(asked.flags & ATF_PUBL) && asked.flags & (ATF_NETMASK | ATF_DONTPUB)) return fail('EINVAL')
  if (!(asked.flags & ATF_NETMASK)) asked.netmask = ALL_ONES
  let device: NetDevice | undefined
  if (asked.device) {
    device = deviceByName(host, asked.device)
    if (device === undefined) return fail('ENODEV')
    asked.hardwareType ||= device.looks.hardwareType
    if (asked.flags & ATF_COM && asked.hardwareType !== device.looks.hardwareType) return fail('EINVAL')
  } else if (request === 'SIOCGARP') return fail('ENODEV')
  if (request === 'SIOCGARP') return getArp(device!, asked.address)
  return done(request === 'SIOCSARP' ? setArp(host, asked, device) : deleteArp(host, asked, device))
}

function getArp(device: NetDevice, address: number): SysResult<ArpRequest> {
  const neighbour = neighbourLookup(device, address)
  device.net.neighbours.countLookup(neighbour)
  if (neighbour === undefined || neighbour.state & NUD_NOARP) return fail('ENXIO')
  return ok({
    address,
    hardware: neighbour.address,
    hardwareType: device.looks.hardwareType,
    flags: arpFlags(neighbour),
    device: device.name,
  })
}

/** The device by which an address is on the link. */
function deviceTowards(host: Host, address: number): NetDevice | Errno {
  const found = routeOutput(host, flowOf({ dst: address, scope: RT_SCOPE_LINK }))
  return typeof found === 'string' ? found : found.route.device
}

function setArp(host: Host, asked: ArpRequest, named: NetDevice | undefined): Errno | undefined {
  if (asked.flags & ATF_PUBL) return setPublished(host, asked, named)
  const flags = asked.flags & ATF_PERM ? asked.flags | ATF_COM : asked.flags
  const device = named ?? deviceTowards(host, asked.address)
  if (typeof device === 'string') return device
  if (asked.hardwareType !== device.looks.hardwareType) return 'EINVAL'
  const neighbour = neighbourFor(device, asked.address)
  if (neighbour === undefined) return 'ENOBUFS'
  const state = flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE
  return neighbour.update(flags & ATF_COM ? asked.hardware : undefined, state, UPDATE_OVERRIDE | UPDATE_ADMIN).errno
}

/** A netmask of all ones: one address; of zeroes: proxy_arp, for a device or all. */
function setPublished(host: Host, asked: ArpRequest, named: NetDevice | undefined): Errno | undefined {
  const netmask = asked.netmask ?? 0
  if (netmask !== 0 && netmask !== ALL_ONES) return 'EINVAL'
  let device = named
  if (device === undefined && asked.flags & ATF_COM) {
    device = devices(host).find(
      (each) => each.looks.hardwareType === asked.hardwareType && each.address === asked.hardware,
    )
    if (device === undefined) return 'ENODEV'
  }
  if (netmask !== 0) netState.of(host).neighbours.proxies.create(asked.address, device)
  else setConf(host, device?.name ?? 'all', 'proxyArp', 1, 'plain')
  return undefined
}

function deleteArp(host: Host, asked: ArpRequest, named: NetDevice | undefined): Errno | undefined {
  if (asked.flags & ATF_PUBL) {
    const netmask = asked.netmask ?? 0
    if (netmask === ALL_ONES) {
      return netState.of(host).neighbours.peekProxies?.delete(asked.address, named) ? undefined : 'ENOENT'
    }
    if (netmask !== 0) return 'EINVAL'
    setConf(host, named?.name ?? 'all', 'proxyArp', 0, 'plain')
    return undefined
  }
  const device = named ?? deviceTowards(host, asked.address)
  return typeof device === 'string' ? device : arpInvalidate(device, asked.address, true)
}

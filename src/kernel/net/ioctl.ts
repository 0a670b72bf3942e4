/**
 * ioctls on devices and on the ARP table, as ethtool, arp and ifconfig use them: `sys.ioctl(fd, 'SIOCGARP', {...})` on any
 * socket. Arguments and answers are objects; the requests' names are the kernel's.
 *
 * Linux 6.1 net/core/dev_ioctl.c, net/ipv4/devinet.c: devinet_ioctl().
 */
import { fail, type Host, ok, type SysResult } from '#kernel/core'
import { type ArpRequest, arpIoctl } from './arp-ioctl.ts'
import { deviceByIndex, deviceByName, devices } from './devices.ts'
import { type EthtoolRequest, ethtool } from './ethtool.ts'
import { changeMulticast } from './netlink-fdb.ts'
import { setFlags, setMtu } from './netlink-link.ts'

/** struct ifreq: what the request needs of it. */
export interface InterfaceRequest {
  name?: string
  ifindex?: number
  flags?: number
  mtu?: number
  /** ifr_hwaddr: a link-layer address. */
  address?: number
}

/** Answers one request; ENOTTY if no device knows it. */
export function deviceIoctl(host: Host, request: string, argument: unknown): SysResult<unknown> {
  switch (request) {
    case 'SIOCGARP':
    case 'SIOCSARP':
    case 'SIOCDARP':
      return arpIoctl(host, request, argument as ArpRequest)
    case 'SIOCETHTOOL':
      return ethtool(host, argument as EthtoolRequest)
    default:
      return interfaceIoctl(host, request, argument as InterfaceRequest)
  }
}

function interfaceIoctl(host: Host, request: string, asked: InterfaceRequest): SysResult<unknown> {
  if (request === 'SIOCGIFNAME') {
    const device = deviceByIndex(host, asked.ifindex ?? 0)
    return device ? ok(device.name) : fail('ENODEV')
  }
  if (request === 'SIOCGIFCONF') {
    const all = devices(host).flatMap((device) => device.inet.addresses)
    return ok(all.map((own) => ({ name: own.label, address: own.local })))
  }
  if (!INTERFACE_REQUESTS.has(request)) return fail('ENOTTY')
  // A label such as eth0:1 names its device, and for addresses the address that has it.
  const label = asked.name ?? ''
  const device = deviceByName(host, label.replace(/:.*/, ''))
  if (device === undefined) return fail('ENODEV')
  const own = device.inet.addresses.find((each) => each.label === label)
  switch (request) {
    case 'SIOCGIFINDEX':
      return ok(device.ifindex)
    case 'SIOCGIFFLAGS':
      return ok(device.shownFlags & 0xffff)
    case 'SIOCGIFMTU':
      return ok(device.mtu)
    case 'SIOCGIFTXQLEN':
      return ok(device.txqlen)
    case 'SIOCGIFHWADDR':
      return ok({ hardwareType: device.looks.hardwareType, address: device.address })
    case 'SIOCSIFFLAGS': {
      const refusal = setFlags(device, asked.flags ?? 0)
      return refusal === undefined ? ok(undefined) : fail(refusal.errno)
    }
    case 'SIOCADDMULTI':
    case 'SIOCDELMULTI': {
      // Only devices that can filter groups have such a list.
      if (device.looks.hardwareType !== 1) return fail('EINVAL')
      const errno = changeMulticast(device, asked.address ?? 0, request === 'SIOCADDMULTI')
      return errno === undefined ? ok(undefined) : fail(errno)
    }
    case 'SIOCSIFMTU': {
      const refusal = setMtu(device, asked.mtu ?? 0)
      return refusal === undefined ? ok(undefined) : fail(refusal.errno)
    }
    default:
      if (own === undefined) return fail('EADDRNOTAVAIL')
      if (request === 'SIOCGIFADDR') return ok(own.local)
      if (request === 'SIOCGIFNETMASK') return ok(own.mask)
      return ok(request === 'SIOCGIFBRDADDR' ? own.broadcast : own.address)
  }
}

const INTERFACE_REQUESTS = new Set([
  'SIOCGIFINDEX',
  'SIOCGIFFLAGS',
  'SIOCGIFMTU',
  'SIOCGIFTXQLEN',
  'SIOCGIFHWADDR',
  'SIOCSIFFLAGS',
  'SIOCSIFMTU',
  'SIOCADDMULTI',
  'SIOCDELMULTI',
  'SIOCGIFADDR',
  'SIOCGIFNETMASK',
  'SIOCGIFBRDADDR',
  'SIOCGIFDSTADDR',
])

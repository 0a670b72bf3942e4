/**
 * Devices going up and down, and changes of theirs, with what the protocols do about them: ARP first, then addresses, then
 * routes, as the kernel's notifiers are registered.
 *
 * Linux 6.1 net/core/dev.c: __dev_open(), __dev_close_many(), dev_set_mac_address(); net/ipv4/arp.c: arp_netdev_event();
 * net/ipv4/devinet.c: inetdev_event(); net/ipv4/fib_frontend.c: fib_netdev_event().
 */
import { announceAddresses, loopbackAddress } from './addresses.ts'
import { IFF_LOOPBACK, IFF_LOWER_UP, IFF_NOARP, IFF_RUNNING, IFF_UP, type NetDevice } from './device.ts'
import { fibCarrier, fibDeviceDown, fibDeviceUp, fibMtuChanged } from './fib.ts'

/** Below it, IPv4 is off. Linux 6.1 include/linux/inetdevice.h: inetdev_valid_mtu(). */
export const IPV4_MIN_MTU = 68

/** The carrier came or went while the device is up. NETDEV_CHANGE. */
export function carrierNotify(device: NetDevice): void {
  if (device.inet.arpEvictNocarrier && !device.carrier) device.net.neighbours.flush(device, true)
  fibCarrier(device, (device.shownFlags & (IFF_RUNNING | IFF_LOWER_UP)) !== 0)
  device.net.generation++
}

/** The device's hardware address is another, or its broadcast address. NETDEV_CHANGEADDR. */
export function addressChanged(device: NetDevice): void {
  device.net.neighbours.flushEntries(device, false)
  device.net.generation++
  if (device.inet.arpNotify) announceAddresses(device)
}

/** Flags other than UP have changed while the device is up. NETDEV_CHANGE. */
export function flagsChanged(device: NetDevice, changed: number): void {
  if (changed & IFF_NOARP) device.net.neighbours.flushEntries(device, false)
  carrierNotify(device)
}

/** `ip link set up`, or down. */
export function setDeviceUp(device: NetDevice, up: boolean): void {
  if (up === device.up) return
  if (up) open(device)
  else close(device)
}

function open(device: NetDevice): void {
  device.flags |= IFF_UP
  device.everUp = true
  device.active = device.carrier
  device.net.generation++
  if (device.mtu >= IPV4_MIN_MTU) {
    if (device.flags & IFF_LOOPBACK) loopbackAddress(device)
    if (device.inet.arpNotify) announceAddresses(device)
  }
  fibDeviceUp(device)
}

function close(device: NetDevice): void {
  device.flags &= ~IFF_UP
  device.active = false
  fibDeviceDown(device, false)
  device.net.neighbours.flush(device, false)
  device.net.generation++
}

/** NETDEV_CHANGEMTU, after the MTU is another. */
export function mtuChanged(device: NetDevice, former: number): void {
  fibMtuChanged(device, former)
}

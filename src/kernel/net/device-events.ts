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
import { IPV4_MIN_MTU } from './inetdev.ts'
import { notifyNetdev } from './notifiers.ts'
import { type Refusal, refuse } from './refusal.ts'

/** The carrier came or went while the device is up. NETDEV_CHANGE. */
export function carrierNotify(device: NetDevice): void {
  if (device.inet.arpEvictNocarrier && !device.carrier) device.net.neighbours.flush(device, true)
  fibCarrier(device, (device.shownFlags & (IFF_RUNNING | IFF_LOWER_UP)) !== 0)
  device.net.generation++
  notifyNetdev('CHANGE', device)
}

/** The device's hardware address is another, or its broadcast address. NETDEV_CHANGEADDR. */
export function addressChanged(device: NetDevice): void {
  device.net.neighbours.flushEntries(device, false)
  device.net.generation++
  if (device.inet.arpNotify) announceAddresses(device)
  notifyNetdev('CHANGEADDR', device)
}

/** Flags other than UP have changed while the device is up. NETDEV_CHANGE. */
export function flagsChanged(device: NetDevice, changed: number): void {
  if (changed & IFF_NOARP) device.net.neighbours.flushEntries(device, false)
  carrierNotify(device)
}

/** `ip link set up`, or down. Its driver may refuse to come up. */
export function setDeviceUp(device: NetDevice, up: boolean): Refusal | undefined {
  if (up === device.up) return undefined
  if (up) return open(device)
  close(device)
  return undefined
}

/** Linux: __dev_open(), then NETDEV_UP. */
function open(device: NetDevice): Refusal | undefined {
  notifyNetdev('PRE_UP', device)
  device.running = true
  if (device.kind === 'ether' && !isUnicast(device.address)) return notOpened(device, refuse('EADDRNOTAVAIL'))
  const refusal = device.driver?.open?.(device)
  if (refusal !== undefined) return notOpened(device, refusal)
  device.flags |= IFF_UP
  device.everUp = true
  device.active = device.carrier
  device.net.generation++
  if (device.mtu >= IPV4_MIN_MTU) {
    if (device.flags & IFF_LOOPBACK) loopbackAddress(device)
    device.inet.igmp?.up()
    if (device.inet.arpNotify) announceAddresses(device)
  }
  fibDeviceUp(device)
  notifyNetdev('UP', device)
  return undefined
}

/** Linux 6.1 include/linux/etherdevice.h: is_valid_ether_addr(). */
function isUnicast(address: number): boolean {
  return address !== 0 && (Math.floor(address / 0x100_0000_0000) & 1) === 0
}

function notOpened(device: NetDevice, refusal: Refusal): Refusal {
  device.running = false
  return refusal
}

/** Linux: __dev_close_many(), then NETDEV_DOWN. */
function close(device: NetDevice): void {
  notifyNetdev('GOING_DOWN', device)
  device.running = false
  device.active = false
  device.driver?.stop?.(device)
  device.flags &= ~IFF_UP
  device.inet.igmp?.down()
  fibDeviceDown(device, false)
  device.net.neighbours.flush(device, false)
  device.net.generation++
  notifyNetdev('DOWN', device)
}

/** Other addresses are to be told to everybody: a bond has failed over. Linux 6.1 net/ipv4/devinet.c: NETDEV_NOTIFY_PEERS. */
export function notifyPeers(device: NetDevice): void {
  announceAddresses(device)
  notifyNetdev('NOTIFY_PEERS', device)
}

/** NETDEV_CHANGEMTU, after the MTU is another. */
export function mtuChanged(device: NetDevice, former: number): void {
  fibMtuChanged(device, former)
  notifyNetdev('CHANGEMTU', device)
}

/**
 * A device goes away: for good, or into another namespace. What has an eye on it is told, and lets go.
 *
 * Linux 6.1 net/core/dev.c: unregister_netdevice_many(), __dev_change_net_namespace(); net/ipv4/devinet.c: inetdev_destroy().
 */
import type { Host } from '#kernel/core'
import { deleteAddress } from './addresses.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { chooseDeviceName, netState, relist, unlist } from './devices.ts'
import { fibDeviceDown } from './fib.ts'
import { notifyNetdev } from './notifiers.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Takes devices out of their hosts for good. */
export function unregisterDevices(gone: readonly NetDevice[]): void {
  const all = gone.filter((device) => device.registered)
  for (const device of all) setDeviceUp(device, false)
  for (const device of all) unlist(device)
  for (const device of all) {
    forget(device)
    device.driver?.uninit?.(device)
    device.end = undefined
  }
}

/** Takes one device out of its host for good. */
export function unregisterDevice(device: NetDevice): void {
  unregisterDevices([device])
}

/** IPv4 lets go of it, then whoever else is told. */
function forget(device: NetDevice): void {
  const { inet, net } = device
  for (const tap of net.taps) if (tap.device === device) tap.deviceGone?.(device)
  inet.igmp?.destroy()
  while (inet.addresses.length > 0) deleteAddress(inet.addresses[0]!)
  fibDeviceDown(device, true)
  net.neighbours.flush(device, false)
  net.generation++
  notifyNetdev('UNREGISTER', device)
}

/**
 * Moves a device to another namespace, where it has another name if its own is taken there and `pattern` gives one; it is
 * down there, and has no addresses.
 */
export function moveToNetns(device: NetDevice, host: Host, pattern?: string, ifindex = 0): Refusal | undefined {
  if (device.looks.netnsLocal || !device.registered) return refuse('EINVAL')
  if (host === device.host) return undefined
  const target = netState.of(host)
  let name = device.name
  if (target.byName.has(name)) {
    if (pattern === undefined) return refuse('EEXIST')
    const chosen = chooseDeviceName(target, pattern)
    if (typeof chosen !== 'string') return chosen
    name = chosen
  }
  if (ifindex !== 0 && target.devices.some((other) => other.ifindex === ifindex)) return refuse('EBUSY')
  setDeviceUp(device, false)
  unlist(device)
  device.moving = true
  forget(device)
  device.moving = false
  relist(device, host, name, ifindex)
  notifyNetdev('REGISTER', device)
  return undefined
}

/**
 * Who is told when a device comes, goes or changes: rooms that stack devices on others (VLANs, bridges, bonds, tunnels),
 * and other protocols than IPv4. IPv4's own parts are called first, as their notifiers are registered first.
 *
 * Linux 6.1 include/linux/netdevice.h: enum netdev_cmd; net/core/dev.c: call_netdevice_notifiers().
 */
import type { KernelImage } from '#kernel/core'
import type { NetDevice } from './device.ts'

export type NetdevEvent =
  | 'REGISTER'
  | 'UNREGISTER'
  | 'PRE_UP'
  | 'UP'
  | 'GOING_DOWN'
  | 'DOWN'
  /** Carrier, operational state, or flags other than UP; only while up. */
  | 'CHANGE'
  | 'CHANGEADDR'
  | 'CHANGEMTU'
  | 'CHANGENAME'
  | 'CHANGEUPPER'
  | 'NOTIFY_PEERS'
  | 'RESEND_IGMP'

/** Told of each event on each host of an image. */
export type NetdevNotifier = (event: NetdevEvent, device: NetDevice) => void

/** An image's, in the order in which they are called. */
export function netdevNotifiers(image: KernelImage): NetdevNotifier[] {
  return image.slot<NetdevNotifier[]>('kernel/net device notifiers', () => [])
}

/** Tells everybody. */
export function notifyNetdev(event: NetdevEvent, device: NetDevice): void {
  for (const notifier of device.net.notifiers) notifier(event, device)
}

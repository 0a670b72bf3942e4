/** Who is told when an IPv4 address comes or goes. Linux 6.1 net/ipv4/devinet.c: inetaddr_chain. */
import type { KernelImage } from '#kernel/core'
import type { NetDevice } from './device.ts'
import type { InetAddress } from './inetdev.ts'

/** Told on each host of an image, after the address is there or has gone. */
export type AddressNotifier = (event: 'UP' | 'DOWN', address: InetAddress, device: NetDevice) => void

/** An image's, in the order in which they are called. */
export function addressNotifiers(image: KernelImage): AddressNotifier[] {
  return image.slot<AddressNotifier[]>('kernel/net address notifiers', () => [])
}

/** Tells everybody. */
export function notifyAddress(event: 'UP' | 'DOWN', address: InetAddress, device: NetDevice): void {
  for (const notifier of addressNotifiers(device.host.image)) notifier(event, address, device)
}

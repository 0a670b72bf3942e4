/**
 * VXLAN: Ethernet networks over UDP.
 *
 *     host# ip link add vx0 type vxlan id 42 remote 10.0.0.2 dstport 4789
 *     host# bridge fdb append 00:00:00:00:00:00 dst 10.0.0.3 dev vx0
 */
import type { Host, KernelImage, Room } from '#kernel/core'
import { linkKinds, unregisterDevices } from '#kernel/net'
import { vxlans } from './device.ts'
import { vxlan as kind } from './kind.ts'

/** A namespace ends, and with it the devices that it carries, wherever they are. */
function endNetns(netns: Host): void {
  const carried = vxlans.peek(netns)
  if (carried) unregisterDevices([...carried].map(({ device }) => device))
}

function install(image: KernelImage): void {
  linkKinds(image).set(kind.kind, kind)
  image.onNetnsEnd(endNetns)
}

export const vxlan: Room = { name: 'kernel/vxlan', needs: ['kernel/tunnel'], install }

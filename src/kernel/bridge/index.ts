/**
 * A learning bridge with VLANs and a spanning tree: `ip link add type bridge`, and what the tool `bridge` asks for.
 *
 *     host# ip link add br0 type bridge
 *     host# ip link set eth0 master br0
 *     host# bridge fdb show br br0
 */
import type { KernelImage, Room } from '#kernel/core'
import { bridgeHandlers, linkKinds, netdevNotifiers } from '#kernel/net'
import { bridgeKind } from './kind.ts'
import { deleteBridgeLink, getBridgeLinks, setBridgeLink } from './link-messages.ts'
import { bridgeNotifier } from './ports.ts'
import { installBridgeSysfs } from './sysfs.ts'

function install(image: KernelImage): void {
  linkKinds(image).set('bridge', bridgeKind)
  netdevNotifiers(image).push(bridgeNotifier)
  const handlers = bridgeHandlers(image)
  handlers.set('RTM_GETLINK', getBridgeLinks)
  handlers.set('RTM_SETLINK', setBridgeLink)
  handlers.set('RTM_DELLINK', deleteBridgeLink)
  installBridgeSysfs(image)
}

export const bridge: Room = { name: 'kernel/bridge', needs: [], install }

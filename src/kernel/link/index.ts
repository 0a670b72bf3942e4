/**
 * Devices made by software: `ip link add type dummy`, `veth`, `vlan`, `macvlan`, `bond`; `ip tuntap add`.
 *
 *     host# ip link add v0 type veth peer name v1
 *     host# ip link set v1 netns blue
 */
import type { KernelImage, Room } from '#kernel/core'
import { linkKinds, netdevNotifiers } from '#kernel/net'
import { bond, bondNotifier } from './bonding/kind.ts'
import { installProcBonding } from './bonding/show.ts'
import { installBondSysfs } from './bonding/sysfs.ts'
import { dummy } from './dummy.ts'
import { macvlan, macvlanNotifier } from './macvlan.ts'
import { installProcVlan } from './proc-vlan.ts'
import { installTun, tun } from './tun.ts'
import { veth } from './veth.ts'
import { vlan, vlanNotifier } from './vlan.ts'

function install(image: KernelImage): void {
  const kinds = linkKinds(image)
  for (const kind of [dummy, veth, vlan, macvlan, bond, tun]) kinds.set(kind.kind, kind)
  netdevNotifiers(image).push(vlanNotifier, macvlanNotifier, bondNotifier)
  installProcVlan(image)
  installProcBonding(image)
  installBondSysfs(image)
  installTun(image)
}

export const link: Room = { name: 'kernel/link', needs: [], install }

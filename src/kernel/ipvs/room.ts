/** The room `kernel/ipvs`: what it installs in an image. */
import type { Host, KernelImage, Room } from '#kernel/core'
import { netdevNotifiers } from '#kernel/net'
import { addExtensions } from '#kernel/netfilter'
import { installControl } from './control.ts'
import { installInside } from './inside.ts'
import { ipvsMatch } from './match.ts'
import { installIpvsModules } from './module.ts'
import { installIpvsProc } from './proc.ts'
import { SCHEDULERS } from './schedulers/index.ts'
import { ipvsState } from './state.ts'
import { endSync } from './sync.ts'
import { installIpvsSysctls } from './sysctls.ts'

function end(host: Host): void {
  const ipvs = ipvsState.peek(host)
  if (ipvs === undefined) return
  endSync(ipvs)
  ipvs.end()
  ipvsState.drop(host)
}

export const ipvs: Room = {
  name: 'kernel/ipvs',
  needs: ['kernel/conntrack', 'kernel/ipv6', 'kernel/netfilter'],
  install(image: KernelImage) {
    installControl(image)
    installIpvsProc(image)
    installInside(image)
    installIpvsSysctls(image)
    installIpvsModules(image)
    addExtensions(image, [ipvsMatch])
    for (const scheduler of SCHEDULERS) scheduler.install?.(image)
    netdevNotifiers(image).push((event, device) => {
      if (event === 'DOWN') ipvsState.peek(device.host)?.forgetRoutes()
    })
    image.onPowerOff(end)
  },
}

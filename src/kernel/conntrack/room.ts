/** The room `kernel/conntrack`: what it installs in an image. */
import type { KernelImage, Room } from '#kernel/core'
import { addressNotifiers, netdevNotifiers } from '#kernel/net'
import { installEventSocket } from './event-socket.ts'
import { installInside } from './inside.ts'
import { addressGone, deviceGone } from './masquerade.ts'
import { installConntrackNetlink } from './netlink.ts'
import { installConntrackProc } from './proc.ts'
import { conntrackState } from './state.ts'
import { installConntrackSysctls } from './sysctls.ts'
import { conntrackTool } from './tool.ts'

export const conntrack: Room = {
  name: 'kernel/conntrack',
  needs: [],
  install(image: KernelImage) {
    installConntrackSysctls(image)
    installConntrackProc(image)
    installConntrackNetlink(image)
    installEventSocket(image)
    installInside(image)
    image.program({ name: 'conntrack', paths: ['/usr/sbin/conntrack'], main: conntrackTool })
    image.onPowerOff((host) => conntrackState.peek(host)?.collector.stop())
    netdevNotifiers(image).push((event, device) => {
      if (event !== 'DOWN') return
      const state = conntrackState.peek(device.host)
      if (state) deviceGone(state, device.ifindex)
    })
    addressNotifiers(image).push((event, address, device) => {
      if (event !== 'DOWN') return
      const state = conntrackState.peek(device.host)
      if (state) addressGone(state, device.ifindex, address.local)
    })
  },
}

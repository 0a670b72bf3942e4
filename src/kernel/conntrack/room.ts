/** The room `kernel/conntrack`: what it installs in an image. */
import type { KernelImage, Room } from '#kernel/core'
import { addressNotifiers, netdevNotifiers } from '#kernel/net'
import { addressGone, deviceGone } from './masquerade.ts'
import { conntrackState } from './state.ts'

export const conntrack: Room = {
  name: 'kernel/conntrack',
  needs: [],
  install(image: KernelImage) {
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

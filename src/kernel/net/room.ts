/** The room `kernel/net`: what it installs in an image. */
import type { KernelImage, Room } from '#kernel/core'
import { installConfSysctls } from './conf-sysctl.ts'
import { powerOff } from './devices.ts'
import { byFamily } from './families.ts'
import { installInet } from './inet.ts'
import { installInside } from './inside.ts'
import { getAddresses, newAddress, removeAddressRequest } from './netlink-addr.ts'
import { installFdb } from './netlink-fdb.ts'
import { deleteLink, getLink, newLink, setLink } from './netlink-link.ts'
import { deleteNeighbour, getNeighbours, newNeighbour } from './netlink-neigh.ts'
import { installNetns } from './netns.ts'
import { netdevNotifiers } from './notifiers.ts'
import { installProcDev } from './proc-dev.ts'
import { installRouteEvents } from './route-events.ts'
import { installSysClassNet } from './sys-class-net.ts'

/** Devices, addresses, neighbours and ARP. */
export function installDevices(image: KernelImage): void {
  image.netlink('RTM_GETLINK', byFamily(image, 'RTM_GETLINK', getLink))
  image.netlink('RTM_SETLINK', byFamily(image, 'RTM_SETLINK', setLink))
  image.netlink('RTM_NEWLINK', newLink)
  image.netlink('RTM_DELLINK', byFamily(image, 'RTM_DELLINK', deleteLink))
  image.netlink('RTM_GETADDR', byFamily(image, 'RTM_GETADDR', getAddresses, true))
  image.netlink('RTM_NEWADDR', byFamily(image, 'RTM_NEWADDR', newAddress))
  image.netlink('RTM_DELADDR', byFamily(image, 'RTM_DELADDR', removeAddressRequest))
  image.netlink('RTM_GETNEIGH', byFamily(image, 'RTM_GETNEIGH', getNeighbours, true))
  image.netlink('RTM_NEWNEIGH', byFamily(image, 'RTM_NEWNEIGH', newNeighbour))
  image.netlink('RTM_DELNEIGH', byFamily(image, 'RTM_DELNEIGH', deleteNeighbour))
  installFdb(image)
  installConfSysctls(image)
  installProcDev(image)
  installSysClassNet(image)
}

export const net: Room = {
  name: 'kernel/net',
  needs: [],
  install(image) {
    installDevices(image)
    installInet(image)
    installNetns(image)
    installInside(image)
    installRouteEvents(image)
    netdevNotifiers(image).push((event, device) => {
      if (event === 'RESEND_IGMP') device.inet.igmp?.resend()
    })
    image.onPowerOff(powerOff)
  },
}

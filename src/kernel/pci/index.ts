/**
 * PCI as Linux has it: what it finds on the buses and makes of it, in /sys and /proc; lspci and setpci.
 *
 *     pci.install(image) // then, on a host: lspci -tv; lspci -F dump -vvv
 */
import { insideViews, lazyMain, type Room } from '#kernel/core'
import { inside } from './inside.ts'
import { installSysfs } from './sysfs.ts'

export { LinuxPciDevice } from './device.ts'
export { PciSystem, pciSystems } from './system.ts'

export const pci: Room = {
  name: 'kernel/pci',
  needs: [],
  install(image) {
    installSysfs(image)
    insideViews(image).set('PCI', inside)
    image.program({
      name: 'lspci',
      paths: ['/usr/bin/lspci'],
      main: lazyMain(() => import('./lspci/program.ts').then(({ lspci }) => lspci)),
    })
    image.program({
      name: 'setpci',
      paths: ['/usr/bin/setpci'],
      main: lazyMain(() => import('./setpci/program.ts').then(({ setpci }) => setpci)),
    })
  },
}

/**
 * PCI as Linux has it: what it finds on the buses and makes of it, in /sys and /proc; lspci and setpci.
 *
 *     pci.install(image) // then, on a host: lspci -tv; lspci -F dump -vvv
 */
import { lazyMain, type Room } from '#kernel/core'

export const pci: Room = {
  name: 'kernel/pci',
  needs: [],
  install(image) {
    image.program({
      name: 'lspci',
      paths: ['/usr/bin/lspci'],
      main: lazyMain(() => import('./lspci/program.ts').then(({ lspci }) => lspci)),
    })
  },
}

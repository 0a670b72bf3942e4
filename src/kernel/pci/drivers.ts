/** Which drivers take which devices, in the order in which they come. Linux 6.1, by each driver's table of devices. */
import type { Driver, LinuxPciDevice } from './device.ts'

const PORT: Driver = { name: 'pcieport', vectors: 1 }

function isExpressPort(device: LinuxPciDevice): boolean {
  const { space } = device.hardware
  const express = space.capability(0x10)
  const type = (space.read(express + 2, 2) >> 4) & 15
  return express !== 0 && (type === 4 || type === 5 || type === 6)
}

/** Only a root port has services here; a switch's ports get their vector, and nobody asks for it. */
function hasServices(device: LinuxPciDevice): boolean {
  const { space } = device.hardware
  return ((space.read(space.capability(0x10) + 2, 2) >> 4) & 15) === 4
}

const VIRTIO_NET = ['config', 'input.0', 'output.0']

const DRIVERS: [driver: Driver, takes: (device: LinuxPciDevice, acpi: boolean) => boolean][] = [
  [
    {
      ...PORT,
      actions: (device) => (hasServices(device) ? [device.reportsErrors ? 'PCIe PME, aerdrv' : 'PCIe PME'] : []),
    },
    isExpressPort,
  ],
  [
    { name: 'shpchp', vectors: 1, actions: () => ['shpchp'], line: () => 'shpchp' },
    ({ hardware }, acpi) => !acpi && hardware.below !== undefined && hardware.space.capability(0x0c) !== 0,
  ],
  [{ name: 'e1000' }, ({ vendor, device }) => vendor === 0x8086 && device === 0x100e],
  [{ name: 'e1000e', vectors: 3, actions: () => [] }, ({ vendor, device }) => vendor === 0x8086 && device === 0x10d3],
  [
    {
      name: 'virtio-pci',
      vectors: 3,
      actions: ({ nth }) => VIRTIO_NET.map((name) => `virtio${nth}-${name}`),
      line: ({ nth }) => `virtio${nth}`,
    },
    ({ vendor, device }) => vendor === 0x1af4 && (device === 0x1000 || device === 0x1041),
  ],
  // Without their own drivers these are only enabled.
  [{ name: 'virtio-pci' }, ({ vendor, device }) => vendor === 0x1af4 && device >= 0x1000 && device <= 0x107f],
  [
    {
      name: 'ahci',
      vectors: 1,
      actions: (device) => [`ahci[${device.name}]`],
      line: (device) => `ahci[${device.name}]`,
    },
    ({ class: kind }) => kind >> 8 === 0x0106 && (kind & 0xff) === 1,
  ],
  [{ name: 'ata_piix' }, ({ vendor, device }) => vendor === 0x8086 && device === 0x7010],
]

/** All devices' drivers, those that come first first. @param acpi with it, no firmware here lets go of hot-plug */
export function* probes(
  devices: readonly LinuxPciDevice[],
  acpi: boolean,
): Generator<[device: LinuxPciDevice, driver: Driver]> {
  for (const [driver, takes] of DRIVERS) {
    for (const device of devices) if (!device.driver && takes(device, acpi)) yield [device, driver]
  }
}

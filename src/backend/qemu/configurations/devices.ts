/** Machines that differ in their devices: what bridges, root ports, functions and their interrupts come out as. */

export interface DeviceConfiguration {
  machine: 'pc' | 'q35'
  devices: string[]
  cmdline?: string
}

const NESTED = [
  'pci-bridge,id=b1,chassis_nr=1',
  'e1000,bus=b1,addr=3',
  'pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=4',
  'e1000,bus=b2,addr=1',
  'e1000,bus=b2,addr=2',
  'pci-bridge,id=b3,chassis_nr=3,bus=b2,addr=5',
  'virtio-net-pci,bus=b3,addr=7',
]
const PORTS = [
  'pcie-root-port,id=rp1,chassis=1,slot=1',
  'pcie-root-port,id=rp2,chassis=1,slot=2',
  'pcie-root-port,id=rp3,chassis=1,slot=3',
  'e1000e,bus=rp1',
  'virtio-net-pci,bus=rp2',
]
const SWITCH = [
  'ioh3420,id=rp1,chassis=1,slot=1',
  'x3130-upstream,id=up,bus=rp1',
  'xio3130-downstream,id=d1,bus=up,chassis=2,slot=1',
  'xio3130-downstream,id=d2,bus=up,chassis=2,slot=2',
  'e1000e,bus=d1',
  'virtio-net-pci,bus=d2',
]
const TO_PCI = ['pcie-root-port,id=rp1,chassis=1', 'pcie-pci-bridge,id=p1,bus=rp1', 'e1000,bus=p1,addr=2']

export const DEVICE_CONFIGURATIONS: Record<string, DeviceConfiguration> = {
  'pci-e1000': { machine: 'pc', devices: ['e1000'] },
  'pci-e1000e': { machine: 'pc', devices: ['e1000e'] },
  'pci-virtio': { machine: 'pc', devices: ['virtio-net-pci', 'virtio-rng-pci', 'virtio-balloon-pci'] },
  'pci-storage': { machine: 'pc', devices: ['ahci', 'virtio-scsi-pci'] },
  'pci-usb-vga': { machine: 'pc', devices: ['VGA', 'qemu-xhci', 'piix3-usb-uhci'] },
  'pci-old': { machine: 'pc', devices: ['rtl8139', 'ne2k_pci', 'pcnet', 'i82559er', 'ES1370', 'lsi53c895a'] },
  'pci-functions': {
    machine: 'pc',
    devices: [
      'e1000,addr=5.0,multifunction=on',
      'e1000,addr=5.1',
      'e1000,addr=5.2',
      'e1000,addr=5.3',
      'rtl8139,addr=6',
    ],
  },
  'pci-bridge': { machine: 'pc', devices: ['pci-bridge,id=b1,chassis_nr=1', 'e1000,bus=b1,addr=3'] },
  'pci-bridge-empty': { machine: 'pc', devices: ['pci-bridge,id=b1,chassis_nr=1'] },
  'pci-bridges': { machine: 'pc', devices: NESTED },
  'pci-bridges-nomsi': { machine: 'pc', devices: NESTED, cmdline: 'pci=nomsi' },
  'pci-bridges-noapic': { machine: 'pc', devices: NESTED, cmdline: 'noapic' },
  'pci-bridges-acpi-off': { machine: 'pc', devices: NESTED, cmdline: 'acpi=off' },
  'q35-e1000e': { machine: 'q35', devices: ['e1000e', 'virtio-net-pci'] },
  'q35-vga-xhci': { machine: 'q35', devices: ['VGA', 'qemu-xhci', 'ahci'] },
  'q35-ports': { machine: 'q35', devices: PORTS },
  'q35-ports-nomsi': { machine: 'q35', devices: PORTS, cmdline: 'pci=nomsi' },
  'q35-ports-noapic': { machine: 'q35', devices: PORTS, cmdline: 'noapic' },
  'q35-switch': { machine: 'q35', devices: SWITCH },
  'q35-switch-nomsi': { machine: 'q35', devices: SWITCH, cmdline: 'pci=nomsi' },
  'q35-to-pci': { machine: 'q35', devices: TO_PCI },
  'q35-to-pci-noaer': { machine: 'q35', devices: TO_PCI, cmdline: 'pci=noaer' },
  'q35-dmi-bridge': {
    machine: 'q35',
    devices: ['i82801b11-bridge,id=d1', 'pci-bridge,id=b1,chassis_nr=1,bus=d1', 'e1000,bus=b1,addr=1'],
  },
}

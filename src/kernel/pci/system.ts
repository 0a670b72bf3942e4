/** What Linux makes of a machine's PCI at boot: enumeration, windows, drivers, interrupts. Made when somebody first looks. */
import { defineState, type Host } from '#kernel/core'
import { createPciMachine, type HostBridge, type PciBus } from '#machine/pci'
import { type Driver, LinuxPciDevice, NOTHING, WINDOWS } from './device.ts'
import { probes } from './drivers.ts'
import { createRouting, type Routing } from './routing.ts'

/** The first interrupt number that isn't an input of the I/O APIC. */
const FIRST_MESSAGE_IRQ = 24

export class PciSystem {
  readonly hardware: HostBridge
  readonly devices: LinuxPciDevice[] = []
  readonly type: 'pc' | 'q35'
  readonly route: Routing
  #nextIrq = FIRST_MESSAGE_IRQ

  constructor({ hardware }: Host) {
    this.type = hardware.type
    this.hardware = createPciMachine(hardware)
    const has = (word: string) => hardware.cmdline.includes(word)
    const noLocal = has('nolapic')
    const apic = !has('noapic') && !noLocal
    const router = this.hardware.root.at(this.type === 'pc' ? 1 : 31, 0)!
    this.route = createRouting({
      type: this.type,
      apic,
      acpi: !has('acpi=off'),
      // Links E to H of an ICH9 have registers of their own.
      setLink: (link, irq) => router.space.write(link < 4 ? 0x60 + link : 0x64 + link, 1, irq),
    })
    this.#scan(this.hardware.root, undefined)
    this.#assignMissing()
    const messages = !has('pci=nomsi') && !noLocal
    const aer = messages && !has('pci=noaer')
    this.#setUpErrors(aer)
    // USB controllers are taken from the firmware, for which each is switched on for a moment. drivers/usb/host/pci-quirks.c
    for (const device of this.devices) if (device.class >> 8 === 0x0c03) device.findIrq(this.route)
    let virtio = 0
    for (const [device, driver] of probes(this.devices, !has('acpi=off'))) {
      device.driver = driver
      device.enable(this.route)
      if (driver.name === 'virtio-pci') device.nth = virtio++
      if (messages && driver.vectors) this.#allocateMessages(device, driver)
    }
  }

  /** Depth first, as the buses are numbered; a bridge that the firmware set up is left alone. Linux 6.1 drivers/pci/probe.c: pci_scan_child_bus() */
  #scan(bus: PciBus, parent: LinuxPciDevice | undefined): void {
    const found = bus.functions.map((one) => new LinuxPciDevice(one, parent))
    this.devices.push(...found)
    for (const device of found) if (device.hardware.below) this.#scan(device.hardware.below, device)
  }

  /** Ports that something may be plugged into get a window for ports, 4 kB where there is room. Linux 6.1 drivers/pci/setup-bus.c: pbus_size_io() */
  #assignMissing(): void {
    let next = 0x1000
    for (const device of this.devices) {
      if (!device.hardware.below || device.resources[WINDOWS] !== NOTHING) continue
      const { space } = device.hardware
      const express = space.capability(0x10)
      if (!express || !(space.read(express + 20, 4) & 0x40)) continue
      if (device.parent) {
        // The window above is full: it is closed for good.
        space.write(0x1c, 2, 0x00f0)
        continue
      }
      space.write(0x1c, 1, next >>> 8)
      space.write(0x1d, 1, next >>> 8)
      next += 0x1000
      device.readWindows()
    }
  }

  /** Error reporting is switched on where it can be told. Linux 6.1 drivers/pci/pcie/aer.c: pci_aer_init(), aer_enable_rootport() */
  #setUpErrors(on: boolean): void {
    if (!on) return
    for (const device of this.devices) {
      const { space, below } = device.hardware
      const express = space.capability(0x10)
      if (!express || !below || this.type !== 'q35' || !space.extended(1)) continue
      space.set(express + 8, 2, space.read(express + 8, 2) | 0x0f)
      const errors = space.extended(1)
      if (((space.read(express + 2, 2) >> 4) & 15) === 4) space.set(errors + 44, 4, 7)
      device.reportsErrors = true
    }
  }

  #allocateMessages(device: LinuxPciDevice, driver: Driver): void {
    const { space } = device.hardware
    const msix = space.capability(0x11)
    const msi = space.capability(0x05)
    if (!msix && !msi) return
    const entries = msix ? (space.read(msix + 2, 2) & 0x7ff) + 1 : 1
    const count = Math.min(driver.vectors!, entries)
    device.messages = { irq: this.#nextIrq, count, msix: msix !== 0 }
    this.#nextIrq += count
    if (msix) space.write(msix + 2, 2, (space.read(msix + 2, 2) & 0x3fff) | 0x8000)
    else {
      const control = space.read(msi + 2, 2)
      // Those that it could have and didn't get are masked. drivers/pci/msi/msi.c: msi_capability_init()
      const all = 2 ** (2 ** ((control >> 1) & 7)) - 1
      if (control & 0x100) space.write(msi + (control & 0x80 ? 16 : 12), 4, all - (2 ** count - 1))
      space.write(msi + 2, 2, control | 1)
      device.irq = device.messages.irq
    }
    space.write(4, 2, space.read(4, 2) | 0x400)
  }

  find(name: string): LinuxPciDevice | undefined {
    return this.devices.find((device) => device.name === name)
  }
}

/** A host's PCI; the machine's, whichever namespace asks. */
export const pciSystems = defineState((host) => new PciSystem(host), { per: 'machine' })

/**
 * How INTA# finds its line: bridges turn the pins, the root bus's table names a link or an input of the I/O APIC, a link is
 * given an interrupt when it is first needed. Linux 6.1 drivers/acpi/pci_irq.c, pci_link.c; QEMU hw/i386/acpi-build.c.
 */
import type { LinuxPciDevice } from './device.ts'

/** The interrupt of a device's pin; undefined if it keeps the firmware's. */
export type Routing = (device: LinuxPciDevice) => number | undefined

/** The pin, from 0, and the slot where a device's signal comes out on the root bus. Linux 6.1 drivers/pci/pci.c: pci_swizzle_interrupt_pin() */
export function swizzled(device: LinuxPciDevice): { slot: number; pin: number } {
  let pin = device.hardware.pin - 1
  let at = device
  while (at.parent) {
    pin = (pin + at.hardware.device) & 3
    at = at.parent
  }
  return { slot: at.hardware.device, pin }
}

export interface RoutingOptions {
  type: 'pc' | 'q35'
  /** Whether the I/O APIC takes the interrupts. */
  apic: boolean
  acpi: boolean
  /** The router's registers: where the links' lines are written. */
  setLink(link: number, irq: number): void
}

/** What the firmware gave the links A to D, and again E to H. */
const FIRST = [10, 10, 11, 11]

export function createRouting({ type, apic, acpi, setLink }: RoutingOptions): Routing {
  const active = new Map<number, number>()
  const uses = new Map<number, number>()
  /** Gives a link an interrupt: the firmware's, unless another one has fewer users, which matters with an I/O APIC. */
  const allocate = (link: number): number => {
    const known = active.get(link)
    if (known !== undefined) return known
    let irq = FIRST[link & 3]!
    if (apic && acpi) {
      for (const other of [11, 10]) if ((uses.get(other) ?? 0) < (uses.get(irq) ?? 0)) irq = other
    }
    active.set(link, irq)
    uses.set(irq, (uses.get(irq) ?? 0) + 1)
    setLink(link, irq)
    return irq
  }
  return (device) => {
    if (device.hardware.pin === 0) return undefined
    // The power management function's line is fixed.
    if (type === 'pc' && device.hardware.name === 'piix4-pm') return 9
    const { slot, pin } = swizzled(device)
    if (type === 'pc') return allocate((slot - 1 + pin) & 3)
    const link = slot <= 24 ? 4 + ((slot + pin) & 3) : pin
    return apic && acpi ? 16 + link : allocate(link)
  }
}

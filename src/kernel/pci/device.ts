/** A function as Linux keeps it: struct pci_dev, with its resources. Linux 6.1 include/linux/pci.h, include/linux/ioport.h. */
import type { PciFunction } from '#machine/pci'

const IO = 0x100
const MEMORY = 0x200
const READ_ONLY = 0x4000
const PREFETCH = 0x2000
const SIZE_ALIGN = 0x40000
const WIDE = 0x100000

export interface Resource {
  start: number
  end: number
  flags: number
}

export const NOTHING: Resource = { start: 0, end: 0, flags: 0 }

/** Which of the resources is what: six regions, the ROM, six of virtual functions, four windows. */
export const ROM = 6
export const WINDOWS = 13

/** Who takes a device, and what interrupts it asks for. */
export interface Driver {
  name: string
  /** Vectors of MSI-X or MSI that it would like. */
  vectors?: number
  /** What each of its interrupts is called in /proc/interrupts; the last stands for the rest. */
  actions?: (device: LinuxPciDevice, nth: number) => string[]
  /** What it calls its pin's interrupt, if it asks for that one. */
  line?: (device: LinuxPciDevice) => string
}

export class LinuxPciDevice {
  readonly hardware: PciFunction
  readonly bus: number
  readonly parent: LinuxPciDevice | undefined
  readonly resources: Resource[]
  irq: number
  /** What its pin was found to lead to, once somebody wanted to know. */
  routed: number | undefined
  driver: Driver | undefined
  enabled = 0
  /** Whether it tells of errors (AER). */
  reportsErrors = false
  /** The first of its message interrupts, and how many. */
  messages: { irq: number; count: number; msix: boolean } | undefined
  /** Which of its kind it is: virtio0. */
  nth = 0

  constructor(hardware: PciFunction, parent: LinuxPciDevice | undefined) {
    this.hardware = hardware
    this.bus = hardware.on.number
    this.parent = parent
    const { space } = hardware
    const isBridge = hardware.below !== undefined
    this.resources = Array.from({ length: isBridge ? 17 : 13 }, () => NOTHING)
    for (const bar of space.bars) {
      const register = space.barRegister(bar.index)
      const low = space.read(register, 4)
      const start = low - (low & (bar.kind === 'io' ? 3 : bar.index === ROM ? 0x7ff : 15))
      let flags = bar.kind === 'io' ? IO | 1 : MEMORY
      if (bar.index === ROM) flags |= PREFETCH | READ_ONLY
      else if (bar.kind === 'memory') flags |= (bar.prefetch ? PREFETCH | 8 : 0) | (bar.wide ? WIDE | 4 : 0)
      this.resources[bar.index] = { start, end: start + bar.size - 1, flags: flags | SIZE_ALIGN }
    }
    this.irq = hardware.pin === 0 ? 0 : space.read(0x3c, 1)
    if (isBridge) this.readWindows()
    this.#quirks()
  }

  /** What a bridge passes on, as its registers have it. */
  readWindows(): void {
    const { space } = this.hardware
    const window = (base: number, limit: number, grain: number, flags: number): Resource =>
      base <= limit && (limit !== 0 || base !== 0)
        ? { start: base, end: limit + grain - 1, flags }
        : { ...NOTHING, flags }
    const io = (at: number) => (space.read(at, 1) & 0xf0) * 256
    const memory = (at: number) => (space.read(at, 2) & 0xfff0) * 0x10000
    this.resources[WINDOWS] = window(io(0x1c), io(0x1d), 0x1000, IO)
    this.resources[WINDOWS + 1] = window(memory(0x20), memory(0x22), 0x100000, MEMORY)
    this.resources[WINDOWS + 2] = window(memory(0x24), memory(0x26), 0x100000, MEMORY | PREFETCH | WIDE | 1)
    for (let i = WINDOWS; i < WINDOWS + 3; i++) if (this.resources[i]!.end === 0) this.resources[i] = NOTHING
  }

  #quirks(): void {
    // An IDE controller in compatibility mode is where IDE always was. Linux 6.1 drivers/pci/probe.c: pci_setup_device()
    if (this.class >> 8 === 0x0101 && (this.class & 5) === 0) {
      const at = (start: number, end: number): Resource => ({ start, end, flags: IO | 0x10 })
      this.resources.splice(0, 4, at(0x1f0, 0x1f7), at(0x3f6, 0x3f6), at(0x170, 0x177), at(0x376, 0x376))
    }
    // The video card that the firmware showed its picture with has its ROM's copy below 1 MB. arch/x86/pci/fixup.c: pci_fixup_video()
    if (this.class >> 8 === 0x0300) this.resources[ROM] = { start: 0xc0000, end: 0xdffff, flags: 0x212 }
  }

  get vendor(): number {
    return this.hardware.space.read(0, 2)
  }
  get device(): number {
    return this.hardware.space.read(2, 2)
  }
  /** Three bytes. */
  get class(): number {
    return this.hardware.space.read(8, 4) >>> 8
  }
  get devfn(): number {
    return this.hardware.device * 8 + this.hardware.func
  }

  /** A bridge's subsystem is in a capability. */
  get subsystem(): [number, number] {
    const { space } = this.hardware
    if (!this.hardware.below) return [space.read(0x2c, 2), space.read(0x2e, 2)]
    const at = space.capability(0x0d)
    return at ? [space.read(at + 4, 2), space.read(at + 6, 2)] : [0, 0]
  }

  get name(): string {
    const two = (value: number) => value.toString(16).padStart(2, '0')
    return `0000:${two(this.bus)}:${two(this.hardware.device)}.${this.hardware.func}`
  }

  /** What a driver does first. Linux 6.1 drivers/pci/pci.c: pci_enable_device(), pci_set_master(); bridges above before. */
  enable(route: (device: LinuxPciDevice) => number | undefined): void {
    this.parent?.enableBridge(route)
    if (this.enabled++ === 0) this.findIrq(route)
    this.setMaster()
  }

  enableBridge(route: (device: LinuxPciDevice) => number | undefined): void {
    this.parent?.enableBridge(route)
    if (this.enabled === 0) {
      this.enabled = 1
      this.findIrq(route)
    }
    this.setMaster()
  }

  findIrq(route: (device: LinuxPciDevice) => number | undefined): void {
    this.routed = route(this)
    this.irq = this.routed ?? this.irq
  }

  setMaster(): void {
    const { space } = this.hardware
    space.write(4, 2, space.read(4, 2) | 4)
  }
}

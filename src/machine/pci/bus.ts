/** Buses, and the host's two ways to the configuration spaces: mechanism 1 and ECAM. PCI 3.0, 3.2.2.3; PCI Express 5.0, 7.2.2. */
import type { ConfigSpace } from './config-space.ts'

export class PciFunction {
  /** QEMU's name of the device. */
  readonly name: string
  readonly space: ConfigSpace
  readonly device: number
  readonly func: number
  /** The bus that it stands on. */
  readonly on: PciBus
  /** A bridge's other side. */
  readonly below: PciBus | undefined

  constructor(name: string, space: ConfigSpace, on: PciBus, device: number, func: number) {
    this.name = name
    this.space = space
    this.on = on
    this.device = device
    this.func = func
    this.below = space.headerType === 1 || space.headerType === 2 ? new PciBus(this) : undefined
    on.functions.push(this)
    on.functions.sort((a, b) => a.device - b.device || a.func - b.func)
  }

  /** INTA# to INTD# as 1 to 4; 0 if it has none. */
  get pin(): number {
    return this.space.bytes[0x3d]!
  }

  /** The bus number of a bridge's other side, as software set it. */
  get secondary(): number {
    return this.space.bytes[0x19]!
  }

  get subordinate(): number {
    return this.space.bytes[0x1a]!
  }
}

export class PciBus {
  readonly bridge: PciFunction | undefined
  readonly functions: PciFunction[] = []

  constructor(bridge?: PciFunction) {
    this.bridge = bridge
  }

  /** Its number: 0 for the root, else what its bridge was told. */
  get number(): number {
    return this.bridge?.secondary ?? 0
  }

  at(device: number, func: number): PciFunction | undefined {
    return this.functions.find((one) => one.device === device && one.func === func)
  }

  /** Who answers a configuration cycle for a bus: bridges pass on those for what is behind them. */
  route(bus: number, device: number, func: number): PciFunction | undefined {
    if (bus === this.number) return this.at(device, func)
    for (const { below, secondary, subordinate } of this.functions) {
      if (below && secondary !== 0 && secondary <= bus && bus <= subordinate) return below.route(bus, device, func)
    }
    return undefined
  }

  /** Everything on it and below, each bridge before what is behind it. */
  *all(): Generator<PciFunction> {
    for (const one of this.functions) {
      yield one
      if (one.below) yield* one.below.all()
    }
  }
}

/** The host bridge's registers, through which a CPU reaches all. */
export class HostBridge {
  readonly root: PciBus
  /** Where 256 MB of configuration space stand in memory; undefined without. */
  readonly ecamBase: number | undefined
  #address = 0

  constructor(root: PciBus, ecamBase?: number) {
    this.root = root
    this.ecamBase = ecamBase
  }

  /** Reads a port from 0xcf8 to 0xcff. The address port takes only 32 bits. */
  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === 0xcf8 && size === 4) return this.#address
    if (port < 0xcfc || port + size > 0xd00) return 2 ** (8 * size) - 1
    const at = this.#target(port)
    return at ? (at.function?.space.read(at.register, size) ?? 2 ** (8 * size) - 1) : 2 ** (8 * size) - 1
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    if (port === 0xcf8 && size === 4) {
      this.#address = (value & 0x80ff_fffc) >>> 0
      return
    }
    if (port < 0xcfc || port + size > 0xd00) return
    const at = this.#target(port)
    at?.function?.space.write(at.register, size, value)
  }

  /** Without the enable bit the data port is a port like any other, and nobody is there. */
  #target(port: number): { function: PciFunction | undefined; register: number } | undefined {
    const address = this.#address
    if (address < 0x8000_0000) return undefined
    const found = this.root.route((address >>> 16) & 0xff, (address >>> 11) & 31, (address >>> 8) & 7)
    return { function: found, register: (address & 0xfc) + (port - 0xcfc) }
  }

  /** Reads memory in the ECAM window. */
  readMemory(address: number, size: 1 | 2 | 4): number {
    const { bus, device, func, register } = ecam(address - this.ecamBase!)
    return this.root.route(bus, device, func)?.space.read(register, size) ?? 2 ** (8 * size) - 1
  }

  writeMemory(address: number, size: 1 | 2 | 4, value: number): void {
    const { bus, device, func, register } = ecam(address - this.ecamBase!)
    this.root.route(bus, device, func)?.space.write(register, size, value)
  }

  /** A kernel's way: ECAM where there is one and the register needs it, else mechanism 1. */
  read(bus: number, device: number, func: number, register: number, size: 1 | 2 | 4): number {
    if (register >= 256) {
      if (this.ecamBase === undefined) return 2 ** (8 * size) - 1
      return this.readMemory(this.ecamBase + bus * 0x100000 + device * 0x8000 + func * 0x1000 + register, size)
    }
    this.writePort(0xcf8, 4, 0x8000_0000 + bus * 0x10000 + device * 0x800 + func * 0x100 + (register & 0xfc))
    return this.readPort(0xcfc + (register & 3), size)
  }

  write(bus: number, device: number, func: number, register: number, size: 1 | 2 | 4, value: number): void {
    this.writePort(0xcf8, 4, 0x8000_0000 + bus * 0x10000 + device * 0x800 + func * 0x100 + (register & 0xfc))
    this.writePort(0xcfc + (register & 3), size, value)
  }
}

function ecam(offset: number) {
  return {
    bus: Math.floor(offset / 0x100000) & 0xff,
    device: (offset >>> 15) & 31,
    func: (offset >>> 12) & 7,
    register: offset & 0xfff,
  }
}

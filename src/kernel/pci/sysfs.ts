/** /sys/bus/pci, /sys/devices/pci0000:00 and /proc/bus/pci. Linux 6.1 drivers/pci/pci-sysfs.c, proc.c, slot.c. */
import {
  fail,
  type Host,
  type KernelHost,
  type KernelImage,
  NEVER_WOKEN,
  Node,
  type OpenFile,
  ok,
  POLLIN,
  POLLOUT,
  type PseudoDirectory,
  type PseudoNode,
  type Stat,
} from '#kernel/core'
import type { LinuxPciDevice, Resource } from './device.ts'
import { type PciSystem, pciSystems } from './system.ts'

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

function resourceLines(resources: readonly Resource[]): string {
  return resources
    .map(({ start, end, flags }) => `${[start, end, flags].map((value) => `0x${hex(value, 16)}`).join(' ')}\n`)
    .join('')
}

/** The registers as a file: bytes, at their places. */
class ConfigNode extends Node {
  readonly type = 'file'
  readonly device: string
  constructor(device: string) {
    super()
    this.device = device
  }
  #bytes(host: Host): Uint8Array {
    return pciSystems.of(host).find(this.device)?.hardware.space.bytes ?? new Uint8Array(0)
  }
  override stat(host: KernelHost): Stat {
    const size = this.#bytes(host).length
    return { type: 'file', mode: 0o644, size, inode: 1, links: 1, uid: 0, gid: 0, mtimeNs: host.sim.nowNs }
  }
  override open(host: KernelHost, flags: number, path: string) {
    const found = pciSystems.of(host).find(this.device)
    return found ? ok(new ConfigFile(found, this.stat(host), flags, path)) : fail('ENOENT')
  }
}

class ConfigFile implements OpenFile {
  flags: number
  references = 0
  readonly queue = NEVER_WOKEN
  readonly description: string
  readonly #device: LinuxPciDevice
  readonly #stat: Stat
  #offset = 0
  constructor(device: LinuxPciDevice, stat: Stat, flags: number, path: string) {
    this.#device = device
    this.#stat = stat
    this.flags = flags
    this.description = path
  }
  stat(): Stat {
    return this.#stat
  }
  read(length: number) {
    const bytes = this.#device.hardware.space.bytes.slice(this.#offset, this.#offset + length)
    this.#offset += bytes.length
    return ok(bytes)
  }
  write(bytes: Uint8Array) {
    const { space } = this.#device.hardware
    for (let i = 0; i < bytes.length; ) {
      const at = this.#offset + i
      const left = bytes.length - i
      const size = at % 4 === 0 && left >= 4 ? 4 : at % 2 === 0 && left >= 2 ? 2 : 1
      let value = 0
      for (let j = size - 1; j >= 0; j--) value = value * 256 + bytes[i + j]!
      space.write(at, size, value)
      i += size
    }
    this.#offset += bytes.length
    return ok(bytes.length)
  }
  poll(): number {
    return POLLIN | POLLOUT
  }
  seek(offset: number, whence: 'SET' | 'CUR' | 'END') {
    const from = whence === 'SET' ? 0 : whence === 'CUR' ? this.#offset : this.#stat.size
    if (from + offset < 0) return fail('EINVAL')
    this.#offset = from + offset
    return ok(this.#offset)
  }
}

/** A device's attributes, in the order of their names. */
const ATTRIBUTES: Record<string, (device: LinuxPciDevice, system: PciSystem) => string> = {
  ari_enabled: () => '0\n',
  broken_parity_status: () => '0\n',
  class: (device) => `0x${hex(device.class, 6)}\n`,
  consistent_dma_mask_bits: () => '32\n',
  d3cold_allowed: () => '1\n',
  device: (device) => `0x${hex(device.device, 4)}\n`,
  dma_mask_bits: () => '32\n',
  driver_override: () => '(null)\n',
  enable: (device) => `${device.enabled}\n`,
  irq: (device) => `${device.irq}\n`,
  local_cpulist: () => '0\n',
  local_cpus: () => '1\n',
  modalias(device) {
    const { vendor, device: id, class: kind, subsystem } = device
    const word = (value: number) => hex(value, 8).toUpperCase()
    const two = (value: number) => hex(value & 0xff, 2).toUpperCase()
    const of = `pci:v${word(vendor)}d${word(id)}sv${word(subsystem[0])}sd${word(subsystem[1])}`
    return `${of}bc${two(kind >> 16)}sc${two(kind >> 8)}i${two(kind)}\n`
  },
  msi_bus: () => '1\n',
  numa_node: () => '-1\n',
  resource: (device) => resourceLines(device.resources),
  revision: (device) => `0x${hex(device.hardware.space.read(8, 1), 2)}\n`,
  subsystem_device: (device) => `0x${hex(device.subsystem[1], 4)}\n`,
  subsystem_vendor: (device) => `0x${hex(device.subsystem[0], 4)}\n`,
  vendor: (device) => `0x${hex(device.vendor, 4)}\n`,
}

const BRIDGE_ATTRIBUTES: typeof ATTRIBUTES = {
  secondary_bus_number: (device) => `${device.hardware.secondary}\n`,
  subordinate_bus_number: (device) => `${device.hardware.subordinate}\n`,
}

/** Where a device's folder is, from /sys/devices. */
function pathOf(device: LinuxPciDevice): string {
  return `${device.parent ? pathOf(device.parent) : 'pci0000:00'}/${device.name}`
}

function deviceDirectory(host: Host, device: LinuxPciDevice): PseudoDirectory {
  const { name } = device
  const children = () => pciSystems.of(host).devices.filter(({ parent }) => parent?.name === name)
  const attributes = device.hardware.below ? { ...ATTRIBUTES, ...BRIDGE_ATTRIBUTES } : ATTRIBUTES
  const up = '../'.repeat(pathOf(device).split('/').length + 1)
  const driver = () => pciSystems.of(host).find(name)?.driver?.name
  return {
    list() {
      const names = [...Object.keys(attributes), 'config', 'subsystem', ...children().map((child) => child.name)]
      if (driver() !== undefined) names.push('driver')
      return names.sort()
    },
    lookup(host, file): PseudoNode | undefined {
      const read = Object.hasOwn(attributes, file) ? attributes[file] : undefined
      if (read) {
        return {
          kind: 'file',
          file: {
            read(host) {
              const system = pciSystems.of(host)
              const found = system.find(name)
              return found ? read(found, system) : ''
            },
          },
        }
      }
      if (file === 'config') return new ConfigNode(name)
      if (file === 'subsystem') return { kind: 'symlink', target: `${up}bus/pci` }
      const taken = driver()
      if (file === 'driver' && taken !== undefined) return { kind: 'symlink', target: `${up}bus/pci/drivers/${taken}` }
      const child = children().find((one) => one.name === file)
      return child && { kind: 'directory', directory: deviceDirectory(host, child) }
    },
  }
}

/** A line of /proc/bus/pci/devices. Linux 6.1 drivers/pci/proc.c: show_device() */
function procLine(device: LinuxPciDevice): string {
  const wide = (value: number) => value.toString(16).padStart(16)
  const seven = device.resources.slice(0, 7)
  return [
    hex(device.bus, 2) + hex(device.devfn, 2),
    hex(device.vendor, 4) + hex(device.device, 4),
    device.irq.toString(16),
    ...seven.map(({ start, flags }) => wide(start + (flags & 15))),
    ...seven.map((resource) => wide(resource.end > resource.start ? resource.end - resource.start + 1 : 0)),
    `${device.driver?.name ?? ''}\n`,
  ].join('\t')
}

export function installSysfs(image: KernelImage): void {
  image.procDirectory('/sys/devices/pci0000:00', {
    list: (host) =>
      pciSystems
        .of(host)
        .devices.filter(({ parent }) => !parent)
        .map(({ name }) => name),
    lookup(host, name) {
      const found = pciSystems.of(host).devices.find((device) => !device.parent && device.name === name)
      return found && { kind: 'directory', directory: deviceDirectory(host, found) }
    },
  })
  image.procDirectory('/sys/bus/pci/devices', {
    list: (host) => pciSystems.of(host).devices.map(({ name }) => name),
    lookup(host, name) {
      const found = pciSystems.of(host).find(name)
      return found && { kind: 'symlink', target: `../../../devices/${pathOf(found)}` }
    },
  })
  image.procDirectory('/sys/bus/pci/drivers', {
    list: (host) =>
      [...new Set(pciSystems.of(host).devices.flatMap(({ driver }) => (driver ? [driver.name] : [])))].sort(),
    lookup(host, name) {
      const taken = pciSystems.of(host).devices.filter(({ driver }) => driver?.name === name)
      if (taken.length === 0) return undefined
      return {
        kind: 'directory',
        directory: {
          list: () => taken.map((device) => device.name),
          lookup(_host, device) {
            const found = taken.find((one) => one.name === device)
            return found && { kind: 'symlink', target: `../../../../devices/${pathOf(found)}` }
          },
        },
      }
    },
  })
  image.proc('/proc/bus/pci/devices', { read: (host) => pciSystems.of(host).devices.map(procLine).join('') })
}

/** A machine's buses with all that stands on them, as QEMU's `pc` and `q35` and their `-device` words say. */
import { NotModelled } from '#base/check'
import { HostBridge, PciBus, PciFunction } from './bus.ts'
import { type Bar, ConfigSpace } from './config-space.ts'
import { DEVICES } from './devices.ts'
import { runFirmware } from './firmware.ts'

export interface PciMachinePlan {
  type: 'pc' | 'q35'
  /** In the words of QEMU's -device: `e1000e,bus=rp1,addr=00.0`. */
  devices: readonly string[]
}

/** What the boards have: name, device, function. */
const BOARDS: Record<'pc' | 'q35', [name: string, device: number, func: number][]> = {
  pc: [
    ['i440FX', 0, 0],
    ['piix3', 1, 0],
    ['piix3-ide', 1, 1],
    ['piix4-pm', 1, 3],
  ],
  q35: [
    ['mch', 0, 0],
    ['ich9-lpc', 31, 0],
    ['ich9-ahci', 31, 2],
    ['ich9-smbus', 31, 3],
  ],
}

const ALIASES: Record<string, string> = {
  ahci: 'ich9-ahci',
  'virtio-net': 'virtio-net-pci',
  'virtio-rng': 'virtio-rng-pci',
  'virtio-balloon': 'virtio-balloon-pci',
}

/** Ports have one device behind them, the first; it shows that it is PCI Express. */
const PORTS = new Set(['pcie-root-port', 'ioh3420', 'xio3130-downstream'])

const templates = new Map<string, (typeof DEVICES)[number]>()

function template(name: string): (typeof DEVICES)[number] | undefined {
  if (templates.size === 0) for (const device of DEVICES) templates.set(device[0], device)
  return templates.get(name)
}

/** Where routers keep which line each of their links is led to. */
const ROUTES: Record<string, number[]> = { piix3: [0x60], 'ich9-lpc': [0x60, 0x68] }

function spaceOf([name, length, bars, registers]: (typeof DEVICES)[number]): ConfigSpace {
  const space = new ConfigSpace(
    length,
    bars
      .split(' ')
      .filter((text) => text !== '')
      .map((text): Bar => {
        const [index, kind, size] = text.split(':') as [string, string, string]
        return {
          index: Number(index),
          kind: kind === 'io' ? 'io' : 'memory',
          size: Number.parseInt(size, 16),
          wide: kind.includes('64'),
          prefetch: kind.endsWith('p'),
        }
      }),
  )
  for (const word of registers.split(' ')) {
    const [at, hex] = word.split(':') as [string, string]
    for (let i = 0; i < hex.length; i += 2) {
      space.bytes[Number.parseInt(at, 16) + i / 2] = Number.parseInt(hex.slice(i, i + 2), 16)
    }
  }
  space.standard()
  for (const at of ROUTES[name] ?? []) space.allow(at, 4, 0x8f8f_8f8f)
  return space
}

/** The machine after its firmware has run. */
export function createPciMachine(plan: PciMachinePlan): HostBridge {
  const root = new PciBus()
  const buses = new Map<string, PciBus>([
    ['pci.0', root],
    ['pcie.0', root],
  ])
  for (const [name, device, func] of BOARDS[plan.type])
    new PciFunction(name, spaceOf(template(name)!), root, device, func)
  let cards = 0
  for (const text of plan.devices) {
    const [given = '', ...words] = text.split(',')
    const options = new Map(words.map((word) => word.split('=', 2) as [string, string]))
    const name = ALIASES[given] ?? given
    const bus = buses.get(options.get('bus') ?? 'pci.0')
    if (!bus) throw new NotModelled(`PCI bus ${options.get('bus')}`)
    const behindPort = bus.bridge !== undefined && PORTS.has(bus.bridge.name)
    const found =
      (behindPort && template(`${name}@port`)) ||
      (plan.type === 'q35' && bus === root && template(`${name}@root`)) ||
      template(name)
    if (!found) throw new NotModelled(`PCI device ${given}`)
    const space = spaceOf(found)
    const [slot, func] = place(bus, options.get('addr'), text)
    space.bytes[0x0e] = space.headerType | (options.get('multifunction') === 'on' ? 0x80 : 0)
    personal(name, space, options, cards)
    if (/^(e1000|virtio-net)/.test(name)) cards++
    const made = new PciFunction(name, space, bus, slot, func)
    const id = options.get('id')
    if (made.below && id !== undefined) buses.set(id, made.below)
  }
  for (const { below, space, name } of root.all()) {
    if (!below || !PORTS.has(name) || below.functions.length > 0) continue
    // Nothing is plugged in: the link shows what it could be, the slot's power is off.
    const express = space.capability(0x10)
    space.set(express + 18, 2, space.read(express + 12, 2) & 0x3ff)
    space.set(express + 24, 2, space.read(express + 24, 2) | 0x0600)
  }
  const host = new HostBridge(root, plan.type === 'q35' ? 0xb000_0000 : undefined)
  runFirmware(host, plan.type)
  return host
}

/** `addr=SLOT[.FUNC]`, in hexadecimal; else the lowest free one. */
function place(bus: PciBus, addr: string | undefined, text: string): [number, number] {
  if (addr !== undefined) {
    const [slot, func = '0'] = addr.split('.') as [string, string?]
    const at: [number, number] = [Number.parseInt(slot, 16), Number.parseInt(func, 16)]
    if (bus.at(...at)) throw new NotModelled(`two PCI devices in one place: ${text}`)
    return at
  }
  // Behind a bridge with a hot-plug controller the first slot is the controller's.
  let slot = bus.bridge?.name === 'pci-bridge' || bus.bridge?.name === 'pcie-pci-bridge' ? 1 : 0
  while (bus.functions.some(({ device }) => device === slot)) slot++
  return [slot, 0]
}

/** What differs from one to the next of a kind: numbers of slots and chassis, addresses of cards. */
function personal(name: string, space: ConfigSpace, options: Map<string, string>, cards: number): void {
  const express = space.capability(0x10)
  if (PORTS.has(name)) {
    const slot = Number(options.get('slot') ?? 0)
    space.set(express + 20, 4, (space.read(express + 20, 4) & 0x7ffff) + slot * 0x80000)
  }
  const chassis = space.capability(0x04)
  if (chassis) space.set(chassis + 3, 1, Number(options.get('chassis_nr') ?? options.get('chassis') ?? 0))
  const serial = space.extended(0x03)
  if (name === 'e1000e' && serial) space.set(serial + 4, 1, 0x56 + cards)
}

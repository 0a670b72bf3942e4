/**
 * What SeaBIOS 1.16 does before a kernel comes: numbers the buses, gives every region an address and every pin an
 * interrupt line. A kernel keeps what it finds. SeaBIOS src/fw/pciinit.c.
 */
import type { HostBridge, PciBus, PciFunction } from './bus.ts'
import type { Bar } from './config-space.ts'

type Kind = 'io' | 'memory' | 'prefetch'

/** Something that needs addresses on a bus: a region, or a bridge's window. */
interface Claim {
  size: number
  align: number
  put(base: number): void
}

/** Lines that the firmware hands out, by the number of the PIRQ router's link. */
const LINES = [10, 10, 11, 11]
/** Where PCI's memory ends: the I/O APIC begins. */
const MEMORY_END = 0xfec0_0000
const PAGE = 0x1000

export function runFirmware(host: HostBridge, chipset: 'pc' | 'q35'): void {
  numberBuses(host.root)
  const claims = collect(host.root)
  placeRoot(claims)
  for (const one of host.root.all()) enable(one, chipset)
}

/** Depth first: a bridge's buses are all that are behind it. */
function numberBuses(root: PciBus): void {
  let last = 0
  const walk = (bus: PciBus) => {
    for (const { below, space } of bus.functions) {
      if (!below) continue
      space.set(0x18, 1, bus.number)
      space.set(0x19, 1, ++last)
      space.set(0x1a, 1, 0xff)
      walk(below)
      space.set(0x1a, 1, last)
    }
  }
  walk(root)
}

function kindOf(bar: Bar): Kind {
  return bar.kind === 'io' ? 'io' : bar.prefetch && bar.index !== 6 ? 'prefetch' : 'memory'
}

type Claims = Record<Kind, Claim[]>

function sum(claims: Claim[]): number {
  return claims.reduce((total, { size }) => total + size, 0)
}

function alignment(claims: Claim[]): number {
  return claims.reduce((most, { align }) => Math.max(most, align), 1)
}

/** Large ones first: then nothing is lost between them. */
function add(claims: Claim[], claim: Claim): void {
  const at = claims.findIndex(({ align, size }) => align < claim.align || (align === claim.align && size < claim.size))
  claims.splice(at < 0 ? claims.length : at, 0, claim)
}

function place(claims: Claim[], base: number): void {
  let at = base
  for (const claim of claims) {
    claim.put(at)
    at += claim.size
  }
}

/** The buses in the order of their numbers; what a bus needs below is known before its bridge asks. */
function collect(root: PciBus): Claims {
  const buses: PciBus[] = [root]
  for (const { below } of root.all()) if (below) buses.push(below)
  buses.sort((a, b) => a.number - b.number)
  const byBus = new Map<PciBus, Claims>(buses.map((bus) => [bus, { io: [], memory: [], prefetch: [] }]))
  for (const bus of buses) {
    for (const { space } of bus.functions) {
      for (const bar of space.bars) {
        const kind = kindOf(bar)
        const size = kind === 'io' ? bar.size : Math.max(bar.size, PAGE)
        const register = space.barRegister(bar.index)
        add(byBus.get(bus)![kind], {
          size,
          align: size,
          put: (base) => space.write(register, 4, base + (bar.kind === 'io' ? 1 : 0)),
        })
      }
    }
  }
  for (const bus of buses.slice(1).reverse()) {
    const bridge = bus.bridge!
    const own = byBus.get(bus)!
    const above = byBus.get(bridge.on)!
    for (const kind of ['io', 'memory', 'prefetch'] as const) {
      const least = kind === 'io' ? PAGE : 0x200000
      const claims = own[kind]
      const align = Math.max(alignment(claims), least)
      let needs = sum(claims)
      if (needs === 0 && takesMore(bridge) && !(kind === 'io' && bridge.space.capability(0x10))) needs = align
      const size = Math.ceil(needs / align) * align
      if (size === 0) continue
      add(above[kind], {
        size,
        align,
        put(base) {
          setWindow(bridge, kind, base, base + size - 1)
          place(claims, base)
        },
      })
    }
  }
  return byBus.get(root)!
}

/** Whether something may be plugged in behind it later: a standard hot-plug controller, or a slot that can. */
function takesMore({ space }: PciFunction): boolean {
  if (space.capability(0x0c)) return true
  const express = space.capability(0x10)
  if (!express) return false
  const flags = space.read(express + 2, 2)
  const type = (flags >> 4) & 15
  if (type !== 4 && type !== 6) return false
  return (flags & 0x100) !== 0 && (space.read(express + 20, 4) & 0x40) !== 0
}

function setWindow({ space }: PciFunction, kind: Kind, base: number, limit: number): void {
  if (kind === 'io') {
    space.write(0x1c, 1, (base >>> 8) & 0xf0)
    space.write(0x1d, 1, (limit >>> 8) & 0xf0)
    space.write(0x30, 4, 0)
  } else if (kind === 'memory') {
    space.write(0x20, 2, base >>> 16)
    space.write(0x22, 2, limit >>> 16)
  } else {
    space.write(0x24, 2, base >>> 16)
    space.write(0x26, 2, limit >>> 16)
    space.write(0x28, 4, 0)
    space.write(0x2c, 4, 0)
  }
}

/** Memory lies below its end, whichever needs the coarser alignment first; ports begin at 0xc000, or lower if they are many. */
function placeRoot(claims: Claims): void {
  place(claims.io, sum(claims.io) < 0x4000 ? 0xc000 : 0x1000)
  let [start, end] = [claims.memory, claims.prefetch]
  if (alignment(start) < alignment(end)) [start, end] = [end, start]
  const down = (value: number, align: number) => Math.floor(value / align) * align
  const endBase = down(MEMORY_END - sum(end), alignment(end))
  const startBase = down(endBase - sum(start), alignment(start))
  place(end, endBase)
  place(start, startBase)
}

/** INTA# of a device behind a bridge is another pin of the bridge: the device's number turns it. */
export function linkOf(one: PciFunction, chipset: 'pc' | 'q35'): number {
  let turn = 0
  let at = one
  while (at.on.bridge) {
    turn += at.device
    at = at.on.bridge
  }
  if (chipset === 'pc') turn += at.device - 1
  else if (at.device <= 24) turn += at.device
  return (one.pin - 1 + turn) & 3
}

function enable(one: PciFunction, chipset: 'pc' | 'q35'): void {
  const { space } = one
  if (one.pin !== 0) space.write(0x3c, 1, one.name === 'piix4-pm' ? 9 : LINES[linkOf(one, chipset)]!)
  space.write(4, 2, space.read(4, 2) | 0x0103)
  // Where the kernel's driver looks for it, and where its own address was stays free.
  if (one.name === 'ich9-smbus') space.write(0x20, 4, 0x0701)
  // It can boot from this one, and so drives it.
  if (one.name === 'lsi53c895a') space.write(4, 2, space.read(4, 2) | 4)
  if (one.below) space.write(0x3e, 2, space.read(0x3e, 2) | 2)
}

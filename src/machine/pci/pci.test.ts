import { describe, expect, test } from 'vitest'
import { ConfigSpace, createPciMachine, HostBridge, PciBus, PciFunction } from './index.ts'

const address = (bus: number, device: number, func: number, register: number) =>
  0x8000_0000 + bus * 0x10000 + device * 0x800 + func * 0x100 + register

describe('mechanism 1', () => {
  const host = createPciMachine({ type: 'pc', devices: ['e1000'] })
  test('reads by the address that was written, in parts too', () => {
    host.writePort(0xcf8, 4, address(0, 2, 0, 0))
    expect(host.readPort(0xcf8, 4)).toBe(address(0, 2, 0, 0))
    expect(host.readPort(0xcfc, 4)).toBe(0x100e8086)
    expect(host.readPort(0xcfe, 2)).toBe(0x100e)
    expect(host.readPort(0xcff, 1)).toBe(0x10)
  })
  test('nobody there, and without the enable bit, all ones', () => {
    host.writePort(0xcf8, 4, address(0, 9, 0, 0))
    expect(host.readPort(0xcfc, 4)).toBe(0xffff_ffff)
    host.writePort(0xcf8, 4, address(0, 2, 0, 0) - 0x8000_0000)
    expect(host.readPort(0xcfc, 2)).toBe(0xffff)
  })
  test('the address port takes 32 bits at a time only', () => {
    host.writePort(0xcf8, 4, address(0, 1, 0, 0))
    host.writePort(0xcf8, 2, 0x1234)
    expect(host.readPort(0xcf8, 4)).toBe(address(0, 1, 0, 0))
    expect(host.readPort(0xcf8, 1)).toBe(0xff)
  })
})

describe('a region', () => {
  test('shows its size to who writes ones, and keeps its low bits', () => {
    const space = new ConfigSpace(256, [
      { index: 0, kind: 'memory', size: 0x20000 },
      { index: 1, kind: 'io', size: 64 },
      { index: 2, kind: 'memory', size: 0x4000, wide: true, prefetch: true },
      { index: 6, kind: 'memory', size: 0x10000 },
    ])
    space.standard()
    for (const register of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x30]) space.write(register, 4, 0xffff_ffff)
    expect(space.read(0x10, 4)).toBe(0xfffe_0000)
    expect(space.read(0x14, 4)).toBe(0xffff_ffc1)
    expect(space.read(0x18, 4)).toBe(0xffff_c00c)
    expect(space.read(0x1c, 4)).toBe(0xffff_ffff)
    expect(space.read(0x20, 4)).toBe(0)
    expect(space.read(0x30, 4)).toBe(0xffff_0001)
  })
  test('is nowhere until decoding is on', () => {
    const bar = { index: 0, kind: 'memory', size: 0x1000 } as const
    const space = new ConfigSpace(256, [bar])
    space.standard()
    space.write(0x10, 4, 0xfebf_0000)
    expect(space.address(bar)).toBeUndefined()
    space.write(4, 2, 2)
    expect(space.address(bar)).toBe(0xfebf_0000n)
  })
  test('status bits are cleared by ones, identifiers never written', () => {
    const space = new ConfigSpace(256, [])
    space.set(0, 4, 0x12378086)
    space.set(6, 2, 0xf900)
    space.standard()
    space.write(0, 4, 0)
    expect(space.read(0, 4)).toBe(0x12378086)
    space.write(6, 2, 0x8000)
    expect(space.read(6, 2)).toBe(0x7900)
  })
})

test('a bridge passes on cycles for its buses, renumbered or not', () => {
  const root = new PciBus()
  const bridgeSpace = new ConfigSpace(256, [])
  bridgeSpace.bytes[0x0e] = 1
  bridgeSpace.standard()
  const bridge = new PciFunction('bridge', bridgeSpace, root, 3, 0)
  const space = new ConfigSpace(256, [])
  space.set(0, 4, 0xaaaa5555)
  new PciFunction('device', space, bridge.below!, 5, 0)
  const host = new HostBridge(root)
  expect(host.read(1, 5, 0, 0, 4)).toBe(0xffff_ffff)
  host.write(0, 3, 0, 0x18, 4, 0x00010100)
  expect(host.read(1, 5, 0, 0, 4)).toBe(0xaaaa5555)
  host.write(0, 3, 0, 0x18, 4, 0x00070700)
  expect(host.read(1, 5, 0, 0, 4)).toBe(0xffff_ffff)
  expect(host.read(7, 5, 0, 0, 4)).toBe(0xaaaa5555)
})

test('ECAM reaches beyond 256 bytes, mechanism 1 does not', () => {
  const host = createPciMachine({ type: 'q35', devices: ['pcie-root-port,id=rp1', 'e1000e,bus=rp1'] })
  expect(host.readMemory(0xb000_0000 + 0x100000 + 0x100, 4)).toBe(0x14020001)
  expect(host.read(1, 0, 0, 0x100, 2)).toBe(1)
  const pc = createPciMachine({ type: 'pc', devices: ['e1000e'] })
  expect(pc.read(0, 2, 0, 0x100, 2)).toBe(0xffff)
})

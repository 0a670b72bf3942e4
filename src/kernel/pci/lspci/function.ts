/** A function as lspci knows it: its identity, its regions, who is above it; by the system if there is one, else by its registers. */
import type { Filtered } from './filter.ts'
import { type PciFunction, type Region, Space } from './space.ts'

export const IO = 0x100
export const MEMORY = 0x200
export const PREFETCH = 0x2000
export const MEMORY_64 = 0x100000

export class Fn implements Filtered {
  readonly of: PciFunction
  readonly space: Space
  readonly ids: { vendor: number; device: number; class: number; progIf: number; revision: number }
  readonly subsystem: [vendor: number, device: number] | undefined

  constructor(of: PciFunction) {
    this.of = of
    this.space = new Space(of)
    const { os } = of
    this.ids = {
      vendor: os?.vendor ?? this.space.raw(0, 2),
      device: os?.device ?? this.space.raw(2, 2),
      class: os?.class ?? this.space.raw(10, 2),
      progIf: os?.progIf ?? this.space.raw(9, 1),
      revision: os?.revision ?? this.space.raw(8, 1),
    }
    this.subsystem = os?.subsystem ?? this.#subsystem()
  }

  get domain(): number {
    return this.of.domain
  }
  get bus(): number {
    return this.of.bus
  }
  get device(): number {
    return this.of.device
  }
  get func(): number {
    return this.of.func
  }

  get isBridge(): boolean {
    const type = this.space.headerType
    return this.ids.class >> 8 === 6 && (type === 1 || type === 2)
  }

  /** The bus number registers: where they stand is the same for both kinds of bridges. */
  get buses(): { primary: number; secondary: number; subordinate: number } {
    return { primary: this.space.u8(0x18), secondary: this.space.u8(0x19), subordinate: this.space.u8(0x1a) }
  }

  /** A bridge has its subsystem in a capability. */
  #subsystem(): [number, number] | undefined {
    const at = (register: number): [number, number] => [this.space.raw(register, 2), this.space.raw(register + 2, 2)]
    const type = this.space.raw(0x0e, 1) & 0x7f
    if (type === 0) return at(0x2c)
    if (type === 2) return at(0x40)
    if (type !== 1) return undefined
    if (!(this.space.raw(6, 2) & 0x10)) return [0, 0]
    const seen = new Set<number>()
    for (let cap = this.space.raw(0x34, 1) & ~3; cap !== 0 && !seen.has(cap); cap = this.space.raw(cap + 1, 1) & ~3) {
      seen.add(cap)
      const id = this.space.raw(cap, 1)
      if (id === 0xff) break
      if (id === 0x0d) return at(cap + 4)
    }
    return [0, 0]
  }

  get irq(): number {
    return this.of.os?.irq ?? this.space.raw(0x3c, 1)
  }

  /** The addresses of the base registers, with their low bits. */
  bases(busView: boolean, warn: (text: string) => void): bigint[] {
    const { os } = this.of
    if (os && !busView) return os.regions.slice(0, 6).map(({ base, flags }) => base | BigInt(flags & 15))
    const bases = new Array<bigint>(6).fill(0n)
    const count = [6, 2, 1][this.space.raw(0x0e, 1) & 0x7f] ?? 0
    for (let i = 0; i < count; i++) {
      const low = this.space.raw(0x10 + 4 * i, 4)
      if (low === 0 || low === 0xffff_ffff) continue
      if (low & 1 || (low & 6) !== 4) bases[i] = BigInt(low)
      else if (i < count - 1) {
        bases[i] = BigInt(low) | (BigInt(this.space.raw(0x14 + 4 * i, 4)) << 32n)
        i++
      } else warn(`${this.address}: Invalid 64-bit address seen for BAR ${i}.`)
    }
    return bases
  }

  rom(busView: boolean): bigint {
    const { os } = this.of
    if (os && !busView) return (os.regions[6]?.base ?? 0n) | BigInt((os.regions[6]?.flags ?? 0) & 15)
    const register = { 0: 0x30, 1: 0x38 }[this.space.raw(0x0e, 1) & 0x7f]
    const value = register === undefined ? 0 : this.space.raw(register, 4)
    return value === 0xffff_ffff ? 0n : BigInt(value)
  }

  /** What the system made of a region, if there is one. */
  region(i: number, busView: boolean): Region | undefined {
    return busView ? undefined : this.of.os?.regions[i]
  }

  get address(): string {
    const two = (value: number, digits = 2) => value.toString(16).padStart(digits, '0')
    return `${two(this.domain, 4)}:${two(this.bus)}:${two(this.device)}.${this.func}`
  }
}

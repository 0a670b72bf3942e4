/**
 * A function's configuration space as software meets it: bytes, which of them can be written, and what a write does
 * besides. PCI Local Bus 3.0, 6.1 to 6.3.
 */

export interface Bar {
  /** Which register: 0 to 5; 6 is the expansion ROM. */
  index: number
  kind: 'io' | 'memory'
  /** A power of two. */
  size: number
  wide?: boolean
  prefetch?: boolean
}

export class ConfigSpace {
  readonly bytes: Uint8Array
  /** One bits can be written. */
  readonly writable: Uint8Array
  /** One bits are cleared by writing one. */
  readonly clearable: Uint8Array
  readonly bars: readonly Bar[]

  /** @param length 256, or 4096 for PCI Express */
  constructor(length: 256 | 4096, bars: readonly Bar[]) {
    this.bytes = new Uint8Array(length)
    this.writable = new Uint8Array(length)
    this.clearable = new Uint8Array(length)
    this.bars = bars
  }

  /** What doesn't exist reads as ones. */
  read(at: number, size: 1 | 2 | 4): number {
    let value = 0
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.bytes[at + i] ?? 0xff)
    return value
  }

  write(at: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size && at + i < this.bytes.length; i++) {
      const byte = Math.floor(value / 2 ** (8 * i)) & 0xff
      const old = this.bytes[at + i]!
      const mask = this.writable[at + i]!
      this.bytes[at + i] = ((old & ~mask) | (byte & mask)) & ~(byte & this.clearable[at + i]!)
    }
  }

  /** Puts a value in as the device does, whatever software may write. */
  set(at: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff
  }

  /** Says which bits of a register software can write. */
  allow(at: number, size: 1 | 2 | 4, mask: number): void {
    for (let i = 0; i < size; i++)
      this.writable[at + i] = this.writable[at + i]! | (Math.floor(mask / 2 ** (8 * i)) & 0xff)
  }

  get headerType(): number {
    return this.bytes[0x0e]! & 0x7f
  }

  /** Where a base address register stands. */
  barRegister(index: number): number {
    return index === 6 ? (this.headerType === 1 ? 0x38 : 0x30) : 0x10 + 4 * index
  }

  /** Where a capability stands, 0 if there is none of the kind. */
  capability(id: number): number {
    if (!(this.read(6, 2) & 0x10)) return 0
    const seen = new Set<number>()
    for (let at = this.bytes[0x34]! & ~3; at !== 0 && !seen.has(at); at = this.bytes[at + 1]! & ~3) {
      if (this.bytes[at] === id) return at
      seen.add(at)
    }
    return 0
  }

  /** Where an extended capability stands. */
  extended(id: number): number {
    for (let at = 0x100; at + 4 <= this.bytes.length; ) {
      const header = this.read(at, 4)
      if (header === 0 || header === 0xffff_ffff) return 0
      if ((header & 0xffff) === id) return at
      at = header >>> 20
      if (at < 0x100) return 0
    }
    return 0
  }

  /** Software's address of a region; undefined while decoding is off or there is no address. */
  address(bar: Bar): bigint | undefined {
    const register = this.barRegister(bar.index)
    const low = this.read(register, 4)
    if (!(this.read(4, 2) & (bar.kind === 'io' ? 1 : 2)) || (bar.index === 6 && !(low & 1))) return undefined
    const mask = bar.kind === 'io' ? 3 : bar.index === 6 ? 0x7ff : 15
    const base = BigInt(low - (low & mask)) | (bar.wide ? BigInt(this.read(register + 4, 4)) << 32n : 0n)
    return base === 0n ? undefined : base
  }

  /** Makes the standard registers writable as the header's type has them. */
  standard(): void {
    this.allow(0x04, 2, 0x0547)
    for (const at of [0x07, 0x1f]) if (at === 0x07 || this.headerType === 1) this.clearable[at] = 0xf9
    this.allow(0x0c, 2, 0xffff)
    this.allow(0x3c, 1, 0xff)
    for (const { index, kind, size, wide, prefetch } of this.bars) {
      const register = this.barRegister(index)
      const mask = (0x1_0000_0000 - size) % 0x1_0000_0000
      this.allow(register, 4, index === 6 ? mask + 1 : mask)
      if (index !== 6) this.set(register, 4, kind === 'io' ? 1 : (wide ? 4 : 0) | (prefetch ? 8 : 0))
      if (wide) this.allow(register + 4, 4, 0xffff_ffff)
    }
    if (this.headerType === 1) {
      this.allow(0x18, 4, 0xffff_ffff)
      if (this.bytes[0x1c] !== 0xff) this.allow(0x1c, 2, 0xf0f0)
      this.allow(0x20, 4, 0xfff0_fff0)
      this.allow(0x24, 4, 0xfff0_fff0)
      this.allow(0x28, 4, 0xffff_ffff)
      this.allow(0x2c, 4, 0xffff_ffff)
      this.allow(0x30, 4, 0xffff_ffff)
      this.allow(0x3e, 2, 0x0fff)
    }
    const power = this.capability(0x01)
    if (power) {
      this.allow(power + 4, 2, 0x1f03)
      this.clearable[power + 5] = 0x80
    }
    const msi = this.capability(0x05)
    if (msi) {
      const control = this.read(msi + 2, 2)
      const wide = (control & 0x80) !== 0
      this.allow(msi + 2, 2, 0x0071)
      this.allow(msi + 4, 4, 0xffff_fffc)
      if (wide) this.allow(msi + 8, 4, 0xffff_ffff)
      this.allow(msi + (wide ? 12 : 8), 2, 0xffff)
      if (control & 0x100) this.allow(msi + (wide ? 16 : 12), 4, 2 ** (2 ** ((control >> 1) & 7)) - 1)
    }
    const msix = this.capability(0x11)
    if (msix) this.allow(msix + 2, 2, 0xc000)
    const express = this.capability(0x10)
    if (express) {
      this.allow(express + 8, 2, 0x7fff)
      this.clearable[express + 10] = 0x0f
      this.allow(express + 16, 2, 0x0fdb)
      this.allow(express + 24, 2, 0x1fff)
      this.allow(express + 28, 2, 0x001f)
      this.allow(express + 40, 2, 0x7fff)
      this.allow(express + 48, 2, 0xffff)
    }
  }
}

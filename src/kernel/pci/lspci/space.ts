/** One function's configuration space as lspci reads it: piece by piece, what can't be read stays unread. */
import type { PciIds } from './ids.ts'

/** Ends the program with a message, as its `die` does: status 1, what was printed so far stays. */
export class Fatal extends Error {
  override readonly name = 'Fatal'
}

/** What reads a function's registers: the bytes, or nothing if some of them are out of reach. */
export type ReadConfig = (at: number, length: number) => Uint8Array | undefined

export interface Region {
  base: bigint
  size: bigint
  /** The kernel's IORESOURCE_ flags. */
  flags: number
}

/** What the operating system says of a function besides its registers; a dump says none of it. */
export interface OsView {
  vendor: number
  device: number
  class: number
  subsystem?: [vendor: number, device: number] | undefined
  revision?: number | undefined
  progIf?: number | undefined
  irq: number
  /** Six regions, the ROM, and a bridge's four windows; as /sys/.../resource has them. */
  regions: Region[]
  parent?: PciFunction | undefined
  driver?: string | undefined
  modules?: string[] | undefined
  slot?: string | undefined
  label?: string | undefined
  numaNode?: number | undefined
  iommuGroup?: string | undefined
  /** Vital product data, where the kernel gives it. */
  vpd?: Uint8Array | undefined
}

export interface PciFunction {
  domain: number
  bus: number
  device: number
  func: number
  read: ReadConfig
  os?: OsView | undefined
}

const NEVER = 0xff

/** The registers that have been read so far, and how to read more. */
export class Space {
  readonly of: PciFunction
  /** How many bytes of the standard header there are: 64, 128 for CardBus, 0 if nothing can be read. */
  readonly standard: number
  readonly #bytes = new Uint8Array(4096).fill(NEVER)
  readonly #read = new Uint8Array(4096)

  constructor(of: PciFunction) {
    this.of = of
    let standard = this.load(0, 64) ? 64 : 0
    if (standard > 0 && (this.u8(0x0e) & 0x7f) === 2 && this.load(64, 64)) standard = 128
    this.standard = standard
  }

  get readable(): boolean {
    return this.standard > 0
  }

  /** Sees to it that these bytes are read; false if they can't be. */
  load(at: number, length: number): boolean {
    let from = at
    let to = at + length
    while (from < to && this.#read[from]) from++
    while (from < to && this.#read[to - 1]) to--
    if (from >= to) return true
    const bytes = to <= 4096 ? this.of.read(from, to - from) : undefined
    if (!bytes) return false
    this.#bytes.set(bytes, from)
    this.#read.fill(1, from, to)
    return true
  }

  /** A byte that `load` has read. */
  u8(at: number): number {
    if (!this.#read[at])
      throw new Fatal(`Internal bug: Accessing non-read configuration byte at position ${at.toString(16)}`)
    return this.#bytes[at]!
  }

  u16(at: number): number {
    return this.u8(at) | (this.u8(at + 1) << 8)
  }

  u32(at: number): number {
    return (this.u16(at) | (this.u16(at + 2) << 16)) >>> 0
  }

  u64(at: number): bigint {
    return BigInt(this.u32(at)) | (BigInt(this.u32(at + 4)) << 32n)
  }

  /** A register read past what has been shown: all ones where there is nothing. */
  raw(at: number, length: 1 | 2 | 4): number {
    const bytes = this.of.read(at, length)
    let value = 0
    for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes?.[i] ?? NEVER)
    return value
  }

  get headerType(): number {
    return this.readable ? this.u8(0x0e) & 0x7f : -1
  }
}

/** What a decoder is given. */
export interface Look {
  space: Space
  verbose: number
  ids: PciIds
  print(text: string): void
}

export function hex(value: number | bigint, digits = 0): string {
  return value.toString(16).padStart(digits, '0')
}

/** `width` bits of a register from bit `at`. */
export function field(value: number, at: number, width: number): number {
  return Math.floor(value / 2 ** at) % 2 ** width
}

export function sign(on: unknown): '+' | '-' {
  return on ? '+' : '-'
}

const parsed = new Map<string, [name: string, bit: number][]>()

/** Names with + or - behind: `flags(0x21, 'ExtTag 5 RBE 15')` is `ExtTag+ RBE-`. */
export function flags(value: number, names: string): string {
  let pairs = parsed.get(names)
  if (!pairs) {
    const words = names.split(' ')
    pairs = []
    for (let i = 0; i < words.length; i += 2) pairs.push([words[i]!, Number(words[i + 1])])
    parsed.set(names, pairs)
  }
  return pairs.map(([name, bit]) => name + sign(field(value, bit, 1))).join(' ')
}

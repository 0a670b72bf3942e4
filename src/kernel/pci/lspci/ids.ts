/**
 * Names of vendors, devices and classes, by a list in the format of pci.ids: a vendor begins a line, its devices stand a
 * tab further in, their subsystems two; classes follow a `C`.
 */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { hex } from './space.ts'

/** How a name is shown: alone, as its number, or as both. */
export type IdMode = 'names' | 'numbers' | 'both'

export class PciIds {
  mode: IdMode = 'names'
  /** Whether udev's hardware database is asked next: to it, each subsystem of a device that it knows has the device's name. */
  udev = true
  readonly #load: () => string
  #names: Map<string, string> | undefined

  constructor(load: () => string) {
    this.#load = load
  }

  #find(key: string): string | undefined {
    this.#names ??= parse(this.#load())
    return this.#names.get(key)
  }

  vendor(id: number, size = 128): string {
    return this.#single(this.#find(`v${id}`), hex(id, 4), 'Vendor', size)
  }

  device(vendor: number, id: number, size = 128): string {
    return this.#single(this.#find(`d${vendor}:${id}`), hex(id, 4), 'Device', size)
  }

  /** Vendor and device in one. */
  both(vendor: number, device: number, size = 128): string {
    return this.#pair(this.#find(`v${vendor}`), this.#find(`d${vendor}:${device}`), vendor, device, size)
  }

  subsystem(of: [vendor: number, device: number], vendor: number, device: number, size = 256): string {
    return this.#pair(this.#find(`v${vendor}`), this.#subsystemName(of, vendor, device), vendor, device, size)
  }

  subsystemVendor(vendor: number, size = 128): string {
    return this.#single(this.#find(`v${vendor}`), hex(vendor, 4), 'Unknown vendor', size)
  }

  subsystemDevice(of: [vendor: number, device: number], vendor: number, device: number, size = 128): string {
    return this.#single(this.#subsystemName(of, vendor, device), hex(device, 4), 'Device', size)
  }

  class(id: number, size = 128): string {
    const exact = this.#find(`s${id}`)
    const name = exact ?? this.#find(`c${id >> 8}`)
    // A class that is only known by its first half has its number besides.
    return this.#single(name, hex(id, 4), 'Class', size, exact === undefined && name !== undefined)
  }

  /** A programming interface's name, never its number. */
  interface(id: number, progIf: number): string | undefined {
    const name = this.#find(`p${id}:${progIf}`)
    if (name !== undefined || id !== 0x0101 || (progIf & 0x70) !== 0) return name
    // IDE: a bit each for the master, and for each channel its mode and whether that can be chosen.
    const bits: [number, string][] = [
      [0x80, 'Master'],
      [8, 'SecP'],
      [4, 'SecO'],
      [2, 'PriP'],
      [1, 'PriO'],
    ]
    return bits
      .filter(([bit]) => progIf & bit)
      .map(([, word]) => word)
      .join(' ')
  }

  #subsystemName(of: [number, number], vendor: number, device: number): string | undefined {
    const own = of[0] > 0 && of[1] > 0 ? this.#find(`u${of[0]}:${of[1]}:${vendor}:${device}`) : undefined
    if (own !== undefined) return own
    const name = this.#find(`d${of[0]}:${of[1]}`)
    // There `#` begins a comment.
    if (of[0] > 0 && of[1] > 0 && this.udev && name !== undefined) return name.replace(/\s*#.*$/, '')
    return of[0] === vendor && of[1] === device ? name : undefined
  }

  #single(name: string | undefined, number: string, unknown: string, size: number, alsoNumber = false): string {
    if (this.mode === 'numbers') return number
    const both = this.mode === 'both' || alsoNumber
    if (name === undefined) return cut(both ? `${unknown} [${number}]` : `${unknown} ${number}`, size)
    return cut(both ? `${name} [${number}]` : name, size)
  }

  #pair(v: string | undefined, d: string | undefined, vendor: number, device: number, size: number): string {
    const number = `${hex(vendor, 4)}:${hex(device, 4)}`
    if (this.mode === 'numbers') return number
    const both = this.mode === 'both'
    if (v === undefined) return cut(both ? `Device [${number}]` : `Device ${number}`, size)
    if (d === undefined) return cut(both ? `${v} Device [${number}]` : `${v} Device ${hex(device, 4)}`, size)
    return cut(both ? `${v} ${d} [${number}]` : `${v} ${d}`, size)
  }
}

/** What doesn't fit in a buffer ends with three dots. */
function cut(text: string, size: number): string {
  if (text.length * 3 < size) return text
  const bytes = encodeUtf8(text)
  return bytes.length < size ? text : `${decodeUtf8(bytes.subarray(0, size - 4))}...`
}

function parse(text: string): Map<string, string> {
  const names = new Map<string, string>()
  let vendor = -1
  let device = -1
  let inClasses = false
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('\t\t')) {
      const number = Number.parseInt(line.slice(2, inClasses ? 4 : 6), 16)
      if (inClasses) names.set(`p${(vendor << 8) | device}:${number}`, line.slice(6))
      else names.set(`u${vendor}:${device}:${number}:${Number.parseInt(line.slice(7, 11), 16)}`, line.slice(13))
    } else if (line.startsWith('\t')) {
      device = Number.parseInt(line.slice(1, inClasses ? 3 : 5), 16)
      if (inClasses) names.set(`s${(vendor << 8) | device}`, line.slice(5))
      else names.set(`d${vendor}:${device}`, line.slice(7))
    } else if (/^[0-9a-f]{4} {2}/i.test(line)) {
      inClasses = false
      vendor = Number.parseInt(line.slice(0, 4), 16)
      names.set(`v${vendor}`, line.slice(6))
    } else if (/^C [0-9a-f]{2} {2}/i.test(line)) {
      inClasses = true
      vendor = Number.parseInt(line.slice(2, 4), 16)
      names.set(`c${vendor}`, line.slice(6))
    }
  }
  return names
}

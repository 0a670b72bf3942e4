/** What a dissection is made of, and what it is made with. */
import { formatHex } from '#base/bytes'
import { formatMac, readMac } from '#wire/link'
import { formatIpv4 } from './address.ts'

export interface Field {
  /** Wireshark's filter name: `ip.ttl`. */
  name: string
  label: string
  value: string
  offset: number
  length: number
  /** Where it stands within those bytes, counted from the highest bit of the first, if it isn't all of them. */
  bits?: { offset: number; length: number }
  /** For a checksum: what was found. Unverified: parts of what it covers aren't here. */
  check?: 'good' | 'bad' | 'unverified'
  children?: Field[]
}

export interface Layer {
  /** `eth`, `vlan`, `arp`, `ip`, `icmp`, `udp`, `tcp`, `igmp`, `data`. */
  name: string
  title: string
  offset: number
  length: number
  fields: Field[]
}

/** A MAC address as Wireshark's titles have it when it knows no name for it. */
export function macText(mac: number): string {
  return `${formatMac(mac)} (${formatMac(mac)})`
}

/** Collects a layer's fields; whoever calls has checked that the bytes are there. */
export class LayerBuilder {
  readonly bytes: Uint8Array
  readonly #name: string
  readonly #offset: number
  #fields: Field[] = []

  constructor(bytes: Uint8Array, name: string, offset: number) {
    this.bytes = bytes
    this.#name = name
    this.#offset = offset
  }

  layer(title: string, end: number): Layer {
    return { name: this.#name, title, offset: this.#offset, length: end - this.#offset, fields: this.#fields }
  }

  word(at: number): number {
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  word32(at: number): number {
    return this.word(at) * 65536 + this.word(at + 2)
  }

  field(name: string, label: string, offset: number, length: number, value: string): Field {
    const field: Field = { name, label, value, offset, length }
    this.#fields.push(field)
    return field
  }

  bits(name: string, label: string, offset: number, length: number, from: number, count: number, value: string): Field {
    const field = this.field(name, label, offset, length, value)
    field.bits = { offset: from, length: count }
    return field
  }

  /** Big-endian, of 1, 2 or 4 bytes. */
  number(name: string, label: string, at: number, length: 1 | 2 | 4): number {
    const value = length === 1 ? this.bytes[at]! : length === 2 ? this.word(at) : this.word32(at)
    this.field(name, label, at, length, String(value))
    return value
  }

  mac(name: string, label: string, at: number): number {
    const mac = readMac(this.bytes, at)
    this.field(name, label, at, 6, formatMac(mac))
    return mac
  }

  ipv4(name: string, label: string, at: number): number {
    const address = this.word32(at)
    this.field(name, label, at, 4, formatIpv4(address))
    return address
  }

  hex(name: string, label: string, at: number, length: number): Field {
    return this.field(name, label, at, length, formatHex(this.bytes.subarray(at, at + length)))
  }

  /** A checksum; `right` is what should be there, undefined if that can't be said. */
  checksum(name: string, at: number, right: number | undefined, note = ''): void {
    const found = this.word(at)
    const hex = (word: number) => `0x${word.toString(16).padStart(4, '0')}`
    const good =
      right === undefined ? undefined : found === right || ((found ^ right) === 0xffff && (found === 0 || right === 0))
    const verdict =
      note !== '' ? note : good === undefined ? 'unverified' : good ? 'correct' : `incorrect, should be ${hex(right!)}`
    const field = this.field(`${name}.checksum`, 'Checksum', at, 2, `${hex(found)} [${verdict}]`)
    field.check = good === undefined ? 'unverified' : good ? 'good' : 'bad'
  }
}

/** Adds what nothing above takes apart. */
export function dataLayer(layers: Layer[], bytes: Uint8Array, at: number, end: number): void {
  if (at >= end) return
  const data = new LayerBuilder(bytes, 'data', at)
  data.hex('data.data', 'Data', at, end - at)
  layers.push(data.layer(`Data (${end - at} byte${end - at === 1 ? '' : 's'})`, end))
}

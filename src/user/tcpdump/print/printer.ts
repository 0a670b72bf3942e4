/**
 * What all printers share: the frame's bytes, where they end, the options, and the text so far. Bytes beyond the end
 * are asked for like any others: the asking prints `[|protocol]` and ends the line, as tcpdump's does.
 *
 * tcpdump 4.99.3 netdissect.h, print.c.
 */
import { hexByte } from '#base/bytes'
import { formatIpv4, formatIpv6, type Ipv6Address, readIpv6 } from '#wire/inet'
import { formatMac, readMac } from '#wire/link'

export interface PrintOptions {
  /** -e, -v (how often), -q, -n, -S, -K. */
  link: boolean
  verbose: number
  quiet: boolean
  numeric: boolean
  absolute: boolean
  noChecksums: boolean
  /** Something else prints the bytes (-x, -X, -A). */
  hasDump: boolean
}

/** Names for numbers, where -n isn't given. */
export interface PrintNames {
  host(address: number): string | undefined
  host6(address: Ipv6Address): string | undefined
  /** Of /etc/services. */
  port(port: number, protocol: 'tcp' | 'udp'): string | undefined
  interface(index: number): string | undefined
}

/** A TCP conversation's first numbers. */
export interface Conversation {
  seq: number
  ack: number
}

class Truncated extends Error {}

export class Printer {
  readonly options: PrintOptions
  readonly names: PrintNames
  readonly conversations = new Map<string, Conversation>()
  text = ''
  bytes: Uint8Array = new Uint8Array(0)
  /** Where what may be looked at ends: the capture's end, or an inner packet's. */
  end = 0
  /** Whose header is being read, for `[|protocol]`. */
  protocol = ''

  constructor(options: PrintOptions, names: PrintNames) {
    this.options = options
    this.names = names
  }

  /** The text of one frame, without stamp and without newline. */
  line(bytes: Uint8Array, body: (printer: Printer) => void): string {
    this.text = ''
    this.bytes = bytes
    this.end = bytes.length
    try {
      body(this)
    } catch (error) {
      if (!(error instanceof Truncated)) throw error
      this.truncated()
    }
    return this.text
  }

  put(text: string): void {
    this.text += text
  }

  /** Says that bytes are missing, and goes on. */
  truncated(): void {
    this.text += ` [|${this.protocol}]`
  }

  has(at: number, length: number): boolean {
    return at + length <= this.end
  }

  need(at: number, length: number): void {
    if (at + length > this.end) throw new Truncated()
  }

  u8(at: number): number {
    this.need(at, 1)
    return this.bytes[at]!
  }

  u16(at: number): number {
    this.need(at, 2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  u32(at: number): number {
    this.need(at, 4)
    const { bytes } = this
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  mac(at: number): string {
    this.need(at, 6)
    return formatMac(readMac(this.bytes, at))
  }

  /** A link-layer address of any length. */
  linkAddress(at: number, length: number): string {
    if (length === 0) return '<empty>'
    this.need(at, length)
    let text = ''
    for (let i = 0; i < length; i++) text += (i > 0 ? ':' : '') + hexByte(this.bytes[at + i]!)
    return text
  }

  /** An IPv4 address, by name unless -n. */
  address(at: number): string {
    return this.addressName(this.u32(at))
  }

  addressName(address: number): string {
    return (this.options.numeric ? undefined : this.names.host(address)) ?? formatIpv4(address)
  }

  /** An IPv6 address, by name unless -n. */
  address6(at: number): string {
    this.need(at, 16)
    const address = readIpv6(this.bytes, at)
    return (this.options.numeric ? undefined : this.names.host6(address)) ?? formatIpv6(address)
  }

  /** A prefix of which only the first bytes are there. */
  address6Part(at: number, length: number): string {
    this.need(at, length)
    const bytes = new Uint8Array(16)
    bytes.set(this.bytes.subarray(at, at + Math.min(16, length)))
    return formatIpv6(readIpv6(bytes, 0))
  }

  portName(port: number, protocol: 'tcp' | 'udp'): string {
    return (this.options.numeric ? undefined : this.names.port(port, protocol)) ?? String(port)
  }

  /** Runs with the end moved nearer. */
  within(end: number, body: () => void): void {
    const before = this.end
    if (end < before) this.end = end
    body()
    this.end = before
  }

  /** Bytes that nothing takes apart. */
  defaultPrint(at: number, length: number): void {
    this.text += hexAndAscii(this.bytes.subarray(at, Math.min(at + length, this.bytes.length)), '\n\t')
  }
}

/** Lines of 16 bytes, in hexadecimal and as characters. tcpdump 4.99.3 print-ascii.c: hex_and_ascii_print_with_offset() */
export function hexAndAscii(bytes: Uint8Array, indent: string): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 16) {
    let hex = ''
    let ascii = ''
    for (let i = at; i < Math.min(at + 16, bytes.length); i++) {
      const byte = bytes[i]!
      hex += (i % 2 === 0 ? ' ' : '') + hexByte(byte)
      ascii += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
    }
    text += `${indent}0x${at.toString(16).padStart(4, '0')}: ${hex.padEnd(40)}  ${ascii}`
  }
  return text
}

/** Lines of 16 bytes in hexadecimal. */
export function hexLines(bytes: Uint8Array, indent: string): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 16) {
    let hex = ''
    for (let i = at; i < Math.min(at + 16, bytes.length); i++) hex += (i % 2 === 0 ? ' ' : '') + hexByte(bytes[i]!)
    text += `${indent}0x${at.toString(16).padStart(4, '0')}: ${hex}`
  }
  return text
}

/** Characters as -A prints them: newlines and tabs stay. */
export function asciiText(bytes: Uint8Array): string {
  if (bytes.length === 0) return ''
  let text = '\n'
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    // Left out at a line's end, and, as tcpdump counts, before the last byte.
    if (byte === 0x0d && (i + 2 >= bytes.length || bytes[i + 1] === 0x0a)) continue
    text += byte === 0x0a || byte === 0x09 || (byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(byte) : '.'
  }
  return text
}

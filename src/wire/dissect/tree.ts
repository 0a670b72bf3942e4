/** What a dissection is made of: nodes with Wireshark's names and lines, each with the bytes that it stands in. */

import { formatIpv4, formatIpv6, readIpv6 } from '#wire/inet'
import { formatMac, readMac } from '#wire/link'

/** Numbers stand for whole numbers, truth, IPv4 addresses, and seconds; bytes for MAC and IPv6 addresses too. */
export type NodeValue = number | string | Uint8Array | undefined

export interface TreeNode {
  /** Wireshark's filter name: `ip.ttl`; empty for a line that has none. */
  name: string
  /** The line as Wireshark's tree has it. */
  text: string
  value: NodeValue
  /** Where it stands in its source; a length of 0 means that it was worked out rather than read. */
  at: number
  length: number
  /** Which of the frame's sources: 0 is the frame, others were put together of several frames. */
  source: number
  /** For filters only, as Wireshark hides it. */
  hidden?: boolean
  /** For a checksum: what was found. */
  check?: 'good' | 'bad' | 'unverified'
  children: TreeNode[]
}

/** Where a protocol reads: bytes from `at` to `end` of a source. */
export interface Window {
  bytes: Uint8Array
  source: number
  at: number
  end: number
}

export const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`

/** Seconds with nine digits, from nanoseconds. */
export function secondsText(ns: number): string {
  const whole = Math.floor(ns / 1e9)
  return `${whole}.${String(Math.round(ns - whole * 1e9)).padStart(9, '0')}`
}

/** A MAC address with the name that it has by itself. @see wireshark-common's manuf, of which these are the well-known ones */
export function macName(text: string): string {
  if (text === 'ff:ff:ff:ff:ff:ff') return 'Broadcast'
  if (text === '00:00:00:00:00:00') return '00:00:00_00:00:00'
  if (text.startsWith('33:33:')) return `IPv6mcast_${text.slice(6).replace(/^(?:00:)*(?=..)/u, '')}`
  if (text.startsWith('01:00:5e:')) return `IPv4mcast_${text.slice(9).replace(/^(?:00:)*(?=..)/u, '')}`
  if (text === '01:80:c2:00:00:00') return 'Spanning-tree-(for-bridges)_00'
  const vrrp = /^00:00:5e:00:01:(..)$/u.exec(text)
  if (vrrp) return `IETF-VRRP-VRID_${vrrp[1]}`
  return text
}

/** A bit field's picture: `.1.. ....`. */
export function bitPicture(value: number, mask: number, width: number): string {
  let picture = ''
  for (let bit = width - 1; bit >= 0; bit--) {
    const weight = 2 ** bit
    picture += Math.floor(mask / weight) % 2 === 1 ? (Math.floor(value / weight) % 2 === 1 ? '1' : '0') : '.'
    if (bit % 4 === 0 && bit > 0) picture += ' '
  }
  return picture
}

/** Adds nodes below one; whoever calls has checked that the bytes are there. */
export class Branch {
  readonly node: TreeNode
  readonly bytes: Uint8Array
  readonly source: number

  constructor(node: TreeNode, bytes: Uint8Array) {
    this.node = node
    this.bytes = bytes
    this.source = node.source
  }

  /** The branch of the node that was added last. */
  child(): Branch {
    return new Branch(this.node.children.at(-1)!, this.bytes)
  }

  word(at: number): number {
    return this.bytes[at]! * 256 + this.bytes[at + 1]!
  }

  word32(at: number): number {
    return this.word(at) * 65536 + this.word(at + 2)
  }

  add(name: string, text: string, value: NodeValue, at: number, length: number): Branch {
    const node: TreeNode = { name, text, value, at, length, source: this.source, children: [] }
    this.node.children.push(node)
    return new Branch(node, this.bytes)
  }

  hide(name: string, value: NodeValue, at: number, length: number): void {
    this.add(name, '', value, at, length).node.hidden = true
  }

  /** Big-endian, of 1 to 4 bytes. */
  read(at: number, length: number): number {
    let value = 0
    for (let i = 0; i < length; i++) value = value * 256 + this.bytes[at + i]!
    return value
  }

  /** A number, as it is or with what it means. */
  number(name: string, label: string, at: number, length: number, say?: (value: number) => string): number {
    const value = this.read(at, length)
    this.add(name, `${label}: ${say ? say(value) : value}`, value, at, length)
    return value
  }

  /** Some bits of a number of so many bytes. */
  bits(
    name: string,
    label: string,
    at: number,
    length: number,
    mask: number,
    say: (value: number) => string = String,
  ): number {
    const word = this.read(at, length)
    let shift = 1
    while (Math.floor(mask / shift) % 2 === 0) shift *= 2
    const value = Math.floor(andMask(word, mask) / shift)
    this.add(name, `${bitPicture(word, mask, length * 8)} = ${label}: ${say(value)}`, value, at, length)
    return value
  }

  flag(name: string, label: string, at: number, length: number, mask: number, yes = 'Set', no = 'Not set'): boolean {
    return this.bits(name, label, at, length, mask, (value) => (value ? yes : no)) !== 0
  }

  mac(name: string, label: string, at: number): Branch {
    const text = formatMac(readMac(this.bytes, at))
    return this.add(name, `${label}: ${macName(text)} (${text})`, this.bytes.slice(at, at + 6), at, 6)
  }

  ipv4(name: string, label: string, at: number): number {
    const value = this.word32(at)
    this.add(name, `${label}: ${formatIpv4(value)}`, value, at, 4)
    return value
  }

  ipv6(name: string, label: string, at: number): string {
    const text = formatIpv6(readIpv6(this.bytes, at))
    this.add(name, `${label}: ${text}`, this.bytes.slice(at, at + 16), at, 16)
    return text
  }

  raw(name: string, label: string, at: number, length: number): Branch {
    const value = this.bytes.slice(at, at + length)
    return this.add(name, `${label}: ${bytesText(value)}`, value, at, length)
  }
}

/** Bitwise and of numbers up to 32 bits. */
export const andMask = (value: number, mask: number) => (value & mask) >>> 0

/** Hexadecimal, cut as Wireshark cuts it. */
export function bytesText(bytes: Uint8Array): string {
  const text = Array.from(bytes.subarray(0, 36), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return bytes.length > 36 ? `${text}…` : text
}

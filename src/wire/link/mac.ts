/** MAC addresses: numbers of 48 bits, the first byte on the wire the highest. */
import { hexByte } from '#base/bytes'

/** ff:ff:ff:ff:ff:ff. */
export const MAC_BROADCAST = 0xffffffffffff

/** Six groups of one or two hexadecimal digits, with colons. Undefined if anything else. */
export function parseMac(text: string): number | undefined {
  const groups = text.split(':')
  if (groups.length !== 6) return undefined
  let mac = 0
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,2}$/.test(group)) return undefined
    mac = mac * 256 + Number.parseInt(group, 16)
  }
  return mac
}

/** As Linux's tools write it: six groups of two digits. */
export function formatMac(mac: number): string {
  const high = Math.floor(mac / 0x1_0000_0000)
  const low = mac >>> 0
  return `${hexByte(high >> 8)}:${hexByte(high)}:${hexByte(low >>> 24)}:${hexByte(low >>> 16)}:${hexByte(low >>> 8)}:${hexByte(low)}`
}

/** Whether the group bit is set: multicast or broadcast. IEEE 802. */
export function isGroupMac(mac: number): boolean {
  return (Math.floor(mac / 0x100_0000_0000) & 1) === 1
}

/** The six bytes at a place. */
export function readMac(bytes: Uint8Array, at: number): number {
  const high = bytes[at]! * 256 + bytes[at + 1]!
  const low = ((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0
  return high * 0x1_0000_0000 + low
}

/** Writes the six bytes. */
export function writeMac(bytes: Uint8Array, at: number, mac: number): void {
  const low = mac >>> 0
  const high = (mac - low) / 0x1_0000_0000
  bytes[at] = high >>> 8
  bytes[at + 1] = high
  bytes[at + 2] = low >>> 24
  bytes[at + 3] = low >>> 16
  bytes[at + 4] = low >>> 8
  bytes[at + 5] = low
}

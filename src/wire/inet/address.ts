/** IPv4 addresses and prefixes: unsigned numbers of 32 bits, the first byte on the wire the highest. */

/** Four decimal numbers without leading zeros, as inet_pton(3) takes them. Undefined if anything else. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let address = 0
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined
    const byte = Number(part)
    if (byte > 255) return undefined
    address = address * 256 + byte
  }
  return address
}

/**
 * The forms that inet_aton(3) takes: one to four numbers, decimal, 0octal or 0xhex, the last filling the rest (`10.1`,
 * `0x0a000001`). Undefined if anything else.
 */
export function parseIpv4Loose(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length > 4) return undefined
  let address = 0
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    let value: number
    if (/^0[xX][0-9a-fA-F]+$/.test(part)) value = Number.parseInt(part.slice(2), 16)
    else if (/^0[0-7]*$/.test(part)) value = Number.parseInt(part, 8)
    else if (/^[1-9][0-9]*$/.test(part)) value = Number(part)
    else return undefined
    const room = i < parts.length - 1 ? 256 : 256 ** (5 - parts.length)
    if (value >= room) return undefined
    address = address * room + value
  }
  return address
}

/** Dotted quad. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`
}

/** The mask of a prefix's length, 0 to 32. */
export function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
}

/** The prefix's length of a mask; undefined if its ones aren't contiguous. */
export function prefixOf(mask: number): number | undefined {
  const ones = Math.clz32(~mask)
  return maskOf(ones) === mask >>> 0 ? ones : undefined
}

/** An address with a prefix's length: `10.0.0.1/24`; without one, 32. Undefined if anything else. */
export function parsePrefix(text: string): { address: number; prefix: number } | undefined {
  const slash = text.indexOf('/')
  const address = parseIpv4(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  if (slash < 0) return { address, prefix: 32 }
  const digits = text.slice(slash + 1)
  if (!/^[0-9]{1,2}$/.test(digits) || Number(digits) > 32) return undefined
  return { address, prefix: Number(digits) }
}

/** Whether an address lies in a network. */
export function inPrefix(address: number, network: number, prefix: number): boolean {
  return prefix === 0 || (address ^ network) >>> (32 - prefix) === 0
}

/** The broadcast address of an address's network. */
export function broadcastOf(address: number, prefix: number): number {
  return (address | ~maskOf(prefix)) >>> 0
}

/** 224.0.0.0/4. */
export function isMulticastIpv4(address: number): boolean {
  return address >>> 28 === 14
}

/** 127.0.0.0/8. */
export function isLoopbackIpv4(address: number): boolean {
  return address >>> 24 === 127
}

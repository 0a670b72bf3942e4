/** EDNS options. tcpdump 4.99.3 print-domain.c: eopt_print(); RFC 6891 */
import { hexByte } from '#base/bytes'
import { formatIpv4, formatIpv6, readIpv6 } from '#wire/inet'
import { printName } from './dns-names.ts'
import type { Printer } from './printer.ts'

const OPTIONS: Record<number, string> = {
  1: 'LLQ',
  2: 'UL',
  3: 'NSID',
  5: 'DAU',
  6: 'DHU',
  7: 'N3U',
  8: 'ECS',
  9: 'EXPIRE',
  10: 'COOKIE',
  11: 'KEEPALIVE',
  12: 'PADDING',
  13: 'CHAIN',
  14: 'KEY-TAG',
  16: 'CLIENT-TAG',
  17: 'SERVER-TAG',
}
const SIGNATURES: Record<number, string> = {
  0: 'DELETE',
  1: 'RSAMD5',
  2: 'DH',
  3: 'DS',
  5: 'RSASHA1',
  6: 'DSA-NSEC3-SHA1',
  7: 'RSASHA1-NSEC3-SHA1',
  8: 'RSASHA256',
  10: 'RSASHA512',
  12: 'ECC-GOST',
  13: 'ECDSAP256SHA256',
  14: 'ECDSAP384SHA384',
  15: 'ED25519',
  16: 'ED448',
  252: 'INDIRECT',
  253: 'PRIVATEDNS',
  254: 'PRIVATEOID',
}
const DIGESTS: Record<number, string> = { 1: 'SHA-1', 2: 'SHA-256', 3: 'GOST_R_34.11-94', 4: 'SHA-384' }
const ALGORITHMS: Record<string, Record<number, string>> = { DAU: SIGNATURES, DHU: DIGESTS, N3U: { 1: 'SHA-1' } }

/** @returns whether they were all there */
export function printOptions(printer: Printer, at: number, end: number): boolean {
  if (at >= end) return true
  printer.put(' [')
  while (at < end) {
    if (!printer.has(at, 2)) return false
    const code = printer.u16(at)
    const name = OPTIONS[code] ?? `Opt${code}`
    printer.put(name)
    if (!printer.has(at + 2, 2)) return false
    const length = printer.u16(at + 2)
    if (!printer.has(at + 4, length)) return false
    if (length > 0) printOption(printer, name, at + 4, length)
    at += 4 + length
    if (at < end) printer.put(',')
  }
  printer.put(']')
  return true
}

function printOption(printer: Printer, name: string, at: number, length: number): void {
  const bytes = printer.bytes.subarray(at, at + length)
  const hex = (list: Uint8Array) => [...list].map(hexByte).join('')
  const valid = (right: boolean, text: () => string) => printer.put(right ? ` ${text()}` : '  (invalid)')
  const algorithms = ALGORITHMS[name]
  if (algorithms !== undefined) printer.put(` ${[...bytes].map((byte) => algorithms[byte] ?? `Alg_${byte}`).join(' ')}`)
  else if (name === 'ECS') valid(isSubnet(printer, at, length), () => subnet(printer, at, length))
  else if (name === 'COOKIE')
    valid(
      length === 8 || (length >= 16 && length <= 40),
      () => hex(bytes.subarray(0, 8)) + (length > 8 ? ` ${hex(bytes.subarray(8))}` : ''),
    )
  else if (name === 'KEEPALIVE') valid(length === 2, () => `${(printer.u16(at) / 10).toFixed(1)} sec`)
  else if (name === 'EXPIRE') valid(length === 4, () => `${printer.u32(at)} sec`)
  else if (name === 'PADDING') printer.put(` (${length})`)
  else if (name === 'KEY-TAG')
    valid(length % 2 === 0, () =>
      Array.from({ length: length / 2 }, (_, i) => String(printer.u16(at + 2 * i))).join(' '),
    )
  else if (name === 'CHAIN') {
    printer.put(' ')
    printName(printer, at, at + length)
  } else printer.put(` ${hex(bytes)}`)
}

function isSubnet(printer: Printer, at: number, length: number): boolean {
  if (length < 4) return false
  const bits = { 1: 32, 2: 128 }[printer.u16(at)]
  const source = printer.u8(at + 2)
  if (bits === undefined || length - 4 > bits / 8) return false
  return source <= bits && printer.u8(at + 3) <= bits && (source + 7) >>> 3 === length - 4
}

function subnet(printer: Printer, at: number, length: number): string {
  const address = new Uint8Array(16)
  address.set(printer.bytes.subarray(at + 4, at + length))
  const text =
    printer.u16(at) === 1
      ? formatIpv4(((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0)
      : formatIpv6(readIpv6(address, 0))
  return `${text}/${printer.u8(at + 2)}/${printer.u8(at + 3)}`
}

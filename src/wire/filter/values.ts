/** Values that a filter compares, and literals as values of a field's kind. */

import { daysOfCivil } from '#base/text'
import type { FieldKind } from '#wire/dissect'
import { formatIpv4, ipv6Bytes, parseIpv4, parseIpv6 } from '#wire/inet'
import { parseMac } from '#wire/link'
import { FilterError, type Token } from './scan.ts'

/** A number with the bits that count, or bytes with those that count, or text. */
export interface Value {
  kind: FieldKind
  number?: number
  text?: string
  bytes?: Uint8Array
  /** Only these bits are compared: of 10.0.0.0/8 the first eight. */
  mask?: number
  prefix?: number
  /** What the number means, as the tree says it: `request`. */
  meaning?: string
}

const wrong = (token: Token, what: string) => new FilterError({ at: token.at, length: Math.max(1, token.length), what })

export function encode(text: string): Uint8Array {
  const bytes: number[] = []
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (code < 0x80) bytes.push(code)
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63))
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63))
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63))
  }
  return Uint8Array.from(bytes)
}

/** Bytes written as `01:02`, `01-02`, `01.02`, `0102` or `0x0102`. */
export function parseBytes(text: string): Uint8Array | undefined {
  const parts = /^[0-9a-f]{1,2}(?:[:.-][0-9a-f]{1,2})*$/iu.test(text) ? text.split(/[:.-]/u) : undefined
  if (parts) return Uint8Array.from(parts, (part) => Number.parseInt(part, 16))
  const hex = text.replace(/^0x/iu, '')
  if (!/^(?:[0-9a-f]{2})+$/iu.test(hex)) return undefined
  return Uint8Array.from(hex.match(/../gu)!, (pair) => Number.parseInt(pair, 16))
}

function parseNumber(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/iu.test(text)) return Number.parseInt(text.slice(2), 16)
  if (/^0b[01]+$/iu.test(text)) return Number.parseInt(text.slice(2), 2)
  if (/^0[0-7]+$/u.test(text)) return Number.parseInt(text, 8)
  return /^\d{1,19}$/u.test(text) ? Number(text) : undefined
}

/** `2026-01-01 00:00:05.5`, as UTC, in seconds since the epoch. */
function parseDate(text: string): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?Z?$/u.exec(text.trim())
  if (!parts) return undefined
  const [year, month, day, hour, minute] = parts.slice(1, 6).map(Number) as [number, number, number, number, number]
  return daysOfCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + Number(parts[6] ?? 0)
}

/** A literal as a value of that kind; throws a located mistake. */
export function literal(token: Token, kind: FieldKind): Value {
  const { text } = token
  const quoted = token.kind === 'string'
  switch (kind) {
    case 'number': {
      if (quoted) return { kind, meaning: text.toLowerCase() }
      const number = parseNumber(text)
      if (number === undefined) throw wrong(token, `“${text}” is not a valid number`)
      return { kind, number }
    }
    case 'boolean': {
      if (/^(?:True|TRUE)$/u.test(text)) return { kind, number: 1 }
      if (/^(?:False|FALSE)$/u.test(text)) return { kind, number: 0 }
      const number = quoted ? undefined : parseNumber(text)
      if (number === undefined && !quoted) throw wrong(token, `“${text}” is neither True nor False`)
      return quoted ? { kind, meaning: text.toLowerCase() } : { kind, number: number! }
    }
    case 'seconds': {
      if (!/^-?\d+(?:\.\d*)?$/u.test(text)) throw wrong(token, `“${text}” is no number of seconds`)
      return { kind, number: Number(text) }
    }
    case 'date': {
      const number = parseDate(text) ?? (/^\d+(?:\.\d+)?$/u.test(text) ? Number(text) : undefined)
      if (number === undefined) throw wrong(token, `“${text}” is no date; write "2026-01-01 00:00:05"`)
      return { kind, number }
    }
    case 'ipv4': {
      const [address = '', bits] = text.split('/', 2)
      const number = quoted ? undefined : parseIpv4(address)
      if (number === undefined) throw wrong(token, `“${text}” is not a valid IPv4 address`)
      if (bits === undefined) return { kind, number }
      if (!/^\d{1,2}$/u.test(bits) || Number(bits) > 32)
        throw wrong(token, `the prefix of an IPv4 network has at most 32 bits, not ${bits}`)
      const mask = Number(bits) === 0 ? 0 : (0xffffffff << (32 - Number(bits))) >>> 0
      return { kind, number: (number & mask) >>> 0, mask }
    }
    case 'ipv6': {
      const [address = '', bits] = text.split('/', 2)
      const words = quoted ? undefined : parseIpv6(address)
      if (words === undefined) throw wrong(token, `“${text}” is not a valid IPv6 address`)
      const bytes = ipv6Bytes(words)
      if (bits === undefined) return { kind, bytes }
      if (!/^\d{1,3}$/u.test(bits) || Number(bits) > 128)
        throw wrong(token, `the prefix of an IPv6 network has at most 128 bits, not ${bits}`)
      return { kind, bytes, prefix: Number(bits) }
    }
    case 'mac': {
      const bytes =
        quoted || parseMac(text.replaceAll('-', ':')) === undefined
          ? parseBytes(text)
          : parseBytes(text.replaceAll('-', ':'))
      if (bytes === undefined || bytes.length > 6) throw wrong(token, `“${text}” is not a valid Ethernet address`)
      return { kind, bytes }
    }
    case 'string':
      return { kind, text }
    case 'bytes':
    case 'protocol': {
      const bytes = quoted ? encode(text) : parseBytes(text)
      if (bytes === undefined) throw wrong(token, `“${text}” is no bytes; write 01:02:03 or "text"`)
      return { kind, bytes }
    }
    case 'none':
      throw wrong(token, 'this field has no value to compare')
  }
}

/** -1, 0 or 1; undefined if they can't be compared. A mask or a prefix of the second counts. */
export function compare(a: Value, b: Value): number | undefined {
  if (b.number === undefined && b.meaning !== undefined) return a.meaning === b.meaning ? 0 : 1
  if (a.number !== undefined && b.number !== undefined) {
    const mine = b.mask === undefined ? a.number : (a.number & b.mask) >>> 0
    return mine === b.number ? 0 : mine < b.number ? -1 : 1
  }
  if (a.text !== undefined && b.text !== undefined) return a.text === b.text ? 0 : a.text < b.text ? -1 : 1
  const [one, other] = [a.bytes, b.bytes]
  if (!one || !other) return undefined
  if (b.prefix !== undefined) {
    for (let bit = 0; bit < b.prefix; bit++) {
      const weight = 0x80 >> (bit % 8)
      const [x, y] = [one[bit >> 3]! & weight, other[bit >> 3]! & weight]
      if (x !== y) return x < y ? -1 : 1
    }
    return 0
  }
  const length = Math.min(one.length, other.length)
  for (let i = 0; i < length; i++) if (one[i] !== other[i]) return one[i]! < other[i]! ? -1 : 1
  return Math.sign(one.length - other.length)
}

export function containsBytes(whole: Uint8Array, part: Uint8Array): boolean {
  if (part.length === 0) return true
  outer: for (
    let at = whole.indexOf(part[0]!);
    at >= 0 && at + part.length <= whole.length;
    at = whole.indexOf(part[0]!, at + 1)
  ) {
    for (let i = 1; i < part.length; i++) if (whole[at + i] !== part[i]) continue outer
    return true
  }
  return false
}

/** A value as text, for `string()` and `matches`. */
export function textOf({ kind, number, text, bytes }: Value): string {
  if (text !== undefined) return text
  if (bytes)
    return kind === 'mac' ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') : latin(bytes)
  if (kind === 'ipv4') return formatIpv4(number!)
  if (kind === 'boolean') return number ? 'True' : 'False'
  return String(number ?? '')
}

function latin(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** Domain names and strings in DNS messages. tcpdump 4.99.3 print-domain.c, util-print.c: nd_printn() */
import { hexByte } from '#base/bytes'
import type { Printer } from './printer.ts'

/** The two upper bits of a length byte. */
const KIND = 0xc0
const POINTER = 0xc0
const RESERVED = 0x80
const EXTENDED = 0x40
/** RFC 2673's only extended label: a string of bits. */
const BITS = 1
const LONGEST = 255
/**
 * Labels and pointers that are followed for a name. tcpdump has no such bound, but pointers that go back a little each
 * would have it read the whole message again and again.
 */
const MOST_STEPS = 4096

/** Where what stands behind a name begins; undefined if the name is broken or not all there. */
export function skipName(printer: Printer, at: number): number | undefined {
  for (;;) {
    if (!printer.has(at, 1)) return undefined
    const length = printer.bytes[at++]!
    if (length === 0) return at
    const kind = length & KIND
    if (kind === POINTER) return at + 1
    if (kind === RESERVED) return undefined
    if (kind === EXTENDED) {
      if ((length & ~KIND) !== BITS || !printer.has(at, 1)) return undefined
      at += 1 + bitBytes(printer, at)
    } else at += length
  }
}

function bitBytes(printer: Printer, at: number): number {
  return ((printer.bytes[at]! || 256) + 7) >>> 3
}

/** How much belongs to the label at `at` behind its first byte. What can't be a label is said. */
function labelLength(printer: Printer, at: number): number | undefined {
  if (!printer.has(at, 1)) return undefined
  const length = printer.bytes[at]!
  const kind = length & KIND
  if (kind === RESERVED) {
    printer.put('<BAD LABEL TYPE>')
    return undefined
  }
  if (kind !== EXTENDED) return length
  if ((length & ~KIND) !== BITS) {
    printer.put(`<ELT ${length & ~KIND}>`)
    return undefined
  }
  return printer.has(at + 1, 1) ? bitBytes(printer, at + 1) + 1 : undefined
}

/**
 * Prints a name whose pointers count from `message`. They must lead backwards, each farther than the one before: so
 * no name goes around in circles.
 * @returns where what stands behind it begins; undefined if it can't be printed whole
 */
export function printName(printer: Printer, at: number, message: number): number | undefined {
  let length = labelLength(printer, at)
  if (length === undefined) return undefined
  let farthest = (at - message) >>> 0
  let byte = printer.bytes[at++]!
  let followed = false
  let after = at + length
  let characters = 0
  let steps = 0
  if (byte === 0) {
    printer.put('.')
    return after
  }
  while (byte !== 0 && at < printer.end) {
    if (++steps > MOST_STEPS) return undefined
    const kind = byte & KIND
    if (kind === POINTER) {
      if (!followed) after = at + 1
      followed = true
      const offset = ((byte << 8) | printer.bytes[at]!) & 0x3fff
      if (offset >= farthest) {
        printer.put('<BAD PTR>')
        return undefined
      }
      farthest = offset
      at = message + offset
    } else {
      if (kind === EXTENDED) printBits(printer, at)
      else {
        const room = characters + length <= LONGEST ? length : Math.max(0, LONGEST - characters)
        if (!printCharacters(printer, at, room)) return undefined
        characters += length
      }
      at += length
      if (characters <= LONGEST) printer.put('.')
      characters++
    }
    if (!printer.has(at, 1)) return undefined
    const next = labelLength(printer, at)
    if (next === undefined) return undefined
    if (kind !== POINTER && !followed) after += next + 1
    length = next
    byte = printer.bytes[at++]!
  }
  if (characters > LONGEST) printer.put('<DOMAIN NAME TOO LONG>')
  return after
}

function printBits(printer: Printer, at: number): void {
  const bits = printer.u8(at++) || 256
  printer.put('\\[x')
  let left = bits
  for (; left > 7; left -= 8) printer.put(hexByte(printer.u8(at++)))
  if (left > 4) printer.put(hexByte(printer.u8(at) & (0xff << (8 - left)) & 0xff))
  else if (left > 0) printer.put(((printer.u8(at) >>> 4) & (0x0f << (4 - left)) & 0x0f).toString(16))
  printer.put(`/${bits}]`)
}

/** A string that begins with its length. @returns where it ends */
export function printString(printer: Printer, at: number): number | undefined {
  if (!printer.has(at, 1)) return undefined
  const length = printer.bytes[at]!
  return printCharacters(printer, at + 1, length) ? at + 1 + length : undefined
}

/** Bytes as `cat -v` shows them. @returns whether all were there */
export function printCharacters(printer: Printer, at: number, length: number): boolean {
  const end = Math.min(at + length, printer.end)
  for (let i = at; i < end; i++) {
    let byte = printer.bytes[i]!
    if (byte > 0x7f) {
      byte &= 0x7f
      printer.put('M-')
    }
    printer.put(byte < 0x20 || byte === 0x7f ? `^${String.fromCharCode(byte ^ 0x40)}` : String.fromCharCode(byte))
  }
  return at + length <= printer.end
}

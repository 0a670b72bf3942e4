/**
 * Numbers in the configuration, with the complaints about what is none. What is only badly written, as `5x`, still counts
 * where the caller is lenient, unless the configuration is being tested.
 *
 * keepalived 2.2.7 lib/parser.c: read_int_func(), read_unsigned_func(), read_decimal_unsigned_long_func()
 */
import type { Reports } from './reader.ts'

export const SECOND_US = 1_000_000
export const UINT_MAX = 0xffff_ffff
export const INT_MAX = 0x7fff_ffff

/** Undefined: not to be used. */
export function readInt(to: Reports, text: string, least: number, most: number, lenient: boolean): number | undefined {
  const warn = lenient && !to.testing ? 'WARNING - ' : ''
  const { value, rest } = leading(text, true)
  if (rest !== '') to.report('INVALID_NUMBER', `${warn}invalid number '${text}'`)
  else if (value < -INT_MAX - 1 || value > INT_MAX)
    to.report('INVALID_NUMBER', `${warn}number '${text}' outside integer range`)
  else if (value < least || value > most)
    to.report('INVALID_NUMBER', `number '${text}' outside range [${least}, ${most}]`)
  else return value
  return lenient && value >= least && value <= most && !to.testing ? value : undefined
}

export function readUnsigned(
  to: Reports,
  text: string,
  least: number,
  most: number,
  lenient: boolean,
): number | undefined {
  const warn = lenient && !to.testing ? 'WARNING - ' : ''
  const bare = text.replace(/^[ \t\f\n\r\v]+/, '')
  const { value, rest } = leading(bare, false)
  if (bare.startsWith('-')) to.report('INVALID_NUMBER', `${warn}negative number '${text}'`)
  else if (rest !== '') to.report('INVALID_NUMBER', `${warn}invalid number '${text}'`)
  else if (value > UINT_MAX) to.report('INVALID_NUMBER', `${warn}number '${text}' outside unsigned integer range`)
  else if (value < least || value > most)
    to.report('INVALID_NUMBER', `${warn}number '${text}' outside range [${least}, ${most}]`)
  else return value
  return lenient && value >= least && value <= most && !to.testing ? value : undefined
}

/** A decimal fraction of seconds, in microseconds. */
export function readSeconds(
  to: Reports,
  text: string,
  least: number,
  most: number,
  lenient: boolean,
): number | undefined {
  const warn = lenient && !to.testing ? 'WARNING - ' : ''
  if (text.startsWith('-')) {
    to.report('INVALID_NUMBER', `${warn}negative number '${text}'`)
    return undefined
  }
  const point = text.indexOf('.')
  let whole = point < 0 ? text : text.slice(0, point)
  let fraction = point < 0 ? '' : text.slice(point + 1)
  let more = 0
  if (fraction.length > 6) {
    to.report('INVALID_NUMBER', `${warn}number '${text}' has too many decimal places`)
    if (fraction[6]! >= '5') more = 1
    fraction = fraction.slice(0, 6)
  }
  whole += fraction.padEnd(6, '0')
  const { value: read, rest } = leading(whole, false)
  const value = read + more
  if (rest !== '') to.report('INVALID_NUMBER', `${warn}invalid number '${text}'`)
  else if (value >= 2 ** 64) {
    to.report('INVALID_NUMBER', `${warn}number '${text}' outside unsigned decimal range`)
    return undefined
  } else if (value < least || value > most) {
    const shown = (us: number) => `${Math.floor(us / SECOND_US)}.${String(us % SECOND_US).padStart(6, '0')}`
    to.report('INVALID_NUMBER', `${warn}number '${text}' outside range [${shown(least)}, ${shown(most)}]`)
  } else return value
  return lenient && value >= least && value <= most ? value : undefined
}

/** The number that a text begins with, as strtol(3) has it, and what follows. */
function leading(text: string, signed: boolean): { value: number; rest: string } {
  const found = (signed ? /^[ \t\f\n\r\v]*[-+]?\d+/ : /^\+?\d+/).exec(text)
  if (!found) return { value: 0, rest: text === '' ? '' : text }
  return { value: Number(found[0]), rest: text.slice(found[0].length) }
}

/** on, true, yes; off, false, no; undefined for anything else. */
export function readFlag(text: string): boolean | undefined {
  if (text === 'true' || text === 'on' || text === 'yes') return true
  return text === 'false' || text === 'off' || text === 'no' ? false : undefined
}

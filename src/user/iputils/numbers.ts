/** Numbers on a command line, refused as iputils refuses them. iputils 20221126 iputils_common.c: strtol_or_err() */
import type { Stdio } from './stdio.ts'

/** A whole decimal number between two others. `most` is a bigint, since it is printed. */
export function integerOption(io: Stdio, text: string, least: number, most: bigint): number {
  if (!/^\s*[+-]?\d+$/.test(text)) io.die(1, `invalid argument: '${text}'`)
  const value = BigInt(text.trim().replace(/^\+/, ''))
  if (value < BigInt(least) || value > most) {
    io.die(1, `invalid argument: '${text}': out of range: ${least} <= value <= ${most}`)
  }
  return Number(value)
}

export const INT_MAX = 2147483647n
export const LONG_MAX = 9223372036854775807n

/** strtod(3), and a complaint that isn't fatal yet if something follows. iputils 20221126 ping/ping.c: ping_strtod() */
export function decimalOption(io: Stdio, text: string, complaint: string): number {
  if (text === '') io.die(2, `${complaint}: `)
  const match = /^\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)/.exec(text)
  const rest = text.slice(match?.[0].length ?? 0)
  if (rest !== '') {
    io.warn(`option argument contains garbage: ${rest}`)
    io.warn('this will become fatal error in the future')
  }
  const value = match ? Number(match[0]) : 0
  if (!Number.isFinite(value)) io.die(2, `${complaint}: ${text}`, 'ERANGE')
  return value
}

/** C's %g: six digits at most, no zeros behind. */
export function formatG(value: number): string {
  return String(Number(value.toPrecision(6)))
}

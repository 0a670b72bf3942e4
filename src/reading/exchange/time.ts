/** Times as files write them, in seconds since the epoch. No clock and no time zone of this machine takes part. */
import { civilOfSeconds, daysOfCivil } from '#base/text'

function secondsOf(y: number, mo: number, d: number, h: number, mi: number, s: number, offsetMinutes: number) {
  if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 24 || mi > 59 || s > 60) return undefined
  const seconds = daysOfCivil(y, mo, d) * 86_400 + h * 3600 + mi * 60 + s - offsetMinutes * 60
  return seconds > 0 ? seconds : undefined
}

function offsetOf(zone: string | undefined, otherwise: number): number {
  const match = /^([+-])(\d{2}):?(\d{2})$/u.exec(zone ?? '')
  if (!match) return zone && /^(z|gmt|ut|utc)$/iu.test(zone) ? 0 : otherwise
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]))
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?\s*(z|[+-]\d{2}:?\d{2})?)?$/iu
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MAIL =
  /^(?:[a-z]{3,9},?\s+)?(\d{1,2})[\s-]([a-z]{3})[a-z]*[\s-](\d{4}|\d{2})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([a-z]{1,4}|[+-]\d{4})?/iu

/** ISO 8601 (`2024-01-02T03:04:05Z`), mail's dates (RFC 5322), or a number of seconds, milliseconds or microseconds. */
export function parseTime(value: unknown, zoneMinutes = 0): number | undefined {
  if (typeof value === 'number') return ofNumber(value)
  if (typeof value !== 'string' || value.length > 64) return undefined
  const written = value.trim()
  if (/^\d{8,17}(\.\d+)?$/u.test(written)) return ofNumber(Number(written))
  const iso = ISO.exec(written)
  if (iso) {
    const [, y, mo, d, h = '0', mi = '0', s = '0', zone] = iso
    return secondsOf(+y!, +mo!, +d!, +h, +mi, +s, offsetOf(zone, zoneMinutes))
  }
  const mail = MAIL.exec(written)
  if (mail) {
    const [, d, name, y, h, mi, s = '0', zone] = mail
    const month = MONTHS.indexOf(name!.toLowerCase()) + 1
    const year = y!.length === 2 ? (+y! < 70 ? 2000 : 1900) + +y! : +y!
    return secondsOf(year, month, +d!, +h!, +mi!, +s, offsetOf(zone, 0))
  }
  return undefined
}

function ofNumber(number: number): number | undefined {
  if (!Number.isFinite(number) || number <= 0) return undefined
  const seconds = number >= 1e14 ? number / 1e6 : number >= 1e11 ? number / 1e3 : number
  return Math.floor(seconds)
}

/** `YYYYMMDDhhmmss` of a zone, as Hatena's search data has it. */
export function parseDigits(digits: string, zoneMinutes: number): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/u.exec(digits)
  if (!match) return undefined
  const [, y, mo, d, h, mi, s] = match
  return secondsOf(+y!, +mo!, +d!, +h!, +mi!, +s!, zoneMinutes)
}

const two = (number: number) => String(number).padStart(2, '0')

/** `2024-01-02T03:04:05Z`. RFC 3339. */
export function formatIso(seconds: number): string {
  const c = civilOfSeconds(seconds)
  return `${String(c.year).padStart(4, '0')}-${two(c.month)}-${two(c.day)}T${two(c.hour)}:${two(c.minute)}:${two(c.second)}Z`
}

/** `Tue, 02 Jan 2024 03:04:05 +0000`. RFC 5322, as RSS wants it. */
export function formatMail(seconds: number): string {
  const c = civilOfSeconds(seconds)
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][c.weekday]!
  const month = MONTHS[c.month - 1]!
  const name = month[0]!.toUpperCase() + month.slice(1)
  return `${day}, ${two(c.day)} ${name} ${c.year} ${two(c.hour)}:${two(c.minute)}:${two(c.second)} +0000`
}

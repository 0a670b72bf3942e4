/**
 * What ldirectord has of the language that it is written in: how Perl prints times, quotes text, and matches the
 * regular expressions of a configuration. perlfunc(1): localtime, quotemeta; perlre(1).
 */
import { NotModelled } from '#base/check'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY_S = 86_400

export interface CivilTime {
  year: number
  /** 0 to 11. */
  month: number
  day: number
  weekday: number
  hour: number
  minute: number
  second: number
}

/** Seconds since the epoch as a date of the Gregorian calendar, in UTC. */
export function civilTime(seconds: number): CivilTime {
  const days = Math.floor(seconds / DAY_S)
  const rest = seconds - days * DAY_S
  // Years begin in March here, so that the leap day is the last of a year; eras have 400 years of 146097 days.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = (fromMarch + 2) % 12
  return {
    year: yearOfEra + era * 400 + (month < 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
    weekday: (((days + 4) % 7) + 7) % 7,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: Math.floor(rest) % 60,
  }
}

const two = (number: number) => String(number).padStart(2, '0')

/** `Thu Jan  1 00:00:03 2026`, as localtime in scalar context. */
export function localtime(seconds: number): string {
  const { year, month, day, weekday, hour, minute, second } = civilTime(seconds)
  const time = `${two(hour)}:${two(minute)}:${two(second)}`
  return `${DAYS[weekday]} ${MONTHS[month]} ${String(day).padStart(2)} ${time} ${year}`
}

/** `Thu, 01 Jan 2026 00:00:03 GMT`. RFC 9110, section 5.6.7. */
export function httpDate(seconds: number): string {
  const { year, month, day, weekday, hour, minute, second } = civilTime(seconds)
  return `${DAYS[weekday]}, ${two(day)} ${MONTHS[month]} ${year} ${two(hour)}:${two(minute)}:${two(second)} GMT`
}

/** A backslash before all that isn't a word character. */
export function quotemeta(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '\\$&')
}

/** What a monitor file's fields can't hold: its separator, line ends and the sign that escapes them. */
export function escapeLogMessage(text: string): string {
  return text.replace(/[%|\r\n]/g, (sign) => `%${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

const POSIX_CLASSES: Record<string, string> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9A-Fa-f',
  word: '\\w',
  blank: ' \\t',
}
/** Longer texts than these are not what checks compare with. */
const PATTERN_MAX = 1000

/**
 * A pattern of the configuration for this language's engine. Those parts of Perl's that it hasn't are not modelled, nor is
 * a pattern that is none: the real one dies of it.
 */
export function compilePattern(source: string): RegExp {
  if (source.length > PATTERN_MAX) throw new NotModelled(`ldirectord: a pattern of ${source.length} characters`)
  const refuse = () => new NotModelled(`ldirectord: the regular expression ${source}`)
  // Nested repetitions can take this engine for ever; Perl's own notices most of them.
  if (/\([^()]*[+*][^()]*\)[+*{]|[+*?}]\+|\(\?[>|#&{?(R0-9]|\(\*|\\[GKNXCEQLU]/.test(source)) throw refuse()
  let flags = ''
  let text = source.replace(/^\(\?([a-z]*)\)/, (_, letters: string) => {
    flags = [...new Set(letters)].filter((letter) => 'ims'.includes(letter)).join('')
    if ([...letters].some((letter) => !'ims'.includes(letter))) throw refuse()
    return ''
  })
  text = text
    .replace(/\[:(\^?)(\w+):\]/g, (_, not: string, name: string) => {
      const members = POSIX_CLASSES[name]
      if (members === undefined || not !== '') throw refuse()
      return members
    })
    .replace(/\\A/g, '^')
    .replace(/\\Z|\\z/g, '$')
    .replace(/\\h/g, '[ \\t]')
    .replace(/\\x\{([0-9a-fA-F]{1,4})\}/g, (_, hex: string) => `\\u${hex.padStart(4, '0')}`)
  // Without /m a dollar sign also matches before the newline at the very end.
  if (!flags.includes('m')) text = text.replace(/(?<!\\)\$$/, '(?=\\n?$(?![\\s\\S]))')
  try {
    return new RegExp(text, flags)
  } catch {
    throw refuse()
  }
}

/**
 * What ldirectord has of the language that it is written in: how Perl prints times, quotes text, and matches the
 * regular expressions of a configuration. perlfunc(1): localtime, quotemeta; perlre(1).
 */
import { NotModelled } from '#base/check'
import { civilOfSeconds, clockText, ctime, MONTHS, WEEKDAYS } from '#base/text'

const two = (number: number) => String(number).padStart(2, '0')

/** `Thu Jan  1 00:00:03 2026`, as localtime in scalar context. */
export const localtime = ctime

/** `Thu, 01 Jan 2026 00:00:03 GMT`. RFC 9110, section 5.6.7. */
export function httpDate(seconds: number): string {
  const time = civilOfSeconds(seconds)
  return `${WEEKDAYS[time.weekday]}, ${two(time.day)} ${MONTHS[time.month - 1]} ${time.year} ${clockText(time)} GMT`
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

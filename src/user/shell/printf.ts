/** printf's formats and echo's escapes, for the builtins and for /usr/bin/printf and /usr/bin/echo. */
import { encodeText } from './text.ts'

export interface PrintfResult {
  output: string
  /** Messages without the program's name before them. */
  errors: string[]
  status: number
}

/** Backslash escapes as `echo -e` and printf's %b know them; `stop` is set by \c. */
export function unescapeEcho(text: string, percentB = true): { text: string; stop: boolean } {
  let result = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char !== '\\' || i + 1 >= text.length) {
      result += char
      continue
    }
    const next = text[++i]!
    const simple = SIMPLE[next]
    if (simple !== undefined) result += simple
    else if (next === 'c') return { text: result, stop: true }
    else if (next === 'x') {
      const digits = /^[0-9a-fA-F]{1,2}/.exec(text.slice(i + 1))
      if (!digits) result += '\\x'
      else {
        result += byteChar(Number.parseInt(digits[0], 16))
        i += digits[0].length
      }
    } else if (next === 'u' || next === 'U') {
      const digits = (next === 'u' ? /^[0-9a-fA-F]{1,4}/ : /^[0-9a-fA-F]{1,8}/).exec(text.slice(i + 1))
      if (!digits) result += `\\${next}`
      else {
        result += String.fromCodePoint(Math.min(Number.parseInt(digits[0], 16), 0x10ffff))
        i += digits[0].length
      }
    } else if (next === '0' || (percentB && next >= '1' && next <= '7')) {
      const digits = (next === '0' ? /^0[0-7]{0,3}/ : /^[0-7]{1,3}/).exec(text.slice(i))!
      result += byteChar(Number.parseInt(digits[0], 8) & 0xff)
      i += digits[0].length - 1
    } else result += `\\${next}`
  }
  return { text: result, stop: false }
}

const SIMPLE: Record<string, string> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

/** A byte above 0x7f travels as a lone surrogate, which `encodeText` turns back into that byte. */
export function byteChar(byte: number): string {
  return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)
}

/** A format with its arguments, used again while arguments are left. */
export function formatPrintf(format: string, argv: readonly string[]): PrintfResult {
  let output = ''
  let status = 0
  const errors: string[] = []
  let used = 0
  const take = () => argv[used++]
  const number = (text: string | undefined): bigint => {
    if (text === undefined || text === '') return 0n
    if (text[0] === "'" || text[0] === '"') return BigInt(text.codePointAt(1) ?? 0)
    const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text)
    const digits = match?.[2]
    if (!match || digits === undefined) {
      errors.push(`printf: ${text}: invalid number`)
      status = 1
      return 0n
    }
    const value = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits)
    if (match[0].length !== text.length) {
      errors.push(
        `printf: ${text}: invalid ${/^0/.test(digits) && /^[-+]?0[0-9]/.test(text.trim()) ? 'octal number' : 'number'}`,
      )
      status = 1
    }
    return match[1] === '-' ? -value : value
  }
  do {
    const before = used
    for (let i = 0; i < format.length; i++) {
      const char = format[i]!
      if (char === '\\') {
        const escape = unescapeFormat(format, i)
        output += escape.text
        i = escape.end - 1
        continue
      }
      if (char !== '%') {
        output += char
        continue
      }
      if (format[i + 1] === '%') {
        output += '%'
        i++
        continue
      }
      const spec = /^%([-+ #0']*)(\*|\d+)?(?:\.(\*|-?\d*))?(?:hh|h|ll|l|L|j|z|t)?(\([^)]*\)T|[a-zA-Z])?/.exec(
        format.slice(i),
      )!
      const conversion = spec[4]
      let flags = spec[1]!
      let width = spec[2] === '*' ? Number(number(take())) : Number(spec[2] ?? 0)
      if (width < 0) {
        flags += '-'
        width = -width
      }
      const precision =
        spec[3] === undefined ? undefined : spec[3] === '*' ? Number(number(take())) : Number(spec[3] || 0)
      if (!conversion) {
        errors.push(`printf: \`${format.slice(i + spec[0].length)[0] ?? ''}': invalid format character`)
        return { output, errors, status: 1 }
      }
      i += spec[0].length - 1
      const pad = (text: string, zero = false): string => {
        const length = [...text].length
        if (length >= width) return text
        if (flags.includes('-')) return text + ' '.repeat(width - length)
        if (zero && flags.includes('0')) {
          const sign = /^[-+ ]?(0[xX])?/.exec(text)![0]
          return sign + '0'.repeat(width - length) + text.slice(sign.length)
        }
        return ' '.repeat(width - length) + text
      }
      switch (conversion) {
        case 's':
          output += pad(cut(take() ?? '', precision))
          break
        case 'c':
          output += pad([...(take() ?? '')][0] ?? '')
          break
        case 'b': {
          const escaped = unescapeEcho(take() ?? '')
          output += pad(cut(escaped.text, precision))
          if (escaped.stop) return { output, errors, status }
          break
        }
        case 'q':
          output += pad(quoteForShell(take() ?? ''))
          break
        case 'd':
        case 'i': {
          const value = number(take())
          let digits = (value < 0n ? -value : value).toString().padStart(precision ?? 1, '0')
          digits = (value < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + digits
          output += pad(digits, precision === undefined)
          break
        }
        case 'u':
        case 'o':
        case 'x':
        case 'X': {
          const value = BigInt.asUintN(64, number(take()))
          let digits = value
            .toString(conversion === 'o' ? 8 : conversion === 'u' ? 10 : 16)
            .padStart(precision ?? 1, '0')
          if (flags.includes('#') && value !== 0n)
            digits = conversion === 'o' ? `0${digits}` : conversion === 'u' ? digits : `0x${digits}`
          output += pad(conversion === 'X' ? digits.toUpperCase() : digits, precision === undefined)
          break
        }
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G': {
          const text = take() ?? '0'
          let value = Number(/^['"]/.test(text) ? text.codePointAt(1) : text || 0)
          if (Number.isNaN(value)) {
            errors.push(`printf: ${text}: invalid number`)
            status = 1
            value = Number.parseFloat(text) || 0
          }
          output += pad(formatFloat(value, conversion, precision, flags), true)
          break
        }
        default:
          errors.push(`printf: \`${conversion}': invalid format character`)
          return { output, errors, status: 1 }
      }
    }
    if (used === before) break
  } while (used < argv.length)
  return { output, errors, status }
}

function cut(text: string, precision: number | undefined): string {
  return precision === undefined || precision < 0 ? text : [...text].slice(0, precision).join('')
}

/** %f, %e and %g as C prints them. */
export function formatFloat(value: number, conversion: string, precision = 6, flags = ''): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  const magnitude = Math.abs(value)
  let text: string
  if (!Number.isFinite(magnitude)) text = Number.isNaN(magnitude) ? 'nan' : 'inf'
  else if (conversion === 'f' || conversion === 'F') text = fixed(magnitude, precision)
  else if (conversion === 'e' || conversion === 'E') text = exponent(magnitude, precision)
  else {
    const digits = precision === 0 ? 1 : precision
    const power = magnitude === 0 ? 0 : Number(magnitude.toExponential(digits - 1).split('e')[1])
    text = power < -4 || power >= digits ? exponent(magnitude, digits - 1) : fixed(magnitude, digits - 1 - power)
    if (!flags.includes('#') && text.includes('.')) text = text.replace(/\.?0+(?=e|$)/, '')
  }
  return sign + (conversion >= 'A' && conversion <= 'Z' ? text.toUpperCase() : text)
}

/** toFixed without its limit of 1e21; it rounds the exact binary value, as glibc does. */
function fixed(value: number, precision: number): string {
  if (value < 1e21) return value.toFixed(Math.min(precision, 100))
  return BigInt(value).toString() + (precision > 0 ? `.${'0'.repeat(precision)}` : '')
}

function exponent(value: number, precision: number): string {
  return value.toExponential(Math.min(precision, 100)).replace(/e([+-])(\d)$/, 'e$10$2')
}

function unescapeFormat(format: string, at: number): { text: string; end: number } {
  const next = format[at + 1]
  if (next === undefined) return { text: '\\', end: at + 1 }
  if (next === '"') return { text: '"', end: at + 2 }
  if (next >= '0' && next <= '7') {
    const digits = /^[0-7]{1,3}/.exec(format.slice(at + 1))![0]
    return { text: byteChar(Number.parseInt(digits, 8) & 0xff), end: at + 1 + digits.length }
  }
  const length = /^\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|.)/s.exec(format.slice(at))![0].length
  if (next === 'c') return { text: '\\c', end: at + 2 }
  return { text: unescapeEcho(format.slice(at, at + length)).text, end: at + length }
}

/** Quoted so that a shell reads it back: printf %q. */
export function quoteForShell(text: string): string {
  if (text === '') return "''"
  if (/[\x00-\x1f\x7f]/.test(text)) return ansiQuote(text)
  return text.replace(/[^A-Za-z0-9_@%+=:./\-\u0080-\uffff]/g, '\\$&')
}

/** $'...'. */
export function ansiQuote(text: string): string {
  const names: Record<string, string> = {
    '\n': 'n',
    '\t': 't',
    '\r': 'r',
    '\x07': 'a',
    '\b': 'b',
    '\x1b': 'E',
    '\f': 'f',
    '\v': 'v',
  }
  const inner = text.replace(/[\\'\x00-\x1f\x7f]/g, (char) => {
    if (char === '\\' || char === "'") return `\\${char}`
    const name = names[char]
    return name ? `\\${name}` : `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
  return `$'${inner}'`
}

/** How `set`, `declare -p`, `export -p` and `trap` show a value: in single quotes where needed. */
export function quoteSingle(text: string): string {
  if (/[\x00-\x1f\x7f]/.test(text)) return ansiQuote(text)
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Bytes of what printf made. */
export function printfBytes(result: PrintfResult): Uint8Array {
  return encodeText(result.output)
}

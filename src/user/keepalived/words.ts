/**
 * Lines of the configuration, and the words in them. keepalived 2.2.7 lib/parser.c: decomment(), alloc_strvec_r(),
 * alloc_strvec_quoted_escaped()
 */

/** Without its comment and outer blanks; `\#` and `\!` stand for themselves outside quotes. */
export function decomment(line: string): { text: string; unterminated: boolean } {
  let out = ''
  let quoted = false
  let end: number | undefined
  let continued = false
  const from = line.replace(/^[ \t]+/, '')
  for (let i = 0; i < from.length; i++) {
    const char = from[i]!
    if (char === '"') {
      if (end === undefined) quoted = !quoted
    } else if (char === '\\') {
      const next = from[i + 1]
      if (next === undefined) {
        continued = true
        break
      }
      if (!quoted && (next === '#' || next === '!')) {
        out += next
        i++
        continue
      }
      out += char + next
      i++
      continue
    } else if (!quoted && end === undefined && (char === '!' || char === '#')) end = out.length
    out += char
  }
  if (end !== undefined) out = out.slice(0, end)
  out = out.replace(/[ \t]+$/, '')
  return { text: continued ? `${out}\\` : out, unterminated: quoted }
}

const BLANK = ' \t\f\n\r\v'

/** Words; what stands in double quotes is one. Undefined if there is none. */
export function splitWords(line: string): { words: string[]; unmatched: boolean } {
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && BLANK.includes(line[at]!)) at++
    if (at >= line.length) return { words, unmatched: false }
    if (line[at] === '"') {
      const end = line.indexOf('"', at + 1)
      if (end < 0) return { words, unmatched: true }
      words.push(line.slice(at + 1, end))
      at = end + 1
      continue
    }
    const start = at
    while (at < line.length && line[at] !== '"' && !BLANK.includes(line[at]!)) at++
    words.push(line.slice(start, at))
  }
}

const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** What a backslash begins, and how long it is. */
function escaped(text: string): [char: string, length: number] {
  const hex = /^x([\da-fA-F]+)/.exec(text)
  if (hex) return [String.fromCharCode(Number.parseInt(hex[1]!, 16) & 255), hex[0].length]
  if (text[0] === 'c' && text.length > 1) return [String.fromCharCode(text.charCodeAt(1) & 0x1f), 2]
  const octal = /^[0-7]{1,3}/.exec(text)
  if (octal) return [String.fromCharCode(Number.parseInt(octal[0], 8) & 255), octal[0].length]
  return [ESCAPES[text[0]!] ?? text[0]!, 1]
}

/** Words as a shell has them: both quotes, and backslashes. A string says what is wrong. */
export function splitScript(line: string): string[] | { missing: string } | { atEnd: true } {
  const words: string[] = []
  let quote = ''
  let at = 0
  for (;;) {
    while (at < line.length && BLANK.includes(line[at]!)) at++
    if (at >= line.length) return words
    let word = ''
    while (at < line.length) {
      const char = line[at]!
      if (char === '\\') {
        if (at + 1 >= line.length) return { atEnd: true }
        const [made, length] = escaped(line.slice(at + 1))
        word += made
        at += 1 + length
      } else if (quote !== '') {
        if (char === quote) quote = ''
        else word += char
        at++
      } else if (char === '"' || char === "'") {
        quote = char
        at++
      } else if (BLANK.includes(char)) break
      else {
        word += char
        at++
      }
    }
    if (quote !== '') return { missing: quote }
    words.push(word)
  }
}

/** A filter's text to tokens, each with its place. */

export interface Token {
  kind: 'word' | 'string' | 'symbol' | 'end'
  text: string
  at: number
  length: number
}

/** What is wrong with a filter, and where: an offset into its text. */
export interface FilterMistake {
  at: number
  length: number
  what: string
}

export class FilterError extends Error {
  override readonly name = 'FilterError'
  readonly mistake: FilterMistake
  constructor(mistake: FilterMistake) {
    super(mistake.what)
    this.mistake = mistake
  }
}

const SYMBOLS = ['===', '!==', '==', '!=', '~=', '<=', '>=', '&&', '||', '..', '<', '>', '!', '~', '&', '(', ')', '{', '}', '[', ']', ',', '#', '+', '*', '/', '%', '-'] // biome-ignore format: a list
const TEXT_MAX = 4000
// What a word is made of: names, numbers, addresses, prefixes. Two dots end it: they are a range's.
const WORD = /[A-Za-z0-9_](?:[A-Za-z0-9_:/]|-(?=[A-Za-z0-9_])|\.(?!\.))*|::?[A-Fa-f0-9:./]*|:/uy

export function scan(text: string): Token[] {
  if (text.length > TEXT_MAX)
    throw new FilterError({ at: 0, length: 0, what: `a filter has at most ${TEXT_MAX} characters` })
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const char = text[at]!
    if (/\s/u.test(char)) {
      at++
      continue
    }
    if (char === '"' || char === "'") {
      const string = scanString(text, at, char)
      tokens.push(string)
      at += string.length
      continue
    }
    // Raw: a regular expression has escapes of its own.
    const raw = /^[rR]"([^"]*)"/u.exec(text.slice(at))
    if (raw) {
      tokens.push({ kind: 'string', text: raw[1]!, at, length: raw[0].length })
      at += raw[0].length
      continue
    }
    WORD.lastIndex = at
    const word = WORD.exec(text)
    if (word) {
      tokens.push({ kind: 'word', text: word[0], at, length: word[0].length })
      at += word[0].length
      continue
    }
    const symbol = SYMBOLS.find((each) => text.startsWith(each, at))
    if (symbol === undefined) throw new FilterError({ at, length: 1, what: `“${char}” means nothing in a filter` })
    tokens.push({ kind: 'symbol', text: symbol, at, length: symbol.length })
    at += symbol.length
  }
  tokens.push({ kind: 'end', text: '', at: text.length, length: 0 })
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

/** In double quotes a string, in single quotes one character. */
function scanString(text: string, from: number, quote: string): Token {
  let value = ''
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at]!
    if (char === quote) return { kind: 'string', text: value, at: from, length: at + 1 - from }
    if (char !== '\\') {
      value += char
      continue
    }
    const next = text[++at] ?? ''
    const code = /^x([0-9a-f]{2})/iu.exec(text.slice(at, at + 3))
    if (code) {
      value += String.fromCharCode(Number.parseInt(code[1]!, 16))
      at += 2
    } else if (next === '\\' || next === quote) value += next
    else if (ESCAPES[next] !== undefined) value += ESCAPES[next]
    else
      throw new FilterError({
        at: at - 1,
        length: 2,
        what: `a string has no “\\${next}”; in r"..." nothing is escaped`,
      })
  }
  throw new FilterError({ at: from, length: text.length - from, what: 'the string has no end' })
}

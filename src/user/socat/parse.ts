/** socat's address specifications: a keyword, parameters between colons, options after commas; quotes and backslashes. xioopen.c, nestlex.c */

export interface Option {
  name: string
  value: string | undefined
}

export interface Spec {
  /** In capitals. */
  keyword: string
  given: string
  parameters: string[]
  options: Option[]
}

/** Cuts at a character that isn't quoted; the quotes stay unless `plain`. */
function cut(text: string, at: string, most = Number.POSITIVE_INFINITY): string[] {
  const parts: string[] = []
  let part = ''
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (quote !== '') {
      if (char === quote) quote = ''
      part += char
    } else if (char === '\\' && i + 1 < text.length) part += char + text[++i]!
    else if (char === '"' || char === "'") {
      quote = char
      part += char
    } else if (char === at && parts.length < most) {
      parts.push(part)
      part = ''
    } else part += char
  }
  parts.push(part)
  return parts
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v', '0': '\0' }

/** Quotes go, and backslashes mean what they do in C. */
function unquote(text: string): string {
  let out = ''
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '\\' && i + 1 < text.length && quote !== "'") {
      const next = text[++i]!
      out += ESCAPES[next] ?? next
    } else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
    else out += char
  }
  return out
}

/** One half of an address, `-` and paths included. */
export function parseSpec(text: string): Spec {
  const [head = '', ...rest] = cut(text, ',')
  const options = rest.map((one) => {
    const [name = '', ...value] = one.split('=')
    return { name: name.trim().toLowerCase(), value: value.length > 0 ? unquote(value.join('=')) : undefined }
  })
  if (head === '-') return { keyword: 'STDIO', given: head, parameters: [], options }
  if (/^\d+$/.test(head)) return { keyword: 'FD', given: head, parameters: [head], options }
  const [word = '', ...parameters] = cut(head, ':')
  if (word.includes('/')) return { keyword: 'GOPEN', given: word, parameters: [unquote(head)], options }
  const keyword = word.toUpperCase()
  return { keyword, given: word, parameters: parameters.map(unquote), options }
}

/** Both halves of `one!!other`, or the same one twice. */
export function splitDual(text: string): [string, string] | undefined {
  const at = text.indexOf('!!')
  return at < 0 ? undefined : [text.slice(0, at), text.slice(at + 2)]
}

/** The words of an EXEC, by blanks and quotes. */
export function commandWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (quote !== '') {
      if (char === quote) quote = ''
      else word = (word ?? '') + char
    } else if (char === '\\' && i + 1 < text.length) word = (word ?? '') + text[++i]!
    else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  if (word !== undefined) words.push(word)
  return words
}

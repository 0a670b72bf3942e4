/** nft's input as tokens, each with its place; files, `include` and `define`. nftables 1.0.6 src/scanner.l. */

export interface Source {
  /** `/etc/nftables.conf`; undefined: the command line. */
  file: string | undefined
  lines: string[]
}

export interface Token {
  kind: 'string' | 'number' | 'quoted' | 'address' | 'symbol' | 'newline' | 'end'
  text: string
  source: Source
  /** From 0. */
  line: number
  from: number
  to: number
}

/** A place from one token to another. */
export interface Place {
  source: Source
  line: number
  from: number
  to: number
}

/** What is wrong, and where; `more` is underlined with ~. */
export class NftFault extends Error {
  override readonly name = 'NftFault'
  readonly place: Place | undefined
  readonly more: Place | undefined
  constructor(message: string, place?: Place, more?: Place) {
    super(message)
    this.place = place
    this.more = more
  }
}

const PATTERNS: [Token['kind'], RegExp][] = [
  ['address', /(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}(?![0-9a-fA-F:])/y],
  ['address', /(?:[0-9a-fA-F]{0,4}:){2,7}(?:[0-9a-fA-F]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/y],
  ['address', /\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/y],
  ['string', /(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?(?<=[dhms])(?![\w])/y],
  ['address', /[0-9a-fA-F]+:[0-9a-fA-F]+(?![\w:])/y],
  ['number', /0x[0-9a-fA-F]+|\d+(?![\w])/y],
  ['string', /[a-zA-Z_][a-zA-Z0-9/\-_.]*\*?|\d+[a-zA-Z][\w/\-.]*/y],
  ['symbol', /!=|==|<=|>=|<<|>>|[{}();:,.!=<>&|^/\-@$*+]/y],
]

/** Splits a source into tokens; comments go. */
export function tokenize(source: Source): Token[] {
  const tokens: Token[] = []
  const push = (kind: Token['kind'], text: string, line: number, from: number, to: number) => {
    tokens.push({ kind, text, source, line, from, to })
  }
  source.lines.forEach((text, line) => {
    let at = 0
    let continued = false
    while (at < text.length) {
      const char = text[at]!
      if (char === ' ' || char === '\t' || char === '\r') {
        at++
        continue
      }
      if (char === '#') break
      if (char === '\\' && at === text.length - 1) {
        continued = true
        break
      }
      if (char === '"') {
        const end = text.indexOf('"', at + 1)
        if (end > at) {
          push('quoted', text.slice(at + 1, end), line, at, end + 1)
          at = end + 1
          continue
        }
      }
      let found = false
      for (const [kind, pattern] of PATTERNS) {
        pattern.lastIndex = at
        const match = pattern.exec(text)
        if (!match || match[0] === '') continue
        push(kind, match[0], line, at, at + match[0].length)
        at += match[0].length
        found = true
        break
      }
      if (!found) {
        push('symbol', char, line, at, at + 1)
        at++
      }
    }
    if (!continued) push('newline', '\n', line, text.length, text.length + 1)
  })
  const last = source.lines.length
  push(
    'end',
    '',
    Math.max(0, last - 1),
    (source.lines[last - 1] ?? '').length,
    (source.lines[last - 1] ?? '').length + 1,
  )
  return tokens
}

/** A mistake as nft prints it. erec_print(). */
export function formatFault(fault: NftFault): string {
  const { place, more } = fault
  if (!place) return `Error: ${fault.message}\n`
  const { source, line, from, to } = place
  const text = source.lines[line] ?? ''
  const where = source.file === undefined ? '' : `${source.file}:${line + 1}:${from + 1}-${to}: `
  const start = more && more.line === line ? Math.min(more.from, from) : from
  let marks = ''
  for (let i = 0; i < Math.max(to, more && more.line === line ? more.to : 0); i++) {
    if (i >= from && i < to) marks += '^'
    else if (more && more.line === line && i >= more.from && i < more.to) marks += '~'
    else if (i < start || i < to || (more && i < more.to)) marks += text[i] === '\t' ? '\t' : ' '
  }
  return `${where}Error: ${fault.message}\n${text}\n${marks.replace(/ +$/, '')}\n`
}

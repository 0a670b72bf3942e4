/** Tokens one after another, with `define`d variables put in their place. */
import { NftFault, type Place, type Source, type Token, tokenize } from './lexer.ts'
import { parseTime } from './types.ts'

/** Words of the grammar: named as themselves where they are out of place. */
const KEYWORDS = new Set(
  'table chain rule set map element counter quota limit add create delete insert replace list flush rename reset get describe include define accept drop continue jump goto return reject log snat dnat masquerade redirect ip ip6 inet arp bridge netdev tcp udp icmp meta ct type hook policy priority flags timeout size elements comment handle position index ruleset tables chains sets maps counters monitor export with to over rate burst prefix level group'.split(
    ' ',
  ),
)

/** From one place to another, of one line. */
export function formatPlace(from: Place, to: Place): Place {
  return { source: from.source, line: from.line, from: from.from, to: to.line === from.line ? to.to : from.to }
}

export class TokenStream {
  #tokens: Token[]
  #at = 0
  readonly variables = new Map<string, Token[]>()
  /** The last token that was taken. */
  last: Token

  constructor(source: Source) {
    this.#tokens = tokenize(source)
    this.last = this.#tokens[0]!
  }

  /** Puts another source's tokens here: `include`. */
  splice(source: Source): void {
    const tokens = tokenize(source)
    tokens.pop()
    // Behind the line that includes it.
    let at = this.#at
    while (this.#tokens[at]!.kind !== 'newline' && this.#tokens[at]!.kind !== 'end') at++
    if (this.#tokens[at]!.kind === 'newline') at++
    this.#tokens.splice(at, 0, ...tokens)
  }

  #expand(): void {
    for (let i = 0; i < 100; i++) {
      const token = this.#tokens[this.#at]!
      if (token.kind !== 'symbol' || token.text !== '$') return
      const name = this.#tokens[this.#at + 1]!
      if (name.kind !== 'string') throw new NftFault('syntax error, unexpected $', token)
      const value = this.variables.get(name.text)
      if (!value) throw new NftFault(`unknown identifier '${name.text}'`, name)
      this.#tokens.splice(this.#at, 2, ...value)
    }
  }

  /** All tokens of a line, without its end. */
  peekAll(): Token[] {
    return this.#tokens.filter(({ kind }) => kind !== 'newline' && kind !== 'end')
  }

  get peek(): Token {
    this.#expand()
    return this.#tokens[this.#at]!
  }

  peekAt(offset: number): Token {
    return this.#tokens[Math.min(this.#at + offset, this.#tokens.length - 1)]!
  }

  next(): Token {
    const token = this.peek
    if (token.kind !== 'end') this.#at++
    this.last = token
    return token
  }

  at(text: string): boolean {
    const token = this.peek
    return token.kind === 'symbol' && token.text === text
  }

  /** Where a command or a rule ends. */
  atEnd(): boolean {
    const { kind, text } = this.peek
    return kind === 'newline' || kind === 'end' || (kind === 'symbol' && (text === ';' || text === '}'))
  }

  take(text: string): Token | undefined {
    return this.at(text) ? this.next() : undefined
  }

  takeWord(text: string): Token | undefined {
    const token = this.peek
    return token.kind === 'string' && token.text === text ? this.next() : undefined
  }

  expect(text: string): Token {
    if (!this.at(text)) throw this.unexpected()
    return this.next()
  }

  expectWord(text: string): Token {
    const token = this.takeWord(text)
    if (!token) throw this.unexpected(this.peek, text)
    return token
  }

  skipNewlines(): void {
    while (this.peek.kind === 'newline') this.next()
  }

  /** Newlines and semicolons. */
  skipSeparators(): void {
    while (this.peek.kind === 'newline' || this.at(';')) this.next()
  }

  /** A name: of a table, a chain ... */
  name(expecting?: string): Token {
    const token = this.peek
    if (token.kind !== 'string') throw this.unexpected(token, expecting)
    return this.next()
  }

  /** A string, quoted or not. */
  text(): Token {
    const token = this.peek
    if (token.kind !== 'string' && token.kind !== 'quoted') throw this.unexpected()
    return this.next()
  }

  number(): number {
    const token = this.peek
    if (token.kind !== 'number') throw this.unexpected()
    this.next()
    return Number(token.text)
  }

  time(): number {
    const token = this.next()
    const ms = parseTime(token.text) ?? (token.kind === 'number' ? Number(token.text) * 1000 : undefined)
    if (ms === undefined) throw this.unexpected(token)
    return ms
  }

  unexpected(token: Token = this.peek, expecting?: string): NftFault {
    return new NftFault(
      `syntax error, unexpected ${nameOf(token)}${expecting === undefined ? '' : `, expecting ${expecting}`}`,
      token,
    )
  }
}

function nameOf({ kind, text }: Token): string {
  if (kind === 'newline') return 'newline'
  if (kind === 'end') return 'end of file'
  if (kind === 'quoted') return 'quoted string'
  if (kind === 'number') return 'number'
  if (kind === 'address') return 'string'
  if (kind === 'symbol') return SYMBOLS[text] ?? `'${text}'`
  return KEYWORDS.has(text) ? text : 'string'
}

const SYMBOLS: Record<string, string> = {
  ',': 'comma',
  ':': 'colon',
  ';': 'semicolon',
  '/': '/',
  '@': '@',
  '.': '.',
  '-': '-',
  '*': '*',
  '=': '=',
  $: '$',
}

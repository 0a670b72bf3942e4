/**
 * A filter's text to a tree. From loosest to tightest: or, and, not, comparisons, bitwise and, + and -, *, / and %. As
 * wireshark-filter(4) of 4.0 says it, and as tshark reads what that leaves open.
 */
import { closest } from '#base/text'
import { FIELDS, type FieldInfo, type FieldKind } from '#wire/dissect'
import { FilterError, scan, type Token } from './scan.ts'
import { literal, type Value } from './values.ts'

export type Test =
  | { op: 'and' | 'or'; left: Test; right: Test }
  | { op: 'not'; test: Test }
  | { op: 'exists'; operand: Operand }
  | { op: 'compare'; sign: Sign; every: boolean; left: Operand; right: Operand }
  | { op: 'in'; left: Operand; set: { from: Operand; to: Operand | undefined }[] }
  | { op: 'contains'; left: Operand; right: Operand }
  | { op: 'matches'; left: Operand; pattern: string; token: Token }

export type Sign = '==' | '!=' | '<' | '>' | '<=' | '>='

export type Operand =
  | { is: 'field'; field: FieldInfo; layer: number | undefined; token: Token }
  | { is: 'literal'; token: Token; value: Value | undefined }
  | { is: 'slice'; of: Operand; ranges: SliceRange[] }
  | { is: 'call'; name: string; of: Operand[]; token: Token }
  | { is: 'arithmetic'; sign: '+' | '-' | '*' | '/' | '%' | '&'; left: Operand; right: Operand }

export interface SliceRange {
  from: number
  /** Undefined: to the end. */
  length: number | undefined
}

const SIGNS: Readonly<Record<string, { sign: Sign; every: boolean }>> = {
  '==': { sign: '==', every: false },
  eq: { sign: '==', every: false },
  any_eq: { sign: '==', every: false },
  '===': { sign: '==', every: true },
  all_eq: { sign: '==', every: true },
  // Not one of them, in 4.0: what most mean by it.
  '!=': { sign: '!=', every: true },
  ne: { sign: '!=', every: true },
  all_ne: { sign: '!=', every: true },
  '!==': { sign: '!=', every: false },
  '~=': { sign: '!=', every: false },
  any_ne: { sign: '!=', every: false },
  '<': { sign: '<', every: false },
  lt: { sign: '<', every: false },
  '>': { sign: '>', every: false },
  gt: { sign: '>', every: false },
  '<=': { sign: '<=', every: false },
  le: { sign: '<=', every: false },
  '>=': { sign: '>=', every: false },
  ge: { sign: '>=', every: false },
}

export const FUNCTIONS = ['len', 'count', 'upper', 'lower', 'string', 'max', 'min', 'abs'] as const
const DEPTH_MAX = 100

export function parse(text: string): Test | undefined {
  const parser = new Parser(scan(text))
  return parser.filter()
}

class Parser {
  readonly #tokens: Token[]
  #at = 0
  #depth = 0

  constructor(tokens: Token[]) {
    this.#tokens = tokens
  }

  filter(): Test | undefined {
    if (this.#token.kind === 'end') return undefined
    const test = this.#or()
    const rest = this.#tokens[this.#at]!
    if (rest.kind !== 'end') throw this.#unexpected(rest)
    return test
  }

  get #token(): Token {
    return this.#tokens[this.#at]!
  }

  #unexpected(token = this.#token): FilterError {
    if (token.kind === 'end') return this.#wrong(token, 'the filter ends where something must follow')
    return this.#wrong(token, `“${token.text}” is unexpected here`)
  }

  #wrong({ at, length }: Token, what: string): FilterError {
    return new FilterError({ at, length: Math.max(1, length), what })
  }

  #take(...texts: string[]): boolean {
    const { kind, text } = this.#token
    if (kind === 'string' || !texts.includes(text)) return false
    this.#at++
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text))
      throw this.#token.kind === 'end' ? this.#wrong(this.#token, `“${text}” is missing`) : this.#unexpected()
  }

  #deeper<T>(parse: () => T): T {
    if (++this.#depth > DEPTH_MAX) throw this.#wrong(this.#token, 'the filter is nested too deeply')
    const made = parse()
    this.#depth--
    return made
  }

  #or(): Test {
    let left = this.#and()
    while (this.#take('||', 'or')) left = { op: 'or', left, right: this.#and() }
    return left
  }

  #and(): Test {
    let left = this.#not()
    while (this.#take('&&', 'and')) left = { op: 'and', left, right: this.#not() }
    return left
  }

  #not(): Test {
    if (this.#take('!', 'not')) return this.#deeper(() => ({ op: 'not', test: this.#not() }))
    if (this.#token.text === '(' && this.#token.kind === 'symbol') {
      this.#at++
      const test = this.#deeper(() => this.#or())
      this.#expect(')')
      return test
    }
    return this.#comparison()
  }

  #comparison(): Test {
    const quantifier =
      this.#token.kind === 'word' && ['any', 'all'].includes(this.#token.text) ? this.#token.text : undefined
    if (quantifier !== undefined) this.#at++
    const first = this.#token
    let left = this.#operand()
    let test: Test | undefined
    for (;;) {
      const { text, kind } = this.#token
      const found = kind === 'string' ? undefined : SIGNS[text]
      if (!found) break
      this.#notLiteral(left, first, text)
      this.#at++
      const right = this.#operand()
      const every = quantifier === undefined ? found.every : quantifier === 'all'
      const one: Test = { op: 'compare', sign: found.sign, every, left, right: this.#typed(right, left) }
      test = test ? { op: 'and', left: test, right: one } : one
      left = right
    }
    if (test) return test
    const sign = this.#token
    if (this.#take('in')) {
      this.#notLiteral(left, first, 'in')
      return { op: 'in', left, set: this.#set(left) }
    }
    if (this.#take('contains')) {
      this.#notLiteral(left, first, 'contains')
      const right = this.#operand()
      return { op: 'contains', left, right: this.#typed(right, left, kindOf(left) === 'string' ? 'string' : 'bytes') }
    }
    if (this.#take('matches', '~')) {
      this.#notLiteral(left, first, 'matches')
      const token = this.#token
      if (token.kind !== 'string')
        throw this.#wrong(token.kind === 'end' ? sign : token, 'a pattern stands in double quotes')
      this.#at++
      return { op: 'matches', left, pattern: token.text, token }
    }
    if (left.is === 'literal') throw this.#noField(left.token)
    if (left.is === 'call') throw this.#wrong(left.token, `the function ${left.name} must be compared with something`)
    return { op: 'exists', operand: left }
  }

  #notLiteral(left: Operand, token: Token, sign: string): void {
    if (left.is !== 'literal') return
    if (token.kind === 'word' && /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+$/u.test(token.text)) throw this.#noField(token)
    throw this.#wrong(token, `to the left of “${sign}” stands a field or a function, not ${token.text}`)
  }

  #noField(token: Token): FilterError {
    const like = token.kind === 'word' ? closest(token.text, [...FIELDS.keys()]) : undefined
    return this.#wrong(
      token,
      `“${token.text}” is neither a field nor a protocol${like ? `; did you mean ${like}?` : ''}`,
    )
  }

  #set(left: Operand): { from: Operand; to: Operand | undefined }[] {
    this.#expect('{')
    const set: { from: Operand; to: Operand | undefined }[] = []
    do {
      const from = this.#typed(this.#operand(), left)
      const to = this.#take('..') ? this.#typed(this.#operand(), left) : undefined
      set.push({ from, to })
    } while (this.#take(','))
    this.#expect('}')
    return set
  }

  /** A literal gets its value from the kind of what it is compared with. */
  #typed(operand: Operand, like: Operand, kind = kindOf(like)): Operand {
    if (operand.is === 'literal' && operand.value === undefined)
      return { ...operand, value: literal(operand.token, kind) }
    if (operand.is === 'arithmetic')
      return { ...operand, left: this.#typed(operand.left, like, kind), right: this.#typed(operand.right, like, kind) }
    return operand
  }

  #operand(): Operand {
    return this.#deeper(() => this.#bitwise())
  }

  #bitwise(): Operand {
    let left = this.#sum()
    while (this.#take('&', 'bitwise_and')) left = this.#arithmetic('&', left, this.#sum())
    return left
  }

  #sum(): Operand {
    let left = this.#product()
    for (;;) {
      if (this.#take('+')) left = this.#arithmetic('+', left, this.#product())
      else if (this.#take('-')) left = this.#arithmetic('-', left, this.#product())
      else return left
    }
  }

  #product(): Operand {
    let left = this.#primary()
    for (;;) {
      const sign = (['*', '/', '%'] as const).find((each) => this.#take(each))
      if (!sign) return left
      left = this.#arithmetic(sign, left, this.#primary())
    }
  }

  #arithmetic(sign: '+' | '-' | '*' | '/' | '%' | '&', left: Operand, right: Operand): Operand {
    // A literal learns its kind from what isn't one.
    const known = left.is === 'literal' ? left : this.#typed(right, left)
    return {
      is: 'arithmetic',
      sign,
      left: right.is === 'literal' ? left : this.#typed(left, right),
      right: left.is === 'literal' ? right : known,
    }
  }

  #primary(): Operand {
    const token = this.#token
    if (token.kind === 'end') throw this.#unexpected()
    // Braces group numbers, parentheses tests.
    if (this.#take('{')) {
      const inner = this.#operand()
      this.#expect('}')
      return inner
    }
    if (token.kind === 'symbol' && token.text !== '-') throw this.#unexpected()
    this.#at++
    if (token.text === '-' && token.kind === 'symbol') {
      const next = this.#token
      if (next.kind !== 'word' || !/^[\d.]+$/u.test(next.text)) throw this.#unexpected()
      this.#at++
      return {
        is: 'literal',
        token: { ...next, text: `-${next.text}`, at: token.at, length: next.length + 1 },
        value: undefined,
      }
    }
    if (token.kind === 'word' && this.#token.text === '(' && this.#token.kind === 'symbol') return this.#call(token)
    let operand: Operand = { is: 'literal', token, value: undefined }
    const field = token.kind === 'word' ? FIELDS.get(token.text) : undefined
    if (field) {
      operand = { is: 'field', field, layer: undefined, token }
      if (this.#take('#')) {
        const layer = this.#token
        if (!/^\d{1,2}$/u.test(layer.text) || Number(layer.text) === 0)
          throw this.#wrong(layer, 'a layer is a number from 1 on')
        this.#at++
        operand = { ...operand, layer: Number(layer.text) }
      }
    }
    return this.#token.text === '[' && this.#token.kind === 'symbol' ? this.#slice(operand) : operand
  }

  #call(token: Token): Operand {
    if (!(FUNCTIONS as readonly string[]).includes(token.text))
      throw this.#wrong(token, `there is no function “${token.text}”; there is ${FUNCTIONS.join(', ')}`)
    this.#expect('(')
    const of: Operand[] = []
    do {
      const start = this.#token
      const operand = this.#operand()
      if (operand.is === 'literal') throw this.#noField(start)
      of.push(operand)
    } while (this.#take(','))
    this.#expect(')')
    return { is: 'call', name: token.text, of, token }
  }

  #slice(of: Operand): Operand {
    const open = this.#token
    if (of.is !== 'field' || ['number', 'boolean', 'seconds', 'date', 'none'].includes(of.field.kind))
      throw this.#wrong(open, 'only protocols, addresses, bytes and strings have slices')
    this.#at++
    let text = ''
    while (this.#token.text !== ']' || this.#token.kind !== 'symbol') {
      if (this.#at === this.#tokens.length - 1) throw this.#wrong(open, 'the slice has no end')
      text += this.#token.text
      this.#at++
    }
    this.#at++
    const ranges = text.split(',').map((range): SliceRange => {
      const parts = /^(-?\d+)?(?:(:)(-?\d+)?|-(\d+))?$/u.exec(range)
      if (!parts || range === '' || range === ':')
        throw this.#wrong(open, `“${range}” is no slice; write [FROM:LENGTH], [FROM-TO] or [AT]`)
      const from = Number(parts[1] ?? 0)
      if (parts[2]) return { from, length: parts[3] === undefined ? undefined : Number(parts[3]) }
      return { from, length: parts[4] === undefined ? 1 : Number(parts[4]) - from + 1 }
    })
    return { is: 'slice', of, ranges }
  }
}

/** Of what kind an operand's values are. */
export function kindOf(operand: Operand): FieldKind {
  switch (operand.is) {
    case 'field':
      return operand.field.kind
    case 'literal':
      return operand.value?.kind ?? 'string'
    case 'slice':
      return kindOf(operand.of) === 'string' ? 'string' : 'bytes'
    case 'call':
      if (operand.name === 'len' || operand.name === 'count') return 'number'
      return ['upper', 'lower', 'string'].includes(operand.name) ? 'string' : kindOf(operand.of[0]!)
    case 'arithmetic':
      return operand.left.is === 'literal' ? kindOf(operand.right) : kindOf(operand.left)
  }
}

/** Arithmetic expressions: 64-bit integers, C's operators. bash(1), "ARITHMETIC EVALUATION"; messages as bash 5.2's expr.c words them. */

export interface ArithmeticScope {
  get(name: string, index: string | undefined): string | undefined
  set(name: string, index: string | undefined, value: string): void
}

export class ArithmeticError extends Error {}

type Token = { kind: 'number'; value: bigint; at: number } | { kind: 'name' | 'op' | 'end'; text: string; at: number }

const OPERATORS = [
  '<<=',
  '>>=',
  '**',
  '++',
  '--',
  '<<',
  '>>',
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '*=',
  '/=',
  '%=',
  '+=',
  '-=',
  '&=',
  '^=',
  '|=',
  '+',
  '-',
  '*',
  '/',
  '%',
  '<',
  '>',
  '&',
  '^',
  '|',
  '!',
  '~',
  '?',
  ':',
  '=',
  ',',
  '(',
  ')',
]
const BINARY: string[][] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]
const ASSIGNING = new Set(['=', '*=', '/=', '%=', '+=', '-=', '<<=', '>>=', '&=', '^=', '|='])
const RECURSION_MAX = 1024

/** The value of an expression; its variables' values are expressions too. */
export function evaluateArithmetic(text: string, scope: ArithmeticScope, depth = 0): bigint {
  if (depth > RECURSION_MAX)
    throw new ArithmeticError(`${text}: expression recursion level exceeded (error token is "${text}")`)
  return new Evaluator(text, scope, depth).run()
}

interface Place {
  name: string
  index: string | undefined
}

class Evaluator {
  readonly #text: string
  readonly #scope: ArithmeticScope
  readonly #depth: number
  #at = 0
  #token!: Token
  #lastAt = 0
  /** Above 0 in a branch that isn't taken: nothing is assigned there. */
  #skipping = 0

  constructor(text: string, scope: ArithmeticScope, depth: number) {
    this.#text = text
    this.#scope = scope
    this.#depth = depth
  }

  run(): bigint {
    this.#next()
    if (this.#ended) return 0n
    const value = this.#comma()
    if (!this.#ended) {
      if (this.#isOp('=') || (this.#token.kind === 'op' && ASSIGNING.has(this.#token.text)))
        this.#fail('attempted assignment to non-variable', this.#token.at)
      this.#fail(
        this.#token.kind === 'op' && this.#token.text !== ')' && this.#token.text !== '(' && this.#token.text !== ':'
          ? 'syntax error: operand expected'
          : 'syntax error in expression',
        this.#token.at,
      )
    }
    return value
  }

  get #ended(): boolean {
    return this.#token.kind === 'end'
  }

  #fail(what: string, at: number): never {
    throw new ArithmeticError(`${this.#text.trimStart()}: ${what} (error token is "${this.#text.slice(at)}")`)
  }

  #next(): void {
    const text = this.#text
    this.#lastAt = this.#token?.at ?? 0
    while (/\s/.test(text[this.#at] ?? '')) this.#at++
    const at = this.#at
    if (at >= text.length) {
      this.#token = { kind: 'end', text: '', at }
      return
    }
    const number = /^[0-9][0-9A-Za-z_@#]*/.exec(text.slice(at))
    if (number) {
      this.#at += number[0].length
      this.#token = { kind: 'number', value: this.#number(number[0], at), at }
      return
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at))
    if (name) {
      this.#at += name[0].length
      this.#token = { kind: 'name', text: name[0], at }
      return
    }
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at))
    if (!operator) this.#fail('syntax error: operand expected', at)
    this.#at += operator.length
    this.#token = { kind: 'op', text: operator, at }
  }

  #number(digits: string, at: number): bigint {
    const based = /^(\d+)#(.*)$/.exec(digits)
    if (based) {
      const base = Number(based[1])
      if (base < 2 || base > 64) this.#fail('invalid arithmetic base', at)
      return this.#digits(based[2]!, base, at)
    }
    if (/^0[xX]/.test(digits)) return this.#digits(digits.slice(2), 16, at)
    if (/^0./.test(digits)) return this.#digits(digits.slice(1), 8, at)
    return this.#digits(digits, 10, at)
  }

  #digits(digits: string, base: number, at: number): bigint {
    let value = 0n
    for (const char of digits) {
      let digit = '0123456789abcdefghijklmnopqrstuvwxyz'.indexOf(base <= 36 ? char.toLowerCase() : char)
      if (base > 36 && digit < 0) {
        const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(char)
        digit = upper >= 0 ? 36 + upper : char === '@' ? 62 : char === '_' ? 63 : -1
      }
      if (digit < 0 || digit >= base) this.#fail('value too great for base', at)
      value = wrap(value * BigInt(base) + BigInt(digit))
    }
    return value
  }

  #isOp(text: string): boolean {
    return this.#token.kind === 'op' && this.#token.text === text
  }

  #comma(): bigint {
    let value = this.#assignment()
    while (this.#isOp(',')) {
      this.#next()
      value = this.#assignment()
    }
    return value
  }

  #assignment(): bigint {
    if (this.#token.kind === 'name') {
      const saved = { at: this.#at, token: this.#token, lastAt: this.#lastAt }
      const place = this.#place()
      const after = this.#token as Token
      if (after.kind === 'op' && ASSIGNING.has(after.text)) {
        const operator = after.text
        this.#next()
        const right = this.#assignment()
        const value = operator === '=' ? right : this.#apply(operator.slice(0, -1), this.#read(place), right)
        this.#write(place, value)
        return value
      }
      this.#at = saved.at
      this.#token = saved.token
      this.#lastAt = saved.lastAt
    }
    return this.#conditional()
  }

  #conditional(): bigint {
    const test = this.#binary(0)
    if (!this.#isOp('?')) return test
    this.#next()
    const first = this.#skipIf(test === 0n, () => this.#comma())
    if (!this.#isOp(':')) this.#fail("`:' expected for conditional expression", this.#lastAt)
    this.#next()
    const second = this.#skipIf(test !== 0n, () => this.#assignment())
    return test !== 0n ? first : second
  }

  #skipIf(skip: boolean, run: () => bigint): bigint {
    if (skip) this.#skipping++
    const value = run()
    if (skip) this.#skipping--
    return value
  }

  #binary(level: number): bigint {
    if (level === BINARY.length) return this.#power()
    let left = this.#binary(level + 1)
    while (this.#token.kind === 'op' && BINARY[level]!.includes(this.#token.text)) {
      const operator = this.#token.text
      this.#next()
      if (operator === '&&' || operator === '||') {
        const decided = operator === '&&' ? left === 0n : left !== 0n
        const right = this.#skipIf(decided, () => this.#binary(level + 1))
        left = (operator === '&&' ? left !== 0n && right !== 0n : left !== 0n || right !== 0n) ? 1n : 0n
      } else left = this.#apply(operator, left, this.#binary(level + 1))
    }
    return left
  }

  #power(): bigint {
    const base = this.#unary()
    if (!this.#isOp('**')) return base
    this.#next()
    const at = this.#token.at
    const exponent = this.#power()
    if (exponent < 0n) this.#fail('exponent less than 0', at)
    let result = 1n
    let factor = base
    for (let left = exponent; left > 0n; left >>= 1n) {
      if (left & 1n) result = wrap(result * factor)
      factor = wrap(factor * factor)
    }
    return result
  }

  #unary(): bigint {
    if (this.#token.kind === 'op') {
      const operator = this.#token.text
      if (operator === '++' || operator === '--') {
        this.#next()
        if ((this.#token as Token).kind === 'name') {
          const place = this.#place()
          const value = this.#apply(operator[0]!, this.#read(place), 1n)
          this.#write(place, value)
          return value
        }
        return this.#unary()
      }
      if ('!~+-'.includes(operator)) {
        this.#next()
        const value = this.#unary()
        return operator === '!'
          ? value === 0n
            ? 1n
            : 0n
          : operator === '~'
            ? ~value
            : operator === '-'
              ? wrap(-value)
              : value
      }
    }
    return this.#primary()
  }

  #primary(): bigint {
    const token = this.#token
    if (token.kind === 'number') {
      this.#next()
      return token.value
    }
    if (token.kind === 'name') {
      const place = this.#place()
      if (this.#isOp('++') || this.#isOp('--')) {
        const operator = (this.#token as { text: string }).text[0]!
        this.#next()
        const value = this.#read(place)
        this.#write(place, this.#apply(operator, value, 1n))
        return value
      }
      return this.#read(place)
    }
    if (token.text === '(' && token.kind === 'op') {
      this.#next()
      const value = this.#comma()
      if (!this.#isOp(')')) this.#fail("missing `)'", this.#lastAt)
      this.#next()
      return value
    }
    this.#fail('syntax error: operand expected', token.kind === 'end' ? this.#lastAt : token.at)
  }

  #place(): Place {
    const name = (this.#token as { text: string }).text
    if (this.#text[this.#at] === '[') {
      let depth = 0
      const start = this.#at + 1
      for (; this.#at < this.#text.length; this.#at++) {
        if (this.#text[this.#at] === '[') depth++
        else if (this.#text[this.#at] === ']' && --depth === 0) break
      }
      const index = this.#text.slice(start, this.#at)
      this.#at++
      this.#next()
      return { name, index }
    }
    this.#next()
    return { name, index: undefined }
  }

  #read(place: Place): bigint {
    if (this.#skipping > 0) return 0n
    const text = this.#scope.get(place.name, place.index)
    if (text === undefined || text === '') return 0n
    if (/^\d+$/.test(text) && !text.startsWith('0')) return wrap(BigInt(text))
    return evaluateArithmetic(text, this.#scope, this.#depth + 1)
  }

  #write(place: Place, value: bigint): void {
    if (this.#skipping === 0) this.#scope.set(place.name, place.index, String(value))
  }

  #apply(operator: string, a: bigint, b: bigint): bigint {
    switch (operator) {
      case '+':
        return wrap(a + b)
      case '-':
        return wrap(a - b)
      case '*':
        return wrap(a * b)
      case '/':
      case '%':
        if (b === 0n) {
          if (this.#skipping > 0) return 0n
          this.#fail('division by 0', this.#lastAt)
        }
        return wrap(operator === '/' ? a / b : a % b)
      case '<<':
        return wrap(a << (b & 63n))
      case '>>':
        return a >> (b & 63n)
      case '&':
        return a & b
      case '|':
        return a | b
      case '^':
        return a ^ b
      case '<':
        return a < b ? 1n : 0n
      case '>':
        return a > b ? 1n : 0n
      case '<=':
        return a <= b ? 1n : 0n
      case '>=':
        return a >= b ? 1n : 0n
      case '==':
        return a === b ? 1n : 0n
      default:
        return a !== b ? 1n : 0n
    }
  }
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}

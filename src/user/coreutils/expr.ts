/** expr: a grammar of one operator a word, on strings that may be whole numbers of any length. coreutils 9.1. */
import type { Body } from '#kernel/core'
import { compileRegex, loadRegexLibrary, needsLibrary } from '#user/shell'
import { defineTool, type Io } from './tool.ts'

/** A mistake, which ends the evaluation. */
class ExprError extends Error {}

const NUMBER = /^-?\d+$/

/** The operators of two operands, by how loosely they bind. */
const LEVELS = [['|'], ['&'], ['<', '<=', '=', '==', '!=', '>=', '>'], ['+', '-'], ['*', '/', '%'], [':']]

const isNull = (text: string) => text === '' || /^-?0+$/.test(text)

class Expression {
  readonly #io: Io
  readonly #words: readonly string[]
  #at = 0

  constructor(io: Io, words: readonly string[]) {
    this.#io = io
    this.#words = words
  }

  *value(): Body<string> {
    const value = yield* this.#level(0)
    if (this.#at < this.#words.length)
      throw new ExprError(`syntax error: unexpected argument ${this.#io.quote(this.#words[this.#at]!)}`)
    return value
  }

  *#level(level: number): Body<string> {
    const operators = LEVELS[level]
    if (!operators) return yield* this.#primary()
    let left = yield* this.#level(level + 1)
    while (operators.includes(this.#words[this.#at] ?? '')) {
      const operator = this.#words[this.#at++]!
      left = yield* this.#apply(operator, left, yield* this.#level(level + 1))
    }
    return left
  }

  *#apply(operator: string, left: string, right: string): Body<string> {
    switch (operator) {
      case '|':
        return !isNull(left) ? left : !isNull(right) ? right : '0'
      case '&':
        return isNull(left) || isNull(right) ? '0' : left
      case ':':
        return yield* this.#match(left, right)
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
        return arithmetic(operator, left, right)
    }
    const numbers = NUMBER.test(left) && NUMBER.test(right)
    const order = numbers ? compare(BigInt(left), BigInt(right)) : compare(left, right)
    const holds = { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0, '!=': order !== 0 }[operator]
    return (holds ?? order === 0) ? '1' : '0'
  }

  #next(): string {
    const word = this.#words[this.#at]
    if (word === undefined)
      throw new ExprError(`syntax error: missing argument after ${this.#io.quote(this.#words[this.#at - 1]!)}`)
    this.#at++
    return word
  }

  *#primary(): Body<string> {
    const word = this.#next()
    if (word === '+') return this.#next()
    if (word === '(') {
      const value = yield* this.#level(0)
      if (this.#words[this.#at] !== ')') {
        const after = this.#io.quote(this.#words[this.#at - 1]!)
        const found = this.#words[this.#at]
        throw new ExprError(
          `syntax error: expecting ')' ${found === undefined ? `after ${after}` : `instead of ${this.#io.quote(found)}`}`,
        )
      }
      this.#at++
      return value
    }
    if (word === ')') throw new ExprError("syntax error: unexpected ')'")
    // What these take binds more tightly than any operator.
    const top = LEVELS.length
    if (word === 'length') return String([...(yield* this.#level(top))].length)
    if (word === 'match') {
      const text = yield* this.#level(top)
      return yield* this.#match(text, yield* this.#level(top))
    }
    if (word === 'index') {
      const text = [...(yield* this.#level(top))]
      const wanted = [...(yield* this.#level(top))]
      return String(text.findIndex((char) => wanted.includes(char)) + 1)
    }
    if (word === 'substr') {
      const text = [...(yield* this.#level(top))]
      const [from, length] = [yield* this.#level(top), yield* this.#level(top)]
      if (!NUMBER.test(from) || !NUMBER.test(length) || Number(from) < 1 || Number(length) < 1) return ''
      return text.slice(Number(from) - 1, Number(from) - 1 + Number(length)).join('')
    }
    return word
  }

  /** The first group, or how much of the text's beginning matches. */
  *#match(text: string, pattern: string): Body<string> {
    const source = `^\\(${pattern}\\)`
    const alone = compileRegex(pattern, {})
    if ('error' in alone) throw new ExprError(alone.error)
    // A caret of the pattern's own says nothing new, and the added group would shift back-references.
    const anchored = pattern.startsWith('^') ? pattern : /\\[1-9|]/.test(pattern) ? `^${pattern}` : source
    if (needsLibrary(anchored, {})) yield* loadRegexLibrary()
    const compiled = compileRegex(anchored, {})
    if ('error' in compiled) throw new ExprError(compiled.error)
    const found = compiled.regex.exec(text, 0)
    const own = anchored === source ? 2 : 1
    if (/\\\(/.test(pattern)) return found?.groups[own] ?? ''
    return found ? String([...found.groups[0]!].length) : '0'
  }
}

function arithmetic(operator: string, left: string, right: string): string {
  if (!NUMBER.test(left) || !NUMBER.test(right)) throw new ExprError('non-integer argument')
  const [a, b] = [BigInt(left), BigInt(right)]
  if (operator === '+') return String(a + b)
  if (operator === '-') return String(a - b)
  if (operator === '*') return String(a * b)
  if (b === 0n) throw new ExprError('division by zero')
  return String(operator === '/' ? a / b : a % b)
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export const expr = defineTool({
  name: 'expr',
  usageStatus: 2,
  help: `Usage: expr EXPRESSION
  or:  expr OPTION
Print the value of EXPRESSION, every word of which is an argument: | & < <= = != >= > + - * / % : and
match, substr, index, length, + WORD, ( EXPRESSION ).

Exit status: 0, 1 if the value is empty or 0, 2 if EXPRESSION is none, 3 otherwise.`,
  // A word that begins with - is an operand.
  prepare: (argv) =>
    argv.length === 2 && /^--(help|version)$/.test(argv[1]!)
      ? argv
      : [argv[0]!, '--', ...argv.slice(argv[1] === '--' ? 2 : 1)],
  *run(io, _options, operands) {
    if (operands.length === 0) return yield* io.usage('missing operand', 2)
    try {
      const value = yield* new Expression(io, operands).value()
      yield* io.out(`${value}\n`)
      return isNull(value) ? 1 : 0
    } catch (thrown) {
      if (!(thrown instanceof ExprError)) throw thrown
      yield* io.fail(thrown.message, 2)
      return 2
    }
  },
})

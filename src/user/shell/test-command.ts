/** test(1) and [: the rules by the number of arguments, then the grammar. POSIX.1-2017, test; bash 5.2 test.c for its messages. */
import type { Stat, Sys } from '#kernel/core'

export interface TestContext {
  sys: Sys
  /** -v, -o and -R of the builtin. */
  isSet?(name: string): boolean
  isOption?(name: string): boolean
}

export interface TestResult {
  status: number
  /** After `test: ` or `[: `. */
  error?: string
}

class TestError extends Error {}

const BINARY = new Set(['=', '==', '!=', '<', '>', '-eq', '-ne', '-lt', '-le', '-gt', '-ge', '-nt', '-ot', '-ef'])
const UNARY = new Set([...'abcdefghknoprstuvwxzGLNORS'].map((letter) => `-${letter}`))

/** @param args without the command's name and without the closing bracket */
export function runTest(context: TestContext, args: readonly string[]): TestResult {
  try {
    return { status: new Evaluator(context, args).run() ? 0 : 1 }
  } catch (thrown) {
    if (thrown instanceof TestError) return { status: 2, error: thrown.message }
    throw thrown
  }
}

class Evaluator {
  readonly #context: TestContext
  readonly #args: readonly string[]
  #at = 0

  constructor(context: TestContext, args: readonly string[]) {
    this.#context = context
    this.#args = args
  }

  run(): boolean {
    const args = this.#args
    switch (args.length) {
      case 0:
        return false
      case 1:
        return args[0] !== ''
      case 2:
        return this.#two(args)
      case 3:
        return this.#three(args)
      case 4:
        if (args[0] === '!') return !this.#three(args.slice(1))
        if (args[0] === '(' && args[3] === ')') return this.#two(args.slice(1, 3))
        break
    }
    const value = this.#or()
    if (this.#at < args.length) throw new TestError('too many arguments')
    return value
  }

  #two(args: readonly string[]): boolean {
    if (args[0] === '!') return args[1] === ''
    if (UNARY.has(args[0]!)) return this.#unary(args[0]!, args[1]!)
    throw new TestError(
      /^-./.test(args[0]!) && args[0]!.length === 2
        ? `${args[0]}: unary operator expected`
        : `${args[0]}: unary operator expected`,
    )
  }

  #three(args: readonly string[]): boolean {
    const [a, operator, b] = args as [string, string, string]
    if (BINARY.has(operator)) return this.#binary(a, operator, b)
    if (operator === '-a') return a !== '' && b !== ''
    if (operator === '-o') return a !== '' || b !== ''
    if (a === '!') return !this.#two([operator, b])
    if (a === '(' && b === ')') return operator !== ''
    throw new TestError(`${operator}: binary operator expected`)
  }

  #or(): boolean {
    let value = this.#and()
    while (this.#args[this.#at] === '-o') {
      this.#at++
      const right = this.#and()
      value ||= right
    }
    return value
  }

  #and(): boolean {
    let value = this.#term()
    while (this.#args[this.#at] === '-a') {
      this.#at++
      const right = this.#term()
      value &&= right
    }
    return value
  }

  #term(): boolean {
    const args = this.#args
    const word = args[this.#at]
    if (word === undefined) throw new TestError('argument expected')
    if (word === '!') {
      this.#at++
      return !this.#term()
    }
    if (word === '(') {
      this.#at++
      const value = this.#or()
      if (args[this.#at] !== ')')
        throw new TestError(args[this.#at] === undefined ? "`)' expected" : `\`)' expected, found ${args[this.#at]}`)
      this.#at++
      return value
    }
    const operator = args[this.#at + 1]
    if (operator !== undefined && BINARY.has(operator) && args[this.#at + 2] !== undefined) {
      this.#at += 3
      return this.#binary(word, operator, args[this.#at - 1]!)
    }
    if (UNARY.has(word) && operator !== undefined) {
      this.#at += 2
      return this.#unary(word, operator)
    }
    this.#at++
    return word !== ''
  }

  #binary(a: string, operator: string, b: string): boolean {
    switch (operator) {
      case '=':
      case '==':
        return a === b
      case '!=':
        return a !== b
      case '<':
        return a < b
      case '>':
        return a > b
      case '-nt':
      case '-ot':
      case '-ef':
        return compareFiles(this.#context.sys, operator, a, b)
    }
    const [left, right] = [integer(a), integer(b)]
    switch (operator) {
      case '-eq':
        return left === right
      case '-ne':
        return left !== right
      case '-lt':
        return left < right
      case '-le':
        return left <= right
      case '-gt':
        return left > right
      default:
        return left >= right
    }
  }

  #unary(operator: string, operand: string): boolean {
    if (operator === '-v') return this.#context.isSet?.(operand) ?? false
    if (operator === '-o') return this.#context.isOption?.(operand) ?? false
    if (operator === '-t') return this.#context.sys.isatty(Number(integer(operand)))
    return testFile(this.#context.sys, operator, operand)
  }
}

function integer(text: string): bigint {
  const match = /^\s*([-+]?\d+)\s*$/.exec(text)
  if (!match) throw new TestError(`${text}: integer expression expected`)
  return BigInt(match[1]!.replace(/^\+/, ''))
}

/** -e, -f, -z and the like. */
export function testFile(sys: Sys, operator: string, operand: string): boolean {
  switch (operator) {
    case '-z':
      return operand === ''
    case '-n':
      return operand !== ''
    case '-t':
      return sys.isatty(Number(operand))
    case '-r':
    case '-w':
    case '-x':
      return sys.access(operand, operator[1] as 'r' | 'w' | 'x').ok
    case '-h':
    case '-L': {
      const stat = sys.lstat(operand)
      return stat.ok && stat.value.type === 'symlink'
    }
  }
  const result = sys.stat(operand)
  if (!result.ok) return false
  const stat = result.value
  switch (operator) {
    case '-e':
    case '-a':
      return true
    case '-f':
      return stat.type === 'file'
    case '-d':
      return stat.type === 'directory'
    case '-p':
      return stat.type === 'fifo'
    case '-S':
      return stat.type === 'socket'
    case '-c':
      return stat.type === 'char'
    case '-b':
      return stat.type === 'block'
    case '-s':
      return stat.size > 0
    case '-u':
      return (stat.mode & 0o4000) !== 0
    case '-g':
      return (stat.mode & 0o2000) !== 0
    case '-k':
      return (stat.mode & 0o1000) !== 0
    case '-O':
      return stat.uid === 0
    case '-G':
      return stat.gid === 0
    default:
      return false
  }
}

/** -nt, -ot, -ef. */
export function compareFiles(sys: Sys, operator: string, a: string, b: string): boolean {
  const stats = [sys.stat(a), sys.stat(b)].map((result) => (result.ok ? result.value : undefined)) as [
    Stat | undefined,
    Stat | undefined,
  ]
  const [left, right] = stats
  if (operator === '-nt') return left !== undefined && (right === undefined || left.mtimeNs > right.mtimeNs)
  if (operator === '-ot') return right !== undefined && (left === undefined || left.mtimeNs < right.mtimeNs)
  return left !== undefined && right !== undefined && left.inode === right.inode
}

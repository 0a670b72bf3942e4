/** awk's grammar. POSIX.1-2017, awk; what mawk 1.3.4 understands beside it (`**`, `func`, `delete a`, length without parentheses). */

export type Expression =
  | { kind: 'number'; value: number }
  | { kind: 'string'; value: string }
  | { kind: 'regex'; source: string }
  | { kind: 'variable'; name: string }
  | { kind: 'element'; name: string; index: Expression[] }
  | { kind: 'field'; index: Expression }
  | { kind: 'assign'; operator: string; target: Expression; value: Expression }
  | { kind: 'conditional'; test: Expression; yes: Expression; no: Expression }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression }
  | { kind: 'match'; negated: boolean; left: Expression; right: Expression }
  | { kind: 'in'; index: Expression[]; name: string }
  | { kind: 'unary'; operator: string; operand: Expression }
  | { kind: 'step'; operator: '++' | '--'; prefix: boolean; target: Expression }
  | { kind: 'call'; name: string; args: Expression[] }
  | { kind: 'invoke'; name: string; args: Expression[] }
  | {
      kind: 'getline'
      target: Expression | undefined
      from: 'main' | 'file' | 'command'
      source: Expression | undefined
    }
  | { kind: 'group'; inner: Expression }

export type Statement =
  | { kind: 'block'; body: Statement[] }
  | { kind: 'expression'; expression: Expression }
  | {
      kind: 'print'
      args: Expression[]
      format: boolean
      redirect: '>' | '>>' | '|' | undefined
      target: Expression | undefined
    }
  | { kind: 'if'; test: Expression; then: Statement; otherwise: Statement | undefined }
  | { kind: 'while'; test: Expression; body: Statement }
  | { kind: 'do'; test: Expression; body: Statement }
  | {
      kind: 'for'
      start: Statement | undefined
      test: Expression | undefined
      step: Statement | undefined
      body: Statement
    }
  | { kind: 'forin'; variable: string; name: string; body: Statement }
  | { kind: 'delete'; name: string; index: Expression[] | undefined }
  | { kind: 'return' | 'exit'; value: Expression | undefined }
  | { kind: 'next' | 'nextfile' | 'break' | 'continue' }

export interface Rule {
  kind: 'BEGIN' | 'END' | 'pattern'
  pattern?: Expression
  /** A range's second pattern. */
  until?: Expression
  body: Statement | undefined
}

export interface AwkFunction {
  name: string
  parameters: string[]
  body: Statement
}

export interface AwkProgram {
  rules: Rule[]
  functions: Map<string, AwkFunction>
}

export class AwkSyntaxError extends Error {
  readonly line: number
  readonly near: string
  constructor(line: number, near: string) {
    super(near)
    this.line = line
    this.near = near
  }
}

interface Token {
  kind: 'number' | 'string' | 'regex' | 'name' | 'call' | 'builtin' | 'keyword' | 'op' | 'newline' | 'end'
  text: string
  value?: number
  line: number
  spaceBefore: boolean
}

const KEYWORDS = new Set([
  'BEGIN',
  'END',
  'function',
  'func',
  'if',
  'else',
  'while',
  'for',
  'do',
  'break',
  'continue',
  'next',
  'nextfile',
  'exit',
  'return',
  'delete',
  'in',
  'getline',
  'print',
  'printf',
])
export const BUILTINS = new Set([
  'length',
  'substr',
  'index',
  'split',
  'sub',
  'gsub',
  'match',
  'sprintf',
  'sin',
  'cos',
  'atan2',
  'exp',
  'log',
  'sqrt',
  'int',
  'rand',
  'srand',
  'tolower',
  'toupper',
  'system',
  'close',
  'fflush',
  'systime',
  'strftime',
  'mktime',
])
const OPERATORS = [
  '**=',
  '&&',
  '||',
  '++',
  '--',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '^=',
  '**',
  '==',
  '<=',
  '>=',
  '!=',
  '!~',
  '>>',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ';',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '!',
  '>',
  '<',
  '|',
  '?',
  ':',
  '~',
  '$',
  '=',
]

function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  let i = 0
  let space = false
  const push = (kind: Token['kind'], text: string, value?: number) => {
    tokens.push({ kind, text, line, spaceBefore: space, ...(value === undefined ? {} : { value }) })
    space = false
  }
  while (i < source.length) {
    const char = source[i]!
    if (char === '\n') {
      push('newline', '\n')
      line++
      i++
    } else if (char === ' ' || char === '\t' || char === '\r') {
      space = true
      i++
    } else if (char === '\\' && /^\\\r?\n/.test(source.slice(i, i + 3))) {
      i = source.indexOf('\n', i) + 1
      line++
    } else if (char === '#') while (i < source.length && source[i] !== '\n') i++
    else if (char === '"') {
      let text = ''
      for (i++; source[i] !== '"'; i++) {
        if (i >= source.length || source[i] === '\n') throw new AwkSyntaxError(line, '"')
        if (source[i] !== '\\') {
          text += source[i]
          continue
        }
        i++
        const escape = /^[0-7]{1,3}/.exec(source.slice(i, i + 3))
        if (escape) {
          text += String.fromCharCode(Number.parseInt(escape[0], 8))
          i += escape[0].length - 1
        } else text += ESCAPES[source[i]!] ?? (source[i] === '\n' ? '' : `\\${source[i]}`)
      }
      i++
      push('string', text)
    } else if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(source[i + 1] ?? ''))) {
      const text = /^(0[xX][0-9a-fA-F]+|\d*\.?\d*([eE][-+]?\d+)?)/.exec(source.slice(i))![0]
      push('number', text, Number(text))
      i += text.length
    } else if (/[A-Za-z_]/.test(char)) {
      const text = /^\w+/.exec(source.slice(i))![0]
      i += text.length
      if (KEYWORDS.has(text)) push('keyword', text)
      else if (BUILTINS.has(text)) push('builtin', text)
      else push(source[i] === '(' ? 'call' : 'name', text)
    } else if (char === '/' && regexAllowed(tokens[tokens.length - 1])) {
      let text = ''
      let set = false
      for (i++; source[i] !== '/' || set; i++) {
        if (i >= source.length || source[i] === '\n') throw new AwkSyntaxError(line, '/')
        if (source[i] === '\\') text += source[i + 1] === '/' ? (i++, '/') : source[i]! + source[++i]!
        else {
          if (source[i] === '[' && !set)
            set =
              source.indexOf(']', i + 1) > 0 &&
              !/^\[[^\]]*\//.test(
                source
                  .slice(i)
                  .split('\n')[0]!
                  .replace(/\[[^\]]*\]/, ''),
              )
          else if (source[i] === ']') set = false
          text += source[i]
        }
      }
      i++
      push('regex', text)
    } else {
      const operator = OPERATORS.find((one) => source.startsWith(one, i))
      if (!operator) throw new AwkSyntaxError(line, char)
      push('op', operator)
      i += operator.length
    }
  }
  push('newline', '\n')
  push('end', 'end of file')
  return tokens
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  '"': '"',
  '/': '/',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

function regexAllowed(last: Token | undefined): boolean {
  if (!last) return true
  if (
    last.kind === 'number' ||
    last.kind === 'string' ||
    last.kind === 'regex' ||
    last.kind === 'name' ||
    last.kind === 'builtin'
  )
    return false
  return !(last.kind === 'op' && [')', ']', '$', '++', '--'].includes(last.text))
}

export function parseAwk(source: string): AwkProgram {
  return new Parser(tokenize(source)).program()
}

class Parser {
  readonly #tokens: Token[]
  #at = 0
  /** In print's list `>` redirects, in for's head `in` isn't an operator. */
  #noGreater = false
  #noIn = false

  constructor(tokens: Token[]) {
    this.#tokens = tokens
  }

  get #token(): Token {
    return this.#tokens[this.#at]!
  }

  #is(text: string): boolean {
    const { kind } = this.#token
    return (kind === 'op' || kind === 'keyword' || kind === 'newline') && this.#token.text === text
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false
    this.#at++
    return true
  }

  #fail(): never {
    throw new AwkSyntaxError(this.#token.line, this.#token.text)
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail()
  }

  #newlines(): void {
    while (this.#is('\n')) this.#at++
  }

  #separators(): void {
    while (this.#is('\n') || this.#is(';')) this.#at++
  }

  program(): AwkProgram {
    const rules: Rule[] = []
    const functions = new Map<string, AwkFunction>()
    this.#separators()
    while (this.#token.kind !== 'end') {
      if (this.#take('function') || this.#take('func')) {
        const name = this.#token.text
        this.#at++
        this.#expect('(')
        const parameters: string[] = []
        while (!this.#is(')')) {
          parameters.push(this.#token.text)
          this.#at++
          this.#newlines()
          if (!this.#take(',')) break
          this.#newlines()
        }
        this.#expect(')')
        this.#newlines()
        functions.set(name, { name, parameters, body: this.#block() })
      } else if (this.#is('BEGIN') || this.#is('END')) {
        const kind = this.#token.text as 'BEGIN' | 'END'
        this.#at++
        rules.push({ kind, body: this.#block() })
      } else if (this.#is('{')) rules.push({ kind: 'pattern', body: this.#block() })
      else {
        const pattern = this.#expression()
        let until: Expression | undefined
        if (this.#take(',')) {
          this.#newlines()
          until = this.#expression()
        }
        rules.push({
          kind: 'pattern',
          pattern,
          ...(until ? { until } : {}),
          body: this.#is('{') ? this.#block() : undefined,
        })
      }
      this.#separators()
    }
    return { rules, functions }
  }

  #block(): Statement {
    this.#expect('{')
    const body: Statement[] = []
    this.#separators()
    while (!this.#is('}')) {
      body.push(this.#statement())
      this.#separators()
    }
    this.#expect('}')
    return { kind: 'block', body }
  }

  #end(): void {
    if (this.#is(';') || this.#is('\n')) this.#at++
    else if (!this.#is('}') && this.#token.kind !== 'end') this.#fail()
  }

  #body(): Statement {
    this.#newlines()
    if (this.#take(';')) return { kind: 'block', body: [] }
    return this.#statement()
  }

  #statement(): Statement {
    if (this.#is('{')) return this.#block()
    if (this.#take('if')) {
      this.#expect('(')
      const test = this.#expression()
      this.#expect(')')
      const then = this.#body()
      const before = this.#at
      this.#separators()
      if (this.#take('else')) return { kind: 'if', test, then, otherwise: this.#body() }
      this.#at = before
      return { kind: 'if', test, then, otherwise: undefined }
    }
    if (this.#take('while')) {
      this.#expect('(')
      const test = this.#expression()
      this.#expect(')')
      if (this.#take(';')) return { kind: 'while', test, body: { kind: 'block', body: [] } }
      return { kind: 'while', test, body: this.#body() }
    }
    if (this.#take('do')) {
      const body = this.#body()
      this.#separators()
      this.#expect('while')
      this.#expect('(')
      const test = this.#expression()
      this.#expect(')')
      this.#end()
      return { kind: 'do', test, body }
    }
    if (this.#take('for')) return this.#for()
    const statement = this.#simple()
    this.#end()
    return statement
  }

  #for(): Statement {
    this.#expect('(')
    const [name, word, array, close] = this.#tokens.slice(this.#at, this.#at + 4)
    if (name?.kind === 'name' && word?.text === 'in' && array?.kind === 'name' && close?.text === ')') {
      this.#at += 4
      return { kind: 'forin', variable: name.text, name: array.text, body: this.#body() }
    }
    const start = this.#is(';') ? undefined : this.#simple()
    this.#expect(';')
    this.#newlines()
    const test = this.#is(';') ? undefined : this.#expression()
    this.#expect(';')
    this.#newlines()
    const step = this.#is(')') ? undefined : this.#simple()
    this.#expect(')')
    return { kind: 'for', start, test, step, body: this.#body() }
  }

  #simple(): Statement {
    const { kind, text } = this.#token
    if (kind === 'keyword') {
      switch (text) {
        case 'break':
        case 'continue':
        case 'next':
        case 'nextfile':
          this.#at++
          return { kind: text }
        case 'exit':
        case 'return':
          this.#at++
          return { kind: text, value: this.#atEnd() ? undefined : this.#expression() }
        case 'delete': {
          this.#at++
          const name = this.#token.text
          this.#at++
          if (!this.#take('[')) return { kind: 'delete', name, index: undefined }
          const index = this.#list(']')
          return { kind: 'delete', name, index }
        }
        case 'print':
        case 'printf':
          return this.#print(text === 'printf')
      }
    }
    return { kind: 'expression', expression: this.#expression() }
  }

  #atEnd(): boolean {
    return this.#is(';') || this.#is('\n') || this.#is('}') || this.#is(')') || this.#token.kind === 'end'
  }

  #print(format: boolean): Statement {
    this.#at++
    let args: Expression[] = []
    const was = this.#noGreater
    this.#noGreater = true
    if (!this.#atEnd() && !this.#is('>') && !this.#is('|') && !this.#is('>>')) {
      // print (a, b) > file: the parentheses hold a list.
      const before = this.#at
      if (this.#take('(')) {
        this.#noGreater = false
        const list = this.#list(')')
        this.#noGreater = true
        if (this.#atEnd() || this.#is('>') || this.#is('>>') || this.#is('|')) args = list
        else this.#at = before
      }
      if (args.length === 0 && this.#at === before) {
        args.push(this.#expression())
        while (this.#take(',')) {
          this.#newlines()
          args.push(this.#expression())
        }
      }
    }
    this.#noGreater = was
    for (const redirect of ['>', '>>', '|'] as const) {
      if (this.#take(redirect)) return { kind: 'print', args, format, redirect, target: this.#concatenation(true) }
    }
    return { kind: 'print', args, format, redirect: undefined, target: undefined }
  }

  #list(close: string): Expression[] {
    const list: Expression[] = []
    this.#newlines()
    while (!this.#is(close)) {
      list.push(this.#expression())
      this.#newlines()
      if (!this.#take(',')) break
      this.#newlines()
    }
    this.#expect(close)
    return list
  }

  #expression(): Expression {
    return this.#assignment()
  }

  #assignment(): Expression {
    const left = this.#conditional()
    const operator = this.#token.text
    if (this.#token.kind === 'op' && /^(=|\+=|-=|\*=|\/=|%=|\^=|\*\*=)$/.test(operator) && isTarget(left)) {
      this.#at++
      this.#newlines()
      return { kind: 'assign', operator: operator === '**=' ? '^=' : operator, target: left, value: this.#assignment() }
    }
    return left
  }

  #conditional(): Expression {
    const test = this.#or()
    if (!this.#take('?')) return test
    this.#newlines()
    const yes = this.#assignment()
    this.#newlines()
    this.#expect(':')
    this.#newlines()
    return { kind: 'conditional', test, yes, no: this.#assignment() }
  }

  #or(): Expression {
    let left = this.#and()
    while (this.#take('||')) {
      this.#newlines()
      left = { kind: 'binary', operator: '||', left, right: this.#and() }
    }
    return left
  }

  #and(): Expression {
    let left = this.#membership()
    while (this.#take('&&')) {
      this.#newlines()
      left = { kind: 'binary', operator: '&&', left, right: this.#membership() }
    }
    return left
  }

  #membership(): Expression {
    let left = this.#matching()
    while (!this.#noIn && this.#take('in')) {
      const name = this.#token.text
      this.#at++
      left = { kind: 'in', index: left.kind === 'group' ? [left.inner] : [left], name }
    }
    return left
  }

  #matching(): Expression {
    let left = this.#comparison()
    for (;;) {
      const negated = this.#is('!~')
      if (!negated && !this.#is('~')) return left
      this.#at++
      left = { kind: 'match', negated, left, right: this.#comparison() }
    }
  }

  #comparison(): Expression {
    let left = this.#concatenation(false)
    for (;;) {
      const operator = this.#token.text
      if (this.#token.kind !== 'op') return left
      if (['<', '<=', '==', '!=', '>='].includes(operator) || (operator === '>' && !this.#noGreater)) {
        this.#at++
        left = { kind: 'binary', operator, left, right: this.#concatenation(false) }
      } else if (operator === '|' && this.#tokens[this.#at + 1]?.text === 'getline') {
        this.#at += 2
        left = { kind: 'getline', target: this.#target(), from: 'command', source: left }
      } else return left
    }
  }

  #target(): Expression | undefined {
    if (this.#is('$') || this.#token.kind === 'name') return this.#primary()
    return undefined
  }

  /** @param tight nothing but a target of a redirection */
  #concatenation(tight: boolean): Expression {
    let left = this.#additive()
    for (;;) {
      const { kind, text } = this.#token
      const starts =
        kind === 'number' ||
        kind === 'string' ||
        kind === 'name' ||
        kind === 'call' ||
        kind === 'builtin' ||
        kind === 'regex' ||
        (kind === 'op' &&
          (text === '$' ||
            text === '!' ||
            text === '(' ||
            text === '-' ||
            text === '+' ||
            text === '++' ||
            text === '--'))
      if (!starts || tight) return left
      left = { kind: 'binary', operator: ' ', left, right: this.#additive() }
    }
  }

  #additive(): Expression {
    let left = this.#multiplicative()
    while (this.#is('+') || this.#is('-')) {
      const operator = this.#token.text
      this.#at++
      left = { kind: 'binary', operator, left, right: this.#multiplicative() }
    }
    return left
  }

  #multiplicative(): Expression {
    let left = this.#unary()
    while (this.#is('*') || this.#is('/') || this.#is('%')) {
      const operator = this.#token.text
      this.#at++
      left = { kind: 'binary', operator, left, right: this.#unary() }
    }
    return left
  }

  #unary(): Expression {
    for (const operator of ['!', '-', '+'])
      if (this.#take(operator)) return { kind: 'unary', operator, operand: this.#unary() }
    return this.#power()
  }

  #power(): Expression {
    const base = this.#postfix()
    if (this.#take('^') || this.#take('**'))
      return { kind: 'binary', operator: '^', left: base, right: this.#powerOperand() }
    return base
  }

  #powerOperand(): Expression {
    if (this.#take('-')) return { kind: 'unary', operator: '-', operand: this.#powerOperand() }
    return this.#power()
  }

  #postfix(): Expression {
    const operand = this.#primary()
    if (isTarget(operand)) {
      if (this.#take('++')) return { kind: 'step', operator: '++', prefix: false, target: operand }
      if (this.#take('--')) return { kind: 'step', operator: '--', prefix: false, target: operand }
    }
    return operand
  }

  #primary(): Expression {
    const token = this.#token
    this.#at++
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: token.value! }
      case 'string':
        return { kind: 'string', value: token.text }
      case 'regex':
        return { kind: 'regex', source: token.text }
      case 'name':
        if (this.#take('[')) return { kind: 'element', name: token.text, index: this.#list(']') }
        return { kind: 'variable', name: token.text }
      case 'call':
        this.#expect('(')
        return { kind: 'invoke', name: token.text, args: this.#inside(() => this.#list(')')) }
      case 'builtin':
        if (this.#take('(')) return { kind: 'call', name: token.text, args: this.#inside(() => this.#list(')')) }
        return { kind: 'call', name: token.text, args: [] }
      case 'keyword':
        if (token.text === 'getline') {
          const target = this.#target()
          if (this.#take('<')) return { kind: 'getline', target, from: 'file', source: this.#concatenation(true) }
          return { kind: 'getline', target, from: 'main', source: undefined }
        }
        break
      case 'op':
        if (token.text === '$') {
          const prefix = this.#is('++') || this.#is('--')
          return { kind: 'field', index: prefix || this.#is('-') ? this.#unary() : this.#primary() }
        }
        if (token.text === '++' || token.text === '--')
          return { kind: 'step', operator: token.text, prefix: true, target: this.#primary() }
        if (token.text === '-' || token.text === '+' || token.text === '!')
          return { kind: 'unary', operator: token.text, operand: this.#unary() }
        if (token.text === '(') {
          const list = this.#inside(() => this.#list(')'))
          if (list.length === 1) return { kind: 'group', inner: list[0]! }
          if (list.length > 1 && this.#take('in')) {
            const name = this.#token.text
            this.#at++
            return { kind: 'in', index: list, name }
          }
        }
        break
    }
    this.#at--
    this.#fail()
  }

  #inside<T>(run: () => T): T {
    const [greater, membership] = [this.#noGreater, this.#noIn]
    this.#noGreater = false
    this.#noIn = false
    const value = run()
    this.#noGreater = greater
    this.#noIn = membership
    return value
  }
}

function isTarget(expression: Expression): boolean {
  return expression.kind === 'variable' || expression.kind === 'element' || expression.kind === 'field'
}

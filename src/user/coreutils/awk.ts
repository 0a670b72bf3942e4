/** awk, as mawk 1.3.4 behaves (Debian's): records and fields as they come, one line at a time. POSIX.1-2017, awk. */
import { type Body, O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, type Program, type Sys, strerror } from '#kernel/core'
import {
  compileRegex,
  encodeText,
  formatFloat,
  formatTime,
  loadRegexLibrary,
  needsLibrary,
  type Regex,
} from '#user/shell'
import {
  type AwkFunction,
  type AwkProgram,
  AwkSyntaxError,
  type Expression,
  parseAwk,
  type Statement,
} from './awk-parse.ts'
import { Io, Reader } from './tool.ts'

/** A value: a number, a string, or text of the input that looks like a number. */
type Value = number | string | { text: string; number: number } | undefined
type Cell = { value: Value; array?: Map<string, Value> }

class Next {}
class NextFile {}
class Break {}
class Continue {}
class Exit {
  readonly status: number | undefined
  constructor(status: number | undefined) {
    this.status = status
  }
}
class Return {
  readonly value: Value
  constructor(value: Value) {
    this.value = value
  }
}
class AwkError extends Error {}

/** Text that came from outside is a number if it looks like one. */
function fromInput(text: string): Value {
  if (!/^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)\s*$/.test(text)) return text
  return { text, number: Number(text) }
}

function toNumber(value: Value): number {
  if (typeof value === 'number') return value
  if (value === undefined) return 0
  if (typeof value === 'object') return value.number
  const match = /^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)/.exec(value)
  return match ? Number(match[0]) : 0
}

function isTrue(value: Value): boolean {
  if (value === undefined) return false
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string') return value !== ''
  return value.number !== 0
}

class Interpreter {
  readonly #io: Io
  readonly #sys: Sys
  readonly #program: AwkProgram
  readonly #globals = new Map<string, Cell>()
  #frames: Map<string, Cell>[] = []
  #record = ''
  #fields: Value[] | undefined
  #nf = 0
  #input: Reader | undefined
  #inputDone = false
  readonly #files = new Map<string, { fd: number; pid: number | undefined }>()
  readonly #readers = new Map<string, { reader: Reader; pid: number | undefined }>()
  readonly #ranges = new Set<number>()
  /** What was read ahead of a record, where records don't end at newlines. */
  readonly #held = new Map<Reader, string>()
  readonly #regexes = new Map<string, Regex>()
  #seed: number
  #previousSeed = 0
  #steps = 0
  #argAt = 1
  #usedFile = false

  constructor(io: Io, program: AwkProgram, operands: string[]) {
    this.#io = io
    this.#sys = io.sys
    this.#program = program
    this.#seed = (io.sys.pid * 7919 + Math.floor(io.sys.monotonicNs() / 1000)) % 2147483647 || 1
    const defaults: Record<string, Value> = {
      FS: ' ',
      OFS: ' ',
      ORS: '\n',
      RS: '\n',
      NR: 0,
      FNR: 0,
      NF: 0,
      SUBSEP: '\x1c',
      CONVFMT: '%.6g',
      OFMT: '%.6g',
      RSTART: 0,
      RLENGTH: -1,
      FILENAME: '',
    }
    for (const [name, value] of Object.entries(defaults)) this.#globals.set(name, { value })
    const environment = new Map<string, Value>([...io.sys.env].map(([name, value]) => [name, fromInput(value)]))
    this.#globals.set('ENVIRON', { value: undefined, array: environment })
    const words = ['awk', ...operands]
    this.#globals.set('ARGV', {
      value: undefined,
      array: new Map(words.map((word, i) => [String(i), fromInput(word)])),
    })
    this.#globals.set('ARGC', { value: words.length })
  }

  /** name=value of -v and among the operands. */
  assignOperand(word: string): void {
    const at = word.indexOf('=')
    const text = word
      .slice(at + 1)
      .replace(/\\(n|t|\\|")/g, (_, c: string) => ({ n: '\n', t: '\t', '\\': '\\', '"': '"' })[c]!)
    this.#setVariable(word.slice(0, at), fromInput(text))
  }

  *run(): Body<number> {
    let status = 0
    try {
      try {
        for (const rule of this.#program.rules) if (rule.kind === 'BEGIN') yield* this.#execute(rule.body!)
        if (this.#program.rules.some((rule) => rule.kind !== 'BEGIN')) yield* this.#records()
      } catch (thrown) {
        if (!(thrown instanceof Exit)) throw thrown
        status = thrown.status ?? 0
        this.#inputDone = true
      }
      try {
        for (const rule of this.#program.rules) if (rule.kind === 'END') yield* this.#execute(rule.body!)
      } catch (thrown) {
        if (!(thrown instanceof Exit)) throw thrown
        status = thrown.status ?? status
      }
    } catch (thrown) {
      if (!(thrown instanceof AwkError)) throw thrown
      yield* this.#io.fail(thrown.message, 2)
      status = 2
    }
    yield* this.#io.flush()
    for (const name of [...this.#files.keys(), ...this.#readers.keys()]) yield* this.#close(name)
    return Math.max(status, this.#io.status)
  }

  *#records(): Body<void> {
    for (;;) {
      const record = yield* this.#nextRecord()
      if (record === undefined) return
      this.#setRecord(record)
      try {
        for (const [i, rule] of this.#program.rules.entries()) {
          if (rule.kind !== 'pattern') continue
          if (rule.until) {
            if (!this.#ranges.has(i)) {
              if (!isTrue(yield* this.#evaluate(rule.pattern!))) continue
              this.#ranges.add(i)
            }
            if (isTrue(yield* this.#evaluate(rule.until))) this.#ranges.delete(i)
          } else if (rule.pattern && !isTrue(yield* this.#evaluate(rule.pattern))) continue
          if (rule.body) yield* this.#execute(rule.body)
          else yield* this.#io.out(this.#record + this.#text(this.#variable('ORS').value))
        }
      } catch (thrown) {
        if (thrown instanceof NextFile) this.#input = undefined
        else if (!(thrown instanceof Next)) throw thrown
      }
    }
  }

  // Input.

  *#readRecord(reader: Reader): Body<string | undefined> {
    const separator = this.#text(this.#variable('RS').value)
    if (separator === '\n') {
      const line = yield* reader.line()
      return line?.endsWith('\n') ? line.slice(0, -1) : line
    }
    // Other separators: a paragraph, a character, or a regular expression; the rest of the input is held.
    const held = this.#held.get(reader) ?? (yield* reader.rest())
    if (held === '') {
      this.#held.set(reader, '')
      return undefined
    }
    let start = 0
    let match: { index: number; end: number } | undefined
    if (separator === '') {
      start = /^\n*/.exec(held)![0].length
      if (start >= held.length) {
        this.#held.set(reader, '')
        return undefined
      }
      const found = /\n\n+/.exec(held.slice(start))
      match = found ? { index: start + found.index, end: start + found.index + found[0].length } : undefined
    } else if (separator.length === 1) {
      const at = held.indexOf(separator)
      match = at < 0 ? undefined : { index: at, end: at + 1 }
    } else match = (yield* this.#regex(separator)).exec(held)
    this.#held.set(reader, match ? held.slice(match.end) : '')
    return held.slice(start, match?.index).replace(match ? /(?!)/ : /\n$/, '')
  }

  *#nextRecord(): Body<string | undefined> {
    while (!this.#inputDone) {
      if (!this.#input) {
        const argc = toNumber(this.#variable('ARGC').value)
        let word: string | undefined
        while (this.#argAt < argc) {
          const value = this.#globals.get('ARGV')!.array!.get(String(this.#argAt++))
          const text = this.#text(value)
          if (text === '') continue
          if (/^[A-Za-z_]\w*=/.test(text)) this.assignOperand(text)
          else {
            word = text
            break
          }
        }
        if (word === undefined) {
          if (this.#usedFile) {
            this.#inputDone = true
            return undefined
          }
          word = '-'
        }
        this.#usedFile = true
        let fd = 0
        if (word !== '-') {
          const opened = yield* this.#sys.open(word)
          if (!opened.ok) {
            yield* this.#io.fail(`cannot open "${word}" (${strerror(opened.errno)})`, 2)
            continue
          }
          fd = opened.value
        }
        this.#input = new Reader(this.#sys, fd)
        this.#setVariable('FILENAME', word === '-' ? '' : word)
        this.#setVariable('FNR', 0)
      }
      const record = yield* this.#readRecord(this.#input)
      if (record !== undefined) {
        this.#setVariable('NR', toNumber(this.#variable('NR').value) + 1)
        this.#setVariable('FNR', toNumber(this.#variable('FNR').value) + 1)
        return record
      }
      if (this.#input.fd !== 0) this.#sys.close(this.#input.fd)
      this.#input = undefined
    }
    return undefined
  }

  // Records and fields.

  #setRecord(text: string): void {
    this.#record = text
    this.#fields = undefined
  }

  *#split(text: string, separator: string): Body<string[]> {
    if (text === '') return []
    if (separator === ' ') {
      const trimmed = text.replace(/^[ \t\n]+|[ \t\n]+$/g, '')
      return trimmed === '' ? [] : trimmed.split(/[ \t\n]+/)
    }
    if (separator === '') return [...text]
    if (separator.length === 1 && separator !== '\\') return text.split(separator)
    if (separator === '\\t' || separator === '\\|') return text.split(separator === '\\t' ? '\t' : '|')
    const regex = yield* this.#regex(separator)
    const parts: string[] = []
    let at = 0
    let from = 0
    while (from <= text.length) {
      const match = regex.exec(text, from)
      if (!match) break
      if (match.end === match.index) {
        from = match.end + 1
        continue
      }
      parts.push(text.slice(at, match.index))
      at = match.end
      from = match.end
    }
    parts.push(text.slice(at))
    return parts
  }

  *#splitRecord(): Body<Value[]> {
    if (!this.#fields) {
      const separator = this.#text(this.#variable('FS').value)
      this.#fields = (yield* this.#split(this.#record, separator)).map(fromInput)
      this.#nf = this.#fields.length
    }
    return this.#fields
  }

  #join(): void {
    const separator = this.#text(this.#variable('OFS').value)
    const fields = this.#fields!
    fields.length = this.#nf
    this.#record = Array.from(fields, (field) => this.#text(field)).join(separator)
  }

  // Variables.

  #variable(name: string): Cell {
    const frame = this.#frames[this.#frames.length - 1]
    const local = frame?.get(name)
    if (local) return local
    let cell = this.#globals.get(name)
    if (!cell) {
      cell = { value: undefined }
      this.#globals.set(name, cell)
    }
    return cell
  }

  #setVariable(name: string, value: Value): void {
    this.#variable(name).value = value
  }

  #array(name: string): Map<string, Value> {
    const cell = this.#variable(name)
    cell.array ??= new Map()
    return cell.array
  }

  *#key(index: Expression[]): Body<string> {
    const parts: string[] = []
    for (const one of index) {
      const value = yield* this.#evaluate(one)
      parts.push(this.#text(value))
    }
    return parts.join(this.#text(this.#variable('SUBSEP').value))
  }

  *#assign(target: Expression, value: Value): Body<void> {
    if (target.kind === 'group') return yield* this.#assign(target.inner, value)
    if (target.kind === 'variable') {
      if (target.name === 'NF') {
        yield* this.#splitRecord()
        this.#nf = Math.max(0, Math.floor(toNumber(value)))
        while (this.#fields!.length < this.#nf) this.#fields!.push('')
        this.#join()
      } else this.#setVariable(target.name, value)
    } else if (target.kind === 'element') this.#array(target.name).set(yield* this.#key(target.index), value)
    else if (target.kind === 'field') {
      const index = Math.floor(toNumber(yield* this.#evaluate(target.index)))
      if (index < 0) throw new AwkError(`negative field index $${index}`)
      if (index === 0) {
        this.#setRecord(this.#text(value))
        return
      }
      const fields = yield* this.#splitRecord()
      while (fields.length < index) fields.push('')
      this.#nf = Math.max(this.#nf, index)
      fields[index - 1] = value
      this.#join()
    }
  }

  #text(value: Value, format?: string): string {
    if (typeof value === 'string') return value
    if (value === undefined) return ''
    if (typeof value === 'object') return value.text
    // mawk: what doesn't fit in 32 bits is no integer.
    if (Number.isInteger(value) && Math.abs(value) <= 2147483647) return String(value)
    return this.#format(format ?? this.#text(this.#variable('CONVFMT').value), [value])
  }

  *#regex(source: string): Body<Regex> {
    let regex = this.#regexes.get(source)
    if (!regex) {
      const how = { extended: true }
      if (needsLibrary(source, how)) yield* loadRegexLibrary()
      const compiled = compileRegex(source, how)
      if ('error' in compiled) throw new AwkError(`regular expression compile failed (${compiled.error})\n${source}`)
      regex = compiled.regex
      this.#regexes.set(source, regex)
    }
    return regex
  }

  *#regexOf(expression: Expression): Body<Regex> {
    if (expression.kind === 'regex') return yield* this.#regex(expression.source)
    return yield* this.#regex(this.#text(yield* this.#evaluate(expression)))
  }

  #format(format: string, values: Value[]): string {
    let used = 0
    return format.replace(
      /%(%|([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?(?:hh|h|ll|l|L|q|j|z|t)?([a-zA-Z]))/g,
      (whole, all: string, given: string, w: string, p: string, conversion: string) => {
        if (all === '%') return '%'
        let flags = given ?? ''
        const star = (text: string | undefined) =>
          text === '*' ? toNumber(values[used++]) : text === undefined ? undefined : Number(text || 0)
        let width = star(w) ?? 0
        if (width < 0) {
          flags += '-'
          width = -width
        }
        const precision = star(p)
        if (used >= values.length && conversion !== '%')
          throw new AwkError('not enough arguments passed to sprintf("' + format + '")')
        const value = values[used++]
        let text: string
        let numeric = true
        switch (conversion) {
          case 'd':
          case 'i': {
            const number = toNumber(value)
            // mawk's %d is an int.
            const whole = Math.max(-2147483648, Math.min(2147483647, Math.trunc(Number.isNaN(number) ? 0 : number)))
            const digits = String(Math.abs(whole)).padStart(precision ?? 1, '0')
            text = (whole < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + digits
            break
          }
          case 'o':
          case 'x':
          case 'X':
          case 'u': {
            const number = BigInt.asUintN(64, BigInt(Math.trunc(toNumber(value)) || 0))
            text = number.toString(conversion === 'o' ? 8 : conversion === 'u' ? 10 : 16).padStart(precision ?? 1, '0')
            if (flags.includes('#') && number !== 0n && conversion !== 'u')
              text = (conversion === 'o' ? '0' : '0x') + text
            if (conversion === 'X') text = text.toUpperCase()
            break
          }
          case 'e':
          case 'E':
          case 'f':
          case 'F':
          case 'g':
          case 'G':
            text = formatFloat(toNumber(value), conversion, precision ?? 6, flags)
            break
          case 'c':
            text = typeof value === 'number' ? String.fromCharCode(value & 0xff) : ([...this.#text(value)][0] ?? '')
            numeric = false
            break
          case 's':
            text = this.#text(value)
            if (precision !== undefined) text = text.slice(0, precision)
            numeric = false
            break
          default:
            return whole
        }
        if (text.length >= width) return text
        if (flags.includes('-')) return text.padEnd(width)
        if (flags.includes('0') && numeric) {
          const sign = /^[-+ ]?(0x)?/.exec(text)![0]
          return sign + '0'.repeat(width - text.length) + text.slice(sign.length)
        }
        return text.padStart(width)
      },
    )
  }

  // Expressions.

  *#evaluate(expression: Expression): Body<Value> {
    switch (expression.kind) {
      case 'number':
      case 'string':
        return expression.value
      case 'group':
        return yield* this.#evaluate(expression.inner)
      case 'regex':
        return (yield* this.#regex(expression.source)).exec(this.#record) ? 1 : 0
      case 'variable':
        if (expression.name === 'NF') {
          yield* this.#splitRecord()
          return this.#nf
        }
        return this.#variable(expression.name).value
      case 'element': {
        const array = this.#array(expression.name)
        const key = yield* this.#key(expression.index)
        if (!array.has(key)) array.set(key, undefined)
        return array.get(key)
      }
      case 'field': {
        const index = Math.floor(toNumber(yield* this.#evaluate(expression.index)))
        if (index < 0) throw new AwkError(`negative field index $${index}`)
        if (index === 0) return fromInput(this.#record)
        return (yield* this.#splitRecord())[index - 1]
      }
      case 'assign': {
        const right = yield* this.#evaluate(expression.value)
        let value = right
        if (expression.operator !== '=')
          value = arithmetic(
            expression.operator.slice(0, -1),
            toNumber(yield* this.#evaluate(expression.target)),
            toNumber(right),
          )
        yield* this.#assign(expression.target, value)
        return value
      }
      case 'conditional':
        return yield* this.#evaluate(isTrue(yield* this.#evaluate(expression.test)) ? expression.yes : expression.no)
      case 'in':
        return this.#array(expression.name).has(yield* this.#key(expression.index)) ? 1 : 0
      case 'match': {
        const text = this.#text(yield* this.#evaluate(expression.left))
        return ((yield* this.#regexOf(expression.right)).exec(text) !== undefined) !== expression.negated ? 1 : 0
      }
      case 'unary': {
        const value = yield* this.#evaluate(expression.operand)
        if (expression.operator === '!') return isTrue(value) ? 0 : 1
        return expression.operator === '-' ? -toNumber(value) : toNumber(value)
      }
      case 'step': {
        const before = toNumber(yield* this.#evaluate(expression.target))
        const after = before + (expression.operator === '++' ? 1 : -1)
        yield* this.#assign(expression.target, after)
        return expression.prefix ? after : before
      }
      case 'binary':
        return yield* this.#binary(expression.operator, expression.left, expression.right)
      case 'call':
        return yield* this.#call(expression.name, expression.args)
      case 'invoke':
        return yield* this.#invoke(expression.name, expression.args)
      case 'getline':
        return yield* this.#getline(expression)
    }
  }

  *#binary(operator: string, left: Expression, right: Expression): Body<Value> {
    const a = yield* this.#evaluate(left)
    if (operator === '&&') return isTrue(a) && isTrue(yield* this.#evaluate(right)) ? 1 : 0
    if (operator === '||') return isTrue(a) || isTrue(yield* this.#evaluate(right)) ? 1 : 0
    // A string as it is now: what follows may change the variable.
    const early = operator === ' ' ? this.#text(a) : ''
    const b = yield* this.#evaluate(right)
    if (operator === ' ') return early + this.#text(b)
    if (['<', '<=', '==', '!=', '>', '>='].includes(operator)) {
      const numeric = typeof a !== 'string' && typeof b !== 'string'
      const [x, y] = numeric ? [toNumber(a), toNumber(b)] : [this.#text(a), this.#text(b)]
      const order = x < y ? -1 : x > y ? 1 : 0
      const holds = {
        '<': order < 0,
        '<=': order <= 0,
        '==': order === 0,
        '!=': order !== 0,
        '>': order > 0,
        '>=': order >= 0,
      }[operator]
      return holds ? 1 : 0
    }
    if ((operator === '/' || operator === '%') && toNumber(b) === 0)
      throw new AwkError(operator === '/' ? 'division by zero' : 'division by zero in %')
    return arithmetic(operator, toNumber(a), toNumber(b))
  }

  *#invoke(name: string, args: Expression[]): Body<Value> {
    const definition: AwkFunction | undefined = this.#program.functions.get(name)
    if (!definition) throw new AwkError(`function ${name} never defined`)
    if (this.#frames.length > 1000) throw new AwkError('function call nesting too deep')
    const frame = new Map<string, Cell>()
    const late: [Cell, Cell][] = []
    for (const [i, parameter] of definition.parameters.entries()) {
      const arg = args[i]
      if (arg?.kind === 'variable' && arg.name !== 'NF') {
        const outer = this.#variable(arg.name)
        // An array goes by reference; a variable that has no value yet may become one.
        const cell: Cell = outer.array ? outer : { value: outer.value }
        if (!outer.array && outer.value === undefined) late.push([outer, cell])
        frame.set(parameter, cell)
      } else frame.set(parameter, { value: arg ? yield* this.#evaluate(arg) : undefined })
    }
    this.#frames.push(frame)
    let value: Value
    try {
      yield* this.#execute(definition.body)
    } catch (thrown) {
      if (!(thrown instanceof Return)) throw thrown
      value = thrown.value
    } finally {
      this.#frames.pop()
    }
    for (const [outer, cell] of late) if (cell.array) outer.array = cell.array
    return value
  }

  *#call(name: string, args: Expression[]): Body<Value> {
    const text = function* (this: Interpreter, i: number): Body<string> {
      return args[i] ? this.#text(yield* this.#evaluate(args[i]!)) : ''
    }.bind(this)
    const number = function* (this: Interpreter, i: number): Body<number> {
      return args[i] ? toNumber(yield* this.#evaluate(args[i]!)) : 0
    }.bind(this)
    switch (name) {
      case 'length': {
        const arg = args[0]
        if (!arg) return [...this.#record].length
        if (arg.kind === 'variable' && this.#variable(arg.name).array) return this.#array(arg.name).size
        return [...(yield* text(0))].length
      }
      case 'substr': {
        const chars = [...(yield* text(0))]
        const start = yield* number(1)
        const length = args[2] ? yield* number(2) : Number.POSITIVE_INFINITY
        const from = Math.max(1, Math.round(start))
        const to = Math.min(
          chars.length + 1,
          length === Number.POSITIVE_INFINITY ? chars.length + 1 : Math.round(start + length),
        )
        return chars.slice(from - 1, Math.max(from - 1, to - 1)).join('')
      }
      case 'index':
        return (yield* text(0)).indexOf(yield* text(1)) + 1
      case 'split': {
        const subject = yield* text(0)
        const array = args[1]
        if (array?.kind !== 'variable') throw new AwkError('split: not an array')
        const by = args[2]
        const separator =
          by?.kind === 'regex' ? by.source : by ? yield* text(2) : this.#text(this.#variable('FS').value)
        const parts = yield* this.#split(
          subject,
          by?.kind === 'regex' && separator.length === 1 ? `(${separator})` : separator,
        )
        const map = this.#array(array.name)
        map.clear()
        parts.forEach((part, i) => map.set(String(i + 1), fromInput(part)))
        return parts.length
      }
      case 'sub':
      case 'gsub': {
        const regex = yield* this.#regexOf(args[0]!)
        const replacement = yield* text(1)
        const target: Expression = args[2] ?? { kind: 'field', index: { kind: 'number', value: 0 } }
        const subject = this.#text(yield* this.#evaluate(target))
        let result = ''
        let at = 0
        let count = 0
        let from = 0
        let lastEnd = -1
        while (from <= subject.length) {
          const match = regex.exec(subject, from)
          if (!match) break
          if (match.end === match.index && match.index === lastEnd) {
            from = match.index + 1
            continue
          }
          count++
          result += subject.slice(at, match.index)
          result += replacement.replace(/\\\\&|\\&|&/g, (what) =>
            what === '&' ? match.groups[0]! : what === '\\&' ? '&' : `\\${match.groups[0]}`,
          )
          at = match.end
          lastEnd = match.end
          from = match.end > match.index ? match.end : match.end + 1
          if (name === 'sub') break
        }
        if (count > 0) yield* this.#assign(target, result + subject.slice(at))
        return count
      }
      case 'match': {
        const match = (yield* this.#regexOf(args[1]!)).exec(yield* text(0))
        this.#setVariable('RSTART', match ? match.index + 1 : 0)
        this.#setVariable('RLENGTH', match ? match.end - match.index : -1)
        return match ? match.index + 1 : 0
      }
      case 'sprintf': {
        const values: Value[] = []
        for (const arg of args) values.push(yield* this.#evaluate(arg))
        return this.#format(this.#text(values[0]), values.slice(1))
      }
      case 'int':
        return Math.trunc(yield* number(0))
      case 'sqrt':
        return Math.sqrt(yield* number(0))
      case 'exp':
        return Math.exp(yield* number(0))
      case 'log':
        return Math.log(yield* number(0))
      case 'sin':
        return Math.sin(yield* number(0))
      case 'cos':
        return Math.cos(yield* number(0))
      case 'atan2':
        return Math.atan2(yield* number(0), yield* number(1))
      case 'rand':
        this.#seed = (this.#seed * 16807) % 2147483647
        return this.#seed / 2147483647
      case 'srand': {
        const before = this.#previousSeed
        this.#previousSeed = args[0] ? yield* number(0) : this.#sys.realtime().s
        this.#seed = Math.abs(Math.floor(this.#previousSeed)) % 2147483647 || 1
        return before
      }
      case 'tolower':
        return (yield* text(0)).toLowerCase()
      case 'toupper':
        return (yield* text(0)).toUpperCase()
      case 'systime':
        return this.#sys.realtime().s
      case 'strftime':
        return formatTime(args[0] ? yield* text(0) : '%c', args[1] ? yield* number(1) : this.#sys.realtime().s)
      case 'fflush':
        yield* this.#io.flush()
        return 0
      case 'close':
        return yield* this.#close(yield* text(0))
      case 'system': {
        yield* this.#io.flush()
        const command = yield* text(0)
        const pid = this.#sys.fork((child) => runShell(child, command))
        return yield* this.#wait(pid)
      }
      default:
        throw new AwkError(`${name}: not modelled`)
    }
  }

  *#wait(pid: number): Body<number> {
    for (;;) {
      const status = yield* this.#sys.waitpid(pid)
      if (status.ok) return status.value?.exit ?? 256
      if (status.errno !== 'EINTR') return 0
    }
  }

  *#close(name: string): Body<number> {
    const file = this.#files.get(name)
    if (file) {
      this.#sys.close(file.fd)
      this.#files.delete(name)
      return file.pid === undefined ? 0 : yield* this.#wait(file.pid)
    }
    const reader = this.#readers.get(name)
    if (!reader) return -1
    if (reader.reader.fd !== 0) this.#sys.close(reader.reader.fd)
    this.#readers.delete(name)
    return reader.pid === undefined ? 0 : yield* this.#wait(reader.pid)
  }

  *#getline(expression: Extract<Expression, { kind: 'getline' }>): Body<Value> {
    let record: string | undefined
    if (expression.from === 'main') record = yield* this.#nextRecord()
    else {
      const name = this.#text(yield* this.#evaluate(expression.source!))
      let reader = this.#readers.get(name)
      if (!reader) {
        if (expression.from === 'file') {
          const opened = name === '-' ? ({ ok: true, value: 0 } as const) : yield* this.#sys.open(name)
          if (!opened.ok) return -1
          reader = { reader: new Reader(this.#sys, opened.value), pid: undefined }
        } else {
          yield* this.#io.flush()
          const pipe = this.#sys.pipe()
          if (!pipe.ok) return -1
          const { read, write } = pipe.value
          const pid = this.#sys.fork(function* (child) {
            child.close(read)
            child.dup2(write, 1)
            child.close(write)
            return yield* runShell(child, name)
          })
          this.#sys.close(write)
          reader = { reader: new Reader(this.#sys, read), pid }
        }
        this.#readers.set(name, reader)
      }
      record = yield* this.#readRecord(reader.reader)
      if (record !== undefined && expression.from === 'command')
        this.#setVariable('NR', toNumber(this.#variable('NR').value) + 1)
    }
    if (record === undefined) return 0
    if (expression.target) yield* this.#assign(expression.target, fromInput(record))
    else this.#setRecord(record)
    return 1
  }

  // Statements.

  *#execute(statement: Statement): Body<void> {
    // A loop takes time, so that an endless one ends with its budget.
    if (++this.#steps % 500 === 0) yield* this.#sys.compute(100_000)
    switch (statement.kind) {
      case 'block':
        for (const one of statement.body) yield* this.#execute(one)
        return
      case 'expression':
        yield* this.#evaluate(statement.expression)
        return
      case 'print':
        return yield* this.#print(statement)
      case 'if':
        if (isTrue(yield* this.#evaluate(statement.test))) yield* this.#execute(statement.then)
        else if (statement.otherwise) yield* this.#execute(statement.otherwise)
        return
      case 'while':
        while (isTrue(yield* this.#evaluate(statement.test))) if (yield* this.#looped(statement.body)) return
        return
      case 'do':
        do {
          if (yield* this.#looped(statement.body)) return
        } while (isTrue(yield* this.#evaluate(statement.test)))
        return
      case 'for':
        if (statement.start) yield* this.#execute(statement.start)
        while (!statement.test || isTrue(yield* this.#evaluate(statement.test))) {
          if (yield* this.#looped(statement.body)) return
          if (statement.step) yield* this.#execute(statement.step)
        }
        return
      case 'forin':
        for (const key of [...this.#array(statement.name).keys()]) {
          this.#setVariable(statement.variable, fromInput(key))
          if (yield* this.#looped(statement.body)) return
        }
        return
      case 'delete':
        if (statement.index) this.#array(statement.name).delete(yield* this.#key(statement.index))
        else this.#array(statement.name).clear()
        return
      case 'next':
        throw new Next()
      case 'nextfile':
        throw new NextFile()
      case 'break':
        throw new Break()
      case 'continue':
        throw new Continue()
      case 'exit':
        throw new Exit(statement.value ? toNumber(yield* this.#evaluate(statement.value)) & 0xff : undefined)
      case 'return':
        throw new Return(statement.value ? yield* this.#evaluate(statement.value) : undefined)
    }
  }

  /** Runs a loop's body; true if it broke out. */
  *#looped(body: Statement): Body<boolean> {
    try {
      yield* this.#execute(body)
    } catch (thrown) {
      if (thrown instanceof Break) return true
      if (!(thrown instanceof Continue)) throw thrown
    }
    return false
  }

  *#print(statement: Extract<Statement, { kind: 'print' }>): Body<void> {
    const values: Value[] = []
    for (const arg of statement.args) values.push(yield* this.#evaluate(arg))
    let text: string
    if (statement.format) text = this.#format(this.#text(values[0]), values.slice(1))
    else {
      const format = this.#text(this.#variable('OFMT').value)
      const parts = values.length === 0 ? [this.#record] : values.map((value) => this.#text(value, format))
      text = parts.join(this.#text(this.#variable('OFS').value)) + this.#text(this.#variable('ORS').value)
    }
    if (!statement.redirect) {
      yield* this.#io.out(text)
      return
    }
    const name = this.#text(yield* this.#evaluate(statement.target!))
    if (name === '/dev/stdout' || name === '-') {
      yield* this.#io.out(text)
      return
    }
    if (name === '/dev/stderr') {
      yield* this.#io.err(text)
      return
    }
    let file = this.#files.get(name)
    if (!file) {
      if (statement.redirect === '|') {
        yield* this.#io.flush()
        const pipe = this.#sys.pipe()
        if (!pipe.ok) throw new AwkError('cannot make pipe')
        const { read, write } = pipe.value
        this.#sys.setCloseOnExec(write, true)
        const pid = this.#sys.fork(function* (child) {
          child.close(write)
          child.dup2(read, 0)
          child.close(read)
          return yield* runShell(child, name)
        })
        this.#sys.close(read)
        file = { fd: write, pid }
      } else {
        const opened = yield* this.#sys.open(
          name,
          O_WRONLY | O_CREAT | (statement.redirect === '>' ? O_TRUNC : O_APPEND),
          0o666,
        )
        if (!opened.ok) throw new AwkError(`cannot open "${name}" for output (${strerror(opened.errno)})`)
        file = { fd: opened.value, pid: undefined }
      }
      this.#files.set(name, file)
    }
    yield* this.#sys.write(file.fd, encodeText(text))
  }
}

function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      return a % b
    default:
      return a ** b
  }
}

function* runShell(sys: Sys, command: string): Body<number> {
  const done = yield* sys.exec('/bin/sh', ['sh', '-c', command])
  return done.ok ? done.value : 127
}

const HELP = `Usage: mawk [Options] [Program] [file ...]

Program:
    The -f option value is the name of a file containing program text.
    If no -f option is given, a "--" ends option processing; the following
    parameters are the program text.

Options:
    -f program-file  Program  text is read from file instead of from the
                     command-line.  Multiple -f options are accepted.
    -F value         sets the field separator, FS, to value.
    -v var=value     assigns value to program variable var.
    --               unambiguous end of options.
`

export const awk: Program = {
  name: 'awk',
  paths: ['/usr/bin/awk', '/usr/bin/mawk'],
  *main(sys, argv) {
    const io = new Io(sys, argv[0] ?? 'awk')
    const sources: string[] = []
    const assignments: string[] = []
    let separator: string | undefined
    let i = 1
    for (; i < argv.length; i++) {
      const word = argv[i]!
      if (word === '--') {
        i++
        break
      }
      if (word === '--help' || word === '--version' || word === '-V') {
        yield* io.out(word === '--help' ? HELP : 'mawk 1.3.4 20200120\n')
        yield* io.flush()
        return 0
      }
      if (!/^-./.test(word)) break
      if (word.startsWith('-W')) {
        if (word === '-W') i++
        continue
      }
      const letter = word[1]!
      if (!'fFv'.includes(letter)) {
        yield* io.err(`${io.name}: not an option: ${word}\n`)
        return 2
      }
      const value = word.length > 2 ? word.slice(2) : argv[++i]
      if (value === undefined) {
        yield* io.err(`${io.name}: option requires an argument -- ${letter}\n`)
        return 2
      }
      if (letter === 'F') separator = value
      else if (letter === 'v') assignments.push(value)
      else {
        const opened = value === '-' ? ({ ok: true, value: 0 } as const) : yield* sys.open(value)
        if (!opened.ok) {
          yield* io.fail(`cannot open ${value} (${strerror(opened.errno)})`, 2)
          return 2
        }
        sources.push(yield* new Reader(sys, opened.value).rest())
      }
    }
    const operands = argv.slice(i)
    if (sources.length === 0) {
      const text = operands.shift()
      if (text === undefined) {
        yield* io.err(HELP)
        return 2
      }
      sources.push(text)
    }
    let program: AwkProgram
    try {
      program = parseAwk(sources.join('\n'))
    } catch (thrown) {
      if (!(thrown instanceof AwkSyntaxError)) throw thrown
      const near = thrown.near === '\n' || thrown.near === 'end of file' ? 'end of line' : thrown.near
      yield* io.err(`${io.name}: line ${thrown.line}: syntax error at or near ${near}\n`)
      return 2
    }
    const interpreter = new Interpreter(io, program, operands)
    if (separator !== undefined) interpreter.assignOperand(`FS=${separator === 't' ? '\t' : separator}`)
    for (const assignment of assignments) {
      if (!/^[A-Za-z_]\w*=/.test(assignment)) {
        yield* io.err(`${io.name}: improper assignment: -v ${assignment}\n`)
        return 2
      }
      interpreter.assignOperand(assignment)
    }
    return yield* interpreter.run()
  },
}

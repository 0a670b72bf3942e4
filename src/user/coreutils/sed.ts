/** sed: addresses, the pattern and hold spaces, all commands of POSIX and GNU's common ones. GNU sed 4.8. */
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, strerror } from '#kernel/core'
import { compileRegex, encodeText, loadRegexLibrary, needsLibrary, type Regex } from '#user/shell'
import { defineTool, type Io, Reader } from './tool.ts'

type Address =
  | { kind: 'line'; line: number }
  | { kind: 'last' }
  | { kind: 'step'; first: number; step: number }
  | { kind: 'regex'; source: string; ignoreCase: boolean; regex?: Regex }
  | { kind: 'plus'; count: number }
  | { kind: 'multiple'; of: number }

interface Command {
  from?: Address
  to?: Address
  negate: boolean
  name: string
  /** Text of a, i, c; label of b, t, T, :; file of r, w; number of q, Q, l. */
  text: string
  /** Index behind the matching }. */
  end?: number
  substitute?: {
    source: string
    ignoreCase: boolean
    multiline: boolean
    regex?: Regex
    replacement: string
    global: boolean
    print: boolean
    nth: number
    file?: string
    evaluate: boolean
  }
  translate?: Map<string, string>
  /** A range that has begun, and at which line it ends if that is known. */
  active?: boolean
  until?: number
}

class ScriptError extends Error {
  readonly char: number
  constructor(message: string, char: number) {
    super(message)
    this.char = char
  }
}

class Parser {
  readonly #source: string
  #at = 0
  readonly commands: Command[] = []

  constructor(source: string) {
    this.#source = source
  }

  parse(): Command[] {
    const open: number[] = []
    for (;;) {
      this.#skip(/[\s;]/)
      if (this.#at >= this.#source.length) break
      if (this.#source[this.#at] === '#') {
        this.#line()
        continue
      }
      const command: Command = { negate: false, name: '', text: '' }
      const from = this.#address()
      if (from) {
        command.from = from
        this.#skip(/[ \t]/)
        if (this.#source[this.#at] === ',') {
          this.#at++
          this.#skip(/[ \t]/)
          const to = this.#address(true)
          if (!to) throw new ScriptError("unexpected `,'", this.#at + 1)
          command.to = to
        }
      }
      this.#skip(/[ \t]/)
      while (this.#source[this.#at] === '!') {
        command.negate = true
        this.#at++
        this.#skip(/[ \t]/)
      }
      const name = this.#source[this.#at++]
      if (name === undefined) throw new ScriptError('missing command', this.#at - 1)
      command.name = name
      if (name === '{') {
        open.push(this.commands.length)
        this.commands.push(command)
        continue
      }
      if (name === '}') {
        const start = open.pop()
        if (start === undefined) throw new ScriptError("unexpected `}'", this.#at)
        this.commands[start]!.end = this.commands.length
        continue
      }
      this.#argument(command)
      this.commands.push(command)
    }
    if (open.length > 0) throw new ScriptError("unmatched `{'", 0)
    return this.commands
  }

  #skip(pattern: RegExp): void {
    while (this.#at < this.#source.length && pattern.test(this.#source[this.#at]!)) this.#at++
  }

  #line(): string {
    const end = this.#source.indexOf('\n', this.#at)
    const line = this.#source.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#source.length : end + 1
    return line
  }

  #number(): number | undefined {
    const match = /^\d+/.exec(this.#source.slice(this.#at))
    if (!match) return undefined
    this.#at += match[0].length
    return Number(match[0])
  }

  #address(second = false): Address | undefined {
    const char = this.#source[this.#at]
    if (char === '$') {
      this.#at++
      return { kind: 'last' }
    }
    if (second && (char === '+' || char === '~')) {
      this.#at++
      const count = this.#number() ?? 0
      return char === '+' ? { kind: 'plus', count } : { kind: 'multiple', of: count }
    }
    if (char === '/' || char === '\\') {
      if (char === '\\') this.#at++
      const delimiter = this.#source[this.#at++]!
      const source = this.#delimited(delimiter, 'unterminated address regex')
      let ignoreCase = false
      while ('IM'.includes(this.#source[this.#at] ?? ' ')) if (this.#source[this.#at++] === 'I') ignoreCase = true
      return { kind: 'regex', source, ignoreCase }
    }
    const line = this.#number()
    if (line === undefined) return undefined
    if (this.#source[this.#at] === '~') {
      this.#at++
      return { kind: 'step', first: line, step: this.#number() ?? 0 }
    }
    return { kind: 'line', line }
  }

  /** Up to a delimiter that isn't quoted and, in a regular expression, not in brackets. */
  #delimited(delimiter: string, complaint: string, regex = true): string {
    let text = ''
    let inSet = false
    for (; this.#at < this.#source.length; this.#at++) {
      const char = this.#source[this.#at]!
      if (char === '\\') {
        const next = this.#source[++this.#at]
        if (next === undefined) break
        if (next === delimiter && !inSet)
          text +=
            delimiter === '&' && !regex
              ? '\\&'
              : /[a-zA-Z0-9/,:;@!#%_"'~ =<>-]/.test(delimiter)
                ? delimiter
                : `\\${next}`
        else if (next === 'n' && regex) text += '\n'
        else text += char + next
        continue
      }
      if (regex && char === '[' && !inSet) {
        inSet = true
        text += char
        if (this.#source[this.#at + 1] === '^') text += this.#source[++this.#at]
        if (this.#source[this.#at + 1] === ']') text += this.#source[++this.#at]
        continue
      }
      if (inSet && char === '[' && /[:.=]/.test(this.#source[this.#at + 1] ?? '')) {
        const close = this.#source.indexOf(`${this.#source[this.#at + 1]}]`, this.#at + 2)
        if (close > 0) {
          text += this.#source.slice(this.#at, close + 2)
          this.#at = close + 1
          continue
        }
      }
      if (inSet && char === ']') inSet = false
      else if (char === delimiter && !inSet) {
        this.#at++
        return text
      }
      text += char
    }
    throw new ScriptError(complaint, this.#source.length)
  }

  #argument(command: Command): void {
    switch (command.name) {
      case 's': {
        const delimiter = this.#source[this.#at++]!
        const source = this.#delimited(delimiter, "unterminated `s' command")
        const replacement = this.#delimited(delimiter, "unterminated `s' command", false)
        const substitute: NonNullable<Command['substitute']> = {
          source,
          ignoreCase: false,
          multiline: false,
          replacement,
          global: false,
          print: false,
          nth: 1,
          evaluate: false,
        }
        for (;;) {
          const flag = this.#source[this.#at]
          if (flag === undefined || /[\s;}#]/.test(flag)) break
          this.#at++
          if (flag === 'g') substitute.global = true
          else if (flag === 'p') substitute.print = true
          else if (flag === 'i' || flag === 'I') substitute.ignoreCase = true
          else if (flag === 'm' || flag === 'M') substitute.multiline = true
          else if (flag === 'e') throw new ScriptError('e flag: not modelled', this.#at)
          else if (flag === 'w') {
            substitute.file = this.#line().trim()
            break
          } else if (/\d/.test(flag)) {
            this.#at--
            substitute.nth = this.#number()!
            if (substitute.nth === 0) throw new ScriptError("number option to `s' command may not be zero", this.#at)
          } else throw new ScriptError("unknown option to `s'", this.#at)
        }
        command.substitute = substitute
        break
      }
      case 'y': {
        const delimiter = this.#source[this.#at++]!
        const unescape = (text: string) => [...text.replace(/\\(n|\\)/g, (_, c: string) => (c === 'n' ? '\n' : '\\'))]
        const from = unescape(this.#delimited(delimiter, "unterminated `y' command", false))
        const to = unescape(this.#delimited(delimiter, "unterminated `y' command", false))
        if (from.length !== to.length) throw new ScriptError("strings for `y' command are different lengths", this.#at)
        command.translate = new Map(from.map((char, i) => [char, to[i]!]))
        break
      }
      case 'a':
      case 'i':
      case 'c': {
        this.#skip(/[ \t]/)
        if (this.#source[this.#at] === '\\') {
          this.#at++
          this.#skip(/[ \t]/)
          if (this.#source[this.#at] === '\n') this.#at++
        }
        if (this.#at >= this.#source.length) throw new ScriptError("expected \\ after `a', `c' or `i'", this.#at)
        let text = ''
        for (; this.#at < this.#source.length; this.#at++) {
          const char = this.#source[this.#at]!
          if (char === '\\') text += this.#source[++this.#at] ?? ''
          else if (char === '\n') {
            this.#at++
            break
          } else text += char
        }
        command.text = `${text}\n`
        return
      }
      case ':':
        if (command.from) throw new ScriptError(": doesn't want any addresses", this.#at)
        this.#skip(/[ \t]/)
        command.text = /^[^\s;]*/.exec(this.#source.slice(this.#at))![0]
        this.#at += command.text.length
        if (command.text === '') throw new ScriptError('":" lacks a label', this.#at)
        break
      case 'b':
      case 't':
      case 'T': {
        const match = /^[ \t]*([^\s;]*)/.exec(this.#source.slice(this.#at))!
        this.#at += match[0].length
        command.text = match[1]!
        break
      }
      case 'r':
      case 'R':
      case 'w':
      case 'W':
        command.text = this.#line().trim()
        if (command.text === '') throw new ScriptError('missing filename in r/R/w/W commands', this.#at)
        return
      case 'q':
      case 'Q':
      case 'l':
      case 'L':
        this.#skip(/[ \t]/)
        command.text = String(this.#number() ?? '')
        break
      default:
        if (!'=dDgGhHnNpPxzF'.includes(command.name))
          throw new ScriptError(`unknown command: \`${command.name}'`, this.#at)
    }
    this.#skip(/[ \t]/)
    const after = this.#source[this.#at]
    if (after !== undefined && !/[\n;}#]/.test(after))
      throw new ScriptError('extra characters after command', this.#at + 1)
  }
}

/** The input: all operands one after another, with a look ahead for `$`. */
class Input {
  readonly #io: Io
  readonly #operands: string[]
  readonly #separate: boolean
  readonly #delimiter: string
  #reader: Reader | undefined
  #next: string | undefined
  #looked = false
  name = '-'
  line = 0
  missing = false

  constructor(io: Io, operands: string[], separate: boolean, delimiter: string) {
    this.#io = io
    this.#operands = operands
    this.#separate = separate
    this.#delimiter = delimiter
  }

  *#look(): Body<void> {
    while (!this.#looked) {
      if (!this.#reader) {
        const operand = this.#operands.shift()
        if (operand === undefined) {
          this.#next = undefined
          this.#looked = true
          return
        }
        this.name = operand
        if (operand === '-') this.#reader = new Reader(this.#io.sys, 0, this.#delimiter)
        else {
          const opened = yield* this.#io.sys.open(operand)
          if (!opened.ok) {
            yield* this.#io.fail(`can't read ${operand}: ${strerror(opened.errno)}`, 2)
            continue
          }
          const stat = this.#io.sys.fstat(opened.value)
          if (stat.ok && stat.value.type === 'directory') {
            yield* this.#io.fail(`read error on ${operand}: Is a directory`, 2)
            continue
          }
          this.#reader = new Reader(this.#io.sys, opened.value, this.#delimiter)
        }
      }
      const line = yield* this.#reader.line()
      if (line !== undefined) {
        this.#next = line
        this.#looked = true
        return
      }
      if (this.#reader.fd !== 0) this.#io.sys.close(this.#reader.fd)
      this.#reader = undefined
      if (this.#separate) {
        this.#next = undefined
        this.#looked = true
      }
    }
  }

  *take(): Body<string | undefined> {
    yield* this.#look()
    const line = this.#next
    this.#looked = false
    this.#next = undefined
    if (line === undefined) return undefined
    this.line++
    this.missing = !line.endsWith(this.#delimiter)
    return this.missing ? line : line.slice(0, -1)
  }

  /** Only `$` needs it: it makes sed wait for one line more. */
  *isLast(): Body<boolean> {
    yield* this.#look()
    return this.#next === undefined
  }
}

class Machine {
  readonly #io: Io
  readonly #commands: Command[]
  readonly #input: Input
  readonly #quiet: boolean
  readonly #out: (text: string) => Body<void>
  readonly #files = new Map<string, number>()
  readonly #end: string
  #pattern = ''
  #hold = ''
  #substituted = false
  #owesEnd = false
  #appended: ({ text: string } | { file: string })[] = []
  exit: number | undefined

  constructor(
    io: Io,
    commands: Command[],
    input: Input,
    options: { quiet: boolean; end: string; out(text: string): Body<void> },
  ) {
    this.#io = io
    this.#commands = commands
    this.#input = input
    this.#quiet = options.quiet
    this.#end = options.end
    this.#out = options.out
  }

  *run(): Body<void> {
    for (const command of this.#commands) {
      for (const file of [
        command.name === 'w' || command.name === 'W' ? command.text : undefined,
        command.substitute?.file,
      ]) {
        if (file === undefined || file === '/dev/stdout' || this.#files.has(file)) continue
        const opened = yield* this.#io.sys.open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        if (opened.ok) this.#files.set(file, opened.value)
        else yield* this.#io.fail(`couldn't open file ${file}: ${strerror(opened.errno)}`, 4)
      }
    }
    let again = false
    for (;;) {
      if (!again) {
        const line = yield* this.#input.take()
        if (line === undefined) return
        this.#pattern = line
      }
      const next = yield* this.#cycle()
      if (next === 'quit') return
      again = next === 'again'
    }
  }

  /** A last line without a newline is printed so, until something else is printed behind it. */
  *#print(text: string): Body<void> {
    const owed = this.#input.missing
    yield* this.#emit(owed ? text : text + this.#end)
    this.#owesEnd = owed
  }

  *#emit(text: string): Body<void> {
    if (text === '') return
    yield* this.#out(this.#owesEnd ? this.#end + text : text)
    this.#owesEnd = false
  }

  *#endCycle(print: boolean): Body<void> {
    if (print && !this.#quiet) yield* this.#print(this.#pattern)
    for (const item of this.#appended.splice(0)) {
      if ('text' in item) yield* this.#emit(item.text)
      else {
        const opened = yield* this.#io.sys.open(item.file === '/dev/stdin' ? '/dev/fd/0' : item.file)
        if (!opened.ok) continue
        yield* this.#emit(yield* new Reader(this.#io.sys, opened.value).rest())
        this.#io.sys.close(opened.value)
      }
    }
  }

  *#matchesOne(address: Address): Body<boolean> {
    switch (address.kind) {
      case 'line':
        return this.#input.line === address.line
      case 'last':
        return yield* this.#input.isLast()
      case 'step':
        return address.step <= 0
          ? this.#input.line === address.first
          : this.#input.line >= address.first && (this.#input.line - address.first) % address.step === 0
      case 'regex':
        return (address.regex ?? this.#lastRegex)?.exec(this.#pattern) !== undefined && this.#remember(address.regex)
      default:
        return false
    }
  }

  #lastRegex: Regex | undefined

  #remember(regex: Regex | undefined): true {
    if (regex) this.#lastRegex = regex
    return true
  }

  *#selected(command: Command): Body<boolean> {
    const { from, to } = command
    if (!from) return true
    if (!to) return yield* this.#matchesOne(from)
    const { line } = this.#input
    if (command.active) {
      if (command.until !== undefined) {
        if (line >= command.until) command.active = false
        // A line number that is behind already selects nothing more.
        return line <= command.until
      }
      if (yield* this.#matchesOne(to)) command.active = false
      return true
    }
    const zero = from.kind === 'line' && from.line === 0 && to.kind === 'regex'
    if (zero && line === 1) {
      command.active = !(yield* this.#matchesOne(to))
      delete command.until
      return true
    }
    if (!(yield* this.#matchesOne(from))) return false
    delete command.until
    if (to.kind === 'line') command.until = to.line
    else if (to.kind === 'plus') command.until = line + to.count
    else if (to.kind === 'multiple') command.until = to.of > 0 ? Math.ceil(line / to.of) * to.of : line
    command.active =
      command.until === undefined ? !(to.kind === 'last' && (yield* this.#input.isLast())) : command.until > line
    return true
  }

  *#cycle(): Body<'next' | 'again' | 'quit'> {
    this.#substituted = false
    const commands = this.#commands
    for (let i = 0, steps = 0; i < commands.length; i++) {
      const command = commands[i]!
      // A loop of commands takes time.
      if (++steps % 1000 === 0) yield* this.#io.sys.compute(100_000)
      if ((yield* this.#selected(command)) === command.negate) {
        if (command.name === '{') i = command.end! - 1
        continue
      }
      const label = (): number => {
        if (command.text === '') return commands.length
        return commands.findIndex((one) => one.name === ':' && one.text === command.text)
      }
      switch (command.name) {
        case '=':
          yield* this.#emit(`${this.#input.line}\n`)
          break
        case 'a':
          this.#appended.push({ text: command.text })
          break
        case 'i':
          yield* this.#emit(command.text)
          break
        case 'c':
          if (!command.to || !command.active || command.negate) yield* this.#emit(command.text)
          yield* this.#endCycle(false)
          return 'next'
        case 'b':
          i = label()
          break
        case 't':
          if (this.#substituted) {
            this.#substituted = false
            i = label()
          }
          break
        case 'T':
          if (!this.#substituted) i = label()
          this.#substituted = false
          break
        case 'd':
          yield* this.#endCycle(false)
          return 'next'
        case 'D': {
          const at = this.#pattern.indexOf('\n')
          yield* this.#endCycle(false)
          if (at < 0) return 'next'
          this.#pattern = this.#pattern.slice(at + 1)
          return 'again'
        }
        case 'g':
          this.#pattern = this.#hold
          break
        case 'G':
          this.#pattern += `\n${this.#hold}`
          break
        case 'h':
          this.#hold = this.#pattern
          break
        case 'H':
          this.#hold += `\n${this.#pattern}`
          break
        case 'x':
          ;[this.#pattern, this.#hold] = [this.#hold, this.#pattern]
          break
        case 'l':
          yield* this.#emit(`${visible(this.#pattern, Number(command.text || 70))}$\n`)
          break
        case 'n':
        case 'N': {
          if (yield* this.#input.isLast()) {
            // GNU's N prints the pattern space at the end of the input.
            yield* this.#endCycle(true)
            return 'quit'
          }
          if (command.name === 'n') yield* this.#endCycle(true)
          else yield* this.#flushAppended()
          const line = yield* this.#input.take()
          this.#pattern = command.name === 'n' ? line! : `${this.#pattern}\n${line}`
          break
        }
        case 'p':
          yield* this.#print(this.#pattern)
          break
        case 'P':
          yield* this.#emit(`${this.#pattern.split('\n', 1)[0]}\n`)
          break
        case 'q':
          yield* this.#endCycle(true)
          this.exit = Number(command.text || 0)
          return 'quit'
        case 'Q':
          this.exit = Number(command.text || 0)
          return 'quit'
        case 'r':
          this.#appended.push({ file: command.text })
          break
        case 's':
          yield* this.#substitute(command.substitute!)
          break
        case 'w':
          yield* this.#write(command.text, this.#pattern + (this.#input.missing ? '' : '\n'))
          break
        case 'W':
          yield* this.#write(command.text, `${this.#pattern.split('\n', 1)[0]}\n`)
          break
        case 'y':
          this.#pattern = [...this.#pattern].map((char) => command.translate!.get(char) ?? char).join('')
          break
        case 'z':
          this.#pattern = ''
          break
        case 'F':
          yield* this.#emit(`${this.#input.name}\n`)
          break
      }
    }
    yield* this.#endCycle(true)
    return 'next'
  }

  *#flushAppended(): Body<void> {
    const before = this.#pattern
    yield* this.#endCycle(false)
    this.#pattern = before
  }

  *#write(file: string, text: string): Body<void> {
    if (file === '/dev/stdout') yield* this.#emit(text)
    else if (this.#files.has(file)) yield* this.#io.sys.write(this.#files.get(file)!, encodeText(text))
  }

  *#substitute(command: NonNullable<Command['substitute']>): Body<void> {
    const regex = command.regex ?? this.#lastRegex
    if (!regex) return
    this.#lastRegex = regex
    const text = this.#pattern
    let result = ''
    let at = 0
    let count = 0
    let changed = false
    let lastEnd = -1
    while (at <= text.length) {
      const match = regex.exec(text, at)
      if (!match) break
      // An empty match right behind the last one doesn't count.
      if (match.end === match.index && match.index === lastEnd) {
        if (match.index >= text.length) break
        result += text[match.index]
        at = match.index + 1
        lastEnd = -1
        continue
      }
      count++
      result += text.slice(at, match.index)
      if (count >= command.nth && (command.global || count === command.nth)) {
        result += replaced(command.replacement, match.groups)
        changed = true
      } else result += match.groups[0]
      at = match.end
      lastEnd = match.end
      if (changed && !command.global) break
      if (match.end === match.index) {
        if (at >= text.length) break
        result += text[at++]
        lastEnd = -1
      }
    }
    if (!changed) return
    this.#pattern = result + text.slice(at)
    this.#substituted = true
    if (command.print) yield* this.#print(this.#pattern)
    if (command.file) yield* this.#write(command.file, `${this.#pattern}\n`)
  }
}

/** The right side of `s`: &, \1, \n, \U \L \u \l \E. */
function replaced(replacement: string, groups: (string | undefined)[]): string {
  let result = ''
  let mode: 'U' | 'L' | '' = ''
  let once: 'u' | 'l' | '' = ''
  const add = (text: string) => {
    if (text === '') return
    let shown = mode === 'U' ? text.toUpperCase() : mode === 'L' ? text.toLowerCase() : text
    if (once) shown = (once === 'u' ? shown[0]!.toUpperCase() : shown[0]!.toLowerCase()) + shown.slice(1)
    once = ''
    result += shown
  }
  for (let i = 0; i < replacement.length; i++) {
    const char = replacement[i]!
    if (char === '&') add(groups[0] ?? '')
    else if (char === '\\') {
      const next = replacement[++i] ?? '\\'
      if (/\d/.test(next)) add(groups[Number(next)] ?? '')
      else if (next === 'n') add('\n')
      else if (next === 't') add('\t')
      else if (next === 'r') add('\r')
      else if (next === 'U' || next === 'L') mode = next
      else if (next === 'E') mode = ''
      else if (next === 'u' || next === 'l') once = next
      else add(next)
    } else add(char)
  }
  return result
}

function visible(text: string, width: number): string {
  const names: Record<string, string> = {
    '\\': '\\\\',
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
  }
  let result = ''
  let column = 0
  for (const byte of encodeText(text)) {
    const char = String.fromCharCode(byte)
    const shown = names[char] ?? (byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, '0')}` : char)
    if (width > 1 && column + shown.length > width - 1) {
      result += '\\\n'
      column = 0
    }
    result += shown
    column += shown.length
  }
  return result
}

export const sed = defineTool({
  name: 'sed',
  version: 'sed (GNU sed) 4.8',
  short: 'bsnrzuEe:f:l:i::V:',
  long: [
    { name: 'quiet', as: 'n' },
    { name: 'silent', as: 'n' },
    { name: 'expression', as: 'e', argument: 'required' },
    { name: 'file', as: 'f', argument: 'required' },
    { name: 'in-place', as: 'i', argument: 'optional' },
    { name: 'regexp-extended', as: 'E' },
    { name: 'separate', as: 's' },
    { name: 'unbuffered', as: 'u' },
    { name: 'null-data', as: 'z' },
    { name: 'posix' },
    { name: 'debug' },
    { name: 'line-length', as: 'l', argument: 'required' },
  ],
  help: `Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...

  -n, --quiet, --silent          print only what p says
  -e script, --expression=script commands
  -f script-file, --file=script-file   commands from a file
  -E, -r, --regexp-extended      extended regular expressions
  -i[SUFFIX], --in-place[=SUFFIX]   change the files themselves
  -s, --separate                 each file for itself
  -u, --unbuffered               line by line
  -z, --null-data                lines end with NUL`,
  *run(io, options, given) {
    const operands = [...given]
    const parts: string[] = []
    for (const { option, value } of options.all) {
      if (option === 'e') parts.push(value!)
      if (option === 'f') {
        const opened = yield* io.sys.open(value!)
        if (!opened.ok) {
          yield* io.fail(`couldn't open file ${value}: ${strerror(opened.errno)}`)
          return 1
        }
        parts.push((yield* new Reader(io.sys, opened.value).rest()).replace(/\n$/, ''))
      }
    }
    if (parts.length === 0) {
      const script = operands.shift()
      if (script === undefined) {
        yield* io.err(`Usage: ${io.name} [OPTION]... {script-only-if-no-other-script} [input-file]...\n`)
        return 1
      }
      parts.push(script)
    }
    const source = parts.join('\n')
    const extended = options.has('E') || options.has('r')
    const quiet = options.has('n') || /^#n\n/.test(`${source}\n`)
    let commands: Command[]
    const parse = () => new Parser(source).parse()
    try {
      commands = parse()
      for (const command of commands) {
        if (
          'btT'.includes(command.name) &&
          command.text !== '' &&
          !commands.some((one) => one.name === ':' && one.text === command.text)
        ) {
          yield* io.fail(`can't find label for jump to \`${command.text}'`)
          return 1
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof ScriptError)) throw thrown
      yield* io.fail(`-e expression #1, char ${thrown.char}: ${thrown.message}`)
      return 1
    }
    const compileAll = function* (list: Command[]): Body<boolean> {
      for (const command of list) {
        const wanted = [command.from, command.to].filter(
          (one): one is Extract<Address, { kind: 'regex' }> => one?.kind === 'regex',
        )
        for (const one of [...wanted, ...(command.substitute ? [command.substitute] : [])]) {
          if (one.source === '') continue
          const how = { extended, ignoreCase: one.ignoreCase, multiline: 'multiline' in one && one.multiline }
          if (needsLibrary(one.source, how)) yield* loadRegexLibrary()
          const compiled = compileRegex(one.source, how)
          if ('error' in compiled) {
            yield* io.fail(`-e expression #1, char ${source.length}: ${compiled.error}`)
            return false
          }
          one.regex = compiled.regex
          const most =
            'replacement' in one
              ? Math.max(0, ...[...one.replacement.matchAll(/\\(\\|\d)/g)].map((match) => Number(match[1]) || 0))
              : 0
          if (most > compiled.regex.groupCount) {
            yield* io.fail(`-e expression #1, char ${source.length}: invalid reference \\${most} on \`s' command's RHS`)
            return false
          }
        }
      }
      return true
    }
    if (!(yield* compileAll(commands))) return 1
    const end = options.has('z') ? '\0' : '\n'
    if (options.has('i')) {
      for (const operand of operands) {
        const stat = io.sys.stat(operand)
        if (!stat.ok) {
          yield* io.fail(`can't read ${operand}: ${strerror(stat.errno)}`, 2)
          continue
        }
        if (stat.value.type !== 'file') {
          yield* io.fail(`couldn't edit ${operand}: not a regular file`, 4)
          continue
        }
        const own = parse()
        if (!(yield* compileAll(own))) return 1
        const collected: string[] = []
        const machine = new Machine(io, own, new Input(io, [operand], true, end), {
          quiet,
          end,
          *out(text) {
            collected.push(text)
          },
        })
        yield* machine.run()
        const suffix = options.get('i')
        if (suffix) io.sys.rename(operand, suffix.includes('*') ? suffix.replaceAll('*', operand) : operand + suffix)
        const temporary = `${operand}.sed${io.sys.pid}`
        const opened = yield* io.sys.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, stat.value.mode & 0o777)
        if (!opened.ok) {
          yield* io.fail(`couldn't open temporary file ${temporary}: ${strerror(opened.errno)}`, 4)
          return 4
        }
        yield* io.sys.write(opened.value, encodeText(collected.join('')))
        io.sys.close(opened.value)
        io.sys.rename(temporary, operand)
        if (machine.exit !== undefined) return machine.exit
      }
      return 0
    }
    const input = new Input(io, operands.length > 0 ? operands : ['-'], false, end)
    const machine = new Machine(io, commands, input, {
      quiet,
      end,
      *out(text) {
        yield* io.out(text)
        if (options.has('u')) yield* io.flush()
      },
    })
    yield* machine.run()
    return machine.exit ?? 0
  },
})

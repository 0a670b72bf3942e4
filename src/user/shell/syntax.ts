/** From text to trees: the grammar is unbash's; what is wrong is worded as bash 5.2's parser words it. */
import {
  type DoubleQuotedChild,
  type HereDoc,
  type ParsedScript,
  type ParseError,
  parse,
  type Statement,
  type Word,
} from 'unbash'

export interface SyntaxMistake {
  /** Without any prefix: "syntax error near unexpected token `)'". */
  message: string
  /** The line it is on, from 1. */
  line: number
  /** That line's text, which bash shows too unless it is interactive or the end was met. */
  text: string | undefined
  /** More input could make it right. */
  incomplete: boolean
}

export interface ParsedSource {
  source: string
  /** Those that can run before the mistake is met: bash reads a line at a time. */
  statements: readonly Statement[]
  mistake: SyntaxMistake | undefined
}

/** Parses a whole command string or script. */
export function parseSource(source: string): ParsedSource {
  const script = parse(source)
  const error = firstError(script)
  if (!error) {
    const open = unclosedHereDocument(script, source)
    return { source, statements: script.commands, mistake: open }
  }
  const mistake = describe(source, error)
  // The commands of earlier lines have run by then.
  const at = Math.min(error.pos, source.length)
  const broken = script.commands.find((statement) => statement.end >= at)
  const limit = source.lastIndexOf('\n', Math.min(broken ? broken.pos : at, at) - 1) + 1
  // A command that is broken at its start has no length: an empty loop, which would never end.
  const whole = script.commands.filter((statement) => statement.end <= limit && statement.end > statement.pos)
  return { source, statements: whole, mistake }
}

function firstError(script: ParsedScript): ParseError | undefined {
  const errors = script.errors ?? []
  return errors.find((error) => error.message.startsWith('unterminated')) ?? errors[0]
}

const CLOSERS: [RegExp, string][] = [
  [/double quote/, '"'],
  [/single quote|ANSI/i, "'"],
  [/backtick/, '`'],
  [/parameter expansion/, '}'],
  [/command substitution|arithmetic|process substitution|array/, ')'],
]

function describe(source: string, error: ParseError): SyntaxMistake {
  const lines = source.split('\n')
  const lastLine = source.endsWith('\n') ? lines.length : lines.length + 1
  if (error.message.startsWith('unterminated')) {
    const closer = CLOSERS.find(([pattern]) => pattern.test(error.message))?.[1] ?? ')'
    const line = closer === ')' ? lastLine : lineOf(source, error.pos)
    return {
      message: `unexpected EOF while looking for matching \`${closer}'`,
      line,
      text: undefined,
      incomplete: true,
    }
  }
  let at = Math.min(error.pos, source.length)
  while (source[at] === ' ' || source[at] === '\t') at++
  const rest = source.slice(at)
  const redirect = /redirect target/.test(error.message)
  if (rest.trim() === '' && !redirect && !/function body/.test(error.message)) {
    return { message: 'syntax error: unexpected end of file', line: lastLine, text: undefined, incomplete: true }
  }
  const named = /unexpected token '(.+)'/.exec(error.message)?.[1]
  const token = named ?? tokenAt(rest)
  const line = lineOf(source, at)
  return {
    message: `syntax error near unexpected token \`${token}'`,
    line,
    text: lines[line - 1] ?? '',
    incomplete: false,
  }
}

function tokenAt(rest: string): string {
  if (rest === '' || rest[0] === '\n') return 'newline'
  return /^(;;&|;;|;&|&&|\|\||\|&|<<<|<<-?|>>|[<>]&|<>|>\||&>>?|[;&|()<>]|[^\s;&|()<>]+)/.exec(rest)?.[1] ?? rest[0]!
}

/** A here-document whose delimiter hasn't come: more input is wanted, though a script's end closes it. */
function unclosedHereDocument(script: ParsedScript, source: string): SyntaxMistake | undefined {
  if (!source.includes('<<')) return undefined
  let open: HereDoc | undefined
  const visit = (node: unknown): void => {
    if (open || typeof node !== 'object' || node === null) return
    const candidate = node as { type?: string }
    if (candidate.type === 'HereDoc' && !(node as HereDoc).closing) open = node as HereDoc
    for (const value of Object.values(node)) if (typeof value === 'object') visit(value)
  }
  visit(script.commands)
  return open && { message: '', line: lineOf(source, open.pos), text: open.delimiter?.value ?? '', incomplete: true }
}

/** The line of a position, from 1. */
export function lineOf(source: string, position: number): number {
  let line = 1
  for (let i = source.indexOf('\n'); i >= 0 && i < position; i = source.indexOf('\n', i + 1)) line++
  return line
}

const words = new Map<string, Word>()

/** One word of source text. */
export function parseWord(text: string): Word {
  let word = words.get(text)
  if (!word) {
    const command = parse(`: ${text}`).commands[0]?.command
    const argument = command?.type === 'Command' ? command.args[0] : undefined
    word =
      argument?.type === 'Word' && argument.text === text
        ? argument
        : { type: 'Word', text, value: text, pos: 0, end: text.length }
    if (words.size > 2000) words.clear()
    words.set(text, word)
  }
  return word
}

const quoted = new Map<string, readonly DoubleQuotedChild[]>()

/** Text as if it stood in double quotes, in which a double quote is an ordinary character. */
export function parseDoubleQuoted(text: string): readonly DoubleQuotedChild[] {
  let parts = quoted.get(text)
  if (!parts) {
    const command = parse(`: <<END_OF_QUOTED_TEXT\n${text}\nEND_OF_QUOTED_TEXT\n`).commands[0]?.command
    const redirect = command?.type === 'Command' ? command.redirects[0] : undefined
    const body = redirect?.type === 'HereDoc' ? redirect.body : undefined
    const raw = (body?.parts ?? [
      { type: 'Literal', value: text, text: `${text}\n`, pos: 0, end: text.length },
    ]) as DoubleQuotedChild[]
    const last = raw[raw.length - 1]
    parts =
      last?.type === 'Literal' && last.text.endsWith('\n')
        ? last.text === '\n'
          ? raw.slice(0, -1)
          : [...raw.slice(0, -1), { ...last, text: last.text.slice(0, -1) }]
        : raw
    if (quoted.size > 2000) quoted.clear()
    quoted.set(text, parts)
  }
  return parts
}

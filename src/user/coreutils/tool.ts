/**
 * What the tools have in common: options in glibc's way, --help and --version, buffered output as stdio has it (a line
 * at a time on a terminal, else in blocks), and input by lines that are given on as they come.
 */
import { type GetoptResult, getopt, type LongOption, type ParsedOption } from '#base/text'
import { type Body, type Errno, type Program, type Sys, strerror } from '#kernel/core'
import { decodeText, encodeText } from '#user/shell'

/** glibc's block for a pipe or a file. */
const BLOCK = 4096

/** Standard output and error of a tool. */
export class Io {
  readonly sys: Sys
  readonly name: string
  #pending: string[] = []
  #length = 0
  readonly #mode: 'none' | 'line' | 'block'
  /** The status with which the tool ends unless it says otherwise. */
  status = 0

  constructor(sys: Sys, name: string) {
    this.sys = sys
    this.name = name
    // stdbuf(1) tells its choice in the environment.
    const wanted = sys.env.get('_STDBUF_O')
    this.#mode = wanted === '0' ? 'none' : wanted === 'L' || sys.isatty(1) ? 'line' : 'block'
  }

  /** Prints to standard output. */
  *out(text: string): Body<void> {
    if (text === '') return
    this.#pending.push(text)
    this.#length += text.length
    if (this.#mode === 'none' || this.#length >= BLOCK || (this.#mode === 'line' && text.includes('\n')))
      yield* this.flush()
  }

  *flush(): Body<void> {
    if (this.#length === 0) return
    const text = this.#pending.join('')
    this.#pending = []
    this.#length = 0
    const written = yield* this.sys.write(1, encodeText(text))
    if (!written.ok && written.errno !== 'EPIPE') {
      yield* this.sys.write(2, encodeText(`${this.name}: write error: ${strerror(written.errno)}\n`))
      this.status = 1
    }
  }

  /** A string in the locale's quotes, which in UTF-8 are curved; file names mostly have `quote` instead. */
  quote(text: string): string {
    const { env } = this.sys
    const locale = env.get('LC_ALL') || env.get('LC_CTYPE') || env.get('LANG') || 'C'
    return /utf-?8/i.test(locale) ? `‘${text}’` : `'${text}'`
  }

  /** Prints a line to standard error, with the tool's name in front; the status becomes 1 unless it is worse. */
  *fail(message: string, status = 1): Body<void> {
    yield* this.flush()
    yield* this.sys.write(2, encodeText(`${this.name}: ${message}\n`))
    this.status = Math.max(this.status, status)
  }

  *err(text: string): Body<void> {
    yield* this.flush()
    yield* this.sys.write(2, encodeText(text))
  }

  /** `NAME: OPERAND: No such file or directory`. */
  *failOn(operand: string, errno: Errno, status = 1): Body<void> {
    yield* this.fail(`${operand}: ${strerror(errno)}`, status)
  }

  /** A usage mistake: the message and where help is. */
  *usage(message: string, status: number): Body<number> {
    yield* this.fail(message, status)
    yield* this.err(`Try '${this.name} --help' for more information.\n`)
    return status
  }
}

/** Options as the tool sees them. */
export class Options {
  /** In the order given. */
  readonly all: readonly ParsedOption[]
  readonly #last = new Map<string, string | undefined>()

  constructor(all: readonly ParsedOption[]) {
    this.all = all
    for (const { option, value } of all) this.#last.set(option, value)
  }

  has(option: string): boolean {
    return this.#last.has(option)
  }

  /** The value that was given last. */
  get(option: string): string | undefined {
    return this.#last.get(option)
  }

  values(option: string): string[] {
    return this.all.filter((one) => one.option === option).map((one) => one.value ?? '')
  }

  /** Of several options the one that was given last. */
  last(...options: string[]): string | undefined {
    return this.all.findLast((one) => options.includes(one.option))?.option
  }
}

export interface Tool {
  name: string
  paths?: string[]
  /** What --help prints, from `Usage:` on. */
  help: string
  /** `NAME (GNU coreutils) 9.1` by default. */
  version?: string
  short?: string
  long?: LongOption[]
  /** diffutils repeat their name before "Try ..."; grep and sed have a hint of their own. */
  hint?(name: string): string
  /** The status of a usage mistake; 1 by default. */
  usageStatus?: number
  /** Leaves words such as `-5` to the tool: gives argv as getopt should see it. */
  prepare?(argv: string[]): string[]
  run(io: Io, options: Options, operands: string[]): Body<number>
}

/** A tool as a program. */
export function defineTool(tool: Tool): Program {
  const long: LongOption[] = [
    ...(tool.long ?? []),
    { name: 'help', as: '--help' },
    { name: 'version', as: '--version' },
  ]
  return {
    name: tool.name,
    paths: tool.paths ?? [`/usr/bin/${tool.name}`],
    *main(sys, argv) {
      const name = argv[0] ?? tool.name
      const io = new Io(sys, name)
      const words = tool.prepare ? tool.prepare(argv) : argv
      const parsed: GetoptResult = getopt(words, tool.short ?? '', long)
      for (const { option, message } of parsed.options) {
        if (option === '--help') {
          yield* io.out(tool.help.endsWith('\n') ? tool.help : `${tool.help}\n`)
          yield* io.flush()
          return 0
        }
        if (option === '--version') {
          yield* io.out(`${tool.version ?? `${tool.name} (GNU coreutils) 9.1`}\n`)
          yield* io.flush()
          return 0
        }
        if (message !== undefined) {
          yield* io.err(`${message}\n${tool.hint ? tool.hint(name) : `Try '${name} --help' for more information.\n`}`)
          return tool.usageStatus ?? 1
        }
      }
      const status = yield* tool.run(io, new Options(parsed.options), parsed.operands)
      yield* io.flush()
      return Math.max(status, io.status)
    },
  }
}

/** Bytes of a descriptor, as they come. */
export class Reader {
  readonly sys: Sys
  readonly fd: number
  #buffer = ''
  #ended = false
  error: Errno | undefined
  #carry: Uint8Array | undefined
  readonly #delimiter: string

  constructor(sys: Sys, fd: number, delimiter = '\n') {
    this.sys = sys
    this.fd = fd
    this.#delimiter = delimiter
  }

  /** What comes next, as text; undefined at the end. */
  *chunk(): Body<string | undefined> {
    if (this.#buffer !== '') {
      const text = this.#buffer
      this.#buffer = ''
      return text
    }
    return yield* this.#more()
  }

  *#more(): Body<string | undefined> {
    while (!this.#ended) {
      const got = yield* this.sys.read(this.fd, 32768)
      if (!got.ok) {
        if (got.errno === 'EINTR') continue
        this.error = got.errno
        this.#ended = true
        break
      }
      if (got.value.length === 0) {
        this.#ended = true
        const rest = this.#carry
        this.#carry = undefined
        return rest ? decodeText(rest) : undefined
      }
      let bytes = got.value
      if (this.#carry) {
        const joined = new Uint8Array(this.#carry.length + bytes.length)
        joined.set(this.#carry)
        joined.set(bytes, this.#carry.length)
        bytes = joined
        this.#carry = undefined
      }
      // A character that is cut waits for its rest.
      const cut = incompleteTail(bytes)
      if (cut > 0) {
        this.#carry = bytes.slice(bytes.length - cut)
        bytes = bytes.subarray(0, bytes.length - cut)
        if (bytes.length === 0) continue
      }
      return decodeText(bytes)
    }
    return undefined
  }

  /** The next line with its delimiter, if it has one; undefined at the end. */
  *line(): Body<string | undefined> {
    let from = 0
    for (;;) {
      const at = this.#buffer.indexOf(this.#delimiter, from)
      if (at >= 0) {
        const line = this.#buffer.slice(0, at + 1)
        this.#buffer = this.#buffer.slice(at + 1)
        return line
      }
      from = this.#buffer.length
      const more = yield* this.#more()
      if (more === undefined) {
        const rest = this.#buffer
        this.#buffer = ''
        return rest === '' ? undefined : rest
      }
      this.#buffer += more
    }
  }

  /** Everything that is left. */
  *rest(): Body<string> {
    const parts: string[] = []
    for (;;) {
      const chunk = yield* this.chunk()
      if (chunk === undefined) return parts.join('')
      parts.push(chunk)
    }
  }
}

function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) return 0
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return needs > back ? back : 0
    }
  }
  return 0
}

/** Opens an operand; `-` is standard input. A mistake is told, and undefined given. */
export function* openInput(io: Io, operand: string, status = 1): Body<number | undefined> {
  if (operand === '-') return 0
  const opened = yield* io.sys.open(operand)
  if (!opened.ok) {
    yield* io.failOn(operand, opened.errno, status)
    return undefined
  }
  const stat = io.sys.fstat(opened.value)
  if (stat.ok && stat.value.type === 'directory') {
    io.sys.close(opened.value)
    yield* io.failOn(operand, 'EISDIR', status)
    return undefined
  }
  return opened.value
}

/** Calls `each` with a reader of every operand, of standard input if there is none. */
export function* eachInput(
  io: Io,
  operands: readonly string[],
  each: (reader: Reader, operand: string) => Body<boolean | void>,
  delimiter = '\n',
): Body<void> {
  for (const operand of operands.length > 0 ? operands : ['-']) {
    const fd = yield* openInput(io, operand)
    if (fd === undefined) continue
    const reader = new Reader(io.sys, fd, delimiter)
    const stop = yield* each(reader, operand)
    if (reader.error) yield* io.failOn(operand, reader.error)
    if (fd !== 0) io.sys.close(fd)
    if (stop === true) return
  }
}

/** All lines of the operands, without their newlines. */
export function* allLines(io: Io, operands: readonly string[], delimiter = '\n'): Body<string[]> {
  const lines: string[] = []
  yield* eachInput(
    io,
    operands,
    function* (reader) {
      const text = yield* reader.rest()
      const parts = text.split(delimiter)
      if (parts[parts.length - 1] === '') parts.pop()
      for (const part of parts) lines.push(part)
    },
    delimiter,
  )
  return lines
}

/** 10, 1K, 2kB, 3MiB ... as coreutils' sizes are written; undefined if it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(?:([bBcwkKMGTPE])(iB|B)?)?$/.exec(text)
  if (!match) return undefined
  const [, digits, unit, suffix] = match
  if (unit === undefined) return Number(digits)
  if (unit === 'b') return Number(digits) * 512
  if (unit === 'c') return Number(digits)
  if (unit === 'w') return Number(digits) * 2
  if (unit === 'B') return Number(digits)
  const power = 'KMGTPE'.indexOf(unit.toUpperCase()) + 1
  return Number(digits) * (suffix === 'B' ? 1000 : 1024) ** power
}

/** Seconds of `1.5`, `2m`, `1h`, `infinity`; undefined if it is none. */
export function parseInterval(text: string): number | undefined {
  if (/^\+?inf(inity)?$/i.test(text)) return Number.POSITIVE_INFINITY
  const match = /^\+?((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)([smhd]?)$/i.exec(text)
  if (!match) return undefined
  return Number(match[1]) * { '': 1, s: 1, m: 60, h: 3600, d: 86400 }[match[2] as '' | 's' | 'm' | 'h' | 'd']!
}

/** CLOCK_REALTIME of a file's time, which is counted in the lab's; parts are kept whole, for a double has 53 bits. */
export function fileTime(sys: Sys, mtimeNs: number): { s: number; ns: number } {
  const now = sys.realtime()
  const labNs = sys.labNs()
  const labS = Math.floor(labNs / 1e9)
  const fileS = Math.floor(mtimeNs / 1e9)
  const ns = now.ns - (labNs - labS * 1e9) + (mtimeNs - fileS * 1e9)
  const carry = Math.floor(ns / 1e9)
  return { s: now.s - labS + fileS + carry, ns: Math.round(ns - carry * 1e9) }
}

/** The other way. */
export function mtimeOf(sys: Sys, time: { s: number; ns: number }): number {
  const now = sys.realtime()
  return (time.s - now.s) * 1e9 + (sys.labNs() - now.ns) + time.ns
}

/** A string in the quotes that coreutils' messages have. */
export function quote(text: string): string {
  return /['\x00-\x1f]/.test(text) && !text.includes('"') && !/[\x00-\x1f]/.test(text) ? `"${text}"` : `'${text}'`
}

/** What a mistake in the operands' number is called. */
export function* needOperands(
  io: Io,
  operands: readonly string[],
  least: number,
  most = Number.POSITIVE_INFINITY,
  status = 1,
): Body<number | undefined> {
  if (operands.length === 0 && least > 0) return yield* io.usage('missing operand', status)
  if (operands.length < least)
    return yield* io.usage(`missing operand after ${io.quote(operands[operands.length - 1]!)}`, status)
  if (operands.length > most) return yield* io.usage(`extra operand ${io.quote(operands[most]!)}`, status)
  return undefined
}

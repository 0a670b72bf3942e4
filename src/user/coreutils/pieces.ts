/** split, strings, unexpand, unlink: what a file is cut into, and what is found in it. */
import { NotModelled } from '#base/check'
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, type Sys, strerror } from '#kernel/core'
import { encodeText } from '#user/shell'
import { concatenate } from './dump.ts'
import { defineTool, eachInput, type Io, needOperands, parseSize, quote } from './tool.ts'

function* everything(sys: Sys, fd: number): Body<Uint8Array> {
  const chunks: Uint8Array[] = []
  for (;;) {
    const got = yield* sys.read(fd, 65536)
    if (!got.ok && got.errno === 'EINTR') continue
    if (!got.ok || got.value.length === 0) return concatenate(chunks)
    chunks.push(got.value)
  }
}

/** The lines of some bytes, each with its separator. */
function linesOf(bytes: Uint8Array, separator: number): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(separator, at)
    lines.push(bytes.subarray(at, end < 0 ? bytes.length : end + 1))
    at = end < 0 ? bytes.length : end + 1
  }
  return lines
}

/** As many lines as fit into so many bytes; a longer line is cut. */
function packed(lines: Uint8Array[], size: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let piece: Uint8Array[] = []
  let length = 0
  const end = () => {
    if (length > 0) pieces.push(concatenate(piece))
    piece = []
    length = 0
  }
  for (const line of lines) {
    if (length + line.length > size) end()
    let rest = line
    for (; rest.length > size; rest = rest.subarray(size)) pieces.push(rest.subarray(0, size))
    piece.push(rest)
    length += rest.length
  }
  end()
  return pieces
}

/** -n: N pieces by bytes, l/N by whole lines, r/N by lines in turn. */
function portions(bytes: Uint8Array, way: string, count: number, separator: number): Uint8Array[] {
  const size = Math.floor(bytes.length / count)
  const endOf = (i: number) => (i === count - 1 ? bytes.length : (i + 1) * size)
  if (way === '') return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, endOf(i)))
  const pieces: Uint8Array[][] = Array.from({ length: count }, () => [])
  let at = 0
  linesOf(bytes, separator).forEach((line, i) => {
    // A line belongs to the piece that its first byte lies in.
    let piece = i % count
    if (way === 'l') for (piece = 0; piece < count - 1 && at >= endOf(piece); ) piece++
    pieces[piece]!.push(line)
    at += line.length
  })
  return pieces.map(concatenate)
}

export const split = defineTool({
  name: 'split',
  short: 'a:b:C:dl:n:t:xeu',
  long: [
    { name: 'suffix-length', as: 'a', argument: 'required' },
    { name: 'additional-suffix', argument: 'required' },
    { name: 'bytes', as: 'b', argument: 'required' },
    { name: 'line-bytes', as: 'C', argument: 'required' },
    { name: 'numeric-suffixes', as: 'd', argument: 'optional' },
    { name: 'filter', argument: 'required' },
    { name: 'lines', as: 'l', argument: 'required' },
    { name: 'number', as: 'n', argument: 'required' },
    { name: 'separator', as: 't', argument: 'required' },
    { name: 'verbose' },
  ],
  help: `Usage: split [OPTION]... [FILE [PREFIX]]
Write pieces of FILE, or of standard input, to PREFIXaa (xaa), PREFIXab, ...

  -a, --suffix-length=N         letters of the suffix (2)
      --additional-suffix=TEXT  behind it
  -b, --bytes=SIZE              SIZE bytes a piece
  -C, --line-bytes=SIZE         at most SIZE bytes of whole lines a piece
  -d, --numeric-suffixes[=FROM] digits instead of letters
  -l, --lines=NUMBER            NUMBER lines a piece (1000)
  -n, --number=CHUNKS           N, l/N or r/N pieces; K/N prints the Kth
  -t, --separator=SEP           instead of a newline
      --verbose                 say what is made`,
  *run(io, options, operands) {
    if (operands.length > 2) return yield* io.usage(`extra operand ${io.quote(operands[2]!)}`, 1)
    if (options.has('filter')) throw new NotModelled('split --filter')
    const ways = options.all.filter(({ option }) => 'bCln'.includes(option))
    if (ways.length > 1) return yield* io.usage('cannot split in more than one way', 1)
    const way = ways[0]?.option ?? 'l'
    const given = ways[0]?.value ?? '1000'
    const chunks = way === 'n' ? /^(?:([lr])\/)?(?:(\d+)\/)?(\d+)$/.exec(given) : null
    const amount = way === 'n' ? Number(chunks?.[3] ?? 0) : (parseSize(given) ?? 0)
    if (!(amount > 0)) {
      const what = way === 'n' ? 'number of chunks' : way === 'l' ? 'number of lines' : 'number of bytes'
      yield* io.fail(`invalid ${what}: ${io.quote(given)}`)
      return 1
    }
    const [file = '-', prefix = 'x'] = operands
    const opened = file === '-' ? ({ ok: true, value: 0 } as const) : yield* io.sys.open(file)
    if (!opened.ok) {
      yield* io.fail(`cannot open ${quote(file)} for reading: ${strerror(opened.errno)}`)
      return 1
    }
    const bytes = yield* everything(io.sys, opened.value)
    if (opened.value !== 0) io.sys.close(opened.value)
    const separator = encodeText(options.get('t') ?? '\n')[0]!
    const lines = () => linesOf(bytes, separator)
    let pieces: Uint8Array[] = []
    if (way === 'n') pieces = portions(bytes, chunks![1] ?? '', amount, separator)
    else if (way === 'C') pieces = packed(lines(), amount)
    else if (way === 'b') for (let at = 0; at < bytes.length; at += amount) pieces.push(bytes.subarray(at, at + amount))
    else {
      const all = lines()
      for (let i = 0; i < all.length; i += amount) pieces.push(concatenate(all.slice(i, i + amount)))
    }
    if (chunks?.[2] !== undefined) {
      yield* io.sys.write(1, pieces[Number(chunks[2]) - 1] ?? new Uint8Array(0))
      return 0
    }
    return yield* writePieces(io, pieces, (i) => nameOf(i, prefix, options.get('a'), options), options.has('verbose'))
  },
})

function nameOf(
  i: number,
  prefix: string,
  length: string | undefined,
  options: { has(option: string): boolean; get(option: string): string | undefined },
): string | undefined {
  const digits = options.has('d') ? '0123456789' : 'abcdefghijklmnopqrstuvwxyz'
  const width = Number(length ?? 2)
  let left = i + Number(options.get('d') ?? 0)
  let suffix = ''
  for (let k = 0; k < width; k++) {
    suffix = digits[left % digits.length]! + suffix
    left = Math.floor(left / digits.length)
  }
  return left > 0 ? undefined : prefix + suffix + (options.get('additional-suffix') ?? '')
}

function* writePieces(
  io: Io,
  pieces: Uint8Array[],
  name: (i: number) => string | undefined,
  verbose: boolean,
): Body<number> {
  for (const [i, piece] of pieces.entries()) {
    const path = name(i)
    if (path === undefined) {
      yield* io.fail('output file suffixes exhausted')
      return 1
    }
    if (verbose) yield* io.out(`creating file ${quote(path)}\n`)
    const target = yield* io.sys.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    if (!target.ok) {
      yield* io.fail(`${path}: ${strerror(target.errno)}`)
      return 1
    }
    yield* io.sys.write(target.value, piece)
    io.sys.close(target.value)
  }
  return 0
}

export const strings = defineTool({
  name: 'strings',
  version: 'GNU strings (GNU Binutils for Debian) 2.40',
  short: 'afn:ot:',
  long: [
    { name: 'all', as: 'a' },
    { name: 'bytes', as: 'n', argument: 'required' },
    { name: 'print-file-name', as: 'f' },
    { name: 'radix', as: 't', argument: 'required' },
  ],
  prepare: (argv) => argv.map((word) => word.replace(/^-(\d+)$/, '-n$1')),
  help: `Usage: strings [option(s)] [file(s)]
 Print the printable strings of files, or of standard input.
  -a --all               the whole file (the default)
  -f --print-file-name   before each string
  -n --bytes=NUMBER, -NUMBER   NUMBER characters (4) at least
  -t --radix={o,d,x}     where each stands
  -o                     as -t o`,
  *run(io, options, operands) {
    const least = options.get('n') ?? '4'
    if (!/^(0x)?\d+$/.test(least)) {
      yield* io.fail(`invalid integer argument ${least}`)
      return 1
    }
    if (Number(least) < 1) {
      yield* io.fail(`invalid minimum string length ${least}`)
      return 1
    }
    const radix = options.last('t', 'o') === 'o' ? 'o' : options.get('t')
    const base = radix === 'x' ? 16 : radix === 'd' ? 10 : 8
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const stat = operand === '-' ? undefined : io.sys.stat(operand)
      if (stat && !stat.ok) {
        yield* io.fail(`'${operand}': No such file`)
        continue
      }
      if (stat?.ok && stat.value.type === 'directory') {
        yield* io.fail(`Warning: '${operand}' is a directory`)
        continue
      }
      const opened = operand === '-' ? ({ ok: true, value: 0 } as const) : yield* io.sys.open(operand)
      if (!opened.ok) {
        yield* io.fail(`${operand}: ${strerror(opened.errno)}`)
        continue
      }
      const bytes = yield* everything(io.sys, opened.value)
      if (opened.value !== 0) io.sys.close(opened.value)
      for (let at = 0, start = 0; at <= bytes.length; at++) {
        const byte = bytes[at]
        if (byte !== undefined && ((byte >= 32 && byte < 127) || byte === 9)) continue
        if (at - start >= Number(least)) {
          const name = options.has('f') ? `${operand === '-' ? '{standard input}' : operand}: ` : ''
          const place = radix ? `${start.toString(base).padStart(7)} ` : ''
          yield* io.out(`${name}${place}${String.fromCharCode(...bytes.subarray(start, at))}\n`)
        }
        start = at + 1
      }
    }
    return 0
  },
})

export const unlink = defineTool({
  name: 'unlink',
  help: `Usage: unlink FILE
  or:  unlink OPTION
Remove one name of a file.`,
  *run(io, _options, operands) {
    const wrong = yield* needOperands(io, operands, 1, 1)
    if (wrong !== undefined) return wrong
    const done = io.sys.unlink(operands[0]!)
    if (!done.ok) yield* io.fail(`cannot unlink ${quote(operands[0]!)}: ${strerror(done.errno)}`)
    return 0
  },
})

/** Tab stops: every N columns, or at the columns of a list. A string says what is wrong. */
export function tabStops(io: Io, text: string): ((column: number) => number | undefined) | string {
  const words = text.split(/[, ]+/).filter(Boolean)
  const bad = words.find((word) => !/^\d+$/.test(word))
  if (bad !== undefined) return `tab size contains invalid character(s): ${io.quote(bad.replace(/^\d+/, ''))}`
  const stops = words.map(Number)
  if (stops.includes(0)) return 'tab size cannot be 0'
  if (stops.some((stop, i) => i > 0 && stop <= stops[i - 1]!)) return 'tab sizes must be ascending'
  if (stops.length <= 1) {
    const size = stops[0] ?? 8
    return (column) => column - (column % size) + size
  }
  return (column) => stops.find((stop) => stop > column)
}

export const unexpand = defineTool({
  name: 'unexpand',
  short: 'at:',
  long: [{ name: 'all', as: 'a' }, { name: 'first-only' }, { name: 'tabs', as: 't', argument: 'required' }],
  help: `Usage: unexpand [OPTION]... [FILE]...
Make TABs of blanks.

  -a, --all          of all runs of blanks, not only at the start of lines
      --first-only   only at the start of lines, also with -t
  -t, --tabs=N       every N columns (8), or a list of columns; implies -a`,
  *run(io, options, operands) {
    const next = tabStops(io, options.values('t').join(',') || '8')
    if (typeof next === 'string') {
      yield* io.fail(next)
      return 1
    }
    const everywhere = (options.has('a') || options.has('t')) && !options.has('first-only')
    yield* eachInput(io, operands, function* (reader) {
      for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line())
        yield* io.out(tabbed(line, next, everywhere))
    })
    return 0
  },
})

/** A line with TABs wherever two blanks or more reach a tab stop. */
function tabbed(line: string, next: (column: number) => number | undefined, everywhere: boolean): string {
  let result = ''
  let pending = ''
  let column = 0
  let convert = true
  let blankBefore = true
  // A single blank that ended at a tab stop: it becomes a TAB only if more blanks follow.
  let alone = false
  for (const char of line) {
    let shown = char
    const blank = char === ' ' || char === '\t'
    if (convert && blank) {
      const stop = next(column)
      if (stop === undefined) convert = false
      else {
        if (char === '\t') column = stop
        else if (!(blankBefore && ++column === stop)) {
          if (!blankBefore) column++
          if (column === stop) alone = true
          pending += char
          blankBefore = true
          continue
        }
        shown = '\t'
        pending = alone ? '\t' : ''
      }
    } else column++
    blankBefore = blank
    if (pending !== '') {
      result += pending.length > 1 && alone ? `\t${pending.slice(1)}` : pending
      pending = ''
      alone = false
    }
    result += shown
    if (!blank && !everywhere) convert = false
  }
  return result + pending
}

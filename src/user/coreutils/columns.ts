/** cut, tr, paste, join, comm, fold, expand, unexpand, nl, column: characters and fields of lines. */
import { decodeText, encodeText } from '#user/shell'
import { tabStops } from './pieces.ts'
import { allLines, defineTool, eachInput, type Io, needOperands, openInput, Reader } from './tool.ts'
import { byBytes } from './walk.ts'

type Ranges = [low: number, high: number][]

function parseRanges(list: string): Ranges | undefined {
  const ranges: Ranges = []
  for (const part of list.split(/[, ]/)) {
    const match = /^(\d*)(-?)(\d*)$/.exec(part)
    if (!match || part === '' || part === '-') return undefined
    const low = match[1] === '' ? 1 : Number(match[1])
    const high = match[2] === '' ? low : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])
    if (low === 0 || high < low) return undefined
    ranges.push([low, high])
  }
  return ranges
}

export const cut = defineTool({
  name: 'cut',
  short: 'b:c:d:f:nsz',
  long: [
    { name: 'bytes', as: 'b', argument: 'required' },
    { name: 'characters', as: 'c', argument: 'required' },
    { name: 'delimiter', as: 'd', argument: 'required' },
    { name: 'fields', as: 'f', argument: 'required' },
    { name: 'complement' },
    { name: 'only-delimited', as: 's' },
    { name: 'output-delimiter', argument: 'required' },
    { name: 'zero-terminated', as: 'z' },
  ],
  help: `Usage: cut OPTION... [FILE]...
Print parts of the lines of each FILE, or of standard input.

  -b, --bytes=LIST         these bytes
  -c, --characters=LIST    these characters
  -d, --delimiter=DELIM    between fields (TAB)
  -f, --fields=LIST        these fields; lines without a delimiter too, unless -s
      --complement         all but these
  -s, --only-delimited     no lines without a delimiter
      --output-delimiter=STRING
  -z, --zero-terminated    lines end with NUL

LIST is N, N-, N-M or -M, or several of them with commas.`,
  *run(io, options, operands) {
    const kinds = options.all.filter(({ option }) => 'bcf'.includes(option))
    if (kinds.length === 0) return yield* io.usage('you must specify a list of bytes, characters, or fields', 1)
    if (kinds.length > 1) return yield* io.usage('only one list may be specified', 1)
    const { option: kind, value } = kinds[0]!
    const ranges = parseRanges(value!)
    if (!ranges) {
      const what = kind === 'f' ? 'field' : 'byte/character position'
      if (/^0|[, ]0/.test(value!))
        return yield* io.usage(
          kind === 'f' ? 'fields are numbered from 1' : 'byte/character positions are numbered from 1',
          1,
        )
      return yield* io.usage(
        /[^\d,\- ]/.test(value!)
          ? `invalid ${what} value ${io.quote(value!)}`
          : `invalid ${kind === 'f' ? 'field range' : 'byte or character range'}`,
        1,
      )
    }
    const given = options.get('d')
    if (given !== undefined && kind !== 'f')
      return yield* io.usage('an input delimiter may be specified only when operating on fields', 1)
    if (given !== undefined && [...given].length > 1)
      return yield* io.usage('the delimiter must be a single character', 1)
    const delimiter = given === undefined ? '\t' : given === '' ? '\0' : given
    const out = options.get('output-delimiter') ?? (kind === 'f' ? delimiter : '')
    const complement = options.has('complement')
    const chosen = (n: number) => ranges.some(([low, high]) => n >= low && n <= high) !== complement
    const end = options.has('z') ? '\0' : '\n'
    yield* eachInput(
      io,
      operands,
      function* (reader) {
        for (let raw = yield* reader.line(); raw !== undefined; raw = yield* reader.line()) {
          const line = raw.endsWith(end) ? raw.slice(0, -1) : raw
          if (kind === 'f') {
            if (!line.includes(delimiter)) {
              if (!options.has('s')) yield* io.out(line + end)
              continue
            }
            yield* io.out(
              line
                .split(delimiter)
                .filter((_, i) => chosen(i + 1))
                .join(out) + end,
            )
          } else if (out === '') {
            const bytes = encodeText(line)
            yield* io.out(decodeText(bytes.filter((_, i) => chosen(i + 1))) + end)
          } else {
            const bytes = encodeText(line)
            const parts: string[] = []
            ranges.forEach(([low, high]) => {
              if (low <= bytes.length) parts.push(decodeText(bytes.slice(low - 1, Math.min(high, bytes.length))))
            })
            yield* io.out(parts.join(out) + end)
          }
        }
      },
      end,
    )
    return 0
  },
})

const CLASSES: Record<string, (c: number) => boolean> = {
  alpha: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122),
  digit: (c) => c >= 48 && c <= 57,
  alnum: (c) => (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122),
  upper: (c) => c >= 65 && c <= 90,
  lower: (c) => c >= 97 && c <= 122,
  space: (c) => c === 32 || (c >= 9 && c <= 13),
  blank: (c) => c === 32 || c === 9,
  punct: (c) => c > 32 && c < 127 && !/[A-Za-z0-9]/.test(String.fromCharCode(c)),
  print: (c) => c >= 32 && c < 127,
  graph: (c) => c > 32 && c < 127,
  cntrl: (c) => c < 32 || c === 127,
  xdigit: (c) => /[0-9A-Fa-f]/.test(String.fromCharCode(c)),
}

/** The bytes of a tr set, in order; a string says what is wrong. */
function trSet(io: Io, text: string, pad: number): number[] | string {
  const bytes: number[] = []
  const chars: { byte: number; escaped: boolean }[] = []
  const source = encodeText(text)
  const escapes: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92 }
  for (let i = 0; i < source.length; i++) {
    if (source[i] !== 92 || i + 1 >= source.length) {
      chars.push({ byte: source[i]!, escaped: false })
      continue
    }
    const rest = String.fromCharCode(...source.slice(i + 1, i + 4))
    const octal = /^[0-7]{1,3}/.exec(rest)
    if (octal) {
      chars.push({ byte: Number.parseInt(octal[0], 8) & 0xff, escaped: true })
      i += octal[0].length
    } else {
      chars.push({ byte: escapes[rest[0]!] ?? rest.charCodeAt(0), escaped: true })
      i++
    }
  }
  const plain = (i: number, char: string) =>
    chars[i] !== undefined && !chars[i]!.escaped && chars[i]!.byte === char.charCodeAt(0)
  for (let i = 0; i < chars.length; i++) {
    if (plain(i, '[') && plain(i + 1, ':')) {
      const end = chars.findIndex((_, k) => k > i + 1 && plain(k, ':') && plain(k + 1, ']'))
      if (end > 0) {
        const name = chars
          .slice(i + 2, end)
          .map(({ byte }) => String.fromCharCode(byte))
          .join('')
        const test = CLASSES[name]
        if (!test) return `invalid character class ${io.quote(name)}`
        for (let c = 0; c < 256; c++) if (test(c)) bytes.push(c)
        i = end + 1
        continue
      }
    }
    if (plain(i, '[') && plain(i + 2, '*')) {
      const end = chars.findIndex((_, k) => k > i + 2 && plain(k, ']'))
      const count =
        end > 0
          ? chars
              .slice(i + 3, end)
              .map(({ byte }) => String.fromCharCode(byte))
              .join('')
          : 'x'
      if (/^\d*$/.test(count)) {
        const times =
          count === '' || Number(count) === 0
            ? Math.max(0, pad - bytes.length)
            : Number.parseInt(count, count.startsWith('0') ? 8 : 10)
        for (let k = 0; k < times; k++) bytes.push(chars[i + 1]!.byte)
        i = end
        continue
      }
    }
    if (plain(i + 1, '-') && i + 2 < chars.length) {
      const [low, high] = [chars[i]!.byte, chars[i + 2]!.byte]
      if (high < low)
        return `range-endpoints of '${String.fromCharCode(low)}-${String.fromCharCode(high)}' are in reverse collating sequence order`
      for (let c = low; c <= high; c++) bytes.push(c)
      i += 2
      continue
    }
    bytes.push(chars[i]!.byte)
  }
  return bytes
}

export const tr = defineTool({
  name: 'tr',
  short: '+cCdst',
  long: [
    { name: 'complement', as: 'c' },
    { name: 'delete', as: 'd' },
    { name: 'squeeze-repeats', as: 's' },
    { name: 'truncate-set1', as: 't' },
  ],
  help: `Usage: tr [OPTION]... STRING1 [STRING2]
Translate, squeeze or delete characters of standard input.

  -c, -C, --complement      all characters but those of STRING1
  -d, --delete              delete the characters of STRING1
  -s, --squeeze-repeats     one for several of the last string's characters
  -t, --truncate-set1       first make STRING1 as short as STRING2

Strings have ranges (a-z), [:classes:], [c*n] and \\n-like escapes.`,
  *run(io, options, operands) {
    const remove = options.has('d')
    const squeeze = options.has('s')
    const wrong = yield* needOperands(io, operands, remove === squeeze ? 2 : 1, remove && !squeeze ? 1 : 2)
    if (wrong !== undefined) return wrong
    let first = trSet(io, operands[0]!, 0)
    if (typeof first === 'string') {
      yield* io.fail(first)
      return 1
    }
    const complement = options.has('c') || options.has('C')
    if (complement) {
      const set = new Set(first)
      first = Array.from({ length: 256 }, (_, c) => c).filter((c) => !set.has(c))
    }
    const second = operands[1] === undefined ? undefined : trSet(io, operands[1], first.length)
    if (typeof second === 'string') {
      yield* io.fail(second)
      return 1
    }
    const map = Uint8Array.from({ length: 256 }, (_, c) => c)
    if (second && !remove) {
      if (second.length === 0) {
        yield* io.fail('when not truncating set1, string2 must be non-empty')
        return 1
      }
      first.forEach((c, i) => {
        if (i < second.length || !options.has('t')) map[c] = second[Math.min(i, second.length - 1)]!
      })
    }
    const deleted = new Set(remove ? first : [])
    const squeezed = new Set(squeeze ? (second ?? first) : [])
    let last = -1
    for (;;) {
      const got = yield* io.sys.read(0, 8192)
      if (!got.ok && got.errno === 'EINTR') continue
      if (!got.ok || got.value.length === 0) return 0
      const bytes: number[] = []
      for (const byte of got.value) {
        if (deleted.has(byte)) continue
        const mapped = map[byte]!
        if (mapped === last && squeezed.has(mapped)) continue
        last = mapped
        bytes.push(mapped)
      }
      yield* io.out(String.fromCharCode(...bytes.map((byte) => (byte < 128 ? byte : 0xdc00 + byte))))
    }
  },
})

export const paste = defineTool({
  name: 'paste',
  short: 'd:sz',
  long: [
    { name: 'delimiters', as: 'd', argument: 'required' },
    { name: 'serial', as: 's' },
    { name: 'zero-terminated', as: 'z' },
  ],
  help: `Usage: paste [OPTION]... [FILE]...
Join the lines of the FILEs side by side, with TABs.

  -d, --delimiters=LIST   these instead of TABs, in turn
  -s, --serial            all lines of one file in one line`,
  *run(io, options, operands) {
    const delimiters = (options.get('d') ?? '\t')
      .replaceAll('\\n', '\n')
      .replaceAll('\\t', '\t')
      .replaceAll('\\0', '\0')
      .replaceAll('\\\\', '\\')
    const between = (i: number) =>
      delimiters === '' ? '' : delimiters[i % delimiters.length] === '\0' ? '' : delimiters[i % delimiters.length]!
    const readers: Reader[] = []
    let standard: Reader | undefined
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const fd = yield* openInput(io, operand)
      if (fd === undefined) return 1
      if (fd === 0) readers.push((standard ??= new Reader(io.sys, 0)))
      else readers.push(new Reader(io.sys, fd))
    }
    if (options.has('s')) {
      for (const reader of readers) {
        let i = 0
        for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line())
          yield* io.out((i > 0 ? between(i - 1) : '') + line.replace(/\n$/, '') + (i++, ''))
        yield* io.out('\n')
      }
      return 0
    }
    for (;;) {
      const cells: (string | undefined)[] = []
      for (const reader of readers) cells.push((yield* reader.line())?.replace(/\n$/, ''))
      if (cells.every((cell) => cell === undefined)) return 0
      yield* io.out(`${cells.map((cell, i) => (i > 0 ? between(i - 1) : '') + (cell ?? '')).join('')}\n`)
    }
  },
})

export const comm = defineTool({
  name: 'comm',
  short: '123z',
  help: `Usage: comm [OPTION]... FILE1 FILE2
Compare two sorted files line by line: only in FILE1, only in FILE2, in both.

  -1, -2, -3   without that column`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 2, 2)
    if (wrong !== undefined) return wrong
    const files: string[][] = []
    for (const operand of operands) {
      const fd = yield* openInput(io, operand)
      if (fd === undefined) return 1
      files.push((yield* new Reader(io.sys, fd).rest()).split('\n'))
    }
    for (const file of files) if (file[file.length - 1] === '') file.pop()
    const [a, b] = files as [string[], string[]]
    const indent = ['', options.has('1') ? '' : '\t', (options.has('1') ? '' : '\t') + (options.has('2') ? '' : '\t')]
    let [i, j] = [0, 0]
    while (i < a.length || j < b.length) {
      const order = i >= a.length ? 1 : j >= b.length ? -1 : byBytes(a[i]!, b[j]!)
      const column = order < 0 ? 0 : order > 0 ? 1 : 2
      const line = order <= 0 ? a[i]! : b[j]!
      if (order <= 0) i++
      if (order >= 0) j++
      if (!options.has(String(column + 1))) yield* io.out(`${indent[column]}${line}\n`)
    }
    return 0
  },
})

export const join = defineTool({
  name: 'join',
  short: '1:2:j:t:a:v:e:o:i',
  help: `Usage: join [OPTION]... FILE1 FILE2
Join the lines of two sorted files that have the same join field.

  -1 FIELD, -2 FIELD, -j FIELD   the join fields
  -t CHAR                        between fields
  -a FILENUM                     also lines of that file without a partner
  -v FILENUM                     only those
  -e STRING                      for missing fields, with -o
  -o FORMAT                      which fields: 0, 1.2, 2.3 ...
  -i                             upper and lower case are the same`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 2, 2)
    if (wrong !== undefined) return wrong
    const separator = options.get('t')
    const keys = [
      Number(options.get('1') ?? options.get('j') ?? 1) - 1,
      Number(options.get('2') ?? options.get('j') ?? 1) - 1,
    ]
    const files: string[][][] = []
    for (const operand of operands) {
      const fd = yield* openInput(io, operand)
      if (fd === undefined) return 1
      const lines = (yield* new Reader(io.sys, fd).rest()).split('\n')
      if (lines[lines.length - 1] === '') lines.pop()
      files.push(lines.map((line) => (separator === undefined ? line.trim().split(/\s+/) : line.split(separator))))
    }
    const out = separator ?? ' '
    const key = (row: string[], which: number) =>
      options.has('i') ? (row[keys[which]!] ?? '').toLowerCase() : (row[keys[which]!] ?? '')
    const format = options.get('o')?.split(/[, ]/)
    const show = (left: string[] | undefined, right: string[] | undefined): string => {
      const value = (left ? left[keys[0]!] : right![keys[1]!]) ?? ''
      if (format) {
        return format
          .map((item) => {
            if (item === '0') return value
            const [file, field] = item.split('.').map(Number)
            return (file === 1 ? left : right)?.[field! - 1] ?? options.get('e') ?? ''
          })
          .join(out)
      }
      const rest = (row: string[] | undefined, which: number) => (row ?? []).filter((_, i) => i !== keys[which])
      return [value, ...rest(left, 0), ...rest(right, 1)].join(out)
    }
    const [a, b] = files as [string[][], string[][]]
    const extra = new Set([...options.values('a'), ...options.values('v')])
    const only = options.has('v')
    const used = new Set<number>()
    const rows: { key: string; text: string; order: number }[] = []
    for (const left of a) {
      const partners = b.map((right, i) => ({ right, i })).filter(({ right }) => key(right, 1) === key(left, 0))
      for (const { right, i } of partners) {
        used.add(i)
        if (!only) rows.push({ key: key(left, 0), text: show(left, right), order: rows.length })
      }
      if (partners.length === 0 && extra.has('1'))
        rows.push({ key: key(left, 0), text: show(left, undefined), order: rows.length })
    }
    if (extra.has('2'))
      b.forEach((right, i) => {
        if (!used.has(i)) rows.push({ key: key(right, 1), text: show(undefined, right), order: rows.length })
      })
    if (extra.has('2')) rows.sort((x, y) => byBytes(x.key, y.key) || x.order - y.order)
    for (const { text } of rows) yield* io.out(`${text}\n`)
    return 0
  },
})

export const fold = defineTool({
  name: 'fold',
  short: 'bsw:',
  long: [
    { name: 'bytes', as: 'b' },
    { name: 'spaces', as: 's' },
    { name: 'width', as: 'w', argument: 'required' },
  ],
  prepare: (argv) => argv.map((word, i) => (i > 0 && /^-\d+$/.test(word) ? `-w${word.slice(1)}` : word)),
  help: `Usage: fold [OPTION]... [FILE]...
Break long lines.

  -b, --bytes         count bytes, not columns
  -s, --spaces        break at blanks
  -w, --width=WIDTH   columns (80)`,
  *run(io, options, operands) {
    const width = Number(options.get('w') ?? 80)
    if (!(width > 0)) {
      yield* io.fail(`invalid number of columns: ${io.quote(options.get('w')!)}`)
      return 1
    }
    yield* eachInput(io, operands, function* (reader) {
      for (let raw = yield* reader.line(); raw !== undefined; raw = yield* reader.line()) {
        const ended = raw.endsWith('\n')
        let rest = ended ? raw.slice(0, -1) : raw
        while (rest.length > width) {
          const blank = options.has('s') ? rest.slice(0, width).lastIndexOf(' ') : -1
          const at = blank >= 0 ? blank + 1 : width
          yield* io.out(`${rest.slice(0, at)}\n`)
          rest = rest.slice(at)
        }
        yield* io.out(rest + (ended ? '\n' : ''))
      }
    })
    return 0
  },
})

export const expand = defineTool({
  name: 'expand',
  short: 'it:',
  long: [
    { name: 'initial', as: 'i' },
    { name: 'tabs', as: 't', argument: 'required' },
  ],
  help: `Usage: expand [OPTION]... [FILE]...
Make blanks of TABs.

  -i, --initial   only at the start of lines
  -t, --tabs=N    every N columns (8)`,
  *run(io, options, operands) {
    const next = tabStops(io, options.values('t').join(',') || '8')
    if (typeof next === 'string') {
      yield* io.fail(next)
      return 1
    }
    yield* eachInput(io, operands, function* (reader) {
      for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line()) {
        let column = 0
        let text = ''
        let initial = true
        for (const char of line) {
          if (char === '\t' && (initial || !options.has('i'))) {
            const count = (next(column) ?? column + 1) - column
            text += ' '.repeat(count)
            column += count
          } else {
            if (char !== ' ' && char !== '\t') initial = false
            text += char
            column++
          }
        }
        yield* io.out(text)
      }
    })
    return 0
  },
})

export const nl = defineTool({
  name: 'nl',
  short: 'b:n:s:v:w:i:',
  long: [
    { name: 'body-numbering', as: 'b', argument: 'required' },
    { name: 'number-format', as: 'n', argument: 'required' },
    { name: 'number-separator', as: 's', argument: 'required' },
    { name: 'starting-line-number', as: 'v', argument: 'required' },
    { name: 'number-width', as: 'w', argument: 'required' },
    { name: 'line-increment', as: 'i', argument: 'required' },
  ],
  help: `Usage: nl [OPTION]... [FILE]...
Number the lines.

  -b, --body-numbering=STYLE     a all lines, t lines that aren't empty, n none
  -i, --line-increment=N         steps
  -n, --number-format=FORMAT     ln, rn or rz
  -s, --number-separator=STRING  behind the number (TAB)
  -v, --starting-line-number=N   the first
  -w, --number-width=N           columns (6)`,
  *run(io, options, operands) {
    const style = options.get('b') ?? 't'
    const width = Number(options.get('w') ?? 6)
    const separator = options.get('s') ?? '\t'
    const format = options.get('n') ?? 'rn'
    let number = Number(options.get('v') ?? 1)
    yield* eachInput(io, operands, function* (reader) {
      for (let raw = yield* reader.line(); raw !== undefined; raw = yield* reader.line()) {
        const line = raw.replace(/\n$/, '')
        if (style === 'a' || (style === 't' && line !== '')) {
          const digits = String(number)
          yield* io.out(
            `${format === 'ln' ? digits.padEnd(width) : digits.padStart(width, format === 'rz' ? '0' : ' ')}${separator}${line}\n`,
          )
          number += Number(options.get('i') ?? 1)
        } else yield* io.out(`${' '.repeat(width + separator.length)}${line}\n`)
      }
    })
    return 0
  },
})

export const column = defineTool({
  name: 'column',
  version: 'column from util-linux 2.38.1',
  short: 'ts:o:c:N:x',
  long: [
    { name: 'table', as: 't' },
    { name: 'separator', as: 's', argument: 'required' },
    { name: 'output-separator', as: 'o', argument: 'required' },
    { name: 'output-width', as: 'c', argument: 'required' },
    { name: 'table-columns', as: 'N', argument: 'required' },
    { name: 'fillrows', as: 'x' },
  ],
  help: `Usage:
 column [options] [<file>...]
Put lines into columns.

 -t, --table                      a table
 -s, --separator <string>         what stands between the input's columns
 -o, --output-separator <string>  what stands between the output's (two blanks)
 -N, --table-columns <names>      the columns' names
 -c, --output-width <width>       characters in a line
 -x, --fillrows                   fill rows before columns`,
  *run(io, options, operands) {
    const lines = (yield* allLines(io, operands)).filter((line) => line.trim() !== '')
    if (options.has('t')) {
      const separators = options.get('s')
      const rows = lines.map((line) =>
        separators === undefined
          ? line.trim().split(/[ \t]+/)
          : line.split(new RegExp(`[${separators.replace(/[\\\]^-]/g, '\\$&')}]`)),
      )
      const names = options.get('N')
      if (names) rows.unshift(names.split(','))
      const widths: number[] = []
      for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, [...cell].length)))
      const gap = options.get('o') ?? '  '
      for (const row of rows)
        yield* io.out(`${row.map((cell, i) => (i === widths.length - 1 ? cell : cell.padEnd(widths[i]!))).join(gap)}\n`)
      return 0
    }
    const width = Number(options.get('c') ?? io.sys.env.get('COLUMNS') ?? 80)
    const cell = (Math.floor(Math.max(0, ...lines.map((line) => line.length)) / 8) + 1) * 8
    const count = Math.max(1, Math.floor(width / cell))
    const height = Math.ceil(lines.length / count)
    for (let y = 0; y < height; y++) {
      let text = ''
      let at = 0
      for (let x = 0; x < count; x++) {
        const item = options.has('x') ? lines[y * count + x] : lines[x * height + y]
        if (item === undefined) continue
        while (at < x * cell) {
          text += '\t'
          at = (Math.floor(at / 8) + 1) * 8
        }
        text += item
        at = x * cell + item.length
      }
      yield* io.out(`${text}\n`)
    }
    return 0
  },
})

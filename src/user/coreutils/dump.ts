/** od, hexdump, xxd, cmp: bytes as they are. */
import { NotModelled } from '#base/check'
import type { Body, Program, Sys } from '#kernel/core'
import { defineTool, Io, openInput, parseSize } from './tool.ts'

export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** Everything that the operands hold, or its first bytes. */
function* bytesOf(io: Io, operands: readonly string[], most = Number.POSITIVE_INFINITY): Body<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let left = most
  for (const operand of operands.length > 0 ? operands : ['-']) {
    const fd = yield* openInput(io, operand)
    if (fd === undefined) return undefined
    while (left > 0) {
      const got = yield* io.sys.read(fd, Math.min(65536, left))
      if (!got.ok && got.errno === 'EINTR') continue
      if (!got.ok || got.value.length === 0) break
      chunks.push(got.value)
      left -= got.value.length
    }
    if (fd !== 0) io.sys.close(fd)
  }
  return concatenate(chunks)
}

const hex = (value: number, width: number) => value.toString(16).padStart(width, '0')
const printable = (byte: number) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')

const NAMES: Record<number, string> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
}

/** What -t a calls the characters that one doesn't see. */
const ASCII: Record<number, string> = Object.fromEntries(
  'nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp'
    .split(' ')
    .map((name, i) => [i, name] as const)
    .concat([[127, 'del']]),
)

interface Format {
  bytes: number
  width: number
  show(bytes: Uint8Array, at: number): string
}

function odFormat(type: string): Format | undefined {
  const match = /^([acdfoux])([1248CSIL]?)/.exec(type)
  if (!match) return undefined
  const [, kind, given] = match
  const size = { '': kind === 'a' || kind === 'c' ? 1 : 4, C: 1, S: 2, I: 4, L: 8, 1: 1, 2: 2, 4: 4, 8: 8 }[given!]!
  if (kind === 'c')
    return {
      bytes: 1,
      width: 3,
      show: (bytes, at) =>
        NAMES[bytes[at]!] ??
        (bytes[at]! >= 32 && bytes[at]! < 127
          ? String.fromCharCode(bytes[at]!)
          : bytes[at]!.toString(8).padStart(3, '0')),
    }
  const value = (bytes: Uint8Array, at: number): bigint => {
    let result = 0n
    for (let i = size - 1; i >= 0; i--) result = (result << 8n) | BigInt(bytes[at + i] ?? 0)
    return result
  }
  if (kind === 'a')
    return { bytes: 1, width: 3, show: (bytes, at) => ASCII[bytes[at]! & 127] ?? String.fromCharCode(bytes[at]! & 127) }
  const bits = size * 8
  const widest = (2n ** BigInt(bits) - 1n).toString(kind === 'x' ? 16 : kind === 'o' ? 8 : 10).length
  if (kind === 'x' || kind === 'o')
    return {
      bytes: size,
      width: widest,
      show: (bytes, at) =>
        value(bytes, at)
          .toString(kind === 'x' ? 16 : 8)
          .padStart(widest, '0'),
    }
  if (kind === 'u') return { bytes: size, width: widest, show: (bytes, at) => value(bytes, at).toString() }
  if (kind === 'd')
    return {
      bytes: size,
      width: String(-(2n ** BigInt(bits - 1))).length,
      show: (bytes, at) => BigInt.asIntN(bits, value(bytes, at)).toString(),
    }
  return undefined
}

export const od = defineTool({
  name: 'od',
  short: 'A:abcdj:N:ost:vxw::',
  long: [
    { name: 'address-radix', as: 'A', argument: 'required' },
    { name: 'skip-bytes', as: 'j', argument: 'required' },
    { name: 'read-bytes', as: 'N', argument: 'required' },
    { name: 'format', as: 't', argument: 'required' },
    { name: 'output-duplicates', as: 'v' },
    { name: 'width', as: 'w', argument: 'optional' },
  ],
  help: `Usage: od [OPTION]... [FILE]...
Print bytes as numbers.

  -A, --address-radix=RADIX   d, o, x or n (none)
  -a -b -c -d -o -s -x        -t a, o1, c, u2, o2, d2, x2
  -j, --skip-bytes=BYTES      from there
  -N, --read-bytes=BYTES      so many
  -t, --format=TYPE           c, d[SIZE], o[SIZE], u[SIZE], x[SIZE]
  -v, --output-duplicates     no * for equal lines
  -w[BYTES]                   bytes in a line (16)`,
  *run(io, options, operands) {
    for (const option of ['j', 'N']) {
      const value = options.get(option)
      if (value === undefined || parseSize(value) !== undefined) continue
      yield* io.fail(`invalid -${option} argument ${io.quote(value)}`)
      return 1
    }
    const radix = options.get('A') ?? 'o'
    if (!/^[doxn]$/.test(radix)) {
      yield* io.fail(`invalid output address radix '${radix}'; it must be one character from [doxn]`)
      return 1
    }
    const skip = parseSize(options.get('j') ?? '0')!
    const most = options.has('N') ? parseSize(options.get('N')!)! : Number.POSITIVE_INFINITY
    const all = yield* bytesOf(io, operands, skip + most)
    if (!all) return 1
    if (skip > all.length) {
      yield* io.fail('cannot skip past end of combined input')
      return 1
    }
    const bytes = all.subarray(skip)
    const short: Record<string, string> = { a: 'a', b: 'o1', c: 'c', d: 'u2', o: 'o2', s: 'd2', x: 'x2' }
    const types = options.all.flatMap(({ option, value }) =>
      option === 't' ? (value!.match(/[acdfoux][1248CSIL]?z?/g) ?? [value!]) : short[option] ? [short[option]!] : [],
    )
    if (types.length === 0) types.push('o2')
    const formats: Format[] = []
    /** Those that show the characters too. */
    const tails: boolean[] = []
    for (const type of types) {
      const format = odFormat(type)
      if (!format) {
        yield* io.fail(`invalid type string ${io.quote(type)}`)
        return 1
      }
      formats.push(format)
      tails.push(type.endsWith('z'))
    }
    const width = Number(options.get('w') ?? (options.has('w') ? 32 : 16))
    const address = (at: number) =>
      radix === 'n' ? '' : at.toString(radix === 'd' ? 10 : radix === 'x' ? 16 : 8).padStart(radix === 'x' ? 6 : 7, '0')
    // Every format's cells are as wide as the widest asks for the same bytes.
    const perByte = Math.max(...formats.map((format) => (format.width + 1) / format.bytes))
    let before: string | undefined
    let star = false
    for (let at = 0; at < bytes.length; at += width) {
      const row = bytes.subarray(at, at + width)
      const key = row.length === width ? row.join() : undefined
      if (key !== undefined && key === before && !options.has('v')) {
        if (!star) yield* io.out('*\n')
        star = true
        continue
      }
      before = key
      star = false
      for (const [i, format] of formats.entries()) {
        let line = i === 0 ? address(skip + at) : ' '.repeat(address(0).length)
        for (let k = 0; k < row.length; k += format.bytes)
          line += format.show(row, k).padStart(Math.ceil(perByte * format.bytes))
        if (tails[i])
          line += `${' '.repeat(Math.ceil(perByte * (width - row.length)))}  >${Array.from(row, printable).join('')}<`
        yield* io.out(`${line}\n`)
      }
    }
    if (radix !== 'n') yield* io.out(`${address(skip + bytes.length)}\n`)
    return 0
  },
})

function* canonical(io: Io, bytes: Uint8Array, start: number, all: boolean): Body<void> {
  let before: string | undefined
  let star = false
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const key = row.length === 16 ? row.join() : undefined
    if (key !== undefined && key === before && !all) {
      if (!star) yield* io.out('*\n')
      star = true
      continue
    }
    before = key
    star = false
    const cells = Array.from({ length: 16 }, (_, i) => (i < row.length ? hex(row[i]!, 2) : '  '))
    yield* io.out(
      `${hex(start + at, 8)}  ${cells.slice(0, 8).join(' ')}  ${cells.slice(8).join(' ')}  |${Array.from(row, printable).join('')}|\n`,
    )
  }
  if (bytes.length > 0) yield* io.out(`${hex(start + bytes.length, 8)}\n`)
}

/** How each of hexdump's displays shows what it takes at once. */
const HEXDUMP: Record<string, { size: 1 | 2; show(value: number): string }> = {
  '': { size: 2, show: (value) => ` ${hex(value, 4)}` },
  b: { size: 1, show: (value) => ` ${value.toString(8).padStart(3, '0')}` },
  c: {
    size: 1,
    show: (value) =>
      ` ${(NAMES[value] ?? (value >= 32 && value < 127 ? String.fromCharCode(value) : value.toString(8).padStart(3, '0'))).padStart(3)}`,
  },
  d: { size: 2, show: (value) => `   ${String(value).padStart(5, '0')}` },
  o: { size: 2, show: (value) => `  ${value.toString(8).padStart(6, '0')}` },
  x: { size: 2, show: (value) => `    ${hex(value, 4)}` },
}

export const hexdump = defineTool({
  name: 'hexdump',
  paths: ['/usr/bin/hexdump', '/usr/bin/hd'],
  version: 'hexdump from util-linux 2.38.1',
  short: 'bcCde:n:os:vx',
  long: [
    { name: 'canonical', as: 'C' },
    { name: 'length', as: 'n', argument: 'required' },
    { name: 'skip', as: 's', argument: 'required' },
    { name: 'no-squeezing', as: 'v' },
  ],
  help: `Usage:
 hexdump [options] <file>...

 -C, --canonical        bytes in hexadecimal and as text
 -n, --length <length>  so many bytes
 -s, --skip <offset>    from there
 -v, --no-squeezing     no * for equal lines
 -b -c -d -o -x         one byte octal, character; two bytes decimal, octal, hexadecimal`,
  *run(io, options, operands) {
    if (options.has('e')) throw new NotModelled('hexdump -e')
    const skip = parseSize(options.get('s') ?? '0') ?? 0
    const most = options.has('n') ? (parseSize(options.get('n')!) ?? 0) : Number.POSITIVE_INFINITY
    const all = yield* bytesOf(io, operands, skip + most)
    if (!all) return 1
    const bytes = all.subarray(skip)
    if (options.has('C') || io.name === 'hd') {
      yield* canonical(io, bytes, skip, options.has('v'))
      return 0
    }
    const kinds = options.all.map(({ option }) => option).filter((option) => HEXDUMP[option])
    if (kinds.length === 0) kinds.push('')
    let before: string | undefined
    let star = false
    for (let at = 0; at < bytes.length; at += 16) {
      const row = bytes.subarray(at, at + 16)
      const key = row.length === 16 ? row.join() : undefined
      if (key !== undefined && key === before && !options.has('v')) {
        if (!star) yield* io.out('*\n')
        star = true
        continue
      }
      before = key
      star = false
      for (const kind of kinds) {
        const { size, show } = HEXDUMP[kind]!
        let line = hex(skip + at, 7)
        for (let i = 0; i < 16; i += size) {
          const cell = show((row[i] ?? 0) | (size === 2 ? (row[i + 1] ?? 0) << 8 : 0))
          line += i < row.length ? cell : ' '.repeat(cell.length)
        }
        yield* io.out(`${line}\n`)
      }
    }
    if (bytes.length > 0) yield* io.out(`${hex(skip + bytes.length, 7)}\n`)
    return 0
  },
})

export const xxd: Program = {
  name: 'xxd',
  paths: ['/usr/bin/xxd'],
  *main(sys: Sys, argv: string[]) {
    const io = new Io(sys, 'xxd')
    let plain = false
    let upper = false
    let columns = 16
    let columnsGiven = false
    let group = 2
    let length = Number.POSITIVE_INFINITY
    let seek = 0
    const operands: string[] = []
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i]!
      const value = () => Number(/^-[clgs](.+)$/.exec(word)?.[1] ?? argv[++i])
      if (word === '-p' || word === '-ps' || word === '-plain') plain = true
      else if (/^-c/.test(word)) {
        columns = value()
        columnsGiven = true
      } else if (/^-g/.test(word)) group = value()
      else if (/^-l/.test(word)) length = value()
      else if (/^-s/.test(word)) seek = value()
      else if (word === '-r') {
        throw new NotModelled('xxd -r')
      } else if (word === '-u') upper = true
      else if (/^-[bei]$/.test(word)) throw new NotModelled(`xxd ${word}`)
      else operands.push(word)
    }
    const all = yield* bytesOf(io, operands.slice(0, 1), seek < 0 ? undefined : seek + length)
    if (!all) return 2
    if (seek < 0) seek = Math.max(0, all.length + seek)
    const bytes = all.subarray(seek, seek + length)
    const digits = (byte: number) => (upper ? hex(byte, 2).toUpperCase() : hex(byte, 2))
    if (plain) {
      const row = columnsGiven ? columns : 30
      for (let at = 0; at < bytes.length; at += row)
        yield* io.out(`${Array.from(bytes.subarray(at, at + row), digits).join('')}\n`)
    } else {
      for (let at = 0; at < bytes.length; at += columns) {
        const row = bytes.subarray(at, at + columns)
        let cells = ''
        for (let i = 0; i < columns; i++)
          cells += (i < row.length ? digits(row[i]!) : '  ') + (group > 0 && (i + 1) % group === 0 ? ' ' : '')
        yield* io.out(
          `${hex(seek + at, 8)}: ${cells}${group > 0 && columns % group === 0 ? ' ' : '  '}${Array.from(row, printable).join('')}\n`,
        )
      }
    }
    yield* io.flush()
    return 0
  },
}

export const cmp = defineTool({
  name: 'cmp',
  usageStatus: 2,
  version: 'cmp (GNU diffutils) 3.8',
  hint: (name) => `${name}: Try '${name} --help' for more information.\n`,
  short: 'bi:ln:s',
  long: [
    { name: 'print-bytes', as: 'b' },
    { name: 'ignore-initial', as: 'i', argument: 'required' },
    { name: 'verbose', as: 'l' },
    { name: 'quiet', as: 's' },
    { name: 'silent', as: 's' },
    { name: 'bytes', as: 'n', argument: 'required' },
  ],
  help: `Usage: cmp [OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]
Compare two files byte by byte.

  -l, --verbose        all bytes that differ
  -n, --bytes=LIMIT    no more than LIMIT bytes
  -s, --quiet, --silent   nothing; the exit status says it`,
  *run(io, options, operands) {
    if (operands.length === 0 || operands.length > 4) {
      const what = operands.length === 0 ? 'missing operand after' : 'extra operand'
      yield* io.fail(`${what} '${operands[4] ?? io.name}'`, 2)
      yield* io.err(`${io.name}: Try '${io.name} --help' for more information.\n`)
      return 2
    }
    const skips = (options.get('i') ?? '0').split(':')
    const skip = [operands[2] ?? skips[0]!, operands[3] ?? skips[1] ?? skips[0]!].map((text) => parseSize(text) ?? 0)
    // A byte as it is named beside its number.
    const named = (byte: number) => {
      if (!options.has('b')) return ''
      const low = byte & 127
      const text = low < 32 ? `^${String.fromCharCode(low + 64)}` : low === 127 ? '^?' : String.fromCharCode(low)
      return ` ${byte > 127 ? 'M-' : ''}${text}`
    }
    const octal = (byte: number) => byte.toString(8).padStart(3)
    const limit = options.has('n') ? Number(options.get('n')) : undefined
    const a = yield* bytesOf(io, operands.slice(0, 1))
    const b = yield* bytesOf(io, operands.slice(1, 2))
    if (!a || !b) return 2
    const [x, y] = [a, b].map((bytes, i) =>
      bytes.subarray(skip[i], limit === undefined ? undefined : skip[i]! + limit),
    ) as [Uint8Array, Uint8Array]
    let line = 1
    let differ = false
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      if (x[i] !== y[i]) {
        differ = true
        if (options.has('l'))
          yield* io.out(
            `${String(i + 1).padStart(String(Math.max(x.length, y.length)).length)} ${octal(x[i]!)}${options.has('b') ? named(x[i]!).padEnd(5) : ''} ${octal(y[i]!)}${named(y[i]!)}\n`,
          )
        else {
          if (!options.has('s'))
            yield* io.out(
              `${operands[0]} ${operands[1] ?? '-'} differ: byte ${i + 1}, line ${line}${options.has('b') ? ` is ${octal(x[i]!)}${named(x[i]!)} ${octal(y[i]!)}${named(y[i]!)}` : ''}\n`,
            )
          return 1
        }
      }
      if (x[i] === 10) line++
    }
    if (x.length !== y.length) {
      const [name, short] = x.length < y.length ? [operands[0]!, x] : [operands[1] ?? '-', y]
      if (!options.has('s'))
        yield* io.err(
          `cmp: EOF on ${name}${short.length === 0 ? ' which is empty' : ` after byte ${short.length}${options.has('l') ? '' : `, ${short[short.length - 1] === 10 ? 'line' : 'in line'} ${short[short.length - 1] === 10 ? line - 1 : line}`}`}\n`,
        )
      return 1
    }
    return differ ? 1 : 0
  },
})

/** od, hexdump, xxd, cmp: bytes as they are. */
import type { Body, Program, Sys } from '#kernel/core'
import { defineTool, Io, needOperands, openInput, parseSize, quote } from './tool.ts'

export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

function* bytesOf(io: Io, operands: readonly string[]): Body<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  for (const operand of operands.length > 0 ? operands : ['-']) {
    const fd = yield* openInput(io, operand)
    if (fd === undefined) return undefined
    for (;;) {
      const got = yield* io.sys.read(fd, 65536)
      if (!got.ok && got.errno === 'EINTR') continue
      if (!got.ok || got.value.length === 0) break
      chunks.push(got.value)
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
  short: 'A:bcdj:N:ost:vxw::',
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
  -b -c -d -o -s -x           -t o1, c, u2, o2, d2, x2
  -j, --skip-bytes=BYTES      from there
  -N, --read-bytes=BYTES      so many
  -t, --format=TYPE           c, d[SIZE], o[SIZE], u[SIZE], x[SIZE]
  -v, --output-duplicates     no * for equal lines
  -w[BYTES]                   bytes in a line (16)`,
  *run(io, options, operands) {
    const all = yield* bytesOf(io, operands)
    if (!all) return 1
    const skip = parseSize(options.get('j') ?? '0') ?? 0
    const bytes = all.subarray(skip, options.has('N') ? skip + (parseSize(options.get('N')!) ?? 0) : undefined)
    const short: Record<string, string> = { b: 'o1', c: 'c', d: 'u2', o: 'o2', s: 'd2', x: 'x2' }
    const types = options.all.flatMap(({ option, value }) =>
      option === 't' ? (value!.match(/[acdfoux][1248CSIL]?z?/g) ?? [value!]) : short[option] ? [short[option]!] : [],
    )
    if (types.length === 0) types.push('o2')
    const formats: Format[] = []
    for (const type of types) {
      const format = odFormat(type)
      if (!format) {
        yield* io.fail(`invalid type string ${quote(type)}`)
        return 1
      }
      formats.push(format)
    }
    const width = Number(options.get('w') ?? (options.has('w') ? 32 : 16))
    const radix = options.get('A') ?? 'o'
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

export const hexdump = defineTool({
  name: 'hexdump',
  version: 'hexdump from util-linux 2.38.1',
  short: 'bcCdn:os:vx',
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
 -x                     two bytes in hexadecimal (the default)`,
  *run(io, options, operands) {
    const all = yield* bytesOf(io, operands)
    if (!all) return 1
    const skip = Number(options.get('s') ?? 0)
    const bytes = all.subarray(skip, options.has('n') ? skip + Number(options.get('n')) : undefined)
    if (options.has('C')) {
      yield* canonical(io, bytes, skip, options.has('v'))
      return 0
    }
    const wide = options.has('x')
    for (let at = 0; at < bytes.length; at += 16) {
      let line = hex(skip + at, 7)
      for (let i = at; i < Math.min(at + 16, bytes.length); i += 2)
        line += `${wide ? '    ' : ' '}${hex(bytes[i]! | ((bytes[i + 1] ?? 0) << 8), 4)}`
      yield* io.out(`${line.padEnd(wide ? 71 : 46)}\n`)
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
    let columns = 16
    let group = 2
    let length = Number.POSITIVE_INFINITY
    let seek = 0
    const operands: string[] = []
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i]!
      const value = () => Number(/^-[clgs](.+)$/.exec(word)?.[1] ?? argv[++i])
      if (word === '-p' || word === '-ps' || word === '-plain') plain = true
      else if (/^-c/.test(word)) columns = value()
      else if (/^-g/.test(word)) group = value()
      else if (/^-l/.test(word)) length = value()
      else if (/^-s/.test(word)) seek = value()
      else if (word === '-r') {
        yield* io.fail('-r: not modelled')
        return 1
      } else operands.push(word)
    }
    const all = yield* bytesOf(io, operands.slice(0, 1))
    if (!all) return 2
    const bytes = all.subarray(seek, seek + length)
    if (plain)
      for (let at = 0; at < bytes.length; at += 30)
        yield* io.out(`${Array.from(bytes.subarray(at, at + 30), (byte) => hex(byte, 2)).join('')}\n`)
    else {
      for (let at = 0; at < bytes.length; at += columns) {
        const row = bytes.subarray(at, at + columns)
        let cells = ''
        for (let i = 0; i < columns; i++)
          cells += (i < row.length ? hex(row[i]!, 2) : '  ') + (group > 0 && (i + 1) % group === 0 ? ' ' : '')
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
  short: 'bi:ln:s',
  long: [
    { name: 'verbose', as: 'l' },
    { name: 'quiet', as: 's' },
    { name: 'silent', as: 's' },
    { name: 'bytes', as: 'n', argument: 'required' },
  ],
  help: `Usage: cmp [OPTION]... FILE1 [FILE2]
Compare two files byte by byte.

  -l, --verbose        all bytes that differ
  -n, --bytes=LIMIT    no more than LIMIT bytes
  -s, --quiet, --silent   nothing; the exit status says it`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1, 2, 2)
    if (wrong !== undefined) return wrong
    const limit = options.has('n') ? Number(options.get('n')) : undefined
    const a = yield* bytesOf(io, operands.slice(0, 1))
    const b = yield* bytesOf(io, operands.slice(1, 2))
    if (!a || !b) return 2
    const [x, y] = [a.subarray(0, limit), b.subarray(0, limit)]
    let line = 1
    let differ = false
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      if (x[i] !== y[i]) {
        differ = true
        if (options.has('l'))
          yield* io.out(
            `${String(i + 1).padStart(String(Math.max(x.length, y.length)).length)} ${x[i]!.toString(8).padStart(3)} ${y[i]!.toString(8).padStart(3)}\n`,
          )
        else {
          if (!options.has('s'))
            yield* io.out(`${operands[0]} ${operands[1] ?? '-'} differ: byte ${i + 1}, line ${line}\n`)
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

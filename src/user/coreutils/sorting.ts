/** sort and uniq. */
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, strerror } from '#kernel/core'
import { encodeText } from '#user/shell'
import { allLines, defineTool, eachInput, quote } from './tool.ts'
import { byBytes } from './walk.ts'

interface Key {
  from: [field: number, char: number]
  to: [field: number, char: number] | undefined
  flags: string
}

function parseKey(text: string): Key | undefined {
  const match = /^(\d+)(?:\.(\d+))?([bdfghiMnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfghiMnRrV]*))?$/.exec(text)
  if (!match || Number(match[1]) === 0) return undefined
  return {
    from: [Number(match[1]), Number(match[2] ?? 1)],
    to: match[4] === undefined ? undefined : [Number(match[4]), Number(match[5] ?? 0)],
    flags: match[3]! + (match[6] ?? ''),
  }
}

/** The part of a line that a key is. Without -t a field begins with the blanks before it. */
function keyText(line: string, key: Key, separator: string | undefined): string {
  const fields: [number, number][] = []
  if (separator !== undefined) {
    let start = 0
    for (;;) {
      const at = line.indexOf(separator, start)
      fields.push([start, at < 0 ? line.length : at])
      if (at < 0) break
      start = at + separator.length
    }
  } else {
    const pattern = /[ \t]*[^ \t]+/g
    for (let match = pattern.exec(line); match; match = pattern.exec(line))
      fields.push([match.index, match.index + match[0].length])
  }
  const place = ([field, char]: [number, number], blanks: boolean): number => {
    const found = fields[field - 1]
    if (!found) return line.length
    let start = found[0]
    if (blanks) while (start < found[1] && (line[start] === ' ' || line[start] === '\t')) start++
    return Math.min(start + char - 1, line.length)
  }
  const blanks = key.flags.includes('b')
  const from = place(key.from, blanks)
  let to = line.length
  if (key.to)
    to = key.to[1] === 0 ? (fields[key.to[0] - 1]?.[1] ?? line.length) : place([key.to[0], key.to[1] + 1], blanks)
  return line.slice(from, Math.max(from, to))
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']

function compareNumbers(a: string, b: string): number {
  const value = (text: string) => Number(/^\s*(-?\d*\.?\d*)/.exec(text)![1]!.replace(/^(-?)\.?$/, '0')) || 0
  return value(a) - value(b)
}

function human(text: string): number {
  const match = /^\s*(-?\d*\.?\d*)([KMGTPEZYk]?)/.exec(text)!
  return (Number(match[1] || 0) || 0) * 1024 ** (match[2] === '' ? 0 : 'KMGTPEZY'.indexOf(match[2]!.toUpperCase()) + 1)
}

/** filevercmp: runs of digits count as numbers. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a.split(/(\d+)/), b.split(/(\d+)/)]
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const [left, right] = [x[i] ?? '', y[i] ?? '']
    const order = i % 2 === 1 ? Number(left || 0) - Number(right || 0) : byBytes(left, right)
    if (order !== 0) return order
  }
  return 0
}

function comparison(flags: string): (a: string, b: string) => number {
  if (flags.includes('n')) return compareNumbers
  if (flags.includes('g')) return (a, b) => (Number.parseFloat(a) || 0) - (Number.parseFloat(b) || 0)
  if (flags.includes('h')) return (a, b) => human(a) - human(b)
  if (flags.includes('V')) return compareVersions
  if (flags.includes('M'))
    return (a, b) =>
      MONTHS.indexOf(a.trim().slice(0, 3).toUpperCase()) - MONTHS.indexOf(b.trim().slice(0, 3).toUpperCase())
  const clean = (text: string) => {
    let result = flags.includes('b') ? text.replace(/^[ \t]+/, '') : text
    if (flags.includes('d')) result = result.replace(/[^A-Za-z0-9 \t]/g, '')
    if (flags.includes('f')) result = result.toUpperCase()
    return result
  }
  return flags === '' || !/[bdf]/.test(flags) ? byBytes : (a, b) => byBytes(clean(a), clean(b))
}

export const sort = defineTool({
  name: 'sort',
  usageStatus: 2,
  short: 'bdfghiMnRrVcCk:mo:sS:t:T:uz',
  long: [
    { name: 'ignore-leading-blanks', as: 'b' },
    { name: 'dictionary-order', as: 'd' },
    { name: 'ignore-case', as: 'f' },
    { name: 'general-numeric-sort', as: 'g' },
    { name: 'human-numeric-sort', as: 'h' },
    { name: 'month-sort', as: 'M' },
    { name: 'numeric-sort', as: 'n' },
    { name: 'reverse', as: 'r' },
    { name: 'version-sort', as: 'V' },
    { name: 'check', as: 'c', argument: 'optional' },
    { name: 'key', as: 'k', argument: 'required' },
    { name: 'merge', as: 'm' },
    { name: 'output', as: 'o', argument: 'required' },
    { name: 'stable', as: 's' },
    { name: 'field-separator', as: 't', argument: 'required' },
    { name: 'unique', as: 'u' },
    { name: 'zero-terminated', as: 'z' },
  ],
  help: `Usage: sort [OPTION]... [FILE]...
Print all lines of the FILEs, sorted.

  -b, --ignore-leading-blanks   -d, --dictionary-order   -f, --ignore-case
  -g, --general-numeric-sort    -h, --human-numeric-sort -M, --month-sort
  -n, --numeric-sort            -r, --reverse            -V, --version-sort
  -c, --check                say the first line that is out of order
  -k, --key=F[.C][,F[.C]]    by these fields, with letters from above behind them
  -o, --output=FILE          write there
  -s, --stable               no last comparison of whole lines
  -t, --field-separator=SEP  between fields
  -u, --unique               one of equal lines
  -z, --zero-terminated      lines end with NUL`,
  *run(io, options, operands) {
    const global = ['b', 'd', 'f', 'g', 'h', 'M', 'n', 'V', 'r'].filter((letter) => options.has(letter)).join('')
    const separator = options.get('t') === '\\0' ? '\0' : options.get('t')
    if (separator !== undefined && [...separator].length !== 1) {
      yield* io.fail(separator === '' ? 'empty tab' : `multi-character tab ${quote(separator)}`, 2)
      return 2
    }
    const keys: Key[] = []
    for (const text of options.values('k')) {
      const key = parseKey(text)
      if (!key) {
        yield* io.fail(
          /^0/.test(text)
            ? `-: invalid field specification ${io.quote(text)}`
            : `invalid number at field start: invalid count at start of ${io.quote(text)}`,
          2,
        )
        return 2
      }
      keys.push(/[dfghMnRrV]/.test(key.flags) || key.flags.includes('b') ? key : { ...key, flags: global })
    }
    const order = (a: string, b: string): number => {
      for (const key of keys) {
        const result = comparison(key.flags.replace('r', ''))(keyText(a, key, separator), keyText(b, key, separator))
        if (result !== 0) return key.flags.includes('r') ? -result : result
      }
      if (keys.length === 0 && global !== '') {
        const result = comparison(global.replace('r', ''))(a, b)
        if (result !== 0) return global.includes('r') ? -result : result
      }
      return 0
    }
    const full = (a: string, b: string): number => {
      const result = order(a, b)
      if (result !== 0 || options.has('s') || (options.has('u') && (keys.length > 0 || global.replace('r', '') !== '')))
        return result
      const last = byBytes(a, b)
      return options.has('r') ? -last : last
    }
    const end = options.has('z') ? '\0' : '\n'
    const lines = yield* allLines(io, operands, end)
    if (io.status > 0) return 2
    if (options.has('c') || options.has('C')) {
      for (let i = 1; i < lines.length; i++) {
        const compared = full(lines[i - 1]!, lines[i]!)
        if (compared > 0 || (options.has('u') && order(lines[i - 1]!, lines[i]!) === 0 && compared === 0)) {
          if (options.has('c')) yield* io.err(`${io.name}: ${operands[0] ?? '-'}:${i + 1}: disorder: ${lines[i]}\n`)
          return 1
        }
      }
      return 0
    }
    lines.sort(full)
    const same = keys.length > 0 || global !== '' ? order : byBytes
    const result = options.has('u') ? lines.filter((line, i) => i === 0 || same(lines[i - 1]!, line) !== 0) : lines
    const target = options.get('o')
    if (target === undefined) {
      for (const line of result) yield* io.out(line + end)
      return 0
    }
    const opened = yield* io.sys.open(target, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    if (!opened.ok) {
      yield* io.fail(`open failed: ${target}: ${strerror(opened.errno)}`, 2)
      return 2
    }
    yield* io.sys.write(opened.value, encodeText(result.map((line) => line + end).join('')))
    io.sys.close(opened.value)
    return 0
  },
})

export const uniq = defineTool({
  name: 'uniq',
  short: 'cdDf:is:uw:z',
  long: [
    { name: 'count', as: 'c' },
    { name: 'repeated', as: 'd' },
    { name: 'skip-fields', as: 'f', argument: 'required' },
    { name: 'ignore-case', as: 'i' },
    { name: 'skip-chars', as: 's', argument: 'required' },
    { name: 'unique', as: 'u' },
    { name: 'check-chars', as: 'w', argument: 'required' },
  ],
  help: `Usage: uniq [OPTION]... [INPUT [OUTPUT]]
Print one of adjacent equal lines.

  -c, --count          how many there were
  -d, --repeated       only lines that are repeated
  -D                   all of them
  -f, --skip-fields=N  don't compare the first N fields
  -i, --ignore-case    upper and lower case are the same
  -s, --skip-chars=N   don't compare the first N characters
  -u, --unique         only lines that aren't repeated
  -w, --check-chars=N  compare no more than N characters`,
  *run(io, options, operands) {
    const key = (line: string): string => {
      let text = line
      for (let i = Number(options.get('f') ?? 0); i > 0; i--) text = text.replace(/^[ \t]*[^ \t]*/, '')
      text = text.slice(Number(options.get('s') ?? 0))
      if (options.has('w')) text = text.slice(0, Number(options.get('w')))
      return options.has('i') ? text.toLowerCase() : text
    }
    let group: string[] = []
    const show = function* (): Body<void> {
      if (group.length === 0) return
      if (options.has('D')) {
        if (group.length > 1) yield* io.out(group.map((line) => `${line}\n`).join(''))
        return
      }
      if ((options.has('d') && group.length === 1) || (options.has('u') && group.length > 1)) return
      yield* io.out(`${options.has('c') ? `${String(group.length).padStart(7)} ` : ''}${group[0]}\n`)
    }
    yield* eachInput(io, operands.slice(0, 1), function* (reader) {
      for (let raw = yield* reader.line(); raw !== undefined; raw = yield* reader.line()) {
        const line = raw.replace(/\n$/, '')
        if (group.length > 0 && key(group[0]!) !== key(line)) {
          yield* show()
          group = []
        }
        group.push(line)
      }
    })
    yield* show()
    return 0
  },
})

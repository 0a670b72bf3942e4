/** diff: normal and unified. GNU diffutils 3.8. */
import { type Body, strerror } from '#kernel/core'
import { formatTime } from '#user/shell'
import { defineTool, fileTime, type Io, type Options, Reader } from './tool.ts'
import { baseName, byBytes, join } from './walk.ts'

/** A run of lines that differ: [from, to) in each file. */
interface Hunk {
  a: [number, number]
  b: [number, number]
}

/** Past this many cells the middle is taken as changed as a whole. */
const CELLS_MAX = 4_000_000

/** The differences of two lists of lines, by their longest common subsequence. */
export function differences(a: readonly string[], b: readonly string[]): Hunk[] {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let [endA, endB] = [a.length, b.length]
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--
    endB--
  }
  const [n, m] = [endA - start, endB - start]
  if (n === 0 && m === 0) return []
  if (n === 0 || m === 0 || n * m > CELLS_MAX) return [{ a: [start, endA], b: [start, endB] }]
  const lengths = Array.from({ length: n + 1 }, () => new Uint32Array(m + 1))
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      lengths[i]![j] =
        a[start + i] === b[start + j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
    }
  }
  const hunks: Hunk[] = []
  let [i, j] = [0, 0]
  while (i < n || j < m) {
    if (i < n && j < m && a[start + i] === b[start + j]) {
      i++
      j++
      continue
    }
    const from: [number, number] = [i, j]
    while ((i < n || j < m) && !(i < n && j < m && a[start + i] === b[start + j])) {
      if (j >= m || (i < n && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) i++
      else j++
    }
    hunks.push({ a: [start + from[0], start + i], b: [start + from[1], start + j] })
  }
  return hunks
}

function* linesOf(io: Io, path: string): Body<{ lines: string[]; title: string } | undefined> {
  const opened = path === '-' ? ({ ok: true, value: 0 } as const) : yield* io.sys.open(path)
  if (!opened.ok) {
    yield* io.err(`${io.name}: ${path}: ${strerror(opened.errno)}\n`)
    return undefined
  }
  const stat = io.sys.fstat(opened.value)
  const { s: seconds, ns } = fileTime(io.sys, stat.ok ? stat.value.mtimeNs : 0)
  const text = yield* new Reader(io.sys, opened.value).rest()
  if (opened.value !== 0) io.sys.close(opened.value)
  const lines = text.split(/(?<=\n)/)
  if (lines[lines.length - 1] === '') lines.pop()
  return {
    lines,
    title: `${path}\t${formatTime('%Y-%m-%d %H:%M:%S.%N %z', seconds, ns)}`,
  }
}

const shown = (sign: string, line: string) =>
  line.endsWith('\n') ? sign + line : `${sign}${line}\n\\ No newline at end of file\n`

function normal(a: string[], b: string[], hunks: Hunk[]): string {
  const range = ([from, to]: [number, number]) => (to - from <= 1 ? String(to) : `${from + 1},${to}`)
  return hunks
    .map(({ a: x, b: y }) => {
      const kind = x[0] === x[1] ? 'a' : y[0] === y[1] ? 'd' : 'c'
      const left = a
        .slice(...x)
        .map((line) => shown('< ', line))
        .join('')
      const right = b
        .slice(...y)
        .map((line) => shown('> ', line))
        .join('')
      return `${kind === 'a' ? x[0] : range(x)}${kind}${kind === 'd' ? y[0] : range(y)}\n${left}${kind === 'c' ? '---\n' : ''}${right}`
    })
    .join('')
}

function unified(a: string[], b: string[], hunks: Hunk[], context: number): string {
  let text = ''
  for (let i = 0; i < hunks.length; ) {
    let last = i
    while (last + 1 < hunks.length && hunks[last + 1]!.a[0] - hunks[last]!.a[1] <= context * 2) last++
    const from = Math.max(0, hunks[i]!.a[0] - context)
    const to = Math.min(a.length, hunks[last]!.a[1] + context)
    const fromB = hunks[i]!.b[0] - (hunks[i]!.a[0] - from)
    const toB = hunks[last]!.b[1] + (to - hunks[last]!.a[1])
    const range = (low: number, high: number) =>
      high - low === 1 ? String(low + 1) : `${high === low ? low : low + 1},${high - low}`
    text += `@@ -${range(from, to)} +${range(fromB, toB)} @@\n`
    let at = from
    for (const hunk of hunks.slice(i, last + 1)) {
      for (; at < hunk.a[0]; at++) text += shown(' ', a[at]!)
      for (; at < hunk.a[1]; at++) text += shown('-', a[at]!)
      for (let k = hunk.b[0]; k < hunk.b[1]; k++) text += shown('+', b[k]!)
    }
    for (; at < to; at++) text += shown(' ', a[at]!)
    i = last + 1
  }
  return text
}

function* compare(io: Io, options: Options, left: string, right: string, header: string): Body<number> {
  const a = yield* linesOf(io, left)
  const b = yield* linesOf(io, right)
  if (!a || !b) return 2
  const fold = (line: string) => {
    let text = line
    if (options.has('i')) text = text.toLowerCase()
    if (options.has('w')) text = text.replace(/\s+/g, '')
    else if (options.has('b')) text = text.replace(/[ \t]+/g, ' ').replace(/ ?\n$/, '\n')
    return text
  }
  const binary = [a, b].some(({ lines }) => lines.some((line) => line.includes('\0')))
  if (binary && !options.has('a') && a.lines.join('') !== b.lines.join('')) {
    yield* io.out(`${header}Binary files ${left} and ${right} differ\n`)
    return 1
  }
  let hunks = differences(a.lines.map(fold), b.lines.map(fold))
  if (options.has('B'))
    hunks = hunks.filter(({ a: x, b: y }) =>
      [...a.lines.slice(...x), ...b.lines.slice(...y)].some((line) => line.trim() !== ''),
    )
  if (hunks.length === 0) {
    if (options.has('s')) yield* io.out(`Files ${left} and ${right} are identical\n`)
    return 0
  }
  if (options.has('q')) {
    yield* io.out(`Files ${left} and ${right} differ\n`)
    return 1
  }
  if (header) yield* io.out(header)
  if (options.has('u') || options.has('U')) {
    const labels = options.values('L')
    yield* io.out(
      `--- ${labels[0] ?? a.title}\n+++ ${labels[1] ?? b.title}\n${unified(a.lines, b.lines, hunks, Number(options.get('U') ?? 3))}`,
    )
  } else yield* io.out(normal(a.lines, b.lines, hunks))
  return 1
}

export const diff = defineTool({
  name: 'diff',
  usageStatus: 2,
  version: 'diff (GNU diffutils) 3.8',
  hint: (name) => `${name}: Try '${name} --help' for more information.\n`,
  short: 'abBiL:NqrsuU:w',
  long: [
    { name: 'brief', as: 'q' },
    { name: 'unified', as: 'U', argument: 'optional' },
    { name: 'ignore-case', as: 'i' },
    { name: 'ignore-all-space', as: 'w' },
    { name: 'ignore-space-change', as: 'b' },
    { name: 'recursive', as: 'r' },
    { name: 'report-identical-files', as: 's' },
    { name: 'new-file', as: 'N' },
    { name: 'label', as: 'L', argument: 'required' },
    { name: 'normal' },
    { name: 'color', argument: 'optional' },
  ],
  help: `Usage: diff [OPTION]... FILES
Compare files line by line.

  -b, --ignore-space-change   -w, --ignore-all-space   -i, --ignore-case   -B
  -q, --brief                 only whether they differ
  -r, --recursive             directories
  -s, --report-identical-files
  -u, -U NUM, --unified[=NUM] with NUM (3) lines of context
      --label LABEL           instead of names and times

Exit status: 0 the same, 1 different, 2 trouble.`,
  *run(io, options, operands) {
    if (operands.length !== 2) {
      const what = operands.length < 2 ? 'missing operand after' : 'extra operand'
      yield* io.fail(`${what} '${operands.length < 2 ? (operands[0] ?? io.name) : operands[2]}'`, 2)
      yield* io.err(`${io.name}: Try '${io.name} --help' for more information.\n`)
      return 2
    }
    let [left, right] = operands as [string, string]
    const directory = (path: string) => {
      const stat = io.sys.stat(path)
      return stat.ok && stat.value.type === 'directory'
    }
    if (directory(left) && directory(right)) return yield* directories(io, options, left, right)
    if (directory(left)) left = join(left, baseName(right))
    else if (directory(right)) right = join(right, baseName(left))
    return yield* compare(io, options, left, right, '')
  },
})

function* directories(io: Io, options: Options, left: string, right: string): Body<number> {
  const list = (path: string) => {
    const names = io.sys.readdir(path)
    return names.ok ? names.value.filter((name) => name !== '.' && name !== '..') : []
  }
  const [a, b] = [new Set(list(left)), new Set(list(right))]
  let status = 0
  for (const name of [...new Set([...a, ...b])].sort(byBytes)) {
    const [x, y] = [join(left, name), join(right, name)]
    if (!a.has(name) || !b.has(name)) {
      yield* io.out(`Only in ${a.has(name) ? left : right}: ${name}\n`)
      status = Math.max(status, 1)
      continue
    }
    const both = [io.sys.stat(x), io.sys.stat(y)]
    const isDirectory = both.map((stat) => stat.ok && stat.value.type === 'directory')
    if (isDirectory[0] && isDirectory[1]) {
      if (options.has('r')) status = Math.max(status, yield* directories(io, options, x, y))
      else yield* io.out(`Common subdirectories: ${x} and ${y}\n`)
    } else {
      const flags = options.all
        .filter(({ option }) => 'rubwiBN'.includes(option))
        .map(({ option }) => option)
        .join('')
      status = Math.max(status, yield* compare(io, options, x, y, `diff ${flags ? `-${flags} ` : ''}${x} ${y}\n`))
    }
  }
  return status
}

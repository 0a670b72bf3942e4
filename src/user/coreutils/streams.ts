/** cat, tee, head, tail, wc, yes, seq, tac, rev: what copies its input on. */
import { NotModelled } from '#base/check'
import { type Body, O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, strerror } from '#kernel/core'
import { encodeText, formatPrintf } from '#user/shell'
import { defineTool, eachInput, type Io, parseSize, quote, Reader } from './tool.ts'

const number = (name: string, as: string, argument: 'none' | 'required' | 'optional' = 'none') => ({
  name,
  as,
  argument,
})

export const cat = defineTool({
  name: 'cat',
  short: 'AbeEnstTuv',
  long: [
    { name: 'show-all', as: 'A' },
    { name: 'number-nonblank', as: 'b' },
    { name: 'show-ends', as: 'E' },
    { name: 'number', as: 'n' },
    { name: 'squeeze-blank', as: 's' },
    { name: 'show-tabs', as: 'T' },
    { name: 'show-nonprinting', as: 'v' },
  ],
  help: `Usage: cat [OPTION]... [FILE]...
Copy each FILE, or standard input, to standard output.

  -A, --show-all           like -vET
  -b, --number-nonblank    number lines that aren't empty
  -e                       like -vE
  -E, --show-ends          show $ at the end of each line
  -n, --number             number all lines
  -s, --squeeze-blank      one empty line for several
  -t                       like -vT
  -T, --show-tabs          show TAB as ^I
  -u                       (ignored)
  -v, --show-nonprinting   show control characters as ^X and M-X`,
  *run(io, options, operands) {
    const has = (...letters: string[]) => letters.some((letter) => options.has(letter))
    const ends = has('A', 'E', 'e')
    const tabs = has('A', 'T', 't')
    const visible = has('A', 'v', 'e', 't')
    const nonblank = has('b')
    const numbered = has('n') && !nonblank
    const squeeze = has('s')
    const plain = !ends && !tabs && !visible && !nonblank && !numbered && !squeeze
    let count = 0
    let blank = false
    let lineStart = true
    yield* eachInput(io, operands, function* (reader) {
      for (;;) {
        // cat writes what it read at once.
        const chunk = plain ? yield* reader.chunk() : yield* reader.line()
        if (chunk === undefined) return
        if (plain) {
          yield* io.sys.write(1, encodeText(chunk))
          continue
        }
        const ended = chunk.endsWith('\n')
        let text = ended ? chunk.slice(0, -1) : chunk
        if (squeeze && lineStart && ended && text === '') {
          if (blank) continue
          blank = true
        } else if (text !== '') blank = false
        const prefix = lineStart && (numbered || (nonblank && text !== '')) ? `${String(++count).padStart(6)}\t` : ''
        if (visible)
          text = text.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (c) =>
            c === '\x7f' ? '^?' : `^${String.fromCharCode(c.charCodeAt(0) + 64)}`,
          )
        if (visible)
          text = [...encodeText(text)]
            .map((byte) =>
              byte < 128
                ? String.fromCharCode(byte)
                : `M-${byte - 128 < 32 ? `^${String.fromCharCode(byte - 64)}` : byte === 255 ? '^?' : String.fromCharCode(byte - 128)}`,
            )
            .join('')
        if (tabs) text = text.replaceAll('\t', '^I')
        lineStart = ended
        yield* io.out(prefix + text + (ended ? `${ends ? '$' : ''}\n` : ''))
      }
    })
    return 0
  },
})

export const tee = defineTool({
  name: 'tee',
  short: 'aip',
  long: [
    { name: 'append', as: 'a' },
    { name: 'ignore-interrupts', as: 'i' },
  ],
  help: `Usage: tee [OPTION]... [FILE]...
Copy standard input to each FILE and to standard output.

  -a, --append              add to the files
  -i, --ignore-interrupts   ignore SIGINT`,
  *run(io, options, operands) {
    if (options.has('i')) io.sys.sigaction('SIGINT', 'ignore')
    const fds = [1]
    for (const operand of operands) {
      const opened = yield* io.sys.open(operand, O_WRONLY | O_CREAT | (options.has('a') ? O_APPEND : O_TRUNC), 0o666)
      if (opened.ok) fds.push(opened.value)
      else yield* io.failOn(operand, opened.errno)
    }
    for (;;) {
      const got = yield* io.sys.read(0, 8192)
      if (!got.ok && got.errno === 'EINTR') continue
      if (!got.ok || got.value.length === 0) return 0
      for (const fd of fds) yield* io.sys.write(fd, got.value)
    }
  },
})

/** `-5` in front is `-n 5`. */
function obsoleteCount(argv: string[]): string[] {
  return argv.flatMap((word, i) => {
    const match = i === 1 ? /^-(\d+)([cnqvf]*)$/.exec(word) : null
    if (!match) return [word]
    const unit = match[2]!.includes('c') ? '-c' : '-n'
    return [unit, match[1]!, ...[...match[2]!].filter((letter) => 'qvf'.includes(letter)).map((letter) => `-${letter}`)]
  })
}

function* headers(
  io: Io,
  options: { has(option: string): boolean },
  operands: readonly string[],
): Body<(operand: string) => Body<void>> {
  const show = options.has('v') || (operands.length > 1 && !options.has('q'))
  let first = true
  return function* (operand) {
    if (show) yield* io.out(`${first ? '' : '\n'}==> ${operand === '-' ? 'standard input' : operand} <==\n`)
    first = false
  }
}

export const head = defineTool({
  name: 'head',
  short: 'c:n:qvz',
  long: [
    number('bytes', 'c', 'required'),
    number('lines', 'n', 'required'),
    { name: 'quiet', as: 'q' },
    { name: 'silent', as: 'q' },
    { name: 'verbose', as: 'v' },
    { name: 'zero-terminated', as: 'z' },
  ],
  prepare: obsoleteCount,
  help: `Usage: head [OPTION]... [FILE]...
Print the first 10 lines of each FILE, or of standard input.

  -c, --bytes=[-]NUM       the first NUM bytes; with '-' all but the last NUM
  -n, --lines=[-]NUM       the first NUM lines; with '-' all but the last NUM
  -q, --quiet, --silent    no headers that name files
  -v, --verbose            always headers
  -z, --zero-terminated    lines end with NUL`,
  *run(io, options, operands) {
    const byBytes = options.last('c', 'n') === 'c'
    const text = options.get(byBytes ? 'c' : 'n') ?? '10'
    const fromEnd = text.startsWith('-')
    const count = parseSize(text.replace(/^[-+]/, ''))
    if (count === undefined) {
      yield* io.fail(`invalid number of ${byBytes ? 'bytes' : 'lines'}: ${io.quote(text)}`)
      return 1
    }
    const header = yield* headers(io, options, operands)
    const delimiter = options.has('z') ? '\0' : '\n'
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const fd = operand === '-' ? 0 : yield* openHead(io, operand)
      if (fd === undefined) continue
      yield* header(operand)
      const reader = new Reader(io.sys, fd, delimiter)
      if (byBytes) {
        if (fromEnd) {
          const bytes = encodeText(yield* reader.rest())
          yield* io.flush()
          yield* io.sys.write(1, bytes.subarray(0, Math.max(0, bytes.length - count)))
        } else {
          yield* io.flush()
          let left = count
          while (left > 0) {
            const got = yield* io.sys.read(fd, Math.min(left, 8192))
            if (!got.ok || got.value.length === 0) break
            yield* io.sys.write(1, got.value)
            left -= got.value.length
          }
        }
      } else if (fromEnd) {
        const kept: string[] = []
        for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line()) {
          kept.push(line)
          if (kept.length > count) yield* io.out(kept.shift()!)
        }
      } else {
        for (let i = 0; i < count; i++) {
          const line = yield* reader.line()
          if (line === undefined) break
          yield* io.out(line)
        }
      }
      if (fd !== 0) io.sys.close(fd)
    }
    return 0
  },
})

function* openHead(io: Io, operand: string): Body<number | undefined> {
  const opened = yield* io.sys.open(operand)
  if (!opened.ok) {
    yield* io.fail(`cannot open ${quote(operand)} for reading: ${strerror(opened.errno)}`)
    return undefined
  }
  const stat = io.sys.fstat(opened.value)
  if (stat.ok && stat.value.type === 'directory') {
    yield* io.fail(`error reading ${quote(operand)}: Is a directory`)
    return undefined
  }
  return opened.value
}

export const tail = defineTool({
  name: 'tail',
  short: 'c:fFn:qs:vz',
  long: [
    number('bytes', 'c', 'required'),
    number('lines', 'n', 'required'),
    { name: 'follow', argument: 'optional', as: 'f' },
    { name: 'pid', argument: 'required' },
    { name: 'retry' },
    { name: 'quiet', as: 'q' },
    { name: 'silent', as: 'q' },
    { name: 'sleep-interval', as: 's', argument: 'required' },
    { name: 'verbose', as: 'v' },
    { name: 'zero-terminated', as: 'z' },
  ],
  prepare: obsoleteCount,
  help: `Usage: tail [OPTION]... [FILE]...
Print the last 10 lines of each FILE, or of standard input.

  -c, --bytes=[+]NUM       the last NUM bytes; with '+' from byte NUM on
  -f, --follow             go on as the files grow
  -F                       the same as --follow --retry
  -n, --lines=[+]NUM       the last NUM lines; with '+' from line NUM on
      --pid=PID            with -f, end after process PID has ended
  -q, --quiet, --silent    no headers that name files
  -s, --sleep-interval=N   with -f, look every N seconds (default 1.0)
  -v, --verbose            always headers
  -z, --zero-terminated    lines end with NUL`,
  *run(io, options, operands) {
    const byBytes = options.last('c', 'n') === 'c'
    const text = options.get(byBytes ? 'c' : 'n') ?? '10'
    const fromStart = text.startsWith('+')
    const count = parseSize(text.replace(/^[-+]/, ''))
    if (count === undefined) {
      yield* io.fail(`invalid number of ${byBytes ? 'bytes' : 'lines'}: ${io.quote(text)}`)
      return 1
    }
    const header = yield* headers(io, options, operands)
    const delimiter = options.has('z') ? '\0' : '\n'
    const followed: { operand: string; fd: number }[] = []
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const fd = operand === '-' ? 0 : yield* openHead(io, operand)
      if (fd === undefined) continue
      yield* header(operand)
      const reader = new Reader(io.sys, fd, delimiter)
      if (byBytes) {
        const bytes = encodeText(yield* reader.rest())
        yield* io.flush()
        yield* io.sys.write(
          1,
          fromStart ? bytes.subarray(Math.max(0, count - 1)) : bytes.subarray(Math.max(0, bytes.length - count)),
        )
      } else if (fromStart) {
        let n = 1
        for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line())
          if (n++ >= count) yield* io.out(line)
      } else {
        const kept: string[] = []
        for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line()) {
          kept.push(line)
          if (kept.length > count) kept.shift()
        }
        yield* io.out(kept.join(''))
      }
      yield* io.flush()
      followed.push({ operand, fd })
    }
    if (!options.has('f') && !options.has('F')) return 0
    const pid = Number(options.get('pid') ?? 0)
    const pauseNs = Number(options.get('s') ?? 1) * 1e9
    let shown = followed[followed.length - 1]?.operand
    while (followed.length > 0) {
      for (const { operand, fd } of followed) {
        for (;;) {
          const got = yield* io.sys.read(fd, 8192)
          if (!got.ok || got.value.length === 0) break
          if (followed.length > 1 && shown !== operand) {
            yield* io.out(`\n==> ${operand} <==\n`)
            yield* io.flush()
            shown = operand
          }
          yield* io.sys.write(1, got.value)
        }
      }
      // A pipe that has ended doesn't grow.
      if (followed.every(({ fd }) => fd === 0)) return 0
      if (pid > 0 && !io.sys.kill(pid, 0).ok) return 0
      yield* io.sys.sleep(pauseNs)
    }
    return 1
  },
})

export const wc = defineTool({
  name: 'wc',
  short: 'clLmw',
  long: [
    { name: 'bytes', as: 'c' },
    { name: 'chars', as: 'm' },
    { name: 'lines', as: 'l' },
    { name: 'max-line-length', as: 'L' },
    { name: 'words', as: 'w' },
  ],
  help: `Usage: wc [OPTION]... [FILE]...
Count lines, words and bytes of each FILE, or of standard input.

  -c, --bytes            bytes
  -m, --chars            characters
  -l, --lines            newlines
  -L, --max-line-length  the longest line's width
  -w, --words            words`,
  *run(io, options, operands) {
    const chosen = ['l', 'w', 'm', 'c', 'L'].filter((letter) => options.has(letter))
    const columns = chosen.length > 0 ? chosen : ['l', 'w', 'c']
    const rows: { counts: Record<string, number>; operand: string }[] = []
    let regular = true
    let sizes = 0
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const stat = operand === '-' ? io.sys.fstat(0) : io.sys.stat(operand)
      if (stat.ok && stat.value.type === 'file') sizes += stat.value.size
      else if (stat.ok) regular = false
    }
    yield* eachInput(io, operands, function* (reader, operand) {
      const counts: Record<string, number> = { l: 0, w: 0, m: 0, c: 0, L: 0 }
      let inWord = false
      let width = 0
      for (let chunk = yield* reader.chunk(); chunk !== undefined; chunk = yield* reader.chunk()) {
        counts['c']! += encodeText(chunk).length
        for (const char of chunk) {
          counts['m']!++
          if (char === '\n') {
            counts['l']!++
            counts['L'] = Math.max(counts['L']!, width)
            width = 0
          } else width += char === '\t' ? 8 - (width % 8) : 1
          const space = /\s/.test(char)
          if (!space && !inWord) counts['w']!++
          inWord = !space
        }
      }
      counts['L'] = Math.max(counts['L']!, width)
      rows.push({ counts, operand })
    })
    if (operands.length > 1) {
      const total: Record<string, number> = { l: 0, w: 0, m: 0, c: 0, L: 0 }
      for (const { counts } of rows)
        for (const key of Object.keys(total))
          total[key] = key === 'L' ? Math.max(total[key]!, counts[key]!) : total[key]! + counts[key]!
      rows.push({ counts: total, operand: 'total' })
    }
    // As wide as the sum of the sizes; 7 where a size isn't known; as narrow as it gets for one column of one file.
    const width = columns.length === 1 && operands.length <= 1 ? 1 : regular ? Math.max(1, String(sizes).length) : 7
    for (const { counts, operand } of rows) {
      const cells = columns.map((column) => String(counts[column]).padStart(width)).join(' ')
      yield* io.out(`${cells}${operands.length > 0 ? ` ${operand}` : ''}\n`)
    }
    return 0
  },
})

export const yes = defineTool({
  name: 'yes',
  short: '+',
  help: `Usage: yes [STRING]...
Print a line with all STRINGs, or 'y', again and again until killed.`,
  *run(io, _options, operands) {
    const line = `${operands.length > 0 ? operands.join(' ') : 'y'}\n`
    const block = encodeText(line.repeat(Math.max(1, Math.floor(8192 / line.length))))
    for (;;) {
      const written = yield* io.sys.write(1, block)
      if (!written.ok) {
        yield* io.fail(`standard output: ${strerror(written.errno)}`)
        return 1
      }
    }
  },
})

export const seq = defineTool({
  name: 'seq',
  short: '+f:s:w',
  long: [
    { name: 'format', as: 'f', argument: 'required' },
    { name: 'separator', as: 's', argument: 'required' },
    { name: 'equal-width', as: 'w' },
  ],
  // A negative number is no option.
  prepare: (argv) => {
    const at = argv.findIndex(
      (word, i) => i > 0 && (word === '--' || (/^-[\d.]/.test(word) && !/^-[fs]$/.test(argv[i - 1]!))),
    )
    if (at < 0 || argv[at] === '--') return argv
    // Behind a first operand nothing is an option anyway.
    const operand = argv.findIndex((word, i) => i > 0 && !word.startsWith('-') && !/^-[fs]$/.test(argv[i - 1]!))
    return operand > 0 && operand < at ? argv : [...argv.slice(0, at), '--', ...argv.slice(at)]
  },
  help: `Usage: seq [OPTION]... LAST
  or:  seq [OPTION]... FIRST LAST
  or:  seq [OPTION]... FIRST INCREMENT LAST
Print the numbers from FIRST (1) to LAST, in steps of INCREMENT (1).

  -f, --format=FORMAT      printf's format, such as %03g
  -s, --separator=STRING   between numbers (a newline)
  -w, --equal-width        as wide as the widest, with zeros in front`,
  *run(io, options, operands) {
    if (operands.length === 0) return yield* io.usage('missing operand', 1)
    if (operands.length > 3) return yield* io.usage(`extra operand ${io.quote(operands[3]!)}`, 1)
    for (const operand of operands) {
      if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(operand.trim()))
        return yield* io.usage(`invalid floating point argument: ${io.quote(operand)}`, 1)
    }
    const wanted = options.get('f')
    if (wanted !== undefined) {
      const conversion = /%(?!%)[-+ #0']*\d*(?:\.\d*)?(.?)/.exec(wanted.replaceAll('%%', ''))
      if (!conversion || !/[aefgAEFG]/.test(conversion[1]!)) {
        yield* io.fail(
          `format ${io.quote(wanted)} has ${conversion ? `unknown %${conversion[1]} directive` : 'no % directive'}`,
        )
        return 1
      }
    }
    const first = operands.length > 1 ? operands[0]! : '1'
    const step = operands.length > 2 ? operands[1]! : '1'
    const last = operands[operands.length - 1]!
    if (Number(step) === 0) return yield* io.usage(`invalid Zero increment value: ${io.quote(step)}`, 1)
    const digits = Math.max(...[first, step].map((text) => (/\.(\d*)/.exec(text)?.[1] ?? '').length))
    const scale = 10 ** digits
    const [from, by, to] = [Math.round(Number(first) * scale), Math.round(Number(step) * scale), Number(last) * scale]
    const format = options.get('f')
    const width = options.has('w') ? Math.max(...[first, last].map((text) => Number(text).toFixed(digits).length)) : 0
    const separator = options.get('s') ?? '\n'
    let any = false
    for (let i = 0, value = from; by > 0 ? value <= to + 1e-9 : value >= to - 1e-9; i++, value = from + i * by) {
      const text = (value / scale).toFixed(digits)
      const shown = format
        ? formatOne(format, value / scale)
        : width > 0
          ? text.startsWith('-')
            ? `-${text.slice(1).padStart(width - 1, '0')}`
            : text.padStart(width, '0')
          : text
      yield* io.out((any ? separator : '') + shown)
      any = true
    }
    if (any) yield* io.out('\n')
    return 0
  },
})

function formatOne(format: string, value: number): string {
  return formatPrintf(format, [String(value)]).output
}

export const tac = defineTool({
  name: 'tac',
  short: 'bs:r',
  long: [
    { name: 'before', as: 'b' },
    { name: 'separator', as: 's', argument: 'required' },
    { name: 'regex', as: 'r' },
  ],
  help: `Usage: tac [OPTION]... [FILE]...
Print each FILE, or standard input, last line first.

  -b, --before             the separator stands before what it separates
  -s, --separator=STRING   instead of a newline`,
  *run(io, options, operands) {
    if (options.has('r')) throw new NotModelled('tac -r')
    const separator = options.get('s') ?? '\n'
    for (const operand of operands.length > 0 ? operands : ['-']) {
      const opened = operand === '-' ? ({ ok: true, value: 0 } as const) : yield* io.sys.open(operand)
      if (!opened.ok) {
        yield* io.fail(`failed to open ${quote(operand)} for reading: ${strerror(opened.errno)}`)
        continue
      }
      const stat = io.sys.fstat(opened.value)
      if (stat.ok && stat.value.type === 'directory') {
        yield* io.fail(`${operand}: read error: Invalid argument`)
        io.sys.close(opened.value)
        continue
      }
      const parts = (yield* new Reader(io.sys, opened.value).rest()).split(separator)
      if (opened.value !== 0) io.sys.close(opened.value)
      // A separator belongs to what stands before it, or behind.
      const last = parts.length - 1
      const records = options.has('b')
        ? parts.map((part, i) => (i > 0 ? separator + part : part))
        : parts.map((part, i) => (i < last ? part + separator : part))
      yield* io.out(records.reverse().join(''))
    }
    return 0
  },
})

export const rev = defineTool({
  name: 'rev',
  version: 'rev from util-linux 2.38.1',
  help: `Usage: rev [options] [file ...]
Reverse the characters of every line.`,
  *run(io, _options, operands) {
    yield* eachInput(io, operands, function* (reader) {
      for (let line = yield* reader.line(); line !== undefined; line = yield* reader.line()) {
        const ended = line.endsWith('\n')
        yield* io.out([...(ended ? line.slice(0, -1) : line)].reverse().join('') + (ended ? '\n' : ''))
      }
    })
    return 0
  },
})

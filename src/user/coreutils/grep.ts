/** grep, egrep, fgrep. GNU grep 3.8. */
import type { Body } from '#kernel/core'
import { compilePattern, compileRegex, loadRegexLibrary, needsLibrary, type Regex } from '#user/shell'
import { defineTool, type Io, type Options, Reader } from './tool.ts'
import { walk } from './walk.ts'

const HELP = `Usage: grep [OPTION]... PATTERNS [FILE]...
Print the lines of each FILE that match PATTERNS, which stand on lines of their own.

Patterns:
  -E, --extended-regexp     extended regular expressions
  -F, --fixed-strings       strings
  -G, --basic-regexp        basic regular expressions (the default)
  -e, --regexp=PATTERNS     these patterns
  -f, --file=FILE           patterns from a file
  -i, --ignore-case         upper and lower case are the same
  -w, --word-regexp         only whole words
  -x, --line-regexp         only whole lines
  -z, --null-data           lines end with NUL

Output:
  -c, --count               how many lines match
  -h, --no-filename         no file names
  -H, --with-filename       file names
  -l, --files-with-matches  only the names of files with matches
  -L, --files-without-match only the names of files without
  -m, --max-count=NUM       stop after NUM lines
  -n, --line-number         line numbers
  -o, --only-matching       only what matches
  -q, --quiet, --silent     nothing; the exit status says it
  -s, --no-messages         no complaints about files
  -v, --invert-match        lines that don't match
      --line-buffered       flush after each line
  -r, --recursive           all files below directories
      --include=GLOB, --exclude=GLOB   with -r, only or not files of such names

Context:
  -A, --after-context=NUM   NUM lines after a match
  -B, --before-context=NUM  NUM lines before
  -C, --context=NUM         both`

interface Found {
  index: number
  end: number
}

/** Finds matches of any of several patterns: the leftmost, of those the longest. */
class Finder {
  readonly #regexes: Regex[]
  readonly #fixed: string[]
  readonly #ignoreCase: boolean
  readonly #word: boolean
  readonly #line: boolean

  constructor(regexes: Regex[], fixed: string[], ignoreCase: boolean, word: boolean, line: boolean) {
    this.#regexes = regexes
    this.#fixed = ignoreCase ? fixed.map((text) => text.toLowerCase()) : fixed
    this.#ignoreCase = ignoreCase
    this.#word = word
    this.#line = line
  }

  find(text: string, from = 0): Found | undefined {
    let best: Found | undefined
    const subject = this.#ignoreCase && this.#fixed.length > 0 ? text.toLowerCase() : text
    const better = (found: Found) => {
      if (!best || found.index < best.index || (found.index === best.index && found.end > best.end)) best = found
    }
    for (const fixed of this.#fixed) {
      for (let at = subject.indexOf(fixed, from); at >= 0 && at <= text.length; at = subject.indexOf(fixed, at + 1)) {
        const found = { index: at, end: at + fixed.length }
        if (this.#fits(text, found)) {
          better(found)
          break
        }
        if (at >= text.length) break
      }
    }
    for (const regex of this.#regexes) {
      for (let at = from; at <= text.length; ) {
        const match = regex.exec(text, at)
        if (!match) break
        const fitting = this.#shortened(regex, text, { index: match.index, end: match.end })
        if (fitting) {
          better(fitting)
          break
        }
        at = match.index + 1
      }
    }
    return best
  }

  /** The match, or with -w a shorter one at the same place. @see GNU grep src/dfasearch.c: EGexecute() */
  #shortened(regex: Regex, text: string, found: Found): Found | undefined {
    if (this.#fits(text, found)) return found
    if (!this.#word || this.#line) return undefined
    for (let end = found.end - 1; end > found.index; end--) {
      const again = regex.exec(text.slice(0, end), found.index)
      if (!again || again.index !== found.index) return undefined
      end = again.end
      const shorter = { index: found.index, end }
      if (this.#fits(text, shorter)) return shorter
    }
    return undefined
  }

  #fits(text: string, { index, end }: Found): boolean {
    if (this.#line) return index === 0 && end === text.length
    if (!this.#word) return true
    return !/\w/.test(text[index - 1] ?? ' ') && !/\w/.test(text[end] ?? ' ')
  }
}

function* compile(io: Io, options: Options, patterns: string[], kind: 'E' | 'F' | 'G'): Body<Finder | undefined> {
  const ignoreCase = options.has('i') || options.has('y')
  const regexes: Regex[] = []
  const fixed: string[] = []
  for (const pattern of patterns) {
    if (kind === 'F' || (/^[^\\^$.[\]|()*+?{}]*$/.test(pattern) && !options.has('x'))) {
      fixed.push(pattern)
      continue
    }
    const how = { extended: kind === 'E', ignoreCase }
    // With -x the whole line has to match, so the alternatives must be tried to the end.
    const source = options.has('x') ? (kind === 'E' ? `^(${pattern})$` : `^\\(${pattern}\\)$`) : pattern
    if (needsLibrary(source, how)) yield* loadRegexLibrary()
    const compiled = compileRegex(source, how)
    if ('error' in compiled) {
      yield* io.fail(compiled.error, 2)
      return undefined
    }
    regexes.push(compiled.regex)
  }
  return new Finder(regexes, fixed, ignoreCase, options.has('w'), options.has('x'))
}

function context(options: Options, letter: 'A' | 'B'): number {
  const own = options.get(letter)
  const both = options.get('C')
  return Number(own ?? both ?? 0)
}

interface Printing {
  names: boolean
  numbers: boolean
  after: number
  before: number
  delimiter: string
}

/** Greps one input; gives how many lines were selected. */
function* grepOne(
  io: Io,
  options: Options,
  finder: Finder,
  reader: Reader,
  name: string,
  printing: Printing,
): Body<number> {
  const invert = options.has('v')
  const silent = options.has('q') || options.has('l') || options.has('L') || options.has('c')
  const most = options.has('m') ? Number(options.get('m')) : Number.POSITIVE_INFINITY
  const { before, after, delimiter } = printing
  const held: { line: string; number: number }[] = []
  let number = 0
  let selected = 0
  let trailing = 0
  let lastShown = 0
  const label = (separator: string, line: number) =>
    `${printing.names ? name + separator : ''}${printing.numbers ? `${line}${separator}` : ''}`
  const flushing = options.has('line-buffered')
  while (selected < most || trailing > 0) {
    const raw = yield* reader.line()
    if (raw === undefined) break
    number++
    const line = raw.endsWith(delimiter) ? raw.slice(0, -1) : raw
    const found = finder.find(line)
    if ((found !== undefined) !== invert && selected < most) {
      selected++
      if (options.has('q')) return selected
      if (options.has('l') || options.has('L')) return selected
      if (silent) continue
      if (options.has('o')) {
        if (invert) continue
        for (let at: Found | undefined = found; at; at = finder.find(line, at.end > at.index ? at.end : at.end + 1)) {
          if (at.end > at.index) yield* io.out(`${label(':', number)}${line.slice(at.index, at.end)}${delimiter}`)
          if (at.end >= line.length) break
        }
      } else {
        const first = held[0]?.number ?? number
        if ((before > 0 || after > 0) && lastShown > 0 && first > lastShown + 1) yield* io.out('--\n')
        for (const one of held.splice(0)) yield* io.out(`${label('-', one.number)}${one.line}${delimiter}`)
        yield* io.out(`${label(':', number)}${line}${delimiter}`)
        lastShown = number
        trailing = after
      }
      if (flushing) yield* io.flush()
    } else if (trailing > 0) {
      trailing--
      if (!silent && !options.has('o')) yield* io.out(`${label('-', number)}${line}${delimiter}`)
      lastShown = number
    } else if (before > 0) {
      held.push({ line, number })
      if (held.length > before) held.shift()
    }
  }
  return selected
}

function define(toolName: string, defaultKind: 'E' | 'F' | 'G') {
  return defineTool({
    name: toolName,
    version: `${toolName} (GNU grep) 3.8`,
    usageStatus: 2,
    help: HELP,
    short: 'EFGPe:f:iywxzcVhHlLm:noqsvbrRA:B:C:aTUZ0123456789',
    long: [
      { name: 'extended-regexp', as: 'E' },
      { name: 'fixed-strings', as: 'F' },
      { name: 'basic-regexp', as: 'G' },
      { name: 'perl-regexp', as: 'P' },
      { name: 'regexp', as: 'e', argument: 'required' },
      { name: 'file', as: 'f', argument: 'required' },
      { name: 'ignore-case', as: 'i' },
      { name: 'word-regexp', as: 'w' },
      { name: 'line-regexp', as: 'x' },
      { name: 'null-data', as: 'z' },
      { name: 'count', as: 'c' },
      { name: 'no-filename', as: 'h' },
      { name: 'with-filename', as: 'H' },
      { name: 'files-with-matches', as: 'l' },
      { name: 'files-without-match', as: 'L' },
      { name: 'max-count', as: 'm', argument: 'required' },
      { name: 'line-number', as: 'n' },
      { name: 'only-matching', as: 'o' },
      { name: 'quiet', as: 'q' },
      { name: 'silent', as: 'q' },
      { name: 'no-messages', as: 's' },
      { name: 'invert-match', as: 'v' },
      { name: 'recursive', as: 'r' },
      { name: 'dereference-recursive', as: 'R' },
      { name: 'after-context', as: 'A', argument: 'required' },
      { name: 'before-context', as: 'B', argument: 'required' },
      { name: 'context', as: 'C', argument: 'required' },
      { name: 'line-buffered' },
      { name: 'color', argument: 'optional' },
      { name: 'colour', argument: 'optional' },
      { name: 'text', as: 'a' },
      { name: 'include', argument: 'required' },
      { name: 'exclude', argument: 'required' },
      { name: 'byte-offset', as: 'b' },
    ],
    // -3 is -C 3.
    prepare: (argv) => argv.map((word, i) => (i > 0 && /^-\d+$/.test(word) ? `-C${word.slice(1)}` : word)),
    *run(io, options, given) {
      const operands = [...given]
      const kind = (options.last('E', 'F', 'G', 'P') ?? defaultKind) as 'E' | 'F' | 'G' | 'P'
      if (kind === 'P') {
        yield* io.fail('Perl regular expressions: not modelled', 2)
        return 2
      }
      const patterns: string[] = []
      for (const { option, value } of options.all) {
        if (option === 'e') patterns.push(...value!.split('\n'))
        if (option === 'f') {
          const opened = value === '-' ? { ok: true as const, value: 0 } : yield* io.sys.open(value!)
          if (!opened.ok) {
            yield* io.failOn(value!, opened.errno, 2)
            return 2
          }
          const lines = (yield* new Reader(io.sys, opened.value).rest()).split('\n')
          if (lines[lines.length - 1] === '') lines.pop()
          patterns.push(...lines)
        }
      }
      if (!options.has('e') && !options.has('f')) {
        const pattern = operands.shift()
        if (pattern === undefined) {
          yield* io.err(
            `Usage: ${io.name} [OPTION]... PATTERNS [FILE]...\nTry '${io.name} --help' for more information.\n`,
          )
          return 2
        }
        patterns.push(...pattern.split('\n'))
      }
      for (const letter of ['A', 'B', 'C'] as const) {
        const value = options.get(letter)
        if (value !== undefined && !/^\d+$/.test(value)) {
          yield* io.fail(`${value}: invalid context length argument`, 2)
          return 2
        }
      }
      if (options.has('m') && !/^-?\d+$/.test(options.get('m')!)) {
        yield* io.fail('invalid max count', 2)
        return 2
      }
      const finder = yield* compile(io, options, patterns, kind)
      if (!finder) return 2
      const recursive = options.has('r') || options.has('R')
      const inputs: string[] = []
      const wanted = globFilter(options.values('include'), options.values('exclude'))
      for (const operand of operands.length > 0 ? operands : [recursive ? '.' : '-']) {
        const stat = operand === '-' ? undefined : io.sys.stat(operand)
        if (recursive && stat?.ok && stat.value.type === 'directory') {
          walk(io.sys, operand, (path, entry) => {
            if (entry.type === 'file' && wanted(path))
              inputs.push(operands.length === 0 ? path.replace(/^\.\//, '') : path)
          })
        } else inputs.push(operand)
      }
      const names = options.last('H', 'h')
      const printing: Printing = {
        names: names === 'H' || (names !== 'h' && (inputs.length > 1 || recursive)),
        numbers: options.has('n'),
        after: context(options, 'A'),
        before: context(options, 'B'),
        delimiter: options.has('z') ? '\0' : '\n',
      }
      let any = false
      for (const input of inputs) {
        let fd = 0
        if (input !== '-') {
          const opened = yield* io.sys.open(input)
          if (!opened.ok) {
            if (!options.has('s')) yield* io.failOn(input, opened.errno, 2)
            else io.status = 2
            continue
          }
          fd = opened.value
          const stat = io.sys.fstat(fd)
          if (stat.ok && stat.value.type === 'directory') {
            if (!options.has('s')) yield* io.err(`${io.name}: ${input}: Is a directory\n`)
            io.sys.close(fd)
            continue
          }
        }
        const shown = input === '-' ? '(standard input)' : input
        const count = yield* grepOne(io, options, finder, new Reader(io.sys, fd, printing.delimiter), shown, printing)
        if (fd !== 0) io.sys.close(fd)
        if (options.has('q') && count > 0) return 0
        if (options.has('l') || options.has('L')) {
          if (count > 0 === options.has('l')) {
            yield* io.out(`${shown}\n`)
            any = true
          }
          continue
        }
        if (count > 0) any = true
        if (options.has('c')) yield* io.out(`${printing.names ? `${shown}:` : ''}${count}\n`)
      }
      if (options.has('q') && any) io.status = 0
      return any ? 0 : 1
    },
  })
}

function globFilter(include: string[], exclude: string[]): (path: string) => boolean {
  const tests = (globs: string[]) => globs.map((glob) => compilePattern(glob))
  const [wanted, unwanted] = [tests(include), tests(exclude)]
  return (path) => {
    const name = path.replace(/^.*\//, '')
    return (
      (wanted.length === 0 || wanted.some((one) => one.matches(name))) && !unwanted.some((one) => one.matches(name))
    )
  }
}

export const grep = define('grep', 'G')
export const egrep = define('egrep', 'E')
export const fgrep = define('fgrep', 'F')

/**
 * The configuration, line after line: comments gone, definitions filled in, included files read in place, lines for other
 * hosts left out. The parent reads files and keeps a copy of what it read; the children read that copy, so that all see the same
 * and each can name file and line.
 *
 * keepalived 2.2.7 lib/parser.c: read_line(), open_glob_file(), check_definition(), replace_param(), init_data()
 */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { expandGlob } from './glob.ts'
import type { Log } from './log.ts'
import { decomment } from './words.ts'

/** What kind of mistake; the later the worse, as the exit status of a test has it. */
export const MISTAKES = [
  'OK',
  'FILE_NOT_FOUND',
  'BAD_IF',
  'FATAL',
  'MULTIPLE_FILES',
  'UNKNOWN_KEYWORD',
  'UNEXPECTED_BOB',
  'MISSING_BOB',
  'UNEXPECTED_EOB',
  'MISSING_EOB',
  'UNMATCHED_QUOTE',
  'MISSING_PARAMETER',
  'INVALID_NUMBER',
  'GENERAL',
  'WARNING',
  'DEPRECATED',
  'SECURITY',
] as const
export type Mistake = (typeof MISTAKES)[number]

/** Ends the process: a keyword has nothing behind it. */
export class MissingParameter extends Error {
  override readonly name = 'MissingParameter'
}

/** Who is told of mistakes. */
export interface Reports {
  readonly testing: boolean
  report(mistake: Mistake, text: string): void
}

interface Source {
  /** Told in complaints: undefined for the only file. */
  shown: string | undefined
  line: number
  lines: readonly string[]
  at: number
  /** Further files that the same include names. */
  waiting: string[]
  /** Where it was before, if reading this file changed the directory. */
  before: string | undefined
  copied: boolean
}

interface Definition {
  value: string
  multiline: boolean
}

const MAX_LINE = 1024
const MAX_DEPTH = 64

export class Reader implements Reports {
  readonly #sys: Sys | undefined
  readonly log: Log
  readonly #configId: string
  readonly testing: boolean
  #sources: Source[] = []
  /** What the parent leaves for its children. */
  copy: string[] | undefined
  worst: Mistake = 'OK'
  fileError = false
  depth = 0
  #residue: string | undefined
  #expanding: string[] = []
  readonly #definitions = new Map<string, Definition>()

  /** @param sys absent: nothing is included, as in a child */
  constructor(sys: Sys | undefined, log: Log, configId: string) {
    this.#sys = sys
    this.log = log
    this.#configId = configId
    this.testing = log.options.test
    this.#definitions.set('_HASH', { value: '#', multiline: false })
    this.#definitions.set('_BANG', { value: '!', multiline: false })
  }

  /** Reads files from now on, and keeps a copy. */
  *openFiles(pattern: string): Body<boolean> {
    this.copy = []
    return yield* this.#open(pattern)
  }

  /** Reads what the parent has read. */
  openCopy(name: string, copy: readonly string[]): void {
    this.#sources = [{ shown: name, line: 0, lines: copy, at: 0, waiting: [], before: undefined, copied: true }]
  }

  report(mistake: Mistake, text: string): void {
    if (MISTAKES.indexOf(mistake) > MISTAKES.indexOf(this.worst)) this.worst = mistake
    const source = this.#sources[0]
    let where = ''
    if (source?.shown !== undefined) where = `(${source.shown}: Line ${source.line}) `
    else if (source && source.line > 0) where = `(Line ${source.line}) `
    this.log.complain(`${where}${text}`)
  }

  /** A file that can't be read. */
  fileMistake(text: string, counts: boolean): void {
    this.report(counts ? 'FILE_NOT_FOUND' : 'OK', text)
    if (counts) this.fileError = true
    this.copy?.push(`#! ${text}`)
  }

  *#open(pattern: string): Body<boolean> {
    const sys = this.#sys
    if (!sys) return false
    if (this.#sources.length >= MAX_DEPTH) throw new NotModelled('a keepalived.conf that includes itself')
    const { files, wild } = expandGlob(sys, pattern)
    if (files.length === 0) {
      if (!wild) this.fileMistake(`Config files missing '${pattern}'.`, false)
      return false
    }
    const source: Source = {
      shown: undefined,
      line: 0,
      lines: [],
      at: 0,
      waiting: files,
      before: undefined,
      copied: false,
    }
    const several = this.#sources.length > 0 || files.length > 1
    this.#sources.unshift(source)
    if (yield* this.#next(source, several)) return true
    this.#sources.shift()
    return false
  }

  /** The next file of an include. */
  *#next(source: Source, several: boolean): Body<boolean> {
    const sys = this.#sys!
    for (let path = source.waiting.shift(); path !== undefined; path = source.waiting.shift()) {
      const stat = sys.stat(path)
      if (!stat.ok || stat.value.type !== 'file' || stat.value.mode & 0o111) {
        const why = stat.ok && stat.value.type === 'directory' ? 'a directory' : 'not a regular non-executable file'
        this.fileMistake(`Configuration file '${path}' is ${why} - skipping`, false)
        continue
      }
      const read = yield* readTextFile(sys, path)
      if (!read.ok) continue
      this.log.detail(`Opening file '${path}'.`)
      this.copy?.push(`# ${path}`)
      const lines = read.value.split('\n')
      if (lines.at(-1) === '') lines.pop()
      source.lines = lines
      source.at = source.line = 0
      source.shown = several ? path : undefined
      const slash = path.lastIndexOf('/')
      source.before = undefined
      if (slash >= 0) {
        source.before = sys.getcwd()
        sys.chdir(slash === 0 ? '/' : path.slice(0, slash))
      }
      return true
    }
    return false
  }

  /** The next line that says something; undefined at the end. */
  *line(): Body<string | undefined> {
    for (;;) {
      const found = yield* this.#raw()
      if (found === undefined) return undefined
      let line: string | undefined = found
      for (let rounds = 0; line !== undefined; rounds++) {
        if (rounds > MAX_DEPTH) throw new NotModelled('definitions that name one another')
        const own: string | undefined = this.#forThisHost(line)
        if (own === undefined) {
          line = undefined
          break
        }
        if (own.startsWith('$') && (yield* this.#define(own))) {
          line = undefined
          break
        }
        if (/^~(SEQ|LST)/.test(own)) throw new NotModelled(`${own.slice(0, 4)} in keepalived.conf`)
        const replaced: string | undefined = own.includes('$') ? this.#replace(own) : undefined
        line = replaced ?? own
        if (replaced === undefined || !/^@|\$/.test(replaced)) break
      }
      if (line === undefined || line === '') continue
      const included = /^include[rmwba]?\s/.test(line) ? line.replace(/^include[rmwba]?\s+/, '') : undefined
      if (included !== undefined) {
        // A copy has what was included in it.
        if (this.#sys && this.copy) yield* this.#open(included)
        continue
      }
      return this.#braces(line)
    }
  }

  /** Braces stand alone, but for one that ends a line; the rest of the line comes next. */
  #braces(line: string): string {
    let text = line
    let brace = -1
    for (let i = 0; i < text.length; i++) {
      const char = text[i]!
      if (char === '"') {
        const end = text.indexOf('"', i + 1)
        if (end < 0) break
        i = end
      } else if (char === '{' || char === '}') {
        brace = i
        break
      }
    }
    if (brace >= 0) {
      const skip = brace === 0 ? 1 + /^[ \t]*/.exec(text.slice(1))![0].length : 0
      const rest = text.slice(brace + skip).replace(/[ \t]+$/, '')
      if (rest !== '') {
        this.#residue = rest
        text = text.slice(0, brace + skip)
      }
    }
    // A brace behind other words comes as a line of its own.
    text = text.replace(/[ \t]+$/, '')
    if (text === '{') this.depth++
    else if (text === '}' && this.depth-- < 1) {
      this.report('UNEXPECTED_EOB', "Extra '}' found")
      this.depth = 0
    }
    return text
  }

  /** A line of the files, without comments. */
  *#raw(): Body<string | undefined> {
    if (this.#residue !== undefined) {
      const rest = this.#residue
      this.#residue = undefined
      return rest
    }
    const expanded = this.#expanding.shift()
    if (expanded !== undefined) return expanded
    return yield* this.#physical()
  }

  *#physical(): Body<string | undefined> {
    for (;;) {
      const source = this.#sources[0]
      if (!source) return undefined
      const line = source.lines[source.at++]
      if (line === undefined) {
        yield* this.#close(source)
        continue
      }
      if (source.copied) {
        if (line.startsWith('#!')) continue
        if (line.startsWith('# ')) {
          this.#sources.unshift({ ...source, shown: line.slice(2), line: 0 })
          continue
        }
        if (line === '!') {
          this.#sources.shift()
          const outer = this.#sources[0]
          if (outer) outer.at = source.at
          continue
        }
      }
      source.line++
      const bare = line.replace(/\r+$/, '').slice(0, MAX_LINE)
      if (bare === '') {
        this.copy?.push('')
        continue
      }
      const { text, unterminated } = decomment(bare)
      if (unterminated) this.report('GENERAL', `Unterminated quote '${bare.replace(/^[ \t]+/, '')}'`)
      this.copy?.push(/^include[rmwba]?\s/.test(text) ? '' : text)
      if (text !== '') return text
    }
  }

  *#close(source: Source): Body<void> {
    if (source.copied) {
      this.#sources.shift()
      const outer = this.#sources[0]
      if (outer) outer.at = source.at
      return
    }
    this.copy?.push('!')
    if (source.before !== undefined) this.#sys!.chdir(source.before)
    if (!(yield* this.#next(source, true))) this.#sources.shift()
  }

  /** `@host` and `@^host` at a line's beginning. */
  #forThisHost(line: string): string | undefined {
    const found = /^@(\^?)([^ \t]*)[ \t]+(.*)$/.exec(line)
    if (!line.startsWith('@')) return line
    if (!found) return undefined
    const other = found[2] !== this.#configId
    return other === (found[1] === '^') ? found[3]! : undefined
  }

  /** $NAME=VALUE, and the lines that it goes on for. */
  *#define(line: string): Body<boolean> {
    const found = /^\$([A-Za-z_]\w*)[ \t]*=[ \t]*(.*)$/.exec(line)
    if (!found) return false
    let value = found[2]!
    const multiline = value.endsWith('\\')
    if (multiline) {
      const lines = [value.slice(0, -1).trimEnd()].filter((text) => text !== '')
      for (;;) {
        const next = yield* this.#physical()
        if (next === undefined) break
        const more = next.endsWith('\\')
        const text = more ? next.slice(0, -1).trimEnd() : next
        if (text !== '') lines.push(text)
        if (!more) break
      }
      value = lines.join('\n')
    }
    this.#definitions.set(found[1]!, { value, multiline })
    return true
  }

  /** Fills definitions in; undefined if there is none. */
  #replace(line: string): string | undefined {
    let out = ''
    let rest = line
    let any = false
    for (;;) {
      const found = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)(?=[ \t,)]|$))/.exec(rest)
      if (!found) break
      const name = found[1] ?? found[2]!
      const definition = this.#definition(name)
      const after = rest.slice(found.index + found[0].length)
      out += rest.slice(0, found.index)
      if (!definition || (definition.multiline && after !== '')) out += found[0]
      else {
        any = true
        const [first = '', ...others] = definition.multiline ? definition.value.split('\n') : [definition.value]
        out += first
        this.#expanding.unshift(...others)
      }
      rest = after
      if (out.length > MAX_LINE) {
        this.log.info(`Parameter substitution on line '${line}' would exceed maximum line length`)
        return undefined
      }
    }
    return any ? decomment(out + rest).text : undefined
  }

  #definition(name: string): Definition | undefined {
    if (name === '_PWD') return { value: this.#sys?.getcwd() ?? '', multiline: false }
    if (name === '_INSTANCE') return { value: '', multiline: false }
    if (name === '_RANDOM') throw new NotModelled('$_RANDOM in keepalived.conf')
    return this.#definitions.get(name)
  }
}

/**
 * POSIX regular expressions, basic and extended with GNU's additions, leftmost-longest and in linear time by RE2's port
 * (docs/decisions/text-tools.md). Simple ones need no library; what RE2 can't do (back references) runs on the
 * language's own engine. POSIX.1-2017, Regular Expressions; regex(7).
 */
import type { Body } from '#kernel/core'

export interface RegexMatch {
  index: number
  end: number
  /** groups[0] is the whole match. */
  groups: (string | undefined)[]
}

export interface Regex {
  exec(text: string, from?: number): RegexMatch | undefined
  readonly groupCount: number
}

export interface RegexOptions {
  extended?: boolean
  ignoreCase?: boolean
  /** ^ and $ match at newlines too. */
  multiline?: boolean
}

type Library = typeof import('re2js')

let library: Library | undefined

/** Loads the engine for what isn't simple; the clock stands still meanwhile, and the page's start doesn't pay for it. */
export function* loadRegexLibrary(): Body<void> {
  if (library) return
  const loading = import('re2js')
  let loaded: Library | undefined
  yield { queues: [], untilNs: Number.POSITIVE_INFINITY, promise: loading.then((module) => (loaded = module)) }
  library = loaded
}

interface Translated {
  source: string
  groups: number
  backReferences: boolean
  /** No alternation, no repeated groups, few unbounded repetitions: the language's own engine finds the same match quickly. */
  simple: boolean
}

/** Whether a pattern needs `loadRegexLibrary` first. */
export function needsLibrary(source: string, options: RegexOptions): boolean {
  const translated = translate(source, options.extended ?? false)
  return 'source' in translated && !translated.simple && !translated.backReferences
}

/** Compiles, or says what regcomp(3) would. */
export function compileRegex(source: string, options: RegexOptions): { regex: Regex } | { error: string } {
  const translated = translate(source, options.extended ?? false)
  if ('error' in translated) return translated
  if (translated.simple || translated.backReferences || !library) return { regex: native(translated, options) }
  const { RE2JS } = library
  const flags =
    (options.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) |
    RE2JS.DOTALL |
    (options.multiline ? RE2JS.MULTILINE : 0) |
    RE2JS.LONGEST_MATCH
  const pattern = RE2JS.compile(translated.source, flags)
  return {
    regex: {
      groupCount: translated.groups,
      exec(text, from = 0) {
        const matcher = pattern.matcher(text)
        if (!matcher.find(from)) return undefined
        const groups: (string | undefined)[] = []
        for (let i = 0; i <= translated.groups; i++)
          groups.push(matcher.start(i) < 0 ? undefined : text.slice(matcher.start(i), matcher.end(i)))
        return { index: matcher.start(), end: matcher.end(), groups }
      },
    },
  }
}

function native(translated: Translated, options: RegexOptions): Regex {
  const regex = new RegExp(translated.source, `gs${options.ignoreCase ? 'i' : ''}${options.multiline ? 'm' : ''}`)
  return {
    groupCount: translated.groups,
    exec(text, from = 0) {
      regex.lastIndex = from
      const match = regex.exec(text)
      return match ? { index: match.index, end: match.index + match[0].length, groups: [...match] } : undefined
    },
  }
}

const CLASSES: Record<string, string> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: ' \\t\\n\\r\\f\\v',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  print: ' -~',
  graph: '!-~',
  cntrl: '\\x00-\\x1f\\x7f',
  xdigit: '0-9A-Fa-f',
}

const translations = new Map<string, Translated | { error: string }>()

function translate(source: string, extended: boolean): Translated | { error: string } {
  const key = (extended ? 'E' : 'B') + source
  let known = translations.get(key)
  if (!known) {
    known = new Translation(source, extended).run()
    if (translations.size > 300) translations.clear()
    translations.set(key, known)
  }
  return known
}

class Translation {
  readonly #source: string
  readonly #extended: boolean
  #out = ''
  #groups = 0
  #open: number[] = []
  #unbounded = 0
  #simple = true
  #backReferences = false
  /** Whether the last thing can be repeated; a closed group is 'group'. */
  #atom: 'none' | 'char' | 'group' = 'none'

  constructor(source: string, extended: boolean) {
    this.#source = source
    this.#extended = extended
  }

  run(): Translated | { error: string } {
    const { length } = this.#source
    for (let i = 0; i < length; ) {
      const next = this.#one(i)
      if (typeof next === 'string') return { error: next }
      i = next
    }
    if (this.#open.length > 0) return { error: this.#extended ? 'Unmatched ( or \\(' : 'Unmatched ( or \\(' }
    return {
      source: this.#out,
      groups: this.#groups,
      backReferences: this.#backReferences,
      simple: this.#simple && this.#unbounded <= 2,
    }
  }

  #literal(char: string): void {
    this.#out += /[\\^$.[\]|()*+?{}/-]/.test(char) ? `\\${char}` : char
    this.#atom = 'char'
  }

  #one(i: number): number | string {
    const source = this.#source
    const char = source[i]!
    const extended = this.#extended
    if (char === '\\') {
      const next = source[i + 1]
      if (next === undefined) return 'Trailing backslash'
      if (!extended && '(){}|+?'.includes(next)) return this.#operator(next, i + 2)
      return this.#escape(next, i + 2)
    }
    if (extended && '()|+?{'.includes(char)) return this.#operator(char, i + 1)
    switch (char) {
      case '*':
        return this.#operator('*', i + 1)
      case '.':
        this.#out += '.'
        this.#atom = 'char'
        return i + 1
      case '[':
        return this.#bracket(i)
      case '^':
        if (extended || this.#out === '' || /(\(|\||\n)$/.test(this.#out)) {
          this.#out += '^'
          this.#atom = 'none'
        } else this.#literal('^')
        return i + 1
      case '$': {
        const rest = source.slice(i + 1)
        if (extended || rest === '' || rest.startsWith('\\)') || rest.startsWith('\\|') || rest.startsWith('\n')) {
          this.#out += '$'
          this.#atom = 'none'
        } else this.#literal('$')
        return i + 1
      }
      default:
        this.#literal(char)
        return i + 1
    }
  }

  #operator(operator: string, after: number): number | string {
    switch (operator) {
      case '(':
        this.#groups++
        this.#open.push(this.#groups)
        this.#out += '('
        this.#atom = 'none'
        return after
      case ')':
        if (this.#open.length === 0) {
          if (!this.#extended) return 'Unmatched ) or \\)'
          if (this.#extended) return 'Unmatched ) or \\)'
        }
        this.#open.pop()
        this.#out += ')'
        this.#atom = 'group'
        return after
      case '|':
        this.#simple = false
        this.#out += '|'
        this.#atom = 'none'
        return after
      case '*':
      case '+':
      case '?':
        if (this.#atom === 'none') {
          if (operator === '*' || this.#extended) {
            // BRE: literal at the start. ERE: GNU takes a leading * as literal too.
            if (!this.#extended || this.#out === '' || /[(|^]$/.test(this.#out)) this.#literal(operator)
            return after
          }
          this.#literal(operator)
          return after
        }
        this.#repeat(operator)
        return after
      case '{': {
        const rest = this.#source.slice(after)
        const interval = (this.#extended ? /^(\d*)(,?)(\d*)\}/ : /^(\d*)(,?)(\d*)\\\}/).exec(rest)
        if (!interval || (interval[1] === '' && interval[2] === '')) {
          if (this.#extended) {
            this.#literal('{')
            return after
          }
          return /\\\}/.test(rest) ? 'Invalid content of \\{\\}' : 'Unmatched \\{'
        }
        const low = interval[1] === '' ? 0 : Number(interval[1])
        const high = interval[2] === '' ? low : interval[3] === '' ? undefined : Number(interval[3])
        if (high !== undefined && high < low) return 'Invalid content of \\{\\}'
        if (low > 1000 || (high ?? 0) > 1000) return 'Regular expression too big'
        if (this.#atom === 'none') return 'Invalid preceding regular expression'
        this.#repeat(`{${low}${interval[2] === '' ? '' : `,${high ?? ''}`}}`)
        return after + interval[0].length
      }
      default:
        this.#literal('}')
        return after
    }
  }

  #repeat(quantifier: string): void {
    if (this.#atom === 'group') this.#simple = false
    // A second quantifier would make the first one lazy or possessive: group what there is.
    if (/[^\\](\*|\+|\?|\})$/.test(this.#out) && this.#repeated) {
      this.#simple = false
      const start = this.#atomStart
      this.#out = `${this.#out.slice(0, start)}(?:${this.#out.slice(start)})`
    } else this.#atomStart = lastAtom(this.#out)
    this.#out += quantifier
    this.#repeated = true
    if (quantifier === '*' || quantifier === '+' || quantifier.endsWith(',}')) this.#unbounded++
  }

  #repeated = false
  #atomStart = 0

  #escape(next: string, after: number): number {
    if (next >= '1' && next <= '9') {
      this.#backReferences = true
      this.#out += `(?:\\${next})`
      this.#atom = 'char'
      return after
    }
    switch (next) {
      case 'w':
      case 'W':
      case 's':
      case 'S':
        this.#out += `\\${next}`
        this.#atom = 'char'
        return after
      case '<':
      case '>':
      case 'b':
        this.#out += '\\b'
        this.#atom = 'none'
        return after
      case 'B':
        this.#out += '\\B'
        this.#atom = 'none'
        return after
      case '`':
        this.#out += '^'
        return after
      case "'":
        this.#out += '$'
        return after
      case 'n':
        this.#literal('\n')
        return after
      default:
        this.#literal(next)
        return after
    }
  }

  #bracket(at: number): number | string {
    const source = this.#source
    let i = at + 1
    let out = '['
    if (source[i] === '^') {
      out += '^'
      i++
    }
    for (let first = true; ; first = false) {
      const char = source[i]
      if (char === undefined) return 'Unmatched [, [^, [:, [., or [='
      if (char === ']' && !first) break
      if (char === '[' && (source[i + 1] === ':' || source[i + 1] === '.' || source[i + 1] === '=')) {
        const kind = source[i + 1]!
        const close = source.indexOf(`${kind}]`, i + 2)
        if (close < 0) return 'Unmatched [, [^, [:, [., or [='
        const name = source.slice(i + 2, close)
        if (kind === ':') {
          const members = CLASSES[name]
          if (members === undefined) return 'Invalid character class name'
          out += members
        } else out += escapeInClass(name)
        i = close + 2
        continue
      }
      i++
      if (source[i] === '-' && source[i + 1] !== ']' && source[i + 1] !== undefined) {
        let high = source[i + 1]!
        i += 2
        if (high === '[' && source[i] === '.') {
          const close = source.indexOf('.]', i)
          if (close < 0) return 'Unmatched [, [^, [:, [., or [='
          high = source.slice(i + 1, close)
          i = close + 2
        }
        if (high < char) return 'Invalid range end'
        out += `${escapeInClass(char)}-${escapeInClass(high)}`
      } else out += escapeInClass(char)
    }
    this.#out += `${out}]`
    this.#atom = 'char'
    return i + 1
  }
}

function escapeInClass(text: string): string {
  return text.replace(/[\\\]^[-]/g, '\\$&')
}

/** Where the last atom of translated source begins. */
function lastAtom(out: string): number {
  if (out.endsWith(')') && out[out.length - 2] !== '\\') {
    let depth = 0
    for (let i = out.length - 1; i >= 0; i--) {
      if (out[i] === ')' && out[i - 1] !== '\\') depth++
      else if (out[i] === '(' && out[i - 1] !== '\\' && --depth === 0) return i
    }
  }
  if (out.endsWith(']') && out[out.length - 2] !== '\\') {
    for (let i = out.length - 2; i >= 0; i--) if (out[i] === '[' && out[i - 1] !== '\\') return i
  }
  return out[out.length - 2] === '\\' ? out.length - 2 : out.length - 1
}

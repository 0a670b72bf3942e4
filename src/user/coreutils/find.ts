/** find. GNU findutils 4.9.0. */
import { type Body, type Program, type Stat, type Sys, strerror } from '#kernel/core'
import { compilePattern, compileRegex, formatTime, unescapeEcho } from '#user/shell'
import { changedMode } from './files.ts'
import { GROUP, modeText, USER } from './ls.ts'
import { runProgram } from './running.ts'
import { fileTime, Io } from './tool.ts'
import { baseName, dirName, join } from './walk.ts'

interface Seen {
  path: string
  stat: Stat
  depth: number
  start: string
}

type Test = (seen: Seen) => Body<boolean>

class FindError extends Error {}

const HELP = `Usage: find [-H] [-L] [-P] [path...] [expression]

Tests: -name -iname -path -regex -type -size -empty -newer -mmin -mtime -perm -user -group -inum -links -maxdepth -mindepth
Actions: -print -print0 -printf -exec ... ; -exec ... + -delete -prune -quit -ls
Operators: ( EXPR ) ! EXPR -not EXPR EXPR -a EXPR EXPR -o EXPR
`

class Finder {
  readonly #io: Io
  readonly #sys: Sys
  readonly #words: string[]
  #at = 0
  maxDepth = Number.POSITIVE_INFINITY
  minDepth = 0
  depthFirst = false
  #acts = false
  pruned = false
  quit = false
  readonly #batches: { words: string[]; paths: string[] }[] = []

  constructor(io: Io, words: string[]) {
    this.#io = io
    this.#sys = io.sys
    this.#words = words
  }

  parse(): Test {
    const print: Test = (seen) => this.#print(`${seen.path}\n`)
    if (this.#words.length === 0) return print
    const test = this.#or()
    if (this.#at < this.#words.length)
      throw new FindError(
        this.#words[this.#at] === ')'
          ? "you have too many ')'"
          : `paths must precede expression: \`${this.#words[this.#at]}'`,
      )
    if (this.#acts) return test
    return function* (seen) {
      return (yield* test(seen)) && (yield* print(seen))
    }
  }

  *#print(text: string): Body<boolean> {
    yield* this.#io.out(text)
    return true
  }

  #or(): Test {
    let left = this.#and()
    while (this.#words[this.#at] === '-o' || this.#words[this.#at] === '-or') {
      this.#at++
      const [first, right] = [left, this.#and()]
      left = function* (seen) {
        return (yield* first(seen)) || (yield* right(seen))
      }
    }
    return left
  }

  #and(): Test {
    let left = this.#not()
    for (;;) {
      const word = this.#words[this.#at]
      if (word === undefined || word === ')' || word === '-o' || word === '-or') return left
      if (word === '-a' || word === '-and') this.#at++
      const [first, right] = [left, this.#not()]
      left = function* (seen) {
        return (yield* first(seen)) && (yield* right(seen))
      }
    }
  }

  #not(): Test {
    const word = this.#words[this.#at]
    if (word === '!' || word === '-not') {
      this.#at++
      const test = this.#not()
      return function* (seen) {
        return !(yield* test(seen))
      }
    }
    if (word === '(') {
      this.#at++
      const test = this.#or()
      if (this.#words[this.#at++] !== ')')
        throw new FindError("invalid expression; I was expecting to find a ')' somewhere but did not see one.")
      return test
    }
    return this.#primary()
  }

  #argument(name: string): string {
    const word = this.#words[this.#at++]
    if (word === undefined) throw new FindError(`missing argument to \`${name}'`)
    return word
  }

  #primary(): Test {
    const name = this.#words[this.#at++]!
    const when = (test: (seen: Seen) => boolean): Test =>
      function* (seen) {
        return test(seen)
      }
    const counted = (text: string, value: (seen: Seen) => number) => {
      const wanted = Number(text.replace(/^[-+]/, ''))
      if (Number.isNaN(wanted)) throw new FindError(`invalid argument \`${text}' to \`${name}'`)
      return when((seen) =>
        text.startsWith('+')
          ? value(seen) > wanted
          : text.startsWith('-')
            ? value(seen) < wanted
            : value(seen) === wanted,
      )
    }
    const ageNs = (seen: Seen) => this.#sys.labNs() - seen.stat.mtimeNs
    switch (name) {
      case '-name':
      case '-iname': {
        const pattern = compilePattern(this.#argument(name), name === '-iname')
        return when((seen) => pattern.matches(baseName(seen.path)))
      }
      case '-path':
      case '-wholename':
      case '-ipath': {
        const pattern = compilePattern(this.#argument(name), name === '-ipath')
        return when((seen) => pattern.matches(seen.path))
      }
      case '-regex':
      case '-iregex': {
        const compiled = compileRegex(`^\\(${this.#argument(name)}\\)$`, { ignoreCase: name === '-iregex' })
        return when((seen) => 'regex' in compiled && compiled.regex.exec(seen.path) !== undefined)
      }
      case '-type': {
        const letters = this.#argument(name).split(',')
        const types: Record<string, string> = {
          f: 'file',
          d: 'directory',
          l: 'symlink',
          p: 'fifo',
          c: 'char',
          b: 'block',
          s: 'socket',
        }
        for (const letter of letters) if (!types[letter]) throw new FindError(`Unknown argument to -type: ${letter}`)
        return when((seen) => letters.some((letter) => types[letter] === seen.stat.type))
      }
      case '-size': {
        const text = this.#argument(name)
        const match = /^([-+]?\d+)([bckwMG]?)$/.exec(text)
        if (!match) throw new FindError(`Invalid argument \`${text}' to -size`)
        const unit = { '': 512, b: 512, c: 1, w: 2, k: 1024, M: 1 << 20, G: 1 << 30 }[match[2]!]!
        return counted(match[1]!, (seen) => Math.ceil(seen.stat.size / unit))
      }
      case '-empty':
        return when((seen) => {
          if (seen.stat.type === 'file') return seen.stat.size === 0
          const names = seen.stat.type === 'directory' ? this.#sys.readdir(seen.path) : undefined
          return names?.ok === true && names.value.every((one) => one === '.' || one === '..')
        })
      case '-newer': {
        const other = this.#argument(name)
        const stat = this.#sys.stat(other)
        if (!stat.ok) throw new FindError(`${this.#io.quote(other)}: ${strerror(stat.errno)}`)
        return when((seen) => seen.stat.mtimeNs > stat.value.mtimeNs)
      }
      case '-mmin':
      case '-cmin':
      case '-amin':
        return counted(this.#argument(name), (seen) => Math.ceil(ageNs(seen) / 60e9))
      case '-mtime':
      case '-ctime':
      case '-atime':
        return counted(this.#argument(name), (seen) => Math.floor(ageNs(seen) / 86400e9))
      case '-perm': {
        const text = this.#argument(name)
        const mode = changedMode(text.replace(/^[-/]/, ''), 0, false, 0)
        if (mode === undefined) throw new FindError(`invalid mode \`${text}'`)
        return when((seen) =>
          text.startsWith('-')
            ? (seen.stat.mode & mode) === mode
            : text.startsWith('/')
              ? mode === 0 || (seen.stat.mode & mode) !== 0
              : (seen.stat.mode & 0o7777) === mode,
        )
      }
      case '-user':
      case '-uid': {
        const user = this.#argument(name)
        return when((seen) => user === USER(seen.stat.uid) || user === String(seen.stat.uid))
      }
      case '-group':
      case '-gid': {
        const group = this.#argument(name)
        return when((seen) => group === GROUP(seen.stat.gid) || group === String(seen.stat.gid))
      }
      case '-inum':
        return counted(this.#argument(name), (seen) => seen.stat.inode)
      case '-links':
        return counted(this.#argument(name), (seen) => seen.stat.links)
      case '-true':
        return when(() => true)
      case '-false':
        return when(() => false)
      case '-maxdepth':
        this.maxDepth = Number(this.#argument(name))
        return when(() => true)
      case '-mindepth':
        this.minDepth = Number(this.#argument(name))
        return when(() => true)
      case '-depth':
        this.depthFirst = true
        return when(() => true)
      case '-xdev':
      case '-mount':
      case '-noleaf':
        return when(() => true)
      case '-print':
        this.#acts = true
        return (seen) => this.#print(`${seen.path}\n`)
      case '-print0':
        this.#acts = true
        return (seen) => this.#print(`${seen.path}\0`)
      case '-printf': {
        this.#acts = true
        const format = this.#argument(name)
        return (seen) => this.#print(this.#format(format, seen))
      }
      case '-ls':
        this.#acts = true
        return (seen) =>
          this.#print(
            `${String(seen.stat.inode).padStart(9)} ${String(Math.ceil(seen.stat.size / 4096) * 4).padStart(6)} ${modeText(seen.stat)} ${String(seen.stat.links).padStart(3)} ${USER(seen.stat.uid).padEnd(8)} ${GROUP(seen.stat.gid).padEnd(8)} ${String(seen.stat.size).padStart(8)} ${this.#time(seen, '%b %e %H:%M')} ${seen.path}\n`,
          )
      case '-delete':
        this.#acts = true
        this.depthFirst = true
        return (seen) => this.#delete(seen)
      case '-prune':
        return when(() => {
          this.pruned = true
          return true
        })
      case '-quit':
        this.#acts = true
        return when(() => {
          this.quit = true
          return true
        })
      case '-exec':
      case '-execdir':
      case '-ok':
        return this.#exec(name)
      default:
        throw new FindError(
          name.startsWith('-') ? `unknown predicate \`${name}'` : `paths must precede expression: \`${name}'`,
        )
    }
  }

  #exec(name: string): Test {
    this.#acts = true
    const words: string[] = []
    for (;;) {
      const word = this.#words[this.#at++]
      if (word === undefined) throw new FindError(`missing argument to \`${name}'`)
      if (word === ';') break
      if (word === '+' && words[words.length - 1] === '{}') {
        const batch = { words: words.slice(0, -1), paths: [] as string[] }
        this.#batches.push(batch)
        return function* (seen) {
          batch.paths.push(seen.path)
          return true
        }
      }
      words.push(word)
    }
    const [io, sys] = [this.#io, this.#sys]
    return function* (seen) {
      yield* io.flush()
      const status = yield* runProgram(
        sys,
        'find',
        words.map((word) => word.replaceAll('{}', seen.path)),
      )
      return status.exit === 0
    }
  }

  *finish(): Body<void> {
    for (const { words, paths } of this.#batches) {
      if (paths.length === 0) continue
      yield* this.#io.flush()
      const status = yield* runProgram(this.#sys, 'find', [...words, ...paths])
      if (status.exit !== 0) this.#io.status = 1
    }
  }

  *#delete(seen: Seen): Body<boolean> {
    if (seen.path === '.') return true
    const done = seen.stat.type === 'directory' ? this.#sys.rmdir(seen.path) : this.#sys.unlink(seen.path)
    if (!done.ok) yield* this.#io.fail(`cannot delete ${this.#io.quote(seen.path)}: ${strerror(done.errno)}`)
    return done.ok
  }

  #time(seen: Seen, format: string): string {
    const { s, ns } = fileTime(this.#sys, seen.stat.mtimeNs)
    return formatTime(format, s, ns)
  }

  #format(format: string, seen: Seen): string {
    return unescapeEcho(
      format.replace(/%(T[\w@+]|[%a-zA-Z])/g, (whole, what: string) => {
        const link = seen.stat.type === 'symlink' ? this.#sys.readlink(seen.path) : undefined
        const values: Record<string, string> = {
          '%': '%',
          p: seen.path,
          f: baseName(seen.path),
          h: dirName(seen.path),
          P: seen.path.slice(seen.start.length).replace(/^\//, ''),
          H: seen.start,
          d: String(seen.depth),
          s: String(seen.stat.size),
          m: (seen.stat.mode & 0o7777).toString(8),
          M: modeText(seen.stat),
          u: USER(seen.stat.uid),
          g: GROUP(seen.stat.gid),
          U: String(seen.stat.uid),
          G: String(seen.stat.gid),
          i: String(seen.stat.inode),
          n: String(seen.stat.links),
          l: link?.ok ? link.value : '',
          t: this.#time(seen, '%a %b %e %H:%M:%S.%N0 %Y'),
          y: { file: 'f', directory: 'd', symlink: 'l', fifo: 'p', char: 'c', block: 'b', socket: 's' }[seen.stat.type],
        }
        if (what.startsWith('T')) return what === 'T@' ? this.#time(seen, '%s.%N0') : this.#time(seen, `%${what[1]}`)
        return values[what] ?? whole
      }),
    ).text
  }
}

function* visit(io: Io, finder: Finder, test: Test, seen: Seen, follow: boolean): Body<void> {
  if (finder.quit) return
  finder.pruned = false
  const apply = seen.depth >= finder.minDepth
  if (!finder.depthFirst && apply) yield* test(seen)
  const into = seen.stat.type === 'directory' && !(finder.pruned && !finder.depthFirst) && seen.depth < finder.maxDepth
  if (into) {
    const names = io.sys.readdir(seen.path)
    if (!names.ok) yield* io.fail(`${io.quote(seen.path)}: ${strerror(names.errno)}`)
    else {
      for (const name of names.value) {
        if (name === '.' || name === '..') continue
        const path = join(seen.path, name)
        const stat = follow ? io.sys.stat(path) : io.sys.lstat(path)
        const own = stat.ok ? stat : io.sys.lstat(path)
        if (own.ok)
          yield* visit(io, finder, test, { path, stat: own.value, depth: seen.depth + 1, start: seen.start }, follow)
      }
    }
  }
  if (finder.depthFirst && apply && !finder.quit) yield* test(seen)
}

export const find: Program = {
  name: 'find',
  paths: ['/usr/bin/find'],
  *main(sys, argv) {
    const io = new Io(sys, argv[0] ?? 'find')
    if (argv.includes('--help') || argv.includes('-help') || argv.includes('--version') || argv.includes('-version')) {
      yield* io.out(argv.some((word) => /help$/.test(word)) ? HELP : 'find (GNU findutils) 4.9.0\n')
      yield* io.flush()
      return 0
    }
    let i = 1
    let follow = false
    while (['-H', '-L', '-P'].includes(argv[i] ?? '')) follow = argv[i++] === '-L'
    const starts: string[] = []
    while (i < argv.length && !/^[-(!]/.test(argv[i]!)) starts.push(argv[i++]!)
    const finder = new Finder(io, argv.slice(i))
    let test: Test
    try {
      test = finder.parse()
    } catch (thrown) {
      if (!(thrown instanceof FindError)) throw thrown
      yield* io.fail(thrown.message)
      return 1
    }
    for (const start of starts.length > 0 ? starts : ['.']) {
      const stat = follow ? sys.stat(start) : sys.lstat(start)
      if (!stat.ok) {
        yield* io.fail(`${io.quote(start)}: ${strerror(stat.errno)}`)
        continue
      }
      yield* visit(io, finder, test, { path: start, stat: stat.value, depth: 0, start }, follow)
    }
    yield* finder.finish()
    yield* io.flush()
    return io.status
  },
}

/** ls. GNU coreutils 9.1 src/ls.c for layouts. */
import { type Body, type Stat, strerror } from '#kernel/core'
import { formatTime, quoteForShell } from '#user/shell'
import { compareVersions } from './sorting.ts'
import { defineTool, fileTime, type Io, type Options } from './tool.ts'
import { byBytes, join } from './walk.ts'

interface Entry {
  name: string
  path: string
  stat: Stat
  target?: string
}

const HELP = `Usage: ls [OPTION]... [FILE]...
List files, and what is in directories (the current one by default).

  -a, --all                  also names that begin with a dot
  -A, --almost-all           the same, but . and ..
  -C                         columns
  -d, --directory            directories themselves, not what is in them
  -F, --classify             a sign behind names: one of */=@|
  -g                         like -l, without the owner
  -h, --human-readable       with -l or -s, sizes such as 1K and 234M
  -i, --inode                inode numbers
  -l                         one in a line, with everything about it
  -m                         one after the other, with commas
  -n, --numeric-uid-gid      like -l, with numbers of users and groups
  -o                         like -l, without the group
  -p                         a slash behind directories
  -Q, --quote-name           names in double quotes
  -r, --reverse              the other way round
  -R, --recursive            directories in directories too
  -s, --size                 blocks taken
  -S                         by size, the largest first
  -t                         by time, the newest first
      --sort=WORD            none, size, time, version, extension
      --time-style=STYLE     full-iso, long-iso, iso, +FORMAT
      --full-time            like -l --time-style=full-iso
  -U                         not sorted
  -v                         by version numbers in names
  -X                         by extension
  -1                         one in a line

Exit status: 0 if all went well, 1 for small trouble, 2 if an operand couldn't be listed.`

/** The first letter and the nine of the mode. */
export function modeText(stat: Stat): string {
  const type = { file: '-', directory: 'd', symlink: 'l', fifo: 'p', char: 'c', block: 'b', socket: 's' }[stat.type]
  const bits = (shift: number, special: number, letter: string) => {
    const three = (stat.mode >> shift) & 7
    const x = three & 1
    const last = stat.mode & special ? (x ? letter : letter.toUpperCase()) : x ? 'x' : '-'
    return (three & 4 ? 'r' : '-') + (three & 2 ? 'w' : '-') + last
  }
  return type + bits(6, 0o4000, 's') + bits(3, 0o2000, 's') + bits(0, 0o1000, 't')
}

/** 1.5K, 12M: as human_readable() rounds, upwards. */
export function humanSize(size: number, base = 1024): string {
  if (size < base) return String(size)
  let value = size
  let unit = -1
  while (value >= base && unit < 7) {
    value /= base
    unit++
  }
  const rounded = value < 10 ? Math.ceil(value * 10) / 10 : Math.ceil(value)
  const letters = base === 1000 ? 'kMGTPEZY' : 'KMGTPEZY'
  if (rounded >= base) return `1.0${letters[unit + 1]}`
  return `${rounded < 10 ? rounded.toFixed(1) : Math.ceil(rounded)}${letters[unit]}`
}

export const USER = (uid: number) => (uid === 0 ? 'root' : String(uid))
export const GROUP = (gid: number) => ({ 0: 'root', 5: 'tty', 6: 'disk' })[gid] ?? String(gid)

class Lister {
  readonly io: Io
  readonly options: Options
  readonly #long: boolean
  readonly #tty: boolean
  readonly #nowS: number

  constructor(io: Io, options: Options) {
    this.io = io
    this.options = options
    this.#long = ['l', 'n', 'g', 'o', 'full-time'].some((option) => options.has(option))
    this.#tty = io.sys.isatty(1)
    const now = io.sys.realtime()
    this.#nowS = now.s + now.ns / 1e9
  }

  sorted(entries: Entry[]): Entry[] {
    const { options } = this
    const last = options.last('S', 't', 'U', 'v', 'X', 'sort', 'f')
    const word = last === 'sort' ? options.get('sort') : last
    const by = (compare: (a: Entry, b: Entry) => number) =>
      entries.sort((a, b) => compare(a, b) || byBytes(a.name, b.name))
    if (word === 'S' || word === 'size') by((a, b) => b.stat.size - a.stat.size)
    else if (word === 't' || word === 'time') by((a, b) => b.stat.mtimeNs - a.stat.mtimeNs)
    else if (word === 'v' || word === 'version') by((a, b) => compareVersions(a.name, b.name))
    else if (word === 'X' || word === 'extension')
      by((a, b) => byBytes(/\.[^.]*$/.exec(a.name)?.[0] ?? '', /\.[^.]*$/.exec(b.name)?.[0] ?? ''))
    else if (word !== 'U' && word !== 'none' && word !== 'f') by(() => 0)
    if (options.has('r')) entries.reverse()
    return entries
  }

  label(entry: Entry, name = entry.name): string {
    let text = name
    if (this.options.has('Q')) text = `"${name.replace(/["\\]/g, '\\$&')}"`
    else if (this.#tty && !this.options.has('N') && /[^\w@%+=:,./\-\u0080-\uffff]/.test(name)) {
      text = name.includes("'") ? (/["$`\\!]/.test(name) ? quoteForShell(name) : `"${name}"`) : `'${name}'`
    }
    const { type, mode } = entry.stat
    if (this.options.has('F')) {
      const sign = {
        directory: '/',
        symlink: this.#long ? '' : '@',
        fifo: '|',
        socket: '=',
        file: mode & 0o111 ? '*' : '',
        char: '',
        block: '',
      }[type]
      text += sign
    } else if (this.options.has('p') && type === 'directory') text += '/'
    return text
  }

  #time(stat: Stat): string {
    const style = this.options.has('full-time') ? 'full-iso' : (this.options.get('time-style') ?? 'locale')
    const { s: whole, ns } = fileTime(this.io.sys, stat.mtimeNs)
    const seconds = whole + ns / 1e9
    if (style.startsWith('+')) return formatTime(style.slice(1), whole, ns)
    if (style === 'full-iso') return formatTime('%Y-%m-%d %H:%M:%S.%N %z', whole, ns)
    if (style === 'long-iso') return formatTime('%Y-%m-%d %H:%M', whole)
    // Half a year back at most is recent.
    const recent = seconds <= this.#nowS && this.#nowS - seconds < 31_556_952 / 2
    if (style === 'iso') return formatTime(recent ? '%m-%d %H:%M' : '%Y-%m-%d ', whole)
    return formatTime(recent ? '%b %e %H:%M' : '%b %e  %Y', whole)
  }

  #size(stat: Stat): string {
    if (stat.rdev) return `${String(stat.rdev[0]).padStart(3)}, ${String(stat.rdev[1]).padStart(3)}`
    return this.options.has('h') ? humanSize(stat.size) : String(stat.size)
  }

  #blocks(stat: Stat): number {
    return stat.type === 'file' ? Math.ceil(stat.size / 4096) * 4 : stat.type === 'directory' ? 4 : 0
  }

  *show(entries: Entry[], total: boolean): Body<void> {
    const { options, io } = this
    const inode = (entry: Entry) => (options.has('i') ? String(entry.stat.inode) : '')
    const inodeWidth = Math.max(0, ...entries.map((entry) => inode(entry).length))
    const blocks = (entry: Entry) =>
      options.has('s')
        ? options.has('h')
          ? humanSize(this.#blocks(entry.stat) * 1024)
          : String(this.#blocks(entry.stat))
        : ''
    const blockWidth = Math.max(0, ...entries.map((entry) => blocks(entry).length))
    const front = (entry: Entry, padded: boolean) => {
      let text = ''
      if (options.has('i')) text += `${padded ? inode(entry).padStart(inodeWidth) : inode(entry)} `
      if (options.has('s')) text += `${padded ? blocks(entry).padStart(blockWidth) : blocks(entry)} `
      return text
    }
    if (total && (this.#long || options.has('s'))) {
      const sum = entries.reduce((all, entry) => all + this.#blocks(entry.stat), 0)
      yield* io.out(`total ${options.has('h') ? humanSize(sum * 1024) : sum}\n`)
    }
    if (this.#long) {
      const numeric = options.has('n')
      const rows = entries.map((entry) => ({
        entry,
        links: String(entry.stat.links),
        user: numeric ? String(entry.stat.uid) : USER(entry.stat.uid),
        group: numeric ? String(entry.stat.gid) : GROUP(entry.stat.gid),
        size: this.#size(entry.stat),
      }))
      const width = (pick: (row: (typeof rows)[0]) => string) => Math.max(0, ...rows.map((row) => pick(row).length))
      const [links, user, group, size] = [
        width((r) => r.links),
        width((r) => r.user),
        width((r) => r.group),
        width((r) => r.size),
      ]
      for (const row of rows) {
        const parts = [modeText(row.entry.stat), row.links.padStart(links)]
        if (!options.has('g')) parts.push(row.user.padEnd(user))
        if (!options.has('o') && !options.has('G')) parts.push(row.group.padEnd(group))
        parts.push(row.size.padStart(size), this.#time(row.entry.stat))
        const arrow = row.entry.target === undefined ? '' : ` -> ${row.entry.target}`
        yield* io.out(`${front(row.entry, true)}${parts.join(' ')} ${this.label(row.entry)}${arrow}\n`)
      }
      return
    }
    const names = entries.map((entry) => front(entry, true) + this.label(entry))
    const layout = options.last('1', 'C', 'x', 'm')
    if (layout === 'm') {
      yield* io.out(names.length > 0 ? `${names.join(', ')}\n` : '')
      return
    }
    if (layout === '1' || (layout === undefined && !this.#tty)) {
      for (const name of names) yield* io.out(`${name}\n`)
      return
    }
    yield* io.out(
      inColumns(names, io.sys.terminalSize(1)?.columns ?? Number(io.sys.env.get('COLUMNS') ?? 80), layout === 'x'),
    )
  }
}

/** As many columns as fit, each as wide as it needs to be, two blanks between. @see GNU coreutils src/ls.c: calculate_columns() */
export function inColumns(names: readonly string[], width: number, across: boolean): string {
  if (names.length === 0) return ''
  for (let columns = Math.min(names.length, Math.max(1, Math.floor(width / 3))); columns >= 1; columns--) {
    const rows = Math.ceil(names.length / columns)
    const widths = new Array<number>(columns).fill(0)
    names.forEach((name, i) => {
      const column = across ? i % columns : Math.floor(i / rows)
      const last = column === columns - 1
      widths[column] = Math.max(widths[column]!, [...name].length + (last ? 0 : 2))
    })
    if (columns > 1 && widths.reduce((sum, one) => sum + one, 0) >= width) continue
    let text = ''
    for (let row = 0; row < rows; row++) {
      let line = ''
      let at = 0
      for (let column = 0; column < columns; column++) {
        const name = names[across ? row * columns + column : column * rows + row]
        if (name === undefined) break
        const start = widths.slice(0, column).reduce((sum, one) => sum + one, 0)
        // ls fills with TABs where they save something.
        line += indent(at, start) + name
        at = start + [...name].length
      }
      text += `${line}\n`
    }
    return text
  }
  return `${names.join('\n')}\n`
}

function indent(from: number, to: number): string {
  let text = ''
  let at = from
  while (at < to) {
    if (Math.floor(to / 8) > Math.floor((at + 1) / 8)) {
      text += '\t'
      at = (Math.floor(at / 8) + 1) * 8
    } else {
      text += ' '
      at++
    }
  }
  return text
}

function define(name: string) {
  return defineTool({
    name,
    usageStatus: 2,
    help: HELP,
    short: 'aAbBcCdDfFgGhHiIklLmnNopqQrRsStT:uUvw:xXZ1',
    long: [
      { name: 'all', as: 'a' },
      { name: 'almost-all', as: 'A' },
      { name: 'directory', as: 'd' },
      { name: 'classify', as: 'F', argument: 'optional' },
      { name: 'human-readable', as: 'h' },
      { name: 'inode', as: 'i' },
      { name: 'numeric-uid-gid', as: 'n' },
      { name: 'quote-name', as: 'Q' },
      { name: 'reverse', as: 'r' },
      { name: 'recursive', as: 'R' },
      { name: 'size', as: 's' },
      { name: 'sort', argument: 'required' },
      { name: 'time-style', argument: 'required' },
      { name: 'full-time' },
      { name: 'color', argument: 'optional' },
      { name: 'no-group', as: 'G' },
      { name: 'dereference', as: 'L' },
      { name: 'literal', as: 'N' },
      { name: 'group-directories-first' },
    ],
    *run(io, options, operands) {
      const lister = new Lister(io, options)
      const long = ['l', 'n', 'g', 'o', 'full-time'].some((option) => options.has(option))
      const files: Entry[] = []
      const directories: Entry[] = []
      const look = (path: string, name: string, follow: boolean): Entry | undefined => {
        const stat = follow ? io.sys.stat(path) : io.sys.lstat(path)
        if (!stat.ok) return undefined
        const link = stat.value.type === 'symlink' ? io.sys.readlink(path) : undefined
        return { name, path, stat: stat.value, ...(link?.ok ? { target: link.value } : {}) }
      }
      for (const operand of operands.length > 0 ? operands : ['.']) {
        const follow = options.has('L') || (!options.has('d') && !long && !options.has('F'))
        const entry = look(operand, operand, follow) ?? look(operand, operand, false)
        if (!entry) {
          const stat = io.sys.lstat(operand)
          yield* io.fail(`cannot access '${operand}': ${strerror(stat.ok ? 'ENOENT' : stat.errno)}`, 2)
          continue
        }
        const target = entry.stat.type === 'symlink' && !long && !options.has('d') ? io.sys.stat(operand) : undefined
        if ((entry.stat.type === 'directory' || (target?.ok && target.value.type === 'directory')) && !options.has('d'))
          directories.push(entry)
        else files.push(entry)
      }
      if (files.length > 0) yield* lister.show(lister.sorted(files), false)
      const titles = operands.length > 1 || options.has('R')
      let first = files.length === 0
      const list = function* (entry: Entry): Body<void> {
        const names = io.sys.readdir(entry.path)
        if (!names.ok) {
          yield* io.fail(
            `cannot open directory '${entry.path}': ${strerror(names.errno)}`,
            entry.path.includes('/') ? 1 : 2,
          )
          return
        }
        if (titles) yield* io.out(`${first ? '' : '\n'}${entry.path}:\n`)
        first = false
        const all = options.has('a') || options.has('f')
        const wanted = names.value.filter(
          (name) => name !== '.' && name !== '..' && (all || options.has('A') || !name.startsWith('.')),
        )
        if (all) wanted.push('.', '..')
        const entries: Entry[] = []
        for (const name of wanted) {
          const one = look(join(entry.path, name), name, options.has('L'))
          if (one) entries.push(one)
        }
        lister.sorted(entries)
        if (options.has('group-directories-first'))
          entries.sort((a, b) => Number(b.stat.type === 'directory') - Number(a.stat.type === 'directory'))
        yield* lister.show(entries, true)
        if (options.has('R'))
          for (const one of entries)
            if (one.stat.type === 'directory' && one.name !== '.' && one.name !== '..') yield* list(one)
      }
      for (const directory of lister.sorted(directories)) yield* list(directory)
      return 0
    },
  })
}

export const ls = define('ls')
/** dir is ls -C -b, about. */
export const dir = define('dir')

/** ps of procps-ng 4.0.2: the usual selections and formats. */
import { type Body, readTextFile, type Sys, writeText } from '#kernel/core'
import { brokenDown } from '#user/shell'
import { type ProcessInfo, readProcesses, ttyName, USER_HZ } from './processes.ts'

export const PS_HELP = `
Usage:
 ps [options]

Basic options:
 -A, -e               all processes
 -a                   all with tty, except session leaders
  a                   all with tty, including other users
 -d                   all except session leaders
 -N, --deselect       negate selection
  r                   only running processes
  T                   all processes on this terminal
  x                   processes without controlling ttys

Selection by list:
 -C <command>         command name
 -p, p, --pid <PID>   process id
     --ppid <PID>     parent process id
 -t, t, --tty <tty>   terminal

Output formats:
 -f                   full-format
 -l, l                long format
  u                   user-oriented format
 -o, o, --format <format>
                      user-defined format
     --no-headers     do not print header at all

For more details see ps(1).
`

interface Context {
  /** CLOCK_REALTIME now and at boot, seconds since the epoch. */
  nowS: number
  bootS: number
  uptimeS: number
  memoryKb: number
}

interface Column {
  header: string
  width: number
  right: boolean
  value(process: ProcessInfo, context: Context): string
}

const column = (header: string, width: number, right: boolean, value: Column['value']): Column => ({
  header,
  width,
  right,
  value,
})

/** 00:00:00, with days in front where there are any. */
function cpuTime({ utime, stime }: ProcessInfo): string {
  const total = Math.floor((utime + stime) / USER_HZ)
  const days = Math.floor(total / 86_400)
  const clock = [Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60].map(two).join(':')
  return days > 0 ? `${days}-${clock}` : clock
}

/** M:SS, as `ps u` has it. */
function bsdTime({ utime, stime }: ProcessInfo): string {
  const total = Math.floor((utime + stime) / USER_HZ)
  return `${Math.floor(total / 60)}:${two(total % 60)}`
}

function elapsed(process: ProcessInfo, { uptimeS }: Context): string {
  const total = Math.max(0, Math.floor(uptimeS - process.startTime / USER_HZ))
  const days = Math.floor(total / 86_400)
  const hours = Math.floor(total / 3600) % 24
  const rest = `${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`
  return days > 0 ? `${days}-${two(hours)}:${rest}` : hours > 0 ? `${two(hours)}:${rest}` : rest
}

const two = (n: number) => String(n).padStart(2, '0')

/** HH:MM on the day, MonDD before it. UTC, as the hosts are. */
function startedAt(process: ProcessInfo, { bootS, nowS }: Context): string {
  const s = bootS + process.startTime / USER_HZ
  if (Math.floor(s / 86_400) === Math.floor(nowS / 86_400)) {
    return `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}`
  }
  const { month, day } = brokenDown(s)
  return `${'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(month * 3, month * 3 + 3)}${two(day)}`
}

function cpuShare(process: ProcessInfo, { uptimeS }: Context): number {
  const lived = uptimeS - process.startTime / USER_HZ
  return lived > 0 ? ((process.utime + process.stime) / USER_HZ / lived) * 100 : 0
}

/** The state with its flags: s session leader, + foreground, l threads, < and N for the nice value. */
function stat(process: ProcessInfo): string {
  const nice = process.nice < 0 ? '<' : process.nice > 0 ? 'N' : ''
  return (
    process.state +
    nice +
    (process.session === process.pid ? 's' : '') +
    (process.threads > 1 ? 'l' : '') +
    (process.tpgid === process.pgrp && process.tpgid > 0 ? '+' : '')
  )
}

const name = (process: ProcessInfo) => (process.state === 'Z' ? `${process.comm} <defunct>` : process.comm)
const args = (process: ProcessInfo) =>
  process.state === 'Z' ? `[${process.comm}] <defunct>` : process.cmdline || `[${process.comm}]`
const share = (part: number) => part.toFixed(1)

const COLUMNS: Record<string, Column> = {
  pid: column('PID', 7, true, (p) => String(p.pid)),
  ppid: column('PPID', 7, true, (p) => String(p.ppid)),
  pgid: column('PGID', 7, true, (p) => String(p.pgrp)),
  sid: column('SID', 7, true, (p) => String(p.session)),
  tty: column('TT', 8, false, (p) => ttyName(p.tty)),
  tname: column('TTY', 8, false, (p) => ttyName(p.tty)),
  time: column('TIME', 8, true, cpuTime),
  etime: column('ELAPSED', 11, true, elapsed),
  etimes: column('ELAPSED', 7, true, (p, c) => String(Math.max(0, Math.floor(c.uptimeS - p.startTime / USER_HZ)))),
  comm: column('COMMAND', 15, false, name),
  ucmd: column('CMD', 15, false, name),
  args: column('COMMAND', 27, false, args),
  cmd: column('CMD', 27, false, args),
  user: column('USER', 8, false, () => 'root'),
  uid: column('UID', 5, true, () => '0'),
  stat: column('STAT', 4, false, stat),
  s: column('S', 1, false, (p) => p.state),
  state: column('S', 1, false, (p) => p.state),
  ni: column('NI', 3, true, (p) => String(p.nice)),
  pri: column('PRI', 3, true, (p) => String(19 - p.nice)),
  rss: column('RSS', 5, true, (p) => String(p.rss * 4)),
  vsz: column('VSZ', 6, true, (p) => String(Math.floor(p.vsize / 1024))),
  pcpu: column('%CPU', 4, true, (p, c) => share(cpuShare(p, c))),
  pmem: column('%MEM', 4, true, (p, c) => share(((p.rss * 4) / c.memoryKb) * 100)),
  start: column('START', 8, true, startedAt),
  stime: column('STIME', 5, true, startedAt),
  bsdstart: column('START', 5, true, startedAt),
  bsdtime: column('TIME', 6, true, bsdTime),
  nlwp: column('NLWP', 4, true, (p) => String(p.threads)),
  c: column('C', 2, true, (p, context) => String(Math.min(99, Math.floor(cpuShare(p, context))))),
  fuid: column('UID', 8, false, () => 'root'),
}
const ALIASES: Record<string, string> = {
  command: 'args',
  '%cpu': 'pcpu',
  '%mem': 'pmem',
  pgrp: 'pgid',
  sess: 'sid',
  tt: 'tty',
  ucomm: 'comm',
  nice: 'ni',
  rssize: 'rss',
  vsize: 'vsz',
}

const FORMATS: Record<string, string[]> = {
  plain: ['pid', 'tname', 'time', 'ucmd'],
  full: ['fuid', 'pid', 'ppid', 'c', 'stime', 'tname', 'time', 'cmd'],
  user: ['user', 'pid', 'pcpu', 'pmem', 'vsz', 'rss', 'tname', 'stat', 'bsdstart', 'bsdtime', 'args'],
  bsd: ['pid', 'tname', 'stat', 'bsdtime', 'args'],
}

interface Choice {
  format: string[]
  headers: Map<number, string>
  chosen: (process: ProcessInfo, own: ProcessInfo | undefined) => boolean
  noHeaders: boolean
}

export function* ps(sys: Sys, argv: string[]): Body<number> {
  const parsed = parse(argv.slice(1))
  if (typeof parsed === 'string') {
    if (parsed === '') {
      yield* writeText(sys, 1, PS_HELP)
      return 0
    }
    yield* writeText(
      sys,
      2,
      `error: ${parsed}\n\nUsage:\n ps [options]\n\n Try 'ps --help <simple|list|output|threads|misc|all>'\n  or 'ps --help <s|l|o|t|m|a>'\n for additional help text.\n\nFor more details see ps(1).\n`,
    )
    return 1
  }
  const processes = yield* readProcesses(sys)
  const meminfo = yield* readTextFile(sys, '/proc/meminfo')
  const now = sys.realtime()
  const uptimeS = sys.monotonicNs() / 1e9
  const context: Context = {
    nowS: now.s + now.ns / 1e9,
    bootS: now.s + now.ns / 1e9 - uptimeS,
    uptimeS,
    memoryKb: Number((meminfo.ok && /MemTotal:\s+(\d+)/.exec(meminfo.value)?.[1]) || 1),
  }
  const own = processes.find((process) => process.pid === sys.pid)
  const rows = processes.filter((process) => parsed.chosen(process, own))
  const columns = parsed.format.map((each, i) => {
    const found = COLUMNS[each]!
    return { ...found, header: parsed.headers.get(i) ?? found.header }
  })
  const limit = sys.terminalSize(1)?.columns
  const line = (cells: string[]): string => {
    let text = ''
    cells.forEach((cell, i) => {
      const { width, right, header } = columns[i]!
      const room = Math.max(width, header.length)
      if (i > 0) text += ' '
      // What ran over its column takes from the blanks of the next.
      text += right ? cell.padStart(room) : i === columns.length - 1 ? cell : cell.padEnd(room)
    })
    return limit === undefined ? text : text.slice(0, limit)
  }
  const lines = rows.map((process) => line(columns.map((each) => each.value(process, context))))
  const headers = columns.map((each) => each.header)
  if (!parsed.noHeaders && headers.some((header) => header !== '')) lines.unshift(line(headers).trimEnd())
  yield* writeText(sys, 1, lines.map((text) => `${text}\n`).join(''))
  return rows.length > 0 ? 0 : 1
}

/** The choice; a text for a mistake; '' for --help. */
function parse(words: string[]): Choice | string {
  let format: string[] | undefined
  const headers = new Map<number, string>()
  let noHeaders = false
  let negate = false
  let bsd = false
  const tests: ((process: ProcessInfo, own: ProcessInfo | undefined) => boolean)[] = []
  let withTty = false
  let withoutTty = false
  let running = false
  const takeFormat = (text: string): string | undefined => {
    format ??= []
    for (const piece of text.split(/[,\s]+/).filter(Boolean)) {
      const equals = piece.indexOf('=')
      const key = (equals < 0 ? piece : piece.slice(0, equals)).toLowerCase()
      const known = ALIASES[key] ?? key
      if (!(known in COLUMNS)) return `unknown user-defined format specifier "${piece}"`
      if (equals >= 0) headers.set(format.length, piece.slice(equals + 1))
      else if (key === 'command' || key === 'args') headers.set(format.length, 'COMMAND')
      format.push(known)
    }
    return undefined
  }
  const numbers = (text: string) =>
    new Set(
      text
        .split(/[,\s]+/)
        .filter(Boolean)
        .map(Number),
    )
  const queue = [...words]
  while (queue.length > 0) {
    const word = queue.shift()!
    const [long, inline] = word.startsWith('--')
      ? (word.slice(2).split('=', 2) as [string, string | undefined])
      : ['', undefined]
    const value = () => inline ?? queue.shift() ?? ''
    if (word.startsWith('--')) {
      if (long === 'help') return ''
      if (long === 'no-headers' || long === 'no-heading') noHeaders = true
      else if (long === 'deselect') negate = true
      else if (long === 'format') {
        const wrong = takeFormat(value())
        if (wrong) return wrong
      } else if (long === 'pid') {
        const set = numbers(value())
        tests.push(({ pid }) => set.has(pid))
      } else if (long === 'ppid') {
        const set = numbers(value())
        tests.push(({ ppid }) => set.has(ppid))
      } else if (long === 'tty') {
        const tty = value().replace('/dev/', '')
        tests.push((process) => ttyName(process.tty) === tty)
      } else return 'unknown gnu long option'
      continue
    }
    if (/^\d+(,\d+)*$/.test(word)) {
      const set = numbers(word)
      tests.push(({ pid }) => set.has(pid))
      continue
    }
    const dash = word.startsWith('-')
    const letters = dash ? word.slice(1) : word
    for (let i = 0; i < letters.length; i++) {
      const letter = letters[i]!
      const argument = () => {
        const rest = letters.slice(i + 1)
        i = letters.length
        return rest !== '' ? rest : (queue.shift() ?? '')
      }
      if (letter === 'o' || letter === 'O') {
        const wrong = takeFormat(argument())
        if (wrong) return wrong
      } else if (letter === 'p') {
        const set = numbers(argument())
        tests.push(({ pid }) => set.has(pid))
      } else if (letter === 't') {
        const tty = argument().replace('/dev/', '')
        tests.push((process) => ttyName(process.tty) === tty)
      } else if (dash && letter === 'C') {
        const set = new Set(argument().split(','))
        tests.push(({ comm }) => set.has(comm))
      } else if (dash && (letter === 'e' || letter === 'A')) tests.push(() => true)
      else if (dash && letter === 'a') tests.push(({ tty, session, pid }) => tty !== 0 && session !== pid)
      else if (dash && letter === 'd') tests.push(({ session, pid }) => session !== pid)
      else if (dash && letter === 'N') negate = true
      else if (dash && letter === 'f') format ??= FORMATS['full']
      else if (!dash && letter === 'a') withTty = bsd = true
      else if (!dash && letter === 'x') withoutTty = bsd = true
      else if (!dash && letter === 'u') {
        format ??= FORMATS['user']
        bsd = true
      } else if (!dash && letter === 'r') running = true
      else if (letter === 'w' || letter === 'h') noHeaders ||= letter === 'h'
      else return dash ? 'unsupported SysV option' : 'unsupported option (BSD syntax)'
    }
  }
  const sameTty = (process: ProcessInfo, own: ProcessInfo | undefined) => process.tty === own?.tty
  let chosen = (process: ProcessInfo, own: ProcessInfo | undefined): boolean =>
    tests.length > 0
      ? tests.some((test) => test(process, own))
      : withTty || withoutTty
        ? (withTty && withoutTty) || (withTty ? process.tty !== 0 : sameTty(process, own) || process.tty === 0)
        : sameTty(process, own)
  if (running) {
    const before = chosen
    chosen = (process, own) => before(process, own) && process.state === 'R'
  }
  if (negate) {
    const before = chosen
    chosen = (process, own) => !before(process, own)
  }
  return { format: format ?? (bsd ? FORMATS['bsd']! : FORMATS['plain']!), headers, chosen, noHeaders }
}

/** pgrep, pkill (procps-ng 4.0.2), killall (psmisc 23.6) and /bin/kill: choosing processes, and signalling them. */
import { getopt, type ParsedOption } from '#base/text'
import { type Body, SIGNALS, type Signal, type Sys, strerror, writeText } from '#kernel/core'
import { type ProcessInfo, readProcesses, ttyName, USER_HZ } from './processes.ts'

/** 'TERM', 'SIGTERM', '15' or '0'; undefined for what is no signal. */
export function parseSignal(text: string): Signal | 0 | undefined {
  if (/^\d+$/.test(text)) {
    if (Number(text) === 0) return 0
    return (Object.keys(SIGNALS) as Signal[]).find((name) => SIGNALS[name] === Number(text))
  }
  const upper = text.toUpperCase().replace(/^(SIG)?POLL$/, 'SIGIO') // One signal, two names.
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  return name in SIGNALS ? (name as Signal) : undefined
}

/** What regcomp(3) of glibc says of a pattern that isn't one. */
function regexMistake(pattern: string): string {
  const plain = pattern.replace(/\\./g, '')
  if (/\[[^\]]*$/.test(plain)) return 'Unmatched [, [^, [:, [., or [='
  if (plain.split('(').length > plain.split(')').length) return 'Unmatched ( or \\('
  return pattern.endsWith('\\') ? 'Trailing backslash' : 'Invalid preceding regular expression'
}

/** The names of the signals in rows of 80 columns, as `kill -l` prints them. */
function signalList(): string {
  const names = numbered().map(([name]) => name)
  const rows = ['']
  for (const name of names) {
    const row = rows.at(-1)!
    if (row !== '' && row.length + 1 + name.length > 76) rows.push(name)
    else rows[rows.length - 1] = row === '' ? name : `${row} ${name}`
  }
  return rows.map((row) => `${row}\n`).join('')
}

/** `kill -L`: seven a row, with their numbers. */
function signalTable(): string {
  const cells = numbered().map(([name, number]) => `${String(number).padStart(2)} ${name.padEnd(8)}`)
  let text = ''
  for (let i = 0; i < cells.length; i += 7) {
    const row = cells.slice(i, i + 7).join('')
    text += `${i + 7 < cells.length ? row.trimEnd() : row}\n`
  }
  return text
}

function numbered(): [string, number][] {
  return (Object.keys(SIGNALS) as Signal[])
    .map((name): [string, number] => [name === 'SIGIO' ? 'POLL' : name.slice(3), SIGNALS[name]])
    .filter(([, number]) => number <= 31)
    .sort(([, a], [, b]) => a - b)
}

const COMMON = [
  { name: 'count', as: 'c' },
  { name: 'full', as: 'f' },
  { name: 'ignore-case', as: 'i' },
  { name: 'newest', as: 'n' },
  { name: 'oldest', as: 'o' },
  { name: 'exact', as: 'x' },
  { name: 'inverse', as: 'v' },
  { name: 'ignore-ancestors', as: 'A' },
  { name: 'parent', as: 'P', argument: 'required' as const },
  { name: 'pgroup', as: 'g', argument: 'required' as const },
  { name: 'session', as: 's', argument: 'required' as const },
  { name: 'terminal', as: 't', argument: 'required' as const },
  { name: 'older', as: 'O', argument: 'required' as const },
  { name: 'runstates', as: 'r', argument: 'required' as const },
  { name: 'euid', as: 'u', argument: 'required' as const },
  { name: 'uid', as: 'U', argument: 'required' as const },
  { name: 'help', as: 'h' },
  { name: 'version', as: 'V' },
]

const SELECTION = `  -c, --count               count of matching processes
  -f, --full                use full process name to match
  -g, --pgroup <PGID,...>   match listed process group IDs
  -i, --ignore-case         match case insensitively
  -n, --newest              select most recently started
  -o, --oldest              select least recently started
  -O, --older <seconds>     select where older than seconds
  -P, --parent <PPID,...>   match only child processes of the given parent
  -s, --session <SID,...>   match session IDs
  -t, --terminal <tty,...>  match by controlling terminal
  -u, --euid <ID,...>       match by effective IDs
  -U, --uid <ID,...>        match by real IDs
  -x, --exact               match exactly with the command name
  -r, --runstates <state>   match runstates [D,S,Z,...]
  -A, --ignore-ancestors    exclude our ancestors from results
`

export const PGREP_HELP = `
Usage:
 pgrep [options] <pattern>

Options:
  -d, --delimiter <string>  specify output delimiter
  -l, --list-name           list PID and process name
  -a, --list-full           list PID and full command line
  -v, --inverse             negates the matching
${SELECTION}
 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see pgrep(1).
`

export const PKILL_HELP = `
Usage:
 pkill [options] <pattern>

Options:
  -<sig>, --signal <sig>    signal to send (either number or name)
  -e, --echo                display what is killed
${SELECTION}
 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see pgrep(1).
`

export function pgrep(sys: Sys, argv: string[]): Body<number> {
  return grepProcesses(sys, argv, false)
}

export function pkill(sys: Sys, argv: string[]): Body<number> {
  return grepProcesses(sys, argv, true)
}

function* grepProcesses(sys: Sys, argv: string[], kills: boolean): Body<number> {
  const name = argv[0] ?? (kills ? 'pkill' : 'pgrep')
  const complain = function* (text: string): Body<number> {
    yield* writeText(sys, 2, `${name}: ${text}\nTry \`${name} --help' for more information.\n`)
    return 2
  }
  let signal: Signal | 0 = 'SIGTERM'
  const words = [...argv]
  if (kills) {
    // `pkill -9 x`, `pkill -HUP x`: a signal among the options.
    const at = words.findIndex(
      (word, i) => i > 0 && /^-(\d+|[A-Z][A-Z0-9]+)$/.test(word) && parseSignal(word.slice(1)) !== undefined,
    )
    if (at > 0) signal = parseSignal(words.splice(at, 1)[0]!.slice(1)) ?? signal
  }
  const long = kills
    ? [...COMMON, { name: 'signal', argument: 'required' as const }, { name: 'echo', as: 'e' }]
    : [
        ...COMMON,
        { name: 'delimiter', as: 'd', argument: 'required' as const },
        { name: 'list-name', as: 'l' },
        { name: 'list-full', as: 'a' },
      ]
  const { options, operands } = getopt(
    words,
    kills ? 'ecfinoxAP:g:s:t:O:r:u:U:hV' : 'd:lacfinovxAP:g:s:t:O:r:u:U:hV',
    long,
  )
  for (const { option, value, message } of options) {
    if (message !== undefined) {
      yield* writeText(sys, 2, `${message}\n${kills ? PKILL_HELP : PGREP_HELP}`)
      return 2
    }
    if (option === 'h') {
      yield* writeText(sys, 1, kills ? PKILL_HELP : PGREP_HELP)
      return 0
    }
    if (option === 'V') {
      yield* writeText(sys, 1, `${name} from procps-ng 4.0.2\n`)
      return 0
    }
    if (option === 'signal') {
      const parsed = parseSignal(value ?? '')
      if (parsed === undefined) return yield* complain(`Unknown signal "${value}".`)
      signal = parsed
    }
  }
  const has = (letter: string) => options.some(({ option }) => option === letter)
  const criteria = options.some(({ option }) => 'PgstOruU'.includes(option))
  if (operands.length === 0 && !criteria) return yield* complain('no matching criteria specified')
  if (operands.length > 1) return yield* complain('only one pattern can be provided')
  let pattern: RegExp | undefined
  if (operands[0] !== undefined) {
    try {
      pattern = new RegExp(has('x') ? `^(?:${operands[0]})$` : operands[0], has('i') ? 'i' : '')
    } catch {
      yield* writeText(sys, 2, `${name}: regex error: ${regexMistake(operands[0])}\n`)
      return 2
    }
  }
  const all = yield* readProcesses(sys)
  const uptimeTicks = (sys.monotonicNs() / 1e9) * USER_HZ
  const ancestors = ancestorsOf(sys.pid, all)
  let found = all.filter((process) => {
    if (process.pid === sys.pid || (has('A') && ancestors.has(process.pid))) return false
    const text = has('f') && process.cmdline !== '' ? process.cmdline : process.comm
    const fits = (pattern?.test(text) ?? true) && options.every((option) => selects(option, process, uptimeTicks, sys))
    return fits !== has('v')
  })
  const byStart = (a: ProcessInfo, b: ProcessInfo) => a.startTime - b.startTime || a.pid - b.pid
  if (has('n')) found = found.sort(byStart).slice(-1)
  if (has('o')) found = found.sort(byStart).slice(0, 1)
  let signalled = 0
  if (kills) {
    for (const process of found) {
      const sent = sys.kill(process.pid, signal)
      if (!sent.ok) {
        if (sent.errno === 'ESRCH') continue
        yield* writeText(sys, 2, `${name}: killing pid ${process.pid} failed: ${strerror(sent.errno)}\n`)
        continue
      }
      signalled++
      if (has('e')) yield* writeText(sys, 1, `${process.comm} killed (pid ${process.pid})\n`)
    }
    if (has('c')) yield* writeText(sys, 1, `${found.length}\n`)
    return signalled > 0 ? 0 : 1
  }
  if (has('c')) yield* writeText(sys, 1, `${found.length}\n`)
  else if (found.length > 0) {
    const lines = found.map((process) =>
      has('a')
        ? `${process.pid} ${process.cmdline || process.comm}`
        : has('l')
          ? `${process.pid} ${process.comm}`
          : `${process.pid}`,
    )
    const delimiter = options.find(({ option }) => option === 'd')?.value ?? '\n'
    yield* writeText(sys, 1, `${lines.join(delimiter)}\n`)
  }
  return found.length > 0 ? 0 : 1
}

function selects({ option, value = '' }: ParsedOption, process: ProcessInfo, uptimeTicks: number, sys: Sys): boolean {
  const list = value.split(',')
  switch (option) {
    case 'P':
      return list.includes(String(process.ppid))
    case 'g':
      return list.map((one) => (one === '0' ? sys.getpgid() : Number(one))).includes(process.pgrp)
    case 's':
      return list.includes(String(process.session))
    case 't':
      return list.includes(ttyName(process.tty))
    case 'O':
      return (uptimeTicks - process.startTime) / USER_HZ > Number(value)
    case 'r':
      return value.includes(process.state)
    case 'u':
    case 'U':
      return list.includes('0') || list.includes('root')
    default:
      return true
  }
}

function ancestorsOf(pid: number, all: ProcessInfo[]): Set<number> {
  const parents = new Map(all.map((process) => [process.pid, process.ppid]))
  const ancestors = new Set<number>()
  for (let at = parents.get(pid); at !== undefined && at > 0 && !ancestors.has(at); at = parents.get(at))
    ancestors.add(at)
  return ancestors
}

export const KILLALL_HELP = `Usage: killall [OPTION]... [--] NAME...
       killall -l, --list
       killall -V, --version

  -e,--exact          require exact match for very long names
  -I,--ignore-case    case insensitive process name match
  -g,--process-group  kill process group instead of process
  -l,--list           list all known signal names
  -q,--quiet          don't print complaints
  -r,--regexp         interpret NAME as an extended regular expression
  -s,--signal SIGNAL  send this signal instead of SIGTERM
  -v,--verbose        report if the signal was successfully sent
  -V,--version        display version information
  -w,--wait           wait for processes to die

`

export function* killall(sys: Sys, argv: string[]): Body<number> {
  let signal: Signal | 0 = 'SIGTERM'
  const words = [...argv]
  const at = words.findIndex((word, i) => i > 0 && /^-(\d+|[A-Z][A-Z0-9]+)$/.test(word) && word.length > 2)
  if (at > 0) {
    const parsed = parseSignal(words[at]!.slice(1))
    if (parsed === undefined) {
      yield* writeText(sys, 2, `${words[at]!.slice(1)}: unknown signal; killall -l lists signals.\n`)
      return 1
    }
    signal = parsed
    words.splice(at, 1)
  }
  const long = [
    { name: 'exact', as: 'e' },
    { name: 'ignore-case', as: 'I' },
    { name: 'process-group', as: 'g' },
    { name: 'list', as: 'l' },
    { name: 'quiet', as: 'q' },
    { name: 'regexp', as: 'r' },
    { name: 'signal', as: 's', argument: 'required' as const },
    { name: 'verbose', as: 'v' },
    { name: 'version', as: 'V' },
    { name: 'wait', as: 'w' },
    { name: 'help', as: 'h' },
  ]
  const { options, operands } = getopt(words, 'eIglqrs:vVwh', long)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  if (has('l')) {
    yield* writeText(sys, 1, signalList())
    return 0
  }
  if (has('V')) {
    yield* writeText(sys, 2, 'killall (PSmisc) 23.6\n')
    return 0
  }
  const given = options.find(({ option }) => option === 's')?.value
  if (given !== undefined) {
    const parsed = parseSignal(given)
    if (parsed === undefined) {
      yield* writeText(sys, 2, `${given}: unknown signal; killall -l lists signals.\n`)
      return 1
    }
    signal = parsed
  }
  const mistake = options.find(({ message }) => message !== undefined)
  if (mistake || has('h') || operands.length === 0) {
    yield* writeText(sys, 2, `${mistake ? `${mistake.message}\n` : ''}${KILLALL_HELP}`)
    return 1
  }
  let missing = false
  const waiting: number[] = []
  for (const name of operands) {
    let pattern: RegExp | undefined
    try {
      if (has('r')) pattern = new RegExp(name, has('I') ? 'i' : '')
    } catch {
      yield* writeText(sys, 2, `killall: Bad regular expression: ${name}\n`)
      return 1
    }
    const equal = (a: string) => (has('I') ? a.toLowerCase() === name.toLowerCase() : a === name)
    const all = yield* readProcesses(sys)
    const found = all.filter(
      ({ pid, comm }) =>
        pid !== sys.pid &&
        (pattern ? pattern.test(comm) : equal(comm) || (comm.length === 15 && name.startsWith(comm))),
    )
    for (const process of found) {
      const sent = sys.kill(has('g') ? -process.pgrp : process.pid, signal)
      if (sent.ok) waiting.push(process.pid)
      if (sent.ok && has('v'))
        yield* writeText(
          sys,
          2,
          `Killed ${process.comm}(${process.pid}) with signal ${signal === 0 ? 0 : SIGNALS[signal]}\n`,
        )
    }
    if (found.length === 0) {
      missing = true
      if (!has('q')) yield* writeText(sys, 2, `${name}: no process found\n`)
    }
  }
  while (has('w') && waiting.some((pid) => sys.kill(pid, 0).ok)) yield* sys.sleep(1e9)
  return missing ? 1 : 0
}

const KILL_HELP =
  '\nUsage:\n kill [options] <pid> [...]\n\nOptions:\n <pid> [...]            send signal to every <pid> listed\n -<signal>, -s, --signal <signal>\n                        specify the <signal> to be sent\n -l, --list=[<signal>]  list all signal names, or convert one to a name\n -L, --table            list all signal names in a nice table\n\n -h, --help     display this help and exit\n -V, --version  output version information and exit\n\nFor more details see kill(1).\n'

export function* killCommand(sys: Sys, argv: string[]): Body<number> {
  let signal: Signal | 0 = 'SIGTERM'
  const words = argv.slice(1)
  const program = argv[0] ?? 'kill'
  if (words.length === 0) {
    yield* writeText(sys, 2, KILL_HELP)
    return 1
  }
  while (words[0]?.startsWith('-') && words[0] !== '--') {
    const word = words.shift()!
    if (word === '-L' || word === '--table') {
      yield* writeText(sys, 1, signalTable())
      return 0
    }
    if (word === '-l' || word.startsWith('--list')) {
      const asked = word.startsWith('--list=') ? word.slice(7) : words[0]
      if (asked === undefined) yield* writeText(sys, 1, signalList())
      else {
        const signal = parseSignal(asked)
        if (signal === undefined || signal === 0) {
          yield* writeText(sys, 2, `${program}: unknown signal name ${asked}\n`)
          return 0
        }
        yield* writeText(sys, 1, `${/^\d/.test(asked) ? signal.slice(3) : SIGNALS[signal]}\n`)
      }
      return 0
    }
    if (word === '-h' || word === '--help') {
      yield* writeText(sys, 1, KILL_HELP)
      return 0
    }
    const text = word === '-s' || word === '--signal' ? (words.shift() ?? '') : word.replace(/^-s?|^--signal=/, '')
    const parsed = parseSignal(text)
    if (parsed === undefined) {
      yield* writeText(sys, 2, `${program}: unknown signal name ${text}\n`)
      return 1
    }
    signal = parsed
  }
  if (words[0] === '--') words.shift()
  let status = 0
  for (const word of words) {
    const sent = /^-?\d+$/.test(word) ? sys.kill(Number(word), signal) : undefined
    if (sent?.ok) continue
    status = 1
    yield* writeText(
      sys,
      2,
      sent ? `${program}: (${word}): ${strerror(sent.errno)}\n` : `${program}: failed to parse argument: '${word}'\n`,
    )
  }
  return status
}

/** A shell's state: variables, functions, options, positional parameters, traps and jobs; and the forks that copy it. */
import type { CompoundCommand, CompoundList, ParsedScript, Redirected, Word } from 'unbash'
import { type Body, O_RDONLY, SIGNALS, type Signal, type Sys } from '#kernel/core'
import { ExpansionError } from './errors.ts'
import { calculate, expandQuotedText, expandSingle } from './expand.ts'
import { type Job, JobTable, statusOf } from './jobs.ts'
import { lineOf, type ParsedSource, parseSource, parseWord } from './syntax.ts'
import { decodeText, encodeText } from './text.ts'
import { toArray, Variables } from './variables.ts'

/** Where a shell's commands come from, which says how its messages begin. */
export type Mode = 'interactive' | 'command' | 'script' | 'stdin'

export interface ShellFunction {
  body: CompoundCommand | Redirected | CompoundList
  /** The text that its positions index, and the line at which that began. */
  source: string
  firstLine: number
  /** As it was written, from the name on. */
  text: string
}

export interface HistoryEntry {
  text: string
}

/** What forked children and the shell itself run trees with; given by execute.ts, which needs this module. */
export interface Interpreter {
  runSource(shell: Shell, source: string, options?: { name?: string }): Body<number>
  runScript(shell: Shell, script: ParsedScript, source: string): Body<number>
}

/** What a builtin costs, ns: a loop of builtins takes time. */
export const BUILTIN_NS = 20_000

export class Shell {
  sys: Sys
  readonly interpreter: Interpreter
  mode: Mode
  /** dash's wording for what `sh` says. */
  posix = false
  variables: Variables
  functions = new Map<string, ShellFunction>()
  aliases = new Map<string, string>()
  options = new Set<string>(['braceexpand', 'hashall', 'interactive-comments'])
  shopt = new Set<string>([
    'sourcepath',
    'cmdhist',
    'complete_fullquote',
    'force_fignore',
    'hostcomplete',
    'progcomp',
    'promptvars',
    'extquote',
    'checkwinsize',
    'globasciiranges',
    'globskipdots',
    'patsub_replacement',
  ])
  positional: string[] = []
  /** $0 */
  name: string
  status = 0
  pipeStatus: number[] = [0]
  lastBackground: number | undefined
  jobs = new JobTable()
  traps = new Map<string, string>()
  pendingTraps: string[] = []
  /** Job notices are printed. */
  notices = false
  /** Each job has a process group of its own. */
  monitor = false
  /** There is a terminal that jobs are given. */
  ownsTerminal = false
  interrupted = false
  foregroundJob: Job | undefined
  /** The only command of `bash -c` replaces the shell. */
  execLast = false
  hash = new Map<string, { path: string; hits: number }>()
  directoryStack: string[] = []
  history: HistoryEntry[] = []
  loopDepth = 0
  functionDepth = 0
  /** FUNCNAME, innermost first. */
  callStack: string[] = []
  sourceDepth = 0
  /** Above 0 where a failure doesn't end a shell with `set -e`. */
  failureAllowed = 0
  subshellDepth = 0
  inTrap = false
  source = ''
  firstLine = 1
  position = 0
  /** $$ */
  readonly shellPid: number
  /** Descriptors of process substitutions, closed after the command. */
  substitutions: { fd: number; pid: number }[] = []
  /** The last command substitution's status, which an assignment alone takes over. */
  substitutionStatus: number | undefined
  exiting = false
  lastArgument = ''
  getoptsAt = 0
  #random: number
  #secondsBase = 0

  constructor(sys: Sys, interpreter: Interpreter, mode: Mode, name: string, from?: Shell) {
    this.sys = sys
    this.interpreter = interpreter
    this.mode = mode
    this.name = name
    this.shellPid = from?.shellPid ?? sys.pid
    this.variables = from ? from.variables.clone() : new Variables()
    this.#random = (sys.pid ^ Math.floor(sys.monotonicNs() / 1000)) >>> 0 || 1
    this.#secondsBase = from ? from.#secondsBase : sys.monotonicNs()
    this.#dynamic()
    if (!from) this.#inherit()
  }

  /** A copy for a forked child. It must be made before the parent goes on. */
  clone(): Shell {
    const copy = new Shell(this.sys, this.interpreter, this.mode, this.name, this)
    copy.posix = this.posix
    copy.functions = new Map(this.functions)
    copy.aliases = new Map(this.aliases)
    copy.options = new Set(this.options)
    copy.shopt = new Set(this.shopt)
    copy.positional = this.positional.slice()
    copy.status = this.status
    copy.pipeStatus = this.pipeStatus.slice()
    copy.lastBackground = this.lastBackground
    copy.traps = new Map(this.traps)
    copy.hash = new Map(this.hash)
    copy.directoryStack = this.directoryStack.slice()
    copy.history = this.history.slice()
    copy.loopDepth = this.loopDepth
    copy.functionDepth = this.functionDepth
    copy.sourceDepth = this.sourceDepth
    copy.callStack = this.callStack.slice()
    copy.failureAllowed = this.failureAllowed
    copy.source = this.source
    copy.firstLine = this.firstLine
    copy.position = this.position
    copy.lastArgument = this.lastArgument
    copy.subshellDepth = this.subshellDepth + 1
    // What the parent's jobs are can still be listed, but they aren't this one's children.
    copy.jobs.jobs.push(...this.jobs.jobs.map((job) => ({ ...job })))
    for (const [pid, status] of this.jobs.ended) copy.jobs.ended.set(pid, status)
    return copy
  }

  #inherit(): void {
    const { variables, sys } = this
    for (const [name, value] of sys.env) {
      const variable = variables.make(name)
      variable.value = value
      variable.exported = true
    }
    const defaults: Record<string, string> = {
      IFS: ' \t\n',
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      PS4: '+ ',
      OPTIND: '1',
      OPTERR: '1',
      BASH: '/bin/bash',
      BASH_VERSION: '5.2.15(1)-release',
      HOSTNAME: sys.hostname,
      HOSTTYPE: 'x86_64',
      MACHTYPE: 'x86_64-pc-linux-gnu',
      OSTYPE: 'linux-gnu',
    }
    for (const [name, value] of Object.entries(defaults))
      if (variables.get(name) === undefined) variables.set(name, value)
    variables.set('IFS', ' \t\n')
    variables.set('PS4', variables.get('PS4') ?? '+ ')
    variables.set('PPID', String(sys.ppid))
    for (const name of ['UID', 'EUID']) variables.set(name, '0')
    variables.setArray('BASH_VERSINFO', ['5', '2', '15', '1', 'release', 'x86_64-pc-linux-gnu'])
    for (const name of ['PPID', 'UID', 'EUID', 'BASH_VERSINFO']) variables.find(name)!.readonly = true
    const level = Number(variables.get('SHLVL') ?? 0)
    this.export('SHLVL', String((Number.isFinite(level) ? level : 0) + 1))
    this.export('PWD', sys.getcwd())
    const old = variables.make('OLDPWD')
    old.exported = true
  }

  #dynamic(): void {
    const { dynamic } = this.variables
    dynamic.set('RANDOM', {
      get: () => String(this.#nextRandom()),
      set: (value) => {
        this.#random = Number.parseInt(value, 10) >>> 0 || 1
      },
    })
    dynamic.set('SECONDS', {
      get: () => String(Math.floor((this.sys.monotonicNs() - this.#secondsBase) / 1e9)),
      set: (value) => {
        this.#secondsBase = this.sys.monotonicNs() - (Number.parseInt(value, 10) || 0) * 1e9
      },
    })
    dynamic.set('LINENO', { get: () => String(this.line) })
    dynamic.set('BASHPID', { get: () => String(this.sys.pid) })
    dynamic.set('BASH_SUBSHELL', { get: () => String(this.subshellDepth) })
    dynamic.set('EPOCHSECONDS', { get: () => String(this.sys.realtime().s) })
    dynamic.set('EPOCHREALTIME', {
      get: () => {
        const { s, ns } = this.sys.realtime()
        return `${s}.${String(Math.floor(ns / 1000)).padStart(6, '0')}`
      },
    })
    dynamic.set('SHELLOPTS', { get: () => [...this.options].sort().join(':') })
    dynamic.set('BASHOPTS', { get: () => [...this.shopt].sort().join(':') })
    dynamic.set('FUNCNAME', { get: () => this.callStack[0] ?? '' })
    dynamic.set('PIPESTATUS', { get: () => String(this.pipeStatus[0] ?? 0) })
    dynamic.set('DIRSTACK', { get: () => this.sys.getcwd() })
  }

  /** The minimal standard generator, as bash has it. bash 5.2 lib/sh/random.c: intrand32(). */
  #nextRandom(): number {
    const high = Math.floor(this.#random / 127773)
    const low = this.#random % 127773
    const next = 16807 * low - 2836 * high
    this.#random = next < 0 ? next + 0x7fffffff : next
    return (this.#random ^ (this.#random >>> 16)) & 0x7fff
  }

  // Parameters.

  getParameter(name: string): string | undefined {
    switch (name) {
      case '?':
        return String(this.status)
      case '$':
        return String(this.shellPid)
      case '!':
        return this.lastBackground === undefined ? undefined : String(this.lastBackground)
      case '#':
        return String(this.positional.length)
      case '0':
        return this.name
      case '-':
        return this.flags()
      case '_':
        return this.lastArgument
      default:
        if (/^\d+$/.test(name)) return this.positional[Number(name) - 1]
        return this.variables.get(name)
    }
  }

  /** $- */
  flags(): string {
    const letters: [string, string][] = [
      ['allexport', 'a'],
      ['notify', 'b'],
      ['errexit', 'e'],
      ['noglob', 'f'],
      ['hashall', 'h'],
      ['interactive', 'i'],
      ['keyword', 'k'],
      ['monitor', 'm'],
      ['noexec', 'n'],
      ['nounset', 'u'],
      ['verbose', 'v'],
      ['xtrace', 'x'],
      ['braceexpand', 'B'],
      ['noclobber', 'C'],
      ['histexpand', 'H'],
    ]
    const on = letters.filter(([option]) =>
      option === 'interactive' ? this.mode === 'interactive' : this.options.has(option),
    )
    return (
      on.map(([, letter]) => letter).join('') +
      (this.mode === 'command' ? 'c' : this.mode === 'stdin' || this.mode === 'interactive' ? 's' : '')
    )
  }

  /** @param key an element's, evaluated already; undefined for the scalar */
  getElement(name: string, key: string | undefined): string | undefined {
    if (key === undefined) return this.variables.get(name)
    if (name === 'PIPESTATUS')
      return this.pipeStatus[Number(key)] === undefined ? undefined : String(this.pipeStatus[Number(key)])
    if (name === 'FUNCNAME') return this.callStack[Number(key)]
    const variable = this.variables.find(name)
    if (!variable) return undefined
    if (variable.associative) return variable.array?.get(key)
    let index = /^-?\d+$/.test(key) ? Number(key) : Number(calculate(this, key))
    if (!variable.array) return index === 0 || index === -1 ? variable.value : undefined
    if (index < 0) index += Math.max(-1, ...[...variable.array.keys()].map(Number)) + 1
    return variable.array.get(String(index))
  }

  /** What `${a[...]}` has between its brackets, evaluated. */
  *elementKey(name: string, index: Word): Body<string> {
    const text = yield* expandSingle(this, index)
    if (this.variables.find(name)?.associative) return text
    if (/^-?\d+$/.test(text)) return text
    return String(calculate(this, text))
  }

  assignElement(name: string, key: string | undefined, value: string): void {
    const variable = this.variables.make(name)
    const stored = variable.integer ? String(calculate(this, value)) : value
    if (key === undefined) this.variables.set(name, stored)
    else if (variable.associative) this.variables.setElement(name, key, stored)
    else {
      let index = /^-?\d+$/.test(key) ? Number(key) : Number(calculate(this, key))
      if (index < 0) {
        index += Math.max(-1, ...[...(variable.array?.keys() ?? [])].map(Number)) + 1
        if (index < 0) throw new ExpansionError(`${name}[${key}]: bad array subscript`)
      }
      toArray(variable)
      this.variables.setElement(name, String(index), stored)
    }
    if (this.options.has('allexport')) variable.exported = true
    if (name === 'PATH') this.hash.clear()
  }

  export(name: string, value?: string): void {
    const variable = this.variables.make(name)
    variable.exported = true
    if (value !== undefined) this.variables.set(name, value)
  }

  /** The letters of ${x@a} and declare -p. */
  attributes(name: string): string {
    const variable = this.variables.findReference(name)
    if (!variable) return ''
    return [
      variable.array ? (variable.associative ? 'A' : 'a') : variable.associative ? 'A' : '',
      variable.integer ? 'i' : '',
      variable.lower ? 'l' : '',
      variable.nameref ? 'n' : '',
      variable.readonly ? 'r' : '',
      variable.upper ? 'u' : '',
      variable.exported ? 'x' : '',
    ].join('')
  }

  parseWord(text: string): Word {
    return parseWord(text)
  }

  /** ~user; undefined if there is no such user. */
  homeOf(user: string): string | undefined {
    if (user === '') return this.variables.get('HOME') ?? '/root'
    if (user === '+') return this.variables.get('PWD')
    if (user === '-') return this.variables.get('OLDPWD')
    return user === 'root' ? '/root' : undefined
  }

  // Output.

  get line(): number {
    return this.firstLine + lineOf(this.source, this.position) - 1
  }

  /** `bash: `, `bash: line 3: ` or `script: line 3: `. */
  prefix(): string {
    if (this.posix) return `${this.name}: ${this.line}: `
    return this.mode === 'interactive' ? `${this.name}: ` : `${this.name}: line ${this.line}: `
  }

  *print(text: string, fd = 1): Body<boolean> {
    if (text === '') return true
    const written = yield* this.sys.write(fd, encodeText(text))
    return written.ok
  }

  *complain(message: string): Body<void> {
    yield* this.print(`${this.prefix()}${message}\n`, 2)
  }

  // Substitutions.

  /** What $(...) or `...` prints, without the newlines at its end. */
  *substitute(script: ParsedScript | undefined, text: string): Body<string> {
    if (!script) return ''
    // $(< file) reads the file itself.
    const only = script.commands.length === 1 ? script.commands[0]!.command : undefined
    if (only?.type === 'Command' && !only.name && only.prefix.length === 1 && only.suffix.length === 0) {
      const redirect = only.prefix[0]!
      if (redirect.type === 'Redirect' && redirect.operator === '<' && !redirect.descriptor) {
        const path = yield* expandSingle(this, redirect.target)
        const content = yield* this.readFile(path)
        if (content === undefined) {
          yield* this.complain(`${path}: No such file or directory`)
          this.substitutionStatus = 1
          return ''
        }
        this.substitutionStatus = 0
        return content.replace(/\n+$/, '')
      }
    }
    const source = script.source ?? this.source
    const error = script.errors?.[0]
    if (error) {
      const inner = text.startsWith('`') ? text.slice(1, -1) : text.slice(2, -1)
      const mistake = parseSource(inner).mistake
      yield* this.complain(mistake?.message || error.message)
      this.substitutionStatus = 2
      return ''
    }
    const pipe = this.sys.pipe()
    if (!pipe.ok) throw new ExpansionError(`cannot make pipe for command substitution: Too many open files`)
    const { read, write } = pipe.value
    const pid = this.forkChild(function* (child) {
      child.sys.close(read)
      child.sys.dup2(write, 1)
      if (write !== 1) child.sys.close(write)
      child.monitor = false
      child.failureAllowed = child.options.has('errexit') && !child.posix ? child.failureAllowed : child.failureAllowed
      return yield* child.interpreter.runScript(child, script, source)
    })
    this.sys.close(write)
    const bytes: Uint8Array[] = []
    for (;;) {
      const got = yield* this.sys.read(read, 65536)
      if (!got.ok) {
        if (got.errno === 'EINTR') continue
        break
      }
      if (got.value.length === 0) break
      bytes.push(got.value)
    }
    this.sys.close(read)
    this.substitutionStatus = yield* this.waitFor(pid)
    return decodeText(concat(bytes)).replaceAll('\0', '').replace(/\n+$/, '')
  }

  /** <(...) and >(...): the name of a pipe's end. */
  *processSubstitution(script: ParsedScript | undefined, operator: '<' | '>'): Body<string> {
    const pipe = this.sys.pipe()
    if (!pipe.ok || !script) throw new ExpansionError('cannot make pipe for process substitution: Too many open files')
    const { read, write } = pipe.value
    const source = script.source ?? this.source
    const [mine, theirs] = operator === '<' ? [read, write] : [write, read]
    const high = this.sys.dupAbove(mine, 60)
    const kept = high.ok ? high.value : mine
    if (high.ok) this.sys.close(mine)
    const pid = this.forkChild(function* (child) {
      child.sys.close(kept)
      const onto = operator === '<' ? 1 : 0
      child.sys.dup2(theirs, onto)
      if (theirs !== onto) child.sys.close(theirs)
      child.monitor = false
      return yield* child.interpreter.runScript(child, script, source)
    })
    this.sys.close(theirs)
    this.substitutions.push({ fd: kept, pid })
    this.lastBackground = pid
    return `/dev/fd/${kept}`
  }

  closeSubstitutions(keep: number): void {
    while (this.substitutions.length > keep) this.sys.close(this.substitutions.pop()!.fd)
  }

  // Children.

  /** fork(2) with a copy of this shell. */
  forkChild(run: (child: Shell) => Body<number>): number {
    const copy = this.clone()
    const trapped = [...this.traps]
    const pid = this.sys.fork(function* (sys) {
      copy.sys = sys
      for (const [name, command] of trapped) {
        // Ignored signals stay ignored; what was caught has its default action again.
        if (name in SIGNALS && command !== '') sys.sigaction(name as Signal, 'default')
      }
      if (copy.mode === 'interactive')
        for (const signal of INTERACTIVE_SIGNALS) if (copy.traps.get(signal) !== '') sys.sigaction(signal, 'default')
      copy.traps = new Map(trapped.filter(([, command]) => command === ''))
      copy.ownsTerminal = false
      copy.notices = false
      copy.inTrap = false
      copy.pendingTraps = []
      return yield* childBody(copy, run)
    })
    this.jobs.running.add(pid)
    return pid
  }

  /** Waits for one child, whatever else happens to others. */
  *waitFor(pid: number): Body<number> {
    while (!this.jobs.ended.has(pid)) {
      const status = yield* this.sys.waitpid(-1, { untraced: true })
      if (!status.ok) {
        if (status.errno === 'EINTR') continue
        break
      }
      if (status.value) this.jobs.reap(status.value)
    }
    const status = this.jobs.ended.get(pid)
    if (!this.jobs.jobs.some((job) => job.pids.includes(pid))) this.jobs.ended.delete(pid)
    return status ? statusOf(status) : 127
  }

  /** Waits until a job has ended or stopped. */
  *waitForJob(job: Job): Body<void> {
    while (!this.jobs.isDone(job) && !job.stopped) {
      const status = yield* this.sys.waitpid(-1, { untraced: true })
      if (!status.ok) {
        if (status.errno === 'EINTR') continue
        for (const pid of job.pids) if (!this.jobs.ended.has(pid)) this.jobs.ended.set(pid, { pid, exit: 127 })
        break
      }
      if (status.value) this.jobs.reap(status.value)
    }
  }

  /** Takes note of children that have ended, without waiting. */
  *reapChildren(): Body<void> {
    for (;;) {
      const status = yield* this.sys.waitpid(-1, { noHang: true, untraced: true })
      if (!status.ok || !status.value) return
      this.jobs.reap(status.value)
    }
  }

  // Files.

  *readFile(path: string): Body<string | undefined> {
    const opened = yield* this.sys.open(path, O_RDONLY)
    if (!opened.ok) return undefined
    const chunks: Uint8Array[] = []
    for (;;) {
      const got = yield* this.sys.read(opened.value, 65536)
      if (!got.ok && got.errno === 'EINTR') continue
      if (!got.ok || got.value.length === 0) break
      chunks.push(got.value)
    }
    this.sys.close(opened.value)
    return decodeText(concat(chunks))
  }

  /** Where a command is found: its path, or undefined. */
  findCommand(name: string, path = this.variables.get('PATH') ?? ''): string | undefined {
    let refused: string | undefined
    for (const directory of path.split(':')) {
      const candidate = directory === '' ? `./${name}` : `${directory}/${name}`
      const stat = this.sys.stat(candidate)
      if (!stat.ok || stat.value.type === 'directory') continue
      if (this.sys.access(candidate, 'x').ok) return candidate
      refused ??= candidate
    }
    return refused
  }

  /** Expands $ in a prompt or in $PS4. */
  *expandText(text: string): Body<string> {
    return yield* expandQuotedText(this, text)
  }

  parse(source: string): ParsedSource {
    return parseSource(source)
  }
}

/** What an interactive shell ignores or handles, and its children don't. */
export const INTERACTIVE_SIGNALS: Signal[] = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU']

let childBody: (child: Shell, run: (child: Shell) => Body<number>) => Body<number>

/** execute.ts says how a child's body deals with `exit` and mistakes. */
export function setChildBody(body: typeof childBody): void {
  childBody = body
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

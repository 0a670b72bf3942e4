/** Runs trees: lists, pipelines, compound commands, functions. bash(1), "SHELL GRAMMAR". Simple commands are in simple.ts. */
import type {
  AndOr,
  ArithmeticExpression,
  CommandNode,
  CompoundList,
  ParsedScript,
  Pipeline,
  PipelineNode,
  Redirected,
  Statement,
} from 'unbash'
import { type Body, SIGNALS, type Signal } from '#kernel/core'
import { conditional } from './conditional.ts'
import { BreakLoop, ExitShell, ExpansionError, Interrupted, RedirectionError, ReturnFromFunction } from './errors.ts'
import { arithmetic, expandFields, expandPattern, expandSingle } from './expand.ts'
import { commandText } from './job-text.ts'
import { type Job, SIGNAL_TEXT, statusOf } from './jobs.ts'
import { compilePattern } from './pattern.ts'
import { redirect, SavedDescriptors } from './redirect.ts'
import { BUILTIN_NS, INTERACTIVE_SIGNALS, type Interpreter, type Shell, setChildBody } from './shell.ts'
import { runSimple } from './simple.ts'
import { parseSource } from './syntax.ts'
import { decodeText } from './text.ts'
import { ReadonlyVariable } from './variables.ts'

export const interpreter: Interpreter = { runSource, runScript }

/** Parses and runs text, as `eval`, `source` and traps do. */
export function* runSource(
  shell: Shell,
  source: string,
  options: { name?: string; firstLine?: number } = {},
): Body<number> {
  const parsed = parseSource(source)
  const before = { source: shell.source, firstLine: shell.firstLine, position: shell.position }
  shell.source = source
  if (options.firstLine !== undefined) shell.firstLine = options.firstLine
  try {
    if (parsed.statements.length > 0) {
      const done = yield* runLines(shell, source, parsed.statements)
      if (done !== undefined) return done
    }
    const { mistake } = parsed
    if (mistake && mistake.message !== '') {
      const name = options.name ? `${options.name}: ` : ''
      const line = shell.firstLine + mistake.line - 1
      const prefix =
        shell.mode === 'interactive'
          ? `${shell.name}: ${name && name !== '-c: ' ? name : ''}`
          : `${shell.name}: ${name}line ${line}: `
      yield* shell.print(`${prefix}${mistake.message}\n`, 2)
      if (mistake.text !== undefined && shell.mode !== 'interactive')
        yield* shell.print(`${prefix}\`${mistake.text}'\n`, 2)
      shell.status = 2
    } else if (parsed.statements.length === 0) shell.status = mistake ? shell.status : 0
    return shell.status
  } finally {
    Object.assign(shell, before)
  }
}

/** Aliases that a line defines hold from the next line on; so do mistakes. Undefined: all was run. */
function* runLines(shell: Shell, _source: string, statements: readonly Statement[]): Body<number | undefined> {
  const only = statements.length === 1
  for (const statement of statements) yield* runStatement(shell, statement, only && shell.execLast)
  return undefined
}

/** Runs a tree whose positions index `source`: what $(...) and (...) hold. */
export function* runScript(shell: Shell, script: ParsedScript | CompoundList, source: string): Body<number> {
  const before = { source: shell.source, position: shell.position }
  shell.source = source
  const { commands } = script
  // What is in it sees the status from before.
  if (commands.length === 0) shell.status = 0
  for (const [i, statement] of commands.entries()) {
    yield* runStatement(shell, statement, i === commands.length - 1 && shell.traps.size === 0)
  }
  Object.assign(shell, before)
  return shell.status
}

export function* runList(shell: Shell, list: CompoundList): Body<number> {
  for (const statement of list.commands) yield* runStatement(shell, statement, false)
  return shell.status
}

function* runStatement(shell: Shell, statement: Statement, last: boolean): Body<void> {
  if (shell.interrupted) {
    shell.interrupted = false
    throw new Interrupted()
  }
  shell.position = statement.pos
  if (shell.options.has('noexec') && shell.mode !== 'interactive') return
  if (statement.background) yield* runBackground(shell, statement.command)
  else yield* runNode(shell, statement.command, last)
  yield* runPendingTraps(shell)
}

function* runNode(shell: Shell, node: PipelineNode | AndOr, last: boolean): Body<number> {
  if (node.type === 'AndOr') return yield* runAndOr(shell, node)
  if (node.type === 'Pipeline') return yield* runPipeline(shell, node)
  return yield* checked(shell, runCommand(shell, node, last))
}

/** A command whose failure counts for `set -e` and the ERR trap. */
function* checked(shell: Shell, run: Body<number>): Body<number> {
  shell.status = yield* run
  shell.pipeStatus = [shell.status]
  yield* failed(shell)
  return shell.status
}

function* failed(shell: Shell): Body<void> {
  if (shell.status === 0 || shell.failureAllowed > 0) return
  const trap = shell.traps.get('ERR')
  if (trap && (shell.functionDepth === 0 || shell.options.has('errtrace'))) yield* runTrap(shell, trap)
  if (shell.options.has('errexit')) throw new ExitShell(shell.status)
}

function* runAndOr(shell: Shell, node: AndOr): Body<number> {
  for (const [i, command] of node.commands.entries()) {
    if (i > 0) {
      const operator = node.operators[i - 1]
      if ((operator === '&&') !== (shell.status === 0)) continue
    }
    const isLast = i === node.commands.length - 1
    if (!isLast) shell.failureAllowed++
    try {
      yield* runNode(shell, command, false)
    } finally {
      if (!isLast) shell.failureAllowed--
    }
  }
  return shell.status
}

function* runPipeline(shell: Shell, pipeline: Pipeline): Body<number> {
  const time = pipeline.prefixes.find((prefix) => prefix.type === 'Time')
  const negated = pipeline.prefixes.filter((prefix) => prefix.type === 'Negation').length % 2 === 1
  const started = { ns: shell.sys.monotonicNs(), times: shell.sys.times() }
  if (negated) shell.failureAllowed++
  try {
    if (pipeline.commands.length === 0) shell.status = 0
    else if (pipeline.commands.length === 1) {
      shell.status = yield* runCommand(shell, pipeline.commands[0]!, false)
      shell.pipeStatus = [shell.status]
    } else {
      const pids = yield* forkPipeline(shell, pipeline, false)
      yield* foreground(shell, pids, commandText(shell.source, pipeline))
    }
  } finally {
    if (negated) shell.failureAllowed--
  }
  if (time) yield* printTimes(shell, started, time.posix !== undefined)
  if (negated) shell.status = shell.status === 0 ? 1 : 0
  else yield* failed(shell)
  return shell.status
}

/** What the `time` keyword prints. bash(1), TIMEFORMAT. */
function* printTimes(
  shell: Shell,
  started: { ns: number; times: ReturnType<Shell['sys']['times']> },
  posix: boolean,
): Body<void> {
  const now = shell.sys.times()
  const before = started.times
  const user = now.user + now.childUser - before.user - before.childUser
  const system = now.system + now.childSystem - before.system - before.childSystem
  const real = shell.sys.monotonicNs() - started.ns
  const format = posix
    ? 'real %2R\nuser %2U\nsys %2S'
    : (shell.variables.get('TIMEFORMAT') ?? '\nreal\t%3lR\nuser\t%3lU\nsys\t%3lS')
  if (format === '') return
  const text = format.replace(/%(\d?)(l?)([RUSP%])/g, (_, digits: string, long: string, what: string) => {
    if (what === '%') return '%'
    if (what === 'P') return (real > 0 ? ((user + system) * 100) / real : 0).toFixed(2)
    return duration(
      what === 'R' ? real : what === 'U' ? user : system,
      digits === '' ? 3 : Math.min(3, Number(digits)),
      long !== '',
    )
  })
  yield* shell.print(`${text}\n`, 2)
}

function duration(ns: number, digits: number, long: boolean): string {
  const scale = 10 ** digits
  const units = Math.floor((ns * scale) / 1e9) // bash cuts, it doesn't round.
  const seconds = Math.floor(units / scale)
  const fraction = digits > 0 ? `.${String(units % scale).padStart(digits, '0')}` : ''
  return long ? `${Math.floor(seconds / 60)}m${seconds % 60}${fraction}s` : `${seconds}${fraction}`
}

// Processes.

/** Forks every element of a pipeline, connected. */
function* forkPipeline(shell: Shell, pipeline: Pipeline, background: boolean): Body<number[]> {
  const pids: number[] = []
  let input: number | undefined
  for (const [i, command] of pipeline.commands.entries()) {
    const operator = pipeline.operators[i]
    let next: { read: number; write: number } | undefined
    if (operator) {
      const pipe = shell.sys.pipe()
      if (!pipe.ok) throw new RedirectionError('pipe error: Too many open files')
      next = pipe.value
    }
    const stdin = input
    pids.push(
      forkStage(shell, pids[0], background, function* (child) {
        if (stdin !== undefined) move(child, stdin, 0)
        if (next) {
          child.sys.close(next.read)
          move(child, next.write, 1)
          if (operator === '|&') child.sys.dup2(1, 2)
        }
        return yield* runCommand(child, command, true)
      }),
    )
    if (stdin !== undefined) shell.sys.close(stdin)
    if (next) shell.sys.close(next.write)
    input = next?.read
  }
  yield* shell.sys.compute(0)
  return pids
}

function move(child: Shell, from: number, onto: number): void {
  if (from === onto) return
  child.sys.dup2(from, onto)
  child.sys.close(from)
}

/** A child of a job: in the job's process group if there is job control. */
function forkStage(
  shell: Shell,
  leader: number | undefined,
  background: boolean,
  run: (child: Shell) => Body<number>,
): number {
  const { monitor, ownsTerminal } = shell
  const pid = shell.forkChild(function* (child) {
    if (monitor) {
      child.sys.setpgid(0, leader ?? 0)
      if (!background && ownsTerminal && leader === undefined) child.sys.tcsetpgrp(child.sys.getpgid())
    } else if (background) {
      // Without job control what the keyboard sends isn't for it, and it has no input.
      for (const signal of ['SIGINT', 'SIGQUIT'] as const) child.sys.sigaction(signal, 'ignore')
      if (leader === undefined) {
        const nothing = yield* child.sys.open('/dev/null', 0)
        if (nothing.ok) move(child, nothing.value, 0)
      }
    }
    child.monitor = false
    child.jobs.clear()
    return yield* run(child)
  })
  if (monitor) {
    shell.sys.setpgid(pid, leader ?? pid)
    if (!background && ownsTerminal && leader === undefined) shell.sys.tcsetpgrp(pid)
  }
  return pid
}

/** Forks one command for the foreground and waits for it. */
export function* runForked(shell: Shell, text: string, run: (child: Shell) => Body<number>): Body<number> {
  const pid = forkStage(shell, undefined, false, run)
  yield* foreground(shell, [pid], text)
  return shell.status
}

/** Waits for a job in the foreground; what stops becomes a job of the table. */
export function* foreground(shell: Shell, pids: number[], text: string, known?: Job): Body<void> {
  const job = known ?? { number: 0, pgid: pids[0]!, pids, text, background: false, stopped: undefined, notified: false }
  if (!known) shell.jobs.jobs.push(job)
  shell.foregroundJob = job
  yield* shell.waitForJob(job)
  shell.foregroundJob = undefined
  if (shell.monitor && shell.ownsTerminal) shell.sys.tcsetpgrp(shell.sys.getpgid())
  if (job.stopped) {
    if (!known) {
      shell.jobs.remove(job)
      const kept = shell.jobs.add(job.pgid, job.pids, text, false)
      kept.stopped = job.stopped
      kept.notified = true
      shell.jobs.makeCurrent(kept)
      if (shell.notices) yield* shell.print(`\n${shell.jobs.describe(kept)}\n`, 2)
    } else if (shell.notices) yield* shell.print(`\n${shell.jobs.describe(job)}\n`, 2)
    shell.status = 128 + SIGNALS[job.stopped]
    shell.pipeStatus = [shell.status]
    return
  }
  const statuses = job.pids.map((pid) => shell.jobs.ended.get(pid) ?? { pid, exit: 127 })
  shell.pipeStatus = statuses.map(statusOf)
  const last = statuses[statuses.length - 1]!
  shell.status = shell.pipeStatus[shell.pipeStatus.length - 1]!
  if (shell.options.has('pipefail')) shell.status = shell.pipeStatus.findLast((status) => status !== 0) ?? 0
  shell.jobs.remove(job)
  for (const pid of job.pids) shell.jobs.ended.delete(pid)
  const killed = statuses.find((status) => status.signal)?.signal
  if (killed && (shell.notices || shell.mode !== 'interactive')) yield* tellKilled(shell, killed, last.signal, job)
  if (killed === 'SIGINT' && last.signal === 'SIGINT') {
    if (shell.mode === 'interactive') throw new Interrupted()
    // The keyboard's interrupt was for this shell as well.
    if (shell.monitor) shell.sys.kill(shell.sys.pid, 'SIGINT')
  }
}

function* tellKilled(shell: Shell, killed: Signal, last: Signal | undefined, job: Job): Body<void> {
  if (shell.subshellDepth > 0) return
  if (shell.mode === 'interactive') {
    if (!last) return
    if (last === 'SIGINT') yield* shell.print('\n', 2)
    else if (last !== 'SIGPIPE') yield* shell.print(`${SIGNAL_TEXT[last]}\n`, 2)
    return
  }
  if (killed === 'SIGINT' || killed === 'SIGPIPE' || killed === 'SIGTERM') return
  yield* shell.complain(`${String(job.pgid).padStart(5)} ${(SIGNAL_TEXT[killed] ?? killed).padEnd(24)}${job.text}`)
}

function* runBackground(shell: Shell, node: PipelineNode | AndOr): Body<void> {
  let pids: number[]
  if (node.type === 'Pipeline' && node.commands.length > 1 && node.prefixes.length === 0)
    pids = yield* forkPipeline(shell, node, true)
  else {
    pids = [
      forkStage(shell, undefined, true, function* (child) {
        if (node.type === 'AndOr' || node.type === 'Pipeline') return yield* runNode(child, node, false)
        return yield* runCommand(child, node, true)
      }),
    ]
  }
  shell.lastBackground = pids[pids.length - 1]
  const job = shell.jobs.add(pids[0]!, pids, commandText(shell.source, node), true)
  if (shell.notices) yield* shell.print(`[${job.number}] ${shell.lastBackground}\n`, 2)
  shell.status = 0
  shell.pipeStatus = [0]
}

/** What a forked copy of the shell does: its commands, its EXIT trap, and mistakes end it. */
function* runChild(child: Shell, run: (child: Shell) => Body<number>): Body<number> {
  let status: number
  try {
    status = yield* run(child)
  } catch (thrown) {
    status = yield* endStatus(child, thrown)
  }
  return yield* runExitTrap(child, status)
}
setChildBody(runChild)

/** The status with which what was thrown ends a shell that can't go on. */
export function* endStatus(shell: Shell, thrown: unknown): Body<number> {
  if (thrown instanceof ExitShell || thrown instanceof ReturnFromFunction) return thrown.status
  if (thrown instanceof BreakLoop) return 0
  if (thrown instanceof Interrupted) return 130
  if (thrown instanceof ExpansionError) {
    yield* shell.complain(thrown.message)
    // `bash -c` calls what is unbound a command that wasn't found.
    return thrown.fatal && shell.mode === 'command' && shell.subshellDepth === 0 ? 127 : thrown.status
  }
  if (thrown instanceof RedirectionError || thrown instanceof ReadonlyVariable) {
    yield* shell.complain(thrown.message)
    return 1
  }
  throw thrown
}

export function* runExitTrap(shell: Shell, status: number): Body<number> {
  const trap = shell.traps.get('EXIT')
  if (!trap) return status
  shell.traps.delete('EXIT')
  shell.status = status
  try {
    yield* runSource(shell, trap)
  } catch (thrown) {
    return yield* endStatus(shell, thrown)
  }
  return status
}

function* runTrap(shell: Shell, command: string): Body<void> {
  if (command === '') return
  const { status, pipeStatus } = shell
  yield* runSource(shell, command)
  shell.status = status
  shell.pipeStatus = pipeStatus
}

/** Signals that came since the last command. */
export function* runPendingTraps(shell: Shell): Body<void> {
  while (shell.pendingTraps.length > 0 && !shell.inTrap) {
    const command = shell.traps.get(shell.pendingTraps.shift()!)
    if (!command) continue
    shell.inTrap = true
    try {
      yield* runTrap(shell, command)
    } finally {
      shell.inTrap = false
    }
  }
}

// Commands.

/** @param last nothing comes after it in this process: it may be replaced by a program */
export function* runCommand(shell: Shell, node: CommandNode, last: boolean): Body<number> {
  shell.position = node.pos
  switch (node.type) {
    case 'Command':
      return yield* runSimple(shell, node, last)
    case 'Redirected':
      return yield* runRedirected(shell, node)
    case 'BraceGroup':
      return yield* runList(shell, node.body)
    case 'Subshell': {
      const { source } = shell
      const subshell = function* (child: Shell): Body<number> {
        return yield* runScript(child, node.body, source)
      }
      if (last && shell.traps.size === 0) {
        shell.subshellDepth++
        return yield* subshell(shell)
      }
      return yield* runForked(shell, commandText(source, node), subshell)
    }
    case 'If': {
      if (yield* holds(shell, node.clause)) return yield* runBranch(shell, node.then)
      for (const elif of node.elif) if (yield* holds(shell, elif.clause)) return yield* runBranch(shell, elif.then)
      return node.else ? yield* runBranch(shell, node.else) : 0
    }
    case 'While':
      return yield* loop(
        shell,
        function* () {
          return (yield* holds(shell, node.clause)) === (node.kind === 'while')
        },
        node.body,
      )
    case 'For': {
      const name = node.name.text
      if (!/^[A-Za-z_]\w*$/.test(name)) {
        yield* shell.complain(`\`${name}': not a valid identifier`)
        return 1
      }
      const words = node.wordlist ? yield* expandFields(shell, node.wordlist) : shell.positional.slice()
      let i = 0
      return yield* loop(
        shell,
        function* () {
          if (i >= words.length) return false
          shell.assignElement(name, undefined, words[i++]!)
          return true
        },
        node.body,
      )
    }
    case 'ArithmeticFor': {
      const text = (expression: ArithmeticExpression | undefined) =>
        expression ? shell.source.slice(expression.pos, expression.end) : ''
      if (node.initialize) yield* arithmetic(shell, text(node.initialize))
      let first = true
      return yield* loop(
        shell,
        function* () {
          if (!first && node.update) yield* arithmetic(shell, text(node.update))
          first = false
          return !node.test || (yield* arithmetic(shell, text(node.test))) !== 0n
        },
        node.body,
      )
    }
    case 'Select':
      return yield* runSelect(
        shell,
        node.name.text,
        node.wordlist ? yield* expandFields(shell, node.wordlist) : shell.positional.slice(),
        node.body,
      )
    case 'Case': {
      const word = yield* expandSingle(shell, node.word)
      let through = false
      let status = 0
      for (const item of node.items) {
        let matches = through
        for (const pattern of through ? [] : item.pattern) {
          if (compilePattern(yield* expandPattern(shell, pattern), shell.shopt.has('nocasematch')).matches(word)) {
            matches = true
            break
          }
        }
        if (!matches) continue
        status = yield* runBranch(shell, item.body)
        through = item.terminator === ';&'
        if (item.terminator !== ';&' && item.terminator !== ';;&') break
      }
      return status
    }
    case 'TestCommand':
      yield* shell.sys.compute(BUILTIN_NS)
      return yield* conditional(shell, node.expression)
    case 'ArithmeticCommand': {
      yield* shell.sys.compute(BUILTIN_NS)
      try {
        return (yield* arithmetic(shell, node.body)) !== 0n ? 0 : 1
      } catch (thrown) {
        if (!(thrown instanceof ExpansionError) || thrown.fatal) throw thrown
        yield* shell.complain(`((: ${thrown.message}`)
        return 1
      }
    }
    case 'Function': {
      const text = shell.source.slice(node.pos, node.end)
      shell.functions.set(node.name.value, { body: node.body, source: shell.source, firstLine: shell.firstLine, text })
      return 0
    }
    case 'Coproc':
      yield* shell.complain('coproc: not modelled')
      return 1
  }
}

function* runBranch(shell: Shell, body: CompoundList): Body<number> {
  shell.status = 0
  return yield* runList(shell, body)
}

function* holds(shell: Shell, clause: CompoundList): Body<boolean> {
  shell.failureAllowed++
  try {
    return (yield* runList(shell, clause)) === 0
  } finally {
    shell.failureAllowed--
  }
}

function* loop(shell: Shell, goesOn: () => Body<boolean>, body: CompoundList): Body<number> {
  let status = 0
  shell.loopDepth++
  try {
    for (;;) {
      try {
        if (!(yield* goesOn())) return status
        yield* shell.sys.compute(BUILTIN_NS / 10)
        status = yield* runBranch(shell, body)
      } catch (thrown) {
        if (!(thrown instanceof BreakLoop)) throw thrown
        status = 0
        if (--thrown.levels > 0 && shell.loopDepth > 1) throw thrown
        if (thrown.kind === 'break') return 0
      }
    }
  } finally {
    shell.loopDepth--
  }
}

function* runSelect(shell: Shell, name: string, words: string[], body: CompoundList): Body<number> {
  if (words.length === 0) return 0
  let menu = true
  return yield* loop(
    shell,
    function* () {
      for (;;) {
        if (menu) yield* shell.print(words.map((word, i) => `${i + 1}) ${word}\n`).join(''), 2)
        yield* shell.print(shell.variables.get('PS3') ?? '#? ', 2)
        const line = yield* readLine(shell)
        if (line === undefined) {
          yield* shell.print('\n', 1)
          throw new BreakLoop('break', 1)
        }
        menu = line === ''
        if (line === '') continue
        shell.assignElement('REPLY', undefined, line)
        shell.assignElement(name, undefined, words[Number(line) - 1] ?? '')
        return true
      }
    },
    body,
  )
}

/** A line of standard input, byte by byte, so that nothing after it is taken. */
export function* readLine(shell: Shell): Body<string | undefined> {
  const bytes: number[] = []
  for (;;) {
    const got = yield* shell.sys.read(0, 1)
    if (!got.ok || got.value.length === 0) return bytes.length > 0 ? decodeText(Uint8Array.from(bytes)) : undefined
    if (got.value[0] === 10) return decodeText(Uint8Array.from(bytes))
    bytes.push(got.value[0]!)
  }
}

function* runRedirected(shell: Shell, node: Redirected): Body<number> {
  const saved = new SavedDescriptors(shell)
  const substitutions = shell.substitutions.length
  try {
    yield* redirect(shell, node.redirects, saved)
    return yield* runCommand(shell, node.command, false)
  } catch (thrown) {
    if (!(thrown instanceof RedirectionError)) throw thrown
    yield* shell.complain(thrown.message)
    return 1
  } finally {
    saved.restore()
    shell.closeSubstitutions(substitutions)
  }
}

/** What the shell itself does with the keyboard's signals while it has a prompt. */
export function handleInteractiveSignals(shell: Shell, onInterrupt: () => void): void {
  for (const signal of INTERACTIVE_SIGNALS) {
    if (signal === 'SIGINT') shell.sys.sigaction('SIGINT', onInterrupt)
    else shell.sys.sigaction(signal, 'ignore')
  }
}

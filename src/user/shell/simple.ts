/** Simple commands: assignments, functions, builtins, programs. bash(1), "SIMPLE COMMAND EXPANSION", "COMMAND EXECUTION". */
import type { Assignment, Command } from 'unbash'
import { type Body, strerror } from '#kernel/core'
import { assignArray, assignmentOf } from './assign.ts'
import { builtins, DECLARING, SPECIAL } from './builtins/index.ts'
import { BreakLoop, ExpansionError, RedirectionError, ReturnFromFunction } from './errors.ts'
import { runCommand, runForked, runList, runSource } from './execute.ts'
import { expandFields, expandSingle } from './expand.ts'
import { commandText } from './job-text.ts'
import { quoteSingle } from './printf.ts'
import { redirect, SavedDescriptors } from './redirect.ts'
import { BUILTIN_NS, type Shell, type ShellFunction } from './shell.ts'
import { parseWord } from './syntax.ts'
import { ReadonlyVariable } from './variables.ts'

/** Runs a simple command and gives its status. */
export function* runSimple(shell: Shell, command: Command, last: boolean): Body<number> {
  const alias = aliasOf(shell, command)
  if (alias !== undefined) return yield* runSource(shell, alias)
  const assignments = command.prefix.filter((part): part is Assignment => part.type === 'Assignment')
  const substitutions = shell.substitutions.length
  shell.substitutionStatus = undefined
  try {
    const words = command.name ? yield* expandArguments(shell, command) : []
    if (words.length === 0) return yield* assignOnly(shell, command, assignments)
    shell.lastArgument = words[words.length - 1]!
    return yield* runWords(shell, command, assignments, words, last)
  } catch (thrown) {
    if (thrown instanceof RedirectionError || thrown instanceof ReadonlyVariable) {
      yield* shell.complain(thrown.message)
      if (thrown instanceof ReadonlyVariable && shell.mode !== 'interactive') throw new ExpansionError('', 1, true)
      return 1
    }
    throw thrown
  } finally {
    shell.closeSubstitutions(substitutions)
  }
}

/** The command with its alias put in place; undefined if it has none. */
function aliasOf(shell: Shell, command: Command): string | undefined {
  const name = command.name
  if (!name || shell.aliases.size === 0 || (shell.mode !== 'interactive' && !shell.shopt.has('expand_aliases')))
    return undefined
  const value = shell.aliases.get(name.text)
  if (value === undefined || shell.source.slice(command.pos, command.pos + 1) === '\\') return undefined
  const rest = shell.source.slice(name.end, command.end)
  // An alias may begin with its own name.
  const head = value.split(/\s/, 1)[0]
  const again = head === name.text ? value.replace(head, () => `\\${head}`) : value
  return shell.source.slice(command.pos, name.pos) + again + rest
}

/** Words after all expansions. Assignments given to `declare` and the like stay one word. */
function* expandArguments(shell: Shell, command: Command): Body<string[]> {
  const words = yield* expandFields(shell, [command.name!])
  const declaring = DECLARING.has(words[0] ?? '')
  for (const argument of command.args) {
    if (argument.type === 'Assignment') {
      if (declaring) words.push(yield* assignmentOf(shell, argument))
      else words.push(...(yield* expandFields(shell, [parseWord(argument.text)])))
    } else if (declaring && /^[A-Za-z_]\w*\+?=/.test(argument.text)) words.push(yield* expandSingle(shell, argument))
    else words.push(...(yield* expandFields(shell, [argument])))
  }
  return words
}

/** Assignments and redirections without a command: the shell's own. */
function* assignOnly(shell: Shell, command: Command, assignments: readonly Assignment[]): Body<number> {
  const saved = new SavedDescriptors(shell)
  try {
    yield* redirect(shell, command.redirects, saved)
  } finally {
    saved.restore()
  }
  for (const assignment of assignments) {
    yield* assign(shell, assignment)
    if (shell.options.has('xtrace'))
      yield* trace(shell, [`${assignment.name}=${shell.variables.get(assignment.name) ?? ''}`], true)
  }
  return shell.substitutionStatus ?? 0
}

function* assign(shell: Shell, assignment: Assignment): Body<void> {
  const { name } = assignment
  if (assignment.value.type === 'ArrayValue') {
    yield* assignArray(shell, name, assignment.value, assignment.append ?? false)
    return
  }
  let value = yield* expandSingle(shell, assignment.value)
  const key = assignment.index ? yield* shell.elementKey(name, assignment.index) : undefined
  if (assignment.append) {
    const before = shell.getElement(name, key) ?? ''
    value = shell.variables.find(name)?.integer ? `(${before || 0})+(${value})` : before + value
  }
  shell.assignElement(name, key, value)
}

/** `set -x`: what is about to be done, behind $PS4. */
function* trace(shell: Shell, words: readonly string[], assignment = false): Body<void> {
  const prompt = yield* shell.expandText(shell.variables.get('PS4') ?? '+ ')
  const repeated = prompt.slice(0, 1).repeat(shell.subshellDepth > 0 && prompt !== '' ? 1 : 1) + prompt.slice(1)
  const quoted = words.map((word, i) => (assignment && i === 0 ? traceAssignment(word) : traceWord(word)))
  yield* shell.print(`${repeated}${quoted.join(' ')}\n`, 2)
}

function traceWord(word: string): string {
  return word === '' || /[^\w@%+=:,./-]/.test(word) || /^[~#]/.test(word) ? quoteSingle(word) : word
}

function traceAssignment(word: string): string {
  const equals = word.indexOf('=')
  const value = word.slice(equals + 1)
  return word.slice(0, equals + 1) + (value === '' ? '' : traceWord(value))
}

function* runWords(
  shell: Shell,
  command: Command,
  assignments: readonly Assignment[],
  words: string[],
  last: boolean,
): Body<number> {
  const name = words[0]!
  if (shell.options.has('xtrace')) {
    for (const assignment of assignments)
      if (assignment.value.type === 'Word')
        yield* trace(shell, [`${assignment.name}=${yield* expandSingle(shell, assignment.value)}`], true)
    yield* trace(shell, words)
  }
  const shellFunction = shell.functions.get(name)
  const builtin = shellFunction ? undefined : builtins.get(name)
  if (!shellFunction && !builtin) return yield* runProgram(shell, command, assignments, words, last)

  const saved = new SavedDescriptors(shell)
  const scoped = assignments.length > 0
  let kept = false
  try {
    yield* redirect(shell, command.redirects, saved)
    if (scoped) {
      const values: [string, string][] = []
      for (const assignment of assignments) {
        if (assignment.value.type === 'Word')
          values.push([assignment.name, yield* expandSingle(shell, assignment.value)])
      }
      shell.variables.push()
      for (const [variable, value] of values)
        Object.assign(shell.variables.makeLocal(variable), { value, exported: true })
    }
    if (shellFunction) return yield* callFunction(shell, name, shellFunction, words.slice(1))
    yield* shell.sys.compute(BUILTIN_NS)
    const status = yield* builtin!(shell, words)
    kept = name === 'exec'
    return status
  } catch (thrown) {
    if (thrown instanceof RedirectionError && SPECIAL.has(name) && shell.posix)
      throw new ExpansionError(thrown.message, 1, true)
    throw thrown
  } finally {
    if (scoped) shell.variables.pop()
    if (kept) saved.forget()
    else saved.restore()
  }
}

/** Calls a function with its own positional parameters and local variables. */
export function* callFunction(shell: Shell, name: string, definition: ShellFunction, args: string[]): Body<number> {
  const before = {
    positional: shell.positional,
    source: shell.source,
    firstLine: shell.firstLine,
    position: shell.position,
    loopDepth: shell.loopDepth,
  }
  if (shell.functionDepth > 1000) throw new ExpansionError(`${name}: maximum function nesting level exceeded (1000)`)
  shell.positional = args
  shell.source = definition.source
  shell.firstLine = definition.firstLine
  shell.functionDepth++
  shell.loopDepth = 0
  shell.callStack.unshift(name)
  shell.variables.push()
  try {
    const { body } = definition
    return body.type === 'CompoundList' ? yield* runList(shell, body) : yield* runCommand(shell, body, false)
  } catch (thrown) {
    if (thrown instanceof ReturnFromFunction) return thrown.status
    if (thrown instanceof BreakLoop) return 0
    throw thrown
  } finally {
    shell.variables.pop()
    shell.callStack.shift()
    shell.functionDepth--
    Object.assign(shell, before)
  }
}

function* runProgram(
  shell: Shell,
  command: Command,
  assignments: readonly Assignment[],
  words: string[],
  last: boolean,
): Body<number> {
  const run = function* (child: Shell): Body<number> {
    yield* redirect(child, command.redirects, undefined)
    for (const assignment of assignments) {
      yield* assign(child, assignment)
      child.export(assignment.name)
    }
    return yield* execute(child, words)
  }
  if (last) return yield* run(shell)
  const name = words[0]!
  if (!name.includes('/') && assignments.length === 0) remember(shell, name)
  return yield* runForked(shell, commandText(shell.source, command), run)
}

/** `hash`: where a command was found. */
function remember(shell: Shell, name: string): void {
  const known = shell.hash.get(name)
  if (known && shell.sys.access(known.path, 'x').ok) {
    known.hits++
    return
  }
  const path = shell.findCommand(name)
  if (path) shell.hash.set(name, { path, hits: 1 })
  else shell.hash.delete(name)
}

/** Becomes a program; what is returned is the exit status, whether that worked or not. */
export function* execute(
  shell: Shell,
  words: string[],
  options: { argv0?: string; complaint?: string } = {},
): Body<number> {
  const name = words[0]!
  const path = name.includes('/') ? name : shell.findCommand(name)
  if (path === undefined) {
    yield* shell.complain(shell.posix ? `${name}: not found` : (options.complaint ?? `${name}: command not found`))
    return 127
  }
  const environment = shell.variables.environment()
  environment.set('_', path)
  shell.sys.env.clear()
  for (const [key, value] of environment) shell.sys.env.set(key, value)
  const stat = shell.sys.stat(path)
  if (stat.ok && stat.value.type === 'directory') {
    yield* shell.complain(`${name}: Is a directory`)
    return 126
  }
  const done = yield* shell.sys.exec(path, [options.argv0 ?? name, ...words.slice(1)])
  if (done.ok) return done.value
  if (done.errno === 'ENOEXEC') {
    // A script without `#!` runs in this shell's copy.
    const text = yield* shell.readFile(path)
    if (text !== undefined && !text.slice(0, 80).includes('\0')) {
      shell.name = path
      shell.mode = 'script'
      shell.positional = words.slice(1)
      shell.firstLine = 1
      return yield* runSource(shell, text)
    }
    yield* shell.complain(`${name}: cannot execute binary file: Exec format error`)
    return 126
  }
  const missing = done.errno === 'ENOENT'
  if (missing && stat.ok) yield* shell.complain(`${name}: cannot execute: required file not found`)
  else yield* shell.complain(`${name}: ${missing && shell.posix ? 'not found' : strerror(done.errno)}`)
  return missing ? 127 : 126
}

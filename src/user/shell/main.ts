/** bash as a program: `bash`, `bash -c COMMAND`, `bash FILE`, and commands from standard input. bash(1), "OPTIONS". */
import { type Body, type Program, type Sys, strerror } from '#kernel/core'
import { applySetOptions } from './builtins/settings.ts'
import type { Completions } from './completion.ts'
import { ExpansionError, Interrupted, RedirectionError } from './errors.ts'
import { endStatus, interpreter, runExitTrap, runSource } from './execute.ts'
import { runInteractive } from './interactive.ts'
import { type Mode, Shell } from './shell.ts'
import { decodeText, encodeText } from './text.ts'
import { ReadonlyVariable } from './variables.ts'

const HELP = `GNU bash, version 5.2.15(1)-release-(x86_64-pc-linux-gnu)
Usage:	bash [GNU long option] [option] ...
	bash [GNU long option] [option] script-file ...
Commands come from the file, from the argument of -c, or from standard input.

Shell options:
	-ilrsD or -c command or -O shopt_option		(invocation only)
	-abefhkmnptuvxBCEHPT or -o option
`
const VERSION = `GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)
Copyright (C) 2022 Free Software Foundation, Inc.
`

function* write(sys: Sys, fd: number, text: string): Body<void> {
  yield* sys.write(fd, encodeText(text))
}

export function* main(sys: Sys, argv: string[], completions: Completions = new Map()): Body<number> {
  const name = (argv[0] ?? 'bash').replace(/^-/, '')
  const base = name.replace(/^.*\//, '')
  let i = 1
  let fromCommand = false
  let fromStdin = false
  let interactive = false
  const settings: string[] = []
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--help') {
      yield* write(sys, 1, HELP)
      return 0
    }
    if (word === '--version') {
      yield* write(sys, 1, VERSION)
      return 0
    }
    if (['--norc', '--noprofile', '--login', '--posix', '--noediting', '--restricted'].includes(word)) continue
    if (word === '--rcfile' || word === '--init-file') {
      i++
      continue
    }
    if (word === '--' || word === '-') {
      i++
      break
    }
    if (word.startsWith('--')) {
      yield* write(sys, 2, `${name}: ${word}: invalid option\n${HELP}`)
      return 2
    }
    if (!/^[-+]./.test(word)) break
    let rest = ''
    for (const letter of word.slice(1)) {
      if (letter === 'c') fromCommand = true
      else if (letter === 's') fromStdin = true
      else if (letter === 'i') interactive = true
      else if (letter === 'l') continue
      else if (letter === 'o' || letter === 'O') settings.push(`${word[0]}${letter}`, argv[++i] ?? '')
      else rest += letter
    }
    if (rest) settings.push(word[0]! + rest)
  }
  const operands = argv.slice(i)
  let mode: Mode = fromCommand ? 'command' : operands.length > 0 && !fromStdin ? 'script' : 'stdin'
  if (interactive || (mode === 'stdin' && sys.isatty(0) && sys.isatty(2))) mode = 'interactive'

  const shell = new Shell(sys, interpreter, mode, mode === 'interactive' ? base : name)
  shell.posix = base === 'sh' || base === 'dash'
  for (let k = 0; k < settings.length; k++) {
    if (settings[k] === '-O' || settings[k] === '+O') {
      if (settings[k] === '-O') shell.shopt.add(settings[k + 1]!)
      settings.splice(k--, 2)
    }
  }
  const applied = applySetOptions(shell, settings)
  if (applied.bad) {
    yield* write(sys, 2, `${name}: ${applied.bad}\n`)
    return 2
  }
  if (mode === 'interactive') return yield* runInteractive(shell, completions)
  if (mode === 'command') {
    const command = operands[0]
    if (command === undefined) {
      yield* write(sys, 2, `${name}: -c: option requires an argument\n`)
      return 2
    }
    if (operands[1] !== undefined) shell.name = operands[1]
    shell.positional = operands.slice(2)
    shell.execLast = true
    return yield* runToEnd(shell, command, '-c')
  }
  if (mode === 'stdin') {
    shell.positional = operands
    return yield* runStandardInput(shell)
  }
  const file = operands[0]!
  const opened = yield* sys.open(file)
  if (!opened.ok) {
    const found = opened.errno === 'ENOENT' && !file.includes('/') ? shell.findCommand(file) : undefined
    if (found === undefined) {
      yield* write(sys, 2, `${name}: ${file}: ${strerror(opened.errno)}\n`)
      return opened.errno === 'ENOENT' ? 127 : 126
    }
  } else sys.close(opened.value)
  const stat = sys.stat(file)
  if (stat.ok && stat.value.type === 'directory') {
    yield* write(sys, 2, `${name}: ${file}: Is a directory\n`)
    return 126
  }
  shell.name = file
  shell.positional = operands.slice(1)
  const text = (yield* shell.readFile(opened.ok ? file : shell.findCommand(file)!)) ?? ''
  if (text.slice(0, 80).split('\n', 1)[0]!.includes('\0')) {
    yield* write(sys, 2, `${file}: ${file}: cannot execute binary file\n`)
    return 126
  }
  return yield* runToEnd(shell, text)
}

/** Runs everything that a shell which isn't interactive was given, then its EXIT trap. */
export function* runToEnd(shell: Shell, text: string, name?: string): Body<number> {
  let status: number
  try {
    status = yield* runSource(shell, text, name === undefined ? {} : { name })
  } catch (thrown) {
    status = yield* endStatus(shell, thrown)
  }
  return yield* runExitTrap(shell, status)
}

/** Commands from a pipe or a file: one complete command at a time, so that `read` gets what follows. */
function* runStandardInput(shell: Shell): Body<number> {
  let pending = ''
  let firstLine = 1
  let line = 1
  let status = 0
  try {
    for (;;) {
      const next = yield* takeLine(shell.sys)
      if (next === undefined && pending === '') break
      if (next !== undefined) {
        pending += next
        line++
      }
      const parsed = shell.parse(pending)
      if (parsed.mistake?.incomplete && next !== undefined) continue
      shell.firstLine = firstLine
      const text = pending
      pending = ''
      firstLine = line
      try {
        status = yield* runSource(shell, text)
      } catch (thrown) {
        if (
          !(thrown instanceof ExpansionError && !thrown.fatal) &&
          !(thrown instanceof RedirectionError) &&
          !(thrown instanceof ReadonlyVariable) &&
          !(thrown instanceof Interrupted)
        )
          throw thrown
        status = yield* endStatus(shell, thrown)
        shell.status = status
      }
      if (next === undefined) break
    }
  } catch (thrown) {
    status = yield* endStatus(shell, thrown)
  }
  return yield* runExitTrap(shell, status)
}

function* takeLine(sys: Sys): Body<string | undefined> {
  const bytes: number[] = []
  for (;;) {
    const got = yield* sys.read(0, 1)
    if (!got.ok && got.errno === 'EINTR') continue
    if (!got.ok || got.value.length === 0) return bytes.length > 0 ? decodeText(Uint8Array.from(bytes)) : undefined
    bytes.push(got.value[0]!)
    if (got.value[0] === 10) return decodeText(Uint8Array.from(bytes))
  }
}

/** The shells of an image, which complete with what its rooms say of their tools. */
export function shells(completions: Completions): Program[] {
  const withWords = (sys: Sys, argv: string[]) => main(sys, argv, completions)
  return [
    { ...bash, main: withWords },
    { ...sh, main: withWords },
  ]
}

export const bash: Program = { name: 'bash', paths: ['/usr/bin/bash'], main: (sys, argv) => main(sys, argv) }
/** Debian's /bin/sh is dash: the same grammar as far as articles go, dash's wording. */
export const sh: Program = { name: 'sh', paths: ['/usr/bin/sh', '/usr/bin/dash'], main: (sys, argv) => main(sys, argv) }

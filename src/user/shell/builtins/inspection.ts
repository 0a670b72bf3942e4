/** type, command, builtin, hash, help, history, times, caller, enable. */
import type { Body } from '#kernel/core'
import { runForked } from '../execute.ts'
import type { Shell } from '../shell.ts'
import { execute } from '../simple.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'
import { builtins } from './index.ts'

const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'case',
  'esac',
  'for',
  'select',
  'while',
  'until',
  'do',
  'done',
  'in',
  'function',
  'time',
  '{',
  '}',
  '!',
  '[[',
  ']]',
  'coproc',
])

type Kind = 'alias' | 'keyword' | 'function' | 'builtin' | 'file'

function kindOf(shell: Shell, name: string, only?: string): Kind | undefined {
  if (only === undefined) {
    if (shell.aliases.has(name)) return 'alias'
    if (KEYWORDS.has(name)) return 'keyword'
    if (shell.functions.has(name)) return 'function'
    if (builtins.has(name)) return 'builtin'
  }
  if (name.includes('/')) return shell.sys.access(name, 'x').ok ? 'file' : undefined
  return shell.findCommand(name) ? 'file' : undefined
}

/** A function as `type` and `declare -f` show it: bash lays the tree out anew, here it is as it was written. */
export function functionText(shell: Shell, name: string): string {
  const text = shell.functions.get(name)!.text
  const body = /\{([\s\S]*)\}\s*$/.exec(text)
  if (!body) return `${name} () \n${text}`
  const lines = body[1]!
    .split('\n')
    .flatMap((line) => (body[1]!.includes('\n') ? [line] : line.split(';')))
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const indented = lines.map(
    (line, i) =>
      `    ${line.replace(/;$/, '')}${i < lines.length - 1 && !/[{;&]$|\b(do|then|else)$/.test(line) ? ';' : ''}`,
  )
  return `${name} () \n{ \n${indented.join('\n')}\n}`
}

export function* describe(shell: Shell, name: string, long: boolean): Body<boolean> {
  const kind = kindOf(shell, name)
  switch (kind) {
    case undefined:
      return false
    case 'alias':
      yield* shell.print(
        long ? `${name} is aliased to \`${shell.aliases.get(name)}'\n` : `alias ${name}='${shell.aliases.get(name)}'\n`,
      )
      break
    case 'keyword':
      yield* shell.print(long ? `${name} is a shell keyword\n` : `${name}\n`)
      break
    case 'function':
      yield* shell.print(long ? `${name} is a function\n${functionText(shell, name)}\n` : `${name}\n`)
      break
    case 'builtin':
      yield* shell.print(long ? `${name} is a shell builtin\n` : `${name}\n`)
      break
    case 'file': {
      const hashed = shell.hash.get(name)
      const path = name.includes('/') ? name : (hashed?.path ?? shell.findCommand(name)!)
      yield* shell.print(long ? (hashed ? `${name} is hashed (${path})\n` : `${name} is ${path}\n`) : `${path}\n`)
    }
  }
  return true
}

/** Runs words as a command, not as a function. */
function* runDirectly(shell: Shell, words: string[]): Body<number> {
  const builtin = builtins.get(words[0]!)
  if (builtin) return yield* builtin(shell, words)
  return yield* runForked(shell, words.join(' '), function* (child) {
    return yield* execute(child, words)
  })
}

export const inspection: Record<string, Builtin> = {
  *type(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'afptP', 'type [-afptP] name [name ...]')
    if (!parsed) return 2
    const { options, operands } = parsed
    let status = 0
    for (const name of operands) {
      const kind = kindOf(shell, name, options.has('P') ? 'file' : undefined)
      if (!kind) {
        if (!options.has('t') && !options.has('p') && !options.has('P'))
          yield* complain(shell, argv, `${name}: not found`)
        status = 1
      } else if (options.has('t')) yield* shell.print(`${kind}\n`)
      else if (options.has('p') || options.has('P')) {
        if (kind === 'file')
          yield* shell.print(`${name.includes('/') ? name : (shell.hash.get(name)?.path ?? shell.findCommand(name))}\n`)
      } else {
        yield* describe(shell, name, true)
        if (options.has('a') && kind !== 'file') {
          const path = shell.findCommand(name)
          if (path) yield* shell.print(`${name} is ${path}\n`)
        }
      }
    }
    return status
  },
  *command(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'pvV', 'command [-pVv] command [arg ...]')
    if (!parsed) return 2
    const { options, operands } = parsed
    if (operands.length === 0) return 0
    if (options.has('v') || options.has('V')) {
      let status = 1
      for (const name of operands) {
        if (yield* describe(shell, name, options.has('V'))) status = 0
        else if (options.has('V')) yield* complain(shell, argv, `${name}: not found`)
      }
      return status
    }
    return yield* runDirectly(shell, operands)
  },
  *builtin(shell, argv) {
    const [, name, ...rest] = argv
    if (name === undefined) return 0
    const builtin = builtins.get(name)
    if (!builtin) {
      yield* complain(shell, argv, `${name}: not a shell builtin`)
      return 1
    }
    return yield* builtin(shell, [name, ...rest])
  },
  *hash(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'lrp:dt', 'hash [-lr] [-p pathname] [-dt] [name ...]')
    if (!parsed) return 2
    const { options, operands } = parsed
    if (options.has('r')) shell.hash.clear()
    else if (operands.length === 0) {
      if (shell.hash.size === 0) yield* shell.print('hash: hash table empty\n')
      else
        yield* shell.print(
          `hits\tcommand\n${[...shell.hash.values()].map(({ path, hits }) => `${String(hits).padStart(4)}\t${path}\n`).join('')}`,
        )
    }
    let status = 0
    for (const name of operands) {
      if (options.has('d')) shell.hash.delete(name)
      else if (options.has('p')) shell.hash.set(name, { path: options.get('p')!, hits: 0 })
      else {
        const path = shell.findCommand(name)
        if (path && options.has('t')) yield* shell.print(`${path}\n`)
        else if (path) shell.hash.set(name, { path, hits: 0 })
        else {
          yield* complain(shell, argv, `${name}: not found`)
          status = 1
        }
      }
    }
    return status
  },
  *help(shell, argv) {
    const wanted = argv.slice(1).filter((word) => !word.startsWith('-'))
    if (wanted.length === 0) {
      yield* shell.print(
        'GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\nThese shell commands are defined internally.\n\n',
      )
      yield* shell.print(`${[...builtins.keys()].sort().join('\n')}\n`)
      return 0
    }
    for (const name of wanted) {
      if (!builtins.has(name) && !KEYWORDS.has(name)) {
        yield* shell.complain(
          `help: no help topics match \`${name}'.  Try \`help help' or \`man -k ${name}' or \`info ${name}'.`,
        )
        return 1
      }
      yield* shell.print(`${name}: ${name} is a shell ${builtins.has(name) ? 'builtin' : 'keyword'}; see bash(1).\n`)
    }
    return 0
  },
  *history(shell, argv) {
    const parsed = yield* readOptions(
      shell,
      argv,
      'cd:anrwps',
      'history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg...]',
    )
    if (!parsed) return 2
    if (parsed.options.has('c')) shell.history.length = 0
    const deleted = parsed.options.get('d')
    if (deleted !== undefined) shell.history.splice(Number(deleted) - 1, 1)
    if (parsed.options.size > 0) return 0
    const count = parsed.operands[0] === undefined ? shell.history.length : Number(parsed.operands[0])
    const start = Math.max(0, shell.history.length - count)
    yield* shell.print(
      shell.history
        .slice(start)
        .map(({ text }, i) => `${String(start + i + 1).padStart(5)}  ${text}\n`)
        .join(''),
    )
    return 0
  },
  *times(shell) {
    const { user, system, childUser, childSystem } = shell.sys.times()
    const show = (ns: number) => {
      const ms = Math.floor(ns / 1e6)
      return `${Math.floor(ms / 60000)}m${Math.floor(ms / 1000) % 60}.${String(ms % 1000).padStart(3, '0')}s`
    }
    yield* shell.print(`${show(user)} ${show(system)}\n${show(childUser)} ${show(childSystem)}\n`)
    return 0
  },
  *caller(shell) {
    if (shell.functionDepth === 0) return 1
    yield* shell.print(`${shell.line} ${shell.callStack[1] ?? 'main'} ${shell.name}\n`)
    return 0
  },
  *enable(shell, argv) {
    if (argv.length > 1) {
      yield* shell.complain('enable: not modelled')
      return 1
    }
    yield* shell.print(
      [...builtins.keys()]
        .sort()
        .map((name) => `enable ${name}\n`)
        .join(''),
    )
    return 0
  },
}

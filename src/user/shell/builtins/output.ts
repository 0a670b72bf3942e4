/** echo, printf, test. */
import type { Body } from '#kernel/core'
import { formatPrintf, unescapeEcho } from '../printf.ts'
import type { Shell } from '../shell.ts'
import { runTest } from '../test-command.ts'
import { formatTime } from '../time.ts'
import { isSet } from '../variables.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'

function* emit(shell: Shell, argv: readonly string[], text: string): Body<number> {
  if (text === '') return 0
  const written = yield* shell.print(text)
  if (written) return 0
  yield* complain(shell, argv, 'write error: Broken pipe')
  return 1
}

function* test(shell: Shell, argv: string[]): Body<number> {
  let args = argv.slice(1)
  if (argv[0] === '[') {
    if (args[args.length - 1] !== ']') {
      yield* complain(shell, argv, "missing `]'")
      return 2
    }
    args = args.slice(0, -1)
  }
  const result = runTest(
    {
      sys: shell.sys,
      isSet: (name) =>
        shell.variables.dynamic.has(name) ||
        isSet(shell.variables.find(name)) ||
        shell.getParameter(name) !== undefined,
      isOption: (name) => shell.options.has(name),
    },
    args,
  )
  if (result.error) yield* complain(shell, argv, result.error)
  return result.status
}

export const output: Record<string, Builtin> = {
  *echo(shell, argv) {
    let escapes = shell.shopt.has('xpg_echo') || shell.posix
    let newline = true
    let i = 1
    for (; i < argv.length && /^-[neE]+$/.test(argv[i]!); i++) {
      for (const letter of argv[i]!.slice(1)) {
        if (letter === 'n') newline = false
        else escapes = letter === 'e'
      }
    }
    let text = argv.slice(i).join(' ')
    if (escapes) {
      const result = unescapeEcho(text, false)
      text = result.text
      if (result.stop) newline = false
    }
    return yield* emit(shell, argv, newline ? `${text}\n` : text)
  },
  *printf(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'v:', 'printf [-v var] format [arguments]')
    if (!parsed) return 2
    if (parsed.operands.length === 0) {
      yield* shell.print('printf: usage: printf [-v var] format [arguments]\n', 2)
      return 2
    }
    const [format, ...args] = parsed.operands as [string, ...string[]]
    const result = formatPrintf(datesIn(shell, format), args)
    for (const error of result.errors) yield* shell.complain(error)
    const name = parsed.options.get('v')
    if (name !== undefined) {
      const element = /^(\w+)\[(.*)\]$/.exec(name)
      shell.assignElement(element ? element[1]! : name, element?.[2], result.output)
      return result.status
    }
    const status = yield* emit(shell, argv, result.output)
    return status || result.status
  },
  test,
  '[': test,
}

/** %(FORMAT)T: the time now. */
function datesIn(shell: Shell, format: string): string {
  if (!format.includes('%(')) return format
  return format.replace(/%\(([^)]*)\)T/g, (_, inner: string) => {
    const { s } = shell.sys.realtime()
    return formatTime(inner === '' ? '%H:%M:%S' : inner, s).replaceAll('%', '%%')
  })
}

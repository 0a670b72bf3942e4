/** Flow: exit, return, break, eval, exec, source, true, false, shift, trap. */
import { type Body, SIGNALS, type Signal } from '#kernel/core'
import { BreakLoop, ExitShell, ReturnFromFunction } from '../errors.ts'
import { runSource } from '../execute.ts'
import { calculate } from '../expand.ts'
import { quoteSingle } from '../printf.ts'
import type { Shell } from '../shell.ts'
import { execute } from '../simple.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'

function* numeric(shell: Shell, argv: string[], fallback: number): Body<number | undefined> {
  const text = argv[1] === '--' ? argv[2] : argv[1]
  if (text === undefined) return fallback
  if (!/^\s*[-+]?\d+\s*$/.test(text)) {
    yield* complain(shell, argv, `${text}: numeric argument required`)
    return undefined
  }
  return Number(text)
}

function leaveLoop(kind: 'break' | 'continue'): Builtin {
  return function* (shell, argv) {
    const levels = yield* numeric(shell, argv, 1)
    if (levels === undefined) throw new ExitShell(128)
    if (shell.loopDepth === 0) {
      yield* complain(shell, argv, "only meaningful in a `for', `while', or `until' loop")
      return 0
    }
    if (levels < 1) {
      yield* complain(shell, argv, `${levels}: loop count out of range`)
      throw new BreakLoop('break', shell.loopDepth)
    }
    throw new BreakLoop(kind, Math.min(levels, shell.loopDepth))
  }
}

const source: Builtin = function* (shell, argv) {
  const parsed = yield* readOptions(shell, argv, '', `${argv[0]} filename [arguments]`)
  if (!parsed) return 2
  const [file, ...args] = parsed.operands
  if (file === undefined) {
    yield* complain(shell, argv, 'filename argument required')
    yield* shell.print(`${argv[0]}: usage: ${argv[0]} filename [arguments]\n`, 2)
    return 2
  }
  const path = file.includes('/') ? file : (shell.findCommand(file) ?? file)
  const stat = shell.sys.stat(path)
  if (stat.ok && stat.value.type === 'directory') {
    yield* complain(shell, argv, `${file}: is a directory`)
    return 1
  }
  const text = yield* shell.readFile(path)
  if (text === undefined) {
    yield* shell.complain(`${file}: No such file or directory`)
    return 1
  }
  const before = { positional: shell.positional, mode: shell.mode, name: shell.name, firstLine: shell.firstLine }
  if (args.length > 0) shell.positional = args
  shell.sourceDepth++
  const { name } = shell
  try {
    if (shell.mode === 'interactive') Object.assign(shell, { mode: 'script', name: file })
    shell.firstLine = 1
    shell.status = 0
    return yield* runSource(shell, text)
  } catch (thrown) {
    if (thrown instanceof ReturnFromFunction) return thrown.status
    throw thrown
  } finally {
    shell.sourceDepth--
    shell.mode = before.mode
    shell.name = name
    shell.firstLine = before.firstLine
    if (args.length > 0) shell.positional = before.positional
  }
}

const trap: Builtin = function* (shell, argv) {
  const usage = 'trap [-lp] [[arg] signal_spec ...]'
  const parsed = yield* readOptions(shell, argv[1] === '-' ? [argv[0]!] : argv, 'lp', usage)
  if (!parsed) return 2
  let { operands } = parsed
  if (argv[1] === '-') operands = argv.slice(1)
  if (parsed.options.has('l')) {
    yield* shell.print(listSignals())
    return 0
  }
  if (parsed.options.has('p') || operands.length === 0) {
    const wanted = operands.map((name) => trapName(name))
    const order = ['EXIT', ...Object.keys(SIGNALS), 'DEBUG', 'ERR', 'RETURN']
    for (const name of order) {
      const command = shell.traps.get(name)
      if (command === undefined || (operands.length > 0 && !wanted.includes(name))) continue
      yield* shell.print(`trap -- ${quoteSingle(command)} ${name}\n`)
    }
    return 0
  }
  let [command, ...names] = operands as [string, ...string[]]
  // A number first, alone or not, resets.
  if (names.length === 0 || /^\d+$/.test(command)) {
    if (names.length === 0 && trapName(command) === undefined) {
      yield* shell.print(`trap: usage: ${usage}\n`, 2)
      return 2
    }
    names = operands
    command = '-'
  }
  let status = 0
  for (const given of names) {
    const name = trapName(given)
    if (!name) {
      yield* complain(shell, argv, `${given}: invalid signal specification`)
      status = 1
      continue
    }
    if (command === '-') shell.traps.delete(name)
    else shell.traps.set(name, command)
    if (!(name in SIGNALS)) continue
    const signal = name as Signal
    if (command === '-') shell.sys.sigaction(signal, 'default')
    else if (command === '') shell.sys.sigaction(signal, 'ignore')
    else shell.sys.sigaction(signal, () => shell.pendingTraps.push(name))
  }
  return status
}

/** EXIT, ERR, SIGINT ...; undefined if there is no such signal. */
export function trapName(given: string): string | undefined {
  if (given === '0') return 'EXIT'
  if (/^\d+$/.test(given)) return Object.entries(SIGNALS).find(([, number]) => number === Number(given))?.[0]
  const name = given.toUpperCase()
  if (['EXIT', 'ERR', 'DEBUG', 'RETURN'].includes(name)) return name
  const full = name.startsWith('SIG') ? name : `SIG${name}`
  return full in SIGNALS ? full : undefined
}

/** `kill -l`: five in a line. The real-time signals aren't modelled, and not listed. */
export function listSignals(): string {
  const cells = Object.entries(SIGNALS).map(([name, number]) => `${String(number).padStart(2)}) ${name}`)
  let text = ''
  cells.forEach((cell, i) => {
    text += cell + ((i + 1) % 5 === 0 || i === cells.length - 1 ? '\n' : '\t')
  })
  return text
}

export const control: Record<string, Builtin> = {
  *':'() {
    return 0
  },
  *true() {
    return 0
  },
  *false() {
    return 1
  },
  *exit(shell, argv) {
    if (shell.mode === 'interactive' && shell.subshellDepth === 0 && shell.notices) yield* shell.print('exit\n', 2)
    const status = yield* numeric(shell, argv, shell.status)
    if (argv.length > 2 && status !== undefined) {
      yield* complain(shell, argv, 'too many arguments')
      return 1
    }
    throw new ExitShell(status === undefined ? 2 : status & 0xff)
  },
  *logout(shell, argv) {
    yield* complain(shell, argv, "not login shell: use `exit'")
    return 1
  },
  *return(shell, argv) {
    if (shell.functionDepth === 0 && shell.sourceDepth === 0) {
      yield* complain(shell, argv, "can only `return' from a function or sourced script")
      return 2
    }
    const status = yield* numeric(shell, argv, shell.status)
    throw new ReturnFromFunction(status === undefined ? 2 : status & 0xff)
  },
  break: leaveLoop('break'),
  continue: leaveLoop('continue'),
  *eval(shell, argv) {
    const parsed = yield* readOptions(shell, argv, '', 'eval [arg ...]')
    if (!parsed) return 2
    if (parsed.operands.length === 0) return 0
    shell.status = 0
    return yield* runSource(shell, parsed.operands.join(' '), { name: 'eval', firstLine: shell.line })
  },
  *exec(shell, argv) {
    const parsed = yield* readOptions(
      shell,
      argv,
      'cla:',
      'exec [-cl] [-a name] [command [argument ...]] [redirection ...]',
    )
    if (!parsed) return 2
    if (parsed.operands.length === 0) return 0
    const name = parsed.operands[0]!
    const argv0 = parsed.options.get('a') ?? (parsed.options.has('l') ? `-${name}` : name)
    const path = name.includes('/') ? name : shell.findCommand(name)
    const cannot = path === undefined || !shell.sys.access(path, 'x').ok
    if (cannot && shell.mode === 'interactive' && shell.subshellDepth === 0) {
      const missing = path === undefined || !shell.sys.stat(path).ok
      yield* complain(
        shell,
        argv,
        path === undefined
          ? `${name}: not found`
          : `${name}: ${missing ? 'No such file or directory' : 'Permission denied'}`,
      )
      return missing ? 127 : 126
    }
    if (parsed.options.has('c'))
      for (const variable of shell.variables.names()) shell.variables.find(variable)!.exported = false
    for (const signal of shell.traps.keys())
      if (signal in SIGNALS && shell.traps.get(signal) !== '') shell.sys.sigaction(signal as Signal, 'default')
    const status = yield* execute(shell, parsed.operands, { argv0, complaint: `exec: ${name}: not found` })
    throw new ExitShell(status)
  },
  '.': source,
  source,
  *shift(shell, argv) {
    const count = argv[1] === undefined ? 1 : /^-?\d+$/.test(argv[1]) ? Number(argv[1]) : undefined
    if (count === undefined) {
      yield* complain(shell, argv, `${argv[1]}: numeric argument required`)
      return 1
    }
    if (count < 0) {
      yield* complain(shell, argv, `${argv[1]}: shift count out of range`)
      return 1
    }
    if (count > shell.positional.length) return 1
    shell.positional = shell.positional.slice(count)
    return 0
  },
  *let(shell, argv) {
    if (argv.length < 2) {
      yield* complain(shell, argv, 'expression expected')
      return 1
    }
    let value = 0n
    for (const expression of argv.slice(1)) {
      try {
        value = calculate(shell, expression)
      } catch (thrown) {
        if (!(thrown instanceof Error)) throw thrown
        yield* complain(shell, argv, thrown.message)
        return 1
      }
    }
    return value === 0n ? 1 : 0
  },
  trap,
}

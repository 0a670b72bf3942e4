/** cd, pwd, pushd, popd, dirs. */
import { type Body, strerror } from '#kernel/core'
import type { Shell } from '../shell.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'

/** A path without `.`, `..` and double slashes. */
function normalize(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `/${parts.join('/')}`
}

function* change(shell: Shell, argv: readonly string[], directory: string, physical: boolean): Body<boolean> {
  const before = shell.variables.get('PWD') ?? shell.sys.getcwd()
  const logical = normalize(directory.startsWith('/') ? directory : `${before}/${directory}`)
  const done = shell.sys.chdir(physical ? directory : logical)
  if (!done.ok) {
    yield* complain(shell, argv, `${directory}: ${strerror(done.errno)}`)
    return false
  }
  shell.export('OLDPWD', before)
  shell.export('PWD', physical ? shell.sys.getcwd() : logical)
  return true
}

const tilde = (shell: Shell, path: string) => {
  const home = shell.variables.get('HOME')
  return home && home !== '/' && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path
}

function* showStack(shell: Shell): Body<void> {
  const all = [shell.variables.get('PWD') ?? shell.sys.getcwd(), ...shell.directoryStack]
  yield* shell.print(`${all.map((path) => tilde(shell, path)).join(' ')}\n`)
}

export const directories: Record<string, Builtin> = {
  *cd(shell, argv) {
    const parsed = yield* readOptions(
      shell,
      argv[1] === '-' ? [argv[0]!, '--', ...argv.slice(1)] : argv,
      'LPe@',
      'cd [-L|[-P [-e]] [-@]] [dir]',
    )
    if (!parsed) return 2
    if (parsed.operands.length > 1) {
      yield* complain(shell, argv, 'too many arguments')
      return 1
    }
    let directory: string | undefined = parsed.operands[0]
    let show = false
    if (directory === undefined) {
      directory = shell.variables.get('HOME')
      if (directory === undefined) {
        yield* complain(shell, argv, 'HOME not set')
        return 1
      }
    } else if (directory === '-') {
      directory = shell.variables.get('OLDPWD')
      if (directory === undefined) {
        yield* complain(shell, argv, 'OLDPWD not set')
        return 1
      }
      show = true
    } else if (directory !== '' && !/^\.{0,2}\//.test(directory) && directory !== '.' && directory !== '..') {
      for (const base of (shell.variables.get('CDPATH') ?? '').split(':').filter(Boolean)) {
        const candidate = `${base}/${directory}`
        const stat = shell.sys.stat(candidate)
        if (stat.ok && stat.value.type === 'directory') {
          directory = candidate
          show = true
          break
        }
      }
    }
    if (directory === '') return 0
    if (!(yield* change(shell, argv, directory!, parsed.options.has('P')))) return 1
    if (show) yield* shell.print(`${shell.variables.get('PWD')}\n`)
    return 0
  },
  *pwd(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'LP', 'pwd [-LP]')
    if (!parsed) return 2
    yield* shell.print(
      `${parsed.options.has('P') ? shell.sys.getcwd() : (shell.variables.get('PWD') ?? shell.sys.getcwd())}\n`,
    )
    return 0
  },
  *pushd(shell, argv) {
    const here = shell.variables.get('PWD') ?? shell.sys.getcwd()
    const target = argv[1]
    if (target === undefined) {
      const next = shell.directoryStack[0]
      if (next === undefined) {
        yield* complain(shell, argv, 'no other directory')
        return 1
      }
      if (!(yield* change(shell, argv, next, false))) return 1
      shell.directoryStack[0] = here
    } else if (/^[+-]\d+$/.test(target)) {
      const all = [here, ...shell.directoryStack]
      const count = Number(target.slice(1))
      const at = target[0] === '+' ? count : all.length - 1 - count
      if (at < 0 || at >= all.length) {
        yield* complain(shell, argv, `${target}: directory stack index out of range`)
        return 1
      }
      const turned = [...all.slice(at), ...all.slice(0, at)]
      if (!(yield* change(shell, argv, turned[0]!, false))) return 1
      shell.directoryStack = turned.slice(1)
    } else {
      if (!(yield* change(shell, argv, target, false))) return 1
      shell.directoryStack.unshift(here)
    }
    yield* showStack(shell)
    return 0
  },
  *popd(shell, argv) {
    const next = shell.directoryStack[0]
    if (next === undefined) {
      yield* complain(shell, argv, 'directory stack empty')
      return 1
    }
    if (!(yield* change(shell, argv, next, false))) return 1
    shell.directoryStack.shift()
    yield* showStack(shell)
    return 0
  },
  *dirs(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'clpv', 'dirs [-clpv] [+N] [-N]')
    if (!parsed) return 2
    const all = [shell.variables.get('PWD') ?? shell.sys.getcwd(), ...shell.directoryStack]
    if (parsed.options.has('c')) shell.directoryStack = []
    else if (parsed.options.has('v'))
      yield* shell.print(all.map((path, i) => `${String(i).padStart(2)}  ${tilde(shell, path)}\n`).join(''))
    else if (parsed.options.has('p')) yield* shell.print(all.map((path) => `${tilde(shell, path)}\n`).join(''))
    else yield* showStack(shell)
    return 0
  },
}

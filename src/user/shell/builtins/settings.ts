/** set, shopt, umask, ulimit, alias, unalias. */
import type { Body } from '#kernel/core'
import { quoteSingle } from '../printf.ts'
import type { Shell } from '../shell.ts'
import { sortedKeys } from '../variables.ts'
import { type Builtin, complain, readOptions } from './builtin.ts'

const SET_OPTIONS: [string, string | undefined][] = [
  ['allexport', 'a'],
  ['braceexpand', 'B'],
  ['emacs', undefined],
  ['errexit', 'e'],
  ['errtrace', 'E'],
  ['functrace', 'T'],
  ['hashall', 'h'],
  ['histexpand', 'H'],
  ['history', undefined],
  ['ignoreeof', undefined],
  ['interactive-comments', undefined],
  ['keyword', 'k'],
  ['monitor', 'm'],
  ['noclobber', 'C'],
  ['noexec', 'n'],
  ['noglob', 'f'],
  ['nolog', undefined],
  ['notify', 'b'],
  ['nounset', 'u'],
  ['onecmd', 't'],
  ['physical', 'P'],
  ['pipefail', undefined],
  ['posix', undefined],
  ['privileged', 'p'],
  ['verbose', 'v'],
  ['vi', undefined],
  ['xtrace', 'x'],
]
const SHOPTS = [
  'autocd',
  'assoc_expand_once',
  'cdable_vars',
  'cdspell',
  'checkhash',
  'checkjobs',
  'checkwinsize',
  'cmdhist',
  'compat31',
  'compat32',
  'compat40',
  'compat41',
  'compat42',
  'compat43',
  'compat44',
  'complete_fullquote',
  'direxpand',
  'dirspell',
  'dotglob',
  'execfail',
  'expand_aliases',
  'extdebug',
  'extglob',
  'extquote',
  'failglob',
  'force_fignore',
  'globasciiranges',
  'globskipdots',
  'globstar',
  'gnu_errfmt',
  'histappend',
  'histreedit',
  'histverify',
  'hostcomplete',
  'huponexit',
  'inherit_errexit',
  'interactive_comments',
  'lastpipe',
  'lithist',
  'localvar_inherit',
  'localvar_unset',
  'login_shell',
  'mailwarn',
  'no_empty_cmd_completion',
  'nocaseglob',
  'nocasematch',
  'noexpand_translation',
  'nullglob',
  'patsub_replacement',
  'progcomp',
  'progcomp_alias',
  'promptvars',
  'restricted_shell',
  'shift_verbose',
  'sourcepath',
  'varredir_close',
  'xpg_echo',
]

function setOption(shell: Shell, name: string, on: boolean): void {
  if (on) shell.options.add(name)
  else shell.options.delete(name)
  if (name === 'monitor') shell.monitor = on
}

/** `set` alone: every variable, then the functions. */
function* listAll(shell: Shell): Body<void> {
  let text = ''
  for (const name of shell.variables.names()) {
    const variable = shell.variables.find(name)!
    if (variable.array) {
      const elements = sortedKeys(variable).map((key) => `[${key}]="${variable.array!.get(key)}"`)
      text += `${name}=(${elements.join(' ')})\n`
    } else text += `${name}=${quoteIfNeeded(variable.value ?? '')}\n`
  }
  yield* shell.print(text)
}

function quoteIfNeeded(text: string): string {
  return /[^\w@%+=:,./-]/.test(text) ? quoteSingle(text) : text
}

/** Takes the options of `set` and of bash's own command line; gives the index of the first operand, or a complaint. */
export function applySetOptions(
  shell: Shell,
  words: readonly string[],
): { next: number; operands: boolean; bad?: string; list?: string } {
  let i = 0
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') return { next: i + 1, operands: true }
    if (word === '-') {
      shell.options.delete('xtrace')
      shell.options.delete('verbose')
      return { next: i + 1, operands: i + 1 < words.length }
    }
    if (word.length < 2 || (word[0] !== '-' && word[0] !== '+')) break
    const on = word[0] === '-'
    for (const letter of word.slice(1)) {
      if (letter === 'o') {
        const name = words[i + 1]
        if (name === undefined) return { next: words.length, operands: false, list: on ? 'table' : 'commands' }
        i++
        if (!SET_OPTIONS.some(([known]) => known === name))
          return { next: i, operands: false, bad: `${name}: invalid option name` }
        setOption(shell, name, on)
        continue
      }
      const found = SET_OPTIONS.find(([, known]) => known === letter)
      if (!found) return { next: i, operands: false, bad: `${word[0]}${letter}: invalid option` }
      setOption(shell, found[0], on)
    }
  }
  return { next: i, operands: i < words.length }
}

export const settings: Record<string, Builtin> = {
  *set(shell, argv) {
    if (argv.length === 1) {
      yield* listAll(shell)
      return 0
    }
    const words = argv.slice(1)
    const applied = applySetOptions(shell, words)
    if (applied.bad) {
      yield* complain(shell, argv, applied.bad)
      if (applied.bad.endsWith('invalid option'))
        yield* shell.print('set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]\n', 2)
      return applied.bad.endsWith('invalid option') ? 2 : 1
    }
    if (applied.list) {
      const text = SET_OPTIONS.map(([name]) => {
        const on = shell.options.has(name)
        return applied.list === 'table'
          ? `${name.padEnd(15)}\t${on ? 'on' : 'off'}\n`
          : `set ${on ? '-' : '+'}o ${name}\n`
      })
      yield* shell.print(text.join(''))
      return 0
    }
    if (applied.operands) shell.positional = words.slice(applied.next)
    return 0
  },
  *shopt(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'pqsuo', 'shopt [-pqsu] [-o] [optname ...]')
    if (!parsed) return 2
    const { options, operands } = parsed
    const set = options.has('o') ? shell.options : shell.shopt
    const known = options.has('o') ? SET_OPTIONS.map(([name]) => name) : SHOPTS
    let status = 0
    for (const name of operands) {
      if (!known.includes(name)) {
        yield* complain(shell, argv, `${name}: invalid shell option name`)
        status = 1
      } else if (options.has('s')) set.add(name)
      else if (options.has('u')) set.delete(name)
      else {
        if (!set.has(name)) status = 1
        if (!options.has('q'))
          yield* shell.print(
            options.has('p')
              ? `shopt ${set.has(name) ? '-s' : '-u'} ${name}\n`
              : `${name.padEnd(15)}\t${set.has(name) ? 'on' : 'off'}\n`,
          )
      }
    }
    if (operands.length === 0 && !options.has('q')) {
      const list = known.filter((name) => (options.has('s') ? set.has(name) : options.has('u') ? !set.has(name) : true))
      yield* shell.print(
        list
          .map((name) =>
            options.has('p')
              ? `shopt ${set.has(name) ? '-s' : '-u'} ${name}\n`
              : `${name.padEnd(15)}\t${set.has(name) ? 'on' : 'off'}\n`,
          )
          .join(''),
      )
    }
    return status
  },
  *umask(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'pS', 'umask [-p] [-S] [mode]')
    if (!parsed) return 2
    const mode = parsed.operands[0]
    const current = shell.sys.umask()
    if (mode === undefined) {
      if (parsed.options.has('S')) {
        const bits = (shift: number) => ['r', 'w', 'x'].filter((_, i) => ((current >> shift) & (4 >> i)) === 0).join('')
        yield* shell.print(`u=${bits(6)},g=${bits(3)},o=${bits(0)}\n`)
      } else yield* shell.print(`${parsed.options.has('p') ? 'umask ' : ''}${current.toString(8).padStart(4, '0')}\n`)
      return 0
    }
    if (!/^[0-7]+$/.test(mode)) {
      yield* complain(
        shell,
        argv,
        /^\d/.test(mode) ? `${mode}: octal number out of range` : 'symbolic modes: not modelled',
      )
      return 1
    }
    shell.sys.umask(Number.parseInt(mode, 8) & 0o777)
    return 0
  },
  *ulimit(shell, argv) {
    // Nothing in the simulated kernel is limited but descriptors (RLIMIT_NOFILE).
    if (argv.length === 2 && argv[1] === '-n') {
      yield* shell.print('1024\n')
      return 0
    }
    yield* complain(shell, argv, 'not modelled')
    return 1
  },
  *alias(shell, argv) {
    const words = argv.slice(1).filter((word) => word !== '-p')
    if (words.length === 0) {
      yield* shell.print(
        [...shell.aliases]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => `alias ${name}=${quoteSingle(value)}\n`)
          .join(''),
      )
      return 0
    }
    let status = 0
    for (const word of words) {
      const equals = word.indexOf('=')
      if (equals > 0) shell.aliases.set(word.slice(0, equals), word.slice(equals + 1))
      else if (shell.aliases.has(word)) yield* shell.print(`alias ${word}=${quoteSingle(shell.aliases.get(word)!)}\n`)
      else {
        yield* complain(shell, argv, `${word}: not found`)
        status = 1
      }
    }
    return status
  },
  *unalias(shell, argv) {
    if (argv[1] === '-a') {
      shell.aliases.clear()
      return 0
    }
    let status = 0
    for (const name of argv.slice(1)) {
      if (shell.aliases.delete(name)) continue
      yield* complain(shell, argv, `${name}: not found`)
      status = 1
    }
    return status
  },
}

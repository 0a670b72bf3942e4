/** declare, local, export, readonly, unset. */
import type { Body } from '#kernel/core'
import { assignArray, takeArray } from '../assign.ts'
import { quoteSingle } from '../printf.ts'
import type { Shell } from '../shell.ts'
import { sortedKeys, toArray, type Variable } from '../variables.ts'
import { type Builtin, complain, isName, readOptions } from './builtin.ts'
import { functionText } from './inspection.ts'

function quoteDouble(text: string): string {
  return `"${text.replace(/["\\$`]/g, '\\$&')}"`
}

/** A line of `declare -p`. */
function declaration(shell: Shell, name: string, command = 'declare'): string {
  const variable = shell.variables.findReference(name)!
  const letters = shell.attributes(name)
  const flags = letters === '' ? '--' : `-${letters}`
  if (variable.array) {
    const elements = sortedKeys(variable).map((key) => `[${key}]=${quoteDouble(variable.array!.get(key)!)}`)
    return `${command} ${flags} ${name}=(${elements.join(' ')}${variable.associative && elements.length > 0 ? ' ' : ''})`
  }
  const value = variable.value
  const shown = value === undefined ? '' : `=${/[\x00-\x1f\x7f]/.test(value) ? quoteSingle(value) : quoteDouble(value)}`
  return `${command} ${flags} ${name}${shown}`
}

interface Attributes {
  on: string
  off: string
}

function applyAttributes(variable: Variable, { on, off }: Attributes): void {
  for (const [letters, value] of [
    [on, true],
    [off, false],
  ] as const) {
    for (const letter of letters) {
      if (letter === 'x') variable.exported = value
      else if (letter === 'r' && value) variable.readonly = true
      else if (letter === 'i') variable.integer = value
      else if (letter === 'l') {
        variable.lower = value
        if (value) variable.upper = false
      } else if (letter === 'u') {
        variable.upper = value
        if (value) variable.lower = false
      } else if (letter === 'n') variable.nameref = value
      else if (letter === 'a' && value) toArray(variable)
      else if (letter === 'A' && value) {
        variable.associative = true
        toArray(variable)
      }
    }
  }
}

/** Declares one operand: `name`, `name=value`, `name+=value`, `name[i]=value` or an array. */
function* declareOne(
  shell: Shell,
  argv: readonly string[],
  word: string,
  attributes: Attributes,
  local: boolean,
): Body<boolean> {
  const match = /^([^=+[]+)(\[[^\]]*\])?(\+?=)?([\s\S]*)$/.exec(word)
  const name = match?.[1] ?? word
  if (!match || !isName(name)) {
    yield* complain(shell, argv, `\`${word}': not a valid identifier`)
    return false
  }
  const variable = local
    ? shell.variables.makeLocal(name)
    : attributes.on.includes('n')
      ? (shell.variables.findReference(name) ?? shell.variables.make(name))
      : shell.variables.make(name)
  if (variable.readonly && (match[3] !== undefined || attributes.off.includes('r'))) {
    yield* complain(shell, argv, `${name}: readonly variable`)
    return false
  }
  applyAttributes(variable, { on: attributes.on.replace('r', '').replace('n', ''), off: attributes.off })
  const array = takeArray(word)
  if (array) yield* assignArray(shell, name, array.value, array.append)
  else if (match[3] !== undefined) {
    const key = match[2]?.slice(1, -1)
    const value = match[4]!
    const before = match[3] === '+=' ? (shell.getElement(name, key) ?? '') : ''
    if (attributes.on.includes('n')) variable.value = value
    else
      shell.assignElement(
        name,
        key,
        variable.integer && match[3] === '+=' ? `(${before || 0})+(${value})` : before + value,
      )
  }
  applyAttributes(variable, { on: attributes.on.replace(/[^rn]/g, ''), off: '' })
  return true
}

function readAttributes(argv: readonly string[]): {
  attributes: Attributes
  flags: Set<string>
  operands: string[]
  bad?: string
} {
  const attributes: Attributes = { on: '', off: '' }
  const flags = new Set<string>()
  let i = 1
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      i++
      break
    }
    if (!/^[-+]./.test(word)) break
    for (const letter of word.slice(1)) {
      if ('aAilnrux'.includes(letter)) {
        if (word[0] === '-') attributes.on += letter
        else attributes.off += letter
      } else if ('fFgpIt'.includes(letter)) flags.add(letter)
      else return { attributes, flags, operands: [], bad: `${word[0]}${letter}: invalid option` }
    }
  }
  return { attributes, flags, operands: argv.slice(i) }
}

function declareCommand(kind: 'declare' | 'local'): Builtin {
  return function* (shell, argv) {
    const { attributes, flags, operands, bad } = readAttributes(argv)
    if (bad) {
      yield* complain(shell, argv, bad)
      yield* shell.print(
        `${argv[0]}: usage: ${kind === 'local' ? 'local [option] name[=value] ...' : `${argv[0]} [-aAfFgiIlnrtux] [name[=value] ...] or ${argv[0]} -p [-aAfFilnrtux] [name ...]`}\n`,
        2,
      )
      return 2
    }
    if (kind === 'local' && shell.functionDepth === 0) {
      yield* complain(shell, argv, 'can only be used in a function')
      return 1
    }
    if (flags.has('f') || flags.has('F')) {
      let status = 0
      for (const name of operands.length > 0 ? operands : [...shell.functions.keys()].sort()) {
        if (!shell.functions.has(name)) status = 1
        else
          yield* shell.print(
            flags.has('F')
              ? operands.length > 0
                ? `${name}\n`
                : `declare -f ${name}\n`
              : `${functionText(shell, name)}\n`,
          )
      }
      return status
    }
    if (operands.length === 0) {
      const wanted = attributes.on
      const names = shell.variables
        .names()
        .filter((name) => [...wanted].every((letter) => shell.attributes(name).includes(letter)))
      yield* shell.print(names.map((name) => `${declaration(shell, name)}\n`).join(''))
      return 0
    }
    let status = 0
    for (const word of operands) {
      if (flags.has('p')) {
        const variable = shell.variables.findReference(word)
        if (variable && (variable.value !== undefined || variable.array || shell.attributes(word) !== ''))
          yield* shell.print(`${declaration(shell, word)}\n`)
        else {
          yield* complain(shell, argv, `${word}: not found`)
          status = 1
        }
      } else if (!(yield* declareOne(shell, argv, word, attributes, shell.functionDepth > 0 && !flags.has('g'))))
        status = 1
    }
    return status
  }
}

function attributeCommand(letter: 'x' | 'r'): Builtin {
  return function* (shell, argv) {
    const parsed = yield* readOptions(
      shell,
      argv,
      letter === 'x' ? 'fnp' : 'aAfp',
      letter === 'x'
        ? 'export [-fn] [name[=value] ...] or export -p'
        : 'readonly [-aAf] [name[=value] ...] or readonly -p',
    )
    if (!parsed) return 2
    const { options, operands } = parsed
    if (operands.length === 0) {
      const names = shell.variables.names()
      yield* shell.print(
        names
          .filter((variable) => shell.attributes(variable).includes(letter))
          .map((variable) => `${declaration(shell, variable)}\n`)
          .join(''),
      )
      return 0
    }
    let status = 0
    for (const word of operands) {
      if (options.has('f')) {
        if (!shell.functions.has(word)) {
          yield* complain(shell, argv, `${word}: not a function`)
          status = 1
        }
        continue
      }
      const attributes = options.has('n')
        ? { on: '', off: letter }
        : { on: letter + (options.has('a') ? 'a' : '') + (options.has('A') ? 'A' : ''), off: '' }
      if (!(yield* declareOne(shell, argv, word, attributes, false))) status = 1
    }
    return status
  }
}

export const variables: Record<string, Builtin> = {
  declare: declareCommand('declare'),
  typeset: declareCommand('declare'),
  local: declareCommand('local'),
  export: attributeCommand('x'),
  readonly: attributeCommand('r'),
  *unset(shell, argv) {
    const parsed = yield* readOptions(shell, argv, 'fvn', 'unset [-f] [-v] [-n] [name ...]')
    if (!parsed) return 2
    let status = 0
    for (const word of parsed.operands) {
      const element = /^([A-Za-z_]\w*)\[(.*)\]$/.exec(word)
      if (parsed.options.has('f')) shell.functions.delete(word)
      else if (element) {
        const variable = shell.variables.find(element[1]!)
        if (variable?.array) {
          const key = variable.associative ? element[2]! : String(Number(element[2]))
          if (element[2] === '@' || element[2] === '*') shell.variables.unset(element[1]!)
          else
            variable.array.delete(
              Number(key) < 0 && !variable.associative ? (sortedKeys(variable).at(Number(key)) ?? '') : key,
            )
        }
      } else if (!isName(word)) {
        if (!shell.functions.delete(word)) {
          yield* complain(shell, argv, `\`${word}': not a valid identifier`)
          status = 1
        }
      } else if (
        shell.variables.findReference(word) === undefined &&
        !parsed.options.has('v') &&
        shell.functions.delete(word)
      ) {
        // A function of that name, where there is no variable.
      } else if (!shell.variables.unset(word)) {
        yield* complain(shell, argv, `${word}: cannot unset: readonly variable`)
        status = 1
      }
    }
    return status
  },
}

/** Parameter expansion: $x, ${x:-y}, ${#x}, ${!x}, ${x[i]}, ${x#p}, ${x/p/r}, ${x:o:l}, ${x^^}, ${x@Q}. bash(1), "Parameter Expansion". */
import type { ParameterOperation, Word } from 'unbash'
import type { Body } from '#kernel/core'
import { ExpansionError } from './errors.ts'
import { arithmetic, BREAK, expandPattern, expandSingle, type Pieces, toPieces } from './expand.ts'
import { compilePattern, type Pattern } from './pattern.ts'
import { quoteSingle, unescapeEcho } from './printf.ts'
import type { Shell } from './shell.ts'
import { isSet, sortedKeys } from './variables.ts'

export interface Parameter {
  parameter: string
  prefix?: '!' | '#' | undefined
  index?: Word | undefined
  operation?: ParameterOperation | undefined
  text?: string
}

/** What is expanded: one value, or a list ($@, $*, ${a[@]}, ${a[*]}). */
interface Value {
  values: string[]
  list: '@' | '*' | undefined
  set: boolean
}

function* valueOf(shell: Shell, name: string, index: Word | undefined): Body<Value> {
  if (index) {
    const which = index.text
    const variable = shell.variables.find(name)
    if (which === '@' || which === '*') {
      const dynamic = shell.variables.dynamic.get(name)
      const values =
        name === 'PIPESTATUS'
          ? shell.pipeStatus.map(String)
          : name === 'FUNCNAME'
            ? shell.callStack.slice()
            : dynamic
              ? [dynamic.get()]
              : variable?.array
                ? sortedKeys(variable).map((key) => variable.array!.get(key)!)
                : variable?.value !== undefined
                  ? [variable.value]
                  : []
      return { values, list: which, set: values.length > 0 }
    }
    const key = yield* shell.elementKey(name, index)
    const value = shell.getElement(name, key)
    return { values: value === undefined ? [] : [value], list: undefined, set: value !== undefined }
  }
  if (name === '@' || name === '*')
    return { values: shell.positional.slice(), list: name, set: shell.positional.length > 0 }
  const value = shell.getParameter(name)
  return { values: value === undefined ? [] : [value], list: undefined, set: value !== undefined }
}

/** The pieces that a parameter's expansion is. */
export function* parameterPieces(shell: Shell, part: Parameter, inQuotes: boolean): Body<Pieces> {
  const operation = part.operation
  if (operation?.type === 'Unknown') throw new ExpansionError(`${part.text}: bad substitution`)
  if (operation?.type === 'Names') {
    const names = shell.variables.names().filter((name) => name.startsWith(part.parameter))
    return listPieces(shell, names, operation.operator, inQuotes)
  }
  let name = part.parameter
  let index = part.index
  if (part.prefix === '!') {
    if (index && (index.text === '@' || index.text === '*')) {
      const variable = shell.variables.find(name)
      const keys = variable ? (variable.array ? sortedKeys(variable) : isSet(variable) ? ['0'] : []) : []
      return listPieces(shell, keys, index.text, inQuotes)
    }
    const target = (yield* valueOf(shell, name, index)).values[0]
    if (target === undefined || target === '') {
      if (!operation)
        throw new ExpansionError(
          target === undefined ? `${name}: invalid indirect expansion` : `${target}: invalid variable name`,
        )
      name = ''
    } else {
      const element = /^([A-Za-z_]\w*)\[(.*)\]$/.exec(target)
      if (!element && !/^([A-Za-z_]\w*|\d+|[@*#?$!-])$/.test(target))
        throw new ExpansionError(`${target}: invalid variable name`)
      name = element ? element[1]! : target
      index = element ? shell.parseWord(element[2]!) : undefined
    }
  }
  const value = yield* valueOf(shell, name, index)
  const shown = index ? `${name}[${index.text}]` : name
  if (part.prefix === '#') {
    if (!value.set && !value.list && shell.options.has('nounset')) throw unbound(shown)
    const length = value.list ? value.values.length : [...(value.values[0] ?? '')].length
    return [{ text: String(length), quoted: inQuotes, split: !inQuotes }]
  }
  if (operation?.type === 'Default') return yield* withDefault(shell, shown, value, operation, inQuotes, name, index)
  if (!value.set && shell.options.has('nounset') && !value.list) throw unbound(shown)
  const values = operation ? yield* transform(shell, name, value, operation) : value.values
  return value.list
    ? listPieces(shell, values, value.list, inQuotes)
    : [{ text: values[0] ?? '', quoted: inQuotes, split: !inQuotes }]
}

function unbound(name: string): ExpansionError {
  return new ExpansionError(`${/^\d+$/.test(name) ? `$${name}` : name}: unbound variable`, 1, true)
}

function listPieces(shell: Shell, values: readonly string[], kind: '@' | '*', inQuotes: boolean): Pieces {
  if (kind === '*' && inQuotes) {
    const separator = (shell.variables.get('IFS') ?? ' \t\n').slice(0, 1)
    return [{ text: values.join(separator), quoted: true, split: false }]
  }
  const pieces: Pieces = []
  for (const [i, text] of values.entries()) {
    // Unquoted, an empty element is no field: a separator that is split at will do.
    if (i > 0) pieces.push(inQuotes ? BREAK : { text: ' ', quoted: false, split: true, ...forcedBreak(shell) })
    pieces.push({ text, quoted: inQuotes, split: !inQuotes })
  }
  return pieces
}

/** When IFS has no blank, the elements of an unquoted $@ still stand apart. */
function forcedBreak(shell: Shell): object {
  const ifs = shell.variables.get('IFS')
  return ifs === undefined || ifs.includes(' ') ? {} : { isBreak: true }
}

function* withDefault(
  shell: Shell,
  shown: string,
  value: Value,
  operation: Extract<ParameterOperation, { type: 'Default' }>,
  inQuotes: boolean,
  name: string,
  index: Word | undefined,
): Body<Pieces> {
  const operator = operation.operator
  const empty = operator.startsWith(':') && value.values.every((text) => text === '') && value.values.length <= 1
  const missing = !value.set || empty
  const kind = operator[operator.length - 1]
  if (kind === '+')
    return missing
      ? inQuotes
        ? [{ text: '', quoted: true, split: false }]
        : []
      : yield* toPieces(shell, operation.operand, inQuotes)
  if (!missing) {
    return value.list
      ? listPieces(shell, value.values, value.list, inQuotes)
      : [{ text: value.values[0]!, quoted: inQuotes, split: !inQuotes }]
  }
  if (kind === '-') return yield* toPieces(shell, operation.operand, inQuotes)
  const text = yield* expandSingle(shell, operation.operand)
  if (kind === '?') {
    const message = text === '' ? (operator === ':?' ? 'parameter null or not set' : 'parameter not set') : text
    throw new ExpansionError(`${shown}: ${message}`, 127, true)
  }
  if (!/^[A-Za-z_]/.test(name)) throw new ExpansionError(`$${name}: cannot assign in this way`)
  const key = index ? yield* shell.elementKey(name, index) : undefined
  shell.assignElement(name, key, text)
  return [{ text, quoted: inQuotes, split: !inQuotes }]
}

function* transform(shell: Shell, name: string, value: Value, operation: ParameterOperation): Body<string[]> {
  switch (operation.type) {
    case 'Remove': {
      const pattern = compilePattern(yield* expandPattern(shell, operation.operand))
      return value.values.map((text) => remove(text, pattern, operation.operator))
    }
    case 'Replace': {
      const source = yield* expandPattern(shell, operation.pattern)
      const replacement = yield* expandSingle(shell, operation.replacement)
      if (source === '') return value.values
      const pattern = compilePattern(source)
      return value.values.map((text) => replace(text, pattern, operation.operator, replacement))
    }
    case 'Slice': {
      const offset = Number(yield* arithmetic(shell, operation.offset.text))
      const length = operation.length ? Number(yield* arithmetic(shell, operation.length.text)) : undefined
      if (value.list) {
        // $@ counts from 1, and $0 is its element 0.
        const all = name === '@' || name === '*' ? [shell.name, ...value.values] : value.values
        const start = offset < 0 ? all.length + offset : offset
        if (start < 0) return []
        if (length !== undefined && length < 0) throw new ExpansionError(`${length}: substring expression < 0`)
        return all.slice(
          name === '@' || name === '*' ? Math.max(start, 0) : start,
          length === undefined ? undefined : start + length,
        )
      }
      const chars = [...(value.values[0] ?? '')]
      const start = offset < 0 ? chars.length + offset : offset
      if (start < 0) return ['']
      const end = length === undefined ? chars.length : length < 0 ? chars.length + length : start + length
      if (end < start && length !== undefined && length < 0)
        throw new ExpansionError(`${length}: substring expression < 0`)
      return [chars.slice(start, end).join('')]
    }
    case 'CaseModification': {
      const source = operation.operand ? yield* expandPattern(shell, operation.operand) : '?'
      const pattern = compilePattern(source || '?')
      const change = (char: string) =>
        !pattern.matches(char) ? char : operation.operator.startsWith('^') ? char.toUpperCase() : char.toLowerCase()
      return value.values.map((text) =>
        operation.operator.length === 2
          ? [...text].map(change).join('')
          : text === ''
            ? ''
            : change([...text][0]!) + [...text].slice(1).join(''),
      )
    }
    case 'Transform': {
      const letter = operation.operand.text
      return value.values.map((text) => {
        switch (letter) {
          case 'Q':
            return quoteSingle(text)
          case 'U':
            return text.toUpperCase()
          case 'L':
            return text.toLowerCase()
          case 'u':
            return text.slice(0, 1).toUpperCase() + text.slice(1)
          case 'E':
            return unescapeEcho(text).text
          case 'A':
            return `${name}=${quoteSingle(text)}`
          case 'a':
            return shell.attributes(name)
          default:
            throw new ExpansionError(`\${${name}@${letter}}: bad substitution`)
        }
      })
    }
    default:
      return value.values
  }
}

function remove(text: string, pattern: Pattern, operator: '#' | '##' | '%' | '%%'): string {
  if (operator.startsWith('#')) {
    const lengths = pattern.prefixes(text, 0)
    if (lengths.length === 0) return text
    return text.slice(operator === '#' ? lengths[0] : lengths[lengths.length - 1])
  }
  if (operator === '%') {
    for (let at = text.length; at >= 0; at--) if (pattern.matches(text.slice(at))) return text.slice(0, at)
  } else {
    for (let at = 0; at <= text.length; at++) if (pattern.matches(text.slice(at))) return text.slice(0, at)
  }
  return text
}

function replace(text: string, pattern: Pattern, operator: '/' | '//' | '/#' | '/%', replacement: string): string {
  if (operator === '/#') {
    const lengths = pattern.prefixes(text, 0)
    return lengths.length === 0 ? text : replacement + text.slice(lengths[lengths.length - 1])
  }
  if (operator === '/%') {
    for (let at = 0; at <= text.length; at++)
      if (pattern.matches(text.slice(at))) return text.slice(0, at) + replacement
    return text
  }
  let result = ''
  let at = 0
  while (at < text.length) {
    const lengths = pattern.prefixes(text, at)
    const length = lengths[lengths.length - 1] ?? 0
    if (length === 0) {
      result += text[at++]
      continue
    }
    result += replacement
    at += length
    if (operator === '/') break
  }
  return result + text.slice(at)
}

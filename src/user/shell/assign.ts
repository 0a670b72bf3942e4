/** Assignments of arrays, and those that `declare` and its kin are given. */
import type { ArrayValue, Assignment } from 'unbash'
import type { Body } from '#kernel/core'
import { expandFields, expandSingle } from './expand.ts'
import type { Shell } from './shell.ts'
import { parseWord } from './syntax.ts'
import { sortedKeys, toArray } from './variables.ts'

/** name=(a b [3]=c) */
export function* assignArray(shell: Shell, name: string, value: ArrayValue, append: boolean): Body<void> {
  const elements: { key?: string; value: string }[] = []
  for (const word of value.elements) {
    const keyed = /^\[((?:[^\]\\]|\\.)*)\]\+?=/.exec(word.text)
    if (keyed) {
      const key = yield* shell.elementKey(name, parseWord(keyed[1]!))
      elements.push({ key, value: yield* expandSingle(shell, parseWord(word.text.slice(keyed[0].length))) })
    } else for (const field of yield* expandFields(shell, [word])) elements.push({ value: field })
  }
  setElements(shell, name, elements, append)
}

function setElements(shell: Shell, name: string, elements: { key?: string; value: string }[], append: boolean): void {
  const variable = shell.variables.make(name)
  if (!append || !variable.array) {
    if (append) toArray(variable)
    else shell.variables.setArray(name, [])
  }
  let next = append && !variable.associative ? Math.max(-1, ...sortedKeys(variable).map(Number)) + 1 : 0
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!
    if (variable.associative && element.key === undefined) {
      // bash 5.1: key value key value ...
      shell.assignElement(name, element.value, elements[++i]?.value ?? '')
      continue
    }
    const key = element.key ?? String(next)
    shell.assignElement(name, key, element.value)
    if (!variable.associative) next = Number(key) + 1
  }
}

/** Arrays on their way to `declare`, by the word that stands for them. */
const pendingArrays = new Map<string, { name: string; value: ArrayValue; append: boolean }>()
let pendingCount = 0
const MARK = '\u{f8ff}array:'

/** An argument of `declare`: `name=value`, or a word that `takeArray` knows. */
export function* assignmentOf(shell: Shell, assignment: Assignment): Body<string> {
  const operator = assignment.append ? '+=' : '='
  if (assignment.value.type === 'ArrayValue') {
    const word = `${assignment.name}${operator}${MARK}${pendingCount++}`
    pendingArrays.set(word, { name: assignment.name, value: assignment.value, append: assignment.append ?? false })
    return word
  }
  const index = assignment.index ? `[${yield* shell.elementKey(assignment.name, assignment.index)}]` : ''
  return `${assignment.name}${index}${operator}${yield* expandSingle(shell, assignment.value)}`
}

export function takeArray(word: string): { name: string; value: ArrayValue; append: boolean } | undefined {
  if (!word.includes(MARK)) return undefined
  const found = pendingArrays.get(word)
  pendingArrays.delete(word)
  return found
}

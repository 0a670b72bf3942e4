/** A filter, decided on dissected frames. */
import { RE2JS } from 're2js'
import { type Dissection, FIELDS, type TreeNode } from '#wire/dissect'
import { kindOf, type Operand, parse, type Sign, type Test } from './parse.ts'
import { FilterError, type FilterMistake } from './scan.ts'
import { compare, containsBytes, encode, textOf, type Value } from './values.ts'

/** Whether a frame passes. */
export type DisplayFilter = (frame: Dissection) => boolean

/** Makes a filter of its text; what is wrong with it is told with its place. An empty text lets everything pass. */
export function compileFilter(text: string): { filter: DisplayFilter } | { mistake: FilterMistake } {
  try {
    const test = parse(text)
    if (!test) return { filter: () => true }
    const decide = build(test)
    return { filter: (frame) => decide(new Frame(frame)) }
  } catch (error) {
    if (error instanceof FilterError) return { mistake: error.mistake }
    throw error
  }
}

/** A frame's fields by name, found once. */
class Frame {
  readonly dissection: Dissection
  #nodes: Map<string, { node: TreeNode; layer: number }[]> | undefined

  constructor(dissection: Dissection) {
    this.dissection = dissection
  }

  find(name: string): { node: TreeNode; layer: number }[] {
    this.#nodes ??= indexOf(this.dissection)
    return this.#nodes.get(name) ?? []
  }
}

function indexOf({ nodes }: Dissection): Map<string, { node: TreeNode; layer: number }[]> {
  const index = new Map<string, { node: TreeNode; layer: number }[]>()
  const counts = new Map<string, number>()
  const visit = (node: TreeNode, layers: ReadonlyMap<string, number>): void => {
    const kind = FIELDS.get(node.name)?.kind
    let here = layers
    if (kind === 'protocol') {
      const count = (counts.get(node.name) ?? 0) + 1
      counts.set(node.name, count)
      here = new Map(layers).set(node.name, count)
    }
    if (node.name !== '') {
      const list = index.get(node.name) ?? []
      list.push({ node, layer: here.get(node.name.split('.')[0]!) ?? 1 })
      index.set(node.name, list)
    }
    for (const child of node.children) visit(child, here)
  }
  for (const node of nodes) visit(node, new Map())
  return index
}

type Decide = (frame: Frame) => boolean
type Read = (frame: Frame) => Value[]

function build(test: Test): Decide {
  switch (test.op) {
    case 'and': {
      const [left, right] = [build(test.left), build(test.right)]
      return (frame) => left(frame) && right(frame)
    }
    case 'or': {
      const [left, right] = [build(test.left), build(test.right)]
      return (frame) => left(frame) || right(frame)
    }
    case 'not': {
      const inner = build(test.test)
      return (frame) => !inner(frame)
    }
    case 'exists': {
      const { operand } = test
      if (operand.is === 'field' && operand.layer === undefined)
        return (frame) => frame.find(operand.field.name).length > 0
      const read = reader(operand)
      // `tcp.flags & 2` is true if anything is left.
      return (frame) => read(frame).some((value) => operand.is !== 'arithmetic' || value.number !== 0)
    }
    case 'compare': {
      const [left, right] = [reader(test.left), reader(test.right)]
      const holds = SIGNS[test.sign]
      const { every } = test
      return (frame) => {
        const [mine, others] = [left(frame), right(frame)]
        if (mine.length === 0 || others.length === 0) return false
        const one = (a: Value, b: Value) => {
          const order = compare(a, b)
          return order === undefined ? false : holds(order)
        }
        return every
          ? mine.every((a) => others.every((b) => one(a, b)))
          : mine.some((a) => others.some((b) => one(a, b)))
      }
    }
    case 'in': {
      const left = reader(test.left)
      const set = test.set.map(({ from, to }) => ({ from: reader(from), to: to && reader(to) }))
      return (frame) =>
        left(frame).some((value) =>
          set.some(({ from, to }) => {
            const order = (bound: Value) => compare(value, bound)
            if (!to) return from(frame).some((bound) => order(bound) === 0)
            return (
              from(frame).some((bound) => (order(bound) ?? -1) >= 0) &&
              to(frame).some((bound) => (order(bound) ?? 1) <= 0)
            )
          }),
        )
    }
    case 'contains': {
      const [left, right] = [reader(test.left), reader(test.right)]
      return (frame) => left(frame).some((whole) => right(frame).some((part) => contains(whole, part)))
    }
    case 'matches': {
      const left = reader(test.left)
      let pattern: RE2JS
      try {
        // Not the engine's own: a pattern may come with a link, and must not run away.
        pattern = RE2JS.compile(test.pattern, RE2JS.CASE_INSENSITIVE)
      } catch (error) {
        throw new FilterError({
          at: test.token.at,
          length: test.token.length,
          what: error instanceof Error ? error.message : 'no pattern',
        })
      }
      return (frame) => left(frame).some((value) => pattern.matcher(textOf(value)).find())
    }
  }
}

const SIGNS: Readonly<Record<Sign, (order: number) => boolean>> = {
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '>': (order) => order > 0,
  '<=': (order) => order <= 0,
  '>=': (order) => order >= 0,
}

function contains(whole: Value, part: Value): boolean {
  if (whole.text !== undefined) {
    const text = part.text ?? (part.bytes && String.fromCharCode(...part.bytes)) ?? ''
    return whole.text.includes(text)
  }
  const bytes = part.bytes ?? (part.text === undefined ? undefined : encode(part.text))
  return whole.bytes !== undefined && bytes !== undefined && containsBytes(whole.bytes, bytes)
}

function reader(operand: Operand): Read {
  switch (operand.is) {
    case 'field': {
      const { field, layer } = operand
      const { name, kind } = field
      return (frame) =>
        frame
          .find(name)
          .filter((found) => layer === undefined || found.layer === layer)
          .flatMap(({ node }) => valueOf(node, kind, frame))
    }
    case 'literal': {
      const values = operand.value ? [operand.value] : []
      return () => values
    }
    case 'slice': {
      const inner = reader(operand.of)
      const { ranges } = operand
      const text = kindOf(operand) === 'string'
      return (frame) =>
        inner(frame).flatMap((value): Value[] => {
          const whole = value.bytes ?? (value.text === undefined ? fourBytes(value.number!) : encode(value.text))
          const parts: number[] = []
          for (const { from, length } of ranges) {
            const start = from < 0 ? whole.length + from : from
            const end = length === undefined ? whole.length : length < 0 ? whole.length + length : start + length
            if (start < 0 || end > whole.length || end <= start) return []
            parts.push(...whole.subarray(start, end))
          }
          const bytes = Uint8Array.from(parts)
          return [text ? { kind: 'string', text: String.fromCharCode(...bytes) } : { kind: 'bytes', bytes }]
        })
    }
    case 'call': {
      const inner = operand.of.map(reader)
      const all = (frame: Frame) => inner.flatMap((read) => read(frame))
      return (frame) => callFunction(operand.name, all(frame))
    }
    case 'arithmetic': {
      const [left, right] = [reader(operand.left), reader(operand.right)]
      const work = ARITHMETIC[operand.sign]
      const kind = kindOf(operand)
      return (frame) =>
        left(frame).flatMap((a) =>
          right(frame).flatMap((b): Value[] => {
            if (a.number === undefined || b.number === undefined) return []
            const number = work(a.number, b.number)
            return Number.isFinite(number) ? [{ kind, number }] : []
          }),
        )
    }
  }
}

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => Math.trunc(a / b),
  '%': (a, b) => a % b,
  '&': (a, b) => (a & b) >>> 0,
}

function callFunction(name: string, values: Value[]): Value[] {
  switch (name) {
    case 'count':
      return values.length === 0 ? [] : [{ kind: 'number', number: values.length }]
    case 'len':
      return values.map((value) => ({
        kind: 'number',
        number: value.bytes?.length ?? (value.text === undefined ? 4 : encode(value.text).length),
      }))
    case 'upper':
      return values.map((value) => ({ kind: 'string', text: textOf(value).toUpperCase() }))
    case 'lower':
      return values.map((value) => ({ kind: 'string', text: textOf(value).toLowerCase() }))
    case 'string':
      return values.map((value) => ({ kind: 'string', text: textOf(value) }))
    case 'abs':
      return values.map((value) => ({ ...value, number: Math.abs(value.number ?? 0) }))
    default: {
      const numbers = values.flatMap(({ number }) => (number === undefined ? [] : [number]))
      if (numbers.length === 0) return []
      return [{ ...values[0]!, number: name === 'max' ? Math.max(...numbers) : Math.min(...numbers) }]
    }
  }
}

const fourBytes = (number: number) =>
  Uint8Array.of(number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255)

function valueOf(node: TreeNode, kind: Value['kind'], { dissection }: Frame): Value[] {
  const { value } = node
  switch (kind) {
    case 'protocol':
      // All that stands from here on, as a protocol's buffer has it.
      return [{ kind, bytes: dissection.sources[node.source]!.bytes.subarray(node.at) }]
    case 'none':
      return [{ kind }]
    case 'number':
    case 'boolean':
      if (typeof value !== 'number') return []
      return [{ kind, number: value, meaning: meaningOf(node.text) }]
    case 'seconds':
    case 'date':
    case 'ipv4':
      return typeof value === 'number' ? [{ kind, number: value }] : []
    case 'string':
      return [
        {
          kind,
          text:
            typeof value === 'string'
              ? value
              : value instanceof Uint8Array
                ? String.fromCharCode(...value)
                : String(value ?? ''),
        },
      ]
    case 'bytes':
    case 'mac':
    case 'ipv6':
      return value instanceof Uint8Array ? [{ kind, bytes: value }] : []
  }
}

/** `Opcode: request (1)` says `request`; `Type: 8 (Echo (ping) request)` says what is in the parentheses. */
function meaningOf(text: string): string {
  const said = text.slice(text.indexOf(': ') + 2).toLowerCase()
  const behind = /^\d+ \((.*)\)$/u.exec(said)
  return behind ? behind[1]! : said.replace(/ \((?:0x)?[0-9a-f]+\)$/u, '')
}

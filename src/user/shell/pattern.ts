/**
 * Shell patterns (`*`, `?`, `[...]`, and the extended ones) as matchers. Quoted characters come with a backslash before
 * them. Matching is by memoised position sets, so that no pattern takes exponential time. POSIX.1-2017, Shell 2.13.
 */

type Node =
  | { kind: 'char'; char: string }
  | { kind: 'any' }
  | { kind: 'star' }
  | { kind: 'set'; negated: boolean; has(char: string): boolean }
  | { kind: 'group'; operator: string; alternatives: Node[][] }

export interface Pattern {
  /** Whether the whole text matches. */
  matches(text: string): boolean
  /** Lengths of the prefixes of text[from...] that match, ascending. */
  prefixes(text: string, from: number): number[]
  /** The text that it stands for if nothing in it is special. */
  readonly literal: string | undefined
}

const CLASSES: Record<string, (char: string) => boolean> = {
  alpha: (c) => /[A-Za-z]/.test(c),
  digit: (c) => c >= '0' && c <= '9',
  alnum: (c) => /[A-Za-z0-9]/.test(c),
  upper: (c) => /[A-Z]/.test(c),
  lower: (c) => /[a-z]/.test(c),
  space: (c) => /[ \t\n\r\f\v]/.test(c),
  blank: (c) => c === ' ' || c === '\t',
  punct: (c) => /[!-/:-@[-`{-~]/.test(c),
  print: (c) => c >= ' ' && c !== '\x7f',
  graph: (c) => c > ' ' && c !== '\x7f',
  cntrl: (c) => c < ' ' || c === '\x7f',
  xdigit: (c) => /[0-9A-Fa-f]/.test(c),
  word: (c) => /[A-Za-z0-9_]/.test(c),
}

const cache = new Map<string, Pattern>()

/** @param ignoreCase as nocasematch does */
export function compilePattern(source: string, ignoreCase = false): Pattern {
  const key = ignoreCase ? `i${source}` : `c${source}`
  const known = cache.get(key)
  if (known) return known
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text)
  const nodes = parseNodes(fold(source), { at: 0 }, false)
  const literal = nodes.every((node) => node.kind === 'char')
    ? nodes.map((node) => (node as { char: string }).char).join('')
    : undefined
  const pattern: Pattern = {
    literal,
    matches(text) {
      const subject = fold(text)
      if (literal !== undefined) return literal === subject
      return ends(nodes, subject, new Set([0])).has(subject.length)
    },
    prefixes(text, from) {
      const subject = fold(text)
      return [...ends(nodes, subject, new Set([from]))].map((end) => end - from).sort((a, b) => a - b)
    },
  }
  if (cache.size > 500) cache.clear()
  cache.set(key, pattern)
  return pattern
}

/** Whether an unquoted special character stands in it. */
export function hasGlob(source: string): boolean {
  for (let i = 0; i < source.length; i++) {
    const char = source[i]
    if (char === '\\') i++
    else if (char === '*' || char === '?') return true
    else if (char === '[' && source.indexOf(']', i + 1) > 0) return true
    else if (char !== undefined && '@+!'.includes(char) && source[i + 1] === '(') return true
  }
  return false
}

/** Makes every special character ordinary. */
export function quotePattern(text: string): string {
  return text.replace(/[\\*?[\]@+!()|^-]/g, '\\$&')
}

/** The text without its backslashes. */
export function unquotePattern(source: string): string {
  return source.replace(/\\([\s\S])/g, '$1')
}

function parseNodes(source: string, cursor: { at: number }, inGroup: boolean): Node[] {
  const nodes: Node[] = []
  while (cursor.at < source.length) {
    const char = source[cursor.at]!
    if (inGroup && (char === '|' || char === ')')) break
    if ('?*+@!'.includes(char) && source[cursor.at + 1] === '(') {
      const group = parseGroup(source, cursor)
      if (group) {
        nodes.push(group)
        continue
      }
    }
    cursor.at++
    if (char === '\\' && cursor.at < source.length) nodes.push({ kind: 'char', char: source[cursor.at++]! })
    else if (char === '*') nodes.push({ kind: 'star' })
    else if (char === '?') nodes.push({ kind: 'any' })
    else if (char === '[') {
      const set = parseSet(source, cursor)
      nodes.push(set ?? { kind: 'char', char })
    } else nodes.push({ kind: 'char', char })
  }
  return nodes
}

function parseGroup(source: string, cursor: { at: number }): Node | undefined {
  const start = cursor.at
  const operator = source[start]!
  cursor.at += 2
  const alternatives: Node[][] = []
  for (;;) {
    alternatives.push(parseNodes(source, cursor, true))
    const char = source[cursor.at]
    cursor.at++
    if (char === ')') return { kind: 'group', operator, alternatives }
    if (char !== '|') {
      cursor.at = start
      return undefined
    }
  }
}

function parseSet(source: string, cursor: { at: number }): Node | undefined {
  let at = cursor.at
  const negated = source[at] === '!' || source[at] === '^'
  if (negated) at++
  const tests: ((char: string) => boolean)[] = []
  for (let first = true; ; first = false) {
    if (at >= source.length) return undefined
    if (source[at] === ']' && !first) break
    const named = /^\[:(\w+):\]/.exec(source.slice(at, at + 12))
    if (named) {
      const test = CLASSES[named[1]!]
      if (test) tests.push(test)
      at += named[0].length
      continue
    }
    if (source[at] === '\\') at++
    const low = source[at++]
    if (low === undefined) return undefined
    if (source[at] === '-' && source[at + 1] !== ']' && at + 1 < source.length) {
      at++
      if (source[at] === '\\') at++
      const high = source[at++]!
      tests.push((char) => char >= low && char <= high)
    } else tests.push((char) => char === low)
  }
  cursor.at = at + 1
  return { kind: 'set', negated, has: (char) => tests.some((test) => test(char)) }
}

/** Where a match of all nodes can end, of those that begin at `starts`. */
function ends(nodes: readonly Node[], text: string, starts: Set<number>): Set<number> {
  let now = starts
  for (const node of nodes) {
    if (now.size === 0) return now
    const next = new Set<number>()
    switch (node.kind) {
      case 'char':
        for (const at of now) if (text[at] === node.char) next.add(at + 1)
        break
      case 'any':
        for (const at of now) if (at < text.length) next.add(at + 1)
        break
      case 'set':
        for (const at of now) if (at < text.length && node.has(text[at]!) !== node.negated) next.add(at + 1)
        break
      case 'star': {
        const least = Math.min(...now)
        for (let at = least; at <= text.length; at++) next.add(at)
        break
      }
      case 'group':
        for (const at of groupEnds(node, text, now)) next.add(at)
        break
    }
    now = next
  }
  return now
}

function groupEnds(node: Extract<Node, { kind: 'group' }>, text: string, starts: Set<number>): Set<number> {
  const once = (from: Set<number>) => {
    const all = new Set<number>()
    for (const alternative of node.alternatives) for (const at of ends(alternative, text, from)) all.add(at)
    return all
  }
  switch (node.operator) {
    case '@':
      return once(starts)
    case '?':
      return new Set([...starts, ...once(starts)])
    case '!': {
      const result = new Set<number>()
      for (const start of starts) {
        const hit = once(new Set([start]))
        for (let at = start; at <= text.length; at++) if (!hit.has(at)) result.add(at)
      }
      return result
    }
    default: {
      const reached = node.operator === '*' ? new Set(starts) : new Set<number>()
      let frontier = starts
      while (frontier.size > 0) {
        const more = new Set([...once(frontier)].filter((at) => !reached.has(at)))
        for (const at of more) reached.add(at)
        frontier = more
      }
      return reached
    }
  }
}

/** Brace expansion, on a word's source text before anything else looks at it. bash(1), "Brace Expansion". */

/** The words that a word's source text stands for; itself if there is nothing to expand. */
export function expandBraces(text: string): string[] {
  for (let i = 0; i < text.length; i++) {
    const past = skipQuoted(text, i)
    if (past > i) {
      i = past - 1
      continue
    }
    if (text[i] !== '{') continue
    const close = closing(text, i)
    if (close < 0) continue
    const inner = text.slice(i + 1, close)
    const middles = sequence(inner) ?? alternatives(inner)
    if (!middles) continue
    const rest = expandBraces(text.slice(close + 1))
    const before = text.slice(0, i)
    return middles.flatMap((middle) => rest.map((after) => before + middle + after))
  }
  return [text]
}

/** Past a quoted part or an expansion that begins at `at`; `at` itself if none does. */
function skipQuoted(text: string, at: number): number {
  const char = text[at]
  if (char === '\\') return Math.min(at + 2, text.length)
  if (char === "'") return text.indexOf("'", at + 1) + 1 || text.length
  if (char === '"' || char === '`') {
    for (let i = at + 1; i < text.length; i++) {
      if (text[i] === '\\') i++
      else if (text[i] === char) return i + 1
    }
    return text.length
  }
  if (char === '$' && (text[at + 1] === '{' || text[at + 1] === '(')) {
    const open = text[at + 1]!
    const close = open === '{' ? '}' : ')'
    let depth = 0
    for (let i = at + 1; i < text.length; i++) {
      if (text[i] === open) depth++
      else if (text[i] === close && --depth === 0) return i + 1
    }
    return text.length
  }
  return at
}

function closing(text: string, open: number): number {
  let depth = 0
  for (let i = open; i < text.length; i++) {
    const past = skipQuoted(text, i)
    if (past > i) {
      i = past - 1
      continue
    }
    if (text[i] === '{') depth++
    else if (text[i] === '}' && --depth === 0) return i
  }
  return -1
}

function alternatives(inner: string): string[] | undefined {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < inner.length; i++) {
    const past = skipQuoted(inner, i)
    if (past > i) {
      i = past - 1
      continue
    }
    if (inner[i] === '{') depth++
    else if (inner[i] === '}') depth--
    else if (inner[i] === ',' && depth === 0) {
      parts.push(inner.slice(start, i))
      start = i + 1
    }
  }
  if (parts.length === 0) return undefined
  parts.push(inner.slice(start))
  return parts.flatMap((part) => expandBraces(part))
}

function sequence(inner: string): string[] | undefined {
  const numbers = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(inner)
  if (numbers) {
    const [from, to] = [Number(numbers[1]), Number(numbers[2])]
    const step = Math.abs(Number(numbers[3] ?? 1)) || 1
    const padded = [numbers[1]!, numbers[2]!].some((text) => /^-?0\d/.test(text))
    const width = padded ? Math.max(numbers[1]!.length, numbers[2]!.length) : 0
    const words: string[] = []
    for (let i = from; from <= to ? i <= to : i >= to; i += from <= to ? step : -step) {
      const digits = String(Math.abs(i)).padStart(i < 0 ? width - 1 : width, '0')
      words.push(i < 0 ? `-${digits}` : digits)
    }
    return words
  }
  const letters = /^([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?$/.exec(inner)
  if (!letters) return undefined
  const [from, to] = [letters[1]!.charCodeAt(0), letters[2]!.charCodeAt(0)]
  const step = Math.abs(Number(letters[3] ?? 1)) || 1
  const words: string[] = []
  for (let i = from; from <= to ? i <= to : i >= to; i += from <= to ? step : -step) words.push(String.fromCharCode(i))
  return words
}

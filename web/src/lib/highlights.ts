/** Passages that were marked: found again by their words and those around them, and painted without touching the text. */

export interface Passage {
  quote: string
  prefix: string
  suffix: string
}

const AROUND = 32

/** The text of an element, and where each of its nodes begins in it. */
function textOf(root: Node): { text: string; nodes: { node: Text; start: number }[] } {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  const nodes: { node: Text; start: number }[] = []
  let text = ''
  for (let node = walker.nextNode() as Text | null; node; node = walker.nextNode() as Text | null) {
    nodes.push({ node, start: text.length })
    text += node.data
  }
  return { text, nodes }
}

/** What is selected within an element, with what stands around it. */
export function passageOf(root: Node, range: Range): Passage | undefined {
  if (range.collapsed || !root.contains(range.commonAncestorContainer)) return undefined
  const before = document.createRange()
  before.setStart(root, 0)
  before.setEnd(range.startContainer, range.startOffset)
  const start = before.toString().length
  const quote = range.toString()
  const { text } = textOf(root)
  if (quote.trim() === '') return undefined
  return {
    quote,
    prefix: text.slice(Math.max(0, start - AROUND), start),
    suffix: text.slice(start + quote.length, start + quote.length + AROUND),
  }
}

/** Where a passage is now: the place that has most of its surroundings. */
export function findPassage(root: Node, passage: Passage): Range | undefined {
  const { text, nodes } = textOf(root)
  let best = -1
  let bestScore = -1
  for (let at = text.indexOf(passage.quote); at >= 0; at = text.indexOf(passage.quote, at + 1)) {
    const score =
      common(reversed(text.slice(Math.max(0, at - AROUND), at)), reversed(passage.prefix)) +
      common(text.slice(at + passage.quote.length, at + passage.quote.length + AROUND), passage.suffix)
    if (score > bestScore) {
      best = at
      bestScore = score
    }
  }
  if (best < 0 || passage.quote === '') return undefined
  const range = document.createRange()
  const end = best + passage.quote.length
  const place = (offset: number, last: boolean) =>
    nodes.findLast(({ start }) => (last ? start < offset : start <= offset)) ?? nodes[0]
  const from = place(best, false)
  const to = place(end, true)
  if (!from || !to) return undefined
  range.setStart(from.node, best - from.start)
  range.setEnd(to.node, Math.min(end - to.start, to.node.length))
  return range
}

const reversed = (text: string) => [...text].reverse().join('')

function common(a: string, b: string): number {
  let n = 0
  while (n < a.length && n < b.length && a[n] === b[n]) n++
  return n
}

/** Paints passages; a browser that can't is left with the list beside the text. */
export function paint(ranges: Range[]): void {
  if (!('highlights' in CSS)) return
  CSS.highlights.set('kept', new Highlight(...ranges))
}

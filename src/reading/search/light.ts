/** A passage of a text around what was searched, with the places that matched: as they were written, not as they are folded. */
import { fold, foldWithPlaces } from './fold.ts'

export interface LitPiece {
  text: string
  lit: boolean
}

const SOURCE_MAX = 100_000

/** The whole of a short text, lit up. */
export function lightUp(text: string, wanted: readonly string[]): LitPiece[] {
  return cut(text, matches(text, wanted), 0, text.length)
}

/** The passage of about `length` characters where most of what was searched stands; the beginning if nothing does. */
export function litExcerpt(text: string, wanted: readonly string[], length = 200): LitPiece[] {
  const source = text.slice(0, SOURCE_MAX).replace(/\s+/gu, ' ').trim()
  const found = matches(source, wanted)
  let best = 0
  let most = -1
  for (const [i, [from]] of found.entries()) {
    const within = new Set<number>()
    for (let j = i; j < found.length && found[j]![1] <= from + length; j++) within.add(found[j]![2])
    if (within.size > most) {
      most = within.size
      best = i
    }
  }
  let from = found.length === 0 ? 0 : Math.max(0, found[best]![0] - Math.floor(length / 4))
  let to = Math.min(source.length, from + length)
  from = Math.max(0, Math.min(from, to - length))
  // Not within a surrogate pair, nor within a word where a blank is near.
  const blank = from > 0 ? source.slice(from, from + 20).indexOf(' ') : -1
  if (blank >= 0 && from + blank < (found[best]?.[0] ?? 0)) from += blank + 1
  while (from > 0 && isLow(source.charCodeAt(from))) from--
  while (to < source.length && isLow(source.charCodeAt(to))) to++
  const pieces = cut(source, found, from, to)
  if (from > 0) pieces.unshift({ text: '…', lit: false })
  if (to < source.length) pieces.push({ text: '…', lit: false })
  return pieces
}

const isLow = (code: number) => code >= 0xdc00 && code <= 0xdfff

/** Where the wanted texts stand: begin, end, and which. In order, none within another. */
function matches(text: string, wanted: readonly string[]): [number, number, number][] {
  const folded = foldWithPlaces(text)
  const found: [number, number, number][] = []
  for (const [which, want] of wanted.entries()) {
    const needle = fold(want).trim()
    if (needle === '') continue
    const latin = /^[\p{Script=Latin}\p{N}]/u.test(needle)
    for (
      let at = folded.text.indexOf(needle);
      at >= 0 && found.length < 2000;
      at = folded.text.indexOf(needle, at + needle.length)
    ) {
      // A word is found where it begins: `arp` isn't in `sharp`.
      if (
        latin &&
        at > 0 &&
        /[\p{L}\p{N}]/u.test(folded.text[at - 1]!) &&
        !/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]/u.test(folded.text[at - 1]!)
      )
        continue
      const from = folded.from[at]!
      let last = at + needle.length
      while (last < folded.text.length && folded.from[last] === folded.from[last - 1]) last++
      found.push([from, folded.from[last]!, which])
    }
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1])
  return found.filter(
    ([from], i) => i === 0 || from >= Math.max(...found.slice(Math.max(0, i - 8), i).map((each) => each[1])),
  )
}

function cut(text: string, found: readonly [number, number, number][], from: number, to: number): LitPiece[] {
  const pieces: LitPiece[] = []
  const push = (begin: number, end: number, lit: boolean) => {
    if (end > begin) pieces.push({ text: text.slice(begin, end), lit })
  }
  let at = from
  for (const [begin, end] of found) {
    if (begin < at || end > to) continue
    push(at, begin, false)
    push(begin, end, true)
    at = end
  }
  push(at, to, false)
  return pieces
}

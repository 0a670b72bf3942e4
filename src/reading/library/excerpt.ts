/**
 * The excerpt: a text's beginning, at most 400 characters, ended where a reader isn't misled: not within a character that is
 * written with several code points, not within a word, and not within a command, half of which may do something else.
 */

export const EXCERPT_MAX = 400

/** The beginning of a page's text. Commands stand in backquotes, in fences, or behind a prompt on a line of their own. */
export function excerptOf(text: string, max: number = EXCERPT_MAX): string {
  const source = text.replace(/\r\n?/gu, '\n')
  const ranges = commandRanges(source.slice(0, max * 8))
  const characters: { text: string; from: number; to: number }[] = []
  let blank = true // At the start, and behind a blank: many blanks are one.
  let count = 0
  for (const { segment, index } of segmenter.segment(source.slice(0, max * 8))) {
    if (/^[\s\p{Cc}]/u.test(segment)) {
      if (blank) continue
      blank = true
      characters.push({ text: ' ', from: index, to: index + segment.length })
    } else {
      blank = false
      characters.push({ text: segment, from: index, to: index + segment.length })
    }
    count += [...characters.at(-1)!.text].length
    if (count > max + 64) break
  }
  let length = 0
  let end = 0
  while (end < characters.length) {
    const next = length + [...characters[end]!.text].length
    if (next > max) break
    length = next
    end++
  }
  const join = (to: number) =>
    characters
      .slice(0, to)
      .map((character) => character.text)
      .join('')
      .trim()
  if (end === characters.length) return join(end)
  // One character is the ellipsis's.
  while (end > 0 && length > max - 1) length -= [...characters[--end]!.text].length
  const cutAt = characters[end]?.from ?? source.length
  const within = ranges.find(([from, to]) => cutAt > from && cutAt < to)
  if (within) end = characters.findIndex((character) => character.from >= within[0])
  else {
    // Not within a word of letters; Japanese has no blanks, and may be cut anywhere.
    let word = end
    while (word > 0 && isLatin(characters[word]?.text) && isLatin(characters[word - 1]!.text)) word--
    if (end - word < 40) end = word
  }
  const kept = join(end)
  return kept === '' ? '' : `${kept}…`
}

const segmenter = new Intl.Segmenter('ja', { granularity: 'grapheme' })

const isLatin = (text: string | undefined) => text !== undefined && /^[\p{Script=Latin}\p{N}_'’-]/u.test(text)

const COMMAND = /```[\s\S]*?(?:```|$)|`[^`\n]*`|^[^\S\n]*(?:[\w.@-]*[#$]|\$|#)[^\S\n]+\S[^\n]*(?:\\\n[^\n]*)*$/gmu

function commandRanges(text: string): [number, number][] {
  return [...text.matchAll(COMMAND)].map((match) => [match.index, match.index + match[0].length])
}

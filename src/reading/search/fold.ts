/**
 * Texts are compared folded: width (ＡＲＰ, ｱｰﾌﾟ), case and kana (サーバ, さーば) make no difference. A folded text knows where in
 * the original each of its characters came from, so that what matched can be lit up as it was written.
 */

/** NFKC, lower case, hiragana. */
export function fold(text: string): string {
  return hiragana(text.normalize('NFKC').toLowerCase())
}

// U+30A1..U+30F6 and U+30FD..U+30FE lie 96 above their hiragana; ヷヸヹヺ have none.
function hiragana(text: string): string {
  if (!/[\u30a1-\u30fe]/u.test(text)) return text
  return text.replace(/[\u30a1-\u30f6\u30fd\u30fe]/gu, (kana) => String.fromCharCode(kana.charCodeAt(0) - 96))
}

export interface FoldedText {
  text: string
  /** For each UTF-16 unit of `text`, where its piece begins in the original; one more for the end. */
  from: number[]
}

// What composes with what stands before it (accents, half-width voicing marks) is folded together with that.
const PIECE = /[^\p{M}\uff9e\uff9f][\p{M}\uff9e\uff9f]*|[\p{M}\uff9e\uff9f]+/gsu

/** As fold, with the way back. */
export function foldWithPlaces(original: string): FoldedText {
  const from: number[] = []
  let text = ''
  for (const match of original.matchAll(PIECE)) {
    const folded = fold(match[0])
    for (let i = 0; i < folded.length; i++) from.push(match.index)
    text += folded
  }
  from.push(original.length)
  return { text, from }
}

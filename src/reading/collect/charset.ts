/**
 * Bytes to text. What a page says of its encoding is believed unless the bytes contradict it: of old Japanese pages many
 * say nothing, or what the server's administrator once thought. @see https://encoding.spec.whatwg.org/
 */

export interface Decoded {
  text: string
  /** As the Encoding Standard names it. */
  charset: string
  /** Who said so. */
  by: 'bom' | 'header' | 'document' | 'guess'
}

/** Decodes a page (or any text) by its BOM, its header, its own declaration, and at last its bytes. */
export function decodeText(bytes: Uint8Array, contentType = ''): Decoded {
  const bom = bomOf(bytes)
  if (bom) return { text: new TextDecoder(bom).decode(bytes), charset: bom, by: 'bom' }
  const declared: [Decoded['by'], string | undefined][] = [
    ['header', labelOf(/charset\s*=\s*["']?([^\s"';,]+)/iu.exec(contentType)?.[1])],
    ['document', declaredIn(bytes)],
  ]
  const charset = guess(bytes)
  for (const [by, said] of declared) {
    if (!said || !isCredible(bytes, said, charset)) continue
    const text = new TextDecoder(said).decode(bytes)
    if (!isBroken(text)) return { text, charset: said, by }
  }
  return { text: new TextDecoder(charset).decode(bytes), charset, by: 'guess' }
}

function bomOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  return undefined
}

/** The Encoding Standard's name of a label; undefined if it has none. */
function labelOf(label: string | undefined): string | undefined {
  if (!label) return undefined
  const known = label.trim().toLowerCase()
  const usual = {
    'x-euc': 'euc-jp',
    'shift-jis': 'shift_jis',
    ujis: 'euc-jp',
    jis: 'iso-2022-jp',
    'iso-2022-jp-1': 'iso-2022-jp',
    cp932: 'shift_jis',
    'windows-932': 'shift_jis',
    utf8: 'utf-8',
  }
  try {
    return new TextDecoder(usual[known as keyof typeof usual] ?? known).encoding
  } catch {
    return undefined
  }
}

/** From `<meta charset>`, `http-equiv` or the XML declaration, in the first bytes. HTML, 13.2.3.2 */
function declaredIn(bytes: Uint8Array): string | undefined {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 4096))
  const found =
    /^\s*<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)/iu.exec(head)?.[1] ??
    /<meta[^>]*\bcharset\s*=\s*["']?\s*([\w.:-]+)/iu.exec(head)?.[1] ??
    /^@charset "([\w.:-]+)"/u.exec(head)?.[1]
  const label = labelOf(found)
  // A declaration that could be read as ASCII isn't UTF-16, whatever it says.
  return label?.startsWith('utf-16') ? 'utf-8' : label
}

// Between these the bytes can tell; of others the page knows best.
const TOLD_APART = new Set(['utf-8', 'euc-jp', 'shift_jis', 'iso-2022-jp', 'windows-1252'])

/** Unless the bytes say otherwise, and clearly. */
function isCredible(bytes: Uint8Array, said: string, guessed: string): boolean {
  if (said === guessed || !TOLD_APART.has(said) || !TOLD_APART.has(guessed)) return true
  if (guessed === 'iso-2022-jp') return false // It has signs of its own.
  const sample = bytes.subarray(0, SAMPLE)
  if (sample.every((byte) => byte < 0x80)) return true
  const score = scoreOf(new TextDecoder(guessed).decode(sample), guessed)
  return score < 20 || scoreOf(new TextDecoder(said).decode(sample), said) > score / 2
}

/** A few characters may be broken in an honest page; many mean another encoding. */
function isBroken(text: string): boolean {
  let broken = 0
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', at + 1)) broken++
  return broken > Math.max(2, text.length / 500)
}

const SAMPLE = 256 * 1024

function guess(bytes: Uint8Array): string {
  const sample = bytes.subarray(0, SAMPLE)
  if (isUtf16(sample, 0)) return 'utf-16le'
  if (isUtf16(sample, 1)) return 'utf-16be'
  for (let i = 0; i < sample.length - 2; i++) {
    // ESC $ B, ESC $ @, ESC ( J, ESC ( I: nothing else has them.
    if (
      sample[i] === 0x1b &&
      ((sample[i + 1] === 0x24 && (sample[i + 2] === 0x42 || sample[i + 2] === 0x40)) ||
        (sample[i + 1] === 0x28 && (sample[i + 2] === 0x4a || sample[i + 2] === 0x49)))
    )
      return 'iso-2022-jp'
  }
  let best = { charset: 'windows-1252', score: 0 }
  for (const charset of ['utf-8', 'euc-jp', 'shift_jis']) {
    const score = scoreOf(new TextDecoder(charset).decode(sample), charset)
    if (score > best.score) best = { charset, score }
  }
  return best.charset
}

function isUtf16(bytes: Uint8Array, zeroAt: 0 | 1): boolean {
  let zeros = 0
  const pairs = Math.min(bytes.length >> 1, 512)
  for (let i = 0; i < pairs; i++)
    if (bytes[i * 2 + (zeroAt === 0 ? 1 : 0)] === 0 && bytes[i * 2 + zeroAt] !== 0) zeros++
  return pairs > 8 && zeros > pairs * 0.7
}

/** How much a text is text: kana and common kanji speak for it, broken characters and half-width kana against. */
function scoreOf(text: string, charset: string): number {
  // The sample may end within a character.
  if (charset === 'utf-8' && !(text.length > 10_000 ? text.slice(0, -4) : text).includes('\ufffd'))
    return Number.POSITIVE_INFINITY
  let score = 0
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (code < 0x80) continue
    if (code >= 0x3040 && code <= 0x30ff) score += 3
    else if ((code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3000 && code <= 0x303f)) score += 1
    else if (code === 0xfffd) score -= 10
    else if (code >= 0xff61 && code <= 0xff9f)
      score -= 2 // EUC-JP read as Shift_JIS is full of them.
    else if (code >= 0xe000 && code <= 0xf8ff) score -= 5
  }
  return score
}

/** Hexadecimal text. */

const DIGITS = '0123456789abcdef'
const BYTES = Array.from({ length: 256 }, (_, byte) => DIGITS[byte >> 4]! + DIGITS[byte & 15]!)

/** Two digits. */
export function hexByte(byte: number): string {
  return BYTES[byte & 0xff]!
}

/** Four digits. */
export function hexWord(word: number): string {
  return BYTES[(word >>> 8) & 0xff]! + BYTES[word & 0xff]!
}

/** Bytes as digits, two a byte, with what stands between bytes. */
export function formatHex(bytes: Uint8Array, between = ''): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += (i > 0 ? between : '') + BYTES[bytes[i]!]
  return text
}

/** The bytes that digits name; blanks may stand between bytes. Undefined if anything else does. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return undefined
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

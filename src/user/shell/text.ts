/** Bytes and text: UTF-8, where a byte that is none travels as a lone surrogate U+DC80 to U+DCFF and comes back unchanged. */

/** Text of bytes; what isn't UTF-8 is kept byte by byte. */
export function decodeText(bytes: Uint8Array): string {
  let ascii = true
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! >= 0x80) {
      ascii = false
      break
    }
  }
  let text = ''
  if (ascii) {
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
    return text
  }
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i]!
    const length =
      first < 0x80 ? 1 : first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0
    let code =
      length === 1 ? first : length === 2 ? first & 0x1f : length === 3 && first < 0xf0 ? first & 0x0f : first & 0x07
    let valid = length > 0 && (length < 3 || first < 0xf5) && i + length <= bytes.length
    for (let j = 1; valid && j < length; j++) {
      const next = bytes[i + j]!
      if ((next & 0xc0) !== 0x80) valid = false
      code = (code << 6) | (next & 0x3f)
    }
    if (valid && length === 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) valid = false
    if (valid && length === 4 && (code < 0x10000 || code > 0x10ffff)) valid = false
    if (!valid) {
      text += String.fromCharCode(0xdc00 + first)
      i++
    } else {
      text += String.fromCodePoint(code)
      i += length
    }
  }
  return text
}

/** Bytes of text, the inverse of `decodeText`. */
export function encodeText(text: string): Uint8Array {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
  }
  const bytes = new Uint8Array(length)
  if (length === text.length) {
    for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i)
    return bytes
  }
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else if (unit >= 0xdc80 && unit <= 0xdcff) bytes[at++] = unit - 0xdc00
    else {
      const code = text.codePointAt(i)!
      if (code >= 0x10000) {
        i++
        bytes[at++] = 0xf0 | (code >> 18)
        bytes[at++] = 0x80 | ((code >> 12) & 0x3f)
      } else bytes[at++] = 0xe0 | (code >> 12)
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f)
      bytes[at++] = 0x80 | (code & 0x3f)
    }
  }
  return bytes.subarray(0, at)
}

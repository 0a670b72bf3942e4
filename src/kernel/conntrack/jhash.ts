/** Bob Jenkins' lookup3 over 32-bit words, as the kernel spreads addresses with it. Linux 6.1 include/linux/jhash.h: jhash2(). */
const INITIAL = 0xdeadbeef

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}

/** The hash of some words, unsigned. */
export function jhash2(words: readonly number[], seed: number): number {
  let a = (INITIAL + words.length * 4 + seed) | 0
  let b = a
  let c = a
  let at = 0
  let left = words.length
  for (; left > 3; left -= 3, at += 3) {
    a = (a + words[at]!) | 0
    b = (b + words[at + 1]!) | 0
    c = (c + words[at + 2]!) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  if (left === 0) return c >>> 0
  if (left > 2) c = (c + words[at + 2]!) | 0
  if (left > 1) b = (b + words[at + 1]!) | 0
  a = (a + words[at]!) | 0
  c = (c ^ b) - rotate(b, 14)
  a = (a ^ c) - rotate(c, 11)
  b = (b ^ a) - rotate(a, 25)
  c = (c ^ b) - rotate(b, 16)
  a = (a ^ c) - rotate(c, 4)
  b = (b ^ a) - rotate(a, 14)
  c = (c ^ b) - rotate(b, 24)
  return c >>> 0
}

/** A word as a little-endian machine reads it from the wire. */
export function swab32(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}

/** Spreads a 32-bit hash over a range. reciprocal_scale(). */
export function scale(hash: number, range: number): number {
  return Math.floor(((hash >>> 0) * range) / 2 ** 32)
}

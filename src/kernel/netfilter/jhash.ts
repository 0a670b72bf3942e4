/** Bob Jenkins' hash as the kernel has it: a function whose results users see, in `jhash` expressions and the `cluster` match. */

function rotate(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0
}

const INITIAL = 0xdeadbeef

/** Over bytes. Linux 6.1 include/linux/jhash.h: jhash(); lookup3.c, public domain. */
export function jhash(key: readonly number[], seed: number): number {
  let a = (INITIAL + key.length + seed) >>> 0
  let b = a
  let c = a
  let at = 0
  const byte = (i: number) => (at + i < key.length ? key[at + i]! : 0)
  const word = (i: number) => (byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24)) >>> 0
  for (; key.length - at > 12; at += 12) {
    a = (a + word(0)) >>> 0
    b = (b + word(4)) >>> 0
    c = (c + word(8)) >>> 0
    a = ((a - c) ^ rotate(c, 4)) >>> 0
    c = (c + b) >>> 0
    b = ((b - a) ^ rotate(a, 6)) >>> 0
    a = (a + c) >>> 0
    c = ((c - b) ^ rotate(b, 8)) >>> 0
    b = (b + a) >>> 0
    a = ((a - c) ^ rotate(c, 16)) >>> 0
    c = (c + b) >>> 0
    b = ((b - a) ^ rotate(a, 19)) >>> 0
    a = (a + c) >>> 0
    c = ((c - b) ^ rotate(b, 4)) >>> 0
    b = (b + a) >>> 0
  }
  if (key.length === at) return c
  a = (a + word(0)) >>> 0
  b = (b + word(4)) >>> 0
  c = (c + word(8)) >>> 0
  return final(a, b, c)
}

function final(a: number, b: number, c: number): number {
  c = ((c ^ b) - rotate(b, 14)) >>> 0
  a = ((a ^ c) - rotate(c, 11)) >>> 0
  b = ((b ^ a) - rotate(a, 25)) >>> 0
  c = ((c ^ b) - rotate(b, 16)) >>> 0
  a = ((a ^ c) - rotate(c, 4)) >>> 0
  b = ((b ^ a) - rotate(a, 14)) >>> 0
  return ((c ^ b) - rotate(b, 24)) >>> 0
}

/** Over one word. include/linux/jhash.h: jhash_1word(). */
export function jhashWord(word: number, seed: number): number {
  const start = (INITIAL + 4 + seed) >>> 0
  return final((word + start) >>> 0, start, start)
}

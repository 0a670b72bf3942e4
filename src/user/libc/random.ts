/**
 * random(3) of glibc 2.36 with its default state. A program that seeds it by the second draws what the real one
 * draws at that second. The additive feedback x^31 + x^3 + 1 of stdlib/random_r.c: __srandom_r(), __random_r().
 */
const WORDS = 31
const DISCARDED = 310

export class GlibcRandom {
  readonly #words = new Int32Array(WORDS)
  /** The front pointer; the rear one is three words behind. */
  #at = 3

  constructor(seed: number) {
    const words = this.#words
    words[0] = seed === 0 ? 1 : seed
    for (let i = 1; i < WORDS; i++) {
      // Park and Miller's generator, without overflow.
      const before = words[i - 1]!
      const high = Math.trunc(before / 127_773)
      const word = 16_807 * (before - high * 127_773) - 2836 * high
      words[i] = word < 0 ? word + 2_147_483_647 : word
    }
    for (let i = 0; i < DISCARDED; i++) this.next()
  }

  /** 0 to 2^31 - 1. */
  next(): number {
    const words = this.#words
    const at = this.#at
    const sum = (words[at]! + words[(at + WORDS - 3) % WORDS]!) | 0
    words[at] = sum
    this.#at = (at + 1) % WORDS
    return sum >>> 1
  }
}

/**
 * Named random streams. Each name has a generator of its own, seeded from the run's seed and the name, so that a new
 * host doesn't change another's luck. The generator is xoshiro128** (Blackman and Vigna, 2018), seeded by splitmix32.
 */
export class RandomStream {
  #a: number
  #b: number
  #c: number
  #d: number

  /** @param seed the run's seed; @param name the stream's name, such as `lan/loss` */
  constructor(seed: number, name: string) {
    // FNV-1a over the name joins it with the seed; splitmix32 spreads the result over the four words.
    let h = 0x811c9dc5 ^ (seed >>> 0)
    h = Math.imul(h ^ Math.floor(seed / 2 ** 32), 0x01000193)
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
    const next = () => {
      h = (h + 0x9e3779b9) | 0
      let z = h ^ (h >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
  }

  /** 32 random bits, unsigned. */
  uint32(): number {
    const t5 = Math.imul(this.#b, 5)
    const result = Math.imul((t5 << 7) | (t5 >>> 25), 9)
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  /** A whole number from 0 to n - 1; n is 1 to 2^32. */
  below(n: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * n)
  }

  /** A number from 0 up to, not including, 1, with 32 bits. */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** n random bytes. */
  bytes(n: number): Uint8Array {
    const out = new Uint8Array(n)
    for (let i = 0; i < n; i++) out[i] = this.uint32() & 0xff
    return out
  }
}

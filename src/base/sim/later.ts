/**
 * What is due later, in no order yet: the far part of the event queue.
 *
 * A wheel of wheels, as a kernel's timers have: level L has 64 buckets of 64^L nanoseconds each, and what it holds shares
 * all higher digits of its time (to the base of 64) with where the queue stands. So all of a level is due before all of the next,
 * and putting in is two writes. A bucket that comes up is handed out if it is small, else dealt to the level below;
 * nothing is dealt more often than there are levels, however the times are mixed. Who takes it out sorts it.
 *
 * A bucket is a list of chunks, the last one first, cut out of one array.
 */

const DIGIT_BITS = 6
const DIGIT = 2 ** DIGIT_BITS
/** 54 bits, one more than a time has. */
const LEVELS = 9
/** A bucket has two words of 32 bits in its level's map of what isn't empty. */
const MAP_WORDS = DIGIT / 32
const CHUNK_BITS = 5
/** Numbers in a chunk: 16 entries of a time and a key. */
const CHUNK = 2 ** CHUNK_BITS
/** `take` hands out this many entries if it can without looking beyond a block: the fewer, the more often it's called. */
const ENOUGH = 16

/** Entries in buckets; `take` gives those that are due first. */
export class Later {
  /** Entries in here: who puts one in counts it. */
  count = 0
  /** What `take` or `drain` found: a key and a time each. */
  out = new Float64Array(CHUNK * 2)
  /** How many numbers of `out` that is. */
  found = 0
  // By level: how wide a bucket is; where the block begins and ends whose digits the buckets are.
  readonly #widths = Float64Array.from({ length: LEVELS + 1 }, (_, level) => DIGIT ** level)
  readonly #perNs = Float64Array.from({ length: LEVELS + 1 }, (_, level) => 1 / DIGIT ** level)
  readonly #starts = new Float64Array(LEVELS)
  readonly #ends = new Float64Array(LEVELS)
  /** By bucket: where its next entry goes. A whole number of chunks: a new one is needed; 0: it is empty. */
  readonly #cursors = new Int32Array(LEVELS * DIGIT)
  readonly #maps = new Int32Array(LEVELS * MAP_WORDS)
  #pool = new Float64Array(CHUNK * 64)
  /** By chunk: the one before it in its bucket, or in the list of free ones; -1 if there is none. */
  #before = new Int32Array(64)
  #free = -1
  #fresh = 0

  /**
   * Puts in the key and the time that stand in `from` at `index`, due no earlier than what `take` or `restart` said last.
   * (A number with a fraction, or beyond 31 bits, that is handed to a function costs an allocation; an index doesn't.)
   */
  push(from: Float64Array, index: number): void {
    const time = from[index + 1]!
    const ends = this.#ends
    let level = 0
    while (time >= ends[level]!) level++
    const digit = ((time - this.#starts[level]!) * this.#perNs[level]!) | 0
    const bucket = level * DIGIT + digit
    let at = this.#cursors[bucket]!
    if ((at & (CHUNK - 1)) === 0) {
      if (at === 0) this.#maps[bucket >> 5]! |= 1 << (bucket & 31)
      at = this.#chunk(at)
    }
    const pool = this.#pool
    pool[at] = from[index]!
    pool[at + 1] = time
    this.#cursors[bucket] = at + 2
  }

  /** Takes out what is due before the time that it returns, at least one entry: it mustn't be empty. */
  take(): number {
    this.found = 0
    for (;;) {
      let level = 0
      while (this.#next(level) < 0) level++
      let digit = this.#next(level)
      const at = this.#cursors[level * DIGIT + digit]!
      if (level > 0 && this.#before[(at - 1) >> CHUNK_BITS] !== -1) {
        this.#deal(level, digit)
        continue
      }
      // Neighbours that are as small come with it, so that what is armed for soon needn't come here at all.
      let last = digit
      do {
        this.#empty(level * DIGIT + digit)
        last = digit
        digit = this.#next(level)
      } while (
        this.found < 2 * ENOUGH &&
        digit >= 0 &&
        this.#before[(this.#cursors[level * DIGIT + digit]! - 1) >> CHUNK_BITS] === -1
      )
      const end = this.#starts[level]! + (last + 1) * this.#widths[level]!
      for (let below = 0; below < level; below++) this.#ends[below] = end
      this.count -= this.found >> 1
      return end
    }
  }

  /** Takes everything out. */
  drain(): void {
    this.found = 0
    for (let bucket = 0; bucket < LEVELS * DIGIT; bucket++) if (this.#cursors[bucket] !== 0) this.#empty(bucket)
    this.count = 0
  }

  /** Entries may be put in from that time on. What is in here already stays, where it belongs then. */
  restart(fromNs: number): void {
    this.found = 0
    for (let level = 0; level < LEVELS; level++) {
      const block = this.#widths[level + 1]!
      const start = Math.floor(fromNs / block) * block
      if (start !== this.#starts[level]) {
        for (let bucket = level * DIGIT; bucket < (level + 1) * DIGIT; bucket++) {
          if (this.#cursors[bucket] !== 0) this.#empty(bucket)
        }
      }
      this.#starts[level] = start
      this.#ends[level] = start + block
    }
    for (let i = 0; i < this.found; i += 2) this.push(this.out, i)
  }

  /** The first digit of a level whose bucket isn't empty; -1 if all are. */
  #next(level: number): number {
    const maps = this.#maps
    for (let word = 0; word < MAP_WORDS; word++) {
      const map = maps[level * MAP_WORDS + word]!
      if (map !== 0) return word * 32 + 31 - Math.clz32(map & -map)
    }
    return -1
  }

  /** Deals a bucket to the level below. */
  #deal(level: number, digit: number): void {
    const width = this.#widths[level]!
    const start = this.#starts[level]! + digit * width
    for (let below = 0; below < level; below++) this.#ends[below] = start
    this.#starts[level - 1] = start
    this.#ends[level - 1] = start + width
    const bucket = level * DIGIT + digit
    let at = this.#cursors[bucket]!
    this.#cursors[bucket] = 0
    this.#maps[bucket >> 5]! &= ~(1 << (bucket & 31))
    while (at > 0) {
      const chunk = (at - 1) >> CHUNK_BITS
      const first = chunk << CHUNK_BITS
      while (at > first) {
        at -= 2
        this.push(this.#pool, at)
      }
      at = this.#release(chunk)
    }
  }

  /** Moves a bucket's entries to `times` and `keys`. */
  #empty(bucket: number): void {
    const pool = this.#pool
    let at = this.#cursors[bucket]!
    this.#cursors[bucket] = 0
    this.#maps[bucket >> 5]! &= ~(1 << (bucket & 31))
    while (at > 0) {
      const chunk = (at - 1) >> CHUNK_BITS
      const first = chunk << CHUNK_BITS
      if (this.found + CHUNK > this.out.length) this.out = grownFloats(this.out)
      const out = this.out
      let found = this.found
      while (at > first) {
        at -= 2
        out[found++] = pool[at]!
        out[found++] = pool[at + 1]!
      }
      this.found = found
      at = this.#release(chunk)
    }
  }

  /** A chunk for a bucket whose others end at `at`; returns where it begins. */
  #chunk(at: number): number {
    let chunk = this.#free
    if (chunk >= 0) this.#free = this.#before[chunk]!
    else {
      chunk = this.#fresh++
      if (chunk >= this.#before.length) {
        this.#pool = grownFloats(this.#pool)
        const before = new Int32Array(this.#before.length * 2)
        before.set(this.#before)
        this.#before = before
      }
    }
    this.#before[chunk] = (at >> CHUNK_BITS) - 1
    return chunk << CHUNK_BITS
  }

  /** Gives a chunk back; returns where the one before it ends, 0 if there is none. */
  #release(chunk: number): number {
    const before = this.#before[chunk]!
    this.#before[chunk] = this.#free
    this.#free = chunk
    return (before + 1) << CHUNK_BITS
  }
}

function grownFloats(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2)
  larger.set(array)
  return larger
}

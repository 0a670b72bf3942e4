/**
 * The recording's frames, dissected as Wireshark does, when somebody asks: which pass a filter, and what one says. Each
 * network is a capture of its own, or a packet that is forwarded would look like one sent twice.
 */
import { type Dissection, Dissector, type FrameClock } from '#wire/dissect'
import { compileFilter, type DisplayFilter } from '#wire/filter'
import type { RecordedFrame } from './recording.ts'

/** When a lab's clock begins: 2026-01-01 00:00:00 UTC. */
export const START_S = 1_767_225_600
const KEPT = 400

/** Dissects frames in their order. */
class Course {
  readonly #clock: FrameClock = { number: 0, first: undefined, last: undefined }
  readonly #networks = new Map<string, Dissector>()

  next({ atNs, bytes, from, network }: RecordedFrame): Dissection {
    let dissector = this.#networks.get(network)
    if (!dissector) {
      dissector = new Dissector(this.#clock)
      this.#networks.set(network, dissector)
    }
    const s = Math.floor(atNs / 1e9)
    return dissector.next({
      s: START_S + s,
      ns: atNs - s * 1e9,
      bytes,
      interface: { id: 0, name: `${from.host}:${from.interface}` },
    })
  }
}

/** What frames say, the newest that were asked for kept. */
export class Trees {
  readonly #frames: () => readonly RecordedFrame[]
  #course = new Course()
  #next = 0
  #kept = new Map<number, Dissection>()

  constructor(frames: () => readonly RecordedFrame[]) {
    this.#frames = frames
  }

  at(index: number): Dissection {
    const known = this.#kept.get(index)
    if (known) return known
    // What came before decides what it means: from the beginning again, if it was passed.
    if (index < this.#next) {
      this.#course = new Course()
      this.#next = 0
    }
    const frames = this.#frames()
    let dissection = this.#kept.get(index)
    while (this.#next <= index) {
      dissection = this.#course.next(frames[this.#next]!)
      if (this.#next > index - KEPT) this.#kept.set(this.#next, dissection)
      this.#next++
    }
    while (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    return dissection!
  }
}

/** Which frames pass a filter; found in portions, so that a page stays awake. */
export class Passing {
  /** Places among the recording's frames, in order. */
  readonly indices: number[] = []
  readonly #filter: DisplayFilter
  readonly #course = new Course()
  #next = 0

  constructor(filter: DisplayFilter) {
    this.#filter = filter
  }

  /** Goes on for some milliseconds; whether there is nothing left to look at. */
  advance(frames: readonly RecordedFrame[], budgetMs: number): boolean {
    const until = performance.now() + budgetMs
    for (; this.#next < frames.length; this.#next++) {
      if (performance.now() > until) return false
      if (this.#filter(this.#course.next(frames[this.#next]!))) this.indices.push(this.#next)
    }
    return true
  }
}

export { compileFilter }

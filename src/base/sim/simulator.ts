/**
 * Virtual time and the event queue.
 *
 * The queue is a binary heap over two Float64Arrays: the time, and (sequence * 2^22 + slot), so that equal times run in
 * order of scheduling. An event is data: a slot that belongs to a bound object with a method `fire`. A timer that is put
 * back only writes a number; its entry moves when it comes up early.
 */
import { AssertionFailed, assert, BudgetExceeded } from '#base/check'
import { RandomStream } from './random.ts'

const SLOT_BITS = 22
const SLOTS_MAX = 2 ** SLOT_BITS
const SEQUENCE_MAX = 2 ** (53 - SLOT_BITS) - 1
/** 2^53 ns, about 104 days: a later time would no longer be whole nanoseconds. */
export const TIME_MAX_NS = Number.MAX_SAFE_INTEGER

/** What an event is bound to. */
export interface Target {
  fire(): void
}

/** How much a run may use; a budget that isn't given doesn't bind. */
export interface Budgets {
  /** Events, in all. */
  events?: number
  /** Virtual nanoseconds since the lab began. */
  untilNs?: number
  /** Called every 2^14 events; it may throw (real time and memory are the host program's to measure). */
  check?: () => void
}

export class Simulator {
  /** Nanoseconds since the lab began. */
  nowNs = 0
  /** Events that have run. */
  events = 0
  readonly seed: number
  budgets: Budgets = {}

  #times = new Float64Array(1024)
  #keys = new Float64Array(1024)
  #size = 0
  #sequence = 0
  // By slot: the target, its name, when it is due (Infinity: not at all), the order in which it was armed, and the key
  // of its entry in the heap (-1: none). A heap entry whose key isn't its slot's is stale and falls out when it comes up.
  readonly #targets: (Target | undefined)[] = []
  readonly #names: string[] = []
  #due = new Float64Array(64)
  #order = new Float64Array(64)
  #entry = new Float64Array(64)
  #entryTime = new Float64Array(64)
  readonly #free: number[] = []
  #stale = 0
  #stopped = false
  readonly #streams = new Map<string, RandomStream>()
  #holds: Hold[] = []

  constructor(seed = 1) {
    this.seed = seed
  }

  /** The random stream of that name; the same one each time. */
  random(name: string): RandomStream {
    let stream = this.#streams.get(name)
    if (!stream) {
      stream = new RandomStream(this.seed, name)
      this.#streams.set(name, stream)
    }
    return stream
  }

  /** A slot for a target, kept until `release`. Timers are the usual way; this is for what has thousands. */
  slot(name: string, target: Target): number {
    const slot = this.#free.pop() ?? this.#targets.length
    assert(slot < SLOTS_MAX, 'the event queue has 4 million slots and no more')
    if (slot >= this.#due.length) {
      this.#due = grown(this.#due)
      this.#order = grown(this.#order)
      this.#entry = grown(this.#entry)
      this.#entryTime = grown(this.#entryTime)
    }
    this.#targets[slot] = target
    this.#names[slot] = name
    this.#due[slot] = Number.POSITIVE_INFINITY
    this.#entry[slot] = -1
    return slot
  }

  /** Gives a slot back; what was armed on it never fires. */
  release(slot: number): void {
    if (this.#entry[slot] !== -1) this.#stale++
    this.#entry[slot] = -1
    this.#due[slot] = Number.POSITIVE_INFINITY
    this.#targets[slot] = undefined
    this.#free.push(slot)
  }

  /** Arms a slot, or moves it: it fires once, at whenNs. */
  arm(slot: number, whenNs: number): void {
    if (!(whenNs >= this.nowNs && whenNs <= TIME_MAX_NS)) this.#badTime(slot, whenNs)
    this.#due[slot] = whenNs
    const order = this.#nextSequence()
    this.#order[slot] = order
    if (this.#entry[slot] !== -1) {
      if (this.#entryTime[slot]! <= whenNs) return // It comes up early, and moves then.
      this.#stale++
      if (this.#stale > 1024 && this.#stale * 2 > this.#size) this.#sweep()
    }
    this.#push(slot, whenNs, order * SLOTS_MAX + slot)
  }

  /** What was armed on a slot won't fire. */
  disarm(slot: number): void {
    this.#due[slot] = Number.POSITIVE_INFINITY
  }

  /** When a slot is due; Infinity if it isn't armed. */
  due(slot: number): number {
    return this.#due[slot]!
  }

  /** Runs `fire` once at a time. For what is rare; what is frequent has a timer or a slot of its own. */
  at(whenNs: number, name: string, fire: () => void): Scheduled {
    const once = { fire: () => {} }
    const slot = this.slot(name, once)
    let done = false
    once.fire = () => {
      done = true
      this.release(slot)
      fire()
    }
    this.arm(slot, whenNs)
    return {
      cancel: () => {
        if (done) return
        done = true
        this.release(slot)
      },
    }
  }

  /** `at`, counted from now. */
  after(delayNs: number, name: string, fire: () => void): Scheduled {
    return this.at(this.nowNs + delayNs, name, fire)
  }

  /** The time of the next event; Infinity if there is none. */
  nextNs(): number {
    this.#settle()
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  /**
   * Holds the clock until a promise is settled, then calls `resume`: for a library that computes asynchronously. `run`
   * returns after the event that is running, and whoever called it (`drive`) awaits.
   */
  hold(promise: Promise<unknown>, resume: () => void): void {
    this.#holds.push({ promise, resume })
    this.stop()
  }

  /** Whether something holds the clock. */
  get held(): boolean {
    return this.#holds.length > 0
  }

  /** Awaits all that holds the clock, in the order in which it was held. */
  async settle(): Promise<void> {
    while (this.#holds.length > 0) {
      const { promise, resume } = this.#holds.shift()!
      await promise.then(nothing, nothing)
      resume()
    }
  }

  /** Ends `run` after the event that is running. */
  stop(): void {
    this.#stopped = true
  }

  /**
   * Runs events up to and including untilNs, then sets the clock to it (if finite). Returns early when `stop` is called,
   * and after the event that makes `done` true. Throws BudgetExceeded.
   */
  run(untilNs = Number.POSITIVE_INFINITY, done?: () => boolean): void {
    assert(this.#holds.length === 0, 'the clock is held by a promise: await settle(), or use drive()')
    this.#stopped = false
    const limit = Math.min(untilNs, this.budgets.untilNs ?? Number.POSITIVE_INFINITY)
    let left = (this.budgets.events ?? Number.POSITIVE_INFINITY) - this.events
    const check = this.budgets.check
    while (this.#size > 0) {
      const time = this.#times[0]!
      const key = this.#keys[0]!
      const slot = key % SLOTS_MAX
      if (key !== this.#entry[slot]) {
        this.#pop()
        this.#stale--
        continue
      }
      const due = this.#due[slot]!
      if (due !== time || key !== this.#order[slot]! * SLOTS_MAX + slot) {
        // Armed again since: put the entry where it belongs, in the order in which it was armed.
        if (due === Number.POSITIVE_INFINITY) {
          this.#pop()
          this.#entry[slot] = -1
        } else {
          const moved = this.#order[slot]! * SLOTS_MAX + slot
          this.#entry[slot] = moved
          this.#entryTime[slot] = due
          this.#replaceTop(due, moved)
        }
        continue
      }
      if (time > limit) break
      this.#pop()
      this.#entry[slot] = -1
      this.#due[slot] = Number.POSITIVE_INFINITY
      this.nowNs = time
      this.events++
      if (--left < 0) {
        throw new BudgetExceeded('events', `the run used its ${this.budgets.events} events at ${time} ns`)
      }
      if (check && (this.events & 0x3fff) === 0) check()
      this.#targets[slot]!.fire()
      if (this.#stopped || done?.()) return
    }
    if (this.budgets.untilNs !== undefined && untilNs > this.budgets.untilNs && this.#size > 0) {
      throw new BudgetExceeded('virtual time', `the run used its ${this.budgets.untilNs / 1e9} s of virtual time`)
    }
    if (untilNs !== Number.POSITIVE_INFINITY && untilNs > this.nowNs) this.nowNs = untilNs
  }

  /** The name of what is due next, for messages. */
  nextName(): string | undefined {
    this.#settle()
    return this.#size === 0 ? undefined : this.#names[this.#keys[0]! % SLOTS_MAX]
  }

  #settle(): void {
    while (this.#size > 0) {
      const key = this.#keys[0]!
      const slot = key % SLOTS_MAX
      if (key !== this.#entry[slot]) {
        this.#pop()
        this.#stale--
      } else if (this.#due[slot] === Number.POSITIVE_INFINITY) {
        this.#pop()
        this.#entry[slot] = -1
      } else if (this.#due[slot] !== this.#times[0]) {
        const moved = this.#order[slot]! * SLOTS_MAX + slot
        this.#entry[slot] = moved
        this.#entryTime[slot] = this.#due[slot]!
        this.#replaceTop(this.#due[slot]!, moved)
      } else return
    }
  }

  #badTime(slot: number, whenNs: number): never {
    throw new AssertionFailed(
      `${this.#names[slot]}: armed for ${whenNs} ns at ${this.nowNs} ns (seed ${this.seed}); a lab lasts 104 days at most`,
    )
  }

  #nextSequence(): number {
    if (this.#sequence >= SEQUENCE_MAX) this.#renumber()
    return this.#sequence++
  }

  #push(slot: number, time: number, key: number): void {
    if (this.#size === this.#times.length) {
      this.#times = grown(this.#times)
      this.#keys = grown(this.#keys)
    }
    const times = this.#times
    const keys = this.#keys
    let i = this.#size++
    while (i > 0) {
      const parent = (i - 1) >> 1
      const t = times[parent]!
      if (t < time || (t === time && keys[parent]! < key)) break
      times[i] = t
      keys[i] = keys[parent]!
      i = parent
    }
    times[i] = time
    keys[i] = key
    this.#entry[slot] = key
    this.#entryTime[slot] = time
  }

  #pop(): void {
    const last = --this.#size
    if (last > 0) this.#siftDown(this.#times[last]!, this.#keys[last]!)
  }

  #replaceTop(time: number, key: number): void {
    this.#siftDown(time, key)
  }

  /** Puts (time, key) in at the top and lets it sink. */
  #siftDown(time: number, key: number): void {
    const times = this.#times
    const keys = this.#keys
    const size = this.#size
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      const right = child + 1
      if (right < size) {
        const a = times[child]!
        const b = times[right]!
        // The smaller child without a branch: a misprediction costs more than the arithmetic.
        child += +(b < a) | (+(b === a) & +(keys[right]! < keys[child]!))
      }
      const t = times[child]!
      if (time < t || (time === t && key < keys[child]!)) break
      times[i] = t
      keys[i] = keys[child]!
      i = child
    }
    times[i] = time
    keys[i] = key
  }

  /** Drops the stale entries, when most are. */
  #sweep(): void {
    const times = this.#times
    const keys = this.#keys
    const kept: [number, number][] = []
    for (let i = 0; i < this.#size; i++) {
      if (this.#entry[keys[i]! % SLOTS_MAX] === keys[i]) kept.push([times[i]!, keys[i]!])
    }
    kept.sort((a, b) => a[0] - b[0] || a[1] - b[1]) // A sorted array is a heap.
    this.#size = kept.length
    kept.forEach(([time, key], i) => {
      times[i] = time
      keys[i] = key
    })
    this.#stale = 0
  }

  /** Gives everything pending new sequence numbers in the same order; after two thousand million of them. */
  #renumber(): void {
    this.#sweep()
    const slots = Array.from(this.#keys.subarray(0, this.#size), (key) => key % SLOTS_MAX)
    const byOrder = [...slots].sort((a, b) => this.#order[a]! - this.#order[b]!)
    // An entry that waits early keeps its place before the others: what counts is the order in which it was armed.
    byOrder.forEach((slot, i) => {
      this.#order[slot] = i
    })
    this.#size = 0
    this.#sequence = byOrder.length
    for (const slot of slots) {
      this.#entry[slot] = -1
      const due = this.#due[slot]!
      if (due !== Number.POSITIVE_INFINITY) this.#push(slot, due, this.#order[slot]! * SLOTS_MAX + slot)
    }
  }
}

interface Hold {
  promise: Promise<unknown>
  resume: () => void
}

function nothing(): void {}

/** What `at` gives: something that may still be called off. */
export interface Scheduled {
  cancel(): void
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2)
  larger.set(array)
  return larger
}

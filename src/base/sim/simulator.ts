/**
 * Virtual time and the event queue.
 *
 * An event is data: a slot that belongs to a bound object with a method `fire`. The queue is a binary heap in one
 * Int32Array: by the time since a base, then by the number of the scheduling, so that equal times run in that order. (Whole
 * numbers of 32 bits are quicker to compare than doubles, and one array quicker to check than two.) Only what is due before
 * a horizon is in it, two seconds from the base, or less when there are too many for a small heap; the rest waits in no
 * order (see later.ts) and comes in when the heap is empty. A timer that is put back only writes a number; its entry moves
 * when it comes up early. The entry of the event that is running stays at the top until something else is armed, which
 * then takes its place: most events put one back.
 */
import { AssertionFailed, assert, BudgetExceeded } from '#base/check'
import { Later } from './later.ts'
import { RandomStream } from './random.ts'

const SLOT_BITS = 22
const SLOTS_MAX = 2 ** SLOT_BITS
/** The numbers that order events of one moment; when they run out, what is pending is numbered anew. */
export const SEQUENCE_MAX = 2 ** (53 - SLOT_BITS) - 1
/** The sequence number with which a slot was last armed; -1 if it isn't armed. */
const LATEST = 0
/** The number and the time of its entry in the queue; -1 if it has none. An entry with another number than that is stale. */
const ENTRY = 1
const ENTRY_TIME = 2
/** When it is due, if that is later than its entry: LATEST isn't ENTRY then. */
const DUE = 3
const SLOT_FIELDS = 4
/** A heap of more is laid out anew, with a nearer horizon; all of at most so many go into it, with none. */
const HEAP_MAX = 4096
const HEAP_ALL = 1024
/** Times in the heap are less than this after its base. */
const SPAN_NS = 2 ** 31 - 1
/** Entry n of the heap stands at n * WORDS, the first at TOP; its children at twice its place and WORDS further. */
const WORDS = 4
const TOP = WORDS
/** In an entry, behind its time. */
const SEQUENCE = 1
const SLOT = 2
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

  // The heap, always with a time of SPAN_NS after its last entry, so that a parent's second child can be looked at.
  #heap = new Int32Array(HEAP_MAX * 2 * WORDS).fill(SPAN_NS)
  /** Where its last entry ends. */
  #end = TOP
  #endMax = HEAP_MAX * WORDS
  /** Times in the heap are counted from here, and what is due from the horizon on isn't in it. */
  #baseNs = 0
  #horizonNs = SPAN_NS
  readonly #later = new Later()
  /** An entry on its way there: its key (sequence * 2^22 + slot) and its time. */
  readonly #entry = new Float64Array(2)
  /** Whether the top entry has been taken and its place is free. */
  #hole = false
  #sequence = 0
  // By slot: the target and its name, and in `#slots` four numbers each; see LATEST and those below it.
  readonly #targets: (Target | undefined)[] = []
  readonly #names: string[] = []
  #slots = new Float64Array(SLOT_FIELDS * 64)
  readonly #free: number[] = []
  #stale = 0
  #stopped = false
  #eventsMax = Number.POSITIVE_INFINITY
  readonly #streams = new Map<string, RandomStream>()
  #holds: Hold[] = []
  /** Whose slots are made at this moment: while an event runs, its slot's owner. 0: nobody's. Only where `trackOwners` was called. */
  owner = 0
  #owners: number[] | undefined = undefined
  readonly #frozen = new Set<number>()
  /** Slots of frozen owners that have come up, in order; undefined while nobody is frozen. */
  #waiting: Set<number> | undefined = undefined

  /** @param firstSequence where the numbering of events begins: tests let it run out */
  constructor(seed = 1, firstSequence = 0) {
    this.seed = seed
    this.#sequence = firstSequence
    // Once no integers, they are doubles to V8, which else throws away what it compiled when they outgrow 31 bits.
    this.nowNs = this.#baseNs = this.#horizonNs = 0.5
    this.nowNs = this.#baseNs = 0
    this.#horizonNs = SPAN_NS
    this.#later.restart(SPAN_NS)
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
    const at = slot * SLOT_FIELDS
    if (at >= this.#slots.length) this.#slots = grown(this.#slots)
    this.#targets[slot] = target
    this.#names[slot] = name
    if (this.#owners !== undefined) this.#owners[slot] = this.owner
    this.#slots[at + LATEST] = -1
    this.#slots[at + ENTRY] = -1
    return slot
  }

  /** Gives a slot back; what was armed on it never fires. */
  release(slot: number): void {
    assert(this.#targets[slot] !== undefined, 'a slot is given back once')
    this.#waiting?.delete(slot)
    const at = slot * SLOT_FIELDS
    if (this.#slots[at + ENTRY] !== -1) this.#stale++
    this.#slots[at + LATEST] = -1
    this.#slots[at + ENTRY] = -1
    this.#targets[slot] = undefined
    this.#free.push(slot)
    this.#sweepIfStale()
  }

  /** Arms a slot, or moves it: it fires once, at the time of that many nanoseconds (a fraction counts as a whole one). */
  arm(slot: number, timeNs: number): void {
    const whenNs = Math.ceil(timeNs)
    if (!(whenNs >= this.nowNs && whenNs <= TIME_MAX_NS)) this.#badTime(slot, whenNs)
    if (this.#sequence >= SEQUENCE_MAX) this.#renumber()
    if (this.#waiting !== undefined) this.#waiting.delete(slot)
    const slots = this.#slots
    const at = slot * SLOT_FIELDS
    const sequence = this.#sequence++
    slots[at + LATEST] = sequence
    if (slots[at + ENTRY] !== -1) {
      slots[at + DUE] = whenNs
      if (slots[at + ENTRY_TIME]! <= whenNs) return // It comes up early, and moves then.
      this.#stale++
      slots[at + ENTRY] = -1
      this.#sweepIfStale()
    }
    slots[at + ENTRY] = sequence
    slots[at + ENTRY_TIME] = whenNs
    if (whenNs < this.#horizonNs && whenNs >= this.#baseNs) this.#insert((whenNs - this.#baseNs) | 0, sequence, slot)
    else this.#putAside(slot)
  }

  /** Puts an entry into the heap. */
  #insert(time: number, sequence: number, slot: number): void {
    if (this.#hole === true) {
      this.#hole = false
      this.#siftDown(time, sequence, slot)
    } else {
      this.#push(time, sequence, slot)
      if (this.#end > this.#endMax) this.#spread()
    }
  }

  /** Puts the entry that a slot says it has where what is due later waits; all entries, if it is due before their base. */
  #putAside(slot: number): void {
    const at = slot * SLOT_FIELDS
    const time = this.#slots[at + ENTRY_TIME]!
    const before = time < this.#baseNs
    if (before) this.#emptyHeap()
    this.#postpone(this.#slots[at + ENTRY]!, slot, time)
    if (before) this.#refill()
  }

  #postpone(sequence: number, slot: number, time: number): void {
    const entry = this.#entry
    entry[0] = sequence * SLOTS_MAX + slot
    entry[1] = time
    this.#later.count++
    this.#later.push(entry, 0)
  }

  /** What was armed on a slot won't fire. */
  disarm(slot: number): void {
    if (this.#waiting !== undefined) this.#waiting.delete(slot)
    this.#slots[slot * SLOT_FIELDS + LATEST] = -1
  }

  /** When a slot is due; Infinity if it isn't armed. */
  due(slot: number): number {
    const slots = this.#slots
    const at = slot * SLOT_FIELDS
    const latest = slots[at + LATEST]!
    if (latest === -1) return Number.POSITIVE_INFINITY
    return latest === slots[at + ENTRY] ? slots[at + ENTRY_TIME]! : slots[at + DUE]!
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

  /** From now on each slot belongs to who made it, so that an owner can be frozen. Called before there are slots. */
  trackOwners(): void {
    this.#owners ??= new Array<number>(this.#targets.length).fill(0)
  }

  /** Does something in an owner's name: the slots made meanwhile, and by their events, are his. */
  as<T>(owner: number, act: () => T): T {
    const before = this.owner
    this.owner = owner
    try {
      return act()
    } finally {
      this.owner = before
    }
  }

  /** What comes up for an owner waits until he is thawed. */
  freeze(owner: number): void {
    assert(this.#owners !== undefined, 'owners are tracked')
    this.#frozen.add(owner)
    this.#waiting ??= new Set()
  }

  /** What came up for a frozen owner happens now, in its order. */
  thaw(owner: number): void {
    if (!this.#frozen.delete(owner)) return
    for (const slot of [...this.#waiting!]) {
      if (this.#owners![slot] === owner) this.arm(slot, this.nowNs) // Which takes it out.
    }
    if (this.#frozen.size === 0) this.#waiting = undefined
  }

  /** Whether a slot that has come up is a frozen owner's, and waits; else what it does is its owner's. */
  #waits(slot: number): boolean {
    const owner = this.#owners![slot]!
    if (this.#waiting !== undefined && this.#frozen.has(owner)) {
      this.#waiting.add(slot)
      return true
    }
    this.owner = owner
    return false
  }

  /** The time of the next event; Infinity if there is none. */
  nextNs(): number {
    this.#settle()
    return this.#end === TOP ? Number.POSITIVE_INFINITY : this.#baseNs + this.#heap[TOP]!
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
    if (this.#owners === undefined) {
      this.#run(untilNs, done)
      return
    }
    try {
      this.#run(untilNs, done)
    } finally {
      this.owner = 0
    }
  }

  #run(untilNs: number, done: (() => boolean) | undefined): void {
    assert(this.#holds.length === 0, 'the clock is held by a promise: await settle(), or use drive()')
    this.#stopped = false
    const limit = Math.min(untilNs, this.budgets.untilNs ?? Number.POSITIVE_INFINITY)
    this.#eventsMax = this.budgets.events ?? Number.POSITIVE_INFINITY
    this.#fillHole() // The event before threw, or stopped the run.
    while (this.#fireNext(limit)) if (this.#stopped || done?.()) return
    if (this.budgets.untilNs !== undefined && untilNs > this.budgets.untilNs && this.#end > TOP) {
      throw new BudgetExceeded('virtual time', `the run used its ${this.budgets.untilNs / 1e9} s of virtual time`)
    }
    if (untilNs !== Number.POSITIVE_INFINITY && untilNs > this.nowNs) this.nowNs = untilNs
  }

  /**
   * Runs the next event unless it is due after the limit, or there is none; says whether it did. (A method of its own, so
   * that V8 compiles it knowing what its constants are, as it doesn't for a loop that it replaces while it runs.)
   */
  #fireNext(limit: number): boolean {
    this.#settle()
    const end = this.#end
    if (end === TOP) return false
    const heap = this.#heap
    const time = this.#baseNs + heap[TOP]!
    if (time > limit) return false
    if (this.events >= this.#eventsMax) this.#overspent()
    const slot = heap[TOP | SLOT]!
    const at = slot * SLOT_FIELDS
    const slots = this.#slots
    this.#hole = true
    slots[at + LATEST] = -1
    slots[at + ENTRY] = -1
    this.nowNs = time
    this.events++
    if ((this.events & 0x3fff) === 0) this.budgets.check?.()
    if (this.#owners === undefined || !this.#waits(slot)) this.#targets[slot]!.fire()
    if (this.#hole === true) this.#fillHole()
    return true
  }

  #overspent(): never {
    throw new BudgetExceeded('events', `the run used its ${this.budgets.events} events at ${this.nowNs} ns`)
  }

  /** The name of what is due next, for messages. */
  nextName(): string | undefined {
    this.#settle()
    return this.#end === TOP ? undefined : this.#names[this.#heap[TOP | SLOT]!]
  }

  /** Sees to it that the top entry is one that will fire. */
  #settle(): void {
    this.#fillHole()
    while (this.#end > TOP || this.#refill()) {
      if (this.#heap[TOP | SEQUENCE]! === this.#slots[this.#heap[TOP | SLOT]! * SLOT_FIELDS + LATEST]!) return
      this.#moveTop()
    }
  }

  /** The top entry isn't its slot's latest: away with it, or to where its slot was armed for since. */
  #moveTop(): void {
    const slots = this.#slots
    const slot = this.#heap[TOP | SLOT]!
    const at = slot * SLOT_FIELDS
    const latest = slots[at + LATEST]!
    if (this.#heap[TOP | SEQUENCE]! !== slots[at + ENTRY]!) {
      this.#stale--
      this.#pop()
    } else if (latest === -1) {
      slots[at + ENTRY] = -1
      this.#pop()
    } else {
      const due = slots[at + DUE]!
      slots[at + ENTRY] = latest
      slots[at + ENTRY_TIME] = due
      this.#hole = true
      if (due < this.#horizonNs) this.#insert((due - this.#baseNs) | 0, latest | 0, slot)
      else {
        this.#putAside(slot)
        this.#fillHole()
      }
    }
  }

  #badTime(slot: number, whenNs: number): never {
    throw new AssertionFailed(
      `${this.#names[slot]}: armed for ${whenNs} ns at ${this.nowNs} ns (seed ${this.seed}); a lab lasts 104 days at most`,
    )
  }

  #push(time: number, sequence: number, slot: number): void {
    let i = this.#end
    if (i + 2 * WORDS > this.#heap.length) this.#grow()
    this.#end = i + WORDS
    const heap = this.#heap
    while (i > TOP) {
      const parent = (i >> 1) & -WORDS
      const t = heap[parent]!
      if (t < time || (t === time && heap[parent | SEQUENCE]! < sequence)) break
      heap[i] = t
      heap[i | SEQUENCE] = heap[parent | SEQUENCE]!
      heap[i | SLOT] = heap[parent | SLOT]!
      i = parent
    }
    heap[i] = time
    heap[i | SEQUENCE] = sequence
    heap[i | SLOT] = slot
  }

  /** Takes the top entry out. */
  #pop(): void {
    const last = this.#end - WORDS
    this.#end = last
    const heap = this.#heap
    const time = heap[last]!
    heap[last] = SPAN_NS
    if (last > TOP) this.#siftDown(time, heap[last | SEQUENCE]!, heap[last | SLOT]!)
  }

  #fillHole(): void {
    if (!this.#hole) return
    this.#hole = false
    this.#pop()
  }

  /** Puts an entry in at the top and lets it sink. */
  #siftDown(time: number, sequence: number, slot: number): void {
    const heap = this.#heap
    const end = this.#end
    let i = TOP
    let child = 2 * TOP
    while (child < end) {
      const a = heap[child]!
      const b = heap[child | WORDS]!
      // The smaller child without a branch: a misprediction costs more than the arithmetic. Equal times are rare.
      if (a !== b) child |= ((b - a) >>> 29) & WORDS
      else if (heap[child | WORDS | SEQUENCE]! < heap[child | SEQUENCE]! && (child | WORDS) < end) child |= WORDS
      const t = heap[child]!
      if (time <= t && (time < t || sequence < heap[child | SEQUENCE]!)) break
      heap[i] = t
      heap[i | SEQUENCE] = heap[child | SEQUENCE]!
      heap[i | SLOT] = heap[child | SLOT]!
      i = child
      child <<= 1
    }
    heap[i] = time
    heap[i | SEQUENCE] = sequence
    heap[i | SLOT] = slot
  }

  /** The heap is empty: brings in what is due first, and says whether there is anything. */
  #refill(): boolean {
    const later = this.#later
    if (later.count === 0) return false
    let untilNs = Number.POSITIVE_INFINITY
    if (later.count > HEAP_ALL) untilNs = later.take()
    else later.drain()
    const out = later.out
    const found = later.found
    let first = Number.POSITIVE_INFINITY
    for (let i = 0; i < found; i += 2) if (out[i + 1]! < first) first = out[i + 1]!
    this.#baseNs = first
    this.#horizonNs = Math.min(untilNs, first + SPAN_NS)
    const far: number[] = []
    for (let i = 0; i < found; i += 2) {
      const key = out[i]!
      const time = out[i + 1]!
      if (time >= this.#horizonNs) far.push(key, time)
      else this.#push((time - first) | 0, Math.floor(key / SLOTS_MAX), slotOf(key))
    }
    if (this.#horizonNs < untilNs) {
      later.restart(this.#horizonNs)
      for (let i = 0; i < far.length; i += 2)
        this.#postpone(Math.floor(far[i]! / SLOTS_MAX), slotOf(far[i]!), far[i + 1]!)
    }
    this.#endMax = Math.max(HEAP_MAX * WORDS, 2 * this.#end) // As many may be due at one moment.
    return true
  }

  /** The heap is too large: all in it is due later, and the first of it comes back. */
  #spread(): void {
    this.#emptyHeap()
    this.#refill()
  }

  /** All that is in the heap is due later. */
  #emptyHeap(): void {
    this.#fillHole()
    this.#later.restart(this.nowNs)
    const heap = this.#heap
    for (let i = TOP; i < this.#end; i += WORDS) {
      this.#postpone(heap[i + SEQUENCE]!, heap[i + SLOT]!, this.#baseNs + heap[i]!)
    }
    this.#clearHeap()
  }

  #clearHeap(): void {
    this.#heap.fill(SPAN_NS, TOP, this.#end)
    this.#end = TOP
  }

  #grow(): void {
    const larger = new Int32Array(this.#heap.length * 2).fill(SPAN_NS, this.#end)
    larger.set(this.#heap)
    this.#heap = larger
  }

  #sweepIfStale(): void {
    if (this.#stale > 1024 && this.#stale * 2 > this.#end / WORDS + this.#later.count) this.#sweep()
  }

  /** Drops the stale entries, when most are. */
  #sweep(): void {
    this.#putBack(this.#takeOut())
  }

  /** Empties the queue; returns the slots that have an entry. */
  #takeOut(): number[] {
    this.#fillHole()
    const later = this.#later
    const kept: number[] = []
    const keep = (sequence: number, slot: number) => {
      if (this.#slots[slot * SLOT_FIELDS + ENTRY] === sequence) kept.push(slot)
    }
    for (let i = TOP; i < this.#end; i += WORDS) keep(this.#heap[i + SEQUENCE]!, this.#heap[i + SLOT]!)
    later.drain()
    for (let i = 0; i < later.found; i += 2) keep(Math.floor(later.out[i]! / SLOTS_MAX), slotOf(later.out[i]!))
    this.#clearHeap()
    this.#stale = 0
    return kept
  }

  /** Fills an empty queue with the entries of slots. */
  #putBack(kept: number[]): void {
    this.#later.restart(this.nowNs)
    for (const slot of kept) {
      const at = slot * SLOT_FIELDS
      this.#postpone(this.#slots[at + ENTRY]!, slot, this.#slots[at + ENTRY_TIME]!)
    }
    this.#refill()
  }

  /** Gives everything pending new sequence numbers in the same order; after two thousand million of them. */
  #renumber(): void {
    const slots = this.#slots
    const armed: number[] = []
    for (const slot of this.#takeOut()) {
      if (slots[slot * SLOT_FIELDS + LATEST] === -1) slots[slot * SLOT_FIELDS + ENTRY] = -1
      else armed.push(slot)
    }
    // What counts is the order in which they were armed, also for an entry that waits early.
    armed.sort((a, b) => slots[a * SLOT_FIELDS + LATEST]! - slots[b * SLOT_FIELDS + LATEST]!)
    this.#sequence = 0
    for (const slot of armed) {
      const at = slot * SLOT_FIELDS
      slots[at + ENTRY_TIME] = this.due(slot)
      slots[at + LATEST] = this.#sequence++
      slots[at + ENTRY] = slots[at + LATEST]!
    }
    this.#putBack(armed)
  }
}

/** The slot in a key: what is left of 2^22; the remainder operator is slow beyond 32 bits. */
function slotOf(key: number): number {
  return (key - Math.floor(key / SLOTS_MAX) * SLOTS_MAX) | 0
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

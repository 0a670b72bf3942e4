/**
 * Virtual time and the event queue.
 *
 * An event is data: a slot that belongs to a bound object with a method `fire`. The queue is a binary heap over two
 * Float64Arrays: the time, and (sequence * 2^22 + slot), so that equal times run in order of scheduling. When there are
 * too many for a small heap, only what is due before a horizon is in it; the rest waits in no order (see later.ts) and
 * comes in when the heap is empty. A timer that is put back only writes a number; its entry moves when it comes up early.
 * The entry of the event that is running stays at the top until something else is armed, which then takes its place:
 * most events put one back.
 */
import { AssertionFailed, assert, BudgetExceeded } from '#base/check'
import { Later } from './later.ts'
import { RandomStream } from './random.ts'

const SLOT_BITS = 22
const SLOTS_MAX = 2 ** SLOT_BITS
/** The numbers that order events of one moment; when they run out, what is pending is numbered anew. */
export const SEQUENCE_MAX = 2 ** (53 - SLOT_BITS) - 1
/** The key with which a slot was last armed; -1 if it isn't armed. */
const LATEST = 0
/** The key and the time of its entry in the heap; -1 if it has none. An entry with another key than its slot's is stale. */
const ENTRY = 1
const ENTRY_TIME = 2
/** When it is due, if that is later than its entry: LATEST isn't ENTRY then. */
const DUE = 3
const SLOT_FIELDS = 4
/** A heap of more is laid out anew, with a nearer horizon; all of at most so many go into it, with none. */
const HEAP_MAX = 4096
const HEAP_ALL = 1024
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

  // The heap, always with an entry of time Infinity after its last, so that a parent's second child can be looked at.
  #times = new Float64Array(HEAP_MAX * 2).fill(Number.POSITIVE_INFINITY)
  #keys = new Float64Array(HEAP_MAX * 2)
  #size = 0
  #sizeMax = HEAP_MAX
  /** What is due from the horizon on isn't in the heap. */
  readonly #later = new Later()
  #horizonNs = Number.POSITIVE_INFINITY
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

  /** Arms a slot, or moves it: it fires once, at whenNs. */
  arm(slot: number, whenNs: number): void {
    if (!(whenNs >= this.nowNs && whenNs <= TIME_MAX_NS)) this.#badTime(slot, whenNs)
    if (this.#sequence >= SEQUENCE_MAX) this.#renumber()
    if (this.#waiting !== undefined) this.#waiting.delete(slot)
    const slots = this.#slots
    const at = slot * SLOT_FIELDS
    const key = this.#sequence++ * SLOTS_MAX + slot
    slots[at + LATEST] = key
    if (slots[at + ENTRY] !== -1) {
      slots[at + DUE] = whenNs
      if (slots[at + ENTRY_TIME]! <= whenNs) return // It comes up early, and moves then.
      this.#stale++
      slots[at + ENTRY] = -1
      this.#sweepIfStale()
    }
    slots[at + ENTRY] = key
    slots[at + ENTRY_TIME] = whenNs
    this.#place(at)
  }

  /** Puts the entry that a slot says it has into the queue. */
  #place(at: number): void {
    const slots = this.#slots
    const time = slots[at + ENTRY_TIME]!
    if (time >= this.#horizonNs) {
      this.#later.count++
      this.#later.push(slots, at + ENTRY)
    } else if (this.#hole) {
      this.#hole = false
      this.#siftDown(time, slots[at + ENTRY]!)
    } else {
      this.#push(time, slots[at + ENTRY]!)
      if (this.#size > this.#sizeMax) this.#spread()
    }
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
    let left = (this.budgets.events ?? Number.POSITIVE_INFINITY) - this.events
    const check = this.budgets.check
    const owned = this.#owners !== undefined
    this.#fillHole() // The event before threw, or stopped the run.
    while (this.#size > 0 || this.#refill()) {
      const time = this.#times[0]!
      const key = this.#keys[0]!
      const slot = slotOf(key)
      const at = slot * SLOT_FIELDS
      const slots = this.#slots
      if (key !== slots[at + LATEST]) {
        this.#moveTop(key, at)
        continue
      }
      if (time > limit) break
      if (--left < 0) {
        throw new BudgetExceeded('events', `the run used its ${this.budgets.events} events at ${this.nowNs} ns`)
      }
      this.#hole = true
      slots[at + LATEST] = -1
      slots[at + ENTRY] = -1
      this.nowNs = time
      this.events++
      if (check && (this.events & 0x3fff) === 0) check()
      if (!owned || !this.#waits(slot)) this.#targets[slot]!.fire()
      if (this.#hole) this.#fillHole()
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
    return this.#size === 0 ? undefined : this.#names[slotOf(this.#keys[0]!)]
  }

  /** Sees to it that the top entry is one that will fire. */
  #settle(): void {
    this.#fillHole()
    while (this.#size > 0 || this.#refill()) {
      const key = this.#keys[0]!
      const at = slotOf(key) * SLOT_FIELDS
      if (key === this.#slots[at + LATEST]) return
      this.#moveTop(key, at)
    }
  }

  /** The top entry isn't its slot's latest: away with it, or to where its slot was armed for since. */
  #moveTop(key: number, at: number): void {
    const slots = this.#slots
    if (key !== slots[at + ENTRY]) {
      this.#stale--
      this.#pop()
    } else if (slots[at + LATEST] === -1) {
      slots[at + ENTRY] = -1
      this.#pop()
    } else {
      const due = slots[at + DUE]!
      const latest = slots[at + LATEST]!
      slots[at + ENTRY] = latest
      slots[at + ENTRY_TIME] = due
      this.#hole = true
      this.#place(at)
      if (this.#hole) this.#fillHole()
    }
  }

  #badTime(slot: number, whenNs: number): never {
    throw new AssertionFailed(
      `${this.#names[slot]}: armed for ${whenNs} ns at ${this.nowNs} ns (seed ${this.seed}); a lab lasts 104 days at most`,
    )
  }

  #push(time: number, key: number): void {
    if (this.#size + 2 > this.#times.length) this.#grow()
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
  }

  /** Takes the top entry out. */
  #pop(): void {
    const last = --this.#size
    const time = this.#times[last]!
    this.#times[last] = Number.POSITIVE_INFINITY
    if (last > 0) this.#siftDown(time, this.#keys[last]!)
  }

  #fillHole(): void {
    if (!this.#hole) return
    this.#hole = false
    this.#pop()
  }

  /** Puts (time, key) in at the top and lets it sink. */
  #siftDown(time: number, key: number): void {
    const times = this.#times
    const keys = this.#keys
    const half = this.#size >> 1
    let i = 0
    while (i < half) {
      let child = 2 * i + 1
      const a = times[child]!
      const b = times[child + 1]!
      // The smaller child without a branch: a misprediction costs more than the arithmetic. Equal times are rare.
      if (a === b) {
        if (keys[child + 1]! < keys[child]! && child + 1 < this.#size) child++
      } else child += +(b < a)
      const t = times[child]!
      if (time <= t && (time < t || key < keys[child]!)) break
      times[i] = t
      keys[i] = keys[child]!
      i = child
    }
    times[i] = time
    keys[i] = key
  }

  /** The heap is empty: brings in what is due first, and says whether there is anything. */
  #refill(): boolean {
    const later = this.#later
    if (later.count > HEAP_ALL) this.#horizonNs = later.take()
    else {
      later.drain()
      this.#horizonNs = Number.POSITIVE_INFINITY
    }
    const out = later.out
    for (let i = 0; i < later.found; i += 2) this.#push(out[i + 1]!, out[i]!)
    this.#sizeMax = Math.max(HEAP_MAX, 2 * this.#size) // As many may be due at one moment.
    return this.#size > 0
  }

  /** The heap is too large: all in it is due later, and the first of it comes back. */
  #spread(): void {
    const later = this.#later
    later.restart(this.nowNs)
    const entry = new Float64Array(2)
    for (let i = 0; i < this.#size; i++) {
      entry[0] = this.#keys[i]!
      entry[1] = this.#times[i]!
      later.count++
      later.push(entry, 0)
    }
    this.#clearHeap()
    this.#refill()
  }

  #clearHeap(): void {
    this.#times.fill(Number.POSITIVE_INFINITY, 0, this.#size)
    this.#size = 0
  }

  #grow(): void {
    this.#keys = grown(this.#keys)
    this.#times = grown(this.#times).fill(Number.POSITIVE_INFINITY, this.#size)
  }

  #sweepIfStale(): void {
    if (this.#stale > 1024 && this.#stale * 2 > this.#size + this.#later.count) this.#sweep()
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
    const keep = (key: number) => {
      const slot = slotOf(key)
      if (this.#slots[slot * SLOT_FIELDS + ENTRY] === key) kept.push(slot)
    }
    for (let i = 0; i < this.#size; i++) keep(this.#keys[i]!)
    later.drain()
    for (let i = 0; i < later.found; i += 2) keep(later.out[i]!)
    this.#clearHeap()
    this.#stale = 0
    return kept
  }

  /** Fills an empty queue with the entries of slots. */
  #putBack(kept: number[]): void {
    this.#later.restart(this.nowNs)
    for (const slot of kept) {
      this.#later.count++
      this.#later.push(this.#slots, slot * SLOT_FIELDS + ENTRY)
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
      slots[at + LATEST] = this.#sequence++ * SLOTS_MAX + slot
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

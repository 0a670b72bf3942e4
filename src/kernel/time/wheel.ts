/**
 * Two timer wheels. That of 6.1 puts a timer into a bucket once, the coarser the further it is away, and lets it fire at
 * the bucket's end: late, but never moved. That of 2.6 fires to the jiffy, and pays for it by cascading: a bucket of a
 * coarser level is emptied into the finer ones when its time comes.
 *
 * Linux 6.1 kernel/time/timer.c: calc_wheel_index(), collect_expired_timers(); Linux 2.6.32 kernel/timer.c:
 * internal_add_timer(), cascade().
 */
import { wheelJiffies } from '#kernel/core'

/** A timer of either wheel; `fires` is when it will, or did. */
export interface WheelTimer {
  name: string
  expires: number
  fires: number
}

/** Levels of 6.1: buckets of 8^n jiffies, 64 each. */
export const LEVELS = 9
const LEVEL_SIZE = 64

/** Which bucket holds what is due then. */
export function bucketOf(now: number, expires: number): { level: number; index: number } {
  const delta = expires - now
  let level = 0
  while (level < LEVELS - 1 && delta >= (LEVEL_SIZE - 1) * 8 ** level) level++
  const due = wheelJiffies(now, expires)
  return { level, index: Math.floor(due / 8 ** level) % LEVEL_SIZE }
}

/** The wheel of 6.1. */
export class Wheel {
  now: number
  readonly #timers = new Set<WheelTimer>()

  constructor(now: number) {
    this.now = now
  }

  add(name: string, expires: number): WheelTimer {
    const timer = { name, expires, fires: wheelJiffies(this.now, expires) }
    this.#timers.add(timer)
    return timer
  }

  remove(timer: WheelTimer): boolean {
    return this.#timers.delete(timer)
  }

  /** A tick passes: what fires at it. */
  tick(): WheelTimer[] {
    this.now++
    const fired = [...this.#timers].filter(({ fires }) => fires <= this.now)
    for (const timer of fired) this.#timers.delete(timer)
    return fired
  }

  get timers(): WheelTimer[] {
    return [...this.#timers]
  }
}

/** tv1 has 256 buckets of a jiffy, tv2 to tv5 64 each of 256 times 64^n. */
const ROOT_BITS = 8
const NODE_BITS = 6

/** The wheel of 2.6. */
export class CascadingWheel {
  /** The jiffy that is to be looked at next. */
  now: number
  /** Timers that were moved to a finer level. */
  cascaded = 0
  readonly #levels: Map<number, WheelTimer[]>[] = [new Map(), new Map(), new Map(), new Map(), new Map()]

  constructor(now: number) {
    this.now = now
  }

  add(name: string, expires: number): WheelTimer {
    const timer = { name, expires, fires: Math.max(expires, this.now) }
    this.#put(timer)
    return timer
  }

  #put(timer: WheelTimer): void {
    const delta = timer.expires - this.now
    let level = 0
    while (level < 4 && delta >= 2 ** (ROOT_BITS + level * NODE_BITS)) level++
    const due = delta < 0 ? this.now : Math.min(timer.expires, this.now + 2 ** 32 - 1)
    const index = bucket(due, level)
    const at = this.#levels[level]!
    const list = at.get(index)
    if (list) list.push(timer)
    else at.set(index, [timer])
  }

  /** Where a timer stands: tv1 to tv5. */
  levelOf(timer: WheelTimer): number {
    return 1 + this.#levels.findIndex((level) => [...level.values()].some((list) => list.includes(timer)))
  }

  /** One jiffy: coarser buckets whose time has come are emptied into finer ones, then the jiffy's own fires. */
  tick(): WheelTimer[] {
    const index = bucket(this.now, 0)
    for (let level = 1; level < 5; level++) {
      if (bucket(this.now, level - 1) !== 0) break
      const at = this.#levels[level]!
      const slot = bucket(this.now, level)
      const list = at.get(slot) ?? []
      at.delete(slot)
      this.cascaded += list.length
      for (const timer of list) this.#put(timer)
    }
    const fired = this.#levels[0]!.get(index) ?? []
    this.#levels[0]!.delete(index)
    this.now++
    return fired
  }
}

function bucket(jiffies: number, level: number): number {
  if (level === 0) return jiffies % 2 ** ROOT_BITS
  return Math.floor(jiffies / 2 ** (ROOT_BITS + (level - 1) * NODE_BITS)) % 2 ** NODE_BITS
}

/**
 * CoDel: drops when packets have waited longer than a target for a whole interval, and then ever more often. Times in units of
 * 1024 ns, as the kernel's.
 *
 * RFC 8289. Linux 6.1 include/net/codel.h, codel_impl.h.
 */
import type { Item } from './sch.ts'

/** Nanoseconds to the kernel's units. */
export const codelTime = (ns: number) => Math.floor(ns / 1024)

export interface CodelSettings {
  /** All in units of 1024 ns. */
  target: number
  interval: number
  /** Infinity: none. */
  ceThreshold: number
  mtu: number
  ecn: boolean
}

/** One queue's state. */
export class CodelState {
  count = 0
  lastCount = 0
  dropping = false
  /** About 1 / sqrt(count), of 2^16. */
  inverseRoot = 0
  firstAbove = 0
  dropNext = 0
  delay = 0
}

export interface CodelQueue {
  take(): Item | undefined
  /** Bytes that wait in all. */
  backlog(): number
  drop(item: Item): void
  /** Says "congestion experienced"; whether the sender understands. */
  mark(item: Item): boolean
  marked(ce: boolean): void
}

/** One step of Newton's method, of 16 bits. codel_Newton_step(). */
function newton(state: CodelState): void {
  const root = state.inverseRoot << 16
  const unsigned = BigInt(root >>> 0)
  const squared = (unsigned * unsigned) >> 32n
  const value = ((3n << 32n) - BigInt(state.count) * squared) >> 2n
  state.inverseRoot = Number(((value * unsigned) >> 31n) >> 16n) & 0xffff
}

function controlLaw(time: number, interval: number, inverseRoot: number): number {
  return time + Math.floor((interval * (inverseRoot * 65536)) / 2 ** 32)
}

function shouldDrop(
  item: Item | undefined,
  state: CodelState,
  settings: CodelSettings,
  queue: CodelQueue,
  now: number,
): boolean {
  if (item === undefined) {
    state.firstAbove = 0
    return false
  }
  state.delay = now - codelTime(item.timeNs)
  if (state.delay < settings.target || queue.backlog() <= settings.mtu) {
    state.firstAbove = 0
    return false
  }
  if (state.firstAbove === 0) {
    state.firstAbove = now + settings.interval
    return false
  }
  return now > state.firstAbove
}

/** The next packet that is sent. codel_dequeue(). */
export function codelDequeue(
  state: CodelState,
  settings: CodelSettings,
  queue: CodelQueue,
  nowNs: number,
): Item | undefined {
  let item = queue.take()
  if (item === undefined) {
    state.dropping = false
    return undefined
  }
  const now = codelTime(nowNs)
  let drop = shouldDrop(item, state, settings, queue, now)
  if (state.dropping) {
    if (!drop) state.dropping = false
    else if (now >= state.dropNext) {
      while (state.dropping && now >= state.dropNext) {
        state.count++
        newton(state)
        if (settings.ecn && queue.mark(item!)) {
          queue.marked(false)
          state.dropNext = controlLaw(state.dropNext, settings.interval, state.inverseRoot)
          break
        }
        queue.drop(item!)
        item = queue.take()
        if (!shouldDrop(item, state, settings, queue, now)) state.dropping = false
        else state.dropNext = controlLaw(state.dropNext, settings.interval, state.inverseRoot)
      }
    }
  } else if (drop) {
    if (settings.ecn && queue.mark(item)) queue.marked(false)
    else {
      queue.drop(item)
      item = queue.take()
      drop = shouldDrop(item, state, settings, queue, now)
    }
    state.dropping = true
    const delta = state.count - state.lastCount
    if (delta > 1 && now - state.dropNext < 16 * settings.interval) {
      state.count = delta
      newton(state)
    } else {
      state.count = 1
      state.inverseRoot = 0xffff
    }
    state.lastCount = state.count
    state.dropNext = controlLaw(now, settings.interval, state.inverseRoot)
  }
  if (item && state.delay > settings.ceThreshold && queue.mark(item)) queue.marked(true)
  return item
}

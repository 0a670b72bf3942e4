/**
 * Weighted round robin. The list is gone through with a bar that starts at the highest weight and is lowered by the weights'
 * greatest common divisor at each pass: who reaches the bar gets a connection. So a server of weight 4 beside one of weight 1
 * has three turns alone before they take turns.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_wrr.c: ip_vs_wrr_schedule(), ip_vs_wrr_dest_changed().
 */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import type { Service } from '../service.ts'
import { greatestCommonDivisor, highestWeight } from './weights.ts'

class Bar {
  /** The server that was taken last; undefined: the list's head. */
  last: Dest | undefined = undefined
  /** The bar now, where it starts, and by what it is lowered. */
  height = 0
  start = 0
  step = 1

  /** Where the bar starts is the lowest that only the heaviest reach; the last pass is then at 1, not at the divisor. */
  measure(svc: Service): void {
    this.step = greatestCommonDivisor(svc.destinations, (dest) => dest.weight) || 1
    this.start = highestWeight(svc.destinations, (dest) => dest.weight) - (this.step - 1)
  }
}

/** Begins again at the head; the bar stays at its height, as near as the new steps allow. */
function changed(svc: Service): void {
  const bar = svc.schedData as Bar
  bar.last = undefined
  bar.measure(svc)
  if (bar.height > bar.start || bar.height === 0) bar.height = bar.start
  else if (bar.step > 1) bar.height = Math.floor(bar.height / bar.step) * bar.step + 1
}

export const wrr: Scheduler = {
  name: 'wrr',
  init(svc) {
    const bar = new Bar()
    bar.measure(svc)
    bar.height = bar.start
    svc.schedData = bar
    return undefined
  },
  addDest: changed,
  delDest: changed,
  updDest: changed,
  schedule(svc) {
    const bar = svc.schedData as Bar
    const { destinations } = svc
    if (bar.start === 0) {
      schedulerError(svc, 'no destination available')
      return undefined
    }
    const from = bar.last === undefined ? -1 : destinations.indexOf(bar.last)
    let at = from + 1
    /** Where to give up: set once everybody behind `from` has been asked at the lowest bar. */
    let end = destinations.length
    let lowest = false
    let wrapped = false
    for (;;) {
      for (; at < destinations.length; at++) {
        const dest = destinations[at]!
        if (!dest.overloaded && dest.weight >= bar.height) {
          bar.last = dest
          return dest
        }
        if (at === end) {
          schedulerError(svc, 'no destination available: all destinations are overloaded')
          return undefined
        }
      }
      at = 0
      bar.height -= bar.step
      if (bar.height <= 0) {
        bar.height = bar.start
        // Everybody was asked at the lowest bar: in a whole pass, or in the only one.
        if (lowest || from < 0) {
          bar.last = undefined
          schedulerError(svc, 'no destination available: all destinations are overloaded')
          return undefined
        }
        wrapped = true
      }
      lowest = bar.height <= bar.step
      // The lowest bar's pass began behind `from`; those up to it still have to be asked.
      if (lowest && wrapped && from >= 0) end = from
    }
  },
}

/** Round robin: each in turn, the newest first. Linux 6.1 net/netfilter/ipvs/ip_vs_rr.c. */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'

/** The server that was taken last; undefined: the list's head. */
interface Turn {
  last: Dest | undefined
}

export const rr: Scheduler = {
  name: 'rr',
  init(svc) {
    svc.schedData = { last: undefined } satisfies Turn
    return undefined
  },
  delDest(svc, dest, index) {
    const turn = svc.schedData as Turn
    if (turn.last === dest) turn.last = svc.destinations[index - 1]
  },
  schedule(svc) {
    const turn = svc.schedData as Turn
    const { destinations } = svc
    const count = destinations.length
    const at = turn.last === undefined ? -1 : destinations.indexOf(turn.last)
    // All behind the last one, then from the head to the last one itself.
    for (let i = 1; i <= count; i++) {
      const dest = destinations[(at + i) % count]!
      if (!dest.overloaded && dest.weight > 0) {
        turn.last = dest
        return dest
      }
    }
    schedulerError(svc, 'no destination available')
    return undefined
  },
}

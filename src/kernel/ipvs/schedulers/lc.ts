/** Least connections, whatever the weights; of equals, the newest server. Linux 6.1 net/netfilter/ipvs/ip_vs_lc.c: ip_vs_lc_schedule(). */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { connectionOverhead, isWilling } from './choose.ts'

export const lc: Scheduler = {
  name: 'lc',
  schedule(svc) {
    let least: Dest | undefined
    let lowest = 0
    for (const dest of svc.destinations) {
      if (!isWilling(dest)) continue
      const own = connectionOverhead(dest)
      if (least !== undefined && own >= lowest) continue
      least = dest
      lowest = own
    }
    if (least === undefined) schedulerError(svc, 'no destination available')
    return least
  },
}

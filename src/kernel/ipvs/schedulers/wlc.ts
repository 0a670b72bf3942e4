/** Weighted least connections: the fewest for its weight. Linux 6.1 net/netfilter/ipvs/ip_vs_wlc.c: ip_vs_wlc_schedule(). */
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { connectionOverhead, leastLoaded } from './choose.ts'

export const wlc: Scheduler = {
  name: 'wlc',
  schedule(svc) {
    const least = leastLoaded(svc.destinations, connectionOverhead)
    if (least === undefined) schedulerError(svc, 'no destination available')
    return least
  },
}

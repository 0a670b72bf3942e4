/**
 * Shortest expected delay: the fewest active connections, with the one that comes, for its weight.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sed.c: ip_vs_sed_schedule().
 */
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { expectedDelay, leastLoaded } from './choose.ts'

export const sed: Scheduler = {
  name: 'sed',
  schedule(svc) {
    const least = leastLoaded(svc.destinations, expectedDelay)
    if (least === undefined) schedulerError(svc, 'no destination available')
    return least
  },
}

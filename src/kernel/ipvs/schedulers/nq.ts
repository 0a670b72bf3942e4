/**
 * Never queue: the first idle server, however slow; where all are busy, the shortest expected delay.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_nq.c: ip_vs_nq_schedule().
 */
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { expectedDelay, isWilling, leastLoaded } from './choose.ts'

export const nq: Scheduler = {
  name: 'nq',
  schedule(svc) {
    const idle = svc.destinations.find((dest) => isWilling(dest) && dest.activeConns === 0)
    const chosen = idle ?? leastLoaded(svc.destinations, expectedDelay)
    if (chosen === undefined) schedulerError(svc, 'no destination available')
    return chosen
  },
}

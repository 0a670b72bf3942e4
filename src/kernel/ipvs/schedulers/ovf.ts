/**
 * Weighted overflow: the heaviest that hasn't more active connections than weight. So each takes one more than its weight, and
 * when all are full nobody is served. Linux 6.1 net/netfilter/ipvs/ip_vs_ovf.c: ip_vs_ovf_schedule().
 */
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { heaviest, isWilling } from './choose.ts'

export const ovf: Scheduler = {
  name: 'ovf',
  schedule(svc) {
    const chosen = heaviest(svc.destinations, (dest) => isWilling(dest) && dest.activeConns <= dest.weight)
    if (chosen === undefined) schedulerError(svc, 'no destination available')
    return chosen
  },
}

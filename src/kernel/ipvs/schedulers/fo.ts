/** Weighted failover: always the heaviest; of equals, the newest. Linux 6.1 net/netfilter/ipvs/ip_vs_fo.c: ip_vs_fo_schedule(). */
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { heaviest, isWilling } from './choose.ts'

export const fo: Scheduler = {
  name: 'fo',
  schedule(svc) {
    const chosen = heaviest(svc.destinations, isWilling)
    if (chosen === undefined) schedulerError(svc, 'no destination available')
    return chosen
  },
}

/**
 * Locality-based least connections, for clusters of caches: all connections to an address go to the server that had the last one,
 * until it bears too much while another is at less than half of its weight.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblc.c: ip_vs_lblc_schedule().
 */
import { jiffiesOf } from '#kernel/net'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { connectionOverhead, leastLoaded } from './choose.ts'
import { expirationSysctl, isOverburdened, type LocalityEntry, LocalityTable } from './locality.ts'

const expiration = expirationSysctl('lblc_expiration')

export const lblc: Scheduler = {
  name: 'lblc',
  install: expiration.install,
  init(svc) {
    svc.schedData = new LocalityTable<LocalityEntry>(svc, 'lblc', expiration)
    return undefined
  },
  done(svc) {
    ;(svc.schedData as LocalityTable<LocalityEntry>).destroy()
  },
  schedule(svc, _packet, iph) {
    const table = svc.schedData as LocalityTable<LocalityEntry>
    const now = jiffiesOf(svc.ipvs.host)
    const entry = table.get(iph.daddr)
    const last = entry?.dests[0]
    if (entry !== undefined && last !== undefined) {
      entry.lastUse = now
      // The thresholds don't count here: who is known keeps its server.
      if (last.available && last.weight > 0 && !isOverburdened(last, svc)) return last
    }
    const dest = leastLoaded(svc.destinations, connectionOverhead)
    if (dest === undefined) {
      schedulerError(svc, 'no destination available')
      return undefined
    }
    if (dest === last) return dest
    table.delete(iph.daddr)
    if (!table.full) {
      table.add(iph.daddr, { lastUse: now, dests: [dest] })
      dest.refs++
    }
    return dest
  },
}

/**
 * Locality-based least connections with replication: an address has a set of servers, of which the least loaded gets the
 * connection. Where that one bears too much, the least loaded of all joins the set; a set that hasn't changed for the time of
 * net.ipv4.vs.lblcr_expiration loses its most loaded.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblcr.c: ip_vs_lblcr_schedule().
 */
import { jiffiesOf } from '#kernel/net'
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import { connectionOverhead, leastLoaded } from './choose.ts'
import { expirationSysctl, isOverburdened, type LocalityEntry, LocalityTable } from './locality.ts'

const expiration = expirationSysctl('lblcr_expiration')

/** `dests`: the newest member first. */
interface ServerSet extends LocalityEntry {
  /** Jiffies when a server joined or left. */
  lastChange: number
}

function join(set: ServerSet, dest: Dest, now: number): void {
  if (set.dests.includes(dest)) return
  set.dests.unshift(dest)
  dest.refs++
  set.lastChange = now
}

/** The most loaded of a set for its weight, removed or overloaded ones included. ip_vs_dest_set_max(). */
function mostLoaded(dests: readonly Dest[]): Dest | undefined {
  let most: Dest | undefined
  let highest = 0
  for (const dest of dests) {
    if (dest.weight <= 0) continue
    const own = connectionOverhead(dest)
    if (most !== undefined && highest * dest.weight >= own * most.weight) continue
    most = dest
    highest = own
  }
  return most
}

function shrink(set: ServerSet, now: number): void {
  const most = mostLoaded(set.dests)
  if (most === undefined) return
  set.dests.splice(set.dests.indexOf(most), 1)
  most.refs--
  set.lastChange = now
}

export const lblcr: Scheduler = {
  name: 'lblcr',
  install: expiration.install,
  init(svc) {
    svc.schedData = new LocalityTable<ServerSet>(svc, 'lblcr', expiration)
    return undefined
  },
  done(svc) {
    ;(svc.schedData as LocalityTable<ServerSet>).destroy()
  },
  schedule(svc, _packet, iph) {
    const table = svc.schedData as LocalityTable<ServerSet>
    const { host } = svc.ipvs
    const now = jiffiesOf(host)
    const set = table.get(iph.daddr)
    if (set !== undefined) {
      set.lastUse = now
      const least = leastLoaded(
        set.dests.filter((dest) => dest.available),
        connectionOverhead,
      )
      // Chosen before: who leaves the set now may still get this one.
      if (set.dests.length > 1 && now > set.lastChange + expiration.of(host)) shrink(set, now)
      if (least !== undefined && !isOverburdened(least, svc)) return least
    }
    const dest = leastLoaded(svc.destinations, connectionOverhead)
    if (dest === undefined) {
      // Without a set the kernel says so only to who debugs it.
      if (set !== undefined) schedulerError(svc, 'no destination available')
      return undefined
    }
    if (set !== undefined) join(set, dest, now)
    else if (!table.full) {
      const made: ServerSet = { lastUse: now, lastChange: now, dests: [] }
      join(made, dest, now)
      table.add(iph.daddr, made)
    }
    return dest
  },
}

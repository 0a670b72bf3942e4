/** How the schedulers that count connections compare servers. Linux 6.1 include/net/ip_vs.h: ip_vs_dest_conn_overhead(). */
import type { Dest } from '../dest.ts'

/** What a server bears: an active connection counts as 256 that only wait for their end (and for itself as one more). */
export function connectionOverhead(dest: Dest): number {
  return dest.activeConns * 256 + dest.totalConns
}

/** What it would bear with one more active connection; those that wait for their end don't count. */
export function expectedDelay(dest: Dest): number {
  return dest.activeConns + 1
}

/** Takes new connections: not quiesced, below its thresholds. */
export function isWilling(dest: Dest): boolean {
  return dest.weight > 0 && !dest.overloaded
}

/** The willing server with the least load for its weight; of equals, the first. Ratios are compared without dividing. */
export function leastLoaded(dests: Iterable<Dest>, load: (dest: Dest) => number): Dest | undefined {
  let least: Dest | undefined
  let lowest = 0
  for (const dest of dests) {
    if (!isWilling(dest)) continue
    const own = load(dest)
    if (least !== undefined && lowest * dest.weight <= own * least.weight) continue
    least = dest
    lowest = own
  }
  return least
}

/** Of those that can take it, the one of the highest weight; of equals, the first. */
export function heaviest(dests: readonly Dest[], canTake: (dest: Dest) => boolean): Dest | undefined {
  let chosen: Dest | undefined
  for (const dest of dests) {
    if (canTake(dest) && (chosen === undefined || dest.weight > chosen.weight)) chosen = dest
  }
  return chosen
}

/**
 * Jiffies and the timer wheel's rounding, as far as they show in captures: CONFIG_HZ is Debian's 250, and a timer fires at
 * the end of its bucket, never early and up to an eighth of its delay late. An ARP request that is sent again "after one
 * second" is therefore seen 1.024 s after the one before.
 *
 * Linux 6.1 kernel/time/timer.c: calc_wheel_index(), calc_index().
 */
import type { Host } from '#kernel/core'

export const HZ = 250
/** Nanoseconds of one jiffy. */
export const JIFFY_NS = 1_000_000_000 / HZ
/** Jiffies at boot: five minutes before a 32-bit counter wraps. Linux 6.1 include/linux/jiffies.h: INITIAL_JIFFIES. */
export const INITIAL_JIFFIES = 2 ** 32 - 300 * HZ

/** Jiffies now. They never wrap in the model. */
export function jiffiesOf(host: Host): number {
  return INITIAL_JIFFIES + Math.floor((host.sim.nowNs - host.bootedNs) / JIFFY_NS)
}

/** Jiffies at which a wheel timer fires that is armed at `now` for `expires`. */
export function wheelJiffies(now: number, expires: number): number {
  const delta = expires - now
  if (delta < 0) return now + 1
  // Level n holds delays of up to 63 * 8^n jiffies, in buckets of 8^n.
  let granularity = 1
  for (let level = 0; level < 8 && delta >= 63 * granularity; level++) granularity *= 8
  return (Math.floor(expires / granularity) + 1) * granularity
}

/** The virtual time at which a wheel timer fires that is armed now for `expires` (in jiffies). */
export function wheelNs(host: Host, expires: number): number {
  return host.bootedNs + (wheelJiffies(jiffiesOf(host), expires) - INITIAL_JIFFIES) * JIFFY_NS
}

/** The virtual time at which a jiffy begins. */
export function jiffyNs(host: Host, jiffies: number): number {
  return host.bootedNs + (jiffies - INITIAL_JIFFIES) * JIFFY_NS
}

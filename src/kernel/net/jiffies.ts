/**
 * Jiffies and the timer wheel's rounding, as far as they show in captures: CONFIG_HZ is Debian's 250, and a timer fires at
 * the end of its bucket, never early and up to an eighth of its delay late. An ARP request that is sent again "after one
 * second" is therefore seen 1.024 s after the one before.
 *
 * Linux 6.1 kernel/time/timer.c: calc_wheel_index(), calc_index().
 */
import { type Host, INITIAL_JIFFIES, JIFFY_NS, jiffiesOf, wheelJiffies } from '#kernel/core'

export { HZ, INITIAL_JIFFIES, JIFFY_NS, jiffiesOf, wheelJiffies } from '#kernel/core'

/** The virtual time at which a wheel timer fires that is armed now for `expires` (in jiffies). */
export function wheelNs(host: Host, expires: number): number {
  return host.bootedNs + (wheelJiffies(jiffiesOf(host), expires) - INITIAL_JIFFIES) * JIFFY_NS
}

/** The virtual time at which a jiffy begins. */
export function jiffyNs(host: Host, jiffies: number): number {
  return host.bootedNs + (jiffies - INITIAL_JIFFIES) * JIFFY_NS
}

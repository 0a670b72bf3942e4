/**
 * When timers fire. There are two kinds: those of high resolution, which wake a sleeper between the moment that it asked
 * for and its slack later; and those of the wheel, in jiffies, late by up to an eighth of their length. Without high
 * resolution the former wait for a tick too. What a host's tick is like is said by its kernel's parameters.
 *
 * Linux 6.1 kernel/time/hrtimer.c: hrtimer_interrupt(), hrtimer_run_queues(); kernel/time/timer.c: calc_wheel_index(),
 * schedule_timeout(); fs/select.c: select_estimate_accuracy().
 */
import type { Hardware } from './hardware.ts'
import type { Host } from './host.ts'

/** CONFIG_HZ of Debian's kernels. */
export const HZ = 250
/** Nanoseconds of one jiffy. */
export const JIFFY_NS = 1_000_000_000 / HZ
/** Jiffies at boot: five minutes before a 32-bit counter wraps. Linux 6.1 include/linux/jiffies.h: INITIAL_JIFFIES. */
export const INITIAL_JIFFIES = 2 ** 32 - 300 * HZ
/** How late a process that isn't of a real-time class may be woken: init_task's timer_slack_ns. */
export const SLACK_NS = 50_000
const SLACK_MAX_NS = 100_000_000

/** A host's tick. */
export interface Ticking {
  /** Timers of high resolution fire when they are due, not at a tick. */
  highres: boolean
  /** An idle CPU has no tick. */
  nohz: boolean
}

const known = new WeakMap<Hardware, Ticking>()

/** The tick that a host's kernel runs with. Linux 6.1 kernel/time/tick-sched.c: setup_tick_nohz(), hrtimer.c: setup_hrtimer_hres(). */
export function tickingOf({ hardware }: Host): Ticking {
  let ticking = known.get(hardware)
  if (!ticking) {
    const said = (name: string) =>
      hardware.cmdline.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
    const off = (value: string | undefined) => value === 'off' || value === 'n' || value === '0'
    // A clock that itself only counts ticks can't do without them.
    const jiffies = said('clocksource') === 'jiffies'
    ticking = { highres: !off(said('highres')) && !jiffies, nohz: !off(said('nohz')) && !jiffies }
    known.set(hardware, ticking)
  }
  return ticking
}

/**
 * When a timer of high resolution fires, in ns since the boot. With slack it comes along with a tick that lies within; an
 * idle CPU that sleeps for less than a tick keeps its tick.
 * @param softNs when it may
 */
export function hrtimerNs({ highres, nohz }: Ticking, nowNs: number, softNs: number, slackNs: number): number {
  const hard = softNs + slackNs
  const tickAfter = (ns: number) => Math.ceil(ns / JIFFY_NS) * JIFFY_NS
  if (!highres) return tickAfter(nohz ? hard : softNs)
  const tick = tickAfter(softNs)
  return tick <= hard && (!nohz || hard - nowNs < JIFFY_NS) ? tick : hard
}

/** How late poll, select and epoll_wait may be, that wait so long: a thousandth. */
export function pollSlackNs(timeoutNs: number): number {
  return Math.max(SLACK_NS, Math.min(Math.floor(timeoutNs / 1000), SLACK_MAX_NS))
}

/** When a sleep or a time-out of a process is over that is to end at a virtual time. */
export function wakeNs(host: Host, untilNs: number, slackNs: number): number {
  return untilNs > host.sim.nowNs && untilNs < Number.POSITIVE_INFINITY
    ? host.bootedNs + hrtimerNs(tickingOf(host), host.sim.nowNs - host.bootedNs, untilNs - host.bootedNs, slackNs)
    : untilNs
}

/** Jiffies now. They never wrap in the model. */
export function jiffiesOf(host: Host): number {
  return INITIAL_JIFFIES + Math.floor((host.sim.nowNs - host.bootedNs) / JIFFY_NS)
}

/**
 * Jiffies at which a wheel timer fires that is armed at `now` for `expires`.
 * @param clock the wheel's own clock: one ahead in a jiffy in which it has run
 */
export function wheelJiffies(now: number, expires: number, clock = now): number {
  const delta = expires - clock
  if (delta < 0) return now + 1
  // Level n holds delays of up to 63 * 8^n jiffies, in buckets of 8^n.
  let granularity = 1
  for (let level = 0; level < 8 && delta >= 63 * granularity; level++) granularity *= 8
  return (Math.floor(expires / granularity) + 1) * granularity
}

/**
 * When a process is woken that waits in the kernel with a time-out in jiffies, as a receive with SO_RCVTIMEO does.
 * @param ranAt the jiffy in which the wheel last woke somebody
 */
export function scheduleTimeoutNs(host: Host, timeoutNs: number, ranAt = -1): number {
  if (timeoutNs === Number.POSITIVE_INFINITY) return timeoutNs
  const now = jiffiesOf(host)
  const fires = wheelJiffies(now, now + Math.ceil(timeoutNs / JIFFY_NS), ranAt === now ? now + 1 : now)
  return host.bootedNs + (fires - INITIAL_JIFFIES) * JIFFY_NS
}

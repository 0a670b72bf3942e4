/**
 * /proc/timer_list: every CPU's timers of high resolution, what the tick has been doing, and the devices that make it.
 * Linux 6.1 kernel/time/timer_list.c: print_cpu(), print_tickdevice().
 */
import { type Host, JIFFY_NS, jiffiesOf, type KernelHost, type Process, tickingOf } from '#kernel/core'
import { type ClockEventDevice, isOneshot, timeDevices } from './devices.ts'

const NEVER = '9223372036854775807'
const CLOCKS = ['ktime_get', 'ktime_get_real', 'ktime_get_boottime', 'ktime_get_clocktai']
/** Addresses are hashed, and a reader who may not see them sees this. */
const HIDDEN = '(____ptrval____)'
/** The soft-lockup watchdog's: 2/5 of ten seconds. Linux 6.1 kernel/watchdog.c: set_sample_period(). */
const WATCHDOG_NS = 4_000_000_000

/** A timer of high resolution, as it stands in its base. */
export interface ActiveTimer {
  name: string
  softNs: number
  hardNs: number
}

/** The timers of a CPU's monotonic base, the next first. */
export function activeTimers(host: Host, cpu: number): ActiveTimer[] {
  const now = host.sim.nowNs - host.bootedNs
  const timers: ActiveTimer[] = []
  const next = (period: number) => (Math.floor(now / period) + 1) * period
  if (tickingOf(host).highres) {
    timers.push({ name: 'tick_sched_timer', softNs: next(JIFFY_NS), hardNs: next(JIFFY_NS) })
  }
  timers.push({ name: 'watchdog_timer_fn', softNs: next(WATCHDOG_NS), hardNs: next(WATCHDOG_NS) })
  if (cpu === 0) {
    for (const process of processesOf(host)) {
      const until = process.waiting?.untilNs
      if (until === undefined || !Number.isFinite(until)) continue
      const hardNs = until - host.bootedNs
      timers.push({ name: 'hrtimer_wakeup', softNs: (process.waiting!.softNs ?? until) - host.bootedNs, hardNs })
    }
  }
  return timers.sort((a, b) => a.softNs - b.softNs)
}

function processesOf(host: Host): Iterable<Process> {
  return ((host.base ?? host) as KernelHost).runningMachine?.processes.values() ?? []
}

export function timerList(host: Host): string {
  const now = host.sim.nowNs - host.bootedNs
  const { cpus, perCpu, broadcast } = timeDevices(host)
  const parts = [`Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: 8\nnow at ${now} nsecs\n`]
  for (let cpu = 0; cpu < cpus; cpu++) parts.push(ofCpu(host, cpu, now))
  const mode = isOneshot(host) ? 1 : 0
  const mask = '0'.repeat(Math.max(1, Math.ceil(cpus / 4)))
  const stopped = `tick_broadcast_mask: ${mask}\ntick_broadcast_oneshot_mask: ${mask}\n`
  const handler = mode === 1 ? 'tick_handle_oneshot_broadcast' : 'clockevents_handle_noop'
  parts.push(`\nTick Device: mode:     ${mode}\nBroadcast device\n`)
  if (broadcast) parts.push(`${ofDevice(broadcast, { mode: 1, next: NEVER, handler })}\n${stopped}\n`)
  else parts.push(`Clock Event Device: <NULL>\n${stopped}\n`)
  const { highres, nohz } = tickingOf(host)
  const tick = highres ? 'hrtimer_interrupt' : nohz ? 'tick_nohz_handler' : 'tick_handle_periodic'
  const next = mode === 1 ? String((Math.floor(now / JIFFY_NS) + 1) * JIFFY_NS) : NEVER
  for (let cpu = 0; cpu < cpus; cpu++) {
    const device = ofDevice(perCpu, { mode: mode === 1 ? 3 : 2, next, handler: tick })
    parts.push(`Tick Device: mode:     ${mode}\nPer CPU device: ${cpu}\n${device}Wakeup Device: <NULL>\n\n`)
  }
  return parts.join('')
}

function ofCpu(host: Host, cpu: number, now: number): string {
  const { highres, nohz } = tickingOf(host)
  const kernel = (host.base ?? host) as KernelHost
  const { s, ns } = kernel.realtime()
  const offset = BigInt(s) * 1_000_000_000n + BigInt(ns) - BigInt(now)
  const lines = ['', `cpu: ${cpu}`]
  const timers = activeTimers(host, cpu)
  for (let clock = 0; clock < 8; clock++) {
    const kind = clock % 4
    lines.push(` clock ${clock}:`)
    lines.push(`  .base:       ${HIDDEN}`)
    lines.push(`  .index:      ${clock}`)
    lines.push(`  .resolution: ${highres ? 1 : JIFFY_NS} nsecs`)
    lines.push(`  .get_time:   ${CLOCKS[kind]}`)
    lines.push(`  .offset:     ${kind === 1 || kind === 3 ? offset : 0} nsecs`)
    lines.push('active timers:')
    if (clock > 0) continue
    timers.forEach(({ name, softNs, hardNs }, i) => {
      lines.push(` #${i}: <${HIDDEN}>, ${name}, S:01`)
      lines.push(` # expires at ${softNs}-${hardNs} nsecs [in ${softNs - now} to ${hardNs - now} nsecs]`)
    })
  }
  const tick = Math.floor(now / JIFFY_NS) * JIFFY_NS
  const field = (name: string, value: string | number) => lines.push(`  .${name.padEnd(15)}: ${value}`)
  field('expires_next', `${timers[0]?.softNs ?? 0} nsecs`)
  field('hres_active', highres ? 1 : 0)
  for (const name of ['nr_events', 'nr_retries', 'nr_hangs', 'max_hang_time']) field(name, 0)
  const jiffies = jiffiesOf(host)
  const idle = nohz ? now : 0
  field('nohz_mode', nohz ? (highres ? 2 : 1) : 0)
  field('last_tick', `${nohz ? tick : 0} nsecs`)
  field('tick_stopped', 0)
  field('idle_jiffies', nohz ? jiffies : 0)
  field('idle_calls', 0)
  field('idle_sleeps', 0)
  field('idle_entrytime', `${now} nsecs`)
  field('idle_waketime', `${idle} nsecs`)
  field('idle_exittime', `${idle} nsecs`)
  field('idle_sleeptime', `${Math.max(0, now - (kernel.runningMachine?.busyNs ?? 0))} nsecs`)
  field('iowait_sleeptime', '0 nsecs')
  field('last_jiffies', nohz ? jiffies : 0)
  field('next_timer', nohz ? tick + JIFFY_NS : 0)
  field('idle_expires', `${nohz ? tick + JIFFY_NS : 0} nsecs`)
  lines.push(`jiffies: ${jiffies}`)
  return `${lines.join('\n')}\n`
}

function ofDevice(
  { name, maxNs, minNs, mult, shift, functions }: ClockEventDevice,
  { mode, next, handler }: { mode: number; next: string; handler: string },
): string {
  const rows: [string, string | number | bigint][] = [
    ['max_delta_ns', maxNs],
    ['min_delta_ns', minNs],
    ['mult', mult],
    ['shift', shift],
    ['mode', mode],
    ['next_event', `${next} nsecs`],
    ...functions,
    ['event_handler', handler],
  ]
  // A long label takes the blanks that align the others.
  const text = rows.map(([label, value]) => ` ${`${label}:`.padEnd(15)} ${value}\n`).join('')
  return `Clock Event Device: ${name}\n${text}\n retries:        0\n`
}

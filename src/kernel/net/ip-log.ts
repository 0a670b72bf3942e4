/**
 * What IPv4 writes into the kernel's log: ten lines in five seconds, and then how many there would have been.
 * Linux 6.1 net/core/utils.c: net_ratelimit(); lib/ratelimit.c: ___ratelimit().
 */
import type { Host } from '#kernel/core'
import { inetState } from './ip-state.ts'
import { HZ, jiffiesOf } from './jiffies.ts'

const INTERVAL = 5 * HZ
const BURST = 10

/** How much was logged since when. */
export interface LogLimit {
  begin: number
  printed: number
  missed: number
}

/** Whether one more may be logged now. */
function allowed(host: Host): boolean {
  const state = inetState.of(host)
  const now = jiffiesOf(host)
  state.logLimit ??= { begin: now, printed: 0, missed: 0 }
  const limit = state.logLimit
  if (now > limit.begin + INTERVAL) {
    if (limit.missed > 0) host.log(4, `net_ratelimit: ${limit.missed} callbacks suppressed`)
    limit.begin = now
    limit.printed = 0
    limit.missed = 0
  }
  if (limit.printed >= BURST) {
    limit.missed++
    return false
  }
  limit.printed++
  return true
}

/** Logs lines that belong together, if the limit allows; the first gets the prefix of the kernel's file. */
export function logLimited(host: Host, level: number, lines: string[], prefix = 'IPv4: '): void {
  if (!allowed(host)) return
  lines.forEach((line, i) => {
    host.log(level, i === 0 ? prefix + line : line)
  })
}

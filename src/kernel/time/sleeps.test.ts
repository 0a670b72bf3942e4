/** Each sleep, time-out and timer that was measured on the real kernel ends here when it ended there. */
import { describe, expect, test } from 'vitest'
import { CONFIGURATIONS, readRecords } from '#backend/qemu'
import {
  type Host,
  hrtimerNs,
  INITIAL_JIFFIES,
  JIFFY_NS,
  PLAIN_HARDWARE,
  pollSlackNs,
  SLACK_NS,
  tickingOf,
  wheelJiffies,
} from '#kernel/core'

const { said } = readRecords()
const measured = Object.keys(CONFIGURATIONS).filter((name) => CONFIGURATIONS[name]!.sleeps && said[name])

/** What it takes to ask and to come back: system calls and, for a timerfd, three of them. */
const CALLS_NS = 60_000

describe.each(measured)('%s', (name) => {
  const command = Object.keys(said[name]!).find((each) => each.includes('sleeps.pl'))!
  const cmdline = CONFIGURATIONS[name]!.cmdline.split(' ')
  const ticking = tickingOf({ hardware: { ...PLAIN_HARDWARE, cmdline } } as unknown as Host)
  const lines = said[name]![command]!.trim().split('\n')
  // The tick's beginning: a real boot takes some of them before the first, and a periodic one isn't at a whole 4 ms.
  const list = said[name]!['cat /proc/timer_list']!
  const number = (pattern: RegExp) => Number(pattern.exec(list)![1])

  const rows = lines.map((line) => {
    const [way, length, from, to] = line.split(' ')
    return { way: way!, length: Number(length), from: Number(from), to: Number(to) }
  })

  test(`${rows.length} of them`, () => {
    expect(rows.length).toBeGreaterThan(200)
    const wrong: string[] = []
    // Where a periodic tick is, within 4 ms: a sleep has just ended by it.
    let phase = !ticking.highres && !ticking.nohz ? (rows[0]!.to % JIFFY_NS) - 5000 : 0
    const late =
      Math.floor((number(/^now at (\d+)/m) - phase) / JIFFY_NS) - (number(/^jiffies: (\d+)/m) - INITIAL_JIFFIES)
    let lastWheel = 0
    let early = 0
    for (const { way, length, from, to } of rows) {
      // A tick that was set once and repeats drifts by the timer's calibration: it is where it last was.
      const periodic = !ticking.highres && !ticking.nohz
      let due: number
      if (way === 'receive') {
        const jiffies = (ns: number) => INITIAL_JIFFIES + Math.floor((ns - phase) / JIFFY_NS) - late
        const now = jiffies(from + 3000)
        // The one before ended by the wheel, in the same jiffy.
        const clock = jiffies(lastWheel) === now ? now + 1 : now
        const fires = wheelJiffies(now, now + Math.ceil(length / JIFFY_NS), clock)
        lastWheel = to
        due = (fires - INITIAL_JIFFIES + late) * JIFFY_NS + phase
      } else {
        const asked =
          way === 'poll'
            ? Math.floor(length / 1e6) * 1e6
            : way === 'select' || way === 'itimer'
              ? Math.floor(length / 1000) * 1000
              : length
        const slack =
          way === 'poll' || way === 'select' ? pollSlackNs(asked) : way === 'timerfd' || way === 'itimer' ? 0 : SLACK_NS
        // The timer is armed within the call, a little after it was asked the time.
        due = hrtimerNs(ticking, from - phase, from - phase + asked, slack) + phase
        if (due + JIFFY_NS < to && from + asked + CALLS_NS > due) due += JIFFY_NS
      }
      if (periodic) {
        // Only the tick that ended it is known; it has to be the right one.
        const ticks = Math.round((to - due) / JIFFY_NS)
        if (ticks !== 0 && Math.abs(to - due) > CALLS_NS + JIFFY_NS)
          wrong.push(`${way} ${length} ${from} ${to}: due ${due}`)
        phase = (to % JIFFY_NS) - 5000
      } else if (!ticking.highres && to - due >= JIFFY_NS && to - due < JIFFY_NS + CALLS_NS) {
        // A local APIC that is a little fast comes just before its tick, and is asked for the next.
        early++
      } else if (!(to >= due && to - due < CALLS_NS))
        wrong.push(`${way} ${length} ${from} ${to}: due ${due}, off ${to - due}`)
    }
    expect(wrong).toEqual([])
    expect(early).toBeLessThan(10)
  })
})

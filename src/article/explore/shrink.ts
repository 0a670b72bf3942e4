/**
 * The fewest and simplest faults that still break an invariant. First events are left out: ever smaller parts of the
 * schedule (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). A fault goes with its end: one
 * that never ends would be another fault, which breaks other things. Then what is left is moved to rounder and earlier
 * times, and made milder.
 */
import type { LabVerb } from '#lab/faults'
import { type FaultEvent, type Schedule, spread } from './schedule.ts'

/** More runs than these aren't worth the reader's time. */
const RUNS_MAX = 150

/** Whether a schedule still breaks what the first one broke. */
export type StillFails = (schedule: Schedule) => Promise<boolean>

/** Gives the smallest schedule found; `schedule` itself is known to fail. */
export async function shrinkSchedule(schedule: Schedule, stillFails: StillFails): Promise<Schedule> {
  let best = schedule
  let runs = 0
  const seen = new Set<string>([JSON.stringify(schedule)])
  const attempt = async (candidate: Schedule): Promise<boolean> => {
    const text = JSON.stringify(candidate)
    if (runs >= RUNS_MAX || seen.has(text)) return false
    seen.add(text)
    runs++
    if (!(await stillFails(candidate))) return false
    best = candidate
    return true
  }

  await leaveOut(faultsOf(best), attempt)
  for (let again = true; again; ) {
    again = false
    for (let i = 0; i < best.length; i++) {
      for (const candidate of simpler(best, i)) {
        if (!(await attempt(candidate))) continue
        again = true
        break
      }
    }
  }
  return best
}

/** Leaves out as many parts as it can: halves, then quarters, down to single ones, until none can go. */
async function leaveOut(all: FaultEvent[][], attempt: (candidate: Schedule) => Promise<boolean>): Promise<void> {
  let parts = all
  let size = Math.ceil(parts.length / 2)
  while (size >= 1 && parts.length > 0) {
    let removed = false
    for (let from = 0; from < parts.length; ) {
      const rest = [...parts.slice(0, from), ...parts.slice(from + size)]
      if (await attempt(spread(rest.flat()))) {
        parts = rest
        removed = true
      } else from += size
    }
    if (size > 1) size = Math.ceil(size / 2)
    else if (!removed) break
  }
}

/** Events that belong together: a fault, and what ends it. */
function faultsOf(schedule: Schedule): FaultEvent[][] {
  const open = new Map<string, FaultEvent[]>()
  const faults: FaultEvent[][] = []
  for (const event of schedule) {
    const place = placeOf(event.verb)
    const begun = open.get(place)
    if (begun) {
      begun.push(event)
      open.delete(place)
    } else {
      const fault = [event]
      faults.push(fault)
      open.set(place, fault)
    }
  }
  return faults
}

function placeOf(verb: LabVerb): string {
  switch (verb.verb) {
    case 'unplug':
    case 'plug':
      return `${verb.host}:${verb.interface}`
    case 'poweroff':
    case 'poweron':
      return `power ${verb.host}`
    case 'pause':
    case 'resume':
      return `pause ${verb.host}`
    case 'wait':
      return ''
    default:
      return `${verb.verb} ${verb.network}`
  }
}

/** The schedule with one event simpler, the simplest first. */
function* simpler(schedule: Schedule, i: number): Generator<Schedule> {
  const { at, verb } = schedule[i]!
  const before = schedule[i - 1]?.at ?? 0
  const moved = (to: number) => spread(schedule.map((event, j) => (j === i ? { ...event, at: to } : event)))
  // All that follows comes with it, so that what is between stays as it is.
  const shifted = (by: number) => spread(schedule.map((event, j) => (j >= i ? { ...event, at: event.at - by } : event)))
  const distance = at - before
  const rounds = [10, 20, 50, 100].filter((each) => each < distance)
  for (const each of rounds) yield shifted(distance - each)
  for (const each of rounds) yield moved(before + each)
  if (distance > 10) yield shifted(distance - (distance >> 1))
  if (at % 10 !== 0) {
    const up = Math.ceil(at / 10) * 10
    const down = up - 10
    if (down > before) yield moved(down)
    if (up < (schedule[i + 1]?.at ?? Number.POSITIVE_INFINITY)) yield moved(up)
  }
  for (const milder of milderVerbs(verb))
    yield schedule.map((event, j) => (j === i ? { ...event, verb: milder } : event))
}

function milderVerbs(verb: LabVerb): LabVerb[] {
  if (verb.verb === 'loss') {
    return [0.02, 0.05, 0.1, 0.2, 0.3].filter((loss) => loss < verb.loss).map((loss) => ({ ...verb, loss }))
  }
  if (verb.verb === 'delay') {
    return [5e6, 20e6, 50e6, 100e6, 300e6]
      .filter((delayNs) => delayNs < verb.delayNs)
      .map((delayNs) => ({ ...verb, delayNs }))
  }
  return []
}

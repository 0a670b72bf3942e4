/**
 * Fault schedules: what befalls a lab, and when. Drawn by chance within what the invariants are meant to bear; each
 * fault ends again, so that what must come back can be told from what stays broken.
 *
 * Times are multiples of 0.1 s from where exploring begins, and events stand so far apart that an article can have them
 * at just these moments: a `lab#` line takes 0.3 s, and a `lab# wait` between two of them 0.3 s more than it waits.
 */
import type { FaultScope, Invariant } from '#article/format'
import type { RandomStream } from '#base/sim'
import type { LabVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'

export const FAULT_KINDS = ['unplug', 'poweroff', 'loss', 'delay', 'pause'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** One event: a verb at a time, in tenths of a second since exploring began. */
export interface FaultEvent {
  at: number
  verb: LabVerb
}

/** In order of time. */
export type Schedule = FaultEvent[]

/** What a `lab#` line takes; and the least distance that has a `lab# wait` in it. */
const STEP = 3
const WITH_WAIT = 2 * STEP
/** The share of the time in which faults begin; the rest is for what must come back. */
const BEGIN_SHARE = 0.55
/** Faults last from 0.1 s to this share of the time. */
const LAST_SHARE = 0.35
const FAULTS_MAX = 4
const TRIES = 12

/** What may be drawn, for these kinds and within a scope. */
export interface Choice {
  plan: LabPlan
  kinds: readonly FaultKind[]
  scope: FaultScope
  /** Hosts that make requests: spared unless the scope names targets. */
  spared: ReadonlySet<string>
  /** How long is explored, in tenths of a second. */
  time: number
}

/** The strictest of what several invariants are meant to bear. */
export function commonScope(invariants: readonly Invariant[]): FaultScope {
  let targets: string[] | undefined
  let atOnce = Number.POSITIVE_INFINITY
  let gapNs = 0
  for (const { scope } of invariants) {
    if (scope.targets) targets = targets ? targets.filter((each) => scope.targets!.includes(each)) : [...scope.targets]
    atOnce = Math.min(atOnce, scope.atOnce)
    gapNs = Math.max(gapNs, scope.gapNs)
  }
  return { targets, atOnce: Number.isFinite(atOnce) ? atOnce : 1, gapNs }
}

/** Hosts on which invariants make their requests. */
export function requestHosts(invariants: readonly Invariant[]): Set<string> {
  return new Set(invariants.flatMap(({ rule }) => ('probe' in rule ? [rule.probe.host] : [])))
}

interface Place {
  kind: FaultKind
  /** What can't have two faults at a time. */
  name: string
  host?: string
  iface?: string
  network?: string
}

/** All that can befall, in the plan's order. */
export function placesOf({ plan, kinds, scope, spared }: Choice): Place[] {
  const places: Place[] = []
  const named = (...names: string[]) => scope.targets?.some((target) => names.includes(target))
  for (const kind of kinds) {
    if (kind === 'loss' || kind === 'delay') {
      for (const { name } of plan.networks) if (named(name) ?? true) places.push({ kind, name, network: name })
      continue
    }
    for (const { name: host, interfaces } of plan.hosts) {
      if (kind !== 'unplug') {
        if (named(host) ?? !spared.has(host)) places.push({ kind, name: host, host })
        continue
      }
      for (const { name: iface } of interfaces) {
        if (named(host, `${host}:${iface}`) ?? !spared.has(host))
          places.push({ kind, name: `${host}:${iface}`, host, iface })
      }
    }
  }
  return places
}

/** Draws a schedule; empty if nothing can befall. */
export function drawSchedule(random: RandomStream, choice: Choice): Schedule {
  const { plan, scope, time } = choice
  const places = placesOf(choice)
  if (places.length === 0) return []
  // Each kind as often as another, however many places it has.
  const kinds = choice.kinds.filter((kind) => places.some((place) => place.kind === kind))
  const gap = Math.ceil(scope.gapNs / 1e8)
  const drawn: { place: Place; begin: number; end: number; verbs: [LabVerb, LabVerb] }[] = []
  const wanted = 1 + random.below(FAULTS_MAX)
  for (let i = 0; i < wanted; i++) {
    for (let tries = 0; tries < TRIES; tries++) {
      const kind = kinds[random.below(kinds.length)]!
      const here = places.filter((place) => place.kind === kind)
      const place = here[random.below(here.length)]!
      const begin = random.below(Math.max(1, Math.floor(time * BEGIN_SHARE)))
      const lasts = Math.round((time * LAST_SHARE) ** random.fraction()) // Short ones as likely as long ones.
      const end = begin + Math.max(STEP, lasts)
      const verbs = verbsOf(random, plan, place)
      // As long as they might be moved apart, neighbours count as at the same time.
      const same = drawn.filter((each) => each.begin < end + gap + WITH_WAIT && begin < each.end + gap + WITH_WAIT)
      if (same.length >= scope.atOnce || same.some((each) => clash(each.place, place))) continue
      drawn.push({ place, begin, end, verbs })
      break
    }
  }
  const events = drawn.flatMap(({ begin, end, verbs }) => [
    { at: begin, verb: verbs[0] },
    { at: end, verb: verbs[1] },
  ])
  return spread(events)
}

/** Two faults of one host or network undo each other, or mean nothing. */
function clash(a: Place, b: Place): boolean {
  if (a.network !== undefined || b.network !== undefined) return a.network === b.network && a.kind === b.kind
  return a.host === b.host
}

function verbsOf(random: RandomStream, plan: LabPlan, { kind, host, iface, network }: Place): [LabVerb, LabVerb] {
  const name = host ?? ''
  switch (kind) {
    case 'unplug':
      return [
        { verb: 'unplug', host: name, interface: iface! },
        { verb: 'plug', host: name, interface: iface! },
      ]
    case 'poweroff':
      return [
        { verb: 'poweroff', host: name },
        { verb: 'poweron', host: name },
      ]
    case 'pause':
      return [
        { verb: 'pause', host: name },
        { verb: 'resume', host: name },
      ]
    case 'loss': {
      const before = plan.networks.find((each) => each.name === network)!.loss
      const loss = Math.max(before, [0.02, 0.05, 0.1, 0.2, 0.3, 0.5][random.below(6)]!)
      return [
        { verb: 'loss', network: network!, loss },
        { verb: 'loss', network: network!, loss: before },
      ]
    }
    case 'delay': {
      const before = plan.networks.find((each) => each.name === network)!.delayNs
      const delayNs = before + [5, 20, 50, 100, 300, 800][random.below(6)]! * 1e6
      return [
        { verb: 'delay', network: network!, delayNs },
        { verb: 'delay', network: network!, delayNs: before },
      ]
    }
  }
}

/** In order, and as far apart as an article's lines are. What comes too soon is put off. */
export function spread(events: readonly FaultEvent[]): Schedule {
  const sorted = [...events].sort((a, b) => a.at - b.at)
  let before: number | undefined
  return sorted.map(({ at, verb }) => {
    let moved = at
    if (before === undefined) {
      if (moved > 0 && moved < STEP) moved = STEP
    } else {
      moved = Math.max(moved, before + STEP)
      if (moved > before + STEP && moved < before + WITH_WAIT) moved = before + WITH_WAIT
    }
    before = moved
    return { at: moved, verb }
  })
}

/** The waits, in tenths of a second, that put a schedule's events at their times: before each, and at the end. */
export function waitsOf(schedule: Schedule, end: number): { before: number[]; after: number } {
  // Where the next line would begin if nothing waited; a wait takes its time and a step more.
  let next = 0
  const waitUntil = (at: number) => (at > next ? at - next - STEP : -1)
  const before = schedule.map(({ at }) => {
    const wait = waitUntil(at)
    next = at + STEP
    return wait
  })
  return { before, after: Math.max(0, end - next - STEP) }
}

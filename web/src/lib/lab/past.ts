/**
 * Moments of the past, as labs that stand there. A lab can't be copied (its programs are generators), but it can be run
 * again; so that this is quick for a long run too, some runs stand ready at moments on the way, and go on from there.
 */
import type { SimLab } from '#backend/sim'
import type { LoggedInput, Moment } from './protocol.ts'
import { type Article, LabRun, type RunHost } from './run.ts'

/** Events that are run again in some 40 ms: what stands ready stands no nearer. */
const APART = 6_000
/** More than these would take the memory of a small machine. */
const READY_MAX = 10

/** What is kept of packets' ways in each of them. */
const STEPS_KEPT = 60_000

interface Mark {
  inputs: number
  atNs: number
  events: number
}

export class Past {
  readonly #article: Article
  readonly #host: RunHost & { readonly idle: boolean }
  #ready: LabRun[] = []
  /** By log, moments and the events before them. */
  readonly #marks = new WeakMap<LoggedInput[], Mark[]>()
  #building = false
  /** What is brought to a moment for a reader, not for later. */
  #wanted: LabRun | undefined
  /** Events that had to be run again for the last moment that a reader wanted: what going back costs. */
  ranAgain = 0

  constructor(article: Article, host: RunHost & { readonly idle: boolean }) {
    this.#article = article
    this.#host = host
  }

  /** Notes how far a run has come. */
  mark(log: LoggedInput[], lab: SimLab): void {
    let marks = this.#marks.get(log)
    if (!marks) {
      marks = []
      this.#marks.set(log, marks)
    }
    const { events } = lab.world.sim
    if (events - (marks.at(-1)?.events ?? 0) >= APART / 4) marks.push({ inputs: log.length, atNs: lab.nowNs, events })
  }

  /** A run at that moment; it stays here. Undefined: it couldn't be brought there. */
  async at(log: readonly LoggedInput[], moment: Moment): Promise<LabRun | undefined> {
    const run = await this.take(log, moment)
    this.#ready.push(run)
    if (this.#ready.length > READY_MAX + 1) this.#ready.splice(0, 1)
    return run
  }

  /** A run that went on so far, and stands there. */
  park(run: LabRun): void {
    this.#ready.push(run)
  }

  /** The same, for whoever goes on from there. */
  async take(log: readonly LoggedInput[], moment: Moment): Promise<LabRun> {
    const best = this.#best(log, moment)
    const run = best ?? new LabRun(this.#article, this.#host, STEPS_KEPT)
    this.#ready = this.#ready.filter((one) => one !== run)
    this.#wanted = run
    const { events } = run.lab.world.sim
    try {
      await run.follow(log, moment)
    } finally {
      this.#wanted = undefined
    }
    this.ranAgain = run.lab.world.sim.events - events
    return run
  }

  /** Runs of the past wait while something goes on. */
  async mayGoOn(run: LabRun): Promise<void> {
    while (run !== this.#wanted && (!this.#host.idle || this.#wanted !== undefined)) {
      await new Promise<void>((resolve) => setTimeout(resolve, 50))
    }
  }

  /** While nobody needs the machine: runs that stand at moments on the way to the end. */
  async keepReady(log: LoggedInput[], lab: SimLab): Promise<void> {
    const all = lab.world.sim.events
    const marks = this.#marks.get(log)
    if (this.#building || !marks || all < APART) return
    this.#building = true
    try {
      const count = Math.min(READY_MAX, Math.floor(all / APART))
      for (let i = 1; i <= count && this.#host.idle; i++) {
        const events = (all * i) / (count + 1)
        const mark = marks.findLast((one) => one.events <= events)
        if (!mark || mark.atNs >= lab.nowNs) continue
        const moment = { branch: 0, inputs: mark.inputs, atNs: mark.atNs }
        const near = this.#best(log, moment)
        if (near && near.lab.world.sim.events > mark.events - APART / 2) continue
        const run = new LabRun(this.#article, this.#host, STEPS_KEPT)
        await run.follow(log, moment)
        this.#ready.push(run)
        if (this.#ready.length > READY_MAX) this.#ready.shift()
      }
    } catch {
      // What can't be run again isn't ready; who goes there will hear why.
    } finally {
      this.#building = false
    }
  }

  /** The latest of those that stand before a moment of the same past. */
  #best(log: readonly LoggedInput[], { inputs, atNs }: Moment): LabRun | undefined {
    let best: LabRun | undefined
    for (const run of this.#ready) {
      const count = run.log.length
      if (run.broken !== undefined || count > inputs || run.lab.nowNs > atNs) continue
      if (best && best.lab.world.sim.events >= run.lab.world.sim.events) continue
      // What comes next must not have come already.
      if (count < inputs && log[count]!.atNs < run.lab.nowNs) continue
      if (run.log.every((entry, i) => entry === log[i])) best = run
    }
    return best
  }
}

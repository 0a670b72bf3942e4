/**
 * The lab's worker: the run that goes on, its pace, and the past. A block's commands run as fast as they compute, as
 * everywhere: the page shows them slowly. What a reader types runs as time does, so that Ctrl-C comes when it comes; and
 * time waits while the page still shows what happened. Whoever goes back gets a run of the same inputs that is brought to
 * that moment; what is done there is a branch.
 */
import { DEFAULT_START } from '#article/runner'
import { SimLab } from '#backend/sim'
import { Past } from './past.ts'
import type { Input, LoggedInput, Moment, Reply, Request } from './protocol.ts'
import { type Article, LabRun, Refused, type RunHost } from './run.ts'
import { TooMuch } from './watch.ts'

/** How often what was typed goes on, in milliseconds of the reader's time. */
const TICK_MS = 20
/** How much virtual time a reader in a hurry skips at once. */
const HURRY_NS = 10e9
/** Whoever speeds time up hears of it at least this often. */
const STRIDE_NS = 500e6

interface Branch {
  /** What was done on it, its past's inputs included: the very same entries. */
  log: LoggedInput[]
  endNs: number
}

type Turn = { type: 'branch'; moment: Moment } | { type: 'switch'; branch: number }

class LabServer implements RunHost {
  readonly #past: Past
  readonly #branches: Branch[] = []
  #branch = 0
  #run: LabRun
  #inputs: Input[] = []
  #turns: Turn[] = []
  #goto: Moment | undefined
  #going = false
  #working = false
  #watched = true
  #speed = 1
  #shown: (() => void) | undefined
  #turn: (() => void) | undefined
  #hurryNs = 0
  #toldNs = -1
  #laden = false

  constructor(article: Article) {
    this.#past = new Past(article, this)
    this.#run = new LabRun(article, this)
    this.#branches.push({ log: this.#run.log, endNs: 0 })
    reply({ type: 'opened', kernel: this.#run.lab.kernel })
    this.#tell(false)
  }

  /** What was done to it elsewhere is done here too, up to a moment. */
  async again(inputs: LoggedInput[], atNs: number | undefined): Promise<void> {
    this.#working = true
    reply({ type: 'busy', busy: true })
    try {
      const run = this.#run
      const endNs = Math.max(atNs ?? 0, inputs.at(-1)?.atNs ?? 0)
      await run.follow(inputs, { inputs: inputs.length, atNs: endNs }, true)
      run.lead()
    } catch (error) {
      this.#broke(error)
    }
    this.#tell(false)
    this.#working = false
    reply({ type: 'busy', busy: false })
    this.#work()
  }

  take(request: Request): void {
    switch (request.type) {
      case 'more':
        this.#shown?.()
        return
      case 'pace':
        this.#watched = request.watched
        this.#speed = request.speed ?? 1
        this.#shown?.()
        return
      case 'hurry':
        this.#hurryNs = this.#run.lab.nowNs + HURRY_NS
        this.#shown?.()
        return
      case 'stop':
        this.#run.watch.stop = true
        return
      case 'explain':
        reply({ type: 'explained', frame: request.frame, way: this.#run.way(request.frame) })
        return
      case 'goto':
        this.#goto = request.moment
        this.#go()
        return
      case 'branch':
      case 'switch':
        this.#turns.push(request)
        this.#inputs = []
        this.#shown?.()
        this.#turn?.()
        break
      case 'open':
        return
      default:
        this.#inputs.push(request)
    }
    this.#work()
  }

  // What a run asks for.

  async breathe(run: LabRun): Promise<void> {
    await macrotask()
    if (run.following) {
      // A run of the past yields to what goes on.
      if (run !== this.#run) await this.#past.mayGoOn(run)
      return
    }
    if (run !== this.#run) await new Promise(() => {}) // Given up.
    if (this.#turns.length > 0) {
      await new Promise(() => {}) // Somebody goes another way: this run is given up.
    }
    if (run.watch.stop) {
      run.watch.stop = false
      const excess = run.watch.laden() ?? run.watch.now()
      throw new TooMuch(excess)
    }
    this.#sayLaden(run)
    const next = this.#inputs.findIndex(({ type }) => type !== 'run')
    if (next < 0) {
      run.lab.limitNs = Number.POSITIVE_INFINITY
      return
    }
    if (run.lab.limitNs !== run.lab.nowNs) {
      // An input comes after all that happens at its moment: else nobody could do it again.
      run.lab.limitNs = run.lab.nowNs
      return
    }
    for (const input of this.#inputs.filter(({ type }) => type !== 'run')) this.#apply(input)
    this.#inputs = this.#inputs.filter(({ type }) => type === 'run')
    run.lab.limitNs = Number.POSITIVE_INFINITY
    this.#tell(false)
  }

  reply(run: LabRun, message: Reply): void {
    if (run === this.#run && !run.following) reply(message)
  }

  tell(run: LabRun): void {
    if (run === this.#run && !run.following) this.#tell(false)
  }

  /** Whether nothing goes on for the reader. */
  get idle(): boolean {
    return !this.#working && !this.#going
  }

  async #work(): Promise<void> {
    if (this.#working) return
    this.#working = true
    reply({ type: 'busy', busy: true })
    this.#run.watch.begin()
    for (;;) {
      try {
        const turn = this.#turns.shift()
        if (turn) {
          await this.#change(turn)
          continue
        }
        const run = this.#run
        const next = this.#inputs.findIndex(({ type }) => type !== 'run' || !run.task)
        if (next >= 0) {
          this.#apply(this.#inputs.splice(next, 1)[0]!)
          this.#tell(false)
        } else if (run.broken !== undefined) throw run.broken
        else if (run.task) {
          const turned = new Promise<void>((resolve) => {
            this.#turn = resolve
          })
          await Promise.race([run.task, turned])
        } else if (run.alive) await this.#passTime(run)
        else break
      } catch (error) {
        this.#broke(error)
        if (this.#turns.length === 0) break
      }
    }
    this.#working = false
    if (this.#laden) reply({ type: 'laden', excess: undefined })
    this.#laden = false
    reply({ type: 'busy', busy: false })
    this.#past.keepReady(this.#branches[this.#branch]!.log, this.#run.lab)
  }

  #apply(input: Input): void {
    const run = this.#run
    if (run.broken !== undefined) {
      if (input.type === 'run') reply({ type: 'block', block: input.block, state: 'failed' })
      return // Its page says so already.
    }
    try {
      run.apply(input)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      reply({ type: 'error', message: error.message, fatal: false })
    }
  }

  /** As much virtual time as went by for the reader, at most up to the next thing to be seen. */
  async #passTime(run: LabRun): Promise<void> {
    const { sim } = run.lab.world
    const hurried = sim.nowNs < this.#hurryNs
    await new Promise((resolve) => setTimeout(resolve, hurried ? 0 : TICK_MS))
    if (this.#turns.length > 0) return
    if (this.#inputs.length > 0) return // At this very moment.
    const step = hurried ? 100e6 : Math.min(STRIDE_NS, TICK_MS * 1e6 * this.#speed)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = resolve
    const before = performance.now()
    await Promise.race([run.lab.advance(Math.round(sim.nowNs + step)), promise])
    // Time that passes as quickly as it is wanted is no burden.
    if (performance.now() - before < TICK_MS * 2) run.watch.begin()
    if (this.#turns.length > 0) return
    await this.#tell(this.#watched && !hurried)
  }

  /** Tells the page what happened; if it is to be watched, waits until that was shown. */
  async #tell(wait: boolean): Promise<void> {
    const run = this.#run
    const events = run.take()
    const rest = wait && events.some(({ type }) => type !== 'inside')
    const { nowNs } = run.lab
    this.#branches[this.#branch]!.endNs = nowNs
    if (events.length > 0 || nowNs > this.#toldNs) reply({ type: 'events', events, nowNs, rest })
    this.#toldNs = nowNs
    this.#past.mark(run.log, run.lab)
    if (!rest) return
    await new Promise<void>((resolve) => {
      this.#shown = resolve
    })
    this.#shown = undefined
    run.watch.begin()
  }

  /** A run that can't go on: its past is as good as before. */
  #broke(error: unknown): void {
    this.#run.broken = error
    this.#inputs = []
    try {
      this.#tell(false)
    } catch {
      // What it can't say any more it doesn't.
    }
    if (error instanceof TooMuch) reply({ type: 'excess', excess: error.excess })
    else reply({ type: 'error', message: describe(error), fatal: true })
  }

  #sayLaden(run: LabRun): void {
    const excess = run.watch.laden()
    if (excess === undefined && !this.#laden) return
    this.#laden = excess !== undefined
    reply({ type: 'laden', excess })
  }

  /** Brings a run to where a reader looks: the newest wish counts. */
  async #go(): Promise<void> {
    if (this.#going) return
    this.#going = true
    while (this.#goto) {
      const moment = this.#goto
      this.#goto = undefined
      const began = performance.now()
      try {
        const run = await this.#past.at(this.#branches[moment.branch]!.log, moment)
        if (run) reply({ type: 'stands', moment, tookMs: performance.now() - began, insides: run.insides() })
      } catch (error) {
        reply({ type: 'error', message: describe(error), fatal: false })
      }
    }
    this.#going = false
    if (!this.#working) this.#past.keepReady(this.#branches[this.#branch]!.log, this.#run.lab)
  }

  async #change(turn: Turn): Promise<void> {
    const to = turn.type === 'branch' ? turn.moment.branch : turn.branch
    const { log, endNs } = this.#branches[to]!
    const moment = turn.type === 'branch' ? turn.moment : { branch: to, inputs: log.length, atNs: endNs }
    const run = await this.#past.take(log, moment)
    run.lead()
    const before = this.#run
    if (before.task === undefined && before.broken === undefined) {
      this.#branches[this.#branch]!.log = [...before.log]
      this.#past.park(before)
    }
    this.#run = run
    if (turn.type === 'branch') {
      this.#branch = this.#branches.length
      this.#branches.push({ log: run.log, endNs: moment.atNs })
      reply({ type: 'branched', branch: this.#branch, from: moment })
    } else {
      this.#branches[to]!.log = run.log
      this.#branch = to
      reply({ type: 'switched', branch: to })
    }
    this.#toldNs = run.lab.nowNs
    if (turn.type === 'branch') reply({ type: 'events', events: run.insides(), nowNs: run.lab.nowNs, rest: false })
    run.watch.begin()
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

const channel = new MessageChannel()
const waiting: (() => void)[] = []
channel.port1.onmessage = () => waiting.shift()?.()
/** Lets messages in. A timer would wait for four milliseconds. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    channel.port2.postMessage(0)
  })
}

// The DOM's types are those of a page; a worker's own postMessage takes a message and no more.
const scope = self as unknown as {
  postMessage(message: Reply): void
  onmessage: (message: MessageEvent<Request>) => void
}
const reply = (message: Reply) => scope.postMessage(message)

// What all labs share is made while the page isn't ready to say which lab it wants.
new SimLab({ networks: [], hosts: [] }, { seed: 1, start: DEFAULT_START, capture: false })

let server: LabServer | undefined

scope.onmessage = ({ data }) => {
  try {
    if (data.type !== 'open') {
      server?.take(data)
      return
    }
    server = new LabServer({ plan: data.plan, blocks: data.blocks, seed: data.seed })
    if (data.inputs && data.inputs.length > 0) server.again(data.inputs, data.atNs)
  } catch (error) {
    reply({ type: 'error', message: describe(error), fatal: true })
  }
}

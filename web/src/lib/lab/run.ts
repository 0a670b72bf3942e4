/**
 * One run of a lab: the simulated data centre, its consoles, what was done to it. It knows neither page nor clock: it is
 * given inputs and let go on, and a second run that is given the same ones at the same moments says the same. So a moment
 * of the past is a run that was brought there; see docs/decisions/going-back-by-running-again.md.
 */
import type { Block, ConsoleBlock } from '#article/format'
import { compareOutput, DEFAULT_START, skips } from '#article/runner'
import { SimLab } from '#backend/sim'
import { applyVerb, parseVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import { type Console, HostConsole } from './console.ts'
import { Insides } from './insides.ts'
import type { LabPort } from './port.ts'
import type { Input, InsideEvent, LabEvent, LoggedInput, Moment, Reply, Verdict } from './protocol.ts'
import { PtyConsole } from './pty.ts'
import { Recorder } from './recorder.ts'
import { Watch } from './watch.ts'
import { Ways } from './ways.ts'

/** What a lab may compute in all before it is stopped. */
const EVENTS_MAX = 500_000_000
/** After a cable was pulled or the power came, time goes by for this long: so one sees what comes of it. */
const AFTER_VERB_NS = 300e6

/** What a run needs of the worker. */
export interface RunHost {
  /** Others may speak: the run waits for it. */
  breathe(run: LabRun): Promise<void>
  /** A run that is brought to a moment of the past isn't told of. */
  reply(run: LabRun, message: Reply): void
  /** After each command of a block. */
  tell(run: LabRun): void
}

export interface Article {
  plan: LabPlan
  blocks: Block[]
  seed: number
}

/** What a reader can mend: the lab goes on. */
export class Refused extends Error {}

export class LabRun implements LabPort {
  readonly lab: SimLab
  readonly log: LoggedInput[] = []
  readonly watch: Watch
  readonly #article: Article
  readonly #host: RunHost
  readonly #recorder: Recorder
  readonly #insides: Insides
  readonly #ways: Ways
  readonly #consoles = new Map<string, Console>()
  /** Terminals on which something typed runs. */
  readonly #typed = new Set<string>()
  /** The block that runs. */
  task: Promise<void> | undefined
  /** Why it can't go on, if it can't. */
  broken: unknown
  #afterNs = 0
  #arrived: (() => void) | undefined
  #release: (() => void) | undefined

  /** @param steps how much of packets' ways is kept */
  constructor(article: Article, host: RunHost, steps?: number) {
    this.#article = article
    this.#host = host
    this.watch = new Watch(this)
    this.lab = new SimLab(article.plan, {
      seed: article.seed,
      start: DEFAULT_START,
      capture: false,
      budgets: { events: EVENTS_MAX, check: () => this.watch.check() },
      onPause: (why) => this.#pause(why),
    })
    // Before the recorder: what a host has become is told before the frame that it sent.
    this.#insides = new Insides(this.lab.world, (event) => this.#recorder.add(event))
    this.#recorder = new Recorder(this.lab.world, (network, from, bytes) => this.watch.frame(network, from, bytes))
    this.#ways = new Ways(this.lab.world, steps)
    for (const { name } of article.plan.hosts) this.#consoles.set(name, new HostConsole(name, this))
  }

  /** Something typed runs, or a cable was just pulled: time goes by. */
  get alive(): boolean {
    if (this.lab.nowNs < this.#afterNs || this.#typed.size > 0) return true
    for (const console of this.#consoles.values()) if (console.alive) return true
    return false
  }

  /** Does something to the lab, now. */
  apply(input: Input): void {
    this.log.push({ atNs: this.lab.nowNs, input })
    this.#recorder.add({ type: 'input', atNs: this.lab.nowNs, input })
    switch (input.type) {
      case 'run':
        this.task = this.#runBlock(input).finally(() => {
          this.task = undefined
          this.#arrived?.()
        })
        // Whoever waits for it hears of it; a run that nobody waits for any more may fail alone.
        this.task.catch((error) => {
          this.broken ??= error
        })
        break
      case 'input':
        this.#consoles.get(input.host)?.type(input.text.slice(0, 65_536))
        break
      case 'verb':
        this.#verb(input.line)
        break
      case 'resize':
        this.#consoles.get(input.host)?.resize?.(input.columns, input.rows)
        break
      case 'terminal':
        this.#terminal(input.host, input.open)
    }
  }

  /** Brings a run that only ever follows a log to a moment of it: with so many of its inputs, at that time. */
  async follow(
    log: readonly LoggedInput[],
    { inputs, atNs }: Pick<Moment, 'inputs' | 'atNs'>,
    aloud = false,
  ): Promise<void> {
    this.#recorder.quiet = !aloud
    this.#insides.quiet = !aloud
    this.following = true
    for (let i = this.log.length; i < inputs; i++) {
      const { atNs, input } = log[i]!
      await this.#until(atNs)
      // A block's commands begin at once, and mustn't run ahead.
      this.lab.limitNs = this.lab.nowNs
      try {
        this.apply(input)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
      // The very same entry: so one sees at once whose past a run has.
      this.log[i] = log[i]!
    }
    await this.#until(atNs)
  }

  /** It follows no longer, and can be told of: from here on it is the lab that goes on. */
  lead(): void {
    this.#recorder.quiet = false
    this.#insides.quiet = false
    this.following = false
    this.lab.limitNs = Number.POSITIVE_INFINITY
    this.#release?.()
    this.#release = undefined
  }
  following = false

  /** What all kernels keep at this moment. */
  insides(): InsideEvent[] {
    return this.#insides.all()
  }

  way(frame: number) {
    return this.#ways.of(frame)
  }

  /** What happened since the last time. */
  take(): LabEvent[] {
    this.#insides.lookAtAll()
    return this.#recorder.take()
  }

  show(terminal: string, text: string): void {
    this.#recorder.add({ type: 'output', atNs: this.lab.nowNs, host: terminal, text })
  }

  begin(console: HostConsole, line: string): void {
    const { host } = console
    this.#typed.add(host)
    this.lab.begin(host, line, {
      onOutput: (text) => console.print(text),
      onEnd: () => {
        this.#typed.delete(host)
        console.ask()
      },
    })
  }

  interrupt(host: string): void {
    this.lab.interrupt(host)
  }

  closed(terminal: string): void {
    this.#consoles.delete(terminal)
    this.#recorder.add({ type: 'terminal', atNs: this.lab.nowNs, host: terminal, open: false })
  }

  /** Lets time pass up to a moment, with what a block does meanwhile. */
  async #until(atNs: number): Promise<void> {
    if (this.task) {
      this.lab.limitNs = atNs
      const arrived = new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
      this.#release?.()
      this.#release = undefined
      await arrived
      if (this.broken !== undefined) throw this.broken
    }
    if (this.task === undefined && this.lab.nowNs < atNs) {
      this.lab.limitNs = Number.POSITIVE_INFINITY
      await this.lab.advance(atNs)
    }
  }

  async #pause(why: 'limit' | 'breath'): Promise<void> {
    if (why === 'breath' || !this.following) {
      await this.#host.breathe(this)
      return
    }
    if (this.lab.nowNs < this.lab.limitNs) return // Which has moved since.
    const release = new Promise<void>((resolve) => {
      this.#release = resolve
    })
    this.#arrived?.()
    await release
  }

  #verb(line: string): void {
    const parsed = parseVerb(line, this.#article.plan)
    if (!parsed.ok) throw new Refused(`${line}: ${parsed.what}; ${parsed.hint}`)
    applyVerb(this.lab.world, parsed.verb)
    this.#afterNs = this.lab.nowNs + (parsed.verb.verb === 'wait' ? parsed.verb.waitNs : AFTER_VERB_NS)
  }

  #terminal(terminal: string, open: boolean): void {
    const host = terminal.split(':')[0]!
    if (!this.lab.world.hosts.has(host)) return
    if (!open) {
      this.#consoles.get(terminal)?.close?.()
      return
    }
    if (this.#consoles.has(terminal)) return
    this.#recorder.add({ type: 'terminal', atNs: this.lab.nowNs, host: terminal, open: true })
    this.#consoles.set(terminal, new PtyConsole(terminal, host, this))
  }

  async #runBlock({ block: number, commands }: Extract<Input, { type: 'run' }>): Promise<void> {
    const block = this.#article.blocks[number]
    if (!block) return
    const reply = (message: Reply) => this.#host.reply(this, message)
    reply({ type: 'block', block: number, state: 'running' })
    try {
      if (block.kind === 'file') this.lab.writeFile(block.host, block.path, commands?.[0] ?? block.content)
      else if (!skips(block, 'sim'))
        for (const index of block.commands.keys()) await this.#runCommand(block, number, index, commands?.[index])
      this.#host.tell(this)
      reply({ type: 'block', block: number, state: 'finished' })
    } catch (error) {
      const fatal = !(error instanceof Refused)
      reply({ type: 'block', block: number, state: 'failed' })
      this.#host.tell(this)
      if (fatal) throw error
      reply({ type: 'error', message: error.message, fatal, block: number })
    }
  }

  async #runCommand(block: ConsoleBlock, number: number, index: number, edited: string | undefined): Promise<void> {
    const source = block.commands[index]!
    const { host } = source
    const command = edited ?? source.command
    const console = this.#consoles.get(host)
    if (this.#typed.has(host)) throw new Refused(`${host}: what was typed there still runs; end it first (Ctrl-C)`)
    const at = () => ({ atNs: this.lab.nowNs, host, block: number, index })
    this.#recorder.add({ type: 'command', ...at() })
    console?.lend?.(command)
    let result: Awaited<ReturnType<SimLab['command']>>
    if (console) {
      result = await this.lab.command(host, command, {
        limitS: block.limitS,
        onOutput: (text) => console.print(text),
      })
    } else {
      const parsed = parseVerb(command, this.#article.plan)
      if (!parsed.ok) throw new Refused(`${command}: ${parsed.what}`)
      result = await this.lab.verb(parsed.verb)
    }
    const { status, output, timedOut } = result
    let verdict: Verdict = { kind: 'unchecked' }
    if (timedOut) verdict = { kind: 'timed-out' }
    else if (!block.nocheck && edited === undefined) {
      const { equal, diff } = compareOutput(source.expected, output, block.unordered)
      verdict = equal ? { kind: 'equal' } : { kind: 'different', lines: diff }
    }
    this.#recorder.add({ type: 'finished', ...at(), status, output, verdict })
    console?.giveBack?.()
    this.#host.tell(this)
  }
}

/**
 * The lab's worker: the simulated data centre, its consoles, and its pace. A block's commands run as fast as they
 * compute, as everywhere: the page shows them slowly. What a reader types runs as time does, so that Ctrl-C comes when it
 * comes; and time waits while the page still shows what happened.
 */
import type { Block, ConsoleBlock } from '#article/format'
import { compareOutput, DEFAULT_START, skips } from '#article/runner'
import { SimLab } from '#backend/sim'
import { parseVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import { HostConsole } from './console.ts'
import { Insides } from './insides.ts'
import type { LabPort } from './port.ts'
import type { Reply, Request, Verdict } from './protocol.ts'
import { Recorder } from './recorder.ts'
import { Ways } from './ways.ts'

/** How often what was typed goes on, in milliseconds of the reader's time. */
const TICK_MS = 20
/** How much virtual time a reader in a hurry skips at once. */
const HURRY_NS = 10e9
/** What a lab may compute in all before it is stopped. */
const EVENTS_MAX = 500_000_000

class LabServer implements LabPort {
  readonly lab: SimLab
  readonly #plan: LabPlan
  readonly #blocks: Block[]
  readonly #recorder: Recorder
  readonly #insides: Insides
  readonly #ways: Ways
  readonly #consoles = new Map<string, HostConsole>()
  #queue: number[] = []
  /** Hosts on which something typed runs. */
  readonly #typed = new Set<string>()
  #working = false
  #watched = true
  #shown: (() => void) | undefined
  #hurryNs = 0

  constructor(plan: LabPlan, blocks: Block[], seed: number) {
    this.#plan = plan
    this.#blocks = blocks
    this.lab = new SimLab(plan, { seed, start: DEFAULT_START, capture: false, budgets: { events: EVENTS_MAX } })
    // Before the recorder: what a host has become is told before the frame that it sent.
    this.#insides = new Insides(this.lab.world, (event) => this.#recorder.add(event))
    this.#recorder = new Recorder(this.lab.world)
    this.#ways = new Ways(this.lab.world)
    reply({ type: 'opened', kernel: this.lab.kernel })
    for (const { name } of plan.hosts) this.#consoles.set(name, new HostConsole(name, this))
    this.#tell(false)
  }

  take(request: Request): void {
    switch (request.type) {
      case 'run':
        this.#queue.push(request.block)
        break
      case 'input':
        this.#consoles.get(request.host)?.type(request.text.slice(0, 65_536))
        this.#tell(false)
        break
      case 'more':
        this.#shown?.()
        break
      case 'pace':
        this.#watched = request.watched
        this.#shown?.()
        break
      case 'hurry':
        this.#hurryNs = this.lab.nowNs + HURRY_NS
        this.#shown?.()
        break
      case 'explain':
        reply({ type: 'explained', frame: request.frame, way: this.#ways.of(request.frame) })
        return
      case 'open':
    }
    this.#work()
  }

  show(host: string, text: string): void {
    this.#recorder.add({ type: 'output', atNs: this.lab.nowNs, host, text })
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

  /** One at a time: blocks before what was typed. */
  async #work(): Promise<void> {
    if (this.#working) return
    this.#working = true
    reply({ type: 'busy', busy: true })
    try {
      for (;;) {
        const block = this.#queue.shift()
        if (block !== undefined) await this.#runBlock(block)
        else if (this.#typed.size > 0) await this.#passTime()
        else break
      }
    } catch (error) {
      this.#tell(false)
      reply({ type: 'error', message: describe(error), fatal: true })
      return // It stays `working`: a lab that broke does nothing more.
    }
    this.#working = false
    reply({ type: 'busy', busy: false })
  }

  /** As much virtual time as went by for the reader, at most up to the next thing to be seen. */
  async #passTime(): Promise<void> {
    const { sim } = this.lab.world
    const hurried = sim.nowNs < this.#hurryNs
    await new Promise((resolve) => setTimeout(resolve, hurried ? 0 : TICK_MS))
    const untilNs = Math.round(sim.nowNs + (hurried ? 100 : TICK_MS) * 1e6)
    await this.lab.advance(untilNs)
    await this.#tell(this.#watched && !hurried)
  }

  async #runBlock(number: number): Promise<void> {
    const block = this.#blocks[number]
    if (!block) return
    reply({ type: 'block', block: number, state: 'running' })
    try {
      if (block.kind === 'file') this.lab.writeFile(block.host, block.path, block.content)
      else if (!skips(block, 'sim'))
        for (const index of block.commands.keys()) await this.#runCommand(block, number, index)
      reply({ type: 'block', block: number, state: 'finished' })
    } catch (error) {
      const fatal = !(error instanceof Refused)
      reply({ type: 'block', block: number, state: 'failed' })
      this.#tell(false)
      this.#queue = []
      if (fatal) throw error
      reply({ type: 'error', message: error.message, fatal, block: number })
    }
  }

  async #runCommand(block: ConsoleBlock, number: number, index: number): Promise<void> {
    const source = block.commands[index]!
    const { host } = source
    const console = this.#consoles.get(host)
    if (this.#typed.has(host)) throw new Refused(`${host}: what was typed there still runs; end it first (Ctrl-C)`)
    const at = () => ({ atNs: this.lab.nowNs, host, block: number, index })
    this.#recorder.add({ type: 'command', ...at() })
    console?.lend(source.command)
    let result: Awaited<ReturnType<SimLab['command']>>
    if (console) {
      result = await this.lab.command(host, source.command, {
        limitS: block.limitS,
        onOutput: (text) => console.print(text),
      })
    } else {
      const parsed = parseVerb(source.command, this.#plan)
      if (!parsed.ok) throw new Refused(`${source.command}: ${parsed.what}`)
      result = await this.lab.verb(parsed.verb)
    }
    const { status, output, timedOut } = result
    let verdict: Verdict = { kind: 'unchecked' }
    if (timedOut) verdict = { kind: 'timed-out' }
    else if (!block.nocheck) {
      const { equal, diff } = compareOutput(source.expected, output, block.unordered)
      verdict = equal ? { kind: 'equal' } : { kind: 'different', lines: diff }
    }
    this.#recorder.add({ type: 'finished', ...at(), status, output, verdict })
    console?.giveBack()
    await this.#tell(false)
  }

  /** Tells the page what happened; if it is to be watched, waits until that was shown. */
  async #tell(wait: boolean): Promise<void> {
    this.#insides.lookAtAll()
    const events = this.#recorder.take()
    const rest = wait && events.some(({ type }) => type !== 'inside')
    if (events.length > 0 || this.lab.nowNs > this.#toldNs)
      reply({ type: 'events', events, nowNs: this.lab.nowNs, rest })
    this.#toldNs = this.lab.nowNs
    if (!rest) return
    await new Promise<void>((resolve) => {
      this.#shown = resolve
    })
    this.#shown = undefined
  }

  #toldNs = -1
}

/** What a reader can mend: the lab goes on. */
class Refused extends Error {}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
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
    if (data.type === 'open') server = new LabServer(data.plan, data.blocks, data.seed)
    else server?.take(data)
  } catch (error) {
    reply({ type: 'error', message: describe(error), fatal: true })
  }
}

/**
 * The lab of a page: its worker, the recording of what the worker told, and the playhead in it. Whoever watches the live
 * edge sees things as they come, at a pace that an eye can follow; the worker waits for them. Whoever drags the playhead
 * back sees that moment, while the lab stands still.
 */
import type { LabView } from '$lib/article.ts'
import type {
  Excess,
  Input,
  InsideEvent,
  LabEvent,
  LoggedInput,
  Moment,
  Reply,
  Request,
  Verdict,
  Way,
} from './protocol.ts'
import { Recording, type Step } from './recording.ts'

export type BlockState = 'idle' | 'queued' | 'running' | 'finished' | 'failed'

export interface CommandResult {
  status: number
  output: string
  verdict: Verdict
}

/** One of the futures that a lab has had. */
export interface Branch {
  id: number
  /** Where it left another; undefined for the first. */
  from: Moment | undefined
  recording: Recording
}

/** How fast a recording is played: as an eye can follow, or so many virtual seconds in a second. */
export type Speed = 'eye' | number
export const SPEEDS: readonly Speed[] = ['eye', 0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 100]
/** A head that stays for so long is where somebody looks: the hosts are brought there. */
const STAYS_MS = 150

// The worker goes on when less than this is left to be shown; then nobody sees it wait.
const AHEAD_MS = 250

export class Lab {
  status = $state<'starting' | 'ready' | 'failed'>('starting')
  kernel = $state('')
  /** What can't be done, if something can't. */
  problem = $state<{ message: string; fatal: boolean; block?: number }>()
  /** The playhead, in milliseconds of watching. */
  headMs = $state(0)
  endMs = $state(0)
  /** At the live edge, or following it. */
  live = $state(true)
  /** A command of a block, or something typed, is under way. */
  busy = $state(false)
  playing = $state(false)
  /** Played backwards. */
  backwards = $state(false)
  speed = $state<Speed>('eye')
  branches = $state.raw<Branch[]>([])
  branch = $state(0)
  /** Where hosts were brought last, and what they keep there. */
  stands = $state.raw<{ moment: Moment; tookMs: number; insides: InsideEvent[] }>()
  /** What keeps the lab busy for long; what stopped it. */
  laden = $state.raw<Excess>()
  excess = $state.raw<Excess>()
  blocks = $state<BlockState[]>([])
  /** By block and command: what has been shown to have ended. */
  results = $state<Record<string, CommandResult | 'running'>>({})
  /** The way that was asked for last; `way` is undefined if it was given up. */
  explained = $state.raw<{ frame: number; way: Way | undefined }>()
  /** Frames that wait for nobody: reduced motion, or a reader in a hurry. */
  watched = true

  #recording = new Recording()
  #version = $state(0) // Counts what was appended.
  #worker: Worker
  #pending: { showMs: number; event: LabEvent }[] = []
  #resting = false
  #frameRequest = 0
  #lastStamp = 0
  // One question at a time: while frames come by the thousand, only the newest question is worth an answer.
  #asked = false
  #wanted: number | undefined
  #still: MediaQueryList
  readonly #view: LabView
  #staysTimer: ReturnType<typeof setTimeout> | undefined
  /** A branch was asked for, and isn't there yet. */
  #branching = false

  /** @param again what was done to it elsewhere is done again first, up to a moment */
  constructor(worker: Worker, view: LabView, seed: number, again?: { inputs: LoggedInput[]; atNs?: number }) {
    this.#worker = worker
    this.#view = view
    this.branches = [{ id: 0, from: undefined, recording: this.#recording }]
    this.#still = matchMedia('(prefers-reduced-motion: reduce)')
    this.watched = !this.#still.matches
    this.blocks = view.blocks.map(() => 'idle')
    worker.onmessage = (message: MessageEvent<Reply>) => this.#take(message.data)
    worker.onerror = (event) => this.#fail(event.message || 'the lab’s worker stopped', true)
    if (!this.watched) this.#send({ type: 'pace', watched: false })
    this.#send({ type: 'open', plan: view.plan, blocks: view.blocks, seed, ...again })
  }

  /** A block as data. */
  source(block: number): LabView['blocks'][number] | undefined {
    return this.#view.blocks[block]
  }

  /** What happened so far. Whoever reads it is told of more: it is one object that grows. */
  get recording(): Recording {
    void this.#version
    return this.#recording
  }

  /** @param commands in place of the block's own, in its order */
  run(block: number, commands?: string[]): void {
    if (this.status !== 'ready') return
    if (this.blocks[block] === 'running' || this.blocks[block] === 'queued') return
    for (const key of Object.keys(this.results)) if (key.startsWith(`${block}.`)) delete this.results[key]
    this.blocks[block] = 'queued'
    this.goLive()
    this.#send(commands ? { type: 'run', block, commands } : { type: 'run', block })
  }

  /** What is typed at a terminal; in the past it begins another future. */
  input(host: string, text: string): void {
    this.do({ type: 'input', host, text })
  }

  /** A `lab#` line: `unplug web1:eth0`. */
  verb(line: string): void {
    this.do({ type: 'verb', line })
  }

  /** Does something to the lab as it is shown: now, or at a past moment, which begins another future. */
  do(input: Input): void {
    if (this.status !== 'ready') return
    if (this.inPast) this.fork()
    else {
      this.goLive()
      this.#jump()
    }
    this.#send(input)
  }

  /** Whether a past moment is shown, and not what is under way. */
  get inPast(): boolean {
    return !this.live && this.headMs < this.endMs && !this.#branching
  }

  /** All that was done, up to what is shown: with article and seed, all that there is to know. */
  inputsSoFar(): { inputs: LoggedInput[]; atNs: number } {
    const { inputs, atNs } = this.#recording.momentAt(this.headMs, this.branch)
    return { inputs: this.#recording.inputs.slice(0, inputs).map(({ atNs, input }) => ({ atNs, input })), atNs }
  }

  /** Goes on from the moment that is shown: what is done next is another future. */
  fork(): void {
    if (!this.inPast) return
    const moment = this.#recording.momentAt(this.headMs, this.branch)
    this.#branching = true
    this.excess = undefined
    this.problem = undefined
    this.#send({ type: 'branch', moment })
    this.live = true
    this.playing = false
  }

  /** Shows another future, where it ended, and goes on there. */
  switchTo(branch: number): void {
    if (branch === this.branch || !this.branches[branch]) return
    this.#branching = true
    this.#send({ type: 'switch', branch })
  }

  /** To before what was done last: what stopped the lab hasn't happened there. */
  back(): void {
    this.seek(this.#recording.neighbour(this.endMs, -1, 'command'))
  }

  stop(): void {
    this.#send({ type: 'stop' })
  }

  /** Shows a moment. The lab stands still meanwhile, unless it is at rest anyway. */
  seek(showMs: number): void {
    this.playing = false
    this.live = false
    this.headMs = Math.max(0, Math.min(this.endMs, showMs))
    this.#stay()
  }

  /** The hosts follow a head that stays. */
  #stay(): void {
    clearTimeout(this.#staysTimer)
    this.#staysTimer = setTimeout(() => {
      if (!this.inPast || this.playing) return
      this.#send({ type: 'goto', moment: this.#recording.momentAt(this.headMs, this.branch) })
    }, STAYS_MS)
  }

  step(by: 1 | -1, kind: Step = 'event'): void {
    const to = this.#recording.neighbour(this.headMs, by, kind)
    if (by > 0 && to >= this.endMs) this.goLive()
    else this.seek(to)
  }

  play(backwards = false): void {
    if (!backwards && this.headMs >= this.endMs) this.headMs = 0
    if (backwards && this.headMs <= 0) this.headMs = this.endMs
    this.backwards = backwards
    this.live = false
    this.playing = true
    this.#animate()
  }

  pause(): void {
    this.playing = false
    this.live = false
    this.#stay()
  }

  /** Also how fast time goes by for what is typed. */
  setSpeed(speed: Speed): void {
    this.speed = speed
    this.#send({ type: 'pace', watched: this.watched && speed === 'eye', speed: speed === 'eye' ? 1 : speed })
    if (speed !== 'eye') this.#jump()
  }

  changeSpeed(by: 1 | -1): void {
    const at = SPEEDS.indexOf(this.speed)
    const from = this.speed === 'eye' ? SPEEDS.indexOf(1) : at
    this.setSpeed(SPEEDS[Math.max(1, Math.min(SPEEDS.length - 1, from + by))]!)
  }

  goLive(): void {
    if (!this.live) {
      this.live = true
      this.playing = false
      this.#jump()
    }
    this.#animate()
  }

  /** Asks for the way of a frame's packet: `explained` has it soon. */
  explain(frame: number): void {
    this.#wanted = frame
    if (this.#asked) return
    this.#asked = true
    this.#send({ type: 'explain', frame })
  }

  /** Shows at once what is under way, and lets what was typed go on without being watched for a while. */
  hurry(): void {
    this.#send({ type: 'hurry' })
    this.goLive()
    this.#jump()
  }

  close(): void {
    cancelAnimationFrame(this.#frameRequest)
    clearTimeout(this.#staysTimer)
    this.#worker.terminate()
  }

  #send(request: Request): void {
    this.#worker.postMessage(request)
  }

  #fail(message: string, fatal: boolean, block?: number): void {
    this.problem = { message, fatal, block }
    if (fatal) this.status = 'failed'
    if (fatal) this.busy = false
  }

  #take(reply: Reply): void {
    switch (reply.type) {
      case 'opened':
        performance.mark('lab-opened')
        this.kernel = reply.kernel
        this.status = 'ready'
        return
      case 'events': {
        for (const event of reply.events) {
          this.#recording.append(event)
          if (event.type === 'command' || event.type === 'finished') {
            // It is at its place.
            this.#pending.push({ showMs: this.#recording.marks.at(-1)!.showMs, event })
          }
        }
        this.#recording.passTo(reply.nowNs)
        this.endMs = this.#recording.endMs
        this.#version++
        this.#resting = reply.rest
        // What is typed is echoed at once; a page that nobody sees, or that mustn't move, has nothing to wait for.
        if (!this.watched || document.hidden) this.#jump()
        this.#animate()
        return
      }
      case 'stands':
        this.stands = reply
        return
      case 'branched': {
        const recording = this.branches[reply.from.branch]!.recording.forkAt(reply.from)
        this.branches = [...this.branches, { id: reply.branch, from: reply.from, recording }]
        this.#show(reply.branch)
        return
      }
      case 'switched':
        this.#show(reply.branch)
        return
      case 'laden':
        this.laden = reply.excess
        return
      case 'excess':
        this.laden = undefined
        this.excess = reply.excess
        this.busy = false
        return
      case 'explained': {
        this.explained = { frame: reply.frame, way: reply.way }
        this.#asked = false
        const next = this.#wanted
        if (next !== undefined && next !== reply.frame) this.explain(next)
        return
      }
      case 'block':
        this.blocks[reply.block] = reply.state
        return
      case 'busy':
        this.busy = reply.busy
        return
      case 'error':
        this.#fail(reply.message, reply.fatal, reply.block)
    }
  }

  /** Another recording is the one that is shown, and goes on. */
  #show(branch: number): void {
    this.#branching = false
    this.branch = branch
    this.#recording = this.branches[branch]!.recording
    this.excess = undefined
    this.#pending = []
    this.#resting = false
    this.results = {}
    for (const { event } of this.#recording.marks) this.#tellOf(event)
    const given = new Set(this.#recording.inputs.flatMap(({ input }) => (input.type === 'run' ? input.block : [])))
    this.blocks = this.#view.blocks.map((block, number) => {
      if (!given.has(number)) return 'idle'
      const last = block.kind === 'console' ? this.results[`${number}.${block.commands.length - 1}`] : undefined
      return block.kind === 'file' || (last !== undefined && last !== 'running') ? 'finished' : 'running'
    })
    this.live = true
    this.playing = false
    this.endMs = this.#recording.endMs
    this.headMs = this.endMs
    this.#version++
  }

  #tellOf(event: LabEvent): void {
    if (event.type === 'command') this.results[`${event.block}.${event.index}`] = 'running'
    else if (event.type === 'finished') {
      const { status, output, verdict } = event
      this.results[`${event.block}.${event.index}`] = { status, output, verdict }
    }
  }

  #jump(): void {
    if (this.live) this.headMs = this.endMs
    this.#reveal()
    this.#more()
  }

  #more(): void {
    if (!this.#resting || !this.live || this.endMs - this.headMs > AHEAD_MS) return
    this.#resting = false
    this.#send({ type: 'more' })
  }

  #reveal(): void {
    while (this.#pending.length > 0 && this.#pending[0]!.showMs <= this.headMs) {
      this.#tellOf(this.#pending.shift()!.event)
    }
  }

  #animate(): void {
    if (this.#frameRequest !== 0) return
    this.#lastStamp = 0
    const tick = (stamp: number) => {
      const passed = this.#lastStamp === 0 ? 16 : Math.min(100, stamp - this.#lastStamp)
      this.#lastStamp = stamp
      this.#frameRequest = 0
      if (!this.live && !this.playing) return
      this.#move(passed)
      this.#reveal()
      this.#more()
      const arrived = this.playing && this.backwards ? this.headMs <= 0 : this.headMs >= this.endMs
      if (!arrived) this.#frameRequest = requestAnimationFrame(tick)
      else {
        this.playing = false
        if (!this.live) this.#stay()
      }
    }
    this.#frameRequest = requestAnimationFrame(tick)
  }

  /** The head moves on, by what went by for the reader. */
  #move(passedMs: number): void {
    const { headMs, endMs, speed } = this
    if (this.playing && (speed !== 'eye' || this.backwards)) {
      const sign = this.backwards ? -1 : 1
      const to = speed === 'eye' ? headMs + sign * passedMs : this.#atClock(sign * passedMs * 1e6 * speed)
      this.headMs = Math.max(0, Math.min(endMs, to))
      return
    }
    // Much to show is shown faster: nobody wants to watch a thousand frames.
    const rate = this.live ? 1 + Math.max(0, endMs - headMs - 1500) / 1000 : 1
    this.headMs = Math.min(endMs, headMs + passedMs * rate)
  }

  /** Where the playhead is after so much virtual time: which is kept apart, for the axis has places where time stands. */
  #atClock(byNs: number): number {
    if (this.#clock?.headMs !== this.headMs)
      this.#clock = { headMs: this.headMs, ns: this.#recording.timeAt(this.headMs) }
    const ns = this.#clock.ns + byNs
    const headMs = Math.max(0, Math.min(this.endMs, this.#recording.showAt(ns)))
    this.#clock = { headMs, ns }
    return headMs
  }
  #clock: { headMs: number; ns: number } | undefined
}

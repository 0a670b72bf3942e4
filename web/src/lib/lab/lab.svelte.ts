/**
 * The lab of a page: its worker, the recording of what the worker told, and the playhead in it. Whoever watches the live
 * edge sees things as they come, at a pace that an eye can follow; the worker waits for them. Whoever drags the playhead
 * back sees that moment, while the lab stands still.
 */
import type { LabView } from '$lib/article.ts'
import type { LabEvent, Reply, Request, Verdict, Way } from './protocol.ts'
import { Recording } from './recording.ts'

export type BlockState = 'idle' | 'queued' | 'running' | 'finished' | 'failed'

export interface CommandResult {
  status: number
  output: string
  verdict: Verdict
}

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
  blocks = $state<BlockState[]>([])
  /** By block and command: what has been shown to have ended. */
  results = $state<Record<string, CommandResult | 'running'>>({})
  /** The way that was asked for last; `way` is undefined if it was given up. */
  explained = $state.raw<{ frame: number; way: Way | undefined }>()
  /** Frames that wait for nobody: reduced motion, or a reader in a hurry. */
  watched = true

  readonly #recording = new Recording()
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

  constructor(worker: Worker, view: LabView, seed: number) {
    this.#worker = worker
    this.#still = matchMedia('(prefers-reduced-motion: reduce)')
    this.watched = !this.#still.matches
    this.blocks = view.blocks.map(() => 'idle')
    worker.onmessage = (message: MessageEvent<Reply>) => this.#take(message.data)
    worker.onerror = (event) => this.#fail(event.message || 'the lab’s worker stopped', true)
    if (!this.watched) this.#send({ type: 'pace', watched: false })
    this.#send({ type: 'open', plan: view.plan, blocks: view.blocks, seed })
  }

  /** What happened so far. Whoever reads it is told of more: it is one object that grows. */
  get recording(): Recording {
    void this.#version
    return this.#recording
  }

  run(block: number): void {
    if (this.status !== 'ready') return
    if (this.blocks[block] === 'running' || this.blocks[block] === 'queued') return
    for (const key of Object.keys(this.results)) if (key.startsWith(`${block}.`)) delete this.results[key]
    this.blocks[block] = 'queued'
    this.goLive()
    this.#send({ type: 'run', block })
  }

  input(host: string, text: string): void {
    if (this.status !== 'ready') return
    this.goLive()
    this.#jump()
    this.#send({ type: 'input', host, text })
  }

  /** Shows a moment. The lab stands still meanwhile, unless it is at rest anyway. */
  seek(showMs: number): void {
    this.playing = false
    this.live = false
    this.headMs = Math.max(0, Math.min(this.endMs, showMs))
  }

  step(by: 1 | -1): void {
    const to = this.#recording.neighbour(this.headMs, by)
    if (by > 0 && to >= this.endMs) this.goLive()
    else this.seek(to)
  }

  play(): void {
    if (this.headMs >= this.endMs) this.headMs = 0
    this.live = false
    this.playing = true
    this.#animate()
  }

  pause(): void {
    this.playing = false
    this.live = false
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
      const { event } = this.#pending.shift()!
      if (event.type === 'command') this.results[`${event.block}.${event.index}`] = 'running'
      else if (event.type === 'finished') {
        const { status, output, verdict } = event
        this.results[`${event.block}.${event.index}`] = { status, output, verdict }
      }
    }
  }

  #animate(): void {
    if (this.#frameRequest !== 0) return
    this.#lastStamp = 0
    const tick = (stamp: number) => {
      const passed = this.#lastStamp === 0 ? 16 : Math.min(100, stamp - this.#lastStamp)
      this.#lastStamp = stamp
      this.#frameRequest = 0
      if (this.live || this.playing) {
        const behind = this.endMs - this.headMs
        // Much to show is shown faster: nobody wants to watch a thousand frames.
        const rate = 1 + Math.max(0, behind - 1500) / 1000
        this.headMs = Math.min(this.endMs, this.headMs + passed * rate)
        this.#reveal()
        this.#more()
        if (this.headMs < this.endMs) this.#frameRequest = requestAnimationFrame(tick)
        else this.playing = false
      }
    }
    this.#frameRequest = requestAnimationFrame(tick)
  }
}

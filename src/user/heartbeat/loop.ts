/**
 * The main loop of GLib with cluster-glue's timers. Sources have priorities; of those that are ready only the first
 * priority's are dispatched, then all are asked again. Time is in clock ticks of 10 ms. What is peculiar, and seen on
 * the wire: sources may be ready without being able to wake the loop. cluster-glue 1.0.12 lib/clplumbing/GSource.c; GLib gmain.c
 */
import type { Body, PollEntry, Sys } from '#kernel/core'

const TICK_NS = 10_000_000
export const TICK_MS = 10
/** Work that a single turn may do before something else is looked at. */
const TURNS_MAX = 10_000

/** What the loop may dispatch: `prepare` is asked before it sleeps, `check` after. */
export interface Source {
  priority: number
  prepare(): boolean
  check(): boolean
  /** False takes it out. */
  dispatch(): Body<boolean>
}

class Timer implements Source {
  readonly priority: number
  readonly #loop: Loop
  readonly #intervalMs: number
  readonly #run: () => boolean
  next: number

  constructor(loop: Loop, priority: number, intervalMs: number, run: () => boolean) {
    this.#loop = loop
    this.priority = priority
    this.#intervalMs = intervalMs
    this.#run = run
    this.next = loop.ticks() + Math.round(intervalMs / TICK_MS)
  }

  prepare(): boolean {
    return this.#loop.ticks() >= this.next
  }

  check(): boolean {
    return this.prepare()
  }

  *dispatch(): Body<boolean> {
    this.next = this.#loop.ticks() + Math.round(this.#intervalMs / TICK_MS)
    return this.#run()
  }
}

export class Loop {
  readonly sys: Sys
  #sources: Source[] = []
  /** Descriptors that can wake it. */
  readonly fds = new Set<number>()
  /** Those that did. */
  readable = new Set<number>()
  #ended = false

  constructor(sys: Sys) {
    this.sys = sys
  }

  ticks(): number {
    return Math.floor(this.sys.monotonicNs() / TICK_NS)
  }

  add(source: Source): void {
    this.#sources.push(source)
    this.#sources.sort((a, b) => a.priority - b.priority)
  }

  remove(source: Source): void {
    this.#sources = this.#sources.filter((one) => one !== source)
  }

  timer(priority: number, intervalMs: number, run: () => boolean): Source {
    const timer = new Timer(this, priority, intervalMs, run)
    this.add(timer)
    return timer
  }

  end(): void {
    this.#ended = true
  }

  /** @param settle writes out what the sources have queued; called whenever it may block */
  *run(settle: () => Body<void>): Body<void> {
    let turns = 0
    while (!this.#ended) {
      const ready = this.#prepare()
      if (turns++ > TURNS_MAX) {
        turns = 0
        yield* this.sys.compute(1_000_000)
      }
      yield* settle()
      yield* this.#poll(ready.length > 0 ? 0 : this.#timeoutNs())
      if (this.#ended) return
      for (const source of this.#check(ready)) {
        if (this.#ended) return
        if (!(yield* source.dispatch())) this.remove(source)
        yield* settle()
      }
    }
  }

  #prepare(): Source[] {
    const ready: Source[] = []
    for (const source of this.#sources) {
      if (ready.length > 0 && source.priority > ready[0]!.priority) break
      if (source.prepare()) ready.push(source)
    }
    return ready
  }

  #check(prepared: Source[]): Source[] {
    const ready: Source[] = []
    let most = prepared[0]?.priority ?? Number.POSITIVE_INFINITY
    for (const source of [...this.#sources]) {
      if (source.priority > most) break
      if (!prepared.includes(source) && !source.check()) continue
      ready.push(source)
      most = source.priority
    }
    return ready.filter(({ priority }) => priority === most)
  }

  /** Whole milliseconds from the present tick on, as poll(2) is given them. */
  #timeoutNs(): number {
    let least = Number.POSITIVE_INFINITY
    const now = this.ticks()
    for (const source of this.#sources) if (source instanceof Timer) least = Math.min(least, source.next - now)
    return least * TICK_NS
  }

  *#poll(timeoutNs: number): Body<void> {
    this.readable = new Set()
    if (timeoutNs === 0 && this.fds.size === 0) return
    const entries: PollEntry[] = [...this.fds].map((fd) => ({ fd, events: 1 }))
    const got = yield* this.sys.poll(entries, timeoutNs)
    if (got.ok) for (const { fd } of got.value) this.readable.add(fd)
  }
}

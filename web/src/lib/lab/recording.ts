/**
 * All that happened in a lab, in order, and when it is shown. Virtual time is no time to watch: an answer comes after
 * 20 µs, the next ping after a second, a garbage collection after a minute. So each event gets a place on a second axis,
 * in milliseconds of watching: a frame takes a glance to cross, what follows from it waits for it, and silence is
 * shortened. The time bar runs along that axis and is labelled with virtual time.
 */
import type { End, Input, InsideEvent, LabEvent, Moment } from './protocol.ts'

/** What a frame takes from a host to the switch, and from there to a host, in milliseconds of watching. */
export const LEG_MS = 320

export interface Arrival {
  to: End
  atNs: number
  showMs: number
}

/** A frame, where it came out so far, and when it is shown. */
export interface RecordedFrame {
  id: number
  atNs: number
  showMs: number
  network: string
  from: End
  bytes: Uint8Array
  arrivals: Arrival[]
}

export interface RecordedOutput {
  showMs: number
  text: string
}

export type RecordedMark = {
  showMs: number
  atNs: number
  event: Exclude<LabEvent, { type: 'frame' | 'arrival' | 'output' | 'inside' | 'input' }>
}

/** What somebody did. */
export interface RecordedInput {
  showMs: number
  atNs: number
  input: Input
}

/** What a host kept of one kind, from a moment on. */
export interface RecordedInside {
  showMs: number
  atNs: number
  event: InsideEvent
}

/** How long a silence is shown: nothing below 0.1 ms, half a second for seconds, and never much more. */
export function shortened(gapNs: number): number {
  return gapNs <= 1e5 ? 0 : Math.min(700, Math.round(110 * Math.log10(gapNs / 1e5)))
}

/** Before somebody does something there is a moment to stand at, though no time passes. */
export const BEAT_MS = 60

/** What one can step by. */
export type Step = 'event' | 'packet' | 'command'

export class Recording {
  /** All that was told, in order: of a part of it another recording can be made. */
  readonly events: LabEvent[] = []
  readonly inputs: RecordedInput[] = []
  readonly frames: RecordedFrame[] = []
  readonly outputs = new Map<string, RecordedOutput[]>()
  /** By host and view, what the kernel kept, in order. */
  readonly insides = new Map<string, Map<string, RecordedInside[]>>()
  /** Commands, cables and power, in order. */
  readonly marks: RecordedMark[] = []
  nowNs = 0
  #stillMs = 0
  #insideMs = 0
  #lastMs = 0
  #lastNs = 0
  // Frames on their way: what happens later than an arrival waits until it was seen.
  #flights: { atNs: number; untilMs: number }[] = []
  // Virtual time along the axis, for its labels.
  readonly #times: { showMs: number; atNs: number }[] = [{ showMs: 0, atNs: 0 }]

  /** Where the recording ends, in milliseconds of watching: all is still then. */
  get endMs(): number {
    return Math.max(this.#stillMs, this.#insideMs)
  }

  append(event: LabEvent): void {
    this.events.push(event)
    if (event.type === 'input') {
      this.#give(event.atNs, event.input)
      return
    }
    if (event.type === 'inside') {
      this.#keep(event)
      return
    }
    const showMs = this.#place(event)
    this.#lastMs = showMs
    this.#lastNs = Math.max(this.#lastNs, event.atNs)
    this.nowNs = Math.max(this.nowNs, event.atNs)
    this.#stillMs = Math.max(this.#stillMs, showMs)
    const last = this.#times.at(-1)!
    if (event.atNs > last.atNs) this.#times.push({ showMs, atNs: event.atNs })
    switch (event.type) {
      case 'frame': {
        const { id, atNs, network, from, bytes } = event
        this.frames.push({ id, atNs, showMs, network, from, bytes, arrivals: [] })
        this.#fly(atNs, showMs)
        break
      }
      case 'arrival': {
        const frame = this.#frame(event.id)
        if (!frame) return
        frame.arrivals.push({ to: event.to, atNs: event.atNs, showMs })
        this.#fly(event.atNs, showMs)
        break
      }
      case 'output': {
        const outputs = this.outputs.get(event.host) ?? []
        const before = outputs.at(-1)
        if (before?.showMs === showMs) before.text += event.text
        else outputs.push({ showMs, text: event.text })
        this.outputs.set(event.host, outputs)
        break
      }
      default:
        this.marks.push({ showMs, atNs: event.atNs, event })
    }
  }

  /** What was done by then, and when that is: a moment to which the hosts can be brought. */
  momentAt(showMs: number, branch: number): Moment {
    const inputs = countUpTo(this.inputs, showMs)
    const least = this.inputs[inputs - 1]?.atNs ?? 0
    const most = this.inputs[inputs]?.atNs ?? this.nowNs
    return { branch, inputs, atNs: Math.max(least, Math.min(most, this.timeAt(showMs))) }
  }

  /** Another recording of the same past, up to a moment. */
  forkAt({ inputs, atNs }: Moment): Recording {
    const fork = new Recording()
    let given = 0
    for (const event of this.events) {
      if (event.type === 'input' && given++ >= inputs) break
      // What came of an input that isn't given any more comes after it, if perhaps at the same moment.
      if (event.atNs > atNs) break
      fork.append(event)
    }
    fork.passTo(atNs)
    return fork
  }

  /** Silence up to now: time went by without an event. */
  passTo(nowNs: number): void {
    if (nowNs <= this.nowNs) return
    this.#lastMs = Math.max(this.#lastMs, this.#stillMs) + shortened(nowNs - this.nowNs)
    this.#lastNs = nowNs
    this.nowNs = nowNs
    this.#stillMs = this.#lastMs
    this.#flights = []
    this.#times.push({ showMs: this.#stillMs, atNs: nowNs })
  }

  /** The virtual time that is shown at a place of the axis. */
  timeAt(showMs: number): number {
    const times = this.#times
    const at = countUpTo(times, showMs)
    const before = times[at - 1]
    const after = times[at]
    if (!before) return 0
    if (!after || after.showMs === before.showMs) return before.atNs
    const part = (showMs - before.showMs) / (after.showMs - before.showMs)
    return Math.round(before.atNs + part * (after.atNs - before.atNs))
  }

  /** How many frames had left by then. */
  framesBy(showMs: number): number {
    return countUpTo(this.frames, showMs)
  }

  /** What a host kept of a kind at that moment, and before that; undefined if there was nothing yet. */
  insideAt(
    host: string,
    view: string,
    showMs: number,
  ): { now: RecordedInside; before: RecordedInside | undefined } | undefined {
    const list = this.insides.get(host)?.get(view) ?? []
    const at = countUpTo(list, showMs)
    const now = list[at - 1]
    return now && { now, before: list[at - 2] }
  }

  /**
   * The nearest place before or after at which something happens; the end of the axis if there is none. Of commands: where
   * nobody has given them yet.
   */
  neighbour(showMs: number, by: 1 | -1, kind: Step = 'event'): number {
    const lists = { event: [this.frames, this.marks], packet: [this.frames], command: [this.#beats] }[kind]
    const places = lists.map((list: readonly { showMs: number }[]) => {
      const at = countUpTo(list, by > 0 ? showMs : showMs - 1)
      return by > 0 ? list[at]?.showMs : list[at - 1]?.showMs
    })
    const found = places.filter((place) => place !== undefined)
    if (found.length === 0) return by > 0 ? this.endMs : 0
    return by > 0 ? Math.min(...found) : Math.max(...found)
  }

  /** The virtual time that is reached is shown there. */
  showAt(ns: number): number {
    const times = this.#times
    let [low, high] = [0, times.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (times[middle]!.atNs <= ns) low = middle + 1
      else high = middle
    }
    const before = times[low - 1]
    const after = times[low]
    if (!before) return 0
    if (!after) return before.showMs
    return before.showMs + ((ns - before.atNs) / (after.atNs - before.atNs)) * (after.showMs - before.showMs)
  }

  /** Where lines begin to be typed, blocks run, cables are pulled: the moments before. */
  readonly #beats: { showMs: number }[] = []

  #give(atNs: number, input: Input): void {
    if (input.type === 'resize') {
      this.inputs.push({ showMs: this.#lastMs, atNs, input })
      return
    }
    const last = this.inputs.at(-1)?.input
    const goesOn =
      input.type === 'input' &&
      last?.type === 'input' &&
      last.host === input.host &&
      !/[\r\x03\x04\x1a]$/u.test(last.text)
    if (goesOn) {
      this.inputs.push({ showMs: this.#lastMs, atNs, input })
      return
    }
    this.passTo(atNs)
    this.#beats.push({ showMs: Math.max(this.#lastMs, this.#stillMs) })
    this.#lastMs = Math.max(this.#lastMs, this.#stillMs) + BEAT_MS
    this.#stillMs = this.#lastMs
    this.#times.push({ showMs: this.#lastMs, atNs: this.nowNs })
    this.inputs.push({ showMs: this.#lastMs, atNs, input })
  }

  /** A kernel's state is shown once what led to it was seen. It takes no time itself, and nothing waits for it. */
  #keep(event: InsideEvent): void {
    const led = this.#flights.filter(({ atNs }) => atNs <= event.atNs).map(({ untilMs }) => untilMs)
    const showMs = Math.max(this.#lastMs + shortened(event.atNs - this.#lastNs), ...led)
    this.#insideMs = Math.max(this.#insideMs, showMs)
    const views = this.insides.get(event.host) ?? new Map<string, RecordedInside[]>()
    this.insides.set(event.host, views)
    const list = views.get(event.view) ?? []
    views.set(event.view, list)
    // Of what came at one moment, only the last is ever seen.
    if (list.at(-1)?.showMs === showMs) list.pop()
    list.push({ showMs, atNs: event.atNs, event })
  }

  #place(event: LabEvent): number {
    let showMs = this.#lastMs + shortened(event.atNs - this.#lastNs)
    this.#flights = this.#flights.filter((flight) => {
      if (flight.atNs > event.atNs || event.type === 'arrival') return true
      // A flood's copies, and frames that were sent at once, leave together; what came of them waits.
      const together = event.type === 'frame' && flight.atNs === event.atNs
      if (!together) showMs = Math.max(showMs, flight.untilMs)
      return together
    })
    if (event.type === 'arrival') showMs = Math.max(showMs, (this.#frame(event.id)?.showMs ?? 0) + LEG_MS)
    return showMs
  }

  #fly(atNs: number, showMs: number): void {
    this.#flights.push({ atNs, untilMs: showMs + LEG_MS })
    this.#stillMs = Math.max(this.#stillMs, showMs + LEG_MS)
  }

  #frame(id: number): RecordedFrame | undefined {
    return this.frames[id - (this.frames[0]?.id ?? 0)]
  }
}

/** How many of a list, in order of showing, are shown by then. */
export function countUpTo(list: readonly { showMs: number }[], showMs: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]!.showMs <= showMs) low = middle + 1
    else high = middle
  }
  return low
}

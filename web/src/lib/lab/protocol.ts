/**
 * What the page and the lab's worker say to each other. The worker owns the simulator; the page owns a recording of what
 * it was told, and a playhead in it. All times are whole nanoseconds of virtual time since the lab began; events come in
 * order of time, and those of one moment in the order in which they happened.
 */

import type { Block } from '#article/format'
import type { JourneyStep } from '#backend/sim'
import type { InsideRow } from '#kernel/core'
import type { LabPlan } from '#lab/plan'

/** One end of a cable: `client:eth0`. */
export interface End {
  host: string
  interface: string
}

/** From the page to the worker. */
export type Request =
  /** Builds the lab of an article without mistakes. */
  | { type: 'open'; plan: LabPlan; blocks: Block[]; seed: number }
  /** Runs one console or file block, by its number in the document; later ones wait for it. */
  | { type: 'run'; block: number }
  /** What somebody types at a host's terminal, as a terminal sends it: Ctrl-C is one byte among others. */
  | { type: 'input'; host: string; text: string }
  /** The page has shown nearly all that it was told: go on. */
  | { type: 'more' }
  /** Whether time waits for `more`, so that nothing is missed. */
  | { type: 'pace'; watched: boolean }
  /** Lets the next seconds of what was typed pass at once. */
  | { type: 'hurry' }
  /** Asks for the way of the packet that a frame is a part of; `explained` answers. */
  | { type: 'explain'; frame: number }

/** How a command's output compares with what the article says. */
export type Verdict =
  | { kind: 'equal' }
  | { kind: 'unchecked' }
  | { kind: 'different'; lines: DiffLine[] }
  | { kind: 'timed-out' }

/** A line of a comparison, signed as in a unified diff: `-` the article, `+` this run. */
export interface DiffLine {
  sign: ' ' | '-' | '+'
  text: string
}

/** A frame reached a network's switch from one end of it; where it comes out is told by `arrival`. */
export interface FrameEvent {
  type: 'frame'
  /** Counts from 0. */
  id: number
  atNs: number
  network: string
  from: End
  bytes: Uint8Array
}

/** A frame left the switch towards an end. One that was lost, or had nowhere to go, arrives nowhere. */
export interface ArrivalEvent {
  type: 'arrival'
  /** The frame's. */
  id: number
  atNs: number
  to: End
}

/** The way of a packet so far, through hosts and over networks. */
export interface Way {
  /** Its frames, by their ids: one for each network that it crossed. */
  frames: number[]
  steps: JourneyStep[]
  /** The packet that a host dealt with when it made this one, and those that came of this one. */
  cause: Kin | undefined
  results: Kin[]
}

/** Another packet's way: by its first frame, or all of it if it never reached a network. */
export type Kin = { frame: number } | { frame: undefined; steps: JourneyStep[] }

/** What a host's kernel keeps of one kind has changed: the whole table as it is now; no rows if there is nothing. */
export interface InsideEvent {
  type: 'inside'
  atNs: number
  host: string
  view: string
  columns: string[]
  rows: InsideRow[]
}

/** What happened in the lab. */
export type LabEvent =
  | FrameEvent
  | ArrivalEvent
  /** What a host's terminal shows next, with the control sequences of a terminal. */
  | { type: 'output'; atNs: number; host: string; text: string }
  /** A command of a block began. */
  | { type: 'command'; atNs: number; host: string; block: number; index: number }
  /** It ended; `output` is what it printed, lines ended by \n. */
  | {
      type: 'finished'
      atNs: number
      host: string
      block: number
      index: number
      status: number
      output: string
      verdict: Verdict
    }
  /** A cable was unplugged or plugged, a host lost its power or got it back. */
  | { type: 'link'; atNs: number; end: End; up: boolean }
  | { type: 'power'; atNs: number; host: string; on: boolean }
  | InsideEvent

/** From the worker to the page. */
export type Reply =
  /** The lab stands; each host's prompt follows as output. */
  | { type: 'opened'; kernel: string }
  /** What happened since the last batch. If `rest`, the worker waits for `more`. */
  | { type: 'events'; events: LabEvent[]; nowNs: number; rest: boolean }
  /** A block began, or ended: all of its commands ran, or the rest was given up. */
  | { type: 'block'; block: number; state: 'running' | 'finished' | 'failed' }
  /** Something began to run, or all is at rest again. */
  | { type: 'busy'; busy: boolean }
  /** The way of a frame's packet; undefined if it is so old that it was given up. */
  | { type: 'explained'; frame: number; way: Way | undefined }
  /** What can't be done: `fatal` if the lab can't go on (what isn't modelled, a budget, a bug, an article with mistakes). */
  | { type: 'error'; message: string; fatal: boolean; block?: number }

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

/**
 * What somebody does to a lab. Same article, same seed, same inputs at the same times: the same bytes. A terminal is a
 * host's name, or for the second and later ones `HOST:2`.
 */
export type Input =
  /** Runs one console or file block, by its number in the document; with `commands` (in its order) instead of its own. */
  | { type: 'run'; block: number; commands?: string[] }
  /** What somebody types at a terminal, as a terminal sends it: Ctrl-C is one byte among others. */
  | { type: 'input'; host: string; text: string }
  /** What a `lab#` line says: a cable, power, loss; see `#lab/faults`. */
  | { type: 'verb'; line: string }
  /** Opens one more terminal on a host; closes it. */
  | { type: 'terminal'; host: string; open: boolean }
  | { type: 'resize'; host: string; columns: number; rows: number }

/** An input at its moment: after all that happened up to then. */
export interface LoggedInput {
  atNs: number
  input: Input
}

/**
 * A moment of a branch: so many of its inputs were given, and time had come to there. (Time stands while somebody types, so
 * a time alone isn't enough.)
 */
export interface Moment {
  branch: number
  inputs: number
  atNs: number
}

/** From the page to the worker. */
export type Request =
  /** Builds the lab of an article without mistakes; `inputs` are done again first, up to `atNs`. */
  | { type: 'open'; plan: LabPlan; blocks: Block[]; seed: number; inputs?: LoggedInput[]; atNs?: number }
  | Input
  /** The hosts shall stand ready as they were at that moment: `stands` says when they do. */
  | { type: 'goto'; moment: Moment }
  /** From that moment on things go another way: what is done next is a new branch's, as `branched` says. */
  | { type: 'branch'; moment: Moment }
  /** Goes on with another branch, where it ended. */
  | { type: 'switch'; branch: number }
  /** The page has shown nearly all that it was told: go on. */
  | { type: 'more' }
  /** Whether time waits for `more`, so that nothing is missed; and virtual seconds in a second of what is typed. */
  | { type: 'pace'; watched: boolean; speed?: number }
  /** Lets the next seconds of what was typed pass at once. */
  | { type: 'hurry' }
  /** Stops what computes too long: the lab can't go on from there, but from before. */
  | { type: 'stop' }
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
  /** Somebody did something to the lab; what came of it follows. */
  | { type: 'input'; atNs: number; input: Input }
  /** A host got one more terminal, or lost it. */
  | { type: 'terminal'; atNs: number; host: string; open: boolean }
  | InsideEvent

/** Why a lab was stopped, or what keeps it busy: a storm of frames, a loop, memory. */
export interface Excess {
  kind: 'storm' | 'loop' | 'memory' | 'frames' | 'events'
  /** The network or the host that it is about. */
  where: string
  /** Frames, events or bytes: in a second of virtual time, and in all. */
  rate: number
  count: number
  /** Of a storm: who sends, most first; of a loop: programs. */
  who: { name: string; share: number }[]
  /** Of a storm: what it is made of, in bytes. */
  frame?: Uint8Array
  /** How often that one frame came. */
  repeats?: number
  /** How long it was computed, in milliseconds of the reader's time, and how much virtual time went by. */
  realMs: number
  virtualNs: number
}

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
  /** The hosts stand as they were at that moment; what their kernels keep, all of it. */
  | { type: 'stands'; moment: Moment; tookMs: number; insides: InsideEvent[] }
  /** A new branch, which has the older one's past; the events that follow are its own. */
  | { type: 'branched'; branch: number; from: Moment }
  | { type: 'switched'; branch: number }
  /** What keeps the lab busy for long; it goes on. Undefined: no longer. */
  | { type: 'laden'; excess: Excess | undefined }
  /** A budget was met: this branch ends here, but an earlier moment is as good as before. */
  | { type: 'excess'; excess: Excess }
  /** What can't be done: `fatal` if the lab can't go on (what isn't modelled, a budget, a bug, an article with mistakes). */
  | { type: 'error'; message: string; fatal: boolean; block?: number }

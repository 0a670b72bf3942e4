/**
 * What the page and the lab's worker say to each other. The worker owns the simulator and its pace; the page owns a
 * recording of what it was told, and a playhead in it. All times are whole nanoseconds of virtual time since the lab
 * began; events come in order of time, and those of one moment in the order in which they happened.
 */

/** One end of a cable: `client:eth0`. */
export interface End {
  host: string
  interface: string
}

/** From the page to the worker. */
export type Request =
  | { type: 'open'; article: string; file: string; seed: number }
  /** Runs one console or file block, by its number in the document. */
  | { type: 'run'; block: number }
  /** Gives a line, typed at a prompt, to the shell of a host. */
  | { type: 'line'; host: string; line: string }
  /** Ctrl-C at the terminal of a host. */
  | { type: 'interrupt'; host: string }
  /** What Tab would complete at the end of `before`. */
  | { type: 'complete'; id: number; host: string; before: string }
  | { type: 'resize'; host: string; columns: number; rows: number }
  /** Stops waiting for the watcher: what is under way runs as fast as it computes. */
  | { type: 'hurry' }
  | { type: 'close' }

/** How a command's output compares with what the article says. */
export type Verdict =
  | { kind: 'equal' }
  | { kind: 'unchecked' }
  | { kind: 'different'; lines: DiffLine[] }
  | { kind: 'timed-out' }

/** A line of a comparison: as in a unified diff. */
export interface DiffLine {
  sign: ' ' | '-' | '+'
  text: string
}

/** A frame on its way through a network: from one end to those that it was delivered to. */
export interface FrameEvent {
  type: 'frame'
  /** When it left its sender's end of the cable. */
  atNs: number
  network: string
  from: End
  /** Where and when it came out; a frame that was lost has none. */
  to: (End & { atNs: number })[]
  bytes: Uint8Array
}

/** From the worker to the page: what happened in the lab. */
export type LabEvent =
  /** What a host's terminal shows next, as bytes for a terminal. */
  | { type: 'output'; atNs: number; host: string; text: string }
  | FrameEvent
  /** A command began: of a block, or typed (`block` undefined). Its line is shown by `output`. */
  | { type: 'command'; atNs: number; host: string; command: string; block?: number; index?: number }
  | {
      type: 'finished'
      atNs: number
      host: string
      status: number
      output: string
      verdict: Verdict
      block?: number
      /** The command's place among those of its block. */
      index?: number
    }
  /** The lab did what a `lab#` line says: the picture follows. */
  | { type: 'link'; atNs: number; end: End; up: boolean }
  | { type: 'power'; atNs: number; host: string; on: boolean }
  /** The shell of a host waits for a line. */
  | { type: 'prompt'; atNs: number; host: string; prompt: string }

/** From the worker to the page. */
export type Reply =
  | { type: 'opened'; hosts: string[]; kernel: string }
  /** A batch: one message for all that happened between two rests. */
  | { type: 'events'; events: LabEvent[]; nowNs: number }
  /** A block ended: all of its commands ran, or the rest were given up. */
  | { type: 'block-finished'; block: number }
  | { type: 'completed'; id: number; replace: number; candidates: string[] }
  /** `what`: the article can't be opened, a request failed, or the lab stopped (what isn't modelled, a budget, a bug). */
  | { type: 'error'; message: string; fatal: boolean; block?: number }

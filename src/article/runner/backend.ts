/**
 * What a backend is: something that builds the lab of an article and runs its commands. `sim`, `netns` and `qemu`
 * implement this, and one suite holds them to it.
 */
import type { LabVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'

export type { LabVerb } from '#lab/faults'

export interface SessionOptions {
  /** The seed of all chance. */
  seed: number
  /** Seconds since the epoch at virtual time zero; by default 2026-01-01T00:00:00Z. */
  start: number
  /** Takes frames on every interface from the first command on. */
  capture: boolean
}

export const DEFAULT_START = 1_767_225_600

/** What a command did. */
export interface CommandResult {
  /** Virtual seconds since the session began. */
  at: number
  took: number
  /** The exit status; 128 + n for signal n. */
  status: number
  /** stdout and stderr as a terminal would show them, with \n line ends. */
  output: string
  /** Whether the command met its limit and was stopped. */
  timedOut: boolean
}

export interface CapturedFrame {
  /** Virtual seconds since the session began, as [whole seconds, nanoseconds]. */
  s: number
  ns: number
  /** As it crossed the switch's end of the interface's cable, without FCS. */
  bytes: Uint8Array
}

export interface InterfaceCapture {
  host: string
  interface: string
  frames: CapturedFrame[]
}

export interface LabSession {
  /** Such as `linux-6.1.0-56-amd64`, as `uname -r` says it on a real one. */
  readonly kernel: string
  /**
   * Gives a command to the shell of a host, 0.3 s after the one before it ended (on any host), and waits for its end.
   * @param limitS seconds after which it is stopped
   * @param onOutput called as output comes, if given
   */
  command(
    host: string,
    command: string,
    options?: { limitS?: number; onOutput?: (text: string) => void },
  ): Promise<CommandResult>
  /** Does what a `lab#` line says, in the rhythm of `command`. */
  verb(verb: LabVerb): Promise<CommandResult>
  /** Writes a file on a host, executable if it begins with `#!`; takes no virtual time. */
  writeFile(host: string, path: string, content: string): Promise<void>
  /** Waits 1 s more, ends everything and gives the captures, in the order in which hosts and interfaces are written. */
  finish(): Promise<InterfaceCapture[]>
  /** Ends everything at once, whatever state it is in. */
  close(): Promise<void>
}

/** One step of a script: what the blocks of an article come to. */
export type ScriptStep =
  | { kind: 'command'; host: string; command: string; limitS: number }
  | { kind: 'verb'; verb: LabVerb }
  | { kind: 'file'; host: string; path: string; content: string }

export interface ScriptResult {
  kernel: string
  /** One for each step, in order; a file's has no output. */
  results: CommandResult[]
  captures: InterfaceCapture[]
}

export interface Backend {
  readonly name: 'sim' | 'netns' | 'qemu'
  /** Undefined if it can run here, else one line that says why not. */
  unavailable(): Promise<string | undefined>
  open(plan: LabPlan, options: SessionOptions): Promise<LabSession>
  /** Runs a whole script at once, where that is what repeats to the byte; the runner uses it if it is there. */
  script?(
    plan: LabPlan,
    steps: ScriptStep[],
    options: SessionOptions & { onResult?: (index: number, result: CommandResult) => void },
  ): Promise<ScriptResult>
  /** Ends what is shared between sessions (a booted kernel). */
  close(): Promise<void>
}

/** What exploring asks of a simulated lab; `backend/sim`'s has it. */
import type { CommandResult } from '#article/runner'
import type { LabVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import type { World } from '#lab/world'

export interface ExploredLab {
  readonly world: World
  readonly nowNs: number
  command(host: string, command: string, options?: { limitS?: number }): Promise<CommandResult>
  verb(verb: LabVerb): Promise<CommandResult>
  writeFile(host: string, path: string, content: string): void
  advance(untilNs: number): Promise<void>
}

/** Builds a lab, with a seed for all its chance. */
export type OpenLab = (plan: LabPlan, seed: number) => ExploredLab

/** An invariant that didn't hold. */
export interface Violation {
  invariant: string
  /** Virtual nanoseconds since the lab began. */
  atNs: number
  what: string
  /** What tells it: packets and printed lines, each with its time. */
  evidence: string[]
}

/** Watches one invariant from the moment it is made. */
export interface Watcher {
  /** Something befell the lab, or ended, at this moment. */
  fault?(): void
  /** The run ends now: what could only be judged at the end. */
  end?(): void
  stop(): void
}

/** Told once; the first violation of an invariant is the one that counts. */
export type OnViolation = (violation: Omit<Violation, 'invariant' | 'atNs'> & { atNs?: number }) => void

/** Virtual time as reports print it: seconds with milliseconds. */
export function formatTime(ns: number): string {
  return (ns / 1e9).toFixed(3)
}

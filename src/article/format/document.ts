/** An article as data. Positions are lines and columns of the file, from 1; ranges are offsets into its text. */
import type { LabPlan, SourcePosition } from '#lab/plan'

export interface FrontMatter {
  title: string
  summary: string
  /** BCP 47. */
  lang: string
  keywords: string[]
  /** The seed with which it runs unless told otherwise: an article that replays a failure has one. */
  seed: number | undefined
  /** What Kaidoku doesn't know, as text: kept, and not an error. */
  other: Record<string, string>
}

export interface Article {
  file: string
  /** The whole file, as it was read. */
  text: string
  front: FrontMatter
  /** Undefined for an article that only reads. */
  lab: LabPlan | undefined
  /** The file of a shared lab, as the front matter names it. */
  labPath: string | undefined
  /** Where the Markdown begins, behind the front matter. */
  bodyOffset: number
  /** In the order written. */
  blocks: Block[]
  /** What the article states of its lab, whatever befalls it. */
  invariants: Invariant[]
}

export type Block = ConsoleBlock | FileBlock

export interface ConsoleBlock {
  kind: 'console'
  at: SourcePosition
  /** The fence, both lines included, as offsets into the text. */
  range: [number, number]
  /** A command's lines may come in any order. */
  unordered: boolean
  /** Runs without comparing. */
  nocheck: boolean
  /** Backends that leave it out: 'kernel' stands for netns and qemu. */
  skip: string[]
  /** Seconds after which a command is stopped. */
  limitS: number
  commands: ConsoleCommand[]
}

export interface ConsoleCommand {
  /** A host's name, or `lab`. */
  host: string
  prompt: '#' | '$'
  /** As the shell gets it: continued lines are joined by newlines. */
  command: string
  /** The lines that it must print, patterns included. */
  expected: string[]
  at: SourcePosition
  /** The expected lines as offsets into the text: from the begin of the first to the begin of what follows. */
  expectedRange: [number, number]
  /** What stands before every line of the block: the indentation of its fence in a list, or `> `. */
  indent: string
}

export interface FileBlock {
  kind: 'file'
  at: SourcePosition
  range: [number, number]
  host: string
  path: string
  content: string
}

/** A command's limit unless the block says otherwise, in seconds. */
export const LIMIT_S = 120

/** An `invariant` block: one thing that must stay so while faults befall the lab. */
export interface Invariant {
  name: string
  at: SourcePosition
  range: [number, number]
  /** How many of the article's blocks stand above it: it holds from there on. */
  blocksBefore: number
  /** The article shows that it is broken: a check wants it violated. */
  broken: boolean
  /** The sentence that states it, as it was written. */
  statement: string
  rule: InvariantRule
  scope: FaultScope
}

export type InvariantRule =
  /** Requests are made again and again; those that fail in a row began within `limitNs`. */
  | { kind: 'requests'; limitNs: number; everyNs: number; probe: Probe }
  /** Once the last fault has been for `delayNs`, the probe has succeeded (`within`), or succeeds each time (`from`). */
  | { kind: 'afterwards'; mode: 'within' | 'from'; delayNs: number; everyNs: number; probe: Probe }
  /** An address is claimed by one MAC, while another that claimed it still answers `limitNs` later. */
  | { kind: 'owners'; network: string | undefined; limitNs: number }
  /** What a connection's client gets comes from one host all along; or: it gets no reset. */
  | { kind: 'connections'; what: 'changes' | 'reset'; address: string | undefined; port: number | undefined }

/** A command that is given to a host again and again, and what tells that it succeeded. */
export interface Probe {
  host: string
  command: string
  /** The command's words, where no shell is needed to run it. */
  argv: string[] | undefined
  /** Lines that it must print, patterns included; undefined: its exit status is what counts. */
  expected: string[] | undefined
  /** As it was written. */
  text: string
}

/** What faults an invariant is meant to bear. */
export interface FaultScope {
  /** Hosts, HOST:INTERFACE and networks that may be harmed; undefined: all but hosts that make requests. */
  targets: string[] | undefined
  atOnce: number
  /** From the end of one fault to the begin of the next. */
  gapNs: number
}

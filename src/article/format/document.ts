/** An article as data. Positions are lines and columns of the file, from 1; ranges are offsets into its text. */
import type { LabPlan, SourcePosition } from '#lab/plan'

export interface FrontMatter {
  title: string
  summary: string
  /** BCP 47. */
  lang: string
  keywords: string[]
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

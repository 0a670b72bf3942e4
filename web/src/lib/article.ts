/** An article as its page gets it from the server: Markdown rendered, blocks as data, the lab's picture laid out. */

import type { Block } from '#article/format'
import type { LabPlan } from '#lab/plan'

/** A part of the text. Only what has a block within is taken apart; the rest is one piece of finished HTML. */
export type Piece =
  | { html: string }
  | { block: number }
  | { tag: string; attributes: Record<string, string>; children: Piece[] }

export type BlockView = ConsoleView | FileView

export interface ConsoleView {
  kind: 'console'
  line: number
  checked: boolean
  /** Left out in the simulator. */
  skipped: boolean
  commands: { host: string; prompt: string; html: string; expected: string[] }[]
}

export interface FileView {
  kind: 'file'
  line: number
  host: string
  path: string
  html: string
}

export interface Point {
  x: number
  y: number
}

/** Where the hosts and networks of a lab stand, and how the cables between them run. */
export interface Picture {
  width: number
  height: number
  hosts: {
    name: string
    x: number
    y: number
    width: number
    height: number
    lines: { name: string; text: string }[]
    /** One of many alike: a tile within its group. */
    tile?: boolean
  }[]
  /** Hosts that have one cable each, to one network: drawn as one box with one cable. */
  groups: { name: string; x: number; y: number; width: number; height: number; network: string; points: Point[] }[]
  networks: { name: string; x: number; y: number; width: number; height: number; note: string }[]
  /** From the host's edge to the network's. */
  cables: { host: string; interface: string; network: string; points: Point[] }[]
}

/** What the worker runs, and how it is drawn. The article was parsed once, on the server: that is 40 ms less to wait. */
export interface LabView {
  plan: LabPlan
  blocks: Block[]
  wide: Picture
  tall: Picture
}

export interface ArticleView {
  name: string
  lang: string
  title: string
  summary: string
  keywords: string[]
  /** All languages that it can be read in. */
  languages: string[]
  pieces: Piece[]
  blocks: BlockView[]
  mistakes: { line: number; column: number; what: string; hint: string }[]
  /** Undefined if it only reads, or can't run as it stands. */
  lab: LabView | undefined
  /** The file's name, for messages. */
  file: string
}

/** One article on two backends: which commands printed the same, and which packets were the same. */
import type { Article, ConsoleCommand } from '#article/format'
import type { CapturedFrame, InterfaceCapture } from './backend.ts'
import { canonicalFrame, Names } from './canonical.ts'
import { formatDissection } from './describe.ts'
import { differsAsSaid, linesEqual, patternOf } from './lines.ts'
import { lineMatches, outputLines } from './match.ts'
import type { ArticleRun, CommandRun } from './run.ts'

/** Frames that were made at the same moment may cross in either order: within this many seconds. */
const ABREAST_S = 0.02

export interface LineDifference {
  source: ConsoleCommand
  /** What each printed where they differ; undefined where one has no such line. */
  left: string | undefined
  right: string | undefined
}

export interface PacketDifference {
  host: string
  interface: string
  side: 'left' | 'right'
  /** Its place in that side's capture, from 1. */
  number: number
  frame: CapturedFrame
  /** One line for people. */
  text: string
}

export interface RunComparison {
  commands: { equal: number; total: number; differences: LineDifference[] }
  packets: { equal: number; total: number; differences: PacketDifference[] }
}

/** Compares two runs of one article. */
export function compareRuns(left: ArticleRun, right: ArticleRun): RunComparison {
  const chosen = chosenWords(left.article)
  return {
    commands: compareCommands(left, right, chosen),
    packets: comparePackets(left.captures, right.captures, chosen),
  }
}

/** `commands equal N/M, packets equal N/M` */
export function formatTotals({ commands, packets }: RunComparison): string {
  return `commands equal ${commands.equal}/${commands.total}, packets equal ${packets.equal}/${packets.total}`
}

/** Whether a word, such as a port or a MAC address, is the lab's or the article's own. */
function chosenWords(article: Article): (word: string) => boolean {
  const macs = new Set(article.lab?.hosts.flatMap((host) => host.interfaces.map((iface) => iface.mac)))
  const text = article.blocks
    .map((block) =>
      block.kind === 'file' ? block.content : block.commands.map((command) => command.command).join('\n'),
    )
    .join('\n')
    .toLowerCase()
  const known = new Map<string, boolean>()
  return (word) => {
    if (macs.has(word)) return true
    let found = known.get(word)
    if (found === undefined) {
      found = new RegExp(`(?<![0-9a-f.])${word.replaceAll('.', '\\.')}(?![0-9a-f])`).test(text)
      known.set(word, found)
    }
    return found
  }
}

function compareCommands(
  left: ArticleRun,
  right: ArticleRun,
  chosen: (word: string) => boolean,
): RunComparison['commands'] {
  const namesLeft = new Names(chosen)
  const namesRight = new Names(chosen)
  const others = new Map<ConsoleCommand, CommandRun>(right.commands.map((run) => [run.source, run]))
  const differences: LineDifference[] = []
  let equal = 0
  let total = 0
  for (const run of left.commands) {
    const other = others.get(run.source)
    if (!other) continue // Skipped there, and the article says so.
    total++
    const found = compareCommand(run, other, namesLeft, namesRight)
    if (found.length === 0) equal++
    differences.push(...found)
  }
  return { equal, total, differences }
}

function compareCommand(left: CommandRun, right: CommandRun, namesLeft: Names, namesRight: Names): LineDifference[] {
  const { source, block } = left
  let a = outputLines(left.output)
  let b = outputLines(right.output)
  if (block.unordered) {
    // By what doesn't vary: two clocks never agree to the microsecond.
    const byPattern = (x: string, y: string) => (patternOf(x) < patternOf(y) ? -1 : patternOf(x) > patternOf(y) ? 1 : 0)
    a = [...a].sort(byPattern)
    b = [...b].sort(byPattern)
  }
  const differences: LineDifference[] = []
  if (left.status !== right.status) {
    differences.push({ source, left: `exit status ${left.status}`, right: `exit status ${right.status}` })
  }
  if (block.nocheck) return differences
  const said = (x: string, y: string) =>
    source.expected.some(
      (pattern) => lineMatches(pattern, x) && lineMatches(pattern, y) && differsAsSaid(pattern, x, y),
    )
  if (source.expected.includes('...') && a.length !== b.length) return differences // How many lines is left open.
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]]
    if (x !== undefined && y !== undefined && (linesEqual(x, y, namesLeft, namesRight) || said(x, y))) continue
    differences.push({ source, left: x, right: y })
  }
  return differences
}

function comparePackets(
  left: InterfaceCapture[],
  right: InterfaceCapture[],
  chosen: (word: string) => boolean,
): RunComparison['packets'] {
  const key = (capture: InterfaceCapture) => `${capture.host} ${capture.interface}`
  const others = new Map(right.map((capture) => [key(capture), capture]))
  const result: RunComparison['packets'] = { equal: 0, total: 0, differences: [] }
  // Names are given in the order of time over all interfaces, so that a port has one name everywhere.
  const textsLeft = canonicalFrames(left, chosen)
  const textsRight = canonicalFrames(right, chosen)
  for (const capture of left) {
    const other = others.get(key(capture)) ?? { ...capture, frames: [] }
    const a = textsLeft.get(capture) ?? []
    const b = textsRight.get(other) ?? []
    const { unmatchedA, unmatchedB } = align(a, b, capture.frames, other.frames)
    result.total += Math.max(a.length, b.length)
    result.equal += a.length - unmatchedA.length
    for (const [side, indexes, frames] of [
      ['left', unmatchedA, capture.frames],
      ['right', unmatchedB, other.frames],
    ] as const) {
      for (const index of indexes) {
        const frame = frames[index]!
        result.differences.push({
          host: capture.host,
          interface: capture.interface,
          side,
          number: index + 1,
          frame,
          text: formatDissection(frame.bytes),
        })
      }
    }
  }
  return result
}

function canonicalFrames(
  captures: InterfaceCapture[],
  chosen: (word: string) => boolean,
): Map<InterfaceCapture, string[]> {
  const names = new Names(chosen)
  const all = captures.flatMap((capture) => capture.frames.map((frame, index) => ({ capture, frame, index })))
  all.sort((a, b) => a.frame.s - b.frame.s || a.frame.ns - b.frame.ns)
  const texts = new Map<InterfaceCapture, string[]>(captures.map((capture) => [capture, []]))
  for (const { capture, frame, index } of all) texts.get(capture)![index] = canonicalFrame(frame.bytes, names)
  return texts
}

/** Longest common run of frames, by order; then what is left and was abreast within 20 ms. */
function align(
  a: string[],
  b: string[],
  framesA: CapturedFrame[],
  framesB: CapturedFrame[],
): { unmatchedA: number[]; unmatchedB: number[] } {
  const matchedA = new Uint8Array(a.length)
  const matchedB = new Uint8Array(b.length)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) {
    matchedA[start] = matchedB[start] = 1
    start++
  }
  let endA = a.length
  let endB = b.length
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) matchedA[--endA] = matchedB[--endB] = 1
  const rows = endA - start + 1
  const columns = endB - start + 1
  if (rows * columns <= 16_000_000) {
    const longest = new Uint32Array(rows * columns)
    for (let i = rows - 2; i >= 0; i--) {
      for (let j = columns - 2; j >= 0; j--) {
        const at = i * columns + j
        longest[at] =
          a[start + i] === b[start + j]
            ? longest[at + columns + 1]! + 1
            : Math.max(longest[at + columns]!, longest[at + 1]!)
      }
    }
    for (let i = 0, j = 0; i < rows - 1 && j < columns - 1; ) {
      const at = i * columns + j
      if (a[start + i] === b[start + j]) {
        matchedA[start + i++] = 1
        matchedB[start + j++] = 1
      } else if (longest[at + columns]! >= longest[at + 1]!) i++
      else j++
    }
  }
  const time = (frame: CapturedFrame) => frame.s + frame.ns / 1e9
  // The two clocks agree on what lies between frames, not on more: compare with a neighbour that was matched.
  for (let i = 0; i < a.length; i++) {
    if (matchedA[i]) continue
    for (let j = 0; j < b.length; j++) {
      if (matchedB[j] || a[i] !== b[j]) continue
      if (!atRandom(a[i]!) && !abreast(i, j, matchedA, matchedB, framesA, framesB, time)) continue
      matchedA[i] = matchedB[j] = 1
      break
    }
  }
  const left = (matched: Uint8Array) => Array.from(matched.keys()).filter((index) => !matched[index])
  return { unmatchedA: left(matchedA), unmatchedB: left(matchedB) }
}

/**
 * Whether chance alone says when a frame is sent: reports of multicast listeners (RFC 3810 section 6.1), solicitations of
 * routers (RFC 7559), and the search for duplicate addresses (RFC 4862 section 5.4.2) wait for some part of a second or more.
 */
function atRandom(text: string): boolean {
  return / icmp6 (143|133) /.test(text) || (text.includes(' icmp6 135 ') && text.includes(' <nonce>'))
}

/** Whether everything between two places of both captures happened within 20 ms. */
function abreast(
  i: number,
  j: number,
  matchedA: Uint8Array,
  matchedB: Uint8Array,
  framesA: CapturedFrame[],
  framesB: CapturedFrame[],
  time: (frame: CapturedFrame) => number,
): boolean {
  // The matched frames before i in one capture and before j in the other: how many differ is how far it moved.
  let before = 0
  for (let k = 0; k < i; k++) before += matchedA[k]!
  let beforeB = 0
  for (let k = 0; k < j; k++) beforeB += matchedB[k]!
  const moved = Math.abs(before - beforeB)
  const near = (frames: CapturedFrame[], at: number) => {
    const here = time(frames[at]!)
    let reach = 0
    for (let k = at - 1; k >= 0 && here - time(frames[k]!) <= ABREAST_S; k--) reach++
    for (let k = at + 1; k < frames.length && time(frames[k]!) - here <= ABREAST_S; k++) reach++
    return reach
  }
  return moved <= Math.max(near(framesA, i), near(framesB, j))
}

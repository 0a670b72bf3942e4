/** A run written into its script, and a run compared with what its script says. */
import { describeFrame, learnFlow, liveFlows } from './decode.ts'
import type { Outcome } from './program.ts'
import { type ExpectStep, inputsOf, type Script } from './script.ts'

/** Calls of which success says nothing more. */
const QUIET = new Set([
  'socket',
  'bind',
  'listen',
  'connect',
  'disconnect',
  'close',
  'shutdown',
  'set',
  'sysctl',
  'end',
])

/** A frame as an expectation: `> ...`, and when. */
export interface Sent {
  atNs: number
  text: string
}

/** What the kernel sent, in words. */
export function sentOf(script: Script, outcome: Outcome): Sent[] {
  const flows = liveFlows(script.flows)
  return outcome.frames.map((frame) => {
    const flow = learnFlow(flows, frame)
    return { atNs: frame.atNs, text: `> ${describeFrame(flow, frame.bytes)}` }
  })
}

function seconds(ns: number): string {
  return (ns / 1e9).toFixed(Number.isInteger(ns / 1e6) ? 3 : 6)
}

/** The script's text with what a run gave as its expectations. */
export function renderScript(script: Script, outcome: Outcome): string {
  const lines = [...script.head]
  const sent = sentOf(script, outcome)
  let next = 0
  const frames = (untilNs: number) => {
    for (; next < sent.length && sent[next]!.atNs < untilNs; next++) {
      lines.push(`${(Math.floor(sent[next]!.atNs / 1e6) / 1e3).toFixed(3)} ${sent[next]!.text}`)
    }
  }
  inputsOf(script).forEach((step, index) => {
    frames(step.atNs)
    lines.push(...step.above)
    const result = step.kind === 'call' ? outcome.results.get(index) : undefined
    const shown =
      result === undefined || (result === '0' && step.kind === 'call' && QUIET.has(step.name)) ? '' : ` => ${result}`
    lines.push(`${seconds(step.atNs)} ${step.text}${shown}`)
  })
  frames(Number.POSITIVE_INFINITY)
  return `${lines.join('\n')}\n`
}

/** How a run departs from its script: one line each. */
export function differencesOf(script: Script, outcome: Outcome): string[] {
  const found: string[] = []
  inputsOf(script).forEach((step, index) => {
    if (step.kind !== 'call') return
    const result = outcome.results.get(index)
    const expected = step.expected ?? (QUIET.has(step.name) ? '0' : undefined)
    if (result === expected || (expected !== undefined && result !== undefined && nearly(expected, result))) return
    found.push(
      `line ${step.line}: ${step.text} => ${expected ?? '(not recorded)'}, but it was ${result ?? '(never called)'}`,
    )
  })
  const expected = script.steps.filter((step): step is ExpectStep => step.kind === 'expect')
  const sent = sentOf(script, outcome)
  const count = Math.max(expected.length, sent.length)
  for (let i = 0; i < count; i++) {
    const step = expected[i]
    const got = sent[i]
    if (!step) found.push(`not in the script: ${seconds(Math.round(got!.atNs / 1e6) * 1e6)} ${got!.text}`)
    else if (!got) found.push(`line ${step.line}: never sent: ${seconds(step.atNs)} ${step.text}`)
    else if (!sameSegment(step.text, got.text, script.timestampTolerance)) {
      found.push(
        `line ${step.line}: ${seconds(step.atNs)} ${step.text}`,
        `   but it was: ${seconds(Math.round(got.atNs / 1e6) * 1e6)} ${got.text}`,
      )
    } else if (Math.abs(got.atNs - step.atNs) > script.toleranceNs + 1e6) {
      found.push(
        `line ${step.line}: at ${seconds(step.atNs)}, but it was at ${(got.atNs / 1e9).toFixed(4)}: ${got.text}`,
      )
    }
    if (found.length > 12) {
      found.push('... and more')
      break
    }
  }
  return found
}

const TIMESTAMP = /ts (-?\d+) /

function sameSegment(a: string, b: string, tolerance: number): boolean {
  const left = TIMESTAMP.exec(a)
  const right = TIMESTAMP.exec(b)
  if (left && right && Math.abs(Number(left[1]) - Number(right[1])) > tolerance) return false
  return a.replace(TIMESTAMP, 'ts ') === b.replace(TIMESTAMP, 'ts ')
}

/** Whether two results are the same but for times that differ by a jiffy. */
function nearly(a: string, b: string): boolean {
  const left = a.split(' ')
  const right = b.split(' ')
  return (
    left.length === right.length &&
    left.every((word, i) => {
      const [x, y] = [word, right[i]!].map((each) => (each.endsWith('ms') ? Number(each.slice(0, -2)) : Number.NaN))
      return word === right[i] || Math.abs(x! - y!) <= 4
    })
  )
}

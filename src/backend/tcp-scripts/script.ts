/**
 * A TCP script: what is done to a kernel, by system calls and by segments that come from the other end of its cable, and what
 * must come out of it, all with times. README.md has the grammar. Times are whole nanoseconds from the script's start.
 */
import { parseSegment, type ScriptSegment } from './segment.ts'

/** A connection by its ports; 0 is one that the kernel chooses and the runner learns. */
export interface ScriptFlow {
  name: string
  localPort: number
  peerPort: number
}

interface StepBase {
  atNs: number
  /** Where it stands in the file, from 1. */
  line: number
  /** The line without its time and its result. */
  text: string
  /** Comments and empty lines above it. */
  above: string[]
}

/** A system call, or a question about the kernel's state. */
export interface CallStep extends StepBase {
  kind: 'call'
  name: string
  arguments: string[]
  /** What is behind `=>`, if it was recorded. */
  expected: string | undefined
}

/** A segment (or an ICMP message) of the other end's. */
export interface InjectStep extends StepBase {
  kind: 'inject'
  segment: ScriptSegment
}

/** What the kernel must send. */
export interface ExpectStep extends StepBase {
  kind: 'expect'
}

export type InputStep = CallStep | InjectStep
export type Step = InputStep | ExpectStep

export interface Script {
  file: string
  /** The first comment: what the script is about. */
  summary: string
  /** The lines above the first timed one, as they stand. */
  head: string[]
  sysctls: [name: string, value: string][]
  mtu: number
  flows: ScriptFlow[]
  /** How far times may be off, in ns. */
  toleranceNs: number
  /** How far the kernel's timestamps may be off, in their units of 1 ms. */
  timestampTolerance: number
  steps: Step[]
}

/** A mistake in a script: where, and what. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

const CALLS = new Set(
  [
    'socket',
    'bind',
    'listen',
    'accept',
    'connect',
    'disconnect',
    'send',
    'recv',
    'close',
    'shutdown',
    'set',
    'get',
  ].concat(['poll', 'unread', 'unsent', 'info', 'memory', 'sysctl', 'counters', 'sockets', 'end']),
)

/** A jiffy: what a timer of the kernel's may be late by. */
const TOLERANCE_NS = 4_000_000
const SERVER_PORT = 8080
const CLIENT_PORT = 40_000

/** Reads a script; throws a ScriptError at the first mistake. */
export function parseScript(text: string, file: string): Script {
  const script: Script = {
    file,
    summary: '',
    head: [],
    sysctls: [],
    mtu: 1500,
    flows: [],
    toleranceNs: TOLERANCE_NS,
    timestampTolerance: 4,
    steps: [],
  }
  let above: string[] = []
  let inputNs = 0
  const lines = text.replace(/\n$/, '').split('\n')
  lines.forEach((source, index) => {
    const fault = (what: string) => new ScriptError(`${file}:${index + 1}: ${what}`)
    const line = source.trim()
    if (line.startsWith('#') && script.summary === '') script.summary = line.replace(/^#\s*/, '')
    const timed = /^(\+?)(\d+(?:\.\d+)?)\s+(.*)$/.exec(line)
    if (!timed) {
      if (line === '' || line.startsWith('#')) {
        if (script.steps.length > 0) above.push(source)
        else script.head.push(source)
        return
      }
      if (script.steps.length > 0) throw fault(`settings come before the first timed line: ${line}`)
      script.head.push(source)
      readSetting(script, line, fault)
      return
    }
    const [, relative, seconds, rest] = timed as unknown as [string, string, string, string]
    const ns = Math.round(Number(seconds) * 1e9)
    if (script.steps.length === 0 && above.length === 0) {
      // Comments right above the first step belong to the head.
    }
    if (rest.startsWith('>')) {
      script.steps.push({ kind: 'expect', atNs: ns, line: index + 1, text: rest, above })
      above = []
      return
    }
    const atNs = relative ? inputNs + ns : ns
    if (atNs < inputNs) throw fault('time runs backwards')
    inputNs = atNs
    const base = { atNs, line: index + 1, above }
    above = []
    if (rest.startsWith('<')) {
      script.steps.push({ kind: 'inject', ...base, text: rest, segment: parseSegment(rest.slice(1).trim(), fault) })
      return
    }
    const [call, expected] = rest.split(/\s+=>\s*/, 2) as [string, string | undefined]
    let words = call.trim().split(/\s+/)
    // `c = accept s`
    if (words[1] === '=' && words.length === 4) words = [words[2]!, words[3]!, words[0]!]
    const [name, ...rest2] = words
    if (!CALLS.has(name!)) throw fault(`no such call: ${name}`)
    script.steps.push({ kind: 'call', ...base, text: call.trim(), name: name!, arguments: rest2, expected })
  })
  if (!script.flows.some(({ name }) => name === '')) {
    const passive = script.steps.some((step) => step.kind === 'call' && step.name === 'listen')
    const peer = script.steps.find((step): step is CallStep => step.kind === 'call' && step.name === 'connect')
    script.flows.unshift(
      passive || !peer
        ? { name: '', localPort: SERVER_PORT, peerPort: CLIENT_PORT }
        : { name: '', localPort: 0, peerPort: Number(peer.arguments[1]) },
    )
  }
  for (const step of script.steps) {
    if (step.kind !== 'inject') continue
    if (!script.flows.some(({ name }) => name === step.segment.flow)) {
      throw new ScriptError(`${file}:${step.line}: no such flow: ${step.segment.flow}`)
    }
  }
  return script
}

function readSetting(script: Script, line: string, fault: (what: string) => ScriptError): void {
  const [word, ...rest] = line.split(/\s+/)
  if (word === 'sysctl') {
    const [, name, value] = /^sysctl\s+([^\s=]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (!name) throw fault('sysctl NAME = VALUE')
    script.sysctls.push([name, value!])
  } else if (word === 'mtu') script.mtu = Number(rest[0])
  else if (word === 'flow') {
    const name = rest.length === 3 ? rest.shift()! : ''
    const port = (text: string | undefined) => (text === '?' ? 0 : Number(text))
    script.flows.push({ name, localPort: port(rest[0]), peerPort: port(rest[1]) })
  } else if (word === 'tolerance') {
    const [, amount, unit] = /^([\d.]+)(ms|us|s)$/.exec(rest.at(-1) ?? '') ?? []
    if (!amount) throw fault('tolerance 10ms, or tolerance timestamps 64ms')
    const ns = Number(amount) * (unit === 's' ? 1e9 : unit === 'ms' ? 1e6 : 1e3)
    if (rest[0] === 'timestamps') script.timestampTolerance = ns / 1e6
    else script.toleranceNs = ns
  } else throw fault(`no such setting: ${word}`)
}

/** What is done, without what is expected. */
export function inputsOf(script: Script): InputStep[] {
  return script.steps.filter((step): step is InputStep => step.kind !== 'expect')
}

/** A script as the agent's lines, and what the agent prints as an outcome. */
import { errnoName, INFO_FIELDS, infoText, MESSAGE_FLAGS, OPTIONS, pollText, SHUTDOWN, TEXT_OPTIONS } from './calls.ts'
import type { SentFrame } from './decode.ts'
import { type CallStep, inputsOf, type Script, ScriptError } from './script.ts'

/** What a run did: a call's result by its step's number among the inputs, and the kernel's frames. */
export interface Outcome {
  results: Map<number, string>
  frames: SentFrame[]
}

/** What depends on a machine's memory, or on who set it up, is set alike everywhere. */
export const BASE_SYSCTLS: [name: string, value: string][] = [
  ['net.ipv4.tcp_rmem', '4096 131072 6291456'],
  ['net.ipv4.tcp_wmem', '4096 16384 4194304'],
]

const SIOCINQ = 0x541b
const SIOCOUTQ = 0x5411

function int32(value: number): string {
  const bytes = new DataView(new ArrayBuffer(4))
  bytes.setInt32(0, value, true)
  return Buffer.from(bytes.buffer).toString('hex')
}

function optionOf(script: Script, step: CallStep) {
  const option = OPTIONS[step.arguments[1] ?? '']
  if (!option) throw new ScriptError(`${script.file}:${step.line}: no such option: ${step.arguments[1]}`)
  return option
}

/** The flags of send and recv as one number. */
export function messageFlags(script: Script, step: CallStep): number {
  return step.arguments.slice(2).reduce((flags, name) => {
    if (!(name in MESSAGE_FLAGS)) throw new ScriptError(`${script.file}:${step.line}: no such flag: ${name}`)
    return flags | MESSAGE_FLAGS[name]!
  }, 0)
}

function callLine(script: Script, step: CallStep): string {
  const [first, second, third] = step.arguments
  switch (step.name) {
    case 'send':
    case 'recv':
      return `${step.name} ${first} ${second} ${messageFlags(script, step)}`
    case 'shutdown':
      return `shutdown ${first} ${SHUTDOWN[second as keyof typeof SHUTDOWN]}`
    case 'set': {
      const { level, number } = optionOf(script, step)
      const name = second!
      if (TEXT_OPTIONS.has(name)) return `set ${first} ${level} ${number} ${Buffer.from(third!).toString('hex')}`
      if (name === 'SO_LINGER')
        return `set ${first} ${level} ${number} ${int32(third === 'off' ? 0 : 1)}${int32(third === 'off' ? 0 : Number(third))}`
      return `set ${first} ${level} ${number} ${int32(Number(third))}`
    }
    case 'get': {
      const { level, number } = optionOf(script, step)
      return `get ${first} ${level} ${number}`
    }
    case 'info':
      return `get ${first} 6 11`
    case 'memory':
      return `get ${first} 1 55`
    case 'unread':
      return `ioctl ${first} ${SIOCINQ}`
    case 'unsent':
      return `ioctl ${first} ${SIOCOUTQ}`
    case 'sysctl': {
      const [, name, value] = /^([^=]+)=(.*)$/.exec(step.arguments.join(' ')) ?? []
      return `sysctl ${name} ${value}`
    }
  }
  return [step.name, ...step.arguments].join(' ')
}

/** The lines that the agent reads. @param align script zero is at a jiffy whose number is a multiple of this */
export function programOf(script: Script, align: number): string {
  const lines = [`set align ${align}`, `set mtu ${script.mtu}`]
  for (const { name, localPort, peerPort } of script.flows) {
    lines.push(`flow ${name || '-'} ${localPort} ${localPort} ${peerPort}`)
  }
  for (const [name, value] of [...BASE_SYSCTLS, ...script.sysctls]) lines.push(`sysctl ${name} ${value}`)
  for (const step of inputsOf(script)) {
    if (step.kind === 'call') {
      lines.push(`call ${step.atNs} ${callLine(script, step)}`)
      continue
    }
    const { flow, checksum, template } = step.segment
    const { localPort, peerPort } = script.flows.find(({ name }) => name === flow)!
    const { bytes, patches } = template(localPort, peerPort, Math.floor(step.atNs / 1e6))
    const places = patches.map(({ what, at }) => `${what}${at}`).join(',')
    lines.push(`inject ${step.atNs} ${flow || '-'} ${checksum} ${places} ${Buffer.from(bytes).toString('hex')}`)
  }
  return `${lines.join('\n')}\n`
}

/** A call's result in a script's words, from what the agent said. */
function resultText(step: CallStep, text: string): string {
  if (text.startsWith('!')) return errnoName(Number(text.slice(1)))
  const bytes = () => Buffer.from(text, 'hex')
  if (step.name === 'poll') return pollText(Number(text))
  if (step.name === 'info') {
    const info = bytes()
    return step.arguments
      .slice(1)
      .map((name) => {
        const field = INFO_FIELDS[name]
        if (!field) throw new ScriptError(`no such field of TCP_INFO: ${name}`)
        const [at, size] = field
        const value = size === 1 ? info[at]! : size === 4 ? info.readUInt32LE(at) : Number(info.readBigUInt64LE(at))
        return infoText(name, value)
      })
      .join(' ')
  }
  if (step.name === 'memory') {
    const word = (at: number) => bytes().readUInt32LE(4 * at)
    return `${word(0)}/${word(1)} ${word(5)}/${word(3)}`
  }
  if (step.name === 'get') {
    const name = step.arguments[1]!
    if (TEXT_OPTIONS.has(name)) return bytes().toString('latin1').replace(/\0.*$/s, '')
    if (name === 'SO_LINGER') return bytes().readInt32LE(0) === 0 ? 'off' : String(bytes().readInt32LE(4))
    const value = bytes().readInt32LE(0)
    return name === 'SO_ERROR' && value !== 0 ? errnoName(value) : String(value)
  }
  return text
}

/** Reads what the agent printed. */
export function outcomeOf(script: Script, printed: string): Outcome {
  const inputs = inputsOf(script)
  const outcome: Outcome = { results: new Map(), frames: [] }
  for (const line of printed.split('\n')) {
    const [kind, first, ...rest] = line.split(' ')
    if (kind === 'R') {
      const step = inputs[Number(first)]!
      if (step.kind === 'call') outcome.results.set(Number(first), resultText(step, rest.join(' ')))
    } else if (kind === 'F') {
      outcome.frames.push({ atNs: Number(first), bytes: new Uint8Array(Buffer.from(rest[0] ?? '', 'hex')) })
    } else if (line.trim() !== '') throw new Error(`${script.file}: the agent said: ${line}`)
  }
  return outcome
}

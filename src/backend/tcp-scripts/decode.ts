/** The kernel's frames as scripts write them: sequence numbers from each side's first, timestamps from the script's start. */
import type { ScriptFlow } from './script.ts'
import { checksum, flagText, PEER_ISN, patternByte } from './segment.ts'

/** A frame that the kernel sent. */
export interface SentFrame {
  atNs: number
  bytes: Uint8Array
}

/** What is known of a connection while a script runs. */
export interface LiveFlow extends ScriptFlow {
  declaredPort: number
  /** The kernel's first sequence number. */
  isn: number | undefined
  /** The kernel's timestamp at the script's start. */
  base: number | undefined
  /** Its last one. */
  last: number
}

/** The flows of a script at its start. */
export function liveFlows(flows: ScriptFlow[]): LiveFlow[] {
  return flows.map((flow) => ({ ...flow, declaredPort: flow.localPort, isn: undefined, base: undefined, last: 0 }))
}

interface Parsed {
  at: number
  end: number
  sequence: number
  ack: number
  flags: number
  data: number
}

function parseTcp(bytes: Uint8Array): Parsed | undefined {
  if (bytes.length < 54 || bytes[12] !== 8 || bytes[13] !== 0 || bytes[23] !== 6) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = 14 + 4 * (bytes[14]! & 15)
  return {
    at,
    end: 14 + view.getUint16(16),
    sequence: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags: bytes[at + 13]!,
    data: at + 4 * (bytes[at + 12]! >> 4),
  }
}

/** The options of a segment: kind, and where its data begins and ends. */
function* optionsOf(bytes: Uint8Array, from: number, to: number): Generator<{ kind: number; at: number; end: number }> {
  for (let i = from; i < to; ) {
    const kind = bytes[i]!
    if (kind < 2) {
      yield { kind, at: i + 1, end: i + 1 }
      if (kind === 0) return
      i++
      continue
    }
    const length = bytes[i + 1] ?? 0
    if (length < 2 || i + length > to) return
    yield { kind, at: i + 2, end: i + length }
    i += length
  }
}

/** Learns what a frame of the kernel's tells; the agent's learn() does the same. */
export function learnFlow(flows: LiveFlow[], frame: SentFrame): LiveFlow | undefined {
  const { bytes } = frame
  const parsed = parseTcp(bytes)
  if (!parsed) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const local = view.getUint16(parsed.at)
  const peer = view.getUint16(parsed.at + 2)
  const flow =
    flows.find((each) => each.localPort === local && each.peerPort === peer) ??
    flows.find((each) => each.localPort === 0 && (each.peerPort === 0 || each.peerPort === peer))
  if (!flow) return undefined
  flow.localPort = local
  flow.peerPort = peer
  if (parsed.flags & 2 && flow.isn !== parsed.sequence) {
    flow.isn = parsed.sequence
    flow.base = undefined
  }
  for (const { kind, at } of optionsOf(bytes, parsed.at + 20, parsed.data)) {
    if (kind !== 8) continue
    flow.last = view.getUint32(at)
    flow.base ??= (flow.last - Math.floor(frame.atNs / 1e6)) >>> 0
  }
  return flow
}

/** A frame as a script's line has it, behind `> `. */
export function describeFrame(flow: LiveFlow | undefined, bytes: Uint8Array): string {
  const parsed = parseTcp(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!parsed) {
    const kind =
      bytes[12] === 8 && bytes[13] === 0 ? `ip protocol ${bytes[23]}` : `ethertype 0x${view.getUint16(12).toString(16)}`
    return `${kind} (${bytes.length})`
  }
  const length = parsed.end - parsed.data
  // Until a connection has begun there is no first number to count from: a reset's stands as it is.
  const base = flow?.isn ?? 0
  const sequence = (parsed.sequence - base) >>> 0
  const words: string[] = []
  if (!flow) words.push(`(${view.getUint16(parsed.at)} to ${view.getUint16(parsed.at + 2)})`)
  else if (flow.name !== '') words.push(`${flow.name}:`)
  words.push(flagText(parsed.flags), `${sequence}:${(sequence + length) >>> 0}(${length})`)
  if (parsed.flags & 16) words.push('ack', String((parsed.ack - PEER_ISN) >>> 0))
  words.push('win', String(view.getUint16(parsed.at + 14)))
  if (parsed.flags & 32) words.push('urg', String(view.getUint16(parsed.at + 18)))
  if (bytes[15] !== 0) words.push('tos', String(bytes[15]))
  if (bytes[22] !== 64) words.push('ttl', String(bytes[22]))
  if (!(bytes[20]! & 0x40)) words.push('no DF')
  const options: string[] = []
  for (const { kind, at, end } of optionsOf(bytes, parsed.at + 20, parsed.data)) {
    if (kind === 0) options.push('eol')
    else if (kind === 1) options.push('nop')
    else if (kind === 2) options.push(`mss ${view.getUint16(at)}`)
    else if (kind === 3) options.push(`wscale ${bytes[at]}`)
    else if (kind === 4) options.push('sackOK')
    else if (kind === 8) {
      const value = ((view.getUint32(at) - (flow?.base ?? 0)) | 0).toString()
      options.push(`ts ${value} ${view.getUint32(at + 4)}`)
    } else if (kind === 5) {
      const blocks: string[] = []
      for (let i = at; i + 8 <= end; i += 8) {
        blocks.push(`${(view.getUint32(i) - PEER_ISN) >>> 0}:${(view.getUint32(i + 4) - PEER_ISN) >>> 0}`)
      }
      options.push(`sack ${blocks.join(' ')}`)
    } else options.push(`opt ${kind} ${Buffer.from(bytes.subarray(at, end)).toString('hex')}`)
  }
  if (options.length > 0) words.push(`<${options.join(',')}>`)
  for (let i = 0; i < length; i++) {
    if (bytes[parsed.data + i] === patternByte(sequence - 1 + i)) continue
    words.push(`[other bytes from ${sequence + i}]`)
    break
  }
  if (!checksumsGood(bytes, parsed)) words.push('[bad checksum]')
  return words.join(' ')
}

function checksumsGood(bytes: Uint8Array, { at, end }: Parsed): boolean {
  if (checksum(bytes.subarray(14, at)) !== 0) return false
  const pseudo = new Uint8Array([...bytes.subarray(26, 34), 0, 6, (end - at) >> 8, (end - at) & 255])
  return checksum(bytes.subarray(at, end), ~checksum(pseudo) & 0xffff) === 0
}

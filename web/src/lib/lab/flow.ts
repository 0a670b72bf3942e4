/** A conversation: the frames that belong to it, and what each side said. */
import { type Packet, parseFrame } from '#wire/inet'
import type { RecordedFrame } from './recording.ts'

export interface Flow {
  /** Of TCP and UDP, both ends with their ports; else the addresses. */
  key: string
  title: string
}

const TCP = 6
const UDP = 17

function endsOf(packet: Packet): [string, string] | undefined {
  const v6 = packet.etherType === 0x86dd
  if (packet.etherType !== 0x0800 && !v6) return undefined
  if (packet.protocol !== TCP && packet.protocol !== UDP) return undefined
  // The summary's text of an address is enough to tell ends apart.
  const [src, dst] = v6 ? [JSON.stringify(packet.src6), JSON.stringify(packet.dst6)] : [packet.src, packet.dst]
  return [`${src} ${packet.srcPort}`, `${dst} ${packet.dstPort}`]
}

/** The conversation of a frame; undefined if it is none of TCP or UDP. */
export function flowOf(bytes: Uint8Array): { key: string; from: string } | undefined {
  const packet = parseFrame(bytes)
  const ends = endsOf(packet)
  if (!ends) return undefined
  const [from, to] = ends
  return { key: `${packet.protocol} ${from < to ? `${from} ${to}` : `${to} ${from}`}`, from }
}

/** The frames of a frame's conversation on every network, up to a moment. */
export function framesOf(frames: readonly RecordedFrame[], bytes: Uint8Array): RecordedFrame[] {
  const flow = flowOf(bytes)
  return flow ? frames.filter((frame) => flowOf(frame.bytes)?.key === flow.key) : []
}

/** What one side said at once. */
export interface Said {
  /** The end that said it: 0 is who spoke first. */
  side: 0 | 1
  frame: RecordedFrame
  bytes: Uint8Array
}

const SAID_MAX = 1 << 20

/** What both sides said on a network, in order, each byte once. */
export function follow(frames: readonly RecordedFrame[], network: string): Said[] {
  const said: Said[] = []
  let first: string | undefined
  let total = 0
  const next = new Map<string, number>()
  for (const frame of frames) {
    if (frame.network !== network) continue
    const packet = parseFrame(frame.bytes)
    const ends = endsOf(packet)
    if (!ends) continue
    first ??= ends[0]
    const side = ends[0] === first ? 0 : 1
    const payload = packet.buffer.subarray(packet.offset, packet.offset + packet.length)
    let from = 0
    if (packet.protocol === TCP) {
      const syn = packet.tcpFlags & 2 ? 1 : 0
      const expected = next.get(ends[0])
      // Repeated bytes are said once; a gap is passed over.
      if (expected !== undefined) from = Math.max(0, (expected - packet.seq - syn) | 0)
      const end = (packet.seq + syn + payload.length) >>> 0
      if (expected === undefined || ((end - expected) | 0) > 0) next.set(ends[0], end)
    }
    if (from >= payload.length) continue
    const bytes = payload.slice(from)
    total += bytes.length
    if (total > SAID_MAX) break
    said.push({ side, frame, bytes })
  }
  return said
}

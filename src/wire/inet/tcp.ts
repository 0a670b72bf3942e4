/** TCP's flags and options on the wire. RFC 9293 section 3.1, RFC 2018 (SACK), RFC 3168 (ECN), RFC 7323. */
import type { Packet } from './packet.ts'

export const TCP_FIN = 0x01
export const TCP_SYN = 0x02
export const TCP_RST = 0x04
export const TCP_PSH = 0x08
export const TCP_ACK = 0x10
export const TCP_URG = 0x20
export const TCP_ECE = 0x40
export const TCP_CWR = 0x80

export type TcpOption =
  | { kind: 'EOL'; at: number; length: 1 }
  | { kind: 'NOP'; at: number; length: 1 }
  | { kind: 'MSS'; at: number; length: 4; mss: number }
  | { kind: 'WS'; at: number; length: 3; shift: number }
  | { kind: 'SACK-permitted'; at: number; length: 2 }
  | { kind: 'SACK'; at: number; length: number; edges: number[] }
  | { kind: 'TS'; at: number; length: 10; value: number; echo: number }
  | { kind: 'unknown'; at: number; length: number; type: number; data: Uint8Array }
  /** A length that is below 2, beyond the header's end, or wrong for the type. */
  | { kind: 'broken'; at: number; length: number; type: number; data: Uint8Array }

const NO_OPTIONS = new Uint8Array(0)

/** All of a segment's options as they stand on the wire, those that the packet carries in fields too. */
export function tcpOptionBytes(packet: Packet): Uint8Array {
  const rest = packet.tcpOptions ?? NO_OPTIONS
  if (!packet.tcpTimestamps) return rest
  const bytes = new Uint8Array(12 + rest.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x0101080a)
  view.setUint32(4, packet.tsVal)
  view.setUint32(8, packet.tsEcr)
  bytes.set(rest, 12)
  return bytes
}

/** Gives a segment these options; those that begin as nearly every segment's do go into fields. */
export function setTcpOptions(packet: Packet, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  packet.tcpTimestamps = bytes.length >= 12 && view.getUint32(0) === 0x0101080a
  if (packet.tcpTimestamps) {
    packet.tsVal = view.getUint32(4)
    packet.tsEcr = view.getUint32(8)
  }
  const rest = packet.tcpTimestamps ? bytes.subarray(12) : bytes
  packet.tcpOptions = rest.length === 0 ? undefined : rest
}

/** Options in order; whatever the bytes, they are covered without a gap. `at` counts from the first option. */
export function parseTcpOptions(bytes: Uint8Array): TcpOption[] {
  const options: TcpOption[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  while (at < bytes.length) {
    const type = bytes[at]!
    if (type <= 1) {
      options.push({ kind: type === 0 ? 'EOL' : 'NOP', at, length: 1 })
      at++
      continue
    }
    const length = at + 1 < bytes.length ? bytes[at + 1]! : 0
    const end = at + length
    if (length < 2 || end > bytes.length) {
      options.push({ kind: 'broken', at, length: bytes.length - at, type, data: bytes.slice(at + 1) })
      break
    }
    if (type === 2 && length === 4) options.push({ kind: 'MSS', at, length, mss: view.getUint16(at + 2) })
    else if (type === 3 && length === 3) options.push({ kind: 'WS', at, length, shift: bytes[at + 2]! })
    else if (type === 4 && length === 2) options.push({ kind: 'SACK-permitted', at, length })
    else if (type === 5 && length > 2 && (length - 2) % 8 === 0) {
      const edges: number[] = []
      for (let i = at + 2; i < end; i += 4) edges.push(view.getUint32(i))
      options.push({ kind: 'SACK', at, length, edges })
    } else if (type === 8 && length === 10)
      options.push({ kind: 'TS', at, length, value: view.getUint32(at + 2), echo: view.getUint32(at + 6) })
    else options.push({ kind: 'unknown', at, length, type, data: bytes.slice(at + 2, end) })
    at = end
  }
  return options
}

/** The options' bytes, not padded. */
export function emitTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const bytes: number[] = []
  const put32 = (word: number) => bytes.push(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
  for (const option of options) {
    if (option.kind === 'EOL' || option.kind === 'NOP') bytes.push(option.kind === 'EOL' ? 0 : 1)
    else if (option.kind === 'MSS') bytes.push(2, 4, option.mss >>> 8, option.mss & 255)
    else if (option.kind === 'WS') bytes.push(3, 3, option.shift)
    else if (option.kind === 'SACK-permitted') bytes.push(4, 2)
    else if (option.kind === 'SACK') {
      bytes.push(5, 2 + 4 * option.edges.length)
      option.edges.forEach(put32)
    } else if (option.kind === 'TS') {
      bytes.push(8, 10)
      put32(option.value)
      put32(option.echo)
    } else if (option.kind === 'unknown') bytes.push(option.type, 2 + option.data.length, ...option.data)
    else bytes.push(option.type, ...option.data)
  }
  return Uint8Array.from(bytes)
}

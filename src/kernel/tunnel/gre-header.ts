/** GRE's header. RFC 2784, RFC 2890. Linux 6.1 net/ipv4/gre_demux.c: gre_parse_header(). */

const CSUM = 0x8000
const ROUTING = 0x4000
const KEY = 0x2000
const SEQ = 0x1000
const VERSION = 0x0007

export interface GreHeader {
  /** An EtherType. */
  protocol: number
  csum: boolean
  key: number | undefined
  seq: number | undefined
  /** Where what is inside begins. */
  length: number
}

/** Undefined if it is none, or its checksum is wrong. */
export function parseGre(bytes: Uint8Array): GreHeader | undefined {
  if (bytes.length < 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint16(0)
  if ((flags & (VERSION | ROUTING)) !== 0) return undefined
  const csum = (flags & CSUM) !== 0
  const keyed = (flags & KEY) !== 0
  const numbered = (flags & SEQ) !== 0
  const length = 4 + (csum ? 4 : 0) + (keyed ? 4 : 0) + (numbered ? 4 : 0)
  if (bytes.length < length) return undefined
  if (csum && checksum(bytes) !== 0) return undefined
  let at = csum ? 8 : 4
  const header: GreHeader = { protocol: view.getUint16(2), csum, key: undefined, seq: undefined, length }
  if (keyed) {
    header.key = view.getUint32(at)
    at += 4
  }
  if (numbered) header.seq = view.getUint32(at)
  return header
}

/** The header and what is inside, as one piece of bytes. */
export function emitGre(header: Omit<GreHeader, 'length'>, inner: Uint8Array): Uint8Array {
  const { csum, key, seq } = header
  const length = 4 + (csum ? 4 : 0) + (key !== undefined ? 4 : 0) + (seq !== undefined ? 4 : 0)
  const bytes = new Uint8Array(length + inner.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, (csum ? CSUM : 0) | (key !== undefined ? KEY : 0) | (seq !== undefined ? SEQ : 0))
  view.setUint16(2, header.protocol)
  let at = csum ? 8 : 4
  if (key !== undefined) {
    view.setUint32(at, key)
    at += 4
  }
  if (seq !== undefined) view.setUint32(at, seq)
  bytes.set(inner, length)
  if (csum) view.setUint16(4, checksum(bytes))
  return bytes
}

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes[i]! * 256 + bytes[i + 1]!
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! * 256
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536)
  return ~sum & 0xffff
}

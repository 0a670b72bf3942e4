/**
 * What deflate packed, unpacked a bit at a time, so that it ends where the limit is; and the sum that tells whether it is
 * whole: fflate, which inflates, takes the end of what is cut off in an unlucky place for its end. @see RFC 1951, RFC 1952
 */
import type { FlateStreamHandler } from 'fflate'

/** In one step deflate grows at most about a thousandfold: 16 MB over the limit at worst. */
const STEP = 16 * 1024

/** Thrown where more than the limit would come out. */
export class TooLarge extends Error {}

/** All that the stream that `open` makes gives for these bytes, at most `limit` of them; throws what the stream throws. */
export function inflate(
  open: (take: FlateStreamHandler) => { push(chunk: Uint8Array, final?: boolean): void },
  bytes: Uint8Array,
  limit: number,
): Uint8Array {
  const chunks: Uint8Array[] = []
  let total = 0
  const stream = open((chunk) => {
    total += chunk.length
    if (total <= limit) chunks.push(chunk)
  })
  for (let at = 0; at < bytes.length && total <= limit; at += STEP)
    stream.push(bytes.subarray(at, at + STEP), at + STEP >= bytes.length)
  if (total > limit) throw new TooLarge()
  const whole = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
  return sum
})

/** The CRC-32 of gzip and ZIP, unsigned. RFC 1952, 8 */
export function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (let i = 0; i < bytes.length; i++) sum = TABLE[(sum ^ bytes[i]!) & 0xff]! ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}

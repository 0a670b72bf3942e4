/** Frames for properties. */
import { internetChecksum } from '#base/bytes'
import type { RandomStream } from '#base/sim'

/** Bytes that are nearly a frame: each layer right more often than not. */
export function nearlyFrame(random: RandomStream): Uint8Array {
  const bytes = random.bytes(random.below(4) === 0 ? random.below(40) : 14 + random.below(120))
  const set = (at: number, ...values: number[]) => {
    for (let i = 0; i < values.length; i++) if (at + i < bytes.length) bytes[at + i] = values[i]!
  }
  let at = 12
  if (random.below(4) === 0) {
    set(at, 0x81, 0)
    at += 4
  }
  const kind = random.below(8)
  if (kind === 0) return bytes
  if (kind === 1) {
    set(at, 8, 6, 0, 1, 8, 0, 6, 4, 0, random.below(5))
    return bytes
  }
  set(at, 8, 0)
  at += 2
  const available = bytes.length - at
  if (available < 20) return bytes
  const words = random.below(3) === 0 ? 5 + random.below(4) : 5
  const total = Math.max(0, available - (random.below(3) === 0 ? random.below(8) : 0))
  set(at, 0x40 | words, 0, total >> 8, total & 255)
  if (random.below(4) !== 0) set(at + 6, 0x40 * random.below(2), 0)
  const protocol = [1, 6, 17, 2][random.below(4)]!
  set(at + 9, protocol, 0, 0)
  const transport = at + words * 4
  const length = total - words * 4
  if (protocol === 17 && random.below(8) !== 0) set(transport + 4, length >> 8, length & 255)
  if (protocol === 6 && random.below(8) !== 0) set(transport + 12, (5 + random.below(3)) << 4)
  if (protocol === 1 && length >= 8 && random.below(2) === 0) {
    set(transport + 2, 0, 0)
    const sum = internetChecksum(bytes, transport, length)
    set(transport + 2, sum >> 8, sum & 255)
  }
  if (random.below(8) !== 0 && words * 4 <= available) {
    const sum = internetChecksum(bytes, at, words * 4)
    set(at + 10, sum >> 8, sum & 255)
  }
  return bytes
}

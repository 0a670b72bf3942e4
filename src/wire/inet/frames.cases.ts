/** Frames for properties. */
import { internetChecksum, sumWords } from '#base/bytes'
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
  if (kind >= 6) return nearlyIpv6(random, bytes, at, set)
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

/** Extension headers that lead to one another, then a transport; each right more often than not. */
function nearlyIpv6(
  random: RandomStream,
  bytes: Uint8Array,
  at: number,
  set: (at: number, ...values: number[]) => void,
): Uint8Array {
  set(at, 0x86, 0xdd)
  at += 2
  const available = bytes.length - at
  if (available < 40) return bytes
  const length = Math.max(0, available - 40 - (random.below(3) === 0 ? random.below(8) : 0))
  set(at, random.below(8) === 0 ? random.below(256) : 0x60)
  set(at + 4, length >> 8, length & 255)
  let field = at + 6
  const header = at
  at += 40
  const pick = (values: number[]) => values[random.below(values.length)]!
  while (random.below(3) === 0 && at + 8 < bytes.length) {
    const type = pick([0, 43, 44, 60, 51])
    set(field, type)
    set(at + 1, random.below(8) === 0 ? 3 : 0)
    if (type === 44 && random.below(2) === 0) set(at + 2, 0, 0)
    field = at
    at += 8
  }
  const protocol = pick([58, 6, 17, 59, 58, 17])
  set(field, protocol)
  const left = header + 40 + length - at
  if (protocol === 17) set(at + 4, left >> 8, left & 255)
  if (protocol === 6) set(at + 12, (5 + random.below(3)) << 4)
  if (protocol === 58 && left >= 8 && random.below(2) === 0) {
    set(at + 2, 0, 0)
    const sum = internetChecksum(bytes, at, left, sumWords(bytes, header + 8, 32, 58 + left))
    set(at + 2, sum >> 8, sum & 255)
  }
  return bytes
}

/** The digest of pages. RFC 1321 */
const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0)
const BLOCK = 64

const rotate = (word: number, by: number) => (word << by) | (word >>> (32 - by))

/** What is mixed in a step, and which word of the block with it. */
function step(i: number, b: number, c: number, d: number): [mixed: number, word: number] {
  if (i < 16) return [(b & c) | (~b & d), i]
  if (i < 32) return [(d & b) | (~d & c), (5 * i + 1) % 16]
  if (i < 48) return [b ^ c ^ d, (3 * i + 5) % 16]
  return [c ^ (b | ~d), (7 * i) % 16]
}

export function md5(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK)
  whole.set(bytes)
  whole[bytes.length] = 0x80
  const view = new DataView(whole.buffer)
  view.setUint32(whole.length - 8, (bytes.length * 8) >>> 0, true)
  view.setUint32(whole.length - 4, Math.floor(bytes.length / 2 ** 29), true)
  const state = Int32Array.of(0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476)
  for (let at = 0; at < whole.length; at += BLOCK) {
    let [a = 0, b = 0, c = 0, d = 0] = state
    for (let i = 0; i < 64; i++) {
      const [mixed, word] = step(i, b, c, d)
      const sum = (a + mixed + SINES[i]! + view.getInt32(at + 4 * word, true)) | 0
      const next = (b + rotate(sum, SHIFTS[4 * (i >> 4) + (i & 3)]!)) | 0
      a = d
      d = c
      c = b
      b = next
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
  }
  const out = new DataView(new ArrayBuffer(16))
  state.forEach((word, i) => {
    out.setInt32(4 * i, word, true)
  })
  return new Uint8Array(out.buffer)
}

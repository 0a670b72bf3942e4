/** The three signatures of heartbeat's messages: a CRC, and HMAC (RFC 2104) by MD5 (RFC 1321) and SHA-1 (RFC 3174). */
import { encodeLatin1, formatHex } from '#base/bytes'

const BLOCK = 64

/** POSIX's polynomial, most significant bit first. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte << 24
  for (let bit = 0; bit < 8; bit++) word = (word << 1) ^ (word < 0 ? 0x04c11db7 : 0)
  return word >>> 0
})

/** Like cksum(1), but the length isn't counted in; without leading zeros. heartbeat 3.0.6 lib/plugins/HBauth/crc.c */
export function crcHex(bytes: Uint8Array): string {
  let crc = 0
  for (const byte of bytes) crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ byte) & 0xff]!
  return (~crc >>> 0).toString(16)
}

type Hash = (bytes: Uint8Array) => Uint8Array

const rotate = (word: number, by: number) => (word << by) | (word >>> (32 - by))

/** Both hashes work on blocks of 64 bytes that end with the length in bits; they differ in the order of its bytes. */
function padded(bytes: Uint8Array, littleEndian: boolean): DataView {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK)
  whole.set(bytes)
  whole[bytes.length] = 0x80
  const view = new DataView(whole.buffer)
  const [low, high] = littleEndian ? [whole.length - 8, whole.length - 4] : [whole.length - 4, whole.length - 8]
  view.setUint32(low, (bytes.length * 8) >>> 0, littleEndian)
  view.setUint32(high, Math.floor(bytes.length / 2 ** 29), littleEndian)
  return view
}

const MD5_SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
const MD5_SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0)

/** MD5. */
export const md5: Hash = (bytes) => {
  const view = padded(bytes, true)
  const state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]
  for (let at = 0; at < view.byteLength; at += BLOCK) {
    let [a, b, c, d] = state as [number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      const [mix, word] =
        round === 0
          ? [(b & c) | (~b & d), i]
          : round === 1
            ? [(d & b) | (~d & c), (5 * i + 1) % 16]
            : round === 2
              ? [b ^ c ^ d, (3 * i + 5) % 16]
              : [c ^ (b | ~d), (7 * i) % 16]
      const sum = (a + mix + MD5_SINES[i]! + view.getInt32(at + 4 * word, true)) | 0
      const next = (b + rotate(sum, MD5_SHIFTS[4 * round + (i & 3)]!)) | 0
      ;[a, b, c, d] = [d, next, b, c]
    }
    ;[a, b, c, d].forEach((word, i) => {
      state[i] = (state[i]! + word) | 0
    })
  }
  return wordsToBytes(state, true)
}

/** SHA-1. */
export const sha1: Hash = (bytes) => {
  const view = padded(bytes, false)
  const state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0]
  const words = new Int32Array(80)
  for (let at = 0; at < view.byteLength; at += BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i)
    for (let i = 16; i < 80; i++) {
      words[i] = rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1)
    }
    let [a, b, c, d, e] = state as [number, number, number, number, number]
    for (let i = 0; i < 80; i++) {
      const [mix, constant] =
        i < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : i < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : i < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6]
      const next = (rotate(a, 5) + mix + e + constant + words[i]!) | 0
      ;[a, b, c, d, e] = [next, a, rotate(b, 30), c, d]
    }
    ;[a, b, c, d, e].forEach((word, i) => {
      state[i] = (state[i]! + word) | 0
    })
  }
  return wordsToBytes(state, false)
}

function wordsToBytes(words: number[], littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length))
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, littleEndian)
  })
  return new Uint8Array(view.buffer)
}

/** A keyed hash in hexadecimal. */
export function hmacHex(hash: Hash, key: string, bytes: Uint8Array): string {
  const given = encodeLatin1(key)
  const short = given.length > BLOCK ? hash(given) : given
  const pad = (byte: number, rest: Uint8Array) => {
    const whole = new Uint8Array(BLOCK + rest.length).fill(byte, 0, BLOCK)
    short.forEach((value, i) => {
      whole[i] = value ^ byte
    })
    whole.set(rest, BLOCK)
    return whole
  }
  return formatHex(hash(pad(0x5c, hash(pad(0x36, bytes)))))
}

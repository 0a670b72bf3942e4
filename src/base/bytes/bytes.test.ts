import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import {
  decodeLatin1,
  decodeUtf8,
  encodeLatin1,
  encodeUtf8,
  foldSum,
  formatHex,
  internetChecksum,
  parseHex,
  sumWords,
} from './index.ts'

/** The checksum as RFC 1071 describes it. */
function slowChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

test('the checksum of RFC 1071, at any place and in pieces', () => {
  expect(internetChecksum(Uint8Array.from([0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]))).toBe(~0xddf2 & 0xffff)
  forSeeds(2_000, (random) => {
    const bytes = random.bytes(random.below(300))
    if (random.below(4) === 0) bytes.fill(0xff)
    expect(internetChecksum(bytes)).toBe(slowChecksum(bytes))
    const from = random.below(bytes.length + 1)
    expect(internetChecksum(bytes, from)).toBe(slowChecksum(bytes.subarray(from)))
    const cut = random.below(bytes.length + 1) & ~1
    const sum = sumWords(bytes, cut, bytes.length - cut, sumWords(bytes, 0, cut))
    expect(~foldSum(sum) & 0xffff).toBe(slowChecksum(bytes))
  })
})

test('hexadecimal', () => {
  expect(formatHex(Uint8Array.from([0, 171, 255]), ':')).toBe('00:ab:ff')
  expect(parseHex('00 ab FF')).toEqual(Uint8Array.from([0, 171, 255]))
  expect(parseHex('0')).toBeUndefined()
  expect(parseHex('0x00')).toBeUndefined()
})

test('UTF-8 as the platform has it, short and long', () => {
  for (const text of ['', 'ping', '解読', 'a'.repeat(500), `${'a'.repeat(500)}é`, '\ufeffx', '😀'.repeat(40)]) {
    expect(encodeUtf8(text)).toEqual(new Uint8Array(new TextEncoder().encode(text)))
    expect(decodeUtf8(encodeUtf8(text))).toBe(text)
  }
  expect(decodeUtf8(Uint8Array.from([0x61, 0xff, 0x62]))).toBe('a\ufffdb')
  forSeeds(500, (random) => {
    const bytes = random.bytes(random.below(100))
    expect(decodeUtf8(bytes)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
    expect(encodeLatin1(decodeLatin1(bytes))).toEqual(bytes)
  })
})

import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { emitIpOptions, emitTcpOptions, parseIpOptions, parseTcpOptions } from './index.ts'

test('options: no bytes throw, none are left out, and what is parsed is emitted unchanged', () => {
  forSeeds(5_000, (random) => {
    const bytes = random.bytes(random.below(41))
    for (let i = 0; i < bytes.length; i++) {
      if (random.below(3) === 0) bytes[i] = [0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 68, 131, 137, 148][random.below(14)]!
    }
    for (const [parse, emit] of [
      [parseIpOptions, emitIpOptions],
      [parseTcpOptions, emitTcpOptions],
    ] as const) {
      const options = parse(bytes)
      expect(options.reduce((sum, option) => sum + option.length, 0)).toBe(bytes.length)
      expect(Buffer.compare((emit as (list: unknown) => Uint8Array)(options), bytes)).toBe(0)
    }
  })
})

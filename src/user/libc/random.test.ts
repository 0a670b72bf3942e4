import { expect, test } from 'vitest'
import { GlibcRandom } from './random.ts'

test('draws what glibc draws: the packets of hping3 at a known second, captured on Linux 6.1', () => {
  const random = new GlibcRandom(1_767_225_600)
  // Base port 2946, then for each packet sequence number, acknowledgement, identification.
  expect(1024 + (random.next() % 2000)).toBe(2946)
  expect(random.next()).toBe(140_812_144)
  random.next()
  expect(random.next() & 0xffff).toBe(63_049)
  expect(random.next()).toBe(270_891_516)
  random.next()
  expect(random.next() & 0xffff).toBe(51_120)
})

test('a seed of 0 is 1', () => {
  expect(new GlibcRandom(0).next()).toBe(1_804_289_383)
})

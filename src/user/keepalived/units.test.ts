/** The parts that need no host: words, numbers, digests, pages. */

import { expect, test } from 'vitest'
import { encodeUtf8 } from '#base/bytes'
import { forSeeds } from '#base/testing'
import { readPage } from './checks.ts'
import { readInt, readSeconds, readUnsigned } from './numbers.ts'
import type { Reports } from './reader.ts'
import { decomment, splitScript, splitWords } from './words.ts'

test.each([
  ['a b ! c', 'a b'],
  ['a "b # c" # d', 'a "b # c"'],
  ['  x\\#y', 'x#y'],
  ['#', ''],
])('without its comment, %j is %j', (line, text) => expect(decomment(line).text).toBe(text))

test('words', () => {
  expect(splitWords('a "b c"d  e').words).toEqual(['a', 'b c', 'd', 'e'])
  expect(splitWords('a "b').unmatched).toBe(true)
  expect(splitScript(`x "a 'b'" 'c d'e \\x41\\n`)).toEqual(['x', "a 'b'", 'c de', 'A\n'])
  expect(splitScript('x "a')).toEqual({ missing: '"' })
})

test('numbers', () => {
  const said: string[] = []
  const to: Reports = { testing: false, report: (_, text) => said.push(text) }
  expect(readUnsigned(to, '5', 1, 9, true)).toBe(5)
  expect(readUnsigned(to, '5x', 1, 9, true)).toBe(5)
  expect(readUnsigned(to, '-5', 1, 9, true)).toBeUndefined()
  expect(readInt(to, '-300', -254, 254, true)).toBeUndefined()
  expect(readSeconds(to, '0.25', 1, 1e9, true)).toBe(250_000)
  expect(readSeconds(to, '1.2345678', 1, 1e9, true)).toBe(1_234_568)
  expect(said).toEqual([
    "WARNING - invalid number '5x'",
    "WARNING - negative number '-5'",
    "number '-300' outside range [-254, 254]",
    "WARNING - number '1.2345678' has too many decimal places",
  ])
})

test('no line makes words fail', () => {
  const letters = ['"', "'", '\\', '#', '!', ' ', '\t', 'a', '{', '}', '$', 'x41']
  forSeeds(500, (random) => {
    let line = ''
    for (let i = random.below(20); i > 0; i--) line += letters[random.below(letters.length)]
    decomment(line)
    splitWords(line)
    splitScript(line)
  })
})

test('a page in pieces', () => {
  const whole = encodeUtf8('HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody')
  for (let cut = 0; cut <= whole.length; cut++) {
    const page = readPage([whole.subarray(0, cut), whole.subarray(cut)])!
    expect([page.status, page.length, page.body.length]).toEqual([200, 4, 4])
  }
  expect(readPage([encodeUtf8('HTTP/1.0 200 OK\r\n')])).toBeUndefined()
  expect(readPage([encodeUtf8('HTTP/1.0 20 OK\r\n\r\n')])?.status).toBe(0)
})

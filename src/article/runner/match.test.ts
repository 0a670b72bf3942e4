import { describe, expect, test } from 'vitest'
import { compareOutput, lineMatches } from './match.ts'

describe('lineMatches', () => {
  test.each([
    ['a...b', 'axxb', true],
    ['a...b', 'ab', true],
    ['a...b', 'a', false],
    ['...ms', 'time=3 ms', true],
    ['...', '', true],
    ['a...a', 'a', false], // The two ends may not be one character.
    ['x...y...z', 'x1y2z', true],
    ['x...y...z', 'xzy', false],
    ['plain', 'plain ', false],
  ])('%s against %s', (pattern, line, fits) => expect(lineMatches(pattern, line)).toBe(fits))
})

describe('compareOutput', () => {
  const equal = (expected: string[], output: string, unordered = false) =>
    compareOutput(expected, output, unordered).equal
  test('lines as they are', () => {
    expect(equal(['a', 'b'], 'a\nb\n')).toBe(true)
    expect(equal(['a', 'b'], 'b\na\n')).toBe(false)
    expect(equal(['a'], 'a  \n\n')).toBe(true)
    expect(equal([], '')).toBe(true)
    expect(equal([], 'x\n')).toBe(false)
    expect(equal(['x'], '')).toBe(false)
  })
  test('any number of lines', () => {
    expect(equal(['a', '...', 'z'], 'a\nz\n')).toBe(true)
    expect(equal(['a', '...', 'z'], 'a\nb\nc\nz\n')).toBe(true)
    expect(equal(['a', '...', 'z'], 'a\nb\nc\n')).toBe(false)
    expect(equal(['...'], '')).toBe(true)
    expect(equal(['...', 'b', '...'], 'a\nb\nb\n')).toBe(true)
  })
  test('in any order, each line once', () => {
    expect(equal(['a', 'b'], 'b\na\n', true)).toBe(true)
    expect(equal(['a', 'a'], 'a\nb\n', true)).toBe(false)
    expect(equal(['a...', 'ab'], 'ab\nac\n', true)).toBe(true)
    expect(equal(['a'], 'a\nb\n', true)).toBe(false)
    expect(equal(['a', '...'], 'b\na\n', true)).toBe(true)
  })
  test('a difference is shown where it is', () => {
    expect(compareOutput(['a', 'b', 'c'], 'a\nx\nc\n', false).diff).toEqual([
      { sign: ' ', text: 'a' },
      { sign: '-', text: 'b' },
      { sign: '+', text: 'x' },
      { sign: ' ', text: 'c' },
    ])
  })
})

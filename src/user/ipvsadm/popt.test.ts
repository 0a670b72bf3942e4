import { describe, expect, test } from 'vitest'
import { Popt } from './popt.ts'
import { TABLE } from './rules.ts'

/** All that comes out of a command line, as one word each. */
function all(...words: string[]): string[] {
  const popt = new Popt(TABLE, words)
  const found: string[] = []
  for (;;) {
    const result = popt.next()
    if (result.kind === 'end') return [...found, ...popt.operands.map((word) => `(${word})`)]
    if (result.kind === 'error') return [...found, result.message]
    found.push(result.value === undefined ? result.tag : `${result.tag}=${result.value}`)
  }
}

describe('popt', () => {
  test.each([
    [['-Ln'], ['L', 'n']],
    [
      ['-A', '-t', '10.0.0.1:80', '-srr'],
      ['A', 't=10.0.0.1:80', 's=rr'],
    ],
    [
      ['-A', '-t=10.0.0.1:80', '--scheduler=rr'],
      ['A', 't=10.0.0.1:80', 's=rr'],
    ],
    [['-At10.0.0.1:80'], ['A', 't=10.0.0.1:80']],
    [
      ['-A', '-p', '-s', 'rr'],
      ['A', 'p', 's=rr'],
    ],
    [
      ['-A', '-p', '60'],
      ['A', 'p=60'],
    ],
    [
      ['-A', '-p'],
      ['A', 'p'],
    ],
    [['--persistent=60'], ['p=60']],
    [['--persistent='], ['p=']],
    [
      ['--set', '1', '2', '3'],
      ['set', '(1)', '(2)', '(3)'],
    ],
    [
      ['-L', '--', '-n'],
      ['L', '(-n)'],
    ],
    [
      ['-L', '-', 'x'],
      ['L', '(-)', '(x)'],
    ],
    [['-t', '-n'], ['t=-n']],
    [
      ['-A', '-t'],
      ['A', '-t: missing argument'],
    ],
    [['--tcp'], ['--tcp: unknown option']],
    [['-LQn'], ['L', '-LQn: unknown option']],
    [['-n=1'], ['-n=1: option does not take an argument']],
    [['--numeric=1'], ['--numeric=1: option does not take an argument']],
  ])('%j', (words, expected) => {
    expect(all(...words)).toEqual(expected)
  })
})

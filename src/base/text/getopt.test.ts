/** Command lines, as a C program with glibc 2.36's getopt_long printed them. */
import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { getopt, type LongOption } from './index.ts'

const LONG: LongOption[] = [
  { name: 'color', argument: 'optional', as: 'C' },
  { name: 'count', argument: 'required', as: 'c' },
  { name: 'quiet', as: 'q' },
  { name: 'quick', as: 'q' },
  { name: 'verbose', as: 'v' },
  { name: 'version', as: 'V' },
]

/** The options and operands in a line, and what went to standard error. */
function printed(short: string, words: string): string[] {
  const { options, operands } = getopt(['prog', ...words.split(' ')], short, LONG)
  const line = [
    ...options.map(({ option, value }) => option + (value === undefined ? '' : `=${value}`)),
    ...operands.map((operand) => `op ${operand}`),
  ]
  return [line.join('|'), ...options.flatMap(({ message }) => message ?? [])]
}

test.each([
  ['abc:d::', '-ab -c5 -c 6 x -d -d7 -- -a', 'a|b|c=5|c=6|d|d=7|op x|op -a'],
  ['abc:', 'x -a y -b', 'a|b|op x|op y'],
  ['+abc:', 'x -a', 'op x|op -a'],
  ['abc:', '-ax -z', 'a|?|?', "prog: invalid option -- 'x'", "prog: invalid option -- 'z'"],
  ['abc:', '-c', ':', "prog: option requires an argument -- 'c'"],
  ['abc:', '--count=3 --count 4 x', 'c=3|c=4|op x'],
  ['abc:', '--cou 3', 'c=3'],
  ['abc:', '--co 3', '?|op 3', "prog: option '--co' is ambiguous; possibilities: '--color' '--count'"],
  ['abc:', '--qui', 'q'], // Two names of one option aren't ambiguous.
  ['abc:', '--ver', '?', "prog: option '--ver' is ambiguous; possibilities: '--verbose' '--version'"],
  ['abc:', '--verb', 'v'],
  ['abc:', '--nope', '?', "prog: unrecognized option '--nope'"],
  ['abc:', '--quiet=3', '?', "prog: option '--quiet' doesn't allow an argument"],
  ['abc:', '--count', ':', "prog: option '--count' requires an argument"],
  ['abc:', '--color x --color=y', 'C|C=y|op x'],
  ['abc:', '- -a', 'a|op -'],
  ['abc:', '-a- x', 'a|?|op x', "prog: invalid option -- '-'"],
  ['abc:', '--color= -c --', 'C=|c=--'],
  ['abc:', '-a:', 'a|?', "prog: invalid option -- ':'"],
])('%s with %s', (short, words, ...expected) => expect(printed(short, words)).toEqual(expected))

test('no words throw, and none is lost', () => {
  const words = ['-a', '-c', '--', '-', '--co', '--count', '--color=1', 'x', '--=', '-:', '---', '', '-\u3042']
  forSeeds(2000, (random) => {
    const line = Array.from({ length: random.below(6) }, () => words[random.below(words.length)]!)
    const { options, operands } = getopt(['prog', ...line], 'ab:c:d::', LONG)
    expect(operands.length).toBeLessThanOrEqual(line.length)
    for (const operand of operands) expect(line).toContain(operand)
    for (const { option, message } of options) expect(message !== undefined).toBe(option === '?' || option === ':')
  })
})

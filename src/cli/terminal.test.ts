import { afterEach, expect, test } from 'vitest'
import { paint } from './terminal.ts'

const before = process.env['NO_COLOR']
afterEach(() => {
  if (before === undefined) delete process.env['NO_COLOR']
  else process.env['NO_COLOR'] = before
})

test.each([
  [true, undefined, '\u001b[31mx\u001b[0m'],
  [true, '', '\u001b[31mx\u001b[0m'], // no-color.org: present and not empty.
  [true, '1', 'x'],
  [false, undefined, 'x'],
  [undefined, undefined, 'x'],
])('colour where isTTY is %s and NO_COLOR is %s', (isTTY, noColor, painted) => {
  if (noColor === undefined) delete process.env['NO_COLOR']
  else process.env['NO_COLOR'] = noColor
  expect(paint('red', 'x', { isTTY } as NodeJS.WriteStream)).toBe(painted)
})

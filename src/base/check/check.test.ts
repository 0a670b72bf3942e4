import { expect, test } from 'vitest'
import { AssertionFailed, assert, BudgetExceeded, NotModelled, unreachable } from './index.ts'

test('the kinds of errors are told apart by class and by name', () => {
  const errors = [new NotModelled('x'), new AssertionFailed('x'), new BudgetExceeded('events', 'x')]
  expect(errors.map(({ name }) => name)).toEqual(['NotModelled', 'AssertionFailed', 'BudgetExceeded'])
  for (const error of errors) expect(error).toBeInstanceOf(Error)
  expect(errors[0]).not.toBeInstanceOf(AssertionFailed)
  expect(new BudgetExceeded('memory', 'the run used it').budget).toBe('memory')
})

test('assert says what doesn’t hold, and nothing if it does', () => {
  assert(1, 'one')
  for (const falsy of [false, 0, '', undefined])
    expect(() => assert(falsy, 'what')).toThrow(new AssertionFailed('what'))
})

test('unreachable names the value', () => {
  expect(() => unreachable('sit' as never)).toThrow('unreachable: sit')
})

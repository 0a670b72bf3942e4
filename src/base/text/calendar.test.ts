import { expect, test } from 'vitest'
import { civilOfDays, civilOfSeconds, ctime, daysOfCivil } from './calendar.ts'

test('every day of eight centuries is JavaScript’s own', () => {
  for (let days = -150_000; days < 150_000; days += 1) {
    const date = new Date(days * 86_400_000)
    const civil = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
    if (days % 997 === 0 || date.getUTCDate() > 27) expect(civilOfDays(days)).toEqual(civil)
    if (daysOfCivil(civil.year, civil.month, civil.day) !== days) expect(civil).toBe(days)
  }
})

test('months and days count on', () => {
  expect(daysOfCivil(2026, 14, 1)).toBe(daysOfCivil(2027, 2, 1))
  expect(daysOfCivil(2026, -1, 1)).toBe(daysOfCivil(2025, 11, 1))
  expect(daysOfCivil(2024, 2, 30)).toBe(daysOfCivil(2024, 3, 1))
})

test('times of day, before the epoch too', () => {
  expect(ctime(1_767_225_603.9)).toBe('Thu Jan  1 00:00:03 2026')
  expect(civilOfSeconds(-1)).toEqual({ year: 1969, month: 12, day: 31, hour: 23, minute: 59, second: 59, weekday: 3 })
})

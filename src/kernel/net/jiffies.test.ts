import { expect, test } from 'vitest'
import { HZ, wheelJiffies } from './jiffies.ts'

test('a timer never fires early, and at most an eighth of its delay late', () => {
  for (let now = 0; now < 600; now += 7) {
    for (const delay of [0, 1, 2, 62, 63, 100, 250, 503, 504, 1250, 3750, 4032, 9000]) {
      const fired = wheelJiffies(now, now + delay)
      expect(fired).toBeGreaterThan(now + delay)
      expect(fired - now - delay).toBeLessThanOrEqual(Math.max(1, delay / 7))
    }
  }
})

test('one second, armed again when it fires, takes 1.024 seconds: as captures of repeated ARP requests show', () => {
  let now = wheelJiffies(13, 13 + HZ)
  expect(now - 13).toBeGreaterThan(HZ)
  for (let i = 0; i < 5; i++) {
    const next = wheelJiffies(now, now + HZ)
    expect(next - now).toBe(256)
    now = next
  }
})

test('what is overdue fires at the next tick', () => {
  expect(wheelJiffies(100, 90)).toBe(101)
  expect(wheelJiffies(100, 100)).toBe(101)
})

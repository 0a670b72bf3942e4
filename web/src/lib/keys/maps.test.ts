import { expect, test, vi } from 'vitest'

// The compiled messages are the bundler's; here any label will do.
vi.mock('$lib/paraglide/messages', () => ({ m: new Proxy({}, { get: (_, name) => () => String(name) }) }))

const { KEY_MAPS, rowsOf } = await import('./maps.ts')
const { findMeaning } = await import('./table.ts')

test.each(KEY_MAPS)('%s: no key does two things in one place', (map) => {
  const seen = new Map<string, string>()
  for (const row of rowsOf(map)) {
    for (const key of row.keys) {
      const place = row.place === 'go' ? 'everywhere' : row.place
      expect(seen.get(`${place} ${key}`), `${place}: ${key} for ${row.action}`).toBeUndefined()
      seen.set(`${place} ${key}`, row.action)
    }
  }
})

test('a chord begins, ends, and a page comes before what holds everywhere', () => {
  const rows = rowsOf('kaidoku')
  expect(findMeaning(rows, 'g', ['list', 'everywhere', 'go'])).toBe('begun')
  expect(findMeaning(rows, 'g l', ['list', 'everywhere', 'go'])).toEqual({ action: 'go-later' })
  expect(findMeaning(rows, 'n', ['article', 'everywhere', 'go'])).toEqual({ action: 'live' })
  expect(findMeaning(rows, 'n', ['list', 'everywhere', 'go'])).toEqual({ action: 'new' })
})

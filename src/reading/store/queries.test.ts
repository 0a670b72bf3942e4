import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore, type Store } from './index.ts'

let store: Store
let queries = 0
let owner = 0
beforeAll(async () => {
  store = await openStore({ onQuery: () => queries++ })
  owner = (await store.people.createOwner('owner', 'Owner'))!.id
})
afterAll(() => store.close())

const fill = (from: number, to: number) =>
  store.bookmarks.saveMany(
    owner,
    Array.from({ length: to - from }, (_, i) => ({
      url: `https://site${(from + i) % 3}.example/${from + i}`,
      title: `Routing 経路 ${from + i}`,
      tags: ['network', '冗長化'],
    })),
    {},
  )

/** How many queries each page makes, and how many entries it shows. */
async function pages(): Promise<Record<string, { queries: number; shown: number }>> {
  const base = { lang: 'ja', limit: 10, viewer: owner }
  const open: Record<string, () => Promise<{ entries: unknown[] }>> = {
    list: () => store.list(base),
    popular: () => store.list({ ...base, order: 'popular' }),
    site: () => store.list({ ...base, site: 'site1.example' }),
    keyword: () => store.list({ ...base, keyword: 'network' }),
    two: () => store.list({ ...base, keyword: ['network', '冗長化'] }),
    search: () => store.search({ ...base, text: '経路' }),
    searchTwo: () => store.search({ ...base, text: '経路 routing' }),
  }
  const counted: Record<string, { queries: number; shown: number }> = {}
  for (const [name, run] of Object.entries(open)) {
    queries = 0
    const { entries } = await run()
    counted[name] = { queries, shown: entries.length }
  }
  return counted
}

test('a page makes no more queries of many entries than of few', async () => {
  await fill(0, 9)
  const few = await pages()
  await fill(9, 400)
  const many = await pages()
  for (const [name, { queries: made, shown }] of Object.entries(many)) {
    expect(shown, name).toBe(10)
    expect(few[name]!.shown, name).toBeGreaterThan(0)
    expect(made, name).toBeLessThanOrEqual(few[name]!.queries)
    expect(made, name).toBeLessThanOrEqual(2)
  }
})

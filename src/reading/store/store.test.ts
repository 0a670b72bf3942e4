import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from './database.ts'
import { DatabaseBusy, openStore, type Store } from './index.ts'
import { MIGRATIONS, migrate } from './migrate.ts'

const bookmarksFile = (links: string[]) =>
  `<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>\n${links.join('\n')}\n</DL><p>\n`
const link = (href: string, at: number, title = href, tags = '') =>
  `<DT><A HREF="${href}" ADD_DATE="${at}" TAGS="${tags}">${title}</A>`

let store: Store
let queries = 0
beforeAll(async () => {
  store = await openStore({ onQuery: () => queries++ })
})
afterAll(() => store.close())

test('a second start has nothing to do', async () => {
  const { db, close } = await openDatabase({})
  expect(await migrate(db)).toEqual(MIGRATIONS.map((migration) => migration.name))
  expect(await migrate(db)).toEqual([])
  await close()
})

test('an import adds, merges and refuses, and says which', async () => {
  const file = bookmarksFile([
    link('https://lwn.net/', 1_700_000_000, 'LWN', 'news'),
    link('https://www.kernel.org', 1_700_000_100, 'Kernel'),
    link('https://lwn.net', 1_600_000_000, 'LWN again', 'Kernel'),
    link('javascript:alert(1)', 1),
    link('https://me:secret@example.com/', 1),
    link('not an address', 1),
  ])
  const report = await store.importNetscape(file)
  expect({ ...report, refused: report.refused.map(({ line }) => line) }).toEqual({
    added: 2,
    merged: 1,
    refused: [6, 7, 8],
    notes: [],
  })
  const again = await store.importNetscape(file)
  expect([again.added, again.merged, again.refused.length]).toEqual([0, 3, 3])
  const { entries } = await store.list({ lang: 'en', limit: 10 })
  expect(
    entries.map(({ key, site, title, addedAtMs, keywords }) => [key, site, title, addedAtMs / 1000, keywords]),
  ).toEqual([
    ['https://www.kernel.org/', 'kernel.org', 'Kernel', 1_700_000_100, []],
    ['https://lwn.net/', 'lwn.net', 'LWN', 1_600_000_000, ['news', 'Kernel']],
  ])
})

test('filters by site, keyword (whatever its case) and kind', async () => {
  const keys = async (query: object) =>
    (await store.list({ lang: 'en', limit: 10, ...query })).entries.map(({ key }) => key)
  expect(await keys({ site: 'kernel.org' })).toEqual(['https://www.kernel.org/'])
  expect(await keys({ keyword: 'NEWS' })).toEqual(['https://lwn.net/'])
  expect(await keys({ kind: 'article' })).toEqual([])
  expect(await keys({ keyword: "'; drop table entries; --\0" })).toEqual([])
  const facets = await store.facets('en')
  expect(facets.sites).toContainEqual({ name: 'lwn.net', count: 1 })
  expect(facets.keywords).toContainEqual({ name: 'news', count: 1 })
})

test('pages by cursor, forth and back; queries do not grow with entries', async () => {
  const count = async () => {
    queries = 0
    await store.list({ lang: 'en', limit: 50 })
    await store.facets('en')
    return queries
  }
  const before = await count()
  // Many of the same second: the order must hold within it.
  await store.importNetscape(
    bookmarksFile(Array.from({ length: 234 }, (_, i) => link(`https://many.example/${i}`, 1_500_000_000 + (i >> 5)))),
  )
  expect(await count()).toBe(before)
  expect(before).toBe(2)
  const forth: string[][] = []
  let cursor: string | undefined
  let page = await store.list({ lang: 'en', site: 'many.example', limit: 50 })
  for (;;) {
    forth.push(page.entries.map(({ key }) => key))
    if (!page.older) break
    cursor = page.older
    page = await store.list({ lang: 'en', site: 'many.example', limit: 50, cursor })
  }
  expect(forth.map((keys) => keys.length)).toEqual([50, 50, 50, 50, 34])
  expect(new Set(forth.flat()).size).toBe(234)
  const back = [forth.at(-1)]
  while (page.newer) {
    page = await store.list({ lang: 'en', site: 'many.example', limit: 50, cursor: page.newer })
    back.unshift(page.entries.map(({ key }) => key))
  }
  expect(back).toEqual(forth)
  for (const cursor of ['', 'older', 'older-9-x', 'older-99999999999999999-1']) {
    expect((await store.list({ lang: 'en', limit: 1, cursor })).entries).toHaveLength(1)
  }
})

test('articles follow their folder, each language with its own words', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kaidoku-articles-'))
  const write = (name: string, head: string) => writeFileSync(join(folder, name), `---\n${head}\n---\n\nText.\n`)
  write('arp.md', 'title: ARP\nsummary: Who has?\nlang: en\nkeywords: [ARP, neighbours]')
  write('arp.ja.md', 'title: ARP とは\nsummary: だれが\nlang: ja\nkeywords: [ARP, 近隣]')
  write('README.md', 'title: no article')
  expect(await store.syncArticles(folder)).toEqual({ added: ['arp'], changed: [], gone: [], errors: [] })
  expect(await store.syncArticles(folder)).toEqual({ added: [], changed: [], gone: [], errors: [] })
  const listed = async (lang: string) => (await store.list({ lang, kind: 'article', limit: 9 })).entries
  expect(await listed('ja')).toMatchObject([
    { key: 'arp', title: 'ARP とは', lang: 'ja', keywords: ['ARP', '近隣'], languages: ['en', 'ja'] },
  ])
  expect(await listed('fr')).toMatchObject([{ title: 'ARP', lang: 'en', keywords: ['ARP', 'neighbours'] }])
  write('arp.md', 'title: ARP again\nlang: en')
  expect((await store.syncArticles(folder)).changed).toEqual(['arp'])
  expect(await listed('en')).toMatchObject([{ title: 'ARP again', keywords: [] }])
  unlinkSync(join(folder, 'arp.md'))
  unlinkSync(join(folder, 'arp.ja.md'))
  expect((await store.syncArticles(folder)).gone).toEqual(['arp'])
  expect(await listed('en')).toEqual([])
  rmSync(folder, { recursive: true })
})

test('one process a folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kaidoku-data-'))
  const first = await openStore({ folder })
  await expect(openStore({ folder })).rejects.toThrow(DatabaseBusy)
  await first.importNetscape(bookmarksFile([link('https://kept.example/', 1_700_000_000)]))
  await first.close()
  const second = await openStore({ folder })
  expect((await second.list({ lang: 'en', limit: 9 })).entries.map(({ key }) => key)).toEqual(['https://kept.example/'])
  await second.close()
  rmSync(folder, { recursive: true })
})

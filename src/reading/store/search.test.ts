import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from './index.ts'
import { hasPostgres, startPostgres, type TemporaryServer } from './postgres.ts'

describe.each(hasPostgres ? ['pglite', 'postgresql'] : ['pglite'])('search on %s', (engine) => {
  let store: Store
  let server: TemporaryServer | undefined
  let me = 0
  beforeAll(async () => {
    server = engine === 'postgresql' ? await startPostgres() : undefined
    store = await openStore(server ? { url: server.url } : {})
    me = (await store.people.createOwner('owner', 'Owner'))!.id
    await store.bookmarks.saveMany(
      me,
      [
        { url: 'https://a.example/1', title: 'サーバの冗長化', tags: ['LVS'] },
        { url: 'https://a.example/2', title: 'ARP' },
        { url: 'https://b.example/3', title: 'ARP and its cache', comment: 'ＶＲＲＰも' },
        { url: 'https://b.example/4', title: 'Bridges', excerpt: 'What a bridge does with ARP, frame by frame.' },
        { url: 'https://c.example/5', title: '秘密', note: 'ARP', private: true },
      ],
      {},
    )
  })
  afterAll(async () => {
    await store?.close()
    server?.stop()
  })
  const find = async (text: string, viewer?: number) => {
    const keys: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.search({
        text,
        lang: 'ja',
        limit: 2,
        ...(viewer && { viewer }),
        ...(cursor && { cursor }),
      })
      keys.push(...page.entries.map((entry) => entry.key.slice(-1)))
      cursor = page.older
    } while (cursor && keys.length < 20)
    return keys
  }

  test('exact titles first, then titles, then texts; page after page, each once', async () => {
    expect(await find('arp')).toEqual(['2', '3', '4'])
    expect((await find('arp', me)).sort()).toEqual(['2', '3', '4', '5'])
  })
  test.each([
    ['冗', ['1']],
    ['冗長', ['1']],
    ['ｻｰﾊﾞ', ['1']],
    ['長冗', []],
    ['vrrp', ['3']],
    ['tag:lvs', ['1']],
    ['arp site:b.example', ['4', '3']],
    ['arp -cache -"frame by frame"', ['2']],
    ['title:arp cache', ['3']],
    ['秘密', []],
    ['is:private', []],
    ['', []],
  ])('%s', async (text, keys) => {
    expect((await find(text)).sort()).toEqual([...keys].sort())
  })
})

/** Work in the background against a store in memory and servers on this machine. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from '#reading/store'
import { importHandler } from './import.ts'
import { announce, beginImport, createTableQueue, type Jobs, signature, startJobs } from './index.ts'

let store: Store
let server: Server
let base = ''
const asked: { path: string; headers: Record<string, unknown>; body: string }[] = []
let feedStatus = 200
let hookStatus = 200

const FEED = (link: string) =>
  `<rss version="2.0"><channel><title>News &amp; more</title><link>${link}/</link><item><title>&lt;b&gt;One&lt;/b&gt;</title><link>/one</link><guid isPermaLink="false">g1</guid><pubDate>Tue, 14 Nov 2023 22:13:20 GMT</pubDate><description>&lt;p onclick="x"&gt;Words&lt;/p&gt;</description></item></channel></rss>`
const PAGE = `<html lang="en"><head><title>How it works</title><meta name="author" content="A. Writer"></head><body><article><h1>How it works</h1>${'<p>Packets, many of them, arrive and are forwarded, one by one, as they were sent by somebody.</p>'.repeat(5)}<pre>$ ipvsadm -Ln\nIP Virtual Server\n</pre><script>alert(1)</script></article></body></html>`

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      asked.push({ path: request.url!, headers: request.headers, body })
      if (request.url === '/feed') {
        if (feedStatus !== 200) return response.writeHead(feedStatus).end()
        if (request.headers['if-none-match'] === '"v1"') return response.writeHead(304).end()
        return response.writeHead(200, { 'content-type': 'application/rss+xml', etag: '"v1"' }).end(FEED(base))
      }
      if (request.url === '/page') return response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
      if (request.url === '/hook') return response.writeHead(hookStatus).end()
      return response.writeHead(404).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  store = await openStore({})
})
afterAll(async () => {
  server.close()
  await store.close()
})

let users = 0
async function makeUser(): Promise<number> {
  const name = `user${++users}`
  const { rows } = await store.db.execute<{ id: number }>(sql`
    insert into users (name, email, username, display_username, role) values (${name}, ${`${name}@localhost`}, ${name}, ${name}, 'member') returning id`)
  return Number(rows[0]!.id)
}

const bytes = (text: string) => new TextEncoder().encode(text)
const quiet = { allowPrivate: true, periodic: false, fetchPages: false, workers: 2 }

async function within(work: (jobs: Jobs) => Promise<void>, options = {}) {
  const jobs = await startJobs(store, { ...quiet, ...options })
  try {
    await work(jobs)
    await jobs.queue.idle()
  } finally {
    await jobs.stop()
  }
}

describe('imports', () => {
  test('a file: progress and report', async () => {
    const by = await makeUser()
    const items = [
      {
        href: 'https://a.example/1',
        description: 'One',
        extended: 'x',
        tags: 'net arp',
        shared: 'yes',
        time: '2023-11-14T22:13:20Z',
      },
      { href: 'https://a.example/1', description: 'One again', extended: '', tags: 'more', shared: 'yes' },
      { href: 'javascript:alert(1)', description: 'bad', extended: '', tags: '' },
      {
        href: 'https://a.example/2',
        description: '<script>',
        extended: 'あ'.repeat(150),
        tags: '',
        shared: 'no',
        toread: 'yes',
      },
    ]
    let id = 0
    await within(async (jobs) => {
      id = await beginImport(store, jobs.queue, by, {
        name: 'pinboard.json',
        bytes: bytes(JSON.stringify(items)),
        private: true,
      })
      await jobs.queue.idle()
    })
    const view = await store.imports.find(by, id)
    expect(view).toMatchObject({ state: 'done', total: 4, done: 4, added: 2, merged: 1, refused: 1 })
    expect(view!.report).toEqual([
      { place: 'item 3', url: 'javascript:alert(1)', what: 'javascript: is not a page of the Web' },
    ])
    const own = await store.bookmarks.page(by)
    expect(
      own.map(({ key, tags, private: p, readLater, comment, note }) => [key, tags, p, readLater, comment, note.length]),
    ).toEqual([
      ['https://a.example/1', ['net', 'arp', 'more'], false, false, 'x', 0],
      ['https://a.example/2', [], true, true, '', 150],
    ])
  })

  test('what is no file of bookmarks fails with a word', async () => {
    const by = await makeUser()
    let id = 0
    await within(async (jobs) => {
      id = await beginImport(store, jobs.queue, by, { name: 'x', bytes: bytes('hello'), private: true })
      await jobs.queue.idle()
    })
    expect(await store.imports.find(by, id)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('no known kind of file'),
    })
    await expect(
      beginImport(store, createTableQueue(store), by, { name: 'x', bytes: new Uint8Array(), private: true }),
    ).rejects.toThrow('empty')
  })

  test('one that dies half way goes on where it stopped', async () => {
    const by = await makeUser()
    const rows = Array.from(
      { length: 1700 },
      (_, i) => `Page ${i},https://half.example/${i},${1_700_000_000 + i},t${i % 7},unread`,
    )
    const content = bytes(`title,url,time_added,tags,status\n${rows.join('\n')}\n`)
    const id = await store.imports.begin(by, { format: 'auto', fileName: 'pocket.csv', content, private: true })
    // It dies at every chunk in turn: what the third call of the store would have been never comes.
    for (let dies = 1; dies <= 3; dies++) {
      let calls = 0
      const dying = {
        ...store,
        bookmarks: {
          ...store.bookmarks,
          saveMany: (...args: Parameters<Store['bookmarks']['saveMany']>) =>
            calls++ >= 1 ? Promise.reject(new Error('killed')) : store.bookmarks.saveMany(...args),
        },
      }
      await expect(
        importHandler(dying as Store, createTableQueue(store))(
          { kind: 'import', payload: { importId: id }, attempt: dies },
          new AbortController().signal,
        ),
      ).rejects.toThrow('killed')
      expect((await store.imports.find(by, id))!.done).toBe(dies * 500)
    }
    await within(async () => {}) // Opening the room is enough.
    expect(await store.imports.find(by, id)).toMatchObject({
      state: 'done',
      total: 1700,
      done: 1700,
      added: 1700,
      merged: 0,
      refused: 0,
    })
    const { rows: count } = await store.db.execute<{ n: number }>(
      sql`select count(*)::int as n from bookmarks where user_id = ${by}`,
    )
    expect(count[0]!.n).toBe(1700)
  })
})

describe('the Web', () => {
  test('a page is fetched, kept, and described', async () => {
    const by = await makeUser()
    const { entryId } = await store.bookmarks.save(by, { url: `${base}/page` }, { private: false })
    await within((jobs) => jobs.queue.add('fetch', { entryId, url: `${base}/page` }))
    const version = await store.pages.find(entryId, by)
    expect(version).toMatchObject({ title: 'How it works', author: 'A. Writer', lang: 'en', contentType: 'text/html' })
    expect(version!.html).not.toContain('script')
    expect(await store.entries.find({ id: entryId }, 'en', by)).toMatchObject({ preserved: true })
    expect(version!.about['consoles']).toMatchObject([
      { commands: [{ command: 'ipvsadm -Ln', output: 'IP Virtual Server\n' }] },
    ])
    // The same page again is no new version.
    await within((jobs) => jobs.queue.add('fetch', { entryId, url: `${base}/page` }))
    expect(await store.pages.list(entryId, by)).toHaveLength(1)
    expect(await store.jobs.count()).toMatchObject({ waiting: 0 })
  })

  test('a feed: items, not modified, failures with longer pauses', async () => {
    const by = await makeUser()
    const id = await store.feeds.subscribe(by, `${base}/feed`)
    const poll = () => within((jobs) => jobs.queue.add('feed', { feedId: id }))
    await poll()
    expect(await store.feeds.items(by, { limit: 10 })).toMatchObject([
      {
        feedTitle: 'News & more',
        title: 'One',
        url: `${base}/one`,
        excerpt: 'Words',
        publishedAtMs: 1_700_000_000_000,
      },
    ])
    await poll()
    expect(asked.findLast(({ path }) => path === '/feed')!.headers['if-none-match']).toBe('"v1"')
    feedStatus = 500
    await poll()
    await poll()
    expect(await store.feeds.find(id)).toMatchObject({ failures: 2, error: 'the feed answers 500', etag: '"v1"' })
    feedStatus = 200
    await poll()
    expect(await store.feeds.find(id)).toMatchObject({ failures: 0, error: undefined })
  })

  test('a link that fails is asked again, and is dead after days', async () => {
    const { entryId, url } = await store.entries.ensure(`${base}/gone`)
    let now = Date.now()
    const dead = async () =>
      (
        await store.db.execute<{ dead: boolean }>(
          sql`select dead_at is not null as dead from entries where id = ${entryId}`,
        )
      ).rows[0]!.dead
    const states: boolean[] = []
    await within((jobs) => jobs.queue.add('link', { entryId, url }), { now: () => now })
    states.push(await dead())
    for (let day = 0; day < 3; day++) {
      now += 25 * 60 * 60 * 1000
      await within(async () => {}, { now: () => now })
      states.push(await dead())
    }
    expect(states).toEqual([false, false, false, true])
  })

  test('a webhook is told, signed, and told again', async () => {
    const by = await makeUser()
    const { secret } = await store.webhooks.create(by, { url: `${base}/hook`, events: ['bookmark.saved'] })
    hookStatus = 500
    let now = Date.now()
    await within((jobs) => announce(store, jobs.queue, by, 'bookmark.saved', { a: 1 }), { now: () => now })
    hookStatus = 200
    now += 60_000
    await within(async () => {}, { now: () => now })
    const told = asked.filter(({ path }) => path === '/hook')
    expect(told.map(({ headers }) => headers['x-kaidoku-attempt'])).toEqual(['1', '2'])
    expect(told[0]!.body).toBe(told[1]!.body)
    expect(told[1]!.headers['x-kaidoku-signature']).toBe(signature(secret, told[1]!.body))
    expect(await store.webhooks.list(by)).toMatchObject([{ lastStatus: 200, failures: 0 }])
  })
})

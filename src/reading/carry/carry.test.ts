/** What is taken home comes back to the same state in another library. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseExchangeText } from '#reading/exchange'
import { beginImport, startJobs } from '#reading/jobs'
import { openStore, type Store } from '#reading/store'
import { BackupError, backup, type ExportFormat, exportOwn, restore } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaidoku-carry-'))
let one: Store
let two: Store
let owner = 0
let there = 0

const ORIGIN = 'https://room.example'
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const PNG_HASH = createHash('sha256').update(PNG).digest('hex')

async function open(): Promise<[Store, number]> {
  const store = await openStore({})
  const { id } = (await store.people.createOwner('owner', 'Owner'))!
  const { rows } = await store.db.execute<{ id: number }>(
    (await import('drizzle-orm')).sql`insert into users (name, email, username, display_username, role)
      values ('Other', 'other@localhost', 'other', 'other', 'member') returning id`,
  )
  await store.syncArticles(folder)
  await store.bookmarks.save(Number(rows[0]!.id), { url: 'https://all.example/1' }, { comment: 'worth it' })
  return [store, id]
}

beforeAll(async () => {
  writeFileSync(join(folder, 'arp.md'), '---\ntitle: ARP\nsummary: Who has it?\n---\n\n# ARP\n\nWords.\n')
  ;[[one, owner], [two, there]] = await Promise.all([open(), open()])
  const { entryId } = await one.bookmarks.save(
    owner,
    { url: 'https://all.example/1' },
    {
      title: 'A & B <i>',
      comment: '[net] words',
      note: 'long\nnote',
      favourite: true,
      private: true,
      createdAtMs: 1.7e12,
    },
  )
  await one.bookmarks.save(
    owner,
    { url: 'https://all.example/2?q=%E3%81%82' },
    { title: '二', tags: ['負荷分散'], readLater: true, createdAtMs: 1.7e12 + 5000 },
  )
  await one.bookmarks.save(
    owner,
    { article: 'arp' },
    { comment: 'ours', archived: true, private: false, createdAtMs: 1.7e12 + 6000 },
  )
  const article = (await one.entries.find({ article: 'arp' }, 'en', owner))!.id
  await one.highlights.add(
    owner,
    entryId,
    {
      medium: 'text',
      quote: 'who has',
      note: 'why',
      prefix: 'a ',
      suffix: ' b',
      position: { start: 7 },
      color: 'pink',
    },
    1.7e12,
  )
  await one.highlights.add(owner, article, { medium: 'transcript', quote: '64 bytes', private: false }, 1.7e12)
  await one.settings.change(owner, { theme: 'dark' })
  await one.follows.set(owner, { keyword: 'net' }, true)
  await one.follows.set(owner, { user: 'other' }, true)
  await one.keywords.editGroups(owner, [{ names: { en: 'Network', ja: '網' }, keywords: ['net', '負荷分散'] }])
  await one.feeds.subscribe(owner, 'https://all.example/feed', { folder: 'Kernel' })
  const [comment] = (await one.comments.list({ entryId, viewer: owner, limit: 10 })).comments.filter(
    ({ user }) => user.username === 'other',
  )
  await one.comments.star(owner, comment!.id, true)
  const page = (hash: string, html: string) => ({
    url: 'https://all.example/1#end',
    status: 200,
    contentType: 'text/html',
    hash,
    bytes: Buffer.byteLength(html),
    title: 'A page',
    author: 'A. Writer',
    lang: 'en',
    html,
    text: 'Words',
    about: { charset: 'utf-8' },
    images: [
      { hash: PNG_HASH, url: 'https://all.example/a.png', contentType: 'image/png', width: 1, height: 1, bytes: PNG },
    ],
  })
  await one.pages.addVersion(entryId, page('h1', '<p id="page-x">Old <a href="#page-x">words</a></p>'), 1.7e12)
  await one.pages.addVersion(entryId, page('h2', `<p>New</p><img src="/images/${PNG_HASH}" alt="">`), 1.7e12 + 60_000)
}, 60_000)
afterAll(async () => {
  await Promise.all([one.close(), two.close()])
  rmSync(folder, { recursive: true })
})

async function text(store: Store, by: number, format: ExportFormat): Promise<string> {
  let all = ''
  for await (const piece of exportOwn(store, by, format, ORIGIN, 0)) all += piece
  return all
}

async function take(store: Store, by: number, bytes: Uint8Array) {
  const jobs = await startJobs(store, { periodic: false, fetchPages: false })
  try {
    const id = await beginImport(store, jobs.queue, by, { name: 'file', bytes, private: false })
    await jobs.queue.idle()
    return (await store.imports.find(by, id))!
  } finally {
    await jobs.stop()
  }
}

// When a change was made isn't carried, nor when a star was given.
const lasting = (json: string) =>
  json.replace(/"updatedAtS":\d+,?/gu, '').replace(/("user":"other"),"createdAtS":\d+/gu, '$1')

test('everything, packed as the page gives it: bookmarks, articles, highlights, stars, pages and their images, groups, settings, follows, feeds', async () => {
  const everything = await text(one, owner, 'kaidoku')
  for (const what of ['arp', '64 bytes', 'h1', 'h2', 'Network', '網', '"stars":[{', 'theme', PNG.toString('base64')])
    expect(everything).toContain(what)
  const view = await take(two, there, gzipSync(everything))
  expect(view).toMatchObject({ state: 'done', added: 3, refused: 0, report: [] })
  expect(lasting(await text(two, there, 'kaidoku'))).toBe(lasting(everything))
  expect(await two.pages.image(PNG_HASH)).toMatchObject({ contentType: 'image/png' })
  // Once more changes nothing.
  expect(await take(two, there, gzipSync(everything))).toMatchObject({ added: 0, merged: 3, report: [] })
  expect(lasting(await text(two, there, 'kaidoku'))).toBe(lasting(everything))
})

test('a page in a file is as little trusted as one from the Web, and somebody else’s page isn’t replaced', async () => {
  const { id: member } = (await two.people.find({ handle: 'other' }))!
  const page = (html: string) => ({
    kaidoku: 1,
    bookmarks: [{ url: 'https://evil.example/' }, { url: 'https://all.example/1' }],
    pages: [
      { url: 'https://evil.example/', hash: 'e', html, images: [{ url: 'x', base64: 'PHN2Zz4=' }], fetchedAtS: 5 },
      { url: 'https://all.example/1', hash: 'e', html, fetchedAtS: 2_000_000_000 },
    ],
  })
  const file = page('<p onclick="x()">a<script>alert(1)</script><a href="javascript:x">b</a></p>')
  const view = await take(two, member, Buffer.from(JSON.stringify(file)))
  expect(view.report).toEqual([
    { place: 'page 2', url: 'https://all.example/1', what: 'others keep this page too: theirs stays' },
  ])
  const { id } = (await two.entries.find({ url: 'https://evil.example/' }, 'en', member))!
  expect((await two.pages.find(id, member))!.html).toBe('<p>a<a>b</a></p>')
})

test('gzip that is broken, cut off, or a bomb', async () => {
  const good = gzipSync(await text(one, owner, 'netscape'))
  for (const [bytes, why] of [
    [good.subarray(0, good.length - 20), /gzip, and broken or cut off/u],
    [Buffer.concat([good.subarray(0, 12), Buffer.alloc(100, 255)]), /gzip/u],
    [gzipSync(Buffer.alloc(400 << 20)), /more than is allowed/u],
  ] as const)
    expect(await take(two, there, bytes)).toMatchObject({ state: 'failed', error: expect.stringMatching(why) })
}, 60_000)

test.each(['netscape', 'csv', 'opml'] as const)('what %s carries', async (format) => {
  const file = await text(one, owner, format)
  if (format === 'csv') {
    expect(file.split('\r\n')).toHaveLength(5)
    return
  }
  const { records, feeds, refused } = parseExchangeText(file)
  expect(refused).toEqual([])
  if (format === 'opml')
    expect(feeds.map(({ url, folders }) => [url, folders])).toEqual([['https://all.example/feed', ['Kernel']]])
  else
    expect(
      records.map(({ url, title, tags, comment, private: p, readLater, createdAtS }) => [
        url,
        title,
        tags,
        comment,
        p,
        readLater,
        createdAtS,
      ]),
    ).toEqual([
      ['https://all.example/1', 'A & B <i>', ['net'], 'words', true, false, 1.7e9],
      ['https://all.example/2?q=%E3%81%82', '二', ['負荷分散'], '', false, true, 1.7e9 + 5],
      [`${ORIGIN}/articles/arp`, 'ARP', [], 'ours', false, false, 1.7e9 + 6],
    ])
})

test('a backup is the whole library, and goes only into an empty one', async () => {
  const path = join(folder, 'whole.backup')
  const counts = await backup(one, path)
  expect(counts['bookmarks']).toBe(4)
  await expect(restore(two, path)).rejects.toThrow(BackupError)
  const three = await openStore({})
  try {
    await restore(three, path)
    expect(await text(three, owner, 'kaidoku')).toBe(await text(one, owner, 'kaidoku'))
  } finally {
    await three.close()
  }
}, 60_000)

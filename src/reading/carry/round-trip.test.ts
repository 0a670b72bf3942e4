/** Every export that lists bookmarks, taken in by an empty library, is exported from there as the same file. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { beginImport, startJobs } from '#reading/jobs'
import { openStore, type Store } from '#reading/store'
import { type ExportFormat, exportOwn } from './index.ts'

let one: Store
let owner = 0

beforeAll(async () => {
  one = await openStore({})
  owner = (await one.people.createOwner('owner', 'Owner'))!.id
  const texts = ['A & B <i>"q"</i>', '二つめ 𠮟る', "=1+1, an apostrophe's", '-dash', '', 'x'.repeat(300)]
  for (const [i, title] of texts.entries()) {
    await one.bookmarks.save(
      owner,
      { url: `https://trip.example/${i}?q=あ&r=${i}#x` },
      {
        title,
        comment: i === 4 ? '' : `@words, "${i}" と <b>`,
        note: i % 2 === 0 ? `line one\nline two ${title.slice(0, 20)}`.trim() : '',
        tags: i === 3 ? [] : ['net', '負荷分散', `t${i}`],
        private: i % 3 === 0,
        readLater: i % 2 === 0,
        archived: i === 1,
        favourite: i === 2,
        createdAtMs: 1.7e12 + i * 1000,
      },
    )
  }
  await one.feeds.subscribe(owner, 'https://trip.example/feed', { folder: 'Kernel', title: 'A & B' })
}, 300_000)
afterAll(() => one.close())

async function text(store: Store, by: number, format: ExportFormat): Promise<string> {
  let all = ''
  for await (const piece of exportOwn(store, by, format, 'http://localhost:3000', 0)) all += piece
  // When it was changed last is when it was taken in.
  return all.replace(/ LAST_MODIFIED="\d+"|"updatedAtS":\d+,/gu, '')
}

test.each(['kaidoku', 'netscape', 'csv', 'opml'] as const)('%s', { timeout: 300_000 }, async (format) => {
  const file = await text(one, owner, format)
  const two = await openStore({})
  try {
    const there = (await two.people.createOwner('owner', 'Owner'))!.id
    const jobs = await startJobs(two, { periodic: false, fetchPages: false })
    const id = await beginImport(two, jobs.queue, there, {
      name: 'file',
      bytes: new TextEncoder().encode(file),
      private: false,
    })
    await expect.poll(async () => (await two.imports.find(there, id))!.state, { timeout: 120_000 }).toBe('done')
    await jobs.stop()
    expect(await two.imports.find(there, id)).toMatchObject({ refused: 0, added: format === 'opml' ? 0 : 6 })
    const lines = (all: string) => all.split('\n')
    expect(lines(await text(two, there, format))).toEqual(lines(file))
  } finally {
    await two.close()
  }
})

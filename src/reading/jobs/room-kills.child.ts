/**
 * What room-kills.test.ts starts and kills: a room that takes files in, fetches pages and is written to, all at once, and says
 * each thing that it has acknowledged. `FOLDER-OR-URL RUN PORT`; RUN `last`: works off what waits, and ends by itself.
 */
import { sql } from 'drizzle-orm'
import { openStore } from '#reading/store'
import { beginImport, startJobs } from './index.ts'

const [where = '', run = '0', port = '0'] = process.argv.slice(2)
const isServer = where.startsWith('postgres:')
const store = await openStore(isServer ? { url: where } : { folder: where })
const jobs = await startJobs(store, {
  periodic: false,
  fetchPages: false,
  allowPrivate: true,
  workers: 2,
  ...(isServer ? { url: where } : {}),
})
const by = ((await store.people.list())[0] ?? (await store.people.createOwner('owner', 'Owner')))!.id
const say = (...words: unknown[]) => process.stdout.write(`${words.join(' ')}\n`)
say('ready')

const unfinished = async () => (await store.imports.unfinished()).length
if (run === 'last') {
  const waiting = async () => {
    if (!isServer) return (await store.jobs.count()).waiting
    const { rows } = await store.db.execute<{ n: number }>(
      sql`select count(*)::int as n from pgboss.job where state in ('created', 'retry', 'active')`,
    )
    return rows[0]!.n
  }
  while ((await unfinished()) + (await waiting()) > 0) await new Promise((resolve) => setTimeout(resolve, 100))
  await jobs.stop()
  await store.close()
  say('end')
  process.exit(0)
}

async function importing() {
  for (let i = 0; ; i++) {
    // One at a time, over as many runs as it takes.
    while ((await unfinished()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    const lines = Array.from(
      { length: 700 },
      (_, n) => `File ${n},https://file.example/${run}/${i}/${n},1700000000,t${n % 7},unread`,
    )
    const text = `title,url,time_added,tags,status\n${lines.join('\n')}\nbad,nothing,1,,unread\n`
    await beginImport(store, jobs.queue, by, {
      name: `${run}-${i}.csv`,
      bytes: new TextEncoder().encode(text),
      private: true,
    })
    say('file', run, i)
  }
}

async function fetching() {
  for (let i = 0; ; i++) {
    const url = `http://127.0.0.1:${port}/page/${run}/${i}`
    const { entryId } = await store.bookmarks.save(by, { url }, {})
    await jobs.queue.add('fetch', { entryId, url }, { key: String(entryId) })
    say('page', run, i)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function writing() {
  for (let i = 0; ; i++) {
    const url = `https://written.example/${run}/${i}`
    if (i % 4 === 3) {
      const items = Array.from({ length: 20 }, (_, n) => ({
        url: `${url}/${n}`,
        title: `many ${n}`,
        tags: ['many', `t${n}`],
      }))
      await store.bookmarks.saveMany(by, items, {})
      say('many', run, i)
    } else {
      const { entryId } = await store.bookmarks.save(
        by,
        { url },
        { comment: `[kill][r${run}] 書いた ${i}`, title: `page ${i}` },
      )
      await store.highlights.add(by, entryId, { medium: 'text', quote: `marked ${run} ${i}` })
      say('one', run, i)
    }
  }
}

await Promise.all([importing(), fetching(), writing()])

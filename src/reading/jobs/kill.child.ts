/** What kill.test.ts starts and kills: a room that takes a file in. Arguments: the folder, and `begin` the first time. */
import { sql } from 'drizzle-orm'
import { openStore } from '#reading/store'
import { beginImport, startJobs } from './index.ts'

const [folder = '', begin] = process.argv.slice(2)
const store = await openStore({ folder })
const jobs = await startJobs(store, { periodic: false, fetchPages: false, workers: 1 })
if (begin === 'begin') {
  const { rows } = await store.db.execute<{ id: number }>(sql`
    insert into users (name, email, username, display_username, role) values ('a', 'a@localhost', 'a', 'a', 'owner') returning id`)
  const rest = Array.from(
    { length: 4000 },
    (_, i) => `Page ${i},https://kill.example/${i},${1_700_000_000 + i},t${i % 7},unread`,
  )
  const bytes = new TextEncoder().encode(
    `title,url,time_added,tags,status\n${rest.join('\n')}\nbad,nothing,1,,unread\n`,
  )
  await beginImport(store, jobs.queue, Number(rows[0]!.id), { name: 'pocket.csv', bytes, private: true })
}
process.stdout.write('ready\n')
for (let last = -1; ; ) {
  const { rows } = await store.db.execute<{ done: number; state: string }>(sql`select done, state from imports`)
  const { done, state } = rows[0]!
  if (done !== last) process.stdout.write(`done ${(last = done)}\n`)
  if (state === 'done') break
  await new Promise((resolve) => setTimeout(resolve, 20))
}
await jobs.stop()
await store.close()
process.stdout.write('end\n')

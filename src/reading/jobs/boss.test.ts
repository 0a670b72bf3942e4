/** The same queue on PostgreSQL, by pg-boss: where KAIDOKU_TEST_DATABASE_URL names a server, as CI does. */

import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from '#reading/store'
import { beginImport, createBossQueue, startJobs } from './index.ts'

const url = process.env['KAIDOKU_TEST_DATABASE_URL']

describe.skipIf(!url)('pg-boss', () => {
  let store: Store
  beforeAll(async () => {
    store = await openStore({ url: url! })
  })
  afterAll(() => store.close())

  test('jobs are done, put back, and tried again', async () => {
    const queue = createBossQueue(url!)
    const kind = `test${Date.now()}`
    const seen: unknown[] = []
    await queue.start({
      [kind]: async ({ payload }) => {
        seen.push(payload['n'])
        return payload['n'] === 1 ? { againAtMs: Date.now(), payload: { n: 2 } } : undefined
      },
    })
    await queue.add(kind, { n: 1 })
    await queue.idle()
    await queue.stop()
    expect(seen).toEqual([1, 2])
  })

  test('an import', async () => {
    const name = `boss${Date.now()}`
    const { rows } = await store.db.execute<{ id: number }>(sql`
      insert into users (name, email, username, display_username, role) values (${name}, ${`${name}@localhost`}, ${name}, ${name}, 'member') returning id`)
    const by = Number(rows[0]!.id)
    const jobs = await startJobs(store, { url: url!, periodic: false, fetchPages: false })
    const csv = `title,url,time_added,tags,status\n${Array.from({ length: 1200 }, (_, i) => `P${i},https://boss.example/${i},1700000000,a,unread`).join('\n')}\n`
    const id = await beginImport(store, jobs.queue, by, {
      name: 'pocket.csv',
      bytes: new TextEncoder().encode(csv),
      private: true,
    })
    await jobs.queue.idle()
    await jobs.stop()
    expect(await store.imports.find(by, id)).toMatchObject({ state: 'done', total: 1200, done: 1200, added: 1200 })
  })
})

/**
 * A process that writes is killed (SIGKILL) at random moments, again and again. What it said was written is there afterwards,
 * what it was writing is there wholly or not at all, and what is counted is right. KAIDOKU_KILLS=200 for as many.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { RandomStream } from '#base/sim'
import { openStore, type Store } from './index.ts'
import { hasPostgres, startPostgres } from './postgres.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
const KILLS = Number(process.env['KAIDOKU_KILLS'] ?? 4)

/** Lines that the child said before it was killed, `afterMs` after it was ready. */
function runAndKill(where: string, run: number, afterMs: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(HERE, 'kills-child.ts'), where, String(run)], {
      cwd: join(HERE, '../../..'),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    let mistakes = ''
    let armed = false
    child.stderr.on('data', (bytes) => {
      mistakes += bytes
    })
    child.stdout.on('data', (bytes) => {
      said += bytes
      if (armed || !said.includes('ready\n')) return
      armed = true
      setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.once('error', reject)
    child.once('close', () => {
      if (!armed) reject(new Error(`the writer ended by itself: ${mistakes.slice(0, 2000)}`))
      else
        resolve(
          said
            .split('\n')
            .slice(0, -1)
            .filter((line) => line !== 'ready'),
        ) // Of a last line without its end nothing is known.
    })
  })
}

async function audit(store: Store, acknowledged: readonly string[]): Promise<void> {
  const { rows } = await store.db.execute<{ key: string; tags: number; said: number; words: boolean }>(sql`
    select e.key, cardinality(b.tags) as said, (select count(*)::int from bookmark_tags t where t.bookmark_id = b.id) as tags,
      exists (select from entry_words w where w.entry_id = e.id) as words
    from entries e left join bookmarks b on b.entry_id = e.id`)
  const there = new Map(rows.map((row) => [row.key, row]))
  for (const row of rows) expect({ ...row, whole: row.words && row.said === row.tags }).toMatchObject({ whole: true })
  for (const line of acknowledged) {
    const [kind, run, i] = line.split(' ')
    const url = `https://killed.example/${run}/${i}`
    if (kind === 'one') expect(there.has(url), line).toBe(true)
    else for (let n = 0; n < 20; n++) expect(there.has(`${url}/${n}`), line).toBe(true)
  }
  // Of twenty that are written at once, all are there or none.
  const many = new Map<string, number>()
  for (const key of there.keys()) {
    const match = /^(.*\/\d+\/\d+)\/\d+$/u.exec(key)
    if (match) many.set(match[1]!, (many.get(match[1]!) ?? 0) + 1)
  }
  for (const [url, count] of many) expect({ url, count }).toEqual({ url, count: 20 })
  const counts = () =>
    store.db.execute(sql`
    select (select sum(users)::int from entries) as users, (select json_agg(entries order by id) from sites) as sites,
      (select json_agg(json_build_array(keyword_id, entries) order by keyword_id) from keyword_counts where entries <> 0) as keywords`)
  const before = (await counts()).rows
  await store.recount()
  expect((await counts()).rows).toEqual(before)
}

describe(`a writer that is killed ${KILLS} times`, () => {
  test('PGlite in a folder', { timeout: 60_000 + KILLS * 30_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kaidoku-kills-'))
    const random = new RandomStream(1, 'kills/pglite')
    const acknowledged: string[] = []
    for (let run = 0; run < KILLS; run++) acknowledged.push(...(await runAndKill(folder, run, 50 + random.below(1500))))
    const store = await openStore({ folder })
    await audit(store, acknowledged)
    expect(acknowledged.length).toBeGreaterThan(0)
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test.skipIf(!hasPostgres)(
    'PostgreSQL, itself killed now and then',
    { timeout: 60_000 + KILLS * 30_000 },
    async () => {
      const server = await startPostgres()
      const random = new RandomStream(1, 'kills/postgresql')
      try {
        const acknowledged: string[] = []
        for (let run = 0; run < KILLS; run++) {
          acknowledged.push(...(await runAndKill(server.url, run, 50 + random.below(1500))))
          if (run % 3 === 2) server.restart()
        }
        const store = await openStore({ url: server.url })
        await audit(store, acknowledged)
        expect(acknowledged.length).toBeGreaterThan(0)
        await store.close()
      } finally {
        server.stop()
      }
    },
  )
})

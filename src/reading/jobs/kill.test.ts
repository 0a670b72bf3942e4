/** A room killed (-9) again and again while it takes a file in: what it said is done is there, and nothing is there twice. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { openStore } from '#reading/store'

const CHILD = fileURLToPath(new URL('kill.child.ts', import.meta.url))
const KILLS = Number(process.env['KAIDOKU_KILLS'] ?? 3)

/** Runs the room; kills it some milliseconds after it said that it is further than before. What it last said. */
function run(
  folder: string,
  begin: boolean,
  killAfterMs: number | undefined,
  beyond: number,
): Promise<{ done: number; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, folder, ...(begin ? ['begin'] : [])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let done = 0
    let ended = false
    let dying = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      for (const [, number] of text.matchAll(/done (\d+)/gu)) done = Number(number)
      if (text.includes('end\n')) ended = true
      if (killAfterMs !== undefined && !dying && (done > beyond || /ready/u.test(text))) {
        dying = true
        setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      }
    })
    child.on('error', reject)
    child.on('exit', () => resolve({ done, ended }))
  })
}

test(`${KILLS} kills`, { timeout: 60_000 + KILLS * 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kaidoku-kill-'))
  try {
    let said = 0
    for (let i = 0; i < KILLS; i++) {
      const { done, ended } = await run(folder, i === 0, 200 + ((i * 977) % 2500), said)
      // What was said before is never taken back.
      if (done > 0) expect(done).toBeGreaterThanOrEqual(said)
      said = Math.max(said, done)
      if (ended) break
    }
    expect((await run(folder, false, undefined, 0)).ended).toBe(true)
    const store = await openStore({ folder })
    const { rows } = await store.db.execute(
      sql`select state, total, done, added, merged, refused, jsonb_array_length(report) as listed from imports`,
    )
    expect(rows).toEqual([{ state: 'done', total: 4001, done: 4001, added: 4000, merged: 0, refused: 1, listed: 1 }])
    const { rows: kept } = await store.db.execute(
      sql`select count(*)::int as n, count(distinct entry_id)::int as d from bookmarks`,
    )
    expect(kept).toEqual([{ n: 4000, d: 4000 }])
    await store.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

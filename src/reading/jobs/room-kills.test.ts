/**
 * A room killed (SIGKILL) at random moments while it takes files in, fetches pages and is written to. What it acknowledged
 * is there or is done in the end, once; nothing is half there; what is counted is right. `npm run kills -- 200` for as many.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { build } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RandomStream } from '#base/sim'
import { hasPostgres, openStore, type Store, startPostgres } from '#reading/store'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** The room in one file, so that a start is the database's and not the compiler's. */
const CHILD = join(ROOT, `node_modules/.cache/kaidoku-room-kills-${process.pid}.mjs`)
const KILLS = Number(process.env['KAIDOKU_KILLS'] ?? 1)
const LIMIT_MS = 120_000 + KILLS * 60_000

let server: Server
let port = 0
beforeAll(async () => {
  await build({
    input: fileURLToPath(new URL('room-kills.child.ts', import.meta.url)),
    platform: 'node',
    external: /^[^.#/]/u,
    output: { file: CHILD, format: 'esm', codeSplitting: false },
    logLevel: 'warn',
  })
  server = createServer((request, response) => {
    const picture = /^\/picture\/(\d+)\/(\d+)\.png$/u.exec(request.url!)
    const page = /^\/page\/(.+)$/u.exec(request.url!)?.[1]
    if (picture) response.writeHead(200, { 'content-type': 'image/png' }).end(pngOf(+picture[1]!, +picture[2]!))
    else if (page) response.writeHead(200, { 'content-type': 'text/html' }).end(pageOf(page))
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.close()
  rmSync(CHILD, { force: true })
})

const pageOf = (name: string) =>
  `<html lang="en"><head><title>Page ${name}</title></head><body><article><h1>Page ${name}</h1>${'<p>Packets, many of them, arrive and are forwarded, one by one, as they were sent by somebody.</p>'.repeat(4)}<p><img src="/picture/${name}.png" alt="picture"></p><pre>$ ip link\n${name}\n</pre></article></body></html>`

/** A grey picture that is another for each page. */
function pngOf(run: number, i: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    return Buffer.concat([length, Buffer.from(type, 'latin1'), data, Buffer.alloc(4)]) // Nobody looks at its CRC.
  }
  const head = Buffer.from([0, 0, 0, 64, 0, 0, 0, 64, 8, 0, 0, 0, 0])
  const rows = Buffer.alloc(64 * 65)
  rows.writeUInt32BE(run, 1)
  rows.writeUInt32BE(i, 5)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Whole lines that a room said until it was killed, so long after it was ready; or until it ended. */
function runRoom(where: string, run: string, afterMs: number | undefined): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, where, run, String(port)], {
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
      if (armed || afterMs === undefined || !said.includes('ready\n')) return
      armed = true
      setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.once('error', reject)
    child.once('close', (status, signal) => {
      if (afterMs === undefined ? status !== 0 : signal !== 'SIGKILL')
        reject(new Error(`run ${run} ended by itself (${status}): ${mistakes.slice(0, 3000)}`))
      else resolve(said.split('\n').slice(0, -1)) // Of a last line without its end nothing is known.
    })
  })
}

async function audit(store: Store, said: readonly string[]): Promise<Record<string, number>> {
  const { rows } = await store.db.execute<{
    key: string
    title: string
    words: boolean
    bookmarks: number
    tags: number
    tagged: number
    versions: number
    pictures: number
    marks: number
  }>(sql`
    select e.key, e.title, exists (select from entry_words w where w.entry_id = e.id) as words,
      (select count(*)::int from bookmarks b where b.entry_id = e.id) as bookmarks,
      (select coalesce(sum(cardinality(b.tags)), 0)::int from bookmarks b where b.entry_id = e.id) as tags,
      (select count(*)::int from bookmark_tags t where t.entry_id = e.id) as tagged,
      (select count(*)::int from page_versions p where p.entry_id = e.id) as versions,
      (select count(*)::int from page_versions p join page_images i on i.version_id = p.id join images m on m.hash = i.hash
        where p.entry_id = e.id and p.url = e.key) as pictures,
      (select count(*)::int from highlights h where h.entry_id = e.id) as marks
    from entries e`)
  const there = new Map(rows.map((row) => [row.key, row]))
  const problems: string[] = []
  const must = (good: unknown, what: string) => void (good || problems.push(what))
  for (const row of rows) {
    must(row.words && row.bookmarks === 1 && row.tags === row.tagged, `half there: ${JSON.stringify(row)}`)
    must(
      row.versions === 0 || (row.versions === 1 && row.pictures === 1 && row.title),
      `a half page: ${JSON.stringify(row)}`,
    )
    must(row.marks <= 1, `marked twice: ${row.key}`)
  }
  const counts: Record<string, number> = {}
  const imports = new Map<string, string>()
  for (const line of said) {
    const [kind = '', run, i] = line.split(' ')
    if (kind === 'ready') continue
    counts[kind] = (counts[kind] ?? 0) + 1
    const url = `https://written.example/${run}/${i}`
    if (kind === 'one') must(there.get(url)?.marks === 1, `lost: ${line}`)
    else if (kind === 'many') for (let n = 0; n < 20; n++) must(there.has(`${url}/${n}`), `lost: ${line} ${n}`)
    else if (kind === 'page')
      must(there.get(`http://127.0.0.1:${port}/page/${run}/${i}`)?.versions === 1, `not fetched: ${line}`)
    else if (kind === 'file') imports.set(`${run}-${i}.csv`, `https://file.example/${run}/${i}/`)
  }
  const { rows: ended } = await store.db.execute<Record<string, unknown>>(sql`
    select file_name, state, total, done, added, merged, refused, jsonb_array_length(report) as listed from imports`)
  const whole = { state: 'done', total: 701, done: 701, added: 700, merged: 0, refused: 1, listed: 1 }
  for (const { file_name: name, ...row } of ended) {
    must(JSON.stringify(row) === JSON.stringify(whole), `an import: ${name} ${JSON.stringify(row)}`)
    const base = `https://file.example/${String(name).replace('.csv', '').replace('-', '/')}/`
    for (let n = 0; n < 700; n++) must(there.has(base + n), `lost of a file: ${base}${n}`)
    imports.delete(String(name))
  }
  must(imports.size === 0, `files that are gone: ${[...imports.keys()].join()}`)
  // Of twenty that are written at once, all are there or none.
  const many = new Map<string, number>()
  for (const key of there.keys()) {
    const group = /^(https:\/\/written\.example\/\d+\/\d+)\/\d+$/u.exec(key)?.[1]
    if (group) many.set(group, (many.get(group) ?? 0) + 1)
  }
  for (const [group, count] of many) must(count === 20, `of twenty: ${group} ${count}`)
  expect(problems.slice(0, 20)).toEqual([])
  const counted = async () =>
    (
      await store.db.execute(sql`
        select (select sum(users)::int from entries) as users, (select json_agg(entries order by id) from sites) as sites,
          (select json_agg(json_build_array(keyword_id, entries) order by keyword_id) from keyword_counts where entries <> 0) as keywords`)
    ).rows
  const before = await counted()
  await store.recount()
  expect(await counted()).toEqual(before)
  return counts
}

async function killAndAudit(where: string, stream: string, between: (run: number) => Promise<void> = async () => {}) {
  const random = new RandomStream(1, stream)
  const said: string[] = []
  for (let run = 0; run < KILLS; run++) {
    said.push(...(await runRoom(where, String(run), 50 + random.below(2000))))
    await between(run)
  }
  return {
    said,
    async end(options: { folder: string } | { url: string }) {
      expect(await runRoom(where, 'last', undefined)).toContain('end')
      const store = await openStore(options)
      try {
        const counts = await audit(store, said)
        console.log(`${stream}: ${KILLS} kills, acknowledged ${JSON.stringify(counts)}, none lost, none half there`)
      } finally {
        await store.close()
      }
    },
  }
}

describe(`a room that is killed ${KILLS} times`, () => {
  test('PGlite in a folder', { timeout: LIMIT_MS }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kaidoku-room-kills-'))
    try {
      await (await killAndAudit(folder, 'room-kills/pglite')).end({ folder })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test.skipIf(!hasPostgres)('PostgreSQL, itself killed now and then', { timeout: LIMIT_MS }, async () => {
    const postgres = await startPostgres()
    try {
      const { end } = await killAndAudit(postgres.url, 'room-kills/postgresql', async (run) => {
        if (run % 5 === 0) postgres.restart()
      })
      // Ten minutes go by: pg-boss gives what was in hand to somebody else.
      const store = await openStore({ url: postgres.url })
      await store.db.execute(sql`
        update pgboss.job set state = 'retry', start_after = now() where state in ('active', 'retry')`)
      await store.close()
      await end({ url: postgres.url })
    } finally {
      postgres.stop()
    }
  })
})

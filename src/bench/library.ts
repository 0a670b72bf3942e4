/**
 * The reading room's pages at twenty requests at a time, on PGlite in a folder and on a PostgreSQL of Debian's that is begun
 * for it in a folder of its own. One JSON line for each store and page; the library is made by a seeded generator.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasPostgres, openStore, type Store, startPostgres } from '#reading/store'
import { generateLibrary, type LibrarySize } from './library-generator.ts'

const AT_ONCE = 20

interface Page {
  name: string
  /** Opens one; `turn` varies what is asked for, `draw` chooses among the generated. */
  open(store: Store, turn: number): Promise<unknown>
}

/** Runs the workload; prints a line for each page, and gives what it was measured on. */
export async function libraryBench(options: Record<string, string>): Promise<object> {
  const size: LibrarySize = {
    entries: Number(options['entries'] ?? 100_000),
    bookmarks: Number(options['bookmarks'] ?? 1_000_000),
    users: Number(options['users'] ?? 2000),
    seed: Number(options['seed'] ?? 1),
  }
  const requests = Number(options['requests'] ?? 400)
  const imported = Number(options['import'] ?? Math.min(size.entries, 100_000))
  const wanted = (options['store'] ?? 'postgresql,pglite').split(',')
  for (const name of wanted) {
    if (name === 'pglite') {
      const folder = mkdtempSync(join(tmpdir(), 'kaidoku-bench-'))
      try {
        await measure('pglite', { folder }, size, requests, imported)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    } else {
      if (!hasPostgres) {
        console.error('bench: no PostgreSQL here (Debian: apt-get install postgresql), or not root to begin one')
        continue
      }
      const server = await startPostgres()
      try {
        await measure('postgresql', { url: server.url }, size, requests, imported)
      } finally {
        server.stop()
      }
    }
  }
  return { ...size, requests, at_once: AT_ONCE, peak_kb: process.resourceUsage().maxRSS }
}

async function measure(
  name: string,
  where: object,
  size: LibrarySize,
  requests: number,
  imported: number,
): Promise<void> {
  let queries = 0
  const store = await openStore({ ...where, onQuery: () => queries++ })
  const began = performance.now()
  const made = await generateLibrary(store, size)
  console.log(
    JSON.stringify({
      bench: 'library',
      store: name,
      step: 'build',
      seconds: Math.round((performance.now() - began) / 100) / 10,
      ...made.counts,
    }),
  )
  for (const page of pagesOf(made)) {
    // Connections, plans and caches as a server that has run for a while has them.
    for (let i = 0; i < AT_ONCE; i++) await page.open(store, 100_000 + i)
    queries = 0
    const times: number[] = []
    let next = 0
    const worker = async () => {
      while (next < requests) {
        const turn = next++
        const start = performance.now()
        await page.open(store, turn)
        times.push(performance.now() - start)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    console.log(
      JSON.stringify({
        bench: 'library',
        store: name,
        page: page.name,
        p50_ms: quantile(times, 0.5),
        p95_ms: quantile(times, 0.95),
        queries: Math.round((queries / requests) * 100) / 100,
      }),
    )
  }
  if (imported > 0) await measureImport(store, name, imported, () => queries)
  await store.close()
}

/** Another hundred thousand bookmarks, for one user, as an import brings them. */
async function measureImport(store: Store, name: string, count: number, queries: () => number): Promise<void> {
  const owner = (await store.people.list())[0]!.id
  const chunks: number[] = []
  const start = performance.now()
  const before = queries()
  for (let at = 0; at < count; at += 500) {
    const items = Array.from({ length: Math.min(500, count - at) }, (_, i) => {
      const n = at + i
      return {
        url: `https://import${n % 997}.example/${n}`,
        title: n % 2 ? `取り込んだ頁 ${n} の冗長化` : `Imported page ${n} about routing`,
        tags: [`tag${n % 50}`, n % 2 ? '取込' : 'imported'],
        comment: n % 5 === 0 ? 'あとで読む' : '',
        createdAtMs: Date.UTC(2020, 0) + n * 60_000,
      }
    })
    const chunk = performance.now()
    await store.bookmarks.saveMany(owner, items, {})
    chunks.push(performance.now() - chunk)
  }
  const seconds = Math.round((performance.now() - start) / 100) / 10
  console.log(
    JSON.stringify({
      bench: 'library',
      store: name,
      page: 'import',
      p50_ms: quantile(chunks, 0.5),
      p95_ms: quantile(chunks, 0.95),
      queries: Math.round(((queries() - before) / chunks.length) * 100) / 100,
      bookmarks: count,
      seconds,
      peak_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    }),
  )
}

function quantile(times: number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! * 10) / 10
}

function pagesOf(made: Awaited<ReturnType<typeof generateLibrary>>): Page[] {
  const { sites, keywords, users, words, viewer } = made
  const pick = <T>(list: readonly T[], turn: number) => list[(turn * 7919) % list.length]!
  const base = { lang: 'ja', limit: 40, viewer }
  return [
    { name: 'list', open: (store) => store.list(base) },
    { name: 'list-popular', open: (store) => store.list({ ...base, order: 'popular' }) },
    { name: 'list-hot', open: (store) => store.list({ ...base, order: 'hot' }) },
    {
      name: 'list-next',
      async open(store, turn) {
        const at = Date.UTC(2022, 0) + (turn % 1000) * 86_400_000
        return store.list({ ...base, cursor: `older-${at}-1` })
      },
    },
    { name: 'site', open: (store, turn) => store.list({ ...base, site: pick(sites, turn) }) },
    { name: 'site-popular', open: (store, turn) => store.list({ ...base, site: pick(sites, turn), order: 'popular' }) },
    { name: 'keyword', open: (store, turn) => store.list({ ...base, keyword: pick(keywords, turn) }) },
    {
      name: 'keyword-popular',
      open: (store, turn) => store.list({ ...base, keyword: pick(keywords, turn), order: 'popular' }),
    },
    {
      name: 'keywords-two',
      open: (store, turn) => store.list({ ...base, keyword: [pick(keywords, turn), pick(keywords, turn + 1)] }),
    },
    { name: 'user', open: (store, turn) => store.list({ ...base, user: pick(users, turn) }) },
    {
      name: 'entry',
      open: (store, turn) =>
        store.comments.list({ entryId: 1 + ((turn * 31) % made.counts.entries), viewer, limit: 50 }),
    },
    { name: 'keyword-index', open: (store) => store.keywords.starting('', 100) },
    { name: 'trending', open: (store) => store.keywords.trending(1, made.lastMs) },
    { name: 'search', open: (store, turn) => store.search({ text: pick(words, turn), lang: 'ja', viewer, limit: 20 }) },
    {
      name: 'search-two',
      open: (store, turn) =>
        store.search({ text: `${pick(words, turn)} ${pick(words, turn + 3)}`, lang: 'ja', viewer, limit: 20 }),
    },
    {
      name: 'search-site',
      open: (store, turn) =>
        store.search({ text: `${pick(words, turn)} site:${pick(sites, turn)}`, lang: 'ja', viewer, limit: 20 }),
    },
  ]
}

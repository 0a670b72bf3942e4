/**
 * What is private is in nothing that others see: a room in which users also keep private bookmarks looks, to somebody else,
 * like the same room without them, byte for byte: lists, counts, comments, keywords, sites, profiles, search, what is trending.
 */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RandomStream } from '#base/sim'
import { openStore, type Store } from './index.ts'
import { computeTrending } from './keywords.ts'
import { hasPostgres, startPostgres, type TemporaryServer } from './postgres.ts'

const WORDS = ['ルータ', 'kernel', '冗長化', 'lvs', 'arp', '検索']
const T0 = Date.UTC(2026, 0)
const STEPS = 60

/** Numbers of rows tell how many there were before, whoever's they were: they aren't compared. */
const masked = (value: unknown) =>
  JSON.stringify(value ?? null, (key, each) => (key === 'id' || key === 'entryId' ? undefined : each)).replaceAll(
    /(older|newer)-([\d.]+)-\d+/g,
    '$1-$2',
  )

async function look(store: Store, viewer: number | undefined): Promise<string[]> {
  const by = viewer === undefined ? {} : { viewer }
  const base = { lang: 'ja', limit: 100, ...by }
  const seen: unknown[] = []
  for (const order of ['new', 'popular', 'hot'] as const) {
    const page = await store.list({ ...base, order })
    // Of equal ones, which came first is told by their numbers.
    seen.push(order === 'new' ? page : page.entries.map((entry) => masked(entry)).sort())
  }
  seen.push(await store.facets('ja'))
  for (const user of ['one', 'two', 'three']) {
    seen.push(
      await store.list({ ...base, user }),
      await store.bookmarks.profile(user, viewer),
      await store.bookmarks.tags(user, viewer),
    )
  }
  for (const word of WORDS) {
    seen.push(
      (await store.list({ ...base, keyword: word })).entries,
      (await store.list({ ...base, tag: word })).entries,
    )
    seen.push(await store.keywords.count(word))
    const found = await store.search({ text: word, lang: 'ja', limit: 100, ...by })
    seen.push(found.entries.map((entry) => masked(entry)).sort())
    seen.push(
      (await store.search({ text: `tag:${word} OR user:two`, lang: 'ja', limit: 100, ...by })).entries
        .map((entry) => masked(entry))
        .sort(),
    )
  }
  for (let page = 0; page < 8; page++) {
    const url = `https://p${page % 3}.example/${page}`
    const entry = await store.entries.find({ url }, 'ja', viewer)
    seen.push(entry, await store.entries.countUsers([url]), await store.entries.site(`p${page % 3}.example`, viewer))
    if (entry) seen.push(await store.comments.list({ entryId: entry.id, which: 'all', limit: 100, ...by }))
  }
  seen.push(await computeTrending(store.db, 10, T0 + STEPS * 3_600_000))
  seen.push(await store.keywords.starting('', 100))
  return seen.map(masked)
}

interface Step {
  user: number
  page: number
  private: boolean
  comment: string
  tags: string[]
  title: string
  remove: boolean
}

/** Each user keeps a page either publicly or privately, all along: the first room has both kinds, the second only the one. */
function stepsOf(seed: number): Step[] {
  const random = new RandomStream(seed, 'privacy')
  const word = () => WORDS[random.below(WORDS.length)]!
  return Array.from({ length: STEPS }, () => {
    const user = random.below(3)
    const page = random.below(8)
    return {
      user,
      page,
      private: (user * 5 + page * 3 + seed) % 4 < 2,
      comment: random.below(2) ? `${word()} ${word()}` : '',
      tags: random.below(2) ? [word()] : [],
      title: random.below(3) === 0 ? `${word()} の頁` : '',
      remove: random.below(6) === 0,
    }
  })
}

async function play(store: Store, seed: number, withPrivate: boolean): Promise<number> {
  await store.db.execute(sql.raw('truncate users, entries, sites, keywords, keyword_counts restart identity cascade'))
  const { rows } = await store.db.execute<{ id: number }>(sql`
    insert into users (name, email, username, role, created_at)
    select n, n || '@example.com', n, 'member', '2026-01-01' from unnest(array['one', 'two', 'three', 'looker']) n returning id`)
  const ids = rows.map((row) => Number(row.id))
  for (const [i, step] of stepsOf(seed).entries()) {
    if (step.private && !withPrivate) continue
    const by = ids[step.user]!
    const url = `https://p${step.page % 3}.example/${step.page}`
    if (step.remove) {
      const entry = await store.entries.find({ url }, 'ja', by)
      if (entry?.mine) await store.bookmarks.remove(by, [entry.mine.id])
      continue
    }
    const { comment, tags, title } = step
    await store.bookmarks.save(by, { url }, { comment, tags, title, private: step.private }, T0 + i * 3_600_000)
  }
  return ids[3]!
}

const STORES: ('pglite' | 'postgresql')[] = hasPostgres ? ['pglite', 'postgresql'] : ['pglite']
if (!hasPostgres) console.warn('reading/store: no PostgreSQL here, tested on PGlite alone')

describe.each(STORES)('%s', (engine) => {
  let store: Store
  let server: TemporaryServer | undefined
  beforeAll(async () => {
    server = engine === 'postgresql' ? await startPostgres() : undefined
    store = await openStore(server ? { url: server.url } : {})
  })
  afterAll(async () => {
    await store?.close()
    server?.stop()
  })

  test.each([1, 2])('private bookmarks leave no trace (seed %i)', async (seed) => {
    const looker = await play(store, seed, true)
    const withPrivate = { nobody: await look(store, undefined), somebody: await look(store, looker) }
    const counted = await counts(store)
    await store.recount()
    expect(await counts(store)).toEqual(counted)
    const again = await play(store, seed, false)
    expect(withPrivate.nobody).toEqual(await look(store, undefined))
    expect(withPrivate.somebody).toEqual(await look(store, again))
  })
})

/** What the triggers keep, to be held against counting anew. */
async function counts(store: Store): Promise<unknown> {
  const { rows } = await store.db.execute(sql`
    select (select json_agg(json_build_array(id, users, comments, stars, listed_at, keywords) order by id) from entries) as entries,
      (select json_agg(json_build_array(entry_id, keyword_id, taggers, listed, listed_at, users) order by entry_id, keyword_id) from entry_keywords) as keywords,
      (select json_agg(json_build_array(keyword_id, medium, entries) order by keyword_id, medium) from keyword_counts where entries <> 0) as counts,
      (select json_agg(json_build_array(id, entries) order by id) from sites) as sites`)
  return rows
}

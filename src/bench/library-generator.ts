/**
 * A library like one that thousands have used for years: few pages that very many have, many that few have; half Japanese, half
 * English. Rows are written in bulk, without triggers and indexes, which are made afterwards; then all is counted.
 */
import { sql } from 'drizzle-orm'
import { RandomStream } from '#base/sim'
import { tokensOf } from '#reading/search'
import { type Store, writeManyWords } from '#reading/store'

export interface LibrarySize {
  entries: number
  bookmarks: number
  users: number
  seed: number
}

export interface MadeLibrary {
  sites: string[]
  keywords: string[]
  users: string[]
  /** To search for: frequent and rare, of one, two and more characters, in both languages. */
  words: string[]
  viewer: number
  lastMs: number
  counts: { entries: number; bookmarks: number; tags: number; comments: number }
}

const ENGLISH =
  'linux kernel packet network address router switch server client cache memory thread process scheduler latency throughput database index query transaction replication failover cluster container namespace firewall tunnel protocol socket timer interrupt driver module filesystem storage volume snapshot backup monitoring tracing profiling debugging compiler parser grammar type inference browser rendering layout typography security certificate encryption signature token session password authentication'.split(
    ' ',
  )
const JAPANESE =
  '冗長化 負荷分散 仮想化 経路 通信 規約 記憶 領域 割り込み 予約 処理 並列 分散 合意 複製 障害 検知 復旧 監視 計測 最適化 設計 実装 検証 試験 運用 構築 設定 手順 入門 解説 比較 考察 事例 基礎 応用 暗号 認証 権限 脆弱性 対策 証明書 署名 端末 文字 符号 書体 組版 検索 索引 形態素 解析 圧縮 転送 同期 非同期 排他 制御 性能 遅延 帯域 サーバ ネットワーク カーネル スケジューラ キャッシュ データベース コンテナ ルータ パケット ブラウザ'.split(
    ' ',
  )
const GLUE = ['の', 'と', 'を', 'における', 'について', 'による', 'から']

/** Fills an empty store. */
export async function generateLibrary(store: Store, size: LibrarySize): Promise<MadeLibrary> {
  const random = new RandomStream(size.seed, 'bench/library')
  const run = (text: string) => store.db.execute(sql.raw(text))
  const sites = Array.from({ length: Math.max(20, Math.round(size.entries / 30)) }, (_, i) =>
    i % 2 ? `site${i}.example.jp` : `site${i}.example.com`,
  )
  const keywords = [...ENGLISH, ...JAPANESE, ...Array.from({ length: 200 }, (_, i) => `topic ${i}`)]
  const skewed = (n: number, power: number) => Math.min(n - 1, Math.floor(n * random.fraction() ** power))
  await run(`insert into users (name, email, username, role)
    select 'User ' || i, 'u' || i || '@example.com', 'user' || i, case when i = 1 then 'owner' else 'member' end from generate_series(1, ${size.users}) i`)
  await run(`insert into sites (host) select jsonb_array_elements_text('${JSON.stringify(sites)}'::jsonb)`)
  await run(
    `insert into keywords (folded, name) select k, k from jsonb_array_elements_text('${JSON.stringify(keywords)}'::jsonb) k`,
  )
  const indexes = await dropIndexes(store)
  const rare = Array.from(
    { length: 2000 },
    (_, i) => `${ENGLISH[i % ENGLISH.length]!.slice(0, 4)}${(i * 7919) % 10_007}`,
  )
  const phrase = (japanese: boolean, length: number) => {
    let text = ''
    for (let i = 0; i < length; i++) {
      if (random.below(40) === 0) text += ` ${rare[random.below(rare.length)]} `
      else if (japanese) text += JAPANESE[skewed(JAPANESE.length, 1.7)]! + GLUE[random.below(GLUE.length)]!
      else text += `${ENGLISH[skewed(ENGLISH.length, 1.7)]!} `
    }
    return text.trim()
  }
  const CHUNK = 1000
  for (let at = 0; at < size.entries; at += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, size.entries - at) }, (_, i) => {
      const japanese = random.below(2) === 0
      const site = skewed(sites.length, 2)
      return {
        id: at + i + 1,
        key: `https://${sites[site]}/${at + i}`,
        site_id: site + 1,
        site: sites[site]!,
        title: phrase(japanese, 3 + random.below(5)),
        excerpt: phrase(japanese, japanese ? 45 : 55).slice(0, 400),
        lang: japanese ? 'ja' : 'en',
        medium: ['article', 'article', 'presentation', 'research', 'other', 'other'][random.below(6)]!,
      }
    })
    await store.db.execute(sql`
      insert into entries (id, kind, key, site_id, site, title, excerpt, lang, medium, added_at, reading_minutes)
      select id, 'bookmark', key, site_id, site, title, excerpt, lang, medium, '2020-01-01', 3
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r
        (id bigint, key text, site_id bigint, site text, title text, excerpt text, lang text, medium text)`)
    await writeManyWords(
      store.db,
      rows.map((row) => ({
        id: row.id,
        titles: [row.title],
        keywords: [],
        body: row.excerpt,
        commands: [],
        outputs: [],
        site: row.site,
        author: '',
        key: row.key,
        said: '',
        owners: [],
      })),
    )
  }
  await run(`select setval(pg_get_serial_sequence('entries', 'id'), ${size.entries})`)
  const comments = Array.from({ length: 60 }, (_, i) => phrase(i % 2 === 0, 5).slice(0, 80))
  const said = comments.map((comment) => ({ comment, tokens: [...tokensOf(comment)] }))
  // Chance is a digest of the row's number: the same in either engine. A tenth of them is private.
  const die = (name: string) =>
    `(('x' || substr(md5('${size.seed}${name}' || i), 1, 7))::bit(28)::int / 268435456.0::float8)`
  const STEP = 100_000
  for (let at = 0; at < size.bookmarks; at += STEP) {
    await run(`
      insert into bookmarks (user_id, entry_id, private, comment, tags, read_later, favourite, created_at, words)
      select u, e, p < 0.1, case when c is null then '' else s.comment end,
        case when g < 0.4 then array[k.name] else '{}'::text[] end, l < 0.1, l > 0.97, at,
        case when c is not null then array_to_tsvector(s.tokens || array['~' || u]) end
      from (
        select i, 1 + floor(${size.users} * power(${die('u')}, 1.3))::int as u, 1 + floor(${size.entries} * power(${die('e')}, 1.8))::int as e,
          ${die('p')} as p, ${die('g')} as g, ${die('l')} as l,
          case when ${die('c')} < 0.2 then 1 + floor(${comments.length} * ${die('w')})::int end as c,
          1 + floor(${keywords.length} * power(${die('k')}, 2))::int as kw,
          timestamptz '2020-01-01' + ${die('t')} * interval '6 years' as at
        from generate_series(${at + 1}, ${Math.min(size.bookmarks, at + STEP)}) i) r
      join keywords k on k.id = r.kw
      left join (select row_number() over () as n, v ->> 'comment' as comment, array(select jsonb_array_elements_text(v -> 'tokens')) as tokens
        from jsonb_array_elements('${JSON.stringify(said)}'::jsonb) v) s on s.n = r.c
      on conflict (user_id, entry_id) do nothing`)
  }
  await run(`insert into bookmark_tags (bookmark_id, keyword_id, place, user_id, entry_id, created_at, shown)
    select b.id, k.id, 1, b.user_id, b.entry_id, b.created_at, b.shown from bookmarks b join keywords k on k.folded = b.tags[1] where b.tags <> '{}'`)
  for (const index of indexes) await run(index)
  await store.recount()
  await run('vacuum analyze')
  const { rows } = await store.db.execute<MadeLibrary['counts'] & { last: number }>(sql`
    select (select count(*)::int from entries) as entries, (select count(*)::int from bookmarks) as bookmarks,
      (select count(*)::int from bookmark_tags) as tags, (select count(*)::int from bookmarks where comment <> '') as comments,
      (select (extract(epoch from max(created_at)) * 1000)::float8 from bookmarks) as last`)
  const { last, ...counts } = rows[0]!
  return {
    sites: sites.slice(0, 60),
    keywords: keywords.slice(0, 80),
    users: Array.from({ length: 60 }, (_, i) => `user${1 + i * 13}`),
    words: [
      'linux',
      '冗長化',
      '冗',
      '検索',
      'kernel packet',
      'ルータ',
      'サーバ',
      'ｻｰﾊﾞ',
      '経',
      'router',
      'latency',
      '"負荷分散"',
      ...rare.slice(0, 12),
      'authentication',
      '証明書',
      '非同期',
      'to',
      'typography',
    ],
    viewer: 7,
    lastMs: last,
    counts,
  }
}

/** Drops what a bulk load would pay for row by row; gives the statements that make it again. Triggers stay off until then. */
async function dropIndexes(store: Store): Promise<string[]> {
  const { rows } = await store.db.execute<{ name: string; definition: string }>(sql`
    select indexname as name, indexdef as definition from pg_indexes i
    where schemaname = 'public' and tablename in ('bookmarks', 'bookmark_tags', 'entries', 'entry_keywords', 'entry_words')
      and not exists (select from pg_constraint c where c.conname = i.indexname) and indexdef not like 'CREATE UNIQUE%'`)
  for (const { name } of rows) await store.db.execute(sql.raw(`drop index ${name}`))
  for (const table of ['bookmarks', 'bookmark_tags', 'entries', 'entry_keywords']) {
    await store.db.execute(sql.raw(`alter table ${table} disable trigger user`))
  }
  return rows.map((row) => row.definition)
}

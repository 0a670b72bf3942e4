/**
 * Search: a title that is the query first, then titles that have all of its words, then whatever else has them; within each
 * what more users have. The index's lexemes give candidates, and where they can't tell that a phrase stands together, the
 * folded text is looked at. Best first and bounded: of a common word the second step isn't taken if titles fill the page.
 */
import { type SQL, sql } from 'drizzle-orm'
import { foldKeyword, formatCursor, type ListedEntry, parseCursor } from '#reading/library'
import {
  fold,
  type LitPiece,
  lightUp,
  litExcerpt,
  needsLook,
  parseQuery,
  type QueryNode,
  type QueryNote,
  queryTokens,
  wantedTexts,
} from '#reading/search'
import type { Database } from './database.ts'
import { hidden } from './list.ts'
import { type EntryRow, entryColumns, mineJoin, toEntry } from './rows.ts'
import { plain } from './sql.ts'
import { SCOPE } from './words.ts'

export interface SearchQuery {
  /** As it was typed. */
  text: string
  lang: string
  viewer?: number
  cursor?: string
  limit: number
}

export interface SearchResult extends ListedEntry {
  /** The title and a passage, with what was found. */
  litTitle: LitPiece[]
  litExcerpt: LitPiece[]
}

export interface SearchPage {
  entries: SearchResult[]
  older: string | undefined
  /** What in the query wasn't understood. */
  notes: QueryNote[]
}

// The order as one number: the tier, then the users.
const TIER = 1_000_000_000

/** Searches what is listed, and what the viewer has. */
export async function searchEntries(db: Database, query: SearchQuery): Promise<SearchPage> {
  const { node, notes } = parseQuery(query.text)
  if (!node) return { entries: [], older: undefined, notes }
  const cursor = parseCursor(query.cursor)
  const limit = Math.max(1, Math.min(100, Math.floor(query.limit)))
  const context: Context = { viewer: query.viewer, own: false }
  const condition = compile(node, context)
  const words = positiveText(node)
  const below = (tier: number) => cursorCondition(cursor, tier)
  const common = sql.join([sql`e.listed`, ...hidden(query.viewer)], sql` and `)
  // In the order of an index: of common words the best few are found by walking it, of rare ones by the words' own index.
  const page = (branch: SQL) => sql`(${branch} order by e.users desc, e.id desc limit ${limit + 1})`
  const branches: SQL[] = []
  const titles = words.length > 0 ? sql`w.title_words @@ ${tsquery(words, '')}::tsquery` : undefined
  if (titles) {
    const exact = sql`md5(w.title) = md5(${fold(plain(query.text)).trim()})`
    for (const tier of [2, 1]) {
      branches.push(
        page(sql`
          select e.id, e.users::bigint + ${tier * TIER}::bigint as rank from entry_words w join entries e on e.id = w.entry_id
          where ${tier === 2 ? exact : sql`not (${exact})`} and ${titles} and ${condition} and ${common} ${below(tier)}`),
      )
    }
  }
  if (query.viewer !== undefined) branches.push(...ownBranches(node, query.viewer, cursor, limit))
  const first = branches.length > 0 ? await fetchPage(db, branches, query, limit) : []
  let rows = first
  if (first.length <= limit) {
    const rest = page(sql`
      select e.id, e.users::bigint as rank from entries e join entry_words w on w.entry_id = e.id
      where ${condition} and ${common} ${titles ? sql`and not (${titles})` : sql``} ${below(0)}`)
    const more = await fetchPage(db, [rest], query, limit)
    const seen = new Set(first.map((row) => Number(row.id)))
    rows = [...first, ...more.filter((row) => !seen.has(Number(row.id)))].sort(
      (a, b) => Number(b.rank) - Number(a.rank) || Number(b.id) - Number(a.id),
    )
  }
  const wanted = wantedTexts(node)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    entries: shown.map((row) => {
      const entry = toEntry(row, query.lang)
      const source = row.source || entry.summary
      return { ...entry, litTitle: lightUp(entry.title, wanted), litExcerpt: litExcerpt(source, wanted) }
    }),
    older:
      last && rows.length > limit
        ? formatCursor({ side: 'older', at: Number(last.rank), id: Number(last.id) })
        : undefined,
    notes,
  }
}

interface FoundRow extends EntryRow {
  rank: number
  source: string
}

async function fetchPage(db: Database, branches: SQL[], query: SearchQuery, limit: number): Promise<FoundRow[]> {
  const { rows } = await db.execute<FoundRow>(sql`
    select ${entryColumns}, found.rank, left(w.source, 20000) as source
      ${query.viewer === undefined ? sql`` : sql`, to_jsonb(mine) as mine`}
    from (select id, max(rank) as rank from (${sql.join(branches, sql` union all `)}) f group by id order by 2 desc, 1 desc limit ${limit + 1}) found
    join entries e on e.id = found.id left join entry_words w on w.entry_id = e.id ${mineJoin(query.viewer)}
    order by found.rank desc, e.id desc`)
  return rows
}

function cursorCondition(cursor: ReturnType<typeof parseCursor>, tier: number): SQL {
  if (!cursor) return sql``
  const at = Math.trunc(cursor.at)
  if (at >= (tier + 1) * TIER) return sql``
  if (at < tier * TIER) return sql`and false` // The pages before had all of these.
  return sql`and (e.users, e.id) < (${at - tier * TIER}::bigint, ${cursor.id}::bigint)`
}

/**
 * What only the viewer may find: by words of their own bookmarks, and pages that they alone have, privately. Both are looked
 * up by a lexeme of theirs, so that what others have isn't touched.
 */
function ownBranches(node: QueryNode, viewer: number, cursor: ReturnType<typeof parseCursor>, limit: number): SQL[] {
  const condition = compile(node, { viewer, own: true })
  const everybody = compile(node, { viewer, own: false }) // Found by all, in its tier: not here once more.
  const terms = anyText(node)
  const mine = `'${SCOPE.owner}${viewer}'`
  const below = cursorCondition(cursor, 0)
  const tail = sql`${condition} ${below} order by e.users desc, e.id desc limit ${limit + 1}`
  const branches: SQL[] = []
  if (terms.length > 0) {
    branches.push(sql`(select e.id, e.users::bigint as rank
      from bookmarks b join entries e on e.id = b.entry_id left join entry_words w on w.entry_id = e.id
      where b.words @@ ${`${mine} & (${terms.join(' | ')})`}::tsquery and b.user_id = ${viewer}::bigint
        and not (e.listed and coalesce(${everybody}, false)) and ${tail})`)
  }
  branches.push(sql`(select e.id, e.users::bigint as rank
    from entry_words w join entries e on e.id = w.entry_id join bookmarks b on b.entry_id = e.id and b.user_id = ${viewer}::bigint
    where w.words @@ ${mine}::tsquery and not e.listed and ${tail})`)
  return branches
}

interface Context {
  viewer: number | undefined
  /** The row of the viewer's bookmark is `b`, and what it says counts. */
  own: boolean
}

const quote = (lexeme: string) => `'${lexeme.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

function lexemes(text: string, scope: string, quoted: boolean): string {
  return queryTokens(plain(text), !quoted)
    .map(({ token, prefix }) => `${quote(scope + token)}${prefix ? ':*' : ''}`)
    .join(' & ')
}

const tsquery = (nodes: readonly (QueryNode & { kind: 'text' })[], scope: string) =>
  nodes.map((node) => `(${lexemes(node.text, scope, node.quoted)})`).join(' & ')

/** The texts that must all be there, wherever: those that a title can be compared with. */
function positiveText(node: QueryNode): (QueryNode & { kind: 'text' })[] {
  if (node.kind === 'text') return node.scope === 'any' || node.scope === 'title' ? [node] : []
  return node.kind === 'and' ? node.of.flatMap(positiveText) : []
}

/** Any text that isn't denied, as alternatives. */
function anyText(node: QueryNode): string[] {
  if (node.kind === 'text') return node.scope === 'any' ? [`(${lexemes(node.text, '', node.quoted)})`] : []
  return node.kind === 'and' || node.kind === 'or' ? node.of.flatMap(anyText) : []
}

const like = (text: string) => `%${fold(plain(text)).replace(/[\\%_]/gu, '\\$&')}%`

/** A condition on the entry `e`, its words `w`, and, where own, the viewer's bookmark `b`. */
function compile(node: QueryNode, context: Context): SQL {
  switch (node.kind) {
    case 'and':
      return sql`(${sql.join(
        node.of.map((each) => compile(each, context)),
        sql` and `,
      )})`
    case 'or':
      return sql`(${sql.join(
        node.of.map((each) => compile(each, context)),
        sql` or `,
      )})`
    case 'not':
      return sql`not coalesce(${compile(node.of, context)}, false)`
    case 'text':
      return compileText(node, context)
    case 'tag': {
      const keyword = sql`(select id from keywords where folded = ${foldKeyword(plain(node.value))})`
      const anybody = sql`exists (select from entry_keywords k where k.entry_id = e.id and k.keyword_id = ${keyword})`
      return context.viewer === undefined
        ? anybody
        : sql`(${anybody} or exists (select from bookmarks ob join bookmark_tags t on t.bookmark_id = ob.id
            where ob.entry_id = e.id and ob.user_id = ${context.viewer}::bigint and t.keyword_id = ${keyword}))`
    }
    case 'site':
      // By its lexeme: the planner then knows how few they are.
      return sql`w.words @@ ${quote(SCOPE.site + plain(node.value))}::tsquery`
    case 'user':
      return sql`exists (select from bookmarks ub where ub.entry_id = e.id
        and ub.user_id = (select id from users where username = ${plain(node.value).toLowerCase()})
        and (ub.shown or ub.user_id = ${context.viewer ?? null}::bigint))`
    case 'lang':
      return sql`e.lang = ${plain(node.value).toLowerCase()}`
    case 'before':
      return sql`coalesce(e.listed_at, e.added_at) < to_timestamp(${node.atMs}::float8 / 1000)`
    case 'after':
      return sql`coalesce(e.listed_at, e.added_at) >= to_timestamp(${node.atMs}::float8 / 1000)`
    case 'is':
      return compileState(node.state, context.viewer)
  }
}

function compileText(node: QueryNode & { kind: 'text' }, context: Context): SQL {
  if (node.scope === 'command' || node.scope === 'output')
    return sql`w.words @@ ${lexemes(node.text, SCOPE[node.scope], node.quoted)}::tsquery`
  const query = lexemes(node.text, '', node.quoted)
  const look = needsLook(node.text)
  if (node.scope === 'title')
    return look
      ? sql`(w.title_words @@ ${query}::tsquery and w.title like ${like(node.text)})`
      : sql`w.title_words @@ ${query}::tsquery`
  // What was said stands in no folded text of the entry's: its lexemes are believed.
  const entry = look
    ? sql`(w.words @@ ${query}::tsquery and (w.body like ${like(node.text)} or not (w.own @@ ${query}::tsquery)))`
    : sql`w.words @@ ${query}::tsquery`
  return context.own ? sql`coalesce(${entry} or b.words @@ ${query}::tsquery, false)` : entry
}

function compileState(state: (QueryNode & { kind: 'is' })['state'], viewer: number | undefined): SQL {
  if (state === 'article' || state === 'bookmark') return sql`e.kind = ${state}`
  if (state === 'presentation' || state === 'research') return sql`e.medium = ${state}`
  if (state === 'dead') return sql`e.dead_at is not null`
  if (viewer === undefined) return sql`false`
  const marks: Record<Exclude<typeof state, 'article' | 'bookmark' | 'presentation' | 'research' | 'dead'>, SQL> = {
    mine: sql`true`,
    later: sql`mb.read_later`,
    unread: sql`mb.read_later and not mb.archived`,
    archived: sql`mb.archived`,
    favourite: sql`mb.favourite`,
    private: sql`mb.private`,
    public: sql`mb.shown`,
  }
  return sql`exists (select from bookmarks mb where mb.entry_id = e.id and mb.user_id = ${viewer}::bigint and ${marks[state]})`
}

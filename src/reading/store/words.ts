/**
 * Writes what is searched. An entry's words are its own (title, keywords, address, text, commands, outputs) and what was
 * publicly said of it; `~7` among them means that user 7 has it privately. A bookmark's words are its owner's alone.
 */
import { type SQL, sql } from 'drizzle-orm'
import { fold, tokensOf } from '#reading/search'
import type { Database } from './database.ts'
import { array, json, plain } from './sql.ts'

/** How scopes are told apart among lexemes: no token begins with one of these. */
export const SCOPE = { command: '$', output: '>', site: '@', tag: '#', owner: '~' } as const

export interface EntryWords {
  titles: readonly string[]
  keywords: readonly string[]
  body: string
  commands: readonly string[]
  outputs: readonly string[]
  site: string | undefined
  author: string
  key: string
}

const BODY_MAX = 200_000

/** The lexemes of scoped texts. */
function scoped(scope: string, texts: readonly string[]): string[] {
  return [...tokensOf(texts.join('\n'))].map((token) => scope + token)
}

/** One entry's document, as the columns of entry_words. */
export function documentOf(words: EntryWords): {
  title: string
  body: string
  source: string
  titleWords: string[]
  words: string[]
} {
  const titles = plain(words.titles.join('\n'))
  const source = plain([words.body.slice(0, BODY_MAX), words.author].filter((text) => text !== '').join('\n'))
  const titleTokens = tokensOf(titles)
  const all = new Set(titleTokens)
  for (const token of tokensOf(`${words.keywords.join('\n')}\n${words.key}\n${source}`)) all.add(token)
  for (const token of scoped(SCOPE.command, words.commands)) all.add(token)
  for (const token of scoped(SCOPE.output, words.outputs)) all.add(token)
  if (words.site) all.add(SCOPE.site + words.site)
  return {
    title: fold(titles),
    body: fold(`${titles}\n${words.keywords.join('\n')}\n${words.key}\n${source}`),
    source,
    titleWords: [...titleTokens],
    words: [...all].map(plain),
  }
}

/** Replaces an entry's words, and adds what was said of it. */
export async function writeEntryWords(tx: Database, entryId: number, words: EntryWords): Promise<void> {
  const document = documentOf(words)
  await tx.execute(sql`
    insert into entry_words (entry_id, title, body, source, title_words, own, words)
    select ${entryId}, ${document.title}, ${document.body}, ${document.source},
      array_to_tsvector(${array(document.titleWords, 'text')}), own, own || said
    from (select array_to_tsvector(${array(document.words, 'text')}) as own,
      array_to_tsvector(${array(await said(tx, entryId), 'text')}) as said) w
    on conflict (entry_id) do update set title = excluded.title, body = excluded.body, source = excluded.source,
      title_words = excluded.title_words, own = excluded.own, words = excluded.words`)
}

/** What the bookmarks of an entry say: public comments and tags, and who has it privately. */
async function said(tx: Database, entryId: number): Promise<string[]> {
  const { rows } = await tx.execute<{ shown: boolean; user_id: number; said: string }>(sql`
    select shown, user_id, case when shown then comment || ' ' || array_to_string(tags, ' ') else '' end as said from bookmarks
    where entry_id = ${entryId} and (not shown or comment <> '' or tags <> '{}') order by created_at desc limit 2000`)
  const lexemes = tokensOf(rows.map((row) => row.said).join('\n'))
  for (const row of rows) if (!row.shown) lexemes.add(SCOPE.owner + row.user_id)
  return [...lexemes]
}

/** After a bookmark of the entry changed: what it says itself stays. */
export async function reindexSaid(tx: Database, entryId: number): Promise<void> {
  const lexemes = array(await said(tx, entryId), 'text')
  const { rows } = await tx.execute(sql`
    update entry_words set words = own || array_to_tsvector(${lexemes}) where entry_id = ${entryId} returning entry_id`)
  if (rows.length === 0) await reindexEntry(tx, entryId)
}

/** The same for many, in two statements. */
export async function reindexSaidMany(tx: Database, entryIds: readonly number[]): Promise<void> {
  if (entryIds.length === 0) return
  const { rows } = await tx.execute<{ entry_id: number; said: string | null; owners: number[] | null }>(sql`
    select i.entry_id,
      (select string_agg(b.comment || ' ' || array_to_string(b.tags, ' '), E'\\n') from (
        select comment, tags from bookmarks where entry_id = i.entry_id and shown and (comment <> '' or tags <> '{}')
        order by created_at desc limit 2000) b) as said,
      (select json_agg(user_id) from bookmarks where entry_id = i.entry_id and not shown) as owners
    from unnest(${array(entryIds, 'bigint')}) i (entry_id)`)
  const said = rows.map((row) => ({
    id: Number(row.entry_id),
    said: [...tokensOf(row.said ?? ''), ...(row.owners ?? []).map((id) => SCOPE.owner + id)],
  }))
  await tx.execute(sql`
    update entry_words w set words = w.own || s.said
    from (select r.id, array_to_tsvector(array(select jsonb_array_elements_text(r.said))) as said
      from jsonb_to_recordset(${json(said)}) as r (id bigint, said jsonb)) s
    where w.entry_id = s.id and w.words <> w.own || s.said`)
}

/** Writes an entry's words anew from its row: after its title or text changed. */
export async function reindexEntry(tx: Database, entryId: number): Promise<void> {
  const { rows } = await tx.execute<{
    kind: string
    key: string
    site: string | null
    title: string
    excerpt: string
    author: string
    keywords: string[]
    text: string | null
  }>(sql`
    select e.kind, e.key, e.site, e.title, e.excerpt, e.author, e.keywords,
      (select p.text from page_versions p where p.entry_id = e.id order by p.fetched_at desc, p.id desc limit 1) as text
    from entries e where e.id = ${entryId}`)
  const row = rows[0]
  // An article's text is in its file: syncArticles writes its words.
  if (!row || row.kind === 'article') return
  const { commands, outputs } = transcriptsOf(row.text ?? '')
  await writeEntryWords(tx, entryId, {
    titles: [row.title],
    keywords: row.keywords,
    body: row.text ? row.text : row.excerpt,
    commands,
    outputs,
    site: row.site ?? undefined,
    author: row.author,
    key: row.key,
  })
}

/** Commands behind a prompt, and what follows them, in a page's plain text. */
function transcriptsOf(text: string): { commands: string[]; outputs: string[] } {
  const commands: string[] = []
  const outputs: string[] = []
  let lines = 0
  for (const line of text.split('\n')) {
    const match = /^\s{0,8}(?:[\w.@-]{0,40}[#$]|\[[^\]]{1,60}\][#$])\s+(\S.*)$/u.exec(line)
    if (match) {
      commands.push(match[1]!)
      lines = 40
    } else if (line.trim() === '') lines = 0
    else if (lines-- > 0) outputs.push(line)
  }
  return { commands, outputs }
}

/** Many entries' words at once, for those that have none yet. */
export async function writeManyWords(
  tx: Database,
  entries: readonly (EntryWords & { id: number; said: string; owners: readonly number[] })[],
): Promise<void> {
  if (entries.length === 0) return
  const rows = entries.map((entry) => {
    const document = documentOf(entry)
    return {
      id: entry.id,
      ...document,
      said: [...tokensOf(plain(entry.said)), ...entry.owners.map((id) => SCOPE.owner + id)],
    }
  })
  await tx.execute(sql`
    insert into entry_words (entry_id, title, body, source, title_words, own, words)
    select r.id, r.title, r.body, r.source, array_to_tsvector(array(select jsonb_array_elements_text(r."titleWords"))),
      w.own, w.own || array_to_tsvector(array(select jsonb_array_elements_text(r.said)))
    from jsonb_to_recordset(${json(rows)}) as r (id bigint, title text, body text, source text, "titleWords" jsonb, words jsonb, said jsonb),
      lateral (select array_to_tsvector(array(select jsonb_array_elements_text(r.words))) as own) w
    order by r.id
    on conflict (entry_id) do nothing`)
}

/** A bookmark's words, for its owner: null if it says nothing of its own. */
export function bookmarkWords(bookmark: {
  userId: number
  title: string
  comment: string
  note: string
  tags: readonly string[]
}): SQL {
  const said = [bookmark.title, bookmark.comment, bookmark.note.slice(0, BODY_MAX), ...bookmark.tags].join('\n')
  const tokens = [...tokensOf(said)].map(plain)
  if (tokens.length === 0) return sql`null::tsvector`
  return sql`array_to_tsvector(${array([...tokens, SCOPE.owner + bookmark.userId], 'text')})`
}

/** Keeps the list in step with a folder of articles: at each start, and reading only the files that changed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { parseArticleFileName, readingMinutes, uniqueTags } from '#reading/library'
import type { Database } from './database.ts'
import { type ArticleText, readFrontMatter } from './front-matter.ts'
import { setKeywords } from './keywords.ts'
import { array, json, moment, plain } from './sql.ts'
import { writeEntryWords } from './words.ts'

/** Larger than any article that somebody would read; an article is parsed whole. */
export const ARTICLE_BYTES_MAX = 2 * 1024 * 1024

export interface SyncReport {
  added: string[]
  changed: string[]
  gone: string[]
  /** Located errors of what can't be read as it stands; its entry is in the list nevertheless. */
  errors: string[]
}

interface Source {
  name: string
  /** Path, language that the file name says, text, milliseconds since the epoch; the original first. */
  files: { path: string; lang: string | undefined; text: string; changedMs: number }[]
  hash: string
}

/** Reads the folder and brings the entries of kind `article` in step with it. */
export async function syncArticles(db: Database, folder: string, nowMs = Date.now()): Promise<SyncReport> {
  const report: SyncReport = { added: [], changed: [], gone: [], errors: [] }
  const sources = await readSources(folder, report)
  await db.transaction(async (tx) => {
    const { rows } = await tx.execute<{ key: string; hash: string | null; gone: boolean }>(sql`
      select key, content_hash as hash, gone_at is not null as gone from entries where kind = 'article'`)
    const known = new Map(rows.map((row) => [row.key, row]))
    for (const source of sources) {
      const before = known.get(source.name)
      if (before && before.hash === source.hash && !before.gone) continue
      await writeArticle(tx, source, nowMs, report)
      if (before) report.changed.push(source.name)
      else report.added.push(source.name)
    }
    const here = new Set(sources.map((source) => source.name))
    report.gone = rows.filter((row) => !row.gone && !here.has(row.key)).map((row) => row.key)
    if (report.gone.length > 0) {
      await tx.execute(sql`
        update entries set gone_at = ${new Date(nowMs).toISOString()}::timestamptz
        where kind = 'article' and key in (select jsonb_array_elements_text(${JSON.stringify(report.gone)}::jsonb))`)
    }
  })
  return report
}

async function readSources(folder: string, report: SyncReport): Promise<Source[]> {
  const byName = new Map<string, Source['files']>()
  for (const fileName of (await readdir(folder)).sort()) {
    const file = parseArticleFileName(fileName)
    if (!file) continue
    const path = join(folder, fileName)
    const { size, mtimeMs } = await stat(path)
    if (size > ARTICLE_BYTES_MAX) {
      report.errors.push(`${path}:1:1: larger than ${ARTICLE_BYTES_MAX} bytes; split the article`)
      continue
    }
    const files = byName.get(file.name) ?? []
    files.push({ path, lang: file.lang, text: await readFile(path, 'utf8'), changedMs: mtimeMs })
    byName.set(file.name, files)
  }
  const sources: Source[] = []
  for (const [name, files] of byName) {
    files.sort((a, b) => Number(a.lang !== undefined) - Number(b.lang !== undefined))
    if (files[0]!.lang !== undefined) {
      report.errors.push(`${files[0]!.path}:1:1: a translation without its original ${name}.md beside it`)
    }
    const hash = createHash('sha256')
    for (const { lang, text } of files) hash.update(JSON.stringify([lang ?? '', text]))
    sources.push({ name, files, hash: hash.digest('hex') })
  }
  return sources
}

async function writeArticle(tx: Database, source: Source, nowMs: number, report: SyncReport): Promise<void> {
  const addedAtMs = Math.min(nowMs, source.files[0]!.changedMs)
  const texts: { lang: string; title: string; summary: string; keywords: string[] }[] = []
  const parts: ArticleText[] = []
  for (const file of source.files) {
    const front = readFrontMatter(file.text, file.path, beside(file.path))
    report.errors.push(...front.errors)
    const lang = file.lang ?? front.lang
    if (texts.some((text) => text.lang === lang)) {
      report.errors.push(`${file.path}:1:1: a second text in ${lang}; it isn't listed`)
      continue
    }
    texts.push({
      lang,
      title: plain(front.title || source.name),
      summary: plain(front.summary),
      keywords: uniqueTags(front.keywords.map(plain)),
    })
    parts.push(front.text)
  }
  const original = texts[0]!
  const { rows } = await tx.execute<{ id: number }>(sql`
    insert into entries (kind, key, added_at, listed_at, medium, content_hash, title, excerpt, lang, keywords, texts, reading_minutes)
    values ('article', ${source.name}, ${moment(addedAtMs)}, ${moment(addedAtMs)}, 'article', ${source.hash}, ${original.title},
      ${original.summary}, ${original.lang}, ${array(original.keywords, 'text')}, ${json(texts)}, ${readingMinutes(parts[0]!.body)})
    on conflict (kind, md5(key)) do update set content_hash = excluded.content_hash, gone_at = null, title = excluded.title,
      excerpt = excluded.excerpt, lang = excluded.lang, keywords = excluded.keywords, texts = excluded.texts,
      reading_minutes = excluded.reading_minutes
    returning id`)
  const id = Number(rows[0]!.id)
  await setKeywords(
    tx,
    id,
    texts.flatMap((text) => text.keywords),
  )
  await writeEntryWords(tx, id, {
    titles: texts.map((text) => text.title),
    keywords: texts.flatMap((text) => text.keywords),
    body: [...texts.map((text) => text.summary), ...parts.map((part) => part.body)].join('\n'),
    commands: parts.flatMap((part) => part.commands),
    outputs: parts.flatMap((part) => part.outputs),
    site: undefined,
    author: '',
    key: source.name,
  })
}

/** Reads a lab file that articles share: one that lies beside them, whatever path an article asks for. */
export function beside(path: string): (name: string) => string | undefined {
  return (name) => {
    if (name !== basename(name) || name.startsWith('.')) return undefined
    try {
      return readFileSync(join(dirname(path), name), 'utf8')
    } catch {
      return undefined
    }
  }
}

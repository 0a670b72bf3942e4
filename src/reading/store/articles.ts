/** Keeps the list in step with a folder of articles: at each start, and reading only the files that changed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { foldKeyword, parseArticleFileName, tidyKeyword } from '#reading/library'
import type { Database } from './database.ts'
import { readFrontMatter } from './front-matter.ts'
import { writeKeywords } from './import.ts'

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
  const addedAt = new Date(Math.min(nowMs, source.files[0]!.changedMs)).toISOString()
  const { rows } = await tx.execute<{ id: number }>(sql`
    insert into entries (kind, key, added_at, content_hash)
    values ('article', ${source.name}, ${addedAt}::timestamptz, ${source.hash})
    on conflict (kind, md5(key)) do update set content_hash = excluded.content_hash, gone_at = null
    returning id`)
  const id = rows[0]!.id
  await tx.execute(sql`delete from entry_texts where entry_id = ${id}`)
  await tx.execute(sql`delete from entry_keywords where entry_id = ${id}`)
  const written = new Set<string>()
  for (const [place, file] of source.files.entries()) {
    const front = readFrontMatter(file.text, file.path, beside(file.path))
    report.errors.push(...front.errors)
    const lang = file.lang ?? front.lang
    if (written.has(lang)) {
      report.errors.push(`${file.path}:1:1: a second text in ${lang}; it isn't listed`)
      continue
    }
    written.add(lang)
    await tx.execute(sql`
      insert into entry_texts (entry_id, lang, place, title, summary)
      values (${id}, ${lang}, ${place}, ${front.title || source.name}, ${front.summary})`)
    const words = front.keywords
      .map(tidyKeyword)
      .map((name, at) => ({ key: source.name, folded: foldKeyword(name), name, place: at }))
      .filter((word) => word.folded !== '')
    if (words.length > 0) await writeKeywords(tx, 'article', lang, words)
  }
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

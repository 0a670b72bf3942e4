/** Imports that somebody began: their file, how far they are, and what became of each bookmark. */
import { sql } from 'drizzle-orm'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import type { ImportRefusal } from './import.ts'
import { json, ms, plain } from './sql.ts'

export type ImportState = 'waiting' | 'running' | 'done' | 'failed'

export interface ImportView {
  id: number
  userId: number
  format: string
  fileName: string
  private: boolean
  state: ImportState
  total: number | undefined
  done: number
  added: number
  merged: number
  refused: number
  report: ImportRefusal[]
  error: string | undefined
  createdAtMs: number
  updatedAtMs: number
}

/** Keeps a file to be taken in; its content stays until it is. */
export async function beginImport(
  db: Database,
  by: number,
  file: { format: string; fileName: string; content: Uint8Array; private: boolean },
): Promise<number> {
  await requireWriter(db, by)
  const { rows } = await db.execute<{ id: number }>(sql`
    insert into imports (user_id, format, file_name, private, content)
    values (${by}, ${file.format}, ${plain(file.fileName).slice(0, 300)}, ${file.private}, ${Buffer.from(file.content)}) returning id`)
  return Number(rows[0]!.id)
}

const columns = sql`id, user_id, format, file_name, private, state, total, done, added, merged, refused, report, error,
  ${ms(sql`created_at`)} as created_ms, ${ms(sql`updated_at`)} as updated_ms`

interface Row {
  id: number
  user_id: number
  format: string
  file_name: string
  private: boolean
  state: ImportState
  total: number | null
  done: number
  added: number
  merged: number
  refused: number
  report: ImportRefusal[]
  error: string | null
  created_ms: number
  updated_ms: number
}

const toView = (row: Row): ImportView => ({
  id: Number(row.id),
  userId: Number(row.user_id),
  format: row.format,
  fileName: row.file_name,
  private: row.private,
  state: row.state,
  total: row.total ?? undefined,
  done: row.done,
  added: row.added,
  merged: row.merged,
  refused: row.refused,
  report: row.report,
  error: row.error ?? undefined,
  createdAtMs: Math.round(row.created_ms),
  updatedAtMs: Math.round(row.updated_ms),
})

/** One's own. */
export async function findImport(db: Database, by: number, id: number): Promise<ImportView | undefined> {
  const { rows } = await db.execute<Row>(sql`select ${columns} from imports where id = ${id} and user_id = ${by}`)
  return rows[0] && toView(rows[0])
}

/** One's own, the latest first. */
export async function listImports(db: Database, by: number): Promise<ImportView[]> {
  const { rows } = await db.execute<Row>(sql`
    select ${columns} from imports where user_id = ${by} order by created_at desc, id desc limit 100`)
  return rows.map(toView)
}

/** Those that are to be gone on with, and their files: for the job that does it. */
export async function unfinishedImports(db: Database): Promise<number[]> {
  const { rows } = await db.execute<{ id: number }>(
    sql`select id from imports where state in ('waiting', 'running') order by id`,
  )
  return rows.map((row) => Number(row.id))
}

/** An import with its file, whoever's it is: for the job. */
export async function openImport(
  db: Database,
  id: number,
): Promise<(ImportView & { content: Uint8Array }) | undefined> {
  const { rows } = await db.execute<Row & { content: Uint8Array | null }>(
    sql`select ${columns}, content from imports where id = ${id}`,
  )
  const row = rows[0]
  return row?.content ? { ...toView(row), content: row.content } : undefined
}

/** What the file turned out to hold. */
export async function setImportTotal(db: Database, id: number, total: number): Promise<void> {
  await db.execute(sql`update imports set total = ${total}, state = 'running', updated_at = now() where id = ${id}`)
}

const REPORT_MAX = 5000

/** Lists what couldn't be kept, where saveMany only counted it; a report has an end. */
export async function refuseInImport(db: Database, id: number, refused: readonly ImportRefusal[]): Promise<void> {
  if (refused.length === 0) return
  await db.execute(sql`
    update imports set report = report || ${json(refused)} where id = ${id} and jsonb_array_length(report) < ${REPORT_MAX}`)
}

/** It is done, or can't be: the file is let go. */
export async function endImport(db: Database, id: number, error?: string): Promise<void> {
  await db.execute(sql`
    update imports set state = ${error === undefined ? 'done' : 'failed'}, error = ${error === undefined ? null : plain(error).slice(0, 2000)}::text,
      content = null, updated_at = now() where id = ${id}`)
}

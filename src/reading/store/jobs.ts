/**
 * Jobs that wait in the database: with PGlite the process that has it works on them, with PostgreSQL pg-boss may do it. One
 * that is taken and not done within its time, because its process died, is taken again.
 */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { json, moment, plain } from './sql.ts'

export interface Job {
  id: number
  kind: string
  payload: Record<string, unknown>
  /** How often it was taken, this time included. */
  attempts: number
}

/** Adds a job; of one kind and key at most one waits. */
export async function addJob(
  db: Database,
  job: { kind: string; key?: string; payload?: Record<string, unknown>; runAtMs: number },
): Promise<void> {
  await db.execute(sql`
    insert into jobs (kind, key, payload, run_at)
    values (${job.kind}, ${job.key ?? null}::text, ${json(job.payload ?? {})}, ${moment(job.runAtMs)})
    on conflict (kind, key) where key is not null and failed_at is null do update set run_at = least(jobs.run_at, excluded.run_at)`)
}

/** Takes the next job whose time has come, for so long. */
export async function takeJob(
  db: Database,
  kinds: readonly string[],
  nowMs: number,
  forMs: number,
): Promise<Job | undefined> {
  const { rows } = await db.execute<{
    id: number
    kind: string
    payload: Record<string, unknown>
    attempts: number
  }>(sql`
    update jobs set taken_until = ${moment(nowMs + forMs)}, attempts = attempts + 1
    where id = (select id from jobs where failed_at is null and kind = any (${sql.param(kinds)}::text[])
      and run_at <= ${moment(nowMs)} and (taken_until is null or taken_until < ${moment(nowMs)})
      order by run_at, id limit 1 for update skip locked)
    returning id, kind, payload, attempts`)
  const row = rows[0]
  return row && { id: Number(row.id), kind: row.kind, payload: row.payload, attempts: row.attempts }
}

/** It is done. */
export async function finishJob(db: Database, id: number): Promise<void> {
  await db.execute(sql`delete from jobs where id = ${id}`)
}

/** It failed: tried again then, or never. */
export async function failJob(db: Database, id: number, error: string, againAtMs: number | undefined): Promise<void> {
  await db.execute(
    againAtMs === undefined
      ? sql`update jobs set error = ${plain(error).slice(0, 2000)}, failed_at = now(), taken_until = null where id = ${id}`
      : sql`update jobs set error = ${plain(error).slice(0, 2000)}, run_at = ${moment(againAtMs)}, taken_until = null where id = ${id}`,
  )
}

/** How many wait, run and failed for good. */
export async function countJobs(db: Database): Promise<{ waiting: number; failed: number }> {
  const { rows } = await db.execute<{ waiting: number; failed: number }>(sql`
    select count(*) filter (where failed_at is null)::int as waiting, count(*) filter (where failed_at is not null)::int as failed from jobs`)
  return rows[0]!
}

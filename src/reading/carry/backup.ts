/**
 * The whole library in one file: packed lines of JSON, of each table its columns and then its rows, and at the end how many
 * there were and the digest of them all. It is read to its end and verified before anything is written, and it goes into
 * either engine. Sessions and waiting jobs stay behind: they belong to the server that was.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { sql } from 'drizzle-orm'
import type { Database, Store } from '#reading/store'

/** The file isn't a backup, or isn't whole, or the library isn't empty; the message says which. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

const HEAD = 'kaidoku-backup'
const VERSION = 1
const ROWS = 500
const LEFT = new Set(['sessions', 'verifications', 'jobs', 'migrations'])

interface Head {
  [HEAD]: number
  madeAt: string
  migrations: string[]
}

type Line =
  | Head
  | { table: string; columns: string[] }
  | { rows: unknown[][] }
  | { end: Record<string, number>; sha256: string }

/** Tables with their columns (but generated ones), each after those that it refers to. */
async function tablesOf(db: Database): Promise<{ name: string; columns: string[] }[]> {
  const { rows } = await db.execute<{ name: string; columns: string[]; refers: string[] | null }>(sql`
    select c.relname as name,
      (select json_agg(a.attname order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select json_agg(f.relname) from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as refers
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' order by c.relname`)
  const left = new Map(rows.filter(({ name }) => !LEFT.has(name)).map((row) => [row.name, row]))
  const sorted: { name: string; columns: string[] }[] = []
  while (left.size > 0) {
    const ready = [...left.values()].find(({ refers }) => !(refers ?? []).some((name) => left.has(name)))
    if (!ready) throw new Error(`tables refer to each other in a circle: ${[...left.keys()].join(', ')}`)
    left.delete(ready.name)
    sorted.push({ name: ready.name, columns: ready.columns })
  }
  return sorted
}

const name = (identifier: string) => sql.raw(`"${identifier.replaceAll('"', '""')}"`)

/** Writes a backup, of one moment; how many rows each table had. The file appears when it is whole. */
export async function backup(store: Store, path: string, nowMs = Date.now()): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const partial = `${path}.partial`
  const hash = createHash('sha256')
  const lineOf = (line: Line) => {
    const text = `${JSON.stringify(line)}\n`
    hash.update(text)
    return text
  }
  try {
    await store.db.transaction(async (tx) => {
      await tx.execute(sql`set transaction isolation level repeatable read, read only`)
      const { rows: ran } = await tx.execute<{ name: string }>(sql`select name from migrations order by name`)
      const tables = await tablesOf(tx)
      async function* lines() {
        yield lineOf({ [HEAD]: VERSION, madeAt: new Date(nowMs).toISOString(), migrations: ran.map((row) => row.name) })
        for (const { name: table, columns } of tables) {
          counts[table] = 0
          yield lineOf({ table, columns })
          await tx.execute(sql`declare backup_rows no scroll cursor for select
            json_build_array(${sql.join(
              columns.map((column) => sql`${name(column)}::text`),
              sql`, `,
            )})::text as row
            from ${name(table)}`)
          for (;;) {
            const { rows } = await tx.execute<{ row: string }>(sql`fetch ${sql.raw(String(ROWS))} from backup_rows`)
            if (rows.length === 0) break
            counts[table] += rows.length
            yield lineOf({ rows: rows.map(({ row }) => JSON.parse(row) as unknown[]) })
          }
          await tx.execute(sql`close backup_rows`)
        }
        yield `${JSON.stringify({ end: counts, sha256: hash.digest('hex') })}\n`
      }
      await pipeline(lines(), createGzip({ level: 6 }), createWriteStream(partial, { mode: 0o600 }))
    })
    const file = await open(partial, 'r')
    await file.sync()
    await file.close()
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  return counts
}

async function* linesOf(path: string): AsyncGenerator<{ line: Line; text: string }> {
  const source = createReadStream(path)
  const unpacked = source.pipe(createGunzip())
  source.on('error', (error) => unpacked.destroy(error))
  try {
    for await (const text of createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (text.length > 512 << 20) throw new BackupError(`${path}: a line is too long`)
      yield { line: JSON.parse(text) as Line, text: `${text}\n` }
    }
  } catch (error) {
    if (error instanceof BackupError) throw error
    throw new BackupError(`${path}: not a whole backup (${error instanceof Error ? error.message : error})`)
  }
}

/** Reads a backup to its end; throws BackupError if it isn't one, or not whole. */
export async function verifyBackup(path: string): Promise<{ head: Head; counts: Record<string, number> }> {
  const hash = createHash('sha256')
  const counts: Record<string, number> = {}
  let head: Head | undefined
  let table = ''
  for await (const { line, text } of linesOf(path)) {
    if (!head) {
      if (!(HEAD in line) || line[HEAD] !== VERSION)
        throw new BackupError(`${path}: not a backup that this Kaidoku knows`)
      head = line
    } else if ('table' in line) counts[(table = line.table)] = 0
    else if ('rows' in line) counts[table]! += line.rows.length
    else if ('end' in line) {
      if (line.sha256 !== hash.digest('hex') || JSON.stringify(line.end) !== JSON.stringify(counts))
        throw new BackupError(`${path}: its content isn't what was written`)
      return { head, counts }
    }
    hash.update(text)
  }
  throw new BackupError(`${path}: it ends before its end`)
}

/**
 * Puts a backup into an empty library, or in the place of all that is in it; wholly or not at all. How many rows each table got.
 */
export async function restore(
  store: Store,
  path: string,
  options: { replace?: boolean } = {},
): Promise<Record<string, number>> {
  const { head, counts } = await verifyBackup(path)
  await store.db.transaction(async (tx) => {
    const { rows: ran } = await tx.execute<{ name: string }>(sql`select name from migrations`)
    const known = new Set(ran.map((row) => row.name))
    const unknown = head.migrations.filter((migration) => !known.has(migration))
    if (unknown.length > 0) throw new BackupError(`${path}: made by a newer Kaidoku, which had ${unknown.join(', ')}`)
    if (head.migrations.length < known.size)
      throw new BackupError(`${path}: made by an older Kaidoku, and its tables have changed; restore it with that one`)
    const { rows } = await tx.execute<{ users: number }>(sql`
      select ((select count(*) from users) + (select count(*) from bookmarks))::int as users`)
    if (rows[0]!.users > 0 && !options.replace)
      throw new BackupError('the library isn’t empty: restore into a new folder or database')
    const tables = await tablesOf(tx)
    const all = sql.join(
      tables.map((table) => name(table.name)),
      sql`, `,
    )
    await tx.execute(sql`truncate ${all} cascade`)
    // What belongs to the library that was.
    await tx.execute(sql`delete from sessions`)
    await tx.execute(sql`delete from verifications`)
    await tx.execute(sql`delete from jobs`)
    // What triggers count is in the backup already.
    for (const table of tables) await tx.execute(sql`alter table ${name(table.name)} disable trigger user`)
    let columns: string[] = []
    let table = ''
    for await (const { line } of linesOf(path)) {
      if ('table' in line) {
        table = line.table
        columns = line.columns
        const here = tables.find((each) => each.name === table)
        if (!here || columns.some((column) => !here.columns.includes(column)))
          throw new BackupError(`${path}: ${table} isn't a table as this Kaidoku has it`)
      } else if ('rows' in line && line.rows.length > 0) await insert(tx, table, columns, line.rows)
    }
    for (const each of tables) await tx.execute(sql`alter table ${name(each.name)} enable trigger user`)
    await resetNumbers(tx)
  })
  return counts
}

/** As text, each read by its column's own type: what one engine wrote the other reads. */
async function insert(tx: Database, table: string, columns: string[], rows: unknown[][]) {
  const { rows: types } = await tx.execute<{ name: string; type: string }>(sql`
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = ${`public."${table}"`}::regclass and attnum > 0 and not attisdropped`)
  const typeOf = new Map(types.map((each) => [each.name, each.type]))
  const values = columns.map((column, i) => sql.raw(`(r.v ->> ${i})::${typeOf.get(column)}`))
  await tx.execute(sql`
    insert into ${name(table)} (${sql.join(columns.map(name), sql`, `)}) overriding system value
    select ${sql.join(values, sql`, `)} from jsonb_array_elements(${JSON.stringify(rows)}::jsonb) as r (v)`)
}

/** New rows are numbered after the restored ones. */
async function resetNumbers(tx: Database) {
  const { rows } = await tx.execute<{ table: string; column: string; sequence: string }>(sql`
    select c.relname as table, a.attname as column, pg_get_serial_sequence(quote_ident(c.relname), a.attname) as sequence
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and a.attidentity <> ''`)
  for (const { table, column, sequence } of rows) {
    await tx.execute(sql`select setval(${sequence}::regclass,
      greatest((select coalesce(max(${name(column)}), 0) from ${name(table)}), 1)::bigint)`)
  }
}

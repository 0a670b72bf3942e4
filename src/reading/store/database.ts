/**
 * One dialect, two engines: PGlite, PostgreSQL within the process and its data in one folder; or a PostgreSQL that
 * DATABASE_URL names. What differs between them ends here.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'

/** What the store asks of Drizzle; both engines give it. */
export type Database = Omit<PgDatabase<PgQueryResultHKT>, 'execute' | 'transaction'> & {
  execute<Row extends object>(query: SQL): Promise<{ rows: Row[] }>
  transaction<T>(work: (tx: Database) => Promise<T>): Promise<T>
}

export interface DatabaseOptions {
  /** The folder of the embedded database; without it, and without `url`, all is forgotten at the end. */
  folder?: string
  /** `postgres://...`: a server in its place. */
  url?: string
  /** Called with every query: a test counts them. */
  onQuery?: (query: string) => void
}

export interface OpenDatabase {
  db: Database
  close(): Promise<void>
}

/** The folder is used by another process; the message says by which. */
export class DatabaseBusy extends Error {
  override readonly name = 'DatabaseBusy'
}

/** Opens the database and nothing more; see migrate. The engines are loaded when asked for: each costs a start. */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const { onQuery } = options
  const logger = onQuery ? { logQuery: (query: string) => onQuery(query) } : false
  if (options.url !== undefined) {
    const [{ default: pg }, { drizzle }] = await Promise.all([import('pg'), import('drizzle-orm/node-postgres')])
    // Numbers of rows and counts are far from 2^53; as text they would be added by putting them side by side.
    pg.types.setTypeParser(pg.types.builtins.INT8, Number)
    // A page's queries take a millisecond or two: compiling one would take fifty.
    const pool = new pg.Pool({ connectionString: options.url, options: '-c jit=off' })
    pool.on('error', () => {}) // Of a connection that nobody uses: the next query opens another.
    return { db: drizzle(pool, { logger }) as unknown as Database, close: () => pool.end() }
  }
  const release = options.folder === undefined ? () => {} : lock(options.folder)
  try {
    const [{ PGlite }, { drizzle }] = await Promise.all([import('@electric-sql/pglite'), import('drizzle-orm/pglite')])
    const client = await PGlite.create(
      options.folder === undefined ? {} : { dataDir: join(options.folder, 'postgres') },
    )
    const close = async () => {
      await client.close()
      release()
    }
    return { db: drizzle(client, { logger }) as unknown as Database, close }
  } catch (error) {
    release()
    throw error
  }
}

const held = new Set<string>()

/** PGlite has no lock of its own, and two processes in one folder would ruin it. */
function lock(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'lock')
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error
      const owner = Number.parseInt(readOwner(path), 10)
      // Our own number may be that of a process before us, in a container that began anew.
      if (owner === process.pid ? held.has(path) : isRunning(owner)) {
        throw new DatabaseBusy(
          `${folder} is used by process ${owner} (a reading room that runs?): stop it first, or remove ${path} if it isn't`,
        )
      }
      rmSync(path, { force: true }) // Its process died without a word.
    }
  }
  held.add(path)
  const release = () => {
    held.delete(path)
    rmSync(path, { force: true })
  }
  process.once('exit', release)
  return () => {
    process.off('exit', release)
    release()
  }
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Shared sessions: what somebody saw, kept under a short name. Whoever has the name may see it; nobody can change it. */
import { sql } from 'drizzle-orm'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import { plain, Refusal } from './sql.ts'

const BODY_MAX = 200_000
/** What one user may keep; more is a script. */
const SHARES_MAX = 5000

/** Keeps a session, an encoded text that its reader will check; `id` was drawn by the caller, and is new. */
export async function addShare(
  db: Database,
  by: number,
  share: { id: string; article: string; body: string },
): Promise<void> {
  if (!/^[A-Za-z0-9_-]{8,32}$/u.test(share.id)) throw new Refusal('invalid', 'a share has a name of 8 to 32 letters')
  if (share.body.length > BODY_MAX) throw new Refusal('invalid', `a shared session has at most ${BODY_MAX} characters`)
  await requireWriter(db, by)
  const { rows } = await db.execute<{ count: number }>(
    sql`select count(*)::int as count from shares where user_id = ${by}`,
  )
  if ((rows[0]?.count ?? 0) >= SHARES_MAX) throw new Refusal('invalid', `one user keeps at most ${SHARES_MAX} shares`)
  await db.execute(
    sql`insert into shares (id, user_id, article, body) values (${share.id}, ${by}, ${plain(share.article)}, ${plain(share.body)})`,
  )
}

/** A shared session by its name. */
export async function findShare(db: Database, id: string): Promise<{ article: string; body: string } | undefined> {
  const { rows } = await db.execute<{ article: string; body: string }>(
    sql`select article, body from shares where id = ${id}`,
  )
  return rows[0]
}

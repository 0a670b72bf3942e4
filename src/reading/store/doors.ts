/** Ways in for programs and for those who are asked in: API tokens, webhooks, invitations; and what somebody has set. */
import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { requireWriter } from './bookmarks.ts'
import type { Database } from './database.ts'
import { requireModerator, requireOwner } from './keywords.ts'
import { array, json, ms, optionalMs, plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex')

export const SCOPES = ['read', 'write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export interface ApiToken {
  id: number
  name: string
  scopes: Scope[]
  createdAtMs: number
  lastUsedAtMs: number | undefined
  expiresAtMs: number | undefined
}

/** Makes a token. Its text is told this once: what is kept is its hash. */
export async function createToken(
  db: Database,
  by: number,
  about: { name: string; scopes: readonly Scope[]; expiresAtMs?: number },
): Promise<{ id: number; token: string }> {
  const token = `kd_${randomBytes(32).toString('base64url')}`
  const { rows } = await db.execute<{ id: number }>(sql`
    insert into api_tokens (user_id, name, hash, scopes, expires_at)
    values (${by}, ${plain(about.name).slice(0, 100)}, ${hashOf(token)}, ${array(about.scopes, 'text')},
      ${about.expiresAtMs === undefined ? null : new Date(about.expiresAtMs).toISOString()}::timestamptz) returning id`)
  return { id: Number(rows[0]!.id), token }
}

/** Whose token it is; undefined if it is nobody's, is over, or its owner is shut out. */
export async function findToken(
  db: Database,
  token: string,
): Promise<{ userId: number; tokenId: number; scopes: Scope[]; role: string } | undefined> {
  const { rows } = await db.execute<{ id: number; user_id: number; scopes: Scope[]; role: string; stale: boolean }>(sql`
    select t.id, t.user_id, t.scopes, u.role, coalesce(t.last_used_at < now() - interval '1 minute', true) as stale
    from api_tokens t join users u on u.id = t.user_id
    where t.hash = ${hashOf(token)} and not u.banned and (t.expires_at is null or t.expires_at > now())`)
  const row = rows[0]
  if (!row) return undefined
  if (row.stale) await db.execute(sql`update api_tokens set last_used_at = now() where id = ${row.id}`)
  return { userId: Number(row.user_id), tokenId: Number(row.id), scopes: row.scopes, role: row.role }
}

/** One's own tokens. */
export async function listTokens(db: Database, by: number): Promise<ApiToken[]> {
  const { rows } = await db.execute<{
    id: number
    name: string
    scopes: Scope[]
    created: number
    used: number | null
    ends: number | null
  }>(sql`
    select id, name, scopes, ${ms(sql`created_at`)} as created, ${ms(sql`last_used_at`)} as used, ${ms(sql`expires_at`)} as ends
    from api_tokens where user_id = ${by} order by created_at desc, id desc`)
  return rows.map((row) => ({
    id: Number(row.id),
    name: row.name,
    scopes: row.scopes,
    createdAtMs: Math.round(row.created),
    lastUsedAtMs: optionalMs(row.used),
    expiresAtMs: optionalMs(row.ends),
  }))
}

/** Takes one's own token back. */
export async function removeToken(db: Database, by: number, id: number): Promise<void> {
  await db.execute(sql`delete from api_tokens where id = ${id} and user_id = ${by}`)
}

export interface Webhook {
  id: number
  url: string
  events: string[]
  active: boolean
  lastAtMs: number | undefined
  lastStatus: number | undefined
  failures: number
}

/** Adds a webhook; its secret, by which what is sent is signed, is told this once. */
export async function createWebhook(
  db: Database,
  by: number,
  about: { url: string; events: readonly string[] },
): Promise<{ id: number; secret: string }> {
  await requireWriter(db, by)
  const secret = randomBytes(24).toString('base64url')
  const { rows } = await db.execute<{ id: number }>(sql`
    insert into webhooks (user_id, url, secret, events) values (${by}, ${plain(about.url)}, ${secret}, ${array(about.events, 'text')}) returning id`)
  return { id: Number(rows[0]!.id), secret }
}

/** One's own webhooks. */
export async function listWebhooks(db: Database, by: number): Promise<Webhook[]> {
  const { rows } = await db.execute<{
    id: number
    url: string
    events: string[]
    active: boolean
    at: number | null
    last_status: number | null
    failures: number
  }>(sql`
    select id, url, events, active, ${ms(sql`last_at`)} as at, last_status, failures from webhooks where user_id = ${by} order by id`)
  return rows.map((row) => ({
    id: Number(row.id),
    url: row.url,
    events: row.events,
    active: row.active,
    lastAtMs: optionalMs(row.at),
    lastStatus: row.last_status ?? undefined,
    failures: row.failures,
  }))
}

export async function changeWebhook(db: Database, by: number, id: number, change: { active: boolean }): Promise<void> {
  await db.execute(
    sql`update webhooks set active = ${change.active}, failures = 0 where id = ${id} and user_id = ${by}`,
  )
}

export async function removeWebhook(db: Database, by: number, id: number): Promise<void> {
  await db.execute(sql`delete from webhooks where id = ${id} and user_id = ${by}`)
}

/** Those of a user that want to hear of an event: for the sender. */
export async function webhooksFor(
  db: Database,
  userId: number,
  event: string,
): Promise<{ id: number; url: string; secret: string }[]> {
  const { rows } = await db.execute<{ id: number; url: string; secret: string }>(sql`
    select id, url, secret from webhooks where user_id = ${userId} and active and ${event} = any (events)`)
  return rows.map((row) => ({ ...row, id: Number(row.id) }))
}

/** What came of sending. After twenty failures in a row it is switched off. */
export async function sentWebhook(db: Database, id: number, status: number | undefined): Promise<void> {
  const good = status !== undefined && status >= 200 && status < 300
  await db.execute(sql`
    update webhooks set last_at = now(), last_status = ${status ?? null}::int,
      failures = ${good ? sql`0` : sql`failures + 1`}, active = ${good ? sql`active` : sql`active and failures < 19`} where id = ${id}`)
}

export interface Invitation {
  id: number
  by: string
  role: string
  note: string
  createdAtMs: number
  expiresAtMs: number | undefined
  usedBy: string | undefined
}

/** Invites somebody; the code is told this once. */
export async function createInvitation(
  db: Database,
  by: number,
  about: { role?: 'member' | 'reader' | 'moderator'; note?: string; expiresAtMs?: number },
): Promise<{ id: number; code: string }> {
  await (about.role === 'moderator' ? requireOwner : requireModerator)(db, by)
  const code = randomBytes(18).toString('base64url')
  const { rows } = await db.execute<{ id: number }>(sql`
    insert into invitations (code_hash, created_by, role, note, expires_at)
    values (${hashOf(code)}, ${by}, ${about.role ?? 'member'}, ${plain(about.note ?? '').slice(0, 200)},
      ${about.expiresAtMs === undefined ? null : new Date(about.expiresAtMs).toISOString()}::timestamptz) returning id`)
  return { id: Number(rows[0]!.id), code }
}

/** Whether a code is good, and for what; it isn't used up by asking. */
export async function findInvitation(db: Database, code: string): Promise<{ id: number; role: string } | undefined> {
  const { rows } = await db.execute<{ id: number; role: string }>(sql`
    select id, role from invitations where code_hash = ${hashOf(code)} and used_at is null and (expires_at is null or expires_at > now())`)
  return rows[0] && { id: Number(rows[0].id), role: rows[0].role }
}

/** Uses a code for a user who has just been made: once. */
export async function useInvitation(db: Database, code: string, userId: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    const { rows } = await tx.execute<{ role: string }>(sql`
      update invitations set used_by = ${userId}, used_at = now()
      where code_hash = ${hashOf(code)} and used_at is null and (expires_at is null or expires_at > now()) returning role`)
    if (!rows[0]) throw new Refusal('invalid', 'this invitation was used already, or is over')
    await tx.execute(sql`update users set role = ${rows[0].role} where id = ${userId}`)
  })
}

export async function listInvitations(db: Database, by: number): Promise<Invitation[]> {
  await requireModerator(db, by)
  const { rows } = await db.execute<{
    id: number
    by: string
    role: string
    note: string
    created: number
    ends: number | null
    used_by: string | null
  }>(sql`
    select i.id, c.username as by, i.role, i.note, ${ms(sql`i.created_at`)} as created, ${ms(sql`i.expires_at`)} as ends, u.username as used_by
    from invitations i join users c on c.id = i.created_by left join users u on u.id = i.used_by order by i.created_at desc, i.id desc limit 500`)
  return rows.map((row) => ({
    id: Number(row.id),
    by: row.by,
    role: row.role,
    note: row.note,
    createdAtMs: Math.round(row.created),
    expiresAtMs: optionalMs(row.ends),
    usedBy: row.used_by ?? undefined,
  }))
}

export async function removeInvitation(db: Database, by: number, id: number): Promise<void> {
  await requireModerator(db, by)
  await db.execute(sql`delete from invitations where id = ${id} and used_at is null`)
}

/** What a user has set; the pages know what it means. */
export async function readSettings(db: Database, by: number): Promise<Record<string, unknown>> {
  const { rows } = await db.execute<{ value: Record<string, unknown> }>(
    sql`select value from user_settings where user_id = ${by}`,
  )
  return rows[0]?.value ?? {}
}

/** Sets some of them; null takes one back. */
export async function changeSettings(db: Database, by: number, change: Record<string, unknown>): Promise<void> {
  if (JSON.stringify(change).length > 20_000) throw new Refusal('invalid', 'settings are too large')
  await db.execute(sql`
    insert into user_settings (user_id, value) values (${by}, jsonb_strip_nulls(${json(change)}))
    on conflict (user_id) do update set value = jsonb_strip_nulls(user_settings.value || ${json(change)}), updated_at = now()`)
}

/** A setting of the whole room, such as who may sign up. */
export async function readRoomSetting<T>(db: Database, key: string): Promise<T | undefined> {
  const { rows } = await db.execute<{ value: T }>(sql`select value from room_settings where key = ${key}`)
  return rows[0]?.value
}

/** By an owner. */
export async function setRoomSetting(db: Database, by: number, key: string, value: unknown): Promise<void> {
  await requireOwner(db, by)
  await db.execute(sql`
    insert into room_settings (key, value) values (${key}, ${json(value)}) on conflict (key) do update set value = excluded.value`)
}

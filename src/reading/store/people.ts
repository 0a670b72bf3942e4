/** Those who read: who there is, what they may do, where they are signed in. better-auth writes the same tables. */
import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { forget, kept } from './forget.ts'
import { accounts, ROLES, sessions, users, verifications } from './schema-people.ts'

export { ROLES }
export type Role = (typeof ROLES)[number]

/** Somebody, as those who keep the room see them. */
export interface Account {
  id: number
  handle: string
  name: string
  email: string
  role: Role
  banned: boolean
  banReason: string | undefined
  createdAtMs: number
  /** Of the newest session; undefined if there is none. */
  seenAtMs: number | undefined
  /** Whether a password, or an account elsewhere, opens it. */
  canSignIn: boolean
}

/** A browser that somebody is signed in with. */
export interface SignedIn {
  id: number
  createdAtMs: number
  seenAtMs: number
  expiresAtMs: number
  ipAddress: string
  userAgent: string
}

/** Why a change of somebody's account is refused. */
export class PeopleError extends Error {
  override readonly name = 'PeopleError'
  readonly code: 'not-allowed' | 'last-owner' | 'no-such-user'
  constructor(code: PeopleError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface People {
  /** The tables, as better-auth's adapter wants them. */
  readonly tables: {
    user: typeof users
    session: typeof sessions
    account: typeof accounts
    verification: typeof verifications
  }
  count(): Promise<number>
  list(): Promise<Account[]>
  find(who: { id: number } | { handle: string }): Promise<Account | undefined>
  /** Makes the owner's account if there is nobody yet; undefined if there is. Of two at once, one makes it. */
  createOwner(handle: string, name: string): Promise<Account | undefined>
  /** Makes an account that a link opens (see createLink); by an owner. */
  create(actor: number, handle: string, role: Role): Promise<Account>
  /** How much of whom there is, by what it is. */
  kept(id: number): Promise<Record<string, number>>
  /** The acting user must be an owner; the last owner stays one. */
  setRole(actor: number, id: number, role: Role): Promise<void>
  /** The acting user must be an owner, or a moderator and the other neither. The banned one's sessions end. */
  setBanned(actor: number, id: number, banned: boolean, reason?: string): Promise<void>
  rename(actor: number, name: string): Promise<void>
  /** All that is theirs goes too. By themselves or an owner; the last owner stays while there are others. */
  remove(actor: number, id: number): Promise<void>
  sessions(actor: number): Promise<SignedIn[]>
  /** Ends one of one's own sessions, or all but one. */
  revoke(actor: number, which: { id: number } | { allBut: string }): Promise<number>
  /** A code that signs somebody in, once and within a quarter of an hour. */
  createLink(id: number): Promise<string>
  /** Whom a code signs in; it is used up. */
  useLink(code: string): Promise<number | undefined>
  /** A secret of this name; made the first time. */
  secret(name: string): Promise<string>
}

interface AccountRow {
  id: number
  handle: string
  name: string
  email: string
  role: Role
  banned: boolean
  ban_reason: string | null
  created_ms: number
  seen_ms: number | null
  can_sign_in: boolean
}

const ACCOUNT = sql`u.id, u.username as handle, u.name, u.email, u.role, u.ban_reason,
  u.banned and coalesce(u.ban_expires > now(), true) as banned,
  (extract(epoch from u.created_at) * 1000)::float8 as created_ms,
  (select (extract(epoch from max(s.updated_at)) * 1000)::float8 from sessions s where s.user_id = u.id) as seen_ms,
  exists (select from accounts a where a.user_id = u.id) as can_sign_in`

const toAccount = (row: AccountRow): Account => ({
  id: Number(row.id),
  handle: row.handle,
  name: row.name,
  email: row.email,
  role: row.role,
  banned: row.banned,
  banReason: row.ban_reason ?? undefined,
  createdAtMs: Math.round(row.created_ms),
  seenAtMs: row.seen_ms === null ? undefined : Math.round(row.seen_ms),
  canSignIn: row.can_sign_in,
})

// As the pages have it.
const HANDLE = /^[a-z0-9](?:[a-z0-9_.-]{0,28}[a-z0-9])?$/u

const linkOf = (code: string) => `sign-in-link:${createHash('sha256').update(code).digest('hex')}`

/** The methods on the tables of people. */
export function createPeople(db: Database): People {
  const roleOf = async (tx: Database, id: number): Promise<Role | undefined> => {
    const { rows } = await tx.execute<{ role: Role }>(
      sql`select role from users where id = ${id} and not (banned and coalesce(ban_expires > now(), true))`,
    )
    return rows[0]?.role
  }
  /** With all owners locked, so that two of them can't each leave to the other. */
  const otherOwners = async (tx: Database, id: number) => {
    const { rows } = await tx.execute<{ id: number }>(sql`select id from users where role = 'owner' for update`)
    return rows.filter((row) => Number(row.id) !== id).length
  }
  return {
    tables: { user: users, session: sessions, account: accounts, verification: verifications },
    async count() {
      const { rows } = await db.execute<{ n: number }>(sql`select count(*)::int as n from users`)
      return rows[0]!.n
    },
    async list() {
      const { rows } = await db.execute<AccountRow>(sql`select ${ACCOUNT} from users u order by u.id`)
      return rows.map(toAccount)
    },
    async find(who) {
      const where = 'id' in who ? sql`u.id = ${who.id}` : sql`u.username = ${who.handle.toLowerCase()}`
      const { rows } = await db.execute<AccountRow>(sql`select ${ACCOUNT} from users u where ${where}`)
      return rows[0] && toAccount(rows[0])
    },
    async createOwner(handle, name) {
      const { rows } = await db.execute<{ id: number }>(sql`
        insert into users (name, email, username, display_username, role)
        select ${name}, 'owner@localhost', ${handle.toLowerCase()}, ${handle}, 'owner'
        where not exists (select from users) on conflict do nothing returning id`)
      return rows[0] && this.find({ id: Number(rows[0].id) })
    },
    async create(actor, handle, role) {
      if ((await roleOf(db, actor)) !== 'owner') throw new PeopleError('not-allowed', 'only an owner makes accounts')
      const name = handle.toLowerCase()
      if (!HANDLE.test(name))
        throw new PeopleError(
          'not-allowed',
          `'${handle}': a name is 1 to 30 of a-z, 0-9, _ . and -, not . or - at its ends`,
        )
      const { rows } = await db.execute<{ id: number }>(sql`
        insert into users (name, email, username, display_username, role)
        values (${handle}, ${`${name}@users.invalid`}, ${name}, ${handle}, ${role}) on conflict do nothing returning id`)
      if (!rows[0]) throw new PeopleError('not-allowed', `there is somebody called '${handle}' already`)
      return (await this.find({ id: Number(rows[0].id) }))!
    },
    kept: (id) => kept(db, id),
    setRole: (actor, id, role) =>
      db.transaction(async (tx) => {
        if ((await roleOf(tx, actor)) !== 'owner') throw new PeopleError('not-allowed', 'only an owner gives roles')
        if (role !== 'owner' && (await roleOf(tx, id)) === 'owner' && (await otherOwners(tx, id)) === 0)
          throw new PeopleError('last-owner', 'the last owner stays one')
        const { rows } = await tx.execute(
          sql`update users set role = ${role}, updated_at = now() where id = ${id} returning id`,
        )
        if (rows.length === 0) throw new PeopleError('no-such-user', 'there is nobody of this number')
      }),
    setBanned: (actor, id, banned, reason) =>
      db.transaction(async (tx) => {
        const mine = await roleOf(tx, actor)
        const { rows } = await tx.execute<{ role: Role }>(sql`select role from users where id = ${id}`)
        const theirs = rows[0]?.role
        if (theirs === undefined) throw new PeopleError('no-such-user', 'there is nobody of this number')
        const may = mine === 'owner' || (mine === 'moderator' && theirs !== 'owner' && theirs !== 'moderator')
        if (!may || actor === id)
          throw new PeopleError('not-allowed', 'only an owner or a moderator shuts somebody out')
        await tx.execute(sql`
          update users set banned = ${banned}, ban_reason = ${banned ? (reason ?? null) : null}, ban_expires = null,
            updated_at = now() where id = ${id}`)
        if (banned) await tx.execute(sql`delete from sessions where user_id = ${id}`)
      }),
    async rename(actor, name) {
      await db.execute(sql`update users set name = ${name}, updated_at = now() where id = ${actor}`)
    },
    remove: (actor, id) =>
      db.transaction(async (tx) => {
        const mine = await roleOf(tx, actor)
        if (actor !== id && mine !== 'owner') throw new PeopleError('not-allowed', 'only an owner removes others')
        if ((await roleOf(tx, id)) === 'owner' && (await otherOwners(tx, id)) === 0) {
          const { rows } = await tx.execute<{ n: number }>(sql`select count(*)::int as n from users`)
          if (rows[0]!.n > 1) throw new PeopleError('last-owner', 'the last owner gives the room to another first')
        }
        if (!(await forget(tx, id))) throw new PeopleError('no-such-user', 'there is nobody of this number')
      }),
    async sessions(actor) {
      const { rows } = await db.execute<{
        id: number
        made: number
        seen: number
        ends: number
        ip_address: string | null
        user_agent: string | null
      }>(sql`
        select id, (extract(epoch from created_at) * 1000)::float8 as made,
          (extract(epoch from updated_at) * 1000)::float8 as seen,
          (extract(epoch from expires_at) * 1000)::float8 as ends, ip_address, user_agent
        from sessions where user_id = ${actor} and expires_at > now() order by updated_at desc, id desc limit 200`)
      return rows.map((row) => ({
        id: Number(row.id),
        createdAtMs: Math.round(row.made),
        seenAtMs: Math.round(row.seen),
        expiresAtMs: Math.round(row.ends),
        ipAddress: row.ip_address ?? '',
        userAgent: row.user_agent ?? '',
      }))
    },
    async revoke(actor, which) {
      const rest = 'id' in which ? sql`id = ${which.id}` : sql`token <> ${which.allBut}`
      const { rows } = await db.execute(sql`delete from sessions where user_id = ${actor} and ${rest} returning id`)
      return rows.length
    },
    async createLink(id) {
      const code = randomBytes(24).toString('base64url')
      await db.execute(sql`
        insert into verifications (identifier, value, expires_at)
        values (${linkOf(code)}, ${String(id)}, now() + interval '15 minutes')`)
      return code
    },
    async useLink(code) {
      const { rows } = await db.execute<{ value: string; good: boolean }>(sql`
        delete from verifications where identifier = ${linkOf(code)} returning value, expires_at > now() as good`)
      return rows[0]?.good ? Number(rows[0].value) : undefined
    },
    async secret(name) {
      await db.execute(sql`
        insert into secrets (name, value) values (${name}, ${randomBytes(32).toString('base64url')})
        on conflict do nothing`)
      const { rows } = await db.execute<{ value: string }>(sql`select value from secrets where name = ${name}`)
      return rows[0]!.value
    },
  }
}

/** What somebody follows, and what they don't want to see: users, sites, keywords (and single entries, to hide). */
import { type SQL, sql } from 'drizzle-orm'
import { foldKeyword } from '#reading/library'
import type { Database } from './database.ts'
import { keywordIds } from './keywords.ts'
import { plain, Refusal } from './sql.ts'
import { inTransaction } from './transaction.ts'

export type FollowTarget = { user: string } | { site: string } | { keyword: string }
export type HideTarget = FollowTarget | { entryId: number }

interface Target {
  kind: 'user' | 'site' | 'keyword' | 'entry'
  id: number
}

async function resolve(tx: Database, target: HideTarget): Promise<Target> {
  const one = async (query: SQL) => (await tx.execute<{ id: number }>(query)).rows[0]?.id
  if ('entryId' in target) {
    const id = await one(sql`select id from entries where id = ${target.entryId} and listed`)
    if (id !== undefined) return { kind: 'entry', id: Number(id) }
  } else if ('user' in target) {
    const id = await one(sql`select id from users where username = ${plain(target.user).toLowerCase()}`)
    if (id !== undefined) return { kind: 'user', id: Number(id) }
  } else if ('site' in target) {
    const host = plain(target.site)
    // Also one that nothing is listed of, yet: whether something private is must not be told by this.
    await tx.execute(
      sql`insert into sites (host) select ${host} where not exists (select from sites where host = ${host}) on conflict do nothing`,
    )
    return { kind: 'site', id: Number(await one(sql`select id from sites where host = ${host}`)) }
  } else {
    const id = (await keywordIds(tx, [target.keyword])).get(foldKeyword(plain(target.keyword)))
    if (id !== undefined) return { kind: 'keyword', id }
  }
  throw new Refusal('not-found', 'there is nothing of that name')
}

const set = (table: 'follows' | 'hides') => async (db: Database, by: number, target: HideTarget, on: boolean) =>
  inTransaction(db, async (tx) => {
    const { kind, id } = await resolve(tx, target)
    if (kind === 'user' && id === by) throw new Refusal('invalid', 'that is you')
    await tx.execute(
      on
        ? sql`insert into ${sql.raw(table)} (user_id, kind, target_id) values (${by}, ${kind}, ${id}) on conflict do nothing`
        : sql`delete from ${sql.raw(table)} where user_id = ${by} and kind = ${kind} and target_id = ${id}`,
    )
  })

/** Follows, or follows no more. */
export const setFollow: (db: Database, by: number, target: FollowTarget, on: boolean) => Promise<void> = set('follows')
/** Hides from one's own lists (a user: blocks), or shows again. */
export const setHide: (db: Database, by: number, target: HideTarget, on: boolean) => Promise<void> = set('hides')

export interface Followed {
  users: string[]
  sites: string[]
  keywords: string[]
  /** Numbers of single entries; of hides only. */
  entries: number[]
}

const read =
  (table: 'follows' | 'hides') =>
  async (db: Database, by: number): Promise<Followed> => {
    const { rows } = await db.execute<{ kind: Target['kind']; id: number; name: string | null }>(sql`
    select f.kind, f.target_id as id, case f.kind
      when 'user' then (select username from users where id = f.target_id)
      when 'site' then (select host from sites where id = f.target_id)
      when 'keyword' then (select name from keywords where id = f.target_id) end as name
    from ${sql.raw(table)} f where f.user_id = ${by} order by f.created_at desc, f.target_id`)
    const names = (kind: Target['kind']) =>
      rows.flatMap((row) => (row.kind === kind && row.name !== null ? [row.name] : []))
    return {
      users: names('user'),
      sites: names('site'),
      keywords: names('keyword'),
      entries: rows.flatMap((row) => (row.kind === 'entry' ? [Number(row.id)] : [])),
    }
  }

export const listFollows = read('follows')
export const listHides = read('hides')

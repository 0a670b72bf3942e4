/**
 * Counts all anew that 0005-counts keeps: after rows were written past the triggers (a restored backup, a generated library),
 * and in tests, which hold the two together.
 */
import { sql } from 'drizzle-orm'
import type { Database } from './database.ts'

const TABLES = ['bookmarks', 'bookmark_tags', 'stars', 'entries', 'entry_keywords'] as const

const STEPS = [
  `update bookmarks b set stars = coalesce(s.n, 0)
    from bookmarks o left join (select bookmark_id, count(*) as n from stars group by 1) s on s.bookmark_id = o.id
    where b.id = o.id and b.stars <> coalesce(s.n, 0)`,
  'update bookmark_tags t set shown = b.shown, created_at = b.created_at from bookmarks b where b.id = t.bookmark_id and (t.shown, t.created_at) is distinct from (b.shown, b.created_at)',
  `update entries e set users = coalesce(b.users, 0), comments = coalesce(b.comments, 0), stars = coalesce(b.stars, 0),
      listed_at = case when e.kind = 'article' or e.unowned then e.listed_at else b.first end
    from entries o left join (
      select entry_id, count(*) as users, count(*) filter (where comment <> '') as comments, sum(stars) as stars, min(created_at) as first
      from bookmarks where shown group by entry_id) b on b.entry_id = o.id
    where e.id = o.id and (e.users, e.comments, e.stars, case when e.kind = 'article' or e.unowned then null else e.listed_at end)
      is distinct from (coalesce(b.users, 0)::int, coalesce(b.comments, 0)::int, coalesce(b.stars, 0)::int,
        case when e.kind = 'article' or e.unowned then null else b.first end)`,
  `insert into entry_keywords (entry_id, keyword_id, own, taggers, place, listed, listed_at, users, medium)
    select t.entry_id, t.keyword_id, false, count(*), min(t.place), e.listed, e.listed_at, e.users, e.medium
    from bookmark_tags t join entries e on e.id = t.entry_id where t.shown group by t.entry_id, t.keyword_id, e.id
    on conflict (entry_id, keyword_id) do update set taggers = excluded.taggers where entry_keywords.taggers <> excluded.taggers`,
  `delete from entry_keywords k where not own
    and not exists (select from bookmark_tags t where t.entry_id = k.entry_id and t.keyword_id = k.keyword_id and t.shown)`,
  `update entry_keywords k set taggers = 0 where own and taggers > 0
    and not exists (select from bookmark_tags t where t.entry_id = k.entry_id and t.keyword_id = k.keyword_id and t.shown)`,
  `update entry_keywords k set listed = e.listed, listed_at = e.listed_at, users = e.users, medium = e.medium from entries e
    where e.id = k.entry_id and (k.listed, k.listed_at, k.users, k.medium) is distinct from (e.listed, e.listed_at, e.users, e.medium)`,
  `update entries e set keywords = n.names
    from (select entry_id, (array_agg(name order by own desc, taggers desc, place, name))[1:10] as names
      from entry_keywords ek join keywords k on k.id = ek.keyword_id group by entry_id) n
    where e.kind = 'bookmark' and n.entry_id = e.id and e.keywords <> n.names`,
  'update sites s set entries = c.n from (select s.id, count(e.id) as n from sites s left join entries e on e.site_id = s.id and e.listed group by s.id) c where c.id = s.id and s.entries <> c.n',
  'delete from keyword_counts',
  'insert into keyword_counts select keyword_id, medium, count(*) from entry_keywords where listed group by 1, 2',
]

/** All at once: the triggers would count each step a second time. Needs the right to switch them off, as the tables' owner has. */
export async function recount(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    for (const table of TABLES) await tx.execute(sql.raw(`alter table ${table} disable trigger user`))
    for (const step of STEPS) await tx.execute(sql.raw(step))
    for (const table of TABLES) await tx.execute(sql.raw(`alter table ${table} enable trigger user`))
  })
}

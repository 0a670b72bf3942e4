/**
 * What is counted is counted by the database itself, statement by statement, so that no way in can forget it: an import, a
 * deletion of somebody with all that was theirs, a moderator's hand. Private and hidden bookmarks count nowhere.
 * `recount()` computes the same anew; a test holds the two together.
 */
export const name = '0005-counts'

const on = (table: string, run: string, events: ('insert' | 'update' | 'delete')[]) =>
  events.map((event) => {
    const rows = [event !== 'insert' && 'old table as old_rows', event !== 'delete' && 'new table as new_rows']
    return `create trigger ${table}_${run}_${event} after ${event} on ${table}
      referencing ${rows.filter(Boolean).join(' ')} for each statement execute function ${run}()`
  })

export const statements = [
  // Bookmarks -> their entries.
  `create function count_bookmarks() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      update entries e set users = e.users + d.users, comments = e.comments + d.comments, stars = e.stars + d.stars,
        listed_at = case when e.kind = 'article' then e.listed_at else least(e.listed_at, d.first) end
      from (select entry_id, count(*) as users, count(*) filter (where comment <> '') as comments, sum(stars) as stars,
          min(created_at) as first
        from new_rows where shown group by entry_id order by entry_id) d
      where e.id = d.entry_id;
    elsif tg_op = 'DELETE' then
      update entries e set users = e.users - d.users, comments = e.comments - d.comments, stars = e.stars - d.stars,
        listed_at = case when e.kind = 'article' or e.unowned then e.listed_at
          else (select min(b.created_at) from bookmarks b where b.entry_id = e.id and b.shown) end
      from (select entry_id, count(*) as users, count(*) filter (where comment <> '') as comments, sum(stars) as stars
        from old_rows where shown group by entry_id order by entry_id) d
      where e.id = d.entry_id;
    else
      update entries e set users = e.users + d.users, comments = e.comments + d.comments, stars = e.stars + d.stars,
        listed_at = case when e.kind = 'article' or e.unowned then e.listed_at
          else (select min(b.created_at) from bookmarks b where b.entry_id = e.id and b.shown) end
      from (
        select n.entry_id, sum(n.shown::int - o.shown::int) as users,
          sum((n.shown and n.comment <> '')::int - (o.shown and o.comment <> '')::int) as comments,
          sum(case when n.shown then n.stars else 0 end - case when o.shown then o.stars else 0 end) as stars
        from new_rows n join old_rows o on o.id = n.id
        where (n.shown, n.comment <> '', n.stars, n.created_at) is distinct from (o.shown, o.comment <> '', o.stars, o.created_at)
        group by n.entry_id order by n.entry_id) d
      where e.id = d.entry_id;
      update bookmark_tags t set shown = n.shown, created_at = n.created_at
      from new_rows n join old_rows o on o.id = n.id
      where t.bookmark_id = n.id and (n.shown, n.created_at) is distinct from (o.shown, o.created_at);
    end if;
    return null;
  end $$`,
  ...on('bookmarks', 'count_bookmarks', ['insert', 'update', 'delete']),
  // Tags -> the keywords of entries.
  `create function count_tags() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      insert into entry_keywords (entry_id, keyword_id, own, taggers, place, listed, listed_at, users, medium)
      select t.entry_id, t.keyword_id, false, count(*), min(t.place), e.listed, e.listed_at, e.users, e.medium
      from new_rows t join entries e on e.id = t.entry_id where t.shown
      group by t.entry_id, t.keyword_id, e.id order by t.entry_id, t.keyword_id
      on conflict (entry_id, keyword_id) do update set taggers = entry_keywords.taggers + excluded.taggers;
    elsif tg_op = 'DELETE' then
      update entry_keywords k set taggers = k.taggers - d.gone
      from (select entry_id, keyword_id, count(*) as gone from old_rows where shown group by 1, 2 order by 1, 2) d
      where k.entry_id = d.entry_id and k.keyword_id = d.keyword_id;
      delete from entry_keywords k using (select distinct entry_id, keyword_id from old_rows where shown) d
      where k.entry_id = d.entry_id and k.keyword_id = d.keyword_id and k.taggers <= 0 and not k.own;
    else
      insert into entry_keywords (entry_id, keyword_id, own, taggers, place, listed, listed_at, users, medium)
      select n.entry_id, n.keyword_id, false, count(*), min(n.place), e.listed, e.listed_at, e.users, e.medium
      from new_rows n join old_rows o on o.bookmark_id = n.bookmark_id and o.keyword_id = n.keyword_id
        join entries e on e.id = n.entry_id
      where n.shown and not o.shown
      group by n.entry_id, n.keyword_id, e.id order by n.entry_id, n.keyword_id
      on conflict (entry_id, keyword_id) do update set taggers = entry_keywords.taggers + excluded.taggers;
      update entry_keywords k set taggers = k.taggers - d.gone
      from (select n.entry_id, n.keyword_id, count(*) as gone
        from new_rows n join old_rows o on o.bookmark_id = n.bookmark_id and o.keyword_id = n.keyword_id
        where o.shown and not n.shown group by 1, 2 order by 1, 2) d
      where k.entry_id = d.entry_id and k.keyword_id = d.keyword_id;
      delete from entry_keywords k using (
        select distinct n.entry_id, n.keyword_id
        from new_rows n join old_rows o on o.bookmark_id = n.bookmark_id and o.keyword_id = n.keyword_id
        where o.shown and not n.shown) d
      where k.entry_id = d.entry_id and k.keyword_id = d.keyword_id and k.taggers <= 0 and not k.own;
    end if;
    return null;
  end $$`,
  ...on('bookmark_tags', 'count_tags', ['insert', 'update', 'delete']),
  // Stars -> their comment.
  `create function count_stars() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      update bookmarks b set stars = b.stars + d.stars
      from (select bookmark_id, count(*) as stars from new_rows group by 1 order by 1) d where b.id = d.bookmark_id;
    else
      update bookmarks b set stars = b.stars - d.stars
      from (select bookmark_id, count(*) as stars from old_rows group by 1 order by 1) d where b.id = d.bookmark_id;
    end if;
    return null;
  end $$`,
  ...on('stars', 'count_stars', ['insert', 'delete']),
  // Entries -> their keywords, and their site.
  `create function count_entries() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      update sites s set entries = s.entries + d.entries
      from (select site_id, count(*) as entries from new_rows where listed and site_id is not null group by 1 order by 1) d
      where s.id = d.site_id;
    elsif tg_op = 'DELETE' then
      update sites s set entries = s.entries - d.entries
      from (select site_id, count(*) as entries from old_rows where listed and site_id is not null group by 1 order by 1) d
      where s.id = d.site_id;
    else
      if not exists (select from new_rows n join old_rows o on o.id = n.id
        where (n.listed, n.listed_at, n.users, n.medium) is distinct from (o.listed, o.listed_at, o.users, o.medium)) then
        return null;
      end if;
      update entry_keywords k set listed = n.listed, listed_at = n.listed_at, users = n.users, medium = n.medium
      from new_rows n join old_rows o on o.id = n.id
      where k.entry_id = n.id
        and (n.listed, n.listed_at, n.users, n.medium) is distinct from (o.listed, o.listed_at, o.users, o.medium);
      update sites s set entries = s.entries + d.entries
      from (select n.site_id, sum(n.listed::int - o.listed::int) as entries
        from new_rows n join old_rows o on o.id = n.id
        where n.listed <> o.listed and n.site_id is not null group by 1 order by 1) d
      where s.id = d.site_id and d.entries <> 0;
    end if;
    return null;
  end $$`,
  ...on('entries', 'count_entries', ['insert', 'update', 'delete']),
  // Keywords of entries -> their counts, and what the entry's row says of them.
  // A trigger for statements runs for those that touch no row, too: what isn't needed isn't begun, or they would go in circles.
  `create function name_keywords(changed bigint[]) returns void language plpgsql as $$
  begin
    if changed is null then return; end if;
    update entries e set keywords = coalesce((
      select array_agg(n.name) from (
        select k.name from entry_keywords ek join keywords k on k.id = ek.keyword_id
        where ek.entry_id = e.id order by ek.own desc, ek.taggers desc, ek.place, k.name limit 10) n), '{}')
    where e.id = any (changed) and e.kind = 'bookmark';
  end $$`,
  `create function count_keywords() returns trigger language plpgsql as $$
  begin
    if tg_op = 'INSERT' then
      insert into keyword_counts (keyword_id, medium, entries)
      select keyword_id, medium, count(*) from new_rows where listed group by 1, 2 order by 1, 2
      on conflict (keyword_id, medium) do update set entries = keyword_counts.entries + excluded.entries;
      perform name_keywords((select array_agg(distinct entry_id) from new_rows));
    elsif tg_op = 'DELETE' then
      insert into keyword_counts (keyword_id, medium, entries)
      select keyword_id, medium, -count(*) from old_rows where listed group by 1, 2 order by 1, 2
      on conflict (keyword_id, medium) do update set entries = keyword_counts.entries + excluded.entries;
      perform name_keywords((select array_agg(distinct entry_id) from old_rows));
    else
      insert into keyword_counts (keyword_id, medium, entries)
      select keyword_id, medium, sum(sign) from (
        select n.keyword_id, n.medium, 1 as sign
        from new_rows n join old_rows o on o.entry_id = n.entry_id and o.keyword_id = n.keyword_id
        where n.listed and (not o.listed or o.medium <> n.medium)
        union all
        select o.keyword_id, o.medium, -1
        from new_rows n join old_rows o on o.entry_id = n.entry_id and o.keyword_id = n.keyword_id
        where o.listed and (not n.listed or o.medium <> n.medium)) d
      group by 1, 2 order by 1, 2
      on conflict (keyword_id, medium) do update set entries = keyword_counts.entries + excluded.entries;
      perform name_keywords((select array_agg(distinct n.entry_id)
        from new_rows n join old_rows o on o.entry_id = n.entry_id and o.keyword_id = n.keyword_id
        where (n.own, n.taggers, n.place) is distinct from (o.own, o.taggers, o.place)));
    end if;
    return null;
  end $$`,
  ...on('entry_keywords', 'count_keywords', ['insert', 'update', 'delete']),
  // What stands there already.
  `update sites s set entries = (select count(*) from entries e where e.site_id = s.id and e.listed)`,
  `insert into keyword_counts select keyword_id, medium, count(*) from entry_keywords where listed group by 1, 2`,
]

/** Entries, sites and keywords. */
export const name = '0001-entries'

export const statements = [
  `create table sites (
    id bigint primary key generated always as identity,
    host text not null constraint sites_host_unique unique
  )`,
  `create table entries (
    id bigint primary key generated always as identity,
    kind text not null check (kind in ('article', 'bookmark')),
    key text not null,
    site_id bigint references sites (id),
    added_at timestamp (3) with time zone not null,
    content_hash text,
    gone_at timestamp (3) with time zone
  )`,
  // An address may be longer than what a B-tree takes (2,704 bytes), so bookmarks are told apart by its digest.
  'create unique index entries_kind_key on entries (kind, md5(key))',
  'create index entries_newest on entries (added_at desc, id desc)',
  'create index entries_site on entries (site_id, added_at desc, id desc)',
  `create table entry_texts (
    entry_id bigint not null references entries (id) on delete cascade,
    lang text not null,
    place integer not null,
    title text not null,
    summary text not null,
    primary key (entry_id, lang)
  )`,
  `create table keywords (
    id bigint primary key generated always as identity,
    folded text not null constraint keywords_folded_unique unique,
    name text not null
  )`,
  `create table entry_keywords (
    entry_id bigint not null references entries (id) on delete cascade,
    lang text not null,
    keyword_id bigint not null references keywords (id),
    place integer not null,
    primary key (entry_id, lang, keyword_id)
  )`,
  'create index entry_keywords_keyword on entry_keywords (keyword_id, entry_id)',
]

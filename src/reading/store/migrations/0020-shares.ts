/** Sessions that somebody shared by a short link. */
export const name = '0020-shares'

export const statements = [
  `create table shares (
    id text primary key,
    user_id bigint references users (id) on delete set null,
    article text not null,
    body text not null,
    created_at timestamptz not null default now()
  )`,
  'create index shares_by_user on shares (user_id, created_at desc)',
]

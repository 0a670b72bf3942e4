/**
 * What is searched. PostgreSQL's own parsers know no Japanese, and trigrams no word of one or two characters, so the lexemes
 * are ours (reading/search makes them) and PostgreSQL indexes them: an exact answer from a GIN index, of any length of word.
 */
export const name = '0008-search'

export const statements = [
  `create table entry_words (
    entry_id bigint primary key references entries (id) on delete cascade,
    title text not null,
    body text not null,
    source text not null,
    title_words tsvector not null,
    own tsvector not null,
    words tsvector not null
  )`,
  'create index entry_words_title on entry_words using gin (title_words) with (fastupdate = off)',
  'create index entry_words_words on entry_words using gin (words) with (fastupdate = off)',
  'create index entry_words_exact on entry_words (md5(title))',
]

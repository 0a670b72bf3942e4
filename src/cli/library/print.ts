/** Entries as lines: a title, its address, and what one said of it. What comes from pages can't move the cursor. */
import { paint, print } from '../terminal.ts'
import type { BookmarkJson, EntryJson } from './index.ts'

/** Text of others for a terminal: control characters (and those that turn the direction of text) are blanks. */
export const safe = (text: string) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')

export const printJson = (value: unknown) => print(JSON.stringify(value, null, 2))

const day = (iso: string) => iso.slice(0, 10)

/** Marks and words of one's own bookmark, as it is typed: `[tag]words`. */
export function saidOf(bookmark: Pick<BookmarkJson, 'tags' | 'comment'>): string {
  return safe(bookmark.tags.map((tag) => `[${tag}]`).join('') + bookmark.comment)
}

const flagsOf = (bookmark: BookmarkJson) =>
  [
    bookmark.private && 'private',
    bookmark.readLater && 'later',
    bookmark.archived && 'archived',
    bookmark.favourite && 'favourite',
  ]
    .filter(Boolean)
    .join(' ')

export function printEntry(entry: EntryJson): void {
  print(paint('bold', safe(entry.title || entry.bookmark?.title || entry.url)))
  const said = entry.bookmark ?? entry.saved
  const users = entry.users === 1 ? '1 user' : `${entry.users} users`
  print(
    `  ${safe(entry.url)}  ${paint('dim', `${day(said?.createdAt ?? entry.addedAt)}  ${users}${entry.dead ? '  dead' : ''}`)}`,
  )
  const words = said ? saidOf(said) : ''
  const flags = entry.bookmark ? flagsOf(entry.bookmark) : ''
  if (words || flags) print(`  ${words}${words && flags ? '  ' : ''}${paint('cyan', flags)}`)
}

/** Columns, as wide as their widest cell; nothing at all for no rows. */
export function printTable(rows: readonly (readonly (string | number)[])[]): void {
  const cells = rows.map((row) => row.map((cell) => safe(String(cell))))
  const widths = cells[0]?.map((_, i) => Math.max(...cells.map((row) => widthOf(row[i]!)))) ?? []
  for (const row of cells)
    print(
      row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - widthOf(cell)))).join('  '),
    )
}

/** Columns of a terminal that a text takes: those of East Asia take two. */
const widthOf = (text: string) =>
  [...text].reduce(
    (sum, char) =>
      sum +
      (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u.test(char)
        ? 2
        : 1),
    0,
  )

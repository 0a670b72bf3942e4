/** The reading room's own table (`kaidoku export csv`): what a spreadsheet shows of bookmarks, and back. */
import { readTable } from '../csv.ts'
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'

export const isTable = (header: string) =>
  /^\ufeff?"?url"?,"?title"?,"?tags"?,"?comment"?,"?note"?,"?private"?,"?readlater"?/iu.test(header)

// What a spreadsheet would run stands behind an apostrophe.
const plain = (cell: string | undefined) => (cell ?? '').replace(/^'(?=[=+\-@\t\r])/u, '')
const yes = (cell: string | undefined) => /^true$/iu.test(cell ?? '')

export function parseTable(source: string): ParsedFile {
  const found = new Gathering('kaidoku-csv')
  for (const { line, item, row } of readTable(source)) {
    const more = found.add({
      place: { item, line },
      url: row['url'] ?? '',
      title: plain(row['title']),
      tags: plain(row['tags']).split(','),
      comment: plain(row['comment']),
      note: plain(row['note']),
      private: yes(row['private']),
      readLater: yes(row['readlater']),
      archived: yes(row['archived']),
      favourite: yes(row['favourite']),
      createdAtS: parseTime(row['created']),
    })
    if (!more) break
  }
  return found.end()
}

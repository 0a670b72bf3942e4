/** Pocket's last export: CSV of `title,url,time_added,tags,status`, tags with bars between, in files of an archive. */
import { readTable } from '../csv.ts'
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'

export const isPocket = (header: string) => /^\ufeff?"?title"?,"?url"?,"?time_added"?/iu.test(header)

export function parsePocket(files: readonly { file?: string; source: string }[]): ParsedFile {
  const found = new Gathering('pocket-csv')
  for (const { file, source } of files) {
    for (const { line, item, row } of readTable(source)) {
      const url = row['url'] ?? ''
      const title = row['title'] ?? ''
      const more = found.add({
        place: { item, line, ...(file === undefined ? {} : { file }) },
        url,
        title: title === url ? '' : title, // Pocket's way to say that it has none.
        tags: (row['tags'] ?? '').split('|'),
        readLater: row['status'] === 'unread',
        archived: row['status'] === 'archive',
        private: true, // A Pocket list was its owner's alone.
        createdAtS: parseTime(row['time_added']),
      })
      if (!more) return found.end()
    }
  }
  return found.end()
}

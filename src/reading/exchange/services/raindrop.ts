/** Raindrop.io's CSV. @see https://help.raindrop.io/export and https://help.raindrop.io/import#supported-formats */
import { readTable } from '../csv.ts'
import { type ExchangeHighlight, Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'

/** By its names: `id,title,note,excerpt,url,folder,tags,created,cover,highlights,favorite`, in any order. */
export function isRaindrop(header: string): boolean {
  const names = header
    .toLowerCase()
    .replace(/["\ufeff\r]/gu, '')
    .split(',')
  return names.includes('url') && names.includes('folder') && (names.includes('created') || names.includes('excerpt'))
}

export function parseRaindrop(source: string): ParsedFile {
  const found = new Gathering('raindrop-csv')
  for (const { line, item, row } of readTable(source)) {
    const folder = row['folder'] ?? ''
    const more = found.add({
      place: { item, line },
      url: row['url'] ?? '',
      title: row['title'] ?? '',
      note: row['note'] ?? row['description'] ?? '',
      excerpt: row['excerpt'] ?? '',
      // "Unsorted" is where all begins; it says nothing.
      folders: folder === '' || folder === 'Unsorted' ? [] : folder.split('/'),
      tags: (row['tags'] ?? '').split(','),
      favourite: /^(true|1)$/iu.test(row['favorite'] ?? ''),
      createdAtS: parseTime(row['created']),
      highlights: parseHighlights(row['highlights'] ?? ''),
    })
    if (!more) break
  }
  return found.end()
}

/** `Highlight:words` lines, each with a `Note:words` behind it if there is one. */
function parseHighlights(column: string): ExchangeHighlight[] {
  const found: ExchangeHighlight[] = []
  for (const part of column.split(/(?:^|\n)(?=(?:Highlight|Note): ?)/u).slice(0, 2000)) {
    const [, kind, words] = /^(Highlight|Note): ?([\s\S]*)$/u.exec(part.trim()) ?? []
    const last = found.at(-1)
    if (kind === 'Highlight') found.push({ quote: words!, note: '', createdAtS: undefined })
    else if (kind === 'Note' && last) last.note = words!
  }
  return found
}

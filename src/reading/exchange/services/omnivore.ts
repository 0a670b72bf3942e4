/**
 * Omnivore's export: an archive of `metadata_*.json` files (lists of items), `highlights/SLUG.md` and `content/SLUG.html`.
 * The lists also come alone, or joined into one. @see https://docs.omnivore.app/using/exporting.html
 */
import { type ExchangeHighlight, Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, itemsHave, type JsonFormat, list, names, str } from './json.ts'

function addItems(
  found: Gathering,
  items: readonly unknown[],
  file: string | undefined,
  highlights: (slug: string) => ExchangeHighlight[],
) {
  let item = 0
  for (const entry of items) {
    const place = { item: ++item, ...(file === undefined ? {} : { file }) }
    if (!isObject(entry)) {
      found.refuse(place, '', 'not an object')
      continue
    }
    const state = str(entry['state'])
    const more = found.add({
      place,
      url: str(entry['url']),
      title: str(entry['title']),
      excerpt: str(entry['description']),
      author: str(entry['author']),
      tags: names(entry['labels']),
      archived: /^archived$/iu.test(state),
      readLater: /^(active|unread|reading|succeeded)$/iu.test(state),
      createdAtS: parseTime(entry['savedAt']),
      updatedAtS: parseTime(entry['updatedAt']),
      highlights: highlights(str(entry['slug'])),
    })
    if (!more) return
  }
}

export const omnivore: JsonFormat = {
  knows: (value) => itemsHave(value, 'url', 'savedAt') || itemsHave(value, 'slug', 'labels', 'url'),
  parse(value): ParsedFile {
    const found = new Gathering('omnivore')
    addItems(found, list(value), undefined, () => [])
    return found.end()
  },
}

/** The archive's lists, each with its file's name, and a way to its highlights. */
export function parseOmnivoreLists(
  lists: readonly { file: string; value: unknown }[],
  highlightsOf: (slug: string) => string,
): ParsedFile {
  const found = new Gathering('omnivore')
  for (const { file, value } of lists) {
    if (!Array.isArray(value)) found.refuse({ item: 0, file }, '', 'not a list of items')
    else addItems(found, value, file, (slug) => parseQuotes(highlightsOf(slug)))
  }
  return found.end()
}

/** Highlights in Markdown: each a quotation (`> text`), its note below it. */
function parseQuotes(markdown: string): ExchangeHighlight[] {
  const found: ExchangeHighlight[] = []
  let quoting = false
  for (const raw of markdown.split(/\r?\n/u, 20_000)) {
    const quoted = /^> ?(.*)$/u.exec(raw)
    const last = found.at(-1)
    if (quoted) {
      if (quoting && last) last.quote += `\n${quoted[1]}`
      else found.push({ quote: quoted[1]!, note: '', createdAtS: undefined })
    } else if (last && raw.trim() !== '' && !/^#{1,6} /u.test(raw)) last.note += (last.note === '' ? '' : '\n') + raw
    quoting = quoted !== null
  }
  return found
}

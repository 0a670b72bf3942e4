/**
 * Hatena Bookmark's two exports: a feed of Atom 0.3, and the search data that its extensions read: three lines for each
 * bookmark (title, comment, address), then as many lines of `COUNT<tab>YYYYMMDDhhmmss`, in Japan's time.
 * @see https://developer.hatena.ne.jp/ja/documents/bookmark/misc/feed
 */
import { type Draft, Gathering, type ParsedFile, splitTaggedComment } from '../record.ts'
import { parseDigits, parseTime } from '../time.ts'
import { readXml } from '../xml.ts'

const JAPAN_MINUTES = 9 * 60

export function parseHatenaAtom(source: string): ParsedFile {
  const found = new Gathering('hatena-atom')
  let item = 0
  let entry: Draft | undefined
  let tags: string[] = []
  let path: string[] = []
  let gathered = ''
  for (const event of readXml(source)) {
    if (event.kind === 'text') {
      if (entry && gathered.length < 100_000) gathered += event.text
      continue
    }
    if (event.kind === 'open') {
      path.push(event.name)
      gathered = ''
      if (event.name === 'entry') {
        entry = { place: { item: ++item, line: event.line }, url: '' }
        tags = []
      } else if (event.name === 'link' && entry && event.attributes.get('rel') === 'related')
        entry.url = event.attributes.get('href') ?? ''
      continue
    }
    path = path.slice(0, -1)
    if (event.name === 'entry' && entry) {
      const { tags: inComment, comment } = splitTaggedComment(entry.comment ?? '')
      if (!found.add({ ...entry, comment, tags: [...tags, ...inComment] })) break
      entry = undefined
    } else if (entry && path.at(-1) === 'entry') {
      if (event.name === 'title') entry.title = gathered
      else if (event.name === 'summary') entry.comment = gathered
      else if (event.name === 'issued' || (event.name === 'updated' && entry.createdAtS === undefined))
        entry.createdAtS = parseTime(gathered.trim(), JAPAN_MINUTES)
      else if (event.name === 'dc:subject' && tags.length < 100) tags.push(gathered)
    }
    gathered = ''
  }
  return found.end()
}

const STAMP = /^\d+\t\d{14}$/u

/** True of a text whose last lines are stamps, and whose others make triples for them. */
export function isHatenaData(source: string): boolean {
  const end = source.trimEnd()
  const last = end.slice(end.lastIndexOf('\n') + 1).replace(/\r$/u, '')
  return STAMP.test(last) && /^https?:\/\//u.test(end.split('\n', 3)[2] ?? '')
}

export function parseHatenaData(source: string): ParsedFile {
  const found = new Gathering('hatena-data')
  const lines = source
    .replace(/^\ufeff/u, '')
    .trimEnd()
    .split(/\r?\n/u)
  let stamps = lines.length
  while (stamps > 0 && STAMP.test(lines[stamps - 1]!)) stamps--
  const count = Math.floor(stamps / 3)
  if (stamps % 3 !== 0)
    found.note({ item: count + 1, line: count * 3 + 1 }, 'the last bookmark has fewer than three lines')
  if (lines.length - stamps !== count)
    found.note(
      { item: count, line: stamps + 1 },
      `${count} bookmarks, but ${lines.length - stamps} times: some have none`,
    )
  for (let i = 0; i < count; i++) {
    const stamp = lines[stamps + i]?.split('\t')[1]
    const { tags, comment } = splitTaggedComment(lines[i * 3 + 1]!)
    const more = found.add({
      place: { item: i + 1, line: i * 3 + 1 },
      title: lines[i * 3]!,
      url: lines[i * 3 + 2]!,
      comment,
      tags,
      createdAtS: stamp === undefined ? undefined : parseDigits(stamp, JAPAN_MINUTES),
    })
    if (!more) break
  }
  return found.end()
}

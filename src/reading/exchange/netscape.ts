/**
 * Netscape's bookmarks file as a record, with what services added to it: Delicious and Pinboard PRIVATE, TOREAD and TAGS,
 * linkding its notes and archived tag, the reading room ARCHIVED and FAVOURITE. And the file going out.
 */
import { type Bookmark, parseNetscapeBookmarks } from '#reading/library'
import { type ExchangeRecord, Gathering, type ParsedFile } from './record.ts'
import { escapeXml } from './xml.ts'

// @see linkding bookmarks/services/exporter.py: it hides both in what every other reader can show.
const ARCHIVED_TAGS = ['linkding:bookmarks.archived', 'linkding:archived']
const NOTES = { open: '[linkding-notes]', close: '[/linkding-notes]' }

export function parseNetscape(source: string): ParsedFile {
  const found = new Gathering('netscape')
  const { bookmarks, errors } = parseNetscapeBookmarks(source)
  let item = 0
  for (const bookmark of bookmarks) if (!found.add(draftOf(bookmark, ++item))) break
  for (const { line, what } of errors) {
    // These two are bookmarks that are lost; the others are remarks.
    if (/^(a link without HREF|an address of)/u.test(what)) found.refuse({ item: 0, line }, '', what)
    else found.note({ item: 0, line }, what)
  }
  return found.end()
}

function draftOf(bookmark: Bookmark, item: number) {
  const [comment, note] = splitNotes(bookmark.description)
  const flag = (name: string) => bookmark.attributes.get(name)
  const archived = bookmark.keywords.some((tag) => ARCHIVED_TAGS.includes(tag)) || flag('archived') === '1'
  const isPrivate = flag('private')
  return {
    place: { item, line: bookmark.line },
    url: bookmark.href,
    title: bookmark.title,
    tags: bookmark.keywords.filter((tag) => !ARCHIVED_TAGS.includes(tag)),
    folders: bookmark.folders,
    comment,
    note,
    private: isPrivate === undefined ? undefined : isPrivate !== '0',
    readLater: flag('toread') === '1',
    archived,
    favourite: flag('favourite') === '1',
    createdAtS: bookmark.addedAtS,
    updatedAtS: bookmark.modifiedAtS,
  }
}

function splitNotes(description: string): [comment: string, note: string] {
  const open = description.indexOf(NOTES.open)
  if (open < 0) return [description, '']
  const close = description.indexOf(NOTES.close, open)
  const note = description.slice(open + NOTES.open.length, close < 0 ? undefined : close)
  return [description.slice(0, open), note]
}

const flagOf = (name: string, value: boolean) => (value ? ` ${name}="1"` : '')

/** The file that every browser and service reads, in pieces. What it can't say (highlights) is left out. */
export function* formatNetscape(title: string, records: Iterable<ExportedBookmark>): Generator<string> {
  yield '<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">\n'
  yield `<TITLE>${escapeXml(title)}</TITLE>\n<H1>${escapeXml(title)}</H1>\n<DL><p>\n`
  for (const record of records) {
    const tags = record.tags.map((tag) => tag.replaceAll(',', ' ')).join(',')
    const times =
      (record.createdAtS === undefined ? '' : ` ADD_DATE="${record.createdAtS}"`) +
      (record.updatedAtS === undefined ? '' : ` LAST_MODIFIED="${record.updatedAtS}"`)
    const flags =
      (record.private === undefined ? '' : ` PRIVATE="${record.private ? 1 : 0}"`) +
      flagOf('TOREAD', record.readLater) +
      flagOf('ARCHIVED', record.archived) +
      flagOf('FAVOURITE', record.favourite)
    yield `<DT><A HREF="${escapeXml(record.url)}"${times}${flags} TAGS="${escapeXml(tags)}">${escapeXml(record.title)}</A>\n`
    const note = record.note === '' ? '' : `${NOTES.open}${record.note}${NOTES.close}`
    if (record.comment + note !== '') yield `<DD>${escapeXml(record.comment + note)}\n`
  }
  yield '</DL><p>\n'
}

/** What a bookmarks file says of one. */
export type ExportedBookmark = Pick<
  ExchangeRecord,
  | 'url'
  | 'title'
  | 'tags'
  | 'comment'
  | 'note'
  | 'private'
  | 'readLater'
  | 'archived'
  | 'favourite'
  | 'createdAtS'
  | 'updatedAtS'
>

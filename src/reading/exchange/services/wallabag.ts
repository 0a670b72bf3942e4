/** wallabag's JSON export (v2). @see https://doc.wallabag.org/user/import/wallabagv2/ */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, itemsHave, type JsonFormat, list, names, str, yes } from './json.ts'

export const wallabag: JsonFormat = {
  knows: (value) => itemsHave(value, 'url', 'is_archived', 'is_starred'),
  parse(value): ParsedFile {
    const found = new Gathering('wallabag-json')
    let item = 0
    for (const entry of list(value)) {
      const place = { item: ++item }
      if (!isObject(entry)) {
        found.refuse(place, '', 'not an object')
        continue
      }
      const more = found.add({
        place,
        url: str(entry['url']) || str(entry['given_url']),
        title: str(entry['title']),
        tags: names(entry['tags']),
        author: list(entry['published_by']).map(str).filter(Boolean).join(', '),
        lang: str(entry['language']).replace('_', '-'),
        archived: yes(entry['is_archived']),
        readLater: !yes(entry['is_archived']),
        favourite: yes(entry['is_starred']),
        private: 'is_public' in entry ? !yes(entry['is_public']) : undefined,
        createdAtS: parseTime(entry['created_at']),
        updatedAtS: parseTime(entry['updated_at']),
        highlights: list(entry['annotations'])
          .filter(isObject)
          .map((annotation) => ({
            quote: str(annotation['quote']),
            note: str(annotation['text']),
            createdAtS: parseTime(annotation['created_at']),
          })),
      })
      if (!more) break
    }
    return found.end()
  },
}

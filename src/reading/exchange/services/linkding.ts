/** linkding's API, page by page or joined (`GET /api/bookmarks/`). Its file export is Netscape HTML: see netscape.ts.
 * @see https://linkding.link/api/ */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, itemsHave, type JsonFormat, list, names, str, yes } from './json.ts'

const itemsOf = (value: unknown) => (isObject(value) ? value['results'] : value)

export const linkding: JsonFormat = {
  knows: (value) => itemsHave(itemsOf(value), 'url', 'tag_names'),
  parse(value): ParsedFile {
    const found = new Gathering('linkding-json')
    let item = 0
    for (const bookmark of list(itemsOf(value))) {
      const place = { item: ++item }
      if (!isObject(bookmark)) {
        found.refuse(place, '', 'not an object')
        continue
      }
      const more = found.add({
        place,
        url: str(bookmark['url']),
        title: str(bookmark['title']) || str(bookmark['website_title']),
        comment: str(bookmark['description']),
        excerpt: str(bookmark['website_description']),
        note: str(bookmark['notes']),
        tags: names(bookmark['tag_names']),
        archived: yes(bookmark['is_archived']),
        readLater: yes(bookmark['unread']),
        private: 'shared' in bookmark ? !yes(bookmark['shared']) : undefined,
        createdAtS: parseTime(bookmark['date_added']),
        updatedAtS: parseTime(bookmark['date_modified']),
      })
      if (!more) break
    }
    if (isObject(value) && typeof value['next'] === 'string')
      found.note({ item }, 'this is one page of several: linkding says that more follow')
    return found.end()
  },
}

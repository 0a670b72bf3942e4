/** Pinboard's JSON backup, which Delicious's posts/all is too. @see https://pinboard.in/api#posts_all */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, itemsHave, type JsonFormat, list, str, yes } from './json.ts'

export const pinboard: JsonFormat = {
  knows: (value) => itemsHave(value, 'href', 'extended'),
  parse(value): ParsedFile {
    const found = new Gathering('pinboard-json')
    let item = 0
    for (const post of list(value)) {
      const place = { item: ++item }
      if (!isObject(post)) {
        found.refuse(place, '', 'not an object')
        continue
      }
      const more = found.add({
        place,
        url: str(post['href']),
        title: str(post['description']), // "description" is the title: a name that Delicious left.
        comment: str(post['extended']),
        tags: str(post['tags']).split(/\s+/u),
        private: typeof post['shared'] === 'string' ? !yes(post['shared']) : undefined,
        readLater: yes(post['toread']),
        createdAtS: parseTime(post['time']),
      })
      if (!more) break
    }
    return found.end()
  },
}

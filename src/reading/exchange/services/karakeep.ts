/** Karakeep's (once Hoarder's) JSON export. @see https://docs.karakeep.app (packages/shared/import-export/exporters.ts) */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, itemsHave, type JsonFormat, list, names, str, yes } from './json.ts'

export const karakeep: JsonFormat = {
  knows: (value) => isObject(value) && itemsHave(value['bookmarks'], 'content', 'createdAt'),
  parse(value): ParsedFile {
    const found = new Gathering('karakeep-json')
    const whole = isObject(value) ? value : {}
    const folders = new Map<string, { name: string; parent: string }>()
    for (const folder of list(whole['lists']).filter(isObject))
      folders.set(str(folder['id']), { name: str(folder['name']), parent: str(folder['parentId']) })
    let item = 0
    for (const bookmark of list(whole['bookmarks'])) {
      const place = { item: ++item }
      const content = isObject(bookmark) ? bookmark['content'] : undefined
      if (!isObject(bookmark) || !isObject(content)) {
        found.refuse(place, '', 'a bookmark without content')
        continue
      }
      if (content['type'] !== 'link') {
        found.refuse(place, '', `not a page but ${str(content['type']) === 'text' ? 'a note' : 'a file'} of its own`)
        continue
      }
      const more = found.add({
        place,
        url: str(content['url']),
        title: str(bookmark['title']) || str(content['title']),
        tags: names(bookmark['tags']),
        folders: list(bookmark['lists'])
          .slice(0, 16)
          .flatMap((id) => pathOf(str(id), folders)),
        note: str(bookmark['note']),
        excerpt: str(bookmark['summary']) || str(bookmark['description']) || str(content['description']),
        author: str(content['author']),
        archived: yes(bookmark['archived']),
        favourite: yes(bookmark['favourited']),
        private: true, // Nothing there is seen by others.
        createdAtS: parseTime(bookmark['createdAt']),
      })
      if (!more) break
    }
    return found.end()
  },
}

function pathOf(id: string, folders: ReadonlyMap<string, { name: string; parent: string }>): string[] {
  const path: string[] = []
  // A list that is its own ancestor ends by the bound.
  for (let at = folders.get(id); at && path.length < 16; at = folders.get(at.parent)) path.unshift(at.name)
  return path
}

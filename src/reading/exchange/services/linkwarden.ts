/** Linkwarden's JSON backup: a user's collections, each with its links. @see https://docs.linkwarden.app/Usage/import-and-export */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { isObject, type JsonFormat, list, names, str } from './json.ts'

export const linkwarden: JsonFormat = {
  knows: (value) =>
    isObject(value) &&
    list(value['collections']).length > 0 &&
    list(value['collections'])
      .slice(0, 5)
      .every((one) => isObject(one) && Array.isArray(one['links'])),
  parse(value): ParsedFile {
    const found = new Gathering('linkwarden-json')
    const whole = isObject(value) ? value : {}
    const pinned = new Set(
      list(whole['pinnedLinks'])
        .filter(isObject)
        .map((link) => str(link['url'])),
    )
    const collections = list(whole['collections']).filter(isObject)
    const byId = new Map(collections.map((collection) => [str(collection['id']), collection]))
    let item = 0
    for (const collection of collections) {
      const folders: string[] = []
      for (
        let at: typeof collection | undefined = collection;
        at && folders.length < 16;
        at = byId.get(str(at['parentId']))
      )
        folders.unshift(str(at['name']))
      for (const link of list(collection['links'])) {
        const place = { item: ++item }
        if (!isObject(link)) {
          found.refuse(place, '', 'not an object')
          continue
        }
        const url = str(link['url'])
        if (url === '' && str(link['type']) !== 'url' && str(link['type']) !== '') {
          found.refuse(place, '', `not a page but a file of its own (${str(link['type']).slice(0, 20)})`)
          continue
        }
        const more = found.add({
          place,
          url,
          title: str(link['name']),
          excerpt: str(link['description']),
          tags: names(link['tags']),
          folders,
          private: collection['isPublic'] === undefined ? undefined : collection['isPublic'] !== true,
          favourite: pinned.has(url) || list(link['pinnedBy']).length > 0,
          createdAtS: parseTime(link['importDate']) ?? parseTime(link['createdAt']),
          updatedAtS: parseTime(link['updatedAt']),
          highlights: list(link['highlight'] ?? link['highlights'])
            .filter(isObject)
            .map((one) => ({
              quote: str(one['text']),
              note: str(one['comment']),
              createdAtS: parseTime(one['createdAt']),
              ...(typeof one['startOffset'] === 'number' ? { position: one['startOffset'] } : {}),
            })),
        })
        if (!more) return found.end()
      }
    }
    return found.end()
  },
}

import { foldKeyword } from '#reading/library'
import { defineCommand, flag, UsageError } from '../command.ts'
import {
  ANYWHERE,
  ANYWHERE_HELP,
  type EntryJson,
  LibraryError,
  WHERE_HELP,
  withLibrary,
  wordOf,
} from '../library/index.ts'
import { printJson, printTable } from '../library/print.ts'
import { print } from '../terminal.ts'

export const tag = defineCommand({
  name: 'tag',
  help: `Usage: kaidoku tag [OPTION]... [list]
       kaidoku tag [OPTION]... rename OLD NEW
       kaidoku tag [OPTION]... merge OLD... INTO
       kaidoku tag [OPTION]... remove TAG...
List your tags, the most used first; rename one, merge several into one, or take them off your bookmarks.

  -j, --json          the list as JSON
${ANYWHERE_HELP}
  -h, --help          show this text

${WHERE_HELP}`,
  options: { json: flag, ...ANYWHERE },
  async main({ operands, options }) {
    const [word, names] = wordOf('tag', operands, ['list', 'rename', 'merge', 'remove'], 'list')
    if (word === 'rename' && names.length !== 2) throw new UsageError('kaidoku tag rename: OLD and NEW')
    if (word === 'merge' && names.length < 2) throw new UsageError('kaidoku tag merge: OLD..., and INTO at the end')
    if (word === 'remove' && names.length === 0) throw new UsageError('kaidoku tag remove: name a tag')
    return withLibrary(options, async (library) => {
      if (word === 'list') {
        const tags = await library.tags()
        if (options.json) printJson(tags)
        else printTable(tags.map(({ name, count }) => [count, name]))
        return 0
      }
      const into = word === 'remove' ? undefined : names.at(-1)!
      const old = word === 'remove' ? names : names.slice(0, -1)
      const known = new Set((await library.tags()).map(({ name }) => foldKeyword(name)))
      for (const name of old)
        if (!known.has(foldKeyword(name))) throw new LibraryError(`there is no tag '${name}'; kaidoku tag lists them`)
      if (word === 'rename' && known.has(foldKeyword(into!)) && foldKeyword(into!) !== foldKeyword(old[0]!))
        throw new LibraryError(`there is a tag '${into}' already; kaidoku tag merge makes one of two`)
      // First all that have one, then the changes: a list isn't walked while it moves.
      const found = new Map<number, EntryJson>()
      for (const name of old) {
        for (let cursor: string | undefined; ; ) {
          const page = await library.list({ tag: name, limit: 200, ...(cursor === undefined ? {} : { cursor }) })
          for (const entry of page.items) found.set(entry.id, entry)
          if (page.next === null) break
          cursor = page.next
        }
      }
      const gone = new Set(old.map(foldKeyword))
      for (const { url, bookmark } of found.values()) {
        const tags = bookmark!.tags.flatMap((one) => (gone.has(foldKeyword(one)) ? (into ?? []) : one))
        await library.save(url, { tags })
      }
      print(`${found.size} bookmarks changed`)
      return 0
    })
  },
})
